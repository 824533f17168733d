/* Amounts in several currencies, and sources that fall silent. */
#include "rig.h"

static const char money_yaml[] =
    "time: {clock: event}\n"
    "currencies: {base: GBP, rates: {USD: 0.79, EUR: 0.85, XAU: 1000000}}\n"
    "windows: [day]\n"
    "kpis:\n"
    "  revenue: {aggregate: sum, of: amount}\n"
    "  deals: {aggregate: count}\n"
    "  fees: {aggregate: sum, of: fee}\n"
    "  big: {aggregate: count, where: {amount: {gte: 100}}}\n";

static enum kp_reason pay(struct rig *rig, const char *amount, const char *currency)
{
    char json[256];

    snprintf(json, sizeof json, "{\"type\":\"x\",\"time\":1000,\"amount\":%s,\"fee\":%s%s%s}", amount, amount,
             *currency ? ",\"currency\":" : "", currency);
    return rig_event_at(rig, 0, json);
}

static double of_company(struct rig *rig, const char *kpi)
{
    return rig_value(rig, "company", "", kpi, "day");
}

static void an_amount_is_converted_exactly_and_other_fields_are_not(void **state)
{
    struct rig *rig = rig_new(money_yaml);

    (void)state;
    pay(rig, "100", "\"USD\"");
    pay(rig, "0.01", "\"EUR\"");
    pay(rig, "7", "\"GBP\"");
    pay(rig, "5", "");
    assert_true(of_company(rig, "revenue") == 91.0085);
    assert_true(of_company(rig, "fees") == 112.01);
    assert_true(of_company(rig, "big") == 1);       /* as it came */
    rig_free(rig);
}

static void halves_go_to_the_even_millionth(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\nwindows: [day]\ncurrencies: {base: GBP, rates: {HLF: 0.5}}\n"
                              "kpis: {revenue: {aggregate: sum, of: amount}}\n");

    (void)state;
    pay(rig, "0.000001", "\"HLF\"");
    assert_true(of_company(rig, "revenue") == 0);
    pay(rig, "0.000003", "\"HLF\"");
    assert_true(of_company(rig, "revenue") == 0.000002);
    pay(rig, "-0.000003", "\"HLF\"");
    assert_true(of_company(rig, "revenue") == 0);
    rig_free(rig);
}

static void a_currency_that_is_not_listed_is_left_out_and_counted(void **state)
{
    struct rig *rig = rig_new(money_yaml);
    struct kp_engine_stats stats;

    (void)state;
    assert_int_equal(pay(rig, "100", "\"JPY\""), KP_ACCEPTED);
    assert_int_equal(pay(rig, "100", "\"usd\""), KP_ACCEPTED);
    assert_int_equal(pay(rig, "100", "5"), KP_ACCEPTED);
    assert_true(of_company(rig, "revenue") == 0 && of_company(rig, "deals") == 3);
    kp_engine_stats(rig->engine, &stats);
    assert_int_equal(stats.currency_unknown, 3);
    assert_int_equal(kp_engine_missing(rig->engine, 0), 0);
    pay(rig, "9000000000000", "\"XAU\"");           /* 9e18 is beyond what a KPI takes */
    assert_true(of_company(rig, "revenue") == 0);
    assert_int_equal(kp_engine_out_of_range(rig->engine, 0), 1);
    rig_free(rig);
}

/* ---- sources ---- */

static const char sources_yaml[] =
    "time: {clock: event}\n"
    "sources: {pbx: {heartbeat: 2m}, crm: {heartbeat: 1h}, never: {heartbeat: 1s}}\n"
    "windows: [day]\n"
    "kpis:\n"
    "  calls: {aggregate: count, where: {type: call}}\n"
    "  deals: {aggregate: count, where: {type: deal}}\n"
    "  ratio: {formula: deals / calls}\n";

static void from(struct rig *rig, int at_s, const char *source, const char *type, const char *more)
{
    char json[256];

    snprintf(json, sizeof json, "{\"type\":\"%s\",\"source\":\"%s\",\"time\":%d000%s}", type, source, at_s, more);
    rig_event_at(rig, 0, json);
}

static bool no_data(struct rig *rig, const char *kpi)
{
    return rig_cell(rig, 0, kpi, "day")->status == KP_STATUS_NO_DATA;
}

static void a_silent_source_takes_its_kpis_and_their_formulas_with_it(void **state)
{
    struct rig *rig = rig_new(sources_yaml);

    (void)state;
    from(rig, 1000, "pbx", "call", "");
    from(rig, 1000, "crm", "deal", "");
    assert_false(no_data(rig, "calls"));
    rig_at(rig, 1120);
    assert_false(no_data(rig, "calls"));
    kp_engine_seen(rig->engine, 0);
    assert_int_equal(kp_engine_due(rig->engine), 1120001);
    rig_at(rig, 1121);
    assert_true(kp_engine_changed(rig->engine, 0));
    assert_true(no_data(rig, "calls") && no_data(rig, "ratio") && !no_data(rig, "deals"));
    from(rig, 1130, "pbx", "kpid.heartbeat", "");
    assert_false(no_data(rig, "calls") || no_data(rig, "ratio"));
    rig_free(rig);
}

static void what_is_heard_late_is_no_sign_of_life_now(void **state)
{
    struct rig *rig = rig_new(sources_yaml);

    (void)state;
    from(rig, 1000, "pbx", "call", "");
    rig_at(rig, 2000);
    from(rig, 1500, "pbx", "call", "");
    assert_true(no_data(rig, "calls"));
    from(rig, 1900, "pbx", "call", "");
    assert_false(no_data(rig, "calls"));
    rig_free(rig);
}

static void covered_until_counts_and_not_when_it_was_said(void **state)
{
    struct rig *rig = rig_new(sources_yaml);

    (void)state;
    from(rig, 1000, "pbx", "call", "");
    from(rig, 2000, "pbx", "kpid.heartbeat", ",\"covered_until\":1500000");
    assert_true(no_data(rig, "calls"));
    from(rig, 2001, "pbx", "kpid.heartbeat", ",\"covered_until\":\"1970-01-01T00:33:00Z\"");
    assert_false(no_data(rig, "calls"));
    rig_at(rig, 2101);
    assert_true(no_data(rig, "calls"));
    rig_free(rig);
}

/* It cannot be learned what a source feeds that was never heard of, but where it is named it is known. */
static void who_is_named_and_never_heard_of_is_missed(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "sources: {pbx: {heartbeat: 2m}}\n"
                              "windows: [day]\n"
                              "kpis:\n"
                              "  calls: {aggregate: count, where: [{type: call, source: [pbx, mobile]}, {type: meeting}]}\n"
                              "  deals: {aggregate: count, where: {type: deal, source: {ne: pbx}}}\n"
                              "  ratio: {formula: deals / calls}\n"
                              "  open: {aggregate: count, of: {open: {per: deal, closed: {source: pbx}}}}\n"
                              "  once: {aggregate: count, where: {type: x}, once: {per: deal, reversed_by: {source: pbx}}}\n"
                              "funnels: {f: {per: deal, where: {source: pbx}, stages: [a, b]}}\n");

    (void)state;
    from(rig, 1000, "crm", "deal", "");
    assert_false(no_data(rig, "calls"));
    rig_at(rig, 1121);
    assert_true(no_data(rig, "open") && no_data(rig, "once") && no_data(rig, "f.a.entered"));
    assert_true(no_data(rig, "calls") && no_data(rig, "ratio") && !no_data(rig, "deals"));
    from(rig, 1122, "pbx", "kpid.heartbeat", "");
    assert_false(no_data(rig, "calls") || no_data(rig, "ratio"));
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_amount_is_converted_exactly_and_other_fields_are_not),
        cmocka_unit_test(halves_go_to_the_even_millionth),
        cmocka_unit_test(a_currency_that_is_not_listed_is_left_out_and_counted),
        cmocka_unit_test(a_silent_source_takes_its_kpis_and_their_formulas_with_it),
        cmocka_unit_test(what_is_heard_late_is_no_sign_of_life_now),
        cmocka_unit_test(covered_until_counts_and_not_when_it_was_said),
        cmocka_unit_test(who_is_named_and_never_heard_of_is_missed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
