/* Values of KPIs, as they were. */
#include "storage_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 4096, TEXT_MAX = 1 << 20 };

struct kept {
    uint32_t kpi, level, path, window;  /* where in the texts */
    struct kp_history_row row;          /* without them */
};

struct kp_history_batch {
    struct kept rows[ROWS_MAX];
    size_t n, len;
    char texts[TEXT_MAX];
};

/* ---- Filling ---- */

struct kp_history_batch *kp_history_begin(struct kp_storage *storage)
{
    struct kp_history_batch *batch = NULL;
    bool waits;

    pthread_mutex_lock(&storage->mutex);
    waits = storage->history != NULL;
    pthread_mutex_unlock(&storage->mutex);
    if (!waits)
        batch = malloc(sizeof *batch);
    if (batch)
        batch->n = batch->len = 0;
    return batch;
}

/* Most rows have the same texts as the one before. */
static uint32_t keep(struct kp_history_batch *batch, const char *text, const uint32_t *before)
{
    size_t len = strlen(text) + 1;
    uint32_t at = (uint32_t)batch->len;

    if (before && strcmp(batch->texts + *before, text) == 0)
        return *before;
    memcpy(batch->texts + at, text, len);
    batch->len += len;
    return at;
}

bool kp_history_put(struct kp_history_batch *batch, const struct kp_history_row *row)
{
    size_t need = strlen(row->kpi) + strlen(row->level) + strlen(row->path) + strlen(row->window) + 4;
    const struct kept *last = batch->n ? &batch->rows[batch->n - 1] : NULL;
    struct kept *kept = &batch->rows[batch->n];

    if (batch->n == ROWS_MAX || batch->len + need > TEXT_MAX)
        return false;
    kept->kpi = keep(batch, row->kpi, last ? &last->kpi : NULL);
    kept->level = keep(batch, row->level, last ? &last->level : NULL);
    kept->path = keep(batch, row->path, last ? &last->path : NULL);
    kept->window = keep(batch, row->window, last ? &last->window : NULL);
    kept->row = *row;
    batch->n++;
    return true;
}

void kp_history_push(struct kp_storage *storage, struct kp_history_batch *batch)
{
    if (batch->n == 0) {
        free(batch);
        return;
    }
    pthread_mutex_lock(&storage->mutex);
    storage->history = batch;
    pthread_mutex_unlock(&storage->mutex);
    kp_storage_wake(storage);
}

void kp_history_batch_free(struct kp_history_batch *batch)
{
    free(batch);
}

/* ---- Writing ---- */

bool kp_history_waits(struct kp_storage *storage)
{
    bool waits;

    pthread_mutex_lock(&storage->mutex);
    waits = storage->history != NULL;
    pthread_mutex_unlock(&storage->mutex);
    return waits;
}

static bool bind_real(sqlite3_stmt *stmt, int i, double v)
{
    return (isnan(v) ? sqlite3_bind_null(stmt, i) : sqlite3_bind_double(stmt, i, v)) == SQLITE_OK;
}

static bool bind_text(sqlite3_stmt *stmt, int i, const char *text)
{
    return sqlite3_bind_text(stmt, i, text, -1, SQLITE_STATIC) == SQLITE_OK;
}

static bool write_row(sqlite3_stmt *stmt, const struct kp_history_batch *batch, const struct kept *kept)
{
    const struct kp_history_row *row = &kept->row;
    bool ok = bind_text(stmt, 1, batch->texts + kept->kpi) && bind_text(stmt, 2, batch->texts + kept->level) &&
              bind_text(stmt, 3, batch->texts + kept->path) && bind_text(stmt, 4, batch->texts + kept->window) &&
              sqlite3_bind_int64(stmt, 5, row->at_ms) == SQLITE_OK && sqlite3_bind_int(stmt, 6, row->closed) == SQLITE_OK &&
              bind_real(stmt, 7, row->has ? row->value : (double)NAN) && sqlite3_bind_int64(stmt, 8, row->n) == SQLITE_OK &&
              bind_real(stmt, 9, row->target) && bind_real(stmt, 10, row->expected) &&
              sqlite3_bind_int64(stmt, 11, row->is_now ? 0 : row->may_fall ? 1 : INT64_MAX) == SQLITE_OK &&
              sqlite3_step(stmt) == SQLITE_DONE;

    sqlite3_reset(stmt);
    return ok;
}

/* ?11: so many samples are enough to take the place of more. What was the target then is not what it is now. */
static const char put_row[] =
    "INSERT INTO history(kpi, level, path, window, at, closed, value, n, target, expected) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10) "
    "ON CONFLICT DO UPDATE SET value = excluded.value, n = excluded.n, target = coalesce(target, excluded.target), "
    "expected = coalesce(expected, excluded.expected) WHERE (excluded.n >= min(n, ?11) OR NOT closed) AND "
    "(value, n) IS NOT (excluded.value, excluded.n)";
static const char change_row[] =
    "UPDATE history SET value = ?7, n = ?8 WHERE kpi = ?1 AND level = ?2 AND path = ?3 AND window = ?4 AND at = ?5 AND closed = ?6 AND "
    "?8 >= min(n, ?11) AND ?9 IS ?9 AND ?10 IS ?10";

enum kp_code kp_history_write(struct kp_storage *storage, struct kp_err *err)
{
    struct kp_history_batch *batch;
    sqlite3_stmt *put = NULL, *change = NULL;
    bool ok;

    pthread_mutex_lock(&storage->mutex);
    batch = storage->history;
    pthread_mutex_unlock(&storage->mutex);
    if (!batch)
        return KP_OK;
    if (kp_storage_exec(storage, "BEGIN IMMEDIATE", err))
        return KP_EIO;
    ok = sqlite3_prepare_v2(storage->db, put_row, -1, &put, NULL) == SQLITE_OK &&
         sqlite3_prepare_v2(storage->db, change_row, -1, &change, NULL) == SQLITE_OK;
    for (size_t i = 0; ok && i < batch->n; i++)
        ok = write_row(batch->rows[i].row.only_if_there ? change : put, batch, &batch->rows[i]);
    sqlite3_finalize(put);
    sqlite3_finalize(change);
    if (!ok)
        return kp_storage_fail(storage, "history", err);
    if (kp_storage_exec(storage, "COMMIT", err))
        return KP_EIO;
    pthread_mutex_lock(&storage->mutex);
    storage->history = NULL;
    storage->view.history_rows += batch->n;
    pthread_mutex_unlock(&storage->mutex);
    free(batch);
    kp_storage_tell(storage);
    return KP_OK;
}
