/* Dates, clock times and durations as text and as days; nothing here knows of a zone. */
#include "kpid/zone.h"

#include <stdio.h>
#include <string.h>

/* Days from civil and back: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2013). */
int64_t kp_civil_to_day(int year, int month, int mday)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + mday - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

    return era * 146097 + doe - 719468;
}

void kp_civil_of_day(int64_t day, int *year, int *month, int *mday)
{
    int64_t z = day + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *mday = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

int kp_weekday(int64_t day)
{
    int64_t w = (day + 3) % 7;      /* 1970-01-01 was a Thursday */

    return (int)(w < 0 ? w + 7 : w);
}

/* ---- RFC 3339 ---- */

struct scan {
    const char *at, *end;
};

/* Exactly n digits; -1: they are not there. */
static int digits(struct scan *s, int n)
{
    int v = 0;

    if (s->end - s->at < n)
        return -1;
    for (int i = 0; i < n; i++) {
        if (s->at[i] < '0' || s->at[i] > '9')
            return -1;
        v = v * 10 + (s->at[i] - '0');
    }
    s->at += n;
    return v;
}

static bool one_of(struct scan *s, const char *chars)
{
    if (s->at == s->end || *s->at == '\0' || !strchr(chars, *s->at))
        return false;
    s->at++;
    return true;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

static bool scan_fraction(struct scan *s, int *ms)
{
    int scale = 100;

    *ms = 0;
    if (!one_of(s, "."))
        return true;
    if (s->at == s->end || *s->at < '0' || *s->at > '9')
        return false;
    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++) {
        *ms += (*s->at - '0') * scale;
        scale /= 10;
    }
    return true;
}

static bool scan_offset(struct scan *s, int *minutes)
{
    int sign, h, m;

    *minutes = 0;
    if (one_of(s, "Zz"))
        return true;
    if (s->at == s->end || (*s->at != '+' && *s->at != '-'))
        return false;
    sign = *s->at++ == '-' ? -1 : 1;
    h = digits(s, 2);
    if (h < 0 || h > 23 || !one_of(s, ":"))
        return false;
    m = digits(s, 2);
    if (m < 0 || m > 59)
        return false;
    *minutes = sign * (h * 60 + m);
    return true;
}

bool kp_rfc3339_parse(const char *text, size_t len, int64_t *at_ms)
{
    struct scan s = {text, text + len};
    int year, month, mday, hour, minute, second, ms, offset;
    int64_t at;

    if ((year = digits(&s, 4)) < 0 || !one_of(&s, "-") || (month = digits(&s, 2)) < 1 || month > 12 ||
        !one_of(&s, "-") || (mday = digits(&s, 2)) < 1 || mday > month_days(year, month) || !one_of(&s, "Tt ") ||
        (hour = digits(&s, 2)) < 0 || hour > 23 || !one_of(&s, ":") || (minute = digits(&s, 2)) < 0 || minute > 59 ||
        !one_of(&s, ":") || (second = digits(&s, 2)) < 0 || second > 60 || !scan_fraction(&s, &ms) ||
        !scan_offset(&s, &offset) || s.at != s.end)
        return false;
    if (second == 60)
        second = 59;
    at = kp_civil_to_day(year, month, mday) * KP_DAY_MS +
         ((int64_t)(hour * 60 + minute - offset) * 60 + second) * 1000 + ms;
    if (at < 0 || at >= kp_civil_to_day(10000, 1, 1) * KP_DAY_MS)
        return false;
    *at_ms = at;
    return true;
}

char *kp_rfc3339_format(int64_t at_ms, char *buf)
{
    int64_t day = at_ms / KP_DAY_MS - (at_ms % KP_DAY_MS < 0);
    int64_t ms = at_ms - day * KP_DAY_MS;
    int year, month, mday, n;

    kp_civil_of_day(day, &year, &month, &mday);
    n = snprintf(buf, 32, "%04d-%02d-%02dT%02d:%02d:%02d", year % 100000, month, mday, (int)(ms / 3600000),
                 (int)(ms / 60000 % 60), (int)(ms / 1000 % 60));
    if (ms % 1000)
        n += snprintf(buf + n, 32 - (size_t)n, ".%03d", (int)(ms % 1000));
    snprintf(buf + n, 32 - (size_t)n, "Z");
    return buf;
}

/* ---- Dates, clock times, weekdays ---- */

bool kp_date_parse(const char *text, size_t len, int64_t *day)
{
    struct scan s = {text, text + len};
    int year, month, mday;

    if ((year = digits(&s, 4)) < 1970 || !one_of(&s, "-") || (month = digits(&s, 2)) < 1 || month > 12 || !one_of(&s, "-") ||
        (mday = digits(&s, 2)) < 1 || mday > month_days(year, month) || s.at != s.end)
        return false;
    *day = kp_civil_to_day(year, month, mday);
    return true;
}

bool kp_clock_parse(const char *text, size_t len, int32_t *clock_ms, int32_t *unit_ms)
{
    struct scan s = {text, text + len};
    int hour, minute, second = 0, ms = 0;

    if ((hour = digits(&s, 2)) < 0 || hour > 24 || !one_of(&s, ":") || (minute = digits(&s, 2)) < 0 || minute > 59)
        return false;
    *unit_ms = 60000;
    if (one_of(&s, ":")) {
        if ((second = digits(&s, 2)) < 0 || second > 59)
            return false;
        *unit_ms = s.at == s.end ? 1000 : 1;
        if (!scan_fraction(&s, &ms))
            return false;
    }
    *clock_ms = ((hour * 60 + minute) * 60 + second) * 1000 + ms;
    return s.at == s.end && *clock_ms <= KP_DAY_MS;
}

int kp_weekday_parse(const char *text, size_t len)
{
    static const char names[] = "montuewedthufrisatsun";

    for (int i = 0; i < 7; i++)
        if (len == 3 && memcmp(names + 3 * (size_t)i, text, 3) == 0)
            return i;
    return -1;
}

/* ---- Durations ---- */

bool kp_duration_parse(const char *text, size_t len, int64_t *ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", KP_DAY_MS}, {"w", 7 * KP_DAY_MS}};
    const int64_t most = 36525 * KP_DAY_MS;
    int64_t v = 0;
    size_t n = 0;

    for (; n < len && text[n] >= '0' && text[n] <= '9'; n++) {
        v = v * 10 + (text[n] - '0');
        if (v > most)
            return false;
    }
    for (size_t i = 0; n > 0 && i < sizeof units / sizeof *units; i++) {
        if (strlen(units[i].name) != len - n || memcmp(units[i].name, text + n, len - n) != 0)
            continue;
        if (v > most / units[i].ms)
            return false;
        *ms = v * units[i].ms;
        return true;
    }
    return false;
}
