#include "stream.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "what is saved is little-endian");

/* ---- Saving ---- */

void kp_save_begin(struct kp_save *save, bool (*write)(void *ctx, const void *bytes, size_t len), void *ctx)
{
    save->write = write;
    save->ctx = ctx;
    save->failed = false;
    save->n = 0;
}

static void empty(struct kp_save *save)
{
    if (save->n && !save->failed)
        save->failed = !save->write(save->ctx, save->buf, save->n);
    save->n = 0;
}

bool kp_save_end(struct kp_save *save)
{
    empty(save);
    return !save->failed;
}

void kp_save_bytes(struct kp_save *save, const void *bytes, size_t len)
{
    const unsigned char *from = bytes;

    while (len) {
        size_t part = KP_STREAM_BUF - save->n;

        part = len < part ? len : part;
        memcpy(save->buf + save->n, from, part);
        save->n += part;
        from += part;
        len -= part;
        if (save->n == KP_STREAM_BUF)
            empty(save);
    }
}

void kp_save_u8(struct kp_save *save, uint8_t v)
{
    kp_save_bytes(save, &v, sizeof v);
}

void kp_save_u16(struct kp_save *save, uint16_t v)
{
    kp_save_bytes(save, &v, sizeof v);
}

void kp_save_u32(struct kp_save *save, uint32_t v)
{
    kp_save_bytes(save, &v, sizeof v);
}

void kp_save_u64(struct kp_save *save, uint64_t v)
{
    kp_save_bytes(save, &v, sizeof v);
}

void kp_save_i64(struct kp_save *save, int64_t v)
{
    kp_save_bytes(save, &v, sizeof v);
}

void kp_save_f64(struct kp_save *save, double v)
{
    kp_save_bytes(save, &v, sizeof v);
}

void kp_save_text(struct kp_save *save, struct kp_str text)
{
    kp_save_u32(save, text.len);
    if (text.len)
        kp_save_bytes(save, text.s, text.len);
}

void kp_save_mark(struct kp_save *save, const char letters[4])
{
    kp_save_bytes(save, letters, 4);
}

/* ---- Loading ---- */

void kp_load_begin(struct kp_load *load, size_t (*read)(void *ctx, void *buf, size_t most), void *ctx, struct kp_err *err)
{
    load->read = read;
    load->ctx = ctx;
    load->err = err;
    load->failed = false;
    load->at = load->n = 0;
}

enum kp_code kp_load_fail(struct kp_load *load, const char *fmt, ...)
{
    char text[200];
    va_list args;

    if (load->failed)
        return KP_EINVAL;
    load->failed = true;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return kp_fail(load->err, KP_EINVAL, "%s", text);
}

void kp_load_bytes(struct kp_load *load, void *to, size_t len)
{
    unsigned char *at = to;

    while (len && !load->failed) {
        size_t part = load->n - load->at;

        if (part == 0) {
            load->at = 0;
            load->n = load->read(load->ctx, load->buf, KP_STREAM_BUF);
            if (load->n == 0 || load->n > KP_STREAM_BUF) {
                load->n = 0;
                kp_load_fail(load, "it ends too early");
            }
            continue;
        }
        part = len < part ? len : part;
        memcpy(at, load->buf + load->at, part);
        load->at += part;
        at += part;
        len -= part;
    }
    if (len)
        memset(at, 0, len);
}

uint8_t kp_load_u8(struct kp_load *load)
{
    uint8_t v;

    kp_load_bytes(load, &v, sizeof v);
    return v;
}

uint16_t kp_load_u16(struct kp_load *load)
{
    uint16_t v;

    kp_load_bytes(load, &v, sizeof v);
    return v;
}

uint32_t kp_load_u32(struct kp_load *load)
{
    uint32_t v;

    kp_load_bytes(load, &v, sizeof v);
    return v;
}

uint64_t kp_load_u64(struct kp_load *load)
{
    uint64_t v;

    kp_load_bytes(load, &v, sizeof v);
    return v;
}

int64_t kp_load_i64(struct kp_load *load)
{
    int64_t v;

    kp_load_bytes(load, &v, sizeof v);
    return v;
}

double kp_load_f64(struct kp_load *load)
{
    double v;

    kp_load_bytes(load, &v, sizeof v);
    return v;
}

uint32_t kp_load_count(struct kp_load *load, uint32_t most, const char *what)
{
    uint32_t n = kp_load_u32(load);

    if (n <= most)
        return n;
    kp_load_fail(load, "%s: %u, and at most %u can be", what, n, most);
    return 0;
}

struct kp_str kp_load_text(struct kp_load *load, char *buf, size_t size, const char *what)
{
    uint32_t len = kp_load_count(load, (uint32_t)size - 1, what);

    kp_load_bytes(load, buf, len);
    if (load->failed)
        len = 0;
    buf[len] = '\0';
    return (struct kp_str){buf, len};
}

void kp_load_mark(struct kp_load *load, const char letters[4])
{
    char got[4];

    kp_load_bytes(load, got, sizeof got);
    if (memcmp(got, letters, sizeof got) != 0)
        kp_load_fail(load, "the part %.4s should begin here, and does not", letters);
}
