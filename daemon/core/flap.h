/* When alerts changed of late: enough to tell which of them change all the time.
 *
 * Only what has changed is remembered, each in a slot of its own with the newest changes; a slot is given back once the last
 * of them is old. 256 bytes a slot. */
#ifndef KPID_CORE_FLAP_H
#define KPID_CORE_FLAP_H

#include "kpid/config.h"

#include <stdbool.h>
#include <stdint.h>

struct kp_flap;
struct kp_flaps {
    struct kp_flap *slots;      /* owned */
    uint32_t made, room, free;  /* free: the first free one + 1, 0: none */
};
void kp_flaps_release(struct kp_flaps *flaps);

/* Note a change in a slot (0: none yet, then it gets one); returns the slot, 0 when memory is out. */
uint32_t kp_flaps_note(struct kp_flaps *flaps, uint32_t slot, int64_t t);
/* How many of the changes noted lie in (t - within, t]. */
uint32_t kp_flaps_count(const struct kp_flaps *flaps, uint32_t slot, int64_t t, int64_t within_ms);
/* The instant at which fewer than n of them will, if none comes: n from 1 to the count. */
int64_t kp_flaps_fewer(const struct kp_flaps *flaps, uint32_t slot, uint32_t n, int64_t within_ms);
/* The instants of the changes that are kept, the oldest first; at most KP_FLAP_CHANGES_MAX + 1. Returns how many. */
uint32_t kp_flaps_list(const struct kp_flaps *flaps, uint32_t slot, int64_t at[KP_FLAP_CHANGES_MAX + 1]);
void kp_flaps_give_back(struct kp_flaps *flaps, uint32_t slot);

#endif
