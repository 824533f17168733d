/* Writing structured data as MessagePack or JSON, through one set of calls: whoever writes does not know which.
 *
 * Maps and arrays are opened with the number of their entries and closed with kp_out_end. A failure (memory) is kept and
 * asked for once at the end. */
#ifndef KPID_OUT_H
#define KPID_OUT_H

#include "kpid/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_out;

struct kp_out *kp_out_new(bool json, struct kp_err *err) KP_CHECK;
void kp_out_destroy(struct kp_out **out);

/* Begin anew; what was written is gone, its memory stays. */
void kp_out_clear(struct kp_out *out);

void kp_out_map(struct kp_out *out, size_t entries);
void kp_out_array(struct kp_out *out, size_t entries);
void kp_out_end(struct kp_out *out);
/* Keys and strings are UTF-8; in JSON, bytes that are not are replaced by U+FFFD. */
void kp_out_text(struct kp_out *out, const char *text);         /* NULL: nil */
void kp_out_str(struct kp_out *out, const char *s, size_t len);
void kp_out_int(struct kp_out *out, int64_t v);
void kp_out_uint(struct kp_out *out, uint64_t v);
/* A whole number goes out as an integer, NaN and infinities as nil, all else as the shortest that reads back the same. */
void kp_out_real(struct kp_out *out, double v);
void kp_out_bool(struct kp_out *out, bool v);
void kp_out_nil(struct kp_out *out);

/* What was written; borrowed until the next call. NULL when something failed. */
const void *kp_out_bytes(struct kp_out *out, size_t *len);

#endif
