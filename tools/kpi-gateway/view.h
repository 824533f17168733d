/* What somebody looks at: which keys, KPIs and windows they asked for, cut to what they may see; and what is told of it, as JSON.
 *
 * Browsers that look at the same share a view, and what was written for one that knew version v is sent to all who do. */
#ifndef GATEWAY_VIEW_H
#define GATEWAY_VIEW_H

#include "rights.h"
#include "state.h"

enum {
    VIEW_ASKED_MAX = 4096,      /* bytes of a query */
    VIEW_LIST_MAX = 256,        /* names of a list */
    VIEW_BYTES_MAX = 256 << 20, /* that are told at once: more is a failure, as when memory is out */
};

/* Bytes that several read; ended by the last. */
struct frame {
    uint32_t refs;
    uint64_t from, to;          /* versions: who knew `from` then knows `to` */
    size_t len;
    char bytes[];
};
void frame_release(struct frame *frame);

/* As it was asked for; each may be NULL. Lists are separated by commas. Borrowed. */
struct view_query {
    const char *levels, *under, *kpis, *windows;
};

struct view;

/* rights are borrowed. NULL: out of memory, or (KP_EINVAL) a list or path is too long. */
struct view *view_new(const struct rights *rights, const struct view_query *query, struct kp_err *err) KP_CHECK;
void view_destroy(struct view **view);

/* Is that the same view? */
bool view_is(const struct view *view, const struct rights *rights, const struct view_query *query);

/* {"time":...,"keys":[...],"alerts":[...]} of all there is; with alerts false, without them. */
struct frame *view_all(struct view *view, const struct state *state, int64_t now_ms, bool alerts) KP_CHECK;
/* Server-sent events for one who knows `from`: what has changed since, or all there is when that can't be told. Without
 * anything to tell its len is 0. id: what stands before the version in an event's id. NULL: out of memory. */
struct frame *view_since(struct view *view, const struct state *state, uint64_t from, bool everything, const char *id, int64_t now_ms)
    KP_CHECK;

/* The alerts that may be seen: {"alerts":[...]}. */
struct frame *view_alerts(struct view *view, const struct state *state) KP_CHECK;

/* How many share it; kept by whoever does. */
uint32_t *view_users(struct view *view);

#endif
