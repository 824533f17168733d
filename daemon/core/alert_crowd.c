/* Crowds: when so many of one parent's members fire by the same rule that it is no longer about them.
 *
 * A crowd is a watch of the same rule, of the parent. What a member would tell waits until everything of the instant has been looked
 * at; then the members are counted, and either the crowd tells, or each of them. */
#include "alert_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool kp_crowd_has(const struct kp_alerts *alerts, const struct kp_watch *w)
{
    return kp_watch_rule(alerts, w)->cfg->group > 0 && w->kind == KP_WATCH_KEY;
}

/* The crowd that a watch belongs to, made if it is new; KP_NO_WATCH: memory is out. */
static uint32_t crowd_of(struct kp_alerts *alerts, const struct kp_watch *w)
{
    uint32_t parent = kp_store_node(alerts->store, w->node)->parent;
    uint32_t *slot = kp_rule_map_at(&alerts->crowds, w->rule, parent);

    if (!slot)
        return KP_NO_WATCH;
    if (!*slot) {
        uint32_t i = kp_watch_take(alerts, w->rule, parent, KP_WATCH_CROWD);

        if (i == KP_NO_WATCH)
            return KP_NO_WATCH;
        *slot = i + 1;
    }
    return *slot - 1;
}

bool kp_crowd_note(struct kp_alerts *alerts, uint32_t i)
{
    if (alerts->nstirred == alerts->stirred_room) {
        uint32_t room = alerts->stirred_room ? alerts->stirred_room * 2 : 16;
        uint32_t *grown = realloc(alerts->stirred, room * sizeof *grown);

        if (!grown)
            return false;
        alerts->stirred = grown;
        alerts->stirred_room = room;
    }
    kp_watch_of(alerts, i)->stirred = true;
    alerts->stirred[alerts->nstirred++] = i;
    return true;
}

void kp_crowd_stir(struct kp_alerts *alerts, const struct kp_watch *w)
{
    uint32_t i = crowd_of(alerts, w);

    /* Out of memory: the member's next change will see to it. */
    if (i != KP_NO_WATCH && !kp_watch_of(alerts, i)->stirred && !kp_crowd_note(alerts, i))
        return;
}

/* ---- Counting ---- */

struct census {
    uint32_t here, firing, critical;
    bool day_off;           /* nobody of them works today */
    bool news;              /* somebody has come or gone */
};

/* Is it a day on which the member works? Where alerts begin at any hour, all days are. */
static bool is_at_work(const struct kp_alerts *alerts, const struct kp_alert_cfg *cfg, uint32_t node, int64_t t)
{
    const struct kp_zone *zone = kp_alerts_plan(alerts)->clocks[kp_store_node(alerts->store, node)->clock].zone;
    int64_t day = kp_zone_day(zone, t);

    return kp_store_is_here(alerts->store, node, t) &&
           (cfg->always ||
            kp_targets_work(alerts->targets, node, kp_zone_day_start(zone, day), kp_zone_day_start(zone, day + 1)) > 0);
}

static int64_t tomorrow(const struct kp_alerts *alerts, const struct kp_watch *w, int64_t t)
{
    const struct kp_zone *zone = kp_alerts_plan(alerts)->clocks[kp_store_node(alerts->store, w->node)->clock].zone;

    return kp_zone_day_start(zone, kp_zone_day(zone, t) + 1);
}

static void each_member(struct kp_alerts *alerts, const struct kp_watch *crowd,
                        void (*with)(struct kp_alerts *alerts, struct kp_watch *w, int64_t t, void *ctx), int64_t t, void *ctx)
{
    const struct kp_plan_rule *rule = kp_watch_rule(alerts, crowd);

    for (uint32_t node = kp_store_cold(alerts->store, crowd->node)->first_child; node != KP_NO_NODE;
         node = kp_store_cold(alerts->store, node)->next_sibling) {
        uint32_t i = kp_store_node(alerts->store, node)->level == rule->level ? kp_watch_find(alerts, rule, node) : KP_NO_WATCH;

        if (i != KP_NO_WATCH)
            with(alerts, kp_watch_of(alerts, i), t, ctx);
    }
}

struct roll {
    int at_work;
    int64_t good_until_ms;      /* when the first of them has another day */
};

static void count_at_work(struct kp_alerts *alerts, struct kp_watch *w, int64_t t, void *ctx)
{
    int64_t until = tomorrow(alerts, w, t);
    struct roll *roll = ctx;

    roll->at_work += is_at_work(alerts, kp_watch_rule(alerts, w)->cfg, w->node, t);
    if (until < roll->good_until_ms)
        roll->good_until_ms = until;
}

/* Who is at work is counted once a day, by the members' own days, and when somebody new has come. */
static uint32_t at_work(struct kp_alerts *alerts, struct kp_watch *crowd, int64_t t)
{
    uint32_t children = kp_store_cold(alerts->store, crowd->node)->nchildren;
    struct roll roll = {0, INT64_MAX};

    if (t >= crowd->turns_ms || crowd->entity != children) {
        each_member(alerts, crowd, count_at_work, t, &roll);
        crowd->answer = roll.at_work;
        crowd->turns_ms = roll.good_until_ms;
        crowd->entity = children;
    }
    return (uint32_t)crowd->answer;
}

static void count_one(struct kp_alerts *alerts, struct kp_watch *w, int64_t t, void *ctx)
{
    struct census *census = ctx;
    bool fires = w->state == KP_ALERT_FIRING;

    census->news |= w->news;
    if (!fires)
        return;
    census->here += !is_at_work(alerts, kp_watch_rule(alerts, w)->cfg, w->node, t);
    census->firing++;
    census->critical += w->severity == KP_SEVERITY_CRITICAL;
}

static struct census census_of(struct kp_alerts *alerts, struct kp_watch *crowd, int64_t t)
{
    struct census census = {.here = at_work(alerts, crowd, t)};

    census.day_off = census.here == 0;
    each_member(alerts, crowd, count_one, t, &census);
    return census;
}

static void list_one(struct kp_alerts *alerts, struct kp_watch *w, int64_t t, void *ctx)
{
    struct kp_alert *a = ctx;

    (void)alerts;
    (void)t;
    if (w->state != KP_ALERT_FIRING)
        return;
    if (a->nmembers < KP_ALERT_MEMBERS)
        a->members[a->nmembers] = w->node;
    a->nmembers++;
}

static int by_key(const void *a, const void *b, void *ctx)
{
    const struct kp_store *store = ctx;

    return strcmp(kp_store_cold(store, *(const uint32_t *)a)->key, kp_store_cold(store, *(const uint32_t *)b)->key);
}

/* ---- Telling ---- */

void kp_crowd_list(struct kp_alerts *alerts, const struct kp_watch *crowd, struct kp_alert *a)
{
    a->nmembers = 0;
    each_member(alerts, crowd, list_one, 0, a);
    if (a->nmembers)
        qsort_r(a->members, a->nmembers < KP_ALERT_MEMBERS ? a->nmembers : KP_ALERT_MEMBERS, sizeof *a->members, by_key,
                alerts->store);
}

static struct kp_number number_of(const struct census *census)
{
    return (struct kp_number){.value = census->firing, .n = census->here, .has = true};
}

struct kp_number kp_crowd_number(struct kp_alerts *alerts, struct kp_watch *crowd, int64_t t)
{
    struct census census = census_of(alerts, crowd, t);

    return number_of(&census);
}

/* Only members of a crowd that does not stand tell for themselves. */
static void tell_alone(struct kp_alerts *alerts, struct kp_watch *w, int64_t t, void *ctx)
{
    const struct kp_alert_cfg *cfg = kp_watch_rule(alerts, w)->cfg;

    (void)ctx;
    w->news = false;
    if (w->state != KP_ALERT_FIRING || !(w->untold || w->grouped))
        return;
    if (w->grouped)
        alerts->firing++;
    w->untold = w->grouped = false;
    kp_watch_tell(alerts, w, kp_watch_number(alerts, w, t), t);
    if (cfg->repeat_ms)
        kp_heap_no_later(&alerts->heap, alerts->active[w->active], t + cfg->repeat_ms);
}

/* What was told of a member ends, also that it is pending: the crowd stands for it. */
static void hand_over(struct kp_alerts *alerts, struct kp_watch *w, int64_t t, void *ctx)
{
    (void)ctx;
    w->news = false;
    if (w->state != KP_ALERT_FIRING || w->grouped)
        return;
    if (!w->untold || kp_watch_rule(alerts, w)->cfg->for_ms) {
        kp_watch_fill(alerts, w, kp_watch_number(alerts, w, t), t);
        alerts->out.state = KP_ALERT_RESOLVED;
        alerts->out.quiet = w->untold;
        alerts->out.reason = "grouped";
        kp_watch_hand_out(alerts);
    }
    alerts->firing--;
    w->untold = false;
    w->grouped = true;
}

/* ---- A crowd's life ---- */

static bool is_crowd(const struct kp_alert_cfg *cfg, uint32_t n, uint32_t here)
{
    return n >= 2 && (double)n >= cfg->group * (double)here - 1e-9;
}

/* On a day off none begins, and one that goes on does so as long as anybody fires. */
static bool stands(const struct kp_watch *crowd, const struct kp_alert_cfg *cfg, const struct census *census)
{
    if (census->day_off)
        return crowd->state == KP_ALERT_FIRING && census->firing;
    return is_crowd(cfg, census->firing, census->here);
}

static bool repeats(const struct kp_alerts *alerts, const struct kp_watch *crowd, int64_t t)
{
    int64_t repeat_ms = kp_watch_rule(alerts, crowd)->cfg->repeat_ms;

    return repeat_ms && t - crowd->sent_ms >= repeat_ms && !kp_watch_is_hushed(alerts, crowd);
}

static void stand(struct kp_alerts *alerts, uint32_t i, const struct census *census, int64_t t)
{
    struct kp_watch *crowd = kp_watch_of(alerts, i);
    const struct kp_alert_cfg *cfg = kp_watch_rule(alerts, crowd)->cfg;
    bool fewer = crowd->good_ms != INT64_MIN;       /* it only goes on for a while, as it was */
    uint8_t severity = fewer                                                ? crowd->severity
                       : is_crowd(cfg, census->critical, census->here) ? KP_SEVERITY_CRITICAL
                                                                            : KP_SEVERITY_WARNING;
    bool begins = crowd->state == KP_ALERT_INACTIVE;

    if (begins && !kp_watch_begin(alerts, i, t))
        return;
    each_member(alerts, crowd, hand_over, t, NULL);
    if (severity > crowd->severity)
        kp_watch_drop_ack(alerts, crowd);
    if (begins || census->news || severity != crowd->severity || repeats(alerts, crowd, t)) {
        crowd->severity = severity;
        kp_watch_tell(alerts, crowd, number_of(census), t);
    }
}

/* The period's end takes its alert along. */
static void begin_period(struct kp_alerts *alerts, struct kp_watch *crowd, int64_t t)
{
    int64_t from, to;

    if (!kp_watch_period(alerts, kp_watch_rule(alerts, crowd), kp_store_node(alerts->store, crowd->node)->clock, &from, &to) ||
        crowd->period_ms == from)
        return;
    if (crowd->state == KP_ALERT_FIRING)
        kp_watch_resolve(alerts, crowd, kp_crowd_number(alerts, crowd, t), t, "period_ended");
    crowd->period_ms = from;
}

/* It goes on for a while when its members are fewer, then ends. */
static void dwindle(struct kp_alerts *alerts, uint32_t i, const struct census *census, int64_t t)
{
    struct kp_watch *crowd = kp_watch_of(alerts, i);

    if (crowd->good_ms == INT64_MIN)
        crowd->good_ms = t;
    if (census->firing == 0 || t - crowd->good_ms >= kp_watch_rule(alerts, crowd)->cfg->keep_firing_ms)
        kp_watch_resolve(alerts, crowd, number_of(census), t, NULL);
    else
        stand(alerts, i, census, t);
}

/* When to count although nobody has changed; who is here may be others tomorrow. */
static int64_t wakes_at(const struct kp_alerts *alerts, const struct kp_watch *crowd, const struct census *census, int64_t t)
{
    const struct kp_alert_cfg *cfg = kp_watch_rule(alerts, crowd)->cfg;
    int64_t wake = census->firing ? crowd->turns_ms : INT64_MAX;

    if (crowd->state == KP_ALERT_INACTIVE)
        return wake;
    if (crowd->good_ms != INT64_MIN && crowd->good_ms + cfg->keep_firing_ms < wake)
        wake = crowd->good_ms + cfg->keep_firing_ms;
    if (cfg->repeat_ms && crowd->sent_ms + cfg->repeat_ms < wake && !kp_watch_is_hushed(alerts, crowd))
        wake = crowd->sent_ms + cfg->repeat_ms;
    return wake > t ? wake : INT64_MAX;
}

void kp_crowd_look(struct kp_alerts *alerts, uint32_t i, int64_t t)
{
    struct kp_watch *crowd = kp_watch_of(alerts, i);
    struct census census;

    if (kp_watch_is_frozen(alerts, crowd)) {
        if (kp_watch_again(alerts, crowd))
            kp_watch_tell(alerts, crowd, kp_crowd_number(alerts, crowd, t), t);
        kp_heap_set(&alerts->heap, i, INT64_MAX);       /* until the source is heard of */
        return;
    }
    begin_period(alerts, crowd, t);
    census = census_of(alerts, crowd, t);
    if (stands(crowd, kp_watch_rule(alerts, crowd)->cfg, &census)) {
        crowd->good_ms = INT64_MIN;
        stand(alerts, i, &census, t);
    } else if (crowd->state == KP_ALERT_FIRING) {
        dwindle(alerts, i, &census, t);
    }
    if (kp_watch_again(alerts, crowd))
        kp_watch_tell(alerts, crowd, number_of(&census), t);
    if (crowd->state == KP_ALERT_INACTIVE)
        each_member(alerts, crowd, tell_alone, t, NULL);
    kp_heap_set(&alerts->heap, i, wakes_at(alerts, crowd, &census, t));
}

void kp_crowds_settle(struct kp_alerts *alerts, int64_t t)
{
    /* Counting stirs nobody: what members tell, or the crowd, changes no member's state. */
    for (uint32_t k = 0; k < alerts->nstirred; k++) {
        kp_watch_of(alerts, alerts->stirred[k])->stirred = false;
        kp_crowd_look(alerts, alerts->stirred[k], t);
    }
    alerts->nstirred = 0;
}
