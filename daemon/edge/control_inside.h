/* What the parts of the control socket share. Internal to it: control.c takes requests and answers about keys,
 * control_status.c about the daemon itself, control_silence.c keeps alerts quiet, control_reload.c is for its
 * configuration and its store, control_history.c for what was, control_forget.c for who is to be forgotten, control_rights.c knows who
 * may be told what, control_contest.c who leads. */
#ifndef KPID_CONTROL_INSIDE_H
#define KPID_CONTROL_INSIDE_H

#include "control.h"
#include "request.h"
#include "socket.h"

#include "kpid/out.h"

enum { KP_CONTROL_FRAMES_MAX = 16, KP_CONTROL_JOBS_MAX = 16 /* `get`s at a time */ };

struct envelope {
    zmq_msg_t frames[KP_CONTROL_FRAMES_MAX];
    size_t count;
};

/* A `get` on its way: first the keys are gathered, since a reply begins with their number, then encoded. */
struct job {
    bool running, gathered;
    struct envelope to;
    struct kp_request req;
    struct kp_peer who;     /* its address is not there any more */
    struct kp_out *out;     /* owned */
    int level;              /* -1: all */
    uint32_t next;          /* node, or index of nodes once gathered */
    uint32_t pass;          /* of the engine's */
    uint32_t *nodes;        /* owned */
    size_t nnodes, room;
};

struct kp_control {
    struct kp_control_world world;
    void *socket;           /* owned; NULL: none */
    struct kp_out *outs[2]; /* owned: MessagePack, JSON */
    char endpoint[KP_ENDPOINT_MAX];
    int64_t started_ms;     /* steady */
    struct job jobs[KP_CONTROL_JOBS_MAX];
    bool reload_asked;      /* by who is in reload_to */
    bool reload_is_json;
    struct envelope reload_to;
    bool stirred;           /* a request has given the engine something to tell */
    bool forgotten;         /* see kp_control_has_forgotten */
    bool guarded;
    struct kp_peer who;     /* whose request is being answered */
    uint64_t secret;        /* of the order of those without names */
    int64_t slice_ms;       /* steady: requests are counted since, up to `taken` */
    uint32_t taken;
    uint64_t requests, replies_dropped, paused;
    void *said;             /* owned; the last reply, without a socket */
    size_t said_len;
};

/* ---- Replies: a map that begins with "ok" ---- */

static inline void kp_reply_begin(struct kp_out *out, size_t entries)
{
    kp_out_clear(out);
    kp_out_map(out, entries + 1);
    kp_out_text(out, "ok");
    kp_out_bool(out, true);
}

static inline void kp_reply_uint(struct kp_out *out, const char *key, uint64_t v)
{
    kp_out_text(out, key);
    kp_out_uint(out, v);
}

static inline void kp_reply_text(struct kp_out *out, const char *key, const char *text)
{
    kp_out_text(out, key);
    kp_out_text(out, text);
}

static inline void kp_reply_now(struct kp_out *out, const struct kp_engine *engine)
{
    kp_reply_uint(out, "time", kp_engine_now(engine) < 0 ? 0 : (uint64_t)kp_engine_now(engine));
}

/* {"ok": false, "error": text}, whatever was begun. */
void kp_reply_error(struct kp_out *out, const char *text);
/* What somebody sent, as far as it fits into an error. Returns buf. */
const char *kp_reply_cut(struct kp_str text, char buf[64]);

/* ---- Rights ---- */
/* May they ask this at all? */
bool kp_control_may_ask(const struct kp_peer *who, const struct kp_request *req);
/* Where the request says `within`, make *who somebody who may read only that; its user lies in the request then. KP_EINVAL: they may
 * not say so. */
enum kp_code kp_control_narrow(struct kp_peer *who, struct kp_request *req, struct kp_err *err) KP_CHECK;
/* May they be told of everything; of what lies at a path as topics have it ("emea/field-1"); of a node? */
bool kp_control_sees_all(const struct kp_peer *who);
bool kp_control_sees_path(const struct kp_peer *who, const char *path);
bool kp_control_sees(const struct kp_control *control, const struct kp_peer *who, uint32_t node);
/* May they be told of a node's numbers without its name, since it stands beside a member whom they may see (`peers: anonymous`)? */
bool kp_control_sees_beside(const struct kp_control *control, const struct kp_peer *who, uint32_t node);
/* Put nodes into an order that tells nothing of who they are, if some are to be told without names. */
void kp_control_shuffle(const struct kp_control *control, const struct kp_peer *who, uint32_t *nodes, size_t n);

/* The answers to `silence`, `unsilence`, `silences` and `ack`. */
void kp_control_silence(struct kp_control *control, const struct kp_request *req, struct kp_out *out);
void kp_control_unsilence(struct kp_control *control, const struct kp_request *req, struct kp_out *out);
void kp_control_silences(struct kp_control *control, struct kp_out *out);
void kp_control_ack(struct kp_control *control, const struct kp_request *req, struct kp_out *out);

/* The answer to `forget`. True: they are forgotten, and it is to be journaled; then erase them from the store, too, up to the position
 * that the request has there. */
bool kp_control_forget(struct kp_control *control, const struct kp_request *req, struct kp_out *out);
void kp_control_erase(struct kp_control *control, const struct kp_request *req, uint64_t position);

/* Send a reply to who asked, and forget them. */
void kp_control_reply(struct kp_control *control, struct envelope *to, struct kp_out *out);
/* Answer everybody whose answer is not complete with an error. */
void kp_control_end_jobs(struct kp_control *control, const char *why);

/* The answer to `history`, which comes later: true, and the envelope is taken over. */
bool kp_control_history(struct kp_control *control, struct envelope *to, const struct kp_request *req, struct kp_out *out);
/* Answer one who asked about history and whose answer is there; false: there is none. */
bool kp_control_answer_history(struct kp_control *control);

/* The answers to `checkpoint` and `roster`. */
void kp_control_checkpoint(struct kp_control *control, const struct kp_request *req, struct kp_out *out);
void kp_control_roster(struct kp_control *control, struct kp_out *out);

/* The answer to `contests`. */
void kp_control_contests(struct kp_control *control, struct kp_out *out);

/* The answers to `status` and `config`. */
void kp_control_status(struct kp_control *control, struct kp_out *out, int64_t steady_ms);
void kp_control_config(struct kp_control *control, struct kp_out *out);

#endif
