/* Silences and acknowledgements in the engine: what is told of alerts that are to keep quiet. */
#include "rig.h"

#define HEAD                                                                                                           \
    "time: {clock: event}\n"                                                                                           \
    "roster: {members: [{rep: ana, team: one, region: emea}, {rep: bob, team: two, region: emea}]}\n"                  \
    "kpis: {calls: {aggregate: count, where: {type: call}, windows: [10s/1s, day]}}\n"
#define QUIET(more) HEAD "alerts: {quiet: {kpi: calls, window: 10s/1s, level: rep, warning: {below: 1}" more "}}\n"
#define BUSY HEAD "alerts: {busy: {kpi: calls, window: day, level: rep, warning: {above: 1}, critical: {above: 3}, repeat: 10s}}\n"

static struct kp_str text(const char *s)
{
    return (struct kp_str){s, (uint32_t)strlen(s)};
}

/* Silence whoever stands in a team, in seconds. id 0: a new one. */
static uint64_t silence(struct rig *rig, const char *team, int64_t from, int64_t until, uint64_t id)
{
    struct kp_silence silence = {
        .id = id, .from_ms = from * 1000, .until_ms = until * 1000, .by = text("maria")};
    struct kp_err err = {0};

    silence.matchers.path[0] = text("emea");
    silence.matchers.path[1] = text(team);
    silence.matchers.npath = 2;
    if (kp_engine_silence(rig->engine, &silence, &id, &err))
        fail_msg("%s", err.text);
    rig_at(rig, 0);
    return id;
}

/* Acknowledge (or not any more) what `key` has; how many alerts that were. */
static size_t ack(struct rig *rig, const char *key, const char *by)
{
    struct kp_matchers matchers = {0};
    struct kp_ack_order order = {.matchers = &matchers, .by = by, .comment = "on it", .undo = by == NULL};
    struct kp_err err = {0};
    size_t done;

    matchers.fields[KP_MATCH_KEY].text = text(key);
    if (kp_engine_ack(rig->engine, &order, NULL, &done, &err))
        fail_msg("%s", err.text);
    rig_at(rig, 0);
    return done;
}

static void an_alert_that_fires_is_told_again_when_a_silence_begins_and_ends(void **state)
{
    struct rig *rig = rig_new(QUIET(""));

    (void)state;
    rig_call(rig, 100, "ana");
    rig_call(rig, 100, "bob");
    silence(rig, "one", 120, 130, 0);
    assert_true(kp_engine_due(rig->engine) == 110000);
    rig_at(rig, 115);
    rig_said(rig, "100 quiet bob firing warning 0\n100 quiet bob resolved warning 1\n"
                  "110 quiet ana firing warning 0\n110 quiet bob firing warning 0\n");
    assert_true(kp_engine_due(rig->engine) == 120000);
    rig_at(rig, 125);
    rig_said(rig, "120 quiet ana firing warning 0 silenced\n");
    rig_at(rig, 200);
    rig_said(rig, "130 quiet ana firing warning 0\n");
    rig_call(rig, 201, "ana");
    rig_said(rig, "201 quiet ana resolved warning 1\n");
    rig_free(rig);
}

static void it_begins_at_once_and_ends_when_it_is_told_to(void **state)
{
    struct rig *rig = rig_new(QUIET(""));
    uint64_t id;

    (void)state;
    rig_call(rig, 100, "ana");
    rig_at(rig, 115);
    rig->said[0] = '\0';
    id = silence(rig, "one", 0, 1000, 0);
    rig_said(rig, "115 quiet ana firing warning 0 silenced\n");
    assert_int_equal(silence(rig, "one", 0, 2000, id), id);
    rig_said(rig, "");          /* it is silenced as before */
    silence(rig, "two", 0, 2000, id);
    rig_said(rig, "115 quiet ana firing warning 0\n115 quiet bob firing warning 0 silenced\n");
    assert_true(kp_engine_unsilence(rig->engine, id));
    rig_at(rig, 0);
    rig_said(rig, "115 quiet bob firing warning 0\n");
    assert_false(kp_engine_unsilence(rig->engine, id));
    rig_free(rig);
}

static void an_alert_is_marked_that_fires_at_the_instant_it_begins_and_not_at_that_of_its_end(void **state)
{
    struct rig *rig = rig_new(QUIET(", for: 5s"));

    (void)state;
    rig_call(rig, 100, "ana");
    rig_call(rig, 100, "bob");
    rig->said[0] = '\0';
    silence(rig, "one", 110, 115, 0);
    silence(rig, "two", 115, 120, 0);
    rig_at(rig, 130);
    rig_said(rig, "110 quiet ana pending warning 0 silenced\n110 quiet bob pending warning 0\n"
                  "115 quiet ana firing warning 0\n115 quiet bob firing warning 0 silenced\n"
                  "120 quiet bob firing warning 0\n");
    rig_free(rig);
}

static void of_two_silences_that_follow_each_other_nothing_shows(void **state)
{
    struct rig *rig = rig_new(QUIET(""));

    (void)state;
    rig_call(rig, 100, "ana");
    rig_at(rig, 115);
    rig->said[0] = '\0';
    silence(rig, "one", 100, 120, 0);
    silence(rig, "one", 120, 130, 0);
    silence(rig, "one", 125, 140, 0);
    rig_at(rig, 200);
    rig_said(rig, "115 quiet ana firing warning 0 silenced\n140 quiet ana firing warning 0\n");
    rig_free(rig);
}

static void a_silenced_alert_changes_but_is_not_repeated(void **state)
{
    struct rig *rig = rig_new(BUSY);

    (void)state;
    rig_call(rig, 1, "ana");
    rig_call(rig, 2, "ana");
    rig_at(rig, 15);
    rig_said(rig, "2 busy ana firing warning 2\n12 busy ana firing warning 2\n");
    silence(rig, "one", 0, 50, 0);
    rig_call(rig, 40, "ana");
    rig_call(rig, 41, "ana");
    rig_said(rig, "15 busy ana firing warning 2 silenced\n41 busy ana firing critical 4 silenced\n");
    rig_at(rig, 65);
    rig_said(rig, "50 busy ana firing critical 4\n60 busy ana firing critical 4\n");
    rig_free(rig);
}

static void a_silence_of_warnings_ends_where_it_becomes_critical(void **state)
{
    struct rig *rig = rig_new(BUSY);
    struct kp_silence warnings = {.until_ms = 1000000, .by = text("maria")};
    uint64_t id;

    (void)state;
    warnings.matchers.fields[KP_MATCH_SEVERITY].text = text("warning");
    assert_int_equal(kp_engine_silence(rig->engine, &warnings, &id, NULL), KP_OK);
    for (int i = 1; i <= 4; i++)
        rig_call(rig, i, "ana");
    rig_said(rig, "2 busy ana firing warning 2 silenced\n4 busy ana firing critical 4\n");
    rig_at(rig, 15);
    rig_said(rig, "14 busy ana firing critical 4\n");
    rig_free(rig);
}

static void an_acknowledged_alert_says_by_whom_and_is_not_repeated(void **state)
{
    struct rig *rig = rig_new(QUIET(", repeat: 10s"));

    (void)state;
    rig_call(rig, 100, "ana");
    rig_at(rig, 112);
    rig->said[0] = '\0';
    assert_int_equal(ack(rig, "ana", "maria"), 1);
    rig_said(rig, "112 quiet ana firing warning 0 by maria\n");
    rig_at(rig, 150);
    assert_null(strstr(rig->said, "ana"));
    rig->said[0] = '\0';
    assert_int_equal(ack(rig, "ana", "tom"), 1);        /* he takes it over */
    rig_said(rig, "150 quiet ana firing warning 0 by tom\n");
    assert_int_equal(ack(rig, "ana", NULL), 1);
    assert_int_equal(ack(rig, "ana", NULL), 0);
    rig_said(rig, "150 quiet ana firing warning 0\n");
    rig_call(rig, 155, "bob");
    rig->said[0] = '\0';
    rig_at(rig, 161);
    rig_said(rig, "160 quiet ana firing warning 0\n");
    rig_free(rig);
}

static void it_ends_with_the_life_of_the_alert(void **state)
{
    struct rig *rig = rig_new(QUIET(", for: 5s"));
    struct kp_engine_stats stats;

    (void)state;
    rig_call(rig, 100, "ana");
    rig_at(rig, 112);
    rig->said[0] = '\0';
    assert_int_equal(ack(rig, "ana", "maria"), 1);
    rig_at(rig, 116);
    rig_said(rig, "112 quiet ana pending warning 0 by maria\n115 quiet ana firing warning 0 by maria\n");
    rig_call(rig, 120, "ana");
    rig_said(rig, "120 quiet ana resolved warning 1 by maria\n");
    kp_engine_stats(rig->engine, &stats);
    assert_int_equal(stats.acks, 0);
    rig_at(rig, 136);
    rig_said(rig, "130 quiet ana pending warning 0\n135 quiet ana firing warning 0\n");
    rig_free(rig);
}

static void what_becomes_critical_is_acknowledged_no_more(void **state)
{
    struct rig *rig = rig_new(BUSY);

    (void)state;
    rig_call(rig, 1, "ana");
    rig_call(rig, 2, "ana");
    ack(rig, "ana", "maria");
    rig_call(rig, 3, "ana");
    rig_at(rig, 30);
    rig_call(rig, 31, "ana");
    rig_at(rig, 42);
    rig_said(rig, "2 busy ana firing warning 2\n2 busy ana firing warning 2 by maria\n31 busy ana firing critical 4\n"
                  "41 busy ana firing critical 4\n");
    rig_free(rig);
}

static void take_id(void *ctx, const struct kp_alert *alert)
{
    uint64_t *ids = ctx;

    ids[++ids[0]] = alert->id;
}

static void alerts_are_acknowledged_by_their_ids(void **state)
{
    struct rig *rig = rig_new(QUIET(""));
    struct kp_ack_order order = {.nids = 3, .by = "maria"};
    uint64_t ids[8] = {0}, wanted[3];
    bool found[3];
    size_t done;

    (void)state;
    rig_call(rig, 100, "ana");
    rig_at(rig, 112);
    rig->said[0] = '\0';
    kp_engine_alerts(rig->engine, take_id, ids);
    assert_int_equal(ids[0], 2);
    wanted[0] = 1;
    wanted[1] = ids[1] < ids[2] ? ids[1] : ids[2];
    wanted[2] = ids[1] < ids[2] ? ids[2] : ids[1];
    order.ids = wanted;
    assert_int_equal(kp_engine_ack(rig->engine, &order, found, &done, NULL), KP_OK);
    assert_int_equal(done, 2);
    assert_true(!found[0] && found[1] && found[2]);
    rig_at(rig, 0);
    assert_non_null(strstr(rig->said, "112 quiet ana firing warning 0 by maria\n"));
    assert_non_null(strstr(rig->said, "112 quiet bob firing warning 0 by maria\n"));
    rig_free(rig);
}

static void over_the_limit_nothing_is_acknowledged(void **state)
{
    struct rig *rig = rig_new(QUIET("") "limits: {acks: 1}\n");
    struct kp_matchers all = {.fields = {[KP_MATCH_RULE] = {{"", 0}, true}}};
    struct kp_ack_order order = {.matchers = &all, .by = "maria"};
    struct kp_engine_stats stats;
    size_t done;

    (void)state;
    rig_call(rig, 100, "ana");
    rig_at(rig, 112);
    assert_int_equal(kp_engine_ack(rig->engine, &order, NULL, &done, NULL), KP_ELIMIT);
    assert_int_equal(done, 0);
    kp_engine_stats(rig->engine, &stats);
    assert_int_equal(stats.acks, 0);
    assert_int_equal(stats.acks_refused, 1);
    rig_free(rig);
}

/* While its source is silent an alert stays as it is, but who keeps it quiet is told all the same. */
static void an_alert_that_is_frozen_is_told_again_too(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "sources: {pbx: {heartbeat: 2m}}\n"
                              "roster: {members: [{rep: ana, team: one, region: emea}]}\n"
                              "kpis: {calls: {aggregate: count, where: {type: call, source: pbx}, windows: [5m]}}\n"
                              "alerts: {busy: {kpi: calls, window: 5m, level: rep, warning: {above: 0}, repeat: 10m}}\n");

    (void)state;
    rig_event_at(rig, 0, "{\"type\":\"call\",\"source\":\"pbx\",\"rep\":\"ana\",\"time\":1000000}");
    rig_at(rig, 1200);
    rig->said[0] = '\0';
    silence(rig, "one", 0, 1250, 0);
    rig_at(rig, 1300);
    assert_int_equal(ack(rig, "ana", "maria"), 1);
    rig_said(rig, "1200 busy ana firing warning 1 silenced\n1250 busy ana firing warning 1\n"
                  "1300 busy ana firing warning 0 by maria\n");
    rig_free(rig);
}

/* A crowd is an alert of its own: whoever keeps it quiet means the team, and who means a member does not. */
static void a_team_that_is_told_of_instead_of_its_members_keeps_quiet_by_itself(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "roster: {members: [{rep: a, team: one, region: emea}, {rep: b, team: one, region: emea}]}\n"
                              "kpis: {calls: {aggregate: count, where: {type: call}, windows: [day]}}\n"
                              "alerts: {busy: {kpi: calls, window: day, level: rep, group: 100%, warning: {above: 0}, critical: {above: 1}, "
                              "repeat: 10s}}\n");

    (void)state;
    rig_call(rig, 100, "a");
    assert_int_equal(ack(rig, "a", "maria"), 1);
    rig_call(rig, 101, "b");
    rig_said(rig, "100 busy a firing warning 1\n100 busy a firing warning 1 by maria\n101 busy a resolved warning 1 grouped by maria\n"
                  "101 busy one firing warning 2\n");
    assert_int_equal(ack(rig, "b", "maria"), 0);
    silence(rig, "one", 0, 125, 0);
    rig_at(rig, 124);
    rig_said(rig, "101 busy one firing warning 2 silenced\n");
    assert_int_equal(ack(rig, "one", "tom"), 1);
    rig_at(rig, 150);
    rig_said(rig, "124 busy one firing warning 2 silenced by tom\n125 busy one firing warning 2 by tom\n");
    rig_call(rig, 151, "a");
    rig_said(rig, "");              /* one of two: that is no news of the team */
    rig_call(rig, 152, "b");        /* all of them are critical: it is, too */
    rig_at(rig, 163);
    rig_said(rig, "152 busy one firing critical 2\n162 busy one firing critical 2\n");
    rig_free(rig);
}

static void what_somebody_sees_to_does_not_escalate(void **state)
{
    struct rig *rig = rig_new(QUIET(", escalate: {after: 20s}"));

    (void)state;
    rig_call(rig, 100, "ana");
    rig_at(rig, 111);
    ack(rig, "ana", "maria");
    rig_at(rig, 120);
    rig->said[0] = '\0';
    rig_at(rig, 150);
    rig_said(rig, "");
    rig_free(rig);
}

static void peers_are_told_again_too(void **state)
{
    struct rig *rig = rig_new("time: {clock: event}\n"
                              "roster: {members: [{rep: a, team: one, region: emea}, {rep: b, team: one, region: emea}, "
                              "{rep: c, team: one, region: emea}, {rep: d, team: one, region: emea}]}\n"
                              "kpis: {calls: {aggregate: count, where: {type: call}, windows: [day]}}\n"
                              "alerts: {low: {kpi: calls, window: day, level: rep, compare: peers, warning: {below: 50%}}}\n");

    (void)state;
    for (int i = 0; i < 3; i++)
        rig_call(rig, 100, (const char *[]){"a", "b", "c"}[i]);
    rig_at(rig, 110);
    assert_non_null(strstr(rig->said, "low d firing warning 0\n"));
    rig->said[0] = '\0';
    silence(rig, "one", 0, 120, 0);
    rig_at(rig, 115);
    rig_said(rig, "110 low d firing warning 0 silenced\n");
    rig_at(rig, 130);
    rig_said(rig, "120 low d firing warning 0\n");
    rig_free(rig);
}

static void with_the_wall_clock_it_ends_by_time_alone(void **state)
{
    struct rig *rig = rig_new("roster: {members: [{rep: ana, team: one, region: emea}]}\n"
                              "kpis: {calls: {aggregate: count, where: {type: call}, windows: [day]}}\n"
                              "alerts: {busy: {kpi: calls, window: day, level: rep, warning: {above: 0}}}\n");

    (void)state;
    rig_call(rig, 1000000, "ana");
    silence(rig, "one", 1000010, 1000020, 0);
    assert_true(kp_engine_due(rig->engine) == INT64_C(1000010000));
    rig_at(rig, 1000010);
    assert_true(kp_engine_due(rig->engine) == INT64_C(1000020000));
    rig_at(rig, 1000020);
    rig_said(rig, "1000000 busy ana firing warning 1\n1000010 busy ana firing warning 1 silenced\n"
                  "1000020 busy ana firing warning 1\n");
    rig_free(rig);
}

/* ---- Handing out and taking in ---- */

static void take_ack(void *ctx, const struct kp_ack *ack)
{
    assert_int_equal(kp_engine_restore_ack(ctx, ack, NULL), KP_OK);
}

static void take_silence(void *ctx, const struct kp_silence *silence, bool active)
{
    (void)active;
    assert_int_equal(kp_engine_restore_silence(ctx, silence, NULL), KP_OK);
}

/* Another engine that hears the same events has alerts of the same ids. */
static void what_was_handed_out_holds_for_an_engine_that_takes_it_in(void **state)
{
    struct rig *rig = rig_new(QUIET(", repeat: 10s")), *other = rig_new(QUIET(", repeat: 10s"));

    (void)state;
    rig_call(rig, 100, "ana");
    rig_at(rig, 112);
    assert_int_equal(ack(rig, "ana", "maria"), 1);
    silence(rig, "two", 0, 120, 0);
    kp_acks_each(kp_engine_acks(rig->engine), take_ack, other->engine);
    kp_silences_each(kp_engine_silences(rig->engine), take_silence, other->engine);
    rig_free(rig);
    rig_call(other, 100, "ana");
    rig_at(other, 125);
    rig_said(other, "100 quiet bob firing warning 0 silenced\n110 quiet ana firing warning 0 by maria\n"
                    "120 quiet bob firing warning 0\n");
    rig_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alert_that_fires_is_told_again_when_a_silence_begins_and_ends),
        cmocka_unit_test(it_begins_at_once_and_ends_when_it_is_told_to),
        cmocka_unit_test(an_alert_is_marked_that_fires_at_the_instant_it_begins_and_not_at_that_of_its_end),
        cmocka_unit_test(of_two_silences_that_follow_each_other_nothing_shows),
        cmocka_unit_test(a_silenced_alert_changes_but_is_not_repeated),
        cmocka_unit_test(a_silence_of_warnings_ends_where_it_becomes_critical),
        cmocka_unit_test(an_acknowledged_alert_says_by_whom_and_is_not_repeated),
        cmocka_unit_test(it_ends_with_the_life_of_the_alert),
        cmocka_unit_test(what_becomes_critical_is_acknowledged_no_more),
        cmocka_unit_test(alerts_are_acknowledged_by_their_ids),
        cmocka_unit_test(over_the_limit_nothing_is_acknowledged),
        cmocka_unit_test(an_alert_that_is_frozen_is_told_again_too),
        cmocka_unit_test(a_team_that_is_told_of_instead_of_its_members_keeps_quiet_by_itself),
        cmocka_unit_test(what_somebody_sees_to_does_not_escalate),
        cmocka_unit_test(peers_are_told_again_too),
        cmocka_unit_test(with_the_wall_clock_it_ends_by_time_alone),
        cmocka_unit_test(what_was_handed_out_holds_for_an_engine_that_takes_it_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
