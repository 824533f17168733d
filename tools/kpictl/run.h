/* A configuration's engine over a file of events, with time as the events tell it. What its alerts come to is printed as
 * they change, kept to be compared, or added up. */
#ifndef KPICTL_RUN_H
#define KPICTL_RUN_H

#include "backtest.h"
#include "changes.h"

#include "kpid/engine.h"
#include "kpid/out.h"

enum run_shape { RUN_LINES, RUN_ALERT_LINES, RUN_CHANGES, RUN_SUMMARY };

struct run {
    enum run_shape shape;
    const int64_t *ats;         /* borrowed: when the clock is stopped for snapshots, rising */
    size_t nats, next_at;
    struct kp_config config;
    bool loaded, failed;        /* failed: memory, or the output can't be written */
    struct kp_engine *engine;   /* owned, like what follows */
    struct kp_decoder *decoder;
    struct kp_out *out;
    struct changes changes;     /* RUN_CHANGES */
    struct backtest *backtest;  /* RUN_SUMMARY */
    struct kp_event event;
    uint64_t alerts, snapshots, counts[KP_REASONS];
    char bad_row[256];          /* the first row that no event could be made of */
};

/* shape and ats are set, the rest zeros. False: the faults of the configuration were printed, or the reason is in *err. */
bool run_start(struct run *run, const char *file, struct kp_err *err) KP_CHECK;
void run_release(struct run *run);

/* One message of the source. */
void run_feed(struct run *run, const char *bytes, size_t len);
/* A row is as good as a line that is no JSON. */
void run_bad_row(struct run *run, const char *why);
/* The events are at their end. */
void run_end(struct run *run);

uint64_t run_events(const struct run *run);
/* "replayed 5 events: accepted 5" to stderr. */
void run_tell_counts(const struct run *run);

#endif
