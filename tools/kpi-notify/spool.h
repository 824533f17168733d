/* What is known of alerts, and what is to be delivered, on disk: one SQLite file in the spool's folder.
 *
 * A change of an alert and the deliveries that it makes are written in one transaction, and each delivery is known by
 * (target, alert, number of the change). So after a kill at any moment nothing is forgotten, and nothing is made twice.
 * All text that is handed out is borrowed until the next call.
 *
 * Every function that fails says so with KP_EIO and SQLite's words in *err. */
#ifndef NOTIFY_SPOOL_H
#define NOTIFY_SPOOL_H

#include "route.h"

#include "kpid/err.h"

struct spool;

/* Open, or make, the spool in a folder, which is made with mode 0700 when it is not there. waiting_max: deliveries that may
 * wait for one target; with one more the oldest is dropped. One process at a time: KP_EIO for another. */
struct spool *spool_open(const char *folder, uint32_t waiting_max, struct kp_err *err) KP_CHECK;
void spool_close(struct spool **spool);

enum kp_code spool_begin(struct spool *spool, struct kp_err *err) KP_CHECK;
enum kp_code spool_commit(struct spool *spool, struct kp_err *err) KP_CHECK;
/* What was written since spool_begin is forgotten. */
void spool_rollback(struct spool *spool);

/* ---- Alerts ---- */
enum kp_code spool_find(struct spool *spool, const char *id, struct known *known, struct kp_err *err) KP_CHECK;
/* As it was told now; `changes`: so many changes were told, this one included. asked: the number of the listing that was asked
 * for last, before this was said. */
enum kp_code spool_keep(struct spool *spool, const struct alert *alert, uint32_t changes, int64_t now_ms, int64_t asked,
                        struct kp_err *err) KP_CHECK;
/* It was in the listing of that number. Unknown ids are none of its business. */
enum kp_code spool_listed(struct spool *spool, const char *id, int64_t listing, struct kp_err *err) KP_CHECK;
/* One that fires as far as is known and was not in the listing, though it should have been: it was not told after the daemon
 * had made the listing, at `seq`. *found false: there is none. One that can't be read is forgotten and counted as dropped. */
enum kp_code spool_unlisted(struct spool *spool, int64_t listing, uint64_t seq, struct alert *alert, bool *found,
                            struct kp_err *err) KP_CHECK;
enum kp_code spool_count(struct spool *spool, uint32_t *alerts, struct kp_err *err) KP_CHECK;

/* ---- Deliveries ---- */
struct delivery {
    int64_t n;                      /* its number, given by the spool */
    enum aim_kind kind;
    const char *to;
    const char *alert;              /* its id; "digest" */
    int64_t change;                 /* number of the change; of a digest the number of the last delivery in it */
    enum change what;
    enum reader reader;
    bool instant;
    int64_t due_ms;                 /* of the digest that it waits for */
    bool counted, end_too;
    int64_t day;
    int64_t created_ms;
    const void *payload;            /* instant: as it goes out; else the alert, packed */
    size_t len;
};

/* Written once; the same again is not. */
enum kp_code spool_deliver(struct spool *spool, const struct delivery *delivery, struct kp_err *err) KP_CHECK;
/* How many instant ones that count were made for an address on a day. 0 when it can't be told. */
uint32_t spool_spent(struct spool *spool, const char *address, int64_t day);

/* Those who were told of an alert: kind, to, reader of the newest delivery to each; instant, end_too: of any. */
enum kp_code spool_told(struct spool *spool, const char *id, void (*each)(void *ctx, const struct delivery *to), void *ctx,
                        struct kp_err *err) KP_CHECK;

/* What waits to go out at once, oldest first (n, kind, to, created_ms), until `each` says false. */
enum kp_code spool_waiting(struct spool *spool, bool (*each)(void *ctx, const struct delivery *delivery), void *ctx,
                           struct kp_err *err) KP_CHECK;
/* One of them as it is to go out. The caller releases the payload, whatever came back. */
struct parcel {
    int64_t n;
    enum aim_kind kind;
    enum change what;
    char to[NOTIFY_URL + 1], alert[ALERT_ID];
    struct text payload;
};
enum kp_code spool_load(struct spool *spool, int64_t n, struct parcel *parcel, struct kp_err *err) KP_CHECK;
/* It has arrived (or never will); its payload is forgotten. */
enum kp_code spool_done(struct spool *spool, int64_t n, bool arrived, struct kp_err *err) KP_CHECK;

/* ---- The digest ---- */
/* A digest that is due: its address and when it was due. *found false: none is. */
enum kp_code spool_digest(struct spool *spool, int64_t now_ms, char *to, size_t size, int64_t *due_ms, bool *found,
                          struct kp_err *err) KP_CHECK;
/* What waits for it, oldest first. */
enum kp_code spool_digest_each(struct spool *spool, const char *to, int64_t due_ms,
                               void (*each)(void *ctx, const struct delivery *delivery), void *ctx,
                               struct kp_err *err) KP_CHECK;
/* All of it is in the digest now. */
enum kp_code spool_digest_done(struct spool *spool, const char *to, int64_t due_ms, struct kp_err *err) KP_CHECK;
/* When the next one is due; INT64_MAX: none. */
int64_t spool_digest_next(struct spool *spool);

/* ---- What stands at an Alertmanager ---- */
struct standing {
    int64_t began_ms, ended_ms;     /* ended: 0 while it fires */
    const void *alert;              /* packed */
    size_t len;
};
/* It fires there, with this severity. fresh: what it says has changed, else it is only to stand there as it does. */
enum kp_code spool_stand(struct spool *spool, const char *url, const struct alert *alert, int64_t began_ms, bool fresh,
                         struct kp_err *err) KP_CHECK;
/* It is over there, with each severity but that one (-1: with each). */
enum kp_code spool_fall(struct spool *spool, const char *url, const char *id, int severity, int64_t ended_ms,
                        struct kp_err *err) KP_CHECK;
struct batch {
    const char *url;
    int64_t n;                      /* its number, never used before */
    int64_t resend_from_ms, now_ms; /* in it: what changed, or was last sent before the one or (the clock was set) after the other */
    int most;
    int64_t skip;                   /* when nothing can be written: so many were sent since */
    bool marked;                    /* out; false: nothing can be written */
};
/* What is to be sent, marked as that batch. Where it can't be marked, because the disk is full, it is given all the same. */
enum kp_code spool_batch(struct spool *spool, struct batch *batch, void (*each)(void *ctx, const struct standing *standing),
                         void *ctx, struct kp_err *err) KP_CHECK;
/* The batch was taken at now_ms: what is over is forgotten. */
enum kp_code spool_batch_done(struct spool *spool, const char *url, int64_t batch, int64_t now_ms,
                              struct kp_err *err) KP_CHECK;
/* The batch was refused for what it says: it is not sent again until it changes. */
enum kp_code spool_batch_refused(struct spool *spool, const char *url, int64_t batch, struct kp_err *err) KP_CHECK;
/* Nothing stands any more where none of the routes leads. */
enum kp_code spool_forget_standing(struct spool *spool, const struct notify_config *config, struct kp_err *err) KP_CHECK;
/* When something is to be sent again, counted from when it was sent; 0: now; INT64_MAX: nothing stands there. */
int64_t spool_batch_oldest(struct spool *spool, const char *url);

/* ---- Order ---- */
struct spool_counts {
    uint64_t waiting;               /* for a target or a digest */
    uint64_t firing;
    uint64_t dropped;               /* since it was opened: found no room, or were given up */
};
void spool_counts(struct spool *spool, struct spool_counts *counts);
/* Give up what has waited since before then; forget what is over and was told before `over_ms`. */
enum kp_code spool_tidy(struct spool *spool, int64_t give_up_before_ms, int64_t over_before_ms, struct kp_err *err) KP_CHECK;

#endif
