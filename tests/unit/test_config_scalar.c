/* Durations, sizes, numbers and booleans of the configuration, and their bounds. */
#include "config_rig.h"

#include <math.h>

static void durations_are_read_with_their_units_and_bounds(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;                 /* -1: a fault */
    } cases[] = {
        {"0", 0},       {"90s", 90 * S}, {"15m", 15 * M}, {"1h", H},     {"7d", 7 * D},  {"2w", 14 * D},  {"\"1h\"", H},
        {"250ms", 250}, {"366d", 366 * D}, {"367d", -1},  {"1", -1},     {"-1h", -1},    {"1 h", -1},     {"h", -1},
        {"1H", -1},     {"1.5h", -1},    {"1y", -1},      {"1h30m", -1}, {"~", -1},      {"\"\"", -1},    {"[1h]", -1},
        {"{h: 1}", -1}, {"99999999999999999999d", -1},    {"9223372036854775807w", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char yaml[300];
        struct kp_config c;

        snprintf(yaml, sizeof yaml, KPI "time: {allowed_future: %s}\n", cases[i].text);
        if (cases[i].ms < 0) {
            must_fail(yaml, "test.yaml:2:24: time.allowed_future: ");
            continue;
        }
        must_load(yaml, &c);
        if (c.allowed_future_ms != cases[i].ms)
            fail_msg("%s: %lld", cases[i].text, (long long)c.allowed_future_ms);
        kp_config_release(&c);
    }
}

static void sizes_are_read_with_their_units_and_bounds(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes;              /* -1: a fault */
    } cases[] = {
        {"1024", 1024},     {"4096B", 4096},   {"64KiB", 65536}, {"64 KiB", 65536}, {"1MiB", 1048576}, {"2MB", 2000000},
        {"5kB", 5000},      {"64MiB", 67108864}, {"65MiB", -1},  {"1GiB", -1},      {"1023", -1},      {"0", -1},
        {"1.5MiB", -1},     {"1e6", -1},       {"-1024", -1},    {"MiB", -1},       {"1mib", -1},      {"1 M iB", -1},
        {"1000000000000000000000", -1},        {"0x1000", -1},   {"~", -1},         {"[1MiB]", -1},    {"1MiB1", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char yaml[300];
        struct kp_config c;

        snprintf(yaml, sizeof yaml, KPI "limits: {message: %s}\n", cases[i].text);
        if (cases[i].bytes < 0) {
            must_fail(yaml, "test.yaml:2:19: limits.message: ");
            continue;
        }
        must_load(yaml, &c);
        if (c.limits.message != (size_t)cases[i].bytes)
            fail_msg("%s: %zu", cases[i].text, c.limits.message);
        kp_config_release(&c);
    }
}

static void whole_numbers_are_read_with_their_bounds(void **state)
{
    static const struct {
        const char *text;
        int64_t number;             /* -1: a fault */
    } cases[] = {
        {"1", 1},    {"10000", 10000}, {"1000000", 1000000}, {"+7", 7}, {"0x10", 16}, {"0o17", 15}, {"010", 10},
        {"0", -1},
        {"1000001", -1}, {"-1", -1},   {"1.0", -1},          {"1e3", -1}, {"\"5\"", -1}, {"true", -1}, {"ten", -1},
        {"99999999999999999999", -1},  {"~", -1},            {"[5]", -1}, {".inf", -1},  {"4294967297", -1}, {"5%", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char yaml[300];
        struct kp_config c;

        snprintf(yaml, sizeof yaml, KPI "limits: {batch: %s}\n", cases[i].text);
        if (cases[i].number < 0) {
            must_fail(yaml, "test.yaml:2:17: limits.batch: ");
            continue;
        }
        must_load(yaml, &c);
        assert_int_equal(c.limits.batch, cases[i].number);
        kp_config_release(&c);
    }
}

static void booleans_are_those_of_yaml_1_2(void **state)
{
    static const struct {
        const char *text;
        int flag;                   /* -1: a fault */
    } cases[] = {{"true", 1},  {"True", 1}, {"TRUE", 1}, {"false", 0}, {"False", 0}, {"FALSE", 0},   {"yes", -1},
                 {"no", -1},   {"on", -1},  {"1", -1},   {"0", -1},    {"~", -1},    {"\"true\"", -1}, {"[true]", -1}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char yaml[300];
        struct kp_config c;

        snprintf(yaml, sizeof yaml, KPI "insecure: %s\n", cases[i].text);
        if (cases[i].flag < 0) {
            must_fail(yaml, "test.yaml:2:11: insecure: ");
            continue;
        }
        must_load(yaml, &c);
        assert_int_equal(c.insecure, cases[i].flag);
        kp_config_release(&c);
    }
}

static void numbers_may_be_percentages(void **state)
{
    static const struct {
        const char *text;
        double number;              /* NaN: a fault */
    } cases[] = {
        {"40", 40},     {"0.8", 0.8},   {"80%", 0.8}, {"\"80%\"", 0.8}, {"12.5%", 0.125}, {"-3", -3}, {"1e3", 1000},
        {".5", 0.5},
        {"5.", 5},      {"0x10", 16},   {"0%", 0},    {"'%'", NAN},     {"80 %", NAN},    {"80%%", NAN}, {".inf", NAN},
        {".nan", NAN},  {"-.INF", NAN}, {"ten", NAN}, {"true", NAN},    {"~", NAN},       {"\"40\"", NAN},
        {"1e999", NAN},
        {"1e999%", NAN}, {"[1]", NAN},  {"0x1%", NAN}, {"18446744073709551616", 18446744073709551616.0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char yaml[300];
        struct kp_config c;

        snprintf(yaml, sizeof yaml, KPI "alerts: {a: {kpi: calls, window: day, level: rep, warning: {below: %s}}}\n",
                 cases[i].text);
        if (isnan(cases[i].number)) {
            must_fail(yaml, "test.yaml:2:68: alerts.a.warning.below: ");
            continue;
        }
        must_load(yaml, &c);
        if (c.alerts[0].warning.at != cases[i].number)
            fail_msg("%s: %.17g", cases[i].text, c.alerts[0].warning.at);
        kp_config_release(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read_with_their_units_and_bounds),
        cmocka_unit_test(sizes_are_read_with_their_units_and_bounds),
        cmocka_unit_test(whole_numbers_are_read_with_their_bounds),
        cmocka_unit_test(booleans_are_those_of_yaml_1_2),
        cmocka_unit_test(numbers_may_be_percentages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
