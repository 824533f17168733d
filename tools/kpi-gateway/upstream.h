/* From kpid: its state first, then what it publishes, and answers to what is asked on behalf of a browser.
 *
 * Everything that is published is followed, so a `seq` that jumps means that something was lost, and then all is asked for again; so it is
 * after each new connection, and now and then besides. Nothing here waits. */
#ifndef GATEWAY_UPSTREAM_H
#define GATEWAY_UPSTREAM_H

#include "gateway_config.h"
#include "state.h"

#include <zmq.h>

struct upstream;

/* Borrows all three. KP_EIO: a socket can't be opened. */
struct upstream *upstream_open(void *zmq, const struct gateway_config *config, struct state *state, struct kp_err *err) KP_CHECK;
void upstream_close(struct upstream **upstream);

enum { UPSTREAM_ITEMS = 3 };
void upstream_poll(const struct upstream *upstream, zmq_pollitem_t items[UPSTREAM_ITEMS]);
/* Take what is there, and ask what is due. steady_ms: a clock that nobody sets. True: there is more already. */
bool upstream_turn(struct upstream *upstream, int64_t steady_ms);
/* When it wants its turn at the latest, steady. */
int64_t upstream_due(const struct upstream *upstream);

/* Does kpid answer? And was all told that there is, at least once? */
bool upstream_is_up(const struct upstream *upstream);
bool upstream_is_ready(const struct upstream *upstream);
/* Changes when the catalog does. */
uint64_t upstream_era(const struct upstream *upstream);

/* Changes whenever a contest's standing may have. */
uint64_t upstream_contests(const struct upstream *upstream);

/* What kpid's op `config` says, and `status`; NULL: not yet. Borrowed until the next turn. */
const msgpack_object *upstream_catalog(const struct upstream *upstream);
const msgpack_object *upstream_status(const struct upstream *upstream);

/* bytes NULL: there was no answer within the time. Called from upstream_turn. */
typedef void upstream_answer(void *ctx, const void *bytes, size_t len);
/* Ask kpid: a request of its control socket, JSON or MessagePack. False: it is not there, or too much is asked already. */
bool upstream_ask(struct upstream *upstream, const void *bytes, size_t len, int64_t steady_ms, upstream_answer *answer, void *ctx)
    KP_CHECK;
/* Nobody waits for the answers of this ctx any more. */
void upstream_forget(struct upstream *upstream, const void *ctx);

struct upstream_stats {
    uint64_t messages, malformed, gaps, syncs, questions, unanswered;
};
void upstream_stats(const struct upstream *upstream, struct upstream_stats *stats);

#endif
