/* The faults of a configuration, gathered and then told in the order of the file. */
#ifndef KPID_FAULTS_H
#define KPID_FAULTS_H

#include "kpid/config.h"

#include <stdio.h>

#define KP_FAULTS_KEPT 200      /* the rest is counted */

struct kp_fault_line {
    char *file, *path, *text;   /* owned; file NULL: the configuration's own */
    int line, col;
    size_t order;               /* in which they were found, for those of one place */
};

/* Begin with kp_fault_list_init; give &list->faults to whoever finds faults. Not to be moved while in use. */
struct kp_fault_list {
    struct kp_faults faults;
    char *file;                 /* owned */
    struct kp_fault_line *lines;
    size_t count;               /* lines kept; faults.count are all */
};

void kp_fault_list_init(struct kp_fault_list *list, const char *file);
void kp_fault_list_release(struct kp_fault_list *list);

/* Sort by file (the configuration's own first), line and column. */
void kp_fault_list_sort(struct kp_fault_list *list);

/* The i-th as "file:line:column: path: what is wrong", cut to size. Returns buf. */
char *kp_fault_list_text(const struct kp_fault_list *list, size_t i, char *buf, size_t size);

/* Sort them and print one a line, then how many more there are. */
void kp_fault_list_print(struct kp_fault_list *list, FILE *out);

#endif
