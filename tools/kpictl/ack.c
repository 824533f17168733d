/* kpictl ack: somebody sees to it. */
#include "kpictl.h"

#include "client.h"
#include "match.h"

#include "kpid/zone.h"

#include <getopt.h>
#include <string.h>

static const char help[] =
    "usage: kpictl ack ID... | MATCHER... [OPTION]...\n"
    "       kpictl ack [--json]\n"
    "\n"
    "Say that somebody sees to an alert: it is not repeated any more, until it is over or becomes critical. Without ids and\n"
    "matchers, list the alerts that are pending or firing, with their ids:\n"
    "\n"
    "  $ kpictl ack\n"
    "  $ kpictl ack 7f3a90c2e1d45b68 --by maria --comment \"spoke to Ana\"\n"
    "  $ kpictl ack --rule 'behind_*' --path emea/field-1\n"
    "  $ kpictl ack 7f3a90c2e1d45b68 --undo\n"
    "\n"
    "Which alerts, instead of ids; all that are given must hold:\n"
    MATCH_HELP
    "\n"
    "  --by NAME           who sees to it; default: your login name\n"
    "  --comment TEXT      what is done about it\n"
    "  --undo              nobody does, after all\n"
    "  --json              a line of JSON for each alert, or for the answer\n"
    "  --control ENDPOINT  default tcp://127.0.0.1:5561\n"
    "  --config FILE       take the control endpoint from a configuration\n"
    "\n"
    "Exit status: 0 well, 1 no answer, or an id or the matchers meet no alert, 2 wrong use or refused.\n";

struct options {
    struct match match;
    const char *by, *comment, *control, *config;
    bool undo, json;
    char **ids;
    int nids;
};

static int parse(int argc, char **argv, struct options *opt)
{
    static const struct option longs[] = {
        MATCH_LONGS, {"by", 1, NULL, 'b'}, {"comment", 1, NULL, 'm'}, {"undo", 0, NULL, 'u'}, {"json", 0, NULL, 'j'},
        {"control", 1, NULL, 'c'}, {"config", 1, NULL, 'g'}, {"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'h') {
            fputs(help, stdout);
            return -1;
        }
        if (c == '?')
            return EXIT_WRONG;
        match_take(&opt->match, c, optarg);
        opt->by = c == 'b' ? optarg : opt->by;
        opt->comment = c == 'm' ? optarg : opt->comment;
        opt->control = c == 'c' ? optarg : opt->control;
        opt->config = c == 'g' ? optarg : opt->config;
        opt->undo |= c == 'u';
        opt->json |= c == 'j';
    }
    opt->ids = argv + optind;
    opt->nids = argc - optind;
    if (opt->nids && match_is_given(&opt->match))
        return kpictl_wrong("ack", "either ids or matchers");
    if (!opt->nids && !match_is_given(&opt->match) && (opt->by || opt->comment || opt->undo))
        return kpictl_wrong("ack", "which alerts? kpictl ack lists them");
    if (!opt->by && !opt->undo && !(opt->by = match_user()))
        return kpictl_wrong("ack", "--by: who sees to it?");
    return EXIT_WELL;
}

static bool is_list(const struct options *opt)
{
    return !opt->nids && !match_is_given(&opt->match);
}

static void pack_ack(msgpack_packer *packer, const struct options *opt)
{
    msgpack_pack_map(packer, 2u + (opt->by != NULL) + (opt->comment != NULL) + opt->undo);
    pack_text(packer, "op");
    pack_text(packer, "ack");
    if (opt->nids) {
        pack_text(packer, "id");
        msgpack_pack_array(packer, (size_t)opt->nids);
        for (int i = 0; i < opt->nids; i++)
            pack_text(packer, opt->ids[i]);
    } else {
        match_pack(packer, &opt->match);
    }
    if (opt->by) {
        pack_text(packer, "by");
        pack_text(packer, opt->by);
    }
    if (opt->comment) {
        pack_text(packer, "comment");
        pack_text(packer, opt->comment);
    }
    if (opt->undo) {
        pack_text(packer, "undo");
        msgpack_pack_true(packer);
    }
}

/* ---- Printing ---- */

static void print_alert(const msgpack_object *alert)
{
    char id[24], state[16], severity[16], rule[128], path[1024], mark[256], message[1200], at[40];
    double since = 0;

    object_number(object_get(alert, "since"), &since);
    printf("%-16s %-7s %-8s %-24s %s ", object_plain(object_get(alert, "id"), id, sizeof id),
           object_plain(object_get(alert, "state"), state, sizeof state),
           object_plain(object_get(alert, "severity"), severity, sizeof severity), kp_rfc3339_format((int64_t)since, at),
           object_plain(object_get(alert, "rule"), rule, sizeof rule));
    printf("%s  %s%s\n", object_path(object_get(alert, "path"), path, sizeof path),
           object_alert_mark(alert, mark, sizeof mark),
           object_plain(object_get(alert, "message"), message, sizeof message));
}

static int print_list(const struct options *opt, const msgpack_object *reply)
{
    const msgpack_object *alerts = object_get(reply, "alerts");

    if (!opt->json)
        printf("%-16s %-7s %-8s %-24s %s\n", "id", "state", "severity", "since", "rule, whose, message");
    for (size_t i = 0; i < object_count(alerts); i++) {
        if (opt->json)
            object_print_json(&alerts->via.array.ptr[i]);
        else
            print_alert(&alerts->via.array.ptr[i]);
    }
    return EXIT_WELL;
}

static int print_done(const struct options *opt, const msgpack_object *reply)
{
    const msgpack_object *unknown = object_get(reply, "unknown");
    char id[24];
    double n = 0;

    object_number(object_get(reply, "alerts"), &n);
    if (opt->json)
        object_print_json(reply);
    else
        printf("%.0f alert%s\n", n, n == 1 ? "" : "s");
    for (size_t i = 0; i < object_count(unknown); i++)
        kpictl_failed("ack", "no alert %s is pending or firing", object_plain(&unknown->via.array.ptr[i], id, sizeof id));
    if (n == 0 && !opt->nids)
        return kpictl_failed("ack", opt->undo ? "no such alert is acknowledged" : "no alert matches");
    return object_count(unknown) ? EXIT_FAILED : EXIT_WELL;
}

int kpictl_ack(int argc, char **argv)
{
    struct options opt = {0};
    char endpoint[CLIENT_ENDPOINT];
    struct client client = {0};
    struct kp_err err = {0};
    msgpack_unpacked reply;
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    enum kp_code code;
    int status = parse(argc, argv, &opt);

    if (status)
        return status < 0 ? EXIT_WELL : status;
    if (!client_control_endpoint(opt.control, opt.config, endpoint))
        return EXIT_WRONG;
    if (client_open(&client, endpoint, &err))
        return kpictl_failed("ack", "%s", err.text);
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    if (is_list(&opt))
        pack_op(&packer, "alerts");
    else
        pack_ack(&packer, &opt);
    code = client_ask(&client, &buffer, CLIENT_TIMEOUT_MS, &reply, &err);
    msgpack_sbuffer_destroy(&buffer);
    if (!code)
        status = (is_list(&opt) ? print_list : print_done)(&opt, &reply.data);
    msgpack_unpacked_destroy(&reply);
    client_close(&client);
    return code ? kpictl_refused("ack", &err) : status;
}
