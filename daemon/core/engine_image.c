/* An engine as bytes, and back. */
#include "engine_inside.h"

#include "image.h"

#include <stdlib.h>
#include <string.h>

static const char magic[8] = "kpidckpt";

/* ---- Nodes ---- */

static uint32_t formers(const struct kp_store *store)
{
    uint32_t n = 0;

    for (uint32_t node = 0; node < store->made; node++)
        n += (kp_store_node(store, node)->flags & KP_NODE_FORMER) != 0;
    return n;
}

static void save_formers(const struct kp_store *store, struct kp_save *save)
{
    for (uint32_t node = 0; node < store->made; node++) {
        const struct kp_node_hot *hot = kp_store_node(store, node);

        if (!(hot->flags & KP_NODE_FORMER))
            continue;
        kp_save_u32(save, node);
        kp_save_u32(save, hot->parent);
        kp_save_u32(save, kp_store_cold(store, node)->first_child);
    }
    kp_save_u32(save, KP_NO_NODE);
}

/* Level by level, so that what a key stands under comes before it. */
static void save_nodes(const struct kp_engine *engine, struct kp_save *save)
{
    const struct kp_store *store = &engine->store;

    kp_save_mark(save, "NODE");
    kp_save_u32(save, (uint32_t)engine->plan->nlevel_ids);
    for (int l = 0; l < engine->plan->nlevel_ids; l++) {
        const char *name = kp_plan_level_name(engine->plan, l);

        kp_save_text(save, (struct kp_str){name, (uint32_t)strlen(name)});
    }
    kp_save_u32(save, store->made);
    kp_save_u32(save, store->live - formers(store));
    for (int l = 0; l < engine->plan->nlevel_ids; l++) {
        for (uint32_t node = 0; node < store->made; node++) {
            const struct kp_node_hot *hot = kp_store_node(store, node);
            const struct kp_node_cold *cold = kp_store_cold(store, node);

            if (!(hot->flags & KP_NODE_LIVE) || hot->level != l || hot->flags & KP_NODE_FORMER)
                continue;
            kp_save_u32(save, node);
            kp_save_u32(save, hot->parent);
            kp_save_u8(save, hot->level);
            kp_save_text(save, (struct kp_str){cold->key, cold->key_len});
        }
    }
    save_formers(store, save);
}

struct levels {
    int now[KP_LEVEL_IDS_MAX];
    uint32_t n;
};

static void load_levels(const struct kp_engine *engine, struct kp_load *load, struct levels *levels)
{
    char name[KP_GROUP_KEY_MAX * 2];

    levels->n = kp_load_count(load, KP_LEVEL_IDS_MAX, "levels");
    for (uint32_t l = 0; l < levels->n; l++) {
        struct kp_str text = kp_load_text(load, name, sizeof name, "name of a level");

        levels->now[l] = kp_plan_find_level(engine->plan, text.s, text.len);
    }
}

/* The key as it stands now; made if it is new. */
static uint32_t place(struct kp_engine *engine, int level, uint32_t parent, struct kp_str key)
{
    struct kp_store *store = &engine->store;
    int nlevels = engine->plan->nlevels;

    if (level == 0)
        return KP_COMPANY;
    if (level > nlevels)
        return kp_store_group(store, level - nlevels, key);
    if (parent != KP_NO_NODE && kp_store_node(store, parent)->level != level - 1)
        parent = KP_NO_NODE;
    return kp_store_unit(store, level, parent, key);
}

static bool take_nodes(struct kp_image_map *map)
{
    map->nodes = calloc((size_t)map->nnodes + 1, sizeof *map->nodes);
    map->above = calloc((size_t)map->nnodes + 1, sizeof *map->above);
    map->credit = calloc((size_t)map->nnodes + 1, sizeof *map->credit);
    return map->nodes && map->above && map->credit;
}

/* The place of a rep below what it stood under then, if that is not where it stands now. KP_NO_NODE: it is, or there is none. */
static uint32_t former_of(struct kp_store *store, const struct kp_image_map *map, uint32_t rep, uint32_t above)
{
    uint32_t under = kp_image_node(map, above);
    int nlevels = store->plan->nlevels;

    if (rep == KP_NO_NODE || under == KP_NO_NODE || kp_store_node(store, rep)->level != nlevels ||
        kp_store_node(store, under)->level != nlevels - 1 || kp_store_node(store, rep)->parent == under)
        return KP_NO_NODE;
    return kp_store_former(store, rep, under);
}

static void load_formers(struct kp_store *store, struct kp_load *load, struct kp_image_map *map)
{
    for (uint32_t then = kp_load_u32(load); then != KP_NO_NODE && !load->failed; then = kp_load_u32(load)) {
        uint32_t above = kp_load_u32(load), rep = kp_image_node(map, kp_load_u32(load));

        if (then >= map->nnodes || map->nodes[then]) {
            kp_load_fail(load, "key %u: not as kpid writes it", then);
            return;
        }
        if (rep == KP_NO_NODE || kp_store_node(store, rep)->level != store->plan->nlevels)
            continue;
        map->nodes[then] = rep + 1;
        map->credit[then] = former_of(store, map, rep, above) + 1;
    }
}

static void load_nodes(struct kp_engine *engine, struct kp_load *load, struct kp_image_map *map)
{
    char key[KP_GROUP_KEY_MAX * 2];
    struct levels levels = {.n = 0};
    uint32_t live;

    kp_load_mark(load, "NODE");
    load_levels(engine, load, &levels);
    map->nnodes = kp_load_count(load, KP_IMAGE_NODES_MAX, "keys");
    live = kp_load_count(load, map->nnodes, "keys in use");
    if (!take_nodes(map)) {
        kp_load_fail(load, "out of memory for %u keys", map->nnodes);
        return;
    }
    for (uint32_t i = 0; i < live && !load->failed; i++) {
        uint32_t then = kp_load_u32(load), above = kp_load_u32(load), level = kp_load_u8(load);
        struct kp_str text = kp_load_text(load, key, sizeof key, "a key");

        if (load->failed)
            return;
        if (then >= map->nnodes || level >= levels.n || !kp_text_ok(text)) {
            kp_load_fail(load, "key %u: not as kpid writes it", then);
            return;
        }
        map->above[then] = above + 1;
        if (levels.now[level] < 0)
            continue;
        map->nodes[then] = place(engine, levels.now[level], kp_image_node(map, above), text) + 1;
        map->report->keys_refused += map->nodes[then] == 0;
        map->credit[then] = former_of(&engine->store, map, kp_image_node(map, then), above) + 1;
    }
    load_formers(&engine->store, load, map);
    for (uint32_t node = 0; node < engine->store.made && !load->failed; node++) {
        struct kp_node_hot *hot = kp_store_node(&engine->store, node);

        if (!(hot->flags & KP_NODE_LIVE) || hot->flags & KP_NODE_FORMER)
            continue;
        hot->flags |= KP_NODE_CHANGED;
        if (!kp_alerts_enter(engine->alerts, node))
            kp_load_fail(load, "out of memory for the alerts of %u keys", live);
    }
}

/* ---- KPIs ---- */

/* The copies that count for contests are without a name: they are kept as panes are, by what their cells are. */
static void save_kpis(const struct kp_plan *plan, struct kp_save *save)
{
    kp_save_mark(save, "KPIS");
    kp_save_u32(save, (uint32_t)plan->nkpis);
    for (int k = 0; k < plan->nkpis; k++) {
        kp_save_u64(save, kp_sign_kpi(plan, k));
        kp_save_text(save, (struct kp_str){plan->kpis[k].cfg->name, plan->kpis[k].span ? 0 : (uint32_t)strlen(plan->kpis[k].cfg->name)});
    }
}

/* Of those that are the same the one with the same name, else the first; -1: none is. */
static int find_kpi(const struct kp_plan *plan, const uint64_t *signs, uint64_t sign, struct kp_str name)
{
    int k = kp_plan_find_kpi(plan, name.s, name.len);

    if (k >= 0 && signs[k] == sign)
        return k;
    for (k = 0; k < plan->nkpis; k++)
        if (signs[k] == sign)
            return k;
    return -1;
}

static void load_each_kpi(const struct kp_plan *plan, struct kp_load *load, struct kp_image_map *map, const uint64_t *signs,
                          bool *kept)
{
    char buf[KP_GROUP_KEY_MAX];

    for (uint32_t i = 0; i < map->nkpis && !load->failed; i++) {
        uint64_t sign = kp_load_u64(load);
        struct kp_str name = kp_load_text(load, buf, sizeof buf, "name of a KPI");

        map->kpis[i] = load->failed ? -1 : find_kpi(plan, signs, sign, name);
        if (map->kpis[i] >= 0)
            for (int k = 0; k < plan->nkpis; k++)
                kept[k] |= signs[k] == sign;
        else
            map->report->kpis_gone += name.len > 0;
    }
    for (int k = 0; k < (int)plan->config->nkpis; k++)
        ++*(kept[k] ? &map->report->kpis_kept : &map->report->kpis_new);
}

static void load_kpis(const struct kp_plan *plan, struct kp_load *load, struct kp_image_map *map)
{
    uint64_t *signs = malloc(((size_t)plan->nkpis + 1) * sizeof *signs);
    bool *kept = calloc((size_t)plan->nkpis + 1, sizeof *kept);

    kp_load_mark(load, "KPIS");
    map->nkpis = kp_load_count(load, KP_IMAGE_KPIS_MAX, "KPIs");
    map->kpis = malloc(((size_t)map->nkpis + 1) * sizeof *map->kpis);
    if (signs && kept && map->kpis) {
        for (int k = 0; k < plan->nkpis; k++)
            signs[k] = kp_sign_kpi(plan, k);
        load_each_kpi(plan, load, map, signs, kept);
    } else {
        kp_load_fail(load, "out of memory for KPIs");
    }
    free(signs);
    free(kept);
}

void kp_kpi_set_save(const uint64_t *words, size_t nkpis, struct kp_save *save)
{
    kp_save_bytes(save, words, (nkpis / 64 + 1) * sizeof *words);
}

void kp_kpi_set_load(uint64_t *words, const struct kp_plan *plan, struct kp_load *load, const struct kp_image_map *map)
{
    for (uint32_t w = 0; w < map->nkpis / 64 + 1; w++) {
        uint64_t left = kp_load_u64(load);

        for (; left && !load->failed; left &= left - 1) {
            int k = kp_image_kpi(map, w * 64 + (uint32_t)__builtin_ctzll(left));

            for (int o = 0; o < plan->nkpis && k >= 0; o++)
                if (plan->kpis[k].feeds[o])
                    words[o / 64] |= UINT64_C(1) << (o % 64);
        }
    }
}

/* ---- The whole ---- */

static void save_head(const struct kp_engine *engine, struct kp_save *save)
{
    kp_save_bytes(save, magic, sizeof magic);
    kp_save_u32(save, engine->plan->nspans ? KP_IMAGE_VERSION : KP_IMAGE_VERSION - 1);    /* as old as it can be */
    kp_save_u64(save, engine->store.seed);
    kp_save_i64(save, engine->now_ms);
    kp_save_i64(save, engine->data_from);
    save_nodes(engine, save);
    save_kpis(engine->plan, save);
    kp_panes_save(&engine->store, save);
}

static struct kp_save saving;       /* large, and a forked process is not to ask for memory */

bool kp_engine_save(const struct kp_engine *engine, bool (*write)(void *ctx, const void *bytes, size_t len), void *ctx)
{
    kp_save_begin(&saving, write, ctx);
    save_head(engine, &saving);
    kp_dedup_save(engine->dedup, &saving, engine->now_ms);
    kp_sources_save(engine->sources, &saving);
    kp_recent_save(engine->recent, &engine->store, kp_match_feeds(engine->match), &saving);
    kp_entities_save(engine->entities, engine->plan, &saving);
    kp_silences_save(engine->silences, &saving);
    kp_acks_save(engine->acks, &saving);
    kp_alerts_save(engine->alerts, &saving);
    kp_save_mark(&saving, "LAST");
    return kp_save_end(&saving);
}

bool kp_engine_save_numbers(const struct kp_engine *engine, bool (*write)(void *ctx, const void *bytes, size_t len), void *ctx)
{
    kp_save_begin(&saving, write, ctx);
    save_head(engine, &saving);
    kp_recent_save(engine->recent, &engine->store, kp_match_feeds(engine->match), &saving);
    kp_entities_save(engine->entities, engine->plan, &saving);
    kp_save_mark(&saving, "LAST");
    return kp_save_end(&saving);
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
    if (version > KP_IMAGE_VERSION)
        return kp_load_fail(load, "its version is %u, and this kpid knows up to %u: it was written by a newer one", version,
                            KP_IMAGE_VERSION);
    if (kp_load_u64(load) != engine->store.seed)
        return kp_load_fail(load, "it belongs to an engine with another seed");
    return KP_OK;
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
            kp_engine_fill(engine, outlet, section, trace, fill->map->fed[section->family]);
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
            if (!map->fed[outlet->sections[i].family][kp_plan_cell_at(fam, outlet->ops[outlet->sections[i].first + k].word)])
                return true;
    }
    return false;
}

/* It has what is known of it. */
static void note_filled(const struct kp_plan *plan, const struct kp_plan_outlet *outlet, const struct kp_image_map *map)
{
    for (int i = 0; i < outlet->nsections; i++) {
        const struct kp_section *section = &outlet->sections[i];

        for (uint32_t k = 0; k < section->count; k++)
            map->fed[section->family][kp_plan_cell_at(&plan->families[section->family], outlet->ops[section->first + k].word)] = true;
    }
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
    for (int o = 0; wanted && o < plan->noutlets; o++)
        if (wanted[o] && map->followed[plan->outlets[o].tracker])
            note_filled(plan, &plan->outlets[o], map);
    free(wanted);
}

static void load_parts(struct kp_engine *engine, struct kp_load *load, struct kp_image_map *map)
{
    int64_t now = kp_load_i64(load);

    engine->data_from = kp_load_i64(load);
    if ((now != INT64_MIN && (now < 0 || now > KP_TIME_MAX)) ||
        (engine->data_from != INT64_MAX && (engine->data_from < 0 || engine->data_from > KP_TIME_MAX)))
        kp_load_fail(load, "it was saved at no time that kpid knows");
    if (now != INT64_MIN && !load->failed)
        kp_engine_set_now(engine, now);
    load_nodes(engine, load, map);
    if (!load->failed)
        load_kpis(engine->plan, load, map);
    if (!load->failed)
        kp_panes_load(&engine->store, load, map);
    if (!load->failed)
        kp_dedup_load(engine->dedup, load, now);
    if (!load->failed)
        kp_sources_load(engine->sources, engine->plan, load, map, now);
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
    engine->version++;
}

/* What is new, of an engine that was told of all that is kept. */
static void load_numbers(struct kp_engine *engine, struct kp_load *load, struct kp_image_map *map)
{
    struct kp_recent *recent = kp_recent_new(engine->config->limits.recent, load->err);
    int64_t now = kp_load_i64(load), from = kp_load_i64(load);

    if (!recent)
        kp_load_fail(load, "out of memory");
    if (now != INT64_MIN && (now < 0 || now > KP_TIME_MAX))
        kp_load_fail(load, "it was saved at no time that kpid knows");
    map->kept_from = from <= engine->data_from ? INT64_MIN : from;
    if (from >= 0 && from < engine->data_from)
        engine->data_from = from;
    if (!load->failed)
        load_nodes(engine, load, map);
    if (!load->failed)
        load_kpis(engine->plan, load, map);
    if (!load->failed)
        kp_panes_load(&engine->store, load, map);
    for (uint32_t node = 0; node < engine->store.made; node++)
        kp_store_node(&engine->store, node)->recent = 0;
    if (!load->failed)
        kp_recent_load(recent, &engine->store, kp_match_feeds(engine->match), load, map);
    if (!load->failed)
        kp_entities_load(engine->entities, &engine->store, load, map);
    kp_load_mark(load, "LAST");
    if (!recent)
        return;
    kp_recent_destroy(&engine->recent);
    engine->recent = recent;
    kp_alerts_rebind(engine->alerts, recent);
}

static void release_map(struct kp_image_map *map)
{
    free(map->nodes);
    free(map->above);
    free(map->credit);
    free(map->kpis);
    free(map->fed);
    free(map->followed);
    free(map->entities);
}

bool kp_engine_has_new(const struct kp_engine *engine)
{
    for (int f = 0; engine->fed && f < engine->plan->nfamilies; f++)
        for (int c = 0; c < engine->plan->families[f].ncells; c++)
            if (!engine->fed[f][c])
                return true;
    return false;
}

enum kp_code kp_engine_load_numbers(struct kp_engine *engine, size_t (*read)(void *ctx, void *buf, size_t most), void *ctx,
                                    struct kp_err *err)
{
    struct kp_load *load = malloc(sizeof *load);
    struct kp_load_report unused = {0};
    struct kp_image_map map = {.report = &unused, .had = engine->fed, .had_followed = engine->followed};
    enum kp_code code;

    if (!load)
        return kp_fail(err, KP_ENOMEM, "checkpoint: out of memory");
    kp_load_begin(load, read, ctx, err);
    if (!load_head(engine, load))
        load_numbers(engine, load, &map);
    code = load->failed ? KP_EINVAL : KP_OK;
    release_map(&map);
    free(load);
    engine->version++;
    return code;
}

enum kp_code kp_engine_load(struct kp_engine *engine, size_t (*read)(void *ctx, void *buf, size_t most), void *ctx,
                            struct kp_load_report *report, struct kp_err *err)
{
    struct kp_load *load = malloc(sizeof *load);
    struct kp_image_map map = {.report = report};
    enum kp_code code;

    memset(report, 0, sizeof *report);
    if (!load)
        return kp_fail(err, KP_ENOMEM, "checkpoint: out of memory");
    kp_load_begin(load, read, ctx, err);
    code = load_head(engine, load);
    if (!code) {
        load_parts(engine, load, &map);
        code = load->failed ? KP_EINVAL : KP_OK;
    }
    engine->fed = map.fed;              /* for kp_engine_load_numbers */
    engine->followed = map.followed;
    map.fed = NULL;
    map.followed = NULL;
    release_map(&map);
    free(load);
    return code;
}
