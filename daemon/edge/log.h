/* Lines for the operator: `level=info event=ready ...` to stderr, key=value; journald has the clock, and is told
 * the level as its priority. */
#ifndef KPID_LOG_H
#define KPID_LOG_H

#include "kpid/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kp_log_level { KP_LOG_INFO, KP_LOG_WARN, KP_LOG_ERROR };

/* One line. fmt gives the key=value pairs; values that may hold anything go through kp_log_quote. */
void kp_log(enum kp_log_level level, const char *fmt, ...) KP_PRINTF(2, 3);

/* Bytes as a quoted value: printable ASCII as it is, the rest as \xNN, cut to size. Returns buf. */
char *kp_log_quote(const char *bytes, size_t len, char *buf, size_t size);

/* A line that may repeat: at most `burst` a second; what was held back is told with the next one. */
struct kp_log_limit {
    int64_t second;
    uint32_t said, burst;
    uint64_t held;
};
/* May a line be said now? *held: how many were not since the last one that was. */
bool kp_log_allow(struct kp_log_limit *limit, int64_t now_ms, uint64_t *held);

#endif
