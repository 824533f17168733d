/* Cells: the parts that aggregates are made of, and the rows that hold them.
 *
 * A row is what one key did in one pane: a line of 64-bit words in which every cell of a family has a fixed place. An
 * event adds to a row by the ops of its program; panes are combined cell by cell. Scalars are integers, so the
 * result depends on the set of events alone. */
#ifndef KPID_CORE_CELL_H
#define KPID_CORE_CELL_H

#include "kpid/sketch.h"

enum kp_cell_kind {
    KP_CELL_COUNT,      /* 1 word */
    KP_CELL_SUM,        /* 2 words: 128-bit millionths */
    KP_CELL_MIN,        /* 1 word: millionths, INT64_MAX when empty */
    KP_CELL_MAX,        /* 1 word: millionths, INT64_MIN when empty */
    KP_CELL_SQUARE,     /* 3 words: 192 bits */
    KP_CELL_LAST,       /* 3 words: event time, tie-break, millionths; time INT64_MIN when empty */
    KP_CELL_QUANT,      /* 1 word: struct kp_quant * */
    KP_CELL_DISTINCT,   /* 1 word: struct kp_distinct * */
};

struct kp_cell {
    uint8_t kind;
    uint16_t word;      /* place in the row */
    int filter, value;  /* what it is fed by: indices of the plan; value -1: none */
};

int kp_cell_words(enum kp_cell_kind kind);

/* Put the empty value into the words of one cell. */
void kp_cell_clear(const struct kp_cell *cell, uint64_t *words);

/* One event's value, made once and added to every level. */
struct kp_sample {
    bool ok;            /* usable by numeric cells, or by DISTINCT where the value is of any kind */
    bool binned, hashed;
    int32_t bin;        /* for QUANT, when binned */
    int64_t micro;
    uint64_t hash;      /* for DISTINCT, when hashed */
};

/* Add a sample (NULL for COUNT of events). time and tie order LAST. False: memory is out, this cell missed it. */
bool kp_cell_add(enum kp_cell_kind kind, uint64_t *at, const struct kp_sample *s, int64_t time, uint64_t tie,
                 struct kp_slab *slab);

/* ... to the same cell of n rows, which begins at `word`. Returns how many of them missed it. */
unsigned kp_cells_add(enum kp_cell_kind kind, uint64_t *const *rows, int n, unsigned word, const struct kp_sample *s, int64_t time,
                      uint64_t tie, struct kp_slab *slab);

/* Take back a sample that was added, or is going to be. COUNT, SUM, SQUARE and QUANT only. */
bool kp_cell_sub(enum kp_cell_kind kind, uint64_t *at, const struct kp_sample *s, struct kp_slab *slab);

/* into += from. Sketches in `into` are allocated from slab. */
bool kp_cell_merge(enum kp_cell_kind kind, uint64_t *into, const uint64_t *from, struct kp_slab *slab);

/* into -= from, of the same kinds as kp_cell_sub. */
bool kp_cell_take(enum kp_cell_kind kind, uint64_t *into, const uint64_t *from, struct kp_slab *slab);

/* Free what the words own. */
void kp_cell_drop(enum kp_cell_kind kind, uint64_t *at, struct kp_slab *slab);

static inline kp_i128 kp_cell_sum(const uint64_t *at)
{
    return (kp_i128)(((kp_u128)at[1] << 64) | at[0]);
}

#endif
