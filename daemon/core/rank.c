#include "rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TABLES = 2 };        /* of a level: so that two passes at a time don't take theirs from each other */

struct moment {
    uint32_t parent, pass;
    int64_t at_ms;
    uint64_t version;
};

struct table {
    struct moment of;
    uint32_t n, room;
    uint32_t *nodes;        /* owned; the peers */
    double *values;         /* owned; by peer and pair, NaN for nil */
};

struct kp_ranks {
    struct kp_reader *reader;   /* borrowed */
    struct table tables[KP_LEVELS_MAX + 1][TABLES];     /* the one taken last is the first */
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
        for (int i = 0; i < TABLES; i++)
            ranks->tables[l][i].of.parent = KP_NO_NODE;
    return ranks;
}

void kp_ranks_destroy(struct kp_ranks **ranks)
{
    if (!*ranks)
        return;
    for (int l = 0; l <= KP_LEVELS_MAX; l++)
        for (int i = 0; i < TABLES; i++) {
            free((*ranks)->tables[l][i].nodes);
            free((*ranks)->tables[l][i].values);
        }
    free(*ranks);
    *ranks = NULL;
}

bool kp_rank_is_nobody(const struct kp_reader *reader, uint32_t node)
{
    const struct kp_plan *plan = reader->store->plan;
    int dim = kp_plan_dim_of(plan, kp_store_node(reader->store, node)->level);

    if (kp_store_node(reader->store, node)->flags & KP_NODE_MEMBER)
        return false;
    for (int p = 0; p < plan->npairs; p++) {
        const struct kp_number *number = &reader->numbers[p];

        /* Those of other dimensions are another key's, which was read before. */
        if (!plan->pairs[p].spare && plan->kpis[plan->pairs[p].kpi].dim == dim && (number->n != 0 || (number->has && number->value != 0)))
            return false;
    }
    return true;
}

static bool grow(struct table *table, size_t npairs)
{
    uint32_t room = table->room ? table->room * 2 : 32, *nodes;
    double *values;

    if (table->n < table->room)
        return true;
    nodes = realloc(table->nodes, room * sizeof *nodes);
    if (!nodes)
        return false;
    table->nodes = nodes;
    values = realloc(table->values, room * npairs * sizeof *values);
    if (!values)
        return false;
    table->values = values;
    table->room = room;
    return true;
}

static bool fill(struct kp_ranks *ranks, struct table *table, int64_t t)
{
    const struct kp_store *store = ranks->reader->store;
    size_t npairs = (size_t)store->plan->npairs + 1;

    table->n = 0;
    for (uint32_t node = kp_store_cold(store, table->of.parent)->first_child; node != KP_NO_NODE;
         node = kp_store_cold(store, node)->next_sibling) {
        double *values;

        if (!kp_store_is_here(store, node, t))
            continue;
        if (!grow(table, npairs))
            return false;
        kp_read_node(ranks->reader, node, t);
        if (kp_rank_is_nobody(ranks->reader, node))
            continue;
        table->nodes[table->n] = node;
        values = table->values + table->n++ * npairs;
        for (int p = 0; p < store->plan->npairs; p++)
            values[p] = ranks->reader->numbers[p].has ? ranks->reader->numbers[p].value : (double)NAN;
    }
    return true;
}

static bool is_good(const struct table *table, const struct moment *want)
{
    const struct moment *of = &table->of;

    if (of->parent != want->parent)
        return false;
    return want->pass ? of->pass == want->pass : of->at_ms == want->at_ms && of->version == want->version;
}

bool kp_ranks_take(struct kp_ranks *ranks, uint32_t node, int64_t t, uint64_t version, uint32_t pass)
{
    const struct kp_store *store = ranks->reader->store;
    const struct kp_node_hot *hot = kp_store_node(store, node);
    const struct moment want = {hot->parent, pass, t, version};
    struct table *table;

    if (hot->level > store->plan->nlevels || hot->parent == KP_NO_NODE || !kp_store_is_here(store, node, t) ||
        kp_store_cold(store, hot->parent)->nchildren > KP_PEERS_MAX)
        return false;
    table = ranks->tables[hot->level];
    if (!is_good(table, &want)) {
        const struct table other = table[1];

        table[1] = table[0];
        table[0] = other;
    }
    if (is_good(table, &want))
        return true;
    table->of = want;
    if (fill(ranks, table, t))
        return true;
    table->of.parent = KP_NO_NODE;
    return false;
}

struct kp_rank kp_ranks_of(const struct kp_ranks *ranks, uint32_t node, int pair, double value, bool has, enum kp_better better)
{
    const struct kp_store *store = ranks->reader->store;
    const struct table *table = ranks->tables[kp_store_node(store, node)->level];
    size_t npairs = (size_t)store->plan->npairs + 1;
    struct kp_rank rank = {1, 1};

    if (!has || better == KP_BETTER_NONE)
        return (struct kp_rank){0, 0};
    for (uint32_t i = 0; i < table->n; i++) {
        double other = table->values[i * npairs + (size_t)pair];

        if (table->nodes[i] == node || isnan(other))
            continue;
        rank.of++;
        rank.rank += better == KP_BETTER_HIGHER ? other > value : other < value;
    }
    return rank;
}
