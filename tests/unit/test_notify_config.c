/* The routes of kpi-notify: what they may say, and that its reference tells every key. */
#include "notify.h"

#include "reference.h"
#include "slurp.h"
#include "template.h"

static void a_whole_file_is_read(void **state)
{
    struct notify_config c;

    (void)state;
    notify_good("zone: Europe/London\n"
                "retry: {first: 2s, longest: 1m, give_up: 1d}\n"
                "limits: {waiting: 7, alerts: 8}\ntimeout: 5s\ndigest: daily 08:05\n"
                "people: {zoe: z@x.y, ana: a@x.y}\n"
                "routes:\n"
                "  - {match: {rule: [a, b], severity: critical, path: /emea//field%2f1/}, mail: [l@x.y], copy_rep: true, budget: 5}\n"
                "  - {mail: [b@x.y], digest: daily 17:30, zone: America/New_York, resolved: false, repeat: true}\n"
                "  - {webhook: {url: \"https://h/x\", template: '{\"a\": \"{name}\"}', escape: json}}\n"
                "  - {alertmanager: {url: \"http://127.0.0.1:9093/am/\", resend: 10s}}\n",
                &c);
    assert_int_equal(c.nroutes, 4);
    assert_string_equal(c.routes[0].match.paths.items[0], "emea/field%2F1");
    assert_int_equal(c.routes[0].match.rules.count, 2);
    assert_true(c.routes[0].copy_rep && c.routes[0].budget == 5 && !c.routes[0].has_digest && c.routes[0].resolved);
    assert_ptr_equal(c.routes[0].zone, c.zone);
    assert_true(c.routes[1].has_digest && c.routes[1].budget == UINT32_MAX && !c.routes[1].resolved && c.routes[1].repeat);
    assert_int_equal(c.routes[1].digest_ms, (17 * 60 + 30) * 60000);
    assert_ptr_not_equal(c.routes[1].zone, c.zone);
    assert_false(c.routes[2].webhook.slack);
    assert_string_equal(c.routes[3].alertmanager.url, "http://127.0.0.1:9093/am");
    assert_int_equal(c.routes[3].alertmanager.resend_ms, 10000);
    assert_int_equal(c.digest_ms, (8 * 60 + 5) * 60000);
    assert_int_equal(c.waiting_max, 7);
    assert_string_equal(notify_config_mail_of(&c, "ana"), "a@x.y");
    assert_null(notify_config_mail_of(&c, "bob"));
    notify_config_release(&c);
}

static void every_fault_is_told_with_its_place(void **state)
{
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"", "is empty"},
        {"a: b\n", "f:1:1: a: unknown key \"a\""},
        {NOTIFY_HEAD "routes: []\n", "f:4:9: routes: is empty"},
        {NOTIFY_HEAD "routes: [{}]\n", "f:4:10: routes[0]: leads nowhere"},
        {NOTIFY_HEAD "routes: [{mial: [a@b.c]}]\n", "did you mean \"mail\"?"},
        {NOTIFY_HEAD "routes: [{mail: a@b.c}]\n", "must be a list"},
        {NOTIFY_HEAD "routes: [{mail: [a@b.c], digest: daily 24:00}]\n", "f:4:34: routes[0].digest: \"daily 24:00\" is no time"},
        {NOTIFY_HEAD "routes: [{mail: [a@b.c], digest: daily 17:30x}]\n", "is no time"},
        {NOTIFY_HEAD "routes: [{mail: [a@b.c], digest: weekly}]\n", "is no time"},
        {NOTIFY_HEAD "routes: [{mail: [a@b.c], digest: daily 17:30, budget: 1}]\n", "\"budget\" is for what is told at once"},
        {NOTIFY_HEAD "routes: [{mail: [a@b.c], budget: -1}]\n", "lies outside of 0"},
        {NOTIFY_HEAD "routes: [{copy_rep: true}]\n", "\"copy_rep\" needs \"people\""},
        {NOTIFY_HEAD "routes: [{webhook: {url: \"ftp://h\"}}]\n", "must begin with https:// or http://"},
        {NOTIFY_HEAD "routes: [{webhook: {url: \"https://\"}}]\n", "names no host"},
        {NOTIFY_HEAD "routes: [{webhook: {url: \"https://a b\"}}]\n", "holds a blank"},
        {NOTIFY_HEAD "routes: [{webhook: {url: \"https://h\\r\\nX: y\"}}]\n", "holds a blank"},
        {NOTIFY_HEAD "routes: [{webhook: {}}]\n", "needs \"url\" or \"url_file\""},
        {NOTIFY_HEAD "routes: [{webhook: {url: \"https://h\", template: \"{\"}}]\n", "is no JSON"},
        {NOTIFY_HEAD "routes: [{match: {severity: [warning, bad]}, mail: [a@b.c]}]\n", "unknown severity \"bad\""},
        {NOTIFY_HEAD "people: {ana: a@b.c, bob: bob}\nroutes: [{mail: [a@b.c]}]\n", "f:4:27: people.bob: \"bob\" is no e-mail address"},
        {"kpid: {publish: \"udp://x\", control: \"ipc://c\"}\nspool: /s\nroutes: [{mail: [a@b.c]}]\n", "must be tcp://HOST:PORT"},
        {"kpid: {publish: \"ipc://p\", control: \"ipc://c\"}\nspool: /s\nroutes: [{mail: [a@b.c]}]\n", "names no server"},
        {"mail: {url: \"smtp://h\", from: \"x\\r\\nBcc: y <a@b.c>\"}\n", "is no sender"},
        {"mail: {url: \"smtp://h\", from: a@b.c, user: x}\n", "go together"},
        {"retry: {first: 1m, longest: 1s}\n", "\"longest\" is shorter"},
        {"zone: Nowhere/At_All\n", "unknown time zone"},
    };
    char told[8192];
    struct notify_config c;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_true(notify_load(cases[i].yaml, &c, told, sizeof told) > 0);
        if (!strstr(told, cases[i].want))
            fail_msg("%s\nwanted: %s\ntold: %s", cases[i].yaml, cases[i].want, told);
        assert_int_equal(c.nroutes, 0);
    }
}

static void addresses_are_plain_ones(void **state)
{
    static const char *const good[] = {"a@b", "ana.silva+x@mail.example.com", "o'neil@example.com", "x_y-z@1.2"};
    static const char *const bad[] = {"",       "@",       "a@",        "@b",           "a b@c",       "a@b c",     "a@b@c",
                                      "<a@b>",  "a@b>",    "a,b@c",     "\"a\"@b",      "a@b\r\nX: y", "a\n@b",     ".a@b",
                                      "a.@b",   "a..b@c",  "a@.b",      "a@b.",         "\xC3\xA9@b",  "-x@b",      "a@b/c",
                                      "a:b@c",  "a;b@c",   "a(b)@c",    "a@[127.0.0.1]"};
    char yaml[400], told[2048];
    struct notify_config c;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good) + COUNT_OF(bad); i++) {
        const char *address = i < COUNT_OF(good) ? good[i] : bad[i - COUNT_OF(good)];
        char quoted[200];
        size_t n = 0;

        for (const char *a = address; *a; a++)
            n += (size_t)snprintf(quoted + n, sizeof quoted - n, (unsigned char)*a < 0x20 || *a == '"' ? "\\x%02x" : "%c",
                                  (unsigned char)*a);
        quoted[n] = '\0';
        snprintf(yaml, sizeof yaml, NOTIFY_HEAD "routes: [{mail: [\"%s\"]}]\n", quoted);
        assert_int_equal(notify_load(yaml, &c, told, sizeof told), i >= COUNT_OF(good));
        notify_config_release(&c);
    }
}

/* tools/kpi-notify/README.md tells each key and each placeholder in backquotes. */
static void the_reference_tells_everything(void **state)
{
    char *reference = slurp(NOTIFY_REFERENCE), quoted[80];
    size_t count, untold;
    const struct kp_key_table *tables = notify_config_tables(&count);
    const char *name;

    (void)state;
    assert_non_null(reference);
    untold = reference_untold(reference, tables, count);
    for (int i = 0; (name = template_placeholder(i)) != NULL; i++) {
        snprintf(quoted, sizeof quoted, "`{%s}`", name);
        if (!strstr(reference, quoted)) {
            fprintf(stderr, "%s is not told\n", quoted);
            untold++;
        }
    }
    free(reference);
    assert_int_equal(untold, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file_is_read),
        cmocka_unit_test(every_fault_is_told_with_its_place),
        cmocka_unit_test(addresses_are_plain_ones),
        cmocka_unit_test(the_reference_tells_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
