/* The part of the plan that follows entities: from `elapsed`, `repeat`, `open`, `cohort`, `once` and funnels to spaces,
 * trackers and outlets. */
#include "plan_build.h"

#include <stdlib.h>
#include <string.h>

enum { BITS_MAX = 63 /* and KP_LONG_ID */ };

static const struct kp_where no_where;      /* holds for every event */

bool kp_plan_is_tracked(const struct kp_kpi_cfg *cfg)
{
    return cfg->of_more.kind != KP_OF_EVENT || cfg->once.per;
}

/* ---- Spaces ---- */

static int new_space(struct kp_plan *plan, const struct kp_kpi_cfg *cfg, int slot, struct kp_err *err)
{
    struct kp_plan_space *space;

    if (plan->nspaces == KP_SPACES_MAX) {
        kp_fail(err, KP_ELIMIT, "kpis.%s: more is asked of leads, deals, clients ... than fits into %d sets", cfg->name,
                KP_SPACES_MAX);
        return -1;
    }
    space = kp_plan_grow(&plan->spaces, plan->nspaces, sizeof *space);
    if (!space) {
        kp_plan_no_memory(err);
        return -1;
    }
    space->slot = slot;
    space->ndims = 1;   /* the roster */
    return plan->nspaces++;
}

/* The place of a value among those that the space's occurrences keep; -1: none. */
static int kept_at(const struct kp_plan_space *space, int value)
{
    for (int i = 0; i < space->nvalues; i++)
        if (space->values[i] == value)
            return i;
    return -1;
}

static int keep_value(struct kp_plan_space *space, int value)
{
    int at = kept_at(space, value);

    if (at >= 0)
        return at;
    space->values[space->nvalues] = value;
    return space->nvalues++;
}

static void keep_dim(struct kp_plan_space *space, int dim)
{
    for (int i = 0; i < space->ndims; i++)
        if (space->dims[i] == dim)
            return;
    space->dims[space->ndims++] = dim;
}

/* ---- Trackers ---- */

static bool same_tracker(const struct kp_plan_tracker *a, const struct kp_plan_tracker *b)
{
    return a->kind == b->kind && a->base == b->base && a->reversed == b->reversed &&
           a->once == b->once && a->filters[0] == b->filters[0] && a->filters[1] == b->filters[1] && a->nth == b->nth &&
           a->within_ms == b->within_ms && a->funnel == b->funnel;
}

/* A filter for `field: name`, which is not written as such in the configuration. */
static int stage_filter(struct kp_plan *plan, const char *field, char *name)
{
    struct kp_where *where = &plan->wheres[plan->nwheres];
    struct kp_all *all = calloc(1, sizeof *all);
    struct kp_pred *pred = calloc(1, sizeof *pred);
    struct kp_value *arg = calloc(1, sizeof *arg);

    if (!all || !pred || !arg) {
        free(all);
        free(pred);
        free(arg);
        return -1;
    }
    *arg = (struct kp_value){.kind = KP_STR, .len = (uint32_t)strlen(name), .s = name};
    pred->field = (char *)(uintptr_t)field;     /* borrowed, like the name: see kp_plan_release_tracks */
    pred->cmp = KP_CMP_EQ;
    pred->args = arg;
    pred->nargs = 1;
    all->preds = pred;
    all->count = 1;
    where->any = all;
    where->count = 1;
    plan->nwheres++;
    return kp_filters_add(plan->filters, plan->schema, where);
}

static bool add_stages(struct kp_plan *plan, struct kp_plan_tracker *tracker, const struct kp_funnel_cfg *funnel)
{
    size_t n = funnel->nstages + funnel->nlost;
    /* Filters borrow what they are made from, so the array must have its final size before the first. */
    if (!plan->wheres) {
        size_t all = 0;

        for (size_t i = 0; i < plan->config->nfunnels; i++)
            all += plan->config->funnels[i].nstages + plan->config->funnels[i].nlost;
        plan->wheres = calloc(all + 1, sizeof *plan->wheres);
    }
    tracker->stages = calloc(n + 1, sizeof *tracker->stages);
    if (!plan->wheres || !tracker->stages)
        return false;
    tracker->nstages = (int)funnel->nstages;
    tracker->nlost = (int)funnel->nlost;
    for (size_t i = 0; i < n; i++) {
        char *name = i < funnel->nstages ? funnel->stages[i] : funnel->lost[i - funnel->nstages];

        tracker->stages[i] = stage_filter(plan, funnel->field, name);
        if (tracker->stages[i] < 0)
            return false;
    }
    return true;
}

/* As many as tell its stages, and none at all, apart. */
static int stage_bits_of(const struct kp_funnel_cfg *funnel)
{
    int bits = 1;

    while ((funnel->nstages + funnel->nlost) >> bits)
        bits++;
    return bits;
}

static int bits_of(const struct kp_plan_tracker *tracker)
{
    static const int bits[] = {[KP_TRACK_PAIR] = 2, [KP_TRACK_REPEAT] = 1, [KP_TRACK_ONCE] = 1, [KP_TRACK_OPEN] = 3};

    return tracker->kind == KP_TRACK_FUNNEL ? stage_bits_of(tracker->funnel) : bits[tracker->kind] + tracker->once;
}

/* The one of a space that asks the same; -1: none. */
static int find_tracker(const struct kp_plan *plan, int s, const struct kp_plan_tracker *want)
{
    const struct kp_plan_space *space = &plan->spaces[s];

    for (int i = 0; i < space->ntrackers; i++)
        if (same_tracker(&plan->trackers[space->trackers[i]], want))
            return space->trackers[i];
    return -1;
}

/* Where to follow the values of a field for a tracker that keeps a value (-1: none): where the same is asked already, else
 * where there is room. An occurrence has only so many bits and values, so a field of which more is asked has several
 * spaces, and its entities are followed in each. -1 with a reason. */
static int space_for(struct kp_plan *plan, const struct kp_kpi_cfg *cfg, int slot, const struct kp_plan_tracker *want,
                     int value, struct kp_err *err)
{
    int roomy = -1;

    for (int s = 0; s < plan->nspaces; s++) {
        const struct kp_plan_space *space = &plan->spaces[s];

        if (space->slot != slot || (value >= 0 && kept_at(space, value) < 0 && space->nvalues == KP_SPACE_VALUES_MAX))
            continue;
        if (find_tracker(plan, s, want) >= 0)
            return s;
        if (roomy < 0 && space->nbits + bits_of(want) <= BITS_MAX && space->ntrackers < KP_SPACE_TRACKERS_MAX)
            roomy = s;
    }
    return roomy >= 0 ? roomy : new_space(plan, cfg, slot, err);
}

/* The tracker in the space that space_for found, shared with every KPI that asks the same. -1 with a reason. */
static int add_tracker(struct kp_plan *plan, int s, const struct kp_plan_tracker *want, struct kp_err *err)
{
    struct kp_plan_space *space = &plan->spaces[s];
    struct kp_plan_tracker *tracker;
    int bits = bits_of(want), found = find_tracker(plan, s, want);

    if (found >= 0)
        return found;
    tracker = kp_plan_grow(&plan->trackers, plan->ntrackers, sizeof *tracker);
    if (!tracker || !kp_plan_push(&space->trackers, &space->ntrackers, plan->ntrackers)) {
        kp_plan_no_memory(err);
        return -1;
    }
    plan->ntrackers++;
    *tracker = *want;
    tracker->space = s;
    tracker->index = space->ntrackers - 1;
    tracker->shift = space->nbits;
    tracker->bits = ((UINT64_C(1) << bits) - 1) << space->nbits;
    tracker->timer = -1;
    space->nbits += bits;
    if (want->funnel && !add_stages(plan, tracker, want->funnel)) {
        kp_fail(err, KP_ELIMIT, "funnels.%s: over %d fields tested, or %d fields named, in all", want->funnel->name,
                KP_FILTER_FIELDS_MAX, KP_SLOTS_MAX);
        return -1;
    }
    return plan->ntrackers - 1;
}

/* -1 with a reason. */
static int filter_of(struct kp_plan *plan, const struct kp_kpi_cfg *cfg, const struct kp_where *where, struct kp_err *err)
{
    int f = kp_filters_add(plan->filters, plan->schema, where ? where : &no_where);

    if (f >= 0)
        return f;
    kp_plan_too_many_tested(cfg, err);
    return -1;
}

static enum kp_track kind_of(const struct kp_kpi_cfg *cfg)
{
    switch (cfg->of_more.kind) {
    case KP_OF_ELAPSED:
    case KP_OF_COHORT:
        return KP_TRACK_PAIR;
    case KP_OF_REPEAT:
        return KP_TRACK_REPEAT;
    case KP_OF_OPEN:
        return KP_TRACK_OPEN;
    case KP_OF_FUNNEL:
        return KP_TRACK_FUNNEL;
    case KP_OF_EVENT:
        break;
    }
    return KP_TRACK_ONCE;
}

/* The tracker that a KPI asks for, but for its place. False with a reason. */
static bool describe_tracker(struct kp_plan *plan, const struct kp_kpi_cfg *cfg, struct kp_plan_tracker *want,
                             struct kp_err *err)
{
    const struct kp_of_cfg *of = &cfg->of_more;
    const struct kp_where *base = &cfg->where;
    bool ok = true;

    *want = (struct kp_plan_tracker){.kind = kind_of(cfg), .filters = {-1, -1, -1}, .reversed = -1,
                                     .once = cfg->once.per != NULL};
    if (want->kind == KP_TRACK_FUNNEL) {
        want->funnel = &plan->config->funnels[of->funnel];
        base = &want->funnel->where;
    }
    ok = (want->base = filter_of(plan, cfg, base, err)) >= 0;
    if (ok && want->kind == KP_TRACK_PAIR)
        ok = (want->filters[0] = filter_of(plan, cfg, &of->from, err)) >= 0 &&
             (want->filters[1] = filter_of(plan, cfg, &of->to, err)) >= 0;
    if (ok && want->kind == KP_TRACK_OPEN)
        ok = (want->filters[0] = filter_of(plan, cfg, &of->opened, err)) >= 0 &&
             (want->filters[1] = filter_of(plan, cfg, &of->closed, err)) >= 0;
    if (want->kind == KP_TRACK_REPEAT) {
        want->nth = of->nth;
        want->within_ms = of->within_ms;
    }
    if (ok && cfg->once.reversible)
        ok = (want->reversed = filter_of(plan, cfg, &cfg->once.reversed_by, err)) >= 0;
    return ok;
}

/* ---- Outlets ---- */

static enum kp_outlet_part part_of(const struct kp_of_cfg *of)
{
    static const enum kp_outlet_part funnel[] = {
        [KP_FUNNEL_ENTERED] = KP_PART_ENTERED, [KP_FUNNEL_CONVERTED] = KP_PART_CONVERTED,
        [KP_FUNNEL_MEDIAN_TIME] = KP_PART_STAY, [KP_FUNNEL_OPEN] = KP_PART_STANDS, [KP_FUNNEL_SKIPPED] = KP_PART_SKIPPED};

    switch (of->kind) {
    case KP_OF_ELAPSED:
        return KP_PART_ELAPSED;
    case KP_OF_COHORT:
        return KP_PART_COHORT;
    case KP_OF_OPEN:
        return KP_PART_OPEN;
    case KP_OF_FUNNEL:
        return funnel[of->part];
    case KP_OF_REPEAT:
    case KP_OF_EVENT:
        break;
    }
    return KP_PART_MATCH;
}

static int add_outlet(struct kp_plan *plan, const struct kp_plan_outlet *want)
{
    struct kp_plan_outlet *outlet;
    struct kp_plan_tracker *tracker = &plan->trackers[want->tracker];

    for (int i = 0; i < plan->noutlets; i++) {
        outlet = &plan->outlets[i];
        if (outlet->tracker == want->tracker && outlet->part == want->part && outlet->value == want->value &&
            outlet->step == want->step && outlet->within_ms == want->within_ms)
            return i;
    }
    outlet = kp_plan_grow(&plan->outlets, plan->noutlets, sizeof *outlet);
    if (!outlet || !kp_plan_push(&tracker->outlets, &tracker->noutlets, plan->noutlets))
        return -1;
    *outlet = *want;
    if (want->part == KP_PART_COHORT && tracker->timer < 0)
        tracker->timer = plan->spaces[tracker->space].ntimers++;
    return plan->noutlets++;
}

static bool is_stall_asked(const struct kp_plan *plan, const struct kp_kpi_cfg *cfg)
{
    for (size_t i = 0; i < plan->config->nalerts; i++)
        if (plan->config->alerts[i].compare == KP_CMP_STALLED && strcmp(plan->config->alerts[i].kpi, cfg->name) == 0)
            return true;
    return false;
}

/* Since when what is open stands where it stands: of a funnel its bits tell where, else a field does. */
static enum kp_code add_since(struct kp_plan *plan, struct kp_plan_kpi *kpi, const struct kp_plan_outlet *open, struct kp_err *err)
{
    struct kp_plan_space *space = &plan->spaces[plan->trackers[open->tracker].space];
    struct kp_plan_outlet want = {.tracker = open->tracker, .part = KP_PART_SINCE, .value = -1, .step = open->step};
    int value;

    space->named = true;
    if (kpi->cfg->of_more.kind == KP_OF_OPEN) {
        value = kp_plan_value(plan, kpi->cfg, kpi->cfg->of_more.stage, false, err);
        if (value < 0)
            return KP_ELIMIT;
        if (kept_at(space, value) < 0 && space->nvalues == KP_SPACE_VALUES_MAX)
            return kp_fail(err, KP_ELIMIT, "kpis.%s.of: over %d fields of what is followed are kept", kpi->cfg->name,
                           KP_SPACE_VALUES_MAX);
        plan->values[value].hashed = true;
        want.value = keep_value(space, value);
        space->hashes |= UINT32_C(1) << want.value;
    }
    kpi->since = add_outlet(plan, &want);
    if (kpi->since < 0)
        return kp_plan_no_memory(err);
    plan->outlets[kpi->since].dims |= 1u << kpi->dim;
    return KP_OK;
}

enum kp_code kp_plan_track(struct kp_plan *plan, int k, struct kp_err *err)
{
    struct kp_plan_kpi *kpi = &plan->kpis[k];
    const struct kp_kpi_cfg *cfg = kpi->cfg;
    const struct kp_of_cfg *of = &cfg->of_more;
    const char *field = of->kind == KP_OF_OPEN ? of->field : of->kind == KP_OF_EVENT ? cfg->of : NULL;
    struct kp_plan_outlet want = {.part = part_of(of), .value = -1, .step = (int)of->step};
    int slot = kp_schema_add(plan->schema, of->kind == KP_OF_EVENT ? cfg->once.per : of->per, false);
    int value = -1, space, o;
    struct kp_plan_tracker tracker;

    if (slot < 0)
        return kp_plan_too_many_names(cfg, err);
    if (field && (value = kp_plan_value(plan, cfg, field, cfg->agg != KP_AGG_COUNT, err)) < 0)
        return KP_ELIMIT;
    if (!describe_tracker(plan, cfg, &tracker, err) || (space = space_for(plan, cfg, slot, &tracker, value, err)) < 0 ||
        (want.tracker = add_tracker(plan, space, &tracker, err)) < 0)
        return KP_ELIMIT;
    if (value >= 0)
        want.value = keep_value(&plan->spaces[space], value);
    if (of->kind == KP_OF_COHORT)
        want.within_ms = of->within_ms;
    o = add_outlet(plan, &want);
    if (o < 0)
        return kp_plan_no_memory(err);
    keep_dim(&plan->spaces[space], kpi->dim);
    plan->outlets[o].dims |= 1u << kpi->dim;
    kpi->filter = -2 - o;
    return is_stall_asked(plan, cfg) ? add_since(plan, kpi, &want, err) : KP_OK;
}

/* ---- What the outlets add to ---- */

static enum kp_code fill_outlet(struct kp_plan *plan, int o, struct kp_err *err)
{
    struct kp_plan_outlet *outlet = &plan->outlets[o];

    for (int f = 0; f < plan->nfamilies; f++) {
        const struct kp_plan_family *fam = &plan->families[f];
        struct kp_section section = {.dim = (uint16_t)fam->dim, .family = (uint16_t)f, .first = (uint32_t)outlet->nops};

        for (int c = 0; c < fam->ncells; c++) {
            struct kp_op *op;

            if (kp_plan_outlet_of(fam->cells[c].filter) != o)
                continue;
            op = kp_plan_grow(&outlet->ops, outlet->nops, sizeof *op);
            if (!op)
                return kp_plan_no_memory(err);
            outlet->nops++;
            op->kind = fam->cells[c].kind;
            op->word = fam->cells[c].word;
            op->value = fam->cells[c].kind == KP_CELL_COUNT ? -1 : 0;
        }
        section.count = (uint32_t)outlet->nops - section.first;
        if (section.count) {
            struct kp_section *at = kp_plan_grow(&outlet->sections, outlet->nsections, sizeof *at);

            if (!at)
                return kp_plan_no_memory(err);
            outlet->nsections++;
            *at = section;
        }
    }
    return KP_OK;
}

enum kp_code kp_plan_outlets(struct kp_plan *plan, struct kp_err *err)
{
    enum kp_code code = KP_OK;

    for (int o = 0; o < plan->noutlets && !code; o++)
        code = fill_outlet(plan, o, err);
    for (int k = 0; k < plan->nkpis; k++) {
        const struct kp_plan_kpi *kpi = &plan->kpis[k];
        int o = kpi->formula ? -1 : kp_plan_outlet_of(kpi->filter);

        if (o < 0)
            continue;
        for (int r = 0; r < plan->nrules; r++)
            if (kpi->feeds[plan->rules[r].kpi])
                plan->outlets[o].rule_levels |= UINT64_C(1) << plan->rules[r].level;
    }
    return code;
}

void kp_plan_release_tracks(struct kp_plan *plan)
{
    for (int i = 0; i < plan->nspaces; i++)
        free(plan->spaces[i].trackers);
    for (int i = 0; i < plan->ntrackers; i++) {
        free(plan->trackers[i].stages);
        free(plan->trackers[i].outlets);
    }
    for (int i = 0; i < plan->noutlets; i++) {
        free(plan->outlets[i].sections);
        free(plan->outlets[i].ops);
    }
    for (int i = 0; i < plan->nwheres; i++) {
        free(plan->wheres[i].any->preds->args);
        free(plan->wheres[i].any->preds);
        free(plan->wheres[i].any);
    }
    free(plan->spaces);
    free(plan->trackers);
    free(plan->outlets);
    free(plan->wheres);
}
