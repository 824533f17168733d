/* targets: what a KPI is to reach in a period, and for whom. */
#include "config_read.h"

#include <string.h>

#define AT(field) offsetof(struct kp_target_cfg, field)

enum { SELECT_MAX = 16, RAMP_MAX = 36 };

static const struct kp_word periods[] = {{"day", KP_PER_DAY, false},         {"week", KP_PER_WEEK, false},
                                         {"month", KP_PER_MONTH, false},     {"quarter", KP_PER_QUARTER, false},
                                         {"year", KP_PER_YEAR, false},       {NULL, 0, false}};

static KP_READER(read_kpi)
{
    struct kp_target_cfg *target = into;

    target->kpi_loc = node->loc;
    kp_read_text(ld, node, &target->kpi, key);
}

static KP_READER(read_value)
{
    struct kp_target_cfg *target = into;

    (void)key;
    if (kp_number(ld, node, &target->value, NULL) && target->value < 0)
        kp_complain(ld, node->loc, "must not be negative");
}

/* The levels are read before the targets. */
static KP_READER(read_level)
{
    const struct kp_roster_cfg *roster = &ld->config->roster;
    struct kp_target_cfg *target = into;
    const char *known[KP_LEVELS_MAX + 1];
    size_t count = 0;

    kp_read_text(ld, node, &target->level, key);
    if (!target->level || strcmp(target->level, "company") == 0 || kp_find_level(ld->config, target->level) >= 0)
        return;
    known[count++] = "company";
    for (size_t i = 0; i < roster->nlevels; i++)
        known[count++] = roster->levels[i];
    kp_complain_unknown(ld, node->loc, "level", target->level, known, count);
}

void kp_selectors_of(struct kp_loader *ld, const struct kp_node *node, struct kp_selector **list, size_t *count)
{
    if (!kp_want_some(ld, node, KP_NODE_MAP, SELECT_MAX))
        return;
    for (const struct kp_node *entry = node->first; entry; entry = entry->next) {
        struct kp_selector *select = kp_grow(ld, list, count, sizeof *select);
        size_t back = kp_path_key(ld, entry->key);

        if (select) {
            select->key = kp_copy(ld, entry->key);
            kp_read_text(ld, entry, &select->value, &(struct kp_key){.max = 1024});
        }
        kp_path_back(ld, back);
    }
}

static KP_READER(read_for)
{
    struct kp_target_cfg *target = into;

    (void)key;
    kp_selectors_of(ld, node, &target->select, &target->nselect);
}

static KP_READER(read_ramp)
{
    struct kp_target_cfg *target = into;
    size_t i = 0;

    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_LIST, RAMP_MAX))
        return;
    for (const struct kp_node *item = node->first; item; item = item->next) {
        double *share = kp_grow(ld, &target->ramp, &target->nramp, sizeof *target->ramp);
        size_t back = kp_path_index(ld, i++);

        if (share && kp_number(ld, item, share, NULL) && !(*share >= 0 && *share <= 10))
            kp_complain(ld, item->loc, "a share of the target lies between 0 %% and 1000 %%");
        kp_path_back(ld, back);
    }
}

const struct kp_key kp_target_keys[] = {
    {.name = "kpi", .need = KP_REQUIRED, .read = read_kpi, .max = 160},
    {.name = "per", .need = KP_REQUIRED, .read = kp_read_word, .at = AT(per), .words = periods},
    {.name = "value", .need = KP_REQUIRED, .read = read_value},
    {.name = "level", .read = read_level, .max = 64},
    {.name = "for", .read = read_for},
    {.name = "ramp", .read = read_ramp},
    {.name = NULL},
};

KP_READER(kp_read_targets)
{
    size_t i = 0;

    (void)into;
    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_LIST, KP_TARGETS_MAX))
        return;
    for (const struct kp_node *item = node->first; item; item = item->next) {
        struct kp_target_cfg *target = kp_grow(ld, &ld->config->targets, &ld->config->ntargets, sizeof *target);
        const struct kp_node **slot = kp_grow(ld, &ld->target_nodes, &ld->ntarget_nodes, sizeof(*ld->target_nodes));
        size_t back = kp_path_index(ld, i++);

        if (target && slot) {
            *slot = item;
            target->loc = item->loc;
            kp_read_map(ld, item, kp_target_keys, target);
        }
        kp_path_back(ld, back);
    }
}
