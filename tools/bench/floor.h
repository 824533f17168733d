/* The benchmark's events: a mix as on a sales floor, encoded ahead, so that sending costs a copy.
 *
 * An event is a map of 9 keys and about 132 bytes: id, source, type, time, rep and four that its type has. The id is 16
 * hex digits and the time 8 bytes at known places, so that every event sent is a new one. */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <stddef.h>
#include <stdint.h>

enum { FLOOR_EVENT_MAX = 192 };

struct floor_event {
    uint8_t len, id_at, time_at;
    char bytes[FLOOR_EVENT_MAX];
};

/* The i-th of a pool of events of reps "r0000000" ..., drawn by a seed. */
void floor_make(struct floor_event *event, uint64_t seed, uint64_t i, uint64_t reps);
/* The i-th of a pool that tells what following entities costs: of a type, "call" or "stage", alike but for that, about a
 * deal "d00000000" ... Each comes once in so many as there are; its stage is "qualifying" and "won" in turn, its rep now and
 * then another. The pool is FLOOR_ROUNDS times as large as there are deals. */
enum { FLOOR_ROUNDS = 2 };
void floor_make_deal(struct floor_event *event, const char *type, uint64_t i, uint64_t reps, uint64_t deals);
/* Copy it to `to` with an id and a time; returns its length. */
size_t floor_put(const struct floor_event *event, uint64_t id, uint64_t time_ms, char *to);

#endif
