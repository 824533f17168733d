/* What kpi-gateway keeps of what kpid tells: whoever knows version v and is told what has come since knows what somebody does who is told
 * everything. */
#include "state.h"
#include "view.h"

#include "unit.h"

#include "object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 12, KPIS = 3, WINDOWS = 2, STEPS = 3000 };

static struct rights everything = {.name = (char *)"", .user = {.read = {.all = true}}};

static struct state *new_state(uint32_t keys)
{
    const struct state_limits limits = {keys, 100};
    struct kp_err err = {0};
    struct state *state = state_new(&limits, &err);

    assert_non_null(state);
    return state;
}

/* Does what `take` does with a document given as JSON. */
static bool give(struct state *state, bool (*take)(struct state *, const msgpack_object *), const char *json)
{
    msgpack_unpacked item;
    bool ok;

    msgpack_unpacked_init(&item);
    assert_true(object_parse(json, strlen(json), &item));
    ok = take(state, &item.data);
    msgpack_unpacked_destroy(&item);
    return ok;
}

static const char *snapshot(char buf[2048], int key, int64_t time, int values[KPIS][WINDOWS], int kpis)
{
    int at = snprintf(buf, 2048, "{\"kind\":\"snapshot\",\"time\":%lld,\"level\":\"rep\",\"key\":\"k%d\",\"name\":\"N\",\"path\":[\"a\",\"k%d\"],\"kpis\":{",
                      (long long)time, key, key);

    for (int k = 0; k < kpis; k++) {
        at += snprintf(buf + at, 2048 - (size_t)at, "%s\"p%d\":{", k ? "," : "", k);
        for (int w = 0; w < WINDOWS; w++)
            at += snprintf(buf + at, 2048 - (size_t)at, "%s\"w%d\":{\"value\":%d}", w ? "," : "", w, values[k][w]);
        at += snprintf(buf + at, 2048 - (size_t)at, "}");
    }
    snprintf(buf + at, 2048 - (size_t)at, "}}");
    return buf;
}

/* ---- A browser, as the page merges what it is told ---- */

struct known {
    bool there;
    int values[KPIS][WINDOWS];      /* -1: nothing */
};

static void forget(struct known *known)
{
    known->there = false;
    memset(known->values, -1, sizeof known->values);
}

static void merge_key(struct known known[KEYS], const msgpack_object *key)
{
    const msgpack_object *whole = object_get(key, "whole"), *kpis = object_get(key, "kpis");
    char name[16];
    struct known *one;

    object_text(object_get(key, "key"), name, sizeof name);
    one = &known[atoi(name + 1)];
    if (whole || object_get(key, "gone"))
        forget(one);
    if (object_get(key, "gone"))
        return;
    one->there = true;
    for (uint32_t k = 0; k < kpis->via.map.size; k++) {
        const msgpack_object *windows = &kpis->via.map.ptr[k].val;
        char kpi[16], window[16];
        double value;

        object_text(&kpis->via.map.ptr[k].key, kpi, sizeof kpi);
        for (uint32_t w = 0; w < windows->via.map.size; w++) {
            object_text(&windows->via.map.ptr[w].key, window, sizeof window);
            assert_true(object_number(object_get(&windows->via.map.ptr[w].val, "value"), &value));
            one->values[atoi(kpi + 1)][atoi(window + 1)] = (int)value;
        }
    }
}

static void merge(struct known known[KEYS], const char *json, size_t len, bool all)
{
    const msgpack_object *keys;
    msgpack_unpacked item;

    for (int i = 0; all && i < KEYS; i++)
        forget(&known[i]);
    msgpack_unpacked_init(&item);
    assert_true(object_parse(json, len, &item));
    keys = object_get(&item.data, "keys");
    for (size_t i = 0; i < object_count(keys); i++)
        merge_key(known, &keys->via.array.ptr[i]);
    msgpack_unpacked_destroy(&item);
}

/* The events of a frame, one after another. */
static void merge_frame(struct known known[KEYS], const struct frame *frame)
{
    char *text = strndup(frame->bytes, frame->len), *rest = text, *event;

    assert_non_null(text);
    while ((event = strstr(rest, "event: ")) != NULL) {
        char *data = strstr(event, "data: "), *end = strstr(data, "\n\n");

        rest = end + 2;
        if (strncmp(event + 7, "state", 5) == 0 || strncmp(event + 7, "keys", 4) == 0)
            merge(known, data + 6, (size_t)(end - data - 6), event[7] == 's');
    }
    free(text);
}

static void who_is_told_changes_knows_what_who_is_told_all_does(void **ctx)
{
    static const char *const kpis[] = {NULL, "p1", "p0,p2"};
    struct state *state = new_state(100);
    struct known truth[KEYS], browsers[3][KEYS];
    uint64_t versions[3] = {0};
    struct view *views[3];
    int times = 1;

    (void)ctx;
    for (int i = 0; i < 3; i++) {
        const struct view_query query = {NULL, NULL, kpis[i], NULL};
        struct kp_err err = {0};

        views[i] = view_new(&everything, &query, &err);
        assert_non_null(views[i]);
    }
    for (int i = 0; i < KEYS; i++)
        forget(&truth[i]);
    memset(browsers, 0, sizeof browsers);
    srand(7);
    for (int step = 0; step < STEPS; step++) {
        int key = rand() % KEYS, b = rand() % 3;
        char buf[2048];

        if (rand() % 50 == 0) {         /* a listing that lacks some */
            state_begin_keys(state);
            for (int i = 0; i < KEYS; i++) {
                if (rand() % 3 == 0)
                    forget(&truth[i]);
                if (truth[i].there)
                    assert_true(give(state, state_take_snapshot, snapshot(buf, i, ++times, truth[i].values, truth[i].values[2][0] >= 0 ? 3 : 2)));
            }
            state_end_keys(state);
        } else {
            int n = rand() % 10 ? KPIS : KPIS - 1;      /* a reload may take one away */

            for (int k = 0; k < KPIS; k++)
                for (int w = 0; w < WINDOWS; w++)
                    truth[key].values[k][w] = k >= n ? -1 : rand() % 3 ? (truth[key].values[k][w] < 0 ? 0 : truth[key].values[k][w]) : rand() % 100;
            truth[key].there = true;
            assert_true(give(state, state_take_snapshot, snapshot(buf, key, ++times, truth[key].values, n)));
        }
        if (rand() % 4 == 0) {
            struct frame *frame = view_since(views[b], state, versions[b], versions[b] == 0, "x", 0);

            assert_non_null(frame);
            merge_frame(browsers[b], frame);
            versions[b] = frame->to;
            frame_release(frame);
            for (int i = 0; i < KEYS; i++)
                for (int k = 0; k < KPIS; k++)
                    for (int w = 0; w < WINDOWS; w++) {
                        char name[4] = {'p', (char)('0' + k), '\0', '\0'};
                        bool looked_at = !kpis[b] || strstr(kpis[b], name);

                        assert_int_equal(browsers[b][i].there, truth[i].there);
                        if (truth[i].there && looked_at)
                            assert_int_equal(browsers[b][i].values[k][w], truth[i].values[k][w]);
                    }
        }
    }
    for (int i = 0; i < 3; i++)
        view_destroy(&views[i]);
    state_destroy(&state);
}

static void what_did_not_change_is_no_news(void **ctx)
{
    const char *told = "{\"time\":5,\"level\":\"rep\",\"path\":[\"a\"],\"kpis\":{\"p\":{\"w\":{\"value\":1}}}}";
    const char *older = "{\"time\":4,\"level\":\"rep\",\"path\":[\"a\"],\"kpis\":{\"p\":{\"w\":{\"value\":9}}}}";
    struct state *state = new_state(10);
    uint64_t version;

    (void)ctx;
    assert_true(give(state, state_take_snapshot, told));
    version = state_version(state);
    assert_true(give(state, state_take_snapshot, told));
    assert_true(give(state, state_take_snapshot, older));       /* of a listing that was overtaken */
    assert_int_equal(state_version(state), version);
    state_restart(state);
    assert_true(give(state, state_take_snapshot, older));       /* another daemon's clock */
    assert_int_equal(state_version(state), version + 1);
    state_destroy(&state);
}

static void what_is_no_snapshot_changes_nothing(void **ctx)
{
    static const char *const wrong[] = {"{}", "[]", "{\"time\":1,\"level\":\"rep\",\"path\":[]}",
                                        "{\"time\":1,\"level\":7,\"path\":[],\"kpis\":{}}", "{\"time\":\"x\",\"level\":\"rep\",\"path\":[],\"kpis\":{}}",
                                        "{\"time\":1,\"level\":\"rep\",\"path\":[],\"kpis\":{\"p\":1}}", "{\"time\":-1,\"level\":\"rep\",\"path\":[],\"kpis\":{}}"};
    struct state *state = new_state(10);
    struct state_stats stats;

    (void)ctx;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(give(state, state_take_snapshot, wrong[i]));
    assert_false(give(state, state_take_alert, "{\"id\":\"a/b\",\"state\":\"firing\",\"path\":[],\"seq\":1}"));
    assert_false(give(state, state_take_alert, "{\"id\":\"a\",\"state\":\"odd\",\"path\":[],\"seq\":1}"));
    assert_false(give(state, state_take_alert, "{\"id\":\"a\",\"state\":\"firing\",\"path\":[]}"));
    state_stats(state, &stats);
    assert_int_equal(stats.keys + stats.alerts + stats.bytes, 0);
    state_destroy(&state);
}

static void beyond_the_limit_keys_are_left_out_and_counted(void **ctx)
{
    struct state *state = new_state(2);
    struct state_stats stats;
    char json[128];

    (void)ctx;
    for (int i = 0; i < 5; i++) {
        snprintf(json, sizeof json, "{\"time\":5,\"level\":\"rep\",\"path\":[\"k%d\"],\"kpis\":{}}", i);
        assert_true(give(state, state_take_snapshot, json));
    }
    state_stats(state, &stats);
    assert_int_equal(stats.keys, 2);
    assert_int_equal(stats.left_out, 3);
    state_destroy(&state);
}

/* More come and go than marks are kept: whoever was away is told everything. */
static void marks_of_what_is_gone_are_bounded(void **ctx)
{
    struct state *state = new_state(10);
    const struct view_query query = {0};
    struct kp_err err = {0};
    struct view *view = view_new(&everything, &query, &err);
    struct frame *frame;
    char json[128];

    (void)ctx;
    for (int i = 0; i < 3 * STATE_GONE_MAX; i++) {
        snprintf(json, sizeof json, "{\"time\":5,\"level\":\"rep\",\"path\":[\"k%d\"],\"kpis\":{\"p\":{\"w\":{\"value\":1}}}}", i);
        assert_true(give(state, state_take_snapshot, json));
        state_begin_keys(state);
        state_end_keys(state);
    }
    assert_true(state_oldest(state) > 1);
    assert_null(state_find_key(state, "k1", 2));
    frame = view_since(view, state, 1, false, "x", 0);
    assert_non_null(strstr(frame->bytes, "event: state\n"));
    frame_release(frame);
    view_destroy(&view);
    state_destroy(&state);
}

static void alerts_come_change_and_go(void **ctx)
{
    const char *firing = "{\"id\":\"a1\",\"state\":\"firing\",\"rule\":\"r\",\"level\":\"rep\",\"path\":[\"x\",\"y\"],\"seq\":7}";
    struct state *state = new_state(10);
    msgpack_unpacked item;
    uint64_t version;

    (void)ctx;
    assert_true(give(state, state_take_alert, firing));
    assert_string_equal(state_find_alert(state, "a1", 2)->path, "x/y");
    assert_string_equal(state_find_alert(state, "a1", 2)->matchers, "{\"rule\":\"r\",\"level\":\"rep\",\"path\":[\"x\",\"y\"]}");
    assert_null(strstr(state_find_alert(state, "a1", 2)->json, "seq"));
    version = state_version(state);
    assert_true(give(state, state_take_alert, "{\"id\":\"a1\",\"state\":\"resolved\",\"rule\":\"r\",\"level\":\"rep\",\"path\":[\"x\",\"y\"],\"seq\":9}"));
    assert_null(state_find_alert(state, "a1", 2));
    assert_true(state_version(state) > version);
    msgpack_unpacked_init(&item);       /* a listing that is older than that has it still */
    assert_true(object_parse(firing, strlen(firing), &item));
    assert_true(state_take_listed(state, &item.data, 8));
    assert_null(state_find_alert(state, "a1", 2));
    assert_true(state_take_listed(state, &item.data, 10));
    assert_non_null(state_find_alert(state, "a1", 2));
    msgpack_unpacked_destroy(&item);
    state_begin_alerts(state);
    state_end_alerts(state);
    assert_null(state_find_alert(state, "a1", 2));
    state_destroy(&state);
}

/* One that a listing lacked, and that is told as resolved after that, is gone once. */
static void places_of_alerts_are_used_again(void **ctx)
{
    struct state *state = new_state(10);
    struct state_stats stats;
    char json[128];

    (void)ctx;
    for (int i = 0; i < 3 * STATE_GONE_MAX; i++) {
        snprintf(json, sizeof json, "{\"id\":\"a%d\",\"state\":\"firing\",\"rule\":\"r\",\"level\":\"company\",\"path\":[],\"seq\":%d}", i, 2 * i + 1);
        assert_true(give(state, state_take_alert, json));
        state_begin_alerts(state);
        state_end_alerts(state);
        snprintf(json, sizeof json, "{\"id\":\"a%d\",\"state\":\"resolved\",\"rule\":\"r\",\"level\":\"company\",\"path\":[],\"seq\":%d}", i, 2 * i + 2);
        assert_true(give(state, state_take_alert, json));
    }
    state_stats(state, &stats);
    assert_int_equal(stats.left_out, 0);
    assert_true(give(state, state_take_alert, "{\"id\":\"b\",\"state\":\"firing\",\"rule\":\"r\",\"level\":\"company\",\"path\":[],\"seq\":1}"));
    assert_string_equal(state_find_alert(state, "b", 1)->matchers, "{\"rule\":\"r\",\"level\":\"company\"}");
    state_destroy(&state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_told_changes_knows_what_who_is_told_all_does),
        cmocka_unit_test(what_did_not_change_is_no_news),
        cmocka_unit_test(what_is_no_snapshot_changes_nothing),
        cmocka_unit_test(beyond_the_limit_keys_are_left_out_and_counted),
        cmocka_unit_test(marks_of_what_is_gone_are_bounded),
        cmocka_unit_test(alerts_come_change_and_go),
        cmocka_unit_test(places_of_alerts_are_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
