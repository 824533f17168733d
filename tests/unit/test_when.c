/* Times as rule tests tell them, in a zone whose clocks change. What they mean there is tested by tests/rules/format.yaml; here is
 * what they are as instants, and what is none. */
#include "when.h"

#include "tzif.h"

static struct when_frame frame;     /* London on Tuesday, the 24th of November 2026 */

static int begin(void **state)
{
    (void)state;
    frame = (struct when_frame){.zone = tzif_zone("GMT0BST,M3.5.0/1,M10.5.0"), .zone_name = "London", .has_day = true,
                                .day = kp_civil_to_day(2026, 11, 24)};
    return frame.zone ? 0 : -1;
}

static int end(void **state)
{
    struct kp_zone *zone;

    (void)state;
    memcpy(&zone, &frame.zone, sizeof zone);    /* ours, for all that frames only borrow theirs */
    kp_zone_destroy(&zone);
    return 0;
}

/* The instants as text, with blanks between. */
static void all_of(const char *text, char *buf)
{
    struct kp_err err = {0};
    int64_t *list;
    size_t n, at = 0;
    char one[32];

    *buf = '\0';
    if (!when_all(&frame, text, strlen(text), 20, &list, &n, &at, &err)) {
        sprintf(buf, "%zu: %s", at, err.text);
        return;
    }
    for (size_t i = 0; i < n; i++)
        sprintf(buf + strlen(buf), "%s%s", i ? " " : "", kp_rfc3339_format(list[i], one));
    free(list);
}

static void times_are_the_instants_that_they_say(void **state)
{
    static const struct {
        const char *text, *instants;
    } cases[] = {
        {"09:00", "2026-11-24T09:00:00Z"},
        {" 09:00:30.250 ", "2026-11-24T09:00:30.250Z"},
        {"24:00", "2026-11-25T00:00:00Z"},
        {"2026-07-01 09:00", "2026-07-01T08:00:00Z"},
        {"2026-07-01T09:00:00Z", "2026-07-01T09:00:00Z"},
        {"1795683600000", "2026-11-26T09:00:00Z"},
        {"at 09:05,09:00 and 2026-11-25 08:00, 09:00",
         "2026-11-24T09:00:00Z 2026-11-24T09:05:00Z 2026-11-25T08:00:00Z 2026-11-25T09:00:00Z"},
        {"every 1h from 09:00 to 11:00", "2026-11-24T09:00:00Z 2026-11-24T10:00:00Z"},
        {"every 1h from 09:00 to 11:00:00.001", "2026-11-24T09:00:00Z 2026-11-24T10:00:00Z 2026-11-24T11:00:00Z"},
        {"every 12h from 2026-11-23 18:00 to 24:00", "2026-11-23T18:00:00Z"},
        {"2 times at 09:00", "2026-11-24T09:00:00Z 2026-11-24T09:00:00Z"},
        {"0 times at 09:00", ""},
        {"09:00 on wed", "2026-11-25T09:00:00Z"},
        {"09:00 on sun mon", "2026-11-23T09:00:00Z 2026-11-29T09:00:00Z"},
        {"09:00 on sat-mon", "2026-11-23T09:00:00Z 2026-11-28T09:00:00Z 2026-11-29T09:00:00Z"},
        {"09:00 on 2026-12-24..2026-12-26", "2026-12-24T09:00:00Z 2026-12-25T09:00:00Z 2026-12-26T09:00:00Z"},
        {"09:00 on 2028-02-28..2028-03-01", "2028-02-28T09:00:00Z 2028-02-29T09:00:00Z 2028-03-01T09:00:00Z"},
        {"09:00 on fri and 2026-12-24..2026-12-26", "2026-12-25T09:00:00Z"},
        {"09:00 on 2026-03-28..2026-03-29", "2026-03-28T09:00:00Z 2026-03-29T08:00:00Z"},
        {"every 1h from 00:00 to 04:00 on 2026-03-29", "2026-03-29T00:00:00Z 2026-03-29T01:00:00Z 2026-03-29T02:00:00Z"},
        {"every 1h from 00:00 to 03:00 on 2026-10-25",
         "2026-10-24T23:00:00Z 2026-10-25T00:00:00Z 2026-10-25T01:00:00Z 2026-10-25T02:00:00Z"},
        {"2026-10-25 01:30", "2026-10-25T00:30:00Z"},
        {"2026-10-25T01:30:00+00:00", "2026-10-25T01:30:00Z"},
    };
    char buf[1024];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        all_of(cases[i].text, buf);
        assert_string_equal(buf, cases[i].instants);
    }
}

static void what_is_no_time_is_told_where_it_stands(void **state)
{
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"", "0: a time of day like 09:00 is expected, not nothing"},
        {"noon", "0: a time of day like 09:00 is expected, not \"noon\""},
        {"9:00", "0: a time of day like 09:00 is expected, not \"9:00\""},
        {"24:01", "0: a time of day like 09:00 is expected, not \"24:01\""},
        {"09:00 and 09:60", "10: a time of day like 09:00 is expected, not \"09:60\""},
        {"2026-02-29 09:00", "0: a time of day like 09:00 is expected, not \"2026-02-29\""},
        {"2026-11-24", "10: a time of day like 09:00 is expected, not nothing"},
        {"2026", "0: a time of day like 09:00 is expected, not \"2026\""},
        {"every 10 from 09:00 to 10:00", "6: a duration like 90s, 10m or 1h is expected, not \"10\""},
        {"every 0s from 09:00 to 10:00", "6: a duration like 90s, 10m or 1h is expected, not \"0s\""},
        {"every 10m at 09:00", "10: \"from\" is expected, not \"at\""},
        {"every 10m from 09:00", "20: \"to\" is expected, not nothing"},
        {"every 10m from 09:00 to 10:00 daily", "30: \"on\", or the end, is expected, not \"daily\""},
        {"every 10m from 09:00 to 09:00", "24: `to` is not after `from`; one of another day has its date before it"},
        {"every 1s from 09:00 to 10:00", "0: is more than 20 times"},
        {"21 times at 09:00", "0: is more than 20 times"},
        {"-1 times at 09:00", "0: a whole number is expected, not \"-1\""},
        {"09:00 on monday", "9: a day like mon, mon-fri, 2026-11-24 or 2026-11-23..2026-11-27 is expected, not \"monday\""},
        {"09:00 on 2026-11-24..2026-11-23", "9: a day like mon, mon-fri, 2026-11-24 or 2026-11-23..2026-11-27 is expected, not "
                                            "\"2026-11-24..2026-11-23\""},
        {"2026-11-24 09:00 on mon", "0: a time with a date of its own can't be on other days as well"},
        {"2026-03-29 01:30", "0: 01:30 does not exist on 2026-03-29 in London: the clocks are put forward over it"},
        {"09:00 on", "8: a day like mon, mon-fri, 2026-11-24 or 2026-11-23..2026-11-27 is expected, not nothing"},
    };
    char buf[1024];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        all_of(cases[i].text, buf);
        assert_string_equal(buf, cases[i].told);
    }
}

static void without_a_day_only_dated_times_are_known(void **state)
{
    char buf[1024];

    (void)state;
    frame.has_day = false;
    all_of("2026-11-24 09:00", buf);
    assert_string_equal(buf, "2026-11-24T09:00:00Z");
    all_of("10:00, 09:00", buf);
    assert_string_equal(buf, "0: a time of day needs a date: give the test one (date: 2026-11-24), or write it before the time");
    all_of("09:00 on mon", buf);
    assert_string_equal(buf, "9: of which week? Give the test a date, or write 2026-11-23..2026-11-27 as well");
    all_of("09:00 on 2026-11-24", buf);
    assert_string_equal(buf, "2026-11-24T09:00:00Z");
}

static void one_instant_tells_how_exactly_it_was_written(void **state)
{
    static const struct {
        const char *text;
        int64_t unit_ms;        /* 0: it is none */
    } cases[] = {{"09:00", 60000}, {"09:00:00", 1000}, {"09:00:00.0", 1}, {"2026-11-24 09:00", 60000},
                 {"2026-11-24T09:00:00Z", 1}, {"1795510800000", 1}, {"at 09:00", 0}, {"09:00, 10:00", 0}, {"09:00:00.", 0}};
    int64_t at_ms, unit_ms;
    struct kp_err err;
    size_t at;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool ok = when_instant(&frame, cases[i].text, strlen(cases[i].text), &at_ms, &unit_ms, &at, &err);

        assert_int_equal(ok, cases[i].unit_ms > 0);
        if (!ok)
            continue;
        assert_int_equal(unit_ms, cases[i].unit_ms);
        assert_int_equal(at_ms, INT64_C(1795510800000));
    }
}

static void instants_read_as_on_the_wall(void **state)
{
    char buf[48];

    (void)state;
    assert_string_equal(when_text(&frame, INT64_C(1795510800000), buf), "Tue 2026-11-24 09:00:00");
    assert_string_equal(when_text(&frame, INT64_C(1795510800250), buf), "Tue 2026-11-24 09:00:00.250");
    assert_string_equal(when_text(&frame, INT64_C(1792888200000), buf), "Sun 2026-10-25 01:30:00+01:00");
    assert_string_equal(when_text(&frame, INT64_C(1792891800000), buf), "Sun 2026-10-25 01:30:00+00:00");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(times_are_the_instants_that_they_say, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_time_is_told_where_it_stands, begin, end),
        cmocka_unit_test_setup_teardown(without_a_day_only_dated_times_are_known, begin, end),
        cmocka_unit_test_setup_teardown(one_instant_tells_how_exactly_it_was_written, begin, end),
        cmocka_unit_test_setup_teardown(instants_read_as_on_the_wall, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
