#include "kpid/engine.h"

#include "alert.h"
#include "entity.h"
#include "match.h"
#include "rank.h"
#include "target.h"

#include "kpid/dedup.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* TOGETHER: events that are looked up at once. More lines than those of 32 events do not fit into a first-level cache. */
enum { SPACE_IDS = 1000, VALUES_MAX = KP_SLOTS_MAX * 2, LINE = 64, TOGETHER = 32 };

/* What is found out about an event before it is its turn, so that memory can be fetched meanwhile. */
struct lane {
    struct kp_print rep, id;
    const struct kp_program *program;   /* good while the cache is in this round */
    uint64_t hash;                      /* of the value that program->hashed names */
    uint32_t node, round;
    bool has_rep, has_id, has_hash;
};

struct kp_engine {
    const struct kp_config *config;     /* borrowed */
    struct kp_plan *plan;               /* owned, like all that follows */
    struct kp_store store;
    struct kp_reader reader;
    struct kp_ranks *ranks;
    struct kp_targets *targets;
    struct kp_match *match;
    struct kp_dedup *dedup;
    struct kp_recent *recent;
    struct kp_alerts *alerts;
    struct kp_entities *entities;       /* NULL: no KPI follows any */
    struct kp_cell_view *views;         /* by pair */
    uint64_t *missing, *out_of_range;   /* by KPI */
    uint64_t by_reason[KP_REASONS];
    uint64_t late, memory_out;
    uint64_t version;                   /* rises when a number may have changed */
    int64_t now_ms;                     /* INT64_MIN: none yet */
    int64_t keep_from;                  /* as of now_ms */
    struct kp_source {                  /* the one of the event before: its hash is seldom another's */
        uint64_t seed;
        uint32_t len;
        char text[KP_KEY_MAX];
    } source;
    struct lane lanes[TOGETHER];
};

static void change(void *ctx, const struct kp_trace *trace, bool add);

/* ---- Making ---- */

static enum kp_code build(struct kp_engine *engine, uint64_t seed, const struct kp_alert_sink *sink, struct kp_err *err)
{
    const struct kp_config *config = engine->config;
    enum kp_code code;

    engine->now_ms = INT64_MIN;
    engine->plan = kp_plan_new(config, err);
    if (!engine->plan)
        return KP_EINVAL;
    code = kp_store_init(&engine->store, engine->plan, seed, err);
    code = code ? code : kp_reader_init(&engine->reader, &engine->store, err);
    if (code)
        return code;
    engine->targets = kp_targets_new(engine->plan, &engine->store, err);
    if (!engine->targets)
        return KP_ENOMEM;
    engine->ranks = kp_ranks_new(&engine->reader, err);
    if (!engine->ranks)
        return KP_ENOMEM;
    engine->match = kp_match_new(engine->plan, err);
    engine->dedup = kp_dedup_new(config->dedup_window_ms, config->limits.dedup, err);
    engine->recent = kp_recent_new(config->limits.recent, err);
    if (!engine->match || !engine->dedup || !engine->recent)
        return KP_ENOMEM;
    if (engine->plan->nspaces) {
        const struct kp_entity_sink changes = {change, engine};

        engine->entities = kp_entities_new(&engine->store, config->limits.entities, &changes, err);
        if (!engine->entities)
            return KP_ENOMEM;
    }
    engine->alerts = kp_alerts_new(&engine->store, engine->targets, &engine->reader, engine->recent, kp_match_feeds(engine->match),
                                   engine, sink, err);
    engine->views = calloc((size_t)engine->plan->npairs + 1, sizeof *engine->views);
    engine->missing = calloc(config->nkpis + 1, sizeof *engine->missing);
    engine->out_of_range = calloc(config->nkpis + 1, sizeof *engine->out_of_range);
    if (!engine->alerts || !engine->views || !engine->missing || !engine->out_of_range)
        return kp_fail(err, KP_ENOMEM, "engine: out of memory");
    for (uint32_t node = 0; node < engine->store.made; node++) {
        kp_store_node(&engine->store, node)->flags |= KP_NODE_CHANGED;
        if (!kp_alerts_enter(engine->alerts, node))
            return kp_fail(err, KP_ENOMEM, "engine: out of memory");
    }
    return KP_OK;
}

struct kp_engine *kp_engine_new(const struct kp_config *config, uint64_t seed, const struct kp_alert_sink *sink,
                                struct kp_err *err)
{
    struct kp_engine *engine = calloc(1, sizeof *engine);

    if (!engine) {
        kp_fail(err, KP_ENOMEM, "engine: out of memory");
        return NULL;
    }
    engine->config = config;
    if (build(engine, seed, sink, err))
        kp_engine_destroy(&engine);
    return engine;
}

void kp_engine_destroy(struct kp_engine **engine)
{
    struct kp_engine *e = *engine;

    if (!e)
        return;
    kp_alerts_destroy(&e->alerts);
    kp_entities_destroy(&e->entities);
    kp_recent_destroy(&e->recent);
    kp_dedup_destroy(&e->dedup);
    kp_match_destroy(&e->match);
    kp_targets_destroy(&e->targets);
    kp_ranks_destroy(&e->ranks);
    kp_reader_release(&e->reader);
    if (e->store.plan)
        kp_store_release(&e->store);
    kp_plan_destroy(&e->plan);
    free(e->views);
    free(e->missing);
    free(e->out_of_range);
    free(e);
    *engine = NULL;
}

const struct kp_schema *kp_engine_schema(const struct kp_engine *engine)
{
    return engine->plan->schema;
}

/* ---- Samples ---- */

static uint64_t hash_of(const struct kp_value *v)
{
    struct kp_value plain = *v;

    if (v->kind == KP_STR)
        return kp_print_of(0, KP_STR, v->s, v->len).hi;
    if (v->kind == KP_BOOL)
        return kp_print_of(0, KP_BOOL, &v->b, sizeof v->b).hi;
    if (v->kind == KP_REAL && v->f >= -9e18 && v->f <= 9e18 && v->f == floor(v->f)) {
        plain.kind = KP_INT;        /* 5.0 and 5 are one value */
        plain.i = (int64_t)v->f;
    }
    return kp_print_of(0, plain.kind, &plain.i, sizeof plain.i).hi;
}

/* False when the value is a number beyond what a KPI takes. */
static bool sample(const struct kp_plan_value *value, const struct kp_event *ev, struct kp_sample *s)
{
    const struct kp_value *v = &ev->v[value->slot];

    s->ok = false;
    if (!kp_event_has(ev, value->slot) || v->kind == KP_NIL)
        return true;
    if (!value->numeric) {
        s->ok = v->kind != KP_REAL || isfinite(v->f);
        if (s->ok && value->hashed)
            s->hash = hash_of(v);
        return true;
    }
    switch (kp_micro_of(v, &s->micro)) {
    case KP_MICRO_OK:
        s->ok = true;
        if (value->binned)
            s->bin = kp_quant_bin(s->micro);
        return true;
    case KP_MICRO_RANGE:
        return false;
    case KP_MICRO_MISSING:
        break;
    }
    return true;
}

static void take_samples(struct kp_engine *engine, const struct kp_program *program, const struct kp_event *ev,
                         struct kp_sample *samples)
{
    uint64_t beyond[VALUES_MAX / 64] = {0};

    for (uint32_t i = 0; i < program->nvalues; i++)
        if (!sample(&engine->plan->values[program->values[i]], ev, &samples[i]))
            beyond[i / 64] |= UINT64_C(1) << (i % 64);
    for (uint32_t i = 0; i < program->nwants; i++) {
        const struct kp_want *want = &program->wants[i];

        if (samples[want->value].ok)
            continue;
        if (beyond[want->value / 64] >> (want->value % 64) & 1)
            engine->out_of_range[want->kpi]++;
        else
            engine->missing[want->kpi]++;
    }
}

/* ---- Adding ---- */

static void run(struct kp_engine *engine, const struct kp_op *op, uint32_t n, uint64_t *words,
                const struct kp_sample *samples, int64_t time_ms, uint64_t tie)
{
    for (const struct kp_op *end = op + n; op < end; op++) {
        uint64_t *at = words + op->word;

        if (op->value < 0) {
            ++*at;          /* only counts take no value */
            continue;
        }
        if (samples[op->value].ok &&
            !kp_cell_add(op->kind, at, &samples[op->value], time_ms, tie, engine->store.slab))
            engine->memory_out++;
    }
}

/* Rows of one family for a node and all that it stands under. */
static void add_section(struct kp_engine *engine, const struct kp_program *program, const struct kp_section *section,
                        uint32_t node, const struct kp_sample *samples, int64_t time_ms, uint64_t tie)
{
    struct kp_store *store = &engine->store;
    struct kp_rows *rows = &store->rows[section->family];
    int list = section->family - engine->plan->dims[section->dim].first_family;

    for (uint32_t at = node; at != KP_NO_NODE;) {
        struct kp_node_hot *hot = kp_store_node(store, at);
        struct kp_row *row = kp_list_row(rows, &hot->lists[list], hot->clock, time_ms);

        if (!row)
            return;     /* older than this family's panes; another one's may reach so far */
        run(engine, program->ops + section->first, section->count, row->words, samples, time_ms, tie);
        at = hot->parent;
    }
}

/* Samples of an outlet, in one family. */
static void add_outlet(struct kp_engine *engine, const struct kp_plan_outlet *outlet, const struct kp_section *section,
                       const struct kp_trace *trace, const struct kp_sample *sample, bool plus)
{
    struct kp_store *store = &engine->store;
    struct kp_rows *rows = &store->rows[section->family];
    int list = section->family - engine->plan->dims[section->dim].first_family;

    for (uint32_t at = trace->node; at != KP_NO_NODE;) {
        struct kp_node_hot *hot = kp_store_node(store, at);
        struct kp_row *row = kp_list_row(rows, &hot->lists[list], hot->clock, trace->time);

        if (!row)
            return;
        for (const struct kp_op *op = outlet->ops + section->first, *end = op + section->count; op < end; op++) {
            uint64_t *word = row->words + op->word;
            bool ok = plus ? kp_cell_add(op->kind, word, sample, trace->time, 0, store->slab)
                           : kp_cell_sub(op->kind, word, sample, store->slab);

            if (!ok)
                engine->memory_out++;
        }
        at = hot->parent;
    }
}

/* The node and those above it have changed. */
static void touch(struct kp_engine *engine, uint64_t rule_levels, uint32_t node)
{
    for (uint32_t at = node; at != KP_NO_NODE;) {
        struct kp_node_hot *hot = kp_store_node(&engine->store, at);

        hot->flags |= KP_NODE_CHANGED;
        if (rule_levels >> hot->level & 1)
            kp_alerts_touch(engine->alerts, at);
        at = hot->parent;
    }
}

/* A sample of an entity comes, or goes: at the key that it is credited to, and above it. */
static void change(void *ctx, const struct kp_trace *trace, bool add)
{
    struct kp_engine *engine = ctx;
    const struct kp_plan_outlet *outlet = &engine->plan->outlets[trace->outlet];
    struct kp_sample sample = {.ok = true, .micro = trace->value, .bin = kp_quant_bin(trace->value)};

    for (int i = 0; i < outlet->nsections; i++) {
        const struct kp_section *section = &outlet->sections[i];

        if (section->dim != trace->dim)
            continue;
        if (kp_rows_reserve(&engine->store.rows[section->family], KP_DEPTH_MAX))
            add_outlet(engine, outlet, section, trace, &sample, add != trace->back);
        else
            engine->memory_out++;
    }
    engine->version++;
    touch(engine, outlet->rule_levels, trace->node);
}

static void follow(struct kp_engine *engine, const struct kp_program *program, const struct kp_event *ev,
                   const uint32_t nodes[KP_DIMS_MAX], const struct kp_sample *samples, int64_t time_ms)
{
    for (uint32_t i = 0; i < program->nfollows; i++) {
        const struct kp_follow *f = &program->follows[i];
        const struct kp_plan_space *space = &engine->plan->spaces[f->space];
        struct kp_occurrence *o;

        if (!kp_event_has(ev, space->slot))
            continue;
        o = kp_entities_blank(engine->entities, f->space);
        o->time = time_ms;
        o->bits = f->bits;
        if (kp_event_has(ev, KP_SLOT_ID))
            kp_occurrence_id(o, ev->v[KP_SLOT_ID].s, ev->v[KP_SLOT_ID].len);
        for (int v = 0; v < space->nvalues; v++)
            if (samples[f->values[v]].ok)
                o->tail[v] = samples[f->values[v]].micro;
        for (int d = 0; d < space->ndims; d++)
            kp_occurrence_nodes(space, o)[d] = nodes[space->dims[d]];
        if (!kp_entities_tell(engine->entities, f->space,
                              kp_entity_print(engine->entities, f->space, &ev->v[space->slot]), engine->keep_from))
            engine->memory_out++;
    }
}

static void add(struct kp_engine *engine, const struct kp_program *program, const struct kp_event *ev,
                const uint32_t nodes[KP_DIMS_MAX], int64_t time_ms, uint64_t tie)
{
    struct kp_sample samples[VALUES_MAX];
    struct kp_str id = {"", 0};

    take_samples(engine, program, ev, samples);
    for (uint32_t i = 0; i < program->nsections; i++) {
        const struct kp_section *section = &program->sections[i];

        if (nodes[section->dim] != KP_NO_NODE)
            add_section(engine, program, section, nodes[section->dim], samples, time_ms, tie);
    }
    if (kp_event_has(ev, KP_SLOT_ID))
        id = (struct kp_str){ev->v[KP_SLOT_ID].s, ev->v[KP_SLOT_ID].len};
    for (int d = 0; d < engine->plan->ndims; d++) {
        if (!(program->dims >> d & 1) || nodes[d] == KP_NO_NODE)
            continue;
        touch(engine, program->rule_levels, nodes[d]);
        kp_recent_add(engine->recent, &engine->store, nodes[d], id, time_ms, program->feeds);
    }
    follow(engine, program, ev, nodes, samples, time_ms);
}

/* ---- Whose it is ---- */

static struct kp_str text_at(const struct kp_event *ev, int slot)
{
    return (struct kp_str){ev->v[slot].s, ev->v[slot].len};
}

/* The lowest level that an event without a rep names. */
static uint32_t named_unit(struct kp_engine *engine, const struct kp_event *ev)
{
    const struct kp_plan *plan = engine->plan;
    uint32_t node = KP_COMPANY, parent = KP_COMPANY;

    for (int l = 1; l < plan->nlevels; l++) {
        int slot = plan->level_slots[l - 1];

        if (!kp_event_has(ev, slot)) {
            parent = KP_NO_NODE;
            continue;
        }
        node = kp_store_unit(&engine->store, l, parent, text_at(ev, slot));
        if (node == KP_NO_NODE)
            return KP_NO_NODE;
        parent = node;
    }
    return node;
}

/* A node that has just been made, and those made above it, get their alerts. */
static bool settle_in(struct kp_engine *engine, uint32_t node)
{
    for (uint32_t at = node; at != KP_NO_NODE; at = kp_store_node(&engine->store, at)->parent) {
        const struct kp_node_hot *hot = kp_store_node(&engine->store, at);

        if (!hot->rules && engine->plan->nlevel_rules[hot->level] && !kp_alerts_enter(engine->alerts, at))
            return false;
    }
    return true;
}

static enum kp_reason find_nodes(struct kp_engine *engine, const struct kp_program *program, const struct kp_event *ev,
                                 const struct lane *lane, uint32_t nodes[KP_DIMS_MAX])
{
    const struct kp_plan *plan = engine->plan;

    nodes[0] = KP_NO_NODE;
    if (lane->has_rep) {
        nodes[0] = lane->node != KP_NO_NODE ? lane->node : kp_store_find_rep(&engine->store, lane->rep);
        if (nodes[0] == KP_NO_NODE && engine->config->roster.reject_unknown)
            return KP_UNKNOWN_REP;
    }
    if (nodes[0] == KP_NO_NODE && (program->dims & 1)) {
        nodes[0] = lane->has_rep ? kp_store_add_rep(&engine->store, text_at(ev, KP_SLOT_REP)) : named_unit(engine, ev);
        if (nodes[0] == KP_NO_NODE || !settle_in(engine, nodes[0]))
            return KP_LIMIT;
    }
    for (int d = 1; d < plan->ndims; d++) {
        char key[KP_GROUP_KEY_MAX];
        size_t len;

        nodes[d] = KP_NO_NODE;
        if (!(program->dims >> d & 1))
            continue;
        len = kp_store_group_key(&plan->dims[d], ev, key);
        if (len == 0)
            continue;
        if (len <= KP_GROUP_KEY_MAX)
            nodes[d] = kp_store_group(&engine->store, d, (struct kp_str){key, (uint32_t)len});
        if (nodes[d] == KP_NO_NODE || !settle_in(engine, nodes[d]))
            return KP_LIMIT;
    }
    return KP_ACCEPTED;
}

static bool reserve(struct kp_engine *engine, const struct kp_program *program)
{
    for (uint32_t i = 0; i < program->nsections; i++)
        if (!kp_rows_reserve(&engine->store.rows[program->sections[i].family], KP_DEPTH_MAX))
            return false;
    return true;
}

/* ---- One event ---- */

static void look_at_all(struct kp_engine *engine)
{
    while (kp_alerts_settle(engine->alerts, engine->now_ms, SIZE_MAX))
        ;
}

static void set_now(struct kp_engine *engine, int64_t t)
{
    engine->now_ms = t;
    kp_plan_at(engine->plan, t);
    kp_targets_at(engine->targets, t);
    engine->keep_from = kp_plan_keep_from(engine->plan);
}

static int64_t entities_due(const struct kp_engine *engine)
{
    return engine->entities ? kp_entities_due(engine->entities) : INT64_MAX;
}

/* Samples that come of time alone. True: there are more. */
static bool ripen(struct kp_engine *engine, size_t most)
{
    return engine->entities && kp_entities_ripen(engine->entities, engine->now_ms, engine->keep_from, most);
}

/* Move event time to t: first what was touched until now, then what is due on the way, each at its own instant. */
static void advance(struct kp_engine *engine, int64_t t)
{
    if (t <= engine->now_ms)
        return;
    while (engine->now_ms != INT64_MIN) {
        int64_t due = entities_due(engine);

        look_at_all(engine);
        kp_alerts_run_before(engine->alerts, due < t ? due : t);
        if (due >= t)
            break;
        set_now(engine, due);
        ripen(engine, SIZE_MAX);
    }
    set_now(engine, t);
    ripen(engine, SIZE_MAX);
}

static bool is_own_type(const struct kp_event *ev)
{
    static const char prefix[] = "kpid.";
    const struct kp_value *type = &ev->v[KP_SLOT_TYPE];

    return type->len > sizeof prefix - 1 && memcmp(type->s, prefix, sizeof prefix - 1) == 0;
}

static enum kp_reason apply(struct kp_engine *engine, const struct kp_event *ev, const struct lane *lane, int64_t now_ms)
{
    const struct kp_program *program;
    uint32_t nodes[KP_DIMS_MAX];
    enum kp_reason reason;
    int64_t at;

    if (engine->config->event_clock) {
        if (ev->has_time)
            advance(engine, ev->time_ms);
        now_ms = engine->now_ms;
        if (now_ms == INT64_MIN)
            return KP_BAD_TIME;     /* no time of its own, and no event has told any */
    }
    at = ev->has_time ? ev->time_ms : now_ms;
    if (lane->has_id && kp_dedup_seen(engine->dedup, lane->id, now_ms))
        return KP_DUPLICATE;
    if (!engine->config->event_clock && at > now_ms + engine->config->allowed_future_ms)
        return KP_FUTURE;
    if (is_own_type(ev))
        return KP_ACCEPTED;
    if (at < engine->keep_from)
        return KP_TOO_LATE;
    program = lane->program && lane->round == kp_match_round(engine->match) ? lane->program
                                                                            : kp_match_event(engine->match, ev);
    if (!program || !reserve(engine, program))
        return KP_LIMIT;
    reason = find_nodes(engine, program, ev, lane, nodes);
    if (reason != KP_ACCEPTED)
        return reason;
    if (lane->has_id)
        kp_dedup_add(engine->dedup, lane->id, now_ms);
    if (program->nsections || program->nfollows) {
        if (program->nsections && at < engine->plan->families[program->sections[0].family].grids[0].cell_from)
            engine->late++;
        add(engine, program, ev, nodes, at, lane->has_id ? lane->id.hi : 0);
    }
    return KP_ACCEPTED;
}

/* ---- Many events: what they will read is fetched while others are looked up ---- */

/* The seed under which a source's ids are hashed. */
static uint64_t source_seed(struct kp_engine *engine, const struct kp_event *ev)
{
    struct kp_source *last = &engine->source;
    struct kp_str source = {"", 0};

    if (kp_event_has(ev, KP_SLOT_SOURCE))
        source = text_at(ev, KP_SLOT_SOURCE);
    if (last->seed && last->len == source.len && memcmp(last->text, source.s, source.len) == 0)
        return last->seed;
    last->seed = kp_print_of(engine->store.seed, SPACE_IDS, source.s, source.len).hi | 1;
    last->len = source.len;
    memcpy(last->text, source.s, source.len);
    return last->seed;
}

static void start_lane(struct kp_engine *engine, const struct kp_event *ev, struct lane *lane)
{
    lane->node = KP_NO_NODE;
    lane->has_rep = kp_event_has(ev, KP_SLOT_REP);
    lane->has_id = kp_event_has(ev, KP_SLOT_ID);
    if (lane->has_rep) {
        lane->rep = kp_store_rep_print(&engine->store, text_at(ev, KP_SLOT_REP));
        __builtin_prefetch(kp_tab_line(engine->store.index, lane->rep));
    }
    if (lane->has_id) {
        lane->id = kp_print_of(source_seed(engine, ev), SPACE_IDS, ev->v[KP_SLOT_ID].s, ev->v[KP_SLOT_ID].len);
        __builtin_prefetch(kp_dedup_line(engine->dedup, lane->id), 1);
        __builtin_prefetch(kp_dedup_head(engine->dedup, lane->id), 1);
    }
}

static void find_lane(struct kp_engine *engine, const struct kp_event *ev, struct lane *lane)
{
    lane->program = kp_match_event(engine->match, ev);
    lane->round = kp_match_round(engine->match);
    lane->has_hash = false;
    if (lane->program && lane->program->hashed >= 0) {
        int slot = engine->plan->values[lane->program->hashed].slot;

        lane->has_hash = kp_event_has(ev, slot);
        if (lane->has_hash)
            lane->hash = hash_of(&ev->v[slot]);
    }
    if (!lane->has_rep)
        return;
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
        uintptr_t last = (uintptr_t)row / LINE;

        if (!row)
            continue;
        __builtin_prefetch(row, 1);
        for (const struct kp_op *op = program->ops + section->first, *end = op + section->count; op < end; op++) {
            uintptr_t line = (uintptr_t)&row->words[op->word] / LINE;

            if (line != last)
                __builtin_prefetch((const void *)(line * LINE), 1);
            last = line;
        }
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
        __builtin_prefetch(sketch + LINE, 1);
    }
}

/* The lines within the sets of a node that its lane's hash belongs to. */
static inline void fetch_places(const struct kp_engine *engine, const struct kp_program *program,
                                const struct kp_node_hot *hot, const struct lane *lane)
{
    for (uint32_t i = 0; i < program->nsketches && lane->has_hash; i++) {
        const struct kp_op *op = &program->sketches[i];
        const struct kp_row *row = op->kind == KP_CELL_DISTINCT ? newest_row(engine, hot, op->value) : NULL;
        const struct kp_distinct *set = row ? (const struct kp_distinct *)(uintptr_t)row->words[op->word] : NULL;

        if (set)
            __builtin_prefetch(kp_distinct_line(set, lane->hash), 1);
    }
}

/* What the rep, and the one above it, will need. Each step reads what the one before it has fetched, so it is done for all
 * lanes before the next. Higher levels are few, and busy enough to stay in the cache. */
static void fetch(struct kp_engine *engine, const struct lane *lanes, size_t n)
{
    const struct kp_node_hot *hot[TOGETHER], *above[TOGETHER];
    const struct lane *known[TOGETHER];
    uint32_t round = kp_match_round(engine->match);
    size_t nknown = 0, nsketches = 0;

    for (const struct lane *lane = lanes; lane < lanes + n; lane++) {
        const struct kp_node_hot *node;

        if (lane->node == KP_NO_NODE || !lane->program || lane->round != round)
            continue;
        node = kp_store_node(&engine->store, lane->node);
        if (node->parent == KP_NO_NODE)
            continue;
        known[nknown] = lane;
        hot[nknown] = node;
        above[nknown] = kp_store_node(&engine->store, node->parent);
        fetch_rows(engine, lane->program, node);
        __builtin_prefetch(above[nknown++], 1);
    }
    for (size_t i = 0; i < nknown; i++) {
        fetch_rows(engine, known[i]->program, above[i]);
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

void kp_engine_apply(struct kp_engine *engine, const struct kp_event *const *events, size_t n, int64_t now_ms,
                     enum kp_reason *reasons)
{
    if (!engine->config->event_clock && now_ms > engine->now_ms) {
        set_now(engine, now_ms);
    }
    engine->version++;
    while (n) {
        size_t part = n < TOGETHER ? n : TOGETHER;

        for (size_t i = 0; i < part; i++)
            start_lane(engine, events[i], &engine->lanes[i]);
        for (size_t i = 0; i < part; i++)
            find_lane(engine, events[i], &engine->lanes[i]);
        if (part > 1)
            fetch(engine, engine->lanes, part);
        for (size_t i = 0; i < part; i++) {
            reasons[i] = apply(engine, events[i], &engine->lanes[i], engine->now_ms);
            engine->by_reason[reasons[i]]++;
        }
        events += part;
        reasons += part;
        n -= part;
    }
}

/* ---- Time ---- */

bool kp_engine_settle(struct kp_engine *engine, int64_t now_ms, size_t most)
{
    bool more;

    if (engine->config->event_clock) {
        advance(engine, now_ms);
    } else if (now_ms > engine->now_ms) {
        set_now(engine, now_ms);
    }
    if (engine->now_ms == INT64_MIN)
        return false;
    more = ripen(engine, most);
    return kp_alerts_settle(engine->alerts, engine->now_ms, most) || more;
}

int64_t kp_engine_due(const struct kp_engine *engine)
{
    int64_t alerts = kp_alerts_due(engine->alerts), entities = entities_due(engine);

    return alerts < entities ? alerts : entities;
}

int64_t kp_engine_now(const struct kp_engine *engine)
{
    return engine->now_ms;
}

/* ---- Keys ---- */

uint32_t kp_engine_nodes(const struct kp_engine *engine)
{
    return engine->store.made;
}

static bool is_live(const struct kp_engine *engine, uint32_t node)
{
    return node < engine->store.made && (kp_store_node(&engine->store, node)->flags & KP_NODE_LIVE);
}

bool kp_engine_visible(const struct kp_engine *engine, uint32_t node)
{
    return is_live(engine, node) && kp_store_visible(&engine->store, node);
}

bool kp_engine_changed(const struct kp_engine *engine, uint32_t node)
{
    const struct kp_node_hot *hot;

    if (!is_live(engine, node))
        return false;
    hot = kp_store_node(&engine->store, node);
    return (hot->flags & KP_NODE_CHANGED) || hot->stale_at <= engine->now_ms;
}

void kp_engine_seen(struct kp_engine *engine, uint32_t node)
{
    struct kp_node_hot *hot = kp_store_node(&engine->store, node);

    hot->flags &= (uint8_t)~KP_NODE_CHANGED;
    if (hot->stale_at <= engine->now_ms)
        hot->stale_at = INT64_MAX;
}

bool kp_engine_sweep(struct kp_engine *engine, uint32_t node)
{
    if (!is_live(engine, node) || kp_engine_changed(engine, node) || kp_store_visible(&engine->store, node) ||
        kp_store_cold(&engine->store, node)->nchildren || kp_store_node(&engine->store, node)->held || !kp_alerts_idle(engine->alerts, node))
        return false;
    kp_alerts_leave(engine->alerts, node);
    kp_store_forget(&engine->store, node);
    return true;
}

int kp_engine_levels(const struct kp_engine *engine)
{
    return engine->plan->nlevel_ids;
}

const char *kp_engine_level_name(const struct kp_engine *engine, int level)
{
    return kp_plan_level_name(engine->plan, level);
}

int kp_engine_find_level(const struct kp_engine *engine, const char *name, size_t len)
{
    return kp_plan_find_level(engine->plan, name, len);
}

int kp_engine_find_kpi(const struct kp_engine *engine, const char *name, size_t len)
{
    return kp_plan_find_kpi(engine->plan, name, len);
}

void kp_engine_place(const struct kp_engine *engine, uint32_t node, struct kp_place *place)
{
    const struct kp_store *store = &engine->store;
    uint32_t path[KP_DEPTH_MAX];
    int n = kp_store_path(store, node, path);

    place->level = kp_store_node(store, node)->level;
    place->key = (struct kp_str){kp_store_cold(store, node)->key, kp_store_cold(store, node)->key_len};
    place->name = kp_store_name(store, node);
    place->npath = 0;
    if (place->level > engine->plan->nlevels) {
        const char *level = kp_plan_level_name(engine->plan, place->level);

        place->path[place->npath++] = (struct kp_str){level, (uint32_t)strlen(level)};
    }
    for (int i = 0; i < n; i++)
        place->path[place->npath++] =
            (struct kp_str){kp_store_cold(store, path[i])->key, kp_store_cold(store, path[i])->key_len};
}

static size_t put_part(struct kp_str part, char *buf, size_t at, size_t size)
{
    for (uint32_t i = 0; i < part.len; i++) {
        unsigned char c = (unsigned char)part.s[i];

        if (at + 4 >= size)
            break;
        if (c == '/' || c == '%' || c < 0x20 || c == 0x7F)
            at += (size_t)snprintf(buf + at, 4, "%%%02X", c);
        else
            buf[at++] = (char)c;
    }
    if (at + 1 < size)
        buf[at++] = '/';
    return at;
}

size_t kp_engine_topic(const struct kp_engine *engine, const char *kind, uint32_t node, char *buf, size_t size)
{
    struct kp_place place;
    size_t at;

    kp_engine_place(engine, node, &place);
    at = put_part((struct kp_str){kind, (uint32_t)strlen(kind)}, buf, 0, size);
    for (size_t i = 0; i < place.npath; i++)
        at = put_part(place.path[i], buf, at, size);
    buf[at] = '\0';
    return at;
}

/* ---- Numbers ---- */

static enum kp_status status_of(const struct kp_engine *engine, int pair, int level, struct kp_number number,
                                double target)
{
    const struct kp_plan *plan = engine->plan;
    enum kp_status worst = KP_STATUS_NONE;

    for (int i = 0; i < plan->nlevel_rules[level]; i++) {
        const struct kp_plan_rule *rule = &plan->rules[plan->level_rules[level][i]];
        enum kp_status status = rule->pair == pair ? kp_alerts_status(rule, number, target) : KP_STATUS_NONE;

        if (status > worst)
            worst = status;
    }
    return worst;
}

size_t kp_engine_read(struct kp_engine *engine, uint32_t node, const struct kp_cell_view **cells)
{
    const struct kp_plan *plan = engine->plan;
    struct kp_node_hot *hot = kp_store_node(&engine->store, node);
    int dim = kp_plan_dim_of(plan, hot->level);
    bool ranked = engine->now_ms != INT64_MIN && kp_ranks_take(engine->ranks, node, engine->now_ms, engine->version);
    size_t n = 0;

    if (engine->now_ms != INT64_MIN)
        hot->stale_at = kp_read_node(&engine->reader, node, engine->now_ms);
    for (int k = 0; k < plan->nkpis; k++) {
        const struct kp_plan_kpi *kpi = &plan->kpis[k];

        for (int i = 0; kpi->dim == dim && i < kpi->npairs; i++) {
            const struct kp_plan_pair *pair = &plan->pairs[kpi->pairs[i]];
            struct kp_cell_view *view = &engine->views[n];

            if (!pair->shown)
                continue;
            view->kpi = kpi->cfg;
            view->window = pair->window;
            view->number = engine->reader.numbers[kpi->pairs[i]];
            view->target = kp_target_of(engine->targets, node, pair->target);
            view->expected = kp_target_expected(engine->targets, node, pair->target);
            view->rank = view->of = 0;
            if (ranked) {
                struct kp_rank rank = kp_ranks_of(engine->ranks, hot->level, kpi->pairs[i], view->number.value,
                                                  view->number.has, kpi->cfg->better);

                view->rank = rank.rank;
                view->of = rank.of;
            }
            view->status = status_of(engine, kpi->pairs[i], hot->level, view->number, view->target);
            n++;
        }
    }
    *cells = engine->views;
    return n;
}

void kp_engine_alerts(struct kp_engine *engine, void (*each)(void *ctx, const struct kp_alert *alert), void *ctx)
{
    if (engine->now_ms != INT64_MIN)
        kp_alerts_each(engine->alerts, engine->now_ms, each, ctx);
}

/* ---- Counts ---- */

void kp_engine_stats(const struct kp_engine *engine, struct kp_engine_stats *stats)
{
    struct kp_entities_stats entities;
    struct kp_alerts_stats alerts;

    memset(stats, 0, sizeof *stats);
    memcpy(stats->by_reason, engine->by_reason, sizeof stats->by_reason);
    kp_alerts_stats(engine->alerts, &alerts);
    stats->late = engine->late;
    stats->dedup_evicted = kp_dedup_evicted(engine->dedup);
    stats->memory_out = engine->memory_out;
    for (int f = 0; f < engine->plan->nfamilies; f++) {
        stats->rows += kp_rows_used(&engine->store.rows[f]);
        stats->memory_out += engine->store.rows[f].missed;
    }
    stats->evaluations = alerts.evaluations;
    stats->pending = alerts.pending;
    stats->firing = alerts.firing;
    if (engine->entities) {
        kp_entities_stats(engine->entities, &entities);
        stats->entities = entities.count;
        stats->entities_evicted = entities.evicted;
        stats->occurrences_forgotten = entities.forgotten;
        stats->bytes_entities = entities.bytes;
    }
    stats->keys = engine->store.live;
    stats->dedup_ids = kp_dedup_count(engine->dedup);
    stats->bytes_store = kp_store_bytes(&engine->store);
    stats->bytes_dedup = kp_dedup_bytes(engine->dedup);
    stats->bytes_alerts = alerts.bytes;
    stats->bytes_recent = kp_recent_bytes(engine->recent);
}

size_t kp_engine_kpis(const struct kp_engine *engine)
{
    return engine->config->nkpis;
}

uint64_t kp_engine_missing(const struct kp_engine *engine, size_t kpi)
{
    return engine->missing[kpi];
}

uint64_t kp_engine_out_of_range(const struct kp_engine *engine, size_t kpi)
{
    return engine->out_of_range[kpi];
}
