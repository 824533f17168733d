#include "route.h"

#include <string.h>

/* ---- What a message changes ---- */

enum change change_of(const struct known *known, const struct alert *alert, bool listed, bool *hushed)
{
    bool fires = known->found && known->state == ALERT_FIRING;

    *hushed = alert->silenced || alert->state == ALERT_GROUPED;
    if (alert->state == ALERT_RESOLVED || alert->state == ALERT_GROUPED)
        return fires ? CHANGE_RESOLVED : CHANGE_NONE;
    /* an id is that of one life: what is over does not come back under it */
    if (alert->state != ALERT_FIRING || alert->silenced || (known->found && known->state == ALERT_RESOLVED))
        return CHANGE_NONE;
    if (!fires)
        return CHANGE_NEW;
    if (known->severity != alert->severity)
        return CHANGE_SEVERITY;
    return !listed && !alert->acked && alert->time_ms > known->time_ms ? CHANGE_REPEAT : CHANGE_NONE;
}

/* ---- Which routes ---- */

static bool has(const struct names *names, const char *text)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], text) == 0)
            return true;
    return names->count == 0;
}

static bool is_below(const struct names *paths, const struct alert *alert)
{
    for (size_t i = 0; i < paths->count; i++)
        if (alert_is_under(alert, paths->items[i]))
            return true;
    return paths->count == 0;
}

bool route_matches(const struct route *route, const struct alert *alert)
{
    const struct match *match = &route->match;

    return has(&match->rules, alert->rule) && has(&match->kpis, alert->kpi) && has(&match->levels, alert->level) &&
           has(&match->severities, alert_severity_name(alert->severity)) && is_below(&match->paths, alert);
}

/* ---- When ---- */

int64_t route_next(const struct kp_zone *zone, int32_t clock_ms, int64_t now_ms)
{
    int64_t day = kp_zone_day(zone, now_ms), at_ms = kp_zone_instant(zone, day, clock_ms);

    return at_ms > now_ms ? at_ms : kp_zone_instant(zone, day + 1, clock_ms);
}

static int64_t next_of(const struct notify_config *config, const struct route *route, int64_t now_ms)
{
    return route_next(route ? route->zone : config->zone, route && route->has_digest ? route->digest_ms : config->digest_ms,
                      now_ms);
}

void route_zone(const struct notify_config *config, const struct route *route, struct zone_said *said)
{
    const char *name = route && route->zone_name ? route->zone_name : config->zone_name;

    said->zone = route ? route->zone : config->zone;
    said->name = name ? name : "UTC";
}

static bool names_address(const struct route *route, const char *address)
{
    return route->mail.count && has(&route->mail, address);
}

const struct route *route_of_webhook(const struct notify_config *config, const char *url)
{
    for (size_t i = 0; i < config->nroutes; i++)
        if (config->routes[i].webhook.url && strcmp(config->routes[i].webhook.url, url) == 0)
            return &config->routes[i];
    return NULL;
}

const struct route *route_of_digest(const struct notify_config *config, const char *address)
{
    const struct route *named = NULL;

    for (size_t i = 0; i < config->nroutes; i++) {
        const struct route *route = &config->routes[i];

        if (!names_address(route, address))
            continue;
        if (route->has_digest)
            return route;
        named = named ? named : route;
    }
    return named;
}

int64_t route_digest_ms(const struct notify_config *config, const char *address, int64_t now_ms)
{
    return next_of(config, route_of_digest(config, address), now_ms);
}

/* ---- Who ---- */

static struct aim *find(struct aims *aims, enum aim_kind kind, const char *to)
{
    for (size_t i = 0; i < aims->count; i++)
        if (aims->aims[i].kind == kind && strcmp(aims->aims[i].to, to) == 0)
            return &aims->aims[i];
    return NULL;
}

/* Of two routes to the same address the one stays that tells at once, and of those the one with more budget. */
static bool is_better(const struct route *route, const struct route *than)
{
    if (route->has_digest != than->has_digest)
        return !route->has_digest;
    return route->budget > than->budget;
}

static void add(struct aims *aims, enum aim_kind kind, const char *to, const struct route *route, enum reader reader)
{
    struct aim *aim = find(aims, kind, to);

    if (aim) {
        aim->end_too |= route->resolved;
        if (is_better(route, aim->route))
            aim->route = route;
        return;
    }
    if (aims->count == AIMS_MAX) {
        aims->left_out++;
        return;
    }
    aims->aims[aims->count++] =
        (struct aim){.kind = kind, .to = to, .route = route, .reader = reader, .instant = true, .end_too = route->resolved};
}

static const char *rep_address(const struct notify_config *config, const struct alert *alert)
{
    return strcmp(alert->level, "rep") == 0 ? notify_config_mail_of(config, alert->key) : NULL;
}

static void add_route(const struct notify_config *config, const struct alert *alert, const struct route *route,
                      enum reader reader, struct aims *aims)
{
    const char *rep = rep_address(config, alert);

    if (reader == READER_REP) {
        if (rep && route->copy_rep)
            add(aims, AIM_MAIL, rep, route, READER_REP);
        return;
    }
    for (size_t i = 0; i < route->mail.count; i++)
        add(aims, AIM_MAIL, route->mail.items[i], route, READER_OTHERS);
    if (route->webhook.url)
        add(aims, AIM_WEBHOOK, route->webhook.url, route, READER_OTHERS);
}

/* At once or in the digest. Better news and old take nothing of the budget, and nor does what waits. */
static void decide(const struct notify_config *config, struct aim *aim, bool counts, int64_t now_ms, route_spent *spent,
                   void *ctx)
{
    const struct route *route = aim->route;

    if (aim->kind != AIM_MAIL)
        return;
    aim->day = kp_zone_day(route->zone, now_ms);
    aim->instant = !route->has_digest && (!counts || route->budget == UINT32_MAX || spent(ctx, aim->to, aim->day) < route->budget);
    aim->counted = aim->instant && counts;
    if (!aim->instant)
        aim->digest_ms = route->has_digest ? next_of(config, route, now_ms) : route_digest_ms(config, aim->to, now_ms);
}

void route_change(const struct notify_config *config, const struct alert *alert, enum change change, int64_t now_ms,
                  route_spent *spent, void *ctx, struct aims *aims)
{
    bool counts = change == CHANGE_NEW || (change == CHANGE_SEVERITY && alert->severity == ALERT_CRITICAL);

    aims->count = aims->left_out = 0;
    for (int reader = READER_REP; reader >= READER_OTHERS; reader--)
        for (size_t i = 0; i < config->nroutes; i++)
            if ((change != CHANGE_REPEAT || config->routes[i].repeat) && route_matches(&config->routes[i], alert))
                add_route(config, alert, &config->routes[i], (enum reader)reader, aims);
    for (size_t i = 0; i < aims->count; i++)
        decide(config, &aims->aims[i], counts, now_ms, spent, ctx);
}

bool route_to_manager(const struct notify_config *config, const struct alert *alert, const char *url)
{
    for (size_t i = 0; i < config->nroutes; i++) {
        const struct route *route = &config->routes[i];

        if (route->alertmanager.url && strcmp(route->alertmanager.url, url) == 0 && route_matches(route, alert))
            return true;
    }
    return false;
}
