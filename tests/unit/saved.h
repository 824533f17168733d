/* What is saved to memory, and loaded from there. */
#ifndef SAVED_H
#define SAVED_H

#include "unit.h"

struct image {
    unsigned char *bytes;   /* owned */
    size_t len, room, at;
};

static inline bool image_write(void *ctx, const void *bytes, size_t len)
{
    struct image *image = ctx;

    if (image->len + len > image->room) {
        image->room = (image->len + len) * 2;
        image->bytes = realloc(image->bytes, image->room);
        assert_non_null(image->bytes);
    }
    memcpy(image->bytes + image->len, bytes, len);
    image->len += len;
    return true;
}

static inline size_t image_read(void *ctx, void *buf, size_t most)
{
    struct image *image = ctx;
    size_t n = image->len - image->at < most ? image->len - image->at : most;

    if (n)
        memcpy(buf, image->bytes + image->at, n);
    image->at += n;
    return n;
}

#endif
