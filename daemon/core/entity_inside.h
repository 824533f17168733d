/* What the parts of the memory of entities share. Internal to it: entity.c follows them, entity_image.c saves and loads. */
#ifndef KPID_CORE_ENTITY_INSIDE_H
#define KPID_CORE_ENTITY_INSIDE_H

#include "entity.h"

#include "heap.h"

enum { KP_ENTITIES_CLOSED, KP_ENTITIES_OPEN, KP_ENTITY_LISTS };
enum { KP_OCCURRENCE_MAX = sizeof(struct kp_occurrence) / sizeof(int64_t) + KP_SPACE_VALUES_MAX + (KP_DIMS_MAX + 1) / 2 };   /* words */
#define KP_NO_ENTITY UINT32_MAX

struct kp_entity {             /* a line of the cache */
    _Alignas(64) uint64_t hi;   /* its fingerprint, for the index */
    uint32_t lo;
    uint32_t prev, next;    /* of its list; free ones are linked by next */
    uint32_t open;          /* bit i: tracker i of its space has something to come */
    uint32_t settled;       /* bit i: as of kp_track_state */
    uint16_t n, room;       /* occurrences */
    int64_t last_ms;        /* of the last occurrence, when n is not 0 */
    char *history;          /* in the slab */
    char *name;             /* in the slab, NUL-terminated; NULL: its space has no names, or memory was out */
    uint8_t space, list;
};

struct kp_entities {
    struct kp_store *store;         /* borrowed */
    const struct kp_plan *plan;     /* borrowed */
    struct kp_entity_sink sink;
    struct kp_tab *index;           /* owned, like all that follows */
    struct kp_slab *slab;
    struct kp_heap timers;          /* thing: entity * ntimers + timer */
    struct kp_entity **chunks;
    uint32_t nchunks, made, free, count, limit;
    uint32_t first[KP_ENTITY_LISTS], last[KP_ENTITY_LISTS];     /* longest without an event first */
    uint32_t ntimers;
    unsigned shift;
    struct kp_traces before, after;
    uint64_t evicted, forgotten;
    size_t occurrences;
    int64_t ripe_ms;                /* what was due by then has happened */
    uint32_t current;               /* whose changes are being told */
    int64_t blank[KP_OCCURRENCE_MAX];  /* an occurrence to be told */
    unsigned char rest[KP_ID_REST]; /* of its id */
    int64_t scratch[KP_HISTORY_MAX * KP_OCCURRENCE_MAX];   /* the history with it */
};

static inline struct kp_entity *kp_entity_at(const struct kp_entities *e, uint32_t i)
{
    return &e->chunks[i >> e->shift][i & ((1u << e->shift) - 1)];
}

static inline struct kp_history kp_entity_history(const struct kp_entities *e, const struct kp_entity *ent)
{
    const struct kp_plan_space *space = &e->plan->spaces[ent->space];

    return (struct kp_history){space, ent->history, ent->n, kp_occurrence_size(space)};
}

/* The fingerprint of a value, in a space and without one: so that a space may be numbered otherwise another time. */
static inline struct kp_print kp_entity_in(struct kp_print print, int space)
{
    print.hi ^= ((uint64_t)space + 1) * UINT64_C(0x9E3779B97F4A7C15);
    return print;
}

/* Make the entity of a print in a space, which is not there. name: what people know it by, NULL where the space has none; borrowed.
 * KP_NO_ENTITY: memory is out. */
uint32_t kp_entity_make(struct kp_entities *e, int space, struct kp_print print, const char *name);
/* Put an occurrence into a history that has room for it. False: memory is out, and some of its id is lost. */
bool kp_entity_insert(struct kp_entities *e, struct kp_history *h, struct kp_occurrence *o);
/* Keep a history in the place of the old one. Out of memory: as much of it as there is room for, the latest. */
bool kp_entity_put_back(struct kp_entities *e, struct kp_entity *ent, struct kp_history *h);
/* To the end of the list that it belongs to. */
void kp_entity_moved(struct kp_entities *e, uint32_t i);

#endif
