#include "csv.h"

#include <stdlib.h>
#include <string.h>

enum {
    COLUMNS_MAX = 64,
    FIELD_MAX = 4096,
};

struct reader {
    struct kp_tree *tree;
    struct kp_faults *faults;
    const char *p, *end;
    struct kp_loc loc;              /* of p; file is borrowed from the caller */
    char field[FIELD_MAX];          /* the last field read, unquoted */
    size_t len;
    bool failed;                    /* no sense in reading on */
    const char *columns[COLUMNS_MAX];
    struct kp_loc column_locs[COLUMNS_MAX];
    size_t ncolumns;
};

static void complain(struct reader *rd, struct kp_loc loc, const char *text)
{
    kp_fault(rd->faults, loc, "", "%s", text);
}

static void fail(struct reader *rd, struct kp_loc loc, const char *text)
{
    complain(rd, loc, text);
    rd->failed = true;
}

static bool at_line_end(const struct reader *rd)
{
    return rd->p == rd->end || *rd->p == '\n' || (*rd->p == '\r' && (rd->p + 1 == rd->end || rd->p[1] == '\n'));
}

static void step(struct reader *rd)
{
    unsigned char c = (unsigned char)*rd->p++;

    if (c == '\n') {
        rd->loc.line++;
        rd->loc.col = 1;
    } else if ((c & 0xC0) != 0x80) {
        rd->loc.col++;
    }
}

static void end_line(struct reader *rd)
{
    if (rd->p < rd->end && *rd->p == '\r')
        step(rd);
    if (rd->p < rd->end)
        step(rd);
}

static void put(struct reader *rd)
{
    if (rd->len == FIELD_MAX)
        fail(rd, rd->loc, "a field is longer than 4096 bytes");
    else if (*rd->p == '\0')
        fail(rd, rd->loc, "a field holds a NUL character");
    else
        rd->field[rd->len++] = *rd->p;
    step(rd);
}

static void read_quoted(struct reader *rd)
{
    struct kp_loc opened = rd->loc;

    step(rd);
    while (!rd->failed) {
        if (rd->p == rd->end) {
            fail(rd, opened, "the quotation mark is never closed");
        } else if (*rd->p != '"') {
            put(rd);
        } else {
            step(rd);
            if (rd->p == rd->end || *rd->p != '"')
                break;
            put(rd);        /* "" within quotes is one */
        }
    }
    while (rd->p < rd->end && (*rd->p == ' ' || *rd->p == '\t'))
        step(rd);
    if (!rd->failed && !at_line_end(rd) && *rd->p != ',')
        fail(rd, rd->loc, "text behind a closing quotation mark");
}

static void read_bare(struct reader *rd)
{
    while (!rd->failed && !at_line_end(rd) && *rd->p != ',') {
        if (*rd->p == '"')
            fail(rd, rd->loc, "a quotation mark within a field that does not begin with one");
        else
            put(rd);
    }
    while (rd->len && (rd->field[rd->len - 1] == ' ' || rd->field[rd->len - 1] == '\t'))
        rd->len--;
}

/* One field up to its comma or the line's end; where it began. */
static struct kp_loc read_field(struct reader *rd)
{
    struct kp_loc began;

    rd->len = 0;
    while (rd->p < rd->end && (*rd->p == ' ' || *rd->p == '\t'))
        step(rd);
    began = rd->loc;
    if (rd->p < rd->end && *rd->p == '"')
        read_quoted(rd);
    else
        read_bare(rd);
    return began;
}

/* Go over the comma, if there is one. */
static bool next_field(struct reader *rd)
{
    if (rd->failed || rd->p == rd->end || *rd->p != ',')
        return false;
    step(rd);
    return true;
}

static const char *keep(struct reader *rd, const char *bytes, size_t len)
{
    const char *text = kp_tree_text(rd->tree, bytes, len);

    if (!text)
        fail(rd, (struct kp_loc){.file = rd->loc.file}, "out of memory");
    return text;
}

static void read_header(struct reader *rd)
{
    do {
        struct kp_loc began = read_field(rd);

        if (rd->failed)
            return;
        if (rd->len == 0) {
            fail(rd, began, "a column has no name");
        } else if (rd->ncolumns == COLUMNS_MAX) {
            fail(rd, began, "more than 64 columns");
        } else {
            rd->column_locs[rd->ncolumns] = began;
            rd->columns[rd->ncolumns++] = keep(rd, rd->field, rd->len);
        }
        for (size_t i = 0; !rd->failed && i + 1 < rd->ncolumns; i++) {
            if (strcmp(rd->columns[i], rd->columns[rd->ncolumns - 1]) == 0)
                fail(rd, began, "the column is given twice");
        }
    } while (next_field(rd));
    end_line(rd);
}

/* The aliases of one field: separated by semicolons or blanks. */
static void add_aliases(struct reader *rd, struct kp_node *list)
{
    size_t i = 0;

    while (!rd->failed && i < rd->len) {
        size_t from;
        struct kp_node *item;

        while (i < rd->len && strchr("; \t\r\n", rd->field[i]))
            i++;
        from = i;
        while (i < rd->len && !strchr("; \t\r\n", rd->field[i]))
            i++;
        if (from == i)
            return;
        item = kp_tree_add(rd->tree, list, KP_NODE_SCALAR, list->loc);
        if (item)
            item->text = keep(rd, rd->field + from, item->len = i - from);
        else
            fail(rd, (struct kp_loc){.file = rd->loc.file}, "out of memory");
    }
}

static void add_entry(struct reader *rd, struct kp_node *row, size_t column, struct kp_loc began)
{
    bool list = strcmp(rd->columns[column], "aliases") == 0;
    struct kp_node *entry;

    if (rd->len == 0)
        return;
    entry = kp_tree_add(rd->tree, row, list ? KP_NODE_LIST : KP_NODE_SCALAR, began);
    if (!entry) {
        fail(rd, (struct kp_loc){.file = rd->loc.file}, "out of memory, or too many fields");
        return;
    }
    entry->key = rd->columns[column];
    entry->key_loc = rd->column_locs[column];
    if (list)
        add_aliases(rd, entry);
    else
        entry->text = keep(rd, rd->field, entry->len = rd->len);
}

static void read_row(struct reader *rd)
{
    struct kp_loc began = rd->loc, at;
    struct kp_node *row = kp_tree_add(rd->tree, NULL, KP_NODE_MAP, began);
    size_t column = 0;

    if (!row) {
        fail(rd, (struct kp_loc){.file = rd->loc.file}, "out of memory, or too many rows");
        return;
    }
    do {
        at = read_field(rd);
        if (!rd->failed && column < rd->ncolumns)
            add_entry(rd, row, column, at);
        column++;
    } while (next_field(rd));
    if (!rd->failed && column != rd->ncolumns)
        kp_fault(rd->faults, began, "", "the row has %zu fields, the header %zu", column, rd->ncolumns);
    end_line(rd);
}

static void check_utf8(struct reader *rd)
{
    struct reader scan = *rd;
    size_t len;

    while (scan.p < scan.end) {
        len = kp_utf8_char(scan.p, (size_t)(scan.end - scan.p));
        if (len == 0) {
            fail(rd, scan.loc, "no UTF-8 text");
            return;
        }
        while (len--)
            step(&scan);
    }
}

struct kp_tree *kp_csv_parse(const char *file, const char *bytes, size_t len, struct kp_faults *faults)
{
    struct reader rd = {.tree = kp_tree_new(), .faults = faults, .p = bytes, .end = bytes + len,
                        .loc = {.line = 1, .col = 1, .file = file}};

    if (!rd.tree) {
        fail(&rd, (struct kp_loc){.file = file}, "out of memory");
        return NULL;
    }
    if (len >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0)
        rd.p += 3;
    check_utf8(&rd);
    if (!rd.failed && rd.p == rd.end)
        fail(&rd, rd.loc, "the file is empty; its first line must name the columns");
    if (!rd.failed)
        read_header(&rd);
    while (!rd.failed && rd.p < rd.end) {
        if (at_line_end(&rd))
            end_line(&rd);
        else
            read_row(&rd);
    }
    if (rd.failed)
        kp_tree_destroy(&rd.tree);
    return rd.tree;
}
