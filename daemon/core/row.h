/* Rows: what one key did in one pane; and a key's list of them, newest first.
 *
 * Rows of one family come from a pool of equal blocks and are named by handles of 32 bits, 0 for none. A list is found
 * in its head in the usual case, which is the pane of now; late events walk. Rows that time has put into one cell are
 * added up, and those that no window can reach are given back, whenever a list has doubled. */
#ifndef KPID_CORE_ROW_H
#define KPID_CORE_ROW_H

#include "plan.h"

struct kp_row {
    int64_t start;      /* of the pane, ms */
    uint32_t next;      /* the one before it in time */
    uint32_t unused;
    uint64_t words[];
};

struct kp_rows {
    struct kp_plan_family *family;  /* borrowed */
    struct kp_slab *slab;           /* borrowed; for the sketches */
    size_t stride;                  /* bytes of a row */
    unsigned shift;                 /* rows of a chunk: 1 << shift */
    char **chunks;                  /* owned */
    uint32_t nchunks, made;         /* made: handles given out so far, 0 among them */
    uint32_t free, nfree;
    uint64_t missed;                /* sketches that lost something because memory was out */
};

struct kp_list {
    uint32_t head;
    uint16_t count, compact_at;
};

enum kp_code kp_rows_init(struct kp_rows *rows, struct kp_plan_family *family, struct kp_slab *slab, struct kp_err *err)
    KP_CHECK;
void kp_rows_release(struct kp_rows *rows);     /* the sketches go with the slab */

static inline struct kp_row *kp_rows_at(const struct kp_rows *rows, uint32_t handle)
{
    return (struct kp_row *)(void *)(rows->chunks[handle >> rows->shift] +
                                     (size_t)(handle & ((1u << rows->shift) - 1)) * rows->stride);
}

/* Make sure that the next n rows can be had without asking for memory. */
bool kp_rows_reserve_slow(struct kp_rows *rows, uint32_t n);
static inline bool kp_rows_reserve(struct kp_rows *rows, uint32_t n)
{
    return (uint64_t)rows->nfree + ((uint64_t)rows->nchunks << rows->shift) >= (uint64_t)rows->made + n ||
           kp_rows_reserve_slow(rows, n);
}

/* The row for an instant, by the clock of the list's key, made if it is not there. NULL: no pane of this family reaches so far
 * back (or memory is out, which kp_rows_reserve rules out). */
struct kp_row *kp_list_row_slow(struct kp_rows *rows, struct kp_list *list, int clock, int64_t at_ms);
static inline struct kp_row *kp_list_row(struct kp_rows *rows, struct kp_list *list, int clock, int64_t at_ms)
{
    const struct kp_family *fam = &rows->family->grids[clock];

    if (list->head && at_ms >= fam->cell_from && at_ms < fam->cell_to) {
        struct kp_row *row = kp_rows_at(rows, list->head);

        if (row->start == fam->cell_from)
            return row;
    }
    return kp_list_row_slow(rows, list, clock, at_ms);
}

/* For whoever puts in many rows, the newest first. *near: the row put in before it, 0 at the beginning; nothing else may change
 * the list meanwhile. The first is as kp_list_row, but the list is not looked through from its head each time, and is not
 * compacted. */
struct kp_row *kp_list_row_near(struct kp_rows *rows, struct kp_list *list, int clock, int64_t at_ms, uint32_t *near);
/* A row that starts then, as it is, behind the last one. NULL: memory is out, or there are too many. */
struct kp_row *kp_list_append(struct kp_rows *rows, struct kp_list *list, int64_t start, uint32_t *near);

/* Add up rows of one cell, give back those that no window reaches. */
void kp_list_compact(struct kp_rows *rows, struct kp_list *list, int clock);
void kp_list_clear(struct kp_rows *rows, struct kp_list *list);

size_t kp_rows_bytes(const struct kp_rows *rows);
size_t kp_rows_used(const struct kp_rows *rows);    /* rows in use */

#endif
