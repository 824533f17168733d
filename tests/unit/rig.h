/* An engine from a configuration's text and events from JSON lines; what it says about alerts comes out as text. */
#ifndef RIG_H
#define RIG_H

#include "kpid/engine.h"

#include "config.h"
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rig {
    struct kp_config config;
    struct kp_engine *engine;
    struct kp_decoder *decoder;
    struct kp_event *event;
    char said[16384];       /* a line for each change: "SECONDS RULE KEY STATE SEVERITY VALUE [REASON] [silenced] [by WHO]" */
    char message[KP_ALERT_TEXT];
    uint64_t id;
    double p;
    bool flapping;
    size_t nevents;
};

static inline void rig_fault(void *ctx, struct kp_loc loc, const char *path, const char *text)
{
    (void)ctx;
    fprintf(stderr, "config:%d:%d: %s: %s\n", loc.line, loc.col, path, text);
}

static inline void rig_alert(void *ctx, struct kp_engine *engine, const struct kp_alert *a)
{
    static const char *const states[] = {"inactive", "pending", "firing", "resolved"};
    struct rig *rig = ctx;
    size_t at = strlen(rig->said);
    struct kp_place place;
    char value[32] = "-";

    kp_engine_place(engine, a->node, &place);
    if (a->value.has)
        snprintf(value, sizeof value, "%g", a->value.value);
    if (at + 512 > sizeof rig->said)
        at = 0;     /* only what came last is kept */
    snprintf(rig->said + at, sizeof rig->said - at, "%lld %s %.*s %s %s %s%s%s%s%s%s\n", (long long)(a->time_ms / 1000),
             a->rule->name, (int)place.key.len, place.key.s, states[a->state],
             a->severity == KP_SEVERITY_CRITICAL ? "critical" : "warning", value, a->reason ? " " : "",
             a->reason ? a->reason : "", a->silenced ? " silenced" : "", a->acked_by ? " by " : "",
             a->acked_by ? a->acked_by : "");
    snprintf(rig->message, sizeof rig->message, "%s", a->message);
    rig->id = a->id;
    rig->p = a->p;
    rig->flapping = a->flapping;
    rig->nevents = a->nevents;
}

static inline struct rig *rig_new(const char *yaml)
{
    struct rig *rig = calloc(1, sizeof *rig);
    struct kp_faults faults = {rig_fault, NULL, 0};
    struct kp_alert_sink sink = {rig_alert, rig};
    struct kp_decode_limits limits = {1 << 20, 10000, 256};
    struct kp_err err = {0};

    assert_non_null(rig);
    assert_int_equal(kp_config_load_bytes("config", ".", yaml, strlen(yaml), &rig->config, &faults), 0);
    rig->engine = kp_engine_new(&rig->config, 1, &sink, &err);
    if (!rig->engine)
        fail_msg("%s", err.text);
    rig->decoder = kp_decoder_new(kp_engine_schema(rig->engine), &limits, &err);
    rig->event = malloc(sizeof *rig->event);
    assert_non_null(rig->decoder);
    assert_non_null(rig->event);
    return rig;
}

static inline void rig_free(struct rig *rig)
{
    kp_decoder_destroy(&rig->decoder);
    kp_engine_destroy(&rig->engine);
    kp_config_release(&rig->config);
    free(rig->event);
    free(rig);
}

/* Give it one message; what became of its last event. now_ms counts with `clock: wall` only. */
static inline enum kp_reason rig_event_at(struct rig *rig, int64_t now_ms, const char *json)
{
    const struct kp_event *event = rig->event;
    enum kp_reason reason = kp_decode_begin(rig->decoder, json, strlen(json), (struct kp_str){"", 0}), last = reason;

    while (kp_decode_next(rig->decoder, rig->event, &reason) == KP_NEXT_EVENT) {
        kp_engine_apply(rig->engine, &event, 1, now_ms, &reason);
        last = reason;
        while (kp_engine_settle(rig->engine, rig->config.event_clock ? INT64_MIN : now_ms, SIZE_MAX))
            ;
    }
    return last == KP_ACCEPTED ? reason : last;
}

/* A call of a rep at so many seconds. */
static inline enum kp_reason rig_call(struct rig *rig, int64_t at_s, const char *rep)
{
    char json[256];

    snprintf(json, sizeof json, "{\"type\":\"call\",\"rep\":\"%s\",\"time\":%lld000}", rep, (long long)at_s);
    return rig_event_at(rig, at_s * 1000, json);
}

static inline void rig_at(struct rig *rig, int64_t at_s)
{
    while (kp_engine_settle(rig->engine, at_s * 1000, SIZE_MAX))
        ;
}

/* What it said since the last look must be this. */
#define rig_said(rig, want)                                                                                            \
    do {                                                                                                               \
        assert_string_equal((rig)->said, want);                                                                       \
        (rig)->said[0] = '\0';                                                                                         \
    } while (0)

/* The key's node; fails when it is not there. */
static inline uint32_t rig_node(struct rig *rig, const char *level, const char *key)
{
    int want = kp_engine_find_level(rig->engine, level, strlen(level));

    for (uint32_t node = 0; node < kp_engine_nodes(rig->engine); node++) {
        struct kp_place place;

        if (!kp_engine_visible(rig->engine, node))
            continue;
        kp_engine_place(rig->engine, node, &place);
        if (place.level == want && place.key.len == strlen(key) && memcmp(place.key.s, key, place.key.len) == 0)
            return node;
    }
    fail_msg("no %s %s", level, key);
    return 0;
}

static inline const struct kp_cell_view *rig_cell(struct rig *rig, uint32_t node, const char *kpi, const char *window)
{
    const struct kp_cell_view *cells;
    size_t n = kp_engine_read(rig->engine, node, 0, &cells);

    for (size_t i = 0; i < n; i++)
        if (strcmp(cells[i].kpi->name, kpi) == 0 && strcmp(cells[i].window->text, window) == 0)
            return &cells[i];
    fail_msg("no %s in %s", kpi, window);
    return NULL;
}

/* The number, NaN for nil. */
static inline double rig_value(struct rig *rig, const char *level, const char *key, const char *kpi, const char *window)
{
    const struct kp_cell_view *cell = rig_cell(rig, rig_node(rig, level, key), kpi, window);

    return cell->number.has ? cell->number.value : (double)NAN;
}

#endif
