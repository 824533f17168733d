/* Where panes end: the grids that windows are cut along, and which of their edges still matter.
 *
 * A family is a set of KPIs whose windows lie on the same grids, so they share panes. Each window contributes a
 * grid: the multiples of its pane length since the epoch, or the local starts of days, weeks, months ... (The panes of
 * working windows are such multiples, too: what differs is how many of them a window holds.) An edge
 * of a grid is live at time t while some window may still begin or end there: from live_from(t) on. The cell of an
 * instant is the interval between the live edges around it. As t moves on edges only die, so cells only grow
 * together: what lies in one cell may be added up without any window noticing. That is how a fine pane of the last
 * hour becomes part of a day and then of a month, without one update for each. */
#ifndef KPID_CORE_GRID_H
#define KPID_CORE_GRID_H

#include "kpid/calendar.h"
#include "kpid/window.h"

enum { KP_GRIDS_MAX = 16, KP_FAMILY_WINDOWS_MAX = 32 };

/* What comes later than this after the end of a span is not added to it any more: what it came to is final. */
#define KP_SPAN_LATE_MS (7 * KP_DAY_MS)

enum kp_grid_kind { KP_GRID_EPOCH, KP_GRID_WORK, KP_GRID_PERIOD };

struct kp_grid {
    enum kp_grid_kind kind;
    int64_t step_ms;            /* EPOCH, WORK */
    int64_t reach_ms;           /* EPOCH, WORK: the longest window on it */
    enum kp_period period;      /* PERIOD */
    int shift;                  /* PERIOD: how many whole periods back the oldest window begins */
    int64_t memo_from, memo_to; /* PERIOD: the last period looked up */
    int64_t live_from;          /* as of the family's bounds */
};

/* The windows of a family and their bounds at an instant. Windows that end at t come first, from the latest start
 * to the earliest, so that each holds all of those before it. */
struct kp_family {
    const struct kp_zone *zone;     /* borrowed */
    const struct kp_calendar *calendar; /* borrowed; what working windows go by; NULL: all time is working time */
    int week_start;
    bool gauge;                     /* what is so now: no grid, a single cell without end, the same in every window */
    bool is_span;                   /* no grid and one window, a span, which is its only cell. It stays when it is over */
    int64_t span_from, span_to;     /* from <= t < to */
    struct kp_grid grid[KP_GRIDS_MAX];
    int ngrids;
    struct kp_window window[KP_FAMILY_WINDOWS_MAX];
    int nwindows;
    /* bounds as of at_ms, good until until_ms */
    int64_t at_ms, until_ms;
    int64_t keep_from;              /* an instant before it has no cell any more */
    int64_t cell_from, cell_to;     /* the cell of at_ms .. until_ms */
    int64_t from[KP_FAMILY_WINDOWS_MAX];    /* a window holds the panes with from <= start < to */
    int64_t to[KP_FAMILY_WINDOWS_MAX];      /* INT64_MAX for windows that end at t */
    int64_t ends[KP_FAMILY_WINDOWS_MAX];    /* calendar windows: the end of the running period */
    int order[KP_FAMILY_WINDOWS_MAX];       /* the nopen windows that end at t, latest start first; then the others */
    int nopen;
};

/* Add a window and the grid that it needs. Its index, the old one if it is there. -1: too many. */
int kp_family_add(struct kp_family *fam, const struct kp_window *win);

/* Do both have the same grids? The spans may differ. */
bool kp_family_same_grids(const struct kp_family *a, const struct kp_family *b);

/* Is nothing added to its span any more, as of its bounds? */
static inline bool kp_family_is_final(const struct kp_family *fam)
{
    return fam->is_span && fam->at_ms >= fam->span_to + KP_SPAN_LATE_MS;
}

/* Bring the bounds to t. t never falls. */
void kp_family_refresh(struct kp_family *fam, int64_t t);
static inline void kp_family_at(struct kp_family *fam, int64_t t)
{
    if (__builtin_expect(t >= fam->until_ms, 0))
        kp_family_refresh(fam, t);
}

/* Start and end of the cell that an instant lies in. False: it is older than every live edge. */
bool kp_family_cell_slow(struct kp_family *fam, int64_t at_ms, int64_t *from, int64_t *to);
static inline bool kp_family_cell(struct kp_family *fam, int64_t at_ms, int64_t *from, int64_t *to)
{
    if (__builtin_expect(at_ms >= fam->cell_from && at_ms < fam->cell_to, 1)) {
        *from = fam->cell_from;
        *to = fam->cell_to;
        return true;
    }
    return kp_family_cell_slow(fam, at_ms, from, to);
}

/* The instant at which a pane that starts at `start` and lies in window w now will have left it; for a calendar
 * window the end of the running period. */
int64_t kp_family_leaves(const struct kp_family *fam, int w, int64_t start);

/* The instant from which no window can hold a pane that starts at `start`. */
int64_t kp_family_dies(const struct kp_family *fam, int64_t start);

#endif
