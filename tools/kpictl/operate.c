/* kpictl reload and kpictl checkpoint: what whoever runs the daemon asks of it. */
#include "kpictl.h"

#include "client.h"

#include <getopt.h>
#include <string.h>
#include <time.h>

enum { ANSWER_MS = 120000, LOOK_MS = 50, WAIT_MS = 600000 };

static const char reload_help[] =
    "usage: kpictl reload [OPTION]...\n"
    "\n"
    "Let the daemon read its configuration again: all or nothing. What means the same keeps its numbers and alerts.\n"
    "\n"
    "  $ kpictl check config/kpid.yaml && kpictl reload\n"
    "\n"
    "  --json              the answer as a line of JSON\n"
    "  --control ENDPOINT  default tcp://127.0.0.1:5561\n"
    "  --config FILE       take the control endpoint from a configuration\n"
    "\n"
    "Exit status: 0 well, 1 no answer, 2 wrong use, or the daemon keeps what it has; then it says why.\n";

static const char checkpoint_help[] =
    "usage: kpictl checkpoint [--copy NAME] [OPTION]...\n"
    "\n"
    "Let the daemon put all that it knows into its store now, and wait until it is there. With --copy, make a copy of the\n"
    "store beside it, which can be carried away while the daemon runs:\n"
    "\n"
    "  $ kpictl checkpoint\n"
    "  $ kpictl checkpoint --copy monday.db && mv /var/lib/kpid/monday.db /backup/\n"
    "\n"
    "  --copy NAME         a file name, without a slash, that does not exist yet\n"
    "  --json              the answer as a line of JSON\n"
    "  --control ENDPOINT  default tcp://127.0.0.1:5561\n"
    "  --config FILE       take the control endpoint from a configuration\n"
    "\n"
    "Exit status: 0 well, 1 no answer or it failed, 2 wrong use or there is no storage.\n";

struct options {
    const char *control, *config, *copy;
    bool json;
};

static int parse(int argc, char **argv, const char *help, bool copies, struct options *opt)
{
    static const struct option longs[] = {{"copy", 1, NULL, 'o'}, {"json", 0, NULL, 'j'},   {"control", 1, NULL, 'c'},
                                          {"config", 1, NULL, 'f'}, {"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'h') {
            fputs(help, stdout);
            return -1;
        }
        if (c == '?')
            return EXIT_WRONG;
        if (c == 'o' && !copies)
            return kpictl_wrong(argv[0], "--copy: what is this?");
        opt->copy = c == 'o' ? optarg : opt->copy;
        opt->control = c == 'c' ? optarg : opt->control;
        opt->config = c == 'f' ? optarg : opt->config;
        opt->json |= c == 'j';
    }
    return optind < argc ? kpictl_wrong(argv[0], "%s: what is this?", argv[optind]) : EXIT_WELL;
}

static enum kp_code ask(struct client *client, const char *op, const char *copy, msgpack_unpacked *reply, struct kp_err *err)
{
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    enum kp_code code;

    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    msgpack_pack_map(&packer, 1u + (copy != NULL));
    pack_text(&packer, "op");
    pack_text(&packer, op);
    if (copy) {
        pack_text(&packer, "copy");
        pack_text(&packer, copy);
    }
    code = client_ask(client, &buffer, ANSWER_MS, reply, err);
    msgpack_sbuffer_destroy(&buffer);
    return code;
}

static double number_of(const msgpack_object *map, const char *key)
{
    double n = 0;

    object_number(object_get(map, key), &n);
    return n;
}

/* ---- reload ---- */

static void print_faults(const msgpack_object *reply)
{
    const msgpack_object *faults = object_get(reply, "faults");
    char line[1200];

    for (size_t i = 1; i < object_count(faults); i++)      /* the first is the error */
        fprintf(stderr, "%s\n", object_plain(&faults->via.array.ptr[i], line, sizeof line));
}

int kpictl_reload(int argc, char **argv)
{
    struct options opt = {0};
    char endpoint[CLIENT_ENDPOINT];
    struct client client = {0};
    struct kp_err err = {0};
    msgpack_unpacked reply;
    enum kp_code code;
    int status = parse(argc, argv, reload_help, false, &opt);

    if (status)
        return status < 0 ? EXIT_WELL : status;
    if (!client_control_endpoint(opt.control, opt.config, endpoint))
        return EXIT_WRONG;
    if (client_open(&client, endpoint, &err))
        return kpictl_failed("reload", "%s", err.text);
    code = ask(&client, "reload", NULL, &reply, &err);
    if (opt.json && (!code || code == KP_EINVAL))
        object_print_json(&reply.data);
    else if (!code)
        printf("reloaded in %.0f ms: %.0f KPIs kept, %.0f new, %.0f gone\n", number_of(&reply.data, "took_ms"),
               number_of(&reply.data, "kpis_kept"), number_of(&reply.data, "kpis_new"), number_of(&reply.data, "kpis_gone"));
    else if (code == KP_EINVAL)
        print_faults(&reply.data);
    msgpack_unpacked_destroy(&reply);
    client_close(&client);
    return code ? kpictl_refused("reload", &err) : EXIT_WELL;
}

/* ---- checkpoint ---- */

/* Has it ended? *failed: how. */
static bool has_ended(const msgpack_object *status, const struct options *opt, double before, char *failed, size_t size)
{
    const msgpack_object *storage = object_get(status, "storage"), *copies = object_get(storage, "copies");
    double done = opt->copy ? number_of(copies, "done") + number_of(copies, "failed")
                            : number_of(storage, "checkpoints") + number_of(storage, "checkpoints_failed");
    const msgpack_object *error = object_get(opt->copy ? copies : storage, "last_error");

    failed[0] = '\0';
    if (done <= before)
        return false;
    if (error && error->type == MSGPACK_OBJECT_STR)
        object_plain(error, failed, size);
    return true;
}

static int wait_for(struct client *client, const struct options *opt, double before)
{
    int64_t until = client_steady_ms() + WAIT_MS;
    char failed[300];

    while (!client_stopped() && client_steady_ms() < until) {
        struct kp_err err = {0};
        msgpack_unpacked reply;
        enum kp_code code = ask(client, "status", NULL, &reply, &err);
        bool ended = !code && has_ended(&reply.data, opt, before, failed, sizeof failed);

        if (ended && opt->json)
            object_print_json(object_get(&reply.data, "storage"));
        msgpack_unpacked_destroy(&reply);
        if (code)
            return kpictl_refused("checkpoint", &err);
        if (ended)
            return failed[0] ? kpictl_failed("checkpoint", "%s", failed) : EXIT_WELL;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
    }
    return kpictl_failed("checkpoint", "it has not come to an end");
}

int kpictl_checkpoint(int argc, char **argv)
{
    struct options opt = {0};
    char endpoint[CLIENT_ENDPOINT], path[4096];
    struct client client = {0};
    struct kp_err err = {0};
    msgpack_unpacked reply;
    enum kp_code code;
    double before;
    int status = parse(argc, argv, checkpoint_help, true, &opt);

    if (status)
        return status < 0 ? EXIT_WELL : status;
    if (!client_control_endpoint(opt.control, opt.config, endpoint))
        return EXIT_WRONG;
    if (client_open(&client, endpoint, &err))
        return kpictl_failed("checkpoint", "%s", err.text);
    client_catch_signals(false);
    code = ask(&client, "checkpoint", opt.copy, &reply, &err);
    before = code ? 0 : number_of(&reply.data, opt.copy ? "copies" : "checkpoints");
    if (!code)
        object_plain(object_get(&reply.data, "path"), path, sizeof path);
    msgpack_unpacked_destroy(&reply);
    status = code ? kpictl_refused("checkpoint", &err) : wait_for(&client, &opt, before);
    client_close(&client);
    if (status == EXIT_WELL && !opt.json && opt.copy)
        printf("%s/%s\n", path, opt.copy);
    else if (status == EXIT_WELL && !opt.json)
        printf("%s is up to date\n", path);
    return status;
}
