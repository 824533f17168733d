#include "match.h"

#include "row.h"
#include "track.h"

#include <stdlib.h>
#include <string.h>

enum { BITS = 14, PROGRAMS_MAX = 8192, MEMO_BITS = 10 };

struct entry {
    uint32_t hash;
    struct kp_program *program; /* owned, one block with all that it points to; NULL: free */
    struct kp_signature sig;
};

/* Events that were seen lately, by their print: in the place that its hash names, or in the one beside it. */
struct memo {
    const struct kp_program *program;   /* of an entry; NULL: free */
    kp_u128 print;
};

struct kp_match {
    const struct kp_plan *plan; /* borrowed */
    struct kp_feeds feeds;      /* owned */
    uint16_t *outlets;          /* owned; by outlet: the set that its samples feed */
    size_t width;               /* bytes of a signature that count */
    struct entry *entries;      /* owned; 1 << BITS */
    size_t count;
    uint32_t round;
    struct memo *memo;          /* owned; 1 << MEMO_BITS */
};

static void add_fed(const struct kp_plan_kpi *kpi, int nkpis, uint64_t *fed)
{
    for (int o = 0; o < nkpis; o++)
        if (kpi->feeds[o])
            fed[o / 64] |= UINT64_C(1) << (o % 64);
}

static bool add_outlets(struct kp_match *match)
{
    const struct kp_plan *plan = match->plan;
    uint64_t *fed = calloc((size_t)match->feeds.nwords, sizeof *fed);

    match->outlets = calloc((size_t)plan->noutlets + 1, sizeof *match->outlets);
    for (int o = 0; fed && match->outlets && o < plan->noutlets; o++) {
        memset(fed, 0, (size_t)match->feeds.nwords * sizeof *fed);
        for (int k = 0; k < plan->nkpis; k++)
            if (!plan->kpis[k].formula && kp_plan_outlet_of(plan->kpis[k].filter) == o)
                add_fed(&plan->kpis[k], plan->nkpis, fed);
        match->outlets[o] = kp_feeds_put(&match->feeds, fed);
    }
    free(fed);
    return fed && match->outlets;
}

uint16_t kp_match_outlet(const struct kp_match *match, int outlet)
{
    return match->outlets[outlet];
}

struct kp_match *kp_match_new(const struct kp_plan *plan, struct kp_err *err)
{
    struct kp_match *match = calloc(1, sizeof *match);

    if (match) {
        match->entries = calloc((size_t)1 << BITS, sizeof *match->entries);
        match->memo = calloc((size_t)1 << MEMO_BITS, sizeof *match->memo);
    }
    if (!match || !match->entries || !match->memo || kp_feeds_init(&match->feeds, plan->nkpis, err)) {
        kp_fail(err, KP_ENOMEM, "match: out of memory");
        kp_match_destroy(&match);
        return NULL;
    }
    match->plan = plan;
    match->width = kp_filters_width(plan->filters);
    if (!add_outlets(match)) {
        kp_fail(err, KP_ENOMEM, "match: out of memory");
        kp_match_destroy(&match);
    }
    return match;
}

static void clear(struct kp_match *match)
{
    for (size_t i = 0; i < (size_t)1 << BITS; i++) {
        free(match->entries[i].program);
        match->entries[i].program = NULL;
    }
    memset(match->memo, 0, sizeof *match->memo << MEMO_BITS);
    match->count = 0;
    match->round++;
}

uint32_t kp_match_round(const struct kp_match *match)
{
    return match->round;
}

void kp_match_destroy(struct kp_match **match)
{
    if (!*match)
        return;
    if ((*match)->entries && (*match)->memo)
        clear(*match);
    free((*match)->entries);
    free((*match)->memo);
    free((*match)->outlets);
    kp_feeds_release(&(*match)->feeds);
    free(*match);
    *match = NULL;
}

size_t kp_match_count(const struct kp_match *match)
{
    return match->count;
}

/* The parts of a program are laid out one after the other in a single block; all of their sizes are known bounds. */
static struct kp_program *room(const struct kp_plan *plan)
{
    size_t ncells = 0, sections, ops, values, wants, follows;
    char *at;

    for (int f = 0; f < plan->nfamilies; f++)
        ncells += (size_t)plan->families[f].ncells;
    sections = sizeof(struct kp_section) * (size_t)plan->nfamilies;
    ops = sizeof(struct kp_op) * ncells;
    values = sizeof(uint16_t) * (size_t)plan->nvalues;
    wants = sizeof(struct kp_want) * (size_t)plan->nkpis;
    follows = sizeof(struct kp_follow) * (size_t)plan->nspaces;
    at = calloc(1, sizeof(struct kp_program) + follows + sections + 2 * ops + values + wants + 16);
    if (!at)
        return NULL;
    struct kp_program *program = (void *)at;

    at += sizeof *program;
    program->follows = (void *)at;
    at += follows;
    program->sections = (void *)at;
    program->ops = (void *)(at + sections);
    program->sketches = (void *)(at + sections + ops);
    program->values = (void *)(at + sections + 2 * ops);
    program->wants = (void *)(at + sections + 2 * ops + (values + 3) / 4 * 4);
    return program;
}

static int16_t value_in(struct kp_program *program, int value)
{
    if (value < 0)
        return -1;
    for (uint32_t i = 0; i < program->nvalues; i++)
        if (program->values[i] == value)
            return (int16_t)i;
    program->values[program->nvalues] = (uint16_t)value;
    return (int16_t)program->nvalues++;
}

/* Those that only count go first: to ask each is a branch that nobody can guess. Returns how many. */
static uint32_t plain_first(struct kp_op *ops, uint32_t n)
{
    uint32_t plain = 0;

    for (uint32_t i = 0; i < n; i++)
        if (ops[i].value < 0) {
            struct kp_op op = ops[plain];

            ops[plain++] = ops[i];
            ops[i] = op;
        }
    return plain;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t reach_of(const struct kp_cell *cell)
{
    return (uint32_t)(offsetof(struct kp_row, words) + sizeof(uint64_t) * (size_t)(cell->word + kp_cell_words(cell->kind)) - 1);
}

static void add_sections(const struct kp_plan *plan, struct kp_program *program, const bool *held)
{
    uint32_t nops = 0;

    program->hashed = -1;
    for (int f = 0; f < plan->nfamilies; f++) {
        const struct kp_plan_family *fam = &plan->families[f];
        struct kp_section *section = &program->sections[program->nsections];

        *section = (struct kp_section){.dim = (uint16_t)fam->dim, .family = (uint16_t)f, .first = nops};
        for (int c = 0; c < fam->ncells; c++) {
            if (fam->cells[c].filter < 0 || !held[fam->cells[c].filter])
                continue;
            if (fam->dim == 0 && (fam->cells[c].kind == KP_CELL_QUANT || fam->cells[c].kind == KP_CELL_DISTINCT))
                program->sketches[program->nsketches++] =
                    (struct kp_op){.kind = fam->cells[c].kind, .word = fam->cells[c].word, .value = (int16_t)f};
            if (fam->dim == 0 && fam->cells[c].kind == KP_CELL_DISTINCT && program->hashed < 0)
                program->hashed = fam->cells[c].value;
            program->ops[nops++] = (struct kp_op){.kind = fam->cells[c].kind, .word = fam->cells[c].word,
                                                  .value = value_in(program, fam->cells[c].value)};
            section->reach = larger(section->reach, reach_of(&fam->cells[c]));
        }
        section->count = nops - section->first;
        section->plain = plain_first(program->ops + section->first, section->count);
        if (section->count) {
            program->nsections++;
            program->dims |= 1u << fam->dim;
        }
    }
}

/* What the entities of the event are to be told. */
static void add_follows(const struct kp_plan *plan, struct kp_program *program, const struct kp_event *ev)
{
    for (int s = 0; s < plan->nspaces; s++) {
        const struct kp_plan_space *space = &plan->spaces[s];
        struct kp_follow *follow = &program->follows[program->nfollows];

        follow->bits = kp_track_bits(plan, space, ev);
        if (!follow->bits)
            continue;
        follow->space = (uint16_t)s;
        for (int i = 0; i < space->nvalues; i++)
            follow->values[i] = (uint16_t)value_in(program, space->values[i]);
        for (int i = 0; i < space->ndims; i++)
            program->dims |= 1u << space->dims[i];
        program->nfollows++;
    }
}

/* The families that this may change by way of its entities. */
static void add_followed(const struct kp_plan *plan, struct kp_program *program)
{
    for (uint32_t i = 0; i < program->nfollows; i++)
        for (int o = 0; o < plan->noutlets; o++) {
            const struct kp_plan_tracker *tracker = &plan->trackers[plan->outlets[o].tracker];

            if (tracker->space != program->follows[i].space || !(program->follows[i].bits & tracker->bits))
                continue;
            for (int s = 0; s < plan->outlets[o].nsections; s++)
                if (plan->outlets[o].sections[s].dim == 0)
                    program->followed |= UINT64_C(1) << plan->outlets[o].sections[s].family;
        }
    for (uint32_t i = 0; i < program->nsections; i++)
        if (program->sections[i].dim == 0)
            program->followed &= ~(UINT64_C(1) << program->sections[i].family);
}

/* A KPI of a field that is counted once: its event is left out when the field is not usable. */
static void add_once_want(const struct kp_plan *plan, struct kp_program *program, int k, const struct kp_event *ev)
{
    const struct kp_plan_outlet *outlet = &plan->outlets[kp_plan_outlet_of(plan->kpis[k].filter)];
    const struct kp_plan_tracker *tracker = &plan->trackers[outlet->tracker];

    if (tracker->kind == KP_TRACK_ONCE && outlet->value >= 0 && kp_filters_match(plan->filters, tracker->base, ev))
        program->wants[program->nwants++] = (struct kp_want){
            (uint16_t)value_in(program, plan->spaces[tracker->space].values[outlet->value]), (uint16_t)k};
}

/* Does a KPI take something of the event: directly, or because one of its entities hears of it? */
static bool takes(const struct kp_plan *plan, const struct kp_program *program, int k, const bool *held)
{
    const struct kp_plan_kpi *kpi = &plan->kpis[k];
    int o = kpi->formula ? -1 : kp_plan_outlet_of(kpi->filter);

    if (kpi->formula)
        return false;
    if (o < 0)
        return held[kpi->filter];
    for (uint32_t i = 0; i < program->nfollows; i++) {
        const struct kp_plan_tracker *tracker = &plan->trackers[plan->outlets[o].tracker];

        if (program->follows[i].space == tracker->space && (program->follows[i].bits & tracker->bits))
            return true;
    }
    return false;
}

static void add_kpi(const struct kp_plan *plan, struct kp_program *program, int k, const struct kp_event *ev, uint64_t *fed,
                    uint64_t *counts)
{
    const struct kp_plan_kpi *kpi = &plan->kpis[k];

    if (kpi->filter < 0)
        add_once_want(plan, program, k, ev);
    else if (kpi->value >= 0)
        program->wants[program->nwants++] = (struct kp_want){(uint16_t)value_in(program, kpi->value), (uint16_t)k};
    add_fed(kpi, plan->nkpis, fed);
    if (kpi->filter >= 0)
        add_fed(kpi, plan->nkpis, counts);
    for (int r = 0; r < plan->nrules && kpi->filter >= 0; r++)
        if (kpi->feeds[plan->rules[r].kpi])
            program->rule_levels |= UINT64_C(1) << plan->rules[r].level;
}

static struct kp_program *compile(struct kp_match *match, const struct kp_event *ev)
{
    const struct kp_plan *plan = match->plan;
    struct kp_program *program = room(plan);
    int nfilters = kp_filters_count(plan->filters);
    bool *held = calloc((size_t)nfilters + 1, sizeof *held);
    uint64_t *fed = calloc((size_t)match->feeds.nwords, sizeof *fed);
    uint64_t *counts = calloc((size_t)match->feeds.nwords, sizeof *counts);

    if (!program || !held || !fed || !counts) {
        free(program);
        program = NULL;
        goto end;
    }
    for (int i = 0; i < nfilters; i++)
        held[i] = kp_filters_match(plan->filters, i, ev);
    add_sections(plan, program, held);
    add_follows(plan, program, ev);
    add_followed(plan, program);
    for (int k = 0; k < plan->nkpis; k++)
        if (takes(plan, program, k, held))
            add_kpi(plan, program, k, ev, fed, counts);
    program->feeds = kp_feeds_put(&match->feeds, fed);
    program->counts = kp_feeds_put(&match->feeds, counts);
end:
    free(held);
    free(fed);
    free(counts);
    return program;
}

struct kp_feeds *kp_match_feeds(struct kp_match *match)
{
    return &match->feeds;
}

const struct kp_program *kp_match_event(struct kp_match *match, const struct kp_event *ev)
{
    struct kp_signature sig;
    uint32_t hash = kp_filters_sign(match->plan->filters, ev, &sig);
    uint32_t mask = (1u << BITS) - 1;
    uint32_t i = (hash ^ (hash >> BITS)) & mask;

    for (; match->entries[i].program; i = (i + 1) & mask) {
        const struct entry *e = &match->entries[i];

        if (e->hash == hash && memcmp(&e->sig, &sig, match->width) == 0)
            return e->program;
    }
    if (match->count == PROGRAMS_MAX) {
        clear(match);
        i = (hash ^ (hash >> BITS)) & mask;
    }
    match->entries[i].program = compile(match, ev);
    if (!match->entries[i].program)
        return NULL;
    match->entries[i].hash = hash;
    memset(&match->entries[i].sig, 0, sizeof match->entries[i].sig);
    memcpy(&match->entries[i].sig, &sig, match->width);
    match->count++;
    return match->entries[i].program;
}

/* What had its place moves to the one beside it. */
static const struct kp_program *memorise(struct kp_match *match, const struct kp_event *ev, kp_u128 print, size_t at)
{
    const struct kp_program *program = kp_match_event(match, ev);

    match->memo[at ^ 1] = match->memo[at];
    match->memo[at] = (struct memo){program, print};
    return program;
}

static const struct kp_program *by_print(struct kp_match *match, const struct kp_event *ev, kp_u128 print)
{
    size_t at = (((uint64_t)print ^ (uint64_t)(print >> 64)) * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - MEMO_BITS);

    for (size_t i = 0; i < 2; i++)
        if (match->memo[at ^ i].print == print && match->memo[at ^ i].program)
            return match->memo[at ^ i].program;
    return memorise(match, ev, print, at);
}

void kp_match_events(struct kp_match *match, const struct kp_event *const *events, size_t n, const struct kp_program **programs)
{
    kp_u128 prints[KP_PRINTS_MAX];
    uint32_t odd = kp_filters_print(match->plan->filters, events, n, prints);

    for (size_t i = 0; i < n; i++)
        programs[i] = odd >> i & 1 ? kp_match_event(match, events[i]) : by_print(match, events[i], prints[i]);
}
