/* Alerts as bytes, and back. Of each watch what differs from a new one: most are like new. */
#include "alert_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is kept of a watch; which of it differs is a bit each. */
static const struct field {
    uint16_t at, size;
    uint8_t most;           /* of a byte */
} fields[] = {
#define FIELD(name) {offsetof(struct kp_watch, name), sizeof(((struct kp_watch *)0)->name), 255}
#define FLAG(name) {offsetof(struct kp_watch, name), sizeof(((struct kp_watch *)0)->name), 1}
    FIELD(since_ms),  FIELD(warned_ms), FIELD(good_ms),  FIELD(sent_ms),   FIELD(p),       FIELD(given),    FIELD(period_ms),
    FIELD(turns_ms),  FIELD(turns_at),  FIELD(seen_ms),  FIELD(answer),    FIELD(state),   FIELD(severity), FLAG(untold),
    FLAG(grouped),   FLAG(news),      FLAG(stirred),  FLAG(escalated), FLAG(flapping), FIELD(stood),   FIELD(twin),
    FLAG(silenced),  FIELD(again),
#undef FIELD
#undef FLAG
};
enum { FIELDS = sizeof fields / sizeof *fields, HAS_FLAPS = 1 << 30, HAS_BASELINE = 1 << 29, HAS_ENTITY = 1 << 28, NO_MORE_RULES = 0xFFFF };
#define NO_MORE UINT32_MAX

static const struct kp_watch like_new = {.active = KP_NO_WATCH, .p = NAN, .given = NAN, .turns_at = NAN, .seen_ms = INT64_MIN,
                                         .good_ms = INT64_MIN};

/* ---- Saving ---- */

static void save_watch(const struct kp_alerts *alerts, uint32_t i, struct kp_save *save)
{
    const struct kp_watch *w = kp_watch_of(alerts, i);
    const char *bytes = (const char *)w, *other = (const char *)&like_new;
    int64_t flaps[KP_FLAP_CHANGES_MAX + 1];
    uint32_t differs = 0, n = kp_flaps_list(&alerts->flaps, w->flaps, flaps);

    for (int f = 0; f < (int)FIELDS; f++)
        if (memcmp(bytes + fields[f].at, other + fields[f].at, fields[f].size) != 0)
            differs |= UINT32_C(1) << f;
    differs |= n ? (uint32_t)HAS_FLAPS : 0;
    differs |= w->baseline ? (uint32_t)HAS_BASELINE : 0;
    differs |= w->kind == KP_WATCH_CROWD && w->entity ? (uint32_t)HAS_ENTITY : 0;
    kp_save_i64(save, kp_heap_due_of(&alerts->heap, i));
    kp_save_u32(save, differs);
    for (int f = 0; f < (int)FIELDS; f++)
        if (differs >> f & 1)
            kp_save_bytes(save, bytes + fields[f].at, fields[f].size);
    if (differs & HAS_ENTITY)
        kp_save_u32(save, w->entity);
    if (differs & HAS_FLAPS)
        kp_save_u32(save, n);
    kp_save_bytes(save, flaps, n * sizeof *flaps);
    if (differs & HAS_BASELINE)
        kp_save_bytes(save, w->baseline, sizeof *w->baseline);
}

static void save_keys(const struct kp_alerts *alerts, struct kp_save *save)
{
    const struct kp_plan *plan = kp_alerts_plan(alerts);

    for (uint32_t node = 0; node < alerts->store->made; node++) {
        const struct kp_node_hot *hot = kp_store_node(alerts->store, node);

        if (!(hot->flags & KP_NODE_LIVE) || !hot->rules)
            continue;
        kp_save_u32(save, node);
        for (int i = 0; i < plan->nlevel_rules[hot->level]; i++) {
            kp_save_u16(save, (uint16_t)plan->level_rules[hot->level][i]);
            save_watch(alerts, hot->rules - 1 + (uint32_t)i, save);
        }
        kp_save_u16(save, NO_MORE_RULES);
    }
    kp_save_u32(save, NO_MORE);
}

/* Crowds by their parents, what is open by its entity. */
static void save_others(const struct kp_alerts *alerts, const struct kp_rule_map *others, struct kp_save *save)
{
    for (size_t r = 0; r < others->nrules; r++) {
        for (uint32_t i = 0; i < others->room[r]; i++) {
            if (!others->by_rule[r][i])
                continue;
            kp_save_u32(save, i);
            kp_save_u16(save, (uint16_t)r);
            save_watch(alerts, others->by_rule[r][i] - 1, save);
        }
    }
    kp_save_u32(save, NO_MORE);
}

static void save_queue(const struct kp_alerts *alerts, struct kp_save *save)
{
    kp_save_u32(save, alerts->queue_count);
    for (uint32_t i = 0; i < alerts->queue_count; i++)
        kp_save_u32(save, alerts->queue[(alerts->queue_first + i) & (alerts->queue_room - 1)]);
}

void kp_alerts_save(const struct kp_alerts *alerts, struct kp_save *save)
{
    const struct kp_plan *plan = kp_alerts_plan(alerts);

    kp_save_mark(save, "ALRT");
    kp_save_i64(save, alerts->began_ms);
    kp_save_i64(save, alerts->data_from_ms);
    kp_save_u64(save, alerts->past);
    kp_save_u32(save, (uint32_t)plan->nrules);
    for (int r = 0; r < plan->nrules; r++)
        kp_save_u64(save, kp_sign_rule(plan, r));
    save_keys(alerts, save);
    save_others(alerts, &alerts->crowds, save);
    save_others(alerts, &alerts->standing, save);
    kp_peers_save(alerts->peers, save);
    save_queue(alerts, save);
}

/* ---- Loading ---- */

struct watch_then {
    int64_t due;
    struct kp_watch w;
    struct kp_baseline baseline;
    bool has_baseline;
    int64_t flaps[KP_FLAP_CHANGES_MAX + 1];
    uint32_t nflaps;
};

static bool is_sound(const struct kp_watch *w)
{
    return (w->state == KP_ALERT_INACTIVE || w->state == KP_ALERT_PENDING || w->state == KP_ALERT_FIRING) &&
           w->severity <= KP_SEVERITY_CRITICAL && w->stood <= KP_SEVERITY_CRITICAL && w->again <= KP_AGAIN;
}

static void load_watch(struct kp_load *load, struct watch_then *then)
{
    uint32_t differs;

    then->due = kp_load_i64(load);
    differs = kp_load_u32(load);
    then->w = like_new;
    for (int f = 0; f < (int)FIELDS; f++) {
        char *to = (char *)&then->w + fields[f].at;

        if (!(differs >> f & 1))
            continue;
        kp_load_bytes(load, to, fields[f].size);
        if (fields[f].size == 1 && (unsigned char)*to > fields[f].most)
            kp_load_fail(load, "the state of an alert is not as kpid writes it");
    }
    then->w.entity = differs & HAS_ENTITY ? kp_load_u32(load) : 0;
    then->nflaps = differs & HAS_FLAPS ? kp_load_count(load, KP_FLAP_CHANGES_MAX + 1, "changes of an alert") : 0;
    for (uint32_t i = 0; i < then->nflaps; i++)
        then->flaps[i] = kp_load_i64(load);
    then->has_baseline = differs & HAS_BASELINE;
    if (then->has_baseline)
        kp_load_bytes(load, &then->baseline, sizeof then->baseline);
    if (!load->failed && !is_sound(&then->w))
        kp_load_fail(load, "the state of an alert is not as kpid writes it");
}

/* Let watch i go on as the one that was read. */
static void resume(struct kp_alerts *alerts, uint32_t i, const struct watch_then *then, struct kp_load *load)
{
    struct kp_watch *w = kp_watch_of(alerts, i);
    bool ok = true;

    for (int f = 0; f < (int)FIELDS; f++)
        memcpy((char *)w + fields[f].at, (const char *)&then->w + fields[f].at, fields[f].size);
    if (w->kind == KP_WATCH_CROWD)
        w->entity = then->w.entity;
    w->stirred = false;
    for (uint32_t k = 0; k < then->nflaps; k++)
        w->flaps = kp_flaps_note(&alerts->flaps, w->flaps, then->flaps[k]);
    if (then->has_baseline) {
        w->baseline = malloc(sizeof *w->baseline);
        ok = w->baseline != NULL;
        if (ok)
            *w->baseline = then->baseline;
    }
    kp_heap_set(&alerts->heap, i, then->due);
    if (w->state != KP_ALERT_INACTIVE)
        ok &= kp_watch_resume(alerts, i);
    if (then->w.stirred && w->kind == KP_WATCH_CROWD)
        ok &= kp_crowd_note(alerts, i);
    if (!ok)
        kp_load_fail(load, "out of memory for alerts");
}

/* Nobody goes on with it. */
static void drop(const struct watch_then *then, const struct kp_image_map *map)
{
    map->report->alerts_gone += then->w.state != KP_ALERT_INACTIVE;
}

struct rules {
    int *now;               /* owned; by number then, -1: none */
    uint32_t n;
};

static void load_rules(const struct kp_plan *plan, struct kp_load *load, struct rules *rules)
{
    rules->n = kp_load_count(load, 65535, "rules");
    rules->now = calloc((size_t)rules->n + 1, sizeof *rules->now);
    if (!rules->now) {
        rules->n = 0;
        kp_load_fail(load, "out of memory for alerts");
    }
    for (uint32_t r = 0; r < rules->n; r++) {
        uint64_t sign = kp_load_u64(load);

        rules->now[r] = -1;
        for (int i = 0; i < plan->nrules; i++)
            if (kp_sign_rule(plan, i) == sign)
                rules->now[r] = i;
    }
}

static int rule_now(const struct rules *rules, uint16_t then)
{
    return then < rules->n ? rules->now[then] : -1;
}

/* A watch is resumed once: one whose place is taken is not as kpid writes it. */
static bool is_taken(const struct kp_watch *w)
{
    return w->active != KP_NO_WATCH || w->baseline || w->flaps;
}

static void load_keys(struct kp_alerts *alerts, struct kp_load *load, const struct rules *rules, const struct kp_image_map *map)
{
    const struct kp_plan *plan = kp_alerts_plan(alerts);
    struct watch_then then;

    for (uint32_t at = kp_load_u32(load); at != NO_MORE && !load->failed; at = kp_load_u32(load)) {
        uint32_t node = kp_image_node(map, at);

        for (uint16_t r = kp_load_u16(load); r != NO_MORE_RULES && !load->failed; r = kp_load_u16(load)) {
            int rule = rule_now(rules, r);
            uint32_t i = KP_NO_WATCH;

            load_watch(load, &then);
            if (rule >= 0 && node != KP_NO_NODE && kp_store_node(alerts->store, node)->level == plan->rules[rule].level)
                i = kp_watch_find(alerts, &plan->rules[rule], node);
            if (load->failed)
                return;
            if (i == KP_NO_WATCH || is_taken(kp_watch_of(alerts, i)))
                drop(&then, map);
            else
                resume(alerts, i, &then, load);
        }
    }
}

static void load_crowds(struct kp_alerts *alerts, struct kp_load *load, const struct rules *rules, const struct kp_image_map *map)
{
    struct watch_then then;

    for (uint32_t at = kp_load_u32(load); at != NO_MORE && !load->failed; at = kp_load_u32(load)) {
        uint32_t node = kp_image_node(map, at), *slot = NULL, i = KP_NO_WATCH;
        int rule = rule_now(rules, kp_load_u16(load));

        load_watch(load, &then);
        if (load->failed)
            return;
        if (rule >= 0 && node != KP_NO_NODE && kp_alerts_plan(alerts)->rules[rule].cfg->group > 0)
            slot = kp_rule_map_at(&alerts->crowds, rule, node);
        if (slot && !*slot)
            i = kp_watch_take(alerts, (uint16_t)rule, node, KP_WATCH_CROWD);
        if (i == KP_NO_WATCH) {
            drop(&then, map);
            continue;
        }
        *slot = i + 1;
        resume(alerts, i, &then, load);
    }
}

/* The watches of what stands somewhere are there already. */
static void load_standing(struct kp_alerts *alerts, struct kp_load *load, const struct rules *rules, const struct kp_image_map *map)
{
    struct watch_then then;

    for (uint32_t at = kp_load_u32(load); at != NO_MORE && !load->failed; at = kp_load_u32(load)) {
        uint32_t entity = kp_image_entity(map, at), *slot = NULL;
        int rule = rule_now(rules, kp_load_u16(load));

        load_watch(load, &then);
        if (load->failed)
            return;
        if (rule >= 0 && entity != UINT32_MAX)
            slot = kp_rule_map_at(&alerts->standing, rule, entity);
        if (slot && *slot && kp_watch_of(alerts, *slot - 1)->seen_ms == then.w.seen_ms && !is_taken(kp_watch_of(alerts, *slot - 1)))
            resume(alerts, *slot - 1, &then, load);
        else
            drop(&then, map);
    }
}

static void load_queue(struct kp_alerts *alerts, struct kp_load *load, const struct kp_image_map *map)
{
    uint32_t n = kp_load_count(load, 1000000000, "keys that were touched");

    for (uint32_t i = 0; i < n && !load->failed; i++) {
        uint32_t node = kp_image_node(map, kp_load_u32(load));

        if (node != KP_NO_NODE && !load->failed)
            kp_alerts_touch(alerts, node, KP_FEEDS_ALL);
    }
}

void kp_alerts_load(struct kp_alerts *alerts, struct kp_load *load, const struct kp_image_map *map)
{
    struct rules rules = {NULL, 0};

    kp_load_mark(load, "ALRT");
    alerts->began_ms = kp_load_i64(load);
    alerts->data_from_ms = kp_load_i64(load);
    alerts->past = kp_load_u64(load);
    load_rules(kp_alerts_plan(alerts), load, &rules);
    if (!load->failed)
        load_keys(alerts, load, &rules, map);
    if (!load->failed)
        load_crowds(alerts, load, &rules, map);
    if (!load->failed)
        load_standing(alerts, load, &rules, map);
    if (!load->failed)
        kp_peers_load(alerts->peers, load, rules.now, rules.n, map);
    if (!load->failed)
        load_queue(alerts, load, map);
    free(rules.now);
}
