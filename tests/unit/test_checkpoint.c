/* A restart changes nothing: an engine that was saved and loaded says what one says that went on. */
#include "restart.h"

#include "kpid/value.h"

static const char floor_yaml[] =
    "time: {zone: Europe/London, clock: %s}\n"
    "dedup: {window: 1h}\n"
    "sources: {pbx: {heartbeat: 4h}}\n"
    "calendars: {office: {hours: {mon-sun: \"08:00-20:00\"}}}\n"
    "roster:\n"
    "  levels: [region, team, rep]\n"
    "  members:\n"
    "    - {rep: ana, team: t1, region: emea, calendar: office, aliases: [\"ext:1\"]}\n"
    "    - {rep: ben, team: t1, region: emea, calendar: office}\n"
    "    - {rep: cem, team: t2, region: emea, calendar: office}\n"
    "    - {rep: dan, team: t3, region: apac, calendar: office}\n"
    "kpis:\n"
    "  calls: {aggregate: count, where: {type: call}, windows: [1h, day, week, day-1]}\n"
    "  talk: {aggregate: sum, of: duration, where: {type: call}, windows: [1h, 8wh, day]}\n"
    "  mean_talk: {aggregate: mean, of: duration, where: {type: call}, windows: [6h/30m]}\n"
    "  talk_p90: {aggregate: p90, of: duration, where: {type: call}, windows: [day, 7d]}\n"
    "  spread: {aggregate: stddev, of: duration, where: {type: call}, windows: [day]}\n"
    "  longest: {aggregate: max, of: duration, where: {type: call}, windows: [1h]}\n"
    "  shortest: {aggregate: min, of: duration, where: {type: call}, windows: [1h]}\n"
    "  newest: {aggregate: last, of: duration, where: {type: call}, windows: [day]}\n"
    "  clients: {aggregate: distinct, of: client, where: {type: call}, windows: [day, 30d]}\n"
    "  by_client: {aggregate: sum, of: amount, where: {type: stage, stage: won}, by: [client], windows: [week]}\n"
    "  per_call: {formula: talk / calls, windows: [day]}\n"
    "  wins: {aggregate: count, where: {type: stage, stage: won}, once: {per: deal}, windows: [week]}\n"
    "  conversion: {aggregate: mean, of: {elapsed: {from: {type: lead}, to: {type: stage, stage: won}, per: deal}}, windows: [week]}\n"
    "  third_call: {aggregate: count, where: {type: call}, of: {repeat: {per: client, from: 3, within: 12h}}, windows: [day]}\n"
    "  pipeline: {aggregate: sum, of: {open: {per: deal, closed: {type: stage, stage: [won, lost]}, field: amount}}, windows: [day]}\n"
    "  open_deals: {aggregate: count, of: {open: {per: deal, closed: {type: stage, stage: [won, lost]}}}, windows: [day]}\n"
    "  cohort: {aggregate: mean, of: {cohort: {from: {type: lead}, to: {type: stage, stage: won}, per: deal, within: 6h}}, windows: [week]}\n"
    "funnels: {sales: {per: deal, stages: [new, demo, offer, won], lost: [lost], windows: [week]}}\n"
    "targets:\n"
    "  - {kpi: calls, per: day, value: 40}\n"
    "alerts:\n"
    "  few: {kpi: calls, window: day, level: rep, compare: pace, warning: {below: 80%%}, critical: {below: 50%%}, for: 10m, repeat: 1h, "
    "keep_firing_for: 20m, min_elapsed: 30m, escalate: {after: 2h}, flapping: {changes: 4, within: 3h}}\n"
    "  many: {kpi: calls, window: 1h, level: team, warning: {above: 12}, hours: always, clear: 10%%}\n"
    "  behind_peers: {kpi: talk, window: day, level: rep, compare: peers, peers: company, warning: {below: 60%%}, group: 50%%, min_peers: 2}\n"
    "  quiet: {kpi: calls, window: day, level: rep, compare: silence, warning: {above: 2h}}\n"
    "  usual: {kpi: calls, window: day, level: rep, compare: baseline, periods: 2, warning: {below: 70%%}, min_elapsed: 1h}\n"
    "  stuck: {kpi: open_deals, level: rep, compare: stalled, warning: {above: 5h}}\n";

static char *floor_of(const char *clock)
{
    char *yaml = malloc(sizeof floor_yaml + 64);

    assert_non_null(yaml);
    snprintf(yaml, sizeof floor_yaml + 64, floor_yaml, clock);
    return yaml;
}

enum { HOUR = 3600, FROM = 1795478400 /* Tuesday 2026-11-24 00:00 UTC */ };

struct stream {
    uint64_t seed;
    int64_t at_s;
    unsigned count;
};

static const char *pick(struct stream *s, const char *const *list, size_t n)
{
    return list[unit_below(&s->seed, n)];
}

/* The next event of a floor: mostly of now, some late, some again. */
static void next_event(struct stream *s, char *json, size_t size)
{
    static const char *const reps[] = {"ana", "ben", "cem", "dan", "ext:1", "eve", "fay"};
    static const char *const stages[] = {"new", "demo", "offer", "won", "lost"};
    unsigned kind = (unsigned)unit_below(&s->seed, 10), late = (unsigned)unit_below(&s->seed, 8);
    int64_t at;

    s->at_s += (int64_t)unit_below(&s->seed, 600);
    at = s->at_s - (late == 0 ? (int64_t)unit_below(&s->seed, 2 * 24 * HOUR) : 0);
    s->count += unit_below(&s->seed, 12) != 0;
    if (kind < 6)
        snprintf(json, size,
                 "{\"type\":\"call\",\"id\":\"an id that is long enough to be long %u\",\"source\":\"pbx\",\"rep\":\"%s\",\"time\":%lld000,"
                 "\"duration\":%u.5,\"client\":\"c%u\"}",
                 s->count, pick(s, reps, 7), (long long)at, (unsigned)unit_below(&s->seed, 900), (unsigned)unit_below(&s->seed, 40));
    else if (kind < 7)
        snprintf(json, size, "{\"type\":\"lead\",\"id\":\"l%u\",\"rep\":\"%s\",\"time\":%lld000,\"deal\":\"d%u\"}", s->count,
                 pick(s, reps, 7), (long long)at, (unsigned)unit_below(&s->seed, 60));
    else
        snprintf(json, size,
                 "{\"type\":\"stage\",\"id\":\"s%u\",\"rep\":\"%s\",\"time\":%lld000,\"deal\":\"d%u\",\"stage\":\"%s\",\"amount\":%u,"
                 "\"client\":\"c%u\"}",
                 s->count, pick(s, reps, 7), (long long)at, (unsigned)unit_below(&s->seed, 60), pick(s, stages, 5),
                 (unsigned)unit_below(&s->seed, 5000), (unsigned)unit_below(&s->seed, 40));
}

/* Of what happens at one instant any may be told first. */
static void sort_lines(char *text)
{
    char *lines[512], *copy = strdup(text), *rest = copy, *line;
    size_t n = 0;

    assert_non_null(copy);
    while (n < 512 && (line = strsep(&rest, "\n")) != NULL)
        lines[n++] = line;
    qsort(lines, n, sizeof *lines, image_by_text);
    *text = '\0';
    for (size_t i = 0; i < n; i++)
        text += sprintf(text, "%s\n", lines[i]);
    free(copy);
}

static void said_the_same(struct rig *a, struct rig *b)
{
    if (strcmp(a->said, b->said) != 0) {
        sort_lines(a->said);
        sort_lines(b->said);
    }
    assert_string_equal(a->said, b->said);
    a->said[0] = b->said[0] = '\0';
}

static void give_both(struct rig *a, struct rig *b, struct stream *s)
{
    char json[512];

    next_event(s, json, sizeof json);
    assert_int_equal(rig_event_at(a, s->at_s * 1000, json), rig_event_at(b, s->at_s * 1000, json));
    said_the_same(a, b);
    if (unit_below(&s->seed, 10) == 0 && !a->config.event_clock) {
        s->at_s += (int64_t)unit_below(&s->seed, 3 * HOUR);
        rig_at(a, s->at_s);
        rig_at(b, s->at_s);
        said_the_same(a, b);
    }
}

static void run(const char *clock, uint64_t seed, int events)
{
    char *yaml = floor_of(clock);
    struct rig *a = rig_new(yaml), *b = rig_new(yaml);
    struct stream s = {seed, FROM + 8 * HOUR, 0};

    for (int i = 0; i < events; i++) {
        give_both(a, b, &s);
        if (unit_below(&s.seed, 60) == 0) {
            b = rig_restart(b, yaml);
            rigs_agree(a, b);
        }
    }
    rigs_agree(a, b);
    rig_free(a);
    rig_free(b);
    free(yaml);
}

static void a_restart_changes_nothing_by_the_wall(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++)
        run("wall", seed, 600);
}

static void a_restart_changes_nothing_by_events(void **state)
{
    (void)state;
    for (uint64_t seed = 11; seed <= 13; seed++)
        run("event", seed, 600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restart_changes_nothing_by_the_wall),
        cmocka_unit_test(a_restart_changes_nothing_by_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
