/* A forked child that writes what the engine holds into a pipe, as of the moment of the fork, while the parent goes on.
 *
 * The child has nothing but that pipe: no lock of the store, no socket. It ends when the parent does, however that ends. It must ask
 * for no memory: another thread may have held the allocator's lock at the fork. */
#ifndef KPID_CHILD_H
#define KPID_CHILD_H

#include "kpid/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Fork. In the parent its pid, and *fd is the reading end, owned by the caller. In the child 0, and *fd is the writing end: it is to
 * write and then _exit. -1 with *err. */
pid_t kp_child_begin(int *fd, struct kp_err *err);
/* Wait for its end; `early`: kill it first. Takes 0: there is none. */
void kp_child_end(pid_t pid, bool early);

/* What there is, at most so much; 0: it has ended. */
size_t kp_child_read(int fd, void *buf, size_t most);

#endif
