/* Formulas: what is taken, what it comes to, and where a fault is. */
#include "unit.h"

#include "kpid/formula.h"

#include <math.h>

/* Operands: a b c ... are 0 1 2 ..., "sales.won" is 3. */
static int resolve(void *ctx, const char *name, size_t len)
{
    (void)ctx;
    if (len == 9 && memcmp(name, "sales.won", 9) == 0)
        return 3;
    return len == 1 && *name >= 'a' && *name <= 'h' ? *name - 'a' : -1;
}

static struct kp_formula *parse(const char *text)
{
    struct kp_err err = {0};
    size_t at;
    struct kp_formula *formula = kp_formula_parse(text, resolve, NULL, &at, &err);

    if (!formula)
        fail_msg("%s: at %zu: %s", text, at, err.text);
    return formula;
}

static struct kp_number value_of(const char *text, const struct kp_number *operands)
{
    struct kp_formula *formula = parse(text);
    struct kp_number out = kp_formula_eval(formula, operands);

    kp_formula_destroy(&formula);
    return out;
}

/* a = 6 of 10 samples, b = 3 of 20, c is nil of none, d = 0 of 5 */
static const struct kp_number operands[8] = {{6, 10, true}, {3, 20, true}, {0, 0, false}, {0, 5, true}};

static void arithmetic_is_that_of_school(void **state)
{
    static const struct {
        const char *text;
        double want;
    } cases[] = {
        {"1", 1}, {"1.5", 1.5}, {".5", 0.5}, {"0.1", 0.1}, {" 12 ", 12}, {"a", 6}, {"a+b", 9}, {"a - b - 1", 2},
        {"a / b / 2", 1}, {"a / (b / 2)", 4}, {"2 + 3 * 4", 14}, {"(2 + 3) * 4", 20}, {"2 * 3 + 4", 10}, {"-a", -6},
        {"--a", 6}, {"-a * -b", 18}, {"2 - -3", 5}, {"2--3", 5}, {"-(a - b)", -3}, {"min(a, b)", 3}, {"max(a, b)", 6},
        {"max(min(a, 4), b) * 2", 8}, {"min ( a , b )", 3}, {"a / (a + b)", 6.0 / 9}, {"sales.won + a", 6},
        {"\ta\n+\r b", 9}, {"100 * a / b", 200}, {"0 / a", 0}, {"1000000 * 1000000", 1e12},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct kp_number out = value_of(cases[i].text, operands);

        if (!out.has || out.value != cases[i].want)
            fail_msg("%s: %g", cases[i].text, out.value);
    }
}

static void nothing_comes_of_nil_of_zero_below_and_of_overflow(void **state)
{
    static const char *const texts[] = {"c", "a + c", "-c", "c * 0", "a / d", "0 / 0", "a / (b - 3)", "min(a, c)", "max(c, a)",
                                        "a / d * 0", "c - c"};
    const struct kp_number big[8] = {{1e308, 1, true}, {1e-308, 1, true}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct kp_number out = value_of(texts[i], operands);

        if (out.has || out.value != 0)
            fail_msg("%s: %g", texts[i], out.value);
    }
    assert_false(value_of("a * a", big).has);
    assert_false(value_of("a / b", big).has);
    assert_false(value_of("a * a - a * a", big).has);
    assert_true(value_of("a * b", big).has);
}

static void samples_are_those_of_the_denominator_or_the_sum(void **state)
{
    static const struct {
        const char *text;
        int64_t n;
    } cases[] = {
        {"a", 10}, {"a + b", 30}, {"a + a", 10}, {"a / b", 20}, {"a / (a + b)", 30}, {"a / (b + b)", 20},
        {"-a / b", 20},
        {"a * b / d", 5}, {"a / b / d", 5}, {"a / 2", 10}, {"(a + b) / 2", 30}, {"1 / a", 10}, {"a / b * 100", 30},
        {"a / min(b, d)", 25}, {"a / -b", 20}, {"a / (-b + 1)", 20}, {"5", 0}, {"1 / 2", 0}, {"min(a / b, d)", 35},
        {"c", 0}, {"a / d", 5},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct kp_number out = value_of(cases[i].text, operands);

        if (out.n != cases[i].n)
            fail_msg("%s: %lld", cases[i].text, (long long)out.n);
    }
}

static void operands_are_listed_once_in_order_of_use(void **state)
{
    struct kp_formula *formula = parse("b / (a + b) + sales.won - max(a, h)");
    const int want[] = {1, 0, 3, 7}, *got;

    (void)state;
    assert_int_equal(kp_formula_operands(formula, &got), 4);
    assert_memory_equal(got, want, sizeof want);
    kp_formula_destroy(&formula);
    assert_null(formula);
    kp_formula_destroy(&formula);
}

static void faults_say_what_and_where(void **state)
{
    static const struct {
        const char *text;
        size_t at;
        const char *says;
    } cases[] = {
        {"", 0, "ends here"}, {"   ", 3, "ends here"}, {"a +", 3, "ends here"}, {"(a", 2, "\")\""}, {"a)", 1, "\")\""},
        {"a b", 2, "\"b\""}, {"a + z", 4, "unknown KPI \"z\""}, {"a ** b", 3, "\"*\""}, {"1x", 0, "not a number"},
        {"1.2.3", 3, "\".\""}, {"1e5", 0, "not a number"}, {".", 0, "not a number"}, {"min(a)", 5, "\",\""},
        {"min(a, b, c)", 8, "\")\""}, {"min", 3, "\"(\""}, {"min + 1", 4, "\"(\""}, {"a,b", 1, "\",\""},
        {"+a", 0, "\"+\""},
        {"a % b", 2, "\"%\""}, {"a.", 1, "\".\""}, {"\xc3\xa9", 0, ""}, {"()", 1, "\")\""},
        {"1234567890123456789012345678901", 0, "not a number"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct kp_err err = {0};
        size_t at = 99;

        if (kp_formula_parse(cases[i].text, resolve, NULL, &at, &err))
            fail_msg("\"%s\" was taken", cases[i].text);
        assert_int_equal(err.code, KP_EINVAL);
        if (at != cases[i].at || !strstr(err.text, cases[i].says))
            fail_msg("\"%s\": at %zu: %s", cases[i].text, at, err.text);
    }
}

/* before, n times; middle; behind, n times. */
static char *repeat(const char *before, const char *middle, const char *behind, size_t n)
{
    char *out = calloc(1, (strlen(before) + strlen(behind)) * n + strlen(middle) + 1), *at = out;

    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, before);
    at = stpcpy(at, middle);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, behind);
    return out;
}

static bool is_taken(char *text)
{
    struct kp_err err = {0};
    size_t at;
    struct kp_formula *formula = kp_formula_parse(text, resolve, NULL, &at, &err);
    bool taken = formula != NULL;

    kp_formula_destroy(&formula);
    free(text);
    return taken;
}

static void depth_and_length_have_limits(void **state)
{
    (void)state;
    assert_true(is_taken(repeat("(", "a", ")", 63)));
    assert_false(is_taken(repeat("(", "a", ")", 64)));
    assert_false(is_taken(repeat("(", "a", ")", 100000)));
    assert_true(is_taken(repeat("-", "a", "", 63)));
    assert_false(is_taken(repeat("-", "a", "", 100000)));
    assert_true(is_taken(repeat("min(a,", "b", ")", 63)));
    assert_false(is_taken(repeat("min(a,", "b", ")", 100000)));
    assert_true(is_taken(repeat("a+", "b", "", 127)));      /* 255 operations */
    assert_false(is_taken(repeat("a+", "b", "", 128)));
}

static void the_deepest_stack_holds(void **state)
{
    /* 60 operands wait at once */
    char *text = repeat("1+(", "a", ")", 60);
    struct kp_number out = value_of(text, operands);

    (void)state;
    assert_true(out.has && out.value == 66);
    free(text);
}

/* ---- Against a plain evaluation of the tree that the text was written from ---- */

struct writer {
    char text[4096];
    size_t len;
    uint64_t seed;
};

static void write_text(struct writer *w, const char *text)
{
    w->len += (size_t)sprintf(w->text + w->len, "%s", text);
}

/* NaN is nil. */
static double random_tree(struct writer *w, int depth)
{
    static const char *const signs[] = {" + ", "-", "*", " /"};
    uint64_t kind = depth == 0 ? unit_below(&w->seed, 2) : unit_below(&w->seed, 8);
    double a, b, out;
    char name[16];

    if (kind == 0) {
        int i = (int)unit_below(&w->seed, 4);

        sprintf(name, "%c", 'a' + i);
        write_text(w, name);
        return operands[i].has ? operands[i].value : (double)NAN;
    }
    if (kind == 1) {
        int v = (int)unit_below(&w->seed, 1000);

        sprintf(name, "%d.%d", v / 10, v % 10);
        write_text(w, name);
        return v / 10.0;
    }
    if (kind == 2) {
        write_text(w, "-(");
        a = random_tree(w, depth - 1);
        write_text(w, ")");
        return -a;
    }
    if (kind == 3) {
        bool least = unit_below(&w->seed, 2);

        write_text(w, least ? "min(" : "max(");
        a = random_tree(w, depth - 1);
        write_text(w, ",");
        b = random_tree(w, depth - 1);
        write_text(w, ")");
        return isnan(a) || isnan(b) ? (double)NAN : least == (a < b) ? a : b;
    }
    write_text(w, "(");
    a = random_tree(w, depth - 1);
    write_text(w, signs[kind - 4]);
    b = random_tree(w, depth - 1);
    write_text(w, ")");
    out = kind == 4 ? a + b : kind == 5 ? a - b : kind == 6 ? a * b : b == 0 ? (double)NAN : a / b;
    return isfinite(out) ? out : (double)NAN;
}

static void random_formulas_come_to_what_their_tree_does(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 5000; i++) {
        struct writer w = {.seed = i};
        double want = random_tree(&w, 4);
        struct kp_number out = value_of(w.text, operands);

        if (out.has == isnan(want) || (out.has && out.value != want))
            fail_msg("%s: %g, not %g", w.text, out.value, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic_is_that_of_school),
        cmocka_unit_test(nothing_comes_of_nil_of_zero_below_and_of_overflow),
        cmocka_unit_test(samples_are_those_of_the_denominator_or_the_sum),
        cmocka_unit_test(operands_are_listed_once_in_order_of_use),
        cmocka_unit_test(faults_say_what_and_where),
        cmocka_unit_test(depth_and_length_have_limits),
        cmocka_unit_test(the_deepest_stack_holds),
        cmocka_unit_test(random_formulas_come_to_what_their_tree_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
