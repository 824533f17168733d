/* Events in: SUB, PULL and ROUTER sockets, drained into the engine.
 *
 * Messages are taken as they lie in libzmq's memory; their events are handed to the engine up to 64 at a time, also
 * when each came in a message of its own. A ROUTER's sender gets its reply when all of its message has been counted. */
#ifndef KPID_INGEST_H
#define KPID_INGEST_H

#include "gaps.h"

#include "kpid/engine.h"

#include <zmq.h>

struct kp_ingest;

/* Opens every socket of the configuration. Borrows config and engine. */
struct kp_ingest *kp_ingest_open(void *zmq, const struct kp_config *config, struct kp_engine *engine,
                                 struct kp_err *err) KP_CHECK;
void kp_ingest_close(struct kp_ingest **ingest);

/* How many sockets; their poll items (POLLIN) are put into items. */
size_t kp_ingest_poll(const struct kp_ingest *ingest, zmq_pollitem_t *items);
enum { KP_INGEST_MAX = 32 };    /* sockets */

/* Take what is there, at most some thousand messages a socket. True: there may be more. */
bool kp_ingest_turn(struct kp_ingest *ingest, int64_t now_ms);

struct kp_ingest_stats {
    uint64_t messages, bytes;
    uint64_t accepted, duplicates;
    uint64_t rejected[KP_REASONS];      /* before or in the engine */
    uint64_t replies_dropped;           /* the sender was gone, or took none */
};
/* Messages taken so far. */
uint64_t kp_ingest_messages(const struct kp_ingest *ingest);
void kp_ingest_stats(const struct kp_ingest *ingest, struct kp_ingest_stats *stats);
const struct kp_gaps *kp_ingest_gaps(const struct kp_ingest *ingest);
/* Where socket i listens or is connected to. */
const char *kp_ingest_endpoint(const struct kp_ingest *ingest, size_t i);

#endif
