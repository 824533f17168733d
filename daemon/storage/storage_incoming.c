/* Checkpoints: out of a pipe, in parts. In the pipe are frames, [length][bytes] with lengths of 32 bits, and at the end a length of
 * 0 and the hash of all bytes. */
#include "storage_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { READ_BYTES = 1 << 16, FRAME_MAX = 1 << 20 };

/* ---- The child's side ---- */

_Static_assert(sizeof(XXH3_state_t) <= sizeof(((struct kp_pipe *)0)->hash), "room for the state");

bool kp_pipe_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len) {
        ssize_t n = write(fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static XXH3_state_t *state_of(struct kp_pipe *pipe)
{
    return (XXH3_state_t *)(void *)(((uintptr_t)pipe->hash + 63) / 64 * 64);
}

void kp_pipe_init(struct kp_pipe *pipe, int fd)
{
    pipe->fd = fd;
    XXH3_64bits_reset(state_of(pipe));
}

bool kp_pipe_write(void *ctx, const void *bytes, size_t len)
{
    struct kp_pipe *pipe = ctx;
    const char *at = bytes;

    while (len) {
        uint32_t n = len < FRAME_MAX ? (uint32_t)len : FRAME_MAX;

        XXH3_64bits_update(state_of(pipe), at, n);
        if (!kp_pipe_all(pipe->fd, &n, sizeof n) || !kp_pipe_all(pipe->fd, at, n))
            return false;
        at += n;
        len -= n;
    }
    return true;
}

bool kp_pipe_end(struct kp_pipe *pipe)
{
    uint32_t none = 0;
    uint64_t hash = XXH3_64bits_digest(state_of(pipe));

    return kp_pipe_all(pipe->fd, &none, sizeof none) && kp_pipe_all(pipe->fd, &hash, sizeof hash);
}

/* ---- The thread's side ---- */

static XXH3_state_t *hash_of(const struct kp_incoming *in)
{
    return (XXH3_state_t *)(void *)(((uintptr_t)in->hash + 63) / 64 * 64);
}

static void close_pipe(struct kp_incoming *in)
{
    close(in->fd);
    in->running = false;
}

enum kp_code kp_incoming_begin(struct kp_storage *storage, struct kp_err *err)
{
    struct kp_incoming *in = &storage->incoming;
    char sql[256];

    in->part = in->part ? in->part : malloc(KP_PART_BYTES);
    in->hash = in->hash ? in->hash : malloc(sizeof(XXH3_state_t) + 64);
    if (!in->part || !in->hash) {
        kp_incoming_drop(storage, "out of memory");
        return KP_OK;
    }
    fcntl(in->fd, F_SETFL, O_NONBLOCK);
    fcntl(in->fd, F_SETPIPE_SZ, 1 << 20);
    XXH3_64bits_reset(hash_of(in));
    in->id = (uint64_t)kp_storage_number(storage, "SELECT max(max(id), 0) + 1 FROM checkpoint", 1);
    snprintf(sql, sizeof sql, "INSERT INTO checkpoint VALUES(%llu, %llu, %lld, 0, 0, 0, 0, 0)", (unsigned long long)in->id,
             (unsigned long long)in->seq, (long long)in->at_ms);
    return kp_storage_exec(storage, sql, err);
}

void kp_incoming_drop(struct kp_storage *storage, const char *why)
{
    struct kp_incoming *in = &storage->incoming;

    if (!in->running)
        return;
    close_pipe(in);
    storage->prune = true;
    pthread_mutex_lock(&storage->mutex);
    storage->view.checkpoints_failed++;
    storage->view.last_checkpoint.ok = false;
    storage->view.last_checkpoint.id = in->id;
    if (storage->view.error != why)
        snprintf(storage->view.error, sizeof storage->view.error, "%s", why);
    pthread_mutex_unlock(&storage->mutex);
    kp_storage_tell(storage);
}

static enum kp_code put_part(struct kp_storage *storage, struct kp_err *err)
{
    struct kp_incoming *in = &storage->incoming;
    sqlite3_stmt *stmt = NULL;
    bool ok;

    if (in->len == 0)
        return KP_OK;
    ok = sqlite3_prepare_v2(storage->db, "INSERT INTO checkpoint_part(checkpoint, n, sum, data) VALUES(?,?,?,?)", -1, &stmt, NULL) ==
             SQLITE_OK &&
         sqlite3_bind_int64(stmt, 1, (int64_t)in->id) == SQLITE_OK && sqlite3_bind_int64(stmt, 2, in->nparts) == SQLITE_OK &&
         sqlite3_bind_int64(stmt, 3, (int64_t)XXH3_64bits(in->part, in->len)) == SQLITE_OK &&
         sqlite3_bind_blob64(stmt, 4, in->part, in->len, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_DONE;
    sqlite3_finalize(stmt);
    if (!ok)
        return kp_storage_fail(storage, "checkpoint", err);
    in->nparts++;
    in->bytes += in->len;
    in->len = 0;
    return KP_OK;
}

static enum kp_code complete(struct kp_storage *storage, struct kp_err *err)
{
    struct kp_incoming *in = &storage->incoming;
    int64_t took_ms = (kp_storage_now_us() - in->began_us) / 1000;
    uint64_t hash = XXH3_64bits_digest(hash_of(in)), said;
    char sql[320];

    memcpy(&said, in->head + 4, sizeof said);
    if (hash != said) {
        kp_incoming_drop(storage, "the checkpoint was changed on its way");
        return KP_OK;
    }
    if (put_part(storage, err))
        return KP_EIO;
    snprintf(sql, sizeof sql,
             "UPDATE checkpoint SET bytes=%llu, parts=%u, sum=%lld, complete=1, took=%lld WHERE id=%llu;"
             "INSERT OR REPLACE INTO meta(key, value) VALUES('position', %llu); COMMIT",
             (unsigned long long)in->bytes, in->nparts, (long long)hash, (long long)took_ms, (unsigned long long)in->id,
             (unsigned long long)in->seq);
    if (kp_storage_exec(storage, "BEGIN", err) || kp_erase_keep(storage, err) || kp_storage_exec(storage, sql, err))
        return KP_EIO;
    kp_erase_kept(storage, true);
    close_pipe(in);
    storage->prune = true;
    pthread_mutex_lock(&storage->mutex);
    storage->view.checkpoints_done++;
    storage->view.last_checkpoint.ok = true;
    storage->view.last_checkpoint.id = in->id;
    storage->view.last_checkpoint.seq = in->seq;
    storage->view.last_checkpoint.bytes = in->bytes;
    storage->view.last_checkpoint.at_ms = in->at_ms;
    storage->view.last_checkpoint.took_ms = took_ms;
    pthread_mutex_unlock(&storage->mutex);
    kp_erase_look(storage);
    kp_storage_tell(storage);
    return KP_OK;
}

/* Take the bytes of frames apart. */
static enum kp_code feed(struct kp_storage *storage, const unsigned char *bytes, size_t len, struct kp_err *err)
{
    struct kp_incoming *in = &storage->incoming;

    while (len && in->running) {
        if (in->left) {
            size_t n = len < in->left ? len : in->left;

            n = n < KP_PART_BYTES - in->len ? n : KP_PART_BYTES - in->len;
            memcpy(in->part + in->len, bytes, n);
            XXH3_64bits_update(hash_of(in), bytes, n);
            in->len += n;
            in->left -= (uint32_t)n;
            bytes += n;
            len -= n;
            if (in->len == KP_PART_BYTES && put_part(storage, err))
                return KP_EIO;
            continue;
        }
        in->head[in->head_len++] = *bytes++;
        len--;
        if (in->head_len == 4) {
            memcpy(&in->left, in->head, sizeof in->left);
            in->at_end = in->left == 0;
            in->head_len = in->at_end ? 4 : 0;
        }
        if (in->at_end && in->head_len == sizeof in->head)
            return complete(storage, err);
    }
    return KP_OK;
}

enum kp_code kp_incoming_take(struct kp_storage *storage, struct kp_err *err)
{
    struct kp_incoming *in = &storage->incoming;
    unsigned char buf[READ_BYTES];
    size_t taken = 0;

    while (in->running && taken < KP_PART_BYTES) {
        ssize_t n = read(in->fd, buf, sizeof buf);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return KP_OK;
        if (n <= 0) {
            kp_incoming_drop(storage, "the checkpoint ended before it was whole");
            return KP_OK;
        }
        if (feed(storage, buf, (size_t)n, err))
            return KP_EIO;
        taken += (size_t)n;
    }
    return KP_OK;
}
