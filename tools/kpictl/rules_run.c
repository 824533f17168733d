/* Running one rule test: events are told in their order, and time is put exactly where something is to be looked at. */
#include "rules.h"

#include <stdlib.h>
#include <string.h>

/* One look at one instant. */
struct moment {
    int64_t at_ms;
    struct rules_look *look;    /* NULL: time is only brought here */
};

struct run {
    struct rules_test *test;
    struct rules_stage stage;
    struct rules_sums *sums;
    struct rules_said_list changes;     /* all of them, if somebody asks */
    struct rules_said_list now;         /* alerts, at the moment that is looked at */
    bool keeps_changes;
    bool failed;                        /* some check has */
};

/* ---- Alerts as they change ---- */

static void on_alert(void *ctx, struct kp_engine *engine, const struct kp_alert *alert)
{
    struct run *run = ctx;

    if (!run->keeps_changes)
        return;
    kp_out_clear(run->stage.out);
    kp_encode_alert(run->stage.out, engine, alert, 0);
    rules_said_add(&run->changes, &run->stage, alert->time_ms, alert->quiet);
}

static void add_now(void *ctx, const struct kp_alert *alert)
{
    struct run *run = ctx;

    kp_out_clear(run->stage.out);
    kp_encode_alert(run->stage.out, run->stage.engine, alert, 0);
    rules_said_add(&run->now, &run->stage, alert->time_ms, alert->quiet);
}

/* ---- Looking ---- */

static void count(struct run *run, struct rules_look *look, int64_t at_ms, bool ok)
{
    run->sums->checks++;
    run->sums->failed_checks += !ok;
    run->failed |= !ok;
    if (ok || (look->nfailed && look->last_failed_ms == at_ms))
        return;
    if (look->nfailed++ == 0)
        look->first_failed_ms = at_ms;
    look->last_failed_ms = at_ms;
}

/* What fails at many instants is shown at the first of them, and the others are counted. */
static bool is_shown(const struct rules_look *look, int64_t at_ms)
{
    return !look->nfailed || look->first_failed_ms == at_ms;
}

static void tell_others(const struct rules_test *test)
{
    char when[48];

    for (size_t i = 0; i < test->nlooks; i++) {
        const struct rules_look *look = &test->looks[i];

        if (look->nfailed > 1)
            printf("%s:%d:%d: %s: and so at %zu later times, the last being %s\n", test->file->name, look->loc.line,
                   look->loc.col, test->name, look->nfailed - 1, when_text(&test->frame, look->last_failed_ms, when));
    }
}

/* Those that an expectation looks at: borrowed copies, to be freed as one. state NULL: any, that came in its time; aloud: and
 * that people are told of. */
static struct rules_said_list choose(const struct run *run, const struct rules_look *look, const struct rules_said_list *from,
                                     const char *state, bool aloud)
{
    struct rules_said_list chosen = {.list = calloc(from->count + 1, sizeof *chosen.list)};

    for (size_t i = 0; i < from->count && chosen.list; i++) {
        const struct rules_said *said = &from->list[i];
        const msgpack_object *is = rules_field(&said->map.data, "state");

        if (state && (!is || is->via.str.size != strlen(state) || memcmp(is->via.str.ptr, state, strlen(state)) != 0))
            continue;
        if (!state && (said->at_ms < look->from_ms || said->at_ms >= look->to_ms || (aloud && said->quiet)))
            continue;
        if (rules_passes(run->test, look->only, &said->map.data))
            chosen.list[chosen.count++] = *said;
    }
    chosen.failed = !chosen.list;
    return chosen;
}

/* One list of an expectation: `firing`, `pending`, `changes` or `told`. */
static void look_at_alerts(struct run *run, struct rules_look *look, const struct kp_node *want,
                           const struct rules_said_list *from, const char *state, int64_t at_ms)
{
    const struct rules_check check = {run->test, want->key_loc, want->key, at_ms, !state, !is_shown(look, at_ms)};
    struct rules_said_list chosen = choose(run, look, from, state, want == look->told);

    run->now.failed |= chosen.failed;
    count(run, look, at_ms, rules_compare(&check, want, &chosen));
    free(chosen.list);
}

static int level_of(const struct run *run, const struct kp_node *want, const struct kp_kpi_cfg *kpi)
{
    const struct kp_node *level = kp_node_get(want, "level");
    char group[512] = "";

    if (level)
        return kp_engine_find_level(run->stage.engine, level->text, level->len);
    for (size_t i = 0; i < kpi->nby; i++)
        snprintf(group + strlen(group), sizeof group - strlen(group), "%s%s", i ? "," : "@", kpi->by[i]);
    return kp_engine_find_level(run->stage.engine, kpi->nby ? group : "rep", kpi->nby ? strlen(group) : 3);
}

static void look_at_cell(struct run *run, struct rules_look *look, const struct kp_node *want, int64_t at_ms)
{
    static const char *const which[] = {"kpi", "level", "key", "window", NULL};
    const struct kp_config *config = &run->test->file->config;
    const struct kp_node *name = kp_node_get(want, "kpi"), *key = kp_node_get(want, "key"), *of = kp_node_get(want, "window");
    const struct kp_kpi_cfg *kpi = &config->kpis[kp_find_kpi(config, name->text, name->len)];
    const char *window = of ? of->text : kpi->windows[0].text;
    const struct kp_str kpis = {kpi->name, (uint32_t)strlen(kpi->name)}, windows = {window, (uint32_t)strlen(window)};
    const struct kp_wanted wanted = {&kpis, 1, &windows, 1};
    const struct rules_check check = {run->test, want->loc, "kpis", at_ms, false, !is_shown(look, at_ms)};
    struct rules_said_list said = {0};
    const msgpack_object *cell = NULL;
    uint32_t node = kp_engine_find(run->stage.engine, level_of(run, want, kpi),
                                   (struct kp_str){key ? key->text : "", key ? (uint32_t)key->len : 0});

    if (node != KP_NO_KEY) {
        kp_out_clear(run->stage.out);
        kp_encode_snapshot(run->stage.out, run->stage.engine, node, 0, true, 0, &wanted);
        rules_said_add(&said, &run->stage, at_ms, false);
    }
    if (said.count)
        cell = rules_field(rules_field(rules_field(&said.list->map.data, "kpis"), kpi->name), window);
    count(run, look, at_ms, rules_compare_map(&check, want, which, cell));
    run->now.failed |= said.failed;
    rules_said_release(&said);
}

static void look_at(struct run *run, struct rules_look *look, int64_t at_ms)
{
    rules_said_clear(&run->now);
    if (look->firing || look->pending)
        kp_engine_alerts(run->stage.engine, add_now, run);
    if (look->firing)
        look_at_alerts(run, look, look->firing, &run->now, "firing", at_ms);
    if (look->pending)
        look_at_alerts(run, look, look->pending, &run->now, "pending", at_ms);
    for (const struct kp_node *cell = look->kpis ? look->kpis->first : NULL; cell; cell = cell->next)
        look_at_cell(run, look, cell, at_ms);
}

/* ---- Changes ---- */

struct order {
    int64_t at_ms;
    const msgpack_object *by[3];        /* rule, key, entity */
    size_t index;
};

/* What is no text comes first. */
static int by_text(const msgpack_object *a, const msgpack_object *b)
{
    bool is_a = a && a->type == MSGPACK_OBJECT_STR, is_b = b && b->type == MSGPACK_OBJECT_STR;
    uint32_t n;
    int order;

    if (!is_a || !is_b)
        return is_a - is_b;
    n = a->via.str.size < b->via.str.size ? a->via.str.size : b->via.str.size;
    order = memcmp(a->via.str.ptr, b->via.str.ptr, n);

    return order ? order : (a->via.str.size > b->via.str.size) - (a->via.str.size < b->via.str.size);
}

static int by_time_and_name(const void *a, const void *b)
{
    const struct order *x = a, *y = b;
    int order = (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);

    for (size_t i = 0; i < 3 && order == 0; i++)
        order = by_text(x->by[i], y->by[i]);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* What happens at one instant has no order that means something: by rule, key and entity, it is the one that people can write. */
static bool sort_changes(struct rules_said_list *said)
{
    struct order *orders = calloc(said->count + 1, sizeof *orders);
    struct rules_said *sorted = calloc(said->count + 1, sizeof *sorted);
    bool ok = orders && sorted;

    for (size_t i = 0; ok && i < said->count; i++) {
        const msgpack_object *map = &said->list[i].map.data;

        orders[i] = (struct order){said->list[i].at_ms, {rules_field(map, "rule"), rules_field(map, "key"), rules_field(map, "entity")}, i};
    }
    if (ok)
        qsort(orders, said->count, sizeof *orders, by_time_and_name);
    for (size_t i = 0; ok && i < said->count; i++)
        sorted[i] = said->list[orders[i].index];
    if (ok && said->count)
        memcpy(said->list, sorted, said->count * sizeof *sorted);
    free(orders);
    free(sorted);
    return ok;
}

static void look_at_changes(struct run *run)
{
    run->changes.failed |= !sort_changes(&run->changes);
    for (size_t i = 0; i < run->test->nlooks; i++) {
        struct rules_look *look = &run->test->looks[i];

        if (look->changes)
            look_at_alerts(run, look, look->changes, &run->changes, NULL, INT64_MIN);
        if (look->told)
            look_at_alerts(run, look, look->told, &run->changes, NULL, INT64_MIN);
    }
}

/* ---- Time ---- */

static int by_instant(const void *a, const void *b)
{
    const struct moment *x = a, *y = b;

    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    return (x->look > y->look) - (x->look < y->look);       /* of one array, in the order of the file */
}

static struct moment *moments_of(const struct rules_test *test, size_t *n)
{
    struct moment *moments;
    size_t room = 0;

    for (size_t i = 0; i < test->nlooks; i++)
        room += test->looks[i].nat + 1;
    moments = calloc(room + 1, sizeof *moments);
    *n = 0;
    for (size_t i = 0; i < test->nlooks && moments; i++) {
        for (size_t k = 0; k < test->looks[i].nat; k++)
            moments[(*n)++] = (struct moment){test->looks[i].at[k], &test->looks[i]};
        if (test->looks[i].to_ms != INT64_MAX)
            moments[(*n)++] = (struct moment){test->looks[i].to_ms, NULL};
    }
    if (*n)
        qsort(moments, *n, sizeof *moments, by_instant);
    return moments;
}

/* What is still to be told at the end is told as well: a change that was to come would be missed otherwise. */
static void play(struct run *run, const struct moment *moments, size_t n)
{
    const struct rules_test *test = run->test;
    size_t next = 0;

    if (test->has_start)
        rules_stage_settle(&run->stage, test->start_ms);
    for (size_t i = 0; i < n; i++) {
        for (; next < test->nevents && test->events[next].at_ms <= moments[i].at_ms; next++)
            (void)rules_stage_tell(&run->stage, run->test, &test->events[next]);
        rules_stage_settle(&run->stage, moments[i].at_ms);
        if (moments[i].look)
            look_at(run, moments[i].look, moments[i].at_ms);
    }
    for (; next < test->nevents && run->keeps_changes; next++)
        (void)rules_stage_tell(&run->stage, run->test, &test->events[next]);
    look_at_changes(run);
    tell_others(test);
}

enum kp_code rules_run(struct rules_test *test, struct rules_sums *sums, struct kp_err *err)
{
    struct run run = {.test = test, .sums = sums};
    const struct kp_alert_sink sink = {on_alert, &run};
    enum kp_code code = KP_OK;
    size_t n;
    struct moment *moments = moments_of(test, &n);

    for (size_t i = 0; i < test->nlooks; i++)
        run.keeps_changes |= test->looks[i].changes || test->looks[i].told;
    if (!moments)
        code = kp_fail(err, KP_ENOMEM, "out of memory");
    else if (!rules_stage_open(&run.stage, &test->file->config, &sink, err))
        code = err->code;
    else
        play(&run, moments, n);
    if (!code && (run.changes.failed || run.now.failed))
        code = kp_fail(err, KP_ENOMEM, "out of memory");
    sums->tests++;
    sums->failed_tests += run.failed;
    rules_said_release(&run.changes);
    rules_said_release(&run.now);
    rules_stage_close(&run.stage);
    free(moments);
    return code;
}
