/* A YAML document as a small tree in which every node knows its line and column.
 *
 * What a configuration needs and no more: maps with scalar keys, lists, scalars. Anchors, aliases and tags are
 * refused (so no document can be larger in memory than in the file), as are a second document, keys given twice,
 * and what exceeds the limits below. Also the builder, so that a CSV file becomes the same tree. */
#ifndef KPID_YAML_TREE_H
#define KPID_YAML_TREE_H

#include "kpid/config.h"

#define KP_TREE_BYTES_MAX (64u * 1024 * 1024)   /* of a document */
#define KP_TREE_NODES_MAX 8000000u
#define KP_TREE_DEPTH_MAX 32

enum kp_node_kind { KP_NODE_SCALAR, KP_NODE_LIST, KP_NODE_MAP };

struct kp_node {
    enum kp_node_kind kind;
    bool plain;                 /* scalar: not quoted and no block, so `5` is a number and `true` a boolean */
    int lead;                   /* scalar: columns from loc to its first character; -1: not on one line as it reads */
    struct kp_loc loc;
    const char *text;           /* scalar: its content, NUL-terminated (and may hold NULs of its own) */
    size_t len;
    const char *key;            /* of an entry of a map, NUL-terminated; NULL elsewhere */
    struct kp_loc key_loc;
    struct kp_node *first, *last, *next;    /* list and map: what they hold, in the order of the file */
    size_t count;
};

struct kp_tree;

/* Parse a document. NULL after a fault in its syntax or structure; keys given twice are faults too, but the tree is
 * made all the same (the first one stands), so that the other faults are found as well. */
struct kp_tree *kp_tree_parse(const char *bytes, size_t len, struct kp_faults *faults) KP_CHECK;
void kp_tree_destroy(struct kp_tree **tree);
const struct kp_node *kp_tree_root(const struct kp_tree *tree);

/* The entry of a map by its key, NULL when there is none or node is no map. O(entries). */
const struct kp_node *kp_node_get(const struct kp_node *node, const char *key);

/* Where the character at byte `at` of a scalar stands in the file, as near as can be told. */
struct kp_loc kp_node_loc_at(const struct kp_node *node, size_t at);

/* ---- Building by hand. Each gives NULL when memory is out or there are too many nodes. ---- */
struct kp_tree *kp_tree_new(void) KP_CHECK;                 /* its root is an empty list */
struct kp_node *kp_tree_add(struct kp_tree *tree, struct kp_node *parent, enum kp_node_kind kind,
                            struct kp_loc loc) KP_CHECK;    /* parent NULL: the root list */
const char *kp_tree_text(struct kp_tree *tree, const char *bytes, size_t len) KP_CHECK; /* a copy, NUL-terminated */

#endif
