/* Reading events from a file or standard input, one message at a time: lines of JSON, MessagePack items in a row, or rows
 * of CSV by a map (csv_map.h). */
#ifndef KPICTL_SOURCE_H
#define KPICTL_SOURCE_H

#include "kpid/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source;

/* "-" is standard input. MessagePack when the name ends in .msgpack (or as_msgpack says so), else lines. map: the name
 * of a CSV file's map, NULL for the others. NULL with the reason in *err. */
struct source *source_open(const char *name, bool as_msgpack, const char *map, struct kp_err *err);
void source_close(struct source **source);

/* The next message; borrowed until the next call. 1: here it is; 0: the end; -1: broken or unreadable, see *err. Empty lines
 * are passed over. */
int source_next(struct source *source, const char **bytes, size_t *len, struct kp_err *err);

/* Bytes read so far, and in all (0: not known). For progress. */
void source_progress(const struct source *source, uint64_t *done, uint64_t *all);

#endif
