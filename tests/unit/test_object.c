/* What a daemon sends is not believed where it claims lengths. */
#include "unit.h"

#include "object.h"

static bool parses(const char *bytes, size_t len)
{
    msgpack_unpacked item;
    bool ok;

    msgpack_unpacked_init(&item);
    ok = object_parse(bytes, len, &item);
    msgpack_unpacked_destroy(&item);
    return ok;
}

/* Each kind of head, alone in an array. */
static void every_kind_of_item_is_taken(void **state)
{
    static const char *const items[] = {"\xC0", "\xC2", "\xC3", "\x7F", "\xFF", "\xA0", "\x90", "\x80", "\xA3" "abc",
                                        "\xC4\x01x", "\xC5\x01\x01", "\xD9\x01x", "\xCC\x01", "\xD0\x01", "\xCD\x01\x01",
                                        "\xCE\x01\x01\x01\x01", "\xCA\x01\x01\x01\x01", "\xCB\x01\x01\x01\x01\x01\x01\x01\x01",
                                        "\xCF\x01\x01\x01\x01\x01\x01\x01\x01", "\xD4\x01x", "\xD5\x01xx", "\xD6\x01xxxx",
                                        "\xD7\x01xxxxxxxx", "\xD8\x01xxxxxxxxxxxxxxxx", "\xC7\x01\x01x", "\x81\xA1" "a\x01",
                                        "\x92\x01\x02"};
    char bytes[600];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        size_t len = strlen(items[i]);

        bytes[0] = (char)0x91;
        memcpy(bytes + 1, items[i], len);
        memset(bytes + 1 + len, 'x', 257);
        assert_true(parses(bytes, 1 + len + (items[i][0] == (char)0xC5 ? 257 : 0)));
        assert_false(parses(bytes, len));      /* a byte short */
    }
}

static void claims_beyond_the_bytes_are_refused(void **state)
{
    static const char *const claims[] = {"\xDD\xFF\xFF\xFF\xFF\x01", "\xDF\x7F\xFF\xFF\xFF\x01\x01", "\xDC\xFF\xFF\x01",
                                         "\xDE\xFF\xFF\x01", "\x9F\x01", "\x8F\x01", "\xDB\xFF\xFF\xFF\xFF\x01",
                                         "\xC6\xFF\xFF\xFF\xFF\x01", "\xC9\xFF\xFF\xFF\xFF\x01\x01", "\xBF\x01"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(claims); i++)
        assert_false(parses(claims[i], strlen(claims[i])));
    assert_false(parses("", 0));
}

static void deep_nests_are_refused(void **state)
{
    static const char quoted[] = "[[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[\"]]";
    char packed[100], json[100000];

    (void)state;
    memset(packed, 0x91, sizeof packed);
    packed[OBJECT_DEPTH_MAX - 1] = 1;
    assert_true(parses(packed, OBJECT_DEPTH_MAX));
    packed[OBJECT_DEPTH_MAX - 1] = (char)0x91;
    packed[OBJECT_DEPTH_MAX] = 1;
    assert_false(parses(packed, OBJECT_DEPTH_MAX + 1));
    memset(json, '[', sizeof json / 2);
    memset(json + sizeof json / 2, ']', sizeof json / 2);
    assert_false(parses(json, sizeof json));
    assert_true(parses(quoted, sizeof quoted - 1));
}

static void a_terminal_is_told_nothing_that_moves_it(void **state)
{
    static const char text[] = "Zo\xC3\xAB \x1B]0;x\x07\xC2\x9B" "2J \xE2\x80\xAE" "abc\xE2\x81\xA6.";
    msgpack_object object = {.type = MSGPACK_OBJECT_STR, .via.str = {sizeof text - 1, text}};
    char buf[64], small[5];

    (void)state;
    assert_string_equal(object_plain(&object, buf, sizeof buf), "Zo\xC3\xAB ?]0;x??2J ?abc?.");
    assert_string_equal(object_plain(&object, small, sizeof small), "Zo\xC3\xAB");
    assert_string_equal(object_plain(NULL, buf, sizeof buf), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_item_is_taken),
        cmocka_unit_test(claims_beyond_the_bytes_are_refused),
        cmocka_unit_test(deep_nests_are_refused),
        cmocka_unit_test(a_terminal_is_told_nothing_that_moves_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
