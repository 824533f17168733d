/* What a threshold that never moves makes of a window is known ahead, so that a watch sleeps until its answer changes. The oracle is
 * the same rule on a formula that is its KPI alone: that one is looked at whenever a pane leaves the window. */
#include "rig.h"

static struct rig *rig_of(const char *kpi, const char *rule)
{
    char text[2048];

    snprintf(text, sizeof text,
             "time: {clock: event, allowed_future: 1h}\n"
             "roster: {members: [{rep: ana}, {rep: ben}]}\n"
             "windows: [20s/1s, 1m/4s, 10s/2s, day]\n"
             "kpis:\n%s\nalerts:\n  watched: {kpi: watched, level: rep, %s}\n", kpi, rule);
    return rig_new(text);
}

static uint64_t looks(struct rig *rig)
{
    struct kp_engine_stats stats;

    kp_engine_stats(rig->engine, &stats);
    return stats.evaluations;
}

struct pair {
    struct rig *ahead, *oracle;
};

static struct pair pair_of(const char *aggregate, const char *rule)
{
    char kpi[512];
    struct pair pair;

    snprintf(kpi, sizeof kpi, "  watched: {%s, where: {type: call}}", aggregate);
    pair.ahead = rig_of(kpi, rule);
    snprintf(kpi, sizeof kpi, "  raw: {%s, where: {type: call}}\n  watched: {formula: raw}", aggregate);
    pair.oracle = rig_of(kpi, rule);
    return pair;
}

static void same(struct pair *pair, const char *aggregate, const char *rule)
{
    if (strcmp(pair->ahead->said, pair->oracle->said) != 0)
        fail_msg("%s; %s\nahead:\n%soracle:\n%s", aggregate, rule, pair->ahead->said, pair->oracle->said);
    pair->ahead->said[0] = pair->oracle->said[0] = '\0';
}

/* Seldom or often, some of it late and some to come. */
static void run(struct pair *pair, uint64_t *random, const char *aggregate, const char *rule)
{
    int64_t now = 1000;

    for (int i = 0; i < 300; i++) {
        uint64_t pause = unit_below(random, 4) ? unit_below(random, 4) : unit_below(random, 40);
        int64_t at = now - (int64_t)(unit_below(random, 5) ? 0 : unit_below(random, 25));
        char json[256];

        if (unit_below(random, 12) == 0)
            at = now + (int64_t)unit_below(random, 20);
        snprintf(json, sizeof json, "{\"type\":\"call\",\"rep\":\"%s\",\"time\":%lld,\"duration\":%d}", unit_below(random, 3) ? "ana" : "ben",
                 (long long)at * 1000 + (long long)unit_below(random, 1000), (int)unit_below(random, 40) - 8);
        assert_int_equal(rig_event_at(pair->ahead, 0, json), rig_event_at(pair->oracle, 0, json));
        now += (int64_t)pause;
        rig_at(pair->ahead, now);
        rig_at(pair->oracle, now);
        same(pair, aggregate, rule);
    }
    rig_at(pair->ahead, now + 200);
    rig_at(pair->oracle, now + 200);
    same(pair, aggregate, rule);
}

static void what_is_known_ahead_is_what_looking_at_each_pane_finds(void **state)
{
    static const char *const aggregates[] = {"aggregate: count", "aggregate: sum, of: duration", "aggregate: mean, of: duration",
                                             "aggregate: p90, of: duration", "aggregate: min, of: duration", "aggregate: max, of: duration",
                                             "aggregate: stddev, of: duration", "aggregate: last, of: duration",
                                             "aggregate: distinct, of: duration"};
    static const char *const windows[] = {"20s/1s", "1m/4s", "10s/2s"};
    static const char *const lives[] = {"", ", for: 3s", ", keep_firing_for: 4s", ", clear: 20%", ", clear: 2, repeat: 7s",
                                        ", for: 2s, keep_firing_for: 3s, clear: 30%", ", flapping: {changes: 3, within: 40s}"};
    uint64_t random = 27;
    uint64_t ahead = 0, oracle = 0;

    (void)state;
    for (int i = 0; i < 60; i++) {
        const char *aggregate = aggregates[unit_below(&random, sizeof aggregates / sizeof *aggregates)];
        bool below = unit_below(&random, 2), counts = strstr(aggregate, "count") || strstr(aggregate, "distinct");
        int at = counts ? 1 + (int)unit_below(&random, 6) : (int)unit_below(&random, 40) - 5, far = 1 + (int)unit_below(&random, 8);
        char rule[512];
        struct pair pair;

        snprintf(rule, sizeof rule, "window: %s, warning: {%s: %d}, critical: {%s: %d}, min_count: %d%s",
                 windows[unit_below(&random, 3)], below ? "below" : "above", at, below ? "below" : "above", below ? at - far : at + far,
                 (int)unit_below(&random, 2) * (int)unit_below(&random, 6), lives[unit_below(&random, sizeof lives / sizeof *lives)]);
        pair = pair_of(aggregate, rule);
        run(&pair, &random, aggregate, rule);
        ahead += looks(pair.ahead);
        oracle += looks(pair.oracle);
        rig_free(pair.ahead);
        rig_free(pair.oracle);
    }
    assert_true(ahead < oracle);
}

static void what_leaves_without_a_difference_wakes_nobody(void **state)
{
    struct rig *rig = rig_of("  watched: {aggregate: count, where: {type: call}}", "window: 1m/4s, warning: {below: 2}");
    uint64_t before;

    (void)state;
    for (int at = 1000; at < 1056; at += 4)
        rig_call(rig, at, "ana");
    rig->said[0] = '\0';
    before = looks(rig);
    rig_at(rig, 1107);      /* 13 of 14 have left by 1108 */
    assert_int_equal(looks(rig), before);
    rig_at(rig, 1108);
    rig_said(rig, "1108 watched ana firing warning 1\n");
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_known_ahead_is_what_looking_at_each_pane_finds),
        cmocka_unit_test(what_leaves_without_a_difference_wakes_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
