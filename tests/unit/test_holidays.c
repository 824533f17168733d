/* Holidays out of iCalendar files: which days and hours come out of what people really have. */
#include "unit.h"

#include "holidays.h"

struct found {
    char text[8192];
    size_t len, count;
};

static void take_day(void *ctx, int64_t day)
{
    struct found *found = ctx;
    int year, month, mday;

    kp_civil_of_day(day, &year, &month, &mday);
    if (found->len < sizeof found->text)
        found->len += (size_t)snprintf(found->text + found->len, sizeof found->text - found->len, "%04d-%02d-%02d ", year, month, mday);
    found->count++;
}

static void take_stretch(void *ctx, int64_t from_ms, int64_t to_ms)
{
    struct found *found = ctx;
    char from[40], to[40];

    if (found->len < sizeof found->text)
        found->len += (size_t)snprintf(found->text + found->len, sizeof found->text - found->len, "%s..%s ",
                                       kp_rfc3339_format(from_ms, from), kp_rfc3339_format(to_ms, to));
    found->count++;
}

/* What a calendar with these lines gives, in a zone of UTC. */
static enum kp_code read_lines(const char *lines, struct found *found, struct kp_err *err)
{
    const struct kp_holiday_sink sink = {take_day, take_stretch, found};
    struct kp_zone *zone = kp_zone_new(NULL, 0, err);
    char ics[4096];
    enum kp_code code;

    assert_non_null(zone);
    memset(found, 0, sizeof *found);
    snprintf(ics, sizeof ics, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\n%sEND:VCALENDAR\r\n", lines);
    code = kp_holidays_read(ics, strlen(ics), zone, &sink, err);
    kp_zone_destroy(&zone);
    return code;
}

static void gives(const char *lines, const char *want)
{
    struct found found;
    struct kp_err err = {0};

    if (read_lines(lines, &found, &err) != KP_OK)
        fail_msg("%s", err.text);
    assert_string_equal(found.text, want);
}

static void all_day_events_are_days_to_their_end_which_is_left_out(void **state)
{
    (void)state;
    gives("BEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20261225\r\nEND:VEVENT\r\n"
          "BEGIN:VEVENT\r\nUID:2\r\nDTSTART;VALUE=DATE:20261228\r\nDTEND;VALUE=DATE:20261230\r\nEND:VEVENT\r\n",
          "2026-12-25 2026-12-28 2026-12-29 ");
}

static void a_rule_repeats_without_its_exceptions(void **state)
{
    (void)state;
    gives("BEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20240501\r\nRRULE:FREQ=YEARLY;COUNT=4\r\nEXDATE;VALUE=DATE:20250501\r\nEND:VEVENT\r\n",
          "2024-05-01 2026-05-01 2027-05-01 ");
    gives("BEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20260525\r\nRRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO;UNTIL=20280601\r\nEND:VEVENT\r\n",
          "2026-05-25 2027-05-31 2028-05-29 ");
}

static void one_of_a_series_can_be_moved(void **state)
{
    (void)state;
    gives("BEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20260501\r\nRRULE:FREQ=YEARLY;COUNT=2\r\nEND:VEVENT\r\n"
          "BEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID;VALUE=DATE:20270501\r\nDTSTART;VALUE=DATE:20270503\r\nEND:VEVENT\r\n",
          "2026-05-01 2027-05-03 ");
}

static void timed_events_are_stretches_in_their_zone(void **state)
{
    (void)state;
    gives("BEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=Europe/London:20260701T130000\r\nDTEND;TZID=Europe/London:20260701T180000\r\nEND:VEVENT\r\n",
          "2026-07-01T12:00:00Z..2026-07-01T17:00:00Z ");
    gives("BEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260701T130000\r\nDURATION:PT1H\r\nEND:VEVENT\r\n",
          "2026-07-01T13:00:00Z..2026-07-01T14:00:00Z ");
}

static void what_is_cancelled_or_blocks_no_time_is_left_out(void **state)
{
    (void)state;
    gives("BEGIN:VEVENT\r\nUID:1\r\nSTATUS:CANCELLED\r\nDTSTART;VALUE=DATE:20261225\r\nEND:VEVENT\r\n"
          "BEGIN:VEVENT\r\nUID:2\r\nTRANSP:TRANSPARENT\r\nDTSTART:20260701T130000Z\r\nDURATION:PT1H\r\nEND:VEVENT\r\n"
          "BEGIN:VEVENT\r\nUID:3\r\nTRANSP:TRANSPARENT\r\nDTSTART;VALUE=DATE:20261226\r\nEND:VEVENT\r\n",
          "2026-12-26 ");
}

static void an_endless_rule_ends_with_the_years_that_are_read(void **state)
{
    struct found found;
    struct kp_err err = {0};

    (void)state;
    assert_int_equal(read_lines("BEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:19700101\r\nRRULE:FREQ=YEARLY\r\nEND:VEVENT\r\n", &found, &err), KP_OK);
    assert_int_equal(found.count, KP_HOLIDAYS_LAST - KP_HOLIDAYS_FIRST + 1);
    assert_int_equal(read_lines("BEGIN:VEVENT\r\nUID:1\r\nDTSTART:19700101T000000Z\r\nDURATION:PT1S\r\nRRULE:FREQ=SECONDLY\r\nEND:VEVENT\r\n", &found, &err),
                     KP_ELIMIT);
}

static void what_is_no_calendar_is_refused(void **state)
{
    static const char nul[] = "BEGIN:VCALENDAR\0END:VCALENDAR";
    struct kp_holiday_sink sink = {take_day, take_stretch, NULL};
    struct kp_zone *zone = kp_zone_new(NULL, 0, NULL);
    struct found found;
    struct kp_err err = {0};

    (void)state;
    assert_int_equal(kp_holidays_read("hello", 5, zone, &sink, &err), KP_EINVAL);
    assert_int_equal(kp_holidays_read("", 0, zone, &sink, &err), KP_EINVAL);
    assert_int_equal(kp_holidays_read(nul, sizeof nul, zone, &sink, &err), KP_EINVAL);
    assert_int_equal(read_lines("", &found, &err), KP_EINVAL);
    kp_zone_destroy(&zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_day_events_are_days_to_their_end_which_is_left_out),
        cmocka_unit_test(a_rule_repeats_without_its_exceptions),
        cmocka_unit_test(one_of_a_series_can_be_moved),
        cmocka_unit_test(timed_events_are_stretches_in_their_zone),
        cmocka_unit_test(what_is_cancelled_or_blocks_no_time_is_left_out),
        cmocka_unit_test(an_endless_rule_ends_with_the_years_that_are_read),
        cmocka_unit_test(what_is_no_calendar_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
