/* What is kept of numbers for trends: samples through the day, and what each period came to.
 *
 * Every `storage.samples` a pass goes over all keys, for a bounded time a turn: what each shown number with a sample in it is now, and
 * what its last period came to (what came late is in the next pass's). When time goes on by so much that a day would end unseen, as after
 * a weekend in which kpid did not run, what had been counted until then is kept first. Rows go to the storage thread in batches, one at a time; while
 * that one is not written, the pass waits. */
#ifndef KPID_HISTORY_H
#define KPID_HISTORY_H

#include "storage.h"

#include "kpid/engine.h"

struct kp_history {
    struct kp_storage *storage;     /* borrowed */
    int64_t every_ms;               /* 0: nothing is kept */
    int64_t since_ms;               /* all KPIs have been counted since then: what is nothing in a period before was not seen */
    int64_t due_ms;                 /* system's clock */
    struct kp_history_batch *batch; /* owned; being filled */
    bool running;
    uint32_t next, pass;
    size_t step;                    /* of the rows of the next key, where the last batch was full */
    int64_t at_ms;                  /* of the samples of this pass */
    uint64_t passes;
};

void kp_history_init(struct kp_history *history, struct kp_storage *storage, const struct kp_config *config, int64_t since_ms);
void kp_history_release(struct kp_history *history);
/* Another engine, of another configuration: a pass that runs ends. */
void kp_history_rebind(struct kp_history *history, const struct kp_config *config, int64_t since_ms);
/* Somebody was forgotten: what is not handed over yet goes, and a pass begins anew. */
void kp_history_anew(struct kp_history *history);
/* Begin a pass that is due, go forward in one that runs. True: there is more to do now. */
bool kp_history_turn(struct kp_history *history, struct kp_engine *engine);
/* When the next pass begins, by the engine's time; INT64_MAX: never, or one runs. */
int64_t kp_history_due(const struct kp_history *history);
/* Before the engine's time goes on to then: what the periods that end in between came to. Waits for the store, a minute at most. */
void kp_history_before_leap(struct kp_history *history, struct kp_engine *engine, int64_t now_ms);

#endif
