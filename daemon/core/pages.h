/* Large memory in large pages.
 *
 * Events touch memory all over; with pages of 4 KiB most of the cost is the walk through the page tables, the more so on
 * a virtual machine. Chunks are 2 MiB, aligned, and the kernel is asked for huge pages. Measured: README of tools/bench. */
#ifndef KPID_CORE_PAGES_H
#define KPID_CORE_PAGES_H

#include <stddef.h>

#ifndef KP_PAGES_CHUNK      /* fuzzers make an engine for each of their inputs, and take less */
#define KP_PAGES_CHUNK ((size_t)2 << 20)
#endif

/* One chunk of KP_PAGES_CHUNK bytes, zeroed; NULL when memory is out. To be given to free(). */
void *kp_pages_chunk(void);

#endif
