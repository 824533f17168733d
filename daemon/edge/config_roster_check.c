/* The roster when all members are known: who is given twice, and what stands in two places.
 *
 * All by sorting: a hostile roster of a million members costs n log n. */
#include "config_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A rep's key or one of the aliases. */
struct called {
    const char *text;
    size_t member;
    bool is_alias;
};

static const char *rep_of(const struct kp_roster_cfg *roster, size_t member)
{
    const struct kp_member *m = &roster->members[member];

    return m->place ? m->place[roster->nlevels - 1] : NULL;
}

/* Where a key of a member stands: its value, else the member. */
static struct kp_loc loc_of(const struct kp_loader *ld, size_t member, const char *key)
{
    const struct kp_node *entry = kp_node_get(ld->member_nodes[member], key);

    return entry ? entry->loc : ld->config->roster.members[member].loc;
}

static struct kp_loc alias_loc(const struct kp_loader *ld, const struct called *called)
{
    const struct kp_node *aliases = kp_node_get(ld->member_nodes[called->member], "aliases");

    for (const struct kp_node *item = aliases ? aliases->first : NULL; item; item = item->next) {
        if (item->text && strcmp(item->text, called->text) == 0)
            return item->loc;
    }
    return loc_of(ld, called->member, "aliases");
}

/* "roster.members[3].rep", or within the CSV just "rep". The index counts the members of the YAML alone. */
static size_t push_member_path(struct kp_loader *ld, size_t member, const char *key)
{
    struct kp_roster_cfg *roster = &ld->config->roster;
    size_t back = ld->path_len, from_csv = 0;

    if (!roster->members[member].loc.file) {
        if (ld->csv)
            from_csv = kp_tree_root(ld->csv)->count;
        kp_path_key(ld, "roster");
        kp_path_key(ld, "members");
        kp_path_index(ld, member >= from_csv ? member - from_csv : member);
    }
    kp_path_key(ld, key);
    return back;
}

static int by_text(const void *a, const void *b)
{
    const struct called *x = a, *y = b;
    int order = strcmp(x->text, y->text);

    if (order == 0)
        order = (x->member > y->member) - (x->member < y->member);
    return order ? order : (int)x->is_alias - (int)y->is_alias;
}

static void describe(const struct kp_loader *ld, const struct called *called, char *buf, size_t size)
{
    const struct kp_roster_cfg *roster = &ld->config->roster;
    const struct kp_loc *loc = &roster->members[called->member].loc;
    const char *rep = rep_of(roster, called->member);

    snprintf(buf, size, "%s%s of \"%.60s\"%s in line %d", called->is_alias ? "an alias" : "the key",
             called->is_alias ? "" : " itself", rep ? rep : "?", loc->file ? " of the roster file" : "", loc->line);
}

/* To be said behind a line's number when that line is not in the same file. */
static const char *elsewhere(const struct kp_loader *ld, size_t member, size_t from)
{
    const struct kp_member *members = ld->config->roster.members;

    return members[member].loc.file && !members[from].loc.file ? " of the roster file" : "";
}

static void complain_called(struct kp_loader *ld, const struct called *first, const struct called *again)
{
    size_t back = push_member_path(ld, again->member, again->is_alias ? "aliases" : "rep");
    struct kp_loc loc = again->is_alias ? alias_loc(ld, again) : loc_of(ld, again->member, "rep");
    char other[256];

    describe(ld, first, other, sizeof other);
    if (first->is_alias || again->is_alias)
        kp_complain(ld, loc, "\"%s\" is also %s", again->text, other);
    else
        kp_complain(ld, loc, "the rep \"%s\" is given twice (first in line %d%s)", again->text,
                    ld->config->roster.members[first->member].loc.line, elsewhere(ld, first->member, again->member));
    kp_path_back(ld, back);
}

static size_t collect_called(const struct kp_roster_cfg *roster, struct called *called)
{
    size_t count = 0;

    for (size_t i = 0; i < roster->nmembers; i++) {
        const struct kp_member *member = &roster->members[i];
        const char *rep = rep_of(roster, i);

        if (rep)
            called[count++] = (struct called){rep, i, false};
        for (size_t j = 0; j < member->naliases; j++) {
            if (member->aliases[j])
                called[count++] = (struct called){member->aliases[j], i, true};
        }
    }
    return count;
}

/* One name must lead to one member. A member's own key among the aliases does no harm. */
static void check_called(struct kp_loader *ld)
{
    const struct kp_roster_cfg *roster = &ld->config->roster;
    size_t most = roster->nmembers, count, first = 0;
    struct called *called;

    for (size_t i = 0; i < roster->nmembers; i++)
        most += roster->members[i].naliases;
    called = kp_zeros(ld, most, sizeof *called);
    if (!called)
        return;
    count = collect_called(roster, called);
    qsort(called, count, sizeof *called, by_text);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(called[i].text, called[first].text) != 0)
            first = i;
        else if (called[i].member != called[first].member || called[first].is_alias)
            complain_called(ld, &called[first], &called[i]);
    }
    free(called);
}

/* ---- a team in two regions ---- */

struct unit {
    const char *key, *parent;
    size_t member;
};

static int by_key(const void *a, const void *b)
{
    const struct unit *x = a, *y = b;
    int order = strcmp(x->key, y->key);

    return order ? order : (x->member > y->member) - (x->member < y->member);
}

static const char *or_none(const char *key)
{
    return key ? key : "(none)";
}

static void complain_parent(struct kp_loader *ld, size_t level, const struct unit *first, const struct unit *again)
{
    char **levels = ld->config->roster.levels;
    size_t back = push_member_path(ld, again->member, levels[level]);

    kp_complain(ld, loc_of(ld, again->member, levels[level]),
                "the %s \"%s\" stands under the %s \"%s\" here, and under \"%s\" in line %d%s", levels[level],
                again->key, levels[level - 1], or_none(again->parent), or_none(first->parent),
                ld->config->roster.members[first->member].loc.line, elsewhere(ld, first->member, again->member));
    kp_path_back(ld, back);
}

static void check_level(struct kp_loader *ld, size_t level, struct unit *units)
{
    const struct kp_roster_cfg *roster = &ld->config->roster;
    size_t count = 0, first = 0;

    for (size_t i = 0; i < roster->nmembers; i++) {
        char **place = roster->members[i].place;

        if (place && place[level])
            units[count++] = (struct unit){place[level], place[level - 1], i};
    }
    qsort(units, count, sizeof *units, by_key);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(units[i].key, units[first].key) != 0)
            first = i;
        else if (strcmp(or_none(units[i].parent), or_none(units[first].parent)) != 0)
            complain_parent(ld, level, &units[first], &units[i]);
    }
}

void kp_check_roster(struct kp_loader *ld)
{
    const struct kp_roster_cfg *roster = &ld->config->roster;
    struct unit *units;

    if (roster->nmembers == 0 || roster->nlevels == 0)
        return;
    check_called(ld);
    units = kp_zeros(ld, roster->nmembers, sizeof *units);
    for (size_t level = 1; units && level + 1 < roster->nlevels; level++)
        check_level(ld, level, units);
    free(units);
    if (roster->nmembers > ld->config->limits.keys)
        kp_fault(ld->faults, roster->members[ld->config->limits.keys].loc, "roster",
                 "holds %zu members, but limits.keys is %u", roster->nmembers, ld->config->limits.keys);
}
