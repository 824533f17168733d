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

/* What of the journal may go: from its begin to `upto`. */
struct cut {
    int64_t upto, bytes, rows;
};

/* Raw events are kept for a while, but not beyond what the journal may hold in all. Rows that a clock which was ahead has put into the
 * future hold up none. */
static bool may_go(const struct kp_storage *storage, int64_t at, int64_t now, const struct cut *cut)
{
    uint64_t left = storage->view.journal_bytes - (uint64_t)cut->bytes;

    return !storage->cfg.keep_ms || at <= now - storage->cfg.keep_ms ||
           (storage->cfg.journal_bytes && storage->view.journal_bytes > (uint64_t)cut->bytes && left > storage->cfg.journal_bytes);
}

static struct cut find_cut(const struct kp_storage *storage, sqlite3_stmt *stmt)
{
    struct cut cut = {.upto = -1}, next = cut;
    int64_t now = now_ms();

    while (next.bytes < SLICE_BYTES && sqlite3_step(stmt) == SQLITE_ROW) {
        int64_t at = sqlite3_column_int64(stmt, 2);

        next.upto = sqlite3_column_int64(stmt, 0);
        next.bytes += sqlite3_column_int64(stmt, 1);
        next.rows++;
        if (may_go(storage, at, now, &cut))
            cut = next;
        else if (at <= now)
            break;
    }
    return cut;
}

/* The journal behind the oldest checkpoint that is kept, and older than raw events are: falling back to that one loses nothing. */
static enum kp_code prune_journal(struct kp_storage *storage, bool *more, struct kp_err *err)
{
    sqlite3_stmt *stmt = NULL;
    struct cut cut;
    int64_t behind;
    char sql[300];

    behind = kp_storage_number(storage,
                               "SELECT min(seq) FROM (SELECT seq FROM checkpoint WHERE complete ORDER BY id DESC LIMIT 2) "
                               "WHERE (SELECT count(*) FROM checkpoint WHERE complete) >= 2",
                               -1);
    if (behind < 0)
        return KP_OK;
    snprintf(sql, sizeof sql, "SELECT seq, length(data), at FROM journal WHERE seq <= %lld ORDER BY seq LIMIT %d", (long long)behind,
             SLICE_ROWS);
    if (sqlite3_prepare_v2(storage->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return kp_storage_fail(storage, "prune", err);
    cut = find_cut(storage, stmt);
    sqlite3_finalize(stmt);
    if (cut.upto < 0)
        return KP_OK;
    *more = true;
    snprintf(sql, sizeof sql, "DELETE FROM journal WHERE seq <= %lld", (long long)cut.upto);
    if (kp_storage_exec(storage, sql, err))
        return KP_EIO;
    pthread_mutex_lock(&storage->mutex);
    storage->view.journal_rows -= (uint64_t)cut.rows < storage->view.journal_rows ? (uint64_t)cut.rows : storage->view.journal_rows;
    storage->view.journal_bytes -= (uint64_t)cut.bytes < storage->view.journal_bytes ? (uint64_t)cut.bytes : storage->view.journal_bytes;
    pthread_mutex_unlock(&storage->mutex);
    return KP_OK;
}

/* Rows that are older than the newest of their kind by so much: by the time that they tell, which is not always the clock's. With 0 all
 * of them. */
static enum kp_code prune_old(struct kp_storage *storage, const char *sql, int64_t age_ms, bool *more, struct kp_err *err)
{
    sqlite3_stmt *stmt = NULL;
    bool ok = sqlite3_prepare_v2(storage->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
              sqlite3_bind_int64(stmt, 1, age_ms) == SQLITE_OK && sqlite3_bind_int(stmt, 2, SLICE_ROWS) == SQLITE_OK &&
              sqlite3_step(stmt) == SQLITE_DONE;

    sqlite3_finalize(stmt);
    if (!ok)
        return kp_storage_fail(storage, "prune", err);
    *more |= sqlite3_changes(storage->db) > 0;
    return KP_OK;
}

#define OF_HISTORY(closed)                                                                                                              \
    "DELETE FROM history WHERE (kpi, level, path, window, at, closed) IN (SELECT kpi, level, path, window, at, closed FROM history "   \
    "WHERE closed = " closed " AND at <= (SELECT max(at) FROM history WHERE closed = 0) - ? LIMIT ?)"

enum kp_code kp_storage_prune(struct kp_storage *storage, bool *more, struct kp_err *err)
{
    static const char alerts[] = "DELETE FROM alert WHERE (seq, n) IN (SELECT seq, n FROM alert WHERE at <= (SELECT max(at) FROM alert) - ? "
                                 "LIMIT ?)";
    int64_t history_ms = storage->cfg.history_ms;
    enum kp_code code;

    *more = false;
    code = prune_checkpoints(storage, more, err);
    code = code || *more ? code : prune_journal(storage, more, err);
    if (code || *more)
        return code;
    code = prune_old(storage, OF_HISTORY("1"), history_ms, more, err);
    code = code || *more ? code : prune_old(storage, OF_HISTORY("0"), history_ms < SAMPLES_MS ? history_ms : SAMPLES_MS, more, err);
    return code || *more ? code : prune_old(storage, alerts, history_ms, more, err);
}
