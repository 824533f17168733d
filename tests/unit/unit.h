/* What every unit test begins with: cmocka, and numbers that look random but are the same on each run. */
#ifndef KPID_TESTS_UNIT_H
#define KPID_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t unit_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* 0 .. n-1 */
static inline uint64_t unit_below(uint64_t *state, uint64_t n)
{
    return unit_random(state) % n;
}

/* 0 .. 1, 1 left out */
static inline double unit_share(uint64_t *state)
{
    return (double)(unit_random(state) >> 11) / 9007199254740992.0;
}

#endif
