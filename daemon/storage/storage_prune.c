/* What is no longer needed goes, a little at a time, so that no commit waits long for it. */
#include "storage_inside.h"

#include <stdio.h>
#include <time.h>

enum { SLICE_BYTES = 2 << 20, SLICE_ROWS = 500 };
#define SAMPLES_MS (14 * INT64_C(86400000))     /* so long samples through the day are kept */

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Parts of checkpoints that are not among those kept, and not on their way. */
static enum kp_code prune_checkpoints(struct kp_storage *storage, bool *more, struct kp_err *err)
{
    char sql[400];
    int64_t id;

    snprintf(sql, sizeof sql,
             "SELECT id FROM checkpoint WHERE id <> %lld AND id NOT IN (SELECT id FROM checkpoint WHERE complete "
             "ORDER BY id DESC LIMIT %d) LIMIT 1",
             storage->incoming.running ? (long long)storage->incoming.id : -1LL, KP_CHECKPOINTS_KEPT);
    id = kp_storage_number(storage, sql, -1);
    if (id < 0)
        return KP_OK;
    *more = true;
    snprintf(sql, sizeof sql,
             "DELETE FROM checkpoint_part WHERE checkpoint = %lld AND n IN (SELECT n FROM checkpoint_part WHERE checkpoint = %lld "
             "LIMIT %d)",
             (long long)id, (long long)id, SLICE_BYTES / KP_PART_BYTES);
    if (kp_storage_exec(storage, sql, err))
        return KP_EIO;
    if (sqlite3_changes(storage->db) > 0)
        return KP_OK;
    snprintf(sql, sizeof sql, "DELETE FROM checkpoint WHERE id = %lld", (long long)id);
    return kp_storage_exec(storage, sql, err);
}

/* The journal behind the oldest checkpoint that is kept, and older than raw events are: falling back to that one loses nothing. */
static enum kp_code prune_journal(struct kp_storage *storage, bool *more, struct kp_err *err)
{
    int64_t behind, before = now_ms() - storage->cfg.keep_ms, upto = -1, bytes = 0, rows = 0;
    sqlite3_stmt *stmt = NULL;
    char sql[300];

    behind = kp_storage_number(storage,
                               "SELECT min(seq) FROM (SELECT seq FROM checkpoint WHERE complete ORDER BY id DESC LIMIT 2) "
                               "WHERE (SELECT count(*) FROM checkpoint WHERE complete) >= 2",
                               -1);
    if (behind < 0)
        return KP_OK;
    snprintf(sql, sizeof sql, "SELECT seq, length(data) FROM journal WHERE seq <= %lld AND at <= %lld ORDER BY seq LIMIT %d",
             (long long)behind, storage->cfg.keep_ms ? (long long)before : (long long)INT64_MAX, SLICE_ROWS);
    if (sqlite3_prepare_v2(storage->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return kp_storage_fail(storage, "prune", err);
    while (bytes < SLICE_BYTES && sqlite3_step(stmt) == SQLITE_ROW) {
        upto = sqlite3_column_int64(stmt, 0);
        bytes += sqlite3_column_int64(stmt, 1);
        rows++;
    }
    sqlite3_finalize(stmt);
    if (upto < 0)
        return KP_OK;
    *more = true;
    snprintf(sql, sizeof sql, "DELETE FROM journal WHERE seq <= %lld", (long long)upto);
    if (kp_storage_exec(storage, sql, err))
        return KP_EIO;
    pthread_mutex_lock(&storage->mutex);
    storage->view.journal_rows -= (uint64_t)rows < storage->view.journal_rows ? (uint64_t)rows : storage->view.journal_rows;
    storage->view.journal_bytes -= (uint64_t)bytes < storage->view.journal_bytes ? (uint64_t)bytes : storage->view.journal_bytes;
    pthread_mutex_unlock(&storage->mutex);
    return KP_OK;
}

/* sql: takes an instant, and how many at most. */
static enum kp_code prune_old(struct kp_storage *storage, const char *sql, int64_t before, bool *more, struct kp_err *err)
{
    sqlite3_stmt *stmt = NULL;
    bool ok = sqlite3_prepare_v2(storage->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
              sqlite3_bind_int64(stmt, 1, before) == SQLITE_OK && sqlite3_bind_int(stmt, 2, SLICE_ROWS) == SQLITE_OK &&
              sqlite3_step(stmt) == SQLITE_DONE;

    sqlite3_finalize(stmt);
    if (!ok)
        return kp_storage_fail(storage, "prune", err);
    *more |= sqlite3_changes(storage->db) > 0;
    return KP_OK;
}

enum kp_code kp_storage_prune(struct kp_storage *storage, bool *more, struct kp_err *err)
{
    int64_t before = now_ms() - storage->cfg.history_ms;
    enum kp_code code = KP_OK;

    *more = false;
    code = prune_checkpoints(storage, more, err);
    code = code || *more ? code : prune_journal(storage, more, err);
    if (code || *more || !storage->cfg.history_ms)
        return code;
    code = prune_old(storage, "DELETE FROM history WHERE (kpi, level, path, window, at, closed) IN (SELECT kpi, level, path, window, at, "
                              "closed FROM history WHERE at < ? AND closed = 0 LIMIT ?)",
                     now_ms() - SAMPLES_MS, more, err);
    if (code || *more)
        return code;
    code = prune_old(storage, "DELETE FROM alert WHERE (seq, n) IN (SELECT seq, n FROM alert WHERE at < ? LIMIT ?)", before, more,
                     err);
    return code ? code
                : prune_old(storage,
                            "DELETE FROM history WHERE (kpi, level, path, window, at, closed) IN (SELECT kpi, level, path, window, at, "
                            "closed FROM history WHERE at < ? LIMIT ?)",
                            before, more, err);
}
