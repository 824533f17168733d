/* A whole engine as bytes, and back: what a checkpoint holds.
 *
 * Whatever can still matter is in it: panes, sketches, entities, the memory of duplicates, sources, the newest events, the states of
 * alerts, silences and acknowledgements. An engine that was loaded goes on as the one that was saved would have. It may have
 * another configuration: what means the same then and now keeps its state, by what it is and not by where it stands in the file;
 * the rest starts empty. Pure, like all of the engine. */
#ifndef KPID_CHECKPOINT_H
#define KPID_CHECKPOINT_H

#include "kpid/engine.h"

/* Write all of it. Takes no memory and changes nothing. False: write() said so. */
bool kp_engine_save(const struct kp_engine *engine, bool (*write)(void *ctx, const void *bytes, size_t len), void *ctx) KP_CHECK;

/* What came of loading. */
struct kp_load_report {
    uint32_t kpis_kept, kpis_new, kpis_gone;    /* by what they are: kept ones have their panes */
    uint32_t keys_refused;      /* over limits.keys, and what they held */
    uint32_t alerts_gone;       /* pending or firing, of rules that are no more */
};
/* Read it into an engine that was just made, of the same seed. KP_EINVAL: it is damaged, or from a version of kpid that this one
 * does not know; the engine is to be destroyed then. read: as in kp_engine_save the other way, 0 at the end or when it fails. */
enum kp_code kp_engine_load(struct kp_engine *engine, size_t (*read)(void *ctx, void *buf, size_t most), void *ctx,
                            struct kp_load_report *report, struct kp_err *err) KP_CHECK;

/* ---- What is new, out of events that are kept ---- */
/* Has the engine that was loaded something that began empty? */
bool kp_engine_has_new(const struct kp_engine *engine);
/* Of an engine of the same configuration and seed that was told of all kept events, what fills that; and fill it, before the engine
 * that was loaded is told of anything. Also which events are remembered. */
bool kp_engine_save_numbers(const struct kp_engine *engine, bool (*write)(void *ctx, const void *bytes, size_t len), void *ctx) KP_CHECK;
enum kp_code kp_engine_load_numbers(struct kp_engine *engine, size_t (*read)(void *ctx, void *buf, size_t most), void *ctx,
                                    struct kp_err *err) KP_CHECK;

#endif
