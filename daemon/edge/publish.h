/* Alerts, snapshots and the standings of contests out, on one XPUB socket.
 *
 * A pass over the keys publishes those that changed, every `interval`; every `full_every` all of them; and all below a
 * prefix as soon as somebody subscribes to it; of each only the keys that somebody follows, so that who wants one team, or
 * alerts alone, costs no more than that, and of each subscriber's wishes only what they may read. Passes go forward for a bounded time a turn, so the largest floor never keeps
 * events and alerts waiting. Sending never waits: what a slow subscriber's queue does not take is lost to it and
 * counted; `seq` shows the gap, and the next full pass mends it. */
#ifndef KPID_PUBLISH_H
#define KPID_PUBLISH_H

#include "guard.h"
#include "operator.h"
#include "outbox.h"

#include "kpid/engine.h"

#include <zmq.h>

struct kp_publish;

/* Open the socket, when the configuration has one. Borrows config and guard. */
struct kp_publish *kp_publish_open(void *zmq, const struct kp_config *config, struct kp_guard *guard, struct kp_err *err) KP_CHECK;
void kp_publish_close(struct kp_publish **publish);

/* NULL when nothing is published. */
void *kp_publish_socket(const struct kp_publish *publish);
const char *kp_publish_endpoint(const struct kp_publish *publish);  /* NULL likewise */

/* Go on with another engine of another configuration: whatever was on its way begins anew. */
void kp_publish_rebind(struct kp_publish *publish, const struct kp_config *config);

void kp_publish_alert(struct kp_publish *publish, struct kp_engine *engine, const struct kp_alert *alert);
/* The same once a position of the journal is on disk: kp_publish_say then sends what the outbox hands out. False: memory is out. */
bool kp_publish_hold(struct kp_publish *publish, struct kp_engine *engine, const struct kp_alert *alert, struct kp_outbox *outbox,
                     uint64_t position) KP_CHECK;
void kp_publish_say(struct kp_publish *publish, struct kp_outbox_item *item);
void kp_publish_operator(struct kp_publish *publish, const struct kp_operator_alert *alert);

/* Take subscriptions, begin passes whose time has come, go forward in those that run. True: there is more to do now.
 * steady_ms: a clock that nobody sets. sweep: keys of which nothing is left may be forgotten on the way. */
bool kp_publish_turn(struct kp_publish *publish, struct kp_engine *engine, int64_t steady_ms, bool sweep);
/* When the next pass begins, by the same clock. */
int64_t kp_publish_due(const struct kp_publish *publish);
/* Everything that changed, at once, for at most most_ms: the last word before the end. Returns how many keys have changed
 * and had no turn. */
uint32_t kp_publish_last(struct kp_publish *publish, struct kp_engine *engine, int64_t most_ms);

struct kp_publish_stats {
    uint64_t alerts, snapshots, contests, dropped, full_passes, prefix_passes, prefix_refused;
    uint64_t subscriptions_refused;     /* too many, or too long */
    uint64_t seq;
    uint32_t subscriptions;     /* prefixes that somebody follows, each once */
};
/* All 0 of NULL. */
void kp_publish_stats(const struct kp_publish *publish, struct kp_publish_stats *stats);

#endif
