/* What was: values of KPIs, and alerts as they happened. */
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

const char *const kp_history_alert_names[10] = {"id",    "rule",     "kpi",   "level",  "key",
                                                "state", "severity", "value", "reason", "message"};

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
    waits = storage->history != NULL || storage->nasked;
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
              bind_real(stmt, 9, row->target) && bind_real(stmt, 10, row->expected) && sqlite3_step(stmt) == SQLITE_DONE;

    sqlite3_reset(stmt);
    return ok;
}

enum kp_code kp_history_write(struct kp_storage *storage, struct kp_err *err)
{
    struct kp_history_batch *batch;
    sqlite3_stmt *stmt = NULL;
    bool ok;

    pthread_mutex_lock(&storage->mutex);
    batch = storage->history;
    pthread_mutex_unlock(&storage->mutex);
    if (!batch)
        return KP_OK;
    if (kp_storage_exec(storage, "BEGIN IMMEDIATE", err))
        return KP_EIO;
    ok = sqlite3_prepare_v2(storage->db, "INSERT OR REPLACE INTO history(kpi, level, path, window, at, closed, value, n, target, "
                                         "expected) VALUES(?,?,?,?,?,?,?,?,?,?)", -1, &stmt, NULL) == SQLITE_OK;
    for (size_t i = 0; ok && i < batch->n; i++)
        ok = write_row(stmt, batch, &batch->rows[i]);
    sqlite3_finalize(stmt);
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

/* ---- Questions ---- */

bool kp_history_ask(struct kp_storage *storage, struct kp_history_query *query)
{
    bool ok;

    pthread_mutex_lock(&storage->mutex);
    ok = storage->nasked + storage->nanswered < KP_QUERIES_MAX;
    if (ok)
        storage->asked[storage->nasked++] = query;
    pthread_mutex_unlock(&storage->mutex);
    if (ok)
        kp_storage_wake(storage);
    return ok;
}

struct kp_history_query *kp_history_answered(struct kp_storage *storage)
{
    struct kp_history_query *query = NULL;

    pthread_mutex_lock(&storage->mutex);
    if (storage->nanswered) {
        query = storage->answered[0];
        storage->nanswered--;
        memmove(storage->answered, storage->answered + 1, storage->nanswered * sizeof(*storage->answered));
    }
    pthread_mutex_unlock(&storage->mutex);
    return query;
}

void kp_history_query_release(struct kp_history_query *query)
{
    for (size_t i = 0; query->told && i < query->n; i++)
        for (int t = 0; t < 10; t++)
            free(query->told[i].texts[t]);
    free(query->told);
    free(query->rows);
    query->told = NULL;
    query->rows = NULL;
    query->n = 0;
}

static double column_real(sqlite3_stmt *stmt, int i)
{
    return sqlite3_column_type(stmt, i) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(stmt, i);
}

static void take_value(struct kp_history_query *query, sqlite3_stmt *stmt)
{
    query->rows[query->n++] = (struct kp_history_row){.at_ms = sqlite3_column_int64(stmt, 0),
                                                      .closed = sqlite3_column_int(stmt, 1),
                                                      .has = sqlite3_column_type(stmt, 2) != SQLITE_NULL,
                                                      .value = column_real(stmt, 2),
                                                      .n = sqlite3_column_int64(stmt, 3),
                                                      .target = column_real(stmt, 4),
                                                      .expected = column_real(stmt, 5)};
}

static void take_alert(struct kp_history_query *query, sqlite3_stmt *stmt)
{
    struct kp_history_alert *alert = &query->told[query->n++];

    alert->at_ms = sqlite3_column_int64(stmt, 0);
    for (int t = 0; t < 10; t++)
        if (sqlite3_column_type(stmt, t + 1) != SQLITE_NULL)
            alert->texts[t] = strdup((const char *)sqlite3_column_text(stmt, t + 1));
}

static void answer(struct kp_storage *storage, struct kp_history_query *query)
{
    static const char values[] = "SELECT at, closed, value, n, target, expected FROM history WHERE kpi = ?1 AND level = ?2 AND "
                                 "path = ?3 AND window = ?4 AND at >= ?5 AND at < ?6 ORDER BY at, closed LIMIT ?7";
    static const char alerts[] = "SELECT at, id, rule, kpi, level, key, state, severity, value, reason, message FROM alerts "
                                 "WHERE at >= ?5 AND at < ?6 AND (?1 = '' OR rule = ?1) AND (?2 = '' OR level = ?2) AND "
                                 "(?3 = '' OR key = ?3) ORDER BY at, seq LIMIT ?7";
    sqlite3_stmt *stmt = NULL;
    int step = SQLITE_ERROR;

    query->rows = query->alerts ? NULL : calloc(KP_QUERY_MOST, sizeof *query->rows);
    query->told = query->alerts ? calloc(KP_QUERY_MOST, sizeof *query->told) : NULL;
    if (!query->rows && !query->told) {
        kp_fail(&query->err, KP_ENOMEM, "out of memory");
        return;
    }
    if (sqlite3_prepare_v2(storage->db, query->alerts ? alerts : values, -1, &stmt, NULL) == SQLITE_OK &&
        bind_text(stmt, 1, query->alerts ? query->rule : query->kpi) && bind_text(stmt, 2, query->level) &&
        bind_text(stmt, 3, query->path) && (query->alerts || bind_text(stmt, 4, query->window)) &&
        sqlite3_bind_int64(stmt, 5, query->from_ms) == SQLITE_OK && sqlite3_bind_int64(stmt, 6, query->to_ms) == SQLITE_OK &&
        sqlite3_bind_int(stmt, 7, KP_QUERY_MOST + 1) == SQLITE_OK)
        while ((step = sqlite3_step(stmt)) == SQLITE_ROW && query->n < KP_QUERY_MOST)
            (query->alerts ? take_alert : take_value)(query, stmt);
    query->more = step == SQLITE_ROW;
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        kp_storage_fail(storage, "history", &query->err);
    sqlite3_finalize(stmt);
}

/* The first question: to be answered. NULL: none. */
static struct kp_history_query *first_asked(struct kp_storage *storage)
{
    struct kp_history_query *query;

    pthread_mutex_lock(&storage->mutex);
    query = storage->nasked ? storage->asked[0] : NULL;
    pthread_mutex_unlock(&storage->mutex);
    return query;
}

static void give_back(struct kp_storage *storage, struct kp_history_query *query)
{
    pthread_mutex_lock(&storage->mutex);
    storage->nasked--;
    memmove(storage->asked, storage->asked + 1, storage->nasked * sizeof(*storage->asked));
    storage->answered[storage->nanswered++] = query;
    pthread_mutex_unlock(&storage->mutex);
    kp_storage_tell(storage);
}

void kp_history_refuse(struct kp_storage *storage)
{
    struct kp_history_query *query;

    while ((query = first_asked(storage)) != NULL) {
        kp_fail(&query->err, KP_EIO, "storage: %.200s", storage->view.error);
        give_back(storage, query);
    }
}

void kp_history_answer(struct kp_storage *storage)
{
    struct kp_history_query *query = first_asked(storage);

    if (!query)
        return;
    answer(storage, query);
    give_back(storage, query);
}
