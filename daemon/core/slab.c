#include "kpid/slab.h"

#include "pages.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum {
    CLASSES = 40,
    CHUNK = 256 * 1024,
};

struct link {
    struct link *next;
};

struct chunk {
    struct chunk *next;
    size_t size;
    size_t fill[2];     /* keeps what follows on 32 bytes */
};

struct kp_slab {
    struct chunk *chunks;       /* owned */
    struct link *free[CLASSES];
    char *next, *end;           /* the fresh part of the newest chunk */
    size_t bytes, used;
};

/* Classes 32, 48, 64, 96, ...: even ones are powers of two, odd ones half way up. */
static unsigned class_of(size_t size, size_t *real)
{
    unsigned c = 0;
    size_t s = 32;

    while (s < size) {
        c++;
        s = (c & 1) ? s + s / 2 : s / 3 * 4;
    }
    *real = s;
    return c;
}

size_t kp_slab_class(size_t size)
{
    size_t real;

    class_of(size, &real);
    return real;
}

struct kp_slab *kp_slab_new(struct kp_err *err)
{
    struct kp_slab *slab = calloc(1, sizeof *slab);

    if (!slab)
        kp_fail(err, KP_ENOMEM, "slab: out of memory");
    return slab;
}

void kp_slab_destroy(struct kp_slab **slab)
{
    if (!*slab)
        return;
    for (struct chunk *c = (*slab)->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(*slab);
    *slab = NULL;
}

static void *fresh(struct kp_slab *slab, size_t real)
{
    if ((size_t)(slab->end - slab->next) < real) {
        bool large = slab->bytes >= KP_PAGES_CHUNK;     /* a small one stays small */
        size_t usual = large ? KP_PAGES_CHUNK - sizeof(struct chunk) : CHUNK;
        size_t want = real > usual / 8 ? real : usual;
        struct chunk *c = large && want == usual ? kp_pages_chunk() : malloc(sizeof *c + want);

        if (!c)
            return NULL;
        c->next = slab->chunks;
        c->size = want;
        slab->chunks = c;
        slab->bytes += sizeof *c + want;
        if (want == real)
            return c + 1;       /* a chunk of its own; the fresh part of the last one stays in use */
        slab->next = (char *)(c + 1);
        slab->end = slab->next + want;
    }
    void *p = slab->next;

    slab->next += real;
    return p;
}

void *kp_slab_alloc(struct kp_slab *slab, size_t size)
{
    size_t real;
    unsigned c = class_of(size, &real);
    void *p;

    if (c >= CLASSES)
        return NULL;
    if (slab->free[c]) {
        p = slab->free[c];
        slab->free[c] = slab->free[c]->next;
    } else {
        p = fresh(slab, real);
        if (!p)
            return NULL;
    }
    slab->used += real;
    return p;
}

void kp_slab_free(struct kp_slab *slab, void *p, size_t size)
{
    size_t real;
    unsigned c;

    if (!p)
        return;
    c = class_of(size, &real);
    assert(c < CLASSES);
    struct link *l = p;

    l->next = slab->free[c];
    slab->free[c] = l;
    slab->used -= real;
}

size_t kp_slab_bytes(const struct kp_slab *slab)
{
    return slab->bytes;
}

size_t kp_slab_used(const struct kp_slab *slab)
{
    return slab->used;
}
