/* Baselines: what is usual for a key, by its own last periods.
 *
 * The usual number by an instant of the running period is the mean of what the last `periods` periods had come to when the
 * same share of their working time had passed. Periods in which the key did not work at all are passed over. There is none
 * until so many whole periods lie behind the first event ever, and behind the start of a member.
 *
 * It is found for two instants at a time, 1/32 of the period's working time apart, and in between goes by working time. So
 * many reads of old panes are made for that: two for each instant and period; within a pane its number goes by working time,
 * too. */
#ifndef KPID_CORE_BASELINE_H
#define KPID_CORE_BASELINE_H

#include "read.h"
#include "target.h"

enum { KP_BASELINE_STEPS = 32 };

struct kp_baseline {
    int64_t from_ms, to_ms;     /* of the running period: good for the instants between */
    double from, to;            /* what is usual by then; NaN: there is no baseline */
    int64_t good_until_ms;      /* it is to be found anew from then on: events of the past may have come */
    uint64_t past;              /* ... or have: see kp_baseline_span */
};

/* The running period of the rule's window, since when there are events at all, and a number that rises when old ones come. */
struct kp_baseline_span {
    int64_t from_ms, to_ms, data_from_ms;
    uint64_t past;
};

/* Is it still good at t? */
bool kp_baseline_is_good(const struct kp_baseline *baseline, const struct kp_baseline_span *span, int64_t t);
/* Find it for the two instants around t. */
void kp_baseline_take(struct kp_reader *reader, const struct kp_targets *targets, const struct kp_plan_rule *rule, uint32_t node,
                      const struct kp_baseline_span *span, int64_t t, struct kp_baseline *baseline);

/* What is usual by an instant between the two. */
double kp_baseline_at(const struct kp_targets *targets, uint32_t node, const struct kp_baseline *baseline, int64_t at_ms);

#endif
