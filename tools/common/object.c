#include "object.h"

#include "kpid/out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_tree.h>

bool object_is(const msgpack_object *object, const char *text)
{
    return object && object->type == MSGPACK_OBJECT_STR && object->via.str.size == strlen(text) &&
           memcmp(object->via.str.ptr, text, object->via.str.size) == 0;
}

bool object_true(const msgpack_object *object)
{
    return object && object->type == MSGPACK_OBJECT_BOOLEAN && object->via.boolean;
}

const msgpack_object *object_get(const msgpack_object *map, const char *key)
{
    if (!map || map->type != MSGPACK_OBJECT_MAP)
        return NULL;
    for (uint32_t i = 0; i < map->via.map.size; i++)
        if (object_is(&map->via.map.ptr[i].key, key))
            return &map->via.map.ptr[i].val;
    return NULL;
}

const char *object_text(const msgpack_object *object, char *buf, size_t size)
{
    bool is_text = object && object->type == MSGPACK_OBJECT_STR;
    const char *text = is_text ? object->via.str.ptr : "";
    size_t len = is_text ? object->via.str.size : 0, cut = len < size ? len : size - 1;

    while (cut > 0 && cut < len && ((unsigned char)text[cut] & 0xC0) == 0x80)
        cut--;          /* not in the middle of a character */
    if (cut)
        memcpy(buf, text, cut);
    buf[cut] = '\0';
    return buf;
}

/* Bytes of a character that does something instead of being something: controls (C0, DEL, C1) and marks of direction. */
static size_t control_at(const unsigned char *text)
{
    if (*text < 0x20 || *text == 0x7F)
        return 1;
    if (text[0] == 0xC2 && text[1] >= 0x80 && text[1] <= 0x9F)
        return 2;
    if (text[0] == 0xE2 && text[1] == 0x80 && (text[2] == 0x8E || text[2] == 0x8F || (text[2] >= 0xAA && text[2] <= 0xAE)))
        return 3;
    return text[0] == 0xE2 && text[1] == 0x81 && text[2] >= 0xA6 && text[2] <= 0xA9 ? 3 : 0;
}

const char *object_plain(const msgpack_object *object, char *buf, size_t size)
{
    char *to = buf;

    object_text(object, buf, size);
    for (const char *from = buf; *from;) {
        size_t control = control_at((const unsigned char *)from);

        *to++ = control ? '?' : *from;
        from += control ? control : 1;
    }
    *to = '\0';
    return buf;
}

bool object_number(const msgpack_object *object, double *number)
{
    if (!object)
        return false;
    switch (object->type) {
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        *number = (double)object->via.u64;
        return true;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        *number = (double)object->via.i64;
        return true;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        *number = object->via.f64;
        return true;
    default:
        return false;
    }
}

size_t object_count(const msgpack_object *object)
{
    return object && object->type == MSGPACK_OBJECT_ARRAY ? object->via.array.size : 0;
}

/* ---- What is not to be parsed ---- */

/* Big-endian number of so many bytes. */
static uint64_t number_at(const unsigned char *p, size_t bytes)
{
    uint64_t n = 0;

    while (bytes--)
        n = n << 8 | *p++;
    return n;
}

/* A MessagePack head: bytes of the head and of what it says follows it, and how many items come then (2 for each entry of a
 * map). */
struct head {
    size_t bytes;
    uint64_t body, items;
};

static struct head head_of(const unsigned char *p, size_t left)
{
    /* from 0xC0: how long the number behind the first byte is, and what is added to it */
    static const struct {
        uint8_t number, kind;   /* kind: 0 fixed body of `number` bytes, 1 text or bytes, 2 ext, 3 array, 4 map */
    } heads[32] = {{0, 0}, {0, 0}, {0, 0}, {0, 0}, {1, 1}, {2, 1}, {4, 1}, {1, 2}, {2, 2}, {4, 2}, {4, 0},
                   {8, 0}, {1, 0}, {2, 0}, {4, 0}, {8, 0}, {1, 0}, {2, 0}, {4, 0}, {8, 0}, {2, 0}, {3, 0},
                   {5, 0}, {9, 0}, {17, 0}, {1, 1}, {2, 1}, {4, 1}, {2, 3}, {4, 3}, {2, 4}, {4, 4}};
    uint64_t n = 0;
    size_t number;
    int kind;

    if (*p < 0x80 || *p >= 0xE0)
        return (struct head){1, 0, 0};
    if (*p < 0xC0)
        return *p >= 0xA0   ? (struct head){1, *p & 0x1F, 0}
               : *p >= 0x90 ? (struct head){1, 0, *p & 0x0F}
                            : (struct head){1, 0, 2u * (*p & 0x0F)};
    number = heads[*p - 0xC0].number;
    kind = heads[*p - 0xC0].kind;
    if (kind == 0)
        return (struct head){1, number, 0};
    if (left > number)
        n = number_at(p + 1, number);
    return (struct head){1 + number, kind <= 2 ? n + (kind == 2) : 0, kind == 3 ? n : kind == 4 ? 2 * n : 0};
}

/* msgpack-c allocates for the number of items that is claimed, and goes down by recursion: neither may be more than the
 * bytes can hold. */
static bool packed_fits(const unsigned char *p, size_t len)
{
    uint64_t left[OBJECT_DEPTH_MAX] = {1};
    size_t depth = 0;

    for (;;) {
        struct head head;

        while (left[depth] == 0)
            if (depth-- == 0)
                return true;
        if (len == 0)
            return false;
        left[depth]--;
        head = head_of(p, len);
        if (head.bytes > len || head.body > len - head.bytes || head.items > len - head.bytes)
            return false;
        p += head.bytes + head.body;
        len -= head.bytes + (size_t)head.body;
        if (head.items && ++depth == OBJECT_DEPTH_MAX)
            return false;
        if (head.items)
            left[depth] = head.items;
    }
}

/* yajl frees a tree by recursion. */
static bool json_fits(const char *p, size_t len)
{
    bool quoted = false;
    int depth = 0;

    for (size_t i = 0; i < len; i++) {
        if (quoted && p[i] == '\\')
            i++;
        else if (p[i] == '"')
            quoted = !quoted;
        else if (!quoted && (p[i] == '{' || p[i] == '[') && ++depth > OBJECT_DEPTH_MAX)
            return false;
        else if (!quoted && (p[i] == '}' || p[i] == ']'))
            depth--;
    }
    return true;
}

/* ---- JSON both ways ---- */

static void pack_tree(msgpack_packer *packer, yajl_val v)
{
    switch (v->type) {
    case yajl_t_string:
        pack_text(packer, v->u.string);
        break;
    case yajl_t_number:
        if (YAJL_IS_INTEGER(v))
            msgpack_pack_int64(packer, v->u.number.i);
        else
            msgpack_pack_double(packer, v->u.number.d);
        break;
    case yajl_t_object:
        msgpack_pack_map(packer, v->u.object.len);
        for (size_t i = 0; i < v->u.object.len; i++) {
            pack_text(packer, v->u.object.keys[i]);
            pack_tree(packer, v->u.object.values[i]);
        }
        break;
    case yajl_t_array:
        msgpack_pack_array(packer, v->u.array.len);
        for (size_t i = 0; i < v->u.array.len; i++)
            pack_tree(packer, v->u.array.values[i]);
        break;
    case yajl_t_true:
        msgpack_pack_true(packer);
        break;
    case yajl_t_false:
        msgpack_pack_false(packer);
        break;
    default:
        msgpack_pack_nil(packer);
        break;
    }
}

static bool parse_json(const char *bytes, size_t len, msgpack_unpacked *item)
{
    char *copy = strndup(bytes, len);
    yajl_val tree = copy ? yajl_tree_parse(copy, NULL, 0) : NULL;
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    size_t off = 0;
    bool ok = tree != NULL;

    free(copy);
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    if (ok)
        pack_tree(&packer, tree);
    /* unpacked, strings lie in the zone only when the bytes are copied there: keep the buffer in it */
    if (ok && item->zone == NULL)
        item->zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
    if (ok)
        ok = msgpack_unpack(buffer.data, buffer.size, &off, item->zone, &item->data) == MSGPACK_UNPACK_SUCCESS &&
             msgpack_zone_push_finalizer(item->zone, free, buffer.data);
    if (ok)
        msgpack_sbuffer_release(&buffer);
    msgpack_sbuffer_destroy(&buffer);
    yajl_tree_free(tree);
    return ok;
}

bool object_parse(const void *bytes, size_t len, msgpack_unpacked *item)
{
    const char *p = bytes;
    size_t off = 0, blanks = 0;
    char *copy;

    while (blanks < len && strchr(" \t\r\n", p[blanks]) && p[blanks])
        blanks++;
    if (blanks < len && (p[blanks] == '{' || p[blanks] == '['))
        return json_fits(p, len) && parse_json(p, len, item);
    if (!packed_fits(bytes, len))
        return false;
    copy = malloc(len + 1);     /* the object borrows from its bytes, so they go along with it */
    if (!copy)
        return false;
    memcpy(copy, bytes, len);
    item->zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
    if (item->zone && msgpack_unpack(copy, len, &off, item->zone, &item->data) == MSGPACK_UNPACK_SUCCESS &&
        msgpack_zone_push_finalizer(item->zone, free, copy))
        return true;
    free(copy);
    return false;
}

void object_put(struct kp_out *out, const msgpack_object *o)
{
    switch (o->type) {
    case MSGPACK_OBJECT_BOOLEAN:
        kp_out_bool(out, o->via.boolean);
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        kp_out_uint(out, o->via.u64);
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        kp_out_int(out, o->via.i64);
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        kp_out_real(out, o->via.f64);
        break;
    case MSGPACK_OBJECT_STR:
        kp_out_str(out, o->via.str.ptr, o->via.str.size);
        break;
    case MSGPACK_OBJECT_ARRAY:
        kp_out_array(out, o->via.array.size);
        for (uint32_t i = 0; i < o->via.array.size; i++)
            object_put(out, &o->via.array.ptr[i]);
        kp_out_end(out);
        break;
    case MSGPACK_OBJECT_MAP:
        kp_out_map(out, o->via.map.size);
        for (uint32_t i = 0; i < o->via.map.size; i++) {
            object_put(out, &o->via.map.ptr[i].key);
            object_put(out, &o->via.map.ptr[i].val);
        }
        kp_out_end(out);
        break;
    default:
        kp_out_nil(out);
        break;
    }
}

bool object_print_json(const msgpack_object *object)
{
    struct kp_out *out = kp_out_new(true, NULL);
    const void *bytes;
    size_t len = 0;
    bool ok;

    if (!out)
        return false;
    object_put(out, object);
    bytes = kp_out_bytes(out, &len);
    ok = bytes && fwrite(bytes, 1, len, stdout) == len && putchar('\n') != EOF;
    kp_out_destroy(&out);
    return ok;
}

static bool put_part(char *buf, size_t size, size_t *len, const msgpack_object *part)
{
    const char *s = part->type == MSGPACK_OBJECT_STR ? part->via.str.ptr : "";
    uint32_t n = part->type == MSGPACK_OBJECT_STR ? part->via.str.size : 0;

    for (uint32_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];

        if (*len + 4 >= size)
            return false;
        if (c == '/' || c == '%' || c < 0x20 || c == 0x7F)
            *len += (size_t)snprintf(buf + *len, size - *len, "%%%02X", c);
        else
            buf[(*len)++] = (char)c;
    }
    return true;
}

bool object_topic(const msgpack_object *path, char *buf, size_t size, size_t *len)
{
    *len = 0;
    for (size_t i = 0; i < object_count(path); i++) {
        if (i && *len + 4 < size)
            buf[(*len)++] = '/';
        if (!put_part(buf, size, len, &path->via.array.ptr[i]))
            return false;
    }
    buf[*len] = '\0';
    return true;
}

const char *object_path(const msgpack_object *path, char *buf, size_t size)
{
    char part[256];
    size_t len = 0;

    snprintf(buf, size, "%s", object_count(path) ? "" : "company");
    for (size_t i = 0; i < object_count(path) && len < size; i++)
        len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? "/" : "",
                                object_plain(&path->via.array.ptr[i], part, sizeof part));
    return buf;
}

const char *object_alert_mark(const msgpack_object *alert, char *buf, size_t size)
{
    const msgpack_object *silenced = object_get(alert, "silenced");
    bool is_silenced = object_true(silenced);
    char by[160];

    object_plain(object_get(alert, "acked_by"), by, sizeof by);
    snprintf(buf, size, "%s%s%s%s", is_silenced ? "[silenced] " : "", *by ? "[acked by " : "", by, *by ? "] " : "");
    return buf;
}

/* ---- Packing ---- */

void pack_op(msgpack_packer *packer, const char *op)
{
    msgpack_pack_map(packer, 1);
    pack_text(packer, "op");
    pack_text(packer, op);
}

void pack_text(msgpack_packer *packer, const char *text)
{
    msgpack_pack_str_with_body(packer, text, strlen(text));
}

void pack_list(msgpack_packer *packer, const char *comma_separated)
{
    size_t n = 1;

    for (const char *p = comma_separated; *p; p++)
        n += *p == ',';
    msgpack_pack_array(packer, n);
    for (const char *p = comma_separated;; p++) {
        size_t len = strcspn(p, ",");

        msgpack_pack_str_with_body(packer, p, len);
        p += len;
        if (!*p)
            return;
    }
}
