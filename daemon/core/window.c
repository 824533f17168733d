#include "kpid/window.h"

#include <string.h>

#define HOUR_MS INT64_C(3600000)

static const struct {
    const char *name;
    enum kp_period period;
} periods[] = {
    {"day", KP_PER_DAY}, {"week", KP_PER_WEEK}, {"month", KP_PER_MONTH}, {"quarter", KP_PER_QUARTER},
    {"year", KP_PER_YEAR},
};

static enum kp_code fail(struct kp_err *err, const char *text, size_t len, const char *what)
{
    return kp_fail(err, KP_EINVAL, "window \"%.*s\": %s", (int)(len > 40 ? 40 : len), text, what);
}

/* "day", "day-1" ... "day-12". 1: it is one; 0: no calendar window; -1: one, with a wrong number. */
static int parse_calendar(const char *text, size_t len, struct kp_window *win)
{
    for (size_t i = 0; i < sizeof periods / sizeof *periods; i++) {
        size_t n = strlen(periods[i].name);
        int back = 0;

        if (len < n || memcmp(text, periods[i].name, n) != 0 || (len > n && text[n] != '-'))
            continue;
        win->kind = KP_WIN_CALENDAR;
        win->period = periods[i].period;
        if (len == n)
            return 1;
        if (len < n + 2 || len > n + 3 || text[n + 1] == '0')
            return -1;
        for (size_t k = n + 1; k < len; k++) {
            if (text[k] < '0' || text[k] > '9')
                return -1;
            back = back * 10 + (text[k] - '0');
        }
        win->back = back;
        return back >= 1 && back <= 12 ? 1 : -1;
    }
    return 0;
}

static int64_t default_pane(int64_t length_ms)
{
    static const int64_t s = 1000, m = 60000, h = HOUR_MS;
    const int64_t choices[] = {s,      5 * s,  10 * s, 15 * s, 30 * s, m,      5 * m, 10 * m,
                               15 * m, 30 * m, h,      2 * h,  6 * h,  12 * h, KP_DAY_MS};
    int64_t best = 0;

    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++)
        if (length_ms % choices[i] == 0 && choices[i] <= length_ms / 24)
            best = choices[i];
    return best;
}

/* "8wh": hours of work. False: it is no such thing, or none, or over a million. */
static bool parse_work(const char *text, size_t len, int64_t *length_ms)
{
    int64_t hours = 0;

    if (len < 3 || len > 8 || memcmp(text + len - 2, "wh", 2) != 0)
        return false;
    for (size_t i = 0; i < len - 2; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        hours = hours * 10 + (text[i] - '0');
    }
    *length_ms = hours * HOUR_MS;
    return hours > 0;
}

static enum kp_code parse_rolling(const char *text, size_t len, struct kp_window *win, struct kp_err *err)
{
    const char *slash = memchr(text, '/', len);
    size_t head = slash ? (size_t)(slash - text) : len;

    win->kind = parse_work(text, head, &win->length_ms) ? KP_WIN_WORKING : KP_WIN_ROLLING;
    if (win->kind == KP_WIN_ROLLING && (!kp_duration_parse(text, head, &win->length_ms) || win->length_ms <= 0))
        return fail(err, text, len, "neither a duration (15m, 1h, 7d, 8wh) nor a period (day, week, month, quarter, "
                                    "year, day-1)");
    if (slash) {
        if (!kp_duration_parse(slash + 1, len - head - 1, &win->pane_ms) || win->pane_ms <= 0)
            return fail(err, text, len, "what follows the / is no duration");
        if (win->kind == KP_WIN_WORKING && win->pane_ms > HOUR_MS)
            return fail(err, text, len, "a pane of working time is at most an hour");
        if (win->pane_ms > KP_DAY_MS)
            return fail(err, text, len, "a pane is at most a day");
        if (win->length_ms % win->pane_ms != 0)
            return fail(err, text, len, "the length is not a multiple of the pane");
    } else {
        win->pane_ms = default_pane(win->length_ms);
        if (win->kind == KP_WIN_WORKING && win->pane_ms > HOUR_MS)
            win->pane_ms = HOUR_MS;
        if (win->pane_ms == 0)
            return fail(err, text, len, "too short, or no usual pane divides it: give one, as in 45s/3s");
    }
    if (win->length_ms / win->pane_ms > KP_PANES_MAX)
        return fail(err, text, len, "over 4096 panes");
    return KP_OK;
}

enum kp_code kp_window_parse(const char *text, size_t len, struct kp_window *win, struct kp_err *err)
{
    int calendar;

    memset(win, 0, sizeof *win);
    if (len == 0 || len >= sizeof win->text)
        return fail(err, text, len, len ? "too long for a window" : "empty");
    memcpy(win->text, text, len);
    calendar = parse_calendar(text, len, win);
    if (calendar < 0)
        return fail(err, text, len, "what follows the - is 1 to 12");
    return calendar ? KP_OK : parse_rolling(text, len, win, err);
}
