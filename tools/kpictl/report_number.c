/* Numbers of a report, as people read them. */
#include "report.h"

#include "kpid/message.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LONG_S = 3 * 86400 };    /* from here on days are easier to grasp than hours */

/* "1234567.5" as "1,234,567.5"; the sign stands before. */
static void group(const char *plain, char *buf, size_t size)
{
    size_t sign = *plain == '-', whole = strcspn(plain + sign, "."), len = 0;

    if (sign)
        buf[len++] = '-';
    for (size_t i = 0; plain[sign + i] && len + 2 < size; i++) {
        if (i && i < whole && (whole - i) % 3 == 0)
            buf[len++] = ',';
        buf[len++] = plain[sign + i];
    }
    buf[len] = '\0';
}

static void lapse(double seconds, char *buf, size_t size)
{
    char text[48];

    if (seconds < 60) {
        kp_number_text(seconds, true, NULL, text, sizeof text);
        snprintf(buf, size, "%s s", text);
    } else {
        kp_lapse_text(seconds, seconds >= LONG_S, buf, size);
    }
}

const char *report_number(double value, const char *unit, char buf[REPORT_NUMBER])
{
    bool percent = unit && strcmp(unit, "%") == 0;
    char plain[64], grouped[88];

    value = percent ? round(value * 1000) / 10 : fabs(value) >= 1000 ? round(value) : value;
    if (isnan(value)) {
        snprintf(buf, REPORT_NUMBER, "no data");
        return buf;
    }
    if (unit && strcmp(unit, "s") == 0) {
        if (value < 0)
            buf[0] = '-';
        lapse(fabs(value), buf + (value < 0), REPORT_NUMBER - 1);
        return buf;
    }
    kp_number_text(value, true, NULL, plain, sizeof plain);
    group(plain, grouped, sizeof grouped);
    snprintf(buf, REPORT_NUMBER, "%s%s%s", grouped, unit && *unit ? " " : "", unit ? unit : "");
    return buf;
}

const char *report_gap(double gap, const char *unit, char buf[REPORT_NUMBER])
{
    bool percent = unit && strcmp(unit, "%") == 0;
    char text[REPORT_NUMBER];

    buf[0] = '\0';
    if (isnan(gap))
        return buf;
    report_number(percent ? round(gap * 1000) / 10 : gap, percent ? "points" : unit, text);
    snprintf(buf, REPORT_NUMBER, "%s%.*s", gap > 0 ? "+" : "", REPORT_NUMBER - 2, text);
    return buf;
}

const char *report_spark(const struct report_series *series, char buf[64])
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double low = (double)NAN, high = (double)NAN;
    size_t at = 0;

    for (int i = 0; i < REPORT_WEEKS; i++) {
        low = fmin(low, series->weeks[i].value);        /* of a number and a NaN the number */
        high = fmax(high, series->weeks[i].value);
    }
    low = low > 0 ? 0 : low;    /* a height is a share of the highest, so that little change looks like little */
    for (int i = 0; i < REPORT_WEEKS; i++) {
        double value = series->weeks[i].value, share = high > low ? (value - low) / (high - low) : 0;

        at += (size_t)snprintf(buf + at, 64 - at, "%s", isnan(value) ? "·" : blocks[(int)lround(share * 7)]);     /* three bytes each */
    }
    return buf;
}
