/* Who is told of an alert, at once or in the digest. */
#include "notify.h"

#include "route.h"

#include <math.h>

enum { NOON = 12 * 3600 * 1000 };

/* What was spent: as much as the test says, whoever it is. */
static uint32_t spent_of(void *ctx, const char *address, int64_t day)
{
    (void)address;
    (void)day;
    return *(const uint32_t *)ctx;
}

/* "who:how" of each, how: i at once, d in the digest, w webhook; R for a rep's wording, - without an end. */
static const char *aims_text(const struct aims *aims)
{
    static char text[2048];
    size_t n = 0;

    text[0] = '\0';
    for (size_t i = 0; i < aims->count; i++) {
        const struct aim *aim = &aims->aims[i];

        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s:%s%s%s%s", i ? " " : "", aim->to,
                              aim->kind == AIM_WEBHOOK ? "w" : aim->instant ? "i" : "d", aim->counted ? "c" : "",
                              aim->reader == READER_REP ? "R" : "", aim->end_too ? "" : "-");
    }
    return text;
}

static const struct route_case {
    const char *name, *routes;
    const char *level, *path;
    enum alert_severity severity;
    enum change change;
    uint32_t spent;
    const char *want;
} route_cases[] = {
    {"a route without a match takes all", "[{mail: [a@x]}]", "rep", "emea/one/ana", ALERT_WARNING, CHANGE_NEW, 0, "a@x:ic"},
    {"another severity", "[{match: {severity: critical}, mail: [a@x]}]", "rep", "e", ALERT_WARNING, CHANGE_NEW, 0, ""},
    {"that severity", "[{match: {severity: critical}, mail: [a@x]}]", "rep", "e", ALERT_CRITICAL, CHANGE_NEW, 0, "a@x:ic"},
    {"any of several", "[{match: {rule: [x, behind_on_calls], kpi: calls_made}, mail: [a@x]}]", "rep", "e", ALERT_WARNING,
     CHANGE_NEW, 0, "a@x:ic"},
    {"every one must hold", "[{match: {rule: [x, behind_on_calls], kpi: y}, mail: [a@x]}]", "rep", "e", ALERT_WARNING,
     CHANGE_NEW, 0, ""},
    {"the path itself", "[{match: {path: emea/one}, mail: [a@x]}]", "team", "emea/one", ALERT_WARNING, CHANGE_NEW, 0, "a@x:ic"},
    {"below the path", "[{match: {path: emea}, mail: [a@x]}]", "rep", "emea/one/ana", ALERT_WARNING, CHANGE_NEW, 0, "a@x:ic"},
    {"a path is no prefix of a name", "[{match: {path: emea/on}, mail: [a@x]}]", "rep", "emea/one/ana", ALERT_WARNING,
     CHANGE_NEW, 0, ""},
    {"the company lies below nothing", "[{match: {path: emea}, mail: [a@x]}]", "company", "", ALERT_WARNING, CHANGE_NEW, 0, ""},
    {"the rep's own copy first", "[{mail: [a@x], copy_rep: true}]", "rep", "e", ALERT_WARNING, CHANGE_NEW, 0,
     "ana@x:icR a@x:ic"},
    {"a team has no own copy", "[{mail: [a@x], copy_rep: true}]", "team", "e", ALERT_WARNING, CHANGE_NEW, 0, "a@x:ic"},
    {"who is told twice is told once, in the own wording", "[{mail: [ana@x]}, {copy_rep: true}]", "rep", "e", ALERT_WARNING,
     CHANGE_NEW, 0, "ana@x:icR"},
    {"all routes, each target once", "[{mail: [a@x, b@x]}, {mail: [b@x], webhook: {url: \"http://h\"}}, {webhook: {url: \"http://h\"}}]",
     "rep", "e", ALERT_WARNING, CHANGE_NEW, 0, "a@x:ic b@x:ic http://h:w"},
    {"within the budget", "[{mail: [a@x], budget: 2}]", "rep", "e", ALERT_WARNING, CHANGE_NEW, 1, "a@x:ic"},
    {"beyond the budget", "[{mail: [a@x], budget: 2}]", "rep", "e", ALERT_WARNING, CHANGE_NEW, 2, "a@x:d"},
    {"no budget at all", "[{mail: [a@x], budget: 0}]", "rep", "e", ALERT_WARNING, CHANGE_NEW, 0, "a@x:d"},
    {"the greater of two budgets", "[{mail: [a@x], budget: 2}, {mail: [a@x], budget: 3}]", "rep", "e", ALERT_WARNING,
     CHANGE_NEW, 2, "a@x:ic"},
    {"worse news cost", "[{mail: [a@x], budget: 2}]", "rep", "e", ALERT_CRITICAL, CHANGE_SEVERITY, 2, "a@x:d"},
    {"better news cost nothing", "[{mail: [a@x], budget: 2}]", "rep", "e", ALERT_WARNING, CHANGE_SEVERITY, 2, "a@x:i"},
    {"nor does old news", "[{mail: [a@x], budget: 2, repeat: true}]", "rep", "e", ALERT_CRITICAL, CHANGE_REPEAT, 2, "a@x:i"},
    {"a digest", "[{mail: [a@x], digest: daily 17:30}]", "rep", "e", ALERT_WARNING, CHANGE_NEW, 0, "a@x:d"},
    {"at once stands before a digest", "[{mail: [a@x], digest: daily 17:30}, {mail: [a@x]}]", "rep", "e", ALERT_WARNING,
     CHANGE_NEW, 0, "a@x:ic"},
    {"repeats only where they are wanted", "[{mail: [a@x]}, {mail: [b@x], repeat: true}]", "rep", "e", ALERT_WARNING,
     CHANGE_REPEAT, 0, "b@x:i"},
    {"no word of the end", "[{mail: [a@x], resolved: false}]", "rep", "e", ALERT_WARNING, CHANGE_NEW, 0, "a@x:ic-"},
    {"one of two wants the end", "[{mail: [a@x], resolved: false}, {mail: [a@x]}]", "rep", "e", ALERT_WARNING, CHANGE_NEW, 0,
     "a@x:ic"},
};

static void routes_lead_where_they_say(void **state)
{
    struct aims *aims = calloc(1, sizeof *aims);

    (void)state;
    assert_non_null(aims);
    for (size_t i = 0; i < COUNT_OF(route_cases); i++) {
        const struct route_case *c = &route_cases[i];
        struct alert alert = notify_alert();
        struct notify_config config;
        uint32_t spent = c->spent;
        char yaml[1024];

        snprintf(yaml, sizeof yaml, "people: {ana: ana@x}\nroutes: %s\n", c->routes);
        notify_good(yaml, &config);
        snprintf(alert.level, sizeof alert.level, "%s", c->level);
        snprintf(alert.path, sizeof alert.path, "%s", c->path);
        alert.severity = c->severity;
        route_change(&config, &alert, c->change, NOON, spent_of, &spent, aims);
        if (strcmp(aims_text(aims), c->want) != 0)
            fail_msg("%s: wanted \"%s\", got \"%s\"", c->name, c->want, aims_text(aims));
        notify_config_release(&config);
    }
    free(aims);
}

static int64_t at(const char *text)
{
    int64_t ms;

    assert_true(kp_rfc3339_parse(text, strlen(text), &ms));
    return ms;
}

static void a_digest_is_due_by_the_clock_of_its_zone(void **state)
{
    static const struct {
        const char *zone, *now, *want;
        int clock_min;
    } cases[] = {
        {"UTC", "2026-03-02T17:29:59Z", "2026-03-02T17:30:00Z", 1050},
        {"UTC", "2026-03-02T17:30:00Z", "2026-03-03T17:30:00Z", 1050},
        {"Europe/London", "2026-07-01T12:00:00Z", "2026-07-01T16:30:00Z", 1050},
        {"Europe/London", "2026-03-28T18:00:00Z", "2026-03-29T16:30:00Z", 1050},   /* clocks go forward that night */
        {"Europe/London", "2026-03-28T23:00:00Z", "2026-03-29T01:00:00Z", 90},     /* 01:30 does not exist: 02:00 */
        {"Europe/London", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", 90},     /* 01:30 comes twice: the first */
        {"Europe/London", "2026-10-25T01:00:00Z", "2026-10-26T01:30:00Z", 90},     /* and not again with the second */
        {"America/New_York", "2026-12-31T23:00:00Z", "2027-01-01T22:30:00Z", 1050},
        {"Asia/Singapore", "2028-02-28T15:59:00Z", "2028-02-28T16:00:00Z", 0},     /* the leap day begins */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct notify_config config;
        char yaml[200];

        snprintf(yaml, sizeof yaml, "zone: %s\ndigest: daily %02d:%02d\nroutes: [{mail: [a@x]}]\n", cases[i].zone,
                 cases[i].clock_min / 60, cases[i].clock_min % 60);
        notify_good(yaml, &config);
        assert_int_equal(route_digest_ms(&config, "a@x", at(cases[i].now)), at(cases[i].want));
        notify_config_release(&config);
    }
}

static void an_address_has_the_digest_of_its_own_route(void **state)
{
    struct notify_config config;

    (void)state;
    notify_good("digest: daily 08:00\nroutes: [{mail: [a@x, b@x]}, {mail: [a@x], digest: daily 09:00, zone: Asia/Singapore}]\n",
                &config);
    assert_int_equal(route_digest_ms(&config, "b@x", 0), 8 * 3600000);
    assert_int_equal(route_digest_ms(&config, "a@x", 0), 5400000);    /* Singapore was at +07:30 in 1970 */
    assert_int_equal(route_digest_ms(&config, "nobody@x", 0), 8 * 3600000);
    notify_config_release(&config);
}

static const struct change_case {
    const char *name;
    bool found;
    enum alert_state was;
    enum alert_severity had;
    enum alert_state is;
    enum alert_severity has;
    bool listed, silenced, acked, later;
    enum change want;
} change_cases[] = {
    {"pending is nobody's business", false, 0, 0, ALERT_PENDING, ALERT_WARNING, false, false, false, true, CHANGE_NONE},
    {"new", false, 0, 0, ALERT_FIRING, ALERT_WARNING, false, false, false, true, CHANGE_NEW},
    {"new, from a listing", false, 0, 0, ALERT_FIRING, ALERT_WARNING, true, false, false, true, CHANGE_NEW},
    {"new and silenced", false, 0, 0, ALERT_FIRING, ALERT_WARNING, false, true, false, true, CHANGE_NONE},
    {"over before it was told", false, 0, 0, ALERT_RESOLVED, ALERT_WARNING, false, false, false, true, CHANGE_NONE},
    {"worse", true, ALERT_FIRING, ALERT_WARNING, ALERT_FIRING, ALERT_CRITICAL, false, false, false, true, CHANGE_SEVERITY},
    {"worse, from a listing", true, ALERT_FIRING, ALERT_WARNING, ALERT_FIRING, ALERT_CRITICAL, true, false, false, true,
     CHANGE_SEVERITY},
    {"worse and silenced", true, ALERT_FIRING, ALERT_WARNING, ALERT_FIRING, ALERT_CRITICAL, false, true, false, true, CHANGE_NONE},
    {"again", true, ALERT_FIRING, ALERT_WARNING, ALERT_FIRING, ALERT_WARNING, false, false, false, true, CHANGE_REPEAT},
    {"again, of the same instant", true, ALERT_FIRING, ALERT_WARNING, ALERT_FIRING, ALERT_WARNING, false, false, false, false,
     CHANGE_NONE},
    {"again, in a listing", true, ALERT_FIRING, ALERT_WARNING, ALERT_FIRING, ALERT_WARNING, true, false, false, true, CHANGE_NONE},
    {"again, and somebody has taken it on", true, ALERT_FIRING, ALERT_WARNING, ALERT_FIRING, ALERT_WARNING, false, false, true,
     true, CHANGE_NONE},
    {"over", true, ALERT_FIRING, ALERT_WARNING, ALERT_RESOLVED, ALERT_WARNING, false, false, false, true, CHANGE_RESOLVED},
    {"over and silenced", true, ALERT_FIRING, ALERT_WARNING, ALERT_RESOLVED, ALERT_WARNING, false, true, false, true,
     CHANGE_RESOLVED},
    {"over again", true, ALERT_RESOLVED, ALERT_WARNING, ALERT_RESOLVED, ALERT_WARNING, false, false, false, true, CHANGE_NONE},
    {"a team's alert stands for it", true, ALERT_FIRING, ALERT_WARNING, ALERT_GROUPED, ALERT_WARNING, false, false, false, true,
     CHANGE_RESOLVED},
    {"it stands for one that was not told", false, 0, 0, ALERT_GROUPED, ALERT_WARNING, false, false, false, true, CHANGE_NONE},
    {"and for it no longer", true, ALERT_GROUPED, ALERT_WARNING, ALERT_FIRING, ALERT_WARNING, false, false, false, true, CHANGE_NEW},
    {"or it is over meanwhile", true, ALERT_GROUPED, ALERT_WARNING, ALERT_RESOLVED, ALERT_WARNING, false, false, false, true,
     CHANGE_NONE},
    {"back under an id that is over", true, ALERT_RESOLVED, ALERT_WARNING, ALERT_FIRING, ALERT_CRITICAL, false, false, false,
     true, CHANGE_NONE},
};

static void a_message_changes_what_it_changes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(change_cases); i++) {
        const struct change_case *c = &change_cases[i];
        struct known known = {.found = c->found, .state = c->was, .severity = c->had, .time_ms = 1000};
        struct alert alert = notify_alert();
        bool hushed;

        alert.state = c->is;
        alert.severity = c->has;
        alert.silenced = c->silenced;
        alert.acked = c->acked;
        alert.time_ms = c->later ? 1001 : 1000;
        if (change_of(&known, &alert, c->listed, &hushed) != c->want)
            fail_msg("%s", c->name);
        assert_int_equal(hushed, c->silenced || c->is == ALERT_GROUPED);
    }
}

static void an_alertmanager_gets_what_its_routes_want(void **state)
{
    struct notify_config config;
    struct alert alert = notify_alert();

    (void)state;
    notify_good("routes: [{match: {severity: critical}, alertmanager: {url: \"http://a\"}},"
                " {match: {path: emea}, alertmanager: {url: \"http://a/\"}}]\n", &config);
    assert_true(route_to_manager(&config, &alert, "http://a"));
    assert_false(route_to_manager(&config, &alert, "http://b"));
    snprintf(alert.path, sizeof alert.path, "apac/x");
    assert_false(route_to_manager(&config, &alert, "http://a"));
    alert.severity = ALERT_CRITICAL;
    assert_true(route_to_manager(&config, &alert, "http://a"));
    notify_config_release(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_lead_where_they_say),
        cmocka_unit_test(a_digest_is_due_by_the_clock_of_its_zone),
        cmocka_unit_test(an_address_has_the_digest_of_its_own_route),
        cmocka_unit_test(a_message_changes_what_it_changes),
        cmocka_unit_test(an_alertmanager_gets_what_its_routes_want),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
