/* From what kpid says to what is to be delivered: each message is held against what is known, routed, worded, and written into
 * the spool. */
#ifndef NOTIFY_TELL_H
#define NOTIFY_TELL_H

#include "spool.h"

/* All borrowed. */
struct tell {
    const struct notify_config *config;
    struct spool *spool;
    const msgpack_object *catalog;      /* the reply to the op `config`; NULL: not known yet */
    int64_t listing;                    /* number of the listing that was last asked for */
    struct aims *aims;                  /* room to work in */
    uint64_t told, refused;             /* changes that were told; alerts beyond limits.alerts */
};

/* An alert of a message, or of a listing. KP_EIO: the spool failed; what was written is to be rolled back. */
enum kp_code tell_alert(struct tell *tell, struct alert *alert, bool listed, int64_t now_ms, struct kp_err *err) KP_CHECK;

/* A listing, which the daemon made at `seq` (0: not known), is complete: what fires as far as is known and was not in it is over,
 * unless it was told after that. */
enum kp_code tell_unlisted(struct tell *tell, uint64_t seq, int64_t now_ms, struct kp_err *err) KP_CHECK;

/* Make a mail of each digest that is due. */
enum kp_code tell_digests(struct tell *tell, int64_t now_ms, struct kp_err *err) KP_CHECK;

#endif
