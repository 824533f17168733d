/* kpictl silence, and unsilence. */
#include "kpictl.h"

#include "client.h"
#include "match.h"

#include "kpid/zone.h"

#include <getopt.h>
#include <string.h>

static const char help[] =
    "usage: kpictl silence MATCHER... --for DURATION | --until TIME [OPTION]...\n"
    "       kpictl silence [--json]\n"
    "\n"
    "Keep alerts quiet for a while: they are judged and published as ever, but marked, and nobody is to be troubled with\n"
    "them. Without matchers, list the silences that hold and those to come:\n"
    "\n"
    "  $ kpictl silence --rule 'behind_*' --path emea/field-1 --for 2h --comment \"kick-off day\"\n"
    "  s1\n"
    "  $ kpictl silence --key ana --from 2026-08-03T09:00:00+01:00 --until 2026-08-04T09:00:00+01:00 --by maria\n"
    "  $ kpictl silence --id s1 --rule 'behind_*' --path emea/field-1 --for 4h\n"
    "  $ kpictl silence\n"
    "  $ kpictl unsilence s1\n"
    "\n"
    "Which alerts; all that are given must hold:\n"
    MATCH_HELP
    "\n"
    "  --for DURATION      for so long, as 90m, 2h, 7d\n"
    "  --until TIME        up to then; RFC 3339, or ms since the epoch\n"
    "  --from TIME         not before then; default: now\n"
    "  --by NAME           who is asked about it; default: your login name\n"
    "  --comment TEXT      why\n"
    "  --id ID             take the place of this silence\n"
    "  --json              a line of JSON for each\n"
    "  --control ENDPOINT  default tcp://127.0.0.1:5561\n"
    "  --config FILE       take the control endpoint from a configuration\n"
    "\n"
    "Prints the id of the silence. Exit status: 0 well, 1 no answer, 2 wrong use or refused.\n";

static const char unhelp[] =
    "usage: kpictl unsilence ID... [--control ENDPOINT | --config FILE]\n"
    "\n"
    "End silences before their time. The alerts that they kept quiet and that still fire are published again:\n"
    "\n"
    "  $ kpictl silence\n"
    "  $ kpictl unsilence s1 s4\n"
    "\n"
    "Exit status: 0 well, 1 no answer, 2 wrong use, or there is no such silence and none was ended.\n";

struct options {
    struct match match;
    const char *duration, *by, *comment, *id, *control, *config;
    bool has_from, has_until, json;
    int64_t from_ms, until_ms;
};

/* ---- Asking ---- */

/* Send a request, and print its reply. */
static int ask(const char *sub, const struct options *opt, const msgpack_sbuffer *request,
               void (*print)(const struct options *opt, const msgpack_object *reply))
{
    char endpoint[CLIENT_ENDPOINT];
    struct client client = {0};
    struct kp_err err = {0};
    msgpack_unpacked reply;
    enum kp_code code;

    if (!client_control_endpoint(opt->control, opt->config, endpoint))
        return EXIT_WRONG;
    if (client_open(&client, endpoint, &err))
        return kpictl_failed(sub, "%s", err.text);
    code = client_ask(&client, request, CLIENT_TIMEOUT_MS, &reply, &err);
    if (!code && print)
        print(opt, &reply.data);
    msgpack_unpacked_destroy(&reply);
    client_close(&client);
    return code ? kpictl_refused(sub, &err) : EXIT_WELL;
}

static void pack_silence(msgpack_packer *packer, const struct options *opt)
{
    const struct {
        const char *key, *value;
    } texts[] = {{"by", opt->by}, {"comment", opt->comment}, {"id", opt->id}, {"for", opt->duration}};
    size_t n = 2u + opt->has_from + opt->has_until;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        n += texts[i].value != NULL;
    msgpack_pack_map(packer, n);
    pack_text(packer, "op");
    pack_text(packer, "silence");
    match_pack(packer, &opt->match);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!texts[i].value)
            continue;
        pack_text(packer, texts[i].key);
        pack_text(packer, texts[i].value);
    }
    if (opt->has_from) {
        pack_text(packer, "from");
        msgpack_pack_int64(packer, opt->from_ms);
    }
    if (opt->has_until) {
        pack_text(packer, "until");
        msgpack_pack_int64(packer, opt->until_ms);
    }
}

/* ---- Printing ---- */

static void print_instant(const msgpack_object *ms)
{
    double at = 0;
    char text[40];

    object_number(ms, &at);
    printf(" %-24s", kp_rfc3339_format((int64_t)at, text));
}

static void print_made(const struct options *opt, const msgpack_object *reply)
{
    const msgpack_object *silence = object_get(reply, "silence");
    char id[32];

    if (opt->json)
        object_print_json(silence);
    else
        puts(object_plain(object_get(silence, "id"), id, sizeof id));
}

static void print_list(const struct options *opt, const msgpack_object *reply)
{
    const msgpack_object *silences = object_get(reply, "silences");
    char id[32], state[16], by[160], comment[600];

    if (!opt->json)
        printf("%-6s %-8s %-24s %-24s %-12s %s\n", "id", "state", "from", "until", "by", "which alerts (why)");
    for (size_t i = 0; i < object_count(silences); i++) {
        const msgpack_object *silence = &silences->via.array.ptr[i];

        if (opt->json) {
            object_print_json(silence);
            continue;
        }
        printf("%-6s %-8s", object_plain(object_get(silence, "id"), id, sizeof id),
               object_plain(object_get(silence, "state"), state, sizeof state));
        print_instant(object_get(silence, "from"));
        print_instant(object_get(silence, "until"));
        printf(" %-12s ", object_plain(object_get(silence, "by"), by, sizeof by));
        match_print(object_get(silence, "matchers"));
        if (*object_plain(object_get(silence, "comment"), comment, sizeof comment))
            printf(" (%s)", comment);
        putchar('\n');
    }
}

/* ---- silence ---- */

/* One option; EXIT_WELL, or what is wrong with it. */
static int take(struct options *opt, int c)
{
    const char **texts[] = {['f'] = &opt->duration, ['b'] = &opt->by,      ['m'] = &opt->comment,
                            ['i'] = &opt->id,       ['c'] = &opt->control, ['g'] = &opt->config};

    if (match_take(&opt->match, c, optarg))
        return EXIT_WELL;
    if (c == 'j') {
        opt->json = true;
        return EXIT_WELL;
    }
    if (c == 's' || c == 'u') {
        bool ok = kpictl_time(optarg, c == 's' ? &opt->from_ms : &opt->until_ms);

        opt->has_from |= c == 's';
        opt->has_until |= c == 'u';
        return ok ? EXIT_WELL : kpictl_wrong("silence", "%s: no time; RFC 3339, or ms since the epoch", optarg);
    }
    if (c < 'b' || c > 'm' || !texts[c])
        return EXIT_WRONG;
    *texts[c] = optarg;
    return EXIT_WELL;
}

static int check(struct options *opt)
{
    bool makes = opt->duration || opt->has_until || opt->has_from || opt->by || opt->comment || opt->id;

    if (!match_is_given(&opt->match))
        return makes ? kpictl_wrong("silence", "which alerts? --rule, --kpi, --level, --key, --path, --severity") : EXIT_WELL;
    if ((opt->duration != NULL) == opt->has_until)
        return kpictl_wrong("silence", "how long? either --for or --until");
    if (!opt->by && !(opt->by = match_user()))
        return kpictl_wrong("silence", "--by: who is asked about it?");
    return EXIT_WELL;
}

int kpictl_silence(int argc, char **argv)
{
    static const struct option longs[] = {
        MATCH_LONGS, {"for", 1, NULL, 'f'}, {"until", 1, NULL, 'u'}, {"from", 1, NULL, 's'}, {"by", 1, NULL, 'b'},
        {"comment", 1, NULL, 'm'}, {"id", 1, NULL, 'i'}, {"json", 0, NULL, 'j'}, {"control", 1, NULL, 'c'},
        {"config", 1, NULL, 'g'}, {"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}};
    struct options opt = {0};
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    int c, status = EXIT_WELL;

    while (!status && (c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'h') {
            fputs(help, stdout);
            return EXIT_WELL;
        }
        status = c == '?' ? EXIT_WRONG : take(&opt, c);
    }
    if (!status && optind < argc)
        status = kpictl_wrong("silence", "%s: what is this?", argv[optind]);
    status = status ? status : check(&opt);
    if (status)
        return status;
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    if (match_is_given(&opt.match)) {
        pack_silence(&packer, &opt);
        status = ask("silence", &opt, &buffer, print_made);
    } else {
        pack_op(&packer, "silences");
        status = ask("silence", &opt, &buffer, print_list);
    }
    msgpack_sbuffer_destroy(&buffer);
    return status;
}

/* ---- unsilence ---- */

int kpictl_unsilence(int argc, char **argv)
{
    static const struct option longs[] = {
        {"control", 1, NULL, 'c'}, {"config", 1, NULL, 'g'}, {"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}};
    struct options opt = {0};
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    int c, status;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'h') {
            fputs(unhelp, stdout);
            return EXIT_WELL;
        }
        if (c == '?')
            return EXIT_WRONG;
        *(c == 'c' ? &opt.control : &opt.config) = optarg;
    }
    if (optind == argc)
        return kpictl_wrong("unsilence", "which? kpictl silence lists them");
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    msgpack_pack_map(&packer, 2);
    pack_text(&packer, "op");
    pack_text(&packer, "unsilence");
    pack_text(&packer, "id");
    msgpack_pack_array(&packer, (size_t)(argc - optind));
    for (int i = optind; i < argc; i++)
        pack_text(&packer, argv[i]);
    status = ask("unsilence", &opt, &buffer, NULL);
    msgpack_sbuffer_destroy(&buffer);
    return status;
}
