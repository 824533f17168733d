/* What messages have in common. */
#ifndef KPID_CORE_ENCODE_INSIDE_H
#define KPID_CORE_ENCODE_INSIDE_H

#include "kpid/encode.h"

/* "v", "kind" and "seq". */
void kp_encode_head(struct kp_out *out, const char *kind, uint64_t seq);
/* "level", "key", "name" and "path". */
void kp_encode_place(struct kp_out *out, struct kp_engine *engine, uint32_t node);

#endif
