/* Who is told of a change of an alert, and whether at once or in the digest. Pure: what was told before comes in through
 * `struct told`, time as an argument. */
#ifndef NOTIFY_ROUTE_H
#define NOTIFY_ROUTE_H

#include "alert.h"
#include "notify_config.h"
#include "wording.h"

/* What is known of an alert already. */
struct known {
    bool found;
    enum alert_state state;
    enum alert_severity severity;
    int64_t time_ms;
    uint32_t changes;           /* so many were told */
    int64_t asked;              /* number of the listing that was asked for last when it was told last */
    uint64_t seq;               /* of that message, or of the listing that it was in */
};

/* What a message changes. listed: it comes from a listing of what fires, not because something happened. RESOLVED with
 * `hushed` set: it is over, and nobody is to hear of it. */
enum change change_of(const struct known *known, const struct alert *alert, bool listed, bool *hushed);

enum aim_kind { AIM_MAIL, AIM_WEBHOOK };

/* One who is to be told. */
struct aim {
    enum aim_kind kind;
    const char *to;             /* borrowed from the configuration: an address, a URL */
    const struct route *route;  /* borrowed */
    enum reader reader;
    bool instant;
    int64_t digest_ms;          /* not instant: when the digest is due that it waits for */
    bool counted;               /* takes one of the day's budget */
    int64_t day;                /* local, for the budget */
    bool end_too;               /* is to be told when it is over */
};

enum { AIMS_MAX = 2048 };
struct aims {
    struct aim aims[AIMS_MAX];
    size_t count;
    size_t left_out;
};

/* How many instant mails were counted for an address on that day. */
typedef uint32_t route_spent(void *ctx, const char *address, int64_t day);

/* Everybody whom the routes name for it, each once: a route that tells at once stands before one that waits for the digest,
 * the rep's own wording before another. For NEW, SEVERITY and REPEAT. */
void route_change(const struct notify_config *config, const struct alert *alert, enum change change, int64_t now_ms,
                  route_spent *spent, void *ctx, struct aims *aims);

/* Does any route of that Alertmanager want the alert as it is? */
bool route_to_manager(const struct notify_config *config, const struct alert *alert, const char *url);

/* The route that says when an address has its digest: the first of those with one, else the first that names it; NULL: none. */
const struct route *route_of_digest(const struct notify_config *config, const char *address);
/* The first with that webhook; NULL: none. */
const struct route *route_of_webhook(const struct notify_config *config, const char *url);

/* When the digest of an address is due next, for what follows to an alert that it had in a digest. */
int64_t route_digest_ms(const struct notify_config *config, const char *address, int64_t now_ms);

bool route_matches(const struct route *route, const struct alert *alert);
/* The next time after now at which the clock of the zone shows so much. */
int64_t route_next(const struct kp_zone *zone, int32_t clock_ms, int64_t now_ms);

/* The zone in which times are told by a route; NULL: the configuration's. */
void route_zone(const struct notify_config *config, const struct route *route, struct zone_said *said);

#endif
