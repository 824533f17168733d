/* How long things take: counts by powers of two of a microsecond, as Prometheus has histograms. */
#ifndef KPID_HISTOGRAM_H
#define KPID_HISTOGRAM_H

#include <stdint.h>

enum { KP_HISTOGRAM_BUCKETS = 24 };     /* the last one: 4 seconds and more */

struct kp_histogram {           /* empty when all bytes are zero */
    uint64_t count, sum_us, max_us;
    uint64_t buckets[KP_HISTOGRAM_BUCKETS];     /* i: those that took less than 2^i us, and no less than 2^(i-1) */
};

static inline void kp_histogram_note(struct kp_histogram *h, int64_t us)
{
    uint64_t took = us > 0 ? (uint64_t)us : 0;
    int i = took ? 64 - __builtin_clzll(took) : 0;

    h->count++;
    h->sum_us += took;
    h->max_us = took > h->max_us ? took : h->max_us;
    h->buckets[i < KP_HISTOGRAM_BUCKETS ? i : KP_HISTOGRAM_BUCKETS - 1]++;
}

#endif
