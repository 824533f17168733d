/* What an entity's history says: from its occurrences to the samples that a tracker makes of them.
 *
 * An occurrence is what is kept of one event of one entity: when, which of the space's tests it passed, the values that
 * are asked for, and whom it is credited to. A history is the entity's occurrences in order of (time, id). A tracker's
 * samples depend on the history alone, never on the order in which it was told; so when an event comes, whatever its time,
 * the samples before and after it are compared and the difference is added up. Pure. */
#ifndef KPID_CORE_TRACK_H
#define KPID_CORE_TRACK_H

#include "plan.h"

#include "kpid/value.h"

#define KP_NO_VALUE INT64_MIN
enum { KP_HISTORY_MAX = 256 };     /* occurrences of one entity: beyond that the oldest are forgotten */

struct kp_occurrence {
    int64_t time;
    uint64_t id[2];     /* its first 16 bytes, big-endian, so that they compare as the id does */
    uint64_t bits;      /* what it passed: see kp_plan_tracker.shift */
    int64_t tail[];     /* the space's values, millionths or KP_NO_VALUE; then its nodes, 32 bits each, or KP_NO_NODE */
};

/* Occurrences of one entity, rising. */
struct kp_history {
    const struct kp_plan_space *space;
    char *at;
    uint32_t n;
    size_t stride;
};

/* Bytes of an occurrence in a space. */
static inline size_t kp_occurrence_size(const struct kp_plan_space *space)
{
    return sizeof(struct kp_occurrence) + (size_t)space->nvalues * sizeof(int64_t) +
           ((size_t)space->ndims + 1) / 2 * sizeof(int64_t);
}
static inline struct kp_occurrence *kp_history_at(const struct kp_history *h, uint32_t i)
{
    return (struct kp_occurrence *)(void *)(h->at + (size_t)i * h->stride);
}
static inline uint32_t *kp_occurrence_nodes(const struct kp_plan_space *space, struct kp_occurrence *o)
{
    return (uint32_t *)(void *)(o->tail + space->nvalues);
}
/* Keep an event's id. */
void kp_occurrence_id(struct kp_occurrence *o, const char *id, uint32_t len);
/* Order by (time, id); what has no id comes first, and among equals the content decides. */
int kp_occurrence_cmp(const struct kp_occurrence *a, const struct kp_occurrence *b, size_t size);

/* One sample, in one dimension. */
struct kp_trace {
    uint16_t outlet;
    uint8_t dim;
    bool back;          /* taken back, at `time`, from whom it was credited to */
    uint32_t node;
    int64_t time;       /* of its pane; 0 for what is so now */
    int64_t value;      /* millionths; 0 where nothing but the number of samples matters */
};

/* Where samples are put; grows as needed and is used again. */
struct kp_traces {
    struct kp_trace *list;  /* owned */
    size_t n, room;
    bool short_of_memory;   /* some are missing */
};
void kp_traces_release(struct kp_traces *traces);

struct kp_track_state {
    bool open;          /* something of it is still to come */
    bool settled;       /* what happens after all that is kept changes nothing of it; a repetition counts: see kp_track_again */
    int64_t due;        /* when time alone makes a further sample; INT64_MAX: never */
};

/* Append the tracker's samples as of `now`, in an order that depends on the history alone. keep[i], where keep is not
 * NULL: which of the tracker's bits of occurrence i can still matter, when no event older than `horizon` will come. */
void kp_track(const struct kp_plan *plan, const struct kp_plan_tracker *tracker, const struct kp_history *history,
              int64_t now, int64_t horizon, struct kp_traces *traces, uint64_t *keep, struct kp_track_state *state);

/* The samples that an occurrence adds to a settled tracker when it lies behind all that is kept: none but of a REPEAT, which
 * then counts. */
void kp_track_again(const struct kp_plan *plan, const struct kp_plan_tracker *tracker, const struct kp_plan_space *space,
                    struct kp_occurrence *o, struct kp_traces *traces);

/* The bits of the space's trackers that an event passes. */
uint64_t kp_track_bits(const struct kp_plan *plan, const struct kp_plan_space *space, const struct kp_event *ev);

#endif
