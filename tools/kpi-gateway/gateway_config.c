#include "gateway_config.h"

#include "client_config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#define AT(field) offsetof(struct gateway_config, field)

enum { USERS_MAX = 100000, NAME_BYTES = 128, LIST_MAX = 1000, HEADER_BYTES = 64 };

/* ---- kpid, listen ---- */

static const struct kp_key kpid_keys[] = {
    {.name = "publish", .need = KP_REQUIRED, .read = client_read_endpoint, .at = AT(publish)},
    {.name = "control", .need = KP_REQUIRED, .read = client_read_endpoint, .at = AT(control)},
    {.name = "key", .read = client_read_identity, .at = AT(identity)},
    {.name = "server_key", .read = kp_read_public_key, .at = AT(identity.server_key)},
    {.name = NULL},
};

static KP_READER(read_kpid)
{
    struct gateway_config *config = into;

    (void)key;
    if (kp_read_map(ld, node, kpid_keys, config) && !config->identity.secret_key[0] && config->identity.server_key[0])
        kp_complain(ld, node->loc, "\"server_key\" is of use only beside \"key\"");
}

static bool is_address(const char *text)
{
    unsigned char bytes[16];

    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

/* "127.0.0.1:8420", "[::1]:8420" */
static KP_READER(read_listen)
{
    struct gateway_config *config = into;
    const char *text = kp_text(ld, node, 80), *colon = text ? strrchr(text, ':') : NULL;
    size_t len = colon ? (size_t)(colon - text) : 0, brackets = text && text[0] == '[' && len > 2 && colon[-1] == ']';
    char *end = NULL;
    long port = colon ? strtol(colon + 1, &end, 10) : -1;
    char host[64] = "";

    (void)key;
    if (!text)
        return;
    if (len && len - 2 * brackets < sizeof host)
        memcpy(host, text + brackets, len - 2 * brackets);
    if (!colon || !is_address(host) || !brackets == !!strchr(host, ':') || !colon[1] || *end || port < 0 || port > 65535) {
        kp_complain(ld, node->loc, "\"%.80s\" is no address to listen at, like 127.0.0.1:8420 or [::1]:8420", text);
        return;
    }
    memcpy(config->host, host, sizeof host);
    config->port = (uint16_t)port;
}

/* ---- Users ---- */

static KP_READER(read_token)
{
    struct rights *rights = into;
    const char *text = kp_string(ld, node, 100);
    size_t len = 0;

    (void)key;
    if (!text)
        return;
    rights->has_token = strncmp(text, "sha256:", 7) == 0 && strlen(text) == 7 + 64 &&
                        sodium_hex2bin(rights->token, sizeof rights->token, text + 7, 64, NULL, &len, NULL) == 0 && len == 32;
    if (!rights->has_token)
        kp_complain(ld, node->loc, "is no \"sha256:\" with 64 hex digits behind it, as `kpi-gateway --token` prints it");
}

static const struct kp_key user_keys[] = {
    {.name = "token", .read = read_token},
    {.name = "read", .read = kp_read_paths, .at = offsetof(struct rights, user.read)},
    {.name = "acknowledge", .read = kp_read_bool, .at = offsetof(struct rights, acknowledge)},
    {.name = "admin", .read = kp_read_bool, .at = offsetof(struct rights, user.admin)},
    {.name = NULL},
};

static void read_rights(struct kp_loader *ld, const struct kp_node *node, struct rights *rights)
{
    size_t before = ld->faults->count;

    if (kp_read_map(ld, node, user_keys, rights) && ld->faults->count == before && !rights->user.admin && !rights->user.read.all &&
        !rights->user.read.count)
        kp_complain(ld, node->loc, "sees nothing: give read or admin");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct rights *)a)->name, ((const struct rights *)b)->name);
}

static KP_READER(read_users)
{
    struct gateway_config *config = into;

    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_MAP, USERS_MAX))
        return;
    for (const struct kp_node *item = node->first; item; item = item->next) {
        size_t back = kp_path_key(ld, item->key);
        struct rights *rights = kp_grow(ld, &config->users, &config->nusers, sizeof *config->users);

        if (!rights)
            return;
        rights->name = kp_copy(ld, item->key);
        if (!*item->key || strlen(item->key) > NAME_BYTES)
            kp_complain(ld, item->key_loc, "a user's name has 1 to %d bytes", NAME_BYTES);
        if (strcmp(item->key, "anonymous") == 0)
            kp_complain(ld, item->key_loc, "is whoever does not say who they are, and not a user: see \"anonymous\"");
        read_rights(ld, item, rights);
        kp_path_back(ld, back);
    }
}

static KP_READER(read_anonymous)
{
    struct gateway_config *config = into;

    (void)key;
    config->has_anonymous = true;
    config->anonymous.name = kp_copy(ld, "");
    read_rights(ld, node, &config->anonymous);
    if (config->anonymous.has_token)
        kp_complain(ld, node->loc, "who does not say who they are has no token");
}

/* ---- proxy, metrics, limits ---- */

static KP_READER(read_names)
{
    struct gateway_list *list = into;

    (void)key;
    kp_texts_of(ld, node, 512, LIST_MAX, &list->items, &list->count);
}

static KP_READER(read_addresses)
{
    struct gateway_list *list = into;
    const struct kp_node *item = node->first;

    read_names(ld, node, into, key);
    for (size_t i = 0; i < list->count && item; i++, item = item->next)
        if (!is_address(list->items[i]))
            kp_complain(ld, item->loc, "\"%.80s\" is no address, like 127.0.0.1", list->items[i]);
}

static KP_READER(read_header)
{
    const char *text = kp_text(ld, node, HEADER_BYTES);

    (void)key;
    if (text && text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")])
        kp_complain(ld, node->loc, "\"%.64s\" is no name of a header", text);
    else if (text)
        *(char **)into = kp_copy(ld, text);
}

static const struct kp_key proxy_keys[] = {
    {.name = "header", .need = KP_REQUIRED, .read = read_header, .at = AT(proxy_header)},
    {.name = "from", .need = KP_REQUIRED, .read = read_addresses, .at = AT(proxies)},
    {.name = NULL},
};

static KP_READER(read_proxy)
{
    (void)key;
    kp_read_map(ld, node, proxy_keys, into);
}

static const struct kp_key metrics_keys[] = {
    {.name = "levels", .read = read_names, .at = AT(metrics.levels)},
    {.name = "kpis", .read = read_names, .at = AT(metrics.kpis)},
    {.name = "windows", .read = read_names, .at = AT(metrics.windows)},
    {.name = "series", .read = kp_read_count32, .at = AT(metrics.series), .min = 1, .max = 1000000},
    {.name = NULL},
};

static KP_READER(read_metrics)
{
    struct gateway_config *config = into;

    (void)key;
    config->metrics.is_on = true;
    kp_read_map(ld, node, metrics_keys, into);
}

static const struct kp_key limits_keys[] = {
    {.name = "browsers", .read = kp_read_count32, .at = AT(browsers), .min = 1, .max = 100000},
    {.name = "streams", .read = kp_read_count32, .at = AT(streams), .min = 1, .max = 100000},
    {.name = "requests", .read = kp_read_count32, .at = AT(requests), .min = 1, .max = 100000},
    {.name = "sessions", .read = kp_read_count32, .at = AT(sessions), .min = 1, .max = 1000000},
    {.name = "keys", .read = kp_read_count32, .at = AT(keys), .min = 1, .max = 10000000},
    {.name = "alerts", .read = kp_read_count32, .at = AT(alerts), .min = 1, .max = 10000000},
    {.name = NULL},
};

static KP_READER(read_limits)
{
    (void)key;
    kp_read_map(ld, node, limits_keys, into);
}

static const struct kp_word peers[] = {{"hidden", 0, false}, {"anonymous", 1, false}, {NULL, 0, false}};

static const struct kp_key top_keys[] = {
    {.name = "kpid", .need = KP_REQUIRED, .read = read_kpid},
    {.name = "listen", .read = read_listen},
    {.name = "insecure", .read = kp_read_bool, .at = AT(insecure)},
    {.name = "users", .read = read_users},
    {.name = "anonymous", .read = read_anonymous},
    {.name = "proxy", .read = read_proxy},
    {.name = "peers", .read = kp_read_switch, .at = AT(peers_anonymous), .words = peers},
    {.name = "metrics", .read = read_metrics},
    {.name = "limits", .read = read_limits},
    {.name = NULL},
};

const struct kp_key_table *gateway_config_tables(size_t *count)
{
    static const struct kp_key_table tables[] = {{"", top_keys},        {"kpid", kpid_keys},       {"users.NAME", user_keys},
                                                 {"proxy", proxy_keys}, {"metrics", metrics_keys}, {"limits", limits_keys}};

    *count = sizeof tables / sizeof *tables;
    return tables;
}

/* ---- As a whole ---- */

static void set_defaults(void *into)
{
    struct gateway_config *config = into;

    *config = (struct gateway_config){.host = "127.0.0.1", .port = 8420, .metrics = {.series = 10000}, .browsers = 2000,
                                      .streams = 1000, .requests = 50, .sessions = 10000, .keys = 200000, .alerts = 100000};
}

/* A list that is not given. */
static void default_list(struct kp_loader *ld, struct gateway_list *list, const char *only)
{
    char **item = list->count ? NULL : kp_grow(ld, &list->items, &list->count, sizeof *list->items);

    if (item)
        *item = kp_copy(ld, only);
}

static void finish(struct kp_loader *ld, const struct kp_node *root, void *into)
{
    struct gateway_config *config = into;
    const struct kp_node *listen = kp_node_get(root, "listen");
    struct kp_loc loc = listen ? listen->loc : (struct kp_loc){0};

    if (!is_loopback(config->host) && !config->insecure)
        kp_complain(ld, loc, "listens beyond this machine, without TLS: put a proxy in front that has it, or say `insecure: true`");
    if (!config->has_anonymous && !config->nusers && !kp_misspelt(root, top_keys, "users") && !kp_misspelt(root, top_keys, "anonymous"))
        kp_complain(ld, (struct kp_loc){0}, "nobody may see anything: give \"users\" or \"anonymous\"");
    if (ld->out_of_memory)
        return;
    if (config->metrics.is_on) {
        default_list(ld, &config->metrics.levels, "company");
        default_list(ld, &config->metrics.windows, "day");
    }
    if (config->nusers)
        qsort(config->users, config->nusers, sizeof *config->users, by_name);
    for (size_t i = 0; i < config->nusers; i++)
        config->users[i].user.name = config->users[i].name;
    config->anonymous.user.name = config->anonymous.name;
}

static void release_list(char **items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(items[i]);
    free(items);
}

static void release_rights(struct rights *rights)
{
    free(rights->name);
    release_list(rights->user.read.items, rights->user.read.count);
}

void gateway_config_release(struct gateway_config *config)
{
    for (size_t i = 0; i < config->nusers; i++)
        release_rights(&config->users[i]);
    release_rights(&config->anonymous);
    free(config->users);
    free(config->publish);
    free(config->control);
    free(config->proxy_header);
    release_list(config->proxies.items, config->proxies.count);
    release_list(config->metrics.levels.items, config->metrics.levels.count);
    release_list(config->metrics.kpis.items, config->metrics.kpis.count);
    release_list(config->metrics.windows.items, config->metrics.windows.count);
    explicit_bzero(&config->identity, sizeof config->identity);
    memset(config, 0, sizeof *config);
}

static void release(void *config)
{
    gateway_config_release(config);
}

static const struct client_config how = {top_keys, set_defaults, finish, release};

int gateway_config_load(const char *file, struct gateway_config *config, struct kp_faults *faults)
{
    memset(config, 0, sizeof *config);
    return client_config_load(&how, file, config, faults);
}

int gateway_config_load_bytes(const char *dir, const void *bytes, size_t len, struct gateway_config *config, struct kp_faults *faults)
{
    return client_config_load_bytes(&how, dir, bytes, len, config, faults);
}

/* ---- Looking up ---- */

static int by_its_name(const void *name, const void *rights)
{
    return strcmp(name, ((const struct rights *)rights)->name);
}

const struct rights *gateway_config_user(const struct gateway_config *config, const char *name)
{
    return config->nusers ? bsearch(name, config->users, config->nusers, sizeof *config->users, by_its_name) : NULL;
}

const struct rights *gateway_config_token(const struct gateway_config *config, const char *token, size_t len)
{
    unsigned char hash[crypto_hash_sha256_BYTES];

    crypto_hash_sha256(hash, (const unsigned char *)token, len);
    for (size_t i = 0; i < config->nusers; i++)
        if (config->users[i].has_token && sodium_memcmp(hash, config->users[i].token, sizeof hash) == 0)
            return &config->users[i];
    return NULL;
}

bool gateway_config_is_proxy(const struct gateway_config *config, const char *address)
{
    for (size_t i = 0; i < config->proxies.count; i++)
        if (strcmp(config->proxies.items[i], address) == 0)
            return true;
    return false;
}
