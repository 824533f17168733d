#include "target.h"

#include "kpid/calendar.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct set {
    int kpi, back;
    enum kp_period per;
};

struct span {               /* the bounds of a set's period, by a clock */
    int64_t from, to;
};

struct specials {           /* below a unit, in a set's period: members whose working time is their own */
    uint32_t *nodes;        /* owned */
    uint32_t n, room;
};

/* Keys that share calendar and target are judged at the same instants, and ask for the same working time, dozens of times each. */
enum { WORKED_BITS = 11 };
struct worked {             /* calendar 0: there is none */
    int64_t from, to, ms;
    int calendar;
};

struct kp_targets {
    struct kp_plan *plan;   /* borrowed, like the next */
    struct kp_store *store;
    struct set *sets;       /* owned, like all that follows */
    int nsets, ncalendars;  /* ncalendars: that of always working, which is 0, among them */
    uint32_t nnodes, nunits;
    int32_t *given;         /* by node and set: which of the configuration; -1: none */
    double *total;          /* by node and set */
    uint32_t *unit;         /* by node: its number + 1; 0: a rep */
    double *plain;          /* by unit, set and calendar: of members with nothing special */
    struct specials *specials;      /* by unit and set */
    struct span *spans;     /* by clock and set */
    struct span *wide;      /* by set: from the first beginning of those to their last end */
    double *passed;         /* by calendar and set: as of at_ms, NaN: not told yet */
    struct worked *worked;  /* what was asked for of late, by hash */
    int64_t at_ms, until_ms;
};

/* ---- Does a selector hold? ---- */

/* The value of a key for a node: its own or an ancestor's key by level, or an attribute of the member. */
static const char *value_for(const struct kp_store *store, uint32_t node, const char *key)
{
    const struct kp_plan *plan = store->plan;
    const struct kp_member *member = kp_store_cold(store, node)->member;
    int level = kp_plan_find_level(plan, key, strlen(key));

    for (uint32_t at = node; level > 0 && at != KP_NO_NODE; at = kp_store_node(store, at)->parent)
        if (kp_store_node(store, at)->level == level)
            return kp_store_cold(store, at)->key;
    if (level > 0 || !member)
        return NULL;
    if (strcmp(key, "name") == 0)
        return member->name;
    for (size_t i = 0; i < member->nattrs; i++)
        if (strcmp(member->attrs[i].key, key) == 0)
            return member->attrs[i].value;
    return NULL;
}

bool kp_store_selects(const struct kp_store *store, uint32_t node, const struct kp_selector *select, size_t nselect)
{
    for (size_t i = 0; i < nselect; i++) {
        const char *value = value_for(store, node, select[i].key);

        if (!value || strcmp(value, select[i].value) != 0)
            return false;
    }
    return true;
}

/* The most specific target of a set that is given for the node's own level; -1: none. */
static int32_t most_specific(const struct kp_store *store, uint32_t node, const struct set *set)
{
    const struct kp_plan *plan = store->plan;
    const struct kp_config *config = plan->config;
    const char *level = kp_plan_level_name(plan, kp_store_node(store, node)->level);
    const char *bottom = kp_plan_level_name(plan, plan->nlevels);
    int32_t best = -1;

    for (size_t i = 0; i < config->ntargets; i++) {
        const struct kp_target_cfg *cfg = &config->targets[i];

        if (strcmp(cfg->level ? cfg->level : bottom, level) != 0 || cfg->per != set->per ||
            strcmp(cfg->kpi, config->kpis[set->kpi].name) != 0)
            continue;
        if (kp_store_selects(store, node, cfg->select, cfg->nselect) && (best < 0 || cfg->nselect >= config->targets[best].nselect))
            best = (int32_t)i;
    }
    return best;
}

/* ---- Making ---- */

static int set_of(const struct kp_targets *t, int kpi, enum kp_period per, int back)
{
    for (int i = 0; i < t->nsets; i++)
        if (t->sets[i].kpi == kpi && t->sets[i].per == per && t->sets[i].back == back)
            return i;
    return -1;
}

static bool has_target(const struct kp_config *config, int kpi, enum kp_period per)
{
    for (size_t i = 0; i < config->ntargets; i++)
        if (config->targets[i].per == per && strcmp(config->targets[i].kpi, config->kpis[kpi].name) == 0)
            return true;
    return false;
}

/* One set for each calendar window of a KPI that has targets for its period. */
static void number_sets(struct kp_targets *t)
{
    struct kp_plan *plan = t->plan;

    for (int p = 0; p < plan->npairs; p++) {
        struct kp_plan_pair *pair = &plan->pairs[p];
        const struct kp_window *window = pair->window;

        if (window->kind != KP_WIN_CALENDAR || (pair->spare && !pair->kept) || plan->kpis[pair->kpi].dim != 0 ||
            !has_target(plan->config, pair->kpi, window->period))
            continue;
        pair->target = set_of(t, pair->kpi, window->period, window->back);
        if (pair->target >= 0)
            continue;
        pair->target = t->nsets;
        t->sets[t->nsets++] = (struct set){pair->kpi, window->back, window->period};
    }
    for (int r = 0; r < plan->nrules; r++)
        plan->rules[r].target = plan->rules[r].pair < 0 ? -1 : plan->pairs[plan->rules[r].pair].target;
}

static bool make_room(struct kp_targets *t)
{
    size_t cells = (size_t)t->nnodes * (size_t)t->nsets + 1, sets = (size_t)t->nsets + 1;

    t->given = malloc(cells * sizeof *t->given);
    t->total = malloc(cells * sizeof *t->total);
    t->unit = calloc((size_t)t->nnodes + 1, sizeof *t->unit);
    t->spans = calloc((size_t)t->plan->nclocks * sets, sizeof *t->spans);
    t->wide = calloc(sets, sizeof *t->wide);
    t->passed = calloc((size_t)t->ncalendars * sets, sizeof *t->passed);
    if (!t->given || !t->total || !t->unit || !t->spans || !t->wide || !t->passed)
        return false;
    for (uint32_t node = 0; node < t->nnodes; node++)
        if (kp_store_node(t->store, node)->level < t->plan->nlevels)
            t->unit[node] = ++t->nunits;
    t->plain = calloc((size_t)t->nunits * sets * (size_t)t->ncalendars + 1, sizeof *t->plain);
    t->specials = calloc((size_t)t->nunits * sets + 1, sizeof *t->specials);
    return t->plain && t->specials;
}

struct kp_targets *kp_targets_new(struct kp_plan *plan, struct kp_store *store, struct kp_err *err)
{
    struct kp_targets *t = calloc(1, sizeof *t);

    if (t) {
        t->plan = plan;
        t->store = store;
        t->nnodes = store->made;
        t->ncalendars = (int)plan->config->ncalendars + 1;
        t->at_ms = t->until_ms = INT64_MIN;
        t->sets = calloc((size_t)plan->npairs + 1, sizeof *t->sets);
        t->worked = calloc((size_t)1 << WORKED_BITS, sizeof *t->worked);
    }
    if (t && t->sets)
        number_sets(t);
    if (!t || !t->sets || !t->worked || (t->nsets && !make_room(t))) {
        kp_fail(err, KP_ENOMEM, "targets: out of memory");
        kp_targets_destroy(&t);
        return NULL;
    }
    for (uint32_t node = 0; node < t->nnodes; node++)
        for (int s = 0; s < t->nsets; s++)
            t->given[(size_t)node * (size_t)t->nsets + (size_t)s] = most_specific(store, node, &t->sets[s]);
    kp_targets_at(t, 0);    /* until there is a time */
    return t;
}

void kp_targets_destroy(struct kp_targets **targets)
{
    struct kp_targets *t = *targets;

    if (!t)
        return;
    for (size_t i = 0; t->specials && i < (size_t)t->nunits * (size_t)t->nsets; i++)
        free(t->specials[i].nodes);
    free(t->specials);
    free(t->sets);
    free(t->given);
    free(t->total);
    free(t->unit);
    free(t->plain);
    free(t->spans);
    free(t->wide);
    free(t->passed);
    free(t->worked);
    free(t);
    *targets = NULL;
}

/* ---- What a member is to reach ---- */

static const struct kp_zone *zone_of(const struct kp_targets *t, uint32_t node)
{
    return t->plan->clocks[kp_store_node(t->store, node)->clock].zone;
}

static const struct span *span_of(const struct kp_targets *t, uint32_t node, int set)
{
    return &t->spans[kp_store_node(t->store, node)->clock * t->nsets + set];
}

static int month_of(int64_t day)
{
    int year, month, mday;

    kp_civil_of_day(day, &year, &month, &mday);
    return year * 12 + month;
}

/* The share of a target in the month that the period begins in, or the member if that is later. */
static double ramp(const struct kp_target_cfg *cfg, const struct kp_member *member, int64_t first_day)
{
    int month;

    if (!member || member->start == INT64_MIN)
        return 1;
    month = month_of(first_day > member->start ? first_day : member->start) - month_of(member->start);
    return month < (int)cfg->nramp ? cfg->ramp[month] : 1;
}

/* NaN: none, now. */
static double members_own(struct kp_targets *t, uint32_t node, int set)
{
    int32_t given = t->given[(size_t)node * (size_t)t->nsets + (size_t)set];
    const struct kp_member *member = kp_store_cold(t->store, node)->member;
    const struct kp_target_cfg *cfg = given < 0 ? NULL : &t->plan->config->targets[given];
    const struct kp_zone *zone = zone_of(t, node);
    const struct span *span = span_of(t, node, set);

    if (!cfg)
        return (double)NAN;
    if (member && ((member->start != INT64_MIN && kp_zone_day_start(zone, member->start) >= span->to) ||
                   (member->end != INT64_MAX && kp_zone_day_start(zone, member->end + 1) <= span->from)))
        return (double)NAN;
    return cfg->value * (cfg->nramp ? ramp(cfg, member, kp_zone_day(zone, span->from)) : 1);
}

static void add(double *total, double value)
{
    *total = isnan(*total) ? value : *total + value;
}

/* Does the member begin, end or be away within the period, its own or that of a key above by another clock, so that the calendar
 * alone does not say what is worked? */
static bool is_special(const struct kp_targets *t, uint32_t node, int set)
{
    const struct kp_member *member = kp_store_cold(t->store, node)->member;
    const struct span *span = &t->wide[set];
    const struct kp_zone *zone = zone_of(t, node);
    int64_t first, last;

    if (!member || (!member->naway && member->start == INT64_MIN && member->end == INT64_MAX))
        return false;
    first = kp_zone_day(zone, span->from);
    last = kp_zone_day(zone, span->to - 1);
    if (member->start > first || member->end < last)
        return true;
    for (size_t i = 0; i < member->naway; i++)
        if (member->away[i].first <= last && member->away[i].last >= first)
            return true;
    return false;
}

static bool push(struct specials *list, uint32_t node)
{
    if (list->n == list->room) {
        uint32_t room = list->room ? list->room * 2 : 4, *grown = realloc(list->nodes, room * sizeof *grown);

        if (!grown)
            return false;
        list->nodes = grown;
        list->room = room;
    }
    list->nodes[list->n++] = node;
    return true;
}

static void add_member(struct kp_targets *t, uint32_t node, int set)
{
    double value = members_own(t, node, set);
    size_t nsets = (size_t)t->nsets, s = (size_t)set, calendar = kp_store_node(t->store, node)->calendar;
    bool special = !isnan(value) && is_special(t, node, set);

    t->total[node * nsets + s] = value;
    if (isnan(value))
        return;
    for (uint32_t at = kp_store_node(t->store, node)->parent; at != KP_NO_NODE; at = kp_store_node(t->store, at)->parent) {
        size_t cell = (t->unit[at] - 1) * nsets + s;

        add(&t->total[at * nsets + s], value);
        /* Without memory for the list, the calendar's hours stand for the member's. */
        if (!special || !push(&t->specials[cell], node))
            t->plain[cell * (size_t)t->ncalendars + calendar] += value;
    }
}

static void add_up(struct kp_targets *t)
{
    size_t nsets = (size_t)t->nsets;

    for (size_t i = 0; i < t->nnodes * nsets; i++)
        t->total[i] = (double)NAN;
    for (size_t i = 0; i < t->nunits * nsets; i++)
        t->specials[i].n = 0;
    memset(t->plain, 0, (size_t)t->nunits * nsets * (size_t)t->ncalendars * sizeof *t->plain);
    for (uint32_t node = 0; node < t->nnodes; node++)
        for (int s = 0; s < t->nsets && !t->unit[node]; s++)
            add_member(t, node, s);
    for (uint32_t node = 0; node < t->nnodes; node++)
        for (size_t s = 0; s < nsets && t->unit[node]; s++)
            if (t->given[node * nsets + s] >= 0)
                t->total[node * nsets + s] = t->plan->config->targets[t->given[node * nsets + s]].value;
}

void kp_targets_at(struct kp_targets *t, int64_t at_ms)
{
    const struct kp_plan *plan = t->plan;

    if (t->nsets == 0 || at_ms == t->at_ms)
        return;
    t->at_ms = at_ms;
    for (int i = 0; i < t->ncalendars * t->nsets; i++)
        t->passed[i] = (double)NAN;
    if (at_ms < t->until_ms)
        return;
    t->until_ms = INT64_MAX;
    for (int c = 0; c < plan->nclocks; c++) {
        for (int s = 0; s < t->nsets; s++) {
            const struct set *set = &t->sets[s];
            int64_t ends = kp_period_start(plan->clocks[c].zone, set->per, plan->config->week_start, at_ms, 1);

            t->spans[c * t->nsets + s] = (struct span){
                kp_period_start(plan->clocks[c].zone, set->per, plan->config->week_start, at_ms, -set->back),
                kp_period_start(plan->clocks[c].zone, set->per, plan->config->week_start, at_ms, 1 - set->back)};
            if (ends < t->until_ms)
                t->until_ms = ends;
        }
    }
    for (int i = 0; i < plan->nclocks * t->nsets; i++) {
        struct span *wide = &t->wide[i % t->nsets];

        if (i < t->nsets)
            *wide = t->spans[i];
        wide->from = t->spans[i].from < wide->from ? t->spans[i].from : wide->from;
        wide->to = t->spans[i].to > wide->to ? t->spans[i].to : wide->to;
    }
    add_up(t);
}

double kp_target_of(const struct kp_targets *t, uint32_t node, int set)
{
    return set >= 0 && node < t->nnodes ? t->total[(size_t)node * (size_t)t->nsets + (size_t)set] : (double)NAN;
}

/* ---- What is expected by now ---- */

static int64_t work_of_calendar(const struct kp_targets *t, int calendar, int64_t from, int64_t to)
{
    uint64_t hash = ((uint64_t)from * 3 + (uint64_t)to + (uint64_t)calendar * 7) * UINT64_C(0x9e3779b97f4a7c15);
    struct worked *known = &t->worked[hash >> (64 - WORKED_BITS)];

    if (known->from != from || known->to != to || known->calendar != calendar)
        *known = (struct worked){from, to, kp_calendar_work(t->plan->calendars[calendar - 1], NULL, 0, from, to), calendar};
    return known->ms;
}

/* Working time of a calendar (0: always) less a member's absences, between two instants. */
static int64_t work(const struct kp_targets *t, int calendar, const struct kp_zone *zone, const struct kp_member *member,
                    int64_t from, int64_t to)
{
    int64_t ms;

    if (member && member->start != INT64_MIN && kp_zone_day_start(zone, member->start) > from)
        from = kp_zone_day_start(zone, member->start);
    if (member && member->end != INT64_MAX && kp_zone_day_start(zone, member->end + 1) < to)
        to = kp_zone_day_start(zone, member->end + 1);
    if (to <= from)
        return 0;
    if (calendar && member && member->naway)
        return kp_calendar_work(t->plan->calendars[calendar - 1], member->away, member->naway, from, to);
    if (calendar)
        return work_of_calendar(t, calendar, from, to);
    ms = to - from;
    for (size_t i = 0; member && i < member->naway; i++) {
        int64_t gone = kp_zone_day_start(zone, member->away[i].first), back = kp_zone_day_start(zone, member->away[i].last + 1);

        gone = gone < from ? from : gone;
        back = back > to ? to : back;
        ms -= back > gone ? back - gone : 0;
    }
    return ms;
}

static int clock_of(const struct kp_targets *t, int calendar)
{
    return calendar ? t->plan->calendar_clocks[calendar - 1] : 0;
}

/* The share of a set's period, by one clock, that somebody with a calendar has worked by an instant. Without any working time
 * in it: 0, nobody is behind. */
static double share(const struct kp_targets *t, int clock, const struct kp_member *member, int calendar, int set, int64_t at)
{
    const struct kp_zone *zone = t->plan->clocks[clock_of(t, calendar)].zone;
    const struct span *span = &t->spans[clock * t->nsets + set];
    int64_t now = at < span->to ? at : span->to;
    int64_t whole = work(t, calendar, zone, member, span->from, span->to);

    return whole ? (double)work(t, calendar, zone, member, span->from, now) / (double)whole : 0;
}

/* ... by a calendar alone: on its own clock the same for all that have it, so that of now is remembered. */
static double passed(struct kp_targets *t, int clock, int calendar, int set, int64_t at)
{
    double *known = &t->passed[calendar * t->nsets + set];

    if (at != t->at_ms || clock != clock_of(t, calendar))
        return share(t, clock, NULL, calendar, set, at);
    if (isnan(*known))
        *known = share(t, clock, NULL, calendar, set, at);
    return *known;
}

/* A key's own target, or the sum of its members': those that have nothing but a calendar by calendar, the others one by
 * one; each by its own working time, in the period of the key that is asked about. */
double kp_target_expected_at(struct kp_targets *t, uint32_t node, int set, int64_t at)
{
    double total = kp_target_of(t, node, set), sum = 0;
    size_t nsets = (size_t)t->nsets;
    const struct specials *specials;
    const struct kp_node_hot *hot;

    if (isnan(total))
        return total;
    hot = kp_store_node(t->store, node);
    if (!t->unit[node] && is_special(t, node, set))
        return total * share(t, hot->clock, kp_store_cold(t->store, node)->member, hot->calendar, set, at);
    if (!t->unit[node] || t->given[node * nsets + (size_t)set] >= 0)
        return total * passed(t, hot->clock, hot->calendar, set, at);
    for (int c = 0; c < t->ncalendars; c++) {
        double plain = t->plain[((t->unit[node] - 1) * nsets + (size_t)set) * (size_t)t->ncalendars + (size_t)c];

        if (plain != 0)
            sum += plain * passed(t, hot->clock, c, set, at);
    }
    specials = &t->specials[(t->unit[node] - 1) * nsets + (size_t)set];
    for (uint32_t i = 0; i < specials->n; i++)
        sum += kp_target_of(t, specials->nodes[i], set) *
               share(t, hot->clock, kp_store_cold(t->store, specials->nodes[i])->member,
                     kp_store_node(t->store, specials->nodes[i])->calendar, set, at);
    return sum;
}

double kp_target_expected(struct kp_targets *t, uint32_t node, int set)
{
    return kp_target_expected_at(t, node, set, t->at_ms);
}

/* ---- Working time ---- */

int64_t kp_targets_work(const struct kp_targets *t, uint32_t node, int64_t from, int64_t to)
{
    const struct kp_node_hot *hot = kp_store_node(t->store, node);

    return work(t, hot->calendar, zone_of(t, node), kp_store_cold(t->store, node)->member, from, to);
}

int64_t kp_targets_hours(const struct kp_targets *t, uint32_t node, int64_t from, int64_t to)
{
    return work(t, kp_store_node(t->store, node)->calendar, zone_of(t, node), NULL, from, to);
}

int64_t kp_targets_when(const struct kp_targets *t, uint32_t node, int64_t from, int64_t work_ms)
{
    int64_t early = from + work_ms - 1, late = from + work_ms;      /* all of it worked: no sooner than that */

    for (int64_t step = 3600000; kp_targets_work(t, node, from, late) < work_ms; step *= 2) {
        if (late - from - work_ms > 366 * KP_DAY_MS)
            return INT64_MAX;
        early = late;
        late += step;
    }
    while (late - early > 1) {      /* by `early` it has not worked so much, and by `late` it has */
        int64_t mid = early + (late - early) / 2;

        if (kp_targets_work(t, node, from, mid) < work_ms)
            early = mid;
        else
            late = mid;
    }
    return late;
}

int64_t kp_targets_opens(const struct kp_targets *t, uint32_t node, int64_t at)
{
    int64_t worked = kp_targets_when(t, node, at, 1);

    return worked == INT64_MAX ? worked : worked - 1;
}

int64_t kp_targets_closes(const struct kp_targets *t, uint32_t node, int64_t at)
{
    int64_t open = at, closed = at + 1;

    for (int64_t step = 3600000; kp_targets_work(t, node, at, closed) == closed - at; step *= 2) {
        if (closed - at > 366 * KP_DAY_MS)
            return INT64_MAX;
        open = closed;
        closed += step;
    }
    while (closed - open > 1) {     /* all of [at, open) is worked, and not all of [at, closed) */
        int64_t mid = open + (closed - open) / 2;

        if (kp_targets_work(t, node, at, mid) == mid - at)
            open = mid;
        else
            closed = mid;
    }
    return open;
}

size_t kp_targets_bytes(const struct kp_targets *t)
{
    size_t nsets = (size_t)t->nsets, bytes = ((size_t)1 << WORKED_BITS) * sizeof *t->worked;

    if (nsets)
        bytes += t->nnodes * (nsets * (sizeof *t->given + sizeof *t->total) + sizeof *t->unit) +
                 t->nunits * (nsets * (size_t)t->ncalendars * sizeof *t->plain + sizeof *t->specials);
    return bytes;
}
