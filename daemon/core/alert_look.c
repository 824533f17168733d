/* How things stand with a watch: its number, what that is held against, and when time alone will change the answer. */
#include "alert_inside.h"

#include <math.h>
#include <stdlib.h>

enum { SOON_MS = 3600000 };

bool kp_watch_period(const struct kp_alerts *alerts, const struct kp_plan_rule *rule, int clock, int64_t *from, int64_t *to)
{
    const struct kp_plan *plan = kp_alerts_plan(alerts);
    const struct kp_window *window = &rule->cfg->window;
    const struct kp_family *grid;
    int w;

    if (window->kind != KP_WIN_CALENDAR || rule->nparts == 0)
        return false;
    grid = &plan->families[rule->parts[0].family].grids[clock];
    w = rule->parts[0].window;
    *from = grid->from[w];
    *to = kp_family_leaves(grid, w, *from);
    return true;
}

/* Whoever does not work at all in the period has nothing to reach. */
static double target_of(const struct kp_alerts *alerts, const struct kp_plan_rule *rule, uint32_t node)
{
    bool works = kp_target_expected_at(alerts->targets, node, rule->target, INT64_MAX) > 0;

    return works ? kp_target_of(alerts->targets, node, rule->target) : (double)NAN;
}

/* What is usual now, as if nothing had been remembered: the answer must not depend on when somebody looked last. */
static double usual_at(struct kp_alerts *alerts, const struct kp_plan_rule *rule, uint32_t node, int64_t from, int64_t to, int64_t t)
{
    const struct kp_baseline_span span = {from, to, alerts->data_from_ms, alerts->past};
    struct kp_baseline baseline;

    kp_baseline_take(alerts->reader, alerts->targets, rule, node, &span, t, &baseline);
    return kp_baseline_at(alerts->targets, node, &baseline, t);
}

enum kp_status kp_alerts_status(struct kp_alerts *alerts, const struct kp_plan_rule *rule, uint32_t node,
                                struct kp_number number, int64_t t)
{
    uint32_t i = kp_watch_find(alerts, rule, node);
    struct kp_yardstick yard = {.targets = alerts->targets, .rule = rule, .node = node, .given = (double)NAN};
    struct kp_verdict verdict;
    int64_t from = t, to = t;

    kp_watch_period(alerts, rule, kp_store_node(alerts->store, node)->clock, &from, &to);
    if (rule->cfg->compare == KP_CMP_TARGET)
        yard.given = target_of(alerts, rule, node);
    else if (rule->cfg->compare == KP_CMP_BASELINE)
        yard.given = usual_at(alerts, rule, node, from, to, t);
    else if (rule->cfg->compare == KP_CMP_PEERS && i != KP_NO_WATCH)
        yard.given = kp_peers_median(alerts, kp_watch_of(alerts, i), t);
    verdict = kp_judge(&yard, number, from, t);
    if (isnan(verdict.x))
        return KP_STATUS_NONE;
    return verdict.severity == KP_SEVERITY_CRITICAL  ? KP_STATUS_CRITICAL
           : verdict.severity == KP_SEVERITY_WARNING ? KP_STATUS_WARNING
                                                     : KP_STATUS_OK;
}

/* While a source is silent that the number needs, nothing new fires and nothing resolves; what only waits to fire begins
 * anew when it is heard of again. kp_alerts_touch sees to that. */
static bool freeze(struct kp_alerts *alerts, uint32_t i, struct kp_watch *w, int64_t t)
{
    struct kp_number number = {0};

    if (!kp_watch_is_frozen(alerts, w))
        return false;
    if (w->state == KP_ALERT_PENDING) {
        if (kp_store_visible(alerts->store, w->node))
            number = kp_watch_number(alerts, w, t);
        kp_watch_resolve(alerts, w, number, t, "no_data");
    }
    if (kp_watch_again(alerts, w))
        kp_watch_tell(alerts, w, kp_watch_number(alerts, w, t), t);
    w->good_ms = INT64_MIN;    /* whether it is well is not known meanwhile */
    kp_heap_set(&alerts->heap, i, INT64_MAX);
    return true;
}

/* ---- Numbers ---- */

/* When what is expected may be out of reach. Found anew only when it may have come nearer, or is there: a number that has grown
 * turns later, but where there were too few samples to judge it at all. When it is soon it is found anew, too: of many who are to reach
 * the same, the most would else be looked at for nothing, and at one instant. */
static int64_t turns_at(struct kp_watch *w, const struct kp_yardstick *yard, struct kp_number number,
                        const struct kp_verdict *verdict, int64_t t, int64_t to)
{
    bool onset = w->state == KP_ALERT_INACTIVE;
    int answer = onset ? verdict->onset : verdict->answer;

    if (!number.has)
        return INT64_MAX;
    if (!(number.value >= w->turns_at) || t >= w->turns_ms || answer != w->answer || (isnan(verdict->x) && w->turns_ms == INT64_MAX) ||
        (number.value > w->turns_at && t + SOON_MS > w->turns_ms)) {
        w->turns_ms = kp_judge_turns(yard, number, onset, answer, t, to);
        w->turns_at = number.value;
        w->answer = answer;
    }
    return w->turns_ms;
}

/* What is usual around t. NULL: memory is out. */
static const struct kp_baseline *baseline_at(struct kp_alerts *alerts, struct kp_watch *w, int64_t from, int64_t to, int64_t t)
{
    struct kp_baseline_span span = {from, to, alerts->data_from_ms, alerts->past};

    if (!w->baseline)
        w->baseline = calloc(1, sizeof *w->baseline);
    if (!w->baseline || kp_baseline_is_good(w->baseline, &span, t))
        return w->baseline;
    kp_baseline_take(alerts->reader, alerts->targets, kp_watch_rule(alerts, w), w->node, &span, t, w->baseline);
    w->turns_at = (double)NAN;
    return w->baseline;
}

/* What the rule holds the number against. */
static struct kp_yardstick yardstick(struct kp_alerts *alerts, struct kp_watch *w, double peers, int64_t from, int64_t to, int64_t t)
{
    struct kp_yardstick yard = {.targets = alerts->targets, .rule = kp_watch_rule(alerts, w), .node = w->node, .given = peers};

    if (yard.rule->cfg->compare == KP_CMP_TARGET)
        yard.given = target_of(alerts, yard.rule, w->node);
    if (yard.rule->cfg->compare == KP_CMP_BASELINE) {
        yard.baseline = baseline_at(alerts, w, from, to, t);
        yard.given = yard.baseline ? kp_baseline_at(alerts->targets, w->node, yard.baseline, t) : (double)NAN;
    }
    w->given = yard.given;
    return yard;
}

/* A period's end takes its alert along. */
static void begin_period(struct kp_alerts *alerts, struct kp_watch *w, struct kp_number number, int64_t from, int64_t t)
{
    if (w->period_ms == from)
        return;
    w->p = (double)NAN;     /* it was of the last look at what is over */
    if (w->state != KP_ALERT_INACTIVE)
        kp_watch_resolve(alerts, w, number, t, "period_ended");
    w->turns_at = (double)NAN;
    w->period_ms = from;
}

/* Is there somebody to judge? */
static bool is_here(const struct kp_alerts *alerts, const struct kp_watch *w, int64_t t, struct kp_stand *stand)
{
    bool here = kp_store_is_here(alerts->store, w->node, t);

    stand->left = !here && kp_store_cold(alerts->store, w->node)->member;
    if (!here && !stand->left)
        kp_store_node(alerts->store, w->node)->flags |= KP_NODE_UNSEEN;
    return here;
}

/* The number, and when it may be another one that makes a difference: what is held against a threshold that never moves is known
 * ahead, and most of what leaves a window makes none. */
static struct kp_number number_ahead(struct kp_alerts *alerts, const struct kp_watch *w, int64_t t, int64_t *wake)
{
    const struct kp_plan_rule *rule = kp_watch_rule(alerts, w);

    if (rule->cfg->compare != KP_CMP_VALUE)
        return kp_read_rule(alerts->reader, rule, w->node, t, wake);
    return kp_read_rule_ahead(alerts->reader, rule, w->node, t,
                              w->state == KP_ALERT_INACTIVE ? kp_judge_onset : kp_judge_answer, wake);
}

/* Returns when time alone may change it. */
static int64_t stand_by_number(struct kp_alerts *alerts, struct kp_watch *w, double peers, int64_t t, struct kp_stand *stand)
{
    const struct kp_plan_rule *rule = kp_watch_rule(alerts, w);
    int64_t wake = INT64_MAX, from = t, to = INT64_MAX;
    struct kp_yardstick yard;

    if (kp_store_visible(alerts->store, w->node))
        stand->number = number_ahead(alerts, w, t, &wake);
    if (kp_watch_period(alerts, rule, kp_store_node(alerts->store, w->node)->clock, &from, &to)) {
        kp_no_later(&wake, to, t);
        begin_period(alerts, w, stand->number, from, t);
    }
    if (!is_here(alerts, w, t, stand))
        return wake;
    if (rule->cfg->compare == KP_CMP_PEERS && !kp_peers_has_worked(alerts, rule, w->node, t))
        kp_no_later(&wake, kp_targets_when(alerts->targets, w->node, t, 1), t);
    yard = yardstick(alerts, w, peers, from, to, t);
    stand->verdict = kp_judge(&yard, stand->number, from, t);
    kp_no_later(&wake, stand->verdict.early_until, t);
    if (yard.baseline) {
        to = yard.baseline->to_ms < to ? yard.baseline->to_ms : to;
        kp_no_later(&wake, to < yard.baseline->good_until_ms ? to : yard.baseline->good_until_ms, t);
    }
    if (stand->verdict.early_until == INT64_MAX && (rule->cfg->compare == KP_CMP_PACE || yard.baseline))
        kp_no_later(&wake, turns_at(w, &yard, stand->number, &stand->verdict, t, to), t);
    return wake;
}

/* ---- Silence ---- */

/* Who was never heard of is silent since there is somebody who could have heard. */
static int64_t silent_since(const struct kp_alerts *alerts, const struct kp_watch *w)
{
    return w->seen_ms > alerts->began_ms ? w->seen_ms : alerts->began_ms;
}

static int64_t stand_by_silence(struct kp_alerts *alerts, struct kp_watch *w, int64_t t, struct kp_stand *stand)
{
    const struct kp_alert_cfg *cfg = kp_watch_rule(alerts, w)->cfg;
    int64_t since = silent_since(alerts, w), ms, next;

    if (!is_here(alerts, w, t, stand))
        return INT64_MAX;
    ms = kp_targets_work(alerts->targets, w->node, since, t);
    stand->number = (struct kp_number){.value = (double)ms / 1000, .has = true};
    stand->verdict = kp_judge_lapse(cfg, ms);
    next = kp_judge_lapse_next(cfg, ms);
    return next == INT64_MAX ? next : kp_targets_when(alerts->targets, w->node, since, next);
}

/* ---- What is open ---- */

static int64_t stand_by_place(struct kp_alerts *alerts, struct kp_watch *w, int64_t t, struct kp_stand *stand)
{
    const struct kp_alert_cfg *cfg = kp_watch_rule(alerts, w)->cfg;
    int64_t ms = t > w->seen_ms ? t - w->seen_ms : 0, next;

    if (!is_here(alerts, w, t, stand))
        return INT64_MAX;
    stand->number = kp_watch_number(alerts, w, t);
    stand->verdict = kp_judge_lapse(cfg, ms);
    next = kp_judge_lapse_next(cfg, ms);
    return next == INT64_MAX ? next : w->seen_ms + next;
}

/* ---- The look ---- */

struct kp_number kp_watch_number(struct kp_alerts *alerts, struct kp_watch *w, int64_t t)
{
    const struct kp_plan_rule *rule = kp_watch_rule(alerts, w);
    int64_t wake;

    if (w->kind == KP_WATCH_CROWD)
        return kp_crowd_number(alerts, w, t);
    if (w->kind == KP_WATCH_ENTITY)
        return (struct kp_number){.value = t > w->seen_ms ? (double)(t - w->seen_ms) / 1000 : 0, .has = true};
    if (rule->cfg->compare == KP_CMP_SILENCE)
        return (struct kp_number){.value = (double)kp_targets_work(alerts->targets, w->node, silent_since(alerts, w), t) / 1000,
                                  .has = true};
    return kp_read_rule(alerts->reader, rule, w->node, t, &wake);
}

void kp_watch_judge(struct kp_alerts *alerts, uint32_t i, int64_t t, double peers)
{
    struct kp_watch *w = kp_watch_of(alerts, i);
    const struct kp_alert_cfg *cfg = kp_watch_rule(alerts, w)->cfg;
    struct kp_stand stand = {.verdict = kp_no_verdict};
    int64_t wake, opens = t;

    alerts->evaluations++;
    if (freeze(alerts, i, w, t))
        return;
    wake = w->kind == KP_WATCH_ENTITY       ? stand_by_place(alerts, w, t, &stand)
           : cfg->compare == KP_CMP_SILENCE ? stand_by_silence(alerts, w, t, &stand)
                                            : stand_by_number(alerts, w, peers, t, &stand);
    if (stand.verdict.severity != KP_SEVERITY_NONE && w->state != KP_ALERT_FIRING && !cfg->always)
        opens = kp_targets_opens(alerts->targets, w->node, t);
    stand.may_start = opens == t;
    kp_no_later(&wake, opens, t);
    kp_no_later(&wake, kp_watch_live(alerts, i, &stand, t), t);
    kp_no_later(&wake, kp_store_expires(alerts->store, w->node), t);
    kp_no_later(&wake, kp_store_comes_or_goes(alerts->store, w->node, t), t);
    if (w->state == KP_ALERT_PENDING && !cfg->always)
        kp_no_later(&wake, kp_targets_closes(alerts->targets, w->node, t), t);
    kp_heap_set(&alerts->heap, i, wake);
}

static void look(struct kp_alerts *alerts, uint32_t i, int64_t t, int64_t peers_from)
{
    struct kp_watch *w = kp_watch_of(alerts, i);

    if (w->kind == KP_WATCH_CROWD)
        kp_crowd_look(alerts, i, t);
    else if (w->kind == KP_WATCH_KEY && kp_watch_rule(alerts, w)->cfg->compare == KP_CMP_STALLED)
        return;     /* what is open is watched, and not its keys */
    else if (kp_watch_rule(alerts, w)->cfg->compare != KP_CMP_PEERS)
        kp_watch_judge(alerts, i, t, (double)NAN);
    else
        kp_peers_want(alerts, w, peers_from);
    if (kp_watch_again(alerts, w))      /* one that waits for its peers need not wait with that */
        kp_watch_tell(alerts, w, kp_watch_number(alerts, w, t), t);
}

void kp_watch_look(struct kp_alerts *alerts, uint32_t i, int64_t t)
{
    look(alerts, i, t, t);
}

void kp_watch_touched(struct kp_alerts *alerts, uint32_t i, int64_t t)
{
    look(alerts, i, t, t + 1);
}
