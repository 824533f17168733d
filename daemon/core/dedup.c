#include "kpid/dedup.h"

#include "image.h"
#include "segment.h"

#include <stdlib.h>

enum { SAMPLE = 64 };

/* An entry's word is the second in which it was added, counted from the first one, plus 1. */
struct kp_dedup {
    struct kp_directory dir;
    int64_t window_s, base_s;
    bool has_base;
    size_t max;
    uint64_t evicted;
    struct {                /* what was looked for last: an add of it need not look again */
        struct kp_print print;
        struct kp_entry *entry;     /* too old to count; NULL: it was not there */
        bool is_set;
    } last;
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

const void *kp_dedup_line(const struct kp_dedup *dedup, struct kp_print print)
{
    return kp_directory_line(&dedup->dir, print);
}

const void *kp_dedup_head(const struct kp_dedup *dedup, struct kp_print print)
{
    return kp_directory_segment(&dedup->dir, print);
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

bool kp_dedup_seen(struct kp_dedup *dedup, struct kp_print print, int64_t now_ms)
{
    struct kp_entry *entry = kp_segment_find(kp_directory_segment(&dedup->dir, print), print);

    dedup->last.print = print;
    dedup->last.entry = entry;
    dedup->last.is_set = true;
    return entry && entry->word >= oldest(dedup, now_ms);
}

/* The k-th smallest; reorders (Hoare's selection). */
static uint64_t select_kth(uint64_t *v, int n, int k)
{
    int lo = 0, hi = n - 1;

    while (lo < hi) {
        uint64_t pivot = v[lo + (hi - lo) / 2];
        int i = lo, j = hi;

        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i <= j) {
                uint64_t swap = v[i];

                v[i++] = v[j];
                v[j--] = swap;
            }
        }
        if (k <= j)
            hi = j;
        else if (k >= i)
            lo = i;
        else
            break;
    }
    return v[k];
}

/* Ages of about SAMPLE entries, those of every so manieth line; at most 2 * SAMPLE, at least one if there is any. */
static int sample_ages(const struct kp_segment *seg, uint64_t ages[2 * SAMPLE])
{
    uint32_t step = seg->count > SAMPLE ? seg->count / SAMPLE : 1;
    int n = 0;

    for (uint32_t line = 0; line < KP_LINES; line += step)
        for (uint32_t i = line * KP_LINE; i < (line + 1) * KP_LINE && n < 2 * SAMPLE; i++)
            if (seg->entries[i].lo)
                ages[n++] = kp_entry_age(&seg->entries[i]);
    for (uint32_t i = 0; i < KP_SEGMENT_SIZE && n == 0; i++)
        if (seg->entries[i].lo)
            ages[n++] = kp_entry_age(&seg->entries[i]);
    return n;
}

/* At the limit a segment is full when it holds its share of what may be held. */
static bool is_full(const struct kp_dedup *dedup, const struct kp_segment *seg)
{
    return seg->count >= KP_SEGMENT_FULL ||
           (dedup->dir.count >= dedup->max && (size_t)seg->count * dedup->dir.nsegments >= dedup->max && seg->count > 0);
}

/* A full segment loses what is too old anyway; if that was little, it is split, or at the limit (or without
 * memory) loses about its older half: the middle is that of a sample, and at least one goes. By age, and within a second by
 * hash: taking those of a second as they stand would empty one end of the segment and leave the other crowded. */
static void make_room(struct kp_dedup *dedup, struct kp_print print, int64_t now_ms)
{
    struct kp_segment *seg = kp_directory_segment(&dedup->dir, print);
    uint64_t ages[2 * SAMPLE], from = (uint64_t)oldest(dedup, now_ms) << 32;
    uint32_t gone;
    int n;

    dedup->dir.count -= kp_segment_filter(seg, from);
    if (seg->count < KP_SEGMENT_FULL / 2 && !is_full(dedup, seg))
        return;
    if (dedup->dir.count < dedup->max && kp_directory_split(&dedup->dir, print) == KP_OK)
        return;
    if (!is_full(dedup, seg))
        return;
    n = sample_ages(seg, ages);
    gone = kp_segment_filter(seg, select_kth(ages, n, n / 2) + 1);
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
    entry = dedup->last.is_set && dedup->last.print.hi == print.hi && dedup->last.print.lo == print.lo
                ? dedup->last.entry
                : kp_segment_find(seg, print);
    dedup->last.is_set = false;
    if (entry) {
        entry->word = stamp(dedup, now_ms);
        seg->low = entry->word < seg->low ? entry->word : seg->low;     /* a clock may be set back */
        return;
    }
    while (is_full(dedup, seg)) {
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

/* ---- Saving and loading ---- */

/* What still counts: that its word is at least `from`. */
static void save_segment(const struct kp_segment *seg, uint32_t from, struct kp_save *save)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < KP_SEGMENT_SIZE; i++)
        n += (seg->entries[i].lo != 0) & (seg->entries[i].word >= from);
    if (!n)
        return;
    kp_save_u32(save, n);
    for (uint32_t i = 0; i < KP_SEGMENT_SIZE; i++)
        if (seg->entries[i].lo && seg->entries[i].word >= from)
            kp_save_bytes(save, &seg->entries[i], sizeof seg->entries[i]);
}

/* A segment stands in the directory as many times in a row as it has bits fewer. */
static size_t span_of(const struct kp_directory *dir, const struct kp_segment *seg)
{
    return (size_t)1 << (dir->depth - seg->depth);
}

void kp_dedup_save(const struct kp_dedup *dedup, struct kp_save *save, int64_t now_ms)
{
    const struct kp_directory *dir = &dedup->dir;
    uint32_t from = now_ms == INT64_MIN ? 0 : oldest(dedup, now_ms);

    kp_save_mark(save, "DEDU");
    kp_save_u8(save, dedup->has_base);
    kp_save_i64(save, dedup->base_s);
    for (size_t i = 0; i < (size_t)1 << dir->depth; i += span_of(dir, dir->segments[i]))
        save_segment(dir->segments[i], from, save);
    kp_save_u32(save, 0);
}

/* Each is there once. Those that are too many go later, when all are known. */
static bool put_back(struct kp_dedup *dedup, const struct kp_entry *entry)
{
    struct kp_print print = {entry->hi, entry->lo};
    struct kp_segment *seg = kp_directory_segment(&dedup->dir, print);

    if (kp_segment_find(seg, print))
        return true;
    while (seg->count >= KP_SEGMENT_FULL) {
        if (kp_directory_split(&dedup->dir, print))
            return false;
        seg = kp_directory_segment(&dedup->dir, print);
    }
    kp_segment_put(seg, print, entry->word);
    dedup->dir.count++;
    return true;
}

/* The newest of a segment, `most` of them. */
static void trim(struct kp_dedup *dedup, struct kp_segment *seg, size_t most)
{
    uint64_t ages[KP_SEGMENT_SIZE];
    uint32_t gone;
    int n = 0;

    if (seg->count <= most)
        return;
    for (uint32_t i = 0; i < KP_SEGMENT_SIZE; i++)
        if (seg->entries[i].lo)
            ages[n++] = kp_entry_age(&seg->entries[i]);
    gone = kp_segment_filter(seg, select_kth(ages, n, n - (int)most));
    dedup->dir.count -= gone;
    dedup->evicted += gone;
}

/* The limit may be lower than it was. */
static void trim_all(struct kp_dedup *dedup)
{
    const struct kp_directory *dir = &dedup->dir;
    size_t share = dedup->max / dir->nsegments + 1;

    if (dir->count <= dedup->max)
        return;
    for (size_t i = 0; i < (size_t)1 << dir->depth; i += span_of(dir, dir->segments[i]))
        trim(dedup, dir->segments[i], share);
}

void kp_dedup_load(struct kp_dedup *dedup, struct kp_load *load, int64_t now_ms)
{
    uint32_t left, from;

    kp_load_mark(load, "DEDU");
    dedup->has_base = kp_load_u8(load) != 0;
    dedup->base_s = kp_load_i64(load);
    if (dedup->base_s < 0 || dedup->base_s > KP_TIME_MAX / 1000)
        kp_load_fail(load, "the memory of ids is of no time that kpid knows");
    from = load->failed || now_ms == INT64_MIN ? 0 : oldest(dedup, now_ms);
    while (!load->failed && (left = kp_load_count(load, KP_SEGMENT_SIZE, "ids")) > 0) {
        for (; left && !load->failed; left--) {
            struct kp_entry entry;

            kp_load_bytes(load, &entry, sizeof entry);
            if (load->failed || entry.lo == 0)
                kp_load_fail(load, "an id is not as kpid writes it");
            else if (entry.word >= from && !put_back(dedup, &entry))
                kp_load_fail(load, "out of memory for ids");
        }
    }
    trim_all(dedup);
}
