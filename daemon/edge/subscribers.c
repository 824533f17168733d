#include "subscribers.h"

#include "kpid/tab.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FD_MAX = 1 << 20 };

static void keep(void *hash)
{
    (void)hash;     /* the nodes are tdestroy's, and there is nothing behind them */
}

static void forget(struct kp_subscriber *one)
{
    tdestroy(one->wishes, keep);
    memset(one, 0, sizeof *one);
}

void kp_subscribers_release(struct kp_subscribers *subscribers)
{
    for (size_t i = 0; i < subscribers->room; i++)
        forget(&subscribers->by_fd[i]);
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

/* Forget one that has gone, if it is its turn: nobody tells when. */
static void look_at_one(struct kp_subscribers *subscribers, const char *endpoint)
{
    struct kp_subscriber *one;

    subscribers->looked = (subscribers->looked + 1) % subscribers->room;
    one = &subscribers->by_fd[subscribers->looked];
    if (one->inode && !kp_guard_is_still((int)subscribers->looked, one->address, endpoint))
        forget(one);
}

struct kp_subscriber *kp_subscribers_find(struct kp_subscribers *subscribers, const struct kp_peer *peer, const char *endpoint)
{
    const char *key = peer->user ? peer->user->key : "";
    struct kp_subscriber *one;
    struct stat st;

    if (peer->fd < 0 || peer->fd >= FD_MAX || ((size_t)peer->fd >= subscribers->room && !grow(subscribers, (size_t)peer->fd)))
        return NULL;
    look_at_one(subscribers, endpoint);
    if (!kp_guard_is_still(peer->fd, peer->address, endpoint) || fstat(peer->fd, &st) != 0)
        return NULL;
    one = &subscribers->by_fd[peer->fd];
    if (one->inode != st.st_ino || strcmp(one->key, key) != 0) {
        forget(one);
        one->inode = st.st_ino;
        snprintf(one->key, sizeof one->key, "%s", key);
        snprintf(one->address, sizeof one->address, "%s", peer->address);
    }
    return one;
}

static int by_value(const void *a, const void *b)
{
    return ((uintptr_t)a > (uintptr_t)b) - ((uintptr_t)a < (uintptr_t)b);
}

static const void *hash_of(const struct kp_subscribers *subscribers, const char *prefix, size_t len)
{
    return (const void *)(uintptr_t)kp_print_of(subscribers->seed, 0, prefix, len).hi;
}

bool kp_subscriber_begins(struct kp_subscribers *subscribers, struct kp_subscriber *one, const char *prefix, size_t len)
{
    const void *hash = hash_of(subscribers, prefix, len);

    if (tfind(hash, &one->wishes, by_value))
        return false;
    if (tsearch(hash, &one->wishes, by_value))      /* else memory is out, and it will not be heard when it ends it */
        one->prefixes++;
    return true;
}

bool kp_subscriber_ends(struct kp_subscribers *subscribers, struct kp_subscriber *one, const char *prefix, size_t len)
{
    if (!tdelete(hash_of(subscribers, prefix, len), &one->wishes, by_value))
        return false;
    one->prefixes--;
    return true;
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
