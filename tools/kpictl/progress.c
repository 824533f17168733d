#include "progress.h"

#include "client.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BAR = 40, EVERY_MS = 100 };

void progress_init(struct progress *progress)
{
    *progress = (struct progress){.wanted = isatty(STDERR_FILENO) == 1};
}

static void __attribute__((format(printf, 3, 0))) show(struct progress *progress, const struct source *source, const char *fmt,
                                                       va_list args)
{
    uint64_t done, all;
    char bar[BAR + 1];

    progress->shown = true;
    source_progress(source, &done, &all);
    fputs("\r\033[K", stderr);
    if (all) {
        int full = done < all ? (int)(done * BAR / all) : BAR;      /* the file may have grown meanwhile */

        memset(bar, '#', (size_t)full);
        memset(bar + full, '.', (size_t)(BAR - full));
        bar[BAR] = '\0';
        fprintf(stderr, "[%s] %3d%%  ", bar, full < BAR ? (int)(done * 100 / all) : 100);
    }
    vfprintf(stderr, fmt, args);
}

void progress_show(struct progress *progress, const struct source *source, const char *fmt, ...)
{
    int64_t now = progress->wanted ? client_steady_ms() : 0;
    va_list args;

    if (!progress->wanted || now - progress->told_ms < EVERY_MS)
        return;
    progress->told_ms = now;
    va_start(args, fmt);
    show(progress, source, fmt, args);
    va_end(args);
}

void progress_end(struct progress *progress, const struct source *source, const char *fmt, ...)
{
    va_list args;

    if (!progress->wanted)
        return;
    va_start(args, fmt);
    show(progress, source, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    progress->shown = false;
}

void progress_hide(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
    progress->told_ms = 0;
}
