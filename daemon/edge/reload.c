#include "reload.h"

#include "child.h"
#include "config.h"
#include "intake.h"
#include "record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void kp_reload_release(struct kp_reload *reload)
{
    kp_fault_list_release(&reload->faults);
}

/* ---- The configuration ---- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_ingest(const struct kp_config *a, const struct kp_config *b)
{
    if (a->ningest != b->ningest)
        return false;
    for (size_t i = 0; i < a->ningest; i++) {
        const struct kp_ingest_cfg *x = &a->ingest[i], *y = &b->ingest[i];

        if (x->transport != y->transport || x->bind != y->bind || x->ntopics != y->ntopics || !same_text(x->endpoint, y->endpoint) ||
            strcmp(x->server_key, y->server_key) != 0)
            return false;
        for (size_t t = 0; t < x->ntopics; t++)
            if (!same_text(x->topics[t], y->topics[t]))
                return false;
    }
    return true;
}

/* What is opened once, at the start. NULL: all of it is the same. */
static const char *differs(const struct kp_config *a, const struct kp_config *b)
{
    if (!same_ingest(a, b))
        return "ingest";
    if (!same_text(a->publish_endpoint, b->publish_endpoint) || a->publish_json != b->publish_json || a->publish_hwm != b->publish_hwm)
        return "publish";
    if (!same_text(a->control_endpoint, b->control_endpoint))
        return "control";
    if (!same_text(a->storage.path, b->storage.path) || a->storage.sync_ms != b->storage.sync_ms ||
        a->storage.history_ms != b->storage.history_ms || a->storage.samples_ms != b->storage.samples_ms || a->storage.keep_ms != b->storage.keep_ms ||
        a->storage.journal_bytes != b->storage.journal_bytes || a->limits.queue != b->limits.queue)
        return "storage";
    if (a->security.is_on != b->security.is_on || strcmp(a->security.secret_key, b->security.secret_key) != 0)
        return "security.server_key";
    return a->event_clock != b->event_clock ? "time.clock" : NULL;
}

struct kp_config *kp_reload_config(const struct kp_config *old, struct kp_reload *reload)
{
    struct kp_config *config = calloc(1, sizeof *config);
    const char *what;
    char line[300];

    memset(reload, 0, sizeof *reload);
    kp_fault_list_init(&reload->faults, old->file);
    if (!config) {
        snprintf(reload->error, sizeof reload->error, "out of memory");
        return NULL;
    }
    if (kp_config_load(old->file, config, &reload->faults.faults)) {
        kp_fault_list_sort(&reload->faults);
        kp_fault_list_text(&reload->faults, 0, line, sizeof line);
        snprintf(reload->error, sizeof reload->error, "%s%s", line, reload->faults.faults.count > 1 ? " (and more)" : "");
        free(config);
        return NULL;
    }
    what = differs(old, config);
    if (!what)
        return config;
    snprintf(reload->error, sizeof reload->error, "%s: what is opened at the start can't be changed by a reload: restart kpid", what);
    kp_config_release(config);
    free(config);
    return NULL;
}

/* ---- The engine ---- */

static bool write_all(void *ctx, const void *bytes, size_t len)
{
    return kp_pipe_all(*(const int *)ctx, bytes, len);
}

static size_t read_some(void *ctx, void *buf, size_t most)
{
    return kp_child_read(*(const int *)ctx, buf, most);
}

/* In the child. */
static void write_out(const struct kp_engine *engine, int fd, bool numbers)
{
    _exit((numbers ? kp_engine_save_numbers : kp_engine_save)(engine, write_all, &fd) ? 0 : 1);
}

/* From one engine into another one; report NULL: only what is new there. */
static enum kp_code carry_over(const struct kp_engine *from, struct kp_engine *to, struct kp_load_report *report, struct kp_err *err)
{
    enum kp_code code;
    int fd;
    pid_t child = kp_child_begin(&fd, err);

    if (child < 0)
        return KP_EIO;
    if (child == 0)
        write_out(from, fd, !report);
    code = report ? kp_engine_load(to, read_some, &fd, report, err) : kp_engine_load_numbers(to, read_some, &fd, err);
    close(fd);
    kp_child_end(child, code != KP_OK);
    return code;
}

/* ---- Out of kept events ---- */

struct refill {
    struct kp_engine *engine;
    struct kp_intake *intake;
    uint64_t upto;
    bool (*stop)(void *ctx);    /* NULL: nobody asks */
    void *ctx;
    bool stopped;
};

static bool take_row(void *ctx, const struct kp_journal_row *row)
{
    struct refill *refill = ctx;
    struct kp_record record;

    if (row->seq > refill->upto)
        return false;
    for (size_t at = 0; kp_record_next(row->data, row->len, &at, &record);)
        if (!record.is_request)
            kp_intake_again(refill->intake, &record, row->at_ms);
    kp_intake_flush(refill->intake);
    refill->stopped = refill->stop && refill->stop(refill->ctx);
    return !refill->stopped;
}

enum kp_code kp_refill(struct kp_engine *engine, struct kp_storage *storage, uint64_t seed, uint64_t upto, bool (*stop)(void *ctx),
                       void *ctx, uint64_t *events, struct kp_err *err)
{
    struct refill refill = {.upto = upto, .stop = stop, .ctx = ctx};
    const struct kp_journal_walk walk = {take_row, NULL, &refill};
    enum kp_code code;

    *events = 0;
    if (!kp_engine_has_new(engine))
        return KP_OK;
    refill.engine = kp_engine_new(kp_engine_config(engine), seed, NULL, err);
    refill.intake = refill.engine ? kp_intake_new(refill.engine, NULL, err) : NULL;
    code = refill.intake ? kp_storage_walk(storage, 0, &walk, err) : KP_ENOMEM;
    if (!code && refill.stopped)
        code = kp_fail(err, KP_EIO, "it was stopped");
    if (!code)
        *events = kp_intake_stats(refill.intake)->accepted;
    if (!code && !kp_engine_config(engine)->event_clock)
        kp_engine_settle(refill.engine, kp_engine_now(engine), 0);
    if (!code && *events)
        code = carry_over(refill.engine, engine, NULL, err);
    kp_intake_destroy(&refill.intake);
    kp_engine_destroy(&refill.engine);
    return code;
}

struct kp_engine *kp_reload_engine(const struct kp_engine *old, const struct kp_config *config, uint64_t seed,
                                   const struct kp_alert_sink *sink, struct kp_reload *reload)
{
    struct kp_err err = {0};
    struct kp_engine *engine = kp_engine_new(config, seed, sink, &err);

    if (engine && carry_over(old, engine, &reload->report, &err))
        kp_engine_destroy(&engine);
    if (!engine)
        snprintf(reload->error, sizeof reload->error, "%s", err.text);
    return engine;
}
