/* The part of the plan that knows rules: what each has to read, and how long panes are kept for a baseline. */
#include "plan_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Baselines ---- */

/* So far back a baseline looks for periods with working time: a week, and as many again, for days; else a few more. */
static int baseline_reach(const struct kp_alert_cfg *cfg)
{
    int periods = (int)cfg->periods;

    return cfg->window.period == KP_PER_DAY ? 2 * periods + 7 : cfg->window.period == KP_PER_WEEK ? periods + 3 : periods + 1;
}

/* A baseline needs the panes of the periods before, and that their edges stay: a window that begins with the oldest of them,
 * and one of panes that is as long. Both are as good as any other window. */
bool kp_plan_add_spare(struct kp_plan *plan, int k, const struct kp_alert_cfg *cfg)
{
    static const struct {
        int64_t days, pane_ms;
    } by_period[] = {[KP_PER_DAY] = {1, KP_DAY_MS / 24},  [KP_PER_WEEK] = {7, KP_DAY_MS / 6}, [KP_PER_MONTH] = {31, KP_DAY_MS},
                     [KP_PER_QUARTER] = {92, KP_DAY_MS}, [KP_PER_YEAR] = {366, KP_DAY_MS}};
    struct kp_window *edge = &plan->spare[plan->nspare++], *panes = &plan->spare[plan->nspare++];
    int reach = baseline_reach(cfg);
    int64_t days = (reach + 1) * by_period[cfg->window.period].days;
    int p;

    *edge = (struct kp_window){.kind = KP_WIN_CALENDAR, .period = cfg->window.period, .back = reach};
    *panes = (struct kp_window){.kind = KP_WIN_ROLLING, .length_ms = days * KP_DAY_MS,
                                .pane_ms = by_period[cfg->window.period].pane_ms};
    /* Names that no window of a file has, since it may be a day back at most twelve times: see window.c. */
    snprintf(edge->text, sizeof edge->text, "%.9s-%d", cfg->window.text, reach);
    snprintf(panes->text, sizeof panes->text, "%lldd/%llds", (long long)days, (long long)panes->pane_ms / 1000);
    for (const struct kp_window *window = edge; window <= panes; window++) {
        int known = plan->npairs;

        p = kp_plan_add_pair(plan, k, window, false);
        if (p < 0)
            return false;
        for (; known < plan->npairs; known++)
            plan->pairs[known].spare = true;
    }
    return true;
}

/* ---- Rules ---- */

static bool part_cells(const struct kp_plan *plan, struct kp_plan_part *part, const struct kp_plan_kpi *kpi)
{
    const struct kp_plan_family *fam = &plan->families[kpi->family];
    const int words[] = {kpi->count, kpi->sum, kpi->min, kpi->max, kpi->square, kpi->last, kpi->quant, kpi->distinct};

    for (int c = 0; c < fam->ncells; c++) {
        bool wanted = false, have = false;

        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            wanted |= words[i] == fam->cells[c].word;
        for (int i = 0; i < part->ncells; i++)
            have |= part->cells[i] == c;
        if (wanted && !have && !kp_plan_push(&part->cells, &part->ncells, c))
            return false;
    }
    return true;
}

/* Note what a pair needs: itself from its family, or its operands and then its formula. */
bool kp_plan_rule_needs(struct kp_plan *plan, struct kp_plan_rule *rule, int p)
{
    const struct kp_plan_pair *pair = &plan->pairs[p];
    const struct kp_plan_kpi *kpi = &plan->kpis[pair->kpi];
    struct kp_plan_part *part = NULL;
    int n;

    if (kpi->formula) {
        const int *operands;
        size_t count = kp_formula_operands(kpi->formula, &operands);

        for (int i = 0; i < rule->nformulas; i++)
            if (rule->formulas[i] == p)
                return true;
        for (size_t i = 0; i < count; i++)
            if (!kp_plan_rule_needs(plan, rule, pair->operands[i]))
                return false;
        return kp_plan_push(&rule->formulas, &rule->nformulas, p);
    }
    for (int i = 0; i < rule->nparts; i++)
        if (rule->parts[i].family == kpi->family)
            part = &rule->parts[i];
    if (!part) {
        part = kp_plan_grow(&rule->parts, rule->nparts, sizeof *part);
        if (!part)
            return false;
        rule->nparts++;
        part->family = kpi->family;
        part->window = pair->family_window;
    }
    for (int i = 0; i < part->nkpis; i++)
        if (part->kpis[i] == pair->kpi)
            return true;
    n = part->nkpis;
    return kp_plan_push(&part->kpis, &part->nkpis, pair->kpi) && kp_plan_push(&part->pairs, &n, p) &&
           part_cells(plan, part, kpi);
}

static enum kp_code add_rule(struct kp_plan *plan, const struct kp_alert_cfg *cfg, struct kp_err *err)
{
    struct kp_plan_rule *rule = &plan->rules[plan->nrules];
    int level = kp_plan_find_level(plan, cfg->level, strlen(cfg->level));
    int k = kp_plan_find_kpi(plan, cfg->kpi, strlen(cfg->kpi));

    if (level < 0 || k < 0 || plan->kpis[k].dim != kp_plan_dim_of(plan, level))
        return kp_fail(err, KP_EINVAL, "alerts.%s: no such KPI on such a level", cfg->name);
    rule->cfg = cfg;
    rule->kpi = k;
    rule->level = level;
    rule->pair = kp_is_lapse(cfg) ? -1 : kp_plan_find_pair(plan, k, cfg->window.text);
    rule->target = -1;
    rule->reach = baseline_reach(cfg);
    rule->index_in_level = plan->nlevel_rules[level];
    plan->nrules++;
    if (cfg->compare == KP_CMP_SILENCE)
        plan->silence_levels |= UINT64_C(1) << level;
    if (!kp_plan_push(&plan->level_rules[level], &plan->nlevel_rules[level], plan->nrules - 1) ||
        (rule->pair >= 0 && !kp_plan_rule_needs(plan, rule, rule->pair)))
        return kp_plan_no_memory(err);
    return KP_OK;
}

enum kp_code kp_plan_rules(struct kp_plan *plan, struct kp_err *err)
{
    size_t n = plan->config->nalerts;

    plan->rules = calloc(n + 1, sizeof *plan->rules);
    if (!plan->rules)
        return kp_plan_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        enum kp_code code = add_rule(plan, &plan->config->alerts[i], err);

        if (code)
            return code;
    }
    return KP_OK;
}

void kp_plan_release_rule(struct kp_plan_rule *rule)
{
    for (int i = 0; i < rule->nparts; i++) {
        free(rule->parts[i].cells);
        free(rule->parts[i].kpis);
        free(rule->parts[i].pairs);
    }
    free(rule->parts);
    free(rule->formulas);
}

void kp_plan_release_rules(struct kp_plan *plan)
{
    for (int r = 0; r < plan->nrules; r++)
        kp_plan_release_rule(&plan->rules[r]);
    free(plan->rules);
    for (int i = 0; i < KP_LEVEL_IDS_MAX; i++)
        free(plan->level_rules[i]);
}
