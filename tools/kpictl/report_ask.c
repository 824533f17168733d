/* What a report asks the daemon for. Whoever may read a place may ask all of it. */
#include "report.h"

#include "client.h"

#include "config_read.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MS = 60000, PAGES_MAX = 50, ZONE_BYTES_MAX = 1 << 20, ALERTS_BEFORE_DAYS = 7 * REPORT_BEFORE };

struct asking {
    struct client *client;      /* borrowed */
    struct report *report;      /* borrowed */
    struct kp_err *err;
    enum kp_code code;
    const char *level, *path;   /* of whom; path NULL: the company */
    const msgpack_object *kpis; /* of a snapshot */
    bool parent;
};

/* ---- Requests ---- */

struct question {
    const char *op, *level, *under, *key, *kpi, *window;
    const char *kpis, *windows;     /* lists of one */
    int64_t from_ms, to_ms;         /* to_ms 0: neither */
    bool alerts;
};

static void pack_instant(msgpack_packer *packer, const char *key, int64_t ms)
{
    pack_text(packer, key);
    msgpack_pack_int64(packer, ms < 0 ? 0 : ms);
}

static void pack_question(msgpack_packer *packer, const struct question *q)
{
    const struct {
        const char *key, *value;
        bool list;
    } texts[] = {{"op", q->op, false},   {"level", q->level, false},   {"under", q->under, false}, {"key", q->key, false},
                 {"kpi", q->kpi, false}, {"window", q->window, false}, {"kpis", q->kpis, true},    {"windows", q->windows, true}};
    size_t n = 2u * (q->to_ms > 0) + q->alerts;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        n += texts[i].value != NULL;
    msgpack_pack_map(packer, n);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!texts[i].value)
            continue;
        pack_text(packer, texts[i].key);
        if (texts[i].list)
            msgpack_pack_array(packer, 1);      /* a name may have a comma in it */
        pack_text(packer, texts[i].value);
    }
    if (q->to_ms > 0) {
        pack_instant(packer, "from", q->from_ms);
        pack_instant(packer, "to", q->to_ms);
    }
    if (q->alerts) {
        pack_text(packer, "alerts");
        msgpack_pack_true(packer);
    }
}

/* The caller destroys reply, whatever came. */
static enum kp_code ask(struct client *client, const struct question *q, msgpack_unpacked *reply, struct kp_err *err)
{
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    enum kp_code code;

    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    pack_question(&packer, q);
    code = client_ask(client, &buffer, ANSWER_MS, reply, err);
    msgpack_sbuffer_destroy(&buffer);
    return code;
}

/* ---- The configuration, its zone ---- */

static enum kp_code load_zone(struct report *report, struct kp_err *err)
{
    const char *dir = getenv("TZDIR"), *name = report->zone_name;
    struct kp_err why = {0};
    char path[512], *bytes = NULL;
    size_t len = 0;

    if (strcmp(name, "UTC") != 0) {
        snprintf(path, sizeof path, "%s/%s", dir && *dir ? dir : "/usr/share/zoneinfo", name);
        if (*name && *name != '/' && !strstr(name, ".."))
            bytes = kp_read_file(path, ZONE_BYTES_MAX, &len, &why);
        if (!bytes)
            return kp_fail(err, KP_EIO, "the daemon's zone \"%s\" is not known here: is tzdata installed?", name);
    }
    report->zone = kp_zone_new(bytes, len, err);
    free(bytes);
    return report->zone ? KP_OK : err->code;
}

static enum kp_code ask_config(struct client *client, struct report *report, struct kp_err *err)
{
    msgpack_unpacked reply;
    enum kp_code code = client_ask_op(client, "config", &reply, err);

    if (!code) {
        object_plain(object_get(&reply.data, "zone"), report->zone_name, sizeof report->zone_name);
        code = load_zone(report, err);
    }
    code = code ? code : report_take_config(report, &reply.data, err);
    msgpack_unpacked_destroy(&reply);
    return code;
}

static enum kp_code ask_contests(struct client *client, struct report *report, struct kp_err *err)
{
    msgpack_unpacked reply;
    enum kp_code code = client_ask_op(client, "contests", &reply, err);

    code = code ? code : report_take_contests(report, &reply.data, err);
    msgpack_unpacked_destroy(&reply);
    return code;
}

/* ---- The place ---- */

static size_t parts_of(const char *path)
{
    size_t n = *path != '\0';

    for (; *path; path++)
        n += *path == '/';
    return n;
}

/* Without slashes at its ends; its parent is what stands before the last one. */
static enum kp_code take_path(struct report *report, const char *given, struct kp_err *err)
{
    size_t len;
    char *slash;

    given += strspn(given, "/");
    len = strlen(given);
    while (len && given[len - 1] == '/')
        len--;
    if (len >= sizeof report->path)
        return kp_fail(err, KP_EINVAL, "--team: too long");
    snprintf(report->path, sizeof report->path, "%.*s", (int)len, given);
    snprintf(report->parent, sizeof report->parent, "%s", report->path);
    slash = strrchr(report->parent, '/');
    *(slash ? slash : report->parent) = '\0';
    report->depth = parts_of(report->path);
    if (report->depth >= report->nlevels)
        return kp_fail(err, KP_EINVAL, "--team %.100s: the roster has only %zu levels below the company", given,
                       report->nlevels - 1);
    return KP_OK;
}

static bool take_running(void *ctx, const char *kpi, struct report_series *series)
{
    const struct asking *asking = ctx;

    report_take_cell(object_get(asking->kpis, kpi), series);
    return true;
}

/* The snapshot of the place: its name, its time, and its numbers, should the week still run. */
static enum kp_code take_place(struct asking *asking, const msgpack_object *reply)
{
    struct report *report = asking->report;
    const msgpack_object *snapshots = object_get(reply, "snapshots"), *place;
    double now = 0;

    if (object_count(snapshots) != 1 || !object_is(object_get(&snapshots->via.array.ptr[0], "kind"), "snapshot"))
        return report->depth ? kp_fail(asking->err, KP_EINVAL, "there is no %s \"%.150s\" that you may see",
                                       report->levels[report->depth], report->path)
                             : kp_fail(asking->err, KP_EINVAL, "the company is nothing that you may see: --team says which place");
    place = &snapshots->via.array.ptr[0];
    object_plain(object_get(place, "key"), report->key, sizeof report->key);
    object_plain(object_get(place, "name"), report->name, sizeof report->name);
    object_number(object_get(reply, "time"), &now);
    report->now_ms = (int64_t)now;
    if (report->now_ms <= 0)
        return kp_fail(asking->err, KP_EINVAL, "the daemon has no time yet: no event has come (clock: event)");
    asking->kpis = object_get(place, "kpis");
    return KP_OK;
}

static enum kp_code choose_week(struct report *report, const struct report_wish *wish, struct kp_err *err)
{
    struct report_week now;
    char wanted[16], running[16];

    report_week_at(report->zone, report->week_starts, report->now_ms, 0, &now);
    if (wish->has_week)
        report_week_of(report->week_starts, wish->year, wish->number, &report->week);
    else
        report_week_at(report->zone, report->week_starts, report->now_ms, 1, &report->week);
    if (report->week.first_day > now.first_day)
        return kp_fail(err, KP_EINVAL, "week %s has not begun: it is %s (%s)", report_week_text(&report->week, wanted),
                       report_week_text(&now, running), report->zone_name);
    report_week_starts(report);
    return KP_OK;
}

static enum kp_code ask_place(struct asking *asking, const struct report_wish *wish)
{
    struct report *report = asking->report;
    const struct question q = {.op = "get", .level = report->levels[report->depth], .under = asking->path, .windows = "week"};
    msgpack_unpacked reply;
    enum kp_code code = ask(asking->client, &q, &reply, asking->err);

    code = code ? code : take_place(asking, &reply.data);
    code = code ? code : choose_week(report, wish, asking->err);
    if (!code && report->running)
        report_each(report, take_running, asking);
    msgpack_unpacked_destroy(&reply);
    asking->kpis = NULL;
    return code;
}

/* ---- What weeks came to ---- */

static bool history_page(struct asking *asking, const struct question *q, struct report_series *series, double *last_ms)
{
    msgpack_unpacked reply;
    bool more = false;

    asking->code = ask(asking->client, q, &reply, asking->err);
    if (!asking->code)
        more = report_take_history(asking->report, &reply.data, series, last_ms);
    msgpack_unpacked_destroy(&reply);
    return more;
}

static void ask_history(struct asking *asking, const char *kpi, struct report_series *series)
{
    const struct report *report = asking->report;
    struct question q = {.op = "history", .level = asking->level, .under = asking->path, .kpi = kpi, .window = "week",
                         .from_ms = report->starts[0] - KP_DAY_MS, .to_ms = report->starts[REPORT_BEFORE] + KP_DAY_MS};
    double last_ms = -1;

    for (int page = 0; page < PAGES_MAX && history_page(asking, &q, series, &last_ms); page++)
        q.from_ms = (int64_t)last_ms;
}

static bool each_history(void *ctx, const char *kpi, struct report_series *series)
{
    struct asking *asking = ctx;

    if (client_stopped())
        asking->code = kp_fail(asking->err, KP_EIO, "stopped");
    else
        ask_history(asking, kpi, series);
    return asking->code == KP_OK;
}

static enum kp_code ask_all_history(struct asking *asking)
{
    struct report *report = asking->report;

    report_each(report, each_history, asking);
    if (asking->code == KP_EINVAL && strncmp(asking->err->text, "there is no storage", 19) == 0) {
        report->has_history = false;
        asking->code = KP_OK;
        report_note(report, "The daemon has no storage, so nothing is known of weeks that have ended, nor of their alerts.");
    }
    return asking->code;
}

/* ---- The level above: what it has converted ---- */


static void ask_conversion(struct asking *asking, const struct report_funnel *funnel, struct report_step *step)
{
    struct report_series series = step->parts[REPORT_MEDIAN_TIME];      /* its numbers are not looked at */
    char kpi[REPORT_NAME];

    series.weeks[REPORT_BEFORE] = step->parent;
    snprintf(kpi, sizeof kpi, "%s.%s.converted", funnel->name, step->stage);
    if (asking->kpis)
        report_take_cell(object_get(asking->kpis, kpi), &series);
    else
        ask_history(asking, kpi, &series);
    step->parent = series.weeks[REPORT_BEFORE];
}

static enum kp_code ask_conversions(struct asking *asking)
{
    struct report *report = asking->report;

    for (size_t f = 0; f < report->nfunnels; f++)
        for (size_t s = 0; s + 1 < report->funnels[f].nsteps && !asking->code; s++)
            ask_conversion(asking, &report->funnels[f], &report->funnels[f].steps[s]);
    return asking->code;
}

/* A manager of one team may not ask for what stands above: then there is nothing to hold against. */
static enum kp_code ask_parent(struct asking *asking)
{
    struct report *report = asking->report;
    struct asking above = {.client = asking->client,
                           .report = report,
                           .err = asking->err,
                           .level = report->levels[report->depth - 1],
                           .path = report->parent[0] ? report->parent : NULL};
    const struct question q = {.op = "get", .level = above.level, .under = above.path, .windows = "week"};
    const msgpack_object *snapshots, *whole = NULL;
    msgpack_unpacked reply;
    enum kp_code code = ask(asking->client, &q, &reply, asking->err);

    snapshots = code ? NULL : object_get(&reply.data, "snapshots");
    if (snapshots && object_count(snapshots) == 1 && object_is(object_get(&snapshots->via.array.ptr[0], "kind"), "snapshot"))
        whole = object_get(&snapshots->via.array.ptr[0], "kpis");
    report->has_parent = whole != NULL && (report->running || report->has_history);
    above.kpis = report->running ? whole : NULL;
    if (report->has_parent)
        code = ask_conversions(&above);
    msgpack_unpacked_destroy(&reply);
    return code;
}

/* ---- Who stands below ---- */

static void take_member(struct report *report, const msgpack_object *snapshot, struct report_member *member)
{
    const msgpack_object *kpis = object_get(snapshot, "kpis");
    size_t main = 0, len;

    object_plain(object_get(snapshot, "key"), member->key, sizeof member->key);
    object_plain(object_get(snapshot, "name"), member->name, sizeof member->name);
    if (!object_topic(object_get(snapshot, "path"), member->path, sizeof member->path, &len))
        member->path[0] = '\0';
    for (size_t k = 0; k < report->nkpis && main < REPORT_MAIN_MAX; k++) {
        if (!report->kpis[k].is_main)
            continue;
        for (int w = 0; w < REPORT_WEEKS; w++)
            member->main[main].weeks[w] = (struct report_cell){(double)NAN, (double)NAN, (double)NAN, (double)NAN};
        if (report->running)
            report_take_cell(object_get(kpis, report->kpis[k].name), &member->main[main]);
        main++;
    }
}

static enum kp_code take_members(struct report *report, const msgpack_object *snapshots, struct kp_err *err)
{
    for (size_t i = 0; i < object_count(snapshots); i++) {
        const msgpack_object *snapshot = &snapshots->via.array.ptr[i];
        struct report_member *member;

        if (!object_is(object_get(snapshot, "kind"), "snapshot"))
            continue;       /* of somebody whom they may not know */
        if (report->nmembers == REPORT_MEMBERS_MAX) {
            report->members_left_out++;
            continue;
        }
        member = report_more(&report->members, &report->nmembers, sizeof *report->members);
        if (!member)
            return kp_fail(err, KP_ENOMEM, "out of memory");
        take_member(report, snapshot, member);
    }
    return KP_OK;
}

static void ask_member(struct asking *asking, struct report_member *member)
{
    struct report *report = asking->report;
    size_t main = 0;

    asking->path = member->path;
    for (size_t k = 0; k < report->nkpis && main < REPORT_MAIN_MAX; k++)
        if (report->kpis[k].is_main && !asking->code)
            each_history(asking, report->kpis[k].name, &member->main[main++]);
    report_fill_member(report, member);
}

static enum kp_code ask_members(struct asking *asking)
{
    struct report *report = asking->report;
    struct asking below = {.client = asking->client, .report = report, .err = asking->err};
    const struct question q = {.op = "get", .level = report->levels[report->depth + 1], .under = asking->path, .windows = "week"};
    msgpack_unpacked reply;
    enum kp_code code = ask(asking->client, &q, &reply, asking->err);

    code = code ? code : take_members(report, object_get(&reply.data, "snapshots"), asking->err);
    msgpack_unpacked_destroy(&reply);
    below.level = q.level;
    for (size_t i = 0; i < report->nmembers && report->has_history && !code; i++) {
        ask_member(&below, &report->members[i]);
        code = below.code;
    }
    return code;
}

/* ---- Alerts ---- */

static enum kp_code take_keys(struct report *report, const msgpack_object *snapshots, struct kp_err *err)
{
    for (size_t i = 0; i < object_count(snapshots); i++) {
        const msgpack_object *snapshot = &snapshots->via.array.ptr[i];
        struct report_key *key = report_more(&report->below, &report->nbelow, sizeof *report->below);

        if (!key)
            return kp_fail(err, KP_ENOMEM, "out of memory");
        object_plain(object_get(snapshot, "level"), key->level, sizeof key->level);
        object_plain(object_get(snapshot, "key"), key->key, sizeof key->key);
        object_plain(object_get(snapshot, "name"), key->name, sizeof key->name);
    }
    return KP_OK;
}

/* An alert names its level and key and not its place, so who stands in the place has to be known. */
static enum kp_code ask_keys(struct asking *asking)
{
    struct report *report = asking->report;
    char kpi[REPORT_NAME * 2];
    enum kp_code code = KP_OK;

    if (report->nkpis)
        snprintf(kpi, sizeof kpi, "%s", report->kpis[0].name);
    else
        snprintf(kpi, sizeof kpi, "%s.%s.entered", report->funnels[0].name, report->funnels[0].steps[0].stage);
    for (size_t level = report->depth; level < report->nlevels && !code; level++) {
        const struct question q = {
            .op = "get", .level = report->levels[level], .under = asking->path, .kpis = kpi, .windows = "week"};
        msgpack_unpacked reply;

        code = ask(asking->client, &q, &reply, asking->err);
        code = code ? code : take_keys(report, object_get(&reply.data, "snapshots"), asking->err);
        msgpack_unpacked_destroy(&reply);
    }
    return code;
}

/* Also of those that had begun before and went on. */
static enum kp_code ask_alerts(struct asking *asking)
{
    struct report *report = asking->report;
    struct question q = {.op = "history", .alerts = true, .from_ms = report->starts[REPORT_BEFORE] - ALERTS_BEFORE_DAYS * KP_DAY_MS,
                         .to_ms = report->starts[REPORT_WEEKS]};
    double last_ms = -1;
    enum kp_code code = KP_OK;
    bool more = true;

    for (int page = 0; page < PAGES_MAX && more && !code; page++) {
        msgpack_unpacked reply;

        code = ask(asking->client, &q, &reply, asking->err);
        code = code ? code : report_take_alerts(report, &reply.data, &last_ms, &more, asking->err);
        msgpack_unpacked_destroy(&reply);
        q.from_ms = (int64_t)last_ms;
    }
    report->alerts_cut = more && !code;
    report_settle_alerts(report);
    return code;
}

/* ---- What KPIs mean ---- */

static void take_means(const msgpack_object *reply, char *buf, size_t size, bool *is_formula)
{
    const msgpack_object *why = object_get(reply, "explanation"), *formula = object_get(why, "formula");

    *is_formula = formula != NULL;
    object_plain(formula ? formula : object_get(why, "means"), buf, size);
}

static enum kp_code ask_means(struct asking *asking, const char *kpi, char *buf, size_t size, bool *is_formula)
{
    struct report *report = asking->report;
    const struct question q = {.op = "explain", .level = report->levels[report->depth], .key = report->depth ? report->key : NULL,
                               .kpi = kpi, .window = "week"};
    double from = (double)NAN;
    msgpack_unpacked reply;
    enum kp_code code = ask(asking->client, &q, &reply, asking->err);

    if (!code) {
        take_means(&reply.data, buf, size, is_formula);
        if (object_number(object_get(object_get(&reply.data, "explanation"), "from"), &from))
            report->own_from_ms = from;
    }
    msgpack_unpacked_destroy(&reply);
    return code;
}

static enum kp_code ask_funnel_means(struct asking *asking, struct report_funnel *funnel)
{
    static const char *const parts[REPORT_PARTS] = {"entered", "converted", "median_time", "open"};
    enum kp_code code = KP_OK;

    for (int p = 0; p < REPORT_PARTS && !code; p++) {
        char kpi[REPORT_NAME];
        bool is_formula;

        snprintf(kpi, sizeof kpi, "%s.%s.%s", funnel->name, funnel->steps[0].stage, parts[p]);
        if (funnel->nsteps > 1 || p == REPORT_ENTERED || p == REPORT_OPEN)
            code = ask_means(asking, kpi, funnel->means[p], sizeof funnel->means[p], &is_formula);
    }
    return code;
}

static enum kp_code ask_definitions(struct asking *asking)
{
    struct report *report = asking->report;
    enum kp_code code = KP_OK;

    for (size_t k = 0; k < report->nkpis && !code; k++) {
        struct report_kpi *kpi = &report->kpis[k];

        code = ask_means(asking, kpi->name, kpi->means, sizeof kpi->means, &kpi->is_formula);
        if (kpi->is_formula)    /* a quotient of an unfinished week is as good as one of a whole week; a sum is not */
            kpi->adds = !strchr(kpi->means, '/');
    }
    for (size_t f = 0; f < report->nfunnels && !code; f++)
        code = ask_funnel_means(asking, &report->funnels[f]);
    return code;
}

enum kp_code report_ask(struct client *client, const struct report_wish *wish, struct report *report, struct kp_err *err)
{
    struct asking asking = {.client = client, .report = report, .err = err};
    enum kp_code code = ask_config(client, report, err);

    code = code ? code : ask_contests(client, report, err);
    code = code ? code : take_path(report, wish->place ? wish->place : "", err);
    asking.level = report->levels[report->depth];
    asking.path = report->depth ? report->path : NULL;
    code = code ? code : ask_place(&asking, wish);
    code = code ? code : ask_definitions(&asking);
    code = code ? code : ask_all_history(&asking);
    if (!code) {
        report_fill(report);
        report_choose_main(report);
    }
    if (!code && report->depth + 1 < report->nlevels)
        code = ask_members(&asking);
    if (!code && report->depth)
        code = ask_parent(&asking);
    code = code ? code : ask_keys(&asking);
    if (!code && report->has_history)
        code = ask_alerts(&asking);
    return code;
}
