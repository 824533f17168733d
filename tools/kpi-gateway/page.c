#include "page.h"

#include "config_read.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { FILES_MAX = 64, BYTES_MAX = 4 << 20 };

struct page {
    struct page_file files[FILES_MAX];
    size_t count;
};

static const char *type_of(const char *name)
{
    static const struct {
        const char *ending, *type;
    } kinds[] = {{".html", "text/html; charset=utf-8"},
                 {".js", "text/javascript; charset=utf-8"},
                 {".css", "text/css; charset=utf-8"},
                 {".svg", "image/svg+xml"},
                 {".json", "application/json"},
                 {".webmanifest", "application/manifest+json"}};
    const char *ending = strrchr(name, '.');

    for (size_t i = 0; ending && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(ending, kinds[i].ending) == 0)
            return kinds[i].type;
    return NULL;
}

static enum kp_code add(struct page *page, const char *file, const char *path, const char *type, struct kp_err *err)
{
    struct page_file *added = &page->files[page->count];
    struct kp_err why = {0};

    if (page->count == FILES_MAX)
        return kp_fail(err, KP_ELIMIT, "the page has more than %d files", FILES_MAX);
    added->bytes = kp_read_file(file, BYTES_MAX, &added->len, &why);
    if (!added->bytes)
        return kp_fail(err, KP_EIO, "%.150s: %.90s", file, why.text);
    added->path = strdup(path);
    page->count++;
    if (!added->path)
        return kp_fail(err, KP_ENOMEM, "out of memory");
    added->type = type;
    snprintf(added->etag, sizeof added->etag, "\"%016llx\"", (unsigned long long)XXH3_64bits(added->bytes, added->len));
    return KP_OK;
}

static enum kp_code add_folder(struct page *page, const char *folder, struct kp_err *err)
{
    DIR *dir = opendir(folder);
    enum kp_code code = KP_OK;
    const struct dirent *entry;

    if (!dir)
        return kp_fail(err, KP_EIO, "%.150s: %s", folder, strerror(errno));
    while (!code && (entry = readdir(dir)) != NULL) {
        const char *type = type_of(entry->d_name);
        char file[1024], path[300];

        if (!type)
            continue;
        snprintf(file, sizeof file, "%s/%s", folder, entry->d_name);
        snprintf(path, sizeof path, "/%s", strcmp(entry->d_name, "index.html") == 0 ? "" : entry->d_name);
        code = add(page, file, path, type, err);
    }
    closedir(dir);
    return code;
}

struct page *page_open(const char *folder, const char *chart, struct kp_err *err)
{
    struct page *page = calloc(1, sizeof *page);

    if (!page) {
        kp_fail(err, KP_ENOMEM, "out of memory");
        return NULL;
    }
    if (add_folder(page, folder, err) || add(page, chart, "/chart.js", type_of(".js"), err))
        page_close(&page);
    if (page && !page_find(page, "/")) {
        kp_fail(err, KP_EIO, "%.150s: holds no index.html", folder);
        page_close(&page);
    }
    return page;
}

void page_close(struct page **page)
{
    if (!*page)
        return;
    for (size_t i = 0; i < (*page)->count; i++) {
        free((*page)->files[i].path);
        free((*page)->files[i].bytes);
    }
    free(*page);
    *page = NULL;
}

const struct page_file *page_find(const struct page *page, const char *path)
{
    for (size_t i = 0; i < page->count; i++)
        if (strcmp(page->files[i].path, path) == 0)
            return &page->files[i];
    return NULL;
}
