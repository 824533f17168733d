/* kpi-notify running: the parts put together, and the loop that gives each its turn. */
#ifndef NOTIFY_NOTIFY_H
#define NOTIFY_NOTIFY_H

#include "notify_config.h"

#include "kpid/err.h"

/* Run until SIGTERM or SIGINT. Borrows config. KP_OK: ended as asked; otherwise what could not be opened is in *err. */
enum kp_code notify_run(const struct notify_config *config, struct kp_err *err) KP_CHECK;

#endif
