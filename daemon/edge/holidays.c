/* What an iCalendar file closes. libical reads the lines and repeats the rules; when two times are the same is settled
 * here, since a file may name one instant by several clocks (an event in London's time whose exception is in UTC): each
 * time is put to its own zone first, and only what comes out is compared. */
#include "holidays.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libical/ical.h>

enum { DAY_S = 86400 };

/* When something is. */
struct moment {
    bool is_day;        /* all day: then `day` alone says when */
    int64_t day;        /* since 1970-01-01, by the clock that it is written by */
    int64_t at_ms;      /* its instant */
};

/* Starts that an event does not have: those of EXDATE and EXRULE, and those that other events tell of. A start is
 * looked for as what it is, so that each exclusion is put down in the two ways in which it may be meant. */
enum mark_kind { MARK_INSTANT, MARK_TIMED_DAY, MARK_ALL_DAY };

struct mark {
    const char *uid;    /* borrowed from the file; "" where the event is known anyway */
    enum mark_kind kind;
    int64_t at;         /* ms of an instant, or a day */
};

struct marks {
    struct mark *all;   /* owned; sorted once all are known */
    size_t count, room;
};

/* How long an event takes: days of the clock on the wall, then time that just passes. Of a DURATION's days it is the
 * number that repeats, of the distance to a DTEND its length (RFC 5545, section 3.8.5.3). */
struct span {
    int64_t days, ms;
};

struct event {
    icalcomponent *component;   /* borrowed. A property iterator of libical's is one for the whole component: within a
                                 * loop over its properties nothing may ask it for others */
    bool is_override;           /* tells of one start of the event with its uid, and so is never told of itself */
    struct icaltimetype start;  /* on the wall of `zone` */
    icaltimezone *zone;         /* borrowed; NULL: the reader's */
    struct span span;
    struct marks without;       /* owned */
};

struct reader {
    const char *bytes;
    size_t len;
    const struct kp_zone *zone;
    const struct kp_holiday_sink *sink;
    struct kp_err *err;
    enum kp_code code;          /* once something has failed */
    icalcomponent *root;        /* owned; its components are the calendars */
    icalcomponent *calendar;    /* the one that is being read */
    const char *uid;            /* of the event that is being read; NULL: none */
    struct marks told;          /* starts that have events of their own */
    size_t count;
};

/* ---- failures: each ends the reading ---- */

static bool refuse(struct reader *rd, const char *why)
{
    rd->code = rd->uid ? kp_fail(rd->err, KP_EINVAL, "event \"%.60s\" %s", rd->uid, why)
                       : kp_fail(rd->err, KP_EINVAL, "an event without UID %s", why);
    return false;
}

static bool is_too_much(struct reader *rd)
{
    rd->code = kp_fail(rd->err, KP_ELIMIT, "has over %d days and repetitions", KP_HOLIDAYS_MAX);
    return false;
}

/* Where a parameter stands, for people to look at; 0: it is written in some other way. */
static size_t line_of_tzid(const struct reader *rd, const char *name)
{
    static const char key[] = "TZID=";
    size_t len = strlen(name), line = 1;

    for (const char *at = rd->bytes, *end = rd->bytes + rd->len; at < end; line += *at++ == '\n') {
        const char *value = at + sizeof key - 1;

        if ((size_t)(end - at) < sizeof key + 1 + len || memcmp(at, key, sizeof key - 1) != 0)
            continue;
        value += *value == '"';
        if (memcmp(value, name, len) == 0 && strchr("\":;", value[len]))
            return line;
    }
    return 0;
}

static bool refuse_zone(struct reader *rd, const char *name)
{
    size_t line = line_of_tzid(rd, name);

    char where[40] = "";

    if (line)
        snprintf(where, sizeof where, "line %zu: ", line);
    rd->code = kp_fail(rd->err, KP_EINVAL, "%sthe zone \"%.60s\" is neither in the file (VTIMEZONE) nor known", where,
                       name);
    return false;
}

/* ---- time ---- */

static int64_t day_of(struct icaltimetype t)
{
    return kp_civil_to_day(t.year, t.month, t.day);
}

static struct icaltimetype plus_days(struct icaltimetype t, int64_t days)
{
    kp_civil_of_day(day_of(t) + days, &t.year, &t.month, &t.day);
    return t;
}

static bool is_real(struct icaltimetype t)
{
    int year, month, mday;

    if (t.month < 1 || t.month > 12 || t.day < 1 || t.day > 31)
        return false;
    kp_civil_of_day(day_of(t), &year, &month, &mday);
    return month == t.month && (t.is_date || (t.hour >= 0 && t.hour < 24 && t.minute >= 0 && t.minute < 60 &&
                                              t.second >= 0 && t.second <= 60));
}

static bool is_within(struct icaltimetype t)
{
    return t.year >= KP_HOLIDAYS_FIRST && t.year <= KP_HOLIDAYS_LAST;
}

static int64_t offset_s(icaltimezone *zone, int64_t at_s)
{
    struct icaltimetype t = icaltime_from_timet_with_zone((time_t)at_s, 0, icaltimezone_get_utc_timezone());

    return icaltimezone_get_utc_offset_of_utc_time(zone, &t, NULL);
}

/* What a clock that shows t means: where clocks are put back the first of the two, where they are put forward what
 * it would have been without that (RFC 5545, section 3.3.5). libical itself takes the other one in both. */
static int64_t instant_of(const struct reader *rd, struct icaltimetype t, icaltimezone *zone)
{
    int32_t clock_s = (t.hour * 60 + t.minute) * 60 + t.second;
    int64_t wall_s = day_of(t) * DAY_S + clock_s, before, after;

    if (!zone)
        return kp_zone_instant(rd->zone, day_of(t), clock_s * 1000);
    before = offset_s(zone, wall_s - DAY_S);
    after = offset_s(zone, wall_s + DAY_S);
    if (before != after && offset_s(zone, wall_s - before) != before && offset_s(zone, wall_s - after) == after)
        return (wall_s - after) * 1000;
    return (wall_s - before) * 1000;
}

/* The one way from a time of the file to one that is compared. */
static struct moment moment_of(const struct reader *rd, struct icaltimetype t, icaltimezone *zone)
{
    return (struct moment){t.is_date != 0, day_of(t), t.is_date ? 0 : instant_of(rd, t, zone)};
}

/* The zone that a time of a property stands in; a day stands in none. */
static bool find_zone(struct reader *rd, icalproperty *property, struct icaltimetype t, icaltimezone **zone)
{
    icalparameter *tzid = icalproperty_get_first_parameter(property, ICAL_TZID_PARAMETER);
    const char *name = tzid ? icalparameter_get_tzid(tzid) : NULL;

    *zone = icaltime_is_utc(t) ? icaltimezone_get_utc_timezone() : NULL;
    if (t.is_date || *zone || !name)
        return true;
    *zone = icalcomponent_get_timezone(rd->calendar, name);
    if (!*zone)
        *zone = icaltimezone_get_builtin_timezone(name);
    if (!*zone)
        *zone = icaltimezone_get_builtin_timezone_from_tzid(name);
    return *zone || refuse_zone(rd, name);
}

static bool read_time(struct reader *rd, icalproperty *property, struct icaltimetype t, struct moment *moment)
{
    icaltimezone *zone;

    if (!is_real(t))
        return refuse(rd, "has a date or a time that does not exist");
    if (!find_zone(rd, property, t, &zone))
        return false;
    *moment = moment_of(rd, t, zone);
    return true;
}

/* ---- starts that are left out ---- */

static int by_mark(const void *a, const void *b)
{
    const struct mark *x = a, *y = b;
    int order = strcmp(x->uid, y->uid);

    if (order == 0)
        order = (x->kind > y->kind) - (x->kind < y->kind);
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

static bool mark(struct reader *rd, struct marks *marks, const char *uid, enum mark_kind kind, int64_t at)
{
    if (marks->count == marks->room) {
        size_t room = marks->room ? marks->room * 2 : 16;
        struct mark *grown = realloc(marks->all, room * sizeof *grown);

        if (!grown) {
            rd->code = kp_fail(rd->err, KP_ENOMEM, "out of memory");
            return false;
        }
        marks->all = grown;
        marks->room = room;
    }
    marks->all[marks->count++] = (struct mark){uid, kind, at};
    return true;
}

/* A day takes out whatever begins on it, and a time that of an all-day event which begins on its day: calendars mix
 * the two. */
static bool leave_out(struct reader *rd, struct marks *marks, const char *uid, struct moment moment)
{
    return mark(rd, marks, uid, MARK_ALL_DAY, moment.day) &&
           (moment.is_day ? mark(rd, marks, uid, MARK_TIMED_DAY, moment.day)
                          : mark(rd, marks, uid, MARK_INSTANT, moment.at_ms));
}

static void sort_marks(struct marks *marks)
{
    if (marks->count)
        qsort(marks->all, marks->count, sizeof *marks->all, by_mark);
}

static bool has_mark(const struct marks *marks, struct mark mark)
{
    return marks->count && bsearch(&mark, marks->all, marks->count, sizeof mark, by_mark);
}

static bool has_moment(const struct marks *marks, const char *uid, struct moment moment)
{
    if (moment.is_day)
        return has_mark(marks, (struct mark){uid, MARK_ALL_DAY, moment.day});
    return has_mark(marks, (struct mark){uid, MARK_INSTANT, moment.at_ms}) ||
           has_mark(marks, (struct mark){uid, MARK_TIMED_DAY, moment.day});
}

static bool is_left_out(const struct reader *rd, const struct event *event, struct moment start)
{
    return has_moment(&event->without, "", start) ||
           (!event->is_override && rd->uid && has_moment(&rd->told, rd->uid, start));
}

/* ---- what is closed ---- */

static bool is_long(struct span span)
{
    return span.days > KP_HOLIDAYS_MAX || span.ms / KP_DAY_MS > KP_HOLIDAYS_MAX;
}

static bool close_days(struct reader *rd, int64_t first, struct span span)
{
    int64_t days = span.days + (span.ms + KP_DAY_MS - 1) / KP_DAY_MS;

    if (days < 1)
        days = 1;       /* neither end nor duration, or an end on the same day: that day */
    for (int64_t i = 0; i < days; i++) {
        if (++rd->count > KP_HOLIDAYS_MAX)
            return is_too_much(rd);
        rd->sink->day(rd->sink->ctx, first + i);
    }
    return true;
}

static bool close_from(struct reader *rd, const struct event *event, struct icaltimetype start, icaltimezone *zone,
                       struct span span)
{
    struct moment from = moment_of(rd, start, zone);
    int64_t to_ms;

    if (!is_within(start) || is_left_out(rd, event, from))
        return true;
    if (is_long(span))
        return is_too_much(rd);
    if (from.is_day)
        return close_days(rd, from.day, span);
    to_ms = moment_of(rd, plus_days(start, span.days), zone).at_ms + span.ms;
    if (++rd->count > KP_HOLIDAYS_MAX)
        return is_too_much(rd);
    if (from.at_ms < to_ms)
        rd->sink->stretch(rd->sink->ctx, from.at_ms, to_ms);
    return true;
}

/* ---- lengths ---- */

static bool span_to(struct reader *rd, struct moment from, struct moment to, struct span *span)
{
    if (from.is_day != to.is_day)
        return refuse(rd, "has a day for one end and a time for the other");
    *span = (struct span){from.is_day ? to.day - from.day : 0, from.is_day ? 0 : to.at_ms - from.at_ms};
    return (span->days >= 0 && span->ms >= 0) || refuse(rd, "ends before it begins");
}

static bool span_of(struct reader *rd, struct icaldurationtype length, struct span *span)
{
    *span = (struct span){(int64_t)length.weeks * 7 + length.days,
                          (((int64_t)length.hours * 60 + length.minutes) * 60 + length.seconds) * 1000};
    return !length.is_neg || (span->days == 0 && span->ms == 0) || refuse(rd, "ends before it begins");
}

static bool read_span(struct reader *rd, struct event *event)
{
    icalproperty *end = icalcomponent_get_first_property(event->component, ICAL_DTEND_PROPERTY);
    icalproperty *length = icalcomponent_get_first_property(event->component, ICAL_DURATION_PROPERTY);
    struct moment to;

    if (end)
        return read_time(rd, end, icalproperty_get_dtend(end), &to) &&
               span_to(rd, moment_of(rd, event->start, event->zone), to, &event->span);
    return !length || span_of(rd, icalproperty_get_duration(length), &event->span);
}

/* ---- rules ---- */

typedef bool take(struct reader *rd, struct event *event, struct icaltimetype start);

static bool take_start(struct reader *rd, struct event *event, struct icaltimetype start)
{
    return close_from(rd, event, start, event->zone, event->span);
}

static bool take_exception(struct reader *rd, struct event *event, struct icaltimetype start)
{
    return leave_out(rd, &event->without, "", moment_of(rd, start, event->zone));
}

static bool is_after(struct moment a, struct moment b)
{
    return a.is_day || b.is_day ? a.day > b.day : a.at_ms > b.at_ms;
}

/* UNTIL is compared here, since libical takes it for a time on the event's own wall, in whatever zone it is. */
static bool repeat(struct reader *rd, struct event *event, struct icalrecurrencetype *rule, take *taker)
{
    bool ends = !icaltime_is_null_time(rule->until), fits = true;
    icaltimezone *utc = icaltimezone_get_utc_timezone();
    struct moment until = {0};
    icalrecur_iterator *at;

    if (ends && !is_real(rule->until))
        return refuse(rd, "has a rule until a date or a time that does not exist");
    if (ends)
        until = moment_of(rd, rule->until, icaltime_is_utc(rule->until) ? utc : event->zone);
    /* libical looks for the next one for hours where there is none. */
    if (rule->freq == ICAL_SECONDLY_RECURRENCE || rule->freq == ICAL_MINUTELY_RECURRENCE)
        return is_too_much(rd);
    rule->until = icaltime_null_date();
    rule->until.year = KP_HOLIDAYS_LAST + 1;
    rule->until.month = rule->until.day = 1;
    at = icalrecur_iterator_new(*rule, event->start);
    if (!at)
        return refuse(rd, "has a rule that can't be followed");
    for (struct icaltimetype t = icalrecur_iterator_next(at); fits && !icaltime_is_null_time(t);
         t = icalrecur_iterator_next(at)) {
        if (t.year > KP_HOLIDAYS_LAST || (ends && is_after(moment_of(rd, t, event->zone), until)))
            break;
        /* Repetitions before 1970 count as well, so that this ends. */
        fits = ++rd->count > KP_HOLIDAYS_MAX ? is_too_much(rd) : taker(rd, event, t);
    }
    icalrecur_iterator_free(at);
    return fits;
}

/* ---- events ---- */

static bool read_exceptions(struct reader *rd, struct event *event)
{
    struct moment out;

    for (icalproperty *p = icalcomponent_get_first_property(event->component, ICAL_EXDATE_PROPERTY); p;
         p = icalcomponent_get_next_property(event->component, ICAL_EXDATE_PROPERTY))
        if (!read_time(rd, p, icalproperty_get_exdate(p), &out) || !leave_out(rd, &event->without, "", out))
            return false;
    for (icalproperty *p = icalcomponent_get_first_property(event->component, ICAL_EXRULE_PROPERTY); p;
         p = icalcomponent_get_next_property(event->component, ICAL_EXRULE_PROPERTY)) {
        struct icalrecurrencetype rule = icalproperty_get_exrule(p);

        if (!repeat(rd, event, &rule, take_exception))
            return false;
    }
    sort_marks(&event->without);
    return true;
}

static bool read_period(struct reader *rd, struct event *event, icalproperty *property, struct icalperiodtype period)
{
    struct moment from, to;
    icaltimezone *zone;
    struct span span;

    if (!read_time(rd, property, period.start, &from) || !find_zone(rd, property, period.start, &zone))
        return false;
    if (icaltime_is_null_time(period.end))
        return span_of(rd, period.duration, &span) && close_from(rd, event, period.start, zone, span);
    return read_time(rd, property, period.end, &to) && span_to(rd, from, to, &span) &&
           close_from(rd, event, period.start, zone, span);
}

/* A further start is what the first one is: a day is that of an all-day event, or has the first one's time of day. */
static bool read_date(struct reader *rd, struct event *event, icalproperty *property, struct icaltimetype t)
{
    struct moment from;
    icaltimezone *zone;

    if (!read_time(rd, property, t, &from) || !find_zone(rd, property, t, &zone))
        return false;
    if (t.is_date || event->start.is_date) {
        t.hour = event->start.hour;
        t.minute = event->start.minute;
        t.second = event->start.second;
        t.is_date = event->start.is_date;
        zone = event->zone;
    }
    return close_from(rd, event, t, zone, event->span);
}

static bool read_dates(struct reader *rd, struct event *event)
{
    bool fits = true;

    for (icalproperty *p = icalcomponent_get_first_property(event->component, ICAL_RDATE_PROPERTY); p && fits;
         p = icalcomponent_get_next_property(event->component, ICAL_RDATE_PROPERTY)) {
        struct icaldatetimeperiodtype at = icalproperty_get_rdate(p);

        fits = icaltime_is_null_time(at.time) ? read_period(rd, event, p, at.period) : read_date(rd, event, p, at.time);
    }
    return fits;
}

static bool read_starts(struct reader *rd, struct event *event)
{
    icalproperty *p = icalcomponent_get_first_property(event->component, ICAL_RRULE_PROPERTY);

    if (!p && !take_start(rd, event, event->start))
        return false;
    for (; p; p = icalcomponent_get_next_property(event->component, ICAL_RRULE_PROPERTY)) {
        struct icalrecurrencetype rule = icalproperty_get_rrule(p);

        if (!repeat(rd, event, &rule, take_start))
            return false;
    }
    return read_dates(rd, event);
}

/* Calendars of holidays that are handed out mark their days as transparent, so that is looked at for hours alone. */
static bool blocks_time(icalcomponent *component)
{
    icalproperty *transparent = icalcomponent_get_first_property(component, ICAL_TRANSP_PROPERTY);
    icalproperty_transp how = transparent ? icalproperty_get_transp(transparent) : ICAL_TRANSP_OPAQUE;

    return how != ICAL_TRANSP_TRANSPARENT && how != ICAL_TRANSP_TRANSPARENTNOCONFLICT;
}

/* libical keeps a value whose parameters it does not understand, as if they were not there: a time without its zone. */
static bool check_parameters(struct reader *rd, icalcomponent *component)
{
    for (icalproperty *p = icalcomponent_get_first_property(component, ICAL_XLICERROR_PROPERTY); p;
         p = icalcomponent_get_next_property(component, ICAL_XLICERROR_PROPERTY)) {
        icalparameter *type = icalproperty_get_first_parameter(p, ICAL_XLICERRORTYPE_PARAMETER);
        icalparameter_xlicerrortype what = type ? icalparameter_get_xlicerrortype(type) : ICAL_XLICERRORTYPE_NONE;

        if (what == ICAL_XLICERRORTYPE_PARAMETERNAMEPARSEERROR || what == ICAL_XLICERRORTYPE_PARAMETERVALUEPARSEERROR)
            return refuse(rd, "has a parameter that is no iCalendar");
    }
    return true;
}

static bool read_event(struct reader *rd, icalcomponent *component)
{
    icalproperty *begin = icalcomponent_get_first_property(component, ICAL_DTSTART_PROPERTY);
    struct event event = {.component = component};
    struct moment start;
    bool fits;

    if (icalcomponent_get_status(component) == ICAL_STATUS_CANCELLED)
        return true;
    if (!begin)
        return refuse(rd, "has no DTSTART");
    event.start = icalproperty_get_dtstart(begin);
    event.is_override = icalcomponent_get_first_property(component, ICAL_RECURRENCEID_PROPERTY) != NULL;
    if (!event.start.is_date && !blocks_time(component))
        return true;
    if (!check_parameters(rd, component) || !read_time(rd, begin, event.start, &start) ||
        !find_zone(rd, begin, event.start, &event.zone))
        return false;
    event.start.zone = NULL;    /* a clock on a wall: where that hangs, event.zone says */
    fits = read_span(rd, &event) && read_exceptions(rd, &event) && read_starts(rd, &event);
    free(event.without.all);
    return fits;
}

/* Which start of another event this one stands for, be it cancelled or not. */
static bool read_override(struct reader *rd, icalcomponent *component)
{
    icalproperty *id = icalcomponent_get_first_property(component, ICAL_RECURRENCEID_PROPERTY);
    struct moment start;

    if (!id)
        return true;
    if (!rd->uid)
        return refuse(rd, "has a RECURRENCE-ID");
    if (icalproperty_get_first_parameter(id, ICAL_RANGE_PARAMETER))
        return refuse(rd, "changes all that follow (RANGE), which is not supported: end the one and begin another");
    return read_time(rd, id, icalproperty_get_recurrenceid(id), &start) && leave_out(rd, &rd->told, rd->uid, start);
}

/* libical lists all changes of a zone's clocks beforehand, and so takes for ever over some that change by the hour. */
static bool check_zone(struct reader *rd, icalcomponent *zone)
{
    icalcompiter parts = icalcomponent_begin_component(zone, ICAL_ANY_COMPONENT);

    for (icalcomponent *c = icalcompiter_deref(&parts); c; c = icalcompiter_next(&parts))
        for (icalproperty *p = icalcomponent_get_first_property(c, ICAL_RRULE_PROPERTY); p;
             p = icalcomponent_get_next_property(c, ICAL_RRULE_PROPERTY))
            if (icalproperty_get_rrule(p).freq < ICAL_MONTHLY_RECURRENCE) {
                rd->code = kp_fail(rd->err, KP_EINVAL, "a zone's clocks change more often than monthly (VTIMEZONE)");
                return false;
            }
    return true;
}

static bool check_zones(struct reader *rd)
{
    icalcompiter calendars = icalcomponent_begin_component(rd->root, ICAL_VCALENDAR_COMPONENT);

    for (icalcomponent *c = icalcompiter_deref(&calendars); c; c = icalcompiter_next(&calendars)) {
        icalcompiter zones = icalcomponent_begin_component(c, ICAL_VTIMEZONE_COMPONENT);

        for (icalcomponent *zone = icalcompiter_deref(&zones); zone; zone = icalcompiter_next(&zones))
            if (!check_zone(rd, zone))
                return false;
    }
    return true;
}

static bool each_event(struct reader *rd, bool (*read)(struct reader *rd, icalcomponent *component))
{
    icalcompiter calendars = icalcomponent_begin_component(rd->root, ICAL_VCALENDAR_COMPONENT);

    for (rd->calendar = icalcompiter_deref(&calendars); rd->calendar; rd->calendar = icalcompiter_next(&calendars)) {
        icalcompiter events = icalcomponent_begin_component(rd->calendar, ICAL_VEVENT_COMPONENT);

        for (icalcomponent *c = icalcompiter_deref(&events); c; c = icalcompiter_next(&events)) {
            rd->uid = icalcomponent_get_uid(c);
            if (!read(rd, c))
                return false;
        }
    }
    return true;
}

static bool count_event(struct reader *rd, icalcomponent *component)
{
    (void)component;
    rd->count++;
    return true;
}

static void read_events(struct reader *rd)
{
    each_event(rd, count_event);
    if (rd->count == 0) {
        rd->code = kp_fail(rd->err, KP_EINVAL, "has no event");
        return;
    }
    rd->count = 0;
    if (check_zones(rd) && each_event(rd, read_override)) {
        sort_marks(&rd->told);
        each_event(rd, read_event);
    }
    free(rd->told.all);
}

/* ---- lines ---- */

struct lines {
    const char *at, *end;
    size_t number;      /* of the line that the last piece was of */
    bool is_open;       /* it has more pieces */
};

/* For libical: the next line, or as much of it as there is room for. */
static char *next_piece(char *room, size_t size, void *ctx)
{
    struct lines *lines = ctx;
    size_t left = (size_t)(lines->end - lines->at);
    const char *newline = left ? memchr(lines->at, '\n', left) : NULL;
    size_t len = newline ? (size_t)(newline - lines->at) + 1 : left;

    if (len == 0)
        return NULL;
    len = len < size ? len : size - 1;
    memcpy(room, lines->at, len);
    room[len] = '\0';
    lines->at += len;
    lines->number += !lines->is_open;
    lines->is_open = room[len - 1] != '\n';
    return room;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

/* What says when something is. Others may be broken or empty, which an empty DESCRIPTION is to libical: nobody asks. */
static bool matters(const char *line)
{
    static const char *const names[] = {"BEGIN",  "END",   "DTSTART", "DTEND",         "DURATION", "RRULE",
                                        "EXRULE", "RDATE", "EXDATE",  "RECURRENCE-ID", "TZID",     "TZOFFSETFROM",
                                        "TZOFFSETTO"};
    size_t len = strcspn(line, ":;");

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == len && strncasecmp(line, names[i], len) == 0)
            return true;
    return line[len] == '\0';
}

/* One unfolded line; *within: a calendar has begun and not ended. */
static bool read_line(struct reader *rd, icalparser *parser, char *line, size_t number, bool *within)
{
    static const char begin[] = "BEGIN:VCALENDAR";
    icalcomponent *calendar;

    if (is_blank(line))
        return true;
    if (!*within && (strncasecmp(line, begin, sizeof begin - 1) != 0 || !is_blank(line + sizeof begin - 1))) {
        rd->code = kp_fail(rd->err, KP_EINVAL, "line %zu: \"%.40s\" is in no calendar (BEGIN:VCALENDAR)", number, line);
        return false;
    }
    calendar = icalparser_add_line(parser, line);
    *within = !calendar;
    if (calendar)
        icalcomponent_add_component(rd->root, calendar);
    if (icalparser_get_state(parser) != ICALPARSER_ERROR || !matters(line))
        return true;
    rd->code = kp_fail(rd->err, KP_EINVAL, "line %zu: \"%.60s\" is no iCalendar", number, line);
    return false;
}

static bool read_lines(struct reader *rd, icalparser *parser)
{
    static const char mark_of_utf8[] = "\xEF\xBB\xBF";
    bool is_marked = rd->len >= 3 && memcmp(rd->bytes, mark_of_utf8, 3) == 0;
    struct lines lines = {.at = rd->bytes + (is_marked ? 3 : 0), .end = rd->bytes + rd->len};
    bool within = false, fits = true;
    char *line;

    icalparser_set_gen_data(parser, &lines);
    while (fits) {
        size_t number = lines.number;       /* libical has read one line ahead, to see whether it goes on */

        line = icalparser_get_line(parser, next_piece);
        if (!line)
            break;
        fits = read_line(rd, parser, line, number, &within);
        icalmemory_free_buffer(line);
    }
    if (fits && within) {
        rd->code = kp_fail(rd->err, KP_EINVAL, "ends within a calendar: END:VCALENDAR is missing");
        fits = false;
    }
    return fits;
}

/* Line by line: libical's own reading of a whole file drops a calendar that is cut off, and knows no line numbers. */
static bool parse(struct reader *rd)
{
    icalparser *parser = icalparser_new();
    bool fits;

    rd->root = icalcomponent_new(ICAL_XROOT_COMPONENT);
    if (!parser || !rd->root) {
        rd->code = kp_fail(rd->err, KP_ENOMEM, "out of memory");
        fits = false;
    } else if (rd->len == 0 || memchr(rd->bytes, '\0', rd->len)) {
        rd->code = kp_fail(rd->err, KP_EINVAL, "is no iCalendar file");
        fits = false;
    } else {
        fits = read_lines(rd, parser);
    }
    if (parser)
        icalparser_free(parser);        /* with what has begun and not ended */
    return fits;
}

enum kp_code kp_holidays_read(const char *bytes, size_t len, const struct kp_zone *zone,
                              const struct kp_holiday_sink *sink, struct kp_err *err)
{
    struct reader rd = {.bytes = bytes, .len = len, .zone = zone, .sink = sink, .err = err};

    if (parse(&rd))
        read_events(&rd);
    if (rd.root)
        icalcomponent_free(rd.root);
    icalmemory_free_ring();
    return rd.code;
}
