/* A short string in two words, so that two are compared without a call, or a branch on how long they are. */
#ifndef KPID_CORE_ENDS_H
#define KPID_CORE_ENDS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { KP_ENDS_ALL = 16 };      /* strings of up to so many bytes are the same when their lengths and both words are */

struct kp_ends {        /* the bytes of a string of up to 16, packed; the first and last 8 of a longer one */
    uint64_t a, b;
};

static inline uint64_t kp_ends_four(const char *s)
{
    uint32_t word;

    memcpy(&word, s, sizeof word);
    return word;
}

static inline struct kp_ends kp_ends_of(const char *s, uint32_t len)
{
    struct kp_ends e = {0, 0};

    if (len >= 4) {     /* by halves that overlap in a short one: how long words are is as good as random, so no branch on 8 */
        uint32_t half = len >= 8 ? 4 : len - 4;

        e.a = kp_ends_four(s) | kp_ends_four(s + half) << 32;
        e.b = kp_ends_four(s + len - 4 - half) | kp_ends_four(s + len - 4) << 32;
    } else if (len) {
        e.a = ((uint64_t)(unsigned char)s[0] << 16) | ((uint64_t)(unsigned char)s[len / 2] << 8) | (unsigned char)s[len - 1];
    }
    return e;
}

static inline bool kp_ends_equal(struct kp_ends a, struct kp_ends b)
{
    return ((a.a ^ b.a) | (a.b ^ b.b)) == 0;
}

#endif
