#include "followed.h"

#include <stdlib.h>
#include <string.h>

void kp_followed_release(struct kp_followed *followed)
{
    for (size_t i = 0; i < followed->n; i++)
        free(followed->asked[i].cuts);
    free(followed->asked);
    memset(followed, 0, sizeof *followed);
}

static bool is_same(const struct kp_prefix *prefix, const char *text, size_t len)
{
    return prefix->len == len && memcmp(prefix->text, text, len) == 0;
}

static void set(struct kp_prefix *prefix, const char *text, size_t len)
{
    memcpy(prefix->text, text, len);
    prefix->len = len;
}

/* NULL: it is not there. */
static struct kp_asked *find(const struct kp_followed *followed, const char *prefix, size_t len)
{
    for (size_t i = 0; i < followed->n; i++)
        if (is_same(&followed->asked[i].prefix, prefix, len))
            return &followed->asked[i];
    return NULL;
}

/* Its place, made where it is not there. NULL: there is no room. */
static struct kp_asked *place(struct kp_followed *followed, const char *prefix, size_t len)
{
    struct kp_asked *asked = find(followed, prefix, len);

    if (asked)
        return asked;
    if (!followed->asked)
        followed->asked = calloc(KP_FOLLOWED_MAX, sizeof *followed->asked);
    if (!followed->asked || len > KP_PREFIX_MAX || followed->n == KP_FOLLOWED_MAX) {
        followed->all = true;
        return NULL;
    }
    asked = &followed->asked[followed->n++];
    memset(asked, 0, sizeof *asked);
    set(&asked->prefix, prefix, len);
    return asked;
}

void kp_followed_ask(struct kp_followed *followed, const char *prefix, size_t len)
{
    struct kp_asked *asked = place(followed, prefix, len);

    if (asked)
        asked->times++;
}

void kp_followed_add(struct kp_followed *followed, const char *prefix, size_t len)
{
    struct kp_asked *asked = place(followed, prefix, len);

    if (!asked)
        return;
    asked->times++;
    asked->whole = true;
}

void kp_followed_add_cut(struct kp_followed *followed, const char *prefix, size_t len, const char *cut, size_t cut_len)
{
    struct kp_asked *asked = find(followed, prefix, len);
    struct kp_prefix *grown;

    if (!asked)
        return;     /* there was no room, so everything is followed */
    for (size_t i = 0; i < asked->ncuts; i++)
        if (is_same(&asked->cuts[i], cut, cut_len))
            return;
    grown = asked->whole || asked->ncuts == KP_CUTS_MAX || cut_len > KP_PREFIX_MAX
                ? NULL
                : realloc(asked->cuts, (asked->ncuts + 1) * sizeof *grown);
    if (!grown) {
        asked->whole = true;
        return;
    }
    asked->cuts = grown;
    set(&grown[asked->ncuts++], cut, cut_len);
}

void kp_followed_remove(struct kp_followed *followed, const char *prefix, size_t len)
{
    struct kp_asked *asked = find(followed, prefix, len);

    if (!asked || --asked->times)
        return;
    free(asked->cuts);
    *asked = followed->asked[--followed->n];
}

bool kp_prefix_begins(const struct kp_prefix *prefix, const char *topic, size_t len)
{
    return prefix->len <= len && memcmp(prefix->text, topic, prefix->len) == 0;
}

static bool has(const struct kp_asked *asked, const char *topic, size_t len)
{
    if (!kp_prefix_begins(&asked->prefix, topic, len))
        return false;
    for (size_t i = 0; i < asked->ncuts && !asked->whole; i++)
        if (kp_prefix_begins(&asked->cuts[i], topic, len))
            return true;
    return asked->whole;
}

bool kp_followed_has(const struct kp_followed *followed, const char *topic, size_t len)
{
    for (size_t i = 0; i < followed->n; i++)
        if (has(&followed->asked[i], topic, len))
            return true;
    return followed->all;
}

bool kp_prefix_meets(const char *a, size_t alen, const char *b, size_t blen)
{
    return memcmp(a, b, alen < blen ? alen : blen) == 0;
}

static bool meets(const struct kp_prefix *prefix, const char *begin, size_t len)
{
    return kp_prefix_meets(prefix->text, prefix->len, begin, len);
}

bool kp_followed_any(const struct kp_followed *followed, const char *begin, size_t len)
{
    for (size_t i = 0; i < followed->n; i++) {
        const struct kp_asked *asked = &followed->asked[i];

        if (asked->whole && meets(&asked->prefix, begin, len))
            return true;
        for (size_t c = 0; c < asked->ncuts; c++)
            if (meets(&asked->cuts[c], begin, len))
                return true;
    }
    return followed->all;
}
