/* Formulas when all KPIs are read: syntax, names, cycles, and that the operands are grouped alike. */
#include "config_read.h"

#include "kpid/formula.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum mark { WHITE, GREY, BLACK };       /* not seen, being looked at, done */

struct graph {
    struct kp_loader *ld;
    struct kp_formula **formulas;       /* owned; by KPI, NULL for aggregates and those with faults */
    unsigned char *marks;
    int *trail;                         /* the KPIs being looked at, outermost first */
    size_t depth;
};

struct names {
    const struct kp_config *config;
    char unknown[128];                  /* the name that was not found */
};

static int resolve(void *ctx, const char *name, size_t len)
{
    struct names *names = ctx;
    int index = kp_find_kpi(names->config, name, len);

    if (index < 0)
        snprintf(names->unknown, sizeof names->unknown, "%.*s", (int)(len < 127 ? len : 127), name);
    return index;
}

static size_t push_formula_path(struct kp_loader *ld, const struct kp_kpi_cfg *kpi, const char *key)
{
    size_t back = kp_path_key(ld, "kpis");

    kp_path_key(ld, kpi->name);
    kp_path_key(ld, key);
    return back;
}

static struct kp_formula *parse(struct kp_loader *ld, size_t index)
{
    const struct kp_kpi_cfg *kpi = &ld->config->kpis[index];
    const struct kp_node *node = kp_node_get(ld->kpi_nodes[index], "formula");
    struct names names = {.config = ld->config};
    struct kp_err err = {0};
    size_t at = 0;
    struct kp_formula *formula = kp_formula_parse(kpi->formula, resolve, &names, &at, &err);
    struct kp_loc loc;
    size_t back;

    if (formula)
        return formula;
    loc = node ? kp_node_loc_at(node, at) : kpi->formula_loc;
    back = push_formula_path(ld, kpi, "formula");
    if (names.unknown[0])
        kp_complain_kpi(ld, loc, names.unknown);
    else
        kp_complain(ld, loc, "%s", err.text);
    kp_path_back(ld, back);
    return NULL;
}

/* ---- cycles ---- */

static void complain_cycle(struct graph *graph, int again)
{
    const struct kp_config *config = graph->ld->config;
    const struct kp_kpi_cfg *kpi = &config->kpis[again];
    char text[512] = "";
    size_t len = 0, from = graph->depth, back;

    while (from > 0 && graph->trail[from - 1] != again)
        from--;
    for (size_t i = from ? from - 1 : 0; i < graph->depth && len + 80 < sizeof text; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%.64s -> ", config->kpis[graph->trail[i]].name);
    back = push_formula_path(graph->ld, kpi, "formula");
    kp_complain(graph->ld, kpi->formula_loc, "the formula depends on itself: %s%s", text, kpi->name);
    kp_path_back(graph->ld, back);
}

static bool same_by(const struct kp_kpi_cfg *a, const struct kp_kpi_cfg *b)
{
    if (a->nby != b->nby)
        return false;
    for (size_t i = 0; i < a->nby; i++) {
        if (!a->by[i] || !b->by[i] || strcmp(a->by[i], b->by[i]) != 0)
            return false;
    }
    return true;
}

static void describe_by(const struct kp_kpi_cfg *kpi, char *buf, size_t size)
{
    size_t len = 0;

    snprintf(buf, size, "%s", kpi->nby ? "by " : "by the roster");
    for (size_t i = 0; i < kpi->nby && strlen(buf) + 40 < size; i++) {
        len = strlen(buf);
        snprintf(buf + len, size - len, "%s%.32s", i ? ", " : "", kpi->by[i] ? kpi->by[i] : "");
    }
}

static void complain_by(struct kp_loader *ld, const struct kp_kpi_cfg *kpi, const struct kp_kpi_cfg *one,
                        const struct kp_kpi_cfg *other)
{
    char one_by[192], other_by[192];
    size_t back = push_formula_path(ld, kpi, "formula");

    describe_by(one, one_by, sizeof one_by);
    describe_by(other, other_by, sizeof other_by);
    kp_complain(ld, kpi->formula_loc, "%s is grouped %s, but %s %s; a formula's KPIs must be grouped alike", one->name,
                one_by, other->name, other_by);
    kp_path_back(ld, back);
}

static void inherit_by(struct kp_loader *ld, struct kp_kpi_cfg *kpi, const struct kp_kpi_cfg *from)
{
    for (size_t i = 0; i < from->nby; i++) {
        char **slot = kp_grow(ld, &kpi->by, &kpi->nby, sizeof *kpi->by);

        if (slot && from->by[i])
            *slot = kp_copy(ld, from->by[i]);
    }
}

/* All operands are grouped as the first one is, and so is the formula; one that doesn't say is grouped as they are. */
static void check_by(struct kp_loader *ld, size_t index, const int *operands, size_t count)
{
    struct kp_kpi_cfg *kpi = &ld->config->kpis[index];
    const struct kp_kpi_cfg *first = &ld->config->kpis[operands[0]];

    for (size_t i = 1; i < count; i++) {
        const struct kp_kpi_cfg *other = &ld->config->kpis[operands[i]];

        if (!same_by(first, other)) {
            complain_by(ld, kpi, first, other);
            return;
        }
    }
    if (!kpi->by_loc.line)
        inherit_by(ld, kpi, first);
    else if (!same_by(kpi, first))
        complain_by(ld, kpi, kpi, first);
}

/* Depth first, so that a formula's operands are settled before it. As deep as there are KPIs at most. */
static void visit(struct graph *graph, size_t index)
{
    const int *operands = NULL;
    size_t count = graph->formulas[index] ? kp_formula_operands(graph->formulas[index], &operands) : 0;

    graph->marks[index] = GREY;
    graph->trail[graph->depth++] = (int)index;
    for (size_t i = 0; i < count; i++) {
        size_t operand = (size_t)operands[i];

        if (graph->marks[operand] == GREY)
            complain_cycle(graph, operands[i]);
        else if (graph->marks[operand] == WHITE)
            visit(graph, operand);
    }
    if (count)
        check_by(graph->ld, index, operands, count);
    graph->depth--;
    graph->marks[index] = BLACK;
}

void kp_check_formulas(struct kp_loader *ld)
{
    size_t count = ld->config->nkpis;
    struct graph graph = {.ld = ld};

    graph.formulas = kp_zeros(ld, count, sizeof *graph.formulas);
    graph.marks = kp_zeros(ld, count, sizeof *graph.marks);
    graph.trail = kp_zeros(ld, count, sizeof *graph.trail);
    if (graph.formulas && graph.marks && graph.trail) {
        for (size_t i = 0; i < count; i++) {
            if (ld->config->kpis[i].formula)
                graph.formulas[i] = parse(ld, i);
        }
        for (size_t i = 0; i < count; i++) {
            if (graph.marks[i] == WHITE)
                visit(&graph, i);
        }
    }
    for (size_t i = 0; graph.formulas && i < count; i++)
        kp_formula_destroy(&graph.formulas[i]);
    free(graph.formulas);
    free(graph.marks);
    free(graph.trail);
}
