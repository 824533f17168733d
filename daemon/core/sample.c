#include "sample.h"

#include "kpid/tab.h"

#include <math.h>
#include <stdlib.h>

enum outcome { TAKEN, BEYOND, NO_RATE };    /* TAKEN: or nothing was there to take */

enum kp_code kp_sampler_init(struct kp_sampler *sampler, const struct kp_plan *plan, struct kp_err *err)
{
    sampler->plan = plan;
    sampler->currency_unknown = 0;
    sampler->missing = calloc((size_t)plan->nkpis + 1, sizeof *sampler->missing);
    sampler->out_of_range = calloc((size_t)plan->nkpis + 1, sizeof *sampler->out_of_range);
    return sampler->missing && sampler->out_of_range ? KP_OK : kp_fail(err, KP_ENOMEM, "samples: out of memory");
}

void kp_sampler_release(struct kp_sampler *sampler)
{
    free(sampler->missing);
    free(sampler->out_of_range);
}

uint64_t kp_sample_hash(const struct kp_value *v)
{
    struct kp_value plain = *v;

    if (v->kind == KP_STR)
        return kp_print_of(0, KP_STR, v->s, v->len).hi;
    if (v->kind == KP_BOOL)
        return kp_print_of(0, KP_BOOL, &v->b, sizeof v->b).hi;
    if (v->kind == KP_REAL && v->f >= -9e18 && v->f <= 9e18 && v->f == floor(v->f)) {
        plain.kind = KP_INT;        /* 5.0 and 5 are one value */
        plain.i = (int64_t)v->f;
    }
    return kp_print_of(0, plain.kind, &plain.i, sizeof plain.i).hi;
}

static enum outcome number(const struct kp_plan *plan, const struct kp_plan_value *value, const struct kp_event *ev,
                           struct kp_sample *s)
{
    switch (kp_micro_of(&ev->v[value->slot], &s->micro)) {
    case KP_MICRO_RANGE:
        return BEYOND;
    case KP_MICRO_MISSING:
        return TAKEN;
    case KP_MICRO_OK:
        break;
    }
    if (plan->money && value->slot == kp_money_slot(plan->money)) {
        enum kp_money_result result = kp_money_convert(plan->money, ev, &s->micro);

        if (result != KP_MONEY_OK)
            return result == KP_MONEY_RANGE ? BEYOND : NO_RATE;
    }
    s->ok = true;
    if (value->binned)
        s->bin = kp_quant_bin(s->micro);
    return TAKEN;
}

static enum outcome sample(const struct kp_plan *plan, const struct kp_plan_value *value, const struct kp_event *ev,
                           const uint64_t *hash, struct kp_sample *s)
{
    const struct kp_value *v = &ev->v[value->slot];

    s->ok = false;
    if (!kp_event_has(ev, value->slot) || v->kind == KP_NIL)
        return TAKEN;
    if (value->numeric)
        return number(plan, value, ev, s);
    s->ok = v->kind != KP_REAL || isfinite(v->f);
    s->micro = 0;
    if (s->ok && value->hashed)
        s->hash = hash ? *hash : kp_sample_hash(v);
    return TAKEN;
}

void kp_samples_take(struct kp_sampler *sampler, const struct kp_program *program, const struct kp_event *ev, const uint64_t *hash,
                     struct kp_sample samples[KP_SAMPLES_MAX])
{
    uint8_t outcomes[KP_SAMPLES_MAX];   /* of the program's values; its wants are among them */
    bool no_rate = false;

    for (uint32_t i = 0; i < program->nvalues; i++) {
        outcomes[i] = (uint8_t)sample(sampler->plan, &sampler->plan->values[program->values[i]], ev,
                                      program->values[i] == program->hashed ? hash : NULL, &samples[i]);
        no_rate |= outcomes[i] == NO_RATE;
    }
    sampler->currency_unknown += no_rate;
    for (uint32_t i = 0; i < program->nwants; i++) {
        const struct kp_want *want = &program->wants[i];

        /* cppcheck-suppress uninitvar */
        if (samples[want->value].ok || outcomes[want->value] == NO_RATE)
            continue;
        if (outcomes[want->value] == BEYOND)
            sampler->out_of_range[want->kpi]++;
        else
            sampler->missing[want->kpi]++;
    }
}
