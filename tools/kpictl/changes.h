/* What changed between two runs over the same events: alerts gained, lost, and moved in time. */
#ifndef KPICTL_CHANGES_H
#define KPICTL_CHANGES_H

#include "kpid/engine.h"
#include "kpid/out.h"

struct change {
    char *what;             /* owned: rule, path and state */
    int64_t time_ms;
};

struct changes {            /* of one run; zeros: none yet */
    struct change *list;    /* owned */
    size_t count, room;
};

/* Keep a change of an alert; what is only pending is passed over. False: out of memory. */
bool changes_keep(struct changes *changes, struct kp_engine *engine, const struct kp_alert *alert) KP_CHECK;
void changes_release(struct changes *changes);

/* Hold the i-th change of one kind on one key against the i-th of the other run, and print a line of JSON for each that
 * differs. Sorts both. False: not everything could be written. */
bool changes_print(struct changes *before, struct changes *after, struct kp_out *out) KP_CHECK;

#endif
