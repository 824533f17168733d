/* Ranks: how a key stands among its peers, the keys of the same level below the same parent.
 *
 * The readings of all peers are taken together, one table for each level, and kept until a number or the time changes; or,
 * in a pass over the roster, which goes team by team, for as long as it stays with those peers, since numbers change all
 * the time: so it reads every key twice and not once for each of its peers. */
#ifndef KPID_CORE_RANK_H
#define KPID_CORE_RANK_H

#include "read.h"

enum { KP_PEERS_MAX = 1024 };   /* of more peers there are no ranks */

struct kp_ranks;

struct kp_ranks *kp_ranks_new(struct kp_reader *reader, struct kp_err *err) KP_CHECK;
void kp_ranks_destroy(struct kp_ranks **ranks);

/* Take the readings of a node's peers, unless those at hand are of the same pass; pass 0: of the same version and instant.
 * False: there are no ranks for it (a group, the company, too many peers, out of memory). Leaves the reader with some
 * peer's numbers. */
bool kp_ranks_take(struct kp_ranks *ranks, uint32_t node, int64_t t, uint64_t version, uint32_t pass);

/* Is nothing left of a key that the roster does not know, by the reader's last numbers? Samples that were all taken back,
 * or that no window holds, must not make it anybody's peer. */
bool kp_rank_is_nobody(const struct kp_reader *reader, uint32_t node);

struct kp_rank {
    uint32_t rank, of;      /* 1 is best, those with equal numbers share the better rank; rank 0: it has none */
};
/* How `value`, the node's own, stands in a pair among the others that kp_ranks_take has taken for it. */
struct kp_rank kp_ranks_of(const struct kp_ranks *ranks, uint32_t node, int pair, double value, bool has, enum kp_better better);

#endif
