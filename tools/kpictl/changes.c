#include "changes.h"

#include "kpictl.h"

#include <stdlib.h>
#include <string.h>

enum { WHAT = 1280 };

bool changes_keep(struct changes *changes, struct kp_engine *engine, const struct kp_alert *alert)
{
    static const char *const states[] = {"inactive", "pending", "firing", "resolved"};
    char topic[1024], what[WHAT];
    struct change *grown;

    if (alert->quiet)
        return true;
    kp_engine_topic(engine, alert->rule->name, alert->node, topic, sizeof topic);
    snprintf(what, sizeof what, "%s %s", topic, states[alert->state]);
    if (changes->count == changes->room) {
        size_t room = changes->room ? changes->room * 2 : 256;

        grown = realloc(changes->list, room * sizeof *grown);
        if (!grown)
            return false;
        changes->list = grown;
        changes->room = room;
    }
    changes->list[changes->count] = (struct change){strdup(what), alert->time_ms};
    if (!changes->list[changes->count].what)
        return false;
    changes->count++;
    return true;
}

void changes_release(struct changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        free(changes->list[i].what);
    free(changes->list);
}

static int by_what_and_time(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    int order = strcmp(x->what, y->what);

    return order ? order : (x->time_ms > y->time_ms) - (x->time_ms < y->time_ms);
}

static void put_time(struct kp_out *out, const char *key, const struct change *change)
{
    kp_out_text(out, key);
    if (change)
        kp_out_int(out, change->time_ms);
    else
        kp_out_nil(out);
}

static bool print_change(struct kp_out *out, const char *change, const char *of, const struct change *before, const struct change *after)
{
    char what[WHAT], *rest, *state;

    snprintf(what, sizeof what, "%s", of);
    rest = strchr(what, '/');
    state = strrchr(what, ' ');
    if (!rest || !state)
        return false;   /* it was made with both */
    *rest++ = '\0';
    *state++ = '\0';
    kp_out_clear(out);
    kp_out_map(out, 6);
    kp_out_text(out, "change");
    kp_out_text(out, change);
    kp_out_text(out, "rule");
    kp_out_text(out, what);
    kp_out_text(out, "path");
    kp_out_text(out, rest);
    kp_out_text(out, "state");
    kp_out_text(out, state);
    put_time(out, "before", before);
    put_time(out, "after", after);
    kp_out_end(out);
    return kpictl_print(out);
}

bool changes_print(struct changes *before, struct changes *after, struct kp_out *out)
{
    size_t i = 0, k = 0;
    bool ok = true;

    if (before->count)
        qsort(before->list, before->count, sizeof *before->list, by_what_and_time);
    if (after->count)
        qsort(after->list, after->count, sizeof *after->list, by_what_and_time);
    while (ok && (i < before->count || k < after->count)) {
        const struct change *a = i < before->count ? &before->list[i] : NULL;
        const struct change *b = k < after->count ? &after->list[k] : NULL;
        bool lost = a && (!b || strcmp(a->what, b->what) < 0), gained = b && (!a || strcmp(a->what, b->what) > 0);

        if (lost)
            ok = print_change(out, "lost", a->what, a, NULL);
        else if (gained)
            ok = print_change(out, "gained", b->what, NULL, b);
        else if (a && b && a->time_ms != b->time_ms)
            ok = print_change(out, "moved", a->what, a, b);
        i += !gained;
        k += !lost;
    }
    return ok;
}
