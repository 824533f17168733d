#include "recent.h"

#include <stdlib.h>
#include <string.h>

enum { LOOK = 2048 };       /* how many slots, or links of a chain, a search looks at */

struct slot {
    uint64_t kpis;
    uint32_t node, before;  /* before: number of the one before it of this node */
    uint16_t gen;
    uint8_t len;
    char id[KP_KEY_MAX];
};

/* Events are numbered from 1; number n stands in slot n % count until n + count overwrites it. */
struct kp_recent {
    uint32_t count;
    uint32_t newest;
    struct slot slots[];
};

struct kp_recent *kp_recent_new(uint32_t count, struct kp_err *err)
{
    struct kp_recent *recent = calloc(1, sizeof *recent + (size_t)count * sizeof(struct slot));

    if (!recent) {
        kp_fail(err, KP_ENOMEM, "recent events: out of memory");
        return NULL;
    }
    recent->count = count;
    return recent;
}

void kp_recent_destroy(struct kp_recent **recent)
{
    free(*recent);
    *recent = NULL;
}

void kp_recent_add(struct kp_recent *recent, struct kp_store *store, uint32_t node, struct kp_str id, uint64_t kpis)
{
    struct kp_node_hot *hot = kp_store_node(store, node);
    struct slot *slot;

    if (id.len == 0 || id.len > KP_KEY_MAX || recent->count == 0)
        return;
    slot = &recent->slots[++recent->newest % recent->count];
    slot->kpis = kpis;
    slot->node = node;
    slot->gen = hot->gen;
    slot->before = hot->recent;
    slot->len = (uint8_t)id.len;
    memcpy(slot->id, id.s, id.len);
    hot->recent = recent->newest;
}

static bool held(const struct kp_recent *recent, uint32_t number)
{
    return number != 0 && recent->newest - number < recent->count;
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

static size_t find_chain(const struct kp_recent *recent, const struct kp_store *store, uint32_t node, uint64_t kpis,
                         struct kp_str *ids, size_t most)
{
    uint32_t number = kp_store_node(store, node)->recent;
    size_t n = 0;

    for (int i = 0; i < LOOK && n < most && held(recent, number); i++) {
        const struct slot *slot = &recent->slots[number % recent->count];

        if (slot->node != node || slot->before >= number)
            break;
        if (slot->kpis & kpis)
            ids[n++] = (struct kp_str){slot->id, slot->len};
        number = slot->before;
    }
    return n;
}

size_t kp_recent_find(const struct kp_recent *recent, const struct kp_store *store, uint32_t node, uint64_t kpis,
                      struct kp_str *ids, size_t most)
{
    size_t n = 0;

    if (kp_store_cold(store, node)->nchildren == 0)
        return find_chain(recent, store, node, kpis, ids, most);
    for (uint32_t i = 0; i < LOOK && n < most && held(recent, recent->newest - i); i++) {
        const struct slot *slot = &recent->slots[(recent->newest - i) % recent->count];

        if ((slot->kpis & kpis) && is_below(store, slot, node))
            ids[n++] = (struct kp_str){slot->id, slot->len};
    }
    return n;
}

size_t kp_recent_bytes(const struct kp_recent *recent)
{
    return sizeof *recent + (size_t)recent->count * sizeof(struct slot);
}
