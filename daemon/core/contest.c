/* Who leads in a contest. */
#include "engine_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MINUTE_MS = 60000, FACTOR_MAX = 4 /* who was there for an hour and had luck in it has not won a quarter's contest */ };

void kp_contests_release(struct kp_contests *contests)
{
    free(contests->places);
    free(contests->hours);
    free(contests->own);
    memset(contests, 0, sizeof *contests);
}

size_t kp_engine_contests(const struct kp_engine *engine)
{
    return (size_t)engine->plan->ncontests;
}

/* ---- Who takes part ---- */

/* Was a member here at any time of it, up to now? Others are whenever there is something of theirs. */
static bool was_here(const struct kp_store *store, uint32_t node, int64_t from, int64_t to)
{
    const struct kp_member *member = kp_store_cold(store, node)->member;
    const struct kp_zone *zone = store->plan->clocks[kp_store_node(store, node)->clock].zone;

    if (!member)
        return true;
    return (member->start == INT64_MIN || kp_zone_day_start(zone, member->start) < to) &&
           (member->end == INT64_MAX || kp_zone_day_start(zone, member->end + 1) > from);
}

static bool takes_part(const struct kp_engine *engine, const struct kp_plan_contest *contest, uint32_t node, int64_t to)
{
    const struct kp_node_hot *hot = kp_store_node(&engine->store, node);

    return hot->flags & KP_NODE_LIVE && !(hot->flags & KP_NODE_FORMER) && hot->level == contest->level &&
           kp_store_selects(&engine->store, node, contest->cfg->select, contest->cfg->nselect) &&
           was_here(&engine->store, node, contest->cfg->from_ms, to);
}

/* ---- Working time ---- */

static bool take_hours(struct kp_contests *contests, uint32_t nnodes)
{
    if (nnodes > contests->nnodes) {
        double *hours = realloc(contests->hours, nnodes * sizeof *hours), *own;

        if (!hours)
            return false;
        contests->hours = hours;
        own = realloc(contests->own, nnodes * sizeof *own);
        if (!own)
            return false;
        contests->own = own;
        contests->nnodes = nnodes;
    }
    for (uint32_t node = 0; node < nnodes; node++)
        contests->hours[node] = contests->own[node] = 0;
    return true;
}

/* Of all members who were here, and of units the sums of theirs. */
static bool add_up_hours(struct kp_engine *engine, int64_t from, int64_t to)
{
    const struct kp_store *store = &engine->store;

    if (!take_hours(&engine->contests, store->made))
        return false;
    for (uint32_t node = 0; node < store->made; node++) {
        double hours, own;

        if (!(kp_store_node(store, node)->flags & KP_NODE_LIVE) || !kp_store_cold(store, node)->member ||
            !was_here(store, node, from, to + 1))
            continue;
        hours = (double)kp_targets_hours(engine->targets, node, from, to);
        own = (double)kp_targets_work(engine->targets, node, from, to);
        for (uint32_t at = node; at != KP_NO_NODE; at = kp_store_node(store, at)->parent) {
            engine->contests.hours[at] += hours;
            engine->contests.own[at] += own;
        }
    }
    return true;
}

/* By what a number is multiplied; 0: there is no telling. While nobody has worked yet, and of whom no hours are known: as it is. */
static double factor_of(const struct kp_engine *engine, const struct kp_contest_cfg *cfg, uint32_t node)
{
    const struct kp_contests *contests = &engine->contests;
    double factor;

    if (!cfg->adjusted || contests->hours[node] <= 0)
        return 1;
    factor = contests->own[node] > 0 ? contests->hours[node] / contests->own[node] : 0;
    return factor < FACTOR_MAX ? factor : FACTOR_MAX;
}

/* ---- Points ---- */

static bool adds_up(const struct kp_kpi_cfg *kpi)
{
    return kpi->agg == KP_AGG_COUNT || kpi->agg == KP_AGG_SUM;
}

/* To a millionth, as sums are: so that 3 * 0.1 is not more than 0.3. */
static double rounded(double value)
{
    return fabs(value) < 1e9 ? round(value * 1e6) / 1e6 : value;
}

/* What a term reads of a node; *any: there was something to count. */
static double read_term(struct kp_engine *engine, const struct kp_plan_rule *term, uint32_t node, double factor, bool *any)
{
    int64_t unused;
    struct kp_number number = kp_read_rule(&engine->reader, term, node, engine->now_ms, &unused);

    *any |= number.n != 0 || (number.has && number.value != 0);
    return number.has ? number.value * (adds_up(engine->plan->kpis[term->kpi].cfg) ? factor : 1) : (double)NAN;
}

static double points_of(struct kp_engine *engine, const struct kp_plan_contest *contest, uint32_t node, double factor, bool *any)
{
    double sum = (double)NAN;

    for (size_t t = 0; t < contest->cfg->nterms; t++) {
        double value = read_term(engine, &contest->terms[t], node, factor, any) * contest->cfg->terms[t].weight;

        if (!isnan(value))
            sum = isnan(sum) ? value : sum + value;
    }
    return isnan(sum) ? sum : rounded(sum);
}

/* False: it has no part in it, being nobody that the roster knows and without anything that counts. */
static bool read_place(struct kp_engine *engine, const struct kp_plan_contest *contest, uint32_t node, struct kp_contest_place *place)
{
    double factor = factor_of(engine, contest->cfg, node);
    bool any = kp_store_node(&engine->store, node)->flags & KP_NODE_MEMBER;

    *place = (struct kp_contest_place){node, 0, points_of(engine, contest, node, factor, &any), (double)NAN};
    if (contest->tie >= 0)
        place->tie = rounded(read_term(engine, &contest->terms[contest->tie], node, factor, &any));
    if (factor <= 0)
        place->value = (double)NAN;
    return any;
}

/* ---- Ranks ---- */

struct order {
    const struct kp_store *store;
    int value, tie;     /* 1: more is better; -1: less is */
};

static int by_number(double a, double b, int better)
{
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return a == b ? 0 : (a > b) == (better > 0) ? -1 : 1;
}

static int by_points(const struct order *order, const struct kp_contest_place *a, const struct kp_contest_place *b)
{
    int c = by_number(a->value, b->value, order->value);

    return c ? c : by_number(a->tie, b->tie, order->tie);
}

static int by_path(const struct kp_store *store, uint32_t a, uint32_t b)
{
    uint32_t x[KP_DEPTH_MAX], y[KP_DEPTH_MAX];
    int n = kp_store_path(store, a, x), m = kp_store_path(store, b, y), c = 0;

    for (int i = 0; i < n && i < m && !c; i++)
        c = strcmp(kp_store_cold(store, x[i])->key, kp_store_cold(store, y[i])->key);
    return c;
}

static int by_rank(const void *a, const void *b, void *ctx)
{
    const struct order *order = ctx;
    const struct kp_contest_place *x = a, *y = b;
    int c = by_points(order, x, y);

    return c ? c : by_path(order->store, x->node, y->node);
}

static int way(const struct kp_kpi_cfg *kpi)
{
    return kpi->better == KP_BETTER_LOWER ? -1 : 1;
}

/* Points are the more the better, whatever they are made of. */
static void give_ranks(const struct kp_engine *engine, const struct kp_plan_contest *contest, struct kp_contest_standing *standing)
{
    const struct kp_plan_kpi *kpis = engine->plan->kpis;
    struct order order = {&engine->store, contest->cfg->weighted ? 1 : way(kpis[contest->terms[0].kpi].cfg),
                          contest->tie < 0 ? 1 : way(kpis[contest->terms[contest->tie].kpi].cfg)};
    struct kp_contest_place *places = engine->contests.places;

    if (standing->n)
        qsort_r(places, standing->n, sizeof *places, by_rank, &order);
    for (size_t i = 0; i < standing->n && !isnan(places[i].value); i++) {
        places[i].rank = i && by_points(&order, &places[i - 1], &places[i]) == 0 ? places[i - 1].rank : (uint32_t)i + 1;
        standing->of++;
    }
    standing->places = places;
}

/* ---- The whole ---- */

static bool add_place(struct kp_contests *contests, const struct kp_contest_place *place, size_t n)
{
    if (n == contests->room) {
        size_t room = contests->room ? contests->room * 2 : 64;
        struct kp_contest_place *grown = realloc(contests->places, room * sizeof *grown);

        if (!grown)
            return false;
        contests->places = grown;
        contests->room = room;
    }
    contests->places[n] = *place;
    return true;
}

static void find_state(const struct kp_engine *engine, struct kp_contest_standing *standing)
{
    const struct kp_contest_cfg *cfg = standing->cfg;

    standing->state = engine->now_ms < cfg->from_ms ? KP_CONTEST_COMING
                      : engine->now_ms < cfg->to_ms ? KP_CONTEST_RUNNING
                                                    : KP_CONTEST_OVER;
    standing->is_final = engine->now_ms >= cfg->to_ms + KP_SPAN_LATE_MS;
}

bool kp_engine_standing(struct kp_engine *engine, size_t i, struct kp_contest_standing *standing)
{
    const struct kp_plan_contest *contest = &engine->plan->contests[i];
    const struct kp_contest_cfg *cfg = contest->cfg;
    int64_t to = engine->now_ms < cfg->to_ms ? engine->now_ms : cfg->to_ms, minute = to - to % MINUTE_MS;

    memset(standing, 0, sizeof *standing);
    standing->cfg = cfg;
    find_state(engine, standing);
    if (standing->state == KP_CONTEST_COMING)
        return true;
    if (cfg->adjusted && !add_up_hours(engine, cfg->from_ms, minute > cfg->from_ms ? minute : cfg->from_ms))
        return false;
    for (uint32_t node = 0; node < engine->store.made; node++) {
        struct kp_contest_place place;

        if (!takes_part(engine, contest, node, to + 1) || !read_place(engine, contest, node, &place))
            continue;
        if (!add_place(&engine->contests, &place, standing->n))
            return false;
        standing->n++;
    }
    give_ranks(engine, contest, standing);
    return true;
}
