/* The top of kpi-notify's YAML, and what it has in common with the routes. */
#include "notify_config_inside.h"

#include "client_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND INT64_C(1000)
#define DAY (86400 * SECOND)
#define AT(field) offsetof(struct notify_config, field)
enum { SECRET_MAX = 4096, PEOPLE_BYTES_MAX = 32 << 20 };

/* ---- What the parts share ---- */

/* What is left of an address has letters that need no quoting (RFC 5321's Dot-string), what is right is a host name. */
bool notify_is_address(const char *text, size_t len)
{
    const char *letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    const char *at = memchr(text, '@', len);
    char copy[NOTIFY_ADDRESS + 1], left[100];
    size_t before = at ? (size_t)(at - text) : 0;

    if (!at || before == 0 || before > 64 || len > NOTIFY_ADDRESS || before + 1 >= len)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    snprintf(left, sizeof left, "%s.!#$%%&'*+-/=?^_`{|}~", letters);
    if (strspn(copy, left) != before || copy[0] == '.' || copy[before - 1] == '.' || strstr(copy, "..") || copy[0] == '-')
        return false;
    snprintf(left, sizeof left, "%s.-", letters);
    return strspn(copy + before + 1, left) == len - before - 1 && copy[before + 1] != '.' && copy[len - 1] != '.';
}

const char *notify_address_of(struct kp_loader *ld, const struct kp_node *node)
{
    const char *text = kp_text(ld, node, NOTIFY_ADDRESS);

    if (!text || notify_is_address(text, strlen(text)))
        return text;
    kp_complain(ld, node->loc, "\"%.100s\" is no e-mail address like ana@example.com", text);
    return NULL;
}

const char *notify_url_problem(const char *url, bool smtp)
{
    static const char *const schemes[2][2] = {{"https://", "http://"}, {"smtps://", "smtp://"}};
    size_t len = strlen(schemes[smtp][0]), host;

    if (strncmp(url, schemes[smtp][0], len) != 0) {
        len = strlen(schemes[smtp][1]);
        if (strncmp(url, schemes[smtp][1], len) != 0)
            return smtp ? "must begin with smtps:// or smtp://" : "must begin with https:// or http://";
    }
    for (const char *c = url; *c; c++)
        if (*c <= 0x20 || *c >= 0x7F)
            return "holds a blank, or what is not ASCII: write it as %XX";
    host = strcspn(url + len, "/?#");
    if (host == 0 || url[len] == ':')
        return "names no host";
    if (memchr(url + len, '@', host))
        return "must not hold a user or a password";
    return NULL;
}

KP_READER(notify_read_url)
{
    bool smtp = key->min != 0;
    const char *text = kp_text(ld, node, NOTIFY_URL);
    const char *problem = text ? notify_url_problem(text, smtp) : NULL;

    if (problem)
        kp_complain(ld, node->loc, "\"%.100s\" %s", text, problem);
    else if (text)
        *(char **)into = kp_copy(ld, text);
}

KP_READER(notify_read_ca)
{
    char **file = into;

    (void)key;
    *file = kp_file_of(ld, node);
    if (*file && access(*file, R_OK) != 0)
        kp_complain(ld, node->loc, "%s: %s", *file, strerror(errno));
}

static const char *secret_problem(const char *file)
{
    struct stat st;

    if (stat(file, &st) != 0)
        return strerror(errno);
    if (!S_ISREG(st.st_mode))
        return "is no file";
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return "others than its owner may read or write it; chmod 600 it";
    return NULL;
}

char *notify_secret_of(struct kp_loader *ld, const struct kp_node *node)
{
    char *file = kp_file_of(ld, node), *bytes = NULL, *secret = NULL;
    const char *problem = file ? secret_problem(file) : NULL;
    struct kp_err err = {0};
    size_t len = 0;

    if (file && !problem) {
        bytes = kp_read_file(file, SECRET_MAX, &len, &err);
        if (!bytes)
            problem = err.text;
    }
    while (bytes && len > 0 && (bytes[len - 1] == '\n' || bytes[len - 1] == '\r'))
        len--;
    if (bytes && (len == 0 || memchr(bytes, '\n', len) || memchr(bytes, '\r', len) || memchr(bytes, 0, len)))
        problem = "must hold one line and nothing else";
    if (problem)
        kp_complain(ld, node->loc, "%s: %s", file, problem);
    else if (bytes && !(secret = strndup(bytes, len)))
        ld->out_of_memory = true;
    free(bytes);
    free(file);
    return secret;
}

KP_READER(notify_read_digest)
{
    const char *text = kp_text(ld, node, 64);
    int hour, minute, end = 0;

    (void)key;
    if (!text)
        return;
    if (sscanf(text, "daily %2d:%2d%n", &hour, &minute, &end) != 2 || text[end] || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59)
        kp_complain(ld, node->loc, "\"%.60s\" is no time like \"daily 17:30\"", text);
    else
        memcpy(into, &(int32_t){(hour * 60 + minute) * 60000}, sizeof(int32_t));
}

void notify_zone_of(struct kp_loader *ld, const struct kp_node *node, char **name, struct kp_zone **zone)
{
    struct kp_zone_file file = {0};
    struct kp_err err = {0};

    kp_zone_of(ld, node, &file);
    if (file.tzif) {
        *name = file.name;
        *zone = kp_zone_new(file.tzif, file.len, &err);
        ld->out_of_memory |= !*zone;
    }
    free(file.tzif);
}

/* ---- kpid, mail, retry ---- */

static const struct kp_key kpid_keys[] = {
    {.name = "publish", .need = KP_REQUIRED, .read = client_read_endpoint, .at = AT(publish)},
    {.name = "control", .need = KP_REQUIRED, .read = client_read_endpoint, .at = AT(control)},
    {.name = "key", .read = client_read_identity, .at = AT(identity)},
    {.name = "server_key", .read = kp_read_public_key, .at = AT(identity.server_key)},
    {.name = "resync", .read = kp_read_duration, .at = AT(resync_ms), .min = SECOND, .max = DAY},
    {.name = NULL},
};

/* "kpid <kpid@example.com>", or the address alone. */
static KP_READER(read_from)
{
    struct notify_config *config = into;
    const char *text = kp_text(ld, node, 400);
    const char *open = text ? strchr(text, '<') : NULL;
    const char *from = open ? open + 1 : text;
    size_t len = from ? strcspn(from, ">") : 0, name = open ? (size_t)(open - text) : 0;

    (void)key;
    if (!text)
        return;
    while (name && text[name - 1] == ' ')
        name--;
    if (!notify_is_address(from, len) || (open ? strcmp(from + len, ">") != 0 : from[len] != '\0') ||
        strcspn(text, "\"\r\n") < strlen(text)) {
        kp_complain(ld, node->loc, "\"%.100s\" is no sender like \"kpid <kpid@example.com>\"", text);
        return;
    }
    config->mail.from = strndup(from, len);
    config->mail.from_name = name ? strndup(text, name) : NULL;
    ld->out_of_memory |= !config->mail.from || (name && !config->mail.from_name);
}

static KP_READER(read_password)
{
    (void)key;
    *(char **)into = notify_secret_of(ld, node);
}

static const struct kp_word tls_words[] = {{"required", 0, false}, {"none", 1, false}, {NULL, 0, false}};

static const struct kp_key mail_keys[] = {
    {.name = "url", .need = KP_REQUIRED, .read = notify_read_url, .at = AT(mail.url), .min = 1},
    {.name = "from", .need = KP_REQUIRED, .read = read_from},
    {.name = "user", .read = kp_read_text, .at = AT(mail.user), .max = 254},
    {.name = "password_file", .read = read_password, .at = AT(mail.password)},
    {.name = "tls", .read = kp_read_switch, .at = AT(mail.plain), .words = tls_words},
    {.name = "ca_file", .read = notify_read_ca, .at = AT(mail.ca_file)},
    {.name = NULL},
};

static const struct kp_key retry_keys[] = {
    {.name = "first", .read = kp_read_duration, .at = AT(retry_first_ms), .min = 10, .max = DAY},
    {.name = "longest", .read = kp_read_duration, .at = AT(retry_longest_ms), .min = 10, .max = DAY},
    {.name = "give_up", .read = kp_read_duration, .at = AT(give_up_ms), .min = SECOND, .max = 30 * DAY},
    {.name = NULL},
};

static const struct kp_key limits_keys[] = {
    {.name = "waiting", .read = kp_read_count32, .at = AT(waiting_max), .min = 1, .max = 1000000},
    {.name = "alerts", .read = kp_read_count32, .at = AT(alerts_max), .min = 1, .max = 1000000},
    {.name = NULL},
};

static KP_READER(read_kpid)
{
    const struct notify_config *config = into;
    size_t before = ld->faults->count;

    (void)key;
    kp_read_map(ld, node, kpid_keys, into);
    if (ld->faults->count != before || !ld->dir)
        return;
    if (config->identity.secret_key[0] && !config->identity.server_key[0])
        kp_complain(ld, node->loc, "the key's file names no server_key: give kpid's");
    else if (config->identity.server_key[0] && !config->identity.secret_key[0])
        kp_complain(ld, node->loc, "server_key needs key: the one that is proved to kpid");
}

static KP_READER(read_mail)
{
    struct notify_config *config = into;
    const struct kp_node *user = kp_node_get(node, "user"), *password = kp_node_get(node, "password_file");

    (void)key;
    if (!kp_read_map(ld, node, mail_keys, config))
        return;
    if (!user != !password)
        kp_complain(ld, (user ? user : password)->key_loc, "\"user\" and \"password_file\" go together");
    if (config->mail.plain && password)
        kp_complain(ld, kp_node_get(node, "tls")->loc, "a password does not go out in the clear: \"tls: required\"");
}

static KP_READER(read_retry)
{
    struct notify_config *config = into;

    (void)key;
    if (kp_read_map(ld, node, retry_keys, config) && config->retry_longest_ms < config->retry_first_ms)
        kp_complain(ld, node->loc, "\"longest\" is shorter than \"first\"");
}

static KP_READER(read_limits)
{
    (void)key;
    kp_read_map(ld, node, limits_keys, into);
}

static KP_READER(read_spool)
{
    (void)key;
    *(char **)into = kp_file_of(ld, node);
}

static KP_READER(read_zone)
{
    struct notify_config *config = into;

    (void)key;
    notify_zone_of(ld, node, &config->zone_name, &config->zone);
}

/* ---- people ---- */

static void add_person(struct kp_loader *ld, struct notify_config *config, const char *rep, const struct kp_node *mail)
{
    const char *address = notify_address_of(ld, mail);
    struct person *person = address ? kp_grow(ld, &config->people, &config->npeople, sizeof *person) : NULL;

    if (!person)
        return;
    person->rep = kp_copy(ld, rep);
    person->mail = kp_copy(ld, address);
}

static KP_READER(read_people)
{
    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_MAP, NOTIFY_PEOPLE_MAX))
        return;
    for (const struct kp_node *entry = node->first; entry; entry = entry->next) {
        size_t back = kp_path_key(ld, entry->key);

        add_person(ld, into, entry->key, entry);
        kp_path_back(ld, back);
    }
}

/* Rows of a CSV file, of which the columns rep and mail are looked at; a row without an address names nobody. */
static void read_rows(struct kp_loader *ld, struct notify_config *config, const struct kp_node *node,
                      const struct kp_node *rows)
{
    bool any = false;

    for (const struct kp_node *row = rows->first; row; row = row->next) {
        const struct kp_node *rep = kp_node_get(row, "rep"), *mail = kp_node_get(row, "mail");

        any |= mail != NULL;
        if (rep && mail && rep->kind == KP_NODE_SCALAR)
            add_person(ld, config, rep->text, mail);
    }
    if (!any)
        kp_complain(ld, node->loc, "no row has a \"rep\" and a \"mail\"");
}

static KP_READER(read_people_file)
{
    char *file = kp_file_of(ld, node), *bytes = NULL;
    struct kp_tree *tree = NULL;
    struct kp_err err = {0};
    size_t len = 0;

    (void)key;
    if (file) {
        bytes = kp_read_file(file, PEOPLE_BYTES_MAX, &len, &err);
        if (!bytes)
            kp_complain(ld, node->loc, "%s: %s", file, err.text);
    }
    if (bytes)
        tree = kp_csv_parse(file, bytes, len, ld->faults);
    if (tree)
        read_rows(ld, into, node, kp_tree_root(tree));
    kp_tree_destroy(&tree);
    free(bytes);
    free(file);
}

static int by_rep(const void *a, const void *b)
{
    return strcmp(((const struct person *)a)->rep, ((const struct person *)b)->rep);
}

const char *notify_config_mail_of(const struct notify_config *config, const char *rep)
{
    struct person wanted = {.rep = (char *)(uintptr_t)rep};
    const struct person *found =
        config->npeople ? bsearch(&wanted, config->people, config->npeople, sizeof wanted, by_rep) : NULL;

    return found ? found->mail : NULL;
}

/* ---- The whole ---- */

static const struct kp_key top_keys[] = {
    {.name = "zone", .read = read_zone},
    {.name = "kpid", .need = KP_REQUIRED, .read = read_kpid},
    {.name = "spool", .need = KP_REQUIRED, .read = read_spool, .at = AT(spool)},
    {.name = "timeout", .read = kp_read_duration, .at = AT(timeout_ms), .min = 100, .max = 600 * SECOND},
    {.name = "retry", .read = read_retry},
    {.name = "limits", .read = read_limits},
    {.name = "digest", .read = notify_read_digest, .at = AT(digest_ms)},
    {.name = "mail", .read = read_mail},
    {.name = "people", .read = read_people},
    {.name = "people_file", .read = read_people_file},
    {.name = "routes", .need = KP_REQUIRED, .read = notify_read_routes},
    {.name = NULL},
};

const struct kp_key_table *notify_config_tables(size_t *count)
{
    static const struct kp_key_table tables[] = {
        {"", top_keys},
        {"kpid", kpid_keys},
        {"mail", mail_keys},
        {"retry", retry_keys},
        {"limits", limits_keys},
        {"routes[]", notify_route_keys},
        {"routes[].match", notify_match_keys},
        {"routes[].webhook", notify_webhook_keys},
        {"routes[].alertmanager", notify_alertmanager_keys},
    };

    *count = sizeof tables / sizeof *tables;
    return tables;
}

static void set_defaults(void *into)
{
    struct notify_config *config = into;

    *config = (struct notify_config){.resync_ms = 60 * SECOND, .waiting_max = 1000, .alerts_max = 100000,
                                     .retry_first_ms = SECOND, .retry_longest_ms = 300 * SECOND, .give_up_ms = 3 * DAY,
                                     .timeout_ms = 30 * SECOND, .digest_ms = (17 * 60 + 30) * 60000};
}

/* Where a mail is to go, there must be a server that takes it; a rep's own copy needs to know the address. */
static void check_mail(struct kp_loader *ld, const struct kp_node *root, const struct notify_config *config)
{
    size_t back = kp_path_key(ld, "routes");

    for (size_t i = 0; i < config->nroutes; i++) {
        const struct route *route = &config->routes[i];
        size_t inner = kp_path_index(ld, i);

        if ((route->mail.count || route->copy_rep) && !kp_node_get(root, "mail") && !kp_misspelt(root, top_keys, "mail"))
            kp_complain(ld, route->loc, "tells somebody by e-mail, and \"mail\" at the top names no server");
        if (route->copy_rep && !kp_node_get(root, "people") && !kp_node_get(root, "people_file") &&
            !kp_misspelt(root, top_keys, "people") && !kp_misspelt(root, top_keys, "people_file"))
            kp_complain(ld, route->loc, "\"copy_rep\" needs \"people\" or \"people_file\" at the top");
        kp_path_back(ld, inner);
    }
    kp_path_back(ld, back);
}

/* Sorted; of a rep named twice, that is a fault. */
static void sort_people(struct kp_loader *ld, struct notify_config *config)
{
    if (config->npeople == 0)
        return;
    for (size_t i = 0; i < config->npeople; i++)
        if (!config->people[i].rep || !config->people[i].mail)
            return;     /* out of memory, which is told */
    qsort(config->people, config->npeople, sizeof *config->people, by_rep);
    for (size_t i = 1; i < config->npeople; i++)
        if (strcmp(config->people[i - 1].rep, config->people[i].rep) == 0)
            kp_complain(ld, (struct kp_loc){0}, "the rep \"%.100s\" has two addresses", config->people[i].rep);
}

static void finish(struct kp_loader *ld, const struct kp_node *root, void *into)
{
    struct notify_config *config = into;
    struct kp_err err = {0};

    if (!config->zone)
        config->zone = kp_zone_new(NULL, 0, &err);
    for (size_t i = 0; i < config->nroutes; i++) {
        struct route *route = &config->routes[i];

        if (!route->zone)
            route->zone = config->zone;     /* shared; see notify_route_release */
    }
    ld->out_of_memory |= !config->zone;
    sort_people(ld, config);
    check_mail(ld, root, config);
}

static void release(void *config)
{
    notify_config_release(config);
}

static const struct client_config how = {top_keys, set_defaults, finish, release};

int notify_config_load_bytes(const char *dir, const void *bytes, size_t len, struct notify_config *config,
                             struct kp_faults *faults)
{
    return client_config_load_bytes(&how, dir, bytes, len, config, faults);
}

int notify_config_load(const char *file, struct notify_config *config, struct kp_faults *faults)
{
    memset(config, 0, sizeof *config);
    return client_config_load(&how, file, config, faults);
}

void notify_names_release(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (struct names){0};
}

void notify_config_release(struct notify_config *config)
{
    for (size_t i = 0; i < config->nroutes; i++) {
        if (config->routes[i].zone == config->zone)
            config->routes[i].zone = NULL;
        notify_route_release(&config->routes[i]);
    }
    for (size_t i = 0; i < config->npeople; i++) {
        free(config->people[i].rep);
        free(config->people[i].mail);
    }
    free(config->routes);
    free(config->people);
    free(config->publish);
    free(config->control);
    explicit_bzero(&config->identity, sizeof config->identity);
    free(config->spool);
    free(config->mail.url);
    free(config->mail.from);
    free(config->mail.from_name);
    free(config->mail.user);
    if (config->mail.password)
        explicit_bzero(config->mail.password, strlen(config->mail.password));
    free(config->mail.password);
    free(config->mail.ca_file);
    free(config->zone_name);
    kp_zone_destroy(&config->zone);
    memset(config, 0, sizeof *config);
}
