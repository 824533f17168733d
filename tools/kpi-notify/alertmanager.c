#include "alertmanager.h"

#include "wording.h"

#include "kpid/zone.h"

struct pair {
    const char *name, *value;
};

/* Those that say something: a label that is empty is as good as absent there. */
static void put_map(struct kp_out *out, const char *key, const struct pair *pairs, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += *pairs[i].value != '\0';
    kp_out_text(out, key);
    kp_out_map(out, count);
    for (size_t i = 0; i < n; i++) {
        if (*pairs[i].value) {
            kp_out_text(out, pairs[i].name);
            kp_out_text(out, pairs[i].value);
        }
    }
    kp_out_end(out);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void alertmanager_put(struct kp_out *out, const struct alert *alert, int64_t began_ms, int64_t ended_ms, int64_t now_ms,
                      int64_t good_for_ms)
{
    int64_t ends_ms = ended_ms ? least(ended_ms, now_ms) : now_ms + good_for_ms;

    const struct pair labels[] = {
        {"alertname", alert->rule}, {"rule", alert->rule}, {"kpi", alert->kpi},   {"level", alert->level},
        {"key", alert->key},        {"path", alert->path}, {"window", alert->window},
        {"entity", alert->entity},  {"severity", alert_severity_name(alert->severity)},
    };
    struct text comparison = {0};
    char text[32];

    wording_comparison(alert, &comparison);
    kp_out_map(out, 4);
    put_map(out, "labels", labels, sizeof labels / sizeof *labels);
    put_map(out, "annotations",
            (const struct pair[]){{"summary", alert->message}, {"description", text_of(&comparison)},
                                  {"name", alert->name}, {"title", alert->title}, {"coaching", alert->coaching},
                                  {"id", alert->id}},
            6);
    kp_out_text(out, "startsAt");
    kp_out_text(out, kp_rfc3339_format(least(least(began_ms, now_ms), ends_ms - 1), text));
    kp_out_text(out, "endsAt");
    kp_out_text(out, kp_rfc3339_format(ends_ms, text));
    kp_out_end(out);
    text_release(&comparison);
}
