/* Rows of a CSV file as events, by a map that says what each field of an event is made of.
 *
 *     type: call                                # the same for every row
 *     id: "{Call Id}"                           # a column
 *     time: "{Date}T{Time}Z"                    # columns and text; here RFC 3339
 *     outcome: {of: "{Answered (Y/N)}", map: {Y: connected, N: no_answer}}
 *     duration: {of: "{AvgTalkDuration}", as: clock}        # hh:mm:ss -> seconds
 *     amount: {of: "{Total}", as: number}
 *
 * A field that comes out empty is left out of the event. */
#ifndef KPICTL_CSV_MAP_H
#define KPICTL_CSV_MAP_H

#include "kpid/err.h"

#include <stdbool.h>
#include <stddef.h>

struct csv_map;

/* Read both files; what is wrong with them goes to stderr, and NULL comes back. */
struct csv_map *csv_map_open(const char *csv, const char *map) KP_CHECK;
void csv_map_close(struct csv_map **csv);

/* The next row as one JSON event; borrowed until the next call. False: the end. */
bool csv_map_next(struct csv_map *csv, const char **bytes, size_t *len);

#endif
