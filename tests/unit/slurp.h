/* A whole file as text. */
#ifndef KPID_TESTS_SLURP_H
#define KPID_TESTS_SLURP_H

#include <stdio.h>

/* NUL-terminated, to be freed; NULL: it cannot be read. */
static inline char *slurp(const char *file)
{
    FILE *in = fopen(file, "r");
    char *text = NULL;
    size_t size = 0, n;
    FILE *out;
    char buf[4096];

    if (!in)
        return NULL;
    out = open_memstream(&text, &size);
    while ((n = fread(buf, 1, sizeof buf, in)) > 0)
        fwrite(buf, 1, n, out);
    fclose(in);
    fclose(out);
    return text;
}

#endif
