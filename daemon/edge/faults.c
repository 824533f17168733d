#include "faults.h"

#include <stdlib.h>
#include <string.h>

/* A copy that can be shown on a terminal: names in a hostile file may hold control characters. */
static char *clean_copy(const char *text)
{
    char *copy = strdup(text);

    for (char *c = copy; c && *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
    }
    return copy;
}

static void release_line(struct kp_fault_line *line)
{
    free(line->file);
    free(line->path);
    free(line->text);
}

/* Out of memory leaves the fault counted and untold; the count alone makes the load fail. */
static void add_line(void *ctx, struct kp_loc loc, const char *path, const char *text)
{
    struct kp_fault_list *list = ctx;
    struct kp_fault_line line = {.line = loc.line, .col = loc.col, .order = list->count};

    if (list->count == KP_FAULTS_KEPT)
        return;
    if (!list->lines)
        list->lines = calloc(KP_FAULTS_KEPT, sizeof *list->lines);
    line.path = clean_copy(path);
    line.text = clean_copy(text);
    if (loc.file)
        line.file = strdup(loc.file);
    if (!list->lines || !line.path || !line.text || (loc.file && !line.file)) {
        release_line(&line);
        return;
    }
    list->lines[list->count++] = line;
}

void kp_fault_list_init(struct kp_fault_list *list, const char *file)
{
    memset(list, 0, sizeof *list);
    list->faults.add = add_line;
    list->faults.ctx = list;
    list->file = strdup(file);
}

void kp_fault_list_release(struct kp_fault_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        release_line(&list->lines[i]);
    free(list->lines);
    free(list->file);
    memset(list, 0, sizeof *list);
}

static int compare_lines(const void *a, const void *b)
{
    const struct kp_fault_line *x = a, *y = b;
    int order;

    if (!x->file != !y->file)
        return x->file ? 1 : -1;
    order = x->file ? strcmp(x->file, y->file) : 0;
    if (order == 0)
        order = (x->line > y->line) - (x->line < y->line);
    if (order == 0)
        order = (x->col > y->col) - (x->col < y->col);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

void kp_fault_list_sort(struct kp_fault_list *list)
{
    if (list->count)
        qsort(list->lines, list->count, sizeof *list->lines, compare_lines);
}

char *kp_fault_list_text(const struct kp_fault_list *list, size_t i, char *buf, size_t size)
{
    const struct kp_fault_line *line = &list->lines[i];
    const char *file = line->file ? line->file : list->file ? list->file : "configuration";
    const char *colon = *line->path ? ": " : "";

    if (line->line > 0)
        snprintf(buf, size, "%s:%d:%d: %s%s%s", file, line->line, line->col, line->path, colon, line->text);
    else
        snprintf(buf, size, "%s: %s%s%s", file, line->path, colon, line->text);
    return buf;
}

void kp_fault_list_print(struct kp_fault_list *list, FILE *out)
{
    char buf[2048];

    kp_fault_list_sort(list);
    for (size_t i = 0; i < list->count; i++)
        fprintf(out, "%s\n", kp_fault_list_text(list, i, buf, sizeof buf));
    if (list->faults.count > list->count)
        fprintf(out, "%s: and %zu faults more\n", list->file ? list->file : "configuration",
                list->faults.count - list->count);
}
