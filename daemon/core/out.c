#include "kpid/out.h"

#include "kpid/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <msgpack.h>
#include <yajl/yajl_gen.h>

enum { DEPTH_MAX = 32, BUFFER_KEEP = 1 << 20 };

struct kp_out {
    bool is_json, failed;
    bool is_map[DEPTH_MAX];     /* JSON: what is open, to close it right */
    int depth;
    yajl_gen json;              /* owned */
    msgpack_sbuffer buffer;
    msgpack_packer packer;
};

struct kp_out *kp_out_new(bool json, struct kp_err *err)
{
    struct kp_out *out = calloc(1, sizeof *out);

    if (out) {
        out->is_json = json;
        msgpack_sbuffer_init(&out->buffer);
        msgpack_packer_init(&out->packer, &out->buffer, msgpack_sbuffer_write);
        if (json)
            out->json = yajl_gen_alloc(NULL);
    }
    if (!out || (json && !out->json)) {
        kp_fail(err, KP_ENOMEM, "encoder: out of memory");
        kp_out_destroy(&out);
        return NULL;
    }
    if (json)
        yajl_gen_config(out->json, yajl_gen_validate_utf8, 1);
    return out;
}

void kp_out_destroy(struct kp_out **out)
{
    if (!*out)
        return;
    if ((*out)->json)
        yajl_gen_free((*out)->json);
    msgpack_sbuffer_destroy(&(*out)->buffer);
    free(*out);
    *out = NULL;
}

void kp_out_clear(struct kp_out *out)
{
    if (out->is_json) {
        yajl_gen_reset(out->json, NULL);
        yajl_gen_clear(out->json);
    } else if (out->buffer.alloc > BUFFER_KEEP) {
        msgpack_sbuffer_destroy(&out->buffer);      /* one huge reply must not hold its memory for ever */
        msgpack_sbuffer_init(&out->buffer);
    } else {
        msgpack_sbuffer_clear(&out->buffer);
    }
    out->failed = false;
    out->depth = 0;
}

static void note(struct kp_out *out, bool ok)
{
    if (!ok)
        out->failed = true;
}

static void open(struct kp_out *out, bool is_map)
{
    if (out->depth == DEPTH_MAX) {
        out->failed = true;
        return;
    }
    out->is_map[out->depth++] = is_map;
}

void kp_out_map(struct kp_out *out, size_t entries)
{
    open(out, true);
    note(out, out->is_json ? yajl_gen_map_open(out->json) == yajl_gen_status_ok
                           : msgpack_pack_map(&out->packer, entries) == 0);
}

void kp_out_array(struct kp_out *out, size_t entries)
{
    open(out, false);
    note(out, out->is_json ? yajl_gen_array_open(out->json) == yajl_gen_status_ok
                           : msgpack_pack_array(&out->packer, entries) == 0);
}

void kp_out_end(struct kp_out *out)
{
    if (out->depth == 0) {
        out->failed = true;
        return;
    }
    out->depth--;
    if (out->is_json)
        note(out, (out->is_map[out->depth] ? yajl_gen_map_close(out->json) : yajl_gen_array_close(out->json)) ==
                      yajl_gen_status_ok);
}

static void put_repaired(struct kp_out *out, const char *s, size_t len)
{
    char *copy = malloc(len * 3 + 1);
    size_t n = 0;

    for (size_t i = 0; copy && i < len;) {
        size_t k = kp_utf8_char(s + i, len - i);

        if (k) {
            memcpy(copy + n, s + i, k);
            n += k;
        } else {
            memcpy(copy + n, "\xEF\xBF\xBD", 3);
            n += 3;
        }
        i += k ? k : 1;
    }
    note(out, copy && yajl_gen_string(out->json, (const unsigned char *)copy, n) == yajl_gen_status_ok);
    free(copy);
}

void kp_out_str(struct kp_out *out, const char *s, size_t len)
{
    yajl_gen_status status;

    if (!out->is_json) {
        note(out, msgpack_pack_str(&out->packer, len) == 0 && msgpack_pack_str_body(&out->packer, s, len) == 0);
        return;
    }
    status = yajl_gen_string(out->json, (const unsigned char *)s, len);
    if (status == yajl_gen_invalid_string)
        put_repaired(out, s, len);
    else
        note(out, status == yajl_gen_status_ok);
}

void kp_out_text(struct kp_out *out, const char *text)
{
    if (text)
        kp_out_str(out, text, strlen(text));
    else
        kp_out_nil(out);
}

void kp_out_int(struct kp_out *out, int64_t v)
{
    note(out, out->is_json ? yajl_gen_integer(out->json, v) == yajl_gen_status_ok
                           : msgpack_pack_int64(&out->packer, v) == 0);
}

void kp_out_uint(struct kp_out *out, uint64_t v)
{
    char text[24];

    if (!out->is_json) {
        note(out, msgpack_pack_uint64(&out->packer, v) == 0);
        return;
    }
    snprintf(text, sizeof text, "%llu", (unsigned long long)v);
    note(out, yajl_gen_number(out->json, text, strlen(text)) == yajl_gen_status_ok);
}

void kp_out_real(struct kp_out *out, double v)
{
    char text[40];

    if (!isfinite(v)) {
        kp_out_nil(out);
        return;
    }
    if (v == floor(v) && fabs(v) < 9e15) {
        kp_out_int(out, (int64_t)v);
        return;
    }
    if (!out->is_json) {
        note(out, msgpack_pack_double(&out->packer, v) == 0);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    note(out, yajl_gen_number(out->json, text, strlen(text)) == yajl_gen_status_ok);
}

void kp_out_bool(struct kp_out *out, bool v)
{
    note(out, out->is_json ? yajl_gen_bool(out->json, v) == yajl_gen_status_ok
                           : (v ? msgpack_pack_true(&out->packer) : msgpack_pack_false(&out->packer)) == 0);
}

void kp_out_nil(struct kp_out *out)
{
    note(out, out->is_json ? yajl_gen_null(out->json) == yajl_gen_status_ok : msgpack_pack_nil(&out->packer) == 0);
}

const void *kp_out_bytes(struct kp_out *out, size_t *len)
{
    const unsigned char *text = NULL;

    *len = 0;
    if (out->failed || out->depth)
        return NULL;
    if (!out->is_json) {
        *len = out->buffer.size;
        return out->buffer.data;
    }
    return yajl_gen_get_buf(out->json, &text, len) == yajl_gen_status_ok ? text : NULL;
}
