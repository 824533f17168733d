/* MessagePack events, decoded straight from the message's bytes: no object, no copy, no allocation.
 *
 * Why our own: an event is one flat map of which a few keys are wanted. msgpack-c has to build objects, or to call
 * back for every item. Measured side by side on a floor's mix of nine keys (tools/bench, bench_decode), of
 * msgpack_unpack_next's time: into a zone that is cleared 0.8, unpack_template.h with 8-byte objects that keep nothing and
 * know no key 0.25 to 0.3, and this, which finds the keys, checks and fills the event, 0.2. All else that reads or writes
 * MessagePack in kpid uses msgpack-c.
 */
#include "kpid/event.h"

#include "event_json.h"
#include "schema.h"

#include <stdlib.h>

enum { KEY_BYTES = 16, SHORT_MAX = 33, ROOMY = KEY_BYTES + SHORT_MAX, KNOWN_BITS = 8, NOBODY = 255, EXT_TIME = -1 };

/* The first 16 bytes of a key, its length byte among them; what lies beyond it is 0. */
struct key_bytes {
    uint64_t head, tail;
};

/* A key of up to 16 bytes that was seen before; in a free place it is "type", which is true of that key wherever it stands. */
struct known_key {
    struct key_bytes bytes, mask;   /* mask: 1s where the bytes count */
    uint64_t bit;                   /* of its slot; 0: it has none */
    struct known_key *next;         /* what came after it the last time */
    uint8_t slot;
    uint8_t len;                    /* of the bytes, 1 to 16 */
    uint8_t holds;                  /* enum holds */
};

/* What the field of a key may hold that is taken the quick way. */
enum holds { HOLDS_ANY, HOLDS_PLAIN_TEXT, HOLDS_TIME, HOLDS_NUMBER, HOLDS_NOTHING /* that anybody asked for */ };

struct kp_decoder {
    const struct kp_schema *schema;     /* borrowed */
    struct kp_decode_limits limits;
    struct kp_json *json;               /* owned */
    struct kp_str topic;                /* borrowed, like the bytes */
    const unsigned char *at, *end;
    uint32_t left;                      /* events to come */
    uint32_t next, claimed;
    bool is_json, is_batch;
    struct known_key *first;            /* of the last event */
    struct known_key known[1 << KNOWN_BITS];    /* in the place that its bytes' hash names, or in the one beside it */
};

void kp_decoder_destroy(struct kp_decoder **dec)
{
    if (!*dec)
        return;
    kp_json_destroy(&(*dec)->json);
    free(*dec);
    *dec = NULL;
}

/* ---- Items of MessagePack ---- */

static uint16_t be16(const unsigned char *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof v);
    return __builtin_bswap16(v);
}

static uint32_t be32(const unsigned char *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return __builtin_bswap32(v);
}

static uint64_t be64(const unsigned char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return __builtin_bswap64(v);
}

/* How an item is laid out: head bytes (its first and its length), then len bytes, then items within it. */
struct layout {
    uint32_t head, len;
    uint64_t items;
};

static struct layout fixed(uint32_t len)
{
    return (struct layout){1, len, 0};
}

/* False: cut short, or the one byte that MessagePack never uses. The head is then within the bytes, the rest maybe
 * not. */
static bool layout_of(const unsigned char *p, const unsigned char *end, struct layout *out)
{
    size_t left = (size_t)(end - p);
    unsigned char c;

    if (left == 0)
        return false;
    c = *p;
    if (c <= 0x7f || c >= 0xe0)
        *out = fixed(0);
    else if (c <= 0x8f)
        *out = (struct layout){1, 0, 2u * (c & 15u)};
    else if (c <= 0x9f)
        *out = (struct layout){1, 0, c & 15u};
    else if (c <= 0xbf)
        *out = fixed(c & 31u);
    else {
        /* By c - 0xc0: how long the head is, and what follows it. */
        static const uint8_t heads[32] = {1, 0, 1, 1, 2, 3, 5, 2, 3, 5, 1, 1, 1, 1, 1, 1,
                                          1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 5, 3, 5, 3, 5};
        static const uint8_t fixed_len[32] = {0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 4, 8, 1, 2, 4, 8,
                                              1, 2, 4, 8, 2, 3, 5, 9, 17, 0, 0, 0, 0, 0, 0, 0};
        uint32_t k = c - 0xc0u;

        if (heads[k] == 0 || left < heads[k])
            return false;
        *out = (struct layout){heads[k], fixed_len[k], 0};
        switch (c) {
        case 0xc4: case 0xc7: case 0xd9:
            out->len += p[1];
            break;
        case 0xc5: case 0xc8: case 0xda:
            out->len += be16(p + 1);
            break;
        case 0xc6: case 0xc9: case 0xdb:
            if (be32(p + 1) > left)
                return false;
            out->len += be32(p + 1);
            break;
        case 0xdc: case 0xdd: case 0xde: case 0xdf:
            out->items = (c & 1) ? be32(p + 1) : be16(p + 1);
            out->items *= c >= 0xde ? 2 : 1;
            break;
        default:
            break;
        }
    }
    return true;
}

/* Past one whole item, whatever it holds; NULL: it is cut short or broken. Bounded by the bytes: every item that a
 * container claims needs at least one. */
static const unsigned char *skip(const unsigned char *p, const unsigned char *end)
{
    uint64_t todo = 1;

    if (p < end && (*p & 0xe0) == 0xa0 && end - p > (*p & 31))      /* a short string, which most are */
        return p + 1 + (*p & 31);

    while (todo) {
        struct layout item;

        if (todo > (uint64_t)(end - p) || !layout_of(p, end, &item) || item.len > (size_t)(end - p) - item.head)
            return NULL;
        p += item.head + (size_t)item.len;
        todo += item.items - 1;
    }
    return p;
}

/* The timestamp extension in ms. -1: it is none, or beyond what int64 ms hold. */
static int64_t ext_time(const unsigned char *data, uint32_t len)
{
    uint64_t seconds, nanos;

    if (len == 4) {
        seconds = be32(data);
        nanos = 0;
    } else if (len == 8) {
        seconds = be64(data) & ((UINT64_C(1) << 34) - 1);
        nanos = be64(data) >> 34;
    } else if (len == 12) {
        seconds = be64(data + 4);
        nanos = be32(data);
    } else {
        return -1;
    }
    if (nanos > 999999999 || seconds > (uint64_t)KP_TIME_MAX / 1000)
        return -1;
    return (int64_t)(seconds * 1000 + nanos / 1000000);
}

/* Extensions are of no use to events, but for the timestamp, which is an integer (ms) in `time` alone. */
static enum kp_nested ext_value(const unsigned char *data, uint32_t len, bool is_time, struct kp_value *v)
{
    if (!is_time || (signed char)data[0] != EXT_TIME)
        return KP_NESTED;
    *v = (struct kp_value){.kind = KP_INT, .i = ext_time(data + 1, len - 1)};
    return KP_FLAT;
}

static void set_uint(struct kp_value *v, uint64_t u)
{
    if (u > INT64_MAX)
        *v = (struct kp_value){.kind = KP_REAL, .f = (double)u};
    else
        *v = (struct kp_value){.kind = KP_INT, .i = (int64_t)u};
}

static double real_of(const unsigned char *p, unsigned char c)
{
    uint32_t narrow;
    uint64_t wide;
    float f;
    double d;

    if (c == 0xca) {
        narrow = be32(p);
        memcpy(&f, &narrow, sizeof f);
        return (double)f;
    }
    wide = be64(p);
    memcpy(&d, &wide, sizeof d);
    return d;
}

/* A value that is wanted; returns what follows it, NULL when it is broken. The common kinds come first. */
static const unsigned char *read_value(const unsigned char *p, const unsigned char *end, bool is_time,
                                       struct kp_value *v, enum kp_nested *nested)
{
    struct layout item;
    const unsigned char *data;
    unsigned char c;

    *nested = KP_FLAT;
    if (p < end && (*p & 0xe0) == 0xa0 && end - p > (*p & 31)) {
        *v = (struct kp_value){.kind = KP_STR, .len = *p & 31u, .s = (const char *)p + 1};
        return p + 1 + v->len;
    }
    if (!layout_of(p, end, &item))
        return NULL;
    if (item.items || (*p >= 0xdc && *p <= 0xdf) || (*p & 0xe0) == 0x80) {
        *nested = KP_NESTED;
        return skip(p, end);
    }
    if (item.len > (size_t)(end - p) - item.head)
        return NULL;
    c = *p;
    data = p + item.head;
    if (c <= 0x7f || c >= 0xe0) {
        *v = (struct kp_value){.kind = KP_INT, .i = (signed char)c};
        return data;
    }
    switch (c) {
    case 0xc0:
        v->kind = KP_NIL;
        break;
    case 0xc2: case 0xc3:
        *v = (struct kp_value){.kind = KP_BOOL, .b = c == 0xc3};
        break;
    case 0xca: case 0xcb:
        *v = (struct kp_value){.kind = KP_REAL, .f = real_of(data, c)};
        break;
    case 0xcc:
        set_uint(v, *data);
        break;
    case 0xcd:
        set_uint(v, be16(data));
        break;
    case 0xce:
        set_uint(v, be32(data));
        break;
    case 0xcf:
        set_uint(v, be64(data));
        break;
    case 0xd0:
        *v = (struct kp_value){.kind = KP_INT, .i = (signed char)*data};
        break;
    case 0xd1:
        *v = (struct kp_value){.kind = KP_INT, .i = (int16_t)be16(data)};
        break;
    case 0xd2:
        *v = (struct kp_value){.kind = KP_INT, .i = (int32_t)be32(data)};
        break;
    case 0xd3:
        *v = (struct kp_value){.kind = KP_INT, .i = (int64_t)be64(data)};
        break;
    case 0xd9: case 0xda: case 0xdb:
        *v = (struct kp_value){.kind = KP_STR, .len = item.len, .s = (const char *)data};
        break;
    case 0xc4: case 0xc5: case 0xc6:
        *nested = KP_NESTED;
        break;
    default:
        *nested = ext_value(data, item.len, is_time, v);
        break;
    }
    return data + item.len;
}

/* ---- Keys ---- */

static uint64_t load64(const unsigned char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* 1s in the first `len` bytes, 1 to 16. */
static inline struct key_bytes mask_of(size_t len)
{
    static const unsigned char ones[2 * KEY_BYTES] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                      255, 255, 255, 255, 255, 255, 255, 255};
    const unsigned char *mask = ones + KEY_BYTES - len;

    return (struct key_bytes){load64(mask), load64(mask + 8)};
}

/* The first `len` bytes of a load, 1 to 16. */
static inline struct key_bytes cut(struct key_bytes key, size_t len)
{
    struct key_bytes mask = mask_of(len);

    return (struct key_bytes){key.head & mask.head, key.tail & mask.tail};
}

static inline struct key_bytes key_bytes(const unsigned char *p)
{
    return (struct key_bytes){load64(p), load64(p + 8)};
}

/* ... where fewer lie before the end, but the event has at least 16 up to there: the last 16 are loaded and moved
 * up, with zeros after them, so that no byte outside of the message is read. */
static inline struct key_bytes key_bytes_near_end(const unsigned char *p, const unsigned char *end)
{
    struct key_bytes last = key_bytes(end - KEY_BYTES);
    unsigned up = 8 * (KEY_BYTES - (unsigned)(end - p));      /* bits, 8 to 120 */

    if (up >= 64)
        return (struct key_bytes){last.tail >> (up - 64), 0};
    return (struct key_bytes){last.head >> up | last.tail << (64 - up), last.tail >> up};
}

static inline unsigned place_of(struct key_bytes key)
{
    return (unsigned)(((key.head ^ key.tail * 31) * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - KNOWN_BITS));
}

/* Do bytes begin with the key? */
static inline bool is_known(const struct known_key *known, struct key_bytes bytes)
{
    return (((known->bytes.head ^ bytes.head) & known->mask.head) | ((known->bytes.tail ^ bytes.tail) & known->mask.tail)) == 0;
}

static enum holds what_holds(const struct kp_schema *schema, int slot)
{
    if (slot < 0)
        return HOLDS_NOTHING;
    if (slot == KP_SLOT_TIME)
        return HOLDS_TIME;
    if (slot == KP_SLOT_SEQ || slot == KP_SLOT_AUTOMATED)
        return HOLDS_NUMBER;
    return schema->string_only >> slot & 1 ? HOLDS_PLAIN_TEXT : HOLDS_ANY;
}

static struct known_key known_of(struct kp_decoder *dec, struct key_bytes bytes, size_t len, int slot)
{
    return (struct known_key){.bytes = bytes, .mask = mask_of(len), .next = dec->known, .bit = slot < 0 ? 0 : UINT64_C(1) << slot,
                              .slot = slot < 0 ? 0 : (uint8_t)slot, .len = (uint8_t)len,
                              .holds = (uint8_t)what_holds(dec->schema, slot)};
}

struct kp_decoder *kp_decoder_new(const struct kp_schema *schema, const struct kp_decode_limits *limits,
                                  struct kp_err *err)
{
    static const unsigned char type[KEY_BYTES] = "\xa4type";
    struct kp_decoder *dec = calloc(1, sizeof *dec);

    if (!dec) {
        kp_fail(err, KP_ENOMEM, "decoder: out of memory");
        return NULL;
    }
    dec->schema = schema;
    dec->limits = *limits;
    for (size_t i = 0; i < sizeof dec->known / sizeof *dec->known; i++)
        dec->known[i] = known_of(dec, key_bytes(type), 5, KP_SLOT_TYPE);
    dec->first = dec->known;
    dec->json = kp_json_new(schema, limits, err);
    if (!dec->json)
        kp_decoder_destroy(&dec);
    return dec;
}

/* A key that is short enough, of an event that is as long as a load, is known from now on. What had its place moves to the one
 * beside it, and what was there is forgotten. */
static void learn(struct kp_decoder *dec, const unsigned char *p, size_t len, int slot)
{
    struct key_bytes key;
    unsigned place;

    if (len > KEY_BYTES || (*p & 0xe0) != 0xa0 || dec->end - dec->at < KEY_BYTES)
        return;
    key = cut(dec->end - p >= KEY_BYTES ? key_bytes(p) : key_bytes_near_end(p, dec->end), len);
    place = place_of(key);
    if (is_known(&dec->known[place], key) || is_known(&dec->known[place ^ 1], key))
        return;         /* it was the value that was not a usual one */
    dec->known[place ^ 1] = dec->known[place];
    dec->known[place] = known_of(dec, key, len, slot);
}

/* The slot of the key at p, NOBODY for one that is not asked for or is no string; *after is what follows it. NULL
 * there: it is broken. */
static unsigned key_slot(struct kp_decoder *dec, const unsigned char *p, const unsigned char **after)
{
    struct layout item;
    int slot;

    *after = NULL;
    if (!layout_of(p, dec->end, &item))
        return NOBODY;
    if ((*p & 0xe0) != 0xa0 && (*p < 0xd9 || *p > 0xdb)) {
        *after = skip(p, dec->end);
        return NOBODY;
    }
    if (item.len > (size_t)(dec->end - p) - item.head)
        return NOBODY;
    *after = p + item.head + (size_t)item.len;
    slot = kp_schema_slot(dec->schema, (const char *)p + item.head, item.len);
    learn(dec, p, item.head + (size_t)item.len, slot);
    return slot < 0 ? (unsigned)NOBODY : (unsigned)slot;
}

/* ---- Events ---- */

/* The bytes are broken from here on: nothing more can be read from this message. */
static enum kp_reason give_up(struct kp_decoder *dec)
{
    dec->left = 0;
    dec->at = dec->end;
    return KP_MALFORMED;
}

static enum kp_reason skip_event(struct kp_decoder *dec, enum kp_reason reason)
{
    const unsigned char *after = skip(dec->at, dec->end);

    if (!after)
        return give_up(dec);
    dec->at = after;
    return reason;
}

/* 1 to 31 bytes that are ASCII without a NUL, as most keys and ids are. */
static inline bool is_plain(const unsigned char *p, size_t len)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t odd = 0, word = ones;

    if (len >= 8) {
        for (size_t i = 0; i + 8 < len; i += 8) {
            word = load64(p + i);
            odd |= word | ((word - ones) & ~word);
        }
        word = load64(p + len - 8);
    } else if (len >= 4) {
        word = (uint64_t)be32(p) << 32 | be32(p + len - 4);
    } else {
        word = ones << 24 | (uint64_t)p[0] << 16 | (uint64_t)p[len / 2] << 8 | p[len - 1];
    }
    odd |= word | ((word - ones) & ~word);
    return !(odd & (ones << 7));
}

/* A number as senders write them most: an unsigned integer of up to 16 bits, or a double. NULL: it is another one. */
static inline const unsigned char *quick_number(const unsigned char *p, size_t left, struct kp_value *v)
{
    unsigned char c = *p;

    v->kind = KP_INT;
    if (c <= 0x7f) {
        v->i = c;
        return p + 1;
    }
    if (c == 0xcd && left >= 3) {
        v->i = be16(p + 1);
        return p + 3;
    }
    if (c == 0xcc && left >= 2) {
        v->i = p[1];
        return p + 2;
    }
    if (c == 0xcb && left >= 9) {
        v->kind = KP_REAL;
        v->f = real_of(p + 1, c);
        return p + 9;
    }
    return NULL;
}

/* The bytes of a scalar that begins with this one; 0: it is none, or its length lies elsewhere. */
static inline size_t scalar_size(unsigned char c)
{
    static const uint8_t sizes[32] = {1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 5, 9, 2, 3, 5, 9, 2, 3, 5, 9};     /* from 0xc0 on */

    return c <= 0x7f || c >= 0xe0 ? 1 : c >= 0xc0 ? sizes[c - 0xc0] : c >= 0xa0 ? 1 + (c & 31u) : 0;
}

/* What is being filled: the event's and the intake's bits, where the compiler can keep them in registers. */
struct filling {
    uint64_t seen, present;
    struct known_key **guess;   /* where it stands which key is likely to be the next */
};

/* At least one byte lies at p. The values that nearly all are, stored at once: a short string in any field that may
 * hold one, a number in a free one, and the time as a 64-bit integer. What follows the value; NULL: it is another
 * one, for the long way. */
static inline __attribute__((always_inline)) const unsigned char *
quick_value(const struct known_key *known, const unsigned char *p, size_t left, struct filling *fill, struct kp_event *ev)
{
    struct kp_value *v = &ev->v[known->slot];
    uint32_t len = *p - UINT32_C(0xa0);     /* of a short string */
    uint64_t ms;
    size_t size;

    if (fill->seen & known->bit)
        return NULL;
    if (__builtin_expect(len - 1 < 31 && known->holds <= HOLDS_PLAIN_TEXT && len < left, 1)) {
        if (known->holds == HOLDS_PLAIN_TEXT && !is_plain(p + 1, len))
            return NULL;
        v->kind = KP_STR;
        v->len = len;
        v->s = (const char *)p + 1;
        p += 1 + len;
    } else if (known->holds == HOLDS_TIME) {
        if (*p != 0xcf || left < 9 || (ms = be64(p + 1)) > (uint64_t)KP_TIME_MAX)
            return NULL;
        v->kind = KP_INT;
        v->i = ev->time_ms = (int64_t)ms;
        ev->has_time = true;
        p += 9;
    } else if (known->holds == HOLDS_NOTHING) {
        size = scalar_size(*p);
        return size && size <= left ? p + size : NULL;
    } else if (known->holds != HOLDS_ANY || (p = quick_number(p, left, v)) == NULL) {
        return NULL;
    }
    fill->seen |= known->bit;
    fill->present |= known->bit;
    return p;
}

/* The known key that bytes begin with; NULL: none. */
static inline struct known_key *find_known(struct kp_decoder *dec, struct key_bytes bytes, size_t len)
{
    unsigned place;

    if (len > KEY_BYTES)
        return NULL;
    place = place_of(cut(bytes, len));
    if (is_known(&dec->known[place], bytes))
        return &dec->known[place];
    return is_known(&dec->known[place ^ 1], bytes) ? &dec->known[place ^ 1] : NULL;
}

/* A key that is known, with a usual value: past both. NULL: the long way. With `roomy`, a constant, so many bytes lie at
 * p that no end is in the way of either. Senders write their keys in one order, so the one that came after the same key the last
 * time is tried first: where the key ends is then known before its first byte has been read. */
static inline __attribute__((always_inline)) const unsigned char *
quick_pair(struct kp_decoder *dec, const unsigned char *p, const unsigned char *end, bool roomy, struct filling *fill,
           struct kp_event *ev)
{
    size_t left = (size_t)(end - p);
    struct key_bytes bytes = roomy || left >= KEY_BYTES ? key_bytes(p) : key_bytes_near_end(p, end);
    struct known_key *known = *fill->guess;

    if (!is_known(known, bytes)) {
        known = find_known(dec, bytes, 1 + (*p & 31u));
        if (!known)
            return NULL;
        *fill->guess = known;
    }
    if (!roomy && left <= known->len)
        return NULL;
    fill->guess = &known->next;
    p += known->len;
    return quick_value(known, p, roomy ? SHORT_MAX : left - known->len, fill, ev);
}

static enum kp_reason read_event(struct kp_decoder *dec, struct kp_event *ev)
{
    struct filling fill = {0, 0, &dec->first};
    enum kp_reason bad = KP_ACCEPTED;
    const unsigned char *p = dec->at, *end = dec->end, *roomy;
    struct layout item;
    uint64_t keys;

    ev->has_time = false;
    if (p < end && (*p & 0xf0) == 0x80)
        item = (struct layout){1, 0, 2u * (*p & 15u)};
    else if (!layout_of(p, end, &item))
        return give_up(dec);
    if ((*p & 0xf0) != 0x80 && *p != 0xde && *p != 0xdf)
        return skip_event(dec, KP_NOT_A_MAP);
    keys = item.items / 2;
    if (keys > dec->limits.fields)
        return skip_event(dec, KP_LIMIT);
    p += item.head;
    roomy = end - p >= ROOMY ? end - ROOMY : p - 1;
    for (; keys; keys--) {
        const unsigned char *value, *after = NULL;
        enum kp_nested nested;
        struct kp_value v;
        unsigned slot;

        if (p <= roomy)
            after = quick_pair(dec, p, end, true, &fill, ev);
        else if (p < end && end - dec->at >= KEY_BYTES)
            after = quick_pair(dec, p, end, false, &fill, ev);
        if (after) {
            p = after;
            continue;
        }
        slot = key_slot(dec, p, &value);
        if (!value)
            return give_up(dec);
        if (slot == NOBODY || (fill.seen >> slot & 1)) {
            p = skip(value, end);
        } else {
            p = read_value(value, end, slot == KP_SLOT_TIME, &v, &nested);
            if (p) {
                struct kp_intake in = {fill.seen, bad};

                ev->present = fill.present;
                kp_intake_value(dec->schema, &in, ev, (int)slot, &v, nested, false);
                fill.seen = in.seen;
                fill.present = ev->present;
                bad = in.bad;
            }
        }
        if (!p)
            return give_up(dec);
    }
    dec->at = p;
    ev->present = fill.present;
    if (bad == KP_ACCEPTED && kp_event_has(ev, KP_SLOT_TYPE))
        return KP_ACCEPTED;
    return kp_intake_end(&(struct kp_intake){fill.seen, bad}, ev, dec->topic);
}

/* ---- Messages ---- */

static bool looks_like_json(const unsigned char *p, const unsigned char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p < end && (*p == '{' || *p == '[');
}

static enum kp_reason begin_json(struct kp_decoder *dec, const void *bytes, size_t len)
{
    enum kp_reason reason = kp_json_read(dec->json, bytes, len);

    dec->is_json = true;
    dec->left = reason == KP_ACCEPTED ? kp_json_count(dec->json) : 0;
    dec->claimed = dec->left ? dec->left : 1;
    dec->at = dec->end;
    return reason;
}

static enum kp_reason begin_batch(struct kp_decoder *dec, const struct layout *item)
{
    size_t bytes = (size_t)(dec->end - dec->at) - item->head;

    dec->is_batch = true;
    dec->claimed = item->items > bytes ? (uint32_t)bytes : (uint32_t)item->items;
    if (dec->claimed == 0)
        dec->claimed = 1;
    if (item->items > dec->limits.batch) {
        give_up(dec);
        return KP_LIMIT;
    }
    dec->at += item->head;
    dec->left = (uint32_t)item->items;
    return KP_ACCEPTED;
}

enum kp_reason kp_decode_begin(struct kp_decoder *dec, const void *bytes, size_t len, struct kp_str topic)
{
    struct layout item;

    dec->topic = topic;
    dec->at = bytes;
    dec->end = dec->at + len;
    dec->next = 0;
    dec->left = 1;
    dec->claimed = 1;
    dec->is_json = dec->is_batch = false;
    if (len > dec->limits.message) {
        give_up(dec);
        return KP_TOO_LARGE;
    }
    if (len && (*dec->at & 0xf0) == 0x80)
        return KP_ACCEPTED;     /* a map of its own, as most messages are */
    if (looks_like_json(dec->at, dec->end))
        return begin_json(dec, bytes, len);
    if (layout_of(dec->at, dec->end, &item) && ((*dec->at & 0xf0) == 0x90 || *dec->at == 0xdc || *dec->at == 0xdd))
        return begin_batch(dec, &item);
    return KP_ACCEPTED;
}

enum kp_next kp_decode_next(struct kp_decoder *dec, struct kp_event *ev, enum kp_reason *reason)
{
    ev->present = 0;
    if (dec->left == 0) {
        if (dec->at == dec->end)
            return KP_NEXT_END;
        dec->next++;            /* bytes behind the last event of a batch */
        *reason = give_up(dec);
        return KP_NEXT_REJECT;
    }
    dec->left--;
    dec->next++;
    *reason = dec->is_json ? kp_json_event(dec->json, dec->next - 1, dec->topic, ev) : read_event(dec, ev);
    if (!dec->is_json && !dec->is_batch && dec->at != dec->end) {
        *reason = give_up(dec);
        ev->present = 0;
    }
    return *reason == KP_ACCEPTED ? KP_NEXT_EVENT : KP_NEXT_REJECT;
}

bool kp_decode_is_json(const struct kp_decoder *dec)
{
    return dec->is_json;
}

uint32_t kp_decode_index(const struct kp_decoder *dec)
{
    return dec->next ? dec->next - 1 : 0;
}

size_t kp_decode_at(const struct kp_decoder *dec, const void *bytes)
{
    return (size_t)(dec->at - (const unsigned char *)bytes);
}

uint32_t kp_decode_claimed(const struct kp_decoder *dec)
{
    return dec->claimed;
}
