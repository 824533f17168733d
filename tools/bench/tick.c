/* bench_tick CONFIG [REPS [SECONDS]]: what looking at alerts costs when time passes: CPU of one tick of a second, in the midst of
 * a working day, with nothing arriving, and after every rep has done something. */
#include "clock.h"

#include "config.h"
#include "faults.h"

#include "kpid/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { A_TEAM = 20, DAYS = 3, TEXT = 256 };
#define MORNING INT64_C(1772442000000)      /* 2026-03-02T09:00:00Z, a Monday */
#define HOUR INT64_C(3600000)

struct bench {
    struct kp_config config;
    struct kp_engine *engine;
    struct kp_decoder *decoder;
    struct kp_event event;
    uint64_t reps, random, alerts;
    int64_t now_ms;
};

static uint64_t draw(struct bench *b, uint64_t below)
{
    b->random = b->random * 6364136223846793005u + 1442695040888963407u;
    return (b->random >> 33) % below;
}

static char *number_text(const char *prefix, uint64_t n)
{
    char text[32];

    snprintf(text, sizeof text, "%s%07llu", prefix, (unsigned long long)n);
    return strdup(text);
}

/* As many as are wanted of the one that the configuration has. */
static bool hire(struct kp_roster_cfg *roster, uint64_t reps)
{
    struct kp_member *members = calloc(reps, sizeof *members);

    if (!members || roster->nmembers != 1 || roster->nlevels != 3) {
        free(members);
        return false;
    }
    members[0] = roster->members[0];
    free(roster->members);
    roster->members = members;
    for (uint64_t i = 1; i < reps; i++) {
        members[i] = members[0];
        members[i].name = NULL;
        members[i].attrs = NULL;
        members[i].nattrs = members[i].naliases = 0;
        members[i].place = calloc(roster->nlevels, sizeof *members[i].place);
        roster->nmembers++;
        if (!members[i].place)
            return false;
        members[i].place[0] = number_text("g", i / A_TEAM % 10);
        members[i].place[1] = number_text("t", i / A_TEAM);
        members[i].place[2] = number_text("r", i);
    }
    return true;
}

static void count_alert(void *ctx, struct kp_engine *engine, const struct kp_alert *alert)
{
    struct bench *b = ctx;

    (void)engine;
    (void)alert;
    b->alerts++;
}

/* One event of a rep, of a mix: calls, fewer e-mails, few deals that end. */
static void act(struct bench *b, uint64_t rep)
{
    static const struct {
        const char *type, *number, *text, *stage;
    } kinds[] = {
        {"call", "duration", "client", ""},
        {"email", "size", "client", ""},
        {"stage", "amount", "deal", "won"},
        {"stage", "amount", "deal", "lost"},
    };
    uint64_t kind = draw(b, 100);
    const struct kp_event *event = &b->event;
    enum kp_reason reason;
    char text[TEXT];
    int len, i = kind < 60 ? 0 : kind < 90 ? 1 : kind < 94 ? 2 : 3;

    len = snprintf(text, sizeof text, "{\"type\":\"%s\",\"rep\":\"r%07llu\",\"%s\":%llu,\"%s\":\"%llu\",\"stage\":\"%s\"}",
                   kinds[i].type, (unsigned long long)rep, kinds[i].number, (unsigned long long)draw(b, 900) + 1, kinds[i].text,
                   (unsigned long long)draw(b, 50), kinds[i].stage);
    kp_decode_begin(b->decoder, text, (size_t)len, (struct kp_str){"", 0});
    if (kp_decode_next(b->decoder, &b->event, &reason) != KP_NEXT_EVENT)
        abort();
    kp_engine_apply(b->engine, &event, 1, b->now_ms, &reason);
    if (reason != KP_ACCEPTED)
        abort();
}

/* Bring time there; CPU ms, and in *looked how many alerts were looked at. */
static double tick(struct bench *b, int64_t to_ms, uint64_t *looked)
{
    struct kp_engine_stats before, after;
    uint64_t start;

    kp_engine_stats(b->engine, &before);
    b->now_ms = to_ms;
    start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    while (kp_engine_settle(b->engine, to_ms, SIZE_MAX))
        ;
    start = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
    kp_engine_stats(b->engine, &after);
    *looked = after.evaluations - before.evaluations;
    return (double)start / 1e6;
}

/* Ticks of a second, one after the other. touched: how many reps do something before each. */
static void ticks(struct bench *b, const char *what, int n, uint64_t touched)
{
    double sum = 0, worst = 0;
    uint64_t looks = 0, most = 0, alerts = b->alerts;

    for (int i = 0; i < n; i++) {
        uint64_t looked, first = draw(b, b->reps);
        double ms;

        for (uint64_t k = 0; k < touched; k++)
            act(b, (first + k) % b->reps);
        ms = tick(b, b->now_ms + 1000, &looked);
        sum += ms;
        looks += looked;
        worst = ms > worst ? ms : worst;
        most = looked > most ? looked : most;
    }
    printf("%-28s mean %9.3f ms CPU, worst %9.3f; looks %11.1f, at most %9llu; %5.0f ns a look; alerts told %llu\n", what, sum / n,
           worst, (double)looks / n, (unsigned long long)most, looks ? sum * 1e6 / (double)looks : 0,
           (unsigned long long)(b->alerts - alerts));
    fflush(stdout);
}

/* Work from Monday to half past two on Wednesday, ten things an hour, told hour by hour and the last ones minute by minute. */
static void work(struct bench *b)
{
    uint64_t looked;

    for (int day = 0; day < DAYS; day++) {
        for (int hour = 0; hour < (day < DAYS - 1 ? 8 : 5); hour++) {
            bool last = day == DAYS - 1 && hour == 4;

            for (int part = 0; part < (last ? 90 : 1); part++) {
                b->now_ms = MORNING + day * 24 * HOUR + hour * HOUR + part * (HOUR / 60);
                for (uint64_t i = 0; i < b->reps * 10 / (last ? 60 : 1); i++)
                    act(b, draw(b, b->reps));
                tick(b, b->now_ms, &looked);
            }
        }
    }
}

static bool start(struct bench *b, const char *file)
{
    struct kp_alert_sink sink = {count_alert, b};
    struct kp_decode_limits limits = {1 << 20, 10000, 256};
    struct kp_fault_list faults;
    struct kp_err err = {0};

    kp_fault_list_init(&faults, file);
    if (kp_config_load(file, &b->config, &faults.faults)) {
        kp_fault_list_print(&faults, stderr);
        kp_fault_list_release(&faults);
        return false;
    }
    kp_fault_list_release(&faults);
    if (!hire(&b->config.roster, b->reps)) {
        fprintf(stderr, "bench_tick: %s has to have one member, at three levels\n", file);
        return false;
    }
    b->engine = kp_engine_new(&b->config, 1, &sink, &err);
    b->decoder = b->engine ? kp_decoder_new(kp_engine_schema(b->engine), &limits, &err) : NULL;
    if (!b->decoder)
        fprintf(stderr, "bench_tick: %s\n", err.text);
    return b->decoder != NULL;
}

int main(int argc, char **argv)
{
    struct bench b = {.reps = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000, .random = 1, .now_ms = MORNING};
    int seconds = argc > 3 ? atoi(argv[3]) : 120;
    struct kp_engine_stats stats;
    bool ok;

    if (argc < 2 || !b.reps || seconds < 1) {
        fputs("usage: bench_tick CONFIG [REPS [SECONDS]]\n", stderr);
        return 2;
    }
    ok = start(&b, argv[1]);
    if (ok) {
        ticks(&b, "the first", 1, 0);
        work(&b);
        kp_engine_stats(b.engine, &stats);
        printf("%u keys, %zu rules, %llu pending, %llu firing\n", stats.keys, b.config.nalerts, (unsigned long long)stats.pending,
               (unsigned long long)stats.firing);
        ticks(&b, "nothing arrives", seconds, 0);
        ticks(&b, "one rep in a hundred acts", seconds, b.reps / 100);
        ticks(&b, "every rep acts", 3, b.reps);
    }
    kp_decoder_destroy(&b.decoder);
    kp_engine_destroy(&b.engine);
    kp_config_release(&b.config);
    return ok ? 0 : 1;
}
