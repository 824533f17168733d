/* What is to be said only once what it rests on is on disk: acknowledgements, and alerts. In order of their positions in the
 * journal. */
#ifndef KPID_OUTBOX_H
#define KPID_OUTBOX_H

#include "kpid/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

enum { KP_OUTBOX_FRAMES = 24 };     /* the most that one thing can have */

struct kp_outbox;

struct kp_outbox *kp_outbox_new(struct kp_err *err) KP_CHECK;
/* What has not been said is dropped. */
void kp_outbox_destroy(struct kp_outbox **outbox);

/* Say `bytes` on a socket, after n < KP_OUTBOX_FRAMES frames, which are taken over and closed. tag: for whoever releases it. False: memory
 * is out, and nothing is kept. seq never falls from one call to the next. */
bool kp_outbox_put(struct kp_outbox *outbox, uint64_t seq, int tag, void *socket, zmq_msg_t *frames, size_t n, const void *bytes,
                   size_t len);

enum { KP_SAY_REPLY, KP_SAY_CONTROL, KP_SAY_ALERT };    /* tags */

/* Something that is to be said: the last frame is what it is about. The frames are closed after the call. */
struct kp_outbox_item {
    uint64_t seq;
    int tag;
    void *socket;
    zmq_msg_t *frames;
    size_t n;
};
/* Hand out, in order, all up to seq. */
void kp_outbox_release(struct kp_outbox *outbox, uint64_t seq, void (*say)(void *ctx, struct kp_outbox_item *item), void *ctx);

size_t kp_outbox_count(const struct kp_outbox *outbox);

#endif
