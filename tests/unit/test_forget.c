/* Who is forgotten is gone, and what they have added to teams is not. */
#include "checkpoint_rig.h"

#include "kpid/forget.h"

static const char yaml[] =
    "roster: {levels: [region, team, rep], members: [{rep: ben, team: a, region: x}, {rep: eva, team: b, region: x}]}\n"
    "time: {clock: event}\n"
    "kpis:\n"
    "  calls: {aggregate: count, where: {type: call}, windows: [30d]}\n"
    "  wins: {aggregate: count, where: {type: stage, stage: won}, once: {per: deal, reversed_by: {type: stage, stage: reopened}}, windows: [30d]}\n"
    "  worth: {aggregate: sum, of: amount, where: {type: stage, stage: won}, once: {per: deal, reversed_by: {type: stage, stage: reopened}}, windows: [30d]}\n"
    "  speed: {aggregate: mean, of: {elapsed: {from: {type: lead}, to: {type: stage, stage: won}, per: deal}}, windows: [30d]}\n"
    "  open: {aggregate: count, of: {open: {per: deal, opened: {type: lead}, closed: {type: stage, stage: won}}}, windows: [30d]}\n"
    "  by_client: {aggregate: count, where: {type: call}, by: [client], windows: [30d]}\n"
    "  by_two: {aggregate: count, where: {type: call}, by: [region, client], windows: [30d]}\n"
    "  clients: {aggregate: count, where: {type: call}, once: {per: client}, windows: [30d]}\n"
    "alerts:\n"
    "  few: {kpi: calls, window: 30d, compare: value, level: rep, warning: {below: 100}, hours: always}\n"
    "  stuck: {kpi: open, compare: stalled, level: rep, warning: {above: 1h}, hours: always}\n"
    "  stuck_team: {kpi: open, compare: stalled, level: team, warning: {above: 1h}, hours: always}\n";

enum { DAY = 86400, NOW = 20000 * DAY };

static void tell(struct rig *rig, int at, const char *rest)
{
    char json[400];

    snprintf(json, sizeof json, "{\"id\":\"id-%d-%s\",\"time\":%d000,%s}", at, strstr(rest, "ana") ? "ofana" : "o", NOW + at, rest);
    assert_int_equal(rig_event_at(rig, 0, json), KP_ACCEPTED);
}

static struct kp_forgotten forget(struct rig *rig, const char *field, const char *key)
{
    struct kp_err err = {0};
    struct kp_forget who;

    if (kp_engine_whom(rig->engine, (struct kp_str){field, (uint32_t)strlen(field)}, (struct kp_str){key, (uint32_t)strlen(key)}, &who, &err))
        fail_msg("%s", err.text);
    return kp_engine_forget(rig->engine, &who);
}

static void refused(struct rig *rig, const char *field, const char *key, const char *why)
{
    struct kp_err err = {0};
    struct kp_forget who;

    assert_int_equal(kp_engine_whom(rig->engine, (struct kp_str){field, (uint32_t)strlen(field)}, (struct kp_str){key, (uint32_t)strlen(key)}, &who,
                                    &err),
                     KP_EINVAL);
    assert_string_equal(err.text, why);
}

static bool is_there(struct rig *rig, const char *level, const char *key)
{
    return kp_engine_find(rig->engine, kp_engine_find_level(rig->engine, level, strlen(level)), (struct kp_str){key, (uint32_t)strlen(key)}) !=
           KP_NO_KEY;
}

static bool has_bytes(const struct rig *rig, const char *text)
{
    struct bytes bytes = saved(rig);
    bool has = memmem(bytes.at, bytes.n, text, strlen(text)) != NULL;

    free(bytes.at);
    return has;
}

static void nothing_of_a_rep_is_left(void **state)
{
    struct rig *rig = rig_new(yaml);

    (void)state;
    tell(rig, 0, "\"type\":\"call\",\"rep\":\"ana\"");
    tell(rig, 1, "\"type\":\"call\",\"rep\":\"ben\"");
    assert_true(has_bytes(rig, "ana") && has_bytes(rig, "ofana") && is_there(rig, "rep", "ana"));
    rig->said[0] = '\0';
    assert_int_equal(forget(rig, "", "ana").keys, 1);
    rig_said(rig, "1728000001 few ana resolved warning 1 forgotten\n");
    assert_false(is_there(rig, "rep", "ana"));
    assert_false(has_bytes(rig, "ana"));
    assert_true(has_bytes(rig, "ben"));
    assert_true(rig_value(rig, "company", "", "calls", "30d") == 2);
    assert_true(rig_value(rig, "team", "unassigned", "calls", "30d") == 1);
    assert_int_equal(forget(rig, "rep", "ana").keys, 0);     /* nobody of that name */
    tell(rig, 2, "\"type\":\"call\",\"rep\":\"ana\"");            /* somebody else */
    assert_true(rig_value(rig, "rep", "ana", "calls", "30d") == 1);
    rig_free(rig);
}

static void nothing_of_a_client_is_left(void **state)
{
    struct rig *rig = rig_new(yaml);
    struct kp_forgotten done;

    (void)state;
    tell(rig, 0, "\"type\":\"call\",\"rep\":\"ben\",\"client\":\"c,4711\",\"region\":\"x\"");
    tell(rig, 1, "\"type\":\"call\",\"rep\":\"ben\",\"client\":4712,\"region\":\"x\"");
    tell(rig, 2, "\"type\":\"call\",\"rep\":\"ben\",\"client\":\"4712\",\"region\":\"x\"");
    assert_true(is_there(rig, "@client", "c,4711") && is_there(rig, "@region,client", "x,c%2C4711") && is_there(rig, "@region,client", "x,4712"));
    done = forget(rig, "client", "c,4711");
    assert_true(done.keys == 2 && done.entities == 1 && done.silences == 0);
    assert_false(is_there(rig, "@client", "c,4711") || is_there(rig, "@region,client", "x,c%2C4711") || has_bytes(rig, "4711"));
    assert_int_equal(forget(rig, "client", "4712").entities, 2);     /* as a number, and as a text */
    assert_false(has_bytes(rig, "4712"));
    assert_true(rig_value(rig, "rep", "ben", "calls", "30d") == 3);
    assert_true(rig_value(rig, "rep", "ben", "clients", "30d") == 3);
    rig_free(rig);
}

static void what_is_open_of_the_forgotten_is_open_no_more(void **state)
{
    struct rig *rig = rig_new(yaml);

    (void)state;
    tell(rig, 0, "\"type\":\"lead\",\"rep\":\"ben\",\"deal\":\"d1\"");
    tell(rig, 1, "\"type\":\"lead\",\"rep\":\"ben\",\"deal\":\"d2\"");
    rig_at(rig, NOW + 7200);
    rig->said[0] = '\0';
    assert_int_equal(forget(rig, "deal", "d1").entities, 1);
    rig_said(rig, "1728007200 stuck ben resolved warning 7200 moved\n1728007200 stuck_team a resolved warning 7200 moved\n");
    assert_true(rig_value(rig, "company", "", "open", "30d") == 1);
    assert_false(has_bytes(rig, "d1"));
    rig_free(rig);
}

static void silences_of_them_end(void **state)
{
    struct rig *rig = rig_new(yaml);
    struct kp_silence silence = {.from_ms = NOW * INT64_C(1000), .until_ms = (NOW + DAY) * INT64_C(1000), .by = {"me", 2}};
    uint64_t id;

    (void)state;
    tell(rig, 0, "\"type\":\"call\",\"rep\":\"ana\",\"client\":\"c1\"");
    silence.matchers.fields[KP_MATCH_KEY] = kp_matcher_of((struct kp_str){"ana", 3});
    assert_int_equal(kp_engine_silence(rig->engine, &silence, &id, NULL), KP_OK);
    silence.matchers.fields[KP_MATCH_KEY] = kp_matcher_of((struct kp_str){"an*", 3});
    assert_int_equal(kp_engine_silence(rig->engine, &silence, &id, NULL), KP_OK);
    silence.matchers = (struct kp_matchers){.path = {{"x", 1}, {"unassigned", 10}, {"ana", 3}}, .npath = 3};
    assert_int_equal(kp_engine_silence(rig->engine, &silence, &id, NULL), KP_OK);
    silence.matchers = (struct kp_matchers){.path = {{"@client", 7}, {"c1", 2}}, .npath = 2};
    assert_int_equal(kp_engine_silence(rig->engine, &silence, &id, NULL), KP_OK);
    assert_int_equal(forget(rig, "client", "ana").silences, 0);      /* a key without a level is a rep's */
    assert_int_equal(forget(rig, "rep", "ana").silences, 2);
    assert_int_equal(forget(rig, "client", "c1").silences, 1);
    assert_int_equal(kp_silences_count(kp_engine_silences(rig->engine)), 1);     /* whose name begins so may be many */
    rig_free(rig);
}

static void whom_is_checked(void **state)
{
    struct rig *rig = rig_new(yaml);

    (void)state;
    refused(rig, "", "ben", "\"ben\" stands in the roster: take them off it and reload first");
    refused(rig, "team", "a", "\"team\" names nobody");
    refused(rig, "source", "crm", "\"source\" names nobody");
    refused(rig, "cleint", "c", "no KPI asks for a field \"cleint\"");
    refused(rig, "client", "", "\"key\" is a text of up to 511 bytes");
    forget(rig, "lead", "l1");     /* raw events may name it */
    rig_free(rig);
}

/* ---- Teams go on as if the rep had never had a name ---- */

static uint32_t chance(uint32_t *seed, uint32_t n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % n;
}

/* One of what zoe does, or somebody else; without its rep in the second. */
static void tell_both(struct rig *rig, struct rig *nameless, uint32_t *seed, int at)
{
    static const char *const types[] = {"\"type\":\"call\"", "\"type\":\"lead\"", "\"type\":\"stage\",\"stage\":\"won\"",
                                        "\"type\":\"stage\",\"stage\":\"reopened\""};
    bool zoe = chance(seed, 2);
    char what[160], named[240], other[240];

    snprintf(what, sizeof what, "%s,\"deal\":%u,\"client\":\"c%u\",\"amount\":%u", types[chance(seed, 4)], chance(seed, 12), chance(seed, 9),
             chance(seed, 100));
    snprintf(named, sizeof named, "%s,\"team\":\"unassigned\",\"region\":\"unassigned\",\"rep\":\"%s\"", what, zoe ? "zoe" : "ben");
    snprintf(other, sizeof other, "%s,\"team\":\"unassigned\",\"region\":\"unassigned\"%s", what, zoe ? "" : ",\"rep\":\"ben\"");
    tell(rig, at, named);
    tell(nameless, at, other);
}

static void same_value(struct rig *a, struct rig *b, const char *level, const char *key, const char *kpi)
{
    double x = rig_value(a, level, key, kpi, "30d"), y = rig_value(b, level, key, kpi, "30d");

    if (!(x == y || (isnan(x) && isnan(y))))
        fail_msg("%s %s %s: %g, without a name %g", level, key, kpi, x, y);
}

static void one_case(uint32_t seed)
{
    static const char *const kpis[] = {"calls", "wins", "worth", "speed", "open", "clients"};
    struct rig *rig = rig_new(yaml), *nameless = rig_new(yaml);
    int at = 0, before = 20 + (int)chance(&seed, 80);

    while (at < before)
        tell_both(rig, nameless, &seed, ++at);
    forget(rig, "rep", "zoe");
    if (chance(&seed, 2))
        rig = moved(rig, yaml, NULL);
    assert_false(has_bytes(rig, "zoe"));
    /* what is zoe's from here on is somebody else's, so let it be ben's */
    for (int i = 0; i < 60; i++) {
        uint32_t fork = seed;
        char what[200];

        at++;
        snprintf(what, sizeof what, "\"type\":\"stage\",\"stage\":\"%s\",\"deal\":%u,\"amount\":%u,\"rep\":\"ben\"",
                 chance(&fork, 2) ? "won" : "reopened", chance(&fork, 12), chance(&fork, 100));
        seed = fork;
        tell(rig, at, what);
        tell(nameless, at, what);
    }
    for (size_t k = 0; k < COUNT_OF(kpis); k++) {
        same_value(rig, nameless, "company", "", kpis[k]);
        same_value(rig, nameless, "region", "unassigned", kpis[k]);
        same_value(rig, nameless, "team", "unassigned", kpis[k]);
        same_value(rig, nameless, "rep", "ben", kpis[k]);
    }
    rig_free(rig);
    rig_free(nameless);
}

static void teams_go_on_as_if_there_had_been_no_name(void **state)
{
    const char *many = getenv("KPID_CASES");

    (void)state;
    for (uint32_t seed = 1; seed <= (many ? (uint32_t)atoi(many) : 60u); seed++)
        one_case(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_of_a_rep_is_left),
        cmocka_unit_test(nothing_of_a_client_is_left),
        cmocka_unit_test(what_is_open_of_the_forgotten_is_open_no_more),
        cmocka_unit_test(silences_of_them_end),
        cmocka_unit_test(whom_is_checked),
        cmocka_unit_test(teams_go_on_as_if_there_had_been_no_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
