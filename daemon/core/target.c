#include "target.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct set {
    int kpi;
    enum kp_period per;
};

double kp_target_of(const struct kp_store *store, uint32_t node, int set)
{
    const double *targets = kp_store_cold(store, node)->targets;

    return set >= 0 && targets ? targets[set] : (double)NAN;
}

static int set_of(const struct set *sets, int nsets, int kpi, enum kp_period per)
{
    for (int i = 0; i < nsets; i++)
        if (sets[i].kpi == kpi && sets[i].per == per)
            return i;
    return -1;
}

/* ---- Does a selector hold? ---- */

/* The value of a key for a node: its own or an ancestor's key by level, or an attribute of the member. */
static const char *value_for(const struct kp_store *store, uint32_t node, const char *key)
{
    const struct kp_plan *plan = store->plan;
    const struct kp_member *member = kp_store_cold(store, node)->member;
    int level = kp_plan_find_level(plan, key, strlen(key));

    for (uint32_t at = node; level > 0 && at != KP_NO_NODE; at = kp_store_node(store, at)->parent)
        if (kp_store_node(store, at)->level == level)
            return kp_store_cold(store, at)->key;
    if (level > 0 || !member)
        return NULL;
    if (strcmp(key, "name") == 0)
        return member->name;
    for (size_t i = 0; i < member->nattrs; i++)
        if (strcmp(member->attrs[i].key, key) == 0)
            return member->attrs[i].value;
    return NULL;
}

static bool selects(const struct kp_store *store, uint32_t node, const struct kp_target_cfg *cfg)
{
    for (size_t i = 0; i < cfg->nselect; i++) {
        const char *value = value_for(store, node, cfg->select[i].key);

        if (!value || strcmp(value, cfg->select[i].value) != 0)
            return false;
    }
    return true;
}

/* The most specific target of a set that is given for the node's own level; NULL: none. */
static const struct kp_target_cfg *given(const struct kp_store *store, uint32_t node, const struct set *set)
{
    const struct kp_plan *plan = store->plan;
    const struct kp_config *config = plan->config;
    const char *level = kp_plan_level_name(plan, kp_store_node(store, node)->level);
    const char *bottom = kp_plan_level_name(plan, plan->nlevels);
    const struct kp_target_cfg *best = NULL;

    for (size_t i = 0; i < config->ntargets; i++) {
        const struct kp_target_cfg *cfg = &config->targets[i];

        if (strcmp(cfg->level ? cfg->level : bottom, level) != 0 || cfg->per != set->per ||
            strcmp(cfg->kpi, config->kpis[set->kpi].name) != 0)
            continue;
        if (selects(store, node, cfg) && (!best || cfg->nselect >= best->nselect))
            best = cfg;
    }
    return best;
}

/* ---- Resolving ---- */

static double *targets_of(struct kp_store *store, uint32_t node)
{
    struct kp_node_cold *cold = kp_store_cold(store, node);

    if (cold->targets)
        return cold->targets;
    cold->targets = kp_slab_alloc(store->slab, (size_t)store->ntargets * sizeof *cold->targets);
    for (int i = 0; cold->targets && i < store->ntargets; i++)
        cold->targets[i] = (double)NAN;
    return cold->targets;
}

static bool add_up(struct kp_store *store, uint32_t member, int set, double value)
{
    for (uint32_t at = kp_store_node(store, member)->parent; at != KP_NO_NODE; at = kp_store_node(store, at)->parent) {
        double *targets = targets_of(store, at);

        if (!targets)
            return false;
        targets[set] = isnan(targets[set]) ? value : targets[set] + value;
    }
    return true;
}

/* Members first, and what they sum up to; then what is given for the levels above takes its place. */
static bool resolve(struct kp_store *store, const struct set *sets)
{
    int bottom = store->plan->nlevels;

    for (int above = 0; above <= 1; above++) {
        for (uint32_t node = 0; node < store->made; node++) {
            const struct kp_node_hot *hot = kp_store_node(store, node);
            bool is_member = hot->level == bottom;

            if (!(hot->flags & KP_NODE_MEMBER) || is_member == (above == 1))
                continue;
            for (int s = 0; s < store->ntargets; s++) {
                const struct kp_target_cfg *cfg = given(store, node, &sets[s]);

                if (!cfg)
                    continue;
                if (!targets_of(store, node) || (is_member && !add_up(store, node, s, cfg->value)))
                    return false;
                kp_store_cold(store, node)->targets[s] = cfg->value;
            }
        }
    }
    return true;
}

static void tell_plan(struct kp_plan *plan, const struct set *sets, int nsets)
{
    for (int p = 0; p < plan->npairs; p++) {
        struct kp_plan_pair *pair = &plan->pairs[p];

        if (pair->window->kind == KP_WIN_CALENDAR && plan->kpis[pair->kpi].dim == 0)
            pair->target = set_of(sets, nsets, pair->kpi, pair->window->period);
    }
    for (int r = 0; r < plan->nrules; r++)
        plan->rules[r].target = plan->pairs[plan->rules[r].pair].target;
}

enum kp_code kp_targets_resolve(struct kp_plan *plan, struct kp_store *store, struct kp_err *err)
{
    const struct kp_config *config = plan->config;
    struct set *sets = calloc(config->ntargets + 1, sizeof *sets);
    bool ok = sets != NULL;
    int nsets = 0;

    for (size_t i = 0; ok && i < config->ntargets; i++) {
        const struct kp_target_cfg *cfg = &config->targets[i];
        int kpi = kp_plan_find_kpi(plan, cfg->kpi, strlen(cfg->kpi));

        if (kpi >= 0 && set_of(sets, nsets, kpi, cfg->per) < 0)
            sets[nsets++] = (struct set){kpi, cfg->per};
    }
    store->ntargets = nsets;
    if (ok && nsets) {
        tell_plan(plan, sets, nsets);
        ok = resolve(store, sets);
    }
    free(sets);
    return ok ? KP_OK : kp_fail(err, KP_ENOMEM, "targets: out of memory");
}
