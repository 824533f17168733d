/* What was: asked of the storage thread, and answered when it has found it. */
#include "control_inside.h"

#include "nearest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who waits for it. */
struct asker {
    struct envelope to;
    bool is_json;
    struct kp_history_query query;
};

static void forget(struct kp_history_query *query)
{
    struct asker *asker = query->owner;

    for (size_t i = 0; i < asker->to.count; i++)
        zmq_msg_close(&asker->to.frames[i]);
    kp_history_query_release(query);
    free(asker);
}

static bool copy_text(struct kp_str from, char *to, size_t size)
{
    if (from.len >= size)
        return false;
    if (from.len)
        memcpy(to, from.s, from.len);
    to[from.len] = '\0';
    return true;
}

/* The key's place as it is kept; of one that is not there any more the place that was given by `under`. */
static enum kp_code find_path(struct kp_control *control, const struct kp_request *req, struct kp_history_query *query, struct kp_err *err)
{
    struct kp_engine *engine = control->world.engine;
    int level = req->key.len || req->under.count ? (int)control->world.config->roster.nlevels : 0;
    char topic[KP_QUERY_TEXT], text[64];
    uint32_t node;
    size_t len = 0;

    if (req->level.len)
        level = kp_engine_find_level(engine, req->level.s, req->level.len);
    if (level < 0)
        return kp_fail(err, KP_EINVAL, "no level \"%s\"", kp_reply_cut(req->level, text));
    snprintf(query->level, sizeof query->level, "%s", kp_engine_level_name(engine, level));
    if (req->under.count) {
        for (size_t i = 0; i < req->under.count; i++)
            len = kp_engine_topic_part(req->under.items[i], topic, len, sizeof topic);
        topic[len] = '\0';
    } else {
        node = kp_engine_find(engine, level, req->key);
        if (node == KP_NO_KEY)
            return kp_fail(err, KP_EINVAL, "no %s \"%s\"; of one that is gone give its path as \"under\"", query->level,
                           kp_reply_cut(req->key, text));
        len = kp_engine_topic(engine, "", node, topic, sizeof topic);
        memmove(topic, topic + 1, len);
        len -= len > 0;
    }
    if (len && topic[len - 1] == '/')
        topic[len - 1] = '\0';
    snprintf(query->path, sizeof query->path, "%s", topic);
    if (!kp_control_sees_path(&control->who, query->path))
        return kp_fail(err, KP_EINVAL, "denied: \"%.100s\" is nothing that you may see", query->path);
    return KP_OK;
}

static enum kp_code find_names(struct kp_control *control, const struct kp_request *req, struct kp_history_query *query,
                               struct kp_err *err)
{
    const struct kp_config *config = control->world.config;
    char text[64];
    int kpi = kp_engine_find_kpi(control->world.engine, req->kpi.s, req->kpi.len);
    bool found = false;

    if (!req->kpi.len || !req->window.len)
        return kp_fail(err, KP_EINVAL, "history needs \"kpi\" and \"window\", and \"key\" (with \"level\" where it is no rep); or \"alerts\": true");
    if (kpi < 0)
        return kp_fail(err, KP_EINVAL, "no KPI \"%s\"", kp_reply_cut(req->kpi, text));
    for (size_t i = 0; i < config->kpis[kpi].nwindows && !found; i++)
        found = strlen(config->kpis[kpi].windows[i].text) == req->window.len &&
                memcmp(config->kpis[kpi].windows[i].text, req->window.s, req->window.len) == 0;
    if (!found)
        return kp_fail(err, KP_EINVAL, "\"%s\" has no window \"%s\"", config->kpis[kpi].name, kp_reply_cut(req->window, text));
    snprintf(query->kpi, sizeof query->kpi, "%s", config->kpis[kpi].name);
    copy_text(req->window, query->window, sizeof query->window);
    return find_path(control, req, query, err);
}

/* What the thread that answers has to know of who asks: a reload may change it meanwhile. */
static bool take_rights(struct kp_history_query *query, const struct kp_peer *who)
{
    size_t n = kp_control_sees_all(who) ? 0 : who->user->read.count;

    query->cut = !kp_control_sees_all(who);
    query->under = n ? calloc(n, sizeof *query->under) : NULL;
    if (n && !query->under)
        return false;
    for (; query->nunder < n; query->nunder++) {
        query->under[query->nunder] = strdup(who->user->read.items[query->nunder]);
        if (!query->under[query->nunder])
            return false;
    }
    return true;
}

static enum kp_code make_query(struct kp_control *control, const struct kp_request *req, struct kp_history_query *query,
                               struct kp_err *err)
{
    query->from_ms = req->has_from ? req->from_ms : 0;
    query->to_ms = req->has_to ? req->to_ms : INT64_MAX;
    query->alerts = req->alerts || req->rule.len;
    if (!take_rights(query, &control->who))
        return kp_fail(err, KP_ENOMEM, "out of memory");
    if (query->from_ms > query->to_ms)
        return kp_fail(err, KP_EINVAL, "\"from\" is later than \"to\"");
    if (!query->alerts)
        return find_names(control, req, query, err);
    if (!copy_text(req->rule, query->rule, sizeof query->rule) || !copy_text(req->level, query->level, sizeof query->level) ||
        !copy_text(req->key, query->path, sizeof query->path))
        return kp_fail(err, KP_EINVAL, "a name is too long");
    return KP_OK;
}

bool kp_control_history(struct kp_control *control, struct envelope *to, const struct kp_request *req, struct kp_out *out)
{
    struct asker *asker = calloc(1, sizeof *asker);
    struct kp_err err = {0};

    if (asker) {
        asker->query.owner = asker;
        asker->query.drop = forget;
        asker->is_json = req->is_json;
        asker->to = *to;
    }
    if (!control->world.storage)
        kp_fail(&err, KP_EINVAL, "there is no storage: the configuration has none");
    else if (!asker)
        kp_fail(&err, KP_ENOMEM, "out of memory");
    else if (!make_query(control, req, &asker->query, &err) && !kp_history_ask(control->world.storage, &asker->query))
        kp_fail(&err, KP_ELIMIT, "too many ask about history just now: ask again");
    if (err.text[0]) {
        if (asker)
            kp_history_query_release(&asker->query);
        free(asker);
        kp_reply_error(out, err.text);
        return false;
    }
    to->count = 0;      /* the frames are the asker's now */
    return true;
}

static void put_value(struct kp_out *out, const struct kp_history_row *row)
{
    kp_out_map(out, 6);
    kp_out_text(out, "at");
    kp_out_int(out, row->at_ms);
    kp_out_text(out, "value");
    kp_out_real(out, row->has ? row->value : (double)NAN);
    kp_out_text(out, "n");
    kp_out_int(out, row->n);
    kp_out_text(out, "target");
    kp_out_real(out, row->target);
    kp_out_text(out, "expected");
    kp_out_real(out, row->expected);
    kp_out_text(out, "closed");
    kp_out_bool(out, row->closed);
    kp_out_end(out);
}

static void put_alert(struct kp_out *out, const struct kp_history_alert *alert)
{
    kp_out_map(out, 11);
    kp_out_text(out, "at");
    kp_out_int(out, alert->at_ms);
    for (int t = 0; t < 10; t++) {
        kp_out_text(out, kp_history_alert_names[t]);
        if (strcmp(kp_history_alert_names[t], "value") == 0)
            kp_out_real(out, alert->texts[t] ? strtod(alert->texts[t], NULL) : (double)NAN);
        else
            kp_out_text(out, alert->texts[t]);
    }
    kp_out_end(out);
}

static void encode(struct kp_out *out, const struct kp_history_query *query)
{
    if (query->err.text[0]) {
        kp_reply_error(out, query->err.text);
        return;
    }
    kp_reply_begin(out, query->alerts ? 2 : 6);
    if (!query->alerts) {
        kp_reply_text(out, "kpi", query->kpi);
        kp_reply_text(out, "level", query->level);
        kp_reply_text(out, "path", query->path);
        kp_reply_text(out, "window", query->window);
    }
    kp_out_text(out, query->alerts ? "alerts" : "values");
    kp_out_array(out, query->n);
    for (size_t i = 0; i < query->n; i++) {
        if (query->alerts)
            put_alert(out, &query->told[i]);
        else
            put_value(out, &query->rows[i]);
    }
    kp_out_end(out);
    kp_out_text(out, "more");
    kp_out_bool(out, query->more);
    kp_out_end(out);
}

bool kp_control_answer_history(struct kp_control *control)
{
    struct kp_history_query *query = control->world.storage ? kp_history_answered(control->world.storage) : NULL;
    struct asker *asker = query ? query->owner : NULL;

    if (!asker)
        return false;
    encode(control->outs[asker->is_json], query);
    kp_control_reply(control, &asker->to, control->outs[asker->is_json]);
    forget(query);
    return true;
}
