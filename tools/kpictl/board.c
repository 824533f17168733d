#include "board.h"

#include "client.h"

#include "kpid/message.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void read_kpi(struct board *board, const msgpack_object *o)
{
    struct board_kpi *kpi = &board->kpis[board->nkpis++];
    const msgpack_object *windows = object_get(o, "windows"), *by = object_get(o, "by");
    char better[16], field[BOARD_NAME];

    object_plain(object_get(o, "name"), kpi->name, sizeof kpi->name);
    object_plain(object_get(o, "title"), kpi->title, sizeof kpi->title);
    object_plain(object_get(o, "unit"), kpi->unit, sizeof kpi->unit);
    object_plain(object_get(o, "better"), better, sizeof better);
    kpi->better = strcmp(better, "lower") == 0 ? -1 : strcmp(better, "none") == 0 ? 0 : 1;
    kpi->first = board->ncells;
    for (size_t i = 0; i < object_count(windows) && kpi->nwindows < BOARD_WINDOWS_MAX; i++)
        object_plain(&windows->via.array.ptr[i], kpi->windows[kpi->nwindows++], sizeof kpi->windows[0]);
    for (size_t i = 0; i < object_count(by); i++) {
        size_t at = strlen(kpi->level);

        snprintf(kpi->level + at, sizeof kpi->level - at, "%c%s", i ? ',' : '@',
                 object_plain(&by->via.array.ptr[i], field, sizeof field));
        kpi->grouped = true;
    }
    board->ncells += kpi->nwindows;
}

bool board_init(struct board *board, const msgpack_object *config)
{
    const msgpack_object *kpis = object_get(config, "kpis"), *levels = object_get(config, "levels");
    size_t n = object_count(kpis);

    memset(board, 0, sizeof *board);
    board->kpis = calloc(n + 1, sizeof *board->kpis);
    board->index = kp_tab_new(NULL);
    if (!board->kpis || !board->index || n == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        read_kpi(board, &kpis->via.array.ptr[i]);
    for (size_t i = 0; i < object_count(levels) && board->nlevels < 24; i++)
        object_plain(&levels->via.array.ptr[i], board->levels[board->nlevels++], BOARD_NAME);
    return board->nlevels > 0;
}

void board_release(struct board *board)
{
    for (uint32_t i = 0; i < board->nrows; i++)
        free(board->rows[i].cells);
    free(board->rows);
    free(board->kpis);
    kp_tab_destroy(&board->index);
    memset(board, 0, sizeof *board);
}

/* ---- Rows ---- */

static int level_of(const struct board *board, const msgpack_object *snapshot)
{
    for (int i = 0; i < board->nlevels; i++)
        if (object_is(object_get(snapshot, "level"), board->levels[i]))
            return i;
    return -1;
}

/* What tells a row from the others: its level and its path. */
static struct kp_print print_of(int level, const msgpack_object *path)
{
    struct kp_print print = {(uint64_t)level, 1};

    for (size_t i = 0; i < object_count(path); i++) {
        const msgpack_object *part = &path->via.array.ptr[i];

        if (part->type == MSGPACK_OBJECT_STR)
            print = kp_print_of(print.hi, (uint32_t)level, part->via.str.ptr, part->via.str.size);
    }
    return print;
}

static struct board_row *row_of(struct board *board, int level, const msgpack_object *path)
{
    struct kp_print print = print_of(level, path);
    uint32_t *at = kp_tab_find(board->index, print);
    struct board_row *row;

    if (at)
        return &board->rows[*at];
    if (board->nrows == BOARD_ROWS_MAX) {
        board->refused++;
        return NULL;
    }
    if (board->nrows == board->room) {
        uint32_t room = board->room ? board->room * 2 : 64;
        struct board_row *grown = realloc(board->rows, room * sizeof *grown);

        if (!grown)
            return NULL;
        board->rows = grown;
        board->room = room;
    }
    row = &board->rows[board->nrows];
    memset(row, 0, sizeof *row);
    row->cells = calloc((size_t)board->ncells + 1, sizeof *row->cells);
    if (!row->cells || kp_tab_insert(board->index, print, board->nrows)) {
        free(row->cells);
        return NULL;
    }
    for (int i = 0; i < board->ncells; i++)
        row->cells[i].value = row->cells[i].target = (double)NAN;
    row->level = level;
    board->nrows++;
    return row;
}

static void take_cell(struct board_cell *cell, const msgpack_object *o)
{
    static const char *const statuses[] = {"", "ok", "warning", "critical"};

    if (!object_number(object_get(o, "value"), &cell->value))
        cell->value = (double)NAN;
    if (!object_number(object_get(o, "target"), &cell->target))
        cell->target = (double)NAN;
    if (!object_number(object_get(o, "n"), &cell->n))
        cell->n = 0;
    cell->status = 0;
    for (uint8_t i = 1; i < 4; i++)
        if (object_is(object_get(o, "status"), statuses[i]))
            cell->status = i;
}

static void take_snapshot(struct board *board, const msgpack_object *snapshot)
{
    const msgpack_object *path = object_get(snapshot, "path"), *kpis = object_get(snapshot, "kpis");
    int level = level_of(board, snapshot);
    struct board_row *row = level >= 0 ? row_of(board, level, path) : NULL;
    size_t depth = object_count(path);
    double at;

    if (!row)
        return;
    object_plain(object_get(snapshot, "name"), row->name, sizeof row->name);
    if (depth > 1)
        object_plain(&path->via.array.ptr[depth - 2], row->parent, sizeof row->parent);
    if (object_number(object_get(snapshot, "time"), &at) && at > (double)board->time_ms)
        board->time_ms = (int64_t)at;
    for (int k = 0; k < board->nkpis; k++) {
        const msgpack_object *windows = object_get(kpis, board->kpis[k].name);

        for (int w = 0; windows && w < board->kpis[k].nwindows; w++) {
            const msgpack_object *cell = object_get(windows, board->kpis[k].windows[w]);

            if (cell)
                take_cell(&row->cells[board->kpis[k].first + w], cell);
        }
    }
}

/* ---- Alerts ---- */

static void take_alert(struct board *board, const msgpack_object *alert)
{
    struct board_alert taken;
    size_t len;
    int i;

    if (object_is(object_get(alert, "state"), "pending"))
        return;
    object_plain(object_get(alert, "id"), taken.id, sizeof taken.id);
    len = strlen(object_alert_mark(alert, taken.text, sizeof taken.text));
    object_plain(object_get(alert, "message"), taken.text + len, sizeof taken.text - len);
    taken.critical = object_is(object_get(alert, "severity"), "critical");
    for (i = 0; i < board->nalerts && strcmp(board->alerts[i].id, taken.id) != 0; i++)
        ;
    if (i < board->nalerts)
        memmove(&board->alerts[i], &board->alerts[i + 1], (size_t)(--board->nalerts - i) * sizeof *board->alerts);
    if (!object_is(object_get(alert, "state"), "firing"))
        return;
    if (board->nalerts == BOARD_ALERTS_MAX)
        board->nalerts--;       /* the oldest stands last */
    memmove(&board->alerts[1], &board->alerts[0], (size_t)board->nalerts * sizeof *board->alerts);
    board->alerts[0] = taken;
    board->nalerts++;
}

void board_take(struct board *board, const msgpack_object *message)
{
    if (object_is(object_get(message, "kind"), "snapshot"))
        take_snapshot(board, message);
    else if (object_is(object_get(message, "kind"), "alert"))
        take_alert(board, message);
}

/* ---- The leaderboard ---- */

struct entry {
    double value;               /* higher stands first */
    const char *name;
    uint32_t row;
};

static int by_value(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (isnan(x->value) != isnan(y->value))
        return isnan(x->value) ? 1 : -1;
    if (x->value != y->value && !isnan(x->value))
        return x->value > y->value ? -1 : 1;
    return strcasecmp(x->name, y->name);
}

size_t board_sort(const struct board *board, int level, int kpi, int window, const char *filter, uint32_t **order)
{
    struct entry *entries = calloc((size_t)board->nrows + 1, sizeof *entries);
    size_t n = 0;

    *order = calloc((size_t)board->nrows + 1, sizeof **order);
    for (uint32_t i = 0; entries && *order && i < board->nrows; i++) {
        const struct board_row *row = &board->rows[i];
        double value = row->cells[board->kpis[kpi].first + window].value;

        if (row->level != level || (*filter && !strcasestr(row->name, filter)))
            continue;
        entries[n++] = (struct entry){board->kpis[kpi].better < 0 ? -value : value, row->name, i};
    }
    if (entries)
        qsort(entries, n, sizeof *entries, by_value);
    for (size_t i = 0; *order && i < n; i++)
        (*order)[i] = entries[i].row;
    free(entries);
    return *order ? n : 0;
}

bool board_has(const struct board *board, int level, int kpi)
{
    const char *name = board->levels[level];

    return board->kpis[kpi].grouped ? strcmp(name, board->kpis[kpi].level) == 0 : name[0] != '@';
}

const char *board_text(const struct board_kpi *kpi, double value, char *buf, size_t size)
{
    kp_number_text(value, !isnan(value), kpi->unit, buf, size);
    if (isnan(value))
        snprintf(buf, size, "-");
    return buf;
}
