/* From the daemon: alerts as they are published, and listings of what fires.
 *
 * What is published may be lost: while nobody listens, when the connection breaks, or where a queue overflows. So the control
 * socket is asked for what fires: at the start, after each new connection, when `seq` jumps, and every `resync` besides. (A
 * subscriber of alerts alone can't tell a lost message from a snapshot that was not for it, so a jump only hastens the next
 * listing.) Nothing here waits. */
#ifndef NOTIFY_FEED_H
#define NOTIFY_FEED_H

#include "notify_config.h"

#include "kpid/err.h"

#include <msgpack.h>

struct feed;

/* Borrows config. KP_EIO: a socket can't be opened. */
struct feed *feed_open(void *zmq, const struct notify_config *config, struct kp_err *err) KP_CHECK;
void feed_close(struct feed **feed);

/* Descriptors that become readable when something may be there, to be waited on at once. True: something is there already that
 * feed_next would take, so there is nothing to wait for. */
enum { FEED_FDS = 3 };
bool feed_fds(const struct feed *feed, int fds[FEED_FDS]);

enum feed_kind {
    FEED_NOTHING,
    FEED_ALERT,         /* one message of the publish socket */
    FEED_LISTING,       /* the reply to the op `alerts` */
    FEED_LOST,          /* no answer; it will be asked again */
};
struct feed_item {
    enum feed_kind kind;
    const msgpack_object *map;      /* borrowed until the next call */
    int64_t listing;                /* number of the listing that was last asked for */
};
/* The next that is there. now_ms: the wall clock, which numbers listings; steady_ms: for timeouts. */
void feed_next(struct feed *feed, int64_t now_ms, int64_t steady_ms, struct feed_item *item);

/* Ask for a listing soon: something that was told may have been lost. */
void feed_resync(struct feed *feed, int64_t steady_ms);
/* Messages up to this `seq` are in the listing. */
void feed_listed(struct feed *feed, uint64_t seq);
/* Is the alert of this message in the last listing already? Also sees to jumps of `seq`. */
bool feed_is_old(struct feed *feed, uint64_t seq, int64_t steady_ms);

/* The last reply to the op `config`; NULL: none yet. */
const msgpack_object *feed_catalog(const struct feed *feed);

/* When it is to be asked again, or has waited long enough; steady clock. */
int64_t feed_due(const struct feed *feed);

struct feed_stats {
    uint64_t messages, malformed, listings;
};
void feed_stats(const struct feed *feed, struct feed_stats *stats);

#endif
