/* What is open and does not move: a watch for each entity that is open, of each rule that asks. */
#include "alert_inside.h"

static bool asks(const struct kp_alerts *alerts, const struct kp_plan_rule *rule, int outlet)
{
    return rule->cfg->compare == KP_CMP_STALLED && kp_alerts_plan(alerts)->kpis[rule->kpi].since == outlet;
}

/* The key of the rule's level that a node lies below, or is. KP_NO_NODE: it names none. */
static uint32_t above(const struct kp_alerts *alerts, const struct kp_plan_rule *rule, uint32_t node)
{
    while (node != KP_NO_NODE && kp_store_node(alerts->store, node)->level != rule->level)
        node = kp_store_node(alerts->store, node)->parent;
    return node;
}

void kp_alerts_stands(struct kp_alerts *alerts, int outlet, uint32_t entity, uint32_t node, int64_t since_ms)
{
    const struct kp_plan *plan = kp_alerts_plan(alerts);

    for (int r = 0; r < plan->nrules; r++) {
        uint32_t whose, i, *slot;

        if (!asks(alerts, &plan->rules[r], outlet))
            continue;
        whose = above(alerts, &plan->rules[r], node);
        slot = whose == KP_NO_NODE ? NULL : kp_rule_map_at(&alerts->standing, r, entity);
        i = slot && !*slot ? kp_watch_take(alerts, (uint16_t)r, whose, KP_WATCH_ENTITY) : KP_NO_WATCH;
        if (i == KP_NO_WATCH)
            continue;
        *slot = i + 1;
        kp_watch_of(alerts, i)->entity = entity;
        kp_watch_of(alerts, i)->seen_ms = since_ms;
        kp_heap_set(&alerts->heap, i, INT64_MIN);       /* as soon as there is time */
    }
}

void kp_alerts_moves(struct kp_alerts *alerts, int outlet, uint32_t entity, int64_t t)
{
    const struct kp_plan *plan = kp_alerts_plan(alerts);

    for (int r = 0; r < plan->nrules; r++) {
        uint32_t *slot = asks(alerts, &plan->rules[r], outlet) ? kp_rule_map_at(&alerts->standing, r, entity) : NULL;
        struct kp_watch *w;

        if (!slot || !*slot)
            continue;
        w = kp_watch_of(alerts, *slot - 1);
        if (w->state != KP_ALERT_INACTIVE)
            kp_watch_resolve(alerts, w, kp_watch_number(alerts, w, t), t, "moved");
        kp_watch_give_back(alerts, *slot - 1);
        *slot = 0;
    }
}
