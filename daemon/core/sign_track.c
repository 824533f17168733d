/* What trackers, outlets and rules are: see sign.c. */
#include "image.h"

#include "schema.h"

#include <string.h>

enum { SPACE_TEXT = 202 };  /* of hashes */

static uint64_t text_sign(const char *text)
{
    return text ? kp_print_of(0, SPACE_TEXT, text, strlen(text)).hi : 0;
}

uint64_t kp_sign_tracker(const struct kp_plan *plan, int t)
{
    const struct kp_plan_tracker *tracker = &plan->trackers[t];
    uint64_t sign = kp_sign_both(tracker->kind, text_sign(kp_schema_name(plan->schema, plan->spaces[tracker->space].slot)));

    sign = kp_sign_both(sign, kp_sign_filter(plan, tracker->base));
    for (int i = 0; i < 3; i++)
        sign = kp_sign_both(sign, kp_sign_filter(plan, tracker->filters[i]));
    sign = kp_sign_both(sign, kp_sign_both((uint64_t)(tracker->reversed >= 0), kp_sign_filter(plan, tracker->reversed)));
    sign = kp_sign_both(sign, kp_sign_both((uint64_t)tracker->once, tracker->nth));
    sign = kp_sign_both(sign, (uint64_t)tracker->within_ms);
    for (int i = 0; i < tracker->nstages + tracker->nlost; i++)
        sign = kp_sign_both(sign, kp_sign_both((uint64_t)(i < tracker->nstages), kp_sign_filter(plan, tracker->stages[i])));
    return sign;
}

uint64_t kp_sign_outlet(const struct kp_plan *plan, int o)
{
    const struct kp_plan_outlet *outlet = &plan->outlets[o];
    const struct kp_plan_space *space = &plan->spaces[plan->trackers[outlet->tracker].space];
    uint64_t value = outlet->value < 0 ? 0 : kp_sign_value(plan, space->values[outlet->value]);
    uint64_t sign = kp_sign_both(kp_sign_tracker(plan, outlet->tracker), (uint64_t)outlet->part);

    return kp_sign_both(kp_sign_both(sign, value), kp_sign_both((uint64_t)outlet->step, (uint64_t)outlet->within_ms));
}

uint64_t kp_sign_rule(const struct kp_plan *plan, int r)
{
    const struct kp_alert_cfg *cfg = plan->rules[r].cfg;

    return kp_sign_both(kp_sign_both(text_sign(cfg->name), text_sign(cfg->kpi)),
                        kp_sign_both(kp_sign_both(text_sign(cfg->window.text), text_sign(cfg->level)), (uint64_t)cfg->compare));
}
