/* How much of the input was read, as a bar on the terminal's last line. */
#ifndef KPICTL_PROGRESS_H
#define KPICTL_PROGRESS_H

#include "source.h"

#include "kpid/err.h"

struct progress {           /* zeros: no terminal, nothing is ever shown */
    bool wanted, shown;
    int64_t told_ms;
};

/* On stderr, if that is a terminal. */
void progress_init(struct progress *progress);

/* Show it, with text behind the bar; at most ten times a second, so it may be called for each message. */
void progress_show(struct progress *progress, const struct source *source, const char *fmt, ...) KP_PRINTF(3, 4);
/* The last time: the line stays. */
void progress_end(struct progress *progress, const struct source *source, const char *fmt, ...) KP_PRINTF(3, 4);
/* Take it off the screen, before something else is written; the next progress_show brings it back. */
void progress_hide(struct progress *progress);

#endif
