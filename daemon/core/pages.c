#include "pages.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *kp_pages_chunk(void)
{
    void *chunk = aligned_alloc(KP_PAGES_CHUNK, KP_PAGES_CHUNK);

    if (!chunk)
        return NULL;
#ifdef MADV_HUGEPAGE
    madvise(chunk, KP_PAGES_CHUNK, MADV_HUGEPAGE);  /* a wish: without it the same works, slower */
#endif
    return memset(chunk, 0, KP_PAGES_CHUNK);
}
