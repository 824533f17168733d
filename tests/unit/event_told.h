/* Events as text: the schema that the tests of events share, and what a message came to under it. */
#ifndef KPID_TESTS_EVENT_TOLD_H
#define KPID_TESTS_EVENT_TOLD_H

#include "unit.h"

#include "kpid/event.h"

#include <msgpack.h>

static const struct kp_decode_limits small = {.message = 4096, .batch = 4, .fields = 8};
static const struct kp_str no_topic = {"", 0};

static inline struct kp_schema *make_schema(void)
{
    struct kp_schema *schema = kp_schema_new(NULL);

    assert_non_null(schema);
    assert_int_equal(kp_schema_add(schema, "region", true), KP_SLOT_FREE);
    assert_int_equal(kp_schema_add(schema, "amount", false), KP_SLOT_FREE + 1);
    assert_int_equal(kp_schema_add(schema, "a_long_name_of_a_field", false), KP_SLOT_FREE + 2);
    return schema;
}
enum { REGION = KP_SLOT_FREE, AMOUNT, LONG_NAME };

static inline struct kp_decoder *make_decoder(const struct kp_schema *schema, const struct kp_decode_limits *limits)
{
    struct kp_decoder *dec = kp_decoder_new(schema, limits, NULL);

    assert_non_null(dec);
    return dec;
}

static inline void pack_text(msgpack_packer *pk, const char *s)
{
    msgpack_pack_str(pk, strlen(s));
    msgpack_pack_str_body(pk, s, strlen(s));
}

/* What a message came to, as text: "ok type=call time=5; bad_time; end". */
static inline void add(char *out, size_t size, const char *fmt, ...) KP_PRINTF(3, 4);
static inline void add(char *out, size_t size, const char *fmt, ...)
{
    size_t len = strlen(out);
    va_list args;

    va_start(args, fmt);
    vsnprintf(out + len, size - len, fmt, args);
    va_end(args);
}

static inline void tell_event(const struct kp_schema *schema, const struct kp_event *ev, char *out, size_t size)
{
    add(out, size, "ok");
    for (int s = 0; s < kp_schema_count(schema); s++) {
        const struct kp_value *v = &ev->v[s];

        if (!kp_event_has(ev, s))
            continue;
        add(out, size, " %s=", kp_schema_name(schema, s));
        if (v->kind == KP_STR)
            add(out, size, "'%.*s'", (int)v->len, v->s);
        else if (v->kind == KP_INT)
            add(out, size, "%lld", (long long)v->i);
        else if (v->kind == KP_REAL)
            add(out, size, "%gf", v->f);
        else
            add(out, size, "%s", v->kind == KP_BOOL ? v->b ? "true" : "false" : "?");
    }
    assert_int_equal(ev->has_time, kp_event_has(ev, KP_SLOT_TIME));
    if (ev->has_time)
        assert_int_equal(ev->time_ms, ev->v[KP_SLOT_TIME].i);
}

/* The bytes are copied to their exact size, so that the sanitizer sees one read too far. */
static inline void tell(const struct kp_schema *schema, struct kp_decoder *dec, const void *bytes, size_t len,
                        struct kp_str topic, char *out, size_t size)
{
    char *copy = malloc(len ? len : 1);
    enum kp_reason reason;
    struct kp_event ev;
    enum kp_next next;
    uint32_t index = 0;

    assert_non_null(copy);
    memcpy(copy, bytes, len);
    out[0] = '\0';
    reason = kp_decode_begin(dec, copy, len, topic);
    if (reason != KP_ACCEPTED)
        add(out, size, "refused: %s; ", kp_reason_name(reason));
    while ((next = kp_decode_next(dec, &ev, &reason)) != KP_NEXT_END) {
        assert_int_equal(kp_decode_index(dec), index++);
        if (next == KP_NEXT_EVENT)
            tell_event(schema, &ev, out, size);
        else
            add(out, size, "%s", kp_reason_name(reason));
        add(out, size, "; ");
    }
    assert_int_equal(kp_decode_next(dec, &ev, &reason), KP_NEXT_END);
    add(out, size, "end");
    free(copy);
}

#define S16 "0123456789abcdef"
#define S128 S16 S16 S16 S16 S16 S16 S16 S16

#endif
