/* Memory for small blobs of many sizes: size classes with free lists over large chunks.
 *
 * An allocation is a pop from a list; chunks are never given back before the slab ends, so the memory held
 * is the high-water mark, and it is known. Not for objects that outlive the slab. */
#ifndef KPID_SLAB_H
#define KPID_SLAB_H

#include "kpid/err.h"

#include <stddef.h>

struct kp_slab;

struct kp_slab *kp_slab_new(struct kp_err *err) KP_CHECK;
void kp_slab_destroy(struct kp_slab **slab);

/* size bytes, 16-byte aligned, not cleared; NULL when memory is out. Sizes are rounded up to a class:
 * 32, 48, 64, 96, 128, 192, ... (two a power of two), so growth by class wastes at most a third. */
void *kp_slab_alloc(struct kp_slab *slab, size_t size) KP_CHECK;
/* size: what was asked for. p may be NULL. */
void kp_slab_free(struct kp_slab *slab, void *p, size_t size);
/* What an allocation of size really holds. */
size_t kp_slab_class(size_t size);

size_t kp_slab_bytes(const struct kp_slab *slab);   /* chunks held */
size_t kp_slab_used(const struct kp_slab *slab);    /* of them given out */

#endif
