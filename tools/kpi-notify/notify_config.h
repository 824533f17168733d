/* The routes: who is told of which alerts, and how. One YAML file, checked as a whole. */
#ifndef NOTIFY_CONFIG_H
#define NOTIFY_CONFIG_H

#include "keyfile.h"
#include "kpid/config.h"
#include "kpid/zone.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    NOTIFY_ROUTES_MAX = 200,
    NOTIFY_LIST_MAX = 100,      /* of one list in a route */
    NOTIFY_PEOPLE_MAX = 100000,
    NOTIFY_ADDRESS = 254,       /* bytes of an e-mail address (RFC 5321, with its brackets 256) */
    NOTIFY_URL = 2000,
};

struct names {
    char **items;
    size_t count;
};

/* What an alert must be for a route; an empty list asks for nothing. */
struct match {
    struct names rules, kpis, levels, severities;
    struct names paths;         /* as in topics, without / at the end */
};

struct webhook {
    char *url;                  /* NULL: none */
    char *template;             /* NULL: Slack's {"text": ...} */
    bool slack;                 /* the receiver takes & < > for its own */
    char *ca_file;
};

struct alertmanager {
    char *url;                  /* NULL: none */
    char *ca_file;
    int64_t resend_ms;
};

struct route {
    struct match match;
    struct names mail;
    bool copy_rep;
    bool has_digest;            /* everything waits for the digest */
    int32_t digest_ms;          /* ms after midnight; the configuration's where the route has none */
    uint32_t budget;            /* instant mails a recipient and day; UINT32_MAX: no end */
    bool has_budget, repeat, resolved;
    char *zone_name;            /* NULL: the configuration's */
    struct kp_zone *zone;       /* never NULL after loading */
    struct webhook webhook;
    struct alertmanager alertmanager;
    struct kp_loc loc;
};

struct person {
    char *rep, *mail;
};

struct mail_server {
    char *url;                  /* NULL: there is none */
    char *from_name, *from;     /* name: NULL for none */
    char *user, *password;
    bool plain;                 /* tls: none */
    char *ca_file;
};

struct notify_config {
    char *publish, *control;
    struct kp_key_file identity;    /* what is proved to kpid over TCP; no secret_key: everything is in plain text */
    int64_t resync_ms;
    char *spool;
    uint32_t waiting_max;       /* deliveries that wait for one recipient */
    uint32_t alerts_max;        /* alerts that are known at a time */
    int64_t retry_first_ms, retry_longest_ms, give_up_ms;
    int64_t timeout_ms;
    char *zone_name;
    struct kp_zone *zone;
    int32_t digest_ms;
    struct mail_server mail;
    struct person *people;      /* sorted by rep */
    size_t npeople;
    struct route *routes;
    size_t nroutes;
};

struct kp_key_table;

/* Load and check. Returns the number of faults, all told to *faults; *config holds nothing then. */
int notify_config_load(const char *file, struct notify_config *config, struct kp_faults *faults) KP_CHECK;
/* The same of bytes; dir: what files are relative to, with its / at the end; NULL: no file may be read. */
int notify_config_load_bytes(const char *dir, const void *bytes, size_t len, struct notify_config *config,
                             struct kp_faults *faults) KP_CHECK;
void notify_config_release(struct notify_config *config);

/* The address of a rep; NULL: not known. */
const char *notify_config_mail_of(const struct notify_config *config, const char *rep);

/* Every key of the file, by the map that it stands in ("": the top), for tests of the reference; see kp_key_name. */
const struct kp_key_table *notify_config_tables(size_t *count);

#endif
