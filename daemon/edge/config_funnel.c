/* funnels: the steps of a sales process, each of whose numbers becomes a KPI of its own. */
#include "config_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64, FIELD_MAX = 128, FUNNELS_MAX = 16, STAGE_MAX = 64 };
#define AT(field) offsetof(struct kp_funnel_cfg, field)

static bool is_stage(const char *text)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == '.' || *c == 0x7F)
            return false;
    return true;
}

static void check_twice(struct kp_loader *ld, const struct kp_node *list)
{
    size_t i = 0;

    for (const struct kp_node *item = list->first; item; item = item->next, i++)
        for (const struct kp_node *before = list->first; before != item; before = before->next)
            if (item->kind == KP_NODE_SCALAR && before->kind == KP_NODE_SCALAR && strcmp(item->text, before->text) == 0) {
                size_t back = kp_path_index(ld, i);

                kp_complain(ld, item->loc, "\"%s\" is given twice", item->text);
                kp_path_back(ld, back);
            }
}

static void read_stages(struct kp_loader *ld, const struct kp_node *node, char ***stages, size_t *count)
{
    size_t i = 0;

    kp_strings_of(ld, node, STAGE_MAX, KP_STAGES_MAX - 1, stages, count);
    for (const struct kp_node *item = node->kind == KP_NODE_LIST ? node->first : NULL; item; item = item->next) {
        size_t back = kp_path_index(ld, i++);

        if (item->kind == KP_NODE_SCALAR && !is_stage(item->text))
            kp_complain(ld, item->loc, "a stage's name has neither dots nor control characters, since it names KPIs");
        kp_path_back(ld, back);
    }
    if (*count)
        check_twice(ld, node);
}

static KP_READER(read_stage_list)
{
    struct kp_funnel_cfg *funnel = into;

    (void)key;
    read_stages(ld, node, &funnel->stages, &funnel->nstages);
}

static KP_READER(read_lost)
{
    struct kp_funnel_cfg *funnel = into;

    (void)key;
    read_stages(ld, node, &funnel->lost, &funnel->nlost);
}

static KP_READER(read_windows)
{
    struct kp_funnel_cfg *funnel = into;
    struct kp_window_list list = {0};

    kp_read_windows(ld, node, &list, key);
    funnel->windows = list.windows;
    funnel->nwindows = list.count;
}

const struct kp_key kp_funnel_keys[] = {
    {.name = "title", .read = kp_read_text, .at = AT(title), .max = 200},
    {.name = "per", .need = KP_REQUIRED, .read = kp_read_string, .at = AT(per), .max = FIELD_MAX},
    {.name = "stages", .need = KP_REQUIRED, .read = read_stage_list},
    {.name = "lost", .read = read_lost},
    {.name = "where", .read = kp_read_where, .at = AT(where)},
    {.name = "field", .read = kp_read_string, .at = AT(field), .max = FIELD_MAX},
    {.name = "windows", .read = read_windows},
    {.name = NULL},
};

/* {type: stage} */
static void default_where(struct kp_loader *ld, struct kp_where *where)
{
    struct kp_all *all = kp_grow(ld, &where->any, &where->count, sizeof *where->any);
    struct kp_pred *pred = all ? kp_grow(ld, &all->preds, &all->count, sizeof *all->preds) : NULL;
    struct kp_value *arg = pred ? kp_grow(ld, &pred->args, &pred->nargs, sizeof *pred->args) : NULL;

    if (!arg)
        return;
    pred->cmp = KP_CMP_EQ;
    pred->field = kp_copy(ld, "type");
    *arg = (struct kp_value){.kind = KP_STR, .len = 5, .s = kp_copy(ld, "stage")};
    if (!arg->s)
        arg->kind = KP_NIL;
}

static void check_lost(struct kp_loader *ld, const struct kp_node *node, const struct kp_funnel_cfg *funnel)
{
    const struct kp_node *lost = kp_node_get(node, "lost");

    for (size_t i = 0; lost && i < funnel->nlost; i++)
        for (size_t s = 0; s < funnel->nstages; s++)
            if (funnel->lost[i] && funnel->stages[s] && strcmp(funnel->lost[i], funnel->stages[s]) == 0)
                kp_complain(ld, lost->loc, "\"%s\" is one of the stages", funnel->lost[i]);
}

static void read_funnel(struct kp_loader *ld, const struct kp_node *node)
{
    struct kp_config *config = ld->config;
    struct kp_funnel_cfg *funnel = kp_grow(ld, &config->funnels, &config->nfunnels, sizeof *config->funnels);
    bool *sound = kp_grow(ld, &ld->sound_funnels, &ld->nsound_funnels, sizeof *ld->sound_funnels);
    size_t len = strlen(node->key), before = ld->faults->count;

    if (!funnel || !sound)
        return;
    funnel->loc = node->key_loc;
    funnel->name = kp_copy(ld, node->key);
    if (strspn(node->key, "abcdefghijklmnopqrstuvwxyz0123456789_") != len || len > NAME_MAX_BYTES)
        kp_complain(ld, node->key_loc, "a funnel's name is made of a to z, 0 to 9 and _, at most %d of them", NAME_MAX_BYTES);
    if (!kp_read_map(ld, node, kp_funnel_keys, funnel))
        return;
    if (!kp_node_get(node, "where"))
        default_where(ld, &funnel->where);
    if (!funnel->field)
        funnel->field = kp_copy(ld, "stage");
    check_lost(ld, node, funnel);
    *sound = ld->faults->count == before;
}

KP_READER(kp_read_funnels)
{
    (void)into;
    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_MAP, FUNNELS_MAX))
        return;
    for (const struct kp_node *entry = node->first; entry; entry = entry->next) {
        size_t back = kp_path_key(ld, entry->key);

        read_funnel(ld, entry);
        kp_path_back(ld, back);
    }
}

/* ---- the KPIs that they make ---- */

static const struct part {
    const char *name, *title, *unit;
    enum kp_funnel_part part;
    enum kp_agg agg;
    enum kp_better better;
    bool last;                      /* has the last stage one? */
} parts[] = {
    {"entered", "reached", NULL, KP_FUNNEL_ENTERED, KP_AGG_COUNT, KP_BETTER_HIGHER, true},
    {"converted", "went on from", "%", KP_FUNNEL_CONVERTED, KP_AGG_MEAN, KP_BETTER_HIGHER, false},
    {"median_time", "time in", "s", KP_FUNNEL_MEDIAN_TIME, KP_AGG_QUANTILE, KP_BETTER_LOWER, false},
    {"open", "now in", NULL, KP_FUNNEL_OPEN, KP_AGG_COUNT, KP_BETTER_NONE, true},
    {"skipped", "skipped", NULL, KP_FUNNEL_SKIPPED, KP_AGG_COUNT, KP_BETTER_LOWER, false},
};

static void add_kpi(struct kp_loader *ld, size_t f, size_t step, const struct part *part)
{
    struct kp_config *config = ld->config;
    struct kp_kpi_cfg *kpi = kp_grow(ld, &config->kpis, &config->nkpis, sizeof *config->kpis);
    const struct kp_node **slot = kp_grow(ld, &ld->kpi_nodes, &ld->nkpi_nodes, sizeof(*ld->kpi_nodes));
    bool *sound = kp_grow(ld, &ld->sound_kpis, &ld->nsound_kpis, sizeof *ld->sound_kpis);
    const struct kp_funnel_cfg *funnel = &config->funnels[f];
    char text[512];

    if (!kpi || !slot || !sound)
        return;
    *sound = ld->sound_funnels[f];
    snprintf(text, sizeof text, "%s.%s.%s", funnel->name, funnel->stages[step], part->name);
    kpi->name = kp_copy(ld, text);
    snprintf(text, sizeof text, "%s: %s %s", funnel->title ? funnel->title : funnel->name, part->title, funnel->stages[step]);
    kpi->title = kp_copy(ld, text);
    kpi->unit = part->unit ? kp_copy(ld, part->unit) : NULL;
    kpi->better = part->better;
    kpi->agg = part->agg;
    kpi->quantile = part->agg == KP_AGG_QUANTILE ? 0.5 : 0;
    kpi->loc = funnel->loc;
    kpi->of_more = (struct kp_of_cfg){.kind = KP_OF_FUNNEL, .per = kp_copy(ld, funnel->per), .funnel = f, .step = step,
                                      .part = part->part, .loc = funnel->loc, .per_loc = funnel->loc};
    if (!funnel->nwindows)
        return;
    kpi->windows = kp_zeros(ld, funnel->nwindows, sizeof *kpi->windows);
    if (!kpi->windows)
        return;
    memcpy(kpi->windows, funnel->windows, funnel->nwindows * sizeof *kpi->windows);
    kpi->nwindows = funnel->nwindows;
}

void kp_add_funnel_kpis(struct kp_loader *ld)
{
    for (size_t f = 0; f < ld->config->nfunnels; f++) {
        const struct kp_funnel_cfg *funnel = &ld->config->funnels[f];

        for (size_t step = 0; step < funnel->nstages && funnel->per; step++)
            for (size_t p = 0; p < sizeof parts / sizeof *parts; p++)
                if (funnel->stages[step] && (parts[p].last || step + 1 < funnel->nstages))
                    add_kpi(ld, f, step, &parts[p]);
    }
}
