/* Extendible hashing (Fagin, Nievergelt, Pippenger, Strong, ACM TODS 4(3), 1979) of 16-byte entries.
 *
 * A directory of 2^depth segments of 32 KiB. A full segment is split alone, so the longest pause is the splitting of
 * one segment and the doubling of the directory of pointers. Within a segment: linear probing, and removal by moving
 * back what follows, so there are no tombstones. What the table and the duplicate memory have in common. */
#ifndef KPID_CORE_SEGMENT_H
#define KPID_CORE_SEGMENT_H

#include "kpid/tab.h"

enum { KP_SEGMENT_BITS = 11, KP_SEGMENT_SIZE = 1 << KP_SEGMENT_BITS, KP_SEGMENT_FULL = KP_SEGMENT_SIZE * 4 / 5 };

struct kp_entry {
    uint64_t hi;
    uint32_t lo;        /* lo and word both 0: free; a fingerprint's lo is never 0 */
    uint32_t word;
};

struct kp_segment {
    uint32_t count;
    uint32_t depth;     /* how many bits of hi its entries share */
    uint64_t reserved[7];
    struct kp_entry entries[KP_SEGMENT_SIZE];
};

struct kp_directory {
    struct kp_segment **segments;   /* owned; several slots may lead to one segment */
    uint32_t depth;
    size_t nsegments, count;
};

enum kp_code kp_directory_init(struct kp_directory *dir, struct kp_err *err) KP_CHECK;
void kp_directory_release(struct kp_directory *dir);

/* The highest bits of hi choose the segment, the lowest ones the place within it. */
static inline struct kp_segment *kp_directory_segment(const struct kp_directory *dir, struct kp_print print)
{
    return dir->segments[dir->depth ? print.hi >> (64 - dir->depth) : 0];
}

static inline struct kp_entry *kp_segment_home(struct kp_segment *seg, struct kp_print print)
{
    return &seg->entries[print.hi & (KP_SEGMENT_SIZE - 1)];
}

/* Its entry, or NULL. */
static inline struct kp_entry *kp_segment_find(struct kp_segment *seg, struct kp_print print)
{
    for (uint32_t i = (uint32_t)print.hi & (KP_SEGMENT_SIZE - 1); seg->entries[i].lo; i = (i + 1) & (KP_SEGMENT_SIZE - 1))
        if (seg->entries[i].hi == print.hi && seg->entries[i].lo == print.lo)
            return &seg->entries[i];
    return NULL;
}

/* Split the segment of a print. KP_ENOMEM: nothing has changed. */
enum kp_code kp_directory_split(struct kp_directory *dir, struct kp_print print) KP_CHECK;

/* Put an entry that is not there into a segment that is not full. */
void kp_segment_put(struct kp_segment *seg, struct kp_print print, uint32_t word);
/* Keep the entries for which keep(ctx, word) holds; returns how many went. */
uint32_t kp_segment_filter(struct kp_segment *seg, bool (*keep)(void *ctx, uint32_t word), void *ctx);
void kp_segment_remove(struct kp_segment *seg, struct kp_entry *entry);

size_t kp_directory_bytes(const struct kp_directory *dir);

#endif
