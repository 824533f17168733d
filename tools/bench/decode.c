/* bench_decode [EVENTS]: what it costs to look at an event, four ways, on the same bytes in the same run:
 * msgpack_unpack_next with a zone of its own each time; msgpack_unpack into a zone that is cleared; msgpack-c's
 * unpack_template.h with callbacks on 8-byte objects; and kpid's decoder, which also checks and fills an event.
 *
 * Once for calls alone, whose eight keys never change their places, and once for a sales floor's mix, where they
 * do. Each figure is the median of rounds in which the four ways take turns, so that a machine that drifts drifts
 * for all. */
#include "floor.h"

#include "kpid/event.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <msgpack.h>

/* ---- The template: objects are lengths of strings or values, 8 bytes; nothing is kept ---- */

struct small {
    uint64_t sum;
};
typedef uint64_t small_object;

static inline small_object small_root(struct small *u)
{
    (void)u;
    return 0;
}

#define INTEGER(name, type)                                                                                            \
    static inline int name(struct small *u, type d, small_object *o)                                                   \
    {                                                                                                                  \
        (void)u;                                                                                                       \
        *o = (uint64_t)d;                                                                                              \
        return 0;                                                                                                      \
    }
INTEGER(small_uint8, uint8_t)
INTEGER(small_uint16, uint16_t)
INTEGER(small_uint32, uint32_t)
INTEGER(small_uint64, uint64_t)
INTEGER(small_int8, int8_t)
INTEGER(small_int16, int16_t)
INTEGER(small_int32, int32_t)
INTEGER(small_int64, int64_t)
INTEGER(small_float, float)
INTEGER(small_double, double)

#define NOTHING(name)                                                                                                  \
    static inline int name(struct small *u, small_object *o)                                                           \
    {                                                                                                                  \
        (void)u;                                                                                                       \
        *o = 0;                                                                                                        \
        return 0;                                                                                                      \
    }
NOTHING(small_nil)
NOTHING(small_true)
NOTHING(small_false)

#define CONTAINER(name)                                                                                                \
    static inline int name(struct small *u, unsigned n, small_object *o)                                               \
    {                                                                                                                  \
        (void)u;                                                                                                       \
        *o = n;                                                                                                        \
        return 0;                                                                                                      \
    }
CONTAINER(small_array)
CONTAINER(small_map)

#define BYTES(name)                                                                                                    \
    static inline int name(struct small *u, const char *b, const char *p, unsigned l, small_object *o)                 \
    {                                                                                                                  \
        (void)u;                                                                                                       \
        (void)b;                                                                                                       \
        (void)p;                                                                                                       \
        *o = l;                                                                                                        \
        return 0;                                                                                                      \
    }
BYTES(small_str)
BYTES(small_bin)
BYTES(small_ext)

static inline int small_array_item(struct small *u, small_object *c, small_object o)
{
    (void)c;
    u->sum += o;
    return 0;
}

static inline int small_map_item(struct small *u, small_object *c, small_object k, small_object v)
{
    (void)c;
    u->sum += k + v;
    return 0;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wimplicit-fallthrough"
#define msgpack_unpack_struct(name) struct small##name
#define msgpack_unpack_func(ret, name) static inline ret small##name##_func
#define msgpack_unpack_callback(name) small##name
#define msgpack_unpack_object small_object
#define msgpack_unpack_user struct small
#include <msgpack/unpack_define.h>
#include <msgpack/unpack_template.h>
#pragma GCC diagnostic pop

/* ---- The four ways ---- */

enum { POOL = 4096, ROUNDS = 5, WAYS = 4 };

struct sample {
    size_t len;
    char bytes[FLOOR_EVENT_MAX];
};

static uint64_t unpack_next(const struct sample *s)
{
    msgpack_unpacked item;
    size_t off = 0;
    uint64_t n;

    msgpack_unpacked_init(&item);
    if (msgpack_unpack_next(&item, s->bytes, s->len, &off) != MSGPACK_UNPACK_SUCCESS)
        abort();
    n = item.data.via.map.size;
    msgpack_unpacked_destroy(&item);
    return n;
}

static uint64_t unpack_zone(const struct sample *s)
{
    static msgpack_zone *zone;
    msgpack_object object;
    size_t off = 0;

    if (!zone)
        zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
    else
        msgpack_zone_clear(zone);
    if (!zone || msgpack_unpack(s->bytes, s->len, &off, zone, &object) != MSGPACK_UNPACK_SUCCESS)
        abort();
    return object.via.map.size;
}

static uint64_t unpack_template(const struct sample *s)
{
    struct small_context ctx;
    size_t off = 0;

    small_init_func(&ctx);
    ctx.user.sum = 0;
    if (small_execute_func(&ctx, s->bytes, s->len, &off) < 0)
        abort();
    return ctx.user.sum;
}

static struct kp_decoder *decoder;
static struct kp_event event;

static uint64_t decode(const struct sample *s)
{
    enum kp_reason reason;

    kp_decode_begin(decoder, s->bytes, s->len, (struct kp_str){"", 0});
    if (kp_decode_next(decoder, &event, &reason) != KP_NEXT_EVENT)
        abort();
    return event.present;
}

static double ns_of(uint64_t (*way)(const struct sample *), const struct sample *pool, uint64_t n)
{
    struct timespec a, b;
    uint64_t sum = 0;

    clock_gettime(CLOCK_MONOTONIC, &a);
    for (uint64_t i = 0; i < n; i++)
        sum += way(&pool[i % POOL]);
    clock_gettime(CLOCK_MONOTONIC, &b);
    if (sum == 42)
        putchar(' ');       /* so that nothing is left out */
    return ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / (double)n;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure(const char *title, const struct sample *pool, uint64_t n)
{
    static const struct {
        const char *name;
        uint64_t (*way)(const struct sample *);
    } ways[WAYS] = {{"msgpack_unpack_next, fresh zone", unpack_next},
                    {"msgpack_unpack, cleared zone", unpack_zone},
                    {"unpack_template.h, 8-byte objects", unpack_template},
                    {"kpid's decoder", decode}};
    double ns[WAYS][ROUNDS], base = 0, bytes = 0;

    for (size_t i = 0; i < POOL; i++)
        bytes += (double)pool[i].len / POOL;
    for (int r = 0; r < ROUNDS; r++)
        for (int w = 0; w < WAYS; w++)
            ns[w][r] = ns_of(ways[w].way, pool, n);
    printf("%s, %.0f bytes\n", title, bytes);
    for (int w = 0; w < WAYS; w++) {
        qsort(ns[w], ROUNDS, sizeof *ns[w], by_value);
        base = w == 0 ? ns[w][ROUNDS / 2] : base;
        printf("  %-36s %6.1f ns  %5.2f of the first\n", ways[w].name, ns[w][ROUNDS / 2], ns[w][ROUNDS / 2] / base);
    }
}

/* ---- The events ---- */

static void put_text(msgpack_packer *pk, const char *text)
{
    msgpack_pack_str_with_body(pk, text, strlen(text));
}

static void put_pair(msgpack_packer *pk, const char *key, const char *value)
{
    put_text(pk, key);
    put_text(pk, value);
}

static void make_call(struct sample *s, uint64_t i)
{
    static const char *const outcomes[] = {"connected", "no_answer", "voicemail", "busy"};
    uint64_t draw = i * UINT64_C(0x9E3779B97F4A7C15);
    msgpack_sbuffer buf;
    msgpack_packer pk;
    char text[24];

    msgpack_sbuffer_init(&buf);
    msgpack_packer_init(&pk, &buf, msgpack_sbuffer_write);
    msgpack_pack_map(&pk, 8);
    snprintf(text, sizeof text, "%016llx", (unsigned long long)draw);
    put_pair(&pk, "id", text);
    put_pair(&pk, "source", "pbx-1");
    put_pair(&pk, "type", "call");
    put_text(&pk, "time");
    msgpack_pack_uint64(&pk, 1700000000000 + i);
    snprintf(text, sizeof text, "r%05u", (unsigned)(draw >> 32) % 10000);
    put_pair(&pk, "rep", text);
    put_pair(&pk, "direction", (draw >> 40) % 4 ? "outbound" : "inbound");
    put_pair(&pk, "outcome", outcomes[(draw >> 44) % 4]);
    put_text(&pk, "duration");
    msgpack_pack_uint32(&pk, (uint32_t)(draw >> 48) % 900);
    if (buf.size > sizeof s->bytes)
        abort();
    memcpy(s->bytes, buf.data, buf.size);
    s->len = buf.size;
    msgpack_sbuffer_destroy(&buf);
}

static void make_mixed(struct sample *s, uint64_t i)
{
    struct floor_event made;

    floor_make(&made, 1, i, 10000);
    s->len = floor_put(&made, i, 1700000000000 + i, s->bytes);
}

int main(int argc, char **argv)
{
    static const char *const fields[] = {"direction", "outcome", "duration", "client", "amount", "stage"};
    const struct kp_decode_limits limits = {1 << 20, 10000, 256};
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    struct kp_schema *schema = kp_schema_new(NULL);
    struct sample *calls = calloc(POOL, sizeof *calls), *mixed = calloc(POOL, sizeof *mixed);
    bool ok = schema && calls && mixed;

    for (size_t i = 0; ok && i < sizeof fields / sizeof *fields; i++)
        kp_schema_add(schema, fields[i], false);
    decoder = ok ? kp_decoder_new(schema, &limits, NULL) : NULL;
    for (size_t i = 0; decoder && i < POOL; i++) {
        make_call(&calls[i], i);
        make_mixed(&mixed[i], i);
    }
    if (decoder) {
        measure("calls of 8 keys", calls, n);
        measure("a floor's mix, of 9 keys", mixed, n);
    }
    ok = decoder != NULL;
    kp_decoder_destroy(&decoder);
    kp_schema_destroy(&schema);
    free(calls);
    free(mixed);
    return ok ? 0 : 1;
}
