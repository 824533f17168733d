#include "wall.h"

int64_t kp_wall_now(struct kp_wall *wall, int64_t wall_ms, int64_t steady_ms)
{
    int64_t expected = wall->at_ms + (steady_ms - wall->steady_ms);

    if (!wall->begun) {
        *wall = (struct kp_wall){.begun = true, .since_ms = INT64_MIN};
        expected = wall_ms;
    }
    wall->ahead_ms = wall_ms - expected;
    if (wall->ahead_ms <= KP_WALL_LEAP_MS) {
        wall->since_ms = INT64_MIN;
    } else if (wall->since_ms == INT64_MIN) {
        wall->since_ms = steady_ms;
        wall->leaps++;
    }
    if (wall->since_ms == INT64_MIN || steady_ms - wall->since_ms >= KP_WALL_LASTS_MS) {
        wall->since_ms = INT64_MIN;
        expected = wall_ms;
    }
    wall->at_ms = expected;
    wall->steady_ms = steady_ms;
    return expected;
}
