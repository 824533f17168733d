/* Loading a configuration: a YAML file in, plain data out (kpid/config.h), or every fault of it at once.
 *
 * The loader reads three kinds of file and nothing else: the YAML itself, the roster's CSV beside it, and the
 * zone's TZif file under $TZDIR or /usr/share/zoneinfo. What each key means is told in config/README.md. */
#ifndef KPID_EDGE_CONFIG_H
#define KPID_EDGE_CONFIG_H

#include "kpid/config.h"
#include "kpid/err.h"

/* Fill *config from a file. 0 when it is well: the caller ends it with kp_config_release. Otherwise the number of
 * faults that were told to *faults, and *config is zeros. faults->add must copy what it is given. */
int kp_config_load(const char *file, struct kp_config *config, struct kp_faults *faults) KP_CHECK;

/* The same from bytes. file: its name, for messages. dir: what roster.file is relative to; NULL: none may be read. */
int kp_config_load_bytes(const char *file, const char *dir, const void *bytes, size_t len, struct kp_config *config,
                         struct kp_faults *faults) KP_CHECK;

/* The same from a map that is part of another document: a rule test's. It is borrowed for the call. */
struct kp_node;
int kp_config_load_node(const char *file, const char *dir, const struct kp_node *root, struct kp_config *config,
                        struct kp_faults *faults) KP_CHECK;

/* Every map that the loader knows, for documentation and its test: where it stands ("time", "kpis.NAME"; "" is the
 * top) and its keys, NUL-name terminated. */
struct kp_key;
struct kp_key_table {
    const char *where;
    const struct kp_key *keys;
};
const struct kp_key_table *kp_config_tables(size_t *count);
/* Name of the i-th key of a table; NULL past the last. */
const char *kp_key_name(const struct kp_key_table *table, size_t i);
/* What an alert's `compare` is written as. */
const char *kp_compare_name(enum kp_compare compare);

#endif
