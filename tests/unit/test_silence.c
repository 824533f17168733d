/* Silences and acknowledgements by themselves: what matchers match, when one holds, what is refused. */
#include "unit.h"

#include "kpid/ack.h"
#include "kpid/event.h"
#include "kpid/silence.h"

static struct kp_str text(const char *s)
{
    return (struct kp_str){s, (uint32_t)strlen(s)};
}

/* "rule=behind_* path=emea/fie*", taken apart; the last part of a path may end in a star. The texts lie in spec, which is
 * cut up. */
static struct kp_matchers matchers_of(char *spec)
{
    struct kp_matchers matchers = {0};
    char *rest = NULL;

    for (char *word = strtok_r(spec, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '='), *parts = NULL;

        *value++ = '\0';
        for (int f = 0; f < KP_MATCH_FIELDS; f++)
            if (strcmp(word, kp_match_field_name(f)) == 0)
                matchers.fields[f] = kp_matcher_of(text(value));
        if (strcmp(word, "path") != 0)
            continue;
        for (char *part = strtok_r(value, "/", &parts); part; part = strtok_r(NULL, "/", &parts)) {
            struct kp_matcher last = kp_matcher_of(text(part));

            matchers.path[matchers.npath++] = last.text;
            matchers.path_prefix = last.prefix;
        }
    }
    return matchers;
}

static const struct kp_str ana_path[] = {{"emea", 4}, {"field-1", 7}, {"ana", 3}};
static const struct kp_subject ana = {
    {[KP_MATCH_RULE] = {"behind_on_calls", 15}, [KP_MATCH_KPI] = {"calls", 5}, [KP_MATCH_LEVEL] = {"rep", 3},
     [KP_MATCH_KEY] = {"ana", 3}, [KP_MATCH_SEVERITY] = {"warning", 7}},
    ana_path, 3};
static const struct kp_subject company = {
    {[KP_MATCH_RULE] = {"behind_on_calls", 15}, [KP_MATCH_KPI] = {"calls", 5}, [KP_MATCH_LEVEL] = {"company", 7},
     [KP_MATCH_KEY] = {"", 0}, [KP_MATCH_SEVERITY] = {"critical", 8}},
    NULL, 0};

static void matchers_are_exact_or_a_beginning_and_all_of_them_hold(void **state)
{
    static const struct {
        const char *spec;
        bool ana, company;
    } cases[] = {
        {"rule=behind_on_calls", true, true},   {"rule=behind_on_call", false, false}, {"rule=behind_*", true, true},
        {"rule=*", true, true},                 {"rule=behind_on_calls*", true, true}, {"rule=behind_on_calls_*", false, false},
        {"kpi=calls", true, true},              {"kpi=Calls", false, false},           {"level=rep", true, false},
        {"level=company", false, true},         {"key=ana", true, false},              {"key=an", false, false},
        {"key=an*", true, false},               {"severity=warning", true, false},     {"severity=critical", false, true},
        {"path=emea", true, false},             {"path=emea/field-1", true, false},    {"path=emea/field-1/ana", true, false},
        {"path=emea/field", false, false},      {"path=emea/field-1/ana/x", false, false}, {"path=eme", false, false},
        {"path=field-1", false, false},         {"path=emea/field-*", true, false},    {"path=em*", true, false},
        {"path=em*/field-1", false, false},     {"rule=behind_* key=ana", true, false}, {"rule=behind_* key=bob", false, false},
        {"key=ana path=apac", false, false},    {"level=rep severity=critical", false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char spec[128];
        struct kp_matchers matchers;

        snprintf(spec, sizeof spec, "%s", cases[i].spec);
        matchers = matchers_of(spec);
        if (kp_matchers_match(&matchers, &ana) != cases[i].ana || kp_matchers_match(&matchers, &company) != cases[i].company)
            fail_msg("%s", cases[i].spec);
        assert_int_equal(kp_matchers_check(&matchers, NULL), KP_OK);
    }
}

/* ---- Time ---- */

struct told {
    struct kp_silences *silences;
    int changes, matched;       /* matched: at the last of them, was ana silenced? */
};

static void on_change(void *ctx, const struct kp_matchers *matchers)
{
    struct told *told = ctx;

    told->changes += !matchers || kp_matchers_match(matchers, &ana);
    told->matched = kp_silences_match(told->silences, &ana);
}

static struct kp_silences *make(uint32_t limit, struct told *told)
{
    const struct kp_silence_sink sink = {on_change, told};
    struct kp_silences *silences = kp_silences_new(limit, &sink, NULL);

    assert_non_null(silences);
    *told = (struct told){silences, 0, -1};
    return silences;
}

static struct kp_silence about_ana(int64_t from, int64_t until)
{
    struct kp_silence silence = {.from_ms = from, .until_ms = until, .by = text("maria"), .comment = text("why not")};

    silence.matchers.fields[KP_MATCH_KEY].text = text("ana");
    return silence;
}

static uint64_t put(struct kp_silences *silences, struct kp_silence silence)
{
    struct kp_err err = {0};
    uint64_t id = 0;

    if (kp_silences_put(silences, &silence, &id, &err))
        fail_msg("%s", err.text);
    return id;
}

static void one_holds_from_its_begin_up_to_its_end_and_is_forgotten(void **state)
{
    struct told told;
    struct kp_silences *silences = make(10, &told);

    (void)state;
    kp_silences_at(silences, 1000);
    assert_true(kp_silences_due(silences) == INT64_MAX);
    assert_int_equal(put(silences, about_ana(2000, 3000)), 1);
    assert_true(kp_silences_due(silences) == 2000);
    kp_silences_at(silences, 1999);
    assert_false(kp_silences_match(silences, &ana));
    assert_int_equal(told.changes, 0);
    kp_silences_at(silences, 2000);
    assert_true(kp_silences_match(silences, &ana));
    assert_false(kp_silences_match(silences, &company));
    assert_int_equal(told.changes, 1);
    assert_true(told.matched);
    assert_true(kp_silences_due(silences) == 3000);
    kp_silences_at(silences, 2999);
    assert_true(kp_silences_match(silences, &ana));
    kp_silences_at(silences, 3000);
    assert_false(kp_silences_match(silences, &ana));
    assert_int_equal(told.changes, 2);
    assert_false(told.matched);
    assert_int_equal(kp_silences_count(silences), 0);
    assert_true(kp_silences_due(silences) == INT64_MAX);
    kp_silences_destroy(&silences);
}

static void one_that_is_slept_through_is_forgotten_untold(void **state)
{
    struct told told;
    struct kp_silences *silences = make(10, &told);

    (void)state;
    kp_silences_at(silences, 1000);
    put(silences, about_ana(2000, 3000));
    put(silences, about_ana(2000, 9000));
    kp_silences_at(silences, 5000);
    assert_int_equal(told.changes, 1);
    assert_int_equal(kp_silences_count(silences), 1);
    assert_null(kp_silences_find(silences, 1));
    kp_silences_destroy(&silences);
}

/* All begin and end before anybody is told: in between nothing shows. */
static void one_takes_over_from_another_without_a_gap(void **state)
{
    struct told told;
    struct kp_silences *silences = make(10, &told);

    (void)state;
    put(silences, about_ana(1000, 2000));
    put(silences, about_ana(2000, 3000));
    kp_silences_at(silences, 1000);
    assert_true(told.matched);
    kp_silences_at(silences, 2000);
    assert_true(told.matched);
    assert_int_equal(told.changes, 2);      /* of what ends and begins at once it is told once */
    kp_silences_destroy(&silences);
}

static void one_is_replaced_and_ended(void **state)
{
    struct told told;
    struct kp_silences *silences = make(10, &told);
    struct kp_silence other = about_ana(500, 9000);
    struct kp_err err = {0};
    uint64_t id;

    (void)state;
    kp_silences_at(silences, 1000);
    id = put(silences, about_ana(1000, 2000));
    assert_true(kp_silences_match(silences, &ana));
    other.id = id;
    other.matchers.fields[KP_MATCH_KEY].text = text("bob");
    assert_int_equal(put(silences, other), id);
    assert_false(kp_silences_match(silences, &ana));
    assert_int_equal(told.changes, 2);
    assert_int_equal(kp_silences_count(silences), 1);
    assert_true(kp_silences_due(silences) == 9000);
    other.id = 99;
    assert_int_equal(kp_silences_put(silences, &other, &id, &err), KP_EINVAL);
    assert_non_null(strstr(err.text, "no silence 99"));
    assert_false(kp_silences_end(silences, 99));
    assert_true(kp_silences_end(silences, 1));
    assert_false(kp_silences_end(silences, 1));
    assert_int_equal(put(silences, about_ana(1000, 2000)), 2);      /* no id comes twice */
    kp_silences_destroy(&silences);
}

/* ---- Refusing ---- */

static void what_is_wrong_with_one_is_said(void **state)
{
    struct told told;
    struct kp_silences *silences = make(10, &told);
    char long_text[KP_COMMENT_MAX + 2];
    struct kp_silence wrong[] = {
        about_ana(1000, 5000), about_ana(1000, 5000), about_ana(1000, 5000), about_ana(1000, 5000), about_ana(1000, 5000),
        about_ana(1000, 5000), about_ana(1000, 5000), about_ana(1000, 5000), about_ana(5000, 5000), about_ana(100, 1000),
        about_ana(-1, 5000), about_ana(1000, KP_TIME_MAX + 1), about_ana(1000, 5000),
    };
    static const char *const whys[] = {"which alerts", "empty", "severity", "UTF-8", "over 512", "needs \"by\"", "one line",
                                       "over 512", "not later", "over already", "1970", "1970", "over 128"};

    (void)state;
    kp_silences_at(silences, 1000);
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    wrong[0].matchers = (struct kp_matchers){0};
    wrong[1].matchers.fields[KP_MATCH_RULE].text = text("");
    wrong[2].matchers.fields[KP_MATCH_SEVERITY].text = text("grave");
    wrong[3].matchers.path[wrong[3].matchers.npath++] = text("\xC3");
    wrong[4].matchers.fields[KP_MATCH_KPI].text = text(long_text);
    wrong[5].by = (struct kp_str){NULL, 0};
    wrong[6].comment = text("two\nlines");
    wrong[7].comment = text(long_text);
    wrong[12].by = text(long_text);
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct kp_err err = {0};
        uint64_t id;

        assert_int_equal(kp_silences_put(silences, &wrong[i], &id, &err), KP_EINVAL);
        if (!strstr(err.text, whys[i]))
            fail_msg("%zu: %s, not: %s", i, whys[i], err.text);
    }
    assert_int_equal(kp_silences_count(silences), 0);
    kp_silences_destroy(&silences);
}

static void no_more_are_kept_than_the_limit_allows(void **state)
{
    struct told told;
    struct kp_silences *silences = make(2, &told);
    struct kp_silence one = about_ana(1000, 5000);
    struct kp_err err = {0};
    uint64_t id;

    (void)state;
    kp_silences_at(silences, 1000);
    put(silences, one);
    put(silences, one);
    assert_int_equal(kp_silences_put(silences, &one, &id, &err), KP_ELIMIT);
    assert_non_null(strstr(err.text, "limits.silences"));
    assert_true(kp_silences_refused(silences) == 1);
    one.id = 2;
    put(silences, one);         /* its place is there */
    assert_true(kp_silences_end(silences, 1));
    one.id = 0;
    assert_int_equal(put(silences, one), 3);
    kp_silences_destroy(&silences);
}

/* ---- Handing out and taking in ---- */

static void take_in(void *ctx, const struct kp_silence *silence, bool active)
{
    (void)active;
    assert_int_equal(kp_silences_restore(ctx, silence, NULL), KP_OK);
}

static void what_is_handed_out_can_be_taken_in_under_the_same_ids(void **state)
{
    struct told told, told2;
    struct kp_silences *silences = make(10, &told), *again = make(10, &told2);
    char spec[] = "rule=behind_* severity=warning path=emea/fie*";
    struct kp_silence one = about_ana(1000, 5000);
    const struct kp_silence *found;

    (void)state;
    put(silences, one);
    one.matchers = matchers_of(spec);
    one.comment = (struct kp_str){NULL, 0};
    put(silences, one);
    put(silences, one);
    assert_true(kp_silences_end(silences, 1));
    kp_silences_at(again, 2000);
    kp_silences_each(silences, take_in, again);
    kp_silences_destroy(&silences);
    assert_int_equal(kp_silences_count(again), 2);
    found = kp_silences_find(again, 2);
    assert_non_null(found);
    assert_string_equal(found->matchers.fields[KP_MATCH_RULE].text.s, "behind_");
    assert_true(found->matchers.fields[KP_MATCH_RULE].prefix && found->matchers.path_prefix);
    assert_string_equal(found->matchers.path[1].s, "fie");
    assert_string_equal(found->by.s, "maria");
    assert_null(found->comment.s);
    assert_null(found->matchers.fields[KP_MATCH_KEY].text.s);
    assert_true(kp_silences_match(again, &ana));
    one.id = 2;
    assert_int_equal(kp_silences_restore(again, &one, NULL), KP_EINVAL);
    one.id = 0;
    assert_int_equal(put(again, one), 4);
    kp_silences_destroy(&again);
}

/* ---- Acknowledgements ---- */

static void add_up(void *ctx, const struct kp_ack *ack)
{
    *(uint64_t *)ctx += ack->alert;
}

static void an_acknowledgement_is_found_by_its_alert_until_it_is_dropped(void **state)
{
    struct kp_acks *acks = kp_acks_new(1000, NULL);
    struct kp_err err = {0};
    uint64_t sum = 0, left = 0;

    (void)state;
    assert_non_null(acks);
    assert_null(kp_acks_find(acks, 7));
    assert_false(kp_acks_drop(acks, 7));
    for (uint64_t i = 1; i <= 1000; i++) {
        char by[16];
        const struct kp_ack ack = {i, (int64_t)i, by, i % 2 ? NULL : "odd"};

        snprintf(by, sizeof by, "who-%llu", (unsigned long long)i);
        assert_int_equal(kp_acks_put(acks, &ack, &err), KP_OK);
    }
    assert_int_equal(kp_acks_put(acks, &(struct kp_ack){1001, 1, "me", NULL}, &err), KP_ELIMIT);
    assert_non_null(strstr(err.text, "limits.acks"));
    assert_true(kp_acks_refused(acks) == 1);
    assert_int_equal(kp_acks_put(acks, &(struct kp_ack){500, 1, "me", NULL}, &err), KP_OK);     /* instead of the other */
    assert_string_equal(kp_acks_find(acks, 500)->by, "me");
    assert_null(kp_acks_find(acks, 500)->comment);
    for (uint64_t i = 1; i <= 1000; i += 3)
        assert_true(kp_acks_drop(acks, i));
    for (uint64_t i = 1; i <= 1000; i++) {
        const struct kp_ack *ack = kp_acks_find(acks, i);

        assert_true((ack != NULL) == (i % 3 != 1));
        assert_true(!ack || ack->alert == i);
        left += ack ? i : 0;
    }
    kp_acks_each(acks, add_up, &sum);
    assert_true(sum == left);
    assert_int_equal(kp_acks_count(acks), 666);
    assert_int_equal(kp_acks_reserve(acks, 334, &err), KP_OK);
    assert_int_equal(kp_acks_reserve(acks, 335, &err), KP_ELIMIT);
    kp_acks_destroy(&acks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matchers_are_exact_or_a_beginning_and_all_of_them_hold),
        cmocka_unit_test(one_holds_from_its_begin_up_to_its_end_and_is_forgotten),
        cmocka_unit_test(one_that_is_slept_through_is_forgotten_untold),
        cmocka_unit_test(one_takes_over_from_another_without_a_gap),
        cmocka_unit_test(one_is_replaced_and_ended),
        cmocka_unit_test(what_is_wrong_with_one_is_said),
        cmocka_unit_test(no_more_are_kept_than_the_limit_allows),
        cmocka_unit_test(what_is_handed_out_can_be_taken_in_under_the_same_ids),
        cmocka_unit_test(an_acknowledgement_is_found_by_its_alert_until_it_is_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
