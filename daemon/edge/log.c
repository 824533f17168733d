#include "log.h"

#include <stdarg.h>
#include <stdio.h>

void kp_log(enum kp_log_level level, const char *fmt, ...)
{
    static const char *const names[] = {"info", "warn", "error"};
    char line[2048];
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (n < 0)
        return;
    fprintf(stderr, "level=%s %s\n", names[level], line);   /* stderr is unbuffered: one write a line */
}

char *kp_log_quote(const char *bytes, size_t len, char *buf, size_t size)
{
    size_t n = 0;

    buf[n++] = '"';
    for (size_t i = 0; i < len && n + 6 < size; i++) {
        unsigned char c = (unsigned char)bytes[i];

        if (c >= 0x20 && c < 0x7F && c != '"' && c != '\\')
            buf[n++] = (char)c;
        else
            n += (size_t)snprintf(buf + n, size - n, "\\x%02x", c);
    }
    buf[n++] = '"';
    buf[n] = '\0';
    return buf;
}

bool kp_log_allow(struct kp_log_limit *limit, int64_t now_ms, uint64_t *held)
{
    if (now_ms / 1000 != limit->second) {
        limit->second = now_ms / 1000;
        limit->said = 0;
    }
    if (limit->said >= limit->burst) {
        limit->held++;
        return false;
    }
    limit->said++;
    *held = limit->held;
    limit->held = 0;
    return true;
}
