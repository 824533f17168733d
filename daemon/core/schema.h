/* Inside of a schema: what the decoders look at for each key. */
#ifndef KPID_CORE_SCHEMA_H
#define KPID_CORE_SCHEMA_H

#include "kpid/event.h"

#include <string.h>

enum { KP_SCHEMA_BITS = 8, KP_SCHEMA_NAME_MAX = 255 };

struct kp_name {
    char *text;         /* owned; NULL: free */
    uint8_t len, slot;
};

struct kp_schema {
    struct kp_name table[1 << KP_SCHEMA_BITS];  /* at most a quarter full */
    const char *names[KP_SLOTS_MAX];            /* borrowed from the table */
    uint64_t string_only;                       /* by slot */
    int count;
};

/* First and last bytes and the length tell the names of a configuration apart well enough. */
static inline uint32_t kp_schema_hash(const char *s, size_t len)
{
    uint64_t a = 0, b = 0;

    if (len >= 8) {
        memcpy(&a, s, 8);
        memcpy(&b, s + len - 8, 8);
    } else if (len >= 4) {
        uint32_t x, y;

        memcpy(&x, s, 4);
        memcpy(&y, s + len - 4, 4);
        a = x;
        b = y;
    } else if (len) {
        a = ((uint64_t)(unsigned char)s[0] << 16) | ((uint64_t)(unsigned char)s[len / 2] << 8) | (unsigned char)s[len - 1];
    }
    return (uint32_t)(((a ^ (b << 9) ^ (b >> 7) ^ len) * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - KP_SCHEMA_BITS));
}

static inline int kp_schema_slot(const struct kp_schema *schema, const char *s, size_t len)
{
    for (uint32_t i = kp_schema_hash(s, len);; i = (i + 1) & ((1u << KP_SCHEMA_BITS) - 1)) {
        const struct kp_name *name = &schema->table[i];

        if (!name->text)
            return -1;
        if (name->len == len && memcmp(name->text, s, len) == 0)
            return name->slot;
    }
}

/* What both formats make of a key's value. `seen` has a bit for each slot that a key has named: the first one wins,
 * also when its value was nil. `bad` keeps the first thing that was wrong. */
struct kp_intake {
    uint64_t seen;
    enum kp_reason bad;     /* KP_ACCEPTED: nothing */
};

enum kp_nested { KP_FLAT, KP_NESTED };      /* was the value a map, an array, or of a kind that events have no use for? */

void kp_intake_value(const struct kp_schema *schema, struct kp_intake *in, struct kp_event *ev, int slot,
                     const struct kp_value *v, enum kp_nested nested, bool is_json);
/* The event is whole: the topic for an absent type, and what is missing. KP_ACCEPTED: it may be used. */
enum kp_reason kp_intake_end(const struct kp_intake *in, struct kp_event *ev, struct kp_str topic);

#endif
