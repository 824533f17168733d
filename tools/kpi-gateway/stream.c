/* Server-sent events: each browser knows a version of the state, and is told what has come since whenever there is room.
 *
 * Nothing waits for a slow one, and nothing is kept for it: what it missed is put together when it can read again. Those who look at the
 * same thing and know the same share what is written. */
#include "gateway_inside.h"

#include "kpid/tab.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PACE_MS = 15,               /* between two tellings: a screen shows no more */
    PING_MS = 15000,            /* what passes on connections ends silent ones */
    CONTESTS_MS = 1000,         /* between two tellings that a contest has changed: it is asked for then */
    SESSIONS_MS = 5000,         /* between two looks at whose session is over */
    ID_MAX = 128,
};

struct views {
    struct view **list;
    size_t count, room;
};

struct stream {
    struct gateway *gateway;        /* borrowed, like the request */
    struct request *request;
    struct view *view;              /* shared */
    struct frame *frame;            /* being sent; NULL: none */
    size_t at;
    uint64_t version;               /* what it knows */
    bool everything;                /* it is to be told all there is */
    bool up, told, ended;           /* whether kpid is there, as it was told; and whether it was */
    uint64_t era;
    uint64_t who;                   /* a print of whose view it is, and of what */
    int64_t said_ms;                /* steady: something was sent */
    bool contests;                  /* it is told when a contest has changed */
    uint64_t contests_version;      /* as it was told */
    int64_t contests_ms;            /* steady: when */
    char cookie[SESSION_COOKIE];    /* "": it was not told by one who it is */
    struct stream *next, **before;
};

/* ---- Views ---- */

struct views *views_new(void)
{
    return calloc(1, sizeof(struct views));
}

void views_destroy(struct views **views)
{
    if (!*views)
        return;
    free((*views)->list);
    free(*views);
    *views = NULL;
}

/* A view that somebody looks at already, or a new one. NULL: it was answered. */
static struct view *share(struct request *request)
{
    struct views *views = request->gateway->views;
    struct view_query query;
    struct kp_err err = {0};
    struct view *view;

    view_query_of(request, &query);
    for (size_t i = 0; i < views->count; i++)
        if (view_is(views->list[i], request->rights, &query)) {
            ++*view_users(views->list[i]);
            return views->list[i];
        }
    if (views->count == views->room) {
        size_t room = views->room ? 2 * views->room : 16;
        struct view **grown = realloc(views->list, room * sizeof *grown);

        if (!grown) {
            request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
            return NULL;
        }
        views->list = grown;
        views->room = room;
    }
    view = view_new(request->rights, &query, &err);
    if (!view) {
        request_fail(request, err.code == KP_EINVAL ? MHD_HTTP_BAD_REQUEST : MHD_HTTP_SERVICE_UNAVAILABLE, "%s", err.text);
        return NULL;
    }
    views->list[views->count++] = view;
    ++*view_users(view);
    return view;
}

static void unshare(struct views *views, struct view *view)
{
    if (--*view_users(view))
        return;
    for (size_t i = 0; i < views->count; i++)
        if (views->list[i] == view)
            views->list[i] = views->list[--views->count];
    view_destroy(&view);
}

void view_query_of(const struct request *request, struct view_query *query)
{
    *query = (struct view_query){request_param(request, "level"), request_param(request, "under"), request_param(request, "kpi"),
                                 request_param(request, "window")};
}

/* ---- Beginning and end ---- */

/* What stands before the version in an event's id: of which gateway, catalog, rights and view. Whoever comes back with another one knows
 * other things than these. */
static const char *id_of(const struct stream *stream, char id[ID_MAX])
{
    const struct gateway *gateway = stream->gateway;

    snprintf(id, ID_MAX, "%s.%" PRIu64 ".%" PRIu64 ".%016" PRIx64, gateway->birth, upstream_era(gateway->upstream), gateway->reloads,
             stream->who);
    return id;
}

static uint64_t print_of(const struct request *request)
{
    struct view_query query;
    uint64_t print = 0;

    view_query_of(request, &query);
    {
        const char *const texts[] = {request->rights->name, query.levels, query.under, query.kpis, query.windows};

        for (uint32_t i = 0; i < sizeof texts / sizeof *texts; i++)
            if (texts[i])
                print = kp_print_of(print, i, texts[i], strlen(texts[i])).hi;
    }
    return print;
}

/* Where it was, when it says so and that is ours. */
static void resume(struct stream *stream)
{
    const char *last = request_header(stream->request, "Last-Event-ID"), *dash = last ? strrchr(last, '-') : NULL;
    char id[ID_MAX];
    size_t len;

    stream->everything = true;
    stream->who = print_of(stream->request);
    id_of(stream, id);
    len = strlen(id);
    if (!dash || (size_t)(dash - last) != len || memcmp(last, id, len) != 0)
        return;
    stream->version = strtoull(dash + 1, NULL, 10);
    stream->everything = false;
}

static bool may_follow(struct request *request)
{
    uint32_t most = request->setup->config.streams;

    if (who_may(request)->streams < most)
        return true;
    request->gateway->stats.limited++;
    request_fail(request, MHD_HTTP_TOO_MANY_REQUESTS, "more than %u streams at a time", most);
    return false;
}

void stream_begin(struct request *request)
{
    struct gateway *gateway = request->gateway;
    const char *cookie = request->by_cookie ? MHD_lookup_connection_value(request->connection, MHD_COOKIE_KIND, "kpid") : NULL;
    struct view *view = may_follow(request) ? share(request) : NULL;
    struct stream *stream = view ? calloc(1, sizeof *stream) : NULL;

    if (!stream) {
        if (view) {
            unshare(gateway->views, view);
            request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
        }
        return;
    }
    *stream = (struct stream){.gateway = gateway, .request = request, .view = view, .era = upstream_era(gateway->upstream),
                              .said_ms = gateway->steady_ms, .next = gateway->streams, .before = &gateway->streams};
    stream->contests = request_param(request, "contests") != NULL;
    stream->contests_version = upstream_contests(gateway->upstream);
    if (cookie)
        snprintf(stream->cookie, sizeof stream->cookie, "%s", cookie);
    if (stream->next)
        stream->next->before = &stream->next;
    gateway->streams = stream;
    gateway->stats.streams++;
    gateway->stats.streams_total++;
    who_may(request)->streams++;
    resume(stream);
    request->stream = stream;
    request->reply.streams = true;
    request->reply.status = MHD_HTTP_OK;
    request->reply.type = "text/event-stream";
}

void stream_end(struct stream **stream)
{
    struct stream *s = *stream;

    if (!s)
        return;
    *s->before = s->next;
    if (s->next)
        s->next->before = s->before;
    s->gateway->stats.streams--;
    who_may(s->request)->streams--;
    frame_release(s->frame);
    unshare(s->gateway->views, s->view);
    free(s);
    *stream = NULL;
}

void stream_cut(struct stream *stream)
{
    stream->ended = true;
}

void streams_cut(struct gateway *gateway, const char *cookie)
{
    for (struct stream *s = gateway->streams; s; s = s->next)
        if (cookie ? strcmp(s->cookie, cookie) == 0 : s->request->setup != gateway->setup) {
            stream_cut(s);
            request_resume(s->request);
        }
}

/* ---- Telling ---- */

static struct frame *frame_of_text(const char *text)
{
    size_t len = strlen(text);
    struct frame *frame = malloc(sizeof *frame + len);

    if (!frame)
        return NULL;
    *frame = (struct frame){.refs = 1, .len = len};
    memcpy(frame->bytes, text, len);
    return frame;
}

/* When it is to be told that a contest has changed. */
static int64_t contests_due(const struct stream *stream)
{
    return stream->contests && stream->contests_version != upstream_contests(stream->gateway->upstream) ? stream->contests_ms + CONTESTS_MS
                                                                                                        : INT64_MAX;
}

/* Is there something to tell it of its view? While kpid is not there, that alone. */
static bool has_news(const struct stream *stream)
{
    const struct gateway *gateway = stream->gateway;

    if (!stream->told)
        return true;
    if (!upstream_is_ready(gateway->upstream))
        return stream->up;
    return stream->everything || !stream->up || stream->version != state_version(gateway->state) ||
           stream->era != upstream_era(gateway->upstream);
}

/* Whether kpid is there has changed, or was never told: NULL when it need not be. */
static struct frame *frame_of_kpid(struct stream *stream)
{
    bool up = upstream_is_ready(stream->gateway->upstream), was_up = stream->up, told = stream->told;

    stream->up = up;
    stream->told = true;
    if (up && told && !was_up) {
        stream->everything = true;
        return frame_of_text("event: kpid\ndata: {\"state\":\"up\"}\n\n");
    }
    return up ? NULL : frame_of_text("event: kpid\ndata: {\"state\":\"down\"}\n\n");
}

/* What comes next; NULL: nothing. */
static struct frame *next_frame(struct stream *stream)
{
    const struct gateway *gateway = stream->gateway;
    struct frame *frame;
    char id[ID_MAX];

    if (has_news(stream)) {
        frame = frame_of_kpid(stream);
        if (frame || !stream->up)
            return frame;
        stream->everything |= stream->era != upstream_era(gateway->upstream);
        stream->era = upstream_era(gateway->upstream);
        frame = view_since(stream->view, gateway->state, stream->version, stream->everything, id_of(stream, id), gateway->now_ms);
        if (!frame) {       /* there is no memory for it: not to be tried again at once, as their browser does not */
            stream_cut(stream);
            return NULL;
        }
        stream->version = frame->to;
        stream->everything = false;
        if (frame->len)
            return frame;
        frame_release(frame);
    }
    if (gateway->steady_ms >= contests_due(stream)) {
        stream->contests_version = upstream_contests(gateway->upstream);
        stream->contests_ms = gateway->steady_ms;
        return frame_of_text("event: contests\ndata: {}\n\n");
    }
    return gateway->steady_ms >= stream->said_ms + PING_MS ? frame_of_text(":\n\n") : NULL;
}

ssize_t stream_read(void *ctx, uint64_t pos, char *buf, size_t max)
{
    struct stream *stream = ctx;
    size_t len;

    (void)pos;
    if (stream->ended || stream->gateway->ending)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (!stream->frame) {
        stream->frame = next_frame(stream);
        stream->at = 0;
    }
    if (stream->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (!stream->frame) {
        request_suspend(stream->request);
        return 0;
    }
    len = stream->frame->len - stream->at < max ? stream->frame->len - stream->at : max;
    memcpy(buf, stream->frame->bytes + stream->at, len);
    stream->at += len;
    stream->said_ms = stream->gateway->steady_ms;
    if (stream->at == stream->frame->len) {
        frame_release(stream->frame);
        stream->frame = NULL;
    }
    return (ssize_t)len;
}

/* A session may be over, or have made room for another. */
static void look_at_sessions(struct gateway *gateway)
{
    if (gateway->steady_ms < gateway->sessions_ms + SESSIONS_MS)
        return;
    gateway->sessions_ms = gateway->steady_ms;
    for (struct stream *s = gateway->streams; s; s = s->next)
        if (*s->cookie && !sessions_user(gateway->sessions, s->cookie, gateway->steady_ms)) {
            stream_cut(s);
            request_resume(s->request);
        }
}

void streams_turn(struct gateway *gateway)
{
    look_at_sessions(gateway);
    if (gateway->steady_ms < gateway->told_ms + PACE_MS)
        return;
    gateway->told_ms = gateway->steady_ms;
    for (struct stream *s = gateway->streams; s; s = s->next)
        if (s->request->suspended && (has_news(s) || gateway->steady_ms >= contests_due(s) || gateway->steady_ms >= s->said_ms + PING_MS))
            request_resume(s->request);
}

int64_t streams_due(const struct gateway *gateway)
{
    int64_t due = INT64_MAX;

    for (const struct stream *s = gateway->streams; s; s = s->next) {
        if (!s->request->suspended)
            continue;
        if (has_news(s))
            return gateway->told_ms + PACE_MS;
        if (contests_due(s) < due)
            due = contests_due(s);
    }
    return due;
}
