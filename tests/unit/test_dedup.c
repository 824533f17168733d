/* The duplicate memory against a plain array of when each pair was added. */
#include "unit.h"

#include "kpid/dedup.h"

static struct kp_print print_of(uint64_t n)
{
    return kp_print_of(42, 0, &n, sizeof n);
}

enum { PAIRS = 5000 };

static void pairs_are_remembered_for_the_window_and_no_longer(void **state)
{
    struct kp_dedup *dedup = kp_dedup_new(60000, 1000000, NULL);
    int64_t *added = calloc(PAIRS, sizeof *added), now = INT64_C(1700000000000);
    uint64_t seed = 3;

    (void)state;
    assert_non_null(dedup);
    assert_false(kp_dedup_seen(dedup, print_of(1), now));
    for (int step = 0; step < 300000; step++) {
        uint64_t key = unit_below(&seed, PAIRS);
        struct kp_print print = print_of(key);

        now += (int64_t)unit_below(&seed, 50);
        /* It counts whole seconds, so within one second either answer is right. */
        if (added[key] && now - added[key] <= 60000)
            assert_true(kp_dedup_seen(dedup, print, now));
        if (!added[key] || now - added[key] >= 61000)
            assert_false(kp_dedup_seen(dedup, print, now));
        if (!kp_dedup_seen(dedup, print, now)) {
            kp_dedup_add(dedup, print, now);
            added[key] = now;
        }
        assert_true(kp_dedup_seen(dedup, print, now));
    }
    assert_int_equal(kp_dedup_evicted(dedup), 0);
    assert_true(kp_dedup_count(dedup) <= PAIRS);
    free(added);
    kp_dedup_destroy(&dedup);
    assert_null(dedup);
}

/* Old pairs go as new ones need their place: memory follows the rate, not the whole past. */
static void memory_stays_with_the_window(void **state)
{
    struct kp_dedup *dedup = kp_dedup_new(10000, 10000000, NULL);
    size_t after_first = 0;

    (void)state;
    for (uint64_t i = 0; i < 1000000; i++) {
        kp_dedup_add(dedup, print_of(i), INT64_C(1700000000000) + (int64_t)i / 2);     /* 20,000 in a window */
        if (i == 100000)
            after_first = kp_dedup_bytes(dedup);
    }
    assert_true(kp_dedup_bytes(dedup) <= 2 * after_first && kp_dedup_count(dedup) < 80000);
    assert_int_equal(kp_dedup_evicted(dedup), 0);
    for (uint64_t i = 1000000 - 20000; i < 1000000; i++)
        assert_true(kp_dedup_seen(dedup, print_of(i), INT64_C(1700000000000) + 500000));
    kp_dedup_destroy(&dedup);
}

/* Below the limit the memory grows instead: a small limit is kept as well as a large one. */
static void nothing_is_forgotten_before_the_limit(void **state)
{
    static const size_t limits[] = {1, 100, 1433, 1434, 2048, 3000, 5000, 20000};

    (void)state;
    for (size_t l = 0; l < COUNT_OF(limits); l++) {
        struct kp_dedup *dedup = kp_dedup_new(86400000, limits[l], NULL);

        for (uint64_t i = 0; i < limits[l]; i++)
            kp_dedup_add(dedup, print_of(i), INT64_C(1700000000000) + (int64_t)i);
        if (kp_dedup_evicted(dedup) != 0)
            fail_msg("%zu: %llu evicted", limits[l], (unsigned long long)kp_dedup_evicted(dedup));
        assert_int_equal(kp_dedup_count(dedup), limits[l]);
        for (uint64_t i = 0; i < limits[l]; i++)
            assert_true(kp_dedup_seen(dedup, print_of(i), INT64_C(1700000000000)));
        kp_dedup_destroy(&dedup);
    }
}

static void at_the_limit_the_oldest_goes_first_and_is_counted(void **state)
{
    static const size_t limits[] = {1, 2, 100, 1500, 5000, 20000};

    (void)state;
    for (size_t l = 0; l < COUNT_OF(limits); l++) {
        struct kp_dedup *dedup = kp_dedup_new(86400000, limits[l], NULL);
        uint64_t n = limits[l] * 4 + 10;

        for (uint64_t i = 0; i < n; i++) {
            int64_t now = INT64_C(1700000000000) + (int64_t)i * 1000;

            kp_dedup_add(dedup, print_of(i), now);
            assert_true(kp_dedup_seen(dedup, print_of(i), now));
            assert_int_equal(kp_dedup_count(dedup), i < limits[l] ? i + 1 : limits[l]);
            assert_int_equal(kp_dedup_count(dedup) + kp_dedup_evicted(dedup), i + 1);
        }
        for (uint64_t i = 0; i < n; i++)
            assert_int_equal(kp_dedup_seen(dedup, print_of(i), INT64_C(1700000000000) + (int64_t)n * 1000), i >= n - limits[l]);
        kp_dedup_destroy(&dedup);
    }
}

/* Numbers of pairs come again after 2^32, and do so once in these. */
static void it_goes_on_when_numbers_come_again(void **state)
{
    struct kp_dedup *dedup = kp_dedup_new(86400000, 50000, NULL);
    const int64_t now = INT64_C(1700000000000);

    (void)state;
    for (uint64_t i = 0; i < 1000000; i++) {
        assert_false(kp_dedup_seen(dedup, print_of(i), now));
        kp_dedup_add(dedup, print_of(i), now);
        if (i % 1000 == 999)
            for (uint64_t k = i - (i < 50000 ? i : 49999); k <= i; k += 31)
                assert_true(kp_dedup_seen(dedup, print_of(k), now));
    }
    assert_int_equal(kp_dedup_count(dedup), 50000);
    kp_dedup_destroy(&dedup);
}

static void a_burst_within_one_second_ends_too(void **state)
{
    static const size_t limits[] = {1, 1000, 5000};

    (void)state;
    for (size_t l = 0; l < COUNT_OF(limits); l++) {
        struct kp_dedup *dedup = kp_dedup_new(86400000, limits[l], NULL);

        for (uint64_t i = 0; i < 100000; i++)
            kp_dedup_add(dedup, print_of(i), INT64_C(1700000000000));
        assert_true(kp_dedup_seen(dedup, print_of(99999), INT64_C(1700000000000)));
        assert_int_equal(kp_dedup_count(dedup) + kp_dedup_evicted(dedup), 100000);
        kp_dedup_destroy(&dedup);
    }
}

static void time_that_falls_back_forgets_nothing(void **state)
{
    struct kp_dedup *dedup = kp_dedup_new(60000, 1000, NULL);
    const int64_t t = INT64_C(1700000000000);

    (void)state;
    kp_dedup_add(dedup, print_of(1), t);
    assert_true(kp_dedup_seen(dedup, print_of(1), t - 3600000));
    kp_dedup_add(dedup, print_of(2), t - 3600000);
    assert_true(kp_dedup_seen(dedup, print_of(2), t - 3600000));
    assert_true(kp_dedup_seen(dedup, print_of(1), t));
    kp_dedup_destroy(&dedup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_remembered_for_the_window_and_no_longer),
        cmocka_unit_test(memory_stays_with_the_window),
        cmocka_unit_test(nothing_is_forgotten_before_the_limit),
        cmocka_unit_test(at_the_limit_the_oldest_goes_first_and_is_counted),
        cmocka_unit_test(it_goes_on_when_numbers_come_again),
        cmocka_unit_test(a_burst_within_one_second_ends_too),
        cmocka_unit_test(time_that_falls_back_forgets_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
