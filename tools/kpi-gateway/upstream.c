#include "upstream.h"

#include "object.h"

#include "log.h"
#include "socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUESTIONS_MAX = 1024,       /* that are open */
    ANSWER_MS = 5000,           /* a daemon that lives answers sooner */
    LISTING_MS = 60000,         /* and all keys of a large floor within this */
    STATUS_MS = 2000,
    CATALOG_MS = 10000,
    DOWN_MS = 6000,             /* without an answer, it is not there */
    SYNC_LEAST_MS = 2000,       /* between two listings, whatever is lost */
    SYNC_MOST_MS = 60000,
    SYNC_SHARE = 100,           /* a listing is asked for again when so many times what it took has passed */
    AGAIN_MS = 100,             /* what could not be sent, since nobody is connected to */
    FAILED_MS = 1000,           /* a listing that was refused, or not answered */
    QUEUE = 200000,             /* messages that may lie between two turns */
    TURN = 2000,                /* that are taken in one */
    MESSAGE_MAX = 16 << 20,
    REPLY_MAX = 1 << 30,
    HEARTBEAT_MS = 10000,
};

struct question {
    uint64_t number;            /* 0: free */
    int64_t until_ms;
    upstream_answer *answer;
    void *ctx;
};

struct upstream {
    const struct gateway_config *config;    /* borrowed */
    struct state *state;                    /* borrowed */
    void *sub, *monitor, *control;          /* owned */
    struct question questions[QUESTIONS_MAX];
    size_t nquestions;
    uint64_t number;                        /* of the last question */
    int64_t steady_ms;                      /* of this turn */
    int64_t heard_ms;                       /* of the last answer */
    bool heard, has_keys, has_alerts;
    int64_t status_ms, catalog_ms, sync_ms; /* due */
    int64_t synced_ms, asked_ms;            /* the last listing: when it was complete, and asked for */
    bool syncs_keys, syncs_alerts;          /* asked for */
    uint64_t seq, era, contests;
    bool has_seq;
    msgpack_unpacked catalog, status;       /* owned */
    char *catalog_bytes;                    /* owned: to see whether it has changed */
    size_t catalog_len;
    struct upstream_stats stats;
};

/* ---- Opening ---- */

static void *open_socket(void *zmq, int kind, int64_t most, struct kp_err *err)
{
    void *socket = zmq_socket(zmq, kind);

    if (!socket || kp_socket_set(socket, ZMQ_LINGER, 0, err) || kp_socket_set(socket, ZMQ_RECONNECT_IVL, 100, err) ||
        kp_socket_set(socket, ZMQ_RECONNECT_IVL_MAX, 1000, err) || zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &most, sizeof most) != 0) {
        kp_fail(err, KP_EIO, "zeromq: %s", zmq_strerror(errno));
        if (socket)
            zmq_close(socket);
        return NULL;
    }
    return socket;
}

static enum kp_code connect_to(const struct upstream *up, void *socket, const char *endpoint, struct kp_err *err)
{
    const struct kp_key_file *identity = &up->config->identity;

    if (identity->secret_key[0] && kp_endpoint_is_tcp(endpoint) && kp_curve_connect(socket, identity, err))
        return KP_EIO;
    return zmq_connect(socket, endpoint) == 0 ? KP_OK : kp_fail(err, KP_EIO, "%.100s: %s", endpoint, zmq_strerror(errno));
}

static enum kp_code open_sub(struct upstream *up, void *zmq, struct kp_err *err)
{
    char name[64];

    up->sub = open_socket(zmq, ZMQ_SUB, MESSAGE_MAX, err);
    up->monitor = up->sub ? open_socket(zmq, ZMQ_PAIR, -1, err) : NULL;
    if (!up->monitor || kp_socket_set(up->sub, ZMQ_RCVHWM, QUEUE, err) ||
        kp_socket_set(up->sub, ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS, err))
        return KP_EIO;
    snprintf(name, sizeof name, "inproc://monitor-%p", (void *)up);
    if (zmq_setsockopt(up->sub, ZMQ_SUBSCRIBE, "", 0) != 0 ||
        zmq_socket_monitor(up->sub, name, ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED) != 0 || zmq_connect(up->monitor, name) != 0)
        return kp_fail(err, KP_EIO, "zeromq: %s", zmq_strerror(errno));
    return connect_to(up, up->sub, up->config->publish, err);
}

/* What is asked of nobody must not wait for somebody to come: ZMQ_IMMEDIATE. */
static enum kp_code open_control(struct upstream *up, void *zmq, struct kp_err *err)
{
    up->control = open_socket(zmq, ZMQ_DEALER, REPLY_MAX, err);
    if (!up->control || kp_socket_set(up->control, ZMQ_IMMEDIATE, 1, err) ||
        kp_socket_set(up->control, ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS, err))
        return KP_EIO;
    return connect_to(up, up->control, up->config->control, err);
}

struct upstream *upstream_open(void *zmq, const struct gateway_config *config, struct state *state, struct kp_err *err)
{
    struct upstream *up = calloc(1, sizeof *up);

    if (!up) {
        kp_fail(err, KP_ENOMEM, "out of memory");
        return NULL;
    }
    up->config = config;
    up->state = state;
    up->status_ms = up->catalog_ms = up->sync_ms = INT64_MIN;
    msgpack_unpacked_init(&up->catalog);
    msgpack_unpacked_init(&up->status);
    if (open_sub(up, zmq, err) || open_control(up, zmq, err))
        upstream_close(&up);
    return up;
}

void upstream_close(struct upstream **upstream)
{
    struct upstream *up = *upstream;

    if (!up)
        return;
    if (up->sub)
        zmq_close(up->sub);
    if (up->monitor)
        zmq_close(up->monitor);
    if (up->control)
        zmq_close(up->control);
    msgpack_unpacked_destroy(&up->catalog);
    msgpack_unpacked_destroy(&up->status);
    free(up->catalog_bytes);
    free(up);
    *upstream = NULL;
}

void upstream_poll(const struct upstream *upstream, zmq_pollitem_t items[UPSTREAM_ITEMS])
{
    items[0] = (zmq_pollitem_t){.socket = upstream->sub, .events = ZMQ_POLLIN};
    items[1] = (zmq_pollitem_t){.socket = upstream->monitor, .events = ZMQ_POLLIN};
    items[2] = (zmq_pollitem_t){.socket = upstream->control, .events = ZMQ_POLLIN};
}

/* ---- Questions ---- */

static bool send_question(struct upstream *up, const void *bytes, size_t len)
{
    if (zmq_send(up->control, &up->number, sizeof up->number, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return false;
    return zmq_send(up->control, "", 0, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 && zmq_send(up->control, bytes, len, ZMQ_DONTWAIT) >= 0;
}

static bool ask(struct upstream *up, const void *bytes, size_t len, int64_t until_ms, upstream_answer *answer, void *ctx)
{
    struct question *free_place = NULL;

    if (up->nquestions == QUESTIONS_MAX)
        return false;
    for (size_t i = 0; i < QUESTIONS_MAX && !free_place; i++)
        if (!up->questions[i].number)
            free_place = &up->questions[i];
    up->number++;
    if (!free_place || !send_question(up, bytes, len))
        return false;
    *free_place = (struct question){up->number, until_ms, answer, ctx};
    up->nquestions++;
    up->stats.questions++;
    return true;
}

bool upstream_ask(struct upstream *upstream, const void *bytes, size_t len, int64_t steady_ms, upstream_answer *answer, void *ctx)
{
    return ask(upstream, bytes, len, steady_ms + ANSWER_MS, answer, ctx);
}

void upstream_forget(struct upstream *upstream, const void *ctx)
{
    for (size_t i = 0; i < QUESTIONS_MAX && upstream->nquestions; i++)
        if (upstream->questions[i].number && upstream->questions[i].ctx == ctx) {
            upstream->questions[i].number = 0;
            upstream->nquestions--;
        }
}

/* It is answered, or will not be any more. */
static void settle(struct upstream *up, struct question *question, const void *bytes, size_t len)
{
    struct question settled = *question;

    question->number = 0;
    up->nquestions--;
    up->stats.unanswered += !bytes;
    settled.answer(settled.ctx, bytes, len);
}

static void take_answer(struct upstream *up, uint64_t number, const void *bytes, size_t len)
{
    for (size_t i = 0; i < QUESTIONS_MAX; i++)
        if (up->questions[i].number == number) {
            settle(up, &up->questions[i], bytes, len);
            return;
        }
}

static void give_up_late(struct upstream *up)
{
    for (size_t i = 0; i < QUESTIONS_MAX && up->nquestions; i++)
        if (up->questions[i].number && up->steady_ms >= up->questions[i].until_ms)
            settle(up, &up->questions[i], NULL, 0);
}

/* One answer, [number, "", payload]. False: none is there. */
static bool take_one_answer(struct upstream *up)
{
    uint64_t number = 0;
    zmq_msg_t msg;
    int frame = 0;

    zmq_msg_init(&msg);
    while (zmq_msg_recv(&msg, up->control, ZMQ_DONTWAIT) >= 0) {
        if (frame == 0 && zmq_msg_size(&msg) == sizeof number)
            memcpy(&number, zmq_msg_data(&msg), sizeof number);
        if (!zmq_msg_more(&msg)) {
            up->heard = true;
            up->heard_ms = up->steady_ms;
            if (number)
                take_answer(up, number, zmq_msg_data(&msg), zmq_msg_size(&msg));
            zmq_msg_close(&msg);
            return true;
        }
        frame++;
    }
    zmq_msg_close(&msg);
    return false;
}

/* ---- What we ask ourselves ---- */

static bool ask_op(struct upstream *up, const char *op, int64_t within_ms, upstream_answer *answer)
{
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    bool ok;

    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    pack_op(&packer, op);
    ok = buffer.data && ask(up, buffer.data, buffer.size, up->steady_ms + within_ms, answer, up);
    msgpack_sbuffer_destroy(&buffer);
    return ok;
}

/* Parse a reply that says ok. */
static bool parse_reply(const void *bytes, size_t len, msgpack_unpacked *item)
{
    const msgpack_object *ok;

    msgpack_unpacked_init(item);
    if (!bytes || !object_parse(bytes, len, item))
        return false;
    ok = object_get(&item->data, "ok");
    return object_true(ok);
}

static void keep_reply(msgpack_unpacked *as, const void *bytes, size_t len)
{
    msgpack_unpacked item;

    if (parse_reply(bytes, len, &item)) {
        msgpack_unpacked_destroy(as);
        *as = item;
    } else {
        msgpack_unpacked_destroy(&item);
    }
}

static void on_status(void *ctx, const void *bytes, size_t len)
{
    struct upstream *up = ctx;

    keep_reply(&up->status, bytes, len);
}

static void on_catalog(void *ctx, const void *bytes, size_t len)
{
    struct upstream *up = ctx;
    char *copy;

    if (!bytes || (up->catalog_bytes && len == up->catalog_len && memcmp(bytes, up->catalog_bytes, len) == 0))
        return;
    copy = malloc(len ? len : 1);
    if (!copy)
        return;
    memcpy(copy, bytes, len);
    free(up->catalog_bytes);
    up->catalog_bytes = copy;
    up->catalog_len = len;
    keep_reply(&up->catalog, bytes, len);
    up->era++;
}

static void end_sync(struct upstream *up, bool ok)
{
    if (!ok)
        up->sync_ms = up->steady_ms + FAILED_MS;
    if (up->syncs_keys || up->syncs_alerts || !ok)
        return;
    up->stats.syncs++;
    up->synced_ms = up->steady_ms;
    up->sync_ms = up->steady_ms + SYNC_SHARE * (up->steady_ms - up->asked_ms);
    if (up->sync_ms < up->steady_ms + SYNC_MOST_MS)
        up->sync_ms = up->steady_ms + SYNC_MOST_MS;
}

static void on_keys(void *ctx, const void *bytes, size_t len)
{
    struct upstream *up = ctx;
    msgpack_unpacked item;
    bool ok = parse_reply(bytes, len, &item);
    const msgpack_object *list = ok ? object_get(&item.data, "snapshots") : NULL;

    up->syncs_keys = false;
    for (size_t i = 0; list && i < object_count(list); i++)
        up->stats.malformed += !state_take_snapshot(up->state, &list->via.array.ptr[i]);
    if (list) {
        state_end_keys(up->state);
        up->has_keys = true;
    }
    msgpack_unpacked_destroy(&item);
    end_sync(up, list != NULL);
}

static void on_alerts(void *ctx, const void *bytes, size_t len)
{
    struct upstream *up = ctx;
    msgpack_unpacked item;
    bool ok = parse_reply(bytes, len, &item);
    const msgpack_object *list = ok ? object_get(&item.data, "alerts") : NULL;
    double seq = 0;

    up->syncs_alerts = false;
    if (list)
        object_number(object_get(&item.data, "seq"), &seq);
    for (size_t i = 0; list && i < object_count(list); i++)
        up->stats.malformed += !state_take_listed(up->state, &list->via.array.ptr[i], seq > 0 && seq < 9e15 ? (uint64_t)seq : 0);
    if (list) {
        state_end_alerts(up->state);
        up->has_alerts = true;
    }
    msgpack_unpacked_destroy(&item);
    end_sync(up, list != NULL);
}

static void begin_sync(struct upstream *up)
{
    up->asked_ms = up->steady_ms;
    up->sync_ms = up->steady_ms + AGAIN_MS;
    state_begin_keys(up->state);
    up->syncs_keys = ask_op(up, "get", LISTING_MS, on_keys);
    state_begin_alerts(up->state);
    up->syncs_alerts = up->syncs_keys && ask_op(up, "alerts", LISTING_MS, on_alerts);
}

static void ask_what_is_due(struct upstream *up)
{
    if (up->steady_ms >= up->status_ms) {
        up->status_ms = up->steady_ms + (ask_op(up, "status", ANSWER_MS, on_status) ? STATUS_MS : AGAIN_MS);
    }
    if (up->steady_ms >= up->catalog_ms)
        up->catalog_ms = up->steady_ms + (ask_op(up, "config", ANSWER_MS, on_catalog) ? CATALOG_MS : AGAIN_MS);
    if (up->steady_ms >= up->sync_ms && !up->syncs_keys && !up->syncs_alerts)
        begin_sync(up);
}

/* ---- What is published ---- */

/* The next event of the monitor, [event and value, address]; 0: none. */
static int next_event(struct upstream *up)
{
    uint16_t event = 0;
    zmq_msg_t msg;

    zmq_msg_init(&msg);
    if (zmq_msg_recv(&msg, up->monitor, ZMQ_DONTWAIT) >= 0 && zmq_msg_size(&msg) >= sizeof event)
        memcpy(&event, zmq_msg_data(&msg), sizeof event);
    while (zmq_msg_more(&msg) && zmq_msg_recv(&msg, up->monitor, ZMQ_DONTWAIT) >= 0)
        ;
    zmq_msg_close(&msg);
    return event;
}

/* A new connection: what was published before it is lost, and it may be another daemon. When one has ended, it is not there until
 * it answers again. */
static void take_connections(struct upstream *up)
{
    int event;

    while ((event = next_event(up)) != 0) {
        if (event == ZMQ_EVENT_DISCONNECTED) {
            kp_log(KP_LOG_WARN, "event=disconnected endpoint=%s", up->config->publish);
            up->heard = false;
            continue;
        }
        kp_log(KP_LOG_INFO, "event=connected endpoint=%s", up->config->publish);
        state_restart(up->state);
        upstream_forget(up, up);    /* what was asked of another one */
        up->syncs_keys = up->syncs_alerts = up->has_seq = false;
        up->sync_ms = up->catalog_ms = up->status_ms = up->steady_ms;
    }
}

static void lost(struct upstream *up)
{
    int64_t soon = up->synced_ms + SYNC_LEAST_MS;

    up->stats.gaps++;
    up->contests++;
    if (up->sync_ms > soon)
        up->sync_ms = soon;
}

static void note_seq(struct upstream *up, const msgpack_object *map)
{
    double seq;

    if (!object_number(object_get(map, "seq"), &seq) || !(seq >= 0 && seq < 9e15))
        return;
    if (up->has_seq && (uint64_t)seq != up->seq + 1)
        lost(up);
    up->has_seq = true;
    up->seq = (uint64_t)seq;
}

static void take_published(struct upstream *up, const void *bytes, size_t len)
{
    const msgpack_object *kind;
    msgpack_unpacked item;
    bool ok;

    up->stats.messages++;
    msgpack_unpacked_init(&item);
    ok = object_parse(bytes, len, &item);
    if (ok) {
        note_seq(up, &item.data);
        kind = object_get(&item.data, "kind");
        if (object_is(kind, "snapshot"))
            ok = state_take_snapshot(up->state, &item.data);
        else if (object_is(kind, "alert"))
            ok = state_take_alert(up->state, &item.data);
        up->contests += object_is(kind, "contest");
    }
    up->stats.malformed += !ok;
    msgpack_unpacked_destroy(&item);
}

/* One message, [topic, payload]. False: none is there. */
static bool take_one_published(struct upstream *up)
{
    zmq_msg_t msg;
    bool there = false, more = true;

    zmq_msg_init(&msg);
    while (more && zmq_msg_recv(&msg, up->sub, ZMQ_DONTWAIT) >= 0) {
        more = zmq_msg_more(&msg) != 0;
        there = true;
    }
    if (there && !more)
        take_published(up, zmq_msg_data(&msg), zmq_msg_size(&msg));
    zmq_msg_close(&msg);
    return there;
}

bool upstream_turn(struct upstream *upstream, int64_t steady_ms)
{
    int taken = 0;

    upstream->steady_ms = steady_ms;
    take_connections(upstream);
    while (taken < TURN && take_one_answer(upstream))
        taken++;
    give_up_late(upstream);
    while (taken < TURN && take_one_published(upstream))
        taken++;
    ask_what_is_due(upstream);
    return taken == TURN;
}

int64_t upstream_due(const struct upstream *upstream)
{
    int64_t due = upstream->status_ms < upstream->catalog_ms ? upstream->status_ms : upstream->catalog_ms;

    if (!upstream->syncs_keys && !upstream->syncs_alerts && upstream->sync_ms < due)
        due = upstream->sync_ms;
    return due;
}

bool upstream_is_up(const struct upstream *upstream)
{
    return upstream->heard && upstream->steady_ms < upstream->heard_ms + DOWN_MS;
}

bool upstream_is_ready(const struct upstream *upstream)
{
    return upstream->has_keys && upstream->has_alerts && upstream_is_up(upstream);
}

uint64_t upstream_contests(const struct upstream *upstream)
{
    return upstream->contests;
}

uint64_t upstream_era(const struct upstream *upstream)
{
    return upstream->era;
}

const msgpack_object *upstream_catalog(const struct upstream *upstream)
{
    return upstream->catalog.zone ? &upstream->catalog.data : NULL;
}

const msgpack_object *upstream_status(const struct upstream *upstream)
{
    return upstream->status.zone ? &upstream->status.data : NULL;
}

void upstream_stats(const struct upstream *upstream, struct upstream_stats *stats)
{
    *stats = upstream->stats;
}
