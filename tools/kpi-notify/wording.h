/* What is said of an alert: a nudge, not a verdict. Pure: functions of the alert and of the zone that times are told in. */
#ifndef NOTIFY_WORDING_H
#define NOTIFY_WORDING_H

#include "alert.h"
#include "text.h"

#include "kpid/zone.h"

/* Why something is said. */
enum change { CHANGE_NONE, CHANGE_NEW, CHANGE_SEVERITY, CHANGE_REPEAT, CHANGE_RESOLVED };
const char *change_name(enum change change);

/* Who reads it. */
enum reader { READER_OTHERS, READER_REP };

struct zone_said {
    const struct kp_zone *zone;
    const char *name;           /* "Europe/London" */
};

/* The subject of a mail, one line. */
void wording_subject(const struct alert *alert, enum change change, enum reader reader, struct text *out);
/* The same alert in plain text, and as HTML. */
void wording_plain(const struct alert *alert, enum change change, enum reader reader, const struct zone_said *zone,
                   struct text *out);
void wording_html(const struct alert *alert, enum change change, enum reader reader, const struct zone_said *zone,
                  struct text *out);

/* How the number compares, in one sentence: "12 by now, where 22.5 would be expected (53% of pace)". */
void wording_comparison(const struct alert *alert, struct text *out);

/* Whose it is, and of what: "Ana Silva, Calls made (day)". */
void wording_whose(const struct alert *alert, struct text *out);

/* "Tue 3 Mar 2026, 10:42". Returns buf. */
char *wording_time(const struct kp_zone *zone, int64_t at_ms, char buf[48]);
/* "2 h 5 min". Returns buf. */
char *wording_duration(int64_t ms, char buf[48]);

/* ---- The digest ---- */
/* One line of it: an alert as it was told last. */
struct digest_line {
    struct alert alert;
    enum change change;
};
/* Lines are given in the order of the digest; `left_out` found no room. day_ms: an instant of the day that it is for. */
void wording_digest_subject(const struct digest_line *lines, size_t n, const struct zone_said *zone, int64_t day_ms,
                            struct text *out);
void wording_digest_plain(const struct digest_line *lines, size_t n, size_t left_out, const struct zone_said *zone,
                          struct text *out);
void wording_digest_html(const struct digest_line *lines, size_t n, size_t left_out, const struct zone_said *zone,
                         struct text *out);

#endif
