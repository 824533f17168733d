/* Values as fixed-point numbers, and how they compare across kinds. */
#include "unit.h"

#include "kpid/value.h"

#include <math.h>

#define INT(x) {.kind = KP_INT, .i = (x)}
#define REAL(x) {.kind = KP_REAL, .f = (x)}
#define STR(x) {.kind = KP_STR, .len = sizeof(x) - 1, .s = (x)}

static void numbers_become_millionths_or_say_why_not(void **state)
{
    static const struct {
        struct kp_value v;
        enum kp_micro_result result;
        int64_t micro;
    } cases[] = {
        {INT(0), KP_MICRO_OK, 0},
        {INT(-3), KP_MICRO_OK, -3000000},
        {INT(KP_VALUE_MAX), KP_MICRO_OK, KP_VALUE_MAX * KP_MICRO},
        {INT(-KP_VALUE_MAX), KP_MICRO_OK, -KP_VALUE_MAX * KP_MICRO},
        {INT(KP_VALUE_MAX + 1), KP_MICRO_RANGE, 0},
        {INT(INT64_MIN), KP_MICRO_RANGE, 0},
        {REAL(0.1), KP_MICRO_OK, 100000},
        {REAL(-0.000001), KP_MICRO_OK, -1},
        {REAL(0.0000004), KP_MICRO_OK, 0},
        {REAL(0.0000006), KP_MICRO_OK, 1},
        {REAL(123456.654321), KP_MICRO_OK, INT64_C(123456654321)},
        {REAL(9e12), KP_MICRO_OK, KP_VALUE_MAX * KP_MICRO},
        {REAL(9.000000001e12), KP_MICRO_RANGE, 0},
        {REAL(-1e300), KP_MICRO_RANGE, 0},
        {REAL((double)NAN), KP_MICRO_MISSING, 0},
        {REAL((double)INFINITY), KP_MICRO_MISSING, 0},
        {REAL(-(double)INFINITY), KP_MICRO_MISSING, 0},
        {STR("1"), KP_MICRO_MISSING, 0},
        {{.kind = KP_NIL}, KP_MICRO_MISSING, 0},
        {{.kind = KP_BOOL, .b = true}, KP_MICRO_MISSING, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t micro = 0;

        assert_int_equal(kp_micro_of(&cases[i].v, &micro), cases[i].result);
        assert_int_equal(micro, cases[i].micro);
    }
}

static void six_decimals_come_back_as_they_were_written(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (int i = 0; i < 50000; i++) {
        int64_t want = (int64_t)unit_below(&seed, UINT64_C(9000000000000000000) >> unit_below(&seed, 50)), got = -1;
        struct kp_value v = {.kind = KP_REAL};
        char text[64];

        sprintf(text, "%lld.%06lld", (long long)(want / KP_MICRO), (long long)(want % KP_MICRO));
        v.f = strtod(text, NULL);
        assert_true(kp_micro_to_double(want) == v.f);
        assert_true(kp_micro_to_double(-want) == -v.f);
        if (want > INT64_C(1) << 52)
            continue;       /* a double has no six decimals left there */
        assert_int_equal(kp_micro_of(&v, &got), KP_MICRO_OK);
        assert_int_equal(got, want);
    }
    assert_true(kp_micro_to_double((kp_i128)1 << 126) == 8.507059173023461e31);
}

/* In order; neighbours of one rank are equal. */
static void numbers_compare_exactly_across_kinds(void **state)
{
    static const struct {
        int rank;
        struct kp_value v;
    } line[] = {
        {0, REAL(-(double)INFINITY)}, {1, REAL(-1e300)}, {2, INT(INT64_MIN)}, {2, REAL(-9223372036854775808.0)},
        {3, INT(INT64_MIN + 1)}, {4, REAL(-1.5)}, {5, INT(-1)}, {5, REAL(-1)}, {6, REAL(-0.5)}, {7, INT(0)},
        {7, REAL(0)},
        {7, REAL(-0.0)}, {8, REAL(0.5)}, {9, INT(1)}, {10, INT(9007199254740992)}, {10, REAL(9007199254740992.0)},
        {11, INT(9007199254740993)}, {12, INT(9007199254740994)}, {12, REAL(9007199254740994.0)}, {13, INT(INT64_MAX)},
        {14, REAL(9223372036854775808.0)}, {15, REAL((double)INFINITY)},
    };
    const struct kp_value nan = REAL((double)NAN), text = STR("1"), yes = {.kind = KP_BOOL, .b = true};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(line); i++) {
        for (size_t k = 0; k < COUNT_OF(line); k++) {
            int want = line[i].rank < line[k].rank ? -1 : line[i].rank > line[k].rank;

            if (kp_number_cmp(&line[i].v, &line[k].v) != want)
                fail_msg("%zu and %zu: %d", i, k, kp_number_cmp(&line[i].v, &line[k].v));
            assert_int_equal(kp_value_eq(&line[i].v, &line[k].v), want == 0);
        }
        assert_int_equal(kp_number_cmp(&line[i].v, &nan), 2);
        assert_int_equal(kp_number_cmp(&text, &line[i].v), 2);
        assert_int_equal(kp_number_cmp(&line[i].v, &yes), 2);
        assert_false(kp_value_eq(&line[i].v, &text));
        assert_false(kp_value_eq(&yes, &line[i].v));
    }
    assert_int_equal(kp_number_cmp(&nan, &nan), 2);
    assert_false(kp_value_eq(&nan, &nan));
}

static void strings_and_booleans_are_equal_by_content(void **state)
{
    const struct kp_value a = STR("ab"), b = STR("ab\0"), c = STR("ac"), empty = STR(""), null = {.kind = KP_STR};
    const struct kp_value yes = {.kind = KP_BOOL, .b = true}, no = {.kind = KP_BOOL, .b = false};
    char copy[] = "ab";
    const struct kp_value same = {.kind = KP_STR, .len = 2, .s = copy};

    (void)state;
    assert_true(kp_value_eq(&a, &same));
    assert_false(kp_value_eq(&a, &b));
    assert_false(kp_value_eq(&a, &c));
    assert_true(kp_value_eq(&empty, &null));
    assert_true(kp_value_eq(&yes, &yes));
    assert_false(kp_value_eq(&yes, &no));
    assert_false(kp_value_eq(&yes, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_become_millionths_or_say_why_not),
        cmocka_unit_test(six_decimals_come_back_as_they_were_written),
        cmocka_unit_test(numbers_compare_exactly_across_kinds),
        cmocka_unit_test(strings_and_booleans_are_equal_by_content),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
