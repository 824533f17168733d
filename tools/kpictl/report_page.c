/* What stands in a report, in which order: laid out once, whatever writes it. */
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { EMPTY_LINES = 4, WHO_MAX = 4, RANKS_MAX = 10, MAX_SAY = 400 };

static void say(struct report_pen *pen, enum pen_tone tone, const char *text)
{
    pen->ops->cell(pen, tone, text);
}

static void say_known(struct report_pen *pen, double value, const char *unit)
{
    char text[REPORT_NUMBER];

    say(pen, isnan(value) ? PEN_QUIET : PEN_PLAIN, report_number(value, unit, text));
}

/* Empty where there is none: a target that nobody has set is no missing data. */
static void say_if(struct report_pen *pen, double value, const char *unit)
{
    char text[REPORT_NUMBER];

    say(pen, PEN_PLAIN, isnan(value) ? "" : report_number(value, unit, text));
}

static void put_lines(struct report_pen *pen, enum pen_tone tone, const struct report_lines *lines, const char *nothing)
{
    const char *list[REPORT_LINES_MAX];
    char more[64];

    for (size_t i = 0; i < lines->n; i++)
        list[i] = lines->line[i];
    if (lines->n)
        pen->ops->list(pen, tone, list, lines->n);
    else
        pen->ops->paragraph(pen, PEN_QUIET, nothing);
    if (!lines->left_out)
        return;
    snprintf(more, sizeof more, "And %zu more.", lines->left_out);
    pen->ops->paragraph(pen, PEN_QUIET, more);
}

/* ---- The head ---- */

static void put_head(struct report_pen *pen, const struct report *report)
{
    char week[16], from[32], to[32], now[48], title[64], place[REPORT_NAME + REPORT_PATH + 8], days[256];

    snprintf(title, sizeof title, "Weekly sales meeting, %s", report_week_text(&report->week, week));
    if (report->depth)
        snprintf(place, sizeof place, "%s (%s)", report->name, report->path);
    else
        snprintf(place, sizeof place, "The whole company");
    snprintf(days, sizeof days, "%s to %s, %s%s%s%s", report_day_text(report->week.first_day, from),
             report_day_text(report->week.first_day + 6, to), report->zone_name,
             report->running ? "; still running, as of " : "",
             report->running ? report_instant_text(report, (double)report->now_ms, now) : "", "");
    pen->ops->begin(pen, title, place, days);
    for (size_t i = 0; i < report->nnotes; i++)
        pen->ops->paragraph(pen, PEN_BAD, report->notes[i]);
}

/* ---- 1. How we track ---- */

static enum pen_tone tone_of(enum report_verdict verdict)
{
    return verdict == REPORT_GOOD ? PEN_GOOD : verdict == REPORT_BAD ? PEN_BAD : PEN_PLAIN;
}

static bool is_empty(const struct report_series *series)
{
    for (int i = 0; i < REPORT_WEEKS; i++)
        if (!isnan(series->weeks[i].value) || series->weeks[i].target > 0)
            return false;
    return true;
}

static void detail_of(const struct report *report, const struct report_kpi *kpi, char *buf, size_t size)
{
    const struct report_cell *cell = &kpi->own.weeks[REPORT_BEFORE];
    double goal = report_goal(report, cell), mean;
    char share[REPORT_NUMBER], aim[REPORT_NUMBER];
    size_t weeks;

    mean = report_mean(&kpi->own, &weeks);
    if (!isnan(goal) && !isnan(cell->value))
        snprintf(buf, size, "%s of %s %s", report_number(cell->value / goal, "%", share),
                 report->running ? "expected by now:" : "what was expected,", report_number(goal, kpi->unit, aim));
    else if (!isnan(goal))
        snprintf(buf, size, "%s %s", report->running ? "expected by now:" : "expected:", report_number(goal, kpi->unit, aim));
    else if (weeks)
        snprintf(buf, size, "own mean of %zu week%s: %s", weeks, weeks == 1 ? "" : "s", report_number(mean, kpi->unit, aim));
    else
        snprintf(buf, size, "no target, and no week before");
}

static void put_chart(struct report_pen *pen, const struct report *report, const struct report_kpi *kpi)
{
    char labels[REPORT_WEEKS][16], headline[REPORT_NUMBER], detail[MAX_SAY];
    const char *list[REPORT_WEEKS];
    double values[REPORT_WEEKS], targets[REPORT_WEEKS];
    struct pen_chart chart = {.title = kpi->title, .unit = kpi->unit, .headline = headline, .detail = detail, .labels = list,
                              .values = values, .running = report->running, .n = REPORT_WEEKS};
    size_t weeks;

    for (int i = 0; i < REPORT_WEEKS; i++) {
        struct report_week week;
        char text[16];

        report_week_at(report->zone, report->week_starts, report->starts[i], 0, &week);
        snprintf(labels[i], sizeof labels[i], "%s", report_week_text(&week, text) + 5);
        list[i] = labels[i];
        values[i] = kpi->own.weeks[i].value;
        targets[i] = kpi->own.weeks[i].target > 0 ? kpi->own.weeks[i].target : (double)NAN;
        if (!isnan(targets[i]))
            chart.targets = targets;
    }
    chart.mean = report_mean(&kpi->own, &weeks);
    if (weeks < REPORT_MEAN_MIN)
        chart.mean = (double)NAN;
    chart.tone = tone_of(report_verdict(report, kpi, &kpi->own));
    report_number(values[REPORT_BEFORE], kpi->unit, headline);
    detail_of(report, kpi, detail, sizeof detail);
    pen->ops->chart(pen, &chart);
}

static const char *standing_of(enum report_verdict verdict, int better)
{
    static const char *const words[] = {"", "on target", "behind", "source silent"};

    return verdict == REPORT_BAD && better < 0 ? "over" : words[verdict];
}

static void put_kpi(struct report_pen *pen, const struct report *report, const struct report_kpi *kpi)
{
    const struct report_cell *cell = &kpi->own.weeks[REPORT_BEFORE];
    enum report_verdict verdict = report_verdict(report, kpi, &kpi->own);
    char gap[REPORT_NUMBER];
    size_t weeks;

    say(pen, PEN_PLAIN, kpi->title);
    say_known(pen, cell->value, kpi->unit);
    say_if(pen, cell->target, kpi->unit);
    say_if(pen, cell->expected, kpi->unit);
    say(pen, tone_of(verdict), report_gap(cell->value - report_goal(report, cell), kpi->unit, gap));
    say(pen, tone_of(verdict), standing_of(verdict, kpi->better));
    say_if(pen, report_mean(&kpi->own, &weeks), kpi->unit);
    pen->ops->spark(pen, &kpi->own, kpi->unit);
}

static void put_kpis(struct report_pen *pen, const struct report *report)
{
    const struct pen_column columns[] = {
        {"KPI", false, false}, {"Actual", true, false},    {"Target", true, false},          {report->running ? "Expected by now" : "Expected", true, false},
        {"Gap", true, false},  {"Standing", false, false}, {"Mean of the weeks", true, false}, {"Trend", false, false}};
    size_t empty = 0, len;
    char text[REPORT_LINE];

    pen->ops->table(pen, columns, sizeof columns / sizeof *columns);
    for (size_t k = 0; k < report->nkpis; k++) {
        if (is_empty(&report->kpis[k].own))
            empty++;
        else
            put_kpi(pen, report, &report->kpis[k]);
    }
    pen->ops->table_end(pen);
    pen->ops->paragraph(
        pen, PEN_QUIET,
        report->running
            ? "The gap is to what is expected by now, by working time. The trend is the eight weeks before and this one, which is "
              "not over. The mean is that of the eight weeks' numbers, of those that have one."
            : "Expected is what the target comes to by the working time that there was; the gap is to that. The trend is the eight weeks before "
              "and this one; a dot is a week without data. The mean is that of the eight weeks' numbers, of those that have one.");
    len = (size_t)snprintf(text, sizeof text, "No data in all nine weeks: ");
    for (size_t k = 0, told = 0; k < report->nkpis && len < sizeof text; k++)
        if (is_empty(&report->kpis[k].own))
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", told++ ? ", " : "", report->kpis[k].title);
    if (empty)
        pen->ops->paragraph(pen, PEN_QUIET, text);
}

static void put_member(struct report_pen *pen, const struct report *report, const struct report_member *member)
{
    size_t main = 0;

    say(pen, PEN_PLAIN, member->name[0] ? member->name : member->key);
    for (size_t k = 0; k < report->nkpis && main < REPORT_MAIN_MAX; k++) {
        const struct report_series *series = &member->main[main];
        const struct report_cell *cell = &series->weeks[REPORT_BEFORE];
        char text[REPORT_NUMBER * 2 + 8], value[REPORT_NUMBER], share[REPORT_NUMBER];
        double goal;

        if (!report->kpis[k].is_main)
            continue;
        main++;
        goal = report_goal(report, cell);
        snprintf(text, sizeof text, "%s", report_number(cell->value, report->kpis[k].unit, value));
        if (!isnan(goal) && !isnan(cell->value))
            snprintf(text, sizeof text, "%s (%s)", value, report_number(cell->value / goal, "%", share));
        say(pen, isnan(cell->value) ? PEN_QUIET : tone_of(report_verdict(report, &report->kpis[k], series)), text);
    }
}

static void put_members(struct report_pen *pen, const struct report *report)
{
    struct pen_column columns[REPORT_MAIN_MAX + 1] = {{"", false, false}};
    char heading[128], more[128];
    size_t n = 1;

    if (report->depth + 1 >= report->nlevels)
        return;
    for (size_t k = 0; k < report->nkpis && n <= REPORT_MAIN_MAX; k++)
        if (report->kpis[k].is_main)
            columns[n++] = (struct pen_column){report->kpis[k].title, true, false};
    columns[0].title = report->levels[report->depth + 1];
    snprintf(heading, sizeof heading, "By %s", report->levels[report->depth + 1]);
    pen->ops->heading(pen, 3, heading);
    if (!report->nmembers || n == 1) {
        pen->ops->paragraph(pen, PEN_QUIET, report->nmembers ? "There is no number to show them by." : "Nobody stands below.");
        return;
    }
    pen->ops->table(pen, columns, n);
    for (size_t i = 0; i < report->nmembers; i++)
        put_member(pen, report, &report->members[i]);
    pen->ops->table_end(pen);
    snprintf(more, sizeof more, "%s%s", "In brackets: of ", report->running ? "what is expected by now." : "what was expected.");
    pen->ops->paragraph(pen, PEN_QUIET, more);
    snprintf(more, sizeof more, "And %zu more, who are left out here.", report->members_left_out);
    if (report->members_left_out)
        pen->ops->paragraph(pen, PEN_QUIET, more);
}

/* ---- Funnels ---- */

/* is_last: success, from where nobody goes on. */
static void put_step(struct report_pen *pen, const struct report *report, const struct report_step *step, bool is_last)
{
    const struct report_series *converted = &step->parts[REPORT_CONVERTED];
    double hits = 0, n = 0;

    for (int i = 0; i < REPORT_BEFORE; i++) {
        if (isnan(converted->weeks[i].value) || !(converted->weeks[i].n > 0))
            continue;
        hits += converted->weeks[i].value * converted->weeks[i].n;
        n += converted->weeks[i].n;
    }
    say(pen, PEN_PLAIN, step->stage);
    say_known(pen, step->parts[REPORT_ENTERED].weeks[REPORT_BEFORE].value, NULL);
    (is_last ? say_if : say_known)(pen, converted->weeks[REPORT_BEFORE].value, "%");
    say_if(pen, n > 0 ? hits / n : (double)NAN, "%");
    if (report->depth)
        say_if(pen, step->parent.value, "%");
    (is_last ? say_if : say_known)(pen, step->parts[REPORT_MEDIAN_TIME].weeks[REPORT_BEFORE].value, "s");
    say_known(pen, step->parts[REPORT_OPEN].weeks[REPORT_BEFORE].value, NULL);
    pen->ops->spark(pen, converted, "%");
}

enum { STAGES_MAX = 31 };

static void put_funnel_chart(struct report_pen *pen, const struct report_funnel *funnel)
{
    const char *labels[STAGES_MAX];
    double values[STAGES_MAX];
    struct pen_chart chart = {.title = funnel->title,
                              .unit = "",
                              .headline = "",
                              .detail = "How many reached each stage in the week",
                              .lying = true,
                              .labels = labels,
                              .values = values,
                              .mean = (double)NAN};

    for (; chart.n < funnel->nsteps && chart.n < STAGES_MAX; chart.n++) {
        labels[chart.n] = funnel->steps[chart.n].stage;
        values[chart.n] = funnel->steps[chart.n].parts[REPORT_ENTERED].weeks[REPORT_BEFORE].value;
    }
    pen->ops->charts(pen, true);
    pen->ops->chart(pen, &chart);
    pen->ops->charts(pen, false);
}

static void put_funnel(struct report_pen *pen, const struct report *report, const struct report_funnel *funnel)
{
    static const struct pen_column columns[] = {{"Stage", false, false},      {"Reached", true, false},
                                                {"Went on", true, false},     {"8 weeks before", true, false},
                                                {"Level above", true, false}, {"Time in it (median)", true, false},
                                                {"Now in it", true, false},   {"Went on, trend", false, false}};
    struct pen_column used[8];
    size_t n = 0;

    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (report->depth || i != 4)
            used[n++] = columns[i];
    pen->ops->heading(pen, 3, funnel->title);
    put_funnel_chart(pen, funnel);
    pen->ops->table(pen, used, n);
    for (size_t s = 0; s < funnel->nsteps; s++)
        put_step(pen, report, &funnel->steps[s], s + 1 == funnel->nsteps);
    pen->ops->table_end(pen);
}

static void put_tracking(struct report_pen *pen, const struct report *report)
{
    pen->ops->heading(pen, 2, "1. How we track");
    pen->ops->charts(pen, true);
    for (size_t k = 0; k < report->nkpis; k++)
        if (report->kpis[k].is_main)
            put_chart(pen, report, &report->kpis[k]);
    pen->ops->charts(pen, false);
    put_kpis(pen, report);
    put_members(pen, report);
    for (size_t f = 0; f < report->nfunnels; f++)
        put_funnel(pen, report, &report->funnels[f]);
}

/* ---- 2. What works, and what does not ---- */

static bool is_first_of_rule(const struct report *report, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(report->alerts[k].rule, report->alerts[i].rule) == 0)
            return false;
    return true;
}

static bool is_same(const struct report_alert *a, const struct report_alert *b)
{
    return strcmp(a->rule, b->rule) == 0 && strcmp(a->level, b->level) == 0 && strcmp(a->key, b->key) == 0;
}

/* Whose a rule's alerts were, each once. */
static void put_owners(struct report_pen *pen, const struct report *report, size_t first)
{
    char who[(REPORT_NAME + 2) * WHO_MAX + 40] = "";
    size_t n = 0, len = 0;

    for (size_t i = first; i < report->nalerts; i++) {
        const struct report_alert *alert = &report->alerts[i];
        size_t k = first;

        if (strcmp(alert->rule, report->alerts[first].rule) != 0)
            continue;
        while (k < i && !is_same(&report->alerts[k], alert))
            k++;
        if (k == i && n++ < (size_t)WHO_MAX)
            len += (size_t)snprintf(who + len, sizeof who - len, "%s%s", len ? ", " : "", alert->name);
    }
    if (n > WHO_MAX)
        snprintf(who + len, sizeof who - len, " and %zu more", n - (size_t)WHO_MAX);
    say(pen, PEN_PLAIN, who);
}

/* All of a rule's, in one line; `first` is the first of them. */
static void put_rule(struct report_pen *pen, const struct report *report, size_t first)
{
    const struct report_alert *last = &report->alerts[first];
    char count[REPORT_NUMBER];
    size_t n = 0, firing = 0;
    bool critical = false;

    for (size_t i = first; i < report->nalerts; i++) {
        const struct report_alert *alert = &report->alerts[i];

        if (strcmp(alert->rule, last->rule) != 0)
            continue;
        n++;
        firing += isnan(alert->over_ms) ? 1u : 0u;
        critical |= alert->critical;
        last = alert;
    }
    say(pen, PEN_PLAIN, last->rule);
    say(pen, PEN_BAD, critical ? "critical" : "warning");
    say(pen, PEN_PLAIN, report_number((double)n, NULL, count));
    say(pen, PEN_PLAIN, report_number((double)firing, NULL, count));
    put_owners(pen, report, first);
    say(pen, PEN_PLAIN, last->message);
}

static void put_alerts(struct report_pen *pen, const struct report *report)
{
    static const struct pen_column columns[] = {{"Rule", false, false},    {"Severity", false, false},
                                                {"Alerts", true, false},   {"Firing at the end", true, false},
                                                {"Of whom", false, false}, {"Said last", false, true}};

    pen->ops->heading(pen, 3, "Alerts");
    if (!report->nalerts) {
        pen->ops->paragraph(pen, PEN_QUIET, report->has_history ? "None fired." : "Not known: the daemon has no storage.");
        return;
    }
    pen->ops->paragraph(pen, PEN_QUIET, "Those that fired in the week; also those that had begun before and went on in it.");
    pen->ops->table(pen, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < report->nalerts; i++)
        if (is_first_of_rule(report, i))
            put_rule(pen, report, i);
    pen->ops->table_end(pen);
    if (report->alerts_cut)
        pen->ops->paragraph(pen, PEN_BAD, "There were more alerts than could be asked for: these are the earlier ones.");
}

/* An alert of the week is news of it, also where nothing else is: of a silence, say. */
static void put_found(struct report_pen *pen, const struct report *report, const struct report_findings *found)
{
    if (report->is_unknown && !report->nalerts) {
        pen->ops->paragraph(pen, PEN_BAD, "Nothing is known of this week: no event of it came, it is older than what is kept, or it has just ended and is "
                                          "noted with the next sample (storage.samples).");
        return;
    }
    pen->ops->halves(pen, 0);
    pen->ops->heading(pen, 3, "What works");
    put_lines(pen, PEN_GOOD, &found->works, "Nothing has reached its target or is better than usual.");
    pen->ops->halves(pen, 1);
    pen->ops->heading(pen, 3, "What does not");
    put_lines(pen, PEN_BAD, &found->behind, "Nothing is behind its target.");
    pen->ops->halves(pen, 2);
    put_alerts(pen, report);
    if (report->nfunnels) {
        pen->ops->heading(pen, 3, "The largest loss in the funnel");
        put_lines(pen, PEN_PLAIN, &found->losses, "Nobody was lost, or nothing is known of it.");
    }
    if (report->nstalled) {
        pen->ops->heading(pen, 3, "What stands still");
        put_lines(pen, PEN_PLAIN, &found->stalled, "Nothing has stood still for too long.");
    }
}

/* ---- 4. Incentives ---- */

static bool is_below(const struct report *report, const char *path)
{
    size_t len = strlen(report->path);

    return strncmp(path, report->path, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static void put_contest(struct report_pen *pen, const struct report *report, const struct report_contest *contest)
{
    static const struct pen_column columns[] = {
        {"Rank", true, false}, {"Who", false, false}, {"Where", false, false}, {"Value", true, false}, {"Tie-break", true, false}};
    char text[400], when[48];
    bool ties = false;
    size_t shown = 0;

    snprintf(text, sizeof text, "%s to %s; %s. As it stands on %s, whatever week this is about.", contest->from, contest->to,
             contest->is_final ? "it is over, and final" : contest->state, report_instant_text(report, (double)report->now_ms, when));
    pen->ops->heading(pen, 3, contest->title);
    pen->ops->paragraph(pen, PEN_QUIET, text);
    if (!contest->nstanding) {
        pen->ops->paragraph(pen, PEN_QUIET, contest->nplaces ? "Nobody whose name you may see takes part." : "Nobody has a standing yet.");
        return;
    }
    for (size_t i = 0; i < contest->nstanding; i++)
        ties |= !isnan(contest->standing[i].tie);
    pen->ops->table(pen, columns, ties ? 5 : 4);
    for (size_t i = 0; i < contest->nstanding; i++) {
        const struct report_rank *rank = &contest->standing[i];

        if (i >= RANKS_MAX && (report->depth == 0 || !is_below(report, rank->path)))
            continue;
        shown++;
        say_if(pen, rank->rank, NULL);
        say(pen, PEN_PLAIN, rank->name);
        say(pen, PEN_PLAIN, rank->path);
        say_known(pen, rank->value, contest->unit);
        if (ties)
            say_if(pen, rank->tie, NULL);
    }
    pen->ops->table_end(pen);
    snprintf(text, sizeof text, "And %zu more.", contest->nplaces - shown);
    if (contest->nplaces > shown)
        pen->ops->paragraph(pen, PEN_QUIET, text);
}

static void put_contests(struct report_pen *pen, const struct report *report)
{
    pen->ops->heading(pen, 2, "4. Incentives");
    if (!report->ncontests)
        pen->ops->paragraph(pen, PEN_QUIET, "None are set up.");
    for (size_t i = 0; i < report->ncontests; i++)
        put_contest(pen, report, &report->contests[i]);
}

/* ---- 5. Commitments ---- */

static void put_promises(struct report_pen *pen, const struct report_promises *promises, const char *heading)
{
    static const struct pen_column columns[] = {{"Who", false, false}, {"What", false, true}, {"Done", false, false}};
    static const char *const done[] = {"?", "no", "yes"};

    pen->ops->heading(pen, 3, heading);
    pen->ops->table(pen, columns, 3);
    for (size_t i = 0; i < promises->n; i++) {
        const struct report_promise *promise = &promises->list[i];

        say(pen, PEN_PLAIN, promise->who);
        say(pen, PEN_PLAIN, promise->what);
        say(pen, promise->done > 0 ? PEN_GOOD : promise->done == 0 ? PEN_BAD : PEN_PLAIN, done[promise->done + 1]);
    }
    for (int i = 0; promises->n == 0 && i < EMPTY_LINES * 3; i++)
        say(pen, PEN_PLAIN, "");
    pen->ops->table_end(pen);
}

static void put_commitments(struct report_pen *pen, const struct report *report)
{
    char heading[64], text[16];
    struct report_week next;

    pen->ops->heading(pen, 2, "5. Commitments");
    snprintf(heading, sizeof heading, "Of this week, %s", report_week_text(&report->week, text));
    put_promises(pen, &report->last, heading);
    report_week_next(&report->week, report->week_starts, &next);
    snprintf(heading, sizeof heading, "For the next one, %s", report_week_text(&next, text));
    put_promises(pen, &report->next, heading);
}

/* ---- 6. Definitions ---- */

static void put_definition(struct report_pen *pen, const char *title, const char *name, const char *unit, const char *means,
                           bool is_formula, const char *windows)
{
    char text[2100];

    snprintf(text, sizeof text, "%s%s", is_formula ? "= " : "", means);
    say(pen, PEN_PLAIN, title);
    say(pen, PEN_PLAIN, name);
    say(pen, PEN_PLAIN, unit);
    say(pen, PEN_PLAIN, text);
    say(pen, PEN_PLAIN, windows);
}

static void put_definitions(struct report_pen *pen, const struct report *report)
{
    static const struct pen_column columns[] = {{"KPI", false, false},
                                                {"Name", false, false},
                                                {"Unit", false, false},
                                                {"What it is", false, true},
                                                {"Windows", false, false}};
    static const char *const parts[REPORT_PARTS] = {"reached", "went on", "time in it", "now in it"};
    static const char *const names[REPORT_PARTS] = {"entered", "converted", "median_time", "open"};
    static const char *const units[REPORT_PARTS] = {"", "%", "s", ""};

    pen->ops->table(pen, columns, 5);
    for (size_t k = 0; k < report->nkpis; k++)
        put_definition(pen, report->kpis[k].title, report->kpis[k].name, report->kpis[k].unit, report->kpis[k].means,
                       report->kpis[k].is_formula, report->kpis[k].windows);
    for (size_t f = 0; f < report->nfunnels; f++) {
        for (int p = 0; p < REPORT_PARTS; p++) {
            char title[REPORT_NAME + 32], name[REPORT_NAME];

            snprintf(title, sizeof title, "%s: %s", report->funnels[f].title, parts[p]);
            snprintf(name, sizeof name, "%s.STAGE.%s", report->funnels[f].name, names[p]);
            put_definition(pen, title, name, units[p], report->funnels[f].means[p], false, "");
        }
    }
    pen->ops->table_end(pen);
}

/* A place with a calendar in another zone has weeks of its own. */
static void put_own_week(struct report_pen *pen, const struct report *report)
{
    char text[REPORT_LINE], from[48];
    struct report_week running;

    report_week_at(report->zone, report->week_starts, report->now_ms, 0, &running);
    if (isnan(report->own_from_ms) || report->own_from_ms == (double)kp_zone_day_start(report->zone, running.first_day))
        return;
    snprintf(text, sizeof text,
             "This place has a zone of its own, and its weeks begin at its own midnight: the one that runs at %s by the "
             "clock of %s.",
             report_instant_text(report, report->own_from_ms, from), report->zone_name);
    pen->ops->paragraph(pen, PEN_PLAIN, text);
}

static void put_weeks(struct report_pen *pen, const struct report *report)
{
    static const char *const days[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
    char text[REPORT_LINE], week[16], from[48], to[48], now[48];

    report_week_text(&report->week, week);
    snprintf(text, sizeof text, "Week %s is from %s until %s (%s). Weeks begin on %s. The daemon's time was %s.", week,
             report_instant_text(report, (double)report->starts[REPORT_BEFORE], from),
             report_instant_text(report, (double)report->starts[REPORT_WEEKS], to), report->zone_name, days[report->week_starts],
             report_instant_text(report, (double)report->now_ms, now));
    pen->ops->paragraph(pen, PEN_PLAIN, text);
    snprintf(text, sizeof text,
             "ISO weeks begin on Monday, those of this daemon on %s: %s is the one that the Thursday of ISO week %s lies in.",
             days[report->week_starts], week, week);
    if (report->week_starts)
        pen->ops->paragraph(pen, PEN_PLAIN, text);
    put_own_week(pen, report);
    pen->ops->paragraph(
        pen, PEN_PLAIN,
        "\"No data\" is a number that is not known, or a mean or share of nothing; it is never 0. What a week "
        "came to is as the daemon has kept it: late events count as long as the week after it runs. An attainment is "
        "the number by the target; expected is the part of a target that the working time so far is of the week's.");
}

void report_page(struct report_pen *pen, const struct report *report, const struct report_findings *found)
{
    put_head(pen, report);
    put_tracking(pen, report);
    pen->ops->heading(pen, 2, "2. What works, and what does not");
    put_found(pen, report, found);
    pen->ops->heading(pen, 2, "3. Where training is indicated");
    put_lines(pen, PEN_PLAIN, &found->training, "Nothing can be said.");
    put_contests(pen, report);
    put_commitments(pen, report);
    pen->ops->heading(pen, 2, "6. What the numbers are");
    put_weeks(pen, report);
    put_definitions(pen, report);
}
