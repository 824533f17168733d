/* What the daemon tells, as a report's plain data. */
#include "report.h"

#include "object.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void report_init(struct report *report)
{
    *report = (struct report){.own_from_ms = (double)NAN, .has_history = true};
}

static void release_promises(struct report_promises *promises)
{
    free(promises->list);
    *promises = (struct report_promises){0};
}

void report_release(struct report *report)
{
    for (size_t i = 0; i < report->nfunnels; i++)
        free(report->funnels[i].steps);
    for (size_t i = 0; i < report->ncontests; i++)
        free(report->contests[i].standing);
    free(report->kpis);
    free(report->funnels);
    free(report->members);
    free(report->alerts);
    free(report->contests);
    free(report->below);
    free(report->stalled);
    release_promises(&report->last);
    release_promises(&report->next);
    kp_zone_destroy(&report->zone);
    kp_tab_destroy(&report->index);
    report_init(report);
}

void report_note(struct report *report, const char *fmt, ...)
{
    va_list args;

    if (report->nnotes == REPORT_NOTES_MAX)
        return;
    va_start(args, fmt);
    vsnprintf(report->notes[report->nnotes++], REPORT_LINE, fmt, args);
    va_end(args);
}

/* list: the address of the pointer to it. Room is doubled, so it is full where n is a power of two. */
void *report_more(void *list, size_t *n, size_t size)
{
    void *old, *item;

    memcpy(&old, list, sizeof old);
    if ((*n & (*n - 1)) == 0) {
        void *grown = realloc(old, (*n ? *n * 2 : 1) * size);

        if (!grown)
            return NULL;
        memcpy(list, &grown, sizeof grown);
        old = grown;
    }
    item = (char *)old + *n * size;
    memset(item, 0, size);
    (*n)++;
    return item;
}

static enum kp_code no_memory(struct kp_err *err)
{
    return kp_fail(err, KP_ENOMEM, "out of memory");
}

/* Foreign bytes, harmless on one line whatever they are. */
static void take(const msgpack_object *map, const char *key, char *buf, size_t size)
{
    const msgpack_object *text = object_get(map, key);

    buf[0] = '\0';
    if (text && text->type == MSGPACK_OBJECT_STR)
        text_clean(text->via.str.ptr, text->via.str.size, buf, size);
}

static double number(const msgpack_object *map, const char *key)
{
    double v;

    return object_number(object_get(map, key), &v) ? v : (double)NAN;
}

static void no_data(struct report_series *series)
{
    const struct report_cell none = {(double)NAN, (double)NAN, (double)NAN, (double)NAN};

    for (int i = 0; i < REPORT_WEEKS; i++)
        series->weeks[i] = none;
}

/* ---- config ---- */

static int weekday(const msgpack_object *config)
{
    static const char *const days[] = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"};

    for (int i = 0; i < 7; i++)
        if (object_is(object_get(config, "week_starts"), days[i]))
            return i;
    return 0;
}

static bool has_week(const msgpack_object *kpi)
{
    const msgpack_object *windows = object_get(kpi, "windows");

    for (size_t i = 0; i < object_count(windows); i++)
        if (object_is(&windows->via.array.ptr[i], "week"))
            return object_count(object_get(kpi, "by")) == 0;
    return false;
}

static void join(const msgpack_object *list, char *buf, size_t size)
{
    size_t len = 0;
    char one[32];

    buf[0] = '\0';
    for (size_t i = 0; i < object_count(list) && len < size; i++)
        len +=
            (size_t)snprintf(buf + len, size - len, "%s%s", i ? ", " : "", object_plain(&list->via.array.ptr[i], one, sizeof one));
}

static bool take_kpi(struct report *report, const msgpack_object *from)
{
    struct report_kpi *kpi = report_more(&report->kpis, &report->nkpis, sizeof *report->kpis);
    char better[8], aggregate[16];

    if (!kpi)
        return false;
    take(from, "name", kpi->name, sizeof kpi->name);
    take(from, "title", kpi->title, sizeof kpi->title);
    take(from, "unit", kpi->unit, sizeof kpi->unit);
    take(from, "better", better, sizeof better);
    take(from, "aggregate", aggregate, sizeof aggregate);
    join(object_get(from, "windows"), kpi->windows, sizeof kpi->windows);
    kpi->better = strcmp(better, "higher") == 0 ? 1 : strcmp(better, "lower") == 0 ? -1 : 0;
    kpi->counts = strcmp(aggregate, "count") == 0 || strcmp(aggregate, "sum") == 0 || strcmp(aggregate, "distinct") == 0;
    kpi->adds = kpi->counts || strcmp(aggregate, "max") == 0;      /* of a formula its text will tell */
    no_data(&kpi->own);
    return true;
}

/* "Sales: reached asked" without what the stage and the part have added. */
static void title_of(const msgpack_object *from, const char *stage, struct report_funnel *funnel)
{
    static const char word[] = ": reached ";
    size_t len, behind = strlen(word) + strlen(stage);

    take(from, "title", funnel->title, sizeof funnel->title);
    len = strlen(funnel->title);
    if (len > behind && strncmp(funnel->title + len - behind, word, strlen(word)) == 0)
        funnel->title[len - behind] = '\0';
}

static struct report_step *find_step(struct report *report, const msgpack_object *from, const char *name, const char *stage)
{
    struct report_funnel *funnel = report->nfunnels ? &report->funnels[report->nfunnels - 1] : NULL;
    struct report_step *step;

    if (!funnel || strcmp(funnel->name, name) != 0) {
        funnel = report_more(&report->funnels, &report->nfunnels, sizeof *report->funnels);
        if (!funnel)
            return NULL;
        snprintf(funnel->name, sizeof funnel->name, "%.*s", (int)sizeof funnel->name - 1, name);
        title_of(from, stage, funnel);
    }
    step = funnel->nsteps ? &funnel->steps[funnel->nsteps - 1] : NULL;
    if (step && strcmp(step->stage, stage) == 0)
        return step;
    step = report_more(&funnel->steps, &funnel->nsteps, sizeof *funnel->steps);
    if (!step)
        return NULL;
    snprintf(step->stage, sizeof step->stage, "%.*s", (int)sizeof step->stage - 1, stage);
    for (int p = 0; p < REPORT_PARTS; p++)
        no_data(&step->parts[p]);
    step->parent = step->parts[0].weeks[0];
    return step;
}

/* A KPI, or one of a funnel's, "NAME.STAGE.entered": stages stand in their order. */
static bool take_one(struct report *report, const msgpack_object *from)
{
    char name[REPORT_NAME], *stage, *part;

    if (!has_week(from))
        return true;
    take(from, "name", name, sizeof name);
    stage = strchr(name, '.');
    part = strrchr(name, '.');
    if (!stage)
        return take_kpi(report, from);
    if (stage == part)
        return true;
    *stage++ = *part = '\0';
    return find_step(report, from, name, stage) != NULL;
}

static bool take_rank(struct report_contest *contest, const msgpack_object *from)
{
    struct report_rank *rank = report_more(&contest->standing, &contest->nstanding, sizeof *contest->standing);
    const msgpack_object *path = object_get(from, "path");

    if (!rank)
        return false;
    rank->rank = number(from, "rank");
    rank->value = number(from, "value");
    rank->tie = number(from, "tie");
    take(from, "name", rank->name, sizeof rank->name);
    if (path && path->type == MSGPACK_OBJECT_ARRAY)
        object_path(path, rank->path, sizeof rank->path);
    else
        take(from, "path", rank->path, sizeof rank->path);
    return true;
}

/* The day of an instant; "": none. */
static void take_day(const struct report *report, double ms, char buf[40])
{
    char day[32];

    buf[0] = '\0';
    if (ms >= 0 && ms < 253402300799999.0)
        snprintf(buf, 40, "%s", report_day_text(kp_zone_day(report->zone, (int64_t)ms), day));
}

/* Of those whom whoever asks may not see there is a rank without a name. */
static bool is_named(const msgpack_object *place)
{
    const msgpack_object *name = object_get(place, "name");

    return name && name->type == MSGPACK_OBJECT_STR;
}

static bool take_contest(struct report *report, const msgpack_object *from)
{
    struct report_contest *contest = report_more(&report->contests, &report->ncontests, sizeof *report->contests);
    const msgpack_object *standing = object_get(from, "standing");

    if (!contest)
        return false;
    take(from, "title", contest->title, sizeof contest->title);
    if (!contest->title[0])
        take(from, "name", contest->title, sizeof contest->title);
    take(from, "unit", contest->unit, sizeof contest->unit);
    take(from, "state", contest->state, sizeof contest->state);
    contest->is_final = object_true(object_get(from, "final"));
    contest->nplaces = object_count(standing);
    take_day(report, number(from, "from"), contest->from);
    take_day(report, number(from, "to") - 1, contest->to);      /* which is the instant after its end */
    for (size_t i = 0; i < object_count(standing); i++)
        if (is_named(&standing->via.array.ptr[i]) && !take_rank(contest, &standing->via.array.ptr[i]))
            return false;
    return true;
}

static bool take_rule(struct report *report, const msgpack_object *from)
{
    char (*rule)[96];

    if (!object_is(object_get(from, "compare"), "stalled"))
        return true;
    rule = report_more(&report->stalled, &report->nstalled, sizeof *report->stalled);
    if (rule)
        take(from, "name", *rule, sizeof *rule);
    return rule != NULL;
}

static bool take_each(struct report *report, const msgpack_object *list,
                      bool (*one)(struct report *report, const msgpack_object *from))
{
    for (size_t i = 0; i < object_count(list); i++)
        if (!one(report, &list->via.array.ptr[i]))
            return false;
    return true;
}

enum kp_code report_take_config(struct report *report, const msgpack_object *config, struct kp_err *err)
{
    const msgpack_object *levels = object_get(config, "levels");

    take(config, "zone", report->zone_name, sizeof report->zone_name);
    report->week_starts = weekday(config);
    for (size_t i = 0; i < object_count(levels) && report->nlevels < REPORT_LEVELS_MAX; i++) {
        object_plain(&levels->via.array.ptr[i], report->levels[report->nlevels], sizeof report->levels[0]);
        report->nlevels += report->levels[report->nlevels][0] != '@';     /* groups stand beside the roster */
    }
    if (!take_each(report, object_get(config, "kpis"), take_one) || !take_each(report, object_get(config, "alerts"), take_rule))
        return no_memory(err);
    if (!report->nkpis && !report->nfunnels)
        return kp_fail(err, KP_EINVAL, "no KPI has the window \"week\": the configuration has to name it");
    return KP_OK;
}

enum kp_code report_take_contests(struct report *report, const msgpack_object *reply, struct kp_err *err)
{
    return take_each(report, object_get(reply, "contests"), take_contest) ? KP_OK : no_memory(err);
}

/* ---- Numbers ---- */

static void take_values(const msgpack_object *from, struct report_cell *cell)
{
    *cell = (struct report_cell){number(from, "value"), number(from, "n"), number(from, "target"), number(from, "expected")};
}

void report_take_cell(const msgpack_object *windows, struct report_series *series)
{
    static const char *const statuses[] = {"", "ok", "warning", "critical", "no_data"};
    const msgpack_object *cell = object_get(windows, "week");

    if (!cell)
        return;
    take_values(cell, &series->weeks[REPORT_BEFORE]);
    for (int i = 1; i < 5; i++)
        if (object_is(object_get(cell, "status"), statuses[i]))
            series->status = (enum report_status)i;
}

bool report_take_history(const struct report *report, const msgpack_object *reply, struct report_series *series, double *last_ms)
{
    const msgpack_object *values = object_get(reply, "values");
    double before = *last_ms;

    for (size_t i = 0; i < object_count(values); i++) {
        const msgpack_object *row = &values->via.array.ptr[i];
        int week = -1;

        *last_ms = number(row, "at");
        if (object_true(object_get(row, "closed")))
            week = report_week_index(report, *last_ms);
        if (week >= 0 && !(report->running && week == REPORT_BEFORE))
            take_values(row, &series->weeks[week]);
    }
    return object_true(object_get(reply, "more")) && *last_ms > before;
}

bool report_each(struct report *report, bool (*each)(void *ctx, const char *kpi, struct report_series *series), void *ctx)
{
    static const char *const parts[REPORT_PARTS] = {"entered", "converted", "median_time", "open"};
    char name[REPORT_NAME * 2];

    for (size_t i = 0; i < report->nkpis; i++)
        if (!each(ctx, report->kpis[i].name, &report->kpis[i].own))
            return false;
    for (size_t f = 0; f < report->nfunnels; f++) {
        struct report_funnel *funnel = &report->funnels[f];

        for (size_t s = 0; s < funnel->nsteps; s++) {
            for (int p = 0; p < REPORT_PARTS; p++) {
                bool success = s + 1 == funnel->nsteps;     /* from there nobody goes on */

                snprintf(name, sizeof name, "%s.%s.%s", funnel->name, funnel->steps[s].stage, parts[p]);
                if ((!success || p == REPORT_ENTERED || p == REPORT_OPEN) && !each(ctx, name, &funnel->steps[s].parts[p]))
                    return false;
            }
        }
    }
    return true;
}

/* ---- Alerts ---- */

static const struct report_key *owner(const struct report *report, const char *level, const char *key)
{
    for (size_t i = 0; i < report->nbelow; i++)
        if (strcmp(report->below[i].key, key) == 0 && strcmp(report->below[i].level, level) == 0)
            return &report->below[i];
    return NULL;
}

static struct kp_print print_of(const char *id)
{
    return kp_print_of(0, 0, id, strlen(id));       /* ids are the daemon's own: nobody chooses them */
}

static struct report_alert *find_alert(struct report *report, const char *id)
{
    const uint32_t *i = report->index ? kp_tab_find(report->index, print_of(id)) : NULL;

    return i ? &report->alerts[*i] : NULL;
}

static struct report_alert *begin_alert(struct report *report, const msgpack_object *from)
{
    char level[96], key[REPORT_NAME];
    const struct report_key *whose;
    struct report_alert *alert;

    take(from, "level", level, sizeof level);
    take(from, "key", key, sizeof key);
    whose = owner(report, level, key);
    if (!report->index)
        report->index = kp_tab_new(NULL);
    alert = report->index ? report_more(&report->alerts, &report->nalerts, sizeof *report->alerts) : NULL;
    if (!alert)
        return NULL;
    take(from, "id", alert->id, sizeof alert->id);
    if (kp_tab_insert(report->index, print_of(alert->id), (uint32_t)report->nalerts - 1))
        return NULL;
    take(from, "rule", alert->rule, sizeof alert->rule);
    take(from, "kpi", alert->kpi, sizeof alert->kpi);
    snprintf(alert->level, sizeof alert->level, "%s", level);
    snprintf(alert->key, sizeof alert->key, "%s", key);
    snprintf(alert->name, sizeof alert->name, "%s", whose ? whose->name : *key ? key : level);
    alert->at_ms = number(from, "at");
    alert->over_ms = (double)NAN;
    for (size_t i = 0; i < report->nstalled; i++)
        alert->stalled |= strcmp(report->stalled[i], alert->rule) == 0;
    return alert;
}

static bool concerns(const struct report *report, const msgpack_object *from)
{
    char level[96], key[REPORT_NAME];

    take(from, "level", level, sizeof level);
    take(from, "key", key, sizeof key);
    return report->depth == 0 || owner(report, level, key);
}

static bool take_alert(struct report *report, const msgpack_object *from)
{
    struct report_alert *alert;
    char id[24];

    take(from, "id", id, sizeof id);
    alert = find_alert(report, id);
    if (object_is(object_get(from, "state"), "resolved") && alert)
        alert->over_ms = number(from, "at");
    if (!object_is(object_get(from, "state"), "firing") || !concerns(report, from))
        return true;
    alert = alert ? alert : begin_alert(report, from);
    if (!alert)
        return false;
    alert->critical |= object_is(object_get(from, "severity"), "critical");
    alert->over_ms = (double)NAN;
    take(from, "message", alert->message, sizeof alert->message);
    return true;
}

enum kp_code report_take_alerts(struct report *report, const msgpack_object *reply, double *last_ms, bool *more, struct kp_err *err)
{
    const msgpack_object *alerts = object_get(reply, "alerts");
    double before = *last_ms;

    for (size_t i = 0; i < object_count(alerts); i++) {
        *last_ms = number(&alerts->via.array.ptr[i], "at");
        if (!take_alert(report, &alerts->via.array.ptr[i]))
            return no_memory(err);
    }
    *more = object_true(object_get(reply, "more")) && *last_ms > before;
    return KP_OK;
}

void report_settle_alerts(struct report *report)
{
    size_t kept = 0;

    for (size_t i = 0; i < report->nalerts; i++)
        if (isnan(report->alerts[i].over_ms) || report->alerts[i].over_ms > (double)report->starts[REPORT_BEFORE])
            report->alerts[kept++] = report->alerts[i];
    report->nalerts = kept;     /* their room stays, and nothing is added any more */
    kp_tab_destroy(&report->index);
}
