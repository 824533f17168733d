/* How long things take: counts by powers of two of a unit of time, as Prometheus has histograms. The unit is up to who notes: with
 * microseconds the last bucket is that of 4 seconds and more, with milliseconds that of more than an hour. */
#ifndef KPID_HISTOGRAM_H
#define KPID_HISTOGRAM_H

#include <stdint.h>

enum { KP_HISTOGRAM_BUCKETS = 24 };

struct kp_histogram {           /* empty when all bytes are zero */
    uint64_t count, sum, max;
    uint64_t buckets[KP_HISTOGRAM_BUCKETS];     /* i: those that took less than 2^i, and no less than 2^(i-1) */
};

static inline void kp_histogram_note(struct kp_histogram *h, int64_t time)
{
    uint64_t took = time > 0 ? (uint64_t)time : 0;
    int i = took ? 64 - __builtin_clzll(took) : 0;

    h->count++;
    h->sum += took;
    h->max = took > h->max ? took : h->max;
    h->buckets[i < KP_HISTOGRAM_BUCKETS ? i : KP_HISTOGRAM_BUCKETS - 1]++;
}

#endif
