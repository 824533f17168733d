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

    finish(storage, ok, db ? sqlite3_errmsg(db) : "out of memory");
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    if (!ok)
        unlink(storage->copy_to);
    return NULL;
}

enum kp_code kp_storage_copy(struct kp_storage *storage, const char *name, struct kp_err *err)
{
    bool busy;
    struct stat there;

    if (!name[0] || name[0] == '.' || strchr(name, '/'))
        return kp_fail(err, KP_EINVAL, "\"%s\": a file name without a slash, and not beginning with a dot, is wanted", name);
    pthread_mutex_lock(&storage->mutex);
    busy = storage->view.copying;
    pthread_mutex_unlock(&storage->mutex);
    if (busy)
        return kp_fail(err, KP_EINVAL, "a copy is being made already");
    if ((size_t)snprintf(storage->copy_to, sizeof storage->copy_to, "%s/%s", storage->cfg.path, name) >= sizeof storage->copy_to)
        return kp_fail(err, KP_EINVAL, "the name is too long");
    if (lstat(storage->copy_to, &there) == 0 || errno != ENOENT)
        return kp_fail(err, KP_EINVAL, "%s is there already", storage->copy_to);
    if (storage->copier_runs)
        pthread_join(storage->copier, NULL);
    storage->view.copying = true;
    storage->copier_runs = pthread_create(&storage->copier, NULL, run, storage) == 0;
    if (storage->copier_runs)
        return KP_OK;
    storage->view.copying = false;
    return kp_fail(err, KP_EIO, "a thread can't be made");
}
