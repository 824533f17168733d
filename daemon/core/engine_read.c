/* What the engine answers: keys, numbers, counts. */
#include "engine_inside.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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
            view->status = kp_sources_no_data(engine->sources, k)
                               ? KP_STATUS_NO_DATA
                               : status_of(engine, kpi->pairs[i], hot->level, view->number, view->target);
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
    stats->currency_unknown = engine->sampler.currency_unknown;
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
    return engine->sampler.missing[kpi];
}

uint64_t kp_engine_out_of_range(const struct kp_engine *engine, size_t kpi)
{
    return engine->sampler.out_of_range[kpi];
}
