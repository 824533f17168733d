/* Time zones and the calendar, without libc's global ones.
 *
 * All instants are int64_t ms since the Unix epoch, UTC. A zone is made from the bytes of a TZif file
 * (RFC 8536, versions 1 to 4), its footer rule included, so it holds for every year. Immutable once made:
 * any thread may read it. */
#ifndef KPID_ZONE_H
#define KPID_ZONE_H

#include "kpid/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KP_DAY_MS INT64_C(86400000)

struct kp_zone;

/* From the bytes of a TZif file, copied. len 0: UTC. NULL with KP_EINVAL when it is none, or counts leap seconds (a
 * "right/" zone), or KP_ENOMEM. */
struct kp_zone *kp_zone_new(const void *tzif, size_t len, struct kp_err *err) KP_CHECK;
void kp_zone_destroy(struct kp_zone **zone);

/* Seconds to add to UTC for local time at the instant. */
int32_t kp_zone_offset_s(const struct kp_zone *zone, int64_t at_ms);

/* Local civil day (days since 1970-01-01) of the instant. */
int64_t kp_zone_day(const struct kp_zone *zone, int64_t at_ms);

/* First instant of a local civil day: its midnight; the first one where a day has two; the end of the gap
 * where midnight does not exist. A day that the zone skips altogether starts where the next one does. */
int64_t kp_zone_day_start(const struct kp_zone *zone, int64_t day);

/* The instant of a local date and time of day (ms after midnight on the clock face); in a fold the first,
 * in a gap the end of the gap. */
int64_t kp_zone_instant(const struct kp_zone *zone, int64_t day, int32_t clock_ms);

enum kp_period { KP_PER_DAY, KP_PER_WEEK, KP_PER_MONTH, KP_PER_QUARTER, KP_PER_YEAR };

/* First instant of the local period that lies `shift` periods after (before, when negative) the one that
 * at_ms lies in: the last that has begun, so start <= at_ms < the next one's start also where clocks go back over
 * midnight. week_start: 0 Monday ... 6 Sunday. */
int64_t kp_period_start(const struct kp_zone *zone, enum kp_period period, int week_start, int64_t at_ms, int shift);

/* Proleptic Gregorian civil dates. Month 1..12, day 1..31. */
int64_t kp_civil_to_day(int year, int month, int mday);
void kp_civil_of_day(int64_t day, int *year, int *month, int *mday);
/* 0 Monday ... 6 Sunday. */
int kp_weekday(int64_t day);

/* RFC 3339 date-time ("2026-08-03T09:30:00.250+01:00", 'Z', lower case, a space for the T; fractions cut to
 * ms; a leap second counts as the second before). False when it is none, or lies outside of the years
 * 1970 to 9999. */
bool kp_rfc3339_parse(const char *text, size_t len, int64_t *at_ms);

/* "2026-08-03T08:30:00.250Z", the ms left out when 0, into buf of at least 32 bytes. Returns buf. */
char *kp_rfc3339_format(int64_t at_ms, char *buf);

/* "2026-08-03", from 1970 on. */
bool kp_date_parse(const char *text, size_t len, int64_t *day);

/* "09:00", "09:00:30" or "09:00:30.250" as ms after midnight; 24:00 is the day's end. *unit_ms: how exactly it was told, to
 * the minute (60000), the second or the ms. */
bool kp_clock_parse(const char *text, size_t len, int32_t *clock_ms, int32_t *unit_ms);

/* "mon" to "sun" as kp_weekday; -1: none of them. */
int kp_weekday_parse(const char *text, size_t len);

/* "90s 15m 1h 7d 2w" and "500ms": digits and one unit. False when it is none or is over 100 years. */
bool kp_duration_parse(const char *text, size_t len, int64_t *ms);

#endif
