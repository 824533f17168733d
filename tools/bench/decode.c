/* bench_decode [EVENTS]: what it costs to look at an event, four ways, on the same bytes in the same run:
 * msgpack_unpack_next with a zone of its own each time; msgpack_unpack into a zone that is cleared; msgpack-c's
 * unpack_template.h with callbacks on 8-byte objects; and kpid's decoder, which also checks and fills an event. */
#include "floor.h"

#include "kpid/event.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
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

static double ns_of(uint64_t (*way)(const struct sample *), const struct sample *pool, size_t pool_size, uint64_t n)
{
    struct timespec a, b;
    uint64_t sum = 0;

    clock_gettime(CLOCK_MONOTONIC, &a);
    for (uint64_t i = 0; i < n; i++)
        sum += way(&pool[i % pool_size]);
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

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        uint64_t (*way)(const struct sample *);
    } ways[] = {{"msgpack_unpack_next, fresh zone", unpack_next},
                {"msgpack_unpack, cleared zone", unpack_zone},
                {"unpack_template.h, 8-byte objects", unpack_template},
                {"kpid's decoder", decode}};
    static const char *const fields[] = {"direction", "outcome", "duration", "client", "amount", "stage"};
    enum { POOL = 4096, ROUNDS = 5 };
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    struct kp_decode_limits limits = {1 << 20, 10000, 256};
    struct kp_schema *schema = kp_schema_new(NULL);
    struct sample *pool = calloc(POOL, sizeof *pool);
    double base = 0;

    if (!schema || !pool)
        return 1;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        kp_schema_add(schema, fields[i], false);
    decoder = kp_decoder_new(schema, &limits, NULL);
    for (size_t i = 0; i < POOL; i++) {
        struct floor_event made;

        floor_make(&made, 1, i, 10000);
        pool[i].len = floor_put(&made, i, 1700000000000 + i, pool[i].bytes);
    }
    for (size_t w = 0; decoder && w < sizeof ways / sizeof *ways; w++) {
        double ns[ROUNDS];

        for (int r = 0; r < ROUNDS; r++)
            ns[r] = ns_of(ways[w].way, pool, POOL, n);
        qsort(ns, ROUNDS, sizeof *ns, by_value);
        base = w == 0 ? ns[ROUNDS / 2] : base;
        printf("%-36s %6.1f ns  %5.2f of the first\n", ways[w].name, ns[ROUNDS / 2], ns[ROUNDS / 2] / base);
    }
    kp_decoder_destroy(&decoder);
    kp_schema_destroy(&schema);
    free(pool);
    return 0;
}
