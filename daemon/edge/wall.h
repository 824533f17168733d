/* The wall clock, as far as it is to be believed.
 *
 * The engine's time never goes back, so a clock that leaps ahead for a moment would empty every window and leave kpid in the future. What
 * it leaps by, compared with a clock that nobody sets, is believed only once it has lasted; meanwhile time goes on from where it was.
 * A clock that is set back is followed at once: the engine waits for it. Pure: both clocks are given. */
#ifndef KPID_WALL_H
#define KPID_WALL_H

#include <stdbool.h>
#include <stdint.h>

enum { KP_WALL_LEAP_MS = 60000 /* what is more is a leap */, KP_WALL_LASTS_MS = 30000 };

struct kp_wall {
    bool begun;
    int64_t at_ms, steady_ms;       /* what was said last, and when */
    int64_t since_ms;               /* steady; the leap has lasted since; INT64_MIN: there is none */
    int64_t ahead_ms;               /* by which it leaps */
    uint64_t leaps;                 /* that were not believed at once */
};

/* What time it is. wall_ms: the system's clock; steady_ms: one that nobody sets. */
int64_t kp_wall_now(struct kp_wall *wall, int64_t wall_ms, int64_t steady_ms);
/* Is the clock ahead of what is believed? */
static inline bool kp_wall_leaps(const struct kp_wall *wall)
{
    return wall->begun && wall->since_ms != INT64_MIN;
}

#endif
