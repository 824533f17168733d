/* Where a number comes from, as text: the reply to {"op": "explain"}. */
#ifndef KPICTL_EXPLAIN_H
#define KPICTL_EXPLAIN_H

#include <msgpack.h>

/* Print the map under "explanation". */
void explain_print(const msgpack_object *why);

#endif
