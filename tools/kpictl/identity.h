/* Who kpictl is to a daemon with `security`: the key that it proves, and the daemon's that it expects. */
#ifndef KPICTL_IDENTITY_H
#define KPICTL_IDENTITY_H

#include "kpid/err.h"

#include <stdbool.h>

/* Take a client's key file, which may name the daemon's key, and the daemon's key itself, or a file that has it, which goes
 * before. Either may be NULL; both: everything stays in plain text. KP_EINVAL: there is something wrong with them. */
enum kp_code identity_take(const char *key_file, const char *server_key, struct kp_err *err) KP_CHECK;
/* Is there one? */
bool identity_is_there(void);
/* Connect a socket, over TCP by that identity. As zmq_connect. */
int identity_connect(void *socket, const char *endpoint) KP_CHECK;

#endif
