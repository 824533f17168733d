/* The store: one SQLite database, and the one thread that writes it.
 *
 * The loop hands over chunks, which are what its turns took in, and goes on; the thread puts what is queued into one transaction
 * (group commit), says how far that has come, and takes checkpoints out of a pipe. What it can't write it keeps and tries again,
 * until the disk is well. The queue is bounded: no blank chunk is no credit. Before the thread is started the same database is
 * read for recovery. README.md beside this has the schema. */
#ifndef KPID_STORAGE_H
#define KPID_STORAGE_H

#include "kpid/config.h"
#include "kpid/forget.h"
#include "kpid/histogram.h"

struct kp_storage;

/* ---- Opening ---- */

/* Open cfg->path, made if it is missing; nobody else may have it open. KP_EIO, KP_EINVAL with a sentence that says what to do: it is
 * damaged, from a newer kpid, in use. */
struct kp_storage *kp_storage_open(const struct kp_storage_cfg *cfg, size_t queue_bytes, struct kp_err *err) KP_CHECK;
/* For looking: of a daemon that runs or that does not. */
struct kp_storage *kp_storage_open_readonly(const char *path, struct kp_err *err) KP_CHECK;
/* Start the thread, which has the database from then on. */
enum kp_code kp_storage_start(struct kp_storage *storage, struct kp_err *err) KP_CHECK;
/* Write what is queued, for a few seconds at most, end the thread, close. Takes NULL and one that was never started. */
void kp_storage_stop(struct kp_storage **storage);

/* The seed of its engine's hash tables: *seed is kept the first time, and given back from then on. */
enum kp_code kp_storage_seed(struct kp_storage *storage, uint64_t *seed, struct kp_err *err) KP_CHECK;

/* A word about the store under a name, beside its seed. Before kp_storage_start. */
enum kp_code kp_storage_note(struct kp_storage *storage, const char *name, const char *text, struct kp_err *err) KP_CHECK;
/* False: there is none, or it does not fit. */
bool kp_storage_noted(struct kp_storage *storage, const char *name, char *buf, size_t size);

/* ---- Recovery: before kp_storage_start ---- */

enum { KP_CHECKPOINTS_KEPT = 2 };
struct kp_checkpoint_info {
    uint64_t id, seq;       /* seq: the position in the journal that it holds everything up to */
    int64_t at_ms;
    uint64_t bytes;
};
/* The complete ones, the newest first; at most `most`. */
enum kp_code kp_storage_checkpoints(struct kp_storage *storage, struct kp_checkpoint_info *list, size_t most, size_t *n,
                                    struct kp_err *err) KP_CHECK;

struct kp_checkpoint_reader;
struct kp_checkpoint_reader *kp_checkpoint_reader_open(struct kp_storage *storage, uint64_t id, struct kp_err *err) KP_CHECK;
/* As kp_engine_load asks for it: 0 at the end, and when something is damaged. */
size_t kp_checkpoint_read(void *reader, void *buf, size_t most);
/* KP_EIO when what was read was damaged, with a sentence in place of what was there. */
enum kp_code kp_checkpoint_reader_close(struct kp_checkpoint_reader **reader, struct kp_err *err);

struct kp_journal_row {
    uint64_t seq;
    int64_t at_ms;
    uint32_t events, flags;
    const unsigned char *data;      /* borrowed during the call */
    size_t len;
};
struct kp_journal_walk {
    bool (*row)(void *ctx, const struct kp_journal_row *row);       /* false: enough */
    void (*lost)(void *ctx, const char *what, uint64_t chunks, uint64_t events);    /* damaged, or gone; as far as that is known */
    void *ctx;
};
/* Go through the journal after a position, in order. */
enum kp_code kp_storage_walk(struct kp_storage *storage, uint64_t after, const struct kp_journal_walk *walk, struct kp_err *err) KP_CHECK;

/* ---- Writing ---- */

enum {
    KP_CHUNK_SETTLED = 1,   /* what was touched and due was looked at after the messages */
    KP_CHUNK_AWAITED = 2,   /* somebody waits for it: it is committed at once */
};

/* What one turn took in. Filled by whoever got it from kp_storage_blank. */
struct kp_chunk {
    uint64_t seq;
    int64_t at_ms;
    uint32_t events, flags;
    unsigned char *data;    /* owned */
    size_t len, room;
    char *alerts;           /* owned; bodies in JSON, each with a NUL behind */
    size_t alerts_len, alerts_room;
    struct kp_chunk *next;  /* of the queue, or the pool */
};

/* An empty chunk; NULL: so much waits for the disk that no more may. */
struct kp_chunk *kp_storage_blank(struct kp_storage *storage);
void kp_storage_discard(struct kp_storage *storage, struct kp_chunk *chunk);
/* Append. False: memory is out, and it is as it was. */
bool kp_chunk_put(struct kp_chunk *chunk, const void *bytes, size_t len) KP_CHECK;
bool kp_chunk_alert(struct kp_chunk *chunk, const char *json, size_t len) KP_CHECK;
/* Queue it; returns its position in the journal, one more than that of the one before. */
uint64_t kp_storage_push(struct kp_storage *storage, struct kp_chunk *chunk);

/* Take a checkpoint of all up to seq out of a pipe, whose reading end is taken over. Not while another one runs. */
void kp_storage_checkpoint(struct kp_storage *storage, int fd, uint64_t seq, int64_t at_ms);

/* ---- Forgetting somebody ---- */

enum { KP_FORGETS_MAX = 64 };
/* Erase what is kept of somebody whom the engine has forgotten by a request at that position of the journal: their events up to it,
 * their alerts and history, and the checkpoints from before. A copy of `who` is kept, also over a restart, until it is done: first two
 * checkpoints of that position or later have to be there (see the view). What is deleted is overwritten. Also before kp_storage_start. */
enum kp_code kp_storage_erase(struct kp_storage *storage, const struct kp_forget *who, uint64_t position, struct kp_err *err) KP_CHECK;

/* Make a consistent copy beside the store, of a name without a slash that does not exist yet; it goes on in a thread of its own. */
enum kp_code kp_storage_copy(struct kp_storage *storage, const char *name, struct kp_err *err) KP_CHECK;

/* ---- History: what was, by KPI, key and window ---- */

struct kp_history_row {
    const char *kpi, *level, *path, *window;    /* path: as in topics, "emea/field-1/ana" */
    int64_t at_ms;              /* of a sample; of a period its start */
    bool closed;                /* what the period came to */
    bool may_fall, is_now;      /* written, of a closed one: see kp_history_put */
    bool only_if_there;         /* it takes the place of one, or is nothing */
    bool has;                   /* else it had no value */
    double value, target, expected;     /* NaN: none */
    int64_t n;
};
struct kp_history_batch;
/* A batch to be filled; NULL: the one before is not written yet. */
struct kp_history_batch *kp_history_begin(struct kp_storage *storage);
/* Append a copy. False: it is full: push it, and go on with the next one.
 * What a period came to takes the place of what was said of it before only if it knows of as many samples (n), or, where samples can be
 * taken back (may_fall), of any; or if it is so now. After a reload a KPI may know less of the past than it did. */
bool kp_history_put(struct kp_history_batch *batch, const struct kp_history_row *row);
/* Hand it over; it is written when nothing is more urgent, and takes the place of what was there. */
void kp_history_push(struct kp_storage *storage, struct kp_history_batch *batch);

enum { KP_QUERY_TEXT = 4096, KP_QUERY_MOST = 10000, KP_QUERIES_MAX = 16 };
/* A question about it, answered by a thread of its own. Owned by who asks. */
struct kp_history_query {
    void *owner;                /* whatever who asks wants to know again */
    void (*drop)(struct kp_history_query *query);   /* the storage ends without an answer */
    bool alerts;                /* alerts as they happened, of `rule` if it is not empty; else values */
    char kpi[256], level[256], path[KP_QUERY_TEXT], window[64], rule[256];     /* "": any, but for a value's */
    int64_t from_ms, to_ms;     /* from <= at < to */
    /* the answer */
    struct kp_history_row *rows;        /* owned; without its texts */
    struct kp_history_alert {
        int64_t at_ms;
        char *texts[10];        /* owned; as kp_history_alert_names; NULL: none */
    } *told;                    /* owned */
    bool cut;                   /* alerts: only those at or below one of these paths */
    char **under;               /* owned; as topics have them */
    size_t nunder;
    size_t n;
    bool more;                  /* than KP_QUERY_MOST */
    struct kp_err err;
};
extern const char *const kp_history_alert_names[10];
/* False: too many are on their way. */
bool kp_history_ask(struct kp_storage *storage, struct kp_history_query *query);
/* One that was answered; NULL: none. kp_storage_fd becomes readable when there is one, and is no more once kp_storage_view has looked:
 * ask kp_history_has_answer before waiting for it. */
struct kp_history_query *kp_history_answered(struct kp_storage *storage);
bool kp_history_has_answer(struct kp_storage *storage);
/* Free the answer. */
void kp_history_query_release(struct kp_history_query *query);

/* What a forked child writes a checkpoint into. Takes no memory and no lock. */
struct kp_pipe {
    int fd;
    uint64_t hash[80];      /* of what was written: XXH3's state */
};
void kp_pipe_init(struct kp_pipe *pipe, int fd);
bool kp_pipe_write(void *pipe, const void *bytes, size_t len);
bool kp_pipe_end(struct kp_pipe *pipe);
/* Plain bytes into any pipe: all of them, whatever signals come between. */
bool kp_pipe_all(int fd, const void *bytes, size_t len);

/* ---- How it is ---- */

/* Readable when something has changed: a commit, a failure, the end of a checkpoint. kp_storage_view makes it unreadable again. */
int kp_storage_fd(const struct kp_storage *storage);

struct kp_storage_view {
    uint64_t pushed, committed;     /* positions */
    size_t queued;                  /* bytes that wait */
    bool failing;
    int64_t failing_since_ms;       /* by the system's clock */
    char error[256];                /* the last one */
    int64_t stuck_ms;               /* how long the running transaction has lasted; 0: none runs */
    uint64_t rows, bytes, errors;
    struct kp_histogram commits;    /* how long each took */
    uint64_t journal_rows, journal_bytes;   /* on disk */
    bool journal_full;              /* over storage.journal: a checkpoint would let it be cut */
    uint64_t checkpoints_done, checkpoints_failed;
    struct {
        bool ok;
        uint64_t id, seq, bytes;
        int64_t at_ms, took_ms;
    } last_checkpoint;              /* that has ended */
    uint32_t forgetting;            /* people who are to be erased */
    bool wants_checkpoint;          /* one is needed for that */
    uint64_t erased_events, erased_rows;    /* of the journal; of the other tables */
    bool copying;
    uint64_t copies_done, copies_failed;
    char copy_error[256];
    uint64_t history_rows;          /* written */
    bool is_new;                    /* it was made by this opening */
    uint64_t gone;                  /* positions that checkpoints once held, and neither they nor the journal know now */
    int64_t created_ms;
    uint64_t file_bytes;
};
void kp_storage_view(struct kp_storage *storage, struct kp_storage_view *view);

#endif
