/* Configurations of programs that are clients of kpid: how they reach it, and reading their YAML as a whole, or every fault of it. */
#ifndef KPID_TOOLS_CLIENT_CONFIG_H
#define KPID_TOOLS_CLIENT_CONFIG_H

#include "config_read.h"

KP_READER(client_read_endpoint);    /* char *: something to connect to */
KP_READER(client_read_identity);    /* struct kp_key_file: our own keys; the file may name kpid's, too */

/* What a program's configuration is made of. */
struct client_config {
    const struct kp_key *keys;      /* of its top */
    void (*begin)(void *config);    /* fill it with defaults */
    void (*finish)(struct kp_loader *ld, const struct kp_node *root, void *config);     /* check what belongs together */
    void (*release)(void *config);
};

/* Fill *config from bytes. 0 when it is well; else the number of faults that were told, and *config is released. dir: what files are
 * relative to; NULL: none may be read. */
int client_config_load_bytes(const struct client_config *how, const char *dir, const void *bytes, size_t len, void *config,
                             struct kp_faults *faults) KP_CHECK;
/* The same from a file. */
int client_config_load(const struct client_config *how, const char *file, void *config, struct kp_faults *faults) KP_CHECK;

#endif
