#include "alert_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Watches ---- */

struct kp_alerts *kp_alerts_new(struct kp_store *store, struct kp_targets *targets, const struct kp_sources *sources,
                                struct kp_reader *reader, struct kp_recent *recent, struct kp_feeds *feeds,
                                const struct kp_entities *entities, const struct kp_hush *hush, struct kp_engine *engine,
                                const struct kp_alert_sink *sink, struct kp_err *err)
{
    struct kp_alerts *alerts = calloc(1, sizeof *alerts);

    if (!alerts) {
        kp_fail(err, KP_ENOMEM, "alerts: out of memory");
        return NULL;
    }
    alerts->store = store;
    alerts->targets = targets;
    alerts->sources = sources;
    alerts->reader = reader;
    alerts->recent = recent;
    alerts->feeds = feeds;
    alerts->entities = entities;
    alerts->hush = *hush;
    alerts->engine = engine;
    if (sink)
        alerts->sink = *sink;
    alerts->began_ms = INT64_MIN;
    alerts->data_from_ms = INT64_MAX;
    for (int i = 0; i <= KP_LEVEL_IDS_MAX; i++)
        alerts->free[i] = KP_NO_WATCH;
    alerts->peers = kp_peers_new(store->plan, err);
    if (!alerts->peers || kp_rule_map_init(&alerts->crowds, store->plan->nrules, err) ||
        kp_rule_map_init(&alerts->standing, store->plan->nrules, err))
        kp_alerts_destroy(&alerts);
    return alerts;
}

void kp_alerts_rebind(struct kp_alerts *alerts, struct kp_recent *recent)
{
    alerts->recent = recent;
}

void kp_alerts_destroy(struct kp_alerts **alerts)
{
    struct kp_alerts *a = *alerts;

    if (!a)
        return;
    for (uint32_t i = 0; i < a->made; i++)
        free(kp_watch_of(a, i)->baseline);
    for (uint32_t i = 0; i < a->nchunks; i++)
        free(a->chunks[i]);
    kp_peers_destroy(&a->peers);
    kp_flaps_release(&a->flaps);
    kp_rule_map_release(&a->crowds);
    kp_rule_map_release(&a->standing);
    free(a->stirred);
    free(a->chunks);
    free(a->active);
    free(a->queue);
    free(a->fed);
    kp_heap_release(&a->heap);
    free(a);
    *alerts = NULL;
}

static bool add_chunk(struct kp_alerts *alerts)
{
    struct kp_watch **grown = realloc(alerts->chunks, ((size_t)alerts->nchunks + 1) * sizeof(*grown));

    if (!grown)
        return false;
    alerts->chunks = grown;
    grown[alerts->nchunks] = calloc(KP_WATCH_CHUNK, sizeof **grown);
    if (!grown[alerts->nchunks] || !kp_heap_reserve(&alerts->heap, (alerts->nchunks + 1) * KP_WATCH_CHUNK)) {
        free(grown[alerts->nchunks]);
        return false;
    }
    alerts->nchunks++;
    return true;
}

/* A block of n states in one chunk; KP_NO_WATCH: out of memory. */
static uint32_t take_block(struct kp_alerts *alerts, int level, uint32_t n)
{
    uint32_t first = alerts->free[level];

    if (first != KP_NO_WATCH) {
        alerts->free[level] = kp_watch_of(alerts, first)->node;
        return first;
    }
    first = alerts->made;
    if ((first & (KP_WATCH_CHUNK - 1)) + n > KP_WATCH_CHUNK)
        first = (first | (KP_WATCH_CHUNK - 1)) + 1;
    if (first + n > alerts->nchunks * KP_WATCH_CHUNK && !add_chunk(alerts))
        return KP_NO_WATCH;
    alerts->made = first + n;
    return first;
}

static void clear(struct kp_watch *w, uint16_t rule, uint32_t node, enum kp_watch_kind kind)
{
    *w = (struct kp_watch){.node = node, .rule = rule, .kind = (uint8_t)kind, .active = KP_NO_WATCH, .p = (double)NAN,
                           .given = (double)NAN, .turns_at = (double)NAN, .seen_ms = INT64_MIN, .good_ms = INT64_MIN};
}

uint32_t kp_watch_take(struct kp_alerts *alerts, uint16_t rule, uint32_t node, enum kp_watch_kind kind)
{
    uint32_t i = take_block(alerts, KP_LEVEL_IDS_MAX, 1);

    if (i != KP_NO_WATCH)
        clear(kp_watch_of(alerts, i), rule, node, kind);
    return i;
}

static void take_leave(struct kp_alerts *alerts, uint32_t i)
{
    struct kp_watch *w = kp_watch_of(alerts, i);

    kp_heap_set(&alerts->heap, i, INT64_MAX);
    kp_flaps_give_back(&alerts->flaps, w->flaps);
    free(w->baseline);
    w->baseline = NULL;
}

void kp_watch_give_back(struct kp_alerts *alerts, uint32_t i)
{
    take_leave(alerts, i);
    kp_watch_of(alerts, i)->kind = KP_WATCH_FREE;
    kp_watch_of(alerts, i)->node = alerts->free[KP_LEVEL_IDS_MAX];
    alerts->free[KP_LEVEL_IDS_MAX] = i;
}

static bool reserve_fed(struct kp_alerts *alerts, uint32_t node)
{
    uint32_t room = alerts->fed_room ? alerts->fed_room : 1024;
    uint16_t *grown;

    if (node < alerts->fed_room)
        return true;
    while (room <= node)
        room *= 2;
    grown = realloc(alerts->fed, (size_t)room * sizeof *grown);
    if (!grown)
        return false;
    alerts->fed = grown;
    alerts->fed_room = room;
    return true;
}

bool kp_alerts_enter(struct kp_alerts *alerts, uint32_t node)
{
    struct kp_node_hot *hot = kp_store_node(alerts->store, node);
    const struct kp_plan *plan = kp_alerts_plan(alerts);
    uint32_t n = (uint32_t)plan->nlevel_rules[hot->level], first;

    if (n == 0 || hot->rules)
        return true;
    if (!reserve_fed(alerts, node))
        return false;
    first = take_block(alerts, hot->level, n);
    if (first == KP_NO_WATCH)
        return false;
    hot->rules = first + 1;
    for (uint32_t i = 0; i < n; i++) {
        clear(kp_watch_of(alerts, first + i), (uint16_t)plan->level_rules[hot->level][i], node, KP_WATCH_KEY);
        kp_heap_set(&alerts->heap, first + i, INT64_MIN);
    }
    return true;
}

bool kp_alerts_idle(const struct kp_alerts *alerts, uint32_t node)
{
    const struct kp_node_hot *hot = kp_store_node(alerts->store, node);

    if (hot->flags & KP_NODE_QUEUED)
        return false;
    for (int i = 0; hot->rules && i < kp_alerts_plan(alerts)->nlevel_rules[hot->level]; i++)
        if (kp_watch_of(alerts, hot->rules - 1 + (uint32_t)i)->state != KP_ALERT_INACTIVE)
            return false;
    return true;
}

void kp_alerts_leave(struct kp_alerts *alerts, uint32_t node)
{
    struct kp_node_hot *hot = kp_store_node(alerts->store, node);
    uint32_t first = hot->rules - 1;

    if (!hot->rules)
        return;
    for (int i = 0; i < kp_alerts_plan(alerts)->nlevel_rules[hot->level]; i++)
        take_leave(alerts, first + (uint32_t)i);
    kp_watch_of(alerts, first)->node = alerts->free[hot->level];
    alerts->free[hot->level] = first;
    hot->rules = 0;
}

void kp_alerts_forget(struct kp_alerts *alerts, uint32_t node, int64_t t)
{
    const struct kp_node_hot *hot = kp_store_node(alerts->store, node);

    for (int i = 0; hot->rules && i < kp_alerts_plan(alerts)->nlevel_rules[hot->level]; i++) {
        struct kp_watch *w = kp_watch_of(alerts, hot->rules - 1 + (uint32_t)i);

        if (kp_watch_rule(alerts, w)->cfg->compare == KP_CMP_PEERS)
            kp_peers_want(alerts, w, t);
        if (w->state != KP_ALERT_INACTIVE)
            kp_watch_resolve(alerts, w, kp_watch_number(alerts, w, t), t, "forgotten");
    }
    kp_alerts_leave(alerts, node);
}

/* ---- What was touched ---- */

static bool grow_queue(struct kp_alerts *alerts)
{
    uint32_t room = alerts->queue_room ? alerts->queue_room * 2 : 1024;
    uint32_t *grown = malloc((size_t)room * sizeof *grown);

    if (!grown)
        return false;
    for (uint32_t i = 0; i < alerts->queue_count; i++)
        grown[i] = alerts->queue[(alerts->queue_first + i) & (alerts->queue_room - 1)];
    free(alerts->queue);
    alerts->queue = grown;
    alerts->queue_first = 0;
    alerts->queue_room = room;
    return true;
}

void kp_alerts_touch(struct kp_alerts *alerts, uint32_t node, uint16_t feeds)
{
    struct kp_node_hot *hot = kp_store_node(alerts->store, node);

    if (!hot->rules)
        return;
    if (hot->flags & KP_NODE_QUEUED) {
        if (alerts->fed[node] != feeds)
            alerts->fed[node] = kp_feeds_union(alerts->feeds, alerts->fed[node], feeds);
        return;
    }
    if (alerts->queue_count == alerts->queue_room && !grow_queue(alerts)) {
        hot->flags |= KP_NODE_UNSEEN;       /* the next event on the key, or time, will see to it */
        return;
    }
    hot->flags |= KP_NODE_QUEUED;
    alerts->fed[node] = feeds;
    alerts->queue[(alerts->queue_first + alerts->queue_count++) & (alerts->queue_room - 1)] = node;
}

/* May what touched a node have changed for how long there is something to show of it, or whether there is, other than to longer?
 * What is open may close; and what comes back does so for all of its rules. */
static bool is_fleeting(const struct kp_plan *plan, const struct kp_node_hot *hot)
{
    const struct kp_plan_dim *dim = &plan->dims[kp_plan_dim_of(plan, hot->level)];

    if (hot->flags & (KP_NODE_MEMBER | KP_NODE_UNSEEN))
        return hot->flags & KP_NODE_UNSEEN;
    for (int f = dim->first_family; f < dim->first_family + dim->nfamilies; f++)
        if (plan->families[f].grids->gauge)
            return true;
    return false;
}

/* Does a rule look at more than its KPI and the time that its timer tells? What is usual changes with any event of the past, what
 * peers are held against with theirs, and a unit's target when a period begins by the clock of one of its members. */
static bool is_restless(const struct kp_plan *plan, const struct kp_plan_rule *rule)
{
    return rule->cfg->compare == KP_CMP_BASELINE || rule->cfg->compare == KP_CMP_PEERS ||
           (rule->target >= 0 && rule->level < plan->nlevels && plan->nclocks > 1);
}

/* Has an alert more to tell than how its number stands: how likely luck alone brings so little, as of the last look? */
static bool is_stirring(const struct kp_plan_rule *rule, const struct kp_watch *w)
{
    return rule->cfg->compare == KP_CMP_PACE && rule->cfg->confidence > 0 && w->state != KP_ALERT_INACTIVE;
}

static void look_at_node(struct kp_alerts *alerts, uint32_t node, int64_t t)
{
    const struct kp_plan *plan = kp_alerts_plan(alerts);
    struct kp_node_hot *hot = kp_store_node(alerts->store, node);
    uint16_t fed = is_fleeting(plan, hot) ? KP_FEEDS_ALL : alerts->fed[node];
    bool due = kp_heap_due(&alerts->heap) <= t;

    hot->flags &= (uint8_t)~(KP_NODE_QUEUED | KP_NODE_UNSEEN);
    for (int i = 0; hot->rules && i < plan->nlevel_rules[hot->level]; i++) {
        const struct kp_plan_rule *rule = &plan->rules[plan->level_rules[hot->level][i]];
        uint32_t watch = hot->rules - 1 + (uint32_t)i;

        /* What is due is looked at anyway, and so in one go with the others. */
        if (kp_feeds_has(alerts->feeds, fed, rule->kpi) || (due && kp_heap_due_of(&alerts->heap, watch) <= t) ||
            is_restless(plan, rule) || is_stirring(rule, kp_watch_of(alerts, watch)))
            kp_watch_touched(alerts, watch, t);
    }
}

/* ---- What was heard of ---- */

void kp_alerts_sources_changed(struct kp_alerts *alerts)
{
    for (uint32_t i = 0; i < alerts->made; i++) {
        uint8_t kind = kp_watch_of(alerts, i)->kind;

        if (kind == KP_WATCH_ENTITY || kind == KP_WATCH_CROWD)
            kp_heap_set(&alerts->heap, i, INT64_MIN);
    }
}

void kp_alerts_past(struct kp_alerts *alerts, int64_t time_ms)
{
    alerts->past++;
    if (time_ms < alerts->data_from_ms)
        alerts->data_from_ms = time_ms;
}

void kp_alerts_heard(struct kp_alerts *alerts, uint32_t node, uint16_t feeds, int64_t time_ms)
{
    const struct kp_plan *plan = kp_alerts_plan(alerts);

    for (uint32_t at = node; at != KP_NO_NODE; at = kp_store_node(alerts->store, at)->parent) {
        const struct kp_node_hot *hot = kp_store_node(alerts->store, at);

        for (int i = 0; hot->rules && (plan->silence_levels >> hot->level & 1) && i < plan->nlevel_rules[hot->level]; i++) {
            struct kp_watch *w = kp_watch_of(alerts, hot->rules - 1 + (uint32_t)i);
            const struct kp_plan_rule *rule = kp_watch_rule(alerts, w);

            if (rule->cfg->compare != KP_CMP_SILENCE || time_ms <= w->seen_ms || !kp_feeds_has(alerts->feeds, feeds, rule->kpi))
                continue;
            w->seen_ms = time_ms;
            if (w->state != KP_ALERT_INACTIVE)
                kp_alerts_touch(alerts, at, feeds);     /* else its timer will find that it was heard of */
        }
    }
}

/* ---- Time ---- */

void kp_alerts_begin(struct kp_alerts *alerts, int64_t t)
{
    alerts->began_ms = t;
}

int64_t kp_alerts_due(const struct kp_alerts *alerts)
{
    int64_t watches = kp_heap_due(&alerts->heap), peers = kp_peers_due(alerts->peers);

    return watches < peers ? watches : peers;
}

void kp_alerts_run_before(struct kp_alerts *alerts, int64_t t)
{
    int64_t at = INT64_MIN;

    for (uint32_t runs = 0;; runs++) {
        int64_t due = kp_alerts_due(alerts);

        if (due > at && alerts->nstirred && at != INT64_MIN) {
            kp_crowds_settle(alerts, at);
            due = kp_alerts_due(alerts);
        }
        if (due >= t || due == INT64_MIN)
            return;
        if (runs == kp_alerts_plan(alerts)->config->limits.leap) {
            alerts->leaps_cut++;
            return;
        }
        at = due;
        kp_plan_at(alerts->store->plan, due);
        kp_targets_at(alerts->targets, due);
        if (kp_heap_due(&alerts->heap) == due)
            kp_watch_look(alerts, kp_heap_pop(&alerts->heap), due);
        else
            kp_peers_look(alerts, due);
    }
}

bool kp_alerts_settle(struct kp_alerts *alerts, int64_t t, size_t most)
{
    for (; alerts->queue_count && most; most--) {
        uint32_t node = alerts->queue[alerts->queue_first];

        alerts->queue_first = (alerts->queue_first + 1) & (alerts->queue_room - 1);
        alerts->queue_count--;
        look_at_node(alerts, node, t);
    }
    for (; kp_heap_due(&alerts->heap) <= t && most; most--)
        kp_watch_look(alerts, kp_heap_pop(&alerts->heap), t);
    while (kp_peers_due(alerts->peers) <= t && most) {
        size_t looked = kp_peers_look(alerts, t);

        most -= looked < most ? looked : most;
    }
    if (alerts->queue_count || kp_alerts_due(alerts) <= t)
        return true;
    kp_crowds_settle(alerts, t);
    return false;
}

/* ---- Asking ---- */

struct listed {
    uint32_t state;
    uint16_t rule;
    char path[256];     /* to sort by; beyond that the order is that of the states */
};

static int by_rule_and_path(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    int order = (int)x->rule - (int)y->rule;

    order = order ? order : strcmp(x->path, y->path);
    return order ? order : (x->state > y->state) - (x->state < y->state);
}

void kp_alerts_each(struct kp_alerts *alerts, int64_t t, void (*each)(void *ctx, const struct kp_alert *alert), void *ctx)
{
    struct listed *list = calloc((size_t)alerts->nactive + 1, sizeof *list);

    for (uint32_t i = 0; list && i < alerts->nactive; i++) {
        const struct kp_watch *w = kp_watch_of(alerts, alerts->active[i]);

        list[i].state = alerts->active[i];
        list[i].rule = w->rule;
        kp_watch_path(alerts, w->node, list[i].path, sizeof list[i].path);
    }
    if (list)
        qsort(list, alerts->nactive, sizeof *list, by_rule_and_path);
    for (uint32_t i = 0; list && i < alerts->nactive; i++) {
        struct kp_watch *w = kp_watch_of(alerts, list[i].state);

        if (w->grouped)
            continue;
        kp_watch_fill(alerts, w, kp_watch_number(alerts, w, t), t);
        each(ctx, &alerts->out);
    }
    free(list);
}

void kp_alerts_end_rules(struct kp_alerts *alerts, int64_t t, bool (*stays)(void *ctx, const struct kp_alert_cfg *rule), void *ctx)
{
    for (uint32_t i = alerts->nactive; i-- > 0;) {
        struct kp_watch *w = kp_watch_of(alerts, alerts->active[i]);

        if (!stays(ctx, kp_watch_rule(alerts, w)->cfg))
            kp_watch_resolve(alerts, w, kp_watch_number(alerts, w, t), t, "rule_removed");
    }
}

void kp_alerts_stats(const struct kp_alerts *alerts, struct kp_alerts_stats *stats)
{
    stats->evaluations = alerts->evaluations;
    stats->pending = alerts->pending;
    stats->firing = alerts->firing;
    stats->leaps_cut = alerts->leaps_cut;
    stats->bytes = sizeof *alerts + (size_t)alerts->nchunks * KP_WATCH_CHUNK * sizeof(struct kp_watch) +
                   kp_peers_bytes(alerts->peers) + kp_rule_map_bytes(&alerts->crowds) +
                   kp_rule_map_bytes(&alerts->standing) +
                   (size_t)alerts->heap.room * (sizeof(struct kp_timer) + sizeof(uint32_t)) +
                   ((size_t)alerts->active_room + alerts->queue_room) * sizeof(uint32_t) + alerts->fed_room * sizeof *alerts->fed;
}
