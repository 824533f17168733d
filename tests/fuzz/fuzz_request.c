/* Control requests: any bytes are refused with a sentence or give a request within its bounds, twice the same one. */
#include "request.h"

#include <stdlib.h>
#include <string.h>

static void check(bool ok)
{
    if (!ok)
        abort();
}

static bool same(struct kp_str a, struct kp_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.s, b.s, a.len) == 0);
}

static void check_list(const struct kp_str_list *a, const struct kp_str_list *b)
{
    check(a->count <= KP_REQUEST_LIST && a->count == b->count && (a->items != NULL) == (b->items != NULL));
    for (size_t i = 0; i < a->count; i++)
        check(same(a->items[i], b->items[i]));
}

/* What passes as matchers does so twice, and goes into a silence and out of it unchanged. */
static void check_matchers(const struct kp_matchers *a, const struct kp_matchers *b)
{
    struct kp_silence silence = {.matchers = *a, .until_ms = 1, .by = {"me", 2}};
    struct kp_silences *kept = kp_silences_new(1, NULL, NULL);
    uint64_t id;

    check(a->npath <= KP_PLACE_PARTS && a->npath == b->npath && a->path_prefix == b->path_prefix && kept);
    for (int f = 0; f < KP_MATCH_FIELDS; f++)
        check(same(a->fields[f].text, b->fields[f].text) && a->fields[f].prefix == b->fields[f].prefix);
    for (size_t i = 0; i < a->npath; i++)
        check(same(a->path[i], b->path[i]));
    if (!kp_silences_put(kept, &silence, &id, NULL)) {
        a = &kp_silences_find(kept, id)->matchers;
        for (int f = 0; f < KP_MATCH_FIELDS; f++)
            check(same(a->fields[f].text, b->fields[f].text) && !a->fields[f].text.s == !b->fields[f].text.s);
        for (size_t i = 0; i < a->npath; i++)
            check(same(a->path[i], b->path[i]));
    }
    kp_silences_destroy(&kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kp_request a, b;
    struct kp_err err = {0}, again = {0};
    enum kp_code code = kp_request_read(&a, data, size, &err);

    check(kp_request_read(&b, data, size, &again) == code && a.is_json == b.is_json);
    if (code) {
        check(err.text[0] && strcmp(err.text, again.text) == 0);
    } else {
        check(a.op.len > 0 && same(a.op, b.op) && same(a.level, b.level) && same(a.kpi, b.kpi) && same(a.key, b.key) &&
              same(a.window, b.window) && a.has_time == b.has_time && a.time_ms == b.time_ms);
        check(same(a.by, b.by) && same(a.comment, b.comment) && a.has_from == b.has_from && a.from_ms == b.from_ms &&
              a.has_until == b.has_until && a.until_ms == b.until_ms && a.for_ms == b.for_ms && a.undo == b.undo);
        check_matchers(&a.matchers, &b.matchers);
        check_list(&a.ids, &b.ids);
        check_list(&a.keys, &b.keys);
        check_list(&a.under, &b.under);
        check_list(&a.kpis, &b.kpis);
        check_list(&a.windows, &b.windows);
    }
    kp_request_release(&a);
    kp_request_release(&b);
    return 0;
}
