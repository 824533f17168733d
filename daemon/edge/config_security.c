/* security: the server's key, and the file that says whose keys may do what. */
#include "config_read.h"

#include "keyfile.h"

#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct kp_security_cfg, field)

enum { USERS_MAX = 100000, NAME_MAX_BYTES = 128, LIST_MAX = 10000, PATH_MAX_BYTES = 1024, KEYS_BYTES_MAX = 64 << 20 };

static const struct kp_word peers[] = {{"hidden", 0, false}, {"anonymous", 1, false}, {NULL, 0, false}};

static KP_READER(read_file_name)
{
    char **path = into;

    (void)key;
    *path = kp_file_of(ld, node);
}

const struct kp_key kp_security_keys[] = {
    {.name = "server_key", .need = KP_REQUIRED, .read = read_file_name, .at = AT(server_file)},
    {.name = "authorized_keys", .need = KP_REQUIRED, .read = read_file_name, .at = AT(users_file)},
    {.name = "peers", .read = kp_read_switch, .at = AT(peers_anonymous), .words = peers},
    {.name = NULL},
};

KP_READER(kp_read_public_key)
{
    const char *text = kp_text(ld, node, 1024);
    char *file = text && ld->dir && !kp_curve_is_key(text) ? kp_file_of(ld, node) : NULL;
    struct kp_err err = {0};

    (void)key;
    if (text && (file || kp_curve_is_key(text)) && kp_curve_public_of(file ? file : text, into, &err))
        kp_complain(ld, node->loc, "%s", err.text);
    free(file);
}

/* ---- A user ---- */

static KP_READER(read_user_key)
{
    struct kp_user_cfg *user = into;
    const char *text = kp_string(ld, node, KP_CURVE_TEXT - 1);

    (void)key;
    if (text && !kp_curve_is_key(text))
        kp_complain(ld, node->loc, "is no public key: 40 characters of Z85, as `kpictl keygen` prints them");
    else if (text)
        memcpy(user->key, text, KP_CURVE_TEXT);
}

/* The word for all of them, or a list. */
static void read_role(struct kp_loader *ld, const struct kp_node *node, const char *all, size_t most_bytes, struct kp_role_cfg *role)
{
    if (node->kind == KP_NODE_SCALAR && node->text && strcmp(node->text, all) == 0) {
        role->all = true;
        return;
    }
    if (node->kind != KP_NODE_LIST)
        kp_complain(ld, node->loc, "must be a list, or the word %s", all);
    else
        kp_texts_of(ld, node, most_bytes, LIST_MAX, &role->items, &role->count);
}

static KP_READER(read_emit)
{
    (void)key;
    read_role(ld, node, "any", NAME_MAX_BYTES, into);
}

/* As topics have it, without a slash at its ends. */
static bool is_path(const char *path)
{
    size_t len = strlen(path);

    if (path[0] == '/' || path[len - 1] == '/' || strstr(path, "//"))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)path[i] <= ' ' || path[i] == 0x7f)
            return false;
    return true;
}

KP_READER(kp_read_paths)
{
    struct kp_role_cfg *role = into;
    const struct kp_node *item = node->first;

    (void)key;
    read_role(ld, node, "all", PATH_MAX_BYTES, role);
    for (size_t i = 0; i < role->count && item; i++, item = item->next)
        if (!is_path(role->items[i]))
            kp_complain(ld, item->loc, "\"%s\" is no path as topics have them: names between slashes, what is not printed as %%XX",
                        role->items[i]);
}

const struct kp_key kp_user_keys[] = {
    {.name = "key", .need = KP_REQUIRED, .read = read_user_key},
    {.name = "emit", .read = read_emit, .at = offsetof(struct kp_user_cfg, emit)},
    {.name = "read", .read = kp_read_paths, .at = offsetof(struct kp_user_cfg, read)},
    {.name = "admin", .read = kp_read_bool, .at = offsetof(struct kp_user_cfg, admin)},
    {.name = NULL},
};

static bool has_role(const struct kp_user_cfg *user)
{
    return user->admin || user->emit.all || user->emit.count || user->read.all || user->read.count;
}

static void read_user(struct kp_loader *ld, const struct kp_node *node)
{
    struct kp_security_cfg *security = &ld->config->security;
    struct kp_user_cfg *user = kp_grow(ld, &security->users, &security->nusers, sizeof *security->users);
    size_t before = ld->faults->count, len = strlen(node->key);

    if (!user)
        return;
    user->loc = node->key_loc;
    user->loc.file = security->users_file;
    user->name = kp_copy(ld, node->key);
    if (len == 0 || len > NAME_MAX_BYTES)
        kp_complain(ld, node->key_loc, "a user's name has 1 to %d bytes", NAME_MAX_BYTES);
    kp_read_map(ld, node, kp_user_keys, user);
    if (ld->faults->count == before && !has_role(user))
        kp_complain(ld, node->loc, "may do nothing: give emit, read or admin");
}

/* ---- The file of users ---- */

static KP_READER(read_users)
{
    (void)into;
    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_MAP, USERS_MAX))
        return;
    for (const struct kp_node *item = node->first; item; item = item->next) {
        size_t back = kp_path_key(ld, item->key);

        read_user(ld, item);
        kp_path_back(ld, back);
    }
}

const struct kp_key kp_users_file_keys[] = {
    {.name = "users", .need = KP_REQUIRED, .read = read_users},
    {.name = NULL},
};

static int by_key(const void *a, const void *b)
{
    const struct kp_user_cfg *x = a, *y = b;

    return strcmp(x->key, y->key);
}

static void sort_users(struct kp_loader *ld, size_t before)
{
    struct kp_security_cfg *security = &ld->config->security;

    if (ld->faults->count != before)
        return;
    qsort(security->users, security->nusers, sizeof *security->users, by_key);
    for (size_t i = 1; i < security->nusers; i++)
        if (strcmp(security->users[i].key, security->users[i - 1].key) == 0)
            kp_complain(ld, security->users[i].loc, "\"%s\" and \"%s\" have the same key", security->users[i - 1].name,
                        security->users[i].name);
}

/* Faults that are found while a file beside the configuration is read stand in that file. */
struct beside {
    struct kp_faults *faults;
    const char *file;
};

static void add_beside(void *ctx, struct kp_loc loc, const char *path, const char *text)
{
    struct beside *beside = ctx;

    loc.file = beside->file;
    kp_fault(beside->faults, loc, path, "%s", text);
}

static void read_users_file(struct kp_loader *ld, const struct kp_node *at)
{
    struct kp_security_cfg *security = &ld->config->security;
    struct beside beside = {ld->faults, security->users_file};
    struct kp_faults faults = {add_beside, &beside, 0};
    char path[KP_PATH_TEXT];
    size_t len, path_len = ld->path_len;
    struct kp_err err = {0};
    char *bytes = kp_read_file(security->users_file, KEYS_BYTES_MAX, &len, &err);
    struct kp_tree *tree;

    if (!bytes) {
        kp_complain(ld, at->loc, "%s: %s", security->users_file, err.text);
        return;
    }
    memcpy(path, ld->path, sizeof path);
    kp_path_back(ld, 0);
    ld->faults = &faults;
    tree = kp_tree_parse(bytes, len, &faults);
    if (tree)
        kp_read_map(ld, kp_tree_root(tree), kp_users_file_keys, ld->config);
    sort_users(ld, 0);
    ld->faults = beside.faults;
    memcpy(ld->path, path, sizeof path);
    ld->path_len = path_len;
    kp_tree_destroy(&tree);
    free(bytes);
}

static void read_server_key(struct kp_loader *ld, const struct kp_node *at)
{
    struct kp_security_cfg *security = &ld->config->security;
    struct kp_key_file keys;
    struct kp_err err = {0};

    if (kp_key_file_read(security->server_file, &keys, &err))
        kp_complain(ld, at->loc, "%s", err.text);
    else if (!keys.secret_key[0])
        kp_complain(ld, at->loc, "%s: has no secret_key", security->server_file);
    else
        memcpy(security->secret_key, keys.secret_key, KP_CURVE_TEXT);
    explicit_bzero(&keys, sizeof keys);
}

KP_READER(kp_read_security)
{
    struct kp_config *config = into;
    size_t back;

    (void)key;
    config->security.is_on = true;
    if (!kp_read_map(ld, node, kp_security_keys, &config->security) || !ld->dir)
        return;
    back = kp_path_key(ld, "server_key");
    if (config->security.server_file)
        read_server_key(ld, kp_node_get(node, "server_key"));
    kp_path_back(ld, back);
    back = kp_path_key(ld, "authorized_keys");
    if (config->security.users_file)
        read_users_file(ld, kp_node_get(node, "authorized_keys"));
    kp_path_back(ld, back);
}
