/* An engine as bytes, and back: a restart changes nothing, other windows count no more than happened, and damage is refused or
 * harmless. */
#include "checkpoint_rig.h"

#include "kpid/contest.h"

/* Random floors: a sanitizer, under which each takes a second, sees the same code in some of them. */
#ifdef __SANITIZE_ADDRESS__
enum { FLOORS = 4 };
#else
enum { FLOORS = 12 };
#endif

/* ---- All that an engine says, as lines in order ---- */

struct lines {
    char **list;
    size_t n;
};

static void say(struct lines *lines, const char *text)
{
    if ((lines->n & (lines->n - 1)) == 0)
        lines->list = realloc(lines->list, (lines->n ? lines->n * 2 : 1) * sizeof(*lines->list));
    lines->list[lines->n++] = strdup(text);
}

static void forget(struct lines *lines)
{
    for (size_t i = 0; i < lines->n; i++)
        free(lines->list[i]);
    free(lines->list);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void say_key(struct lines *lines, struct rig *rig, uint32_t node)
{
    const struct kp_cell_view *cells;
    struct kp_explanation *why = malloc(sizeof *why);
    char topic[512], text[4096];
    size_t n;

    assert_non_null(why);
    kp_engine_topic(rig->engine, "key", node, topic, sizeof topic);
    say(lines, topic);
    n = kp_engine_read(rig->engine, node, 0, &cells);
    for (size_t i = 0; i < n; i++) {
        const struct kp_cell_view *c = &cells[i];

        snprintf(text, sizeof text, "%s %s %s: %d %a of %lld, target %a %a, rank %u of %u, %d", topic, c->kpi->name,
                 c->window->text, c->number.has, c->number.has ? c->number.value : 0, (long long)c->number.n, c->target,
                 c->expected, c->rank, c->of,
                 c->status);
        say(lines, text);
    }
    for (size_t k = 0; k < rig->config.nkpis; k++)
        for (size_t w = 0; w < rig->config.kpis[k].nwindows; w++) {
            const char *window = rig->config.kpis[k].windows[w].text;
            size_t at;

            if (kp_engine_explain(rig->engine, node, (int)k, (struct kp_str){window, (uint32_t)strlen(window)}, why, NULL))
                continue;
            at = (size_t)snprintf(text, sizeof text, "%s %s %s: %lld to %lld:", topic, rig->config.kpis[k].name, window,
                                  (long long)why->from_ms, (long long)why->to_ms);
            for (size_t i = 0; i < why->nevents && at < sizeof text; i++)
                at += (size_t)snprintf(text + at, sizeof text - at, " %.*s@%lld", (int)why->events[i].id.len, why->events[i].id.s,
                                       (long long)why->events[i].time_ms);
            say(lines, text);
        }
    free(why);
}

static void say_contest(struct lines *lines, struct rig *rig, size_t i)
{
    struct kp_contest_standing now;
    char text[1024], topic[512];

    assert_true(kp_engine_standing(rig->engine, i, &now));
    for (size_t p = 0; p < now.n; p++) {
        kp_engine_topic(rig->engine, "key", now.places[p].node, topic, sizeof topic);
        snprintf(text, sizeof text, "contest %s %d %d: %u of %u: %s %a %a", now.cfg->name, (int)now.state, now.is_final, now.places[p].rank,
                 now.of, topic, now.places[p].value, now.places[p].tie);
        say(lines, text);
    }
}

static struct lines all_of(struct rig *rig)
{
    struct lines lines = {0};
    char text[256];

    for (uint32_t node = 0; node < kp_engine_nodes(rig->engine); node++)
        if (kp_engine_visible(rig->engine, node))
            say_key(&lines, rig, node);
    for (size_t i = 0; i < rig->config.nsources; i++) {
        struct kp_source_view v;

        kp_engine_source(rig->engine, i, &v);
        snprintf(text, sizeof text, "source %s: %lld %lld %d", v.cfg->name, (long long)v.heard_ms, (long long)v.covered_ms,
                 v.silent);
        say(&lines, text);
    }
    for (size_t i = 0; i < kp_engine_contests(rig->engine); i++)
        say_contest(&lines, rig, i);
    qsort(lines.list, lines.n, sizeof(*lines.list), by_text);
    return lines;
}

static void assert_same(struct rig *a, struct rig *b)
{
    struct lines x = all_of(a), y = all_of(b);

    assert_int_equal(kp_engine_now(a->engine), kp_engine_now(b->engine));
    for (size_t i = 0; i < x.n && i < y.n; i++)
        assert_string_equal(x.list[i], y.list[i]);
    assert_int_equal(x.n, y.n);
    forget(&x);
    forget(&y);
}

/* ---- Random floors ---- */

static const char *const windows[] = {"15m", "1h", "1m/1s", "24h", "7d/1h", "30d", "8wh", "day", "day-1", "day-3", "week", "week-1",
                                      "month", "month-1", "quarter"};
static const char *const kpis[] = {
    "out: {aggregate: count, where: {type: call, direction: outbound}",
    "sales: {aggregate: sum, of: amount, where: {type: won}",
    "talk: {aggregate: mean, of: duration, where: {type: call}",
    "spread: {aggregate: stddev, of: duration, where: {type: [call, mail]}",
    "least: {aggregate: min, of: amount",
    "most: {aggregate: max, of: amount",
    "last: {aggregate: last, of: amount, where: {type: won}",
    "p90: {aggregate: p90, of: duration, where: {type: call}",
    "median: {aggregate: median, of: amount",
    "who: {aggregate: distinct, of: client",
    "clients: {aggregate: count, where: {source: pbx}",
    "bought: {aggregate: sum, of: amount, by: [client]",
    "spoken: {aggregate: distinct, of: rep, by: [client, type]",
    "waits: {aggregate: p99, of: duration, by: [client]",
};

struct text {
    char at[8192];
    size_t n;
};

static void add(struct text *text, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    text->n += (size_t)vsnprintf(text->at + text->n, sizeof text->at - text->n, fmt, args);
    va_end(args);
    assert_true(text->n < sizeof text->at);
}

static void add_windows(struct text *text, uint64_t *seed)
{
    uint64_t n = 1 + unit_below(seed, 4), first = unit_below(seed, COUNT_OF(windows)), step = 1 + unit_below(seed, 3);

    add(text, "windows: [");
    for (uint64_t i = 0; i < n; i++)
        add(text, "%s%s", i ? ", " : "", windows[(first + i * step) % COUNT_OF(windows)]);
    add(text, "]}\n");
}

/* In the first half of the year; their seed is their own. */
static void add_contest(struct text *text, uint64_t *seed, const char *name, const char *what)
{
    int64_t from = (int64_t)unit_below(seed, 130 * 24), to = from + 1 + (int64_t)unit_below(seed, 50 * 24), day, hour;

    add(text, "  %s: {%s", name, what);
    for (int end = 0; end < 2; end++) {
        int year, month, mday;

        day = (end ? to : from) / 24;
        hour = unit_below(seed, 2) ? (end ? to : from) % 24 : 0;
        kp_civil_of_day(kp_civil_to_day(2026, 1, 1) + day + (end && !hour), &year, &month, &mday);
        add(text, ", %s: \"2026-%02d-%02dT%02d:00\"", end ? "to" : "from", month, mday, end && !hour ? 23 : (int)hour);
    }
    add(text, "}\n");
}

static void add_contests(struct text *text, uint64_t seed)
{
    add(text, "contests:\n");
    add_contest(text, &seed, "c0", "kpi: calls, among: rep, tie: won");
    add_contest(text, &seed, "c1", "kpis: {calls: 1, won: 5}, among: team");
    add_contest(text, &seed, "c2", "kpi: rate, among: region");
    for (size_t i = 0; i < COUNT_OF(kpis); i++) {
        char name[32], what[100];
        size_t len = strcspn(kpis[i], ":");

        snprintf(name, sizeof name, "\n  %.*s:", (int)len, kpis[i]);
        if (strstr(kpis[i], " by:") || !strstr(text->at, name))
            continue;
        snprintf(what, sizeof what, "kpi: %.*s, among: rep", (int)len, kpis[i]);
        snprintf(name, sizeof name, "d%zu", i);
        add_contest(text, &seed, name, what);
    }
}

/* Its people are drawn by one seed, what is asked of them by another. */
static void make_floor(struct text *text, uint64_t people, uint64_t *seed)
{
    text->n = 0;
    add(text, "limits: {recent: 256}\ndedup: {window: 5h}\ntime: {clock: %s, zone: %s}\n",
        unit_below(&people, 2) ? "event" : "wall", unit_below(&people, 2) ? "Europe/London" : "UTC");
    add(text, "calendars: {ny: {zone: America/New_York, hours: {mon-fri: \"09:00-17:00\"}},\n"
              "  k: {zone: Asia/Kolkata, hours: {mon-sat: \"10:00-18:00\"}}}\n");
    add(text, "roster:\n  levels: [region, team, rep]\n  members:\n");
    for (int i = 0; i < 6; i++)
        add(text, "    - {rep: r%d, team: t%d, region: g%d, aliases: [\"x%d\"]%s}\n", i, i / 2, i / 4, i,
            unit_below(&people, 3) == 0 ? ", calendar: ny" : unit_below(&people, 3) == 0 ? ", calendar: k" : "");
    add(text, "currencies: {base: GBP, rates: {USD: 0.79}}\n"
              "sources: {pbx: {heartbeat: 3h}, crm: {heartbeat: 10m}, mute: {heartbeat: 30d}}\nkpis:\n");
    add(text, "  calls: {aggregate: count, where: {type: call}, ");
    add_windows(text, seed);
    for (size_t i = 0; i < COUNT_OF(kpis); i++)
        if (unit_below(seed, 2)) {
            add(text, "  %s, ", kpis[i]);
            add_windows(text, seed);
        }
    add(text, "  won: {aggregate: count, where: {type: won}, windows: [day, week]}\n  rate: {formula: won / calls, ");
    add_windows(text, seed);
    add(text, "targets: [{kpi: won, per: day, value: 5}, {kpi: won, per: week, value: 20}]\n");
    add_contests(text, *seed);
}

/* One event at about `at_ms`, some late, some too late, some in the future; some of them again. */
static void make_event(struct text *text, uint64_t *seed, int64_t at_ms, uint64_t i, bool again)
{
    static const char *const types[] = {"call", "call", "mail", "won", "other", "kpid.heartbeat"};
    static const char *const sources[] = {"pbx", "crm", "other"};
    int64_t back = unit_below(seed, 4) ? 0 : (int64_t)unit_below(seed, unit_below(seed, 2) ? 3 * 3600000 : 40 * KP_DAY_MS);
    uint64_t other = unit_below(seed, i + 1);

    text->n = 0;
    add(text, "{\"type\":\"%s\",\"source\":\"%s\",\"time\":%lld", types[unit_below(seed, COUNT_OF(types))],
        sources[unit_below(seed, COUNT_OF(sources))], (long long)(at_ms - back + (int64_t)unit_below(seed, 120000)));
    if (unit_below(seed, 8))
        add(text, ",\"id\":\"%s%llu\"", unit_below(seed, 9) ? "e" : "an-id-that-is-longer-than-a-slot-has-room-for-by-far-",
            (unsigned long long)(unit_below(seed, 10) || !again ? i : other));
    switch (unit_below(seed, 8)) {
    case 0:
        add(text, ",\"team\":\"t%d\"", (int)unit_below(seed, 5));
        break;
    case 1:
        add(text, ",\"rep\":\"new%d\"", (int)unit_below(seed, 5));
        break;
    case 2:
        add(text, ",\"rep\":\"x%d\"", (int)unit_below(seed, 6));
        break;
    default:
        add(text, ",\"rep\":\"r%d\"", (int)unit_below(seed, 6));
    }
    if (unit_below(seed, 3) == 0)
        add(text, ",\"covered_until\":%lld", (long long)at_ms - 3600000);
    add(text, ",\"client\":%d,\"amount\":%.2f,\"currency\":\"%s\",\"duration\":%d,\"direction\":\"%s\"}",
        (int)unit_below(seed, unit_below(seed, 3) ? 3000 : 5), unit_share(seed) * 1000, unit_below(seed, 3) ? "GBP" : "USD",
        (int)unit_below(seed, 5000), unit_below(seed, 2) ? "outbound" : "inbound");
}

struct story {
    struct text floor, event;
    uint64_t seed;
    int64_t now_ms;
    uint64_t n;
    bool again;             /* some ids come twice */
};

static void begin(struct story *story, uint64_t seed)
{
    story->seed = seed;
    story->again = true;
    make_floor(&story->floor, seed, &story->seed);
    story->now_ms = INT64_C(1767225600000) + (int64_t)unit_below(&story->seed, 90) * KP_DAY_MS;
    story->n = 0;
}

/* The next event, and sometimes time passes. */
static void go_on(struct story *story)
{
    story->now_ms += (int64_t)unit_below(&story->seed, unit_below(&story->seed, 20) ? 10 * 60000 : 2 * KP_DAY_MS);
    make_event(&story->event, &story->seed, story->now_ms, story->n++, story->again);
}

/* Keys that have nothing any more are forgotten, and others get their numbers. */
static void sweep(struct rig *rig)
{
    for (uint32_t node = 0; node < kp_engine_nodes(rig->engine); node++) {
        if (kp_engine_changed(rig->engine, node))
            kp_engine_seen(rig->engine, node);
        kp_engine_sweep(rig->engine, node);
    }
}

static void settle(struct rig *a, struct rig *b, int64_t now_ms)
{
    while (kp_engine_settle(a->engine, now_ms, SIZE_MAX))
        ;
    while (kp_engine_settle(b->engine, now_ms, SIZE_MAX))
        ;
}

/* ---- A restart changes nothing ---- */

static void a_restart_changes_nothing(void **state)
{
    struct story *story = malloc(sizeof *story);

    (void)state;
    assert_non_null(story);
    for (uint64_t seed = 1; seed <= FLOORS; seed++) {
        struct rig *a, *b;
        uint64_t before, after;

        begin(story, seed);
        a = rig_new(story->floor.at);
        before = unit_below(&story->seed, 600);
        after = unit_below(&story->seed, 300);
        for (uint64_t i = 0; i < before; i++) {
            go_on(story);
            rig_event_at(a, story->now_ms, story->event.at);
            if (i % 100 == 0)
                sweep(a);
        }
        struct bytes bytes = saved(a), again;
        struct kp_load_report report;

        bytes.part = 1 + unit_below(&story->seed, 5000);
        b = loaded(story->floor.at, &bytes, &report);
        assert_int_equal(report.kpis_kept, a->config.nkpis);
        assert_int_equal(report.kpis_new + report.kpis_gone + report.keys_refused, 0);
        assert_same(a, b);
        again = saved(b);
        assert_int_equal(again.n, bytes.n);
        free(again.at);
        free(bytes.at);
        for (uint64_t i = 0; i < after; i++) {
            enum kp_reason reason;

            go_on(story);
            reason = rig_event_at(a, story->now_ms, story->event.at);
            assert_int_equal(rig_event_at(b, story->now_ms, story->event.at), reason);
            if (i % 50 == 0)
                assert_same(a, b);
            if (i % 100 == 99) {
                sweep(a);
                sweep(b);
            }
        }
        assert_same(a, b);
        for (int i = 1; i < 40; i += i) {
            story->now_ms += i * KP_DAY_MS / 3;
            settle(a, b, story->now_ms);
            assert_same(a, b);
        }
        rig_free(a);
        rig_free(b);
    }
    free(story);
}

/* Of so many values that sketches change their form. */
static void large_sketches_stay_what_they_are(void **state)
{
    const char *yaml = "time: {clock: event}\nroster: {members: [{rep: ana, team: one, region: g}]}\nwindows: [day]\nkpis:\n"
                       "  who: {aggregate: distinct, of: client}\n  p10: {aggregate: p10, of: amount}\n"
                       "  p99: {aggregate: p99, of: amount}\n";
    uint64_t seed = 1;

    (void)state;
    for (int n = 1; n < 5000; n *= 3) {
        struct rig *a = rig_new(yaml), *b = NULL;
        struct bytes bytes;

        for (int i = 0; i < 2 * n; i++) {
            char json[200];

            if (i == n) {
                bytes = saved(a);
                b = loaded(yaml, &bytes, NULL);
                assert_same(a, b);
                free(bytes.at);
            }
            snprintf(json, sizeof json, "{\"type\":\"call\",\"rep\":\"ana\",\"client\":%d,\"amount\":%g,\"time\":1000}", i,
                     (unit_share(&seed) - 0.3) * (double)(UINT64_C(1) << unit_below(&seed, 30)));
            rig_event_at(a, 0, json);
            if (i >= n)
                rig_event_at(b, 0, json);
        }
        assert_same(a, b);
        rig_free(a);
        rig_free(b);
    }
}

static void before_there_is_any_time_there_is_little_to_keep(void **state)
{
    const char *yaml = "time: {clock: event}\nroster: {members: [{rep: ana, team: one, region: g}]}\n"
                       "kpis: {calls: {aggregate: count}}\n";
    struct rig *rig = moved(rig_new(yaml), yaml, NULL);

    (void)state;
    assert_int_equal(kp_engine_now(rig->engine), INT64_MIN);
    assert_int_equal(rig_call(rig, 1000, "ana"), KP_ACCEPTED);
    assert_true(rig_value(rig, "rep", "ana", "calls", "day") == 1);
    rig_free(rig);
}

/* ---- Other windows: less may be counted than happened, and never more ---- */

static bool only_adds_up(const struct kp_kpi_cfg *kpi)
{
    return kpi->agg == KP_AGG_COUNT || kpi->agg == KP_AGG_SUM;
}

static double value_of(struct rig *rig, uint32_t node, const char *kpi, const char *window)
{
    const struct kp_cell_view *cells;
    size_t n = kp_engine_read(rig->engine, node, 0, &cells);

    for (size_t i = 0; i < n; i++)
        if (strcmp(cells[i].kpi->name, kpi) == 0 && strcmp(cells[i].window->text, window) == 0)
            return cells[i].number.value;
    return 0;
}

/* The same key in the other one; KP_NO_KEY: it is not there. */
static uint32_t twin(struct rig *rig, uint32_t node, struct rig *other)
{
    char mine[512], its[512];

    kp_engine_topic(rig->engine, "key", node, mine, sizeof mine);
    for (uint32_t at = 0; at < kp_engine_nodes(other->engine); at++) {
        if (!kp_engine_visible(other->engine, at))
            continue;
        kp_engine_topic(other->engine, "key", at, its, sizeof its);
        if (strcmp(mine, its) == 0)
            return at;
    }
    return KP_NO_KEY;
}

static size_t assert_no_more(struct rig *rig, struct rig *truth)
{
    size_t kept = 0;

    for (uint32_t node = 0; node < kp_engine_nodes(rig->engine); node++) {
        const struct kp_cell_view *cells;
        struct kp_cell_view copy[200];
        uint32_t other;
        size_t n;

        if (!kp_engine_visible(rig->engine, node))
            continue;
        other = twin(rig, node, truth);
        n = kp_engine_read(rig->engine, node, 0, &cells);
        assert_true(n <= COUNT_OF(copy));
        memcpy(copy, cells, n * sizeof *copy);
        for (size_t i = 0; i < n; i++) {
            double most = other == KP_NO_KEY ? 0 : value_of(truth, other, copy[i].kpi->name, copy[i].window->text);

            if (!only_adds_up(copy[i].kpi))
                continue;
            if (copy[i].number.value > most)
                fail_msg("node %u %s %s: %g, and %g happened", node, copy[i].kpi->name, copy[i].window->text,
                         copy[i].number.value, most);
            kept += copy[i].number.value > 0;
        }
    }
    return kept;
}

/* Of those that were not final when they were added: else what came too late for them is in their panes. */
static size_t assert_no_more_in_contests(struct rig *rig, struct rig *truth, const bool *was_final)
{
    size_t kept = 0;

    for (size_t i = 0; i < 2; i++) {
        struct kp_contest_standing mine, its;

        assert_true(kp_engine_standing(rig->engine, i, &mine) && kp_engine_standing(truth->engine, i, &its));
        for (size_t p = 0; p < mine.n && !was_final[i]; p++) {
            uint32_t other = twin(rig, mine.places[p].node, truth);
            double most = 0;

            for (size_t q = 0; q < its.n; q++)
                if (its.places[q].node == other)
                    most = its.places[q].value;
            if (mine.places[p].value > most && other != KP_NO_KEY)
                fail_msg("contest %zu: %g, and %g happened", i, mine.places[p].value, most);
            kept += mine.places[p].value > 0;
        }
    }
    return kept;
}

static void find_final(struct rig *rig, bool *was_final)
{
    for (size_t i = 0; i < 2; i++) {
        struct kp_contest_standing now;

        assert_true(kp_engine_standing(rig->engine, i, &now));
        was_final[i] = now.is_final;
    }
}

static void other_windows_never_count_what_is_not_theirs(void **state)
{
    struct story *story = malloc(sizeof *story);
    struct text *other = malloc(sizeof *other);
    size_t kept = 0, led = 0;
    bool was_final[2];

    (void)state;
    assert_non_null(story);
    assert_non_null(other);
    for (uint64_t seed = 50; seed < 50 + FLOORS; seed++) {
        uint64_t windows_seed = seed * 1000;
        struct rig *rig, *truth;

        begin(story, seed);
        story->again = false;
        make_floor(other, seed, &windows_seed);
        rig = rig_new(story->floor.at);
        truth = rig_new(other->at);
        for (int i = 0; i < 300; i++) {
            go_on(story);
            rig_event_at(rig, story->now_ms, story->event.at);
            rig_event_at(truth, story->now_ms, story->event.at);
        }
        rig = moved(rig, other->at, NULL);
        find_final(rig, was_final);
        kept += assert_no_more(rig, truth);
        led += assert_no_more_in_contests(rig, truth, was_final);
        for (int i = 1; i < 60; i += i) {
            story->now_ms += i * KP_DAY_MS / 3;
            settle(rig, truth, story->now_ms);
            kept += assert_no_more(rig, truth);
            led += assert_no_more_in_contests(rig, truth, was_final);
        }
        rig_free(rig);
        rig_free(truth);
    }
    assert_true(kept > 1000 && led > 100);
    free(story);
    free(other);
}

/* ---- Damage ---- */

/* Load it, whatever it is, and look at all of it when that went well. */
static bool try(const char *yaml, const unsigned char *at, size_t n)
{
    struct rig *rig = rig_new(yaml);
    struct bytes bytes = {.at = (unsigned char *)(uintptr_t)at, .n = n};
    struct kp_load_report report;
    struct kp_err err = {0};
    enum kp_code code = kp_engine_load(rig->engine, get_bytes, &bytes, &report, &err);

    if (code == KP_OK) {
        struct lines lines = all_of(rig);

        forget(&lines);
        if (kp_engine_now(rig->engine) < KP_TIME_MAX / 2)
            rig_call(rig, kp_engine_now(rig->engine) / 1000 + 1, "r1");
    } else {
        assert_true(err.text[0]);
    }
    rig_free(rig);
    return code == KP_OK;
}

static void damage_is_refused_or_harmless(void **state)
{
    struct story *story = malloc(sizeof *story);
    struct rig *rig;
    struct bytes bytes;

    (void)state;
    assert_non_null(story);
    for (uint64_t seed = 100; seed < 102; seed++) {
        begin(story, seed);
        rig = rig_new(story->floor.at);
        for (int i = 0; i < 60; i++) {
            go_on(story);
            rig_event_at(rig, story->now_ms, story->event.at);
        }
        bytes = saved(rig);
        for (size_t i = 0; i < 30; i++)
            assert_false(try(story->floor.at, bytes.at, i < 10 ? bytes.n - 1 - i : unit_below(&story->seed, bytes.n)));
        for (size_t i = 0; i < 100; i++) {
            size_t at = unit_below(&story->seed, bytes.n);
            unsigned char was = bytes.at[at];

            bytes.at[at] = (unsigned char)(unit_below(&story->seed, 2) ? 0xFF : was ^ 1u << unit_below(&story->seed, 8));
            try(story->floor.at, bytes.at, bytes.n);
            bytes.at[at] = was;
        }
        assert_true(try(story->floor.at, bytes.at, bytes.n));
        free(bytes.at);
        rig_free(rig);
    }
    free(story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restart_changes_nothing),
        cmocka_unit_test(large_sketches_stay_what_they_are),
        cmocka_unit_test(before_there_is_any_time_there_is_little_to_keep),
        cmocka_unit_test(other_windows_never_count_what_is_not_theirs),
        cmocka_unit_test(damage_is_refused_or_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
