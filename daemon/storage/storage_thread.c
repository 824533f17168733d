/* The thread that writes: group commit, checkpoints out of a pipe, and what is to be forgotten. */
#include "storage_inside.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
    TRANSACTION_BYTES = 8 << 20,
    BACKOFF_FIRST_US = 100 * 1000,
    BACKOFF_MAX_US = 2 * 1000 * 1000,
    FORGET_US = 50 * 1000,
    LAST_US = 5 * 1000 * 1000,      /* for what is queued when the end comes; */
    LAST_FAILING_US = 1000 * 1000,  /* ... while the store fails */
};

void kp_storage_tell(struct kp_storage *storage)
{
    uint64_t one = 1;

    if (write(storage->told, &one, sizeof one) < 0)
        return;     /* it is readable then */
}

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- Failing, and healing ---- */

static void fails(struct kp_storage *storage, const struct kp_err *err)
{
    pthread_mutex_lock(&storage->mutex);
    if (!storage->view.failing)
        storage->view.failing_since_ms = now_ms();
    storage->view.failing = true;
    storage->view.errors++;
    snprintf(storage->view.error, sizeof storage->view.error, "%s", err->text);
    storage->busy_since_us = 0;
    pthread_mutex_unlock(&storage->mutex);
    storage->backoff_us = storage->backoff_us ? storage->backoff_us * 2 : BACKOFF_FIRST_US;
    if (storage->backoff_us > BACKOFF_MAX_US)
        storage->backoff_us = BACKOFF_MAX_US;
    storage->retry_us = kp_storage_now_us() + storage->backoff_us;
    kp_incoming_drop(storage, err->text);
    kp_erase_kept(storage, false);
    kp_storage_disconnect(storage);     /* whatever state it is in: the next try begins from the file */
    kp_storage_tell(storage);
}

static void heals(struct kp_storage *storage)
{
    bool was;

    pthread_mutex_lock(&storage->mutex);
    was = storage->view.failing;
    storage->view.failing = false;
    pthread_mutex_unlock(&storage->mutex);
    storage->backoff_us = storage->retry_us = 0;
    if (was)
        kp_storage_tell(storage);
}

static void set_busy(struct kp_storage *storage, bool busy)
{
    pthread_mutex_lock(&storage->mutex);
    storage->busy_since_us = busy ? kp_storage_now_us() : 0;
    pthread_mutex_unlock(&storage->mutex);
}

/* ---- Commits ---- */

static bool insert_chunk(struct kp_storage *storage, const struct kp_chunk *chunk)
{
    sqlite3_stmt *stmt = storage->insert;
    bool ok = sqlite3_bind_int64(stmt, 1, (int64_t)chunk->seq) == SQLITE_OK &&
              sqlite3_bind_int64(stmt, 2, chunk->at_ms) == SQLITE_OK && sqlite3_bind_int64(stmt, 3, chunk->events) == SQLITE_OK &&
              sqlite3_bind_int64(stmt, 4, chunk->flags) == SQLITE_OK &&
              sqlite3_bind_int64(stmt, 5, (int64_t)XXH3_64bits(chunk->data, chunk->len)) == SQLITE_OK &&
              sqlite3_bind_blob64(stmt, 6, chunk->len ? (const void *)chunk->data : "", chunk->len, SQLITE_STATIC) == SQLITE_OK &&
              sqlite3_step(stmt) == SQLITE_DONE;

    sqlite3_reset(stmt);
    return ok;
}

static bool insert_alerts(struct kp_storage *storage, const struct kp_chunk *chunk)
{
    sqlite3_stmt *stmt = storage->insert_alert;
    bool ok = true;
    int n = 0;

    for (size_t at = 0; storage->cfg.history_ms && at < chunk->alerts_len && ok; n++) {
        size_t len = strlen(chunk->alerts + at);

        ok = sqlite3_bind_int64(stmt, 1, (int64_t)chunk->seq) == SQLITE_OK && sqlite3_bind_int(stmt, 2, n) == SQLITE_OK &&
             sqlite3_bind_int64(stmt, 3, chunk->at_ms) == SQLITE_OK &&
             sqlite3_bind_text64(stmt, 4, chunk->alerts + at, len, SQLITE_STATIC, SQLITE_UTF8) == SQLITE_OK &&
             sqlite3_step(stmt) == SQLITE_DONE;
        sqlite3_reset(stmt);
        at += len + 1;
    }
    return ok;
}

/* What one transaction takes: from the first of the queue to `tail`. */
struct batch {
    struct kp_chunk *first, *tail;
    size_t n, bytes, held;
    uint64_t last;
};

/* The loop only adds behind the last one, so the chunks may be read without the mutex; but not what comes behind the tail. */
static struct batch take_batch(struct kp_storage *storage)
{
    struct batch batch = {0};

    pthread_mutex_lock(&storage->mutex);
    batch.first = storage->first;
    for (struct kp_chunk *chunk = storage->first; chunk && batch.bytes < TRANSACTION_BYTES; chunk = chunk->next) {
        batch.tail = chunk;
        batch.n++;
        batch.bytes += chunk->len;
        batch.held += sizeof *chunk + chunk->len + chunk->alerts_len;
        batch.last = chunk->seq;
    }
    pthread_mutex_unlock(&storage->mutex);
    return batch;
}

static enum kp_code write_batch(struct kp_storage *storage, const struct batch *batch, struct kp_err *err)
{
    if (kp_storage_has_gone(storage))
        return kp_fail(err, KP_EIO, "%s: it was removed or replaced while it was in use", storage->file);
    if (kp_storage_exec(storage, "BEGIN IMMEDIATE", err))
        return KP_EIO;
    for (const struct kp_chunk *chunk = batch->first;; chunk = chunk->next) {
        if (!insert_chunk(storage, chunk) || !insert_alerts(storage, chunk))
            return kp_storage_fail(storage, "journal", err);
        if (chunk == batch->tail)
            break;
    }
    if (kp_erase_keep(storage, err) || kp_storage_exec(storage, "COMMIT", err))
        return KP_EIO;
    kp_erase_kept(storage, true);
    return KP_OK;
}

static void note_commit(struct kp_storage_view *view, const struct batch *batch, int64_t us)
{
    kp_histogram_note(&view->commits, us);
    view->rows += batch->n;
    view->bytes += batch->bytes;
    view->journal_rows += batch->n;
    view->journal_bytes += batch->bytes;
    view->committed = batch->last;
    view->queued -= batch->held;
}

/* What is over the journal's limit may be what is kept only for a while: then it needs no checkpoint to be cut. Looked at anew when
 * enough has come to be worth it. */
static bool is_to_be_cut(const struct kp_storage *storage)
{
    uint64_t limit = storage->cfg.journal_bytes, bytes = storage->view.journal_bytes;

    return limit && bytes > limit && bytes > storage->uncut_bytes + limit / 16;
}

static void finish_batch(struct kp_storage *storage, const struct batch *batch, int64_t began_us)
{
    struct kp_chunk *chunk = batch->first;
    bool urgent = false;

    pthread_mutex_lock(&storage->mutex);
    storage->first = batch->tail->next;
    if (!storage->first)
        storage->last = &storage->first;
    storage->oldest_us = kp_storage_now_us();
    for (const struct kp_chunk *left = storage->first; left && !urgent; left = left->next)
        urgent = left->flags & KP_CHUNK_AWAITED;
    storage->urgent = urgent;
    storage->busy_since_us = 0;
    note_commit(&storage->view, batch, kp_storage_now_us() - began_us);
    storage->prune |= is_to_be_cut(storage);
    pthread_mutex_unlock(&storage->mutex);
    for (size_t i = 0; i < batch->n; i++) {
        struct kp_chunk *next = chunk->next;

        kp_storage_discard(storage, chunk);
        chunk = next;
    }
    kp_storage_tell(storage);
}

static void commit(struct kp_storage *storage)
{
    struct batch batch = take_batch(storage);
    int64_t began_us = kp_storage_now_us();
    struct kp_err err = {0};

    if (batch.n == 0)
        return;
    set_busy(storage, true);
    if (write_batch(storage, &batch, &err)) {
        fails(storage, &err);
        return;
    }
    finish_batch(storage, &batch, began_us);
    heals(storage);
}

/* ---- The loop ---- */

/* In how many microseconds the queue is to be committed; 0: now, -1: there is nothing. */
static int64_t commit_in(struct kp_storage *storage)
{
    int64_t in = -1;

    pthread_mutex_lock(&storage->mutex);
    if (storage->first) {
        in = 0;
        if (!storage->urgent && storage->cfg.sync_ms > 0 && !storage->stopping && storage->view.queued < TRANSACTION_BYTES)
            in = storage->oldest_us + storage->cfg.sync_ms * 1000 - kp_storage_now_us();
        in = in < 0 ? 0 : in;
    }
    pthread_mutex_unlock(&storage->mutex);
    return in;
}

static void take_next_checkpoint(struct kp_storage *storage)
{
    struct kp_incoming next;
    struct kp_err err = {0};

    pthread_mutex_lock(&storage->mutex);
    next = storage->next;
    storage->next.running = false;
    pthread_mutex_unlock(&storage->mutex);
    if (!next.running)
        return;
    next.part = storage->incoming.part;
    next.hash = storage->incoming.hash;
    storage->incoming = next;
    if (!storage->db)
        kp_incoming_drop(storage, storage->view.error);
    else if (kp_incoming_begin(storage, &err))
        fails(storage, &err);
}

/* Wait for work; true: the pipe has something. */
static bool wait_for_work(struct kp_storage *storage, int64_t us)
{
    struct pollfd fds[2] = {{storage->wake, POLLIN, 0}, {storage->incoming.fd, POLLIN, 0}};
    struct timespec ts = {us / 1000000, us % 1000000 * 1000};
    nfds_t n = storage->incoming.running && storage->db ? 2 : 1;
    uint64_t woken;

    if (ppoll(fds, n, us < 0 ? NULL : &ts, NULL) < 0)
        return false;
    if ((fds[0].revents & POLLIN) && read(storage->wake, &woken, sizeof woken) < 0)
        return false;
    return n == 2 && fds[1].revents;
}

static bool is_stopping(struct kp_storage *storage, bool *has_work)
{
    bool stopping;

    pthread_mutex_lock(&storage->mutex);
    stopping = storage->stopping;
    *has_work = storage->first != NULL;
    pthread_mutex_unlock(&storage->mutex);
    return stopping;
}

static void forget(struct kp_storage *storage)
{
    struct kp_err err = {0};

    set_busy(storage, true);
    if (kp_storage_prune(storage, &storage->prune, &err))
        fails(storage, &err);
    else
        set_busy(storage, false);
    storage->uncut_bytes = storage->view.journal_bytes;
    kp_storage_tell(storage);
}

/* Does the journal hold more than it may, so that it is cut although commits wait? Else it would grow for as long as there is always
 * another one. */
static bool must_forget(struct kp_storage *storage)
{
    uint64_t limit = storage->cfg.journal_bytes;
    bool over;

    pthread_mutex_lock(&storage->mutex);
    over = limit && storage->view.journal_bytes > limit;
    pthread_mutex_unlock(&storage->mutex);
    return over;
}

/* When nobody waits for a commit; when it must be, for some time between two of them. */
static void forget_some(struct kp_storage *storage)
{
    int64_t until_us = kp_storage_now_us() + FORGET_US;

    while (storage->prune && storage->db &&
           (commit_in(storage) != 0 || (must_forget(storage) && kp_storage_now_us() < until_us))) {
        forget(storage);
        if (commit_in(storage) != 0)
            return;
    }
}

/* Open it again, after it has failed. */
static void retry(struct kp_storage *storage)
{
    struct kp_err err = {0};
    bool has_work;

    if (kp_storage_connect(storage, &err)) {
        fails(storage, &err);
        return;
    }
    is_stopping(storage, &has_work);
    if (has_work) {
        commit(storage);    /* which tells whether it is well */
        return;
    }
    if (kp_storage_exec(storage, "BEGIN IMMEDIATE; INSERT OR REPLACE INTO meta(key, value) VALUES('healed', strftime('%s')); COMMIT",
                        &err))
        fails(storage, &err);
    else
        heals(storage);
}

/* Work of which the loop can see how long it lasts. */
static void work(struct kp_storage *storage, enum kp_code (*what)(struct kp_storage *storage, struct kp_err *err))
{
    struct kp_err err = {0};

    set_busy(storage, true);
    if (what(storage, &err))
        fails(storage, &err);
    else
        set_busy(storage, false);
}

static bool may_erase(struct kp_storage *storage)
{
    return storage->db && !storage->prune && !kp_history_waits(storage) && kp_erase_due(storage) <= kp_storage_now_us();
}

/* How long to wait for work at most; -1: until there is some. */
static int64_t wait_us(struct kp_storage *storage)
{
    int64_t in = commit_in(storage), due = kp_erase_due(storage), now = kp_storage_now_us(), us;

    if (storage->retry_us)
        return storage->retry_us > now ? storage->retry_us - now : 0;
    if (in != 0 && (storage->prune || (storage->db && kp_history_waits(storage))))
        return 0;
    us = due == INT64_MAX ? -1 : due > now ? due - now : 0;
    return in < 0 || (us >= 0 && us < in) ? us : in;
}

static void turn(struct kp_storage *storage)
{
    int64_t us = wait_us(storage);
    bool part;

    part = us == 0 && !storage->incoming.running ? false : wait_for_work(storage, us);
    take_next_checkpoint(storage);
    if (storage->retry_us) {
        if (kp_storage_now_us() >= storage->retry_us)
            retry(storage);
        return;
    }
    if (commit_in(storage) == 0)
        commit(storage);
    if (part && storage->db && storage->incoming.running)
        work(storage, kp_incoming_take);
    if (storage->db && commit_in(storage) != 0 && kp_history_waits(storage))
        work(storage, kp_history_write);
    if (storage->prune)
        forget_some(storage);
    else if (may_erase(storage) && commit_in(storage) != 0)
        work(storage, kp_erase_go);
}

void *kp_storage_run(void *ctx)
{
    struct kp_storage *storage = ctx;
    int64_t until = 0;
    bool has_work;

    for (;;) {
        if (is_stopping(storage, &has_work)) {
            until = until ? until : kp_storage_now_us() + (storage->retry_us ? LAST_FAILING_US : LAST_US);
            if (!has_work || kp_storage_now_us() > until)
                break;
        }
        turn(storage);
    }
    if (storage->incoming.running)
        kp_incoming_drop(storage, "kpid ends");
    return NULL;
}
