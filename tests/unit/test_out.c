/* Both formats through one set of calls. */
#include "kpid/out.h"

#include "unit.h"

#include <math.h>
#include <string.h>

static void write_some(struct kp_out *out)
{
    kp_out_clear(out);
    kp_out_map(out, 6);
    kp_out_text(out, "i");
    kp_out_int(out, -5);
    kp_out_text(out, "r");
    kp_out_real(out, 0.1);
    kp_out_text(out, "whole");
    kp_out_real(out, 12.0);
    kp_out_text(out, "none");
    kp_out_real(out, (double)NAN);
    kp_out_text(out, "list");
    kp_out_array(out, 2);
    kp_out_bool(out, true);
    kp_out_text(out, NULL);
    kp_out_end(out);
    kp_out_text(out, "s");
    kp_out_str(out, "a\"\xff", 3);
    kp_out_end(out);
}

static void json_reads_as_it_should_and_repairs_what_is_no_utf8(void **state)
{
    static const char want[] = "{\"i\":-5,\"r\":0.1,\"whole\":12,\"none\":null,\"list\":[true,null],\"s\":\"a\\\"\xEF\xBF\xBD\"}";
    struct kp_out *out = kp_out_new(true, NULL);
    const void *bytes;
    size_t len;

    (void)state;
    for (int i = 0; i < 3; i++) {       /* and again, from the same memory */
        write_some(out);
        bytes = kp_out_bytes(out, &len);
        assert_int_equal(len, sizeof want - 1);
        assert_memory_equal(bytes, want, len);
    }
    kp_out_destroy(&out);
}

static void messagepack_is_as_small_as_it_can_be(void **state)
{
    static const unsigned char want[] = "\x86\xa1i\xfb\xa1r\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a\xa5whole\x0c\xa4none\xc0"
                                        "\xa4list\x92\xc3\xc0\xa1s\xa3" "a\"\xff";
    struct kp_out *out = kp_out_new(false, NULL);
    const void *bytes;
    size_t len;

    (void)state;
    write_some(out);
    bytes = kp_out_bytes(out, &len);
    assert_int_equal(len, sizeof want - 1);
    assert_memory_equal(bytes, want, len);
    kp_out_destroy(&out);
}

static void what_is_not_closed_is_not_given_out(void **state)
{
    struct kp_out *out = kp_out_new(true, NULL);
    size_t len;

    (void)state;
    kp_out_clear(out);
    kp_out_map(out, 0);
    assert_null(kp_out_bytes(out, &len));
    kp_out_end(out);
    assert_non_null(kp_out_bytes(out, &len));
    kp_out_end(out);
    assert_null(kp_out_bytes(out, &len));
    kp_out_destroy(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_reads_as_it_should_and_repairs_what_is_no_utf8),
        cmocka_unit_test(messagepack_is_as_small_as_it_can_be),
        cmocka_unit_test(what_is_not_closed_is_not_given_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
