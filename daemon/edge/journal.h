/* What of a turn of the loop is to be on disk, and whether it is.
 *
 * A turn's messages, the requests that changed something, and that time was looked at, make one chunk of the journal: the engine's
 * whole input in its order, so that whoever reads it again comes to the same. The engine is not kept waiting; answers are, in the
 * outbox, until their chunk is on disk. NULL stands for a daemon without storage, in every function here. */
#ifndef KPID_JOURNAL_H
#define KPID_JOURNAL_H

#include "outbox.h"
#include "record.h"
#include "storage.h"

#include "kpid/value.h"

struct kp_journal;

enum kp_journal_mode {
    KP_JOURNAL_NONE,    /* memory only */
    KP_JOURNAL_OPEN,
    KP_JOURNAL_FULL,    /* the disk is behind: nothing may be taken in until it has caught up */
    KP_JOURNAL_BROKEN,  /* the store fails: nothing can be promised; what nobody waits for is counted in memory */
};

/* Borrows the storage, whose thread runs. */
struct kp_journal *kp_journal_new(struct kp_storage *storage, struct kp_err *err) KP_CHECK;
void kp_journal_destroy(struct kp_journal **journal);

/* Begin a turn. */
enum kp_journal_mode kp_journal_begin(struct kp_journal *journal, int64_t now_ms);
enum kp_journal_mode kp_journal_mode(const struct kp_journal *journal);
/* Why it is broken. */
const char *kp_journal_error(const struct kp_journal *journal);

/* Note a message of so many events that were not denied; awaited: somebody waits for the answer. */
void kp_journal_message(struct kp_journal *journal, const struct kp_record *record, uint32_t events, bool awaited);
void kp_journal_request(struct kp_journal *journal, const void *bytes, size_t len);
/* Note that what was touched and due has been looked at, after the messages and before the requests of this turn. */
void kp_journal_settled(struct kp_journal *journal);
/* Keep what an alert said for the history. json: as it was published. */
void kp_journal_alert(struct kp_journal *journal, const char *json, size_t len);
/* Has the turn taken in so much that it should end? */
bool kp_journal_is_large(const struct kp_journal *journal);
/* End the turn: its chunk is on its way. */
void kp_journal_end(struct kp_journal *journal);

/* The position that must be on disk before something that comes of all so far may be promised. */
uint64_t kp_journal_position(const struct kp_journal *journal);
/* The position that is on disk, as of the last kp_journal_begin. */
uint64_t kp_journal_committed(const struct kp_journal *journal);
/* Where what waits for its position waits; NULL: nothing has to, or can. */
struct kp_outbox *kp_journal_outbox(struct kp_journal *journal);
/* The same however it stands: what waits there. */
struct kp_outbox *kp_journal_waiting(struct kp_journal *journal);

/* Does the journal hold more than it should? A checkpoint lets it be cut. As of the last kp_journal_begin. */
bool kp_journal_is_full(const struct kp_journal *journal);
/* Is somebody to be erased from the store, for which another checkpoint is needed? As of the last kp_journal_begin. */
bool kp_journal_wants_checkpoint(const struct kp_journal *journal);
/* Is something counted that neither the journal nor a checkpoint has? A checkpoint that was begun now would. */
bool kp_journal_has_hole(const struct kp_journal *journal);
void kp_journal_mend(struct kp_journal *journal);   /* such a checkpoint is complete */
uint64_t kp_journal_unjournaled(const struct kp_journal *journal);  /* messages counted in memory alone, so far */

#endif
