/* The control socket: a ROUTER that answers {"op": ...}.
 *
 * Short answers are given at once. `get` goes forward a bounded number of keys a turn, a few requests beside each other,
 * so that asking for everything does not keep events waiting. */
#ifndef KPID_CONTROL_H
#define KPID_CONTROL_H

#include "checkpoint.h"
#include "ingest.h"
#include "operator.h"
#include "publish.h"
#include "recover.h"
#include "reload.h"

#include "kpid/engine.h"
#include "kpid/histogram.h"

struct kp_control;

/* What the answers are made of; all borrowed. */
struct kp_control_world {
    const struct kp_config *config;
    struct kp_engine *engine;
    const struct kp_ingest *ingest;
    const struct kp_publish *publish;
    struct kp_journal *journal;         /* NULL: memory only, like all that follows but the last */
    struct kp_storage *storage;
    struct kp_checkpointer *checkpointer;
    const struct kp_recovery *recovery;
    const struct kp_operator *operator;
    struct kp_guard *guard;             /* NULL: without a socket, like the next one */
    const struct kp_timings *timings;
};

/* How long the loop's work takes. */
struct kp_timings {
    struct kp_histogram turn;           /* a turn, without its sleep */
    struct kp_histogram settle;         /* of it, looking at what was touched and is due */
};

/* zmq NULL: without a socket, for kp_control_again. */
struct kp_control *kp_control_open(void *zmq, const struct kp_control_world *world, int64_t steady_ms,
                                   struct kp_err *err) KP_CHECK;
void kp_control_close(struct kp_control **control);

/* NULL when there is none. */
void *kp_control_socket(const struct kp_control *control);

/* Take requests, go forward in those that take longer. True: there is more to do now. */
bool kp_control_turn(struct kp_control *control, int64_t steady_ms);
/* Until when no request is taken, since there were too many of late; 0: they are. By the clock of kp_control_turn. */
int64_t kp_control_paused_until(const struct kp_control *control, int64_t steady_ms);
/* Is a request on its way? Then no key may be forgotten. */
bool kp_control_busy(const struct kp_control *control);

/* Does a request wait for a reload? For whoever sees to it between two turns. */
bool kp_control_wants_reload(const struct kp_control *control);
/* Go on with another engine of another configuration, or with the old one: what was asked of it is answered. */
void kp_control_reloaded(struct kp_control *control, const struct kp_config *config, struct kp_engine *engine,
                         struct kp_reload *reload);

/* Do once more what a request that was journaled at a position did. */
void kp_control_again(struct kp_control *control, const void *bytes, size_t len, uint64_t position);
/* Has somebody been forgotten since this was asked last? Then what was begun before may still have them. */
bool kp_control_has_forgotten(struct kp_control *control);
/* Answer a request at once, of a control without a socket. NULL: memory is out. Borrowed until the next one. */
const void *kp_control_ask(struct kp_control *control, const void *bytes, size_t len, size_t *reply_len);
/* Send a reply that was waiting for the journal. */
void kp_control_say(struct kp_control *control, struct kp_outbox_item *item);

#endif
