/* The state machine of alerts, driven by events and by time alone. */
#include "rig.h"

#define HEAD                                                                                                           \
    "time: {clock: event}\n"                                                                                           \
    "roster:\n"                                                                                                        \
    "  members: [{rep: ana, name: Ana Silva, team: one, region: emea}]\n"                                              \
    "kpis:\n"                                                                                                          \
    "  calls: {aggregate: count, where: {type: call}, windows: [10s/1s, day]}\n"                                       \
    "  talk: {aggregate: mean, of: duration, where: {type: call}, windows: [10s/1s]}\n"                                \
    "targets: [{kpi: calls, per: day, value: 10}]\n"                                                                   \
    "alerts:\n"

static void fires_when_for_has_passed_and_resolves_when_the_number_is_back(void **state)
{
    struct rig *rig = rig_new(HEAD "  quiet: {kpi: calls, window: 10s/1s, level: rep, warning: {below: 1}, for: 5s}\n");

    (void)state;
    rig_call(rig, 100, "ana");
    rig_said(rig, "");
    rig_at(rig, 109);
    rig_said(rig, "");
    rig_at(rig, 200);       /* the call left the window at 110; nothing had to come for that */
    rig_said(rig, "110 quiet ana pending warning 0\n115 quiet ana firing warning 0\n");
    rig_call(rig, 201, "ana");
    rig_said(rig, "201 quiet ana resolved warning 1\n");
    rig_free(rig);
}

static void a_breach_that_does_not_last_is_only_pending(void **state)
{
    struct rig *rig = rig_new(HEAD "  quiet: {kpi: calls, window: 10s/1s, level: rep, warning: {below: 1}, for: 5s}\n");

    (void)state;
    rig_call(rig, 100, "ana");
    rig_at(rig, 112);
    rig_call(rig, 112, "ana");
    rig_at(rig, 118);
    rig_said(rig, "110 quiet ana pending warning 0\n112 quiet ana resolved warning 1\n");
    rig_free(rig);
}

static void without_for_it_fires_at_once_with_the_events_it_rests_on(void **state)
{
    struct rig *rig = rig_new(HEAD "  busy: {kpi: calls, window: 10s/1s, level: rep, warning: {above: 1}, "
                                   "message: \"{name} ({key}, {level}): {value} {kpi} in {window}, {severity} {threshold}\"}\n");

    (void)state;
    rig_event_at(rig, 0, "{\"id\":\"a\",\"type\":\"call\",\"rep\":\"ana\",\"time\":100000}");
    rig_event_at(rig, 0, "{\"id\":\"b\",\"type\":\"call\",\"rep\":\"ana\",\"time\":101000}");
    rig_said(rig, "101 busy ana firing warning 2\n");
    assert_string_equal(rig->message, "Ana Silva (ana, rep): 2 calls in 10s/1s, warning 1");
    assert_int_equal(rig->nevents, 2);
    rig_free(rig);
}

static void severity_rises_at_once_and_falls_past_the_margin(void **state)
{
    struct rig *rig = rig_new(HEAD "  busy: {kpi: calls, window: day, level: rep, warning: {above: 1}, critical: {above: 3}}\n"
                                   "  long: {kpi: talk, window: 10s/1s, level: rep, warning: {above: 10}, "
                                   "critical: {above: 20}, clear: 50%}\n");
    uint64_t id;

    (void)state;
    rig_call(rig, 100, "ana");
    rig_call(rig, 101, "ana");
    rig_call(rig, 102, "ana");
    id = rig->id;
    rig_call(rig, 103, "ana");
    assert_true(rig->id == id);     /* one alert, whatever its severity */
    rig_said(rig, "101 busy ana firing warning 2\n103 busy ana firing critical 4\n");
    rig_event_at(rig, 0, "{\"type\":\"call\",\"rep\":\"ana\",\"time\":120000,\"duration\":30}");
    rig_event_at(rig, 0, "{\"type\":\"call\",\"rep\":\"ana\",\"time\":121000,\"duration\":0}");
    rig_said(rig, "120 long ana firing critical 30\n");     /* 15 is below 20, but not by half */
    rig_event_at(rig, 0, "{\"type\":\"call\",\"rep\":\"ana\",\"time\":122000,\"duration\":0}");
    rig_said(rig, "122 long ana firing warning 10\n");      /* back past critical, not past warning */
    rig_event_at(rig, 0, "{\"type\":\"call\",\"rep\":\"ana\",\"time\":123000,\"duration\":-20}");
    rig_said(rig, "123 long ana resolved warning 2.5\n");
    rig_free(rig);
}

static void keeps_firing_for_a_while_and_starts_that_anew_at_each_breach(void **state)
{
    struct rig *rig = rig_new(
        HEAD "  quiet: {kpi: calls, window: 10s/1s, level: rep, warning: {below: 1}, keep_firing_for: 15s}\n");

    (void)state;
    rig_call(rig, 100, "ana");
    rig_at(rig, 112);
    rig_call(rig, 112, "ana");      /* good from 112 to 122, which is not long enough */
    rig_at(rig, 130);
    rig_said(rig, "110 quiet ana firing warning 0\n");
    rig_call(rig, 130, "ana");
    rig_call(rig, 139, "ana");
    rig_at(rig, 146);
    rig_said(rig, "145 quiet ana resolved warning 1\n");
    rig_free(rig);
}

static void repeats_while_it_fires(void **state)
{
    struct rig *rig = rig_new(HEAD "  quiet: {kpi: calls, window: 10s/1s, level: rep, warning: {below: 1}, repeat: 10s}\n");

    (void)state;
    rig_call(rig, 100, "ana");
    rig_at(rig, 135);
    rig_said(rig, "110 quiet ana firing warning 0\n120 quiet ana firing warning 0\n130 quiet ana firing warning 0\n");
    rig_free(rig);
}

static void too_few_samples_are_no_breach_and_end_one(void **state)
{
    struct rig *rig = rig_new(
        HEAD "  long: {kpi: talk, window: 10s/1s, level: rep, warning: {above: 10}, min_count: 2}\n");

    (void)state;
    rig_event_at(rig, 0, "{\"type\":\"call\",\"rep\":\"ana\",\"time\":100000,\"duration\":30}");
    rig_said(rig, "");
    rig_event_at(rig, 0, "{\"type\":\"call\",\"rep\":\"ana\",\"time\":105000,\"duration\":30}");
    rig_said(rig, "105 long ana firing warning 30\n");
    rig_at(rig, 111);
    rig_said(rig, "110 long ana resolved warning 30 no_samples\n");
    rig_free(rig);
}

static void a_period_that_ends_takes_its_alert_along(void **state)
{
    struct rig *rig = rig_new(HEAD "  busy: {kpi: calls, window: day, level: rep, warning: {above: 0}}\n");

    (void)state;
    rig_call(rig, 86399, "ana");
    rig_at(rig, 90000);
    rig_said(rig, "86399 busy ana firing warning 1\n86400 busy ana resolved warning 0 period_ended\n");
    rig_free(rig);
}

static void a_target_is_compared_as_a_share(void **state)
{
    struct rig *rig = rig_new(HEAD "  behind: {kpi: calls, window: day, level: rep, compare: target, warning: {below: 20%}, "
                                   "for: 10s, message: \"{value} of {target} ({percent})\"}\n");

    (void)state;
    rig_call(rig, 100, "ana");
    rig_at(rig, 120);
    rig_said(rig, "100 behind ana pending warning 1\n110 behind ana firing warning 1\n");
    assert_string_equal(rig->message, "1 of 10 (10%)");
    rig_call(rig, 121, "ana");
    rig_said(rig, "121 behind ana resolved warning 2\n");
    rig_free(rig);
}

static void everybody_of_the_roster_is_judged_also_who_was_never_heard_of(void **state)
{
    struct rig *rig = rig_new(HEAD "  quiet: {kpi: calls, window: 10s/1s, level: rep, warning: {below: 1}}\n"
                                   "  team_quiet: {kpi: calls, window: 10s/1s, level: team, warning: {below: 1}}\n");

    (void)state;
    rig_event_at(rig, 0, "{\"type\":\"kpid.tick\",\"time\":50000}");
    rig_said(rig, "50 team_quiet one firing warning 0\n50 quiet ana firing warning 0\n");
    rig_free(rig);
}

static void a_rep_that_nobody_knew_is_judged_as_long_as_there_is_something_to_show(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "kpis: {calls: {aggregate: count, where: {type: call}, windows: [10s/1s, 60s/1s]}}\n"
                              "alerts: {quiet: {kpi: calls, window: 10s/1s, level: rep, warning: {below: 1}}}\n");

    (void)state;
    rig_call(rig, 100, "zed");
    rig_at(rig, 300);
    rig_said(rig, "110 quiet zed firing warning 0\n160 quiet zed resolved warning - no_samples\n");
    rig_free(rig);
}

static void groups_have_alerts_too(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "kpis: {bought: {aggregate: sum, of: amount, by: [client], windows: [day]}}\n"
                              "alerts: {big: {kpi: bought, window: day, level: \"@client\", warning: {above: 100}}}\n");

    (void)state;
    rig_event_at(rig, 0, "{\"type\":\"won\",\"client\":\"acme\",\"amount\":60,\"time\":1000}");
    rig_event_at(rig, 0, "{\"type\":\"won\",\"client\":\"acme\",\"amount\":60,\"time\":2000}");
    rig_said(rig, "2 big acme firing warning 120\n");
    rig_free(rig);
}

static void with_the_wall_clock_time_alone_fires_too(void **state)
{
    struct rig *rig = rig_new("roster: {members: [{rep: ana, team: one, region: emea}]}\n"
                              "kpis: {calls: {aggregate: count, where: {type: call}, windows: [10s/1s]}}\n"
                              "alerts: {quiet: {kpi: calls, window: 10s/1s, level: rep, warning: {below: 1}, for: 3s}}\n");

    (void)state;
    rig_call(rig, 1000000, "ana");
    assert_true(kp_engine_due(rig->engine) == INT64_C(1000010000));
    rig_at(rig, 1000010);
    assert_true(kp_engine_due(rig->engine) == INT64_C(1000013000));
    rig_at(rig, 1000013);
    rig_said(rig, "1000010 quiet ana pending warning 0\n1000013 quiet ana firing warning 0\n");
    rig_free(rig);
}

static void a_leap_to_the_year_9999_is_survived(void **state)
{
    struct rig *rig = rig_new(HEAD "  quiet: {kpi: calls, window: 10s/1s, level: rep, warning: {below: 1}, repeat: 1s}\n");

    (void)state;
    rig_call(rig, 100, "ana");
    rig_at(rig, INT64_C(253402300799));
    assert_true(kp_engine_now(rig->engine) == INT64_C(253402300799000));
    rig->said[0] = '\0';
    rig_call(rig, INT64_C(253402300799), "ana");
    rig_said(rig, "253402300799 quiet ana resolved warning 1\n");
    rig_free(rig);
}

/* ---- Fairness: working time, luck, silent sources ---- */

/* 1970-01-05 was a Monday. The office opens at 9:00, eight calls a day are one an hour, and 40 are five. */
#define OFFICE_FOR(calls)                                                                                                 \
    "time: {clock: event}\n"                                                                                          \
    "calendars: {office: {hours: {mon-fri: \"09:00-17:00\"}, holidays: [1970-01-07]}}\n"                              \
    "roster: {members: [{rep: ana, team: one, calendar: office}, {rep: bob, team: one, calendar: office, away: [1970-01-05]},\n"  \
    "                   {rep: cid, team: one, calendar: office, start: 1970-01-09}]}\n"                               \
    "windows: [day, 1h]\n"                                                                                            \
    "kpis: {calls: {aggregate: count, where: {type: call}}, won: {aggregate: count, where: {type: won}}, rate: {formula: won / calls}}\n"  \
    "targets: [{kpi: calls, per: day, value: " calls "}, {kpi: rate, per: day, value: 0.5}]\n"                                \
    "alerts:\n"
#define OFFICE OFFICE_FOR("8")
enum { MONDAY = 4 * 86400, NINE = MONDAY + 9 * 3600, MINUTE = 60, HOUR = 3600 };

/* When ana's first alert of that state was told, in seconds; -1: never. */
static long long first(const struct rig *rig, const char *what)
{
    const char *at = strstr(rig->said, what);

    while (at && at > rig->said && at[-1] != '\n')
        at--;
    return at ? atoll(at) : -1;
}

static void behind_pace_is_told_when_it_is_and_not_when_an_event_comes(void **state)
{
    struct rig *rig = rig_new(OFFICE "  behind: {kpi: calls, window: day, level: rep, compare: pace, warning: {below: 80%}, critical: {below: 60%}}\n");

    (void)state;
    rig_call(rig, NINE, "ana");
    rig_at(rig, NINE + 2 * HOUR);
    /* one call: 80 % of what is expected after an hour and a quarter, 60 % after an hour and 40 minutes */
    assert_int_equal(first(rig, "behind ana firing warning 1"), NINE + 75 * MINUTE);
    assert_int_equal(first(rig, "behind ana firing critical 1"), NINE + 100 * MINUTE);
    rig->said[0] = '\0';
    rig_call(rig, NINE + 2 * HOUR + 1, "ana");
    rig_said(rig, "385201 behind ana resolved critical 2\n");
    rig_free(rig);
}

/* bob is away on Monday, cid does not begin before Friday, Wednesday is a holiday. */
static void who_is_not_at_work_is_never_behind(void **state)
{
    struct rig *rig = rig_new(OFFICE "  behind: {kpi: calls, window: day, level: rep, compare: pace, warning: {below: 80%}, min_elapsed: 1h}\n");

    (void)state;
    rig_call(rig, MONDAY, "ana");
    rig_at(rig, NINE + 86400 - 1);
    assert_int_equal(first(rig, "behind ana firing"), NINE + 75 * MINUTE);
    assert_int_equal(first(rig, "behind bob"), -1);
    rig_at(rig, NINE + 86400 + HOUR);
    assert_int_equal(first(rig, "behind bob firing"), NINE + 86400 + HOUR);
    rig->said[0] = '\0';
    rig_at(rig, MONDAY + 3 * 86400 - 1);       /* Tuesday's end ends them, and Wednesday is nobody's */
    assert_int_equal(first(rig, "behind ana resolved"), MONDAY + 2 * 86400);
    assert_int_equal(first(rig, "behind ana firing"), -1);
    rig_at(rig, MONDAY + 4 * 86400 - 1);
    assert_int_equal(first(rig, "behind cid"), -1);
    rig_at(rig, MONDAY + 5 * 86400 - 1);
    assert_int_equal(first(rig, "behind cid firing"), NINE + 4 * 86400 + HOUR);
    rig_free(rig);
}

static void nothing_begins_outside_of_working_hours(void **state)
{
    struct rig *rig = rig_new(OFFICE "  quiet: {kpi: calls, window: 1h, level: rep, warning: {below: 1}, for: 10m}\n"
                                     "  night: {kpi: calls, window: 1h, level: rep, warning: {below: 1}, hours: always}\n");

    (void)state;
    rig_call(rig, NINE + 7 * HOUR + 50 * MINUTE, "ana");        /* 16:50 */
    rig_at(rig, NINE + 24 * HOUR - 1);
    assert_int_equal(first(rig, "quiet ana"), -1);
    assert_int_equal(first(rig, "night ana firing"), NINE + 8 * HOUR + 50 * MINUTE);
    rig_at(rig, NINE + 25 * HOUR);
    assert_int_equal(first(rig, "quiet ana pending"), NINE + 24 * HOUR);
    assert_int_equal(first(rig, "quiet ana firing"), NINE + 24 * HOUR + 10 * MINUTE);
    rig_free(rig);
}

/* Two of five are behind, and yet nothing that luck would not bring one day in eight; two of eight are. */
static void with_confidence_luck_is_no_reason(void **state)
{
    struct rig *rig = rig_new(OFFICE_FOR("40") "  sure: {kpi: calls, window: day, level: rep, compare: pace, warning: {below: 80%}, confidence: 97.5%}\n"
                                     "  naive: {kpi: calls, window: day, level: rep, compare: pace, warning: {below: 80%}}\n");
    long long told;

    (void)state;
    rig_call(rig, NINE, "ana");
    rig_call(rig, NINE, "ana");
    rig_at(rig, NINE + 2 * HOUR);
    assert_int_equal(first(rig, "naive ana firing"), NINE + 30 * MINUTE);
    told = first(rig, "sure ana firing");
    /* P(X <= 2) is 2.5 % where 7.2247 are expected: 86.7 minutes; it is looked at each minute */
    assert_true(told >= NINE + 86 * MINUTE + 41 && told <= NINE + 88 * MINUTE);
    assert_true(rig->p <= 0.025 && rig->p > 0.02);
    rig_free(rig);
}

/* A share is as sure as its tries are many: 3 of 10 against a half is luck in every sixth case, 6 of 20 in one of 17. */
static void with_confidence_a_share_is_judged_by_its_tries(void **state)
{
    struct rig *rig = rig_new(OFFICE "  low: {kpi: rate, window: day, level: rep, compare: target, warning: {below: 80%}, confidence: 94%}\n");

    (void)state;
    for (int i = 0; i < 20; i++) {
        char json[128];

        snprintf(json, sizeof json, "{\"type\":\"%s\",\"rep\":\"ana\",\"time\":%d000}", "call", NINE + 60 * i);
        rig_event_at(rig, 0, json);
        if (i % 10 >= 7) {
            snprintf(json, sizeof json, "{\"type\":\"won\",\"rep\":\"ana\",\"time\":%d000}", NINE + 60 * i + 1);
            rig_event_at(rig, 0, json);
        }
        if (i < 5)
            assert_int_equal(first(rig, "low ana firing"), i < 4 ? -1 : NINE + 60 * 4);     /* 0 of 5: 3 % */
    }
    assert_int_equal(first(rig, "low ana resolved"), -1);      /* 3 of 10 is luck, but still behind: it goes on */
    rig_free(rig);
}

static void a_silent_source_freezes_what_needs_it(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "sources: {pbx: {heartbeat: 2m}}\n"
                              "roster: {members: [{rep: ana, team: one, region: emea}, {rep: bob, team: one, region: emea}]}\n"
                              "kpis: {calls: {aggregate: count, where: {type: call, source: pbx}, windows: [5m]}}\n"
                              "alerts:\n"
                              "  low: {kpi: calls, window: 5m, level: rep, warning: {below: 1}, for: 90s}\n");

    (void)state;
    rig_event_at(rig, 0, "{\"type\":\"call\",\"source\":\"pbx\",\"rep\":\"ana\",\"time\":1000000}");
    rig_at(rig, 1100);
    rig_said(rig, "1000 low bob pending warning 0\n1090 low bob firing warning 0\n");
    rig_at(rig, 2000);              /* silent from 1120 on: ana's window empties, and nobody is told */
    rig_said(rig, "");
    rig_event_at(rig, 0, "{\"type\":\"kpid.heartbeat\",\"source\":\"pbx\",\"time\":2001000}");
    rig_said(rig, "2001 low ana pending warning 0\n");
    rig_event_at(rig, 0, "{\"type\":\"call\",\"source\":\"pbx\",\"rep\":\"ana\",\"time\":2002000}");
    rig_said(rig, "2002 low ana resolved warning 1\n");
    rig_at(rig, 2122);
    rig_said(rig, "");
    rig_free(rig);
}

/* Just on the threshold when the office closes is not behind; a moment later in the morning it is. And nobody is looked at in
 * the night for that. */
static void who_is_on_the_line_at_closing_time_is_behind_in_the_morning(void **state)
{
    static const struct {
        int target, share, calls;
    } cases[] = {{40, 80, 0}, {200, 80, 32}, {300, 70, 42}, {240, 70, 33}, {100, 90, 18}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct kp_engine_stats stats;
        struct rig *rig;
        char yaml[1024];

        snprintf(yaml, sizeof yaml,
                 "time: {clock: event}\n"
                 "calendars: {office: {hours: {mon-fri: \"09:00-17:00\"}}}\n"
                 "roster: {members: [{rep: ana, team: one, region: emea, calendar: office}]}\n"
                 "kpis: {calls: {aggregate: count, where: {type: call}, windows: [week]}}\n"
                 "targets: [{kpi: calls, per: week, value: %d}]\n"
                 "alerts: {behind: {kpi: calls, window: week, level: rep, compare: pace, warning: {below: %d%%}}}\n",
                 cases[i].target, cases[i].share);
        rig = rig_new(yaml);
        rig_call(rig, MONDAY - 86400, "ana");       /* the week before */
        for (int k = 0; k < cases[i].calls; k++)
            rig_call(rig, NINE + k, "ana");
        rig->said[0] = '\0';
        rig_at(rig, NINE + 30 * HOUR);
        if (cases[i].calls == 0)
            assert_int_equal(first(rig, "behind ana firing"), NINE);
        else if (cases[i].calls == 33)
            assert_int_equal(first(rig, "behind ana firing"), NINE + (int)(33 / 0.7 / 6 * HOUR));   /* 7 hours 51 minutes */
        else
            assert_int_equal(first(rig, "behind ana firing"), NINE + 24 * HOUR);
        kp_engine_stats(rig->engine, &stats);
        assert_true(stats.evaluations < 150);
        rig_free(rig);
    }
}

/* A team grows with its members' hours, whatever its own are. */
static void a_team_is_looked_at_when_its_members_work(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "calendars: {office: {hours: {mon-fri: \"09:00-17:00\"}}, late: {hours: {mon-fri: \"14:00-18:00\"}}}\n"
                              "roster: {members: [{rep: ana, team: one, region: emea, calendar: office}], units: {team: {one: {calendar: late}}}}\n"
                              "kpis: {calls: {aggregate: count, where: {type: call}, windows: [day]}}\n"
                              "targets: [{kpi: calls, per: day, value: 40}]\n"
                              "alerts:\n"
                              "  plain: {kpi: calls, window: day, level: team, compare: pace, warning: {below: 80%}, hours: always}\n"
                              "  sure: {kpi: calls, window: day, level: team, compare: pace, warning: {below: 80%}, hours: always, confidence: 97.5%}\n");

    (void)state;
    rig_call(rig, MONDAY - 86400, "ana");
    rig->said[0] = '\0';
    rig_at(rig, NINE + 9 * HOUR);
    assert_int_equal(first(rig, "plain one firing"), NINE);
    assert_int_equal(first(rig, "sure one firing"), NINE + 2655);        /* e to the -3.689 is 2.5 %: 44 minutes and 16 seconds */
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_when_for_has_passed_and_resolves_when_the_number_is_back),
        cmocka_unit_test(a_breach_that_does_not_last_is_only_pending),
        cmocka_unit_test(without_for_it_fires_at_once_with_the_events_it_rests_on),
        cmocka_unit_test(severity_rises_at_once_and_falls_past_the_margin),
        cmocka_unit_test(keeps_firing_for_a_while_and_starts_that_anew_at_each_breach),
        cmocka_unit_test(repeats_while_it_fires),
        cmocka_unit_test(too_few_samples_are_no_breach_and_end_one),
        cmocka_unit_test(a_period_that_ends_takes_its_alert_along),
        cmocka_unit_test(a_target_is_compared_as_a_share),
        cmocka_unit_test(everybody_of_the_roster_is_judged_also_who_was_never_heard_of),
        cmocka_unit_test(a_rep_that_nobody_knew_is_judged_as_long_as_there_is_something_to_show),
        cmocka_unit_test(groups_have_alerts_too),
        cmocka_unit_test(with_the_wall_clock_time_alone_fires_too),
        cmocka_unit_test(a_leap_to_the_year_9999_is_survived),
        cmocka_unit_test(behind_pace_is_told_when_it_is_and_not_when_an_event_comes),
        cmocka_unit_test(who_is_not_at_work_is_never_behind),
        cmocka_unit_test(nothing_begins_outside_of_working_hours),
        cmocka_unit_test(with_confidence_luck_is_no_reason),
        cmocka_unit_test(with_confidence_a_share_is_judged_by_its_tries),
        cmocka_unit_test(a_silent_source_freezes_what_needs_it),
        cmocka_unit_test(who_is_on_the_line_at_closing_time_is_behind_in_the_morning),
        cmocka_unit_test(a_team_is_looked_at_when_its_members_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
