/* Quantiles, distinct counts and exact squares against plain lists of the same values. */
#include "unit.h"

#include "kpid/sketch.h"

#include <math.h>


static int open_slab(void **state)
{
    *state = kp_slab_new(NULL);
    return *state ? 0 : -1;
}

/* Every blob is given back by then. */
static int close_slab(void **state)
{
    struct kp_slab *slab = *state;
    size_t used = kp_slab_used(slab);

    kp_slab_destroy(&slab);
    return used ? -1 : 0;
}

/* ---- Quantiles ---- */

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static int64_t nearest_rank(const int64_t *sorted, size_t n, double p)
{
    size_t thousandths = (size_t)lrint(p * 1000), rank = (thousandths * n + 999) / 1000;

    return sorted[rank < 1 ? 0 : rank - 1];
}

static void assert_within_one_percent(double got, int64_t exact_micro)
{
    double exact = (double)exact_micro / KP_MICRO;

    if (fabs(got - exact) > 0.01 * fabs(exact) * (1 + 1e-9))
        fail_msg("%g instead of %g", got, exact);
}

static void every_bin_is_within_one_percent(void **state)
{
    static const int64_t edges[] = {1, 2, 3, 1000000, 999999, KP_VALUE_MAX, INT64_C(9000000000000000000), -1, -5};
    uint64_t seed = 1;

    for (int i = 0; i < 20000; i++) {
        int64_t micro = (int64_t)(unit_random(&seed) >> (1 + unit_below(&seed, 62)));
        struct kp_quant *q = NULL;

        if (i < (int)COUNT_OF(edges))
            micro = edges[i];
        else if (unit_below(&seed, 2))
            micro = -micro;
        assert_int_equal(kp_quant_add(&q, *state, kp_quant_bin(micro)), KP_OK);
        assert_within_one_percent(kp_quant_value(q, 0.5), micro);
        kp_quant_free(&q, *state);
    }
}

static void bins_rise_with_values(void **state)
{
    int32_t before = kp_quant_bin(0);

    (void)state;
    assert_int_equal(before, 0);
    for (int64_t v = 1; v > 0 && v < INT64_C(9000000000000000000); v += v / 300 + 1) {
        int32_t bin = kp_quant_bin(v);

        assert_true(bin >= before && bin > 0);
        assert_int_equal(kp_quant_bin(-v), -bin);
        before = bin;
    }
    assert_true(before < 2300);
}

/* A value from one of a few distributions: narrow, wide, with zeros and signs. */
static int64_t draw(uint64_t *seed, int kind)
{
    double u = unit_share(seed);

    switch (kind) {
    case 0:
        return (int64_t)(u * 100 * KP_MICRO);
    case 1:
        return (int64_t)(exp(u * 40));
    case 2:
        return (int64_t)((u - 0.5) * 2e9);
    case 3:
        return unit_below(seed, 3) ? 0 : (int64_t)(u * 5) * KP_MICRO;
    default:
        return 7 * KP_MICRO;
    }
}

static void quantiles_are_within_one_percent_of_the_nearest_rank(void **state)
{
    static const double shares[] = {0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1};
    static const size_t sizes[] = {1, 2, 3, 10, 97, 1000, 20000};
    int64_t *values = malloc(20000 * sizeof *values);
    uint64_t seed = 2;

    for (int kind = 0; kind < 5; kind++) {
        for (size_t s = 0; s < COUNT_OF(sizes); s++) {
            struct kp_quant *q = NULL;

            for (size_t i = 0; i < sizes[s]; i++) {
                values[i] = draw(&seed, kind);
                assert_int_equal(kp_quant_add(&q, *state, kp_quant_bin(values[i])), KP_OK);
            }
            assert_int_equal(kp_quant_count(q), sizes[s]);
            qsort(values, sizes[s], sizeof *values, by_value);
            for (size_t k = 0; k < COUNT_OF(shares); k++)
                assert_within_one_percent(kp_quant_value(q, shares[k]), nearest_rank(values, sizes[s], shares[k]));
            kp_quant_free(&q, *state);
        }
    }
    free(values);
}

static void a_p_that_binary_cannot_hold_takes_the_rank_people_expect(void **state)
{
    struct kp_quant *q = NULL;

    for (int i = 1; i <= 100; i++)
        assert_int_equal(kp_quant_add(&q, *state, kp_quant_bin((int64_t)i * KP_MICRO)), KP_OK);
    for (int p = 1; p <= 99; p++)
        assert_within_one_percent(kp_quant_value(q, p / 100.0), (int64_t)p * KP_MICRO);
    kp_quant_free(&q, *state);
}

static void quantiles_do_not_depend_on_order_or_split(void **state)
{
    enum { N = 3000, PARTS = 17 };
    uint64_t seed = 3;

    for (int kind = 0; kind < 5; kind++) {
        struct kp_quant *whole = NULL, *parts[PARTS] = {0}, *merged = NULL;

        for (int i = 0; i < N; i++) {
            int32_t bin = kp_quant_bin(draw(&seed, kind));

            assert_int_equal(kp_quant_add(&whole, *state, bin), KP_OK);
            assert_int_equal(kp_quant_add(&parts[unit_below(&seed, i % 2 ? PARTS : 2)], *state, bin), KP_OK);
        }
        for (int i = PARTS - 1; i >= 0; i--)
            assert_int_equal(kp_quant_merge(&merged, *state, parts[i]), KP_OK);
        assert_int_equal(kp_quant_count(merged), N);
        for (double p = 0; p <= 1; p += 0.01)
            assert_true(kp_quant_value(merged, p) == kp_quant_value(whole, p));
        for (int i = 0; i < PARTS; i++)
            kp_quant_free(&parts[i], *state);
        kp_quant_free(&whole, *state);
        kp_quant_free(&merged, *state);
    }
}

/* Merging with itself doubled 40 times passes what a sparse count of 32 bits holds. */
static void counts_pass_32_bits(void **state)
{
    struct kp_quant *q = NULL, *copy = NULL;

    assert_int_equal(kp_quant_add(&q, *state, kp_quant_bin(KP_MICRO)), KP_OK);
    assert_int_equal(kp_quant_add(&q, *state, kp_quant_bin(5 * KP_MICRO)), KP_OK);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(kp_quant_merge(&copy, *state, q), KP_OK);
        assert_int_equal(kp_quant_merge(&q, *state, copy), KP_OK);
        kp_quant_free(&copy, *state);
    }
    assert_int_equal(kp_quant_count(q), UINT64_C(2) << 40);
    assert_within_one_percent(kp_quant_value(q, 0.5), KP_MICRO);
    assert_within_one_percent(kp_quant_value(q, 0.51), 5 * KP_MICRO);
    assert_int_equal(kp_quant_merge(&copy, *state, q), KP_OK);
    assert_int_equal(kp_quant_count(copy), UINT64_C(2) << 40);
    kp_quant_free(&copy, *state);
    kp_quant_free(&q, *state);
}

static void nothing_merged_is_nothing(void **state)
{
    struct kp_quant *q = NULL;
    struct kp_distinct *d = NULL;

    assert_int_equal(kp_quant_merge(&q, *state, NULL), KP_OK);
    assert_int_equal(kp_quant_count(q), 0);
    kp_quant_free(&q, *state);
    assert_int_equal(kp_distinct_merge(&d, *state, NULL), KP_OK);
    assert_true(kp_distinct_count(d) == 0);
    kp_distinct_free(&d, *state);
}

/* ---- Distinct ---- */

static void distinct_is_exact_up_to_its_limit(void **state)
{
    uint64_t seed = 4, hashes[KP_DISTINCT_EXACT];
    struct kp_distinct *d = NULL;

    assert_true(kp_distinct_count(NULL) == 0);
    for (int i = 0; i < KP_DISTINCT_EXACT; i++) {
        hashes[i] = i ? unit_random(&seed) : 0;
        for (int again = 0; again < 3; again++)
            assert_int_equal(kp_distinct_add(&d, *state, hashes[unit_below(&seed, (uint64_t)i + 1)]), KP_OK);
        assert_int_equal(kp_distinct_add(&d, *state, hashes[i]), KP_OK);
        assert_true(kp_distinct_count(d) == i + 1);
    }
    kp_distinct_free(&d, *state);
}

/* 1.6 % standard error: the mean square over many sets shows it, and no single one is beyond five of them. */
static void distinct_beyond_is_within_its_error(void **state)
{
    static const int sizes[] = {300, 1000, 4000, 12000, 50000};
    uint64_t seed = 5;

    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        double squares = 0;

        for (int round = 0; round < 20; round++) {
            struct kp_distinct *d = NULL;
            double error;

            for (int i = 0; i < sizes[s]; i++)
                assert_int_equal(kp_distinct_add(&d, *state, unit_random(&seed)), KP_OK);
            error = kp_distinct_count(d) / sizes[s] - 1;
            assert_true(fabs(error) < 0.08);
            squares += error * error;
            kp_distinct_free(&d, *state);
        }
        assert_true(sqrt(squares / 20) < 0.025);
    }
}

static void distinct_does_not_depend_on_order_or_split(void **state)
{
    static const int sizes[] = {5, 200, 256, 257, 500, 9000};
    enum { PARTS = 7 };
    uint64_t seed = 6;

    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        struct kp_distinct *whole = NULL, *parts[PARTS] = {0}, *up = NULL, *down = NULL;

        for (int i = 0; i < sizes[s]; i++) {
            uint64_t hash = unit_random(&seed);

            assert_int_equal(kp_distinct_add(&whole, *state, hash), KP_OK);
            for (int k = 0; k < 2; k++)
                assert_int_equal(kp_distinct_add(&parts[unit_below(&seed, k ? PARTS : 1)], *state, hash), KP_OK);
        }
        for (int i = 0; i < PARTS; i++) {
            assert_int_equal(kp_distinct_merge(&up, *state, parts[i]), KP_OK);
            assert_int_equal(kp_distinct_merge(&down, *state, parts[PARTS - 1 - i]), KP_OK);
        }
        assert_true(kp_distinct_count(up) == kp_distinct_count(whole));
        assert_true(kp_distinct_count(down) == kp_distinct_count(whole));
        for (int i = 0; i < PARTS; i++)
            kp_distinct_free(&parts[i], *state);
        kp_distinct_free(&whole, *state);
        kp_distinct_free(&up, *state);
        kp_distinct_free(&down, *state);
    }
}

static void registers_hold_the_ends_of_the_hash_space(void **state)
{
    struct kp_distinct *d = NULL;

    for (uint64_t i = 0; i <= KP_DISTINCT_EXACT; i++)
        assert_int_equal(kp_distinct_add(&d, *state, i << 52), KP_OK);      /* nothing but zeros behind the register */
    assert_int_equal(kp_distinct_add(&d, *state, UINT64_MAX), KP_OK);
    assert_true(kp_distinct_count(d) > 200 && isfinite(kp_distinct_count(d)));
    kp_distinct_free(&d, *state);
}

/* ---- Squares ---- */

static void stddev_is_that_of_the_values(void **state)
{
    uint64_t seed = 7;

    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        for (int n = 1; n < 200; n += 13) {
            uint64_t squares[3] = {0}, halves[2][3] = {{0}};
            long double mean = 0, variance = 0;
            int64_t values[200];
            kp_i128 sum = 0;
            double want;

            for (int i = 0; i < n; i++) {
                values[i] = draw(&seed, kind);
                sum += values[i];
                kp_square_add(squares, values[i]);
                kp_square_add(halves[i & 1], values[i]);
                mean += (long double)values[i] / n;
            }
            for (int i = 0; i < n; i++)
                variance += ((long double)values[i] - mean) * ((long double)values[i] - mean) / n;
            want = (double)(sqrtl(variance) / KP_MICRO);
            if (fabs(kp_square_stddev(squares, sum, (uint64_t)n) - want) > 1e-9 * (fabs(want) + 1e-6))
                fail_msg("%g instead of %g", kp_square_stddev(squares, sum, (uint64_t)n), want);
            kp_square_merge(halves[0], halves[1]);
            assert_memory_equal(halves[0], squares, sizeof squares);
        }
    }
}

static void equal_values_deviate_by_exactly_nothing(void **state)
{
    static const int64_t values[] = {0, 1, -1, 123456789, INT64_C(9000000000000000000), -INT64_C(9000000000000000000)};

    (void)state;
    for (size_t k = 0; k < COUNT_OF(values); k++) {
        uint64_t squares[3] = {0};
        kp_i128 sum = 0;

        for (uint64_t n = 1; n < 3000; n++) {
            kp_square_add(squares, values[k]);
            sum += values[k];
            assert_true(kp_square_stddev(squares, sum, n) == 0);
        }
    }
}

static void largest_values_of_both_signs_deviate_by_themselves(void **state)
{
    uint64_t squares[3] = {0};

    (void)state;
    for (int i = 0; i < 1000; i++)
        kp_square_add(squares, (i & 1 ? 1 : -1) * KP_VALUE_MAX * KP_MICRO);
    assert_true(kp_square_stddev(squares, 0, 1000) == (double)KP_VALUE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_bin_is_within_one_percent, open_slab, close_slab),
        cmocka_unit_test(bins_rise_with_values),
        cmocka_unit_test_setup_teardown(quantiles_are_within_one_percent_of_the_nearest_rank, open_slab, close_slab),
        cmocka_unit_test_setup_teardown(a_p_that_binary_cannot_hold_takes_the_rank_people_expect, open_slab, close_slab),
        cmocka_unit_test_setup_teardown(quantiles_do_not_depend_on_order_or_split, open_slab, close_slab),
        cmocka_unit_test_setup_teardown(counts_pass_32_bits, open_slab, close_slab),
        cmocka_unit_test_setup_teardown(nothing_merged_is_nothing, open_slab, close_slab),
        cmocka_unit_test_setup_teardown(distinct_is_exact_up_to_its_limit, open_slab, close_slab),
        cmocka_unit_test_setup_teardown(distinct_beyond_is_within_its_error, open_slab, close_slab),
        cmocka_unit_test_setup_teardown(distinct_does_not_depend_on_order_or_split, open_slab, close_slab),
        cmocka_unit_test_setup_teardown(registers_hold_the_ends_of_the_hash_space, open_slab, close_slab),
        cmocka_unit_test(stddev_is_that_of_the_values),
        cmocka_unit_test(equal_values_deviate_by_exactly_nothing),
        cmocka_unit_test(largest_values_of_both_signs_deviate_by_themselves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
