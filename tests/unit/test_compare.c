/* What a number is compared with, beside targets and pace: the peers, what is usual, and how long nothing came. And how an alert
 * gets worse with time, and is held when it comes and goes. */
#include "rig.h"

/* 1970-01-05 was a Monday. */
enum { MONDAY = 4 * 86400, DAY = 86400, NINE = MONDAY + 9 * 3600, MINUTE = 60, HOUR = 3600 };

/* When the first line of what was told that begins, behind its time, with that was told, in seconds; -1: never. */
static long long first(const struct rig *rig, const char *what)
{
    const char *at = strstr(rig->said, what);

    while (at && at > rig->said && at[-1] != '\n')
        at--;
    return at ? atoll(at) : -1;
}

static void hush(struct rig *rig)
{
    rig->said[0] = '\0';
}

#define OFFICE                                                                                                             \
    "time: {clock: event}\n"                                                                                           \
    "calendars: {office: {hours: {mon-fri: \"09:00-12:00 13:00-17:00\"}, holidays: [1970-01-07]}}\n"                  \
    "roster: {members: [{rep: ana, team: one, region: emea, calendar: office}, {rep: bob, team: one, region: emea, calendar: office}]}\n"                           \
    "windows: [day]\n"                                                                                                 \
    "kpis: {calls: {aggregate: count, where: {type: call}}, mails: {aggregate: count, where: {type: mail}}, both: {formula: calls + mails}}\n"    \
    "alerts:\n"

/* ---- Silence ---- */

static void silence_is_told_in_working_time_also_of_who_was_never_heard_of(void **state)
{
    struct rig *rig = rig_new(OFFICE "  quiet: {kpi: calls, level: rep, compare: silence, warning: {above: 2h}, critical: {above: 4h}}\n");

    (void)state;
    rig_call(rig, NINE - 3600, "ana");      /* it begins at eight, and she is heard of at once */
    rig_call(rig, NINE + HOUR, "ana");
    rig_call(rig, NINE + 3 * HOUR - 30 * MINUTE, "ana");
    rig_at(rig, NINE + 5 * HOUR);
    /* bob: two hours from nine, and four with the lunch between. ana: 11:30, lunch, 14:30 */
    assert_int_equal(first(rig, "quiet bob firing warning 7200"), NINE + 2 * HOUR);
    assert_int_equal(first(rig, "quiet ana firing"), -1);
    assert_int_equal(first(rig, "quiet bob firing critical 14400"), NINE + 5 * HOUR);
    rig_at(rig, NINE + 6 * HOUR);
    assert_int_equal(first(rig, "quiet ana firing warning 7200"), NINE + 5 * HOUR + 30 * MINUTE);
    assert_string_equal(rig->message, "ana: calls: nothing for 2h of working time");
    hush(rig);
    rig_call(rig, NINE + 6 * HOUR + 1, "bob");
    rig_said(rig, "399601 quiet bob resolved critical 0\n");
    /* 15:00:01 on Monday: the two hours are full at 17:00:01, which is 9:00:01 on Tuesday; then no work on Wednesday */
    rig_at(rig, NINE + DAY + HOUR);
    assert_int_equal(first(rig, "quiet bob firing warning"), NINE + DAY + 1);
    rig_free(rig);
}

/* An old event that comes late is no news, and another kind of event none at all; a formula is heard of by any of its parts. */
static void silence_goes_by_the_newest_matching_event(void **state)
{
    struct rig *rig = rig_new(OFFICE "  quiet: {kpi: calls, level: rep, compare: silence, warning: {above: 1h}}\n"
                                     "  still: {kpi: both, level: team, compare: silence, warning: {above: 90m}, message: \"{name} {value} {window}\"}\n");

    (void)state;
    rig_call(rig, NINE + 30 * MINUTE, "ana");
    rig_call(rig, NINE + 10 * MINUTE, "ana");
    rig_event_at(rig, 0, "{\"type\":\"mail\",\"rep\":\"ana\",\"time\":381000000}");        /* 9:50 */
    rig_at(rig, NINE + 2 * HOUR + 30 * MINUTE);
    assert_int_equal(first(rig, "quiet ana firing"), NINE + 90 * MINUTE);
    assert_int_equal(first(rig, "still one firing warning 5400"), NINE + 50 * MINUTE + 90 * MINUTE);
    assert_string_equal(rig->message, "one 1h 30m ");
    rig_free(rig);
}

/* ---- Peers ---- */

#define TEAM                                                                                                               \
    "time: {clock: event}\n"                                                                                           \
    "roster: {members: [{rep: a, team: one}, {rep: b, team: one}, {rep: c, team: one}, {rep: d, team: one},\n"          \
    "  {rep: gone, team: one, end: 1970-01-02}, {rep: off, team: one, away: [1970-01-01..1970-02-01]}, {rep: x, team: two}]}\n"                      \
    "kpis: {calls: {aggregate: count, where: {type: call}, windows: [day]}}\n"                                          \
    "alerts:\n"

static void calls(struct rig *rig, int64_t at_s, const char *rep, int n)
{
    while (n--)
        rig_call(rig, at_s, rep);
}

static void peers_are_the_others_of_the_same_parent_that_are_here(void **state)
{
    struct rig *rig = rig_new(TEAM "  low: {kpi: calls, window: day, level: rep, compare: peers, warning: {below: 50%}, "
                                   "message: \"{value} {expected} {percent}\"}\n");

    (void)state;
    calls(rig, NINE, "b", 10);
    calls(rig, NINE, "c", 20);
    calls(rig, NINE, "d", 12);
    calls(rig, NINE, "a", 6);
    rig_at(rig, NINE + 1);
    rig_said(rig, "");      /* a: 6 of 12; b: 10 of 12; d: 12 of 10; c: 20 of 10; x has nobody; gone and off count for nothing */
    calls(rig, NINE + 2, "b", 3);
    rig_at(rig, NINE + 10);
    rig_said(rig, "378003 low a firing warning 6\n");
    rig_free(rig);
}

static void with_too_few_peers_nobody_is_judged(void **state)
{
    struct rig *rig = rig_new(TEAM "  low: {kpi: calls, window: day, level: rep, compare: peers, min_peers: 4, warning: {below: 50%}}\n"
                                   "  all: {kpi: calls, window: day, level: rep, compare: peers, peers: company, min_peers: 4, warning: {below: 50%}}\n");

    (void)state;
    calls(rig, NINE, "b", 10);
    calls(rig, NINE, "c", 20);
    calls(rig, NINE, "d", 12);
    calls(rig, NINE, "x", 30);
    rig_at(rig, NINE + 1);
    /* of the company's: a is held against 10, 12, 20, 30. The others are not behind */
    rig_said(rig, "378001 all a firing warning 0\n");
    rig_free(rig);
}

/* Each of many events changes everybody's median; they are looked at together, at whole seconds. */
static void peers_are_looked_at_once_a_second(void **state)
{
    struct rig *rig = rig_new(TEAM "  low: {kpi: calls, window: day, level: rep, compare: peers, warning: {below: 50%}}\n");
    struct kp_engine_stats before, after;
    char json[128];

    (void)state;
    rig_call(rig, NINE, "a");
    rig_at(rig, NINE + 1);
    kp_engine_stats(rig->engine, &before);
    for (int i = 0; i < 900; i++) {
        snprintf(json, sizeof json, "{\"type\":\"call\",\"rep\":\"%c\",\"time\":%d}", "bcd"[i % 3], (NINE + 1) * 1000 + 1 + i);
        rig_event_at(rig, 0, json);
    }
    rig_at(rig, NINE + 2);
    kp_engine_stats(rig->engine, &after);
    assert_true(after.evaluations - before.evaluations <= 8);
    rig_said(rig, "378002 low a firing warning 1\n");
    rig_free(rig);
}

/* ---- What is usual ---- */

/* Eight calls a day, one each working hour: at half past. */
static void work_a_day(struct rig *rig, int64_t day_s, int each)
{
    static const int hours[] = {9, 10, 11, 13, 14, 15, 16};

    for (size_t i = 0; i < COUNT_OF(hours); i++)
        calls(rig, day_s + hours[i] * HOUR + 30 * MINUTE, "ana", each);
}

static void what_is_usual_is_the_mean_of_the_last_periods_by_working_time(void **state)
{
    struct rig *rig = rig_new(OFFICE "  low: {kpi: calls, window: day, level: rep, compare: baseline, periods: 3, warning: {below: 50%}, "
                                     "message: \"{value} of {expected}\"}\n");

    (void)state;
    work_a_day(rig, MONDAY, 2);
    work_a_day(rig, MONDAY + DAY, 4);
    /* Wednesday is a holiday */
    work_a_day(rig, MONDAY + 3 * DAY, 6);
    rig_at(rig, MONDAY + 4 * DAY + 8 * HOUR);
    /* before Friday there were not three days, and Monday was not all there */
    rig_said(rig, "");
    rig_free(rig);

    rig = rig_new(OFFICE "  low: {kpi: calls, window: day, level: rep, compare: baseline, periods: 3, warning: {below: 50%}, "
                         "message: \"{value} of {expected}\"}\n");
    rig_event_at(rig, 0, "{\"type\":\"call\",\"rep\":\"bob\",\"time\":1000}");
    work_a_day(rig, MONDAY, 2);
    work_a_day(rig, MONDAY + DAY, 4);
    work_a_day(rig, MONDAY + 3 * DAY, 6);
    calls(rig, MONDAY + 4 * DAY + 9 * HOUR, "ana", 4);
    rig_at(rig, MONDAY + 4 * DAY + 17 * HOUR);
    /* usual: 4 an hour. 4 is half of 8, which is usual by eleven */
    assert_int_equal(first(rig, "low ana firing warning 4"), MONDAY + 4 * DAY + 11 * HOUR);
    assert_string_equal(rig->message, "4 of 8");
    hush(rig);
    rig_at(rig, MONDAY + 7 * DAY + 17 * HOUR);
    /* Monday: the mean of Tuesday's 4, Thursday's 6 and Friday's 4 all at once; and 0 is under half as soon as there is any */
    assert_int_equal(first(rig, "low ana resolved warning 0 period_ended"), MONDAY + 5 * DAY);
    assert_int_equal(first(rig, "low ana firing warning 0"), MONDAY + 7 * DAY + 9 * HOUR);
    rig_free(rig);
}

static void who_has_begun_of_late_has_nothing_usual(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "roster: {members: [{rep: ana, team: one, start: 1970-01-07}, {rep: bob, team: one}]}\n"
                              "kpis: {calls: {aggregate: count, where: {type: call}, windows: [day]}}\n"
                              "alerts: {low: {kpi: calls, window: day, level: rep, compare: baseline, periods: 2, warning: {below: 50%}}}\n");

    (void)state;
    rig_call(rig, 0, "bob");
    for (int day = 0; day < 9; day++) {
        calls(rig, day * DAY + 12 * HOUR, "ana", 8);
        calls(rig, day * DAY + 12 * HOUR, "bob", 8);
    }
    hush(rig);
    rig_at(rig, 10 * DAY - 1);      /* on the 10th nothing comes; and ana has the 7th to the 9th behind her */
    assert_int_equal(first(rig, "low bob firing warning 0"), 9 * DAY + 12 * HOUR);
    assert_int_equal(first(rig, "low ana firing warning 0"), 9 * DAY + 12 * HOUR);
    rig_free(rig);
}

/* ---- Worse with time ---- */

static void a_warning_that_goes_on_becomes_critical(void **state)
{
    struct rig *rig = rig_new(OFFICE "  quiet: {kpi: calls, level: rep, compare: silence, warning: {above: 1h}, escalate: {after: 30m}}\n"
                                     "  few: {kpi: mails, window: day, level: team, hours: always, warning: {above: 1}, escalate: {after: 10s, severity: critical}}\n");

    (void)state;
    rig_call(rig, NINE, "ana");
    rig_at(rig, NINE + 2 * HOUR);
    assert_int_equal(first(rig, "quiet ana firing warning"), NINE + HOUR);
    assert_int_equal(first(rig, "quiet ana firing critical"), NINE + 90 * MINUTE);
    hush(rig);
    rig_call(rig, NINE + 2 * HOUR + 1, "ana");
    assert_int_equal(first(rig, "quiet ana resolved critical 0"), NINE + 2 * HOUR + 1);
    rig_free(rig);
}

/* The clock of an escalation begins anew when what was critical is only a warning again. */
static void what_gets_better_is_not_worse_by_how_long_it_was_bad(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "roster: {members: [{rep: ana, team: one}]}\n"
                              "kpis: {talk: {aggregate: sum, of: d, where: {type: call}, windows: [day]}}\n"
                              "alerts: {long: {kpi: talk, window: day, level: rep, warning: {above: 10}, critical: {above: 20}, escalate: {after: 10m}}}\n");

    (void)state;
    rig_event_at(rig, 0, "{\"type\":\"call\",\"rep\":\"ana\",\"d\":25,\"time\":1000000}");
    rig_event_at(rig, 0, "{\"type\":\"call\",\"rep\":\"ana\",\"d\":-10,\"time\":2000000}");
    rig_at(rig, 2599);
    rig_said(rig, "1000 long ana firing critical 25\n2000 long ana firing warning 15\n");
    rig_at(rig, 2700);
    rig_said(rig, "2600 long ana firing critical 15\n");
    rig_free(rig);
}

/* ---- Coming and going ---- */

static void what_comes_and_goes_is_held_until_it_calms_down(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "roster: {members: [{rep: ana, team: one}]}\n"
                              "kpis: {calls: {aggregate: count, where: {type: call}, windows: [10s/1s]}}\n"
                              "alerts: {busy: {kpi: calls, window: 10s/1s, level: rep, warning: {above: 0}, flapping: {changes: 4, within: 5m}}}\n");

    (void)state;
    for (int i = 0; i < 6; i++)
        rig_call(rig, 1000 + 20 * i, "ana");
    rig_at(rig, 1200);
    /* four changes; the fifth is a firing, told as flapping; then it is held */
    rig_said(rig, "1000 busy ana firing warning 1\n1010 busy ana resolved warning 0\n"
                  "1020 busy ana firing warning 1\n1030 busy ana resolved warning 0\n"
                  "1040 busy ana firing warning 1\n");
    assert_true(rig->flapping);
    /* would-be changes at 1050 1060 1070 1080 1090 1100 1110: calm when but two are younger than five minutes */
    rig_at(rig, 1389);
    rig_said(rig, "");
    rig_at(rig, 1500);
    rig_said(rig, "1390 busy ana resolved warning 0\n");
    assert_false(rig->flapping);
    rig_call(rig, 2000, "ana");
    rig_at(rig, 2020);
    rig_said(rig, "2000 busy ana firing warning 1\n2010 busy ana resolved warning 0\n");
    rig_free(rig);
}

/* ---- A reason that is not their own ---- */

#define FOUR                                                                                                               \
    "time: {clock: event}\n"                                                                                           \
    "roster: {members: [{rep: a, name: Ann, team: one}, {rep: b, name: Bea, team: one}, {rep: c, team: one}, {rep: d, team: one}, {rep: off, team: one, away: [1970-01-01]}]}\n"                                                \
    "kpis: {calls: {aggregate: count, where: {type: call}, windows: [10s/1s]}}\n"

static void when_half_of_a_team_fires_the_team_does(void **state)
{
    struct rig *rig = rig_new(FOUR "alerts: {quiet: {kpi: calls, window: 10s/1s, level: rep, group: 50%, warning: {below: 1}, critical: {below: -1}}}\n");

    (void)state;
    for (int i = 0; i < 4; i++)
        rig_call(rig, 1000, (const char *[]){"a", "b", "c", "d"}[i]);
    hush(rig);      /* they fired until they called, one by one */
    rig_call(rig, 1005, "b");
    rig_call(rig, 1005, "c");
    rig_call(rig, 1005, "d");
    rig_at(rig, 1010);      /* a alone */
    rig_said(rig, "1010 quiet a firing warning 0\n");
    rig_call(rig, 1011, "d");
    rig_at(rig, 1015);      /* b and c with her: three of four */
    rig_said(rig, "1015 quiet a resolved warning 0 grouped\n1015 quiet one firing warning 3\n");
    assert_string_equal(rig->message, "one: 3 of 4 at once (quiet): Ann, Bea, c");
    rig_at(rig, 1021);      /* d, too */
    rig_said(rig, "1021 quiet one firing warning 4\n");
    rig_call(rig, 1022, "a");
    rig_said(rig, "1022 quiet one firing warning 3\n");
    rig_call(rig, 1023, "b");
    rig_said(rig, "1023 quiet one firing warning 2\n");
    rig_call(rig, 1024, "c");   /* d is left, and told of */
    rig_said(rig, "1024 quiet one resolved warning 1\n1024 quiet d firing warning 0\n");
    rig_call(rig, 1025, "d");
    rig_said(rig, "1025 quiet d resolved warning 1\n");
    rig_free(rig);
}

/* All at the same instant: none of them is told of. And it goes on for a while, as the rule says. */
static void those_who_fire_together_are_not_told_of_one_by_one(void **state)
{
    struct rig *rig = rig_new(FOUR "alerts: {quiet: {kpi: calls, window: 10s/1s, level: rep, group: 75%, for: 5s, keep_firing_for: 3s, repeat: 60s, critical: {below: 1}}}\n");
    struct kp_engine_stats stats;

    (void)state;
    for (int i = 0; i < 4; i++)
        rig_call(rig, 1000, (const char *[]){"a", "b", "c", "d"}[i]);
    hush(rig);
    rig_at(rig, 1076);
    assert_null(strstr(rig->said, " a firing"));
    assert_int_equal(first(rig, "quiet one firing critical 4"), 1015);
    assert_non_null(strstr(rig->said, "1075 quiet one firing critical 4"));
    kp_engine_stats(rig->engine, &stats);
    assert_int_equal(stats.firing, 1);
    hush(rig);
    rig_call(rig, 1080, "a");
    rig_call(rig, 1080, "b");
    rig_at(rig, 1090);
    /* they are well from 1083 on, and two of four from then on for three seconds are no crowd */
    assert_non_null(strstr(rig->said, "1086 quiet one resolved critical 2\n1086 quiet d firing critical 0\n1086 quiet c firing critical 0\n"));
    kp_engine_stats(rig->engine, &stats);
    assert_int_equal(stats.firing, 2);
    hush(rig);
    for (int at = 1091; at < 1150; at += 5) {       /* so that they stay alone, and are told again though they do nothing */
        rig_call(rig, at, "a");
        rig_call(rig, at, "b");
    }
    assert_int_equal(first(rig, "quiet c firing critical 0"), 1146);
    assert_int_equal(first(rig, "quiet d firing critical 0"), 1146);
    rig_free(rig);
}

/* ---- What stands still ---- */

#define DEALS                                                                                                              \
    "time: {clock: event}\n"                                                                                           \
    "roster: {members: [{rep: ana, team: one, region: emea}, {rep: bob, team: one, region: emea}]}\n"                  \
    "kpis: {pipeline: {aggregate: count, of: {open: {per: deal, closed: {stage: won}}}, windows: [day]}}\n"            \
    "funnels: {sales: {per: deal, stages: [lead, offer, won], lost: [lost], windows: [30d]}, abc: {per: deal, stages: [a, b, won], windows: [30d]}}\n" \
    "alerts:\n"

static void stage(struct rig *rig, int64_t at_s, const char *deal, const char *rep, const char *to)
{
    char json[256];

    snprintf(json, sizeof json, "{\"type\":\"%s\",\"deal\":\"%s\",\"rep\":\"%s\",%s%s%s\"time\":%lld}", to ? "stage" : "call", deal,
             rep, to ? "\"stage\":\"" : "", to ? to : "", to ? "\"," : "", (long long)at_s * 1000);
    assert_int_equal(rig_event_at(rig, 0, json), KP_ACCEPTED);
}

static void what_is_open_and_does_not_move_is_told_one_by_one(void **state)
{
    struct rig *rig = rig_new(DEALS "  stuck: {kpi: pipeline, level: rep, compare: stalled, warning: {above: 10d}, critical: {above: 20d}}\n");

    (void)state;
    stage(rig, 0, "d-1", "ana", "lead");
    stage(rig, DAY, "d-2", "ana", "lead");
    stage(rig, 2 * DAY, "d-1", "ana", NULL);        /* a call moves nothing, nor does the same stage again */
    stage(rig, 3 * DAY, "d-1", "ana", "lead");
    stage(rig, 5 * DAY, "d-2", "ana", "offer");
    rig_at(rig, 14 * DAY);
    rig_said(rig, "864000 stuck ana firing warning 864000\n");
    assert_string_equal(rig->message, "ana: d-1 has not moved for 10d");
    rig_at(rig, 21 * DAY);
    rig_said(rig, "1296000 stuck ana firing warning 864000\n1728000 stuck ana firing critical 1.728e+06\n");
    hush(rig);
    stage(rig, 22 * DAY, "d-1", "ana", "offer");
    stage(rig, 22 * DAY, "d-2", "ana", "won");
    rig_said(rig, "1900800 stuck ana resolved critical 1.9008e+06 moved\n1900800 stuck ana resolved warning 1.4688e+06 moved\n");
    rig_at(rig, 31 * DAY);
    rig_said(rig, "");
    stage(rig, 31 * DAY, "d-1", "bob", NULL);       /* it is bob's now, and stands where it stood */
    rig_at(rig, 32 * DAY);
    rig_said(rig, "2764800 stuck bob firing warning 864000\n");
    rig_free(rig);
}

static void a_stage_that_is_told_late_counts_from_its_time(void **state)
{
    struct rig *rig = rig_new(DEALS "  stuck: {kpi: pipeline, level: team, compare: stalled, warning: {above: 10d}}\n");

    (void)state;
    stage(rig, 0, "d-1", "ana", "lead");
    stage(rig, 6 * DAY, "d-1", "ana", "offer");
    stage(rig, 4 * DAY, "d-1", "ana", "offer");     /* it was there before */
    stage(rig, 5 * DAY, "d-1", "ana", "lead");      /* and then back for a day */
    stage(rig, DAY, "d-2", "ana", "offer");
    stage(rig, 3 * DAY, "d-2", "bob", "lead");
    stage(rig, 2 * DAY, "d-2", "bob", "lead");
    rig_at(rig, 20 * DAY);
    rig_said(rig, "1036800 stuck one firing warning 864000\n1382400 stuck one firing warning 864000\n");
    rig_free(rig);
}

static void a_step_of_a_funnel_has_its_own_patience(void **state)
{
    struct rig *rig = rig_new(DEALS "  cold: {kpi: sales.offer.open, level: rep, compare: stalled, warning: {above: 5d}, message: \"{entity} {value} {threshold}\"}\n");

    (void)state;
    stage(rig, 0, "d-1", "ana", "lead");
    stage(rig, 10 * DAY, "d-1", "ana", "offer");
    stage(rig, 11 * DAY, "d-1", "ana", "lead");
    stage(rig, 12 * DAY, "d-1", "ana", "offer");
    stage(rig, 13 * DAY, "d-1", "ana", "offer");
    rig_at(rig, 17 * DAY + 3600);
    rig_said(rig, "1468800 cold ana firing warning 432000\n");
    assert_string_equal(rig->message, "d-1 5d 5d");
    stage(rig, 18 * DAY, "d-1", "ana", "lost");
    rig_said(rig, "1555200 cold ana resolved warning 518400 moved\n");
    rig_free(rig);
}

/* ---- People who come and go, sources that fall silent ---- */

static void who_begins_later_is_watched_from_that_day(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "calendars: {office: {hours: {mon-fri: \"09:00-17:00\"}}}\n"
                              "roster: {members: [{rep: ana, team: one, calendar: office}, {rep: new, team: one, calendar: office, start: 1970-01-06},\n"
                              "  {rep: old, team: one, calendar: office, end: 1970-01-05}]}\n"
                              "kpis: {calls: {aggregate: count, where: {type: call}, windows: [day]}}\n"
                              "alerts:\n"
                              "  quiet: {kpi: calls, level: rep, compare: silence, warning: {above: 6h}, keep_firing_for: 1d}\n"
                              "  few: {kpi: calls, window: 24h, level: rep, warning: {below: 1}}\n");

    (void)state;
    rig_call(rig, NINE, "ana");
    rig_at(rig, NINE + 2 * DAY);
    assert_int_equal(first(rig, "quiet new firing"), NINE + DAY + 6 * HOUR);
    assert_int_equal(first(rig, "few new firing"), NINE + DAY);
    assert_int_equal(first(rig, "few old firing"), NINE);
    assert_int_equal(first(rig, "few old resolved warning 0 left"), MONDAY + DAY);
    assert_int_equal(first(rig, "quiet old resolved warning 28800 left"), -1);
    assert_non_null(strstr(rig->said, "432000 quiet old resolved"));    /* at once, whatever keep_firing_for says */
    rig_free(rig);
}

static void what_stands_still_is_watched_again_once_its_source_is_heard_of(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "sources: {crm: {heartbeat: 1h}}\n"
                              "roster: {members: [{rep: ana, team: one}]}\n"
                              "kpis: {open: {aggregate: count, where: {source: crm}, of: {open: {per: deal, closed: {stage: won}}}, windows: [30d]}}\n"
                              "alerts:\n"
                              "  stuck: {kpi: open, level: rep, compare: stalled, warning: {above: 1d}}\n"
                              "  late: {kpi: open, level: rep, compare: stalled, warning: {above: 1h}, for: 2h}\n");

    (void)state;
    rig_event_at(rig, 0, "{\"type\":\"stage\",\"source\":\"crm\",\"deal\":\"d-1\",\"stage\":\"a\",\"rep\":\"ana\",\"time\":1000000}");
    rig_event_at(rig, 0, "{\"type\":\"kpid.heartbeat\",\"source\":\"crm\",\"time\":4000000}");
    rig_at(rig, 120000);
    rig_said(rig, "4600 late ana pending warning 3600\n7600 late ana resolved warning 6600 no_data\n");
    rig_event_at(rig, 0, "{\"type\":\"kpid.heartbeat\",\"source\":\"crm\",\"time\":130000000}");
    rig_said(rig, "130000 stuck ana firing warning 129000\n130000 late ana pending warning 129000\n");
    rig_free(rig);
}

/* ---- What stands still, told in any order ---- */

static void where_a_deal_stands_does_not_depend_on_the_order_of_events(void **state)
{
    static const struct {
        int at_h;
        const char *stage;
    } story[] = {{0, "a"}, {1, "b"}, {2, "a"}, {4, "a"}, {5, NULL}, {6, "won"}, {7, "a"}, {9, "a"}};
    unsigned seed = 1;

    (void)state;
    for (int run = 0; run < 200; run++) {
        struct rig *rig = rig_new(DEALS "  stuck: {kpi: pipeline, level: rep, compare: stalled, warning: {above: 10h}}\n"
                                        "  step: {kpi: abc.a.open, level: rep, compare: stalled, warning: {above: 10h}}\n");
        size_t n = COUNT_OF(story) - (size_t)run % 4, order[COUNT_OF(story)];

        for (size_t i = 0; i < n; i++)
            order[i] = i;
        for (size_t i = n; i-- > 1;) {
            size_t k = (seed = seed * 1103515245u + 12345u) / 65536u % (i + 1), other = order[i];

            order[i] = order[k];
            order[k] = other;
        }
        rig_call(rig, DAY + 10 * HOUR, "bob");      /* later than all of them */
        for (size_t i = 0; i < n; i++)
            stage(rig, DAY + story[order[i]].at_h * HOUR, "d-1", "ana", story[order[i]].stage);
        hush(rig);
        rig_at(rig, 3 * DAY);
        /* since 7h, reopened; 6h is the end; before that since 2h */
        if (n > 6) {
            assert_int_equal(first(rig, "stuck ana firing"), DAY + 17 * HOUR);
            assert_int_equal(first(rig, "step ana firing"), DAY + 17 * HOUR);
        } else {
            assert_int_equal(first(rig, "stuck ana firing"), n == 6 ? -1 : DAY + 12 * HOUR);
            assert_int_equal(first(rig, "step ana firing"), n == 6 ? -1 : DAY + 12 * HOUR);
        }
        rig_free(rig);
    }
}

/* Who else of the team has a word in it changes nothing for the team; a deal of nobody is the company's; and a KPI by client that
 * asks the same is a thing of its own. */
static void a_deal_stands_still_whoever_talks_of_it(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "roster: {members: [{rep: ana, team: one, region: emea}, {rep: bob, team: one, region: emea}]}\n"
                              "kpis:\n"
                              "  open: {aggregate: count, of: {open: {per: deal, closed: {stage: won}}}, windows: [30d]}\n"
                              "  openc: {aggregate: count, by: [client], of: {open: {per: deal, closed: {stage: won}}}, windows: [30d]}\n"
                              "alerts:\n"
                              "  team: {kpi: open, level: team, compare: stalled, warning: {above: 10d}}\n"
                              "  all: {kpi: open, level: company, compare: stalled, warning: {above: 10d}}\n"
                              "  client: {kpi: openc, level: \"@client\", compare: stalled, warning: {above: 10d}}\n");

    (void)state;
    rig_event_at(rig, 0, "{\"type\":\"stage\",\"deal\":\"d-1\",\"stage\":\"a\",\"rep\":\"ana\",\"client\":\"acme\",\"time\":1000}");
    rig_event_at(rig, 0, "{\"type\":\"stage\",\"deal\":\"d-2\",\"stage\":\"a\",\"time\":2000}");
    rig_event_at(rig, 0, "{\"type\":\"note\",\"deal\":\"d-1\",\"rep\":\"bob\",\"time\":400000000}");
    rig_event_at(rig, 0, "{\"type\":\"note\",\"deal\":\"d-1\",\"client\":\"umbrella\",\"time\":500000000}");
    rig_at(rig, 10 * DAY + 3);
    rig_said(rig, "864001 team one firing warning 864000\n864001 all  firing warning 864000\n"
                  "864001 client umbrella firing warning 864000\n864002 all  firing warning 864000\n");
    rig_event_at(rig, 0, "{\"type\":\"note\",\"deal\":\"d-1\",\"rep\":\"ana\",\"time\":900000000}");
    rig_said(rig, "");
    rig_free(rig);
}

/* ---- Groups: days off, and who is here ---- */

#define FIVE                                                                                                               \
    "time: {clock: event}\n"                                                                                           \
    "calendars: {office: {hours: {mon-fri: \"09:00-17:00\"}}}\n"                                                         \
    "sources: {pbx: {heartbeat: 10d}}\n"                                                                                \
    "roster: {members: [{rep: a, team: one, calendar: office}, {rep: b, team: one, calendar: office}, {rep: c, team: one, calendar: office},\n"  \
    "  {rep: d, team: one, calendar: office, end: 1970-01-05}, {rep: e, team: one, calendar: office, away: [1970-01-06..1970-01-20]}]}\n"       \
    "kpis: {calls: {aggregate: count, where: {type: call}, windows: [day]}}\n"

static void who_is_here_is_asked_each_day_and_nothing_begins_on_a_day_off(void **state)
{
    struct rig *rig = rig_new(FIVE "alerts: {quiet: {kpi: calls, level: rep, compare: silence, warning: {above: 4h}, group: 60%, repeat: 2d}}\n");

    (void)state;
    rig_call(rig, NINE, "a");
    rig_call(rig, NINE, "b");
    for (int h = 1; h < 8; h++)
        for (int i = 0; i < 3; i++)
            rig_call(rig, NINE + h * HOUR, (const char *[]){"c", "d", "e"}[i]);
    rig_at(rig, NINE + 5 * HOUR);
    rig_said(rig, "392400 quiet b firing warning 14400\n392400 quiet a firing warning 14400\n");     /* two of five */
    rig_at(rig, NINE + DAY - 1);        /* on Tuesday d has left and e is on leave: two of three, from midnight on */
    rig_said(rig, "432000 quiet b resolved warning 28800 grouped\n432000 quiet a resolved warning 28800 grouped\n432000 quiet one firing warning 2\n");
    rig_call(rig, NINE + DAY, "a");
    assert_int_equal(first(rig, "quiet one resolved warning 1"), NINE + DAY);
    assert_int_equal(first(rig, "quiet b firing"), NINE + DAY);
    rig_free(rig);

    rig = rig_new(FIVE "alerts: {quiet: {kpi: calls, level: rep, compare: silence, warning: {above: 4h}, group: 100%}}\n");
    for (int i = 0; i < 3; i++)
        rig_call(rig, NINE + 4 * DAY, (const char *[]){"a", "b", "c"}[i]);      /* Friday */
    rig_call(rig, NINE + 4 * DAY + 5 * HOUR - 1, "c");
    hush(rig);
    rig_at(rig, NINE + 6 * DAY);
    rig_said(rig, "");                  /* on Saturday nobody is here but those who fire: that makes no team of them */
    rig_free(rig);
}

/* The members' days count, wherever the team is. */
static void a_team_in_another_zone_has_its_own_day(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "calendars: {ny: {zone: America/New_York, hours: {mon-fri: \"09:00-17:00\"}}}\n"
                              "roster: {members: [{rep: a, team: one, calendar: ny}, {rep: b, team: one, calendar: ny}, {rep: c, team: one, calendar: ny}, {rep: d, team: one, calendar: ny}]}\n"
                              "kpis: {calls: {aggregate: count, where: {type: call}, windows: [day]}}\n"
                              "alerts: {quiet: {kpi: calls, level: rep, compare: silence, warning: {above: 7h}, group: 50%}}\n");
    enum { NY = 14 * HOUR };        /* nine o'clock there */

    (void)state;
    for (int i = 0; i < 4; i++)
        rig_call(rig, MONDAY - 3 * DAY + NY + i * HOUR, (const char *[]){"a", "b", "c", "d"}[i]);     /* Friday */
    rig_at(rig, MONDAY + NY + 3 * HOUR - 1);
    /* a on Friday at four, b on Monday at nine, c at ten: b is the second of four */
    assert_int_equal(first(rig, "quiet a firing"), MONDAY - 3 * DAY + NY + 7 * HOUR);
    assert_int_equal(first(rig, "quiet one firing warning 2"), MONDAY + NY);
    assert_int_equal(first(rig, "quiet one firing warning 3"), MONDAY + NY + HOUR);
    assert_int_equal(first(rig, "quiet b firing"), -1);
    rig_free(rig);
}

static void a_team_ends_with_the_period_and_what_was_pending_is_told_of(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "roster: {members: [{rep: a, team: one}, {rep: b, team: one}]}\n"
                              "kpis: {calls: {aggregate: count, where: {type: call}, windows: [day]}}\n"
                              "alerts: {low: {kpi: calls, window: day, level: rep, warning: {below: 1}, group: 50%, for: 10m}}\n");

    (void)state;
    rig_event_at(rig, 0, "{\"type\":\"x\",\"time\":1000}");
    rig_at(rig, DAY + 700);
    rig_said(rig, "1 low a pending warning 0\n1 low b pending warning 0\n"
                  "601 low b resolved warning 0 grouped\n601 low a resolved warning 0 grouped\n601 low one firing warning 2\n"
                  "86400 low a pending warning 0\n86400 low b pending warning 0\n86400 low one resolved warning 0 period_ended\n"
                  "87000 low b resolved warning 0 grouped\n87000 low a resolved warning 0 grouped\n87000 low one firing warning 2\n");
    rig_free(rig);
}

static void a_team_stays_as_it_is_while_the_source_is_silent(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "sources: {pbx: {heartbeat: 100s}}\n"
                              "roster: {members: [{rep: a, team: one}, {rep: b, team: one}]}\n"
                              "kpis: {calls: {aggregate: count, where: {type: call, source: pbx}, windows: [5m]}}\n"
                              "alerts: {low: {kpi: calls, window: 5m, level: rep, warning: {below: 1}, group: 100%, keep_firing_for: 1m, repeat: 5m}}\n");

    (void)state;
    rig_event_at(rig, 0, "{\"type\":\"call\",\"source\":\"pbx\",\"rep\":\"x\",\"time\":1000000}");
    rig_event_at(rig, 0, "{\"type\":\"call\",\"source\":\"pbx\",\"rep\":\"a\",\"time\":1001000}");
    hush(rig);
    rig_at(rig, 3000);      /* a is well since 1001, and the team to end at 1121; but from 1101 on nothing is known */
    rig_said(rig, "1061 low one firing warning 1\n");
    rig_event_at(rig, 0, "{\"type\":\"kpid.heartbeat\",\"source\":\"pbx\",\"time\":3001000}");
    rig_at(rig, 3002);
    rig_said(rig, "3001 low one firing warning 2\n");
    rig_at(rig, 4000);
    rig_said(rig, "");
    rig_free(rig);
}

/* ---- Odds and ends ---- */

static void going_from_warning_to_critical_and_back_is_coming_and_going_too(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "roster: {members: [{rep: ana, team: one}]}\n"
                              "kpis: {talk: {aggregate: sum, of: d, where: {type: call}, windows: [day]}}\n"
                              "alerts: {long: {kpi: talk, window: day, level: rep, warning: {above: 10}, critical: {above: 20}, flapping: {changes: 4, within: 10m}}}\n");
    char json[128];

    (void)state;
    for (int i = 0; i < 40; i++) {
        snprintf(json, sizeof json, "{\"type\":\"call\",\"rep\":\"ana\",\"d\":%d,\"time\":%d000}", i == 0 ? 15 : i % 2 ? 10 : -10, 1000 + 60 * i);
        rig_event_at(rig, 0, json);
    }
    rig_said(rig, "1000 long ana firing warning 15\n1060 long ana firing critical 25\n1120 long ana firing warning 15\n"
                  "1180 long ana firing critical 25\n1240 long ana firing warning 15\n");
    assert_true(rig->flapping);
    rig_free(rig);
}

/* Whoever comes to the office at nine is held against those who are there since eight, without an event. */
static void peers_are_looked_at_when_somebody_begins_to_work(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "calendars: {office: {hours: {mon-fri: \"09:00-17:00\"}}}\n"
                              "roster: {members: [{rep: a, team: one, calendar: office}, {rep: b, team: one}, {rep: c, team: one}, {rep: d, team: one}]}\n"
                              "kpis: {calls: {aggregate: count, where: {type: call}, windows: [day]}}\n"
                              "alerts: {low: {kpi: calls, window: day, level: rep, compare: peers, warning: {below: 50%}}}\n");

    (void)state;
    for (int i = 0; i < 3; i++)
        calls(rig, NINE - HOUR, (const char *[]){"b", "c", "d"}[i], 5);
    rig_at(rig, NINE + HOUR);
    assert_int_equal(first(rig, "low a firing warning 0"), NINE + 1);
    rig_free(rig);
}

/* What is usual is known as soon as the past is: when a history is read in. */
static void a_history_that_comes_late_makes_a_baseline(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "roster: {members: [{rep: ana, team: one}]}\n"
                              "kpis: {calls: {aggregate: count, where: {type: call}, windows: [month]}}\n"
                              "alerts: {low: {kpi: calls, window: month, level: rep, compare: baseline, periods: 2, warning: {below: 50%}}}\n");

    (void)state;
    rig_call(rig, 100 * DAY, "ana");    /* the 11th of April */
    rig_at(rig, 100 * DAY + 60);
    rig_said(rig, "");
    for (int day = 31; day < 90; day += 2)
        calls(rig, day * DAY, "ana", 3);
    rig_at(rig, 100 * DAY + 2 * HOUR);
    assert_int_equal(first(rig, "low ana firing warning 1"), 100 * DAY + 60);
    rig_free(rig);
}

static void a_target_is_nothing_to_who_does_not_work_in_its_period(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "roster: {members: [{rep: ana, team: one}, {rep: off, team: one, away: [1970-01-05..1970-01-06]}]}\n"
                              "kpis: {calls: {aggregate: count, where: {type: call}, windows: [day]}}\n"
                              "targets: [{kpi: calls, per: day, value: 8}]\n"
                              "alerts: {low: {kpi: calls, window: day, level: rep, compare: target, warning: {below: 50%}, hours: always}}\n");

    (void)state;
    rig_event_at(rig, 0, "{\"type\":\"x\",\"time\":378000000}");
    rig_said(rig, "378000 low ana firing warning 0\n");
    assert_int_equal(rig_cell(rig, rig_node(rig, "rep", "off"), "calls", "day")->status, KP_STATUS_NONE);
    rig_free(rig);
}

static void what_is_pending_ends_when_the_office_closes(void **state)
{
    struct rig *rig = rig_new(OFFICE "  few: {kpi: calls, window: 1h, level: rep, warning: {below: 1}, for: 40m}\n");

    (void)state;
    rig_call(rig, NINE + 150 * MINUTE, "ana");      /* 11:30; lunch is from 12 to 13 */
    rig_call(rig, NINE + 150 * MINUTE, "bob");
    hush(rig);
    rig_call(rig, NINE + 220 * MINUTE, "bob");      /* 12:40, in the break */
    rig_at(rig, NINE + 5 * HOUR);
    assert_int_equal(first(rig, "few ana pending"), NINE + 4 * HOUR);
    assert_int_equal(first(rig, "few bob pending"), NINE + 280 * MINUTE);
    assert_int_equal(first(rig, "few ana firing"), NINE + 280 * MINUTE);
    hush(rig);
    rig_call(rig, NINE + 401 * MINUTE, "ana");      /* 15:41: pending from 16:41 on, until five */
    rig_at(rig, NINE + 8 * HOUR);
    assert_int_equal(first(rig, "few ana pending"), NINE + 461 * MINUTE);
    assert_int_equal(first(rig, "few ana resolved warning 0 out_of_hours"), NINE + 8 * HOUR);
    rig_free(rig);
}

static void lives_that_begin_at_the_same_instant_have_ids_of_their_own(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "roster: {members: [{rep: ana, team: one}]}\n"
                              "kpis: {talk: {aggregate: sum, of: d, where: {type: call}, windows: [day]}}\n"
                              "alerts: {long: {kpi: talk, window: day, level: rep, warning: {above: 10}}}\n");
    uint64_t id;

    (void)state;
    rig_event_at(rig, 0, "{\"type\":\"call\",\"rep\":\"ana\",\"d\":15,\"time\":1000000}");
    id = rig->id;
    rig_event_at(rig, 0, "{\"type\":\"call\",\"rep\":\"ana\",\"d\":-15,\"time\":1000000}");
    assert_true(rig->id == id);
    rig_event_at(rig, 0, "{\"type\":\"call\",\"rep\":\"ana\",\"d\":15,\"time\":1000000}");
    assert_true(rig->id != id);
    rig_free(rig);

    rig = rig_new(DEALS "  stuck: {kpi: pipeline, level: rep, compare: stalled, warning: {above: 1d}}\n");
    stage(rig, DAY, "d-1", "ana", "a");
    rig_call(rig, 3 * DAY, "bob");
    stage(rig, DAY + HOUR, "d-1", "ana", "b");      /* told late, both; it stands still anyway */
    id = rig->id;
    stage(rig, DAY + 2 * HOUR, "d-1", "ana", "c");
    assert_true(rig->id != id);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_is_told_in_working_time_also_of_who_was_never_heard_of),
        cmocka_unit_test(silence_goes_by_the_newest_matching_event),
        cmocka_unit_test(peers_are_the_others_of_the_same_parent_that_are_here),
        cmocka_unit_test(with_too_few_peers_nobody_is_judged),
        cmocka_unit_test(peers_are_looked_at_once_a_second),
        cmocka_unit_test(what_is_usual_is_the_mean_of_the_last_periods_by_working_time),
        cmocka_unit_test(who_has_begun_of_late_has_nothing_usual),
        cmocka_unit_test(a_warning_that_goes_on_becomes_critical),
        cmocka_unit_test(what_gets_better_is_not_worse_by_how_long_it_was_bad),
        cmocka_unit_test(what_comes_and_goes_is_held_until_it_calms_down),
        cmocka_unit_test(when_half_of_a_team_fires_the_team_does),
        cmocka_unit_test(those_who_fire_together_are_not_told_of_one_by_one),
        cmocka_unit_test(what_is_open_and_does_not_move_is_told_one_by_one),
        cmocka_unit_test(a_stage_that_is_told_late_counts_from_its_time),
        cmocka_unit_test(a_step_of_a_funnel_has_its_own_patience),
        cmocka_unit_test(who_begins_later_is_watched_from_that_day),
        cmocka_unit_test(what_stands_still_is_watched_again_once_its_source_is_heard_of),
        cmocka_unit_test(where_a_deal_stands_does_not_depend_on_the_order_of_events),
        cmocka_unit_test(a_deal_stands_still_whoever_talks_of_it),
        cmocka_unit_test(who_is_here_is_asked_each_day_and_nothing_begins_on_a_day_off),
        cmocka_unit_test(a_team_in_another_zone_has_its_own_day),
        cmocka_unit_test(a_team_ends_with_the_period_and_what_was_pending_is_told_of),
        cmocka_unit_test(a_team_stays_as_it_is_while_the_source_is_silent),
        cmocka_unit_test(going_from_warning_to_critical_and_back_is_coming_and_going_too),
        cmocka_unit_test(peers_are_looked_at_when_somebody_begins_to_work),
        cmocka_unit_test(a_history_that_comes_late_makes_a_baseline),
        cmocka_unit_test(a_target_is_nothing_to_who_does_not_work_in_its_period),
        cmocka_unit_test(what_is_pending_ends_when_the_office_closes),
        cmocka_unit_test(lives_that_begin_at_the_same_instant_have_ids_of_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
