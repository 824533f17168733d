/* What subscribers follow: the prefixes of topics that they have asked for, so that nothing is made that nobody wants.
 *
 * An XPUB socket with ZMQ_XPUB_MANUAL tells each time that somebody begins to follow a prefix, and each time that somebody ends,
 * but not always who. So what is counted is how often a prefix was asked for; and where somebody who asked may only see a part
 * of it, that part (its cuts) is followed until nobody asks for the prefix any more. Bounded: a prefix that finds no room, or
 * is too long, makes it follow everything from then on, for it cannot be told when that one ends. */
#ifndef KPID_FOLLOWED_H
#define KPID_FOLLOWED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KP_FOLLOWED_MAX = 256, KP_PREFIX_MAX = 512, KP_CUTS_MAX = 48 /* of a prefix; with more the whole of it is followed */ };

struct kp_prefix {
    size_t len;
    char text[KP_PREFIX_MAX];
};

struct kp_asked {
    struct kp_prefix prefix;
    uint32_t times;
    bool whole;
    size_t ncuts;
    struct kp_prefix *cuts;     /* owned; each begins with the prefix */
};

struct kp_followed {            /* empty when all bytes are zero */
    size_t n;
    bool all;                   /* there was one that is not among those asked for */
    struct kp_asked *asked;     /* owned; KP_FOLLOWED_MAX */
};

void kp_followed_release(struct kp_followed *followed);

/* Somebody has asked for that, whatever comes of it: it is told again when they end. */
void kp_followed_ask(struct kp_followed *followed, const char *prefix, size_t len);
/* They asked for it, and follow all that begins so. */
void kp_followed_add(struct kp_followed *followed, const char *prefix, size_t len);
/* One who has asked for it gets of it what begins with `cut`, which begins with the prefix. */
void kp_followed_add_cut(struct kp_followed *followed, const char *prefix, size_t len, const char *cut, size_t cut_len);
/* One of those who asked for it has ended. */
void kp_followed_remove(struct kp_followed *followed, const char *prefix, size_t len);

/* Does anybody follow this topic? */
bool kp_followed_has(const struct kp_followed *followed, const char *topic, size_t len);

/* Might anybody follow a topic that begins so? */
bool kp_followed_any(const struct kp_followed *followed, const char *begin, size_t len);

/* Does the topic begin with the prefix? */
bool kp_prefix_begins(const struct kp_prefix *prefix, const char *topic, size_t len);
/* Does one of two texts begin with the other? */
bool kp_prefix_meets(const char *a, size_t alen, const char *b, size_t blen);

#endif
