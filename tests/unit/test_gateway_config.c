/* The configuration of kpi-gateway: what it may say, and that its reference tells every key. What is wrong in one is told by
 * tests/e2e/test_gateway.py. */
#include "gateway_config.h"

#include "unit.h"

#include "reference.h"
#include "slurp.h"

static void count_fault(void *ctx, struct kp_loc loc, const char *path, const char *text)
{
    (void)ctx;
    fprintf(stderr, "%d:%d: %s: %s\n", loc.line, loc.col, path, text);
}

static void a_whole_file_is_read(void **state)
{
    static const char text[] =
        "kpid: {publish: \"tcp://h:1\", control: \"ipc://c\"}\nlisten: \"[::1]:80\"\n"
        "users:\n  zoe: {admin: true}\n"
        "  ana: {token: \"sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\", read: [a/b], acknowledge: true}\n"
        "anonymous: {read: all}\nproxy: {header: X-User, from: [127.0.0.1, \"::1\"]}\npeers: anonymous\n"
        "metrics: {kpis: [k], series: 5}\nlimits: {browsers: 7, requests: 8, sessions: 9, keys: 10, alerts: 11}\n";
    struct kp_faults faults = {count_fault, NULL, 0};
    struct gateway_config c;

    (void)state;
    assert_int_equal(gateway_config_load_bytes(NULL, text, sizeof text - 1, &c, &faults), 0);
    assert_string_equal(c.host, "::1");
    assert_int_equal(c.port, 80);
    assert_int_equal(c.nusers, 2);
    assert_string_equal(c.users[0].name, "ana");
    assert_ptr_equal(gateway_config_user(&c, "zoe"), &c.users[1]);
    assert_null(gateway_config_user(&c, "zo"));
    assert_ptr_equal(gateway_config_token(&c, "foo", 3), &c.users[0]);
    assert_null(gateway_config_token(&c, "fo", 2));
    assert_true(rights_see(&c.users[0], "a/b", 3) && rights_see(&c.users[0], "a/b/c", 5));
    assert_false(rights_see(&c.users[0], "a", 1) || rights_see(&c.users[0], "a/bc", 4) || rights_see_all(&c.users[0]));
    assert_true(rights_see_all(&c.users[1]) && rights_acknowledge(&c.users[1]));
    assert_true(c.has_anonymous && rights_see_all(&c.anonymous) && !rights_acknowledge(&c.anonymous));
    assert_true(gateway_config_is_proxy(&c, "::1") && !gateway_config_is_proxy(&c, "10.0.0.1"));
    assert_true(c.peers_anonymous && c.metrics.is_on);
    assert_string_equal(c.metrics.levels.items[0], "company");
    assert_string_equal(c.metrics.windows.items[0], "day");
    assert_int_equal(c.metrics.series + c.browsers + c.requests + c.sessions + c.keys + c.alerts, 5 + 7 + 8 + 9 + 10 + 11);
    gateway_config_release(&c);
}

static void the_reference_tells_everything(void **state)
{
    char *reference = slurp(GATEWAY_REFERENCE);
    size_t count, untold;
    const struct kp_key_table *tables = gateway_config_tables(&count);

    (void)state;
    assert_non_null(reference);
    untold = reference_untold(reference, tables, count);
    free(reference);
    assert_int_equal(untold, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file_is_read),
        cmocka_unit_test(the_reference_tells_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
