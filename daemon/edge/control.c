#include "control_inside.h"

#include "clock.h"
#include "log.h"
#include "nearest.h"

#include "kpid/encode.h"
#include "kpid/zone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    REQUESTS_TURN = 64,
    SLICE_MS = 100,         /* in which requests are counted */
    LOOK_TURN = 512,        /* keys looked at */
};
#define REPLY_MAX ((size_t)256 << 20)

/* ---- Opening ---- */

struct kp_control *kp_control_open(void *zmq, const struct kp_control_world *world, int64_t steady_ms,
                                   struct kp_err *err)
{
    struct kp_control *control = calloc(1, sizeof *control);
    int64_t most = KP_REQUEST_BYTES * 2;
    bool ok;

    if (!control) {
        kp_fail(err, KP_ENOMEM, "control: out of memory");
        return NULL;
    }
    control->world = *world;
    control->started_ms = steady_ms;
    if (zmq && getrandom(&control->secret, sizeof control->secret, 0) != (ssize_t)sizeof control->secret) {
        kp_fail(err, KP_EIO, "control: random seed: %s", strerror(errno));
        kp_control_close(&control);
        return NULL;
    }
    control->outs[0] = kp_out_new(false, err);
    control->outs[1] = kp_out_new(true, err);
    ok = control->outs[0] && control->outs[1];
    if (ok && zmq && world->config->control_endpoint) {
        control->socket = zmq_socket(zmq, ZMQ_ROUTER);
        ok = control->socket && zmq_setsockopt(control->socket, ZMQ_MAXMSGSIZE, &most, sizeof most) == 0;
        if (!ok)
            kp_fail(err, KP_EIO, "control: %s", zmq_strerror(errno));
        ok = ok && kp_socket_set(control->socket, ZMQ_LINGER, KP_LINGER_MS, err) == KP_OK &&
             kp_socket_set(control->socket, ZMQ_ROUTER_MANDATORY, 1, err) == KP_OK &&
             kp_guard_serve(world->guard, control->socket, world->config->control_endpoint, KP_DOOR_CONTROL, &control->guarded, err) ==
                 KP_OK &&
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
    for (int i = 0; i < KP_CONTROL_JOBS_MAX; i++)
        if ((*control)->jobs[i].running)
            end_job(&(*control)->jobs[i]);
    close_envelope(&(*control)->reload_to);
    if ((*control)->socket)
        zmq_close((*control)->socket);
    kp_out_destroy(&(*control)->outs[0]);
    kp_out_destroy(&(*control)->outs[1]);
    free((*control)->said);
    free(*control);
    *control = NULL;
}

void *kp_control_socket(const struct kp_control *control)
{
    return control->socket;
}

/* ---- Replies ---- */

static void keep_said(struct kp_control *control, const void *bytes, size_t len)
{
    free(control->said);
    control->said = bytes ? malloc(len + 1) : NULL;
    control->said_len = len;
    if (control->said)
        memcpy(control->said, bytes, len);
}

static void send_reply(struct kp_control *control, struct envelope *to, struct kp_out *out)
{
    size_t len;
    const void *bytes = kp_out_bytes(out, &len);
    bool ok = bytes != NULL;

    if (!control->socket) {
        keep_said(control, bytes, len);
        return;
    }
    for (size_t i = 0; ok && i < to->count; i++)
        ok = zmq_msg_send(&to->frames[i], control->socket, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0;
    if (!ok || zmq_send(control->socket, bytes, len, ZMQ_DONTWAIT) < 0)
        control->replies_dropped++;
}

void kp_reply_error(struct kp_out *out, const char *text)
{
    kp_out_clear(out);
    kp_out_map(out, 2);
    kp_out_text(out, "ok");
    kp_out_bool(out, false);
    kp_out_text(out, "error");
    kp_out_text(out, text);
    kp_out_end(out);
}

const char *kp_reply_cut(struct kp_str text, char buf[64])
{
    snprintf(buf, 64, "%.*s", (int)(text.len < 60 ? text.len : 60), text.s ? text.s : "");
    return buf;
}

/* ---- alerts, advance ---- */

struct listing {
    const struct kp_control *control;
    struct kp_out *out;
    uint64_t seq;
    size_t n;
};

static void count_alert(void *ctx, const struct kp_alert *alert)
{
    struct listing *listing = ctx;

    listing->n += kp_control_sees(listing->control, &listing->control->who, alert->node);
}

static void put_alert(void *ctx, const struct kp_alert *alert)
{
    struct listing *listing = ctx;

    if (kp_control_sees(listing->control, &listing->control->who, alert->node))
        kp_encode_alert(listing->out, listing->control->world.engine, alert, listing->seq);
}

static void answer_alerts(struct kp_control *control, struct kp_out *out)
{
    struct kp_publish_stats pub;
    struct listing listing = {control, out, 0, 0};
    const struct kp_operator *op = kp_control_sees_all(&control->who) ? control->world.operator : NULL;

    kp_engine_alerts(control->world.engine, count_alert, &listing);
    kp_publish_stats(control->world.publish, &pub);
    listing.seq = pub.seq;
    kp_reply_begin(out, 2);
    kp_reply_now(out, control->world.engine);
    kp_out_text(out, "alerts");
    kp_out_array(out, listing.n + (op ? kp_operator_firing(op) : 0));
    kp_engine_alerts(control->world.engine, put_alert, &listing);
    for (size_t i = 0; op && i < op->n; i++)
        if (op->list[i].firing)
            kp_operator_encode(out, &op->list[i], pub.seq);
    kp_out_end(out);
    kp_out_end(out);
}

static void answer_advance(struct kp_control *control, const struct kp_request *req, struct kp_out *out)
{
    if (!control->world.config->event_clock) {
        kp_reply_error(out, "advance is for \"clock: event\"; with \"clock: wall\" time passes by itself");
        return;
    }
    if (!req->has_time) {
        kp_reply_error(out, "advance needs \"time\"");
        return;
    }
    if (req->time_ms < kp_engine_now(control->world.engine)) {
        char now[40], text[128];

        snprintf(text, sizeof text, "time only goes forward, and it is %s already",
                 kp_rfc3339_format(kp_engine_now(control->world.engine), now));
        kp_reply_error(out, text);
        return;
    }
    while (kp_engine_settle(control->world.engine, req->time_ms, SIZE_MAX))
        ;
    kp_reply_begin(out, 1);
    kp_reply_now(out, control->world.engine);
    kp_out_end(out);
}

/* ---- explain ---- */

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
        kp_fail(err, KP_EINVAL, "no level \"%s\"", kp_reply_cut(req->level, text));
        return KP_NO_KEY;
    }
    node = kp_engine_find(engine, level, req->key);
    if (node != KP_NO_KEY && kp_control_sees(control, &control->who, node))
        return node;
    kp_fail(err, KP_EINVAL, "no %s \"%s\"%s", kp_engine_level_name(engine, level), kp_reply_cut(req->key, text),
            kp_control_sees_all(&control->who) ? "" : " that you may see");
    return KP_NO_KEY;
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
        kp_reply_error(out, "explain needs \"kpi\" and \"window\", and \"key\" (with \"level\" where it is no rep)");
        return;
    }
    kpi = kp_engine_find_kpi(engine, req->kpi.s, req->kpi.len);
    node = kpi < 0 ? KP_NO_KEY : find_node(control, req, &err);
    if (kpi < 0)
        kp_fail(&err, KP_EINVAL, "no KPI \"%s\"", kp_reply_cut(req->kpi, text));
    if (node == KP_NO_KEY || kp_engine_explain(engine, node, kpi, req->window, &why, &err)) {
        kp_reply_error(out, err.text);
        return;
    }
    kp_reply_begin(out, 2);
    kp_reply_now(out, engine);
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
            kp_fail(err, KP_EINVAL, "no window \"%s\"", kp_reply_cut(window, text));
            return false;
        }
    }
    if (!any)
        kp_fail(err, KP_EINVAL, "none of the KPIs has \"%s\" or another of the windows",
                kp_reply_cut(req->windows.items[0], text));
    return any;
}

/* What is asked for by name must be there; *level -1: all of them. */
static bool check_names(const struct kp_control *control, const struct kp_request *req, int *level, struct kp_err *err)
{
    char text[64];

    *level = -1;
    for (size_t i = 0; i < req->kpis.count; i++) {
        if (kp_engine_find_kpi(control->world.engine, req->kpis.items[i].s, req->kpis.items[i].len) < 0) {
            kp_fail(err, KP_EINVAL, "no KPI \"%s\"", kp_reply_cut(req->kpis.items[i], text));
            return false;
        }
    }
    if (req->level.len) {
        *level = kp_engine_find_level(control->world.engine, req->level.s, req->level.len);
        if (*level < 0) {
            kp_fail(err, KP_EINVAL, "no level \"%s\"", kp_reply_cut(req->level, text));
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

    for (int i = 0; i < KP_CONTROL_JOBS_MAX && !job; i++)
        if (!control->jobs[i].running)
            job = &control->jobs[i];
    if (!job && !wrong)
        wrong = "busy: too many requests at a time, ask again";
    if (wrong) {
        kp_reply_error(out, wrong);
        return false;
    }
    memset(job, 0, sizeof *job);
    job->out = kp_out_new(req->is_json, NULL);
    if (!job->out) {
        kp_reply_error(out, "out of memory");
        return false;
    }
    job->running = true;
    job->level = level;
    for (; job->to.count < to->count; job->to.count++) {
        zmq_msg_init(&job->to.frames[job->to.count]);
        zmq_msg_move(&job->to.frames[job->to.count], &to->frames[job->to.count]);
    }
    job->req = *req;
    job->who = control->who;
    if (req->within.items)
        job->who.user = &job->req.narrow;
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
        if (!kp_control_sees(control, &job->who, job->next) &&
            (job->req.keys.items || !kp_control_sees_beside(control, &job->who, job->next)))    /* who names a key knows it */
            continue;
        if (!add_node(job, job->next))
            return false;
    }
    if (job->next < nodes)
        return true;
    job->gathered = true;
    job->next = 0;
    kp_control_shuffle(control, &job->who, job->nodes, job->nnodes);
    job->pass = kp_engine_pass(engine);
    kp_reply_begin(job->out, 2);
    kp_reply_now(job->out, engine);
    kp_out_text(job->out, "snapshots");
    kp_out_array(job->out, job->nnodes);
    return true;
}

/* No node is forgotten while a request is on its way (kp_control_busy), since the reply has promised their number. */
static void encode_some(struct kp_control *control, struct job *job, int64_t until_us)
{
    const struct kp_wanted wanted = {job->req.kpis.items, job->req.kpis.count, job->req.windows.items,
                                     job->req.windows.count};
    struct kp_publish_stats pub;

    kp_publish_stats(control->world.publish, &pub);
    while (job->next < job->nnodes) {
        uint32_t node = job->nodes[job->next++];

        if (kp_control_sees(control, &job->who, node))
            kp_encode_snapshot(job->out, control->world.engine, node, pub.seq, true, job->pass, &wanted);
        else
            kp_encode_peer(job->out, control->world.engine, node, pub.seq, job->pass, &wanted);
        if (kp_clock_us(CLOCK_MONOTONIC) > until_us)
            return;
    }
}

static void go_forward(struct kp_control *control, struct job *job, int64_t until_us)
{
    size_t len;

    if (!job->gathered && !gather(control, job)) {
        kp_reply_error(job->out, "out of memory");
        job->gathered = true;
        job->nnodes = job->next = 0;
        send_reply(control, &job->to, job->out);
        end_job(job);
        return;
    }
    if (!job->gathered)
        return;
    encode_some(control, job, until_us);
    if (job->next < job->nnodes)
        return;
    kp_out_end(job->out);
    kp_out_end(job->out);
    if (kp_out_bytes(job->out, &len) && len > REPLY_MAX)
        kp_reply_error(job->out, "too much for one reply: narrow it by level, keys, under, kpis or windows");
    send_reply(control, &job->to, job->out);
    end_job(job);
}

/* ---- Requests ---- */

static void unknown_op(const struct kp_request *req, struct kp_out *out)
{
    static const char *const known[] = {"status",  "get",       "alerts",   "config", "advance", "explain",    "silence",
                                        "unsilence", "silences", "ack",    "reload", "checkpoint", "roster", "history", "forget",
                                        "contests"};
    char op[64], text[256];
    struct kp_nearest nearest = {.word = op};

    snprintf(op, sizeof op, "%.*s", (int)(req->op.len > 60 ? 60 : req->op.len), req->op.s);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        kp_nearest_offer(&nearest, known[i]);
    snprintf(text, sizeof text, "unknown op \"%s\"%s%s%s", op, nearest.best ? "; did you mean \"" : "",
             nearest.best ? nearest.best : "", nearest.best ? "\"?" : "");
    kp_reply_error(out, text);
}

static bool is_op(const struct kp_request *req, const char *op)
{
    return strlen(op) == req->op.len && memcmp(op, req->op.s, req->op.len) == 0;
}

/* A request that changes something: it is journaled whatever comes of it, for the same will come of it again, and its reply waits
 * until it is on disk. */
static bool answer_change(struct kp_control *control, const struct kp_request *req, struct kp_out *out)
{
    static const struct {
        const char *op;
        void (*answer)(struct kp_control *control, const struct kp_request *req, struct kp_out *out);
    } ops[] = {{"silence", kp_control_silence},
               {"unsilence", kp_control_unsilence},
               {"ack", kp_control_ack},
               {"advance", answer_advance}};

    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (is_op(req, ops[i].op)) {
            ops[i].answer(control, req, out);
            return true;
        }
    }
    return false;
}

void kp_control_again(struct kp_control *control, const void *bytes, size_t len, uint64_t position)
{
    struct kp_request req;
    struct kp_err err = {0};

    if (kp_request_read(&req, bytes, len, &err) == KP_OK && !answer_change(control, &req, control->outs[req.is_json]) &&
        is_op(&req, "forget")) {
        if (kp_control_forget(control, &req, control->outs[req.is_json]))
            kp_control_erase(control, &req, position);
        else
            kp_log(KP_LOG_ERROR, "event=forget done=no error=\"somebody who was forgotten before kpid ended stands in the roster again\"");
    }
    kp_request_release(&req);
}

static void hold_reply(struct kp_control *control, struct envelope *to, struct kp_out *out)
{
    struct kp_journal *journal = control->world.journal;
    size_t len;
    const void *bytes = kp_out_bytes(out, &len);

    if (!kp_journal_outbox(journal)) {
        send_reply(control, to, out);
        return;
    }
    if (!bytes || !kp_outbox_put(kp_journal_outbox(journal), kp_journal_position(journal), KP_SAY_CONTROL, control->socket, to->frames,
                                 to->count, bytes, len))
        control->replies_dropped++;
    to->count = 0;
}

void kp_control_say(struct kp_control *control, struct kp_outbox_item *item)
{
    for (size_t i = 0; i < item->n; i++) {
        if (zmq_msg_send(&item->frames[i], item->socket, ZMQ_DONTWAIT | (i + 1 < item->n ? ZMQ_SNDMORE : 0)) < 0) {
            control->replies_dropped++;
            return;
        }
    }
}

/* Not in the middle of a turn: see kp_control_wants_reload. */
static bool begin_reload(struct kp_control *control, struct envelope *to, const struct kp_request *req, struct kp_out *out)
{
    if (control->reload_asked) {
        kp_reply_error(out, "a reload is on its way already");
        return false;
    }
    control->reload_asked = true;
    control->reload_is_json = req->is_json;
    control->reload_to = *to;
    to->count = 0;
    return true;
}

void kp_control_reply(struct kp_control *control, struct envelope *to, struct kp_out *out)
{
    send_reply(control, to, out);
    close_envelope(to);
}

void kp_control_end_jobs(struct kp_control *control, const char *why)
{
    for (int i = 0; i < KP_CONTROL_JOBS_MAX; i++) {
        struct job *job = &control->jobs[i];

        if (!job->running)
            continue;
        kp_reply_error(job->out, why);
        send_reply(control, &job->to, job->out);
        end_job(job);
    }
}

static void deny(struct kp_control *control, const struct kp_request *req, struct kp_out *out)
{
    char op[64], text[128];

    snprintf(text, sizeof text, "denied: you may not ask for \"%s\"", kp_reply_cut(req->op, op));
    kp_reply_error(out, text);
    kp_guard_deny(control->world.guard, KP_DOOR_CONTROL, &control->who, "a request that they may not make");
    if (!kp_user_may_read_some(control->who.user))
        kp_guard_cut(control->world.guard, control->who.fd, control->who.address, control->endpoint, "may not ask any more");
}

/* whole: the envelope holds all of its frames. */
static void answer(struct kp_control *control, struct envelope *to, bool whole, const void *bytes, size_t len,
                   int64_t steady_ms)
{
    struct kp_request req;
    struct kp_err err = {0};
    enum kp_code code = kp_request_read(&req, bytes, len, &err);
    struct kp_out *out = control->outs[req.is_json];
    bool taken = false, changes = false, forgets = false;

    control->requests++;
    if (!whole)
        kp_reply_error(out, "too many frames before the request: no more can be sent back");
    else if (code)
        kp_reply_error(out, err.text);
    else if (!kp_control_may_ask(&control->who, &req))
        deny(control, &req, out);
    else if (kp_control_narrow(&control->who, &req, &err))
        kp_reply_error(out, err.text);
    else if (is_op(&req, "status"))
        kp_control_status(control, out, steady_ms);
    else if (is_op(&req, "config"))
        kp_control_config(control, out);
    else if (is_op(&req, "alerts"))
        answer_alerts(control, out);
    else if (is_op(&req, "explain"))
        answer_explain(control, &req, out);
    else if (is_op(&req, "contests"))
        kp_control_contests(control, out);
    else if (is_op(&req, "silences"))
        kp_control_silences(control, out);
    else if (is_op(&req, "history"))
        taken = kp_control_history(control, to, &req, out);
    else if (is_op(&req, "checkpoint"))
        kp_control_checkpoint(control, &req, out);
    else if (is_op(&req, "roster"))
        kp_control_roster(control, out);
    else if (is_op(&req, "reload"))
        taken = begin_reload(control, to, &req, out);
    else if (answer_change(control, &req, out))
        changes = true;
    else if (is_op(&req, "forget"))
        changes = forgets = kp_control_forget(control, &req, out);
    else if (is_op(&req, "get"))
        taken = begin_get(control, to, &req, out);
    else
        unknown_op(&req, out);
    if (changes)
        kp_journal_request(control->world.journal, bytes, len);
    if (forgets)
        kp_control_erase(control, &req, kp_journal_position(control->world.journal));
    if (changes)
        hold_reply(control, to, out);
    else if (!taken)
        send_reply(control, to, out);
    kp_request_release(&req);
}

const void *kp_control_ask(struct kp_control *control, const void *bytes, size_t len, size_t *reply_len)
{
    struct envelope nobody = {.count = 0};

    free(control->said);
    control->said = NULL;
    answer(control, &nobody, true, bytes, len, 0);
    for (int i = 0; i < KP_CONTROL_JOBS_MAX; i++)
        while (control->jobs[i].running)
            go_forward(control, &control->jobs[i], INT64_MAX);
    *reply_len = control->said_len;
    return control->said;
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
        if (to.count < KP_CONTROL_FRAMES_MAX) {
            zmq_msg_init(&to.frames[to.count]);
            zmq_msg_move(&to.frames[to.count++], &msg);
        } else {
            fits = false;
        }
        if (zmq_msg_recv(&msg, control->socket, ZMQ_DONTWAIT) < 0)
            break;
    }
    control->who = kp_guard_who(control->world.guard, control->guarded, &msg);
    answer(control, &to, fits, zmq_msg_data(&msg), zmq_msg_size(&msg), steady_ms);
    close_envelope(&to);
    zmq_msg_close(&msg);
    return true;
}

static uint32_t most_of_slice(const struct kp_control *control)
{
    return control->world.config->limits.requests / (1000 / SLICE_MS);
}

int64_t kp_control_paused_until(const struct kp_control *control, int64_t steady_ms)
{
    bool over = control->taken >= most_of_slice(control) && steady_ms < control->slice_ms + SLICE_MS;

    return over ? control->slice_ms + SLICE_MS : 0;
}

/* Take a request, if one is there and may be taken now. Those that are too many wait in their senders' queues, and libzmq takes from
 * each in turn, so that one who floods delays others by little. */
static bool take_one(struct kp_control *control, int64_t steady_ms)
{
    if (steady_ms >= control->slice_ms + SLICE_MS) {
        control->slice_ms = steady_ms;
        control->taken = 0;
    }
    if (control->taken >= most_of_slice(control) || !take_request(control, steady_ms))
        return false;
    control->paused += ++control->taken == most_of_slice(control);
    return true;
}

bool kp_control_turn(struct kp_control *control, int64_t steady_ms)
{
    bool more = false;
    int64_t until_us;

    if (!control->socket)
        return false;
    for (int i = 0; i < REQUESTS_TURN && take_one(control, steady_ms); i++)
        more = i == REQUESTS_TURN - 1;
    while (kp_control_answer_history(control))
        ;
    until_us = kp_clock_us(CLOCK_MONOTONIC) + KP_TURN_US;
    for (int i = 0; i < KP_CONTROL_JOBS_MAX; i++) {
        if (control->jobs[i].running)
            go_forward(control, &control->jobs[i], until_us);
        more |= control->jobs[i].running;
    }
    more |= control->stirred;
    control->stirred = false;
    return more;
}

bool kp_control_busy(const struct kp_control *control)
{
    for (int i = 0; i < KP_CONTROL_JOBS_MAX; i++)
        if (control->jobs[i].running)
            return true;
    return false;
}
