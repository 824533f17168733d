#include "tell.h"

#include "compose.h"

#include <stdlib.h>
#include <string.h>

enum { DIGEST_LINES = 200 };

/* ---- One delivery ---- */

static uint32_t spent(void *ctx, const char *address, int64_t day)
{
    const struct tell *tell = ctx;

    return spool_spent(tell->spool, address, day);
}

/* What an aim gets: the finished message, or the alert for the digest to be made of. */
static void put_payload(const struct tell *tell, const struct alert *alert, enum change change, uint32_t number,
                        const struct aim *aim, int64_t now_ms, struct text *out)
{
    msgpack_sbuffer packed;

    if (aim->kind == AIM_WEBHOOK) {
        compose_webhook(tell->config, alert, change, aim->route, out);
    } else if (aim->instant) {
        compose_mail(tell->config, alert, change, number, aim, now_ms, out);
    } else {
        msgpack_sbuffer_init(&packed);
        alert_pack(alert, &packed);
        text_put(out, packed.data, packed.size);
        msgpack_sbuffer_destroy(&packed);
    }
}

static enum kp_code deliver(const struct tell *tell, const struct alert *alert, enum change change, uint32_t number,
                            const struct aim *aim, int64_t now_ms, struct kp_err *err)
{
    struct text payload = {0};
    enum kp_code code;

    put_payload(tell, alert, change, number, aim, now_ms, &payload);
    if (payload.failed)
        code = kp_fail(err, KP_ENOMEM, "out of memory");
    else
        code = spool_deliver(tell->spool,
                             &(struct delivery){.kind = aim->kind, .to = aim->to, .alert = alert->id, .change = number,
                                                .what = change, .reader = aim->reader, .instant = aim->instant,
                                                .due_ms = aim->digest_ms, .counted = aim->counted, .day = aim->day,
                                                .end_too = aim->end_too, .created_ms = now_ms, .payload = payload.s,
                                                .len = payload.len},
                             err);
    text_release(&payload);
    return code;
}

/* ---- A change while it fires ---- */

static enum kp_code tell_change(struct tell *tell, const struct alert *alert, enum change change, uint32_t number,
                                int64_t now_ms, struct kp_err *err)
{
    enum kp_code code = KP_OK;

    route_change(tell->config, alert, change, now_ms, spent, tell, tell->aims);
    for (size_t i = 0; !code && i < tell->aims->count; i++)
        code = deliver(tell, alert, change, number, &tell->aims->aims[i], now_ms, err);
    return code;
}

/* ---- The end ---- */

/* Those who were told, copied: while they are read from the spool nothing can be written to it. */
struct listeners {
    struct aim *aims;       /* owned, and their `to` */
    size_t count, room;
    bool failed;
};

static void add_listener(void *ctx, const struct delivery *to)
{
    struct listeners *all = ctx;

    if (!to->end_too)
        return;
    if (all->count == all->room) {
        size_t room = all->room ? 2 * all->room : 16;
        struct aim *grown = reallocarray(all->aims, room, sizeof *grown);

        if (!grown) {
            all->failed = true;
            return;
        }
        all->aims = grown;
        all->room = room;
    }
    all->aims[all->count] = (struct aim){.kind = to->kind, .to = strdup(to->to), .reader = to->reader, .instant = to->instant};
    all->failed |= !all->aims[all->count].to;
    all->count += all->aims[all->count].to != NULL;
}

static void release_listeners(struct listeners *all)
{
    for (size_t i = 0; i < all->count; i++)
        free((char *)(uintptr_t)all->aims[i].to);
    free(all->aims);
}

/* Its route, as the configuration is now; a webhook or a mail server that is not in it any more is told nothing. */
static bool find_route(const struct tell *tell, struct aim *aim, int64_t now_ms)
{
    if (aim->kind == AIM_WEBHOOK) {
        aim->route = route_of_webhook(tell->config, aim->to);
        return aim->route != NULL;
    }
    aim->route = route_of_digest(tell->config, aim->to);
    if (!aim->instant)
        aim->digest_ms = route_digest_ms(tell->config, aim->to, now_ms);
    return tell->config->mail.url != NULL;
}

static enum kp_code tell_end(struct tell *tell, const struct alert *alert, uint32_t number, int64_t now_ms, struct kp_err *err)
{
    struct listeners all = {0};
    enum kp_code code = spool_told(tell->spool, alert->id, add_listener, &all, err);

    if (!code && all.failed)
        code = kp_fail(err, KP_ENOMEM, "out of memory");
    for (size_t i = 0; !code && i < all.count; i++)
        if (find_route(tell, &all.aims[i], now_ms))
            code = deliver(tell, alert, CHANGE_RESOLVED, number, &all.aims[i], now_ms, err);
    release_listeners(&all);
    return code;
}

/* ---- Alertmanagers ---- */

/* Is it the first route that names this one? */
static bool is_first(const struct notify_config *config, size_t i)
{
    const char *url = config->routes[i].alertmanager.url;

    for (size_t k = 0; url && k < i; k++)
        if (config->routes[k].alertmanager.url && strcmp(config->routes[k].alertmanager.url, url) == 0)
            return false;
    return url != NULL;
}

/* Each has it with the severity that it has now, where a route wants that, and with no other. */
static enum kp_code tell_managers(const struct tell *tell, const struct alert *alert, enum change change, struct kp_err *err)
{
    const struct notify_config *config = tell->config;
    enum kp_code code = KP_OK;

    for (size_t i = 0; !code && i < config->nroutes; i++) {
        const char *url = config->routes[i].alertmanager.url;
        bool stands = alert->state == ALERT_FIRING && !alert->silenced;
        int64_t ended_ms = alert->time_ms ? alert->time_ms : 1;     /* 0 is no end */

        if (!is_first(config, i))
            continue;
        stands = stands && route_to_manager(config, alert, url);
        code = spool_fall(tell->spool, url, alert->id, stands ? (int)alert->severity : -1, ended_ms, err);
        if (!code && stands)
            code = spool_stand(tell->spool, url, alert, change == CHANGE_NEW ? alert->since_ms : alert->time_ms,
                               change != CHANGE_NONE, err);
    }
    return code;
}

/* ---- What comes in ---- */

static enum kp_code take(struct tell *tell, const struct alert *alert, enum change change, bool hushed, uint32_t number,
                         int64_t now_ms, struct kp_err *err)
{
    enum kp_code code = tell_managers(tell, alert, change, err);

    if (!code && !hushed)
        code = change == CHANGE_RESOLVED ? tell_end(tell, alert, number, now_ms, err)
                                         : tell_change(tell, alert, change, number, now_ms, err);
    if (!code)
        code = spool_keep(tell->spool, alert, number, now_ms, tell->listing, err);
    tell->told += code == KP_OK;
    return code;
}

static enum kp_code has_room(struct tell *tell, bool *room, struct kp_err *err)
{
    uint32_t count;
    enum kp_code code = spool_count(tell->spool, &count, err);

    *room = count < tell->config->alerts_max;
    tell->refused += !code && !*room;
    return code;
}

/* It fires as before. A silence that began or ended is news to an Alertmanager, and so is everything to one that was put
 * into the configuration meanwhile. */
static enum kp_code tell_still(const struct tell *tell, const struct alert *alert, const struct known *known, struct kp_err *err)
{
    if (!known->found || known->state != ALERT_FIRING || alert->state != ALERT_FIRING)
        return KP_OK;
    return tell_managers(tell, alert, CHANGE_NONE, err);
}

/* Was it told, since the listing was asked for, by what the daemon said after it had made the listing? */
static bool is_outdated(const struct tell *tell, const struct known *known, const struct alert *alert)
{
    return known->found && known->asked == tell->listing && known->seq > alert->seq;
}

enum kp_code tell_alert(struct tell *tell, struct alert *alert, bool listed, int64_t now_ms, struct kp_err *err)
{
    struct known known;
    enum kp_code code = spool_find(tell->spool, alert->id, &known, err);
    enum change change;
    bool hushed, room = true;

    if (code || (listed && is_outdated(tell, &known, alert)))
        return code;
    change = change_of(&known, alert, listed, &hushed);
    alert_describe(alert, tell->catalog);
    if (change == CHANGE_NEW)
        code = has_room(tell, &room, err);
    if (!code && change == CHANGE_NONE)
        code = tell_still(tell, alert, &known, err);
    else if (!code && room)
        code = take(tell, alert, change, hushed, known.changes + 1, now_ms, err);
    if (!code && listed && alert->state == ALERT_FIRING)
        code = spool_listed(tell->spool, alert->id, tell->listing, err);
    return code;
}

enum kp_code tell_unlisted(struct tell *tell, uint64_t seq, int64_t now_ms, struct kp_err *err)
{
    static const char reason[] = "unlisted";
    struct alert alert;
    struct known known;
    bool found = true;
    enum kp_code code;

    while ((code = spool_unlisted(tell->spool, tell->listing, seq, &alert, &found, err)) == KP_OK && found) {
        code = spool_find(tell->spool, alert.id, &known, err);
        if (code)
            return code;
        alert.state = ALERT_RESOLVED;
        alert.time_ms = now_ms > alert.time_ms ? now_ms : alert.time_ms;
        memcpy(alert.reason, reason, sizeof reason);
        code = take(tell, &alert, CHANGE_RESOLVED, false, known.changes + 1, now_ms, err);
        if (code)
            return code;
    }
    return code;
}

/* ---- The digest ---- */

struct gathering {
    struct digest_line *lines;      /* owned; DIGEST_LINES */
    size_t count, left_out;
    int64_t last;                   /* number of the last delivery: no other digest has it, whatever the clock does */
};

/* Of one alert the last word stands, in the place of the first. */
static void gather(void *ctx, const struct delivery *delivery)
{
    struct gathering *all = ctx;
    size_t at = 0;

    all->last = delivery->n;
    while (at < all->count && strcmp(all->lines[at].alert.id, delivery->alert) != 0)
        at++;
    if (at == DIGEST_LINES) {
        all->left_out++;
        return;
    }
    if (!alert_unpack(delivery->payload, delivery->len, &all->lines[at].alert)) {
        all->left_out++;
        return;
    }
    all->lines[at].change = delivery->what;
    all->count += at == all->count;
}

/* Critical ones first, then as they came. */
static int by_weight(const void *a, const void *b)
{
    const struct digest_line *x = a, *y = b;

    if (x->alert.severity != y->alert.severity)
        return (int)y->alert.severity - (int)x->alert.severity;
    return x->alert.since_ms < y->alert.since_ms ? -1 : x->alert.since_ms > y->alert.since_ms;
}

static enum kp_code tell_digest(struct tell *tell, const char *to, int64_t due_ms, int64_t now_ms, struct kp_err *err)
{
    struct gathering all = {.lines = calloc(DIGEST_LINES, sizeof *all.lines)};
    struct text payload = {0};
    enum kp_code code = all.lines ? spool_digest_each(tell->spool, to, due_ms, gather, &all, err)
                                  : kp_fail(err, KP_ENOMEM, "out of memory");

    if (!code && all.count) {
        qsort(all.lines, all.count, sizeof *all.lines, by_weight);
        compose_digest(tell->config, to, all.lines, all.count, all.left_out, all.last, due_ms, now_ms, &payload);
        code = payload.failed ? kp_fail(err, KP_ENOMEM, "out of memory")
                              : spool_deliver(tell->spool,
                                              &(struct delivery){.kind = AIM_MAIL, .to = to, .alert = "digest",
                                                                 .change = all.last, .instant = true, .created_ms = now_ms,
                                                                 .payload = payload.s, .len = payload.len},
                                              err);
    }
    if (!code)
        code = spool_digest_done(tell->spool, to, due_ms, err);
    text_release(&payload);
    free(all.lines);
    return code;
}

enum kp_code tell_digests(struct tell *tell, int64_t now_ms, struct kp_err *err)
{
    char to[NOTIFY_ADDRESS + 1];
    int64_t due_ms;
    bool found;
    enum kp_code code;

    while ((code = spool_digest(tell->spool, now_ms, to, sizeof to, &due_ms, &found, err)) == KP_OK && found)
        if ((code = tell_digest(tell, to, due_ms, now_ms, err)) != KP_OK)
            return code;
    return code;
}
