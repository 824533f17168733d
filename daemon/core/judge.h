/* Judgement: how far a number lies from what a rule compares it with, whether that is a breach, and when time alone may change
 * the answer.
 *
 * Fairness is here: nothing is judged on too few samples or too early in a period, and with `confidence` only what luck alone
 * would not explain. The life of an alert is alert_life.c's. */
#ifndef KPID_CORE_JUDGE_H
#define KPID_CORE_JUDGE_H

#include "baseline.h"
#include "plan.h"
#include "target.h"

#include "kpid/engine.h"

/* What a node's number is held against by a rule. */
struct kp_yardstick {
    struct kp_targets *targets;
    const struct kp_plan_rule *rule;
    uint32_t node;
    double given;           /* TARGET, PEERS, BASELINE: as of now; NaN: nothing, so nothing is judged */
    const struct kp_baseline *baseline;     /* BASELINE: as of other instants; NULL: none */
};

struct kp_verdict {
    enum kp_severity severity;
    double x;           /* what is held against the thresholds; NaN: there is nothing to judge */
    double p;           /* how likely luck alone brings so little; NaN: it was not asked */
    int answer;         /* all that an alert asks of it, to be compared with another one's */
    int onset;          /* what of that matters while there is no alert: the same for all that is no breach */
    int64_t early_until;    /* it is too early in the period to judge, until then at least; INT64_MAX: it is not */
};
extern const struct kp_verdict kp_no_verdict;

/* What the number is compared with at t, to which the targets have been brought; NaN: nothing. */
double kp_yardstick_now(const struct kp_yardstick *yard);

/* Judge a node's number at t. from: the start of the window's period. */
struct kp_verdict kp_judge(const struct kp_yardstick *yard, struct kp_number number, int64_t from, int64_t t);

/* The first instant after t at which the answer, or the onset, is another than `now` because more is expected, if the number stays as
 * it is; INT64_MAX: none before `to`. With a larger number and the same answer it is never earlier. Exact where what is expected never
 * falls: the instants between are judged by halves, some 30 of them. */
int64_t kp_judge_turns(const struct kp_yardstick *yard, struct kp_number number, bool onset, int now, int64_t t, int64_t to);

/* VALUE: answer and onset of a number; of one that can't be judged the onset is that of no breach. */
int kp_judge_answer(const struct kp_alert_cfg *cfg, struct kp_number number);
int kp_judge_onset(const struct kp_alert_cfg *cfg, struct kp_number number);

/* Judge how many ms something lasts already, or stands still; a threshold is reached when it lasts so long. */
struct kp_verdict kp_judge_lapse(const struct kp_alert_cfg *cfg, int64_t ms);
/* The next threshold that it has not reached yet, in ms; INT64_MAX: there is none. */
int64_t kp_judge_lapse_next(const struct kp_alert_cfg *cfg, int64_t ms);

/* Is x back past the bound by the rule's `clear`? */
bool kp_judge_back(const struct kp_alert_cfg *cfg, const struct kp_bound *bound, double x);

#endif
