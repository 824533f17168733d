#include "kpid/limits.h"

#include "plan_build.h"

#include <stdlib.h>
#include <string.h>

/* The text is "kpis.NAME.KEY: what", and of a funnel's KPI it may be "funnels.NAME: what". A name of a stage may hold
 * whatever it likes, so it is passed by its length. */
static void tell(const struct kp_limit_sink *sink, const struct kp_plan *plan, int k, const struct kp_err *err)
{
    const char *at = err->text;
    char key[32] = "";
    size_t len;

    if (strncmp(at, "kpis.", 5) == 0 && strlen(at) > 5 + strlen(plan->kpis[k].cfg->name))
        at += 5 + strlen(plan->kpis[k].cfg->name);
    len = strcspn(at, ":");
    if (*at == '.' && len <= sizeof key) {
        memcpy(key, at + 1, len - 1);
        key[len - 1] = '\0';
    }
    at += len + strspn(at + len, ": ");
    sink->over(sink->ctx, (size_t)(plan->kpis[k].cfg - plan->config->kpis), key, at);      /* of a copy what it copies */
}

/* The names that are taken before the first KPI is looked at, whatever the engine takes them for. */
static enum kp_code add_names(struct kp_plan *plan, struct kp_err *err)
{
    const struct kp_config *config = plan->config;
    bool ok = true;

    if (config->currencies.base)
        ok = kp_schema_add(plan->schema, "amount", false) >= 0 && kp_schema_add(plan->schema, "currency", false) >= 0;
    if (ok && config->nsources)
        ok = kp_schema_add(plan->schema, "covered_until", false) >= 0;
    return ok ? kp_plan_add_levels(plan, err) : kp_plan_no_memory(err);
}

static enum kp_code prepare(struct kp_plan *plan, struct kp_err *err)
{
    const struct kp_config *config = plan->config;
    enum kp_code code;

    plan->schema = kp_schema_new(err);
    plan->filters = kp_filters_new(err);
    plan->kpis = calloc(config->nkpis + 1, sizeof *plan->kpis);
    plan->clocks = calloc(1, sizeof *plan->clocks);     /* of no zone: how windows are cut is not asked */
    if (!plan->schema || !plan->filters || !plan->kpis || !plan->clocks)
        return kp_plan_no_memory(err);
    plan->nclocks = 1;
    plan->ndims = 1;
    plan->nkpis = (int)config->nkpis;
    for (size_t k = 0; k < config->nkpis; k++)
        plan->kpis[k].cfg = &config->kpis[k];
    code = add_names(plan, err);
    return code ? code : kp_plan_add_spans(plan, err);
}

/* The KPIs one by one; those that stay without a place are marked. */
static enum kp_code check_kpis(struct kp_plan *plan, bool *out, const struct kp_limit_sink *sink, struct kp_err *err)
{
    for (int k = 0; k < plan->nkpis; k++) {
        enum kp_code code = kp_plan_add_kpi(plan, k, err);

        out[k] = code != KP_OK;
        if (code && err->code == KP_ENOMEM)
            return KP_ENOMEM;
        if (code && err->code == KP_ELIMIT)
            tell(sink, plan, k, err);
    }
    return KP_OK;
}

/* One contest that has no place tells of all of them. */
static enum kp_code check_windows(struct kp_plan *plan, const bool *out, const struct kp_limit_sink *sink, struct kp_err *err)
{
    bool told = false;

    for (int dim = 0; dim < plan->ndims; dim++) {
        for (int k = 0; k < plan->nkpis; k++) {
            struct kp_plan_kpi *kpi = &plan->kpis[k];

            if (out[k] || kpi->dim != dim || kpi->formula || !kp_plan_find_family(plan, kpi, err))
                continue;
            if (err->code == KP_ENOMEM)
                return KP_ENOMEM;
            if (!kpi->span || !told)
                tell(sink, plan, k, err);
            told |= kpi->span > 0;
        }
    }
    return KP_OK;
}

enum kp_code kp_limits_check(const struct kp_config *config, const struct kp_limit_sink *sink, struct kp_err *err)
{
    struct kp_plan *plan = calloc(1, sizeof *plan);
    bool *out = NULL;
    enum kp_code code;

    if (!plan)
        return kp_plan_no_memory(err);
    plan->config = config;
    code = prepare(plan, err);
    out = calloc((size_t)plan->nkpis + 1, sizeof *out);
    if (!out) {
        kp_plan_destroy(&plan);
        return kp_plan_no_memory(err);
    }
    code = code ? code : check_kpis(plan, out, sink, err);
    code = code ? code : kp_plan_add_pairs(plan, err);
    code = code ? code : check_windows(plan, out, sink, err);
    free(out);
    kp_plan_destroy(&plan);
    return code;
}
