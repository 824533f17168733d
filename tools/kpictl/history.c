/* kpictl history: what numbers were, and which alerts there were. */
#include "kpictl.h"

#include "client.h"

#include "kpid/message.h"
#include "kpid/zone.h"

#include <getopt.h>
#include <string.h>

static const char help[] =
    "usage: kpictl history --kpi KPI --window W [--key KEY] [OPTION]...\n"
    "       kpictl history --alerts [OPTION]...\n"
    "\n"
    "What a number was: what each period came to, and samples through the last days. Or which alerts there were:\n"
    "\n"
    "  $ kpictl history --kpi calls_made --window day --key ana --closed\n"
    "  $ kpictl history --kpi revenue --window month --level team --key field-1 --from 2026-01-01T00:00:00Z\n"
    "  $ kpictl history --alerts --rule behind_on_calls --key ana\n"
    "\n"
    "  --kpi KPI           which number\n"
    "  --window W          in which window\n"
    "  --level LEVEL       company, a level of the roster, or a group like @client\n"
    "  --key KEY           whose; of a rep, without --level; of the company, without --key\n"
    "  --under PATH        the place of a key that is gone, as emea/field-1/ana\n"
    "  --closed            only what periods came to\n"
    "  --alerts            alerts as they happened, instead; --rule, --level and --key are optional\n"
    "  --rule RULE         of this rule\n"
    "  --from TIME         since then: RFC 3339, or ms\n"
    "  --to TIME           until then\n"
    "  --json              a line of JSON for each\n"
    "  --control ENDPOINT  default tcp://127.0.0.1:5561\n"
    "  --config FILE       take the control endpoint from a configuration\n"
    "\n"
    "Exit status: 0 well, 1 no answer or nothing found, 2 wrong use or a name that the daemon does not know.\n";

enum { ANSWER_MS = 60000 };

struct options {
    const char *kpi, *window, *level, *key, *under, *rule, *control, *config;
    int64_t from, to;
    bool has_from, has_to, alerts, closed, json;
};

static int parse(int argc, char **argv, struct options *opt)
{
    static const struct option longs[] = {
        {"kpi", 1, NULL, 'p'},  {"window", 1, NULL, 'w'}, {"level", 1, NULL, 'l'},   {"key", 1, NULL, 'k'},  {"under", 1, NULL, 'u'},
        {"rule", 1, NULL, 'r'}, {"from", 1, NULL, 'a'},   {"to", 1, NULL, 'b'},      {"alerts", 0, NULL, 't'}, {"closed", 0, NULL, 'o'},
        {"json", 0, NULL, 'j'}, {"control", 1, NULL, 'c'}, {"config", 1, NULL, 'f'}, {"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        const struct {
            int c;
            const char **text;
        } texts[] = {{'p', &opt->kpi}, {'w', &opt->window}, {'l', &opt->level},   {'k', &opt->key},
                     {'u', &opt->under}, {'r', &opt->rule}, {'c', &opt->control}, {'f', &opt->config}};

        if (c == 'h') {
            fputs(help, stdout);
            return -1;
        }
        if (c == '?')
            return EXIT_WRONG;
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            if (texts[i].c == c)
                *texts[i].text = optarg;
        if ((c == 'a' && !kpictl_time(optarg, &opt->from)) || (c == 'b' && !kpictl_time(optarg, &opt->to)))
            return kpictl_wrong("history", "%s: a time like 2026-03-02T09:00:00Z, or ms", optarg);
        opt->has_from |= c == 'a';
        opt->has_to |= c == 'b';
        opt->alerts |= c == 't';
        opt->closed |= c == 'o';
        opt->json |= c == 'j';
    }
    if (optind < argc)
        return kpictl_wrong("history", "%s: what is this?", argv[optind]);
    opt->alerts |= opt->rule != NULL;
    if (!opt->alerts && (!opt->kpi || !opt->window))
        return kpictl_wrong("history", "which number? --kpi and --window say it; or --alerts");
    if (opt->alerts && (opt->kpi || opt->window || opt->under || opt->closed))
        return kpictl_wrong("history", "--alerts takes --rule, --level, --key, --from and --to");
    return EXIT_WELL;
}

static void pack(msgpack_packer *packer, const struct options *opt)
{
    const struct {
        const char *key, *value;
    } texts[] = {{"op", "history"},     {"kpi", opt->kpi},     {"window", opt->window}, {"level", opt->level},
                 {"key", opt->key},     {"under", opt->under}, {"rule", opt->rule}};
    size_t n = 0u + opt->has_from + opt->has_to + opt->alerts;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        n += texts[i].value != NULL;
    msgpack_pack_map(packer, n);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!texts[i].value)
            continue;
        pack_text(packer, texts[i].key);
        pack_text(packer, texts[i].value);
    }
    if (opt->has_from) {
        pack_text(packer, "from");
        msgpack_pack_int64(packer, opt->from);
    }
    if (opt->has_to) {
        pack_text(packer, "to");
        msgpack_pack_int64(packer, opt->to);
    }
    if (opt->alerts) {
        pack_text(packer, "alerts");
        msgpack_pack_true(packer);
    }
}

static const char *number_text(const msgpack_object *map, const char *key, char buf[64])
{
    double v = 0;
    bool has = object_number(object_get(map, key), &v);

    kp_number_text(v, has, NULL, buf, 64);
    return buf;
}

static void print_value(const msgpack_object *value)
{
    char at[40], v[64], n[64], target[64], expected[64];
    double ms = 0;

    object_number(object_get(value, "at"), &ms);
    printf("%-24s %14s %10s %12s %12s  %s\n", kp_rfc3339_format((int64_t)ms, at), number_text(value, "value", v),
           number_text(value, "n", n), number_text(value, "target", target), number_text(value, "expected", expected),
           object_true(object_get(value, "closed")) ? "closed" : "");
}

static void print_alert(const msgpack_object *alert)
{
    char at[40], state[16], severity[16], rule[128], message[1200];
    double ms = 0;

    object_number(object_get(alert, "at"), &ms);
    printf("%-24s %-8s %-8s %s  %s\n", kp_rfc3339_format((int64_t)ms, at), object_plain(object_get(alert, "state"), state, sizeof state),
           object_plain(object_get(alert, "severity"), severity, sizeof severity),
           object_plain(object_get(alert, "rule"), rule, sizeof rule),
           object_plain(object_get(alert, "message"), message, sizeof message));
}

static size_t print_reply(const struct options *opt, const msgpack_object *reply)
{
    const msgpack_object *list = object_get(reply, opt->alerts ? "alerts" : "values");
    size_t n = 0;

    if (!opt->json && !opt->alerts)
        printf("%-24s %14s %10s %12s %12s\n", "at", "value", "n", "target", "expected");
    for (size_t i = 0; i < object_count(list); i++) {
        const msgpack_object *one = &list->via.array.ptr[i];

        if (opt->closed && !object_true(object_get(one, "closed")))
            continue;
        if (opt->json)
            object_print_json(one);
        else
            (opt->alerts ? print_alert : print_value)(one);
        n++;
    }
    if (object_true(object_get(reply, "more")))
        fprintf(stderr, "kpictl history: there is more: --from and --to narrow it\n");
    return n;
}

int kpictl_history(int argc, char **argv)
{
    struct options opt = {0};
    char endpoint[CLIENT_ENDPOINT];
    struct client client = {0};
    struct kp_err err = {0};
    msgpack_unpacked reply;
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    enum kp_code code;
    size_t n = 0;
    int status = parse(argc, argv, &opt);

    if (status)
        return status < 0 ? EXIT_WELL : status;
    if (!client_control_endpoint(opt.control, opt.config, endpoint))
        return EXIT_WRONG;
    if (client_open(&client, endpoint, &err))
        return kpictl_failed("history", "%s", err.text);
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    pack(&packer, &opt);
    code = client_ask(&client, &buffer, ANSWER_MS, &reply, &err);
    msgpack_sbuffer_destroy(&buffer);
    if (!code)
        n = print_reply(&opt, &reply.data);
    msgpack_unpacked_destroy(&reply);
    client_close(&client);
    if (code)
        return kpictl_refused("history", &err);
    return n ? EXIT_WELL : kpictl_failed("history", "nothing is kept of that");
}
