/* Bytes out and bytes in, for what an engine is saved as: little-endian integers of fixed width, texts with their length
 * before them. Buffered; errors are kept, so whoever writes or reads many values asks once, at the end.
 *
 * What is read is not trusted: a count is checked against the most that the caller allows before anything is made for it, and
 * after a failure every value is 0 and every text empty. */
#ifndef KPID_CORE_STREAM_H
#define KPID_CORE_STREAM_H

#include "kpid/err.h"
#include "kpid/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KP_STREAM_BUF = 64 * 1024 };

/* ---- Saving ---- */
/* No memory is taken: it may run in a process that was forked off. */
struct kp_save {
    bool (*write)(void *ctx, const void *bytes, size_t len);    /* false: it failed, and nothing more is written */
    void *ctx;
    bool failed;
    size_t n;               /* bytes in buf */
    unsigned char buf[KP_STREAM_BUF];
};
void kp_save_begin(struct kp_save *save, bool (*write)(void *ctx, const void *bytes, size_t len), void *ctx);
/* Write what is still held; false: something has failed. */
bool kp_save_end(struct kp_save *save);

void kp_save_bytes(struct kp_save *save, const void *bytes, size_t len);
void kp_save_u8(struct kp_save *save, uint8_t v);
void kp_save_u16(struct kp_save *save, uint16_t v);
void kp_save_u32(struct kp_save *save, uint32_t v);
void kp_save_u64(struct kp_save *save, uint64_t v);
void kp_save_i64(struct kp_save *save, int64_t v);
void kp_save_f64(struct kp_save *save, double v);
void kp_save_text(struct kp_save *save, struct kp_str text);

/* ---- Loading ---- */
struct kp_load {
    size_t (*read)(void *ctx, void *buf, size_t most);      /* at least 1 byte; 0: the end, or it failed */
    void *ctx;
    struct kp_err *err;     /* what failed first; may be NULL */
    bool failed;
    size_t at, n;           /* of buf */
    unsigned char buf[KP_STREAM_BUF];
};
void kp_load_begin(struct kp_load *load, size_t (*read)(void *ctx, void *buf, size_t most), void *ctx, struct kp_err *err);
/* It is not what it should be. The first one counts; returns KP_EINVAL. */
enum kp_code kp_load_fail(struct kp_load *load, const char *fmt, ...) KP_PRINTF(2, 3);

void kp_load_bytes(struct kp_load *load, void *to, size_t len);
uint8_t kp_load_u8(struct kp_load *load);
uint16_t kp_load_u16(struct kp_load *load);
uint32_t kp_load_u32(struct kp_load *load);
uint64_t kp_load_u64(struct kp_load *load);
int64_t kp_load_i64(struct kp_load *load);
double kp_load_f64(struct kp_load *load);
/* A number that is at most `most`, else it fails and is 0. what: its name in the error. */
uint32_t kp_load_count(struct kp_load *load, uint32_t most, const char *what);
/* Into buf, NUL-terminated; a text of size bytes or more fails. The result lies in buf. */
struct kp_str kp_load_text(struct kp_load *load, char *buf, size_t size, const char *what);
/* A mark that kp_save_u32 wrote of the same four letters: what follows is that part. */
void kp_save_mark(struct kp_save *save, const char letters[4]);
void kp_load_mark(struct kp_load *load, const char letters[4]);

#endif
