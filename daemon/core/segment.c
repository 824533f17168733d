#include "segment.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 28, ALIGN = 64 };

static struct kp_segment *make(uint32_t depth)
{
    struct kp_segment *seg = aligned_alloc(ALIGN, (sizeof *seg + ALIGN - 1) / ALIGN * ALIGN);

    if (!seg)
        return NULL;
    memset(seg, 0, sizeof *seg);
    seg->depth = depth;
    return seg;
}

enum kp_code kp_directory_init(struct kp_directory *dir, struct kp_err *err)
{
    memset(dir, 0, sizeof *dir);
    dir->segments = malloc(sizeof(struct kp_segment *));
    if (dir->segments)
        dir->segments[0] = make(0);
    if (!dir->segments || !dir->segments[0])
        return kp_fail(err, KP_ENOMEM, "table: out of memory");
    dir->nsegments = 1;
    return KP_OK;
}

void kp_directory_release(struct kp_directory *dir)
{
    size_t slots = dir->segments ? (size_t)1 << dir->depth : 0;

    for (size_t i = 0; i < slots;) {
        struct kp_segment *seg = dir->segments[i];

        i += seg ? (size_t)1 << (dir->depth - seg->depth) : 1;
        free(seg);
    }
    free(dir->segments);
    memset(dir, 0, sizeof *dir);
}

void kp_segment_put(struct kp_segment *seg, struct kp_print print, uint32_t word)
{
    uint32_t i = (uint32_t)print.hi & (KP_SEGMENT_SIZE - 1);

    while (seg->entries[i].lo)
        i = (i + 1) & (KP_SEGMENT_SIZE - 1);
    seg->entries[i] = (struct kp_entry){print.hi, print.lo, word};
    seg->count++;
}

void kp_segment_remove(struct kp_segment *seg, struct kp_entry *entry)
{
    const uint32_t mask = KP_SEGMENT_SIZE - 1;
    uint32_t hole = (uint32_t)(entry - seg->entries);

    for (uint32_t i = (hole + 1) & mask; seg->entries[i].lo; i = (i + 1) & mask) {
        uint32_t home = (uint32_t)seg->entries[i].hi & mask;

        if (((i - home) & mask) < ((i - hole) & mask))
            continue;       /* it would move to before its home */
        seg->entries[hole] = seg->entries[i];
        hole = i;
    }
    seg->entries[hole] = (struct kp_entry){0};
    seg->count--;
}

/* A removal may move a later entry into the hole, so the same place is tested until it stays. */
uint32_t kp_segment_filter(struct kp_segment *seg, bool (*keep)(void *ctx, uint32_t word), void *ctx)
{
    uint32_t gone = 0;

    for (uint32_t i = 0; i < KP_SEGMENT_SIZE; i++) {
        while (seg->entries[i].lo && !keep(ctx, seg->entries[i].word)) {
            kp_segment_remove(seg, &seg->entries[i]);
            gone++;
        }
    }
    return gone;
}

static enum kp_code double_directory(struct kp_directory *dir)
{
    size_t slots = (size_t)1 << dir->depth;
    struct kp_segment **grown;

    if (dir->depth == DEPTH_MAX)
        return KP_ENOMEM;
    grown = malloc(slots * 2 * sizeof(*grown));
    if (!grown)
        return KP_ENOMEM;
    for (size_t i = 0; i < slots; i++)
        grown[2 * i] = grown[2 * i + 1] = dir->segments[i];
    free(dir->segments);
    dir->segments = grown;
    dir->depth++;
    return KP_OK;
}

enum kp_code kp_directory_split(struct kp_directory *dir, struct kp_print print)
{
    struct kp_segment *old = kp_directory_segment(dir, print), *low, *high;
    size_t first, span;

    if (old->depth == dir->depth && double_directory(dir))
        return KP_ENOMEM;
    low = make(old->depth + 1);
    high = make(old->depth + 1);
    if (!low || !high) {
        free(low);
        free(high);
        return KP_ENOMEM;
    }
    for (uint32_t i = 0; i < KP_SEGMENT_SIZE; i++) {
        const struct kp_entry *e = &old->entries[i];

        if (e->lo)
            kp_segment_put(e->hi >> (63 - old->depth) & 1 ? high : low, (struct kp_print){e->hi, e->lo}, e->word);
    }
    span = (size_t)1 << (dir->depth - old->depth);
    first = (size_t)(dir->depth ? print.hi >> (64 - dir->depth) : 0) / span * span;
    for (size_t i = 0; i < span; i++)
        dir->segments[first + i] = i < span / 2 ? low : high;
    free(old);
    dir->nsegments++;
    return KP_OK;
}

size_t kp_directory_bytes(const struct kp_directory *dir)
{
    return dir->nsegments * sizeof(struct kp_segment) + ((size_t)1 << dir->depth) * sizeof(struct kp_segment *);
}
