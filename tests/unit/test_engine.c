/* The engine as its callers see it: what becomes of events, whose they are, what windows read. */
#include "rig.h"

static const char floor_yaml[] =
    "time: {clock: event, zone: Europe/London}\n"
    "roster:\n"
    "  levels: [region, team, rep]\n"
    "  members:\n"
    "    - {rep: ana, team: one, region: emea, role: ae, aliases: [\"ext:1\", ana@example.com]}\n"
    "    - {rep: bob, team: one, region: emea, role: sdr}\n"
    "    - {rep: cid, team: two, region: apac}\n"
    "kpis:\n"
    "  calls: {aggregate: count, where: {type: call}, windows: [1m/1s, day, day-1]}\n"
    "  sales: {aggregate: sum, of: amount, where: {type: won}, windows: [day]}\n"
    "  per_call: {formula: sales / calls, windows: [day]}\n"
    "  who: {aggregate: distinct, of: client, windows: [day]}\n"
    "  last_amount: {aggregate: last, of: amount, windows: [day]}\n"
    "  bought: {aggregate: sum, of: amount, by: [client, product], windows: [day]}\n"
    "targets:\n"
    "  - {kpi: calls, per: day, value: 10}\n"
    "  - {kpi: calls, per: day, value: 30, for: {role: sdr}}\n"
    "  - {kpi: calls, per: day, value: 5, level: region, for: {region: apac}}\n";

static void an_event_counts_for_its_rep_and_everything_above(void **state)
{
    struct rig *rig = rig_new(floor_yaml);

    (void)state;
    assert_int_equal(rig_call(rig, 100, "ana"), KP_ACCEPTED);
    assert_int_equal(rig_call(rig, 101, "ext:1"), KP_ACCEPTED);     /* an alias is the rep */
    assert_int_equal(rig_call(rig, 102, "cid"), KP_ACCEPTED);
    assert_true(rig_value(rig, "rep", "ana", "calls", "day") == 2);
    assert_true(rig_value(rig, "rep", "bob", "calls", "day") == 0);
    assert_true(rig_value(rig, "team", "one", "calls", "day") == 2);
    assert_true(rig_value(rig, "region", "apac", "calls", "day") == 1);
    assert_true(rig_value(rig, "company", "", "calls", "day") == 3);
    rig_free(rig);
}

static void a_level_can_be_named_without_a_rep(void **state)
{
    struct rig *rig = rig_new(floor_yaml);

    (void)state;
    rig_event_at(rig, 0, "{\"type\":\"won\",\"team\":\"one\",\"amount\":5,\"time\":1000}");     /* the roster knows its region */
    rig_event_at(rig, 0, "{\"type\":\"won\",\"region\":\"emea\",\"amount\":7,\"time\":1000}");
    rig_event_at(rig, 0, "{\"type\":\"won\",\"amount\":11,\"time\":1000}");
    rig_event_at(rig, 0, "{\"type\":\"won\",\"team\":\"nowhere\",\"amount\":13,\"time\":1000}");
    assert_true(rig_value(rig, "team", "one", "sales", "day") == 5);
    assert_true(rig_value(rig, "region", "emea", "sales", "day") == 12);
    assert_true(rig_value(rig, "region", "unassigned", "sales", "day") == 13);
    assert_true(rig_value(rig, "company", "", "sales", "day") == 36);
    rig_free(rig);
}

static void an_unknown_rep_is_unassigned_or_refused(void **state)
{
    struct rig *rig = rig_new(floor_yaml);

    (void)state;
    assert_int_equal(rig_call(rig, 100, "zed"), KP_ACCEPTED);
    assert_true(rig_value(rig, "team", "unassigned", "calls", "day") == 1);
    assert_true(rig_value(rig, "rep", "zed", "calls", "day") == 1);
    rig_free(rig);
    rig = rig_new("time: {clock: event}\nroster: {unknown: reject}\nkpis: {calls: {aggregate: count}}\n");
    assert_int_equal(rig_call(rig, 100, "zed"), KP_UNKNOWN_REP);
    rig_free(rig);
}

static void the_same_id_of_a_source_counts_once(void **state)
{
    struct rig *rig = rig_new(floor_yaml);
    const char *event = "{\"id\":\"x\",\"source\":\"a\",\"type\":\"call\",\"rep\":\"ana\",\"time\":1000}";

    (void)state;
    assert_int_equal(rig_event_at(rig, 0, event), KP_ACCEPTED);
    assert_int_equal(rig_event_at(rig, 0, event), KP_DUPLICATE);
    assert_int_equal(
        rig_event_at(rig, 0, "{\"id\":\"x\",\"source\":\"b\",\"type\":\"call\",\"rep\":\"ana\",\"time\":1000}"), KP_ACCEPTED);
    assert_true(rig_value(rig, "rep", "ana", "calls", "day") == 2);
    rig_free(rig);
}

static void a_rejected_event_is_not_remembered_as_seen(void **state)
{
    struct rig *rig = rig_new("kpis: {calls: {aggregate: count, windows: [1h]}}\n");
    const char *event = "{\"id\":\"x\",\"type\":\"call\",\"time\":2000000000000}";
    int64_t before = INT64_C(2000000000000) - 3600000;

    (void)state;
    assert_int_equal(rig_event_at(rig, before, event), KP_FUTURE);
    assert_int_equal(rig_event_at(rig, INT64_C(2000000000000), event), KP_ACCEPTED);
    rig_free(rig);
}

static void what_no_pane_can_take_is_too_late(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\nkpis: {calls: {aggregate: count, windows: [1m/1s]}}\n");

    (void)state;
    assert_int_equal(rig_call(rig, 1000, "ana"), KP_ACCEPTED);
    assert_int_equal(rig_call(rig, 941, "ana"), KP_ACCEPTED);
    assert_int_equal(rig_call(rig, 940, "ana"), KP_TOO_LATE);
    assert_true(rig_value(rig, "rep", "ana", "calls", "1m/1s") == 2);
    rig_free(rig);
}

static void a_window_that_has_emptied_reads_exactly_0(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\nkpis: {sales: {aggregate: sum, of: amount, windows: [1m/1s, 5m/5s]}}\n");

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char json[128];

        snprintf(json, sizeof json, "{\"type\":\"won\",\"amount\":%d.1,\"time\":%d}", i % 7, 100000 + i);
        rig_event_at(rig, 0, json);
    }
    rig_at(rig, 200);
    assert_true(rig_value(rig, "company", "", "sales", "1m/1s") == 0);
    assert_true(rig_value(rig, "company", "", "sales", "5m/5s") == 3097);     /* the sum of 1000 tenths too */
    rig_free(rig);
}

static void formulas_divide_totals_and_are_nil_by_0(void **state)
{
    struct rig *rig = rig_new(floor_yaml);

    (void)state;
    rig_event_at(rig, 0, "{\"type\":\"won\",\"rep\":\"ana\",\"amount\":90,\"time\":1000}");
    assert_true(isnan(rig_value(rig, "rep", "ana", "per_call", "day")));
    rig_call(rig, 2, "ana");
    rig_call(rig, 2, "bob");
    rig_call(rig, 2, "bob");
    assert_true(rig_value(rig, "rep", "ana", "per_call", "day") == 90);
    assert_true(rig_value(rig, "team", "one", "per_call", "day") == 30);
    rig_free(rig);
}

static void a_value_of_the_wrong_kind_leaves_the_event_out_of_that_kpi_alone(void **state)
{
    struct rig *rig = rig_new(floor_yaml);
    size_t sales = (size_t)kp_engine_find_kpi(rig->engine, "sales", 5);

    (void)state;
    assert_int_equal(rig_event_at(rig, 0, "{\"type\":\"won\",\"rep\":\"ana\",\"amount\":\"9\",\"client\":\"c\",\"time\":1000}"),
                     KP_ACCEPTED);
    assert_int_equal(rig_event_at(rig, 0, "{\"type\":\"won\",\"rep\":\"ana\",\"amount\":1e13,\"time\":1000}"), KP_ACCEPTED);
    assert_true(rig_value(rig, "rep", "ana", "sales", "day") == 0);
    assert_true(rig_value(rig, "rep", "ana", "who", "day") == 1);
    assert_int_equal(kp_engine_missing(rig->engine, sales), 1);
    assert_int_equal(kp_engine_out_of_range(rig->engine, sales), 1);
    rig_free(rig);
}

static void groups_are_keyed_by_their_values(void **state)
{
    struct rig *rig = rig_new(floor_yaml);
    char topic[128];

    (void)state;
    rig_event_at(rig, 0, "{\"type\":\"won\",\"client\":\"a,b/c\",\"product\":5,\"amount\":1,\"time\":1000}");
    rig_event_at(rig, 0, "{\"type\":\"won\",\"client\":\"a,b/c\",\"product\":5.0,\"amount\":1,\"time\":1000}");
    rig_event_at(rig, 0, "{\"type\":\"won\",\"client\":\"a,b/c\",\"amount\":1,\"time\":1000}");
    assert_true(rig_value(rig, "@client,product", "a%2Cb/c,5", "bought", "day") == 2);
    kp_engine_topic(rig->engine, "snapshot", rig_node(rig, "@client,product", "a%2Cb/c,5"), topic, sizeof topic);
    assert_string_equal(topic, "snapshot/@client,product/a%252Cb%2Fc,5/");
    rig_free(rig);
}

/* A free field may hold any bytes, but a key that is said again may not. */
static void a_group_has_a_key_that_can_be_read(void **state)
{
    struct rig *rig = rig_new("kpis:\n  n: {aggregate: count}\n  by: {aggregate: count, by: [client]}\nwindows: [day]\n");

    (void)state;
    assert_int_equal(rig_event_at(rig, 1000, "\x82\xa4type\xa4" "call\xa6" "client\xa2\xc3\xa9"), KP_ACCEPTED);
    assert_int_equal(rig_event_at(rig, 1000, "\x82\xa4type\xa4" "call\xa6" "client\xa2\xff\xfe"), KP_BAD_FIELD);
    assert_int_equal(rig_event_at(rig, 1000, "\x82\xa4type\xa4" "call\xa5" "other\xa2\xff\xfe"), KP_ACCEPTED);
    assert_true(rig_value(rig, "company", "", "n", "day") == 2);
    rig_free(rig);
}

static void the_most_specific_target_wins_and_levels_above_have_the_sum(void **state)
{
    struct rig *rig = rig_new(floor_yaml);

    (void)state;
    assert_true(rig_cell(rig, rig_node(rig, "rep", "ana"), "calls", "day")->target == 10);
    assert_true(rig_cell(rig, rig_node(rig, "rep", "bob"), "calls", "day")->target == 30);
    assert_true(rig_cell(rig, rig_node(rig, "team", "one"), "calls", "day")->target == 40);
    assert_true(rig_cell(rig, rig_node(rig, "region", "apac"), "calls", "day")->target == 5);
    assert_true(rig_cell(rig, rig_node(rig, "company", ""), "calls", "day")->target == 50);
    assert_true(isnan(rig_cell(rig, rig_node(rig, "company", ""), "sales", "day")->target));
    rig_free(rig);
}

static void a_limit_refuses_a_new_key_and_keeps_the_old_ones(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\nlimits: {keys: 5}\nkpis: {calls: {aggregate: count, windows: [1m/1s]}}\n");

    (void)state;
    assert_int_equal(rig_call(rig, 100, "a"), KP_ACCEPTED);     /* company, region, team, rep */
    assert_int_equal(rig_call(rig, 100, "b"), KP_ACCEPTED);
    assert_int_equal(rig_call(rig, 100, "c"), KP_LIMIT);
    assert_int_equal(rig_call(rig, 100, "a"), KP_ACCEPTED);
    assert_true(rig_value(rig, "rep", "a", "calls", "1m/1s") == 2);
    rig_free(rig);
}

static void a_key_of_which_nothing_is_left_is_forgotten_and_may_come_again(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\nlimits: {keys: 5}\nkpis: {calls: {aggregate: count, windows: [1m/1s]}}\n");
    uint32_t node;

    (void)state;
    rig_call(rig, 100, "a");
    node = rig_node(rig, "rep", "a");
    rig_at(rig, 200);
    assert_false(kp_engine_visible(rig->engine, node));
    assert_true(kp_engine_changed(rig->engine, node));      /* its last snapshot is still to be told */
    assert_false(kp_engine_sweep(rig->engine, node));
    kp_engine_seen(rig->engine, node);
    assert_true(kp_engine_sweep(rig->engine, node));
    assert_int_equal(rig_call(rig, 201, "b"), KP_ACCEPTED);
    assert_int_equal(rig_call(rig, 201, "a"), KP_ACCEPTED);
    assert_true(rig_value(rig, "rep", "a", "calls", "1m/1s") == 1);
    rig_free(rig);
}

static void time_alone_changes_what_a_key_shows(void **state)
{
    struct rig *rig = rig_new(floor_yaml);
    const struct kp_cell_view *cells;
    uint32_t node = rig_node(rig, "rep", "ana");

    (void)state;
    rig_call(rig, 100, "ana");
    kp_engine_read(rig->engine, node, 0, &cells);
    kp_engine_seen(rig->engine, node);
    rig_at(rig, 159);
    assert_false(kp_engine_changed(rig->engine, node));
    rig_at(rig, 160);
    assert_true(kp_engine_changed(rig->engine, node));
    rig_free(rig);
}

/* With `clock: event` and no event yet. */
static void before_there_is_any_time_nothing_is_counted(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "kpis: {n: {aggregate: count}, s: {aggregate: sum, of: a}, d: {aggregate: distinct, of: a}, m: {aggregate: mean, of: a}}\n"
                              "windows: [day]\n");

    (void)state;
    assert_true(rig_value(rig, "company", "", "n", "day") == 0 && rig_value(rig, "company", "", "s", "day") == 0 &&
                rig_value(rig, "company", "", "d", "day") == 0 && isnan(rig_value(rig, "company", "", "m", "day")));
    rig_free(rig);
}

static void the_day_before_is_read_by_the_zone(void **state)
{
    struct rig *rig = rig_new(floor_yaml);
    int64_t midnight = INT64_C(1774738800);     /* 2026-03-28T23:00Z is 23:00 in London; the 29th has 23 hours */

    (void)state;
    rig_call(rig, midnight + 3600 - 1, "ana");  /* 2026-03-28T23:59:59 */
    rig_call(rig, midnight + 3600, "ana");      /* 2026-03-29T00:00:00 */
    rig_at(rig, midnight + 3600 + 22 * 3600);
    assert_true(rig_value(rig, "rep", "ana", "calls", "day") == 1);
    assert_true(rig_value(rig, "rep", "ana", "calls", "day-1") == 1);
    rig_at(rig, midnight + 3600 + 23 * 3600);   /* the 30th has begun, an hour early */
    assert_true(rig_value(rig, "rep", "ana", "calls", "day") == 0);
    assert_true(rig_value(rig, "rep", "ana", "calls", "day-1") == 1);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_counts_for_its_rep_and_everything_above),
        cmocka_unit_test(a_level_can_be_named_without_a_rep),
        cmocka_unit_test(an_unknown_rep_is_unassigned_or_refused),
        cmocka_unit_test(the_same_id_of_a_source_counts_once),
        cmocka_unit_test(a_rejected_event_is_not_remembered_as_seen),
        cmocka_unit_test(what_no_pane_can_take_is_too_late),
        cmocka_unit_test(a_window_that_has_emptied_reads_exactly_0),
        cmocka_unit_test(formulas_divide_totals_and_are_nil_by_0),
        cmocka_unit_test(a_value_of_the_wrong_kind_leaves_the_event_out_of_that_kpi_alone),
        cmocka_unit_test(groups_are_keyed_by_their_values),
        cmocka_unit_test(a_group_has_a_key_that_can_be_read),
        cmocka_unit_test(the_most_specific_target_wins_and_levels_above_have_the_sum),
        cmocka_unit_test(a_limit_refuses_a_new_key_and_keeps_the_old_ones),
        cmocka_unit_test(a_key_of_which_nothing_is_left_is_forgotten_and_may_come_again),
        cmocka_unit_test(time_alone_changes_what_a_key_shows),
        cmocka_unit_test(before_there_is_any_time_nothing_is_counted),
        cmocka_unit_test(the_day_before_is_read_by_the_zone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
