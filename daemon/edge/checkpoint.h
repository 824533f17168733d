/* Checkpoints of the running engine: a forked child, which sees the engine as it was at one instant, writes it into a pipe, and the
 * storage thread puts it into the store. The loop is held up for as long as the fork takes, and is told how long that was. */
#ifndef KPID_EDGE_CHECKPOINT_H
#define KPID_EDGE_CHECKPOINT_H

#include "journal.h"

#include "kpid/engine.h"

#include <sys/types.h>

struct kp_checkpointer {
    struct kp_storage *storage;     /* borrowed */
    int64_t every_ms, due_ms;       /* steady */
    pid_t child;                    /* 0: none */
    bool running, asked;
    int64_t cut_ms;                 /* not before: one to cut the journal, steady */
    int64_t erase_ms;               /* not before: the next one for somebody who is to be erased, steady */
    bool mends;                     /* what is running has all that the journal lacks */
    uint64_t position;              /* of the newest complete one, or of that which is running */
    uint64_t newest, older;         /* positions of those that this process has completed */
    uint64_t count, failed;
    int64_t pause_us, pause_max_us; /* of the loop, by the fork */
    uint64_t seen;                  /* checkpoints that had ended when the running one began */
};

void kp_checkpointer_init(struct kp_checkpointer *c, struct kp_storage *storage, int64_t every_ms, int64_t steady_ms);
/* From now on so often. */
void kp_checkpointer_every(struct kp_checkpointer *c, int64_t every_ms, int64_t steady_ms);
/* One as soon as possible. */
void kp_checkpointer_ask(struct kp_checkpointer *c);
/* Between two turns: begin one that is due, see to the end of one that runs. */
void kp_checkpointer_turn(struct kp_checkpointer *c, const struct kp_engine *engine, struct kp_journal *journal, int64_t steady_ms);
/* When it has to be called at the latest, steady. */
int64_t kp_checkpointer_due(const struct kp_checkpointer *c);
/* End the child, if there is one. */
void kp_checkpointer_stop(struct kp_checkpointer *c);

#endif
