#include "sessions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

enum { SECRET = 24 };

struct session {
    unsigned char hash[crypto_hash_sha256_BYTES];   /* of the secret: who reads this memory has none */
    char *user;                                     /* owned; NULL: free */
    int64_t until_ms;
};

struct sessions {
    struct session *list;       /* a ring, so the next one to be used is the oldest */
    uint32_t most, next;
};

struct sessions *sessions_new(uint32_t most, struct kp_err *err)
{
    struct sessions *sessions = calloc(1, sizeof *sessions);

    if (sessions) {
        sessions->most = most;
        sessions->list = calloc(most, sizeof *sessions->list);
    }
    if (!sessions || !sessions->list) {
        sessions_destroy(&sessions);
        kp_fail(err, KP_ENOMEM, "out of memory");
    }
    return sessions;
}

void sessions_destroy(struct sessions **sessions)
{
    if (!*sessions)
        return;
    for (uint32_t i = 0; (*sessions)->list && i < (*sessions)->most; i++)
        free((*sessions)->list[i].user);
    free((*sessions)->list);
    free(*sessions);
    *sessions = NULL;
}

bool sessions_begin(struct sessions *sessions, const char *user, int64_t steady_ms, char cookie[SESSION_COOKIE])
{
    struct session *session = &sessions->list[sessions->next];
    char *copy = strdup(user), hex[2 * SECRET + 1];
    unsigned char secret[SECRET];

    if (!copy)
        return false;
    randombytes_buf(secret, sizeof secret);
    sodium_bin2hex(hex, sizeof hex, secret, sizeof secret);
    snprintf(cookie, SESSION_COOKIE, "%u-%s", sessions->next, hex);
    crypto_hash_sha256(session->hash, (const unsigned char *)hex, strlen(hex));
    free(session->user);
    session->user = copy;
    session->until_ms = steady_ms + SESSION_MS;
    sessions->next = (sessions->next + 1) % sessions->most;
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(hex, sizeof hex);
    return true;
}

static struct session *find(const struct sessions *sessions, const char *cookie)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char *end;
    unsigned long place = strtoul(cookie, &end, 10);

    if (*end != '-' || strlen(end + 1) != 2 * SECRET || place >= sessions->most || !sessions->list[place].user)
        return NULL;
    crypto_hash_sha256(hash, (const unsigned char *)end + 1, 2 * SECRET);
    return sodium_memcmp(hash, sessions->list[place].hash, sizeof hash) == 0 ? &sessions->list[place] : NULL;
}

const char *sessions_user(const struct sessions *sessions, const char *cookie, int64_t steady_ms)
{
    const struct session *session = find(sessions, cookie);

    return session && steady_ms < session->until_ms ? session->user : NULL;
}

bool sessions_end(struct sessions *sessions, const char *cookie)
{
    struct session *session = find(sessions, cookie);

    if (!session)
        return false;
    free(session->user);
    memset(session, 0, sizeof *session);
    return true;
}
