/* Who has subscribed to the publish socket, by connection: whose key it is, and how much they have asked for.
 *
 * So that whoever loses a right can be cut off, and a flood of subscriptions be ended. Bounded by the number of connections
 * that the process may have. */
#ifndef KPID_SUBSCRIBERS_H
#define KPID_SUBSCRIBERS_H

#include "guard.h"

struct kp_subscriber {
    uint64_t inode;             /* of the socket: another one has the same number of another connection; 0: there is none */
    char key[41];               /* of its user; "": not guarded */
    char address[48];
    uint32_t prefixes;          /* that it follows */
    bool is_cut;                /* it is ended, and what it still sends is not heard */
};

struct kp_subscribers {         /* empty when all bytes are zero */
    struct kp_subscriber *by_fd;    /* owned */
    size_t room;
};

void kp_subscribers_release(struct kp_subscribers *subscribers);
/* The one that a message came from; a new one of that number is begun anew. NULL: libzmq does not tell, it has gone, or memory is
 * out. */
struct kp_subscriber *kp_subscribers_find(struct kp_subscribers *subscribers, const struct kp_peer *peer, const char *endpoint);
/* Cut off those whose rights to read are not the same in both. */
void kp_subscribers_recheck(struct kp_subscribers *subscribers, struct kp_guard *guard, const char *endpoint,
                            const struct kp_security_cfg *was, const struct kp_security_cfg *is);

#endif
