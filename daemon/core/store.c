#include "store.h"

#include "pages.h"

#include "kpid/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Spaces of fingerprints: a level's keys below a parent, a level's keys wherever they stand. */
enum { SPACE_PLACE = 0, SPACE_LEVEL = KP_LEVEL_IDS_MAX };
enum { LINE = 64 };

static const char unassigned[] = "unassigned";

static struct kp_print level_print(const struct kp_store *store, int level, struct kp_str key)
{
    return kp_print_of(store->seed, (uint32_t)(SPACE_LEVEL + level), key.s, key.len);
}

static struct kp_print place_print(const struct kp_store *store, int level, uint32_t parent, struct kp_str key)
{
    return kp_print_of2(store->seed, (uint32_t)(SPACE_PLACE + level), &parent, sizeof parent, key.s, key.len);
}

static uint32_t find(const struct kp_store *store, struct kp_print print)
{
    const uint32_t *node = kp_tab_find(store->index, print);

    return node ? *node : KP_NO_NODE;
}

struct kp_print kp_store_rep_print(const struct kp_store *store, struct kp_str key)
{
    return level_print(store, store->plan->nlevels, key);
}

uint32_t kp_store_find_rep(const struct kp_store *store, struct kp_print print)
{
    return find(store, print);
}

/* ---- Nodes ---- */

static bool add_chunk(struct kp_store *store)
{
    size_t n = store->nchunks;
    char **hot = realloc(store->hot, (n + 1) * sizeof *hot);
    struct kp_node_cold **cold;

    if (!hot)
        return false;
    store->hot = hot;
    cold = realloc(store->cold, (n + 1) * sizeof(*cold));
    if (!cold)
        return false;
    store->cold = cold;
    hot[n] = kp_pages_chunk();
    cold[n] = calloc((size_t)1 << store->shift, sizeof **cold);
    if (!hot[n] || !cold[n]) {
        free(hot[n]);
        free(cold[n]);
        return false;
    }
    store->nchunks++;
    return true;
}

static uint32_t take(struct kp_store *store)
{
    uint32_t node = store->free;

    if (store->live >= store->limit)
        return KP_NO_NODE;
    if (node != KP_NO_NODE) {
        store->free = kp_store_node(store, node)->parent;
    } else {
        if (store->made == store->nchunks << store->shift && !add_chunk(store))
            return KP_NO_NODE;
        node = store->made++;
    }
    store->live++;
    return node;
}

static void give_back(struct kp_store *store, uint32_t node)
{
    struct kp_node_hot *hot = kp_store_node(store, node);
    struct kp_node_cold *cold = kp_store_cold(store, node);
    uint16_t gen = (uint16_t)(hot->gen + 1);

    kp_slab_free(store->slab, cold->key, (size_t)cold->key_len + 1);
    memset(cold, 0, sizeof *cold);
    memset(hot, 0, store->stride);
    hot->gen = gen;
    hot->parent = store->free;
    store->free = node;
    store->live--;
}

/* Reps, groups and the company are told by their level's key alone; a unit between by its place, since only the roster
 * says that a team stands in one region. */
static bool is_unit(const struct kp_store *store, int level)
{
    return level > 0 && level < store->plan->nlevels;
}

static struct kp_print own_print(const struct kp_store *store, int level, uint32_t parent, struct kp_str key)
{
    return is_unit(store, level) ? place_print(store, level, parent, key) : level_print(store, level, key);
}

static uint32_t make(struct kp_store *store, int level, uint32_t parent, struct kp_str key)
{
    uint32_t node = take(store);
    struct kp_node_hot *hot;
    struct kp_node_cold *cold;

    if (node == KP_NO_NODE)
        return KP_NO_NODE;
    hot = kp_store_node(store, node);
    cold = kp_store_cold(store, node);
    cold->key = kp_slab_alloc(store->slab, (size_t)key.len + 1);
    if (!cold->key)
        goto fail;
    if (key.len)
        memcpy(cold->key, key.s, key.len);
    cold->key[key.len] = '\0';
    cold->key_len = key.len;
    hot->parent = parent;
    hot->level = (uint8_t)level;
    hot->flags = KP_NODE_LIVE;
    hot->stale_at = INT64_MAX;
    if (kp_tab_insert(store->index, own_print(store, level, parent, key), node))
        goto fail;
    cold->first_child = cold->next_sibling = KP_NO_NODE;
    if (parent != KP_NO_NODE) {
        struct kp_node_cold *above = kp_store_cold(store, parent);

        above->nchildren++;
        cold->next_sibling = above->first_child;
        above->first_child = node;
    }
    return node;
fail:
    give_back(store, node);
    return KP_NO_NODE;
}

static void forget_former(struct kp_store *store, uint32_t node);

static void leave_parent(struct kp_store *store, uint32_t node, uint32_t parent)
{
    struct kp_node_cold *above = kp_store_cold(store, parent);
    uint32_t *link = &above->first_child;

    while (*link != node)
        link = &kp_store_cold(store, *link)->next_sibling;
    *link = kp_store_cold(store, node)->next_sibling;
    above->nchildren--;
}

void kp_store_forget(struct kp_store *store, uint32_t node)
{
    struct kp_node_hot *hot = kp_store_node(store, node);
    struct kp_node_cold *cold = kp_store_cold(store, node);
    struct kp_str key = {cold->key, cold->key_len};
    const struct kp_plan_dim *dim = &store->plan->dims[kp_plan_dim_of(store->plan, hot->level)];

    if (hot->flags & KP_NODE_FORMER) {
        forget_former(store, node);
        return;
    }
    for (int i = 0; i < dim->nfamilies; i++)
        kp_list_clear(&store->rows[dim->first_family + i], &hot->lists[i]);
    kp_tab_remove(store->index, own_print(store, hot->level, hot->parent, key));
    if (hot->parent != KP_NO_NODE)
        leave_parent(store, node, hot->parent);
    give_back(store, node);
}

/* ---- Places ---- */

/* What stands for a level that nobody named: "unassigned", below the same above it. */
static uint32_t unassigned_unit(struct kp_store *store, int level)
{
    struct kp_str key = {unassigned, sizeof unassigned - 1};
    uint32_t node = KP_COMPANY;

    for (int l = 1; l <= level && node != KP_NO_NODE; l++)
        node = kp_store_unit(store, l, node, key);
    return node;
}

uint32_t kp_store_unit(struct kp_store *store, int level, uint32_t parent, struct kp_str key)
{
    uint32_t node = KP_NO_NODE;

    if (parent == KP_NO_NODE || !is_unit(store, level)) {
        node = find(store, level_print(store, level, key));
        if (node != KP_NO_NODE)
            return node;
        if (parent == KP_NO_NODE)
            parent = unassigned_unit(store, level - 1);
        if (parent == KP_NO_NODE)
            return KP_NO_NODE;
    }
    if (is_unit(store, level))
        node = find(store, place_print(store, level, parent, key));
    return node != KP_NO_NODE ? node : make(store, level, parent, key);
}

uint32_t kp_store_find(const struct kp_store *store, int level, struct kp_str key)
{
    uint32_t node = level == 0 ? KP_COMPANY : find(store, level_print(store, level, key));

    if (level == 0 && key.len)
        return KP_NO_NODE;
    for (uint32_t i = 0; is_unit(store, level) && node == KP_NO_NODE && i < store->made; i++) {
        const struct kp_node_cold *cold = kp_store_cold(store, i);

        if (kp_store_node(store, i)->level == level && (kp_store_node(store, i)->flags & KP_NODE_LIVE) &&
            cold->key_len == key.len && memcmp(cold->key, key.s, key.len) == 0)
            node = i;
    }
    return node;
}

uint32_t kp_store_add_rep(struct kp_store *store, struct kp_str key)
{
    return kp_store_unit(store, store->plan->nlevels, KP_NO_NODE, key);
}

uint32_t kp_store_find_group(const struct kp_store *store, int dim, struct kp_str key)
{
    return find(store, level_print(store, store->plan->nlevels + dim, key));
}

uint32_t kp_store_group(struct kp_store *store, int dim, struct kp_str key)
{
    uint32_t node = kp_store_find_group(store, dim, key);

    return node != KP_NO_NODE ? node : make(store, store->plan->nlevels + dim, KP_NO_NODE, key);
}

/* ---- Former places ---- */

uint32_t kp_store_former(struct kp_store *store, uint32_t rep, uint32_t parent)
{
    int level = kp_store_node(store, rep)->level;
    struct kp_node_cold *cold = kp_store_cold(store, rep);
    struct kp_str key = {cold->key, cold->key_len};
    struct kp_print print = place_print(store, level, parent, key);     /* reps are not found by their place otherwise */
    uint32_t node = find(store, print);
    struct kp_node_hot *hot;

    if (node != KP_NO_NODE)
        return node;
    node = take(store);
    if (node == KP_NO_NODE)
        return KP_NO_NODE;
    hot = kp_store_node(store, node);
    cold = kp_store_cold(store, node);
    cold->key = kp_slab_alloc(store->slab, (size_t)key.len + 1);
    if (!cold->key || kp_tab_insert(store->index, print, node)) {
        give_back(store, node);
        return KP_NO_NODE;
    }
    memcpy(cold->key, key.s, (size_t)key.len + 1);
    cold->key_len = key.len;
    cold->first_child = rep;
    cold->next_sibling = KP_NO_NODE;
    hot->parent = parent;
    hot->level = (uint8_t)level;
    hot->flags = KP_NODE_LIVE | KP_NODE_FORMER;
    hot->stale_at = INT64_MAX;
    hot->clock = kp_store_node(store, rep)->clock;
    kp_store_node(store, rep)->held++;
    kp_store_node(store, parent)->held++;
    return node;
}

static void forget_former(struct kp_store *store, uint32_t node)
{
    const struct kp_node_hot *hot = kp_store_node(store, node);
    const struct kp_node_cold *cold = kp_store_cold(store, node);

    kp_store_node(store, cold->first_child)->held--;
    kp_store_node(store, hot->parent)->held--;
    kp_tab_remove(store->index, place_print(store, hot->level, hot->parent, (struct kp_str){cold->key, cold->key_len}));
    give_back(store, node);
}

/* ---- Keys of groups ---- */

/* Copy a value's text; where there are several, a comma or percent sign of its own is encoded. */
static size_t put_text(char *buf, size_t at, const char *text, size_t len, bool several)
{
    for (size_t i = 0; i < len; i++) {
        bool encode = several && (text[i] == ',' || text[i] == '%');

        if (at + 3 >= KP_GROUP_KEY_MAX)
            return KP_GROUP_KEY_MAX;
        if (encode)
            at += (size_t)snprintf(buf + at, 4, "%%%02X", (unsigned)(unsigned char)text[i]);
        else
            buf[at++] = text[i];
    }
    return at;
}

size_t kp_store_group_key(const struct kp_plan_dim *dim, const struct kp_event *ev, char *buf)
{
    size_t at = 0;

    for (int i = 0; i < dim->nslots; i++) {
        const char *text = NULL;
        char number[KP_VALUE_TEXT];
        size_t len;

        if (!kp_event_has(ev, dim->slots[i]))
            return 0;
        len = kp_value_text(&ev->v[dim->slots[i]], number, &text);
        if (len == 0)
            return 0;
        if (i && at < KP_GROUP_KEY_MAX)
            buf[at++] = ',';
        at = put_text(buf, at, text, len, dim->nslots > 1);
        if (at >= KP_GROUP_KEY_MAX)
            return KP_GROUP_KEY_MAX + 1;
    }
    return at;
}

/* ---- What there is to show ---- */

/* Of what is so now: is there anything? */
static bool is_blank(const struct kp_rows *rows, uint32_t handle)
{
    const struct kp_plan_family *fam = rows->family;
    const uint64_t *words = kp_rows_at(rows, handle)->words;

    for (int c = 0; c < fam->ncells; c++)
        if (fam->cells[c].kind == KP_CELL_COUNT && words[fam->cells[c].word] != 0)
            return false;
    return true;
}

int64_t kp_store_expires(const struct kp_store *store, uint32_t node)
{
    const struct kp_node_hot *hot = kp_store_node(store, node);
    const struct kp_plan_dim *dim = &store->plan->dims[kp_plan_dim_of(store->plan, hot->level)];
    int64_t last = INT64_MIN;

    if (hot->flags & KP_NODE_MEMBER)
        return INT64_MAX;
    for (int i = 0; i < dim->nfamilies; i++) {
        const struct kp_rows *rows = &store->rows[dim->first_family + i];
        int64_t dies;

        if (rows->family->grids[0].is_span)
            continue;
        if (!hot->lists[i].head || (rows->family->grids[hot->clock].gauge && is_blank(rows, hot->lists[i].head)))
            continue;
        if (rows->family->grids[hot->clock].gauge)
            return INT64_MAX;
        dies = kp_family_dies(&rows->family->grids[hot->clock], kp_rows_at(rows, hot->lists[i].head)->start);
        if (dies > last)
            last = dies;
    }
    return last;
}

bool kp_store_is_here(const struct kp_store *store, uint32_t node, int64_t t)
{
    const struct kp_member *member = kp_store_cold(store, node)->member;
    int64_t day;

    if (!kp_store_visible(store, node))
        return false;
    if (!member || (member->start == INT64_MIN && member->end == INT64_MAX))
        return true;
    day = kp_zone_day(store->plan->clocks[kp_store_node(store, node)->clock].zone, t);
    return day >= member->start && day <= member->end;
}

int64_t kp_store_comes_or_goes(const struct kp_store *store, uint32_t node, int64_t t)
{
    const struct kp_member *member = kp_store_cold(store, node)->member;
    const struct kp_zone *zone = store->plan->clocks[kp_store_node(store, node)->clock].zone;

    if (member && member->start != INT64_MIN && kp_zone_day_start(zone, member->start) > t)
        return kp_zone_day_start(zone, member->start);
    if (member && member->end != INT64_MAX && kp_zone_day_start(zone, member->end + 1) > t)
        return kp_zone_day_start(zone, member->end + 1);
    return INT64_MAX;
}

bool kp_store_visible(const struct kp_store *store, uint32_t node)
{
    const struct kp_node_hot *hot = kp_store_node(store, node);
    const struct kp_plan_dim *dim = &store->plan->dims[kp_plan_dim_of(store->plan, hot->level)];

    if (hot->flags & KP_NODE_MEMBER)
        return true;
    for (int i = 0; i < dim->nfamilies; i++) {
        const struct kp_rows *rows = &store->rows[dim->first_family + i];

        if (!hot->lists[i].head || rows->family->grids[0].is_span)
            continue;
        if (rows->family->grids[hot->clock].gauge ? !is_blank(rows, hot->lists[i].head)
                                     : kp_rows_at(rows, hot->lists[i].head)->start >= rows->family->grids[hot->clock].keep_from)
            return true;
    }
    return false;
}

bool kp_store_is_kept(const struct kp_store *store, uint32_t node)
{
    const struct kp_node_hot *hot = kp_store_node(store, node);
    const struct kp_plan_dim *dim = &store->plan->dims[kp_plan_dim_of(store->plan, hot->level)];

    for (int i = 0; i < dim->nfamilies; i++)
        if (hot->lists[i].head && store->plan->families[dim->first_family + i].grids->is_span)
            return true;
    return false;
}

const char *kp_store_name(const struct kp_store *store, uint32_t node)
{
    const struct kp_node_cold *cold = kp_store_cold(store, node);

    if (cold->member && cold->member->name)
        return cold->member->name;
    return node == KP_COMPANY ? "company" : cold->key;
}

int kp_store_path(const struct kp_store *store, uint32_t node, uint32_t path[KP_DEPTH_MAX])
{
    int n = 0;

    for (uint32_t at = node; at != KP_NO_NODE && at != KP_COMPANY && n < KP_DEPTH_MAX;
         at = kp_store_node(store, at)->parent)
        path[n++] = at;
    for (int i = 0; i < n / 2; i++) {
        uint32_t swap = path[i];

        path[i] = path[n - 1 - i];
        path[n - 1 - i] = swap;
    }
    return n;
}

/* ---- The roster ---- */

static struct kp_str str_of(const char *text)
{
    return (struct kp_str){text, (uint32_t)strlen(text)};
}

/* A unit of the roster can be named by an event without what is above it. */
static bool name_unit(struct kp_store *store, int level, struct kp_str key, uint32_t node)
{
    struct kp_print print = level_print(store, level, key);

    return find(store, print) != KP_NO_NODE || kp_tab_insert(store->index, print, node) == KP_OK;
}

/* A key's calendar, and with it the clock that its days go by. */
static void give_calendar(struct kp_store *store, uint32_t node, size_t calendar)
{
    struct kp_node_hot *hot = kp_store_node(store, node);

    hot->calendar = (uint16_t)calendar;
    hot->clock = calendar ? (uint16_t)store->plan->calendar_clocks[calendar - 1] : 0;
}

/* What is said of teams, regions and the company; of those that the roster has. */
static void add_units(struct kp_store *store, const struct kp_roster_cfg *roster)
{
    for (size_t i = 0; i < roster->nunits; i++) {
        const struct kp_unit_cfg *unit = &roster->units[i];
        int level = kp_plan_find_level(store->plan, unit->level, strlen(unit->level));
        uint32_t node = level == 0 ? KP_COMPANY
                        : level > 0 ? find(store, level_print(store, level, str_of(unit->key))) : KP_NO_NODE;

        if (node != KP_NO_NODE)
            give_calendar(store, node, unit->calendar);
    }
}

static bool add_member(struct kp_store *store, const struct kp_member *member)
{
    int nlevels = store->plan->nlevels;
    uint32_t node = KP_COMPANY;

    for (int l = 1; l <= nlevels; l++) {
        node = kp_store_unit(store, l, node, str_of(member->place[l - 1] ? member->place[l - 1] : unassigned));
        if (node == KP_NO_NODE)
            return false;
        kp_store_node(store, node)->flags |= KP_NODE_MEMBER;
        if (is_unit(store, l) && member->place[l - 1] && !name_unit(store, l, str_of(member->place[l - 1]), node))
            return false;
    }
    kp_store_cold(store, node)->member = member;
    give_calendar(store, node, member->calendar);
    for (size_t i = 0; i < member->naliases; i++) {
        struct kp_print print = level_print(store, nlevels, str_of(member->aliases[i]));

        if (find(store, print) == KP_NO_NODE && kp_tab_insert(store->index, print, node))
            return false;
    }
    return true;
}

static int by_place(const void *a, const void *b, void *nlevels)
{
    const struct kp_member *const *x = a, *const *y = b;

    for (int l = 0; l < *(int *)nlevels - 1; l++) {
        int c = strcmp((*x)->place[l] ? (*x)->place[l] : "", (*y)->place[l] ? (*y)->place[l] : "");

        if (c)
            return c;
    }
    return *x < *y ? -1 : *x > *y;
}

/* Members team by team, else as they stand in the roster: who goes through the nodes in turn meets peers together. */
static const struct kp_member **in_order(struct kp_plan *plan, const struct kp_roster_cfg *roster)
{
    const struct kp_member **order = malloc((roster->nmembers + 1) * sizeof(*order));

    for (size_t i = 0; order && i < roster->nmembers; i++)
        order[i] = &roster->members[i];
    if (order)
        qsort_r(order, roster->nmembers, sizeof(*order), by_place, &plan->nlevels);
    return order;
}

static enum kp_code no_memory(struct kp_err *err)
{
    return kp_fail(err, KP_ENOMEM, "store: out of memory");
}

enum kp_code kp_store_init(struct kp_store *store, struct kp_plan *plan, uint64_t seed, struct kp_err *err)
{
    const struct kp_roster_cfg *roster = &plan->config->roster;
    const struct kp_member **order;
    bool added = true;
    int most = 0;

    memset(store, 0, sizeof *store);
    store->plan = plan;
    store->seed = seed;
    store->free = KP_NO_NODE;
    store->limit = plan->config->limits.keys;
    for (int d = 0; d < plan->ndims; d++)
        most = plan->dims[d].nfamilies > most ? plan->dims[d].nfamilies : most;
    store->stride = (sizeof(struct kp_node_hot) + (size_t)most * sizeof(struct kp_list) + LINE - 1) / LINE * LINE;
    while (((size_t)2 << store->shift) * store->stride <= KP_PAGES_CHUNK)
        store->shift++;
    store->slab = kp_slab_new(err);
    store->index = kp_tab_new(err);
    store->rows = calloc((size_t)plan->nfamilies + 1, sizeof *store->rows);
    if (!store->slab || !store->index || !store->rows)
        return no_memory(err);
    for (int f = 0; f < plan->nfamilies; f++) {
        enum kp_code code = kp_rows_init(&store->rows[f], &plan->families[f], store->slab, err);

        if (code)
            return code;
    }
    if (make(store, 0, KP_NO_NODE, (struct kp_str){"", 0}) != KP_COMPANY)
        return no_memory(err);
    kp_store_node(store, KP_COMPANY)->flags |= KP_NODE_MEMBER;
    order = in_order(store->plan, roster);
    if (!order)
        return no_memory(err);
    for (size_t i = 0; i < roster->nmembers && added; i++)
        added = add_member(store, order[i]);
    free(order);
    if (!added)
        return store->live >= store->limit
                   ? kp_fail(err, KP_ELIMIT, "roster: more keys (members and the levels above) than limits.keys, %u",
                             store->limit)
                   : no_memory(err);
    add_units(store, roster);
    return KP_OK;
}

void kp_store_release(struct kp_store *store)
{
    for (int f = 0; store->rows && f < store->plan->nfamilies; f++)
        kp_rows_release(&store->rows[f]);
    for (uint32_t i = 0; i < store->nchunks; i++) {
        free(store->hot[i]);
        free(store->cold[i]);
    }
    free(store->hot);
    free(store->cold);
    free(store->rows);
    kp_tab_destroy(&store->index);
    kp_slab_destroy(&store->slab);
    memset(store, 0, sizeof *store);
}

size_t kp_store_bytes(const struct kp_store *store)
{
    size_t bytes = kp_slab_bytes(store->slab) + kp_tab_bytes(store->index) +
                   (size_t)store->nchunks * (KP_PAGES_CHUNK + (sizeof(struct kp_node_cold) << store->shift));

    for (int f = 0; f < store->plan->nfamilies; f++)
        bytes += kp_rows_bytes(&store->rows[f]);
    return bytes;
}
