#include "daemon.h"

#include "checkpoint.h"
#include "clock.h"
#include "control.h"
#include "guard.h"
#include "history.h"
#include "ingest.h"
#include "log.h"
#include "operator.h"
#include "publish.h"
#include "recover.h"
#include "reload.h"
#include "service.h"
#include "signals.h"
#include "wall.h"

#include "kpid/encode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    IDLE_MS = 1000,         /* longest sleep */
    LAST_WORD_MS = 400,     /* for the last snapshots */
    LAST_CHECKPOINT_MS = 60000,
    HELD_MS = 1000,         /* time stands still no longer */
    LEAP_MS = 3600000,      /* time that went on unseen, as while kpid did not run */
    GATHER_FROM = 16,       /* messages of a turn from which it pays to let more gather */
    GATHER_NS = 400000,
};

struct daemon {
    const struct kp_config *config;     /* borrowed, or `reloaded` */
    struct kp_config *reloaded;         /* owned; NULL: it is still the first one */
    uint64_t seed;                      /* of the engine */
    bool reload;                        /* SIGHUP has asked for one */
    bool ending;                        /* SIGTERM has */
    void *zmq;                          /* owned, like all that follows */
    int signals;
    struct kp_storage *storage;         /* NULL: memory only, like the journal */
    struct kp_journal *journal;
    struct kp_checkpointer checkpointer;
    struct kp_recovery recovery;
    struct kp_engine *engine;
    struct kp_guard *guard;
    struct kp_ingest *ingest;
    struct kp_publish *publish;
    struct kp_control *control;
    struct kp_out *json;                /* what alerts said, for the history */
    struct kp_operator operator;
    struct kp_history history;
    uint64_t messages;                  /* as of the last turn */
    bool unsettled;                     /* there is more to look at now */
    int64_t now_ms;                     /* of the last turn */
    struct kp_wall wall;
    struct kp_service service;
    struct kp_timings timings;
};

/* ---- Alerts ---- */

/* Told when what it rests on is on disk; at once where nothing is to be, or can be. */
static void on_alert(void *ctx, struct kp_engine *engine, const struct kp_alert *alert)
{
    struct daemon *d = ctx;
    const void *bytes;
    size_t len;

    if (!d->publish)
        return;     /* it was told before kpid stopped */
    if (d->journal) {
        kp_out_clear(d->json);
        kp_encode_alert(d->json, engine, alert, 0);
        bytes = kp_out_bytes(d->json, &len);
        if (bytes)
            kp_journal_alert(d->journal, bytes, len);
    }
    if (!kp_journal_outbox(d->journal) ||
        !kp_publish_hold(d->publish, engine, alert, kp_journal_outbox(d->journal), kp_journal_position(d->journal)))
        kp_publish_alert(d->publish, engine, alert);
}

/* since_ms: 0: now. */
static void operate(struct daemon *d, const char *rule, const char *subject, bool critical, bool firing, const char *message,
                    int64_t since_ms)
{
    int64_t now_ms = kp_clock_ms(CLOCK_REALTIME);
    const struct kp_operator_alert *alert =
        kp_operator_set(&d->operator, rule, subject, critical, firing, message, since_ms ? since_ms : now_ms, now_ms);
    const void *bytes;
    char said[500];
    size_t len;

    if (!alert)
        return;
    kp_publish_operator(d->publish, alert);
    kp_log(firing ? KP_LOG_ERROR : KP_LOG_INFO, "event=alert rule=%s state=%s message=%s", rule, firing ? "firing" : "resolved",
           kp_log_quote(alert->message, strlen(alert->message), said, sizeof said));
    if (!d->journal)
        return;
    kp_out_clear(d->json);
    kp_operator_encode(d->json, alert, 0);
    bytes = kp_out_bytes(d->json, &len);
    if (bytes)
        kp_journal_alert(d->journal, bytes, len);
}

/* Time stands still while the clock is behind it, and goes on by itself while the clock has leapt ahead. */
static void look_after_clock(struct daemon *d)
{
    int64_t known = kp_engine_now(d->engine), behind = known == INT64_MIN ? 0 : known - d->now_ms;
    bool wrong = behind > KP_WALL_LEAP_MS || kp_wall_leaps(&d->wall);
    char text[200];

    if (d->config->event_clock || (!wrong && !d->operator.n))
        return;
    snprintf(text, sizeof text, "the system's clock is %lld s %s: %s", (long long)(behind > 0 ? behind : d->wall.ahead_ms) / 1000,
             behind > 0 ? "behind the last instant that kpid knows" : "ahead all at once",
             behind > 0 ? "time stands still until it is reached" : "if it lasts, it is believed");
    operate(d, "kpid.clock", "", true, wrong, text, 0);
}

/* What is amiss with kpid and its sources: one alert for whoever runs it. That of a source is the same one after a restart, since it
 * is known from when on it was silent. */
static void look_after(struct daemon *d)
{
    for (size_t i = 0; i < d->config->nsources; i++) {
        struct kp_source_view source;
        char text[300];

        kp_engine_source(d->engine, i, &source);
        if (!source.silent && !d->operator.n)
            continue;
        snprintf(text, sizeof text, "source %s has been silent for longer than its heartbeat: what it feeds has no data",
                 source.cfg->name);
        operate(d, "kpid.source", source.cfg->name, false, source.silent, text,
                source.heard_ms == INT64_MIN ? 0 : source.heard_ms + source.cfg->heartbeat_ms);
    }
    look_after_clock(d);
    if (d->journal)
        operate(d, "kpid.storage", "", true, kp_journal_mode(d->journal) == KP_JOURNAL_BROKEN, kp_journal_error(d->journal), 0);
}

/* ---- Opening ---- */

/* Asked while something takes long: the journal is read again. */
static bool wants_end(void *ctx)
{
    struct daemon *d = ctx;

    if (d->ingest)
        kp_service_alive(&d->service, kp_clock_ms(CLOCK_MONOTONIC));
    else
        kp_service_wait(&d->service, kp_clock_ms(CLOCK_MONOTONIC));
    d->ending |= kp_signals_take(d->signals, &d->reload);
    return d->ending;
}

/* So that a tool that is given the store alone knows what its numbers mean. */
static enum kp_code note_config(struct daemon *d, struct kp_err *err)
{
    char *file = realpath(d->config->file, NULL);
    enum kp_code code = kp_storage_note(d->storage, "config", file ? file : d->config->file, err);

    free(file);
    return code;
}

static enum kp_code make_engine(struct daemon *d, struct kp_err *err)
{
    struct kp_alert_sink sink = {on_alert, d};
    struct kp_storage_view view;

    if (getrandom(&d->seed, sizeof d->seed, 0) != (ssize_t)sizeof d->seed)
        return kp_fail(err, KP_EIO, "random seed: %s", strerror(errno));
    if (!d->config->storage.path) {
        d->engine = kp_engine_new(d->config, d->seed, &sink, err);
        return d->engine ? KP_OK : KP_EINVAL;
    }
    d->storage = kp_storage_open(&d->config->storage, d->config->limits.queue, err);
    if (!d->storage || kp_storage_seed(d->storage, &d->seed, err))
        return KP_EIO;
    if (note_config(d, err))
        return KP_EIO;
    kp_storage_view(d->storage, &view);
    if (view.is_new)
        kp_log(KP_LOG_WARN, "event=store path=%s what=\"there was none: it is made, and begins empty\"", d->config->storage.path);
    d->engine = kp_recover(d->storage, d->config, d->seed, &sink, wants_end, d, &d->recovery, err);
    if (!d->engine)
        return err->code ? err->code : KP_EIO;
    if (kp_storage_start(d->storage, err))
        return KP_EIO;
    d->journal = kp_journal_new(d->storage, err);
    kp_history_init(&d->history, d->storage, d->config, kp_engine_has_new(d->engine) ? kp_engine_now(d->engine) : view.created_ms);
    kp_checkpointer_init(&d->checkpointer, d->storage, d->config->storage.checkpoint_ms, kp_clock_ms(CLOCK_MONOTONIC));
    return d->journal ? KP_OK : KP_ENOMEM;
}

/* Before any thread is made, so that libzmq's inherit the mask and signals come to the loop alone. */
static enum kp_code open_parts(struct daemon *d, struct kp_err *err)
{
    struct kp_control_world world;
    enum kp_code code;

    if (kp_signals_open(&d->signals, err))
        return KP_EIO;
    d->json = kp_out_new(true, err);
    code = d->json ? make_engine(d, err) : KP_ENOMEM;
    if (code || d->recovery.stopped)
        return code;
    d->zmq = zmq_ctx_new();
    if (!d->zmq)
        return kp_fail(err, KP_EIO, "zeromq: %s", zmq_strerror(errno));
    d->guard = kp_guard_open(d->zmq, d->config, err);
    if (!d->guard)
        return KP_EIO;
    d->publish = kp_publish_open(d->zmq, d->config, d->guard, err);
    if (!d->publish)
        return KP_EIO;
    d->ingest = kp_ingest_open(d->zmq, d->engine, d->journal, d->guard, err);
    if (!d->ingest)
        return KP_EIO;
    world = (struct kp_control_world){.config = d->config,
                                      .engine = d->engine,
                                      .ingest = d->ingest,
                                      .publish = d->publish,
                                      .journal = d->journal,
                                      .storage = d->storage,
                                      .checkpointer = &d->checkpointer,
                                      .recovery = &d->recovery,
                                      .operator= &d->operator,
                                      .guard = d->guard,
                                      .timings = &d->timings};
    d->control = kp_control_open(d->zmq, &world, kp_clock_ms(CLOCK_MONOTONIC), err);
    return d->control ? KP_OK : KP_EIO;
}

static void close_parts(struct daemon *d)
{
    kp_checkpointer_stop(&d->checkpointer);
    kp_history_release(&d->history);
    kp_journal_destroy(&d->journal);
    kp_storage_stop(&d->storage);
    kp_control_close(&d->control);
    kp_ingest_close(&d->ingest);
    kp_publish_close(&d->publish);
    kp_guard_close(&d->guard);
    if (d->zmq)
        zmq_ctx_term(d->zmq);
    kp_engine_destroy(&d->engine);
    if (d->reloaded)
        kp_config_release(d->reloaded);
    free(d->reloaded);
    kp_out_destroy(&d->json);
    if (d->signals >= 0)
        close(d->signals);
}

/* ---- What waited for the disk ---- */

static void say(void *ctx, struct kp_outbox_item *item)
{
    struct daemon *d = ctx;

    if (item->tag == KP_SAY_REPLY)
        kp_ingest_say(d->ingest, item);
    else if (item->tag == KP_SAY_CONTROL)
        kp_control_say(d->control, item);
    else
        kp_publish_say(d->publish, item);
}

/* The store fails: senders are to keep what they were not promised, and alerts wait no longer. */
static void say_anyway(void *ctx, struct kp_outbox_item *item)
{
    struct daemon *d = ctx;

    if (item->tag == KP_SAY_REPLY)
        kp_ingest_refuse(d->ingest, item, kp_journal_error(d->journal));
    else
        say(ctx, item);
}

static void release(struct daemon *d, struct kp_outbox *outbox)
{
    kp_outbox_release(outbox, kp_journal_committed(d->journal), say, d);
    if (kp_journal_mode(d->journal) == KP_JOURNAL_BROKEN)
        kp_outbox_release(outbox, UINT64_MAX, say_anyway, d);
}

/* ---- The loop ---- */

static void not_beyond(int64_t *wait, int64_t due, int64_t now)
{
    if (due < now + *wait)
        *wait = due > now ? due - now : 0;
}

/* held: nothing is taken in, nor looked at, until the store has told of something. */
static long sleep_ms(const struct daemon *d, bool busy, bool held)
{
    int64_t wait = IDLE_MS, steady_ms = kp_clock_ms(CLOCK_MONOTONIC), now_ms = kp_clock_ms(CLOCK_REALTIME);

    if (busy)
        return 0;
    not_beyond(&wait, kp_publish_due(d->publish), steady_ms);
    not_beyond(&wait, kp_service_due(&d->service), steady_ms);
    if (kp_control_paused_until(d->control, steady_ms))
        not_beyond(&wait, kp_control_paused_until(d->control, steady_ms), steady_ms);
    if (d->journal)
        not_beyond(&wait, kp_checkpointer_due(&d->checkpointer), steady_ms);
    if (!d->config->event_clock && !held)
        not_beyond(&wait, kp_engine_due(d->engine), now_ms);
    if (d->journal && !d->config->event_clock && !held)
        not_beyond(&wait, kp_history_due(&d->history), now_ms);
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

/* Look at what was touched and at what is due. Is there nothing, nothing is noted: it would come to the same without. */
static bool settle(struct daemon *d, bool taken, int64_t now_ms)
{
    int64_t now = d->config->event_clock ? kp_engine_now(d->engine) : now_ms, begun_us = kp_clock_us(CLOCK_MONOTONIC);

    if (d->journal && (taken || d->unsettled || kp_engine_due(d->engine) <= now))
        kp_journal_settled(d->journal);
    d->unsettled = kp_engine_settle(d->engine, d->config->event_clock ? INT64_MIN : now_ms, KP_ALERTS_TURN);
    kp_histogram_note(&d->timings.settle, kp_clock_us(CLOCK_MONOTONIC) - begun_us);
    return d->unsettled;
}

/* Events, and what comes of them. */
static bool take(struct daemon *d, int64_t now_ms)
{
    uint64_t before = kp_ingest_messages(d->ingest);
    int64_t known = kp_engine_now(d->engine);
    bool busy;

    if (d->journal && !d->config->event_clock && known != INT64_MIN && now_ms - known > LEAP_MS)
        kp_history_before_leap(&d->history, d->engine, now_ms);
    busy = kp_ingest_turn(d->ingest, now_ms);
    return settle(d, kp_ingest_messages(d->ingest) != before, now_ms) || busy;
}

/* What is due at one instant is all looked at as of that instant, however many turns it takes: then it does not matter in which
 * order, and reading the journal again comes to the same. */
static int64_t time_of_turn(struct daemon *d)
{
    int64_t now_ms = kp_wall_now(&d->wall, kp_clock_ms(CLOCK_REALTIME), kp_clock_ms(CLOCK_MONOTONIC));

    if (!d->journal || !d->unsettled || now_ms - d->now_ms > HELD_MS || now_ms < d->now_ms)
        d->now_ms = now_ms;
    return d->now_ms;
}

/* Is the engine to stay as it is, until the disk has caught up? */
static bool is_held(const struct daemon *d)
{
    return kp_journal_mode(d->journal) == KP_JOURNAL_FULL || d->reload || kp_control_wants_reload(d->control);
}

static bool has_answer(const struct daemon *d)
{
    return d->storage && kp_history_has_answer(d->storage);
}

/* One turn of everything; true: there is more to do now. `asked`: something is there on the sockets beside ingest. While the disk
 * is behind, nothing is done that it would have to keep. */
static bool turn(struct daemon *d, bool asked)
{
    int64_t now_ms = time_of_turn(d), steady_ms = kp_clock_ms(CLOCK_MONOTONIC), begun_us = kp_clock_us(CLOCK_MONOTONIC);
    bool full, busy = false;

    kp_service_alive(&d->service, steady_ms);
    kp_guard_turn(d->guard);
    kp_journal_begin(d->journal, now_ms);
    full = is_held(d);

    if (d->journal)
        release(d, kp_journal_waiting(d->journal));
    if (!full)
        busy = take(d, now_ms);
    look_after(d);
    busy |= kp_publish_turn(d->publish, d->engine, steady_ms, !kp_control_busy(d->control) && !d->history.running);
    if (!full && d->journal)
        busy |= kp_history_turn(&d->history, d->engine);
    if (!full && (asked || kp_control_busy(d->control) || has_answer(d)))
        busy |= kp_control_turn(d->control, steady_ms);
    if (kp_control_has_forgotten(d->control))
        kp_history_anew(&d->history);
    kp_journal_end(d->journal);
    if (d->journal)
        kp_checkpointer_turn(&d->checkpointer, d->engine, d->journal, steady_ms);
    busy |= !full && has_answer(d);     /* it came after the look, and what would have told of it is read */
    kp_histogram_note(&d->timings.turn, kp_clock_us(CLOCK_MONOTONIC) - begun_us);
    let_gather(d, busy);
    return busy;
}

/* ---- Another configuration ---- */

/* Rules that are gone end their alerts, as long as there is somebody who can tell of them. */
static void take_over(struct daemon *d, struct kp_config *config, struct kp_engine *engine)
{
    struct kp_engine *old = d->engine;

    kp_journal_begin(d->journal, d->now_ms);
    kp_engine_end_rules(old, config);
    kp_journal_end(d->journal);
    d->engine = engine;
    d->config = config;
    kp_guard_rebind(d->guard, config);
    kp_publish_rebind(d->publish, config);
    kp_history_rebind(&d->history, config, kp_engine_now(engine));
    kp_checkpointer_every(&d->checkpointer, config->storage.checkpoint_ms, kp_clock_ms(CLOCK_MONOTONIC));
    kp_checkpointer_ask(&d->checkpointer);
    kp_engine_destroy(&old);
    if (d->reloaded)
        kp_config_release(d->reloaded);
    free(d->reloaded);
    d->reloaded = config;
    d->unsettled = true;
}

/* What is new, out of the events that are kept: by a connection of its own, since the thread has the other. */
static void refill(struct daemon *d, struct kp_engine *engine)
{
    struct kp_err err = {0};
    struct kp_storage *storage = kp_storage_open_readonly(d->config->storage.path, &err);
    uint64_t events = 0;
    enum kp_code code = storage ? kp_refill(engine, storage, d->seed, kp_journal_position(d->journal), wants_end, d, &events, &err) : KP_EIO;

    kp_storage_stop(&storage);
    if (code)
        kp_log(KP_LOG_ERROR, "event=refill done=no error=\"%s\"", err.text);
    else if (events)
        kp_log(KP_LOG_INFO, "event=refill done=yes events=%llu", (unsigned long long)events);
}

static void reload(struct daemon *d)
{
    struct kp_alert_sink sink = {on_alert, d};
    int64_t from_ms = kp_clock_ms(CLOCK_MONOTONIC);
    struct kp_reload result;
    struct kp_config *config = kp_reload_config(d->config, &result);
    struct kp_engine *engine = config ? kp_reload_engine(d->engine, config, d->seed, &sink, &result) : NULL;
    struct kp_err err = {0};
    char said[450];

    d->reload = false;
    if (engine && d->storage && config->storage.keep_ms)
        refill(d, engine);
    if (engine && kp_ingest_rebind(d->ingest, engine, &err)) {
        snprintf(result.error, sizeof result.error, "%s", err.text);
        kp_engine_destroy(&engine);
    }
    if (engine) {
        take_over(d, config, engine);
        result.done = true;
    } else if (config) {
        kp_config_release(config);
        free(config);
    }
    result.took_ms = kp_clock_ms(CLOCK_MONOTONIC) - from_ms;
    kp_control_reloaded(d->control, d->config, d->engine, &result);
    kp_log(result.done ? KP_LOG_INFO : KP_LOG_ERROR,
           "event=reload done=%s took_ms=%lld kpis_kept=%u kpis_new=%u kpis_gone=%u alerts_gone=%u error=%s",
           result.done ? "yes" : "no", (long long)result.took_ms, result.report.kpis_kept, result.report.kpis_new,
           result.report.kpis_gone, result.report.alerts_gone, kp_log_quote(result.error, strlen(result.error), said, sizeof said));
    kp_reload_release(&result);
}

/* What is polled: events, signals, the store, and who asks or subscribes. */
struct polled {
    zmq_pollitem_t items[KP_INGEST_MAX + 5];
    size_t ningest, signals, control, n;
};

static void add_item(struct polled *p, void *socket, int fd)
{
    p->items[p->n++] = (zmq_pollitem_t){.socket = socket, .fd = fd, .events = ZMQ_POLLIN};
}

static void poll_what(struct daemon *d, struct polled *p)
{
    p->n = p->ningest = kp_ingest_poll(d->ingest, p->items);
    p->signals = p->n;
    add_item(p, NULL, d->signals);
    if (d->storage)
        add_item(p, NULL, kp_storage_fd(d->storage));
    if (kp_publish_socket(d->publish))
        add_item(p, kp_publish_socket(d->publish), 0);
    if (kp_guard_socket(d->guard))
        add_item(p, kp_guard_socket(d->guard), 0);
    p->control = p->n;
    if (kp_control_socket(d->control))
        add_item(p, kp_control_socket(d->control), 0);
}

/* Is all on disk that the engine knows, so that what is kept there is whole? If the disk fails, it is as good as it gets. */
static bool is_settled(const struct daemon *d)
{
    return !d->journal || kp_journal_mode(d->journal) == KP_JOURNAL_BROKEN ||
           kp_journal_committed(d->journal) >= kp_journal_position(d->journal);
}

/* Are requests to wait, since there were too many? */
static bool is_paused(const struct daemon *d)
{
    return kp_control_paused_until(d->control, kp_clock_ms(CLOCK_MONOTONIC)) != 0;
}

static void run(struct daemon *d)
{
    struct polled p;
    bool busy = true;

    poll_what(d, &p);
    for (;;) {
        bool held = is_held(d), asked = false;

        for (size_t i = 0; i < p.n; i++)
            p.items[i].events = (held && i != p.signals && p.items[i].socket) || (i == p.control && is_paused(d)) ? 0 : ZMQ_POLLIN;
        if (zmq_poll(p.items, (int)p.n, sleep_ms(d, busy, held)) < 0 && errno != EINTR) {
            kp_log(KP_LOG_ERROR, "event=poll error=\"%s\"", zmq_strerror(errno));
            return;
        }
        if (d->ending || ((p.items[p.signals].revents & ZMQ_POLLIN) && wants_end(d)))
            return;
        for (size_t i = p.signals + 1; i < p.n; i++)
            asked |= p.items[i].revents != 0;
        busy = turn(d, asked);
        if ((d->reload || kp_control_wants_reload(d->control)) && is_settled(d)) {
            kp_service_reloading();
            reload(d);
            kp_service_ready();
            busy = true;
        }
    }
}

/* ---- The end ---- */

/* A last checkpoint, so that the next start is quick; not at any price. */
static void put_away(struct daemon *d)
{
    int64_t until = kp_clock_ms(CLOCK_MONOTONIC) + LAST_CHECKPOINT_MS;
    uint64_t before = d->checkpointer.count + d->checkpointer.failed;

    kp_journal_end(d->journal);
    kp_checkpointer_ask(&d->checkpointer);
    for (;;) {
        zmq_pollitem_t item = {.fd = kp_storage_fd(d->storage), .events = ZMQ_POLLIN};
        int64_t now = kp_clock_ms(CLOCK_MONOTONIC);

        kp_journal_begin(d->journal, kp_clock_ms(CLOCK_REALTIME));
        release(d, kp_journal_waiting(d->journal));
        kp_checkpointer_turn(&d->checkpointer, d->engine, d->journal, now);
        if (kp_journal_mode(d->journal) == KP_JOURNAL_BROKEN || now >= until ||
            (!d->checkpointer.running && !d->checkpointer.asked && d->checkpointer.count + d->checkpointer.failed != before))
            return;
        zmq_poll(&item, 1, 100);
    }
}

/* What has arrived is counted, and told once more. */
static void end(struct daemon *d)
{
    int64_t until = kp_clock_ms(CLOCK_MONOTONIC) + LAST_WORD_MS / 4;
    struct kp_ingest_stats stats;
    uint32_t unsent;

    kp_journal_begin(d->journal, kp_clock_ms(CLOCK_REALTIME));
    while (kp_ingest_turn(d->ingest, kp_clock_ms(CLOCK_REALTIME)) && kp_clock_ms(CLOCK_MONOTONIC) < until) {
        kp_journal_end(d->journal);
        kp_journal_begin(d->journal, kp_clock_ms(CLOCK_REALTIME));
    }
    settle(d, true, kp_clock_ms(CLOCK_REALTIME));
    if (d->journal)
        put_away(d);
    unsent = kp_publish_last(d->publish, d->engine, LAST_WORD_MS);
    if (unsent)
        kp_log(KP_LOG_WARN, "event=unpublished keys=%u what=\"changed since their last snapshot, no time to send it\"", unsent);
    kp_ingest_stats(d->ingest, &stats);
    kp_log(KP_LOG_INFO, "event=stopped accepted=%llu duplicates=%llu", (unsigned long long)stats.events.accepted,
           (unsigned long long)stats.events.duplicates);
}

enum kp_code kp_daemon_run(const struct kp_config *config, struct kp_err *err)
{
    struct daemon d = {.config = config, .signals = -1};
    enum kp_code code;

    kp_service_init(&d.service);
    code = open_parts(&d, err);

    if (!code && !d.recovery.stopped) {
        kp_log(KP_LOG_INFO, "event=ready version=%s config=%s kpis=%zu alerts=%zu members=%zu", KPID_VERSION, config->file,
               config->nkpis, config->nalerts, config->roster.nmembers);
        kp_service_ready();
        run(&d);
        kp_service_stopping();
        end(&d);
    }
    close_parts(&d);
    return code;
}
