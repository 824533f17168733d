#include "publish.h"

#include "clock.h"
#include "followed.h"
#include "log.h"
#include "socket.h"
#include "standings.h"
#include "subscribers.h"

#include "kpid/encode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    LOOK_TURN = 64,         /* keys looked at before the clock is */
    WAITING_MAX = 64,       /* new subscribers waiting; more make it a pass over everything */
    TOPIC_MAX = 4096,
    SUBSCRIPTIONS_TURN = 1024,
};

static const char snapshots[] = "snapshot/";    /* so begin the topics of all of them */
static const char contests[] = "contest/";      /* likewise */

enum pass_kind { PASS_CHANGED, PASS_FULL, PASS_PREFIX };
struct pass {
    bool running;
    enum pass_kind kind;
    uint32_t number;        /* of the engine's */
    uint32_t next;          /* node */
    struct kp_prefix prefix;
};

struct kp_publish {
    const struct kp_config *config;     /* borrowed */
    void *socket;                       /* owned; NULL: nothing is published */
    struct kp_out *out;                 /* owned */
    char endpoint[KP_ENDPOINT_MAX];
    int64_t changed_at, full_at;        /* when the next pass is due */
    struct pass pass;                   /* of changed ones, or of all */
    struct pass extra;                  /* for a new subscriber */
    struct kp_prefix waiting[WAITING_MAX];
    size_t nwaiting;
    struct kp_guard *guard;             /* borrowed */
    bool guarded;
    struct kp_subscribers subscribers;
    struct kp_followed followed;
    struct kp_standings standings;
    bool may_sweep;
    struct kp_publish_stats stats;
};

/* ---- Opening ---- */

static enum kp_code open_socket(struct kp_publish *publish, void *zmq, struct kp_err *err)
{
    const struct kp_config *config = publish->config;
    const struct {
        int option, value;
    } options[] = {{ZMQ_SNDHWM, config->publish_hwm}, {ZMQ_LINGER, KP_LINGER_MS}, {ZMQ_XPUB_MANUAL, 1},
                   {ZMQ_XPUB_NODROP, 1}};
    int64_t longest = TOPIC_MAX;    /* all that a subscriber sends */
    enum kp_code code;

    publish->socket = zmq_socket(zmq, ZMQ_XPUB);
    if (!publish->socket)
        return kp_fail(err, KP_EIO, "publish: %s", zmq_strerror(errno));
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        code = kp_socket_set(publish->socket, options[i].option, options[i].value, err);
        if (code)
            return code;
    }
    if (zmq_setsockopt(publish->socket, ZMQ_MAXMSGSIZE, &longest, sizeof longest) != 0)
        return kp_fail(err, KP_EIO, "publish: %s", zmq_strerror(errno));
    code = kp_guard_serve(publish->guard, publish->socket, config->publish_endpoint, KP_DOOR_PUBLISH, &publish->guarded, err);
    return code ? code : kp_socket_open(publish->socket, "publish", config->publish_endpoint, true, publish->endpoint, err);
}

struct kp_publish *kp_publish_open(void *zmq, const struct kp_config *config, struct kp_guard *guard, struct kp_err *err)
{
    struct kp_publish *publish = calloc(1, sizeof *publish);

    if (!publish) {
        kp_fail(err, KP_ENOMEM, "publish: out of memory");
        return NULL;
    }
    publish->config = config;
    publish->guard = guard;
    if (getrandom(&publish->subscribers.seed, sizeof publish->subscribers.seed, 0) != (ssize_t)sizeof publish->subscribers.seed) {
        kp_fail(err, KP_EIO, "publish: random seed: %s", strerror(errno));
        kp_publish_close(&publish);
        return NULL;
    }
    publish->out = kp_out_new(config->publish_json, err);
    kp_standings_begin(&publish->standings, config->ncontests);
    if (!publish->out || (config->publish_endpoint && open_socket(publish, zmq, err)))
        kp_publish_close(&publish);
    return publish;
}

void kp_publish_close(struct kp_publish **publish)
{
    if (!*publish)
        return;
    if ((*publish)->socket)
        zmq_close((*publish)->socket);
    kp_out_destroy(&(*publish)->out);
    kp_subscribers_release(&(*publish)->subscribers);
    kp_followed_release(&(*publish)->followed);
    kp_standings_release(&(*publish)->standings);
    free(*publish);
    *publish = NULL;
}

void *kp_publish_socket(const struct kp_publish *publish)
{
    return publish->socket;
}

const char *kp_publish_endpoint(const struct kp_publish *publish)
{
    return publish->socket ? publish->endpoint : NULL;
}

void kp_publish_rebind(struct kp_publish *publish, const struct kp_config *config)
{
    kp_subscribers_recheck(&publish->subscribers, publish->guard, publish->endpoint, &publish->config->security, &config->security);
    publish->config = config;
    publish->pass.running = publish->extra.running = false;
    publish->changed_at = publish->full_at = 0;
    kp_standings_begin(&publish->standings, config->ncontests);
}

/* ---- Sending ---- */

static bool send_frames(struct kp_publish *publish, const char *topic, size_t topic_len, const void *bytes, size_t len)
{
    return zmq_send(publish->socket, topic, topic_len, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
           zmq_send(publish->socket, bytes, len, ZMQ_DONTWAIT) >= 0;
}

/* When a queue is full, the message goes to those that have room, and is counted as dropped for the others. */
static void send_message(struct kp_publish *publish, const char *topic, size_t topic_len, const void *bytes, size_t len)
{
    struct kp_err err;

    if (send_frames(publish, topic, topic_len, bytes, len))
        return;
    publish->stats.dropped++;
    if (errno != EAGAIN || kp_socket_set(publish->socket, ZMQ_XPUB_NODROP, 0, &err))
        return;
    send_frames(publish, topic, topic_len, bytes, len);
    if (kp_socket_set(publish->socket, ZMQ_XPUB_NODROP, 1, &err))
        kp_log(KP_LOG_ERROR, "event=publish_option error=\"%s\"", err.text);
}

/* Send what was encoded. */
static void send_encoded(struct kp_publish *publish, const char *topic, size_t topic_len)
{
    size_t len;
    const void *bytes = kp_out_bytes(publish->out, &len);

    if (bytes)
        send_message(publish, topic, topic_len, bytes, len);
    else
        publish->stats.dropped++;
}

void kp_publish_alert(struct kp_publish *publish, struct kp_engine *engine, const struct kp_alert *alert)
{
    char topic[TOPIC_MAX];
    size_t len;

    publish->stats.alerts++;
    if (!publish->socket)
        return;
    publish->stats.seq++;
    len = kp_engine_topic(engine, kp_encode_alert_kind(alert), alert->node, topic, sizeof topic);
    kp_out_clear(publish->out);
    kp_encode_alert(publish->out, engine, alert, publish->stats.seq);
    send_encoded(publish, topic, len);
}

bool kp_publish_hold(struct kp_publish *publish, struct kp_engine *engine, const struct kp_alert *alert, struct kp_outbox *outbox,
                     uint64_t position)
{
    char topic[TOPIC_MAX];
    zmq_msg_t frame;
    size_t len = kp_engine_topic(engine, kp_encode_alert_kind(alert), alert->node, topic, sizeof topic);
    const void *bytes;

    if (!publish->socket)
        return true;
    if (zmq_msg_init_size(&frame, len) != 0)
        return false;
    memcpy(zmq_msg_data(&frame), topic, len);
    kp_out_clear(publish->out);
    kp_encode_alert(publish->out, engine, alert, KP_SEQ_LATER);
    bytes = kp_out_bytes(publish->out, &len);
    if (!bytes) {
        zmq_msg_close(&frame);
        return false;
    }
    return kp_outbox_put(outbox, position, KP_SAY_ALERT, publish->socket, &frame, 1, bytes, len);
}

void kp_publish_say(struct kp_publish *publish, struct kp_outbox_item *item)
{
    zmq_msg_t *topic = &item->frames[0], *payload = &item->frames[1];
    size_t len;

    publish->stats.alerts++;
    publish->stats.seq++;
    len = kp_encode_seq(zmq_msg_data(payload), zmq_msg_size(payload), publish->config->publish_json, publish->stats.seq);
    send_message(publish, zmq_msg_data(topic), zmq_msg_size(topic), zmq_msg_data(payload), len);
}

void kp_publish_operator(struct kp_publish *publish, const struct kp_operator_alert *alert)
{
    static const char topic[] = "alert/";

    publish->stats.alerts++;
    if (!publish->socket)
        return;
    publish->stats.seq++;
    kp_out_clear(publish->out);
    kp_operator_encode(publish->out, alert, publish->stats.seq);
    send_encoded(publish, topic, sizeof topic - 1);
}

static void publish_node(struct kp_publish *publish, struct kp_engine *engine, const struct pass *pass, const char *topic,
                         size_t len)
{
    publish->stats.snapshots++;
    publish->stats.seq++;
    kp_out_clear(publish->out);
    kp_encode_snapshot(publish->out, engine, pass->next, publish->stats.seq, pass->kind != PASS_CHANGED, pass->number, NULL);
    send_encoded(publish, topic, len);
}

/* ---- Passes ---- */

/* Does the pass want this node, and does anybody follow it? Tells its topic. */
static bool wants(const struct kp_publish *publish, const struct pass *pass, const struct kp_engine *engine,
                  uint32_t node, char *topic, size_t *len)
{
    if (pass->kind == PASS_CHANGED ? !kp_engine_changed(engine, node) : !kp_engine_visible(engine, node))
        return false;
    *len = kp_engine_topic(engine, "snapshot", node, topic, TOPIC_MAX);
    return kp_followed_has(&publish->followed, topic, *len) &&
           (pass->kind != PASS_PREFIX || kp_prefix_begins(&pass->prefix, topic, *len));
}

/* Go forward in a pass. The one over changed keys also sees to those that are to be forgotten. */
static void go_forward(struct kp_publish *publish, struct kp_engine *engine, struct pass *pass)
{
    bool any = kp_followed_any(&publish->followed, snapshots, sizeof snapshots - 1);
    uint32_t nodes = kp_engine_nodes(engine);
    int64_t until = kp_clock_us(CLOCK_MONOTONIC) + KP_TURN_US;
    bool look = false;      /* at the clock */
    char topic[TOPIC_MAX];
    size_t len;

    for (; pass->next < nodes && !(look && kp_clock_us(CLOCK_MONOTONIC) > until); pass->next++) {
        bool wanted = any && wants(publish, pass, engine, pass->next, topic, &len);

        if (wanted)
            publish_node(publish, engine, pass, topic, len);
        look = wanted || (pass->next + 1) % LOOK_TURN == 0;
        if (pass->kind == PASS_PREFIX)
            continue;
        if (kp_engine_changed(engine, pass->next))
            kp_engine_seen(engine, pass->next);
        else if (!wanted && publish->may_sweep)
            kp_engine_sweep(engine, pass->next);
    }
    pass->running = pass->next < nodes;
}

static struct pass new_pass(struct kp_engine *engine, enum pass_kind kind)
{
    return (struct pass){.running = true, .kind = kind, .number = kp_engine_pass(engine)};
}

static void begin_due(struct kp_publish *publish, struct kp_engine *engine, int64_t steady_ms)
{
    struct pass *pass = &publish->pass;

    if (pass->running || steady_ms < publish->changed_at)
        return;
    *pass = new_pass(engine, PASS_CHANGED);
    publish->changed_at = steady_ms + publish->config->publish_interval_ms;
    if (steady_ms >= publish->full_at) {
        pass->kind = PASS_FULL;
        publish->full_at = steady_ms + publish->config->publish_full_ms;
        publish->stats.full_passes++;
    }
    kp_standings_due(&publish->standings, pass->kind == PASS_FULL);
}

/* Of one contest, so that many of them keep nobody waiting. */
static void tell_contest(struct kp_publish *publish, struct kp_engine *engine, int64_t steady_ms)
{
    char topic[KP_STANDINGS_TOPIC];
    size_t len = kp_standings_topic(&publish->standings, engine, topic);

    if (!kp_followed_has(&publish->followed, topic, len)) {
        kp_standings_pass(&publish->standings);
    } else if (kp_standings_look(&publish->standings, engine, publish->out, publish->stats.seq + 1,
                                 publish->config->publish_interval_ms, steady_ms)) {
        publish->stats.seq++;
        publish->stats.contests++;
        send_encoded(publish, topic, len);
    }
}

static void begin_extra(struct kp_publish *publish, struct kp_engine *engine)
{
    if (publish->extra.running || publish->nwaiting == 0)
        return;
    publish->extra = new_pass(engine, PASS_PREFIX);
    publish->extra.prefix = publish->waiting[0];
    publish->nwaiting--;
    memmove(publish->waiting, publish->waiting + 1, publish->nwaiting * sizeof *publish->waiting);
    publish->stats.prefix_passes++;
}

/* ---- Subscribers ---- */

/* A new subscriber is told what there is, where it follows snapshots. */
static void greet(struct kp_publish *publish, const char *text, size_t len)
{
    struct kp_prefix *next = &publish->waiting[publish->nwaiting];

    if (kp_prefix_meets(text, len, contests, sizeof contests - 1))
        kp_standings_due(&publish->standings, true);
    if (!kp_prefix_meets(text, len, snapshots, sizeof snapshots - 1))
        return;
    for (size_t i = 0; i < publish->nwaiting; i++)
        if (publish->waiting[i].len == len && memcmp(publish->waiting[i].text, text, len) == 0)
            return;
    if (len > KP_PREFIX_MAX || publish->nwaiting == WAITING_MAX) {
        publish->stats.prefix_refused++;
        publish->full_at = 0;       /* the next pass is over everything, so it gets its snapshots in a moment */
        return;
    }
    memcpy(next->text, text, len);
    next->len = len;
    publish->nwaiting++;
}

/* What the last message that was received asks for: the socket knows who that was. */
static void follow(struct kp_publish *publish, const char *text, size_t len)
{
    if (zmq_setsockopt(publish->socket, ZMQ_SUBSCRIBE, text, len) == 0)
        greet(publish, text, len);
}

/* What a user may read of what they ask for: of each kind and path of theirs the longer one of what is asked for and what is
 * allowed. How many there are. */
static size_t follow_cut(struct kp_publish *publish, const struct kp_user_cfg *user, const char *text, size_t len)
{
    static const char *const kinds[] = {"alert", "pending", "snapshot"};
    size_t n = 0;

    for (size_t p = 0; p < user->read.count; p++) {
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            char topic[TOPIC_MAX];
            size_t own = (size_t)snprintf(topic, sizeof topic, "%s/%s/", kinds[k], user->read.items[p]);

            if (own >= sizeof topic || !kp_prefix_meets(topic, own, text, len))
                continue;
            kp_followed_add_cut(&publish->followed, text, len, len > own ? text : topic, len > own ? len : own);
            follow(publish, len > own ? text : topic, len > own ? len : own);
            n++;
        }
    }
    return n;
}

/* Every wish is counted, also one that is refused: libzmq keeps them all, and tells of each again when its connection ends. */
static void subscribe(struct kp_publish *publish, const struct kp_peer *peer, const char *text, size_t len)
{
    struct kp_subscriber *subscriber = kp_subscribers_find(&publish->subscribers, peer, publish->endpoint);
    bool heard = !subscriber || !subscriber->is_cut;

    if (subscriber && heard && !kp_subscriber_begins(&publish->subscribers, subscriber, text, len))
        return;
    if (heard && (!peer->guarded || kp_user_may_read_all(peer->user)) &&
        (!subscriber || subscriber->prefixes <= publish->config->limits.subscriptions)) {
        kp_followed_add(&publish->followed, text, len);
        follow(publish, text, len);
        return;
    }
    kp_followed_ask(&publish->followed, text, len);
    if (!heard)
        return;
    if (subscriber && subscriber->prefixes > publish->config->limits.subscriptions) {
        publish->stats.subscriptions_refused++;
        subscriber->is_cut = true;
        kp_guard_cut(publish->guard, peer->fd, peer->address, publish->endpoint, "more subscriptions than limits.subscriptions");
    } else if (!peer->user || !follow_cut(publish, peer->user, text, len)) {
        kp_guard_deny(publish->guard, KP_DOOR_PUBLISH, peer, "a topic that they may not read");
    }
}

/* Who has gone libzmq does not tell, and then it has dropped all of theirs already. Of others only what they have begun is ended,
 * or one could end what somebody else follows. A cut that several wishes share stays: a SUB takes nothing that it does not want. */
static void unsubscribe(struct kp_publish *publish, const struct kp_peer *peer, const char *text, size_t len)
{
    struct kp_subscriber *subscriber = peer->fd < 0 ? NULL : kp_subscribers_find(&publish->subscribers, peer, publish->endpoint);

    if (peer->fd >= 0 && (!subscriber || !kp_subscriber_ends(&publish->subscribers, subscriber, text, len)))
        return;
    kp_followed_remove(&publish->followed, text, len);
    if (subscriber && (!peer->guarded || kp_user_may_read_all(peer->user)))
        zmq_setsockopt(publish->socket, ZMQ_UNSUBSCRIBE, text, len);
}

static void take_subscriptions(struct kp_publish *publish)
{
    for (int i = 0; i < SUBSCRIPTIONS_TURN; i++) {
        struct kp_peer peer;
        zmq_msg_t msg;
        const char *text;
        size_t len;

        zmq_msg_init(&msg);
        if (zmq_msg_recv(&msg, publish->socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&msg);
            return;
        }
        peer = kp_guard_who(publish->guard, publish->guarded, &msg);
        text = zmq_msg_data(&msg);
        len = zmq_msg_size(&msg);
        if (len && text[0] == 1)
            subscribe(publish, &peer, text + 1, len - 1);
        else if (len && text[0] == 0)
            unsubscribe(publish, &peer, text + 1, len - 1);
        zmq_msg_close(&msg);
    }
}

bool kp_publish_turn(struct kp_publish *publish, struct kp_engine *engine, int64_t steady_ms, bool sweep)
{
    publish->may_sweep = sweep;
    if (publish->socket)
        take_subscriptions(publish);
    begin_extra(publish, engine);
    if (publish->extra.running)
        go_forward(publish, engine, &publish->extra);
    begin_due(publish, engine, steady_ms);
    if (publish->pass.running)
        go_forward(publish, engine, &publish->pass);
    if (publish->socket && kp_standings_busy(&publish->standings))
        tell_contest(publish, engine, steady_ms);
    return publish->pass.running || publish->extra.running || publish->nwaiting ||
           (publish->socket && kp_standings_busy(&publish->standings));
}

int64_t kp_publish_due(const struct kp_publish *publish)
{
    return publish->changed_at;
}

uint32_t kp_publish_last(struct kp_publish *publish, struct kp_engine *engine, int64_t most_ms)
{
    int64_t until = kp_clock_ms(CLOCK_MONOTONIC) + most_ms;
    struct pass last = new_pass(engine, PASS_CHANGED);
    char topic[TOPIC_MAX];
    uint32_t left = 0;
    size_t len;

    if (!publish->socket)
        return 0;
    take_subscriptions(publish);
    while (last.running && kp_clock_ms(CLOCK_MONOTONIC) < until)
        go_forward(publish, engine, &last);
    kp_standings_due(&publish->standings, false);
    while (kp_standings_busy(&publish->standings))
        tell_contest(publish, engine, INT64_MAX / 2);
    for (uint32_t node = last.next; last.running && node < kp_engine_nodes(engine); node++)
        left += wants(publish, &last, engine, node, topic, &len);
    return left;
}

void kp_publish_stats(const struct kp_publish *publish, struct kp_publish_stats *stats)
{
    if (!publish) {
        memset(stats, 0, sizeof *stats);
        return;
    }
    *stats = publish->stats;
    stats->subscriptions = (uint32_t)publish->followed.n;
}
