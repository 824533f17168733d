/* Somebody who is to be forgotten, a little at a time: who they are is kept in `meta` until nothing of them is left. */
#include "storage_inside.h"

#include "scrub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { SLICE_BYTES = 2 << 20, SLICE_ROWS = 500, SLICE_US = 20 * 1000, WAIT_US = 1000 * 1000 };

/* ---- Orders ---- */

static struct kp_str text_into(char **to, struct kp_str text)
{
    struct kp_str copy = {*to, text.len};

    if (text.len)
        memcpy(*to, text.s, text.len);
    *to += text.len;
    return copy;
}

static struct kp_order *order_of(const struct kp_forget *who, uint64_t position, int64_t id)
{
    struct kp_order *order = calloc(1, sizeof *order);
    char *to = order ? malloc((size_t)who->field.len + who->level.len + who->key.len + 1) : NULL;

    if (!to) {
        free(order);
        return NULL;
    }
    order->texts = to;
    order->who = (struct kp_forget){text_into(&to, who->field), text_into(&to, who->level), text_into(&to, who->key)};
    order->position = position;
    order->id = id;
    return order;
}

static void free_order(struct kp_order *order)
{
    if (order)
        free(order->texts);
    free(order);
}

static bool same(struct kp_str a, struct kp_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.s, b.s, a.len) == 0);
}

static bool append(struct kp_storage *storage, struct kp_order *order)
{
    if (!order || storage->norders == KP_FORGETS_MAX)
        return false;
    storage->orders[storage->norders++] = order;
    storage->view.forgetting = (uint32_t)storage->norders;
    storage->view.wants_checkpoint = true;
    return true;
}

enum kp_code kp_storage_erase(struct kp_storage *storage, const struct kp_forget *who, uint64_t position, struct kp_err *err)
{
    struct kp_order *order = order_of(who, position, 0);
    bool there = false, ok;

    pthread_mutex_lock(&storage->mutex);
    /* Read again from the journal, it is the same one; the first may be on its way. */
    for (size_t i = 0; i < storage->norders && !there; i++)
        there = storage->orders[i]->position == position && same(storage->orders[i]->who.field, who->field) &&
                same(storage->orders[i]->who.key, who->key);
    ok = there || append(storage, order);
    pthread_mutex_unlock(&storage->mutex);
    if (there || !ok)
        free_order(order);
    if (!ok)
        return kp_fail(err, KP_ELIMIT, "%d are being forgotten already: wait until they are", KP_FORGETS_MAX);
    kp_storage_wake(storage);
    return KP_OK;
}

static struct kp_str column(sqlite3_stmt *stmt, int i)
{
    const char *text = (const char *)sqlite3_column_text(stmt, i);

    return (struct kp_str){text ? text : "", text ? (uint32_t)sqlite3_column_bytes(stmt, i) : 0};
}

enum kp_code kp_erase_open(struct kp_storage *storage, struct kp_err *err)
{
    static const char sql[] = "SELECT CAST(substr(key, 8) AS INTEGER), value->>'$[0]', value->>'$[1]', value->>'$[2]', value->>'$[3]' "
                              "FROM meta WHERE key GLOB 'forget:*' AND json_valid(value) ORDER BY 1";
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(storage->db, sql, -1, &stmt, NULL);
    bool ok = rc == SQLITE_OK;

    while (ok && (rc = sqlite3_step(stmt)) == SQLITE_ROW && storage->norders < KP_FORGETS_MAX) {
        const struct kp_forget who = {column(stmt, 1), column(stmt, 2), column(stmt, 3)};

        ok = append(storage, order_of(&who, (uint64_t)sqlite3_column_int64(stmt, 4), sqlite3_column_int64(stmt, 0)));
        if (ok)
            storage->orders[storage->norders - 1]->kept = true;
    }
    sqlite3_finalize(stmt);
    return ok && (rc == SQLITE_DONE || rc == SQLITE_ROW) ? KP_OK : kp_storage_fail(storage, "who is to be forgotten", err);
}

void kp_erase_release(struct kp_storage *storage)
{
    for (size_t i = 0; i < storage->norders; i++)
        free_order(storage->orders[i]);
    storage->norders = 0;
    kp_scrubber_destroy(&storage->erasing.scrubber);
}

/* The one that is on its way; NULL: none. It stays where it is until finish(). */
static struct kp_order *first(struct kp_storage *storage)
{
    struct kp_order *order;

    pthread_mutex_lock(&storage->mutex);
    order = storage->norders ? storage->orders[0] : NULL;
    pthread_mutex_unlock(&storage->mutex);
    return order;
}

int64_t kp_erase_due(struct kp_storage *storage)
{
    return first(storage) ? storage->erasing.due_us : INT64_MAX;
}

/* ---- Steps ---- */

static enum kp_code keep(struct kp_storage *storage, struct kp_order *order, struct kp_err *err)
{
    static const char sql[] = "INSERT INTO meta(key, value) SELECT 'forget:' || (1 + coalesce(max(CAST(substr(key, 8) AS INTEGER)), 0)), "
                              "json_array(?, ?, ?, ?) FROM meta WHERE key GLOB 'forget:*' "
                              "RETURNING CAST(substr(key, 8) AS INTEGER)";
    sqlite3_stmt *stmt = NULL;
    bool ok = sqlite3_prepare_v2(storage->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
              sqlite3_bind_text(stmt, 1, order->who.field.s, (int)order->who.field.len, SQLITE_STATIC) == SQLITE_OK &&
              sqlite3_bind_text(stmt, 2, order->who.level.s, (int)order->who.level.len, SQLITE_STATIC) == SQLITE_OK &&
              sqlite3_bind_text(stmt, 3, order->who.key.s, (int)order->who.key.len, SQLITE_STATIC) == SQLITE_OK &&
              sqlite3_bind_int64(stmt, 4, (int64_t)order->position) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW;
    int64_t id = ok ? sqlite3_column_int64(stmt, 0) : 0;

    ok = ok && sqlite3_step(stmt) == SQLITE_DONE;
    sqlite3_finalize(stmt);
    order->id = ok ? id : 0;
    return ok ? KP_OK : kp_storage_fail(storage, "who is to be forgotten", err);
}

enum kp_code kp_erase_keep(struct kp_storage *storage, struct kp_err *err)
{
    enum kp_code code = KP_OK;
    size_t n;

    pthread_mutex_lock(&storage->mutex);
    n = storage->norders;
    pthread_mutex_unlock(&storage->mutex);
    for (size_t i = 0; i < n && !code; i++)
        if (!storage->orders[i]->id)
            code = keep(storage, storage->orders[i], err);
    return code;
}

void kp_erase_kept(struct kp_storage *storage, bool committed)
{
    pthread_mutex_lock(&storage->mutex);
    for (size_t i = 0; i < storage->norders; i++) {
        struct kp_order *order = storage->orders[i];

        order->kept |= committed && order->id;
        order->id = order->kept ? order->id : 0;
    }
    pthread_mutex_unlock(&storage->mutex);
}

/* All but the log was done when kpid ended. */
static bool is_nameless(const struct kp_order *order)
{
    return order->who.key.len == 0;
}

/* Are there two checkpoints without them, so that one may be damaged? */
static bool has_checkpoints(struct kp_storage *storage, const struct kp_order *order)
{
    char sql[160];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM checkpoint WHERE complete AND seq >= %llu", (unsigned long long)order->position);
    return kp_storage_number(storage, sql, 0) >= KP_CHECKPOINTS_KEPT;
}

void kp_erase_look(struct kp_storage *storage)
{
    struct kp_order *order = first(storage);
    bool wants = order && !is_nameless(order) && storage->erasing.step == KP_ERASE_WAIT && !has_checkpoints(storage, order);

    pthread_mutex_lock(&storage->mutex);
    storage->view.wants_checkpoint = wants;
    pthread_mutex_unlock(&storage->mutex);
}

/* A row of the journal without them. */
static enum kp_code rewrite(struct kp_storage *storage, int64_t seq, const struct kp_scrubbed *left, struct kp_err *err)
{
    sqlite3_stmt *stmt = NULL;
    bool ok = sqlite3_prepare_v2(storage->db, "UPDATE journal SET events = max(0, events - ?), sum = ?, data = ? WHERE seq = ?", -1, &stmt,
                                 NULL) == SQLITE_OK &&
              sqlite3_bind_int64(stmt, 1, left->events) == SQLITE_OK &&
              sqlite3_bind_int64(stmt, 2, (int64_t)XXH3_64bits(left->data, left->len)) == SQLITE_OK &&
              sqlite3_bind_blob64(stmt, 3, left->len ? (const void *)left->data : "", left->len, SQLITE_STATIC) == SQLITE_OK &&
              sqlite3_bind_int64(stmt, 4, seq) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_DONE;

    sqlite3_finalize(stmt);
    return ok ? KP_OK : kp_storage_fail(storage, "erase", err);
}

static void note_erased(struct kp_storage *storage, uint64_t events, uint64_t rows, size_t bytes)
{
    pthread_mutex_lock(&storage->mutex);
    storage->view.erased_events += events;
    storage->view.erased_rows += rows;
    storage->view.journal_bytes -= bytes < storage->view.journal_bytes ? bytes : storage->view.journal_bytes;
    pthread_mutex_unlock(&storage->mutex);
}

/* A slice of the journal, up to the position; what does not match its sum is damaged, and is left to whoever reads it. */
static enum kp_code erase_journal(struct kp_storage *storage, const struct kp_order *order, bool *more, struct kp_err *err)
{
    struct kp_erasing *erasing = &storage->erasing;
    enum kp_code code = KP_OK;
    sqlite3_stmt *stmt = NULL;
    size_t bytes = 0;
    int rc = SQLITE_DONE;

    if (!erasing->scrubber)
        erasing->scrubber = kp_scrubber_new(&order->who, err);
    if (!erasing->scrubber)
        return KP_ENOMEM;
    if (sqlite3_prepare_v2(storage->db, "SELECT seq, sum, data FROM journal WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?", -1, &stmt,
                           NULL) != SQLITE_OK ||
        sqlite3_bind_int64(stmt, 1, erasing->seq) != SQLITE_OK || sqlite3_bind_int64(stmt, 2, (int64_t)order->position) != SQLITE_OK ||
        sqlite3_bind_int(stmt, 3, SLICE_ROWS) != SQLITE_OK)
        code = kp_storage_fail(storage, "erase", err);
    while (!code && bytes < SLICE_BYTES && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const unsigned char *data = sqlite3_column_blob(stmt, 2);
        size_t len = (size_t)sqlite3_column_bytes(stmt, 2);
        struct kp_scrubbed left;

        bytes += len;
        if ((int64_t)XXH3_64bits(data ? (const void *)data : "", len) == sqlite3_column_int64(stmt, 1)) {
            code = kp_scrub(erasing->scrubber, data, len, &left, err);
            if (!code && left.changed)
                code = rewrite(storage, sqlite3_column_int64(stmt, 0), &left, err);
            if (!code && left.changed)
                note_erased(storage, left.events, 0, len - left.len);
        }
        erasing->seq = code ? erasing->seq : sqlite3_column_int64(stmt, 0);
        *more = true;
    }
    if (!code && rc != SQLITE_ROW && rc != SQLITE_DONE)
        code = kp_storage_fail(storage, "erase", err);
    sqlite3_finalize(stmt);
    return code;
}

/* Is a path as topics have it one of theirs? */
static bool is_path(const struct kp_order *order, const char *level, const char *path)
{
    const char *last = strrchr(path, '/');
    char key[KP_QUERY_TEXT];
    size_t n = 0;

    for (last = last ? last + 1 : path; *last && n + 1 < sizeof key; last++) {
        unsigned int byte;

        if (*last == '%' && sscanf(last + 1, "%2x", &byte) == 1) {
            key[n++] = (char)byte;
            last += 2;
        } else {
            key[n++] = *last;
        }
    }
    return kp_forget_is_key(&order->who, (struct kp_str){level, (uint32_t)strlen(level)}, (struct kp_str){key, (uint32_t)n});
}

static enum kp_code delete_history(struct kp_storage *storage, struct kp_err *err)
{
    struct kp_erasing *erasing = &storage->erasing;
    sqlite3_stmt *stmt = NULL;
    bool ok = sqlite3_prepare_v2(storage->db, "DELETE FROM history WHERE kpi = ? AND level = ? AND path = ?", -1, &stmt, NULL) ==
                  SQLITE_OK &&
              sqlite3_bind_text(stmt, 1, erasing->kpi, -1, SQLITE_STATIC) == SQLITE_OK &&
              sqlite3_bind_text(stmt, 2, erasing->level, -1, SQLITE_STATIC) == SQLITE_OK &&
              sqlite3_bind_text(stmt, 3, erasing->path, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_DONE;

    sqlite3_finalize(stmt);
    if (!ok)
        return kp_storage_fail(storage, "erase", err);
    note_erased(storage, 0, (uint64_t)sqlite3_changes(storage->db), 0);
    return KP_OK;
}

/* From one key of one KPI to the next one's, past all rows of the key. */
static enum kp_code erase_history(struct kp_storage *storage, const struct kp_order *order, bool *more, struct kp_err *err)
{
    static const char next[] = "SELECT kpi, level, path FROM history WHERE (kpi, level, path) > (?, ?, ?) "
                               "ORDER BY kpi, level, path LIMIT 1";
    struct kp_erasing *erasing = &storage->erasing;
    int64_t until_us = kp_storage_now_us() + SLICE_US;
    enum kp_code code = KP_OK;
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(storage->db, next, -1, &stmt, NULL) != SQLITE_OK)
        return kp_storage_fail(storage, "erase", err);
    *more = true;
    while (!code && *more && kp_storage_now_us() < until_us) {
        int rc = sqlite3_bind_text(stmt, 1, erasing->kpi, -1, SQLITE_TRANSIENT);

        rc = rc ? rc : sqlite3_bind_text(stmt, 2, erasing->level, -1, SQLITE_TRANSIENT);
        rc = rc ? rc : sqlite3_bind_text(stmt, 3, erasing->path, -1, SQLITE_TRANSIENT);
        rc = rc ? rc : sqlite3_step(stmt);
        if (rc == SQLITE_ROW) {
            snprintf(erasing->kpi, sizeof erasing->kpi, "%s", column(stmt, 0).s);
            snprintf(erasing->level, sizeof erasing->level, "%s", column(stmt, 1).s);
            snprintf(erasing->path, sizeof erasing->path, "%s", column(stmt, 2).s);
        }
        *more = rc == SQLITE_ROW;
        if (rc != SQLITE_ROW && rc != SQLITE_DONE)
            code = kp_storage_fail(storage, "erase", err);
        sqlite3_reset(stmt);
        if (!code && *more && is_path(order, erasing->level, erasing->path))
            code = delete_history(storage, err);
    }
    sqlite3_finalize(stmt);
    return code;
}

/* Is it the name of what stood still, which may have been cut? */
static bool is_name(const struct kp_order *order, struct kp_str name)
{
    enum { NAME_CUT = 252 };        /* an entity's name has up to 255 bytes, whole characters */

    return same(name, order->who.key) ||
           (name.len >= NAME_CUT && name.len < order->who.key.len && memcmp(name.s, order->who.key.s, name.len) == 0);
}

/* Those of their keys, of what is theirs, and of many among whom they are named. */
static bool is_alert(const struct kp_order *order, sqlite3_stmt *stmt)
{
    struct kp_str field = column(stmt, 5);

    if (kp_forget_is_key(&order->who, column(stmt, 2), column(stmt, 3)))
        return true;
    if (order->who.level.len)
        return sqlite3_column_int(stmt, 6) != 0;
    return is_name(order, column(stmt, 4)) && (!field.len || same(field, order->who.field));
}

static enum kp_code delete_alert(struct kp_storage *storage, struct kp_err *err)
{
    char sql[128];

    snprintf(sql, sizeof sql, "DELETE FROM alert WHERE seq = %lld AND n = %lld", (long long)storage->erasing.seq,
             (long long)storage->erasing.n);
    note_erased(storage, 0, 1, 0);
    return kp_storage_exec(storage, sql, err);
}

static enum kp_code erase_alerts(struct kp_storage *storage, const struct kp_order *order, bool *more, struct kp_err *err)
{
    static const char sql[] =
        "SELECT seq, n, body->>'$.level', body->>'$.key', body->>'$.entity', body->>'$.entity_field', "
        "EXISTS(SELECT 1 FROM json_each(body, '$.members') WHERE value = ?3) "
        "FROM alert WHERE (seq, n) > (?1, ?2) AND seq <= ?5 AND json_valid(body) ORDER BY seq, n LIMIT ?4";
    struct kp_erasing *erasing = &storage->erasing;
    enum kp_code code = KP_OK;
    sqlite3_stmt *stmt = NULL;
    int rc = SQLITE_DONE;

    if (sqlite3_prepare_v2(storage->db, sql, -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_bind_int64(stmt, 1, erasing->seq) != SQLITE_OK || sqlite3_bind_int64(stmt, 2, erasing->n) != SQLITE_OK ||
        sqlite3_bind_text(stmt, 3, order->who.key.s, (int)order->who.key.len, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_bind_int(stmt, 4, SLICE_ROWS) != SQLITE_OK || sqlite3_bind_int64(stmt, 5, (int64_t)order->position) != SQLITE_OK)
        code = kp_storage_fail(storage, "erase", err);
    while (!code && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        erasing->seq = sqlite3_column_int64(stmt, 0);
        erasing->n = sqlite3_column_int64(stmt, 1);
        *more = true;
        if (is_alert(order, stmt))
            code = delete_alert(storage, err);
    }
    if (!code && rc != SQLITE_DONE)
        code = kp_storage_fail(storage, "erase", err);
    sqlite3_finalize(stmt);
    return code;
}

/* The write-ahead log still has the pages as they were: empty it. Meanwhile the row stays, without a name, so that a restart goes on with
 * it. *more: somebody reads, so not yet. */
static enum kp_code empty_log(struct kp_storage *storage, const struct kp_order *order, bool *more, struct kp_err *err)
{
    char sql[128];

    if (!storage->erasing.nameless) {
        snprintf(sql, sizeof sql, "UPDATE meta SET value = json_array('', '', '', 0) WHERE key = 'forget:%lld'", (long long)order->id);
        if (kp_storage_exec(storage, sql, err))
            return KP_EIO;
        storage->erasing.nameless = true;
    }
    sqlite3_busy_timeout(storage->db, 0);
    *more = kp_storage_number(storage, "PRAGMA wal_checkpoint(TRUNCATE)", 1) != 0;
    sqlite3_busy_timeout(storage->db, KP_STORE_BUSY_MS);
    if (*more)
        return KP_OK;
    snprintf(sql, sizeof sql, "DELETE FROM meta WHERE key = 'forget:%lld'", (long long)order->id);
    return kp_storage_exec(storage, sql, err);
}

static void finish(struct kp_storage *storage)
{
    struct kp_order *order;

    kp_scrubber_destroy(&storage->erasing.scrubber);
    pthread_mutex_lock(&storage->mutex);
    order = storage->orders[0];
    memmove(storage->orders, storage->orders + 1, --storage->norders * sizeof(*storage->orders));
    storage->view.forgetting = (uint32_t)storage->norders;
    pthread_mutex_unlock(&storage->mutex);
    free_order(order);
}

static enum kp_code go(struct kp_storage *storage, const struct kp_order *order, bool *more, struct kp_err *err)
{
    switch (storage->erasing.step) {
    case KP_ERASE_JOURNAL: return erase_journal(storage, order, more, err);
    case KP_ERASE_HISTORY: return erase_history(storage, order, more, err);
    case KP_ERASE_ALERTS: return erase_alerts(storage, order, more, err);
    default: return KP_OK;
    }
}

/* A step's slice, in a transaction. */
static enum kp_code go_on(struct kp_storage *storage, const struct kp_order *order, bool *more, struct kp_err *err)
{
    struct kp_erasing before = storage->erasing;
    enum kp_code code = kp_storage_exec(storage, "BEGIN IMMEDIATE", err);

    code = code ? code : go(storage, order, more, err);
    code = code ? code : kp_storage_exec(storage, "COMMIT", err);
    if (code) {     /* whoever is told of it opens the database again */
        before.scrubber = storage->erasing.scrubber;
        storage->erasing = before;
    }
    return code;
}

static enum kp_code one_step(struct kp_storage *storage, const struct kp_order *order, bool *more, struct kp_err *err)
{
    if (storage->erasing.step == KP_ERASE_LAST)
        return empty_log(storage, order, more, err);
    if (storage->erasing.step != KP_ERASE_WAIT)
        return go_on(storage, order, more, err);
    *more = !has_checkpoints(storage, order);
    return KP_OK;
}

enum kp_code kp_erase_go(struct kp_storage *storage, struct kp_err *err)
{
    struct kp_erasing *erasing = &storage->erasing;
    struct kp_order *order = first(storage);
    bool more = false, waits, last;
    enum kp_code code = kp_erase_keep(storage, err);

    kp_erase_kept(storage, !code);
    if (code || !order)
        return code;
    if (is_nameless(order) && erasing->step == KP_ERASE_WAIT)
        *erasing = (struct kp_erasing){.step = KP_ERASE_LAST, .nameless = true, .scrubber = erasing->scrubber};
    waits = erasing->step == KP_ERASE_WAIT || erasing->step == KP_ERASE_LAST;
    last = erasing->step == KP_ERASE_LAST;
    code = one_step(storage, order, &more, err);
    erasing->due_us = !code && more && waits ? kp_storage_now_us() + WAIT_US : 0;
    if (code || more)
        return code;
    if (last)
        finish(storage);
    *erasing = (struct kp_erasing){.step = last ? KP_ERASE_WAIT : erasing->step + 1, .scrubber = erasing->scrubber};
    if (erasing->step == KP_ERASE_ALERTS)
        erasing->seq = erasing->n = -1;
    kp_erase_look(storage);
    kp_storage_tell(storage);
    return KP_OK;
}
