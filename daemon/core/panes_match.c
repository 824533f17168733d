/* Families of then, and which of their cells those of now take. */
#include "panes.h"

#include <stdlib.h>
#include <string.h>

enum { CELLS_MAX = UINT16_MAX, SHIFT_MAX = 400, DAYS_MAX = 20000 };

/* ---- Shapes ---- */

void kp_panes_release(struct kp_panes *panes)
{
    for (int s = 0; panes->shapes && s < panes->nshapes; s++) {
        struct kp_pane_shape *shape = &panes->shapes[s];

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
    return t >= -KP_PANES_OLDEST_DAYS * KP_DAY_MS && t <= KP_TIME_MAX + KP_DAY_MS;
}

static void load_kind(struct kp_load *load, struct kp_family *grids)
{
    uint8_t kind = kp_load_u8(load);

    grids->gauge = kind == KP_PANE_GAUGE;
    grids->is_span = kind == KP_PANE_SPAN;
    if (kind > KP_PANE_SPAN)
        kp_load_fail(load, "panes: not a family as kpid has them");
    if (!grids->is_span)
        return;
    grids->span_from = kp_load_i64(load);
    grids->span_to = kp_load_i64(load);
    if (!is_instant(grids->span_from) || !is_instant(grids->span_to) || grids->span_from >= grids->span_to)
        kp_load_fail(load, "panes: not a span as kpid has them");
}

static void load_grids(struct kp_panes *panes, struct kp_pane_shape *shape)
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
static void refresh_grids(struct kp_panes *panes, struct kp_pane_shape *shape)
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

static void load_cells(struct kp_panes *panes, struct kp_pane_shape *shape)
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

void kp_panes_load_shapes(struct kp_panes *panes)
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
        struct kp_pane_shape *shape = &panes->shapes[panes->nshapes++];

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
static bool knows_span(const struct kp_panes *panes, const struct kp_pane_shape *shape, const struct kp_family *now)
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
static int likeness(const struct kp_panes *panes, const struct kp_pane_shape *shape, const struct kp_family *now)
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

static int find_cell(const struct kp_pane_shape *shape, uint64_t sign)
{
    for (int c = 0; c < shape->ncells; c++)
        if (shape->signs[c] == sign)
            return c;
    return -1;
}

/* The family of then that has a cell like that and is most like the family of now; NULL: none has. */
static struct kp_pane_shape *best_shape(struct kp_panes *panes, int family, uint64_t sign, uint8_t kind, int *cell)
{
    const struct kp_plan *plan = panes->store->plan;
    const struct kp_family *now = plan->families[family].grids;
    int dim = plan->families[family].dim;
    struct kp_pane_shape *best = NULL;
    int most = -1;

    for (int s = 0; s < panes->nshapes; s++) {
        struct kp_pane_shape *shape = &panes->shapes[s];
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

static struct kp_pane_goal *goal_of(struct kp_panes *panes, struct kp_pane_shape *shape, int family)
{
    const struct kp_plan *plan = panes->store->plan;
    struct kp_pane_goal *goal = shape->ngoals ? &shape->goals[shape->ngoals - 1] : NULL;

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
static bool stays(const struct kp_panes *panes, int f, const struct kp_cell *cell)
{
    const struct kp_family *now = panes->store->plan->families[f].grids;

    return now->is_span && panes->map->kept_from > now->span_from && has_any(panes->store, f, cell);
}

/* Somebody else knows better than these panes what came in a span. */
static bool is_known_better(const struct kp_panes *panes, const struct kp_pane_shape *shape, int f, const struct kp_cell *cell, bool *by_entities)
{
    const struct kp_plan *plan = panes->store->plan;
    const struct kp_family *now = plan->families[f].grids;

    *by_entities = false;
    if (!now->is_span || knows_span(panes, shape, now))
        return false;
    *by_entities = kp_plan_outlet_of(cell->filter) >= 0 && !kp_family_is_final(now);
    return *by_entities || plan->config->storage.keep_ms > 0;
}

static void match_family(struct kp_panes *panes, int f)
{
    const struct kp_plan *plan = panes->store->plan;
    const struct kp_plan_family *fam = &plan->families[f];

    for (int c = 0; c < fam->ncells; c++) {
        const struct kp_cell *cell = &fam->cells[c];
        int then = 0;
        bool had = panes->map->had && (panes->map->had[f][c] || stays(panes, f, cell));
        struct kp_pane_shape *shape = had ? NULL : best_shape(panes, f, kp_sign_cell(plan, fam->dim, cell), cell->kind, &then);
        bool by_entities = false, better = shape && is_known_better(panes, shape, f, cell, &by_entities);
        struct kp_pane_goal *goal = shape && !by_entities ? goal_of(panes, shape, f) : NULL;

        panes->map->fed[f][c] = goal && !better;
        if (goal)
            goal->feeds[goal->nfeeds++] = (struct kp_pane_feed){cell->kind, shape->cells[then].word, cell->word};
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

static bool is_same(const struct kp_panes *panes, const struct kp_pane_shape *shape)
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
static bool take_fed(struct kp_panes *panes)
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

void kp_panes_match(struct kp_panes *panes)
{
    if (!take_fed(panes))
        kp_load_fail(panes->load, "out of memory for panes");
    for (int f = 0; f < panes->store->plan->nfamilies && !panes->load->failed; f++)
        match_family(panes, f);
    for (int s = 0; s < panes->nshapes; s++)
        panes->shapes[s].is_same = is_same(panes, &panes->shapes[s]);
}
