/* An engine as bytes, and back. */
#include "engine_inside.h"

#include "image.h"

#include "kpid/event.h"

#include <stdlib.h>
#include <string.h>

static const char magic[8] = "kpidckpt";

void kp_image_release(struct kp_image_map *map)
{
    free(map->nodes);
    free(map->kpis);
    free(map->entities);
    free(map->sets);
    for (int f = 0; f < KP_FAMILIES_MAX; f++)
        free(map->kept[f]);
}

bool kp_engine_save(const struct kp_engine *engine, bool (*write)(void *ctx, const void *bytes, size_t len), void *ctx)
{
    static struct kp_save save;     /* large, and a forked process is not to ask for memory */

    kp_save_begin(&save, write, ctx);
    kp_save_bytes(&save, magic, sizeof magic);
    kp_save_u32(&save, KP_IMAGE_VERSION);
    kp_save_u64(&save, engine->store.seed);
    kp_save_i64(&save, engine->now_ms);
    kp_save_i64(&save, engine->data_from);
    kp_keys_save(&engine->store, &save);
    kp_rows_save(&engine->store, &save);
    kp_feeds_save(kp_match_feeds(engine->match), &save);
    kp_dedup_save(engine->dedup, &save);
    kp_sources_save(engine->sources, &save);
    kp_recent_save(engine->recent, &engine->store, &save);
    kp_entities_save(engine->entities, engine->plan, &save);
    kp_silences_save(engine->silences, &save);
    kp_acks_save(engine->acks, &save);
    kp_alerts_save(engine->alerts, &save);
    kp_save_mark(&save, "LAST");
    return kp_save_end(&save);
}

/* ---- Loading ---- */

static enum kp_code load_head(struct kp_engine *engine, struct kp_load *load)
{
    char got[sizeof magic];
    uint32_t version;

    kp_load_bytes(load, got, sizeof got);
    version = kp_load_u32(load);
    if (load->failed || memcmp(got, magic, sizeof got) != 0)
        return kp_load_fail(load, "it does not begin as a checkpoint of kpid does");
    if (version == 0 || version > KP_IMAGE_VERSION)
        return kp_load_fail(load, "its version is %u, and this kpid knows up to %d: a newer one wrote it", version, KP_IMAGE_VERSION);
    if (kp_load_u64(load) != engine->store.seed)
        return kp_load_fail(load, "it belongs to a store with another seed");
    return KP_OK;
}

static void load_time(struct kp_engine *engine, struct kp_load *load, struct kp_image_map *map)
{
    int64_t now = kp_load_i64(load), from = kp_load_i64(load);

    if ((now != INT64_MIN && (now < 0 || now > KP_TIME_MAX)) || (from != INT64_MAX && (from < 0 || from > KP_TIME_MAX)))
        kp_load_fail(load, "its time is none that there is");
    if (load->failed)
        return;
    map->now_ms = now;
    engine->data_from = from;
    if (now != INT64_MIN)
        kp_engine_set_now(engine, now);
}

static void enter_alerts(struct kp_engine *engine, struct kp_load *load)
{
    for (uint32_t node = 0; node < engine->store.made && !load->failed; node++) {
        struct kp_node_hot *hot = kp_store_node(&engine->store, node);

        if (!(hot->flags & KP_NODE_LIVE))
            continue;
        hot->flags |= KP_NODE_CHANGED;
        if (!kp_alerts_enter(engine->alerts, node))
            kp_load_fail(load, "out of memory for alerts");
    }
}

struct fill {
    struct kp_engine *engine;
    const struct kp_image_map *map;
};

/* Samples of entities for cells that begin empty, although what they follow is known: as many as will be taken back. */
static void fill_new(void *ctx, const struct kp_trace *trace)
{
    const struct fill *fill = ctx;
    struct kp_engine *engine = fill->engine;
    const struct kp_plan_outlet *outlet = &engine->plan->outlets[trace->outlet];

    if (outlet->part == KP_PART_SINCE) {
        kp_engine_stand(engine, NULL, trace);
        return;
    }
    for (int i = 0; i < outlet->nsections; i++) {
        const struct kp_section *section = &outlet->sections[i];

        if (section->dim == trace->dim)
            kp_engine_fill(engine, outlet, section, trace, fill->map->kept[section->family]);
    }
}

/* Has an outlet something to tell beyond what was loaded? */
static bool is_new(const struct kp_plan *plan, const struct kp_plan_outlet *outlet, const struct kp_image_map *map)
{
    if (outlet->part == KP_PART_SINCE)
        return true;
    for (int i = 0; i < outlet->nsections; i++) {
        const struct kp_plan_family *fam = &plan->families[outlet->sections[i].family];

        for (uint32_t k = 0; k < outlet->sections[i].count; k++)
            if (!map->kept[outlet->sections[i].family][kp_plan_cell_at(fam, outlet->ops[outlet->sections[i].first + k].word)])
                return true;
    }
    return false;
}

static void fill_all_new(struct kp_engine *engine, struct kp_load *load, const struct kp_image_map *map)
{
    const struct kp_plan *plan = engine->plan;
    bool *wanted = calloc((size_t)plan->noutlets + 1, sizeof *wanted), any = false;
    struct fill fill = {engine, map};

    if (!wanted)
        kp_load_fail(load, "out of memory");
    for (int o = 0; wanted && o < plan->noutlets; o++)
        any |= wanted[o] = is_new(plan, &plan->outlets[o], map);
    if (any)
        kp_entities_each(engine->entities, engine->keep_from, wanted, fill_new, &fill);
    free(wanted);
}

static void load_parts(struct kp_engine *engine, struct kp_load *load, struct kp_image_map *map)
{
    load_time(engine, load, map);
    if (!load->failed)
        kp_keys_load(&engine->store, load, map);
    enter_alerts(engine, load);
    if (!load->failed)
        kp_rows_load(&engine->store, load, map);
    if (!load->failed)
        kp_feeds_load(kp_match_feeds(engine->match), load, map);
    if (!load->failed)
        kp_dedup_load(engine->dedup, load, engine->now_ms);
    if (!load->failed)
        kp_sources_load(engine->sources, load, map);
    if (!load->failed)
        kp_recent_load(engine->recent, &engine->store, kp_match_feeds(engine->match), load, map);
    if (!load->failed)
        kp_entities_load(engine->entities, &engine->store, load, map);
    if (!load->failed && engine->entities)
        fill_all_new(engine, load, map);
    if (!load->failed)
        kp_silences_load(engine->silences, load);
    if (!load->failed)
        kp_acks_load(engine->acks, load);
    if (!load->failed)
        kp_alerts_load(engine->alerts, load, map);
    kp_load_mark(load, "LAST");
}

enum kp_code kp_engine_load(struct kp_engine *engine, size_t (*read)(void *ctx, void *buf, size_t most), void *ctx,
                            struct kp_load_report *report, struct kp_err *err)
{
    struct kp_load *load = malloc(sizeof *load);
    struct kp_image_map map = {.report = report, .now_ms = INT64_MIN};
    enum kp_code code;

    memset(report, 0, sizeof *report);
    if (!load)
        return kp_fail(err, KP_ENOMEM, "checkpoint: out of memory");
    kp_load_begin(load, read, ctx, err);
    code = load_head(engine, load);
    if (!code)
        load_parts(engine, load, &map);
    code = load->failed ? KP_EINVAL : KP_OK;
    kp_image_release(&map);
    free(load);
    engine->version++;
    return code;
}
