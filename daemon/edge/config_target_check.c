/* targets when the KPIs, the alerts and the roster are known: one that nobody could ever have, or that no window shows, is
 * a slip of whoever wrote it. So is a contest that nobody takes part in. */
#include "config_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What some member has: a level's key, or an attribute. */
struct trait {
    const char *key, *value;
};

struct traits {
    struct trait *list;         /* owned; sorted */
    size_t count;
};

/* What chooses among whom: a target, or a contest. */
struct choice {
    const char *what, *key;     /* "target", "level" */
    const char *level;          /* NULL: it is unknown */
    const struct kp_selector *select;
    size_t nselect;
};

static const char unassigned[] = "unassigned";      /* the place of a member who names none */

static int by_key_and_value(const void *a, const void *b)
{
    const struct trait *x = a, *y = b;
    int order = strcmp(x->key, y->key);

    return order ? order : strcmp(x->value, y->value);
}

static bool add_trait(struct kp_loader *ld, struct traits *traits, const char *key, const char *value)
{
    struct trait *slot = kp_grow(ld, &traits->list, &traits->count, sizeof *traits->list);

    if (slot)
        *slot = (struct trait){key, value};
    return slot != NULL;
}

/* Sorted, so that targets and members in their thousands are no thousands of thousands of look-ups. */
static bool gather_traits(struct kp_loader *ld, struct traits *traits)
{
    const struct kp_roster_cfg *roster = &ld->config->roster;
    bool ok = true;

    for (size_t i = 0; i < roster->nmembers && ok; i++) {
        const struct kp_member *m = &roster->members[i];

        for (size_t l = 0; l < roster->nlevels && ok; l++)
            ok = add_trait(ld, traits, roster->levels[l], m->place[l] ? m->place[l] : unassigned);
        for (size_t a = 0; a < m->nattrs && ok; a++)
            ok = add_trait(ld, traits, m->attrs[a].key, m->attrs[a].value);
    }
    if (ok && traits->count)
        qsort(traits->list, traits->count, sizeof *traits->list, by_key_and_value);
    return ok;
}

static bool has_trait(const struct traits *traits, const char *key, const char *value)
{
    const struct trait want = {key, value};

    return traits->count && bsearch(&want, traits->list, traits->count, sizeof want, by_key_and_value);
}

/* The levels and, one after the other, the attributes that some member has: what a selector may name. */
static const char **known_keys(struct kp_loader *ld, const struct traits *traits, size_t *count)
{
    const struct kp_roster_cfg *roster = &ld->config->roster;
    const char **known = kp_zeros(ld, traits->count + roster->nlevels, sizeof(*known));

    *count = 0;
    for (size_t l = 0; known && l < roster->nlevels; l++)
        known[(*count)++] = roster->levels[l];
    for (size_t i = 0; known && i < traits->count; i++) {
        const char *key = traits->list[i].key;

        if ((i == 0 || strcmp(traits->list[i - 1].key, key) != 0) && kp_find_level(ld->config, key) < 0)
            known[(*count)++] = key;
    }
    return known;
}

/* A key that no member has: misspelt, or one that members have for another use. */
static void complain_key(struct kp_loader *ld, const struct traits *traits, const struct kp_node *entry)
{
    size_t count;
    const char **known;

    for (const struct kp_key *key = kp_member_keys; key->name; key++) {
        if (strcmp(key->name, entry->key) == 0 && strcmp(key->name, "name") != 0) {
            kp_complain(ld, entry->key_loc, "nobody is selected by \"%s\"; take a level, or a key that you give members yourself",
                        entry->key);
            return;
        }
    }
    known = known_keys(ld, traits, &count);
    if (known)
        kp_complain_unknown(ld, entry->key_loc, "key of members", entry->key, known, count);
    free(known);
}

static bool is_known(const struct kp_loader *ld, const struct traits *traits, const char *key)
{
    size_t low = 0, high = traits->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (strcmp(traits->list[mid].key, key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return kp_find_level(ld->config, key) >= 0 || (low < traits->count && strcmp(traits->list[low].key, key) == 0);
}

/* What a team is selected by is the team and what lies above it; the company is by nothing. Said, and false, if not so. */
static bool level_has(struct kp_loader *ld, const struct choice *choice, const struct kp_node *entry)
{
    int own = kp_find_level(ld->config, choice->level), asked = kp_find_level(ld->config, entry->key);
    char known[KP_LEVELS_MAX * 68] = "";
    size_t len = 0;

    if ((asked >= 0 && asked <= own) || own == (int)ld->config->roster.nlevels - 1)
        return true;
    for (int i = own; i >= 0; i--) {
        const char *name = ld->config->roster.levels[i];

        len += (size_t)snprintf(known + len, sizeof known - len, "%s%.64s", i == own ? "" : " or ", name);
    }
    if (own < 0)
        kp_complain(ld, entry->key_loc, "there is one company, so \"level: company\" takes no \"for\"");
    else
        kp_complain(ld, entry->key_loc, "a %s with \"%s: %s\" is not chosen by \"%s\", only by %s", choice->what, choice->key,
                    choice->level, entry->key, known);
    return false;
}

static const char *trait_of(const struct kp_config *config, const struct kp_member *m, const char *key)
{
    int level = kp_find_level(config, key);

    if (level >= 0)
        return m->place[level] ? m->place[level] : unassigned;
    for (size_t a = 0; a < m->nattrs; a++)
        if (strcmp(m->attrs[a].key, key) == 0)
            return m->attrs[a].value;
    return NULL;
}

static bool somebody_is(const struct kp_config *config, const struct choice *target)
{
    for (size_t i = 0; i < config->roster.nmembers; i++) {
        size_t s = 0;

        for (; s < target->nselect; s++) {
            const char *has = trait_of(config, &config->roster.members[i], target->select[s].key);

            if (!has || strcmp(has, target->select[s].value) != 0)
                break;
        }
        if (s == target->nselect)
            return true;
    }
    return false;
}

/* One entry of `for`. False when it was complained about, or is no text. */
static bool check_entry(struct kp_loader *ld, const struct traits *traits, const struct choice *choice, const struct kp_node *entry,
                        const char *value)
{
    if (!value)
        return false;
    if (!ld->faulty_roster && !is_known(ld, traits, entry->key))
        complain_key(ld, traits, entry);
    else if (!choice->level || level_has(ld, choice, entry)) {
        if (ld->faulty_roster || has_trait(traits, entry->key, value))
            return true;
        kp_complain(ld, entry->loc, "no member of the roster has the %s \"%.100s\"", entry->key, value);
    }
    return false;
}

static void check_for(struct kp_loader *ld, const struct traits *traits, struct choice choice, const struct kp_node *node)
{
    size_t back = kp_path_key(ld, "for"), i = 0;
    bool well = true;

    if (strcmp(choice.level, "company") != 0 && kp_find_level(ld->config, choice.level) < 0)
        choice.level = NULL;        /* told already */
    for (const struct kp_node *entry = node->first; entry && i < choice.nselect; entry = entry->next, i++) {
        size_t inner = kp_path_key(ld, entry->key);

        well &= check_entry(ld, traits, &choice, entry, choice.select[i].value);
        kp_path_back(ld, inner);
    }
    if (well && choice.nselect > 1 && !ld->faulty_roster && !somebody_is(ld->config, &choice))
        kp_complain(ld, node->loc, "no member of the roster is all of this");
    kp_path_back(ld, back);
}

/* ---- Periods ---- */

static const char *const period_names[] = {[KP_PER_DAY] = "day", [KP_PER_WEEK] = "week", [KP_PER_MONTH] = "month",
                                           [KP_PER_QUARTER] = "quarter", [KP_PER_YEAR] = "year"};

/* Has the KPI a window that the target stands beside, in snapshots or under an alert? */
static bool has_window(const struct kp_config *config, const struct kp_kpi_cfg *kpi, enum kp_period per)
{
    for (size_t i = 0; i < kpi->nwindows; i++)
        if (kpi->windows[i].kind == KP_WIN_CALENDAR && kpi->windows[i].period == per)
            return true;
    for (size_t i = 0; i < config->nalerts; i++) {
        const struct kp_alert_cfg *alert = &config->alerts[i];

        if (alert->kpi && strcmp(alert->kpi, kpi->name) == 0 &&
            (!alert->window.text[0] || (alert->window.kind == KP_WIN_CALENDAR && alert->window.period == per)))
            return true;
    }
    return false;
}

static void check_per(struct kp_loader *ld, const struct kp_target_cfg *target, size_t kpi, const struct kp_node *per)
{
    const struct kp_kpi_cfg *cfg = &ld->config->kpis[kpi];
    size_t back;

    if (!ld->sound_kpis[kpi] || (ld->faulty_windows && !cfg->windows_loc.line) || !per || per->kind != KP_NODE_SCALAR ||
        strcmp(per->text, period_names[target->per]) != 0 || has_window(ld->config, cfg, target->per))
        return;
    back = kp_path_key(ld, "per");
    kp_complain(ld, per->loc, "nothing shows it: \"%s\" has no window %s, and no alert on it has", cfg->name,
                period_names[target->per]);
    kp_path_back(ld, back);
}

static void check_kpi(struct kp_loader *ld, const struct kp_target_cfg *target, const struct kp_node *node)
{
    int kpi = target->kpi ? kp_find_kpi(ld->config, target->kpi, strlen(target->kpi)) : -1;
    size_t back = kp_path_key(ld, "kpi");

    if (target->kpi && kpi < 0)
        kp_complain_kpi(ld, target->kpi_loc, target->kpi);
    else if (kpi >= 0 && ld->config->kpis[kpi].nby)
        kp_complain(ld, target->kpi_loc, "\"%s\" is grouped by a field; targets are for the roster's levels", target->kpi);
    kp_path_back(ld, back);
    if (kpi >= 0 && !ld->config->kpis[kpi].nby)
        check_per(ld, target, (size_t)kpi, kp_node_get(node, "per"));
}

void kp_check_targets(struct kp_loader *ld)
{
    const struct kp_config *config = ld->config;
    const struct kp_roster_cfg *roster = &config->roster;
    struct traits traits = {0};
    bool ok = roster->nlevels > 0 && gather_traits(ld, &traits);

    for (size_t i = 0; i < config->ntargets && ok; i++) {
        const struct kp_target_cfg *target = &config->targets[i];
        const struct kp_node *node = ld->target_nodes[i], *selector = kp_node_get(node, "for");
        size_t back = kp_path_key(ld, "targets");

        kp_path_index(ld, i);
        if (target->nramp && target->level && strcmp(target->level, roster->levels[roster->nlevels - 1]) != 0)
            kp_complain(ld, target->loc, "\"ramp\" is for members, from their `start`, and takes no \"level\"");
        check_kpi(ld, target, node);
        if (selector && target->nselect)
            check_for(ld, &traits,
                      (struct choice){"target", "level", target->level ? target->level : roster->levels[roster->nlevels - 1],
                                      target->select, target->nselect},
                      selector);
        kp_path_back(ld, back);
    }
    for (size_t i = 0; i < config->ncontests && ok; i++) {
        const struct kp_contest_cfg *contest = &config->contests[i];
        size_t back = kp_path_key(ld, "contests");

        kp_path_key(ld, contest->name);
        if (contest->nselect && contest->level)
            check_for(ld, &traits, (struct choice){"contest", "among", contest->level, contest->select, contest->nselect},
                      kp_node_get(ld->contest_nodes[i], "for"));
        kp_path_back(ld, back);
    }
    free(traits.list);
}
