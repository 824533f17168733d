/* What kpictl top shows, without a screen: rows taken from snapshots, sorted into a leaderboard, and alerts that fire. */
#ifndef KPICTL_BOARD_H
#define KPICTL_BOARD_H

#include "kpid/tab.h"

#include <msgpack.h>
#include <stdbool.h>
#include <stdint.h>

enum { BOARD_ROWS_MAX = 100000, BOARD_ALERTS_MAX = 200, BOARD_NAME = 96, BOARD_WINDOWS_MAX = 32 };

struct board_kpi {
    char name[BOARD_NAME], title[BOARD_NAME], unit[16];
    int better;                 /* 1 higher, -1 lower, 0 none */
    char windows[BOARD_WINDOWS_MAX][24];
    int nwindows, first;        /* first: its first cell in a row */
    bool grouped;               /* by a field: not on the roster's levels */
    char level[BOARD_NAME];       /* of a grouped one: "@client" */
};

struct board_cell {
    double value, n, target;    /* value, target: NaN for none */
    uint8_t status;             /* 0 none, 1 ok, 2 warning, 3 critical */
};

struct board_row {
    char name[BOARD_NAME], parent[BOARD_NAME];
    int level;
    struct board_cell *cells;     /* owned */
};

struct board_alert {
    char id[24], text[400];       /* text: whether it keeps quiet, and its message */
    bool critical;
};

struct board {
    struct board_kpi *kpis;       /* owned */
    int nkpis, ncells;
    char levels[24][BOARD_NAME];
    int nlevels;
    struct board_row *rows;       /* owned */
    uint32_t nrows, room;
    uint64_t refused;           /* rows beyond BOARD_ROWS_MAX */
    struct kp_tab *index;       /* owned */
    struct board_alert alerts[BOARD_ALERTS_MAX];
    int nalerts;
    int64_t time_ms;            /* of the newest snapshot */
};

/* From the reply of the op `config`. False: it can't be read, or no memory. The caller releases it in any case. */
bool board_init(struct board *board, const msgpack_object *config);
void board_release(struct board *board);

/* Take a snapshot or an alert, as published. */
void board_take(struct board *board, const msgpack_object *message);

/* Rows of a level whose name holds `filter` (case ignored; "" all), best first by a KPI and its window. The caller frees
 * *order, which holds indices of rows; returns how many. */
size_t board_sort(const struct board *board, int level, int kpi, int window, const char *filter, uint32_t **order);

/* Is the KPI known on the level? */
bool board_has(const struct board *board, int level, int kpi);
/* A value as text for its column; "-" for none. */
const char *board_text(const struct board_kpi *kpi, double value, char *buf, size_t size);

#endif
