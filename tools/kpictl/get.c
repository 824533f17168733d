#include "kpictl.h"

#include "client.h"
#include "explain.h"
#include "store.h"

#include "kpid/message.h"

#include <getopt.h>
#include <string.h>

static const char help[] =
    "usage: kpictl get [OPTION]...\n"
    "\n"
    "The numbers of everybody, or of some, as they are now:\n"
    "\n"
    "  $ kpictl get --level team --kpi calls_made,revenue --window day\n"
    "  $ kpictl get --key ana --window day,week\n"
    "  $ kpictl get --under emea/field-1 --json | jq .kpis.revenue.month.value\n"
    "  $ kpictl get --store /var/lib/kpid --level team\n"
    "  $ kpictl get --explain --key ana --kpi win_rate --window month\n"
    "\n"
    "  --level LEVEL       company, a level of the roster, or a group like @client\n"
    "  --key KEY[,KEY]     only these keys\n"
    "  --under PATH        only what stands below, as emea/field-1; a / within a key is %2F\n"
    "  --kpi KPI[,KPI]     only these KPIs\n"
    "  --window W[,W]      only these windows\n"
    "  --explain           where one number comes from: what it counts, the parts of its formula, its newest\n"
    "                      events. Takes one KPI, one window, and a key (of a rep, without --level)\n"
    "  --store PATH        of a daemon that has stopped, or runs: what its store holds, as of its last instant. Of\n"
    "                      the configuration that it was made with, or of --config\n"
    "  --json              a line of JSON for each key\n"
    "  --control ENDPOINT  default tcp://127.0.0.1:5561\n"
    "  --config FILE       take the control endpoint from a configuration\n"
    "\n"
    "Exit status: 0 well, 1 no answer or nothing found, 2 wrong use or a name that the daemon does not know.\n";

/* Everybody's numbers may be many; where nobody is there, it takes no longer than elsewhere. */
enum { ANSWER_MS = 60000 };

struct options {
    const char *level, *keys, *under, *kpis, *windows, *control, *config, *store;
    bool json, explain;
};

static int parse(int argc, char **argv, struct options *opt)
{
    static const struct option longs[] = {
        {"level", 1, NULL, 'l'}, {"key", 1, NULL, 'k'},     {"under", 1, NULL, 'u'},  {"kpi", 1, NULL, 'p'},
        {"window", 1, NULL, 'w'}, {"control", 1, NULL, 'c'}, {"config", 1, NULL, 'f'}, {"json", 0, NULL, 'j'},
        {"explain", 0, NULL, 'e'}, {"store", 1, NULL, 's'},
        {"help", 0, NULL, 'h'},  {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'l':
            opt->level = optarg;
            break;
        case 'k':
            opt->keys = optarg;
            break;
        case 'u':
            opt->under = optarg;
            break;
        case 'p':
            opt->kpis = optarg;
            break;
        case 'w':
            opt->windows = optarg;
            break;
        case 'c':
            opt->control = optarg;
            break;
        case 'f':
            opt->config = optarg;
            break;
        case 's':
            opt->store = optarg;
            break;
        case 'e':
            opt->explain = true;
            break;
        case 'j':
            opt->json = true;
            break;
        case 'h':
            fputs(help, stdout);
            return -1;
        default:
            return EXIT_WRONG;
        }
    }
    if (optind < argc)
        return kpictl_wrong("get", "%s: what is this?", argv[optind]);
    if (opt->explain && (!opt->kpis || !opt->windows || opt->under))
        return kpictl_wrong("get", "--explain takes --kpi, --window and --key, and no --under");
    return EXIT_WELL;
}

static void pack_explain(msgpack_packer *packer, const struct options *opt)
{
    const struct {
        const char *key, *value;
    } texts[] = {{"op", "explain"}, {"level", opt->level}, {"kpi", opt->kpis}, {"window", opt->windows}, {"key", opt->keys}};
    size_t n = 0;

    for (size_t i = 0; i < 5; i++)
        n += texts[i].value != NULL;
    msgpack_pack_map(packer, n);
    for (size_t i = 0; i < 5; i++) {
        if (!texts[i].value)
            continue;
        pack_text(packer, texts[i].key);
        pack_text(packer, texts[i].value);
    }
}

static void pack_request(msgpack_packer *packer, const struct options *opt)
{
    const struct {
        const char *key, *value;
    } lists[] = {{"keys", opt->keys}, {"kpis", opt->kpis}, {"windows", opt->windows}};
    size_t n = 1u + (opt->level != NULL) + (opt->under != NULL);

    for (size_t i = 0; i < 3; i++)
        n += lists[i].value != NULL;
    msgpack_pack_map(packer, n);
    pack_text(packer, "op");
    pack_text(packer, "get");
    if (opt->level) {
        pack_text(packer, "level");
        pack_text(packer, opt->level);
    }
    if (opt->under) {
        pack_text(packer, "under");
        pack_text(packer, opt->under);
    }
    for (size_t i = 0; i < 3; i++) {
        if (!lists[i].value)
            continue;
        pack_text(packer, lists[i].key);
        pack_list(packer, lists[i].value);
    }
}

static void print_cell(const char *kpi, const msgpack_object *window, const msgpack_object *cell)
{
    char name[32], value[64], target[64] = "", status[16];
    double v = 0, n = 0, t = 0;
    bool has = object_number(object_get(cell, "value"), &v);

    object_number(object_get(cell, "n"), &n);
    kp_number_text(v, has, NULL, value, sizeof value);
    if (object_number(object_get(cell, "target"), &t))
        kp_number_text(t, true, NULL, target, sizeof target);
    printf("  %-24s %-8s %14s %10.0f %12s  %s\n", kpi, object_plain(window, name, sizeof name), value, n, target,
           object_plain(object_get(cell, "status"), status, sizeof status));
}

static void print_snapshot(const msgpack_object *snapshot)
{
    const msgpack_object *kpis = object_get(snapshot, "kpis");
    char level[64], key[256], name[256], kpi[128];

    printf("%s %s (%s)\n", object_plain(object_get(snapshot, "level"), level, sizeof level),
           object_plain(object_get(snapshot, "key"), key, sizeof key),
           object_plain(object_get(snapshot, "name"), name, sizeof name));
    printf("  %-24s %-8s %14s %10s %12s  %s\n", "KPI", "window", "value", "n", "target", "status");
    for (uint32_t i = 0; kpis && kpis->type == MSGPACK_OBJECT_MAP && i < kpis->via.map.size; i++) {
        const msgpack_object *windows = &kpis->via.map.ptr[i].val;

        object_plain(&kpis->via.map.ptr[i].key, kpi, sizeof kpi);
        for (uint32_t w = 0; windows->type == MSGPACK_OBJECT_MAP && w < windows->via.map.size; w++)
            print_cell(kpi, &windows->via.map.ptr[w].key, &windows->via.map.ptr[w].val);
    }
}

static size_t print_reply(const struct options *opt, const msgpack_object *reply)
{
    const msgpack_object *snapshots = object_get(reply, "snapshots"), *why = object_get(reply, "explanation");
    size_t n = object_count(snapshots);

    if (opt->explain && why) {
        if (opt->json)
            object_print_json(why);
        else
            explain_print(why);
        return 1;
    }
    for (size_t i = 0; i < n; i++) {
        if (opt->json)
            object_print_json(&snapshots->via.array.ptr[i]);
        else
            print_snapshot(&snapshots->via.array.ptr[i]);
    }
    return n;
}

/* Ask the daemon, or what its store holds. */
static enum kp_code ask(const struct options *opt, const msgpack_sbuffer *request, msgpack_unpacked *reply, struct kp_err *err)
{
    char endpoint[CLIENT_ENDPOINT];
    struct client client = {0};
    enum kp_code code;

    msgpack_unpacked_init(reply);
    if (opt->store)
        return store_ask(opt->store, opt->config, request, reply, err);
    if (!client_control_endpoint(opt->control, opt->config, endpoint))
        return KP_EINVAL;
    code = client_open(&client, endpoint, err);
    code = code ? code : client_ask(&client, request, ANSWER_MS, reply, err);
    client_close(&client);
    return code;
}

static int get(const struct options *opt)
{
    struct kp_err err = {0};
    msgpack_unpacked reply;
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    enum kp_code code;
    size_t n = 0;

    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    if (opt->explain)
        pack_explain(&packer, opt);
    else
        pack_request(&packer, opt);
    code = ask(opt, &buffer, &reply, &err);
    msgpack_sbuffer_destroy(&buffer);
    if (!code)
        n = print_reply(opt, &reply.data);
    msgpack_unpacked_destroy(&reply);
    if (code)
        return err.text[0] ? kpictl_refused("get", &err) : EXIT_WRONG;
    return n ? EXIT_WELL : kpictl_failed("get", "nobody matches");
}

int kpictl_get(int argc, char **argv)
{
    struct options opt = {0};
    int status = parse(argc, argv, &opt);

    if (status)
        return status < 0 ? EXIT_WELL : status;
    return get(&opt);
}
