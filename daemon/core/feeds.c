#include "feeds.h"

#include <stdlib.h>
#include <string.h>

enum kp_code kp_feeds_init(struct kp_feeds *feeds, int nkpis, struct kp_err *err)
{
    memset(feeds, 0, sizeof *feeds);
    feeds->nwords = nkpis / 64 + 1;
    feeds->room = 64;
    feeds->words = calloc((size_t)feeds->room * (size_t)feeds->nwords, sizeof *feeds->words);
    if (!feeds->words)
        return kp_fail(err, KP_ENOMEM, "sets of KPIs: out of memory");
    memset(feeds->words + (size_t)KP_FEEDS_ALL * (size_t)feeds->nwords, 0xff, (size_t)feeds->nwords * sizeof *feeds->words);
    feeds->n = KP_FEEDS_ALL + 1;
    return KP_OK;
}

void kp_feeds_release(struct kp_feeds *feeds)
{
    free(feeds->words);
    memset(feeds, 0, sizeof *feeds);
}

static bool grow(struct kp_feeds *feeds)
{
    uint64_t *grown = realloc(feeds->words, (size_t)feeds->room * 2 * (size_t)feeds->nwords * sizeof *grown);

    if (!grown)
        return false;
    feeds->words = grown;
    feeds->room *= 2;
    return true;
}

uint16_t kp_feeds_put(struct kp_feeds *feeds, const uint64_t *bits)
{
    size_t bytes = (size_t)feeds->nwords * sizeof *bits;

    for (int i = 0; i < feeds->n; i++)
        if (memcmp(kp_feeds_bits(feeds, (uint16_t)i), bits, bytes) == 0)
            return (uint16_t)i;
    if (feeds->n > KP_FEEDS_MAX || (feeds->n == feeds->room && !grow(feeds)))
        return KP_FEEDS_ALL;
    memcpy(feeds->words + (size_t)feeds->n * (size_t)feeds->nwords, bits, bytes);
    return (uint16_t)feeds->n++;
}

uint16_t kp_feeds_union(struct kp_feeds *feeds, uint16_t a, uint16_t b)
{
    unsigned at = (a * 31u + b) % KP_FEEDS_UNIONS;
    uint64_t *bits;

    if (feeds->unions[at].a == a && feeds->unions[at].b == b && feeds->unions[at].both)
        return feeds->unions[at].both;
    bits = malloc((size_t)feeds->nwords * sizeof *bits);
    if (!bits)
        return KP_FEEDS_ALL;
    for (int w = 0; w < feeds->nwords; w++)
        bits[w] = kp_feeds_bits(feeds, a)[w] | kp_feeds_bits(feeds, b)[w];
    feeds->unions[at].a = a;
    feeds->unions[at].b = b;
    feeds->unions[at].both = kp_feeds_put(feeds, bits);
    free(bits);
    return feeds->unions[at].both;
}
