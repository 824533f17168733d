/* Does a reference tell every key of a configuration, in backquotes? */
#ifndef KPID_TESTS_REFERENCE_H
#define KPID_TESTS_REFERENCE_H

#include "config.h"

#include <stdio.h>
#include <string.h>

/* How many it does not; they are printed. */
static inline size_t reference_untold(const char *reference, const struct kp_key_table *tables, size_t count)
{
    size_t untold = 0;
    const char *name;
    char quoted[80];

    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; (name = kp_key_name(&tables[t], i)) != NULL; i++) {
            snprintf(quoted, sizeof quoted, "`%s`", name);
            if (strstr(reference, quoted))
                continue;
            fprintf(stderr, "%s: `%s` is not told\n", tables[t].where, name);
            untold++;
        }
    return untold;
}

#endif
