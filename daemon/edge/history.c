#include "history.h"

#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_MAX_TEXT = 4096, LOOK_TURN = 16 };

void kp_history_init(struct kp_history *history, struct kp_storage *storage, const struct kp_config *config)
{
    *history = (struct kp_history){.storage = storage};
    kp_history_rebind(history, config);
}

void kp_history_rebind(struct kp_history *history, const struct kp_config *config)
{
    history->every_ms = history->storage && config->storage.history_ms ? config->storage.samples_ms : 0;
    history->running = false;
    history->due_ms = INT64_MIN;
}

void kp_history_release(struct kp_history *history)
{
    free(history->batch);
    history->batch = NULL;
}

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

/* One row; false: the batch has no room for it. */
static bool put(struct kp_history *history, const struct kp_engine *engine, const struct kp_cell_view *cell, uint32_t node, bool closed,
                const char *level, const char *path)
{
    struct kp_history_row row = {.kpi = cell->kpi->name,
                                 .level = level,
                                 .path = path,
                                 .closed = closed,
                                 .at_ms = closed ? kp_engine_period_from(engine, node, cell->window) : history->at_ms,
                                 .has = cell->number.has,
                                 .value = cell->number.value,
                                 .n = cell->number.n,
                                 .target = cell->target,
                                 .expected = cell->expected};
    char window[KP_WINDOW_TEXT];

    snprintf(window, sizeof window, "%s", cell->window->text);
    if (closed && strlen(window) > 2)
        window[strlen(window) - 2] = '\0';      /* "day-1" is a day */
    row.window = window;
    return row.at_ms == INT64_MIN || kp_history_put(history->batch, &row);
}

/* Of what nothing has happened in there is nothing to be kept. False: the batch is full, and this key is to be done again. */
static bool put_key(struct kp_history *history, struct kp_engine *engine, uint32_t node)
{
    const struct kp_cell_view *cells;
    struct kp_place place;
    char path[PATH_MAX_TEXT];
    const char *level;
    size_t n;

    if (!kp_engine_visible(engine, node))
        return true;
    kp_engine_place(engine, node, &place);
    level = kp_engine_level_name(engine, place.level);
    path_of(engine, node, path, sizeof path);
    n = kp_engine_read(engine, node, history->pass, &cells);
    for (size_t i = 0; i < n; i++)
        if (cells[i].number.n && !put(history, engine, &cells[i], node, false, level, path))
            return false;
    n = kp_engine_read_closed(engine, node, &cells);
    for (size_t i = 0; i < n; i++)
        if ((cells[i].number.n || cells[i].target > 0) && !put(history, engine, &cells[i], node, true, level, path))
            return false;
    return true;
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
        if (put_key(history, engine, history->next)) {
            history->next++;
            continue;
        }
        kp_history_push(history->storage, history->batch);
        history->batch = NULL;
    }
    if (history->next < nodes)
        return;
    if (history->batch)
        kp_history_push(history->storage, history->batch);
    history->batch = NULL;
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
        history->pass = kp_engine_pass(engine);
        history->at_ms = now / history->every_ms * history->every_ms;
        history->due_ms = history->at_ms + history->every_ms;
    }
    if (history->running)
        go_forward(history, engine);
    return history->running && history->batch;
}

int64_t kp_history_due(const struct kp_history *history)
{
    return history->every_ms ? history->due_ms : INT64_MAX;
}
