/* The store: every key that kpid knows, its place in the tree, and its rows.
 *
 * A node is the company, a region, a team, a rep, or one value of a `by`. It is named by an index of 32 bits that is
 * used again after the node is gone; `gen` tells the lives apart. Members of the roster stand in it from the
 * start and always; others come with their first event and go when no window can reach their last one.
 *
 * Cost: a node is 32 bytes and 8 a family, rounded up to 64, and 72 bytes beside with its key's bytes. */
#ifndef KPID_CORE_STORE_H
#define KPID_CORE_STORE_H

#include "row.h"

#include "kpid/tab.h"

enum { KP_COMPANY = 0, KP_DEPTH_MAX = KP_LEVELS_MAX + 1 };

enum {
    KP_NODE_LIVE = 1,       /* in use */
    KP_NODE_MEMBER = 2,     /* of the roster (or above a member): always visible */
    KP_NODE_CHANGED = 4,    /* since it was published */
    KP_NODE_QUEUED = 8,     /* waits for its rules to be looked at */
    KP_NODE_UNSEEN = 16,    /* one of them was looked at when there was nothing to show of it */
    KP_NODE_FORMER = 32,    /* where a rep stood before the roster changed: see kp_store_former */
    KP_NODE_GOING = 64,     /* is being forgotten */
};

struct kp_node_hot {
    uint32_t parent;        /* KP_NO_NODE for the company and groups */
    uint32_t recent;        /* number of its newest remembered event */
    int64_t stale_at;       /* when time alone changes what it shows */
    uint32_t rules;         /* handle of its block of rule states; 0: none */
    uint16_t gen;
    uint8_t level, flags;
    uint32_t held;          /* occurrences of entities that it is credited with: it stays as long as there are any */
    uint16_t clock;         /* of the plan */
    uint16_t calendar;      /* of the configuration + 1; 0: it has none, and works always */
    struct kp_list lists[]; /* of the families of its dimension */
};

struct kp_node_cold {
    char *key;              /* in the slab, key_len bytes and a NUL */
    uint32_t key_len;
    uint32_t nchildren;
    const struct kp_member *member;     /* borrowed; NULL when not a rep of the roster */
    uint32_t first_child, next_sibling;     /* KP_NO_NODE; of keys of the roster. Of a former place: its rep, and KP_NO_NODE */
};

struct kp_store {
    struct kp_plan *plan;   /* borrowed */
    struct kp_slab *slab;   /* owned; keys, sketches */
    struct kp_rows *rows;   /* owned; by family */
    struct kp_tab *index;   /* owned; (parent, level, key) and (level, key) and aliases -> node */
    uint64_t seed;
    size_t stride;          /* bytes of a kp_node_hot with its lists */
    unsigned shift;         /* nodes of a chunk: 1 << shift */
    char **hot;             /* owned chunks */
    struct kp_node_cold **cold;
    uint32_t nchunks;
    uint32_t made;          /* nodes ever made: indices below it have been in use */
    uint32_t live;
    uint32_t free;          /* the first free one, linked by `parent` */
    uint32_t limit;
};

/* Build it with the roster of the plan's configuration. */
enum kp_code kp_store_init(struct kp_store *store, struct kp_plan *plan, uint64_t seed, struct kp_err *err) KP_CHECK;
void kp_store_release(struct kp_store *store);


static inline struct kp_node_hot *kp_store_node(const struct kp_store *store, uint32_t node)
{
    return (struct kp_node_hot *)(void *)(store->hot[node >> store->shift] +
                                          (size_t)(node & ((1u << store->shift) - 1)) * store->stride);
}

static inline struct kp_node_cold *kp_store_cold(const struct kp_store *store, uint32_t node)
{
    return &store->cold[node >> store->shift][node & ((1u << store->shift) - 1)];
}

/* Fingerprints: of a rep's key or alias, and of a group's values. */
struct kp_print kp_store_rep_print(const struct kp_store *store, struct kp_str key);

/* The rep of that key or alias; KP_NO_NODE when it is not known. */
uint32_t kp_store_find_rep(const struct kp_store *store, struct kp_print print);
/* The key of any level: a rep also by an alias. Where the same name stands in several places and the roster does not say
 * which, or knows none, all keys are looked through. KP_NO_NODE: there is none. */
uint32_t kp_store_find(const struct kp_store *store, int level, struct kp_str key);
/* Make a rep that the roster does not know, under "unassigned". KP_NO_NODE: the limit is reached, or no memory. */
uint32_t kp_store_add_rep(struct kp_store *store, struct kp_str key);

/* A key of a roster level below the company, made if it is new. parent KP_NO_NODE: where the roster has it, else under
 * "unassigned". KP_NO_NODE: the limit is reached, or no memory. */
uint32_t kp_store_unit(struct kp_store *store, int level, uint32_t parent, struct kp_str key);

/* The group of a dimension for an event's values; key: as kp_store_group_key writes it. */
uint32_t kp_store_group(struct kp_store *store, int dim, struct kp_str key);
uint32_t kp_store_find_group(const struct kp_store *store, int dim, struct kp_str key);
/* The key of an event in a dimension: its values as text, a comma between them (written %2C within a value when there
 * are several). buf holds KP_GROUP_KEY_MAX. 0: a value is missing. More than KP_GROUP_KEY_MAX: it would not fit. */
enum { KP_GROUP_KEY_MAX = 512 };
size_t kp_store_group_key(const struct kp_plan_dim *dim, const struct kp_event *ev, char *buf);

/* Where a rep stood who stands elsewhere now: a place without rows, rules or anything to show, below `parent`, that what was credited to
 * the rep there goes on being credited to, so that what is taken back is taken from who has it. It is forgotten like any key once
 * nothing is credited to it. KP_NO_NODE: no memory, or the limit is reached. */
uint32_t kp_store_former(struct kp_store *store, uint32_t rep, uint32_t parent);
/* Whose own numbers are at a place: the rep of a former one, else itself. */
static inline uint32_t kp_store_own(const struct kp_store *store, uint32_t node)
{
    return kp_store_node(store, node)->flags & KP_NODE_FORMER ? kp_store_cold(store, node)->first_child : node;
}

/* Is there anything to show: a member, or a row that some window may still reach at t? Spans are shown elsewhere. */
bool kp_store_visible(const struct kp_store *store, uint32_t node);
/* When the last of it will be out of every window's reach; INT64_MAX for members, INT64_MIN without rows. */
int64_t kp_store_expires(const struct kp_store *store, uint32_t node);
/* Is it part of a span, so that it has to stay, although there may be nothing to show of it? */
bool kp_store_is_kept(const struct kp_store *store, uint32_t node);
/* Is it somebody who is here at t? Who has left, or is still to come, is not. */
bool kp_store_is_here(const struct kp_store *store, uint32_t node, int64_t t);
/* The next instant after t at which a member comes, or has left; INT64_MAX: none, and for all others. */
int64_t kp_store_comes_or_goes(const struct kp_store *store, uint32_t node, int64_t t);
/* Give back a node that is not visible, has no child and no rules' state that matters (the caller sees to it). */
void kp_store_forget(struct kp_store *store, uint32_t node);

/* Its name for people: the member's, else the key; NUL-terminated. */
const char *kp_store_name(const struct kp_store *store, uint32_t node);
/* Nodes of its path, outermost first, the company left out; returns how many. */
int kp_store_path(const struct kp_store *store, uint32_t node, uint32_t path[KP_DEPTH_MAX]);

size_t kp_store_bytes(const struct kp_store *store);

#endif
