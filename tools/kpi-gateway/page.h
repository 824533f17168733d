/* The files of the page, read once when the gateway begins. */
#ifndef GATEWAY_PAGE_H
#define GATEWAY_PAGE_H

#include "kpid/err.h"

#include <stddef.h>

struct page_file {
    char *path;             /* as it is asked for: "/app.js"; "/" is index.html */
    const char *type;
    char *bytes;
    size_t len;
    char etag[20];          /* with its quotes */
};

struct page;

/* Read all files of a folder whose kind is known, and `chart`, a file elsewhere, as "/chart.js". KP_EIO: one can't be read, or there is
 * no index.html. */
struct page *page_open(const char *folder, const char *chart, struct kp_err *err) KP_CHECK;
void page_close(struct page **page);

/* NULL: there is none. */
const struct page_file *page_find(const struct page *page, const char *path);

#endif
