/* DDSketch with the cubically interpolated mapping of the authors' own implementations: the logarithm is replaced by
 * exponent + P(significand), P(s) = ((A s + B) s + C) s, which needs no libm and gives the same bins on every machine.
 *
 * (1 + s) P'(s) is never below 10/7, so a step of 1 in the index is a ratio of at most gamma when the multiplier is
 * (7/10) / ln(gamma); gamma = (1 + alpha) / (1 - alpha). */
#include "kpid/sketch.h"

#include "image.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { SPARSE_MAX = 96 };

#define CUBIC_A (6.0 / 35.0)
#define CUBIC_B (-3.0 / 5.0)
#define CUBIC_C (10.0 / 7.0)
#define MULTIPLIER 35.2     /* 34.9988 would be alpha 1 % to the last digit; this leaves 0.994 % and some room for rounding */

struct pair {
    int32_t bin;
    int32_t count;
};

/* Counts may be below 0: see kp_quant_sub. Sparse: `n` pairs of `room`, rising by bin, none of count 0. Dense: `room` counts from bin `base` on. */
struct kp_quant {
    int64_t count;
    int32_t base;
    uint16_t n, room;       /* room 0 does not occur; dense: room is of counts */
    bool dense;
    union {
        struct pair pairs[1];
        int64_t counts[1];
    };
};

static size_t size_of(bool dense, size_t room)
{
    return offsetof(struct kp_quant, pairs) + room * (dense ? sizeof(uint64_t) : sizeof(struct pair));
}

int32_t kp_quant_bin(int64_t micro)
{
    double v = micro < 0 ? -(double)micro : (double)micro, s;
    uint64_t bits;
    int exponent;
    int32_t bin;

    if (micro == 0)
        return 0;
    memcpy(&bits, &v, sizeof bits);
    exponent = (int)(bits >> 52) - 1023;
    bits = (bits & UINT64_C(0xFFFFFFFFFFFFF)) | UINT64_C(0x3FF0000000000000);
    memcpy(&s, &bits, sizeof s);
    s -= 1.0;
    bin = (int32_t)(MULTIPLIER * (exponent + ((CUBIC_A * s + CUBIC_B) * s + CUBIC_C) * s)) + 1;
    return micro < 0 ? -bin : bin;
}

/* Lower edge of a positive bin, in millionths. The cubic rises and bends one way over [0, 1], and lies at most 0.09 off the
 * diagonal: so Newton's steps from there square the error, and the fourth is exact to the last digits. */
static double edge(int32_t bin)
{
    double index = (bin - 1) / MULTIPLIER, whole = floor(index), s = index - whole;

    for (int i = 0; i < 4; i++)
        s -= (((CUBIC_A * s + CUBIC_B) * s + CUBIC_C) * s - (index - whole)) / ((3 * CUBIC_A * s + 2 * CUBIC_B) * s + CUBIC_C);
    return ldexp(1 + s, (int)whole);
}

/* The value that is within alpha of all that the bin holds. */
static double representative(int32_t bin)
{
    double lo, hi;

    if (bin == 0)
        return 0;
    lo = edge(bin < 0 ? -bin : bin);
    hi = edge((bin < 0 ? -bin : bin) + 1);
    return (bin < 0 ? -1 : 1) * (2 * lo * hi / (lo + hi)) / KP_MICRO;
}

/* ---- Storage ---- */

/* Room that fills the slab's class. */
static size_t whole_class(bool dense, size_t room)
{
    size_t item = dense ? sizeof(uint64_t) : sizeof(struct pair);

    return (kp_slab_class(size_of(dense, room)) - offsetof(struct kp_quant, pairs)) / item;
}

static struct kp_quant *make(struct kp_slab *slab, bool dense, size_t room, int32_t base)
{
    struct kp_quant *q;

    room = whole_class(dense, room);
    if (room > UINT16_MAX)
        room = UINT16_MAX;
    q = kp_slab_alloc(slab, size_of(dense, room));
    if (!q)
        return NULL;
    memset(q, 0, size_of(dense, room));
    q->room = (uint16_t)room;
    q->dense = dense;
    q->base = base;
    return q;
}

void kp_quant_free(struct kp_quant **q, struct kp_slab *slab)
{
    if (*q)
        kp_slab_free(slab, *q, size_of((*q)->dense, (*q)->room));
    *q = NULL;
}

int64_t kp_quant_count(const struct kp_quant *q)
{
    return q ? q->count : 0;
}

/* First and last bin in use; false: none is. */
static bool range(const struct kp_quant *q, int32_t *first, int32_t *last)
{
    int lo = 0, hi = q->room - 1;

    if (!q->dense) {
        if (q->n == 0)
            return false;
        *first = q->pairs[0].bin;
        *last = q->pairs[q->n - 1].bin;
        return true;
    }
    while (lo <= hi && q->counts[lo] == 0)
        lo++;
    while (hi > lo && q->counts[hi] == 0)
        hi--;
    *first = q->base + lo;
    *last = q->base + hi;
    return lo <= hi;
}

/* A dense one that holds what q holds and has room for a range of bins, with some to spare on both sides. */
static struct kp_quant *make_dense(struct kp_slab *slab, const struct kp_quant *q, int32_t first, int32_t last)
{
    int32_t low, high, spare;
    struct kp_quant *d;

    if (!range(q, &low, &high)) {
        low = first;
        high = last;
    }
    if (first < low)
        low = first;
    if (last > high)
        high = last;
    spare = (high - low) / 8 + 4;
    d = make(slab, true, (size_t)(high - low) + 1 + 2 * (size_t)spare, low - spare);
    if (!d)
        return NULL;
    d->count = q->count;
    for (int i = 0; i < (q->dense ? q->room : q->n); i++) {
        if (!q->dense)
            d->counts[q->pairs[i].bin - d->base] += q->pairs[i].count;
        else if (q->counts[i])
            d->counts[q->base + i - d->base] = q->counts[i];
    }
    return d;
}

static enum kp_code replace(struct kp_quant **q, struct kp_slab *slab, struct kp_quant *with)
{
    if (!with)
        return KP_ENOMEM;
    kp_quant_free(q, slab);
    *q = with;
    return KP_OK;
}

static enum kp_code grow_sparse(struct kp_quant **q, struct kp_slab *slab)
{
    struct kp_quant *old = *q;
    struct kp_quant *bigger = make(slab, false, (size_t)old->room + 1, 0);

    if (bigger) {
        bigger->count = old->count;
        bigger->n = old->n;
        memcpy(bigger->pairs, old->pairs, old->n * sizeof *old->pairs);
    }
    return replace(q, slab, bigger);
}

static int lower_bound(const struct kp_quant *q, int32_t bin)
{
    int lo = 0, hi = q->n;

    while (lo < hi) {
        int mid = (lo + hi) / 2;

        if (q->pairs[mid].bin < bin)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static enum kp_code add_dense(struct kp_quant **q, struct kp_slab *slab, int32_t bin, int64_t count)
{
    if (bin < (*q)->base || bin >= (*q)->base + (*q)->room) {
        enum kp_code code = replace(q, slab, make_dense(slab, *q, bin, bin));

        if (code)
            return code;
    }
    (*q)->counts[bin - (*q)->base] += count;
    (*q)->count += count;
    return KP_OK;
}

/* Does a pair hold this count? */
static bool fits(int64_t count)
{
    return count >= INT32_MIN && count <= INT32_MAX;
}

/* The pair at `at` gets another count, and goes when that is 0. */
static void set_pair(struct kp_quant *q, int at, int64_t count)
{
    q->pairs[at].count = (int32_t)count;
    if (count)
        return;
    q->n--;
    memmove(q->pairs + at, q->pairs + at + 1, (size_t)(q->n - at) * sizeof *q->pairs);
}

static enum kp_code insert_pair(struct kp_quant **q, struct kp_slab *slab, int at, int32_t bin, int64_t count)
{
    enum kp_code code = (*q)->n == (*q)->room ? grow_sparse(q, slab) : KP_OK;

    if (code)
        return code;
    memmove((*q)->pairs + at + 1, (*q)->pairs + at, (size_t)((*q)->n - at) * sizeof *(*q)->pairs);
    (*q)->pairs[at] = (struct pair){bin, (int32_t)count};
    (*q)->n++;
    return KP_OK;
}

static enum kp_code add_counts(struct kp_quant **q, struct kp_slab *slab, int32_t bin, int64_t count)
{
    enum kp_code code = KP_OK;
    int64_t sum = count;
    bool have;
    int at;

    if (!*q)
        *q = make(slab, false, 1, 0);
    if (!*q)
        return KP_ENOMEM;
    if ((*q)->dense)
        return add_dense(q, slab, bin, count);
    at = lower_bound(*q, bin);
    have = at < (*q)->n && (*q)->pairs[at].bin == bin;
    if (have)
        sum += (*q)->pairs[at].count;
    if (!fits(sum) || (!have && (*q)->n >= SPARSE_MAX)) {
        code = replace(q, slab, make_dense(slab, *q, bin, bin));
        return code ? code : add_dense(q, slab, bin, count);
    }
    if (have)
        set_pair(*q, at, sum);
    else if (sum)
        code = insert_pair(q, slab, at, bin, sum);
    if (!code)
        (*q)->count += count;
    return code;
}

enum kp_code kp_quant_add(struct kp_quant **q, struct kp_slab *slab, int32_t bin)
{
    return add_counts(q, slab, bin, 1);
}

enum kp_code kp_quant_sub(struct kp_quant **q, struct kp_slab *slab, int32_t bin)
{
    return add_counts(q, slab, bin, -1);
}

static struct kp_quant *copy_of(const struct kp_quant *q, struct kp_slab *slab)
{
    struct kp_quant *copy = kp_slab_alloc(slab, size_of(q->dense, q->room));

    if (copy)
        memcpy(copy, q, size_of(q->dense, q->room));
    return copy;
}

/* way: 1 to add, -1 to take away. */
static enum kp_code add_all(struct kp_quant **into, struct kp_slab *slab, const struct kp_quant *from, int way)
{
    enum kp_code code = KP_OK;

    for (int i = 0; !code && !from->dense && i < from->n; i++)
        code = add_counts(into, slab, from->pairs[i].bin, way * (int64_t)from->pairs[i].count);
    for (int i = 0; !code && from->dense && i < from->room; i++)
        if (from->counts[i])
            code = add_counts(into, slab, from->base + i, way * from->counts[i]);
    return code;
}

enum kp_code kp_quant_merge(struct kp_quant **into, struct kp_slab *slab, const struct kp_quant *from)
{
    if (!from)
        return KP_OK;
    if (!*into)
        return (*into = copy_of(from, slab)) ? KP_OK : KP_ENOMEM;
    return add_all(into, slab, from, 1);
}

enum kp_code kp_quant_take(struct kp_quant **into, struct kp_slab *slab, const struct kp_quant *from)
{
    return from ? add_all(into, slab, from, -1) : KP_OK;
}

/* ---- Saving and loading ---- */

enum { SAVED_NONE, SAVED_SPARSE, SAVED_DENSE };

/* So many are never counted in one pane, and as many panes as there are may be added up without running over. */
#define SAVED_COUNT_MAX (INT64_C(1) << 45)

void kp_quant_save(const struct kp_quant *q, struct kp_save *save)
{
    int32_t first, last;

    if (!q || !range(q, &first, &last)) {
        kp_save_u8(save, SAVED_NONE);       /* what has lost all of its samples is like new */
    } else if (q->dense) {
        kp_save_u8(save, SAVED_DENSE);
        kp_save_u32(save, (uint32_t)first);
        kp_save_u16(save, (uint16_t)(last - first + 1));
        kp_save_bytes(save, q->counts + (first - q->base), (size_t)(last - first + 1) * sizeof *q->counts);
    } else {
        kp_save_u8(save, SAVED_SPARSE);
        kp_save_u16(save, q->n);
        kp_save_bytes(save, q->pairs, q->n * sizeof *q->pairs);
    }
}

/* Bins rise, none is beyond what a value can have, none is empty; the count is that of all. */
static bool is_sound(struct kp_quant *q)
{
    int32_t most = kp_quant_bin(INT64_MAX), n = q->dense ? q->room : q->n;
    uint64_t size = 0;

    for (int32_t i = 0; i < n; i++) {
        int64_t count = q->dense ? q->counts[i] : q->pairs[i].count;
        int32_t bin = q->dense ? q->base + i : q->pairs[i].bin;

        if (count < -SAVED_COUNT_MAX || count > SAVED_COUNT_MAX || (count && (bin < -most || bin > most)) ||
            (!q->dense && (count == 0 || (i > 0 && bin <= q->pairs[i - 1].bin))))
            return false;
        size += (uint64_t)(count < 0 ? -count : count);
        q->count += count;
    }
    return size <= (uint64_t)SAVED_COUNT_MAX;
}

static struct kp_quant *load_dense(struct kp_slab *slab, struct kp_load *load)
{
    int32_t most = kp_quant_bin(INT64_MAX), first = (int32_t)kp_load_u32(load);
    uint16_t n = kp_load_u16(load);
    struct kp_quant *q;

    if (load->failed || n == 0 || first < -most || first > most || first + (int32_t)n - 1 > most)
        return NULL;
    q = make(slab, true, n, first);
    if (q)
        kp_load_bytes(load, q->counts, n * sizeof *q->counts);
    return q;
}

static struct kp_quant *load_sparse(struct kp_slab *slab, struct kp_load *load)
{
    uint16_t n = kp_load_u16(load);
    struct kp_quant *q;

    if (load->failed || n == 0 || n > SPARSE_MAX)
        return NULL;
    q = make(slab, false, n, 0);
    if (!q)
        return NULL;
    q->n = n;
    kp_load_bytes(load, q->pairs, n * sizeof *q->pairs);
    return q;
}

void kp_quant_load(struct kp_quant **q, struct kp_slab *slab, struct kp_load *load)
{
    uint8_t kind = kp_load_u8(load);

    *q = NULL;
    if (kind == SAVED_NONE)
        return;
    *q = kind == SAVED_DENSE ? load_dense(slab, load) : kind == SAVED_SPARSE ? load_sparse(slab, load) : NULL;
    if (*q && !load->failed && is_sound(*q))
        return;
    kp_quant_free(q, slab);
    kp_load_fail(load, "a sketch of quantiles is not as kpid writes it, or memory is out");
}

/* ceil(p * n), at least 1. A p like 0.9 lies beside what was written by up to half a unit in its last place; a product
 * that is no further from a whole number than that makes is that number, so the p90 of ten values is the ninth. */
static uint64_t rank_of(double p, uint64_t n)
{
    long double want = (long double)p * (long double)n, whole = rintl(want);
    uint64_t rank = (uint64_t)(fabsl(want - whole) <= (long double)n * DBL_EPSILON ? whole : ceill(want));

    return rank < 1 ? 1 : rank > n ? n : rank;
}

double kp_quant_value(const struct kp_quant *q, double p)
{
    int64_t rank = (int64_t)rank_of(p, (uint64_t)q->count), seen = 0;
    int32_t bin = 0;

    for (int i = 0; seen < rank && i < (q->dense ? q->room : q->n); i++) {
        seen += q->dense ? q->counts[i] : q->pairs[i].count;
        bin = q->dense ? q->base + i : q->pairs[i].bin;
    }
    return representative(bin);
}
