/* kpictl contests. */
#include "kpictl.h"

#include "client.h"

#include "kpid/zone.h"

#include <getopt.h>
#include <string.h>

static const char help[] =
    "usage: kpictl contests [NAME...] [OPTION]...\n"
    "\n"
    "Who leads in each contest, or in those that are named:\n"
    "\n"
    "  $ kpictl contests\n"
    "  $ kpictl contests year_end --top 5\n"
    "\n"
    "  --top N             so many places at most; default 20\n"
    "  --json              a line of JSON for each contest\n"
    "  --control ENDPOINT  default tcp://127.0.0.1:5561\n"
    "  --config FILE       take the control endpoint from a configuration\n"
    "\n"
    "Whom you may not see has a rank and no name. Exit status: 0 well, 1 no answer, 2 wrong use, refused, or no such contest.\n";

struct options {
    const char *control, *config;
    char **names;
    size_t nnames;
    uint64_t top;
    bool json;
};

/* ---- Printing ---- */

static const char *text_of(const msgpack_object *map, const char *key, char *buf, size_t size)
{
    return object_plain(object_get(map, key), buf, size);
}

/* Empty where there is none. */
static const char *number_of(const msgpack_object *map, const char *key, char buf[40])
{
    double value;

    buf[0] = '\0';
    if (object_number(object_get(map, key), &value))
        snprintf(buf, 40, "%.10g", value);
    return buf;
}

static const char *instant_of(const msgpack_object *map, const char *key, char buf[40])
{
    double ms = 0;

    object_number(object_get(map, key), &ms);
    return kp_rfc3339_format((int64_t)ms, buf);
}

static void print_place(const msgpack_object *place)
{
    char rank[40], name[200], value[40], tie[40], path[600] = "";
    const msgpack_object *parts = object_get(place, "path");

    for (size_t i = 0; i + 1 < object_count(parts); i++) {
        size_t len = strlen(path);
        char part[200];

        snprintf(path + len, sizeof path - len, "%s%s", i ? " / " : "", object_plain(&parts->via.array.ptr[i], part, sizeof part));
    }
    printf("  %4s  %-30s %12s %12s%s%s\n", number_of(place, "rank", rank), text_of(place, "name", name, sizeof name),
           number_of(place, "value", value), number_of(place, "tie", tie), *path ? "  " : "", path);
}

static void print_contest(const struct options *opt, const msgpack_object *contest)
{
    const msgpack_object *standing = object_get(contest, "standing");
    char name[100], title[300], state[20], unit[200], among[100], from[40], to[40];

    printf("%s: %s (%s; among: %s; %s to %s%s%s)\n", text_of(contest, "name", name, sizeof name),
           text_of(contest, "title", title, sizeof title), object_true(object_get(contest, "final")) ? "final" : text_of(contest, "state", state, sizeof state),
           text_of(contest, "among", among, sizeof among), instant_of(contest, "from", from), instant_of(contest, "to", to),
           *text_of(contest, "unit", unit, sizeof unit) ? "; " : "", unit);
    for (size_t i = 0; i < object_count(standing) && i < opt->top; i++)
        print_place(&standing->via.array.ptr[i]);
    if (object_count(standing) > opt->top)
        printf("        and %zu more\n", object_count(standing) - (size_t)opt->top);
}

static bool is_wanted(const struct options *opt, const msgpack_object *contest)
{
    char name[100];

    text_of(contest, "name", name, sizeof name);
    for (size_t i = 0; i < opt->nnames; i++)
        if (strcmp(opt->names[i], name) == 0)
            return true;
    return opt->nnames == 0;
}

/* The first name that no contest has; NULL: each is one's. */
static const char *unknown(const struct options *opt, const msgpack_object *reply)
{
    const msgpack_object *contests = object_get(reply, "contests");

    for (size_t i = 0; i < opt->nnames; i++) {
        size_t k = 0;

        while (k < object_count(contests) && !object_is(object_get(&contests->via.array.ptr[k], "name"), opt->names[i]))
            k++;
        if (k == object_count(contests))
            return opt->names[i];
    }
    return NULL;
}

static void print_contests(const struct options *opt, const msgpack_object *reply)
{
    const msgpack_object *contests = object_get(reply, "contests");

    for (size_t i = 0; i < object_count(contests); i++) {
        const msgpack_object *contest = &contests->via.array.ptr[i];

        if (!is_wanted(opt, contest))
            continue;
        if (opt->json)
            object_print_json(contest);
        else
            print_contest(opt, contest);
    }
}

/* ---- Asking ---- */

static int ask(const struct options *opt)
{
    char endpoint[CLIENT_ENDPOINT];
    struct client client = {0};
    struct kp_err err = {0};
    msgpack_unpacked reply;
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    int status = EXIT_WELL;
    enum kp_code code;

    if (!client_control_endpoint(opt->control, opt->config, endpoint))
        return EXIT_WRONG;
    if (client_open(&client, endpoint, &err))
        return kpictl_failed("contests", "%s", err.text);
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    pack_op(&packer, "contests");
    code = client_ask(&client, &buffer, CLIENT_TIMEOUT_MS, &reply, &err);
    if (!code && unknown(opt, &reply.data))
        status = kpictl_wrong("contests", "%s: no such contest", unknown(opt, &reply.data));
    else if (!code)
        print_contests(opt, &reply.data);
    msgpack_unpacked_destroy(&reply);
    msgpack_sbuffer_destroy(&buffer);
    client_close(&client);
    if (code)
        return kpictl_refused("contests", &err);
    return status;
}

int kpictl_contests(int argc, char **argv)
{
    static const struct option longs[] = {{"top", 1, NULL, 't'},     {"json", 0, NULL, 'j'}, {"control", 1, NULL, 'c'},
                                          {"config", 1, NULL, 'g'},  {"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}};
    struct options opt = {.top = 20};
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'h') {
            fputs(help, stdout);
            return EXIT_WELL;
        }
        if (c == '?')
            return EXIT_WRONG;
        if (c == 'j')
            opt.json = true;
        else if (c == 't' && !kpictl_count(optarg, &opt.top))
            return kpictl_wrong("contests", "--top %s: not a whole number from 1", optarg);
        else if (c != 't')
            *(c == 'c' ? &opt.control : &opt.config) = optarg;
    }
    opt.names = argv + optind;
    opt.nnames = (size_t)(argc - optind);
    return ask(&opt);
}
