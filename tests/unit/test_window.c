/* What a window's text means. */
#include "unit.h"

#include "kpid/window.h"

#define S INT64_C(1000)
#define M (60 * S)
#define H (60 * M)
#define D KP_DAY_MS

static void rolling_windows_have_the_length_and_panes_of_the_table(void **state)
{
    static const struct {
        const char *text;
        int64_t length, pane;
    } cases[] = {
        {"24s", 24 * S, S}, {"1m", M, S}, {"2m", 2 * M, 5 * S}, {"15m", 15 * M, 30 * S}, {"1h", H, M}, {"60m", H, M},
        {"2h", 2 * H, 5 * M}, {"8h", 8 * H, 15 * M}, {"12h", 12 * H, 30 * M}, {"24h", D, H}, {"1d", D, H},
        {"7d", 7 * D, 6 * H},
        {"2w", 14 * D, 12 * H}, {"30d", 30 * D, D}, {"90d", 90 * D, D}, {"52w", 364 * D, D}, {"45s", 45 * S, S},
        {"7d/1h", 7 * D, H}, {"7d/1d", 7 * D, D}, {"1d/24h", D, D}, {"1h/1h", H, H}, {"45m/9m", 45 * M, 9 * M},
        {"1s/250ms", S, 250}, {"4096s/1s", 4096 * S, S},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct kp_err err = {0};
        struct kp_window win;

        if (kp_window_parse(cases[i].text, strlen(cases[i].text), &win, &err))
            fail_msg("%s", err.text);
        assert_int_equal(win.kind, KP_WIN_ROLLING);
        assert_string_equal(win.text, cases[i].text);
        if (win.length_ms != cases[i].length || win.pane_ms != cases[i].pane)
            fail_msg("%s: %lld/%lld", cases[i].text, (long long)win.length_ms, (long long)win.pane_ms);
    }
}

/* By the words of the interface: the largest of the list that divides W and is at most W/24. */
static void the_default_pane_is_the_largest_that_fits(void **state)
{
    static const int64_t list[] = {S,      5 * S,  10 * S, 15 * S, 30 * S, M,     5 * M, 10 * M,
                                   15 * M, 30 * M, H,      2 * H,  6 * H,  12 * H, D};

    (void)state;
    for (int64_t n = 1; n <= 4000; n++) {
        static const struct {
            const char *unit;
            int64_t ms;
        } units[] = {{"s", S}, {"m", M}, {"h", H}, {"d", D}};

        for (size_t u = 0; u < COUNT_OF(units); u++) {
            int64_t length = n * units[u].ms, want = 0;
            struct kp_window win;
            char text[32];
            bool ok;

            for (size_t i = 0; i < COUNT_OF(list); i++)
                if (length % list[i] == 0 && list[i] * 24 <= length)
                    want = list[i];
            snprintf(text, sizeof text, "%lld%s", (long long)n, units[u].unit);
            ok = kp_window_parse(text, strlen(text), &win, NULL) == KP_OK;
            if (ok != (want != 0 && length / want <= KP_PANES_MAX) || (ok && win.pane_ms != want))
                fail_msg("%s", text);
        }
    }
}

static void calendar_windows_have_a_period_and_a_shift(void **state)
{
    static const struct {
        const char *text;
        enum kp_period period;
        int back;
    } cases[] = {
        {"day", KP_PER_DAY, 0}, {"week", KP_PER_WEEK, 0}, {"month", KP_PER_MONTH, 0}, {"quarter", KP_PER_QUARTER, 0},
        {"year", KP_PER_YEAR, 0}, {"day-1", KP_PER_DAY, 1}, {"week-12", KP_PER_WEEK, 12},
        {"quarter-9", KP_PER_QUARTER, 9},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct kp_window win;

        assert_int_equal(kp_window_parse(cases[i].text, strlen(cases[i].text), &win, NULL), KP_OK);
        assert_int_equal(win.kind, KP_WIN_CALENDAR);
        assert_int_equal(win.period, cases[i].period);
        assert_int_equal(win.back, cases[i].back);
    }
}

static void working_windows_have_panes_of_an_hour_at_most(void **state)
{
    static const struct {
        const char *text;
        int64_t length, pane;
    } cases[] = {
        {"1wh", H, M}, {"8wh", 8 * H, 15 * M}, {"24wh", 24 * H, H}, {"40wh", 40 * H, H}, {"8wh/1h", 8 * H, H},
        {"8wh/40m", 8 * H, 40 * M}, {"1wh/1s", H, S},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct kp_window win;

        assert_int_equal(kp_window_parse(cases[i].text, strlen(cases[i].text), &win, NULL), KP_OK);
        assert_int_equal(win.kind, KP_WIN_WORKING);
        assert_int_equal(win.length_ms, cases[i].length);
        assert_int_equal(win.pane_ms, cases[i].pane);
    }
}

static void what_is_no_window_is_refused_with_its_text(void **state)
{
    static const char *const texts[] = {
        "", "0s", "1s", "23s", "45x", "7", "h", "days", "day-", "day-0", "day-01", "day-13", "day-1x", "day-100", "Day",
        "1h/", "1h/0s", "1h/7m", "1h/2h", "/1m", "1h/1m/1m", "2d/2d", "4097s/1s", "0wh", "wh", "8wh/2h", "8wh/7m", "5000wh/1h", "1h ", " 1h", "-1h", "1.5h",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct kp_err err = {0};
        struct kp_window win;

        if (kp_window_parse(texts[i], strlen(texts[i]), &win, &err) == KP_OK)
            fail_msg("\"%s\" was taken", texts[i]);
        assert_int_equal(err.code, KP_EINVAL);
        assert_non_null(strstr(err.text, "window"));
    }
}

static void a_refusal_says_why(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"8wh/2h", "a pane of working time is at most an hour"}, {"8wh/7m", "not a multiple"}, {"5000wh/1h", "4096 panes"},
        {"0wh", "neither a duration"}, {"1000000wh", "neither a duration"},
        {"8xwh", "neither a duration"}, {"wh", "neither a duration"}, {"45x", "window \"45x\": neither a duration"},
        {"day-13", "1 to 12"}, {"2w/1w", "a pane is at most a day"}, {"1h/7m", "not a multiple"},
        {"1h/x", "no duration"}, {"10s", "give one"}, {"4097s/1s", "4096 panes"}, {"", "empty"},
        {"aaaaaaaaaaaaaaaaaaaaaaaa", "too long"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct kp_err err = {0};
        struct kp_window win;

        assert_int_equal(kp_window_parse(cases[i].text, strlen(cases[i].text), &win, &err), KP_EINVAL);
        if (!strstr(err.text, cases[i].why))
            fail_msg("%s", err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rolling_windows_have_the_length_and_panes_of_the_table),
        cmocka_unit_test(the_default_pane_is_the_largest_that_fits),
        cmocka_unit_test(calendar_windows_have_a_period_and_a_shift),
        cmocka_unit_test(working_windows_have_panes_of_an_hour_at_most),
        cmocka_unit_test(what_is_no_window_is_refused_with_its_text),
        cmocka_unit_test(a_refusal_says_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
