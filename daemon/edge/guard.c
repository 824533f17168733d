#include "guard.h"

#include "clock.h"
#include "keyfile.h"
#include "socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { KEY_BYTES = 32, LOG_BURST = 5, HANDSHAKES_TURN = 256, ZAP_FRAMES = 7, TEXT = 300, HANDSHAKE_MS = 10000 };

struct kp_guard {
    const struct kp_config *config;     /* borrowed */
    void *zap;                          /* owned; NULL: `security` is off */
    struct kp_key_file own;             /* for what connects */
    struct kp_log_limit log;
    struct kp_guard_stats stats;
};

static const char *const doors[KP_DOORS] = {"ingest", "publish", "control"};

/* ---- What a user may ---- */

static bool is_among(const struct kp_role_cfg *role, struct kp_str text)
{
    for (size_t i = 0; i < role->count; i++)
        if (strlen(role->items[i]) == text.len && memcmp(role->items[i], text.s, text.len) == 0)
            return true;
    return false;
}

bool kp_user_may_emit(const struct kp_user_cfg *user, struct kp_str source)
{
    return user && (user->emit.all || is_among(&user->emit, source));
}

bool kp_user_may_emit_some(const struct kp_user_cfg *user)
{
    return user && (user->emit.all || user->emit.count);
}

bool kp_user_may_read_all(const struct kp_user_cfg *user)
{
    return user && (user->admin || user->read.all);
}

bool kp_user_may_read_some(const struct kp_user_cfg *user)
{
    return user && (kp_user_may_read_all(user) || user->read.count);
}

bool kp_user_may_read(const struct kp_user_cfg *user, const char *path, size_t len)
{
    if (kp_user_may_read_all(user))
        return true;
    for (size_t i = 0; user && i < user->read.count; i++) {
        size_t own = strlen(user->read.items[i]);

        if (len >= own && memcmp(path, user->read.items[i], own) == 0 && (len == own || path[own] == '/'))
            return true;
    }
    return false;
}

static int by_key(const void *key, const void *user)
{
    return strcmp(key, ((const struct kp_user_cfg *)user)->key);
}

const struct kp_user_cfg *kp_user_of(const struct kp_security_cfg *security, const char *key)
{
    return security->nusers ? bsearch(key, security->users, security->nusers, sizeof *security->users, by_key) : NULL;
}

/* May they come in by this door at all? */
static bool may_enter(const struct kp_user_cfg *user, enum kp_door door)
{
    return door == KP_DOOR_INGEST ? kp_user_may_emit_some(user) : kp_user_may_read_some(user);
}

/* ---- Opening ---- */

struct kp_guard *kp_guard_open(void *zmq, const struct kp_config *config, struct kp_err *err)
{
    struct kp_guard *guard = calloc(1, sizeof *guard);
    enum kp_code code = KP_OK;

    if (!guard) {
        kp_fail(err, KP_ENOMEM, "security: out of memory");
        return NULL;
    }
    guard->config = config;
    guard->log.burst = LOG_BURST;
    if (config->security.is_on) {
        memcpy(guard->own.secret_key, config->security.secret_key, KP_CURVE_TEXT);
        guard->zap = zmq_socket(zmq, ZMQ_REP);
        if (zmq_curve_public(guard->own.public_key, guard->own.secret_key) != 0 || !guard->zap ||
            zmq_bind(guard->zap, "inproc://zeromq.zap.01") != 0)
            code = kp_fail(err, KP_EIO, "security: %s", zmq_strerror(errno));
        code = code ? code : kp_socket_set(guard->zap, ZMQ_LINGER, 0, err);
    } else if (zmq_has("curve")) {
        code = kp_curve_make(&guard->own, err);
    }
    if (code)
        kp_guard_close(&guard);
    return guard;
}

void kp_guard_close(struct kp_guard **guard)
{
    if (!*guard)
        return;
    if ((*guard)->zap)
        zmq_close((*guard)->zap);
    explicit_bzero(&(*guard)->own, sizeof (*guard)->own);
    free(*guard);
    *guard = NULL;
}

void kp_guard_rebind(struct kp_guard *guard, const struct kp_config *config)
{
    guard->config = config;
}

void *kp_guard_socket(const struct kp_guard *guard)
{
    return guard->zap;
}

enum kp_code kp_guard_serve(struct kp_guard *guard, void *socket, const char *endpoint, enum kp_door door, bool *guarded,
                            struct kp_err *err)
{
    static const struct {
        int option, value;
    } patience[] = {{ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS}, {ZMQ_TCP_KEEPALIVE, 1}, {ZMQ_TCP_KEEPALIVE_IDLE, 60},
                    {ZMQ_TCP_KEEPALIVE_INTVL, 15}, {ZMQ_TCP_KEEPALIVE_CNT, 4}};
    enum kp_code code = KP_OK;

    for (size_t i = 0; !code && i < sizeof patience / sizeof *patience; i++)
        code = kp_socket_set(socket, patience[i].option, patience[i].value, err);
    *guarded = guard->zap && kp_endpoint_is_tcp(endpoint);
    if (!code && *guarded)
        code = kp_curve_serve(socket, guard->own.secret_key, doors[door], err);
    return code;
}

enum kp_code kp_guard_connect(struct kp_guard *guard, void *socket, const char *server_key, struct kp_err *err)
{
    memcpy(guard->own.server_key, server_key, KP_CURVE_TEXT);
    return kp_curve_connect(socket, &guard->own, err);
}

/* ---- Handshakes ---- */

/* A ZAP request (ZeroMQ RFC 27): version, request id, domain, address, identity, mechanism, credentials. */
struct handshake {
    zmq_msg_t frames[ZAP_FRAMES];
    int n;
};

static bool receive(struct kp_guard *guard, struct handshake *shake)
{
    zmq_msg_t msg;
    bool more = true;

    shake->n = 0;
    while (more) {
        zmq_msg_init(&msg);
        if (zmq_msg_recv(&msg, guard->zap, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&msg);
            return shake->n > 0;
        }
        more = zmq_msg_more(&msg);
        if (shake->n < ZAP_FRAMES) {
            zmq_msg_init(&shake->frames[shake->n]);
            zmq_msg_move(&shake->frames[shake->n++], &msg);
        }
        zmq_msg_close(&msg);
    }
    return true;
}

static struct kp_str frame(struct handshake *shake, int i)
{
    return (struct kp_str){zmq_msg_data(&shake->frames[i]), (uint32_t)zmq_msg_size(&shake->frames[i])};
}

static bool is_text(struct kp_str text, const char *what)
{
    return text.len == strlen(what) && memcmp(text.s, what, text.len) == 0;
}

static bool send_text(void *socket, const char *text, bool more)
{
    return zmq_send(socket, text, strlen(text), more ? ZMQ_SNDMORE : 0) >= 0;
}

static void answer(struct kp_guard *guard, struct handshake *shake, bool ok, const char *key)
{
    struct kp_str id = frame(shake, 1);

    if (!send_text(guard->zap, "1.0", true) || zmq_send(guard->zap, id.s, id.len, ZMQ_SNDMORE) < 0 ||
        !send_text(guard->zap, ok ? "200" : "400", true) || !send_text(guard->zap, ok ? "OK" : "denied", true) ||
        !send_text(guard->zap, ok ? key : "", true) || !send_text(guard->zap, "", false))
        kp_log(KP_LOG_ERROR, "event=handshake error=\"%s\"", zmq_strerror(errno));
}

static void log_denied(struct kp_guard *guard, const char *socket, const char *user, const char *key, const char *address,
                       const char *what)
{
    char name[TEXT];
    uint64_t held;

    if (kp_log_allow(&guard->log, kp_clock_ms(CLOCK_MONOTONIC), &held))
        kp_log(KP_LOG_WARN, "event=denied socket=%s user=%s key=%s address=%s what=\"%s\" not_said=%llu", socket,
               kp_log_quote(user, strlen(user), name, sizeof name), key, address, what, (unsigned long long)held);
}

/* The user id of a connection is its key: by that, and not by a name, it is known later. */
static void judge(struct kp_guard *guard, struct handshake *shake)
{
    struct kp_str domain = frame(shake, 2), address = frame(shake, 3), credentials = frame(shake, 6);
    const struct kp_user_cfg *user = NULL;
    char key[KP_CURVE_TEXT] = "", from[64];
    int door = 0;

    while (door < KP_DOORS && !is_text(domain, doors[door]))
        door++;
    if (is_text(frame(shake, 5), "CURVE") && credentials.len == KEY_BYTES && zmq_z85_encode(key, (const uint8_t *)credentials.s, KEY_BYTES))
        user = kp_user_of(&guard->config->security, key);
    if (door < KP_DOORS && may_enter(user, (enum kp_door)door)) {
        guard->stats.let_in++;
        answer(guard, shake, true, key);
        return;
    }
    guard->stats.shut_out++;
    snprintf(from, sizeof from, "%.*s", (int)(address.len < 60 ? address.len : 60), address.s);
    log_denied(guard, door < KP_DOORS ? doors[door] : "?", user ? user->name : "", key, from,
               user ? "has no role for this socket" : "an unknown key");
    answer(guard, shake, false, "");
}

void kp_guard_turn(struct kp_guard *guard)
{
    struct handshake shake;

    for (int i = 0; guard->zap && i < HANDSHAKES_TURN && receive(guard, &shake); i++) {
        if (shake.n == ZAP_FRAMES)
            judge(guard, &shake);
        else if (shake.n > 1)
            answer(guard, &shake, false, "");   /* of another mechanism: each has to be answered before the next */
        for (int f = 0; f < shake.n; f++)
            zmq_msg_close(&shake.frames[f]);
    }
}

/* ---- Peers ---- */

struct kp_peer kp_guard_who(struct kp_guard *guard, bool guarded, zmq_msg_t *msg)
{
    const char *key = guarded ? zmq_msg_gets(msg, "User-Id") : NULL, *address = zmq_msg_gets(msg, "Peer-Address");

    return (struct kp_peer){.guarded = guarded,
                            .user = key ? kp_user_of(&guard->config->security, key) : NULL,
                            .address = address ? address : "",
                            .fd = zmq_msg_get(msg, ZMQ_SRCFD)};
}

void kp_guard_deny(struct kp_guard *guard, enum kp_door door, const struct kp_peer *peer, const char *what)
{
    guard->stats.denied[door]++;
    log_denied(guard, doors[door], peer->user ? peer->user->name : "", peer->user ? peer->user->key : "", peer->address, what);
}

/* An address without its port, as libzmq tells it, and the port; "" and 0 of a socket of ipc. */
static bool address_of(const struct sockaddr_storage *at, char text[INET6_ADDRSTRLEN], int *port)
{
    text[0] = '\0';
    *port = 0;
    if (at->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)at;

        *port = ntohs(in->sin_port);
        return inet_ntop(AF_INET, &in->sin_addr, text, INET6_ADDRSTRLEN) != NULL;
    }
    if (at->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)at;

        *port = ntohs(in->sin6_port);
        return inet_ntop(AF_INET6, &in->sin6_addr, text, INET6_ADDRSTRLEN) != NULL;
    }
    return at->ss_family == AF_UNIX;
}

bool kp_guard_is_still(int fd, const char *address, const char *endpoint)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC}, own = {.ss_family = AF_UNSPEC};
    socklen_t peer_len = sizeof peer, own_len = sizeof own;
    const char *colon = strrchr(endpoint, ':');
    char text[INET6_ADDRSTRLEN];
    int port;

    if (fd < 0 || getpeername(fd, (struct sockaddr *)&peer, &peer_len) != 0 ||
        getsockname(fd, (struct sockaddr *)&own, &own_len) != 0)
        return false;
    if (own.ss_family == AF_UNIX)
        return strncmp(endpoint, "ipc://", 6) == 0 && strcmp(((struct sockaddr_un *)&own)->sun_path, endpoint + 6) == 0;
    return address_of(&own, text, &port) && colon && atoi(colon + 1) == port && address_of(&peer, text, &port) && strcmp(text, address) == 0;
}

void kp_guard_cut(struct kp_guard *guard, int fd, const char *address, const char *endpoint, const char *why)
{
    if (!kp_guard_is_still(fd, address, endpoint) || shutdown(fd, SHUT_RDWR) != 0)
        return;
    guard->stats.cut++;
    log_denied(guard, endpoint, "", "", address, why);
}

void kp_guard_stats(const struct kp_guard *guard, struct kp_guard_stats *stats)
{
    *stats = guard->stats;
}
