/* What reading a contest's standing needs room for. See kpid/contest.h. */
#ifndef KPID_CORE_CONTEST_H
#define KPID_CORE_CONTEST_H

#include "kpid/contest.h"

struct kp_contests {
    struct kp_contest_place *places;    /* owned; of the last standing */
    size_t room;
    double *hours, *own;                /* owned; working ms by node, for `adjusted`: of its calendars, and its own */
    uint32_t nnodes;
};

void kp_contests_release(struct kp_contests *contests);

#endif
