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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
