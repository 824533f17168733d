/* Whole messages: the words of wording.h in the form that goes out. Pure. */
#ifndef NOTIFY_COMPOSE_H
#define NOTIFY_COMPOSE_H

#include "route.h"

/* A mail of one change; `number` is that of the change of this alert, from 1. The same change gives the same Message-ID
 * again, so that a mailbox can tell a mail that a crash has sent twice. */
void compose_mail(const struct notify_config *config, const struct alert *alert, enum change change, uint32_t number,
                  const struct aim *aim, int64_t now_ms, struct text *out);

/* number: its own, of which each gives a Message-ID. */
void compose_digest(const struct notify_config *config, const char *to, const struct digest_line *lines, size_t n,
                    size_t left_out, int64_t number, int64_t due_ms, int64_t now_ms, struct text *out);

/* A webhook's JSON. */
void compose_webhook(const struct notify_config *config, const struct alert *alert, enum change change,
                     const struct route *route, struct text *out);

#endif
