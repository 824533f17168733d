/* Holidays out of iCalendar files: which days and hours come out of what people really have. */
#include "unit.h"

#include "config.h"
#include "faults.h"
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

static enum kp_code read_file(const char *bytes, struct found *found, struct kp_err *err)
{
    const struct kp_holiday_sink sink = {take_day, take_stretch, found};
    struct kp_zone *zone = kp_zone_new(NULL, 0, err);
    enum kp_code code;

    assert_non_null(zone);
    memset(found, 0, sizeof *found);
    code = kp_holidays_read(bytes, strlen(bytes), zone, &sink, err);
    kp_zone_destroy(&zone);
    return code;
}

/* What a calendar with these lines gives, in a zone of UTC. */
static enum kp_code read_lines(const char *lines, struct found *found, struct kp_err *err)
{
    char ics[8192];

    snprintf(ics, sizeof ics, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\n%sEND:VCALENDAR\r\n", lines);
    return read_file(ics, found, err);
}

static void gives(const char *lines, const char *want)
{
    struct found found;
    struct kp_err err = {0};

    if (read_lines(lines, &found, &err) != KP_OK)
        fail_msg("%s", err.text);
    assert_string_equal(found.text, want);
}

/* ... and this is why it is refused. */
static void is_refused(const char *lines, const char *why)
{
    struct found found;
    struct kp_err err = {0};

    assert_int_equal(read_lines(lines, &found, &err), KP_EINVAL);
    if (!strstr(err.text, why))
        fail_msg("\"%s\" does not say \"%s\"", err.text, why);
}

/* Clocks of a name that nobody else knows, an hour before UTC in summer and with it in winter. */
#define CLOCKS(name) \
    "BEGIN:VTIMEZONE\r\nTZID:" name "\r\n" \
    "BEGIN:STANDARD\r\nDTSTART:19701025T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0000\r\n" \
    "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\n" \
    "BEGIN:DAYLIGHT\r\nDTSTART:19700329T010000\r\nTZOFFSETFROM:+0000\r\nTZOFFSETTO:+0100\r\n" \
    "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n"
#define CALENDAR(lines) "BEGIN:VCALENDAR\r\n" lines "END:VCALENDAR\r\n"
#define ALL_DAY(day) "UID:1\r\nDTSTART;VALUE=DATE:" day "\r\n"
#define EVENT(lines) "BEGIN:VEVENT\r\n" lines "END:VEVENT\r\n"
/* Mondays from 13 to 17 by these clocks, from 6 July on. */
#define MONDAYS(more) \
    CLOCKS("Office") EVENT("UID:1\r\nDTSTART;TZID=Office:20260706T130000\r\nDTEND;TZID=Office:20260706T170000\r\n" more)
#define MONDAY_6 "2026-07-06T12:00:00Z..2026-07-06T16:00:00Z "
#define MONDAY_13 "2026-07-13T12:00:00Z..2026-07-13T16:00:00Z "
#define MONDAY_20 "2026-07-20T12:00:00Z..2026-07-20T16:00:00Z "

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

static void until_is_the_last_start_in_whatever_zone_it_is(void **state)
{
    (void)state;
    gives(MONDAYS("RRULE:FREQ=WEEKLY;UNTIL=20260713T120000Z\r\n"), MONDAY_6 MONDAY_13);
    gives(MONDAYS("RRULE:FREQ=WEEKLY;UNTIL=20260713T115959Z\r\n"), MONDAY_6);
    gives(MONDAYS("RRULE:FREQ=WEEKLY;UNTIL=20260713T130000\r\n"), MONDAY_6 MONDAY_13);
    gives(MONDAYS("RRULE:FREQ=WEEKLY;UNTIL=20260713\r\n"), MONDAY_6 MONDAY_13);
    gives(EVENT(ALL_DAY("20260706") "RRULE:FREQ=WEEKLY;UNTIL=20260713\r\n"), "2026-07-06 2026-07-13 ");
    gives(EVENT(ALL_DAY("20260706") "RRULE:FREQ=WEEKLY;UNTIL=20260713T000000Z\r\n"), "2026-07-06 2026-07-13 ");
}

static void exceptions_are_known_in_whatever_zone_they_are(void **state)
{
    (void)state;
    gives(MONDAYS("RRULE:FREQ=WEEKLY;COUNT=3\r\nEXDATE:20260713T120000Z\r\n"), MONDAY_6 MONDAY_20);
    gives(MONDAYS("RRULE:FREQ=WEEKLY;COUNT=3\r\nEXDATE;TZID=Office:20260706T130000,20260713T130000\r\n"), MONDAY_20);
    gives(MONDAYS("RRULE:FREQ=WEEKLY;COUNT=3\r\nEXDATE;TZID=Europe/Berlin:20260713T140000\r\n"), MONDAY_6 MONDAY_20);
    gives(MONDAYS("RRULE:FREQ=WEEKLY;COUNT=3\r\nEXDATE;VALUE=DATE:20260706\r\nEXDATE;VALUE=DATE:20260713\r\n"),
          MONDAY_20);
    gives(MONDAYS("RRULE:FREQ=WEEKLY;COUNT=3\r\nEXDATE:20260713T130000Z\r\n"), MONDAY_6 MONDAY_13 MONDAY_20);
    gives(MONDAYS("RRULE:FREQ=WEEKLY;COUNT=3\r\nEXRULE:FREQ=WEEKLY;INTERVAL=2\r\n"), MONDAY_13);
    gives(EVENT(ALL_DAY("20260706") "RRULE:FREQ=DAILY;COUNT=3\r\nEXDATE:20260707T000000\r\n"),
          "2026-07-06 2026-07-08 ");
}

static void an_override_is_known_in_whatever_zone_it_is(void **state)
{
    (void)state;
    gives(MONDAYS("RRULE:FREQ=WEEKLY;COUNT=3\r\n")
          EVENT("UID:1\r\nRECURRENCE-ID:20260713T120000Z\r\nDTSTART;TZID=Office:20260714T130000\r\nDURATION:PT4H\r\n"),
          MONDAY_6 MONDAY_20 "2026-07-14T12:00:00Z..2026-07-14T16:00:00Z ");
    gives(MONDAYS("RRULE:FREQ=WEEKLY;COUNT=3\r\n")
          EVENT("UID:1\r\nRECURRENCE-ID:20260713T120000Z\r\nSTATUS:CANCELLED\r\nDTSTART:20260713T120000Z\r\n"),
          MONDAY_6 MONDAY_20);
    gives(MONDAYS("RRULE:FREQ=WEEKLY;COUNT=3\r\n")
          EVENT("UID:2\r\nRECURRENCE-ID:20260713T120000Z\r\nDTSTART;VALUE=DATE:20260714\r\n"),
          MONDAY_6 MONDAY_13 MONDAY_20 "2026-07-14 ");
}

static void an_override_is_not_overridden_by_another(void **state)
{
    (void)state;
    gives(EVENT(ALL_DAY("20260706") "RRULE:FREQ=DAILY;COUNT=3\r\n")
          EVENT("UID:1\r\nRECURRENCE-ID;VALUE=DATE:20260706\r\nDTSTART;VALUE=DATE:20260707\r\n")
          EVENT("UID:1\r\nRECURRENCE-ID;VALUE=DATE:20260707\r\nDTSTART;VALUE=DATE:20260710\r\n"),
          "2026-07-08 2026-07-07 2026-07-10 ");
}

static void all_further_dates_are_taken(void **state)
{
    (void)state;
    gives(EVENT(ALL_DAY("20260706") "RDATE;VALUE=DATE:20260708,20260709\r\nRDATE;VALUE=DATE:20260711\r\n"),
          "2026-07-06 2026-07-08 2026-07-09 2026-07-11 ");
    gives(EVENT(ALL_DAY("20260701") "RDATE:20260706,20260708\r\nEXDATE;VALUE=DATE:20260706\r\n"),
          "2026-07-01 2026-07-08 ");
    gives(EVENT(ALL_DAY("20260701") "RRULE:FREQ=DAILY;COUNT=2\r\nRDATE;VALUE=DATE:20260708,20260709\r\n"),
          "2026-07-01 2026-07-02 2026-07-08 2026-07-09 ");
    gives(EVENT("UID:easter\r\nDTSTART;VALUE=DATE:20260403\r\nDURATION:P4D\r\nRDATE;VALUE=DATE:20270326,20280414\r\n"),
          "2026-04-03 2026-04-04 2026-04-05 2026-04-06 2027-03-26 2027-03-27 2027-03-28 2027-03-29 "
          "2028-04-14 2028-04-15 2028-04-16 2028-04-17 ");
    gives(MONDAYS("RDATE:20260713T120000Z\r\nRDATE;VALUE=DATE:20260720\r\n"), MONDAY_6 MONDAY_13 MONDAY_20);
    gives(EVENT(ALL_DAY("20260701") "RDATE:20260706T000000,20260708T000000\r\n"),
          "2026-07-01 2026-07-06 2026-07-08 ");
}

static void periods_have_lengths_of_their_own(void **state)
{
    (void)state;
    gives(MONDAYS("RDATE;VALUE=PERIOD;TZID=Office:20260708T130000/PT2H,20260709T090000/20260709T100000\r\n"
                  "RDATE;VALUE=PERIOD:20260710T130000Z/20260710T140000Z\r\n"),
          MONDAY_6 "2026-07-08T12:00:00Z..2026-07-08T14:00:00Z 2026-07-09T08:00:00Z..2026-07-09T09:00:00Z "
          "2026-07-10T13:00:00Z..2026-07-10T14:00:00Z ");
    gives(EVENT(ALL_DAY("20260706") "RDATE;VALUE=PERIOD:20260708T130000/PT4H\r\n"),
          "2026-07-06 2026-07-08T13:00:00Z..2026-07-08T17:00:00Z ");
}

static void each_end_has_its_own_zone(void **state)
{
    (void)state;
    gives(CLOCKS("Office") EVENT("UID:1\r\nDTSTART;TZID=Office:20260706T130000\r\nDTEND:20260706T160000Z\r\n"),
          MONDAY_6);
    gives(EVENT("UID:1\r\nDTSTART;TZID=Europe/London:20260706T130000\r\n"
                "DTEND;TZID=America/New_York:20260706T120000\r\n"),
          MONDAY_6);
    is_refused(EVENT("UID:1\r\nDTSTART:20260706T130000Z\r\nDTEND;VALUE=DATE:20260707\r\n"), "event \"1\" has a day");
    is_refused(EVENT("UID:1\r\nDTSTART:20260706T130000Z\r\nDTEND:20260706T120000Z\r\n"), "ends before it begins");
    is_refused(EVENT("UID:1\r\nDTSTART:20260706T130000Z\r\nDURATION:-PT1H\r\n"), "ends before it begins");
}

/* The clocks go forward in the night to 29 March and back in that to 25 October. */
static void days_are_of_the_wall_and_hours_just_pass(void **state)
{
    (void)state;
    gives(CLOCKS("Office") EVENT("UID:1\r\nDTSTART;TZID=Office:20260328T120000\r\nDURATION:P1D\r\n"),
          "2026-03-28T12:00:00Z..2026-03-29T11:00:00Z ");
    gives(CLOCKS("Office") EVENT("UID:1\r\nDTSTART;TZID=Office:20260328T120000\r\nDURATION:PT24H\r\n"),
          "2026-03-28T12:00:00Z..2026-03-29T12:00:00Z ");
    gives(CLOCKS("Office") EVENT("UID:1\r\nDTSTART;TZID=Office:20260328T120000\r\nDTEND;TZID=Office:20260328T130000\r\n"
                                "RRULE:FREQ=DAILY;COUNT=2\r\n"),
          "2026-03-28T12:00:00Z..2026-03-28T13:00:00Z 2026-03-29T11:00:00Z..2026-03-29T12:00:00Z ");
    gives(CLOCKS("Office") EVENT("UID:1\r\nDTSTART;TZID=Office:20260329T013000\r\nDURATION:PT1H\r\n"),
          "2026-03-29T01:30:00Z..2026-03-29T02:30:00Z ");
    gives(CLOCKS("Office") EVENT("UID:1\r\nDTSTART;TZID=Office:20261025T013000\r\nDURATION:PT1H\r\n"),
          "2026-10-25T00:30:00Z..2026-10-25T01:30:00Z ");
    gives(EVENT("UID:1\r\nDTSTART;TZID=America/New_York:20990701T130000\r\nDURATION:PT1H\r\n"),
          "2099-07-01T17:00:00Z..2099-07-01T18:00:00Z ");
}

static void a_zone_that_nobody_knows_is_refused(void **state)
{
    (void)state;
    is_refused(EVENT("UID:1\r\nDTSTART;TZID=Eastern Standard Time:20260706T130000\r\nDURATION:PT1H\r\n"),
               "line 6: the zone \"Eastern Standard Time\"");
    is_refused(EVENT("UID:1\r\nDTSTART:20260706T130000\r\nDTEND;TZID=\"Eastern Standard Time\":20260706T140000\r\n"),
               "line 7: the zone \"Eastern Standard Time\"");
    is_refused(EVENT("UID:1\r\nDTSTART;TZID=Eastern Sta\r\n ndard Time:20260706T130000\r\n"),
               "the zone \"Eastern Standard Time\"");
    is_refused(MONDAYS("EXDATE;TZID=Mars:20260713T120000\r\n"), "the zone \"Mars\"");
    is_refused(MONDAYS("RDATE;TZID=Mars:20260713T120000\r\n"), "the zone \"Mars\"");
    is_refused(MONDAYS("") EVENT("UID:1\r\nRECURRENCE-ID;TZID=Mars:20260713T120000\r\nDTSTART:20260713T120000Z\r\n"),
               "the zone \"Mars\"");
    is_refused(EVENT("UID:1\r\nDTSTART;TZID:20260706T130000\r\n"), "parameter");
    gives(EVENT("UID:1\r\nDTSTART;VALUE=DATE;TZID=Mars:20260706\r\n"), "2026-07-06 ");
    is_refused("BEGIN:VTIMEZONE\r\nTZID:Wild\r\nBEGIN:STANDARD\r\nDTSTART:19701025T020000\r\nTZOFFSETFROM:+0100\r\n"
               "TZOFFSETTO:+0000\r\nRRULE:FREQ=HOURLY\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
               EVENT("UID:1\r\nDTSTART;TZID=Wild:20260706T130000\r\n"), "clocks change more often");
    gives(EVENT("UID:1\r\nDTSTART;TZID=US/Eastern:20260706T080000\r\nDURATION:PT4H\r\n"), MONDAY_6);
}

static void all_calendars_of_a_file_are_read(void **state)
{
    static const char one[] = CALENDAR(MONDAYS("RRULE:FREQ=WEEKLY;COUNT=3\r\n"));
    /* Of the same name, but always with UTC. */
    static const char other[] = CALENDAR(
        "BEGIN:VTIMEZONE\r\nTZID:Office\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
        "TZOFFSETFROM:+0000\r\nTZOFFSETTO:+0000\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
        EVENT("UID:2\r\nDTSTART;TZID=Office:20260707T120000\r\nDURATION:PT1H\r\n")
        EVENT("UID:1\r\nRECURRENCE-ID;TZID=Office:20260713T120000\r\nDTSTART;VALUE=DATE:20260714\r\n"));
    static const char foreign[] = CALENDAR(EVENT("UID:3\r\nDTSTART;TZID=Office:20260707T120000\r\n"));
    struct kp_err err = {0};
    struct found found;
    char both[8192];

    (void)state;
    snprintf(both, sizeof both, "\xEF\xBB\xBF%s\r\n%s", one, other);
    assert_int_equal(read_file(both, &found, &err), KP_OK);
    assert_string_equal(found.text, MONDAY_6 MONDAY_20 "2026-07-07T12:00:00Z..2026-07-07T13:00:00Z 2026-07-14 ");
    snprintf(both, sizeof both, "%s%s", one, foreign);
    assert_int_equal(read_file(both, &found, &err), KP_EINVAL);
    snprintf(both, sizeof both, "%s%.*s", one, (int)sizeof other - 30, other);
    assert_int_equal(read_file(both, &found, &err), KP_EINVAL);
    assert_string_equal(err.text, "ends within a calendar: END:VCALENDAR is missing");
}

/* Empty properties are what calendars in the web are full of, and libical calls them errors. */
static void a_line_that_says_nothing_about_when_may_be_broken(void **state)
{
    (void)state;
    gives(EVENT(ALL_DAY("20260706") "DESCRIPTION:\r\nLOCATION:\r\nGEO:nowhere\r\nNEW-KEY:1\r\nSTATUS:\r\n\r\n"
                "BEGIN:VALARM\r\nTRIGGER:soon\r\nEND:VALARM\r\n"), "2026-07-06 ");
    is_refused(EVENT(ALL_DAY("20260706") "RRULE:FREQ=NOW\r\n"), "line 7: \"RRULE:FREQ=NOW\"");
    is_refused(EVENT(ALL_DAY("20260706") "EXDATE:20260706,hello\r\n"), "line 7:");
    is_refused(EVENT(ALL_DAY("20260706") "folded\r\n"), "line 7: \"folded\"");
    is_refused(EVENT(ALL_DAY("20260231")), "does not exist");
    is_refused(EVENT("UID:1\r\nDTSTART:20260701T250000Z\r\n"), "does not exist");
    is_refused(EVENT(ALL_DAY("20260706") "RRULE:FREQ=DAILY;UNTIL=20260732\r\n"), "does not exist");
    is_refused(EVENT("UID:1\r\nSUMMARY:x\r\n"), "has no DTSTART");
    is_refused(EVENT(ALL_DAY("20260706") "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\r\n"), "can't be followed");
    is_refused(EVENT("UID:1\r\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260706T120000Z\r\nDTSTART:20260706T120000Z\r\n"),
               "RANGE");
    is_refused(EVENT("RECURRENCE-ID:20260706T120000Z\r\nDTSTART:20260706T120000Z\r\n"), "an event without UID has");
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
    assert_int_equal(read_lines(EVENT(ALL_DAY("16010101") "RRULE:FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=25,26\r\n"),
                                &found, &err), KP_OK);
    assert_int_equal(found.count, 2 * (KP_HOLIDAYS_LAST - KP_HOLIDAYS_FIRST + 1));
    assert_int_equal(read_lines(EVENT(ALL_DAY("20260101") "DURATION:P99999999D\r\n"), &found, &err), KP_ELIMIT);
    assert_int_equal(read_lines(EVENT("UID:1\r\nDTSTART:20260101T000000Z\r\nDURATION:P99999999W\r\n"),
                                &found, &err), KP_ELIMIT);
    assert_int_equal(read_lines(EVENT("UID:1\r\nDTSTART:19700101T000000Z\r\n"
                                      "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30\r\n"),
                                &found, &err), KP_ELIMIT);
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
    assert_int_equal(read_file(EVENT(ALL_DAY("20260706")), &found, &err), KP_EINVAL);
    assert_string_equal(err.text, "line 1: \"BEGIN:VEVENT\" is in no calendar (BEGIN:VCALENDAR)");
    assert_int_equal(read_file("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", &found, &err), KP_EINVAL);
    assert_int_equal(read_file(CALENDAR("END:VEVENT\r\n") "END:VCALENDAR\r\n", &found, &err), KP_EINVAL);
    kp_zone_destroy(&zone);
}

/* ---- in a configuration ---- */

static void a_single_value_stands_for_a_list_of_one(void **state)
{
    static const char yaml[] = "kpis: {k: {aggregate: count}}\n"
                               "calendars:\n"
                               "  one: {hours: {mon: '09:00-17:00'}, holidays: 2026-12-25}\n"
                               "  range: {hours: {mon: '09:00-17:00'}, holidays: 2026-12-25..2026-12-26}\n"
                               "roster:\n"
                               "  members:\n"
                               "    - {rep: ana, aliases: Ana Silva, away: 2026-08-03}\n"
                               "    - {rep: bob, aliases: [b1, b2], away: 2026-08-03..2026-08-04 2026-08-10}\n";
    struct kp_fault_list list;
    struct kp_config config;
    const struct kp_member *ana, *bob;

    (void)state;
    kp_fault_list_init(&list, "test.yaml");
    if (kp_config_load_bytes("test.yaml", NULL, yaml, strlen(yaml), &config, &list.faults)) {
        kp_fault_list_print(&list, stderr);
        fail();
    }
    kp_fault_list_release(&list);
    assert_int_equal(config.calendars[0].nholidays, 1);
    assert_int_equal(config.calendars[0].holidays[0], kp_civil_to_day(2026, 12, 25));
    assert_int_equal(config.calendars[1].nholidays, 2);
    ana = &config.roster.members[0];
    assert_int_equal(ana->naliases, 1);
    assert_string_equal(ana->aliases[0], "Ana Silva");
    assert_int_equal(ana->naway, 1);
    assert_int_equal(ana->away[0].first, kp_civil_to_day(2026, 8, 3));
    assert_int_equal(ana->away[0].last, kp_civil_to_day(2026, 8, 3));
    bob = &config.roster.members[1];
    assert_int_equal(bob->naliases, 2);
    assert_int_equal(bob->naway, 2);
    kp_config_release(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_day_events_are_days_to_their_end_which_is_left_out),
        cmocka_unit_test(a_rule_repeats_without_its_exceptions),
        cmocka_unit_test(one_of_a_series_can_be_moved),
        cmocka_unit_test(timed_events_are_stretches_in_their_zone),
        cmocka_unit_test(until_is_the_last_start_in_whatever_zone_it_is),
        cmocka_unit_test(exceptions_are_known_in_whatever_zone_they_are),
        cmocka_unit_test(an_override_is_known_in_whatever_zone_it_is),
        cmocka_unit_test(an_override_is_not_overridden_by_another),
        cmocka_unit_test(all_further_dates_are_taken),
        cmocka_unit_test(periods_have_lengths_of_their_own),
        cmocka_unit_test(each_end_has_its_own_zone),
        cmocka_unit_test(days_are_of_the_wall_and_hours_just_pass),
        cmocka_unit_test(a_zone_that_nobody_knows_is_refused),
        cmocka_unit_test(all_calendars_of_a_file_are_read),
        cmocka_unit_test(a_line_that_says_nothing_about_when_may_be_broken),
        cmocka_unit_test(what_is_cancelled_or_blocks_no_time_is_left_out),
        cmocka_unit_test(an_endless_rule_ends_with_the_years_that_are_read),
        cmocka_unit_test(what_is_no_calendar_is_refused),
        cmocka_unit_test(a_single_value_stands_for_a_list_of_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
