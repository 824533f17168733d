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
    uint32_t prefixes;          /* that it has asked for */
    void *wishes;               /* owned; a tree (tsearch) of what these hash to, so that none ends what it has not begun */
    bool is_cut;                /* it is ended, and what it still sends is not heard */
};

struct kp_subscribers {         /* empty when all bytes are zero, but for the seed */
    struct kp_subscriber *by_fd;    /* owned */
    size_t room, looked;            /* looked: at which one it was asked last whether it has gone */
    uint64_t seed;                  /* of chance, so that nobody can choose prefixes that hash alike */
};

void kp_subscribers_release(struct kp_subscribers *subscribers);
/* The one that a message came from; a new one of that number is begun anew. NULL: libzmq does not tell, it has gone, or memory is
 * out. */
struct kp_subscriber *kp_subscribers_find(struct kp_subscribers *subscribers, const struct kp_peer *peer, const char *endpoint);
/* It asks for a prefix; false: it has already. It asks for it no more; false: it never did. */
bool kp_subscriber_begins(struct kp_subscribers *subscribers, struct kp_subscriber *one, const char *prefix, size_t len);
bool kp_subscriber_ends(struct kp_subscribers *subscribers, struct kp_subscriber *one, const char *prefix, size_t len);
/* Cut off those whose rights to read are not the same in both. */
void kp_subscribers_recheck(struct kp_subscribers *subscribers, struct kp_guard *guard, const char *endpoint,
                            const struct kp_security_cfg *was, const struct kp_security_cfg *is);

#endif
