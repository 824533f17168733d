/* alerts, once everything is known: whether what each one asks can be answered. */
#include "config_read.h"

#include "kpid/formula.h"

#include <stdio.h>
#include <string.h>

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

/* What there is to compare with is of a period. */
static void check_window(struct kp_loader *ld, const struct kp_alert_cfg *alert)
{
    static const char *const names[] = {[KP_CMP_TARGET] = "target", [KP_CMP_PACE] = "pace", [KP_CMP_BASELINE] = "baseline"};
    bool targeted = alert->compare == KP_CMP_PACE || alert->compare == KP_CMP_TARGET;

    if (!targeted && alert->compare != KP_CMP_BASELINE)
        return;
    if (!is_running(&alert->window))
        kp_complain(ld, alert->window_loc, "\"compare: %s\" needs a running period: day, week, month, quarter or year",
                    names[alert->compare]);
    else if (targeted && !has_target(ld->config, alert))
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
    if (alert->compare != KP_CMP_TARGET && alert->compare != KP_CMP_PACE)
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

/* ---- Which keys go together ---- */

static void misfit(struct kp_loader *ld, const struct kp_node *node, const char *key, const char *what)
{
    const struct kp_node *at = kp_node_get(node, key);
    size_t back = kp_path_key(ld, key);

    if (at)
        kp_complain(ld, at->key_loc, "%s", what);
    kp_path_back(ld, back);
}

/* What is so now, one entity at a time. */
static bool is_open(const struct kp_kpi_cfg *kpi)
{
    const struct kp_of_cfg *of = &kpi->of_more;

    return of->kind == KP_OF_OPEN || (of->kind == KP_OF_FUNNEL && of->part == KP_FUNNEL_OPEN);
}

static void check_kpi_fits(struct kp_loader *ld, const struct kp_alert_cfg *alert, const struct kp_kpi_cfg *kpi)
{
    if (alert->compare == KP_CMP_STALLED && !is_open(kpi))
        kp_complain(ld, alert->kpi_loc, "\"compare: stalled\" needs a KPI of what is open, and \"%s\" is none", kpi->name);
    if (alert->compare == KP_CMP_BASELINE && is_open(kpi))
        kp_complain(ld, alert->kpi_loc, "\"%s\" tells what is open now, and nothing of the periods before", kpi->name);
    if (alert->compare == KP_CMP_SILENCE && is_open(kpi))
        kp_complain(ld, alert->kpi_loc, "\"%s\" tells what is open now, not what happens; \"compare: stalled\" is for that",
                    kpi->name);
}

static void check_fit(struct kp_loader *ld, const struct kp_alert_cfg *alert, const struct kp_kpi_cfg *kpi,
                      const struct kp_node *node)
{
    bool lapse = kp_is_lapse(alert);
    bool above_others = !alert->level || strcmp(alert->level, "company") == 0 || alert->level[0] == '@';
    size_t back = kp_path_key(ld, "kpi");

    if (kpi)
        check_kpi_fits(ld, alert, kpi);
    kp_path_back(ld, back);
    if (alert->compare != KP_CMP_PEERS) {
        misfit(ld, node, "peers", "goes with \"compare: peers\"");
        misfit(ld, node, "min_peers", "goes with \"compare: peers\"");
    } else if (above_others && alert->level) {
        misfit(ld, node, "compare", "peers are members below one parent, and this level has none");
    }
    if (alert->compare != KP_CMP_BASELINE)
        misfit(ld, node, "periods", "goes with \"compare: baseline\"");
    if (lapse) {
        misfit(ld, node, "min_count", "counts samples, and what lasts has none");
        misfit(ld, node, "min_elapsed", "goes with a window that is a running period");
    }
    if (alert->group > 0 && (above_others || alert->compare == KP_CMP_STALLED))
        misfit(ld, node, "group", "goes with a level of the roster below the company, one alert a key");
    if (alert->escalate_ms && !alert->warning.set)
        misfit(ld, node, "escalate", "makes a warning critical, and there is no \"warning\"");
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
        if (kpi >= 0 && alert->window.text[0])
            check_window(ld, alert);
        kp_path_back(ld, inner);
        if (kpi >= 0)
            check_guards(ld, alert, &config->kpis[kpi], ld->alert_nodes[i]);
        check_fit(ld, alert, kpi >= 0 ? &config->kpis[kpi] : NULL, ld->alert_nodes[i]);
        kp_path_back(ld, back);
    }
}
