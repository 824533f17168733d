#include "tail.h"

#include <math.h>
#include <stdbool.h>

enum { SMALL = 16 };        /* so many standard deviations above the mean the tail is 1 to the last digit */

/* Add up a term and those below it; each is the one above times ratio(i). */
static double sum_down(double first, int64_t k, double (*ratio)(const void *ctx, int64_t i), const void *ctx)
{
    double term = 1, sum = 1;

    for (int64_t i = k; i > 0; i--) {
        term *= ratio(ctx, i);
        sum += term;
        if (term < sum * 1e-18)
            break;
    }
    return fmin(first * sum, 1);
}

static double poisson_ratio(const void *ctx, int64_t i)
{
    return (double)i / *(const double *)ctx;
}

double kp_poisson_tail(int64_t k, double mean)
{
    if (k < 0)
        return 0;
    if (!(mean > 0) || (double)k > mean + SMALL * sqrt(mean) + SMALL)
        return 1;
    return sum_down(exp((double)k * log(mean) - mean - lgamma((double)k + 1)), k, poisson_ratio, &mean);
}

struct tries {
    double n, odds;     /* odds: of a failure */
};

static double binomial_ratio(const void *ctx, int64_t i)
{
    const struct tries *tries = ctx;

    return (double)i / (tries->n - (double)i + 1) * tries->odds;
}

double kp_binomial_tail(int64_t k, int64_t n, double share)
{
    const struct tries tries = {(double)n, (1 - share) / share};
    double first;

    if (k < 0)
        return 0;
    if (n < 1 || k >= n || !(share > 0))
        return 1;
    if (share >= 1)
        return 0;
    if ((double)k > tries.n * share + SMALL * sqrt(tries.n * share) + SMALL)
        return 1;
    first = lgamma(tries.n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1);
    first += (double)k * log(share) + (double)(n - k) * log1p(-share);
    return sum_down(exp(first), k, binomial_ratio, &tries);
}
