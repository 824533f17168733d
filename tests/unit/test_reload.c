/* An engine that is loaded under another configuration keeps what still means the same. */
#include "checkpoint_rig.h"

#define HEAD                                                                                                           \
    "time: {clock: event}\n"                                                                                           \
    "roster: {levels: [team, rep], members: [{rep: ana, team: one}, {rep: bob, team: one}]}\n"
#define CALLS "calls: {aggregate: count, where: {type: call, ok: true}, windows: [day, week]}"
#define SALES "sales: {aggregate: sum, of: amount, where: {type: call}, windows: [day, week]}"

enum { NOON = 86400 * 7 + 43200 };      /* a Thursday */

/* Three calls of ana, two of bob: one of each a day before. */
static struct rig *five_calls(const char *yaml)
{
    struct rig *rig = rig_new(yaml);
    static const char *const reps[] = {"ana", "bob", "ana", "bob", "ana"};

    for (int i = 0; i < 5; i++) {
        char json[200];

        snprintf(json, sizeof json, "{\"type\":\"call\",\"ok\":true,\"rep\":\"%s\",\"amount\":%d,\"id\":\"c%d\",\"time\":%lld}",
                 reps[i], 1 << i, i, (NOON - (i < 2 ? 86400 : 3600 - i)) * 1000LL);
        assert_int_equal(rig_event_at(rig, 0, json), KP_ACCEPTED);
    }
    rig_at(rig, NOON);
    return rig;
}

static void what_is_new_starts_empty_and_the_rest_is_kept(void **state)
{
    struct kp_load_report report;
    struct rig *rig = five_calls(HEAD "kpis: {" CALLS ", " SALES "}\n");

    (void)state;
    rig = moved(rig, HEAD "kpis: {mails: {aggregate: count, where: {type: mail}, windows: [day]},\n"
                     "       gross: {aggregate: sum, of: amount, where: {type: call}, windows: [day, week]},\n"
                     "       calls: {aggregate: count, where: {ok: true, type: [call]}, windows: [week, day, month, day-1]}}\n",
                &report);
    assert_int_equal(report.kpis_kept, 2);      /* the order does not matter, nor what it is called */
    assert_int_equal(report.kpis_new, 1);
    assert_int_equal(report.kpis_gone, 0);
    assert_true(rig_value(rig, "rep", "ana", "calls", "day") == 2);
    assert_true(rig_value(rig, "rep", "ana", "calls", "week") == 3);
    assert_true(rig_value(rig, "rep", "ana", "calls", "month") == 3);       /* what it has of it */
    assert_true(rig_value(rig, "rep", "ana", "calls", "day-1") == 0);
    assert_true(rig_value(rig, "team", "one", "gross", "week") == 31);
    assert_true(rig_value(rig, "company", "", "gross", "day") == 28);
    assert_true(rig_value(rig, "rep", "ana", "mails", "day") == 0);
    rig_at(rig, NOON + 86400);
    assert_true(rig_value(rig, "rep", "ana", "calls", "day-1") == 2);
    assert_true(rig_value(rig, "rep", "ana", "calls", "day") == 0);
    assert_true(rig_value(rig, "rep", "ana", "calls", "month") == 3);
    rig = moved(rig, HEAD "kpis: {calls: {aggregate: count, where: {type: call, ok: false}, windows: [day, week]}, " SALES "}\n",
                &report);
    assert_int_equal(report.kpis_kept, 1);
    assert_int_equal(report.kpis_new, 1);
    assert_int_equal(report.kpis_gone, 2);      /* calls, mails; and gross is sales */
    assert_true(rig_value(rig, "rep", "ana", "calls", "week") == 0);
    assert_true(rig_value(rig, "rep", "ana", "sales", "week") == 21);
    rig_free(rig);
}

/* What was counted was worth what it was worth then; in another currency it is another sum. */
static void amounts_are_kept_with_other_rates_and_not_with_another_base(void **state)
{
    struct rig *rig = five_calls(HEAD "currencies: {base: GBP, rates: {USD: 0.8}}\nkpis: {" CALLS ", " SALES "}\n");
    struct kp_load_report report;

    (void)state;
    rig = moved(rig, HEAD "currencies: {base: GBP, rates: {USD: 0.7, EUR: 0.9}}\nkpis: {" CALLS ", " SALES "}\n", &report);
    assert_int_equal(report.kpis_kept, 2);
    assert_true(rig_value(rig, "rep", "ana", "sales", "week") == 21);
    rig = moved(rig, HEAD "currencies: {base: EUR, rates: {USD: 0.7}}\nkpis: {" CALLS ", " SALES "}\n", &report);
    assert_int_equal(report.kpis_kept, 1);
    assert_true(rig_value(rig, "rep", "ana", "sales", "week") == 0);
    assert_true(rig_value(rig, "rep", "ana", "calls", "week") == 3);
    rig_free(rig);
}

/* A row from the month's begin may hold what came on several days. */
static void a_closed_window_never_counts_another_days_events(void **state)
{
    struct rig *rig = five_calls(HEAD "kpis: {calls: {aggregate: count, windows: [week]}}\n");

    (void)state;
    for (int day = 1; day < 4; day++)       /* to Sunday */
        rig_call(rig, NOON + day * 86400, "ana");
    rig = moved(rig, HEAD "kpis: {calls: {aggregate: count, windows: [week, day-6]}}\n", NULL);
    rig_at(rig, NOON + 3 * 86400 + 3600);   /* day-6 is Monday, with which the week began */
    assert_true(rig_value(rig, "rep", "ana", "calls", "day-6") == 0);
    rig_free(rig);
    rig = five_calls(HEAD "kpis: {calls: {aggregate: count, windows: [day, day-1, month]}}\n");
    rig = moved(rig, HEAD "kpis: {calls: {aggregate: count, windows: [month, day-1]}}\n", NULL);
    assert_true(rig_value(rig, "rep", "ana", "calls", "day-1") == 1);
    assert_true(rig_value(rig, "rep", "ana", "calls", "month") == 3);
    rig_free(rig);
}

static void two_families_become_one_without_counting_twice(void **state)
{
    struct rig *rig = five_calls(HEAD "kpis: {a: {aggregate: count, windows: [day]}, b: {aggregate: count, windows: [week]}}\n");

    (void)state;
    rig = moved(rig, HEAD "kpis: {b: {aggregate: count, windows: [day, week]}}\n", NULL);
    assert_true(rig_value(rig, "rep", "ana", "b", "week") == 3);
    rig = moved(rig, HEAD "kpis: {a: {aggregate: count, windows: [day]}, b: {aggregate: count, windows: [week]}}\n", NULL);
    assert_true(rig_value(rig, "rep", "ana", "b", "week") == 3);
    rig_free(rig);
}

#define NEW_HEAD(levels, members) "time: {clock: event}\nroster: {levels: [" levels "], members: [" members "]}\n"

static void whoever_moves_takes_the_own_numbers_along(void **state)
{
    struct rig *rig = five_calls(HEAD "kpis: {" CALLS ", " SALES "}\n");

    (void)state;
    rig = moved(rig, NEW_HEAD("team, rep", "{rep: ana, team: two}, {rep: bob, team: one}") "kpis: {" CALLS ", " SALES "}\n", NULL);
    assert_true(rig_value(rig, "rep", "ana", "calls", "week") == 3);
    assert_true(rig_value(rig, "team", "one", "calls", "week") == 5);       /* its past is its own */
    assert_true(rig_value(rig, "team", "two", "calls", "week") == 0);
    assert_int_equal(rig_event_at(rig, 0, "{\"type\":\"call\",\"ok\":true,\"rep\":\"ana\",\"id\":\"c0\",\"time\":648000000}"),
                     KP_DUPLICATE);
    rig_event_at(rig, 0, "{\"type\":\"call\",\"ok\":true,\"rep\":\"ana\",\"id\":\"new\",\"time\":648000000}");
    assert_true(rig_value(rig, "team", "one", "calls", "week") == 5);
    assert_true(rig_value(rig, "team", "two", "calls", "week") == 1);
    rig_free(rig);
}

static void whoever_is_no_member_any_more_stays_while_there_are_numbers(void **state)
{
    struct rig *rig = five_calls(HEAD "kpis: {" CALLS "}\n");
    uint32_t bob;

    (void)state;
    rig = moved(rig, NEW_HEAD("team, rep", "{rep: ana, team: one, aliases: [an]}") "kpis: {" CALLS "}\n", NULL);
    bob = rig_node(rig, "rep", "bob");
    assert_true(rig_value(rig, "rep", "bob", "calls", "week") == 2);
    assert_true(rig_value(rig, "team", "one", "calls", "week") == 5);
    rig_at(rig, NOON + 20 * 86400);
    assert_false(kp_engine_visible(rig->engine, bob));
    rig_free(rig);
}

static void an_alias_makes_two_reps_one(void **state)
{
    struct rig *rig = five_calls(HEAD "kpis: {" CALLS ", " SALES "}\n");

    (void)state;
    rig = moved(rig, NEW_HEAD("team, rep", "{rep: ana, team: one, aliases: [bob]}") "kpis: {" CALLS ", " SALES "}\n", NULL);
    assert_true(rig_value(rig, "rep", "ana", "calls", "week") == 5);
    assert_true(rig_value(rig, "rep", "ana", "sales", "day") == 28);
    assert_true(rig_value(rig, "team", "one", "calls", "week") == 5);
    rig_free(rig);
}

static void levels_come_and_go(void **state)
{
    struct rig *rig = five_calls(HEAD "kpis: {" CALLS "}\n");

    (void)state;
    rig = moved(rig, NEW_HEAD("region, team, rep", "{rep: ana, team: one, region: g}, {rep: bob, team: one, region: g}")
                     "kpis: {" CALLS "}\n", NULL);
    assert_true(rig_value(rig, "rep", "ana", "calls", "week") == 3);
    assert_true(rig_value(rig, "team", "one", "calls", "week") == 5);
    assert_true(rig_value(rig, "region", "g", "calls", "week") == 0);
    assert_true(rig_value(rig, "company", "", "calls", "week") == 5);
    rig = moved(rig, NEW_HEAD("squad, rep", "{rep: ana, squad: one}, {rep: bob, squad: one}") "kpis: {" CALLS "}\n", NULL);
    assert_true(rig_value(rig, "rep", "ana", "calls", "week") == 3);
    assert_true(rig_value(rig, "squad", "one", "calls", "week") == 0);
    assert_true(rig_value(rig, "company", "", "calls", "week") == 5);
    rig_free(rig);
}

/* A unit that is called otherwise is another one: its reps take their numbers along, and the old one keeps what it had. */
static void a_unit_of_another_name_is_a_new_one(void **state)
{
    struct rig *rig = five_calls(HEAD "kpis: {" CALLS "}\n");

    (void)state;
    rig = moved(rig, NEW_HEAD("team, rep", "{rep: ana, team: uno}, {rep: bob, team: uno}") "kpis: {" CALLS "}\n", NULL);
    assert_true(rig_value(rig, "rep", "bob", "calls", "week") == 2);
    assert_true(rig_value(rig, "team", "uno", "calls", "week") == 0);
    assert_true(rig_value(rig, "team", "one", "calls", "week") == 5);
    rig_free(rig);
}

#define OPEN                                                                                                           \
    "kpis:\n"                                                                                                          \
    "  deals: {aggregate: count, of: {open: {per: deal, opened: {type: stage}, closed: {stage: won}}}}\n"              \
    "  worth: {aggregate: sum, of: {open: {per: deal, opened: {type: stage}, closed: {stage: won}, field: amount}}}\n" \
    "  half: {aggregate: median, of: {open: {per: deal, opened: {type: stage}, closed: {stage: won}, field: amount}}}\n"

/* A team has what its reps have open, not what they had. */
static void what_is_open_moves_with_its_rep(void **state)
{
    struct rig *rig = rig_new(HEAD OPEN);

    (void)state;
    for (int i = 0; i < 5; i++) {
        char json[200];

        snprintf(json, sizeof json, "{\"type\":\"stage\",\"stage\":\"a\",\"deal\":%d,\"rep\":\"%s\",\"amount\":%d,\"time\":%d000}",
                 i, i % 2 ? "bob" : "ana", 1 << i, NOON + i);
        rig_event_at(rig, 0, json);
    }
    rig_event_at(rig, 0, "{\"type\":\"stage\",\"stage\":\"a\",\"deal\":9,\"team\":\"one\",\"amount\":100,\"time\":648000000}");
    rig = moved(rig, HEAD OPEN, NULL);
    assert_true(rig_value(rig, "rep", "ana", "deals", "day") == 3);
    assert_true(rig_value(rig, "team", "one", "deals", "day") == 6);
    rig = moved(rig, NEW_HEAD("region, team, rep", "{rep: ana, team: two, region: g}, {rep: bob, team: one, region: g}") OPEN,
                NULL);
    assert_true(rig_value(rig, "rep", "ana", "deals", "day") == 3);
    assert_true(rig_value(rig, "team", "one", "deals", "day") == 3);
    assert_true(rig_value(rig, "team", "one", "worth", "day") == 110);
    assert_true(fabs(rig_value(rig, "team", "one", "half", "day") - 8) < 0.1);
    assert_true(rig_value(rig, "team", "two", "deals", "day") == 3);
    assert_true(rig_value(rig, "team", "two", "worth", "day") == 21);
    assert_true(fabs(rig_value(rig, "team", "two", "half", "day") - 4) < 0.1);
    assert_true(rig_value(rig, "region", "g", "worth", "day") == 131);
    assert_true(rig_value(rig, "company", "", "worth", "day") == 131);
    rig = moved(rig, NEW_HEAD("rep", "{rep: ana}, {rep: bob}") OPEN, NULL);
    assert_true(rig_value(rig, "rep", "ana", "worth", "day") == 21);
    assert_true(rig_value(rig, "company", "", "worth", "day") == 131);
    rig_free(rig);
}

static void an_id_is_remembered_as_long_as_without_a_restart(void **state)
{
    const char *yaml = HEAD "dedup: {window: 1h}\nkpis: {" CALLS "}\n", *call = "{\"type\":\"call\",\"rep\":\"bob\",\"id\":\"x\"}";
    struct rig *rig = rig_new(yaml);

    (void)state;
    rig_call(rig, NOON - 500, "ana");       /* its seconds are counted from here on */
    rig_at(rig, NOON);
    assert_int_equal(rig_event_at(rig, 0, call), KP_ACCEPTED);
    rig_at(rig, NOON + 1800);
    rig = moved(rig, yaml, NULL);
    rig_at(rig, NOON + 3598);
    assert_int_equal(rig_event_at(rig, 0, call), KP_DUPLICATE);
    rig_at(rig, NOON + 3602);
    assert_int_equal(rig_event_at(rig, 0, call), KP_ACCEPTED);
    rig_free(rig);
}

static void fewer_ids_fit_and_the_newest_of_them_stay(void **state)
{
    const char *small = HEAD "limits: {dedup: 1000, recent: 64}\nkpis: {" CALLS "}\n";
    struct rig *rig = rig_new(HEAD "kpis: {" CALLS "}\n");
    struct kp_engine_stats stats;
    char json[200];

    (void)state;
    for (int i = 0; i < 6000; i++) {
        snprintf(json, sizeof json, "{\"type\":\"call\",\"rep\":\"ana\",\"id\":\"i%d\",\"time\":%d000}", i, NOON + i);
        rig_event_at(rig, 0, json);
    }
    rig = moved(rig, small, NULL);
    kp_engine_stats(rig->engine, &stats);
    assert_in_range(stats.dedup_ids, 500, 1100);
    assert_int_equal(rig_event_at(rig, 0, json), KP_DUPLICATE);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_new_starts_empty_and_the_rest_is_kept),
        cmocka_unit_test(amounts_are_kept_with_other_rates_and_not_with_another_base),
        cmocka_unit_test(a_closed_window_never_counts_another_days_events),
        cmocka_unit_test(two_families_become_one_without_counting_twice),
        cmocka_unit_test(whoever_moves_takes_the_own_numbers_along),
        cmocka_unit_test(whoever_is_no_member_any_more_stays_while_there_are_numbers),
        cmocka_unit_test(an_alias_makes_two_reps_one),
        cmocka_unit_test(a_unit_of_another_name_is_a_new_one),
        cmocka_unit_test(levels_come_and_go),
        cmocka_unit_test(what_is_open_moves_with_its_rep),
        cmocka_unit_test(an_id_is_remembered_as_long_as_without_a_restart),
        cmocka_unit_test(fewer_ids_fit_and_the_newest_of_them_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
