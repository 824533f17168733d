/* What an entity's history says: from its occurrences to the samples that a tracker makes of them.
 *
 * An occurrence is what is kept of one event of one entity: when, which of the space's tests it passed, the values that
 * are asked for, and whom it is credited to. A history is the entity's occurrences in order of (time, id). A tracker's
 * samples depend on the history alone, never on the order in which it was told; so when an event comes, whatever its time,
 * the samples before and after it are compared and the difference is added up. Pure. */
#ifndef KPID_CORE_TRACK_H
#define KPID_CORE_TRACK_H

#include "plan.h"

#include "kpid/event.h"
#include "kpid/value.h"

#define KP_LONG_ID (UINT64_C(1) << 63)
#define KP_NO_VALUE INT64_MIN
enum { KP_HISTORY_MAX = 256 };     /* occurrences of one entity: beyond that the oldest are forgotten */

/* An id of up to 16 bytes, big-endian and with zeros behind, so that it compares as the text does. Of a longer one
 * the first 8, and the address of the others: their number in a byte, then they themselves. */
struct kp_mark {
    int64_t time;
    uint64_t id[2];
};

struct kp_occurrence {
    struct kp_mark mark;
    uint64_t bits;      /* what it passed: see kp_plan_tracker.shift; and KP_LONG_ID */
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
/* Keep an event's id, at most KP_KEY_MAX bytes; what a long one has too many is put into `rest`, which is borrowed. */
enum { KP_ID_SHORT = 16, KP_ID_HEAD = 8, KP_ID_REST = 1 + KP_KEY_MAX - KP_ID_HEAD };
void kp_occurrence_id(struct kp_occurrence *o, const char *id, uint32_t len, unsigned char rest[KP_ID_REST]);
/* Write an id into `text`; returns its length, 0: it has none. */
uint32_t kp_mark_text(const struct kp_mark *mark, bool is_long, char text[KP_KEY_MAX]);
/* Order by (time, id); what has no id comes first, and among equals what it passed and its values decide. 0: they differ in
 * whom they are credited to at most. */
int kp_occurrence_cmp(const struct kp_plan_space *space, const struct kp_occurrence *a, const struct kp_occurrence *b);

/* One sample, in one dimension. */
struct kp_trace {
    uint16_t outlet;
    uint8_t dim;
    bool back;          /* taken back, at `time`, from whom it was credited to */
    uint32_t node;
    int64_t time;       /* of its pane; 0 for what is so now */
    int64_t value;      /* millionths; 0 where nothing but the number of samples matters */
    struct kp_mark mark;    /* of the event that it is, or that it was taken back by; borrows from the history */
    bool is_long;           /* its id */
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
