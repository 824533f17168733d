/* Cells and windows against their definition: events are kept one by one and asked "do you lie in this window at t?".
 * */
#include "tzif.h"

#include "grid.h"

enum { EVENTS_MAX = 200, HOUR = 3600000 };

struct pane {               /* what a row is: a cell's start, and how much lies in it */
    int64_t start;
    int count;
};

struct stream {
    struct kp_family fam;
    int64_t events[EVENTS_MAX];
    int nevents;
    struct pane panes[EVENTS_MAX];
    int npanes;
};

static int64_t floor_to(int64_t at, int64_t step)
{
    return at / step * step;
}

/* One step after the other, until there is so much working time. */
static int64_t working_from(const struct kp_calendar *calendar, const struct kp_window *win, int64_t t)
{
    int64_t end = floor_to(t, win->pane_ms) + win->pane_ms, from = end - win->pane_ms;

    while (end - from < KP_WORK_REACH_MS &&
           (calendar ? kp_calendar_work(calendar, NULL, 0, from, end) : end - from) < win->length_ms)
        from -= win->pane_ms;
    return from;
}

/* Section 3 of the interface, word by word: a window holds the events with *from <= time <= t and time < *to. */
static void bounds_of(const struct kp_family *fam, const struct kp_window *win, int64_t t, int64_t *from, int64_t *to)
{
    const struct kp_zone *zone = fam->zone;

    *to = INT64_MAX;
    if (win->kind == KP_WIN_WORKING)
        *from = working_from(fam->calendar, win, t);
    else if (win->kind == KP_WIN_CALENDAR)
        *from = kp_period_start(zone, win->period, fam->week_start, t, -win->back);
    else if (win->pane_ms == KP_DAY_MS)
        *from = kp_period_start(zone, KP_PER_DAY, 0, t, 1 - (int)(win->length_ms / KP_DAY_MS));
    else
        *from = floor_to(t, win->pane_ms) - win->length_ms + win->pane_ms;
    if (win->back)
        *to = kp_period_start(zone, win->period, fam->week_start, t, 1 - win->back);
}

static int slow_count(const struct stream *s, int w, int64_t t)
{
    int64_t from, to;
    int n = 0;

    bounds_of(&s->fam, &s->fam.window[w], t, &from, &to);
    for (int i = 0; i < s->nevents; i++)
        n += s->events[i] >= from && s->events[i] <= t && s->events[i] < to;
    return n;
}

static int fast_count(const struct stream *s, int w)
{
    int n = 0;

    for (int i = 0; i < s->npanes; i++)
        if (s->panes[i].start >= s->fam.from[w] && s->panes[i].start < s->fam.to[w])
            n += s->panes[i].count;
    return n;
}

static void put(struct stream *s, int64_t start, int count)
{
    for (int i = 0; i < s->npanes; i++) {
        if (s->panes[i].start == start) {
            s->panes[i].count += count;
            return;
        }
    }
    s->panes[s->npanes++] = (struct pane){start, count};
}

/* Cells lie side by side: whatever is in one names the same one, and where it ends the next begins. */
static void check_cell(struct kp_family *fam, int64_t at, int64_t from, int64_t to)
{
    const int64_t inside[] = {from, at, from + (to - from) / 2, to - 1};
    int64_t a, b;

    for (size_t i = 0; i < COUNT_OF(inside); i++) {
        assert_true(kp_family_cell(fam, inside[i], &a, &b));
        assert_true(a == from && b == to);
    }
    assert_true(kp_family_cell(fam, to, &a, &b));
    assert_int_equal(a, to);
}

/* As rows do: each pane goes to the cell that it lies in now, or is dropped. */
static void compact(struct stream *s)
{
    struct pane old[EVENTS_MAX];
    int n = s->npanes;

    memcpy(old, s->panes, sizeof old);
    s->npanes = 0;
    for (int i = 0; i < n; i++) {
        int64_t from, to;

        if (!kp_family_cell(&s->fam, old[i].start, &from, &to))
            continue;
        assert_true(from <= old[i].start && old[i].start < to);
        put(s, from, old[i].count);
    }
}

static void add_event(struct stream *s, int64_t at)
{
    int64_t from, to;

    if (!kp_family_cell(&s->fam, at, &from, &to)) {
        for (int w = 0; w < s->fam.nwindows; w++) {     /* "too late" is true only when no window could hold it */
            bounds_of(&s->fam, &s->fam.window[w], s->fam.at_ms, &from, &to);
            assert_true(at < from);
        }
        assert_true(at < s->fam.keep_from);
        return;
    }
    assert_true(from <= at && at < to);
    assert_true(at >= s->fam.keep_from);
    check_cell(&s->fam, at, from, to);
    s->events[s->nevents++] = at;
    put(s, from, 1);
}

static void check_windows(const struct stream *s, int64_t t)
{
    for (int w = 0; w < s->fam.nwindows; w++)
        if (fast_count(s, w) != slow_count(s, w, t))
            fail_msg("%s at %lld: %d, not %d", s->fam.window[w].text, (long long)t, fast_count(s, w), slow_count(s, w, t));
    for (int k = 1; k < s->fam.nopen; k++)
        assert_true(s->fam.from[s->fam.order[k - 1]] >= s->fam.from[s->fam.order[k]]);
    for (int k = 0; k < s->fam.nwindows; k++)
        assert_int_equal(s->fam.to[s->fam.order[k]] == INT64_MAX, k < s->fam.nopen);
}

static void add_window(struct kp_family *fam, const char *text)
{
    struct kp_window win;

    assert_int_equal(kp_window_parse(text, strlen(text), &win, NULL), KP_OK);
    assert_true(kp_family_add(fam, &win) >= 0);
}

static const char *const footers[] = {"UTC0", "GMT0BST,M3.5.0/1,M10.5.0", "CST5CDT,M3.2.0/0,M11.1.0/1",
                                      "NST3:30NDT,M4.1.0/0:01,M10.5.0/0:01", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"};

/* The reach of a stream: how far back its longest window looks. */
static int64_t reach_of(const struct kp_family *fam)
{
    static const int64_t days[] = {1, 7, 31, 92, 366};
    int64_t reach = 0;

    for (int w = 0; w < fam->nwindows; w++) {
        const struct kp_window *win = &fam->window[w];
        int64_t r = win->kind == KP_WIN_CALENDAR ? days[win->period] * (win->back + 1) * KP_DAY_MS
                                                 : win->length_ms * (win->kind == KP_WIN_WORKING ? 6 : 1);

        reach = r > reach ? r : reach;
    }
    return reach;
}

static void run_stream(const struct kp_zone *zone, const struct kp_calendar *calendar, const char *const *windows,
                       size_t nwindows, uint64_t seed)
{
    struct stream *s = calloc(1, sizeof *s);
    int64_t reach, t;

    assert_non_null(s);
    s->fam.zone = zone;
    s->fam.calendar = calendar;
    s->fam.week_start = (int)unit_below(&seed, 7);
    for (size_t i = 0; i < nwindows; i++)
        add_window(&s->fam, windows[i]);
    reach = reach_of(&s->fam);
    t = INT64_C(1770000000000) + (int64_t)unit_below(&seed, 200 * (uint64_t)KP_DAY_MS);
    kp_family_at(&s->fam, t);
    while (s->nevents < EVENTS_MAX - 1) {
        /* Mostly small steps, at times one past everything. */
        uint64_t span = (uint64_t)reach >> unit_below(&seed, 16);

        t += (int64_t)unit_below(&seed, span + 2);
        kp_family_at(&s->fam, t);
        assert_true(t < s->fam.until_ms);
        for (uint64_t n = unit_below(&seed, 4); n > 0 && s->nevents < EVENTS_MAX; n--) {
            uint64_t late = unit_below(&seed, 3) ? unit_below(&seed, span + 1) : unit_below(&seed, (uint64_t)reach * 3 / 2);

            add_event(s, t - (int64_t)late);
        }
        check_windows(s, t);
        if (unit_below(&seed, 3) == 0) {
            compact(s);
            check_windows(s, t);
        }
    }
    free(s);
}

static void windows_hold_what_their_definition_says(void **state)
{
    static const char *const sets[][8] = {
        {"15m"}, {"day"}, {"1h", "day", "week", "7d"}, {"7d/1h", "30d"}, {"day", "week", "month", "7d", "30d"},
        {"15m", "1h", "24h", "day-1", "month-2", "quarter", "year"}, {"90m/9m", "1h/15m", "month-1", "week-12"},
        {"3d/1d", "7d/1d", "day-12", "45m/5m"},
    };

    (void)state;
    for (size_t z = 0; z < COUNT_OF(footers); z++) {
        struct kp_zone *zone = tzif_zone(footers[z]);

        for (size_t i = 0; i < COUNT_OF(sets); i++) {
            size_t n = 0;

            while (n < 8 && sets[i][n])
                n++;
            for (uint64_t seed = 0; seed < 3; seed++)
                run_stream(zone, NULL, sets[i], n, seed * 1000 + i * 10 + z);
        }
        kp_zone_destroy(&zone);
    }
}

/* Hours with a break, into the night and on a Sunday; a week off. */
static struct kp_calendar *some_calendar(const struct kp_zone *zone)
{
    static struct kp_hours weekday[] = {{9 * HOUR, 12 * HOUR + HOUR / 2}, {13 * HOUR + HOUR / 2, 17 * HOUR + HOUR / 2}};
    static struct kp_hours night[] = {{0, 2 * HOUR}, {22 * HOUR, 24 * HOUR}}, sunday[] = {{HOUR, 3 * HOUR}};
    static struct kp_closed off[] = {{INT64_C(1775000000000), INT64_C(1775600000000)}};
    static struct kp_calendar_cfg cfg = {
        .hours = {weekday, weekday, night, weekday, weekday, NULL, sunday},
        .nhours = {2, 2, 2, 2, 2, 0, 1},
        .closed = off,
        .nclosed = 1,
    };
    struct kp_err err = {0};
    struct kp_calendar *calendar = kp_calendar_new(&cfg, zone, &err);

    assert_non_null(calendar);
    return calendar;
}

static void working_windows_hold_the_last_working_hours(void **state)
{
    static const char *const sets[][3] = {{"8wh"}, {"1wh/5m", "3wh/20m", "day"}, {"20wh/1h", "8wh/1h", "1h"}, {"2wh/30m", "month-1", "2h/30m"}};

    (void)state;
    for (size_t z = 0; z < COUNT_OF(footers); z++) {
        struct kp_zone *zone = tzif_zone(footers[z]);
        struct kp_calendar *calendar = some_calendar(zone);

        for (size_t i = 0; i < COUNT_OF(sets); i++) {
            size_t n = 0;

            while (n < 3 && sets[i][n])
                n++;
            for (uint64_t seed = 0; seed < 3; seed++) {
                run_stream(zone, calendar, sets[i], n, seed * 1000 + i * 10 + z);
                run_stream(zone, NULL, sets[i], n, seed * 1000 + i * 10 + z);
            }
        }
        kp_calendar_destroy(&calendar);
        kp_zone_destroy(&zone);
    }
}

/* Where nobody ever works, or hardly, a window still has a beginning, and its panes an end. */
static void a_working_window_without_working_time_looks_back_a_year(void **state)
{
    struct kp_zone *zone = tzif_zone(footers[0]);
    struct kp_calendar_cfg never = {.name = NULL};
    struct kp_err err = {0};
    struct kp_calendar *calendar = kp_calendar_new(&never, zone, &err);
    struct kp_family fam = {.zone = zone, .calendar = calendar};
    int64_t t = INT64_C(1770000000000), end = floor_to(t, HOUR) + HOUR;

    (void)state;
    assert_non_null(calendar);
    add_window(&fam, "8wh/1h");
    kp_family_at(&fam, t);
    assert_int_equal(fam.from[0], end - KP_WORK_REACH_MS);
    assert_int_equal(fam.keep_from, end - KP_WORK_REACH_MS);
    assert_int_equal(kp_family_leaves(&fam, 0, end - HOUR), end - HOUR + KP_WORK_REACH_MS);
    kp_calendar_destroy(&calendar);
    kp_zone_destroy(&zone);
}

/* A cell of t is never cut by a later one: what has been added up stays together. */
static void cells_only_grow_together(void **state)
{
    struct kp_zone *zone = tzif_zone(footers[1]);
    struct kp_calendar *calendar = some_calendar(zone);
    uint64_t seed = 11;

    (void)state;
    for (int round = 0; round < 200; round++) {
        struct kp_family fam = {.zone = zone, .calendar = calendar};
        int64_t t = INT64_C(1770000000000) + (int64_t)unit_below(&seed, 400 * (uint64_t)KP_DAY_MS);
        int64_t from, to, later_from, later_to;

        add_window(&fam, "1h");
        add_window(&fam, "7d");
        add_window(&fam, "month");
        add_window(&fam, "week-2");
        add_window(&fam, "8wh");
        kp_family_at(&fam, t);
        for (int i = 0; i < 50; i++) {
            int64_t at = t - (int64_t)unit_below(&seed, 45 * (uint64_t)KP_DAY_MS >> unit_below(&seed, 12));
            bool had = kp_family_cell(&fam, at, &from, &to);

            t += (int64_t)unit_below(&seed, (uint64_t)KP_DAY_MS >> unit_below(&seed, 10));
            kp_family_at(&fam, t);
            if (!kp_family_cell(&fam, at, &later_from, &later_to))
                continue;
            assert_true(had);
            assert_true(later_to >= to);
            assert_true(later_from <= from);
        }
    }
    kp_calendar_destroy(&calendar);
    kp_zone_destroy(&zone);
}

/* leaves() and dies() name the very millisecond. */
static void panes_leave_windows_when_they_are_said_to(void **state)
{
    static const char *const windows[] = {"15m", "7d", "30d", "day", "week", "month-2", "90m/9m", "8wh", "3wh/20m"};

    (void)state;
    for (size_t z = 0; z < COUNT_OF(footers); z++) {
        struct kp_zone *zone = tzif_zone(footers[z]);
        struct kp_calendar *calendar = some_calendar(zone);
        uint64_t seed = 13 + z;

        for (int round = 0; round < 300; round++) {
            const char *text = windows[unit_below(&seed, COUNT_OF(windows))];
            struct kp_family fam = {.zone = zone, .calendar = calendar}, later;
            int64_t t = INT64_C(1770000000000) + (int64_t)unit_below(&seed, 400 * (uint64_t)KP_DAY_MS), leaves, dies;
            int64_t from, to;

            add_window(&fam, text);
            later = fam;
            kp_family_at(&fam, t);
            assert_true(kp_family_cell(&fam, t, &from, &to));
            leaves = kp_family_leaves(&fam, 0, from);
            dies = kp_family_dies(&fam, from);
            assert_true(leaves > t && dies >= leaves);
            kp_family_at(&later, leaves - 1);
            assert_true(from >= later.from[0] || later.to[0] != INT64_MAX);
            kp_family_at(&later, leaves);
            assert_true(from < later.from[0] || later.to[0] != INT64_MAX);
            later.until_ms = INT64_MIN;
            kp_family_at(&later, dies - 1);
            assert_true(kp_family_cell(&later, from, &from, &to));
            kp_family_at(&later, dies);
            assert_false(from >= later.from[0] && from < later.to[0]);
            assert_false(kp_family_cell(&later, from, &from, &to));
        }
        kp_calendar_destroy(&calendar);
        kp_zone_destroy(&zone);
    }
}

static void a_window_given_twice_is_one(void **state)
{
    struct kp_family fam = {0}, other = {0}, third = {0};

    (void)state;
    add_window(&fam, "1h");
    add_window(&fam, "day");
    add_window(&fam, "1h");
    assert_int_equal(fam.nwindows, 2);
    add_window(&fam, "day-3");
    assert_int_equal(fam.nwindows, 3);
    assert_int_equal(fam.ngrids, 2);
    add_window(&other, "day-1");
    add_window(&other, "2h/1m");
    assert_true(kp_family_same_grids(&fam, &other));
    assert_true(kp_family_same_grids(&other, &fam));
    add_window(&third, "week");
    add_window(&third, "1h");
    assert_false(kp_family_same_grids(&fam, &third));
}

static void too_many_grids_are_refused(void **state)
{
    static const char *const texts[] = {"1m",    "15m",   "1h",     "24h",   "day",     "week",   "month",   "year",
                                        "2h/5m", "5h/5h", "6h/15m", "3h/3h", "12h/30m", "7h/7h", "24h/2h", "quarter"};
    struct kp_family fam = {0};
    struct kp_window win;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        add_window(&fam, texts[i]);
    assert_int_equal(fam.ngrids, KP_GRIDS_MAX);
    assert_int_equal(kp_window_parse("9h/9h", 5, &win, NULL), KP_OK);
    assert_int_equal(kp_family_add(&fam, &win), -1);
    assert_int_equal(fam.nwindows, 16);
    add_window(&fam, "day-1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_hold_what_their_definition_says),
        cmocka_unit_test(working_windows_hold_the_last_working_hours),
        cmocka_unit_test(a_working_window_without_working_time_looks_back_a_year),
        cmocka_unit_test(cells_only_grow_together),
        cmocka_unit_test(panes_leave_windows_when_they_are_said_to),
        cmocka_unit_test(a_window_given_twice_is_one),
        cmocka_unit_test(too_many_grids_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
