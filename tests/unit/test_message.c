/* The words of an alert. */
#include "unit.h"

#include "kpid/message.h"

#include <math.h>

static void placeholders_are_found_by_their_names(void **state)
{
    (void)state;
    for (int i = 0; i < KP_PLACEHOLDERS; i++)
        assert_int_equal(kp_placeholder(kp_placeholder_name(i), strlen(kp_placeholder_name(i))), i);
    assert_int_equal(kp_placeholder("nam", 3), -1);
    assert_int_equal(kp_placeholder("names", 5), -1);
    assert_int_equal(kp_placeholder("", 0), -1);
    assert_null(kp_placeholder_name(KP_PLACEHOLDERS));
    assert_null(kp_placeholder_name(-1));
}

static void templates_get_their_texts(void **state)
{
    static const struct {
        const char *template, *want;
    } cases[] = {
        {"", ""}, {"plain", "plain"}, {"{name}: {value} of {target}", "Ana: 12 of ?"}, {"{name}{name}", "AnaAna"},
        {"{nobody} {name}", "{nobody} Ana"}, {"{name", "{name"}, {"{", "{"}, {"}{", "}{"}, {"{{name}}", "{Ana}"},
        {"{}", "{}"},
        {"100% {name}", "100% Ana"}, {"{ name}", "{ name}"}, {"{key}", "{name}"},
    };
    const char *texts[KP_PLACEHOLDERS] = {[KP_PH_NAME] = "Ana", [KP_PH_VALUE] = "12", [KP_PH_KEY] = "{name}"};
    char buf[100];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        kp_message_render(cases[i].template, texts, buf, sizeof buf);
        assert_string_equal(buf, cases[i].want);
    }
}

/* Whatever the room, it is the beginning of the whole, and ends with a whole character. */
static void a_cut_message_is_a_beginning_of_whole_characters(void **state)
{
    const char *texts[KP_PLACEHOLDERS] = {[KP_PH_NAME] = "\xc3\x86va \xe2\x82\xac", [KP_PH_KEY] = "x"};
    const char *template = "a{name}b{key}\xf0\x9f\x93\x9e{name}c{nobody}{key}";
    char whole[100];

    (void)state;
    kp_message_render(template, texts, whole, sizeof whole);
    for (size_t size = 1; size <= strlen(whole) + 1; size++) {
        char *buf = malloc(size);
        size_t len;

        kp_message_render(template, texts, buf, size);
        len = strlen(buf);
        assert_true(len < size && len + 4 > size - 1);
        assert_memory_equal(buf, whole, len);
        assert_true(((unsigned char)whole[len] & 0xC0) != 0x80);
        free(buf);
    }
}

static void numbers_read_as_people_write_them(void **state)
{
    static const struct {
        double value;
        const char *unit, *want;
    } cases[] = {
        {0, NULL, "0"}, {12, NULL, "12"}, {12.5, "s", "12.5"}, {1.005, NULL, "1"},
        {1234567.891, "GBP", "1234567.89"}, {100, "", "100"},
        {-3, NULL, "-3"}, {-0.001, NULL, "0"}, {0.25, "%", "25%"}, {0.3333, "%", "33.3%"}, {1, "%", "100%"},
        {-0.0001, "%", "0%"},
        {0, "%", "0%"}, {10.0, NULL, "10"}, {9e12, NULL, "9000000000000"},
    };
    char buf[64];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        kp_number_text(cases[i].value, true, cases[i].unit, buf, sizeof buf);
        if (strcmp(buf, cases[i].want) != 0)
            fail_msg("%g %s: %s", cases[i].value, cases[i].unit ? cases[i].unit : "", buf);
    }
    kp_number_text(5, false, NULL, buf, sizeof buf);
    assert_string_equal(buf, "no data");
    kp_number_text((double)NAN, true, "%", buf, sizeof buf);
    assert_string_equal(buf, "no data");
}

static void a_number_keeps_within_its_room(void **state)
{
    static const double numbers[] = {1e300, -1e15, 0.5, 123.45, (double)INFINITY};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        for (size_t size = 1; size < 40; size++) {
            char *buf = malloc(size);

            kp_number_text(numbers[i], true, i & 1 ? "%" : NULL, buf, size);
            assert_true(strlen(buf) < size);
            free(buf);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(placeholders_are_found_by_their_names),
        cmocka_unit_test(templates_get_their_texts),
        cmocka_unit_test(a_cut_message_is_a_beginning_of_whole_characters),
        cmocka_unit_test(numbers_read_as_people_write_them),
        cmocka_unit_test(a_number_keeps_within_its_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
