/* where: which events a KPI counts. */
#include "config_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIELD_MAX = 128,
    ALTERNATIVES_MAX = 256,
    VALUES_MAX = 60000,
};

static KP_READER(read_operand);

/* `min` is the comparison; `max` is 1 where numbers alone make sense. */
const struct kp_key kp_operator_keys[] = {
    {.name = "eq", .read = read_operand, .min = KP_CMP_EQ},
    {.name = "ne", .read = read_operand, .min = KP_CMP_NE},
    {.name = "gt", .read = read_operand, .min = KP_CMP_GT, .max = 1},
    {.name = "gte", .read = read_operand, .min = KP_CMP_GTE, .max = 1},
    {.name = "lt", .read = read_operand, .min = KP_CMP_LT, .max = 1},
    {.name = "lte", .read = read_operand, .min = KP_CMP_LTE, .max = 1},
    {.name = "in", .read = read_operand, .min = KP_CMP_IN},
    {.name = "not_in", .read = read_operand, .min = KP_CMP_NOT_IN},
    {.name = "exists", .read = read_operand, .min = KP_CMP_EXISTS},
    {.name = "prefix", .read = read_operand, .min = KP_CMP_PREFIX},
    {.name = NULL},
};

/* The field under test, and where its tests go. */
struct field {
    struct kp_all *all;
    const struct kp_node *node;     /* the entry: its key is the field */
};

static bool has_type(struct kp_loader *ld, const struct kp_node *node, const struct kp_value *value, enum kp_cmp cmp)
{
    bool number = value->kind == KP_INT || (value->kind == KP_REAL && isfinite(value->f));
    bool ordered = cmp == KP_CMP_GT || cmp == KP_CMP_GTE || cmp == KP_CMP_LT || cmp == KP_CMP_LTE;

    if (value->kind == KP_NIL)
        kp_complain(ld, node->loc, "null never matches; for a missing field write {exists: false}");
    else if (value->kind == KP_REAL && !number)
        kp_complain(ld, node->loc, "must be finite");
    else if (ordered && !number)
        kp_complain(ld, node->loc, "must be a number");
    else if (cmp == KP_CMP_EXISTS && value->kind != KP_BOOL)
        kp_complain(ld, node->loc, "must be true or false");
    else if (cmp == KP_CMP_PREFIX && value->kind != KP_STR)
        kp_complain(ld, node->loc, "must be a string (quote it)");
    else
        return true;
    return false;
}

static void add_arg(struct kp_loader *ld, struct kp_pred *pred, const struct kp_node *node)
{
    struct kp_value value, *slot;
    char *copy;

    if (!kp_scalar(ld, node, &value) || !has_type(ld, node, &value, pred->cmp))
        return;
    if (value.kind == KP_STR) {
        copy = kp_zeros(ld, (size_t)value.len + 1, 1);
        if (!copy)
            return;
        memcpy(copy, value.s, value.len);
        value.s = copy;
    }
    slot = kp_grow(ld, &pred->args, &pred->nargs, sizeof *pred->args);
    if (slot)
        *slot = value;
    else if (value.kind == KP_STR)
        free((char *)(uintptr_t)value.s);
}

static struct kp_pred *add_pred(struct kp_loader *ld, struct field *field, enum kp_cmp cmp)
{
    struct kp_pred *pred = kp_grow(ld, &field->all->preds, &field->all->count, sizeof *field->all->preds);

    if (!pred)
        return NULL;
    pred->cmp = cmp;
    pred->loc = field->node->key_loc;
    pred->field = kp_copy(ld, field->node->key);
    return pred;
}

static void add_list(struct kp_loader *ld, struct kp_pred *pred, const struct kp_node *list)
{
    size_t i = 0;

    if (!kp_want_some(ld, list, KP_NODE_LIST, VALUES_MAX))
        return;
    for (const struct kp_node *item = list->first; item; item = item->next) {
        size_t back = kp_path_index(ld, i++);

        add_arg(ld, pred, item);
        kp_path_back(ld, back);
    }
}

static KP_READER(read_operand)
{
    enum kp_cmp cmp = (enum kp_cmp)key->min;
    struct kp_pred *pred = add_pred(ld, into, cmp);

    if (!pred)
        return;
    if (cmp == KP_CMP_IN || cmp == KP_CMP_NOT_IN)
        add_list(ld, pred, node);
    else
        add_arg(ld, pred, node);
}

static void read_entry(struct kp_loader *ld, const struct kp_node *entry, struct kp_all *all)
{
    struct field field = {.all = all, .node = entry};
    struct kp_pred *pred;

    if (strlen(entry->key) > FIELD_MAX) {
        kp_complain(ld, entry->key_loc, "the field's name is longer than %d bytes", FIELD_MAX);
    } else if (entry->kind == KP_NODE_MAP) {
        if (kp_want_some(ld, entry, KP_NODE_MAP, 16))
            kp_read_map(ld, entry, kp_operator_keys, &field);
    } else if ((pred = add_pred(ld, &field, entry->kind == KP_NODE_LIST ? KP_CMP_IN : KP_CMP_EQ)) != NULL) {
        if (entry->kind == KP_NODE_LIST)
            add_list(ld, pred, entry);
        else
            add_arg(ld, pred, entry);
    }
}

static void read_all_of(struct kp_loader *ld, const struct kp_node *node, struct kp_where *where)
{
    struct kp_all *all = kp_grow(ld, &where->any, &where->count, sizeof *where->any);

    for (const struct kp_node *entry = node->first; entry && all; entry = entry->next) {
        size_t back = kp_path_key(ld, entry->key);

        read_entry(ld, entry, all);
        kp_path_back(ld, back);
    }
}

KP_READER(kp_read_where)
{
    struct kp_where *where = into;
    size_t i = 0;

    (void)key;
    if (node->kind == KP_NODE_MAP) {
        if (node->count)            /* {}: every event */
            read_all_of(ld, node, where);
        return;
    }
    if (node->kind == KP_NODE_SCALAR) {
        kp_complain(ld, node->loc, "must be a map, like {type: call}, or a list of maps, any of which may hold");
        return;
    }
    if (!kp_want_some(ld, node, KP_NODE_LIST, ALTERNATIVES_MAX))
        return;
    for (const struct kp_node *item = node->first; item; item = item->next) {
        size_t back = kp_path_index(ld, i++);

        if (kp_want_some(ld, item, KP_NODE_MAP, 1024))
            read_all_of(ld, item, where);
        kp_path_back(ld, back);
    }
}
