#include "ingest.h"

#include "log.h"
#include "socket.h"

#include "kpid/out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    MESSAGES_TURN = 4096,       /* a socket, a turn */
    FRAMES_MAX = 16,            /* before a ROUTER's payload */
    REPLY_HWM = 16000,          /* replies that libzmq may hold for a sender: many more than a turn can make, so that only one
                                   who does not read loses any */
    RECEIVE_HWM = 4000,         /* messages that libzmq may hold for a sender; what it holds in a gathering pause fits */
    LOG_BURST = 5,              /* lines about rejections, a second */
    OVERSIZE = 4,               /* up to so many times limits.message is received at all, to be answered */
};

struct input {
    void *socket;               /* owned */
    enum kp_transport transport;
    bool guarded;               /* its senders have to have a key */
    char endpoint[KP_ENDPOINT_MAX];
};

struct kp_ingest {
    const struct kp_config *config;     /* borrowed, like the journal */
    struct kp_journal *journal;         /* NULL: memory only */
    struct kp_guard *guard;             /* borrowed */
    struct kp_peer peer;                /* who sent the message that is being taken, if it came in by a guarded socket */
    struct kp_intake *intake;           /* owned */
    struct kp_out *replies[2];          /* owned: MessagePack, JSON */
    struct input inputs[KP_INGEST_MAX];
    size_t ninputs, first;              /* first: whose turn it is */
    struct kp_log_limit log;
    struct kp_ingest_stats stats;
    struct kp_gaps gaps;
    uint64_t seq;                       /* of replies, without a journal */
    int64_t now_ms;
    zmq_msg_t held[KP_APPLY_MAX + 1];   /* messages in whose bytes the strings of waiting events lie */
    size_t nheld;
    const struct input *input;          /* being drained */
};

static void on_rejected(void *ctx, enum kp_reason reason, const struct kp_event *ev);
static void on_read(void *ctx, const struct kp_event *ev);
static bool denies(void *ctx, const struct kp_event *ev);

/* ---- Opening ---- */

static enum kp_code subscribe(struct input *input, const struct kp_ingest_cfg *cfg, struct kp_err *err)
{
    for (size_t i = 0; i < cfg->ntopics || i == 0; i++) {
        const char *topic = cfg->ntopics ? cfg->topics[i] : "";

        if (zmq_setsockopt(input->socket, ZMQ_SUBSCRIBE, topic, strlen(topic)) != 0)
            return kp_fail(err, KP_EIO, "sub: subscribe: %s", zmq_strerror(errno));
    }
    return KP_OK;
}

static enum kp_code open_input(struct kp_ingest *ingest, void *zmq, const struct kp_ingest_cfg *cfg, struct kp_err *err)
{
    static const struct {
        const char *name;
        int type;
    } kinds[] = {[KP_IN_SUB] = {"sub", ZMQ_SUB}, [KP_IN_PULL] = {"pull", ZMQ_PULL}, [KP_IN_ROUTER] = {"router", ZMQ_ROUTER}};
    struct input *input = &ingest->inputs[ingest->ninputs];
    int64_t most = (int64_t)ingest->config->limits.message * OVERSIZE;
    enum kp_code code = KP_OK;

    input->transport = cfg->transport;
    input->socket = zmq_socket(zmq, kinds[cfg->transport].type);
    if (!input->socket)
        return kp_fail(err, KP_EIO, "%s: %s", kinds[cfg->transport].name, zmq_strerror(errno));
    ingest->ninputs++;
    if (zmq_setsockopt(input->socket, ZMQ_MAXMSGSIZE, &most, sizeof most) != 0)
        return kp_fail(err, KP_EIO, "%s: largest message: %s", kinds[cfg->transport].name, zmq_strerror(errno));
    code = kp_socket_set(input->socket, ZMQ_LINGER, KP_LINGER_MS, err);
    code = code ? code : kp_socket_set(input->socket, ZMQ_RCVHWM, RECEIVE_HWM, err);
    if (!code && cfg->transport == KP_IN_SUB)
        code = subscribe(input, cfg, err);
    if (!code && cfg->transport == KP_IN_ROUTER)
        code = kp_socket_set(input->socket, ZMQ_SNDHWM, REPLY_HWM, err);
    if (!code && cfg->transport == KP_IN_ROUTER)
        code = kp_socket_set(input->socket, ZMQ_ROUTER_MANDATORY, 1, err);     /* so that a lost reply is seen */
    if (!code && cfg->server_key[0])
        code = kp_guard_connect(ingest->guard, input->socket, cfg->server_key, err);
    else if (!code && (cfg->bind || cfg->transport != KP_IN_SUB))
        code = kp_guard_serve(ingest->guard, input->socket, cfg->endpoint, KP_DOOR_INGEST, &input->guarded, err);
    return code ? code
                : kp_socket_open(input->socket, kinds[cfg->transport].name, cfg->endpoint,
                                 cfg->bind || cfg->transport != KP_IN_SUB, input->endpoint, err);
}

/* Only what comes over a SUB may be lost on its way. */
static bool may_gap(const struct kp_config *config)
{
    for (size_t i = 0; i < config->ningest; i++)
        if (config->ingest[i].transport == KP_IN_SUB)
            return true;
    return false;
}

struct kp_ingest *kp_ingest_open(void *zmq, struct kp_engine *engine, struct kp_journal *journal, struct kp_guard *guard,
                                 struct kp_err *err)
{
    const struct kp_config *config = kp_engine_config(engine);
    struct kp_ingest *ingest = calloc(1, sizeof *ingest);
    bool ok;

    if (!ingest) {
        kp_fail(err, KP_ENOMEM, "ingest: out of memory");
        return NULL;
    }
    ingest->config = config;
    ingest->journal = journal;
    ingest->guard = guard;
    ingest->log.burst = LOG_BURST;
    ingest->intake = kp_intake_new(engine, &(struct kp_intake_sink){denies, on_rejected, may_gap(config) ? on_read : NULL, ingest}, err);
    ingest->replies[0] = kp_out_new(false, err);
    ingest->replies[1] = kp_out_new(true, err);
    ok = ingest->intake && ingest->replies[0] && ingest->replies[1];
    if (ok && config->ningest > KP_INGEST_MAX) {
        kp_fail(err, KP_ELIMIT, "ingest: more than %d sockets", KP_INGEST_MAX);
        ok = false;
    }
    for (size_t i = 0; ok && i < config->ningest; i++)
        ok = open_input(ingest, zmq, &config->ingest[i], err) == KP_OK;
    if (!ok)
        kp_ingest_close(&ingest);
    return ingest;
}

void kp_ingest_close(struct kp_ingest **ingest)
{
    struct kp_ingest *in = *ingest;

    if (!in)
        return;
    for (size_t i = 0; i < in->ninputs; i++)
        if (in->inputs[i].socket)
            zmq_close(in->inputs[i].socket);
    kp_intake_destroy(&in->intake);
    kp_out_destroy(&in->replies[0]);
    kp_out_destroy(&in->replies[1]);
    free(in);
    *ingest = NULL;
}

enum kp_code kp_ingest_rebind(struct kp_ingest *ingest, struct kp_engine *engine, struct kp_err *err)
{
    enum kp_code code = kp_intake_rebind(ingest->intake, engine, err);

    if (!code)
        ingest->config = kp_engine_config(engine);
    return code;
}

size_t kp_ingest_poll(const struct kp_ingest *ingest, zmq_pollitem_t *items)
{
    for (size_t i = 0; i < ingest->ninputs; i++)
        items[i] = (zmq_pollitem_t){.socket = ingest->inputs[i].socket, .events = ZMQ_POLLIN};
    return ingest->ninputs;
}

/* ---- What is told of events ---- */

static void on_rejected(void *ctx, enum kp_reason reason, const struct kp_event *ev)
{
    struct kp_ingest *ingest = ctx;
    char source[160] = "\"\"", id[160] = "\"\"";
    uint64_t held;

    if (reason == KP_DENIED || !kp_log_allow(&ingest->log, ingest->now_ms, &held))      /* what is denied the guard tells */
        return;
    if (ev && kp_event_has(ev, KP_SLOT_SOURCE))
        kp_log_quote(ev->v[KP_SLOT_SOURCE].s, ev->v[KP_SLOT_SOURCE].len, source, sizeof source);
    if (ev && kp_event_has(ev, KP_SLOT_ID))
        kp_log_quote(ev->v[KP_SLOT_ID].s, ev->v[KP_SLOT_ID].len, id, sizeof id);
    kp_log(KP_LOG_WARN, "event=rejected reason=%s endpoint=%s source=%s id=%s not_said=%llu", kp_reason_name(reason),
           ingest->input->endpoint, source, id, (unsigned long long)held);
}

static void on_read(void *ctx, const struct kp_event *ev)
{
    struct kp_ingest *ingest = ctx;
    struct kp_str source = {"", 0};

    if (ingest->input->transport != KP_IN_SUB || !kp_event_has(ev, KP_SLOT_SEQ))
        return;
    if (kp_event_has(ev, KP_SLOT_SOURCE))
        source = (struct kp_str){ev->v[KP_SLOT_SOURCE].s, ev->v[KP_SLOT_SOURCE].len};
    kp_gaps_note(&ingest->gaps, source, ev->v[KP_SLOT_SEQ].i);
}

static bool denies(void *ctx, const struct kp_event *ev)
{
    struct kp_ingest *ingest = ctx;
    struct kp_str source = {"", 0};

    if (kp_event_has(ev, KP_SLOT_SOURCE))
        source = (struct kp_str){ev->v[KP_SLOT_SOURCE].s, ev->v[KP_SLOT_SOURCE].len};
    if (kp_user_may_emit(ingest->peer.user, source))
        return false;
    kp_guard_deny(ingest->guard, KP_DOOR_INGEST, &ingest->peer, source.len ? "an event of another's source" : "an event without source");
    return true;
}

/* ---- Reading ---- */

/* Give the waiting events to the engine, then their messages back to libzmq. */
static void flush(struct kp_ingest *ingest)
{
    kp_intake_flush(ingest->intake);
    for (size_t i = 0; i < ingest->nheld; i++)
        zmq_msg_close(&ingest->held[i]);
    ingest->nheld = 0;
}

/* May its sender send at all? Whoever was removed since they came is sent away. */
static bool is_welcome(struct kp_ingest *ingest, zmq_msg_t *payload)
{
    kp_intake_guard(ingest->intake, ingest->input->guarded);
    if (!ingest->input->guarded)
        return true;
    ingest->peer = kp_guard_who(ingest->guard, true, payload);
    if (kp_user_may_emit_some(ingest->peer.user))
        return true;
    kp_guard_deny(ingest->guard, KP_DOOR_INGEST, &ingest->peer, "a message of one who may send none");
    kp_guard_cut(ingest->guard, ingest->peer.fd, ingest->peer.address, ingest->input->endpoint, "may not send any more");
    kp_intake_refuse(ingest->intake, KP_DENIED);
    return false;
}

/* Read a message's events; it is closed when they have been applied. */
static void take_message(struct kp_ingest *ingest, zmq_msg_t *payload, struct kp_str topic)
{
    struct kp_record record;
    uint32_t events;

    if (!is_welcome(ingest, payload))
        return;
    events = kp_intake_take(ingest->intake, zmq_msg_data(payload), zmq_msg_size(payload), topic, ingest->now_ms);
    if (!events || !ingest->journal)
        return;
    record = kp_intake_record(ingest->intake);
    kp_journal_message(ingest->journal, &record, events, ingest->input->transport == KP_IN_ROUTER);
}

/* Receive into the next place of those held; NULL: nothing is there. */
static zmq_msg_t *receive(struct kp_ingest *ingest)
{
    zmq_msg_t *msg;

    if (ingest->nheld + 2 > KP_APPLY_MAX)
        flush(ingest);
    msg = &ingest->held[ingest->nheld];
    zmq_msg_init(msg);
    if (zmq_msg_recv(msg, ingest->input->socket, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(msg);
        return NULL;
    }
    ingest->nheld++;
    return msg;
}

/* A message of a SUB or PULL: [payload] or [topic, payload]. */
static void take_plain(struct kp_ingest *ingest, zmq_msg_t *held)
{
    struct kp_str topic = {"", 0};

    if (!zmq_msg_more(held)) {
        take_message(ingest, held, topic);
        return;
    }
    topic = (struct kp_str){zmq_msg_data(held), (uint32_t)zmq_msg_size(held)};
    held = &ingest->held[ingest->nheld++];
    zmq_msg_init(held);
    if (zmq_msg_recv(held, ingest->input->socket, ZMQ_DONTWAIT) < 0)
        return;         /* frames of a message come together, so this does not happen */
    if (!zmq_msg_more(held)) {
        take_message(ingest, held, topic);
        return;
    }
    while (zmq_msg_more(held) && zmq_msg_recv(held, ingest->input->socket, ZMQ_DONTWAIT) >= 0)
        ;
    kp_intake_refuse(ingest->intake, KP_MALFORMED);
}

/* ---- Replies ---- */

static void put_errors(struct kp_out *out, const struct kp_tally *tally)
{
    kp_out_text(out, "errors");
    kp_out_array(out, tally->nerrors);
    for (size_t i = 0; i < tally->nerrors; i++) {
        kp_out_map(out, 2);
        kp_out_text(out, "index");
        kp_out_uint(out, tally->errors[i].index);
        kp_out_text(out, "reason");
        kp_out_text(out, kp_reason_name(tally->errors[i].reason));
        kp_out_end(out);
    }
    kp_out_end(out);
}

/* error: why nothing was taken, and is to be sent again; NULL: it was. */
static void encode_reply(struct kp_out *out, const struct kp_tally *tally, uint64_t seq, bool durable, const char *error)
{
    kp_out_clear(out);
    kp_out_map(out, error ? 7 : 6);
    kp_out_text(out, "accepted");
    kp_out_uint(out, tally->accepted);
    kp_out_text(out, "duplicates");
    kp_out_uint(out, tally->duplicates);
    kp_out_text(out, "rejected");
    kp_out_uint(out, tally->rejected);
    put_errors(out, tally);
    kp_out_text(out, "seq");
    kp_out_uint(out, seq);
    kp_out_text(out, "durable");
    kp_out_bool(out, durable);
    if (error) {
        kp_out_text(out, "error");
        kp_out_text(out, error);
    }
    kp_out_end(out);
}

/* Never waits: a sender that takes no replies loses them, and sends again. */
static void send_frames(struct kp_ingest *ingest, void *socket, zmq_msg_t *frames, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (zmq_msg_send(&frames[i], socket, ZMQ_DONTWAIT | (i + 1 < n ? ZMQ_SNDMORE : 0)) < 0) {
            ingest->stats.replies_dropped++;
            return;
        }
    }
}

void kp_ingest_say(struct kp_ingest *ingest, struct kp_outbox_item *item)
{
    send_frames(ingest, item->socket, item->frames, item->n);
}

void kp_ingest_refuse(struct kp_ingest *ingest, struct kp_outbox_item *item, const char *why)
{
    static const struct kp_tally none;
    zmq_msg_t *last = &item->frames[item->n - 1];
    const char *was = zmq_msg_data(last);
    struct kp_out *out = ingest->replies[zmq_msg_size(last) && *was == '{'];
    const void *bytes;
    size_t len;

    encode_reply(out, &none, item->seq, false, why);
    bytes = kp_out_bytes(out, &len);
    zmq_msg_close(last);
    if (!bytes || zmq_msg_init_size(last, len) != 0) {
        zmq_msg_init(last);
        ingest->stats.replies_dropped++;
        return;
    }
    memcpy(zmq_msg_data(last), bytes, len);
    send_frames(ingest, item->socket, item->frames, item->n);
}

/* Answer the last message: at once, or when it is on disk. The frames are taken over. */
static void reply(struct kp_ingest *ingest, zmq_msg_t *frames, size_t n, bool json, const char *error)
{
    struct kp_outbox *outbox = error ? NULL : kp_journal_outbox(ingest->journal);
    struct kp_out *out = ingest->replies[json];
    uint64_t seq = outbox || error ? kp_journal_position(ingest->journal) : ++ingest->seq;
    void *socket = ingest->input->socket;
    const void *bytes;
    size_t len;

    encode_reply(out, kp_intake_tally(ingest->intake), seq, outbox != NULL, error);
    bytes = kp_out_bytes(out, &len);
    if (bytes && outbox) {
        ingest->stats.replies_dropped += !kp_outbox_put(outbox, seq, KP_SAY_REPLY, socket, frames, n, bytes, len);
        return;
    }
    zmq_msg_init(&frames[n]);
    if (bytes && zmq_msg_init_size(&frames[n], len) == 0) {
        memcpy(zmq_msg_data(&frames[n]), bytes, len);
        send_frames(ingest, socket, frames, n + 1);
    } else {
        ingest->stats.replies_dropped++;
    }
    for (size_t i = 0; i <= n; i++)
        zmq_msg_close(&frames[i]);
}

/* A message of a ROUTER: [who, frames to echo..., payload]. What can't be promised is not counted: its sender sends it again. */
static void take_routed(struct kp_ingest *ingest, zmq_msg_t *held)
{
    bool broken = kp_journal_mode(ingest->journal) == KP_JOURNAL_BROKEN;
    zmq_msg_t frames[FRAMES_MAX + 1];
    bool fits = true, json;
    size_t n = 0;

    kp_intake_clear(ingest->intake);
    while (zmq_msg_more(held)) {
        if (n < FRAMES_MAX) {
            zmq_msg_init(&frames[n]);
            zmq_msg_move(&frames[n++], held);
        } else {
            fits = false;
        }
        if (zmq_msg_recv(held, ingest->input->socket, ZMQ_DONTWAIT) < 0)
            break;
    }
    if (!fits)
        kp_intake_refuse(ingest->intake, KP_MALFORMED);
    else if (broken)
        ingest->stats.refused++;
    else
        take_message(ingest, held, (struct kp_str){"", 0});
    json = broken ? kp_intake_looks_json(zmq_msg_data(held), zmq_msg_size(held)) : kp_intake_is_json(ingest->intake);
    flush(ingest);
    if (fits)
        reply(ingest, frames, n, json, broken ? kp_journal_error(ingest->journal) : NULL);
    for (size_t i = 0; i < n && !fits; i++)
        zmq_msg_close(&frames[i]);
}

/* ---- A turn ---- */

static bool drain(struct kp_ingest *ingest, const struct input *input)
{
    int taken = 0;

    ingest->input = input;
    for (; taken < MESSAGES_TURN && !kp_journal_is_large(ingest->journal); taken++) {
        zmq_msg_t *msg = receive(ingest);

        if (!msg)
            break;
        if (input->transport == KP_IN_ROUTER)
            take_routed(ingest, msg);   /* leaves nothing held, for its reply is about this message alone */
        else
            take_plain(ingest, msg);
    }
    flush(ingest);
    return taken == MESSAGES_TURN;
}

bool kp_ingest_turn(struct kp_ingest *ingest, int64_t now_ms)
{
    bool more = false;

    ingest->now_ms = now_ms;
    if (kp_journal_mode(ingest->journal) == KP_JOURNAL_FULL)
        return false;
    for (size_t i = 0; i < ingest->ninputs; i++)
        more |= drain(ingest, &ingest->inputs[(ingest->first + i) % ingest->ninputs]);
    /* A turn may end early, so that none is always the last. */
    if (ingest->ninputs)
        ingest->first = (ingest->first + 1) % ingest->ninputs;
    return more || kp_journal_is_large(ingest->journal);
}

uint64_t kp_ingest_messages(const struct kp_ingest *ingest)
{
    return kp_intake_stats(ingest->intake)->messages;
}

void kp_ingest_stats(const struct kp_ingest *ingest, struct kp_ingest_stats *stats)
{
    *stats = ingest->stats;
    stats->events = *kp_intake_stats(ingest->intake);
}

const struct kp_gaps *kp_ingest_gaps(const struct kp_ingest *ingest)
{
    return &ingest->gaps;
}

const char *kp_ingest_endpoint(const struct kp_ingest *ingest, size_t i)
{
    return ingest->inputs[i].endpoint;
}
