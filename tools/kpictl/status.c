#include "kpictl.h"

#include "client.h"

#include "kpid/zone.h"

#include <getopt.h>
#include <math.h>
#include <string.h>

static const char help[] =
    "usage: kpictl status [--json] [--control ENDPOINT | --config FILE]\n"
    "\n"
    "Is the daemon well, what has it counted, and what does it hold:\n"
    "\n"
    "  $ kpictl status\n"
    "  $ kpictl status --json | jq .metrics.kpid_publish_dropped_total\n"
    "\n"
    "Counts of 0 are left out of the text. Exit status: 0 well, 1 no answer, 2 wrong use.\n";

static void print_map(const char *title, const msgpack_object *map)
{
    char name[512];
    double v;

    printf("%s\n", title);
    for (uint32_t i = 0; map && map->type == MSGPACK_OBJECT_MAP && i < map->via.map.size; i++)
        if (object_number(&map->via.map.ptr[i].val, &v) && v != 0 &&
            !strstr(object_plain(&map->via.map.ptr[i].key, name, sizeof name), "_bucket{"))     /* for machines */
            printf("  %-60s %*.*f\n", name, 15, v == floor(v) ? 0 : 6, v);
}

static void print_sources(const msgpack_object *sources)
{
    for (size_t i = 0; i < object_count(sources); i++) {
        const msgpack_object *source = &sources->via.array.ptr[i], *silent = object_get(source, "silent");
        char name[160], at[40];
        double heard = 0;
        bool is_silent = object_true(silent);

        if (i == 0)
            puts("sources");
        printf("  %-30s %s, last heard of %s\n", object_plain(object_get(source, "source"), name, sizeof name),
               is_silent ? "SILENT" : "lives",
               object_number(object_get(source, "heard"), &heard) ? kp_rfc3339_format((int64_t)heard, at) : "never");
    }
}

static void print_status(const msgpack_object *reply)
{
    char version[64], clock[16];
    double uptime = 0, keys = 0;

    object_number(object_get(reply, "uptime_ms"), &uptime);
    object_number(object_get(reply, "keys"), &keys);
    printf("kpid %s, up %.0f s, %.0f keys, %s clock\n", object_plain(object_get(reply, "version"), version, sizeof version),
           uptime / 1000, keys, object_plain(object_get(reply, "clock"), clock, sizeof clock));
    print_map("counted", object_get(reply, "metrics"));
    print_map("bytes of memory", object_get(reply, "memory"));
    print_sources(object_get(reply, "sources"));
}

int kpictl_status(int argc, char **argv)
{
    static const struct option longs[] = {
        {"control", 1, NULL, 'c'}, {"config", 1, NULL, 'f'}, {"json", 0, NULL, 'j'}, {"help", 0, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    const char *control = NULL, *config = NULL;
    char endpoint[CLIENT_ENDPOINT];
    struct client client = {0};
    struct kp_err err = {0};
    msgpack_unpacked reply;
    bool json = false;
    enum kp_code code;
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'h') {
            fputs(help, stdout);
            return EXIT_WELL;
        }
        if (c == '?')
            return EXIT_WRONG;
        control = c == 'c' ? optarg : control;
        config = c == 'f' ? optarg : config;
        json |= c == 'j';
    }
    if (optind < argc)
        return kpictl_wrong("status", "%s: what is this?", argv[optind]);
    if (!client_control_endpoint(control, config, endpoint))
        return EXIT_WRONG;
    if (client_open(&client, endpoint, &err))
        return kpictl_failed("status", "%s", err.text);
    code = client_ask_op(&client, "status", &reply, &err);
    if (!code && json)
        object_print_json(&reply.data);
    else if (!code)
        print_status(&reply.data);
    msgpack_unpacked_destroy(&reply);
    client_close(&client);
    return code ? kpictl_refused("status", &err) : EXIT_WELL;
}
