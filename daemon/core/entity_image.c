/* Entities as bytes, and back: spaces and trackers may be numbered otherwise now, may be gone, or new. */
#include "entity_inside.h"

#include "schema.h"

#include <stdlib.h>
#include <string.h>

enum { FIELD_MAX = 1024 };
#define MICRO_MAX (KP_VALUE_MAX * KP_MICRO)

static void put_text(struct kp_save *save, const char *text)
{
    kp_save_text(save, (struct kp_str){text, text ? (uint32_t)strlen(text) : 0});
}

/* ---- Saving ---- */

/* What of a value is kept: itself, or a hash of it. */
static uint64_t sign_kept(const struct kp_plan *plan, const struct kp_plan_space *space, int v)
{
    return kp_sign_value(plan, space->values[v]) * 2 + (space->hashes >> v & 1);
}

static void save_space(const struct kp_plan *plan, const struct kp_plan_space *space, struct kp_save *save)
{
    kp_save_u8(save, space->named);
    kp_save_u32(save, (uint32_t)space->ntrackers);
    for (int t = 0; t < space->ntrackers; t++) {
        const struct kp_plan_tracker *tracker = &plan->trackers[space->trackers[t]];

        kp_save_u64(save, kp_sign_tracker(plan, space->trackers[t]));
        kp_save_u8(save, (uint8_t)tracker->shift);
        kp_save_u64(save, tracker->bits);
        kp_save_u8(save, (uint8_t)tracker->index);
        kp_save_u8(save, tracker->timer >= 0);
    }
    kp_save_u32(save, (uint32_t)space->nvalues);
    for (int v = 0; v < space->nvalues; v++)
        kp_save_u64(save, sign_kept(plan, space, v));
    kp_save_u32(save, (uint32_t)space->ndims);
    for (int d = 0; d < space->ndims; d++)
        put_text(save, space->dims[d] ? plan->dims[space->dims[d]].level : "");
}

static void save_occurrence(const struct kp_plan_space *space, struct kp_occurrence *o, struct kp_save *save)
{
    char id[KP_KEY_MAX];
    uint32_t len = kp_mark_text(&o->mark, o->bits & KP_LONG_ID, id);

    kp_save_i64(save, o->mark.time);
    kp_save_u8(save, (uint8_t)len);
    kp_save_bytes(save, id, len);
    kp_save_u64(save, o->bits & ~KP_LONG_ID);
    kp_save_bytes(save, o->tail, (size_t)space->nvalues * sizeof *o->tail);
    kp_save_bytes(save, kp_occurrence_nodes(space, o), (size_t)space->ndims * sizeof(uint32_t));
}

static void save_entity(const struct kp_entities *e, uint32_t i, struct kp_save *save)
{
    const struct kp_entity *ent = kp_entity_at(e, i);
    struct kp_history h = kp_entity_history(e, ent);

    kp_save_u32(save, i);
    kp_save_u8(save, ent->space);
    kp_save_u64(save, kp_entity_in((struct kp_print){ent->hi, ent->lo}, ent->space).hi);    /* twice is not at all */
    kp_save_u32(save, ent->lo);
    kp_save_u32(save, ent->open);
    kp_save_u32(save, ent->settled);
    if (h.space->named)
        put_text(save, ent->name ? ent->name : "");
    for (int t = 0; t < h.space->ntrackers; t++) {
        const struct kp_plan_tracker *tracker = &e->plan->trackers[h.space->trackers[t]];

        if (tracker->timer >= 0)
            kp_save_i64(save, kp_heap_due_of(&e->timers, i * e->ntimers + (uint32_t)tracker->timer));
    }
    kp_save_u16(save, ent->n);
    for (uint32_t k = 0; k < h.n; k++)
        save_occurrence(h.space, kp_history_at(&h, k), save);
}

void kp_entities_save(const struct kp_entities *e, const struct kp_plan *plan, struct kp_save *save)
{
    kp_save_mark(save, "ENTS");
    kp_save_i64(save, e ? e->ripe_ms : INT64_MIN);
    kp_save_u32(save, e ? (uint32_t)plan->nspaces : 0);
    for (int s = 0; e && s < plan->nspaces; s++)
        save_space(plan, &plan->spaces[s], save);
    kp_save_u32(save, e ? e->made : 0);
    kp_save_u32(save, e ? e->count : 0);
    for (int list = 0; e && list < KP_ENTITY_LISTS; list++)
        for (uint32_t i = e->first[list]; i != KP_NO_ENTITY; i = kp_entity_at(e, i)->next)
            save_entity(e, i, save);
}

/* ---- What was followed then ---- */

struct tracker_then {
    uint64_t sign, bits;
    uint8_t shift, index;
    bool timer;
    int64_t due;            /* of the entity that is being read */
};

/* Into which space of now some of its trackers go, and where they find what they need. */
struct target {
    int space;
    int tracker[KP_SPACE_TRACKERS_MAX];     /* by tracker of then: of the plan; -1: not here */
    int value[KP_SPACE_VALUES_MAX];         /* by value of now: of then; -1: none */
    int dim[KP_DIMS_MAX];                   /* likewise */
};

struct space_then {
    bool named;
    uint32_t ntrackers, nvalues, ndims;
    struct tracker_then trackers[KP_SPACE_TRACKERS_MAX];
    uint64_t values[KP_SPACE_VALUES_MAX];
    char dims[KP_DIMS_MAX][FIELD_MAX];
    struct target *targets;     /* owned */
    int ntargets;
};

static void load_space(struct kp_load *load, struct space_then *space)
{
    space->named = kp_load_u8(load) != 0;
    space->ntrackers = kp_load_count(load, KP_SPACE_TRACKERS_MAX, "trackers");
    for (uint32_t t = 0; t < space->ntrackers; t++) {
        struct tracker_then *tracker = &space->trackers[t];

        tracker->sign = kp_load_u64(load);
        tracker->shift = kp_load_u8(load);
        tracker->bits = kp_load_u64(load);
        tracker->index = kp_load_u8(load);
        tracker->timer = kp_load_u8(load) != 0;
        if (tracker->shift > 62 || tracker->index >= KP_SPACE_TRACKERS_MAX)
            kp_load_fail(load, "a tracker is not as kpid writes it");
    }
    space->nvalues = kp_load_count(load, KP_SPACE_VALUES_MAX, "values");
    for (uint32_t v = 0; v < space->nvalues; v++)
        space->values[v] = kp_load_u64(load);
    space->ndims = kp_load_count(load, KP_DIMS_MAX, "dimensions");
    for (uint32_t d = 0; d < space->ndims; d++)
        kp_load_text(load, space->dims[d], FIELD_MAX, "a dimension");
}

static void map_values(const struct kp_plan *plan, const struct space_then *then, const struct kp_plan_space *now,
                       struct target *target)
{
    for (int v = 0; v < now->nvalues; v++) {
        target->value[v] = -1;
        for (uint32_t i = 0; i < then->nvalues; i++)
            if (then->values[i] == sign_kept(plan, now, v))
                target->value[v] = (int)i;
    }
    for (int d = 0; d < now->ndims; d++) {
        const char *level = now->dims[d] ? plan->dims[now->dims[d]].level : "";

        target->dim[d] = -1;
        for (uint32_t i = 0; i < then->ndims; i++)
            if (strcmp(then->dims[i], level) == 0)
                target->dim[d] = (int)i;
    }
}

/* Which of its trackers a space of now has. False: none. */
static bool map_trackers(const struct kp_plan *plan, const struct space_then *then, const struct kp_plan_space *now,
                         struct target *target, struct kp_image_map *map)
{
    bool any = false;

    for (uint32_t t = 0; t < then->ntrackers; t++) {
        target->tracker[t] = -1;
        for (int i = 0; i < now->ntrackers; i++) {
            const struct kp_plan_tracker *tracker = &plan->trackers[now->trackers[i]];

            if (kp_sign_tracker(plan, now->trackers[i]) == then->trackers[t].sign &&
                tracker->bits >> tracker->shift == then->trackers[t].bits >> then->trackers[t].shift &&
                !(map->had_followed && map->had_followed[now->trackers[i]])) {
                map->followed[now->trackers[i]] = true;
                target->tracker[t] = now->trackers[i];
                any = true;
            }
        }
    }
    return any;
}

static void find_targets(const struct kp_plan *plan, struct space_then *then, struct kp_load *load, struct kp_image_map *map)
{
    then->targets = calloc((size_t)plan->nspaces + 1, sizeof *then->targets);
    if (!then->targets) {
        kp_load_fail(load, "out of memory");
        return;
    }
    for (int s = 0; s < plan->nspaces; s++) {
        struct target *target = &then->targets[then->ntargets];

        target->space = s;
        if (!map_trackers(plan, then, &plan->spaces[s], target, map))
            continue;
        map_values(plan, then, &plan->spaces[s], target);
        then->ntargets++;
    }
}

/* ---- Loading ---- */

struct occurrence_then {
    int64_t time;
    char id[KP_KEY_MAX + 1];
    uint8_t len;
    uint64_t bits;
    int64_t values[KP_SPACE_VALUES_MAX];
    uint32_t nodes[KP_DIMS_MAX];
};

struct entity_then {
    uint32_t number, open, settled;
    struct kp_print print;      /* of its value */
    char name[KP_ENTITY_NAME];
};

static void load_occurrence(struct kp_load *load, const struct space_then *space, struct occurrence_then *o)
{
    o->time = kp_load_i64(load);
    o->len = kp_load_u8(load);
    if (o->len > KP_KEY_MAX || o->time < 0 || o->time > KP_TIME_MAX) {
        kp_load_fail(load, "what happened to an entity is not as kpid writes it");
        return;
    }
    kp_load_bytes(load, o->id, o->len);
    o->bits = kp_load_u64(load);
    for (uint32_t v = 0; v < space->nvalues; v++) {
        o->values[v] = kp_load_i64(load);
        if (o->values[v] != KP_NO_VALUE && (o->values[v] > MICRO_MAX || o->values[v] < -MICRO_MAX) && !(space->values[v] & 1))
            kp_load_fail(load, "a value is beyond what there is");
    }
    for (uint32_t d = 0; d < space->ndims; d++)
        o->nodes[d] = kp_load_u32(load);
}

/* The bits of then as those of now. A funnel's are a number, of one of its stages. */
static uint64_t translate(const struct kp_plan *plan, const struct space_then *then, const struct target *target, uint64_t bits)
{
    uint64_t now = 0;

    for (uint32_t t = 0; t < then->ntrackers; t++) {
        const struct kp_plan_tracker *tracker = target->tracker[t] < 0 ? NULL : &plan->trackers[target->tracker[t]];
        uint64_t v = (bits & then->trackers[t].bits) >> then->trackers[t].shift;

        if (tracker && tracker->kind == KP_TRACK_FUNNEL && v > (uint64_t)tracker->nstages + (uint64_t)tracker->nlost)
            v = 0;
        if (tracker)
            now |= v << tracker->shift & tracker->bits;
    }
    return now;
}

static void add_occurrence(struct kp_entities *e, const struct space_then *then, const struct target *target, struct kp_history *h,
                           const struct occurrence_then *from, const struct kp_image_map *map, struct kp_load *load)
{
    const struct kp_plan_space *space = h->space;
    uint64_t bits = translate(e->plan, then, target, from->bits);
    struct kp_occurrence *o;

    if (!bits || h->n == KP_HISTORY_MAX)
        return;
    o = kp_entities_blank(e, target->space, (struct kp_str){from->id, from->len});
    o->mark.time = from->time;
    o->bits |= bits;
    for (int v = 0; v < space->nvalues; v++)
        o->tail[v] = target->value[v] < 0 ? KP_NO_VALUE : from->values[target->value[v]];
    for (int d = 0; d < space->ndims; d++)
        if (target->dim[d] >= 0)
            kp_occurrence_nodes(space, o)[d] = kp_image_credit(map, from->nodes[target->dim[d]]);
    if (!kp_entity_insert(e, h, o))
        kp_load_fail(load, "out of memory for entities");
}

static void put_states(struct kp_entities *e, const struct space_then *then, const struct target *target,
                       const struct entity_then *from, uint32_t i)
{
    struct kp_entity *ent = kp_entity_at(e, i);

    for (uint32_t t = 0; t < then->ntrackers; t++) {
        const struct kp_plan_tracker *tracker = target->tracker[t] < 0 ? NULL : &e->plan->trackers[target->tracker[t]];
        uint32_t bit = UINT32_C(1) << then->trackers[t].index;

        if (!tracker)
            continue;
        ent->open |= from->open & bit ? UINT32_C(1) << tracker->index : 0;
        ent->settled |= from->settled & bit ? UINT32_C(1) << tracker->index : 0;
        if (tracker->timer >= 0 && then->trackers[t].timer)
            kp_heap_set(&e->timers, i * e->ntimers + (uint32_t)tracker->timer, then->trackers[t].due);
    }
}

/* An entity in one space of now. What was read of it is in `list`. */
static void put_entity(struct kp_entities *e, const struct space_then *then, const struct target *target,
                       const struct entity_then *from, const struct occurrence_then *list, uint16_t n, struct kp_image_map *map,
                       struct kp_load *load)
{
    struct kp_print print = kp_entity_in(from->print, target->space);
    const uint32_t *there = kp_tab_find(e->index, print);
    uint32_t i = there ? *there : kp_entity_make(e, target->space, print, from->name);
    struct kp_entity *ent;
    struct kp_history h;

    if (i == KP_NO_ENTITY) {
        kp_load_fail(load, "out of memory for entities");
        return;
    }
    ent = kp_entity_at(e, i);
    h = kp_entity_history(e, ent);
    if (h.n)
        memcpy(e->scratch, h.at, h.n * h.stride);
    h.at = (char *)e->scratch;
    for (uint16_t k = 0; k < n && !load->failed; k++)
        add_occurrence(e, then, target, &h, &list[k], map, load);
    put_states(e, then, target, from, i);
    if (!kp_entity_put_back(e, ent, &h))
        kp_load_fail(load, "out of memory for entities");
    kp_entity_moved(e, i);
    if (!map->entities[from->number])
        map->entities[from->number] = i + 1;
}

static void load_entity(struct kp_entities *e, struct kp_load *load, struct space_then *spaces, uint32_t nspaces,
                        struct occurrence_then *list, struct kp_image_map *map)
{
    struct entity_then from = {.number = kp_load_u32(load)};
    uint8_t s = kp_load_u8(load);
    struct space_then *then;
    uint16_t n;

    from.print.hi = kp_load_u64(load);
    from.print.lo = kp_load_u32(load);
    from.open = kp_load_u32(load);
    from.settled = kp_load_u32(load);
    if (load->failed || s >= nspaces || from.number >= map->nentities || from.print.lo == 0) {
        kp_load_fail(load, "an entity is not as kpid writes it");
        return;
    }
    then = &spaces[s];
    if (then->named)
        kp_load_text(load, from.name, sizeof from.name, "name of an entity");
    for (uint32_t t = 0; t < then->ntrackers; t++)
        if (then->trackers[t].timer)
            then->trackers[t].due = kp_load_i64(load);
    n = kp_load_u16(load);
    if (n > KP_HISTORY_MAX)
        kp_load_fail(load, "an entity to which too much happened");
    for (uint16_t k = 0; k < n && !load->failed; k++)
        load_occurrence(load, then, &list[k]);
    for (int t = 0; e && t < then->ntargets && !load->failed; t++)
        put_entity(e, then, &then->targets[t], &from, list, n, map, load);
}

static void load_entities(struct kp_entities *e, struct kp_load *load, struct space_then *spaces, uint32_t nspaces,
                          struct kp_image_map *map)
{
    struct occurrence_then *list = calloc(KP_HISTORY_MAX, sizeof *list);
    uint32_t n;

    map->nentities = kp_load_count(load, 1000000000, "entities");
    n = kp_load_count(load, map->nentities, "entities in use");
    map->entities = calloc((size_t)map->nentities + 1, sizeof *map->entities);
    if (!list || !map->entities) {
        map->nentities = 0;
        kp_load_fail(load, "out of memory for entities");
    }
    for (uint32_t i = 0; i < n && !load->failed; i++)
        load_entity(e, load, spaces, nspaces, list, map);
    free(list);
}

void kp_entities_load(struct kp_entities *e, struct kp_store *store, struct kp_load *load, struct kp_image_map *map)
{
    struct space_then *spaces;
    int64_t ripe_ms;
    uint32_t n;

    kp_load_mark(load, "ENTS");
    ripe_ms = kp_load_i64(load);
    map->followed = calloc((size_t)store->plan->ntrackers + 1, sizeof *map->followed);
    if (!map->followed)
        kp_load_fail(load, "out of memory for entities");
    n = kp_load_count(load, KP_SPACES_MAX, "spaces");
    spaces = calloc((size_t)n + 1, sizeof *spaces);
    if (!spaces) {
        kp_load_fail(load, "out of memory for entities");
        return;
    }
    for (uint32_t s = 0; s < n && !load->failed; s++) {
        load_space(load, &spaces[s]);
        if (e && !load->failed)
            find_targets(store->plan, &spaces[s], load, map);
    }
    if (e && ripe_ms > e->ripe_ms)
        e->ripe_ms = ripe_ms;
    if (!load->failed)
        load_entities(e, load, spaces, n, map);
    for (uint32_t s = 0; s < n; s++)
        free(spaces[s].targets);
    free(spaces);
}

/* ---- What they say now ---- */

void kp_entities_each(struct kp_entities *e, int64_t horizon, const bool *wanted,
                      void (*each)(void *ctx, const struct kp_trace *trace), void *ctx)
{
    for (uint32_t i = 0; i < e->made; i++) {
        struct kp_entity *ent = kp_entity_at(e, i);
        struct kp_history h;

        if (!ent->lo || !ent->n)
            continue;
        h = kp_entity_history(e, ent);
        e->current = i;
        e->before.n = 0;
        for (int t = 0; t < h.space->ntrackers; t++) {
            const struct kp_plan_tracker *tracker = &e->plan->trackers[h.space->trackers[t]];
            struct kp_track_state state;
            bool any = false;

            for (int o = 0; o < tracker->noutlets; o++)
                any |= wanted[tracker->outlets[o]];
            if (any)
                kp_track(e->plan, tracker, &h, e->ripe_ms, horizon, &e->before, NULL, &state);
        }
        for (size_t k = 0; k < e->before.n; k++)
            if (wanted[e->before.list[k].outlet])
                each(ctx, &e->before.list[k]);
    }
}
