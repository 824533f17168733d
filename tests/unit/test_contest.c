/* Contests: a standing says what a sum over the events says, in whatever order they came, and goes on saying it after restarts,
 * reloads, moves and the end. */
#include "restart.h"

#include "kpid/contest.h"
#include "kpid/forget.h"
#include "kpid/zone.h"

static const char head[] = "time: {zone: Europe/London, allowed_future: 1h}\n"
                           "calendars: {office: {hours: {mon-fri: \"09:00-17:00\"}}}\n";
static const char roster[] =
    "roster:\n"
    "  levels: [region, team, rep]\n"
    "  members:\n"
    "    - {rep: ana, team: one, region: emea, role: ae, calendar: office}\n"
    "    - {rep: bob, team: one, region: emea, role: ae, calendar: office, away: [2026-11-02..2026-11-04]}\n"
    "    - {rep: cid, team: two, region: emea, role: ae, calendar: office}\n"
    "    - {rep: dan, team: two, region: emea, role: sdr, calendar: office, end: 2026-10-30}\n"
    "    - {rep: eve, team: two, region: emea, role: sdr, calendar: office}\n";
static const char roster_moved[] =
    "roster:\n"
    "  levels: [region, team, rep]\n"
    "  members:\n"
    "    - {rep: ana, team: two, region: emea, role: ae, calendar: office}\n"
    "    - {rep: bob, team: one, region: emea, role: ae, calendar: office, away: [2026-11-02..2026-11-04]}\n"
    "    - {rep: cid, team: two, region: emea, role: ae, calendar: office}\n"
    "    - {rep: dan, team: two, region: emea, role: sdr, calendar: office, end: 2026-10-30}\n"
    "    - {rep: eve, team: two, region: emea, role: sdr, calendar: office}\n";
static const char kpis[] =
    "kpis:\n"
    "  calls: {aggregate: count, where: {type: call}, windows: [day, 60d]}\n"
    "  won: {aggregate: count, where: {type: won}, windows: [day, 60d]}\n"
    "  revenue: {aggregate: sum, of: amount, where: {type: won}, windows: [day, 60d]}\n"
    "  once: {aggregate: count, where: {type: won}, once: {per: deal, reversed_by: {type: lost}}, windows: [day, 60d]}\n"
    "  talk: {aggregate: mean, of: duration, where: {type: call}, better: lower, windows: [day]}\n"
    "  clients: {aggregate: distinct, of: client, where: {type: call}, windows: [day]}\n"
    "  win_rate: {formula: \"won / calls\", windows: [day]}\n";
static const char contests[] =
    "contests:\n"
    "  push: {title: The push, kpi: calls, from: 2026-11-02, to: 2026-11-06, among: rep, tie: revenue}\n"
    "  race: {kpis: {calls: 1, won: 20}, from: 2026-11-02, to: 2026-11-06, among: team}\n"
    "  rate: {kpi: win_rate, from: 2026-11-03T09:00, to: 2026-11-04T12:30, for: {role: ae}, among: rep}\n"
    "  quick: {kpi: talk, from: 2026-11-02, to: 2026-11-06, among: rep}\n"
    "  reach: {kpi: clients, from: 2026-11-02, to: 2026-11-06, among: rep}\n"
    "  deals: {kpi: once, from: 2026-11-02, to: 2026-11-06, among: rep}\n"
    "  fair: {kpi: calls, from: 2026-11-02, to: 2026-11-06, among: rep, away: adjusted}\n"
    "  fair_teams: {kpi: calls, from: 2026-11-02, to: 2026-11-06, among: team, away: adjusted}\n";
static const char nothing[] = "";

enum { YAML_MAX = 16384, SAID_MAX = 4096 };
#define HOUR INT64_C(3600000)

/* An instant of November 2026, London being on UTC: day 2 is the Monday. */
static int64_t at(int day, int hour, int minute)
{
    return kp_civil_to_day(2026, 11, 1) * KP_DAY_MS + (day - 1) * KP_DAY_MS + hour * HOUR + minute * INT64_C(60000);
}

static const char *yaml_of(const char *who, const char *what, const char *which)
{
    static char yaml[YAML_MAX];

    snprintf(yaml, sizeof yaml, "%s%s%s%s", head, who, what, which);
    return yaml;
}

static struct rig *fresh(void)
{
    return rig_new(yaml_of(roster, kpis, contests));
}

static void at_ms(struct rig *rig, int64_t now)
{
    while (kp_engine_settle(rig->engine, now, SIZE_MAX))
        ;
}

static size_t contest_of(const struct rig *rig, const char *name)
{
    for (size_t i = 0; i < rig->config.ncontests; i++)
        if (strcmp(rig->config.contests[i].name, name) == 0)
            return i;
    fail_msg("no contest %s", name);
    return 0;
}

/* "running 2: 1 ana 5/120, 2 bob 3/-; - cid": the state, how many have a rank, and who stands where with what and what tie. */
static const char *standing(struct rig *rig, const char *name)
{
    static const char *const states[] = {"coming", "running", "over"};
    static char said[4][SAID_MAX];
    static int turn;
    char *text = said[turn = (turn + 1) % 4];
    struct kp_contest_standing now;
    size_t len;

    assert_true(kp_engine_standing(rig->engine, contest_of(rig, name), &now));
    len = (size_t)snprintf(text, SAID_MAX, "%s%s %u:", states[now.state], now.is_final ? " final" : "", now.of);
    for (size_t i = 0; i < now.n; i++) {
        const struct kp_contest_place *p = &now.places[i];
        struct kp_place place;

        kp_engine_place(rig->engine, p->node, &place);
        len += (size_t)snprintf(text + len, SAID_MAX - len, " %u %.*s", p->rank, (int)place.key.len, place.key.s);
        if (!isnan(p->value))
            len += (size_t)snprintf(text + len, SAID_MAX - len, " %.6g", p->value);
        if (!isnan(p->tie))
            len += (size_t)snprintf(text + len, SAID_MAX - len, "/%.6g", p->tie);
    }
    return text;
}

static enum kp_reason tell(struct rig *rig, int64_t now, int64_t when, const char *type, const char *rep, int number)
{
    char json[300];

    snprintf(json, sizeof json, "{\"type\":\"%s\",\"rep\":\"%s\",\"duration\":%d,\"amount\":%d,\"deal\":%d,\"client\":%d,\"time\":%lld}",
             type, rep, number, number, number % 7, number % 5, (long long)when);
    return rig_event_at(rig, now, json);
}

static void calls(struct rig *rig, int64_t now, int64_t when, const char *rep, int n)
{
    for (int i = 0; i < n; i++)
        assert_int_equal(tell(rig, now, when, "call", rep, 60), KP_ACCEPTED);
}

/* ---- Who leads ---- */

static void one_kpi_ranks_reps_and_a_tie_is_broken(void **state)
{
    struct rig *rig = fresh();

    (void)state;
    at_ms(rig, at(1, 23, 59));
    assert_string_equal(standing(rig, "push"), "coming 0:");
    calls(rig, at(1, 23, 59), at(1, 23, 59), "ana", 9);         /* before it */
    calls(rig, at(2, 10, 0), at(2, 9, 0), "ana", 3);
    calls(rig, at(2, 10, 0), at(2, 9, 0), "bob", 3);
    calls(rig, at(2, 10, 0), at(2, 9, 0), "cid", 5);
    tell(rig, at(2, 10, 0), at(2, 9, 30), "won", "bob", 70);
    /* dan left before; equal without a tie-break that differs are equal in rank, and stand by path */
    assert_string_equal(standing(rig, "push"), "running 4: 1 cid 5/0 2 bob 3/70 3 ana 3/0 4 eve 0/0");
    tell(rig, at(2, 10, 0), at(2, 9, 30), "won", "ana", 70);
    assert_string_equal(standing(rig, "push"), "running 4: 1 cid 5/0 2 ana 3/70 2 bob 3/70 4 eve 0/0");
    assert_string_equal(standing(rig, "race"), "running 2: 1 one 46 2 two 5");
    rig_free(rig);
}

static void the_lower_leads_where_less_is_better_and_who_has_no_number_has_no_rank(void **state)
{
    struct rig *rig = fresh();

    (void)state;
    at_ms(rig, at(3, 10, 0));
    tell(rig, at(3, 10, 0), at(3, 9, 5), "call", "ana", 100);
    tell(rig, at(3, 10, 0), at(3, 9, 5), "call", "bob", 40);
    tell(rig, at(3, 10, 0), at(3, 9, 5), "call", "bob", 60);
    assert_string_equal(standing(rig, "quick"), "running 2: 1 bob 50 2 ana 100 0 cid 0 eve");
    tell(rig, at(3, 10, 0), at(3, 9, 6), "won", "bob", 1);
    tell(rig, at(3, 10, 0), at(3, 8, 59), "won", "ana", 1);      /* before its from, which is an hour of the day */
    assert_string_equal(standing(rig, "rate"), "running 2: 1 bob 0.5 2 ana 0 0 cid");
    rig_free(rig);
}

static void somebody_whom_the_roster_does_not_know_takes_part_once_there_is_something(void **state)
{
    struct rig *rig = fresh();

    (void)state;
    calls(rig, at(2, 10, 0), at(1, 9, 0), "zoe", 3);
    assert_null(strstr(standing(rig, "push"), "zoe"));
    calls(rig, at(2, 10, 0), at(2, 9, 0), "zoe", 1);
    assert_non_null(strstr(standing(rig, "push"), "1 zoe 1/0"));
    /* they stay in it when nothing else is left of them, and are not shown elsewhere */
    at_ms(rig, at(2, 10, 0) + 100 * KP_DAY_MS);
    for (uint32_t node = 0; node < kp_engine_nodes(rig->engine); node++) {
        if (kp_engine_changed(rig->engine, node))
            kp_engine_seen(rig->engine, node);
        kp_engine_sweep(rig->engine, node);
    }
    assert_int_equal(kp_engine_find(rig->engine, 3, (struct kp_str){"zoe", 3}), KP_NO_KEY);
    assert_non_null(strstr(standing(rig, "push"), "1 zoe 1/0"));
    rig_free(rig);
}

static void who_is_forgotten_stands_nowhere(void **state)
{
    struct rig *rig = fresh();
    struct kp_forget who;
    struct kp_err err = {0};

    (void)state;
    calls(rig, at(2, 10, 0), at(2, 9, 0), "zoe", 2);
    assert_non_null(strstr(standing(rig, "push"), "1 zoe 2/0"));
    assert_int_equal(kp_engine_whom(rig->engine, (struct kp_str){"rep", 3}, (struct kp_str){"zoe", 3}, &who, &err), KP_OK);
    assert_int_equal(kp_engine_forget(rig->engine, &who).keys, 1);
    assert_null(strstr(standing(rig, "push"), "zoe"));
    assert_non_null(strstr(standing(rig, "race"), "1 unassigned 2"));     /* what was added to it stays */
    rig_free(rig);
}

/* ---- Whatever the order ---- */

struct told {
    int64_t when;
    const char *type, *rep;
    int number;
};

enum { EVENTS = 400 };
static const char *const reps[] = {"ana", "bob", "cid", "eve"};

static void make_events(struct told *events, uint64_t *seed)
{
    for (int i = 0; i < EVENTS; i++)
        events[i] = (struct told){at(1, 12, 0) + (int64_t)unit_below(seed, (uint64_t)(6 * KP_DAY_MS)),
                                  (const char *const[]){"call", "call", "won", "lost"}[unit_below(seed, 4)],
                                  reps[unit_below(seed, 4)], 1 + (int)unit_below(seed, 1000)};
}

static void shuffle(struct told *events, uint64_t *seed)
{
    for (size_t i = EVENTS - 1; i > 0; i--) {
        size_t k = unit_below(seed, i + 1);
        struct told swap = events[i];

        events[i] = events[k];
        events[k] = swap;
    }
}

/* By hand: of each rep how many, and how much. */
static void add_up(const struct told *events, int64_t from, int64_t to, int count[4], int64_t amount[4])
{
    memset(count, 0, 4 * sizeof *count);
    memset(amount, 0, 4 * sizeof *amount);
    for (int i = 0; i < EVENTS; i++)
        for (int r = 0; r < 4; r++)
            if (events[i].when >= from && events[i].when < to && strcmp(events[i].rep, reps[r]) == 0) {
                count[r] += strcmp(events[i].type, "call") == 0;
                amount[r] += strcmp(events[i].type, "won") == 0 ? events[i].number : 0;
            }
}

static void check_push(struct rig *rig, const struct told *events)
{
    struct kp_contest_standing now;
    int count[4];
    int64_t amount[4];

    add_up(events, at(2, 0, 0), at(7, 0, 0), count, amount);
    assert_true(kp_engine_standing(rig->engine, contest_of(rig, "push"), &now));
    assert_int_equal(now.n, 4);
    for (size_t i = 0; i < now.n; i++) {
        struct kp_place place;
        uint32_t rank = 1;
        int r = 0;

        kp_engine_place(rig->engine, now.places[i].node, &place);
        while (memcmp(place.key.s, reps[r], 3) != 0)
            r++;
        for (int o = 0; o < 4; o++)
            rank += count[o] > count[r] || (count[o] == count[r] && amount[o] > amount[r]);
        assert_true(now.places[i].value == count[r]);
        assert_true(now.places[i].tie == (double)amount[r]);
        assert_int_equal(now.places[i].rank, rank);
    }
}

static const char *const names[] = {"push", "race", "rate", "quick", "reach", "deals", "fair", "fair_teams"};

/* All of them, as one text. */
static char *all_standings(struct rig *rig)
{
    char *text = calloc(1, SAID_MAX * COUNT_OF(names));
    size_t len = 0;

    assert_non_null(text);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        len += (size_t)sprintf(text + len, "%s %s\n", names[i], standing(rig, names[i]));
    return text;
}

/* Told in order as time goes on, or in any order afterwards, with restarts in between: the same comes of it. */
static void any_order_comes_to_the_same_and_to_what_a_sum_says(void **state)
{
    struct told events[EVENTS];
    uint64_t seed = 7;

    (void)state;
    for (int round = 0; round < 6; round++) {
        struct rig *one = fresh(), *other = fresh();
        char *a, *b;

        make_events(events, &seed);
        for (int i = 0; i < EVENTS; i++) {
            int64_t now = at(8, 12, 0) + (i < EVENTS / 2 ? 0 : 3 * KP_DAY_MS);

            assert_int_equal(tell(one, now, events[i].when, events[i].type, events[i].rep, events[i].number), KP_ACCEPTED);
        }
        shuffle(events, &seed);
        at_ms(other, at(3, 12, 0));     /* half of them are told when it runs */
        for (int i = 0; i < EVENTS; i++) {
            if (events[i].when > at(3, 12, 0))
                continue;
            assert_int_equal(tell(other, at(3, 12, 0), events[i].when, events[i].type, events[i].rep, events[i].number), KP_ACCEPTED);
            if (unit_below(&seed, 60) == 0)
                other = rig_restart(other, yaml_of(roster, kpis, contests));
        }
        for (int i = 0; i < EVENTS; i++) {
            if (events[i].when <= at(3, 12, 0))
                continue;
            assert_int_equal(tell(other, at(11, 12, 0), events[i].when, events[i].type, events[i].rep, events[i].number), KP_ACCEPTED);
            if (unit_below(&seed, 60) == 0)
                other = rig_restart(other, yaml_of(roster, kpis, contests));
        }
        at_ms(one, at(11, 12, 0));      /* within a week of the end of each */
        check_push(one, events);
        check_push(other, events);
        a = all_standings(one);
        b = all_standings(other);
        assert_string_equal(a, b);
        free(a);
        free(b);
        rig_free(one);
        rig_free(other);
    }
}

/* ---- The end ---- */

static void what_comes_within_a_week_of_the_end_counts_and_then_it_is_final(void **state)
{
    struct rig *rig = fresh();
    char *before, *after;

    (void)state;
    calls(rig, at(6, 16, 0), at(6, 15, 0), "ana", 2);
    calls(rig, at(7, 10, 0), at(7, 9, 0), "ana", 50);           /* after the end */
    tell(rig, at(7, 10, 0), at(6, 12, 0), "won", "ana", 1);
    assert_string_equal(standing(rig, "push"), "over 4: 1 ana 2/1 2 bob 0/0 2 cid 0/0 2 eve 0/0");
    calls(rig, at(13, 23, 59), at(6, 15, 0), "ana", 1);         /* late */
    assert_string_equal(standing(rig, "push"), "over 4: 1 ana 3/1 2 bob 0/0 2 cid 0/0 2 eve 0/0");
    calls(rig, at(14, 0, 0), at(6, 15, 0), "ana", 1);           /* later than that: it counts for the windows alone */
    tell(rig, at(14, 0, 1), at(6, 16, 0), "lost", "ana", 1);
    assert_string_equal(standing(rig, "push"), "over final 4: 1 ana 3/1 2 bob 0/0 2 cid 0/0 2 eve 0/0");
    assert_string_equal(standing(rig, "deals"), "over final 4: 1 ana 1 2 bob 0 2 cid 0 2 eve 0");
    before = all_standings(rig);
    rig = rig_restart(rig, yaml_of(roster, kpis, contests));
    at_ms(rig, at(14, 0, 0) + 300 * KP_DAY_MS);
    rig = rig_restart(rig, yaml_of(roster, kpis, contests));
    after = all_standings(rig);
    assert_string_equal(before, after);
    free(before);
    free(after);
    rig_free(rig);
}

/* ---- Reloads ---- */

static void a_contest_that_is_added_later_counts_what_panes_know(void **state)
{
    struct rig *rig = rig_new(yaml_of(roster, kpis, nothing));
    struct told events[EVENTS];
    uint64_t seed = 11;

    (void)state;
    make_events(events, &seed);
    for (int i = 0; i < EVENTS; i++)
        if (events[i].when < at(4, 12, 0))
            tell(rig, at(4, 12, 0), events[i].when, events[i].type, events[i].rep, events[i].number);
    rig = rig_restart(rig, yaml_of(roster, kpis, contests));
    for (int i = 0; i < EVENTS; i++)
        if (events[i].when >= at(4, 12, 0))
            tell(rig, at(8, 12, 0), events[i].when, events[i].type, events[i].rep, events[i].number);
    check_push(rig, events);        /* 60d keeps the edge of each day */
    rig_free(rig);
}

static void a_contest_that_is_over_may_be_added_and_no_window_loses_by_it(void **state)
{
    static const char week[] = "kpis: {calls: {aggregate: count, where: {type: call}, windows: [day, 30d, month]}}\n";
    static const char whole[] = "contests: {push: {kpi: calls, from: 2026-11-03, to: 2026-11-04, among: rep}}\n";
    static const char part[] = "contests: {push: {kpi: calls, from: 2026-11-03, to: 2026-11-04T12:00, among: rep}}\n";
    struct rig *rig = rig_new(yaml_of(roster, week, nothing));

    (void)state;
    for (int day = 2; day <= 6; day++)
        calls(rig, at(6, 12, 0), at(day, 11, 0), "ana", day);
    rig = rig_restart(rig, yaml_of(roster, week, whole));
    assert_string_equal(standing(rig, "push"), "over 4: 1 ana 7 2 bob 0 2 cid 0 2 eve 0");
    assert_true(rig_value(rig, "rep", "ana", "calls", "month") == 20);
    rig = rig_restart(rig, yaml_of(roster, week, nothing));
    /* Of the day that it ends in the panes can't tell which half it was: it is left out here, and nowhere else. */
    rig = rig_restart(rig, yaml_of(roster, week, part));
    assert_string_equal(standing(rig, "push"), "over 4: 1 ana 3 2 bob 0 2 cid 0 2 eve 0");
    assert_true(rig_value(rig, "rep", "ana", "calls", "month") == 20);
    assert_true(rig_value(rig, "rep", "ana", "calls", "30d") == 20);
    rig_free(rig);
}

static void a_window_that_is_new_does_not_take_its_panes_from_a_contest(void **state)
{
    static const char day[] = "kpis: {calls: {aggregate: count, where: {type: call}, windows: [day]}}\n";
    static const char week[] = "kpis: {calls: {aggregate: count, where: {type: call}, windows: [week]}}\n";
    static const char push[] = "contests: {push: {kpi: calls, from: 2026-11-03, to: 2026-11-14, among: rep}}\n";
    struct rig *rig = rig_new(yaml_of(roster, day, push));

    (void)state;
    calls(rig, at(3, 12, 0), at(3, 11, 0), "ana", 4);
    calls(rig, at(4, 12, 0), at(4, 11, 0), "ana", 2);
    rig = rig_restart(rig, yaml_of(roster, week, push));
    assert_true(rig_value(rig, "rep", "ana", "calls", "week") == 2);
    assert_non_null(strstr(standing(rig, "push"), "1 ana 6"));
    rig_free(rig);
}

static void one_that_is_made_longer_or_shorter_while_it_runs_keeps_what_it_has(void **state)
{
    static const char day[] = "kpis: {calls: {aggregate: count, where: {type: call}, windows: [day]}}\n";
    static const char until14[] = "contests: {push: {kpi: calls, from: 2026-11-02, to: 2026-11-14, among: rep}}\n";
    static const char until20[] = "contests: {push: {kpi: calls, from: 2026-11-02, to: 2026-11-20, among: rep}}\n";
    struct rig *rig = rig_new(yaml_of(roster, day, until14));

    (void)state;
    calls(rig, at(3, 12, 0), at(3, 11, 0), "ana", 4);
    rig = rig_restart(rig, yaml_of(roster, day, until20));
    calls(rig, at(16, 12, 0), at(15, 11, 0), "ana", 2);
    assert_non_null(strstr(standing(rig, "push"), "running 4: 1 ana 6"));
    rig_free(rig);
}

/* What reload.c does with kept events. */
static struct rig *refilled(struct rig *rig, const char *yaml, struct rig *told)
{
    struct image image = {NULL, 0, 0, 0};
    struct kp_err err = {0};

    rig = rig_restart(rig, yaml);
    assert_true(kp_engine_has_new(rig->engine));
    assert_true(kp_engine_save_numbers(told->engine, image_write, &image));
    if (kp_engine_load_numbers(rig->engine, image_read, &image, &err))
        fail_msg("%s", err.text);
    free(image.bytes);
    rig_free(told);
    return rig;
}

static void kept_events_fill_one_that_panes_do_not_know_whole(void **state)
{
    static const char kept[] = "storage: {path: unused, keep_events: 30d}\n"
                               "kpis:\n"
                               "  calls: {aggregate: count, where: {type: call}, windows: [month]}\n"
                               "  clients: {aggregate: distinct, of: client, where: {type: call}, windows: [month]}\n"
                               "  once: {aggregate: count, where: {type: won}, once: {per: deal}, windows: [month]}\n";
    static const char push[] = "contests:\n"
                               "  push: {kpi: calls, from: 2026-11-03, to: 2026-11-14, among: rep}\n"
                               "  reach: {kpi: clients, from: 2026-11-03, to: 2026-11-14, among: rep}\n"
                               "  deals: {kpi: once, from: 2026-11-03, to: 2026-11-14, among: rep}\n";
    struct rig *rig = rig_new(yaml_of(roster, kept, nothing)), *told = rig_new(yaml_of(roster, kept, push));
    struct told events[EVENTS];
    uint64_t seed = 3;
    char *want;

    (void)state;
    make_events(events, &seed);
    for (int i = 0; i < EVENTS; i++) {
        tell(rig, at(8, 12, 0), events[i].when, events[i].type, events[i].rep, events[i].number);
        tell(told, at(8, 12, 0), events[i].when, events[i].type, events[i].rep, events[i].number);
    }
    want = calloc(3, SAID_MAX);
    assert_non_null(want);
    sprintf(want, "%s\n%s\n%s\n", standing(told, "push"), standing(told, "reach"), standing(told, "deals"));
    rig = refilled(rig, yaml_of(roster, kept, push), told);
    {
        char *got = calloc(3, SAID_MAX);

        assert_non_null(got);
        sprintf(got, "%s\n%s\n%s\n", standing(rig, "push"), standing(rig, "reach"), standing(rig, "deals"));
        assert_string_equal(got, want);
        free(got);
    }
    free(want);
    rig_free(rig);
}

/* Events are kept for less than it lasts, and panes reach back further, but for the half day that it began in. */
static void panes_stay_where_kept_events_tell_of_less(void **state)
{
    static const char kept[] = "storage: {path: unused, keep_events: 2d}\n"
                               "kpis: {calls: {aggregate: count, where: {type: call}, windows: [day, 30d]}}\n";
    static const char push[] = "contests: {push: {kpi: calls, from: 2026-11-02T12:00, to: 2026-11-14, among: rep}}\n";
    struct rig *rig = rig_new(yaml_of(roster, kept, nothing)), *told = rig_new(yaml_of(roster, kept, push));

    (void)state;
    for (int day = 2; day <= 8; day++) {
        calls(rig, at(8, 12, 0), at(day, 11, 0), "ana", 1);
        if (day >= 7)
            calls(told, at(8, 12, 0), at(day, 11, 0), "ana", 1);
    }
    rig = refilled(rig, yaml_of(roster, kept, push), told);
    assert_non_null(strstr(standing(rig, "push"), "1 ana 6"));      /* not of the 2nd, of which nobody knows which half it was */
    rig_free(rig);
}

/* ---- Moves, absences ---- */

static void what_was_credited_to_a_team_stays_with_it(void **state)
{
    struct rig *rig = fresh();

    (void)state;
    calls(rig, at(2, 12, 0), at(2, 11, 0), "ana", 4);
    calls(rig, at(2, 12, 0), at(2, 11, 0), "cid", 1);
    rig = rig_restart(rig, yaml_of(roster_moved, kpis, contests));
    calls(rig, at(3, 12, 0), at(3, 11, 0), "ana", 2);
    assert_string_equal(standing(rig, "race"), "running 2: 1 one 4 2 two 3");
    assert_string_equal(standing(rig, "push"), "running 4: 1 ana 6/0 2 cid 1/0 3 bob 0/0 3 eve 0/0");
    rig_free(rig);
}

static void who_was_away_is_judged_by_the_time_that_they_had(void **state)
{
    struct rig *rig = fresh();

    (void)state;
    calls(rig, at(2, 8, 0), at(2, 7, 0), "ana", 1);
    /* nobody had any working time yet: numbers as they are */
    assert_string_equal(standing(rig, "fair"), "running 4: 1 ana 1 2 bob 0 2 cid 0 2 eve 0");
    calls(rig, at(4, 17, 0), at(4, 11, 0), "ana", 8);
    assert_string_equal(standing(rig, "fair"), "running 3: 1 ana 9 2 cid 0 2 eve 0 0 bob");      /* bob has had none */
    /* one call in the first hour of four days is as good as four, not as good as the hours would say */
    calls(rig, at(5, 10, 0), at(5, 9, 30), "bob", 1);
    assert_string_equal(standing(rig, "fair"), "running 4: 1 ana 9 2 bob 4 3 cid 0 3 eve 0");
    calls(rig, at(5, 17, 0), at(5, 11, 0), "bob", 2);
    /* three days of four away: 3 calls in a day are as good as 12 */
    assert_string_equal(standing(rig, "fair"), "running 4: 1 bob 12 2 ana 9 3 cid 0 3 eve 0");
    /* of two times 32 hours ana and bob worked 32 and 8; dan has left before, so nothing is missed of him */
    calls(rig, at(5, 17, 0), at(5, 11, 0), "cid", 10);
    assert_string_equal(standing(rig, "fair_teams"), "running 2: 1 one 19.2 2 two 10");
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_kpi_ranks_reps_and_a_tie_is_broken),
        cmocka_unit_test(the_lower_leads_where_less_is_better_and_who_has_no_number_has_no_rank),
        cmocka_unit_test(somebody_whom_the_roster_does_not_know_takes_part_once_there_is_something),
        cmocka_unit_test(who_is_forgotten_stands_nowhere),
        cmocka_unit_test(any_order_comes_to_the_same_and_to_what_a_sum_says),
        cmocka_unit_test(what_comes_within_a_week_of_the_end_counts_and_then_it_is_final),
        cmocka_unit_test(a_contest_that_is_added_later_counts_what_panes_know),
        cmocka_unit_test(a_contest_that_is_over_may_be_added_and_no_window_loses_by_it),
        cmocka_unit_test(a_window_that_is_new_does_not_take_its_panes_from_a_contest),
        cmocka_unit_test(one_that_is_made_longer_or_shorter_while_it_runs_keeps_what_it_has),
        cmocka_unit_test(kept_events_fill_one_that_panes_do_not_know_whole),
        cmocka_unit_test(panes_stay_where_kept_events_tell_of_less),
        cmocka_unit_test(what_was_credited_to_a_team_stays_with_it),
        cmocka_unit_test(who_was_away_is_judged_by_the_time_that_they_had),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
