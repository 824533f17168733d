#include "alert_inside.h"

#include "kpid/message.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { EVENTS_LOOK = 1024 };

uint64_t kp_watch_id(const struct kp_alerts *alerts, const struct kp_watch *w)
{
    const struct kp_plan *plan = kp_alerts_plan(alerts);
    const char *rule = plan->rules[w->rule].cfg->name;
    char text[8 + (KP_DEPTH_MAX + 1) * (KP_GROUP_KEY_MAX + 1) + 1 + KP_ENTITY_NAME + 8];
    uint32_t path[KP_DEPTH_MAX];
    int n = kp_store_path(alerts->store, w->node, path);
    size_t len = 0;

    memcpy(text, &w->since_ms, sizeof w->since_ms);
    len = sizeof w->since_ms;
    for (int i = 0; i < n; i++) {
        const struct kp_node_cold *cold = kp_store_cold(alerts->store, path[i]);
        size_t take = cold->key_len > KP_GROUP_KEY_MAX ? KP_GROUP_KEY_MAX : cold->key_len;

        memcpy(text + len, cold->key, take);
        len += take;
        text[len++] = '\0';
    }
    if (w->twin)
        text[len++] = (char)w->twin;
    if (w->kind == KP_WATCH_ENTITY) {
        const char *name = kp_entities_name(alerts->entities, w->entity);

        memcpy(text + len, name, strlen(name) + 1);
        len += strlen(name) + 1;
        memcpy(text + len, &w->seen_ms, sizeof w->seen_ms);
        len += sizeof w->seen_ms;
    }
    return kp_print_of2(0, 0, rule, strlen(rule), text, len).hi;
}

void kp_watch_path(const struct kp_alerts *alerts, uint32_t node, char *buf, size_t size)
{
    uint32_t path[KP_DEPTH_MAX];
    int n = kp_store_path(alerts->store, node, path);
    size_t len = 0;

    buf[0] = '\0';
    for (int i = 0; i < n && len < size; i++)
        len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? " / " : "", kp_store_cold(alerts->store, path[i])->key);
}

static const char *usual_message(const struct kp_alert_cfg *cfg)
{
    static const char *const usual[] = {
        [KP_CMP_VALUE] = "{name}: {title} {value}, threshold {threshold}, {window}",
        [KP_CMP_TARGET] = "{name}: {title} {value} of {target} ({percent}), {window}",
        [KP_CMP_PACE] = "{name}: {title} {value} of {expected} by now ({percent} of pace), {window}",
        [KP_CMP_PEERS] = "{name}: {title} {value}, {percent} of the others' {expected}, {window}",
        [KP_CMP_BASELINE] = "{name}: {title} {value}, {percent} of the usual {expected} by now, {window}",
        [KP_CMP_SILENCE] = "{name}: {title}: nothing for {value} of working time",
        [KP_CMP_STALLED] = "{name}: {entity} has not moved for {value}",
    };

    return cfg->message ? cfg->message : usual[cfg->compare];
}

static void render(struct kp_alerts *alerts, struct kp_alert *a)
{
    const struct kp_plan *plan = kp_alerts_plan(alerts);
    const struct kp_alert_cfg *cfg = a->rule;
    const struct kp_kpi_cfg *kpi = plan->kpis[kp_plan_find_kpi(plan, cfg->kpi, strlen(cfg->kpi))].cfg;
    char value[64], target[64], expected[64], percent[64], ratio[64], threshold[64], n[24], path[512];
    const char *texts[KP_PLACEHOLDERS] = {
        [KP_PH_NAME] = kp_store_name(alerts->store, a->node),
        [KP_PH_KEY] = kp_store_cold(alerts->store, a->node)->key,
        [KP_PH_LEVEL] = cfg->level, [KP_PH_PATH] = path, [KP_PH_KPI] = cfg->kpi,
        [KP_PH_TITLE] = kpi->title ? kpi->title : kpi->name, [KP_PH_UNIT] = kpi->unit ? kpi->unit : "",
        [KP_PH_WINDOW] = cfg->window.text, [KP_PH_VALUE] = value, [KP_PH_TARGET] = target,
        [KP_PH_EXPECTED] = expected, [KP_PH_PERCENT] = percent, [KP_PH_RATIO] = ratio, [KP_PH_THRESHOLD] = threshold,
        [KP_PH_N] = n, [KP_PH_SEVERITY] = a->severity == KP_SEVERITY_CRITICAL ? "critical" : "warning",
        [KP_PH_RULE] = cfg->name, [KP_PH_ENTITY] = a->entity ? a->entity : "",
    };

    kp_number_text(a->value.value, a->value.has, kpi->unit, value, sizeof value);
    kp_number_text(a->target, !isnan(a->target), kpi->unit, target, sizeof target);
    kp_number_text(a->expected, !isnan(a->expected), kpi->unit, expected, sizeof expected);
    kp_number_text(a->ratio, !isnan(a->ratio), "%", percent, sizeof percent);
    kp_number_text(a->ratio, !isnan(a->ratio), NULL, ratio, sizeof ratio);
    kp_number_text(a->threshold, true, cfg->compare != KP_CMP_VALUE ? "%" : kpi->unit, threshold, sizeof threshold);
    if (kp_is_lapse(cfg)) {
        kp_lapse_text(a->value.value, cfg->compare == KP_CMP_STALLED, value, sizeof value);
        kp_lapse_text(a->threshold, cfg->compare == KP_CMP_STALLED, threshold, sizeof threshold);
    }
    snprintf(n, sizeof n, "%lld", (long long)a->value.n);
    kp_watch_path(alerts, a->node, path, sizeof path);
    kp_message_render(usual_message(cfg), texts, a->message, sizeof a->message);
}

/* The threshold of its severity; of a warning that only became critical by lasting, still that of a warning. */
static const struct kp_bound *passed(const struct kp_watch *w, const struct kp_alert_cfg *cfg)
{
    bool critical = w->severity == KP_SEVERITY_CRITICAL && !w->escalated;

    return (critical && cfg->critical.set) || !cfg->warning.set ? &cfg->critical : &cfg->warning;
}

/* What there is to compare with. */
static void measure(struct kp_alerts *alerts, const struct kp_watch *w, int64_t t, struct kp_alert *a)
{
    const struct kp_plan_rule *rule = kp_watch_rule(alerts, w);
    enum kp_compare compare = rule->cfg->compare;
    double of;

    a->target = kp_target_of(alerts->targets, w->node, rule->target);
    a->expected = compare == KP_CMP_PEERS ? w->given : kp_target_expected(alerts->targets, w->node, rule->target);
    if (compare == KP_CMP_BASELINE)
        a->expected = w->baseline ? kp_baseline_at(alerts->targets, w->node, w->baseline, t) : (double)NAN;
    of = compare == KP_CMP_TARGET || compare == KP_CMP_VALUE ? a->target : a->expected;
    a->ratio = a->value.has && of > 0 ? a->value.value / of : (double)NAN;
    a->p = w->p;
    a->threshold = passed(w, rule->cfg)->at;
}

static void list_events(struct kp_alerts *alerts, const struct kp_watch *w, struct kp_alert *a)
{
    struct kp_recent_event events[KP_ALERT_EVENTS];

    if (!alerts->recent || w->kind == KP_WATCH_ENTITY)     /* whose events they are is not remembered */
        return;
    a->nevents = kp_recent_find(alerts->recent, alerts->store, alerts->feeds, w->node, kp_watch_rule(alerts, w)->kpi, INT64_MIN,
                                INT64_MAX, events, KP_ALERT_EVENTS, EVENTS_LOOK);
    for (size_t i = 0; i < a->nevents; i++)
        a->events[i] = events[i].id;
}

/* It speaks of its members: how many of them, and who. */
static void tell_crowd(struct kp_alerts *alerts, const struct kp_watch *w, struct kp_alert *a)
{
    size_t len;

    kp_crowd_list(alerts, w, a);
    a->target = (double)a->value.n;
    a->expected = a->p = (double)NAN;
    a->ratio = a->value.n ? a->value.value / (double)a->value.n : (double)NAN;
    a->threshold = a->rule->group;
    snprintf(a->message, sizeof a->message, "%s: %.0f of %lld at once (%s)", kp_store_name(alerts->store, w->node), a->value.value,
             (long long)a->value.n, a->rule->name);
    for (size_t i = 0; i < a->nmembers && i < KP_ALERT_MEMBERS; i++) {
        const char *name = kp_store_name(alerts->store, a->members[i]);

        len = strlen(a->message);
        if (len + strlen(name) + 8 > sizeof a->message) {
            snprintf(a->message + len, sizeof a->message - len, ", ...");
            return;
        }
        snprintf(a->message + len, sizeof a->message - len, "%s%s", i ? ", " : ": ", name);
    }
}

/* Of what a rule asks how long it has stood. */
static const char *field_of(const struct kp_alerts *alerts, const struct kp_watch *w)
{
    const struct kp_plan *plan = kp_alerts_plan(alerts);
    const struct kp_plan_outlet *outlet = &plan->outlets[plan->kpis[kp_watch_rule(alerts, w)->kpi].since];

    return kp_schema_name(plan->schema, plan->spaces[plan->trackers[outlet->tracker].space].slot);
}

void kp_watch_fill(struct kp_alerts *alerts, const struct kp_watch *w, struct kp_number number, int64_t t)
{
    struct kp_alert *a = &alerts->out;

    memset(a, 0, offsetof(struct kp_alert, members));
    a->nmembers = 0;
    a->rule = kp_watch_rule(alerts, w)->cfg;
    a->id = kp_watch_id(alerts, w);
    a->node = w->node;
    a->entity = w->kind == KP_WATCH_ENTITY ? kp_entities_name(alerts->entities, w->entity) : NULL;
    a->entity_field = w->kind == KP_WATCH_ENTITY ? field_of(alerts, w) : NULL;
    a->state = w->state;
    a->severity = w->severity;
    a->flapping = w->flapping;
    a->quiet = w->state == KP_ALERT_PENDING;
    a->value = number;
    a->since_ms = w->since_ms;
    a->time_ms = t;
    kp_watch_fill_hush(alerts, w, a);
    if (w->kind == KP_WATCH_CROWD) {
        tell_crowd(alerts, w, a);
        return;
    }
    measure(alerts, w, t, a);
    list_events(alerts, w, a);
    render(alerts, a);
}

void kp_watch_hand_out(struct kp_alerts *alerts)
{
    if (alerts->sink.alert)
        alerts->sink.alert(alerts->sink.ctx, alerts->engine, &alerts->out);
}
