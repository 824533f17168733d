/* Contests: who leads, by what was done in a stretch of time that stands still.
 *
 * A standing is read on demand, out of one pane for each key and stretch, and depends on the events alone, not on their order. What
 * comes later than KP_SPAN_LATE_MS (a week) after the end is not counted any more: the standing is final, and stays for as long as
 * the contest stands in the configuration. What was counted for a key stays with it, whoever belongs to it now. */
#ifndef KPID_CONTEST_H
#define KPID_CONTEST_H

#include "kpid/engine.h"

enum kp_contest_state { KP_CONTEST_COMING, KP_CONTEST_RUNNING, KP_CONTEST_OVER };

struct kp_contest_place {
    uint32_t node;
    uint32_t rank;          /* 1 leads; who has as many points, and the same by the tie-break, has the same; 0: none */
    double value, tie;      /* points, and what the tie-break says; NaN: none */
};
struct kp_contest_standing {
    const struct kp_contest_cfg *cfg;
    enum kp_contest_state state;
    bool is_final;
    const struct kp_contest_place *places;  /* by rank, those without one last; equal ones by path */
    size_t n;
    uint32_t of;            /* how many have a rank */
};

size_t kp_engine_contests(const struct kp_engine *engine);
/* The standing of contest i of the configuration as of the engine's time; nobody stands in one that has not begun. It borrows until
 * the next call of anything. False: memory is out.
 *
 * `adjusted`: what adds up is multiplied by the working time of the contest so far, to the minute, by a key's calendar, and divided by
 * its own, which lacks absences and what lies before a member's start or after its end; of a unit by the sums of those who belong to
 * it now. Who has none of their own, although others have, has no rank. */
bool kp_engine_standing(struct kp_engine *engine, size_t i, struct kp_contest_standing *standing) KP_CHECK;

#endif
