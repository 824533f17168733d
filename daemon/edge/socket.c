#include "socket.h"

#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <zmq.h>

enum kp_code kp_socket_set(void *socket, int option, int value, struct kp_err *err)
{
    if (zmq_setsockopt(socket, option, &value, sizeof value) == 0)
        return KP_OK;
    return kp_fail(err, KP_EIO, "socket option %d: %s", option, zmq_strerror(errno));
}

enum kp_code kp_socket_open(void *socket, const char *name, const char *endpoint, bool bind, char *bound,
                            struct kp_err *err)
{
    size_t size = KP_ENDPOINT_MAX;

    if ((bind ? zmq_bind : zmq_connect)(socket, endpoint) != 0)
        return kp_fail(err, KP_EIO, "%s: %s %s: %s", name, bind ? "bind" : "connect", endpoint, zmq_strerror(errno));
    snprintf(bound, KP_ENDPOINT_MAX, "%s", endpoint);
    if (bind && zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, bound, &size) != 0)
        snprintf(bound, KP_ENDPOINT_MAX, "%s", endpoint);
    kp_log(KP_LOG_INFO, "event=%s socket=%s endpoint=%s", bind ? "listening" : "connecting", name, bound);
    return KP_OK;
}
