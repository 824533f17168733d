/* Keys as bytes: which there are, and where they stand. */
#include "image.h"

#include <stdlib.h>
#include <string.h>

/* Level by level, so that what a key stands under comes before it. */
void kp_keys_save(const struct kp_store *store, struct kp_save *save)
{
    const struct kp_plan *plan = store->plan;

    kp_save_mark(save, "NODE");
    kp_save_u32(save, (uint32_t)plan->nlevel_ids);
    for (int l = 0; l < plan->nlevel_ids; l++) {
        const char *name = kp_plan_level_name(plan, l);

        kp_save_text(save, (struct kp_str){name, (uint32_t)strlen(name)});
    }
    kp_save_u32(save, store->made);
    kp_save_u32(save, store->live);
    for (int l = 0; l < plan->nlevel_ids; l++) {
        for (uint32_t node = 0; node < store->made; node++) {
            const struct kp_node_hot *hot = kp_store_node(store, node);
            const struct kp_node_cold *cold = kp_store_cold(store, node);

            if (!(hot->flags & KP_NODE_LIVE) || hot->level != l)
                continue;
            kp_save_u32(save, node);
            kp_save_u32(save, hot->parent);
            kp_save_u8(save, hot->level);
            kp_save_text(save, (struct kp_str){cold->key, cold->key_len});
        }
    }
}

struct levels {
    int now[KP_LEVEL_IDS_MAX];
    uint32_t n;
};

static void load_levels(const struct kp_plan *plan, struct kp_load *load, struct levels *levels)
{
    char name[KP_GROUP_KEY_MAX * 2];

    levels->n = kp_load_count(load, KP_LEVEL_IDS_MAX, "levels");
    for (uint32_t l = 0; l < levels->n; l++) {
        struct kp_str text = kp_load_text(load, name, sizeof name, "name of a level");

        levels->now[l] = kp_plan_find_level(plan, text.s, text.len);
    }
}

/* The key as it stands now; made if it is new. */
static uint32_t place(struct kp_store *store, int level, uint32_t parent, struct kp_str key)
{
    int nlevels = store->plan->nlevels;

    if (level == 0)
        return KP_COMPANY;
    if (level > nlevels)
        return kp_store_group(store, level - nlevels, key);
    if (parent != KP_NO_NODE && kp_store_node(store, parent)->level != level - 1)
        parent = KP_NO_NODE;
    return kp_store_unit(store, level, parent, key);
}

void kp_keys_load(struct kp_store *store, struct kp_load *load, struct kp_image_map *map)
{
    char key[KP_GROUP_KEY_MAX * 2];
    struct levels levels = {.n = 0};
    uint32_t live;

    kp_load_mark(load, "NODE");
    load_levels(store->plan, load, &levels);
    map->nnodes = kp_load_count(load, KP_IMAGE_NODES_MAX, "keys");
    live = kp_load_count(load, map->nnodes, "keys in use");
    map->nodes = calloc((size_t)map->nnodes + 1, sizeof *map->nodes);
    if (!map->nodes) {
        kp_load_fail(load, "out of memory for %u keys", map->nnodes);
        map->nnodes = 0;
        return;
    }
    for (uint32_t i = 0; i < live && !load->failed; i++) {
        uint32_t then = kp_load_u32(load), parent = kp_image_node(map, kp_load_u32(load)), level = kp_load_u8(load);
        struct kp_str text = kp_load_text(load, key, sizeof key, "a key");

        if (load->failed)
            return;
        if (then >= map->nnodes || level >= levels.n || !kp_text_ok(text)) {
            kp_load_fail(load, "key %u: not as kpid writes it", then);
            return;
        }
        if (levels.now[level] < 0)
            continue;
        map->nodes[then] = place(store, levels.now[level], parent, text) + 1;
        map->report->keys_refused += map->nodes[then] == 0;
    }
}
