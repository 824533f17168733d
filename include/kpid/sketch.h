/* Mergeable summaries of many values: quantiles, distinct counts, and exact variance.
 *
 * The answer of each depends on the set of values added, never on their order nor on how they were split
 * over panes. Blobs come from a kp_slab and are referred to by pointer from an aggregate's row. */
#ifndef KPID_SKETCH_H
#define KPID_SKETCH_H

#include "kpid/slab.h"
#include "kpid/value.h"

/* ---- Quantiles: DDSketch (Masson, Rim, Lee, PVLDB 12(12), 2019), alpha 1 %, never collapsing ----
 * Values are millionths in +-KP_VALUE_MAX, so there are at most some 2,200 bins a sign and the bound on the
 * error always holds. Few bins are kept as a sorted list, many as a dense range. */
struct kp_quant;

/* Bin of a value: 0 for zero, positive for positive ones, negative for negative. Compute once per event. */
int32_t kp_quant_bin(int64_t micro);

/* Add a sample. *q may be NULL (empty) and is replaced when it grows. KP_ENOMEM: *q is as it was. */
enum kp_code kp_quant_add(struct kp_quant **q, struct kp_slab *slab, int32_t bin) KP_CHECK;
/* Take a sample back: also one that is not there, whose bin then stands below 0 until it comes. */
enum kp_code kp_quant_sub(struct kp_quant **q, struct kp_slab *slab, int32_t bin) KP_CHECK;
enum kp_code kp_quant_merge(struct kp_quant **into, struct kp_slab *slab, const struct kp_quant *from) KP_CHECK;
/* into -= from, also where more is taken than is there. */
enum kp_code kp_quant_take(struct kp_quant **into, struct kp_slab *slab, const struct kp_quant *from) KP_CHECK;
void kp_quant_free(struct kp_quant **q, struct kp_slab *slab);
int64_t kp_quant_count(const struct kp_quant *q);
/* The nearest-rank quantile (rank = ceil(p * n), at least 1), p in [0, 1], within 1 % of the exact one. n must be > 0. */
double kp_quant_value(const struct kp_quant *q, double p);

/* ---- Distinct: exact to KP_DISTINCT_EXACT hashes, then HyperLogLog with 2^12 registers (Flajolet et al. 2007)
 * with Ertl's improved estimator (arXiv:1702.01284), 1.6 % standard error ---- */
#define KP_DISTINCT_EXACT 256
struct kp_distinct;

enum kp_code kp_distinct_add(struct kp_distinct **d, struct kp_slab *slab, uint64_t hash) KP_CHECK;
/* What an addition of this hash will read beside d's first bytes, which are read for it: for __builtin_prefetch. */
const void *kp_distinct_line(const struct kp_distinct *d, uint64_t hash);
enum kp_code kp_distinct_merge(struct kp_distinct **into, struct kp_slab *slab, const struct kp_distinct *from) KP_CHECK;
void kp_distinct_free(struct kp_distinct **d, struct kp_slab *slab);
/* 0 for NULL. */
double kp_distinct_count(const struct kp_distinct *d);

/* ---- Exact sum of squares: 192 bits, three words, little end first ---- */
void kp_square_add(uint64_t sum[3], int64_t micro);
void kp_square_sub(uint64_t sum[3], int64_t micro);
void kp_square_merge(uint64_t into[3], const uint64_t from[3]);
void kp_square_take(uint64_t into[3], const uint64_t from[3]);      /* into -= from */
/* Population standard deviation, in the value's unit, of n > 0 values with this sum and sum of squares. */
double kp_square_stddev(const uint64_t squares[3], kp_i128 sum, uint64_t n);

#endif
