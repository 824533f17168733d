/* The engine: events and instants in; numbers and alerts out. The one door to the core.
 *
 * Pure: it owns no socket, file, clock or thread. Whoever drives it says what time it is. One thread at a time.
 *
 * With `clock: wall` the engine's time is the largest now_ms it was given. With `clock: event` it is the largest event
 * time; what becomes due on the way there (the end of a `for`, a pane that leaves a window) is done at its own instant,
 * before the event that moved the clock. */
#ifndef KPID_ENGINE_H
#define KPID_ENGINE_H

#include "kpid/ack.h"
#include "kpid/config.h"
#include "kpid/event.h"
#include "kpid/formula.h"
#include "kpid/silence.h"

struct kp_engine;

enum { KP_ALERT_EVENTS = 8, KP_ALERT_MEMBERS = 256, KP_ALERT_TEXT = 1024 };
enum kp_alert_state { KP_ALERT_INACTIVE, KP_ALERT_PENDING, KP_ALERT_FIRING, KP_ALERT_RESOLVED };
enum kp_severity { KP_SEVERITY_NONE, KP_SEVERITY_WARNING, KP_SEVERITY_CRITICAL };

/* One change of an alert, as it is published. Valid during the call that hands it out. */
struct kp_alert {
    const struct kp_alert_cfg *rule;
    uint64_t id;                /* of this life of the alert: the same until it is resolved */
    uint32_t node;              /* whose it is */
    const char *entity;         /* what has not moved; NULL with other rules */
    const char *entity_field;   /* the field that it is a value of; likewise */
    enum kp_alert_state state;
    enum kp_severity severity;
    bool flapping;              /* it comes and goes all the time, and is held as it is until it calms down */
    bool quiet;                 /* belongs on pending/PATH/, not on alert/PATH/ */
    struct kp_number value;
    double target, expected, ratio;     /* NaN: none. ratio: value by what it is compared with, else by the target */
    double p;                   /* how likely luck alone brings so little; NaN: it was not asked */
    double threshold;           /* of the severity that it has */
    int64_t since_ms, time_ms;
    const char *reason;         /* why it was resolved, when it is not that the number is back; else NULL */
    const char *acked_by, *ack_comment;     /* NULL: none */
    bool silenced;
    struct kp_str events[KP_ALERT_EVENTS];      /* newest first */
    size_t nevents;
    uint32_t members[KP_ALERT_MEMBERS];         /* nodes: of those for whom the alert stands */
    size_t nmembers;            /* 0: it stands for its own key. More than KP_ALERT_MEMBERS: the first of them are listed */
    char message[KP_ALERT_TEXT];
};

/* Called for each change, in order, from within kp_engine_apply and kp_engine_settle. */
struct kp_alert_sink {
    void (*alert)(void *ctx, struct kp_engine *engine, const struct kp_alert *alert);
    void *ctx;
};

/* Build one. config is borrowed and must outlive it. seed: for the hash tables; any number, the answers don't depend
 * on it. NULL with KP_EINVAL, KP_ELIMIT or KP_ENOMEM. */
struct kp_engine *kp_engine_new(const struct kp_config *config, uint64_t seed, const struct kp_alert_sink *sink,
                                struct kp_err *err) KP_CHECK;
void kp_engine_destroy(struct kp_engine **engine);

/* What it was built of. */
const struct kp_config *kp_engine_config(const struct kp_engine *engine);
/* For decoders of this engine's events. */
const struct kp_schema *kp_engine_schema(const struct kp_engine *engine);

/* Count n events that arrived at now_ms; reasons[i] tells what became of each: KP_ACCEPTED, KP_DUPLICATE, or why it was
 * rejected. Events of one call may be looked up together, but the outcome is that of one after the other. */
enum { KP_APPLY_MAX = 32 };      /* to be collected before a call; more may be given, but lie in no near cache any more */
void kp_engine_apply(struct kp_engine *engine, const struct kp_event *const *events, size_t n, int64_t now_ms,
                     enum kp_reason *reasons);

/* Bring time to now_ms (with `clock: event` only if it is later than every event), and look at every alert that an
 * event or time has touched, at most `most` of them. True when some are left. */
bool kp_engine_settle(struct kp_engine *engine, int64_t now_ms, size_t most);
/* The next instant at which time alone has something to do; INT64_MAX: never. */
int64_t kp_engine_due(const struct kp_engine *engine);
/* The engine's time; INT64_MIN before there is any. */
int64_t kp_engine_now(const struct kp_engine *engine);

/* ---- Keys ---- */
/* Nodes are small integers below kp_engine_nodes(); some are not in use. The company is 0. */
uint32_t kp_engine_nodes(const struct kp_engine *engine);
/* Is there something to show for it now? */
bool kp_engine_visible(const struct kp_engine *engine, uint32_t node);
/* Has it changed since the last kp_engine_seen, by an event or by time? Visible ones only. */
bool kp_engine_changed(const struct kp_engine *engine, uint32_t node);
void kp_engine_seen(struct kp_engine *engine, uint32_t node);
/* Forget the node if nothing can be said of it any more; true when it did. Call it for each from time to time. */
bool kp_engine_sweep(struct kp_engine *engine, uint32_t node);

/* Levels: 0 the company, then the roster's, then groups ("@client"). */
int kp_engine_levels(const struct kp_engine *engine);
const char *kp_engine_level_name(const struct kp_engine *engine, int level);
int kp_engine_find_level(const struct kp_engine *engine, const char *name, size_t len);   /* -1: none */
int kp_engine_find_kpi(const struct kp_engine *engine, const char *name, size_t len);     /* -1: none */

/* The node of a key; a rep also by an alias. KP_NO_KEY: there is none to see. */
#define KP_NO_KEY UINT32_MAX
uint32_t kp_engine_find(const struct kp_engine *engine, int level, struct kp_str key);

struct kp_place {
    int level;
    struct kp_str key;
    const char *name;
    struct kp_str path[KP_LEVELS_MAX + 2];      /* outermost first; of a group: its level, then its key */
    size_t npath;
};
void kp_engine_place(const struct kp_engine *engine, uint32_t node, struct kp_place *place);
/* "snapshot/emea/field-1/ana/": the kind, the path encoded, each with a slash behind. Returns the length; buf is cut
 * (and NUL-terminated) at size. */
size_t kp_engine_topic(const struct kp_engine *engine, const char *kind, uint32_t node, char *buf, size_t size);
/* One part of it, put at buf + at; returns where the next one goes. */
size_t kp_engine_topic_part(struct kp_str part, char *buf, size_t at, size_t size);

/* ---- Numbers ---- */
enum kp_status { KP_STATUS_NONE, KP_STATUS_OK, KP_STATUS_WARNING, KP_STATUS_CRITICAL, KP_STATUS_NO_DATA };
struct kp_cell_view {           /* one KPI in one window */
    const struct kp_kpi_cfg *kpi;
    const struct kp_window *window;
    struct kp_number number;
    double target;              /* NaN: none */
    double expected;            /* of the target, by now; NaN: none */
    uint32_t rank, of;          /* among its peers, 1 is best; 0: it has none */
    enum kp_status status;      /* by the thresholds of the rules on it, NONE: there is no rule; NO_DATA: a source that
                                 * it needs is silent */
    bool is_now;                /* it is what stands open now, whatever the window */
    bool may_fall;              /* what was counted can be taken back: a deal's later event says otherwise */
};
/* Read a node as of the engine's time: cells in the order of the configuration, KPI by KPI. *cells borrows until the
 * next call of anything. Returns how many.
 * pass: 0, or the number of a pass over many nodes: in it peers are read once, when it comes to the first of them, so
 * that ranks don't cost more than numbers. */
size_t kp_engine_read(struct kp_engine *engine, uint32_t node, uint32_t pass, const struct kp_cell_view **cells);

/* The same of the periods before those that run, where a history is kept: a cell for each calendar window, called as the running one is
 * with a "-1" behind. Without ranks, and without what is so now. */
size_t kp_engine_read_closed(struct kp_engine *engine, uint32_t node, const struct kp_cell_view **cells);
/* The period that a calendar window holds, by the clock of a node: *from <= t < *to. False: the window is none, or there is no time
 * yet. */
bool kp_engine_period(const struct kp_engine *engine, uint32_t node, const struct kp_window *window, int64_t *from, int64_t *to);
/* Does a day end between the engine's time and then, by the clock of anybody? */
bool kp_engine_day_ends(const struct kp_engine *engine, int64_t until_ms);

/* A number for a pass that begins now. */
uint32_t kp_engine_pass(struct kp_engine *engine);

/* Where a number comes from. */
enum { KP_EXPLAIN_PARTS = 64, KP_EXPLAIN_EVENTS = 20, KP_EXPLAIN_TEXT = 2048 };
struct kp_explanation {
    struct kp_cell_view cell;
    int64_t from_ms, to_ms;     /* of the window: from <= time < to; INT64_MIN, INT64_MAX: without a bound there */
    struct kp_explain_part {    /* the KPIs of its formula, and of theirs: each one before its own */
        const struct kp_kpi_cfg *kpi;
        struct kp_number number;
        int depth;              /* 1: of the KPI itself */
    } parts[KP_EXPLAIN_PARTS];
    size_t nparts;
    bool more_parts;            /* there are more */
    struct kp_explain_event {   /* that entered it, the last to come first; as far as their ids are remembered */
        struct kp_str id;
        int64_t time_ms;
    } events[KP_EXPLAIN_EVENTS];
    size_t nevents;
};
/* Explain a KPI of a node in one of its windows, as of the engine's time. KP_EINVAL with a sentence for whoever asked. Its
 * strings borrow until the next call of anything. */
enum kp_code kp_engine_explain(struct kp_engine *engine, uint32_t node, int kpi, struct kp_str window,
                               struct kp_explanation *why, struct kp_err *err) KP_CHECK;

/* Hand out every alert that is pending or firing, as of now, by rule and then by path. */
void kp_engine_alerts(struct kp_engine *engine, void (*each)(void *ctx, const struct kp_alert *alert), void *ctx);

/* End the alerts of rules that another configuration does not have, or has as something else; reason "rule_removed". */
void kp_engine_end_rules(struct kp_engine *engine, const struct kp_config *next);

/* ---- Silences and acknowledgements ---- */
/* As kp_silences_put: make one, or let it take another one's place. What changes for an alert by it, as by its begin and its end,
 * is told by the kp_engine_settle that follows. */
enum kp_code kp_engine_silence(struct kp_engine *engine, const struct kp_silence *silence, uint64_t *id,
                               struct kp_err *err) KP_CHECK;
/* False: there is none of that id. */
bool kp_engine_unsilence(struct kp_engine *engine, uint64_t id);
/* For asking. */
const struct kp_silences *kp_engine_silences(const struct kp_engine *engine);
const struct kp_acks *kp_engine_acks(const struct kp_engine *engine);

struct kp_ack_order {
    const uint64_t *ids;        /* of alerts, ascending and each once; NULL: those that the matchers match */
    size_t nids;
    const struct kp_matchers *matchers;
    const char *by, *comment;   /* comment NULL: none */
    bool undo;                  /* take acknowledgements back, whoever gave them */
};
/* Acknowledge alerts that are pending or firing; they are told once more by the kp_engine_settle that follows. It holds until
 * the alert is over or becomes critical. found[i]: there is an alert ids[i]; *done: alerts for which something was done.
 * KP_ELIMIT: nothing was done. KP_ENOMEM: not for all. */
enum kp_code kp_engine_ack(struct kp_engine *engine, const struct kp_ack_order *order, bool *found, size_t *done,
                           struct kp_err *err) KP_CHECK;

/* Take in what was handed out before a restart. An acknowledgement may come before the alert is there. */
enum kp_code kp_engine_restore_silence(struct kp_engine *engine, const struct kp_silence *silence, struct kp_err *err) KP_CHECK;
enum kp_code kp_engine_restore_ack(struct kp_engine *engine, const struct kp_ack *ack, struct kp_err *err) KP_CHECK;

/* ---- Sources ---- */
struct kp_source_view {
    const struct kp_source_cfg *cfg;
    int64_t heard_ms;       /* INT64_MIN: never */
    int64_t covered_ms;     /* INT64_MIN: never said */
    bool silent;
};
/* Source i of the configuration. */
void kp_engine_source(const struct kp_engine *engine, size_t i, struct kp_source_view *view);

/* ---- What it counted ---- */
struct kp_engine_stats {
    uint64_t by_reason[KP_REASONS];     /* events by what became of them, in kp_engine_apply */
    uint64_t late;                      /* accepted, and older than the newest pane of time */
    uint64_t dedup_evicted;             /* ids forgotten before their time, for want of room */
    uint64_t currency_unknown;          /* events whose `amount` was left out for its `currency` */
    uint64_t memory_out;                /* parts of samples lost because memory was out */
    uint64_t evaluations;               /* of alerts */
    uint64_t pending, firing;           /* alerts, now */
    uint32_t silences, acks;            /* now; silences to come among them */
    uint64_t silences_refused, acks_refused;    /* for want of room */
    uint64_t leaps_cut;                 /* leaps of event time that looked at limits.leap alerts on the way, and no more */
    uint32_t keys;                      /* now */
    size_t rows;                        /* panes held, now */
    size_t dedup_ids;                   /* now */
    uint32_t entities;                  /* now */
    uint64_t entities_evicted;          /* forgotten at limits.entities */
    uint64_t occurrences_forgotten;     /* the oldest events of entities with very many */
    size_t bytes_store, bytes_dedup, bytes_alerts, bytes_recent, bytes_entities;
};
void kp_engine_stats(const struct kp_engine *engine, struct kp_engine_stats *stats);
size_t kp_engine_kpis(const struct kp_engine *engine);
/* By KPI: events left out because their `of` field was missing or of the wrong type; because it was out of range. */
uint64_t kp_engine_missing(const struct kp_engine *engine, size_t kpi);
uint64_t kp_engine_out_of_range(const struct kp_engine *engine, size_t kpi);

#endif
