/* Events: any bytes end, with sound values; and what is no MessagePack is told from what is exactly as msgpack-c
 * does. */
#include "kpid/event.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS_MAX = 1000 };

static void check(bool ok)
{
    if (!ok)
        abort();
}

struct outcome {
    enum kp_reason whole;           /* of the message */
    enum kp_reason last;            /* of its last event; KP_ACCEPTED when there is none */
    uint32_t count;
};

static void check_event(const struct kp_schema *schema, const struct kp_event *ev)
{
    uint64_t sum = 0;

    check(kp_event_has(ev, KP_SLOT_TYPE) && ev->v[KP_SLOT_TYPE].kind == KP_STR && ev->v[KP_SLOT_TYPE].len > 0);
    check(ev->has_time == kp_event_has(ev, KP_SLOT_TIME));
    check(!ev->has_time || (ev->time_ms >= 0 && ev->time_ms <= KP_TIME_MAX));
    for (int s = 0; s < KP_SLOTS_MAX; s++) {
        const struct kp_value *v = &ev->v[s];

        if (!kp_event_has(ev, s))
            continue;
        check(s < kp_schema_count(schema) && v->kind != KP_NIL && v->kind <= KP_STR);
        if (v->kind != KP_STR)
            continue;
        check(s >= KP_SLOT_FREE || v->len <= KP_KEY_MAX);
        for (uint32_t i = 0; i < v->len; i++)
            sum += (unsigned char)v->s[i];
    }
    check(sum < UINT64_MAX);        /* every byte could be read */
}

static struct outcome decode(const struct kp_schema *schema, struct kp_decoder *dec, const uint8_t *data, size_t size)
{
    struct outcome out = {.last = KP_ACCEPTED};
    struct kp_event ev;
    enum kp_next next;

    out.whole = kp_decode_begin(dec, data, size, (struct kp_str){"", 0});
    check(kp_decode_claimed(dec) >= 1 && kp_decode_claimed(dec) <= (size ? size : 1));
    while ((next = kp_decode_next(dec, &ev, &out.last)) != KP_NEXT_END) {
        check(out.whole == KP_ACCEPTED);
        check(kp_decode_index(dec) == out.count++);
        if (next == KP_NEXT_EVENT)
            check_event(schema, &ev);
        else
            check(out.last != KP_ACCEPTED && out.last < KP_REASONS);
    }
    check(kp_decode_next(dec, &ev, &(enum kp_reason){KP_ACCEPTED}) == KP_NEXT_END);
    check(out.count <= EVENTS_MAX + 1);
    return out;
}

/* Does something look like an array or a map that claims more items than there are bytes? msgpack-c asks for the memory
 * of all of them at once, up to 100 GiB, before it looks whether they are there. */
static bool claims_too_much(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 5 <= size; i++)
        if ((data[i] == 0xdd || data[i] == 0xdf) && (data[i + 1] || data[i + 2]))
            return true;
    return false;
}

/* msgpack-c refuses to go deeper than a stack of its own; what it says then is about itself. */
static void compare(const struct outcome *out, const uint8_t *data, size_t size)
{
    size_t offset = 0;
    msgpack_unpacked result;
    msgpack_unpack_return code;
    bool malformed = out->whole == KP_MALFORMED || out->last == KP_MALFORMED;

    msgpack_unpacked_init(&result);
    code = msgpack_unpack_next(&result, (const char *)data, size, &offset);
    if (out->whole == KP_ACCEPTED && code != MSGPACK_UNPACK_NOMEM_ERROR)
        check(malformed == (code != MSGPACK_UNPACK_SUCCESS || offset != size));
    if (out->whole == KP_ACCEPTED && code == MSGPACK_UNPACK_SUCCESS && offset == size) {
        bool is_batch = result.data.type == MSGPACK_OBJECT_ARRAY;

        check(out->count == (is_batch ? result.data.via.array.size : 1));
        if (!is_batch && result.data.type != MSGPACK_OBJECT_MAP)
            check(out->last == KP_NOT_A_MAP);
    }
    msgpack_unpacked_destroy(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct kp_schema *schema;
    static struct kp_decoder *used;     /* so that keys are known from one input to the next */
    const struct kp_decode_limits limits = {.message = 1 << 16, .batch = EVENTS_MAX, .fields = 64};
    struct kp_decoder *fresh;
    struct outcome a, b;

    if (!schema) {
        schema = kp_schema_new(NULL);
        check(schema && kp_schema_add(schema, "region", true) >= 0 && kp_schema_add(schema, "amount", false) >= 0);
        used = kp_decoder_new(schema, &limits, NULL);
    }
    fresh = kp_decoder_new(schema, &limits, NULL);
    check(fresh && used);
    a = decode(schema, fresh, data, size);
    b = decode(schema, used, data, size);
    check(a.whole == b.whole && a.last == b.last && a.count == b.count);
    if (!kp_decode_is_json(fresh) && size > 0 && size <= limits.message && !claims_too_much(data, size))
        compare(&a, data, size);
    kp_decoder_destroy(&fresh);
    return 0;
}
