#include "yaml_tree.h"

#include <stdio.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { CHUNK = 64 * 1024 };

struct chunk {
    struct chunk *next;
    size_t used, size;
    max_align_t bytes[];
};

struct kp_tree {
    struct chunk *chunks;   /* owned; everything lives in them */
    struct kp_node *root;
    size_t nodes;
};

/* ---- memory ---- */

static void *arena_alloc(struct kp_tree *tree, size_t size)
{
    struct chunk *chunk = tree->chunks;

    size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (!chunk || chunk->size - chunk->used < size) {
        size_t room = size > CHUNK ? size : CHUNK;

        chunk = malloc(sizeof *chunk + room);
        if (!chunk)
            return NULL;
        chunk->next = tree->chunks;
        chunk->used = 0;
        chunk->size = room;
        tree->chunks = chunk;
    }
    chunk->used += size;
    return (char *)chunk->bytes + (chunk->used - size);
}

const char *kp_tree_text(struct kp_tree *tree, const char *bytes, size_t len)
{
    char *copy = arena_alloc(tree, len + 1);

    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

static struct kp_node *new_node(struct kp_tree *tree, enum kp_node_kind kind, struct kp_loc loc)
{
    struct kp_node *node = tree->nodes < KP_TREE_NODES_MAX ? arena_alloc(tree, sizeof *node) : NULL;

    if (!node)
        return NULL;
    memset(node, 0, sizeof *node);
    node->kind = kind;
    node->loc = loc;
    node->lead = -1;
    tree->nodes++;
    return node;
}

static void append(struct kp_node *parent, struct kp_node *node)
{
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    parent->count++;
}

struct kp_tree *kp_tree_new(void)
{
    struct kp_tree *tree = calloc(1, sizeof *tree);

    if (!tree)
        return NULL;
    tree->root = new_node(tree, KP_NODE_LIST, (struct kp_loc){0});
    if (!tree->root)
        kp_tree_destroy(&tree);
    return tree;
}

struct kp_node *kp_tree_add(struct kp_tree *tree, struct kp_node *parent, enum kp_node_kind kind, struct kp_loc loc)
{
    struct kp_node *node = new_node(tree, kind, loc);

    if (node)
        append(parent ? parent : tree->root, node);
    return node;
}

void kp_tree_destroy(struct kp_tree **tree)
{
    if (!*tree)
        return;
    for (struct chunk *chunk = (*tree)->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(*tree);
    *tree = NULL;
}

/* ---- looking at it ---- */

const struct kp_node *kp_tree_root(const struct kp_tree *tree)
{
    return tree->root;
}

const struct kp_node *kp_node_get(const struct kp_node *node, const char *key)
{
    if (node->kind != KP_NODE_MAP)
        return NULL;
    for (const struct kp_node *entry = node->first; entry; entry = entry->next) {
        if (strcmp(entry->key, key) == 0)
            return entry;
    }
    return NULL;
}

/* Characters of UTF-8 text. */
static int count_chars(const char *text, size_t len)
{
    int chars = 0;

    for (size_t i = 0; i < len; i++)
        chars += ((unsigned char)text[i] & 0xC0) != 0x80;
    return chars;
}

struct kp_loc kp_node_loc_at(const struct kp_node *node, size_t at)
{
    struct kp_loc loc = node->loc;

    if (node->lead >= 0)
        loc.col += node->lead + count_chars(node->text, at < node->len ? at : node->len);
    return loc;
}

struct builder {
    struct kp_tree *tree;
    struct kp_faults *faults;
    struct kp_node *open[KP_TREE_DEPTH_MAX];    /* the lists and maps we are in, innermost last */
    size_t depth;
    const char *key;                            /* of the entry whose value comes next; NULL: a key comes next */
    struct kp_loc key_loc;
    int documents;
};

/* ---- keys given twice ---- */

/* The key is known twice in a map that has just ended; what is still open around it makes the path. */
static void twice(struct builder *b, const struct kp_node *map, const struct kp_node *again,
                  const struct kp_node *first)
{
    char path[512] = "";
    size_t len = 0;

    for (size_t i = 0; i <= b->depth && len < sizeof path; i++) {
        const struct kp_node *node = i < b->depth ? b->open[i] : map;

        if (node->key)
            len += (size_t)snprintf(path + len, sizeof path - len, "%s%s", len ? "." : "", node->key);
        else if (i)
            len += (size_t)snprintf(path + len, sizeof path - len, "[%zu]", b->open[i - 1]->count - 1);
    }
    if (len < sizeof path)
        snprintf(path + len, sizeof path - len, "%s%s", len ? "." : "", again->key);
    kp_fault(b->faults, again->key_loc, path, "the key is given twice (first in line %d)", first->key_loc.line);
}

static int by_key(const void *a, const void *b)
{
    const struct kp_node *x = *(struct kp_node *const *)a, *y = *(struct kp_node *const *)b;
    int order = strcmp(x->key, y->key);

    if (order == 0)
        order = (x->key_loc.line > y->key_loc.line) - (x->key_loc.line < y->key_loc.line);
    return order ? order : (x->key_loc.col > y->key_loc.col) - (x->key_loc.col < y->key_loc.col);
}

static bool check_keys(struct builder *b, const struct kp_node *map)
{
    const struct kp_node **sorted;
    size_t n = 0, first = 0;

    if (map->count < 2)
        return true;
    sorted = malloc(map->count * sizeof(*sorted));
    if (!sorted)
        return false;
    for (const struct kp_node *entry = map->first; entry; entry = entry->next)
        sorted[n++] = entry;
    qsort(sorted, n, sizeof(*sorted), by_key);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(sorted[i]->key, sorted[first]->key) == 0)
            twice(b, map, sorted[i], sorted[first]);
        else
            first = i;
    }
    free(sorted);
    return true;
}

/* ---- parsing ---- */

static struct kp_loc loc_of(yaml_mark_t mark)
{
    return (struct kp_loc){.line = (int)mark.line + 1, .col = (int)mark.column + 1};
}

static bool refuse(struct builder *b, yaml_mark_t mark, const char *what)
{
    kp_fault(b->faults, loc_of(mark), "", "%s", what);
    return false;
}

static bool out_of_memory(struct builder *b)
{
    kp_fault(b->faults, (struct kp_loc){0}, "", "out of memory, or over %u values", KP_TREE_NODES_MAX);
    return false;
}

/* Put a node where the parser is: into the list, under the pending key, or at the root. */
static bool place(struct builder *b, struct kp_node *node)
{
    struct kp_node *parent = b->depth ? b->open[b->depth - 1] : NULL;

    if (!node)
        return out_of_memory(b);
    if (!parent) {
        b->tree->root = node;
        return true;
    }
    if (parent->kind == KP_NODE_MAP) {
        node->key = b->key;
        node->key_loc = b->key_loc;
        b->key = NULL;
    }
    append(parent, node);
    return true;
}

static bool wants_key(const struct builder *b)
{
    /* NOLINTNEXTLINE: what is open is no NULL */
    return b->depth && b->open[b->depth - 1]->kind == KP_NODE_MAP && !b->key;
}

static bool take_key(struct builder *b, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;

    if (memchr(text, 0, len))
        return refuse(b, event->start_mark, "a key holds a NUL character");
    if (!len)
        return refuse(b, event->start_mark, "a key is empty");
    b->key = kp_tree_text(b->tree, text, len);
    b->key_loc = loc_of(event->start_mark);
    return b->key ? true : out_of_memory(b);
}

/* How far the content lies behind the scalar's start, when the file shows it as it is: plain, or quoted without
 * escapes. Then a fault within it has an exact column. */
static int lead_of(const yaml_event_t *event)
{
    int width = (int)event->end_mark.column - (int)event->start_mark.column;
    int chars = count_chars((const char *)event->data.scalar.value, event->data.scalar.length);
    yaml_scalar_style_t style = event->data.scalar.style;

    if (event->end_mark.line != event->start_mark.line)
        return -1;
    if (style == YAML_PLAIN_SCALAR_STYLE && width == chars)
        return 0;
    if ((style == YAML_SINGLE_QUOTED_SCALAR_STYLE || style == YAML_DOUBLE_QUOTED_SCALAR_STYLE) && width == chars + 2)
        return 1;
    return -1;
}

static bool take_scalar(struct builder *b, const yaml_event_t *event)
{
    struct kp_node *node;

    if (event->data.scalar.anchor)
        return refuse(b, event->start_mark, "anchors (&name) are not taken; write the value out");
    if (event->data.scalar.tag)
        return refuse(b, event->start_mark, "tags (!name) are not taken; quote what shall be a string");
    if (wants_key(b))
        return take_key(b, event);
    node = new_node(b->tree, KP_NODE_SCALAR, loc_of(event->start_mark));
    if (node) {
        node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        node->lead = lead_of(event);
        node->len = event->data.scalar.length;
        node->text = kp_tree_text(b->tree, (const char *)event->data.scalar.value, node->len);
        if (!node->text)
            node = NULL;
    }
    return place(b, node);
}

static bool take_start(struct builder *b, const yaml_event_t *event)
{
    bool map = event->type == YAML_MAPPING_START_EVENT;
    struct kp_node *node;

    if (map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor)
        return refuse(b, event->start_mark, "anchors (&name) are not taken; write the value out");
    if (map ? event->data.mapping_start.tag : event->data.sequence_start.tag)
        return refuse(b, event->start_mark, "tags (!name) are not taken");
    if (wants_key(b))
        return refuse(b, event->start_mark, "a key must be a word, not a list or a map");
    if (b->depth == KP_TREE_DEPTH_MAX)
        return refuse(b, event->start_mark, "nested too deeply");
    node = new_node(b->tree, map ? KP_NODE_MAP : KP_NODE_LIST, loc_of(event->start_mark));
    if (!place(b, node))
        return false;
    b->open[b->depth++] = node;
    return true;
}

static bool take_end(struct builder *b)
{
    const struct kp_node *node = b->open[--b->depth];

    assert(node);       /* libyaml ends only what it has begun */
    if (node->kind == KP_NODE_MAP && !check_keys(b, node))
        return out_of_memory(b);
    return true;
}

static bool take_event(struct builder *b, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (b->documents++)
            return refuse(b, event->start_mark, "a second document begins; one file holds one");
        return true;
    case YAML_ALIAS_EVENT:
        return refuse(b, event->start_mark, "aliases (*name) are not taken; write the value out");
    case YAML_SCALAR_EVENT:
        return take_scalar(b, event);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return take_start(b, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return take_end(b);
    default:
        return true;
    }
}

/* The reader's errors (no UTF-8, control characters) come with a byte offset alone. */
static struct kp_loc loc_of_offset(const char *bytes, size_t len, size_t offset)
{
    struct kp_loc loc = {.line = 1};
    const char *line = bytes;

    if (offset > len)
        offset = len;
    for (size_t i = 0; i < offset; i++) {
        if (bytes[i] == '\n') {
            loc.line++;
            line = bytes + i + 1;
        }
    }
    loc.col = 1 + count_chars(line, (size_t)(bytes + offset - line));
    return loc;
}

static void syntax_fault(struct builder *b, const yaml_parser_t *parser, const char *bytes, size_t len)
{
    const char *problem = parser->problem ? parser->problem : "not understood";

    if (parser->error == YAML_MEMORY_ERROR)
        kp_fault(b->faults, (struct kp_loc){0}, "", "out of memory");
    else if (parser->error == YAML_READER_ERROR)
        kp_fault(b->faults, loc_of_offset(bytes, len, parser->problem_offset), "", "no UTF-8 text: %s", problem);
    else if (parser->context)
        kp_fault(b->faults, loc_of(parser->problem_mark), "", "YAML: %s (%s that began in line %d)", problem,
                 parser->context, (int)parser->context_mark.line + 1);
    else
        kp_fault(b->faults, loc_of(parser->problem_mark), "", "YAML: %s", problem);
}

static bool parse(struct builder *b, yaml_parser_t *parser, const char *bytes, size_t len)
{
    bool good = true, end = false;

    while (good && !end) {
        yaml_event_t event;

        if (!yaml_parser_parse(parser, &event)) {
            syntax_fault(b, parser, bytes, len);
            return false;
        }
        good = take_event(b, &event);
        end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    return good;
}

struct kp_tree *kp_tree_parse(const char *bytes, size_t len, struct kp_faults *faults)
{
    struct builder b = {.faults = faults};
    yaml_parser_t parser;
    bool good;

    if (len > KP_TREE_BYTES_MAX) {
        kp_fault(faults, (struct kp_loc){0}, "", "larger than %u MiB", KP_TREE_BYTES_MAX >> 20);
        return NULL;
    }
    b.tree = calloc(1, sizeof *b.tree);
    if (!b.tree || !yaml_parser_initialize(&parser)) {
        free(b.tree);
        kp_fault(faults, (struct kp_loc){0}, "", "out of memory");
        return NULL;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, len);
    good = parse(&b, &parser, bytes, len);
    yaml_parser_delete(&parser);
    if (good && !b.tree->root) {
        kp_fault(faults, (struct kp_loc){.line = 1, .col = 1}, "", "the file is empty");
        good = false;
    }
    if (!good)
        kp_tree_destroy(&b.tree);
    return b.tree;
}
