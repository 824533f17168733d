#include "feeds.h"

#include "image.h"

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

/* ---- As bytes ---- */

void kp_feeds_save(const struct kp_feeds *feeds, struct kp_save *save)
{
    kp_save_mark(save, "SETS");
    kp_save_u32(save, (uint32_t)feeds->n);
    kp_save_u32(save, (uint32_t)feeds->nwords);
    kp_save_bytes(save, feeds->words, (size_t)feeds->n * (size_t)feeds->nwords * sizeof *feeds->words);
}

void kp_feeds_load(struct kp_feeds *feeds, struct kp_load *load, struct kp_image_map *map)
{
    uint64_t *bits = calloc((size_t)feeds->nwords, sizeof *bits);
    uint32_t words;

    kp_load_mark(load, "SETS");
    map->nsets = kp_load_count(load, KP_FEEDS_MAX + 1, "sets of KPIs");
    words = kp_load_count(load, KP_IMAGE_KPIS_MAX / 64 + 1, "words of a set of KPIs");
    map->sets = calloc((size_t)map->nsets + 1, sizeof *map->sets);
    if (!bits || !map->sets) {
        map->nsets = 0;
        kp_load_fail(load, "out of memory");
    }
    for (uint32_t s = 0; s < map->nsets && !load->failed; s++) {
        memset(bits, 0, (size_t)feeds->nwords * sizeof *bits);
        for (uint32_t w = 0; w < words && !load->failed; w++) {
            for (uint64_t left = kp_load_u64(load); left; left &= left - 1) {
                int kpi = kp_image_kpi(map, w * 64 + (uint32_t)__builtin_ctzll(left));

                if (kpi >= 0)
                    bits[kpi / 64] |= UINT64_C(1) << (kpi % 64);
            }
        }
        map->sets[s] = s == KP_FEEDS_ALL ? (uint16_t)KP_FEEDS_ALL : kp_feeds_put(feeds, bits);
    }
    free(bits);
}
