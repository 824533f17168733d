/* What somebody who asks may ask for, and of what they may be told. */
#include "control_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_TEXT = 4096 };

/* What a reader may ask; the rest is for admins. What the answer may hold is cut by whoever makes it. */
static const char *const readers_ops[] = {"get", "alerts", "explain", "history", "config", "contests"};

static bool is_readers(const struct kp_request *req)
{
    for (size_t i = 0; i < sizeof readers_ops / sizeof *readers_ops; i++)
        if (strlen(readers_ops[i]) == req->op.len && memcmp(readers_ops[i], req->op.s, req->op.len) == 0)
            return true;
    return false;
}

bool kp_control_may_ask(const struct kp_peer *who, const struct kp_request *req)
{
    if (!who->guarded || (who->user && who->user->admin))
        return true;
    return kp_user_may_read_some(who->user) && is_readers(req);
}

enum kp_code kp_control_narrow(struct kp_peer *who, struct kp_request *req, struct kp_err *err)
{
    struct kp_role_cfg *read = &req->narrow.read;

    if (!req->within.items)
        return KP_OK;
    if (!kp_control_sees_all(who) || !is_readers(req))
        return kp_fail(err, KP_EINVAL, "\"within\" is for what readers may ask, and for who may read everything");
    read->items = calloc(req->within.count + 1, sizeof *read->items);
    for (; read->items && read->count < req->within.count; read->count++) {
        struct kp_str path = req->within.items[read->count];

        if (path.len == 0 || path.s[0] == '/' || path.s[path.len - 1] == '/')
            return kp_fail(err, KP_EINVAL, "\"within\" is a list of paths like \"emea/field-1\"");
        read->items[read->count] = strndup(path.s, path.len);
        if (!read->items[read->count])
            break;
    }
    if (!read->items || read->count < req->within.count)
        return kp_fail(err, KP_ENOMEM, "out of memory");
    req->narrow.peers = req->peers;
    who->guarded = true;
    who->user = &req->narrow;
    return KP_OK;
}

bool kp_control_sees_all(const struct kp_peer *who)
{
    return !who->guarded || kp_user_may_read_all(who->user);
}

bool kp_control_sees_path(const struct kp_peer *who, const char *path)
{
    return kp_control_sees_all(who) || kp_user_may_read(who->user, path, strlen(path));
}

bool kp_control_sees(const struct kp_control *control, const struct kp_peer *who, uint32_t node)
{
    char topic[PATH_TEXT];
    size_t len;

    if (kp_control_sees_all(who))
        return true;
    len = kp_engine_topic(control->world.engine, "", node, topic, sizeof topic);
    if (len < 2)
        return kp_user_may_read(who->user, "", 0);
    return kp_user_may_read(who->user, topic + 1, len - 2);      /* without the slashes at its ends */
}

/* What stands before the last slash of a path, which has `parts` parts; 0: it has other ones. */
static size_t parent_of(const char *path, size_t len, size_t parts)
{
    size_t slashes = 0, last = 0;

    for (size_t i = 0; i < len; i++)
        if (path[i] == '/') {
            slashes++;
            last = i;
        }
    return slashes + 1 == parts ? last : 0;
}

/* May they be told anything of those beside whom they may see? */
static bool knows_peers(const struct kp_control *control, const struct kp_peer *who)
{
    return (control->world.config->security.peers_anonymous || (who->user && who->user->peers)) && !kp_control_sees_all(who);
}

bool kp_control_sees_beside(const struct kp_control *control, const struct kp_peer *who, uint32_t node)
{
    size_t parts = control->world.config->roster.nlevels, len, parent;
    char topic[PATH_TEXT];

    if (!knows_peers(control, who) || !who->user)
        return false;
    len = kp_engine_topic(control->world.engine, "", node, topic, sizeof topic);
    parent = len < 2 ? 0 : parent_of(topic + 1, len - 2, parts);
    for (size_t i = 0; parent && i < who->user->read.count; i++) {
        const char *own = who->user->read.items[i];

        if (parent_of(own, strlen(own), parts) == parent && memcmp(own, topic + 1, parent) == 0)
            return true;
    }
    return false;
}

static uint64_t mixed(uint64_t secret, uint32_t node)
{
    uint64_t x = (secret ^ node) * UINT64_C(0x9E3779B97F4A7C15);

    return (x ^ x >> 29) * UINT64_C(0xBF58476D1CE4E5B9);
}

static int by_chance(const void *a, const void *b, void *secret)
{
    uint64_t x = mixed(*(const uint64_t *)secret, *(const uint32_t *)a), y = mixed(*(const uint64_t *)secret, *(const uint32_t *)b);

    return (x > y) - (x < y);
}

void kp_control_shuffle(const struct kp_control *control, const struct kp_peer *who, uint32_t *nodes, size_t n)
{
    uint64_t secret = control->secret;

    if (n && knows_peers(control, who))
        qsort_r(nodes, n, sizeof *nodes, by_chance, &secret);
}
