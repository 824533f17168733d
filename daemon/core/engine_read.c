/* What the engine answers: keys, numbers, counts. */
#include "engine_inside.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { EXPLAIN_LOOK = 65536 };    /* events remembered that are looked at for each part of a number */

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
        kp_store_is_kept(&engine->store, node) ||
        kp_store_cold(&engine->store, node)->nchildren || kp_store_node(&engine->store, node)->held || !kp_alerts_idle(engine->alerts, node))
        return false;
    kp_alerts_leave(engine->alerts, node);      /* of a former place there are none */
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

uint32_t kp_engine_find(const struct kp_engine *engine, int level, struct kp_str key)
{
    uint32_t node = kp_store_find(&engine->store, level, key);

    return node != KP_NO_NODE && kp_store_visible(&engine->store, node) ? node : KP_NO_KEY;
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

size_t kp_engine_topic_part(struct kp_str part, char *buf, size_t at, size_t size)
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
    at = kp_engine_topic_part((struct kp_str){kind, (uint32_t)strlen(kind)}, buf, 0, size);
    for (size_t i = 0; i < place.npath; i++)
        at = kp_engine_topic_part(place.path[i], buf, at, size);
    buf[at] = '\0';
    return at;
}

/* ---- Numbers ---- */

static enum kp_status status_of(const struct kp_engine *engine, int pair, uint32_t node, struct kp_number number)
{
    int level = kp_store_node(&engine->store, node)->level;
    const struct kp_plan *plan = engine->plan;
    enum kp_status worst = KP_STATUS_NONE;

    for (int i = 0; i < plan->nlevel_rules[level]; i++) {
        const struct kp_plan_rule *rule = &plan->rules[plan->level_rules[level][i]];
        enum kp_status status = rule->pair == pair && engine->now_ms != INT64_MIN
                                    ? kp_alerts_status(engine->alerts, rule, node, number, engine->now_ms)
                                    : KP_STATUS_NONE;

        if (status > worst)
            worst = status;
    }
    return worst;
}

/* Read the node, and take its peers for ranks. */
static bool take_numbers(struct kp_engine *engine, uint32_t node, uint32_t pass)
{
    bool ranked;

    if (engine->now_ms == INT64_MIN)
        return false;
    ranked = kp_ranks_take(engine->ranks, node, engine->now_ms, engine->version, pass);
    /* What has changed by time alone since it was published still is to be. */
    if (kp_engine_changed(engine, node))
        kp_store_node(&engine->store, node)->flags |= KP_NODE_CHANGED;
    kp_store_node(&engine->store, node)->stale_at = kp_read_node(&engine->reader, node, engine->now_ms);
    return ranked && !kp_rank_is_nobody(&engine->reader, node);
}

/* What an empty window says, before there is any time that one could lie in. */
static struct kp_number nothing_yet(enum kp_agg agg)
{
    return (struct kp_number){.has = agg == KP_AGG_COUNT || agg == KP_AGG_SUM || agg == KP_AGG_DISTINCT};
}

static void view(struct kp_engine *engine, uint32_t node, int p, bool ranked, struct kp_cell_view *view)
{
    const struct kp_plan_pair *pair = &engine->plan->pairs[p];
    const struct kp_kpi_cfg *cfg = engine->plan->kpis[pair->kpi].cfg;
    struct kp_rank rank = {0, 0};

    view->kpi = cfg;
    view->window = pair->window;
    view->is_now = engine->plan->kpis[pair->kpi].is_now;
    view->may_fall = engine->plan->kpis[pair->kpi].may_fall;
    view->number = engine->now_ms == INT64_MIN ? nothing_yet(cfg->agg) : engine->reader.numbers[p];
    view->target = kp_target_of(engine->targets, node, pair->target);
    view->expected = kp_target_expected(engine->targets, node, pair->target);
    if (ranked)
        rank = kp_ranks_of(engine->ranks, node, p, view->number.value, view->number.has, cfg->better);
    view->rank = rank.rank;
    view->of = rank.of;
    view->status = kp_sources_no_data(engine->sources, pair->kpi) ? KP_STATUS_NO_DATA
                                                                  : status_of(engine, p, node, view->number);
}

size_t kp_engine_read(struct kp_engine *engine, uint32_t node, uint32_t pass, const struct kp_cell_view **cells)
{
    const struct kp_plan *plan = engine->plan;
    int dim = kp_plan_dim_of(plan, kp_store_node(&engine->store, node)->level);
    bool ranked = take_numbers(engine, node, pass);
    size_t n = 0;

    for (int k = 0; k < plan->nkpis; k++) {
        const struct kp_plan_kpi *kpi = &plan->kpis[k];

        for (int i = 0; kpi->dim == dim && i < kpi->npairs; i++)
            if (plan->pairs[kpi->pairs[i]].shown)
                view(engine, node, kpi->pairs[i], ranked, &engine->views[n++]);
    }
    *cells = engine->views;
    return n;
}

size_t kp_engine_read_closed(struct kp_engine *engine, uint32_t node, const struct kp_cell_view **cells)
{
    const struct kp_plan *plan = engine->plan;
    int dim = kp_plan_dim_of(plan, kp_store_node(&engine->store, node)->level);
    size_t n = 0;

    if (engine->now_ms != INT64_MIN)
        kp_read_closed(&engine->reader, node, engine->now_ms);
    for (int p = 0; p < plan->npairs && engine->now_ms != INT64_MIN; p++)
        if (plan->kpis[plan->pairs[p].kpi].dim == dim && plan->pairs[p].kept)
            view(engine, node, p, false, &engine->views[n++]);
    *cells = engine->views;
    return n;
}

bool kp_engine_period(const struct kp_engine *engine, uint32_t node, const struct kp_window *window, int64_t *from, int64_t *to)
{
    const struct kp_zone *zone = engine->plan->clocks[kp_store_node(&engine->store, node)->clock].zone;
    int week_start = engine->config->week_start;

    if (window->kind != KP_WIN_CALENDAR || engine->now_ms == INT64_MIN)
        return false;
    *from = kp_period_start(zone, window->period, week_start, engine->now_ms, -window->back);
    *to = kp_period_start(zone, window->period, week_start, engine->now_ms, 1 - window->back);
    return true;
}

bool kp_engine_day_ends(const struct kp_engine *engine, int64_t until_ms)
{
    for (int c = 0; c < engine->plan->nclocks && engine->now_ms != INT64_MIN; c++)
        if (kp_period_start(engine->plan->clocks[c].zone, KP_PER_DAY, engine->config->week_start, engine->now_ms, 1) <= until_ms)
            return true;
    return false;
}

uint32_t kp_engine_pass(struct kp_engine *engine)
{
    if (++engine->passes == 0)
        engine->passes++;       /* 0 is no pass */
    return engine->passes;
}

/* ---- Where a number comes from ---- */

static void add_parts(const struct kp_engine *engine, int p, int depth, struct kp_explanation *why)
{
    const struct kp_plan_kpi *kpi = &engine->plan->kpis[engine->plan->pairs[p].kpi];
    const int *operands;
    size_t n = kpi->formula ? kp_formula_operands(kpi->formula, &operands) : 0;

    for (size_t i = 0; i < n; i++) {
        int part = engine->plan->pairs[p].operands[i];

        if (why->nparts == KP_EXPLAIN_PARTS) {
            why->more_parts = true;
            return;
        }
        why->parts[why->nparts++] = (struct kp_explain_part){engine->plan->kpis[operands[i]].cfg, engine->reader.numbers[part], depth};
        add_parts(engine, part, depth + 1, why);
    }
}

/* The bounds of a pair's window by the node's clock: those of the first operand, where it is a formula. */
static void find_bounds(const struct kp_engine *engine, int p, int clock, struct kp_explanation *why)
{
    const struct kp_plan *plan = engine->plan;
    const struct kp_plan_kpi *kpi = &plan->kpis[plan->pairs[p].kpi];
    const struct kp_family *fam;
    const int *operands;

    if (kpi->formula) {
        if (kp_formula_operands(kpi->formula, &operands))
            find_bounds(engine, plan->pairs[p].operands[0], clock, why);
        return;
    }
    fam = &plan->families[kpi->family].grids[clock];
    if (fam->gauge)
        return;
    why->from_ms = fam->from[plan->pairs[p].family_window];
    why->to_ms = fam->to[plan->pairs[p].family_window];
}

/* -1: it has no such window. */
static int find_pair(const struct kp_engine *engine, int kpi, struct kp_str window)
{
    const struct kp_plan_kpi *known = &engine->plan->kpis[kpi];

    for (int i = 0; i < known->npairs; i++) {
        const struct kp_plan_pair *pair = &engine->plan->pairs[known->pairs[i]];
        const char *text = pair->window->text;

        if (!pair->spare && strlen(text) == window.len && memcmp(text, window.s, window.len) == 0)
            return known->pairs[i];
    }
    return -1;
}

enum kp_code kp_engine_explain(struct kp_engine *engine, uint32_t node, int kpi, struct kp_str window,
                               struct kp_explanation *why, struct kp_err *err)
{
    const struct kp_plan *plan = engine->plan;
    const struct kp_node_hot *hot = kp_store_node(&engine->store, node);
    struct kp_recent_event events[KP_EXPLAIN_EVENTS];
    int p = find_pair(engine, kpi, window);
    bool ranked;

    memset(why, 0, sizeof *why);
    why->from_ms = INT64_MIN;
    why->to_ms = INT64_MAX;
    if (plan->kpis[kpi].dim != kp_plan_dim_of(plan, hot->level))
        return kp_fail(err, KP_EINVAL, "%s is not a KPI of this level", plan->kpis[kpi].cfg->name);
    if (p < 0)
        return kp_fail(err, KP_EINVAL, "%s has no window \"%.*s\"", plan->kpis[kpi].cfg->name,
                       (int)(window.len < 40 ? window.len : 40), window.s);
    ranked = take_numbers(engine, node, 0);
    view(engine, node, p, ranked, &why->cell);
    add_parts(engine, p, 1, why);
    if (engine->now_ms == INT64_MIN)
        return KP_OK;
    find_bounds(engine, p, hot->clock, why);
    why->nevents = kp_recent_find(engine->recent, &engine->store, kp_match_feeds(engine->match), node, kpi, why->from_ms,
                                  why->to_ms, events, KP_EXPLAIN_EVENTS, EXPLAIN_LOOK);
    for (size_t i = 0; i < why->nevents; i++)
        why->events[i] = (struct kp_explain_event){events[i].id, events[i].time_ms};
    return KP_OK;
}

void kp_engine_alerts(struct kp_engine *engine, void (*each)(void *ctx, const struct kp_alert *alert), void *ctx)
{
    if (engine->now_ms != INT64_MIN)
        kp_alerts_each(engine->alerts, engine->now_ms, each, ctx);
}

void kp_engine_source(const struct kp_engine *engine, size_t i, struct kp_source_view *view)
{
    kp_sources_view(engine->sources, i, view);
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
    stats->currency_unknown = engine->sampler.currency_unknown;
    stats->memory_out = engine->memory_out;
    for (int f = 0; f < engine->plan->nfamilies; f++) {
        stats->rows += kp_rows_used(&engine->store.rows[f]);
        stats->memory_out += engine->store.rows[f].missed;
    }
    stats->evaluations = alerts.evaluations;
    stats->pending = alerts.pending;
    stats->firing = alerts.firing;
    stats->leaps_cut = alerts.leaps_cut;
    stats->silences = kp_silences_count(engine->silences);
    stats->silences_refused = kp_silences_refused(engine->silences);
    stats->acks = kp_acks_count(engine->acks);
    stats->acks_refused = kp_acks_refused(engine->acks);
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
    stats->bytes_alerts = alerts.bytes + kp_silences_bytes(engine->silences) + kp_acks_bytes(engine->acks);
    stats->bytes_recent = kp_recent_bytes(engine->recent);
}

size_t kp_engine_kpis(const struct kp_engine *engine)
{
    return engine->config->nkpis;
}

uint64_t kp_engine_missing(const struct kp_engine *engine, size_t kpi)
{
    return engine->sampler.missing[kpi];
}

uint64_t kp_engine_out_of_range(const struct kp_engine *engine, size_t kpi)
{
    return engine->sampler.out_of_range[kpi];
}
