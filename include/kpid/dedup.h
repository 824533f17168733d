/* The memory of (source, id) pairs: was this event counted before?
 *
 * Remembers for `window`, to the second of processing time, and at most `max` pairs: beyond that the oldest goes first, and is
 * counted as evicted. A pair takes 16 bytes, and 8 to 16 in the index that leads to it; at least 4 MiB in all. */
#ifndef KPID_DEDUP_H
#define KPID_DEDUP_H

#include "kpid/tab.h"

struct kp_dedup;

struct kp_dedup *kp_dedup_new(int64_t window_ms, size_t max, struct kp_err *err) KP_CHECK;
void kp_dedup_destroy(struct kp_dedup **dedup);
/* What kp_dedup_seen of this print will read first, and kp_dedup_add write: for __builtin_prefetch. */
const void *kp_dedup_line(const struct kp_dedup *dedup, struct kp_print print);

/* Was print added at or after now_ms - window? */
bool kp_dedup_seen(struct kp_dedup *dedup, struct kp_print print, int64_t now_ms);

/* Remember a print that was not seen, as of now_ms. Nothing happens (and it counts as evicted) when memory is out. */
void kp_dedup_add(struct kp_dedup *dedup, struct kp_print print, int64_t now_ms);

size_t kp_dedup_count(const struct kp_dedup *dedup);        /* pairs held, expired ones not yet swept among them */
uint64_t kp_dedup_evicted(const struct kp_dedup *dedup);    /* pairs forgotten before their time */
size_t kp_dedup_bytes(const struct kp_dedup *dedup);

#endif
