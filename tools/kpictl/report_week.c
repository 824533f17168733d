/* Weeks as ISO 8601 numbers them, where a week need not begin on Monday. */
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { THURSDAY = 3, WEEK = 7 };

static int64_t thursday_of(int year, int number)
{
    int64_t fourth = kp_civil_to_day(year, 1, 4);      /* is always in week 1 */

    return fourth - kp_weekday(fourth) + THURSDAY + (int64_t)WEEK * (number - 1);
}

static int64_t first_day_of(int64_t day, int week_starts)
{
    return day - (kp_weekday(day) - week_starts + WEEK) % WEEK;
}

static void name(int64_t first_day, int week_starts, struct report_week *week)
{
    int64_t thursday = first_day + (THURSDAY - week_starts + WEEK) % WEEK;
    int month, mday;

    week->first_day = first_day;
    kp_civil_of_day(thursday, &week->year, &month, &mday);
    week->number = (int)((thursday - kp_civil_to_day(week->year, 1, 1)) / WEEK) + 1;
}

bool report_week_parse(const char *text, int *year, int *number)
{
    int end = 0, y, month, mday;

    if (strlen(text) != strlen("2026-W47") || strspn(text, "0123456789") != 4 || strspn(text + 6, "0123456789") != 2 ||
        sscanf(text, "%4d-W%2d%n", year, number, &end) != 2 || end != 8 || *year < 1970 || *number < 1)
        return false;
    kp_civil_of_day(thursday_of(*year, *number), &y, &month, &mday);
    return y == *year;      /* a year has 52 weeks or 53 */
}

void report_week_at(const struct kp_zone *zone, int week_starts, int64_t at_ms, int back, struct report_week *week)
{
    name(first_day_of(kp_zone_day(zone, at_ms), week_starts) - (int64_t)WEEK * back, week_starts, week);
}

void report_week_of(int week_starts, int year, int number, struct report_week *week)
{
    name(first_day_of(thursday_of(year, number), week_starts), week_starts, week);
}

void report_week_next(const struct report_week *week, int week_starts, struct report_week *next)
{
    name(week->first_day + WEEK, week_starts, next);
}

void report_week_starts(struct report *report)
{
    for (int i = 0; i <= REPORT_WEEKS; i++)
        report->starts[i] = kp_zone_day_start(report->zone, report->week.first_day + (int64_t)WEEK * (i - REPORT_BEFORE));
    report->running = report->now_ms < report->starts[REPORT_WEEKS];
}

/* A place far away begins its week up to a day apart. */
int report_week_index(const struct report *report, double at_ms)
{
    for (int i = 0; i < REPORT_WEEKS; i++)
        if (fabs(at_ms - (double)report->starts[i]) < 1.5 * (double)KP_DAY_MS)
            return i;
    return -1;
}

const char *report_week_text(const struct report_week *week, char buf[16])
{
    snprintf(buf, 16, "%04d-W%02d", week->year % 10000, week->number % 100);
    return buf;
}

const char *report_day_text(int64_t day, char buf[32])
{
    static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    int year, month, mday;

    kp_civil_of_day(day, &year, &month, &mday);
    snprintf(buf, 32, "%s %04d-%02d-%02d", days[kp_weekday(day)], year % 10000, month % 100, mday % 100);
    return buf;
}

const char *report_instant_text(const struct report *report, double at_ms, char buf[48])
{
    int64_t local, day;
    char text[32];

    buf[0] = '\0';
    if (isnan(at_ms) || at_ms < 0 || at_ms > 253402300799999.0)    /* to the end of the year 9999 */
        return buf;
    day = kp_zone_day(report->zone, (int64_t)at_ms);
    local = (int64_t)at_ms + kp_zone_offset_s(report->zone, (int64_t)at_ms) * INT64_C(1000) - day * KP_DAY_MS;
    snprintf(buf, 48, "%s %02d:%02d", report_day_text(day, text), (int)(local / 3600000) % 100, (int)(local / 60000 % 60));
    return buf;
}
