/* kpictl report: the agenda of the weekly sales meeting. What the daemon tells is gathered into plain data (report_ask.c,
 * report_take.c), judged without asking anybody (report_find.c), laid out once (report_page.c), and written by a pen as Markdown
 * (report_md.c) or HTML (report_html.c), of which a browser makes a PDF (report_pdf.c).
 *
 * A number that is not there is NaN everywhere: "no data" is never 0. */
#ifndef KPICTL_REPORT_H
#define KPICTL_REPORT_H

#include "text.h"

#include "kpid/err.h"
#include "kpid/tab.h"
#include "kpid/zone.h"

#include <msgpack.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REPORT_BEFORE = 8,                      /* weeks that make the own mean */
    REPORT_WEEKS = REPORT_BEFORE + 1,       /* and the one that is told of, the last */
    REPORT_MEAN_MIN = 4,                    /* of fewer weeks there is no mean to be held against */
    REPORT_SAMPLES_MIN = 30,                /* of fewer samples nothing is said of a conversion */
    REPORT_MAIN_MAX = 6,                    /* KPIs that members are shown by */
    REPORT_MEMBERS_MAX = 50,
    REPORT_LEVELS_MAX = 8,
    REPORT_LINES_MAX = 24, REPORT_LINE = 800,
    REPORT_NOTES_MAX = 8, REPORT_NAME = 256, REPORT_PATH = 2048,
};

/* ---- What is known ---- */

struct report_cell {
    double value, n, target, expected;      /* NaN: none */
};
enum report_status { REPORT_STATUS_NONE, REPORT_STATUS_OK, REPORT_STATUS_WARNING, REPORT_STATUS_CRITICAL, REPORT_STATUS_NO_DATA };

struct report_series {
    struct report_cell weeks[REPORT_WEEKS]; /* oldest first */
    enum report_status status;              /* of a week that runs; of one that has ended none is kept */
};

struct report_kpi {
    char name[96], title[REPORT_NAME], unit[40], windows[256], means[2048];
    bool is_formula;            /* what `means` is */
    int better;                 /* 1 higher, -1 lower, 0 neither */
    bool counts;                /* of nothing it is 0, and no unknown */
    bool adds;                  /* grows as the week goes on, so half a week says little beside a whole one */
    bool is_main;
    struct report_series own;
};

enum report_part { REPORT_ENTERED, REPORT_CONVERTED, REPORT_MEDIAN_TIME, REPORT_OPEN, REPORT_PARTS };
struct report_step {
    char stage[80];
    struct report_series parts[REPORT_PARTS];
    struct report_cell parent;  /* what was converted in the same week at the level above, the place itself among it */
};
struct report_funnel {
    char name[96], title[REPORT_NAME], means[REPORT_PARTS][1024];
    struct report_step *steps;  /* owned */
    size_t nsteps;
};

struct report_member {
    char key[REPORT_NAME], name[REPORT_NAME], path[REPORT_PATH];    /* path: as in topics */
    struct report_series main[REPORT_MAIN_MAX];
};

/* One life of an alert, from firing to its end. */
struct report_alert {
    char id[24], rule[96], kpi[REPORT_NAME], level[96], key[REPORT_NAME], name[REPORT_NAME], message[1200];
    double at_ms, over_ms;      /* over_ms NaN: it still fires at the week's end */
    bool critical, stalled;
};

struct report_rank {
    double rank, value, tie;
    char name[REPORT_NAME], path[REPORT_PATH];
};
struct report_contest {
    char title[REPORT_NAME], unit[40], from[40], to[40], state[16];
    bool is_final;
    struct report_rank *standing;   /* owned; those whose names may be seen */
    size_t nstanding, nplaces;      /* nplaces: of how many */
};

struct report_promise {
    char who[REPORT_NAME], what[REPORT_LINE];
    int done;                   /* 1 yes, 0 no, -1 nobody says */
};
struct report_promises {
    struct report_promise *list;    /* owned */
    size_t n;
};

struct report_week {
    int year, number;           /* ISO 8601 */
    int64_t first_day;          /* civil day */
};

/* Somebody below the place whose alerts are its own. */
struct report_key {
    char level[96], key[REPORT_NAME], name[REPORT_NAME];
};

struct report {
    char zone_name[96];
    struct kp_zone *zone;       /* owned */
    int week_starts;            /* 0 Monday */
    char levels[REPORT_LEVELS_MAX][96];     /* the company's and the roster's */
    size_t nlevels, depth;      /* depth: which of them the place is of */
    char path[REPORT_PATH], key[REPORT_NAME], name[REPORT_NAME], parent[REPORT_PATH];
    int64_t now_ms;
    struct report_week week;
    int64_t starts[REPORT_WEEKS + 1];       /* of each week, and the last one's end */
    bool running;
    double own_from_ms;         /* by its own clock the running week of the place begins here; NaN: not known */
    bool has_history, has_parent, alerts_cut;
    bool is_unknown;            /* nothing is known of the week that is told of */
    struct report_kpi *kpis;
    struct report_funnel *funnels;
    struct report_member *members;
    struct report_alert *alerts;
    struct kp_tab *index;       /* of alerts by id, while they are taken */
    struct report_contest *contests;
    struct report_key *below;
    char (*stalled)[96];        /* rules that look for what stands still */
    size_t nkpis, nfunnels, nmembers, members_left_out, nalerts, ncontests, nbelow, nstalled;     /* all owned */
    struct report_promises last, next;
    char notes[REPORT_NOTES_MAX][REPORT_LINE];
    size_t nnotes;
};

void report_init(struct report *report);
void report_release(struct report *report);
/* Something that the reader has to know of what is told; one too many is left out. */
void report_note(struct report *report, const char *fmt, ...) KP_PRINTF(2, 3);
/* Room for item n of a list that holds n, zeroed; NULL: no memory, and the list is as it was. */
void *report_more(void *list, size_t *n, size_t size);

/* ---- Weeks (report_week.c) ---- */

/* "2026-W47". False: it is none, or no such week is in that year. */
bool report_week_parse(const char *text, int *year, int *number);
/* The week that the instant lies in, `back` weeks earlier. */
void report_week_at(const struct kp_zone *zone, int week_starts, int64_t at_ms, int back, struct report_week *week);
/* That which has the Thursday of an ISO week in it, and so most of its days. */
void report_week_of(int week_starts, int year, int number, struct report_week *week);
void report_week_next(const struct report_week *week, int week_starts, struct report_week *next);
/* report->starts, of its week. */
void report_week_starts(struct report *report);
/* Which of the weeks begins there, by anybody's clock; -1: none. */
int report_week_index(const struct report *report, double at_ms);
const char *report_week_text(const struct report_week *week, char buf[16]);
/* "Mon 2026-11-16" */
const char *report_day_text(int64_t day, char buf[32]);
/* "Mon 2026-11-16 14:05", in the report's zone; "" of NaN. */
const char *report_instant_text(const struct report *report, double at_ms, char buf[48]);

/* ---- Numbers as people read them (report_number.c) ---- */

enum { REPORT_NUMBER = 128 };
/* "25 %", "1,200 GBP", "2h 5m", "no data". */
const char *report_number(double value, const char *unit, char buf[REPORT_NUMBER]);
/* The same with its sign; of shares in points. */
const char *report_gap(double gap, const char *unit, char buf[REPORT_NUMBER]);
/* Eight heights of blocks, a dot where there is no data. */
const char *report_spark(const struct report_series *series, char buf[64]);

/* ---- Taking what the daemon tells (report_take.c) ---- */

enum kp_code report_take_config(struct report *report, const msgpack_object *config, struct kp_err *err) KP_CHECK;
/* Of the reply of `contests`; its zone is known. */
enum kp_code report_take_contests(struct report *report, const msgpack_object *reply, struct kp_err *err) KP_CHECK;
/* Of a snapshot: its running week; `of` gives where each KPI's number goes. */
void report_take_cell(const msgpack_object *windows, struct report_series *series);
/* Of the reply of `history`: the weeks that have ended. *last_ms: the latest row; false: there is no more behind it. */
bool report_take_history(const struct report *report, const msgpack_object *reply, struct report_series *series, double *last_ms);
enum kp_code report_take_alerts(struct report *report, const msgpack_object *reply, double *last_ms, bool *more,
                                struct kp_err *err) KP_CHECK;
/* Leave those that were over before the week began. */
void report_settle_alerts(struct report *report);
/* Each number of the place, by its KPI's name. False: stopped by each. */
bool report_each(struct report *report, bool (*each)(void *ctx, const char *kpi, struct report_series *series), void *ctx);

/* ---- Asking (report_ask.c) ---- */

struct client;
struct report_wish {
    const char *place;          /* "emea/field-1"; NULL: the company */
    bool has_week;
    int year, number;
};
enum kp_code report_ask(struct client *client, const struct report_wish *wish, struct report *report, struct kp_err *err) KP_CHECK;

/* Who has promised what, from a file; its faults are printed. */
bool report_read_promises(const char *file, struct report *report);

/* ---- Judging (report_find.c) ---- */

enum report_verdict { REPORT_NEITHER, REPORT_GOOD, REPORT_BAD, REPORT_NO_NEWS };

struct report_lines {
    char line[REPORT_LINES_MAX][REPORT_LINE];
    size_t n, left_out;
};
struct report_findings {
    struct report_lines works, behind, losses, stalled, training;
};

/* What the number is held against: what is expected by working time, by now while the week runs; the target where that is not known;
 * NaN: nothing. */
double report_goal(const struct report *report, const struct report_cell *cell);
enum report_verdict report_verdict(const struct report *report, const struct report_kpi *kpi, const struct report_series *series);
/* Of the weeks before that have a number; *weeks: how many. NaN: none has. */
double report_mean(const struct report_series *series, size_t *weeks);
/* Those with a target, then those with a number that can be good or bad, then others. */
void report_choose_main(struct report *report);
/* What counts is 0 in a week of which something else is known: of nothing there is no history. */
void report_fill(struct report *report);
void report_fill_member(const struct report *report, struct report_member *member);
void report_find(const struct report *report, struct report_findings *found);
/* How likely chance alone brings a share at least so much lower, where both are the same. */
double report_chance(double share, double n, double reference, double reference_n);

/* ---- Writing (report_page.c, report_md.c, report_html.c) ---- */

enum pen_tone { PEN_PLAIN, PEN_GOOD, PEN_BAD, PEN_QUIET };
struct pen_column {
    const char *title;
    bool is_number, is_wide;    /* is_wide: takes what room the others leave */
};
struct pen_chart {
    const char *title, *headline, *detail, *unit;
    enum pen_tone tone;
    bool lying;                 /* bars from left to right, without a target */
    bool running;               /* the last one is not whole */
    const char *const *labels;
    const double *values, *targets;     /* targets NULL: none */
    double mean;                /* NaN: none */
    size_t n;
};

/* Foreign text goes through its pen as it is; the pen makes it harmless. */
struct report_pen {
    const struct report_pen_ops *ops;
    struct text out, data;      /* data: of the charts */
    size_t column, ncharts;
    const struct pen_column *columns;
    size_t ncolumns;
};
struct report_pen_ops {
    void (*begin)(struct report_pen *pen, const char *title, const char *place, const char *days);
    void (*heading)(struct report_pen *pen, int level, const char *text);
    void (*paragraph)(struct report_pen *pen, enum pen_tone tone, const char *text);
    void (*list)(struct report_pen *pen, enum pen_tone tone, const char *const *lines, size_t n);
    void (*table)(struct report_pen *pen, const struct pen_column *columns, size_t n);
    void (*cell)(struct report_pen *pen, enum pen_tone tone, const char *text);
    void (*spark)(struct report_pen *pen, const struct report_series *series, const char *unit);
    void (*table_end)(struct report_pen *pen);
    void (*charts)(struct report_pen *pen, bool begin);         /* around some of them */
    void (*chart)(struct report_pen *pen, const struct pen_chart *chart);
    void (*halves)(struct report_pen *pen, int which); /* 0, 1: the first, the second of two beside each other; 2: their end */
};

void report_page(struct report_pen *pen, const struct report *report, const struct report_findings *found);
extern const struct report_pen_ops report_md_ops, report_html_ops;
/* What comes behind the page: the charts' data and the library that draws them. */
void report_html_end(struct report_pen *pen, const char *library, size_t len);
void report_html_style(struct text *out);
void report_html_script(struct text *out);

/* A PDF of an HTML page, by a browser that is installed. The caller frees *pdf. */
enum kp_code report_pdf(const char *html, size_t len, char **pdf, size_t *pdf_len, struct kp_err *err) KP_CHECK;

#endif
