#include "followed.h"

#include <string.h>

/* Its place; n: it is not there. */
static size_t find(const struct kp_followed *followed, const char *prefix, size_t len)
{
    size_t i = 0;

    while (i < followed->n && (followed->prefixes[i].len != len || memcmp(followed->prefixes[i].text, prefix, len) != 0))
        i++;
    return i;
}

void kp_followed_add(struct kp_followed *followed, const char *prefix, size_t len)
{
    struct kp_prefix *next;

    if (find(followed, prefix, len) < followed->n)
        return;
    if (len > KP_PREFIX_MAX || followed->n == KP_FOLLOWED_MAX) {
        followed->all = true;
        return;
    }
    next = &followed->prefixes[followed->n++];
    memcpy(next->text, prefix, len);
    next->len = len;
}

void kp_followed_remove(struct kp_followed *followed, const char *prefix, size_t len)
{
    size_t i = find(followed, prefix, len);

    if (i < followed->n)
        followed->prefixes[i] = followed->prefixes[--followed->n];
}

bool kp_prefix_begins(const struct kp_prefix *prefix, const char *topic, size_t len)
{
    return prefix->len <= len && memcmp(prefix->text, topic, prefix->len) == 0;
}

bool kp_followed_has(const struct kp_followed *followed, const char *topic, size_t len)
{
    for (size_t i = 0; i < followed->n; i++)
        if (kp_prefix_begins(&followed->prefixes[i], topic, len))
            return true;
    return followed->all;
}

bool kp_followed_any(const struct kp_followed *followed, const char *begin, size_t len)
{
    for (size_t i = 0; i < followed->n; i++) {
        const struct kp_prefix *prefix = &followed->prefixes[i];

        if (memcmp(prefix->text, begin, prefix->len < len ? prefix->len : len) == 0)
            return true;
    }
    return followed->all;
}
