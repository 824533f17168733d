#include "csv_map.h"

#include "csv.h"
#include "faults.h"

#include "kpid/out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 8192 };

struct csv_map {
    char *csv_name;                 /* owned: the tree's places name it */
    struct kp_tree *rows, *map;     /* owned */
    const struct kp_node *next;
    struct kp_out *out;             /* owned */
};

/* ---- Opening ---- */

static char *read_all(const char *name, size_t *len)
{
    FILE *file = fopen(name, "re");
    char *bytes = NULL;
    size_t room = 0, n;

    *len = 0;
    while (file) {
        if (room - *len < 65536) {
            char *grown = room > KP_TREE_BYTES_MAX ? NULL : realloc(bytes, room = room ? room * 2 : 131072);

            if (!grown)
                break;
            bytes = grown;
        }
        n = fread(bytes + *len, 1, room - *len, file);
        *len += n;
        if (n == 0) {
            fclose(file);
            return bytes;
        }
    }
    fprintf(stderr, "%s: cannot be read, or is larger than %u bytes\n", name, KP_TREE_BYTES_MAX);
    if (file)
        fclose(file);
    free(bytes);
    return NULL;
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(*words, text) == 0)
            return true;
    return false;
}

/* What a field is made of: a text, or a map with `of`. */
static bool check_field(const struct kp_node *node, struct kp_faults *faults)
{
    static const char *const keys[] = {"of", "as", "map", NULL}, *const kinds[] = {"text", "number", "clock", NULL};
    const struct kp_node *of = kp_node_get(node, "of"), *as = kp_node_get(node, "as");

    if (node->kind == KP_NODE_SCALAR)
        return true;
    if (node->kind != KP_NODE_MAP || !of || of->kind != KP_NODE_SCALAR) {
        kp_fault(faults, node->loc, node->key, "is a text like \"{Column}\", or a map with \"of\"");
        return false;
    }
    for (const struct kp_node *entry = node->first; entry; entry = entry->next)
        if (!is_one_of(entry->key, keys))
            kp_fault(faults, entry->key_loc, node->key, "knows \"of\", \"as\" and \"map\", not \"%s\"", entry->key);
    if (as && (as->kind != KP_NODE_SCALAR || !is_one_of(as->text, kinds)))
        kp_fault(faults, as->loc, node->key, "\"as\" is text, number or clock");
    return true;
}

static struct kp_tree *parse(const char *name, bool is_csv, struct kp_fault_list *faults)
{
    size_t len;
    char *bytes = read_all(name, &len);
    struct kp_tree *tree;

    if (!bytes)
        return NULL;
    tree = is_csv ? kp_csv_parse(name, bytes, len, &faults->faults) : kp_tree_parse(bytes, len, &faults->faults);
    free(bytes);
    if (tree && !is_csv && kp_tree_root(tree)->kind != KP_NODE_MAP)
        kp_fault(&faults->faults, kp_tree_root(tree)->loc, "", "is a map of an event's fields");
    for (const struct kp_node *node = tree && !is_csv ? kp_tree_root(tree)->first : NULL; node; node = node->next)
        check_field(node, &faults->faults);
    if (faults->faults.count)
        kp_tree_destroy(&tree);
    return tree;
}

static struct kp_tree *load(const char *name, bool is_csv)
{
    struct kp_fault_list faults;
    struct kp_tree *tree;

    kp_fault_list_init(&faults, name);
    tree = parse(name, is_csv, &faults);
    kp_fault_list_print(&faults, stderr);
    kp_fault_list_release(&faults);
    return tree;
}

struct csv_map *csv_map_open(const char *csv, const char *map)
{
    struct csv_map *m = calloc(1, sizeof *m);

    if (!m)
        return NULL;
    m->csv_name = strdup(csv);
    m->out = kp_out_new(true, NULL);
    m->map = load(map, false);
    m->rows = m->map && m->csv_name ? load(m->csv_name, true) : NULL;
    if (!m->rows || !m->out) {
        csv_map_close(&m);
        return NULL;
    }
    m->next = kp_tree_root(m->rows)->first;
    return m;
}

void csv_map_close(struct csv_map **csv)
{
    if (!*csv)
        return;
    kp_tree_destroy(&(*csv)->rows);
    kp_tree_destroy(&(*csv)->map);
    kp_out_destroy(&(*csv)->out);
    free((*csv)->csv_name);
    free(*csv);
    *csv = NULL;
}

/* ---- Rows ---- */

static size_t append(char *buf, size_t at, const char *text, size_t len)
{
    if (len > TEXT_MAX - 1 - at)
        len = TEXT_MAX - 1 - at;
    memcpy(buf + at, text, len);
    buf[at + len] = '\0';
    return at + len;
}

/* Put the columns in for their names in braces. False: a column is empty or not there. */
static bool fill_in(const char *template, const struct kp_node *row, char *buf)
{
    size_t at = 0;

    buf[0] = '\0';
    while (*template) {
        size_t plain = strcspn(template, "{");
        const char *end;
        const struct kp_node *column = NULL;

        at = append(buf, at, template, plain);
        template += plain;
        end = *template ? strchr(template, '}') : NULL;
        if (!end)
            return append(buf, at, template, strlen(template)) > 0;
        for (column = row->first; column; column = column->next)
            if (strlen(column->key) == (size_t)(end - template) - 1 &&
                memcmp(column->key, template + 1, strlen(column->key)) == 0)
                break;
        if (!column || column->len == 0)
            return false;
        at = append(buf, at, column->text, column->len);
        template = end + 1;
    }
    return at > 0;
}

/* "1:02:03", "02:03" or "3.5" -> seconds; false: none of these. */
static bool clock_seconds(const char *text, double *seconds)
{
    char *end;

    *seconds = 0;
    for (;;) {
        double part = strtod(text, &end);

        if (end == text || part < 0)
            return false;
        *seconds = *seconds * 60 + part;
        if (*end == '\0')
            return true;
        if (*end != ':')
            return false;
        text = end + 1;
    }
}

/* Replace the text by what `map` says of it; what it does not know stays. */
static void translate(const struct kp_node *map, char *text)
{
    const struct kp_node *to = map ? kp_node_get(map, text) : NULL;

    if (to && to->kind == KP_NODE_SCALAR && to->len < TEXT_MAX)
        memcpy(text, to->text, to->len + 1);
}

static void put_value(struct kp_out *out, const char *text, const struct kp_node *as)
{
    double v;
    char *end;

    if (as && strcmp(as->text, "clock") == 0 && clock_seconds(text, &v)) {
        kp_out_real(out, v);
        return;
    }
    if (as && strcmp(as->text, "number") == 0) {
        v = strtod(text, &end);
        if (end != text && *end == '\0') {
            kp_out_real(out, v);
            return;
        }
    }
    kp_out_text(out, text);
}

bool csv_map_next(struct csv_map *csv, const char **bytes, size_t *len)
{
    const struct kp_node *row = csv->next;
    char text[TEXT_MAX];

    if (!row)
        return false;
    csv->next = row->next;
    kp_out_clear(csv->out);
    kp_out_map(csv->out, 0);    /* JSON is closed by its end, so the number of fields need not be known */
    for (const struct kp_node *field = kp_tree_root(csv->map)->first; field; field = field->next) {
        const struct kp_node *of = field->kind == KP_NODE_MAP ? kp_node_get(field, "of") : field;

        if (!fill_in(of->text, row, text))
            continue;
        translate(kp_node_get(field, "map"), text);
        kp_out_text(csv->out, field->key);
        put_value(csv->out, text, kp_node_get(field, "as"));
    }
    kp_out_end(csv->out);
    *bytes = kp_out_bytes(csv->out, len);
    return *bytes != NULL;
}
