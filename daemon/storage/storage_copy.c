/* A consistent copy of the store while it is in use, for backups. */
#include "storage_inside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void finish(struct kp_storage *storage, bool ok, const char *said)
{
    pthread_mutex_lock(&storage->mutex);
    storage->view.copying = false;
    storage->view.copies_done += ok;
    storage->view.copies_failed += !ok;
    snprintf(storage->view.copy_error, sizeof storage->view.copy_error, "%s", ok ? "" : said);
    pthread_mutex_unlock(&storage->mutex);
    kp_storage_tell(storage);
}

/* With a connection of its own: it reads what is committed at its beginning, and keeps nobody from writing. */
static void *run(void *ctx)
{
    struct kp_storage *storage = ctx;
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    bool ok = sqlite3_open_v2(storage->file, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
              sqlite3_busy_timeout(db, 2000) == SQLITE_OK &&
              sqlite3_prepare_v2(db, "VACUUM INTO ?", -1, &stmt, NULL) == SQLITE_OK &&
              sqlite3_bind_text(stmt, 1, storage->copy_to, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_DONE;

    if (!ok)
        unlink(storage->copy_to);
    finish(storage, ok, db ? sqlite3_errmsg(db) : "out of memory");
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return NULL;
}

/* No name of ours or that SQLite takes for its own, and none that a shell would stumble over. */
static bool is_fit(const char *name)
{
    if (!name[0] || strchr(".-", name[0]) || strcmp(name, "lock") == 0 || strncmp(name, "kpid.db", 7) == 0)
        return false;
    for (const char *c = name; *c; c++)
        if (*c == '/' || (unsigned char)*c < 0x20 || *c == 0x7F)
            return false;
    return true;
}

enum kp_code kp_storage_copy(struct kp_storage *storage, const char *name, struct kp_err *err)
{
    bool busy;
    struct stat there;

    if (!is_fit(name))
        return kp_fail(err, KP_EINVAL, "copy: a file name like monday.db is wanted: without a slash, not beginning with a dot, a dash or "
                                       "kpid.db");
    pthread_mutex_lock(&storage->mutex);
    busy = storage->view.copying;
    pthread_mutex_unlock(&storage->mutex);
    if (busy)
        return kp_fail(err, KP_EINVAL, "a copy is being made already");
    if (storage->copier_runs)
        pthread_join(storage->copier, NULL);
    storage->copier_runs = false;
    if ((size_t)snprintf(storage->copy_to, sizeof storage->copy_to, "%s/%s", storage->cfg.path, name) >= sizeof storage->copy_to)
        return kp_fail(err, KP_EINVAL, "the name is too long");
    if (lstat(storage->copy_to, &there) == 0 || errno != ENOENT)
        return kp_fail(err, KP_EINVAL, "%s is there already", storage->copy_to);
    pthread_mutex_lock(&storage->mutex);
    storage->view.copying = true;
    pthread_mutex_unlock(&storage->mutex);
    storage->copier_runs = pthread_create(&storage->copier, NULL, run, storage) == 0;
    if (storage->copier_runs)
        return KP_OK;
    pthread_mutex_lock(&storage->mutex);
    storage->view.copying = false;
    pthread_mutex_unlock(&storage->mutex);
    return kp_fail(err, KP_EIO, "a thread can't be made");
}
