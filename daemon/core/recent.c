#include "recent.h"

#include "image.h"

#include <stdlib.h>
#include <string.h>

enum { GONE = 4096,         /* places for those that are gone; beyond three quarters of it no more are kept in mind */
       NEAR = 16,           /* an event is told of at once to all whom it concerns, so its slot is not far */
       AHEAD = 8 };

/* One line. The rest of an id that is longer than a slot has room for stands in an array of its own, which is seldom touched. */
struct slot {
    int64_t time_ms;
    uint32_t node, before;  /* before: number of the one before it of this node */
    uint16_t gen, set;
    uint8_t len;
    bool gone;
    char id[42];
};

/* Events are numbered from 1; number n stands in slot n & mask until n + mask + 1 overwrites it. */
struct kp_recent {
    uint32_t mask;
    uint32_t newest;
    struct slot *slots;     /* owned */
    char (*whole)[KP_KEY_MAX];  /* owned; of ids that are longer than a slot */
};

struct kp_recent *kp_recent_new(uint32_t count, struct kp_err *err)
{
    struct kp_recent *recent = calloc(1, sizeof *recent);
    uint32_t room = 1;

    while (room < count && room < UINT32_C(1) << 31)
        room *= 2;
    if (recent) {
        recent->mask = room - 1;
        recent->slots = aligned_alloc(sizeof(struct slot), room * sizeof(struct slot));
        recent->whole = calloc(room, sizeof *recent->whole);
    }
    if (!recent || !recent->slots || !recent->whole) {
        kp_fail(err, KP_ENOMEM, "recent events: out of memory");
        kp_recent_destroy(&recent);
        return NULL;
    }
    memset(recent->slots, 0, room * sizeof(struct slot));
    return recent;
}

void kp_recent_destroy(struct kp_recent **recent)
{
    if (!*recent)
        return;
    free((*recent)->slots);
    free((*recent)->whole);
    free(*recent);
    *recent = NULL;
}

static bool held(const struct kp_recent *recent, uint32_t number)
{
    return number != 0 && recent->newest - number <= recent->mask;
}

static struct kp_str id_of(const struct kp_recent *recent, const struct slot *slot)
{
    return (struct kp_str){slot->len <= sizeof slot->id ? slot->id : recent->whole[slot - recent->slots], slot->len};
}

static bool same_id(struct kp_str a, struct kp_str b)
{
    return a.len == b.len && memcmp(a.s, b.s, a.len) == 0;
}

void kp_recent_add(struct kp_recent *recent, struct kp_store *store, struct kp_feeds *feeds, uint32_t node, struct kp_str id,
                   int64_t time_ms, uint16_t set, bool gone)
{
    struct kp_node_hot *hot = kp_store_node(store, node);
    uint32_t i = hot->recent & recent->mask;
    struct slot *slot = &recent->slots[i];

    if (id.len == 0 || id.len > KP_KEY_MAX)
        return;
    if (hot->recent && recent->newest - hot->recent < NEAR && slot->node == node && slot->gen == hot->gen && !slot->gone && !gone &&
        slot->time_ms == time_ms && same_id(id_of(recent, slot), id)) {
        slot->set = slot->set == set ? set : kp_feeds_union(feeds, slot->set, set);
        return;
    }
    i = ++recent->newest & recent->mask;
    slot = &recent->slots[i];
    /* The ring is larger than the caches, but whose turn it is is known. */
    __builtin_prefetch(&recent->slots[(i + AHEAD) & recent->mask], 1);
    slot->time_ms = time_ms;
    slot->node = node;
    slot->before = hot->recent;
    slot->gen = hot->gen;
    slot->set = set;
    slot->len = (uint8_t)id.len;
    slot->gone = gone;
    if (id.len <= sizeof slot->id)
        memcpy(slot->id, id.s, id.len);
    else
        memcpy(recent->whole[i], id.s, id.len);
    hot->recent = recent->newest;
}

static bool is_below(const struct kp_store *store, const struct slot *slot, uint32_t node)
{
    uint32_t at = slot->node;

    if (kp_store_node(store, at)->gen != slot->gen)
        return false;
    while (at != node && at != KP_NO_NODE)
        at = kp_store_node(store, at)->parent;
    return at == node;
}

static bool is_going(const struct kp_store *store, const struct slot *slot)
{
    const struct kp_node_hot *hot = kp_store_node(store, slot->node);

    return slot->len && (hot->flags & KP_NODE_GOING) && slot->gen == hot->gen;
}

static void blank(struct kp_recent *recent, uint32_t i)
{
    struct slot *slot = &recent->slots[i];

    memset(slot->id, 0, sizeof slot->id);
    memset(recent->whole[i], 0, sizeof recent->whole[i]);
    slot->len = 0;
    slot->time_ms = 0;
}

void kp_recent_forget(struct kp_recent *recent, const struct kp_store *store)
{
    for (uint32_t i = 0; i <= recent->mask; i++) {
        const struct slot *slot = &recent->slots[i];

        if (!is_going(store, slot))
            continue;
        /* It was told at once of all whom it concerns. */
        for (uint32_t k = (i - NEAR) & recent->mask; k != ((i + NEAR) & recent->mask); k = (k + 1) & recent->mask)
            if (k != i && recent->slots[k].time_ms == slot->time_ms && same_id(id_of(recent, &recent->slots[k]), id_of(recent, slot)) &&
                !is_going(store, &recent->slots[k]))
                blank(recent, k);
    }
    for (uint32_t i = 0; i <= recent->mask; i++)
        if (is_going(store, &recent->slots[i]))
            blank(recent, i);
}

/* What is asked for, and what of it has been found. */
struct search {
    const struct kp_recent *recent;
    const struct kp_store *store;
    const struct kp_feeds *feeds;
    int kpi;
    int64_t from, to;
    struct kp_recent_event *events;
    size_t n, most;
    const struct slot *gone[GONE];  /* whose own slots are still to come, since they are older; by hash */
    bool taken[GONE];               /* it has found its own */
    size_t ngone;
};

static size_t place_of(const struct slot *slot)
{
    return (size_t)(((uint64_t)slot->time_ms ^ slot->node * UINT64_C(0x9E3779B97F4A7C15)) * UINT64_C(0xD6E8FEB86659FD93) >> 52);
}

static void note_gone(struct search *search, const struct slot *slot)
{
    size_t i = place_of(slot);

    if (search->ngone >= GONE / 4 * 3)
        return;
    if (search->ngone++ == 0) {
        memset(search->gone, 0, sizeof search->gone);
        memset(search->taken, 0, sizeof search->taken);
    }
    while (search->gone[i])
        i = (i + 1) % GONE;
    search->gone[i] = slot;
}

/* Has it gone since? Then its mark has done its work. */
static bool is_gone(struct search *search, const struct slot *slot, struct kp_str id)
{
    for (size_t i = place_of(slot); search->ngone && search->gone[i]; i = (i + 1) % GONE) {
        const struct slot *gone = search->gone[i];

        if (!search->taken[i] && gone->time_ms == slot->time_ms && gone->node == slot->node &&
            same_id(id_of(search->recent, gone), id)) {
            search->taken[i] = true;
            return true;
        }
    }
    return false;
}

/* Slots from the newest on. */
static void look_at(struct search *search, const struct slot *slot)
{
    struct kp_str id = id_of(search->recent, slot);

    if (!slot->len || !kp_feeds_has(search->feeds, slot->set, search->kpi))
        return;
    if (slot->gone) {
        note_gone(search, slot);
        return;
    }
    if (slot->time_ms < search->from || slot->time_ms >= search->to || is_gone(search, slot, id))
        return;
    for (size_t i = 0; i < search->n; i++)
        if (search->events[i].time_ms == slot->time_ms && same_id(search->events[i].id, id))
            return;
    search->events[search->n++] = (struct kp_recent_event){id, slot->time_ms};
}

/* One KPI that is no formula, at a node. */
static void find_one(struct search *search, uint32_t node, uint32_t look)
{
    const struct kp_recent *recent = search->recent;
    uint32_t number = kp_store_node(search->store, node)->recent;

    search->n = search->ngone = 0;
    if (kp_store_cold(search->store, node)->nchildren) {
        for (uint32_t i = 0; i < look && search->n < search->most && held(recent, recent->newest - i); i++) {
            const struct slot *slot = &recent->slots[(recent->newest - i) & recent->mask];

            if (is_below(search->store, slot, node))
                look_at(search, slot);
        }
        return;
    }
    for (uint32_t i = 0; i < look && search->n < search->most && held(recent, number); i++) {
        const struct slot *slot = &recent->slots[number & recent->mask];

        if (slot->node != node || slot->before >= number)
            return;
        look_at(search, slot);
        number = slot->before;
    }
}

/* The newest of both lists, each once; n of them are there already. */
static size_t merge(struct kp_recent_event *events, size_t n, size_t most, const struct kp_recent_event *more, size_t nmore)
{
    for (size_t k = 0; k < nmore; k++) {
        size_t i = n, same = 0;

        while (same < n && !(events[same].time_ms == more[k].time_ms && same_id(events[same].id, more[k].id)))
            same++;
        while (i > 0 && events[i - 1].time_ms < more[k].time_ms)
            i--;
        if (same < n || i == most)
            continue;
        n -= n == most;
        memmove(events + i + 1, events + i, (n - i) * sizeof *events);
        events[i] = more[k];
        n++;
    }
    return n;
}

/* Of a formula those of all the KPIs that it is made of: an event may count in one of them and no longer in another. */
size_t kp_recent_find(const struct kp_recent *recent, const struct kp_store *store, const struct kp_feeds *feeds,
                      uint32_t node, int kpi, int64_t from, int64_t to, struct kp_recent_event *events, size_t most, uint32_t look)
{
    const struct kp_plan *plan = store->plan;
    struct kp_recent_event found[KP_RECENT_MOST];
    struct search *search = malloc(sizeof *search);
    size_t n = 0;

    if (!search)
        return 0;
    search->recent = recent;
    search->store = store;
    search->feeds = feeds;
    search->from = from;
    search->to = to;
    search->events = found;
    search->most = most < KP_RECENT_MOST ? most : KP_RECENT_MOST;
    for (int k = 0; k < plan->nkpis; k++) {
        if (plan->kpis[k].formula || !plan->kpis[k].feeds[kpi])
            continue;
        search->kpi = k;
        find_one(search, node, look);
        n = merge(events, n, most, found, search->n);
    }
    free(search);
    return n;
}

size_t kp_recent_bytes(const struct kp_recent *recent)
{
    return sizeof *recent + ((size_t)recent->mask + 1) * (sizeof(struct slot) + sizeof *recent->whole);
}

/* ---- Saving and loading ---- */

/* Whoever it was is not there any more: no key has this life. */
enum { NO_LIFE = UINT16_MAX };

static void save_sets(const struct kp_feeds *feeds, size_t nkpis, struct kp_save *save)
{
    kp_save_u32(save, (uint32_t)feeds->n);
    for (int set = KP_FEEDS_ALL + 1; set < feeds->n; set++)
        kp_kpi_set_save(kp_feeds_bits(feeds, (uint16_t)set), nkpis, save);
}

/* All slots, from the oldest on, also those of keys that are gone: how many are looked through is told by their number. */
void kp_recent_save(const struct kp_recent *recent, const struct kp_store *store, const struct kp_feeds *feeds,
                    struct kp_save *save)
{
    uint32_t n = recent->newest <= recent->mask ? recent->newest : recent->mask + 1;

    kp_save_mark(save, "RECE");
    save_sets(feeds, (size_t)store->plan->nkpis, save);
    kp_save_u32(save, n);
    for (uint32_t number = recent->newest - n + 1; n > 0; number++, n--) {
        const struct slot *slot = &recent->slots[number & recent->mask];
        bool lives = kp_store_node(store, slot->node)->gen == slot->gen;

        kp_save_i64(save, slot->time_ms);
        kp_save_u32(save, lives ? slot->node : KP_NO_NODE);
        kp_save_u16(save, slot->set);
        kp_save_u8(save, slot->gone);
        kp_save_u8(save, slot->len);
        kp_save_bytes(save, id_of(recent, slot).s, slot->len);
    }
}

/* The sets of then by the numbers that they have now; NULL: it failed. */
static uint16_t *load_sets(struct kp_feeds *feeds, const struct kp_plan *plan, struct kp_load *load,
                           const struct kp_image_map *map, uint32_t *n)
{
    uint64_t *bits = malloc((size_t)feeds->nwords * sizeof *bits);
    uint16_t *sets;

    *n = kp_load_count(load, KP_FEEDS_MAX + 1, "sets of KPIs");
    sets = calloc((size_t)*n + KP_FEEDS_ALL + 1, sizeof *sets);
    if (!sets || !bits) {
        kp_load_fail(load, "out of memory for sets of KPIs");
        free(bits);
        return sets;
    }
    sets[KP_FEEDS_ALL] = KP_FEEDS_ALL;
    for (uint32_t i = KP_FEEDS_ALL + 1; i < *n && !load->failed; i++) {
        memset(bits, 0, (size_t)feeds->nwords * sizeof *bits);
        kp_kpi_set_load(bits, plan, load, map);
        sets[i] = kp_feeds_put(feeds, bits);
    }
    free(bits);
    return sets;
}

static void load_slot(struct kp_recent *recent, struct kp_store *store, struct kp_load *load, const struct kp_image_map *map,
                      const uint16_t *sets, uint32_t nsets)
{
    uint32_t i = (recent->newest + 1) & recent->mask, node;
    struct slot *slot = &recent->slots[i];
    uint16_t set;

    slot->time_ms = kp_load_i64(load);
    node = kp_image_node(map, kp_load_u32(load));
    set = kp_load_u16(load);
    slot->gone = kp_load_u8(load) != 0;
    slot->len = kp_load_u8(load);
    if (slot->len > KP_KEY_MAX || set >= nsets || slot->time_ms < 0 || slot->time_ms > KP_TIME_MAX) {
        slot->len = 0;
        kp_load_fail(load, "a recent event is not as kpid writes it");
        return;
    }
    kp_load_bytes(load, slot->len <= sizeof slot->id ? slot->id : recent->whole[i], slot->len);
    if (load->failed)
        return;
    recent->newest++;
    slot->set = sets[set];
    slot->node = node == KP_NO_NODE ? KP_COMPANY : node;
    slot->gen = node == KP_NO_NODE ? NO_LIFE : kp_store_node(store, node)->gen;
    slot->before = 0;
    if (node != KP_NO_NODE) {
        slot->before = kp_store_node(store, node)->recent;
        kp_store_node(store, node)->recent = recent->newest;
    }
}

void kp_recent_load(struct kp_recent *recent, struct kp_store *store, struct kp_feeds *feeds, struct kp_load *load,
                    const struct kp_image_map *map)
{
    uint32_t nsets, n;
    uint16_t *sets;

    kp_load_mark(load, "RECE");
    sets = load_sets(feeds, store->plan, load, map, &nsets);
    n = kp_load_u32(load);
    if (nsets < KP_FEEDS_ALL + 1)
        kp_load_fail(load, "recent events: not as kpid writes them");
    for (; n > 0 && !load->failed; n--)
        load_slot(recent, store, load, map, sets, nsets);
    free(sets);
}
