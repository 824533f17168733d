/* A message as RFC 5322 wants it, with a plain and an HTML half (RFC 2046's multipart/alternative). Pure. */
#ifndef NOTIFY_MAIL_H
#define NOTIFY_MAIL_H

#include "text.h"

#include <stdint.h>

struct mail {
    const char *from_name, *from;       /* name: NULL for none */
    const char *to;
    const char *subject;                /* any UTF-8; line ends in it become blanks */
    const char *id;                     /* what stands before the @ of the Message-ID: letters, digits, . - _ */
    const char *thread;                 /* likewise, of what it belongs to; NULL: to nothing */
    int64_t date_ms;
    const char *plain, *html;           /* UTF-8, lines ending in \n */
};

/* Lines end in CRLF, all is ASCII, and none is over 78 bytes unless an address is. Dots at a line's beginning are left to the transport. */
void mail_build(const struct mail *mail, struct text *out);

#endif
