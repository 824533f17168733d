/* Working calendars: when somebody works, and how much working time lies between two instants.
 *
 * Hours stand on the clock face of a zone: an instant is working when its local date is no holiday, its local time of day
 * lies within the hours of that weekday, and no `closed` stretch covers it. So a day of 23 or 25 hours has as much working
 * time as its clock shows. Immutable once made: any thread may read it. */
#ifndef KPID_CALENDAR_H
#define KPID_CALENDAR_H

#include "kpid/config.h"
#include "kpid/zone.h"

struct kp_calendar;

/* Borrows both, which must outlive it. Adds up the days from 1970 to 2199 once: 672 KB. NULL with KP_ENOMEM. */
struct kp_calendar *kp_calendar_new(const struct kp_calendar_cfg *cfg, const struct kp_zone *zone, struct kp_err *err)
    KP_CHECK;
void kp_calendar_destroy(struct kp_calendar **calendar);

/* Working ms in [from_ms, to_ms), less the days that somebody is away (ranges in order); 0 when to <= from. O(log n) in the
 * number of zone changes, and as much again for each range of absence; beyond 2199 as many steps as there are days. */
int64_t kp_calendar_work(const struct kp_calendar *calendar, const struct kp_days *away, size_t naway, int64_t from_ms,
                         int64_t to_ms);

/* Is the instant working time? */
bool kp_calendar_open(const struct kp_calendar *calendar, const struct kp_days *away, size_t naway, int64_t at_ms);

#endif
