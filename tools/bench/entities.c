/* bench_entities CONFIG [DEALS [REPS [EVENTS]]]: what it costs to follow entities. Two kinds of events that differ in their
 * type alone, a call and a stage; both feed the same KPIs, and a stage three more that look at the history of its deal. */
#include "clock.h"
#include "config.h"
#include "faults.h"

#include "kpid/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <msgpack.h>

enum { ROUNDS = 5 };

struct message {
    size_t len;
    char bytes[256];
};

struct bench {
    struct kp_engine *engine;
    struct kp_decoder *decoder;
    struct kp_event *events;    /* KP_APPLY_MAX */
    struct message *messages;   /* ... what they were decoded from */
    uint64_t deals, reps, id, state;
    int64_t now_ms;
};

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t draw(struct bench *b)
{
    uint64_t x = b->state += UINT64_C(0x9E3779B97F4A7C15);

    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static int write_bytes(void *ctx, const char *bytes, size_t len)
{
    struct message *m = ctx;

    if (m->len + len > sizeof m->bytes)
        return -1;
    memcpy(m->bytes + m->len, bytes, len);
    m->len += len;
    return 0;
}

static void put(msgpack_packer *p, const char *key, const char *value)
{
    msgpack_pack_str_with_body(p, key, strlen(key));
    msgpack_pack_str_with_body(p, value, strlen(value));
}

static void put_number(msgpack_packer *p, const char *key, uint64_t value)
{
    msgpack_pack_str_with_body(p, key, strlen(key));
    msgpack_pack_uint64(p, value);
}

static void make(struct bench *b, int i, const char *type, uint64_t deal)
{
    struct message *m = &b->messages[i];
    uint64_t owner;
    enum kp_reason reason;
    msgpack_packer p;
    char text[32];

    m->len = 0;
    msgpack_packer_init(&p, m, write_bytes);
    msgpack_pack_map(&p, 9);
    snprintf(text, sizeof text, "%016llx", (unsigned long long)b->id++);
    put(&p, "id", text);
    put(&p, "source", "bench");
    put(&p, "type", type);
    put_number(&p, "time", (uint64_t)b->now_ms);
    owner = draw(b) % 8 ? deal % b->reps : draw(b) % b->reps;       /* now and then somebody else */
    snprintf(text, sizeof text, "r%07llu", (unsigned long long)owner);
    put(&p, "rep", text);
    snprintf(text, sizeof text, "d%08llu", (unsigned long long)deal);
    put(&p, "deal", text);
    put(&p, "stage", draw(b) % 2 ? "won" : "qualifying");
    put(&p, "direction", "outbound");
    put_number(&p, "amount", draw(b) % 100000);
    kp_decode_begin(b->decoder, m->bytes, m->len, (struct kp_str){"", 0});
    if (kp_decode_next(b->decoder, &b->events[i], &reason) != KP_NEXT_EVENT || reason != KP_ACCEPTED)
        abort();
}

/* ns an event of a type; first: the deal of the first one, which rises then; UINT64_MAX: any. */
static double run(struct bench *b, const char *type, uint64_t n, uint64_t first)
{
    const struct kp_event *events[KP_APPLY_MAX];
    enum kp_reason reasons[KP_APPLY_MAX];
    uint64_t total = 0;

    for (uint64_t done = 0; done < n; done += KP_APPLY_MAX) {
        uint64_t start;

        b->now_ms++;
        for (int i = 0; i < KP_APPLY_MAX; i++) {
            make(b, i, type, first == UINT64_MAX ? draw(b) % b->deals : (first + done + (uint64_t)i) % b->deals);
            events[i] = &b->events[i];
        }
        start = clock_ns(CLOCK_MONOTONIC);
        kp_engine_apply(b->engine, events, KP_APPLY_MAX, b->now_ms, reasons);
        total += clock_ns(CLOCK_MONOTONIC) - start;
    }
    return (double)total / (double)n;
}

static void measure(struct bench *b, uint64_t n)
{
    struct kp_engine_stats stats;

    run(b, "stage", b->deals, 0);
    run(b, "stage", b->deals, UINT64_MAX);      /* so that deals have a history, and reps their panes */
    run(b, "call", n, UINT64_MAX);
    kp_engine_stats(b->engine, &stats);
    printf("%u deals live, %.0f bytes each\n", stats.entities, (double)stats.bytes_entities / stats.entities);
    for (int i = 0; i < ROUNDS; i++) {
        double call = run(b, "call", n, UINT64_MAX), stage = run(b, "stage", n, UINT64_MAX);

        printf("applying a call %.1f ns, a stage %.1f ns, ratio %.2f\n", call, stage, stage / call);
    }
}

int main(int argc, char **argv)
{
    struct kp_decode_limits limits = {1 << 20, 10000, 256};
    struct bench b = {.deals = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000,
                      .reps = argc > 3 ? strtoull(argv[3], NULL, 10) : 10000,
                      .now_ms = (int64_t)(clock_ns(CLOCK_REALTIME) / 1000000)};
    uint64_t n = argc > 4 ? strtoull(argv[4], NULL, 10) : 1 << 20;
    struct kp_fault_list faults;
    struct kp_config config;
    struct kp_err err = {0};

    if (argc < 2 || !b.deals || !b.reps || !n) {
        fputs("usage: bench_entities CONFIG [DEALS [REPS [EVENTS]]]\n", stderr);
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
    if (!b.decoder || !b.events || !b.messages) {
        fprintf(stderr, "bench_entities: %s\n", err.text);
        exit(1);
    }
    measure(&b, n);
    kp_decoder_destroy(&b.decoder);
    kp_engine_destroy(&b.engine);
    kp_config_release(&config);
    kp_fault_list_release(&faults);
    free(b.events);
    free(b.messages);
    return 0;
}
