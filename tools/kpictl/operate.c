/* kpictl reload, kpictl checkpoint and kpictl forget: what whoever runs the daemon asks of it. */
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

static const char forget_help[] =
    "usage: kpictl forget [--field FIELD] KEY... [OPTION]...\n"
    "\n"
    "Let the daemon forget a rep who has left, or a client who wants it, in memory and in its store, and wait until nothing is\n"
    "left. Sums of teams, regions and the company keep what they have contributed. A rep must be off the roster first. Whatever\n"
    "is sent under the key from then on is counted anew, so stop it at its source before. It can't be undone.\n"
    "\n"
    "  $ kpictl reload && kpictl forget xavier\n"
    "  $ kpictl forget --field client c-4711 c-4712\n"
    "\n"
    "  --field FIELD       the field of events whose value is the key; default rep\n"
    "  --json              the answers, each as a line of JSON\n"
    "  --control ENDPOINT  default tcp://127.0.0.1:5561\n"
    "  --config FILE       take the control endpoint from a configuration\n"
    "\n"
    "Copies of the store, what other programs have taken down, and the spool of kpi-notify are not the daemon's: see to them, too.\n"
    "Exit status: 0 it is done, 1 no answer or it has not come to an end: ask again, 2 wrong use, or the daemon refuses.\n";

struct options {
    const char *control, *config, *copy, *field;
    bool json;
};

/* own: the letter of the one option that only this subcommand has, 0: none; keys: it takes arguments. */
static int parse(int argc, char **argv, const char *help, int own, bool keys, struct options *opt)
{
    static const struct option longs[] = {{"copy", 1, NULL, 'o'},   {"field", 1, NULL, 'd'}, {"json", 0, NULL, 'j'},
                                          {"control", 1, NULL, 'c'}, {"config", 1, NULL, 'f'}, {"help", 0, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'h') {
            fputs(help, stdout);
            return -1;
        }
        if (c == '?')
            return EXIT_WRONG;
        if ((c == 'o' || c == 'd') && c != own)
            return kpictl_wrong(argv[0], "--%s: what is this?", c == 'o' ? "copy" : "field");
        opt->copy = c == 'o' ? optarg : opt->copy;
        opt->field = c == 'd' ? optarg : opt->field;
        opt->control = c == 'c' ? optarg : opt->control;
        opt->config = c == 'f' ? optarg : opt->config;
        opt->json |= c == 'j';
    }
    if (keys && optind == argc)
        return kpictl_wrong(argv[0], "whom?");
    return !keys && optind < argc ? kpictl_wrong(argv[0], "%s: what is this?", argv[optind]) : EXIT_WELL;
}

static void pack_given(msgpack_packer *packer, const char *key, const char *text)
{
    if (!text)
        return;
    pack_text(packer, key);
    pack_text(packer, text);
}

/* opt: NULL: an op that needs nothing else. */
static enum kp_code ask(struct client *client, const char *op, const struct options *opt, const char *key, msgpack_unpacked *reply,
                        struct kp_err *err)
{
    const char *copy = opt ? opt->copy : NULL, *field = opt ? opt->field : NULL;
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    enum kp_code code;

    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    msgpack_pack_map(&packer, 1u + (copy != NULL) + (field != NULL) + (key != NULL));
    pack_given(&packer, "op", op);
    pack_given(&packer, "copy", copy);
    pack_given(&packer, "field", field);
    pack_given(&packer, "key", key);
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
    int status = parse(argc, argv, reload_help, 0, false, &opt);

    if (status)
        return status < 0 ? EXIT_WELL : status;
    if (!client_control_endpoint(opt.control, opt.config, endpoint))
        return EXIT_WRONG;
    if (client_open(&client, endpoint, &err))
        return kpictl_failed("reload", "%s", err.text);
    code = ask(&client, "reload", NULL, NULL, &reply, &err);
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
static bool checkpoint_has_ended(const msgpack_object *status, const struct options *opt, double before, char *failed, size_t size)
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

/* Is nobody to be erased from the store any more? */
static bool forget_has_ended(const msgpack_object *status, const struct options *opt, double before, char *failed, size_t size)
{
    const msgpack_object *storage = object_get(status, "storage"), *state = object_get(storage, "state");
    char text[32];

    (void)opt;
    (void)before;
    (void)size;
    failed[0] = '\0';
    return !storage || storage->type != MSGPACK_OBJECT_MAP ||
           (number_of(storage, "forgetting") == 0 && strcmp(object_plain(state, text, sizeof text), "failing") != 0);
}

/* before: as has_ended wants it. */
static int wait_for(struct client *client, const char *what, const struct options *opt, double before,
                    bool (*has_ended)(const msgpack_object *status, const struct options *opt, double before, char *failed, size_t size))
{
    int64_t until = client_steady_ms() + WAIT_MS;
    char failed[300];

    while (!client_stopped() && client_steady_ms() < until) {
        struct kp_err err = {0};
        msgpack_unpacked reply;
        enum kp_code code = ask(client, "status", NULL, NULL, &reply, &err);
        bool ended = !code && has_ended(&reply.data, opt, before, failed, sizeof failed);

        if (ended && opt->json && has_ended == checkpoint_has_ended)
            object_print_json(object_get(&reply.data, "storage"));
        msgpack_unpacked_destroy(&reply);
        if (code)
            return kpictl_refused(what, &err);
        if (ended)
            return failed[0] ? kpictl_failed(what, "%s", failed) : EXIT_WELL;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
    }
    return kpictl_failed(what, "it has not come to an end");
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
    int status = parse(argc, argv, checkpoint_help, 'o', false, &opt);

    if (status)
        return status < 0 ? EXIT_WELL : status;
    if (!client_control_endpoint(opt.control, opt.config, endpoint))
        return EXIT_WRONG;
    if (client_open(&client, endpoint, &err))
        return kpictl_failed("checkpoint", "%s", err.text);
    client_catch_signals(false);
    code = ask(&client, "checkpoint", &opt, NULL, &reply, &err);
    before = code ? 0 : number_of(&reply.data, opt.copy ? "copies" : "checkpoints");
    if (!code)
        object_plain(object_get(&reply.data, "path"), path, sizeof path);
    msgpack_unpacked_destroy(&reply);
    status = code ? kpictl_refused("checkpoint", &err) : wait_for(&client, "checkpoint", &opt, before, checkpoint_has_ended);
    client_close(&client);
    if (status == EXIT_WELL && !opt.json && opt.copy)
        printf("%s/%s\n", path, opt.copy);
    else if (status == EXIT_WELL && !opt.json)
        printf("%s is up to date\n", path);
    return status;
}

/* ---- forget ---- */

static int forget_one(struct client *client, const struct options *opt, const char *key)
{
    struct kp_err err = {0};
    msgpack_unpacked reply;
    enum kp_code code = ask(client, "forget", opt, key, &reply, &err);

    if (!code && opt->json)
        object_print_json(&reply.data);
    else if (!code)
        printf("%s: %.0f keys, %.0f followed, %.0f silences\n", key, number_of(&reply.data, "keys"), number_of(&reply.data, "entities"),
               number_of(&reply.data, "silences"));
    msgpack_unpacked_destroy(&reply);
    return code ? kpictl_refused("forget", &err) : EXIT_WELL;
}

int kpictl_forget(int argc, char **argv)
{
    struct options opt = {0};
    char endpoint[CLIENT_ENDPOINT];
    struct client client = {0};
    struct kp_err err = {0};
    int status = parse(argc, argv, forget_help, 'd', true, &opt);

    if (status)
        return status < 0 ? EXIT_WELL : status;
    if (!client_control_endpoint(opt.control, opt.config, endpoint))
        return EXIT_WRONG;
    if (client_open(&client, endpoint, &err))
        return kpictl_failed("forget", "%s", err.text);
    client_catch_signals(false);
    for (int i = optind; i < argc && status == EXIT_WELL; i++)
        status = forget_one(&client, &opt, argv[i]);
    fflush(stdout);
    if (status == EXIT_WELL)
        status = wait_for(&client, "forget", &opt, 0, forget_has_ended);
    client_close(&client);
    return status;
}
