/* What kpi-gateway is told: where kpid is, where to serve, and who may see what. One YAML file, checked as a whole. */
#ifndef GATEWAY_CONFIG_H
#define GATEWAY_CONFIG_H

#include "rights.h"

#include "keyfile.h"

struct gateway_list {
    char **items;
    size_t count;
};

struct gateway_config {
    char *publish, *control;        /* kpid's endpoints */
    struct kp_key_file identity;
    char host[64];                  /* a number of IPv4 or IPv6 */
    uint16_t port;
    bool insecure;
    struct rights *users;           /* by name, rising */
    size_t nusers;
    struct rights anonymous;        /* of whoever does not say who they are */
    bool has_anonymous;
    char *proxy_header;             /* NULL: no proxy is believed */
    struct gateway_list proxies;    /* its addresses */
    bool peers_anonymous;
    struct {
        bool is_on;
        struct gateway_list levels, kpis, windows;
        uint32_t series;
    } metrics;
    uint32_t browsers, streams, requests, sessions, keys, alerts;
};

/* 0 when it is well: the caller releases it. Else the number of faults that were told. */
int gateway_config_load(const char *file, struct gateway_config *config, struct kp_faults *faults) KP_CHECK;
int gateway_config_load_bytes(const char *dir, const void *bytes, size_t len, struct gateway_config *config,
                              struct kp_faults *faults) KP_CHECK;
void gateway_config_release(struct gateway_config *config);

/* The user of that name; NULL: there is none. */
const struct rights *gateway_config_user(const struct gateway_config *config, const char *name);
/* The user of a token; NULL: it is nobody's. */
const struct rights *gateway_config_token(const struct gateway_config *config, const char *token, size_t len);
/* Is that an address of the proxy? */
bool gateway_config_is_proxy(const struct gateway_config *config, const char *address);

/* Every map of it and its keys, for the test of its reference: as kp_config_tables. */
struct kp_key_table;
const struct kp_key_table *gateway_config_tables(size_t *count);

#endif
