#include "rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct table {
    uint32_t parent, n, room;
    int64_t at_ms;
    uint64_t version;
    double *values;         /* owned; by peer and pair, NaN for nil */
};

struct kp_ranks {
    struct kp_reader *reader;   /* borrowed */
    struct table tables[KP_LEVELS_MAX + 1];
};

struct kp_ranks *kp_ranks_new(struct kp_reader *reader, struct kp_err *err)
{
    struct kp_ranks *ranks = calloc(1, sizeof *ranks);

    if (!ranks) {
        kp_fail(err, KP_ENOMEM, "ranks: out of memory");
        return NULL;
    }
    ranks->reader = reader;
    for (int l = 0; l <= KP_LEVELS_MAX; l++)
        ranks->tables[l].parent = KP_NO_NODE;
    return ranks;
}

void kp_ranks_destroy(struct kp_ranks **ranks)
{
    if (!*ranks)
        return;
    for (int l = 0; l <= KP_LEVELS_MAX; l++)
        free((*ranks)->tables[l].values);
    free(*ranks);
    *ranks = NULL;
}

bool kp_rank_is_nobody(const struct kp_reader *reader, uint32_t node)
{
    const struct kp_store *store = reader->store;

    if (kp_store_node(store, node)->flags & KP_NODE_MEMBER)
        return false;
    for (int p = 0; p < store->plan->npairs; p++)
        if (reader->numbers[p].n != 0 || (reader->numbers[p].has && reader->numbers[p].value != 0))
            return false;
    return true;
}

static bool grow(struct table *table, size_t npairs)
{
    uint32_t room = table->room ? table->room * 2 : 32;
    double *grown;

    if (table->n < table->room)
        return true;
    grown = realloc(table->values, room * npairs * sizeof *grown);
    if (!grown)
        return false;
    table->values = grown;
    table->room = room;
    return true;
}

static bool fill(struct kp_ranks *ranks, struct table *table, int64_t t)
{
    const struct kp_store *store = ranks->reader->store;
    size_t npairs = (size_t)store->plan->npairs + 1;

    table->n = 0;
    for (uint32_t node = kp_store_cold(store, table->parent)->first_child; node != KP_NO_NODE;
         node = kp_store_cold(store, node)->next_sibling) {
        double *values;

        if (!kp_store_is_here(store, node, t))
            continue;
        if (!grow(table, npairs))
            return false;
        kp_read_node(ranks->reader, node, t);
        if (kp_rank_is_nobody(ranks->reader, node))
            continue;
        values = table->values + table->n++ * npairs;
        for (int p = 0; p < store->plan->npairs; p++)
            values[p] = ranks->reader->numbers[p].has ? ranks->reader->numbers[p].value : (double)NAN;
    }
    return true;
}

bool kp_ranks_take(struct kp_ranks *ranks, uint32_t node, int64_t t, uint64_t version)
{
    const struct kp_store *store = ranks->reader->store;
    const struct kp_node_hot *hot = kp_store_node(store, node);
    struct table *table = &ranks->tables[hot->level <= KP_LEVELS_MAX ? hot->level : 0];

    if (hot->level > store->plan->nlevels || hot->parent == KP_NO_NODE || !kp_store_is_here(store, node, t) ||
        kp_store_cold(store, hot->parent)->nchildren > KP_PEERS_MAX)
        return false;
    if (table->parent == hot->parent && table->at_ms == t && table->version == version)
        return true;
    table->parent = hot->parent;
    table->at_ms = t;
    table->version = version;
    if (fill(ranks, table, t))
        return true;
    table->parent = KP_NO_NODE;
    return false;
}

struct kp_rank kp_ranks_of(const struct kp_ranks *ranks, int level, int pair, double value, bool has, enum kp_better better)
{
    const struct table *table = &ranks->tables[level];
    size_t npairs = (size_t)ranks->reader->store->plan->npairs + 1;
    struct kp_rank rank = {1, 0};

    if (!has || better == KP_BETTER_NONE)
        return (struct kp_rank){0, 0};
    for (uint32_t i = 0; i < table->n; i++) {
        double other = table->values[i * npairs + (size_t)pair];

        if (isnan(other))
            continue;
        rank.of++;
        rank.rank += better == KP_BETTER_HIGHER ? other > value : other < value;
    }
    return rank;
}
