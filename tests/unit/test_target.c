/* Targets, what is expected of them by now, and ranks: numbers that a person can check. */
#include "rig.h"

/* 2026-11-02 is a Monday. */
#define MONDAY 1793577600LL
#define HOURS 3600

static const char yaml[] =
    "time: {clock: event, zone: UTC}\n"
    "calendars:\n"
    "  office: {hours: {mon-fri: \"09:00-12:00 13:00-18:00\"}, holidays: [2026-11-04]}\n"
    "  new-york: {zone: America/New_York, hours: {mon-fri: \"09:00-17:00\"}}\n"
    "roster:\n"
    "  levels: [region, team, rep]\n"
    "  members:\n"
    "    - {rep: ana, team: one, region: emea, calendar: office}\n"
    "    - {rep: bob, team: one, region: emea, calendar: office, away: [2026-11-03, 2026-11-05..2026-11-06]}\n"
    "    - {rep: cid, team: one, region: emea, calendar: office, start: 2026-11-05}\n"
    "    - {rep: dee, team: one, region: emea, calendar: office, end: 2026-10-30}\n"
    "    - {rep: eve, team: two, region: amer, calendar: new-york}\n"
    "    - {rep: fay, team: three, region: amer, start: 2026-09-15, role: new}\n"
    "  units: {team: {two: {calendar: new-york}}, company: {calendar: office}}\n"
    "windows: [day, week, month, month-1]\n"
    "kpis:\n"
    "  calls: {aggregate: count, where: {type: call}}\n"
    "  slow: {aggregate: mean, of: duration, better: lower}\n"
    "  looks: {aggregate: count, better: none}\n"
    "targets:\n"
    "  - {kpi: calls, per: day, value: 40}\n"
    "  - {kpi: calls, per: week, value: 100}\n"
    "  - {kpi: calls, per: week, level: company, value: 800}\n"
    "  - {kpi: calls, per: month, value: 200, for: {role: new}, ramp: [25%, 50%, 75%]}\n";

static const struct kp_cell_view *cell(struct rig *rig, const char *level, const char *key, const char *kpi, const char *window)
{
    return rig_cell(rig, rig_node(rig, level, key), kpi, window);
}

static bool expects(struct rig *rig, const char *level, const char *key, const char *window, double target, double expected)
{
    const struct kp_cell_view *view = cell(rig, level, key, "calls", window);

    if (view->target == target && fabs(view->expected - expected) < 1e-9 * (1 + expected))
        return true;
    fprintf(stderr, "%s %s %s: %.12g expected of %.12g\n", level, key, window, view->expected, view->target);
    return false;
}

static void what_is_expected_goes_by_working_time(void **state)
{
    struct rig *rig = rig_new(yaml);

    (void)state;
    rig_at(rig, MONDAY + 8 * HOURS);
    assert_true(expects(rig, "rep", "ana", "day", 40, 0));
    rig_at(rig, MONDAY + 12 * HOURS + HOURS / 2);           /* in the break: 3 of 8 hours */
    assert_true(expects(rig, "rep", "ana", "day", 40, 15));
    rig_at(rig, MONDAY + 20 * HOURS);
    assert_true(expects(rig, "rep", "ana", "day", 40, 40));
    assert_true(expects(rig, "rep", "ana", "week", 100, 25));   /* 8 of 32 hours: Wednesday is a holiday */
    rig_free(rig);
}

static void nothing_is_expected_on_a_holiday_or_while_away(void **state)
{
    struct rig *rig = rig_new(yaml);

    (void)state;
    rig_at(rig, MONDAY + 24 * HOURS + 18 * HOURS);
    assert_true(expects(rig, "rep", "ana", "day", 40, 40) && expects(rig, "rep", "bob", "day", 40, 0));
    assert_true(expects(rig, "rep", "bob", "week", 100, 100));  /* Monday was all of bob's week */
    rig_at(rig, MONDAY + 2 * 24 * HOURS + 15 * HOURS);
    assert_true(expects(rig, "rep", "ana", "day", 40, 0));
    rig_free(rig);
}

static void each_has_the_day_of_the_own_zone(void **state)
{
    struct rig *rig = rig_new(yaml);

    (void)state;
    rig_at(rig, MONDAY + 24 * HOURS + 2 * HOURS);           /* Tuesday 02:00 in UTC, Monday 21:00 in New York */
    assert_true(expects(rig, "rep", "eve", "day", 40, 40) && expects(rig, "rep", "ana", "day", 40, 0));
    rig_event_at(rig, 0, "{\"type\":\"call\",\"rep\":\"eve\",\"time\":\"2026-11-02T23:30:00Z\"}");
    assert_true(rig_value(rig, "rep", "eve", "calls", "day") == 1);
    assert_true(rig_value(rig, "team", "two", "calls", "day") == 1);    /* as its units say */
    assert_true(rig_value(rig, "region", "amer", "calls", "day") == 0); /* yesterday in time.zone */
    rig_free(rig);
}

static void levels_above_expect_what_their_members_do(void **state)
{
    struct rig *rig = rig_new(yaml);

    (void)state;
    rig_at(rig, MONDAY + 12 * HOURS);
    assert_true(expects(rig, "team", "one", "day", 80, 30));        /* ana and bob; cid is not there yet, dee has left */
    assert_true(expects(rig, "team", "one", "week", 300, 3.0 / 32 * 100 + 3.0 / 8 * 100 + 0));
    assert_true(expects(rig, "company", "", "week", 800, 3.0 / 32 * 800));  /* its own, by its own calendar */
    rig_at(rig, MONDAY + 3 * 24 * HOURS + 18 * HOURS);              /* Thursday: cid has begun, bob is away */
    assert_true(expects(rig, "team", "one", "day", 120, 80));
    assert_true(expects(rig, "rep", "cid", "week", 100, 50));
    rig_free(rig);
}

static void who_is_not_here_has_no_target_and_no_rank(void **state)
{
    struct rig *rig = rig_new(yaml);

    (void)state;
    rig_at(rig, MONDAY + 12 * HOURS);
    assert_true(isnan(cell(rig, "rep", "dee", "calls", "day")->target));
    assert_true(isnan(cell(rig, "rep", "cid", "calls", "day")->target));
    assert_int_equal(cell(rig, "rep", "dee", "calls", "day")->rank, 0);
    assert_int_equal(cell(rig, "rep", "ana", "calls", "day")->of, 2);
    rig_free(rig);
}

static void a_ramp_goes_by_the_months_since_the_start(void **state)
{
    static const struct {
        const char *at;
        double target;
    } months[] = {{"2026-09-10T12:00:00Z", 50}, {"2026-09-30T12:00:00Z", 50}, {"2026-10-01T12:00:00Z", 100},
                  {"2026-11-30T12:00:00Z", 150}, {"2026-12-01T12:00:00Z", 200}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(months); i++) {
        struct rig *rig = rig_new(yaml);
        int64_t at;

        assert_true(kp_rfc3339_parse(months[i].at, strlen(months[i].at), &at));
        rig_at(rig, at / 1000);
        assert_true(cell(rig, "rep", "fay", "calls", "month")->target == months[i].target);
        rig_free(rig);
    }
}

static void a_period_before_is_expected_whole(void **state)
{
    struct rig *rig = rig_new(yaml);

    (void)state;
    rig_at(rig, MONDAY);
    assert_true(expects(rig, "rep", "fay", "month-1", 100, 100));
    rig_free(rig);
}

static void ranks_are_by_what_is_better_and_ties_share_the_better_one(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\nwindows: [day]\nroster:\n  levels: [team, rep]\n  members:\n"
                              "    - {rep: a, team: t}\n    - {rep: b, team: t}\n    - {rep: c, team: t}\n    - {rep: d, team: u}\n"
                              "kpis:\n  calls: {aggregate: count, where: {type: call}}\n  slow: {aggregate: mean, of: duration, better: lower}\n"
                              "  looks: {aggregate: count, better: none}\n");

    (void)state;
    rig_call(rig, 10, "a");
    rig_call(rig, 10, "b");
    rig_event_at(rig, 0, "{\"type\":\"x\",\"rep\":\"b\",\"duration\":5,\"time\":11000}");
    rig_event_at(rig, 0, "{\"type\":\"x\",\"rep\":\"c\",\"duration\":3,\"time\":11000}");
    assert_int_equal(cell(rig, "rep", "a", "calls", "day")->rank, 1);
    assert_int_equal(cell(rig, "rep", "b", "calls", "day")->rank, 1);
    assert_int_equal(cell(rig, "rep", "c", "calls", "day")->rank, 3);
    assert_int_equal(cell(rig, "rep", "c", "calls", "day")->of, 3);
    assert_int_equal(cell(rig, "rep", "c", "slow", "day")->rank, 1);
    assert_int_equal(cell(rig, "rep", "b", "slow", "day")->rank, 2);
    assert_int_equal(cell(rig, "rep", "a", "slow", "day")->rank, 0);    /* no number, no rank */
    assert_int_equal(cell(rig, "rep", "b", "slow", "day")->of, 2);
    assert_int_equal(cell(rig, "rep", "a", "looks", "day")->rank, 0);
    assert_int_equal(cell(rig, "rep", "d", "calls", "day")->of, 1);
    assert_int_equal(cell(rig, "team", "t", "calls", "day")->rank, 1);  /* teams are peers, too */
    rig_free(rig);
}

static const struct kp_cell_view *cell_in(struct rig *rig, uint32_t pass, const char *rep)
{
    const struct kp_cell_view *cells;

    kp_engine_read(rig->engine, rig_node(rig, "rep", rep), pass, &cells);
    return cells;
}

static void in_a_pass_the_peers_stay_what_they_were_when_it_came_to_the_first(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\nwindows: [day]\nroster:\n  levels: [team, rep]\n  members:\n"
                              "    - {rep: a, team: t}\n    - {rep: b, team: t}\n    - {rep: c, team: t}\n"
                              "kpis:\n  calls: {aggregate: count, where: {type: call}}\n");
    uint32_t one, other;

    (void)state;
    for (int i = 0; i < 3; i++)
        rig_call(rig, 10, i < 2 ? "a" : "b");
    one = kp_engine_pass(rig->engine);
    other = kp_engine_pass(rig->engine);
    assert_true(one && other && one != other);
    assert_int_equal(cell_in(rig, one, "a")->rank, 1);
    for (int i = 0; i < 3; i++)
        rig_call(rig, 11, "b");         /* now 4 to 2 */
    assert_int_equal(cell_in(rig, one, "a")->rank, 1);
    assert_int_equal(cell_in(rig, other, "a")->rank, 2);
    assert_int_equal(cell_in(rig, one, "b")->rank, 1);       /* its own number is the present one */
    assert_int_equal(cell_in(rig, one, "b")->of, 3);
    assert_int_equal(cell_in(rig, one, "c")->rank, 3);
    assert_int_equal(cell_in(rig, 0, "a")->rank, 2);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_expected_goes_by_working_time),
        cmocka_unit_test(nothing_is_expected_on_a_holiday_or_while_away),
        cmocka_unit_test(each_has_the_day_of_the_own_zone),
        cmocka_unit_test(levels_above_expect_what_their_members_do),
        cmocka_unit_test(who_is_not_here_has_no_target_and_no_rank),
        cmocka_unit_test(a_ramp_goes_by_the_months_since_the_start),
        cmocka_unit_test(a_period_before_is_expected_whole),
        cmocka_unit_test(ranks_are_by_what_is_better_and_ties_share_the_better_one),
        cmocka_unit_test(in_a_pass_the_peers_stay_what_they_were_when_it_came_to_the_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
