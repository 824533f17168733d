/* Who may do what: CURVE on the sockets, the ZAP handler that lets keys in, and who is behind a message.
 *
 * Keys are those of `security`, which a reload may change: what is asked here is answered by the users as they are now, so
 * whoever is removed may do nothing from then on, however long the connection has stood. Sockets of ipc and inproc are open to
 * whoever may open their files, and everybody is there as without `security`. */
#ifndef KPID_GUARD_H
#define KPID_GUARD_H

#include "log.h"

#include "kpid/config.h"
#include "kpid/err.h"

#include <zmq.h>

enum kp_door { KP_DOOR_INGEST, KP_DOOR_PUBLISH, KP_DOOR_CONTROL, KP_DOORS };

/* Who sent a message. */
struct kp_peer {
    bool guarded;                       /* false: came in by a socket that is open to all */
    const struct kp_user_cfg *user;     /* NULL: nobody, or not any more */
    const char *address;                /* borrows from the message; "": not told */
    int fd;                             /* of the connection; -1: not told */
};

struct kp_guard_stats {
    uint64_t let_in, shut_out;          /* handshakes */
    uint64_t denied[KP_DOORS];          /* events, subscriptions, requests */
    uint64_t cut;                       /* connections that were ended */
};

struct kp_guard;

/* Listens for handshakes where `security` is on; before any socket is bound. Borrows config. */
struct kp_guard *kp_guard_open(void *zmq, const struct kp_config *config, struct kp_err *err) KP_CHECK;
void kp_guard_close(struct kp_guard **guard);
/* Go on by the users of another configuration. */
void kp_guard_rebind(struct kp_guard *guard, const struct kp_config *config);
/* To be polled; NULL: there is nothing to be. */
void *kp_guard_socket(const struct kp_guard *guard);
/* Answer the handshakes that wait. */
void kp_guard_turn(struct kp_guard *guard);

/* Let a socket ask for keys before it is bound to an endpoint, and give up peers that say nothing of themselves or have vanished.
 * *guarded: it asks for keys. */
enum kp_code kp_guard_serve(struct kp_guard *guard, void *socket, const char *endpoint, enum kp_door door, bool *guarded,
                            struct kp_err *err) KP_CHECK;
/* Let a SUB prove itself to a publisher that has this public key. */
enum kp_code kp_guard_connect(struct kp_guard *guard, void *socket, const char *server_key, struct kp_err *err) KP_CHECK;

/* Who sent it; guarded: as kp_guard_serve told of the socket. */
struct kp_peer kp_guard_who(struct kp_guard *guard, bool guarded, zmq_msg_t *msg);
/* The user of a key (40 characters); NULL: there is none. */
const struct kp_user_cfg *kp_user_of(const struct kp_security_cfg *security, const char *key);

/* Count and log something that is denied; what: a word or two. */
void kp_guard_deny(struct kp_guard *guard, enum kp_door door, const struct kp_peer *peer, const char *what);
/* End a connection to an endpoint, if it is still the one it was. */
void kp_guard_cut(struct kp_guard *guard, int fd, const char *address, const char *endpoint, const char *why);
/* Is that still a connection from this address to this endpoint? The number of one that has ended may be another's already, while
 * what it sent is still being read. */
bool kp_guard_is_still(int fd, const char *address, const char *endpoint);

void kp_guard_stats(const struct kp_guard *guard, struct kp_guard_stats *stats);

/* ---- What a user may ---- */
/* Send events of this source ("": of none)? */
bool kp_user_may_emit(const struct kp_user_cfg *user, struct kp_str source);
bool kp_user_may_emit_some(const struct kp_user_cfg *user);
/* Read all there is? */
bool kp_user_may_read_all(const struct kp_user_cfg *user);
bool kp_user_may_read_some(const struct kp_user_cfg *user);
/* Read what lies at a path as topics have it, "emea/field-1/ana" ("": the company)? */
bool kp_user_may_read(const struct kp_user_cfg *user, const char *path, size_t len);

#endif
