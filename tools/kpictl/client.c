#include "client.h"

#include "identity.h"
#include "kpictl.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <zmq.h>

static volatile sig_atomic_t stopped;   /* the one thing that a signal handler may touch */

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

void client_catch_signals(bool resume)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND | (resume ? SA_RESTART : 0)};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool client_stopped(void)
{
    return stopped != 0;
}

int64_t client_steady_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- Sockets ---- */

/* In pieces, so that a signal is heard that came just before the wait began. */
bool client_wait(void *socket, short events, int timeout_ms)
{
    enum { PIECE_MS = 100 };
    int64_t end_ms = client_steady_ms() + timeout_ms;

    while (!client_stopped()) {
        zmq_pollitem_t item = {.socket = socket, .events = events};
        int64_t left_ms = end_ms - client_steady_ms();
        int n = zmq_poll(&item, 1, left_ms < 0 ? 0 : left_ms < PIECE_MS ? (long)left_ms : PIECE_MS);

        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
        if (left_ms <= 0) {
            errno = EAGAIN;
            return false;
        }
    }
    errno = EINTR;
    return false;
}

bool client_send(void *socket, const void *bytes, size_t len, int flags, int timeout_ms)
{
    while (zmq_send(socket, bytes, len, flags | ZMQ_DONTWAIT) < 0)
        if ((errno != EAGAIN && errno != EINTR) || !client_wait(socket, ZMQ_POLLOUT, timeout_ms))
            return false;
    return true;
}

bool client_is_no_endpoint(int error)
{
    return error == EINVAL || error == EPROTONOSUPPORT || error == ENOCOMPATPROTO;
}

/* What the monitor tells of first; a handshake that failed with errno EACCES. */
static int take_event(void *monitor)
{
    uint16_t event = 0;
    zmq_msg_t msg;

    zmq_msg_init(&msg);
    if (zmq_msg_recv(&msg, monitor, ZMQ_DONTWAIT) >= 0 && zmq_msg_size(&msg) >= sizeof event)
        memcpy(&event, zmq_msg_data(&msg), sizeof event);
    zmq_msg_close(&msg);
    errno = EACCES;
    return event;
}

const char *client_why(const char *nobody)
{
    if (errno == EAGAIN)
        return nobody;
    if (errno == EACCES)
        return identity_is_there() ? "it does not let us in: it does not know this --key, or the key has no role for this, or --server-key is "
                                     "another's"
                                   : "it does not let us in: it wants a key (kpictl --key FILE, see kpictl keygen --help)";
    return zmq_strerror(errno);
}

int client_connect(void *zmq, void *socket, const char *endpoint, int timeout_ms)
{
    void *monitor = zmq_socket(zmq, ZMQ_PAIR);
    char name[64];
    const int failures = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    int status = -1, error;

    snprintf(name, sizeof name, "inproc://monitor-%p", socket);
    if (monitor && zmq_socket_monitor(socket, name, ZMQ_EVENT_HANDSHAKE_SUCCEEDED | failures) == 0 &&
        zmq_connect(monitor, name) == 0 && identity_connect(socket, endpoint) == 0 &&
        client_wait(monitor, ZMQ_POLLIN, timeout_ms))
        status = take_event(monitor) == ZMQ_EVENT_HANDSHAKE_SUCCEEDED ? 0 : -1;
    error = errno;
    zmq_socket_monitor(socket, NULL, 0);
    if (monitor)
        zmq_close(monitor);
    errno = error;
    return status;
}

/* libzmq does not tell whether it has sent everything, but it waits in vain only as long as it is told to. */
bool client_end(void *zmq, void *socket, int linger_ms)
{
    enum { EARLY_MS = 2 };      /* its clock and ours may round apart */
    int64_t begun_ms = client_steady_ms();
    bool ended;

    if (socket) {
        zmq_setsockopt(socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
        zmq_close(socket);
    }
    ended = !zmq || zmq_ctx_term(zmq) == 0;
    return ended && client_steady_ms() - begun_ms < linger_ms - EARLY_MS;
}

/* ---- Where ---- */

void client_connectable(const char *endpoint, char out[CLIENT_ENDPOINT])
{
    static const char *const any[] = {"tcp://*:", "tcp://0.0.0.0:", "tcp://[::]:"};

    for (size_t i = 0; i < sizeof any / sizeof *any; i++) {
        if (strncmp(endpoint, any[i], strlen(any[i])) == 0) {
            snprintf(out, CLIENT_ENDPOINT, "tcp://127.0.0.1:%s", endpoint + strlen(any[i]));
            return;
        }
    }
    snprintf(out, CLIENT_ENDPOINT, "%s", endpoint);
}

bool client_control_endpoint(const char *option, const char *config, char endpoint[CLIENT_ENDPOINT])
{
    struct kp_config loaded;

    client_connectable(option ? option : CLIENT_CONTROL, endpoint);
    if (option || !config)
        return true;
    if (!kpictl_load(config, &loaded))
        return false;
    if (loaded.control_endpoint)
        client_connectable(loaded.control_endpoint, endpoint);
    kp_config_release(&loaded);
    return true;
}

/* ---- Asking ---- */

enum kp_code client_open(struct client *client, const char *control, struct kp_err *err)
{
    client_connectable(control, client->control);
    client->zmq = zmq_ctx_new();
    return client->zmq ? KP_OK : kp_fail(err, KP_EIO, "zeromq: %s", zmq_strerror(errno));
}

void client_close(struct client *client)
{
    if (client->zmq)
        zmq_ctx_term(client->zmq);
    client->zmq = NULL;
}

static void *open_asker(struct client *client, int timeout_ms)
{
    void *socket = zmq_socket(client->zmq, ZMQ_DEALER);
    int linger = 0;

    if (!socket)
        return NULL;
    if (zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
        zmq_setsockopt(socket, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms) != 0 ||
        zmq_setsockopt(socket, ZMQ_SNDTIMEO, &timeout_ms, sizeof timeout_ms) != 0 ||
        client_connect(client->zmq, socket, client->control, timeout_ms < CLIENT_TIMEOUT_MS ? timeout_ms : CLIENT_TIMEOUT_MS) != 0) {
        int error = errno;

        zmq_close(socket);
        errno = error;
        return NULL;
    }
    return socket;
}

static enum kp_code read_reply(const zmq_msg_t *msg, msgpack_unpacked *reply, struct kp_err *err)
{
    const msgpack_object *ok, *why;
    char text[200];

    if (!object_parse(zmq_msg_data((zmq_msg_t *)(uintptr_t)msg), zmq_msg_size(msg), reply))
        return kp_fail(err, KP_EIO, "the reply can't be read");
    ok = object_get(&reply->data, "ok");
    why = object_get(&reply->data, "error");
    if (object_true(ok))
        return KP_OK;
    object_plain(why, text, sizeof text);
    return kp_fail(err, strncmp(text, "busy", 4) == 0 ? KP_ELIMIT : KP_EINVAL, "%s", text);
}

/* Who gives it longer than usual waits for a long answer, not for a daemon that is not there.
 *
 * A socket for each request: one that was not answered leaves nothing behind for the next. */
enum kp_code client_ask(struct client *client, const msgpack_sbuffer *request, int timeout_ms, msgpack_unpacked *reply,
                        struct kp_err *err)
{
    void *socket = open_asker(client, timeout_ms);
    enum kp_code code = KP_OK;
    zmq_msg_t msg;

    msgpack_unpacked_init(reply);
    zmq_msg_init(&msg);
    if (!socket && client_is_no_endpoint(errno))
        code = kp_fail(err, KP_EINVAL, "%s: no endpoint: %s", client->control, zmq_strerror(errno));
    else if (!socket || zmq_send(socket, request->data, request->size, 0) < 0 || zmq_msg_recv(&msg, socket, 0) < 0)
        code = kp_fail(err, KP_EIO, "%s: %s", client->control,
                       client_why("no answer; is the daemon running?"));
    else
        code = read_reply(&msg, reply, err);
    zmq_msg_close(&msg);
    if (socket)
        zmq_close(socket);
    return code;
}

enum kp_code client_ask_op(struct client *client, const char *op, msgpack_unpacked *reply, struct kp_err *err)
{
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    enum kp_code code;

    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    pack_op(&packer, op);
    code = client_ask(client, &buffer, CLIENT_TIMEOUT_MS, reply, err);
    msgpack_sbuffer_destroy(&buffer);
    return code;
}
