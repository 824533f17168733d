#include "storage_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PAGE_BYTES = 8192 };
#define POSITION_MAX (INT64_C(1) << 60)

static const char schema[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE journal(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, events INTEGER NOT NULL, flags INTEGER NOT NULL,"
    "  sum INTEGER NOT NULL, data BLOB NOT NULL);"
    "CREATE TABLE checkpoint(id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, at INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    "  parts INTEGER NOT NULL, sum INTEGER NOT NULL, complete INTEGER NOT NULL, took INTEGER NOT NULL);"
    "CREATE TABLE checkpoint_part(checkpoint INTEGER NOT NULL, n INTEGER NOT NULL, sum INTEGER NOT NULL, data BLOB NOT NULL,"
    "  PRIMARY KEY(checkpoint, n));"
    "CREATE TABLE alert(seq INTEGER NOT NULL, n INTEGER NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL,"
    "  PRIMARY KEY(seq, n)) WITHOUT ROWID;"
    "CREATE INDEX alert_at ON alert(at);"
    "CREATE VIEW alerts AS SELECT seq, at, body->>'$.id' AS id, body->>'$.rule' AS rule, body->>'$.kpi' AS kpi,"
    "  body->>'$.level' AS level, body->>'$.key' AS key, body->>'$.state' AS state, body->>'$.severity' AS severity,"
    "  body->>'$.value' AS value, body->>'$.since' AS since, body->>'$.reason' AS reason, body->>'$.message' AS message FROM alert;"
    "CREATE TABLE history(kpi TEXT NOT NULL, level TEXT NOT NULL, path TEXT NOT NULL, window TEXT NOT NULL, at INTEGER NOT NULL,"
    "  closed INTEGER NOT NULL, value REAL, n INTEGER NOT NULL, target REAL, expected REAL,"
    "  PRIMARY KEY(kpi, level, path, window, at, closed)) WITHOUT ROWID;"
    "CREATE INDEX history_at ON history(closed, at);";

int64_t kp_storage_now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* ---- The database ---- */

enum kp_code kp_storage_fail(const struct kp_storage *storage, const char *what, struct kp_err *err)
{
    const char *said = storage->db ? sqlite3_errmsg(storage->db) : "out of memory";
    int number = storage->db ? sqlite3_system_errno(storage->db) : 0;

    if (number)
        return kp_fail(err, KP_EIO, "%s: %s: %s (%s)", storage->file, what, said, strerror(number));
    return kp_fail(err, KP_EIO, "%s: %s: %s", storage->file, what, said);
}

enum kp_code kp_storage_exec(struct kp_storage *storage, const char *sql, struct kp_err *err)
{
    return sqlite3_exec(storage->db, sql, NULL, NULL, NULL) == SQLITE_OK ? KP_OK : kp_storage_fail(storage, "write", err);
}

int64_t kp_storage_number(struct kp_storage *storage, const char *sql, int64_t otherwise)
{
    sqlite3_stmt *stmt = NULL;
    int64_t v = otherwise;

    if (sqlite3_prepare_v2(storage->db, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW &&
        sqlite3_column_type(stmt, 0) != SQLITE_NULL)
        v = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return v;
}

void kp_storage_disconnect(struct kp_storage *storage)
{
    sqlite3_finalize(storage->insert);
    sqlite3_finalize(storage->insert_alert);
    storage->insert = storage->insert_alert = NULL;
    sqlite3_close(storage->db);
    storage->db = NULL;
}

static enum kp_code prepare(struct kp_storage *storage, struct kp_err *err)
{
    if (sqlite3_prepare_v3(storage->db, "INSERT OR REPLACE INTO journal(seq, at, events, flags, sum, data) VALUES(?,?,?,?,?,?)", -1,
                           SQLITE_PREPARE_PERSISTENT, &storage->insert, NULL) != SQLITE_OK ||
        sqlite3_prepare_v3(storage->db, "INSERT OR REPLACE INTO alert(seq, n, at, body) VALUES(?1,?2,coalesce(?4->>'$.time',?3),?4)", -1,
                           SQLITE_PREPARE_PERSISTENT, &storage->insert_alert, NULL) != SQLITE_OK)
        return kp_storage_fail(storage, "prepare", err);
    return KP_OK;
}

/* Whose it is, and of which version. What is not kpid's is left alone. */
static enum kp_code check_owner(struct kp_storage *storage, struct kp_err *err)
{
    int64_t version = kp_storage_number(storage, "PRAGMA user_version", -1);
    int64_t owner = kp_storage_number(storage, "PRAGMA application_id", -1);
    int64_t tables = kp_storage_number(storage, "SELECT count(*) FROM sqlite_schema", -1);

    if (version < 0 || owner < 0 || tables < 0) {
        kp_storage_fail(storage, "it is no database, or damaged", err);
        return kp_fail(err, KP_EIO,
                       "%s is no database, or it is damaged (%s). Nothing was changed. Put a copy in its place, or move it away to "
                       "begin anew: what it held is lost then",
                       storage->file, sqlite3_errmsg(storage->db));
    }
    if (tables == 0)
        return kp_fail(err, KP_EIO,
                       "%s is empty: what it held is gone, and kpid does not go on as if it had never been. Put a copy in its place, or "
                       "remove it to begin anew",
                       storage->file);
    if (owner != KP_STORE_APPLICATION)
        return kp_fail(err, KP_EINVAL, "%s is a database of something else: kpid did not make it", storage->file);
    if (version > KP_STORE_VERSION)
        return kp_fail(err, KP_EINVAL,
                       "%s has version %lld, and this kpid knows up to %d: a newer kpid wrote it, and a newer one is needed",
                       storage->file, (long long)version, KP_STORE_VERSION);
    return KP_OK;
}

/* From here on an older kpid might not read all of it. */
static enum kp_code own_version(struct kp_storage *storage, struct kp_err *err)
{
    char sql[64];

    if (kp_storage_number(storage, "PRAGMA user_version", -1) == KP_STORE_VERSION)
        return KP_OK;
    snprintf(sql, sizeof sql, "PRAGMA user_version=%d", KP_STORE_VERSION);
    return kp_storage_exec(storage, sql, err);
}

/* Make the file where there is none: under another name first, so that one of its own name is always whole. */
static enum kp_code make(struct kp_storage *storage, struct kp_err *err)
{
    struct stat there;
    char made[sizeof storage->file + 8], sql[160];
    enum kp_code code = KP_OK;

    if (stat(storage->file, &there) == 0 || errno != ENOENT)
        return KP_OK;
    snprintf(made, sizeof made, "%s.new", storage->file);
    unlink(made);
    if (sqlite3_open_v2(made, &storage->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        code = kp_storage_fail(storage, "make", err);
    snprintf(sql, sizeof sql, "PRAGMA page_size=%d; BEGIN; PRAGMA application_id=%d; PRAGMA user_version=%d;", PAGE_BYTES,
             KP_STORE_APPLICATION, KP_STORE_VERSION);
    code = code ? code : kp_storage_exec(storage, sql, err);
    code = code ? code : kp_storage_exec(storage, schema, err);
    code = code ? code : kp_storage_exec(storage, "INSERT INTO meta VALUES('created', strftime('%s') * 1000); COMMIT", err);
    kp_storage_disconnect(storage);
    if (!code && rename(made, storage->file) != 0)
        code = kp_fail(err, KP_EIO, "%s: can't be renamed: %s", made, strerror(errno));
    storage->view.is_new = !code;
    return code;
}

enum kp_code kp_storage_connect(struct kp_storage *storage, struct kp_err *err)
{
    static const char set[] = "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=1000; PRAGMA cache_size=-16384;"
                              "PRAGMA temp_store=MEMORY; PRAGMA secure_delete=ON;";
    int flags = storage->readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    struct stat there = {0};
    enum kp_code code;

    /* One that has gone while it was in use is not made anew: it would lack all that was promised before. */
    if (!storage->readonly && !storage->started && make(storage, err))
        return KP_EIO;
    if (sqlite3_open_v2(storage->file, &storage->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        kp_storage_fail(storage, "open", err);
        kp_storage_disconnect(storage);
        return KP_EIO;
    }
    sqlite3_extended_result_codes(storage->db, 1);
    sqlite3_busy_timeout(storage->db, KP_STORE_BUSY_MS);
    code = check_owner(storage, err);
    if (!code && !storage->readonly) {
        code = kp_storage_exec(storage, set, err);
        code = code ? code
                    : kp_storage_exec(storage, storage->cfg.sync_ms < 0 ? "PRAGMA synchronous=OFF" : "PRAGMA synchronous=FULL", err);
        code = code ? code : own_version(storage, err);
        code = code ? code : prepare(storage, err);
    }
    if (!code && stat(storage->file, &there) != 0)
        code = kp_fail(err, KP_EIO, "%s: %s", storage->file, strerror(errno));
    storage->dev = there.st_dev;
    storage->ino = there.st_ino;
    if (code)
        kp_storage_disconnect(storage);
    return code;
}

bool kp_storage_has_gone(const struct kp_storage *storage)
{
    struct stat there;

    return stat(storage->file, &there) != 0 || there.st_dev != storage->dev || there.st_ino != storage->ino;
}

/* ---- Opening ---- */

static struct kp_storage *blank(const char *path, struct kp_err *err)
{
    struct kp_storage *storage = calloc(1, sizeof *storage);

    if (!storage) {
        kp_fail(err, KP_ENOMEM, "storage: out of memory");
        return NULL;
    }
    storage->lock = storage->wake = storage->told = -1;
    storage->last = &storage->first;
    pthread_mutex_init(&storage->mutex, NULL);
    pthread_cond_init(&storage->question, NULL);
    if ((size_t)snprintf(storage->file, sizeof storage->file, "%s/kpid.db", path) < sizeof storage->file)
        return storage;
    kp_fail(err, KP_EINVAL, "storage.path: too long");
    kp_storage_stop(&storage);
    return NULL;
}

static enum kp_code take_lock(struct kp_storage *storage, struct kp_err *err)
{
    char file[4200];

    if (mkdir(storage->cfg.path, 0700) != 0 && errno != EEXIST)
        return kp_fail(err, KP_EIO, "%s: can't be made: %s", storage->cfg.path, strerror(errno));
    snprintf(file, sizeof file, "%s/lock", storage->cfg.path);
    storage->lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (storage->lock < 0)
        return kp_fail(err, KP_EIO, "%s: %s", file, strerror(errno));
    if (flock(storage->lock, LOCK_EX | LOCK_NB) != 0)
        return kp_fail(err, KP_EIO, "%s is in use: another kpid runs on it", storage->cfg.path);
    return KP_OK;
}

/* Where the journal stands. A position is never given twice, whatever has become of what stood there. */
static enum kp_code take_stock(struct kp_storage *storage, struct kp_err *err)
{
    struct kp_storage_view *view = &storage->view;
    int64_t last = kp_storage_number(storage, "SELECT max(seq) FROM journal", 0);
    int64_t held = kp_storage_number(storage, "SELECT max(seq) FROM checkpoint WHERE complete", 0);
    int64_t known = kp_storage_number(storage, "SELECT value FROM meta WHERE key='position'", 0);

    last = last > held ? last : held;
    view->gone = known > last ? (uint64_t)(known - last) : 0;
    last = last > known ? last : known;
    if (last < 0 || last > POSITION_MAX)
        return kp_fail(err, KP_EIO, "%s is damaged: %lld is no position in a journal. Put a copy in its place, or move it away to begin "
                                    "anew", storage->file, (long long)last);
    view->committed = view->pushed = (uint64_t)last;
    view->journal_rows = (uint64_t)kp_storage_number(storage, "SELECT count(*) FROM journal", 0);
    view->journal_bytes = (uint64_t)kp_storage_number(storage, "SELECT sum(length(data)) FROM journal", 0);
    view->created_ms = kp_storage_number(storage, "SELECT value FROM meta WHERE key='created'", 0);
    return KP_OK;
}

struct kp_storage *kp_storage_open(const struct kp_storage_cfg *cfg, size_t queue_bytes, struct kp_err *err)
{
    struct kp_storage *storage = blank(cfg->path, err);
    mode_t mask;
    bool ok;

    if (!storage)
        return NULL;
    storage->cfg = *cfg;
    storage->cfg.path = strdup(cfg->path);
    storage->queue_bytes = queue_bytes;
    storage->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    storage->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ok = storage->wake >= 0 && storage->told >= 0 && storage->cfg.path;
    if (!ok)
        kp_fail(err, KP_EIO, "storage: eventfd: %s", strerror(errno));
    mask = umask(077);
    ok = ok && !take_lock(storage, err) && !kp_storage_connect(storage, err) && !take_stock(storage, err) && !kp_erase_open(storage, err);
    umask(mask);
    if (!ok)
        kp_storage_stop(&storage);
    return storage;
}

struct kp_storage *kp_storage_open_readonly(const char *path, struct kp_err *err)
{
    struct kp_storage *storage = blank(path, err);

    if (!storage)
        return NULL;
    storage->readonly = true;
    if (kp_storage_connect(storage, err))
        kp_storage_stop(&storage);
    return storage;
}

enum kp_code kp_storage_seed(struct kp_storage *storage, uint64_t *seed, struct kp_err *err)
{
    sqlite3_stmt *stmt = NULL;
    bool ok = true;

    if (!storage->readonly) {
        ok = sqlite3_prepare_v2(storage->db,
                                "INSERT OR IGNORE INTO meta(key, value) VALUES('seed', ?)", -1, &stmt, NULL) == SQLITE_OK;
        ok = ok && sqlite3_bind_int64(stmt, 1, (int64_t)*seed) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_DONE;
        sqlite3_finalize(stmt);
    }
    if (!ok)
        return kp_storage_fail(storage, "seed", err);
    *seed = (uint64_t)kp_storage_number(storage, "SELECT value FROM meta WHERE key='seed'", 0);
    return KP_OK;
}

enum kp_code kp_storage_note(struct kp_storage *storage, const char *name, const char *text, struct kp_err *err)
{
    sqlite3_stmt *stmt = NULL;
    bool ok = sqlite3_prepare_v2(storage->db, "INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)", -1, &stmt, NULL) == SQLITE_OK &&
              sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC) == SQLITE_OK &&
              sqlite3_bind_text(stmt, 2, text, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_DONE;

    sqlite3_finalize(stmt);
    return ok ? KP_OK : kp_storage_fail(storage, name, err);
}

bool kp_storage_noted(struct kp_storage *storage, const char *name, char *buf, size_t size)
{
    sqlite3_stmt *stmt = NULL;
    bool ok = sqlite3_prepare_v2(storage->db, "SELECT value FROM meta WHERE key = ?", -1, &stmt, NULL) == SQLITE_OK &&
              sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW &&
              sqlite3_column_bytes(stmt, 0) > 0 && (size_t)sqlite3_column_bytes(stmt, 0) < size;

    if (ok)
        snprintf(buf, size, "%s", (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    return ok;
}

enum kp_code kp_storage_start(struct kp_storage *storage, struct kp_err *err)
{
    storage->prune = true;
    if (pthread_create(&storage->thread, NULL, kp_storage_run, storage) != 0)
        return kp_fail(err, KP_EIO, "storage: a thread can't be made");
    storage->started = true;
    if (pthread_create(&storage->answerer, NULL, kp_history_answer, storage) != 0)
        return kp_fail(err, KP_EIO, "storage: a thread can't be made");
    storage->answers = true;
    return KP_OK;
}

static void free_chunks(struct kp_chunk *chunk)
{
    while (chunk) {
        struct kp_chunk *next = chunk->next;

        free(chunk->data);
        free(chunk->alerts);
        free(chunk);
        chunk = next;
    }
}

void kp_storage_wake(struct kp_storage *storage)
{
    uint64_t one = 1;

    if (write(storage->wake, &one, sizeof one) < 0)
        return;     /* it is awake then */
}

void kp_storage_stop(struct kp_storage **storage)
{
    struct kp_storage *s = *storage;

    if (!s)
        return;
    if (s->started) {
        pthread_mutex_lock(&s->mutex);
        s->stopping = true;
        pthread_cond_signal(&s->question);
        pthread_mutex_unlock(&s->mutex);
        kp_storage_wake(s);
        pthread_join(s->thread, NULL);
    }
    if (s->answers)
        pthread_join(s->answerer, NULL);
    if (s->copier_runs)
        pthread_join(s->copier, NULL);
    kp_storage_disconnect(s);
    free_chunks(s->first);
    free_chunks(s->pool);
    kp_erase_release(s);
    free(s->cfg.path);
    free(s->incoming.part);
    free(s->incoming.hash);
    kp_history_batch_free(s->history);
    for (size_t i = 0; i < s->nasked; i++)
        s->asked[i]->drop(s->asked[i]);
    for (size_t i = 0; i < s->nanswered; i++)
        s->answered[i]->drop(s->answered[i]);
    if (s->wake >= 0)
        close(s->wake);
    if (s->told >= 0)
        close(s->told);
    if (s->lock >= 0)
        close(s->lock);
    pthread_cond_destroy(&s->question);
    pthread_mutex_destroy(&s->mutex);
    free(s);
    *storage = NULL;
}

/* ---- Chunks ---- */

enum { POOL_MAX = 16, KEEP_ROOM = 2 << 20 /* bytes of a buffer that is kept for the next one */ };

struct kp_chunk *kp_storage_blank(struct kp_storage *storage)
{
    struct kp_chunk *chunk = NULL;
    bool full;

    pthread_mutex_lock(&storage->mutex);
    full = storage->view.queued >= storage->queue_bytes;
    if (!full && storage->pool) {
        chunk = storage->pool;
        storage->pool = chunk->next;
        storage->npool--;
    }
    pthread_mutex_unlock(&storage->mutex);
    if (full)
        return NULL;
    if (!chunk)
        return calloc(1, sizeof *chunk);
    chunk->seq = 0;
    chunk->at_ms = 0;
    chunk->events = chunk->flags = 0;
    chunk->len = chunk->alerts_len = 0;
    chunk->next = NULL;
    return chunk;
}

void kp_storage_discard(struct kp_storage *storage, struct kp_chunk *chunk)
{
    if (chunk->room > KEEP_ROOM) {
        free(chunk->data);
        chunk->data = NULL;
        chunk->room = 0;
    }
    pthread_mutex_lock(&storage->mutex);
    if (storage->npool < POOL_MAX) {
        chunk->next = storage->pool;
        storage->pool = chunk;
        storage->npool++;
        chunk = NULL;
    }
    pthread_mutex_unlock(&storage->mutex);
    if (chunk) {
        chunk->next = NULL;
        free_chunks(chunk);
    }
}

static bool make_room(void *buffer, size_t *room, size_t need)
{
    size_t want = *room ? *room : 4096;
    void **at = buffer, *grown;

    if (need <= *room)
        return true;
    while (want < need)
        want *= 2;
    grown = realloc(*at, want);
    if (!grown)
        return false;
    *at = grown;
    *room = want;
    return true;
}

bool kp_chunk_put(struct kp_chunk *chunk, const void *bytes, size_t len)
{
    if (!make_room(&chunk->data, &chunk->room, chunk->len + len))
        return false;
    if (len)
        memcpy(chunk->data + chunk->len, bytes, len);
    chunk->len += len;
    return true;
}

bool kp_chunk_alert(struct kp_chunk *chunk, const char *json, size_t len)
{
    if (!make_room(&chunk->alerts, &chunk->alerts_room, chunk->alerts_len + len + 1))
        return false;
    memcpy(chunk->alerts + chunk->alerts_len, json, len);
    chunk->alerts_len += len;
    chunk->alerts[chunk->alerts_len++] = '\0';
    return true;
}

uint64_t kp_storage_push(struct kp_storage *storage, struct kp_chunk *chunk)
{
    bool wake;
    uint64_t seq;

    pthread_mutex_lock(&storage->mutex);
    seq = chunk->seq = ++storage->view.pushed;
    wake = storage->first == NULL || ((chunk->flags & KP_CHUNK_AWAITED) && !storage->urgent);
    if (!storage->first)
        storage->oldest_us = kp_storage_now_us();
    chunk->next = NULL;
    *storage->last = chunk;
    storage->last = &chunk->next;
    storage->urgent |= (chunk->flags & KP_CHUNK_AWAITED) != 0;
    storage->view.queued += sizeof *chunk + chunk->len + chunk->alerts_len;
    pthread_mutex_unlock(&storage->mutex);
    if (wake)
        kp_storage_wake(storage);
    return seq;
}

void kp_storage_checkpoint(struct kp_storage *storage, int fd, uint64_t seq, int64_t at_ms)
{
    pthread_mutex_lock(&storage->mutex);
    storage->next = (struct kp_incoming){.running = true, .fd = fd, .seq = seq, .at_ms = at_ms, .began_us = kp_storage_now_us()};
    pthread_mutex_unlock(&storage->mutex);
    kp_storage_wake(storage);
}

/* ---- How it is ---- */

int kp_storage_fd(const struct kp_storage *storage)
{
    return storage->told;
}

void kp_storage_view(struct kp_storage *storage, struct kp_storage_view *view)
{
    uint64_t told;

    if (storage->told >= 0 && read(storage->told, &told, sizeof told) < 0)
        told = 0;       /* nothing new */
    pthread_mutex_lock(&storage->mutex);
    *view = storage->view;
    view->stuck_ms = storage->busy_since_us ? (kp_storage_now_us() - storage->busy_since_us) / 1000 : 0;
    pthread_mutex_unlock(&storage->mutex);
    view->journal_full = storage->cfg.journal_bytes && view->journal_bytes > storage->cfg.journal_bytes + storage->cfg.journal_bytes / 8;
}
