/* What a window is, as it is written: "15m", "7d/1h", "week", "month-2", "8wh".
 *
 * A rolling window of length W is made of panes of length S: at time t it holds the pane that t lies in and
 * the W/S - 1 panes before it. A working window of W working hours holds the pane that t lies in and as many before
 * it as it takes for them to have W of working time by the key's calendar. A calendar window holds what lies between a
 * period's start and t; with -N it holds the whole Nth period before. Pure text and arithmetic: nothing here holds any
 * value. */
#ifndef KPID_WINDOW_H
#define KPID_WINDOW_H

#include "kpid/err.h"
#include "kpid/zone.h"

#define KP_WINDOW_TEXT 24
#define KP_PANES_MAX 4096       /* of one rolling window */

/* However little a calendar works, a working window looks back no further than this. */
#define KP_WORK_REACH_MS (366 * KP_DAY_MS)

/* SPAN: a stretch of time that stands still, a contest's. It is not written anywhere, so no text is parsed as one. */
enum kp_window_kind { KP_WIN_ROLLING, KP_WIN_WORKING, KP_WIN_CALENDAR, KP_WIN_SPAN };

struct kp_window {
    char text[KP_WINDOW_TEXT];  /* as written, the window's name in messages */
    enum kp_window_kind kind;
    int64_t length_ms;          /* rolling, working: W */
    int64_t pane_ms;            /* rolling, working: S; KP_DAY_MS: a calendar day in the zone */
    enum kp_period period;      /* calendar */
    int back;                   /* calendar: 0 the running period, 1..12 the Nth before */
    int64_t from_ms, to_ms;     /* span: from <= t < to */
};

/* KP_EINVAL with the reason in *err ("window 45x: ..."). */
enum kp_code kp_window_parse(const char *text, size_t len, struct kp_window *win, struct kp_err *err) KP_CHECK;

#endif
