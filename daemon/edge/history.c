#include "history.h"

#include "clock.h"
#include "log.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_MAX_TEXT = 4096, CATCH_UP_MS = 60000, WAIT_MS = 100 };

void kp_history_init(struct kp_history *history, struct kp_storage *storage, const struct kp_config *config, int64_t since_ms)
{
    *history = (struct kp_history){.storage = storage};
    kp_history_rebind(history, config, since_ms);
}

void kp_history_rebind(struct kp_history *history, const struct kp_config *config, int64_t since_ms)
{
    history->since_ms = since_ms;
    history->every_ms = history->storage && config->storage.history_ms ? config->storage.samples_ms : 0;
    history->running = false;
    history->due_ms = INT64_MIN;
}

void kp_history_release(struct kp_history *history)
{
    free(history->batch);
    history->batch = NULL;
}

void kp_history_anew(struct kp_history *history)
{
    kp_history_release(history);
    history->running = false;
    history->step = 0;
    history->due_ms = INT64_MIN;
}

/* ---- The rows of a key ---- */

/* Its place as in topics, without a kind before and a slash behind. */
static void path_of(struct kp_engine *engine, uint32_t node, char *path, size_t size)
{
    size_t len = kp_engine_topic(engine, "", node, path, size);

    len = len < size ? len : size - 1;
    if (len && path[len - 1] == '/')
        len--;
    path[len] = '\0';
    if (path[0] == '/')
        memmove(path, path + 1, len);
}

struct key {
    uint32_t node;
    const char *level;
    char path[PATH_MAX_TEXT];
};

static void find_key(struct kp_engine *engine, uint32_t node, struct key *key)
{
    struct kp_place place;

    key->node = node;
    kp_engine_place(engine, node, &place);
    key->level = kp_engine_level_name(engine, place.level);
    path_of(engine, node, key->path, sizeof key->path);
}

/* A row of a key, and which one of those that it could have: where a batch is full the next one begins. False: it is. */
static bool put(struct kp_history *history, const struct key *key, size_t step, const struct kp_cell_view *cell, struct kp_history_row row)
{
    if (step < history->step)
        return true;
    row.kpi = cell->kpi->name;
    row.level = key->level;
    row.path = key->path;
    row.may_fall = cell->may_fall;
    row.is_now = cell->is_now;
    row.has = cell->number.has;
    row.value = cell->number.value;
    row.n = cell->number.n;
    row.target = cell->target;
    row.expected = cell->expected;
    history->step = step;
    return kp_history_put(history->batch, &row);
}

static bool put_sample(struct kp_history *history, const struct key *key, size_t step, const struct kp_cell_view *cell)
{
    return cell->number.n == 0 ||
           put(history, key, step, cell, (struct kp_history_row){.window = cell->window->text, .at_ms = history->at_ms});
}

/* What the running period has come to, as far as it goes. */
static bool put_running(struct kp_history *history, const struct kp_engine *engine, const struct key *key, size_t step,
                        const struct kp_cell_view *cell)
{
    struct kp_history_row row = {.window = cell->window->text, .closed = true, .only_if_there = cell->is_now && !cell->number.n};
    int64_t to;

    return !kp_engine_period(engine, key->node, cell->window, &row.at_ms, &to) || cell->window->back ||
           put(history, key, step, cell, row);
}

/* Nothing is something where a target was missed by it. */
static bool says_something(const struct kp_history *history, const struct kp_cell_view *cell, int64_t from)
{
    return cell->number.n || (cell->target > 0 && from >= history->since_ms);
}

static bool put_closed(struct kp_history *history, const struct kp_engine *engine, const struct key *key, size_t step,
                       const struct kp_cell_view *cell)
{
    struct kp_history_row row = {.closed = true};
    char window[KP_WINDOW_TEXT];
    int64_t to;

    if (!kp_engine_period(engine, key->node, cell->window, &row.at_ms, &to) || !says_something(history, cell, row.at_ms))
        return true;
    snprintf(window, sizeof window, "%s", cell->window->text);
    window[strlen(window) - 2] = '\0';      /* "day-1" is a day */
    row.window = window;
    return put(history, key, step, cell, row);
}

/* Of what nothing has happened in there is nothing to be kept. What is open now was never any period's: how it stands is the running
 * one's until that ends. False: the batch is full. */
static bool put_key(struct kp_history *history, struct kp_engine *engine, uint32_t node)
{
    const struct kp_cell_view *cells;
    struct key key;
    size_t n, closed;

    if (!kp_engine_visible(engine, node))
        return true;
    find_key(engine, node, &key);
    n = kp_engine_read(engine, node, history->pass, &cells);
    for (size_t i = 0; i < n; i++)
        if (!put_sample(history, &key, 2 * i, &cells[i]) ||
            (cells[i].is_now && !put_running(history, engine, &key, 2 * i + 1, &cells[i])))
            return false;
    closed = kp_engine_read_closed(engine, node, &cells);
    for (size_t i = 0; i < closed; i++)
        if (!put_closed(history, engine, &key, 2 * n + i, &cells[i]))
            return false;
    return true;
}

/* ---- A pass over all of them ---- */

static void push(struct kp_history *history)
{
    if (history->batch)
        kp_history_push(history->storage, history->batch);
    history->batch = NULL;
}

static void go_forward(struct kp_history *history, struct kp_engine *engine)
{
    int64_t until = kp_clock_us(CLOCK_MONOTONIC) + KP_TURN_US;
    uint32_t nodes = kp_engine_nodes(engine);

    while (history->next < nodes && kp_clock_us(CLOCK_MONOTONIC) < until) {
        if (!history->batch)
            history->batch = kp_history_begin(history->storage);
        if (!history->batch)
            return;     /* the one before is not written yet */
        if (!put_key(history, engine, history->next)) {
            push(history);
            continue;
        }
        history->next++;
        history->step = 0;
    }
    if (history->next < nodes)
        return;
    push(history);
    history->running = false;
    history->passes++;
}

bool kp_history_turn(struct kp_history *history, struct kp_engine *engine)
{
    int64_t now = kp_engine_now(engine);

    if (!history->every_ms || now == INT64_MIN)
        return false;
    if (!history->running && now >= history->due_ms) {
        history->running = true;
        history->next = 0;
        history->step = 0;
        history->pass = kp_engine_pass(engine);
        history->at_ms = now / 1000 * 1000;
        history->due_ms = now / history->every_ms * history->every_ms + history->every_ms;
    }
    if (history->running)
        go_forward(history, engine);
    return history->running && history->batch;
}

int64_t kp_history_due(const struct kp_history *history)
{
    return history->every_ms && !history->running ? history->due_ms : INT64_MAX;
}

/* ---- Before time leaps ---- */

/* Wait for the batch before to be written. False: it takes too long. */
static bool get_batch(struct kp_history *history, int64_t until_ms)
{
    struct pollfd fd = {kp_storage_fd(history->storage), POLLIN, 0};
    struct kp_storage_view view;

    while (!history->batch) {
        history->batch = kp_history_begin(history->storage);
        if (history->batch)
            break;
        kp_storage_view(history->storage, &view);
        if (view.failing || kp_clock_ms(CLOCK_MONOTONIC) >= until_ms)
            return false;
        poll(&fd, 1, WAIT_MS);
    }
    return true;
}

static bool put_ending(struct kp_history *history, struct kp_engine *engine, uint32_t node, int64_t now_ms)
{
    const struct kp_cell_view *cells;
    struct key key;
    size_t n;

    if (!kp_engine_visible(engine, node))
        return true;
    find_key(engine, node, &key);
    n = kp_engine_read(engine, node, 0, &cells);
    for (size_t i = 0; i < n; i++) {
        int64_t from, to;

        if (kp_engine_period(engine, node, cells[i].window, &from, &to) && to <= now_ms &&
            says_something(history, &cells[i], from) && !put_running(history, engine, &key, i, &cells[i]))
            return false;
    }
    return true;
}

void kp_history_before_leap(struct kp_history *history, struct kp_engine *engine, int64_t now_ms)
{
    int64_t from_ms = kp_clock_ms(CLOCK_MONOTONIC);
    uint32_t nodes = kp_engine_nodes(engine), node = 0;

    if (!history->every_ms || !kp_engine_day_ends(engine, now_ms))
        return;
    history->running = false;   /* a pass that was under way begins anew */
    history->step = 0;
    while (node < nodes && get_batch(history, from_ms + CATCH_UP_MS)) {
        if (put_ending(history, engine, node, now_ms)) {
            node++;
            history->step = 0;
        } else {
            push(history);
        }
    }
    push(history);
    history->due_ms = INT64_MIN;
    kp_log(node == nodes ? KP_LOG_INFO : KP_LOG_ERROR, "event=history_caught_up done=%s keys=%u took_ms=%lld", node == nodes ? "yes" : "no",
           node, (long long)(kp_clock_ms(CLOCK_MONOTONIC) - from_ms));
}
