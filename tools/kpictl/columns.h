/* Text in columns of a terminal. */
#ifndef KPICTL_COLUMNS_H
#define KPICTL_COLUMNS_H

#include <stddef.h>

/* Copy as much as fits `width` columns into buf, and fill up with blanks; what would move the cursor becomes "?". In the
 * locale's characters. Returns buf. */
const char *columns_fit(const char *text, int width, char *buf, size_t size);

#endif
