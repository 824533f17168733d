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
 * of a CSV file's map, NULL for the others. NULL with the reason in *err: KP_EINVAL for wrong use or a faulty map,
 * whose faults were printed. */
struct source *source_open(const char *name, bool as_msgpack, const char *map, struct kp_err *err);
void source_close(struct source **source);

enum source_got {
    SOURCE_FAILED = -1,     /* broken or unreadable from here on, see *err */
    SOURCE_END = 0,
    SOURCE_MESSAGE,
    SOURCE_BAD_ROW,         /* of CSV: it can't be made an event, see *err; the next call goes on behind it */
};

/* The next message; borrowed until the next call. Empty lines are passed over. */
enum source_got source_next(struct source *source, const char **bytes, size_t *len, struct kp_err *err);

/* Bytes read so far, and in all (0: not known). For progress. */
void source_progress(const struct source *source, uint64_t *done, uint64_t *all);

#endif
