/* Panes as bytes, and back into those of another configuration.
 *
 * What is saved is told by shape: for each family its grids, and what each cell of a row is. When a family of now has the
 * same shape, its rows are put in as they are. Else each cell of now takes what the same cell of then holds, from the family
 * whose grids are most like its own, row by row.
 *
 * A row then holds what came between two edges, so it is put where the first of them is. Windows that end now hold all that
 * comes later anyway, so none of them counts what it should not. One that ended before (day-1) would, when a row of then
 * reaches over its end; such a row is left out.
 *
 * A span of now takes what was in the same one, or else from rows that lie within it: all of it, where an edge of then was at its
 * begin. If none was, kept events know better (see kp_engine_load_numbers), or entities do, of samples that come of them. */
#include "image.h"

#include <stdlib.h>
#include <string.h>

enum { WINDOWS, GAUGE, SPAN };      /* kinds of families */
enum { CELLS_MAX = UINT16_MAX, OLDEST_START_DAYS = 800, SHIFT_MAX = 400, DAYS_MAX = 20000 };

/* ---- Saving ---- */

static void save_shape(const struct kp_plan *plan, const struct kp_plan_family *fam, struct kp_save *save)
{
    const struct kp_family *grids = &fam->grids[0];

    kp_save_u8(save, (uint8_t)fam->dim);
    kp_save_u8(save, grids->is_span ? SPAN : grids->gauge ? GAUGE : WINDOWS);
    if (grids->is_span) {
        kp_save_i64(save, grids->span_from);
        kp_save_i64(save, grids->span_to);
    }
    kp_save_u8(save, (uint8_t)grids->ngrids);
    for (int i = 0; i < grids->ngrids; i++) {
        const struct kp_grid *g = &grids->grid[i];

        kp_save_u8(save, (uint8_t)g->kind);
        kp_save_u8(save, (uint8_t)g->period);
        kp_save_i64(save, g->step_ms);
        kp_save_i64(save, g->reach_ms);
        kp_save_u32(save, (uint32_t)g->shift);
    }
    kp_save_u32(save, (uint32_t)fam->ncells);
    for (int c = 0; c < fam->ncells; c++) {
        kp_save_u8(save, fam->cells[c].kind);
        kp_save_u64(save, kp_sign_cell(plan, fam->dim, &fam->cells[c]));
    }
}

static const void *pointer(uint64_t word)
{
    return (const void *)(uintptr_t)word;
}

static bool is_sketch(const struct kp_cell *cell)
{
    return cell->kind == KP_CELL_QUANT || cell->kind == KP_CELL_DISTINCT;
}

/* The words as they stand, and sketches in place of theirs. */
static void save_words(const struct kp_cell *cells, int ncells, int nwords, const uint64_t *words, struct kp_save *save)
{
    int from = 0;

    for (int c = 0; c < ncells; c++) {
        const struct kp_cell *cell = &cells[c];

        if (!is_sketch(cell))
            continue;
        kp_save_bytes(save, words + from, (size_t)(cell->word - from) * sizeof *words);
        if (cell->kind == KP_CELL_QUANT)
            kp_quant_save(pointer(words[cell->word]), save);
        else
            kp_distinct_save(pointer(words[cell->word]), save);
        from = cell->word + 1;
    }
    kp_save_bytes(save, words + from, (size_t)(nwords - from) * sizeof *words);
}

static void save_list(const struct kp_rows *rows, const struct kp_list *list, struct kp_save *save)
{
    const struct kp_plan_family *fam = rows->family;

    kp_save_u16(save, list->count);
    if (list->count)
        kp_save_u16(save, list->compact_at);
    for (uint32_t handle = list->head; handle;) {
        const struct kp_row *row = kp_rows_at(rows, handle);

        kp_save_i64(save, row->start);
        save_words(fam->cells, fam->ncells, fam->words, row->words, save);
        handle = row->next;
    }
}

static void save_node(const struct kp_store *store, uint32_t node, struct kp_save *save)
{
    const struct kp_node_hot *hot = kp_store_node(store, node);
    int d = kp_plan_dim_of(store->plan, hot->level);
    const struct kp_plan_dim *dim = &store->plan->dims[d];
    bool any = false;

    for (int i = 0; i < dim->nfamilies; i++)
        any |= hot->lists[i].head != 0;
    if (!any)
        return;
    kp_save_u32(save, node);
    kp_save_u8(save, (uint8_t)d);
    for (int i = 0; i < dim->nfamilies; i++)
        save_list(&store->rows[dim->first_family + i], &hot->lists[i], save);
}

void kp_panes_save(const struct kp_store *store, struct kp_save *save)
{
    const struct kp_plan *plan = store->plan;

    kp_save_mark(save, "PANE");
    kp_save_i64(save, plan->config->event_clock ? 0 : plan->config->allowed_future_ms);
    kp_save_u32(save, (uint32_t)plan->nfamilies);
    for (int f = 0; f < plan->nfamilies; f++)
        save_shape(plan, &plan->families[f], save);
    for (uint32_t node = 0; node < store->made; node++)
        if (kp_store_node(store, node)->flags & KP_NODE_LIVE)
            save_node(store, node, save);
    kp_save_u32(save, KP_NO_NODE);
}

/* ---- Shapes ---- */

struct feed {               /* a cell of then that a cell of now takes */
    uint8_t kind;
    uint16_t from, to;      /* words */
};

struct goal {               /* a family of now that takes something */
    int family;
    struct feed *feeds;     /* owned */
    int nfeeds;
    uint32_t closed;        /* bit w: window w ends before now, and is read */
};

struct shape {              /* a family of then */
    int dim;                /* of then */
    struct kp_family *grids;    /* owned; by clock of now, with the bounds of now */
    struct kp_cell *cells;  /* owned */
    uint64_t *signs;        /* owned; by cell */
    int ncells, nwords;
    struct goal *goals;     /* owned; room for every family of now */
    int ngoals;
    bool gauge;             /* as its grids */
    bool is_same;           /* its rows can be put in as they are: into goals[0], which is the only one */
};

struct panes {
    struct kp_store *store;
    struct kp_load *load;
    struct kp_image_map *map;
    struct shape *shapes;   /* owned */
    int nshapes;
    int first[KP_DIMS_MAX + 1];     /* by dimension of then: its first shape; then where the last one's end */
    int64_t newest;         /* no row holds a later event */
    uint64_t *words;        /* owned; a row of then */
};

static void release(struct panes *panes)
{
    for (int s = 0; panes->shapes && s < panes->nshapes; s++) {
        struct shape *shape = &panes->shapes[s];

        for (int g = 0; shape->goals && g < shape->ngoals; g++)
            free(shape->goals[g].feeds);
        free(shape->goals);
        free(shape->grids);
        free(shape->cells);
        free(shape->signs);
    }
    free(panes->shapes);
    free(panes->words);
}

static bool is_sound(const struct kp_grid *g)
{
    if (g->kind == KP_GRID_PERIOD)
        return g->period <= KP_PER_YEAR && g->shift >= 0 && g->shift <= (g->period == KP_PER_DAY ? DAYS_MAX : SHIFT_MAX);
    return g->kind <= KP_GRID_WORK && g->step_ms > 0 && g->step_ms <= KP_WORK_REACH_MS && g->reach_ms >= g->step_ms &&
           g->reach_ms / g->step_ms <= KP_PANES_MAX;
}

static bool is_instant(int64_t t)
{
    return t >= -OLDEST_START_DAYS * KP_DAY_MS && t <= KP_TIME_MAX + KP_DAY_MS;
}

static void load_kind(struct kp_load *load, struct kp_family *grids)
{
    uint8_t kind = kp_load_u8(load);

    grids->gauge = kind == GAUGE;
    grids->is_span = kind == SPAN;
    if (kind > SPAN)
        kp_load_fail(load, "panes: not a family as kpid has them");
    if (!grids->is_span)
        return;
    grids->span_from = kp_load_i64(load);
    grids->span_to = kp_load_i64(load);
    if (!is_instant(grids->span_from) || !is_instant(grids->span_to) || grids->span_from >= grids->span_to)
        kp_load_fail(load, "panes: not a span as kpid has them");
}

static void load_grids(struct panes *panes, struct shape *shape)
{
    const struct kp_plan *plan = panes->store->plan;
    struct kp_load *load = panes->load;
    struct kp_family *first = shape->grids = calloc((size_t)plan->nclocks, sizeof *first);

    if (!first) {
        kp_load_fail(load, "out of memory for panes");
        return;
    }
    load_kind(load, first);
    shape->gauge = first->gauge;
    first->ngrids = kp_load_u8(load);
    if (first->ngrids > KP_GRIDS_MAX) {
        first->ngrids = 0;
        kp_load_fail(load, "panes: too many grids");
    }
    first->week_start = plan->config->week_start;
    for (int i = 0; i < first->ngrids && !load->failed; i++) {
        struct kp_grid *g = &first->grid[i];

        g->kind = kp_load_u8(load);
        g->period = kp_load_u8(load);
        g->step_ms = kp_load_i64(load);
        g->reach_ms = kp_load_i64(load);
        g->shift = (int)kp_load_u32(load);
        if (!is_sound(g))
            kp_load_fail(load, "panes: not a grid as kpid has them");
    }
}

/* As of now, on each clock of now: the rows that are to come lie between these edges. */
static void refresh_grids(struct panes *panes, struct shape *shape)
{
    const struct kp_plan *plan = panes->store->plan;

    for (int c = plan->nclocks - 1; c >= 0 && !panes->load->failed && plan->nfamilies; c--) {
        struct kp_family *grids = &shape->grids[c];

        *grids = shape->grids[0];
        grids->zone = plan->clocks[c].zone;
        grids->calendar = plan->clocks[c].calendar;
        if (plan->families[0].grids[0].at_ms)
            kp_family_refresh(grids, plan->families[0].grids[0].at_ms);
    }
}

static void load_cells(struct panes *panes, struct shape *shape)
{
    struct kp_load *load = panes->load;
    uint32_t n = kp_load_count(load, CELLS_MAX, "cells of a row");

    shape->cells = calloc((size_t)n + 1, sizeof *shape->cells);
    shape->signs = calloc((size_t)n + 1, sizeof *shape->signs);
    if (!shape->cells || !shape->signs) {
        kp_load_fail(load, "out of memory for panes");
        return;
    }
    for (uint32_t c = 0; c < n && !load->failed; c++) {
        struct kp_cell *cell = &shape->cells[c];

        cell->kind = kp_load_u8(load);
        shape->signs[c] = kp_load_u64(load);
        cell->word = (uint16_t)shape->nwords;
        if (cell->kind > KP_CELL_DISTINCT || shape->nwords + kp_cell_words(cell->kind) > UINT16_MAX) {
            kp_load_fail(load, "panes: not cells as kpid has them");
            return;
        }
        shape->nwords += kp_cell_words(cell->kind);
        shape->ncells++;
    }
}

static void load_shapes(struct panes *panes)
{
    struct kp_load *load = panes->load;
    uint32_t n = kp_load_count(load, KP_FAMILIES_MAX, "families");
    size_t most = 1;

    panes->shapes = calloc((size_t)n + 1, sizeof *panes->shapes);
    if (!panes->shapes) {
        kp_load_fail(load, "out of memory for panes");
        return;
    }
    for (uint32_t i = 0; i < n && !load->failed; i++) {
        struct shape *shape = &panes->shapes[panes->nshapes++];

        shape->dim = kp_load_u8(load);
        if (shape->dim >= KP_DIMS_MAX || (i > 0 && shape->dim < shape[-1].dim)) {
            kp_load_fail(load, "panes: families out of order");
            return;
        }
        for (int d = shape->dim + 1; d <= KP_DIMS_MAX; d++)
            panes->first[d] = panes->nshapes;
        load_grids(panes, shape);
        if (load->failed)
            return;
        refresh_grids(panes, shape);
        load_cells(panes, shape);
        most = (size_t)shape->nwords > most ? (size_t)shape->nwords : most;
    }
    panes->words = calloc(most, sizeof *panes->words);
    if (!panes->words)
        kp_load_fail(load, "out of memory for panes");
}

/* ---- What takes what ---- */

static bool has_grid(const struct kp_family *fam, const struct kp_grid *g)
{
    for (int i = 0; i < fam->ngrids; i++)
        if (fam->grid[i].kind == g->kind &&
            (g->kind == KP_GRID_PERIOD ? fam->grid[i].period == g->period : fam->grid[i].step_ms == g->step_ms))
            return true;
    return false;
}

/* Does a family of then know all of a span of now, and tell it from the rest? */
static bool knows_span(const struct panes *panes, const struct shape *shape, const struct kp_family *now)
{
    int64_t last = now->span_to - 1 < panes->newest ? now->span_to - 1 : panes->newest, from, to;

    if (last < now->span_from)
        return true;        /* it is still to come */
    for (int c = 0; c < panes->store->plan->nclocks; c++) {
        struct kp_family *then = &shape->grids[c];

        if (!kp_family_cell(then, now->span_from, &from, &to) || from != now->span_from ||
            !kp_family_cell(then, last, &from, &to) || (now->span_to <= panes->newest && to != now->span_to))
            return false;
    }
    return true;
}

/* How much a family of then is like one of now: by the grids that both have, and then by how far it reaches back. A span is like
 * who knows it, and least like another span. */
static int likeness(const struct panes *panes, const struct shape *shape, const struct kp_family *now)
{
    int both = 0;

    if (shape->grids->gauge != now->gauge || (shape->grids->is_span && !now->is_span))
        return -1;
    if (kp_family_same_grids(shape->grids, now) && now->is_span)
        return 3;
    if (now->is_span)
        return knows_span(panes, shape, now) ? 2 : !shape->grids->is_span;
    for (int i = 0; i < now->ngrids; i++)
        both += has_grid(shape->grids, &now->grid[i]);
    return both * 2 + (both == now->ngrids && shape->grids->ngrids == now->ngrids);
}

static int find_cell(const struct shape *shape, uint64_t sign)
{
    for (int c = 0; c < shape->ncells; c++)
        if (shape->signs[c] == sign)
            return c;
    return -1;
}

/* The family of then that has a cell like that and is most like the family of now; NULL: none has. */
static struct shape *best_shape(struct panes *panes, int family, uint64_t sign, uint8_t kind, int *cell)
{
    const struct kp_plan *plan = panes->store->plan;
    const struct kp_family *now = plan->families[family].grids;
    int dim = plan->families[family].dim;
    struct shape *best = NULL;
    int most = -1;

    for (int s = 0; s < panes->nshapes; s++) {
        struct shape *shape = &panes->shapes[s];
        int c = find_cell(shape, sign), like = likeness(panes, shape, now);

        if (shape->ngoals && plan->families[shape->goals[0].family].dim != dim)
            continue;       /* not as kpid writes it */
        if (c < 0 || like < 0 || shape->cells[c].kind != kind || like < most ||
            (like == most && shape->grids->keep_from >= best->grids->keep_from))
            continue;
        best = shape;
        most = like;
        *cell = c;
    }
    return best;
}

/* Baselines read stretches that end before now as well, but judge by many of them: they do not make anybody lose numbers. */
static uint32_t closed_windows(const struct kp_plan_family *fam)
{
    uint32_t closed = 0;

    for (int w = 0; w < fam->grids->nwindows && !fam->grids->gauge; w++)
        if (fam->grids->window[w].kind == KP_WIN_CALENDAR && fam->grids->window[w].back)
            closed |= UINT32_C(1) << w;
    return closed & (fam->asked | fam->closed);
}

static struct goal *goal_of(struct panes *panes, struct shape *shape, int family)
{
    const struct kp_plan *plan = panes->store->plan;
    struct goal *goal = shape->ngoals ? &shape->goals[shape->ngoals - 1] : NULL;

    if (goal && goal->family == family)
        return goal;
    if (!shape->goals)
        shape->goals = calloc((size_t)plan->nfamilies, sizeof *shape->goals);
    if (!shape->goals)
        return NULL;
    goal = &shape->goals[shape->ngoals];
    goal->feeds = calloc((size_t)plan->families[family].ncells, sizeof *goal->feeds);
    if (!goal->feeds)
        return NULL;
    goal->family = family;
    goal->closed = closed_windows(&plan->families[family]);
    shape->ngoals++;
    return goal;
}

/* Does any key have something in a cell? */
static bool has_any(const struct kp_store *store, int f, const struct kp_cell *cell)
{
    const struct kp_plan_family *fam = &store->plan->families[f];
    size_t size = (size_t)kp_cell_words(cell->kind) * sizeof(uint64_t);
    int list = f - store->plan->dims[fam->dim].first_family;

    for (uint32_t node = 0; node < store->made; node++) {
        const struct kp_node_hot *hot = kp_store_node(store, node);
        bool its = hot->flags & KP_NODE_LIVE && kp_plan_dim_of(store->plan, hot->level) == fam->dim;

        for (uint32_t handle = its ? hot->lists[list].head : 0; handle; handle = kp_rows_at(&store->rows[f], handle)->next)
            if (memcmp(kp_rows_at(&store->rows[f], handle)->words + cell->word, fam->blank + cell->word, size) != 0)
                return true;
    }
    return false;
}

/* What panes told of a span stays, unless events are kept since it began. */
static bool stays(const struct panes *panes, int f, const struct kp_cell *cell)
{
    const struct kp_family *now = panes->store->plan->families[f].grids;

    return now->is_span && panes->map->kept_from > now->span_from && has_any(panes->store, f, cell);
}

/* Somebody else knows better than these panes what came in a span. */
static bool is_known_better(const struct panes *panes, const struct shape *shape, int f, const struct kp_cell *cell, bool *by_entities)
{
    const struct kp_plan *plan = panes->store->plan;
    const struct kp_family *now = plan->families[f].grids;

    *by_entities = false;
    if (!now->is_span || knows_span(panes, shape, now))
        return false;
    *by_entities = kp_plan_outlet_of(cell->filter) >= 0 && !kp_family_is_final(now);
    return *by_entities || plan->config->storage.keep_ms > 0;
}

static void match_family(struct panes *panes, int f)
{
    const struct kp_plan *plan = panes->store->plan;
    const struct kp_plan_family *fam = &plan->families[f];

    for (int c = 0; c < fam->ncells; c++) {
        const struct kp_cell *cell = &fam->cells[c];
        int then = 0;
        bool had = panes->map->had && (panes->map->had[f][c] || stays(panes, f, cell));
        struct shape *shape = had ? NULL : best_shape(panes, f, kp_sign_cell(plan, fam->dim, cell), cell->kind, &then);
        bool by_entities = false, better = shape && is_known_better(panes, shape, f, cell, &by_entities);
        struct goal *goal = shape && !by_entities ? goal_of(panes, shape, f) : NULL;

        panes->map->fed[f][c] = goal && !better;
        if (goal)
            goal->feeds[goal->nfeeds++] = (struct feed){cell->kind, shape->cells[then].word, cell->word};
        else if (shape && !by_entities)
            kp_load_fail(panes->load, "out of memory for panes");
    }
}

/* Do rows of then lie between edges that windows of now have, each of them as far back as now? */
static bool reaches(const struct kp_family *then, const struct kp_family *now)
{
    if (then->ngrids != now->ngrids || then->is_span != now->is_span || then->span_from != now->span_from ||
        then->span_to != now->span_to)
        return false;
    for (int i = 0; i < now->ngrids; i++) {
        bool found = false;

        for (int k = 0; k < then->ngrids && !found; k++)
            found = then->grid[k].kind == now->grid[i].kind && then->grid[k].period == now->grid[i].period &&
                    then->grid[k].step_ms == now->grid[i].step_ms && then->grid[k].reach_ms == now->grid[i].reach_ms &&
                    then->grid[k].shift == now->grid[i].shift;
        if (!found)
            return false;
    }
    return true;
}

static bool is_same(const struct panes *panes, const struct shape *shape)
{
    const struct kp_plan_family *fam;

    if (shape->ngoals != 1)
        return false;
    fam = &panes->store->plan->families[shape->goals[0].family];
    if (fam->ncells != shape->ncells || shape->goals[0].nfeeds != shape->ncells || !reaches(shape->grids, fam->grids))
        return false;
    for (int c = 0; c < fam->ncells; c++)
        if (shape->goals[0].feeds[c].from != shape->goals[0].feeds[c].to)
            return false;
    return true;
}

/* One block: the list by family, and behind it its rows. */
static bool take_fed(struct panes *panes)
{
    const struct kp_plan *plan = panes->store->plan;
    size_t n = 1, at = 0;
    bool *rows;

    for (int f = 0; f < plan->nfamilies; f++)
        n += (size_t)plan->families[f].ncells;
    panes->map->fed = calloc(1, ((size_t)plan->nfamilies + 1) * sizeof(bool *) + n * sizeof(bool));
    if (!panes->map->fed)
        return false;
    rows = (bool *)(panes->map->fed + plan->nfamilies + 1);
    for (int f = 0; f < plan->nfamilies; f++) {
        panes->map->fed[f] = rows + at;
        at += (size_t)plan->families[f].ncells;
    }
    return true;
}

static void match(struct panes *panes)
{
    if (!take_fed(panes))
        kp_load_fail(panes->load, "out of memory for panes");
    for (int f = 0; f < panes->store->plan->nfamilies && !panes->load->failed; f++)
        match_family(panes, f);
    for (int s = 0; s < panes->nshapes; s++)
        panes->shapes[s].is_same = is_same(panes, &panes->shapes[s]);
}

/* ---- Rows ---- */

static void load_words(const struct shape *shape, struct kp_load *load, struct kp_slab *slab, uint64_t *words)
{
    int from = 0;

    for (int c = 0; c < shape->ncells; c++) {
        const struct kp_cell *cell = &shape->cells[c];

        if (!is_sketch(cell))
            continue;
        kp_load_bytes(load, words + from, (size_t)(cell->word - from) * sizeof *words);
        if (cell->kind == KP_CELL_QUANT) {
            struct kp_quant *q;

            kp_quant_load(&q, slab, load);
            words[cell->word] = (uint64_t)(uintptr_t)q;
        } else {
            struct kp_distinct *d;

            kp_distinct_load(&d, slab, load);
            words[cell->word] = (uint64_t)(uintptr_t)d;
        }
        from = cell->word + 1;
    }
    kp_load_bytes(load, words + from, (size_t)(shape->nwords - from) * sizeof *words);
}

static void drop_words(const struct shape *shape, struct kp_slab *slab, uint64_t *words)
{
    for (int c = 0; c < shape->ncells; c++)
        kp_cell_drop(shape->cells[c].kind, words + shape->cells[c].word, slab);
}

/* Starts fall from row to row; *before is that of the row before. */
static int64_t load_start(const struct shape *shape, struct kp_load *load, int64_t *before)
{
    int64_t start = kp_load_i64(load), oldest = -OLDEST_START_DAYS * KP_DAY_MS;

    if (!load->failed && (start >= *before || (shape->gauge ? start != INT64_MIN : start < oldest || start > KP_TIME_MAX)))
        kp_load_fail(load, "panes: rows out of order");
    *before = start;
    return start;
}

/* As they are, into a list that is empty. */
static void load_same(struct panes *panes, const struct shape *shape, struct kp_list *list, uint32_t count)
{
    struct kp_rows *rows = &panes->store->rows[shape->goals[0].family];
    struct kp_load *load = panes->load;
    int64_t before = INT64_MAX;
    uint32_t near = 0;

    for (uint32_t i = 0; i < count && !load->failed; i++) {
        int64_t start = load_start(shape, load, &before);
        struct kp_row *row = load->failed ? NULL : kp_list_append(rows, list, start, &near);

        if (row)
            load_words(shape, load, panes->store->slab, row->words);
        else
            kp_load_fail(load, "out of memory for panes");
    }
}

/* Would a window that ends before now count what came after its end, now or when its turn comes? `to`: no event of the row
 * is as late as that. */
static bool reaches_over(const struct goal *goal, const struct kp_family *now, int64_t start, int64_t to)
{
    if (now->is_span)
        return to > now->span_to;
    for (uint32_t left = goal->closed; left; left &= left - 1) {
        int w = __builtin_ctz(left);

        if (start >= now->from[w] &&
            kp_period_start(now->zone, now->window[w].period, now->week_start, start, 1) < to)
            return true;
    }
    return false;
}

static void merge(const struct goal *goal, struct kp_rows *rows, struct kp_row *into, const uint64_t *words)
{
    for (int i = 0; i < goal->nfeeds; i++)
        if (!kp_cell_merge(goal->feeds[i].kind, into->words + goal->feeds[i].to, words + goal->feeds[i].from, rows->slab))
            rows->missed++;
}

/* The words of a row, added to the row of a key in which the begin of its pane lies: late events may be before its own. */
static void put_row(struct panes *panes, const struct shape *shape, const struct goal *goal, uint32_t node, int64_t start,
                    uint32_t *near)
{
    struct kp_store *store = panes->store;
    struct kp_node_hot *hot = kp_store_node(store, node);
    const struct kp_plan_family *fam = &store->plan->families[goal->family];
    struct kp_rows *rows = &store->rows[goal->family];
    struct kp_list *list = &hot->lists[goal->family - store->plan->dims[fam->dim].first_family];
    struct kp_row *row;
    int64_t from, to;

    if (!kp_family_cell(&shape->grids[hot->clock], start, &from, &to))
        return;     /* no window of then reaches so far back, so it is there by chance */
    if (reaches_over(goal, &fam->grids[hot->clock], from, to <= panes->newest ? to : panes->newest + 1))
        return;
    row = kp_list_row_near(rows, list, hot->clock, from, near);
    if (row)
        merge(goal, rows, row, panes->words);
}

/* ---- What is so now, of keys that stand elsewhere ---- */

/* The sum of what is below: so of a key that has moved it goes from the ones and comes to the others. Of what it stood under
 * `under` is left that is still there. */
static void move_gauge(struct panes *panes, const struct goal *goal, uint32_t node, uint32_t under, bool add)
{
    struct kp_store *store = panes->store;
    const struct kp_plan_family *fam = &store->plan->families[goal->family];
    struct kp_rows *rows = &store->rows[goal->family];

    for (uint32_t at = under; at != KP_NO_NODE; at = kp_store_node(store, at)->parent) {
        struct kp_node_hot *hot = kp_store_node(store, at);
        struct kp_list *list = &hot->lists[goal->family - store->plan->dims[fam->dim].first_family];
        struct kp_row *row = at == node ? NULL : kp_list_row(rows, list, hot->clock, 0);

        for (int i = 0; row && i < goal->nfeeds; i++) {
            const struct feed *feed = &goal->feeds[i];

            if (!(add ? kp_cell_merge : kp_cell_take)(feed->kind, row->words + feed->to, panes->words + feed->from, rows->slab))
                rows->missed++;
        }
    }
}

/* What a key of the roster stood under then, of what is still there. */
static uint32_t stood_under(const struct panes *panes, uint32_t then)
{
    const struct kp_image_map *map = panes->map;
    uint32_t at = then;

    for (int i = 0; i < KP_DEPTH_MAX; i++) {
        uint32_t node;

        at = kp_image_above(map, at);
        node = kp_image_node(map, at);
        if (node != KP_NO_NODE)
            return kp_plan_dim_of(panes->store->plan, kp_store_node(panes->store, node)->level) == 0 ? node : KP_NO_NODE;
    }
    return KP_NO_NODE;
}

/* ---- Keys ---- */

/* Rows of a family that is another one now, or of a key that has some already. */
static void load_other(struct panes *panes, const struct shape *shape, uint32_t then, uint32_t node, uint32_t count)
{
    uint32_t near[KP_FAMILIES_MAX] = {0}, under = stood_under(panes, then);
    uint32_t parent = node == KP_NO_NODE ? KP_NO_NODE : kp_store_node(panes->store, node)->parent;
    struct kp_load *load = panes->load;
    int64_t before = INT64_MAX;

    for (uint32_t i = 0; i < count && !load->failed; i++) {
        int64_t start = load_start(shape, load, &before);

        if (load->failed)
            return;
        load_words(shape, load, panes->store->slab, panes->words);
        for (int g = 0; g < shape->ngoals && node != KP_NO_NODE && !load->failed; g++) {
            put_row(panes, shape, &shape->goals[g], node, start, &near[g]);
            if (shape->gauge && parent != KP_NO_NODE && under != parent) {
                move_gauge(panes, &shape->goals[g], node, under, false);
                move_gauge(panes, &shape->goals[g], node, parent, true);
            }
        }
        drop_words(shape, panes->store->slab, panes->words);
    }
}

static void load_list(struct panes *panes, const struct shape *shape, uint32_t then, uint32_t node)
{
    struct kp_store *store = panes->store;
    uint32_t count = kp_load_u16(panes->load), compact_at = count ? kp_load_u16(panes->load) : 0;
    struct kp_list *list;

    if (shape->is_same && node != KP_NO_NODE) {
        const struct kp_plan_family *fam = &store->plan->families[shape->goals[0].family];
        bool stays = !shape->gauge || stood_under(panes, then) == kp_store_node(store, node)->parent;

        list = &kp_store_node(store, node)->lists[shape->goals[0].family - store->plan->dims[fam->dim].first_family];
        if (stays && !list->head) {
            load_same(panes, shape, list, count);
            list->compact_at = (uint16_t)compact_at;
            return;
        }
    }
    load_other(panes, shape, then, node, count);
}

static void load_keys(struct panes *panes)
{
    struct kp_store *store = panes->store;
    struct kp_load *load = panes->load;

    while (!load->failed) {
        uint32_t then = kp_load_u32(load), node = kp_image_node(panes->map, then), dim;

        if (then == KP_NO_NODE || load->failed)
            return;
        dim = kp_load_u8(load);
        if (dim >= KP_DIMS_MAX) {
            kp_load_fail(load, "panes: of a key that stands nowhere");
            return;
        }
        /* Whoever feeds a goal is of its dimension, as its cells' signatures tell; so must be the key. */
        for (int s = panes->first[dim]; s < panes->first[dim + 1] && !load->failed; s++) {
            const struct shape *shape = &panes->shapes[s];
            bool fits = node != KP_NO_NODE && shape->ngoals &&
                        store->plan->families[shape->goals[0].family].dim ==
                            kp_plan_dim_of(store->plan, kp_store_node(store, node)->level);

            load_list(panes, shape, then, fits ? node : KP_NO_NODE);
        }
    }
}

/* What the first load took of panes for a span, and kept events know better: it is to come now. */
static void clear_cell(struct kp_store *store, int f, const struct kp_cell *cell)
{
    const struct kp_plan_dim *dim = &store->plan->dims[store->plan->families[f].dim];
    struct kp_rows *rows = &store->rows[f];

    for (uint32_t node = 0; node < store->made; node++) {
        const struct kp_node_hot *hot = kp_store_node(store, node);

        if (!(hot->flags & KP_NODE_LIVE) || kp_plan_dim_of(store->plan, hot->level) != store->plan->families[f].dim)
            continue;
        for (uint32_t handle = hot->lists[f - dim->first_family].head; handle; handle = kp_rows_at(rows, handle)->next) {
            uint64_t *words = kp_rows_at(rows, handle)->words;

            kp_cell_drop(cell->kind, words + cell->word, store->slab);
            kp_cell_clear(cell, words);
        }
    }
}

static void clear_known_better(struct panes *panes)
{
    const struct kp_plan *plan = panes->store->plan;

    for (int f = 0; f < plan->nfamilies; f++)
        for (int c = 0; c < plan->families[f].ncells && plan->families[f].grids->is_span; c++)
            if (panes->map->fed[f][c])
                clear_cell(panes->store, f, &plan->families[f].cells[c]);
}

void kp_panes_load(struct kp_store *store, struct kp_load *load, struct kp_image_map *map)
{
    struct panes panes = {.store = store, .load = load, .map = map};
    int64_t ahead;

    kp_load_mark(load, "PANE");
    ahead = kp_load_i64(load);
    if (ahead < 0 || ahead > KP_TIME_MAX)
        kp_load_fail(load, "panes: not as kpid writes them");
    if (!load->failed && store->plan->nfamilies)
        panes.newest = store->plan->families[0].grids[0].at_ms + ahead;
    if (!load->failed)
        load_shapes(&panes);
    if (!load->failed)
        match(&panes);
    if (!load->failed && map->had)
        clear_known_better(&panes);
    if (!load->failed)
        load_keys(&panes);
    release(&panes);
}
