#include "top_model.h"

#include "client.h"

#include "kpid/message.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void read_kpi(struct top_model *model, const msgpack_object *o)
{
    struct top_kpi *kpi = &model->kpis[model->nkpis++];
    const msgpack_object *windows = object_get(o, "windows"), *by = object_get(o, "by");
    char better[16], field[TOP_NAME];

    object_text(object_get(o, "name"), kpi->name, sizeof kpi->name);
    object_text(object_get(o, "title"), kpi->title, sizeof kpi->title);
    object_text(object_get(o, "unit"), kpi->unit, sizeof kpi->unit);
    object_text(object_get(o, "better"), better, sizeof better);
    kpi->better = strcmp(better, "lower") == 0 ? -1 : strcmp(better, "none") == 0 ? 0 : 1;
    kpi->first = model->ncells;
    for (size_t i = 0; i < object_count(windows) && kpi->nwindows < TOP_WINDOWS_MAX; i++)
        object_text(&windows->via.array.ptr[i], kpi->windows[kpi->nwindows++], sizeof kpi->windows[0]);
    for (size_t i = 0; i < object_count(by); i++) {
        size_t at = strlen(kpi->level);

        snprintf(kpi->level + at, sizeof kpi->level - at, "%c%s", i ? ',' : '@',
                 object_text(&by->via.array.ptr[i], field, sizeof field));
        kpi->grouped = true;
    }
    model->ncells += kpi->nwindows;
}

bool top_model_init(struct top_model *model, const msgpack_object *config)
{
    const msgpack_object *kpis = object_get(config, "kpis"), *levels = object_get(config, "levels");
    size_t n = object_count(kpis);

    memset(model, 0, sizeof *model);
    model->kpis = calloc(n + 1, sizeof *model->kpis);
    model->index = kp_tab_new(NULL);
    if (!model->kpis || !model->index || n == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        read_kpi(model, &kpis->via.array.ptr[i]);
    for (size_t i = 0; i < object_count(levels) && model->nlevels < 24; i++)
        object_text(&levels->via.array.ptr[i], model->levels[model->nlevels++], TOP_NAME);
    return model->nlevels > 0;
}

void top_model_release(struct top_model *model)
{
    for (uint32_t i = 0; i < model->nrows; i++)
        free(model->rows[i].cells);
    free(model->rows);
    free(model->kpis);
    kp_tab_destroy(&model->index);
    memset(model, 0, sizeof *model);
}

/* ---- Rows ---- */

static int level_of(const struct top_model *model, const msgpack_object *snapshot)
{
    for (int i = 0; i < model->nlevels; i++)
        if (object_is(object_get(snapshot, "level"), model->levels[i]))
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

static struct top_row *row_of(struct top_model *model, int level, const msgpack_object *path)
{
    struct kp_print print = print_of(level, path);
    uint32_t *at = kp_tab_find(model->index, print);
    struct top_row *row;

    if (at)
        return &model->rows[*at];
    if (model->nrows == TOP_ROWS_MAX) {
        model->refused++;
        return NULL;
    }
    if (model->nrows == model->room) {
        uint32_t room = model->room ? model->room * 2 : 64;
        struct top_row *grown = realloc(model->rows, room * sizeof *grown);

        if (!grown)
            return NULL;
        model->rows = grown;
        model->room = room;
    }
    row = &model->rows[model->nrows];
    memset(row, 0, sizeof *row);
    row->cells = calloc((size_t)model->ncells + 1, sizeof *row->cells);
    if (!row->cells || kp_tab_insert(model->index, print, model->nrows)) {
        free(row->cells);
        return NULL;
    }
    for (int i = 0; i < model->ncells; i++)
        row->cells[i].value = row->cells[i].target = (double)NAN;
    row->level = level;
    model->nrows++;
    return row;
}

static void take_cell(struct top_cell *cell, const msgpack_object *o)
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

static void take_snapshot(struct top_model *model, const msgpack_object *snapshot)
{
    const msgpack_object *path = object_get(snapshot, "path"), *kpis = object_get(snapshot, "kpis");
    int level = level_of(model, snapshot);
    struct top_row *row = level >= 0 ? row_of(model, level, path) : NULL;
    size_t depth = object_count(path);
    double at;

    if (!row)
        return;
    object_text(object_get(snapshot, "name"), row->name, sizeof row->name);
    if (depth > 1)
        object_text(&path->via.array.ptr[depth - 2], row->parent, sizeof row->parent);
    if (object_number(object_get(snapshot, "time"), &at) && at > (double)model->time_ms)
        model->time_ms = (int64_t)at;
    for (int k = 0; k < model->nkpis; k++) {
        const msgpack_object *windows = object_get(kpis, model->kpis[k].name);

        for (int w = 0; windows && w < model->kpis[k].nwindows; w++) {
            const msgpack_object *cell = object_get(windows, model->kpis[k].windows[w]);

            if (cell)
                take_cell(&row->cells[model->kpis[k].first + w], cell);
        }
    }
}

/* ---- Alerts ---- */

static void take_alert(struct top_model *model, const msgpack_object *alert)
{
    struct top_alert taken;
    int i;

    if (object_is(object_get(alert, "state"), "pending"))
        return;
    object_text(object_get(alert, "id"), taken.id, sizeof taken.id);
    object_text(object_get(alert, "message"), taken.text, sizeof taken.text);
    taken.critical = object_is(object_get(alert, "severity"), "critical");
    for (i = 0; i < model->nalerts && strcmp(model->alerts[i].id, taken.id) != 0; i++)
        ;
    if (i < model->nalerts)
        memmove(&model->alerts[i], &model->alerts[i + 1], (size_t)(--model->nalerts - i) * sizeof *model->alerts);
    if (!object_is(object_get(alert, "state"), "firing"))
        return;
    if (model->nalerts == TOP_ALERTS_MAX)
        model->nalerts--;       /* the oldest stands last */
    memmove(&model->alerts[1], &model->alerts[0], (size_t)model->nalerts * sizeof *model->alerts);
    model->alerts[0] = taken;
    model->nalerts++;
}

void top_model_take(struct top_model *model, const msgpack_object *message)
{
    if (object_is(object_get(message, "kind"), "snapshot"))
        take_snapshot(model, message);
    else if (object_is(object_get(message, "kind"), "alert"))
        take_alert(model, message);
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

size_t top_model_sort(const struct top_model *model, int level, int kpi, int window, const char *filter, uint32_t **order)
{
    struct entry *entries = calloc((size_t)model->nrows + 1, sizeof *entries);
    size_t n = 0;

    *order = calloc((size_t)model->nrows + 1, sizeof **order);
    for (uint32_t i = 0; entries && *order && i < model->nrows; i++) {
        const struct top_row *row = &model->rows[i];
        double value = row->cells[model->kpis[kpi].first + window].value;

        if (row->level != level || (*filter && !strcasestr(row->name, filter)))
            continue;
        entries[n++] = (struct entry){model->kpis[kpi].better < 0 ? -value : value, row->name, i};
    }
    if (entries)
        qsort(entries, n, sizeof *entries, by_value);
    for (size_t i = 0; *order && i < n; i++)
        (*order)[i] = entries[i].row;
    free(entries);
    return *order ? n : 0;
}

bool top_model_has(const struct top_model *model, int level, int kpi)
{
    const char *name = model->levels[level];

    return model->kpis[kpi].grouped ? strcmp(name, model->kpis[kpi].level) == 0 : name[0] != '@';
}

const char *top_model_text(const struct top_kpi *kpi, double value, char *buf, size_t size)
{
    kp_number_text(value, !isnan(value), kpi->unit, buf, size);
    if (isnan(value))
        snprintf(buf, size, "-");
    return buf;
}
