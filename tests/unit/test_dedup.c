/* The duplicate memory against a plain array of when each pair was added. */
#include "saved.h"

#include "image.h"

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

/* ---- Saved and loaded ---- */

static struct kp_dedup *load(struct image *image, size_t limit, int64_t now)
{
    struct kp_dedup *dedup = kp_dedup_new(86400000, limit, NULL);
    struct kp_load *from = malloc(sizeof *from);

    image->at = 0;
    kp_load_begin(from, image_read, image, NULL);
    kp_dedup_load(dedup, from, now);
    assert_false(from->failed);
    free(from);
    return dedup;
}

enum { SAVED = 3000 };

static void a_lower_limit_keeps_the_newest(void **state)
{
    const int64_t t = INT64_C(1700000000000);
    struct kp_dedup *dedup = kp_dedup_new(86400000, 10000, NULL);
    struct image image = {NULL, 0, 0, 0};
    struct kp_save *save = malloc(sizeof *save);

    (void)state;
    for (uint64_t i = 0; i < SAVED; i++)
        kp_dedup_add(dedup, print_of(i), t + (int64_t)i * 1000);
    kp_save_begin(save, image_write, &image);
    kp_dedup_save(dedup, save, t + SAVED * 1000);
    assert_true(kp_save_end(save));
    kp_dedup_destroy(&dedup);
    for (size_t limit = 1000; limit <= 10000; limit *= 10) {
        dedup = load(&image, limit, t + SAVED * 1000);
        assert_int_equal(kp_dedup_count(dedup) + kp_dedup_evicted(dedup), SAVED);
        for (uint64_t i = 0; i < SAVED; i++)
            assert_int_equal(kp_dedup_seen(dedup, print_of(i), t + SAVED * 1000), i + limit >= SAVED);
        kp_dedup_destroy(&dedup);
    }
    free(image.bytes);
    free(save);
}

/* As they were saved before there was a log: by their hashes. */
static void the_newest_stay_whatever_the_order_of_the_file(void **state)
{
    const int64_t t = INT64_C(1700000000000);
    struct image image = {NULL, 0, 0, 0};
    struct kp_save *save = malloc(sizeof *save);
    struct kp_dedup *dedup;

    (void)state;
    kp_save_begin(save, image_write, &image);
    kp_save_mark(save, "DEDU");
    kp_save_u8(save, 1);
    kp_save_i64(save, t / 1000);
    for (uint64_t i = 0; i < SAVED; i++) {
        uint64_t k = i * 7919 % SAVED;
        struct kp_print print = print_of(k);

        if (i % 1000 == 0)
            kp_save_u32(save, 1000);
        kp_save_u64(save, print.hi);
        kp_save_u32(save, print.lo);
        kp_save_u32(save, (uint32_t)k + 1);
    }
    kp_save_u32(save, 0);
    assert_true(kp_save_end(save));
    dedup = load(&image, 1000, t + SAVED * 1000);
    for (uint64_t i = 0; i < SAVED; i++)
        assert_int_equal(kp_dedup_seen(dedup, print_of(i), t + SAVED * 1000), i >= SAVED - 1000);
    kp_dedup_destroy(&dedup);
    free(image.bytes);
    free(save);
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
        cmocka_unit_test(a_lower_limit_keeps_the_newest),
        cmocka_unit_test(the_newest_stay_whatever_the_order_of_the_file),
        cmocka_unit_test(a_burst_within_one_second_ends_too),
        cmocka_unit_test(time_that_falls_back_forgets_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
