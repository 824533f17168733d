/* Sets of KPIs, each kept once and named by a small number: which KPIs an event feeds, directly or through a formula. There
 * are as many as there are kinds of events, so they are few. */
#ifndef KPID_CORE_FEEDS_H
#define KPID_CORE_FEEDS_H

#include "kpid/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KP_FEEDS_MAX = 65535, KP_FEEDS_UNIONS = 256 };
enum { KP_FEEDS_NONE, KP_FEEDS_ALL };      /* the first two sets: of no KPI, and of all */

struct kp_feeds {
    uint64_t *words;    /* owned; nwords a set, bit k of it: KPI k */
    int nwords, n, room;
    struct {
        uint16_t a, b, both;
    } unions[KP_FEEDS_UNIONS];      /* made before, by hash; both 0: none */
};

enum kp_code kp_feeds_init(struct kp_feeds *feeds, int nkpis, struct kp_err *err) KP_CHECK;
void kp_feeds_release(struct kp_feeds *feeds);

/* The number of a set of nwords words; KP_FEEDS_ALL when there are too many, or memory is out. */
uint16_t kp_feeds_put(struct kp_feeds *feeds, const uint64_t *bits);

/* The set of all that is in one or the other; KP_FEEDS_ALL when there are too many sets, or memory is out. */
uint16_t kp_feeds_union(struct kp_feeds *feeds, uint16_t a, uint16_t b);

static inline const uint64_t *kp_feeds_bits(const struct kp_feeds *feeds, uint16_t set)
{
    return feeds->words + (size_t)set * (size_t)feeds->nwords;
}
static inline bool kp_feeds_has(const struct kp_feeds *feeds, uint16_t set, int kpi)
{
    return kp_feeds_bits(feeds, set)[kpi / 64] >> (kpi % 64) & 1;
}

#endif
