/* Who has promised what: a YAML file that is kept by hand, a map of weeks.
 *
 *   2026-W47:
 *     - {who: Ana, what: call back the leads of the fair, done: true} */
#include "report.h"

#include "config_read.h"
#include "faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = 4 << 20 };

static bool is_text(const struct kp_node *node)
{
    return node->kind == KP_NODE_SCALAR && strlen(node->text) == node->len;
}

static bool take_field(const struct kp_node *field, const char *path, struct report_promise *promise, struct kp_faults *faults)
{
    bool flag = is_text(field) && field->plain && (strcmp(field->text, "true") == 0 || strcmp(field->text, "false") == 0);

    if (strcmp(field->key, "done") == 0 && flag)
        promise->done = field->text[0] == 't';
    else if (strcmp(field->key, "done") == 0)
        kp_fault(faults, field->loc, path, "done is true or false");
    else if (strcmp(field->key, "who") != 0 && strcmp(field->key, "what") != 0)
        kp_fault(faults, field->key_loc, path, "unknown key \"%.60s\"; there are who, what and done", field->key);
    else if (!is_text(field))
        kp_fault(faults, field->loc, path, "%s is a text", field->key);
    else if (strcmp(field->key, "who") == 0)
        text_clean(field->text, field->len, promise->who, sizeof promise->who);
    else
        text_clean(field->text, field->len, promise->what, sizeof promise->what);
    return true;
}

/* to NULL: of another week; it is looked at all the same, so that a fault is told before its week comes. */
static bool take_promise(const struct kp_node *node, const char *path, struct report_promises *to, struct kp_faults *faults)
{
    struct report_promise taken = {.done = -1}, *promise;

    if (node->kind != KP_NODE_MAP) {
        kp_fault(faults, node->loc, path, "a map is wanted: {who: ..., what: ..., done: false}");
        return true;
    }
    for (const struct kp_node *field = node->first; field; field = field->next)
        take_field(field, path, &taken, faults);
    if (!taken.what[0])
        kp_fault(faults, node->loc, path, "what was promised? \"what\" is missing");
    if (!to)
        return true;
    promise = report_more(&to->list, &to->n, sizeof *to->list);
    if (promise)
        *promise = taken;
    return promise != NULL;
}

static bool take_week(const struct kp_node *node, struct report *report, struct kp_faults *faults)
{
    struct report_week next;
    struct report_promises *to = NULL;
    char last_text[16], next_text[16];
    int year, number;

    report_week_next(&report->week, report->week_starts, &next);
    if (!report_week_parse(node->key, &year, &number)) {
        kp_fault(faults, node->key_loc, node->key, "a week is wanted, as 2026-W47");
        return true;
    }
    if (strcmp(node->key, report_week_text(&report->week, last_text)) == 0)
        to = &report->last;
    else if (strcmp(node->key, report_week_text(&next, next_text)) == 0)
        to = &report->next;
    if (node->kind != KP_NODE_LIST) {
        kp_fault(faults, node->loc, node->key, "a list is wanted: - {who: ..., what: ..., done: false}");
        return true;
    }
    for (const struct kp_node *one = node->first; one; one = one->next)
        if (!take_promise(one, node->key, to, faults))
            return false;
    return true;
}

static bool take_root(const struct kp_node *root, struct report *report, struct kp_faults *faults)
{
    if (root->kind != KP_NODE_MAP) {
        kp_fault(faults, root->loc, "", "a map of weeks is wanted: 2026-W47: [{who: ..., what: ..., done: false}]");
        return true;
    }
    for (const struct kp_node *week = root->first; week; week = week->next)
        if (!take_week(week, report, faults))
            return false;
    return true;
}

bool report_read_promises(const char *file, struct report *report)
{
    struct kp_fault_list list;
    struct kp_err err = {0};
    size_t len = 0;
    char *bytes = kp_read_file(file, FILE_BYTES_MAX, &len, &err);
    struct kp_tree *tree = NULL;
    bool ok;

    kp_fault_list_init(&list, file);
    if (bytes)
        tree = kp_tree_parse(bytes, len, &list.faults);
    else
        kp_fault(&list.faults, (struct kp_loc){0}, "", "%s", err.text);
    if (tree && !take_root(kp_tree_root(tree), report, &list.faults))
        kp_fault(&list.faults, (struct kp_loc){0}, "", "out of memory");
    ok = list.faults.count == 0;
    if (!ok)
        kp_fault_list_print(&list, stderr);
    kp_tree_destroy(&tree);
    kp_fault_list_release(&list);
    free(bytes);
    return ok;
}
