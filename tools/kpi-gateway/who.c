/* Who asks: by a token, a cookie, or a proxy's word. */
#include "gateway_inside.h"

#include "object.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COOKIE "kpid"

static const char *address_of(const struct request *request, char *buf, size_t size)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;

    *buf = '\0';
    if (address && address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, buf, (socklen_t)size);
    else if (address && address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, buf, (socklen_t)size);
    return buf;
}

static bool comes_by_proxy(const struct request *request)
{
    char address[INET6_ADDRSTRLEN];

    return request->setup->config.proxy_header &&
           gateway_config_is_proxy(&request->setup->config, address_of(request, address, sizeof address));
}

static const char *cookie_of(const struct request *request)
{
    return MHD_lookup_connection_value(request->connection, MHD_COOKIE_KIND, COOKIE);
}

/* What is said wrongly makes nobody of them, not whoever does not say anything. */
const struct rights *who_asks(struct request *request)
{
    const struct gateway_config *config = &request->setup->config;
    const char *bearer = request_header(request, MHD_HTTP_HEADER_AUTHORIZATION), *cookie = cookie_of(request), *user;
    const char *named = comes_by_proxy(request) ? request_header(request, config->proxy_header) : NULL;

    if (named && *named)
        return gateway_config_user(config, named);
    if (bearer && strncasecmp(bearer, "Bearer ", 7) == 0)
        return gateway_config_token(config, bearer + 7, strlen(bearer + 7));
    user = cookie ? sessions_user(request->gateway->sessions, cookie, request->gateway->steady_ms) : NULL;
    request->by_cookie = user != NULL;
    if (user)
        return gateway_config_user(config, user);
    return config->has_anonymous ? &config->anonymous : NULL;
}

/* A name that another site may have pointed here (DNS rebinding) is none of ours, where no proxy stands before us. */
static bool is_our_host(const struct request *request)
{
    const char *host = request_header(request, MHD_HTTP_HEADER_HOST), *config = request->setup->config.host;
    size_t len = host ? strcspn(host, host[0] == '[' ? "]" : ":") : 0;
    unsigned char bytes[16];
    char name[64];

    if (!host || comes_by_proxy(request))
        return true;
    if (strncmp(config, "127.", 4) != 0 && strcmp(config, "::1") != 0)
        return true;
    if (host[0] == '[')
        return strncmp(host, "[::1]", 5) == 0;
    if (len >= sizeof name)
        return false;
    memcpy(name, host, len);
    name[len] = '\0';
    return strcasecmp(name, "localhost") == 0 || (inet_pton(AF_INET, name, bytes) == 1 && bytes[0] == 127);
}

bool who_is_at_home(struct request *request)
{
    const char *site = request_header(request, "Sec-Fetch-Site"), *type = request_header(request, MHD_HTTP_HEADER_CONTENT_TYPE);
    bool changes = strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0;

    if (!is_our_host(request))
        request_fail(request, MHD_HTTP_MISDIRECTED_REQUEST, "this is no place of that name");
    else if (changes && site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        request_fail(request, MHD_HTTP_FORBIDDEN, "asked for by another site");
    else if (changes && strcmp(request->method, "DELETE") != 0 && (!type || strncasecmp(type, "application/json", 16) != 0))
        request_fail(request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json");
    return !request->reply.status;
}

void who_was_denied(struct request *request, const char *what)
{
    struct gateway *gateway = request->gateway;
    const char *name = request->rights ? request->rights->name : "";
    char address[INET6_ADDRSTRLEN], user[300], url[300];
    uint64_t held;

    gateway->stats.denied++;
    if (!kp_log_allow(&gateway->log, gateway->now_ms, &held))
        return;
    kp_log(KP_LOG_WARN, "event=denied what=\"%s\" user=%s address=%s method=%.10s url=%s not_said=%llu", what,
           kp_log_quote(name, strlen(name), user, sizeof user), address_of(request, address, sizeof address), request->method,
           kp_log_quote(request->url, strlen(request->url), url, sizeof url), (unsigned long long)held);
}

struct allowance *who_may(const struct request *request)
{
    const struct gateway_config *config = &request->setup->config;
    size_t i = request->rights == &config->anonymous ? config->nusers : (size_t)(request->rights - config->users);

    return &request->setup->allowances[i];
}

bool who_may_ask_more(struct request *request)
{
    const struct gateway_config *config = &request->setup->config;
    struct allowance *allowance = who_may(request);
    int64_t second = request->gateway->steady_ms / 1000;

    if (allowance->second != second)
        allowance->used = 0;
    allowance->second = second;
    if (++allowance->used <= config->requests)
        return true;
    request->gateway->stats.limited++;
    request_fail(request, MHD_HTTP_TOO_MANY_REQUESTS, "more than %u requests a second", config->requests);
    return false;
}

/* ---- Logging in and out ---- */

static void set_cookie(struct request *request, const char *value, int seconds)
{
    snprintf(request->reply.cookie, sizeof request->reply.cookie, COOKIE "=%s; HttpOnly; SameSite=Strict; Path=/; Max-Age=%d%s", value,
             seconds, comes_by_proxy(request) ? "; Secure" : "");
}

static void answer_empty(struct request *request)
{
    struct text text = {0};

    text_add(&text, "{}");
    request_answer(request, MHD_HTTP_OK, &text, "application/json");
}

void who_logs_in(struct request *request)
{
    const struct rights *rights = NULL;
    const msgpack_object *token;
    char cookie[SESSION_COOKIE];
    msgpack_unpacked item;

    msgpack_unpacked_init(&item);
    if (object_parse(text_of(&request->body), request->body.len, &item)) {
        token = object_get(&item.data, "token");
        if (token && token->type == MSGPACK_OBJECT_STR)
            rights = gateway_config_token(&request->setup->config, token->via.str.ptr, token->via.str.size);
    }
    msgpack_unpacked_destroy(&item);
    if (!rights) {
        who_was_denied(request, "a token that nobody has");
        request_fail(request, MHD_HTTP_UNAUTHORIZED, "nobody has that token");
    } else if (!sessions_begin(request->gateway->sessions, rights->name, request->gateway->steady_ms, cookie)) {
        request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    } else {
        set_cookie(request, cookie, SESSION_MS / 1000);
        answer_empty(request);
    }
}

void who_logs_out(struct request *request)
{
    const char *cookie = cookie_of(request);

    if (cookie && sessions_end(request->gateway->sessions, cookie))
        streams_cut(request->gateway, cookie);
    set_cookie(request, "", 0);
    answer_empty(request);
}
