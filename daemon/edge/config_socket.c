/* ingest, publish, control: sockets, their endpoints, and what may be bound without CURVE. */
#include "config_read.h"

#include "keyfile.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct kp_config, field)

enum {
    ENDPOINT_MAX = 256,
    IPC_PATH_MAX = 107,         /* sun_path, less its NUL */
};

/* One entry of `ingest` as it is written; the three endpoints become one. */
struct ingest_entry {
    char *endpoint[3];          /* by enum kp_transport */
    struct kp_loc at[3];
    char **topics;
    size_t ntopics;
    struct kp_loc topics_at;
    bool bind;
    struct kp_loc bind_at;
    char server_key[KP_CURVE_TEXT];
    struct kp_loc server_key_at;
};

static const struct kp_word formats[] = {{"msgpack", 0, false}, {"json", 1, false}, {NULL, 0, false}};

/* ---- endpoints ---- */

static bool is_port(const char *text, bool bind)
{
    size_t digits = strspn(text, "0123456789");
    long port = 0;

    if (strcmp(text, "*") == 0)
        return bind;
    if (digits == 0 || digits > 5 || text[digits])
        return false;
    port = strtol(text, NULL, 10);
    return port >= 1 && port <= 65535;
}

/* "HOST:PORT" -> the host without brackets into host[ENDPOINT_MAX]; NULL, or what is wrong. */
static const char *split_tcp(const char *rest, bool bind, char *host)
{
    const char *colon = strrchr(rest, ':');
    size_t len = colon ? (size_t)(colon - rest) : 0;

    if (!colon || len == 0)
        return "must be tcp://HOST:PORT";
    if (!is_port(colon + 1, bind))
        return bind ? "the port must be 1 to 65535, or *" : "the port must be 1 to 65535";
    if (rest[0] == '[') {
        struct in6_addr address;

        memcpy(host, rest + 1, len - 1);
        host[len - 1] = '\0';
        if (len < 3 || host[len - 2] != ']')
            return "an IPv6 address needs its brackets: tcp://[::1]:5557";
        host[len - 2] = '\0';
        return inet_pton(AF_INET6, host, &address) == 1 ? NULL : "the host is no IPv6 address";
    }
    memcpy(host, rest, len);
    host[len] = '\0';
    if (strcmp(host, "*") == 0)
        return bind ? NULL : "a host to connect to can't be *";
    if (strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != len)
        return "the host holds a character that no host name has";
    return NULL;
}

static const char *endpoint_problem(const char *endpoint, bool bind, char *host)
{
    host[0] = '\0';
    if (strncmp(endpoint, "tcp://", 6) == 0)
        return split_tcp(endpoint + 6, bind, host);
    if (strncmp(endpoint, "ipc://", 6) == 0) {
        size_t len = strlen(endpoint + 6);

        return len == 0 ? "must be ipc://PATH" : len > IPC_PATH_MAX ? "the path is longer than 107 bytes" : NULL;
    }
    if (strncmp(endpoint, "inproc://", 9) == 0)
        return endpoint[9] ? NULL : "must be inproc://NAME";
    return "must be tcp://HOST:PORT, ipc://PATH or inproc://NAME";
}

/* Does binding there stay on this machine? A name other than localhost could mean anything. */
static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (host[0] == '\0' || strcmp(host, "localhost") == 0 || strcmp(host, "lo") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static void check_endpoint(struct kp_loader *ld, struct kp_loc loc, const char *endpoint, bool bind)
{
    char host[ENDPOINT_MAX + 1];
    const char *problem = endpoint_problem(endpoint, bind, host);

    if (problem)
        kp_complain(ld, loc, "\"%s\": %s", endpoint, problem);
    else if (bind && !ld->config->insecure && !ld->config->security.is_on && !is_loopback(host))
        kp_complain(ld, loc, "\"%s\" would be open to the network without encryption; bind 127.0.0.1, give \"security\", or say "
                             "\"insecure: true\" at the top", endpoint);
}

/* ---- ingest ---- */

static KP_READER(read_topics)
{
    struct ingest_entry *entry = into;

    (void)key;
    entry->topics_at = node->loc;
    kp_texts_of(ld, node, 256, 1024, &entry->topics, &entry->ntopics);
}

static KP_READER(read_bind)
{
    struct ingest_entry *entry = into;

    entry->bind_at = node->loc;
    kp_read_bool(ld, node, &entry->bind, key);
}

static KP_READER(read_publisher_key)
{
    struct ingest_entry *entry = into;

    entry->server_key_at = node->loc;
    kp_read_public_key(ld, node, entry->server_key, key);
}

static KP_READER(read_endpoint)
{
    struct ingest_entry *entry = into;
    size_t transport = (size_t)key->min;

    entry->at[transport] = node->loc;
    kp_read_text(ld, node, &entry->endpoint[transport], key);
}

const struct kp_key kp_ingest_keys[] = {
    {.name = "sub", .read = read_endpoint, .min = KP_IN_SUB, .max = ENDPOINT_MAX},
    {.name = "pull", .read = read_endpoint, .min = KP_IN_PULL, .max = ENDPOINT_MAX},
    {.name = "router", .read = read_endpoint, .min = KP_IN_ROUTER, .max = ENDPOINT_MAX},
    {.name = "topics", .read = read_topics},
    {.name = "bind", .read = read_bind},
    {.name = "server_key", .read = read_publisher_key},
    {.name = NULL},
};

static bool one_transport(struct kp_loader *ld, const struct kp_node *node, const struct ingest_entry *entry,
                          enum kp_transport *transport)
{
    int named = 0;

    for (int i = 0; i < 3; i++) {
        if (entry->at[i].line) {
            named++;
            *transport = (enum kp_transport)i;
        }
    }
    if (named != 1)
        kp_complain(ld, node->loc, "must name one endpoint: sub, pull or router");
    else if (*transport != KP_IN_SUB && entry->topics_at.line)
        kp_complain(ld, entry->topics_at, "only a sub socket has topics");
    else if (*transport != KP_IN_SUB && entry->bind_at.line)
        kp_complain(ld, entry->bind_at, "only a sub socket has bind; pull and router always bind");
    else if (entry->server_key_at.line && (*transport != KP_IN_SUB || entry->bind))
        kp_complain(ld, entry->server_key_at, "only a sub socket that connects has a server_key: who connects to kpid has to know kpid's");
    return named == 1;
}

static void read_ingest_entry(struct kp_loader *ld, const struct kp_node *node)
{
    struct ingest_entry entry = {0};
    struct kp_ingest_cfg *ingest = NULL;
    enum kp_transport transport = KP_IN_SUB;

    if (kp_read_map(ld, node, kp_ingest_keys, &entry) && one_transport(ld, node, &entry, &transport))
        ingest = kp_grow(ld, &ld->config->ingest, &ld->config->ningest, sizeof *ld->config->ingest);
    if (ingest) {
        *ingest = (struct kp_ingest_cfg){.transport = transport, .endpoint = entry.endpoint[transport],
                                         .bind = transport != KP_IN_SUB || entry.bind, .topics = entry.topics,
                                         .ntopics = entry.ntopics, .loc = entry.at[transport]};
        memcpy(ingest->server_key, entry.server_key, KP_CURVE_TEXT);
        return;
    }
    for (size_t i = 0; i < 3; i++)
        free(entry.endpoint[i]);
    for (size_t i = 0; i < entry.ntopics; i++)
        free(entry.topics[i]);
    free(entry.topics);
}

KP_READER(kp_read_ingest)
{
    size_t i = 0;

    (void)into;
    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_LIST, 256))
        return;
    for (const struct kp_node *item = node->first; item; item = item->next) {
        size_t back = kp_path_index(ld, i++);

        read_ingest_entry(ld, item);
        kp_path_back(ld, back);
    }
}

/* ---- publish and control ---- */

const struct kp_key kp_publish_keys[] = {
    {.name = "endpoint", .need = KP_REQUIRED, .read = kp_read_text, .at = AT(publish_endpoint), .max = ENDPOINT_MAX},
    {.name = "interval", .read = kp_read_duration, .at = AT(publish_interval_ms), .min = 10, .max = 3600000},
    {.name = "full_every", .read = kp_read_duration, .at = AT(publish_full_ms), .min = 10, .max = 86400000},
    {.name = "format", .read = kp_read_switch, .at = AT(publish_json), .words = formats},
    {.name = "hwm", .read = kp_read_int, .at = AT(publish_hwm), .min = 1, .max = 10000000},
    {.name = NULL},
};

const struct kp_key kp_control_keys[] = {
    {.name = "endpoint", .need = KP_REQUIRED, .read = kp_read_text, .at = AT(control_endpoint), .max = ENDPOINT_MAX},
    {.name = NULL},
};

KP_READER(kp_read_publish)
{
    const struct kp_config *config = ld->config;

    (void)key;
    if (kp_read_map(ld, node, kp_publish_keys, into) && config->publish_full_ms < config->publish_interval_ms)
        kp_complain(ld, node->loc, "full_every must not be shorter than interval");
}

KP_READER(kp_read_control)
{
    (void)key;
    kp_read_map(ld, node, kp_control_keys, into);
}

/* ---- when all is read ---- */

static struct kp_loc endpoint_loc(const struct kp_node *root, const char *section)
{
    const struct kp_node *map = kp_node_get(root, section);
    const struct kp_node *endpoint = map ? kp_node_get(map, "endpoint") : NULL;

    return endpoint ? endpoint->loc : (struct kp_loc){0};
}

struct bound {
    const char *endpoint, *by;
};

/* Lengthen the path to an endpoint of `ingest`. Its index is that in the file, where faulty entries stand too. */
static size_t push_ingest_path(struct kp_loader *ld, const struct kp_node *root, const struct kp_ingest_cfg *ingest)
{
    static const char *const keys[] = {"sub", "pull", "router"};
    const struct kp_node *list = kp_node_get(root, "ingest"), *item = list ? list->first : NULL;
    const char *name = keys[ingest->transport];
    size_t back = kp_path_key(ld, "ingest"), i = 0;

    for (; item; item = item->next, i++) {
        const struct kp_node *endpoint = kp_node_get(item, name);

        if (endpoint && endpoint->loc.line == ingest->loc.line && endpoint->loc.col == ingest->loc.col)
            break;
    }
    kp_path_index(ld, i);
    kp_path_key(ld, name);
    return back;
}

static void check_connected(struct kp_loader *ld, const struct kp_ingest_cfg *ingest)
{
    const struct kp_config *config = ld->config;

    check_endpoint(ld, ingest->loc, ingest->endpoint, false);
    if (config->security.is_on && !config->insecure && ld->dir && !ingest->server_key[0] && kp_endpoint_is_tcp(ingest->endpoint))
        kp_complain(ld, ingest->loc, "with \"security\" nothing goes over TCP in plain text: give the publisher's \"server_key\", or say "
                                     "\"insecure: true\" at the top");
}

/* Check one endpoint, and that no socket before it is bound to the same. */
static void check_bound(struct kp_loader *ld, struct bound *bound, size_t *nbound, struct kp_loc loc,
                        const char *endpoint, const char *by)
{
    size_t len = strlen(endpoint);

    check_endpoint(ld, loc, endpoint, true);
    if (len && endpoint[len - 1] == '*')        /* any free port */
        return;
    for (size_t i = 0; i < *nbound; i++) {
        if (strcmp(bound[i].endpoint, endpoint) == 0) {
            kp_complain(ld, loc, "\"%s\" is bound twice (also by %s)", endpoint, bound[i].by);
            return;
        }
    }
    bound[(*nbound)++] = (struct bound){endpoint, by};
}

static void check_section(struct kp_loader *ld, const struct kp_node *root, struct bound *bound, size_t *nbound,
                          const char *section, const char *endpoint)
{
    size_t back;

    if (!endpoint)
        return;
    back = kp_path_key(ld, section);
    kp_path_key(ld, "endpoint");
    check_bound(ld, bound, nbound, endpoint_loc(root, section), endpoint, section);
    kp_path_back(ld, back);
}

void kp_check_sockets(struct kp_loader *ld, const struct kp_node *root)
{
    const struct kp_config *config = ld->config;
    struct bound *bound = kp_zeros(ld, config->ningest + 2, sizeof *bound);
    size_t nbound = 0;

    if (!bound)
        return;
    for (size_t i = 0; i < config->ningest; i++) {
        const struct kp_ingest_cfg *ingest = &config->ingest[i];
        size_t back = push_ingest_path(ld, root, ingest);

        if (ingest->endpoint && ingest->bind)
            check_bound(ld, bound, &nbound, ingest->loc, ingest->endpoint, "ingest");
        else if (ingest->endpoint)
            check_connected(ld, ingest);
        kp_path_back(ld, back);
    }
    check_section(ld, root, bound, &nbound, "publish", config->publish_endpoint);
    check_section(ld, root, bound, &nbound, "control", config->control_endpoint);
    free(bound);
}
