/* A sales floor that does not exist: who does what when, drawn by a seed. The same seed gives the same floor.
 *
 * Reps call and write, mostly to leads, which come in or are found; each deal begins with a lead, walks through its stages
 * to won or lost, and now and then a won one is taken back; campaigns cost. The rhythm is that of a working day; nights and
 * weekends pass at once. Somebody is on a streak: the first who closes deals. One rep in five does far too little, one falls silent after
 * an hour, and one deal of the second who closes stands still. */
#ifndef KPICTL_FLOOR_H
#define KPICTL_FLOOR_H

#include "kpid/config.h"
#include "kpid/out.h"

enum { FLOOR_DEALS = 12, FLOOR_LEADS = 8, FLOOR_REPS_MAX = 1000000 };

struct floor_lead {
    uint32_t number;        /* 0: none */
    bool inbound;
};

struct floor_deal {
    uint32_t number;        /* 0: none */
    uint8_t stage;
    uint32_t lead;
};

struct floor_rep {
    const char *key;        /* borrowed from the roster, or from `made` */
    const char *region;     /* NULL: unknown */
    char made[16];
    double pace;            /* 1: as most */
    bool goes_silent, hunts;    /* hunts: mostly calls, closes nothing */
    bool is_on_a_streak, forgets_one;   /* what they close goes well; their first deal stands still once it is two steps on */
    struct floor_lead leads[FLOOR_LEADS];   /* that are not deals yet */
    struct floor_deal deals[FLOOR_DEALS];
    struct floor_deal won;                  /* the last one */
};

struct floor {
    struct floor_rep *reps; /* owned */
    double *sums;           /* owned; running sums of their paces */
    size_t count;
    uint64_t random[2];
    uint64_t seed;
    int64_t start_ms, now_ms;   /* simulated, as if the floor's zone were UTC */
    size_t closers;             /* those who close deals, so far */
    bool is_past;               /* nobody falls silent in what has been */
    uint64_t made;          /* events so far */
    uint64_t seq[3];        /* by source */
    uint32_t deals, leads;  /* the newest; floors of other seeds have others */
};

/* The members of a roster (borrowed), or `count` reps of its own when members is NULL. False: out of memory. */
bool floor_init(struct floor *floor, const struct kp_config *config, size_t count, uint64_t seed, int64_t start_ms) KP_CHECK;
void floor_release(struct floor *floor);

/* Go to the next thing that happens; now_ms is then its time. Returns the ms that nobody worked and that were skipped. */
int64_t floor_next(struct floor *floor);
/* What happens: one event's map, with this time in it. */
void floor_put(struct floor *floor, struct kp_out *out, int64_t time_ms);

#endif
