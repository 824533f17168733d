/* What kpictl top shows, without a screen: rows taken from snapshots, sorted into a leaderboard, and alerts that fire. */
#ifndef KPICTL_TOP_MODEL_H
#define KPICTL_TOP_MODEL_H

#include "kpid/tab.h"

#include <msgpack.h>
#include <stdbool.h>
#include <stdint.h>

enum { TOP_ROWS_MAX = 100000, TOP_ALERTS_MAX = 200, TOP_NAME = 96, TOP_WINDOWS_MAX = 32 };

struct top_kpi {
    char name[TOP_NAME], title[TOP_NAME], unit[16];
    int better;                 /* 1 higher, -1 lower, 0 none */
    char windows[TOP_WINDOWS_MAX][24];
    int nwindows, first;        /* first: its first cell in a row */
    bool grouped;               /* by a field: not on the roster's levels */
    char level[TOP_NAME];       /* of a grouped one: "@client" */
};

struct top_cell {
    double value, n, target;    /* value, target: NaN for none */
    uint8_t status;             /* 0 none, 1 ok, 2 warning, 3 critical */
};

struct top_row {
    char name[TOP_NAME], parent[TOP_NAME];
    int level;
    struct top_cell *cells;     /* owned */
};

struct top_alert {
    char id[24], text[400];
    bool critical;
};

struct top_model {
    struct top_kpi *kpis;       /* owned */
    int nkpis, ncells;
    char levels[24][TOP_NAME];
    int nlevels;
    struct top_row *rows;       /* owned */
    uint32_t nrows, room;
    uint64_t refused;           /* rows beyond TOP_ROWS_MAX */
    struct kp_tab *index;       /* owned */
    struct top_alert alerts[TOP_ALERTS_MAX];
    int nalerts;
    int64_t time_ms;            /* of the newest snapshot */
};

/* From the reply of the op `config`. False: it can't be read, or no memory. The caller releases it in any case. */
bool top_model_init(struct top_model *model, const msgpack_object *config);
void top_model_release(struct top_model *model);

/* Take a snapshot or an alert, as published. */
void top_model_take(struct top_model *model, const msgpack_object *message);

/* Rows of a level whose name holds `filter` (case ignored; "" all), best first by a KPI and its window. The caller frees
 * *order, which holds indices of rows; returns how many. */
size_t top_model_sort(const struct top_model *model, int level, int kpi, int window, const char *filter, uint32_t **order);

/* Is the KPI known on the level? */
bool top_model_has(const struct top_model *model, int level, int kpi);
/* A value as text for its column; "-" for none. */
const char *top_model_text(const struct top_kpi *kpi, double value, char *buf, size_t size);

#endif
