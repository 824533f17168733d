/* What Prometheus' Alertmanager takes at POST /api/v2/alerts. Pure.
 *
 * To it an alert is its labels, so another severity is another alert. Those that fire are sent again and again, each time
 * good until a few periods later; those that are over once more, with their end. */
#ifndef NOTIFY_ALERTMANAGER_H
#define NOTIFY_ALERTMANAGER_H

#include "alert.h"

#include "kpid/out.h"

#define ALERTMANAGER_PATH "/api/v2/alerts"

/* Append one to an open array. ends_ms: when it ended, or until when it is good. */
void alertmanager_put(struct kp_out *out, const struct alert *alert, int64_t began_ms, int64_t ends_ms);

#endif
