/* Who changes team takes future events along, never past ones. */
#include "restart.h"

static const char before[] = "roster: {levels: [region, team, rep], members: [{rep: ana, team: a, region: x}, {rep: ben, team: b, region: y}]}\n";
static const char after[] = "roster: {levels: [region, team, rep], members: [{rep: ana, team: b, region: y}, {rep: ben, team: b, region: y}]}\n";
static const char rest[] =
    "time: {clock: event}\n"
    "kpis:\n"
    "  wins: {aggregate: count, where: {type: stage, stage: won}, once: {per: deal, reversed_by: {type: stage, stage: reopened}}, windows: [30d]}\n"
    "  worth: {aggregate: sum, of: amount, where: {type: stage, stage: won}, once: {per: deal, reversed_by: {type: stage, stage: reopened}}, windows: [30d]}\n"
    "  speed: {aggregate: sum, of: {elapsed: {from: {type: lead}, to: {type: stage, stage: won}, per: deal}}, windows: [30d]}\n"
    "  open: {aggregate: count, of: {open: {per: deal, opened: {type: lead}, closed: {type: stage, stage: won}}}, windows: [30d]}\n"
    "  calls: {aggregate: count, where: {type: call}, windows: [30d]}\n";

static char *yaml_of(const char *roster)
{
    char *yaml = malloc(sizeof rest + 400);

    assert_non_null(yaml);
    sprintf(yaml, "%s%s", roster, rest);
    return yaml;
}

static struct rig *restart_as(struct rig *rig, const char *roster)
{
    char *yaml = yaml_of(roster);

    rig = rig_restart(rig, yaml);
    free(yaml);
    return rig;
}

enum { DAY = 86400, NOW = 20000 * DAY };

static void tell(struct rig *rig, const char *type, const char *stage, int deal, int at)
{
    char json[256];

    snprintf(json, sizeof json, "{\"type\":\"%s\",\"stage\":\"%s\",\"rep\":\"ana\",\"deal\":%d,\"amount\":10,\"time\":%d000}", type, stage, deal,
             NOW + at);
    assert_int_equal(rig_event_at(rig, 0, json), KP_ACCEPTED);
}

static double value(struct rig *rig, const char *level, const char *key, const char *kpi)
{
    return rig_value(rig, level, key, kpi, "30d");
}

static struct rig *begin(void)
{
    char *yaml = yaml_of(before);
    struct rig *rig = rig_new(yaml);

    free(yaml);
    for (int deal = 1; deal <= 3; deal++) {
        tell(rig, "lead", "new", deal, 0);
        tell(rig, "stage", "won", deal, 100 * deal);
    }
    tell(rig, "lead", "new", 4, 400);
    tell(rig, "call", "", 0, 500);
    return rig;
}

static void what_is_taken_back_is_taken_from_who_has_it(void **state)
{
    struct rig *rig = begin();

    (void)state;
    rig = restart_as(rig, after);
    assert_true(value(rig, "team", "a", "wins") == 3);
    tell(rig, "stage", "reopened", 1, 1000);
    assert_true(value(rig, "rep", "ana", "wins") == 2);
    assert_true(value(rig, "team", "a", "wins") == 2);
    assert_true(value(rig, "team", "a", "worth") == 20);
    assert_true(value(rig, "region", "x", "wins") == 2);
    assert_true(value(rig, "team", "b", "wins") == 0);
    assert_true(value(rig, "company", "", "wins") == 2);
    tell(rig, "stage", "won", 1, 1100);     /* again, and for the new team */
    assert_true(value(rig, "team", "a", "wins") == 2);
    assert_true(value(rig, "team", "b", "wins") == 1);
    assert_true(value(rig, "rep", "ana", "wins") == 3);
    rig_free(rig);
}

/* A lead that was earlier than was known makes the won deal slower, where it was won. */
static void what_was_past_stays_where_it_was(void **state)
{
    struct rig *rig = begin();

    (void)state;
    rig = restart_as(rig, after);
    assert_true(value(rig, "team", "a", "speed") == 600);
    tell(rig, "lead", "new", 2, -50);
    assert_true(value(rig, "team", "a", "speed") == 650);
    assert_true(value(rig, "rep", "ana", "speed") == 650);
    assert_false(rig_cell(rig, rig_node(rig, "team", "b"), "speed", "30d")->number.value > 0);
    assert_true(value(rig, "team", "a", "calls") == 1);
    tell(rig, "call", "", 0, 1000);
    assert_true(value(rig, "team", "a", "calls") == 1);
    assert_true(value(rig, "team", "b", "calls") == 1);
    assert_true(value(rig, "rep", "ana", "calls") == 2);
    rig_free(rig);
}

static void what_is_open_goes_along(void **state)
{
    struct rig *rig = begin();

    (void)state;
    rig = restart_as(rig, after);
    assert_true(value(rig, "team", "b", "open") == 1);
    tell(rig, "stage", "won", 4, 1000);
    assert_true(value(rig, "team", "b", "open") == 0);
    assert_true(value(rig, "rep", "ana", "open") == 0);
    assert_true(value(rig, "company", "", "open") == 0);
    assert_true(value(rig, "team", "b", "wins") == 1);
    rig_free(rig);
}

static void there_and_back_again(void **state)
{
    struct rig *rig = begin();

    (void)state;
    for (int i = 0; i < 3; i++) {
        rig = restart_as(rig, after);
        rig = restart_as(rig, after);
        rig = restart_as(rig, before);
    }
    tell(rig, "stage", "reopened", 1, 1000);
    assert_true(value(rig, "team", "a", "wins") == 2);
    rig = restart_as(rig, after);
    rig = restart_as(rig, after);
    tell(rig, "stage", "reopened", 2, 1100);
    assert_true(value(rig, "team", "a", "wins") == 1);
    assert_true(value(rig, "region", "x", "wins") == 1);
    assert_true(value(rig, "rep", "ana", "wins") == 1);
    rig_at(rig, NOW + 60 * DAY);
    for (int i = 0; i < 3; i++)
        for (uint32_t node = 0; node < kp_engine_nodes(rig->engine); node++) {
            kp_engine_seen(rig->engine, node);
            kp_engine_sweep(rig->engine, node);
        }
    rig = restart_as(rig, before);
    assert_true(value(rig, "company", "", "wins") == 0);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_back_is_taken_from_who_has_it),
        cmocka_unit_test(what_was_past_stays_where_it_was),
        cmocka_unit_test(what_is_open_goes_along),
        cmocka_unit_test(there_and_back_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
