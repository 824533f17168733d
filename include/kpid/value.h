/* The values that events carry, and the fixed-point numbers that sums are made of. */
#ifndef KPID_VALUE_H
#define KPID_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kp_kind {
    KP_NIL = 0,     /* also: absent, or a nested map or array, which kpid skips */
    KP_BOOL,
    KP_INT,
    KP_REAL,        /* also an unsigned integer above INT64_MAX; may be NaN or infinite */
    KP_STR,
};

/* One scalar. A string is borrowed bytes, not NUL-terminated, of any content. */
struct kp_value {
    uint8_t kind;       /* enum kp_kind */
    uint32_t len;       /* KP_STR: bytes */
    union {
        bool b;
        int64_t i;
        double f;
        const char *s;
    };
};

struct kp_str {
    const char *s;      /* borrowed, not NUL-terminated */
    uint32_t len;
};

/* Bytes of the UTF-8 character at s, of which `left` > 0 may be read; 0: it is none (RFC 3629: no surrogates, nothing overlong). */
size_t kp_utf8_char(const char *s, size_t left);
/* Is it UTF-8 without a NUL? So are all keys and ids that kpid says again. */
bool kp_text_ok(struct kp_str text);

/* A value as the text that keys are made of; *text lies in buf, or in the value. Returns its length, 0 of what is nil. */
enum { KP_VALUE_TEXT = 32 };
size_t kp_value_text(const struct kp_value *v, char buf[KP_VALUE_TEXT], const char **text);

/* Fixed point: an integer count of millionths. Sums of them are exact in any order. */
#define KP_MICRO 1000000
#define KP_VALUE_MAX INT64_C(9000000000000)     /* 9e12, the largest magnitude a KPI takes */

enum kp_micro_result { KP_MICRO_OK, KP_MICRO_MISSING, KP_MICRO_RANGE };

/* v as millionths, rounded to nearest (ties to even). MISSING: not a number, NaN, infinite.
 * RANGE: beyond +-KP_VALUE_MAX. *micro is set on OK only. */
enum kp_micro_result kp_micro_of(const struct kp_value *v, int64_t *micro);

/* Three-way order of two numbers (KP_INT or KP_REAL), exact across the kinds: -1, 0, 1.
 * 2: not comparable (a NaN, or not both numbers). */
int kp_number_cmp(const struct kp_value *a, const struct kp_value *b);

/* Same kind and same content; an integer equals a real of the same value. */
bool kp_value_eq(const struct kp_value *a, const struct kp_value *b);

__extension__ typedef __int128 kp_i128;
__extension__ typedef unsigned __int128 kp_u128;

/* Millionths to the nearest double. */
double kp_micro_to_double(kp_i128 micro);

#endif
