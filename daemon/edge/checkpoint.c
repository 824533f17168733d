#include "checkpoint.h"

#include "child.h"
#include "clock.h"
#include "log.h"

#include "kpid/checkpoint.h"

#include <unistd.h>

enum { RETRY_MS = 5000, CUT_MS = 2000, ERASE_MS = 1000 };

void kp_checkpointer_init(struct kp_checkpointer *c, struct kp_storage *storage, int64_t every_ms, int64_t steady_ms)
{
    *c = (struct kp_checkpointer){.storage = storage, .every_ms = every_ms, .due_ms = steady_ms + every_ms};
}

void kp_checkpointer_ask(struct kp_checkpointer *c)
{
    c->asked = true;
}

void kp_checkpointer_every(struct kp_checkpointer *c, int64_t every_ms, int64_t steady_ms)
{
    c->every_ms = every_ms;
    c->due_ms = steady_ms + every_ms;
}

/* In the child. */
static void write_out(const struct kp_engine *engine, int fd)
{
    struct kp_pipe pipe;

    kp_pipe_init(&pipe, fd);
    if (!kp_engine_save(engine, kp_pipe_write, &pipe) || !kp_pipe_end(&pipe))
        _exit(1);
    _exit(0);
}

static void begin(struct kp_checkpointer *c, const struct kp_engine *engine, struct kp_journal *journal, int64_t steady_ms)
{
    int64_t from = kp_clock_us(CLOCK_MONOTONIC);
    struct kp_storage_view view;
    struct kp_err err = {0};
    int fd;

    c->due_ms = steady_ms + c->every_ms;
    kp_storage_view(c->storage, &view);
    c->seen = view.checkpoints_done + view.checkpoints_failed;
    c->child = kp_child_begin(&fd, &err);
    if (c->child == 0)
        write_out(engine, fd);
    c->pause_us = kp_clock_us(CLOCK_MONOTONIC) - from;
    c->pause_max_us = c->pause_us > c->pause_max_us ? c->pause_us : c->pause_max_us;
    if (c->child < 0) {
        kp_log(KP_LOG_ERROR, "event=checkpoint done=no error=\"%s\"", err.text);
        c->child = 0;
        c->failed++;
        return;
    }
    c->running = true;
    c->asked = false;
    c->mends = kp_journal_has_hole(journal);
    c->position = kp_journal_position(journal);
    kp_storage_checkpoint(c->storage, fd, c->position, kp_engine_now(engine));
}

static void see_to_end(struct kp_checkpointer *c, struct kp_journal *journal, int64_t steady_ms)
{
    struct kp_storage_view view;

    kp_storage_view(c->storage, &view);
    if (view.checkpoints_done + view.checkpoints_failed == c->seen)
        return;
    if (view.last_checkpoint.ok) {
        c->count++;
        c->older = c->newest;
        c->newest = view.last_checkpoint.seq;
        if (c->mends)
            kp_journal_mend(journal);
        kp_log(KP_LOG_INFO, "event=checkpoint done=yes position=%llu bytes=%llu took_ms=%lld pause_us=%lld",
               (unsigned long long)view.last_checkpoint.seq, (unsigned long long)view.last_checkpoint.bytes,
               (long long)view.last_checkpoint.took_ms, (long long)c->pause_us);
    } else {
        c->failed++;
        if (c->due_ms > steady_ms + RETRY_MS)
            c->due_ms = steady_ms + RETRY_MS;
        kp_log(KP_LOG_ERROR, "event=checkpoint done=no error=\"%s\"", view.error);
    }
    kp_child_end(c->child, !view.last_checkpoint.ok);
    c->child = 0;
    c->running = false;
}

void kp_checkpointer_turn(struct kp_checkpointer *c, const struct kp_engine *engine, struct kp_journal *journal, int64_t steady_ms)
{
    bool hole = kp_journal_has_hole(journal), broken = kp_journal_mode(journal) == KP_JOURNAL_BROKEN;

    if (c->running) {
        see_to_end(c, journal, steady_ms);
        return;
    }
    if (broken) {
        if (c->due_ms <= steady_ms)
            c->due_ms = steady_ms + RETRY_MS;
        return;
    }
    /* Two are kept, so it may take two, and the thread some time, until the journal is shorter. */
    if (kp_journal_is_full(journal) && steady_ms >= c->cut_ms && c->older != kp_journal_position(journal)) {
        c->cut_ms = steady_ms + CUT_MS;
        c->asked = true;
    }
    if (kp_journal_wants_checkpoint(journal) && steady_ms >= c->erase_ms) {
        c->erase_ms = steady_ms + ERASE_MS;
        c->asked = true;
    }
    if (!c->asked && !hole && steady_ms < c->due_ms)
        return;
    if (c->asked || hole || kp_journal_position(journal) != c->position)
        begin(c, engine, journal, steady_ms);
    else
        c->due_ms = steady_ms + c->every_ms;    /* nothing has changed */
}

int64_t kp_checkpointer_due(const struct kp_checkpointer *c)
{
    return c->running ? INT64_MAX : c->due_ms;
}

void kp_checkpointer_stop(struct kp_checkpointer *c)
{
    kp_child_end(c->child, true);
    c->child = 0;
}
