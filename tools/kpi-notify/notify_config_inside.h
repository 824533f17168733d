/* What the files share that read kpi-notify's YAML. */
#ifndef NOTIFY_CONFIG_INSIDE_H
#define NOTIFY_CONFIG_INSIDE_H

#include "notify_config.h"

#include "config_read.h"

extern const struct kp_key notify_route_keys[], notify_match_keys[], notify_webhook_keys[], notify_alertmanager_keys[];

KP_READER(notify_read_routes);      /* struct notify_config */
KP_READER(notify_read_digest);      /* int32_t: "daily 17:30", ms after midnight */
KP_READER(notify_read_url);         /* char *: min 0: of HTTP, 1: of SMTP */
KP_READER(notify_read_ca);          /* char *: a file, relative to the configuration, that can be read */
/* The zone that a node names; fills a name and a zone, both owned. */
void notify_zone_of(struct kp_loader *ld, const struct kp_node *node, char **name, struct kp_zone **zone);

/* What a file holds that nobody but its owner may read: one line. NULL and a fault. */
char *notify_secret_of(struct kp_loader *ld, const struct kp_node *node);
/* Scheme and host are there, no password, nothing that a line or a header could end with. NULL: it is well. */
const char *notify_url_problem(const char *url, bool smtp);

/* An address like ana@example.com; NULL and a fault. */
const char *notify_address_of(struct kp_loader *ld, const struct kp_node *node);
bool notify_is_address(const char *text, size_t len);

void notify_names_release(struct names *names);
void notify_route_release(struct route *route);

#endif
