/* bench_checkpoint CONFIG [EVENTS [OTHER]]: what saving an engine to memory and loading it costs. The roster is the configuration's;
 * each of its reps acts EVENTS times (20) on some of the last five days. OTHER: the configuration to load it under. */
#include "clock.h"
#include "floor.h"

#include "config.h"
#include "faults.h"

#include "kpid/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POOL = 1 << 18, DAYS = 5 };

struct bench {
    struct kp_config config, other;
    struct kp_engine *engine;
    struct kp_decoder *decoder;
    struct floor_event *pool;
    struct kp_event event;
    char *bytes;                /* NULL: they are only counted */
    size_t n, at;
};

static bool put(void *ctx, const void *bytes, size_t len)
{
    struct bench *b = ctx;

    if (b->bytes)
        memcpy(b->bytes + b->n, bytes, len);
    b->n += len;
    return true;
}

static size_t get(void *ctx, void *to, size_t most)
{
    struct bench *b = ctx;
    size_t n = b->n - b->at < most ? b->n - b->at : most;

    memcpy(to, b->bytes + b->at, n);
    b->at += n;
    return n;
}

static void fail(const char *what)
{
    fprintf(stderr, "bench_checkpoint: %s\n", what);
    exit(1);
}

static void work(struct bench *b, uint64_t reps, uint64_t n, int64_t until_ms)
{
    uint64_t random = 1;

    for (uint64_t i = 0; i < n; i++) {
        const struct kp_event *event = &b->event;
        enum kp_reason reason;
        char bytes[FLOOR_EVENT_MAX];
        int64_t now_ms = until_ms - (int64_t)((n - i) * (DAYS * UINT64_C(86400000) / n));
        size_t len;

        if (i % POOL == 0)
            for (uint64_t k = 0; k < POOL; k++, random++)
                floor_make(&b->pool[k], 1, random, reps);
        len = floor_put(&b->pool[i % POOL], i, (uint64_t)now_ms, bytes);
        kp_decode_begin(b->decoder, bytes, len, (struct kp_str){"", 0});
        if (kp_decode_next(b->decoder, &b->event, &reason) != KP_NEXT_EVENT)
            fail("an event that cannot be read");
        kp_engine_apply(b->engine, &event, 1, now_ms, &reason);
    }
    while (kp_engine_settle(b->engine, until_ms, SIZE_MAX))
        ;
}

static double seconds_since(uint64_t start)
{
    return (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e9;
}

static void run(struct bench *b, uint64_t reps)
{
    struct kp_engine *next;
    struct kp_load_report report;
    struct kp_engine_stats stats;
    struct kp_err err = {0};
    uint64_t start = clock_ns(CLOCK_MONOTONIC);
    double saving, making, loading, mb;

    b->n = 0;
    if (!kp_engine_save(b->engine, put, b))
        fail("save");
    b->bytes = malloc(b->n);
    if (!b->bytes)
        fail("out of memory");
    memset(b->bytes, 1, b->n);
    b->n = 0;
    start = clock_ns(CLOCK_MONOTONIC);
    if (!kp_engine_save(b->engine, put, b))
        fail("save");
    saving = seconds_since(start);
    start = clock_ns(CLOCK_MONOTONIC);
    next = kp_engine_new(b->other.nkpis ? &b->other : &b->config, 1, NULL, &err);
    if (!next)
        fail(err.text);
    making = seconds_since(start);
    start = clock_ns(CLOCK_MONOTONIC);
    b->at = 0;
    if (kp_engine_load(next, get, b, &report, &err))
        fail(err.text);
    loading = seconds_since(start);
    kp_engine_stats(next, &stats);
    mb = (double)b->n / 1e6;
    printf("%llu reps, %u keys, %zu panes, %zu ids: %.1f MB, "
           "saved in %.2f s (%.0f MB/s); made in %.2f s, "
           "loaded in %.2f s (%.0f MB/s)\n",
           (unsigned long long)reps, stats.keys, stats.rows, stats.dedup_ids, mb, saving, mb / saving, making, loading, mb / loading);
    kp_engine_destroy(&next);
    free(b->bytes);
    b->bytes = NULL;
}

int main(int argc, char **argv)
{
    uint64_t each = argc > 2 ? strtoull(argv[2], NULL, 10) : 20, reps;
    struct kp_decode_limits limits = {1 << 20, 10000, 256};
    int64_t now_ms = (int64_t)(clock_ns(CLOCK_REALTIME) / 1000000);
    struct bench *b = calloc(1, sizeof *b);
    struct kp_fault_list faults;
    struct kp_err err = {0};

    if (argc < 2 || !each || !b) {
        fputs("usage: bench_checkpoint CONFIG [EVENTS [OTHER]]\n", stderr);
        return 2;
    }
    kp_fault_list_init(&faults, argv[1]);
    if (kp_config_load(argv[1], &b->config, &faults.faults) ||
        (argc > 3 && kp_config_load(argv[3], &b->other, &faults.faults))) {
        kp_fault_list_print(&faults, stderr);
        return 2;
    }
    reps = b->config.roster.nmembers;
    b->engine = kp_engine_new(&b->config, 1, NULL, &err);
    b->decoder = b->engine ? kp_decoder_new(kp_engine_schema(b->engine), &limits, &err) : NULL;
    b->pool = malloc(POOL * sizeof *b->pool);
    if (!b->decoder || !b->pool || !reps)
        fail(err.text[0] ? err.text : "no members in the roster, or out of memory");
    work(b, reps, reps * each, now_ms);
    run(b, reps);
    run(b, reps);
    kp_decoder_destroy(&b->decoder);
    kp_engine_destroy(&b->engine);
    kp_config_release(&b->config);
    kp_config_release(&b->other);
    kp_fault_list_release(&faults);
    free(b->pool);
    free(b);
    return 0;
}
