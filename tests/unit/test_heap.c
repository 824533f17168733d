/* Timers against an array that is searched for its least. */
#include "unit.h"

#include "heap.h"

enum { THINGS = 200 };

static uint32_t first_of(const int64_t *due)
{
    uint32_t first = 0;

    for (uint32_t i = 1; i < THINGS; i++)
        if (due[i] < due[first])
            first = i;
    return first;
}

static void the_first_due_comes_first_and_of_equals_the_smallest(void **state)
{
    struct kp_heap heap = {0};
    int64_t due[THINGS];
    uint64_t seed = 1;

    (void)state;
    for (uint32_t i = 0; i < THINGS; i++)
        due[i] = INT64_MAX;
    assert_int_equal(kp_heap_due(&heap), INT64_MAX);
    assert_true(kp_heap_reserve(&heap, 10));
    assert_true(kp_heap_reserve(&heap, THINGS));
    for (int step = 0; step < 100000; step++) {
        uint32_t thing = (uint32_t)unit_below(&seed, THINGS), first;

        if (unit_below(&seed, 3)) {
            due[thing] = unit_below(&seed, 4) ? (int64_t)unit_below(&seed, 50) - 25 : INT64_MAX;
            kp_heap_set(&heap, thing, due[thing]);
        } else if (heap.count) {
            first = first_of(due);
            assert_int_equal(kp_heap_pop(&heap), first);
            due[first] = INT64_MAX;
        }
        assert_int_equal(kp_heap_due(&heap), due[first_of(due)]);
        if (step % 1000 == 0)
            assert_true(kp_heap_reserve(&heap, THINGS + (uint32_t)step));
    }
    kp_heap_release(&heap);
    assert_int_equal(kp_heap_due(&heap), INT64_MAX);
}

static void a_thing_without_a_timer_can_be_taken_out(void **state)
{
    struct kp_heap heap = {0};

    (void)state;
    assert_true(kp_heap_reserve(&heap, 3));
    kp_heap_set(&heap, 2, INT64_MAX);
    kp_heap_set(&heap, 1, 5);
    kp_heap_set(&heap, 1, 7);
    assert_int_equal(heap.count, 1);
    assert_int_equal(kp_heap_due(&heap), 7);
    assert_int_equal(kp_heap_pop(&heap), 1);
    assert_int_equal(kp_heap_due(&heap), INT64_MAX);
    kp_heap_release(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_due_comes_first_and_of_equals_the_smallest),
        cmocka_unit_test(a_thing_without_a_timer_can_be_taken_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
