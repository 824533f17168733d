/* Rule tests: a file with a configuration, events, and what must hold at given times. README.md beside this file tells the
 * format; test.c is the command.
 *
 * rules_load.c reads a file, rules_events.c its events and rules_names.c what is expected, each with every fault in it;
 * rules_stage.c tells an engine a test's events; rules_run.c moves time and looks; rules_agree.c says whether what was
 * found is as expected, and rules_show.c shows both where it is not. */
#ifndef KPICTL_RULES_H
#define KPICTL_RULES_H

#include "when.h"

#include "config_read.h"
#include "faults.h"

#include "kpid/encode.h"
#include "kpid/engine.h"

#include <msgpack.h>

#ifndef RULES_EVENTS_MAX            /* a fuzzer has less time */
#define RULES_EVENTS_MAX 2000000u   /* of one test */
#define RULES_LOOKS_MAX 1000000u    /* times that the expectations of one test are looked at, together */
#define RULES_LEAP_MAX UINT32_MAX   /* alerts looked at in a leap of time: nobody waits here, and every change is looked at */
#endif

/* An event in its place: either written in the test, or one of a file's. */
struct rules_event {
    int64_t at_ms;
    const struct kp_node *node; /* its entry under `events` */
    uint32_t entry;             /* which that is, from 1 */
    uint32_t nth;               /* written: which of its repetitions, from 1; of a file: its index in the message */
    uint32_t order;             /* among all of the test, as they are written */
    const char *message;        /* of a file, in the tree's memory; NULL: written */
    size_t len;
};

struct rules_look {             /* an entry under `expect`; its nodes are sound once loading is over */
    struct rules_test *test;
    struct kp_loc loc;
    int64_t *at;                /* owned; rising */
    size_t nat;
    int64_t from_ms, to_ms;     /* of `changes` and `told` */
    const struct kp_node *only; /* which alerts are looked at; NULL: all of them */
    const struct kp_node *firing, *pending, *kpis, *changes, *told;
    size_t nfailed;             /* instants at which it was not so */
    int64_t first_failed_ms, last_failed_ms;
};

struct rules_test {
    struct rules_file *file;
    char *name;
    struct kp_loc loc;
    struct kp_zone_file zone_file;
    struct kp_zone *zone;       /* owned; NULL: the file's */
    struct when_frame frame;
    bool has_start;
    int64_t start_ms;           /* where its time begins */
    const struct kp_node *only;
    struct rules_event *events; /* owned; in order of time, of one instant as they are written */
    size_t nevents;
    size_t nentries;            /* what they are written as */
    struct rules_look *looks;   /* owned */
    size_t nlooks;
    size_t ninstants;           /* of all of them */
};

struct rules_file {
    const char *name;           /* borrowed */
    struct kp_loader ld;
    struct kp_tree *tree;       /* owned; what tests and faults point into */
    struct kp_config config;
    bool has_config;            /* false: it is faulty, and names can't be checked */
    struct kp_zone_file zone_file;
    struct kp_zone *zone;       /* owned */
    struct when_frame frame;    /* for tests that say nothing of their own */
    const struct kp_node *only;
    struct rules_test *tests;   /* owned */
    size_t ntests;
    const char **fields;        /* owned; the names of an alert's fields; none: there are no rules */
    size_t nfields;
};

/* ---- rules_stage.c ---- */
/* An engine with a decoder for its events and a writer for what it says. */
struct rules_stage {
    struct kp_engine *engine;
    struct kp_decoder *decoder;
    struct kp_out *event_out;   /* an event as it is sent; the engine borrows it while it says what comes of it */
    struct kp_out *out;         /* what it says */
    struct kp_event event;
};
bool rules_stage_open(struct rules_stage *stage, const struct kp_config *config, const struct kp_alert_sink *sink,
                      struct kp_err *err) KP_CHECK;
void rules_stage_close(struct rules_stage *stage);
/* Bring time up to an instant; events before it must have been told. */
void rules_stage_settle(struct rules_stage *stage, int64_t at_ms);
enum kp_reason rules_stage_tell(struct rules_stage *stage, struct rules_test *test, const struct rules_event *event);

/* What the engine said, or an alert as it is now, as the map that would be published. */
struct rules_said {
    msgpack_unpacked map;       /* owned; its strings lie in bytes */
    char *bytes;                /* owned */
    int64_t at_ms;
    bool quiet;                 /* nobody is told: it goes to pending/PATH/ */
};
struct rules_said_list {
    struct rules_said *list;    /* owned */
    size_t count, room;
    bool failed;                /* out of memory */
};
/* Add what was written to stage->out. */
void rules_said_add(struct rules_said_list *said, struct rules_stage *stage, int64_t at_ms, bool quiet);
void rules_said_clear(struct rules_said_list *said);        /* keeps its memory */
void rules_said_release(struct rules_said_list *said);
/* A field of a map; NULL: there is none. */
const msgpack_object *rules_field(const msgpack_object *map, const char *name);

/* ---- rules_load.c ---- */
/* Read a file whose faults go to *faults; file->name is set by the caller, the rest zeros. False after a fault. Always ended
 * with rules_release. */
bool rules_load(struct rules_file *file, struct kp_faults *faults) KP_CHECK;
/* The same from bytes. dir: what paths in it are relative to; NULL: no file may be read. */
bool rules_load_bytes(struct rules_file *file, const char *dir, const char *bytes, size_t len, struct kp_faults *faults) KP_CHECK;
void rules_release(struct rules_file *file);

/* ---- rules_events.c: struct rules_test ---- */
KP_READER(rules_read_events);
/* Tell the test's events to an engine, to find those that it rejects. */
void rules_rehearse(struct rules_test *test, struct rules_stage *stage);

/* ---- rules_names.c ---- */
/* The fields of `only`, and of the entries of an expectation; the keys that they name are checked once the test's events are
 * known, on the engine that was told them. ld->path is where they stand. */
void rules_check_only(struct rules_file *file, const struct kp_node *only);
void rules_check_look(struct rules_look *look);
void rules_check_keys(struct rules_test *test, const struct rules_stage *stage);

/* ---- rules_run.c ---- */
struct rules_sums {
    size_t tests, failed_tests, checks, failed_checks;
};
/* Run one test; what failed is told to stdout. KP_EINVAL with the reason: it could not be run. */
enum kp_code rules_run(struct rules_test *test, struct rules_sums *sums, struct kp_err *err) KP_CHECK;

/* ---- rules_agree.c ---- */
/* Does a value agree with what is written of it? got NULL: there is none. */
bool rules_agrees(struct rules_test *test, const struct kp_node *want, const msgpack_object *got);
/* Do all fields of a map that is written agree? Its entry `at` is the field `time`. */
bool rules_agrees_all(struct rules_test *test, const struct kp_node *want, const msgpack_object *got);
/* Does an alert pass a map of `only`? */
bool rules_passes(struct rules_test *test, const struct kp_node *only, const msgpack_object *alert);
/* A field of an alert; `at` is its `time`. */
const msgpack_object *rules_alert_field(const msgpack_object *alert, const char *name);

/* ---- rules_show.c ---- */
/* Hold lists against each other and show them side by side where they differ. ordered: one after the other, else as sets.
 * title: "firing"; at_ms: when, INT64_MIN: not at one instant. */
struct rules_check {
    struct rules_test *test;
    struct kp_loc loc;          /* of what was expected */
    const char *title;
    int64_t at_ms;
    bool ordered;
    bool silent;                /* is not shown */
};
bool rules_compare(const struct rules_check *check, const struct kp_node *want, const struct rules_said_list *got);
/* The same of one map, a KPI's cell. skip: the entries that only say which one it is. */
bool rules_compare_map(const struct rules_check *check, const struct kp_node *want, const char *const *skip,
                       const msgpack_object *got);

#endif
