/* The part of the plan that knows contests: which KPIs count in which stretch of time. */
#include "plan_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Spans and copies ---- */

/* The index of a contest's span + 1, made if it is new; 0: out of memory. */
static int span_of(struct kp_plan *plan, const struct kp_contest_cfg *cfg)
{
    struct kp_window *span;

    for (int i = 0; i < plan->nspans; i++)
        if (plan->spans[i].from_ms == cfg->from_ms && plan->spans[i].to_ms == cfg->to_ms)
            return i + 1;
    span = &plan->spans[plan->nspans++];
    *span = (struct kp_window){.kind = KP_WIN_SPAN, .from_ms = cfg->from_ms, .to_ms = cfg->to_ms};
    snprintf(span->text, sizeof span->text, "contest %d", plan->nspans);    /* as no window of a file is called */
    return plan->nspans;
}

/* The copy of a KPI in a span; -1: there is none. */
static int copy_of(const struct kp_plan *plan, int k, int span)
{
    for (int i = (int)plan->config->nkpis; i < plan->nkpis; i++)
        if (plan->kpis[i].cfg == plan->kpis[k].cfg && plan->kpis[i].span == span)
            return i;
    return -1;
}

static int resolve_kpi(void *ctx, const char *name, size_t len)
{
    return kp_plan_find_kpi(ctx, name, len);
}

static enum kp_code add_copy(struct kp_plan *plan, int k, int span, struct kp_err *err);

/* What a formula is made of is counted in the span as well. */
static enum kp_code add_operands(struct kp_plan *plan, int k, int span, struct kp_err *err)
{
    size_t at, n;
    struct kp_formula *formula = kp_formula_parse(plan->kpis[k].cfg->formula, resolve_kpi, plan, &at, err);
    enum kp_code code = KP_OK;
    const int *operands;

    if (!formula)
        return KP_EINVAL;
    n = kp_formula_operands(formula, &operands);
    for (size_t i = 0; i < n && !code; i++)
        code = add_copy(plan, operands[i], span, err);
    kp_formula_destroy(&formula);
    return code;
}

static enum kp_code add_copy(struct kp_plan *plan, int k, int span, struct kp_err *err)
{
    struct kp_plan_kpi *copy;

    if (copy_of(plan, k, span) >= 0)
        return KP_OK;
    copy = kp_plan_grow(&plan->kpis, plan->nkpis, sizeof *copy);
    if (!copy)
        return kp_plan_no_memory(err);
    copy->cfg = plan->kpis[k].cfg;
    copy->span = span;
    plan->nkpis++;
    return copy->cfg->agg == KP_AGG_FORMULA ? add_operands(plan, k, span, err) : KP_OK;
}

static enum kp_code add_named(struct kp_plan *plan, const char *name, int span, struct kp_err *err)
{
    int k = name ? kp_plan_find_kpi(plan, name, strlen(name)) : -1;

    return k < 0 ? KP_OK : add_copy(plan, k, span, err);
}

enum kp_code kp_plan_add_spans(struct kp_plan *plan, struct kp_err *err)
{
    const struct kp_config *config = plan->config;
    enum kp_code code = KP_OK;

    plan->spans = calloc(config->ncontests + 1, sizeof *plan->spans);
    if (!plan->spans)
        return kp_plan_no_memory(err);
    for (size_t i = 0; i < config->ncontests && !code; i++) {
        const struct kp_contest_cfg *cfg = &config->contests[i];
        int span = span_of(plan, cfg);

        for (size_t t = 0; t < cfg->nterms && !code; t++)
            code = add_named(plan, cfg->terms[t].kpi, span, err);
        code = code ? code : add_named(plan, cfg->tie, span, err);
    }
    return code;
}

struct copies {
    const struct kp_plan *plan;
    int span;
};

static int resolve_copy(void *ctx, const char *name, size_t len)
{
    const struct copies *copies = ctx;
    int k = kp_plan_find_kpi(copies->plan, name, len);

    return k < 0 ? k : copy_of(copies->plan, k, copies->span);
}

enum kp_code kp_plan_copy_kpi(struct kp_plan *plan, int k, struct kp_err *err)
{
    struct kp_plan_kpi *copy = &plan->kpis[k];
    const struct kp_plan_kpi *of = &plan->kpis[copy->cfg - plan->config->kpis];
    struct copies copies = {plan, copy->span};
    size_t at;

    if (of->dim != 0)
        return kp_fail(err, KP_EINVAL, "contests: %s is grouped by a field", copy->cfg->name);
    copy->filter = of->filter;
    copy->value = of->value;
    if (copy->cfg->agg != KP_AGG_FORMULA)
        return KP_OK;
    copy->formula = kp_formula_parse(copy->cfg->formula, resolve_copy, &copies, &at, err);
    return copy->formula ? KP_OK : KP_EINVAL;
}

bool kp_plan_add_span_pairs(struct kp_plan *plan)
{
    int known = plan->npairs;

    for (int k = (int)plan->config->nkpis; k < plan->nkpis; k++)
        if (kp_plan_add_pair(plan, k, &plan->spans[plan->kpis[k].span - 1], false) < 0)
            return false;
    for (; known < plan->npairs; known++)
        plan->pairs[known].spare = true;
    return true;
}

/* ---- Contests ---- */

static enum kp_code add_term(struct kp_plan *plan, struct kp_plan_contest *contest, const char *name, int span, struct kp_err *err)
{
    struct kp_plan_rule *term = &contest->terms[contest->nterms];
    int k = kp_plan_find_kpi(plan, name, strlen(name)), copy = k < 0 ? -1 : copy_of(plan, k, span);

    if (copy < 0 || plan->kpis[copy].is_now)
        return kp_fail(err, KP_EINVAL, "contests.%s: no KPI \"%s\" that a stretch of time has", contest->cfg->name, name);
    contest->nterms++;
    *term = (struct kp_plan_rule){.kpi = copy, .level = contest->level, .target = -1,
                                  .pair = kp_plan_find_pair(plan, copy, plan->spans[span - 1].text)};
    return kp_plan_rule_needs(plan, term, term->pair) ? KP_OK : kp_plan_no_memory(err);
}

static enum kp_code add_contest(struct kp_plan *plan, const struct kp_contest_cfg *cfg, struct kp_err *err)
{
    struct kp_plan_contest *contest = &plan->contests[plan->ncontests++];
    int span = span_of(plan, cfg);
    enum kp_code code = KP_OK;

    contest->cfg = cfg;
    contest->tie = -1;
    contest->level = kp_plan_find_level(plan, cfg->level, strlen(cfg->level));
    contest->terms = calloc(cfg->nterms + 1, sizeof *contest->terms);
    if (!contest->terms)
        return kp_plan_no_memory(err);
    if (contest->level < 0 || contest->level > plan->nlevels)
        return kp_fail(err, KP_EINVAL, "contests.%s: no level \"%s\"", cfg->name, cfg->level);
    for (size_t t = 0; t < cfg->nterms && !code; t++)
        code = add_term(plan, contest, cfg->terms[t].kpi, span, err);
    if (code || !cfg->tie)
        return code;
    contest->tie = contest->nterms;
    return add_term(plan, contest, cfg->tie, span, err);
}

enum kp_code kp_plan_contests(struct kp_plan *plan, struct kp_err *err)
{
    const struct kp_config *config = plan->config;
    enum kp_code code = KP_OK;

    plan->contests = calloc(config->ncontests + 1, sizeof *plan->contests);
    if (!plan->contests)
        return kp_plan_no_memory(err);
    for (size_t i = 0; i < config->ncontests && !code; i++)
        code = add_contest(plan, &config->contests[i], err);
    return code;
}

void kp_plan_release_contests(struct kp_plan *plan)
{
    for (int i = 0; i < plan->ncontests; i++) {
        for (int t = 0; t < plan->contests[i].nterms; t++)
            kp_plan_release_rule(&plan->contests[i].terms[t]);
        free(plan->contests[i].terms);
    }
    free(plan->contests);
    free(plan->spans);
}
