/* Who has logged in: what the cookie says, and whose it is. In memory: a restart logs everybody out. */
#ifndef GATEWAY_SESSIONS_H
#define GATEWAY_SESSIONS_H

#include "kpid/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SESSION_COOKIE = 80 /* bytes, with its NUL */, SESSION_MS = 12 * 3600 * 1000 };

struct sessions;

struct sessions *sessions_new(uint32_t most, struct kp_err *err) KP_CHECK;
void sessions_destroy(struct sessions **sessions);

/* A new one; the oldest goes where there are too many. cookie: what its browser says from now on. False: out of memory. */
bool sessions_begin(struct sessions *sessions, const char *user, int64_t steady_ms, char cookie[SESSION_COOKIE]) KP_CHECK;
/* Whose it is, borrowed until the next begin or end; NULL: nobody's, or over. */
const char *sessions_user(const struct sessions *sessions, const char *cookie, int64_t steady_ms);
/* False: it was none. */
bool sessions_end(struct sessions *sessions, const char *cookie);

#endif
