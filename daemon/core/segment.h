/* Extendible hashing (Fagin, Nievergelt, Pippenger, Strong, ACM TODS 4(3), 1979) of 16-byte entries.
 *
 * A directory of 2^depth segments of 32 KiB. A full segment is split alone, so the longest pause is the splitting of
 * one segment and the doubling of the directory of pointers. Within a segment an entry lives in the cache line that its
 * hash names, which has four places, or when that is full in the next one: so a look at an absent key, which is what
 * most are, reads one line (linear probing read three at these loads, and was the slowest part of an event). What
 * kp_tab is made of. */
#ifndef KPID_CORE_SEGMENT_H
#define KPID_CORE_SEGMENT_H

#include "kpid/tab.h"

enum { KP_SEGMENT_BITS = 11, KP_SEGMENT_SIZE = 1 << KP_SEGMENT_BITS, KP_SEGMENT_FULL = KP_SEGMENT_SIZE * 7 / 10, KP_LINE = 4,
       KP_LINES = KP_SEGMENT_SIZE / KP_LINE };

struct kp_entry {
    uint64_t hi;
    uint32_t lo;        /* 0: a free place; a fingerprint's lo is never 0 */
    uint32_t word;
};

struct kp_segment {
    uint32_t count;
    uint32_t depth;     /* how many bits of hi its entries share */
    uint32_t reserved[14];
    struct kp_entry entries[KP_SEGMENT_SIZE];
};

struct kp_directory {
    struct kp_segment **segments;   /* owned; several slots may lead to one segment */
    uint32_t depth;
    size_t nsegments, count;
    void **chunks;                  /* owned; what the segments are cut from */
    size_t nchunks, cut;            /* cut: segments taken from the newest chunk */
    struct kp_segment *free;        /* linked by their first entry */
};

enum kp_code kp_directory_init(struct kp_directory *dir, struct kp_err *err) KP_CHECK;
void kp_directory_release(struct kp_directory *dir);

/* The highest bits of hi choose the segment, the lowest ones the line within it. */
static inline struct kp_segment *kp_directory_segment(const struct kp_directory *dir, struct kp_print print)
{
    return dir->segments[dir->depth ? print.hi >> (64 - dir->depth) : 0];
}

static inline uint32_t kp_segment_home(uint64_t hi)
{
    return (uint32_t)hi & (KP_LINES - 1);
}

/* Bit i: place i of a line is free. */
static inline unsigned kp_line_free(const struct kp_entry e[KP_LINE])
{
    return (unsigned)(e[0].lo == 0) | (unsigned)(e[1].lo == 0) << 1 | (unsigned)(e[2].lo == 0) << 2 |
           (unsigned)(e[3].lo == 0) << 3;
}

/* Its entry, or NULL. Which of the four places it is no branch could guess, so all are looked at before the first branch. */
static inline struct kp_entry *kp_segment_find(struct kp_segment *seg, struct kp_print print)
{
    for (uint32_t line = kp_segment_home(print.hi);; line = (line + 1) & (KP_LINES - 1)) {
        struct kp_entry *e = &seg->entries[line * KP_LINE];
        unsigned found = 0;

        for (unsigned i = 0; i < KP_LINE; i++)
            found |= (unsigned)((e[i].hi == print.hi) & (e[i].lo == print.lo)) << i;
        if (found)
            return &e[__builtin_ctz(found)];
        if (kp_line_free(e))
            return NULL;
    }
}

/* Where a look at this print begins. To be given to __builtin_prefetch by the caller itself: gcc 12 takes a function of
 * its own that only prefetches for one without an effect, and drops it. */
static inline const void *kp_directory_line(const struct kp_directory *dir, struct kp_print print)
{
    return &kp_directory_segment(dir, print)->entries[kp_segment_home(print.hi) * KP_LINE];
}

/* Split the segment of a print. KP_ENOMEM: nothing has changed. */
enum kp_code kp_directory_split(struct kp_directory *dir, struct kp_print print) KP_CHECK;

/* Put an entry that is not there into a segment that is not full. */
void kp_segment_put(struct kp_segment *seg, struct kp_print print, uint32_t word);
void kp_segment_remove(struct kp_segment *seg, struct kp_entry *entry);

size_t kp_directory_bytes(const struct kp_directory *dir);

#endif
