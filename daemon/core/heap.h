/* Timers: which of many things is due first. A binary heap that knows where each thing stands in it, so that setting,
 * moving and removing one cost log n. Things are small integers. */
#ifndef KPID_CORE_HEAP_H
#define KPID_CORE_HEAP_H

#include "kpid/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_heap {
    struct kp_timer *timers;    /* owned */
    uint32_t *at;               /* owned; by thing: its place in the heap + 1, 0: not there */
    uint32_t count, room, things;
};
struct kp_timer {
    int64_t due_ms;
    uint32_t thing;
};

/* Make room for things 0..count-1. */
bool kp_heap_reserve(struct kp_heap *heap, uint32_t count) KP_CHECK;
void kp_heap_release(struct kp_heap *heap);

/* Set or move a thing's timer; INT64_MAX takes it out. */
void kp_heap_set(struct kp_heap *heap, uint32_t thing, int64_t due_ms);

/* When the first is due; INT64_MAX when none is. */
static inline int64_t kp_heap_due(const struct kp_heap *heap)
{
    return heap->count ? heap->timers[0].due_ms : INT64_MAX;
}
/* When a thing is due; INT64_MAX when it is not there. */
static inline int64_t kp_heap_due_of(const struct kp_heap *heap, uint32_t thing)
{
    return heap->at[thing] ? heap->timers[heap->at[thing] - 1].due_ms : INT64_MAX;
}
/* Set a thing's timer, unless it is due sooner. */
static inline void kp_heap_no_later(struct kp_heap *heap, uint32_t thing, int64_t due_ms)
{
    if (due_ms < kp_heap_due_of(heap, thing))
        kp_heap_set(heap, thing, due_ms);
}
/* The first thing, taken out; the heap must not be empty. Of equal times the smallest thing comes first, so that the
 * same input gives the same order on every run. */
uint32_t kp_heap_pop(struct kp_heap *heap);

#endif
