/* What subscribers follow: the prefixes of topics that they have asked for, so that nothing is made that nobody wants.
 *
 * A set, as an XPUB socket with ZMQ_XPUB_VERBOSE tells it: a prefix comes as often as anybody subscribes to it, and goes
 * once, when the last of them has left. Bounded: one that finds no room, or is too long, makes it follow everything from
 * then on, for it cannot be told when that one ends. */
#ifndef KPID_FOLLOWED_H
#define KPID_FOLLOWED_H

#include <stdbool.h>
#include <stddef.h>

enum { KP_FOLLOWED_MAX = 256, KP_PREFIX_MAX = 512 };

struct kp_prefix {
    size_t len;
    char text[KP_PREFIX_MAX];
};

struct kp_followed {            /* empty when all bytes are zero */
    size_t n;
    bool all;                   /* there was one that is not among the prefixes */
    struct kp_prefix prefixes[KP_FOLLOWED_MAX];
};

void kp_followed_add(struct kp_followed *followed, const char *prefix, size_t len);
void kp_followed_remove(struct kp_followed *followed, const char *prefix, size_t len);

/* Does anybody follow this topic? */
bool kp_followed_has(const struct kp_followed *followed, const char *topic, size_t len);

/* Might anybody follow a topic that begins so? */
bool kp_followed_any(const struct kp_followed *followed, const char *begin, size_t len);

/* Does the topic begin with the prefix? */
bool kp_prefix_begins(const struct kp_prefix *prefix, const char *topic, size_t len);

#endif
