/* How likely luck alone is: lower tails of the distributions that counts have.
 *
 * Exact by summation from the term at k downwards, where terms only get smaller: some square root of k of them matter. The
 * first one by its logarithm. (N. L. Johnson, A. W. Kemp, S. Kotz, Univariate Discrete Distributions, 3rd ed., sections 3.4
 * and 4.4.) Relative error below 1e-11 up to a million. Pure. */
#ifndef KPID_CORE_TAIL_H
#define KPID_CORE_TAIL_H

#include <stdint.h>

/* P(X <= k), X Poisson distributed with that mean. 1 for a mean of 0 or less, 0 for k below 0. */
double kp_poisson_tail(int64_t k, double mean);

/* P(X <= k), X the successes among n tries that each succeed with probability share. n below 1: 1. */
double kp_binomial_tail(int64_t k, int64_t n, double share);

#endif
