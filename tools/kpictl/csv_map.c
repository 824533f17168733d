#include "csv_map.h"

#include "faults.h"
#include "yaml_tree.h"

#include "kpid/out.h"
#include "kpid/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 8192, COLUMNS_MAX = 256 };

/* A record taken apart. */
struct record {
    char *bytes;                    /* owned; what the fields lie in, each with a NUL behind it */
    size_t room, nfields;
    struct kp_str fields[COLUMNS_MAX];
};

struct csv_map {
    struct kp_tree *map;            /* owned */
    struct kp_out *out;             /* owned */
    struct record header, row;
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

static struct kp_tree *parse(const char *name, struct kp_fault_list *faults)
{
    size_t len;
    char *bytes = read_all(name, &len);
    struct kp_tree *tree;

    if (!bytes)
        return NULL;
    tree = kp_tree_parse(bytes, len, &faults->faults);
    free(bytes);
    if (tree && kp_tree_root(tree)->kind != KP_NODE_MAP)
        kp_fault(&faults->faults, kp_tree_root(tree)->loc, "", "is a map of an event's fields");
    for (const struct kp_node *node = tree ? kp_tree_root(tree)->first : NULL; node; node = node->next)
        check_field(node, &faults->faults);
    if (faults->faults.count)
        kp_tree_destroy(&tree);
    return tree;
}

struct csv_map *csv_map_open(const char *map)
{
    struct csv_map *m = calloc(1, sizeof *m);
    struct kp_fault_list faults;

    if (!m)
        return NULL;
    kp_fault_list_init(&faults, map);
    m->out = kp_out_new(true, NULL);
    m->map = parse(map, &faults);
    kp_fault_list_print(&faults, stderr);
    kp_fault_list_release(&faults);
    if (!m->map || !m->out)
        csv_map_close(&m);
    return m;
}

void csv_map_close(struct csv_map **csv)
{
    if (!*csv)
        return;
    kp_tree_destroy(&(*csv)->map);
    kp_out_destroy(&(*csv)->out);
    free((*csv)->header.bytes);
    free((*csv)->row.bytes);
    free(*csv);
    *csv = NULL;
}

/* ---- Records ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

enum csv_extent csv_map_record(const char *bytes, size_t len, size_t *end)
{
    enum { FRESH, BARE, QUOTED, CLOSED } state = FRESH;     /* FRESH: of the field, nothing or blanks */

    for (*end = 0; *end < len && (state == QUOTED || bytes[*end] != '\n'); ++*end) {
        char c = bytes[*end];

        if (state == QUOTED)
            state = c == '"' ? CLOSED : QUOTED;
        else if (c == ',')
            state = FRESH;
        else if (c == '"' && state != BARE)     /* "" within quotes closes and opens */
            state = QUOTED;
        else if (state == CLOSED && !is_space(c) && c != '\r')
            return CSV_TORN;
        else if (state == FRESH && !is_space(c))
            state = BARE;
    }
    return *end < len ? CSV_WHOLE : state == QUOTED ? CSV_OPEN : CSV_MORE;
}

static bool is_utf8(const char *bytes, size_t len)
{
    static const uint32_t least[4] = {0, 0x80, 0x800, 0x10000};

    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)bytes[i++];
        uint32_t more = c < 0x80 ? 0 : c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3, code = more ? c & (0x3Fu >> more) : c;

        if ((c >= 0x80 && c < 0xC2) || c > 0xF4 || len - i < more)
            return false;
        for (uint32_t k = 0; k < more; k++, i++) {
            if (((unsigned char)bytes[i] & 0xC0) != 0x80)
                return false;
            code = code << 6 | ((unsigned char)bytes[i] & 0x3F);
        }
        if (code < least[more] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
            return false;
    }
    return true;
}

/* Copy one field without its quotes; what follows it (a comma, or end). NULL with the reason in *err. */
static const char *read_field(const char *p, const char *end, char *to, size_t *len, struct kp_err *err)
{
    size_t n = 0;

    while (p < end && is_space(*p))
        p++;
    if (p == end || *p != '"') {
        for (; p < end && *p != ','; p++) {
            if (*p == '"') {
                kp_fail(err, KP_EINVAL, "a quotation mark within a field that does not begin with one");
                return NULL;
            }
            to[n++] = *p;
        }
        while (n && is_space(to[n - 1]))
            n--;
        *len = n;
        return p;
    }
    for (p++; p < end && (*p != '"' || (p + 1 < end && p[1] == '"')); p++) {
        p += *p == '"';
        to[n++] = *p;
    }
    if (p == end) {
        kp_fail(err, KP_EINVAL, "the quotation mark is never closed");
        return NULL;
    }
    for (p++; p < end && is_space(*p); p++)
        ;
    if (p < end && *p != ',') {
        kp_fail(err, KP_EINVAL, "text behind a closing quotation mark");
        return NULL;
    }
    *len = n;
    return p;
}

static enum kp_code read_record(struct record *record, const char *bytes, size_t len, struct kp_err *err)
{
    const char *p = bytes, *end = bytes + len;
    char *to;

    if (len && end[-1] == '\r')
        end--;
    if (!is_utf8(bytes, len) || memchr(bytes, '\0', len))
        return kp_fail(err, KP_EINVAL, "no UTF-8 text");
    if (record->room < len + COLUMNS_MAX) {
        char *grown = realloc(record->bytes, len * 2 + COLUMNS_MAX);

        if (!grown)
            return kp_fail(err, KP_ENOMEM, "out of memory");
        record->bytes = grown;
        record->room = len * 2 + COLUMNS_MAX;
    }
    to = record->bytes;
    record->nfields = 0;
    for (;;) {
        size_t n;

        if (record->nfields == COLUMNS_MAX)
            return kp_fail(err, KP_EINVAL, "more than %d fields", COLUMNS_MAX);
        p = read_field(p, end, to, &n, err);
        if (!p)
            return KP_EINVAL;
        if (n >= TEXT_MAX)
            return kp_fail(err, KP_EINVAL, "a field is longer than %d bytes", TEXT_MAX);
        to[n] = '\0';
        record->fields[record->nfields++] = (struct kp_str){to, (uint32_t)n};
        to += n + 1;
        if (p == end)
            return KP_OK;
        p++;
    }
}

enum kp_code csv_map_header(struct csv_map *csv, const char *bytes, size_t len, struct kp_err *err)
{
    bool marked = len >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0;
    struct record *header = &csv->header;
    enum kp_code code = read_record(header, bytes + (marked ? 3 : 0), len - (marked ? 3 : 0), err);

    for (size_t i = 0; !code && i < header->nfields; i++) {
        if (header->fields[i].len == 0)
            return kp_fail(err, KP_EINVAL, "a column has no name");
        for (size_t k = 0; k < i; k++)
            if (strcmp(header->fields[i].s, header->fields[k].s) == 0)
                return kp_fail(err, KP_EINVAL, "the column \"%.100s\" is given twice", header->fields[i].s);
    }
    return code;
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

/* NULL: no such column. */
static const struct kp_str *column_of(const struct csv_map *csv, const char *name, size_t len)
{
    for (size_t i = 0; i < csv->header.nfields; i++)
        if (csv->header.fields[i].len == len && memcmp(csv->header.fields[i].s, name, len) == 0)
            return &csv->row.fields[i];
    return NULL;
}

/* Put the columns in for their names in braces. False: a column is empty or not there. */
static bool fill_in(const char *template, const struct csv_map *csv, char *buf)
{
    size_t at = 0;

    buf[0] = '\0';
    while (*template) {
        size_t plain = strcspn(template, "{");
        const char *end;
        const struct kp_str *column;

        at = append(buf, at, template, plain);
        template += plain;
        end = *template ? strchr(template, '}') : NULL;
        if (!end)
            return append(buf, at, template, strlen(template)) > 0;
        column = column_of(csv, template + 1, (size_t)(end - template) - 1);
        if (!column || column->len == 0)
            return false;
        at = append(buf, at, column->s, column->len);
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

enum kp_code csv_map_row(struct csv_map *csv, const char *bytes, size_t len, const char **event, size_t *event_len,
                         struct kp_err *err)
{
    enum kp_code code = read_record(&csv->row, bytes, len, err);
    char text[TEXT_MAX];

    if (code)
        return code;
    if (csv->row.nfields != csv->header.nfields)
        return kp_fail(err, KP_EINVAL, "the row has %zu fields, the header %zu", csv->row.nfields, csv->header.nfields);
    kp_out_clear(csv->out);
    kp_out_map(csv->out, 0);    /* JSON is closed by its end, so the number of fields need not be known */
    for (const struct kp_node *field = kp_tree_root(csv->map)->first; field; field = field->next) {
        const struct kp_node *of = field->kind == KP_NODE_MAP ? kp_node_get(field, "of") : field;

        if (!fill_in(of->text, csv, text))
            continue;
        translate(kp_node_get(field, "map"), text);
        kp_out_text(csv->out, field->key);
        put_value(csv->out, text, kp_node_get(field, "as"));
    }
    kp_out_end(csv->out);
    *event = kp_out_bytes(csv->out, event_len);
    return *event ? KP_OK : kp_fail(err, KP_ENOMEM, "out of memory");
}
