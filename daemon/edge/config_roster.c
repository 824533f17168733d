/* roster: the levels, and the members from the YAML and from the CSV beside it. */
#include "config_read.h"

#include "nearest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_BYTES_MAX = 128,
    TEXT_BYTES_MAX = 1024,
    ALIASES_MAX = 64,
    AWAY_MAX = 1000,
    AWAY_BYTES_MAX = AWAY_MAX * 24,     /* ranges of 22 bytes, and what is between them */
    ENTRIES_MAX = 256,
    MEMBERS_MAX = 4000000,
};

#define AT(field) offsetof(struct kp_config, field)

static const struct kp_word unknowns[] = {{"accept", 0, false}, {"reject", 1, false}, {NULL, 0, false}};

/* ---- levels ---- */

static const char *level_problem(const struct kp_roster_cfg *roster, const char *level, bool last)
{
    /* What an event, a member or a message already has under that name. */
    static const char *const reserved[] = {"id",   "source",  "type",  "time", "seq",  "automated", "company",
                                           "name", "aliases", "start", "end",  "away", "calendar"};

    if (strspn(level, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(level))
        return "a level's name is made of a to z, 0 to 9, _ and -";
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (strcmp(level, reserved[i]) == 0)
            return "the name is reserved";
    }
    if (!last && strcmp(level, "rep") == 0)
        return "\"rep\" must be the last level";
    if (last && strcmp(level, "rep") != 0)
        return "the last level must be \"rep\"";
    for (size_t i = 0; i < roster->nlevels; i++) {
        if (strcmp(roster->levels[i], level) == 0)
            return "the level is given twice";
    }
    return NULL;
}

static void drop_levels(struct kp_roster_cfg *roster)
{
    for (size_t i = 0; i < roster->nlevels; i++)
        free(roster->levels[i]);
    free(roster->levels);
    roster->levels = NULL;
    roster->nlevels = 0;
}

static KP_READER(read_levels)
{
    struct kp_roster_cfg *roster = &ld->config->roster;
    size_t i = 0;

    (void)into;
    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_LIST, KP_LEVELS_MAX))
        return;
    drop_levels(roster);
    for (const struct kp_node *item = node->first; item; item = item->next, i++) {
        size_t back = kp_path_index(ld, i);
        const char *text = kp_text(ld, item, 64);
        const char *problem = text ? level_problem(roster, text, !item->next) : NULL;
        char *copy = text ? kp_copy(ld, text) : NULL;
        char **slot = copy ? kp_grow(ld, &roster->levels, &roster->nlevels, sizeof *roster->levels) : NULL;

        if (problem)
            kp_complain(ld, item->loc, "\"%s\": %s", text, problem);
        if (slot)
            *slot = copy;
        else
            free(copy);
        kp_path_back(ld, back);
    }
}

int kp_find_level(const struct kp_config *config, const char *name)
{
    for (size_t i = 0; i < config->roster.nlevels; i++) {
        if (strcmp(config->roster.levels[i], name) == 0)
            return (int)i;
    }
    return -1;
}

/* ---- members ---- */

/* Beside these: the levels, and any further key, which is an attribute. */
const struct kp_key kp_member_keys[] = {
    {.name = "name"},
    {.name = "aliases"},
    {.name = "start"},
    {.name = "end"},
    {.name = "away"},
    {.name = "calendar"},
    {.name = NULL},
};

static void add_attr(struct kp_loader *ld, struct kp_member *member, const char *key, const char *value)
{
    struct kp_attr *attr = kp_grow(ld, &member->attrs, &member->nattrs, sizeof *member->attrs);

    if (!attr)
        return;
    attr->key = kp_copy(ld, key);
    attr->value = kp_copy(ld, value);
}

/* A column of the CSV is a fault once, not again for each row. */
static bool is_told(struct kp_loader *ld, struct kp_loc key_loc)
{
    if (!key_loc.file)
        return false;
    for (size_t i = 0; i < ld->ntold_columns; i++) {
        if (ld->told_columns[i] == key_loc.col)
            return true;
    }
    if (ld->ntold_columns < sizeof ld->told_columns / sizeof *ld->told_columns)
        ld->told_columns[ld->ntold_columns++] = key_loc.col;
    return false;
}

/* A further key is free, but one that is nearly a known key, which this member lacks, is a slip: a member without
 * its team would be lost in silence. */
static bool is_slip(struct kp_loader *ld, const struct kp_node *member, const struct kp_node *entry)
{
    const struct kp_roster_cfg *roster = &ld->config->roster;
    struct kp_nearest nearest = {.word = entry->key};

    for (size_t i = 0; i < roster->nlevels; i++) {
        if (!kp_node_get(member, roster->levels[i]))
            kp_nearest_offer(&nearest, roster->levels[i]);
    }
    for (const struct kp_key *key = kp_member_keys; key->name; key++) {
        if (!kp_node_get(member, key->name))
            kp_nearest_offer(&nearest, key->name);
    }
    if (nearest.best && !is_told(ld, entry->key_loc))
        kp_complain(ld, entry->key_loc, "unknown key \"%.100s\"; did you mean \"%s\"?", entry->key, nearest.best);
    return nearest.best != NULL;
}

static const struct kp_key *find_member_key(const char *name)
{
    for (const struct kp_key *key = kp_member_keys; key->name; key++) {
        if (strcmp(key->name, name) == 0)
            return key;
    }
    return NULL;
}

/* The first or the last day. */
static void read_edge(struct kp_loader *ld, const struct kp_node *node, int64_t *day)
{
    struct kp_days days;

    if (kp_want(ld, node, KP_NODE_SCALAR) && kp_days_of(ld, node, node->text, strlen(node->text), false, &days))
        *day = days.first;
}

static void add_away(struct kp_loader *ld, const struct kp_node *node, const char *text, size_t len, struct kp_member *member)
{
    struct kp_days days, *slot;

    if (!kp_days_of(ld, node, text, len, true, &days))
        return;
    slot = member->naway < AWAY_MAX ? kp_grow(ld, &member->away, &member->naway, sizeof *member->away) : NULL;
    if (slot)
        *slot = days;
    else if (member->naway == AWAY_MAX)
        kp_complain(ld, node->loc, "more than %d absences", AWAY_MAX);
}

static int by_first(const void *a, const void *b)
{
    const struct kp_days *x = a, *y = b;

    return x->first < y->first ? -1 : x->first > y->first;
}

/* In order, and what touches made one, so that no day counts twice. */
static void settle_away(struct kp_member *member)
{
    size_t n = 0;

    if (member->naway)
        qsort(member->away, member->naway, sizeof *member->away, by_first);
    for (size_t i = 0; i < member->naway; i++) {
        struct kp_days *last = n ? &member->away[n - 1] : NULL;

        if (!last || member->away[i].first > last->last + 1)
            member->away[n++] = member->away[i];
        else if (member->away[i].last > last->last)
            last->last = member->away[i].last;
    }
    member->naway = n;
}

/* A list; or a text with ranges between blanks or semicolons, which is what a cell of the CSV can hold. */
static void read_away(struct kp_loader *ld, const struct kp_node *node, struct kp_member *member)
{
    static const char between[] = " ;\t";

    if (node->kind == KP_NODE_SCALAR) {
        const char *text = kp_text(ld, node, AWAY_BYTES_MAX);

        for (const char *at = text ? text + strspn(text, between) : ""; *at; at += strspn(at, between)) {
            add_away(ld, node, at, strcspn(at, between), member);
            at += strcspn(at, between);
        }
    } else if (kp_want(ld, node, KP_NODE_LIST)) {
        for (const struct kp_node *item = node->first; item; item = item->next)
            if (kp_want(ld, item, KP_NODE_SCALAR))
                add_away(ld, item, item->text, strlen(item->text), member);
    }
    settle_away(member);
}

/* A list; or one alias by itself, with whatever blanks it has. (A cell of the CSV comes as a list.) */
static void read_aliases(struct kp_loader *ld, const struct kp_node *node, struct kp_member *member)
{
    const char *text;
    char **slot;

    if (node->kind != KP_NODE_SCALAR) {
        kp_texts_of(ld, node, KEY_BYTES_MAX, ALIASES_MAX, &member->aliases, &member->naliases);
        return;
    }
    text = kp_text(ld, node, KEY_BYTES_MAX);
    slot = text ? kp_grow(ld, &member->aliases, &member->naliases, sizeof *member->aliases) : NULL;
    if (slot)
        *slot = kp_copy(ld, text);
}

static void read_member_entry(struct kp_loader *ld, const struct kp_node *node, const struct kp_node *entry,
                              struct kp_member *member)
{
    int level = kp_find_level(ld->config, entry->key);
    const struct kp_key *known = find_member_key(entry->key);
    const char *text;

    if (level >= 0) {
        text = kp_text(ld, entry, KEY_BYTES_MAX);
        if (text)
            member->place[level] = kp_copy(ld, text);
    } else if (known && strcmp(entry->key, "calendar") == 0) {
        member->calendar = kp_calendar_of(ld, entry);
    } else if (known && strcmp(entry->key, "away") == 0) {
        read_away(ld, entry, member);
    } else if (known && (strcmp(entry->key, "start") == 0 || strcmp(entry->key, "end") == 0)) {
        read_edge(ld, entry, entry->key[0] == 's' ? &member->start : &member->end);
    } else if (known && strcmp(entry->key, "aliases") == 0) {
        read_aliases(ld, entry, member);
    } else if (known || !is_slip(ld, node, entry)) {
        text = kp_text(ld, entry, TEXT_BYTES_MAX);
        if (text)
            add_attr(ld, member, entry->key, text);
        if (text && known)
            member->name = kp_copy(ld, text);
    }
}

static void read_member(struct kp_loader *ld, const struct kp_node *node)
{
    struct kp_roster_cfg *roster = &ld->config->roster;
    struct kp_member *member;
    const struct kp_node **slot;

    if (!kp_want_some(ld, node, KP_NODE_MAP, ENTRIES_MAX))
        return;
    member = kp_grow(ld, &roster->members, &roster->nmembers, sizeof *roster->members);
    slot = kp_grow(ld, &ld->member_nodes, &ld->nmember_nodes, sizeof(*ld->member_nodes));
    if (!member || !slot)
        return;
    *slot = node;
    member->loc = node->loc;
    member->start = INT64_MIN;
    member->end = INT64_MAX;
    member->place = kp_zeros(ld, roster->nlevels, sizeof *member->place);
    for (const struct kp_node *entry = node->first; entry && member->place && !ld->out_of_memory; entry = entry->next) {
        size_t back = kp_path_key(ld, entry->key);

        if (entry == kp_node_get(node, entry->key))     /* given twice: the first one stands */
            read_member_entry(ld, node, entry, member);
        kp_path_back(ld, back);
    }
    if (member->start != INT64_MIN && member->end < member->start)
        kp_complain(ld, node->loc, "\"end\" is before \"start\"");
    if (!kp_node_get(node, "rep"))
        kp_complain(ld, node->loc, "the member has no \"rep\"");
}

static void read_members_of(struct kp_loader *ld, const struct kp_node *list, bool indexed)
{
    size_t i = 0;

    for (const struct kp_node *item = list->first; item && !ld->out_of_memory; item = item->next, i++) {
        size_t back = indexed ? kp_path_index(ld, i) : ld->path_len;

        read_member(ld, item);
        kp_path_back(ld, back);
    }
}

static KP_READER(read_members)
{
    (void)into;
    (void)key;
    if (kp_want(ld, node, KP_NODE_LIST))
        read_members_of(ld, node, true);
}

/* ---- the CSV ---- */

/* Members of the CSV are told of by its own name and the column alone, so the path begins anew. */
static void read_rows(struct kp_loader *ld, const char *file, const char *bytes, size_t len)
{
    char path[KP_PATH_TEXT];
    size_t back = ld->path_len;

    ld->csv = kp_csv_parse(file, bytes, len, ld->faults);
    if (!ld->csv)
        return;
    memcpy(path, ld->path, sizeof path);
    kp_path_back(ld, 0);
    read_members_of(ld, kp_tree_root(ld->csv), false);
    memcpy(ld->path, path, sizeof path);
    ld->path_len = back;
}

static KP_READER(read_file)
{
    struct kp_roster_cfg *roster = &ld->config->roster;
    struct kp_err err = {0};
    size_t len = 0;
    char *bytes;

    (void)into;
    (void)key;
    roster->file = kp_file_of(ld, node);
    if (!roster->file)
        return;
    bytes = kp_read_file(roster->file, KP_TREE_BYTES_MAX, &len, &err);
    if (bytes)
        read_rows(ld, roster->file, bytes, len);
    else
        kp_complain(ld, node->loc, "%s: %s", roster->file, err.text);
    free(bytes);
}

const struct kp_key kp_roster_keys[] = {
    {.name = "levels", .read = read_levels},
    {.name = "unknown", .read = kp_read_switch, .at = AT(roster.reject_unknown), .words = unknowns},
    {.name = "file", .read = read_file},
    {.name = "members", .read = read_members},
    {.name = "units", .read = kp_read_units},
    {.name = NULL},
};

KP_READER(kp_read_roster)
{
    (void)key;
    kp_read_map(ld, node, kp_roster_keys, into);
    if (ld->config->roster.nmembers > MEMBERS_MAX)
        kp_complain(ld, node->loc, "more than %d members", MEMBERS_MAX);
}
