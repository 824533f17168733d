/* The configuration as plain data: what the YAML file says, checked one key at a time, not yet compiled.
 *
 * The edge fills it, the core compiles it (kpid/plan.h). All strings are owned by the configuration and
 * NUL-terminated; an absent optional one is NULL. Arrays are {pointer, count}. `loc` is where it stands in
 * the file, for faults that only show when the parts meet (an unknown KPI in a formula, a cycle). */
#ifndef KPID_CONFIG_H
#define KPID_CONFIG_H

#include "kpid/value.h"
#include "kpid/window.h"

struct kp_loc {
    int line, col;      /* from 1, in characters; 0: a default, not in the file */
    const char *file;   /* NULL: the configuration file; else borrowed from the configuration: roster.file */
};

/* ---- where ---- */
enum kp_cmp { KP_CMP_EQ, KP_CMP_NE, KP_CMP_GT, KP_CMP_GTE, KP_CMP_LT, KP_CMP_LTE, KP_CMP_IN, KP_CMP_NOT_IN,
              KP_CMP_EXISTS, KP_CMP_PREFIX };

/* One test of one field. EXISTS: args[0] is a KP_BOOL. PREFIX: a KP_STR. GT..LTE: a number.
 * EQ, NE: one scalar. IN, NOT_IN: one or more. String arguments point to owned memory, NUL-terminated. */
struct kp_pred {
    char *field;
    enum kp_cmp cmp;
    struct kp_value *args;
    size_t nargs;
    struct kp_loc loc;
};
struct kp_all {             /* every one must hold */
    struct kp_pred *preds;
    size_t count;
};
struct kp_where {           /* any of them; none at all: every event matches */
    struct kp_all *any;
    size_t count;
};

/* ---- KPIs ---- */
enum kp_agg { KP_AGG_COUNT, KP_AGG_SUM, KP_AGG_MEAN, KP_AGG_MIN, KP_AGG_MAX, KP_AGG_STDDEV, KP_AGG_DISTINCT,
              KP_AGG_QUANTILE, KP_AGG_LAST, KP_AGG_FORMULA };
enum kp_better { KP_BETTER_HIGHER, KP_BETTER_LOWER, KP_BETTER_NONE };

struct kp_kpi_cfg {
    char *name;
    char *title;            /* NULL: the name */
    char *unit;             /* NULL: none */
    enum kp_better better;
    enum kp_agg agg;
    double quantile;        /* KP_AGG_QUANTILE: 0 < q < 1 (median: 0.5, p99.9: 0.999) */
    char *of;               /* the value field; NULL with COUNT that names none, and with FORMULA */
    char *formula;          /* KP_AGG_FORMULA: its text */
    struct kp_where where;
    struct kp_window *windows;
    size_t nwindows;        /* never 0 after loading: the common ones stand in for none */
    char **by;              /* grouping fields; none: the roster's levels */
    size_t nby;
    struct kp_loc loc, of_loc, formula_loc, windows_loc, by_loc;
};

/* ---- Roster ---- */
struct kp_attr {            /* a further key of a member: role, name, ... */
    char *key, *value;
};
struct kp_member {
    char **place;           /* one key a level, outermost first; NULL where the member names none */
    char *name;             /* NULL: the rep's key */
    struct kp_attr *attrs;  /* what `for:` may select on, beside the levels */
    size_t nattrs;
    char **aliases;
    size_t naliases;
    struct kp_loc loc;
};
struct kp_roster_cfg {
    char **levels;          /* outermost first; the last is always "rep". Default: region, team, rep */
    size_t nlevels;         /* 1..KP_LEVELS_MAX */
    bool reject_unknown;
    char *file;             /* where more members stand, resolved; NULL: nowhere */
    struct kp_member *members;
    size_t nmembers;
};
#define KP_LEVELS_MAX 6

/* ---- Targets and alerts ---- */
struct kp_selector {
    char *key, *value;
};
struct kp_target_cfg {
    char *kpi;
    enum kp_period per;
    double value;
    char *level;                /* NULL: the reps, whose sums stand for the levels above */
    struct kp_selector *select; /* `for:`, all must hold; more of them is more specific */
    size_t nselect;
    struct kp_loc loc, kpi_loc;
};

enum kp_compare { KP_CMP_VALUE, KP_CMP_TARGET };
struct kp_bound {           /* `warning` or `critical` */
    bool set;
    bool above;             /* false: below */
    double at;              /* "80%" is 0.8 */
};
struct kp_alert_cfg {
    char *name;
    char *kpi;
    struct kp_window window;
    char *level;            /* a roster level, "company", or "@client" for a grouped KPI */
    enum kp_compare compare;
    struct kp_bound warning, critical;      /* at least one; both look the same way */
    int64_t for_ms, keep_firing_ms, repeat_ms;  /* 0: at once, not at all, never */
    double clear;           /* how far back past the threshold; a share of it when clear_relative */
    bool clear_relative;
    uint64_t min_count;     /* samples; fewer: no judgement */
    char *message;          /* template; NULL: the default one */
    char *coaching;         /* NULL: none */
    struct kp_loc loc, kpi_loc, window_loc, level_loc, message_loc;
};

/* ---- The rest ---- */
enum kp_transport { KP_IN_SUB, KP_IN_PULL, KP_IN_ROUTER };
struct kp_ingest_cfg {
    enum kp_transport transport;
    char *endpoint;
    bool bind;              /* PULL and ROUTER always; SUB when asked */
    char **topics;          /* SUB; none: all */
    size_t ntopics;
    struct kp_loc loc;
};
struct kp_limits {
    size_t message;         /* bytes; 1 MiB */
    uint32_t batch;         /* events; 10,000 */
    uint32_t fields;        /* keys of an event; 256 */
    uint32_t keys;          /* roster members, teams, regions, groups together; 1,000,000 */
    uint32_t recent;        /* newest events remembered by id, for `events` in alerts; 65,536 */
    uint32_t dedup;         /* (source, id) pairs; 20,000,000 */
};
struct kp_config {
    char *file;             /* as it was named, for messages */
    /* time */
    char *zone_name;        /* "UTC" by default */
    void *zone_tzif;        /* the zone file's bytes, NULL for UTC without one */
    size_t zone_len;
    int week_start;         /* 0 Monday ... 6 Sunday */
    int64_t allowed_future_ms;
    bool event_clock;
    /* sockets */
    struct kp_ingest_cfg *ingest;
    size_t ningest;
    char *publish_endpoint; /* NULL: nothing is published */
    int64_t publish_interval_ms, publish_full_ms;
    bool publish_json;
    int publish_hwm;        /* messages a subscriber may be behind; 10,000 */
    char *control_endpoint; /* NULL: no control socket */
    bool insecure;          /* plain TCP beyond loopback was asked for */
    int64_t dedup_window_ms;
    struct kp_limits limits;
    struct kp_roster_cfg roster;
    struct kp_window *windows;      /* the common ones */
    size_t nwindows;
    struct kp_kpi_cfg *kpis;
    size_t nkpis;
    struct kp_target_cfg *targets;
    size_t ntargets;
    struct kp_alert_cfg *alerts;
    size_t nalerts;
};

/* Free everything in *config and set it to zeros. Takes any half-filled one. */
void kp_config_release(struct kp_config *config);

/* Where faults go, one call each; text says what is wrong, path is like "kpis.win_rate.formula". */
struct kp_faults {
    void (*add)(void *ctx, struct kp_loc loc, const char *path, const char *text);
    void *ctx;
    size_t count;
};
void kp_fault(struct kp_faults *faults, struct kp_loc loc, const char *path, const char *fmt, ...) KP_PRINTF(4, 5);

#endif
