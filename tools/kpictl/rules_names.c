/* The names, words and numbers of what a rule test expects: all that can be wrong with them before anything is run. */
#include "rules.h"

#include "nearest.h"

#include <stdlib.h>
#include <string.h>

static const char *const severities[] = {"warning", "critical", NULL};
static const char *const states[] = {"pending", "firing", "resolved", NULL};
static const char *const statuses[] = {"ok", "warning", "critical", "no_data", NULL};
static const char *const bounds[] = {"gt", "gte", "lt", "lte", NULL};
static const char *const cell_fields[] = {"value", "n",  "target",     "expected", "attainment",
                                          "rank",  "of", "percentile", "status",   NULL};
static const char *const numbers[] = {"value", "n", "target", "expected", "attainment", "rank", "of", "percentile", "ratio",
                                      "threshold", "p", NULL};
static const char *const times[] = {"at", "time", "since", NULL};

static size_t count_of(const char *const *words)
{
    size_t n = 0;

    while (words[n])
        n++;
    return n;
}

static bool among(const char *const *words, const char *word)
{
    for (; *words; words++)
        if (strcmp(*words, word) == 0)
            return true;
    return false;
}

/* ---- Values ---- */

static void check_word(struct kp_loader *ld, const struct kp_node *node, const char *const *words)
{
    if (node->kind == KP_NODE_SCALAR && !among(words, node->text) && strcmp(node->text, "null") != 0)
        kp_complain_unknown(ld, node->loc, "word", node->text, words, count_of(words));
}

static void check_rule(struct kp_loader *ld, const struct kp_node *node)
{
    const struct kp_config *config = ld->config;
    const char **known = kp_zeros(ld, config->nalerts + 1, sizeof(*known));

    for (size_t i = 0; known && i < config->nalerts; i++)
        known[i] = config->alerts[i].name;
    if (known && node->kind == KP_NODE_SCALAR && !among(known, node->text))
        kp_complain_unknown(ld, node->loc, "rule", node->text, known, config->nalerts);
    free(known);
}

static void check_bounds(struct kp_loader *ld, const struct kp_node *node)
{
    double number;

    for (const struct kp_node *bound = node->first; bound; bound = bound->next) {
        size_t back = kp_path_key(ld, bound->key);

        if (!among(bounds, bound->key))
            kp_complain_unknown(ld, bound->key_loc, "key", bound->key, bounds, count_of(bounds));
        else
            (void)kp_number(ld, bound, &number, NULL);
        kp_path_back(ld, back);
    }
}

static void check_number(struct kp_loader *ld, const struct kp_node *node)
{
    struct kp_value value = {0};
    double number;

    if (node->kind == KP_NODE_MAP)
        check_bounds(ld, node);
    else if (kp_scalar(ld, node, &value) && value.kind != KP_NIL)
        (void)kp_number(ld, node, &number, NULL);
}

static void check_time(struct kp_loader *ld, const struct when_frame *frame, const struct kp_node *node)
{
    struct kp_err err = {0};
    int64_t at_ms, unit_ms;
    size_t where = 0;

    if (kp_want(ld, node, KP_NODE_SCALAR) && !when_instant(frame, node->text, node->len, &at_ms, &unit_ms, &where, &err))
        kp_complain(ld, kp_node_loc_at(node, where), "%s", err.text);
}

/* The value of a field whose name is known; list: in `only`, any of several. */
static void check_value(struct kp_loader *ld, const struct when_frame *frame, const struct kp_node *node, const char *field)
{
    if (strcmp(field, "rule") == 0)
        check_rule(ld, node);
    else if (strcmp(field, "kpi") == 0 && node->kind == KP_NODE_SCALAR && kp_find_kpi(ld->config, node->text, node->len) < 0)
        kp_complain_kpi(ld, node->loc, node->text);
    else if (strcmp(field, "severity") == 0)
        check_word(ld, node, severities);
    else if (strcmp(field, "state") == 0)
        check_word(ld, node, states);
    else if (strcmp(field, "status") == 0)
        check_word(ld, node, statuses);
    else if (among(numbers, field))
        check_number(ld, node);
    else if (frame && among(times, field))
        check_time(ld, frame, node);
}

/* ---- Alerts ---- */

static bool is_field(const struct rules_file *file, const char *name)
{
    for (size_t i = 0; i < file->nfields; i++)
        if (strcmp(file->fields[i], name) == 0)
            return true;
    return false;
}

/* One entry of an alert's map: is there such a field? */
static bool check_field(struct rules_file *file, const struct kp_node *field, bool is_change)
{
    if (file->nfields == 0)
        kp_complain(&file->ld, field->key_loc, "the configuration has no alerts");
    else if (!is_field(file, field->key) && !(is_change && strcmp(field->key, "at") == 0))
        kp_complain_unknown(&file->ld, field->key_loc, "field", field->key, file->fields, file->nfields);
    else
        return true;
    return false;
}

void rules_check_only(struct rules_file *file, const struct kp_node *only)
{
    struct kp_loader *ld = &file->ld;

    if (!kp_want(ld, only, KP_NODE_MAP) || !file->has_config)
        return;
    for (const struct kp_node *field = only->first; field; field = field->next) {
        size_t back = kp_path_key(ld, field->key), i = 0;

        if (check_field(file, field, false) && field->kind != KP_NODE_LIST)
            check_value(ld, NULL, field, field->key);
        for (const struct kp_node *item = field->first; item && field->kind == KP_NODE_LIST; item = item->next) {
            size_t inner = kp_path_index(ld, i++);

            if (is_field(file, field->key))
                check_value(ld, NULL, item, field->key);
            kp_path_back(ld, inner);
        }
        kp_path_back(ld, back);
    }
}

static void check_alert(struct rules_look *look, const struct kp_node *alert, bool is_change)
{
    struct rules_file *file = look->test->file;
    struct kp_loader *ld = &file->ld;

    if (!kp_want(ld, alert, KP_NODE_MAP) || !file->has_config)
        return;
    if (alert->count == 0)
        kp_complain(ld, alert->loc, "is empty: any alert would do");
    for (const struct kp_node *field = alert->first; field; field = field->next) {
        size_t back = kp_path_key(ld, field->key);

        if (check_field(file, field, is_change))
            check_value(ld, &look->test->frame, field, field->key);
        kp_path_back(ld, back);
    }
}

/* ---- KPIs ---- */

static void check_window(struct kp_loader *ld, const struct kp_node *cell, const struct kp_kpi_cfg *kpi)
{
    const struct kp_node *window = kp_node_get(cell, "window");
    const char *known[KP_WINDOWS_MAX + 1] = {NULL};
    size_t n = kpi->nwindows < KP_WINDOWS_MAX ? kpi->nwindows : KP_WINDOWS_MAX;
    size_t back;

    for (size_t i = 0; i < n; i++)
        known[i] = kpi->windows[i].text;
    if (!window && n > 1)
        kp_complain(ld, cell->loc, "\"window\" is missing: %s has several", kpi->name);
    if (!window)
        return;
    back = kp_path_key(ld, "window");
    if (kp_want(ld, window, KP_NODE_SCALAR) && !among(known, window->text))
        kp_complain_unknown(ld, window->loc, "window", window->text, known, n);
    kp_path_back(ld, back);
}

/* The levels that a KPI has: the roster's and the company, or its group alone. */
static void check_level(struct kp_loader *ld, const struct kp_node *cell, const struct kp_kpi_cfg *kpi)
{
    const struct kp_node *level = kp_node_get(cell, "level");
    const struct kp_roster_cfg *roster = &ld->config->roster;
    const char *known[KP_LEVELS_MAX + 2] = {NULL};
    char group[512] = "";
    size_t n = 0, back;

    for (size_t i = 0; i < kpi->nby; i++)
        snprintf(group + strlen(group), sizeof group - strlen(group), "%s%s", i ? "," : "@", kpi->by[i]);
    if (kpi->nby)
        known[n++] = group;
    else
        known[n++] = "company";
    for (size_t i = 0; i < roster->nlevels && !kpi->nby; i++)
        known[n++] = roster->levels[i];
    back = kp_path_key(ld, "level");
    if (level && kp_want(ld, level, KP_NODE_SCALAR) && !among(known, level->text))
        kp_complain_unknown(ld, level->loc, "level", level->text, known, n);
    kp_path_back(ld, back);
    if (!kp_node_get(cell, "key") && !(level && strcmp(level->text, "company") == 0))
        kp_complain(ld, cell->loc, "\"key\" is missing: whose number is it?");
}

static void check_cell_fields(struct rules_look *look, const struct kp_node *cell)
{
    static const char *const which[] = {"kpi", "window", "level", "key", NULL};
    struct kp_loader *ld = &look->test->file->ld;
    const char *known[32];
    size_t n = 0, fields = 0;

    for (size_t i = 0; which[i]; i++)
        known[n++] = which[i];
    for (size_t i = 0; cell_fields[i]; i++)
        known[n++] = cell_fields[i];
    for (const struct kp_node *field = cell->first; field; field = field->next) {
        size_t back = kp_path_key(ld, field->key);

        fields += !among(which, field->key);
        if (among(cell_fields, field->key))
            check_value(ld, NULL, field, field->key);
        else if (among(which, field->key))
            kp_want(ld, field, KP_NODE_SCALAR);
        else
            kp_complain_unknown(ld, field->key_loc, "field", field->key, known, n);
        kp_path_back(ld, back);
    }
    if (fields == 0)
        kp_complain(ld, cell->loc, "expects nothing of the number: \"value\", \"target\", \"status\" ... would");
}

static void check_cell(struct rules_look *look, const struct kp_node *cell)
{
    struct rules_file *file = look->test->file;
    struct kp_loader *ld = &file->ld;
    const struct kp_node *name = kp_node_get(cell, "kpi");
    size_t before = ld->faults->count, back;
    int kpi;

    if (!kp_want(ld, cell, KP_NODE_MAP) || !file->has_config)
        return;
    check_cell_fields(look, cell);
    if (!name)
        kp_complain(ld, cell->loc, "\"kpi\" is missing");
    if (!name || ld->faults->count != before)
        return;
    back = kp_path_key(ld, "kpi");
    kpi = kp_find_kpi(&file->config, name->text, name->len);
    if (kpi < 0)
        kp_complain_kpi(ld, name->loc, name->text);
    kp_path_back(ld, back);
    if (kpi < 0)
        return;
    check_window(ld, cell, &file->config.kpis[kpi]);
    check_level(ld, cell, &file->config.kpis[kpi]);
}

/* ---- All of an expectation ---- */

struct part {
    const char *key;
    const struct kp_node *list;
};
enum { PARTS = 5, CHANGES = 2, CELLS = 4 };

static void parts_of(const struct rules_look *look, struct part parts[PARTS])
{
    parts[0] = (struct part){"firing", look->firing};
    parts[1] = (struct part){"pending", look->pending};
    parts[CHANGES] = (struct part){"changes", look->changes};
    parts[3] = (struct part){"told", look->told};
    parts[CELLS] = (struct part){"kpis", look->kpis};
}

void rules_check_look(struct rules_look *look)
{
    struct kp_loader *ld = &look->test->file->ld;
    struct part parts[PARTS];

    parts_of(look, parts);
    for (size_t p = 0; p < PARTS; p++) {
        size_t back = kp_path_key(ld, parts[p].key), i = 0;

        for (const struct kp_node *item = parts[p].list ? parts[p].list->first : NULL; item; item = item->next) {
            size_t inner = kp_path_index(ld, i++);

            if (p == CELLS)
                check_cell(look, item);
            else
                check_alert(look, item, p >= CHANGES);
            kp_path_back(ld, inner);
        }
        kp_path_back(ld, back);
    }
}

/* ---- Keys ---- */

/* level < 0: any. */
static void check_key(struct kp_loader *ld, const struct rules_stage *stage, const struct kp_node *key, int level)
{
    char best[65] = "", known[65];
    size_t distance = SIZE_MAX;

    if (key->kind != KP_NODE_SCALAR)
        return;
    for (uint32_t node = 0; node < kp_engine_nodes(stage->engine); node++) {
        struct kp_place place;

        if (!kp_engine_visible(stage->engine, node))
            continue;
        kp_engine_place(stage->engine, node, &place);
        if (level >= 0 && place.level != level)
            continue;
        if (place.key.len == key->len && memcmp(place.key.s, key->text, key->len) == 0)
            return;
        snprintf(known, sizeof known, "%.*s", (int)place.key.len, place.key.s);
        if (kp_near(key->text, known) && kp_edit_distance(key->text, known) < distance) {
            distance = kp_edit_distance(key->text, known);
            memcpy(best, known, sizeof best);
        }
    }
    kp_complain(ld, key->loc, "no such key \"%.100s\" in the roster or the events%s%s%s", key->text,
                *best ? "; did you mean \"" : "", best, *best ? "\"?" : "");
}

/* Whose keys they are that an entry names; -1: of several levels, as where alerts of a parent stand for those of its members. */
static int level_of(const struct rules_test *test, const struct rules_stage *stage, const struct kp_node *entry)
{
    const struct kp_config *config = &test->file->config;
    const struct kp_node *rule = kp_node_get(entry, "rule"), *level = kp_node_get(entry, "level");
    const char *name = level && level->kind == KP_NODE_SCALAR ? level->text : NULL;

    for (size_t i = 0; i < config->nalerts && rule && !name; i++)
        if (rule->kind == KP_NODE_SCALAR && strcmp(config->alerts[i].name, rule->text) == 0 && config->alerts[i].group == 0)
            name = config->alerts[i].level;
    return name ? kp_engine_find_level(stage->engine, name, strlen(name)) : -1;
}

static void check_keys_of(struct rules_test *test, const struct rules_stage *stage, const struct kp_node *entry)
{
    struct kp_loader *ld = &test->file->ld;
    const struct kp_node *key = kp_node_get(entry, "key");
    size_t back = kp_path_key(ld, "key");

    if (key && key->kind == KP_NODE_LIST)
        for (const struct kp_node *item = key->first; item; item = item->next)
            check_key(ld, stage, item, level_of(test, stage, entry));
    else if (key)
        check_key(ld, stage, key, level_of(test, stage, entry));
    kp_path_back(ld, back);
}

static void check_look_keys(struct rules_test *test, const struct rules_stage *stage, const struct rules_look *look)
{
    struct kp_loader *ld = &test->file->ld;
    struct part parts[PARTS];

    parts_of(look, parts);
    for (size_t p = 0; p < PARTS; p++) {
        size_t back = kp_path_key(ld, parts[p].key), i = 0;

        for (const struct kp_node *item = parts[p].list ? parts[p].list->first : NULL; item; item = item->next) {
            size_t inner = kp_path_index(ld, i++);

            check_keys_of(test, stage, item);
            kp_path_back(ld, inner);
        }
        kp_path_back(ld, back);
    }
    if (look->only && look->only != test->only) {
        size_t back = kp_path_key(ld, "only");

        check_keys_of(test, stage, look->only);
        kp_path_back(ld, back);
    }
}

void rules_check_keys(struct rules_test *test, const struct rules_stage *stage)
{
    struct kp_loader *ld = &test->file->ld;
    size_t back = kp_path_key(ld, "only");

    if (test->only && test->only != test->file->only)
        check_keys_of(test, stage, test->only);
    kp_path_back(ld, back);
    back = kp_path_key(ld, "expect");
    for (size_t i = 0; i < test->nlooks; i++) {
        size_t inner = kp_path_index(ld, i);

        check_look_keys(test, stage, &test->looks[i]);
        kp_path_back(ld, inner);
    }
    kp_path_back(ld, back);
}
