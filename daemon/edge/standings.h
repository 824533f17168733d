/* When contests are told of: each when its standing has changed, and all of them from time to time. */
#ifndef KPID_STANDINGS_H
#define KPID_STANDINGS_H

#include "kpid/contest.h"
#include "kpid/out.h"

enum { KP_STANDINGS_PLACES = 100, KP_STANDINGS_TOPIC = 128 };

struct kp_told {            /* of one contest, as it was told last */
    bool is_known;
    struct kp_contest_standing head;    /* its places are those that follow */
    struct kp_contest_place places[KP_STANDINGS_PLACES];
    int64_t again_at;       /* steady: it is not looked at before */
};
struct kp_standings {
    struct kp_told *told;   /* owned; by contest; NULL: memory was out, and nothing is told */
    size_t n, next;         /* next: to be looked at, n: none */
    bool again;             /* all are told, changed or not */
};

/* Begin anew with another configuration: nothing was told yet. */
void kp_standings_begin(struct kp_standings *standings, size_t contests);
void kp_standings_release(struct kp_standings *standings);

/* An interval has passed: look at each in turn. again: all are to be told. */
void kp_standings_due(struct kp_standings *standings, bool again);
static inline bool kp_standings_busy(const struct kp_standings *standings)
{
    return standings->next < standings->n;
}

/* The topic of the one to be looked at, "contest/NAME/"; returns its length. */
size_t kp_standings_topic(const struct kp_standings *standings, const struct kp_engine *engine, char buf[KP_STANDINGS_TOPIC]);
/* Look at it, and go on to the next. True: it is to be told, and was put into *out. Of a floor with very many keys it is looked at
 * less often, since that costs a step for each. interval_ms: of looks, steady_ms: now. */
bool kp_standings_look(struct kp_standings *standings, struct kp_engine *engine, struct kp_out *out, uint64_t seq, int64_t interval_ms,
                       int64_t steady_ms);
void kp_standings_pass(struct kp_standings *standings);     /* nobody follows it: go on */

#endif
