/* Which events a number is made of, by stories that a person can check. */
#include "rig.h"

#define HEAD                                                                                                          \
    "time: {clock: event}\n"                                                                                           \
    "roster: {levels: [team, rep], members: [{rep: ana, team: one}, {rep: bob, team: one}]}\n"                         \
    "windows: [day]\n"
#define WON "{type: stage, stage: won}"
#define LONG_ID "crm-activity-2026-000000"

/* At so many minutes: an event with an id of a rep, about deal 1. */
static void tell(struct rig *rig, int minutes, const char *id, const char *rep, const char *more)
{
    char json[512];

    snprintf(json, sizeof json, "{\"id\":\"%s\",\"rep\":\"%s\",\"time\":%lld,\"deal\":1,%s}", id, rep,
             3600000000LL + minutes * 60000LL, more);
    assert_int_equal(rig_event_at(rig, 0, json), KP_ACCEPTED);
}

/* "id id id": the events that are told, the newest first. */
static const char *told(struct rig *rig, const char *level, const char *key, const char *kpi)
{
    static char text[1024];
    struct kp_explanation *why = malloc(sizeof *why);
    struct kp_err err = {0};
    size_t at = 0;

    assert_non_null(why);
    assert_int_equal(kp_engine_explain(rig->engine, rig_node(rig, level, key), kp_engine_find_kpi(rig->engine, kpi, strlen(kpi)),
                                       (struct kp_str){"day", 3}, why, &err), KP_OK);
    text[0] = '\0';
    for (size_t i = 0; i < why->nevents; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s", i ? " " : "", (int)why->events[i].id.len, why->events[i].id.s);
    free(why);
    return text;
}

static void a_repetition_is_told_and_the_first_is_not(void **state)
{
    struct rig *rig = rig_new(HEAD "kpis: {calls: {aggregate: count, where: {type: call}},\n"
                                   "       again: {aggregate: count, where: {type: call}, of: {repeat: {per: deal}}},\n"
                                   "       share: {formula: again / calls}}\n");

    (void)state;
    tell(rig, 10, "c1", "ana", "\"type\":\"call\"");
    assert_string_equal(told(rig, "rep", "ana", "again"), "");
    tell(rig, 20, "c2", "bob", "\"type\":\"call\"");
    assert_string_equal(told(rig, "rep", "bob", "again"), "c2");
    assert_string_equal(told(rig, "rep", "bob", "calls"), "c2");
    assert_string_equal(told(rig, "rep", "bob", "share"), "c2");
    assert_string_equal(told(rig, "team", "one", "again"), "c2");
    assert_string_equal(told(rig, "team", "one", "calls"), "c2 c1");
    rig_free(rig);
}

/* An earlier call that comes late makes a repetition of the one that was first; and once more the other way. */
static void what_is_corrected_is_told_anew(void **state)
{
    struct rig *rig = rig_new(HEAD "kpis: {first: {aggregate: count, of: {elapsed: {from: {type: lead}, to: {type: call}, per: deal}}}}\n");

    (void)state;
    tell(rig, 5, "l1", "ana", "\"type\":\"lead\"");
    tell(rig, 30, LONG_ID "2", "ana", "\"type\":\"call\"");
    assert_string_equal(told(rig, "rep", "ana", "first"), LONG_ID "2");
    tell(rig, 20, LONG_ID "1", "bob", "\"type\":\"call\"");
    assert_string_equal(told(rig, "rep", "ana", "first"), "");
    assert_string_equal(told(rig, "rep", "bob", "first"), LONG_ID "1");
    assert_string_equal(told(rig, "company", "", "first"), LONG_ID "1");
    tell(rig, 10, "c0", "ana", "\"type\":\"call\"");
    assert_string_equal(told(rig, "rep", "ana", "first"), "c0");
    assert_string_equal(told(rig, "rep", "bob", "first"), "");
    assert_string_equal(told(rig, "team", "one", "first"), "c0");
    rig_free(rig);
}

/* Who lost a win sees what took it. */
static void what_was_taken_back_is_told_with_what_took_it(void **state)
{
    struct rig *rig = rig_new(HEAD "kpis: {won: {aggregate: count, where: " WON ", once: {per: deal, reversed_by: {type: stage, stage: open}}}}\n");

    (void)state;
    tell(rig, 10, "s1", "ana", "\"type\":\"stage\",\"stage\":\"won\"");
    tell(rig, 20, "s2", "bob", "\"type\":\"stage\",\"stage\":\"open\"");
    assert_true(rig_value(rig, "rep", "ana", "won", "day") == 0);
    assert_string_equal(told(rig, "rep", "ana", "won"), "s2 s1");
    assert_string_equal(told(rig, "rep", "bob", "won"), "");
    tell(rig, 30, "s3", "bob", "\"type\":\"stage\",\"stage\":\"won\"");
    assert_string_equal(told(rig, "rep", "bob", "won"), "s3");
    rig_free(rig);
}

static void what_is_open_is_told_by_its_latest_event(void **state)
{
    struct rig *rig = rig_new(HEAD "kpis: {open: {aggregate: sum, of: {open: {per: deal, closed: " WON ", field: amount}}}}\n");

    (void)state;
    tell(rig, 10, "s1", "ana", "\"type\":\"stage\",\"stage\":\"a\",\"amount\":5");
    tell(rig, 20, "s2", "ana", "\"type\":\"stage\",\"stage\":\"b\"");
    assert_string_equal(told(rig, "rep", "ana", "open"), "s2");
    tell(rig, 30, "s3", "bob", "\"type\":\"stage\",\"stage\":\"c\",\"amount\":7");
    assert_string_equal(told(rig, "rep", "ana", "open"), "");
    assert_string_equal(told(rig, "rep", "bob", "open"), "s3");
    tell(rig, 40, "s4", "bob", "\"type\":\"stage\",\"stage\":\"won\"");
    assert_string_equal(told(rig, "rep", "bob", "open"), "");
    rig_free(rig);
}

/* What is told of an event twice, directly and by its entity, is one event, for a formula over both, too. */
static void an_event_that_counts_in_two_ways_is_told_once(void **state)
{
    struct rig *rig = rig_new(HEAD "kpis: {calls: {aggregate: count, where: {type: call}},\n"
                                   "       open: {aggregate: count, of: {open: {per: deal, closed: " WON "}}},\n"
                                   "       both: {formula: open + calls}}\n");

    (void)state;
    tell(rig, 10, LONG_ID "1", "ana", "\"type\":\"call\"");
    tell(rig, 20, LONG_ID "2", "ana", "\"type\":\"call\"");
    assert_string_equal(told(rig, "rep", "ana", "calls"), LONG_ID "2 " LONG_ID "1");
    assert_string_equal(told(rig, "rep", "ana", "open"), LONG_ID "2");
    assert_string_equal(told(rig, "team", "one", "open"), LONG_ID "2");
    assert_int_equal(strncmp(told(rig, "rep", "ana", "both"), LONG_ID "2", strlen(LONG_ID) + 1), 0);
    rig_free(rig);
}

/* A formula is made of what its parts are made of, each by itself. */
static void a_formula_keeps_what_still_counts_in_one_of_its_parts(void **state)
{
    struct rig *rig = rig_new(HEAD "kpis: {calls: {aggregate: count, where: {type: [call, o]}},\n"
                                   "       open: {aggregate: count, of: {open: {per: deal, opened: {type: o}, closed: {type: c}}}},\n"
                                   "       both: {formula: open + calls}}\n");

    (void)state;
    tell(rig, 10, "e1", "ana", "\"type\":\"o\"");
    tell(rig, 20, "e2", "ana", "\"type\":\"c\"");
    assert_string_equal(told(rig, "rep", "ana", "calls"), "e1");
    assert_string_equal(told(rig, "rep", "ana", "open"), "");
    assert_string_equal(told(rig, "rep", "ana", "both"), "e1");
    rig_free(rig);
}

/* However many have gone since, and however much others do. */
static void what_is_gone_stays_gone_and_what_is_rare_is_found(void **state)
{
    struct rig *rig = rig_new(HEAD "kpis: {open: {aggregate: count, of: {open: {per: item, opened: {type: o}, closed: {type: c}}}},\n"
                                   "       won: {aggregate: count, where: {type: won}}, calls: {aggregate: count, where: {type: call}}}\n");
    char more[64], id[16];

    (void)state;
    tell(rig, 1, "w1", "ana", "\"type\":\"won\"");
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof id, "%c%d", i < 100 ? 'o' : 'c', i % 100);
        snprintf(more, sizeof more, "\"type\":\"%c\",\"item\":%d", i < 100 ? 'o' : 'c', i % 100);
        tell(rig, 2 + i, id, "ana", more);
    }
    assert_string_equal(told(rig, "rep", "ana", "open"), "");
    assert_string_equal(told(rig, "team", "one", "open"), "");
    for (int i = 0; i < 3000; i++) {
        snprintf(id, sizeof id, "b%d", i);
        tell(rig, 300, id, "bob", "\"type\":\"call\"");
    }
    assert_string_equal(told(rig, "team", "one", "won"), "w1");
    assert_string_equal(told(rig, "company", "", "won"), "w1");
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repetition_is_told_and_the_first_is_not),
        cmocka_unit_test(what_is_corrected_is_told_anew),
        cmocka_unit_test(what_was_taken_back_is_told_with_what_took_it),
        cmocka_unit_test(what_is_open_is_told_by_its_latest_event),
        cmocka_unit_test(an_event_that_counts_in_two_ways_is_told_once),
        cmocka_unit_test(a_formula_keeps_what_still_counts_in_one_of_its_parts),
        cmocka_unit_test(what_is_gone_stays_gone_and_what_is_rare_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
