#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Does stderr go to journald? It says so by the device and inode of its stream (systemd.exec(5), JOURNAL_STREAM), and takes a
 * priority in front of a line (sd-daemon(3)). */
static bool is_journal(void)
{
    static int known = -1;
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long dev, ino;
    struct stat here;

    if (known < 0)
        known = stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &here) == 0 && here.st_dev == dev &&
                here.st_ino == ino;
    return known;
}

void kp_log(enum kp_log_level level, const char *fmt, ...)
{
    static const char *const names[] = {"info", "warn", "error"}, *const priorities[] = {"<6>", "<4>", "<3>"};
    char line[2048];
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (n < 0)
        return;
    fprintf(stderr, "%slevel=%s %s\n", is_journal() ? priorities[level] : "", names[level], line);   /* stderr is unbuffered: one write a line */
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
