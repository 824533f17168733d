#include "money.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NANO 1000000000

struct rate {
    char currency[3];
    int64_t nano;           /* of the base, for one of it */
};

struct kp_money {
    int amount, currency;   /* slots */
    size_t nrates;
    struct rate rates[];    /* the base first */
};

struct kp_money *kp_money_new(const struct kp_currencies_cfg *cfg, struct kp_schema *schema, struct kp_err *err)
{
    struct kp_money *money = calloc(1, sizeof *money + (cfg->nrates + 1) * sizeof *money->rates);

    if (!money) {
        kp_fail(err, KP_ENOMEM, "currencies: out of memory");
        return NULL;
    }
    money->amount = kp_schema_add(schema, "amount", false);
    money->currency = kp_schema_add(schema, "currency", false);
    if (money->amount < 0 || money->currency < 0) {
        kp_fail(err, KP_ELIMIT, "currencies: over %d field names in all", KP_SLOTS_MAX);
        kp_money_destroy(&money);
        return NULL;
    }
    memcpy(money->rates[0].currency, cfg->base, 3);
    money->rates[0].nano = NANO;
    money->nrates = 1;
    for (size_t i = 0; i < cfg->nrates; i++) {
        struct rate *rate = &money->rates[money->nrates++];

        memcpy(rate->currency, cfg->rates[i].currency, 3);
        rate->nano = llrintl((long double)cfg->rates[i].rate * NANO);
    }
    return money;
}

void kp_money_destroy(struct kp_money **money)
{
    free(*money);
    *money = NULL;
}

int kp_money_slot(const struct kp_money *money)
{
    return money->amount;
}

static int64_t half_even(kp_i128 product)
{
    kp_i128 whole = product / NANO, rest = product % NANO;
    kp_i128 twice = rest < 0 ? -2 * rest : 2 * rest;

    if (twice > NANO || (twice == NANO && whole % 2 != 0))
        whole += product < 0 ? -1 : 1;
    return (int64_t)whole;
}

enum kp_money_result kp_money_convert(const struct kp_money *money, const struct kp_event *ev, int64_t *micro)
{
    const kp_i128 most = (kp_i128)KP_VALUE_MAX * KP_MICRO * NANO;
    const struct kp_value *v = &ev->v[money->currency];

    if (!kp_event_has(ev, money->currency))
        return KP_MONEY_OK;
    for (size_t i = 0; v->kind == KP_STR && v->len == 3 && i < money->nrates; i++) {
        kp_i128 product;

        if (memcmp(money->rates[i].currency, v->s, 3) != 0)
            continue;
        product = (kp_i128)*micro * money->rates[i].nano;
        if (product > most || product < -most)
            return KP_MONEY_RANGE;
        *micro = half_even(product);
        return KP_MONEY_OK;
    }
    return KP_MONEY_UNKNOWN;
}
