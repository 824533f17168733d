/* Targets: what each key is to reach in a period, and how much of it by now.
 *
 * A target set is a KPI, a calendar period and how many periods back. A member's target is that of the most specific `for:`
 * that holds for it, the later one in the file where two are as specific, ramped up in the first months after its `start`;
 * outside of `start` to `end` it has none. A key above has the sum of its members' unless one is given for its level. What
 * is expected by t is the target times the share of the period's working time that has passed, each member's by its own
 * calendar and absences, in the period of the key that is asked about.
 *
 * Targets change when a period begins, or a member: kp_targets_at then adds them up anew, one step for each member and set.
 * Reading what is expected costs a step for each calendar and each member below who begins, ends or is away in the period.
 * Memory: 12 bytes a key of the roster and set, 8 a unit, set and calendar, and 4 for each such member above it; 64 KiB for
 * working time that was asked for of late. */
#ifndef KPID_CORE_TARGET_H
#define KPID_CORE_TARGET_H

#include "store.h"

struct kp_targets;

/* Does a `for:` hold for a node: its own key and those above it by level, and what the roster says of a member? */
bool kp_store_selects(const struct kp_store *store, uint32_t node, const struct kp_selector *select, size_t nselect);

/* For the roster that stands in the store; numbers the sets and tells the plan's pairs and rules theirs. */
struct kp_targets *kp_targets_new(struct kp_plan *plan, struct kp_store *store, struct kp_err *err) KP_CHECK;
void kp_targets_destroy(struct kp_targets **targets);

/* Bring them to an instant. */
void kp_targets_at(struct kp_targets *targets, int64_t at_ms);

/* A node's target; NaN when there is none (set -1 included). */
double kp_target_of(const struct kp_targets *targets, uint32_t node, int set);
/* What of it is expected by the instant of kp_targets_at; NaN where there is no target. */
double kp_target_expected(struct kp_targets *targets, uint32_t node, int set);

/* ... by another instant, not before that of kp_targets_at; after the end of its period all of it. Never falls. */
double kp_target_expected_at(struct kp_targets *targets, uint32_t node, int set, int64_t at_ms);

/* Working ms of a key between two instants, by its own calendar; of a member less its absences and what lies before its start
 * or after its end. */
int64_t kp_targets_work(const struct kp_targets *targets, uint32_t node, int64_t from, int64_t to);
/* The same of its calendar alone, whether it was here or not. */
int64_t kp_targets_hours(const struct kp_targets *targets, uint32_t node, int64_t from, int64_t to);
/* The first instant by which it has worked so many ms, over 0, since `from`; INT64_MAX: not within a year more. */
int64_t kp_targets_when(const struct kp_targets *targets, uint32_t node, int64_t from, int64_t work_ms);
/* The first instant from `at` on at which it works; INT64_MAX: none within a year. */
int64_t kp_targets_opens(const struct kp_targets *targets, uint32_t node, int64_t at);
/* The first instant from `at` on at which it does not; INT64_MAX: none within a year. */
int64_t kp_targets_closes(const struct kp_targets *targets, uint32_t node, int64_t at);

size_t kp_targets_bytes(const struct kp_targets *targets);

#endif
