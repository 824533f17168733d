#include "event_json.h"

#include <errno.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>

#include <yajl/yajl_parse.h>

/* What yajl asks for to parse one message: its handle, its lexer, a byte for each open map, and room for a string with
 * escapes. A parser can't be begun anew, so each message gets one, made in this block, which is used again; only what
 * does not fit comes from the heap. */
enum { SCRATCH_SIZE = 8192 };

struct scratch {
    size_t used;
    alignas(max_align_t) char bytes[SCRATCH_SIZE];
};

struct field {
    uint8_t slot;
    bool nested;
    struct kp_value v;      /* KP_STR: `i` is the place of its text */
};

struct item {               /* one event */
    uint32_t first, count;  /* of fields */
    enum kp_reason reason;  /* KP_ACCEPTED, KP_NOT_A_MAP or KP_LIMIT */
};

struct kp_json {
    const struct kp_schema *schema;     /* borrowed */
    struct kp_decode_limits limits;
    struct scratch scratch;
    struct field *fields;               /* owned, like the next two */
    struct item *items;
    char *text;
    size_t nfields, fields_room, nitems, items_room, text_len, text_room;
    /* while reading */
    uint32_t depth;         /* of maps and arrays that are open */
    uint32_t event_depth;   /* depth within an event's map: 1 alone, 2 in a batch */
    uint32_t keys;          /* of the open event */
    int slot;               /* that the coming value is for; -1: nobody's */
    enum kp_reason failed;
};

/* ---- Memory for yajl ---- */

/* Before each piece lies its size. */
enum { PIECE_HEAD = alignof(max_align_t) };

static bool is_scratch(const struct scratch *scratch, const void *p)
{
    return (uintptr_t)p - (uintptr_t)scratch->bytes < SCRATCH_SIZE;
}

static void *scratch_malloc(void *ctx, size_t size)
{
    struct scratch *scratch = ctx;
    char *piece = scratch->bytes + scratch->used;
    size_t whole;

    if (size > SCRATCH_SIZE)
        return malloc(size);
    whole = PIECE_HEAD + (size + PIECE_HEAD - 1) / PIECE_HEAD * PIECE_HEAD;
    if (whole > SCRATCH_SIZE - scratch->used)
        return malloc(size);
    scratch->used += whole;
    memcpy(piece, &size, sizeof size);
    return piece + PIECE_HEAD;
}

static void scratch_free(void *ctx, void *p)
{
    if (!is_scratch(ctx, p))
        free(p);
}

static void *scratch_realloc(void *ctx, void *p, size_t size)
{
    size_t had;
    void *grown;

    if (!p)
        return scratch_malloc(ctx, size);
    if (!is_scratch(ctx, p))
        return realloc(p, size);
    memcpy(&had, (char *)p - PIECE_HEAD, sizeof had);
    grown = scratch_malloc(ctx, size);
    if (grown)
        memcpy(grown, p, had < size ? had : size);
    return grown;
}

/* ---- A message ---- */

struct kp_json *kp_json_new(const struct kp_schema *schema, const struct kp_decode_limits *limits, struct kp_err *err)
{
    struct kp_json *json = calloc(1, sizeof *json);

    if (!json) {
        kp_fail(err, KP_ENOMEM, "decoder: out of memory");
        return NULL;
    }
    json->schema = schema;
    json->limits = *limits;
    return json;
}

void kp_json_destroy(struct kp_json **json)
{
    if (!*json)
        return;
    free((*json)->fields);
    free((*json)->items);
    free((*json)->text);
    free(*json);
    *json = NULL;
}

static bool room_for(void *array, size_t *room, size_t want, size_t size)
{
    void **at = array, *grown;
    size_t n = *room ? *room : 64;

    if (want <= *room)
        return true;
    while (n < want)
        n *= 2;
    grown = realloc(*at, n * size);
    if (!grown)
        return false;
    *at = grown;
    *room = n;
    return true;
}

/* Stop the parser with a reason. */
static int stop(struct kp_json *json, enum kp_reason reason)
{
    json->failed = reason;
    return 0;
}

static int add_item(struct kp_json *json, enum kp_reason reason)
{
    if (json->nitems == json->limits.batch || !room_for(&json->items, &json->items_room, json->nitems + 1, sizeof *json->items))
        return stop(json, KP_LIMIT);
    json->items[json->nitems++] = (struct item){(uint32_t)json->nfields, 0, reason};
    return 1;
}

/* A value has come: an event's own, one of a batch that is no map, or one deep within that nobody looks at. */
static int take(struct kp_json *json, struct kp_value v, bool nested)
{
    struct item *item;

    if (json->depth + 1 == json->event_depth)
        return add_item(json, KP_NOT_A_MAP);
    if (json->depth != json->event_depth || json->slot < 0)
        return 1;
    if (!room_for(&json->fields, &json->fields_room, json->nfields + 1, sizeof *json->fields))
        return stop(json, KP_LIMIT);
    item = &json->items[json->nitems - 1];
    json->fields[json->nfields++] = (struct field){(uint8_t)json->slot, nested, v};
    item->count++;
    json->slot = -1;
    return 1;
}

static int on_null(void *ctx)
{
    return take(ctx, (struct kp_value){.kind = KP_NIL}, false);
}

static int on_boolean(void *ctx, int value)
{
    return take(ctx, (struct kp_value){.kind = KP_BOOL, .b = value != 0}, false);
}

/* Digits that fit are an integer; everything else is the nearest double. */
static int on_number(void *ctx, const char *text, size_t len)
{
    char copy[64], *end = NULL;
    struct kp_value v = {.kind = KP_INT};
    char *whole = len < sizeof copy ? copy : malloc(len + 1);
    bool integral = memchr(text, '.', len) == NULL && memchr(text, 'e', len) == NULL && memchr(text, 'E', len) == NULL;

    if (!whole)
        return stop(ctx, KP_LIMIT);
    memcpy(whole, text, len);
    whole[len] = '\0';
    errno = 0;
    if (integral)
        v.i = strtoll(whole, &end, 10);
    if (!integral || errno == ERANGE) {
        v.kind = KP_REAL;
        v.f = strtod(whole, &end);
    }
    if (whole != copy)
        free(whole);
    return take(ctx, v, false);
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
    struct kp_json *json = ctx;
    struct kp_value v = {.kind = KP_STR, .len = (uint32_t)len, .i = (int64_t)json->text_len};

    if (json->depth == json->event_depth && json->slot >= 0) {
        if (!room_for(&json->text, &json->text_room, json->text_len + len + 1, 1))
            return stop(json, KP_LIMIT);
        if (len)
            memcpy(json->text + json->text_len, text, len);
        json->text_len += len;
    }
    return take(json, v, false);
}

static int on_start_map(void *ctx)
{
    struct kp_json *json = ctx;
    int more = 1;

    if (json->depth == 0)
        json->event_depth = 1;
    if (json->depth + 1 == json->event_depth) {
        more = add_item(json, KP_ACCEPTED);
        json->keys = 0;
    } else {
        more = take(json, (struct kp_value){.kind = KP_NIL}, true);
    }
    json->depth++;
    return more;
}

static int on_key(void *ctx, const unsigned char *text, size_t len)
{
    struct kp_json *json = ctx;

    if (json->depth != json->event_depth)
        return 1;
    if (++json->keys > json->limits.fields)
        json->items[json->nitems - 1].reason = KP_LIMIT;
    json->slot = json->items[json->nitems - 1].reason == KP_ACCEPTED
                     ? kp_schema_slot(json->schema, (const char *)text, len)
                     : -1;
    return 1;
}

static int on_end(void *ctx)
{
    struct kp_json *json = ctx;

    json->depth--;
    return 1;
}

static int on_start_array(void *ctx)
{
    struct kp_json *json = ctx;
    int more = 1;

    if (json->depth == 0)
        json->event_depth = 2;
    else
        more = take(json, (struct kp_value){.kind = KP_NIL}, true);
    json->depth++;
    return more;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null, .yajl_boolean = on_boolean, .yajl_number = on_number, .yajl_string = on_string,
    .yajl_start_map = on_start_map, .yajl_map_key = on_key, .yajl_end_map = on_end,
    .yajl_start_array = on_start_array, .yajl_end_array = on_end,
};

enum kp_reason kp_json_read(struct kp_json *json, const char *bytes, size_t len)
{
    yajl_alloc_funcs memory = {scratch_malloc, scratch_realloc, scratch_free, &json->scratch};
    yajl_status status = yajl_status_error;
    yajl_handle parser;

    json->scratch.used = 0;
    parser = yajl_alloc(&callbacks, &memory, json);
    json->nfields = json->nitems = json->text_len = 0;
    json->depth = 0;
    json->slot = -1;
    json->failed = KP_MALFORMED;
    if (!parser)
        return KP_LIMIT;
    status = yajl_parse(parser, (const unsigned char *)bytes, len);
    if (status == yajl_status_ok)
        status = yajl_complete_parse(parser);
    yajl_free(parser);
    if (status == yajl_status_ok)
        return KP_ACCEPTED;
    json->nitems = 0;
    return json->failed;
}

uint32_t kp_json_count(const struct kp_json *json)
{
    return (uint32_t)json->nitems;
}

enum kp_reason kp_json_event(const struct kp_json *json, uint32_t i, struct kp_str topic, struct kp_event *ev)
{
    const struct item *item = &json->items[i];
    struct kp_intake in = {0};

    ev->present = 0;
    ev->has_time = false;
    if (item->reason != KP_ACCEPTED)
        return item->reason;
    for (uint32_t f = item->first; f < item->first + item->count; f++) {
        const struct field *field = &json->fields[f];
        struct kp_value v = field->v;

        if (v.kind == KP_STR)
            v.s = json->text ? json->text + field->v.i : "";
        kp_intake_value(json->schema, &in, ev, field->slot, &v, field->nested ? KP_NESTED : KP_FLAT, true);
    }
    return kp_intake_end(&in, ev, topic);
}
