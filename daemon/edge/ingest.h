/* Events in: SUB, PULL and ROUTER sockets, drained into the engine.
 *
 * Messages are taken as they lie in libzmq's memory; their events are handed to the engine up to KP_APPLY_MAX at a time, also
 * when each came in a message of its own. A ROUTER's sender gets its reply when all of its message has been
 * counted, and with a journal only once it is on disk; while the store fails it is told so, and nothing is counted. */
#ifndef KPID_INGEST_H
#define KPID_INGEST_H

#include "gaps.h"
#include "guard.h"
#include "intake.h"
#include "journal.h"

#include <zmq.h>

struct kp_ingest;

/* Opens every socket of the engine's configuration. Borrows engine, journal and guard. */
struct kp_ingest *kp_ingest_open(void *zmq, struct kp_engine *engine, struct kp_journal *journal, struct kp_guard *guard,
                                 struct kp_err *err) KP_CHECK;
void kp_ingest_close(struct kp_ingest **ingest);

/* Go on with another engine. */
enum kp_code kp_ingest_rebind(struct kp_ingest *ingest, struct kp_engine *engine, struct kp_err *err) KP_CHECK;

/* How many sockets; their poll items (POLLIN) are put into items. */
size_t kp_ingest_poll(const struct kp_ingest *ingest, zmq_pollitem_t *items);
enum { KP_INGEST_MAX = 32 };    /* sockets */

/* Take what is there, at most some thousand messages a socket. True: there may be more. */
bool kp_ingest_turn(struct kp_ingest *ingest, int64_t now_ms);

/* Send a reply that was waiting for the journal, or say in its place why it can't be promised. */
void kp_ingest_say(struct kp_ingest *ingest, struct kp_outbox_item *item);
void kp_ingest_refuse(struct kp_ingest *ingest, struct kp_outbox_item *item, const char *why);

struct kp_ingest_stats {
    struct kp_intake_stats events;
    uint64_t replies_dropped;           /* the sender was gone, or took none */
    uint64_t refused;                   /* messages that were not taken since the store fails */
};
/* Messages taken so far. */
uint64_t kp_ingest_messages(const struct kp_ingest *ingest);
void kp_ingest_stats(const struct kp_ingest *ingest, struct kp_ingest_stats *stats);
const struct kp_gaps *kp_ingest_gaps(const struct kp_ingest *ingest);
/* Where socket i listens or is connected to. */
const char *kp_ingest_endpoint(const struct kp_ingest *ingest, size_t i);

#endif
