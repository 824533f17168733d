/* The API: which request is answered how. What only kpid knows it is asked, on behalf of who asks here. */
#include "gateway_inside.h"

#include "object.h"

#include "kpid/out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char json[] = "application/json";

/* ---- Asking kpid ---- */

/* A request of kpid's control socket, as JSON. */
static struct kp_out *question(const char *op, size_t entries)
{
    struct kp_out *out = kp_out_new(true, NULL);

    if (!out)
        return NULL;
    kp_out_map(out, entries + 1);
    kp_out_text(out, "op");
    kp_out_text(out, op);
    return out;
}

static void put(struct kp_out *out, const char *name, const char *value)
{
    kp_out_text(out, name);
    kp_out_text(out, value);
}

/* `within`: the paths that they may read, null for everything. */
static void put_within(struct kp_out *out, const struct rights *rights)
{
    kp_out_text(out, "within");
    if (rights_see_all(rights)) {
        kp_out_nil(out);
        return;
    }
    kp_out_array(out, rights->user.read.count);
    for (size_t i = 0; i < rights->user.read.count; i++)
        kp_out_text(out, rights->user.read.items[i]);
    kp_out_end(out);
}

typedef bool maker(struct request *request, const msgpack_object *reply, struct text *text);

/* What a maker has made is the answer, unless it has asked something else. */
static void answer_unless_asked(struct request *request, maker *made, struct text *text)
{
    if (request->made == made)
        request_answer(request, MHD_HTTP_OK, text, json);
}

/* What a refusal of kpid's is for HTTP. */
static unsigned status_of(const char *why)
{
    static const struct {
        const char *begin;
        unsigned status;
    } known[] = {{"no ", MHD_HTTP_NOT_FOUND}, {"denied", MHD_HTTP_NOT_FOUND}, {"busy", MHD_HTTP_SERVICE_UNAVAILABLE}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncmp(why, known[i].begin, strlen(known[i].begin)) == 0)
            return known[i].status;
    return MHD_HTTP_BAD_REQUEST;
}

/* kpid's answer, or a refusal of it, becomes ours. */
static void on_answer(void *ctx, const void *bytes, size_t len)
{
    struct request *request = ctx;
    maker *made = request->made;
    struct text text = {0};
    msgpack_unpacked item;
    const msgpack_object *ok;
    char why[400];

    msgpack_unpacked_init(&item);
    if (!bytes) {
        request_fail(request, MHD_HTTP_GATEWAY_TIMEOUT, "kpid does not answer");
    } else if (!object_parse(bytes, len, &item)) {
        request_fail(request, MHD_HTTP_BAD_GATEWAY, "kpid's answer is not understood");
    } else {
        ok = object_get(&item.data, "ok");
        object_text(object_get(&item.data, "error"), why, sizeof why);
        if (!object_true(ok))
            request_fail(request, status_of(why), "%s", why);
        else if (made(request, &item.data, &text))
            answer_unless_asked(request, made, &text);
        else
            request_fail(request, MHD_HTTP_BAD_GATEWAY, "kpid's answer is not understood");
    }
    text_release(&text);
    msgpack_unpacked_destroy(&item);
    if (request->reply.status)
        request_resume(request);    /* else there was another question */
}

/* Ask kpid, and set the request aside until it has answered. made: makes the answer's text of kpid's reply; false: it can't. out is
 * destroyed. */
static void ask(struct request *request, struct kp_out *out, maker *made)
{
    struct gateway *gateway = request->gateway;
    const void *bytes = NULL;
    size_t len = 0;

    if (out) {
        kp_out_end(out);
        bytes = kp_out_bytes(out, &len);
    }
    request->made = made;
    if (!bytes)
        request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    else if (!upstream_ask(gateway->upstream, bytes, len, gateway->steady_ms, on_answer, request))
        request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "kpid is not there");
    else
        request_suspend(request);
    kp_out_destroy(&out);
}

/* ---- Making answers ---- */

static bool put_object(struct text *text, const msgpack_object *object)
{
    struct kp_out *out = kp_out_new(true, NULL);
    const void *bytes = NULL;
    size_t len;

    if (!out)
        return false;
    object_put(out, object);
    bytes = kp_out_bytes(out, &len);
    if (bytes)
        text_put(text, bytes, len);
    kp_out_destroy(&out);
    return bytes != NULL;
}

/* The reply's fields of these names. */
static bool put_fields(struct text *text, const msgpack_object *reply, const char *const *names)
{
    bool first = true;

    for (; *names; names++) {
        const msgpack_object *value = object_get(reply, *names);

        if (!value)
            continue;
        text_addf(text, "%s\"%s\":", first ? "{" : ",", *names);
        if (!put_object(text, value))
            return false;
        first = false;
    }
    text_add(text, first ? "{}" : "}");
    return true;
}

static bool made_history(struct request *request, const msgpack_object *reply, struct text *text)
{
    static const char *const names[] = {"kpi", "level", "path", "window", "values", "alerts", "more", NULL};

    (void)request;
    return put_fields(text, reply, names);
}

static bool made_explanation(struct request *request, const msgpack_object *reply, struct text *text)
{
    static const char *const names[] = {"time", "explanation", NULL};

    (void)request;
    return put_fields(text, reply, names);
}

static bool made_all(struct request *request, const msgpack_object *reply, struct text *text)
{
    (void)request;
    return put_object(text, reply);
}

static bool made_change(struct request *request, const msgpack_object *reply, struct text *text)
{
    static const char *const names[] = {"silence", "alerts", "unknown", NULL};

    (void)request;
    return put_fields(text, reply, names);
}

static const char *name_of(const struct rights *rights)
{
    return *rights->name ? rights->name : "anonymous";
}

static bool is_theirs(const struct rights *rights, const msgpack_object *silence)
{
    return rights_see_all(rights) || object_is(object_get(silence, "by"), name_of(rights));
}

/* Silences tell who is silenced: who does not see everything sees their own. */
static bool made_silences(struct request *request, const msgpack_object *reply, struct text *text)
{
    const msgpack_object *list = object_get(reply, "silences");
    size_t n = 0;

    text_add(text, "{\"silences\":[");
    for (size_t i = 0; i < object_count(list); i++) {
        if (!is_theirs(request->rights, &list->via.array.ptr[i]))
            continue;
        text_add(text, n++ ? "," : "");
        if (!put_object(text, &list->via.array.ptr[i]))
            return false;
    }
    text_add(text, "]}");
    return true;
}

/* {"value":...,"rank":...} of each, who is at the path that is asked about marked as "own". */
static bool made_ranks(struct request *request, const msgpack_object *reply, struct text *text)
{
    const msgpack_object *list = object_get(reply, "snapshots");
    const char *kpi = request_param(request, "kpi"), *window = request_param(request, "window"), *own = request_param(request, "path");
    size_t n = 0, len;
    char path[4096];

    text_add(text, "{\"ranks\":[");
    for (size_t i = 0; i < object_count(list); i++) {
        const msgpack_object *one = &list->via.array.ptr[i], *cell = object_get(object_get(object_get(one, "kpis"), kpi), window);
        bool is_own = object_topic(object_get(one, "path"), path, sizeof path, &len) && own && strcmp(path, own) == 0;

        if (!cell || !(is_own || object_is(object_get(one, "kind"), "peer")))
            continue;
        text_addf(text, "%s{\"own\":%s,\"cell\":", n++ ? "," : "", is_own ? "true" : "false");
        if (!put_object(text, cell))
            return false;
        text_add(text, "}");
    }
    text_add(text, "]}");
    return true;
}

/* ---- Requests: reading ---- */

static void answer_me(struct request *request)
{
    const struct rights *rights = request->rights;
    struct text text = {0};

    text_add(&text, "{\"user\":\"");
    text_escape(&text, name_of(rights), ESCAPE_JSON);
    text_add(&text, "\",\"read\":");
    if (rights_see_all(rights)) {
        text_add(&text, "\"all\"");
    } else {
        text_add(&text, "[");
        for (size_t i = 0; i < rights->user.read.count; i++) {
            text_add(&text, i ? ",\"" : "\"");
            text_escape(&text, rights->user.read.items[i], ESCAPE_JSON);
            text_add(&text, "\"");
        }
        text_add(&text, "]");
    }
    text_addf(&text, ",\"acknowledge\":%s,\"admin\":%s,\"anonymous\":%s,\"login\":%s}", rights_acknowledge(rights) ? "true" : "false",
              rights->user.admin ? "true" : "false", *rights->name ? "false" : "true", request->setup->config.nusers ? "true" : "false");
    request_answer(request, MHD_HTTP_OK, &text, json);
}

static void answer_catalog(struct request *request)
{
    static const char *const names[] = {"zone", "levels", "kpis", "alerts", "funnels", "contests", NULL};
    const msgpack_object *catalog = upstream_catalog(request->gateway->upstream);
    struct text text = {0};

    if (!catalog) {
        request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "kpid is not there");
    } else if (!put_fields(&text, catalog, names)) {
        text_release(&text);
        request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    } else {
        text.len--;     /* its brace */
        text_addf(&text, ",\"peers\":\"%s\"}", request->setup->config.peers_anonymous ? "anonymous" : "hidden");
        request_answer(request, MHD_HTTP_OK, &text, json);
    }
}

/* Whatever was told last, also while kpid does not answer: `time` says when. */
static void answer_of_view(struct request *request, bool alerts)
{
    struct gateway *gateway = request->gateway;
    struct view_query query;
    struct kp_err err = {0};
    struct view *view;

    view_query_of(request, &query);
    view = view_new(request->rights, &query, &err);
    if (!view) {
        request_fail(request, err.code == KP_EINVAL ? MHD_HTTP_BAD_REQUEST : MHD_HTTP_SERVICE_UNAVAILABLE, "%s", err.text);
        return;
    }
    request_answer_frame(request, alerts ? view_alerts(view, gateway->state) : view_all(view, gateway->state, gateway->now_ms, false));
    view_destroy(&view);
}

static void answer_snapshots(struct request *request)
{
    answer_of_view(request, false);
}

static void answer_alerts(struct request *request)
{
    answer_of_view(request, true);
}

/* The parameters of these names, where they are given; else null, which kpid takes for not said. */
static void put_params(struct kp_out *out, const struct request *request, const char *const *names)
{
    for (; out && *names; names++)
        put(out, *names, request_param(request, *names));
}

static bool needs(struct request *request, const char *const *names)
{
    for (; *names; names++)
        if (!request_param(request, *names)) {
            request_fail(request, MHD_HTTP_BAD_REQUEST, "the parameter \"%s\" is missing", *names);
            return false;
        }
    return true;
}

static const char *const kpi_and_window[] = {"kpi", "window", NULL};

/* Instants come as texts; a number is one of ms. */
static void put_instant(struct kp_out *out, const struct request *request, const char *name)
{
    const char *value = request_param(request, name);
    char *end = NULL;
    long long ms = value ? strtoll(value, &end, 10) : 0;

    if (!out)
        return;
    kp_out_text(out, name);
    if (value && *end == '\0')
        kp_out_int(out, ms);
    else
        kp_out_text(out, value);
}

static void ask_history(struct request *request)
{
    static const char *const names[] = {"kpi", "window", "level", "key", NULL};
    struct kp_out *out;

    if (!needs(request, kpi_and_window))
        return;
    out = question("history", 7);
    put_params(out, request, names);
    put_instant(out, request, "from");
    put_instant(out, request, "to");
    if (out)
        put_within(out, request->rights);
    ask(request, out, made_history);
}

static void ask_alert_history(struct request *request)
{
    static const char *const names[] = {"rule", "level", "key", NULL};
    struct kp_out *out = question("history", 7);

    put_params(out, request, names);
    put_instant(out, request, "from");
    put_instant(out, request, "to");
    if (out) {
        kp_out_text(out, "alerts");
        kp_out_bool(out, true);
        put_within(out, request->rights);
    }
    ask(request, out, made_history);
}

static void ask_explain(struct request *request)
{
    static const char *const names[] = {"kpi", "window", "level", "key", NULL};
    struct kp_out *out;

    if (!needs(request, kpi_and_window))
        return;
    out = question("explain", 5);
    put_params(out, request, names);
    if (out)
        put_within(out, request->rights);
    ask(request, out, made_explanation);
}

/* Asked as somebody who may read that one rep alone, since those beside them are told without names of nobody else. */
static void ask_ranks(struct request *request)
{
    static const char *const names[] = {"kpi", "window", "path", NULL};
    const char *path = request_param(request, "path");
    struct kp_out *out;

    if (!needs(request, names))
        return;
    if (!request->setup->config.peers_anonymous || !rights_see(request->rights, path, strlen(path))) {
        request_fail(request, MHD_HTTP_NOT_FOUND, "there is no such path that you may see");
        return;
    }
    out = question("get", 4);
    if (out) {
        put(out, "kpis", request_param(request, "kpi"));
        put(out, "windows", request_param(request, "window"));
        put(out, "within", path);
        kp_out_text(out, "peers");
        kp_out_bool(out, true);
    }
    ask(request, out, made_ranks);
}

static bool made_contests(struct request *request, const msgpack_object *reply, struct text *text)
{
    static const char *const names[] = {"time", "contests", NULL};

    (void)request;
    return put_fields(text, reply, names);
}

static void ask_contests(struct request *request)
{
    struct kp_out *out = question("contests", 1);

    if (out)
        put_within(out, request->rights);
    ask(request, out, made_contests);
}

static void ask_status(struct request *request)
{
    ask(request, question("status", 0), made_all);
}

static void ask_silences(struct request *request)
{
    ask(request, question("silences", 0), made_silences);
}

static void answer_openapi(struct request *request)
{
    request->reply.file = page_find(request->gateway->page, "/openapi.json");
    request->reply.type = json;
    request->reply.status = request->reply.file ? MHD_HTTP_OK : 0;
    if (!request->reply.file)
        request_fail(request, MHD_HTTP_NOT_FOUND, "there is no such thing");
}

/* ---- Requests: changing ---- */

static bool parse_body(struct request *request, msgpack_unpacked *item)
{
    msgpack_unpacked_init(item);
    if (object_parse(text_of(&request->body), request->body.len, item) && item->data.type == MSGPACK_OBJECT_MAP)
        return true;
    request_fail(request, MHD_HTTP_BAD_REQUEST, "the body is no JSON map");
    return false;
}

/* An alert that they may see, by its id; NULL: there is none. */
static const struct state_alert *alert_of(const struct request *request, const msgpack_object *id)
{
    const struct state_alert *alert = id && id->type == MSGPACK_OBJECT_STR
                                          ? state_find_alert(request->gateway->state, id->via.str.ptr, id->via.str.size)
                                          : NULL;

    return alert && rights_see(request->rights, alert->path, alert->path_len) ? alert : NULL;
}

static void put_field(struct kp_out *out, const msgpack_object *body, const char *name)
{
    const msgpack_object *value = object_get(body, name);

    kp_out_text(out, name);
    if (value)
        object_put(out, value);
    else
        kp_out_nil(out);
}

static void ask_acknowledge(struct request *request)
{
    const msgpack_object *ids;
    msgpack_unpacked item;
    struct kp_out *out;

    if (!parse_body(request, &item)) {
        msgpack_unpacked_destroy(&item);
        return;
    }
    ids = object_get(&item.data, "ids");
    for (size_t i = 0; i < object_count(ids) && !request->reply.status; i++)
        if (!alert_of(request, &ids->via.array.ptr[i]))
            request_fail(request, MHD_HTTP_NOT_FOUND, "there is no such alert");
    if (!object_count(ids))
        request_fail(request, MHD_HTTP_BAD_REQUEST, "\"ids\" is a list of alerts' ids");
    if (!request->reply.status) {
        out = question("ack", 4);
        if (out) {
            kp_out_text(out, "id");
            object_put(out, ids);
            put(out, "by", name_of(request->rights));
            put_field(out, &item.data, "comment");
            put_field(out, &item.data, "undo");
        }
        ask(request, out, made_change);
    }
    msgpack_unpacked_destroy(&item);
}

/* Of an alert: that rule for whom it is about, exactly. Anything else is for admins. */
static void ask_silence(struct request *request)
{
    const msgpack_object *matchers = NULL;
    const struct state_alert *alert;
    msgpack_unpacked item, named;
    struct kp_out *out;

    msgpack_unpacked_init(&named);
    if (parse_body(request, &item)) {
        alert = alert_of(request, object_get(&item.data, "alert"));
        matchers = alert && object_parse(alert->matchers, strlen(alert->matchers), &named) ? &named.data : object_get(&item.data, "matchers");
        if (!alert && object_get(&item.data, "alert"))
            request_fail(request, MHD_HTTP_NOT_FOUND, "there is no such alert");
        else if (!alert && !request->rights->user.admin)
            request_fail(request, MHD_HTTP_FORBIDDEN, "\"alert\" is needed: the id of one that you see");
        else if (!matchers)
            request_fail(request, MHD_HTTP_BAD_REQUEST, "\"alert\" or \"matchers\" is needed");
    }
    if (!request->reply.status) {
        out = question("silence", 6);
        if (out) {
            kp_out_text(out, "matchers");
            object_put(out, matchers);
            put(out, "by", name_of(request->rights));
            put_field(out, &item.data, "for");
            put_field(out, &item.data, "from");
            put_field(out, &item.data, "until");
            put_field(out, &item.data, "comment");
        }
        ask(request, out, made_change);
    }
    msgpack_unpacked_destroy(&item);
    msgpack_unpacked_destroy(&named);
}

/* Whose it is, kpid knows; so it is asked first, and then told. */
static bool made_end(struct request *request, const msgpack_object *reply, struct text *text)
{
    const msgpack_object *list = object_get(reply, "silences");
    const char *id = strrchr(request->url, '/') + 1;
    struct kp_out *out;

    (void)text;
    for (size_t i = 0; i < object_count(list); i++)
        if (object_is(object_get(&list->via.array.ptr[i], "id"), id) && is_theirs(request->rights, &list->via.array.ptr[i])) {
            out = question("unsilence", 1);
            if (out)
                put(out, "id", id);
            ask(request, out, made_change);
            return true;
        }
    request_fail(request, MHD_HTTP_NOT_FOUND, "there is no such silence");
    return true;
}

static void ask_end(struct request *request)
{
    ask(request, question("silences", 0), made_end);
}

/* ---- Everything else ---- */

static void answer_health(struct request *request)
{
    struct text text = {0};

    text_add(&text, "{\"status\":\"running\"}");
    request_answer(request, MHD_HTTP_OK, &text, json);
}

static void answer_ready(struct request *request)
{
    struct text text = {0};

    if (!upstream_is_ready(request->gateway->upstream)) {
        request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "%s",
                     upstream_is_up(request->gateway->upstream) ? "kpid has not told everything yet" : "kpid does not answer");
        return;
    }
    text_add(&text, "{\"status\":\"ready\"}");
    request_answer(request, MHD_HTTP_OK, &text, json);
}

static void answer_page(struct request *request)
{
    const char *known = request_header(request, MHD_HTTP_HEADER_IF_NONE_MATCH);
    const struct page_file *file = page_find(request->gateway->page, request->url);

    if (!file) {
        request_fail(request, MHD_HTTP_NOT_FOUND, "there is no such thing");
        return;
    }
    request->reply.file = file;
    request->reply.type = file->type;
    request->reply.status = known && strcmp(known, file->etag) == 0 ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK;
}

/* ---- Routes ---- */

enum need {
    NOBODY,         /* in particular */
    SOMEBODY,
    ASKER,          /* somebody who has not asked too much */
    ACKNOWLEDGER,   /* the same, who may acknowledge */
    ADMIN,
    ALL,            /* whoever sees everything */
};

static const struct route {
    const char *method, *path;      /* a path that ends in * is a beginning */
    enum need need;
    void (*answer)(struct request *request);
} routes[] = {
    {"GET", "/healthz", NOBODY, answer_health},
    {"GET", "/readyz", NOBODY, answer_ready},
    {"POST", "/login", NOBODY, who_logs_in},
    {"POST", "/logout", NOBODY, who_logs_out},
    {"GET", "/api/v1/openapi.json", NOBODY, answer_openapi},
    {"GET", "/api/v1/me", SOMEBODY, answer_me},
    {"GET", "/api/v1/catalog", SOMEBODY, answer_catalog},
    {"GET", "/api/v1/snapshots", ASKER, answer_snapshots},
    {"GET", "/api/v1/alerts", ASKER, answer_alerts},
    {"GET", "/api/v1/alerts/history", ASKER, ask_alert_history},
    {"GET", "/api/v1/history", ASKER, ask_history},
    {"GET", "/api/v1/explain", ASKER, ask_explain},
    {"GET", "/api/v1/ranks", ASKER, ask_ranks},
    {"GET", "/api/v1/contests", ASKER, ask_contests},
    {"GET", "/api/v1/silences", ACKNOWLEDGER, ask_silences},
    {"POST", "/api/v1/silences", ACKNOWLEDGER, ask_silence},
    {"DELETE", "/api/v1/silences/*", ACKNOWLEDGER, ask_end},
    {"POST", "/api/v1/acknowledgements", ACKNOWLEDGER, ask_acknowledge},
    {"GET", "/api/v1/status", ADMIN, ask_status},
    {"GET", "/events", ASKER, stream_begin},
    {"GET", "/metrics", ALL, scrape},
};

static bool is_at(const struct route *route, const char *url)
{
    size_t len = strlen(route->path);

    return route->path[len - 1] == '*' ? strncmp(url, route->path, len - 1) == 0 && url[len - 1] && !strchr(url + len - 1, '/')
                                       : strcmp(url, route->path) == 0;
}

/* False: it was answered. */
static bool may(struct request *request, enum need need)
{
    request->rights = who_asks(request);
    if (need == NOBODY)
        return true;
    if (!request->rights)
        request_fail(request, MHD_HTTP_UNAUTHORIZED, "say who you are");
    else if ((need == ACKNOWLEDGER && !rights_acknowledge(request->rights)) || (need == ADMIN && !request->rights->user.admin) ||
             (need == ALL && !rights_see_all(request->rights)))
        request_fail(request, MHD_HTTP_FORBIDDEN, "you may not");
    else
        return need < ASKER || who_may_ask_more(request);
    who_was_denied(request, request->rights ? "what they may not" : "somebody unknown");
    return false;
}

void api_route(struct request *request)
{
    bool known = false;

    if (strcmp(request->method, "HEAD") == 0)
        memcpy(request->method, "GET", 4);
    if (!who_is_at_home(request))
        return;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!is_at(&routes[i], request->url))
            continue;
        known = true;
        if (strcmp(routes[i].method, request->method) != 0)
            continue;
        if (may(request, routes[i].need))
            routes[i].answer(request);
        return;
    }
    if (known)
        request_fail(request, MHD_HTTP_METHOD_NOT_ALLOWED, "%s is not for this", request->method);
    else if (strcmp(request->method, "GET") != 0)
        request_fail(request, MHD_HTTP_NOT_FOUND, "there is no such thing");
    else
        answer_page(request);
}
