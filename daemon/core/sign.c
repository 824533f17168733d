/* What things are, as numbers of 64 bits, whatever their place in the configuration. */
#include "image.h"

#include "schema.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <math.h>
#include <string.h>

static uint64_t mix(uint64_t seed, const void *bytes, size_t len)
{
    return XXH3_64bits_withSeed(bytes, len, seed);
}

static uint64_t mix_text(uint64_t seed, const char *text)
{
    return text ? mix(seed, text, strlen(text) + 1) : mix(seed, "", 0);
}

static uint64_t mix_number(uint64_t seed, uint64_t v)
{
    return mix(seed, &v, sizeof v);
}

/* 5 and 5.0 are one number. */
static uint64_t sign_scalar(const struct kp_value *v)
{
    double real = v->kind == KP_INT ? (double)v->i : v->f;

    switch (v->kind) {
    case KP_STR:
        return mix(KP_STR, v->s, v->len);
    case KP_BOOL:
        return mix_number(KP_BOOL, v->b);
    case KP_INT:
    case KP_REAL:
        return mix(KP_REAL, &real, sizeof real);
    default:
        return KP_NIL;
    }
}

/* Whatever is a set is added up, so that its order does not matter. */
static uint64_t sign_pred(const struct kp_pred *pred)
{
    uint64_t args = 0;

    for (size_t i = 0; i < pred->nargs; i++)
        args += sign_scalar(&pred->args[i]);
    return mix_number(mix_text(pred->cmp, pred->field), args);
}

uint64_t kp_sign_where(const struct kp_where *where)
{
    uint64_t any = 0;

    for (size_t i = 0; i < where->count; i++) {
        uint64_t all = 0;

        for (size_t k = 0; k < where->any[i].count; k++)
            all += sign_pred(&where->any[i].preds[k]);
        any += mix_number(1, all);
    }
    return mix_number(where->count, any);
}

static uint64_t sign_filter(const struct kp_plan *plan, int filter)
{
    return filter < 0 ? 0 : kp_sign_where(kp_filters_where(plan->filters, filter));
}

/* An amount is in the base currency; at which rates it came there is no longer to be told. */
uint64_t kp_sign_value(const struct kp_plan *plan, int value)
{
    const struct kp_plan_value *v;
    uint64_t sign;

    if (value < 0)
        return 0;
    v = &plan->values[value];
    sign = mix_text(v->numeric, kp_schema_name(plan->schema, v->slot));
    return plan->money && kp_money_slot(plan->money) == v->slot ? mix_text(sign, plan->config->currencies.base) : sign;
}

uint64_t kp_sign_tracker(const struct kp_plan *plan, const struct kp_plan_tracker *tracker)
{
    uint64_t sign = mix_text(tracker->kind, kp_schema_name(plan->schema, plan->spaces[tracker->space].slot));

    sign = mix_number(sign, sign_filter(plan, tracker->base));
    for (int i = 0; i < 3; i++)
        sign = mix_number(sign, sign_filter(plan, tracker->filters[i]));
    sign = mix_number(sign, tracker->reversed < 0 ? 0 : sign_filter(plan, tracker->reversed) | 1);
    sign = mix_number(sign, tracker->once);
    sign = mix_number(sign, tracker->nth);
    sign = mix_number(sign, (uint64_t)tracker->within_ms);
    for (int i = 0; i < tracker->nstages + tracker->nlost; i++)
        sign = mix_number(sign + (uint64_t)(i >= tracker->nstages), sign_filter(plan, tracker->stages[i]));
    return sign;
}

uint64_t kp_sign_outlet(const struct kp_plan *plan, const struct kp_plan_outlet *outlet)
{
    const struct kp_plan_tracker *tracker = &plan->trackers[outlet->tracker];
    const struct kp_plan_space *space = &plan->spaces[tracker->space];
    uint64_t sign = mix_number(kp_sign_tracker(plan, tracker), outlet->part);

    sign = mix_number(sign, outlet->value < 0 ? 0 : kp_sign_value(plan, space->values[outlet->value]));
    sign = mix_number(sign, (uint64_t)outlet->step);
    return mix_number(sign, (uint64_t)outlet->within_ms);
}

static uint64_t sign_dim(const struct kp_plan *plan, int dim)
{
    uint64_t sign = mix_text(0, plan->dims[dim].level);

    for (int i = 0; i < plan->dims[dim].nslots; i++)
        sign = mix_text(sign, kp_schema_name(plan->schema, plan->dims[dim].slots[i]));
    return sign;
}

uint64_t kp_sign_cell(const struct kp_plan *plan, int dim, const struct kp_cell *cell)
{
    int outlet = kp_plan_outlet_of(cell->filter);
    uint64_t sign = mix_number(sign_dim(plan, dim), cell->kind);

    sign = mix_number(sign, outlet >= 0 ? kp_sign_outlet(plan, &plan->outlets[outlet]) : sign_filter(plan, cell->filter));
    return mix_number(sign, outlet >= 0 ? 1 : kp_sign_value(plan, cell->value));
}

uint64_t kp_sign_rule(const struct kp_plan_rule *rule)
{
    const struct kp_alert_cfg *cfg = rule->cfg;
    uint64_t sign = mix_text(cfg->compare, cfg->name);

    sign = mix_text(sign, cfg->kpi);
    sign = mix_text(sign, cfg->window.text);
    return mix_text(sign, cfg->level);
}
