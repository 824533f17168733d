/* What the rules of a configuration would have told, added up: how often each, of whom, for how long, and how many a day
 * for each manager.
 *
 * An alert here is one life, from firing to resolved; being told again or becoming worse makes no second one, and what was
 * only pending makes none. It belongs to the day that it fired on, in `time.zone`. Whose alerts a manager sees are those
 * under one parent: a rep's team, a team's region. Days are those that any event came on, or any alert fired on, so that
 * weekends don't thin out the means.
 *
 * Memory does not grow with the number of alerts: some 100 bytes for each rule and key that ever fired and for each alert
 * that fires, and for each rule and manager one entry for each different number of alerts that it ever had on a day. */
#ifndef KPICTL_BACKTEST_H
#define KPICTL_BACKTEST_H

#include "kpid/engine.h"
#include "kpid/out.h"
#include "kpid/sketch.h"
#include "kpid/tab.h"
#include "kpid/zone.h"

#include <stdio.h>

enum { BACKTEST_REASONS = 12, BACKTEST_EXACT = 1 << 14 };

struct backtest_path {      /* outermost first */
    char *parts;            /* owned; NUL-terminated strings in a row */
    size_t len;             /* bytes of them all */
    size_t count;
};

struct backtest_daily {     /* alerts a day */
    uint64_t alerts, today;
    int64_t day;            /* that `today` is of; local days since 1970 */
    uint64_t worst;
    int64_t worst_day;      /* the first of them */
    struct backtest_days {
        uint64_t alerts;
        uint64_t days;      /* that had so many */
    } *days;                /* owned; rising */
    size_t count, room;
};

struct backtest_manager {
    struct backtest_path path;
    struct backtest_daily daily;        /* of all rules */
};

struct backtest_key {       /* one rule's alerts of one key */
    struct backtest_path path;
    char *name;             /* owned */
    uint64_t alerts;
    uint32_t rule;
};

struct backtest_life {      /* of an alert that fires */
    uint32_t key;           /* whose; UINT32_MAX: it is over, and the place is free */
    uint32_t next_free;
    int64_t fired_ms;
    bool critical;          /* it is, or was */
};

struct backtest_rule {
    const struct kp_alert_cfg *cfg;     /* borrowed */
    uint64_t warning, critical;         /* alerts by the worst that they came to */
    uint64_t keys, still_firing;
    int64_t total_ms, longest_ms;       /* firing */
    int64_t median_ms;                  /* once ended; within 1 % with more than BACKTEST_EXACT alerts */
    int64_t *exact;                     /* owned; how long each of the first ones fired */
    size_t nexact, room;
    struct kp_quant *lengths;           /* owned by the slab; all of them, in ms (millionths of 1000 s) */
    struct backtest_reason {
        const char *name;               /* a constant of the engine's */
        uint64_t alerts;
    } reasons[BACKTEST_REASONS];        /* what they were resolved by */
    size_t nreasons;
    struct backtest_daily *managers;    /* owned; by the manager's index */
    size_t nmanagers;
};

struct backtest {
    struct kp_zone *zone;               /* owned, like all that follows */
    const char *zone_name;              /* borrowed from the configuration */
    struct backtest_rule *rules;        /* in the configuration's order */
    size_t nrules;
    struct backtest_key *keys;
    size_t nkeys, keys_room;
    struct backtest_life *lives;
    size_t nlives, lives_room;
    uint32_t free_life;                 /* the first free place, UINT32_MAX: none */
    struct backtest_manager *managers;
    size_t nmanagers, managers_room;
    struct kp_tab *index;               /* of keys, managers and lives */
    struct kp_slab *slab;
    int64_t from_ms, to_ms;             /* INT64_MIN: no time passed */
    int64_t day, day_ends_ms;
    uint64_t days;
    bool failed;                        /* out of memory: the figures are not whole */
};

/* config is borrowed. NULL with the reason in *err. */
struct backtest *backtest_new(const struct kp_config *config, struct kp_err *err) KP_CHECK;
void backtest_destroy(struct backtest **backtest);

/* Take a change of an alert, from within the engine's sink. */
void backtest_alert(struct backtest *backtest, struct kp_engine *engine, const struct kp_alert *alert);
/* An event came, and the engine's time is t. */
void backtest_passed(struct backtest *backtest, int64_t t);
/* All is over at t: what still fires has fired until then. */
void backtest_end(struct backtest *backtest, int64_t t);

/* ---- Figures, once ended ---- */
uint64_t backtest_alerts(const struct backtest_rule *rule);
double backtest_mean(const struct backtest *backtest, const struct backtest_daily *daily);
/* So many or fewer on nine days of ten (nearest rank). */
uint64_t backtest_p90(const struct backtest *backtest, const struct backtest_daily *daily);
/* The rule of that name, the manager of that path; NULL: there is none. */
const struct backtest_rule *backtest_find_rule(const struct backtest *backtest, const char *name);
const struct backtest_daily *backtest_find_manager(const struct backtest *backtest, const struct backtest_path *path);
/* Indices of a rule's keys, or of its managers (NULL: those of all rules), most alerts first, then by path. The caller frees
 * the list; NULL: out of memory. */
size_t *backtest_rank_keys(const struct backtest *backtest, const struct backtest_rule *rule, size_t *count);
size_t *backtest_rank_managers(const struct backtest *backtest, const struct backtest_rule *rule, size_t *count);

/* ---- Telling (backtest_text.c, backtest_json.c) ---- */
/* For people. False: out of memory. */
bool backtest_print(const struct backtest *backtest, uint64_t events) KP_CHECK;
/* What the second has more or less of. */
bool backtest_print_difference(const struct backtest *before, const struct backtest *after) KP_CHECK;
/* The same as maps. */
bool backtest_put(struct kp_out *out, const struct backtest *backtest, uint64_t events) KP_CHECK;
bool backtest_put_difference(struct kp_out *out, const struct backtest *before, const struct backtest *after) KP_CHECK;
/* "emea / field-1", in buf. */
const char *backtest_path_text(const struct backtest_path *path, char *buf, size_t size);

#endif
