/* What the parts of the engine share. Internal to it: engine.c applies events and time, engine_fetch.c looks ahead,
 * engine_silence.c keeps alerts quiet, engine_forget.c forgets somebody, engine_read.c and contest.c answer, engine_image.c saves and loads. */
#ifndef KPID_CORE_ENGINE_INSIDE_H
#define KPID_CORE_ENGINE_INSIDE_H

#include "kpid/engine.h"

#include "alert.h"
#include "contest.h"
#include "entity.h"
#include "ends.h"
#include "match.h"
#include "rank.h"
#include "sample.h"
#include "sources.h"
#include "target.h"

#include "kpid/dedup.h"

/* Events that are looked up at once. More lines than those of 32 events do not fit into a first-level cache. */
enum { KP_TOGETHER = KP_PRINTS_MAX, KP_LANE_ENTITIES = 3 };

/* A node and all that it stands under, the lowest first. */
struct kp_way {
    int n;
    uint32_t node;      /* the lowest */
    struct kp_node_hot *hot[KP_DEPTH_MAX];
};

static inline void kp_way_climb(const struct kp_store *store, uint32_t node, struct kp_way *way)
{
    int n = 0;

    way->node = node;
    for (uint32_t at = node; at != KP_NO_NODE; n++) {
        way->hot[n] = kp_store_node(store, at);
        at = way->hot[n]->parent;
    }
    way->n = n;
}

/* What is found out about an event before it is its turn, so that memory can be fetched meanwhile. What every event needs comes first. */
struct kp_lane {
    struct kp_print rep, id;
    uint64_t seed;                      /* of its source's ids */
    const struct kp_program *program;   /* good while the cache is in this round */
    uint64_t hash;                      /* of the value that program->hashed names */
    int64_t at;                         /* its time */
    uint32_t node, round;
    int source;                         /* among those that are configured; -1: none */
    bool has_rep, has_id, has_hash;
    bool counts;                        /* it was admitted, and adds something */
    struct kp_way way;                  /* of node; of none without one */
    uint32_t nodes[KP_DIMS_MAX];        /* what it adds to, by dimension */
    struct kp_print entities[KP_LANE_ENTITIES];     /* of the first follows of the program */
    uint32_t ahead[KP_LANE_ENTITIES];   /* the entities found; UINT32_MAX: none */
    uint32_t nentities;
    uint32_t has_entity;                /* bit i: the event has the field of entities[i] */
};

struct kp_engine {
    const struct kp_config *config;     /* borrowed */
    struct kp_plan *plan;               /* owned, like all that follows */
    struct kp_store store;
    struct kp_reader reader, alert_reader;
    struct kp_ranks *ranks;
    struct kp_targets *targets;
    struct kp_match *match;
    struct kp_dedup *dedup;
    struct kp_recent *recent;
    struct kp_silences *silences;
    struct kp_acks *acks;
    struct kp_alerts *alerts;
    struct kp_entities *entities;       /* NULL: no KPI follows any */
    struct kp_sources *sources;
    struct kp_sampler sampler;
    struct kp_contests contests;
    struct kp_cell_view *views;         /* by pair */
    uint64_t by_reason[KP_REASONS];
    uint64_t late, memory_out;
    uint64_t touched_levels;            /* of rules, at the node `touched`, which was marked last in this event */
    uint32_t touched;
    uint16_t touched_feeds;             /* the set of KPIs that it was marked for */
    uint64_t version;                   /* rises when a number may have changed */
    uint32_t passes;                    /* begun */
    int64_t now_ms;                     /* INT64_MIN: none yet */
    int64_t keep_from;                  /* as of now_ms */
    int64_t data_from;                  /* time of the earliest event that was counted; INT64_MAX: none yet */
    int covered_slot;                   /* of covered_until; -1: no sources are configured */
    struct {                            /* of the event before: its hash is seldom another's */
        uint64_t seed;
        struct kp_ends ends;
        uint32_t len;
        int index;                      /* among those that are configured; -1: none */
        char text[KP_KEY_MAX];
    } source;
    bool **fed;                         /* by family and cell: what was loaded into it; NULL: nothing was loaded */
    bool *followed;                     /* by tracker, likewise */
    struct kp_lane lanes[KP_TOGETHER];
};

/* Make what keeps alerts quiet; the engine destroys it. */
enum kp_code kp_engine_add_hush(struct kp_engine *engine, struct kp_err *err) KP_CHECK;

/* Bring all that has bounds to t, later than now_ms. */
void kp_engine_set_now(struct kp_engine *engine, int64_t t);

/* Where an entity stands has changed: see KP_PART_SINCE. */
void kp_engine_stand(struct kp_engine *engine, const struct kp_trace *gone, const struct kp_trace *come);
/* Add a sample to the cells of a section, but for those that have it already (by cell of the family). */
void kp_engine_fill(struct kp_engine *engine, const struct kp_plan_outlet *outlet, const struct kp_section *section,
                    const struct kp_trace *trace, const bool *but);

/* Look up what n events will need, at most KP_TOGETHER, into the lanes. */
void kp_engine_fetch(struct kp_engine *engine, const struct kp_event *const *events, size_t n);

#endif
