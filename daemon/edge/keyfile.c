#include "keyfile.h"

#include "config_read.h"
#include "faults.h"
#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zmq.h>

enum { FILE_MAX = 4096, KEY_BYTES = 32 };

bool kp_curve_is_key(const char *text)
{
    uint8_t bytes[KEY_BYTES];

    return strlen(text) == KP_CURVE_TEXT - 1 && zmq_z85_decode(bytes, text) != NULL;
}

/* ---- Reading ---- */

static enum kp_code take_entry(const char *path, const struct kp_node *entry, struct kp_key_file *keys, struct kp_err *err)
{
    const struct {
        const char *name;
        char *to;
    } known[] = {{"public_key", keys->public_key}, {"secret_key", keys->secret_key}, {"server_key", keys->server_key}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(entry->key, known[i].name) != 0)
            continue;
        if (entry->kind != KP_NODE_SCALAR || strlen(entry->text) != entry->len || !kp_curve_is_key(entry->text))
            return kp_fail(err, KP_EINVAL, "%s:%d:%d: %s: is no key: 40 characters of Z85, in quotes", path, entry->loc.line,
                           entry->loc.col, entry->key);
        memcpy(known[i].to, entry->text, KP_CURVE_TEXT);
        return KP_OK;
    }
    return kp_fail(err, KP_EINVAL, "%s:%d:%d: a key file has public_key, secret_key and server_key, and no \"%.60s\"", path,
                   entry->key_loc.line, entry->key_loc.col, entry->key);
}

static enum kp_code take_entries(const char *path, const struct kp_node *root, struct kp_key_file *keys, struct kp_err *err)
{
    char public_key[KP_CURVE_TEXT];

    if (root->kind != KP_NODE_MAP)
        return kp_fail(err, KP_EINVAL, "%s: is no key file: `kpictl keygen` makes one", path);
    for (const struct kp_node *entry = root->first; entry; entry = entry->next)
        if (take_entry(path, entry, keys, err))
            return KP_EINVAL;
    if (!keys->public_key[0])
        return kp_fail(err, KP_EINVAL, "%s: has no public_key", path);
    if (keys->secret_key[0] && (zmq_curve_public(public_key, keys->secret_key) != 0 || strcmp(public_key, keys->public_key) != 0))
        return kp_fail(err, KP_EINVAL, "%s: public_key and secret_key do not belong together", path);
    return KP_OK;
}

enum kp_code kp_key_file_read(const char *path, struct kp_key_file *keys, struct kp_err *err)
{
    struct kp_err why = {0};
    struct kp_fault_list faults;
    struct kp_tree *tree;
    struct stat st;
    size_t n = 0;
    char text[400], *bytes = kp_read_file(path, FILE_MAX, &n, &why);
    enum kp_code code;

    memset(keys, 0, sizeof *keys);
    if (!bytes || stat(path, &st) != 0) {
        free(bytes);
        return kp_fail(err, KP_EINVAL, "%s: %s", path, why.text[0] ? why.text : strerror(errno));
    }
    kp_fault_list_init(&faults, path);
    tree = kp_tree_parse(bytes, n, &faults.faults);
    if (!tree || faults.faults.count)
        code = kp_fail(err, KP_EINVAL, "%s", faults.count ? kp_fault_list_text(&faults, 0, text, sizeof text) : "out of memory");
    else
        code = take_entries(path, kp_tree_root(tree), keys, err);
    if (!code && keys->secret_key[0] && (st.st_mode & 077))
        code = kp_fail(err, KP_EINVAL, "%s: others may read this secret key: chmod 600", path);
    kp_tree_destroy(&tree);
    kp_fault_list_release(&faults);
    explicit_bzero(bytes, n);
    free(bytes);
    if (code)
        explicit_bzero(keys, sizeof *keys);
    return code;
}

enum kp_code kp_curve_public_of(const char *key_or_path, char key[KP_CURVE_TEXT], struct kp_err *err)
{
    struct kp_key_file keys;

    if (kp_curve_is_key(key_or_path)) {
        memcpy(key, key_or_path, KP_CURVE_TEXT);
        return KP_OK;
    }
    if (kp_key_file_read(key_or_path, &keys, err))
        return KP_EINVAL;
    memcpy(key, keys.public_key, KP_CURVE_TEXT);
    explicit_bzero(&keys, sizeof keys);
    return KP_OK;
}

/* ---- Writing ---- */

static void put_key(FILE *out, const char *name, const char *key)
{
    if (key[0])
        fprintf(out, "%s: \"%s\"\n", name, key);
}

enum kp_code kp_key_file_write(const char *path, const char *comment, const struct kp_key_file *keys, struct kp_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, keys->secret_key[0] ? 0600 : 0644);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    bool ok;

    if (!out) {
        kp_fail(err, KP_EIO, "%s: %s", path, errno == EEXIST ? "is there already, and is not written over" : strerror(errno));
        if (fd >= 0)
            close(fd);
        return KP_EIO;
    }
    fprintf(out, "# %s\n", comment);
    put_key(out, "public_key", keys->public_key);
    put_key(out, "secret_key", keys->secret_key);
    put_key(out, "server_key", keys->server_key);
    ok = fflush(out) == 0 && fsync(fd) == 0;
    ok = fclose(out) == 0 && ok;
    if (ok)
        return KP_OK;
    kp_fail(err, KP_EIO, "%s: %s", path, strerror(errno));
    unlink(path);
    return KP_EIO;
}

/* ---- Using ---- */

enum kp_code kp_curve_make(struct kp_key_file *keys, struct kp_err *err)
{
    if (zmq_curve_keypair(keys->public_key, keys->secret_key) == 0)
        return KP_OK;
    return kp_fail(err, KP_EIO, "keys: %s", errno == ENOTSUP ? "this libzmq has no CURVE" : zmq_strerror(errno));
}

static enum kp_code set_text(void *socket, int option, const char *text, struct kp_err *err)
{
    if (zmq_setsockopt(socket, option, text, strlen(text)) == 0)
        return KP_OK;
    return kp_fail(err, KP_EIO, "CURVE: %s", zmq_strerror(errno));
}

enum kp_code kp_curve_serve(void *socket, const char *secret_key, const char *domain, struct kp_err *err)
{
    enum kp_code code = kp_socket_set(socket, ZMQ_CURVE_SERVER, 1, err);

    code = code ? code : set_text(socket, ZMQ_CURVE_SECRETKEY, secret_key, err);
    return code ? code : set_text(socket, ZMQ_ZAP_DOMAIN, domain, err);
}

enum kp_code kp_curve_connect(void *socket, const struct kp_key_file *keys, struct kp_err *err)
{
    enum kp_code code = set_text(socket, ZMQ_CURVE_SERVERKEY, keys->server_key, err);

    code = code ? code : set_text(socket, ZMQ_CURVE_PUBLICKEY, keys->public_key, err);
    return code ? code : set_text(socket, ZMQ_CURVE_SECRETKEY, keys->secret_key, err);
}
