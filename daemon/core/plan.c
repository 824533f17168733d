#include "plan_build.h"

#include "kpid/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Small steps that may fail for want of memory ---- */

void *kp_plan_grow(void *array, int count, size_t size)
{
    void **at = array;
    void *grown = realloc(*at, ((size_t)count + 1) * size);

    if (!grown)
        return NULL;
    *at = grown;
    memset((char *)grown + (size_t)count * size, 0, size);
    return (char *)grown + (size_t)count * size;
}

bool kp_plan_push(int **list, int *count, int value)
{
    int *at = kp_plan_grow(list, *count, sizeof **list);

    if (!at)
        return false;
    *at = value;
    ++*count;
    return true;
}

enum kp_code kp_plan_no_memory(struct kp_err *err)
{
    return kp_fail(err, KP_ENOMEM, "plan: out of memory");
}

enum kp_code kp_plan_too_many_names(const struct kp_kpi_cfg *cfg, struct kp_err *err)
{
    return kp_fail(err, KP_ELIMIT, "kpis.%s: over %d names of fields, in all", cfg->name, KP_SLOTS_MAX);
}

enum kp_code kp_plan_too_many_tested(const struct kp_kpi_cfg *cfg, struct kp_err *err)
{
    return kp_fail(err, KP_ELIMIT, "kpis.%s: over %d fields tested, or %d names of fields, in all", cfg->name,
                   KP_FILTER_FIELDS_MAX, KP_SLOTS_MAX);
}

/* ---- Levels, dimensions ---- */

const char *kp_plan_level_name(const struct kp_plan *plan, int level)
{
    if (level == 0)
        return "company";
    if (level <= plan->nlevels)
        return plan->config->roster.levels[level - 1];
    return plan->dims[level - plan->nlevels].level;
}

int kp_plan_find_level(const struct kp_plan *plan, const char *name, size_t len)
{
    for (int i = 0; i < plan->nlevel_ids; i++) {
        const char *known = kp_plan_level_name(plan, i);

        if (strlen(known) == len && memcmp(known, name, len) == 0)
            return i;
    }
    return -1;
}

int kp_plan_find_kpi(const struct kp_plan *plan, const char *name, size_t len)
{
    for (int i = 0; i < plan->nkpis; i++) {
        const char *known = plan->kpis[i].cfg->name;

        if (strlen(known) == len && memcmp(known, name, len) == 0)
            return i;
    }
    return -1;
}

/* "@client", or "@client,product". */
static char *level_of_by(const struct kp_kpi_cfg *cfg)
{
    size_t len = 2;
    char *text, *at;

    for (size_t i = 0; i < cfg->nby; i++)
        len += strlen(cfg->by[i]) + 1;
    text = malloc(len);
    if (!text)
        return NULL;
    at = text;
    for (size_t i = 0; i < cfg->nby; i++) {
        *at++ = i ? ',' : '@';
        at = stpcpy(at, cfg->by[i]);
    }
    return text;
}

static int dim_of(struct kp_plan *plan, const struct kp_kpi_cfg *cfg, struct kp_err *err)
{
    struct kp_plan_dim *dim;
    char *level;

    if (cfg->nby == 0)
        return 0;
    level = level_of_by(cfg);
    if (!level) {
        kp_plan_no_memory(err);
        return -1;
    }
    for (int i = 1; i < plan->ndims; i++) {
        if (strcmp(plan->dims[i].level, level) == 0) {
            free(level);
            return i;
        }
    }
    if (plan->ndims == KP_DIMS_MAX || cfg->nby > KP_BY_MAX) {
        free(level);
        kp_fail(err, KP_ELIMIT, "kpis.%s.by: over %d different groupings, in all", cfg->name, KP_DIMS_MAX - 1);
        return -1;
    }
    dim = &plan->dims[plan->ndims];
    dim->level = level;
    for (size_t i = 0; i < cfg->nby; i++) {
        dim->slots[i] = kp_schema_add(plan->schema, cfg->by[i], false);
        if (dim->slots[i] < 0) {
            free(level);
            dim->level = NULL;
            kp_plan_too_many_names(cfg, err);
            return -1;
        }
    }
    dim->nslots = (int)cfg->nby;
    return plan->ndims++;
}

enum kp_code kp_plan_add_levels(struct kp_plan *plan, struct kp_err *err)
{
    const struct kp_roster_cfg *roster = &plan->config->roster;

    plan->nlevels = (int)roster->nlevels;
    for (int i = 0; i < plan->nlevels; i++) {
        bool last = i == plan->nlevels - 1;

        plan->level_slots[i] = last ? KP_SLOT_REP : kp_schema_add(plan->schema, roster->levels[i], true);
        if (plan->level_slots[i] < 0)
            return kp_fail(err, KP_ELIMIT, "roster.levels: too many field names");
    }
    return KP_OK;
}

/* ---- KPIs ---- */

int kp_plan_value(struct kp_plan *plan, const struct kp_kpi_cfg *cfg, const char *field, bool numeric, struct kp_err *err)
{
    struct kp_plan_value *value;
    int slot = kp_schema_add(plan->schema, field, false), i;

    if (slot < 0) {
        kp_plan_too_many_names(cfg, err);
        return -1;
    }
    for (i = 0; i < plan->nvalues; i++)
        if (plan->values[i].slot == slot && plan->values[i].numeric == numeric)
            break;
    if (i == plan->nvalues) {
        value = kp_plan_grow(&plan->values, plan->nvalues, sizeof *value);
        if (!value) {
            kp_plan_no_memory(err);
            return -1;
        }
        plan->nvalues++;
        value->slot = slot;
        value->numeric = numeric;
    }
    plan->values[i].binned |= cfg->agg == KP_AGG_QUANTILE;
    plan->values[i].hashed |= cfg->agg == KP_AGG_DISTINCT;
    return i;
}

static int resolve_kpi(void *ctx, const char *name, size_t len)
{
    return kp_plan_find_kpi(ctx, name, len);
}

enum kp_code kp_plan_add_kpi(struct kp_plan *plan, int k, struct kp_err *err)
{
    struct kp_plan_kpi *kpi = &plan->kpis[k];
    const struct kp_kpi_cfg *cfg = kpi->cfg;
    size_t at;

    kpi->family = kpi->filter = kpi->value = kpi->since = -1;
    kpi->count = kpi->sum = kpi->min = kpi->max = kpi->square = kpi->last = kpi->quant = kpi->distinct = -1;
    kpi->feeds = calloc((size_t)plan->nkpis, sizeof *kpi->feeds);
    if (!kpi->feeds)
        return kp_plan_no_memory(err);
    kpi->feeds[k] = true;
    if (kpi->span)
        return kp_plan_copy_kpi(plan, k, err);
    kpi->dim = dim_of(plan, cfg, err);
    if (kpi->dim < 0)
        return KP_ELIMIT;
    if (cfg->agg == KP_AGG_FORMULA) {
        kpi->formula = kp_formula_parse(cfg->formula, resolve_kpi, plan, &at, err);
        return kpi->formula ? KP_OK : KP_EINVAL;
    }
    if (kp_plan_is_tracked(cfg))
        return kp_plan_track(plan, k, err);
    kpi->filter = kp_filters_add(plan->filters, plan->schema, &cfg->where);
    if (kpi->filter < 0)
        return kp_plan_too_many_tested(cfg, err);
    if (cfg->of) {
        kpi->value = kp_plan_value(plan, cfg, cfg->of, cfg->agg != KP_AGG_COUNT && cfg->agg != KP_AGG_DISTINCT, err);
        if (kpi->value < 0)
            return KP_ELIMIT;
    }
    return KP_OK;
}

/* Depth first; the loader has refused cycles, and a cycle that came another way is refused here. */
static enum kp_code order_formula(struct kp_plan *plan, int k, char *mark, struct kp_err *err)
{
    struct kp_plan_kpi *kpi = &plan->kpis[k];
    const int *operands;
    size_t n;

    if (!kpi->formula || mark[k] == 2)
        return KP_OK;
    if (mark[k] == 1)
        return kp_fail(err, KP_EINVAL, "kpis.%s.formula: depends on itself", kpi->cfg->name);
    mark[k] = 1;
    n = kp_formula_operands(kpi->formula, &operands);
    for (size_t i = 0; i < n; i++) {
        enum kp_code code = order_formula(plan, operands[i], mark, err);

        if (code)
            return code;
        if (plan->kpis[operands[i]].dim != kpi->dim)
            return kp_fail(err, KP_EINVAL, "kpis.%s.formula: %s is grouped otherwise", kpi->cfg->name,
                           plan->kpis[operands[i]].cfg->name);
    }
    mark[k] = 2;
    return kp_plan_push(&plan->formula_order, &plan->nformulas, k) ? KP_OK : kp_plan_no_memory(err);
}

static enum kp_code order_formulas(struct kp_plan *plan, struct kp_err *err)
{
    char *mark = calloc((size_t)plan->nkpis + 1, 1);
    enum kp_code code = mark ? KP_OK : kp_plan_no_memory(err);

    for (int k = 0; k < plan->nkpis && !code; k++)
        code = order_formula(plan, k, mark, err);
    free(mark);
    if (code)
        return code;
    /* In reverse: what feeds a formula feeds all that the formula feeds. */
    for (int f = plan->nformulas - 1; f >= 0; f--) {
        const struct kp_plan_kpi *kpi = &plan->kpis[plan->formula_order[f]];
        const int *operands;
        size_t n = kp_formula_operands(kpi->formula, &operands);

        for (size_t i = 0; i < n; i++)
            for (int k = 0; k < plan->nkpis; k++)
                plan->kpis[operands[i]].feeds[k] |= kpi->feeds[k];
    }
    return KP_OK;
}

/* ---- Pairs: a KPI in a window ---- */

int kp_plan_find_pair(const struct kp_plan *plan, int k, const char *text)
{
    const struct kp_plan_kpi *kpi = &plan->kpis[k];

    for (int i = 0; i < kpi->npairs; i++)
        if (strcmp(plan->pairs[kpi->pairs[i]].window->text, text) == 0)
            return kpi->pairs[i];
    return -1;
}

/* The pair of a KPI and a window; its operands get theirs. -1: out of memory. */
int kp_plan_add_pair(struct kp_plan *plan, int k, const struct kp_window *window, bool shown)
{
    struct kp_plan_kpi *kpi = &plan->kpis[k];
    int p = kp_plan_find_pair(plan, k, window->text), *mine;
    struct kp_plan_pair *pair;
    const int *operands;
    size_t n;

    if (p >= 0) {
        plan->pairs[p].shown |= shown;
        return p;
    }
    pair = kp_plan_grow(&plan->pairs, plan->npairs, sizeof *pair);
    if (!pair)
        return -1;
    p = plan->npairs++;
    *pair = (struct kp_plan_pair){.kpi = k, .window = window, .family_window = -1, .shown = shown, .target = -1};
    if (!kp_plan_push(&kpi->pairs, &kpi->npairs, p))
        return -1;
    if (!kpi->formula)
        return p;
    n = kp_formula_operands(kpi->formula, &operands);
    mine = calloc(n + 1, sizeof *mine);
    if (!mine)
        return -1;
    plan->pairs[p].operands = mine;
    for (size_t i = 0; i < n; i++) {
        mine[i] = kp_plan_add_pair(plan, operands[i], window, false);
        if (mine[i] < 0)
            return -1;
    }
    return p;
}

/* "day-1" of "day". NULL: it is no period that runs. */
static const struct kp_window *period_before(struct kp_plan *plan, const struct kp_window *window)
{
    struct kp_window *before;
    char text[KP_WINDOW_TEXT];

    if (window->kind != KP_WIN_CALENDAR || window->back)
        return NULL;
    snprintf(text, sizeof text, "%.20s-1", window->text);
    for (int i = 0; i < plan->nclosed; i++)
        if (strcmp(plan->closed[i].text, text) == 0)
            return &plan->closed[i];
    before = &plan->closed[plan->nclosed++];
    *before = *window;
    before->back = 1;
    snprintf(before->text, sizeof before->text, "%s", text);
    return before;
}

/* A history has what a period came to, with what came late: so its panes stay for one more. */
static bool add_closed_of(struct kp_plan *plan, int k)
{
    const struct kp_kpi_cfg *cfg = plan->kpis[k].cfg;

    for (size_t i = 0; i < cfg->nwindows; i++) {
        const struct kp_window *before = period_before(plan, &cfg->windows[i]);
        int known = plan->npairs, p = before ? kp_plan_add_pair(plan, k, before, false) : -1;

        if (before && p < 0)
            return false;
        if (p >= 0)
            plan->pairs[p].kept = true;
        for (; known < plan->npairs; known++)
            plan->pairs[known].spare = true;
    }
    return true;
}

static bool add_closed(struct kp_plan *plan)
{
    const struct kp_storage_cfg *storage = &plan->config->storage;

    plan->closed = calloc(KP_PER_YEAR + 2, sizeof *plan->closed);   /* one for each kind of period, at most */
    if (!plan->closed)
        return false;
    for (int k = 0; k < plan->nkpis && storage->path && storage->history_ms && storage->samples_ms; k++)
        if (!plan->kpis[k].is_now && !plan->kpis[k].span && !add_closed_of(plan, k))
            return false;
    for (int p = 0; p < plan->npairs; p++)
        for (int i = 0; i < plan->nclosed; i++)
            plan->pairs[p].closed |= strcmp(plan->closed[i].text, plan->pairs[p].window->text) == 0;
    return true;
}

/* What is so now belongs to no window. */
static bool is_gauge(const struct kp_plan_kpi *kpi)
{
    const struct kp_of_cfg *of = &kpi->cfg->of_more;

    return of->kind == KP_OF_OPEN || (of->kind == KP_OF_FUNNEL && of->part == KP_FUNNEL_OPEN);
}

/* Operands come before the formulas over them. */
static void find_natures(struct kp_plan *plan)
{
    for (int k = 0; k < plan->nkpis; k++) {
        struct kp_plan_kpi *kpi = &plan->kpis[k];

        kpi->is_now = is_gauge(kpi);
        kpi->may_fall = kpi->cfg->of_more.kind != KP_OF_EVENT || kpi->cfg->once.per;
    }
    for (int i = 0; i < plan->nformulas; i++) {
        struct kp_plan_kpi *kpi = &plan->kpis[plan->formula_order[i]];
        const int *operands;
        size_t n = kp_formula_operands(kpi->formula, &operands);

        for (size_t o = 0; o < n; o++) {
            kpi->is_now |= plan->kpis[operands[o]].is_now;
            kpi->may_fall |= plan->kpis[operands[o]].may_fall;
        }
    }
}

enum kp_code kp_plan_add_pairs(struct kp_plan *plan, struct kp_err *err)
{
    plan->spare = calloc(2 * plan->config->nalerts + 1, sizeof *plan->spare);
    if (!plan->spare)
        return kp_plan_no_memory(err);
    for (int k = 0; k < plan->nkpis; k++) {
        const struct kp_kpi_cfg *cfg = plan->kpis[k].cfg;

        for (size_t i = 0; i < cfg->nwindows && !plan->kpis[k].span; i++)
            if (kp_plan_add_pair(plan, k, &cfg->windows[i], true) < 0)
                return kp_plan_no_memory(err);
    }
    for (size_t i = 0; i < plan->config->nalerts; i++) {
        const struct kp_alert_cfg *cfg = &plan->config->alerts[i];
        int k = kp_plan_find_kpi(plan, cfg->kpi, strlen(cfg->kpi));

        if (k < 0 || kp_is_lapse(cfg))
            continue;
        if (kp_plan_add_pair(plan, k, &cfg->window, false) < 0 || (cfg->compare == KP_CMP_BASELINE && !kp_plan_add_spare(plan, k, cfg)))
            return kp_plan_no_memory(err);
    }
    find_natures(plan);
    return kp_plan_add_span_pairs(plan) && add_closed(plan) ? KP_OK : kp_plan_no_memory(err);
}

/* ---- Families ---- */

static enum kp_code too_many_windows(const struct kp_plan_kpi *kpi, struct kp_err *err)
{
    return kp_fail(err, KP_ELIMIT, "kpis.%s.windows: over %d windows, or %d lengths of panes, share panes",
                   kpi->cfg->name, KP_FAMILY_WINDOWS_MAX, KP_GRIDS_MAX);
}

enum kp_code kp_plan_find_family(struct kp_plan *plan, struct kp_plan_kpi *kpi, struct kp_err *err)
{
    struct kp_family own = {.zone = plan->clocks[0].zone, .week_start = plan->config->week_start, .gauge = kpi->is_now};
    struct kp_plan_family *fam;
    int f;

    for (int i = 0; i < kpi->npairs; i++)
        if (kp_family_add(&own, plan->pairs[kpi->pairs[i]].window) < 0)
            return too_many_windows(kpi, err);
    for (f = 0; f < plan->nfamilies; f++)
        if (plan->families[f].dim == kpi->dim && kp_family_same_grids(plan->families[f].grids, &own))
            break;
    if (f == plan->nfamilies) {
        if (f == KP_FAMILIES_MAX)
            return kp_fail(err, KP_ELIMIT, "kpis.%s.windows: over %d different sets of windows%s, in all", kpi->cfg->name,
                           KP_FAMILIES_MAX, kpi->span ? " and times of contests" : "");
        fam = kp_plan_grow(&plan->families, f, sizeof *fam);
        if (!fam)
            return kp_plan_no_memory(err);
        plan->nfamilies++;
        fam->dim = kpi->dim;
        fam->grids = malloc(sizeof *fam->grids);
        if (!fam->grids)
            return kp_plan_no_memory(err);
        *fam->grids = own;
    }
    fam = &plan->families[f];
    kpi->family = f;
    for (int i = 0; i < kpi->npairs; i++) {
        struct kp_plan_pair *pair = &plan->pairs[kpi->pairs[i]];

        pair->family_window = kp_family_add(fam->grids, pair->window);
        if (pair->family_window < 0)
            return too_many_windows(kpi, err);
    }
    return KP_OK;
}

/* Families of a dimension must be neighbours, since a node holds the lists of its own only. */
static int by_dim(const void *a, const void *b)
{
    const struct kp_plan_family *x = a, *y = b;

    return x->dim - y->dim;
}

static enum kp_code add_families(struct kp_plan *plan, struct kp_err *err)
{
    enum kp_code code;

    for (int dim = 0; dim < plan->ndims; dim++) {
        plan->dims[dim].first_family = plan->nfamilies;
        for (int k = 0; k < plan->nkpis; k++) {
            if (plan->kpis[k].dim != dim || plan->kpis[k].formula)
                continue;
            code = kp_plan_find_family(plan, &plan->kpis[k], err);
            if (code)
                return code;
        }
        plan->dims[dim].nfamilies = plan->nfamilies - plan->dims[dim].first_family;
    }
    if (plan->nfamilies)
        qsort(plan->families, (size_t)plan->nfamilies, sizeof *plan->families, by_dim);
    return KP_OK;
}

/* ---- Cells ---- */

/* The word of a cell in its family's row, shared with every KPI that needs the same. -1: no memory. -2: too many. */
static int add_cell(struct kp_plan *plan, const struct kp_plan_kpi *kpi, enum kp_cell_kind kind)
{
    struct kp_plan_family *fam = &plan->families[kpi->family];
    struct kp_cell *cell;

    for (int i = 0; i < fam->ncells; i++) {
        cell = &fam->cells[i];
        if (cell->kind == kind && cell->filter == kpi->filter && cell->value == kpi->value)
            return cell->word;
    }
    if (fam->words + kp_cell_words(kind) > UINT16_MAX)
        return -2;
    cell = kp_plan_grow(&fam->cells, fam->ncells, sizeof *cell);
    if (!cell)
        return -1;
    fam->ncells++;
    *cell = (struct kp_cell){.kind = (uint8_t)kind, .word = (uint16_t)fam->words, .filter = kpi->filter,
                             .value = kpi->value};
    fam->words += kp_cell_words(kind);
    return cell->word;
}

static enum kp_code add_cells_of(struct kp_plan *plan, struct kp_plan_kpi *kpi, struct kp_err *err)
{
    enum kp_agg agg = kpi->cfg->agg;
    const struct {
        bool wanted;
        enum kp_cell_kind kind;
        int *word;
    } cells[] = {
        {true, KP_CELL_COUNT, &kpi->count},
        {agg == KP_AGG_SUM || agg == KP_AGG_MEAN || agg == KP_AGG_STDDEV, KP_CELL_SUM, &kpi->sum},
        {agg == KP_AGG_MIN, KP_CELL_MIN, &kpi->min},
        {agg == KP_AGG_MAX, KP_CELL_MAX, &kpi->max},
        {agg == KP_AGG_STDDEV, KP_CELL_SQUARE, &kpi->square},
        {agg == KP_AGG_LAST, KP_CELL_LAST, &kpi->last},
        {agg == KP_AGG_QUANTILE, KP_CELL_QUANT, &kpi->quant},
        {agg == KP_AGG_DISTINCT, KP_CELL_DISTINCT, &kpi->distinct},
    };

    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        if (!cells[i].wanted)
            continue;
        *cells[i].word = add_cell(plan, kpi, cells[i].kind);
        if (*cells[i].word == -1)
            return kp_plan_no_memory(err);
        if (*cells[i].word < 0)
            return kp_fail(err, KP_ELIMIT, "kpis.%s: too many KPIs share its windows", kpi->cfg->name);
    }
    return KP_OK;
}

/* What a pair is lowered from, and when its window is read. */
static bool add_emit(struct kp_plan *plan, int k, int p)
{
    struct kp_plan_family *fam = &plan->families[plan->kpis[k].family];
    const struct kp_plan_pair *pair = &plan->pairs[p];
    uint32_t window = UINT32_C(1) << pair->family_window;
    struct kp_plan_emit *emit;

    fam->asked |= pair->spare ? 0 : window;
    fam->closed |= pair->closed ? window : 0;
    if (pair->spare && !pair->closed)
        return true;
    emit = kp_plan_grow(&fam->emits, fam->nemits, sizeof *emit);
    if (!emit)
        return false;
    *emit = (struct kp_plan_emit){.window = pair->family_window, .kpi = k, .pair = p};
    fam->nemits++;
    return true;
}

static int by_window(const void *a, const void *b)
{
    const struct kp_plan_emit *x = a, *y = b;

    return x->window != y->window ? x->window - y->window : x->pair - y->pair;
}

static enum kp_code add_cells(struct kp_plan *plan, struct kp_err *err)
{
    for (int k = 0; k < plan->nkpis; k++) {
        struct kp_plan_kpi *kpi = &plan->kpis[k];
        enum kp_code code = kpi->formula ? KP_OK : add_cells_of(plan, kpi, err);

        if (code)
            return code;
        for (int i = 0; i < kpi->npairs && !kpi->formula; i++)
            if (!add_emit(plan, k, kpi->pairs[i]))
                return kp_plan_no_memory(err);
    }
    for (int f = 0; f < plan->nfamilies; f++) {
        struct kp_plan_family *fam = &plan->families[f];

        fam->blank = calloc((size_t)fam->words, sizeof *fam->blank);
        if (!fam->blank)
            return kp_plan_no_memory(err);
        for (int c = 0; c < fam->ncells; c++)
            kp_cell_clear(&fam->cells[c], fam->blank);
        if (fam->nemits)        /* a span has none */
            qsort(fam->emits, (size_t)fam->nemits, sizeof *fam->emits, by_window);
    }
    return KP_OK;
}

/* ---- The whole ---- */

static enum kp_code compile(struct kp_plan *plan, struct kp_err *err)
{
    const struct kp_config *config = plan->config;
    enum kp_code code;

    plan->schema = kp_schema_new(err);
    plan->filters = kp_filters_new(err);
    plan->kpis = calloc(config->nkpis + 1, sizeof *plan->kpis);
    if (!plan->schema || !plan->filters || !plan->kpis)
        return kp_plan_no_memory(err);
    if (config->currencies.base) {
        plan->money = kp_money_new(&config->currencies, plan->schema, err);
        if (!plan->money)
            return KP_ELIMIT;
    }
    plan->ndims = 1;
    code = kp_plan_add_levels(plan, err);
    for (size_t k = 0; k < config->nkpis; k++)
        plan->kpis[k].cfg = &config->kpis[k];
    plan->nkpis = (int)config->nkpis;
    code = code ? code : kp_plan_add_spans(plan, err);
    for (int k = 0; k < plan->nkpis && !code; k++)
        code = kp_plan_add_kpi(plan, k, err);
    plan->nlevel_ids = plan->nlevels + plan->ndims;
    code = code ? code : kp_filters_seal(plan->filters, err);
    code = code ? code : order_formulas(plan, err);
    code = code ? code : kp_plan_add_pairs(plan, err);
    code = code ? code : kp_plan_clocks(plan, err);
    code = code ? code : add_families(plan, err);
    code = code ? code : kp_plan_spread_clocks(plan, err);
    code = code ? code : add_cells(plan, err);
    code = code ? code : kp_plan_rules(plan, err);
    code = code ? code : kp_plan_contests(plan, err);
    return code ? code : kp_plan_outlets(plan, err);
}

struct kp_plan *kp_plan_new(const struct kp_config *config, struct kp_err *err)
{
    struct kp_plan *plan = calloc(1, sizeof *plan);

    if (!plan) {
        kp_plan_no_memory(err);
        return NULL;
    }
    plan->config = config;
    if (compile(plan, err))
        kp_plan_destroy(&plan);
    return plan;
}

static void release_kpis(struct kp_plan *plan)
{
    for (int k = 0; plan->kpis && k < plan->nkpis; k++) {
        kp_formula_destroy(&plan->kpis[k].formula);
        free(plan->kpis[k].pairs);
        free(plan->kpis[k].feeds);
    }
    for (int p = 0; p < plan->npairs; p++)
        free(plan->pairs[p].operands);
    free(plan->kpis);
    free(plan->pairs);
    free(plan->formula_order);
    free(plan->spare);
    free(plan->closed);
}

void kp_plan_destroy(struct kp_plan **plan)
{
    struct kp_plan *p = *plan;

    if (!p)
        return;
    release_kpis(p);
    kp_plan_release_tracks(p);
    kp_plan_release_rules(p);
    kp_plan_release_contests(p);
    for (int f = 0; f < p->nfamilies; f++) {
        free(p->families[f].cells);
        free(p->families[f].blank);
        free(p->families[f].emits);
        free(p->families[f].grids);
    }
    for (int d = 0; d < p->ndims; d++)
        free(p->dims[d].level);
    free(p->families);
    free(p->values);
    kp_filters_destroy(&p->filters);
    kp_money_destroy(&p->money);
    kp_schema_destroy(&p->schema);
    for (size_t i = 0; p->calendars && i < p->config->ncalendars; i++)
        kp_calendar_destroy(&p->calendars[i]);
    free(p->calendars);
    for (int c = 0; c < p->nclocks; c++)
        kp_zone_destroy(&p->clocks[c].zone);
    free(p->clocks);
    free(p->calendar_clocks);
    free(p);
    *plan = NULL;
}

void kp_plan_at(struct kp_plan *plan, int64_t t)
{
    if (t < plan->until_ms)
        return;
    plan->until_ms = INT64_MAX;
    for (int f = 0; f < plan->nfamilies; f++) {
        for (int c = 0; c < plan->nclocks; c++) {
            struct kp_family *grid = &plan->families[f].grids[c];

            kp_family_at(grid, t);
            if (grid->until_ms < plan->until_ms)
                plan->until_ms = grid->until_ms;
        }
    }
}

int64_t kp_plan_keep_from(const struct kp_plan *plan)
{
    int64_t keep = INT64_MAX;

    for (int f = 0; f < plan->nfamilies; f++)
        for (int c = 0; c < plan->nclocks && !plan->families[f].grids->gauge; c++)
            if (plan->families[f].grids[c].keep_from < keep)
                keep = plan->families[f].grids[c].keep_from;
    return keep == INT64_MAX ? INT64_MIN : keep;
}
