#include "cell.h"

#include <string.h>

int kp_cell_words(enum kp_cell_kind kind)
{
    switch (kind) {
    case KP_CELL_SUM:
        return 2;
    case KP_CELL_SQUARE:
    case KP_CELL_LAST:
        return 3;
    case KP_CELL_COUNT:
    case KP_CELL_MIN:
    case KP_CELL_MAX:
    case KP_CELL_QUANT:
    case KP_CELL_DISTINCT:
        break;
    }
    return 1;
}

void kp_cell_clear(const struct kp_cell *cell, uint64_t *words)
{
    uint64_t *at = words + cell->word;

    memset(at, 0, sizeof *at * (size_t)kp_cell_words(cell->kind));
    if (cell->kind == KP_CELL_MIN)
        *at = (uint64_t)INT64_MAX;
    else if (cell->kind == KP_CELL_MAX || cell->kind == KP_CELL_LAST)
        *at = (uint64_t)INT64_MIN;
}

static void *pointer(uint64_t word)
{
    return (void *)(uintptr_t)word;
}

static void add_sum(uint64_t *at, kp_i128 v)
{
    kp_u128 sum = (kp_u128)kp_cell_sum(at) + (kp_u128)v;

    at[0] = (uint64_t)sum;
    at[1] = (uint64_t)(sum >> 64);
}

/* Later wins; at the same instant the larger tie-break, then the larger value: no order of arrival in it. */
static void keep_last(uint64_t *at, int64_t time, uint64_t tie, int64_t micro)
{
    int64_t old = (int64_t)at[0];

    if (time < old || (time == old && (tie < at[1] || (tie == at[1] && micro <= (int64_t)at[2]))))
        return;
    at[0] = (uint64_t)time;
    at[1] = tie;
    at[2] = (uint64_t)micro;
}

static bool add_quant(uint64_t *at, struct kp_slab *slab, int32_t bin)
{
    struct kp_quant *q = pointer(*at);
    bool ok = kp_quant_add(&q, slab, bin) == KP_OK;

    *at = (uint64_t)(uintptr_t)q;
    return ok;
}

static bool add_distinct(uint64_t *at, struct kp_slab *slab, uint64_t hash)
{
    struct kp_distinct *d = pointer(*at);
    bool ok = kp_distinct_add(&d, slab, hash) == KP_OK;

    *at = (uint64_t)(uintptr_t)d;
    return ok;
}

bool kp_cell_add(enum kp_cell_kind kind, uint64_t *at, const struct kp_sample *s, int64_t time, uint64_t tie,
                 struct kp_slab *slab)
{
    switch (kind) {
    case KP_CELL_COUNT:
        ++*at;
        return true;
    case KP_CELL_SUM:
        add_sum(at, s->micro);
        return true;
    case KP_CELL_MIN:
        if (s->micro < (int64_t)*at)
            *at = (uint64_t)s->micro;
        return true;
    case KP_CELL_MAX:
        if (s->micro > (int64_t)*at)
            *at = (uint64_t)s->micro;
        return true;
    case KP_CELL_SQUARE:
        kp_square_add(at, s->micro);
        return true;
    case KP_CELL_LAST:
        keep_last(at, time, tie, s->micro);
        return true;
    case KP_CELL_QUANT:
        return add_quant(at, slab, s->bin);
    case KP_CELL_DISTINCT:
        return add_distinct(at, slab, s->hash);
    }
    return false;
}

unsigned kp_cells_add(enum kp_cell_kind kind, uint64_t *const *rows, int n, unsigned word, const struct kp_sample *s, int64_t time,
                      uint64_t tie, struct kp_slab *slab)
{
    unsigned missed = 0;

    switch (kind) {     /* the usual ones by themselves: which it is nobody can guess, and it is asked once */
    case KP_CELL_SUM:
        for (int i = 0; i < n; i++)
            add_sum(rows[i] + word, s->micro);
        break;
    case KP_CELL_QUANT:
        for (int i = 0; i < n; i++)
            missed += !add_quant(rows[i] + word, slab, s->bin);
        break;
    case KP_CELL_DISTINCT:
        for (int i = 0; i < n; i++)
            missed += !add_distinct(rows[i] + word, slab, s->hash);
        break;
    case KP_CELL_COUNT:
        for (int i = 0; i < n; i++)
            ++rows[i][word];
        break;
    case KP_CELL_MIN:
    case KP_CELL_MAX:
    case KP_CELL_SQUARE:
    case KP_CELL_LAST:
        for (int i = 0; i < n; i++)
            missed += !kp_cell_add(kind, rows[i] + word, s, time, tie, slab);
        break;
    }
    return missed;
}

bool kp_cell_sub(enum kp_cell_kind kind, uint64_t *at, const struct kp_sample *s, struct kp_slab *slab)
{
    struct kp_quant *q = pointer(*at);
    bool ok = true;

    switch (kind) {
    case KP_CELL_COUNT:
        --*at;
        break;
    case KP_CELL_SUM:
        add_sum(at, -(kp_i128)s->micro);
        break;
    case KP_CELL_SQUARE:
        kp_square_sub(at, s->micro);
        break;
    case KP_CELL_QUANT:
        ok = kp_quant_sub(&q, slab, s->bin) == KP_OK;
        *at = (uint64_t)(uintptr_t)q;
        break;
    case KP_CELL_MIN:
    case KP_CELL_MAX:
    case KP_CELL_LAST:
    case KP_CELL_DISTINCT:
        break;      /* the loader lets none of these be taken back */
    }
    return ok;
}

bool kp_cell_merge(enum kp_cell_kind kind, uint64_t *into, const uint64_t *from, struct kp_slab *slab)
{
    bool ok = true;

    switch (kind) {
    case KP_CELL_COUNT:
        *into += *from;
        break;
    case KP_CELL_SUM:
        add_sum(into, kp_cell_sum(from));
        break;
    case KP_CELL_MIN:
        if ((int64_t)*from < (int64_t)*into)
            *into = *from;
        break;
    case KP_CELL_MAX:
        if ((int64_t)*from > (int64_t)*into)
            *into = *from;
        break;
    case KP_CELL_SQUARE:
        kp_square_merge(into, from);
        break;
    case KP_CELL_LAST:
        keep_last(into, (int64_t)from[0], from[1], (int64_t)from[2]);
        break;
    case KP_CELL_QUANT: {
        struct kp_quant *q = pointer(*into);

        if (*from)
            ok = kp_quant_merge(&q, slab, pointer(*from)) == KP_OK;
        *into = (uint64_t)(uintptr_t)q;
        break;
    }
    case KP_CELL_DISTINCT: {
        struct kp_distinct *d = pointer(*into);

        if (*from)
            ok = kp_distinct_merge(&d, slab, pointer(*from)) == KP_OK;
        *into = (uint64_t)(uintptr_t)d;
        break;
    }
    }
    return ok;
}

bool kp_cell_take(enum kp_cell_kind kind, uint64_t *into, const uint64_t *from, struct kp_slab *slab)
{
    struct kp_quant *q = pointer(*into);
    bool ok = true;

    switch (kind) {
    case KP_CELL_COUNT:
        *into -= *from;
        break;
    case KP_CELL_SUM:
        add_sum(into, (kp_i128)-(kp_u128)kp_cell_sum(from));
        break;
    case KP_CELL_SQUARE:
        kp_square_take(into, from);
        break;
    case KP_CELL_QUANT:
        ok = kp_quant_take(&q, slab, pointer(*from)) == KP_OK;
        *into = (uint64_t)(uintptr_t)q;
        break;
    case KP_CELL_MIN:
    case KP_CELL_MAX:
    case KP_CELL_LAST:
    case KP_CELL_DISTINCT:
        break;
    }
    return ok;
}

void kp_cell_drop(enum kp_cell_kind kind, uint64_t *at, struct kp_slab *slab)
{
    if (kind == KP_CELL_QUANT) {
        struct kp_quant *q = pointer(*at);

        kp_quant_free(&q, slab);
        *at = 0;
    } else if (kind == KP_CELL_DISTINCT) {
        struct kp_distinct *d = pointer(*at);

        kp_distinct_free(&d, slab);
        *at = 0;
    }
}
