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
    ERRORS_MAX = 100,           /* told in a reply; the rest is only counted */
    RECEIVE_HWM = 4000,         /* messages that libzmq may hold for a sender; what it holds in a gathering pause fits */
    LOG_BURST = 5,              /* lines about rejections, a second */
    OVERSIZE = 4,               /* up to so many times limits.message is received at all, to be answered */
};

struct input {
    void *socket;               /* owned */
    enum kp_transport transport;
    char endpoint[KP_ENDPOINT_MAX];
};

struct reject {
    uint32_t index;
    enum kp_reason reason;
};

/* What became of the events of a message that wants a reply. */
struct tally {
    uint64_t accepted, duplicates, rejected;
    struct reject errors[ERRORS_MAX];
    size_t nerrors;
};

struct kp_ingest {
    const struct kp_config *config;     /* borrowed, like the engine */
    struct kp_engine *engine;
    struct kp_decoder *decoder;         /* owned */
    struct kp_out *replies[2];          /* owned: MessagePack, JSON */
    struct input inputs[KP_INGEST_MAX];
    size_t ninputs;
    struct kp_log_limit log;
    struct kp_ingest_stats stats;
    struct kp_gaps gaps;
    uint64_t seq;                       /* of replies */
    int64_t now_ms;
    /* Events waiting for the engine, and the messages in whose bytes their strings lie. */
    struct kp_event events[KP_APPLY_MAX];
    uint32_t index[KP_APPLY_MAX];
    size_t nevents;
    zmq_msg_t held[KP_APPLY_MAX + 1];
    size_t nheld;
    struct tally tally;
    const struct input *input;          /* being drained */
};

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
    return code ? code
                : kp_socket_open(input->socket, kinds[cfg->transport].name, cfg->endpoint,
                                 cfg->bind || cfg->transport != KP_IN_SUB, input->endpoint, err);
}

struct kp_ingest *kp_ingest_open(void *zmq, const struct kp_config *config, struct kp_engine *engine,
                                 struct kp_err *err)
{
    struct kp_decode_limits limits = {config->limits.message, config->limits.batch, config->limits.fields};
    struct kp_ingest *ingest = calloc(1, sizeof *ingest);
    bool ok = ingest != NULL;

    if (!ok) {
        kp_fail(err, KP_ENOMEM, "ingest: out of memory");
        return NULL;
    }
    ingest->config = config;
    ingest->engine = engine;
    ingest->log.burst = LOG_BURST;
    ingest->decoder = kp_decoder_new(kp_engine_schema(engine), &limits, err);
    ingest->replies[0] = kp_out_new(false, err);
    ingest->replies[1] = kp_out_new(true, err);
    ok = ingest->decoder && ingest->replies[0] && ingest->replies[1];
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
    kp_decoder_destroy(&in->decoder);
    kp_out_destroy(&in->replies[0]);
    kp_out_destroy(&in->replies[1]);
    free(in);
    *ingest = NULL;
}

size_t kp_ingest_poll(const struct kp_ingest *ingest, zmq_pollitem_t *items)
{
    for (size_t i = 0; i < ingest->ninputs; i++)
        items[i] = (zmq_pollitem_t){.socket = ingest->inputs[i].socket, .events = ZMQ_POLLIN};
    return ingest->ninputs;
}

/* ---- Counting ---- */

static void log_reject(struct kp_ingest *ingest, enum kp_reason reason, const struct kp_event *ev)
{
    char source[160] = "\"\"", id[160] = "\"\"";
    uint64_t held;

    if (!kp_log_allow(&ingest->log, ingest->now_ms, &held))
        return;
    if (ev && kp_event_has(ev, KP_SLOT_SOURCE))
        kp_log_quote(ev->v[KP_SLOT_SOURCE].s, ev->v[KP_SLOT_SOURCE].len, source, sizeof source);
    if (ev && kp_event_has(ev, KP_SLOT_ID))
        kp_log_quote(ev->v[KP_SLOT_ID].s, ev->v[KP_SLOT_ID].len, id, sizeof id);
    kp_log(KP_LOG_WARN, "event=rejected reason=%s endpoint=%s source=%s id=%s not_said=%llu", kp_reason_name(reason),
           ingest->input->endpoint, source, id, (unsigned long long)held);
}

static void count(struct kp_ingest *ingest, enum kp_reason reason, uint32_t index, const struct kp_event *ev)
{
    struct tally *tally = &ingest->tally;

    if (reason == KP_ACCEPTED) {
        ingest->stats.accepted++;
        tally->accepted++;
        return;
    }
    if (reason == KP_DUPLICATE) {
        ingest->stats.duplicates++;
        tally->duplicates++;
        return;
    }
    ingest->stats.rejected[reason]++;
    tally->rejected++;
    if (tally->nerrors < ERRORS_MAX)
        tally->errors[tally->nerrors++] = (struct reject){index, reason};
    log_reject(ingest, reason, ev);
}

static void note_seq(struct kp_ingest *ingest, const struct kp_event *ev)
{
    struct kp_str source = {"", 0};

    if (kp_event_has(ev, KP_SLOT_SOURCE))
        source = (struct kp_str){ev->v[KP_SLOT_SOURCE].s, ev->v[KP_SLOT_SOURCE].len};
    kp_gaps_note(&ingest->gaps, source, ev->v[KP_SLOT_SEQ].i);
}

/* Give the waiting events to the engine, then their messages back to libzmq. */
static void flush(struct kp_ingest *ingest)
{
    const struct kp_event *events[KP_APPLY_MAX];
    enum kp_reason reasons[KP_APPLY_MAX];

    for (size_t i = 0; i < ingest->nevents; i++)
        events[i] = &ingest->events[i];
    if (ingest->nevents)
        kp_engine_apply(ingest->engine, events, ingest->nevents, ingest->now_ms, reasons);
    for (size_t i = 0; i < ingest->nevents; i++)
        count(ingest, reasons[i], ingest->index[i], events[i]);
    ingest->nevents = 0;
    for (size_t i = 0; i < ingest->nheld; i++)
        zmq_msg_close(&ingest->held[i]);
    ingest->nheld = 0;
}

/* ---- Reading ---- */

static void read_events(struct kp_ingest *ingest)
{
    for (;;) {
        struct kp_event *ev = &ingest->events[ingest->nevents];
        enum kp_reason reason;
        enum kp_next next = kp_decode_next(ingest->decoder, ev, &reason);

        if (next == KP_NEXT_END)
            return;
        if (ingest->input->transport == KP_IN_SUB && kp_event_has(ev, KP_SLOT_SEQ))
            note_seq(ingest, ev);       /* of a rejected one, too: it was not lost on the way */
        if (next == KP_NEXT_REJECT) {
            count(ingest, reason, kp_decode_index(ingest->decoder), NULL);
            continue;
        }
        ingest->index[ingest->nevents++] = kp_decode_index(ingest->decoder);
        if (ingest->nevents < KP_APPLY_MAX)
            continue;
        /* The engine takes them; the bytes of this message are still being read, so it is the last one held. */
        size_t held = ingest->nheld;

        ingest->nheld = 0;
        flush(ingest);
        ingest->nheld = held;
    }
}

/* Read a message's events. payload (and topic) are taken over and closed when their events have been applied. */
static void take_message(struct kp_ingest *ingest, zmq_msg_t *payload, struct kp_str topic)
{
    const void *bytes = zmq_msg_data(payload);
    size_t len = zmq_msg_size(payload);
    enum kp_reason reason;

    ingest->stats.messages++;
    ingest->stats.bytes += len;
    reason = kp_decode_begin(ingest->decoder, bytes, len, topic);
    if (reason != KP_ACCEPTED)
        count(ingest, reason, 0, NULL);
    read_events(ingest);
    if (kp_decode_is_json(ingest->decoder))
        flush(ingest);      /* its strings lie in the decoder, which the next message uses anew */
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

    if (zmq_msg_more(held)) {
        topic = (struct kp_str){zmq_msg_data(held), (uint32_t)zmq_msg_size(held)};
        held = &ingest->held[ingest->nheld++];
        zmq_msg_init(held);
        if (zmq_msg_recv(held, ingest->input->socket, ZMQ_DONTWAIT) < 0)
            return;         /* frames of a message come together, so this does not happen */
    }
    if (!zmq_msg_more(held)) {
        take_message(ingest, held, topic);
        return;
    }
    while (zmq_msg_more(held) && zmq_msg_recv(held, ingest->input->socket, ZMQ_DONTWAIT) >= 0)
        ;
    ingest->stats.messages++;
    count(ingest, KP_MALFORMED, 0, NULL);
}

/* ---- Replies ---- */

static void encode_reply(struct kp_ingest *ingest, struct kp_out *out)
{
    const struct tally *tally = &ingest->tally;

    kp_out_clear(out);
    kp_out_map(out, 6);
    kp_out_text(out, "accepted");
    kp_out_uint(out, tally->accepted);
    kp_out_text(out, "duplicates");
    kp_out_uint(out, tally->duplicates);
    kp_out_text(out, "rejected");
    kp_out_uint(out, tally->rejected);
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
    kp_out_text(out, "seq");
    kp_out_uint(out, ++ingest->seq);
    kp_out_text(out, "durable");
    kp_out_bool(out, false);
    kp_out_end(out);
}

/* Never waits: a sender that takes no replies loses them, and sends again. */
static void send_reply(struct kp_ingest *ingest, zmq_msg_t *frames, size_t nframes, bool json)
{
    struct kp_out *out = ingest->replies[json];
    const void *bytes;
    size_t len;
    bool ok;

    encode_reply(ingest, out);
    bytes = kp_out_bytes(out, &len);
    ok = bytes != NULL;
    for (size_t i = 0; ok && i < nframes; i++)
        ok = zmq_msg_send(&frames[i], ingest->input->socket, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0;
    if (!ok || zmq_send(ingest->input->socket, bytes, len, ZMQ_DONTWAIT) < 0)
        ingest->stats.replies_dropped++;
}

/* A message of a ROUTER: [who, frames to echo..., payload]. */
static void take_routed(struct kp_ingest *ingest, zmq_msg_t *held)
{
    zmq_msg_t frames[FRAMES_MAX];
    size_t n = 0;
    bool fits = true;

    memset(&ingest->tally, 0, sizeof ingest->tally);
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
    if (fits)
        take_message(ingest, held, (struct kp_str){"", 0});
    else
        count(ingest, KP_MALFORMED, 0, NULL);
    flush(ingest);
    if (fits)
        send_reply(ingest, frames, n, kp_decode_is_json(ingest->decoder));
    for (size_t i = 0; i < n; i++)
        zmq_msg_close(&frames[i]);
}

/* ---- A turn ---- */

static bool drain(struct kp_ingest *ingest, const struct input *input)
{
    int taken = 0;

    ingest->input = input;
    for (; taken < MESSAGES_TURN; taken++) {
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
    for (size_t i = 0; i < ingest->ninputs; i++)
        more |= drain(ingest, &ingest->inputs[i]);
    return more;
}

uint64_t kp_ingest_messages(const struct kp_ingest *ingest)
{
    return ingest->stats.messages;
}

void kp_ingest_stats(const struct kp_ingest *ingest, struct kp_ingest_stats *stats)
{
    *stats = ingest->stats;
}

const struct kp_gaps *kp_ingest_gaps(const struct kp_ingest *ingest)
{
    return &ingest->gaps;
}

const char *kp_ingest_endpoint(const struct kp_ingest *ingest, size_t i)
{
    return ingest->inputs[i].endpoint;
}
