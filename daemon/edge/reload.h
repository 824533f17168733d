/* Another configuration for the engine that runs: all or nothing. */
#ifndef KPID_RELOAD_H
#define KPID_RELOAD_H

#include "faults.h"
#include "storage.h"

#include "kpid/checkpoint.h"

/* What came of it. */
struct kp_reload {
    bool done;
    char error[400];            /* when it was not */
    struct kp_fault_list faults;    /* of the new configuration; released by kp_reload_release */
    struct kp_load_report report;
    int64_t took_ms;            /* how long the loop was held up */
};
void kp_reload_release(struct kp_reload *reload);

/* Load the file that `old` was loaded from once more, and check that it asks for nothing that only a restart can do: other sockets,
 * another store, another clock. NULL: *reload says why; the caller ends it with kp_config_release and free. */
struct kp_config *kp_reload_config(const struct kp_config *old, struct kp_reload *reload) KP_CHECK;

/* An engine of the configuration that goes on from the old one, which is as it was. The old one is read in a forked process, so that
 * there are never three of them in memory. NULL: *reload says why. */
struct kp_engine *kp_reload_engine(const struct kp_engine *old, const struct kp_config *config, uint64_t seed,
                                   const struct kp_alert_sink *sink, struct kp_reload *reload) KP_CHECK;

/* What fills that which began empty in an engine that was loaded, out of the events that are kept in the journal up to a position: an
 * engine is told of all of them. Nothing is done where nothing is new. stop: asked now and then, may be NULL; true ends it, KP_EIO.
 * *events: how many there were. */
enum kp_code kp_refill(struct kp_engine *engine, struct kp_storage *storage, uint64_t seed, uint64_t upto, bool (*stop)(void *ctx),
                       void *ctx, uint64_t *events, struct kp_err *err) KP_CHECK;

#endif
