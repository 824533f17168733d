#include "read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum kp_code kp_reader_init(struct kp_reader *reader, struct kp_store *store, struct kp_err *err)
{
    const struct kp_plan *plan = store->plan;
    size_t words = 1;

    memset(reader, 0, sizeof *reader);
    for (int f = 0; f < plan->nfamilies; f++)
        if ((size_t)plan->families[f].words > words)
            words = (size_t)plan->families[f].words;
    reader->store = store;
    reader->slab = kp_slab_new(err);
    reader->acc = calloc(words, sizeof *reader->acc);
    reader->numbers = calloc((size_t)plan->npairs + 1, sizeof *reader->numbers);
    reader->operands = calloc((size_t)plan->nkpis + 1, sizeof *reader->operands);
    if (!reader->slab || !reader->acc || !reader->numbers || !reader->operands)
        return kp_fail(err, KP_ENOMEM, "reader: out of memory");
    return KP_OK;
}

void kp_reader_release(struct kp_reader *reader)
{
    kp_slab_destroy(&reader->slab);
    free(reader->acc);
    free(reader->numbers);
    free(reader->operands);
    memset(reader, 0, sizeof *reader);
}

/* ---- From cells to a number ---- */

static const void *pointer(uint64_t word)
{
    return (const void *)(uintptr_t)word;
}

static double mean(kp_i128 sum, int64_t n)
{
    return (double)((long double)sum / KP_MICRO / (long double)n);
}

static struct kp_number lower(const struct kp_plan_kpi *kpi, const uint64_t *w)
{
    struct kp_number out = {.n = (int64_t)w[kpi->count], .has = true};

    switch (kpi->cfg->agg) {
    case KP_AGG_COUNT:
        out.value = (double)out.n;
        return out;
    case KP_AGG_SUM:
        out.value = kp_micro_to_double(kp_cell_sum(w + kpi->sum));
        return out;
    case KP_AGG_DISTINCT:
        out.value = round(kp_distinct_count(pointer(w[kpi->distinct])));
        return out;
    default:
        break;
    }
    out.has = out.n > 0;
    if (!out.has)
        return out;
    switch (kpi->cfg->agg) {
    case KP_AGG_MEAN:
        out.value = mean(kp_cell_sum(w + kpi->sum), out.n);
        break;
    case KP_AGG_MIN:
        out.value = kp_micro_to_double((int64_t)w[kpi->min]);
        break;
    case KP_AGG_MAX:
        out.value = kp_micro_to_double((int64_t)w[kpi->max]);
        break;
    case KP_AGG_STDDEV:
        out.value = kp_square_stddev(w + kpi->square, kp_cell_sum(w + kpi->sum), (uint64_t)out.n);
        break;
    case KP_AGG_LAST:
        out.value = kp_micro_to_double((int64_t)w[kpi->last + 2]);
        break;
    case KP_AGG_QUANTILE:
        out.has = pointer(w[kpi->quant]) != NULL;   /* memory was out when its samples came */
        if (out.has)
            out.value = kp_quant_value(pointer(w[kpi->quant]), kpi->cfg->quantile);
        break;
    case KP_AGG_COUNT:
    case KP_AGG_SUM:
    case KP_AGG_DISTINCT:
    case KP_AGG_FORMULA:
        break;
    }
    return out;
}

static void eval_formula(struct kp_reader *reader, int p)
{
    const struct kp_plan *plan = reader->store->plan;
    const struct kp_plan_pair *pair = &plan->pairs[p];
    const struct kp_formula *formula = plan->kpis[pair->kpi].formula;
    const int *operands;
    size_t n = kp_formula_operands(formula, &operands);

    for (size_t i = 0; i < n; i++)
        reader->operands[operands[i]] = reader->numbers[pair->operands[i]];
    reader->numbers[p] = kp_formula_eval(formula, reader->operands);
}

/* ---- The walk ---- */

/* Which cells are added up, and which KPIs lowered from them. */
struct selection {
    const int *cells;   /* NULL: all of them */
    int ncells;
};

static void add_row(struct kp_reader *reader, const struct kp_plan_family *fam, struct selection sel,
                    const struct kp_row *row)
{
    for (int i = 0; i < sel.ncells; i++) {
        const struct kp_cell *cell = &fam->cells[sel.cells ? sel.cells[i] : i];

        /* When memory is out the reading is short of something, and the next one will have it. */
        (void)!kp_cell_merge(cell->kind, reader->acc + cell->word, row->words + cell->word, reader->slab);
    }
}

static void start(struct kp_reader *reader, const struct kp_plan_family *fam)
{
    memcpy(reader->acc, fam->blank, (size_t)fam->words * sizeof *reader->acc);
}

static void finish(struct kp_reader *reader, const struct kp_plan_family *fam, struct selection sel)
{
    for (int i = 0; i < sel.ncells; i++) {
        const struct kp_cell *cell = &fam->cells[sel.cells ? sel.cells[i] : i];

        kp_cell_drop(cell->kind, reader->acc + cell->word, reader->slab);
    }
}

static const struct kp_row *row_at(const struct kp_rows *rows, uint32_t handle)
{
    return handle ? kp_rows_at(rows, handle) : NULL;
}

/* The newest row that has begun by t: one of the near future waits until its time has come. */
static const struct kp_row *newest(const struct kp_rows *rows, const struct kp_list *list, int64_t t)
{
    const struct kp_row *row = row_at(rows, list->head);

    while (row && row->start > t)
        row = row_at(rows, row->next);
    return row;
}

/* When the list's first row to come begins to count. */
static int64_t next_begins(const struct kp_rows *rows, const struct kp_list *list, int64_t t)
{
    int64_t at = INT64_MAX;

    for (const struct kp_row *row = row_at(rows, list->head); row && row->start > t; row = row_at(rows, row->next))
        at = row->start;
    return at;
}

static void emit(struct kp_reader *reader, const struct kp_plan_family *fam, int window)
{
    const struct kp_plan *plan = reader->store->plan;
    int lo = 0, hi = fam->nemits;

    while (lo < hi) {
        int mid = (lo + hi) / 2;

        if (fam->emits[mid].window < window)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < fam->nemits && fam->emits[lo].window == window; lo++)
        reader->numbers[fam->emits[lo].pair] = lower(&plan->kpis[fam->emits[lo].kpi], reader->acc);
}

static bool is_in(uint32_t windows, int window)
{
    return windows >> window & 1;
}

/* All windows that end at t, shortest first. `changes`: when the oldest pane of one leaves it. */
static void read_open(struct kp_reader *reader, const struct kp_rows *rows, const struct kp_list *list,
                      const struct kp_family *grid, int64_t t, int64_t *changes)
{
    const struct kp_plan_family *fam = rows->family;
    const struct selection all = {NULL, fam->ncells};
    const struct kp_row *row = newest(rows, list, t), *last = NULL;
    int n = grid->nopen;

    while (n && !is_in(fam->asked, grid->order[n - 1]))
        n--;
    start(reader, fam);
    for (int i = 0; i < n; i++) {
        int w = grid->order[i];

        for (; row && row->start >= grid->from[w]; row = row_at(rows, row->next)) {
            add_row(reader, fam, all, row);
            last = row;
        }
        if (last)
            kp_no_later(changes, kp_family_leaves(grid, w, last->start), t);
        emit(reader, fam, w);
    }
    finish(reader, fam, all);
}

/* One window by itself; returns the oldest row in it. */
static const struct kp_row *add_window(struct kp_reader *reader, const struct kp_rows *rows,
                                       const struct kp_list *list, const struct kp_family *grid,
                                       struct selection sel, int w, int64_t t)
{
    const struct kp_row *row = newest(rows, list, t), *last = NULL;

    for (; row && row->start >= grid->from[w]; row = row_at(rows, row->next)) {
        if (row->start >= grid->to[w])
            continue;
        add_row(reader, rows->family, sel, row);
        last = row;
    }
    return last;
}

/* Of the windows that end before t those that are in a set. */
static void read_closed(struct kp_reader *reader, const struct kp_rows *rows, const struct kp_list *list,
                        const struct kp_family *grid, uint32_t windows, int64_t t, int64_t *changes)
{
    const struct kp_plan_family *fam = rows->family;
    const struct selection all = {NULL, fam->ncells};

    for (int i = grid->nopen; i < grid->nwindows; i++) {
        int w = grid->order[i];

        if (!is_in(windows, w))
            continue;
        start(reader, fam);
        add_window(reader, rows, list, grid, all, w, t);
        emit(reader, fam, w);
        finish(reader, fam, all);
        if (list->head)
            kp_no_later(changes, kp_family_leaves(grid, w, t), t);
    }
}

int64_t kp_read_node(struct kp_reader *reader, uint32_t node, int64_t t)
{
    const struct kp_store *store = reader->store;
    const struct kp_plan *plan = store->plan;
    const struct kp_node_hot *hot = kp_store_node(store, node);
    int d = kp_plan_dim_of(plan, hot->level);
    const struct kp_plan_dim *dim = &plan->dims[d];
    int64_t changes = INT64_MAX;

    for (int i = 0; i < dim->nfamilies; i++) {
        const struct kp_rows *rows = &store->rows[dim->first_family + i];

        if (rows->family->grids->is_span)
            continue;       /* a contest's: read by itself */
        read_open(reader, rows, &hot->lists[i], &rows->family->grids[hot->clock], t, &changes);
        read_closed(reader, rows, &hot->lists[i], &rows->family->grids[hot->clock], rows->family->asked, t, &changes);
        kp_no_later(&changes, next_begins(rows, &hot->lists[i], t), t);
    }
    for (int i = 0; i < plan->nformulas; i++) {
        const struct kp_plan_kpi *kpi = &plan->kpis[plan->formula_order[i]];

        for (int p = 0; kpi->dim == d && p < kpi->npairs; p++)
            if (!plan->pairs[kpi->pairs[p]].spare)
                eval_formula(reader, kpi->pairs[p]);
    }
    return changes;
}

void kp_read_closed(struct kp_reader *reader, uint32_t node, int64_t t)
{
    const struct kp_store *store = reader->store;
    const struct kp_plan *plan = store->plan;
    const struct kp_node_hot *hot = kp_store_node(store, node);
    int d = kp_plan_dim_of(plan, hot->level);
    int64_t changes = INT64_MAX;

    for (int i = 0; i < plan->dims[d].nfamilies; i++) {
        const struct kp_rows *rows = &store->rows[plan->dims[d].first_family + i];

        read_closed(reader, rows, &hot->lists[i], &rows->family->grids[hot->clock], rows->family->closed, t, &changes);
    }
    for (int i = 0; i < plan->nformulas; i++) {
        const struct kp_plan_kpi *kpi = &plan->kpis[plan->formula_order[i]];

        for (int p = 0; kpi->dim == d && p < kpi->npairs; p++)
            if (plan->pairs[kpi->pairs[p]].closed)
                eval_formula(reader, kpi->pairs[p]);
    }
}

struct kp_number kp_read_rule(struct kp_reader *reader, const struct kp_plan_rule *rule, uint32_t node, int64_t t,
                              int64_t *changes_at)
{
    const struct kp_store *store = reader->store;
    const struct kp_plan *plan = store->plan;
    const struct kp_node_hot *hot = kp_store_node(store, node);
    const struct kp_plan_dim *dim = &plan->dims[kp_plan_dim_of(plan, hot->level)];

    *changes_at = INT64_MAX;
    for (int i = 0; i < rule->nparts; i++) {
        const struct kp_plan_part *part = &rule->parts[i];
        const struct kp_rows *rows = &store->rows[part->family];
        const struct kp_plan_family *fam = rows->family;
        const struct kp_family *grid = &fam->grids[hot->clock];
        const struct kp_list *list = &hot->lists[part->family - dim->first_family];
        const struct selection sel = {part->cells, part->ncells};
        const struct kp_row *last;

        start(reader, fam);
        last = add_window(reader, rows, list, grid, sel, part->window, t);
        for (int k = 0; k < part->nkpis; k++)
            reader->numbers[part->pairs[k]] = lower(&plan->kpis[part->kpis[k]], reader->acc);
        finish(reader, fam, sel);
        if (last)
            kp_no_later(changes_at, kp_family_leaves(grid, part->window, last->start), t);
        kp_no_later(changes_at, next_begins(rows, list, t), t);
    }
    for (int i = 0; i < rule->nformulas; i++)
        eval_formula(reader, rule->formulas[i]);
    return reader->numbers[rule->pair];
}

/* Can the window be lowered at each of its panes for little more than adding them up? */
static bool is_plain(const struct kp_plan *plan, const struct kp_plan_rule *rule)
{
    enum kp_agg agg = plan->kpis[rule->kpi].cfg->agg;

    return rule->nparts == 1 && agg != KP_AGG_FORMULA && agg != KP_AGG_DISTINCT && rule->cfg->window.kind != KP_WIN_CALENDAR;
}

static int answer_now(const struct kp_reader *reader, const struct kp_plan_rule *rule, kp_answer answer)
{
    const struct kp_plan_kpi *kpi = &reader->store->plan->kpis[rule->kpi];
    struct kp_number number = {.n = (int64_t)reader->acc[kpi->count]};

    if (number.n >= (int64_t)rule->cfg->min_count)
        number = lower(kpi, reader->acc);
    return answer(rule->cfg, number);
}

/* From the newest pane on the walk passes through all that the window will be as the oldest leave it, so the last one that changed
 * the answer is the first whose leaving will. */
struct kp_number kp_read_rule_ahead(struct kp_reader *reader, const struct kp_plan_rule *rule, uint32_t node, int64_t t,
                                    kp_answer answer, int64_t *changes_at)
{
    const struct kp_store *store = reader->store;
    const struct kp_plan *plan = store->plan;
    const struct kp_node_hot *hot = kp_store_node(store, node);
    const struct kp_plan_part *part = rule->parts;
    const struct kp_row *changed = NULL;
    const struct kp_rows *rows;
    const struct kp_list *list;
    const struct kp_family *grid;
    struct selection sel;
    struct kp_number number;
    int was, is;

    if (!is_plain(plan, rule))
        return kp_read_rule(reader, rule, node, t, changes_at);
    rows = &store->rows[part->family];
    grid = &rows->family->grids[hot->clock];
    sel = (struct selection){part->cells, part->ncells};
    list = &hot->lists[part->family - plan->dims[kp_plan_dim_of(plan, hot->level)].first_family];
    start(reader, rows->family);
    was = answer_now(reader, rule, answer);
    for (const struct kp_row *row = newest(rows, list, t); row && row->start >= grid->from[part->window];
         row = row_at(rows, row->next), was = is) {
        add_row(reader, rows->family, sel, row);
        is = answer_now(reader, rule, answer);
        if (is != was)
            changed = row;
    }
    *changes_at = INT64_MAX;
    if (changed)
        kp_no_later(changes_at, kp_family_leaves(grid, part->window, changed->start), t);
    kp_no_later(changes_at, next_begins(rows, list, t), t);
    number = lower(&plan->kpis[rule->kpi], reader->acc);
    finish(reader, rows->family, sel);
    return number;
}

struct kp_number kp_read_span(struct kp_reader *reader, const struct kp_plan_rule *rule, uint32_t node, int64_t from, int64_t to)
{
    const struct kp_store *store = reader->store;
    const struct kp_plan *plan = store->plan;
    const struct kp_node_hot *hot = kp_store_node(store, node);
    const struct kp_plan_dim *dim = &plan->dims[kp_plan_dim_of(plan, hot->level)];

    for (int i = 0; i < rule->nparts; i++) {
        const struct kp_plan_part *part = &rule->parts[i];
        const struct kp_rows *rows = &store->rows[part->family];
        const struct selection sel = {part->cells, part->ncells};
        const struct kp_row *row = row_at(rows, hot->lists[part->family - dim->first_family].head);

        start(reader, rows->family);
        for (; row && row->start >= from; row = row_at(rows, row->next))
            if (row->start < to)
                add_row(reader, rows->family, sel, row);
        for (int k = 0; k < part->nkpis; k++)
            reader->numbers[part->pairs[k]] = lower(&plan->kpis[part->kpis[k]], reader->acc);
        finish(reader, rows->family, sel);
    }
    for (int i = 0; i < rule->nformulas; i++)
        eval_formula(reader, rule->formulas[i]);
    return reader->numbers[rule->pair];
}
