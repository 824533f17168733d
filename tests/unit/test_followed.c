/* Who follows what. */
#include "unit.h"

#include "followed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct kp_followed));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    kp_followed_release(*state);
    free(*state);
    return 0;
}

static void add(struct kp_followed *followed, const char *prefix)
{
    kp_followed_add(followed, prefix, strlen(prefix));
}

static bool has(const struct kp_followed *followed, const char *topic)
{
    return kp_followed_has(followed, topic, strlen(topic));
}

static bool any(const struct kp_followed *followed, const char *begin)
{
    return kp_followed_any(followed, begin, strlen(begin));
}

static void a_topic_is_followed_by_its_prefixes(void **state)
{
    struct kp_followed *followed = *state;

    assert_false(has(followed, "snapshot/"));
    add(followed, "snapshot/emea/one/");
    add(followed, "alert/");
    assert_true(has(followed, "snapshot/emea/one/"));
    assert_true(has(followed, "snapshot/emea/one/ana/"));
    assert_false(has(followed, "snapshot/emea/"));
    assert_false(has(followed, "snapshot/emea/two/"));
    add(followed, "");
    assert_true(has(followed, "snapshot/emea/two/"));
}

static void a_kind_may_be_followed_when_either_begins_the_other(void **state)
{
    struct kp_followed *followed = *state;

    add(followed, "alert/");
    assert_false(any(followed, "snapshot/"));
    add(followed, "snap");
    assert_true(any(followed, "snapshot/"));
    kp_followed_remove(followed, "snap", 4);
    assert_false(any(followed, "snapshot/"));
    add(followed, "snapshot/emea/");
    assert_true(any(followed, "snapshot/"));
}

static void a_prefix_goes_when_it_has_gone_as_often_as_it_came(void **state)
{
    struct kp_followed *followed = *state;

    add(followed, "snapshot/a/");
    add(followed, "snapshot/b/");
    add(followed, "snapshot/a/");
    assert_int_equal(followed->n, 2);
    kp_followed_remove(followed, "snapshot/a/", 11);
    assert_true(has(followed, "snapshot/a/"));
    kp_followed_remove(followed, "snapshot/a/", 11);
    kp_followed_remove(followed, "snapshot/never/", 15);
    assert_int_equal(followed->n, 1);
    assert_false(has(followed, "snapshot/a/"));
    assert_true(has(followed, "snapshot/b/"));
}

static void cut(struct kp_followed *followed, const char *prefix, const char *to, bool first)
{
    if (first)
        kp_followed_ask(followed, prefix, strlen(prefix));
    kp_followed_add_cut(followed, prefix, strlen(prefix), to, strlen(to));
}

static void a_wish_that_is_denied_ends_nobody_else_s(void **state)
{
    struct kp_followed *followed = *state;

    kp_followed_ask(followed, "snapshot/", 9);
    assert_false(has(followed, "snapshot/emea/"));
    assert_false(any(followed, "snapshot/"));
    add(followed, "snapshot/");
    kp_followed_remove(followed, "snapshot/", 9);
    assert_true(has(followed, "snapshot/emea/"));
    kp_followed_remove(followed, "snapshot/", 9);
    assert_int_equal(followed->n, 0);
}

static void of_what_may_not_be_read_nothing_is_followed(void **state)
{
    struct kp_followed *followed = *state;

    cut(followed, "", "alert/emea/", true);
    cut(followed, "", "snapshot/emea/", false);
    assert_true(has(followed, "snapshot/emea/one/"));
    assert_false(has(followed, "snapshot/apac/"));
    assert_false(any(followed, "pending/"));
    cut(followed, "", "snapshot/apac/", true);      /* another one wishes the same, and may read that */
    assert_true(has(followed, "snapshot/apac/"));
    kp_followed_remove(followed, "", 0);            /* which of them is not told */
    assert_true(has(followed, "snapshot/apac/"));
    add(followed, "");
    assert_true(has(followed, "snapshot/"));
    kp_followed_remove(followed, "", 0);
    kp_followed_remove(followed, "", 0);
    assert_int_equal(followed->n, 0);
    assert_false(any(followed, "snapshot/"));
    for (int i = 0; i <= KP_CUTS_MAX; i++) {
        char text[32];

        snprintf(text, sizeof text, "snapshot/%d/", i);
        cut(followed, "snap", text, i == 0);
        assert_int_equal(has(followed, "snapshot/x/"), i == KP_CUTS_MAX);   /* then it is the whole */
    }
}

static void what_finds_no_room_follows_everything(void **state)
{
    struct kp_followed *followed = *state;
    char text[KP_PREFIX_MAX + 1];

    for (int i = 0; i < KP_FOLLOWED_MAX; i++) {
        snprintf(text, sizeof text, "snapshot/%d/", i);
        add(followed, text);
    }
    assert_false(has(followed, "snapshot/x/"));
    add(followed, "snapshot/0/");       /* is there already */
    assert_false(has(followed, "snapshot/x/"));
    add(followed, "snapshot/more/");
    assert_true(has(followed, "snapshot/x/"));
    assert_true(any(followed, "pending/"));
    kp_followed_release(followed);
    memset(text, 'a', sizeof text);
    kp_followed_add(followed, text, sizeof text - 1);
    assert_false(has(followed, "snapshot/x/"));
    kp_followed_add(followed, text, sizeof text);
    assert_true(has(followed, "snapshot/x/"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_topic_is_followed_by_its_prefixes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kind_may_be_followed_when_either_begins_the_other, setup, teardown),
        cmocka_unit_test_setup_teardown(a_prefix_goes_when_it_has_gone_as_often_as_it_came, setup, teardown),
        cmocka_unit_test_setup_teardown(of_what_may_not_be_read_nothing_is_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wish_that_is_denied_ends_nobody_else_s, setup, teardown),
        cmocka_unit_test_setup_teardown(what_finds_no_room_follows_everything, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
