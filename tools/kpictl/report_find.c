/* What works and what does not, out of a report's numbers: pure, and in words that a reader can check. */
#include "report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANCE_MAX 0.05
enum { STALLED_MAX = 10 };

static void KP_PRINTF(2, 3) add(struct report_lines *lines, const char *fmt, ...)
{
    va_list args;

    if (lines->n == REPORT_LINES_MAX) {
        lines->left_out++;
        return;
    }
    va_start(args, fmt);
    vsnprintf(lines->line[lines->n++], REPORT_LINE, fmt, args);
    va_end(args);
}

/* ---- Numbers ---- */

/* Nobody is behind a target of 0, nor of what nobody was there to reach. */
double report_goal(const struct report *report, const struct report_cell *cell)
{
    double goal = report->running || !isnan(cell->expected) ? cell->expected : cell->target;

    return goal > 0 ? goal : (double)NAN;
}

enum report_verdict report_verdict(const struct report *report, const struct report_kpi *kpi, const struct report_series *series)
{
    const struct report_cell *cell = &series->weeks[REPORT_BEFORE];
    double goal = report_goal(report, cell);

    if (series->status == REPORT_STATUS_NO_DATA)
        return REPORT_NO_NEWS;
    if (isnan(goal) || isnan(cell->value) || !kpi->better)
        return REPORT_NEITHER;
    return kpi->better * (cell->value - goal) >= 0 ? REPORT_GOOD : REPORT_BAD;
}

double report_mean(const struct report_series *series, size_t *weeks)
{
    double sum = 0;

    *weeks = 0;
    for (int i = 0; i < REPORT_BEFORE; i++) {
        if (isnan(series->weeks[i].value))
            continue;
        sum += series->weeks[i].value;
        (*weeks)++;
    }
    return *weeks ? sum / (double)*weeks : (double)NAN;
}

static bool is_known(const struct report *report, int week)
{
    for (size_t k = 0; k < report->nkpis; k++)
        if (!isnan(report->kpis[k].own.weeks[week].value))
            return true;
    for (size_t f = 0; f < report->nfunnels; f++)
        for (size_t s = 0; s < report->funnels[f].nsteps; s++)
            if (!isnan(report->funnels[f].steps[s].parts[REPORT_ENTERED].weeks[week].value))
                return true;
    return false;
}

/* Of what was never heard of in all those weeks there is no telling whether it would be. */
static bool has_any(const struct report_series *series)
{
    for (int i = 0; i < REPORT_WEEKS; i++)
        if (!isnan(series->weeks[i].value))
            return true;
    return false;
}

static void make_zero(struct report_cell *cell)
{
    if (isnan(cell->value))
        cell->value = cell->n = 0;
}

void report_fill(struct report *report)
{
    report->is_unknown = !is_known(report, REPORT_BEFORE);
    for (int i = 0; i < REPORT_WEEKS; i++) {
        if (!is_known(report, i))
            continue;
        for (size_t k = 0; k < report->nkpis; k++)
            if (report->kpis[k].counts && has_any(&report->kpis[k].own))
                make_zero(&report->kpis[k].own.weeks[i]);
        for (size_t f = 0; f < report->nfunnels; f++)
            for (size_t s = 0; s < report->funnels[f].nsteps; s++)
                if (has_any(&report->funnels[f].steps[s].parts[REPORT_ENTERED]))
                    make_zero(&report->funnels[f].steps[s].parts[REPORT_ENTERED].weeks[i]);
    }
}

void report_fill_member(const struct report *report, struct report_member *member)
{
    bool counts[REPORT_MAIN_MAX];
    size_t nmain = 0;

    for (size_t k = 0; k < report->nkpis && nmain < REPORT_MAIN_MAX; k++)
        if (report->kpis[k].is_main)
            counts[nmain++] = report->kpis[k].counts;
    for (int i = 0; i < REPORT_WEEKS; i++) {
        bool known = false;

        for (size_t m = 0; m < nmain; m++)
            known |= !isnan(member->main[m].weeks[i].value);
        for (size_t m = 0; m < nmain && known; m++)
            if (counts[m])
                make_zero(&member->main[m].weeks[i]);
    }
}

void report_choose_main(struct report *report)
{
    size_t chosen = 0;

    for (int pass = 0; pass < 3; pass++) {
        for (size_t k = 0; k < report->nkpis && chosen < REPORT_MAIN_MAX; k++) {
            struct report_kpi *kpi = &report->kpis[k];
            const struct report_cell *cell = &kpi->own.weeks[REPORT_BEFORE];
            bool wanted = pass == 0 ? cell->target > 0 : !isnan(cell->value) && (kpi->better || pass == 2);

            if (kpi->is_main || !wanted)
                continue;
            kpi->is_main = true;
            chosen++;
        }
    }
}

/* ---- What works, and what does not ---- */

static const char *of_goal(const struct report *report, const struct report_cell *cell)
{
    if (report->running)
        return "what is expected by now";
    return isnan(cell->expected) || fabs(cell->expected - cell->target) <= 0.005 * cell->target ? "the target" : "what was expected";
}

static void tell_goal(const struct report *report, const struct report_kpi *kpi, bool good, struct report_lines *lines)
{
    const struct report_cell *cell = &kpi->own.weeks[REPORT_BEFORE];
    double goal = report_goal(report, cell), gap = fabs(cell->value - goal);
    char value[REPORT_NUMBER], aim[REPORT_NUMBER], off[REPORT_NUMBER], share[REPORT_NUMBER];
    bool percent = strcmp(kpi->unit, "%") == 0;

    report_number(percent ? round(gap * 1000) / 10 : gap, percent ? "points" : kpi->unit, off);
    add(lines, "%s: %s, %s of %s (%s)%s%s%s", kpi->title, report_number(cell->value, kpi->unit, value),
        report_number(cell->value / goal, "%", share), of_goal(report, cell), report_number(goal, kpi->unit, aim),
        good || gap == 0 ? "" : "; ", good || gap == 0 ? "" : off,
        good || gap == 0  ? ""
        : kpi->better > 0 ? " are missing"
                          : " too much");
}

/* Half a week's count beside whole ones says nothing. */
static bool comparable(const struct report *report, const struct report_kpi *kpi)
{
    return kpi->better && !(report->running && kpi->adds) && !isnan(kpi->own.weeks[REPORT_BEFORE].value);
}

/* Of a week that has ended no status is kept; that none of its alerts fired says as much. */
static bool is_calm(const struct report *report, const struct report_kpi *kpi)
{
    if (report->running)
        return kpi->own.status == REPORT_STATUS_OK;
    for (size_t i = 0; i < report->nalerts; i++)
        if (strcmp(report->alerts[i].kpi, kpi->name) == 0 && strcmp(report->alerts[i].level, report->levels[report->depth]) == 0 &&
            (report->depth == 0 || strcmp(report->alerts[i].key, report->key) == 0))
            return false;
    return true;
}

static void tell_mean(const struct report *report, const struct report_kpi *kpi, struct report_findings *found)
{
    double value = kpi->own.weeks[REPORT_BEFORE].value, mean;
    char now[REPORT_NUMBER], usual[REPORT_NUMBER];
    size_t weeks;

    mean = report_mean(&kpi->own, &weeks);
    if (!comparable(report, kpi) || weeks < REPORT_MEAN_MIN)
        return;
    report_number(value, kpi->unit, now);
    report_number(mean, kpi->unit, usual);
    if (kpi->better * (value - mean) > 0 && is_calm(report, kpi))
        add(&found->works, "%s: %s, better than the own mean of %s (%zu weeks)", kpi->title, now, usual, weeks);
    else if (kpi->better * (value - mean) < 0 && kpi->own.status >= REPORT_STATUS_WARNING)
        add(&found->behind, "%s: %s, worse than the own mean of %s (%zu weeks), and beyond a threshold", kpi->title, now, usual,
            weeks);
}

static void find_kpis(const struct report *report, struct report_findings *found)
{
    for (size_t k = 0; k < report->nkpis; k++) {
        const struct report_kpi *kpi = &report->kpis[k];

        switch (report_verdict(report, kpi, &kpi->own)) {
        case REPORT_GOOD:
            tell_goal(report, kpi, true, &found->works);
            break;
        case REPORT_BAD:
            tell_goal(report, kpi, false, &found->behind);
            break;
        case REPORT_NEITHER:
            tell_mean(report, kpi, found);
            break;
        case REPORT_NO_NEWS:
            add(&found->behind, "%s: a source that feeds it was silent, so its number is no news of anybody", kpi->title);
            break;
        }
    }
}

/* Those that stand longest first. */
static void find_stalled(const struct report *report, struct report_lines *lines)
{
    char when[48];

    for (size_t i = 0; i < report->nalerts; i++) {
        const struct report_alert *alert = &report->alerts[i];

        if (!alert->stalled || !isnan(alert->over_ms))
            continue;
        if (lines->n == STALLED_MAX) {
            lines->left_out++;
            continue;
        }
        add(lines, "%s%s%s; told of on %s", alert->message[0] ? alert->message : alert->rule,
            strstr(alert->message, alert->name) ? "" : ": ", strstr(alert->message, alert->name) ? "" : alert->name,
            report_instant_text(report, alert->at_ms, when));
    }
}

/* ---- Funnels ---- */

/* The newest week whose deals have had a week more to go on: to hold one that has just ended against those before finds fault with
 * whatever takes its time. */
static int ripe_week(const struct report *report)
{
    return report->now_ms >= report->starts[REPORT_WEEKS] + 7 * KP_DAY_MS ? REPORT_BEFORE : REPORT_BEFORE - 1;
}

static double lost_at(const struct report_step *step, int week)
{
    const struct report_cell *cell = &step->parts[REPORT_CONVERTED].weeks[week];

    return cell->n > 0 && !isnan(cell->value) ? cell->n * (1 - cell->value) : 0;
}

static void find_loss(const struct report_funnel *funnel, int week, struct report_lines *lines)
{
    const struct report_step *worst = NULL, *next = NULL;
    char lost[REPORT_NUMBER], n[REPORT_NUMBER], share[REPORT_NUMBER];

    for (size_t s = 0; s + 1 < funnel->nsteps; s++) {
        if (lost_at(&funnel->steps[s], week) <= (worst ? lost_at(worst, week) : 0))
            continue;
        worst = &funnel->steps[s];
        next = worst + 1;
    }
    if (!worst)
        return;
    add(lines, "%s: most stay behind at %s: of %s who reached it in %s, %s (%s) have not gone on to %s or further",
        funnel->title, worst->stage, report_number(worst->parts[REPORT_CONVERTED].weeks[week].n, NULL, n),
        week == REPORT_BEFORE ? "the week" : "the week before, which has had time to go on", report_number(round(lost_at(worst, week)), NULL, lost),
        report_number(1 - worst->parts[REPORT_CONVERTED].weeks[week].value, "%", share), next->stage);
}

/* ---- Training ---- */

/* Two shares, by the normal approximation with a pooled share (Fleiss, Levin, Paik 2003, 3.1); with 30 samples on either side
 * it is near enough for a hint. */
double report_chance(double share, double n, double reference, double reference_n)
{
    double pooled = (share * n + reference * reference_n) / (n + reference_n);
    double error = sqrt(pooled * (1 - pooled) * (1 / n + 1 / reference_n));

    if (!(error > 0))
        return 1;
    return 0.5 * erfc((reference - share) / error / sqrt(2));
}

struct hint {
    const struct report_funnel *funnel;
    const struct report_step *step;
    bool of_parent;
    double share, n, reference, reference_n, chance;
};
struct search {
    const struct report *report;
    struct hint best;           /* step NULL: none */
    size_t looks;               /* how often two shares were held against each other: each is one more chance to find something */
    const struct report_step *most;     /* with the most samples, where they were too few */
    double most_n;
    int ripe;                   /* the week that is held against those before it */
};

static void look(struct search *search, const struct hint *hint)
{
    if (isnan(hint->reference) || !(hint->reference_n >= REPORT_SAMPLES_MIN))
        return;
    search->looks++;
    if (!search->best.step || hint->chance < search->best.chance)
        search->best = *hint;
}

static void set_reference(struct hint *hint, double hits, double n, bool of_parent)
{
    hint->of_parent = of_parent;
    hint->reference_n = n;
    hint->reference = n > 0 ? hits / n : (double)NAN;
    hint->chance = n > 0 ? report_chance(hint->share, hint->n, hint->reference, n) : 1;
}

static bool has_samples(struct search *search, const struct report_step *step, const struct report_cell *cell)
{
    if (cell->n >= REPORT_SAMPLES_MIN && !isnan(cell->value))
        return true;
    if (cell->n > search->most_n || (!search->most && cell->n >= 0)) {
        search->most = step;
        search->most_n = cell->n;
    }
    return false;
}

/* What the same step came to in the weeks before, all of their samples together. */
static void look_back(struct search *search, struct hint hint)
{
    const struct report_series *series = &hint.step->parts[REPORT_CONVERTED];
    double hits = 0, n = 0;

    if (!has_samples(search, hint.step, &series->weeks[search->ripe]))
        return;
    hint.share = series->weeks[search->ripe].value;
    hint.n = series->weeks[search->ripe].n;
    for (int i = 0; i < search->ripe; i++) {
        if (isnan(series->weeks[i].value) || !(series->weeks[i].n > 0))
            continue;
        hits += series->weeks[i].value * series->weeks[i].n;
        n += series->weeks[i].n;
    }
    set_reference(&hint, hits, n, false);
    look(search, &hint);
}

static void look_at(struct search *search, const struct report_funnel *funnel, const struct report_step *step)
{
    const struct report_cell *cell = &step->parts[REPORT_CONVERTED].weeks[REPORT_BEFORE], *parent = &step->parent;
    struct hint hint = {.funnel = funnel, .step = step, .share = cell->value, .n = cell->n};

    look_back(search, hint);
    if (has_samples(search, step, cell) && search->report->has_parent && parent->n > cell->n && !isnan(parent->value)) {
        /* the others: the place itself is among its parent's */
        set_reference(&hint, parent->value * parent->n - cell->value * cell->n, parent->n - cell->n, true);
        look(search, &hint);
    }
}

static void tell_hint(const struct search *search, struct report_lines *lines)
{
    const struct hint *hint = &search->best;
    double chance = fmin(1, hint->chance * (double)search->looks);      /* Bonferroni */
    char own[REPORT_NUMBER], n[REPORT_NUMBER], hits[REPORT_NUMBER], other[REPORT_NUMBER], m[REPORT_NUMBER], luck[REPORT_NUMBER];
    const char *against = hint->of_parent ? "of the others at the level above in the same week" : "in the weeks before that";
    const char *when = hint->of_parent || search->ripe == REPORT_BEFORE ? "in the week" : "in the week before, which has had time to go on";

    report_number(hint->share, "%", own);
    report_number(round(hint->share * hint->n), NULL, hits);
    report_number(hint->n, NULL, n);
    report_number(hint->reference, "%", other);
    report_number(hint->reference_n, NULL, m);
    report_number(chance, "%", luck);
    if (chance > CHANCE_MAX) {
        add(lines,
            "No step of a funnel stands out beyond what chance does. The weakest is %s of %s: %s of %s (%s) went on %s, against %s of "
            "%s %s; "
            "chance alone brings as much in %s of such looks (%zu were taken)",
            hint->step->stage, hint->funnel->title, hits, n, own, when, other, m, against, luck, search->looks);
        return;
    }
    add(lines,
        "Hypothesis: training may help at %s (%s). %s of %s (%s) who reached it %s went on, against %s of %s %s. Chance alone "
        "brings so large a gap in %s of such looks (%zu were taken, which is allowed for)",
        hint->step->stage, hint->funnel->title, hits, n, own, when, other, m, against, chance < 0.001 ? "less than 0.1 %" : luck,
        search->looks);
    add(lines, "It is a reason to listen in and to ask, no proof: other leads, prices or people who are away would look the same");
}

static void find_training(const struct report *report, struct report_lines *lines)
{
    struct search search = {.report = report, .ripe = ripe_week(report)};
    char n[REPORT_NUMBER];

    for (size_t f = 0; f < report->nfunnels; f++)
        for (size_t s = 0; s + 1 < report->funnels[f].nsteps; s++)
            look_at(&search, &report->funnels[f], &report->funnels[f].steps[s]);
    if (search.best.step)
        tell_hint(&search, lines);
    else if (!report->nfunnels)
        add(lines, "No funnel has the window \"week\", so nothing can be said");
    else if (search.most)
        add(lines,
            "Too few samples to say anything: %s, the step with the most, has %s; %d are needed, and as many to hold it against",
            search.most->stage, report_number(search.most_n, NULL, n), REPORT_SAMPLES_MIN);
    else
        add(lines, "Nothing can be said: there is nothing, or too little, to hold the steps against");
}

void report_find(const struct report *report, struct report_findings *found)
{
    memset(found, 0, sizeof *found);
    find_kpis(report, found);
    for (size_t f = 0; f < report->nfunnels; f++)
        find_loss(&report->funnels[f], ripe_week(report), &found->losses);
    find_stalled(report, &found->stalled);
    find_training(report, &found->training);
}
