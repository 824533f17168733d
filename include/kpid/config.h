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
/* What an `of` asks beside a field: what happened before to the same entity, a value of the field `per`. */
enum kp_of_kind { KP_OF_EVENT, KP_OF_ELAPSED, KP_OF_REPEAT, KP_OF_OPEN, KP_OF_COHORT, KP_OF_FUNNEL };
enum kp_funnel_part { KP_FUNNEL_ENTERED, KP_FUNNEL_CONVERTED, KP_FUNNEL_MEDIAN_TIME, KP_FUNNEL_OPEN, KP_FUNNEL_SKIPPED };
struct kp_of_cfg {
    enum kp_of_kind kind;       /* KP_OF_EVENT: the event itself, its field kp_kpi_cfg.of; all that follows is unset */
    char *per;
    struct kp_where from, to;   /* ELAPSED, COHORT */
    uint64_t nth;               /* REPEAT: `from`, at least 1; 2 by default */
    int64_t within_ms;          /* COHORT: over 0; REPEAT: 0 is for ever */
    struct kp_where opened;     /* OPEN; no maps at all: any event */
    struct kp_where closed;     /* OPEN */
    char *field;                /* OPEN: what is summed; NULL: nothing, the entities are counted */
    char *stage;                /* OPEN: the field that says where it stands; "stage" by default */
    size_t funnel, step;        /* FUNNEL: index of the funnel, and of the stage in it */
    enum kp_funnel_part part;   /* FUNNEL */
    struct kp_loc loc, per_loc;
};
struct kp_once_cfg {            /* count each value of `per` once, until a reversing event takes it back */
    char *per;                  /* NULL: no `once` */
    struct kp_where reversed_by;
    bool reversible;            /* was reversed_by given? */
    struct kp_loc loc;
};

/* A funnel. Each part of each stage is a KPI of its own as well, "sales_process.rapport.entered": those are the
 * loader's, appended to kp_config.kpis with of_more.kind KP_OF_FUNNEL. */
struct kp_funnel_cfg {
    char *name;
    char *title;                /* NULL: the name */
    char *per;
    struct kp_where where;      /* the events that tell a stage; {type: stage} by default */
    char *field;                /* the field that names it; "stage" by default */
    char **stages;              /* 1 to KP_STAGES_MAX, in order */
    size_t nstages;
    char **lost;                /* stages that end it without success */
    size_t nlost;
    struct kp_window *windows;  /* never 0 after loading */
    size_t nwindows;
    struct kp_loc loc;
};
#define KP_STAGES_MAX 32

enum kp_better { KP_BETTER_HIGHER, KP_BETTER_LOWER, KP_BETTER_NONE };

struct kp_kpi_cfg {
    char *name;
    char *title;            /* NULL: the name */
    char *unit;             /* NULL: none */
    enum kp_better better;
    enum kp_agg agg;
    double quantile;        /* KP_AGG_QUANTILE: 0 < q < 1 (median: 0.5, p99.9: 0.999) */
    char *of;               /* the value field; NULL with COUNT that names none, and with FORMULA */
    struct kp_of_cfg of_more;   /* `of` with a map */
    struct kp_once_cfg once;
    char *formula;          /* KP_AGG_FORMULA: its text */
    struct kp_where where;
    struct kp_window *windows;
    size_t nwindows;        /* never 0 after loading: the common ones stand in for none */
    char **by;              /* grouping fields; none: the roster's levels */
    size_t nby;
    struct kp_loc loc, of_loc, formula_loc, windows_loc, by_loc;
};

/* ---- Working calendars ---- */
struct kp_hours {               /* of one weekday, on the clock face: ms after midnight, 0 <= from < to <= 24 h */
    int32_t from_ms, to_ms;
};
struct kp_closed {              /* a stretch of instants without work: a timed event of an iCalendar file */
    int64_t from_ms, to_ms;
};
struct kp_calendar_cfg {
    char *name;
    char *zone_name;            /* NULL: time.zone */
    void *zone_tzif;            /* NULL: time.zone's, or UTC */
    size_t zone_len;
    struct kp_hours *hours[7];  /* by weekday, 0 Monday; in order, none touches another */
    size_t nhours[7];
    int64_t *holidays;          /* local days since 1970-01-01 without work; in order, each once */
    size_t nholidays;
    struct kp_closed *closed;   /* in order, none touches another */
    size_t nclosed;
    struct kp_loc loc;
};
struct kp_days {                /* local days, both ends in it */
    int64_t first, last;
};
struct kp_unit_cfg {            /* a team, a region or the company, and what is said of it under `units` */
    char *level, *key;          /* "company" and "" for the company */
    size_t calendar;            /* index + 1; 0: none */
    struct kp_loc loc;
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
    size_t calendar;        /* index + 1; 0: none */
    int64_t start, end;     /* local days of the first and the last day; INT64_MIN, INT64_MAX: not given */
    struct kp_days *away;   /* in order, none touches another */
    size_t naway;
    struct kp_loc loc;
};
struct kp_roster_cfg {
    char **levels;          /* outermost first; the last is always "rep". Default: region, team, rep */
    size_t nlevels;         /* 1..KP_LEVELS_MAX */
    bool reject_unknown;
    char *file;             /* where more members stand, resolved; NULL: nowhere */
    struct kp_member *members;
    size_t nmembers;
    struct kp_unit_cfg *units;
    size_t nunits;
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
    double *ramp;               /* shares of it in the first months after a member's `start`; then all of it */
    size_t nramp;
    char *level;                /* NULL: the reps, whose sums stand for the levels above */
    struct kp_selector *select; /* `for:`, all must hold; more of them is more specific */
    size_t nselect;
    struct kp_loc loc, kpi_loc;
};

/* ---- Contests ---- */
struct kp_contest_term {        /* points: weight times the KPI's value */
    char *kpi;
    double weight;
    struct kp_loc loc;
};
struct kp_contest_cfg {
    char *name;
    char *title;                /* NULL: the name */
    struct kp_contest_term *terms;
    size_t nterms;              /* at least 1 */
    bool weighted;              /* points, by `kpis`; else one KPI's own value, and its `better` says who leads */
    int64_t from_ms, to_ms;     /* instants: from <= t < to */
    struct kp_selector *select; /* `for:`, all must hold */
    size_t nselect;
    char *level;                /* `among:` whom: a roster level */
    char *tie;                  /* the KPI that orders those with equal points; NULL: they share a rank */
    bool adjusted;              /* by working time: see contest.h */
    struct kp_loc loc, kpi_loc, to_loc, level_loc, tie_loc, away_loc;
};
#define KP_CONTESTS_MAX 32
#define KP_CONTEST_TERMS_MAX 16

enum kp_compare { KP_CMP_VALUE, KP_CMP_TARGET, KP_CMP_PACE, KP_CMP_PEERS, KP_CMP_BASELINE, KP_CMP_SILENCE, KP_CMP_STALLED };
struct kp_bound {           /* `warning` or `critical` */
    bool set;
    bool above;             /* false: below */
    double at;              /* "80%" is 0.8; SILENCE and STALLED: seconds */
};
struct kp_alert_cfg {
    char *name;
    char *kpi;
    struct kp_window window;    /* SILENCE and STALLED: not asked for, the text may be empty */
    char *level;            /* a roster level, "company", or "@client" for a grouped KPI */
    enum kp_compare compare;
    bool peers_company;     /* PEERS: all of the level, not those below the same parent */
    uint32_t min_peers;     /* PEERS: with fewer others no judgement; 3 by default */
    uint32_t periods;       /* BASELINE: how many of them make it; 4 by default */
    struct kp_bound warning, critical;      /* at least one; both look the same way */
    int64_t for_ms, keep_firing_ms, repeat_ms;  /* 0: at once, not at all, never */
    double clear;           /* how far back past the threshold; a share of it when clear_relative */
    bool clear_relative;
    uint64_t min_count;     /* samples; fewer: no judgement */
    int64_t min_elapsed_ms; /* working time of the period; before: no judgement */
    double confidence;      /* luck must be less likely than 1 - this; 0: it is not asked */
    bool by_share;          /* the number is a ratio of counts: luck is that of so many tries, not of a count */
    bool always;            /* begins to fire outside of working hours, too */
    int64_t escalate_ms;    /* a warning that has fired for so long becomes critical; 0: never */
    double group;           /* when this share of a parent's members fires, one alert of the parent stands for them; 0: never */
    uint32_t flap_changes;  /* more changes than this ... ; 0: never held */
    int64_t flap_within_ms; /* ... in so long: it is held as it is until it calms down */
    char *message;          /* template; NULL: the default one */
    char *coaching;         /* NULL: none */
    struct kp_loc loc, kpi_loc, window_loc, level_loc, message_loc;
};
/* Does it ask how long something lasts? Then it reads no number of a window. */
static inline bool kp_is_lapse(const struct kp_alert_cfg *cfg)
{
    return cfg->compare == KP_CMP_SILENCE || cfg->compare == KP_CMP_STALLED;
}
#define KP_FLAP_CHANGES_MAX 30
#define KP_BASELINE_PERIODS_MAX 12

/* ---- Money, sources ---- */
struct kp_rate_cfg {
    char *currency;
    double rate;                /* of the base currency for one of it; over 0 */
};
struct kp_currencies_cfg {
    char *base;                 /* NULL: amounts are taken as they are */
    struct kp_rate_cfg *rates;
    size_t nrates;
};
struct kp_source_cfg {
    char *name;
    int64_t heartbeat_ms;       /* silent for longer: its KPIs are "no data" */
    struct kp_loc loc;
};

/* ---- The rest ---- */
enum kp_transport { KP_IN_SUB, KP_IN_PULL, KP_IN_ROUTER };
struct kp_ingest_cfg {
    enum kp_transport transport;
    char *endpoint;
    bool bind;              /* PULL and ROUTER always; SUB when asked */
    char **topics;          /* SUB; none: all */
    size_t ntopics;
    char server_key[41];    /* SUB that connects: the public key that the publisher must prove, Z85; "": in plain text */
    struct kp_loc loc;
};
struct kp_storage_cfg {
    char *path;                 /* a directory; NULL: memory only */
    int64_t sync_ms;            /* until what nobody waits for is on disk; 0: at once; -1: whenever the system writes it */
    int64_t checkpoint_ms;
    int64_t history_ms;         /* 0: none is kept */
    int64_t samples_ms;         /* how often numbers are put into it; 0: never */
    int64_t keep_ms;            /* raw events; 0: only as long as recovery needs them */
    size_t journal_bytes;       /* the most that it should hold */
    struct kp_loc loc;
};
/* ---- security ---- */
struct kp_role_cfg {
    bool all;
    char **items;           /* emit: sources; read: paths, as topics have them: "emea/field-1" */
    size_t count;
};
struct kp_user_cfg {
    char *name;
    char key[41];           /* the public key, Z85 */
    struct kp_role_cfg emit, read;
    bool admin;
    bool peers;             /* sees those beside a member without names, whatever the configuration says of all */
    struct kp_loc loc;
};
struct kp_security_cfg {
    bool is_on;
    char *server_file, *users_file;
    char secret_key[41];    /* the server's */
    bool peers_anonymous;   /* who reads one key's numbers sees those beside it, without names */
    struct kp_user_cfg *users;      /* by key, rising */
    size_t nusers;
};

struct kp_limits {
    size_t message;         /* bytes; 1 MiB */
    size_t queue;           /* bytes that may wait for the disk; 64 MiB */
    uint32_t batch;         /* events; 10,000 */
    uint32_t fields;        /* keys of an event; 256 */
    uint32_t keys;          /* roster members, teams, regions, groups together; 1,000,000 */
    uint32_t entities;      /* leads, deals, clients that KPIs follow; 5,000,000 */
    uint32_t recent;        /* newest events remembered by id, for `events` in alerts; 65,536 */
    uint32_t dedup;         /* (source, id) pairs; 20,000,000 */
    uint32_t leap;          /* alerts looked at on the way when event time leaps; 100,000 */
    uint32_t silences;      /* 1,000 */
    uint32_t subscriptions; /* of one connection; 10,000 */
    uint32_t requests;      /* on the control socket, a second; 10,000 */
    uint32_t acks;          /* alerts acknowledged at a time; 100,000 */
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
    struct kp_security_cfg security;
    bool insecure;          /* plain TCP beyond loopback was asked for */
    int64_t dedup_window_ms;
    struct kp_storage_cfg storage;
    struct kp_limits limits;
    struct kp_roster_cfg roster;
    struct kp_calendar_cfg *calendars;
    size_t ncalendars;
    struct kp_currencies_cfg currencies;
    struct kp_source_cfg *sources;
    size_t nsources;
    struct kp_window *windows;      /* the common ones */
    size_t nwindows;
    struct kp_funnel_cfg *funnels;
    size_t nfunnels;
    struct kp_kpi_cfg *kpis;        /* those of the file, then those of the funnels */
    size_t nkpis;
    struct kp_target_cfg *targets;
    size_t ntargets;
    struct kp_alert_cfg *alerts;
    size_t nalerts;
    struct kp_contest_cfg *contests;
    size_t ncontests;
};

/* Is it one that CURVE guards when `security` is on? */
bool kp_endpoint_is_tcp(const char *endpoint);

/* Are both the same rule, however its thresholds differ: of one name, KPI, window, level and comparison? */
bool kp_alert_cfg_same(const struct kp_alert_cfg *a, const struct kp_alert_cfg *b);

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
