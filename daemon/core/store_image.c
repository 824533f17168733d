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
#include "panes.h"

#include <stdlib.h>
#include <string.h>

/* ---- Saving ---- */

static void save_shape(const struct kp_plan *plan, const struct kp_plan_family *fam, struct kp_save *save)
{
    const struct kp_family *grids = &fam->grids[0];

    kp_save_u8(save, (uint8_t)fam->dim);
    kp_save_u8(save, grids->is_span ? KP_PANE_SPAN : grids->gauge ? KP_PANE_GAUGE : KP_PANE_WINDOWS);
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
/* ---- Rows ---- */

static void load_words(const struct kp_pane_shape *shape, struct kp_load *load, struct kp_slab *slab, uint64_t *words)
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

static void drop_words(const struct kp_pane_shape *shape, struct kp_slab *slab, uint64_t *words)
{
    for (int c = 0; c < shape->ncells; c++)
        kp_cell_drop(shape->cells[c].kind, words + shape->cells[c].word, slab);
}

/* Starts fall from row to row; *before is that of the row before. */
static int64_t load_start(const struct kp_pane_shape *shape, struct kp_load *load, int64_t *before)
{
    int64_t start = kp_load_i64(load), oldest = -KP_PANES_OLDEST_DAYS * KP_DAY_MS;

    if (!load->failed && (start >= *before || (shape->gauge ? start != INT64_MIN : start < oldest || start > KP_TIME_MAX)))
        kp_load_fail(load, "panes: rows out of order");
    *before = start;
    return start;
}

/* As they are, into a list that is empty. */
static void load_same(struct kp_panes *panes, const struct kp_pane_shape *shape, struct kp_list *list, uint32_t count)
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
static bool reaches_over(const struct kp_pane_goal *goal, const struct kp_family *now, int64_t start, int64_t to)
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

static void merge(const struct kp_pane_goal *goal, struct kp_rows *rows, struct kp_row *into, const uint64_t *words)
{
    for (int i = 0; i < goal->nfeeds; i++)
        if (!kp_cell_merge(goal->feeds[i].kind, into->words + goal->feeds[i].to, words + goal->feeds[i].from, rows->slab))
            rows->missed++;
}

/* The words of a row, added to the row of a key in which the begin of its pane lies: late events may be before its own. */
static void put_row(struct kp_panes *panes, const struct kp_pane_shape *shape, const struct kp_pane_goal *goal, uint32_t node, int64_t start,
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
static void move_gauge(struct kp_panes *panes, const struct kp_pane_goal *goal, uint32_t node, uint32_t under, bool add)
{
    struct kp_store *store = panes->store;
    const struct kp_plan_family *fam = &store->plan->families[goal->family];
    struct kp_rows *rows = &store->rows[goal->family];

    for (uint32_t at = under; at != KP_NO_NODE; at = kp_store_node(store, at)->parent) {
        struct kp_node_hot *hot = kp_store_node(store, at);
        struct kp_list *list = &hot->lists[goal->family - store->plan->dims[fam->dim].first_family];
        struct kp_row *row = at == node ? NULL : kp_list_row(rows, list, hot->clock, 0);

        for (int i = 0; row && i < goal->nfeeds; i++) {
            const struct kp_pane_feed *feed = &goal->feeds[i];

            if (!(add ? kp_cell_merge : kp_cell_take)(feed->kind, row->words + feed->to, panes->words + feed->from, rows->slab))
                rows->missed++;
        }
    }
}

/* What a key of the roster stood under then, of what is still there. */
static uint32_t stood_under(const struct kp_panes *panes, uint32_t then)
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
static void load_other(struct kp_panes *panes, const struct kp_pane_shape *shape, uint32_t then, uint32_t node, uint32_t count)
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

static void load_list(struct kp_panes *panes, const struct kp_pane_shape *shape, uint32_t then, uint32_t node)
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

static void load_keys(struct kp_panes *panes)
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
            const struct kp_pane_shape *shape = &panes->shapes[s];
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

static void clear_known_better(struct kp_panes *panes)
{
    const struct kp_plan *plan = panes->store->plan;

    for (int f = 0; f < plan->nfamilies; f++)
        for (int c = 0; c < plan->families[f].ncells && plan->families[f].grids->is_span; c++)
            if (panes->map->fed[f][c])
                clear_cell(panes->store, f, &plan->families[f].cells[c]);
}

void kp_panes_load(struct kp_store *store, struct kp_load *load, struct kp_image_map *map)
{
    struct kp_panes panes = {.store = store, .load = load, .map = map};
    int64_t ahead;

    kp_load_mark(load, "PANE");
    ahead = kp_load_i64(load);
    if (ahead < 0 || ahead > KP_TIME_MAX)
        kp_load_fail(load, "panes: not as kpid writes them");
    if (!load->failed && store->plan->nfamilies)
        panes.newest = store->plan->families[0].grids[0].at_ms + ahead;
    if (!load->failed)
        kp_panes_load_shapes(&panes);
    if (!load->failed)
        kp_panes_match(&panes);
    if (!load->failed && map->had)
        clear_known_better(&panes);
    if (!load->failed)
        load_keys(&panes);
    kp_panes_release(&panes);
}
