/* Asking a store instead of a daemon. */
#ifndef KPICTL_STORE_H
#define KPICTL_STORE_H

#include "kpid/err.h"

#include <msgpack.h>

/* The answer to a request of the control socket, from what the store at `path` holds, under a configuration (NULL: the one that its
 * daemon was started with last). The caller ends reply, which is initialised, with msgpack_unpacked_destroy. KP_EINVAL: {"ok": false},
 * or the configuration is faulty (then *err is empty, and the faults were printed). KP_EIO: it can't be read. */
enum kp_code store_ask(const char *path, const char *config, const msgpack_sbuffer *request, msgpack_unpacked *reply,
                       struct kp_err *err) KP_CHECK;

#endif
