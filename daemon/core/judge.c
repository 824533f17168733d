#include "judge.h"

#include "tail.h"

#include <math.h>

const struct kp_verdict kp_no_verdict = {KP_SEVERITY_NONE, (double)NAN, (double)NAN, -1, -1, INT64_MAX};

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
    verdict->onset = verdict->severity == KP_SEVERITY_NONE && !isnan(verdict->x) ? 0 : verdict->answer;
}

int kp_judge_answer(const struct kp_alert_cfg *cfg, struct kp_number number)
{
    struct kp_verdict verdict = kp_no_verdict;

    judge(cfg, number, (double)NAN, &verdict);
    return verdict.answer;
}

int kp_judge_onset(const struct kp_alert_cfg *cfg, struct kp_number number)
{
    struct kp_verdict verdict = kp_no_verdict;

    judge(cfg, number, (double)NAN, &verdict);
    return isnan(verdict.x) ? 0 : verdict.onset;
}

/* ---- What it is held against ---- */

static double yardstick_at(const struct kp_yardstick *yard, int64_t at)
{
    switch (yard->rule->cfg->compare) {
    case KP_CMP_PACE:
        return kp_target_expected_at(yard->targets, yard->node, yard->rule->target, at);
    case KP_CMP_BASELINE:
        return yard->baseline ? kp_baseline_at(yard->targets, yard->node, yard->baseline, at) : yard->given;
    case KP_CMP_TARGET:
    case KP_CMP_PEERS:
        return yard->given;
    case KP_CMP_VALUE:
    case KP_CMP_SILENCE:
    case KP_CMP_STALLED:
        break;
    }
    return (double)NAN;
}

double kp_yardstick_now(const struct kp_yardstick *yard)
{
    if (yard->rule->cfg->compare == KP_CMP_PACE)
        return kp_target_expected(yard->targets, yard->node, yard->rule->target);
    return yard->given;
}

/* Would it be judged otherwise at that instant, if nothing came until then? */
static bool differs(const struct kp_yardstick *yard, struct kp_number number, bool onset, int now, int64_t at)
{
    struct kp_verdict then;

    judge(yard->rule->cfg, number, yardstick_at(yard, at), &then);
    return (onset ? then.onset : then.answer) != now;
}

int64_t kp_judge_turns(const struct kp_yardstick *yard, struct kp_number number, bool onset, int now, int64_t t, int64_t to)
{
    int64_t same = t, other = to - 1;

    if (!number.has || to <= t + 1 || to == INT64_MAX || !differs(yard, number, onset, now, other))
        return INT64_MAX;
    while (other - same > 1) {
        int64_t mid = same + (other - same) / 2;

        if (differs(yard, number, onset, now, mid))
            other = mid;
        else
            same = mid;
    }
    return other;
}

struct kp_verdict kp_judge(const struct kp_yardstick *yard, struct kp_number number, int64_t from, int64_t t)
{
    const struct kp_alert_cfg *cfg = yard->rule->cfg;
    struct kp_verdict verdict = kp_no_verdict;

    if (cfg->min_elapsed_ms) {
        int64_t left = cfg->min_elapsed_ms - kp_targets_work(yard->targets, yard->node, from, t);

        if (left > 0) {     /* when that is over if all that is to come is worked; else it is looked at once more */
            verdict.early_until = kp_targets_opens(yard->targets, yard->node, t);
            if (verdict.early_until < INT64_MAX - left)
                verdict.early_until += left;
            return verdict;
        }
    }
    judge(cfg, number, kp_yardstick_now(yard), &verdict);
    return verdict;
}

/* ---- What lasts ---- */

static int64_t lapse_of(const struct kp_bound *bound)
{
    return bound->set ? llrint(bound->at * 1000) : INT64_MAX;
}

struct kp_verdict kp_judge_lapse(const struct kp_alert_cfg *cfg, int64_t ms)
{
    struct kp_verdict verdict = kp_no_verdict;

    verdict.x = (double)ms / 1000;
    if (ms >= lapse_of(&cfg->critical))
        verdict.severity = KP_SEVERITY_CRITICAL;
    else if (ms >= lapse_of(&cfg->warning))
        verdict.severity = KP_SEVERITY_WARNING;
    return verdict;
}

int64_t kp_judge_lapse_next(const struct kp_alert_cfg *cfg, int64_t ms)
{
    int64_t warning = lapse_of(&cfg->warning), critical = lapse_of(&cfg->critical);

    return ms < warning && warning < critical ? warning : ms < critical ? critical : INT64_MAX;
}
