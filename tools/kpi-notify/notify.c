#include "notify.h"

#include "feed.h"
#include "lanes.h"
#include "object.h"
#include "tell.h"

#include "clock.h"
#include "log.h"
#include "signals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <zmq.h>

enum {
    ITEMS_TURN = 256,           /* messages a turn, written in one transaction */
    IDLE_MS = 60000,            /* longest sleep */
    TIDY_MS = 600000,
    FAILED_MS = 1000,           /* rest after the spool failed */
    LAST_MS = 600,              /* for what is on its way at the end */
};
#define KEEP_OVER_MS (INT64_C(7) * 86400000)    /* what is over is known for so long */

struct notify {
    const struct notify_config *config;     /* borrowed */
    int signals;
    void *zmq;                              /* owned, like all that follows */
    struct spool *spool;
    struct post *post;
    struct feed *feed;
    struct lanes *lanes;
    struct aims *aims;
    struct tell tell;
    int64_t tidy_ms;                        /* steady: when it is due */
    int64_t rest_ms;                        /* steady: nothing is begun before */
    uint64_t dropped, refused;              /* as last told */
    struct kp_log_limit limit;
};

/* ---- Opening ---- */

static enum kp_code open_parts(struct notify *n, struct kp_err *err)
{
    if (kp_signals_open(&n->signals, err))
        return KP_EIO;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return kp_fail(err, KP_EIO, "libcurl can't be set up");
    n->spool = spool_open(n->config->spool, n->config->waiting_max, err);
    if (!n->spool)
        return KP_EIO;
    if (spool_forget_standing(n->spool, n->config, err))
        return KP_EIO;
    n->post = post_open(n->config->timeout_ms, err);
    n->lanes = n->post ? lanes_open(n->config, n->spool, n->post, err) : NULL;
    n->aims = calloc(1, sizeof *n->aims);
    if (!n->lanes || !n->aims)
        return n->lanes ? kp_fail(err, KP_ENOMEM, "out of memory") : KP_EIO;
    n->zmq = zmq_ctx_new();
    if (!n->zmq)
        return kp_fail(err, KP_EIO, "zeromq: %s", zmq_strerror(errno));
    n->feed = feed_open(n->zmq, n->config, err);
    n->tell = (struct tell){.config = n->config, .spool = n->spool, .aims = n->aims};
    return n->feed ? KP_OK : KP_EIO;
}

static void close_parts(struct notify *n)
{
    feed_close(&n->feed);
    if (n->zmq)
        zmq_ctx_term(n->zmq);
    lanes_close(&n->lanes);
    post_close(&n->post);
    spool_close(&n->spool);
    free(n->aims);
    if (n->signals >= 0)
        close(n->signals);
    curl_global_cleanup();
}

/* ---- The spool's failures ---- */

/* What was written is rolled back. What of it still holds is in the next listing. */
static void spool_failed(struct notify *n, const struct kp_err *err, int64_t now_ms, int64_t steady_ms)
{
    uint64_t held;

    spool_rollback(n->spool);
    feed_resync(n->feed, steady_ms);
    n->rest_ms = steady_ms + FAILED_MS;
    if (kp_log_allow(&n->limit, now_ms, &held))
        kp_log(KP_LOG_ERROR, "event=spool error=\"%s\"", err->text);
}

static void tell_dropped(struct notify *n)
{
    struct spool_counts counts;

    spool_counts(n->spool, &counts);
    if (counts.dropped != n->dropped)
        kp_log(KP_LOG_ERROR, "event=dropped deliveries=%llu waiting=%llu", (unsigned long long)(counts.dropped - n->dropped),
               (unsigned long long)counts.waiting);
    if (n->tell.refused != n->refused)
        kp_log(KP_LOG_ERROR, "event=dropped alerts=%llu reason=limits.alerts",
               (unsigned long long)(n->tell.refused - n->refused));
    n->dropped = counts.dropped;
    n->refused = n->tell.refused;
}

/* ---- What the daemon says ---- */

static enum kp_code take_listing(struct notify *n, const msgpack_object *reply, int64_t now_ms, struct kp_err *err)
{
    const msgpack_object *list = object_get(reply, "alerts");
    struct alert alert;
    uint64_t seq = 0;
    enum kp_code code = KP_OK;

    if (!list || list->type != MSGPACK_OBJECT_ARRAY)
        return KP_OK;
    for (size_t i = 0; !code && i < object_count(list); i++) {
        if (!alert_read(&list->via.array.ptr[i], &alert))
            continue;
        seq = alert.seq;
        code = tell_alert(&n->tell, &alert, true, now_ms, err);
    }
    feed_listed(n->feed, seq);
    return code ? code : tell_unlisted(&n->tell, seq, now_ms, err);
}

static enum kp_code take_alert(struct notify *n, const msgpack_object *message, int64_t now_ms, int64_t steady_ms,
                               struct kp_err *err)
{
    struct alert alert;

    if (!alert_read(message, &alert)) {
        uint64_t held;

        if (kp_log_allow(&n->limit, now_ms, &held))
            kp_log(KP_LOG_WARN, "event=malformed reason=\"no alert\"");
        return KP_OK;
    }
    return feed_is_old(n->feed, alert.seq, steady_ms) ? KP_OK : tell_alert(&n->tell, &alert, false, now_ms, err);
}

static enum kp_code take_item(struct notify *n, const struct feed_item *item, int64_t now_ms, int64_t steady_ms,
                              struct kp_err *err)
{
    uint64_t held;

    n->tell.catalog = feed_catalog(n->feed);
    n->tell.listing = item->listing;
    if (item->kind == FEED_ALERT)
        return take_alert(n, item->map, now_ms, steady_ms, err);
    if (item->kind == FEED_LISTING)
        return take_listing(n, item->map, now_ms, err);
    if (kp_log_allow(&n->limit, now_ms, &held))
        kp_log(KP_LOG_WARN, "event=no_answer endpoint=%s", n->config->control);
    return KP_OK;
}

/* True: there may be more. */
static bool take_items(struct notify *n, int64_t now_ms, int64_t steady_ms)
{
    struct feed_item item;
    struct kp_err err = {0};
    enum kp_code code = KP_OK;
    bool begun = false;
    int i;

    for (i = 0; !code && i < ITEMS_TURN; i++) {
        feed_next(n->feed, now_ms, steady_ms, &item);
        if (item.kind == FEED_NOTHING)
            break;
        if (!begun)
            code = spool_begin(n->spool, &err);
        begun = true;
        if (!code)
            code = take_item(n, &item, now_ms, steady_ms, &err);
    }
    if (begun && !code)
        code = spool_commit(n->spool, &err);
    if (code)
        spool_failed(n, &err, now_ms, steady_ms);
    return i == ITEMS_TURN;
}

/* ---- What time does ---- */

static enum kp_code in_transaction(struct notify *n, enum kp_code (*work)(struct notify *n, int64_t now_ms, struct kp_err *err),
                                   int64_t now_ms, struct kp_err *err)
{
    enum kp_code code = spool_begin(n->spool, err);

    if (!code)
        code = work(n, now_ms, err);
    return code ? code : spool_commit(n->spool, err);
}

static enum kp_code make_digests(struct notify *n, int64_t now_ms, struct kp_err *err)
{
    return tell_digests(&n->tell, now_ms, err);
}

static enum kp_code tidy(struct notify *n, int64_t now_ms, struct kp_err *err)
{
    return spool_tidy(n->spool, now_ms - n->config->give_up_ms, now_ms - KEEP_OVER_MS, err);
}

static void take_time(struct notify *n, int64_t now_ms, int64_t steady_ms)
{
    struct kp_err err = {0};
    enum kp_code code = KP_OK;

    if (steady_ms < n->rest_ms) {
        lanes_resend(n->lanes, now_ms, steady_ms);
        return;
    }
    if (spool_digest_next(n->spool) <= now_ms)
        code = in_transaction(n, make_digests, now_ms, &err);
    if (!code && steady_ms >= n->tidy_ms) {
        code = in_transaction(n, tidy, now_ms, &err);
        n->tidy_ms = steady_ms + TIDY_MS;
    }
    if (!code)
        code = lanes_finish(n->lanes, now_ms, steady_ms, &err);
    if (!code)
        code = lanes_start(n->lanes, now_ms, steady_ms, &err);
    if (code)
        spool_failed(n, &err, now_ms, steady_ms);
    tell_dropped(n);
}

/* ---- The loop ---- */

static void at_most(int64_t *wait_ms, int64_t ms)
{
    if (ms < *wait_ms)
        *wait_ms = ms < 0 ? 0 : ms;
}

static int sleep_ms(const struct notify *n)
{
    int64_t now_ms = kp_clock_ms(CLOCK_REALTIME), steady_ms = kp_clock_ms(CLOCK_MONOTONIC), wait_ms = IDLE_MS;
    int64_t due_ms = lanes_due(n->lanes), digest_ms = spool_digest_next(n->spool);

    at_most(&wait_ms, feed_due(n->feed) - steady_ms);
    if (n->rest_ms > steady_ms) {
        at_most(&wait_ms, n->rest_ms - steady_ms);
        return (int)wait_ms;
    }
    at_most(&wait_ms, n->tidy_ms - steady_ms);
    if (due_ms != INT64_MAX)
        at_most(&wait_ms, due_ms - steady_ms);
    if (digest_ms != INT64_MAX)
        at_most(&wait_ms, digest_ms - now_ms);
    return (int)wait_ms;
}

static void wait_for(struct notify *n, bool busy)
{
    struct curl_waitfd fds[FEED_FDS + 1];
    int descriptors[FEED_FDS];
    unsigned count = 0;

    busy |= feed_fds(n->feed, descriptors);
    fds[count++] = (struct curl_waitfd){.fd = n->signals, .events = CURL_WAIT_POLLIN};
    for (int i = 0; i < FEED_FDS; i++)
        if (descriptors[i] >= 0)
            fds[count++] = (struct curl_waitfd){.fd = descriptors[i], .events = CURL_WAIT_POLLIN};
    post_wait(n->post, fds, count, busy ? 0 : sleep_ms(n));
}

/* Is it time to end? */
static bool ends(struct notify *n)
{
    bool reload = false, end = kp_signals_take(n->signals, &reload);

    if (reload)
        kp_log(KP_LOG_WARN, "event=reload done=no reason=\"a restart reads the routes anew, and loses nothing\"");
    return end;
}

static void run(struct notify *n)
{
    for (;;) {
        int64_t now_ms = kp_clock_ms(CLOCK_REALTIME), steady_ms = kp_clock_ms(CLOCK_MONOTONIC);
        bool busy = take_items(n, now_ms, steady_ms);

        take_time(n, now_ms, steady_ms);
        if (ends(n))
            return;
        wait_for(n, busy);
    }
}

/* What is on its way gets a moment to arrive: a server that has a mail already and could not say so would get it again. */
static void end_well(struct notify *n)
{
    int64_t until_ms = kp_clock_ms(CLOCK_MONOTONIC) + LAST_MS;
    struct kp_err err = {0};

    while (lanes_are_busy(n->lanes) && kp_clock_ms(CLOCK_MONOTONIC) < until_ms) {
        post_wait(n->post, NULL, 0, LAST_MS / 20);
        if (lanes_finish(n->lanes, kp_clock_ms(CLOCK_REALTIME), kp_clock_ms(CLOCK_MONOTONIC), &err))
            return;
    }
}

static void say_end(const struct notify *n)
{
    struct spool_counts counts;
    struct lanes_stats lanes;
    struct feed_stats feed;

    spool_counts(n->spool, &counts);
    lanes_stats(n->lanes, &lanes);
    feed_stats(n->feed, &feed);
    kp_log(KP_LOG_INFO, "event=stopped messages=%llu malformed=%llu listings=%llu told=%llu arrived=%llu refused=%llu"
           " failed_attempts=%llu dropped=%llu waiting=%llu firing=%llu",
           (unsigned long long)feed.messages, (unsigned long long)feed.malformed, (unsigned long long)feed.listings,
           (unsigned long long)n->tell.told, (unsigned long long)lanes.arrived, (unsigned long long)lanes.refused,
           (unsigned long long)lanes.failed, (unsigned long long)counts.dropped, (unsigned long long)counts.waiting,
           (unsigned long long)counts.firing);
}

enum kp_code notify_run(const struct notify_config *config, struct kp_err *err)
{
    struct notify n = {.config = config, .signals = -1, .limit = {.burst = 5}};
    enum kp_code code = open_parts(&n, err);

    if (!code) {
        struct spool_counts counts;

        spool_counts(n.spool, &counts);
        kp_log(KP_LOG_INFO, "event=ready version=%s routes=%zu people=%zu waiting=%llu firing=%llu", KPID_VERSION,
               config->nroutes, config->npeople, (unsigned long long)counts.waiting, (unsigned long long)counts.firing);
        run(&n);
        end_well(&n);
        say_end(&n);
    }
    close_parts(&n);
    return code;
}
