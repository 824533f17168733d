/* What is open and does not move: a watch for each entity that is open, of each rule that asks. */
#include "alert_inside.h"

static bool asks(const struct kp_alerts *alerts, const struct kp_plan_rule *rule, int outlet, int dim)
{
    const struct kp_plan *plan = kp_alerts_plan(alerts);

    return rule->cfg->compare == KP_CMP_STALLED && plan->kpis[rule->kpi].since == outlet && plan->kpis[rule->kpi].dim == dim;
}

/* The key of the rule's level that a node lies below, or is. KP_NO_NODE: it names none. */
static uint32_t above(const struct kp_alerts *alerts, const struct kp_plan_rule *rule, uint32_t node)
{
    while (node != KP_NO_NODE && kp_store_node(alerts->store, node)->level != rule->level)
        node = kp_store_node(alerts->store, node)->parent;
    return node;
}

static void leave(struct kp_alerts *alerts, uint32_t *slot, int64_t t)
{
    struct kp_watch *w = kp_watch_of(alerts, *slot - 1);

    if (w->state != KP_ALERT_INACTIVE)
        kp_watch_resolve(alerts, w, kp_watch_number(alerts, w, t), t, "moved");
    kp_watch_give_back(alerts, *slot - 1);
    *slot = 0;
}

static void arrive(struct kp_alerts *alerts, uint32_t *slot, uint16_t rule, uint32_t entity, uint32_t whose, int64_t since_ms)
{
    uint32_t i = kp_watch_take(alerts, rule, whose, KP_WATCH_ENTITY);

    if (i == KP_NO_WATCH)
        return;
    *slot = i + 1;
    kp_watch_of(alerts, i)->entity = entity;
    kp_watch_of(alerts, i)->seen_ms = since_ms;
    kp_heap_set(&alerts->heap, i, INT64_MIN);       /* as soon as there is time */
}

void kp_alerts_stands(struct kp_alerts *alerts, const struct kp_standing *at, int64_t t)
{
    const struct kp_plan *plan = kp_alerts_plan(alerts);

    for (int r = 0; r < plan->nrules; r++) {
        uint32_t whose, *slot;

        if (!asks(alerts, &plan->rules[r], at->outlet, at->dim))
            continue;
        whose = above(alerts, &plan->rules[r], at->node);
        slot = kp_rule_map_at(&alerts->standing, r, at->entity);
        if (!slot)
            continue;
        if (*slot && kp_watch_of(alerts, *slot - 1)->node == whose && kp_watch_of(alerts, *slot - 1)->seen_ms == at->since_ms)
            continue;       /* somebody else of the same team, perhaps */
        if (*slot)
            leave(alerts, slot, t);
        if (whose != KP_NO_NODE)
            arrive(alerts, slot, (uint16_t)r, at->entity, whose, at->since_ms);
    }
}
