/* What a report makes of numbers, without a daemon. */
#include "unit.h"

#include "report.h"

#include "object.h"

#include <math.h>
#include <time.h>

#define NONE ((double)NAN)

static void set(struct report_series *series, const double values[REPORT_WEEKS])
{
    *series = (struct report_series){.status = REPORT_STATUS_NONE};
    for (int i = 0; i < REPORT_WEEKS; i++)
        series->weeks[i] = (struct report_cell){values[i], NONE, NONE, NONE};
}

static void begin(struct report *report)
{
    struct kp_err err = {0};

    report_init(report);
    report->zone = kp_zone_new(NULL, 0, &err);
    snprintf(report->zone_name, sizeof report->zone_name, "UTC");
    snprintf(report->levels[0], sizeof report->levels[0], "company");
    report->nlevels = 1;
    report_week_of(0, 2026, 47, &report->week);
    report->now_ms = INT64_C(1795694400000);
    report_week_starts(report);
}

/* ... as it is looked at a week after its end. */
static void begin_ripe(struct report *report)
{
    begin(report);
    report->now_ms = report->starts[REPORT_WEEKS] + 7 * KP_DAY_MS;
}

static struct report_kpi *add_kpi(struct report *report, const char *title, const char *unit, int better, bool adds,
                                  const double values[REPORT_WEEKS])
{
    struct report_kpi *kpi = report_more(&report->kpis, &report->nkpis, sizeof *report->kpis);

    assert_non_null(kpi);
    snprintf(kpi->name, sizeof kpi->name, "%s", title);
    snprintf(kpi->title, sizeof kpi->title, "%s", title);
    snprintf(kpi->unit, sizeof kpi->unit, "%s", unit);
    kpi->better = better;
    kpi->adds = adds;
    set(&kpi->own, values);
    return kpi;
}

static struct report_step *add_step(struct report_funnel *funnel, const char *stage, double share, double n)
{
    static const double none[REPORT_WEEKS] = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    struct report_step *step = report_more(&funnel->steps, &funnel->nsteps, sizeof *funnel->steps);

    assert_non_null(step);
    snprintf(step->stage, sizeof step->stage, "%s", stage);
    for (int p = 0; p < REPORT_PARTS; p++)
        set(&step->parts[p], none);
    step->parent = step->parts[0].weeks[0];
    step->parts[REPORT_CONVERTED].weeks[REPORT_BEFORE].value = share;
    step->parts[REPORT_CONVERTED].weeks[REPORT_BEFORE].n = n;
    return step;
}

static struct report_funnel *add_funnel(struct report *report)
{
    struct report_funnel *funnel = report_more(&report->funnels, &report->nfunnels, sizeof *report->funnels);

    assert_non_null(funnel);
    snprintf(funnel->title, sizeof funnel->title, "Sales");
    return funnel;
}

static bool says(const struct report_lines *lines, const char *part)
{
    for (size_t i = 0; i < lines->n; i++)
        if (strstr(lines->line[i], part))
            return true;
    return false;
}

/* ---- Weeks ---- */

static void test_weeks_are_named_as_iso_names_them(void **state)
{
    static const struct {
        const char *text;
        bool ok;
    } texts[] = {{"2026-W47", true},  {"2026-W53", true},   {"2027-W53", false}, {"2026-W54", false},
                 {"2026-W00", false}, {"2026-W7", false},   {"2026-47", false},  {"2026-W4x", false},
                 {"", false},         {"2026-W477", false}, {"-026-W47", false}, {"2020-W53", true}};
    int year, number;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_int_equal(report_week_parse(texts[i].text, &year, &number), texts[i].ok);
    assert_true(report_week_parse("2026-W47", &year, &number));
    assert_int_equal(year * 100 + number, 202647);
}

/* Every day of 60 years, with a week that begins on each day of the week: a week's name finds that week again, the names follow
 * each other, and with Monday they are those of strftime. */
static void test_each_week_has_one_name_and_each_name_one_week(void **state)
{
    struct kp_err err = {0};
    struct kp_zone *utc = kp_zone_new(NULL, 0, &err);

    (void)state;
    for (int starts = 0; starts < 7; starts++) {
        struct report_week before = {0};

        for (int64_t day = 3 * 365; day < 60 * 365; day++) {
            struct report_week week, again, next;
            char text[16], iso[16];
            time_t at = (time_t)(day * 86400);
            struct tm tm;

            report_week_at(utc, starts, day * KP_DAY_MS + 5, 0, &week);
            assert_true(week.first_day <= day && day < week.first_day + 7);
            assert_int_equal(kp_weekday(week.first_day), starts);
            report_week_of(starts, week.year, week.number, &again);
            assert_int_equal(again.first_day, week.first_day);
            strftime(iso, sizeof iso, "%G-W%V", gmtime_r(&at, &tm));
            if (starts == 0)
                assert_string_equal(report_week_text(&week, text), iso);
            report_week_next(&before, starts, &next);
            if (before.year && week.first_day != before.first_day)
                assert_true(next.year == week.year && next.number == week.number);
            before = week;
        }
    }
    kp_zone_destroy(&utc);
}

static void test_a_week_that_begins_on_sunday_has_the_thursday_in_it(void **state)
{
    struct report_week week;
    char text[32];

    (void)state;
    report_week_of(6, 2026, 47, &week);
    assert_string_equal(report_day_text(week.first_day, text), "Sun 2026-11-15");
    report_week_of(4, 2026, 47, &week);
    assert_string_equal(report_day_text(week.first_day, text), "Fri 2026-11-13");
    report_week_of(3, 2026, 47, &week);
    assert_string_equal(report_day_text(week.first_day, text), "Thu 2026-11-19");
}

/* ---- Numbers ---- */

static void test_numbers_are_written_by_their_unit(void **state)
{
    static const struct {
        double value;
        const char *unit, *text;
    } numbers[] = {{0.25, "%", "25 %"},
                   {0.12345, "%", "12.3 %"},
                   {0, "%", "0 %"},
                   {1234567.5, "GBP", "1,234,568 GBP"},
                   {999.5, "GBP", "999.5 GBP"},
                   {-1500, "GBP", "-1,500 GBP"},
                   {42, "s", "42 s"},
                   {42.5, "s", "42.5 s"},
                   {95, "s", "1m 35s"},
                   {7500, "s", "2h 5m"},
                   {200000, "s", "55h 33m"},
                   {900000, "s", "10d 10h"},
                   {-95, "s", "-1m 35s"},
                   {12, "", "12"},
                   {12, NULL, "12"},
                   {0, "", "0"},
                   {NAN, "GBP", "no data"},
                   {1000, "", "1,000"},
                   {-0.0, "", "0"}};
    char buf[REPORT_NUMBER];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        assert_string_equal(report_number(numbers[i].value, numbers[i].unit, buf), numbers[i].text);
    assert_string_equal(report_gap(0.05, "%", buf), "+5 points");
    assert_string_equal(report_gap(-1500, "GBP", buf), "-1,500 GBP");
    assert_string_equal(report_gap(NONE, "GBP", buf), "");
}

static void test_a_trend_tells_nothing_from_zero(void **state)
{
    struct report_series series;
    char buf[64];

    (void)state;
    set(&series, (const double[]){0, 1, 2, 3, 4, 5, 6, 7, NAN});
    assert_string_equal(report_spark(&series, buf), "▁▂▃▄▅▆▇█·");
    set(&series, (const double[]){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN});
    assert_string_equal(report_spark(&series, buf), "·········");
    set(&series, (const double[]){0, 0, 0, 0, 0, 0, 0, 0, 0});
    assert_string_equal(report_spark(&series, buf), "▁▁▁▁▁▁▁▁▁");
    set(&series, (const double[]){-2, 0, 2, NAN, NAN, NAN, NAN, NAN, NAN});
    assert_string_equal(report_spark(&series, buf), "▁▅█······");
}

/* ---- What works ---- */

static void test_a_target_is_reached_or_not_by_which_way_is_good(void **state)
{
    static const double values[] = {9, 9, 9, 9, 9, 9, 9, 9, 12};
    struct report_findings *found = malloc(sizeof *found);
    struct report report;

    (void)state;
    begin(&report);
    report.now_ms = report.starts[REPORT_WEEKS];
    report_week_starts(&report);
    assert_false(report.running);
    add_kpi(&report, "reached", "", 1, true, values)->own.weeks[REPORT_BEFORE].target = 12;
    add_kpi(&report, "behind", "GBP", 1, true, values)->own.weeks[REPORT_BEFORE].target = 16;
    add_kpi(&report, "spend", "GBP", -1, true, values)->own.weeks[REPORT_BEFORE].target = 10;
    add_kpi(&report, "neither", "", 0, true, values)->own.weeks[REPORT_BEFORE].target = 16;
    add_kpi(&report, "nothing wanted", "", 1, true, values)->own.weeks[REPORT_BEFORE].target = 0;
    add_kpi(&report, "not known", "", 1, true, values)->own.weeks[REPORT_BEFORE] = (struct report_cell){NONE, NONE, 16, NONE};
    report_find(&report, found);
    assert_true(says(&found->works, "reached: 12, 100 % of the target (12)"));
    assert_true(says(&found->works, "nothing wanted: 12, better than the own mean of 9 (8 weeks)"));
    assert_true(says(&found->behind, "behind: 12 GBP, 75 % of the target (16 GBP); 4 GBP are missing"));
    assert_true(says(&found->behind, "spend: 12 GBP, 120 % of the target (10 GBP); 2 GBP too much"));
    assert_int_equal(found->works.n, 2);
    assert_int_equal(found->behind.n, 2);
    report_release(&report);
    free(found);
}

static void test_a_week_that_runs_is_held_against_what_is_expected_by_now(void **state)
{
    static const double values[] = {9, 9, 9, 9, 9, 9, 9, 9, 12};
    struct report_findings *found = malloc(sizeof *found);
    struct report_kpi *kpi;
    struct report report;

    (void)state;
    begin(&report);
    report.now_ms = report.starts[REPORT_WEEKS] - 1;
    report_week_starts(&report);
    assert_true(report.running);
    kpi = add_kpi(&report, "pace", "", 1, true, values);
    kpi->own.weeks[REPORT_BEFORE].target = 40;
    kpi->own.weeks[REPORT_BEFORE].expected = 10;
    add_kpi(&report, "half a count", "", 1, true, values)->own.status = REPORT_STATUS_OK;
    add_kpi(&report, "share", "", 1, false, values)->own.status = REPORT_STATUS_OK;
    add_kpi(&report, "no rule", "", 1, false, values);
    add_kpi(&report, "silent", "", 1, false, values)->own.status = REPORT_STATUS_NO_DATA;
    add_kpi(&report, "low", "", -1, false, values)->own.status = REPORT_STATUS_WARNING;
    report_find(&report, found);
    assert_true(says(&found->works, "pace: 12, 120 % of what is expected by now (10)"));
    assert_true(says(&found->works, "share: 12, better"));
    assert_int_equal(found->works.n, 2);
    assert_true(says(&found->behind, "silent: a source"));
    assert_true(says(&found->behind, "low: 12, worse than the own mean of 9 (8 weeks)"));
    assert_int_equal(found->behind.n, 2);
    report_release(&report);
    free(found);
}

static void test_few_weeks_make_no_mean_and_an_alert_is_no_calm(void **state)
{
    static const double few[] = {NAN, NAN, NAN, NAN, NAN, 9, 9, 9, 12}, enough[] = {NAN, NAN, NAN, NAN, 0, 9, 9, 9, 12};
    struct report_findings *found = malloc(sizeof *found);
    struct report_alert *alert;
    struct report report;
    size_t weeks;

    (void)state;
    begin(&report);
    report.now_ms = report.starts[REPORT_WEEKS];
    report_week_starts(&report);
    add_kpi(&report, "few", "", 1, true, few);
    add_kpi(&report, "enough", "", 1, true, enough);
    assert_true(fabs(report_mean(&report.kpis[1].own, &weeks) - 6.75) < 1e-9 && weeks == 4);
    report_find(&report, found);
    assert_int_equal(found->works.n, 1);
    assert_true(says(&found->works, "enough: 12, better than the own mean of 6.75 (4 weeks)"));
    alert = report_more(&report.alerts, &report.nalerts, sizeof *report.alerts);
    assert_non_null(alert);
    snprintf(alert->kpi, sizeof alert->kpi, "enough");
    snprintf(alert->level, sizeof alert->level, "company");
    report_find(&report, found);
    assert_int_equal(found->works.n, 0);
    report_release(&report);
    free(found);
}

static void test_main_kpis_are_those_with_a_target_first(void **state)
{
    static const double values[] = {9, 9, 9, 9, 9, 9, 9, 9, 12}, none[] = {9, 9, 9, 9, 9, 9, 9, 9, NAN};
    struct report report;

    (void)state;
    begin(&report);
    for (int i = 0; i < 4; i++)
        add_kpi(&report, "seconds", "s", 0, true, values);
    for (int i = 0; i < 4; i++)
        add_kpi(&report, "good or bad", "", 1, true, values);
    add_kpi(&report, "not known", "", 1, true, none);
    add_kpi(&report, "with a target", "", 0, true, none)->own.weeks[REPORT_BEFORE].target = 5;
    report_choose_main(&report);
    assert_true(report.kpis[9].is_main && !report.kpis[8].is_main);
    assert_true(report.kpis[4].is_main && report.kpis[7].is_main && report.kpis[0].is_main && !report.kpis[1].is_main);
    report_release(&report);
}

/* ---- Funnels ---- */

static void test_the_largest_loss_is_that_of_the_most_people(void **state)
{
    struct report_findings *found = malloc(sizeof *found);
    struct report_funnel *funnel;
    struct report report;

    (void)state;
    begin_ripe(&report);
    funnel = add_funnel(&report);
    add_step(funnel, "asked", 0.9, 1000);       /* 100 of them */
    add_step(funnel, "shown", 0.1, 50);
    add_step(funnel, "won", NONE, NONE);
    report_find(&report, found);
    assert_true(
        says(&found->losses,
             "Sales: most stay behind at asked: of 1,000 who reached it in the week, 100 (10 %) have not gone on to shown"));
    report_release(&report);
    free(found);
}

static void test_chance_is_what_statistics_say(void **state)
{
    (void)state;
    assert_true(fabs(report_chance(0.20, 60, 0.40, 240) - 0.00195) < 0.0002);    /* pooled 0.36, z = 2.887 */
    assert_true(fabs(report_chance(0.4, 60, 0.4, 240) - 0.5) < 1e-9);
    assert_true(report_chance(0, 60, 0, 240) >= 1);      /* nothing to tell apart */
    assert_true(report_chance(0.6, 60, 0.4, 240) > 0.99);
}

static void test_training_is_a_hypothesis_with_its_numbers(void **state)
{
    struct report_findings *found = malloc(sizeof *found);
    struct report_funnel *funnel;
    struct report_step *step;
    struct report report;

    (void)state;
    begin_ripe(&report);
    funnel = add_funnel(&report);
    report.has_parent = true;
    step = add_step(funnel, "asked", 0.2, 60);
    step->parent = (struct report_cell){0.36, 300, NONE, NONE};     /* 108, the 12 of the place among them: 96 of 240 */
    add_step(funnel, "won", NONE, NONE);
    report_find(&report, found);
    assert_true(says(&found->training,
                     "Hypothesis: training may help at asked (Sales). 12 of 60 (20 %) who reached it in the week went on, against 40 % "
                     "of 240 of the others at the level above in the same week. Chance alone brings so large a gap in 0.2 %"));
    assert_true(says(&found->training, "no proof"));
    funnel->steps[0].parts[REPORT_CONVERTED].weeks[REPORT_BEFORE].value = 0.36;
    report_find(&report, found);
    assert_true(says(&found->training, "No step of a funnel stands out"));
    assert_false(says(&found->training, "Hypothesis"));
    report_release(&report);
    free(found);
}

static void test_the_own_history_is_all_of_its_samples_together(void **state)
{
    struct report_findings *found = malloc(sizeof *found);
    struct report_funnel *funnel;
    struct report_step *step;
    struct report report;

    (void)state;
    begin_ripe(&report);
    funnel = add_funnel(&report);
    step = add_step(funnel, "asked", 0.2, 60);
    step->parts[REPORT_CONVERTED].weeks[2] = (struct report_cell){0.5, 100, NONE, NONE};
    step->parts[REPORT_CONVERTED].weeks[7] = (struct report_cell){0.8, 200, NONE, NONE};
    add_step(funnel, "won", NONE, NONE);
    report_find(&report, found);
    assert_true(says(&found->training,
                     "against 70 % of 300 in the weeks before that. Chance alone brings so large a gap in less than 0.1 %"));
    report_release(&report);
    free(found);
}

/* Those of the last days have had no time to go on: the week before them is looked at. */
static void test_a_week_that_has_just_ended_is_not_held_against_those_that_had_time(void **state)
{
    struct report_findings *found = malloc(sizeof *found);
    struct report_funnel *funnel;
    struct report_step *step;
    struct report report;

    (void)state;
    begin(&report);
    funnel = add_funnel(&report);
    step = add_step(funnel, "asked", 0.2, 60);
    step->parts[REPORT_CONVERTED].weeks[2] = (struct report_cell){0.8, 100, NONE, NONE};
    step->parts[REPORT_CONVERTED].weeks[7] = (struct report_cell){0.8, 200, NONE, NONE};
    add_step(funnel, "won", NONE, NONE);
    report_find(&report, found);
    assert_false(says(&found->training, "Hypothesis"));
    assert_true(says(&found->training, "160 of 200 (80 %) went on in the week before, which has had time to go on, against 80 % of 100"));
    assert_true(says(&found->losses, "of 200 who reached it in the week before, which has had time to go on, 40 (20 %) have not gone on to won"));
    report_release(&report);
    free(found);
}

/* History keeps no row of nothing: what counts is 0 in a week of which something else is known. */
static void test_what_counts_is_nought_where_something_else_is_known(void **state)
{
    static const double some[] = {NAN, 4, 4, 4, NAN, 4, 4, 4, 4}, few[] = {NAN, 2, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    struct report_findings *found = malloc(sizeof *found);
    struct report_pen pen = {.ops = &report_md_ops};
    struct report report;
    size_t weeks;

    (void)state;
    begin(&report);
    add_kpi(&report, "calls", "", 1, true, some)->counts = true;
    add_kpi(&report, "wins", "", 1, true, few)->counts = true;
    add_kpi(&report, "mean", "", 1, false, few);
    report_fill(&report);
    assert_false(report.is_unknown);
    assert_true(fabs(report_mean(&report.kpis[1].own, &weeks) - 2.0 / 6) < 1e-9 && weeks == 6);
    assert_true(isnan(report.kpis[2].own.weeks[REPORT_BEFORE].value));
    report.kpis[0].own.weeks[REPORT_BEFORE].value = report.kpis[1].own.weeks[REPORT_BEFORE].value = NONE;
    report_fill(&report);
    assert_true(report.is_unknown);
    report_find(&report, found);
    report_page(&pen, &report, found);
    assert_non_null(strstr(text_of(&pen.out), "Nothing is known of this week"));
    assert_null(strstr(text_of(&pen.out), "Nothing is behind its target"));
    assert_non_null(strstr(text_of(&pen.out), "## 3. Where training is indicated"));
    /* what a funnel tells is known, too */
    add_step(add_funnel(&report), "asked", 0.5, 10)->parts[REPORT_ENTERED].weeks[REPORT_BEFORE].value = 10;
    report_fill(&report);
    assert_false(report.is_unknown);
    report_release(&report);
    text_release(&pen.out);
    free(found);
}

/* Who was on leave has nothing to be behind of. */
static void test_a_week_that_is_over_is_held_against_the_working_time_that_there_was(void **state)
{
    static const double values[] = {9, 9, 9, 9, 9, 9, 9, 9, 12};
    struct report_findings *found = malloc(sizeof *found);
    struct report report;

    (void)state;
    begin(&report);
    add_kpi(&report, "away", "", 1, true, values)->own.weeks[REPORT_BEFORE] = (struct report_cell){12, 12, 100, 0};
    add_kpi(&report, "half", "", 1, true, values)->own.weeks[REPORT_BEFORE] = (struct report_cell){48, 48, 100, 50};
    report_find(&report, found);
    assert_true(says(&found->works, "away: 12, better than the own mean"));
    assert_true(says(&found->behind, "half: 48, 96 % of what was expected (50); 2 are missing"));
    assert_int_equal(found->behind.n, 1);
    report_release(&report);
    free(found);
}

static void test_few_samples_say_nothing_and_it_says_so(void **state)
{
    struct report_findings *found = malloc(sizeof *found);
    struct report_funnel *funnel;
    struct report report;

    (void)state;
    begin(&report);
    report_find(&report, found);
    assert_true(says(&found->training, "No funnel has"));
    funnel = add_funnel(&report);
    add_step(funnel, "asked", 0.0, 29);
    add_step(funnel, "won", NONE, NONE);
    report.has_parent = true;
    funnel->steps[0].parent = (struct report_cell){0.5, 3000, NONE, NONE};
    report_find(&report, found);
    assert_true(says(&found->training, "Too few samples to say anything: asked, the step with the most, has 29; 30 are needed"));
    assert_int_equal(found->training.n, 1);
    funnel->steps[0].parts[REPORT_CONVERTED].weeks[REPORT_BEFORE].n = 30;
    funnel->steps[0].parent.n = 59;     /* the others are 29 */
    report_find(&report, found);
    assert_true(says(&found->training, "too little, to hold the steps against"));
    report_release(&report);
    free(found);
}

/* ---- Taking ---- */

static void take(const char *json, msgpack_unpacked *item)
{
    msgpack_unpacked_init(item);
    assert_true(object_parse(json, strlen(json), item));
}

static const char config_text[] =
    "{\"ok\":true,\"zone\":\"UTC\",\"week_starts\":\"sunday\",\"levels\":[\"company\",\"team\",\"rep\",\"@client\"],\"kpis\":["
    "{\"name\":\"calls\",\"title\":\"Calls\",\"unit\":null,\"better\":\"higher\",\"aggregate\":\"count\",\"windows\":[\"day\","
    "\"week\"],\"by\":[]},"
    "{\"name\":\"daily\",\"title\":\"Daily\",\"unit\":null,\"better\":\"higher\",\"aggregate\":\"count\",\"windows\":[\"day\"],"
    "\"by\":[]},"
    "{\"name\":\"bought\",\"title\":\"B\",\"unit\":null,\"better\":\"higher\",\"aggregate\":\"sum\",\"windows\":[\"week\"],\"by\":["
    "\"client\"]},"
    "{\"name\":\"s.asked.entered\",\"title\":\"Sales: reached asked\",\"aggregate\":\"count\",\"windows\":[\"week\"],\"by\":[]},"
    "{\"name\":\"s.asked.converted\",\"title\":\"Sales: went on from "
    "asked\",\"aggregate\":\"mean\",\"windows\":[\"week\"],\"by\":[]},"
    "{\"name\":\"s.won.entered\",\"title\":\"Sales: reached won\",\"aggregate\":\"count\",\"windows\":[\"week\"],\"by\":[]}],"
    "\"alerts\":[{\"name\":\"still\",\"compare\":\"stalled\"},{\"name\":\"slow\",\"compare\":\"pace\"}],"
    "\"contests\":[{\"name\":\"cup\",\"title\":\"The cup\",\"unit\":\"GBP\",\"from\":1795694400000,\"to\":1795737600000,\"state\":\"running\","
    "\"standing\":[{\"rank\":1,\"name\":\"Ana\",\"path\":[\"one\",\"ana\"],\"value\":1200},{\"rank\":2,\"name\":\"Ben\",\"path\":"
    "\"one/ben\","
    "\"value\":null},{\"rank\":3,\"name\":null}]}]}";

static void test_a_configuration_is_taken(void **state)
{
    struct kp_err err = {0};
    struct report report;
    msgpack_unpacked item;

    (void)state;
    begin(&report);
    report.nlevels = 0;
    take(config_text, &item);
    assert_int_equal(report_take_config(&report, &item.data, &err), KP_OK);
    assert_int_equal(report_take_contests(&report, &item.data, &err), KP_OK);
    assert_int_equal(report.week_starts, 6);
    assert_int_equal(report.nlevels, 3);
    assert_int_equal(report.nkpis, 1);      /* with the window, and of the roster */
    assert_int_equal(report.nfunnels, 1);
    assert_string_equal(report.funnels[0].title, "Sales");
    assert_int_equal(report.funnels[0].nsteps, 2);
    assert_string_equal(report.funnels[0].steps[1].stage, "won");
    assert_int_equal(report.nstalled, 1);
    assert_int_equal(report.ncontests, 1);
    assert_string_equal(report.contests[0].from, "Thu 2026-11-26");
    assert_string_equal(report.contests[0].to, "Thu 2026-11-26");
    assert_int_equal(report.contests[0].nstanding, 2);      /* who is told without a name is nobody to talk of */
    assert_string_equal(report.contests[0].standing[0].path, "one/ana");
    assert_true(isnan(report.contests[0].standing[1].value));
    msgpack_unpacked_destroy(&item);
    report_release(&report);
}

static void test_history_is_taken_by_week_and_no_sample_is(void **state)
{
    static const double none[] = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    struct report_series series;
    struct report report;
    msgpack_unpacked item;
    double last = -1;
    char json[600];

    (void)state;
    begin(&report);
    report.now_ms = report.starts[REPORT_WEEKS];
    report_week_starts(&report);
    set(&series, none);
    snprintf(json, sizeof json,
             "{\"more\":true,\"values\":[{\"at\":%lld,\"value\":5,\"n\":5,\"target\":null,\"expected\":null,\"closed\":true},"
             "{\"at\":%lld,\"value\":99,\"closed\":false},{\"at\":%lld,\"value\":0,\"n\":0,\"target\":8,\"closed\":true}]}",
             (long long)report.starts[0] - 5 * 3600000, (long long)report.starts[7] + 5, (long long)report.starts[8]);
    take(json, &item);
    assert_true(report_take_history(&report, &item.data, &series, &last));
    assert_true(series.weeks[0].value == 5 && isnan(series.weeks[0].target) && isnan(series.weeks[7].value));
    assert_true(series.weeks[8].value == 0 && series.weeks[8].target == 8);
    assert_false(report_take_history(&report, &item.data, &series, &last));     /* the same again: nothing comes behind it */
    msgpack_unpacked_destroy(&item);
    report_release(&report);
}

static void test_alerts_are_lives_and_those_of_others_are_left_out(void **state)
{
    struct kp_err err = {0};
    struct report report;
    struct report_key *key;
    msgpack_unpacked item;
    double last = -1;
    char json[1600];
    bool more;

    (void)state;
    begin(&report);
    report.depth = 1;
    key = report_more(&report.below, &report.nbelow, sizeof *report.below);
    assert_non_null(key);
    snprintf(key->level, sizeof key->level, "rep");
    snprintf(key->key, sizeof key->key, "ana");
    snprintf(key->name, sizeof key->name, "Ana");
    snprintf(
        json, sizeof json,
        "{\"more\":false,\"alerts\":["
        "{\"at\":%lld,\"id\":\"a\",\"rule\":\"r\",\"level\":\"rep\",\"key\":\"ana\",\"state\":\"pending\",\"severity\":\"warning\"}"
        ","
        "{\"at\":%lld,\"id\":\"a\",\"rule\":\"r\",\"level\":\"rep\",\"key\":\"ana\",\"state\":\"firing\",\"severity\":\"critical\","
        "\"message\":\"one\"},"
        "{\"at\":%lld,\"id\":\"a\",\"rule\":\"r\",\"level\":\"rep\",\"key\":\"ana\",\"state\":\"firing\",\"severity\":\"warning\","
        "\"message\":\"two\"},"
        "{\"at\":%lld,\"id\":\"b\",\"rule\":\"r\",\"level\":\"rep\",\"key\":\"zed\",\"state\":\"firing\",\"severity\":\"warning\"},"
        "{\"at\":%lld,\"id\":\"c\",\"rule\":\"r\",\"level\":\"rep\",\"key\":\"ana\",\"state\":\"firing\",\"severity\":\"warning\"},"
        "{\"at\":%lld,\"id\":\"c\",\"rule\":\"r\",\"level\":\"rep\",\"key\":\"ana\",\"state\":\"resolved\",\"severity\":"
        "\"warning\"}]}",
        (long long)report.starts[8], (long long)report.starts[8] + 1, (long long)report.starts[8] + 2,
        (long long)report.starts[8] + 3, (long long)report.starts[7], (long long)report.starts[8] - 1);
    take(json, &item);
    assert_int_equal(report_take_alerts(&report, &item.data, &last, &more, &err), KP_OK);
    assert_int_equal(report.nalerts, 2);
    report_settle_alerts(&report);
    assert_int_equal(report.nalerts, 1);        /* the other was over before the week began */
    assert_string_equal(report.alerts[0].message, "two");
    assert_string_equal(report.alerts[0].name, "Ana");
    assert_true(report.alerts[0].critical && isnan(report.alerts[0].over_ms));
    msgpack_unpacked_destroy(&item);
    report_release(&report);
}

/* ---- Writing ---- */

static const char evil[] = "</script><script>alert(1)</script><!--|*`[x](y)_&\"'\n";

static void write_evil(struct report_pen *pen)
{
    static const double values[] = {9, 9, 9, 9, 9, 9, 9, 9, 12};
    struct report_findings *found = malloc(sizeof *found);
    struct report_funnel *funnel;
    struct report report;

    begin(&report);
    snprintf(report.name, sizeof report.name, "%s", evil);
    add_kpi(&report, evil, evil, 1, true, values);
    funnel = add_funnel(&report);
    snprintf(funnel->title, sizeof funnel->title, "%s", evil);
    add_step(funnel, evil, 0.5, 50);
    add_step(funnel, evil, NONE, NONE);
    report_choose_main(&report);
    report_note(&report, "%s", evil);
    report_find(&report, found);
    report_page(pen, &report, found);
    report_release(&report);
    free(found);
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;

    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        n++;
    return n;
}

static void test_no_name_gets_out_of_its_place(void **state)
{
    static const char library[] = "var Chart='</script><!-- --></SCRIPT>';";
    struct report_pen html = {.ops = &report_html_ops}, md = {.ops = &report_md_ops};

    (void)state;
    write_evil(&html);
    report_html_end(&html, library, strlen(library));
    assert_false(html.out.failed || html.data.failed);
    assert_int_equal(count(text_of(&html.out), "<script"), 3);
    assert_int_equal(count(text_of(&html.out), "</script"), 3);
    assert_int_equal(count(text_of(&html.out), "</SCRIPT"), 0);
    assert_int_equal(count(text_of(&html.out), "<!--"), 0);
    assert_true(count(text_of(&html.out), "&lt;/script&gt;") > 3);
    assert_true(count(text_of(&html.out), "\\u003c/script\\u003e") > 0);
    write_evil(&md);
    assert_int_equal(count(text_of(&md.out), "<"), 0);
    assert_true(strstr(text_of(&md.out), "\\|\\*\\`\\[x\\](y)\\_&amp;"));
    text_release(&html.out);
    text_release(&html.data);
    text_release(&md.out);
}

/* The first ten, and whoever of the place comes after them. */
static void test_a_contest_shows_who_leads_and_who_is_of_the_place(void **state)
{
    struct report_findings *found = malloc(sizeof *found);
    struct report_pen pen = {.ops = &report_md_ops};
    char text[4096] = "{\"contests\":[{\"name\":\"cup\",\"title\":\"The cup\",\"state\":\"over\",\"final\":true,\"standing\":[";
    struct kp_err err = {0};
    struct report report;
    msgpack_unpacked item;
    size_t len = strlen(text);

    (void)state;
    for (int i = 1; i <= 13; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s{\"rank\":%d,\"name\":\"R%d\",\"path\":[\"%s\",\"r%d\"],\"value\":%d,\"tie\":%d}", i > 1 ? "," : "", i, i,
                                i == 12 ? "two" : "one", i, 20 - i, 100 * i);
    snprintf(text + len, sizeof text - len, "]}]}");
    begin(&report);
    report.nlevels = 2;
    report.depth = 1;
    snprintf(report.path, sizeof report.path, "two");
    take(text, &item);
    assert_int_equal(report_take_contests(&report, &item.data, &err), KP_OK);
    report_find(&report, found);
    report_page(&pen, &report, found);
    assert_non_null(strstr(text_of(&pen.out), "; it is over, and final. As it stands on "));
    assert_non_null(strstr(text_of(&pen.out), "| 10 | R10 | one/r10 | 10 | 1,000 |\n| 12 | R12 | two/r12 | 8 | 1,200 |\n\nAnd 2 more."));
    msgpack_unpacked_destroy(&item);
    report_release(&report);
    text_release(&pen.out);
    free(found);
}

static void test_contests_are_told_as_they_stand(void **state)
{
    struct report_findings *found = malloc(sizeof *found);
    struct report_pen pen = {.ops = &report_md_ops};
    struct kp_err err = {0};
    struct report report;
    msgpack_unpacked item;

    (void)state;
    begin(&report);
    report.nlevels = 0;
    take(config_text, &item);
    assert_int_equal(report_take_config(&report, &item.data, &err), KP_OK);
    assert_int_equal(report_take_contests(&report, &item.data, &err), KP_OK);
    report_find(&report, found);
    report_page(&pen, &report, found);
    assert_non_null(strstr(text_of(&pen.out), "### The cup\n\nThu 2026-11-26 to Thu 2026-11-26; running. As it stands on "));
    assert_non_null(strstr(text_of(&pen.out), "| 1 | Ana | one/ana | 1,200 GBP |\n| 2 | Ben | one/ben | no data |\n"));
    msgpack_unpacked_destroy(&item);
    report_release(&report);
    text_release(&pen.out);
    free(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weeks_are_named_as_iso_names_them),
        cmocka_unit_test(test_each_week_has_one_name_and_each_name_one_week),
        cmocka_unit_test(test_a_week_that_begins_on_sunday_has_the_thursday_in_it),
        cmocka_unit_test(test_numbers_are_written_by_their_unit),
        cmocka_unit_test(test_a_trend_tells_nothing_from_zero),
        cmocka_unit_test(test_a_target_is_reached_or_not_by_which_way_is_good),
        cmocka_unit_test(test_a_week_that_runs_is_held_against_what_is_expected_by_now),
        cmocka_unit_test(test_few_weeks_make_no_mean_and_an_alert_is_no_calm),
        cmocka_unit_test(test_main_kpis_are_those_with_a_target_first),
        cmocka_unit_test(test_the_largest_loss_is_that_of_the_most_people),
        cmocka_unit_test(test_chance_is_what_statistics_say),
        cmocka_unit_test(test_training_is_a_hypothesis_with_its_numbers),
        cmocka_unit_test(test_the_own_history_is_all_of_its_samples_together),
        cmocka_unit_test(test_a_week_that_has_just_ended_is_not_held_against_those_that_had_time),
        cmocka_unit_test(test_what_counts_is_nought_where_something_else_is_known),
        cmocka_unit_test(test_a_week_that_is_over_is_held_against_the_working_time_that_there_was),
        cmocka_unit_test(test_few_samples_say_nothing_and_it_says_so),
        cmocka_unit_test(test_a_configuration_is_taken),
        cmocka_unit_test(test_history_is_taken_by_week_and_no_sample_is),
        cmocka_unit_test(test_alerts_are_lives_and_those_of_others_are_left_out),
        cmocka_unit_test(test_contests_are_told_as_they_stand),
        cmocka_unit_test(test_a_contest_shows_who_leads_and_who_is_of_the_place),
        cmocka_unit_test(test_no_name_gets_out_of_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
