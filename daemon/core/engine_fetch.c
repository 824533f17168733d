/* Many events at once: what they will read is fetched from memory while others are looked up. */
#include "engine_inside.h"

#include <string.h>

enum { SPACE_IDS = 1000, LINE = 64 };

static struct kp_str text_at(const struct kp_event *ev, int slot)
{
    return kp_event_has(ev, slot) ? (struct kp_str){ev->v[slot].s, ev->v[slot].len} : (struct kp_str){"", 0};
}

/* Who sent it: the seed under which its ids are hashed, and which of the configured ones it is. */
static void find_source(struct kp_engine *engine, const struct kp_event *ev)
{
    struct kp_str source = text_at(ev, KP_SLOT_SOURCE);
    struct kp_ends ends = kp_ends_of(source.s, source.len);

    if (engine->source.seed && engine->source.len == source.len && kp_ends_equal(engine->source.ends, ends) &&
        (source.len <= KP_ENDS_ALL || memcmp(engine->source.text, source.s, source.len) == 0))
        return;
    engine->source.ends = ends;
    engine->source.seed = kp_print_of(engine->store.seed, SPACE_IDS, source.s, source.len).hi | 1;
    engine->source.index = kp_sources_find(engine->sources, source);
    engine->source.len = source.len;
    memcpy(engine->source.text, source.s, source.len);
}

static void start_lane(struct kp_engine *engine, const struct kp_event *ev, struct kp_lane *lane)
{
    find_source(engine, ev);
    lane->source = engine->source.index;
    lane->seed = engine->source.seed;
    lane->node = KP_NO_NODE;
    lane->has_rep = kp_event_has(ev, KP_SLOT_REP);
    lane->has_id = kp_event_has(ev, KP_SLOT_ID);
}

static void hash_rep(const struct kp_engine *engine, const struct kp_event *ev, struct kp_lane *lane)
{
    if (lane->has_rep)
        lane->rep = kp_store_rep_print(&engine->store, text_at(ev, KP_SLOT_REP));
}

static void hash_id(const struct kp_event *ev, struct kp_lane *lane)
{
    if (lane->has_id)
        lane->id = kp_print_of(lane->seed, SPACE_IDS, ev->v[KP_SLOT_ID].s, ev->v[KP_SLOT_ID].len);
}

/* The entities that it is about. */
static void find_entities(struct kp_engine *engine, const struct kp_event *ev, struct kp_lane *lane)
{
    lane->nentities = lane->has_entity = 0;
    for (uint32_t i = 0; lane->program && i < lane->program->nfollows && i < KP_LANE_ENTITIES; i++) {
        int space = lane->program->follows[i].space, slot = engine->plan->spaces[space].slot;
        struct kp_print *print = &lane->entities[lane->nentities++];

        if (!kp_event_has(ev, slot))
            continue;
        lane->has_entity |= 1u << i;
        *print = kp_entity_print(engine->entities, space, &ev->v[slot]);
        __builtin_prefetch(kp_entity_line(engine->entities, *print));
    }
}

static void find_programs(struct kp_engine *engine, const struct kp_event *const *events, struct kp_lane *lanes, size_t n)
{
    const struct kp_program *programs[KP_TOGETHER];
    uint32_t round = kp_match_round(engine->match);

    kp_match_events(engine->match, events, n, programs);
    for (size_t i = 0; i < n; i++) {
        lanes[i].program = round == kp_match_round(engine->match) ? programs[i] : NULL;
        lanes[i].round = round;
    }
}

static void hash_value(struct kp_engine *engine, const struct kp_event *ev, struct kp_lane *lane)
{
    int value = lane->program ? lane->program->hashed : -1, slot = value < 0 ? 0 : engine->plan->values[value].slot;

    lane->has_hash = value >= 0 && kp_event_has(ev, slot);
    if (lane->has_hash)
        lane->hash = kp_sample_hash(&ev->v[slot]);
}

static void find_node(struct kp_engine *engine, struct kp_lane *lane)
{
    if (lane->has_rep)
        lane->node = kp_store_find_rep(&engine->store, lane->rep);
    if (lane->node != KP_NO_NODE)
        __builtin_prefetch(kp_store_node(&engine->store, lane->node), 1);
}

/* The newest row of a node of the roster in a family; NULL: none. */
static inline const struct kp_row *newest_row(const struct kp_engine *engine, const struct kp_node_hot *hot, int family)
{
    uint32_t head = hot->lists[family].head;

    return head ? kp_rows_at(&engine->store.rows[family], head) : NULL;
}

/* The lines of a node's rows that will be added to. */
static inline void fetch_rows(const struct kp_engine *engine, const struct kp_program *program,
                              const struct kp_node_hot *hot)
{
    for (uint32_t i = 0; i < program->nsections && program->sections[i].dim == 0; i++) {
        const struct kp_section *section = &program->sections[i];
        const struct kp_row *row = newest_row(engine, hot, section->family);

        if (!row)
            continue;
        for (uint32_t at = 0; at < section->reach; at += LINE)
            __builtin_prefetch((const char *)row + at, 1);
        __builtin_prefetch((const char *)row + section->reach, 1);
    }
}

/* The rows that entities of the event may add to. */
static inline void fetch_followed(const struct kp_engine *engine, const struct kp_program *program,
                                  const struct kp_node_hot *hot)
{
    for (uint64_t left = program->followed; left; left &= left - 1) {
        const struct kp_row *row = newest_row(engine, hot, __builtin_ctzll(left));

        if (row)
            __builtin_prefetch(row, 1);
    }
}

/* The heads of the sketches that a node's rows lead to: each is a miss of its own otherwise. */
static inline void fetch_sketches(const struct kp_engine *engine, const struct kp_program *program,
                                  const struct kp_node_hot *hot)
{
    for (uint32_t i = 0; i < program->nsketches; i++) {
        const struct kp_row *row = newest_row(engine, hot, program->sketches[i].value);
        const char *sketch = row ? (const char *)(uintptr_t)row->words[program->sketches[i].word] : NULL;

        if (!sketch)
            continue;
        __builtin_prefetch(sketch, 1);
        if (program->sketches[i].kind == KP_CELL_QUANT)
            __builtin_prefetch(sketch + LINE, 1);
    }
}

/* The lines within the sets of a node that its lane's hash belongs to. */
static inline void fetch_places(const struct kp_engine *engine, const struct kp_program *program,
                                const struct kp_node_hot *hot, const struct kp_lane *lane)
{
    for (uint32_t i = 0; i < program->nsketches && lane->has_hash; i++) {
        const struct kp_op *op = &program->sketches[i];
        const struct kp_row *row = op->kind == KP_CELL_DISTINCT ? newest_row(engine, hot, op->value) : NULL;
        const struct kp_distinct *set = row ? (const struct kp_distinct *)(uintptr_t)row->words[op->word] : NULL;

        if (set)
            __builtin_prefetch(kp_distinct_line(set, lane->hash), 1);
    }
}

/* The heads of entities; what is not there is made when it is its turn. */
static void find_heads(const struct kp_engine *engine, struct kp_lane *lanes, size_t n)
{
    for (struct kp_lane *lane = lanes; lane < lanes + n; lane++)
        for (uint32_t i = 0; i < lane->nentities; i++)
            lane->ahead[i] = lane->has_entity >> i & 1 ? kp_entity_ahead(engine->entities, lane->entities[i]) : UINT32_MAX;
}

static void fetch_entities(const struct kp_engine *engine, const struct kp_lane *lanes, size_t n)
{
    for (const struct kp_lane *lane = lanes; lane < lanes + n; lane++)
        for (uint32_t i = 0; i < lane->nentities; i++)
            if (lane->ahead[i] != UINT32_MAX)
                kp_entity_fetch(engine->entities, lane->ahead[i]);
}

/* What the rep, and the one above it, will need. Each step reads what the one before it has fetched, so it is done for all
 * lanes before the next. Higher levels are few, and busy enough to stay in the cache. */
static void fetch(struct kp_engine *engine, const struct kp_lane *lanes, size_t n)
{
    const struct kp_node_hot *hot[KP_TOGETHER], *above[KP_TOGETHER];
    const struct kp_lane *known[KP_TOGETHER];
    size_t nknown = 0, nsketches = 0;

    for (const struct kp_lane *lane = lanes; lane < lanes + n; lane++) {
        if (lane->way.n < 2 || !lane->program)
            continue;
        known[nknown] = lane;
        hot[nknown] = lane->way.hot[0];
        above[nknown] = lane->way.hot[1];
        fetch_rows(engine, lane->program, hot[nknown]);
        fetch_followed(engine, lane->program, hot[nknown++]);
    }
    if (engine->entities)
        fetch_entities(engine, lanes, n);
    for (size_t i = 0; i < nknown; i++) {
        fetch_rows(engine, known[i]->program, above[i]);
        fetch_followed(engine, known[i]->program, above[i]);
        if (!known[i]->program->nsketches)
            continue;
        fetch_sketches(engine, known[i]->program, hot[i]);
        known[nsketches] = known[i];    /* only those go on */
        hot[nsketches] = hot[i];
        above[nsketches++] = above[i];
    }
    for (size_t i = 0; i < nsketches; i++) {
        fetch_sketches(engine, known[i]->program, above[i]);
        fetch_places(engine, known[i]->program, hot[i], known[i]);
    }
    for (size_t i = 0; i < nsketches; i++)
        fetch_places(engine, known[i]->program, above[i], known[i]);
}

/* A loop for each step: what one event's step waits for, be it a product of its hash or a line of memory, the processor has the next
 * event's step to do meanwhile, as long as steps are short. */
void kp_engine_fetch(struct kp_engine *engine, const struct kp_event *const *events, size_t n)
{
    struct kp_lane *lanes = engine->lanes;

    for (size_t i = 0; i < n; i++)
        start_lane(engine, events[i], &lanes[i]);
    for (size_t i = 0; i < n; i++)
        hash_rep(engine, events[i], &lanes[i]);
    for (size_t i = 0; i < n; i++)
        hash_id(events[i], &lanes[i]);
    for (size_t i = 0; i < n; i++) {
        if (lanes[i].has_rep)
            __builtin_prefetch(kp_tab_line(engine->store.index, lanes[i].rep));
        if (lanes[i].has_id)
            __builtin_prefetch(kp_dedup_line(engine->dedup, lanes[i].id), 1);
    }
    find_programs(engine, events, lanes, n);
    for (size_t i = 0; i < n; i++)
        hash_value(engine, events[i], &lanes[i]);
    for (size_t i = 0; i < n; i++)
        find_node(engine, &lanes[i]);
    for (size_t i = 0; i < n; i++)
        find_entities(engine, events[i], &lanes[i]);
    for (size_t i = 0; i < n; i++)
        kp_way_climb(&engine->store, lanes[i].node, &lanes[i].way);
    if (n == 1)
        return;
    if (engine->entities)
        find_heads(engine, lanes, n);
    fetch(engine, lanes, n);
}
