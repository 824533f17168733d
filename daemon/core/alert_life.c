#include "alert_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void tell(struct kp_alerts *alerts, struct kp_watch *w, struct kp_number number, int64_t t)
{
    kp_watch_fill(alerts, w, number, t);
    w->sent_ms = t;
    kp_watch_hand_out(alerts);
}

static void count(struct kp_alerts *alerts, uint8_t state, uint64_t by)
{
    if (state == KP_ALERT_PENDING)
        alerts->pending += by;
    else if (state == KP_ALERT_FIRING)
        alerts->firing += by;
}

/* List it among the active ones. Out of memory: it stays inactive, and is tried again at the next look. */
static bool activate(struct kp_alerts *alerts, uint32_t i, struct kp_watch *w)
{
    if (w->active != KP_NO_WATCH)
        return true;
    if (alerts->nactive == alerts->active_room) {
        uint32_t room = alerts->active_room ? alerts->active_room * 2 : 256;
        uint32_t *grown = realloc(alerts->active, (size_t)room * sizeof *grown);

        if (!grown)
            return false;
        alerts->active = grown;
        alerts->active_room = room;
    }
    w->active = alerts->nactive;
    alerts->active[alerts->nactive++] = i;
    return true;
}

static void enter_state(struct kp_alerts *alerts, struct kp_watch *w, uint8_t state)
{
    count(alerts, w->state, (uint64_t)-1);
    w->state = state;
    count(alerts, state, 1);
}

static void resolve(struct kp_alerts *alerts, struct kp_watch *w, struct kp_number number, int64_t t, const char *reason)
{
    bool was_pending = w->state == KP_ALERT_PENDING;
    uint32_t last = alerts->active[--alerts->nactive];

    enter_state(alerts, w, KP_ALERT_RESOLVED);
    kp_watch_fill(alerts, w, number, t);
    alerts->out.quiet = was_pending;
    alerts->out.reason = reason;
    alerts->active[w->active] = last;
    kp_watch_at(alerts, last)->active = w->active;
    w->active = KP_NO_WATCH;
    w->state = KP_ALERT_INACTIVE;
    w->severity = KP_SEVERITY_NONE;
    kp_watch_hand_out(alerts);
}

static void fire(struct kp_alerts *alerts, struct kp_watch *w, struct kp_number number, int64_t t)
{
    enter_state(alerts, w, KP_ALERT_FIRING);
    w->good_ms = INT64_MIN;
    tell(alerts, w, number, t);
}

static void breach(struct kp_alerts *alerts, uint32_t i, struct kp_watch *w, enum kp_severity severity,
                   struct kp_number number, int64_t t)
{
    const struct kp_alert_cfg *cfg = kp_alerts_plan(alerts)->rules[w->rule].cfg;

    if (!activate(alerts, i, w))
        return;
    w->since_ms = t;
    w->severity = (uint8_t)severity;
    if (cfg->for_ms == 0) {
        fire(alerts, w, number, t);
        return;
    }
    enter_state(alerts, w, KP_ALERT_PENDING);
    tell(alerts, w, number, t);
}

static void look_pending(struct kp_alerts *alerts, struct kp_watch *w, enum kp_severity severity,
                         struct kp_number number, int64_t t)
{
    const struct kp_alert_cfg *cfg = kp_alerts_plan(alerts)->rules[w->rule].cfg;
    bool changed = severity != w->severity;

    if (severity == KP_SEVERITY_NONE) {
        resolve(alerts, w, number, t, NULL);
        return;
    }
    w->severity = (uint8_t)severity;
    if (t - w->since_ms >= cfg->for_ms)
        fire(alerts, w, number, t);
    else if (changed)
        tell(alerts, w, number, t);
}

/* Worse at once; better only when the number is back past `critical` by the margin. */
static bool changes_severity(const struct kp_alert_cfg *cfg, struct kp_watch *w, enum kp_severity severity, double x)
{
    if (severity > w->severity) {
        w->severity = (uint8_t)severity;
        return true;
    }
    if (w->severity == KP_SEVERITY_CRITICAL && cfg->warning.set && !isnan(x) && kp_judge_back(cfg, &cfg->critical, x) &&
        !kp_judge_back(cfg, &cfg->warning, x)) {
        w->severity = KP_SEVERITY_WARNING;
        return true;
    }
    return false;
}

static void look_firing(struct kp_alerts *alerts, struct kp_watch *w, enum kp_severity severity, double x,
                        struct kp_number number, int64_t t)
{
    const struct kp_alert_cfg *cfg = kp_alerts_plan(alerts)->rules[w->rule].cfg;
    const struct kp_bound *outer = cfg->warning.set ? &cfg->warning : &cfg->critical;
    bool good = isnan(x) || (severity == KP_SEVERITY_NONE && kp_judge_back(cfg, outer, x));

    if (!good)
        w->good_ms = INT64_MIN;
    else if (w->good_ms == INT64_MIN)
        w->good_ms = t;
    if (good && t - w->good_ms >= cfg->keep_firing_ms) {
        resolve(alerts, w, number, t, isnan(x) ? "no_samples" : NULL);
        return;
    }
    if (changes_severity(cfg, w, severity, x) || (cfg->repeat_ms && t - w->sent_ms >= cfg->repeat_ms))
        tell(alerts, w, number, t);
}

/* Bounds of the running period of a calendar rule; false for rolling windows. */
static bool period_of(const struct kp_alerts *alerts, const struct kp_plan_rule *rule, int clock, int64_t *from, int64_t *to)
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

enum kp_status kp_alerts_status(const struct kp_alerts *alerts, const struct kp_plan_rule *rule, uint32_t node,
                                struct kp_number number, int64_t t)
{
    struct kp_verdict verdict;
    int64_t from = t, to;

    period_of(alerts, rule, kp_store_node(alerts->store, node)->clock, &from, &to);
    verdict = kp_judge(alerts->targets, rule, node, number, from, t);
    if (isnan(verdict.x))
        return KP_STATUS_NONE;
    return verdict.severity == KP_SEVERITY_CRITICAL  ? KP_STATUS_CRITICAL
           : verdict.severity == KP_SEVERITY_WARNING ? KP_STATUS_WARNING
                                                     : KP_STATUS_OK;
}

static void sooner(int64_t *when, int64_t at, int64_t t)
{
    if (at > t && at < *when)
        *when = at;
}

/* When to look again although no event comes. */
static int64_t wake_at(const struct kp_alerts *alerts, const struct kp_watch *w, const struct kp_alert_cfg *cfg,
                       int64_t wake, int64_t t)
{
    if (w->state == KP_ALERT_PENDING)
        sooner(&wake, w->since_ms + cfg->for_ms, t);
    if (w->state == KP_ALERT_FIRING) {
        if (w->good_ms != INT64_MIN)
            sooner(&wake, w->good_ms + cfg->keep_firing_ms, t);
        if (cfg->repeat_ms)
            sooner(&wake, w->sent_ms + cfg->repeat_ms, t);
    }
    sooner(&wake, kp_store_expires(alerts->store, w->node), t);
    return wake;
}

/* Outside of the key's working hours nothing starts firing: what is pending waits, and what is not does not begin. */
static bool may_start(const struct kp_alerts *alerts, const struct kp_watch *w, const struct kp_alert_cfg *cfg, int64_t t,
                      int64_t *opens)
{
    *opens = cfg->always ? t : kp_targets_opens(alerts->targets, w->node, t);
    return *opens == t;
}

/* While a source is silent that the number needs, nothing new fires and nothing resolves; what only waits to fire begins
 * anew when it is heard of again. kp_alerts_touch sees to that. */
static bool freeze(struct kp_alerts *alerts, uint32_t i, struct kp_watch *w, int64_t t)
{
    const struct kp_plan_rule *rule = &kp_alerts_plan(alerts)->rules[w->rule];
    struct kp_number number = {0};
    int64_t wake;

    if (!kp_sources_no_data(alerts->sources, rule->kpi))
        return false;
    if (w->state == KP_ALERT_PENDING) {
        if (kp_store_visible(alerts->store, w->node))
            number = kp_read_rule(alerts->reader, rule, w->node, t, &wake);
        resolve(alerts, w, number, t, "no_data");
    }
    w->good_ms = INT64_MIN;    /* whether it is well is not known meanwhile */
    kp_heap_set(&alerts->heap, i, INT64_MAX);
    return true;
}

/* When what is expected may be out of reach. Found anew only when it may have come nearer, or is there: a number that has grown
 * turns later. */
static int64_t turns_at(struct kp_alerts *alerts, struct kp_watch *w, const struct kp_plan_rule *rule, struct kp_number number,
                        const struct kp_verdict *verdict, int64_t t, int64_t to)
{
    if (rule->cfg->compare != KP_CMP_PACE || !number.has)
        return INT64_MAX;
    if (!(number.value >= w->turns_at) || t >= w->turns_ms || verdict->answer != w->answer) {
        w->turns_ms = kp_judge_turns(alerts->targets, rule, w->node, number, verdict->answer, t, to);
        w->turns_at = number.value;
        w->answer = verdict->answer;
    }
    return w->turns_ms;
}

void kp_watch_look(struct kp_alerts *alerts, uint32_t i, int64_t t)
{
    struct kp_watch *w = kp_watch_at(alerts, i);
    const struct kp_plan_rule *rule = &kp_alerts_plan(alerts)->rules[w->rule];
    struct kp_verdict verdict = {KP_SEVERITY_NONE, (double)NAN, (double)NAN, -1, INT64_MAX};
    struct kp_number number = {0};
    int64_t wake = INT64_MAX, from = t, to = INT64_MAX, opens;

    alerts->evaluations++;
    if (freeze(alerts, i, w, t))
        return;
    if (kp_store_visible(alerts->store, w->node))
        number = kp_read_rule(alerts->reader, rule, w->node, t, &wake);
    if (period_of(alerts, rule, kp_store_node(alerts->store, w->node)->clock, &from, &to)) {
        sooner(&wake, to, t);
        if (w->state != KP_ALERT_INACTIVE && w->period_ms != from)
            resolve(alerts, w, number, t, "period_ended");
        if (w->period_ms != from)
            w->turns_at = (double)NAN;
        w->period_ms = from;
    }
    if (kp_store_visible(alerts->store, w->node)) {
        verdict = kp_judge(alerts->targets, rule, w->node, number, from, t);
        sooner(&wake, verdict.early_until, t);
        if (verdict.early_until == INT64_MAX)
            sooner(&wake, turns_at(alerts, w, rule, number, &verdict, t, to), t);
    }
    w->p = verdict.p;
    if (w->state == KP_ALERT_FIRING)
        look_firing(alerts, w, verdict.severity, verdict.x, number, t);
    else if (verdict.severity != KP_SEVERITY_NONE && !may_start(alerts, w, rule->cfg, t, &opens))
        sooner(&wake, opens, t);
    else if (w->state == KP_ALERT_PENDING)
        look_pending(alerts, w, verdict.severity, number, t);
    else if (verdict.severity != KP_SEVERITY_NONE)
        breach(alerts, i, w, verdict.severity, number, t);
    kp_heap_set(&alerts->heap, i, wake_at(alerts, w, rule->cfg, wake, t));
}
