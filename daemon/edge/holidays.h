/* Holidays out of an iCalendar file (RFC 5545), read by libical. */
#ifndef KPID_HOLIDAYS_H
#define KPID_HOLIDAYS_H

#include "kpid/err.h"
#include "kpid/zone.h"

/* What a calendar is closed on, as it is found: in no order, and overlapping. */
struct kp_holiday_sink {
    void (*day)(void *ctx, int64_t day);                        /* a local day since 1970-01-01 */
    void (*stretch)(void *ctx, int64_t from_ms, int64_t to_ms); /* instants */
    void *ctx;
};

enum { KP_HOLIDAYS_BYTES_MAX = 4 << 20, KP_HOLIDAYS_MAX = 100000, KP_HOLIDAYS_FIRST = 1970, KP_HOLIDAYS_LAST = 2100 };

/* Hand out the events of a file, of all its calendars: all-day ones as days, timed ones as stretches; a rule's
 * repetitions from 1970 to 2100. Events that are cancelled are left out, and timed ones that block no time
 * (TRANSP:TRANSPARENT). A time without a zone is of `zone`.
 * KP_EINVAL for what can't be read or would be read wrongly, KP_ELIMIT for too much, KP_ENOMEM, each with the reason;
 * some days may have been handed out by then. */
enum kp_code kp_holidays_read(const char *bytes, size_t len, const struct kp_zone *zone,
                              const struct kp_holiday_sink *sink, struct kp_err *err) KP_CHECK;

#endif
