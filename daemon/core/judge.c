#include "judge.h"

#include "tail.h"

#include <math.h>

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

/* Each part changes at most once as what is expected grows. */
static int answer_of(const struct kp_alert_cfg *cfg, const struct kp_verdict *verdict)
{
    if (isnan(verdict->x))
        return -1;
    return (int)verdict->severity | (cfg->warning.set && kp_judge_back(cfg, &cfg->warning, verdict->x)) << 4 |
           (cfg->critical.set && kp_judge_back(cfg, &cfg->critical, verdict->x)) << 5;
}

/* A verdict on a number when so much of it is expected, or is the target. */
static void judge(const struct kp_alert_cfg *cfg, struct kp_number number, double of, struct kp_verdict *verdict)
{
    verdict->x = compared(cfg, number, of);
    verdict->severity = severity_of(cfg, verdict->x);
    verdict->p = (double)NAN;
    if (verdict->severity != KP_SEVERITY_NONE && cfg->confidence > 0) {
        verdict->p = luck(cfg, number, of);
        if (verdict->p > 1 - cfg->confidence)
            verdict->severity = KP_SEVERITY_NONE;
    }
    verdict->answer = answer_of(cfg, verdict);
}

/* Would it be judged otherwise at that instant, if nothing came until then? */
static bool differs(struct kp_targets *targets, const struct kp_plan_rule *rule, uint32_t node, struct kp_number number,
                    int64_t at, int now)
{
    struct kp_verdict then;

    judge(rule->cfg, number, kp_target_expected_at(targets, node, rule->target, at), &then);
    return then.answer != now;
}

int64_t kp_judge_turns(struct kp_targets *targets, const struct kp_plan_rule *rule, uint32_t node, struct kp_number number,
                       int now, int64_t t, int64_t to)
{
    int64_t same = t, other = to - 1;

    if (rule->cfg->compare != KP_CMP_PACE || !number.has || to <= t + 1 || to == INT64_MAX ||
        !differs(targets, rule, node, number, other, now))
        return INT64_MAX;
    while (other - same > 1) {
        int64_t mid = same + (other - same) / 2;

        if (differs(targets, rule, node, number, mid, now))
            other = mid;
        else
            same = mid;
    }
    return other;
}

struct kp_verdict kp_judge(struct kp_targets *targets, const struct kp_plan_rule *rule, uint32_t node, struct kp_number number,
                           int64_t from, int64_t t)
{
    const struct kp_alert_cfg *cfg = rule->cfg;
    struct kp_verdict verdict = {KP_SEVERITY_NONE, (double)NAN, (double)NAN, -1, INT64_MAX};
    double of = (double)NAN;

    if (cfg->min_elapsed_ms) {
        int64_t left = cfg->min_elapsed_ms - kp_targets_work(targets, node, from, t);

        if (left > 0) {     /* when that is over if all that is to come is worked; else it is looked at once more */
            verdict.early_until = kp_targets_opens(targets, node, t);
            if (verdict.early_until < INT64_MAX - left)
                verdict.early_until += left;
            return verdict;
        }
    }
    if (cfg->compare == KP_CMP_TARGET)
        of = kp_target_of(targets, node, rule->target);
    else if (cfg->compare == KP_CMP_PACE)
        of = kp_target_expected(targets, node, rule->target);
    judge(cfg, number, of, &verdict);
    return verdict;
}
