#include "baseline.h"

#include <math.h>

enum { FRESH_MS = 3600000 };

struct past {               /* one period, and what is asked of it */
    struct kp_reader *reader;
    const struct kp_targets *targets;
    const struct kp_plan_rule *rule;
    uint32_t node;
    int64_t from, to, work;
};

/* ---- One period ---- */

static double value_of(struct kp_number number)
{
    return number.has ? number.value : (double)NAN;
}

/* The edges around an instant that all panes of the rule have, within the period. */
static void edges_around(const struct past *past, int64_t at, int64_t *low, int64_t *high)
{
    const struct kp_store *store = past->reader->store;
    int clock = kp_store_node(store, past->node)->clock;

    *low = at;
    *high = at;
    for (int i = 0; i < past->rule->nparts; i++) {
        struct kp_family *grid = &store->plan->families[past->rule->parts[i].family].grids[clock];
        int64_t from, to;

        if (!kp_family_cell(grid, at, &from, &to))
            continue;
        *low = from < *low ? from : *low;
        *high = to > *high ? to : *high;
    }
    *low = *low < past->from ? past->from : *low;
    *high = *high > past->to ? past->to : *high;
}

/* What it had come to by an instant: by working time between the panes' edges. */
static double value_by(const struct past *past, int64_t at)
{
    int64_t low, high, work;
    double before, after, share;

    if (at >= past->to)
        return value_of(kp_read_span(past->reader, past->rule, past->node, past->from, past->to));
    edges_around(past, at, &low, &high);
    before = value_of(kp_read_span(past->reader, past->rule, past->node, past->from, low));
    work = kp_targets_work(past->targets, past->node, low, high);
    share = work ? (double)kp_targets_work(past->targets, past->node, low, at) / (double)work : 0;
    if (share == 0)
        return before;
    after = value_of(kp_read_span(past->reader, past->rule, past->node, past->from, high));
    return isnan(before) || isnan(after) ? after : before + (after - before) * share;
}

static int64_t by_step(const struct past *past, int step)
{
    int64_t work = past->work / KP_BASELINE_STEPS * step + past->work % KP_BASELINE_STEPS * step / KP_BASELINE_STEPS, at;

    if (step == 0 || work == 0)
        return past->from;
    at = kp_targets_when(past->targets, past->node, past->from, work);
    return step == KP_BASELINE_STEPS || at > past->to ? past->to : at;
}

/* ---- All of them ---- */

struct mean {
    double sum;
    int n;
};

static void put(struct mean *mean, double value)
{
    if (isnan(value))
        return;
    mean->sum += value;
    mean->n++;
}

static double mean_of(const struct mean *mean)
{
    return mean->n ? mean->sum / mean->n : (double)NAN;
}

/* Did the key begin before the instant? */
static bool was_there(const struct past *now, int64_t at, int64_t data_from)
{
    const struct kp_store *store = now->reader->store;
    const struct kp_member *member = kp_store_cold(store, now->node)->member;
    const struct kp_zone *zone = store->plan->clocks[kp_store_node(store, now->node)->clock].zone;

    return at >= data_from && (!member || member->start == INT64_MIN || kp_zone_day_start(zone, member->start) <= at);
}

static void take_past(const struct past *now, int64_t data_from, int step, struct kp_baseline *baseline)
{
    const struct kp_plan *plan = now->reader->store->plan;
    const struct kp_alert_cfg *cfg = now->rule->cfg;
    const struct kp_zone *zone = plan->clocks[kp_store_node(now->reader->store, now->node)->clock].zone;
    struct mean from = {0}, to = {0};
    struct past past = *now;
    uint32_t found = 0;

    for (int back = 1; found < cfg->periods && back <= now->rule->reach; back++) {
        past.to = past.from;
        past.from = kp_period_start(zone, cfg->window.period, plan->config->week_start, now->from, -back);
        if (!was_there(now, past.from, data_from))
            return;
        past.work = kp_targets_work(now->targets, now->node, past.from, past.to);
        if (past.work == 0)
            continue;
        put(&from, value_by(&past, by_step(&past, step)));
        put(&to, value_by(&past, by_step(&past, step + 1)));
        found++;
    }
    if (found < cfg->periods)
        return;
    baseline->from = mean_of(&from);
    baseline->to = mean_of(&to);
}

bool kp_baseline_is_good(const struct kp_baseline *baseline, const struct kp_baseline_span *span, int64_t t)
{
    return t >= baseline->from_ms && t < baseline->to_ms && t < baseline->good_until_ms &&
           baseline->past == span->past;
}

void kp_baseline_take(struct kp_reader *reader, const struct kp_targets *targets, const struct kp_plan_rule *rule, uint32_t node,
                      const struct kp_baseline_span *span, int64_t t, struct kp_baseline *baseline)
{
    struct past now = {reader, targets, rule, node, span->from_ms, span->to_ms, 0};
    int64_t done;
    int step;

    *baseline = (struct kp_baseline){span->from_ms, span->to_ms, (double)NAN, (double)NAN, t + FRESH_MS, span->past};
    now.work = kp_targets_work(targets, node, now.from, now.to);
    if (now.work == 0)
        return;
    done = kp_targets_work(targets, node, now.from, t);
    step = (int)((double)done / (double)now.work * KP_BASELINE_STEPS);
    if (step > 0 && by_step(&now, step) > t)    /* by a rounding */
        step--;
    if (step > KP_BASELINE_STEPS - 1)
        step = KP_BASELINE_STEPS - 1;
    baseline->from_ms = by_step(&now, step);
    baseline->to_ms = by_step(&now, step + 1);
    take_past(&now, span->data_from_ms, step, baseline);
}

double kp_baseline_at(const struct kp_targets *targets, uint32_t node, const struct kp_baseline *baseline, int64_t at)
{
    int64_t work;

    if (at >= baseline->to_ms || isnan(baseline->from))
        return baseline->to;
    work = kp_targets_work(targets, node, baseline->from_ms, baseline->to_ms);
    return work ? baseline->from + (baseline->to - baseline->from) *
                                       (double)kp_targets_work(targets, node, baseline->from_ms, at) / (double)work
                : baseline->from;
}
