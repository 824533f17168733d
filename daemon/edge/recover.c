#include "recover.h"

#include "clock.h"
#include "control.h"
#include "intake.h"
#include "log.h"
#include "record.h"
#include "reload.h"

#include "kpid/checkpoint.h"

#include <stdio.h>
#include <string.h>

enum { SWEEP_CHUNK = 64 };      /* keys looked at, whether they are to be forgotten, for each chunk */

struct recovery {
    struct kp_storage *storage;
    const struct kp_config *config;
    struct kp_engine *engine;
    struct kp_intake *intake;
    struct kp_control *control;
    struct kp_recovery *report;
    bool (*stop)(void *ctx);
    void *ctx;
    uint32_t swept;
};

static void damaged(struct kp_recovery *report, const char *what)
{
    if (!report->damage[0])
        snprintf(report->damage, sizeof report->damage, "%.*s", (int)sizeof report->damage - 1, what);
    kp_log(KP_LOG_ERROR, "event=damage what=\"%s\"", what);
}

/* ---- Checkpoints ---- */

/* An engine with what a checkpoint holds; NULL: the checkpoint is no good (*fatal false), or no engine can be made. */
static struct kp_engine *load(struct recovery *r, const struct kp_checkpoint_info *info, uint64_t seed,
                              const struct kp_alert_sink *sink, bool *fatal, struct kp_err *err)
{
    struct kp_engine *engine = kp_engine_new(r->config, seed, sink, err);
    struct kp_load_report loaded;
    struct kp_checkpoint_reader *reader;
    enum kp_code code;

    *fatal = engine == NULL;
    if (!engine)
        return NULL;
    reader = kp_checkpoint_reader_open(r->storage, info->id, err);
    code = reader ? kp_engine_load(engine, kp_checkpoint_read, reader, &loaded, err) : KP_EIO;
    if (reader && kp_checkpoint_reader_close(&reader, err))
        code = KP_EIO;
    if (code) {
        kp_engine_destroy(&engine);
        return NULL;
    }
    kp_log(KP_LOG_INFO, "event=loaded checkpoint=%llu position=%llu kpis_kept=%u kpis_new=%u kpis_gone=%u keys_refused=%u "
           "alerts_gone=%u",
           (unsigned long long)info->id, (unsigned long long)info->seq, loaded.kpis_kept, loaded.kpis_new, loaded.kpis_gone,
           loaded.keys_refused, loaded.alerts_gone);
    return engine;
}

static struct kp_engine *load_newest(struct recovery *r, uint64_t seed, const struct kp_alert_sink *sink, struct kp_err *err)
{
    struct kp_checkpoint_info list[KP_CHECKPOINTS_KEPT];
    size_t n = 0;
    enum kp_code code = kp_storage_checkpoints(r->storage, list, KP_CHECKPOINTS_KEPT, &n, err);
    bool fatal = false;

    if (code)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        struct kp_engine *engine = load(r, &list[i], seed, sink, &fatal, err);
        char text[400];

        if (engine) {
            r->report->checkpoint = list[i].id;
            r->report->from = list[i].seq;
            return engine;
        }
        if (fatal)
            return NULL;
        r->report->damaged_checkpoints++;
        snprintf(text, sizeof text, "checkpoint %llu can't be read: %s", (unsigned long long)list[i].id, err->text);
        damaged(r->report, text);
    }
    if (n)
        damaged(r->report, "no checkpoint is whole: what happened before the journal begins is lost");
    return kp_engine_new(r->config, seed, sink, err);
}

/* Is something gone that a checkpoint once held? */
static void look_whether_whole(struct recovery *r)
{
    struct kp_storage_view view;
    char text[128];

    kp_storage_view(r->storage, &view);
    if (!view.gone)
        return;
    r->report->lost_chunks += view.gone;
    snprintf(text, sizeof text, "the last %llu chunks that checkpoints held are gone, and the checkpoints, too",
             (unsigned long long)view.gone);
    damaged(r->report, text);
}

/* ---- The journal ---- */

static void sweep(struct recovery *r)
{
    uint32_t nodes = kp_engine_nodes(r->engine);

    for (int i = 0; i < SWEEP_CHUNK && nodes; i++) {
        r->swept = (r->swept + 1) % nodes;
        kp_engine_sweep(r->engine, r->swept);
    }
}

/* As a turn of the loop went: messages, then a look at what was touched and is due, then requests. */
static bool take_chunk(void *ctx, const struct kp_journal_row *row)
{
    struct recovery *r = ctx;
    struct kp_record record;
    size_t at = 0, requests = row->len;
    bool ok = true;

    while (at < row->len) {
        size_t here = at;

        ok = kp_record_next(row->data, row->len, &at, &record);
        if (!ok)
            break;
        if (record.is_request && requests == row->len)
            requests = here;
        if (!record.is_request)
            kp_intake_again(r->intake, &record, row->at_ms);
    }
    kp_intake_flush(r->intake);
    if (row->flags & KP_CHUNK_SETTLED)
        kp_engine_settle(r->engine, r->config->event_clock ? INT64_MIN : row->at_ms, KP_ALERTS_TURN);
    for (at = requests; ok && at < row->len && kp_record_next(row->data, row->len, &at, &record);)
        if (record.is_request)
            kp_control_again(r->control, record.bytes, record.len, row->seq);
    if (!ok) {
        r->report->lost_chunks++;
        damaged(r->report, "a chunk of the journal is not as kpid writes it: the rest of it is lost");
    }
    sweep(r);
    r->report->chunks++;
    r->report->to = row->seq;
    r->report->stopped = r->stop && r->stop(r->ctx);
    return !r->report->stopped;
}

static void on_lost(void *ctx, const char *what, uint64_t chunks, uint64_t events)
{
    struct recovery *r = ctx;

    r->report->lost_chunks += chunks;
    r->report->lost_events += events;
    damaged(r->report, what);
}

static enum kp_code replay(struct recovery *r, struct kp_err *err)
{
    const struct kp_control_world world = {.config = r->config, .engine = r->engine, .storage = r->storage};
    const struct kp_journal_walk walk = {take_chunk, on_lost, r};
    enum kp_code code = KP_ENOMEM;

    r->intake = kp_intake_new(r->engine, NULL, err);
    r->control = r->intake ? kp_control_open(NULL, &world, 0, err) : NULL;
    r->report->to = r->report->from;
    if (r->control)
        code = kp_storage_walk(r->storage, r->report->from, &walk, err);
    if (r->intake)
        r->report->events = kp_intake_stats(r->intake)->accepted;
    kp_control_close(&r->control);
    kp_intake_destroy(&r->intake);
    return code;
}

/* What is new in the configuration, out of kept events. It is no reason not to start. */
static void refill(struct recovery *r, uint64_t seed, struct kp_err *err)
{
    if (kp_refill(r->engine, r->storage, seed, r->report->from, r->stop, r->ctx, &r->report->refilled, err))
        kp_log(KP_LOG_ERROR, "event=refill done=no error=\"%s\"", err->text);
    else if (r->report->refilled)
        kp_log(KP_LOG_INFO, "event=refill done=yes events=%llu", (unsigned long long)r->report->refilled);
    err->text[0] = '\0';
}

struct kp_engine *kp_recover(struct kp_storage *storage, const struct kp_config *config, uint64_t seed, const struct kp_alert_sink *sink,
                             bool (*stop)(void *ctx), void *ctx, struct kp_recovery *report, struct kp_err *err)
{
    struct recovery r = {.storage = storage, .config = config, .report = report, .stop = stop, .ctx = ctx};
    int64_t from_ms = kp_clock_ms(CLOCK_MONOTONIC), loaded_ms;

    memset(report, 0, sizeof *report);
    look_whether_whole(&r);
    r.engine = load_newest(&r, seed, sink, err);
    loaded_ms = kp_clock_ms(CLOCK_MONOTONIC);
    report->load_ms = loaded_ms - from_ms;
    if (r.engine && report->checkpoint && config->storage.keep_ms)
        refill(&r, seed, err);
    if (r.engine && replay(&r, err))
        kp_engine_destroy(&r.engine);
    report->replay_ms = kp_clock_ms(CLOCK_MONOTONIC) - loaded_ms;
    if (r.engine)
        kp_log(report->damage[0] ? KP_LOG_ERROR : KP_LOG_INFO,
               "event=recovered checkpoint=%llu load_ms=%lld chunks=%llu events=%llu replay_ms=%lld lost_chunks=%llu lost_events=%llu",
               (unsigned long long)report->checkpoint, (long long)report->load_ms, (unsigned long long)report->chunks,
               (unsigned long long)report->events, (long long)report->replay_ms, (unsigned long long)report->lost_chunks,
               (unsigned long long)report->lost_events);
    return r.engine;
}
