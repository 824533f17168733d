#include "when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS_MAX = 64, RANGES_MAX = 64, TIMES_MAX = 1000000 };

struct point {                  /* an instant, or a clock time whose day is still open */
    enum { CLOCK, DATED, INSTANT } kind;
    int64_t day, at_ms, unit_ms;
    int32_t clock_ms;
    size_t at;                  /* in the text */
};

struct scan {
    const struct when_frame *frame;
    const char *text;
    size_t len;
    size_t at, word_len;        /* the word at hand; no length: the end */
    size_t fault_at;
    struct kp_err *err;
};

struct days {
    struct {
        int64_t first, last;
    } ranges[RANGES_MAX];
    size_t nranges;
    unsigned weekdays;          /* a bit each; 0: all of them */
};

struct found {
    int64_t *list;              /* owned */
    size_t count, room, most;
};

/* ---- Words ---- */

static bool is_gap(char c)
{
    return c == ' ' || c == ',' || c == '\n' || c == '\t';
}

static void advance(struct scan *s)
{
    s->at += s->word_len;
    while (s->at < s->len && is_gap(s->text[s->at]))
        s->at++;
    for (s->word_len = 0; s->at + s->word_len < s->len && !is_gap(s->text[s->at + s->word_len]);)
        s->word_len++;
}

static struct scan begin(const struct when_frame *frame, const char *text, size_t len, struct kp_err *err)
{
    struct scan s = {.frame = frame, .text = text, .len = len, .err = err};

    advance(&s);
    return s;
}

static bool is_word(const struct scan *s, const char *word)
{
    return strlen(word) == s->word_len && memcmp(s->text + s->at, word, s->word_len) == 0;
}

static bool take(struct scan *s, const char *word)
{
    if (!is_word(s, word))
        return false;
    advance(s);
    return true;
}

/* The word at hand for a message. */
static const char *word_of(const struct scan *s, char buf[40])
{
    snprintf(buf, 40, s->word_len ? "\"%.*s\"" : "nothing", (int)(s->word_len < 32 ? s->word_len : 32), s->text + s->at);
    return buf;
}

static bool expected(struct scan *s, const char *what)
{
    char buf[40];

    s->fault_at = s->at;
    kp_fail(s->err, KP_EINVAL, "%s is expected, not %s", what, word_of(s, buf));
    return false;
}

/* ---- Instants ---- */

static bool read_ms(const char *word, size_t len, int64_t *at_ms)
{
    int64_t v = 0;

    if (len < 10 || len > 15)
        return false;       /* fewer digits are no ms of any year that is meant */
    for (size_t i = 0; i < len; i++) {
        if (word[i] < '0' || word[i] > '9')
            return false;
        v = v * 10 + (word[i] - '0');
    }
    *at_ms = v;
    return true;
}

static bool read_clock(struct scan *s, struct point *point)
{
    int32_t unit_ms;

    if (!kp_clock_parse(s->text + s->at, s->word_len, &point->clock_ms, &unit_ms))
        return expected(s, "a time of day like 09:00");
    point->unit_ms = unit_ms;
    advance(s);
    return true;
}

/* before: the point that was told before it, NULL when it is the first. */
static bool read_point(struct scan *s, const struct point *before, struct point *point)
{
    const char *word = s->text + s->at;

    *point = (struct point){.kind = INSTANT, .unit_ms = 1, .at = s->at};
    if (read_ms(word, s->word_len, &point->at_ms) || kp_rfc3339_parse(word, s->word_len, &point->at_ms)) {
        advance(s);
        return true;
    }
    point->kind = DATED;
    if (kp_date_parse(word, s->word_len, &point->day)) {
        advance(s);
        return read_clock(s, point);
    }
    if (before && before->kind == DATED)
        point->day = before->day;
    else
        point->kind = CLOCK;
    return read_clock(s, point);
}

static bool no_such_time(struct scan *s, const struct point *point, int64_t day)
{
    int year, month, mday;

    kp_civil_of_day(day, &year, &month, &mday);
    s->fault_at = point->at;
    kp_fail(s->err, KP_EINVAL, "%02d:%02d does not exist on %04d-%02d-%02d in %s: the clocks are put forward over it",
            (int)(point->clock_ms / 3600000), (int)(point->clock_ms / 60000 % 60), year % 10000, month, mday,
            s->frame->zone_name);
    return false;
}

/* day: the one that a clock time is of; NULL: there is none at hand. */
static bool resolve(struct scan *s, const struct point *point, const int64_t *day, int64_t *at_ms)
{
    int64_t d = point->kind == DATED ? point->day : day ? *day : 0, local;
    int32_t clock_ms = point->clock_ms;

    if (point->kind == INSTANT) {
        *at_ms = point->at_ms;
        return true;
    }
    if (point->kind == CLOCK && !day) {
        s->fault_at = point->at;
        kp_fail(s->err, KP_EINVAL, "a time of day needs a date: give the test one (date: 2026-11-24), or write it before the time");
        return false;
    }
    if (clock_ms == KP_DAY_MS) {        /* 24:00 is where the next day begins, also where that is not at 0:00 */
        *at_ms = kp_zone_day_start(s->frame->zone, d + 1);
        return true;
    }
    *at_ms = kp_zone_instant(s->frame->zone, d, clock_ms);
    local = *at_ms + INT64_C(1000) * kp_zone_offset_s(s->frame->zone, *at_ms);
    return local == d * KP_DAY_MS + clock_ms || no_such_time(s, point, d);
}

/* ---- Lists of them ---- */

static bool add(struct scan *s, struct found *found, int64_t at_ms)
{
    if (found->count == found->most || at_ms < 0) {
        s->fault_at = 0;
        kp_fail(s->err, KP_EINVAL, at_ms < 0 ? "is before 1970" : "is more than %zu times", found->most);
        return false;
    }
    if (found->count == found->room) {
        size_t room = found->room ? found->room * 2 : 16;
        int64_t *grown = realloc(found->list, room * sizeof *grown);

        if (!grown) {
            kp_fail(s->err, KP_ENOMEM, "out of memory");
            return false;
        }
        found->list = grown;
        found->room = room;
    }
    found->list[found->count++] = at_ms;
    return true;
}

/* "mon", "mon-fri" */
static bool read_weekdays(const struct scan *s, struct days *days)
{
    const char *word = s->text + s->at;
    int first = s->word_len >= 3 ? kp_weekday_parse(word, 3) : -1;
    int last = s->word_len == 7 && word[3] == '-' ? kp_weekday_parse(word + 4, 3) : s->word_len == 3 ? first : -1;

    if (first < 0 || last < 0)
        return false;
    for (int day = first;; day = (day + 1) % 7) {
        days->weekdays |= 1u << day;
        if (day == last)
            return true;
    }
}

static bool read_dates(const struct scan *s, struct days *days)
{
    const char *word = s->text + s->at;
    bool is_range = s->word_len == 22 && memcmp(word + 10, "..", 2) == 0;
    int64_t first, last;

    if (!is_range && s->word_len != 10)
        return false;
    if (!kp_date_parse(word, 10, &first) || !kp_date_parse(is_range ? word + 12 : word, 10, &last) || last < first ||
        days->nranges == RANGES_MAX)
        return false;
    days->ranges[days->nranges].first = first;
    days->ranges[days->nranges++].last = last;
    return true;
}

/* Behind "on", to the end. */
static bool read_days(struct scan *s, struct days *days)
{
    const struct when_frame *frame = s->frame;
    size_t at = s->at;

    do {
        if (!read_weekdays(s, days) && !read_dates(s, days))
            return expected(s, "a day like mon, mon-fri, 2026-11-24 or 2026-11-23..2026-11-27");
        advance(s);
        take(s, "and");
    } while (s->word_len);
    if (days->nranges)
        return true;
    if (!frame->has_day) {
        s->fault_at = at;
        kp_fail(s->err, KP_EINVAL, "of which week? Give the test a date, or write 2026-11-23..2026-11-27 as well");
        return false;
    }
    days->ranges[0].first = frame->day - kp_weekday(frame->day);
    days->ranges[0].last = days->ranges[0].first + 6;
    days->nranges = 1;
    return true;
}

/* What is told of one day, or of none. */
struct told {
    struct point points[POINTS_MAX];
    size_t npoints;
    int64_t every_ms;           /* 0: the points; else: so often from the first to before the second */
    int64_t times;
};

static bool add_day(struct scan *s, const struct told *told, const int64_t *day, struct found *found)
{
    int64_t at_ms, to_ms;

    for (size_t i = 0; i < told->npoints && !told->every_ms; i++) {
        if (!resolve(s, &told->points[i], day, &at_ms))
            return false;
        for (int64_t k = 0; k < told->times; k++)
            if (!add(s, found, at_ms))
                return false;
    }
    if (!told->every_ms)
        return true;
    if (!resolve(s, &told->points[0], day, &at_ms) || !resolve(s, &told->points[1], day, &to_ms))
        return false;
    if (to_ms <= at_ms) {
        s->fault_at = told->points[1].at;
        kp_fail(s->err, KP_EINVAL, "`to` is not after `from`; one of another day has its date before it");
        return false;
    }
    for (; at_ms < to_ms; at_ms += told->every_ms)
        for (int64_t k = 0; k < told->times; k++)
            if (!add(s, found, at_ms))
                return false;
    return true;
}

static bool add_days(struct scan *s, const struct told *told, const struct days *days, struct found *found)
{
    for (size_t i = 0; i < told->npoints; i++) {
        if (told->points[i].kind == CLOCK)
            continue;
        s->fault_at = told->points[i].at;
        kp_fail(s->err, KP_EINVAL, "a time with a date of its own can't be on other days as well");
        return false;
    }
    for (size_t i = 0; i < days->nranges; i++)
        for (int64_t day = days->ranges[i].first; day <= days->ranges[i].last; day++)
            if ((!days->weekdays || days->weekdays >> kp_weekday(day) & 1) && !add_day(s, told, &day, found))
                return false;
    return true;
}

/* "every 10m from 09:00 to 12:00", behind "every". */
static bool read_every(struct scan *s, struct told *told)
{
    if (!kp_duration_parse(s->text + s->at, s->word_len, &told->every_ms) || told->every_ms == 0)
        return expected(s, "a duration like 90s, 10m or 1h");
    advance(s);
    if (!take(s, "from"))
        return expected(s, "\"from\"");
    if (!read_point(s, NULL, &told->points[0]))
        return false;
    if (!take(s, "to"))
        return expected(s, "\"to\"");
    told->npoints = 2;
    return read_point(s, &told->points[0], &told->points[1]);
}

static bool read_points(struct scan *s, struct told *told)
{
    do {
        if (told->npoints == POINTS_MAX)
            return expected(s, "no further time (64 are the most)");
        if (!read_point(s, told->npoints ? &told->points[told->npoints - 1] : NULL, &told->points[told->npoints]))
            return false;
        told->npoints++;
        take(s, "and");
    } while (s->word_len && !is_word(s, "on"));
    return true;
}

/* "3 times", if it is there. */
static bool read_times(struct scan *s, struct told *told)
{
    struct scan next = *s;

    told->times = 1;
    advance(&next);
    if (!is_word(&next, "times"))
        return true;
    told->times = 0;
    for (size_t i = 0; i < s->word_len; i++) {
        if (s->text[s->at + i] < '0' || s->text[s->at + i] > '9')
            return expected(s, "a whole number");
        if (told->times <= TIMES_MAX)       /* of one that is larger it does not matter by how much */
            told->times = told->times * 10 + (s->text[s->at + i] - '0');
    }
    *s = next;
    advance(s);
    return true;
}

static bool read_all(struct scan *s, struct found *found)
{
    struct told told = {0};
    struct days days = {0};

    if (!read_times(s, &told) || !(take(s, "every") ? read_every(s, &told) : (take(s, "at"), read_points(s, &told))))
        return false;
    if (take(s, "on"))
        return read_days(s, &days) && add_days(s, &told, &days, found);
    if (s->word_len)
        return expected(s, "\"on\", or the end,");
    return add_day(s, &told, s->frame->has_day ? &s->frame->day : NULL, found);
}

static int rising(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

bool when_all(const struct when_frame *frame, const char *text, size_t len, size_t most, int64_t **list, size_t *count,
              size_t *at, struct kp_err *err)
{
    struct scan s = begin(frame, text, len, err);
    struct found found = {.most = most};

    if (!read_all(&s, &found)) {
        free(found.list);
        *at = s.fault_at;
        return false;
    }
    if (found.count)
        qsort(found.list, found.count, sizeof *found.list, rising);
    *list = found.list;
    *count = found.count;
    return true;
}

bool when_instant(const struct when_frame *frame, const char *text, size_t len, int64_t *at_ms, int64_t *unit_ms, size_t *at,
                  struct kp_err *err)
{
    struct scan s = begin(frame, text, len, err);
    struct point point = {0};
    bool ok = read_point(&s, NULL, &point) && resolve(&s, &point, frame->has_day ? &frame->day : NULL, at_ms) &&
              (!s.word_len || expected(&s, "one time alone"));

    *unit_ms = point.unit_ms;
    *at = s.fault_at;
    return ok;
}

char *when_text(const struct when_frame *frame, int64_t at_ms, char *buf)
{
    static const char *const weekdays[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    int32_t offset_s = kp_zone_offset_s(frame->zone, at_ms), minutes = abs(offset_s) / 60;
    int64_t day = kp_zone_day(frame->zone, at_ms), start = kp_zone_day_start(frame->zone, day);
    char iso[32];
    int n;

    kp_rfc3339_format(at_ms + INT64_C(1000) * offset_s, iso);
    iso[10] = ' ';
    n = snprintf(buf, 48, "%s %.*s", weekdays[kp_weekday(day)], (int)strlen(iso) - 1, iso);
    if (kp_zone_offset_s(frame->zone, start) != kp_zone_offset_s(frame->zone, kp_zone_day_start(frame->zone, day + 1) - 1))
        snprintf(buf + n, 48 - (size_t)n, "%c%02d:%02d", offset_s < 0 ? '-' : '+', (int)minutes / 60, (int)minutes % 60);
    return buf;
}
