/* How the parts of an engine are saved and loaded. Internal to kp_engine_save and kp_engine_load, which see to the order.
 *
 * What is saved names things as they were numbered then; a map says what they are now. What has no number now, is read and
 * dropped. What a KPI, a cell, a tracker or a rule *is* is told by its signature, so that it may stand elsewhere in the
 * configuration. */
#ifndef KPID_CORE_IMAGE_H
#define KPID_CORE_IMAGE_H

#include "feeds.h"
#include "store.h"
#include "stream.h"

#include "kpid/checkpoint.h"

enum { KP_IMAGE_VERSION = 1, KP_IMAGE_NODES_MAX = 200 * 1000 * 1000, KP_IMAGE_KPIS_MAX = 65536 };

struct kp_image_map {
    uint32_t *nodes;        /* owned, like all that follows; its number now + 1 by that of then; 0: none */
    uint32_t nnodes;
    int *kpis;              /* -1: none */
    uint32_t nkpis;
    uint32_t *entities;     /* likewise */
    uint32_t nentities;
    uint16_t *sets;         /* of KPIs */
    uint32_t nsets;
    bool *kept[KP_FAMILIES_MAX];    /* by family and cell of now: its panes were loaded */
    int64_t now_ms;         /* of the engine that was saved */
    struct kp_load_report *report;
};
void kp_image_release(struct kp_image_map *map);

static inline uint32_t kp_image_node(const struct kp_image_map *map, uint32_t then)
{
    return then < map->nnodes ? map->nodes[then] - 1 : KP_NO_NODE;
}
static inline int kp_image_kpi(const struct kp_image_map *map, uint32_t then)
{
    return then < map->nkpis ? map->kpis[then] : -1;
}
static inline uint32_t kp_image_entity(const struct kp_image_map *map, uint32_t then)
{
    return then < map->nentities ? map->entities[then] - 1 : UINT32_MAX;
}
static inline uint16_t kp_image_set(const struct kp_image_map *map, uint16_t then)
{
    return then < map->nsets ? map->sets[then] : (uint16_t)KP_FEEDS_ALL;
}

/* ---- sign.c: what things are; 64 bits of XXH3 ---- */
uint64_t kp_sign_where(const struct kp_where *where);           /* the order of what it asks does not matter */
uint64_t kp_sign_value(const struct kp_plan *plan, int value);  /* -1: none */
uint64_t kp_sign_tracker(const struct kp_plan *plan, const struct kp_plan_tracker *tracker);
uint64_t kp_sign_outlet(const struct kp_plan *plan, const struct kp_plan_outlet *outlet);
uint64_t kp_sign_cell(const struct kp_plan *plan, int dim, const struct kp_cell *cell);
uint64_t kp_sign_rule(const struct kp_plan_rule *rule);         /* name, KPI, window, level, and what it compares */

/* ---- keys_image.c ---- */
void kp_keys_save(const struct kp_store *store, struct kp_save *save);
void kp_keys_load(struct kp_store *store, struct kp_load *load, struct kp_image_map *map);

/* ---- rows_image.c ---- */
/* KPIs by name, families and their cells; then every key's panes. */
void kp_rows_save(const struct kp_store *store, struct kp_save *save);
void kp_rows_load(struct kp_store *store, struct kp_load *load, struct kp_image_map *map);

/* ---- feeds.c ---- */
void kp_feeds_save(const struct kp_feeds *feeds, struct kp_save *save);
void kp_feeds_load(struct kp_feeds *feeds, struct kp_load *load, struct kp_image_map *map);

#endif
