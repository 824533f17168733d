/* The daemon: the parts put together, and the loop that gives each its turn. */
#ifndef KPID_DAEMON_H
#define KPID_DAEMON_H

#include "kpid/config.h"

/* Run until SIGTERM or SIGINT. Borrows config. KP_OK: ended as asked; otherwise what could not be opened is in *err. */
enum kp_code kp_daemon_run(const struct kp_config *config, struct kp_err *err) KP_CHECK;

#endif
