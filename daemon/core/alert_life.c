#include "alert_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

bool kp_watch_resume(struct kp_alerts *alerts, uint32_t i)
{
    struct kp_watch *w = kp_watch_of(alerts, i);

    if (!activate(alerts, i, w))
        return false;
    if (!w->grouped)
        count(alerts, w->state, 1);
    return true;
}

void kp_watch_tell(struct kp_alerts *alerts, struct kp_watch *w, struct kp_number number, int64_t t)
{
    w->sent_ms = t;
    if (w->untold || w->grouped) {      /* its crowd will */
        kp_crowd_stir(alerts, w);
        return;
    }
    kp_watch_fill(alerts, w, number, t);
    w->silenced = alerts->out.silenced;
    w->again = KP_AGAIN_NOT;
    kp_watch_hand_out(alerts);
}

/* Lives that begin at the same instant, as late events have it, are told apart. */
static void begin_life(struct kp_watch *w, int64_t t)
{
    w->twin = w->since_ms == t ? (uint8_t)(w->twin + 1) : 0;
    w->since_ms = t;
}

bool kp_watch_begin(struct kp_alerts *alerts, uint32_t i, int64_t t)
{
    struct kp_watch *w = kp_watch_of(alerts, i);

    if (!activate(alerts, i, w))
        return false;
    enter_state(alerts, w, KP_ALERT_FIRING);
    begin_life(w, t);
    w->warned_ms = t;
    w->good_ms = INT64_MIN;
    return true;
}

void kp_watch_resolve(struct kp_alerts *alerts, struct kp_watch *w, struct kp_number number, int64_t t, const char *reason)
{
    bool was_pending = w->state == KP_ALERT_PENDING;
    uint32_t last = alerts->active[--alerts->nactive];

    enter_state(alerts, w, KP_ALERT_RESOLVED);
    w->flapping = false;
    alerts->active[w->active] = last;
    kp_watch_of(alerts, last)->active = w->active;
    w->active = KP_NO_WATCH;
    if (!w->untold && !w->grouped) {
        kp_watch_fill(alerts, w, number, t);
        alerts->out.quiet = was_pending;
        alerts->out.reason = reason;
        kp_watch_hand_out(alerts);
    }
    if (w->grouped)
        alerts->firing++;       /* it was not counted any more */
    if (!was_pending && kp_crowd_has(alerts, w)) {
        w->news = true;
        kp_crowd_stir(alerts, w);
    }
    w->untold = w->grouped = false;
    w->state = KP_ALERT_INACTIVE;
    w->severity = KP_SEVERITY_NONE;
    w->again = KP_AGAIN_NOT;
    kp_watch_drop_ack(alerts, w);
}

/* ---- What changes all the time ---- */

/* It changes, or would if it were not held. True: so often that it is to be held as it is. */
static bool changes_too_often(struct kp_alerts *alerts, struct kp_watch *w, int64_t t)
{
    const struct kp_alert_cfg *cfg = kp_watch_rule(alerts, w)->cfg;

    if (!cfg->flap_changes)
        return false;
    w->flaps = kp_flaps_note(&alerts->flaps, w->flaps, t);
    return kp_flaps_count(&alerts->flaps, w->flaps, t, cfg->flap_within_ms) > cfg->flap_changes;
}

/* Fewer than this many changes of late are calm. */
static uint32_t calm_below(const struct kp_alert_cfg *cfg)
{
    return cfg->flap_changes / 2 + 1;
}

static bool is_calm(const struct kp_alerts *alerts, const struct kp_watch *w, int64_t t)
{
    const struct kp_alert_cfg *cfg = kp_watch_rule(alerts, w)->cfg;

    return kp_flaps_count(&alerts->flaps, w->flaps, t, cfg->flap_within_ms) < calm_below(cfg);
}

/* The changes of what is over are forgotten once they are old. */
static void forget_changes(struct kp_alerts *alerts, struct kp_watch *w, int64_t t)
{
    if (!w->flaps || w->state != KP_ALERT_INACTIVE ||
        kp_flaps_count(&alerts->flaps, w->flaps, t, kp_watch_rule(alerts, w)->cfg->flap_within_ms))
        return;
    kp_flaps_give_back(&alerts->flaps, w->flaps);
    w->flaps = 0;
}

/* ---- From state to state ---- */

static void fire(struct kp_alerts *alerts, struct kp_watch *w, struct kp_number number, int64_t t)
{
    enter_state(alerts, w, KP_ALERT_FIRING);
    w->warned_ms = t;
    w->good_ms = INT64_MIN;
    w->escalated = false;
    w->stood = w->severity;
    w->flapping = changes_too_often(alerts, w, t);
    w->untold = w->news = kp_crowd_has(alerts, w);
    kp_watch_tell(alerts, w, number, t);
}

static void breach(struct kp_alerts *alerts, uint32_t i, struct kp_watch *w, enum kp_severity severity,
                   struct kp_number number, int64_t t)
{
    const struct kp_alert_cfg *cfg = kp_watch_rule(alerts, w)->cfg;

    if (!activate(alerts, i, w))
        return;
    begin_life(w, t);
    w->severity = (uint8_t)severity;
    if (cfg->for_ms == 0) {
        fire(alerts, w, number, t);
        return;
    }
    enter_state(alerts, w, KP_ALERT_PENDING);
    kp_watch_tell(alerts, w, number, t);
}

static void look_pending(struct kp_alerts *alerts, struct kp_watch *w, enum kp_severity severity,
                         struct kp_number number, int64_t t)
{
    const struct kp_alert_cfg *cfg = kp_watch_rule(alerts, w)->cfg;
    bool changed = severity != w->severity;

    if (severity == KP_SEVERITY_NONE) {
        kp_watch_resolve(alerts, w, number, t, NULL);
        return;
    }
    if (severity > w->severity)
        kp_watch_drop_ack(alerts, w);
    w->severity = (uint8_t)severity;
    if (t - w->since_ms >= cfg->for_ms)
        fire(alerts, w, number, t);
    else if (changed)
        kp_watch_tell(alerts, w, number, t);
}

/* Worse at once; better only when the number is back past `critical` by the margin. */
static bool changes_severity(const struct kp_alert_cfg *cfg, struct kp_watch *w, enum kp_severity severity, double x, int64_t t)
{
    if (severity > w->severity) {
        w->severity = (uint8_t)severity;
        return true;
    }
    if (w->severity == KP_SEVERITY_CRITICAL && cfg->warning.set && !w->escalated && !isnan(x) &&
        kp_judge_back(cfg, &cfg->critical, x) && !kp_judge_back(cfg, &cfg->warning, x)) {
        w->severity = KP_SEVERITY_WARNING;
        w->warned_ms = t;
        return true;
    }
    return false;
}

/* Nobody is to find in the morning that a warning of the evening became critical overnight. */
static int64_t escalates_at(const struct kp_alerts *alerts, const struct kp_watch *w)
{
    const struct kp_alert_cfg *cfg = kp_watch_rule(alerts, w)->cfg;

    return cfg->always ? w->warned_ms + cfg->escalate_ms
                       : kp_targets_when(alerts->targets, w->node, w->warned_ms, cfg->escalate_ms);
}

/* What somebody sees to does not get worse by that it lasts. */
static bool escalates(const struct kp_alerts *alerts, struct kp_watch *w, int64_t t)
{
    if (!kp_watch_rule(alerts, w)->cfg->escalate_ms || w->severity != KP_SEVERITY_WARNING || escalates_at(alerts, w) > t ||
        kp_watch_is_acked(alerts, w))
        return false;
    w->severity = KP_SEVERITY_CRITICAL;
    w->escalated = true;
    return true;
}

/* It is back: over, unless it comes and goes all the time. */
static void get_well(struct kp_alerts *alerts, struct kp_watch *w, const struct kp_stand *stand, int64_t t)
{
    if (isnan(stand->verdict.x)) {
        kp_watch_resolve(alerts, w, stand->number, t, "no_samples");
    } else if (changes_too_often(alerts, w, t)) {
        w->flapping = true;
        kp_watch_tell(alerts, w, stand->number, t);
    } else {
        kp_watch_resolve(alerts, w, stand->number, t, NULL);
    }
}

/* Held as it is: only what it would do is noted, until that is seldom enough. */
static bool is_held(struct kp_alerts *alerts, struct kp_watch *w, enum kp_severity stands, int64_t t)
{
    if (!w->flapping)
        return false;
    if (stands != w->stood)
        changes_too_often(alerts, w, t);
    if (!is_calm(alerts, w, t))
        return true;
    w->flapping = false;
    return false;
}

static void look_firing(struct kp_alerts *alerts, struct kp_watch *w, const struct kp_stand *stand, int64_t t)
{
    const struct kp_alert_cfg *cfg = kp_watch_rule(alerts, w)->cfg;
    const struct kp_bound *outer = cfg->warning.set ? &cfg->warning : &cfg->critical;
    double x = stand->verdict.x;
    bool good = isnan(x) || (stand->verdict.severity == KP_SEVERITY_NONE && kp_judge_back(cfg, outer, x));
    uint8_t before = w->severity;
    uint8_t stands = good ? KP_SEVERITY_NONE : stand->verdict.severity ? (uint8_t)stand->verdict.severity : KP_SEVERITY_WARNING;
    bool was_flapping = w->flapping, held = is_held(alerts, w, stands, t), tells = was_flapping && !held;

    w->stood = stands;
    if (!good)
        w->good_ms = INT64_MIN;
    else if (w->good_ms == INT64_MIN)
        w->good_ms = t;
    if (!held && good && t - w->good_ms >= cfg->keep_firing_ms) {
        get_well(alerts, w, stand, t);
        return;
    }
    if (!held && (changes_severity(cfg, w, stand->verdict.severity, x, t) || (!good && escalates(alerts, w, t)))) {
        w->flapping = changes_too_often(alerts, w, t);
        tells = true;
    }
    if (w->severity > before)
        kp_watch_drop_ack(alerts, w);
    if (tells || (cfg->repeat_ms && t - w->sent_ms >= cfg->repeat_ms && !kp_watch_is_hushed(alerts, w)))
        kp_watch_tell(alerts, w, stand->number, t);
}

/* ---- The whole ---- */

static int64_t wakes_at(const struct kp_alerts *alerts, const struct kp_watch *w, int64_t t)
{
    const struct kp_alert_cfg *cfg = kp_watch_rule(alerts, w)->cfg;
    int64_t wake = INT64_MAX;

    if (w->state == KP_ALERT_PENDING)
        kp_no_later(&wake, w->since_ms + cfg->for_ms, t);
    if (w->state == KP_ALERT_FIRING) {
        if (w->good_ms != INT64_MIN && !w->flapping)
            kp_no_later(&wake, w->good_ms + cfg->keep_firing_ms, t);
        if (cfg->repeat_ms)
            kp_no_later(&wake, w->sent_ms + cfg->repeat_ms, t);
        if (cfg->escalate_ms && w->severity == KP_SEVERITY_WARNING)
            kp_no_later(&wake, escalates_at(alerts, w), t);
        if (w->flapping && !is_calm(alerts, w, t))
            kp_no_later(&wake, kp_flaps_fewer(&alerts->flaps, w->flaps, calm_below(cfg), cfg->flap_within_ms), t);
    }
    if (w->state == KP_ALERT_INACTIVE && w->flaps)
        kp_no_later(&wake, kp_flaps_fewer(&alerts->flaps, w->flaps, 1, cfg->flap_within_ms), t);
    return wake;
}

int64_t kp_watch_live(struct kp_alerts *alerts, uint32_t i, const struct kp_stand *stand, int64_t t)
{
    struct kp_watch *w = kp_watch_of(alerts, i);
    bool bad = stand->verdict.severity != KP_SEVERITY_NONE;

    w->p = stand->verdict.p;
    if (w->state != KP_ALERT_INACTIVE && stand->left)
        kp_watch_resolve(alerts, w, stand->number, t, "left");
    else if (w->state == KP_ALERT_FIRING)
        look_firing(alerts, w, stand, t);
    else if (w->state == KP_ALERT_PENDING && bad && !stand->may_start)
        kp_watch_resolve(alerts, w, stand->number, t, "out_of_hours");      /* it begins anew in the morning */
    else if (w->state == KP_ALERT_PENDING)
        look_pending(alerts, w, stand->verdict.severity, stand->number, t);
    else if (bad && stand->may_start)
        breach(alerts, i, w, stand->verdict.severity, stand->number, t);
    if (kp_watch_again(alerts, w))
        kp_watch_tell(alerts, w, stand->number, t);
    forget_changes(alerts, w, t);
    return wakes_at(alerts, w, t);
}
