#include "track.h"

#include <stdlib.h>
#include <string.h>

enum { NONE = -1 };

struct task {           /* what the parts of one kp_track share */
    const struct kp_plan *plan;
    const struct kp_plan_tracker *tracker;
    const struct kp_history *history;
    int64_t now, horizon;
    struct kp_traces *traces;
    uint64_t *keep;
    struct kp_track_state *state;
};

static uint64_t word_of(const unsigned char *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof word);
    return __builtin_bswap64(word);
}

static void bytes_of(uint64_t word, unsigned char bytes[8])
{
    word = __builtin_bswap64(word);
    memcpy(bytes, &word, sizeof word);
}

void kp_occurrence_id(struct kp_occurrence *o, const char *id, uint32_t len, unsigned char rest[KP_ID_REST])
{
    unsigned char bytes[KP_ID_SHORT] = {0};

    memcpy(bytes, id, len < sizeof bytes ? len : sizeof bytes);
    o->mark.id[0] = word_of(bytes);
    o->mark.id[1] = word_of(bytes + 8);
    if (len <= KP_ID_SHORT)
        return;
    rest[0] = (unsigned char)(len - KP_ID_HEAD);
    memcpy(rest + 1, id + KP_ID_HEAD, len - KP_ID_HEAD);
    o->mark.id[1] = (uintptr_t)rest;
    o->bits |= KP_LONG_ID;
}

static const unsigned char *rest_of(const struct kp_mark *mark)
{
    return (const unsigned char *)(uintptr_t)mark->id[1];
}

uint32_t kp_mark_text(const struct kp_mark *mark, bool is_long, char text[KP_KEY_MAX])
{
    unsigned char bytes[KP_ID_SHORT];
    uint32_t len = KP_ID_SHORT;

    bytes_of(mark->id[0], bytes);
    if (is_long) {
        memcpy(text, bytes, KP_ID_HEAD);
        memcpy(text + KP_ID_HEAD, rest_of(mark) + 1, rest_of(mark)[0]);
        return KP_ID_HEAD + rest_of(mark)[0];
    }
    bytes_of(mark->id[1], bytes + 8);
    while (len && bytes[len - 1] == 0)
        len--;
    memcpy(text, bytes, len);
    return len;
}

/* What follows the first 8 bytes of a long id against that of another one. */
static int compare_long(const struct kp_occurrence *a, const struct kp_occurrence *b)
{
    const unsigned char *rest = rest_of(&a->mark), *other = rest_of(&b->mark);
    unsigned char bytes[1 + 8] = {8};
    int order;

    if (!(b->bits & KP_LONG_ID)) {
        bytes_of(b->mark.id[1], bytes + 1);
        other = bytes;
    }
    order = memcmp(rest + 1, other + 1, rest[0] < other[0] ? rest[0] : other[0]);
    return order ? order : (int)rest[0] - (int)other[0];
}

int kp_occurrence_cmp(const struct kp_plan_space *space, const struct kp_occurrence *a, const struct kp_occurrence *b)
{
    int order = 0;

    if (a->mark.time != b->mark.time)
        return a->mark.time < b->mark.time ? -1 : 1;
    if (a->mark.id[0] != b->mark.id[0])
        return a->mark.id[0] < b->mark.id[0] ? -1 : 1;
    if (a->bits & KP_LONG_ID)
        order = compare_long(a, b);
    else if (b->bits & KP_LONG_ID)
        order = -compare_long(b, a);
    else if (a->mark.id[1] != b->mark.id[1])
        return a->mark.id[1] < b->mark.id[1] ? -1 : 1;
    if (order == 0)
        order = memcmp(&a->bits, &b->bits, sizeof a->bits + (size_t)space->nvalues * sizeof *a->tail);
    return order;
}

void kp_traces_release(struct kp_traces *traces)
{
    free(traces->list);
    memset(traces, 0, sizeof *traces);
}

/* ---- Tests ---- */

static uint64_t stage_bits(const struct kp_plan *plan, const struct kp_plan_tracker *tracker, const struct kp_event *ev)
{
    for (int i = 0; i < tracker->nstages + tracker->nlost; i++)
        if (kp_filters_match(plan->filters, tracker->stages[i], ev))
            return (uint64_t)i + 1;
    return 0;
}

static uint64_t tracker_bits(const struct kp_plan *plan, const struct kp_plan_tracker *tracker, const struct kp_event *ev)
{
    bool base = kp_filters_match(plan->filters, tracker->base, ev);
    uint64_t bits = 0;

    if (tracker->once && tracker->reversed >= 0 && kp_filters_match(plan->filters, tracker->reversed, ev))
        bits |= 1;
    if (!base)
        return bits << tracker->shift;
    switch (tracker->kind) {
    case KP_TRACK_PAIR:
    case KP_TRACK_OPEN:
        for (int i = 0; i < 2; i++)
            if (kp_filters_match(plan->filters, tracker->filters[i], ev))
                bits |= UINT64_C(1) << (i + tracker->once);
        if (tracker->kind == KP_TRACK_OPEN)
            bits |= 4;      /* looked at at all */
        break;
    case KP_TRACK_REPEAT:
    case KP_TRACK_ONCE:
        bits |= UINT64_C(1) << tracker->once;
        break;
    case KP_TRACK_FUNNEL:
        bits |= stage_bits(plan, tracker, ev);
        break;
    }
    return bits << tracker->shift;
}

uint64_t kp_track_bits(const struct kp_plan *plan, const struct kp_plan_space *space, const struct kp_event *ev)
{
    uint64_t bits = 0;

    for (int i = 0; i < space->ntrackers; i++)
        bits |= tracker_bits(plan, &plan->trackers[space->trackers[i]], ev);
    return bits;
}

/* ---- Small steps ---- */

/* Has occurrence i the bit that stands at this place among the tracker's? */
static bool has(const struct task *task, uint32_t i, int bit)
{
    return kp_history_at(task->history, i)->bits >> (task->tracker->shift + bit) & 1;
}

static void keep(const struct task *task, uint32_t i, int bit)
{
    if (task->keep)
        task->keep[i] |= UINT64_C(1) << (task->tracker->shift + bit);
}

static void keep_all(const struct task *task, uint32_t i)
{
    if (task->keep)
        task->keep[i] |= task->tracker->bits;
}

static int64_t time_of(const struct task *task, uint32_t i)
{
    return kp_history_at(task->history, i)->mark.time;
}

static uint32_t node_of(const struct task *task, uint32_t i, int dim)
{
    const struct kp_plan_space *space = task->history->space;
    const uint32_t *nodes = kp_occurrence_nodes(space, kp_history_at(task->history, i));

    for (int d = 0; d < space->ndims; d++)
        if (space->dims[d] == dim)
            return nodes[d];
    return KP_NO_NODE;
}

static void put(struct kp_traces *traces, struct kp_trace trace)
{
    if (traces->n == traces->room) {
        size_t room = traces->room ? traces->room * 2 : 64;
        struct kp_trace *grown = realloc(traces->list, room * sizeof *grown);

        if (!grown) {
            traces->short_of_memory = true;
            return;
        }
        traces->list = grown;
        traces->room = room;
    }
    traces->list[traces->n++] = trace;
}

/* A sample in one dimension, whose event is occurrence i. */
static void put_at(const struct task *task, int o, int dim, uint32_t node, int64_t time, int64_t value, bool back, uint32_t i)
{
    const struct kp_occurrence *event = kp_history_at(task->history, i);

    put(task->traces, (struct kp_trace){.outlet = (uint16_t)o, .dim = (uint8_t)dim, .back = back, .node = node, .time = time,
                                        .value = value, .mark = event->mark, .is_long = (event->bits & KP_LONG_ID) != 0});
}

/* A sample of an outlet in each of its dimensions, credited to occurrence `who`. */
static void sample(const struct task *task, int o, uint32_t who, int64_t time, int64_t value)
{
    const struct kp_plan_outlet *outlet = &task->plan->outlets[o];

    for (int d = 0; d < task->plan->ndims; d++) {
        uint32_t node = outlet->dims >> d & 1 ? node_of(task, who, d) : KP_NO_NODE;

        if (node != KP_NO_NODE)
            put_at(task, o, d, node, time, value, false, who);
    }
}

/* The sample that is credited to `who` is taken back by occurrence i. */
static void take_back(const struct task *task, int o, uint32_t who, int64_t value, uint32_t i)
{
    const struct kp_plan_outlet *outlet = &task->plan->outlets[o];

    for (int d = 0; d < task->plan->ndims; d++) {
        uint32_t node = outlet->dims >> d & 1 ? node_of(task, who, d) : KP_NO_NODE;

        if (node != KP_NO_NODE)
            put_at(task, o, d, node, time_of(task, i), value, true, i);
    }
}

/* ---- once: each entity counts once until it is taken back ---- */

/* A sample that a tracker would make if there were no `once`. */
struct match {
    uint32_t by;        /* the occurrence that makes it */
    uint32_t who;       /* credited to it, and placed at it */
    int64_t value;
};

/* In the order of the history: the first match counts, a reversal takes it back, and so on. The matches rise by `by`;
 * where one occurrence both reverses and matches, it reverses first. Returns whether something counts at the end. */
static bool settle(const struct task *task, int o, const struct match *matches, size_t n)
{
    const struct match *counted = NULL;
    size_t m = 0;

    if (!task->tracker->once) {
        for (; m < n; m++)
            sample(task, o, matches[m].who, time_of(task, matches[m].who), matches[m].value);
        return n > 0;
    }
    for (uint32_t i = 0; i < task->history->n; i++) {
        if (counted && has(task, i, 0)) {
            take_back(task, o, counted->who, counted->value, i);
            counted = NULL;
        }
        for (; m < n && matches[m].by == i; m++) {
            if (counted)
                continue;
            counted = &matches[m];
            sample(task, o, counted->who, time_of(task, counted->who), counted->value);
        }
    }
    return counted != NULL;
}

/* ---- Pairs ---- */

static int64_t seconds(int64_t ms)
{
    return ms * (KP_MICRO / 1000);
}

static void keep_pair(const struct task *task, int from, int to)
{
    int bit = task->tracker->once;

    for (uint32_t i = 0; i < task->history->n; i++) {
        if (task->tracker->once) {      /* what was taken back may count again: nothing is superseded */
            keep_all(task, i);
            continue;
        }
        if ((int)i == from)
            keep(task, i, bit);
        /* A `to` before the `from` waits for an earlier one; a later one than the earliest is of no more use. */
        if ((int)i == to || ((from == NONE || time_of(task, i) < time_of(task, (uint32_t)from)) &&
                             time_of(task, i) >= task->horizon))
            keep(task, i, bit + 1);
    }
}

/* The pairs that there are: with the earliest `to`, and where that may be taken back with each later one, too. */
static size_t pairs_of(const struct task *task, const struct kp_plan_outlet *outlet, int from, int to, int64_t until,
                       struct match matches[KP_HISTORY_MAX])
{
    bool is_elapsed = outlet->part == KP_PART_ELAPSED;
    int bit = task->tracker->once;
    size_t n = 0;

    for (uint32_t i = (uint32_t)to; to != NONE && i < task->history->n && time_of(task, i) <= until; i++) {
        if (n && !task->tracker->once)
            break;
        if (has(task, i, bit + 1) && time_of(task, i) >= time_of(task, (uint32_t)from))
            matches[n++] = (struct match){i, is_elapsed ? i : (uint32_t)from,
                                          is_elapsed ? seconds(time_of(task, i) - time_of(task, (uint32_t)from)) : KP_MICRO};
    }
    return n;
}

static void pair_outlet(const struct task *task, int o, int from, int to)
{
    const struct kp_plan_outlet *outlet = &task->plan->outlets[o];
    struct match matches[KP_HISTORY_MAX];
    int64_t begun, ripe = INT64_MAX;
    size_t n;

    if (from == NONE)
        return;
    begun = time_of(task, (uint32_t)from);
    if (outlet->part == KP_PART_COHORT && begun <= INT64_MAX - outlet->within_ms)
        ripe = begun + outlet->within_ms;
    n = pairs_of(task, outlet, from, to, ripe, matches);
    if (n)
        settle(task, o, matches, n);
    else if (outlet->part == KP_PART_ELAPSED)
        return;
    else if (task->now >= ripe)
        sample(task, o, (uint32_t)from, begun, 0);
    else if (ripe < task->state->due)
        task->state->due = ripe;
}

static void track_pair(const struct task *task)
{
    int bit = task->tracker->once, from = NONE, to = NONE;
    uint32_t n = task->history->n;

    for (uint32_t i = 0; i < n && from == NONE; i++)
        if (has(task, i, bit))
            from = (int)i;
    for (uint32_t i = 0; i < n && from != NONE && to == NONE; i++)
        if (has(task, i, bit + 1) && time_of(task, i) >= time_of(task, (uint32_t)from))
            to = (int)i;
    task->state->open = from != NONE && to == NONE;
    task->state->settled = to != NONE && !task->tracker->once;
    for (int i = 0; i < task->tracker->noutlets; i++)
        pair_outlet(task, task->tracker->outlets[i], from, to);
    if (task->keep)
        keep_pair(task, from, to);
}

/* ---- Repetitions ---- */

static void track_repeat(const struct task *task)
{
    const struct kp_plan_tracker *tracker = task->tracker;
    struct match matches[KP_HISTORY_MAX];
    int bit = tracker->once;
    uint32_t first = 0;
    uint64_t rank = 0;
    size_t n = 0;

    for (uint32_t i = 0; i < task->history->n; i++) {
        if (bit && has(task, i, 0))
            keep(task, i, 0);
        if (!has(task, i, bit))
            continue;
        rank++;
        for (; tracker->within_ms && first < i && time_of(task, first) <= time_of(task, i) - tracker->within_ms; first++)
            rank -= has(task, first, bit);
        if (rank >= tracker->nth)
            matches[n++] = (struct match){i, i, 0};
        /* Without `within` only the first few decide what the others are. */
        if (tracker->once || (tracker->within_ms ? time_of(task, i) + tracker->within_ms > task->horizon
                                                 : rank < tracker->nth))
            keep(task, i, bit);
    }
    task->state->settled = !tracker->once && !tracker->within_ms && rank + 1 >= tracker->nth;
    for (int i = 0; i < tracker->noutlets; i++)
        settle(task, tracker->outlets[i], matches, n);
}

void kp_track_again(const struct kp_plan *plan, const struct kp_plan_tracker *tracker, const struct kp_plan_space *space,
                    struct kp_occurrence *o, struct kp_traces *traces)
{
    const struct kp_history alone = {space, (char *)o, 1, kp_occurrence_size(space)};
    const struct task task = {.plan = plan, .tracker = tracker, .history = &alone, .traces = traces};

    for (int i = 0; tracker->kind == KP_TRACK_REPEAT && i < tracker->noutlets; i++)
        sample(&task, tracker->outlets[i], 0, o->mark.time, 0);
}

/* ---- once, of a field or of nothing ---- */

/* Its match, with a value if the outlet takes one. */
static bool is_match(const struct task *task, const struct kp_plan_outlet *outlet, uint32_t i, int64_t *value)
{
    *value = outlet->value < 0 ? 0 : kp_history_at(task->history, i)->tail[outlet->value];
    return has(task, i, 1) && *value != KP_NO_VALUE;
}

/* What lies before the horizon is settled: of it only the match that still counts can matter. */
static void keep_once(const struct task *task, const struct kp_plan_outlet *outlet)
{
    int counted = NONE;
    uint32_t i = 0;
    int64_t value;

    for (; i < task->history->n && time_of(task, i) < task->horizon; i++) {
        if (has(task, i, 0))
            counted = NONE;
        if (counted == NONE && is_match(task, outlet, i, &value))
            counted = (int)i;
    }
    if (counted != NONE)
        keep(task, (uint32_t)counted, 1);
    for (; i < task->history->n; i++)
        keep_all(task, i);
}

static void track_once(const struct task *task)
{
    const struct kp_plan_tracker *tracker = task->tracker;

    task->state->settled = tracker->reversed < 0;       /* else a match behind another may come to count */
    for (int k = 0; k < tracker->noutlets; k++) {
        const struct kp_plan_outlet *outlet = &task->plan->outlets[tracker->outlets[k]];
        struct match matches[KP_HISTORY_MAX];
        size_t n = 0;
        int64_t value;

        for (uint32_t i = 0; i < task->history->n; i++)
            if (is_match(task, outlet, i, &value))
                matches[n++] = (struct match){i, i, value};
        if (!settle(task, tracker->outlets[k], matches, n))
            task->state->settled = false;
    }
    if (!task->keep)
        return;
    /* Outlets of different fields skip different matches, so only one alone may forget what it has settled. */
    for (uint32_t i = 0; i < task->history->n && tracker->noutlets > 1; i++)
        keep_all(task, i);
    if (tracker->noutlets == 1)
        keep_once(task, &task->plan->outlets[tracker->outlets[0]]);
}

/* ---- What is open now ---- */

enum { OPENED, CLOSED, LOOKED_AT };

static int latest_node(const struct task *task, int dim)
{
    for (uint32_t i = task->history->n; i-- > 0;) {
        uint32_t node = has(task, i, LOOKED_AT) ? node_of(task, i, dim) : KP_NO_NODE;

        if (node != KP_NO_NODE && (dim != 0 || node != 0))      /* node 0 is the company: it named nobody */
            return (int)i;
    }
    return NONE;
}

static int latest_value(const struct task *task, int value)
{
    for (uint32_t i = task->history->n; i-- > 0;)
        if (has(task, i, LOOKED_AT) && kp_history_at(task->history, i)->tail[value] != KP_NO_VALUE)
            return (int)i;
    return NONE;
}

static int latest_turn(const struct task *task)
{
    for (uint32_t i = task->history->n; i-- > 0;)
        if (has(task, i, OPENED) || has(task, i, CLOSED))
            return (int)i;
    return NONE;
}

static int later(int a, int b)
{
    return a > b ? a : b;
}

static void keep_latest(const struct task *task, int i, int bit)
{
    if (i == NONE)
        return;
    keep(task, (uint32_t)i, bit);
    keep(task, (uint32_t)i, LOOKED_AT);
}

static void open_outlet(const struct task *task, int o)
{
    const struct kp_plan_outlet *outlet = &task->plan->outlets[o];
    int valued = outlet->value < 0 ? NONE : latest_value(task, outlet->value), turn;

    if (!task->state->open || (outlet->value >= 0 && valued == NONE))
        return;
    turn = latest_turn(task);
    for (int d = 0; d < task->plan->ndims; d++) {
        int who = outlet->dims >> d & 1 ? latest_node(task, d) : NONE;
        uint32_t node = who != NONE ? node_of(task, (uint32_t)who, d) : d == 0 ? 0 : KP_NO_NODE;

        if ((outlet->dims >> d & 1) && node != KP_NO_NODE)
            put_at(task, o, d, node, 0,
                   valued == NONE ? 0 : kp_history_at(task->history, (uint32_t)valued)->tail[outlet->value], false,
                   (uint32_t)later(later(who, valued), turn));
    }
}

/* ---- Where what is open stands, and since when ---- */

enum { SAME = -1, GONE = 0, SOMEWHERE = 1 };        /* places; others are hashes, or stages of a funnel and their number */

static int stage_at(const struct task *task, uint32_t i);

static int64_t place_at(const struct task *task, int value, uint32_t i)
{
    int64_t stage;

    if (task->tracker->kind == KP_TRACK_FUNNEL)
        return stage_at(task, i) ? stage_at(task, i) : SAME;
    if (!has(task, i, LOOKED_AT))
        return SAME;
    if (has(task, i, CLOSED))
        return GONE;
    stage = kp_history_at(task->history, i)->tail[value];
    return stage != KP_NO_VALUE ? stage : has(task, i, OPENED) ? SOMEWHERE : SAME;
}

struct standing {
    int64_t place;
    int from;           /* the occurrence that brought it there; NONE: it is nowhere */
    int before;         /* the last one that tells another place, before that; NONE */
};

/* That it is somewhere is news only of what was nowhere. */
static struct standing standing_of(const struct task *task, int value)
{
    struct standing at = {GONE, NONE, NONE};
    int last = NONE;

    for (uint32_t i = 0; i < task->history->n; i++) {
        int64_t place = place_at(task, value, i);

        if (place == SAME || (place == SOMEWHERE && at.place != GONE && task->tracker->kind == KP_TRACK_OPEN))
            continue;
        if (place != at.place || at.from == NONE)
            at = (struct standing){place, (int)i, last};
        last = (int)i;
    }
    return at;
}

/* So that an event that comes late changes it as it would have in its time: it may come between any two that tell a place. */
static void keep_standing(const struct task *task, int value)
{
    struct standing at = standing_of(task, value);

    for (uint32_t i = 0; i < task->history->n; i++)
        if (time_of(task, i) >= task->horizon && place_at(task, value, i) != SAME)
            keep_all(task, i);
    if (at.from != NONE)
        keep_all(task, (uint32_t)at.from);
    if (at.before != NONE)
        keep_all(task, (uint32_t)at.before);
}

static void keep_standings(const struct task *task)
{
    for (int i = 0; task->keep && i < task->tracker->noutlets; i++)
        if (task->plan->outlets[task->tracker->outlets[i]].part == KP_PART_SINCE)
            keep_standing(task, task->plan->outlets[task->tracker->outlets[i]].value);
}

/* Credited like what is open. */
static void since_outlet(const struct task *task, int o)
{
    const struct kp_plan_outlet *outlet = &task->plan->outlets[o];
    struct standing at = standing_of(task, outlet->value);

    for (int d = 0; d < task->plan->ndims && at.from != NONE; d++) {
        int who = outlet->dims >> d & 1 ? latest_node(task, d) : NONE;
        uint32_t node = who != NONE ? node_of(task, (uint32_t)who, d) : d == 0 ? 0 : KP_NO_NODE;

        if ((outlet->dims >> d & 1) && node != KP_NO_NODE)
            put_at(task, o, d, node, time_of(task, (uint32_t)at.from), 0, false, (uint32_t)at.from);
    }
}

static void track_open(const struct task *task)
{
    const struct kp_plan_space *space = task->history->space;
    int turn = latest_turn(task);

    task->state->open = turn != NONE && !has(task, (uint32_t)turn, CLOSED);
    for (int i = 0; i < task->tracker->noutlets; i++) {
        int o = task->tracker->outlets[i];

        if (task->plan->outlets[o].part != KP_PART_SINCE)
            open_outlet(task, o);
        else if (task->state->open)
            since_outlet(task, o);
    }
    if (!task->keep)
        return;
    keep_standings(task);
    if (turn != NONE)
        keep_latest(task, turn, has(task, (uint32_t)turn, CLOSED) ? CLOSED : OPENED);
    for (int d = 0; d < space->ndims; d++)
        keep_latest(task, latest_node(task, space->dims[d]), LOOKED_AT);
    for (int v = 0; v < space->nvalues; v++)
        keep_latest(task, latest_value(task, v), LOOKED_AT);
}

/* ---- Funnels ---- */

struct walk {
    int first[KP_STAGES_MAX];       /* the occurrence that reached a stage first; NONE */
    int later[KP_STAGES_MAX];       /* ... that first reached any stage behind it */
    int leave[KP_STAGES_MAX];       /* ... that first left it after it was first reached */
};

/* 0: none; 1..nstages a stage; above: lost. */
static int stage_at(const struct task *task, uint32_t i)
{
    return (int)((kp_history_at(task->history, i)->bits & task->tracker->bits) >> task->tracker->shift);
}

static void walk_funnel(const struct task *task, struct walk *walk)
{
    int nstages = task->tracker->nstages;

    for (int s = 0; s < nstages; s++)
        walk->first[s] = walk->later[s] = walk->leave[s] = NONE;
    for (uint32_t i = 0; i < task->history->n; i++) {
        int stage = stage_at(task, i);

        for (int s = 0; s < nstages && stage; s++)
            if (walk->first[s] != NONE && walk->leave[s] == NONE && stage != s + 1)
                walk->leave[s] = (int)i;
        if (!stage || stage > nstages || walk->first[stage - 1] != NONE)
            continue;
        walk->first[stage - 1] = (int)i;
        for (int s = 0; s < stage - 1; s++)
            if (walk->later[s] == NONE)
                walk->later[s] = (int)i;
    }
}

static void funnel_outlet(const struct task *task, int o, const struct walk *walk, int stands)
{
    const struct kp_plan_outlet *outlet = &task->plan->outlets[o];
    int s = outlet->step, first = walk->first[s], later = walk->later[s], leave = walk->leave[s];

    switch (outlet->part) {
    case KP_PART_ENTERED:
        if (first != NONE)
            sample(task, o, (uint32_t)first, time_of(task, (uint32_t)first), 0);
        break;
    case KP_PART_CONVERTED:
        if (first != NONE)
            sample(task, o, (uint32_t)first, time_of(task, (uint32_t)first), later != NONE ? KP_MICRO : 0);
        break;
    case KP_PART_STAY:
        if (leave != NONE)
            sample(task, o, (uint32_t)leave, time_of(task, (uint32_t)leave),
                   seconds(time_of(task, (uint32_t)leave) - time_of(task, (uint32_t)first)));
        break;
    case KP_PART_SKIPPED:
        if (later != NONE && (first == NONE || first > later))
            sample(task, o, (uint32_t)later, time_of(task, (uint32_t)later), 0);
        break;
    case KP_PART_STANDS:
        if (stands != NONE && stage_at(task, (uint32_t)stands) == s + 1 && s + 1 < task->tracker->nstages)
            sample(task, o, (uint32_t)stands, 0, 0);
        break;
    case KP_PART_SINCE:
        if (stands != NONE && stage_at(task, (uint32_t)stands) == s + 1 && s + 1 < task->tracker->nstages)
            sample(task, o, (uint32_t)stands, time_of(task, (uint32_t)standing_of(task, -1).from), 0);
        break;
    case KP_PART_MATCH:
    case KP_PART_ELAPSED:
    case KP_PART_COHORT:
    case KP_PART_OPEN:
        break;
    }
}

static void track_funnel(const struct task *task)
{
    struct walk walk;
    int stands = NONE, stage;

    walk_funnel(task, &walk);
    for (uint32_t i = 0; i < task->history->n; i++)
        if (stage_at(task, i))
            stands = (int)i;
    stage = stands == NONE ? 0 : stage_at(task, (uint32_t)stands);
    task->state->open = stage && stage < task->tracker->nstages;
    for (int i = 0; i < task->tracker->noutlets; i++)
        funnel_outlet(task, task->tracker->outlets[i], &walk, stands);
    for (uint32_t i = 0; task->keep && i < task->history->n; i++) {
        bool wanted = (int)i == stands || time_of(task, i) >= task->horizon;

        for (int s = 0; s < task->tracker->nstages; s++)
            wanted |= (int)i == walk.first[s] || (int)i == walk.leave[s];
        if (wanted)
            keep_all(task, i);
    }
    keep_standings(task);
}

void kp_track(const struct kp_plan *plan, const struct kp_plan_tracker *tracker, const struct kp_history *history,
              int64_t now, int64_t horizon, struct kp_traces *traces, uint64_t *keep, struct kp_track_state *state)
{
    const struct task task = {plan, tracker, history, now, horizon, traces, keep, state};

    *state = (struct kp_track_state){.due = INT64_MAX};
    switch (tracker->kind) {
    case KP_TRACK_PAIR:
        track_pair(&task);
        break;
    case KP_TRACK_REPEAT:
        track_repeat(&task);
        break;
    case KP_TRACK_ONCE:
        track_once(&task);
        break;
    case KP_TRACK_OPEN:
        track_open(&task);
        break;
    case KP_TRACK_FUNNEL:
        track_funnel(&task);
        break;
    }
}
