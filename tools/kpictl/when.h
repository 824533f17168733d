/* When things happen in a rule test: instants as people write them, one or many.
 *
 *     09:00                                        of the day that is at hand; also 09:00:30 and 09:00:30.250
 *     2026-11-24 09:00                             in the zone that is at hand
 *     2026-11-24T09:00:00Z                         RFC 3339
 *     1795683600000                                ms since the Unix epoch
 *     at 09:00, 09:05 and 09:30
 *     every 10m from 09:00 to 12:00                09:00, 09:10 ... 11:50: `from` is in it, `to` is not
 *     3 times at 13:00                             three at once
 *     every 1h from 09:00 to 17:00 on mon-fri      of the week that the day at hand lies in
 *     at 09:00 on 2026-11-23..2026-12-04 mon,fri   the Mondays and Fridays among these days
 *
 * `every` counts time that passes, not the clock's face. A clock time that a day does not have, since its clocks are put
 * forward over it, is an error; of one that it has twice the first is meant, and RFC 3339 tells the other one. A clock time
 * behind another that has a date is of that date. */
#ifndef KPICTL_WHEN_H
#define KPICTL_WHEN_H

#include "kpid/zone.h"

struct when_frame {             /* what is at hand */
    const struct kp_zone *zone; /* borrowed */
    const char *zone_name;      /* borrowed */
    bool has_day;
    int64_t day;                /* local, since 1970-01-01 */
};

/* One instant. *unit_ms: how exactly it was written, to the minute (60000), the second or the ms. False with the reason in
 * *err, and in *at where in the text. */
bool when_instant(const struct when_frame *frame, const char *text, size_t len, int64_t *at_ms, int64_t *unit_ms, size_t *at,
                  struct kp_err *err);

/* All of them, rising, at most `most`; the caller frees *list. False as above, and nothing is to be freed. */
bool when_all(const struct when_frame *frame, const char *text, size_t len, size_t most, int64_t **list, size_t *count,
              size_t *at, struct kp_err *err);

/* "Tue 2026-11-24 11:30:00", local, the ms only where there are some; and the offset on a day that has more than one. Into
 * buf of at least 48 bytes; returns it. */
char *when_text(const struct when_frame *frame, int64_t at_ms, char *buf);

#endif
