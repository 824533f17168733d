/* What the parts of alerts share: a watch for each rule and key, and where they are kept. Internal to them. */
#ifndef KPID_CORE_ALERT_INSIDE_H
#define KPID_CORE_ALERT_INSIDE_H

#include "alert.h"
#include "baseline.h"
#include "flap.h"
#include "judge.h"
#include "rule_map.h"

enum { KP_WATCH_BITS = 12, KP_WATCH_CHUNK = 1 << KP_WATCH_BITS };
#define KP_NO_WATCH UINT32_MAX

enum kp_watch_kind { KP_WATCH_KEY, KP_WATCH_CROWD, KP_WATCH_ENTITY, KP_WATCH_FREE };

struct kp_watch {           /* of one rule for one key */
    int64_t since_ms;       /* pending, firing: when the breach began */
    int64_t warned_ms;      /* firing: since when, or since it is a warning again */
    int64_t good_ms;        /* firing: since when the number is back; INT64_MIN: it is not */
    int64_t sent_ms;        /* firing: when it was last published */
    double p;               /* of the breach, where it is asked; NaN: it is not */
    double given;           /* PEERS, BASELINE: what the number was held against last */
    int64_t period_ms;      /* calendar windows: start of the period that it was looked at in */
    int64_t turns_ms;       /* of a crowd: until when the number of members at work (answer), of so many members (entity), is good.
                             * PACE, BASELINE: when the answer turns at the earliest, if it is this one, for a number of at least ... */
    double turns_at;        /* ... this; NaN: that is not known */
    int64_t seen_ms;        /* SILENCE: when something happened last, INT64_MIN: never. STALLED: since when it stands there */
    struct kp_baseline *baseline;   /* owned; BASELINE: NULL until it is asked */
    uint32_t node;
    uint32_t active;        /* its place among the active ones */
    uint32_t flaps;         /* its changes of late; 0: none */
    int answer;
    uint32_t entity;        /* STALLED */
    uint16_t rule;
    uint8_t state, severity, kind;
    bool untold;            /* firing: its crowd is counted first */
    bool grouped;           /* firing: its crowd stands for it */
    bool news;              /* it has something to say that its crowd does not know of */
    bool stirred;           /* of a crowd: its members are to be counted */
    bool escalated;         /* firing: critical, however the number stands */
    bool flapping;          /* firing: held as it is */
    uint8_t stood;          /* firing: how the number stood at the last look; enum kp_severity, NONE: it was back */
    uint8_t twin;           /* how many lives began at the same instant before this one */
    bool silenced;          /* as it was told last */
    uint8_t again;          /* enum kp_again: what to do when it is looked at */
};

struct kp_alerts {
    struct kp_store *store;         /* borrowed, like all before chunks */
    struct kp_targets *targets;
    const struct kp_sources *sources;
    struct kp_reader *reader;       /* its own: whoever asks for a status is reading meanwhile */
    struct kp_recent *recent;
    struct kp_feeds *feeds;
    const struct kp_entities *entities;     /* NULL: nothing is followed */
    struct kp_hush hush;
    struct kp_engine *engine;
    struct kp_alert_sink sink;
    struct kp_watch **chunks;       /* owned */
    uint32_t nchunks, made;         /* made: watches given out; a block of one node never crosses chunks */
    uint32_t free[KP_LEVEL_IDS_MAX + 1];    /* first watch of a free block, linked by `node`; KP_NO_WATCH. The last: single ones */
    struct kp_rule_map crowds;      /* by rule and parent: a crowd + 1 */
    struct kp_rule_map standing;    /* by rule and entity: the watch of what is open + 1 */
    uint32_t *stirred;              /* owned; crowds that are to be counted */
    uint32_t nstirred, stirred_room;
    struct kp_heap heap;            /* thing: a watch */
    struct kp_peers *peers;         /* owned */
    struct kp_flaps flaps;
    uint32_t *active;               /* owned; watches that are pending or firing */
    uint32_t nactive, active_room;
    uint32_t *queue;                /* owned; nodes touched, a ring */
    uint32_t queue_first, queue_count, queue_room;
    uint16_t *fed;                  /* owned; by node: the set of KPIs fed by what touched it since it was queued */
    uint32_t fed_room;
    int64_t began_ms;               /* the first instant that it was told of; INT64_MIN: none yet */
    int64_t data_from_ms;           /* time of the earliest event; INT64_MAX: none yet */
    uint64_t past;                  /* rises when an event of the past has come */
    uint64_t evaluations, pending, firing, leaps_cut;
    struct kp_alert out;            /* what is handed to the sink; large, so made once */
};

static inline struct kp_watch *kp_watch_of(const struct kp_alerts *alerts, uint32_t i)
{
    return &alerts->chunks[i >> KP_WATCH_BITS][i & (KP_WATCH_CHUNK - 1)];
}

static inline const struct kp_plan *kp_alerts_plan(const struct kp_alerts *alerts)
{
    return alerts->store->plan;
}

static inline const struct kp_plan_rule *kp_watch_rule(const struct kp_alerts *alerts, const struct kp_watch *w)
{
    return &kp_alerts_plan(alerts)->rules[w->rule];
}

/* The watch of a rule for a node of its level; KP_NO_WATCH: it has none. */
static inline uint32_t kp_watch_find(const struct kp_alerts *alerts, const struct kp_plan_rule *rule, uint32_t node)
{
    const struct kp_node_hot *hot = kp_store_node(alerts->store, node);

    return hot->rules ? hot->rules - 1 + (uint32_t)rule->index_in_level : KP_NO_WATCH;
}

/* ---- alert.c ---- */
/* A watch that stands by itself; KP_NO_WATCH: memory is out. */
uint32_t kp_watch_take(struct kp_alerts *alerts, uint16_t rule, uint32_t node, enum kp_watch_kind kind);
void kp_watch_give_back(struct kp_alerts *alerts, uint32_t i);

/* ---- alert_look.c ---- */
/* Look at a watch at t, to which plan and targets have been brought: it may begin, change, or end; its timer is set anew. Where the
 * rule compares with peers, the peers are looked at together, at the whole second. */
void kp_watch_look(struct kp_alerts *alerts, uint32_t i, int64_t t);
/* The same because of an event at t. Others may come at that instant, so peers are looked at after it. */
void kp_watch_touched(struct kp_alerts *alerts, uint32_t i, int64_t t);
/* The same at once; peers: what the others' median is, NaN where nobody asks for it, or there are too few. */
void kp_watch_judge(struct kp_alerts *alerts, uint32_t i, int64_t t, double peers);
/* Its number at t, as an alert tells it: of a silence, how many seconds of working time it lasts. */
struct kp_number kp_watch_number(struct kp_alerts *alerts, struct kp_watch *w, int64_t t);

/* ---- alert_life.c ---- */
/* How things stand with a watch, as far as its alert is concerned. */
struct kp_stand {
    struct kp_verdict verdict;
    struct kp_number number;
    bool may_start;         /* it is a time at which alerts begin */
    bool left;              /* who it is about has left, or is still to come */
};
/* Let it begin, change, or end. Returns when it is to be looked at again although nothing happens; INT64_MAX: never. */
int64_t kp_watch_live(struct kp_alerts *alerts, uint32_t i, const struct kp_stand *stand, int64_t t);
/* Begin to fire, without a word. False: memory is out, and it has not begun. */
bool kp_watch_begin(struct kp_alerts *alerts, uint32_t i, int64_t t);
/* List it among those that are pending or firing, which it is by what was loaded of it. False: memory is out. */
bool kp_watch_resume(struct kp_alerts *alerts, uint32_t i);
/* Tell how it stands. */
void kp_watch_tell(struct kp_alerts *alerts, struct kp_watch *w, struct kp_number number, int64_t t);
/* End it, whatever the number is. */
void kp_watch_resolve(struct kp_alerts *alerts, struct kp_watch *w, struct kp_number number, int64_t t, const char *reason);

/* ---- alert_hush.c ---- */
/* Is it silenced, and by whom acknowledged? a->id is there already. */
void kp_watch_fill_hush(const struct kp_alerts *alerts, const struct kp_watch *w, struct kp_alert *a);
/* Does somebody see to it? */
bool kp_watch_is_acked(const struct kp_alerts *alerts, const struct kp_watch *w);
/* Is nobody to be troubled with it again, though it goes on? So it is, too, while its crowd stands for it. */
bool kp_watch_is_hushed(const struct kp_alerts *alerts, const struct kp_watch *w);
/* Is it to be told once more? That is asked once. */
bool kp_watch_again(const struct kp_alerts *alerts, struct kp_watch *w);
/* It is over, or worse than what somebody said they would see to. */
void kp_watch_drop_ack(struct kp_alerts *alerts, const struct kp_watch *w);

/* ---- alert_tell.c ---- */
/* The id of this life of it. */
uint64_t kp_watch_id(const struct kp_alerts *alerts, const struct kp_watch *w);
/* Fill alerts->out with what there is to say of a watch. */
void kp_watch_fill(struct kp_alerts *alerts, const struct kp_watch *w, struct kp_number number, int64_t t);
/* Hand alerts->out to the sink. */
void kp_watch_hand_out(struct kp_alerts *alerts);
/* Path as people read it: "emea / field-1 / ana". */
void kp_watch_path(const struct kp_alerts *alerts, uint32_t node, char *buf, size_t size);

/* Is the number in want of a source that is silent? Then it stays as it is. */
static inline bool kp_watch_is_frozen(const struct kp_alerts *alerts, const struct kp_watch *w)
{
    return kp_sources_no_data(alerts->sources, kp_watch_rule(alerts, w)->kpi);
}
/* Bounds of the running period of a calendar rule by a clock; false for other windows. */
bool kp_watch_period(const struct kp_alerts *alerts, const struct kp_plan_rule *rule, int clock, int64_t *from, int64_t *to);

/* ---- alert_crowd.c ---- */
/* Is it one of those whose crowd may stand for them? */
bool kp_crowd_has(const struct kp_alerts *alerts, const struct kp_watch *w);
/* Something of a member has changed: its crowd is to be counted. */
void kp_crowd_stir(struct kp_alerts *alerts, const struct kp_watch *w);
/* Note a crowd that is to be counted. False: memory is out. */
bool kp_crowd_note(struct kp_alerts *alerts, uint32_t i);
/* Count what was stirred, once all of an instant has been looked at; then somebody tells. */
void kp_crowds_settle(struct kp_alerts *alerts, int64_t t);
/* Count a crowd's members: it begins, goes on, or ends. */
void kp_crowd_look(struct kp_alerts *alerts, uint32_t i, int64_t t);
/* How many members of a crowd fire, and of how many (n). */
struct kp_number kp_crowd_number(struct kp_alerts *alerts, struct kp_watch *crowd, int64_t t);
/* Who they are. */
void kp_crowd_list(struct kp_alerts *alerts, const struct kp_watch *crowd, struct kp_alert *alert);

/* ---- alert_peers.c ---- */
/* Members that are compared with each other are looked at together, at most once a second: an event of one changes what all
 * others are held against. */
struct kp_peers *kp_peers_new(const struct kp_plan *plan, struct kp_err *err) KP_CHECK;
void kp_peers_destroy(struct kp_peers **peers);
/* Has the key worked yet in the rule's window? Else it says nothing about the others, nor they about it. */
bool kp_peers_has_worked(const struct kp_alerts *alerts, const struct kp_plan_rule *rule, uint32_t node, int64_t t);
/* A watch of a rule on peers wants to be looked at, from t on. */
void kp_peers_want(struct kp_alerts *alerts, const struct kp_watch *w, int64_t t);
/* What a watch of such a rule is held against at t: the others' median; NaN: there are too few. */
double kp_peers_median(struct kp_alerts *alerts, const struct kp_watch *w, int64_t t);
int64_t kp_peers_due(const struct kp_peers *peers);
/* Look at the first that are due, at t. Returns how many watches were looked at. */
size_t kp_peers_look(struct kp_alerts *alerts, int64_t t);
/* As bytes, and back. rules: by number then; -1: none. */
void kp_peers_save(const struct kp_peers *peers, struct kp_save *save);
void kp_peers_load(struct kp_peers *peers, struct kp_load *load, const int *rules, uint32_t nrules, const struct kp_image_map *map);
size_t kp_peers_bytes(const struct kp_peers *peers);

#endif
