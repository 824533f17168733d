#include "control.h"

#include "log.h"
#include "nearest.h"
#include "request.h"
#include "socket.h"

#include "kpid/encode.h"
#include "kpid/zone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    REQUESTS_TURN = 64,
    FRAMES_MAX = 16,
    JOBS_MAX = 16,          /* `get`s at a time */
    LOOK_TURN = 4096,       /* keys looked at */
    ENCODE_TURN = 64,       /* keys put into a reply */
};
#define REPLY_MAX ((size_t)256 << 20)

struct envelope {
    zmq_msg_t frames[FRAMES_MAX];
    size_t count;
};

/* A `get` on its way: first the keys are gathered, since a reply begins with their number, then encoded. */
struct job {
    bool running, gathered;
    struct envelope to;
    struct kp_request req;
    struct kp_out *out;     /* owned */
    int level;              /* -1: all */
    uint32_t next;          /* node, or index of nodes once gathered */
    uint32_t *nodes;        /* owned */
    size_t nnodes, room;
};

struct kp_control {
    struct kp_control_world world;
    void *socket;           /* owned; NULL: none */
    struct kp_out *outs[2]; /* owned: MessagePack, JSON */
    char endpoint[KP_ENDPOINT_MAX];
    int64_t started_ms;     /* steady */
    struct job jobs[JOBS_MAX];
    uint64_t requests, replies_dropped;
};

/* ---- Opening ---- */

struct kp_control *kp_control_open(void *zmq, const struct kp_control_world *world, int64_t steady_ms,
                                   struct kp_err *err)
{
    struct kp_control *control = calloc(1, sizeof *control);
    int64_t most = KP_REQUEST_BYTES * 2;
    bool ok = control != NULL;

    if (!ok) {
        kp_fail(err, KP_ENOMEM, "control: out of memory");
        return NULL;
    }
    control->world = *world;
    control->started_ms = steady_ms;
    control->outs[0] = kp_out_new(false, err);
    control->outs[1] = kp_out_new(true, err);
    ok = control->outs[0] && control->outs[1];
    if (ok && world->config->control_endpoint) {
        control->socket = zmq_socket(zmq, ZMQ_ROUTER);
        ok = control->socket && zmq_setsockopt(control->socket, ZMQ_MAXMSGSIZE, &most, sizeof most) == 0;
        if (!ok)
            kp_fail(err, KP_EIO, "control: %s", zmq_strerror(errno));
        ok = ok && kp_socket_set(control->socket, ZMQ_LINGER, KP_LINGER_MS, err) == KP_OK &&
             kp_socket_set(control->socket, ZMQ_ROUTER_MANDATORY, 1, err) == KP_OK &&
             kp_socket_open(control->socket, "control", world->config->control_endpoint, true, control->endpoint,
                            err) == KP_OK;
    }
    if (!ok)
        kp_control_close(&control);
    return control;
}

static void close_envelope(struct envelope *to)
{
    for (size_t i = 0; i < to->count; i++)
        zmq_msg_close(&to->frames[i]);
    to->count = 0;
}

static void end_job(struct job *job)
{
    close_envelope(&job->to);
    kp_request_release(&job->req);
    kp_out_destroy(&job->out);
    free(job->nodes);
    memset(job, 0, sizeof *job);
}

void kp_control_close(struct kp_control **control)
{
    if (!*control)
        return;
    for (int i = 0; i < JOBS_MAX; i++)
        if ((*control)->jobs[i].running)
            end_job(&(*control)->jobs[i]);
    if ((*control)->socket)
        zmq_close((*control)->socket);
    kp_out_destroy(&(*control)->outs[0]);
    kp_out_destroy(&(*control)->outs[1]);
    free(*control);
    *control = NULL;
}

void *kp_control_socket(const struct kp_control *control)
{
    return control->socket;
}

/* ---- Replies ---- */

static void send_reply(struct kp_control *control, struct envelope *to, struct kp_out *out)
{
    size_t len;
    const void *bytes = kp_out_bytes(out, &len);
    bool ok = bytes != NULL;

    for (size_t i = 0; ok && i < to->count; i++)
        ok = zmq_msg_send(&to->frames[i], control->socket, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0;
    if (!ok || zmq_send(control->socket, bytes, len, ZMQ_DONTWAIT) < 0)
        control->replies_dropped++;
}

static void put_error(struct kp_out *out, const char *text)
{
    kp_out_clear(out);
    kp_out_map(out, 2);
    kp_out_text(out, "ok");
    kp_out_bool(out, false);
    kp_out_text(out, "error");
    kp_out_text(out, text);
    kp_out_end(out);
}

static void begin_reply(struct kp_out *out, size_t entries)
{
    kp_out_clear(out);
    kp_out_map(out, entries + 1);
    kp_out_text(out, "ok");
    kp_out_bool(out, true);
}

static void put_uint(struct kp_out *out, const char *key, uint64_t v)
{
    kp_out_text(out, key);
    kp_out_uint(out, v);
}

static void put_text(struct kp_out *out, const char *key, const char *text)
{
    kp_out_text(out, key);
    kp_out_text(out, text);
}

static void put_now(struct kp_out *out, const struct kp_engine *engine)
{
    put_uint(out, "time", kp_engine_now(engine) < 0 ? 0 : (uint64_t)kp_engine_now(engine));
}

/* ---- status ---- */

static size_t count_sources(const struct kp_gaps *gaps)
{
    size_t n = 0;

    for (size_t i = 0; i < KP_GAP_SOURCES * 2; i++)
        n += gaps->sources[i].used && gaps->sources[i].missed;
    return n;
}

static size_t count_kpis(const struct kp_engine *engine, uint64_t (*of)(const struct kp_engine *, size_t))
{
    size_t n = 0;

    for (size_t k = 0; k < kp_engine_kpis(engine); k++)
        n += of(engine, k) > 0;
    return n;
}

static void put_by_kpi(struct kp_control *control, struct kp_out *out, const char *metric,
                       uint64_t (*of)(const struct kp_engine *, size_t))
{
    char name[256];

    for (size_t k = 0; k < kp_engine_kpis(control->world.engine); k++) {
        uint64_t v = of(control->world.engine, k);

        if (v == 0)
            continue;
        snprintf(name, sizeof name, "%s{kpi=\"%s\"}", metric, control->world.config->kpis[k].name);
        put_uint(out, name, v);
    }
}

static void put_gaps(struct kp_out *out, const struct kp_gaps *gaps)
{
    for (size_t i = 0; i < KP_GAP_SOURCES * 2; i++) {
        const struct kp_gap_source *source = &gaps->sources[i];
        char quoted[KP_GAP_NAME * 4 + 4], name[sizeof quoted + 64];

        if (!source->used || !source->missed)
            continue;
        snprintf(name, sizeof name, "kpid_source_gaps_total{source=%s}",
                 kp_log_quote(source->name, source->len, quoted, sizeof quoted));
        put_uint(out, name, source->missed);
    }
}

static void put_metrics(struct kp_control *control, struct kp_out *out)
{
    struct kp_engine_stats engine;
    struct kp_ingest_stats in;
    struct kp_publish_stats pub;
    const struct kp_gaps *gaps = kp_ingest_gaps(control->world.ingest);

    kp_engine_stats(control->world.engine, &engine);
    kp_ingest_stats(control->world.ingest, &in);
    kp_publish_stats(control->world.publish, &pub);
    const struct {
        const char *name;
        uint64_t v;
    } plain[] = {
        {"kpid_messages_total", in.messages},
        {"kpid_message_bytes_total", in.bytes},
        {"kpid_events_accepted_total", in.accepted},
        {"kpid_events_duplicate_total", in.duplicates},
        {"kpid_events_late_total", engine.late},
        {"kpid_dedup_ids", engine.dedup_ids},
        {"kpid_dedup_evicted_total", engine.dedup_evicted},
        {"kpid_replies_dropped_total", in.replies_dropped + control->replies_dropped},
        {"kpid_source_untracked_total", gaps->untracked},
        {"kpid_keys", engine.keys},
        {"kpid_panes", engine.rows},
        {"kpid_entities", engine.entities},
        {"kpid_entities_evicted_total", engine.entities_evicted},
        {"kpid_occurrences_forgotten_total", engine.occurrences_forgotten},
        {"kpid_currency_unknown_total", engine.currency_unknown},
        {"kpid_memory_out_total", engine.memory_out},
        {"kpid_alerts_pending", engine.pending},
        {"kpid_alerts_firing", engine.firing},
        {"kpid_alert_evaluations_total", engine.evaluations},
        {"kpid_alert_leaps_cut_total", engine.leaps_cut},
        {"kpid_publish_alerts_total", pub.alerts},
        {"kpid_publish_snapshots_total", pub.snapshots},
        {"kpid_publish_dropped_total", pub.dropped},
        {"kpid_publish_subscriptions", pub.subscriptions},
        {"kpid_publish_seq", pub.seq},
        {"kpid_control_requests_total", control->requests},
    };
    size_t n = sizeof plain / sizeof *plain;

    kp_out_map(out, n + (KP_REASONS - KP_MALFORMED) + count_sources(gaps) +
                        count_kpis(control->world.engine, kp_engine_missing) +
                        count_kpis(control->world.engine, kp_engine_out_of_range));
    for (size_t i = 0; i < n; i++)
        put_uint(out, plain[i].name, plain[i].v);
    for (int r = KP_MALFORMED; r < KP_REASONS; r++) {
        char name[96];

        snprintf(name, sizeof name, "kpid_events_rejected_total{reason=\"%s\"}", kp_reason_name((enum kp_reason)r));
        put_uint(out, name, in.rejected[r]);
    }
    put_gaps(out, gaps);
    put_by_kpi(control, out, "kpid_field_missing_total", kp_engine_missing);
    put_by_kpi(control, out, "kpid_field_out_of_range_total", kp_engine_out_of_range);
    kp_out_end(out);
}

static void put_memory(struct kp_control *control, struct kp_out *out)
{
    struct kp_engine_stats stats;

    kp_engine_stats(control->world.engine, &stats);
    kp_out_map(out, 5);
    put_uint(out, "store", stats.bytes_store);
    put_uint(out, "entities", stats.bytes_entities);
    put_uint(out, "dedup", stats.bytes_dedup);
    put_uint(out, "alerts", stats.bytes_alerts);
    put_uint(out, "recent", stats.bytes_recent);
    kp_out_end(out);
}

static void put_instant(struct kp_out *out, const char *key, int64_t ms)
{
    kp_out_text(out, key);
    if (ms == INT64_MIN)
        kp_out_nil(out);
    else
        kp_out_int(out, ms);
}

static void put_sources(struct kp_control *control, struct kp_out *out)
{
    kp_out_array(out, control->world.config->nsources);
    for (size_t i = 0; i < control->world.config->nsources; i++) {
        struct kp_source_view source;

        kp_engine_source(control->world.engine, i, &source);
        kp_out_map(out, 5);
        put_text(out, "source", source.cfg->name);
        put_uint(out, "heartbeat_ms", (uint64_t)source.cfg->heartbeat_ms);
        put_instant(out, "heard", source.heard_ms);
        put_instant(out, "covered_until", source.covered_ms);
        kp_out_text(out, "silent");
        kp_out_bool(out, source.silent);
        kp_out_end(out);
    }
    kp_out_end(out);
}

static void answer_status(struct kp_control *control, struct kp_out *out, int64_t steady_ms)
{
    struct kp_engine_stats stats;

    kp_engine_stats(control->world.engine, &stats);
    begin_reply(out, 9);
    put_text(out, "version", KPID_VERSION);
    put_now(out, control->world.engine);
    put_text(out, "clock", control->world.config->event_clock ? "event" : "wall");
    put_uint(out, "uptime_ms", (uint64_t)(steady_ms - control->started_ms));
    put_uint(out, "keys", stats.keys);
    kp_out_text(out, "durable");
    kp_out_bool(out, false);
    kp_out_text(out, "metrics");
    put_metrics(control, out);
    kp_out_text(out, "memory");
    put_memory(control, out);
    kp_out_text(out, "sources");
    put_sources(control, out);
    kp_out_end(out);
}

/* ---- config ---- */

static void put_kpi(struct kp_out *out, const struct kp_kpi_cfg *kpi)
{
    static const char *const aggregates[] = {"count",  "sum",      "mean",     "min",  "max",
                                             "stddev", "distinct", "quantile", "last", "formula"};
    static const char *const betters[] = {"higher", "lower", "none"};

    kp_out_map(out, 7);
    put_text(out, "name", kpi->name);
    put_text(out, "title", kpi->title ? kpi->title : kpi->name);
    put_text(out, "unit", kpi->unit);
    put_text(out, "better", betters[kpi->better]);
    put_text(out, "aggregate", aggregates[kpi->agg]);
    kp_out_text(out, "windows");
    kp_out_array(out, kpi->nwindows);
    for (size_t i = 0; i < kpi->nwindows; i++)
        kp_out_text(out, kpi->windows[i].text);
    kp_out_end(out);
    kp_out_text(out, "by");
    kp_out_array(out, kpi->nby);
    for (size_t i = 0; i < kpi->nby; i++)
        kp_out_text(out, kpi->by[i]);
    kp_out_end(out);
    kp_out_end(out);
}

static void put_endpoints(struct kp_control *control, struct kp_out *out)
{
    static const char *const transports[] = {"sub", "pull", "router"};
    const struct kp_config *config = control->world.config;

    kp_out_map(out, 3);
    put_text(out, "control", control->endpoint);
    put_text(out, "publish", kp_publish_endpoint(control->world.publish));
    kp_out_text(out, "ingest");
    kp_out_array(out, config->ningest);
    for (size_t i = 0; i < config->ningest; i++) {
        kp_out_map(out, 3);
        put_text(out, "transport", transports[config->ingest[i].transport]);
        put_text(out, "endpoint", kp_ingest_endpoint(control->world.ingest, i));
        kp_out_text(out, "bind");
        kp_out_bool(out, config->ingest[i].bind || config->ingest[i].transport != KP_IN_SUB);
        kp_out_end(out);
    }
    kp_out_end(out);
    kp_out_end(out);
}

static void answer_config(struct kp_control *control, struct kp_out *out)
{
    const struct kp_config *config = control->world.config;

    begin_reply(out, 7);
    put_text(out, "file", config->file);
    put_text(out, "zone", config->zone_name);
    put_text(out, "format", config->publish_json ? "json" : "msgpack");
    kp_out_text(out, "levels");
    kp_out_array(out, (size_t)kp_engine_levels(control->world.engine));
    for (int i = 0; i < kp_engine_levels(control->world.engine); i++)
        kp_out_text(out, kp_engine_level_name(control->world.engine, i));
    kp_out_end(out);
    kp_out_text(out, "kpis");
    kp_out_array(out, config->nkpis);
    for (size_t i = 0; i < config->nkpis; i++)
        put_kpi(out, &config->kpis[i]);
    kp_out_end(out);
    kp_out_text(out, "alerts");
    kp_out_array(out, config->nalerts);
    for (size_t i = 0; i < config->nalerts; i++) {
        kp_out_map(out, 4);
        put_text(out, "name", config->alerts[i].name);
        put_text(out, "kpi", config->alerts[i].kpi);
        put_text(out, "window", config->alerts[i].window.text);
        put_text(out, "level", config->alerts[i].level);
        kp_out_end(out);
    }
    kp_out_end(out);
    kp_out_text(out, "endpoints");
    put_endpoints(control, out);
    kp_out_end(out);
}

/* ---- alerts, advance ---- */

struct listing {
    struct kp_out *out;
    struct kp_engine *engine;
    uint64_t seq;
};

static void put_alert(void *ctx, const struct kp_alert *alert)
{
    struct listing *listing = ctx;

    kp_encode_alert(listing->out, listing->engine, alert, listing->seq);
}

static void answer_alerts(struct kp_control *control, struct kp_out *out)
{
    struct kp_engine_stats stats;
    struct kp_publish_stats pub;
    struct listing listing = {out, control->world.engine, 0};

    kp_engine_stats(control->world.engine, &stats);
    kp_publish_stats(control->world.publish, &pub);
    listing.seq = pub.seq;
    begin_reply(out, 2);
    put_now(out, control->world.engine);
    kp_out_text(out, "alerts");
    kp_out_array(out, stats.pending + stats.firing);
    kp_engine_alerts(control->world.engine, put_alert, &listing);
    kp_out_end(out);
    kp_out_end(out);
}

static void answer_advance(struct kp_control *control, const struct kp_request *req, struct kp_out *out)
{
    if (!control->world.config->event_clock) {
        put_error(out, "advance is for \"clock: event\"; with \"clock: wall\" time passes by itself");
        return;
    }
    if (!req->has_time) {
        put_error(out, "advance needs \"time\"");
        return;
    }
    if (req->time_ms < kp_engine_now(control->world.engine)) {
        char now[40], text[128];

        snprintf(text, sizeof text, "time only goes forward, and it is %s already",
                 kp_rfc3339_format(kp_engine_now(control->world.engine), now));
        put_error(out, text);
        return;
    }
    while (kp_engine_settle(control->world.engine, req->time_ms, SIZE_MAX))
        ;
    begin_reply(out, 1);
    put_now(out, control->world.engine);
    kp_out_end(out);
}

/* ---- explain ---- */

static const char *cut(struct kp_str text, char buf[64])
{
    snprintf(buf, 64, "%.*s", (int)(text.len < 60 ? text.len : 60), text.s ? text.s : "");
    return buf;
}

/* The node that is asked about; without a level, a rep or else the company. KP_NO_KEY with the reason. */
static uint32_t find_node(const struct kp_control *control, const struct kp_request *req, struct kp_err *err)
{
    const struct kp_engine *engine = control->world.engine;
    int level = req->key.len ? (int)control->world.config->roster.nlevels : 0;
    uint32_t node;
    char text[64];

    if (req->level.len)
        level = kp_engine_find_level(engine, req->level.s, req->level.len);
    if (level < 0) {
        kp_fail(err, KP_EINVAL, "no level \"%s\"", cut(req->level, text));
        return KP_NO_KEY;
    }
    node = kp_engine_find(engine, level, req->key);
    if (node == KP_NO_KEY)
        kp_fail(err, KP_EINVAL, "no %s \"%s\"", kp_engine_level_name(engine, level), cut(req->key, text));
    return node;
}

static void answer_explain(struct kp_control *control, const struct kp_request *req, struct kp_out *out)
{
    struct kp_engine *engine = control->world.engine;
    struct kp_explanation why;
    struct kp_err err = {0};
    uint32_t node;
    char text[64];
    int kpi;

    if (!req->kpi.len || !req->window.len) {
        put_error(out, "explain needs \"kpi\" and \"window\", and \"key\" (with \"level\" where it is no rep)");
        return;
    }
    kpi = kp_engine_find_kpi(engine, req->kpi.s, req->kpi.len);
    node = kpi < 0 ? KP_NO_KEY : find_node(control, req, &err);
    if (kpi < 0)
        kp_fail(&err, KP_EINVAL, "no KPI \"%s\"", cut(req->kpi, text));
    if (node == KP_NO_KEY || kp_engine_explain(engine, node, kpi, req->window, &why, &err)) {
        put_error(out, err.text);
        return;
    }
    begin_reply(out, 2);
    put_now(out, engine);
    kp_out_text(out, "explanation");
    kp_encode_explanation(out, engine, node, &why);
    kp_out_end(out);
}

/* ---- get ---- */

static bool is_one_of(const struct kp_str_list *list, struct kp_str text)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].len == text.len && memcmp(list->items[i].s, text.s, text.len) == 0)
            return true;
    return false;
}

static bool is_under(const struct kp_str_list *under, const struct kp_place *place)
{
    if (place->npath < under->count)
        return false;
    for (size_t i = 0; i < under->count; i++)
        if (under->items[i].len != place->path[i].len ||
            memcmp(under->items[i].s, place->path[i].s, under->items[i].len) != 0)
            return false;
    return true;
}

static bool has_window(const struct kp_kpi_cfg *kpi, struct kp_str text)
{
    for (size_t i = 0; i < kpi->nwindows; i++)
        if (strlen(kpi->windows[i].text) == text.len && memcmp(kpi->windows[i].text, text.s, text.len) == 0)
            return true;
    return false;
}

/* Of what is asked for, each window must be some KPI's, and at least one of them one of the KPIs': a request may ask for
 * many of both, but an answer without any number would only hide a mistake. */
static bool check_windows(const struct kp_control *control, const struct kp_request *req, struct kp_err *err)
{
    const struct kp_config *config = control->world.config;
    bool any = req->windows.count == 0;
    char text[64];

    for (size_t i = 0; i < req->windows.count; i++) {
        struct kp_str window = req->windows.items[i];
        bool known = false;

        for (size_t k = 0; k < config->nkpis; k++) {
            const struct kp_str kpi = {config->kpis[k].name, (uint32_t)strlen(config->kpis[k].name)};
            bool has = has_window(&config->kpis[k], window);

            known |= has;
            any |= has && (!req->kpis.items || is_one_of(&req->kpis, kpi));
        }
        if (!known) {
            kp_fail(err, KP_EINVAL, "no window \"%s\"", cut(window, text));
            return false;
        }
    }
    if (!any)
        kp_fail(err, KP_EINVAL, "none of the KPIs has \"%s\" or another of the windows",
                cut(req->windows.items[0], text));
    return any;
}

/* What is asked for by name must be there; *level -1: all of them. */
static bool check_names(const struct kp_control *control, const struct kp_request *req, int *level, struct kp_err *err)
{
    char text[64];

    *level = -1;
    for (size_t i = 0; i < req->kpis.count; i++) {
        if (kp_engine_find_kpi(control->world.engine, req->kpis.items[i].s, req->kpis.items[i].len) < 0) {
            kp_fail(err, KP_EINVAL, "no KPI \"%s\"", cut(req->kpis.items[i], text));
            return false;
        }
    }
    if (req->level.len) {
        *level = kp_engine_find_level(control->world.engine, req->level.s, req->level.len);
        if (*level < 0) {
            kp_fail(err, KP_EINVAL, "no level \"%s\"", cut(req->level, text));
            return false;
        }
    }
    return check_windows(control, req, err);
}

/* Begin a `get`; true when it took the envelope and the request over. */
static bool begin_get(struct kp_control *control, struct envelope *to, struct kp_request *req, struct kp_out *out)
{
    struct job *job = NULL;
    struct kp_err err = {0};
    int level;
    const char *wrong = check_names(control, req, &level, &err) ? NULL : err.text;

    for (int i = 0; i < JOBS_MAX && !job; i++)
        if (!control->jobs[i].running)
            job = &control->jobs[i];
    if (!job && !wrong)
        wrong = "busy: too many requests at a time, ask again";
    if (wrong) {
        put_error(out, wrong);
        return false;
    }
    memset(job, 0, sizeof *job);
    job->out = kp_out_new(req->is_json, NULL);
    if (!job->out) {
        put_error(out, "out of memory");
        return false;
    }
    job->running = true;
    job->level = level;
    for (; job->to.count < to->count; job->to.count++) {
        zmq_msg_init(&job->to.frames[job->to.count]);
        zmq_msg_move(&job->to.frames[job->to.count], &to->frames[job->to.count]);
    }
    job->req = *req;
    memset(req, 0, sizeof *req);
    return true;
}

static bool add_node(struct job *job, uint32_t node)
{
    if (job->nnodes == job->room) {
        size_t room = job->room ? job->room * 2 : 256;
        uint32_t *grown = realloc(job->nodes, room * sizeof *grown);

        if (!grown)
            return false;
        job->nodes = grown;
        job->room = room;
    }
    job->nodes[job->nnodes++] = node;
    return true;
}

static bool gather(struct kp_control *control, struct job *job)
{
    struct kp_engine *engine = control->world.engine;
    uint32_t nodes = kp_engine_nodes(engine);

    for (int look = LOOK_TURN; job->next < nodes && look > 0; job->next++, look--) {
        struct kp_place place;

        if (!kp_engine_visible(engine, job->next))
            continue;
        kp_engine_place(engine, job->next, &place);
        if ((job->level >= 0 && place.level != job->level) || (job->req.keys.items && !is_one_of(&job->req.keys, place.key)) ||
            !is_under(&job->req.under, &place))
            continue;
        if (!add_node(job, job->next))
            return false;
    }
    if (job->next < nodes)
        return true;
    job->gathered = true;
    job->next = 0;
    begin_reply(job->out, 2);
    put_now(job->out, engine);
    kp_out_text(job->out, "snapshots");
    kp_out_array(job->out, job->nnodes);
    return true;
}

/* No node is forgotten while a request is on its way (kp_control_busy), since the reply has promised their number. */
static void encode_some(struct kp_control *control, struct job *job)
{
    const struct kp_wanted wanted = {job->req.kpis.items, job->req.kpis.count, job->req.windows.items,
                                     job->req.windows.count};
    struct kp_publish_stats pub;

    kp_publish_stats(control->world.publish, &pub);
    for (int n = 0; job->next < job->nnodes && n < ENCODE_TURN; job->next++, n++)
        kp_encode_snapshot(job->out, control->world.engine, job->nodes[job->next], pub.seq, true, &wanted);
}

static void go_forward(struct kp_control *control, struct job *job)
{
    size_t len;

    if (!job->gathered && !gather(control, job)) {
        put_error(job->out, "out of memory");
        job->gathered = true;
        job->nnodes = job->next = 0;
        send_reply(control, &job->to, job->out);
        end_job(job);
        return;
    }
    if (!job->gathered)
        return;
    encode_some(control, job);
    if (job->next < job->nnodes)
        return;
    kp_out_end(job->out);
    kp_out_end(job->out);
    if (kp_out_bytes(job->out, &len) && len > REPLY_MAX)
        put_error(job->out, "too much for one reply: narrow it by level, keys, under, kpis or windows");
    send_reply(control, &job->to, job->out);
    end_job(job);
}

/* ---- Requests ---- */

static void unknown_op(const struct kp_request *req, struct kp_out *out)
{
    static const char *const known[] = {"status", "get", "alerts", "config", "advance", "explain"};
    static const char *const later[] = {"history", "silence", "unsilence", "ack", "reload", "checkpoint", "roster"};
    char op[64], text[256];
    struct kp_nearest nearest = {.word = op};

    snprintf(op, sizeof op, "%.*s", (int)(req->op.len > 60 ? 60 : req->op.len), req->op.s);
    for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
        if (strcmp(op, later[i]) == 0) {
            snprintf(text, sizeof text, "\"%s\" is not in this version of kpid yet", op);
            put_error(out, text);
            return;
        }
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        kp_nearest_offer(&nearest, known[i]);
    snprintf(text, sizeof text, "unknown op \"%s\"%s%s%s", op, nearest.best ? "; did you mean \"" : "",
             nearest.best ? nearest.best : "", nearest.best ? "\"?" : "");
    put_error(out, text);
}

static bool is_op(const struct kp_request *req, const char *op)
{
    return strlen(op) == req->op.len && memcmp(op, req->op.s, req->op.len) == 0;
}

/* whole: the envelope holds all of its frames. */
static void answer(struct kp_control *control, struct envelope *to, bool whole, const void *bytes, size_t len,
                   int64_t steady_ms)
{
    struct kp_request req;
    struct kp_err err = {0};
    enum kp_code code = kp_request_read(&req, bytes, len, &err);
    struct kp_out *out = control->outs[req.is_json];
    bool taken = false;

    control->requests++;
    if (!whole)
        put_error(out, "too many frames before the request: no more can be sent back");
    else if (code)
        put_error(out, err.text);
    else if (is_op(&req, "status"))
        answer_status(control, out, steady_ms);
    else if (is_op(&req, "config"))
        answer_config(control, out);
    else if (is_op(&req, "alerts"))
        answer_alerts(control, out);
    else if (is_op(&req, "explain"))
        answer_explain(control, &req, out);
    else if (is_op(&req, "advance"))
        answer_advance(control, &req, out);
    else if (is_op(&req, "get"))
        taken = begin_get(control, to, &req, out);
    else
        unknown_op(&req, out);
    if (!taken)
        send_reply(control, to, out);
    kp_request_release(&req);
}

/* One request: [who, frames to echo..., payload]. False: none is there. Of too many frames, the first ones come back with
 * an error, so that whoever waits does not wait for ever. */
static bool take_request(struct kp_control *control, int64_t steady_ms)
{
    struct envelope to = {.count = 0};
    zmq_msg_t msg;
    bool fits = true;

    zmq_msg_init(&msg);
    if (zmq_msg_recv(&msg, control->socket, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&msg);
        return false;
    }
    while (zmq_msg_more(&msg)) {
        if (to.count < FRAMES_MAX) {
            zmq_msg_init(&to.frames[to.count]);
            zmq_msg_move(&to.frames[to.count++], &msg);
        } else {
            fits = false;
        }
        if (zmq_msg_recv(&msg, control->socket, ZMQ_DONTWAIT) < 0)
            break;
    }
    answer(control, &to, fits, zmq_msg_data(&msg), zmq_msg_size(&msg), steady_ms);
    close_envelope(&to);
    zmq_msg_close(&msg);
    return true;
}

bool kp_control_turn(struct kp_control *control, int64_t steady_ms)
{
    bool more = false;

    if (!control->socket)
        return false;
    for (int i = 0; i < REQUESTS_TURN && take_request(control, steady_ms); i++)
        more = i == REQUESTS_TURN - 1;
    for (int i = 0; i < JOBS_MAX; i++) {
        if (control->jobs[i].running)
            go_forward(control, &control->jobs[i]);
        more |= control->jobs[i].running;
    }
    return more;
}

bool kp_control_busy(const struct kp_control *control)
{
    for (int i = 0; i < JOBS_MAX; i++)
        if (control->jobs[i].running)
            return true;
    return false;
}
