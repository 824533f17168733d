#include "wall.h"

#include "unit.h"

static void it_follows_the_clock(void **state)
{
    struct kp_wall wall = {0};

    (void)state;
    assert_int_equal(kp_wall_now(&wall, 1000000, 5), 1000000);
    assert_int_equal(kp_wall_now(&wall, 1000700, 705), 1000700);
    assert_int_equal(kp_wall_now(&wall, 1031000, 1005), 1031000);      /* set a little, as by NTP */
    assert_false(kp_wall_leaps(&wall));
}

static void a_leap_ahead_that_is_taken_back_never_happened(void **state)
{
    struct kp_wall wall = {0};

    (void)state;
    kp_wall_now(&wall, 1000000, 0);
    assert_int_equal(kp_wall_now(&wall, 900000000, 1000), 1001000);
    assert_true(kp_wall_leaps(&wall));
    assert_int_equal(kp_wall_now(&wall, 900010000, 11000), 1011000);
    assert_int_equal(kp_wall_now(&wall, 1020000, 20000), 1020000);
    assert_false(kp_wall_leaps(&wall));
    assert_int_equal(wall.leaps, 1);
}

static void one_that_lasts_is_believed(void **state)
{
    struct kp_wall wall = {0};

    (void)state;
    kp_wall_now(&wall, 1000000, 0);
    kp_wall_now(&wall, 900000000, 1000);
    assert_int_equal(kp_wall_now(&wall, 900029000, 30000), 1030000);
    assert_int_equal(kp_wall_now(&wall, 900030000, 31000), 900030000);
    assert_int_equal(kp_wall_now(&wall, 900030500, 31500), 900030500);
    assert_false(kp_wall_leaps(&wall));
}

static void one_that_is_set_back_is_followed(void **state)
{
    struct kp_wall wall = {0};

    (void)state;
    kp_wall_now(&wall, 900000000, 0);
    assert_int_equal(kp_wall_now(&wall, 1000000, 1000), 1000000);
    assert_int_equal(kp_wall_now(&wall, 1001000, 2000), 1001000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_follows_the_clock),
        cmocka_unit_test(a_leap_ahead_that_is_taken_back_never_happened),
        cmocka_unit_test(one_that_lasts_is_believed),
        cmocka_unit_test(one_that_is_set_back_is_followed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
