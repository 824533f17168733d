/* kpis: one of them by its keys, and what its keys must be to each other. */
#include "config_read.h"

#include "nearest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_MAX_BYTES = 64,
    FIELD_MAX = 128,
    BY_MAX = 4,
    FORMULA_MAX = 4096,
};

#define AT(field) offsetof(struct kp_kpi_cfg, field)

static const struct kp_word betters[] = {
    {"higher", KP_BETTER_HIGHER, false}, {"lower", KP_BETTER_LOWER, false}, {"none", KP_BETTER_NONE, false}, {NULL, 0, false}};

static const struct kp_word aggregates[] = {
    {"count", KP_AGG_COUNT, false},       {"sum", KP_AGG_SUM, false},         {"mean", KP_AGG_MEAN, false},
    {"min", KP_AGG_MIN, false},           {"max", KP_AGG_MAX, false},         {"stddev", KP_AGG_STDDEV, false},
    {"distinct", KP_AGG_DISTINCT, false}, {"median", KP_AGG_QUANTILE, false}, {"last", KP_AGG_LAST, false},
    {"p50", KP_AGG_QUANTILE, false},      {"p90", KP_AGG_QUANTILE, false},    {"p95", KP_AGG_QUANTILE, false},
    {"p99", KP_AGG_QUANTILE, false},      {"p99.9", KP_AGG_QUANTILE, false},  {NULL, 0, false}};

/* "p90" -> 0.9, "p99.9" -> 0.999: the double nearest to the decimal, since ranks are rounded up from it. */
static bool quantile_of(struct kp_loader *ld, const char *text, double *quantile)
{
    size_t whole = text[0] == 'p' ? strspn(text + 1, "0123456789") : 0;
    const char *part = text + 1 + whole;
    size_t parts = whole && *part == '.' ? strspn(part + 1, "0123456789") : 0;
    char decimal[32];

    if (whole < 1 || whole > 2 || parts > 6 || (*part == '.' && !parts) || part[parts + (parts > 0)])
        return false;
    snprintf(decimal, sizeof decimal, "0.%s%.*s%.*s", whole == 1 ? "0" : "", (int)whole, text + 1, (int)parts,
             parts ? part + 1 : "");
    *quantile = strtod_l(decimal, NULL, ld->numbers);
    return *quantile > 0;
}

static KP_READER(read_aggregate)
{
    struct kp_kpi_cfg *kpi = into;
    const char *text = node->kind == KP_NODE_SCALAR ? node->text : "";
    int agg;

    if (quantile_of(ld, text, &kpi->quantile)) {
        kpi->agg = KP_AGG_QUANTILE;
    } else if (kp_word_of(ld, node, key->words, &agg)) {
        kpi->agg = (enum kp_agg)agg;
        kpi->quantile = kpi->agg == KP_AGG_QUANTILE ? 0.5 : 0;  /* the one quantile that is not written p.. */
    }
}

static KP_READER(read_of)
{
    struct kp_kpi_cfg *kpi = into;

    kpi->of_loc = node->loc;
    if (node->kind == KP_NODE_MAP && node->first) {
        kp_read_of_map(ld, node, into, key);
        return;
    }
    kp_read_string(ld, node, &kpi->of, &(struct kp_key){.max = FIELD_MAX});
}

static KP_READER(read_formula)
{
    struct kp_kpi_cfg *kpi = into;

    kpi->formula_loc = node->loc;
    kp_read_text(ld, node, &kpi->formula, key);
}

static KP_READER(read_kpi_windows)
{
    struct kp_kpi_cfg *kpi = into;
    struct kp_window_list list = {0};

    kpi->windows_loc = node->loc;
    kp_read_windows(ld, node, &list, key);
    kpi->windows = list.windows;
    kpi->nwindows = list.count;
}

static KP_READER(read_by)
{
    struct kp_kpi_cfg *kpi = into;

    (void)key;
    kpi->by_loc = node->loc;
    kp_strings_of(ld, node, FIELD_MAX, BY_MAX, &kpi->by, &kpi->nby);
    for (size_t i = 1; i < kpi->nby; i++) {
        for (size_t j = 0; j < i; j++) {
            if (kpi->by[i] && kpi->by[j] && strcmp(kpi->by[i], kpi->by[j]) == 0)
                kp_complain(ld, node->loc, "\"%s\" is given twice", kpi->by[i]);
        }
    }
}

const struct kp_key kp_kpi_keys[] = {
    {.name = "title", .read = kp_read_text, .at = AT(title), .max = 200},
    {.name = "unit", .read = kp_read_text, .at = AT(unit), .max = 32},
    {.name = "better", .read = kp_read_word, .at = AT(better), .words = betters},
    {.name = "aggregate", .read = read_aggregate, .words = aggregates},
    {.name = "of", .read = read_of},
    {.name = "where", .read = kp_read_where, .at = AT(where)},
    {.name = "formula", .read = read_formula, .max = FORMULA_MAX},
    {.name = "windows", .read = read_kpi_windows},
    {.name = "by", .read = read_by},
    {.name = "once", .read = kp_read_once},
    {.name = NULL},
};

/* ---- one KPI as a whole ---- */

static void check_formula_kpi(struct kp_loader *ld, const struct kp_node *node)
{
    static const char *const not_with[] = {"aggregate", "of", "where", "once"};

    for (size_t i = 0; i < sizeof not_with / sizeof *not_with; i++) {
        const struct kp_node *entry = kp_node_get(node, not_with[i]);

        if (entry)
            kp_complain(ld, entry->key_loc, "a KPI with a formula takes no \"%s\"", not_with[i]);
    }
}

static void check_aggregate_kpi(struct kp_loader *ld, const struct kp_node *node, const struct kp_kpi_cfg *kpi)
{
    const struct kp_node *aggregate = kp_node_get(node, "aggregate");

    if (!aggregate && (kp_misspelt(node, kp_kpi_keys, "aggregate") || kp_misspelt(node, kp_kpi_keys, "formula")))
        return;
    if (!aggregate)
        kp_complain(ld, node->key_loc, "needs an \"aggregate\" or a \"formula\"");
    else if (kpi->agg != KP_AGG_COUNT && !kp_node_get(node, "of") && !kp_misspelt(node, kp_kpi_keys, "of"))
        kp_complain(ld, aggregate->loc, "\"%s\" needs \"of\": the field to take it of", aggregate->text);
}

static void check_name(struct kp_loader *ld, const struct kp_node *node)
{
    const char *name = node->key;
    size_t len = strlen(name);

    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != len)
        kp_complain(ld, node->key_loc, "a KPI's name is made of a to z, 0 to 9 and _");
    else if (len > NAME_MAX_BYTES)
        kp_complain(ld, node->key_loc, "the name is longer than %d bytes", NAME_MAX_BYTES);
    else if (strcmp(name, "min") == 0 || strcmp(name, "max") == 0)
        kp_complain(ld, node->key_loc, "\"%s\" is a function of formulas and can't name a KPI", name);
}

static void read_kpi(struct kp_loader *ld, const struct kp_node *node)
{
    struct kp_kpi_cfg *kpi = kp_grow(ld, &ld->config->kpis, &ld->config->nkpis, sizeof *ld->config->kpis);
    const struct kp_node **slot = kp_grow(ld, &ld->kpi_nodes, &ld->nkpi_nodes, sizeof(*ld->kpi_nodes));
    bool *sound = kp_grow(ld, &ld->sound_kpis, &ld->nsound_kpis, sizeof *ld->sound_kpis);
    size_t before = ld->faults->count;

    if (!kpi || !slot || !sound)
        return;
    *slot = node;
    kpi->name = kp_copy(ld, node->key);
    kpi->loc = node->key_loc;
    check_name(ld, node);
    if (!kp_read_map(ld, node, kp_kpi_keys, kpi))
        return;
    if (kp_node_get(node, "formula")) {
        kpi->agg = KP_AGG_FORMULA;
        check_formula_kpi(ld, node);
    } else {
        check_aggregate_kpi(ld, node, kpi);
        kp_check_of(ld, node, kpi);
    }
    *sound = ld->faults->count == before;
}

KP_READER(kp_read_kpis)
{
    (void)into;
    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_MAP, KP_KPIS_MAX))
        return;
    for (const struct kp_node *entry = node->first; entry; entry = entry->next) {
        size_t back = kp_path_key(ld, entry->key);

        /* A name given twice is a fault already; the first one stands. */
        if (kp_find_kpi(ld->config, entry->key, strlen(entry->key)) < 0)
            read_kpi(ld, entry);
        kp_path_back(ld, back);
    }
}

int kp_find_kpi(const struct kp_config *config, const char *name, size_t len)
{
    for (size_t i = 0; i < config->nkpis; i++) {
        const char *known = config->kpis[i].name;

        if (known && strncmp(known, name, len) == 0 && known[len] == '\0')
            return (int)i;
    }
    return -1;
}

void kp_complain_kpi(struct kp_loader *ld, struct kp_loc loc, const char *name)
{
    const struct kp_config *config = ld->config;
    const char **known = kp_zeros(ld, config->nkpis, sizeof(*known));
    size_t count = 0;

    for (size_t i = 0; known && i < config->nkpis; i++) {
        if (config->kpis[i].name)
            known[count++] = config->kpis[i].name;
    }
    if (known)
        kp_complain_unknown(ld, loc, "KPI", name, known, count);
    free(known);
}
