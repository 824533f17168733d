/* routes: who is told of what. */
#include "notify_config_inside.h"

#include "template.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000)
#define AT(field) offsetof(struct route, field)
#define IN(field) offsetof(struct match, field)
#define WEB(field) offsetof(struct webhook, field)
#define MANAGER(field) offsetof(struct alertmanager, field)

/* ---- match ---- */

/* One text, or a list of them. */
static KP_READER(read_names)
{
    struct names *names = into;
    const char *text;
    char **slot;

    if (node->kind == KP_NODE_LIST) {
        kp_texts_of(ld, node, (size_t)key->max, NOTIFY_LIST_MAX, &names->items, &names->count);
        return;
    }
    text = kp_text(ld, node, (size_t)key->max);
    slot = text ? kp_grow(ld, &names->items, &names->count, sizeof *names->items) : NULL;
    if (slot)
        *slot = kp_copy(ld, text);
}

static KP_READER(read_severities)
{
    static const char *const known[] = {"warning", "critical"};
    struct names *names = into;

    read_names(ld, node, into, key);
    for (size_t i = 0; i < names->count; i++)
        if (names->items[i] && strcmp(names->items[i], known[0]) != 0 && strcmp(names->items[i], known[1]) != 0)
            kp_complain_unknown(ld, node->loc, "severity", names->items[i], known, 2);
}

/* As topics write it: %2F and not %2f, and no / at its ends. */
static void make_canonical(char *path)
{
    size_t n = 0;
    int digits = 0;     /* of a %XX that are still to come */

    for (const char *p = path; *p; p++) {
        if (*p == '/' && (n == 0 || path[n - 1] == '/'))
            continue;
        path[n++] = digits > 0 && *p >= 'a' && *p <= 'f' ? (char)(*p - 'a' + 'A') : *p;
        digits = *p == '%' ? 2 : digits - 1;
    }
    if (n && path[n - 1] == '/')
        n--;
    path[n] = '\0';
}

static KP_READER(read_paths)
{
    struct names *names = into;

    read_names(ld, node, into, key);
    for (size_t i = 0; i < names->count; i++)
        if (names->items[i])
            make_canonical(names->items[i]);
}

const struct kp_key notify_match_keys[] = {
    {.name = "rule", .read = read_names, .at = IN(rules), .max = 64},
    {.name = "kpi", .read = read_names, .at = IN(kpis), .max = 160},
    {.name = "level", .read = read_names, .at = IN(levels), .max = 256},
    {.name = "severity", .read = read_severities, .at = IN(severities), .max = 64},
    {.name = "path", .read = read_paths, .at = IN(paths), .max = 1000},
    {.name = NULL},
};

static KP_READER(read_match)
{
    (void)key;
    kp_read_map(ld, node, notify_match_keys, into);
}

/* ---- Where it goes ---- */

static KP_READER(read_mail)
{
    struct names *names = into;
    size_t i = 0;

    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_LIST, NOTIFY_LIST_MAX))
        return;
    for (const struct kp_node *item = node->first; item; item = item->next, i++) {
        size_t back = kp_path_index(ld, i);
        const char *address = notify_address_of(ld, item);
        char **slot = address ? kp_grow(ld, &names->items, &names->count, sizeof *names->items) : NULL;

        if (slot)
            *slot = kp_copy(ld, address);
        kp_path_back(ld, back);
    }
}

static KP_READER(read_url_file)
{
    struct webhook *webhook = into;
    char *url = notify_secret_of(ld, node);
    const char *problem = url ? notify_url_problem(url, false) : NULL;

    (void)key;
    if (problem)
        kp_complain(ld, node->loc, "what the file holds %s", problem);
    free(webhook->url);
    webhook->url = url;
}

static KP_READER(read_template)
{
    struct webhook *webhook = into;
    struct kp_err err = {0};

    (void)key;
    kp_read_text(ld, node, &webhook->template, &(struct kp_key){.max = 16384});
    if (webhook->template && template_check(webhook->template, &err))
        kp_complain(ld, node->loc, "%s", err.text);
}

static const struct kp_word escapes[] = {{"slack", 1, false}, {"json", 0, false}, {NULL, 0, false}};

const struct kp_key notify_webhook_keys[] = {
    {.name = "url", .read = notify_read_url, .at = WEB(url)},
    {.name = "url_file", .read = read_url_file},
    {.name = "template", .read = read_template},
    {.name = "escape", .read = kp_read_switch, .at = WEB(slack), .words = escapes},
    {.name = "ca_file", .read = notify_read_ca, .at = WEB(ca_file)},
    {.name = NULL},
};

static KP_READER(read_webhook)
{
    struct webhook *webhook = into;

    (void)key;
    webhook->slack = true;
    if (!kp_node_get(node, "url") == !kp_node_get(node, "url_file") && node->kind == KP_NODE_MAP)
        kp_complain(ld, node->loc, "needs \"url\" or \"url_file\"");
    else
        kp_read_map(ld, node, notify_webhook_keys, webhook);
}

const struct kp_key notify_alertmanager_keys[] = {
    {.name = "url", .need = KP_REQUIRED, .read = notify_read_url, .at = MANAGER(url)},
    {.name = "ca_file", .read = notify_read_ca, .at = MANAGER(ca_file)},
    {.name = "resend", .read = kp_read_duration, .at = MANAGER(resend_ms), .min = 100, .max = 3600 * SECOND},
    {.name = NULL},
};

static KP_READER(read_alertmanager)
{
    struct alertmanager *manager = into;

    (void)key;
    manager->resend_ms = 60 * SECOND;
    kp_read_map(ld, node, notify_alertmanager_keys, manager);
    for (size_t len = manager->url ? strlen(manager->url) : 0; len > 0 && manager->url[len - 1] == '/'; len--)
        manager->url[len - 1] = '\0';       /* the API's path comes behind it */
}

static KP_READER(read_digest)
{
    struct route *route = into;

    route->has_digest = true;
    notify_read_digest(ld, node, &route->digest_ms, key);
}

static KP_READER(read_budget)
{
    struct route *route = into;

    route->has_budget = true;
    kp_read_count32(ld, node, &route->budget, key);
}

static KP_READER(read_zone)
{
    struct route *route = into;

    (void)key;
    notify_zone_of(ld, node, &route->zone_name, &route->zone);
}

const struct kp_key notify_route_keys[] = {
    {.name = "match", .read = read_match, .at = AT(match)},
    {.name = "mail", .read = read_mail, .at = AT(mail)},
    {.name = "copy_rep", .read = kp_read_bool, .at = AT(copy_rep)},
    {.name = "budget", .read = read_budget, .max = 100000},
    {.name = "digest", .read = read_digest},
    {.name = "zone", .read = read_zone},
    {.name = "webhook", .read = read_webhook, .at = AT(webhook)},
    {.name = "alertmanager", .read = read_alertmanager, .at = AT(alertmanager)},
    {.name = "repeat", .read = kp_read_bool, .at = AT(repeat)},
    {.name = "resolved", .read = kp_read_bool, .at = AT(resolved)},
    {.name = NULL},
};

/* What only goes with mail, without any. */
static void check_route(struct kp_loader *ld, const struct kp_node *node)
{
    static const char *const of_mail[] = {"budget", "digest", "zone"};
    bool mail = kp_node_get(node, "mail") || kp_node_get(node, "copy_rep");

    if (node->kind != KP_NODE_MAP)
        return;
    if (!mail && !kp_node_get(node, "webhook") && !kp_node_get(node, "alertmanager") &&
        !kp_misspelt(node, notify_route_keys, "mail") && !kp_misspelt(node, notify_route_keys, "webhook") &&
        !kp_misspelt(node, notify_route_keys, "alertmanager") && !kp_misspelt(node, notify_route_keys, "copy_rep"))
        kp_complain(ld, node->loc, "leads nowhere: \"mail\", \"copy_rep\", \"webhook\" or \"alertmanager\" is wanted");
    for (size_t i = 0; i < sizeof of_mail / sizeof *of_mail; i++)
        if (!mail && kp_node_get(node, of_mail[i]))
            kp_complain(ld, kp_node_get(node, of_mail[i])->key_loc, "\"%s\" goes with \"mail\" or \"copy_rep\"", of_mail[i]);
    if (kp_node_get(node, "budget") && kp_node_get(node, "digest"))
        kp_complain(ld, kp_node_get(node, "budget")->key_loc,
                    "\"budget\" is for what is told at once, and with \"digest\" nothing is");
}

KP_READER(notify_read_routes)
{
    struct notify_config *config = into;
    size_t i = 0;

    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_LIST, NOTIFY_ROUTES_MAX))
        return;
    for (const struct kp_node *item = node->first; item; item = item->next, i++) {
        size_t back = kp_path_index(ld, i);
        struct route *route = kp_grow(ld, &config->routes, &config->nroutes, sizeof *route);

        if (!route)
            return;
        *route = (struct route){.budget = UINT32_MAX, .resolved = true, .loc = item->loc};
        kp_read_map(ld, item, notify_route_keys, route);
        check_route(ld, item);
        kp_path_back(ld, back);
    }
}

void notify_route_release(struct route *route)
{
    notify_names_release(&route->match.rules);
    notify_names_release(&route->match.kpis);
    notify_names_release(&route->match.levels);
    notify_names_release(&route->match.severities);
    notify_names_release(&route->match.paths);
    notify_names_release(&route->mail);
    kp_zone_destroy(&route->zone);
    free(route->zone_name);
    free(route->webhook.url);
    free(route->webhook.template);
    free(route->webhook.ca_file);
    free(route->alertmanager.url);
    free(route->alertmanager.ca_file);
}
