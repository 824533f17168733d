#include "feed.h"

#include "object.h"

#include "log.h"
#include "socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>

enum {
    ANSWER_MS = 5000,           /* a daemon that lives answers sooner */
    AGAIN_MS = 1000,            /* when it did not, or did not want to */
    SOON_MS = 1000,
    JUMP_MS = 10000,            /* between listings that are asked for because `seq` jumped */
    HOLD_MS = 250,              /* a listing waits for what was published before it, which comes another way */
    HOLD_MOST_MS = 2000,        /* and no longer, however much comes */
    QUEUE = 100000,             /* alerts that may lie between two turns */
    MESSAGE_MAX = 1 << 20,
    REPLY_MAX = 256 << 20,      /* a listing of a hundred thousand alerts */
    HEARTBEAT_MS = 10000,
};

enum question { ASKED_NOTHING, ASKED_CONFIG, ASKED_ALERTS };

struct feed {
    const struct notify_config *config;     /* borrowed */
    void *zmq;                              /* borrowed */
    void *sub, *monitor, *control;          /* owned */
    enum question asked;
    int64_t asked_ms, next_ms, last_ms;     /* steady: the question that is open; the next listing; the last one */
    int64_t listing;
    bool want_catalog, has_catalog, unanswered;     /* unanswered: at least once */
    msgpack_unpacked catalog, listed, item; /* owned */
    bool holds;                             /* a listing: `listed` */
    int64_t held_ms;                        /* steady: since when */
    uint64_t seq, listed_seq;
    struct feed_stats stats;
};

/* ---- Opening ---- */

struct setting {
    int option, value;
};

static void *open_socket(struct feed *feed, int kind, const struct setting *settings, struct kp_err *err)
{
    void *socket = zmq_socket(feed->zmq, kind);
    bool ok = socket != NULL;

    for (; ok && settings->option; settings++)
        ok = kp_socket_set(socket, settings->option, settings->value, err) == KP_OK;
    if (ok)
        return socket;
    if (socket)
        zmq_close(socket);
    else
        kp_fail(err, KP_EIO, "zeromq: %s", zmq_strerror(errno));
    return NULL;
}

static enum kp_code connect_to(const struct feed *feed, void *socket, const char *endpoint, struct kp_err *err)
{
    const struct kp_key_file *identity = &feed->config->identity;

    if (identity->secret_key[0] && kp_endpoint_is_tcp(endpoint) && kp_curve_connect(socket, identity, err))
        return KP_EIO;
    return zmq_connect(socket, endpoint) == 0 ? KP_OK
                                              : kp_fail(err, KP_EIO, "%.100s: %s", endpoint, zmq_strerror(errno));
}

/* A socket for each question: an answer that came too late must not be taken for the next one's. */
static enum kp_code open_control(struct feed *feed, struct kp_err *err)
{
    static const struct setting settings[] = {{ZMQ_LINGER, 0}, {ZMQ_RECONNECT_IVL, 100}, {0, 0}};
    int64_t most = REPLY_MAX;

    if (feed->control)
        zmq_close(feed->control);
    feed->control = open_socket(feed, ZMQ_DEALER, settings, err);
    if (!feed->control)
        return KP_EIO;
    zmq_setsockopt(feed->control, ZMQ_MAXMSGSIZE, &most, sizeof most);
    return connect_to(feed, feed->control, feed->config->control, err);
}

static enum kp_code open_sub(struct feed *feed, struct kp_err *err)
{
    static const struct setting settings[] = {
        {ZMQ_LINGER, 0}, {ZMQ_RCVHWM, QUEUE}, {ZMQ_RECONNECT_IVL, 100}, {ZMQ_RECONNECT_IVL_MAX, 2000},
        {ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS}, {0, 0}};
    static const struct setting none[] = {{ZMQ_LINGER, 0}, {0, 0}};
    int64_t most = MESSAGE_MAX;
    char name[64];

    feed->sub = open_socket(feed, ZMQ_SUB, settings, err);
    feed->monitor = feed->sub ? open_socket(feed, ZMQ_PAIR, none, err) : NULL;
    if (!feed->monitor)
        return KP_EIO;
    snprintf(name, sizeof name, "inproc://monitor-%p", (void *)feed);
    zmq_setsockopt(feed->sub, ZMQ_MAXMSGSIZE, &most, sizeof most);
    if (zmq_setsockopt(feed->sub, ZMQ_SUBSCRIBE, "alert/", 6) != 0 ||
        zmq_socket_monitor(feed->sub, name, ZMQ_EVENT_HANDSHAKE_SUCCEEDED) != 0 || zmq_connect(feed->monitor, name) != 0)
        return kp_fail(err, KP_EIO, "zeromq: %s", zmq_strerror(errno));
    return connect_to(feed, feed->sub, feed->config->publish, err);
}

struct feed *feed_open(void *zmq, const struct notify_config *config, struct kp_err *err)
{
    struct feed *feed = calloc(1, sizeof *feed);

    if (!feed) {
        kp_fail(err, KP_ENOMEM, "out of memory");
        return NULL;
    }
    feed->zmq = zmq;
    feed->config = config;
    feed->want_catalog = true;
    msgpack_unpacked_init(&feed->catalog);
    msgpack_unpacked_init(&feed->listed);
    msgpack_unpacked_init(&feed->item);
    if (open_sub(feed, err) || open_control(feed, err))
        feed_close(&feed);
    return feed;
}

void feed_close(struct feed **feed)
{
    if (!*feed)
        return;
    if ((*feed)->sub)
        zmq_close((*feed)->sub);
    if ((*feed)->monitor)
        zmq_close((*feed)->monitor);
    if ((*feed)->control)
        zmq_close((*feed)->control);
    msgpack_unpacked_destroy(&(*feed)->catalog);
    msgpack_unpacked_destroy(&(*feed)->listed);
    msgpack_unpacked_destroy(&(*feed)->item);
    free(*feed);
    *feed = NULL;
}

/* The first alerts wait for their titles and units, unless nobody answers who knows them. */
static bool takes_messages(const struct feed *feed)
{
    return feed->has_catalog || feed->unanswered;
}

/* A descriptor of libzmq stays readable until its socket is asked for its events, also where nobody reads the socket yet. */
bool feed_fds(const struct feed *feed, int fds[FEED_FDS])
{
    const struct {
        void *socket;
        bool read;
    } sockets[FEED_FDS] = {{feed->sub, takes_messages(feed)}, {feed->monitor, true}, {feed->control, feed->asked != ASKED_NOTHING}};
    bool there = false;

    for (int i = 0; i < FEED_FDS; i++) {
        size_t size = sizeof fds[i];
        int events = 0;

        if (zmq_getsockopt(sockets[i].socket, ZMQ_FD, &fds[i], &size) != 0)
            fds[i] = -1;
        size = sizeof events;
        if (zmq_getsockopt(sockets[i].socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN))
            there |= sockets[i].read;
    }
    return there;
}

/* ---- Receiving ---- */

/* The last frame of a message, if one is there. */
static bool receive(void *socket, zmq_msg_t *msg)
{
    if (zmq_msg_recv(msg, socket, ZMQ_DONTWAIT) < 0)
        return false;
    while (zmq_msg_more(msg))
        if (zmq_msg_recv(msg, socket, ZMQ_DONTWAIT) < 0)
            return false;
    return true;
}

static bool receive_item(void *socket, msgpack_unpacked *item, bool *there)
{
    zmq_msg_t msg;
    bool ok = false;

    msgpack_unpacked_destroy(item);
    msgpack_unpacked_init(item);
    zmq_msg_init(&msg);
    *there = receive(socket, &msg);
    if (*there)
        ok = object_parse(zmq_msg_data(&msg), zmq_msg_size(&msg), item);
    zmq_msg_close(&msg);
    return ok;
}

/* ---- Asking ---- */

static void ask(struct feed *feed, enum question question, int64_t now_ms, int64_t steady_ms)
{
    const char *op = question == ASKED_CONFIG ? "config" : "alerts";
    msgpack_sbuffer buffer;
    msgpack_packer packer;

    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    msgpack_pack_map(&packer, 1);
    pack_text(&packer, "op");
    pack_text(&packer, op);
    if (buffer.data && zmq_send(feed->control, buffer.data, buffer.size, ZMQ_DONTWAIT) >= 0) {
        feed->asked = question;
        feed->asked_ms = steady_ms;
        if (question == ASKED_ALERTS)
            feed->listing = now_ms > feed->listing ? now_ms : feed->listing + 1;
    } else {
        feed->next_ms = steady_ms + AGAIN_MS;
    }
    msgpack_sbuffer_destroy(&buffer);
}

/* Nobody waits for an answer any more, and one that comes finds nobody. */
static void drop_question(struct feed *feed)
{
    struct kp_err err = {0};

    feed->asked = ASKED_NOTHING;
    if (open_control(feed, &err))
        kp_log(KP_LOG_ERROR, "event=control error=\"%s\"", err.text);
}

static void ask_again(struct feed *feed, int64_t steady_ms)
{
    drop_question(feed);
    feed->unanswered = true;
    feed->next_ms = steady_ms + AGAIN_MS;
}

/* A new connection: what was published before it is lost, and it may be another daemon. Asked at once, and once more when the
 * subscription is sure to be known there. */
static void take_connections(struct feed *feed, int64_t steady_ms)
{
    zmq_msg_t msg;
    bool any = false;

    zmq_msg_init(&msg);
    while (receive(feed->monitor, &msg))
        any = true;
    zmq_msg_close(&msg);
    if (!any)
        return;
    kp_log(KP_LOG_INFO, "event=connected endpoint=%s", feed->config->publish);
    if (feed->asked != ASKED_NOTHING)
        drop_question(feed);
    feed->holds = false;
    feed->want_catalog = true;
    feed->seq = feed->listed_seq = 0;
    feed->next_ms = steady_ms;
    feed->last_ms = 0;
}

static void keep_item(struct feed *feed, msgpack_unpacked *as)
{
    msgpack_unpacked_destroy(as);
    *as = feed->item;
    msgpack_unpacked_init(&feed->item);
}

/* The reply to the question that is open, if it has come. */
static void take_reply(struct feed *feed, int64_t steady_ms, struct feed_item *item)
{
    enum question asked = feed->asked;
    const msgpack_object *ok;
    bool there, parsed = receive_item(feed->control, &feed->item, &there);

    if (!there) {
        if (steady_ms - feed->asked_ms >= ANSWER_MS) {
            ask_again(feed, steady_ms);
            item->kind = FEED_LOST;
        }
        return;
    }
    feed->asked = ASKED_NOTHING;
    ok = object_get(&feed->item.data, "ok");
    if (!parsed || !object_true(ok)) {
        ask_again(feed, steady_ms);
        item->kind = FEED_LOST;
    } else if (asked == ASKED_CONFIG) {
        keep_item(feed, &feed->catalog);
        feed->has_catalog = true;
        feed->want_catalog = false;
    } else {
        keep_item(feed, &feed->listed);
        feed->holds = true;
        feed->held_ms = steady_ms;
        feed->next_ms = steady_ms + (feed->last_ms ? feed->config->resync_ms : SOON_MS);
        feed->last_ms = steady_ms;
        feed->stats.listings++;
    }
}

static void give_listing(struct feed *feed, struct feed_item *item)
{
    feed->holds = false;
    item->kind = FEED_LISTING;
    item->map = &feed->listed.data;
}

/* The next message of the publish socket, if one is there. */
static void take_message(struct feed *feed, struct feed_item *item)
{
    bool there = true;

    while (there && item->kind == FEED_NOTHING) {
        bool parsed = receive_item(feed->sub, &feed->item, &there);

        feed->stats.messages += there;
        feed->stats.malformed += there && !parsed;
        if (there && parsed) {
            item->kind = FEED_ALERT;
            item->map = &feed->item.data;
        }
    }
}

void feed_next(struct feed *feed, int64_t now_ms, int64_t steady_ms, struct feed_item *item)
{
    *item = (struct feed_item){0};
    take_connections(feed, steady_ms);
    if (feed->asked == ASKED_NOTHING && !feed->holds && steady_ms >= feed->next_ms)
        ask(feed, feed->want_catalog ? ASKED_CONFIG : ASKED_ALERTS, now_ms, steady_ms);
    if (feed->asked != ASKED_NOTHING)
        take_reply(feed, steady_ms, item);
    if (feed->holds && steady_ms >= feed->held_ms + HOLD_MOST_MS)
        give_listing(feed, item);
    if (item->kind == FEED_NOTHING && takes_messages(feed))
        take_message(feed, item);
    if (item->kind == FEED_NOTHING && feed->holds && steady_ms >= feed->held_ms + HOLD_MS)
        give_listing(feed, item);
    item->listing = feed->listing;
}

/* ---- seq ---- */

void feed_resync(struct feed *feed, int64_t steady_ms)
{
    if (feed->next_ms > steady_ms + AGAIN_MS)
        feed->next_ms = steady_ms + AGAIN_MS;
}

void feed_listed(struct feed *feed, uint64_t seq)
{
    feed->listed_seq = seq;
}

bool feed_is_old(struct feed *feed, uint64_t seq, int64_t steady_ms)
{
    bool jumped = seq != feed->seq + 1;

    if (seq <= feed->seq) {             /* it begins anew: so did the daemon */
        feed->listed_seq = 0;
        feed->last_ms = 0;
        feed->next_ms = steady_ms;
    } else if (jumped && feed->next_ms > feed->last_ms + JUMP_MS) {
        feed->next_ms = feed->last_ms + JUMP_MS;
    }
    feed->seq = seq;
    return seq <= feed->listed_seq;
}

const msgpack_object *feed_catalog(const struct feed *feed)
{
    return feed->has_catalog ? &feed->catalog.data : NULL;
}

int64_t feed_due(const struct feed *feed)
{
    return feed->asked != ASKED_NOTHING ? feed->asked_ms + ANSWER_MS : feed->holds ? feed->held_ms + HOLD_MS : feed->next_ms;
}

void feed_stats(const struct feed *feed, struct feed_stats *stats)
{
    *stats = feed->stats;
}
