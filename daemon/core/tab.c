#include "segment.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static struct kp_print print_of(XXH128_hash_t hash)
{
    return (struct kp_print){hash.high64, (uint32_t)hash.low64 ? (uint32_t)hash.low64 : 1};
}

struct kp_print kp_print_of(uint64_t seed, uint32_t space, const void *bytes, size_t len)
{
    return print_of(XXH3_128bits_withSeed(bytes, len, seed + space * UINT64_C(0x9E3779B97F4A7C15)));
}

/* The first string's hash is the seed of the second's: no copy, and the border between them counts. */
struct kp_print kp_print_of2(uint64_t seed, uint32_t space, const void *a, size_t alen, const void *b, size_t blen)
{
    uint64_t first = XXH3_64bits_withSeed(a, alen, seed + space * UINT64_C(0x9E3779B97F4A7C15));

    return print_of(XXH3_128bits_withSeed(b, blen, first));
}

struct kp_tab {
    struct kp_directory dir;
};

struct kp_tab *kp_tab_new(struct kp_err *err)
{
    struct kp_tab *tab = calloc(1, sizeof *tab);

    if (!tab) {
        kp_fail(err, KP_ENOMEM, "table: out of memory");
        return NULL;
    }
    if (kp_directory_init(&tab->dir, err))
        kp_tab_destroy(&tab);
    return tab;
}

void kp_tab_destroy(struct kp_tab **tab)
{
    if (!*tab)
        return;
    kp_directory_release(&(*tab)->dir);
    free(*tab);
    *tab = NULL;
}

const void *kp_tab_line(const struct kp_tab *tab, struct kp_print print)
{
    return kp_directory_line(&tab->dir, print);
}

uint32_t *kp_tab_find(const struct kp_tab *tab, struct kp_print print)
{
    struct kp_entry *entry = kp_segment_find(kp_directory_segment(&tab->dir, print), print);

    return entry ? &entry->word : NULL;
}

enum kp_code kp_tab_insert(struct kp_tab *tab, struct kp_print print, uint32_t word)
{
    struct kp_segment *seg = kp_directory_segment(&tab->dir, print);

    while (seg->count >= KP_SEGMENT_FULL) {
        if (kp_directory_split(&tab->dir, print))
            return KP_ENOMEM;
        seg = kp_directory_segment(&tab->dir, print);
    }
    kp_segment_put(seg, print, word);
    tab->dir.count++;
    return KP_OK;
}

bool kp_tab_remove(struct kp_tab *tab, struct kp_print print)
{
    struct kp_segment *seg = kp_directory_segment(&tab->dir, print);
    struct kp_entry *entry = kp_segment_find(seg, print);

    if (!entry)
        return false;
    kp_segment_remove(seg, entry);
    tab->dir.count--;
    return true;
}

size_t kp_tab_count(const struct kp_tab *tab)
{
    return tab->dir.count;
}

size_t kp_tab_bytes(const struct kp_tab *tab)
{
    return sizeof *tab + kp_directory_bytes(&tab->dir);
}
