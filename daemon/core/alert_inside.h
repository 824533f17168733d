/* What the parts of alerts share: a watch for each rule and key, and where they are kept. Internal to them. */
#ifndef KPID_CORE_ALERT_INSIDE_H
#define KPID_CORE_ALERT_INSIDE_H

#include "alert.h"
#include "judge.h"

enum { KP_WATCH_BITS = 12, KP_WATCH_CHUNK = 1 << KP_WATCH_BITS };
#define KP_NO_WATCH UINT32_MAX

struct kp_watch {           /* of one rule for one key */
    int64_t since_ms;       /* pending, firing: when the breach began */
    int64_t good_ms;        /* firing: since when the number is back; INT64_MIN: it is not */
    int64_t sent_ms;        /* firing: when it was last published */
    int64_t period_ms;      /* calendar windows: start of the period that it was looked at in */
    uint32_t node;
    uint32_t active;        /* its place among the active ones */
    uint16_t rule;
    uint8_t state, severity;
    double p;               /* of the breach, where it is asked; NaN: it is not */
    int64_t turns_ms;       /* with `pace`: when the answer turns at the earliest, if it is this one, for a number of at least ... */
    double turns_at;        /* ... this; NaN: that is not known */
    int answer;
};

struct kp_alerts {
    struct kp_store *store;         /* borrowed, like the next seven */
    struct kp_targets *targets;
    const struct kp_sources *sources;
    struct kp_reader *reader;
    struct kp_recent *recent;
    const struct kp_feeds *feeds;
    struct kp_engine *engine;
    struct kp_alert_sink sink;
    struct kp_watch **chunks;          /* owned */
    uint32_t nchunks, made;         /* made: states given out; a block of one node never crosses chunks */
    uint32_t free[KP_LEVEL_IDS_MAX];    /* first state of a free block, linked by `node`; NONE */
    struct kp_heap heap;
    uint32_t *active;               /* owned; states that are pending or firing */
    uint32_t nactive, active_room;
    uint32_t *queue;                /* owned; nodes touched, a ring */
    uint32_t queue_first, queue_count, queue_room;
    uint64_t evaluations, pending, firing, leaps_cut;
    struct kp_alert out;            /* what is handed to the sink; large, so made once */
};

static inline struct kp_watch *kp_watch_at(const struct kp_alerts *alerts, uint32_t i)
{
    return &alerts->chunks[i >> KP_WATCH_BITS][i & (KP_WATCH_CHUNK - 1)];
}

static inline const struct kp_plan *kp_alerts_plan(const struct kp_alerts *alerts)
{
    return alerts->store->plan;
}

/* ---- alert_life.c ---- */
/* Look at a watch at t, to which plan and targets have been brought: it may begin, change, or end; its timer is set anew. */
void kp_watch_look(struct kp_alerts *alerts, uint32_t i, int64_t t);

/* ---- alert_tell.c ---- */
/* Fill alerts->out with what there is to say of a watch. */
void kp_watch_fill(struct kp_alerts *alerts, const struct kp_watch *w, struct kp_number number, int64_t t);
/* Hand alerts->out to the sink. */
void kp_watch_hand_out(struct kp_alerts *alerts);
/* Path as people read it: "emea / field-1 / ana". */
void kp_watch_path(const struct kp_alerts *alerts, uint32_t node, char *buf, size_t size);

#endif
