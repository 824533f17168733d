/* Any bytes as a checkpoint: refused with a sentence, or an engine that answers, counts and can be saved and loaded again. It is
 * loaded under the configuration that the seeds were saved under, and under one that differs in all that a reload may change. */
#include "config.h"

#include "kpid/checkpoint.h"
#include "kpid/contest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define KPIS                                                                                                           \
    "  calls: {aggregate: count, where: {type: call}, windows: [day, month]}\n"                                        \
    "  spread: {aggregate: stddev, of: amount, windows: [day, month]}\n"                                               \
    "  p90: {aggregate: p90, of: amount, windows: [day, month]}\n"                                                     \
    "  who: {aggregate: distinct, of: client, windows: [day, month]}\n"                                                \
    "  last: {aggregate: last, of: amount, by: [client], windows: [1h]}\n"                                             \
    "  open: {aggregate: sum, of: {open: {per: deal, closed: {type: won}, field: amount}}, windows: [day]}\n"

#define ALERTS                                                                                                         \
    "alerts:\n"                                                                                                        \
    "  few: {kpi: calls, window: day, level: rep, warning: {above: 0}, hours: always, group: 50%, flapping: {changes: 2, within: 1h}}\n" \
    "  usual: {kpi: calls, window: day, level: rep, compare: baseline, periods: 1, warning: {below: 90%}, hours: always}\n" \
    "  peers: {kpi: calls, window: day, level: rep, compare: peers, min_peers: 1, warning: {below: 90%}, hours: always}\n" \
    "  stuck: {kpi: open, level: rep, compare: stalled, warning: {above: 1h}, hours: always}\n"

#define CONTESTS                                                                                                       \
    "contests:\n"                                                                                                      \
    "  one: {kpi: who, from: 2096-10-01, to: 2096-10-31, among: rep, tie: calls}\n"                                   \
    "  two: {kpis: {calls: 1, p90: 2}, from: 1970-01-01, to: 1970-03-31, among: team}\n"

static const char *const configs[] = {
    "time: {clock: event}\nlimits: {dedup: 1000, recent: 16, entities: 100, leap: 20}\nsources: {pbx: {heartbeat: 1h}}\n"
    "roster: {levels: [team, rep], members: [{rep: ana, team: one}]}\nkpis:\n" KPIS ALERTS CONTESTS,
    "time: {clock: event, zone: Europe/London}\nlimits: {dedup: 5, recent: 2, entities: 100, keys: 8, leap: 20}\n"
    "sources: {crm: {heartbeat: 1h}}\n"
    "roster: {levels: [region, team, rep], members: [{rep: ana, team: two, region: g, aliases: [bob]}]}\nkpis:\n"
    "  mails: {aggregate: count, where: {type: mail}, windows: [day, day-1, week-1]}\n"
    "  calls: {aggregate: count, where: {type: call}, windows: [day, day-1, week-1]}\n"
    "  p90: {aggregate: p90, of: amount, windows: [month, day-1, 1h]}\n"
    "  who: {aggregate: distinct, of: client, windows: [8wh]}\n"
    "  last: {aggregate: last, of: amount, by: [client], windows: [1h, month]}\n"
    "  open: {aggregate: sum, of: {open: {per: deal, closed: {type: won}, field: amount}}, windows: [day, week]}\n" ALERTS
    "contests: {one: {kpi: calls, from: 2096-10-02, to: 2096-10-31, among: rep, away: adjusted}}\n",
};

struct bytes {
    const uint8_t *at;
    size_t n, read;
    uint8_t *kept;          /* owned; what is written */
    size_t room;
};

static size_t get(void *ctx, void *to, size_t most)
{
    struct bytes *b = ctx;
    size_t n = b->n - b->read < most ? b->n - b->read : most;

    if (n)
        memcpy(to, b->at + b->read, n);
    b->read += n;
    return n;
}

static bool put(void *ctx, const void *from, size_t len)
{
    struct bytes *b = ctx;

    if (b->n + len > b->room) {
        b->room = (b->n + len) * 2;
        b->kept = realloc(b->kept, b->room);
        if (!b->kept)
            abort();
    }
    memcpy(b->kept + b->n, from, len);
    b->n += len;
    b->at = b->kept;
    return true;
}

static void no_fault(void *ctx, struct kp_loc loc, const char *path, const char *text)
{
    (void)ctx;
    (void)loc;
    (void)path;
    (void)text;
    abort();
}

static struct kp_engine *make(const char *yaml, struct kp_config *config)
{
    struct kp_faults faults = {.add = no_fault};
    struct kp_engine *engine;

    if (kp_config_load_bytes("config", NULL, yaml, strlen(yaml), config, &faults))
        abort();
    engine = kp_engine_new(config, 1, NULL, NULL);
    if (!engine)
        abort();
    return engine;
}

static void tell(struct kp_engine *engine, const char *json)
{
    struct kp_decode_limits limits = {1 << 20, 10000, 256};
    struct kp_decoder *decoder = kp_decoder_new(kp_engine_schema(engine), &limits, NULL);
    struct kp_event *event = malloc(sizeof *event);
    const struct kp_event *events[] = {event};
    enum kp_reason reason;

    if (!decoder || !event)
        abort();
    kp_decode_begin(decoder, json, strlen(json), (struct kp_str){"", 0});
    while (kp_decode_next(decoder, event, &reason) == KP_NEXT_EVENT)
        kp_engine_apply(engine, events, 1, 0, &reason);
    kp_decoder_destroy(&decoder);
    free(event);
}

static void look(struct kp_engine *engine)
{
    struct kp_explanation *why = malloc(sizeof *why);

    if (!why)
        abort();
    for (uint32_t node = 0; node < kp_engine_nodes(engine); node++) {
        const struct kp_cell_view *cells;

        if (!kp_engine_visible(engine, node))
            continue;
        kp_engine_read(engine, node, 0, &cells);
        for (int k = 0; k < (int)kp_engine_kpis(engine); k++)
            if (!kp_engine_explain(engine, node, k, (struct kp_str){"day", 3}, why, NULL) && why->nevents > KP_EXPLAIN_EVENTS)
                abort();
    }
    for (size_t i = 0; i < kp_engine_contests(engine); i++) {
        struct kp_contest_standing standing;

        if (!kp_engine_standing(engine, i, &standing) || standing.of > standing.n)
            abort();
    }
    free(why);
}

static void go_on(struct kp_engine *engine)
{
    look(engine);
    if (kp_engine_now(engine) == INT64_MIN || kp_engine_now(engine) < INT64_C(4000000000000))
        tell(engine, "[{\"type\":\"call\",\"id\":\"1\",\"rep\":\"ana\",\"amount\":5,\"client\":1,\"time\":4000000000000},"
                     "{\"type\":\"stage\",\"id\":\"2\",\"rep\":\"bob\",\"deal\":1,\"amount\":7,\"time\":3999999990000}]");
    look(engine);
    for (uint32_t node = 0; node < kp_engine_nodes(engine); node++) {
        if (kp_engine_visible(engine, node))
            kp_engine_seen(engine, node);
        kp_engine_sweep(engine, node);
    }
}

static void load_into(const char *yaml, struct bytes *bytes, int again)
{
    struct kp_load_report report;
    struct kp_config config;
    struct kp_err err = {0};
    struct kp_engine *engine = make(yaml, &config);
    enum kp_code code;

    bytes->read = 0;
    code = kp_engine_load(engine, get, bytes, &report, &err);
    if (code && !err.text[0])
        abort();
    if (!code) {
        struct bytes out = {0};

        go_on(engine);
        if (!kp_engine_save(engine, put, &out))
            abort();
        if (again)
            load_into(yaml, &out, again - 1);
        free(out.kept);
    } else if (!again) {
        abort();        /* what it has written it must read */
    }
    kp_engine_destroy(&engine);
    kp_config_release(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++)
        load_into(configs[i], &(struct bytes){.at = bytes, .n = len}, 1);
    return 0;
}
