/* What periods came to, held against the events themselves: whatever the order in which they came, and by the clock of whose they are. */
#include "rig.h"

#include <time.h>

static const char yaml[] =
    "time: {zone: Europe/London, clock: event}\n"
    "storage: {path: nowhere}\n"
    "calendars:\n"
    "  uk: {hours: {mon-fri: \"09:00-17:00\"}}\n"
    "  ny: {zone: America/New_York, hours: {mon-fri: \"09:00-17:00\"}}\n"
    "roster: {levels: [team, rep], members: [{rep: ana, team: a, calendar: uk}, {rep: ben, team: b, calendar: ny}]}\n"
    "kpis:\n"
    "  calls: {aggregate: count, where: {type: call}, windows: [1h, day, week, month]}\n"
    "  talk: {aggregate: sum, of: duration, where: {type: call}, windows: [day, week]}\n"
    "  per_call: {formula: talk / calls, windows: [day, month]}\n"
    "  open: {aggregate: count, of: {open: {per: deal, closed: {type: won}}}, windows: [day]}\n"
    "  of_open: {formula: open / calls, windows: [day]}\n"
    "targets: [{kpi: calls, per: day, value: 4}]\n";

enum { EVENTS = 1500, LATE_DAYS = 1 };
#define DAY_S INT64_C(86400)
#define BEGIN INT64_C(1774224000)       /* 2026-03-23, the week in which summer begins in Europe; in America it did on the 8th */

struct told {
    int64_t at_s;
    int duration, rep;
};
static const char *const reps[] = {"ana", "ben"}, *const zones[] = {"Europe/London", "America/New_York"};

/* By the C library: the begin of the period before that of an instant, or of its own. */
static int64_t period_begin(const char *zone, char period, int64_t at_s, int back)
{
    time_t t = (time_t)at_s;
    struct tm tm;

    setenv("TZ", zone, 1);
    tzset();
    localtime_r(&t, &tm);
    if (period == 'w')
        tm.tm_mday -= (tm.tm_wday + 6) % 7 + 7 * back;
    else if (period == 'm')
        tm.tm_mon -= back, tm.tm_mday = 1;
    else
        tm.tm_mday -= back;
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_isdst = -1;
    return (int64_t)mktime(&tm);
}

/* As the definition has it. rep -1: everybody's. */
static double should_be(const struct told *told, size_t n, const char *kpi, int rep, int64_t from_s, int64_t to_s)
{
    double calls = 0, talk = 0;

    for (size_t i = 0; i < n; i++) {
        if ((rep >= 0 && told[i].rep != rep) || told[i].at_s < from_s || told[i].at_s >= to_s)
            continue;
        calls++;
        talk += told[i].duration;
    }
    return strcmp(kpi, "calls") == 0 ? calls : strcmp(kpi, "talk") == 0 ? talk : talk / calls;
}

static void check_key(struct rig *rig, const struct told *told, size_t n, int64_t now_s, const char *level, const char *key, int rep,
                      const char *zone, size_t *checked)
{
    int l = kp_engine_find_level(rig->engine, level, strlen(level));
    uint32_t node = kp_engine_find(rig->engine, l, (struct kp_str){key, (uint32_t)strlen(key)});
    const struct kp_cell_view *cells;
    size_t ncells;

    assert_int_not_equal(node, KP_NO_KEY);
    ncells = kp_engine_read_closed(rig->engine, node, &cells);
    assert_int_equal(ncells, 7);    /* nothing of what is so now */
    for (size_t i = 0; i < ncells; i++) {
        char period = cells[i].window->text[0];
        int64_t from_s = period_begin(zone, period, now_s, 1), to_s = period_begin(zone, period, now_s, 0), from, to;
        double want = should_be(told, n, cells[i].kpi->name, rep, from_s, to_s);

        assert_true(kp_engine_period(rig->engine, node, cells[i].window, &from, &to));
        assert_true(from == from_s * 1000 && to == to_s * 1000);
        if (isnan(want) ? cells[i].number.has : fabs(cells[i].number.value - want) > 1e-9)
            fail_msg("%s %s %s at %lld: %g, not %g", cells[i].kpi->name, key, cells[i].window->text, (long long)now_s, cells[i].number.value, want);
        *checked += want > 0;
    }
}

static void is_what_the_events_add_up_to(void **state)
{
    static struct told told[EVENTS];
    struct rig *rig = rig_new(yaml);
    uint64_t random = 5;
    int64_t now = BEGIN;
    size_t checked = 0;

    (void)state;
    for (size_t i = 0; i < EVENTS; i++) {
        char json[200];

        now += (int64_t)unit_below(&random, 2 * 45 * DAY_S / EVENTS);
        told[i] = (struct told){now - (unit_below(&random, 3) ? 0 : (int64_t)unit_below(&random, LATE_DAYS * DAY_S)), (int)unit_below(&random, 600),
                                (int)unit_below(&random, 2)};
        if (told[i].at_s < BEGIN)
            told[i].at_s = BEGIN;
        snprintf(json, sizeof json, "{\"type\":\"call\",\"rep\":\"%s\",\"duration\":%d,\"time\":%lld000}", reps[told[i].rep], told[i].duration,
                 (long long)told[i].at_s);
        assert_int_equal(rig_event_at(rig, 0, json), KP_ACCEPTED);
        if (unit_below(&random, 10))
            continue;
        check_key(rig, told, i + 1, kp_engine_now(rig->engine) / 1000, "company", "", -1, zones[0], &checked);
        for (int r = 0; r < 2; r++)
            check_key(rig, told, i + 1, kp_engine_now(rig->engine) / 1000, "rep", reps[r], r, zones[r], &checked);
    }
    assert_true(checked > 1000);
    rig_free(rig);
}

/* The numbers that are shown are what they are without a history, and asking for what was disturbs none of them. */
static void costs_the_others_nothing(void **state)
{
    struct rig *rig = rig_new(yaml);
    const struct kp_cell_view *cells;
    uint32_t node;
    size_t n;

    (void)state;
    assert_int_equal(rig_call(rig, BEGIN, "ana"), KP_ACCEPTED);
    node = kp_engine_find(rig->engine, 2, (struct kp_str){"ana", 3});
    assert_int_not_equal(node, KP_NO_KEY);
    n = kp_engine_read(rig->engine, node, 0, &cells);
    assert_int_equal(n, 10);
    kp_engine_seen(rig->engine, node);
    assert_false(kp_engine_changed(rig->engine, node));
    assert_int_equal(rig_call(rig, BEGIN + 2 * 3600, "ben"), KP_ACCEPTED);
    assert_true(kp_engine_changed(rig->engine, node));      /* its hour is over: by time alone */
    kp_engine_read_closed(rig->engine, node, &cells);
    kp_engine_read(rig->engine, node, 0, &cells);
    assert_true(kp_engine_changed(rig->engine, node));      /* nobody was told yet */
    kp_engine_seen(rig->engine, node);
    assert_false(kp_engine_changed(rig->engine, node));
    rig_free(rig);
}

static void without_samples_nothing_is_kept_for_it(void **state)
{
    const struct kp_cell_view *cells;
    struct rig *rig;

    (void)state;
    rig = rig_new("storage: {path: nowhere, samples: 0}\ntime: {clock: event}\nroster: {levels: [rep], unknown: accept}\n"
                  "kpis: {calls: {aggregate: count, where: {type: call}, windows: [day]}}\n");
    assert_int_equal(rig_call(rig, BEGIN, "ana"), KP_ACCEPTED);
    assert_int_equal(kp_engine_read_closed(rig->engine, kp_engine_find(rig->engine, 1, (struct kp_str){"ana", 3}), &cells), 0);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_what_the_events_add_up_to),
        cmocka_unit_test(costs_the_others_nothing),
        cmocka_unit_test(without_samples_nothing_is_kept_for_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
