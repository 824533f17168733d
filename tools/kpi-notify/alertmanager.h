/* What Prometheus' Alertmanager takes at POST /api/v2/alerts. Pure.
 *
 * To it an alert is its labels, so another severity is another alert. Those that fire are sent again and again, each time
 * good until a few periods later; those that are over once more, with their end. */
#ifndef NOTIFY_ALERTMANAGER_H
#define NOTIFY_ALERTMANAGER_H

#include "alert.h"

#include "kpid/out.h"

#define ALERTMANAGER_PATH "/api/v2/alerts"

/* Append one to an open array. ended_ms: 0 while it fires, and then it is good for so long from now on. kpid's clock may be
 * ahead of this one; nothing is said to begin or end later than now, as it would fire until then. */
void alertmanager_put(struct kp_out *out, const struct alert *alert, int64_t began_ms, int64_t ended_ms, int64_t now_ms,
                      int64_t good_for_ms);

#endif
