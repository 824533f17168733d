#include "daemon.h"

#include "clock.h"
#include "control.h"
#include "ingest.h"
#include "log.h"
#include "publish.h"
#include "signals.h"

#include "kpid/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    ALERTS_TURN = 64,       /* rules looked at a turn */
    IDLE_MS = 1000,         /* longest sleep */
    LAST_WORD_MS = 400,     /* for the last snapshots */
    GATHER_FROM = 16,       /* messages of a turn from which it pays to let more gather */
    GATHER_NS = 400000,
};

struct daemon {
    const struct kp_config *config;     /* borrowed */
    void *zmq;                          /* owned, like all that follows */
    int signals;
    struct kp_engine *engine;
    struct kp_ingest *ingest;
    struct kp_publish *publish;
    struct kp_control *control;
    uint64_t messages;                  /* as of the last turn */
};

static void on_alert(void *ctx, struct kp_engine *engine, const struct kp_alert *alert)
{
    struct daemon *d = ctx;

    if (d->publish)
        kp_publish_alert(d->publish, engine, alert);
}

/* Before any thread is made, so that libzmq's inherit the mask and signals come to the loop alone. */
static enum kp_code open_parts(struct daemon *d, struct kp_err *err)
{
    struct kp_alert_sink sink = {on_alert, d};
    struct kp_control_world world;
    uint64_t seed = 0;

    if (kp_signals_open(&d->signals, err))
        return KP_EIO;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        return kp_fail(err, KP_EIO, "random seed: %s", strerror(errno));
    d->engine = kp_engine_new(d->config, seed, &sink, err);
    if (!d->engine)
        return KP_EINVAL;
    d->zmq = zmq_ctx_new();
    if (!d->zmq)
        return kp_fail(err, KP_EIO, "zeromq: %s", zmq_strerror(errno));
    d->publish = kp_publish_open(d->zmq, d->config, err);
    if (!d->publish)
        return KP_EIO;
    d->ingest = kp_ingest_open(d->zmq, d->config, d->engine, err);
    if (!d->ingest)
        return KP_EIO;
    world = (struct kp_control_world){d->config, d->engine, d->ingest, d->publish};
    d->control = kp_control_open(d->zmq, &world, kp_clock_ms(CLOCK_MONOTONIC), err);
    return d->control ? KP_OK : KP_EIO;
}

static void close_parts(struct daemon *d)
{
    kp_control_close(&d->control);
    kp_ingest_close(&d->ingest);
    kp_publish_close(&d->publish);
    if (d->zmq)
        zmq_ctx_term(d->zmq);
    kp_engine_destroy(&d->engine);
    if (d->signals >= 0)
        close(d->signals);
}

static void at_most(int64_t *wait, int64_t ms)
{
    if (ms < *wait)
        *wait = ms < 0 ? 0 : ms;
}

static long sleep_ms(const struct daemon *d, bool busy)
{
    int64_t wait = IDLE_MS;

    if (busy)
        return 0;
    at_most(&wait, kp_publish_due(d->publish) - kp_clock_ms(CLOCK_MONOTONIC));
    if (!d->config->event_clock && kp_engine_due(d->engine) != INT64_MAX)
        at_most(&wait, kp_engine_due(d->engine) - kp_clock_ms(CLOCK_REALTIME));
    return (long)wait;
}

/* When messages come thick, waiting a fraction of a millisecond lets many share the cost of one turn, and libzmq's thread
 * need not wake this one for each: measured, half of what a message of a single event costs. A floor with little to say is
 * answered at once. */
static void let_gather(struct daemon *d, bool busy)
{
    uint64_t before = d->messages;

    d->messages = kp_ingest_messages(d->ingest);
    if (!busy && d->messages - before >= GATHER_FROM)
        nanosleep(&(struct timespec){.tv_nsec = GATHER_NS}, NULL);
}

/* One turn of everything; true: there is more to do now. `asked`: something is there on the sockets beside ingest. */
static bool turn(struct daemon *d, bool asked)
{
    int64_t now_ms = kp_clock_ms(CLOCK_REALTIME), steady_ms = kp_clock_ms(CLOCK_MONOTONIC);
    bool busy = kp_ingest_turn(d->ingest, now_ms);

    busy |= kp_engine_settle(d->engine, d->config->event_clock ? INT64_MIN : now_ms, ALERTS_TURN);
    busy |= kp_publish_turn(d->publish, d->engine, steady_ms, !kp_control_busy(d->control));
    if (asked || kp_control_busy(d->control))
        busy |= kp_control_turn(d->control, steady_ms);
    let_gather(d, busy);
    return busy;
}

static void run(struct daemon *d)
{
    zmq_pollitem_t items[KP_INGEST_MAX + 3];
    size_t n = kp_ingest_poll(d->ingest, items);
    size_t signals = n;
    bool busy = true, asked;

    items[n++] = (zmq_pollitem_t){.fd = d->signals, .events = ZMQ_POLLIN};
    if (kp_publish_socket(d->publish))
        items[n++] = (zmq_pollitem_t){.socket = kp_publish_socket(d->publish), .events = ZMQ_POLLIN};
    if (kp_control_socket(d->control))
        items[n++] = (zmq_pollitem_t){.socket = kp_control_socket(d->control), .events = ZMQ_POLLIN};
    for (;;) {
        if (zmq_poll(items, (int)n, sleep_ms(d, busy)) < 0 && errno != EINTR) {
            kp_log(KP_LOG_ERROR, "event=poll error=\"%s\"", zmq_strerror(errno));
            return;
        }
        if ((items[signals].revents & ZMQ_POLLIN) && kp_signals_take(d->signals, "not in this version of kpid yet"))
            return;
        asked = false;
        for (size_t i = signals + 1; i < n; i++)
            asked |= items[i].revents != 0;
        busy = turn(d, asked);
    }
}

/* What has arrived is counted, and told once more. */
static void end(struct daemon *d)
{
    int64_t until = kp_clock_ms(CLOCK_MONOTONIC) + LAST_WORD_MS / 4;
    struct kp_ingest_stats stats;
    uint32_t unsent;

    while (kp_ingest_turn(d->ingest, kp_clock_ms(CLOCK_REALTIME)) && kp_clock_ms(CLOCK_MONOTONIC) < until)
        ;
    kp_engine_settle(d->engine, d->config->event_clock ? INT64_MIN : kp_clock_ms(CLOCK_REALTIME), ALERTS_TURN);
    unsent = kp_publish_last(d->publish, d->engine, LAST_WORD_MS);
    if (unsent)
        kp_log(KP_LOG_WARN, "event=unpublished keys=%u what=\"changed since their last snapshot, no time to send it\"", unsent);
    kp_ingest_stats(d->ingest, &stats);
    kp_log(KP_LOG_INFO, "event=stopped accepted=%llu duplicates=%llu", (unsigned long long)stats.accepted,
           (unsigned long long)stats.duplicates);
}

enum kp_code kp_daemon_run(const struct kp_config *config, struct kp_err *err)
{
    struct daemon d = {.config = config, .signals = -1};
    enum kp_code code = open_parts(&d, err);

    if (!code) {
        kp_log(KP_LOG_INFO, "event=ready version=%s config=%s kpis=%zu alerts=%zu members=%zu", KPID_VERSION, config->file,
               config->nkpis, config->nalerts, config->roster.nmembers);
        run(&d);
        end(&d);
    }
    close_parts(&d);
    return code;
}
