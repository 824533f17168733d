/* Making ZeroMQ sockets the way kpid wants them, and saying where they listen. */
#ifndef KPID_SOCKET_H
#define KPID_SOCKET_H

#include "kpid/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { KP_ENDPOINT_MAX = 512, KP_LINGER_MS = 300 };

/* Set an int option; failure is a bug or a libzmq that is too old: it is returned. */
enum kp_code kp_socket_set(void *socket, int option, int value, struct kp_err *err) KP_CHECK;

/* Bind or connect, and log it. bound (KP_ENDPOINT_MAX) gets the endpoint with its real port; for a connection the endpoint
 * itself. name: for messages. */
enum kp_code kp_socket_open(void *socket, const char *name, const char *endpoint, bool bind, char *bound,
                            struct kp_err *err) KP_CHECK;

#endif
