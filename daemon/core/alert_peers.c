#include "alert_inside.h"

#include <math.h>
#include <stdlib.h>

enum { TICK_MS = 1000, PEERS_A_TICK = 1000 };       /* of more peers, so many ticks more */

struct group {              /* those below one parent, by one rule */
    int64_t due_ms;         /* INT64_MAX: nobody asked */
    int64_t looked_ms;
    int64_t taken_ms;       /* when the medians were taken last */
    uint32_t parent, n;     /* n: as of then */
    uint16_t rule;
    bool stale;             /* somebody's number may have changed since */
};

struct peer {
    uint32_t watch, node;
    double value;           /* NaN: it has none, or is nobody to compare with */
};

struct kp_peers {
    struct kp_heap heap;        /* owned, like all that follows; thing: a group */
    struct group *groups;
    uint32_t ngroups, room;
    struct kp_rule_map by_parent;       /* its group + 1 */
    struct peer *list;          /* those that are being looked at */
    double *sorted;             /* the values among them, rising */
    uint32_t nlist, list_room, nsorted;
};

struct kp_peers *kp_peers_new(const struct kp_plan *plan, struct kp_err *err)
{
    struct kp_peers *peers = calloc(1, sizeof *peers);

    if (!peers)
        kp_fail(err, KP_ENOMEM, "alerts: out of memory");
    else if (kp_rule_map_init(&peers->by_parent, plan->nrules, err))
        kp_peers_destroy(&peers);
    return peers;
}

void kp_peers_destroy(struct kp_peers **peers)
{
    struct kp_peers *p = *peers;

    if (!p)
        return;
    kp_rule_map_release(&p->by_parent);
    free(p->groups);
    free(p->list);
    free(p->sorted);
    kp_heap_release(&p->heap);
    free(p);
    *peers = NULL;
}

/* ---- Groups ---- */

/* NULL: memory is out. */
static struct group *group_of(struct kp_peers *peers, uint16_t rule, uint32_t parent)
{
    uint32_t *slot = kp_rule_map_at(&peers->by_parent, rule, parent);

    if (!slot)
        return NULL;
    if (*slot)
        return &peers->groups[*slot - 1];
    if (peers->ngroups == peers->room) {
        uint32_t room = peers->room ? peers->room * 2 : 16;
        struct group *grown = realloc(peers->groups, room * sizeof *grown);

        if (!grown)
            return NULL;
        peers->groups = grown;
        peers->room = room;
        if (!kp_heap_reserve(&peers->heap, room))
            return NULL;
    }
    peers->groups[peers->ngroups] = (struct group){INT64_MAX, INT64_MIN, INT64_MIN, parent, 0, rule, true};
    *slot = ++peers->ngroups;
    return &peers->groups[*slot - 1];
}

static struct group *group_for(const struct kp_alerts *alerts, const struct kp_watch *w)
{
    bool all = kp_watch_rule(alerts, w)->cfg->peers_company;

    return group_of(alerts->peers, w->rule, all ? KP_COMPANY : kp_store_node(alerts->store, w->node)->parent);
}

void kp_peers_want(struct kp_alerts *alerts, const struct kp_watch *w, int64_t t)
{
    struct kp_peers *peers = alerts->peers;
    struct group *group = group_for(alerts, w);
    int64_t tick, due;

    if (!group)
        return;     /* the next event will see to it */
    group->stale = true;
    tick = TICK_MS * (1 + (int64_t)group->n / PEERS_A_TICK);
    due = t >= 0 ? (t + tick - 1) / tick * tick : t;
    if (due <= group->looked_ms)
        due = group->looked_ms + tick;
    if (due >= group->due_ms)
        return;
    group->due_ms = due;
    kp_heap_set(&peers->heap, (uint32_t)(group - peers->groups), due);
}

int64_t kp_peers_due(const struct kp_peers *peers)
{
    return peers ? kp_heap_due(&peers->heap) : INT64_MAX;
}

/* ---- Who is compared with whom ---- */

static bool push(struct kp_peers *peers, struct peer peer)
{
    if (peers->nlist == peers->list_room) {
        uint32_t room = peers->list_room ? peers->list_room * 2 : 64;
        struct peer *list = realloc(peers->list, room * sizeof *list);
        double *sorted;

        if (!list)
            return false;
        peers->list = list;
        sorted = realloc(peers->sorted, room * sizeof *sorted);
        if (!sorted)
            return false;
        peers->sorted = sorted;
        peers->list_room = room;
    }
    peers->list[peers->nlist++] = peer;
    return true;
}

bool kp_peers_has_worked(const struct kp_alerts *alerts, const struct kp_plan_rule *rule, uint32_t node, int64_t t)
{
    const struct kp_plan_part *part = &rule->parts[0];
    const struct kp_family *grid;
    int64_t to;

    if (rule->nparts == 0)
        return true;
    grid = &kp_alerts_plan(alerts)->families[part->family].grids[kp_store_node(alerts->store, node)->clock];
    to = grid->to[part->window] < t ? grid->to[part->window] : t;
    return grid->gauge || kp_targets_work(alerts->targets, node, grid->from[part->window], to) > 0;
}

static double value_of(struct kp_alerts *alerts, const struct kp_plan_rule *rule, uint32_t node, int64_t t)
{
    struct kp_number number;
    int64_t wake;

    if (!kp_store_is_here(alerts->store, node, t) || !kp_peers_has_worked(alerts, rule, node, t))
        return (double)NAN;
    number = kp_read_rule(alerts->reader, rule, node, t, &wake);
    return number.has ? number.value : (double)NAN;
}

/* Gather the keys of the rule's level below a node. Out of memory: those that found room are compared. */
static void gather(struct kp_alerts *alerts, const struct kp_plan_rule *rule, uint32_t above, int64_t t)
{
    for (uint32_t node = kp_store_cold(alerts->store, above)->first_child; node != KP_NO_NODE;
         node = kp_store_cold(alerts->store, node)->next_sibling) {
        uint32_t watch = KP_NO_WATCH;

        if (kp_store_node(alerts->store, node)->level < rule->level)
            gather(alerts, rule, node, t);
        else
            watch = kp_watch_find(alerts, rule, node);
        if (watch != KP_NO_WATCH && !push(alerts->peers, (struct peer){watch, node, value_of(alerts, rule, node, t)}))
            return;
    }
}

static int rising(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void sort(struct kp_peers *peers)
{
    peers->nsorted = 0;
    for (uint32_t i = 0; i < peers->nlist; i++)
        if (!isnan(peers->list[i].value))
            peers->sorted[peers->nsorted++] = peers->list[i].value;
    if (peers->nsorted)
        qsort(peers->sorted, peers->nsorted, sizeof *peers->sorted, rising);
}

/* The kth of the others, once a value of the sorted ones is left out. */
static double other(const struct kp_peers *peers, double without, uint32_t k)
{
    /* Equal ones stand together: which of them is left out does not matter. So the kth of the others is the kth of all before the
     * place of the one left out, else the next. */
    return isnan(without) || peers->sorted[k] < without ? peers->sorted[k] : peers->sorted[k + 1];
}

/* The median of the others; NaN where there are fewer than the rule asks for. */
static double median(const struct kp_peers *peers, double without, uint32_t least)
{
    uint32_t n = isnan(without) ? peers->nsorted : peers->nsorted - 1;

    if (n < least || n == 0)
        return (double)NAN;
    return n % 2 ? other(peers, without, n / 2) : (other(peers, without, n / 2 - 1) + other(peers, without, n / 2)) / 2;
}

/* Gather a group, and tell each of its watches what it is held against. */
static void take(struct kp_alerts *alerts, struct group *group, int64_t t)
{
    struct kp_peers *peers = alerts->peers;
    const struct kp_plan_rule *rule = &kp_alerts_plan(alerts)->rules[group->rule];

    peers->nlist = 0;
    gather(alerts, rule, group->parent, t);
    sort(peers);
    for (uint32_t i = 0; i < peers->nlist; i++) {
        double value = peers->list[i].value;

        kp_watch_of(alerts, peers->list[i].watch)->given = isnan(value) ? value : median(peers, value, rule->cfg->min_peers);
    }
    group->n = peers->nlist;
    group->taken_ms = t;
    group->stale = false;
}

/* Of very many it is enough if they are taken now and then. */
double kp_peers_median(struct kp_alerts *alerts, const struct kp_watch *w, int64_t t)
{
    struct group *group = group_for(alerts, w);

    if (group && (group->stale || group->taken_ms != t) &&
        (group->n < PEERS_A_TICK || t - group->taken_ms >= (int64_t)group->n))
        take(alerts, group, t);
    return w->given;
}

size_t kp_peers_look(struct kp_alerts *alerts, int64_t t)
{
    struct kp_peers *peers = alerts->peers;
    struct group *group = &peers->groups[kp_heap_pop(&peers->heap)];

    group->due_ms = INT64_MAX;
    group->looked_ms = t;
    take(alerts, group, t);
    for (uint32_t i = 0; i < peers->nlist; i++)
        kp_watch_judge(alerts, peers->list[i].watch, t, kp_watch_of(alerts, peers->list[i].watch)->given);
    return peers->nlist;
}

size_t kp_peers_bytes(const struct kp_peers *peers)
{
    return peers ? sizeof *peers + kp_rule_map_bytes(&peers->by_parent) + peers->room * sizeof *peers->groups +
                       peers->list_room * (sizeof *peers->list + sizeof *peers->sorted)
                 : 0;
}

/* ---- As bytes ---- */

void kp_peers_save(const struct kp_peers *peers, struct kp_save *save)
{
    kp_save_u32(save, peers->ngroups);
    for (uint32_t i = 0; i < peers->ngroups; i++) {
        const struct group *group = &peers->groups[i];

        kp_save_u16(save, group->rule);
        kp_save_u32(save, group->parent);
        kp_save_i64(save, group->due_ms);
        kp_save_i64(save, group->looked_ms);
        kp_save_i64(save, group->taken_ms);
        kp_save_u32(save, group->n);
        kp_save_u8(save, group->stale);
    }
}

void kp_peers_load(struct kp_peers *peers, struct kp_load *load, const int *rules, uint32_t nrules, const struct kp_image_map *map)
{
    uint32_t n = kp_load_count(load, 1000000000, "groups of peers");

    for (uint32_t i = 0; i < n && !load->failed; i++) {
        uint16_t rule = kp_load_u16(load);
        uint32_t parent = kp_image_node(map, kp_load_u32(load));
        int64_t due = kp_load_i64(load), looked = kp_load_i64(load), taken = kp_load_i64(load);
        uint32_t members = kp_load_u32(load);
        bool stale = kp_load_u8(load) != 0;
        struct group *group;

        if (load->failed || rule >= nrules || rules[rule] < 0 || parent == KP_NO_NODE)
            continue;
        group = group_of(peers, (uint16_t)rules[rule], parent);
        if (!group) {
            kp_load_fail(load, "out of memory for alerts");
            return;
        }
        *group = (struct group){due, looked, taken, parent, members, (uint16_t)rules[rule], stale};
        kp_heap_set(&peers->heap, (uint32_t)(group - peers->groups), due);
    }
}
