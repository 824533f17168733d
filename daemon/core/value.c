#include "kpid/value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum kp_micro_result kp_micro_of(const struct kp_value *v, int64_t *micro)
{
    if (v->kind == KP_INT) {
        if (v->i < -KP_VALUE_MAX || v->i > KP_VALUE_MAX)
            return KP_MICRO_RANGE;
        *micro = v->i * KP_MICRO;
        return KP_MICRO_OK;
    }
    if (v->kind != KP_REAL || !isfinite(v->f))
        return KP_MICRO_MISSING;
    if (fabs(v->f) > (double)KP_VALUE_MAX)
        return KP_MICRO_RANGE;
    /* In long double, so that a double of six decimals lands on the millionth that was written. */
    *micro = llrintl((long double)v->f * KP_MICRO);
    return KP_MICRO_OK;
}

static int cmp_int_real(int64_t i, double f)
{
    /* Beyond the range of int64 the sign of f decides; within it, compare whole parts as integers. */
    if (f >= 9223372036854775808.0)
        return -1;
    if (f < -9223372036854775808.0)
        return 1;
    int64_t whole = (int64_t)f;

    if (i != whole)
        return i < whole ? -1 : 1;
    double rest = f - (double)whole;

    return rest > 0 ? -1 : rest < 0 ? 1 : 0;
}

int kp_number_cmp(const struct kp_value *a, const struct kp_value *b)
{
    if ((a->kind == KP_REAL && isnan(a->f)) || (b->kind == KP_REAL && isnan(b->f)))
        return 2;
    if (a->kind == KP_INT && b->kind == KP_INT)
        return a->i < b->i ? -1 : a->i > b->i;
    if (a->kind == KP_REAL && b->kind == KP_REAL)
        return a->f < b->f ? -1 : a->f > b->f;
    if (a->kind == KP_INT && b->kind == KP_REAL)
        return cmp_int_real(a->i, b->f);
    if (a->kind == KP_REAL && b->kind == KP_INT)
        return -cmp_int_real(b->i, a->f);
    return 2;
}

bool kp_value_eq(const struct kp_value *a, const struct kp_value *b)
{
    if (a->kind == KP_STR && b->kind == KP_STR)
        return a->len == b->len && (a->len == 0 || memcmp(a->s, b->s, a->len) == 0);
    if (a->kind == KP_BOOL && b->kind == KP_BOOL)
        return a->b == b->b;
    return kp_number_cmp(a, b) == 0;
}

size_t kp_value_text(const struct kp_value *v, char buf[KP_VALUE_TEXT], const char **text)
{
    *text = buf;
    switch (v->kind) {
    case KP_STR:
        *text = v->s;
        return v->len;
    case KP_BOOL:
        *text = v->b ? "true" : "false";
        return v->b ? 4 : 5;
    case KP_INT:
        return (size_t)snprintf(buf, KP_VALUE_TEXT, "%" PRId64, v->i);
    case KP_REAL:
        if (v->f == floor(v->f) && fabs(v->f) < 9e15)     /* 5.0 and 5 are the same key */
            return (size_t)snprintf(buf, KP_VALUE_TEXT, "%.0f", v->f == 0 ? 0.0 : v->f);
        return (size_t)snprintf(buf, KP_VALUE_TEXT, "%.17g", v->f);
    default:
        return 0;
    }
}

size_t kp_utf8_char(const char *s, size_t left)
{
    const unsigned char *p = (const unsigned char *)s;
    unsigned char low = 0x80, high = 0xBF;
    size_t len;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    len = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (p[0] == 0xE0)
        low = 0xA0;
    else if (p[0] == 0xED)
        high = 0x9F;
    else if (p[0] == 0xF0)
        low = 0x90;
    else if (p[0] == 0xF4)
        high = 0x8F;
    if (len > left || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return len;
}

bool kp_text_ok(struct kp_str text)
{
    for (uint32_t i = 0; i < text.len;) {
        size_t len = text.s[i] ? kp_utf8_char(text.s + i, text.len - i) : 0;

        if (len == 0)
            return false;
        i += (uint32_t)len;
    }
    return true;
}

/* Rounded once, so what was written with up to six decimals comes back as the nearest double to it. Beyond 2^53
 * millionths by an integer quotient of at least 56 bits whose last one also says whether there was a rest. */
double kp_micro_to_double(kp_i128 micro)
{
    kp_u128 size = micro < 0 ? -(kp_u128)micro : (kp_u128)micro, quotient;
    int shift = 0;
    double v;

    if (size <= UINT64_C(1) << 53)
        return (double)micro / KP_MICRO;
    while (size >> 76 == 0) {
        size <<= 1;
        shift++;
    }
    quotient = size / KP_MICRO;
    if (size % KP_MICRO)
        quotient |= 1;
    v = ldexp((double)quotient, -shift);
    return micro < 0 ? -v : v;
}
