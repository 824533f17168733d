/* Signals as a descriptor to be polled: SIGTERM and SIGINT end a program, SIGHUP asks it to read its files anew. */
#ifndef KPID_SIGNALS_H
#define KPID_SIGNALS_H

#include "kpid/err.h"

#include <stdbool.h>

/* Block them, and ignore SIGPIPE and SIGXFSZ (a write beyond a limit fails then), for the whole process: before any thread is made. *fd: the caller closes it; -1 on error. */
enum kp_code kp_signals_open(int *fd, struct kp_err *err) KP_CHECK;

/* Take what has come. True: it is time to end. *reload becomes true when SIGHUP has come. */
bool kp_signals_take(int fd, bool *reload);

#endif
