#include "gateway.h"

#include "gateway_inside.h"

#include "clock.h"
#include "faults.h"
#include "service.h"
#include "signals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

enum { IDLE_MS = 1000, LOG_BURST = 5 /* lines about what is denied, a second */ };

/* ---- Configurations ---- */

void setup_release(struct setup *setup)
{
    if (!setup || --setup->refs)
        return;
    gateway_config_release(&setup->config);
    free(setup->allowances);
    free(setup);
}

/* NULL: the faults were printed, or memory is out. */
static struct setup *setup_load(const char *file)
{
    struct setup *setup = calloc(1, sizeof *setup);
    struct kp_fault_list faults;
    bool ok;

    if (!setup)
        return NULL;
    setup->refs = 1;
    kp_fault_list_init(&faults, file);
    ok = gateway_config_load(file, &setup->config, &faults.faults) == 0;
    if (!ok)
        kp_fault_list_print(&faults, stderr);
    kp_fault_list_release(&faults);
    if (ok)
        setup->allowances = calloc(setup->config.nusers + 1, sizeof *setup->allowances);
    if (setup->allowances)
        return setup;
    setup_release(setup);
    return NULL;
}

/* Users, rights and limits are as they are now; whoever follows a stream is asked anew who they are. */
static void reload(struct gateway *gateway, const char *file)
{
    struct setup *setup = setup_load(file), *old = gateway->setup;
    bool moved;

    if (!setup) {
        kp_log(KP_LOG_ERROR, "event=reload done=no error=\"the file is faulty: everything stays as it was\"");
        return;
    }
    moved = strcmp(setup->config.host, old->config.host) != 0 || setup->config.port != old->config.port ||
            strcmp(setup->config.publish, old->config.publish) != 0 || strcmp(setup->config.control, old->config.control) != 0;
    gateway->setup = setup;
    gateway->reloads++;
    streams_cut(gateway, NULL);
    setup_release(old);
    kp_log(KP_LOG_INFO, "event=reload done=yes users=%zu%s", setup->config.nusers, moved ? " note=\"kpid and listen stay until a restart\"" : "");
}

/* ---- Opening ---- */

static enum kp_code open_parts(struct gateway *gateway, const char *page, const char *chart, struct kp_err *err)
{
    const struct gateway_config *config = &gateway->setup->config;
    const struct state_limits limits = {config->keys, config->alerts};

    if (sodium_init() < 0)
        return kp_fail(err, KP_EIO, "libsodium can't be set up");
    randombytes_buf(&gateway->told_ms, sizeof gateway->told_ms);
    sodium_bin2hex(gateway->birth, sizeof gateway->birth, (const unsigned char *)&gateway->told_ms, sizeof gateway->told_ms);
    gateway->told_ms = 0;
    gateway->page = page_open(page, chart, err);
    gateway->state = gateway->page ? state_new(&limits, err) : NULL;
    gateway->sessions = gateway->state ? sessions_new(config->sessions, err) : NULL;
    gateway->views = gateway->sessions ? views_new() : NULL;
    if (!gateway->views)
        return err->code ? err->code : kp_fail(err, KP_ENOMEM, "out of memory");
    gateway->zmq = zmq_ctx_new();
    if (!gateway->zmq)
        return kp_fail(err, KP_EIO, "zeromq: %s", zmq_strerror(errno));
    gateway->first = gateway->setup;
    gateway->first->refs++;
    gateway->upstream = upstream_open(gateway->zmq, config, gateway->state, err);
    return gateway->upstream ? server_open(gateway, err) : KP_EIO;
}

static void close_parts(struct gateway *gateway)
{
    server_close(gateway);
    upstream_close(&gateway->upstream);
    if (gateway->zmq)
        zmq_ctx_term(gateway->zmq);
    views_destroy(&gateway->views);
    sessions_destroy(&gateway->sessions);
    state_destroy(&gateway->state);
    page_close(&gateway->page);
    setup_release(gateway->first);
    setup_release(gateway->setup);
}

/* ---- The loop ---- */

static void take_time(struct gateway *gateway)
{
    gateway->now_ms = kp_clock_ms(CLOCK_REALTIME);
    gateway->steady_ms = kp_clock_ms(CLOCK_MONOTONIC);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static long sleep_ms(struct gateway *gateway, const struct kp_service *service)
{
    int64_t due = least(least(upstream_due(gateway->upstream), streams_due(gateway)), kp_service_due(service));
    int64_t left = least(due - gateway->steady_ms, IDLE_MS);
    MHD_UNSIGNED_LONG_LONG http;

    if (due <= gateway->steady_ms)
        return 0;
    if (MHD_get_timeout(gateway->http, &http) == MHD_YES && http < (MHD_UNSIGNED_LONG_LONG)left)
        return (long)http;
    return (long)left;
}

static void loop(struct gateway *gateway, const char *file, int signals)
{
    const union MHD_DaemonInfo *http = MHD_get_daemon_info(gateway->http, MHD_DAEMON_INFO_EPOLL_FD);
    zmq_pollitem_t items[UPSTREAM_ITEMS + 2];
    struct kp_service service;
    bool more = false, asked = false;

    kp_service_init(&service);
    upstream_poll(gateway->upstream, items);
    items[UPSTREAM_ITEMS] = (zmq_pollitem_t){.fd = http->epoll_fd, .events = ZMQ_POLLIN};
    items[UPSTREAM_ITEMS + 1] = (zmq_pollitem_t){.fd = signals, .events = ZMQ_POLLIN};
    kp_service_ready();
    for (;;) {
        zmq_poll(items, UPSTREAM_ITEMS + 2, more ? 0 : sleep_ms(gateway, &service));
        take_time(gateway);
        if (kp_signals_take(signals, &asked))
            return;
        if (asked)
            reload(gateway, file);
        asked = false;
        more = upstream_turn(gateway->upstream, gateway->steady_ms);
        streams_turn(gateway);
        MHD_run(gateway->http);
        kp_service_alive(&service, gateway->steady_ms);
    }
}

enum kp_code gateway_run(const char *file, const char *page, const char *chart, struct kp_err *err)
{
    struct gateway gateway = {.log = {.burst = LOG_BURST}};
    int signals = -1;
    enum kp_code code = kp_signals_open(&signals, err);

    take_time(&gateway);
    gateway.setup = code ? NULL : setup_load(file);
    if (!code && !gateway.setup)
        code = KP_EINVAL;
    code = code ? code : open_parts(&gateway, page, chart, err);
    if (!code) {
        kp_log(KP_LOG_INFO, "event=ready listen=%s port=%u", gateway.setup->config.host, gateway.port);
        loop(&gateway, file, signals);
        kp_service_stopping();
        kp_log(KP_LOG_INFO, "event=stopped");
    }
    close_parts(&gateway);
    if (signals >= 0)
        close(signals);
    return code;
}
