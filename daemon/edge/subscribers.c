#include "subscribers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FD_MAX = 1 << 20 };

void kp_subscribers_release(struct kp_subscribers *subscribers)
{
    free(subscribers->by_fd);
    memset(subscribers, 0, sizeof *subscribers);
}

static bool grow(struct kp_subscribers *subscribers, size_t fd)
{
    size_t room = subscribers->room ? subscribers->room : 64;
    struct kp_subscriber *grown;

    while (room <= fd)
        room *= 2;
    grown = realloc(subscribers->by_fd, room * sizeof *grown);
    if (!grown)
        return false;
    memset(grown + subscribers->room, 0, (room - subscribers->room) * sizeof *grown);
    subscribers->by_fd = grown;
    subscribers->room = room;
    return true;
}

struct kp_subscriber *kp_subscribers_find(struct kp_subscribers *subscribers, const struct kp_peer *peer, const char *endpoint)
{
    const char *key = peer->user ? peer->user->key : "";
    struct kp_subscriber *one;
    struct stat st;

    if (peer->fd < 0 || peer->fd >= FD_MAX || ((size_t)peer->fd >= subscribers->room && !grow(subscribers, (size_t)peer->fd)))
        return NULL;
    if (!kp_guard_is_still(peer->fd, peer->address, endpoint) || fstat(peer->fd, &st) != 0)
        return NULL;
    one = &subscribers->by_fd[peer->fd];
    if (one->inode != st.st_ino || strcmp(one->key, key) != 0) {
        memset(one, 0, sizeof *one);
        one->inode = st.st_ino;
        snprintf(one->key, sizeof one->key, "%s", key);
        snprintf(one->address, sizeof one->address, "%s", peer->address);
    }
    return one;
}

static bool same_rights(const struct kp_user_cfg *a, const struct kp_user_cfg *b)
{
    if (!a || !b || kp_user_may_read_all(a) != kp_user_may_read_all(b) || a->read.count != b->read.count)
        return false;
    for (size_t i = 0; i < a->read.count; i++)
        if (strcmp(a->read.items[i], b->read.items[i]) != 0)
            return false;
    return true;
}

void kp_subscribers_recheck(struct kp_subscribers *subscribers, struct kp_guard *guard, const char *endpoint,
                            const struct kp_security_cfg *was, const struct kp_security_cfg *is)
{
    for (size_t fd = 0; fd < subscribers->room; fd++) {
        struct kp_subscriber *one = &subscribers->by_fd[fd];

        if (!one->inode || one->is_cut || !one->key[0] || same_rights(kp_user_of(was, one->key), kp_user_of(is, one->key)))
            continue;
        kp_guard_cut(guard, (int)fd, one->address, endpoint, "may not read the same any more");
        one->is_cut = true;
    }
}
