/* Panes as bytes. First what was counted: KPIs, families, their windows and cells. Then each key's rows, the oldest first. */
#include "image.h"

#include "kpid/event.h"

#include <stdlib.h>
#include <string.h>

enum { CELLS_MAX = 4096, WORDS_MAX = 3 };
#define NO_MORE UINT32_MAX

static bool is_sketch(enum kp_cell_kind kind)
{
    return kind == KP_CELL_QUANT || kind == KP_CELL_DISTINCT;
}

/* ---- Saving ---- */

static void save_shape(const struct kp_plan *plan, struct kp_save *save)
{
    kp_save_u32(save, (uint32_t)plan->nkpis);
    for (int k = 0; k < plan->nkpis; k++)
        kp_save_text(save, (struct kp_str){plan->kpis[k].cfg->name, (uint32_t)strlen(plan->kpis[k].cfg->name)});
    kp_save_u32(save, (uint32_t)plan->nfamilies);
    for (int f = 0; f < plan->nfamilies; f++) {
        const struct kp_plan_family *fam = &plan->families[f];
        const struct kp_family *grids = &fam->grids[0];

        kp_save_u8(save, grids->gauge);
        kp_save_u32(save, (uint32_t)grids->nwindows);
        for (int w = 0; w < grids->nwindows; w++)
            kp_save_text(save, (struct kp_str){grids->window[w].text, (uint32_t)strlen(grids->window[w].text)});
        kp_save_u32(save, (uint32_t)fam->ncells);
        for (int c = 0; c < fam->ncells; c++) {
            kp_save_u64(save, kp_sign_cell(plan, fam->dim, &fam->cells[c]));
            kp_save_u8(save, fam->cells[c].kind);
        }
    }
}

static void save_row(const struct kp_plan_family *fam, const struct kp_row *row, struct kp_save *save)
{
    kp_save_i64(save, row->start);
    for (int c = 0; c < fam->ncells; c++) {
        enum kp_cell_kind kind = fam->cells[c].kind;
        const uint64_t *at = row->words + fam->cells[c].word;
        void *sketch = (void *)(uintptr_t)*at;

        if (!is_sketch(kind)) {
            kp_save_bytes(save, at, (size_t)kp_cell_words(kind) * sizeof *at);
            continue;
        }
        kp_save_u8(save, sketch != NULL);
        if (sketch && kind == KP_CELL_QUANT)
            kp_quant_save(sketch, save);
        else if (sketch)
            kp_distinct_save(sketch, save);
    }
}

static void save_list(const struct kp_rows *rows, const struct kp_list *list, int family, struct kp_save *save)
{
    static uint32_t handles[UINT16_MAX + 1];    /* large, and no memory is to be taken */
    uint32_t n = 0;

    for (uint32_t at = list->head; at && n < UINT16_MAX; at = kp_rows_at(rows, at)->next)
        handles[n++] = at;
    if (n == 0)
        return;
    kp_save_u8(save, (uint8_t)(family + 1));
    kp_save_u16(save, (uint16_t)n);
    while (n)
        save_row(rows->family, kp_rows_at(rows, handles[--n]), save);
}

void kp_rows_save(const struct kp_store *store, struct kp_save *save)
{
    kp_save_mark(save, "ROWS");
    save_shape(store->plan, save);
    for (uint32_t node = 0; node < store->made; node++) {
        const struct kp_node_hot *hot = kp_store_node(store, node);
        const struct kp_plan_dim *dim;

        if (!(hot->flags & KP_NODE_LIVE))
            continue;
        dim = &store->plan->dims[kp_plan_dim_of(store->plan, hot->level)];
        kp_save_u32(save, node);
        for (int i = 0; i < dim->nfamilies; i++)
            save_list(&store->rows[dim->first_family + i], &hot->lists[i], dim->first_family + i, save);
        kp_save_u8(save, 0);
    }
    kp_save_u32(save, NO_MORE);
}

/* ---- What was counted then ---- */

struct copy {               /* a cell of then goes into one of now */
    int family, cell;
};
struct cell_then {
    uint64_t sign;
    uint8_t kind;
    struct copy *copies;    /* owned; mostly one */
    int ncopies;
};
struct family_then {
    bool gauge;
    char (*windows)[KP_WINDOW_TEXT];    /* owned, like the cells */
    uint32_t nwindows, ncells;
    struct cell_then *cells;
    uint64_t into;          /* bit f: some cell of it goes into family f of now */
};
struct shape {
    struct family_then *families;       /* owned */
    uint32_t nfamilies;
};

static void release_shape(struct shape *shape)
{
    for (uint32_t f = 0; shape->families && f < shape->nfamilies; f++) {
        for (uint32_t c = 0; shape->families[f].cells && c < shape->families[f].ncells; c++)
            free(shape->families[f].cells[c].copies);
        free(shape->families[f].cells);
        free(shape->families[f].windows);
    }
    free(shape->families);
}

static void *take_room(struct kp_load *load, size_t n, size_t size)
{
    void *room = calloc(n + 1, size);

    if (!room)
        kp_load_fail(load, "out of memory");
    return room;
}

static void load_kpis(const struct kp_plan *plan, struct kp_load *load, struct kp_image_map *map)
{
    char name[1024];

    map->nkpis = kp_load_count(load, KP_IMAGE_KPIS_MAX, "KPIs");
    map->kpis = take_room(load, map->nkpis, sizeof *map->kpis);
    for (uint32_t k = 0; k < map->nkpis && map->kpis; k++) {
        struct kp_str text = kp_load_text(load, name, sizeof name, "name of a KPI");

        map->kpis[k] = load->failed ? -1 : kp_plan_find_kpi(plan, text.s, text.len);
        map->report->kpis_gone += map->kpis[k] < 0;
    }
    if (!map->kpis)
        map->nkpis = 0;
}

static void load_family(struct kp_load *load, struct family_then *fam)
{
    fam->gauge = kp_load_u8(load) != 0;
    fam->nwindows = kp_load_count(load, KP_FAMILY_WINDOWS_MAX, "windows");
    fam->windows = take_room(load, fam->nwindows, sizeof *fam->windows);
    for (uint32_t w = 0; w < fam->nwindows && !load->failed; w++)
        kp_load_text(load, fam->windows[w], KP_WINDOW_TEXT, "a window");
    fam->ncells = kp_load_count(load, CELLS_MAX, "cells");
    fam->cells = take_room(load, fam->ncells, sizeof *fam->cells);
    for (uint32_t c = 0; c < fam->ncells && !load->failed; c++) {
        fam->cells[c].sign = kp_load_u64(load);
        fam->cells[c].kind = kp_load_u8(load);
        if (fam->cells[c].kind > KP_CELL_DISTINCT)
            kp_load_fail(load, "a cell of kind %u", fam->cells[c].kind);
    }
}

static void load_shape(const struct kp_plan *plan, struct kp_load *load, struct shape *shape, struct kp_image_map *map)
{
    load_kpis(plan, load, map);
    shape->nfamilies = kp_load_count(load, KP_FAMILIES_MAX, "families");
    shape->families = take_room(load, shape->nfamilies, sizeof *shape->families);
    for (uint32_t f = 0; f < shape->nfamilies && !load->failed; f++)
        load_family(load, &shape->families[f]);
}

/* ---- What of it is counted now ---- */

/* How many windows both have; -1: panes of then can't be put where now's windows look. What ends at t may begin to look at panes that
 * were kept for another window, and fills as time goes; a window between two instants would count what lies outside. */
static int in_common(const struct family_then *then, const struct kp_family *now)
{
    int common = 0;

    if (then->gauge || now->gauge)
        return then->gauge && now->gauge ? 1 : -1;
    for (int w = 0; w < now->nwindows; w++) {
        bool found = false;

        for (uint32_t i = 0; i < then->nwindows && !found; i++)
            found = strcmp(then->windows[i], now->window[w].text) == 0;
        common += found;
        if (!found && now->window[w].back > 0)
            return -1;
    }
    return common ? common : -1;
}

static int cell_of(const struct family_then *fam, uint64_t sign, enum kp_cell_kind kind)
{
    for (uint32_t c = 0; c < fam->ncells; c++)
        if (fam->cells[c].sign == sign && fam->cells[c].kind == kind)
            return (int)c;
    return -1;
}

/* A cell of now takes what the one of then has that shares most windows with it. */
static void find_cell(const struct kp_plan *plan, struct shape *shape, int family, int cell, struct kp_load *load,
                      struct kp_image_map *map)
{
    const struct kp_plan_family *fam = &plan->families[family];
    uint64_t sign = kp_sign_cell(plan, fam->dim, &fam->cells[cell]);
    struct cell_then *from;
    int best = -1, most = 0;
    struct copy *grown;

    for (uint32_t f = 0; f < shape->nfamilies; f++) {
        int common = in_common(&shape->families[f], &fam->grids[0]);

        if (common > most && cell_of(&shape->families[f], sign, fam->cells[cell].kind) >= 0) {
            best = (int)f;
            most = common;
        }
    }
    if (best < 0)
        return;
    from = &shape->families[best].cells[cell_of(&shape->families[best], sign, fam->cells[cell].kind)];
    grown = realloc(from->copies, ((size_t)from->ncopies + 1) * sizeof *grown);
    if (!grown) {
        kp_load_fail(load, "out of memory");
        return;
    }
    from->copies = grown;
    from->copies[from->ncopies++] = (struct copy){family, cell};
    shape->families[best].into |= UINT64_C(1) << family;
    map->kept[family][cell] = true;
}

static bool is_kept(const struct kp_plan *plan, const struct kp_plan_kpi *kpi, const struct kp_image_map *map)
{
    const int words[] = {kpi->count, kpi->sum, kpi->min, kpi->max, kpi->square, kpi->last, kpi->quant, kpi->distinct};
    const struct kp_plan_family *fam = &plan->families[kpi->family];

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (int c = 0; words[i] >= 0 && c < fam->ncells; c++)
            if (fam->cells[c].word == words[i] && !map->kept[kpi->family][c])
                return false;
    return true;
}

static void find_cells(const struct kp_plan *plan, struct shape *shape, struct kp_load *load, struct kp_image_map *map)
{
    for (int f = 0; f < plan->nfamilies && !load->failed; f++) {
        map->kept[f] = take_room(load, (size_t)plan->families[f].ncells, sizeof(bool));
        for (int c = 0; c < plan->families[f].ncells && !load->failed; c++)
            find_cell(plan, shape, f, c, load, map);
    }
    for (int k = 0; k < plan->nkpis && !load->failed; k++) {
        if (plan->kpis[k].formula)
            continue;
        if (is_kept(plan, &plan->kpis[k], map))
            map->report->kpis_kept++;
        else
            map->report->kpis_new++;
    }
}

/* ---- Loading ---- */

/* The words of one cell, with what they own. */
static bool load_cell(struct kp_load *load, enum kp_cell_kind kind, uint64_t words[WORDS_MAX], struct kp_slab *slab)
{
    memset(words, 0, WORDS_MAX * sizeof *words);
    if (!is_sketch(kind)) {
        kp_load_bytes(load, words, (size_t)kp_cell_words(kind) * sizeof *words);
        return !load->failed;
    }
    if (kp_load_u8(load) == 0)
        return !load->failed;
    words[0] = kind == KP_CELL_QUANT ? (uint64_t)(uintptr_t)kp_quant_load(slab, load) : (uint64_t)(uintptr_t)kp_distinct_load(slab, load);
    return !load->failed;
}

static void load_row(struct kp_store *store, struct kp_load *load, const struct family_then *fam, uint32_t node)
{
    const struct kp_plan *plan = store->plan;
    struct kp_row *rows[KP_FAMILIES_MAX];
    int64_t start = kp_load_i64(load);
    uint64_t words[WORDS_MAX];

    if (fam->gauge)
        start = 0;          /* what is so now has a single pane */
    if (start < -KP_TIME_MAX || start > KP_TIME_MAX + KP_DAY_MS)
        kp_load_fail(load, "a pane of no time that there is");
    for (int f = 0; f < plan->nfamilies; f++) {
        struct kp_node_hot *hot;
        int first;

        rows[f] = NULL;
        if (node == KP_NO_NODE || load->failed || !(fam->into >> f & 1))
            continue;
        hot = kp_store_node(store, node);
        first = plan->dims[plan->families[f].dim].first_family;
        if (kp_plan_dim_of(plan, hot->level) != plan->families[f].dim)
            continue;
        if (!kp_rows_reserve(&store->rows[f], 1))
            kp_load_fail(load, "out of memory for panes");
        else
            rows[f] = kp_list_row(&store->rows[f], &hot->lists[f - first], hot->clock, start);
    }
    for (uint32_t c = 0; c < fam->ncells; c++) {
        const struct cell_then *cell = &fam->cells[c];

        if (!load_cell(load, cell->kind, words, store->slab))
            return;
        for (int i = 0; i < cell->ncopies; i++) {
            const struct copy *copy = &cell->copies[i];

            if (rows[copy->family] &&
                !kp_cell_merge(cell->kind, rows[copy->family]->words + plan->families[copy->family].cells[copy->cell].word, words,
                               store->slab))
                kp_load_fail(load, "out of memory for sketches");
        }
        kp_cell_drop(cell->kind, words, store->slab);
    }
}

static void load_key(struct kp_store *store, struct kp_load *load, const struct shape *shape, uint32_t node)
{
    for (uint8_t f = kp_load_u8(load); f && !load->failed; f = kp_load_u8(load)) {
        uint16_t n = kp_load_u16(load);

        if (f > shape->nfamilies) {
            kp_load_fail(load, "family %u of %u", f, shape->nfamilies);
            return;
        }
        for (uint16_t i = 0; i < n && !load->failed; i++)
            load_row(store, load, &shape->families[f - 1], node);
    }
}

void kp_rows_load(struct kp_store *store, struct kp_load *load, struct kp_image_map *map)
{
    struct shape shape = {NULL, 0};

    kp_load_mark(load, "ROWS");
    load_shape(store->plan, load, &shape, map);
    if (!load->failed)
        find_cells(store->plan, &shape, load, map);
    for (uint32_t node = kp_load_u32(load); node != NO_MORE && !load->failed; node = kp_load_u32(load))
        load_key(store, load, &shape, kp_image_node(map, node));
    release_shape(&shape);
}
