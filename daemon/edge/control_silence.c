/* Who keeps alerts quiet: silences, and acknowledgements. */
#include "control_inside.h"

#include "nearest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_TEXT = KP_PLACE_PARTS * (KP_MATCHER_MAX * 3 + 1) + 8 };     /* each byte may be written as %XX */

/* ---- Names ---- */

static const char *rule_name(const struct kp_control *control, size_t i)
{
    return i < control->world.config->nalerts ? control->world.config->alerts[i].name : NULL;
}

static const char *kpi_name(const struct kp_control *control, size_t i)
{
    return i < control->world.config->nkpis ? control->world.config->kpis[i].name : NULL;
}

static const char *level_name(const struct kp_control *control, size_t i)
{
    return (int)i < kp_engine_levels(control->world.engine) ? kp_engine_level_name(control->world.engine, (int)i) : NULL;
}

/* A name that nothing has would only look as if it kept something quiet. Of what is not configured but comes by itself, keys,
 * nobody knows what is still to come. */
static enum kp_code check_name(const struct kp_control *control, const struct kp_matcher *matcher, const char *what,
                               const char *(*name)(const struct kp_control *, size_t), struct kp_err *err)
{
    struct kp_nearest nearest = {0};
    const char *known;
    char text[64];

    nearest.word = kp_reply_cut(matcher->text, text);
    for (size_t i = 0; (known = name(control, i)) != NULL; i++) {
        size_t len = strlen(known);

        if ((matcher->prefix ? len >= matcher->text.len : len == matcher->text.len) &&
            memcmp(known, matcher->text.s, matcher->text.len) == 0)
            return KP_OK;
        kp_nearest_offer(&nearest, known);
    }
    if (matcher->prefix)
        return kp_fail(err, KP_EINVAL, "no %s begins with \"%s\"", what, text);
    return kp_fail(err, KP_EINVAL, "no %s \"%s\"%s%s%s", what, text, nearest.best ? "; did you mean \"" : "",
                   nearest.best ? nearest.best : "", nearest.best ? "\"?" : "");
}

static enum kp_code check_matchers(const struct kp_control *control, const struct kp_matchers *matchers, struct kp_err *err)
{
    const struct {
        int field;
        const char *what;
        const char *(*name)(const struct kp_control *, size_t);
    } named[] = {{KP_MATCH_RULE, "alert rule", rule_name}, {KP_MATCH_KPI, "KPI", kpi_name}, {KP_MATCH_LEVEL, "level", level_name}};
    enum kp_code code = kp_matchers_check(matchers, err);

    for (size_t i = 0; !code && i < sizeof named / sizeof *named; i++)
        if (matchers->fields[named[i].field].text.s)
            code = check_name(control, &matchers->fields[named[i].field], named[i].what, named[i].name, err);
    return code;
}

/* ---- Ids ---- */

/* "s17" */
static bool silence_id(struct kp_str text, uint64_t *id)
{
    *id = 0;
    if (text.len < 2 || text.len > 19 || text.s[0] != 's')
        return false;
    for (uint32_t i = 1; i < text.len; i++) {
        if (text.s[i] < '0' || text.s[i] > '9')
            return false;
        *id = *id * 10 + (uint64_t)(text.s[i] - '0');
    }
    return *id > 0;
}

/* The id of an alert, as hexadecimal digits. */
static bool alert_id(struct kp_str text, uint64_t *id)
{
    *id = 0;
    if (text.len == 0 || text.len > 16)
        return false;
    for (uint32_t i = 0; i < text.len; i++) {
        const char *digits = "0123456789abcdef", *at = text.s[i] ? strchr(digits, text.s[i]) : NULL;

        if (!at)
            return false;
        *id = *id << 4 | (uint64_t)(at - digits);
    }
    return true;
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* ---- Writing ---- */

static void put_matcher(struct kp_out *out, const char *key, struct kp_str text, bool prefix)
{
    char whole[KP_MATCHER_MAX + 2];

    snprintf(whole, sizeof whole, "%.*s%s", (int)text.len, text.s, prefix ? "*" : "");
    kp_reply_text(out, key, whole);
}

/* As a text, so that what came as a text goes out as it came; a * that is part of a key is written as %2A. */
static void put_path(struct kp_out *out, const struct kp_matchers *matchers)
{
    const struct kp_str *last = &matchers->path[matchers->npath - 1];
    char text[PATH_TEXT];
    size_t len = 0;

    for (size_t i = 0; i < matchers->npath; i++)
        len = kp_engine_topic_part(matchers->path[i], text, len, sizeof text);
    len--;      /* the last / */
    if (matchers->path_prefix)
        text[len++] = '*';
    else if (last->s[last->len - 1] == '*')
        len = len - 1 + (size_t)snprintf(text + len - 1, 4, "%%2A");
    kp_out_text(out, "path");
    kp_out_str(out, text, len);
}

static void put_matchers(struct kp_out *out, const struct kp_matchers *matchers)
{
    size_t n = matchers->npath > 0;

    for (int f = 0; f < KP_MATCH_FIELDS; f++)
        n += matchers->fields[f].text.s != NULL;
    kp_out_text(out, "matchers");
    kp_out_map(out, n);
    for (int f = 0; f < KP_MATCH_FIELDS; f++)
        if (matchers->fields[f].text.s)
            put_matcher(out, kp_match_field_name(f), matchers->fields[f].text, matchers->fields[f].prefix);
    if (matchers->npath)
        put_path(out, matchers);
    kp_out_end(out);
}

static void put_silence(void *ctx, const struct kp_silence *silence, bool active)
{
    struct kp_out *out = ctx;
    char id[24];

    snprintf(id, sizeof id, "s%llu", (unsigned long long)silence->id);
    kp_out_map(out, 7);
    kp_reply_text(out, "id", id);
    kp_reply_text(out, "state", active ? "active" : "pending");
    put_matchers(out, &silence->matchers);
    kp_reply_uint(out, "from", (uint64_t)silence->from_ms);
    kp_reply_uint(out, "until", (uint64_t)silence->until_ms);
    kp_reply_text(out, "by", silence->by.s);
    kp_reply_text(out, "comment", silence->comment.s);
    kp_out_end(out);
}

/* ---- silence, silences, unsilence ---- */

static enum kp_code silence_of(const struct kp_control *control, const struct kp_request *req, struct kp_silence *silence,
                               struct kp_err *err)
{
    int64_t now = kp_engine_now(control->world.engine);

    *silence = (struct kp_silence){.matchers = req->matchers, .by = req->by};
    if (req->comment.len)
        silence->comment = req->comment;
    if (!req->has_matchers)
        return kp_fail(err, KP_EINVAL, "silence needs \"matchers\", a map of at least one of \"rule\", \"kpi\", \"level\", "
                                       "\"key\", \"path\", \"severity\"; \"silences\" lists them");
    if (req->ids.count > 1 || (req->ids.count && !silence_id(req->ids.items[0], &silence->id)))
        return kp_fail(err, KP_EINVAL, "\"id\" is that of a silence to be replaced, as \"s17\"; without it, one is made");
    if (req->has_until == (req->for_ms > 0))
        return kp_fail(err, KP_EINVAL, "silence needs either \"until\" or \"for\"");
    if (now < 0 && !req->has_from && req->for_ms)
        return kp_fail(err, KP_EINVAL, "there is no time yet to count \"for\" from: say \"from\"");
    silence->from_ms = req->has_from ? req->from_ms : now < 0 ? 0 : now;
    silence->until_ms = req->has_until ? req->until_ms : silence->from_ms + req->for_ms;
    return check_matchers(control, &silence->matchers, err);
}

void kp_control_silence(struct kp_control *control, const struct kp_request *req, struct kp_out *out)
{
    struct kp_engine *engine = control->world.engine;
    const struct kp_silences *silences = kp_engine_silences(engine);
    struct kp_silence silence;
    struct kp_err err = {0};
    enum kp_code code = silence_of(control, req, &silence, &err);
    uint64_t id = 0;

    code = code ? code : kp_engine_silence(engine, &silence, &id, &err);
    if (code) {
        kp_reply_error(out, err.text);
        return;
    }
    control->stirred = true;
    silence = *kp_silences_find(silences, id);
    kp_reply_begin(out, 2);
    kp_reply_now(out, engine);
    kp_out_text(out, "silence");
    put_silence(out, &silence, silence.from_ms <= kp_engine_now(engine));
    kp_out_end(out);
}

void kp_control_silences(struct kp_control *control, struct kp_out *out)
{
    const struct kp_silences *silences = kp_engine_silences(control->world.engine);

    kp_reply_begin(out, 2);
    kp_reply_now(out, control->world.engine);
    kp_out_text(out, "silences");
    kp_out_array(out, kp_silences_count(silences));
    kp_silences_each(silences, put_silence, out);
    kp_out_end(out);
    kp_out_end(out);
}

/* All of them, or none. */
void kp_control_unsilence(struct kp_control *control, const struct kp_request *req, struct kp_out *out)
{
    struct kp_engine *engine = control->world.engine;
    char text[64], error[160];
    uint64_t id, ended = 0;

    if (req->ids.count == 0) {
        kp_reply_error(out, "unsilence needs \"id\": that of a silence, as \"s17\", or a list of them");
        return;
    }
    for (size_t i = 0; i < req->ids.count; i++) {
        if (silence_id(req->ids.items[i], &id) && kp_silences_find(kp_engine_silences(engine), id))
            continue;
        snprintf(error, sizeof error, "no silence \"%s\"; it may be over. Nothing was ended",
                 kp_reply_cut(req->ids.items[i], text));
        kp_reply_error(out, error);
        return;
    }
    for (size_t i = 0; i < req->ids.count; i++)
        ended += silence_id(req->ids.items[i], &id) && kp_engine_unsilence(engine, id);
    control->stirred = true;
    kp_reply_begin(out, 2);
    kp_reply_now(out, engine);
    kp_reply_uint(out, "ended", ended);
    kp_out_end(out);
}

/* ---- ack ---- */

/* What a request's acknowledgement is made of. */
struct acknowledgement {
    struct kp_ack_order order;
    char by[KP_BY_NAME_MAX + 1], comment[KP_COMMENT_MAX + 1];
    uint64_t ids[KP_REQUEST_LIST];
    bool found[KP_REQUEST_LIST];
};

/* Ascending, each once. */
static enum kp_code take_ids(const struct kp_str_list *list, struct acknowledgement *ack, struct kp_err *err)
{
    size_t n = 0;
    char text[64];

    for (size_t i = 0; i < list->count; i++)
        if (!alert_id(list->items[i], &ack->ids[i]))
            return kp_fail(err, KP_EINVAL, "\"%s\" is no alert's id: those are hexadecimal digits",
                           kp_reply_cut(list->items[i], text));
    qsort(ack->ids, list->count, sizeof *ack->ids, by_id);
    for (size_t i = 0; i < list->count; i++)
        if (n == 0 || ack->ids[i] != ack->ids[n - 1])
            ack->ids[n++] = ack->ids[i];
    ack->order.ids = ack->ids;
    ack->order.nids = n;
    return KP_OK;
}

static enum kp_code acknowledgement_of(const struct kp_control *control, const struct kp_request *req,
                                       struct acknowledgement *ack, struct kp_err *err)
{
    enum kp_code code;

    ack->order = (struct kp_ack_order){.matchers = &req->matchers, .by = ack->by, .undo = req->undo};
    if (req->has_matchers == (req->ids.count > 0))
        return kp_fail(err, KP_EINVAL, "ack needs either \"id\", that of an alert or a list of them, or \"matchers\"");
    if (req->by.len == 0 && !req->undo)
        return kp_fail(err, KP_EINVAL, "ack needs \"by\": who sees to it");
    code = kp_remark_check(req->by, "by", KP_BY_NAME_MAX, err);
    code = code ? code : kp_remark_check(req->comment, "comment", KP_COMMENT_MAX, err);
    if (code)
        return code;
    snprintf(ack->by, sizeof ack->by, "%.*s", (int)req->by.len, req->by.len ? req->by.s : "");
    snprintf(ack->comment, sizeof ack->comment, "%.*s", (int)req->comment.len, req->comment.len ? req->comment.s : "");
    if (req->comment.len)
        ack->order.comment = ack->comment;
    return req->has_matchers ? check_matchers(control, &req->matchers, err) : take_ids(&req->ids, ack, err);
}

static void put_unknown(struct kp_out *out, const struct acknowledgement *ack)
{
    size_t unknown = 0;

    for (size_t i = 0; i < ack->order.nids; i++)
        unknown += !ack->found[i];
    kp_out_text(out, "unknown");
    kp_out_array(out, unknown);
    for (size_t i = 0; i < ack->order.nids; i++) {
        char id[24];

        if (ack->found[i])
            continue;
        snprintf(id, sizeof id, "%016llx", (unsigned long long)ack->ids[i]);
        kp_out_text(out, id);
    }
    kp_out_end(out);
}

void kp_control_ack(struct kp_control *control, const struct kp_request *req, struct kp_out *out)
{
    struct acknowledgement ack;
    struct kp_err err = {0};
    enum kp_code code = acknowledgement_of(control, req, &ack, &err);
    size_t done = 0;

    code = code ? code : kp_engine_ack(control->world.engine, &ack.order, ack.found, &done, &err);
    control->stirred |= done > 0;
    if (code) {
        kp_reply_error(out, err.text);
        return;
    }
    kp_reply_begin(out, 3);
    kp_reply_now(out, control->world.engine);
    kp_reply_uint(out, "alerts", done);
    put_unknown(out, &ack);
    kp_out_end(out);
}
