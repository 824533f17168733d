/* alerts: which number of whom is watched, and what makes it fire. */
#include "config_read.h"

#include "kpid/formula.h"
#include "kpid/message.h"

#include <stdio.h>
#include <string.h>

#define AT(field) offsetof(struct kp_alert_cfg, field)

static const struct kp_word hours_words[] = {{"working", 0, false}, {"always", 1, false}, {NULL, 0, false}};
#define DAYS (INT64_C(24) * 3600 * 1000)

static const struct kp_word compares[] = {{"value", KP_CMP_VALUE, false}, {"target", KP_CMP_TARGET, false},
                                          {"pace", KP_CMP_PACE, false},   {"peers", 0, true},
                                          {"baseline", 0, true},          {"silence", 0, true},
                                          {"stalled", 0, true},           {NULL, 0, false}};

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

const struct kp_key kp_bound_keys[] = {
    {.name = "below", .read = read_bound_at, .min = 0},
    {.name = "above", .read = read_bound_at, .min = 1},
    {.name = NULL},
};

static KP_READER(read_bound)
{
    struct kp_bound *bound = into;
    size_t before = ld->faults->count;

    (void)key;
    if (kp_read_map(ld, node, kp_bound_keys, bound) && !bound->set && ld->faults->count == before)
        kp_complain(ld, node->loc, "needs \"below\" or \"above\"");
}

const struct kp_key kp_alert_keys[] = {
    {.name = "kpi", .need = KP_REQUIRED, .read = read_kpi, .max = 160},
    {.name = "window", .need = KP_REQUIRED, .read = read_window},
    {.name = "level", .need = KP_REQUIRED, .read = read_level, .max = 256},
    {.name = "compare", .read = kp_read_word, .at = AT(compare), .words = compares},
    {.name = "warning", .read = read_bound, .at = AT(warning)},
    {.name = "critical", .read = read_bound, .at = AT(critical)},
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
    {.name = "flapping", .need = KP_LATER},
    {.name = "peers", .need = KP_LATER},
    {.name = "min_peers", .need = KP_LATER},
    {.name = "periods", .need = KP_LATER},
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
    alert->name = kp_copy(ld, node->key);
    alert->loc = node->key_loc;
    if (strspn(node->key, "abcdefghijklmnopqrstuvwxyz0123456789_") != len || len > 64)
        kp_complain(ld, node->key_loc, "an alert's name is made of a to z, 0 to 9 and _, at most 64 of them");
    if (kp_read_map(ld, node, kp_alert_keys, alert))
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

/* ---- When everything is known ---- */

/* "@client,product" */
static void level_of(const struct kp_kpi_cfg *kpi, char *buf, size_t size)
{
    size_t len = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < kpi->nby && len < size; i++)
        len += (size_t)snprintf(buf + len, size - len, "%c%s", i ? ',' : '@', kpi->by[i] ? kpi->by[i] : "");
}

static void check_level(struct kp_loader *ld, const struct kp_alert_cfg *alert, const struct kp_kpi_cfg *kpi)
{
    const struct kp_roster_cfg *roster = &ld->config->roster;
    const char *known[KP_LEVELS_MAX + 1];
    char group[1200];
    size_t count = 0;

    if (kpi->nby) {
        level_of(kpi, group, sizeof group);
        known[count++] = group;
    } else {
        known[count++] = "company";
        for (size_t i = 0; i < roster->nlevels; i++)
            known[count++] = roster->levels[i];
    }
    for (size_t i = 0; i < count; i++)
        if (strcmp(known[i], alert->level) == 0)
            return;
    kp_complain_unknown(ld, alert->level_loc, "level", alert->level, known, count);
}

static bool has_target(const struct kp_config *config, const struct kp_alert_cfg *alert)
{
    for (size_t i = 0; i < config->ntargets; i++) {
        const struct kp_target_cfg *target = &config->targets[i];

        if (target->kpi && strcmp(target->kpi, alert->kpi) == 0 && target->per == alert->window.period)
            return true;
    }
    return false;
}

static bool is_running(const struct kp_window *window)
{
    return window->kind == KP_WIN_CALENDAR && window->back == 0;
}

static void check_target(struct kp_loader *ld, const struct kp_alert_cfg *alert)
{
    if (!is_running(&alert->window))
        kp_complain(ld, alert->window_loc, "\"compare: %s\" needs a running period: day, week, month, quarter or year",
                    alert->compare == KP_CMP_PACE ? "pace" : "target");
    else if (!has_target(ld->config, alert))
        kp_complain(ld, alert->window_loc, "no target says what \"%s\" is to reach per %s", alert->kpi,
                    alert->window.text);
}

static int find_operand(void *ctx, const char *name, size_t len)
{
    return kp_find_kpi(ctx, name, len);
}

/* What luck can be told of is a count, or a share of so many tries: one count by another, or by a sum of them. */
static bool is_share(struct kp_config *config, const struct kp_kpi_cfg *kpi)
{
    struct kp_formula *formula;
    const int *operands;
    bool all = true;
    size_t at, n;

    if (kpi->of_more.kind == KP_OF_COHORT || (kpi->of_more.kind == KP_OF_FUNNEL && kpi->of_more.part == KP_FUNNEL_CONVERTED))
        return kpi->agg == KP_AGG_MEAN;
    if (kpi->agg != KP_AGG_FORMULA || !kpi->formula || !strchr(kpi->formula, '/'))
        return false;
    formula = kp_formula_parse(kpi->formula, find_operand, config, &at, NULL);
    n = formula ? kp_formula_operands(formula, &operands) : 0;
    for (size_t i = 0; i < n; i++)
        all &= config->kpis[operands[i]].agg == KP_AGG_COUNT;
    kp_formula_destroy(&formula);
    return n > 0 && all;
}

/* A share lies between 0 and 1: what is to be 5, or 30 of a hundred, is another ratio. */
static bool has_share_target(const struct kp_config *config, const struct kp_alert_cfg *alert)
{
    for (size_t i = 0; i < config->ntargets; i++) {
        const struct kp_target_cfg *target = &config->targets[i];

        if (target->kpi && strcmp(target->kpi, alert->kpi) == 0 && target->per == alert->window.period &&
            (target->value <= 0 || target->value >= 1))
            return false;
    }
    return true;
}

static void check_confidence(struct kp_loader *ld, struct kp_alert_cfg *alert, const struct kp_kpi_cfg *kpi,
                             const struct kp_node *at)
{
    alert->by_share = is_share(ld->config, kpi);
    if (alert->compare == KP_CMP_VALUE)
        kp_complain(ld, at->key_loc, "goes with \"compare: target\" and \"compare: pace\"");
    else if ((alert->warning.set ? alert->warning : alert->critical).above)
        kp_complain(ld, at->key_loc, "goes with \"below\": luck is asked of who lies behind");
    else if (kpi->agg != KP_AGG_COUNT && !alert->by_share)
        kp_complain(ld, at->key_loc, "goes with counts and with ratios of counts, and \"%s\" is neither", kpi->name);
    else if (alert->by_share && !has_share_target(ld->config, alert))
        kp_complain(ld, at->key_loc, "goes with shares, whose targets lie between 0 and 1");
    else if (alert->by_share && alert->compare == KP_CMP_PACE)
        kp_complain(ld, at->key_loc, "goes with \"compare: target\" where the number is a ratio, which has no pace");
}

static void check_guards(struct kp_loader *ld, struct kp_alert_cfg *alert, const struct kp_kpi_cfg *kpi,
                         const struct kp_node *node)
{
    const struct kp_node *confidence = kp_node_get(node, "confidence"), *elapsed = kp_node_get(node, "min_elapsed");
    size_t back = kp_path_key(ld, confidence ? "confidence" : "min_elapsed");

    if (confidence && alert->confidence > 0)
        check_confidence(ld, alert, kpi, confidence);
    kp_path_back(ld, back);
    back = kp_path_key(ld, "min_elapsed");
    if (elapsed && alert->window.text[0] && !is_running(&alert->window))
        kp_complain(ld, elapsed->key_loc, "needs a window that is a running period: day, week, month, quarter or year");
    kp_path_back(ld, back);
}

void kp_check_alerts(struct kp_loader *ld)
{
    struct kp_config *config = ld->config;

    for (size_t i = 0; i < config->nalerts; i++) {
        struct kp_alert_cfg *alert = &config->alerts[i];
        size_t back = kp_path_key(ld, "alerts"), inner;
        int kpi = alert->kpi ? kp_find_kpi(config, alert->kpi, strlen(alert->kpi)) : -1;

        kp_path_key(ld, alert->name ? alert->name : "");
        inner = kp_path_key(ld, "kpi");
        if (alert->kpi && kpi < 0)
            kp_complain_kpi(ld, alert->kpi_loc, alert->kpi);
        kp_path_back(ld, inner);
        inner = kp_path_key(ld, "level");
        if (kpi >= 0 && alert->level)
            check_level(ld, alert, &config->kpis[kpi]);
        kp_path_back(ld, inner);
        inner = kp_path_key(ld, "window");
        if (kpi >= 0 && alert->compare != KP_CMP_VALUE && alert->window.text[0])
            check_target(ld, alert);
        kp_path_back(ld, inner);
        if (kpi >= 0)
            check_guards(ld, alert, &config->kpis[kpi], ld->alert_nodes[i]);
        kp_path_back(ld, back);
    }
}
