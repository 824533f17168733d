#include "row.h"

#include "pages.h"

#include <stdlib.h>
#include <string.h>

enum { COMPACT_FIRST = 8, COUNT_MAX = UINT16_MAX - 1 };

enum kp_code kp_rows_init(struct kp_rows *rows, struct kp_plan_family *family, struct kp_slab *slab, struct kp_err *err)
{
    memset(rows, 0, sizeof *rows);
    rows->family = family;
    rows->slab = slab;
    rows->stride = sizeof(struct kp_row) + (size_t)family->words * sizeof(uint64_t);
    if (rows->stride > KP_PAGES_CHUNK)
        return kp_fail(err, KP_ELIMIT, "rows: a key's numbers of one pane take %zu bytes, and %zu are the most", rows->stride,
                       KP_PAGES_CHUNK);
    while (((size_t)2 << rows->shift) * rows->stride <= KP_PAGES_CHUNK)
        rows->shift++;
    rows->made = 1;     /* handle 0 is none */
    if (!kp_rows_reserve(rows, 1))
        return kp_fail(err, KP_ENOMEM, "rows: out of memory");
    return KP_OK;
}

void kp_rows_release(struct kp_rows *rows)
{
    for (uint32_t i = 0; i < rows->nchunks; i++)
        free(rows->chunks[i]);
    free(rows->chunks);
    memset(rows, 0, sizeof *rows);
}

static bool add_chunk(struct kp_rows *rows)
{
    char *chunk;

    if (((uint64_t)rows->nchunks + 1) << rows->shift > UINT32_MAX)
        return false;
    if ((rows->nchunks & (rows->nchunks - 1)) == 0) {
        char **grown = realloc(rows->chunks, (rows->nchunks ? (size_t)rows->nchunks * 2 : 1) * sizeof *grown);

        if (!grown)
            return false;
        rows->chunks = grown;
    }
    chunk = kp_pages_chunk();
    if (!chunk)
        return false;
    rows->chunks[rows->nchunks++] = chunk;
    return true;
}

bool kp_rows_reserve_slow(struct kp_rows *rows, uint32_t n)
{
    while ((uint64_t)rows->nfree + ((uint64_t)rows->nchunks << rows->shift) < (uint64_t)rows->made + n)
        if (!add_chunk(rows))
            return false;
    return true;
}

static uint32_t take(struct kp_rows *rows, int64_t start)
{
    uint32_t handle = rows->free;
    struct kp_row *row;

    if (!handle && !kp_rows_reserve(rows, 1))
        return 0;
    if (handle) {
        row = kp_rows_at(rows, handle);
        rows->free = row->next;
        rows->nfree--;
    } else {
        handle = rows->made++;
        row = kp_rows_at(rows, handle);
    }
    row->start = start;
    row->next = 0;
    row->unused = 0;
    memcpy(row->words, rows->family->blank, (size_t)rows->family->words * sizeof *row->words);
    return handle;
}

static void drop(struct kp_rows *rows, uint32_t handle)
{
    struct kp_row *row = kp_rows_at(rows, handle);
    const struct kp_plan_family *fam = rows->family;

    for (int c = 0; c < fam->ncells; c++)
        kp_cell_drop(fam->cells[c].kind, row->words + fam->cells[c].word, rows->slab);
    row->next = rows->free;
    rows->free = handle;
    rows->nfree++;
}

/* When memory for a sketch is out, the sample that did not fit is lost: see kp_rows.missed. */
static void merge(struct kp_rows *rows, struct kp_row *into, const struct kp_row *from)
{
    const struct kp_plan_family *fam = rows->family;

    for (int c = 0; c < fam->ncells; c++) {
        uint16_t word = fam->cells[c].word;

        if (!kp_cell_merge(fam->cells[c].kind, into->words + word, from->words + word, rows->slab))
            rows->missed++;
    }
}

static uint16_t drop_from(struct kp_rows *rows, uint32_t handle)
{
    uint16_t n = 0;

    while (handle) {
        uint32_t next = kp_rows_at(rows, handle)->next;

        drop(rows, handle);
        handle = next;
        n++;
    }
    return n;
}

void kp_list_clear(struct kp_rows *rows, struct kp_list *list)
{
    drop_from(rows, list->head);
    memset(list, 0, sizeof *list);
}

void kp_list_compact(struct kp_rows *rows, struct kp_list *list, int clock)
{
    struct kp_family *fam = &rows->family->grids[clock];
    uint32_t *link = &list->head;

    while (*link) {
        struct kp_row *row = kp_rows_at(rows, *link);
        int64_t from, to;

        if (!kp_family_cell(fam, row->start, &from, &to)) {
            list->count = (uint16_t)(list->count - drop_from(rows, *link));
            *link = 0;
            break;
        }
        while (row->next && kp_rows_at(rows, row->next)->start >= from) {
            uint32_t older = row->next;

            merge(rows, row, kp_rows_at(rows, older));
            row->next = kp_rows_at(rows, older)->next;
            drop(rows, older);
            list->count--;
        }
        link = &row->next;
    }
    list->compact_at = (uint16_t)(list->count < COMPACT_FIRST / 2 ? COMPACT_FIRST
                                  : list->count > COUNT_MAX / 2  ? COUNT_MAX
                                                                 : list->count * 2);
}

/* Where a row that starts at `from` belongs: after all that start later. */
static uint32_t *place_of(struct kp_rows *rows, struct kp_list *list, int64_t to)
{
    uint32_t *link = &list->head;

    while (*link && kp_rows_at(rows, *link)->start >= to)
        link = &kp_rows_at(rows, *link)->next;
    return link;
}

struct kp_row *kp_list_row_slow(struct kp_rows *rows, struct kp_list *list, int clock, int64_t at_ms)
{
    struct kp_family *fam = &rows->family->grids[clock];
    int64_t from, to;
    uint32_t *link, handle;
    struct kp_row *row;

    if (kp_family_is_final(fam) || !kp_family_cell(fam, at_ms, &from, &to))
        return NULL;
    link = place_of(rows, list, to);
    if (*link && kp_rows_at(rows, *link)->start >= from)
        return kp_rows_at(rows, *link);
    if (list->count >= (list->compact_at ? list->compact_at : COMPACT_FIRST)) {
        kp_list_compact(rows, list, clock);
        link = place_of(rows, list, to);
    }
    handle = list->count < COUNT_MAX ? take(rows, from) : 0;
    if (!handle)
        return NULL;
    row = kp_rows_at(rows, handle);
    row->next = *link;
    *link = handle;
    list->count++;
    return row;
}

struct kp_row *kp_list_append(struct kp_rows *rows, struct kp_list *list, int64_t start, uint32_t *near)
{
    uint32_t handle = list->count < COUNT_MAX ? take(rows, start) : 0;

    if (!handle)
        return NULL;
    if (*near)
        kp_rows_at(rows, *near)->next = handle;
    else
        list->head = handle;
    list->count++;
    *near = handle;
    return kp_rows_at(rows, handle);
}

struct kp_row *kp_list_row_near(struct kp_rows *rows, struct kp_list *list, int clock, int64_t at_ms, uint32_t *near)
{
    uint32_t *link = *near ? &kp_rows_at(rows, *near)->next : &list->head, handle;
    int64_t from, to;

    if (!kp_family_cell(&rows->family->grids[clock], at_ms, &from, &to))
        return NULL;
    if (*near && kp_rows_at(rows, *near)->start < to)
        return kp_rows_at(rows, *near);
    while (*link && kp_rows_at(rows, *link)->start >= to)
        link = &kp_rows_at(rows, *link)->next;
    if (!*link || kp_rows_at(rows, *link)->start < from) {
        handle = list->count < COUNT_MAX ? take(rows, from) : 0;
        if (!handle)
            return NULL;
        kp_rows_at(rows, handle)->next = *link;
        *link = handle;     /* chunks stay where they are */
        list->count++;
    }
    *near = *link;
    return kp_rows_at(rows, *near);
}

size_t kp_rows_bytes(const struct kp_rows *rows)
{
    return (size_t)rows->nchunks * KP_PAGES_CHUNK;
}

size_t kp_rows_used(const struct kp_rows *rows)
{
    return rows->made - 1 - rows->nfree;
}
