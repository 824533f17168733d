/* What keeps an alert quiet, as far as the alert itself knows of it. */
#include "alert_inside.h"

#include <string.h>

static struct kp_str text_of(const char *text)
{
    return (struct kp_str){text, (uint32_t)strlen(text)};
}

/* place: what the subject's path lies in. */
static void subject_of(const struct kp_alerts *alerts, const struct kp_watch *w, struct kp_place *place,
                       struct kp_subject *subject)
{
    const struct kp_alert_cfg *cfg = kp_watch_rule(alerts, w)->cfg;

    kp_engine_place(alerts->engine, w->node, place);
    *subject = (struct kp_subject){
        {[KP_MATCH_RULE] = text_of(cfg->name), [KP_MATCH_KPI] = text_of(cfg->kpi),
         [KP_MATCH_LEVEL] = text_of(kp_engine_level_name(alerts->engine, place->level)), [KP_MATCH_KEY] = place->key,
         [KP_MATCH_SEVERITY] = text_of(w->severity == KP_SEVERITY_CRITICAL ? "critical" : "warning")},
        place->path, place->npath};
}

static bool is_silenced(const struct kp_alerts *alerts, const struct kp_watch *w)
{
    struct kp_subject subject;
    struct kp_place place;

    if (kp_silences_count(alerts->hush.silences) == 0)
        return false;
    subject_of(alerts, w, &place, &subject);
    return kp_silences_match(alerts->hush.silences, &subject);
}

void kp_watch_fill_hush(const struct kp_alerts *alerts, const struct kp_watch *w, struct kp_alert *a)
{
    const struct kp_ack *ack = kp_acks_find(alerts->hush.acks, a->id);

    if (ack) {
        a->acked_by = ack->by;
        a->ack_comment = ack->comment;
    }
    a->silenced = is_silenced(alerts, w);
}

bool kp_watch_is_acked(const struct kp_alerts *alerts, const struct kp_watch *w)
{
    return kp_acks_count(alerts->hush.acks) && kp_acks_find(alerts->hush.acks, kp_watch_id(alerts, w));
}

bool kp_watch_is_hushed(const struct kp_alerts *alerts, const struct kp_watch *w)
{
    return w->grouped || w->silenced || kp_watch_is_acked(alerts, w);
}

void kp_watch_drop_ack(struct kp_alerts *alerts, const struct kp_watch *w)
{
    if (kp_acks_count(alerts->hush.acks))
        kp_acks_drop(alerts->hush.acks, kp_watch_id(alerts, w));
}

bool kp_watch_again(const struct kp_alerts *alerts, struct kp_watch *w)
{
    uint8_t again = w->again;

    w->again = KP_AGAIN_NOT;
    if (w->untold || w->grouped)        /* its crowd speaks for it; what is told when it speaks for itself again is so anyway */
        return false;
    return again == KP_AGAIN || (again == KP_AGAIN_IF_OTHERWISE && is_silenced(alerts, w) != w->silenced);
}

void kp_alerts_tell_again(struct kp_alerts *alerts,
                          enum kp_again (*ask)(void *ctx, uint64_t id, const struct kp_subject *subject), void *ctx)
{
    for (uint32_t i = 0; i < alerts->nactive; i++) {
        struct kp_watch *w = kp_watch_of(alerts, alerts->active[i]);
        struct kp_subject subject;
        struct kp_place place;
        enum kp_again again;

        if (w->grouped)
            continue;
        subject_of(alerts, w, &place, &subject);
        again = ask(ctx, kp_watch_id(alerts, w), &subject);
        if (again == KP_AGAIN_NOT)
            continue;
        if (again > w->again)
            w->again = (uint8_t)again;
        kp_heap_set(&alerts->heap, alerts->active[i], INT64_MIN);
    }
}
