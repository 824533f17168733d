#include "kpid/calendar.h"

#include <stdlib.h>
#include <string.h>

/* DAYS: from 1970-01-01 to 2199-12-31. A day's instants lie within a day of where UTC has them. */
enum { DAYS = 84006, SPANS_MAX = 2 };

struct kp_calendar {
    const struct kp_calendar_cfg *cfg;  /* borrowed, like the next */
    const struct kp_zone *zone;
    int64_t before[DAYS + 1];           /* working ms of all days before */
};

struct span {           /* instants with one offset from UTC, of one local day */
    int64_t from, to, offset;
};

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- One day ---- */

static int64_t offset_at(const struct kp_zone *zone, int64_t at_ms)
{
    return (int64_t)kp_zone_offset_s(zone, at_ms) * 1000;
}

/* The instant between lo and hi at which the offset changes; it does so once at most in such a time. */
static int64_t change_between(const struct kp_zone *zone, int64_t lo, int64_t hi)
{
    int64_t old = offset_at(zone, lo);

    while (hi - lo > 1) {
        int64_t mid = lo + (hi - lo) / 2;

        if (offset_at(zone, mid) == old)
            lo = mid;
        else
            hi = mid;
    }
    return hi;
}

/* The instants whose local date is that day: one span, or two when clocks change on it or just beside it. */
static int spans_of(const struct kp_zone *zone, int64_t day, struct span spans[SPANS_MAX])
{
    int64_t lo = (day - 1) * KP_DAY_MS, hi = (day + 2) * KP_DAY_MS, change;
    int64_t old = offset_at(zone, lo), new = offset_at(zone, hi);
    int n = 0;

    if (old == new) {
        spans[0] = (struct span){day * KP_DAY_MS - old, (day + 1) * KP_DAY_MS - old, old};
        return 1;
    }
    change = change_between(zone, lo, hi);
    spans[n] = (struct span){day * KP_DAY_MS - old, least((day + 1) * KP_DAY_MS - old, change), old};
    n += spans[n].from < spans[n].to;
    spans[n] = (struct span){most(day * KP_DAY_MS - new, change), (day + 1) * KP_DAY_MS - new, new};
    n += spans[n].from < spans[n].to;
    return n;
}

static bool is_holiday(const struct kp_calendar_cfg *cfg, int64_t day)
{
    size_t lo = 0, hi = cfg->nholidays;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (cfg->holidays[mid] < day)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < cfg->nholidays && cfg->holidays[lo] == day;
}

/* What of [from, to) is closed. */
static int64_t closed_within(const struct kp_calendar_cfg *cfg, int64_t from, int64_t to)
{
    size_t lo = 0, hi = cfg->nclosed;
    int64_t ms = 0;

    while (lo < hi) {       /* the first that ends after `from` */
        size_t mid = (lo + hi) / 2;

        if (cfg->closed[mid].to_ms <= from)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < cfg->nclosed && cfg->closed[lo].from_ms < to; lo++)
        ms += least(cfg->closed[lo].to_ms, to) - most(cfg->closed[lo].from_ms, from);
    return ms;
}

/* Working ms of a local day within [from, to). */
static int64_t work_of_day(const struct kp_calendar *calendar, int64_t day, int64_t from, int64_t to)
{
    const struct kp_calendar_cfg *cfg = calendar->cfg;
    int weekday = kp_weekday(day);
    struct span spans[SPANS_MAX];
    int64_t ms = 0;
    int n;

    if (cfg->nhours[weekday] == 0 || is_holiday(cfg, day))
        return 0;
    n = spans_of(calendar->zone, day, spans);
    for (int i = 0; i < n; i++) {
        int64_t midnight = day * KP_DAY_MS - spans[i].offset;

        for (size_t h = 0; h < cfg->nhours[weekday]; h++) {
            int64_t a = most(most(midnight + cfg->hours[weekday][h].from_ms, spans[i].from), from);
            int64_t b = least(least(midnight + cfg->hours[weekday][h].to_ms, spans[i].to), to);

            if (a < b)
                ms += b - a - closed_within(cfg, a, b);
        }
    }
    return ms;
}

/* ---- Making ---- */

struct kp_calendar *kp_calendar_new(const struct kp_calendar_cfg *cfg, const struct kp_zone *zone, struct kp_err *err)
{
    struct kp_calendar *calendar = malloc(sizeof *calendar);

    if (!calendar) {
        kp_fail(err, KP_ENOMEM, "calendar: out of memory");
        return NULL;
    }
    calendar->cfg = cfg;
    calendar->zone = zone;
    calendar->before[0] = 0;
    for (int64_t day = 0; day < DAYS; day++)
        calendar->before[day + 1] = calendar->before[day] + work_of_day(calendar, day, INT64_MIN, INT64_MAX);
    return calendar;
}

void kp_calendar_destroy(struct kp_calendar **calendar)
{
    free(*calendar);
    *calendar = NULL;
}

/* ---- Between two instants ---- */

/* Of whole days first..last-1. */
static int64_t work_of_days(const struct kp_calendar *calendar, int64_t first, int64_t last)
{
    int64_t ms = 0;

    if (first < DAYS && first >= 0) {
        int64_t end = least(last, DAYS);

        ms = calendar->before[end] - calendar->before[first];
        first = end;
    }
    for (; first < last; first++)
        ms += work_of_day(calendar, first, INT64_MIN, INT64_MAX);
    return ms;
}

/* Days at both ends are looked at themselves, the next ones too: a change of clocks may push an instant of theirs over the
 * border. What lies between is known. */
static int64_t work_between(const struct kp_calendar *calendar, int64_t from, int64_t to)
{
    int64_t first, last, ms = 0;

    if (to <= from)
        return 0;
    first = kp_zone_day(calendar->zone, from) - 1;
    last = kp_zone_day(calendar->zone, to) + 1;
    if (last - first < 6) {
        for (int64_t day = first; day <= last; day++)
            ms += work_of_day(calendar, day, from, to);
        return ms;
    }
    for (int64_t i = 0; i < 3; i++)
        ms += work_of_day(calendar, first + i, from, to) + work_of_day(calendar, last - i, from, to);
    return ms + work_of_days(calendar, first + 3, last - 2);
}

int64_t kp_calendar_work(const struct kp_calendar *calendar, const struct kp_days *away, size_t naway, int64_t from_ms,
                         int64_t to_ms)
{
    int64_t ms = work_between(calendar, from_ms, to_ms);

    for (size_t i = 0; i < naway && ms > 0; i++) {
        int64_t gone = kp_zone_day_start(calendar->zone, away[i].first);
        int64_t back = kp_zone_day_start(calendar->zone, away[i].last + 1);

        ms -= work_between(calendar, most(gone, from_ms), least(back, to_ms));
    }
    return ms;
}

bool kp_calendar_open(const struct kp_calendar *calendar, const struct kp_days *away, size_t naway, int64_t at_ms)
{
    return kp_calendar_work(calendar, away, naway, at_ms, at_ms + 1) > 0;
}
