/* The gateway as a whole: kpid on one side, browsers on the other, one loop. */
#ifndef GATEWAY_H
#define GATEWAY_H

#include "kpid/err.h"

/* Run until a signal ends it. file: the configuration, read again on SIGHUP; page: the folder of the page's files; chart: the
 * chart library. */
enum kp_code gateway_run(const char *file, const char *page, const char *chart, struct kp_err *err) KP_CHECK;

#endif
