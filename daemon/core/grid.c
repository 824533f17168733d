#include "grid.h"

#include <string.h>

static int64_t floor_to(int64_t at, int64_t step)
{
    int64_t rest = at % step;

    return at - (rest < 0 ? rest + step : rest);
}

/* The period around an instant, remembered, since most look-ups fall into the same one. */
static void period_around(struct kp_family *fam, struct kp_grid *g, int64_t at, int64_t *from, int64_t *to)
{
    if (at < g->memo_from || at >= g->memo_to) {
        g->memo_from = kp_period_start(fam->zone, g->period, fam->week_start, at, 0);
        g->memo_to = kp_period_start(fam->zone, g->period, fam->week_start, at, 1);
    }
    *from = g->memo_from;
    *to = g->memo_to;
}

/* ---- Working time ---- */

static int64_t work_between(const struct kp_family *fam, int64_t from, int64_t to)
{
    return fam->calendar ? kp_calendar_work(fam->calendar, NULL, 0, from, to) : to - from;
}

/* The least number of steps from an edge on, forwards (way 1) or back (-1), that have so much working time; no more than
 * KP_WORK_REACH_MS of them. */
static int64_t steps_with(const struct kp_family *fam, int64_t edge, int way, int64_t step, int64_t work)
{
    int64_t most = KP_WORK_REACH_MS / step;
    int64_t few = work / step - 1, many;        /* too few are `few`, since steps have no more work than time */

    for (many = few + 1; many < most; many *= 2) {
        if (work_between(fam, way < 0 ? edge - many * step : edge, way < 0 ? edge : edge + many * step) >= work)
            break;
        few = many;
    }
    if (many > most)
        many = most;
    while (many - few > 1) {
        int64_t mid = few + (many - few) / 2;

        if (work_between(fam, way < 0 ? edge - mid * step : edge, way < 0 ? edge : edge + mid * step) >= work)
            many = mid;
        else
            few = mid;
    }
    return many;
}

/* Where a working window begins at t: with the latest pane from which on there is so much working time, to the end of the
 * pane that t lies in. */
static int64_t work_from(const struct kp_family *fam, int64_t t, int64_t step, int64_t work)
{
    int64_t end = floor_to(t, step) + step;

    return end - steps_with(fam, end, -1, step, work) * step;
}

/* When the pane that starts then is in no such window any more: with the pane at whose end there has been so much working
 * time after it. */
static int64_t work_until(const struct kp_family *fam, int64_t start, int64_t step, int64_t work)
{
    int64_t end = floor_to(start, step) + step;

    return end + (steps_with(fam, end, 1, step, work) - 1) * step;
}

/* ---- Grids ---- */

static void edges_around(struct kp_family *fam, struct kp_grid *g, int64_t at, int64_t *from, int64_t *to)
{
    if (g->kind != KP_GRID_PERIOD) {
        *from = floor_to(at, g->step_ms);
        *to = *from + g->step_ms;
    } else {
        period_around(fam, g, at, from, to);
    }
}

static bool is_day_grid(const struct kp_window *win)
{
    return win->kind == KP_WIN_ROLLING && win->pane_ms == KP_DAY_MS;
}

static struct kp_grid grid_of(const struct kp_window *win)
{
    struct kp_grid g;

    memset(&g, 0, sizeof g);
    if (win->kind != KP_WIN_CALENDAR && !is_day_grid(win)) {
        g.kind = win->kind == KP_WIN_WORKING ? KP_GRID_WORK : KP_GRID_EPOCH;
        g.step_ms = win->pane_ms;
        g.reach_ms = win->length_ms;
        return g;
    }
    g.kind = KP_GRID_PERIOD;
    g.period = is_day_grid(win) ? KP_PER_DAY : win->period;
    g.shift = is_day_grid(win) ? (int)(win->length_ms / KP_DAY_MS) - 1 : win->back;
    return g;
}

static bool same_grid(const struct kp_grid *a, const struct kp_grid *b)
{
    return a->kind == b->kind && (a->kind == KP_GRID_PERIOD ? a->period == b->period : a->step_ms == b->step_ms);
}

int kp_family_add(struct kp_family *fam, const struct kp_window *win)
{
    struct kp_grid g = grid_of(win);
    int i;

    if (win->kind == KP_WIN_SPAN) {
        fam->is_span = true;
        fam->span_from = win->from_ms;
        fam->span_to = win->to_ms;
        fam->window[0] = *win;
        fam->nwindows = 1;
        return 0;
    }
    for (i = 0; i < fam->nwindows; i++)
        if (strcmp(fam->window[i].text, win->text) == 0)
            return i;
    for (i = 0; i < fam->ngrids && !same_grid(&fam->grid[i], &g); i++)
        ;
    if (fam->nwindows == KP_FAMILY_WINDOWS_MAX || i == KP_GRIDS_MAX)
        return -1;
    if (fam->gauge) {
        fam->window[fam->nwindows] = *win;
        return fam->nwindows++;
    }
    if (i == fam->ngrids) {
        fam->grid[fam->ngrids++] = g;
    } else {
        if (g.reach_ms > fam->grid[i].reach_ms)
            fam->grid[i].reach_ms = g.reach_ms;
        if (g.shift > fam->grid[i].shift)
            fam->grid[i].shift = g.shift;
    }
    fam->window[fam->nwindows] = *win;
    return fam->nwindows++;
}

bool kp_family_same_grids(const struct kp_family *a, const struct kp_family *b)
{
    if (a->ngrids != b->ngrids || a->gauge != b->gauge || a->is_span != b->is_span || a->span_from != b->span_from ||
        a->span_to != b->span_to)
        return false;
    for (int i = 0; i < a->ngrids; i++) {
        bool found = false;

        for (int j = 0; j < b->ngrids && !found; j++)
            found = same_grid(&a->grid[i], &b->grid[j]);
        if (!found)
            return false;
    }
    return true;
}

static void window_bounds(struct kp_family *fam, int w, int64_t t)
{
    const struct kp_window *win = &fam->window[w];

    fam->to[w] = INT64_MAX;
    fam->from[w] = INT64_MIN;
    fam->ends[w] = INT64_MAX;
    if (fam->gauge)
        return;
    if (fam->is_span) {
        fam->from[w] = fam->span_from;
        fam->to[w] = fam->span_to;
    } else if (is_day_grid(win)) {
        fam->from[w] = kp_period_start(fam->zone, KP_PER_DAY, fam->week_start, t, 1 - (int)(win->length_ms / KP_DAY_MS));
    } else if (win->kind == KP_WIN_ROLLING) {
        fam->from[w] = floor_to(t, win->pane_ms) - win->length_ms + win->pane_ms;
    } else if (win->kind == KP_WIN_WORKING) {
        fam->from[w] = work_from(fam, t, win->pane_ms, win->length_ms);
    } else {
        fam->from[w] = kp_period_start(fam->zone, win->period, fam->week_start, t, -win->back);
        fam->ends[w] = kp_period_start(fam->zone, win->period, fam->week_start, t, 1);
        if (win->back)
            fam->to[w] = kp_period_start(fam->zone, win->period, fam->week_start, t, 1 - win->back);
    }
}

static void sort_windows(struct kp_family *fam)
{
    int n = 0, closed;

    for (int w = 0; w < fam->nwindows; w++) {
        int k;

        if (fam->to[w] != INT64_MAX)
            continue;
        for (k = n++; k > 0 && fam->from[fam->order[k - 1]] < fam->from[w]; k--)
            fam->order[k] = fam->order[k - 1];
        fam->order[k] = w;
    }
    fam->nopen = n;
    closed = n;
    for (int w = 0; w < fam->nwindows; w++)
        if (fam->to[w] != INT64_MAX)
            fam->order[closed++] = w;
}

/* Where the oldest window on a grid begins at t, whose pane begins at `from`. */
static int64_t live_from(const struct kp_family *fam, const struct kp_grid *g, int64_t t, int64_t from)
{
    if (g->kind == KP_GRID_EPOCH)
        return from - g->reach_ms + g->step_ms;
    if (g->kind == KP_GRID_WORK)
        return work_from(fam, t, g->step_ms, g->reach_ms);
    return kp_period_start(fam->zone, g->period, fam->week_start, t, -g->shift);
}

/* A span's cell is that of now while it runs. Late events have it look back to its begin, until it is final. */
static void refresh_span(struct kp_family *fam, int64_t t)
{
    const int64_t turns[] = {fam->span_from, fam->span_to, fam->span_to + KP_SPAN_LATE_MS};

    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++)
        if (turns[i] > t && turns[i] < fam->until_ms)
            fam->until_ms = turns[i];
    if (t >= fam->span_from && t < fam->span_to) {
        fam->cell_from = fam->span_from;
        fam->cell_to = fam->span_to;
    } else {
        fam->cell_from = fam->cell_to = INT64_MAX;
    }
    fam->keep_from = kp_family_is_final(fam) ? INT64_MAX : fam->span_from;
}

void kp_family_refresh(struct kp_family *fam, int64_t t)
{
    fam->at_ms = t;
    fam->until_ms = INT64_MAX;
    fam->keep_from = INT64_MAX;
    fam->cell_from = INT64_MIN;
    for (int i = 0; i < fam->ngrids; i++) {
        struct kp_grid *g = &fam->grid[i];
        int64_t from, to;

        edges_around(fam, g, t, &from, &to);
        g->live_from = live_from(fam, g, t, from);
        if (to < fam->until_ms)
            fam->until_ms = to;
        if (from > fam->cell_from)
            fam->cell_from = from;
        if (g->live_from < fam->keep_from)
            fam->keep_from = g->live_from;
    }
    fam->cell_to = fam->until_ms;
    if (fam->is_span)
        refresh_span(fam, t);
    if (fam->gauge)
        fam->keep_from = INT64_MIN;
    for (int w = 0; w < fam->nwindows; w++)
        window_bounds(fam, w, t);
    sort_windows(fam);
}

bool kp_family_cell_slow(struct kp_family *fam, int64_t at_ms, int64_t *from, int64_t *to)
{
    *from = INT64_MIN;
    *to = INT64_MAX;
    if (fam->gauge)
        return true;
    if (fam->is_span) {
        *from = fam->span_from;
        *to = fam->span_to;
        return at_ms >= *from && at_ms < *to;
    }
    for (int i = 0; i < fam->ngrids; i++) {
        struct kp_grid *g = &fam->grid[i];
        int64_t a, b;

        if (at_ms >= g->live_from) {
            edges_around(fam, g, at_ms, &a, &b);
            if (a > *from)
                *from = a;
        } else {
            b = g->live_from;   /* the first live edge of this grid after the instant */
        }
        if (b < *to)
            *to = b;
    }
    return *from != INT64_MIN;
}

int64_t kp_family_leaves(const struct kp_family *fam, int w, int64_t start)
{
    const struct kp_window *win = &fam->window[w];

    if (fam->gauge || fam->is_span)
        return INT64_MAX;
    if (win->kind == KP_WIN_ROLLING && !is_day_grid(win))
        return floor_to(start, win->pane_ms) + win->length_ms;
    if (win->kind == KP_WIN_WORKING)
        return work_until(fam, start, win->pane_ms, win->length_ms);
    if (is_day_grid(win))
        return kp_period_start(fam->zone, KP_PER_DAY, fam->week_start, start, (int)(win->length_ms / KP_DAY_MS));
    return fam->ends[w];
}

int64_t kp_family_dies(const struct kp_family *fam, int64_t start)
{
    int64_t last = fam->is_span ? INT64_MAX : INT64_MIN;

    for (int i = 0; i < fam->ngrids; i++) {
        const struct kp_grid *g = &fam->grid[i];
        int64_t dies;

        if (g->kind == KP_GRID_EPOCH)
            dies = floor_to(start, g->step_ms) + g->reach_ms;
        else if (g->kind == KP_GRID_WORK)
            dies = work_until(fam, start, g->step_ms, g->reach_ms);
        else
            dies = kp_period_start(fam->zone, g->period, fam->week_start, start, g->shift + 1);
        if (dies > last)
            last = dies;
    }
    return last;
}
