#include "engine_inside.h"

#include <stdlib.h>
#include <string.h>

static void change(void *ctx, const struct kp_trace *gone, const struct kp_trace *come);

/* ---- Making ---- */

static enum kp_code build(struct kp_engine *engine, uint64_t seed, const struct kp_alert_sink *sink, struct kp_err *err)
{
    const struct kp_config *config = engine->config;
    struct kp_hush hush;
    enum kp_code code;

    engine->now_ms = INT64_MIN;
    engine->data_from = INT64_MAX;
    engine->plan = kp_plan_new(config, err);
    if (!engine->plan)
        return KP_EINVAL;
    engine->covered_slot = config->nsources ? kp_schema_add(engine->plan->schema, "covered_until", false) : -1;
    if (config->nsources && engine->covered_slot < 0)
        return kp_fail(err, KP_ELIMIT, "sources: over %d field names in all", KP_SLOTS_MAX);
    code = kp_store_init(&engine->store, engine->plan, seed, err);
    code = code ? code : kp_reader_init(&engine->reader, &engine->store, err);
    code = code ? code : kp_reader_init(&engine->alert_reader, &engine->store, err);
    if (code)
        return code;
    engine->targets = kp_targets_new(engine->plan, &engine->store, err);
    if (!engine->targets)
        return KP_ENOMEM;
    engine->ranks = kp_ranks_new(&engine->reader, err);
    if (!engine->ranks)
        return KP_ENOMEM;
    kp_filters_seed(engine->plan->filters, seed);
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
    engine->sources = kp_sources_new(engine->plan, err);
    if (!engine->sources)
        return KP_ENOMEM;
    code = kp_engine_add_hush(engine, err);
    if (code)
        return code;
    hush = (struct kp_hush){engine->silences, engine->acks};
    engine->alerts = kp_alerts_new(&engine->store, engine->targets, engine->sources, &engine->alert_reader, engine->recent,
                                   kp_match_feeds(engine->match), engine->entities, &hush, engine, sink, err);
    engine->views = calloc((size_t)engine->plan->npairs + 1, sizeof *engine->views);
    if (!engine->alerts || !engine->views || kp_sampler_init(&engine->sampler, engine->plan, err))
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
    kp_silences_destroy(&e->silences);
    kp_acks_destroy(&e->acks);
    kp_entities_destroy(&e->entities);
    kp_recent_destroy(&e->recent);
    kp_dedup_destroy(&e->dedup);
    kp_match_destroy(&e->match);
    kp_targets_destroy(&e->targets);
    kp_ranks_destroy(&e->ranks);
    kp_reader_release(&e->reader);
    kp_reader_release(&e->alert_reader);
    if (e->store.plan)
        kp_store_release(&e->store);
    kp_plan_destroy(&e->plan);
    free(e->fed);
    free(e->followed);
    free(e->views);
    kp_contests_release(&e->contests);
    kp_sources_destroy(&e->sources);
    kp_sampler_release(&e->sampler);
    free(e);
    *engine = NULL;
}

const struct kp_config *kp_engine_config(const struct kp_engine *engine)
{
    return engine->config;
}

const struct kp_schema *kp_engine_schema(const struct kp_engine *engine)
{
    return engine->plan->schema;
}

/* ---- Adding ---- */

/* Rows of one family, all of a way. They are found first, so that each op is asked only once what it is. */
static inline void add_section(struct kp_engine *engine, const struct kp_program *program, const struct kp_section *section,
                               const struct kp_way *way, const struct kp_sample *samples, int64_t time_ms, uint64_t tie)
{
    struct kp_store *store = &engine->store;
    struct kp_rows *rows = &store->rows[section->family];
    const struct kp_op *op = program->ops + section->first, *plain = op + section->plain, *end = op + section->count;
    int list = section->family - engine->plan->dims[section->dim].first_family, n = 0;
    uint64_t *words[KP_DEPTH_MAX];

    for (; n < way->n; n++) {
        struct kp_row *row = kp_list_row(rows, &way->hot[n]->lists[list], way->hot[n]->clock, time_ms);

        if (!row)
            break;      /* older than this family's panes; another one's may reach so far */
        words[n] = row->words;
    }
    for (; op < plain; op++)
        for (int i = 0; i < n; i++)
            ++words[i][op->word];
    for (; op < end; op++)
        if (samples[op->value].ok)
            engine->memory_out += kp_cells_add(op->kind, words, n, op->word, &samples[op->value], time_ms, tie, store->slab);
}

/* A sample that comes or goes, at one cell. */
static bool put(struct kp_engine *engine, enum kp_cell_kind kind, uint64_t *word, const struct kp_trace *trace, bool add)
{
    struct kp_sample sample = {.ok = true, .micro = trace->value};

    if (kind == KP_CELL_QUANT)
        sample.bin = kp_quant_bin(trace->value);
    return add != trace->back ? kp_cell_add(kind, word, &sample, trace->time, 0, engine->store.slab)
                              : kp_cell_sub(kind, word, &sample, engine->store.slab);
}

/* Samples of an outlet, in one family: at the key that they are credited to, and above it. trace: either of them. */
static void change_section(struct kp_engine *engine, const struct kp_plan_outlet *outlet, const struct kp_section *section,
                           const struct kp_trace *trace, const struct kp_trace *gone, const struct kp_trace *come)
{
    struct kp_store *store = &engine->store;
    struct kp_rows *rows = &store->rows[section->family];
    int list = section->family - engine->plan->dims[section->dim].first_family;
    uint32_t own = trace->node == KP_NO_NODE ? KP_NO_NODE : kp_store_own(store, trace->node);

    /* What is so now belongs to whoever the rep belongs to now. */
    for (uint32_t at = rows->family->grids[0].gauge ? own : trace->node; at != KP_NO_NODE;) {
        struct kp_node_hot *hot = kp_store_node(store, at == trace->node ? own : at);
        struct kp_row *row = kp_list_row(rows, &hot->lists[list], hot->clock, trace->time);

        if (!row)
            return;
        for (const struct kp_op *op = outlet->ops + section->first, *end = op + section->count; op < end; op++) {
            bool ok = true;

            if (gone && come && op->kind == KP_CELL_COUNT)
                continue;
            if (gone)
                ok = put(engine, op->kind, row->words + op->word, gone, false);
            if (come)
                ok &= put(engine, op->kind, row->words + op->word, come, true);
            engine->memory_out += !ok;
        }
        at = kp_store_node(store, at)->parent;
    }
}

void kp_engine_fill(struct kp_engine *engine, const struct kp_plan_outlet *outlet, const struct kp_section *section,
                    const struct kp_trace *trace, const bool *but)
{
    struct kp_store *store = &engine->store;
    struct kp_rows *rows = &store->rows[section->family];
    uint32_t own;
    int list = section->family - engine->plan->dims[section->dim].first_family;

    if (!kp_rows_reserve(rows, KP_DEPTH_MAX)) {
        engine->memory_out++;
        return;
    }
    own = trace->node == KP_NO_NODE ? KP_NO_NODE : kp_store_own(store, trace->node);
    for (uint32_t at = rows->family->grids[0].gauge ? own : trace->node; at != KP_NO_NODE;) {
        struct kp_node_hot *hot = kp_store_node(store, at == trace->node ? own : at);
        struct kp_row *row = kp_list_row(rows, &hot->lists[list], hot->clock, trace->time);

        if (!row)
            return;
        for (const struct kp_op *op = outlet->ops + section->first, *end = op + section->count; op < end; op++)
            if (!but[kp_plan_cell_at(rows->family, op->word)])
                engine->memory_out += !put(engine, op->kind, row->words + op->word, trace, true);
        at = kp_store_node(store, at)->parent;
    }
}

/* The nodes of a way have changed: KPIs of a set. */
static inline void touch_way(struct kp_engine *engine, uint64_t rule_levels, uint16_t feeds, const struct kp_way *way)
{
    for (int i = 0; i < way->n; i++) {
        way->hot[i]->flags |= KP_NODE_CHANGED;
        if (rule_levels >> way->hot[i]->level & 1)
            kp_alerts_touch(engine->alerts, i ? way->hot[i - 1]->parent : way->node, feeds);
    }
}

static void touch(struct kp_engine *engine, uint64_t rule_levels, uint16_t feeds, uint32_t node)
{
    struct kp_way way;

    kp_way_climb(&engine->store, node, &way);
    touch_way(engine, rule_levels, feeds, &way);
}

/* So that it can be said which events a number is made of. */
static void note(struct kp_engine *engine, const struct kp_trace *trace, bool gone)
{
    uint16_t counts = kp_match_outlet(engine->match, trace->outlet);
    char text[KP_KEY_MAX];
    struct kp_str id = {text, kp_mark_text(&trace->mark, trace->is_long, text)};

    kp_recent_add(engine->recent, &engine->store, kp_match_feeds(engine->match), kp_store_own(&engine->store, trace->node), id, trace->mark.time, counts, gone);
}

/* An entity stands somewhere since another time, or is credited to somebody else. */
void kp_engine_stand(struct kp_engine *engine, const struct kp_trace *gone, const struct kp_trace *come)
{
    const struct kp_trace *trace = come ? come : gone;
    const struct kp_standing at = {trace->outlet, trace->dim, kp_entities_current(engine->entities),
                                   come && come->node != KP_NO_NODE ? kp_store_own(&engine->store, come->node) : KP_NO_NODE, trace->time};

    kp_alerts_stands(engine->alerts, &at, engine->now_ms);
}

/* Is the node marked already, by the event that a sample comes of? */
static bool is_touched(struct kp_engine *engine, const struct kp_plan_outlet *outlet, uint16_t feeds, uint32_t node)
{
    return node == engine->touched && !(outlet->rule_levels & ~engine->touched_levels) &&
           kp_feeds_union(kp_match_feeds(engine->match), engine->touched_feeds, feeds) == engine->touched_feeds;
}

/* Samples of an entity come and go. The event's own key is marked anyway. */
static void change(void *ctx, const struct kp_trace *gone, const struct kp_trace *come)
{
    struct kp_engine *engine = ctx;
    const struct kp_trace *trace = come ? come : gone;
    const struct kp_plan_outlet *outlet = &engine->plan->outlets[trace->outlet];
    bool same_event = gone && come && memcmp(&gone->mark, &come->mark, sizeof gone->mark) == 0;
    bool same_value = gone && come && gone->value == come->value;
    uint16_t feeds;

    if (outlet->part == KP_PART_SINCE) {
        kp_engine_stand(engine, gone, come);
        return;
    }
    if (gone && !same_event)
        note(engine, gone, true);
    if (come && !same_event)
        note(engine, come, false);
    for (int i = 0; i < outlet->nsections && !same_value; i++) {
        const struct kp_section *section = &outlet->sections[i];

        if (section->dim != trace->dim)
            continue;
        if (kp_rows_reserve(&engine->store.rows[section->family], KP_DEPTH_MAX))
            change_section(engine, outlet, section, trace, gone, come);
        else
            engine->memory_out++;
    }
    if (same_value)
        return;
    engine->version++;
    feeds = kp_match_outlet(engine->match, trace->outlet);
    if (!is_touched(engine, outlet, feeds, trace->node))
        touch(engine, outlet->rule_levels, feeds, trace->node);
    if (trace->node != KP_NO_NODE && kp_store_own(&engine->store, trace->node) != trace->node)
        touch(engine, outlet->rule_levels, feeds, kp_store_own(&engine->store, trace->node));
}

/* Over all that is a place of its own: see track.c. */
static int64_t kept_hash(uint64_t hash)
{
    return (int64_t)(hash >> 1 | 2);
}

static void follow(struct kp_engine *engine, const struct kp_program *program, const struct kp_event *ev,
                   const struct kp_lane *lane, const uint32_t nodes[KP_DIMS_MAX], const struct kp_sample *samples,
                   struct kp_str id, int64_t time_ms)
{
    for (uint32_t i = 0; i < program->nfollows; i++) {
        const struct kp_follow *f = &program->follows[i];
        const struct kp_plan_space *space = &engine->plan->spaces[f->space];
        struct kp_occurrence *o;
        struct kp_print print;

        if (!kp_event_has(ev, space->slot))
            continue;
        o = kp_entities_blank(engine->entities, f->space, id);
        o->mark.time = time_ms;
        o->bits |= f->bits;
        for (int v = 0; v < space->nvalues; v++)
            if (samples[f->values[v]].ok)
                o->tail[v] = space->hashes >> v & 1 ? kept_hash(samples[f->values[v]].hash) : samples[f->values[v]].micro;
        for (int d = 0; d < space->ndims; d++)
            kp_occurrence_nodes(space, o)[d] = nodes[space->dims[d]];
        print = i < lane->nentities && program == lane->program
                    ? lane->entities[i]
                    : kp_entity_print(engine->entities, f->space, &ev->v[space->slot]);
        if (!kp_entities_tell(engine->entities, f->space, print, &ev->v[space->slot], engine->keep_from))
            engine->memory_out++;
    }
}

static void add(struct kp_engine *engine, const struct kp_program *program, const struct kp_event *ev,
                const struct kp_lane *lane, const uint32_t nodes[KP_DIMS_MAX], int64_t time_ms)
{
    const struct kp_section *section = program->sections, *end = section + program->nsections;
    uint64_t tie = lane->has_id ? lane->id.hi : 0;
    struct kp_sample samples[KP_SAMPLES_MAX];
    struct kp_str id = {"", 0};

    kp_samples_take(&engine->sampler, program, ev, lane->has_hash && program == lane->program ? &lane->hash : NULL, samples);
    if (kp_event_has(ev, KP_SLOT_ID))
        id = (struct kp_str){ev->v[KP_SLOT_ID].s, ev->v[KP_SLOT_ID].len};
    for (int d = 0; d < engine->plan->ndims; d++) {     /* sections are in the order of their dimensions */
        const struct kp_way *way = &lane->way;
        struct kp_way other;

        if (!(program->dims >> d & 1))
            continue;
        if (nodes[d] == KP_NO_NODE) {
            for (; section < end && section->dim == d; section++)
                ;
            continue;
        }
        if (!way->n || nodes[d] != way->node) {
            kp_way_climb(&engine->store, nodes[d], &other);
            way = &other;
        }
        for (; section < end && section->dim == d; section++)
            add_section(engine, program, section, way, samples, time_ms, tie);
        touch_way(engine, program->rule_levels, program->feeds, way);
        if (engine->plan->silence_levels)
            kp_alerts_heard(engine->alerts, nodes[d], program->feeds, time_ms);
        if (program->counts)
            kp_recent_add(engine->recent, &engine->store, kp_match_feeds(engine->match), nodes[d], id, time_ms,
                          program->counts, false);
    }
    engine->touched = nodes[0];
    engine->touched_levels = program->rule_levels;
    engine->touched_feeds = program->feeds;
    follow(engine, program, ev, lane, nodes, samples, id, time_ms);
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
                                 const struct kp_lane *lane, uint32_t nodes[KP_DIMS_MAX])
{
    const struct kp_plan *plan = engine->plan;

    for (int d = 0; d < plan->ndims; d++)
        nodes[d] = KP_NO_NODE;
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

        if (!(program->dims >> d & 1))
            continue;
        len = kp_store_group_key(&plan->dims[d], ev, key);
        if (len == 0)
            continue;
        if (len <= KP_GROUP_KEY_MAX)
            nodes[d] = kp_store_find_group(&engine->store, d, (struct kp_str){key, (uint32_t)len});
        if (len <= KP_GROUP_KEY_MAX && nodes[d] == KP_NO_NODE) {
            if (!kp_text_ok((struct kp_str){key, (uint32_t)len}))
                return KP_BAD_FIELD;
            nodes[d] = kp_store_group(&engine->store, d, (struct kp_str){key, (uint32_t)len});
        }
        if (nodes[d] == KP_NO_NODE || !settle_in(engine, nodes[d]))
            return KP_LIMIT;
    }
    return KP_ACCEPTED;
}

/* Rows for n events. */
static inline bool reserve(struct kp_engine *engine, const struct kp_program *program, uint32_t n)
{
    for (uint32_t i = 0; i < program->nsections; i++)
        if (!kp_rows_reserve(&engine->store.rows[program->sections[i].family], n * KP_DEPTH_MAX))
            return false;
    return true;
}

/* ---- Who is heard of ---- */

static bool begins(const struct kp_value *text, const char *with, size_t len)
{
    return text->len >= len && memcmp(text->s, with, len) == 0;
}

static bool is_own_type(const struct kp_event *ev)
{
    const struct kp_value *type = &ev->v[KP_SLOT_TYPE];

    return type->len > 5 && type->s[0] == 'k' && begins(type, "kpid.", 5);  /* none of the usual types gets to the second */
}

/* Which KPIs have no data is a matter of all keys, and of their alerts. */
static void look_at_sources(struct kp_engine *engine)
{
    if (!kp_sources_at(engine->sources, engine->now_ms))
        return;
    for (uint32_t node = 0; node < engine->store.made; node++) {
        kp_store_node(&engine->store, node)->flags |= KP_NODE_CHANGED;
        kp_alerts_touch(engine->alerts, node, KP_FEEDS_ALL);
    }
    kp_alerts_sources_changed(engine->alerts);
}

/* A source lives: by any event of it, also one that counts nothing. */
static void hear(struct kp_engine *engine, const struct kp_event *ev, int source, int64_t at, int64_t now_ms)
{
    const struct kp_value *covered = &ev->v[engine->covered_slot];
    int64_t until;

    kp_sources_heard(engine->sources, source, engine->config->event_clock ? at : now_ms);
    if (ev->v[KP_SLOT_TYPE].len != 14 || !begins(&ev->v[KP_SLOT_TYPE], "kpid.heartbeat", 14) ||
        !kp_event_has(ev, engine->covered_slot))
        return;
    if (covered->kind == KP_STR ? kp_rfc3339_parse(covered->s, covered->len, &until)
                                : covered->kind == KP_INT && covered->i >= 0 && (until = covered->i, true))
        kp_sources_covered(engine->sources, source, until < now_ms ? until : now_ms);
}

/* ---- One event ---- */

static void look_at_all(struct kp_engine *engine)
{
    while (kp_alerts_settle(engine->alerts, engine->now_ms, SIZE_MAX))
        ;
}

void kp_engine_set_now(struct kp_engine *engine, int64_t t)
{
    if (engine->now_ms == INT64_MIN)
        kp_alerts_begin(engine->alerts, t);
    engine->now_ms = t;
    kp_plan_at(engine->plan, t);
    kp_targets_at(engine->targets, t);
    engine->keep_from = kp_plan_keep_from(engine->plan);
    kp_silences_at(engine->silences, t);
    look_at_sources(engine);
}

/* When time alone makes a sample, a source falls silent, or a silence begins or ends. */
static int64_t changes_due(const struct kp_engine *engine)
{
    int64_t entities = engine->entities ? kp_entities_due(engine->entities) : INT64_MAX;
    int64_t sources = kp_sources_due(engine->sources), silences = kp_silences_due(engine->silences);
    int64_t due = entities < sources ? entities : sources;

    return due < silences ? due : silences;
}

/* Samples that come of time alone. True: there are more. */
static bool ripen(struct kp_engine *engine, size_t most)
{
    engine->touched = KP_NO_NODE;
    return engine->entities && kp_entities_ripen(engine->entities, engine->now_ms, engine->keep_from, most);
}

/* Move event time to t: first what was touched until now, then what is due on the way, each at its own instant. */
static void advance(struct kp_engine *engine, int64_t t)
{
    if (t <= engine->now_ms)
        return;
    while (engine->now_ms != INT64_MIN) {
        int64_t due = changes_due(engine);

        look_at_all(engine);
        kp_alerts_run_before(engine->alerts, due < t ? due : t);
        if (due >= t)
            break;
        kp_engine_set_now(engine, due);
        ripen(engine, SIZE_MAX);
    }
    kp_engine_set_now(engine, t);
    ripen(engine, SIZE_MAX);
}

/* The lane's program, as long as it is not gone; NULL: out of memory. */
static inline const struct kp_program *program_of(struct kp_engine *engine, const struct kp_event *ev, const struct kp_lane *lane)
{
    return lane->program && lane->round == kp_match_round(engine->match) ? lane->program : kp_match_event(engine->match, ev);
}

/* Is the event to be counted: when, and for whom? */
static inline enum kp_reason admit(struct kp_engine *engine, const struct kp_event *ev, struct kp_lane *lane, int64_t now_ms)
{
    const struct kp_program *program;
    enum kp_reason reason;
    int64_t at;

    lane->counts = false;
    if (engine->config->event_clock) {
        if (ev->has_time)
            advance(engine, ev->time_ms);
        now_ms = engine->now_ms;
        if (now_ms == INT64_MIN)
            return KP_BAD_TIME;     /* no time of its own, and no event has told any */
    }
    at = lane->at = ev->has_time ? ev->time_ms : now_ms;
    if (lane->source >= 0)
        hear(engine, ev, lane->source, at, now_ms);
    if (lane->has_id && kp_dedup_seen(engine->dedup, lane->id, now_ms))
        return KP_DUPLICATE;
    if (!engine->config->event_clock && at > now_ms + engine->config->allowed_future_ms)
        return KP_FUTURE;
    if (is_own_type(ev))
        return KP_ACCEPTED;
    if (at < engine->keep_from)
        return KP_TOO_LATE;
    program = program_of(engine, ev, lane);
    if (!program || !reserve(engine, program, KP_TOGETHER))     /* all are admitted before the first is counted */
        return KP_LIMIT;
    reason = find_nodes(engine, program, ev, lane, lane->nodes);
    if (reason != KP_ACCEPTED)
        return reason;
    if (lane->has_id)
        kp_dedup_add(engine->dedup, lane->id, now_ms);
    if (lane->source >= 0)
        kp_sources_feeds(engine->sources, lane->source, program->feeds,
                         kp_feeds_bits(kp_match_feeds(engine->match), program->feeds));
    lane->counts = program->nsections || program->nfollows;
    return KP_ACCEPTED;
}

static inline void count(struct kp_engine *engine, const struct kp_event *ev, const struct kp_lane *lane)
{
    const struct kp_program *program = program_of(engine, ev, lane);

    /* That there was room when it was admitted does not help when entities took it since. */
    if (!program || !reserve(engine, program, 1)) {
        engine->memory_out++;
        return;
    }
    if (program->nsections && lane->at < engine->plan->families[program->sections[0].family].grids[0].cell_from)
        engine->late++;
    if (lane->at < engine->data_from || lane->at < engine->now_ms - KP_DAY_MS) {
        engine->data_from = lane->at < engine->data_from ? lane->at : engine->data_from;
        kp_alerts_past(engine->alerts, lane->at);
    }
    add(engine, program, ev, lane, lane->nodes, lane->at);
}

/* At most KP_TOGETHER. Short loops instead of one: see kp_engine_fetch. By event time each event may move the time of the next. */
static void apply(struct kp_engine *engine, const struct kp_event *const *events, size_t n, enum kp_reason *reasons)
{
    struct kp_lane *lanes = engine->lanes;
    size_t step = engine->config->event_clock ? 1 : n;

    kp_engine_fetch(engine, events, n);
    for (size_t from = 0; from < n; from += step) {
        for (size_t i = from; i < from + step; i++) {
            reasons[i] = admit(engine, events[i], &lanes[i], engine->now_ms);
            engine->by_reason[reasons[i]]++;
        }
        for (size_t i = from; i < from + step; i++)
            if (lanes[i].counts)
                count(engine, events[i], &lanes[i]);
    }
    if (kp_sources_stale(engine->sources))
        look_at_sources(engine);
}

void kp_engine_apply(struct kp_engine *engine, const struct kp_event *const *events, size_t n, int64_t now_ms,
                     enum kp_reason *reasons)
{
    if (!engine->config->event_clock && now_ms > engine->now_ms) {
        kp_engine_set_now(engine, now_ms);
    }
    engine->version++;
    while (n) {
        size_t part = n < KP_TOGETHER ? n : KP_TOGETHER;

        apply(engine, events, part, reasons);
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
        kp_engine_set_now(engine, now_ms);
    }
    if (engine->now_ms == INT64_MIN)
        return false;
    more = ripen(engine, most);
    return kp_alerts_settle(engine->alerts, engine->now_ms, most) || more;
}

int64_t kp_engine_due(const struct kp_engine *engine)
{
    int64_t alerts = kp_alerts_due(engine->alerts), changes = changes_due(engine);

    return alerts < changes ? alerts : changes;
}

int64_t kp_engine_now(const struct kp_engine *engine)
{
    return engine->now_ms;
}

