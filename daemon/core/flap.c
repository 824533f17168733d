#include "flap.h"

#include <stdlib.h>
#include <string.h>

enum { KEPT = KP_FLAP_CHANGES_MAX + 1 };

struct kp_flap {
    int64_t at[KEPT];       /* a ring */
    uint32_t n;             /* ever noted; of a free slot: the next free one + 1 */
};

void kp_flaps_release(struct kp_flaps *flaps)
{
    free(flaps->slots);
    memset(flaps, 0, sizeof *flaps);
}

static uint32_t take(struct kp_flaps *flaps)
{
    uint32_t slot = flaps->free;

    if (slot) {
        flaps->free = flaps->slots[slot - 1].n;
    } else {
        if (flaps->made == flaps->room) {
            uint32_t room = flaps->room ? flaps->room * 2 : 64;
            struct kp_flap *grown = realloc(flaps->slots, room * sizeof *grown);

            if (!grown)
                return 0;
            flaps->slots = grown;
            flaps->room = room;
        }
        slot = ++flaps->made;
    }
    flaps->slots[slot - 1].n = 0;
    return slot;
}

uint32_t kp_flaps_note(struct kp_flaps *flaps, uint32_t slot, int64_t t)
{
    struct kp_flap *flap;

    if (!slot)
        slot = take(flaps);
    if (!slot)
        return 0;
    flap = &flaps->slots[slot - 1];
    flap->at[flap->n++ % KEPT] = t;
    return slot;
}

static uint32_t kept(const struct kp_flap *flap)
{
    return flap->n < KEPT ? flap->n : KEPT;
}

/* The instant of the kth newest. */
static int64_t newest(const struct kp_flap *flap, uint32_t k)
{
    return flap->at[(flap->n - k) % KEPT];
}

uint32_t kp_flaps_count(const struct kp_flaps *flaps, uint32_t slot, int64_t t, int64_t within_ms)
{
    uint32_t count = 0;

    while (slot && count < kept(&flaps->slots[slot - 1]) && newest(&flaps->slots[slot - 1], count + 1) > t - within_ms)
        count++;
    return count;
}

int64_t kp_flaps_fewer(const struct kp_flaps *flaps, uint32_t slot, uint32_t n, int64_t within_ms)
{
    return newest(&flaps->slots[slot - 1], n) + within_ms;
}

uint32_t kp_flaps_list(const struct kp_flaps *flaps, uint32_t slot, int64_t at[KEPT])
{
    uint32_t n = slot ? kept(&flaps->slots[slot - 1]) : 0;

    for (uint32_t i = 0; i < n; i++)
        at[i] = newest(&flaps->slots[slot - 1], n - i);
    return n;
}

void kp_flaps_give_back(struct kp_flaps *flaps, uint32_t slot)
{
    if (!slot)
        return;
    flaps->slots[slot - 1].n = flaps->free;
    flaps->free = slot;
}
