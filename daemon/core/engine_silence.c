/* Who keeps alerts quiet: silences, and acknowledgements. */
#include "engine_inside.h"

#include <stdlib.h>
#include <string.h>

/* ---- Silences ---- */

/* Whether another silence matches them, too, is asked when they are looked at: there may be very many. */
static enum kp_again may_be_otherwise(void *ctx, uint64_t id, const struct kp_subject *subject)
{
    (void)id;
    return !ctx || kp_matchers_match(ctx, subject) ? KP_AGAIN_IF_OTHERWISE : KP_AGAIN_NOT;
}

static void on_silence(void *ctx, const struct kp_matchers *matchers)
{
    struct kp_engine *engine = ctx;
    struct kp_matchers copy;

    if (matchers)
        copy = *matchers;
    kp_alerts_tell_again(engine->alerts, may_be_otherwise, matchers ? &copy : NULL);
}

enum kp_code kp_engine_add_hush(struct kp_engine *engine, struct kp_err *err)
{
    const struct kp_silence_sink sink = {on_silence, engine};

    engine->silences = kp_silences_new(engine->config->limits.silences, &sink, err);
    engine->acks = engine->silences ? kp_acks_new(engine->config->limits.acks, err) : NULL;
    return engine->acks ? KP_OK : KP_ENOMEM;
}

enum kp_code kp_engine_silence(struct kp_engine *engine, const struct kp_silence *silence, uint64_t *id, struct kp_err *err)
{
    return kp_silences_put(engine->silences, silence, id, err);
}

enum kp_code kp_engine_restore_silence(struct kp_engine *engine, const struct kp_silence *silence, struct kp_err *err)
{
    return kp_silences_restore(engine->silences, silence, err);
}

bool kp_engine_unsilence(struct kp_engine *engine, uint64_t id)
{
    return kp_silences_end(engine->silences, id);
}

const struct kp_silences *kp_engine_silences(const struct kp_engine *engine)
{
    return engine->silences;
}

/* ---- Acknowledgements ---- */

/* Done in two passes, so that a limit is known of before anything is changed. */
struct pass {
    struct kp_engine *engine;
    const struct kp_ack_order *order;
    bool *found;
    bool counts;            /* only how many more there would be */
    size_t more, done;
    enum kp_code code;
    struct kp_err *err;
};

static int by_id(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static bool is_meant(struct pass *pass, uint64_t id, const struct kp_subject *subject)
{
    const struct kp_ack_order *order = pass->order;
    const uint64_t *at;

    if (!order->ids)
        return kp_matchers_match(order->matchers, subject);
    at = bsearch(&id, order->ids, order->nids, sizeof id, by_id);
    if (at)
        pass->found[at - order->ids] = true;
    return at != NULL;
}

static enum kp_again visit(void *ctx, uint64_t id, const struct kp_subject *subject)
{
    struct pass *pass = ctx;
    struct kp_acks *acks = pass->engine->acks;
    const struct kp_ack ack = {id, pass->engine->now_ms, pass->order->by, pass->order->comment};
    bool does;

    if (!is_meant(pass, id, subject))
        return KP_AGAIN_NOT;
    if (pass->counts) {
        pass->more += !kp_acks_find(acks, id);
        return KP_AGAIN_NOT;
    }
    if (pass->order->undo) {
        does = kp_acks_drop(acks, id);
    } else {
        pass->code = pass->code ? pass->code : kp_acks_put(acks, &ack, pass->err);
        does = !pass->code;
    }
    pass->done += does;
    return does ? KP_AGAIN : KP_AGAIN_NOT;
}

enum kp_code kp_engine_ack(struct kp_engine *engine, const struct kp_ack_order *order, bool *found, size_t *done,
                           struct kp_err *err)
{
    struct pass pass = {.engine = engine, .order = order, .found = found, .counts = true, .err = err};
    enum kp_code code = KP_OK;

    if (order->ids)
        memset(found, 0, order->nids * sizeof *found);
    *done = 0;
    if (!order->undo) {
        kp_alerts_tell_again(engine->alerts, visit, &pass);
        code = kp_acks_reserve(engine->acks, pass.more, err);
    }
    if (code)
        return code;
    pass.counts = false;
    kp_alerts_tell_again(engine->alerts, visit, &pass);
    *done = pass.done;
    return pass.code;
}

enum kp_code kp_engine_restore_ack(struct kp_engine *engine, const struct kp_ack *ack, struct kp_err *err)
{
    return kp_acks_put(engine->acks, ack, err);
}

const struct kp_acks *kp_engine_acks(const struct kp_engine *engine)
{
    return engine->acks;
}

/* ---- Rules that are no more ---- */

static bool is_there(void *ctx, const struct kp_alert_cfg *rule)
{
    const struct kp_config *next = ctx;

    for (size_t i = 0; i < next->nalerts; i++)
        if (kp_alert_cfg_same(&next->alerts[i], rule))
            return true;
    return false;
}

void kp_engine_end_rules(struct kp_engine *engine, const struct kp_config *next)
{
    if (engine->now_ms != INT64_MIN)
        kp_alerts_end_rules(engine->alerts, engine->now_ms, is_there, (void *)(uintptr_t)next);
}
