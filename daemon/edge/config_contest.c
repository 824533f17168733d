/* contests: who leads by what, in which stretch of time. */
#include "config_read.h"

#include "kpid/formula.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct kp_contest_cfg, field)
#define LONGEST_MS (366 * KP_DAY_MS)

enum { INSTANT_TEXT = 64 };

static const struct kp_word aways[] = {{"ignored", 0, false}, {"adjusted", 1, false}, {NULL, 0, false}};

/* ---- What counts ---- */

static void add_term(struct kp_loader *ld, struct kp_contest_cfg *contest, char *kpi, struct kp_loc loc, double weight)
{
    struct kp_contest_term *term = kp_grow(ld, &contest->terms, &contest->nterms, sizeof *term);

    if (term)
        *term = (struct kp_contest_term){kpi, weight, loc};
    else
        free(kpi);
}

static KP_READER(read_kpi)
{
    struct kp_contest_cfg *contest = into;
    char *kpi = NULL;

    contest->kpi_loc = node->loc;
    kp_read_text(ld, node, &kpi, key);
    if (kpi)
        add_term(ld, contest, kpi, node->loc, 1);
}

static KP_READER(read_kpis)
{
    struct kp_contest_cfg *contest = into;

    (void)key;
    if (contest->kpi_loc.line) {
        kp_complain(ld, node->key_loc, "takes one of \"kpi\" and \"kpis\"");
        return;
    }
    contest->kpi_loc = node->loc;
    contest->weighted = true;
    if (!kp_want_some(ld, node, KP_NODE_MAP, KP_CONTEST_TERMS_MAX))
        return;
    for (const struct kp_node *entry = node->first; entry; entry = entry->next) {
        size_t back = kp_path_key(ld, entry->key);
        double weight = 0;

        if (kp_number(ld, entry, &weight, NULL) && weight == 0)
            kp_complain(ld, entry->loc, "counts nothing");
        add_term(ld, contest, kp_copy(ld, entry->key), entry->key_loc, weight);
        kp_path_back(ld, back);
    }
}

static KP_READER(read_tie)
{
    struct kp_contest_cfg *contest = into;

    contest->tie_loc = node->loc;
    kp_read_text(ld, node, &contest->tie, key);
}

/* ---- When ---- */

/* A day of the company, its begin or its end; a time of day of the company; or an instant. */
static bool instant_of(const struct kp_zone *zone, const char *text, bool is_end, int64_t *at)
{
    size_t len = strlen(text);
    int32_t clock, unit;
    int64_t day;

    if (len >= 10 && kp_date_parse(text, 10, &day)) {
        if (len == 10) {
            *at = kp_zone_day_start(zone, day + is_end);
            return true;
        }
        if ((text[10] == 'T' || text[10] == ' ') && kp_clock_parse(text + 11, len - 11, &clock, &unit)) {
            *at = kp_zone_instant(zone, day, clock);
            return true;
        }
    }
    return kp_rfc3339_parse(text, len, at);
}

static void read_instant(struct kp_loader *ld, const struct kp_node *node, int64_t *at, bool is_end)
{
    const char *text = kp_text(ld, node, INSTANT_TEXT);
    struct kp_err err = {0};
    struct kp_zone *zone = text ? kp_zone_new(ld->config->zone_tzif, ld->config->zone_len, &err) : NULL;

    if (text && !zone)
        ld->out_of_memory = true;       /* its file was looked at before */
    if (zone && !instant_of(zone, text, is_end, at))
        kp_complain(ld, node->loc, "\"%s\" is neither a day (2026-11-01) nor an instant (2026-11-01T09:00, of the company's zone, or "
                                   "2026-11-01T09:00:00Z)", text);
    kp_zone_destroy(&zone);
}

static KP_READER(read_from)
{
    struct kp_contest_cfg *contest = into;

    (void)key;
    read_instant(ld, node, &contest->from_ms, false);
}

static KP_READER(read_to)
{
    struct kp_contest_cfg *contest = into;

    (void)key;
    contest->to_loc = node->loc;
    read_instant(ld, node, &contest->to_ms, true);
}

static void check_span(struct kp_loader *ld, const struct kp_contest_cfg *contest)
{
    size_t back = kp_path_key(ld, "to");

    if (contest->from_ms == INT64_MIN || contest->to_ms == INT64_MIN)
        ;       /* told already */
    else if (contest->to_ms <= contest->from_ms)
        kp_complain(ld, contest->to_loc, "it is over before it begins");
    else if (contest->to_ms - contest->from_ms > LONGEST_MS)
        kp_complain(ld, contest->to_loc, "a contest lasts at most 366 days");
    kp_path_back(ld, back);
}

/* ---- Who ---- */

static KP_READER(read_for)
{
    struct kp_contest_cfg *contest = into;

    (void)key;
    kp_selectors_of(ld, node, &contest->select, &contest->nselect);
}

/* The levels are read before the contests. */
static KP_READER(read_among)
{
    const struct kp_roster_cfg *roster = &ld->config->roster;
    struct kp_contest_cfg *contest = into;

    contest->level_loc = node->loc;
    kp_read_text(ld, node, &contest->level, key);
    if (contest->level && kp_find_level(ld->config, contest->level) < 0)
        kp_complain_unknown(ld, node->loc, "level", contest->level, (const char *const *)roster->levels, roster->nlevels);
}

static KP_READER(read_away)
{
    struct kp_contest_cfg *contest = into;
    int word;

    (void)key;
    contest->away_loc = node->loc;
    if (kp_word_of(ld, node, aways, &word))
        contest->adjusted = word;
}

const struct kp_key kp_contest_keys[] = {
    {.name = "title", .read = kp_read_text, .at = AT(title), .max = 200},
    {.name = "kpi", .read = read_kpi, .max = 160},
    {.name = "kpis", .read = read_kpis},
    {.name = "from", .need = KP_REQUIRED, .read = read_from},
    {.name = "to", .need = KP_REQUIRED, .read = read_to},
    {.name = "for", .read = read_for},
    {.name = "among", .need = KP_REQUIRED, .read = read_among, .max = 64},
    {.name = "tie", .read = read_tie, .max = 160},
    {.name = "away", .read = read_away},
    {.name = NULL},
};

static void read_contest(struct kp_loader *ld, const struct kp_node *node)
{
    struct kp_contest_cfg *contest = kp_grow(ld, &ld->config->contests, &ld->config->ncontests, sizeof *contest);
    const struct kp_node **slot = kp_grow(ld, &ld->contest_nodes, &ld->ncontest_nodes, sizeof(*ld->contest_nodes));
    size_t len = strlen(node->key);

    if (!contest || !slot)
        return;
    *slot = node;
    contest->name = kp_copy(ld, node->key);
    contest->loc = node->key_loc;
    contest->from_ms = contest->to_ms = INT64_MIN;
    if (strspn(node->key, "abcdefghijklmnopqrstuvwxyz0123456789_") != len || len > 64)
        kp_complain(ld, node->key_loc, "a contest's name is made of a to z, 0 to 9 and _, at most 64 of them");
    if (!kp_read_map(ld, node, kp_contest_keys, contest))
        return;
    check_span(ld, contest);
    if (!contest->kpi_loc.line && !kp_misspelt(node, kp_contest_keys, "kpi") && !kp_misspelt(node, kp_contest_keys, "kpis"))
        kp_complain(ld, node->key_loc, "needs \"kpi\" or \"kpis\", like {calls_made: 1, deals_won: 20}");
}

KP_READER(kp_read_contests)
{
    (void)into;
    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_MAP, KP_CONTESTS_MAX))
        return;
    for (const struct kp_node *entry = node->first; entry; entry = entry->next) {
        size_t back = kp_path_key(ld, entry->key);

        read_contest(ld, entry);
        kp_path_back(ld, back);
    }
}

/* ---- Once the KPIs are known ---- */

static int find_operand(void *ctx, const char *name, size_t len)
{
    return kp_find_kpi(ctx, name, len);
}

/* Why a stretch of time does not have the KPI, or a part of its formula; NULL: it does. *seen, by KPI: looked at before. */
static const char *never_of_span(struct kp_config *config, size_t kpi, bool *seen)
{
    const struct kp_kpi_cfg *cfg = &config->kpis[kpi];
    const struct kp_of_cfg *of = &cfg->of_more;
    struct kp_formula *formula;
    const char *why = NULL;
    const int *operands;
    size_t at, n;

    if (of->kind == KP_OF_OPEN || (of->kind == KP_OF_FUNNEL && of->part == KP_FUNNEL_OPEN))
        return "tells what is open now, not what was done";
    if (of->kind == KP_OF_COHORT)
        return "is known only when the time for it has passed, not when the contest is over";
    if (seen[kpi] || cfg->agg != KP_AGG_FORMULA || !cfg->formula)
        return NULL;
    seen[kpi] = true;
    formula = kp_formula_parse(cfg->formula, find_operand, config, &at, NULL);
    n = formula ? kp_formula_operands(formula, &operands) : 0;
    for (size_t i = 0; i < n && !why; i++)
        why = never_of_span(config, (size_t)operands[i], seen);
    kp_formula_destroy(&formula);
    return why;
}

/* The KPI of that name that may be counted in a contest; -1 and a fault: there is none. */
static int check_kpi(struct kp_loader *ld, const char *name, struct kp_loc loc)
{
    int kpi = kp_find_kpi(ld->config, name, strlen(name));
    bool *seen = kpi < 0 ? NULL : kp_zeros(ld, ld->config->nkpis, sizeof *seen);
    const char *why = seen ? never_of_span(ld->config, (size_t)kpi, seen) : NULL;

    free(seen);
    if (kpi < 0)
        kp_complain_kpi(ld, loc, name);
    else if (ld->config->kpis[kpi].nby)
        kp_complain(ld, loc, "\"%s\" is grouped by a field; contests are for the roster's levels", name);
    else if (why)
        kp_complain(ld, loc, "\"%s\" %s", name, why);
    else
        return kpi;
    return -1;
}

static void check_way(struct kp_loader *ld, int kpi, struct kp_loc loc)
{
    const struct kp_kpi_cfg *cfg = &ld->config->kpis[kpi];

    if (cfg->better == KP_BETTER_NONE)
        kp_complain(ld, loc, "\"%s\" has \"better: none\", so nobody leads by it", cfg->name);
}

/* Twice the time brings twice as many, but no better mean. */
static void check_away(struct kp_loader *ld, const struct kp_contest_cfg *contest, int kpi)
{
    const struct kp_kpi_cfg *cfg = &ld->config->kpis[kpi];
    size_t back;

    if (!contest->adjusted || cfg->agg == KP_AGG_COUNT || cfg->agg == KP_AGG_SUM)
        return;
    back = kp_path_key(ld, "away");
    kp_complain(ld, contest->away_loc, "adjusts what adds up, counts and sums, and \"%s\" is neither", cfg->name);
    kp_path_back(ld, back);
}

static void check_contest(struct kp_loader *ld, const struct kp_contest_cfg *contest)
{
    int kpi;

    for (size_t i = 0; i < contest->nterms; i++) {
        const struct kp_contest_term *term = &contest->terms[i];
        size_t back = kp_path_key(ld, contest->weighted ? "kpis" : "kpi");

        if (contest->weighted && term->kpi)
            kp_path_key(ld, term->kpi);
        kpi = term->kpi ? check_kpi(ld, term->kpi, term->loc) : -1;
        if (kpi >= 0 && !contest->weighted)
            check_way(ld, kpi, term->loc);
        kp_path_back(ld, back);
        if (kpi >= 0)
            check_away(ld, contest, kpi);
    }
    if (contest->tie) {
        size_t back = kp_path_key(ld, "tie");

        kpi = check_kpi(ld, contest->tie, contest->tie_loc);
        if (kpi >= 0)
            check_way(ld, kpi, contest->tie_loc);
        kp_path_back(ld, back);
    }
}

void kp_check_contests(struct kp_loader *ld)
{
    for (size_t i = 0; i < ld->config->ncontests; i++) {
        size_t back = kp_path_key(ld, "contests");

        kp_path_key(ld, ld->config->contests[i].name);
        check_contest(ld, &ld->config->contests[i]);
        kp_path_back(ld, back);
    }
}
