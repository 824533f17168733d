/* calendars: when people work; and which of them units and members have. */
#include "config_read.h"

#include "holidays.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64, CALENDARS_MAX = 1000, HOURS_MAX = 8, DAYS_MAX = 40000, UNITS_MAX = 100000 };

/* ---- dates, files ---- */

bool kp_days_of(struct kp_loader *ld, const struct kp_node *node, const char *text, size_t len, bool range, struct kp_days *days)
{
    bool is_range = len == 22 && memcmp(text + 10, "..", 2) == 0;
    char one[11] = "", other[11] = "";
    bool ok;

    memcpy(one, text, len < 10 ? len : 10);
    if (is_range)
        memcpy(other, text + 12, 10);
    ok = (len == 10 || (is_range && range)) && kp_date_parse(one, 10, &days->first) &&
         kp_date_parse(is_range ? other : one, 10, &days->last);
    if (ok && days->last >= days->first)
        return true;
    kp_complain(ld, node->loc, ok ? "\"%.*s\": the range ends before it begins"
                               : range ? "\"%.*s\" is no date like 2026-08-03 and no range like 2026-08-03..2026-08-14"
                                       : "\"%.*s\" is no date like 2026-08-03",
                (int)(len < 60 ? len : 60), text);
    return false;
}

char *kp_file_of(struct kp_loader *ld, const struct kp_node *node)
{
    const char *file = kp_text(ld, node, 4096);
    size_t size;
    char *path;

    if (!file)
        return NULL;
    if (!ld->dir) {
        kp_complain(ld, node->loc, "no file can be read here");
        return NULL;
    }
    size = strlen(ld->dir) + strlen(file) + 1;
    path = kp_zeros(ld, size, 1);
    if (path)
        snprintf(path, size, "%s%s", file[0] == '/' ? "" : ld->dir, file);
    return path;
}

/* ---- hours ---- */

/* "mon", "mon-thu", "fri-mon", several with commas between. A bit a day; 0: a fault. */
static unsigned days_of_week(struct kp_loader *ld, const struct kp_node *entry)
{
    unsigned days = 0;

    for (const char *at = entry->key;; at++) {
        size_t len = strcspn(at, ","), dash = strcspn(at, "-");
        int first = kp_weekday_parse(at, dash < len ? dash : len);
        int last = dash < len ? kp_weekday_parse(at + dash + 1, len - dash - 1) : first;

        if (first < 0 || last < 0) {
            kp_complain(ld, entry->key_loc, "\"%.40s\" names no days; mon, mon-thu or mon,wed,fri do", entry->key);
            return 0;
        }
        for (int day = first;; day = (day + 1) % 7) {
            days |= 1u << day;
            if (day == last)
                break;
        }
        at += len;
        if (!*at)
            return days;
    }
}

/* "09:00" as ms after midnight; 24:00 is the day's end. -1: none. */
static int32_t clock_of(const char *text)
{
    int32_t clock_ms, unit_ms;

    return kp_clock_parse(text, strlen(text), &clock_ms, &unit_ms) ? clock_ms : -1;
}

/* "09:00-12:30 13:30-17:30"; how many, -1 and a fault when it is none. A day off is told by its absence alone, so that
 * hours which somebody forgot to fill in are not taken for one. */
static int hours_of(struct kp_loader *ld, const struct kp_node *node, struct kp_hours hours[HOURS_MAX])
{
    const char *at = node->text;
    int n = 0;

    for (at += strspn(at, " "); *at; at += strspn(at, " ")) {
        size_t len = strcspn(at, " ");
        char one[6] = "", other[6] = "";

        if (len == 11 && at[5] == '-') {
            memcpy(one, at, 5);
            memcpy(other, at + 6, 5);
        }
        if (n == HOURS_MAX) {
            kp_complain(ld, node->loc, "more than %d stretches on a day", HOURS_MAX);
            return -1;
        }
        hours[n] = (struct kp_hours){clock_of(one), clock_of(other)};
        if (hours[n].from_ms < 0 || hours[n].to_ms <= hours[n].from_ms ||
            (n && hours[n].from_ms <= hours[n - 1].to_ms)) {
            kp_complain(ld, node->loc, "\"%.*s\": hours are written 09:00-12:30, one stretch after the other", (int)len, at);
            return -1;
        }
        n++;
        at += len;
    }
    if (n > 0)
        return n;
    kp_complain(ld, node->loc, "has no hours; for a day off, leave the day out");
    return -1;
}

static KP_READER(read_hours)
{
    struct kp_calendar_cfg *calendar = into;
    unsigned told = 0;

    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_MAP, 64))
        return;
    for (const struct kp_node *entry = node->first; entry; entry = entry->next) {
        size_t back = kp_path_key(ld, entry->key);
        struct kp_hours hours[HOURS_MAX];
        unsigned days = days_of_week(ld, entry);
        int n = kp_want(ld, entry, KP_NODE_SCALAR) ? hours_of(ld, entry, hours) : -1;

        if (days & told)
            kp_complain(ld, entry->key_loc, "a day is given twice");
        for (int day = 0; day < 7 && n > 0; day++) {
            if (!((days & ~told) >> day & 1))
                continue;
            calendar->hours[day] = kp_zeros(ld, (size_t)n, sizeof *hours);
            if (!calendar->hours[day])
                break;
            memcpy(calendar->hours[day], hours, (size_t)n * sizeof *hours);
            calendar->nhours[day] = (size_t)n;
        }
        told |= days;
        kp_path_back(ld, back);
    }
}

/* ---- holidays ---- */

struct into {               /* where what a file has is gathered */
    struct kp_loader *ld;
    struct kp_calendar_cfg *calendar;
};

static void take_day(void *ctx, int64_t day)
{
    struct into *in = ctx;
    int64_t *slot = kp_grow(in->ld, &in->calendar->holidays, &in->calendar->nholidays, sizeof *in->calendar->holidays);

    if (slot)
        *slot = day;
}

static void take_stretch(void *ctx, int64_t from_ms, int64_t to_ms)
{
    struct into *in = ctx;
    struct kp_closed *slot = kp_grow(in->ld, &in->calendar->closed, &in->calendar->nclosed, sizeof *in->calendar->closed);

    if (slot)
        *slot = (struct kp_closed){from_ms, to_ms};
}

static void read_range(struct into *in, const struct kp_node *item, size_t *left)
{
    struct kp_days days;

    if (kp_want(in->ld, item, KP_NODE_SCALAR) && kp_days_of(in->ld, item, item->text, item->len, true, &days))
        for (int64_t day = days.first; day <= days.last && *left; day++, --*left)
            take_day(in, day);
}

static KP_READER(read_holidays)
{
    struct into in = {ld, into};
    size_t i = 0, left = DAYS_MAX;

    (void)key;
    if (node->kind == KP_NODE_SCALAR)
        read_range(&in, node, &left);
    else if (!kp_want_some(ld, node, KP_NODE_LIST, DAYS_MAX))
        return;
    for (const struct kp_node *item = node->first; item; item = item->next) {
        size_t back = kp_path_index(ld, i++);

        read_range(&in, item, &left);
        kp_path_back(ld, back);
    }
    if (!left)
        kp_complain(ld, node->loc, "more than %d days", DAYS_MAX);
}

/* Times without a zone in the file are of the calendar's, which so must have been read before. */
static void read_ics(struct kp_loader *ld, const struct kp_node *node, struct kp_calendar_cfg *calendar)
{
    bool own = calendar->zone_tzif != NULL;
    struct into in = {ld, calendar};
    const struct kp_holiday_sink sink = {take_day, take_stretch, &in};
    struct kp_err err = {0};
    struct kp_zone *zone = kp_zone_new(own ? calendar->zone_tzif : ld->config->zone_tzif,
                                       own ? calendar->zone_len : ld->config->zone_len, &err);
    char *path = zone ? kp_file_of(ld, node) : NULL, *bytes = NULL;
    size_t len = 0;

    if (path)
        bytes = kp_read_file(path, KP_HOLIDAYS_BYTES_MAX, &len, &err);
    if (path && (!bytes || kp_holidays_read(bytes, len, zone, &sink, &err)))
        kp_complain(ld, node->loc, "%s: %s", path, err.text);
    free(bytes);
    free(path);
    kp_zone_destroy(&zone);
}

static KP_READER(read_holidays_file)
{
    size_t i = 0;

    (void)key;
    if (node->kind != KP_NODE_LIST) {
        read_ics(ld, node, into);
        return;
    }
    for (const struct kp_node *item = node->first; item; item = item->next) {
        size_t back = kp_path_index(ld, i++);

        read_ics(ld, item, into);
        kp_path_back(ld, back);
    }
}

static int by_value(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static int by_start(const void *a, const void *b)
{
    const struct kp_closed *x = a, *y = b;

    return x->from_ms < y->from_ms ? -1 : x->from_ms > y->from_ms;
}

/* In order, each day once, and stretches that touch made one. */
static void settle(struct kp_calendar_cfg *calendar)
{
    size_t n = 0;

    if (calendar->nholidays)
        qsort(calendar->holidays, calendar->nholidays, sizeof *calendar->holidays, by_value);
    for (size_t i = 0; i < calendar->nholidays; i++)
        if (n == 0 || calendar->holidays[n - 1] != calendar->holidays[i])
            calendar->holidays[n++] = calendar->holidays[i];
    calendar->nholidays = n;
    n = 0;
    if (calendar->nclosed)
        qsort(calendar->closed, calendar->nclosed, sizeof *calendar->closed, by_start);
    for (size_t i = 0; i < calendar->nclosed; i++) {
        struct kp_closed *last = n ? &calendar->closed[n - 1] : NULL;

        if (!last || calendar->closed[i].from_ms > last->to_ms)
            calendar->closed[n++] = calendar->closed[i];
        else if (calendar->closed[i].to_ms > last->to_ms)
            last->to_ms = calendar->closed[i].to_ms;
    }
    calendar->nclosed = n;
}

/* ---- calendars ---- */

static KP_READER(read_zone)
{
    struct kp_calendar_cfg *calendar = into;
    struct kp_zone_file file = {0};

    (void)key;
    kp_zone_of(ld, node, &file);
    calendar->zone_name = file.name;
    calendar->zone_tzif = file.tzif;
    calendar->zone_len = file.len;
}

const struct kp_key kp_calendar_keys[] = {
    {.name = "zone", .read = read_zone},
    {.name = "hours", .need = KP_REQUIRED, .read = read_hours},
    {.name = "holidays", .read = read_holidays},
    {.name = "holidays_file", .read = read_holidays_file},
    {.name = NULL},
};

KP_READER(kp_read_calendars)
{
    struct kp_config *config = ld->config;

    (void)into;
    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_MAP, CALENDARS_MAX))
        return;
    for (const struct kp_node *entry = node->first; entry; entry = entry->next) {
        struct kp_calendar_cfg *calendar = kp_grow(ld, &config->calendars, &config->ncalendars, sizeof *config->calendars);
        size_t back = kp_path_key(ld, entry->key);

        if (strlen(entry->key) > NAME_MAX_BYTES)
            kp_complain(ld, entry->key_loc, "the name is longer than %d bytes", NAME_MAX_BYTES);
        if (calendar) {
            calendar->name = kp_copy(ld, entry->key);
            calendar->loc = entry->key_loc;
            kp_read_map(ld, entry, kp_calendar_keys, calendar);
            settle(calendar);
        }
        kp_path_back(ld, back);
    }
}

size_t kp_calendar_of(struct kp_loader *ld, const struct kp_node *node)
{
    const struct kp_config *config = ld->config;
    const char *name = kp_text(ld, node, NAME_MAX_BYTES), **known;
    size_t count = 0;

    for (size_t i = 0; name && i < config->ncalendars; i++)
        if (config->calendars[i].name && strcmp(config->calendars[i].name, name) == 0)
            return i + 1;
    known = name ? kp_zeros(ld, config->ncalendars + 1, sizeof(*known)) : NULL;
    for (size_t i = 0; known && i < config->ncalendars; i++)
        if (config->calendars[i].name)
            known[count++] = config->calendars[i].name;
    if (known)
        kp_complain_unknown(ld, node->loc, "calendar", name, known, count);
    free(known);
    return 0;
}

/* ---- units ---- */

struct unit_into {
    size_t calendar;
};

static KP_READER(read_calendar)
{
    (void)key;
    ((struct unit_into *)into)->calendar = kp_calendar_of(ld, node);
}

const struct kp_key kp_unit_keys[] = {
    {.name = "calendar", .need = KP_REQUIRED, .read = read_calendar},
    {.name = NULL},
};

static void read_unit(struct kp_loader *ld, const struct kp_node *node, const char *level, const char *name)
{
    struct kp_roster_cfg *roster = &ld->config->roster;
    struct kp_unit_cfg *unit = kp_grow(ld, &roster->units, &roster->nunits, sizeof *roster->units);
    struct unit_into in = {0};

    if (!unit)
        return;
    unit->loc = node->loc;
    unit->level = kp_copy(ld, level);
    unit->key = kp_copy(ld, name);
    kp_read_map(ld, node, kp_unit_keys, &in);
    unit->calendar = in.calendar;
}

/* {region: {emea: {calendar: office}}, company: {calendar: office}} */
KP_READER(kp_read_units)
{
    const struct kp_roster_cfg *roster = &ld->config->roster;

    (void)into;
    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_MAP, KP_LEVELS_MAX + 1))
        return;
    for (const struct kp_node *level = node->first; level; level = level->next) {
        size_t back = kp_path_key(ld, level->key);
        int known = kp_find_level(ld->config, level->key);

        if (strcmp(level->key, "company") == 0) {
            read_unit(ld, level, "company", "");
        } else if (known < 0 || known == (int)roster->nlevels - 1) {
            const char *names[KP_LEVELS_MAX + 1] = {"company"};
            size_t n = 1;

            for (size_t i = 0; i + 1 < roster->nlevels; i++)
                names[n++] = roster->levels[i];
            kp_complain_unknown(ld, level->key_loc, "level", level->key, names, n);
        } else if (kp_want_some(ld, level, KP_NODE_MAP, UNITS_MAX)) {
            for (const struct kp_node *unit = level->first; unit; unit = unit->next) {
                size_t inner = kp_path_key(ld, unit->key);

                read_unit(ld, unit, level->key, unit->key);
                kp_path_back(ld, inner);
            }
        }
        kp_path_back(ld, back);
    }
}
