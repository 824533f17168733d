#include "run.h"

#include "kpictl.h"

#include "kpid/encode.h"

#include <stdlib.h>
#include <string.h>

/* ---- Printing ---- */

static void on_alert(void *ctx, struct kp_engine *engine, const struct kp_alert *alert)
{
    struct run *run = ctx;

    if (run->shape == RUN_SUMMARY) {
        backtest_alert(run->backtest, engine, alert);
    } else if (run->shape == RUN_CHANGES) {
        run->failed |= !changes_keep(&run->changes, engine, alert);
    } else {
        kp_out_clear(run->out);
        kp_encode_alert(run->out, engine, alert, ++run->alerts);
        run->failed |= !kpictl_print(run->out);
    }
}

struct place_of {
    uint32_t node;
    int level;
    char topic[512];
};

static int by_level_and_path(const void *a, const void *b)
{
    const struct place_of *x = a, *y = b;
    int order = x->level - y->level;

    return order ? order : strcmp(x->topic, y->topic);
}

/* Every key that has something to show, from the company down, by path: an order that no arrival has a part in. */
static void print_snapshots(struct run *run)
{
    uint32_t nodes = kp_engine_nodes(run->engine);
    struct place_of *places = calloc((size_t)nodes + 1, sizeof *places);
    size_t n = 0;

    if (!places) {
        run->failed = true;
        return;
    }
    for (uint32_t node = 0; node < nodes; node++) {
        struct kp_place place;

        if (!kp_engine_visible(run->engine, node))
            continue;
        kp_engine_place(run->engine, node, &place);
        places[n].node = node;
        places[n].level = place.level;
        kp_engine_topic(run->engine, "snapshot", node, places[n++].topic, sizeof places->topic);
    }
    qsort(places, n, sizeof *places, by_level_and_path);
    for (size_t i = 0; i < n && !run->failed; i++) {
        kp_out_clear(run->out);
        kp_encode_snapshot(run->out, run->engine, places[i].node, ++run->snapshots, true, 0, NULL);
        run->failed |= !kpictl_print(run->out);
    }
    free(places);
}

/* ---- Running ---- */

bool run_start(struct run *run, const char *file, struct kp_err *err)
{
    struct kp_alert_sink sink = {on_alert, run};
    struct kp_decode_limits limits;

    if (!kpictl_load(file, &run->config))
        return false;
    run->loaded = true;
    run->config.event_clock = true;
    run->config.limits.leap = UINT32_MAX;       /* nobody waits here, and every change is to be told */
    if (run->shape == RUN_SUMMARY) {
        run->backtest = backtest_new(&run->config, err);
        if (!run->backtest)
            return false;
    }
    run->engine = kp_engine_new(&run->config, 0, &sink, err);
    if (!run->engine)
        return false;
    limits = (struct kp_decode_limits){run->config.limits.message, run->config.limits.batch, run->config.limits.fields};
    run->decoder = kp_decoder_new(kp_engine_schema(run->engine), &limits, err);
    run->out = kp_out_new(true, err);
    return run->decoder && run->out;
}

void run_release(struct run *run)
{
    kp_out_destroy(&run->out);
    kp_decoder_destroy(&run->decoder);
    kp_engine_destroy(&run->engine);
    backtest_destroy(&run->backtest);
    changes_release(&run->changes);
    if (run->loaded)
        kp_config_release(&run->config);
}

static void settle(struct run *run, int64_t at_ms)
{
    while (kp_engine_settle(run->engine, at_ms, SIZE_MAX))
        ;
}

/* Put the clock at each instant that was asked for and that the next event lies behind. */
static void pass(struct run *run, int64_t time_ms)
{
    for (; run->next_at < run->nats && run->ats[run->next_at] < time_ms; run->next_at++) {
        settle(run, run->ats[run->next_at]);
        if (run->shape == RUN_LINES)
            print_snapshots(run);
    }
}

void run_feed(struct run *run, const char *bytes, size_t len)
{
    enum kp_reason reason = kp_decode_begin(run->decoder, bytes, len, (struct kp_str){"", 0});
    const struct kp_event *event = &run->event;
    enum kp_next next;

    if (reason != KP_ACCEPTED)
        run->counts[reason]++;
    while ((next = kp_decode_next(run->decoder, &run->event, &reason)) != KP_NEXT_END) {
        if (next == KP_NEXT_EVENT) {
            if (event->has_time)
                pass(run, event->time_ms);
            kp_engine_apply(run->engine, &event, 1, 0, &reason);
            settle(run, INT64_MIN);
            if (run->backtest)
                backtest_passed(run->backtest, kp_engine_now(run->engine));
        }
        run->counts[reason]++;
    }
}

void run_bad_row(struct run *run, const char *why)
{
    if (!run->bad_row[0])
        snprintf(run->bad_row, sizeof run->bad_row, "%s", why);
    run->counts[KP_MALFORMED]++;
}

void run_end(struct run *run)
{
    pass(run, INT64_MAX);
    if (run->nats == 0 && run->shape == RUN_LINES)
        print_snapshots(run);
    if (run->backtest)
        backtest_end(run->backtest, kp_engine_now(run->engine));
}

uint64_t run_events(const struct run *run)
{
    uint64_t all = 0;

    for (int i = 0; i < KP_REASONS; i++)
        all += run->counts[i];
    return all;
}

void run_tell_counts(const struct run *run)
{
    fprintf(stderr, "replayed %llu events:", (unsigned long long)run_events(run));
    for (int i = 0; i < KP_REASONS; i++)
        if (run->counts[i] || i == KP_ACCEPTED)
            fprintf(stderr, " %s %llu", kp_reason_name((enum kp_reason)i), (unsigned long long)run->counts[i]);
    fputc('\n', stderr);
    if (run->bad_row[0])
        fprintf(stderr, "the first row that is malformed: %s\n", run->bad_row);
}
