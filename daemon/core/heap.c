#include "heap.h"

#include <stdlib.h>
#include <string.h>

bool kp_heap_reserve(struct kp_heap *heap, uint32_t count)
{
    uint32_t room = heap->room ? heap->room : 64;
    struct kp_timer *timers;
    uint32_t *at;

    if (count <= heap->room)
        return true;
    while (room < count)
        room = room > UINT32_MAX / 2 ? count : room * 2;
    timers = realloc(heap->timers, (size_t)room * sizeof *timers);
    if (!timers)
        return false;
    heap->timers = timers;
    at = realloc(heap->at, (size_t)room * sizeof *at);
    if (!at)
        return false;
    heap->at = at;
    memset(at + heap->room, 0, (size_t)(room - heap->room) * sizeof *at);
    heap->room = room;
    return true;
}

void kp_heap_release(struct kp_heap *heap)
{
    free(heap->timers);
    free(heap->at);
    memset(heap, 0, sizeof *heap);
}

static bool before(const struct kp_timer *a, const struct kp_timer *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->thing < b->thing;
}

static void put(struct kp_heap *heap, uint32_t place, struct kp_timer timer)
{
    heap->timers[place] = timer;
    heap->at[timer.thing] = place + 1;
}

static void rise(struct kp_heap *heap, uint32_t place, struct kp_timer timer)
{
    while (place > 0 && before(&timer, &heap->timers[(place - 1) / 2])) {
        put(heap, place, heap->timers[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put(heap, place, timer);
}

static void sink(struct kp_heap *heap, uint32_t place, struct kp_timer timer)
{
    for (;;) {
        uint32_t child = 2 * place + 1;

        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && before(&heap->timers[child + 1], &heap->timers[child]))
            child++;
        if (!before(&heap->timers[child], &timer))
            break;
        put(heap, place, heap->timers[child]);
        place = child;
    }
    put(heap, place, timer);
}

static void move(struct kp_heap *heap, uint32_t place, struct kp_timer timer)
{
    if (place > 0 && before(&timer, &heap->timers[(place - 1) / 2]))
        rise(heap, place, timer);
    else
        sink(heap, place, timer);
}

static void take_out(struct kp_heap *heap, uint32_t place)
{
    struct kp_timer last = heap->timers[--heap->count];

    heap->at[heap->timers[place].thing] = 0;
    if (place < heap->count)
        move(heap, place, last);
}

void kp_heap_set(struct kp_heap *heap, uint32_t thing, int64_t due_ms)
{
    uint32_t place = heap->at[thing];

    if (due_ms == INT64_MAX) {
        if (place)
            take_out(heap, place - 1);
        return;
    }
    if (place)
        move(heap, place - 1, (struct kp_timer){due_ms, thing});
    else
        rise(heap, heap->count++, (struct kp_timer){due_ms, thing});
}

uint32_t kp_heap_pop(struct kp_heap *heap)
{
    uint32_t thing = heap->timers[0].thing;

    take_out(heap, 0);
    return thing;
}
