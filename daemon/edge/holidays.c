#include "holidays.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <libical/ical.h>

struct reader {
    icalcomponent *root;
    const struct kp_zone *zone;
    const struct kp_holiday_sink *sink;
    size_t count;
};

static int64_t day_of(struct icaltimetype t)
{
    return kp_civil_to_day(t.year, t.month, t.day);
}

/* The zone that a time stands in; NULL: none, or one that the file does not define. */
static const icaltimezone *zone_of(const struct reader *rd, icalproperty *property, struct icaltimetype t)
{
    icalparameter *tzid = icalproperty_get_first_parameter(property, ICAL_TZID_PARAMETER);
    const char *name = tzid ? icalparameter_get_tzid(tzid) : NULL;
    icaltimezone *zone = name ? icalcomponent_get_timezone(rd->root, name) : NULL;

    if (icaltime_is_utc(t))
        return icaltimezone_get_utc_timezone();
    return zone || !name ? zone : icaltimezone_get_builtin_timezone(name);
}

static int64_t instant_of(const struct reader *rd, struct icaltimetype t, const icaltimezone *zone)
{
    int32_t clock_ms = ((t.hour * 60 + t.minute) * 60 + t.second) * 1000;

    if (zone)
        return (int64_t)icaltime_as_timet_with_zone(t, zone) * 1000;
    return kp_zone_instant(rd->zone, day_of(t), clock_ms);
}

static bool put(struct reader *rd, struct icaltimetype start, struct icaldurationtype length, const icaltimezone *zone)
{
    struct icaltimetype end = icaltime_add(start, length);
    int64_t first = day_of(start), last = day_of(end);

    if (++rd->count > KP_HOLIDAYS_MAX)
        return false;
    if (!start.is_date) {
        int64_t from = instant_of(rd, start, zone), to = instant_of(rd, end, zone);

        if (from < to)
            rd->sink->stretch(rd->sink->ctx, from, to);
        return true;
    }
    if (last <= first)
        last = first + 1;       /* neither end nor duration: that day */
    for (int64_t day = first; day < last && rd->count <= KP_HOLIDAYS_MAX; day++, rd->count++)
        rd->sink->day(rd->sink->ctx, day);
    return rd->count <= KP_HOLIDAYS_MAX;
}

static bool within(struct icaltimetype t)
{
    return t.year >= KP_HOLIDAYS_FIRST && t.year <= KP_HOLIDAYS_LAST;
}

/* Is this start taken out, or told by an event of its own? */
static bool excluded(struct reader *rd, icalcomponent *event, struct icaltimetype start)
{
    const char *uid = icalcomponent_get_uid(event);

    for (icalproperty *p = icalcomponent_get_first_property(event, ICAL_EXDATE_PROPERTY); p;
         p = icalcomponent_get_next_property(event, ICAL_EXDATE_PROPERTY)) {
        struct icaltimetype out = icalproperty_get_exdate(p);

        if (out.is_date ? day_of(out) == day_of(start) : icaltime_compare(out, start) == 0)
            return true;
    }
    for (icalcomponent *c = icalcomponent_get_first_component(rd->root, ICAL_VEVENT_COMPONENT); c && uid;
         c = icalcomponent_get_next_component(rd->root, ICAL_VEVENT_COMPONENT)) {
        icalproperty *id = c != event ? icalcomponent_get_first_property(c, ICAL_RECURRENCEID_PROPERTY) : NULL;
        const char *other = id ? icalcomponent_get_uid(c) : NULL;

        if (other && strcmp(other, uid) == 0 && icaltime_compare(icalproperty_get_recurrenceid(id), start) == 0)
            return true;
    }
    return false;
}

static bool repeat(struct reader *rd, icalcomponent *event, struct icaltimetype start, struct icaldurationtype length,
                   const icaltimezone *zone)
{
    icalproperty *rule = icalcomponent_get_first_property(event, ICAL_RRULE_PROPERTY);
    icalrecur_iterator *at = icalrecur_iterator_new(icalproperty_get_rrule(rule), start);
    bool fits = at != NULL;

    for (struct icaltimetype t = at ? icalrecur_iterator_next(at) : icaltime_null_time(); fits && !icaltime_is_null_time(t);
         t = icalrecur_iterator_next(at)) {
        if (t.year > KP_HOLIDAYS_LAST)
            break;
        if (++rd->count > KP_HOLIDAYS_MAX)      /* repetitions before 1970 count as well, so that this ends */
            fits = false;
        else if (within(t) && !excluded(rd, event, t))
            fits = put(rd, t, length, zone);
    }
    if (at)
        icalrecur_iterator_free(at);
    return fits;
}

/* Calendars of holidays that are handed out mark their days as transparent, so that is looked at for hours alone. */
static bool is_closed(icalcomponent *event, bool all_day)
{
    icalproperty *transparent = icalcomponent_get_first_property(event, ICAL_TRANSP_PROPERTY);
    icalproperty_transp how = transparent ? icalproperty_get_transp(transparent) : ICAL_TRANSP_OPAQUE;

    return icalcomponent_get_status(event) != ICAL_STATUS_CANCELLED &&
           (all_day || (how != ICAL_TRANSP_TRANSPARENT && how != ICAL_TRANSP_TRANSPARENTNOCONFLICT));
}

static bool read_event(struct reader *rd, icalcomponent *event)
{
    icalproperty *begin = icalcomponent_get_first_property(event, ICAL_DTSTART_PROPERTY);
    struct icaltimetype start = begin ? icalproperty_get_dtstart(begin) : icaltime_null_time();
    struct icaldurationtype length = icalcomponent_get_duration(event);
    const icaltimezone *zone;
    bool fits = true;

    if (!begin || icaltime_is_null_time(start) || !is_closed(event, start.is_date))
        return true;
    zone = zone_of(rd, begin, start);
    if (icalcomponent_get_first_property(event, ICAL_RRULE_PROPERTY))
        fits = repeat(rd, event, start, length, zone);
    else if (within(start) && !excluded(rd, event, start))
        fits = put(rd, start, length, zone);
    for (icalproperty *p = icalcomponent_get_first_property(event, ICAL_RDATE_PROPERTY); p && fits;
         p = icalcomponent_get_next_property(event, ICAL_RDATE_PROPERTY)) {
        struct icaltimetype also = icalproperty_get_rdate(p).time;

        if (within(also) && !excluded(rd, event, also))
            fits = put(rd, also, length, zone);
    }
    return fits;
}

/* By an iterator of its own, since looking for overrides moves the component's. */
static bool read_events(struct reader *rd)
{
    icalcompiter events = icalcomponent_begin_component(rd->root, ICAL_VEVENT_COMPONENT);

    for (icalcomponent *c = icalcompiter_deref(&events); c; c = icalcompiter_next(&events))
        if (!read_event(rd, c))
            return false;
    return true;
}

/* The file as libical wants it: NUL-terminated. */
static icalcomponent *parse(const char *bytes, size_t len)
{
    char *text = memchr(bytes, '\0', len) ? NULL : malloc(len + 1);
    icalcomponent *root = NULL;

    if (text) {
        memcpy(text, bytes, len);
        text[len] = '\0';
        root = icalparser_parse_string(text);
    }
    free(text);
    return root;
}

enum kp_code kp_holidays_read(const char *bytes, size_t len, const struct kp_zone *zone,
                              const struct kp_holiday_sink *sink, struct kp_err *err)
{
    struct reader rd = {.root = parse(bytes, len), .zone = zone, .sink = sink};
    enum kp_code code = KP_OK;

    if (!rd.root || icalcomponent_isa(rd.root) == ICAL_XLICINVALID_COMPONENT)
        code = kp_fail(err, KP_EINVAL, "is no iCalendar file");
    else if (icalcomponent_count_errors(rd.root))
        code = kp_fail(err, KP_EINVAL, "has %d lines that are no iCalendar", icalcomponent_count_errors(rd.root));
    else if (!icalcomponent_get_first_component(rd.root, ICAL_VEVENT_COMPONENT))
        code = kp_fail(err, KP_EINVAL, "has no event");
    else if (!read_events(&rd))
        code = kp_fail(err, KP_ELIMIT, "has over %d days and repetitions", KP_HOLIDAYS_MAX);
    if (rd.root)
        icalcomponent_free(rd.root);
    icalmemory_free_ring();
    return code;
}
