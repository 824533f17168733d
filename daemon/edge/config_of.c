/* kpis.NAME.of with a map, and kpis.NAME.once: what happened before to the same lead, deal or client. */
#include "config_read.h"

#include "nearest.h"

#include <string.h>

enum { FIELD_MAX = 128, NTH_MAX = 200 };
#define DAY_MS INT64_C(86400000)
#define WITHIN_MAX (3660 * DAY_MS)
#define AT(field) offsetof(struct kp_kpi_cfg, field)

static KP_READER(read_per)
{
    struct kp_kpi_cfg *kpi = into;

    kpi->of_more.per_loc = node->loc;
    kp_read_string(ld, node, &kpi->of_more.per, key);
}

const struct kp_key kp_elapsed_keys[] = {
    {.name = "from", .need = KP_REQUIRED, .read = kp_read_where, .at = AT(of_more.from)},
    {.name = "to", .need = KP_REQUIRED, .read = kp_read_where, .at = AT(of_more.to)},
    {.name = "per", .need = KP_REQUIRED, .read = read_per, .max = FIELD_MAX},
    {.name = NULL},
};

const struct kp_key kp_repeat_keys[] = {
    {.name = "per", .need = KP_REQUIRED, .read = read_per, .max = FIELD_MAX},
    {.name = "from", .read = kp_read_count64, .at = AT(of_more.nth), .min = 1, .max = NTH_MAX},
    {.name = "within", .read = kp_read_duration, .at = AT(of_more.within_ms), .min = 1, .max = WITHIN_MAX},
    {.name = NULL},
};

const struct kp_key kp_open_keys[] = {
    {.name = "per", .need = KP_REQUIRED, .read = read_per, .max = FIELD_MAX},
    {.name = "opened", .read = kp_read_where, .at = AT(of_more.opened)},
    {.name = "closed", .need = KP_REQUIRED, .read = kp_read_where, .at = AT(of_more.closed)},
    {.name = "field", .read = kp_read_string, .at = AT(of_more.field), .max = FIELD_MAX},
    {.name = "stage", .read = kp_read_string, .at = AT(of_more.stage), .max = FIELD_MAX},
    {.name = NULL},
};

const struct kp_key kp_cohort_keys[] = {
    {.name = "from", .need = KP_REQUIRED, .read = kp_read_where, .at = AT(of_more.from)},
    {.name = "to", .need = KP_REQUIRED, .read = kp_read_where, .at = AT(of_more.to)},
    {.name = "per", .need = KP_REQUIRED, .read = read_per, .max = FIELD_MAX},
    {.name = "within", .need = KP_REQUIRED, .read = kp_read_duration, .at = AT(of_more.within_ms), .min = 1, .max = WITHIN_MAX},
    {.name = NULL},
};

const struct kp_key kp_once_keys[] = {
    {.name = "per", .need = KP_REQUIRED, .read = kp_read_string, .at = AT(once.per), .max = FIELD_MAX},
    {.name = "reversed_by", .read = kp_read_where, .at = AT(once.reversed_by)},
    {.name = NULL},
};

static const struct {
    const char *name;
    enum kp_of_kind kind;
    const struct kp_key *keys;
} kinds[] = {{"elapsed", KP_OF_ELAPSED, kp_elapsed_keys},
             {"repeat", KP_OF_REPEAT, kp_repeat_keys},
             {"open", KP_OF_OPEN, kp_open_keys},
             {"cohort", KP_OF_COHORT, kp_cohort_keys}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void complain_kind(struct kp_loader *ld, const struct kp_node *entry)
{
    const char *known[KINDS];

    for (size_t i = 0; i < KINDS; i++)
        known[i] = kinds[i].name;
    kp_complain_unknown(ld, entry->key_loc, "key", entry->key, known, KINDS);
}

KP_READER(kp_read_of_map)
{
    struct kp_kpi_cfg *kpi = into;
    const struct kp_node *entry = node->first;
    size_t back, i = 0;

    (void)key;
    if (node->count != 1) {
        kp_complain(ld, node->loc, "takes one of elapsed, repeat, open and cohort");
        return;
    }
    while (i < KINDS && strcmp(kinds[i].name, entry->key) != 0)
        i++;
    if (i == KINDS) {
        complain_kind(ld, entry);
        return;
    }
    kpi->of_more.kind = kinds[i].kind;
    kpi->of_more.loc = entry->key_loc;
    kpi->of_more.nth = 2;
    back = kp_path_key(ld, entry->key);
    kp_read_map(ld, entry, kinds[i].keys, kpi);
    kp_path_back(ld, back);
    if (kpi->of_more.kind == KP_OF_OPEN && !kpi->of_more.stage)
        kpi->of_more.stage = kp_copy(ld, "stage");
}

KP_READER(kp_read_once)
{
    struct kp_kpi_cfg *kpi = into;

    (void)key;
    kpi->once.loc = node->loc;
    if (kp_read_map(ld, node, kp_once_keys, kpi))
        kpi->once.reversible = kp_node_get(node, "reversed_by") != NULL;
}

/* ---- what goes with what ---- */

static bool among(enum kp_agg agg, const enum kp_agg *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == agg)
            return true;
    return false;
}

/* These can give back what they took. */
static bool takes_back(enum kp_agg agg)
{
    static const enum kp_agg some[] = {KP_AGG_COUNT, KP_AGG_SUM, KP_AGG_MEAN, KP_AGG_STDDEV, KP_AGG_QUANTILE};

    return among(agg, some, sizeof some / sizeof *some);
}

static void check_kind(struct kp_loader *ld, const struct kp_node *node, const struct kp_kpi_cfg *kpi, struct kp_loc aggregate)
{
    const struct kp_node *of_node = kp_node_get(node, "of"), *open = of_node ? kp_node_get(of_node, "open") : NULL;
    const struct kp_of_cfg *of = &kpi->of_more;

    if (of->kind == KP_OF_REPEAT && kpi->agg != KP_AGG_COUNT)
        kp_complain(ld, aggregate, "\"repeat\" only goes with the aggregate count");
    else if (of->kind == KP_OF_OPEN && of->field && kpi->agg == KP_AGG_COUNT)
        kp_complain(ld, of->loc, "a count of what is open takes no \"field\"");
    else if (of->kind == KP_OF_OPEN && kpi->agg != KP_AGG_COUNT && open && !kp_node_get(open, "field") &&
             !kp_misspelt(open, kp_open_keys, "field"))
        kp_complain(ld, of->loc, "needs a \"field\" to take the aggregate of");
}

void kp_check_of(struct kp_loader *ld, const struct kp_node *node, const struct kp_kpi_cfg *kpi)
{
    const struct kp_node *aggregate = kp_node_get(node, "aggregate");
    const struct kp_of_cfg *of = &kpi->of_more;
    struct kp_loc loc = aggregate ? aggregate->loc : kpi->loc;

    if (of->kind == KP_OF_EVENT && !kpi->once.loc.line)
        return;
    if (kpi->agg == KP_AGG_FORMULA)
        return;         /* told already: a formula takes no `of` */
    if (kpi->agg == KP_AGG_COUNT && aggregate && (aggregate->kind != KP_NODE_SCALAR || strcmp(aggregate->text, "count") != 0))
        return;         /* told already: no such aggregate */
    if (!takes_back(kpi->agg))
        kp_complain(ld, loc, "a sample that an earlier or a reversing event changes can't be taken back from \"%s\"; use count, "
                    "sum, mean, stddev, median or pNN", aggregate ? aggregate->text : "");
    else
        check_kind(ld, node, kpi, loc);
    if (!kpi->once.per)
        return;
    if (of->kind == KP_OF_OPEN)
        kp_complain(ld, kpi->once.loc, "what is open counts once anyway: leave \"once\" out");
    else if (of->per && strcmp(of->per, kpi->once.per) != 0)
        kp_complain(ld, kpi->once.loc, "\"once\" must be per \"%s\" as well", of->per);
}
