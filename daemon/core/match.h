/* From an event to what it adds: the program of its signature.
 *
 * The filters are tried once for each signature ever seen; what they say is kept as a list of additions, in sections
 * by family. The cache is bounded: a stream with endless signatures (a filter with very many constants) makes it start
 * anew, which costs time but changes no number. */
#ifndef KPID_CORE_MATCH_H
#define KPID_CORE_MATCH_H

#include "feeds.h"
#include "plan.h"

struct kp_want {                /* a KPI that leaves the event out when this value is not usable */
    uint16_t value, kpi;
};

struct kp_follow {              /* a space whose trackers want to hear of it */
    uint16_t space;
    uint16_t values[KP_SPACE_VALUES_MAX];   /* of the program; those that its occurrences keep */
    uint64_t bits;
};

struct kp_program {
    uint32_t nsections, nvalues, nwants, dims;  /* dims: bit d: something for dimension d */
    uint32_t nsketches;         /* of dimension 0 */
    uint64_t followed;          /* bit f: a family of dimension 0 that its entities may add to, and no section does */
    uint64_t rule_levels;       /* bit l: some rule of level l reads what this adds to */
    struct kp_section *sections;
    struct kp_op *ops;
    uint16_t *values;           /* of the plan */
    struct kp_want *wants;
    struct kp_op *sketches;     /* the ops whose word leads to a sketch; value: the family */
    struct kp_follow *follows;
    uint32_t nfollows;
    uint16_t feeds;             /* the set of KPIs that it feeds, or may by way of its entities: see kp_match_feeds */
    uint16_t counts;            /* the set of those that it is counted by itself, or by way of a formula; 0: none */
    int hashed;                 /* value of the plan that the first DISTINCT of them takes; -1: there is none */
};

struct kp_match;

struct kp_match *kp_match_new(const struct kp_plan *plan, struct kp_err *err) KP_CHECK;
void kp_match_destroy(struct kp_match **match);

/* The event's program, good for as long as kp_match_round stays what it is. NULL: out of memory. */
const struct kp_program *kp_match_event(struct kp_match *match, const struct kp_event *ev);
/* ... of n events, at most KP_PRINTS_MAX. When the round is another one afterwards, some of them are gone. */
void kp_match_events(struct kp_match *match, const struct kp_event *const *events, size_t n, const struct kp_program **programs);

/* Rises each time that the cache starts anew, and all programs are gone. */
uint32_t kp_match_round(const struct kp_match *match);

/* The sets of KPIs that programs name; they stay when the cache starts anew. */
struct kp_feeds *kp_match_feeds(struct kp_match *match);

/* The set of KPIs that samples of an outlet feed, directly or through a formula. */
uint16_t kp_match_outlet(const struct kp_match *match, int outlet);

size_t kp_match_count(const struct kp_match *match);

#endif
