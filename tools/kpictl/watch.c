/* Follows what the daemon publishes. */
#include "kpictl.h"

#include "client.h"

#include "kpid/message.h"
#include "kpid/zone.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zmq.h>

static const char help[] =
    "usage: kpictl watch alerts|snapshots [--under PATH] [OPTION]...\n"
    "\n"
    "Follow alerts as they change, or snapshots as they are published:\n"
    "\n"
    "  $ kpictl watch alerts\n"
    "  $ kpictl watch alerts --under emea --pending\n"
    "  $ kpictl watch snapshots --under emea/field-1 --json | jq .kpis.revenue.day.value\n"
    "\n"
    "  --under PATH        only what concerns this key and those below it; a / within a key is %2F\n"
    "  --pending           with alerts: those that have not fired yet, too\n"
    "  --json              a line of JSON for each message\n"
    "  --count N           end after N messages\n"
    "  --publish ENDPOINT  where to follow; without it the control socket is asked\n"
    "  --control ENDPOINT  default tcp://127.0.0.1:5561\n"
    "  --config FILE       take the control endpoint from a configuration\n"
    "\n"
    "Ctrl-C ends it. Exit status: 0 well, 1 the daemon did not answer, 2 wrong use.\n";

enum { TOPIC_MAX = 1024 };

struct options {
    const char *what, *under, *control, *config, *publish;
    bool pending, json;
    uint64_t count;
};

/* ---- Printing ---- */

static void print_time(const msgpack_object *ms)
{
    double at = 0;
    char text[32];

    object_number(ms, &at);
    printf("%-24s ", kp_rfc3339_format((int64_t)at, text));
}

static void print_path(const msgpack_object *path)
{
    char text[2048];

    fputs(object_path(path, text, sizeof text), stdout);
}

static void print_alert(const msgpack_object *alert)
{
    bool color = isatty(STDOUT_FILENO) == 1;
    bool resolved = object_is(object_get(alert, "state"), "resolved");
    bool critical = object_is(object_get(alert, "severity"), "critical");
    char state[32], severity[32], rule[128], message[1200], reason[64], mark[256];

    print_time(object_get(alert, "time"));
    if (color)
        fputs(resolved ? "\033[32m" : critical ? "\033[1;31m" : "\033[33m", stdout);
    printf("%-8s %-8s", object_plain(object_get(alert, "state"), state, sizeof state),
           object_plain(object_get(alert, "severity"), severity, sizeof severity));
    if (color)
        fputs("\033[0m", stdout);
    printf(" %s ", object_plain(object_get(alert, "rule"), rule, sizeof rule));
    print_path(object_get(alert, "path"));
    printf("  %s%s", object_alert_mark(alert, mark, sizeof mark),
           object_plain(object_get(alert, "message"), message, sizeof message));
    if (*object_plain(object_get(alert, "reason"), reason, sizeof reason))
        printf(" (%s)", reason);
    putchar('\n');
}

static void print_snapshot(const msgpack_object *snapshot)
{
    const msgpack_object *kpis = object_get(snapshot, "kpis");
    char kpi[128], window[32], value[64];

    print_time(object_get(snapshot, "time"));
    print_path(object_get(snapshot, "path"));
    for (uint32_t i = 0; kpis && kpis->type == MSGPACK_OBJECT_MAP && i < kpis->via.map.size; i++) {
        const msgpack_object *windows = &kpis->via.map.ptr[i].val;

        printf("  %s", object_plain(&kpis->via.map.ptr[i].key, kpi, sizeof kpi));
        for (uint32_t w = 0; windows->type == MSGPACK_OBJECT_MAP && w < windows->via.map.size; w++) {
            double v = 0;
            bool has = object_number(object_get(&windows->via.map.ptr[w].val, "value"), &v);

            kp_number_text(v, has, NULL, value, sizeof value);
            printf(" %s=%s", object_plain(&windows->via.map.ptr[w].key, window, sizeof window), has ? value : "-");
        }
    }
    putchar('\n');
}

/* ---- Following ---- */

static int find_publish(const struct options *opt, char endpoint[CLIENT_ENDPOINT])
{
    char control[CLIENT_ENDPOINT], text[CLIENT_ENDPOINT];
    struct client client = {0};
    struct kp_err err = {0};
    msgpack_unpacked reply;
    enum kp_code code;

    if (opt->publish) {
        client_connectable(opt->publish, endpoint);
        return EXIT_WELL;
    }
    if (!client_control_endpoint(opt->control, opt->config, control))
        return EXIT_WRONG;
    if (client_open(&client, control, &err))
        return kpictl_failed("watch", "%s", err.text);
    code = client_ask_op(&client, "config", &reply, &err);
    endpoint[0] = '\0';
    if (!code)
        client_connectable(object_plain(object_get(object_get(&reply.data, "endpoints"), "publish"), text, sizeof text),
                           endpoint);
    msgpack_unpacked_destroy(&reply);
    client_close(&client);
    if (code)
        return kpictl_refused("watch", &err);
    return endpoint[0] ? EXIT_WELL : kpictl_failed("watch", "the daemon publishes nothing");
}

/* A path as `get` takes it, made into the one way that topics write it: no empty part, %2F and not %2f, a / at the
 * end. */
static void subscribe(void *socket, const char *kind, const char *under)
{
    char topic[TOPIC_MAX];
    size_t n = (size_t)snprintf(topic, sizeof topic, "%s/", kind);
    int digits = 0;     /* of a %XX that are still to come */

    for (; *under && n + 2 < sizeof topic; under++) {
        if (*under == '/' && topic[n - 1] == '/')
            continue;
        topic[n++] = digits > 0 && *under >= 'a' && *under <= 'f' ? (char)(*under - 'a' + 'A') : *under;
        digits = *under == '%' ? 2 : digits - 1;
    }
    if (topic[n - 1] != '/')
        topic[n++] = '/';
    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, topic, n);
}

static bool take_message(void *socket, const struct options *opt)
{
    msgpack_unpacked item;
    zmq_msg_t msg;
    bool taken = false;

    zmq_msg_init(&msg);
    if (zmq_msg_recv(&msg, socket, 0) < 0)
        goto end;
    while (zmq_msg_more(&msg))
        if (zmq_msg_recv(&msg, socket, 0) < 0)
            goto end;
    msgpack_unpacked_init(&item);
    taken = object_parse(zmq_msg_data(&msg), zmq_msg_size(&msg), &item);
    if (taken && opt->json)
        object_print_json(&item.data);
    else if (taken && object_is(object_get(&item.data, "kind"), "alert"))
        print_alert(&item.data);
    else if (taken)
        print_snapshot(&item.data);
    msgpack_unpacked_destroy(&item);
    fflush(stdout);
end:
    zmq_msg_close(&msg);
    return taken;
}

/* Whoever is not there yet is waited for. */
static int connect_to(void *zmq, void *socket, const char *endpoint)
{
    int linger = 0;

    if (socket && zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger) == 0 &&
        client_connect(zmq, socket, endpoint, CLIENT_TIMEOUT_MS) == 0)
        return EXIT_WELL;
    if (client_stopped())
        return EXIT_WELL;
    if (socket && errno == EAGAIN) {
        fprintf(stderr, "kpictl watch: %s: nobody is there yet; waiting\n", endpoint);
        return EXIT_WELL;
    }
    return (client_is_no_endpoint(errno) ? kpictl_wrong : kpictl_failed)("watch", "%s: %s", endpoint, client_why("nobody is there"));
}

static int follow(const struct options *opt, const char *endpoint)
{
    void *zmq = zmq_ctx_new(), *socket = zmq ? zmq_socket(zmq, ZMQ_SUB) : NULL;
    int status;

    client_catch_signals(true);
    status = connect_to(zmq, socket, endpoint);
    if (!status) {
        /* NOLINTNEXTLINE: parse() has seen to it */
        bool alerts = strcmp(opt->what, "alerts") == 0;

        subscribe(socket, alerts ? "alert" : "snapshot", opt->under);
        if (alerts && opt->pending)
            subscribe(socket, "pending", opt->under);
        for (uint64_t n = 0; !client_stopped() && !ferror(stdout) && (!opt->count || n < opt->count);)
            n += take_message(socket, opt);
    }
    if (socket)
        zmq_close(socket);
    if (zmq)
        zmq_ctx_term(zmq);
    return status;
}

static int parse(int argc, char **argv, struct options *opt)
{
    static const struct option longs[] = {
        {"under", 1, NULL, 'u'},   {"pending", 0, NULL, 'p'}, {"json", 0, NULL, 'j'},   {"count", 1, NULL, 'n'},
        {"publish", 1, NULL, 's'}, {"control", 1, NULL, 'c'}, {"config", 1, NULL, 'f'}, {"help", 0, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'u':
            if (strlen(optarg) > TOPIC_MAX - 32)
                return kpictl_wrong("watch", "--under: longer than any topic");
            opt->under = optarg;
            break;
        case 'p':
            opt->pending = true;
            break;
        case 'j':
            opt->json = true;
            break;
        case 'n':
            if (!kpictl_count(optarg, &opt->count))
                return kpictl_wrong("watch", "--count %s: a number of messages", optarg);
            break;
        case 's':
            opt->publish = optarg;
            break;
        case 'c':
            opt->control = optarg;
            break;
        case 'f':
            opt->config = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            return -1;
        default:
            return EXIT_WRONG;
        }
    }
    if (optind != argc - 1 || (strcmp(argv[optind], "alerts") != 0 && strcmp(argv[optind], "snapshots") != 0))
        return kpictl_wrong("watch", "needs \"alerts\" or \"snapshots\"");
    opt->what = argv[optind];
    return EXIT_WELL;
}

int kpictl_watch(int argc, char **argv)
{
    struct options opt = {.under = ""};
    char endpoint[CLIENT_ENDPOINT];
    int status = parse(argc, argv, &opt);

    if (!status)
        status = find_publish(&opt, endpoint);
    return status < 0 ? EXIT_WELL : status ? status : follow(&opt, endpoint);
}
