/* What filters, values, cells and KPIs are: signatures that do not depend on where something stands in the configuration. */
#include "image.h"

#include "sample.h"

#include <string.h>

enum { SPACE_PAIR = 200, SPACE_TEXT };      /* of hashes; the others are the store's and the kinds of values */

static uint64_t text_sign(const char *text)
{
    return kp_print_of(0, SPACE_TEXT, text, strlen(text)).hi;
}

uint64_t kp_sign_both(uint64_t a, uint64_t b)
{
    uint64_t both[2] = {a, b};

    return kp_print_of(0, SPACE_PAIR, both, sizeof both).hi;
}

/* A list of one is what it holds. */
static enum kp_cmp plain_cmp(enum kp_cmp cmp)
{
    return cmp == KP_CMP_EQ ? KP_CMP_IN : cmp == KP_CMP_NE ? KP_CMP_NOT_IN : cmp;
}

/* What has no order is added up: parts are hashes, so their sum tells them all. */
static uint64_t pred_sign(const struct kp_pred *pred)
{
    uint64_t args = 0;

    for (size_t i = 0; i < pred->nargs; i++)
        args += kp_sign_both((uint64_t)pred->args[i].kind == KP_STR, kp_sample_hash(&pred->args[i]));
    return kp_sign_both(text_sign(pred->field), kp_sign_both((uint64_t)plain_cmp(pred->cmp), args));
}

uint64_t kp_sign_where(const struct kp_where *where)
{
    uint64_t any = 0;

    for (size_t a = 0; a < where->count; a++) {
        const struct kp_all *all = &where->any[a];
        uint64_t sum = 0;

        if (all->count == 0)
            return kp_sign_both(0, 0);      /* it asks nothing, as no `where` does */
        for (size_t p = 0; p < all->count; p++)
            sum += pred_sign(&all->preds[p]);
        any += kp_sign_both(all->count, sum);
    }
    return kp_sign_both(where->count, any);
}

uint64_t kp_sign_filter(const struct kp_plan *plan, int filter)
{
    return filter < 0 ? 0 : kp_sign_where(kp_filters_where(plan->filters, filter));
}

/* An amount is of a currency, so it is another one when the base is. Rates are not in it: they change all the time, and what
 * was counted stays what it was worth when it came. */
uint64_t kp_sign_value(const struct kp_plan *plan, int value)
{
    const struct kp_plan_value *v = &plan->values[value < 0 ? 0 : value];
    uint64_t sign;

    if (value < 0)
        return 0;
    sign = kp_sign_both(text_sign(kp_schema_name(plan->schema, v->slot)), v->numeric);
    if (v->numeric && plan->money && kp_money_slot(plan->money) == v->slot)
        sign = kp_sign_both(sign, text_sign(plan->config->currencies.base));
    return sign;
}

/* The roster is one dimension, whatever levels it has: rows belong to keys. */
static uint64_t dim_sign(const struct kp_plan *plan, int dim)
{
    return dim == 0 ? 0 : text_sign(plan->dims[dim].level);
}

uint64_t kp_sign_cell(const struct kp_plan *plan, int dim, const struct kp_cell *cell)
{
    int outlet = kp_plan_outlet_of(cell->filter);
    uint64_t fed = outlet >= 0 ? kp_sign_both(1, kp_sign_outlet(plan, outlet))
                               : kp_sign_both(2, kp_sign_filter(plan, cell->filter));

    return kp_sign_both(kp_sign_both(dim_sign(plan, dim), cell->kind), kp_sign_both(fed, kp_sign_value(plan, cell->value)));
}

/* Of a formula its name counts, since nothing else of it is kept than what it is called. */
uint64_t kp_sign_kpi(const struct kp_plan *plan, int k)
{
    const struct kp_plan_kpi *kpi = &plan->kpis[k];
    const struct kp_plan_family *fam;
    uint64_t sum = 0;

    if (kpi->formula)
        return kp_sign_both(kp_sign_both(text_sign(kpi->cfg->name), dim_sign(plan, kpi->dim)), text_sign(kpi->cfg->formula));
    fam = &plan->families[kpi->family];
    for (int c = 0; c < fam->ncells; c++) {
        int word = fam->cells[c].word;

        if (word == kpi->count || word == kpi->sum || word == kpi->min || word == kpi->max || word == kpi->square ||
            word == kpi->last || word == kpi->quant || word == kpi->distinct)
            sum += kp_sign_cell(plan, kpi->dim, &fam->cells[c]);
    }
    return sum;
}
