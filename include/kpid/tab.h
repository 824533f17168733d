/* A hash table from 96-bit fingerprints to one 32-bit word, with a stamp, that never pauses.
 *
 * Extendible hashing (Fagin et al., ACM TODS 4(3), 1979): a directory of segments of 32 KiB; a full segment
 * is split alone, so the longest pause is the splitting of one segment, whatever the size of the table.
 * Keys themselves are not kept: two keys are the same when 96 bits of a seeded XXH3-128 are, which for a
 * hundred million keys goes wrong once in 10^13 tables.
 *
 * An entry costs 16 bytes / load; the load stays between 0.4 and 0.8 once the first segment has filled. */
#ifndef KPID_TAB_H
#define KPID_TAB_H

#include "kpid/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_print {           /* a fingerprint */
    uint64_t hi;
    uint32_t lo;
};

/* Fingerprint of bytes in a namespace of its own (0, 1, 2, ...), under the seed. */
struct kp_print kp_print_of(uint64_t seed, uint32_t space, const void *bytes, size_t len);
/* ... of two strings, so that ("ab","c") and ("a","bc") differ. */
struct kp_print kp_print_of2(uint64_t seed, uint32_t space, const void *a, size_t alen, const void *b, size_t blen);

struct kp_tab;

struct kp_tab *kp_tab_new(struct kp_err *err) KP_CHECK;
void kp_tab_destroy(struct kp_tab **tab);

/* What a kp_tab_find of this print will read first: for __builtin_prefetch. */
const void *kp_tab_line(const struct kp_tab *tab, struct kp_print print);

/* The word kept for the print, or NULL. Valid until the next insertion or removal. */
uint32_t *kp_tab_find(const struct kp_tab *tab, struct kp_print print);

/* Keep a word for a print that is not there. KP_ENOMEM: the table is as it was. */
enum kp_code kp_tab_insert(struct kp_tab *tab, struct kp_print print, uint32_t word) KP_CHECK;

/* True when it was there. */
bool kp_tab_remove(struct kp_tab *tab, struct kp_print print);

size_t kp_tab_count(const struct kp_tab *tab);
size_t kp_tab_bytes(const struct kp_tab *tab);      /* memory held */

#endif
