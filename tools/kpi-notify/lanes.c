#include "lanes.h"

#include "alertmanager.h"

#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAILS_AT_ONCE = 4,
    LANES_MAX = 4096,           /* that are in use or pause; more wait for one to become free */
    BATCH = 200,                /* alerts in one request to an Alertmanager */
    GOOD_FOR = 4,               /* periods of sending again that one of those is good for */
};

/* Where a pause ends, and how long the next one is. */
struct pause {
    int64_t until_ms;           /* steady; 0: none */
    int tries;
};

/* One that is in use, or that pauses. */
struct lane {
    enum aim_kind kind;
    char *to;                   /* owned */
    bool busy;
    struct pause pause;
    int64_t n;                  /* the delivery on its way */
    enum { ON_ITS_WAY, ARRIVED, REFUSED } ended;    /* and not yet written down: until it is, nothing is sent again */
    char alert[ALERT_ID];
};

struct manager {
    const char *url;            /* borrowed */
    const char *ca_file;
    int64_t resend_ms;
    bool busy;
    struct pause pause;
    int64_t batch;
    size_t count;               /* in it */
    size_t singly;              /* so many are to be sent one by one: one among them is refused */
    bool marked;                /* the batch, in the spool */
    int64_t skip;               /* sent since nothing can be written */
    int64_t due_ms;             /* steady: when something is to be sent again */
};

struct lanes {
    const struct notify_config *config;     /* borrowed, like the next two */
    struct spool *spool;
    struct post *post;
    struct lane lanes[LANES_MAX];
    size_t count;
    int mails;                  /* on their way */
    struct pause mail_pause;
    struct manager *managers;   /* owned */
    size_t nmanagers;
    int64_t next_batch;
    int64_t steady_ms;          /* of this turn */
    int64_t chosen[MAILS_AT_ONCE + NOTIFY_ROUTES_MAX];      /* deliveries to begin */
    size_t nchosen;
    struct lanes_stats stats;
    struct kp_log_limit limit;
};

/* ---- Pauses ---- */

static void pause_more(const struct notify_config *config, struct pause *pause, int64_t steady_ms, int64_t at_least_ms)
{
    int64_t ms = config->retry_first_ms;

    for (int i = 0; i < pause->tries && ms < config->retry_longest_ms; i++)
        ms *= 2;
    if (ms > config->retry_longest_ms)
        ms = config->retry_longest_ms;
    if (ms < at_least_ms)
        ms = at_least_ms;
    pause->tries++;
    pause->until_ms = steady_ms + ms;
}

static bool is_paused(const struct pause *pause, int64_t steady_ms)
{
    return pause->until_ms > steady_ms;
}

/* ---- Opening ---- */

static void add_manager(struct lanes *lanes, const struct alertmanager *cfg)
{
    for (size_t i = 0; i < lanes->nmanagers; i++)
        if (strcmp(lanes->managers[i].url, cfg->url) == 0)
            return;
    lanes->managers[lanes->nmanagers++] =
        (struct manager){.url = cfg->url, .ca_file = cfg->ca_file, .resend_ms = cfg->resend_ms};
}

struct lanes *lanes_open(const struct notify_config *config, struct spool *spool, struct post *post, struct kp_err *err)
{
    struct lanes *lanes = calloc(1, sizeof *lanes);

    if (lanes)
        lanes->managers = calloc(config->nroutes + 1, sizeof *lanes->managers);
    if (!lanes || !lanes->managers) {
        kp_fail(err, KP_ENOMEM, "out of memory");
        lanes_close(&lanes);
        return NULL;
    }
    lanes->config = config;
    lanes->spool = spool;
    lanes->post = post;
    lanes->limit.burst = 5;
    for (size_t i = 0; i < config->nroutes; i++)
        if (config->routes[i].alertmanager.url)
            add_manager(lanes, &config->routes[i].alertmanager);
    return lanes;
}

void lanes_close(struct lanes **lanes)
{
    if (!*lanes)
        return;
    for (size_t i = 0; i < (*lanes)->count; i++)
        free((*lanes)->lanes[i].to);
    free((*lanes)->managers);
    free(*lanes);
    *lanes = NULL;
}

/* ---- The log ---- */

/* An address as it is; of a URL the host alone. */
static char *name_of(enum aim_kind kind, const char *to, char *buf, size_t size)
{
    char host[256];

    if (kind != AIM_MAIL)
        to = post_host(to, host, sizeof host);
    return kp_log_quote(to, strlen(to), buf, size);
}

static void log_failure(struct lanes *lanes, const char *what, const char *to, const struct posted *posted, int64_t now_ms)
{
    char why[2 * CURL_ERROR_SIZE];
    uint64_t held;

    lanes->stats.failed++;
    if (posted->outcome != OUTCOME_REFUSED && !kp_log_allow(&lanes->limit, now_ms, &held))
        return;
    kp_log(posted->outcome == OUTCOME_REFUSED ? KP_LOG_ERROR : KP_LOG_WARN, "event=%s to=%s what=%s reply=%ld error=%s",
           posted->outcome == OUTCOME_REFUSED ? "refused" : "later", to, what, posted->reply,
           kp_log_quote(posted->why, strlen(posted->why), why, sizeof why));
}

/* ---- Mails and webhooks ---- */

static struct lane *find_lane(struct lanes *lanes, enum aim_kind kind, const char *to)
{
    for (size_t i = 0; i < lanes->count; i++)
        if (lanes->lanes[i].kind == kind && strcmp(lanes->lanes[i].to, to) == 0)
            return &lanes->lanes[i];
    return NULL;
}

static void free_lane(struct lanes *lanes, struct lane *lane)
{
    free(lane->to);
    *lane = lanes->lanes[--lanes->count];
}

static const struct route *webhook_of(const struct lanes *lanes, const char *to)
{
    return route_of_webhook(lanes->config, to);
}

/* Those that only remember a pause that is over. */
static void drop_idle(struct lanes *lanes)
{
    for (size_t i = lanes->count; i-- > 0;)
        if (!lanes->lanes[i].busy && !is_paused(&lanes->lanes[i].pause, lanes->steady_ms))
            free_lane(lanes, &lanes->lanes[i]);
}

/* Take a lane for what waits, when it is free. */
static struct lane *take_lane(struct lanes *lanes, const struct delivery *delivery)
{
    struct lane *lane = find_lane(lanes, delivery->kind, delivery->to);

    if (lane)
        return lane->busy || is_paused(&lane->pause, lanes->steady_ms) ? NULL : lane;
    if (lanes->count == LANES_MAX)
        drop_idle(lanes);
    if (lanes->count == LANES_MAX)
        return NULL;
    lane = &lanes->lanes[lanes->count];
    *lane = (struct lane){.kind = delivery->kind, .to = strdup(delivery->to)};
    lanes->count += lane->to != NULL;
    return lane->to ? lane : NULL;
}

/* False: enough is on its way. */
static bool choose(void *ctx, const struct delivery *delivery)
{
    struct lanes *lanes = ctx;
    bool mail = delivery->kind == AIM_MAIL;
    struct lane *lane;

    if (mail && (!lanes->config->mail.url || lanes->mails == MAILS_AT_ONCE || is_paused(&lanes->mail_pause, lanes->steady_ms)))
        return true;
    if (!mail && !webhook_of(lanes, delivery->to))
        return true;
    lane = take_lane(lanes, delivery);
    if (!lane)
        return true;
    lane->busy = true;
    lane->ended = ON_ITS_WAY;
    lane->n = delivery->n;
    lanes->mails += mail;
    lanes->chosen[lanes->nchosen++] = delivery->n;
    return lanes->nchosen < sizeof lanes->chosen / sizeof *lanes->chosen;
}

static struct lane *lane_of(struct lanes *lanes, int64_t n)
{
    for (size_t i = 0; i < lanes->count; i++)
        if (lanes->lanes[i].busy && lanes->lanes[i].n == n)
            return &lanes->lanes[i];
    return NULL;
}

/* The lane is free again, with its pause, or gone. */
static void leave(struct lanes *lanes, struct lane *lane, bool pauses)
{
    lanes->mails -= lane->kind == AIM_MAIL;
    lane->busy = false;
    if (!pauses)
        free_lane(lanes, lane);
}

static enum kp_code begin(struct lanes *lanes, int64_t n, struct kp_err *err)
{
    struct lane *lane = lane_of(lanes, n);
    const struct route *route;
    struct parcel parcel;
    enum kp_code code;

    if (!lane)
        return KP_OK;   /* it was not chosen */
    code = spool_load(lanes->spool, n, &parcel, err);
    if (!code)
        memcpy(lane->alert, parcel.alert, sizeof lane->alert);
    if (!code && parcel.kind == AIM_MAIL)
        code = post_mail(lanes->post, &lanes->config->mail, parcel.to, &parcel.payload, n, err);
    else if (!code && (route = webhook_of(lanes, parcel.to)) != NULL)
        code = post_json(lanes->post, parcel.to, route->webhook.ca_file, &parcel.payload, n, err);
    text_release(&parcel.payload);
    if (code)
        leave(lanes, lane, false);
    return code;
}

/* Write down what has become of it. */
static enum kp_code record(struct lanes *lanes, struct lane *lane, struct kp_err *err)
{
    enum kp_code code = spool_done(lanes->spool, lane->n, lane->ended == ARRIVED, err);
    char to[600];

    if (code)
        return code;
    if (lane->ended == ARRIVED)
        kp_log(KP_LOG_INFO, "event=sent to=%s what=%s", name_of(lane->kind, lane->to, to, sizeof to), lane->alert);
    leave(lanes, lane, false);
    return KP_OK;
}

static enum kp_code record_all(struct lanes *lanes, struct kp_err *err)
{
    enum kp_code code = KP_OK;

    for (size_t i = lanes->count; !code && i-- > 0;)
        if (lanes->lanes[i].busy && lanes->lanes[i].ended != ON_ITS_WAY)
            code = record(lanes, &lanes->lanes[i], err);
    return code;
}

static void try_later(struct lanes *lanes, struct lane *lane, const struct posted *posted)
{
    bool server = lane->kind == AIM_MAIL && posted->outcome == OUTCOME_DOWN;
    struct pause *pause = server ? &lanes->mail_pause : &lane->pause;

    /* those that were on their way when the server went down are one failure of its, not four */
    if (!server || !is_paused(pause, lanes->steady_ms))
        pause_more(lanes->config, pause, lanes->steady_ms, posted->after_ms);
    leave(lanes, lane, !server);
}

static enum kp_code finish_delivery(struct lanes *lanes, const struct posted *posted, int64_t now_ms, struct kp_err *err)
{
    struct lane *lane = lane_of(lanes, posted->tag);
    bool arrived = posted->outcome == OUTCOME_ARRIVED, refused = posted->outcome == OUTCOME_REFUSED;
    char to[600];

    if (!lane)
        return KP_OK;
    name_of(lane->kind, lane->to, to, sizeof to);
    if (!arrived)
        log_failure(lanes, lane->alert, to, posted, now_ms);
    if (!arrived && !refused) {
        try_later(lanes, lane, posted);
        return KP_OK;
    }
    lanes->stats.arrived += arrived;
    lanes->stats.refused += refused;
    if (lane->kind == AIM_MAIL)
        lanes->mail_pause = (struct pause){0};
    lane->ended = arrived ? ARRIVED : REFUSED;
    return record(lanes, lane, err);
}

/* ---- Alertmanagers ---- */

struct filling {
    struct kp_out *out;
    int64_t now_ms, good_for_ms;
    size_t count;
};

static void fill(void *ctx, const struct standing *standing)
{
    struct filling *filling = ctx;
    struct alert alert;

    if (!alert_unpack(standing->alert, standing->len, &alert))
        return;
    alertmanager_put(filling->out, &alert, standing->began_ms, standing->ended_ms, filling->now_ms, filling->good_for_ms);
    filling->count++;
}

static void log_spool(struct lanes *lanes, const struct kp_err *err, int64_t now_ms)
{
    uint64_t held;

    if (kp_log_allow(&lanes->limit, now_ms, &held))
        kp_log(KP_LOG_ERROR, "event=spool error=\"%s\"", err->text);
}

static enum kp_code choose_batch(struct lanes *lanes, struct manager *manager, struct filling *filling, struct kp_err *err)
{
    struct batch batch = {.url = manager->url, .n = manager->batch, .resend_from_ms = filling->now_ms - manager->resend_ms,
                          .now_ms = filling->now_ms, .most = manager->singly ? 1 : BATCH, .skip = manager->skip};
    enum kp_code code = spool_batch(lanes->spool, &batch, fill, filling, err);

    manager->marked = batch.marked;
    if (batch.marked)
        manager->skip = 0;
    else if (!code)
        log_spool(lanes, err, filling->now_ms);
    return code;
}

/* What is due there, as JSON. */
static enum kp_code gather(struct lanes *lanes, struct manager *manager, int64_t now_ms, struct text *bytes, struct kp_err *err)
{
    struct kp_out *out = kp_out_new(true, err);
    struct filling filling = {out, now_ms, GOOD_FOR * manager->resend_ms, 0};
    enum kp_code code;
    const void *json;
    size_t len;

    if (!out)
        return KP_ENOMEM;
    kp_out_array(out, 0);       /* JSON does not say how many */
    code = choose_batch(lanes, manager, &filling, err);
    kp_out_end(out);
    json = kp_out_bytes(out, &len);
    if (!code && json)
        text_put(bytes, json, len);
    if (!code && (!json || bytes->failed))
        code = kp_fail(err, KP_ENOMEM, "out of memory");
    manager->count = filling.count;
    kp_out_destroy(&out);
    return code;
}

/* When something is due there by the steady clock. */
static void set_due(struct lanes *lanes, struct manager *manager, int64_t now_ms)
{
    int64_t oldest = spool_batch_oldest(lanes->spool, manager->url);

    manager->due_ms = oldest == INT64_MAX ? INT64_MAX
                      : oldest > now_ms   ? lanes->steady_ms
                                          : lanes->steady_ms + manager->resend_ms - (now_ms - oldest);
}

static enum kp_code start_manager(struct lanes *lanes, size_t i, int64_t now_ms, struct kp_err *err)
{
    struct manager *manager = &lanes->managers[i];
    struct text bytes = {0};
    char url[NOTIFY_URL + sizeof ALERTMANAGER_PATH];
    enum kp_code code;

    if (manager->busy || is_paused(&manager->pause, lanes->steady_ms))
        return KP_OK;
    set_due(lanes, manager, now_ms);
    if (manager->due_ms > lanes->steady_ms)
        return KP_OK;
    lanes->next_batch = lanes->next_batch ? lanes->next_batch + 1 : now_ms;    /* one that was not used before a restart either */
    manager->batch = lanes->next_batch;
    snprintf(url, sizeof url, "%s" ALERTMANAGER_PATH, manager->url);
    code = gather(lanes, manager, now_ms, &bytes, err);
    if (!code && manager->count)
        code = post_json(lanes->post, url, manager->ca_file, &bytes, -1 - (int64_t)i, err);
    manager->busy = !code && manager->count;
    if (!manager->busy)
        manager->pause.until_ms = lanes->steady_ms + manager->resend_ms;
    text_release(&bytes);
    return code;
}

/* What can't be noted as sent is sent again a period later; until then come those that follow. */
static void go_on_unmarked(const struct lanes *lanes, struct manager *manager)
{
    manager->skip += (int64_t)manager->count;
    if (manager->count == BATCH)
        return;
    manager->skip = 0;
    manager->pause.until_ms = lanes->steady_ms + manager->resend_ms;
}

static enum kp_code manager_took(struct lanes *lanes, struct manager *manager, int64_t now_ms, struct kp_err *err)
{
    enum kp_code code = KP_OK;

    manager->pause = (struct pause){0};
    manager->singly -= manager->singly > 0;
    lanes->stats.arrived++;
    if (manager->marked)
        code = spool_batch_done(lanes->spool, manager->url, manager->batch, now_ms, err);
    if (!manager->marked || code)
        go_on_unmarked(lanes, manager);
    return code;
}

/* One of those that were sent is none that it takes. Which one shows when they are sent one by one. */
static enum kp_code manager_refused(struct lanes *lanes, struct manager *manager, struct kp_err *err)
{
    if (manager->count > 1) {
        manager->singly = manager->count;
        return KP_OK;
    }
    manager->singly -= manager->singly > 0;
    lanes->stats.refused++;
    if (manager->marked)
        return spool_batch_refused(lanes->spool, manager->url, manager->batch, err);
    go_on_unmarked(lanes, manager);
    return KP_OK;
}

static enum kp_code finish_manager(struct lanes *lanes, const struct posted *posted, int64_t now_ms, struct kp_err *err)
{
    struct manager *manager = &lanes->managers[-1 - posted->tag];
    char to[600];

    manager->busy = false;
    if (posted->outcome == OUTCOME_ARRIVED)
        return manager_took(lanes, manager, now_ms, err);
    log_failure(lanes, "alertmanager", name_of(AIM_WEBHOOK, manager->url, to, sizeof to), posted, now_ms);
    if (posted->reply == 400 || posted->reply == 422)       /* for what it says; any other refuses whoever says it */
        return manager_refused(lanes, manager, err);
    pause_more(lanes->config, &manager->pause, lanes->steady_ms, posted->after_ms);
    return KP_OK;
}

/* ---- All ---- */

static enum kp_code start_managers(struct lanes *lanes, int64_t now_ms, struct kp_err *err)
{
    enum kp_code code = KP_OK;

    for (size_t i = 0; i < lanes->nmanagers; i++) {
        enum kp_code one = start_manager(lanes, i, now_ms, code ? NULL : err);

        code = code ? code : one;
    }
    return code;
}

enum kp_code lanes_start(struct lanes *lanes, int64_t now_ms, int64_t steady_ms, struct kp_err *err)
{
    enum kp_code code;

    lanes->steady_ms = steady_ms;
    lanes->nchosen = 0;
    code = spool_waiting(lanes->spool, choose, lanes, err);
    for (size_t i = 0; i < lanes->nchosen; i++)
        if (begin(lanes, lanes->chosen[i], code ? NULL : err) && !code)
            code = KP_EIO;
    return code ? code : start_managers(lanes, now_ms, err);
}

enum kp_code lanes_finish(struct lanes *lanes, int64_t now_ms, int64_t steady_ms, struct kp_err *err)
{
    struct posted posted;
    enum kp_code code;

    lanes->steady_ms = steady_ms;
    code = record_all(lanes, err);
    while (post_next(lanes->post, &posted)) {       /* its tag: a delivery's number, or -1 - i for a manager */
        struct kp_err *told = code ? NULL : err;
        enum kp_code one = posted.tag < 0 ? finish_manager(lanes, &posted, now_ms, told)
                                          : finish_delivery(lanes, &posted, now_ms, told);

        code = code ? code : one;
    }
    return code;
}

void lanes_resend(struct lanes *lanes, int64_t now_ms, int64_t steady_ms)
{
    struct kp_err err = {0};

    if (lanes_finish(lanes, now_ms, steady_ms, &err) || start_managers(lanes, now_ms, &err))
        log_spool(lanes, &err, now_ms);
}

static void at_most(int64_t *due_ms, int64_t at_ms)
{
    if (at_ms > 0 && at_ms < *due_ms)
        *due_ms = at_ms;
}

int64_t lanes_due(const struct lanes *lanes)
{
    int64_t due_ms = INT64_MAX;

    if (is_paused(&lanes->mail_pause, lanes->steady_ms))
        at_most(&due_ms, lanes->mail_pause.until_ms);
    for (size_t i = 0; i < lanes->count; i++)
        if (!lanes->lanes[i].busy && is_paused(&lanes->lanes[i].pause, lanes->steady_ms))
            at_most(&due_ms, lanes->lanes[i].pause.until_ms);
    for (size_t i = 0; i < lanes->nmanagers; i++)
        if (!lanes->managers[i].busy)
            at_most(&due_ms, is_paused(&lanes->managers[i].pause, lanes->steady_ms) ? lanes->managers[i].pause.until_ms
                                                                                     : lanes->managers[i].due_ms);
    return due_ms;
}

bool lanes_are_busy(const struct lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++)
        if (lanes->lanes[i].busy)
            return true;
    for (size_t i = 0; i < lanes->nmanagers; i++)
        if (lanes->managers[i].busy)
            return true;
    return false;
}

void lanes_stats(const struct lanes *lanes, struct lanes_stats *stats)
{
    *stats = lanes->stats;
}
