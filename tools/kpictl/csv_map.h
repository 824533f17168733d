/* Rows of a CSV file as events, by a map that says what each field of an event is made of.
 *
 *     type: call                                # the same for every row
 *     id: "{Call Id}"                           # a column
 *     time: "{Date}T{Time}Z"                    # columns and text; here RFC 3339
 *     outcome: {of: "{Answered (Y/N)}", map: {Y: connected, N: no_answer}}
 *     duration: {of: "{AvgTalkDuration}", as: clock}        # hh:mm:ss -> seconds
 *     amount: {of: "{Total}", as: number}
 *
 * A field that comes out empty is left out of the event. Records are those of RFC 4180, in UTF-8; beyond it, blanks
 * around a field that is not quoted are dropped, and so is a byte order mark. */
#ifndef KPICTL_CSV_MAP_H
#define KPICTL_CSV_MAP_H

#include "kpid/err.h"

#include <stdbool.h>
#include <stddef.h>

struct csv_map;

/* Read the map; what is wrong with it goes to stderr, and NULL comes back. */
struct csv_map *csv_map_open(const char *map) KP_CHECK;
void csv_map_close(struct csv_map **csv);

enum csv_extent {
    CSV_WHOLE,      /* the record ends at *end, where its line end stands */
    CSV_MORE,       /* its line end is not there yet */
    CSV_OPEN,       /* nor is it there, and a quotation mark is open */
    CSV_TORN,       /* the quotation marks do not match: who knows what belongs together */
};

/* How far the record reaches that the bytes begin with. */
enum csv_extent csv_map_record(const char *bytes, size_t len, size_t *end);

/* The first record, which names the columns. KP_EINVAL with what is wrong with it. */
enum kp_code csv_map_header(struct csv_map *csv, const char *bytes, size_t len, struct kp_err *err) KP_CHECK;

/* A record as one JSON event, which is borrowed until the next call. KP_EINVAL: no event can be made of it. */
enum kp_code csv_map_row(struct csv_map *csv, const char *bytes, size_t len, const char **event, size_t *event_len,
                         struct kp_err *err) KP_CHECK;

#endif
