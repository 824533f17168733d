#include "kpid/dedup.h"

#include "segment.h"

#include <stdlib.h>
#include <string.h>

/* An entry's word is the second in which it was added, counted from the first one, plus 1. */
struct kp_dedup {
    struct kp_directory dir;
    int64_t window_s, base_s;
    bool has_base;
    size_t max;
    uint64_t evicted;
};

struct kp_dedup *kp_dedup_new(int64_t window_ms, size_t max, struct kp_err *err)
{
    struct kp_dedup *dedup = calloc(1, sizeof *dedup);

    if (!dedup) {
        kp_fail(err, KP_ENOMEM, "dedup: out of memory");
        return NULL;
    }
    dedup->window_s = (window_ms + 999) / 1000;
    dedup->max = max;
    if (kp_directory_init(&dedup->dir, err))
        kp_dedup_destroy(&dedup);
    return dedup;
}

void kp_dedup_destroy(struct kp_dedup **dedup)
{
    if (!*dedup)
        return;
    kp_directory_release(&(*dedup)->dir);
    free(*dedup);
    *dedup = NULL;
}

void kp_dedup_prefetch(const struct kp_dedup *dedup, struct kp_print print)
{
    __builtin_prefetch(kp_segment_home(kp_directory_segment(&dedup->dir, print), print), 1);
}

static uint32_t stamp(const struct kp_dedup *dedup, int64_t now_ms)
{
    int64_t s = now_ms / 1000 - dedup->base_s + 1;

    return s < 1 ? 1 : s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

/* The oldest stamp that still counts. */
static uint32_t oldest(const struct kp_dedup *dedup, int64_t now_ms)
{
    uint32_t now = stamp(dedup, now_ms);

    return (int64_t)now > dedup->window_s ? (uint32_t)(now - dedup->window_s) : 0;
}

bool kp_dedup_seen(const struct kp_dedup *dedup, struct kp_print print, int64_t now_ms)
{
    const struct kp_entry *entry = kp_segment_find(kp_directory_segment(&dedup->dir, print), print);

    return entry && entry->word >= oldest(dedup, now_ms);
}

static bool not_before(void *ctx, uint32_t word)
{
    return word >= *(const uint32_t *)ctx;
}

static int by_stamp(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* The older half: all before the middle stamp, and as many of that stamp as are needed. */
struct half {
    uint32_t middle, older, ties;
};

static bool in_newer_half(void *ctx, uint32_t word)
{
    struct half *half = ctx;

    if (word != half->middle)
        return word > half->middle;
    if (half->ties == 0)
        return true;
    half->ties--;
    return false;
}

static uint32_t drop_older_half(struct kp_segment *seg)
{
    uint32_t stamps[KP_SEGMENT_SIZE], n = 0;
    struct half half = {0};

    for (uint32_t i = 0; i < KP_SEGMENT_SIZE; i++)
        if (seg->entries[i].lo)
            stamps[n++] = seg->entries[i].word;
    qsort(stamps, n, sizeof *stamps, by_stamp);
    half.middle = stamps[n / 2];
    while (half.older < n / 2 && stamps[half.older] < half.middle)
        half.older++;
    half.ties = n / 2 - half.older;
    return kp_segment_filter(seg, in_newer_half, &half);
}

/* A full segment loses what is too old anyway; if that was little, it is split, or at the limit (or without
 * memory) loses its older half. */
static void make_room(struct kp_dedup *dedup, struct kp_print print, int64_t now_ms)
{
    struct kp_segment *seg = kp_directory_segment(&dedup->dir, print);
    uint32_t from = oldest(dedup, now_ms), gone;

    dedup->dir.count -= kp_segment_filter(seg, not_before, &from);
    if (seg->count < KP_SEGMENT_FULL / 2)
        return;
    if (dedup->dir.count + KP_SEGMENT_SIZE <= dedup->max && kp_directory_split(&dedup->dir, print) == KP_OK)
        return;
    if (seg->count < KP_SEGMENT_FULL)
        return;
    gone = drop_older_half(seg);
    dedup->dir.count -= gone;
    dedup->evicted += gone;
}

void kp_dedup_add(struct kp_dedup *dedup, struct kp_print print, int64_t now_ms)
{
    struct kp_segment *seg;
    struct kp_entry *entry;

    if (!dedup->has_base) {
        dedup->base_s = now_ms / 1000;
        dedup->has_base = true;
    }
    seg = kp_directory_segment(&dedup->dir, print);
    entry = kp_segment_find(seg, print);
    if (entry) {
        entry->word = stamp(dedup, now_ms);
        return;
    }
    while (seg->count >= KP_SEGMENT_FULL) {
        make_room(dedup, print, now_ms);
        seg = kp_directory_segment(&dedup->dir, print);
    }
    kp_segment_put(seg, print, stamp(dedup, now_ms));
    dedup->dir.count++;
}

size_t kp_dedup_count(const struct kp_dedup *dedup)
{
    return dedup->dir.count;
}

uint64_t kp_dedup_evicted(const struct kp_dedup *dedup)
{
    return dedup->evicted;
}

size_t kp_dedup_bytes(const struct kp_dedup *dedup)
{
    return sizeof *dedup + kp_directory_bytes(&dedup->dir);
}
