/* The newest events by id, so that an alert can say what it rests on, and a rep see where a number comes from.
 *
 * A ring of fixed slots. Each remembers the event's id, its key and the KPIs that it fed, and is chained to the one
 * before it of the same key: so a rep's are found at once however busy the others are. For the levels above, whose
 * events are many, the newest of the ring are looked through. */
#ifndef KPID_CORE_RECENT_H
#define KPID_CORE_RECENT_H

#include "feeds.h"
#include "store.h"

#include "kpid/event.h"

struct kp_recent;

struct kp_recent *kp_recent_new(uint32_t count, struct kp_err *err) KP_CHECK;
void kp_recent_destroy(struct kp_recent **recent);

/* Remember an event of a node; set: the KPIs that count it, added to those of the same event told just before. gone: that
 * they no longer do, since what happened before to the same entity turned out to be different. Does nothing when the id is
 * empty. */
void kp_recent_add(struct kp_recent *recent, struct kp_store *store, struct kp_feeds *feeds, uint32_t node, struct kp_str id,
                   int64_t time_ms, uint16_t set, bool gone);

struct kp_recent_event {
    struct kp_str id;       /* borrows from the ring: good until the next kp_recent_add */
    int64_t time_ms;
};

/* Up to `most` of the newest events with from <= time < to that the KPI counts at the node or below it, the newest first, each
 * once. Looks at `look` of those that are remembered, of each KPI that a formula is made of. Returns how many. */
enum { KP_RECENT_MOST = 32 };
size_t kp_recent_find(const struct kp_recent *recent, const struct kp_store *store, const struct kp_feeds *feeds,
                      uint32_t node, int kpi, int64_t from, int64_t to, struct kp_recent_event *events, size_t most, uint32_t look);

/* Nothing is known any more of what the events were of those that are going (KP_NODE_GOING), also where these concern others. */
void kp_recent_forget(struct kp_recent *recent, const struct kp_store *store);

size_t kp_recent_bytes(const struct kp_recent *recent);

#endif
