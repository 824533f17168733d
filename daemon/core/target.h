/* Targets: what each key is to reach in a period.
 *
 * A target set is a KPI and a period. A member's target is that of the most specific `for:` that holds for it, the
 * later one in the file where two are as specific; a key above has the sum of its members' unless one is given
 * for its level. Resolved once, when the roster is known. */
#ifndef KPID_CORE_TARGET_H
#define KPID_CORE_TARGET_H

#include "store.h"

/* Number the sets, tell the plan's pairs and rules theirs, and give every node its targets. */
enum kp_code kp_targets_resolve(struct kp_plan *plan, struct kp_store *store, struct kp_err *err) KP_CHECK;

/* A node's target; NaN when there is none (set -1 included). */
double kp_target_of(const struct kp_store *store, uint32_t node, int set);

#endif
