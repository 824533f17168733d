#include "nearest.h"

#include <stdint.h>
#include <string.h>

enum { WORD_MAX = 64 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t kp_edit_distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    size_t alen = strlen(a), blen = strlen(b);

    if (alen > WORD_MAX || blen > WORD_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= blen; j++)
        above[j] = before[j] = j;
    for (size_t i = 1; i <= alen; i++) {
        size_t *spare = before;

        row[0] = i;
        for (size_t j = 1; j <= blen; j++) {
            row[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(row[j], least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        before = above;
        above = row;
        row = spare;
    }
    return above[blen];
}

static size_t cut_off(const char *a, const char *b)
{
    size_t alen = strlen(a), blen = strlen(b), third = (alen > blen ? alen : blen) / 3;

    return third ? third : 1;
}

bool kp_near(const char *a, const char *b)
{
    return kp_edit_distance(a, b) <= cut_off(a, b);
}

void kp_nearest_offer(struct kp_nearest *nearest, const char *known)
{
    size_t distance = kp_edit_distance(nearest->word, known);

    if (distance > cut_off(nearest->word, known) || (nearest->best && distance >= nearest->distance))
        return;
    nearest->best = known;
    nearest->distance = distance;
}
