/* The known word that a misspelt one was probably meant to be. */
#ifndef KPID_NEAREST_H
#define KPID_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

/* Edits between two words: insertions, deletions, replacements and swaps of neighbours, each character edited once
 * at most (the optimal string alignment form of Damerau-Levenshtein). SIZE_MAX when one is over 64 bytes. */
size_t kp_edit_distance(const char *a, const char *b);

/* Is b within a third of the longer one's length (but at least one edit) of a? */
bool kp_near(const char *a, const char *b);

/* The nearest of many, offered one by one. */
struct kp_nearest {
    const char *word;       /* borrowed */
    const char *best;       /* borrowed from what was offered; NULL: nothing is near */
    size_t distance;
};
void kp_nearest_offer(struct kp_nearest *nearest, const char *known);

#endif
