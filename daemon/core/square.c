#include "kpid/sketch.h"

#include <math.h>
#include <string.h>

static uint64_t add_word(uint64_t *at, uint64_t v, uint64_t carry)
{
    kp_u128 sum = (kp_u128)*at + v + carry;

    *at = (uint64_t)sum;
    return (uint64_t)(sum >> 64);
}

void kp_square_add(uint64_t sum[3], int64_t micro)
{
    uint64_t size = micro < 0 ? -(uint64_t)micro : (uint64_t)micro;
    kp_u128 square = (kp_u128)size * size;

    sum[2] += add_word(&sum[1], (uint64_t)(square >> 64), add_word(&sum[0], (uint64_t)square, 0));
}

void kp_square_sub(uint64_t sum[3], int64_t micro)
{
    uint64_t square[3] = {0};

    kp_square_add(square, micro);
    kp_square_take(sum, square);
}

void kp_square_take(uint64_t into[3], const uint64_t from[3])
{
    uint64_t borrow = 0;

    for (int k = 0; k < 3; k++) {
        kp_u128 difference = (kp_u128)into[k] - from[k] - borrow;

        into[k] = (uint64_t)difference;
        borrow = (uint64_t)(difference >> 64) & 1;
    }
}

void kp_square_merge(uint64_t into[3], const uint64_t from[3])
{
    uint64_t carry = add_word(&into[0], from[0], 0);

    carry = add_word(&into[1], from[1], carry);
    into[2] += from[2] + carry;
}

/* out += a * b, at word k of four. */
static void add_product(uint64_t out[4], int k, uint64_t a, uint64_t b)
{
    kp_u128 product = (kp_u128)a * b;
    uint64_t carry = add_word(&out[k], (uint64_t)product, 0);

    if (k + 1 < 4)
        carry = add_word(&out[k + 1], (uint64_t)(product >> 64), carry);
    for (int i = k + 2; i < 4 && carry; i++)
        carry = add_word(&out[i], 0, carry);
}

/* (n * squares - sum * sum) / n^2, the difference in 256 exact bits: nothing cancels, equal values give exactly 0. */
double kp_square_stddev(const uint64_t squares[3], kp_i128 sum, uint64_t n)
{
    kp_u128 size = sum < 0 ? -(kp_u128)sum : (kp_u128)sum;
    uint64_t lo = (uint64_t)size, hi = (uint64_t)(size >> 64);
    uint64_t total[4] = {0}, square[4] = {0};
    uint64_t borrow = 0;
    long double variance = 0;

    if (squares[2] >> 63)
        return 0;       /* more was taken back than is there: no spread can be told */
    for (int k = 0; k < 3; k++)
        add_product(total, k, squares[k], n);
    add_product(square, 0, lo, lo);
    add_product(square, 1, lo, hi);
    add_product(square, 1, lo, hi);
    add_product(square, 2, hi, hi);
    for (int k = 0; k < 4; k++) {
        kp_u128 difference = (kp_u128)total[k] - square[k] - borrow;

        total[k] = (uint64_t)difference;
        borrow = (uint64_t)(difference >> 64) & 1;
    }
    if (borrow)
        return 0;
    for (int k = 3; k >= 0; k--)
        variance = variance * 18446744073709551616.0L + (long double)total[k];
    return (double)(sqrtl(variance) / (long double)n / KP_MICRO);
}
