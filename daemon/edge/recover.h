/* The engine as it was when kpid stopped, however it did: the newest checkpoint that is whole, and the journal after it. */
#ifndef KPID_RECOVER_H
#define KPID_RECOVER_H

#include "storage.h"

#include "kpid/engine.h"

/* Alerts looked at in one turn of the loop: as many when the journal is read again. */
enum { KP_ALERTS_TURN = 64 };

struct kp_recovery {
    uint64_t checkpoint;            /* id; 0: none */
    uint64_t from, to;              /* positions of the journal: of the checkpoint, and of the last chunk */
    uint64_t chunks, events;        /* of the journal, taken in again */
    uint32_t damaged_checkpoints;
    uint64_t lost_chunks, lost_events;  /* damaged, or gone, as far as that is known */
    int64_t load_ms, replay_ms;     /* how long it took */
    uint64_t refilled;              /* kept events that what is new was filled from */
    bool stopped;                   /* was asked to end meanwhile */
    char damage[256];               /* the first damage, as a sentence; "": none */
};

/* Make the engine. stop: asked now and then; true ends it (may be NULL). NULL with *err. What was damaged is in *report, and was
 * logged. */
struct kp_engine *kp_recover(struct kp_storage *storage, const struct kp_config *config, uint64_t seed, const struct kp_alert_sink *sink,
                             bool (*stop)(void *ctx), void *ctx, struct kp_recovery *report, struct kp_err *err) KP_CHECK;

#endif
