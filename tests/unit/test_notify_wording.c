/* What is said of an alert, and in which form it goes out. */
#include "notify.h"

#include "alertmanager.h"
#include "mail.h"
#include "template.h"
#include "wording.h"

#include <math.h>

#include <yajl/yajl_tree.h>

static struct zone_said utc(void)
{
    struct kp_err err;

    return (struct zone_said){kp_zone_new(NULL, 0, &err), "UTC"};
}

static void end_zone(struct zone_said *zone)
{
    kp_zone_destroy((struct kp_zone **)(uintptr_t)&zone->zone);
}

static const struct subject_case {
    enum change change;
    enum alert_severity severity;
    enum reader reader;
    const char *reason, *want;
} subject_cases[] = {
    {CHANGE_NEW, ALERT_WARNING, READER_OTHERS, "", "Worth a look: Ana Silva: 12 of 22.5 calls by now"},
    {CHANGE_NEW, ALERT_CRITICAL, READER_OTHERS, "", "Needs a look: Ana Silva: 12 of 22.5 calls by now"},
    {CHANGE_SEVERITY, ALERT_CRITICAL, READER_OTHERS, "", "Getting worse: Ana Silva: 12 of 22.5 calls by now"},
    {CHANGE_SEVERITY, ALERT_WARNING, READER_OTHERS, "", "Easing: Ana Silva: 12 of 22.5 calls by now"},
    {CHANGE_REPEAT, ALERT_WARNING, READER_OTHERS, "", "Still so: Ana Silva: 12 of 22.5 calls by now"},
    {CHANGE_RESOLVED, ALERT_WARNING, READER_OTHERS, "", "Back on track: Ana Silva, Calls made (day)"},
    {CHANGE_RESOLVED, ALERT_WARNING, READER_OTHERS, "period_ended", "The period is over: Ana Silva, Calls made (day)"},
    {CHANGE_RESOLVED, ALERT_WARNING, READER_OTHERS, "moved", "It has moved: Ana Silva, Calls made (day)"},
    {CHANGE_RESOLVED, ALERT_WARNING, READER_OTHERS, "no_data", "No longer open: Ana Silva, Calls made (day)"},
    {CHANGE_NEW, ALERT_WARNING, READER_REP, "", "Your Calls made: 12 by now, where 22.5 would be expected (53.3% of pace)"},
    {CHANGE_RESOLVED, ALERT_WARNING, READER_REP, "", "Your Calls made: you are back on track"},
    {CHANGE_RESOLVED, ALERT_WARNING, READER_REP, "no_data", "Your Calls made: nothing is open any more"},
};

static void subjects_say_what_has_become_of_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(subject_cases); i++) {
        const struct subject_case *c = &subject_cases[i];
        struct alert alert = notify_alert();
        struct text out = {0};

        alert.severity = c->severity;
        snprintf(alert.reason, sizeof alert.reason, "%s", c->reason);
        wording_subject(&alert, c->change, c->reader, &out);
        assert_string_equal(text_of(&out), c->want);
        text_release(&out);
    }
}

static void each_comparison_has_its_sentence(void **state)
{
    static const struct {
        const char *compare, *unit, *want;
        double expected, ratio;
    } cases[] = {
        {"pace", "", "12 by now, where 22.5 would be expected (53.3% of pace)", 22.5, 0.5333},
        {"pace", "GBP", "12 GBP by now, where 22.5 GBP would be expected (53.3% of pace)", 22.5, 0.5333},
        {"target", "", "12 of a target of 40 (30%)", 22.5, 0.3},
        {"value", "", "12, with the line at 0.8", 22.5, 0.3},
        {"value", "%", "1200%, with the line at 80%", 22.5, 0.3},
        {"peers", "", "12, 53.3% of the others' 22.5", 22.5, 0.5333},
        {"baseline", "GBP", "12 GBP, 53.3% of the usual 22.5 GBP by now", 22.5, 0.5333},
        {"silence", "", "nothing for 12s of working time, with the line at 0s", NAN, NAN},
        {"stalled", "", "not moved for 12s, with the line at 0s", NAN, NAN},
        {"group", "", "12 of 40 at once", NAN, 0.3},
        {"", "", "12, 53.3% of what it is compared with", NAN, 0.5333},
        {"", "s", "12 s", NAN, NAN},
        {"pace", "", "12", NAN, NAN},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct alert alert = notify_alert();
        struct text out = {0};

        snprintf(alert.compare, sizeof alert.compare, "%s", cases[i].compare);
        snprintf(alert.unit, sizeof alert.unit, "%s", cases[i].unit);
        alert.expected = cases[i].expected;
        alert.ratio = cases[i].ratio;
        wording_comparison(&alert, &out);
        if (strncmp(text_of(&out), cases[i].want, strlen(cases[i].want)) != 0)
            fail_msg("%s: %s", cases[i].want, text_of(&out));
        text_release(&out);
    }
}

static void both_halves_tell_the_same(void **state)
{
    static const char *const words[] = {"Expected by now", "22.5", "53.3% of pace", "Tue 3 Mar 2026, 10:42 (UTC)",
                                        "emea / field-1 / ana", "Plan two call blocks before noon", "once in 100 times",
                                        "not a verdict", "Ana Silva: 12 of 22.5 calls by now", "behind_on_calls"};
    struct alert alert = notify_alert();
    struct zone_said zone = utc();
    struct text plain = {0}, html = {0};

    (void)state;
    wording_plain(&alert, CHANGE_NEW, READER_OTHERS, &zone, &plain);
    wording_html(&alert, CHANGE_NEW, READER_OTHERS, &zone, &html);
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        assert_non_null(strstr(text_of(&plain), words[i]));
        assert_non_null(strstr(text_of(&html), words[i]));
    }
    text_release(&plain);
    text_release(&html);
    end_zone(&zone);
}

static void foreign_text_is_one_clean_line(void **state)
{
    static const struct {
        const char *in, *want;
        size_t len, size;
    } cases[] = {
        {"Ana", "Ana", 3, 10}, {"A\r\nB\x7F\x01", "A  B  ", 6, 10}, {"a\0b", "a b", 3, 10}, {"\xC3\x86va", "\xC3\x86va", 4, 10},
        {"\xC3", "\xEF\xBF\xBD", 1, 10}, {"a\xFFz", "a\xEF\xBF\xBDz", 3, 10}, {"\xE2\x80\xAE" "x\xE2\x80\xA8", " x ", 7, 10},
        {"\xC2\x85" "x", " x", 3, 10}, {"\xE2\x82\xAC\xE2\x82\xAC", "\xE2\x82\xAC", 6, 6}, {"abc", "ab", 3, 3}, {"abc", "", 3, 1},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", 3, 20},
    };
    char buf[32];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(text_clean(cases[i].in, cases[i].len, buf, cases[i].size), cases[i].want);
}

static void escapes_leave_nothing_that_means_anything(void **state)
{
    static const struct {
        enum escape escape;
        const char *want;
    } cases[] = {
        {ESCAPE_NONE, "<a href=\"x\">'&\\\n\x01"},
        {ESCAPE_HTML, "&lt;a href=&quot;x&quot;&gt;&#39;&amp;\\\n\x01"},
        {ESCAPE_JSON, "<a href=\\\"x\\\">'&\\\\\\n\\u0001"},
        {ESCAPE_SLACK, "&lt;a href=\\\"x\\\"&gt;'&amp;\\\\\\n\\u0001"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct text out = {0};

        text_escape(&out, "<a href=\"x\">'&\\\n\x01", cases[i].escape);
        assert_string_equal(text_of(&out), cases[i].want);
        text_release(&out);
    }
}

static void templates_are_checked_and_filled(void **state)
{
    static const struct {
        const char *template, *want;    /* want NULL: a fault */
    } cases[] = {
        {"{\"text\": \"{message}\"}", "{\"text\": \"Ana \\\"A\\\" <b>\"}"},
        {"{\"a\":{\"b\":\"{value} of {expected}: {percent}, {threshold}\"}}", "{\"a\":{\"b\":\"12 of 22.5: 53.3%, 80%\"}}"},
        {"[\"{name}{key}\", \"{since}\"]", "[\"Ana Silvaana\", \"Tue 3 Mar 2026, 10:42\"]"},
        {"{\"x\": \"{state} {severity} {change} {id} {members}|\"}", "{\"x\": \"firing warning new 00ab Bo, Cy|\"}"},
        {"{\"x\": {value}}", NULL},
        {"{\"x\": \"{nothing}\"}", NULL},
        {"{\"x\": \"{message\"", NULL},
        {"", NULL},
        {"text", NULL},
    };
    struct zone_said zone = utc();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct alert alert = notify_alert();
        struct kp_err err = {0};
        struct text out = {0};

        assert_int_equal(template_check(cases[i].template, &err) == KP_OK, cases[i].want != NULL);
        if (!cases[i].want)
            continue;
        snprintf(alert.message, sizeof alert.message, "Ana \"A\" <b>");
        snprintf(alert.members[0], ALERT_NAME, "Bo");
        snprintf(alert.members[1], ALERT_NAME, "Cy");
        alert.nmembers = 2;
        template_fill(cases[i].template, &alert, CHANGE_NEW, &zone, false, &out);
        assert_string_equal(text_of(&out), cases[i].want);
        text_release(&out);
    }
    end_zone(&zone);
}

/* Whatever the alert says, what goes out is JSON. */
static void a_hook_s_body_is_always_json(void **state)
{
    struct zone_said zone = utc();
    uint64_t seed = 7;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        struct alert alert = notify_alert();
        struct text out = {0};
        char raw[64];
        yajl_val tree;

        for (size_t k = 0; k < sizeof raw; k++)
            raw[k] = (char)(unit_below(&seed, 4) ? "\"\\<>&{}\r\n u0x"[unit_below(&seed, 14)] : (char)unit_random(&seed));
        text_clean(raw, sizeof raw, alert.message, sizeof alert.message);
        text_clean(raw, sizeof raw, alert.name, sizeof alert.name);
        template_fill(i % 2 ? NULL : "{\"a\": \"{message}\", \"b\": [\"{name}\"]}", &alert, CHANGE_NEW, &zone, i % 3 != 0, &out);
        tree = yajl_tree_parse(text_of(&out), NULL, 0);
        assert_non_null(tree);
        yajl_tree_free(tree);
        text_release(&out);
    }
    end_zone(&zone);
}

/* ---- Mails ---- */

static void build(const char *subject, const char *plain, const char *from_name, struct text *out)
{
    mail_build(&(struct mail){.from_name = from_name, .from = "kpid@example.com", .to = "ana@example.com", .subject = subject,
                              .id = "00ab.firing.warning.1.ff", .thread = "00ab.ff", .date_ms = INT64_C(1772534520000),
                              .plain = plain, .html = "<p>x</p>\n"},
               out);
}

static void a_mail_s_header_is_as_it_should_be(void **state)
{
    struct text out = {0};

    (void)state;
    build("Worth a look", "Hello\n", "kpid", &out);
    assert_non_null(strstr(text_of(&out), "Date: Tue, 3 Mar 2026 10:42:00 +0000\r\nFrom: kpid\r\n <kpid@example.com>\r\n"
                                          "To: <ana@example.com>\r\nSubject: Worth a look\r\n"
                                          "Message-ID:\r\n <00ab.firing.warning.1.ff@example.com>\r\n"));
    assert_non_null(strstr(text_of(&out), "References:\r\n <00ab.ff@example.com>\r\n"));
    text_release(&out);
    build("\xC3\x86va \xE2\x82\xAC", "x", "K\xC3\xA4the", &out);
    assert_non_null(strstr(text_of(&out), "Subject: =?utf-8?B?w4Z2YSDigqw=?=\r\n"));
    assert_non_null(strstr(text_of(&out), "From: =?utf-8?B?S8OkdGhl?=\r\n <kpid@example.com>\r\n"));
    text_release(&out);
}

static void a_body_is_quoted(void **state)
{
    struct text out = {0};

    (void)state;
    build("x", "a=b \ntab\t\n.\n\xE2\x82\xAC\n", NULL, &out);
    assert_non_null(strstr(text_of(&out), "\r\n\r\na=3Db=20\r\ntab=09\r\n.\r\n=E2=82=AC\r\n--"));
    text_release(&out);
}

/* Whatever is said: lines of at most 78 bytes, each ending in CRLF, ASCII alone, one header and two halves. */
static void lines_are_short_whatever_is_said(void **state)
{
    uint64_t seed = 3;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        char subject[400], plain[600];
        struct text out = {0};
        size_t column = 0, ends = 0;

        for (size_t k = 0; k < sizeof subject; k++)
            subject[k] = (char)(unit_below(&seed, 3) ? 'a' + (int)unit_below(&seed, 26) : 1 + (int)unit_below(&seed, 255));
        subject[unit_below(&seed, sizeof subject)] = '\0';
        for (size_t k = 0; k < sizeof plain; k++)
            plain[k] = (char)(1 + unit_below(&seed, 255));
        plain[unit_below(&seed, sizeof plain)] = '\0';
        build(subject, plain, i % 2 ? subject : NULL, &out);
        for (const char *c = text_of(&out); *c; c++) {
            assert_true((unsigned char)*c < 0x7F && (*c >= 0x20 || *c == '\r' || *c == '\n' || *c == '\t'));
            assert_int_equal(*c == '\n', c > out.s && c[-1] == '\r');
            column = *c == '\n' ? 0 : column + 1;
            assert_true(column <= 79);
        }
        for (const char *c = strstr(text_of(&out), "\r\n--=_kpi-notify_="); c; c = strstr(c + 1, "\r\n--=_kpi-notify_="))
            ends++;
        assert_int_equal(ends, 3);
        text_release(&out);
    }
}

/* ---- The digest ---- */

static void a_digest_has_what_is_open_first(void **state)
{
    struct digest_line lines[2] = {{notify_alert(), CHANGE_RESOLVED}, {notify_alert(), CHANGE_NEW}};
    struct zone_said zone = utc();
    struct text subject = {0}, plain = {0}, html = {0};

    (void)state;
    snprintf(lines[0].alert.name, ALERT_NAME, "Bob <b>");
    wording_digest_subject(lines, 2, &zone, INT64_C(1772534520000), &subject);
    wording_digest_plain(lines, 2, 3, &zone, &plain);
    wording_digest_html(lines, 2, 3, &zone, &html);
    assert_string_equal(text_of(&subject), "Digest of Tue 3 Mar 2026: 1 worth a look, 1 over by now");
    assert_true(strstr(text_of(&plain), "Ana Silva: 12 of") < strstr(text_of(&plain), "Bob <b>, Calls made (day)"));
    assert_true(strstr(text_of(&html), "Ana Silva: 12 of") < strstr(text_of(&html), "Bob &lt;b&gt;, Calls made (day)"));
    assert_non_null(strstr(text_of(&plain), "for 30 min"));
    assert_non_null(strstr(text_of(&plain), "And 3 more."));
    text_release(&subject);
    text_release(&plain);
    text_release(&html);
    end_zone(&zone);
}

/* What is kept is what was read. */
static void an_alert_survives_being_kept(void **state)
{
    struct alert alert = notify_alert(), again;
    msgpack_sbuffer packed;

    (void)state;
    alert.p = NAN;
    memset(alert.path, 0, sizeof alert.path);
    snprintf(alert.path, sizeof alert.path, "e%%2Fm/%%25/ana");
    snprintf(alert.members[0], ALERT_NAME, "Bo");
    alert.nmembers = 1;
    snprintf(alert.entity, ALERT_NAME, "deal 7");
    alert.flapping = true;
    alert.seq = 0;
    msgpack_sbuffer_init(&packed);
    alert_pack(&alert, &packed);
    assert_true(alert_unpack(packed.data, packed.size, &again));
    assert_true(isnan(again.p));
    again.p = alert.p = 0;
    assert_memory_equal(&again, &alert, sizeof alert);
    for (size_t len = 0; len < packed.size; len++)
        assert_false(alert_unpack(packed.data, len, &again));
    msgpack_sbuffer_destroy(&packed);
}

static const struct span_case {
    int64_t began_ms, ended_ms;
    const char *starts, *ends;
} span_cases[] = {
    {1000, 0, "1970-01-01T00:00:01Z", "1970-01-01T00:01:05Z"},          /* fires: good for a minute */
    {1000, 3000, "1970-01-01T00:00:01Z", "1970-01-01T00:00:03Z"},
    {1000, 1000, "1970-01-01T00:00:00.999Z", "1970-01-01T00:00:01Z"},   /* an end must lie behind the beginning */
    {1000, 9000, "1970-01-01T00:00:01Z", "1970-01-01T00:00:05Z"},       /* kpid's clock is ahead */
    {8000, 9000, "1970-01-01T00:00:04.999Z", "1970-01-01T00:00:05Z"},
    {8000, 0, "1970-01-01T00:00:05Z", "1970-01-01T00:01:05Z"},
    {1000, 1, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.001Z"},
};

static const char *member(yajl_val object, const char *first, const char *second)
{
    const char *path[] = {first, second, NULL};
    yajl_val found = yajl_tree_get(object, path, yajl_t_string);

    return found ? YAJL_GET_STRING(found) : "";
}

static void an_alertmanager_is_never_told_of_the_future(void **state)
{
    struct alert alert = notify_alert();
    struct kp_err err;

    (void)state;
    snprintf(alert.entity, sizeof alert.entity, "deal 7");
    for (size_t i = 0; i < COUNT_OF(span_cases); i++) {
        const struct span_case *c = &span_cases[i];
        struct kp_out *out = kp_out_new(true, &err);
        const void *json;
        struct text text = {0};
        yajl_val tree;
        size_t len;

        assert_non_null(out);
        alertmanager_put(out, &alert, c->began_ms, c->ended_ms, 5000, 60000);
        json = kp_out_bytes(out, &len);
        text_put(&text, json, len);
        tree = yajl_tree_parse(text_of(&text), NULL, 0);
        assert_non_null(tree);
        assert_string_equal(member(tree, "startsAt", NULL), c->starts);
        assert_string_equal(member(tree, "endsAt", NULL), c->ends);
        assert_string_equal(member(tree, "labels", "entity"), "deal 7");    /* two deals of a rep are two alerts */
        assert_string_equal(member(tree, "labels", "severity"), "warning");
        yajl_tree_free(tree);
        text_release(&text);
        kp_out_destroy(&out);
    }
}

static bool again(struct alert *alert)
{
    msgpack_sbuffer packed;
    bool read;

    msgpack_sbuffer_init(&packed);
    alert_pack(alert, &packed);
    read = alert_unpack(packed.data, packed.size, alert);
    msgpack_sbuffer_destroy(&packed);
    return read;
}

static void a_time_that_nobody_can_write_is_none(void **state)
{
    static const struct {
        int64_t ms, want;
    } cases[] = {{-1, 0}, {0, 0}, {1, 1}, {INT64_C(253402300799999), INT64_C(253402300799999)},
                 {INT64_C(253402300800000), 0}, {INT64_C(9000000000000000), 0}, {INT64_MAX, 0}, {INT64_MIN, 0}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct alert alert = notify_alert();

        alert.since_ms = alert.time_ms = cases[i].ms;
        assert_true(again(&alert));
        assert_int_equal(alert.since_ms, cases[i].want);
        assert_int_equal(alert.time_ms, cases[i].want);
    }
}

/* A path of so many bytes that are no UTF-8, each of which is cleaned into three. */
static bool read_long_path(size_t bad, size_t good, struct alert *alert)
{
    struct alert whole = notify_alert();
    msgpack_sbuffer packed;
    bool read;

    memset(whole.path, 'x', bad + good);
    memset(whole.path, 0xFF, bad);
    whole.path[bad + good] = '\0';
    msgpack_sbuffer_init(&packed);
    alert_pack(&whole, &packed);
    read = alert_unpack(packed.data, packed.size, alert);
    msgpack_sbuffer_destroy(&packed);
    return read;
}

static void what_is_read_can_be_read_again(void **state)
{
    struct alert alert;
    size_t taken = 0;

    (void)state;
    for (size_t bad = 0; bad < 400; bad += 31) {
        for (size_t good = 0; bad + good < ALERT_PATH; good++) {
            if (!read_long_path(bad, good, &alert))
                continue;
            assert_true(again(&alert));
            assert_int_equal(strlen(alert.path), 3 * bad + good);       /* whole, or not at all */
            taken++;
        }
    }
    assert_true(taken > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subjects_say_what_has_become_of_it),
        cmocka_unit_test(each_comparison_has_its_sentence),
        cmocka_unit_test(both_halves_tell_the_same),
        cmocka_unit_test(foreign_text_is_one_clean_line),
        cmocka_unit_test(escapes_leave_nothing_that_means_anything),
        cmocka_unit_test(templates_are_checked_and_filled),
        cmocka_unit_test(a_hook_s_body_is_always_json),
        cmocka_unit_test(a_mail_s_header_is_as_it_should_be),
        cmocka_unit_test(a_body_is_quoted),
        cmocka_unit_test(lines_are_short_whatever_is_said),
        cmocka_unit_test(a_digest_has_what_is_open_first),
        cmocka_unit_test(an_alert_survives_being_kept),
        cmocka_unit_test(an_alertmanager_is_never_told_of_the_future),
        cmocka_unit_test(a_time_that_nobody_can_write_is_none),
        cmocka_unit_test(what_is_read_can_be_read_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
