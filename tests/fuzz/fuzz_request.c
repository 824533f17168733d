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
        check_list(&a.keys, &b.keys);
        check_list(&a.under, &b.under);
        check_list(&a.kpis, &b.kpis);
        check_list(&a.windows, &b.windows);
    }
    kp_request_release(&a);
    kp_request_release(&b);
    return 0;
}
