/* How the parts of an engine are saved and loaded. Internal to kp_engine_save and kp_engine_load, which see to the order.
 *
 * What is saved names things as they were numbered then; a map says what they are now. Numbers that the map does not have are
 * KP_NO_NODE, -1 or UINT32_MAX: what belongs to them is read and dropped. */
#ifndef KPID_CORE_IMAGE_H
#define KPID_CORE_IMAGE_H

#include "store.h"
#include "stream.h"

#include "kpid/checkpoint.h"

enum { KP_IMAGE_VERSION = 2 /* with families of spans; 1: without */, KP_IMAGE_NODES_MAX = 100 * 1000 * 1000, KP_IMAGE_KPIS_MAX = 100 * 1000,
       KP_IMAGE_SOURCES_MAX = 100 * 1000 };

struct kp_image_map {
    /* 0 is none, so memory that nothing is put into is not used. */
    uint32_t *nodes;        /* owned; by its number then: that of now + 1 */
    uint32_t *above;        /* owned; by number then: number then of what it stood under + 1 */
    uint32_t *credit;       /* owned; by number then: where what was credited there is credited now + 1; 0: where it stands now */
    uint32_t nnodes;
    int *kpis;              /* owned; by number then */
    uint32_t nkpis;
    bool **fed;             /* owned; by family of now, by cell: it took over what one of then held; NULL before the panes */
    bool **had;             /* borrowed; when only what is new is loaded: `fed` of the first load, which is left alone */
    int64_t kept_from;      /* with had: as far back the kept events tell all; INT64_MIN: they tell all that there ever was */
    bool *followed;         /* owned; by tracker of now: it took over what one of then knew */
    const bool *had_followed;   /* borrowed, like had */
    uint32_t *entities;     /* owned; by number then: that of now + 1 */
    uint32_t nentities;
    struct kp_load_report *report;
};

static inline uint32_t kp_image_node(const struct kp_image_map *map, uint32_t then)
{
    return then < map->nnodes ? map->nodes[then] - 1 : KP_NO_NODE;
}

/* Where what was credited to it then stays: its former place, where it stands elsewhere now. */
static inline uint32_t kp_image_credit(const struct kp_image_map *map, uint32_t then)
{
    return then < map->nnodes && map->credit[then] ? map->credit[then] - 1 : kp_image_node(map, then);
}

/* Number then of what it stood under; KP_NO_NODE: nothing. */
static inline uint32_t kp_image_above(const struct kp_image_map *map, uint32_t then)
{
    return then < map->nnodes ? map->above[then] - 1 : KP_NO_NODE;
}

static inline uint32_t kp_image_entity(const struct kp_image_map *map, uint32_t then)
{
    return then < map->nentities ? map->entities[then] - 1 : UINT32_MAX;
}

/* The KPI of then, as it is now; -1: it is no more. */
static inline int kp_image_kpi(const struct kp_image_map *map, uint32_t then)
{
    return then < map->nkpis ? map->kpis[then] : -1;
}

/* ---- The parts ---- */
/* What they read is checked, and what they make is bounded by what they have read. What fails says so in *load. */
struct kp_engine;
void kp_panes_save(const struct kp_store *store, struct kp_save *save);
void kp_panes_load(struct kp_store *store, struct kp_load *load, struct kp_image_map *map);
struct kp_dedup;
/* now_ms: as of which what is too old is left out. */
void kp_dedup_save(const struct kp_dedup *dedup, struct kp_save *save, int64_t now_ms);
void kp_dedup_load(struct kp_dedup *dedup, struct kp_load *load, int64_t now_ms);
struct kp_sources;
void kp_sources_save(const struct kp_sources *sources, struct kp_save *save);
void kp_sources_load(struct kp_sources *sources, const struct kp_plan *plan, struct kp_load *load, const struct kp_image_map *map,
                     int64_t now_ms);
struct kp_recent;
struct kp_feeds;
void kp_recent_save(const struct kp_recent *recent, const struct kp_store *store, const struct kp_feeds *feeds,
                    struct kp_save *save);
void kp_recent_load(struct kp_recent *recent, struct kp_store *store, struct kp_feeds *feeds, struct kp_load *load,
                    const struct kp_image_map *map);
/* Sketches, NULL among them. */
void kp_quant_save(const struct kp_quant *q, struct kp_save *save);
void kp_quant_load(struct kp_quant **q, struct kp_slab *slab, struct kp_load *load);
void kp_distinct_save(const struct kp_distinct *d, struct kp_save *save);
void kp_distinct_load(struct kp_distinct **d, struct kp_slab *slab, struct kp_load *load);
/* A set of KPIs, bit k of it: KPI k; then so many as map->nkpis. Loaded as the KPIs of now that are still the same, and all
 * formulas over them. words: as many as the plan's KPIs need. */
void kp_kpi_set_save(const uint64_t *words, size_t nkpis, struct kp_save *save);
void kp_kpi_set_load(uint64_t *words, const struct kp_plan *plan, struct kp_load *load, const struct kp_image_map *map);

/* ---- What things are, wherever they stand in the configuration: 64 bits of XXH3 ---- */
uint64_t kp_sign_both(uint64_t a, uint64_t b);                  /* of two parts, in this order */
uint64_t kp_sign_where(const struct kp_where *where);           /* the order of what it asks does not matter */
uint64_t kp_sign_filter(const struct kp_plan *plan, int filter);    /* -1: none */
uint64_t kp_sign_value(const struct kp_plan *plan, int value);  /* -1: none */
/* What a cell holds, and whose: not in which windows. */
uint64_t kp_sign_cell(const struct kp_plan *plan, int dim, const struct kp_cell *cell);
uint64_t kp_sign_kpi(const struct kp_plan *plan, int kpi);
uint64_t kp_sign_tracker(const struct kp_plan *plan, int tracker);
uint64_t kp_sign_outlet(const struct kp_plan *plan, int outlet);
uint64_t kp_sign_rule(const struct kp_plan *plan, int rule);    /* name, KPI, window, level and what it compares with */

#endif
