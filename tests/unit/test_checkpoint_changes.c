/* An engine as bytes, and back: a restart changes nothing, a changed configuration keeps what still means the same, and
 * damage is refused or harmless. */
#include "rig.h"

#include "kpid/checkpoint.h"

/* ---- Bytes ---- */

struct bytes {
    unsigned char *at;      /* owned */
    size_t n, room, read, part;     /* part: so many are read at once; 0: as many as are wanted */
};

static bool put(void *ctx, const void *from, size_t len)
{
    struct bytes *bytes = ctx;

    if (bytes->n + len > bytes->room) {
        bytes->room = (bytes->n + len) * 2;
        bytes->at = realloc(bytes->at, bytes->room);
        assert_non_null(bytes->at);
    }
    memcpy(bytes->at + bytes->n, from, len);
    bytes->n += len;
    return true;
}

static size_t get(void *ctx, void *to, size_t most)
{
    struct bytes *bytes = ctx;
    size_t n = bytes->n - bytes->read;

    n = n < most ? n : most;
    n = bytes->part && n > bytes->part ? bytes->part : n;
    if (n)
        memcpy(to, bytes->at + bytes->read, n);
    bytes->read += n;
    return n;
}

static struct bytes saved(const struct rig *rig)
{
    struct bytes bytes = {0};

    assert_true(kp_engine_save(rig->engine, put, &bytes));
    return bytes;
}

static struct rig *loaded(const char *yaml, struct bytes *bytes, struct kp_load_report *report)
{
    struct rig *rig = rig_new(yaml);
    struct kp_load_report unused;
    struct kp_err err = {0};

    bytes->read = 0;
    if (kp_engine_load(rig->engine, get, bytes, report ? report : &unused, &err))
        fail_msg("%s", err.text);
    assert_int_equal(bytes->read, bytes->n);
    return rig;
}

/* What becomes of it under another configuration. */
static struct rig *moved(struct rig *rig, const char *yaml, struct kp_load_report *report)
{
    struct bytes bytes = saved(rig);
    struct rig *next = loaded(yaml, &bytes, report);

    free(bytes.at);
    rig_free(rig);
    return next;
}

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

        snprintf(text, sizeof text, "%s %s %s: %d %a of %lld, target %a %a, rank %u of %u, %d", topic, c->kpi->name, c->window->text,
                 c->number.has, c->number.has ? c->number.value : 0, (long long)c->number.n, c->target, c->expected, c->rank, c->of,
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
        snprintf(text, sizeof text, "source %s: %lld %lld %d", v.cfg->name, (long long)v.heard_ms, (long long)v.covered_ms, v.silent);
        say(&lines, text);
    }
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

/* Its people are drawn by one seed, what is asked of them by another. */
static void make_floor(struct text *text, uint64_t people, uint64_t *seed)
{
    text->n = 0;
    add(text, "limits: {recent: 256}\ntime: {clock: %s, zone: %s}\n", unit_below(&people, 2) ? "event" : "wall",
        unit_below(&people, 2) ? "Europe/London" : "UTC");
    add(text, "calendars: {ny: {zone: America/New_York, hours: {mon-fri: \"09:00-17:00\"}}, k: {zone: Asia/Kolkata, hours: {mon-sat: "
              "\"10:00-18:00\"}}}\n");
    add(text, "roster:\n  levels: [region, team, rep]\n  members:\n");
    for (int i = 0; i < 6; i++)
        add(text, "    - {rep: r%d, team: t%d, region: g%d, aliases: [\"x%d\"]%s}\n", i, i / 2, i / 4, i,
            unit_below(&people, 3) == 0 ? ", calendar: ny" : unit_below(&people, 3) == 0 ? ", calendar: k" : "");
    add(text, "currencies: {base: GBP, rates: {USD: 0.79}}\nsources: {pbx: {heartbeat: 3h}, crm: {heartbeat: 10m}}\nkpis:\n");
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

/* ---- A restart changes nothing ---- */

static void a_restart_changes_nothing(void **state)
{
    struct story *story = malloc(sizeof *story);

    (void)state;
    assert_non_null(story);
    for (uint64_t seed = 1; seed <= 25; seed++) {
        struct rig *a, *b;
        uint64_t before, after;

        begin(story, seed);
        a = rig_new(story->floor.at);
        before = unit_below(&story->seed, 600);
        after = unit_below(&story->seed, 300);
        for (uint64_t i = 0; i < before; i++) {
            go_on(story);
            rig_event_at(a, story->now_ms, story->event.at);
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
        }
        assert_same(a, b);
        for (int i = 1; i < 40; i += i) {
            story->now_ms += i * KP_DAY_MS / 3;
            while (kp_engine_settle(a->engine, story->now_ms, SIZE_MAX) | kp_engine_settle(b->engine, story->now_ms, SIZE_MAX))
                ;
            assert_same(a, b);
        }
        rig_free(a);
        rig_free(b);
    }
    free(story);
}

static void before_there_is_any_time_there_is_little_to_keep(void **state)
{
    const char *yaml = "time: {clock: event}\nroster: {members: [{rep: ana, team: one, region: g}]}\nkpis: {calls: {aggregate: count}}\n";
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
                fail_msg("node %u %s %s: %g, and %g happened", node, copy[i].kpi->name, copy[i].window->text, copy[i].number.value, most);
            kept += copy[i].number.value > 0;
        }
    }
    return kept;
}

static void other_windows_never_count_what_is_not_theirs(void **state)
{
    struct story *story = malloc(sizeof *story);
    struct text *other = malloc(sizeof *other);
    size_t kept = 0;

    (void)state;
    assert_non_null(story);
    assert_non_null(other);
    for (uint64_t seed = 50; seed <= 70; seed++) {
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
        kept += assert_no_more(rig, truth);
        for (int i = 1; i < 60; i += i) {
            story->now_ms += i * KP_DAY_MS / 3;
            while (kp_engine_settle(rig->engine, story->now_ms, SIZE_MAX) | kp_engine_settle(truth->engine, story->now_ms, SIZE_MAX))
                ;
            kept += assert_no_more(rig, truth);
        }
        rig_free(rig);
        rig_free(truth);
    }
    assert_true(kept > 1000);
    free(story);
    free(other);
}

/* ---- Another configuration ---- */

#define HEAD                                                                                                           \
    "time: {clock: event}\n"                                                                                           \
    "roster: {levels: [team, rep], members: [{rep: ana, team: one}, {rep: bob, team: one}]}\n"
#define CALLS "calls: {aggregate: count, where: {type: call, ok: true}, windows: [day, week]}"
#define SALES "sales: {aggregate: sum, of: amount, where: {type: call}, windows: [day, week]}"

enum { NOON = 86400 * 7 + 43200 };      /* a Thursday */

/* Three calls of ana, two of bob: one of each a day before. */
static struct rig *five_calls(const char *yaml)
{
    struct rig *rig = rig_new(yaml);
    static const char *const reps[] = {"ana", "bob", "ana", "bob", "ana"};

    for (int i = 0; i < 5; i++) {
        char json[200];

        snprintf(json, sizeof json, "{\"type\":\"call\",\"ok\":true,\"rep\":\"%s\",\"amount\":%d,\"id\":\"c%d\",\"time\":%lld}", reps[i], 1 << i, i,
                 (NOON - (i < 2 ? 86400 : 3600 - i)) * 1000LL);
        assert_int_equal(rig_event_at(rig, 0, json), KP_ACCEPTED);
    }
    rig_at(rig, NOON);
    return rig;
}

static void what_is_new_starts_empty_and_the_rest_is_kept(void **state)
{
    struct kp_load_report report;
    struct rig *rig = five_calls(HEAD "kpis: {" CALLS ", " SALES "}\n");

    (void)state;
    rig = moved(rig, HEAD "kpis: {mails: {aggregate: count, where: {type: mail}, windows: [day]},\n"
                     "       gross: {aggregate: sum, of: amount, where: {type: call}, windows: [day, week]},\n"
                     "       calls: {aggregate: count, where: {ok: true, type: [call]}, windows: [week, day, month, day-1]}}\n",
                &report);
    assert_int_equal(report.kpis_kept, 2);      /* the order does not matter, nor what it is called */
    assert_int_equal(report.kpis_new, 1);
    assert_int_equal(report.kpis_gone, 0);
    assert_true(rig_value(rig, "rep", "ana", "calls", "day") == 2);
    assert_true(rig_value(rig, "rep", "ana", "calls", "week") == 3);
    assert_true(rig_value(rig, "rep", "ana", "calls", "month") == 3);       /* what it has of it */
    assert_true(rig_value(rig, "rep", "ana", "calls", "day-1") == 0);
    assert_true(rig_value(rig, "team", "one", "gross", "week") == 31);
    assert_true(rig_value(rig, "company", "", "gross", "day") == 28);
    assert_true(rig_value(rig, "rep", "ana", "mails", "day") == 0);
    rig_at(rig, NOON + 86400);
    assert_true(rig_value(rig, "rep", "ana", "calls", "day-1") == 2);
    assert_true(rig_value(rig, "rep", "ana", "calls", "day") == 0);
    assert_true(rig_value(rig, "rep", "ana", "calls", "month") == 3);
    rig = moved(rig, HEAD "kpis: {calls: {aggregate: count, where: {type: call, ok: false}, windows: [day, week]}, " SALES "}\n", &report);
    assert_int_equal(report.kpis_kept, 1);
    assert_int_equal(report.kpis_new, 1);
    assert_int_equal(report.kpis_gone, 2);      /* calls, mails; and gross is sales */
    assert_true(rig_value(rig, "rep", "ana", "calls", "week") == 0);
    assert_true(rig_value(rig, "rep", "ana", "sales", "week") == 21);
    rig_free(rig);
}

/* A row from the month's begin may hold what came on several days. */
static void a_closed_window_never_counts_another_days_events(void **state)
{
    struct rig *rig = five_calls(HEAD "kpis: {calls: {aggregate: count, windows: [week]}}\n");

    (void)state;
    for (int day = 1; day < 4; day++)       /* to Sunday */
        rig_call(rig, NOON + day * 86400, "ana");
    rig = moved(rig, HEAD "kpis: {calls: {aggregate: count, windows: [week, day-6]}}\n", NULL);
    rig_at(rig, NOON + 3 * 86400 + 3600);   /* day-6 is Monday, with which the week began */
    assert_true(rig_value(rig, "rep", "ana", "calls", "day-6") == 0);
    rig_free(rig);
    rig = five_calls(HEAD "kpis: {calls: {aggregate: count, windows: [day, day-1, month]}}\n");
    rig = moved(rig, HEAD "kpis: {calls: {aggregate: count, windows: [month, day-1]}}\n", NULL);
    assert_true(rig_value(rig, "rep", "ana", "calls", "day-1") == 1);
    assert_true(rig_value(rig, "rep", "ana", "calls", "month") == 3);
    rig_free(rig);
}

static void two_families_become_one_without_counting_twice(void **state)
{
    struct rig *rig = five_calls(HEAD "kpis: {a: {aggregate: count, windows: [day]}, b: {aggregate: count, windows: [week]}}\n");

    (void)state;
    rig = moved(rig, HEAD "kpis: {b: {aggregate: count, windows: [day, week]}}\n", NULL);
    assert_true(rig_value(rig, "rep", "ana", "b", "week") == 3);
    rig = moved(rig, HEAD "kpis: {a: {aggregate: count, windows: [day]}, b: {aggregate: count, windows: [week]}}\n", NULL);
    assert_true(rig_value(rig, "rep", "ana", "b", "week") == 3);
    rig_free(rig);
}

#define NEW_HEAD(levels, members) "time: {clock: event}\nroster: {levels: [" levels "], members: [" members "]}\n"

static void whoever_moves_takes_the_own_numbers_along(void **state)
{
    struct rig *rig = five_calls(HEAD "kpis: {" CALLS ", " SALES "}\n");

    (void)state;
    rig = moved(rig, NEW_HEAD("team, rep", "{rep: ana, team: two}, {rep: bob, team: one}") "kpis: {" CALLS ", " SALES "}\n", NULL);
    assert_true(rig_value(rig, "rep", "ana", "calls", "week") == 3);
    assert_true(rig_value(rig, "team", "one", "calls", "week") == 5);       /* its past is its own */
    assert_true(rig_value(rig, "team", "two", "calls", "week") == 0);
    assert_int_equal(rig_event_at(rig, 0, "{\"type\":\"call\",\"ok\":true,\"rep\":\"ana\",\"id\":\"c0\",\"time\":648000000}"), KP_DUPLICATE);
    rig_event_at(rig, 0, "{\"type\":\"call\",\"ok\":true,\"rep\":\"ana\",\"id\":\"new\",\"time\":648000000}");
    assert_true(rig_value(rig, "team", "one", "calls", "week") == 5);
    assert_true(rig_value(rig, "team", "two", "calls", "week") == 1);
    rig_free(rig);
}

static void whoever_is_no_member_any_more_stays_while_there_are_numbers(void **state)
{
    struct rig *rig = five_calls(HEAD "kpis: {" CALLS "}\n");
    uint32_t bob;

    (void)state;
    rig = moved(rig, NEW_HEAD("team, rep", "{rep: ana, team: one, aliases: [an]}") "kpis: {" CALLS "}\n", NULL);
    bob = rig_node(rig, "rep", "bob");
    assert_true(rig_value(rig, "rep", "bob", "calls", "week") == 2);
    assert_true(rig_value(rig, "team", "one", "calls", "week") == 5);
    rig_at(rig, NOON + 20 * 86400);
    assert_false(kp_engine_visible(rig->engine, bob));
    rig_free(rig);
}

static void an_alias_makes_two_reps_one(void **state)
{
    struct rig *rig = five_calls(HEAD "kpis: {" CALLS ", " SALES "}\n");

    (void)state;
    rig = moved(rig, NEW_HEAD("team, rep", "{rep: ana, team: one, aliases: [bob]}") "kpis: {" CALLS ", " SALES "}\n", NULL);
    assert_true(rig_value(rig, "rep", "ana", "calls", "week") == 5);
    assert_true(rig_value(rig, "rep", "ana", "sales", "day") == 28);
    assert_true(rig_value(rig, "team", "one", "calls", "week") == 5);
    rig_free(rig);
}

static void levels_come_and_go(void **state)
{
    struct rig *rig = five_calls(HEAD "kpis: {" CALLS "}\n");

    (void)state;
    rig = moved(rig, NEW_HEAD("region, team, rep", "{rep: ana, team: one, region: g}, {rep: bob, team: one, region: g}") "kpis: {" CALLS "}\n",
                NULL);
    assert_true(rig_value(rig, "rep", "ana", "calls", "week") == 3);
    assert_true(rig_value(rig, "team", "one", "calls", "week") == 5);
    assert_true(rig_value(rig, "region", "g", "calls", "week") == 0);
    assert_true(rig_value(rig, "company", "", "calls", "week") == 5);
    rig = moved(rig, NEW_HEAD("squad, rep", "{rep: ana, squad: one}, {rep: bob, squad: one}") "kpis: {" CALLS "}\n", NULL);
    assert_true(rig_value(rig, "rep", "ana", "calls", "week") == 3);
    assert_true(rig_value(rig, "squad", "one", "calls", "week") == 0);
    assert_true(rig_value(rig, "company", "", "calls", "week") == 5);
    rig_free(rig);
}

/* A unit that is called otherwise is another one: its reps take their numbers along, and the old one keeps what it had. */
static void a_unit_of_another_name_is_a_new_one(void **state)
{
    struct rig *rig = five_calls(HEAD "kpis: {" CALLS "}\n");

    (void)state;
    rig = moved(rig, NEW_HEAD("team, rep", "{rep: ana, team: uno}, {rep: bob, team: uno}") "kpis: {" CALLS "}\n", NULL);
    assert_true(rig_value(rig, "rep", "bob", "calls", "week") == 2);
    assert_true(rig_value(rig, "team", "uno", "calls", "week") == 0);
    assert_true(rig_value(rig, "team", "one", "calls", "week") == 5);
    rig_free(rig);
}

#define OPEN                                                                                                           \
    "kpis:\n"                                                                                                          \
    "  deals: {aggregate: count, of: {open: {per: deal, opened: {type: stage}, closed: {stage: won}}}}\n"              \
    "  worth: {aggregate: sum, of: {open: {per: deal, opened: {type: stage}, closed: {stage: won}, field: amount}}}\n" \
    "  half: {aggregate: median, of: {open: {per: deal, opened: {type: stage}, closed: {stage: won}, field: amount}}}\n"

/* A team has what its reps have open, not what they had. */
static void what_is_open_moves_with_its_rep(void **state)
{
    struct rig *rig = rig_new(HEAD OPEN);

    (void)state;
    for (int i = 0; i < 5; i++) {
        char json[200];

        snprintf(json, sizeof json, "{\"type\":\"stage\",\"stage\":\"a\",\"deal\":%d,\"rep\":\"%s\",\"amount\":%d,\"time\":%d000}", i,
                 i % 2 ? "bob" : "ana", 1 << i, NOON + i);
        rig_event_at(rig, 0, json);
    }
    rig_event_at(rig, 0, "{\"type\":\"stage\",\"stage\":\"a\",\"deal\":9,\"team\":\"one\",\"amount\":100,\"time\":648000000}");
    rig = moved(rig, HEAD OPEN, NULL);
    assert_true(rig_value(rig, "rep", "ana", "deals", "day") == 3);
    assert_true(rig_value(rig, "team", "one", "deals", "day") == 6);
    rig = moved(rig, NEW_HEAD("region, team, rep", "{rep: ana, team: two, region: g}, {rep: bob, team: one, region: g}") OPEN, NULL);
    assert_true(rig_value(rig, "rep", "ana", "deals", "day") == 3);
    assert_true(rig_value(rig, "team", "one", "deals", "day") == 3);
    assert_true(rig_value(rig, "team", "one", "worth", "day") == 110);
    assert_true(fabs(rig_value(rig, "team", "one", "half", "day") - 8) < 0.1);
    assert_true(rig_value(rig, "team", "two", "deals", "day") == 3);
    assert_true(rig_value(rig, "team", "two", "worth", "day") == 21);
    assert_true(fabs(rig_value(rig, "team", "two", "half", "day") - 4) < 0.1);
    assert_true(rig_value(rig, "region", "g", "worth", "day") == 131);
    assert_true(rig_value(rig, "company", "", "worth", "day") == 131);
    rig = moved(rig, NEW_HEAD("rep", "{rep: ana}, {rep: bob}") OPEN, NULL);
    assert_true(rig_value(rig, "rep", "ana", "worth", "day") == 21);
    assert_true(rig_value(rig, "company", "", "worth", "day") == 131);
    rig_free(rig);
}

static void fewer_ids_fit_and_the_newest_of_them_stay(void **state)
{
    const char *small = HEAD "limits: {dedup: 1000, recent: 64}\nkpis: {" CALLS "}\n";
    struct rig *rig = rig_new(HEAD "kpis: {" CALLS "}\n");
    struct kp_engine_stats stats;
    char json[200];

    (void)state;
    for (int i = 0; i < 6000; i++) {
        snprintf(json, sizeof json, "{\"type\":\"call\",\"rep\":\"ana\",\"id\":\"i%d\",\"time\":%d000}", i, NOON + i);
        rig_event_at(rig, 0, json);
    }
    rig = moved(rig, small, NULL);
    kp_engine_stats(rig->engine, &stats);
    assert_in_range(stats.dedup_ids, 500, 1100);
    assert_int_equal(rig_event_at(rig, 0, json), KP_DUPLICATE);
    rig_free(rig);
}

/* ---- Damage ---- */

/* Load it, whatever it is, and look at all of it when that went well. */
static bool try(const char *yaml, const unsigned char *at, size_t n)
{
    struct rig *rig = rig_new(yaml);
    struct bytes bytes = {.at = (unsigned char *)(uintptr_t)at, .n = n};
    struct kp_load_report report;
    struct kp_err err = {0};
    enum kp_code code = kp_engine_load(rig->engine, get, &bytes, &report, &err);

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
        cmocka_unit_test(before_there_is_any_time_there_is_little_to_keep),
        cmocka_unit_test(other_windows_never_count_what_is_not_theirs),
        cmocka_unit_test(what_is_new_starts_empty_and_the_rest_is_kept),
        cmocka_unit_test(a_closed_window_never_counts_another_days_events),
        cmocka_unit_test(two_families_become_one_without_counting_twice),
        cmocka_unit_test(whoever_moves_takes_the_own_numbers_along),
        cmocka_unit_test(whoever_is_no_member_any_more_stays_while_there_are_numbers),
        cmocka_unit_test(an_alias_makes_two_reps_one),
        cmocka_unit_test(a_unit_of_another_name_is_a_new_one),
        cmocka_unit_test(levels_come_and_go),
        cmocka_unit_test(what_is_open_moves_with_its_rep),
        cmocka_unit_test(fewer_ids_fit_and_the_newest_of_them_stay),
        cmocka_unit_test(damage_is_refused_or_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
