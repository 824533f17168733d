/* Tails against published tables, and against sums that are made another way. */
#include "unit.h"

#include "tail.h"

#include <math.h>

/* CRC Standard Mathematical Tables: cumulative Poisson and binomial probabilities, four places. */
static void the_tables_say_the_same(void **state)
{
    static const struct {
        int64_t k;
        double mean, p;
    } poisson[] = {{0, 0.5, 0.6065}, {0, 1, 0.3679}, {1, 1, 0.7358}, {2, 2, 0.6767}, {0, 3, 0.0498}, {2, 5, 0.1247}, {5, 5, 0.6160},
                   {5, 10, 0.0671}, {10, 10, 0.5830}, {10, 15, 0.1185}, {10, 20, 0.0108}, {15, 20, 0.1565}};
    static const struct {
        int64_t k, n;
        double share, p;
    } binomial[] = {{0, 5, 0.1, 0.5905}, {1, 5, 0.5, 0.1875}, {3, 10, 0.5, 0.1719}, {2, 10, 0.25, 0.5256}, {2, 20, 0.3, 0.0355},
                    {5, 15, 0.4, 0.4032}, {8, 20, 0.5, 0.2517}, {0, 10, 0.05, 0.5987}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(poisson); i++)
        if (fabs(kp_poisson_tail(poisson[i].k, poisson[i].mean) - poisson[i].p) > 0.00005001)
            fail_msg("%zu: %.6f", i, kp_poisson_tail(poisson[i].k, poisson[i].mean));
    for (size_t i = 0; i < COUNT_OF(binomial); i++)
        if (fabs(kp_binomial_tail(binomial[i].k, binomial[i].n, binomial[i].share) - binomial[i].p) > 0.00005001)
            fail_msg("%zu: %.6f", i, kp_binomial_tail(binomial[i].k, binomial[i].n, binomial[i].share));
}

/* From the bottom up, in long double, each term from the one before. */
static double poisson_upwards(int64_t k, double mean)
{
    long double term = expl(-(long double)mean), sum = term;

    for (int64_t i = 1; i <= k; i++) {
        term *= (long double)mean / (long double)i;
        sum += term;
    }
    return (double)sum;
}

static double binomial_upwards(int64_t k, int64_t n, double share)
{
    long double q = share, term = powl(1 - q, (long double)n), sum = term;

    for (int64_t i = 1; i <= k; i++) {
        term *= (long double)(n - i + 1) / (long double)i * q / (1 - q);
        sum += term;
    }
    return (double)sum;
}

static void sums_from_below_say_the_same(void **state)
{
    uint64_t seed = 5;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        double mean = 0.01 + (double)unit_below(&seed, 1000000) / 2000, share = (1 + (double)unit_below(&seed, 998)) / 1000, a, b;
        int64_t k = (int64_t)unit_below(&seed, (uint64_t)(mean * 1.5) + 3), n = 1 + (int64_t)unit_below(&seed, 800);
        int64_t hits = (int64_t)unit_below(&seed, (uint64_t)n);

        a = kp_poisson_tail(k, mean);
        b = poisson_upwards(k, mean);
        if (fabs(a - b) > 1e-10 * b + 1e-300)
            fail_msg("poisson %lld %g: %.15g, not %.15g", (long long)k, mean, a, b);
        a = kp_binomial_tail(hits, n, share);
        b = binomial_upwards(hits, n, share);
        if (fabs(a - b) > 1e-9 * b + 1e-300)
            fail_msg("binomial %lld %lld %g: %.15g, not %.15g", (long long)hits, (long long)n, share, a, b);
    }
}

static void edges_are_certain(void **state)
{
    (void)state;
    assert_true(kp_poisson_tail(-1, 5) == 0 && kp_poisson_tail(0, 0) == 1 && kp_poisson_tail(3, -1) == 1);
    assert_true(kp_poisson_tail(INT64_MAX, 5) == 1 && kp_poisson_tail(0, 1e6) < 1e-300);
    assert_true(kp_binomial_tail(-1, 5, 0.5) == 0 && kp_binomial_tail(5, 5, 0.5) == 1 && kp_binomial_tail(2, 0, 0.5) == 1);
    assert_true(kp_binomial_tail(2, 5, 0) == 1 && kp_binomial_tail(2, 5, 1) == 0);
    assert_true(fabs(kp_poisson_tail(1000000, 1000000) - 0.5) < 0.001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables_say_the_same),
        cmocka_unit_test(sums_from_below_say_the_same),
        cmocka_unit_test(edges_are_certain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
