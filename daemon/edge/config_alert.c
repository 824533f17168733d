/* alerts: which number of whom is watched, and what makes it fire. */
#include "config_read.h"

#include "kpid/engine.h"
#include "kpid/message.h"

#include <stdio.h>
#include <string.h>

#define AT(field) offsetof(struct kp_alert_cfg, field)

static const struct kp_word hours_words[] = {{"working", 0, false}, {"always", 1, false}, {NULL, 0, false}};
#define DAYS (INT64_C(24) * 3600 * 1000)

static const struct kp_word compares[] = {{"value", KP_CMP_VALUE, false},       {"target", KP_CMP_TARGET, false},
                                          {"pace", KP_CMP_PACE, false},         {"peers", KP_CMP_PEERS, false},
                                          {"baseline", KP_CMP_BASELINE, false}, {"silence", KP_CMP_SILENCE, false},
                                          {"stalled", KP_CMP_STALLED, false},   {NULL, 0, false}};
static const struct kp_word peer_words[] = {{"parent", 0, false}, {"company", 1, false}, {NULL, 0, false}};
static const struct kp_word escalate_words[] = {{"critical", KP_SEVERITY_CRITICAL, false}, {NULL, 0, false}};

const char *kp_compare_name(enum kp_compare compare)
{
    const struct kp_word *word = compares;

    while (word->name && (word->later || word->value != (int)compare))
        word++;
    return word->name;
}

static KP_READER(read_kpi)
{
    struct kp_alert_cfg *alert = into;

    alert->kpi_loc = node->loc;
    kp_read_text(ld, node, &alert->kpi, key);
}

static KP_READER(read_window)
{
    struct kp_alert_cfg *alert = into;

    (void)key;
    alert->window_loc = node->loc;
    kp_window_of(ld, node, &alert->window);
}

static KP_READER(read_level)
{
    struct kp_alert_cfg *alert = into;

    alert->level_loc = node->loc;
    kp_read_text(ld, node, &alert->level, key);
}

static KP_READER(read_clear)
{
    struct kp_alert_cfg *alert = into;

    (void)key;
    if (kp_number(ld, node, &alert->clear, &alert->clear_relative) && alert->clear < 0)
        kp_complain(ld, node->loc, "must not be negative");
}

static KP_READER(read_confidence)
{
    struct kp_alert_cfg *alert = into;
    double share;

    (void)key;
    if (!kp_number(ld, node, &share, NULL))
        return;
    if (share < 0.5 || share >= 1)
        kp_complain(ld, node->loc, "is a share from 50%% to below 100%%, like 97.5%%");
    else
        alert->confidence = share;
}

static KP_READER(read_hours)
{
    struct kp_alert_cfg *alert = into;
    int word;

    (void)key;
    if (kp_word_of(ld, node, hours_words, &word))
        alert->always = word;
}

static KP_READER(read_message)
{
    struct kp_alert_cfg *alert = into;

    alert->message_loc = node->loc;
    kp_read_text(ld, node, &alert->message, key);
    if (alert->message)
        kp_check_message(ld, node);
}

static KP_READER(read_group)
{
    struct kp_alert_cfg *alert = into;
    double share;

    (void)key;
    if (!kp_number(ld, node, &share, NULL))
        return;
    if (share <= 0 || share > 1)
        kp_complain(ld, node->loc, "is a share of the members, over 0 and up to 100%%, like 50%%");
    else
        alert->group = share;
}

/* ---- escalate, flapping ---- */

struct escalate {
    int64_t after_ms;
    int severity;
};
#define ESCALATE(field) offsetof(struct escalate, field)

const struct kp_key kp_escalate_keys[] = {
    {.name = "after", .need = KP_REQUIRED, .read = kp_read_duration, .at = ESCALATE(after_ms), .min = 1000, .max = 366 * DAYS},
    {.name = "severity", .read = kp_read_word, .at = ESCALATE(severity), .words = escalate_words},
    {.name = NULL},
};

static KP_READER(read_escalate)
{
    struct kp_alert_cfg *alert = into;
    struct escalate escalate = {0};

    (void)key;
    if (kp_read_map(ld, node, kp_escalate_keys, &escalate))
        alert->escalate_ms = escalate.after_ms;
}

const struct kp_key kp_flapping_keys[] = {
    {.name = "changes", .read = kp_read_count32, .at = AT(flap_changes), .max = KP_FLAP_CHANGES_MAX},
    {.name = "within", .read = kp_read_duration, .at = AT(flap_within_ms), .min = 1000, .max = 366 * DAYS},
    {.name = NULL},
};

static KP_READER(read_flapping)
{
    (void)key;
    kp_read_map(ld, node, kp_flapping_keys, into);
}

/* ---- warning, critical ---- */

static KP_READER(read_bound_at)
{
    struct kp_bound *bound = into;
    bool above = key->min != 0;

    if (bound->set) {
        kp_complain(ld, node->key_loc, "takes one of \"below\" and \"above\"");
        return;
    }
    if (!kp_number(ld, node, &bound->at, NULL))
        return;
    bound->set = true;
    bound->above = above;
}

/* Of what lasts: silence, and standing still. */
static KP_READER(read_bound_for)
{
    struct kp_bound *bound = into;
    int64_t ms = -1;

    kp_read_duration(ld, node, &ms, key);
    if (ms < 0)
        return;
    bound->set = bound->above = true;
    bound->at = (double)ms / 1000;
}

const struct kp_key kp_bound_keys[] = {
    {.name = "below", .read = read_bound_at, .min = 0},
    {.name = "above", .read = read_bound_at, .min = 1},
    {.name = NULL},
};
const struct kp_key kp_lapse_keys[] = {
    {.name = "above", .read = read_bound_for, .min = 1000, .max = 3660 * DAYS},
    {.name = NULL},
};

static KP_READER(read_bound)
{
    struct kp_alert_cfg *alert = into;
    struct kp_bound *bound = key->max ? &alert->critical : &alert->warning;
    const struct kp_key *keys = kp_is_lapse(alert) ? kp_lapse_keys : kp_bound_keys;
    size_t before = ld->faults->count;

    if (kp_read_map(ld, node, keys, bound) && !bound->set && ld->faults->count == before)
        kp_complain(ld, node->loc, kp_is_lapse(alert) ? "needs \"above\", a duration" : "needs \"below\" or \"above\"");
}

const struct kp_key kp_alert_keys[] = {
    {.name = "kpi", .need = KP_REQUIRED, .read = read_kpi, .max = 160},
    {.name = "window", .read = read_window},
    {.name = "level", .need = KP_REQUIRED, .read = read_level, .max = 256},
    {.name = "compare", .read = kp_read_word, .at = AT(compare), .words = compares},
    {.name = "warning", .read = read_bound, .max = 0},
    {.name = "critical", .read = read_bound, .max = 1},
    {.name = "for", .read = kp_read_duration, .at = AT(for_ms), .max = 366 * DAYS},
    {.name = "keep_firing_for", .read = kp_read_duration, .at = AT(keep_firing_ms), .max = 366 * DAYS},
    {.name = "repeat", .read = kp_read_duration, .at = AT(repeat_ms), .min = 1000, .max = 366 * DAYS},
    {.name = "clear", .read = read_clear},
    {.name = "min_count", .read = kp_read_count64, .at = AT(min_count), .max = INT64_MAX},
    {.name = "message", .read = read_message, .max = 800},
    {.name = "coaching", .read = kp_read_text, .at = AT(coaching), .max = 800},
    {.name = "confidence", .read = read_confidence},
    {.name = "min_elapsed", .read = kp_read_duration, .at = AT(min_elapsed_ms), .max = 366 * DAYS},
    {.name = "hours", .read = read_hours},
    {.name = "peers", .read = kp_read_switch, .at = AT(peers_company), .words = peer_words},
    {.name = "min_peers", .read = kp_read_count32, .at = AT(min_peers), .min = 1, .max = 1000},
    {.name = "periods", .read = kp_read_count32, .at = AT(periods), .min = 1, .max = KP_BASELINE_PERIODS_MAX},
    {.name = "escalate", .read = read_escalate},
    {.name = "group", .read = read_group},
    {.name = "flapping", .read = read_flapping},
    {.name = NULL},
};

/* ---- One alert ---- */

static void check_bounds(struct kp_loader *ld, const struct kp_alert_cfg *alert, const struct kp_node *node)
{
    const struct kp_bound *w = &alert->warning, *c = &alert->critical;
    const struct kp_node *critical = kp_node_get(node, "critical");

    if (!w->set && !c->set) {
        if (!kp_node_get(node, "warning") && !critical && !kp_misspelt(node, kp_alert_keys, "warning") &&
            !kp_misspelt(node, kp_alert_keys, "critical"))
            kp_complain(ld, node->key_loc, "needs \"warning\" or \"critical\", like {below: 80%%}");
        return;
    }
    if (!w->set || !c->set)
        return;
    if (w->above != c->above)
        kp_complain(ld, critical->loc, "looks %s, while \"warning\" looks %s", c->above ? "above" : "below",
                    w->above ? "above" : "below");
    else if (w->above ? c->at < w->at : c->at > w->at)
        kp_complain(ld, critical->loc, "is reached before \"warning\" is");
}

static void read_alert(struct kp_loader *ld, const struct kp_node *node)
{
    struct kp_alert_cfg *alert = kp_grow(ld, &ld->config->alerts, &ld->config->nalerts, sizeof *alert);
    const struct kp_node **slot = kp_grow(ld, &ld->alert_nodes, &ld->nalert_nodes, sizeof(*ld->alert_nodes));
    size_t len = strlen(node->key);

    if (!alert || !slot)
        return;
    *slot = node;
    alert->min_peers = 3;
    alert->periods = 4;
    alert->flap_changes = 6;
    alert->flap_within_ms = INT64_C(3600000);
    alert->name = kp_copy(ld, node->key);
    alert->loc = node->key_loc;
    if (strspn(node->key, "abcdefghijklmnopqrstuvwxyz0123456789_") != len || len > 64)
        kp_complain(ld, node->key_loc, "an alert's name is made of a to z, 0 to 9 and _, at most 64 of them");
    if (!kp_read_map(ld, node, kp_alert_keys, alert))
        return;
    if (!kp_is_lapse(alert) && !kp_node_get(node, "window") && !kp_misspelt(node, kp_alert_keys, "window"))
        kp_complain(ld, node->loc, "\"window\" is missing");
    check_bounds(ld, alert, node);
}

KP_READER(kp_read_alerts)
{
    (void)into;
    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_MAP, KP_KPIS_MAX))
        return;
    for (const struct kp_node *entry = node->first; entry; entry = entry->next) {
        size_t back = kp_path_key(ld, entry->key);

        read_alert(ld, entry);
        kp_path_back(ld, back);
    }
}

void kp_check_message(struct kp_loader *ld, const struct kp_node *node)
{
    const char *known[KP_PLACEHOLDERS];

    for (int i = 0; i < KP_PLACEHOLDERS; i++)
        known[i] = kp_placeholder_name(i);
    for (const char *at = strchr(node->text, '{'); at; at = strchr(at + 1, '{')) {
        const char *end = strchr(at, '}');
        char name[64];

        if (!end) {
            kp_complain(ld, kp_node_loc_at(node, (size_t)(at - node->text)), "the \"{\" is not closed");
            return;
        }
        if (kp_placeholder(at + 1, (size_t)(end - at) - 1) >= 0)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(end - at - 1 > 63 ? 63 : end - at - 1), at + 1);
        kp_complain_unknown(ld, kp_node_loc_at(node, (size_t)(at + 1 - node->text)), "placeholder", name, known,
                            KP_PLACEHOLDERS);
    }
}
