#include "client.h"

#include "kpictl.h"

#include "kpid/out.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <yajl/yajl_tree.h>
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

int client_connect(void *zmq, void *socket, const char *endpoint, int timeout_ms)
{
    void *monitor = zmq_socket(zmq, ZMQ_PAIR);
    char name[64];
    int status = -1, error;

    snprintf(name, sizeof name, "inproc://monitor-%p", socket);
    if (monitor && zmq_socket_monitor(socket, name, ZMQ_EVENT_HANDSHAKE_SUCCEEDED) == 0 &&
        zmq_connect(monitor, name) == 0 && zmq_connect(socket, endpoint) == 0 &&
        client_wait(monitor, ZMQ_POLLIN, timeout_ms))
        status = 0;
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
        (timeout_ms > CLIENT_TIMEOUT_MS ? client_connect(client->zmq, socket, client->control, CLIENT_TIMEOUT_MS)
                                        : zmq_connect(socket, client->control)) != 0) {
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
    if (ok && ok->type == MSGPACK_OBJECT_BOOLEAN && ok->via.boolean)
        return KP_OK;
    object_text(why, text, sizeof text);
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
                       errno == EAGAIN ? "no answer; is the daemon running?" : zmq_strerror(errno));
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

/* ---- Objects ---- */

bool object_is(const msgpack_object *object, const char *text)
{
    return object && object->type == MSGPACK_OBJECT_STR && object->via.str.size == strlen(text) &&
           memcmp(object->via.str.ptr, text, object->via.str.size) == 0;
}

const msgpack_object *object_get(const msgpack_object *map, const char *key)
{
    if (!map || map->type != MSGPACK_OBJECT_MAP)
        return NULL;
    for (uint32_t i = 0; i < map->via.map.size; i++)
        if (object_is(&map->via.map.ptr[i].key, key))
            return &map->via.map.ptr[i].val;
    return NULL;
}

const char *object_text(const msgpack_object *object, char *buf, size_t size)
{
    size_t len = object && object->type == MSGPACK_OBJECT_STR ? object->via.str.size : 0;

    if (len >= size) {
        len = size - 1;
        while (len > 0 && ((unsigned char)object->via.str.ptr[len] & 0xC0) == 0x80)
            len--;      /* not in the middle of a character */
    }
    if (len)
        memcpy(buf, object->via.str.ptr, len);
    buf[len] = '\0';
    return buf;
}

bool object_number(const msgpack_object *object, double *number)
{
    if (!object)
        return false;
    switch (object->type) {
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        *number = (double)object->via.u64;
        return true;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        *number = (double)object->via.i64;
        return true;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        *number = object->via.f64;
        return true;
    default:
        return false;
    }
}

size_t object_count(const msgpack_object *object)
{
    return object && object->type == MSGPACK_OBJECT_ARRAY ? object->via.array.size : 0;
}

/* ---- JSON both ways ---- */

static void pack_tree(msgpack_packer *packer, yajl_val v)
{
    switch (v->type) {
    case yajl_t_string:
        pack_text(packer, v->u.string);
        break;
    case yajl_t_number:
        if (YAJL_IS_INTEGER(v))
            msgpack_pack_int64(packer, v->u.number.i);
        else
            msgpack_pack_double(packer, v->u.number.d);
        break;
    case yajl_t_object:
        msgpack_pack_map(packer, v->u.object.len);
        for (size_t i = 0; i < v->u.object.len; i++) {
            pack_text(packer, v->u.object.keys[i]);
            pack_tree(packer, v->u.object.values[i]);
        }
        break;
    case yajl_t_array:
        msgpack_pack_array(packer, v->u.array.len);
        for (size_t i = 0; i < v->u.array.len; i++)
            pack_tree(packer, v->u.array.values[i]);
        break;
    case yajl_t_true:
        msgpack_pack_true(packer);
        break;
    case yajl_t_false:
        msgpack_pack_false(packer);
        break;
    default:
        msgpack_pack_nil(packer);
        break;
    }
}

static bool parse_json(const char *bytes, size_t len, msgpack_unpacked *item)
{
    char *copy = strndup(bytes, len);
    yajl_val tree = copy ? yajl_tree_parse(copy, NULL, 0) : NULL;
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    size_t off = 0;
    bool ok = tree != NULL;

    free(copy);
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    if (ok)
        pack_tree(&packer, tree);
    /* unpacked, strings lie in the zone only when the bytes are copied there: keep the buffer in it */
    if (ok && item->zone == NULL)
        item->zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
    if (ok)
        ok = msgpack_unpack(buffer.data, buffer.size, &off, item->zone, &item->data) == MSGPACK_UNPACK_SUCCESS &&
             msgpack_zone_push_finalizer(item->zone, free, buffer.data);
    if (ok)
        msgpack_sbuffer_release(&buffer);
    msgpack_sbuffer_destroy(&buffer);
    yajl_tree_free(tree);
    return ok;
}

bool object_parse(const void *bytes, size_t len, msgpack_unpacked *item)
{
    const char *p = bytes;
    size_t off = 0;
    char *copy;

    if (len && (*p == '{' || *p == '['))
        return parse_json(p, len, item);
    copy = malloc(len + 1);     /* the object borrows from its bytes, so they go along with it */
    if (!copy)
        return false;
    memcpy(copy, bytes, len);
    item->zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
    if (item->zone && msgpack_unpack(copy, len, &off, item->zone, &item->data) == MSGPACK_UNPACK_SUCCESS &&
        msgpack_zone_push_finalizer(item->zone, free, copy))
        return true;
    free(copy);
    return false;
}

static void put(struct kp_out *out, const msgpack_object *o)
{
    switch (o->type) {
    case MSGPACK_OBJECT_BOOLEAN:
        kp_out_bool(out, o->via.boolean);
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        kp_out_uint(out, o->via.u64);
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        kp_out_int(out, o->via.i64);
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        kp_out_real(out, o->via.f64);
        break;
    case MSGPACK_OBJECT_STR:
        kp_out_str(out, o->via.str.ptr, o->via.str.size);
        break;
    case MSGPACK_OBJECT_ARRAY:
        kp_out_array(out, o->via.array.size);
        for (uint32_t i = 0; i < o->via.array.size; i++)
            put(out, &o->via.array.ptr[i]);
        kp_out_end(out);
        break;
    case MSGPACK_OBJECT_MAP:
        kp_out_map(out, o->via.map.size);
        for (uint32_t i = 0; i < o->via.map.size; i++) {
            put(out, &o->via.map.ptr[i].key);
            put(out, &o->via.map.ptr[i].val);
        }
        kp_out_end(out);
        break;
    default:
        kp_out_nil(out);
        break;
    }
}

bool object_print_json(const msgpack_object *object)
{
    struct kp_out *out = kp_out_new(true, NULL);
    const void *bytes;
    size_t len = 0;
    bool ok;

    if (!out)
        return false;
    put(out, object);
    bytes = kp_out_bytes(out, &len);
    ok = bytes && fwrite(bytes, 1, len, stdout) == len && putchar('\n') != EOF;
    kp_out_destroy(&out);
    return ok;
}

const char *object_path(const msgpack_object *path, char *buf, size_t size)
{
    char part[256];
    size_t len = 0;

    snprintf(buf, size, "%s", object_count(path) ? "" : "company");
    for (size_t i = 0; i < object_count(path) && len < size; i++)
        len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? "/" : "",
                                object_text(&path->via.array.ptr[i], part, sizeof part));
    return buf;
}

const char *object_alert_mark(const msgpack_object *alert, char *buf, size_t size)
{
    const msgpack_object *silenced = object_get(alert, "silenced");
    bool is_silenced = silenced && silenced->type == MSGPACK_OBJECT_BOOLEAN && silenced->via.boolean;
    char by[160];

    object_text(object_get(alert, "acked_by"), by, sizeof by);
    snprintf(buf, size, "%s%s%s%s", is_silenced ? "[silenced] " : "", *by ? "[acked by " : "", by, *by ? "] " : "");
    return buf;
}

/* ---- Packing ---- */

void pack_op(msgpack_packer *packer, const char *op)
{
    msgpack_pack_map(packer, 1);
    pack_text(packer, "op");
    pack_text(packer, op);
}

void pack_text(msgpack_packer *packer, const char *text)
{
    msgpack_pack_str_with_body(packer, text, strlen(text));
}

void pack_list(msgpack_packer *packer, const char *comma_separated)
{
    size_t n = 1;

    for (const char *p = comma_separated; *p; p++)
        n += *p == ',';
    msgpack_pack_array(packer, n);
    for (const char *p = comma_separated;; p++) {
        size_t len = strcspn(p, ",");

        msgpack_pack_str_with_body(packer, p, len);
        p += len;
        if (!*p)
            return;
    }
}
