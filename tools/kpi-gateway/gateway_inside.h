/* What the files share that serve: server.c speaks HTTP, who.c knows who asks, api.c answers, stream.c tells changes, scrape.c is for
 * Prometheus, gateway.c is the loop. */
#ifndef GATEWAY_INSIDE_H
#define GATEWAY_INSIDE_H

#include "gateway_config.h"
#include "log.h"
#include "page.h"
#include "sessions.h"
#include "state.h"
#include "text.h"
#include "upstream.h"
#include "view.h"

#include <microhttpd.h>

enum { BODY_MAX = 65536, URL_MAX = 8192 };

/* A configuration, and who still answers by it. */
struct setup {
    struct gateway_config config;
    uint32_t refs;
    struct allowance {          /* of each user, then of who is none */
        int64_t second;
        uint32_t used, streams;
    } *allowances;              /* owned */
};

struct gateway_stats {
    uint64_t requests, denied, limited, streams_total;
    uint32_t browsers, streams;
};

struct stream;

struct gateway {
    struct setup *setup;            /* owned, like all that follows */
    struct setup *first;            /* by which kpid was connected to */
    void *zmq;
    struct state *state;
    struct upstream *upstream;
    struct page *page;
    struct sessions *sessions;
    struct MHD_Daemon *http;
    uint16_t port;
    char birth[20];                 /* of the ids of events: no other gateway's, nor this one's before a restart */
    int64_t now_ms, steady_ms;      /* wall and steady, of this turn */
    uint64_t reloads;
    struct request *aside;          /* those that were set aside */
    bool ending;                    /* nobody is any more */
    struct stream *streams;
    struct views *views;
    int64_t told_ms;                /* steady: when the streams were told last */
    int64_t sessions_ms;            /* and when it was looked whether theirs are still in force */
    struct gateway_stats stats;
    struct kp_log_limit log;        /* of what is denied */
};

struct reply {
    unsigned status;                /* 0: none yet */
    char *bytes;                    /* owned, unless they are a file's */
    size_t len;
    const char *type;
    const struct page_file *file;   /* NULL: none */
    char cookie[160];               /* "": none is set */
    bool streams;                   /* the stream is the answer */
};

struct request {
    struct gateway *gateway;        /* borrowed */
    struct setup *setup;            /* a reference */
    const struct rights *rights;    /* NULL: nobody */
    struct MHD_Connection *connection;
    char *url, *method;             /* owned */
    struct text body;
    bool is_large, routed, suspended;
    bool by_cookie;                 /* who it is was told by a session's cookie */
    struct request *next, **before; /* of those that are suspended */
    struct reply reply;
    struct stream *stream;          /* owned; NULL: none */
    bool (*made)(struct request *request, const msgpack_object *reply, struct text *text);     /* see request_ask */
};

/* ---- server.c ---- */
enum kp_code server_open(struct gateway *gateway, struct kp_err *err) KP_CHECK;
void server_close(struct gateway *gateway);
/* A parameter of the query, NULL when there is none or it is empty. */
const char *request_param(const struct request *request, const char *name);
const char *request_header(const struct request *request, const char *name);
/* {"error": ...} */
void request_fail(struct request *request, unsigned status, const char *fmt, ...) KP_PRINTF(3, 4);
/* Text is moved. */
void request_answer(struct request *request, unsigned status, struct text *text, const char *type);
void request_answer_frame(struct request *request, struct frame *frame);
/* Leave it aside until request_resume. */
void request_suspend(struct request *request);
void request_resume(struct request *request);

/* ---- who.c ---- */
/* Who it is; NULL: nobody. */
const struct rights *who_asks(struct request *request);
/* Is it asked for by a page of ours, or a program, and not by another site's page? False: it was answered. */
bool who_is_at_home(struct request *request);
bool who_may_ask_more(struct request *request);
/* What somebody has used of what each may. */
struct allowance *who_may(const struct request *request);
/* Count and log that somebody was denied something. */
void who_was_denied(struct request *request, const char *what);
void who_logs_in(struct request *request);
void who_logs_out(struct request *request);

/* ---- api.c ---- */
void api_route(struct request *request);

/* ---- stream.c ---- */
struct views *views_new(void) KP_CHECK;
void views_destroy(struct views **views);
/* What a request's query asks to see. */
void view_query_of(const struct request *request, struct view_query *query);
void stream_begin(struct request *request);
/* The next bytes, for libmicrohttpd. */
ssize_t stream_read(void *stream, uint64_t pos, char *buf, size_t max);
void stream_end(struct stream **stream);
/* Wake those for whom there is something. */
void streams_turn(struct gateway *gateway);
int64_t streams_due(const struct gateway *gateway);
/* End those of a cookie; NULL: those of a setup that is not in force any more. */
void streams_cut(struct gateway *gateway, const char *cookie);
void stream_cut(struct stream *stream);

/* ---- scrape.c ---- */
void scrape(struct request *request);

/* ---- gateway.c ---- */
void setup_release(struct setup *setup);

#endif
