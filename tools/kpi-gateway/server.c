/* HTTP by libmicrohttpd: what it calls, and how a request gets its reply. */
#include "gateway_inside.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MEMORY = 32768,             /* of a connection: its headers, and what is being sent */
    TIMEOUT_S = 30,             /* of one that says nothing; who follows a stream is set aside, and not counted */
    BACKLOG = 1024,
};

/* ---- Replies ---- */

void request_answer(struct request *request, unsigned status, struct text *text, const char *type)
{
    if (text->failed || request->reply.status) {
        text_release(text);
        if (!request->reply.status)
            request->reply.status = MHD_HTTP_INTERNAL_SERVER_ERROR;
        return;
    }
    request->reply.status = status;
    request->reply.bytes = text->s;
    request->reply.len = text->len;
    request->reply.type = type;
    *text = (struct text){0};
}

void request_fail(struct request *request, unsigned status, const char *fmt, ...)
{
    char why[512];
    struct text text = {0};
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    text_add(&text, "{\"error\":\"");
    text_escape(&text, why, ESCAPE_JSON);
    text_add(&text, "\"}");
    request_answer(request, status, &text, "application/json");
}

void request_answer_frame(struct request *request, struct frame *frame)
{
    struct text text = {0};

    if (frame)
        text_put(&text, frame->bytes, frame->len);
    else
        text.failed = true;
    frame_release(frame);
    request_answer(request, MHD_HTTP_OK, &text, "application/json");
}

void request_suspend(struct request *request)
{
    struct gateway *gateway = request->gateway;

    if (request->suspended)
        return;
    request->suspended = true;
    request->next = gateway->aside;
    request->before = &gateway->aside;
    if (request->next)
        request->next->before = &request->next;
    gateway->aside = request;
    MHD_suspend_connection(request->connection);
}

void request_resume(struct request *request)
{
    if (!request->suspended)
        return;
    request->suspended = false;
    *request->before = request->next;
    if (request->next)
        request->next->before = request->before;
    MHD_resume_connection(request->connection);
}

const char *request_param(const struct request *request, const char *name)
{
    const char *value = MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);

    return value && *value ? value : NULL;
}

const char *request_header(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* Nothing of another site is loaded, nothing here runs within one, and nobody keeps what they were told. */
static void add_headers(struct MHD_Response *response, const struct reply *reply)
{
    MHD_add_response_header(response, "Content-Security-Policy",
                            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; "
                            "manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    MHD_add_response_header(response, "Cache-Control", reply->file ? "no-cache" : "no-store");
    if (reply->type)
        MHD_add_response_header(response, "Content-Type", reply->type);
    if (reply->file)
        MHD_add_response_header(response, "ETag", reply->file->etag);
    if (reply->cookie[0])
        MHD_add_response_header(response, "Set-Cookie", reply->cookie);
    if (reply->status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
}

static struct MHD_Response *response_of(struct request *request)
{
    struct reply *reply = &request->reply;
    const struct page_file *file = reply->file;
    struct MHD_Response *response;

    if (reply->streams)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, MEMORY / 2, stream_read, request->stream, NULL);
    if (file)
        return MHD_create_response_from_buffer(reply->status == MHD_HTTP_OK ? file->len : 0, file->bytes, MHD_RESPMEM_PERSISTENT);
    response = MHD_create_response_from_buffer(reply->len, reply->bytes, MHD_RESPMEM_MUST_FREE);
    if (response)
        reply->bytes = NULL;    /* it is the response's now */
    return response;
}

static enum MHD_Result send_reply(struct request *request)
{
    struct MHD_Response *response = response_of(request);
    enum MHD_Result queued;

    if (!response)
        return MHD_NO;
    add_headers(response, &request->reply);
    queued = MHD_queue_response(request->connection, request->reply.status, response);
    MHD_destroy_response(response);
    return queued;
}

/* ---- Requests ---- */

static void release(struct request *request)
{
    stream_end(&request->stream);
    upstream_forget(request->gateway->upstream, request);
    setup_release(request->setup);
    text_release(&request->body);
    free(request->reply.bytes);
    free(request->url);
    free(request->method);
    free(request);
}

static struct request *make(struct gateway *gateway, struct MHD_Connection *connection, const char *url, const char *method)
{
    struct request *request = calloc(1, sizeof *request);

    if (!request)
        return NULL;
    request->gateway = gateway;
    request->connection = connection;
    request->setup = gateway->setup;
    request->setup->refs++;
    request->url = strdup(url);
    request->method = strdup(method);
    gateway->stats.requests++;
    if (!request->url || !request->method) {
        release(request);
        return NULL;
    }
    return request;
}

static void take_body(struct request *request, const char *bytes, size_t len)
{
    if (request->body.len + len > BODY_MAX)
        request->is_large = true;
    else
        text_put(&request->body, bytes, len);
}

/* What is in force when all of it is there: its body may have taken a while. */
static void take_setup(struct request *request)
{
    struct setup *setup = request->gateway->setup;

    setup->refs++;
    setup_release(request->setup);
    request->setup = setup;
}

/* First without a body, then with each part of it, then without one again; and once more when it was set aside. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                                  const char *bytes, size_t *len, void **its)
{
    struct request *request = *its;

    (void)version;
    if (!request) {
        *its = make(ctx, connection, url, method);
        return *its ? MHD_YES : MHD_NO;
    }
    if (*len) {
        take_body(request, bytes, *len);
        *len = 0;
        return MHD_YES;
    }
    if (!request->routed) {
        request->routed = true;
        take_setup(request);
        if (request->gateway->ending)
            request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "the gateway ends");
        else if (request->is_large || strlen(url) > URL_MAX)
            request_fail(request, MHD_HTTP_CONTENT_TOO_LARGE, "more than %d bytes", BODY_MAX);
        else
            api_route(request);
    }
    if (request->reply.status)
        return send_reply(request);
    return MHD_YES;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **its, enum MHD_RequestTerminationCode how)
{
    (void)ctx;
    (void)connection;
    (void)how;
    if (*its)
        release(*its);
    *its = NULL;
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **its, enum MHD_ConnectionNotificationCode what)
{
    struct gateway *gateway = ctx;

    (void)connection;
    (void)its;
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        gateway->stats.browsers++;
    else
        gateway->stats.browsers--;
}

static void on_log(void *ctx, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
static void on_log(void *ctx, const char *fmt, va_list args)
{
    char text[512], quoted[700];

    (void)ctx;
    vsnprintf(text, sizeof text, fmt, args);
    text[strcspn(text, "\n")] = '\0';
    kp_log(KP_LOG_WARN, "event=http what=%s", kp_log_quote(text, strlen(text), quoted, sizeof quoted));
}

/* ---- Opening ---- */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Which of the two kinds it is. */
static bool address_of(const struct gateway_config *config, union address *address)
{
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET6, config->host, &address->v6.sin6_addr) == 1) {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons(config->port);
        return true;
    }
    inet_pton(AF_INET, config->host, &address->v4.sin_addr);
    address->v4.sin_family = AF_INET;
    address->v4.sin_port = htons(config->port);
    return false;
}

enum kp_code server_open(struct gateway *gateway, struct kp_err *err)
{
    const struct gateway_config *config = &gateway->setup->config;
    const union MHD_DaemonInfo *info;
    union address address;
    bool is_v6 = address_of(config, &address);
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (is_v6 ? MHD_USE_IPv6 : 0u);

    gateway->http = MHD_start_daemon(flags, config->port, NULL, NULL, on_request, gateway, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
                                     MHD_OPTION_SOCK_ADDR, &address.any, MHD_OPTION_NOTIFY_COMPLETED, on_completed, gateway,
                                     MHD_OPTION_NOTIFY_CONNECTION, on_connection, gateway, MHD_OPTION_CONNECTION_LIMIT,
                                     config->browsers, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S,
                                     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY, MHD_OPTION_LISTEN_BACKLOG_SIZE,
                                     (unsigned)BACKLOG, MHD_OPTION_END);
    if (!gateway->http)
        return kp_fail(err, KP_EIO, "listen: %s port %u: can't be listened at (is it in use?)", config->host, config->port);
    info = MHD_get_daemon_info(gateway->http, MHD_DAEMON_INFO_BIND_PORT);
    gateway->port = info ? info->port : config->port;
    return KP_OK;
}

/* libmicrohttpd does not end while a connection is set aside. */
void server_close(struct gateway *gateway)
{
    if (!gateway->http)
        return;
    gateway->ending = true;
    while (gateway->aside) {
        struct request *request = gateway->aside;

        if (request->stream)
            stream_cut(request->stream);
        else
            request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "the gateway ends");
        request_resume(request);
    }
    MHD_run(gateway->http);
    MHD_stop_daemon(gateway->http);
    gateway->http = NULL;
}
