/* What the parts of the store share. Internal to it: storage.c opens and closes, storage_thread.c writes, storage_read.c is for
 * recovery, storage_copy.c for copies, storage_prune.c forgets what is old, storage_erase.c somebody, storage_history.c keeps what
 * was, and storage_ask.c tells of it. */
#ifndef KPID_STORAGE_INSIDE_H
#define KPID_STORAGE_INSIDE_H

#include "storage.h"

#include <pthread.h>
#include <sqlite3.h>
#include <sys/types.h>

enum {
    KP_STORE_VERSION = 2,           /* user_version; 1 has no chunk in which something was denied (see record.h), else it is the same */
    KP_STORE_APPLICATION = 0x6B706964,  /* "kpid" */
    KP_PART_BYTES = 1 << 20,        /* of a checkpoint */
    KP_STORE_BUSY_MS = 200,         /* that somebody else's lock is waited for */
};

/* A checkpoint on its way from the pipe into the database. */
struct kp_incoming {
    bool running;
    int fd;
    uint64_t id, seq, bytes;
    int64_t at_ms, began_us;
    uint32_t nparts;
    unsigned char *part;            /* owned; KP_PART_BYTES */
    size_t len;
    unsigned char head[12];         /* of the frame that is being read, or the hash at the end */
    size_t head_len;
    uint32_t left;                  /* bytes of the frame still to come */
    bool at_end;                    /* the last frame's head was read: the hash comes */
    void *hash;                     /* owned; XXH3's state */
};

/* Somebody who is to be erased. */
struct kp_order {
    struct kp_forget who;           /* its texts lie in `texts` */
    char *texts;                    /* owned */
    uint64_t position;
    int64_t id;                     /* of its row; 0: it has none yet */
    bool kept;                      /* and that is committed */
};

/* How far the first of them has come. */
struct kp_erasing {
    enum { KP_ERASE_WAIT, KP_ERASE_JOURNAL, KP_ERASE_HISTORY, KP_ERASE_ALERTS, KP_ERASE_LAST } step;
    struct kp_scrubber *scrubber;   /* owned */
    int64_t seq, n;                 /* the last row that was looked at: of the journal; of the alerts */
    char kpi[256], level[256], path[KP_QUERY_TEXT];     /* of the history */
    bool nameless;                  /* its row has no name any more */
    int64_t due_us;                 /* when to go on, steady */
};

struct kp_storage {
    struct kp_storage_cfg cfg;      /* path: owned */
    char file[4096];
    size_t queue_bytes;
    int lock;                       /* -1: none */
    bool readonly, started, answers;    /* its threads run */
    sqlite3 *db;                    /* owned; of the thread once that runs */
    sqlite3_stmt *insert, *insert_alert;
    dev_t dev;                      /* of the file that is open */
    ino_t ino;
    pthread_t thread;
    int wake, told;                 /* eventfds: for the thread; for the loop */
    pthread_mutex_t mutex;          /* of what follows */
    struct kp_chunk *first, **last; /* queued */
    struct kp_chunk *pool;
    size_t npool;
    bool urgent, stopping;
    int64_t oldest_us;              /* when the first of the queue was put there, steady */
    struct kp_storage_view view;    /* kept up to date */
    int64_t busy_since_us;          /* of the running transaction; 0: none */
    struct kp_incoming next;        /* a checkpoint that the thread is to begin with */
    struct kp_history_batch *history;   /* owned; to be written */
    struct kp_history_query *asked[KP_QUERIES_MAX], *answered[KP_QUERIES_MAX];     /* owned by who asks */
    size_t nasked, nanswered;
    struct kp_order *orders[KP_FORGETS_MAX];    /* owned; the first is being erased */
    size_t norders;
    pthread_cond_t question;        /* there is one, or the end */
    pthread_t answerer;
    /* the thread's own */
    struct kp_incoming incoming;
    int64_t retry_us, backoff_us;   /* failing: when to try again */
    bool prune;                     /* there may be something to forget */
    uint64_t uncut_bytes;           /* that the journal had when that was last looked for */
    struct kp_erasing erasing;
    pthread_t copier;
    bool copier_runs;
    char copy_to[4096];
};

int64_t kp_storage_now_us(void);    /* steady */

/* ---- storage.c ---- */
/* Open the database file into storage->db, with its statements. */
enum kp_code kp_storage_connect(struct kp_storage *storage, struct kp_err *err) KP_CHECK;
void kp_storage_disconnect(struct kp_storage *storage);
/* Is the file that is open no longer the one of its name? SQLite would go on writing to it, for nobody. */
bool kp_storage_has_gone(const struct kp_storage *storage);
/* "what: what SQLite says (what the system says)". */
enum kp_code kp_storage_fail(const struct kp_storage *storage, const char *what, struct kp_err *err);
enum kp_code kp_storage_exec(struct kp_storage *storage, const char *sql, struct kp_err *err);
/* A number that a query gives; `otherwise` when there is none. */
int64_t kp_storage_number(struct kp_storage *storage, const char *sql, int64_t otherwise);

void kp_storage_wake(struct kp_storage *storage);   /* the thread: there is work */

/* ---- storage_thread.c ---- */
void *kp_storage_run(void *storage);
void kp_storage_tell(struct kp_storage *storage);   /* the loop: something has changed */

/* ---- storage_incoming.c ---- */
/* Take what the pipe has, up to a part. KP_EIO: the database failed. */
enum kp_code kp_incoming_take(struct kp_storage *storage, struct kp_err *err) KP_CHECK;
enum kp_code kp_incoming_begin(struct kp_storage *storage, struct kp_err *err) KP_CHECK;
/* Give it up: its parts are forgotten. */
void kp_incoming_drop(struct kp_storage *storage, const char *why);

/* ---- storage_history.c ---- */
/* Write the batch that waits, if there is one. KP_EIO: it still waits. */
enum kp_code kp_history_write(struct kp_storage *storage, struct kp_err *err) KP_CHECK;
bool kp_history_waits(struct kp_storage *storage);
void kp_history_batch_free(struct kp_history_batch *batch);

/* ---- storage_ask.c ---- */
/* A thread: answer questions until storage->stopping. */
void *kp_history_answer(void *storage);

/* ---- storage_erase.c ---- */
/* Within a transaction: keep those who are to be erased and are not kept yet, so that what has been promised of them holds when kpid
 * ends; and once it is known whether it was committed. */
enum kp_code kp_erase_keep(struct kp_storage *storage, struct kp_err *err) KP_CHECK;
void kp_erase_kept(struct kp_storage *storage, bool committed);
/* What was to be erased when the store was last in use. */
enum kp_code kp_erase_open(struct kp_storage *storage, struct kp_err *err) KP_CHECK;
void kp_erase_release(struct kp_storage *storage);
/* When to call kp_erase_go, steady us; INT64_MAX: nobody is to be erased. */
int64_t kp_erase_due(struct kp_storage *storage);
/* Go on for a slice, when nothing is to be pruned. */
enum kp_code kp_erase_go(struct kp_storage *storage, struct kp_err *err) KP_CHECK;
/* A checkpoint is complete. */
void kp_erase_look(struct kp_storage *storage);

/* ---- storage_prune.c ---- */
/* Forget a slice of what is no longer needed. *more: there is more. */
enum kp_code kp_storage_prune(struct kp_storage *storage, bool *more, struct kp_err *err) KP_CHECK;

#endif
