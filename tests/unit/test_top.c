/* The table of `kpictl top`, without its screen. */
#include "unit.h"

#include "board.h"
#include "client.h"
#include "kpictl.h"

#include <math.h>

/* client.c can find its endpoint in a configuration; the table never asks for that. */
bool kpictl_load(const char *file, struct kp_config *config)
{
    (void)file;
    (void)config;
    return false;
}

static const char config_text[] =
    "{\"ok\":true,\"levels\":[\"company\",\"team\",\"rep\",\"@client\"],\"kpis\":["
    "{\"name\":\"calls\",\"title\":\"Calls\",\"unit\":null,\"better\":\"higher\",\"windows\":[\"1h\",\"day\"],\"by\":[]},"
    "{\"name\":\"lost\",\"title\":\"Lost\",\"unit\":\"%\",\"better\":\"lower\",\"windows\":[\"day\"],\"by\":[]},"
    "{\"name\":\"worth\",\"title\":\"Worth\",\"unit\":\"GBP\",\"better\":\"none\",\"windows\":[\"year\"],\"by\":[\"client\"]}]}";

enum { CALLS, LOST, WORTH };
enum { COMPANY, TEAM, REP, CLIENT };

static void take(struct board *board, const char *json)
{
    msgpack_unpacked item;

    msgpack_unpacked_init(&item);
    assert_true(object_parse(json, strlen(json), &item));
    board_take(board, &item.data);
    msgpack_unpacked_destroy(&item);
}

static void take_rep(struct board *board, const char *team, const char *key, const char *name, const char *kpis)
{
    char text[1024];

    snprintf(text, sizeof text,
             "{\"kind\":\"snapshot\",\"time\":1000,\"level\":\"rep\",\"key\":\"%s\",\"name\":\"%s\",\"path\":[\"%s\",\"%s\"],"
             "\"kpis\":{%s}}",
             key, name, team, key, kpis);
    take(board, text);
}

static void take_alert(struct board *board, int id, const char *state, const char *severity)
{
    char text[256];

    snprintf(text, sizeof text, "{\"kind\":\"alert\",\"id\":\"%d\",\"state\":\"%s\",\"severity\":\"%s\",\"message\":\"no %d\"}", id,
             state, severity, id);
    take(board, text);
}

/* The names in their order, "Ana Ben". */
static const char *names(const struct board *board, int kpi, int window, const char *filter, char buf[512])
{
    uint32_t *order;
    size_t n = board_sort(board, REP, kpi, window, filter, &order), len = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(buf + len, 512 - len, "%s%s", i ? " " : "", board->rows[order[i]].name);
    free(order);
    return buf;
}

static int setup(void **state)
{
    static struct board board;
    msgpack_unpacked item;

    msgpack_unpacked_init(&item);
    assert_true(object_parse(config_text, sizeof config_text - 1, &item));
    assert_true(board_init(&board, &item.data));
    msgpack_unpacked_destroy(&item);
    *state = &board;
    return 0;
}

static int teardown(void **state)
{
    board_release(*state);
    return 0;
}

static void a_configuration_tells_levels_and_kpis(void **state)
{
    const struct board *board = *state;

    assert_int_equal(board->nlevels, 4);
    assert_int_equal(board->nkpis, 3);
    assert_string_equal(board->kpis[CALLS].windows[1], "day");
    assert_int_equal(board->kpis[LOST].better, -1);
    assert_string_equal(board->kpis[WORTH].level, "@client");
}

static void a_grouped_kpi_is_on_the_level_of_its_group_alone(void **state)
{
    for (int level = COMPANY; level <= CLIENT; level++) {
        assert_int_equal(board_has(*state, level, CALLS), level != CLIENT);
        assert_int_equal(board_has(*state, level, WORTH), level == CLIENT);
    }
}

static void a_snapshot_again_is_the_same_row(void **state)
{
    struct board *board = *state;

    take_rep(board, "one", "ana", "Ana", "\"calls\":{\"day\":{\"value\":3,\"n\":3,\"target\":40,\"status\":\"critical\"}}");
    take_rep(board, "one", "ana", "Ana S", "\"calls\":{\"day\":{\"value\":4,\"n\":4}}");
    assert_int_equal(board->nrows, 1);
    assert_string_equal(board->rows[0].name, "Ana S");
    assert_string_equal(board->rows[0].parent, "one");
    assert_float_equal(board->rows[0].cells[1].value, 4, 0);
    assert_true(isnan(board->rows[0].cells[1].target));     /* gone with the snapshot that no longer has it */
    assert_int_equal(board->rows[0].cells[1].status, 0);
    assert_true(isnan(board->rows[0].cells[0].value));      /* never heard of */
    assert_int_equal(board->time_ms, 1000);
}

static void the_same_key_elsewhere_is_another_row(void **state)
{
    struct board *board = *state;

    take_rep(board, "one", "ana", "Ana", "");
    take_rep(board, "two", "ana", "Ana", "");
    take_rep(board, "onea", "na", "Ana", "");
    assert_int_equal(board->nrows, 3);
}

static const struct order_case {
    const char *name;
    int kpi, window;
    const char *filter, *want;
} order_cases[] = {
    {"higher is better: the greatest stands first, equals by name, no data last", CALLS, 1, "", "Cem Ana Ben Dora"},
    {"lower is better: the least stands first", LOST, 0, "", "Ben Cem Ana Dora"},
    {"another window has an order of its own", CALLS, 0, "", "Ana Ben Cem Dora"},
    {"a filter leaves out the others, whatever the case", CALLS, 1, "AN", "Ana"},
    {"a filter that nobody matches leaves none", CALLS, 1, "zz", ""},
};

static void rows_are_ordered(void **state)
{
    const struct order_case *c = *state;
    struct board *board;
    void *made;
    char buf[512];

    setup(&made);
    board = made;
    take_rep(board, "one", "b", "Ben", "\"calls\":{\"1h\":{\"value\":8},\"day\":{\"value\":5}},\"lost\":{\"day\":{\"value\":0}}");
    take_rep(board, "one", "d", "Dora", "\"calls\":{\"day\":{\"value\":null}}");
    take_rep(board, "two", "c", "Cem", "\"calls\":{\"1h\":{\"value\":-1},\"day\":{\"value\":9}},\"lost\":{\"day\":{\"value\":0.5}}");
    take_rep(board, "two", "a", "Ana", "\"calls\":{\"1h\":{\"value\":9},\"day\":{\"value\":5}},\"lost\":{\"day\":{\"value\":1}}");
    assert_string_equal(names(board, c->kpi, c->window, c->filter, buf), c->want);
    teardown(&made);
}

static void only_alerts_that_fire_are_kept_the_newest_first(void **state)
{
    struct board *board = *state;

    take_alert(board, 1, "pending", "warning");
    assert_int_equal(board->nalerts, 0);
    take_alert(board, 1, "firing", "warning");
    take_alert(board, 2, "firing", "warning");
    take_alert(board, 1, "firing", "critical");     /* the same one, graver */
    assert_int_equal(board->nalerts, 2);
    assert_string_equal(board->alerts[0].text, "no 1");
    assert_true(board->alerts[0].critical);
    take_alert(board, 1, "resolved", "critical");
    assert_int_equal(board->nalerts, 1);
    assert_string_equal(board->alerts[0].text, "no 2");
    take_alert(board, 7, "resolved", "warning");    /* never heard of */
    assert_int_equal(board->nalerts, 1);
}

static void an_alert_that_keeps_quiet_says_so_before_its_message(void **state)
{
    struct board *board = *state;

    take(board, "{\"kind\":\"alert\",\"id\":\"1\",\"state\":\"firing\",\"severity\":\"warning\",\"message\":\"no 1\","
                "\"silenced\":true,\"acked_by\":\"maria\"}");
    assert_string_equal(board->alerts[0].text, "[silenced] [acked by maria] no 1");
    take(board, "{\"kind\":\"alert\",\"id\":\"1\",\"state\":\"firing\",\"severity\":\"warning\",\"message\":\"no 1\","
                "\"silenced\":false,\"acked_by\":null}");
    assert_int_equal(board->nalerts, 1);
    assert_string_equal(board->alerts[0].text, "no 1");
}

static void of_too_many_alerts_the_oldest_go(void **state)
{
    struct board *board = *state;

    for (int i = 0; i < BOARD_ALERTS_MAX + 3; i++)
        take_alert(board, i, "firing", "warning");
    assert_int_equal(board->nalerts, BOARD_ALERTS_MAX);
    assert_string_equal(board->alerts[BOARD_ALERTS_MAX - 1].text, "no 3");
}

static void rows_are_bounded_and_it_is_told(void **state)
{
    struct board *board = *state;
    char key[32];

    for (int i = 0; i < BOARD_ROWS_MAX + 2; i++) {
        snprintf(key, sizeof key, "%d", i);
        take_rep(board, "one", key, key, "");
    }
    assert_int_equal(board->nrows, BOARD_ROWS_MAX);
    assert_int_equal(board->refused, 2);
    take_rep(board, "one", "5", "Five", "");        /* one that is there goes on */
    assert_int_equal(board->refused, 2);
}

static const char *const odd_messages[] = {
    "{}",
    "[]",
    "[1,2]",
    "{\"kind\":7}",
    "{\"kind\":\"snapshot\"}",
    "{\"kind\":\"snapshot\",\"level\":\"nowhere\",\"path\":[],\"kpis\":{}}",
    "{\"kind\":\"snapshot\",\"level\":3,\"path\":{},\"kpis\":[]}",
    "{\"kind\":\"snapshot\",\"level\":\"rep\",\"path\":[1,null,{}],\"kpis\":[]}",
    "{\"kind\":\"snapshot\",\"level\":\"rep\",\"path\":\"ana\",\"name\":[],\"kpis\":{\"calls\":[],\"lost\":{\"day\":9}}}",
    "{\"kind\":\"snapshot\",\"level\":\"rep\",\"path\":[\"a\"],\"kpis\":{\"calls\":{\"day\":{\"value\":\"x\",\"n\":[],\"status\":2}}}}",
    "{\"kind\":\"alert\",\"id\":4,\"state\":\"firing\"}",
    "{\"kind\":\"alert\",\"state\":{}}",
};

static void odd_messages_do_no_harm(void **state)
{
    struct board *board = *state;
    char buf[512];

    for (size_t i = 0; i < COUNT_OF(odd_messages); i++)
        take(board, odd_messages[i]);
    names(board, CALLS, 1, "", buf);
    for (uint32_t i = 0; i < board->nrows; i++)
        assert_true(isnan(board->rows[i].cells[1].value));
}

static void a_configuration_without_levels_or_kpis_is_refused(void **state)
{
    static const char *const texts[] = {"{}", "{\"levels\":[\"rep\"],\"kpis\":[]}", "{\"levels\":[],\"kpis\":[{\"name\":\"a\"}]}",
                                        "{\"levels\":7,\"kpis\":{}}"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct board board;
        msgpack_unpacked item;

        msgpack_unpacked_init(&item);
        assert_true(object_parse(texts[i], strlen(texts[i]), &item));
        assert_false(board_init(&board, &item.data));
        board_release(&board);
        msgpack_unpacked_destroy(&item);
    }
}

static void numbers_are_shown_in_their_unit(void **state)
{
    const struct board *board = *state;
    char buf[64];

    assert_string_equal(board_text(&board->kpis[LOST], 0.25, buf, sizeof buf), "25%");
    assert_string_equal(board_text(&board->kpis[CALLS], 12, buf, sizeof buf), "12");
    assert_string_equal(board_text(&board->kpis[CALLS], (double)NAN, buf, sizeof buf), "-");
}

#define ON_BOARD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOARD(a_configuration_tells_levels_and_kpis),
        ON_BOARD(a_grouped_kpi_is_on_the_level_of_its_group_alone),
        ON_BOARD(a_snapshot_again_is_the_same_row),
        ON_BOARD(the_same_key_elsewhere_is_another_row),
        ON_BOARD(only_alerts_that_fire_are_kept_the_newest_first),
        ON_BOARD(an_alert_that_keeps_quiet_says_so_before_its_message),
        ON_BOARD(of_too_many_alerts_the_oldest_go),
        ON_BOARD(rows_are_bounded_and_it_is_told),
        ON_BOARD(odd_messages_do_no_harm),
        ON_BOARD(numbers_are_shown_in_their_unit),
        cmocka_unit_test(a_configuration_without_levels_or_kpis_is_refused),
    };
    struct CMUnitTest orders[COUNT_OF(order_cases)];
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    for (size_t i = 0; i < COUNT_OF(order_cases); i++)
        orders[i] = (struct CMUnitTest){.name = order_cases[i].name,
                                        .test_func = rows_are_ordered,
                                        .initial_state = (void *)(uintptr_t)&order_cases[i]};
    return failed + cmocka_run_group_tests_name("order", orders, NULL, NULL);
}
