#include "spool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sqlite3.h>

enum { STATUS_WAITING, STATUS_ARRIVED, STATUS_DROPPED };
enum { VERSION = 1 };

static const char schema[] =
    "BEGIN;"
    "CREATE TABLE alerts("                  /* as told last */
    " id TEXT PRIMARY KEY, state INTEGER, severity INTEGER, changes INTEGER, time_ms INTEGER, told_ms INTEGER,"
    " asked INTEGER, seq INTEGER, listing INTEGER DEFAULT 0, body BLOB) WITHOUT ROWID;"
    "CREATE INDEX alerts_state ON alerts(state, told_ms);"
    "CREATE TABLE deliveries("              /* instant ones go out as they are; the others wait for a digest */
    " n INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER, target TEXT, alert TEXT, change INTEGER, what INTEGER,"
    " reader INTEGER, instant INTEGER, status INTEGER, due_ms INTEGER, counted INTEGER, day INTEGER, end_too INTEGER,"
    " created_ms INTEGER, payload BLOB, UNIQUE(kind, target, alert, change));"
    "CREATE INDEX deliveries_waiting ON deliveries(instant, n) WHERE status = 0;"
    "CREATE INDEX deliveries_queued ON deliveries(kind, target, n) WHERE status = 0;"
    "CREATE INDEX deliveries_counted ON deliveries(target, day) WHERE counted = 1;"
    "CREATE INDEX deliveries_alert ON deliveries(alert);"
    "CREATE TABLE standing("                /* what Alertmanagers believe, or are to believe */
    " url TEXT, alert TEXT, severity INTEGER, began_ms INTEGER, ended_ms INTEGER, sent_ms INTEGER,"
    " batch INTEGER, body BLOB,"            /* batch: 0 none, -1 refused */
    " PRIMARY KEY(url, alert, severity)) WITHOUT ROWID;"
    "PRAGMA user_version = 1;"
    "COMMIT";

enum statement {
    BEGIN, COMMIT, ROLLBACK,
    FIND, KEEP, LISTED, UNLISTED, FORGET_ALERT, FORGET_STANDS, COUNT,
    DELIVER, QUEUED, DROP_OLDEST, SPENT, TOLD, WAITING, LOAD, DONE,
    DIGEST, DIGEST_EACH, DIGEST_DONE, DIGEST_NEXT,
    STAND, FALL, MARK, BATCH, BATCH_UNMARKED, BATCH_OVER, BATCH_SENT, BATCH_REFUSED, BATCH_OLDEST, URLS, FORGET_URL,
    COUNT_WAITING, COUNT_FIRING, GIVE_UP, FORGET_ALERTS, FORGET_DELIVERIES, FORGET_STANDING,
    STATEMENTS
};

static const char *const statements[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [FIND] = "SELECT state, severity, time_ms, changes, asked, seq FROM alerts WHERE id = ?1",
    [KEEP] = "INSERT INTO alerts(id, state, severity, changes, time_ms, told_ms, asked, seq, body)"
             " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT(id) DO UPDATE SET state = ?2, severity = ?3,"
             " changes = ?4, time_ms = ?5, told_ms = ?6, asked = ?7, seq = ?8, body = ?9",
    [LISTED] = "UPDATE alerts SET listing = ?2 WHERE id = ?1",
    [UNLISTED] = "SELECT body, id FROM alerts WHERE state = 1 AND listing <> ?1 AND NOT (asked = ?1 AND seq > ?2) LIMIT 1",
    [FORGET_ALERT] = "DELETE FROM alerts WHERE id = ?1",
    [FORGET_STANDS] = "DELETE FROM standing WHERE alert = ?1",
    [COUNT] = "SELECT COUNT(*) FROM alerts",
    [DELIVER] = "INSERT OR IGNORE INTO deliveries(kind, target, alert, change, what, reader, instant, status, due_ms, counted,"
                " day, end_too, created_ms, payload) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?10, ?11, ?12, ?13)",
    [QUEUED] = "SELECT COUNT(*) FROM deliveries WHERE status = 0 AND kind = ?1 AND target = ?2",
    [DROP_OLDEST] = "UPDATE deliveries SET status = 2, payload = NULL WHERE n = (SELECT MIN(n) FROM deliveries"
                    " WHERE status = 0 AND kind = ?1 AND target = ?2)",
    [SPENT] = "SELECT COUNT(*) FROM deliveries WHERE counted = 1 AND target = ?1 AND day = ?2",
    /* with one MAX, SQLite takes the reader from its row */
    [TOLD] = "SELECT kind, target, reader, SUM(instant), SUM(end_too), MAX(n) FROM deliveries WHERE alert = ?1 AND status <> 2"
             " GROUP BY kind, target",
    [WAITING] = "SELECT n, kind, target, created_ms FROM deliveries WHERE status = 0 AND instant = 1 ORDER BY n",
    [LOAD] = "SELECT kind, target, alert, what, payload FROM deliveries WHERE n = ?1",
    [DONE] = "UPDATE deliveries SET status = ?2, payload = NULL WHERE n = ?1",
    [DIGEST] = "SELECT target, due_ms FROM deliveries WHERE status = 0 AND instant = 0 AND due_ms <= ?1"
               " ORDER BY due_ms LIMIT 1",
    [DIGEST_EACH] = "SELECT alert, what, payload, n FROM deliveries WHERE status = 0 AND instant = 0 AND kind = 0 AND target = ?1"
                    " AND due_ms = ?2 ORDER BY n",
    [DIGEST_DONE] = "UPDATE deliveries SET status = 1, payload = NULL WHERE status = 0 AND instant = 0 AND kind = 0"
                    " AND target = ?1 AND due_ms = ?2",
    [DIGEST_NEXT] = "SELECT MIN(due_ms) FROM deliveries WHERE status = 0 AND instant = 0",
    [STAND] = "INSERT INTO standing(url, alert, severity, began_ms, ended_ms, sent_ms, batch, body)"
              " VALUES(?1, ?2, ?3, ?4, 0, 0, 0, ?5) ON CONFLICT(url, alert, severity) DO UPDATE"
              " SET began_ms = CASE WHEN ended_ms THEN ?4 ELSE began_ms END, ended_ms = 0, sent_ms = 0, batch = 0, body = ?5"
              " WHERE ended_ms OR ?6",
    [FALL] = "UPDATE standing SET ended_ms = ?4, sent_ms = 0, batch = 0"
             " WHERE url = ?1 AND alert = ?2 AND severity <> ?3 AND ended_ms = 0",
    [MARK] = "UPDATE standing SET batch = ?4 WHERE url = ?1 AND (alert, severity) IN (SELECT alert, severity FROM standing"
             " WHERE url = ?1 AND batch >= 0 AND (sent_ms <= ?2 OR sent_ms > ?3) ORDER BY sent_ms, began_ms LIMIT ?5)",
    [BATCH] = "SELECT began_ms, ended_ms, body FROM standing WHERE url = ?1 AND batch = ?2 ORDER BY began_ms",
    [BATCH_UNMARKED] = "SELECT began_ms, ended_ms, body FROM standing WHERE url = ?1 AND batch >= 0"
                       " AND (sent_ms <= ?2 OR sent_ms > ?3) ORDER BY sent_ms, began_ms LIMIT ?5 OFFSET ?4",
    [BATCH_OVER] = "DELETE FROM standing WHERE url = ?1 AND batch = ?2 AND ended_ms",
    [BATCH_SENT] = "UPDATE standing SET sent_ms = ?3, batch = 0 WHERE url = ?1 AND batch = ?2",
    [BATCH_REFUSED] = "UPDATE standing SET batch = -1 WHERE url = ?1 AND batch = ?2",
    [BATCH_OLDEST] = "SELECT MIN(sent_ms) FROM standing WHERE url = ?1 AND batch >= 0",
    [URLS] = "SELECT MIN(url) FROM standing WHERE url > ?1",
    [FORGET_URL] = "DELETE FROM standing WHERE url = ?1",
    [COUNT_WAITING] = "SELECT COUNT(*) FROM deliveries WHERE status = 0",
    [COUNT_FIRING] = "SELECT COUNT(*) FROM alerts WHERE state = 1",
    [GIVE_UP] = "UPDATE deliveries SET status = 2, payload = NULL WHERE status = 0 AND instant = 1 AND created_ms < ?1",
    [FORGET_ALERTS] = "DELETE FROM alerts WHERE state > 1 AND told_ms < ?1",
    [FORGET_DELIVERIES] = "DELETE FROM deliveries WHERE status <> 0 AND created_ms < ?1"
                          " AND alert NOT IN (SELECT id FROM alerts)",
    [FORGET_STANDING] = "DELETE FROM standing WHERE ended_ms AND ended_ms < ?1",
};

struct spool {
    sqlite3 *db;                            /* owned */
    sqlite3_stmt *prepared[STATEMENTS];     /* owned; made when first used */
    uint32_t waiting_max;
    int64_t alerts;                         /* that are known; -1: to be counted */
    uint64_t dropped;
};

/* ---- SQLite ---- */

static enum kp_code failed(const struct spool *spool, const char *step, struct kp_err *err)
{
    return kp_fail(err, KP_EIO, "spool: %s: %s", step, sqlite3_errmsg(spool->db));
}

/* Ready for its parameters. NULL: failed, which its use tells. */
static sqlite3_stmt *ready(struct spool *spool, enum statement which)
{
    sqlite3_stmt **slot = &spool->prepared[which];

    if (!*slot && sqlite3_prepare_v3(spool->db, statements[which], -1, SQLITE_PREPARE_PERSISTENT, slot, NULL) != SQLITE_OK)
        return NULL;
    sqlite3_reset(*slot);
    sqlite3_clear_bindings(*slot);
    return *slot;
}

static void bind_text(sqlite3_stmt *st, int i, const char *text)
{
    if (st)
        sqlite3_bind_text(st, i, text, -1, SQLITE_TRANSIENT);
}

static void bind_int(sqlite3_stmt *st, int i, int64_t value)
{
    if (st)
        sqlite3_bind_int64(st, i, value);
}

static void bind_blob(sqlite3_stmt *st, int i, const void *bytes, size_t len)
{
    if (st)
        sqlite3_bind_blob64(st, i, bytes ? bytes : "", len, SQLITE_TRANSIENT);
}

/* One step. SQLITE_ROW, SQLITE_DONE, or an error, which is put into *err. */
static int step(const struct spool *spool, sqlite3_stmt *st, const char *what, struct kp_err *err)
{
    int rc = st ? sqlite3_step(st) : SQLITE_ERROR;

    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        failed(spool, what, err);
        if (st)
            sqlite3_reset(st);
        return SQLITE_ERROR;
    }
    if (rc == SQLITE_DONE)
        sqlite3_reset(st);
    return rc;
}

static enum kp_code run(const struct spool *spool, sqlite3_stmt *st, const char *what, struct kp_err *err)
{
    int rc = step(spool, st, what, err);

    if (rc == SQLITE_ROW)
        sqlite3_reset(st);
    return rc == SQLITE_ERROR ? KP_EIO : KP_OK;
}

/* The one number that a statement gives; `none` where there is none. */
static int64_t number_of(const struct spool *spool, sqlite3_stmt *st, int64_t none)
{
    int64_t number = none;

    if (step(spool, st, "count", NULL) == SQLITE_ROW) {
        if (sqlite3_column_type(st, 0) != SQLITE_NULL)
            number = sqlite3_column_int64(st, 0);
        sqlite3_reset(st);
    }
    return number;
}

static const char *text_at(sqlite3_stmt *st, int column)
{
    const char *text = (const char *)sqlite3_column_text(st, column);

    return text ? text : "";
}

/* ---- Opening ---- */

static enum kp_code make_tables(struct spool *spool, struct kp_err *err)
{
    sqlite3_stmt *st = NULL;
    int64_t version = -1;

    if (sqlite3_exec(spool->db,
                     "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                     " BEGIN IMMEDIATE; COMMIT",
                     NULL, NULL, NULL) != SQLITE_OK)
        return sqlite3_errcode(spool->db) == SQLITE_BUSY
                   ? kp_fail(err, KP_EIO, "spool: another kpi-notify works with it")
                   : failed(spool, "open", err);
    if (sqlite3_prepare_v2(spool->db, "PRAGMA user_version", -1, &st, NULL) == SQLITE_OK)
        version = number_of(spool, st, -1);
    sqlite3_finalize(st);
    if (version == VERSION)
        return KP_OK;
    if (version != 0)
        return kp_fail(err, KP_EIO, "spool: it is of version %lld, and this kpi-notify knows %d", (long long)version, VERSION);
    return sqlite3_exec(spool->db, schema, NULL, NULL, NULL) == SQLITE_OK ? KP_OK : failed(spool, "make tables", err);
}

static enum kp_code open_file(struct spool *spool, const char *folder, struct kp_err *err)
{
    char file[4200];
    mode_t before;
    int rc;

    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return kp_fail(err, KP_EIO, "spool: %.150s: %s", folder, strerror(errno));
    snprintf(file, sizeof file, "%s/kpi-notify.db", folder);
    before = umask(0077);       /* addresses and numbers of people are nobody's business; SQLite's other files do likewise */
    rc = sqlite3_open_v2(file, &spool->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (rc == SQLITE_OK)
        rc = make_tables(spool, err) == KP_OK ? SQLITE_OK : -1;
    umask(before);
    if (rc > 0)
        return kp_fail(err, KP_EIO, "spool: %.150s: %s", file, spool->db ? sqlite3_errmsg(spool->db) : "out of memory");
    return rc == SQLITE_OK ? KP_OK : KP_EIO;
}

struct spool *spool_open(const char *folder, uint32_t waiting_max, struct kp_err *err)
{
    struct spool *spool = calloc(1, sizeof *spool);

    if (!spool) {
        kp_fail(err, KP_ENOMEM, "spool: out of memory");
        return NULL;
    }
    spool->waiting_max = waiting_max;
    spool->alerts = -1;
    if (open_file(spool, folder, err))
        spool_close(&spool);
    return spool;
}

void spool_close(struct spool **spool)
{
    if (!*spool)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize((*spool)->prepared[i]);
    sqlite3_close((*spool)->db);
    free(*spool);
    *spool = NULL;
}

enum kp_code spool_begin(struct spool *spool, struct kp_err *err)
{
    return run(spool, ready(spool, BEGIN), "begin", err);
}

enum kp_code spool_commit(struct spool *spool, struct kp_err *err)
{
    return run(spool, ready(spool, COMMIT), "commit", err);
}

void spool_rollback(struct spool *spool)
{
    spool->alerts = -1;
    if (!sqlite3_get_autocommit(spool->db) && run(spool, ready(spool, ROLLBACK), "rollback", NULL))
        return;     /* SQLite has rolled back by itself, or will when the file is opened again */
}

/* ---- Alerts ---- */

enum kp_code spool_find(struct spool *spool, const char *id, struct known *known, struct kp_err *err)
{
    sqlite3_stmt *st = ready(spool, FIND);
    int rc;

    *known = (struct known){0};
    bind_text(st, 1, id);
    rc = step(spool, st, "find an alert", err);
    if (rc == SQLITE_ROW) {
        *known = (struct known){.found = true,
                                .state = (enum alert_state)sqlite3_column_int(st, 0),
                                .severity = (enum alert_severity)sqlite3_column_int(st, 1),
                                .time_ms = sqlite3_column_int64(st, 2),
                                .changes = (uint32_t)sqlite3_column_int64(st, 3),
                                .asked = sqlite3_column_int64(st, 4),
                                .seq = (uint64_t)sqlite3_column_int64(st, 5)};
        sqlite3_reset(st);
    }
    return rc == SQLITE_ERROR ? KP_EIO : KP_OK;
}

enum kp_code spool_keep(struct spool *spool, const struct alert *alert, uint32_t changes, int64_t now_ms, int64_t asked,
                        struct kp_err *err)
{
    sqlite3_stmt *st = ready(spool, KEEP);
    msgpack_sbuffer packed;
    enum kp_code code;

    msgpack_sbuffer_init(&packed);
    alert_pack(alert, &packed);
    bind_text(st, 1, alert->id);
    bind_int(st, 2, alert->state);
    bind_int(st, 3, alert->severity);
    bind_int(st, 4, changes);
    bind_int(st, 5, alert->time_ms);
    bind_int(st, 6, now_ms);
    bind_int(st, 7, asked);
    bind_int(st, 8, (int64_t)alert->seq);
    bind_blob(st, 9, packed.data, packed.size);
    code = run(spool, st, "keep an alert", err);
    if (!code && changes == 1 && spool->alerts >= 0)
        spool->alerts++;
    msgpack_sbuffer_destroy(&packed);
    return code;
}

enum kp_code spool_listed(struct spool *spool, const char *id, int64_t listing, struct kp_err *err)
{
    sqlite3_stmt *st = ready(spool, LISTED);

    bind_text(st, 1, id);
    bind_int(st, 2, listing);
    return run(spool, st, "mark an alert", err);
}

/* One that can't be read is forgotten, and counted: it must not keep the others from being told. */
static enum kp_code forget(struct spool *spool, const char *id, struct kp_err *err)
{
    static const enum statement where[] = {FORGET_ALERT, FORGET_STANDS};

    for (size_t i = 0; i < sizeof where / sizeof *where; i++) {
        sqlite3_stmt *st = ready(spool, where[i]);

        bind_text(st, 1, id);
        if (run(spool, st, "forget an alert", err))
            return KP_EIO;
    }
    spool->alerts = -1;
    spool->dropped++;
    return KP_OK;
}

enum kp_code spool_unlisted(struct spool *spool, int64_t listing, uint64_t seq, struct alert *alert, bool *found,
                            struct kp_err *err)
{
    char id[ALERT_ID];
    sqlite3_stmt *st;
    bool read;
    int rc;

    for (;;) {
        st = ready(spool, UNLISTED);
        bind_int(st, 1, listing);
        bind_int(st, 2, (int64_t)seq);
        rc = step(spool, st, "find what is over", err);
        *found = rc == SQLITE_ROW;
        if (!*found)
            return rc == SQLITE_ERROR ? KP_EIO : KP_OK;
        read = alert_unpack(sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0), alert);
        snprintf(id, sizeof id, "%s", text_at(st, 1));
        sqlite3_reset(st);
        if (read)
            return KP_OK;
        if (forget(spool, id, err))
            return KP_EIO;
    }
}

enum kp_code spool_count(struct spool *spool, uint32_t *alerts, struct kp_err *err)
{
    if (spool->alerts < 0)
        spool->alerts = number_of(spool, ready(spool, COUNT), -1);
    *alerts = spool->alerts < 0 ? 0 : (uint32_t)spool->alerts;
    return spool->alerts < 0 ? failed(spool, "count alerts", err) : KP_OK;
}

/* ---- Deliveries ---- */

/* One too many waits for the target: the oldest goes. */
static enum kp_code make_room(struct spool *spool, const struct delivery *delivery, struct kp_err *err)
{
    sqlite3_stmt *st = ready(spool, QUEUED);
    enum kp_code code;

    bind_int(st, 1, delivery->kind);
    bind_text(st, 2, delivery->to);
    if (number_of(spool, st, 0) <= spool->waiting_max)
        return KP_OK;
    st = ready(spool, DROP_OLDEST);
    bind_int(st, 1, delivery->kind);
    bind_text(st, 2, delivery->to);
    code = run(spool, st, "drop the oldest", err);
    spool->dropped += code == KP_OK;
    return code;
}

enum kp_code spool_deliver(struct spool *spool, const struct delivery *delivery, struct kp_err *err)
{
    sqlite3_stmt *st = ready(spool, DELIVER);
    enum kp_code code;

    bind_int(st, 1, delivery->kind);
    bind_text(st, 2, delivery->to);
    bind_text(st, 3, delivery->alert);
    bind_int(st, 4, delivery->change);
    bind_int(st, 5, delivery->what);
    bind_int(st, 6, delivery->reader);
    bind_int(st, 7, delivery->instant);
    bind_int(st, 8, delivery->due_ms);
    bind_int(st, 9, delivery->counted);
    bind_int(st, 10, delivery->day);
    bind_int(st, 11, delivery->end_too);
    bind_int(st, 12, delivery->created_ms);
    bind_blob(st, 13, delivery->payload, delivery->len);
    code = run(spool, st, "keep a delivery", err);
    return code ? code : make_room(spool, delivery, err);
}

uint32_t spool_spent(struct spool *spool, const char *address, int64_t day)
{
    sqlite3_stmt *st = ready(spool, SPENT);

    bind_text(st, 1, address);
    bind_int(st, 2, day);
    return (uint32_t)number_of(spool, st, 0);
}

enum kp_code spool_told(struct spool *spool, const char *id, void (*each)(void *ctx, const struct delivery *to), void *ctx,
                        struct kp_err *err)
{
    sqlite3_stmt *st = ready(spool, TOLD);
    int rc;

    bind_text(st, 1, id);
    while ((rc = step(spool, st, "who was told", err)) == SQLITE_ROW)
        each(ctx, &(struct delivery){.kind = (enum aim_kind)sqlite3_column_int(st, 0), .to = text_at(st, 1),
                                     .reader = (enum reader)sqlite3_column_int(st, 2),
                                     .instant = sqlite3_column_int(st, 3) != 0, .end_too = sqlite3_column_int(st, 4) != 0});
    return rc == SQLITE_ERROR ? KP_EIO : KP_OK;
}

enum kp_code spool_waiting(struct spool *spool, bool (*each)(void *ctx, const struct delivery *delivery), void *ctx,
                           struct kp_err *err)
{
    sqlite3_stmt *st = ready(spool, WAITING);
    int rc;

    while ((rc = step(spool, st, "what waits", err)) == SQLITE_ROW) {
        if (!each(ctx, &(struct delivery){.n = sqlite3_column_int64(st, 0), .kind = (enum aim_kind)sqlite3_column_int(st, 1),
                                          .to = text_at(st, 2), .created_ms = sqlite3_column_int64(st, 3)})) {
            sqlite3_reset(st);
            break;
        }
    }
    return rc == SQLITE_ERROR ? KP_EIO : KP_OK;
}

enum kp_code spool_load(struct spool *spool, int64_t n, struct parcel *parcel, struct kp_err *err)
{
    sqlite3_stmt *st = ready(spool, LOAD);
    int rc;

    memset(parcel, 0, sizeof *parcel);
    bind_int(st, 1, n);
    rc = step(spool, st, "load a delivery", err);
    if (rc != SQLITE_ROW)
        return rc == SQLITE_ERROR ? KP_EIO : kp_fail(err, KP_EIO, "spool: delivery %lld is not there", (long long)n);
    parcel->n = n;
    parcel->kind = (enum aim_kind)sqlite3_column_int(st, 0);
    snprintf(parcel->to, sizeof parcel->to, "%s", text_at(st, 1));
    snprintf(parcel->alert, sizeof parcel->alert, "%s", text_at(st, 2));
    parcel->what = (enum change)sqlite3_column_int(st, 3);
    text_put(&parcel->payload, text_at(st, 4), (size_t)sqlite3_column_bytes(st, 4));
    sqlite3_reset(st);
    return parcel->payload.failed ? kp_fail(err, KP_ENOMEM, "out of memory") : KP_OK;
}

enum kp_code spool_done(struct spool *spool, int64_t n, bool arrived, struct kp_err *err)
{
    sqlite3_stmt *st = ready(spool, DONE);
    enum kp_code code;

    bind_int(st, 1, n);
    bind_int(st, 2, arrived ? STATUS_ARRIVED : STATUS_DROPPED);
    code = run(spool, st, "end a delivery", err);
    spool->dropped += code == KP_OK && !arrived;
    return code;
}

/* ---- The digest ---- */

enum kp_code spool_digest(struct spool *spool, int64_t now_ms, char *to, size_t size, int64_t *due_ms, bool *found,
                          struct kp_err *err)
{
    sqlite3_stmt *st = ready(spool, DIGEST);
    int rc;

    bind_int(st, 1, now_ms);
    rc = step(spool, st, "find a digest", err);
    *found = rc == SQLITE_ROW;
    if (*found) {
        snprintf(to, size, "%s", text_at(st, 0));
        *due_ms = sqlite3_column_int64(st, 1);
        sqlite3_reset(st);
    }
    return rc == SQLITE_ERROR ? KP_EIO : KP_OK;
}

enum kp_code spool_digest_each(struct spool *spool, const char *to, int64_t due_ms,
                               void (*each)(void *ctx, const struct delivery *delivery), void *ctx, struct kp_err *err)
{
    sqlite3_stmt *st = ready(spool, DIGEST_EACH);
    int rc;

    bind_text(st, 1, to);
    bind_int(st, 2, due_ms);
    while ((rc = step(spool, st, "read a digest", err)) == SQLITE_ROW)
        each(ctx, &(struct delivery){.alert = text_at(st, 0), .what = (enum change)sqlite3_column_int(st, 1),
                                     .payload = sqlite3_column_blob(st, 2), .len = (size_t)sqlite3_column_bytes(st, 2),
                                     .n = sqlite3_column_int64(st, 3)});
    return rc == SQLITE_ERROR ? KP_EIO : KP_OK;
}

enum kp_code spool_digest_done(struct spool *spool, const char *to, int64_t due_ms, struct kp_err *err)
{
    sqlite3_stmt *st = ready(spool, DIGEST_DONE);

    bind_text(st, 1, to);
    bind_int(st, 2, due_ms);
    return run(spool, st, "end a digest", err);
}

int64_t spool_digest_next(struct spool *spool)
{
    return number_of(spool, ready(spool, DIGEST_NEXT), INT64_MAX);
}

/* ---- What stands at an Alertmanager ---- */

enum kp_code spool_stand(struct spool *spool, const char *url, const struct alert *alert, int64_t began_ms, bool fresh,
                         struct kp_err *err)
{
    sqlite3_stmt *st = ready(spool, STAND);
    msgpack_sbuffer packed;
    enum kp_code code;

    msgpack_sbuffer_init(&packed);
    alert_pack(alert, &packed);
    bind_text(st, 1, url);
    bind_text(st, 2, alert->id);
    bind_int(st, 3, alert->severity);
    bind_int(st, 4, began_ms);
    bind_blob(st, 5, packed.data, packed.size);
    bind_int(st, 6, fresh);
    code = run(spool, st, "keep what stands", err);
    msgpack_sbuffer_destroy(&packed);
    return code;
}

enum kp_code spool_fall(struct spool *spool, const char *url, const char *id, int severity, int64_t ended_ms,
                        struct kp_err *err)
{
    sqlite3_stmt *st = ready(spool, FALL);

    bind_text(st, 1, url);
    bind_text(st, 2, id);
    bind_int(st, 3, severity);
    bind_int(st, 4, ended_ms);
    return run(spool, st, "end what stands", err);
}

/* MARK and BATCH_UNMARKED choose alike. */
static sqlite3_stmt *choice(struct spool *spool, enum statement which, const struct batch *batch, int64_t fourth)
{
    sqlite3_stmt *st = ready(spool, which);

    bind_text(st, 1, batch->url);
    bind_int(st, 2, batch->resend_from_ms);
    bind_int(st, 3, batch->now_ms);
    bind_int(st, 4, fourth);
    bind_int(st, 5, batch->most);
    return st;
}

enum kp_code spool_batch(struct spool *spool, struct batch *batch, void (*each)(void *ctx, const struct standing *standing),
                         void *ctx, struct kp_err *err)
{
    sqlite3_stmt *st;
    int rc;

    batch->marked = run(spool, choice(spool, MARK, batch, batch->n), "mark a batch", err) == KP_OK;
    if (batch->marked) {
        st = ready(spool, BATCH);
        bind_text(st, 1, batch->url);
        bind_int(st, 2, batch->n);
    } else {
        st = choice(spool, BATCH_UNMARKED, batch, batch->skip);
    }
    while ((rc = step(spool, st, "read a batch", err)) == SQLITE_ROW)
        each(ctx, &(struct standing){.began_ms = sqlite3_column_int64(st, 0), .ended_ms = sqlite3_column_int64(st, 1),
                                     .alert = sqlite3_column_blob(st, 2), .len = (size_t)sqlite3_column_bytes(st, 2)});
    return rc == SQLITE_ERROR ? KP_EIO : KP_OK;
}

enum kp_code spool_batch_done(struct spool *spool, const char *url, int64_t batch, int64_t now_ms, struct kp_err *err)
{
    sqlite3_stmt *st = ready(spool, BATCH_OVER);

    bind_text(st, 1, url);
    bind_int(st, 2, batch);
    if (run(spool, st, "forget what is over", err))
        return KP_EIO;
    st = ready(spool, BATCH_SENT);
    bind_text(st, 1, url);
    bind_int(st, 2, batch);
    bind_int(st, 3, now_ms);
    return run(spool, st, "end a batch", err);
}

enum kp_code spool_batch_refused(struct spool *spool, const char *url, int64_t batch, struct kp_err *err)
{
    sqlite3_stmt *st = ready(spool, BATCH_REFUSED);
    enum kp_code code;

    bind_text(st, 1, url);
    bind_int(st, 2, batch);
    code = run(spool, st, "drop a batch", err);
    if (!code)
        spool->dropped += (uint64_t)sqlite3_changes(spool->db);
    return code;
}

static bool has_manager(const struct notify_config *config, const char *url)
{
    for (size_t i = 0; i < config->nroutes; i++)
        if (config->routes[i].alertmanager.url && strcmp(config->routes[i].alertmanager.url, url) == 0)
            return true;
    return false;
}

enum kp_code spool_forget_standing(struct spool *spool, const struct notify_config *config, struct kp_err *err)
{
    char url[NOTIFY_URL + 1] = "";
    sqlite3_stmt *st;

    for (;;) {
        st = ready(spool, URLS);
        bind_text(st, 1, url);
        if (step(spool, st, "where anything stands", err) != SQLITE_ROW)
            return KP_EIO;
        snprintf(url, sizeof url, "%s", text_at(st, 0));
        sqlite3_reset(st);
        if (!*url)
            return KP_OK;
        st = ready(spool, FORGET_URL);
        bind_text(st, 1, url);
        if (!has_manager(config, url) && run(spool, st, "forget what stands", err))
            return KP_EIO;
    }
}

int64_t spool_batch_oldest(struct spool *spool, const char *url)
{
    sqlite3_stmt *st = ready(spool, BATCH_OLDEST);

    bind_text(st, 1, url);
    return number_of(spool, st, INT64_MAX);
}

/* ---- Order ---- */

void spool_counts(struct spool *spool, struct spool_counts *counts)
{
    counts->waiting = (uint64_t)number_of(spool, ready(spool, COUNT_WAITING), 0);
    counts->firing = (uint64_t)number_of(spool, ready(spool, COUNT_FIRING), 0);
    counts->dropped = spool->dropped;
}

enum kp_code spool_tidy(struct spool *spool, int64_t give_up_before_ms, int64_t over_before_ms, struct kp_err *err)
{
    static const enum statement forget[] = {FORGET_ALERTS, FORGET_DELIVERIES, FORGET_STANDING};
    sqlite3_stmt *st = ready(spool, GIVE_UP);

    bind_int(st, 1, give_up_before_ms);
    if (run(spool, st, "give up", err))
        return KP_EIO;
    spool->dropped += (uint64_t)sqlite3_changes(spool->db);
    spool->alerts = -1;
    for (size_t i = 0; i < sizeof forget / sizeof *forget; i++) {
        st = ready(spool, forget[i]);
        bind_int(st, 1, over_before_ms);
        if (run(spool, st, "tidy", err))
            return KP_EIO;
    }
    return KP_OK;
}
