/* Questions about what was, answered in a thread with a connection of its own: no commit waits for one, however long it takes. */
#include "storage_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BUSY_MS = 2000, PROGRESS_STEPS = 100000 };

const char *const kp_history_alert_names[10] = {"id",    "rule",     "kpi",   "level",  "key",
                                                "state", "severity", "value", "reason", "message"};

bool kp_history_ask(struct kp_storage *storage, struct kp_history_query *query)
{
    bool ok;

    pthread_mutex_lock(&storage->mutex);
    ok = storage->nasked + storage->nanswered < KP_QUERIES_MAX;
    if (ok) {
        storage->asked[storage->nasked++] = query;
        pthread_cond_signal(&storage->question);
    }
    pthread_mutex_unlock(&storage->mutex);
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

bool kp_history_has_answer(struct kp_storage *storage)
{
    bool has;

    pthread_mutex_lock(&storage->mutex);
    has = storage->nanswered > 0;
    pthread_mutex_unlock(&storage->mutex);
    return has;
}

void kp_history_query_release(struct kp_history_query *query)
{
    for (size_t i = 0; query->told && i < query->n; i++)
        for (int t = 0; t < 10; t++)
            free(query->told[i].texts[t]);
    for (size_t i = 0; i < query->nunder; i++)
        free(query->under[i]);
    free(query->under);
    query->under = NULL;
    query->nunder = 0;
    free(query->told);
    free(query->rows);
    query->told = NULL;
    query->rows = NULL;
    query->n = 0;
}

/* So that nobody waits for an answer when the end has come. */
static int wants_end(void *ctx)
{
    struct kp_storage *storage = ctx;
    bool stopping;

    pthread_mutex_lock(&storage->mutex);
    stopping = storage->stopping;
    pthread_mutex_unlock(&storage->mutex);
    return stopping;
}

static bool put_text(sqlite3_stmt *stmt, int i, const char *text)
{
    return sqlite3_bind_text(stmt, i, text, -1, SQLITE_STATIC) == SQLITE_OK;
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

/* The path as topics have it; what is encoded there beside these is seen by nobody whose view is cut. */
static bool is_shown(const struct kp_history_query *query, const char *path)
{
    for (size_t i = 0; path && i < query->nunder; i++) {
        size_t len = strlen(query->under[i]);

        if (strncmp(path, query->under[i], len) == 0 && (path[len] == '\0' || path[len] == '/'))
            return true;
    }
    return !query->cut;
}

static void take_alert(struct kp_history_query *query, sqlite3_stmt *stmt)
{
    struct kp_history_alert *alert = &query->told[query->n];

    if (!is_shown(query, (const char *)sqlite3_column_text(stmt, 11)))
        return;
    query->n++;
    alert->at_ms = sqlite3_column_int64(stmt, 0);
    for (int t = 0; t < 10; t++)
        if (sqlite3_column_type(stmt, t + 1) != SQLITE_NULL)
            alert->texts[t] = strdup((const char *)sqlite3_column_text(stmt, t + 1));
}

static void find(struct kp_storage *storage, sqlite3 *db, struct kp_history_query *query)
{
    static const char values[] = "SELECT at, closed, value, n, target, expected FROM history WHERE kpi = ?1 AND level = ?2 AND "
                                 "path = ?3 AND window = ?4 AND at >= ?5 AND at < ?6 ORDER BY at, closed LIMIT ?7";
    static const char alerts[] = "SELECT at, id, rule, kpi, level, key, state, severity, value, reason, message, "
                                 "(SELECT group_concat(replace(replace(value, '%', '%25'), '/', '%2F'), '/') FROM json_each(place)) "
                                 "FROM (SELECT seq, at, body->>'$.id' AS id, body->>'$.rule' AS rule, body->>'$.kpi' AS kpi, "
                                 "body->>'$.level' AS level, body->>'$.key' AS key, body->>'$.state' AS state, "
                                 "body->>'$.severity' AS severity, body->>'$.value' AS value, body->>'$.reason' AS reason, "
                                 "body->>'$.message' AS message, coalesce(body->'$.path', '[]') AS place FROM alert) "
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
    if (sqlite3_prepare_v2(db, query->alerts ? alerts : values, -1, &stmt, NULL) == SQLITE_OK &&
        put_text(stmt, 1, query->alerts ? query->rule : query->kpi) && put_text(stmt, 2, query->level) &&
        put_text(stmt, 3, query->path) && (query->alerts || put_text(stmt, 4, query->window)) &&
        sqlite3_bind_int64(stmt, 5, query->from_ms) == SQLITE_OK && sqlite3_bind_int64(stmt, 6, query->to_ms) == SQLITE_OK &&
        sqlite3_bind_int(stmt, 7, query->cut ? -1 : KP_QUERY_MOST + 1) == SQLITE_OK)
        while ((step = sqlite3_step(stmt)) == SQLITE_ROW && query->n < KP_QUERY_MOST)
            (query->alerts ? take_alert : take_value)(query, stmt);
    query->more = step == SQLITE_ROW;
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        kp_fail(&query->err, KP_EIO, "%s: history: %s", storage->file, sqlite3_errmsg(db));
    sqlite3_finalize(stmt);
}

static void answer(struct kp_storage *storage, struct kp_history_query *query)
{
    sqlite3 *db = NULL;

    if (sqlite3_open_v2(storage->file, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK) {
        sqlite3_busy_timeout(db, BUSY_MS);
        sqlite3_progress_handler(db, PROGRESS_STEPS, wants_end, storage);
        find(storage, db, query);
    } else {
        kp_fail(&query->err, KP_EIO, "%s: history: %s", storage->file, db ? sqlite3_errmsg(db) : "out of memory");
    }
    sqlite3_close(db);
}

/* The first question, which stays among those that are asked until it is answered. NULL: the end has come. */
static struct kp_history_query *wait_for_one(struct kp_storage *storage)
{
    struct kp_history_query *query;

    pthread_mutex_lock(&storage->mutex);
    while (!storage->nasked && !storage->stopping)
        pthread_cond_wait(&storage->question, &storage->mutex);
    query = storage->stopping ? NULL : storage->asked[0];
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

void *kp_history_answer(void *ctx)
{
    struct kp_storage *storage = ctx;
    struct kp_history_query *query;

    while ((query = wait_for_one(storage)) != NULL) {
        answer(storage, query);
        give_back(storage, query);
    }
    return NULL;
}
