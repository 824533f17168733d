/* bench_entities CONFIG [DEALS [REPS]]: what it costs to follow entities. Two kinds of events that differ in their
 * type alone, a call and a stage; both feed the same KPIs, and a stage three more that look at the history of its deal. */
#include "clock.h"
#include "config.h"
#include "faults.h"
#include "floor.h"

#include "kpid/engine.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 5 };

struct bench {
    struct kp_engine *engine;
    struct kp_decoder *decoder;
    struct floor_event *pool[2];    /* calls and stages: FLOOR_ROUNDS of each deal */
    struct kp_event *events;        /* KP_APPLY_MAX; they point into the messages */
    char (*messages)[FLOOR_EVENT_MAX];
    uint64_t deals, reps, id, at[2];    /* at: of the pools */
    int64_t now_ms;
};

enum { CALL, STAGE };
static const char *const types[] = {"call", "stage"};

static void decode(struct bench *b, const struct floor_event *event, int i)
{
    size_t len = floor_put(event, b->id++, (uint64_t)b->now_ms, b->messages[i]);
    enum kp_reason reason;

    kp_decode_begin(b->decoder, b->messages[i], len, (struct kp_str){"", 0});
    if (kp_decode_next(b->decoder, &b->events[i], &reason) != KP_NEXT_EVENT || reason != KP_ACCEPTED)
        abort();
}

struct cost {
    double decode, apply;       /* ns an event */
};

static struct cost run(struct bench *b, int type, uint64_t n)
{
    const struct kp_event *events[KP_APPLY_MAX];
    enum kp_reason reasons[KP_APPLY_MAX];
    struct cost cost = {0, 0};

    for (int i = 0; i < KP_APPLY_MAX; i++)
        events[i] = &b->events[i];
    for (uint64_t done = 0; done < n; done += KP_APPLY_MAX) {
        uint64_t start = clock_ns(CLOCK_MONOTONIC), decoded;

        b->now_ms++;
        for (int i = 0; i < KP_APPLY_MAX; i++)
            decode(b, &b->pool[type][b->at[type]++ % (b->deals * FLOOR_ROUNDS)], i);
        decoded = clock_ns(CLOCK_MONOTONIC);
        kp_engine_apply(b->engine, events, KP_APPLY_MAX, b->now_ms, reasons);
        cost.decode += (double)(decoded - start) / (double)n;
        cost.apply += (double)(clock_ns(CLOCK_MONOTONIC) - decoded) / (double)n;
    }
    return cost;
}

static void measure(struct bench *b)
{
    struct kp_engine_stats stats;

    run(b, CALL, b->deals);
    for (int i = 0; i < ROUNDS; i++) {
        struct cost call = run(b, CALL, b->deals), stage = run(b, STAGE, b->deals);

        kp_engine_stats(b->engine, &stats);
        printf("round %d: a call: decode %.0f + apply %.0f ns; a stage: %.0f + %.0f ns; ratio %.2f, of apply alone %.2f\n", i + 1,
               call.decode, call.apply, stage.decode, stage.apply, (stage.decode + stage.apply) / (call.decode + call.apply),
               stage.apply / call.apply);
        printf("         %u deals live, %.0f bytes each\n", stats.entities, (double)stats.bytes_entities / stats.entities);
    }
}

static bool make_pools(struct bench *b)
{
    for (int type = 0; type < 2; type++) {
        b->pool[type] = malloc(b->deals * FLOOR_ROUNDS * sizeof *b->pool[type]);
        for (uint64_t i = 0; b->pool[type] && i < b->deals * FLOOR_ROUNDS; i++)
            floor_make_deal(&b->pool[type][i], types[type], i, b->reps, b->deals);
    }
    return b->pool[CALL] && b->pool[STAGE];
}

int main(int argc, char **argv)
{
    struct kp_decode_limits limits = {1 << 20, 10000, 256};
    struct bench b = {.deals = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000,
                      .reps = argc > 3 ? strtoull(argv[3], NULL, 10) : 10000,
                      .now_ms = (int64_t)(clock_ns(CLOCK_REALTIME) / 1000000)};
    struct kp_fault_list faults;
    struct kp_config config;
    struct kp_err err = {0};

    if (argc < 2 || !b.deals || !b.reps) {
        fputs("usage: bench_entities CONFIG [DEALS [REPS]]\n", stderr);
        return 2;
    }
    kp_fault_list_init(&faults, argv[1]);
    if (kp_config_load(argv[1], &config, &faults.faults)) {
        kp_fault_list_print(&faults, stderr);
        return 2;
    }
    b.engine = kp_engine_new(&config, 1, NULL, &err);
    b.decoder = b.engine ? kp_decoder_new(kp_engine_schema(b.engine), &limits, &err) : NULL;
    b.events = malloc(KP_APPLY_MAX * sizeof *b.events);
    b.messages = malloc(KP_APPLY_MAX * sizeof *b.messages);
    if (!b.decoder || !b.events || !b.messages || !make_pools(&b)) {
        fprintf(stderr, "bench_entities: %s\n", err.text);
        exit(1);
    }
    measure(&b);
    kp_decoder_destroy(&b.decoder);
    kp_engine_destroy(&b.engine);
    kp_config_release(&config);
    kp_fault_list_release(&faults);
    free(b.events);
    free(b.messages);
    free(b.pool[CALL]);
    free(b.pool[STAGE]);
    return 0;
}
