/* From the spool to the world. Each address and each URL is a lane of its own, in which one delivery is on its way at a time,
 * in order; one that fails is tried again after a growing pause, and holds up nobody but what waits behind it. The mail server
 * is in the way of all mails, so a pause of its is one for all of them. */
#ifndef NOTIFY_LANES_H
#define NOTIFY_LANES_H

#include "post.h"
#include "spool.h"

struct lanes;

/* All borrowed. */
struct lanes *lanes_open(const struct notify_config *config, struct spool *spool, struct post *post, struct kp_err *err) KP_CHECK;
void lanes_close(struct lanes **lanes);

/* Begin what can be begun. KP_EIO: the spool failed. */
enum kp_code lanes_start(struct lanes *lanes, int64_t now_ms, int64_t steady_ms, struct kp_err *err) KP_CHECK;
/* Take what has ended. */
enum kp_code lanes_finish(struct lanes *lanes, int64_t now_ms, int64_t steady_ms, struct kp_err *err) KP_CHECK;
/* Is something on its way? */
bool lanes_are_busy(const struct lanes *lanes);
/* While the spool fails: take what has ended, and go on telling the Alertmanagers what stands, which expires there otherwise. */
void lanes_resend(struct lanes *lanes, int64_t now_ms, int64_t steady_ms);
/* When the next pause ends, or something is to be sent again, by the steady clock; INT64_MAX: never. */
int64_t lanes_due(const struct lanes *lanes);

struct lanes_stats {
    uint64_t arrived, refused, failed;      /* failed: attempts */
};
void lanes_stats(const struct lanes *lanes, struct lanes_stats *stats);

#endif
