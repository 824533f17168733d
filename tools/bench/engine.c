/* bench_engine CONFIG REPS [EVENTS]: the core alone, from memory, on one thread: what decoding costs, and all of it. */
#include "clock.h"
#include "floor.h"

#include "config.h"
#include "faults.h"

#include "kpid/engine.h"

#include <stdio.h>
#include <stdlib.h>

enum { POOL = 1 << 18, ROUNDS = 5 };

struct bench {
    struct floor_event *pool;
    struct kp_engine *engine;
    struct kp_decoder *decoder;
    struct kp_event *events;    /* KP_APPLY_MAX */
    char *bytes;                /* KP_APPLY_MAX messages */
    uint64_t id;
};

/* ns an event; with or without the engine. */
static double run(struct bench *b, uint64_t n, int64_t now_ms, bool apply)
{
    const struct kp_event *events[KP_APPLY_MAX];
    enum kp_reason reasons[KP_APPLY_MAX];
    uint64_t total = 0;

    for (uint64_t done = 0; done < n; done += KP_APPLY_MAX) {
        size_t len[KP_APPLY_MAX];
        uint64_t start;

        for (int i = 0; i < KP_APPLY_MAX; i++, b->id++)
            len[i] = floor_put(&b->pool[b->id % POOL], b->id, (uint64_t)now_ms, b->bytes + i * FLOOR_EVENT_MAX);
        start = clock_ns(CLOCK_MONOTONIC);
        for (int i = 0; i < KP_APPLY_MAX; i++) {
            kp_decode_begin(b->decoder, b->bytes + i * FLOOR_EVENT_MAX, len[i], (struct kp_str){"", 0});
            if (kp_decode_next(b->decoder, &b->events[i], &reasons[0]) != KP_NEXT_EVENT)
                abort();
            events[i] = &b->events[i];
        }
        if (apply)
            kp_engine_apply(b->engine, events, KP_APPLY_MAX, now_ms, reasons);
        total += clock_ns(CLOCK_MONOTONIC) - start;
    }
    return (double)total / (double)n;
}

int main(int argc, char **argv)
{
    uint64_t reps = argc > 2 ? strtoull(argv[2], NULL, 10) : 0, n = argc > 3 ? strtoull(argv[3], NULL, 10) : 1 << 20;
    struct kp_decode_limits limits = {1 << 20, 10000, 256};
    int64_t now_ms = (int64_t)(clock_ns(CLOCK_REALTIME) / 1000000);
    struct bench b = {.id = 0};
    struct kp_config config;
    struct kp_fault_list faults;
    struct kp_err err = {0};

    if (!reps) {
        fputs("usage: bench_engine CONFIG REPS [EVENTS]\n", stderr);
        return 2;
    }
    kp_fault_list_init(&faults, argv[1]);
    if (kp_config_load(argv[1], &config, &faults.faults)) {
        kp_fault_list_print(&faults, stderr);
        return 2;
    }
    b.engine = kp_engine_new(&config, 1, NULL, &err);
    b.decoder = b.engine ? kp_decoder_new(kp_engine_schema(b.engine), &limits, &err) : NULL;
    b.pool = malloc(POOL * sizeof *b.pool);
    b.events = malloc(KP_APPLY_MAX * sizeof *b.events);
    b.bytes = malloc(KP_APPLY_MAX * FLOOR_EVENT_MAX);
    if (!b.decoder || !b.pool || !b.events || !b.bytes) {
        fprintf(stderr, "bench_engine: %s\n", err.text);
        exit(1);
    }
    for (uint64_t i = 0; i < POOL; i++)
        floor_make(&b.pool[i], 1, i, reps);
    run(&b, 4 * n, now_ms, true);   /* reaches the state that a day's work is in */
    for (int i = 0; i < ROUNDS; i++) {
        double decode = run(&b, n, now_ms, false), both = run(&b, n, now_ms, true);

        printf("decode %.1f ns, decode and apply %.1f ns, %.2f M events/s\n", decode, both, 1e3 / both);
    }
    kp_decoder_destroy(&b.decoder);
    kp_engine_destroy(&b.engine);
    kp_config_release(&config);
    kp_fault_list_release(&faults);
    free(b.pool);
    free(b.events);
    free(b.bytes);
    return 0;
}
