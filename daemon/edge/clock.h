/* The system's clocks, and how long a part of a turn of the loop may take. */
#ifndef KPID_CLOCK_H
#define KPID_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Snapshots and long replies stop for events and alerts after so long, and go on in the next turn. */
enum { KP_TURN_US = 200 };

static inline int64_t kp_clock_us(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static inline int64_t kp_clock_ms(clockid_t id)
{
    return kp_clock_us(id) / 1000;
}

#endif
