/* What was expected and what was found, side by side. */
#include "rules.h"

#include "object.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT = 160, NONE = -1 };

/* ---- As text ---- */

/* Append, cut where there is no more room. */
static void append(char buf[TEXT], const char *fmt, ...) KP_PRINTF(2, 3);

static void append(char buf[TEXT], const char *fmt, ...)
{
    size_t n = strlen(buf);
    va_list args;

    va_start(args, fmt);
    vsnprintf(buf + n, TEXT - n, fmt, args);
    va_end(args);
}

static void append_node(char buf[TEXT], const struct kp_node *node)
{
    if (node->kind == KP_NODE_SCALAR) {
        append(buf, node->len || node->plain ? "%s" : "\"\"%s", node->text);
        return;
    }
    append(buf, node->kind == KP_NODE_LIST ? "[" : "{");
    for (const struct kp_node *item = node->first; item; item = item->next) {
        if (item->key)
            append(buf, "%s: ", item->key);
        append_node(buf, item);
        append(buf, item->next ? ", " : "");
    }
    append(buf, node->kind == KP_NODE_LIST ? "]" : "}");
}

static void append_object(char buf[TEXT], const msgpack_object *object)
{
    double number;

    if (!object || object->type == MSGPACK_OBJECT_NIL)
        append(buf, "null");
    else if (object->type == MSGPACK_OBJECT_BOOLEAN)
        append(buf, object->via.boolean ? "true" : "false");
    else if (object->type == MSGPACK_OBJECT_STR)
        append(buf, object->via.str.size ? "%.*s" : "\"\"%.*s", (int)object->via.str.size, object->via.str.ptr);
    else if (object_number(object, &number))
        append(buf, "%.12g", number);
    else if (object->type == MSGPACK_OBJECT_ARRAY) {
        append(buf, "[");
        for (uint32_t i = 0; i < object->via.array.size; i++) {
            append(buf, i ? ", " : "");
            append_object(buf, &object->via.array.ptr[i]);
        }
        append(buf, "]");
    } else if (object->type == MSGPACK_OBJECT_MAP) {
        append(buf, "{");
        for (uint32_t i = 0; i < object->via.map.size; i++) {
            append(buf, i ? ", " : "");
            append_object(buf, &object->via.map.ptr[i].key);
            append(buf, ": ");
            append_object(buf, &object->via.map.ptr[i].val);
        }
        append(buf, "}");
    }
}

/* "  value: 12"; instants of alerts as they read on the wall. */
static void append_field(char buf[TEXT], struct rules_test *test, const char *key, const msgpack_object *value)
{
    bool is_time = strcmp(key, "since") == 0 || strcmp(key, "time") == 0 || strcmp(key, "at") == 0;
    char when[48];

    append(buf, "  %s: ", key);
    if (is_time && value && value->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        append(buf, "%s", when_text(&test->frame, (int64_t)value->via.u64, when));
    else
        append_object(buf, value);
}

/* What says which alert or number it is. */
static const char *const heads[] = {"rule", "kpi", "level", "key", "entity", "state", NULL};

static bool is_head(const char *key)
{
    for (size_t i = 0; heads[i]; i++)
        if (strcmp(heads[i], key) == 0)
            return true;
    return false;
}

static void append_want_head(char buf[TEXT], const struct kp_node *want)
{
    for (size_t i = 0; heads[i]; i++) {
        const struct kp_node *field = kp_node_get(want, heads[i]);

        if (field) {
            append(buf, *buf ? " " : "");
            append_node(buf, field);
        }
    }
    if (!*buf)
        append(buf, "an alert");
}

static void append_word(char buf[TEXT], const msgpack_object *value)
{
    if (!value || value->type == MSGPACK_OBJECT_NIL)
        return;
    append(buf, *buf ? " " : "");
    append_object(buf, value);
}

/* Of what was found, what the other side names. */
static void append_got_head(char buf[TEXT], const struct kp_node *want, const msgpack_object *got)
{
    for (size_t i = 0; heads[i]; i++)
        if (kp_node_get(want, heads[i]))
            append_word(buf, rules_field(got, heads[i]));
    if (!*buf)
        append(buf, "an alert");
}

/* ---- Side by side ---- */

struct row {
    char mark;
    char left[TEXT], right[TEXT];
};
struct rows {
    struct row *list;           /* owned */
    size_t count, room;
};

/* A fresh one; when memory is out, one that is never shown. */
static struct row *add_row(struct rows *rows, char mark)
{
    static struct row spare;
    struct row *row = &spare;

    if (rows->count == rows->room) {
        size_t room = rows->room ? rows->room * 2 : 16;
        struct row *grown = realloc(rows->list, room * sizeof *grown);

        if (grown) {
            rows->list = grown;
            rows->room = room;
        }
    }
    if (rows->count < rows->room)
        row = &rows->list[rows->count++];
    memset(row, 0, sizeof *row);
    row->mark = mark;
    return row;
}

/* Characters; what could trouble a terminal is replaced. */
static int clean(char *text)
{
    int n = 0;

    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            *text = '?';
        n += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return n;
}

static void print_row(struct row *row, int width)
{
    int n = clean(row->left), right = clean(row->right);

    if (right)
        printf("  %c %s%*s   %s\n", row->mark, row->left, n < width ? width - n : 0, "", row->right);
    else
        printf("  %c %s\n", row->mark, row->left);
}

static void print(const struct rules_check *check, struct rows *rows)
{
    struct row title = {.mark = ' ', .left = "expected", .right = "got"};
    const struct rules_test *test = check->test;
    int width = 20;
    char when[48];

    printf("%s:%d:%d: %s: %s", test->file->name, check->loc.line, check->loc.col, test->name, check->title);
    if (check->at_ms != INT64_MIN)
        printf(" at %s (%s)", when_text(&test->frame, check->at_ms, when), test->frame.zone_name);
    putchar('\n');
    for (size_t i = 0; i < rows->count; i++) {
        int n = clean(rows->list[i].left);

        if (n > width)
            width = n;
    }
    print_row(&title, width);
    for (size_t i = 0; i < rows->count; i++)
        print_row(&rows->list[i], width);
    free(rows->list);
}

/* The fields of an entry below its head: all of them, those that differ marked. */
static void add_fields(struct rows *rows, struct rules_test *test, const struct kp_node *want, const char *const *skip,
                       const msgpack_object *got)
{
    for (const struct kp_node *field = want->first; field; field = field->next) {
        const msgpack_object *value = got ? rules_alert_field(got, field->key) : NULL;
        bool skipped = false, same = got && rules_agrees(test, field, value);
        struct row *row;

        for (size_t i = 0; skip && skip[i]; i++)
            skipped |= strcmp(skip[i], field->key) == 0;
        if (skipped || (is_head(field->key) && (same || !got)))
            continue;
        row = add_row(rows, !got ? '-' : same ? ' ' : '!');
        append(row->left, "  %s: ", field->key);
        append_node(row->left, field);
        if (got)
            append_field(row->right, test, field->key, value);
    }
}

static void add_pair(struct rows *rows, const struct rules_check *check, const struct kp_node *want,
                     const msgpack_object *got)
{
    bool same = rules_agrees_all(check->test, want, got);
    struct row *row = add_row(rows, same ? ' ' : '!');
    const struct kp_node *at = kp_node_get(want, "at");

    append_want_head(row->left, want);
    append_got_head(row->right, want, got);
    if (at && same)
        append(row->left, " at %s", at->text);
    if (!same)
        add_fields(rows, check->test, want, NULL, got);
}

static void add_missing(struct rows *rows, const struct rules_check *check, const struct kp_node *want)
{
    struct row *row = add_row(rows, '-');

    append_want_head(row->left, want);
    append(row->right, "(nothing)");
    add_fields(rows, check->test, want, NULL, NULL);
}

/* "behind_on_calls ana: firing, critical, value: 3" */
static void add_unexpected(struct rows *rows, const struct rules_check *check, const msgpack_object *got)
{
    static const char *const words[] = {"state", "severity", NULL}, *const numbers[] = {"value", "expected", "reason", NULL};
    const msgpack_object *time = rules_field(got, "time");
    struct row *row = add_row(rows, '+');
    char when[48];

    append(row->left, "(nothing)");
    append_word(row->right, rules_field(got, "rule"));
    append_word(row->right, rules_field(got, "key"));
    append_word(row->right, rules_field(got, "entity"));
    if (check->ordered && time && time->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        append(row->right, " at %s", when_text(&check->test->frame, (int64_t)time->via.u64, when));
    for (size_t i = 0; words[i]; i++) {
        append(row->right, i ? ", " : ": ");
        append_object(row->right, rules_field(got, words[i]));
    }
    for (size_t i = 0; numbers[i]; i++) {
        const msgpack_object *value = rules_field(got, numbers[i]);

        if (value && value->type != MSGPACK_OBJECT_NIL) {
            append(row->right, ", %s: ", numbers[i]);
            append_object(row->right, value);
        }
    }
}

/* ---- Which belongs to which ---- */

struct pairing {
    const struct rules_check *check;
    const struct kp_node **want;        /* owned */
    const struct rules_said_list *got;
    size_t nwant;
    int *of_want, *of_got;              /* owned; NONE: nothing */
    bool *tried;                        /* owned; of got */
};

static bool agree_at(const struct pairing *p, size_t w, size_t g)
{
    return rules_agrees_all(p->check->test, p->want[w], &p->got->list[g].map.data);
}

/* Find something for an entry, moving others to something else that agrees with them as well (augmenting paths: H. W. Kuhn,
 * "The Hungarian Method for the Assignment Problem", 1955). */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as there are entries in a list that somebody wrote */
static bool place(struct pairing *p, size_t w)
{
    for (size_t g = 0; g < p->got->count; g++) {
        if (p->tried[g] || !agree_at(p, w, g))
            continue;
        p->tried[g] = true;
        if (p->of_got[g] != NONE && !place(p, (size_t)p->of_got[g]))
            continue;
        p->of_got[g] = (int)w;
        p->of_want[w] = (int)g;
        return true;
    }
    return false;
}

static void pair_as_sets(struct pairing *p)
{
    for (size_t w = 0; w < p->nwant; w++) {
        memset(p->tried, 0, p->got->count * sizeof *p->tried);
        place(p, w);
    }
}

/* The longest sequence that both have: as `diff` does it, by the lengths of those of all their ends. */
static bool pair_in_order(struct pairing *p)
{
    size_t n = p->got->count, wide = n + 1;
    uint32_t *longest = calloc((p->nwant + 1) * wide, sizeof *longest);

    if (!longest)
        return false;
    for (size_t w = p->nwant; w-- > 0;)
        for (size_t g = n; g-- > 0;) {
            uint32_t down = longest[(w + 1) * wide + g], right = longest[w * wide + g + 1];
            uint32_t both = agree_at(p, w, g) ? longest[(w + 1) * wide + g + 1] + 1 : 0;

            longest[w * wide + g] = both > down && both > right ? both : down > right ? down : right;
        }
    for (size_t w = 0, g = 0; w < p->nwant && g < n;) {
        if (agree_at(p, w, g) && longest[w * wide + g] == longest[(w + 1) * wide + g + 1] + 1) {
            p->of_want[w] = (int)g;
            p->of_got[g] = (int)w;
            w++;
            g++;
        } else if (longest[(w + 1) * wide + g] >= longest[w * wide + g + 1]) {
            w++;
        } else {
            g++;
        }
    }
    free(longest);
    return true;
}

static bool all_paired(const struct pairing *p)
{
    for (size_t w = 0; w < p->nwant; w++)
        if (p->of_want[w] == NONE)
            return false;
    return p->nwant == p->got->count;
}

/* Is it the same alert, if not as it should be? */
static bool is_kin(const struct pairing *p, size_t w, size_t g)
{
    static const char *const same[] = {"rule", "key", "state"};

    for (size_t i = 0; i < (p->check->ordered ? 3 : 2); i++) {
        const struct kp_node *field = kp_node_get(p->want[w], same[i]);

        if (field && !rules_agrees(p->check->test, field, rules_field(&p->got->list[g].map.data, same[i])))
            return false;
    }
    return kp_node_get(p->want[w], "rule") || kp_node_get(p->want[w], "key");
}

/* For what is left over, something of the same name between its neighbours, so that the difference shows. */
static void pair_kin(struct pairing *p)
{
    size_t from = 0;

    for (size_t w = 0; w < p->nwant; w++) {
        for (size_t g = from; g < p->got->count && p->of_want[w] == NONE; g++) {
            if (p->check->ordered && p->of_got[g] != NONE)
                break;
            if (p->of_got[g] == NONE && is_kin(p, w, g)) {
                p->of_want[w] = (int)g;
                p->of_got[g] = (int)w;
            }
        }
        if (p->check->ordered && p->of_want[w] != NONE)
            from = (size_t)p->of_want[w] + 1;
    }
}

static void show(struct pairing *p)
{
    const struct rules_said_list *got = p->got;
    struct rows rows = {0};
    size_t g = 0;

    pair_kin(p);
    for (size_t w = 0; w < p->nwant; w++) {
        for (; p->check->ordered && g < got->count && p->of_want[w] != NONE && (int)g < p->of_want[w]; g++)
            add_unexpected(&rows, p->check, &got->list[g].map.data);
        if (p->of_want[w] == NONE)
            add_missing(&rows, p->check, p->want[w]);
        else
            add_pair(&rows, p->check, p->want[w], &got->list[p->of_want[w]].map.data);
        if (p->check->ordered && p->of_want[w] != NONE)
            g = (size_t)p->of_want[w] + 1;
    }
    for (; g < got->count; g++)
        if (p->of_got[g] == NONE)
            add_unexpected(&rows, p->check, &got->list[g].map.data);
    if (rows.count == 0)
        append(add_row(&rows, ' ')->left, "(nothing)");
    print(p->check, &rows);
}

static bool pair(struct pairing *p)
{
    size_t w = 0;

    if (!p->want || !p->of_want || !p->of_got || !p->tried)
        return false;
    for (size_t g = 0; g < p->got->count; g++)
        p->of_got[g] = NONE;
    for (; w < p->nwant; w++)
        p->of_want[w] = NONE;
    if (p->check->ordered)
        return pair_in_order(p);
    pair_as_sets(p);
    return true;
}

bool rules_compare(const struct rules_check *check, const struct kp_node *want, const struct rules_said_list *got)
{
    struct pairing p = {.check = check, .got = got, .nwant = want->count};
    bool ok;
    size_t i = 0;

    p.want = calloc(want->count + 1, sizeof *p.want);
    p.of_want = calloc(want->count + 1, sizeof *p.of_want);
    p.of_got = calloc(got->count + 1, sizeof *p.of_got);
    p.tried = calloc(got->count + 1, sizeof *p.tried);
    for (const struct kp_node *item = want->first; item && p.want; item = item->next)
        p.want[i++] = item;
    ok = pair(&p) && all_paired(&p);
    if (!ok && !check->silent && p.want && p.of_want && p.of_got)
        show(&p);
    free(p.want);
    free(p.of_want);
    free(p.of_got);
    free(p.tried);
    return ok;
}

bool rules_compare_map(const struct rules_check *check, const struct kp_node *want, const char *const *skip,
                       const msgpack_object *got)
{
    static const msgpack_object nothing = {.type = MSGPACK_OBJECT_MAP};
    struct rows rows = {0};
    struct row *row;
    bool ok = true;

    for (const struct kp_node *field = want->first; field; field = field->next) {
        bool skipped = false;

        for (size_t i = 0; skip[i]; i++)
            skipped |= strcmp(skip[i], field->key) == 0;
        ok &= skipped || rules_agrees(check->test, field, rules_field(got, field->key));
    }
    if (ok || check->silent)
        return ok;
    row = add_row(&rows, '!');
    append_want_head(row->left, want);
    append(row->right, "%s", got ? row->left : "(no such key yet)");
    add_fields(&rows, check->test, want, skip, got ? got : &nothing);
    print(check, &rows);
    return false;
}
