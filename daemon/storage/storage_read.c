/* Reading the store: checkpoints and the journal, for recovery and for tools. */
#include "storage_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* ---- Checkpoints ---- */

enum kp_code kp_storage_checkpoints(struct kp_storage *storage, struct kp_checkpoint_info *list, size_t most, size_t *n,
                                    struct kp_err *err)
{
    sqlite3_stmt *stmt = NULL;
    int step = SQLITE_ERROR;

    *n = 0;
    if (sqlite3_prepare_v2(storage->db, "SELECT id, seq, at, bytes FROM checkpoint WHERE complete ORDER BY id DESC", -1, &stmt,
                           NULL) == SQLITE_OK)
        while (*n < most && (step = sqlite3_step(stmt)) == SQLITE_ROW)
            list[(*n)++] = (struct kp_checkpoint_info){(uint64_t)sqlite3_column_int64(stmt, 0),
                                                       (uint64_t)sqlite3_column_int64(stmt, 1), sqlite3_column_int64(stmt, 2),
                                                       (uint64_t)sqlite3_column_int64(stmt, 3)};
    sqlite3_finalize(stmt);
    return *n == most || step == SQLITE_DONE ? KP_OK : kp_storage_fail(storage, "checkpoints can't be listed", err);
}

struct kp_checkpoint_reader {
    struct kp_storage *storage;
    sqlite3_stmt *stmt;         /* owned */
    const unsigned char *part;  /* of the statement */
    size_t len, at;
    uint64_t id, sum;
    int64_t nparts, next;
    bool ended;
    XXH3_state_t *hash;         /* owned */
    struct kp_err err;
};

struct kp_checkpoint_reader *kp_checkpoint_reader_open(struct kp_storage *storage, uint64_t id, struct kp_err *err)
{
    struct kp_checkpoint_reader *reader = calloc(1, sizeof *reader);
    char sql[160];

    if (reader)
        reader->hash = XXH3_createState();
    if (!reader || !reader->hash) {
        free(reader);
        kp_fail(err, KP_ENOMEM, "checkpoint: out of memory");
        return NULL;
    }
    reader->storage = storage;
    reader->id = id;
    XXH3_64bits_reset(reader->hash);
    snprintf(sql, sizeof sql, "SELECT parts FROM checkpoint WHERE id = %llu", (unsigned long long)id);
    reader->nparts = kp_storage_number(storage, sql, -1);
    snprintf(sql, sizeof sql, "SELECT sum FROM checkpoint WHERE id = %llu", (unsigned long long)id);
    reader->sum = (uint64_t)kp_storage_number(storage, sql, 0);
    snprintf(sql, sizeof sql, "SELECT n, sum, data FROM checkpoint_part WHERE checkpoint = %llu ORDER BY n", (unsigned long long)id);
    if (sqlite3_prepare_v2(storage->db, sql, -1, &reader->stmt, NULL) == SQLITE_OK)
        return reader;
    kp_storage_fail(storage, "checkpoint", err);
    kp_checkpoint_reader_close(&reader, NULL);
    return NULL;
}

/* The next part; false: there is none, or it is damaged. */
static bool next_part(struct kp_checkpoint_reader *reader)
{
    int step = sqlite3_step(reader->stmt);
    unsigned long long id = reader->id;

    if (step == SQLITE_DONE) {
        reader->ended = true;
        if (reader->next != reader->nparts)
            kp_fail(&reader->err, KP_EIO, "checkpoint %llu: %lld of its %lld parts are there", id, (long long)reader->next,
                    (long long)reader->nparts);
        else if (XXH3_64bits_digest(reader->hash) != reader->sum)
            kp_fail(&reader->err, KP_EIO, "checkpoint %llu: its parts do not belong together", id);
        return false;
    }
    if (step != SQLITE_ROW) {
        kp_storage_fail(reader->storage, "checkpoint", &reader->err);
        return false;
    }
    reader->part = sqlite3_column_blob(reader->stmt, 2);
    reader->len = (size_t)sqlite3_column_bytes(reader->stmt, 2);
    reader->at = 0;
    if (sqlite3_column_int64(reader->stmt, 0) != reader->next ||
        (uint64_t)sqlite3_column_int64(reader->stmt, 1) != XXH3_64bits(reader->part, reader->len)) {
        kp_fail(&reader->err, KP_EIO, "checkpoint %llu: part %lld is damaged", id, (long long)reader->next);
        return false;
    }
    XXH3_64bits_update(reader->hash, reader->part, reader->len);
    reader->next++;
    return true;
}

size_t kp_checkpoint_read(void *ctx, void *buf, size_t most)
{
    struct kp_checkpoint_reader *reader = ctx;
    size_t n;

    while (reader->at == reader->len)
        if (reader->ended || reader->err.code || !next_part(reader))
            return 0;
    n = reader->len - reader->at < most ? reader->len - reader->at : most;
    memcpy(buf, reader->part + reader->at, n);
    reader->at += n;
    return n;
}

enum kp_code kp_checkpoint_reader_close(struct kp_checkpoint_reader **reader, struct kp_err *err)
{
    struct kp_checkpoint_reader *r = *reader;
    unsigned char rest[64];
    enum kp_code code;

    /* What is behind what was asked for counts, too. */
    while (err && kp_checkpoint_read(r, rest, sizeof rest))
        ;
    code = r->err.code;
    if (code && err)
        *err = r->err;
    sqlite3_finalize(r->stmt);
    XXH3_freeState(r->hash);
    free(r);
    *reader = NULL;
    return code;
}

/* ---- The journal ---- */

static void lost(const struct kp_journal_walk *walk, uint64_t chunks, uint64_t events, const char *what)
{
    if (walk->lost)
        walk->lost(walk->ctx, what, chunks, events);
}

static void lost_between(const struct kp_journal_walk *walk, uint64_t from, uint64_t to)
{
    char text[128];

    snprintf(text, sizeof text, "chunks %llu to %llu of the journal are gone", (unsigned long long)from, (unsigned long long)to);
    lost(walk, to - from + 1, 0, text);
}

/* False: enough. */
static bool give_row(const struct kp_journal_walk *walk, sqlite3_stmt *stmt, uint64_t *next)
{
    struct kp_journal_row row = {.seq = (uint64_t)sqlite3_column_int64(stmt, 0),
                                 .at_ms = sqlite3_column_int64(stmt, 1),
                                 .events = (uint32_t)sqlite3_column_int64(stmt, 2),
                                 .flags = (uint32_t)sqlite3_column_int64(stmt, 3),
                                 .data = sqlite3_column_blob(stmt, 5),
                                 .len = (size_t)sqlite3_column_bytes(stmt, 5)};
    char text[128];

    if (row.seq > *next)
        lost_between(walk, *next, row.seq - 1);
    *next = row.seq + 1;
    if ((uint64_t)sqlite3_column_int64(stmt, 4) == XXH3_64bits(row.data ? row.data : (const void *)"", row.len))
        return walk->row(walk->ctx, &row);
    snprintf(text, sizeof text, "chunk %llu of the journal is damaged", (unsigned long long)row.seq);
    lost(walk, 1, row.events, text);
    return true;
}

/* It can't be read on. */
static void lost_rest(const struct kp_storage *storage, const struct kp_journal_walk *walk, uint64_t next)
{
    uint64_t last = storage->view.pushed;
    char text[300];

    snprintf(text, sizeof text, "the journal can't be read from chunk %llu on (the last is %llu): %s", (unsigned long long)next,
             (unsigned long long)last, sqlite3_errmsg(storage->db));
    lost(walk, last >= next ? last - next + 1 : 0, 0, text);
}

enum kp_code kp_storage_walk(struct kp_storage *storage, uint64_t after, const struct kp_journal_walk *walk, struct kp_err *err)
{
    sqlite3_stmt *stmt = NULL;
    uint64_t next = after + 1;
    int step = SQLITE_ROW;
    bool goes_on = true;

    if (sqlite3_prepare_v2(storage->db, "SELECT seq, at, events, flags, sum, data FROM journal WHERE seq > ? ORDER BY seq", -1, &stmt,
                           NULL) != SQLITE_OK ||
        sqlite3_bind_int64(stmt, 1, (int64_t)after) != SQLITE_OK) {
        sqlite3_finalize(stmt);
        return kp_storage_fail(storage, "journal", err);
    }
    while (goes_on && (step = sqlite3_step(stmt)) == SQLITE_ROW)
        goes_on = give_row(walk, stmt, &next);
    if (goes_on && step != SQLITE_DONE)
        lost_rest(storage, walk, next);
    sqlite3_finalize(stmt);
    return KP_OK;
}
