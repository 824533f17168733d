#include "client_config.h"

#include "keyfile.h"

#include <stdlib.h>
#include <string.h>

KP_READER(client_read_endpoint)
{
    const char *text = kp_text(ld, node, 500);

    (void)key;
    if (text && strncmp(text, "tcp://", 6) != 0 && strncmp(text, "ipc://", 6) != 0)
        kp_complain(ld, node->loc, "\"%.100s\" must be tcp://HOST:PORT or ipc://PATH", text);
    else if (text && strchr(text, '*'))
        kp_complain(ld, node->loc, "\"%.100s\": a host and a port to connect to are wanted, not *", text);
    else if (text)
        *(char **)into = kp_copy(ld, text);
}

KP_READER(client_read_identity)
{
    struct kp_key_file *identity = into;
    char *file = ld->dir ? kp_file_of(ld, node) : NULL;
    struct kp_err err = {0};

    (void)key;
    if (file && kp_key_file_read(file, identity, &err))
        kp_complain(ld, node->loc, "%s", err.text);
    else if (file && !identity->secret_key[0])
        kp_complain(ld, node->loc, "%s: has no secret_key: it is what others are given", file);
    free(file);
}

int client_config_load_bytes(const struct client_config *how, const char *dir, const void *bytes, size_t len, void *config,
                             struct kp_faults *faults)
{
    struct kp_loader ld = {.faults = faults, .dir = dir};
    size_t before = faults->count;
    struct kp_tree *tree;

    how->begin(config);
    ld.numbers = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    ld.out_of_memory = !ld.numbers;
    tree = kp_tree_parse(bytes, len, faults);
    if (tree && kp_read_map(&ld, kp_tree_root(tree), how->keys, config))
        how->finish(&ld, kp_tree_root(tree), config);
    if (ld.out_of_memory)
        kp_fault(faults, (struct kp_loc){0}, "", "out of memory");
    if (ld.numbers)
        freelocale(ld.numbers);
    kp_tree_destroy(&tree);
    if (faults->count != before)
        how->release(config);
    return (int)(faults->count - before);
}

int client_config_load(const struct client_config *how, const char *file, void *config, struct kp_faults *faults)
{
    const char *slash = strrchr(file, '/');
    char *dir = slash ? strndup(file, (size_t)(slash - file) + 1) : strdup("");
    struct kp_err err = {0};
    size_t len = 0;
    char *bytes = kp_read_file(file, KP_TREE_BYTES_MAX, &len, &err);
    int count = 1;

    if (!dir || !bytes)
        kp_fault(faults, (struct kp_loc){0}, "", "%s", bytes ? "out of memory" : err.text);
    else
        count = client_config_load_bytes(how, dir, bytes, len, config, faults);
    free(dir);
    free(bytes);
    return count;
}
