/* The plan: a configuration, compiled. Names became indices, KPIs became cells and families, formulas were ordered.
 *
 * A *dimension* is a way of grouping: 0 is the roster (company, region, ..., rep), each other one a `by`. A *level* is
 * a kind of key: 0 the company, 1..nlevels the roster's, then one for each further dimension. A *pair* is a KPI in
 * one window; readings are arrays indexed by it. A *clock* is a zone, and a calendar where some window is of working time:
 * each key has one, and its days, months and working hours are the clock's. Only the bounds within the families change
 * once it is made. */
#ifndef KPID_CORE_PLAN_H
#define KPID_CORE_PLAN_H

#include "cell.h"
#include "filter.h"
#include "grid.h"
#include "money.h"

#include "kpid/calendar.h"
#include "kpid/config.h"
#include "kpid/formula.h"

#define KP_NO_NODE UINT32_MAX   /* no key: see store.h */

enum { KP_DIMS_MAX = 16, KP_LEVEL_IDS_MAX = KP_LEVELS_MAX + 1 + KP_DIMS_MAX, KP_BY_MAX = 4, KP_FAMILIES_MAX = 64 };

/* What an `of` names. Numeric: a number within KP_VALUE_MAX. Otherwise anything that is there. */
struct kp_plan_value {
    int slot;
    bool numeric, binned, hashed;
};

struct kp_plan_pair {
    int kpi;
    const struct kp_window *window; /* borrowed from the configuration */
    int family_window;              /* index in its family; -1: a formula */
    bool shown;                     /* asked for under `windows`, so it is published */
    bool spare;                     /* keeps panes for a baseline or the history, and is not read with the others */
    bool closed;                    /* what the period before came to: read for the history */
    bool kept;                      /* ... and kept there */
    int target;                     /* index of its target set, -1: none */
    int *operands;                  /* owned; formula: the pair of each operand, as kp_formula_operands lists them */
};

struct kp_plan_kpi {
    const struct kp_kpi_cfg *cfg;   /* borrowed */
    int span;                       /* counted for contests alone, in one of their spans: its index + 1; 0: as configured */
    int dim, family;                /* family -1: a formula */
    int filter, value;              /* value -1: none. filter below 0: fed by an outlet, kp_plan_outlet_of(filter) */
    int since;                      /* outlet that tells since when what is open stands where it stands; -1: no rule asks */
    int count, sum, min, max, square, last, quant, distinct;    /* cells by word in the row; -1: not needed */
    struct kp_formula *formula;     /* owned */
    bool is_now;                    /* what is open, or a formula with that: it is so now, and of no window */
    bool may_fall;                  /* its samples can be taken back: of entities, or a formula with such */
    int *pairs;                     /* owned; in the order of `windows`, hidden ones last */
    int npairs;
    bool *feeds;                    /* owned; by KPI: does this one's value enter that one's? */
};

struct kp_plan_clock {
    struct kp_zone *zone;                   /* owned */
    const struct kp_calendar *calendar;     /* borrowed; NULL: nobody asks, or all time is working time */
};

struct kp_plan_emit {               /* when window w of a family has been added up: lower this KPI into this pair */
    int window, kpi, pair;
};

/* How a cell is fed: one kind of cell at one place of the row. */
struct kp_op {
    uint8_t kind;       /* enum kp_cell_kind */
    uint16_t word;
    int16_t value;      /* index in the program's values; -1: none */
};
struct kp_section {     /* the ops of one family */
    uint16_t dim, family;
    uint32_t first, count;      /* of ops */
    uint32_t plain;             /* the first so many of them only count; of a program */
    uint32_t reach;             /* bytes from a row's beginning to the last that they touch; of a program */
};

struct kp_plan_family {
    struct kp_family *grids;        /* owned; by clock: the same windows on each */
    int dim;
    struct kp_cell *cells;          /* owned */
    int ncells, words;
    uint64_t *blank;                /* owned; the words of an empty row */
    struct kp_plan_emit *emits;     /* owned; by window */
    int nemits;
    uint32_t asked;                 /* bit w: some pair is read from window w */
    uint32_t closed;                /* bit w: the history reads window w */
};

struct kp_plan_dim {
    char *level;                    /* owned; "@client", NULL for the roster's */
    int slots[KP_BY_MAX];
    int nslots;                     /* 0 for the roster's */
    int first_family, nfamilies;
};

/* What one rule has to read: one window of some KPIs and the formulas over them. */
struct kp_plan_part {
    int family, window;
    int *cells, *kpis, *pairs;      /* owned; cells by index; kpis[i] is lowered into pairs[i] */
    int ncells, nkpis;
};
struct kp_plan_rule {
    const struct kp_alert_cfg *cfg; /* borrowed */
    int kpi, level, pair, target;   /* pair -1: it asks for no number, so nothing is read */
    int reach;                      /* BASELINE: so many periods back there are panes */
    int index_in_level;             /* its place among the rules of the level */
    struct kp_plan_part *parts;     /* owned */
    int nparts;
    int *formulas;                  /* owned; pairs, operands first */
    int nformulas;
};

/* A contest counts its KPIs once more, in a stretch of time that stands still. Those of the same stretch share a *span*, whose KPIs
 * are copies with a family of their own: so no window of a configured KPI is cut otherwise because there is a contest, and a key
 * has one row more for each span. */
struct kp_plan_contest {
    const struct kp_contest_cfg *cfg;   /* borrowed */
    int level;
    struct kp_plan_rule *terms;     /* owned; what to read for each term, then for the tie */
    int nterms;
    int tie;                        /* index in terms; -1: none */
};

/* A *space* is a field whose values are followed as entities: lead, deal, client; a field of which more is asked than one
 * occurrence has bits for has several, each with occurrences of its own. A *tracker* is one thing that is
 * asked of an entity's history, and an *outlet* one kind of sample that comes out of it: for a pair of `from` and `to` the
 * time between them, and whether it was within 30 days. KPIs that ask the same share tracker and outlet. SINCE is no sample: it
 * tells, as the time of it, since when what is open stands where it stands. */
enum kp_track { KP_TRACK_PAIR, KP_TRACK_REPEAT, KP_TRACK_ONCE, KP_TRACK_OPEN, KP_TRACK_FUNNEL };
enum kp_outlet_part { KP_PART_MATCH, KP_PART_ELAPSED, KP_PART_COHORT, KP_PART_OPEN, KP_PART_ENTERED, KP_PART_CONVERTED,
                      KP_PART_STAY, KP_PART_STANDS, KP_PART_SKIPPED, KP_PART_SINCE };

struct kp_plan_outlet {
    int tracker;
    enum kp_outlet_part part;
    int value;                      /* of the space; -1: none */
    int step;                       /* of a funnel */
    int64_t within_ms;              /* COHORT */
    uint32_t dims;                  /* bit d: somebody wants it in dimension d */
    uint64_t rule_levels;           /* as in a program */
    struct kp_section *sections;    /* owned */
    struct kp_op *ops;              /* owned */
    int nsections, nops;
};

/* Which tests of the configuration a tracker makes of an event, and the bits of an occurrence that keep their outcome. */
struct kp_plan_tracker {
    enum kp_track kind;
    int space, index;               /* its place among the space's */
    int base;                       /* filter that must hold for all but `reversed`; -1: none */
    int filters[3];                 /* PAIR: from, to. REPEAT, ONCE: base alone. OPEN: opened, closed. -1: none */
    int reversed;                   /* filter of `reversed_by`; -1: none */
    bool once;
    int shift;                      /* of its lowest bit */
    uint64_t bits;                  /* all of its bits */
    uint64_t nth;                   /* REPEAT */
    int64_t within_ms;              /* REPEAT; 0: for ever */
    const struct kp_funnel_cfg *funnel;     /* borrowed; FUNNEL */
    int *stages;                    /* owned; FUNNEL: filters of its stages, then of what it is lost in */
    int nstages, nlost;
    int timer;                      /* among the space's; -1: nothing of it ripens with time */
    int *outlets;                   /* owned */
    int noutlets;
};

enum { KP_SPACES_MAX = 128, KP_SPACE_TRACKERS_MAX = 32, KP_SPACE_VALUES_MAX = 8 };
struct kp_plan_space {
    int slot;
    int *trackers;                  /* owned */
    int ntrackers;
    int values[KP_SPACE_VALUES_MAX];    /* of the plan; what an occurrence keeps of the event: 0 of what is no number */
    int nvalues;
    uint32_t hashes;                /* bit i: of value i a hash is kept, whatever its kind */
    bool named;                     /* its entities are told of by name */
    int dims[KP_DIMS_MAX];          /* whose nodes it keeps; the roster's first */
    int ndims;
    int nbits, ntimers;
};

struct kp_plan {
    const struct kp_config *config; /* borrowed; outlives the plan */
    struct kp_plan_clock *clocks;   /* owned; time.zone's, of keys without a calendar, then those that calendars need */
    int nclocks;
    struct kp_calendar **calendars; /* owned; as configured */
    int *calendar_clocks;           /* owned; by calendar */
    struct kp_schema *schema;       /* owned */
    struct kp_filters *filters;     /* owned */
    struct kp_money *money;         /* owned; NULL: amounts are taken as they come */
    int level_slots[KP_LEVELS_MAX]; /* of the roster's levels, outermost first */
    int nlevels;                    /* of the roster */
    int nlevel_ids;
    struct kp_plan_value *values;   /* owned */
    int nvalues;
    struct kp_plan_dim dims[KP_DIMS_MAX];
    int ndims;
    struct kp_plan_family *families;    /* owned; by dimension */
    int nfamilies;
    struct kp_plan_kpi *kpis;       /* owned; as configured, then the copies of the spans */
    int nkpis;
    struct kp_plan_space *spaces;   /* owned */
    int nspaces;
    struct kp_plan_tracker *trackers;   /* owned */
    int ntrackers;
    struct kp_plan_outlet *outlets; /* owned */
    int noutlets;
    struct kp_where *wheres;        /* owned; of the stages of funnels */
    int nwheres;
    struct kp_window *spare;        /* owned; two for each rule with a baseline: what keeps its panes */
    int nspare;
    struct kp_window *closed;       /* owned; the period before of each calendar window, where a history is kept */
    int nclosed;
    struct kp_window *spans;        /* owned; of contests */
    int nspans;
    struct kp_plan_contest *contests;   /* owned */
    int ncontests;
    int *formula_order;             /* owned; formula KPIs, operands before those that use them */
    int nformulas;
    struct kp_plan_pair *pairs;     /* owned */
    int npairs;
    struct kp_plan_rule *rules;     /* owned */
    int nrules;
    int *level_rules[KP_LEVEL_IDS_MAX]; /* owned; rules of a level */
    int nlevel_rules[KP_LEVEL_IDS_MAX];
    uint64_t silence_levels;        /* bit l: some rule of level l asks how long nothing came */
    int64_t until_ms;               /* the bounds of all families are good until then */
};

/* Compile. NULL with KP_EINVAL (what the loader lets through but no engine can do), KP_ELIMIT or KP_ENOMEM. */
struct kp_plan *kp_plan_new(const struct kp_config *config, struct kp_err *err) KP_CHECK;
void kp_plan_destroy(struct kp_plan **plan);

/* The outlet that a cell or KPI is fed by; -1: it is fed by events that match its filter. */
static inline int kp_plan_outlet_of(int filter)
{
    return filter < 0 ? -2 - filter : -1;
}

/* The cell of a family whose words begin there. */
static inline int kp_plan_cell_at(const struct kp_plan_family *fam, int word)
{
    int c = 0;

    while (fam->cells[c].word != word)
        c++;
    return c;
}

/* Bring the bounds of all families to t. */
void kp_plan_at(struct kp_plan *plan, int64_t t);
/* The oldest instant that some family still keeps; INT64_MIN without any family. As of the last kp_plan_at. */
int64_t kp_plan_keep_from(const struct kp_plan *plan);

/* Name of a level: "company", "team", "@client". */
const char *kp_plan_level_name(const struct kp_plan *plan, int level);
int kp_plan_find_level(const struct kp_plan *plan, const char *name, size_t len);
int kp_plan_find_kpi(const struct kp_plan *plan, const char *name, size_t len);     /* none of a span */
/* Dimension of a level. */
static inline int kp_plan_dim_of(const struct kp_plan *plan, int level)
{
    return level <= plan->nlevels ? 0 : level - plan->nlevels;
}

#endif
