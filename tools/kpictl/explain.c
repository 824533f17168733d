#include "explain.h"

#include "client.h"

#include "kpid/message.h"
#include "kpid/zone.h"

#include <stdio.h>
#include <string.h>

static const char *number(const msgpack_object *map, const char *key, const char *unit, char buf[64])
{
    double v = 0;
    bool has = object_number(object_get(map, key), &v);

    kp_number_text(v, has, unit && *unit ? unit : NULL, buf, 64);
    return buf;
}

static const char *instant(const msgpack_object *map, const char *key, char buf[40])
{
    double v;

    if (object_number(object_get(map, key), &v))
        return kp_rfc3339_format((int64_t)v, buf);
    return "";
}

static void print_cell(const msgpack_object *why)
{
    const msgpack_object *cell = object_get(why, "cell");
    char unit[64], text[64], status[16], from[40], to[40], window[32];
    const char *begin = instant(why, "from", from), *end = instant(why, "to", to);
    double n = 0;

    object_plain(object_get(why, "unit"), unit, sizeof unit);
    object_number(object_get(cell, "n"), &n);
    printf("  %s", object_plain(object_get(why, "window"), window, sizeof window));
    printf(*begin ? " since %s" : ", as it is now%s", begin);
    printf(*end ? " until %s\n" : "%s\n", end);
    printf("  is %s", number(cell, "value", unit, text));
    printf(", of %.0f sample%s", n, n == 1 ? "" : "s");
    if (object_get(cell, "target")) {
        printf("; target %s", number(cell, "target", unit, text));
        printf(", expected by now %s", number(cell, "expected", unit, text));
    }
    if (object_get(cell, "rank")) {
        printf("; rank %s", number(cell, "rank", NULL, text));
        printf(" of %s", number(cell, "of", NULL, text));
    }
    if (*object_plain(object_get(cell, "status"), status, sizeof status))
        printf("; %s", status);
    putchar('\n');
}

/* "= deals_won / deals", or what is counted. */
static void print_means(const msgpack_object *map)
{
    char text[2048];

    if (object_get(map, "formula"))
        printf("= %s\n", object_plain(object_get(map, "formula"), text, sizeof text));
    else
        printf("%s\n", object_plain(object_get(map, "means"), text, sizeof text));
}

static void print_parts(const msgpack_object *parts)
{
    for (size_t i = 0; i < object_count(parts); i++) {
        const msgpack_object *part = &parts->via.array.ptr[i];
        char name[128], unit[64], value[64];
        double depth = 1, n = 0;

        object_number(object_get(part, "depth"), &depth);
        object_number(object_get(part, "n"), &n);
        object_plain(object_get(part, "unit"), unit, sizeof unit);
        object_plain(object_get(part, "kpi"), name, sizeof name);
        printf("%*s%-*s %s of %.0f: ", (int)depth * 2 + 2, "", 30 - (int)depth * 2, name, number(part, "value", unit, value), n);
        print_means(part);
    }
}

static void print_events(const msgpack_object *events)
{
    size_t n = object_count(events);

    puts(n ? "  newest events" : "  no event of it is remembered by id");
    for (size_t i = 0; i < n; i++) {
        const msgpack_object *event = &events->via.array.ptr[i];
        char id[256], at[40];

        printf("    %-24s %s\n", instant(event, "time", at), object_plain(object_get(event, "id"), id, sizeof id));
    }
}

void explain_print(const msgpack_object *why)
{
    const msgpack_object *more = object_get(why, "more_parts");
    char name[256], level[64], title[256], kpi[128];

    object_plain(object_get(why, "name"), name, sizeof name);
    object_plain(object_get(why, "level"), level, sizeof level);
    object_plain(object_get(why, "title"), title, sizeof title);
    object_plain(object_get(why, "kpi"), kpi, sizeof kpi);
    printf("%s%s%s: %s%s%s%s\n", level, strcmp(level, name) ? " " : "", strcmp(level, name) ? name : "", kpi, strcmp(kpi, title) ? " (" : "", strcmp(kpi, title) ? title : "",
           strcmp(kpi, title) ? ")" : "");
    print_cell(why);
    printf("  ");
    print_means(why);
    print_parts(object_get(why, "parts"));
    if (object_true(more))
        puts("    ... and more parts");
    print_events(object_get(why, "events"));
}
