/* Zones from TZif bytes: RFC 8536. Only the data that tells offsets is kept.
 *
 * A footer's rule is written out as transitions for 400 years past the file's last one. The Gregorian calendar, days
 * of the week included, repeats after 400 years, so an instant beyond is looked up whole cycles earlier, and each
 * lookup is one binary search. The idea is that of the public-domain tz code (localtime.c). */
#include "kpid/zone.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER = 44, TYPES_MAX = 256, TIMES_MAX = 100000, DAY_S = 86400, OFFSET_MAX_S = 26 * 3600 };

#define CYCLE_S (INT64_C(146097) * DAY_S)   /* 400 years */
#define TIME_MOST (INT64_C(1) << 55)        /* s; files begin with "the big bang", beyond any date */

/* When a rule of the footer begins, each year: "M3.5.0/2", "J60", "59". */
struct change {
    char form;          /* 'M', 'J', or 0 for days from 0 */
    int month, week, wday, day;
    int32_t time_s;     /* local, may be negative or over a day */
};

/* A footer: "GMT0BST,M3.5.0/1,M10.5.0". */
struct rule {
    bool given, has_dst;
    int32_t std_s, dst_s;   /* offsets */
    struct change to_dst, to_std;
};

struct kp_zone {
    size_t count;
    int64_t *times;     /* owned; rising (of equal ones the last holds), seconds */
    int32_t *offsets;   /* owned; from times[i] on */
    int32_t first_s;    /* before times[0] */
    bool cycles;        /* the last 400 years of times repeat for ever; else the last offset stays */
};

/* ---- Reading ---- */

struct input {
    const unsigned char *at, *end;
};

static uint32_t be32(const unsigned char *p)
{
    return ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | p[3];
}

static int64_t be64(const unsigned char *p)
{
    return (int64_t)(((uint64_t)be32(p) << 32) | be32(p + 4));
}

struct header {
    unsigned char version;
    uint32_t isut, isstd, leap, time, type, chars;
};

static bool read_header(struct input *in, struct header *h)
{
    const unsigned char *p = in->at;

    if (in->end - p < HEADER || memcmp(p, "TZif", 4) != 0)
        return false;
    h->version = p[4];
    h->isut = be32(p + 20);
    h->isstd = be32(p + 24);
    h->leap = be32(p + 28);
    h->time = be32(p + 32);
    h->type = be32(p + 36);
    h->chars = be32(p + 40);
    in->at += HEADER;
    return h->time <= TIMES_MAX && h->type <= TYPES_MAX && h->chars <= 65536 && h->leap <= TIMES_MAX &&
           h->isut <= TYPES_MAX && h->isstd <= TYPES_MAX;
}

static size_t body_size(const struct header *h, size_t wide)
{
    return h->time * (wide + 1) + h->type * 6 + h->chars + h->leap * (wide + 4) + h->isstd + h->isut;
}

static enum kp_code bad(struct kp_err *err, const char *what)
{
    return kp_fail(err, KP_EINVAL, "zone: %s", what);
}

static bool reserve(struct kp_zone *zone, size_t room)
{
    int64_t *times = realloc(zone->times, room * sizeof *times);
    int32_t *offsets;

    if (!times)
        return false;
    zone->times = times;
    offsets = realloc(zone->offsets, room * sizeof *offsets);
    if (!offsets)
        return false;
    zone->offsets = offsets;
    return true;
}

static int64_t time_of(const unsigned char *p, size_t wide)
{
    int64_t at = wide == 8 ? be64(p) : (int32_t)be32(p);

    return at < -TIME_MOST ? -TIME_MOST : at > TIME_MOST ? TIME_MOST : at;
}

static enum kp_code read_body(struct kp_zone *zone, struct input *in, const struct header *h, size_t wide,
                              struct kp_err *err)
{
    const unsigned char *times = in->at, *kinds, *types;

    if (h->type < 1)
        return bad(err, "no local time type");
    if (h->leap)        /* its times run 27 s ahead of ours, and it ends with the leap seconds that are known */
        return bad(err, "a file that counts leap seconds (right/): take the plain zone");
    if ((size_t)(in->end - in->at) < body_size(h, wide))
        return bad(err, "the file is cut short");
    kinds = times + h->time * wide;
    types = kinds + h->time;
    in->at += body_size(h, wide);
    if (!reserve(zone, h->time + 1))
        return kp_fail(err, KP_ENOMEM, "zone: out of memory");
    for (uint32_t i = 0; i < h->type; i++) {
        int32_t offset = (int32_t)be32(types + i * 6);

        if (offset < -OFFSET_MAX_S || offset > OFFSET_MAX_S)
            return bad(err, "an offset of more than a day");
    }
    zone->first_s = (int32_t)be32(types);
    for (uint32_t i = 0; i < h->time; i++) {
        int64_t at = time_of(times + i * wide, wide);

        if (kinds[i] >= h->type)
            return bad(err, "a type that is not there");
        if (i && at <= zone->times[i - 1])
            return bad(err, "transitions out of order");
        zone->times[i] = at;
        zone->offsets[i] = (int32_t)be32(types + kinds[i] * 6u);
    }
    zone->count = h->time;
    return KP_OK;
}

/* ---- The footer: a POSIX TZ string ---- */

static bool eat(struct input *in, char c)
{
    if (in->at == in->end || *in->at != (unsigned char)c)
        return false;
    in->at++;
    return true;
}

static bool number(struct input *in, int most, int *value)
{
    bool any = false;

    *value = 0;
    while (in->at < in->end && *in->at >= '0' && *in->at <= '9') {
        *value = *value * 10 + (*in->at++ - '0');
        any = true;
        if (*value > most)
            return false;
    }
    return any;
}

static bool skip_name(struct input *in)
{
    const unsigned char *start = in->at;

    if (eat(in, '<')) {
        while (in->at < in->end && *in->at != '>')
            in->at++;
        return eat(in, '>');
    }
    while (in->at < in->end && ((*in->at >= 'a' && *in->at <= 'z') || (*in->at >= 'A' && *in->at <= 'Z')))
        in->at++;
    return in->at - start >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool clock_time(struct input *in, int most_hours, int32_t *seconds)
{
    int sign = 1, h, m = 0, s = 0;

    if (eat(in, '-'))
        sign = -1;
    else
        eat(in, '+');
    if (!number(in, most_hours, &h))
        return false;
    if (eat(in, ':') && (!number(in, 59, &m) || (eat(in, ':') && !number(in, 59, &s))))
        return false;
    *seconds = sign * (h * 3600 + m * 60 + s);
    return true;
}

static bool change_rule(struct input *in, struct change *c)
{
    c->time_s = 2 * 3600;
    if (eat(in, 'M')) {
        c->form = 'M';
        if (!number(in, 12, &c->month) || c->month < 1 || !eat(in, '.') || !number(in, 5, &c->week) || c->week < 1 ||
            !eat(in, '.') || !number(in, 6, &c->wday))
            return false;
    } else {
        c->form = eat(in, 'J') ? 'J' : 0;
        if (!number(in, 365, &c->day) || (c->form && c->day < 1))
            return false;
    }
    return !eat(in, '/') || clock_time(in, 167, &c->time_s);
}

static bool read_footer(struct rule *rule, struct input *in)
{
    int32_t std, dst;

    if (!eat(in, '\n'))
        return false;
    if (eat(in, '\n'))
        return true;        /* no rule: the last offset stays */
    if (!skip_name(in) || !clock_time(in, 24, &std))
        return false;
    rule->std_s = -std;
    rule->given = true;
    if (eat(in, '\n'))
        return true;
    if (!skip_name(in))
        return false;
    rule->dst_s = rule->std_s + 3600;
    if (in->at < in->end && *in->at != ',') {
        if (!clock_time(in, 24, &dst))
            return false;
        rule->dst_s = -dst;
    }
    rule->has_dst = true;
    return eat(in, ',') && change_rule(in, &rule->to_dst) && eat(in, ',') && change_rule(in, &rule->to_std) &&
           eat(in, '\n');
}

/* ---- The rule written out ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Local midnight-based seconds of a change in a year. */
static int64_t change_at(const struct change *c, int year)
{
    int64_t jan1 = kp_civil_to_day(year, 1, 1), day;
    int first, next;

    if (c->form == 0)
        return (jan1 + c->day) * DAY_S + c->time_s;
    if (c->form == 'J')     /* day 60 is the first of March in every year */
        return (c->day < 60 ? jan1 + c->day - 1 : kp_civil_to_day(year, 3, 1) + c->day - 60) * DAY_S + c->time_s;
    day = kp_civil_to_day(year, c->month, 1);
    first = (c->wday + 6) % 7 - kp_weekday(day);        /* the rule counts days from Sunday */
    first = first < 0 ? first + 7 : first;
    next = c->month == 12 ? 31 : (int)(kp_civil_to_day(year, c->month + 1, 1) - day);
    first += (c->week - 1) * 7;
    if (first >= next)
        first -= 7;
    return (day + first) * DAY_S + c->time_s;
}

/* Among the entries from base on, by time. Of two at once the one to summer time comes last, so that it holds: a rule
 * whose summer ends as the next one begins has summer time for ever (RFC 8536, section 3.3.1). */
static void insert(struct kp_zone *zone, size_t base, int64_t at_s, int32_t offset_s, bool dst)
{
    size_t i = zone->count++;

    for (; i > base && (zone->times[i - 1] > at_s || (zone->times[i - 1] == at_s && !dst)); i--) {
        zone->times[i] = zone->times[i - 1];
        zone->offsets[i] = zone->offsets[i - 1];
    }
    zone->times[i] = at_s;
    zone->offsets[i] = offset_s;
}

/* Years before the last transition are for what holds right after it, those past 400 for rules that reach over the end
 * of a year. */
static bool write_out(struct kp_zone *zone, const struct rule *rule)
{
    enum { BEFORE = 2, AFTER = 402 };
    size_t base = zone->count, past = base, rest;
    int64_t last = base ? zone->times[base - 1] : -TIME_MOST;
    int year = 1600, month, mday;

    if (base)
        kp_civil_of_day(floor_div(last + rule->std_s, DAY_S), &year, &month, &mday);
    if (!reserve(zone, base + 2 * (BEFORE + AFTER + 1)))
        return false;
    for (int y = year - BEFORE; y <= year + AFTER; y++) {
        insert(zone, base, change_at(&rule->to_dst, y) - rule->std_s, rule->dst_s, true);
        insert(zone, base, change_at(&rule->to_std, y) - rule->dst_s, rule->std_s, false);
    }
    zone->cycles = true;
    if (!base) {
        zone->first_s = rule->std_s;
        return true;
    }
    while (zone->times[past] <= last)
        zone->offsets[base - 1] = zone->offsets[past++];
    rest = zone->count - past;
    memmove(zone->times + base, zone->times + past, rest * sizeof *zone->times);
    memmove(zone->offsets + base, zone->offsets + past, rest * sizeof *zone->offsets);
    zone->count = base + rest;
    return true;
}

static bool apply_rule(struct kp_zone *zone, const struct rule *rule)
{
    if (!rule->given)
        return true;
    if (rule->has_dst)
        return write_out(zone, rule);
    if (zone->count)
        zone->offsets[zone->count - 1] = rule->std_s;
    else
        zone->first_s = rule->std_s;
    return true;
}

/* ---- Making ---- */

static enum kp_code parse(struct kp_zone *zone, struct input in, struct kp_err *err)
{
    struct header h;
    struct rule rule = {0};
    enum kp_code code;

    if (!read_header(&in, &h))
        return bad(err, "no TZif file, or counts beyond reason");
    if (h.version < '2')
        return read_body(zone, &in, &h, 4, err);
    if ((size_t)(in.end - in.at) < body_size(&h, 4))
        return bad(err, "the file is cut short");
    in.at += body_size(&h, 4);
    if (!read_header(&in, &h))
        return bad(err, "no second TZif header, or counts beyond reason");
    code = read_body(zone, &in, &h, 8, err);
    if (code)
        return code;
    if (!read_footer(&rule, &in))
        return bad(err, "the footer's rule can't be read");
    return apply_rule(zone, &rule) ? KP_OK : kp_fail(err, KP_ENOMEM, "zone: out of memory");
}

struct kp_zone *kp_zone_new(const void *tzif, size_t len, struct kp_err *err)
{
    struct kp_zone *zone = calloc(1, sizeof *zone);
    struct input in = {tzif, tzif ? (const unsigned char *)tzif + len : NULL};

    if (!zone) {
        kp_fail(err, KP_ENOMEM, "zone: out of memory");
        return NULL;
    }
    if (len && parse(zone, in, err))
        kp_zone_destroy(&zone);
    return zone;
}

void kp_zone_destroy(struct kp_zone **zone)
{
    if (!*zone)
        return;
    free((*zone)->times);
    free((*zone)->offsets);
    free(*zone);
    *zone = NULL;
}

/* ---- Offsets ---- */

/* What holds at an instant, and until when. */
struct span {
    int32_t offset_s;
    int64_t end_s;
};

static struct span span_at(const struct kp_zone *zone, int64_t at_s)
{
    size_t lo = 0, hi = zone->count;
    int64_t back = 0;

    if (zone->cycles && at_s >= zone->times[hi - 1]) {
        back = ((at_s - zone->times[hi - 1]) / CYCLE_S + 1) * CYCLE_S;
        at_s -= back;
    }
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (zone->times[mid] <= at_s)
            lo = mid + 1;
        else
            hi = mid;
    }
    return (struct span){lo ? zone->offsets[lo - 1] : zone->first_s,
                         lo < zone->count ? zone->times[lo] + back : INT64_MAX};
}

int32_t kp_zone_offset_s(const struct kp_zone *zone, int64_t at_ms)
{
    return span_at(zone, floor_div(at_ms, 1000)).offset_s;
}

int64_t kp_zone_day(const struct kp_zone *zone, int64_t at_ms)
{
    return floor_div(at_ms + (int64_t)kp_zone_offset_s(zone, at_ms) * 1000, KP_DAY_MS);
}

/* The first instant at which clocks show that time or a later one: exact whatever the offsets do, and it rises with the
 * time asked for. No offset reaches it before the search begins. */
int64_t kp_zone_instant(const struct kp_zone *zone, int64_t day, int32_t clock_ms)
{
    int64_t local = day * KP_DAY_MS + clock_ms;
    int64_t at = local - OFFSET_MAX_S * INT64_C(1000);

    for (;;) {
        struct span span = span_at(zone, floor_div(at, 1000));
        int64_t shown = local - span.offset_s * INT64_C(1000);

        if (shown < at)
            shown = at;         /* the end of a gap */
        if (floor_div(shown, 1000) < span.end_s)
            return shown;
        at = span.end_s * 1000;
    }
}

int64_t kp_zone_day_start(const struct kp_zone *zone, int64_t day)
{
    return kp_zone_instant(zone, day, 0);
}

/* ---- Periods ---- */

static int64_t months_start(const struct kp_zone *zone, int64_t day, int months, int shift)
{
    int year, month, mday, index;

    kp_civil_of_day(day, &year, &month, &mday);
    index = (year * 12 + month - 1) / months + shift;
    return kp_zone_day_start(zone, kp_civil_to_day(index * months / 12, index * months % 12 + 1, 1));
}

int64_t kp_period_start(const struct kp_zone *zone, enum kp_period period, int week_start, int64_t at_ms, int shift)
{
    int64_t day = kp_zone_day(zone, at_ms);

    /* Clocks that go back over midnight show the day before once more; the day that has begun goes on. */
    while (at_ms >= kp_zone_day_start(zone, day + 1))
        day++;
    switch (period) {
    case KP_PER_DAY:
        return kp_zone_day_start(zone, day + shift);
    case KP_PER_WEEK:
        return kp_zone_day_start(zone, day - (kp_weekday(day) - week_start + 7) % 7 + (int64_t)shift * 7);
    case KP_PER_MONTH:
        return months_start(zone, day, 1, shift);
    case KP_PER_QUARTER:
        return months_start(zone, day, 3, shift);
    case KP_PER_YEAR:
        return months_start(zone, day, 12, shift);
    }
    return at_ms;
}
