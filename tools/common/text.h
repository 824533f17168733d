/* Text that is put together piece by piece. A failure (memory) is kept, and asked for once at the end. */
#ifndef KPID_TOOLS_TEXT_H
#define KPID_TOOLS_TEXT_H

#include "kpid/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Begin with zeros. */
struct text {
    char *s;            /* owned; NUL-terminated once something was put */
    size_t len, room;
    bool failed;
};

void text_release(struct text *text);
/* "" where nothing was put. */
const char *text_of(const struct text *text);

void text_put(struct text *text, const char *s, size_t len);
void text_add(struct text *text, const char *s);
void text_addf(struct text *text, const char *fmt, ...) KP_PRINTF(2, 3);

/* A way to write foreign text so that nothing in it means anything. */
enum escape {
    ESCAPE_NONE,
    ESCAPE_HTML,        /* between tags, and within quoted attributes */
    ESCAPE_JSON,        /* within a string's quotes */
    ESCAPE_SLACK,       /* the same, and no mention or link of Slack's: & < > as it wants them */
};
void text_escape(struct text *text, const char *s, enum escape escape);

/* Foreign bytes as one line of UTF-8, cut to size between characters: controls, line ends and marks that turn the writing
 * around become blanks, what is no UTF-8 U+FFFD. Returns buf. */
char *text_clean(const char *bytes, size_t len, char *buf, size_t size);

#endif
