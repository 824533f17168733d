#include "judge.h"

#include "tail.h"

#include <math.h>

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)

/* What is reached of what: the number itself, of its target, or of what is expected by now. */
static double compared(const struct kp_alert_cfg *cfg, struct kp_number number, double of)
{
    if (!number.has || number.n < (int64_t)cfg->min_count)
        return (double)NAN;
    if (cfg->compare == KP_CMP_VALUE)
        return number.value;
    return of > 0 ? number.value / of : (double)NAN;    /* nothing to reach: nobody is behind */
}

static bool beyond(const struct kp_bound *bound, double x)
{
    return bound->set && (bound->above ? x > bound->at : x < bound->at);
}

static double cleared(const struct kp_alert_cfg *cfg, const struct kp_bound *bound)
{
    double margin = cfg->clear_relative ? fabs(bound->at) * cfg->clear : cfg->clear;

    return bound->above ? bound->at - margin : bound->at + margin;
}

bool kp_judge_back(const struct kp_alert_cfg *cfg, const struct kp_bound *bound, double x)
{
    return bound->above ? x <= cleared(cfg, bound) : x >= cleared(cfg, bound);
}

static enum kp_severity severity_of(const struct kp_alert_cfg *cfg, double x)
{
    if (isnan(x))
        return KP_SEVERITY_NONE;
    if (beyond(&cfg->critical, x))
        return KP_SEVERITY_CRITICAL;
    return beyond(&cfg->warning, x) ? KP_SEVERITY_WARNING : KP_SEVERITY_NONE;
}

/* How likely somebody who does just what is asked comes out so low. A share's number of tries are its samples. */
static double luck(const struct kp_alert_cfg *cfg, struct kp_number number, double of)
{
    if (cfg->by_share)
        return kp_binomial_tail(llrint(number.value * (double)number.n), number.n, of);
    return kp_poisson_tail(llrint(number.value), of);
}

static void sooner(int64_t *wake, int64_t at)
{
    if (at < *wake)
        *wake = at;
}

/* After so much working time, as if all of what is to come were: never too late, and then it is looked at anew. */
static int64_t after(const struct kp_targets *targets, uint32_t node, int64_t t, int64_t work)
{
    int64_t opens = kp_targets_opens(targets, node, t);

    return opens > INT64_MAX - work ? INT64_MAX : opens + (work > SECOND ? work : SECOND);
}

/* The next instant at which a growing expectation may carry the number over a threshold, or over the place where it is
 * cleared: expectations rise no faster than when everybody works. */
static int64_t crossing(struct kp_targets *targets, const struct kp_plan_rule *rule, uint32_t node, double value, double expected,
                        int64_t t)
{
    const struct kp_bound *bounds[] = {&rule->cfg->warning, &rule->cfg->critical};
    double rate = kp_target_rate(targets, node, rule->target), next = INFINITY;

    if (!(rate > 0))
        return INT64_MAX;
    if (!(expected > 0))
        return after(targets, node, t, MINUTE);
    for (int i = 0; i < 2; i++) {
        double at[] = {bounds[i]->at, cleared(rule->cfg, bounds[i])};

        for (int k = 0; k < 2 && bounds[i]->set; k++)
            if (at[k] > 0 && value / at[k] > expected && value / at[k] < next)
                next = value / at[k];
    }
    next = (next - expected) / rate;
    return next > 1e15 ? INT64_MAX : t + (next > (double)SECOND ? (int64_t)next + 1 : SECOND);
}

struct kp_verdict kp_judge(struct kp_targets *targets, const struct kp_plan_rule *rule, uint32_t node, struct kp_number number,
                           int64_t from, int64_t t)
{
    const struct kp_alert_cfg *cfg = rule->cfg;
    struct kp_verdict verdict = {KP_SEVERITY_NONE, (double)NAN, (double)NAN, INT64_MAX};
    double of = (double)NAN;

    if (cfg->min_elapsed_ms) {
        int64_t worked = kp_targets_work(targets, node, from, t);

        if (worked < cfg->min_elapsed_ms) {
            verdict.wake = after(targets, node, t, cfg->min_elapsed_ms - worked);
            return verdict;
        }
    }
    if (cfg->compare == KP_CMP_TARGET)
        of = kp_target_of(targets, node, rule->target);
    else if (cfg->compare == KP_CMP_PACE)
        of = kp_target_expected(targets, node, rule->target);
    verdict.x = compared(cfg, number, of);
    verdict.severity = severity_of(cfg, verdict.x);
    if (cfg->compare == KP_CMP_PACE && number.has)
        verdict.wake = crossing(targets, rule, node, number.value, of, t);
    if (verdict.severity == KP_SEVERITY_NONE || cfg->confidence <= 0)
        return verdict;
    verdict.p = luck(cfg, number, of);
    if (verdict.p > 1 - cfg->confidence) {
        verdict.severity = KP_SEVERITY_NONE;
        if (cfg->compare == KP_CMP_PACE)
            sooner(&verdict.wake, after(targets, node, t, MINUTE));
    }
    return verdict;
}
