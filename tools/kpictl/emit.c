/* Events from a file to a daemon, over any of the sockets that it takes them on. */
#include "kpictl.h"

#include "client.h"
#include "progress.h"
#include "source.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <zmq.h>

static const char help[] =
    "usage: kpictl emit [--router ENDPOINT | --push ENDPOINT | --pub ENDPOINT] [OPTION]... FILE\n"
    "\n"
    "Send events from a file, one message for each line of JSON or each MessagePack item; - is standard input:\n"
    "\n"
    "  $ kpictl emit events.jsonl                        acknowledged, to tcp://127.0.0.1:5558\n"
    "  $ kpictl emit --push tcp://127.0.0.1:5557 --rate 1000 events.jsonl\n"
    "  $ kpictl emit --pub tcp://127.0.0.1:5556 --topic call calls.msgpack\n"
    "  $ echo '{\"type\":\"call\",\"rep\":\"ana\",\"direction\":\"outbound\"}' | kpictl emit -\n"
    "\n"
    "  --router ENDPOINT  acknowledged: the summary tells what was accepted and why the rest was not\n"
    "  --push ENDPOINT    waits when the daemon is busy; nothing comes back\n"
    "  --pub ENDPOINT     best effort; waits until the daemon subscribes, then does not look back\n"
    "  --bind             with --pub: bind, since the daemon's SUB connects\n"
    "  --topic TOPIC      with --pub: the first frame; with --push, too, when given\n"
    "  --rate N           messages a second at most\n"
    "  --msgpack          standard input is MessagePack\n"
    "  --map FILE         FILE is CSV, made events of as kpictl replay --help tells\n"
    "  --timeout SECONDS  give up when nobody answers for so long (default 10)\n"
    "\n"
    "Ctrl-C ends it. Exit status: 0 all accepted or duplicates (or sent, without acknowledgement), 1 some rejected, not\n"
    "sent or not answered, 2 wrong use.\n";

enum { IN_FLIGHT = 256, ERRORS_SHOWN = 20, GRACE_MS = 300 };

struct options {
    const char *endpoint, *topic, *file, *map;
    int type;               /* ZMQ_DEALER, ZMQ_PUSH, ZMQ_XPUB */
    bool bind, as_msgpack;
    uint64_t rate;
    int timeout_ms;
};

struct emit {
    const struct options *opt;
    void *socket;
    struct source *source;
    uint64_t sent, accepted, duplicates, rejected, answered, shown;
    struct progress progress;
    bool silent;                /* no reply came within the time */
};

/* ---- Telling ---- */

static void show_errors(struct emit *e, const msgpack_object *errors)
{
    char reason[64];
    double index = 0;

    for (size_t i = 0; i < object_count(errors); i++) {
        const msgpack_object *error = &errors->via.array.ptr[i];

        if (e->shown++ >= ERRORS_SHOWN)
            return;
        object_number(object_get(error, "index"), &index);
        progress_hide(&e->progress);
        fprintf(stderr, "message %llu, event %.0f: %s\n", (unsigned long long)e->answered, index,
                object_plain(object_get(error, "reason"), reason, sizeof reason));
    }
}

/* ---- Replies ---- */

static uint64_t count_of(const msgpack_object *reply, const char *key)
{
    double v = 0;

    return object_number(object_get(reply, key), &v) && v > 0 ? (uint64_t)v : 0;
}

/* Take one reply, and wait for it so long; false: none came. */
static bool take_reply(struct emit *e, int timeout_ms)
{
    msgpack_unpacked item;
    zmq_msg_t msg;
    bool ok;

    zmq_msg_init(&msg);
    while (!(ok = zmq_msg_recv(&msg, e->socket, ZMQ_DONTWAIT) >= 0) && client_wait(e->socket, ZMQ_POLLIN, timeout_ms))
        ;
    if (ok) {
        msgpack_unpacked_init(&item);
        e->answered++;
        if (object_parse(zmq_msg_data(&msg), zmq_msg_size(&msg), &item)) {
            e->accepted += count_of(&item.data, "accepted");
            e->duplicates += count_of(&item.data, "duplicates");
            e->rejected += count_of(&item.data, "rejected");
            show_errors(e, object_get(&item.data, "errors"));
        }
        msgpack_unpacked_destroy(&item);
    }
    zmq_msg_close(&msg);
    e->silent = !ok && !client_stopped();
    return ok;
}

/* Ctrl-C does not wait for a daemon that is not there, but one that lives has answered within the blink of an eye. */
static void take_last_replies(struct emit *e)
{
    zmq_pollitem_t item = {.socket = e->socket, .events = ZMQ_POLLIN};
    int64_t end_ms = client_steady_ms() + GRACE_MS;

    while (e->answered < e->sent && client_steady_ms() < end_ms)
        if (zmq_poll(&item, 1, GRACE_MS / 10) > 0)
            take_reply(e, 0);
}

/* Every reply that is still to come. */
static int take_replies(struct emit *e)
{
    while (e->answered < e->sent && !e->silent && !client_stopped())
        take_reply(e, e->opt->timeout_ms);
    if (client_stopped())
        take_last_replies(e);
    if (e->answered == e->sent)
        return EXIT_WELL;
    return kpictl_failed("emit", "%s: %llu messages were not answered%s", e->opt->endpoint,
                         (unsigned long long)(e->sent - e->answered), client_stopped() ? "" : "; is the daemon running?");
}

/* ---- Sending ---- */

static int not_taken(const struct options *opt)
{
    return kpictl_failed("emit", "%s: %s", opt->endpoint,
                         client_why("nobody takes the events; is the daemon running?"));
}

static int open_socket(struct emit *e, void *zmq)
{
    const struct options *opt = e->opt;
    char endpoint[CLIENT_ENDPOINT];
    int status;

    e->socket = zmq_socket(zmq, opt->type);
    if (!opt->bind)
        client_connectable(opt->endpoint, endpoint);
    else
        snprintf(endpoint, sizeof endpoint, "%s", opt->endpoint);
    if (!e->socket)
        status = -1;
    else
        status = opt->bind ? zmq_bind(e->socket, endpoint) : client_connect(zmq, e->socket, endpoint, opt->timeout_ms);
    if (status && client_is_no_endpoint(errno))
        return kpictl_wrong("emit", "%s: no endpoint: %s", opt->endpoint, zmq_strerror(errno));
    if (status)
        return not_taken(opt);
    /* what is published before somebody subscribes goes nowhere */
    if (opt->type == ZMQ_XPUB && !client_wait(e->socket, ZMQ_POLLIN, opt->timeout_ms) && errno == EAGAIN)
        return kpictl_failed("emit", "%s: nobody subscribes; is the daemon running?", opt->endpoint);
    return EXIT_WELL;
}

static void keep_rate(const struct emit *e, int64_t start_ms)
{
    int64_t due;

    if (!e->opt->rate)
        return;
    due = start_ms + (int64_t)(e->sent * 1000 / e->opt->rate) - client_steady_ms();
    if (due > 0)
        nanosleep(&(struct timespec){due / 1000, due % 1000 * 1000000}, NULL);
}

/* It is not sent, and rejected as the daemon would reject a line that is no JSON. */
static void note_bad_row(struct emit *e, const char *why)
{
    e->rejected++;
    if (e->shown++ >= ERRORS_SHOWN)
        return;
    progress_hide(&e->progress);
    fprintf(stderr, "%s\n", why);
}

static bool send_one(struct emit *e, const char *bytes, size_t len)
{
    const struct options *opt = e->opt;

    if (opt->topic && !client_send(e->socket, opt->topic, strlen(opt->topic), ZMQ_SNDMORE, opt->timeout_ms))
        return false;
    if (!client_send(e->socket, bytes, len, 0, opt->timeout_ms))
        return false;
    e->sent++;
    return true;
}

static int send_all(struct emit *e)
{
    const struct options *opt = e->opt;
    struct kp_err err = {0};
    int64_t start = client_steady_ms();
    int status = EXIT_WELL, answered;
    enum source_got got = SOURCE_END;
    const char *bytes;
    size_t len;

    while (!status && !e->silent && !client_stopped() && 
           (got = source_next(e->source, &bytes, &len, &err)) > SOURCE_END) {
        if (got == SOURCE_BAD_ROW) {
            note_bad_row(e, err.text);
            continue;
        }
        if (!send_one(e, bytes, len) && !client_stopped())
            status = not_taken(opt);
        while (opt->type == ZMQ_DEALER && e->sent - e->answered >= IN_FLIGHT && !e->silent && !client_stopped())
            take_reply(e, opt->timeout_ms);
        keep_rate(e, start);
        progress_show(&e->progress, e->source, "%llu sent, %llu rejected", (unsigned long long)e->sent,
                      (unsigned long long)e->rejected);
    }
    /* What was sent before the input broke was taken, and the summary is to say so. */
    answered = opt->type == ZMQ_DEALER ? take_replies(e) : EXIT_WELL;
    if (got == SOURCE_FAILED && !client_stopped())
        status = kpictl_failed("emit", "%s", err.text);
    return status ? status : answered;
}

static void summarize(struct emit *e)
{
    progress_end(&e->progress, e->source, "%llu sent, %llu rejected", (unsigned long long)e->sent,
                 (unsigned long long)e->rejected);
    if (e->opt->type == ZMQ_DEALER)
        fprintf(stderr, "%llu messages: accepted %llu, duplicates %llu, rejected %llu\n", (unsigned long long)e->sent,
                (unsigned long long)e->accepted, (unsigned long long)e->duplicates, (unsigned long long)e->rejected);
    else if (e->rejected)
        fprintf(stderr, "%llu messages sent, %llu rejected\n", (unsigned long long)e->sent,
                (unsigned long long)e->rejected);
    else
        fprintf(stderr, "%llu messages sent\n", (unsigned long long)e->sent);
}

static int emit(const struct options *opt)
{
    struct emit e = {.opt = opt};
    struct kp_err err = {0};
    void *zmq = zmq_ctx_new();
    int status = zmq ? EXIT_WELL : kpictl_failed("emit", "zeromq: %s", zmq_strerror(errno)), linger_ms = 0;

    client_catch_signals(false);
    progress_init(&e.progress);
    e.source = source_open(opt->file, opt->as_msgpack, opt->map, &err);
    if (!status && !e.source)
        status = (err.code == KP_EINVAL ? kpictl_wrong : kpictl_failed)("emit", "%s", err.text);
    if (!status)
        status = open_socket(&e, zmq);
    if (!status) {
        status = send_all(&e);
        summarize(&e);
        /* a DEALER has its replies, or waited for them long enough; Ctrl-C drops what nobody took yet */
        linger_ms = opt->type == ZMQ_DEALER || client_stopped() ? 0 : opt->timeout_ms;
    }
    source_close(&e.source);
    if (!client_end(zmq, e.socket, linger_ms) && linger_ms && !status)
        status = kpictl_failed("emit", "%s: not all of it was taken", opt->endpoint);
    return status ? status : e.rejected ? EXIT_FAILED : EXIT_WELL;
}

static int parse(int argc, char **argv, struct options *opt)
{
    static const struct option longs[] = {
        {"router", 1, NULL, 'r'}, {"push", 1, NULL, 'p'},    {"pub", 1, NULL, 's'},     {"bind", 0, NULL, 'b'},
        {"topic", 1, NULL, 't'},  {"rate", 1, NULL, 'n'},    {"msgpack", 0, NULL, 'm'}, {"map", 1, NULL, 'M'}, {"timeout", 1, NULL, 'o'},
        {"help", 0, NULL, 'h'},   {NULL, 0, NULL, 0}};
    char *end = NULL;
    int c, sockets = 0;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'r':
        case 'p':
        case 's':
            sockets++;
            opt->endpoint = optarg;
            opt->type = c == 'r' ? ZMQ_DEALER : c == 'p' ? ZMQ_PUSH : ZMQ_XPUB;
            break;
        case 'b':
            opt->bind = true;
            break;
        case 't':
            opt->topic = optarg;
            break;
        case 'n':
            if (!kpictl_count(optarg, &opt->rate))
                return kpictl_wrong("emit", "--rate %s: a number of messages a second", optarg);
            break;
        case 'm':
            opt->as_msgpack = true;
            break;
        case 'M':
            opt->map = optarg;
            break;
        case 'o':
            opt->timeout_ms = (int)(strtod(optarg, &end) * 1000);
            if (*end || opt->timeout_ms <= 0)
                return kpictl_wrong("emit", "--timeout %s: a number of seconds", optarg);
            break;
        case 'h':
            fputs(help, stdout);
            return -1;
        default:
            return EXIT_WRONG;
        }
    }
    if (optind != argc - 1)
        return kpictl_wrong("emit", "needs one FILE, or - for standard input");
    if (sockets > 1)
        return kpictl_wrong("emit", "--router, --push and --pub exclude one another");
    if (opt->topic && opt->type == ZMQ_DEALER)
        return kpictl_wrong("emit", "--topic goes with --pub or --push");
    opt->file = argv[optind];
    return EXIT_WELL;
}

int kpictl_emit(int argc, char **argv)
{
    struct options opt = {.endpoint = "tcp://127.0.0.1:5558", .type = ZMQ_DEALER, .timeout_ms = 10000};
    int status = parse(argc, argv, &opt);

    return status < 0 ? EXIT_WELL : status ? status : emit(&opt);
}
