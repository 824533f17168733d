/* Blobs of many sizes: none overlaps another, all are aligned, and what is given back is used again. */
#include "unit.h"

#include "kpid/slab.h"

static void classes_waste_at_most_a_third(void **state)
{
    (void)state;
    for (size_t size = 1; size < 100000; size++) {
        size_t real = kp_slab_class(size);

        assert_true(real >= size && real % 16 == 0);
        assert_int_equal(kp_slab_class(real), real);
        if (size > 32)
            assert_true((real - size) * 3 <= real);
    }
}

static void blobs_do_not_overlap(void **state)
{
    enum { BLOBS = 300 };
    struct kp_slab *slab = kp_slab_new(NULL);
    struct {
        unsigned char *p;
        size_t size;
        unsigned char mark;
    } blobs[BLOBS] = {{0}};
    uint64_t seed = 1;
    size_t used = 0;

    (void)state;
    for (int step = 0; step < 30000; step++) {
        size_t k = unit_below(&seed, BLOBS);

        for (size_t i = 0; i < blobs[k].size; i++)
            assert_int_equal(blobs[k].p[i], blobs[k].mark);
        kp_slab_free(slab, blobs[k].p, blobs[k].size);
        used -= blobs[k].p ? kp_slab_class(blobs[k].size) : 0;
        blobs[k].size = 1 + unit_below(&seed, UINT64_C(1) << unit_below(&seed, step % 100 ? 9 : 17));
        blobs[k].p = kp_slab_alloc(slab, blobs[k].size);
        assert_non_null(blobs[k].p);
        assert_int_equal((uintptr_t)blobs[k].p % 16, 0);
        used += kp_slab_class(blobs[k].size);
        blobs[k].mark = (unsigned char)step;
        memset(blobs[k].p, blobs[k].mark, blobs[k].size);
        assert_int_equal(kp_slab_used(slab), used);
        assert_true(kp_slab_bytes(slab) >= used);
    }
    kp_slab_destroy(&slab);
    assert_null(slab);
}

static void what_is_given_back_is_used_again(void **state)
{
    struct kp_slab *slab = kp_slab_new(NULL);
    size_t bytes = 0;

    (void)state;
    for (int round = 0; round < 20; round++) {
        void *blobs[1000];

        for (size_t i = 0; i < 1000; i++)
            blobs[i] = kp_slab_alloc(slab, 16 + i % 7 * 40);
        for (size_t i = 0; i < 1000; i++)
            kp_slab_free(slab, blobs[i], 16 + i % 7 * 40);
        if (round == 0)
            bytes = kp_slab_bytes(slab);
        assert_int_equal(kp_slab_bytes(slab), bytes);
        assert_int_equal(kp_slab_used(slab), 0);
    }
    kp_slab_destroy(&slab);
}

static void sizes_past_the_largest_class_are_refused(void **state)
{
    struct kp_slab *slab = kp_slab_new(NULL);

    (void)state;
    assert_null(kp_slab_alloc(slab, (size_t)1 << 40));
    assert_int_equal(kp_slab_used(slab), 0);
    kp_slab_destroy(&slab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_waste_at_most_a_third),
        cmocka_unit_test(blobs_do_not_overlap),
        cmocka_unit_test(what_is_given_back_is_used_again),
        cmocka_unit_test(sizes_past_the_largest_class_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
