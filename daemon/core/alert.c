#include "alert.h"

#include "judge.h"

#include "kpid/message.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BITS = 12, CHUNK = 1 << CHUNK_BITS, EVENTS_LOOK = 1024 };
#define NONE UINT32_MAX

struct state {              /* of one rule for one key */
    int64_t since_ms;       /* pending, firing: when the breach began */
    int64_t good_ms;        /* firing: since when the number is back; INT64_MIN: it is not */
    int64_t sent_ms;        /* firing: when it was last published */
    int64_t period_ms;      /* calendar windows: start of the period that it was looked at in */
    uint32_t node;
    uint32_t active;        /* its place among the active ones */
    uint16_t rule;
    uint8_t state, severity;
    double p;               /* of the breach, where it is asked; NaN: it is not */
    int64_t turns_ms;       /* with `pace`: when the answer turns at the earliest, if it is this one, for a number of at least ... */
    double turns_at;        /* ... this; NaN: that is not known */
    int answer;
};

struct kp_alerts {
    struct kp_store *store;         /* borrowed, like the next seven */
    struct kp_targets *targets;
    const struct kp_sources *sources;
    struct kp_reader *reader;
    struct kp_recent *recent;
    const struct kp_feeds *feeds;
    struct kp_engine *engine;
    struct kp_alert_sink sink;
    struct state **chunks;          /* owned */
    uint32_t nchunks, made;         /* made: states given out; a block of one node never crosses chunks */
    uint32_t free[KP_LEVEL_IDS_MAX];    /* first state of a free block, linked by `node`; NONE */
    struct kp_heap heap;
    uint32_t *active;               /* owned; states that are pending or firing */
    uint32_t nactive, active_room;
    uint32_t *queue;                /* owned; nodes touched, a ring */
    uint32_t queue_first, queue_count, queue_room;
    uint64_t evaluations, pending, firing, leaps_cut;
    struct kp_alert out;            /* what is handed to the sink; large, so made once */
};

/* ---- States ---- */

static struct state *state_at(const struct kp_alerts *alerts, uint32_t i)
{
    return &alerts->chunks[i >> CHUNK_BITS][i & (CHUNK - 1)];
}

static const struct kp_plan *plan_of(const struct kp_alerts *alerts)
{
    return alerts->store->plan;
}

struct kp_alerts *kp_alerts_new(struct kp_store *store, struct kp_targets *targets, const struct kp_sources *sources,
                                struct kp_reader *reader, struct kp_recent *recent, const struct kp_feeds *feeds,
                                struct kp_engine *engine, const struct kp_alert_sink *sink, struct kp_err *err)
{
    struct kp_alerts *alerts = calloc(1, sizeof *alerts);

    if (!alerts) {
        kp_fail(err, KP_ENOMEM, "alerts: out of memory");
        return NULL;
    }
    alerts->store = store;
    alerts->targets = targets;
    alerts->sources = sources;
    alerts->reader = reader;
    alerts->recent = recent;
    alerts->feeds = feeds;
    alerts->engine = engine;
    if (sink)
        alerts->sink = *sink;
    for (int i = 0; i < KP_LEVEL_IDS_MAX; i++)
        alerts->free[i] = NONE;
    return alerts;
}

void kp_alerts_destroy(struct kp_alerts **alerts)
{
    struct kp_alerts *a = *alerts;

    if (!a)
        return;
    for (uint32_t i = 0; i < a->nchunks; i++)
        free(a->chunks[i]);
    free(a->chunks);
    free(a->active);
    free(a->queue);
    kp_heap_release(&a->heap);
    free(a);
    *alerts = NULL;
}

static bool add_chunk(struct kp_alerts *alerts)
{
    struct state **grown = realloc(alerts->chunks, ((size_t)alerts->nchunks + 1) * sizeof(*grown));

    if (!grown)
        return false;
    alerts->chunks = grown;
    grown[alerts->nchunks] = calloc(CHUNK, sizeof **grown);
    if (!grown[alerts->nchunks] || !kp_heap_reserve(&alerts->heap, (alerts->nchunks + 1) * CHUNK)) {
        free(grown[alerts->nchunks]);
        return false;
    }
    alerts->nchunks++;
    return true;
}

/* A block of n states in one chunk; NONE: out of memory. */
static uint32_t take_block(struct kp_alerts *alerts, int level, uint32_t n)
{
    uint32_t first = alerts->free[level];

    if (first != NONE) {
        alerts->free[level] = state_at(alerts, first)->node;
        return first;
    }
    first = alerts->made;
    if ((first & (CHUNK - 1)) + n > CHUNK)
        first = (first | (CHUNK - 1)) + 1;
    if (first + n > alerts->nchunks * CHUNK && !add_chunk(alerts))
        return NONE;
    alerts->made = first + n;
    return first;
}

bool kp_alerts_enter(struct kp_alerts *alerts, uint32_t node)
{
    struct kp_node_hot *hot = kp_store_node(alerts->store, node);
    const struct kp_plan *plan = plan_of(alerts);
    uint32_t n = (uint32_t)plan->nlevel_rules[hot->level], first;

    if (n == 0 || hot->rules)
        return true;
    first = take_block(alerts, hot->level, n);
    if (first == NONE)
        return false;
    hot->rules = first + 1;
    for (uint32_t i = 0; i < n; i++) {
        *state_at(alerts, first + i) =
            (struct state){.node = node, .rule = (uint16_t)plan->level_rules[hot->level][i], .active = NONE, .p = (double)NAN,
                           .turns_at = (double)NAN};
        kp_heap_set(&alerts->heap, first + i, INT64_MIN);
    }
    return true;
}

bool kp_alerts_idle(const struct kp_alerts *alerts, uint32_t node)
{
    const struct kp_node_hot *hot = kp_store_node(alerts->store, node);

    if (hot->flags & KP_NODE_QUEUED)
        return false;
    for (int i = 0; hot->rules && i < plan_of(alerts)->nlevel_rules[hot->level]; i++)
        if (state_at(alerts, hot->rules - 1 + (uint32_t)i)->state != KP_ALERT_INACTIVE)
            return false;
    return true;
}

void kp_alerts_leave(struct kp_alerts *alerts, uint32_t node)
{
    struct kp_node_hot *hot = kp_store_node(alerts->store, node);
    uint32_t first = hot->rules - 1;

    if (!hot->rules)
        return;
    for (int i = 0; i < plan_of(alerts)->nlevel_rules[hot->level]; i++)
        kp_heap_set(&alerts->heap, first + (uint32_t)i, INT64_MAX);
    state_at(alerts, first)->node = alerts->free[hot->level];
    alerts->free[hot->level] = first;
    hot->rules = 0;
}

/* ---- What was touched ---- */

static bool grow_queue(struct kp_alerts *alerts)
{
    uint32_t room = alerts->queue_room ? alerts->queue_room * 2 : 1024;
    uint32_t *grown = malloc((size_t)room * sizeof *grown);

    if (!grown)
        return false;
    for (uint32_t i = 0; i < alerts->queue_count; i++)
        grown[i] = alerts->queue[(alerts->queue_first + i) & (alerts->queue_room - 1)];
    free(alerts->queue);
    alerts->queue = grown;
    alerts->queue_first = 0;
    alerts->queue_room = room;
    return true;
}

void kp_alerts_touch(struct kp_alerts *alerts, uint32_t node)
{
    struct kp_node_hot *hot = kp_store_node(alerts->store, node);

    if ((hot->flags & KP_NODE_QUEUED) || !hot->rules)
        return;
    if (alerts->queue_count == alerts->queue_room && !grow_queue(alerts))
        return;     /* the next event on the key, or time, will see to it */
    hot->flags |= KP_NODE_QUEUED;
    alerts->queue[(alerts->queue_first + alerts->queue_count++) & (alerts->queue_room - 1)] = node;
}

/* ---- Telling ---- */

static uint64_t id_of(const struct kp_alerts *alerts, const struct state *st)
{
    const struct kp_plan *plan = plan_of(alerts);
    const char *rule = plan->rules[st->rule].cfg->name;
    char text[8 + (KP_DEPTH_MAX + 1) * (KP_GROUP_KEY_MAX + 1)];
    uint32_t path[KP_DEPTH_MAX];
    int n = kp_store_path(alerts->store, st->node, path);
    size_t len = 0;

    memcpy(text, &st->since_ms, sizeof st->since_ms);
    len = sizeof st->since_ms;
    for (int i = 0; i < n; i++) {
        const struct kp_node_cold *cold = kp_store_cold(alerts->store, path[i]);
        size_t take = cold->key_len > KP_GROUP_KEY_MAX ? KP_GROUP_KEY_MAX : cold->key_len;

        memcpy(text + len, cold->key, take);
        len += take;
        text[len++] = '\0';
    }
    return kp_print_of2(0, 0, rule, strlen(rule), text, len).hi;
}

/* Path as people read it: "emea / field-1 / ana". */
static void path_text(const struct kp_alerts *alerts, uint32_t node, char *buf, size_t size)
{
    uint32_t path[KP_DEPTH_MAX];
    int n = kp_store_path(alerts->store, node, path);
    size_t len = 0;

    buf[0] = '\0';
    for (int i = 0; i < n && len < size; i++)
        len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? " / " : "", kp_store_cold(alerts->store, path[i])->key);
}

static void render(struct kp_alerts *alerts, struct kp_alert *a)
{
    const struct kp_plan *plan = plan_of(alerts);
    const struct kp_alert_cfg *cfg = a->rule;
    const struct kp_kpi_cfg *kpi = plan->kpis[kp_plan_find_kpi(plan, cfg->kpi, strlen(cfg->kpi))].cfg;
    bool by_target = cfg->compare != KP_CMP_VALUE;
    char value[64], target[64], expected[64], percent[64], ratio[64], threshold[64], n[24], path[512];
    const char *texts[KP_PLACEHOLDERS] = {
        [KP_PH_NAME] = kp_store_name(alerts->store, a->node),
        [KP_PH_KEY] = kp_store_cold(alerts->store, a->node)->key,
        [KP_PH_LEVEL] = cfg->level, [KP_PH_PATH] = path, [KP_PH_KPI] = cfg->kpi,
        [KP_PH_TITLE] = kpi->title ? kpi->title : kpi->name, [KP_PH_UNIT] = kpi->unit ? kpi->unit : "",
        [KP_PH_WINDOW] = cfg->window.text, [KP_PH_VALUE] = value, [KP_PH_TARGET] = target,
        [KP_PH_EXPECTED] = expected, [KP_PH_PERCENT] = percent, [KP_PH_RATIO] = ratio, [KP_PH_THRESHOLD] = threshold,
        [KP_PH_N] = n, [KP_PH_SEVERITY] = a->severity == KP_SEVERITY_CRITICAL ? "critical" : "warning",
        [KP_PH_RULE] = cfg->name,
    };

    kp_number_text(a->value.value, a->value.has, kpi->unit, value, sizeof value);
    kp_number_text(a->target, !isnan(a->target), kpi->unit, target, sizeof target);
    kp_number_text(a->expected, !isnan(a->expected), kpi->unit, expected, sizeof expected);
    kp_number_text(a->ratio, !isnan(a->ratio), "%", percent, sizeof percent);
    kp_number_text(a->ratio, !isnan(a->ratio), NULL, ratio, sizeof ratio);
    kp_number_text(a->threshold, true, by_target ? "%" : kpi->unit, threshold, sizeof threshold);
    snprintf(n, sizeof n, "%lld", (long long)a->value.n);
    path_text(alerts, a->node, path, sizeof path);
    kp_message_render(cfg->message                    ? cfg->message
                      : cfg->compare == KP_CMP_PACE   ? "{name}: {title} {value} of {expected} by now ({percent} of pace), {window}"
                      : cfg->compare == KP_CMP_TARGET ? "{name}: {title} {value} of {target} ({percent}), {window}"
                                   : "{name}: {title} {value}, threshold {threshold}, {window}",
                      texts, a->message, sizeof a->message);
}

static void fill(struct kp_alerts *alerts, const struct state *st, struct kp_number number, int64_t t)
{
    const struct kp_plan_rule *rule = &plan_of(alerts)->rules[st->rule];
    const struct kp_alert_cfg *cfg = rule->cfg;
    struct kp_alert *a = &alerts->out;
    double of;

    memset(a, 0, offsetof(struct kp_alert, message));
    a->rule = cfg;
    a->id = id_of(alerts, st);
    a->node = st->node;
    a->state = st->state;
    a->severity = st->severity;
    a->quiet = st->state == KP_ALERT_PENDING;
    a->value = number;
    a->target = kp_target_of(alerts->targets, st->node, rule->target);
    a->expected = kp_target_expected(alerts->targets, st->node, rule->target);
    of = cfg->compare == KP_CMP_PACE ? a->expected : a->target;
    a->ratio = number.has && of > 0 ? number.value / of : (double)NAN;
    a->p = st->p;
    a->threshold = st->severity == KP_SEVERITY_CRITICAL ? cfg->critical.at : cfg->warning.at;
    a->since_ms = st->since_ms;
    a->time_ms = t;
    if (alerts->recent) {
        struct kp_recent_event events[KP_ALERT_EVENTS];

        a->nevents = kp_recent_find(alerts->recent, alerts->store, alerts->feeds, st->node, rule->kpi, INT64_MIN,
                                    INT64_MAX, events, KP_ALERT_EVENTS, EVENTS_LOOK);
        for (size_t i = 0; i < a->nevents; i++)
            a->events[i] = events[i].id;
    }
    render(alerts, a);
}

static void tell(struct kp_alerts *alerts, struct state *st, struct kp_number number, int64_t t)
{
    fill(alerts, st, number, t);
    st->sent_ms = t;
    if (alerts->sink.alert)
        alerts->sink.alert(alerts->sink.ctx, alerts->engine, &alerts->out);
}

/* ---- The state machine ---- */

static void count(struct kp_alerts *alerts, uint8_t state, uint64_t by)
{
    if (state == KP_ALERT_PENDING)
        alerts->pending += by;
    else if (state == KP_ALERT_FIRING)
        alerts->firing += by;
}

/* List it among the active ones. Out of memory: it stays inactive, and is tried again at the next look. */
static bool activate(struct kp_alerts *alerts, uint32_t i, struct state *st)
{
    if (st->active != NONE)
        return true;
    if (alerts->nactive == alerts->active_room) {
        uint32_t room = alerts->active_room ? alerts->active_room * 2 : 256;
        uint32_t *grown = realloc(alerts->active, (size_t)room * sizeof *grown);

        if (!grown)
            return false;
        alerts->active = grown;
        alerts->active_room = room;
    }
    st->active = alerts->nactive;
    alerts->active[alerts->nactive++] = i;
    return true;
}

static void enter_state(struct kp_alerts *alerts, struct state *st, uint8_t state)
{
    count(alerts, st->state, (uint64_t)-1);
    st->state = state;
    count(alerts, state, 1);
}

static void resolve(struct kp_alerts *alerts, struct state *st, struct kp_number number, int64_t t, const char *reason)
{
    bool was_pending = st->state == KP_ALERT_PENDING;
    uint32_t last = alerts->active[--alerts->nactive];

    enter_state(alerts, st, KP_ALERT_RESOLVED);
    fill(alerts, st, number, t);
    alerts->out.quiet = was_pending;
    alerts->out.reason = reason;
    alerts->active[st->active] = last;
    state_at(alerts, last)->active = st->active;
    st->active = NONE;
    st->state = KP_ALERT_INACTIVE;
    st->severity = KP_SEVERITY_NONE;
    if (alerts->sink.alert)
        alerts->sink.alert(alerts->sink.ctx, alerts->engine, &alerts->out);
}

static void fire(struct kp_alerts *alerts, struct state *st, struct kp_number number, int64_t t)
{
    enter_state(alerts, st, KP_ALERT_FIRING);
    st->good_ms = INT64_MIN;
    tell(alerts, st, number, t);
}

static void breach(struct kp_alerts *alerts, uint32_t i, struct state *st, enum kp_severity severity,
                   struct kp_number number, int64_t t)
{
    const struct kp_alert_cfg *cfg = plan_of(alerts)->rules[st->rule].cfg;

    if (!activate(alerts, i, st))
        return;
    st->since_ms = t;
    st->severity = (uint8_t)severity;
    if (cfg->for_ms == 0) {
        fire(alerts, st, number, t);
        return;
    }
    enter_state(alerts, st, KP_ALERT_PENDING);
    tell(alerts, st, number, t);
}

static void look_pending(struct kp_alerts *alerts, struct state *st, enum kp_severity severity,
                         struct kp_number number, int64_t t)
{
    const struct kp_alert_cfg *cfg = plan_of(alerts)->rules[st->rule].cfg;
    bool changed = severity != st->severity;

    if (severity == KP_SEVERITY_NONE) {
        resolve(alerts, st, number, t, NULL);
        return;
    }
    st->severity = (uint8_t)severity;
    if (t - st->since_ms >= cfg->for_ms)
        fire(alerts, st, number, t);
    else if (changed)
        tell(alerts, st, number, t);
}

/* Worse at once; better only when the number is back past `critical` by the margin. */
static bool changes_severity(const struct kp_alert_cfg *cfg, struct state *st, enum kp_severity severity, double x)
{
    if (severity > st->severity) {
        st->severity = (uint8_t)severity;
        return true;
    }
    if (st->severity == KP_SEVERITY_CRITICAL && cfg->warning.set && !isnan(x) && kp_judge_back(cfg, &cfg->critical, x) &&
        !kp_judge_back(cfg, &cfg->warning, x)) {
        st->severity = KP_SEVERITY_WARNING;
        return true;
    }
    return false;
}

static void look_firing(struct kp_alerts *alerts, struct state *st, enum kp_severity severity, double x,
                        struct kp_number number, int64_t t)
{
    const struct kp_alert_cfg *cfg = plan_of(alerts)->rules[st->rule].cfg;
    const struct kp_bound *outer = cfg->warning.set ? &cfg->warning : &cfg->critical;
    bool good = isnan(x) || (severity == KP_SEVERITY_NONE && kp_judge_back(cfg, outer, x));

    if (!good)
        st->good_ms = INT64_MIN;
    else if (st->good_ms == INT64_MIN)
        st->good_ms = t;
    if (good && t - st->good_ms >= cfg->keep_firing_ms) {
        resolve(alerts, st, number, t, isnan(x) ? "no_samples" : NULL);
        return;
    }
    if (changes_severity(cfg, st, severity, x) || (cfg->repeat_ms && t - st->sent_ms >= cfg->repeat_ms))
        tell(alerts, st, number, t);
}

/* Bounds of the running period of a calendar rule; false for rolling windows. */
static bool period_of(const struct kp_alerts *alerts, const struct kp_plan_rule *rule, int clock, int64_t *from, int64_t *to)
{
    const struct kp_plan *plan = plan_of(alerts);
    const struct kp_window *window = &rule->cfg->window;
    const struct kp_family *grid;
    int w;

    if (window->kind != KP_WIN_CALENDAR || rule->nparts == 0)
        return false;
    grid = &plan->families[rule->parts[0].family].grids[clock];
    w = rule->parts[0].window;
    *from = grid->from[w];
    *to = kp_family_leaves(grid, w, *from);
    return true;
}

enum kp_status kp_alerts_status(const struct kp_alerts *alerts, const struct kp_plan_rule *rule, uint32_t node,
                                struct kp_number number, int64_t t)
{
    struct kp_verdict verdict;
    int64_t from = t, to;

    period_of(alerts, rule, kp_store_node(alerts->store, node)->clock, &from, &to);
    verdict = kp_judge(alerts->targets, rule, node, number, from, t);
    if (isnan(verdict.x))
        return KP_STATUS_NONE;
    return verdict.severity == KP_SEVERITY_CRITICAL  ? KP_STATUS_CRITICAL
           : verdict.severity == KP_SEVERITY_WARNING ? KP_STATUS_WARNING
                                                     : KP_STATUS_OK;
}

static void sooner(int64_t *when, int64_t at, int64_t t)
{
    if (at > t && at < *when)
        *when = at;
}

/* When to look again although no event comes. */
static int64_t wake_at(const struct kp_alerts *alerts, const struct state *st, const struct kp_alert_cfg *cfg,
                       int64_t wake, int64_t t)
{
    if (st->state == KP_ALERT_PENDING)
        sooner(&wake, st->since_ms + cfg->for_ms, t);
    if (st->state == KP_ALERT_FIRING) {
        if (st->good_ms != INT64_MIN)
            sooner(&wake, st->good_ms + cfg->keep_firing_ms, t);
        if (cfg->repeat_ms)
            sooner(&wake, st->sent_ms + cfg->repeat_ms, t);
    }
    sooner(&wake, kp_store_expires(alerts->store, st->node), t);
    return wake;
}

/* Outside of the key's working hours nothing starts firing: what is pending waits, and what is not does not begin. */
static bool may_start(const struct kp_alerts *alerts, const struct state *st, const struct kp_alert_cfg *cfg, int64_t t,
                      int64_t *opens)
{
    *opens = cfg->always ? t : kp_targets_opens(alerts->targets, st->node, t);
    return *opens == t;
}

/* While a source is silent that the number needs, nothing new fires and nothing resolves; what only waits to fire begins
 * anew when it is heard of again. kp_alerts_touch sees to that. */
static bool freeze(struct kp_alerts *alerts, uint32_t i, struct state *st, int64_t t)
{
    const struct kp_plan_rule *rule = &plan_of(alerts)->rules[st->rule];
    struct kp_number number = {0};
    int64_t wake;

    if (!kp_sources_no_data(alerts->sources, rule->kpi))
        return false;
    if (st->state == KP_ALERT_PENDING) {
        if (kp_store_visible(alerts->store, st->node))
            number = kp_read_rule(alerts->reader, rule, st->node, t, &wake);
        resolve(alerts, st, number, t, "no_data");
    }
    st->good_ms = INT64_MIN;    /* whether it is well is not known meanwhile */
    kp_heap_set(&alerts->heap, i, INT64_MAX);
    return true;
}

/* When what is expected may be out of reach. Found anew only when it may have come nearer, or is there: a number that has grown
 * turns later. */
static int64_t turns_at(struct kp_alerts *alerts, struct state *st, const struct kp_plan_rule *rule, struct kp_number number,
                        const struct kp_verdict *verdict, int64_t t, int64_t to)
{
    if (rule->cfg->compare != KP_CMP_PACE || !number.has)
        return INT64_MAX;
    if (!(number.value >= st->turns_at) || t >= st->turns_ms || verdict->answer != st->answer) {
        st->turns_ms = kp_judge_turns(alerts->targets, rule, st->node, number, verdict->answer, t, to);
        st->turns_at = number.value;
        st->answer = verdict->answer;
    }
    return st->turns_ms;
}

static void look(struct kp_alerts *alerts, uint32_t i, int64_t t)
{
    struct state *st = state_at(alerts, i);
    const struct kp_plan_rule *rule = &plan_of(alerts)->rules[st->rule];
    struct kp_verdict verdict = {KP_SEVERITY_NONE, (double)NAN, (double)NAN, -1, INT64_MAX};
    struct kp_number number = {0};
    int64_t wake = INT64_MAX, from = t, to = INT64_MAX, opens;

    alerts->evaluations++;
    if (freeze(alerts, i, st, t))
        return;
    if (kp_store_visible(alerts->store, st->node))
        number = kp_read_rule(alerts->reader, rule, st->node, t, &wake);
    if (period_of(alerts, rule, kp_store_node(alerts->store, st->node)->clock, &from, &to)) {
        sooner(&wake, to, t);
        if (st->state != KP_ALERT_INACTIVE && st->period_ms != from)
            resolve(alerts, st, number, t, "period_ended");
        if (st->period_ms != from)
            st->turns_at = (double)NAN;
        st->period_ms = from;
    }
    if (kp_store_visible(alerts->store, st->node)) {
        verdict = kp_judge(alerts->targets, rule, st->node, number, from, t);
        sooner(&wake, verdict.early_until, t);
        if (verdict.early_until == INT64_MAX)
            sooner(&wake, turns_at(alerts, st, rule, number, &verdict, t, to), t);
    }
    st->p = verdict.p;
    if (st->state == KP_ALERT_FIRING)
        look_firing(alerts, st, verdict.severity, verdict.x, number, t);
    else if (verdict.severity != KP_SEVERITY_NONE && !may_start(alerts, st, rule->cfg, t, &opens))
        sooner(&wake, opens, t);
    else if (st->state == KP_ALERT_PENDING)
        look_pending(alerts, st, verdict.severity, number, t);
    else if (verdict.severity != KP_SEVERITY_NONE)
        breach(alerts, i, st, verdict.severity, number, t);
    kp_heap_set(&alerts->heap, i, wake_at(alerts, st, rule->cfg, wake, t));
}

static void look_at_node(struct kp_alerts *alerts, uint32_t node, int64_t t)
{
    struct kp_node_hot *hot = kp_store_node(alerts->store, node);

    hot->flags &= (uint8_t)~KP_NODE_QUEUED;
    for (int i = 0; hot->rules && i < plan_of(alerts)->nlevel_rules[hot->level]; i++)
        look(alerts, hot->rules - 1 + (uint32_t)i, t);
}

/* ---- Time ---- */

int64_t kp_alerts_due(const struct kp_alerts *alerts)
{
    return kp_heap_due(&alerts->heap);
}

void kp_alerts_run_before(struct kp_alerts *alerts, int64_t t)
{
    for (uint32_t runs = 0;; runs++) {
        int64_t due = kp_heap_due(&alerts->heap);

        if (due >= t || due == INT64_MIN)
            return;
        if (runs == plan_of(alerts)->config->limits.leap) {
            alerts->leaps_cut++;
            return;
        }
        kp_plan_at(alerts->store->plan, due);
        kp_targets_at(alerts->targets, due);
        look(alerts, kp_heap_pop(&alerts->heap), due);
    }
}

bool kp_alerts_settle(struct kp_alerts *alerts, int64_t t, size_t most)
{
    for (; alerts->queue_count && most; most--) {
        uint32_t node = alerts->queue[alerts->queue_first];

        alerts->queue_first = (alerts->queue_first + 1) & (alerts->queue_room - 1);
        alerts->queue_count--;
        look_at_node(alerts, node, t);
    }
    for (; kp_heap_due(&alerts->heap) <= t && most; most--)
        look(alerts, kp_heap_pop(&alerts->heap), t);
    return alerts->queue_count || kp_heap_due(&alerts->heap) <= t;
}

/* ---- Asking ---- */

struct listed {
    uint32_t state;
    uint16_t rule;
    char path[256];     /* to sort by; beyond that the order is that of the states */
};

static int by_rule_and_path(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    int order = (int)x->rule - (int)y->rule;

    order = order ? order : strcmp(x->path, y->path);
    return order ? order : (x->state > y->state) - (x->state < y->state);
}

void kp_alerts_each(struct kp_alerts *alerts, int64_t t, void (*each)(void *ctx, const struct kp_alert *alert), void *ctx)
{
    struct listed *list = calloc((size_t)alerts->nactive + 1, sizeof *list);

    for (uint32_t i = 0; list && i < alerts->nactive; i++) {
        const struct state *st = state_at(alerts, alerts->active[i]);

        list[i].state = alerts->active[i];
        list[i].rule = st->rule;
        path_text(alerts, st->node, list[i].path, sizeof list[i].path);
    }
    if (list)
        qsort(list, alerts->nactive, sizeof *list, by_rule_and_path);
    for (uint32_t i = 0; list && i < alerts->nactive; i++) {
        const struct state *st = state_at(alerts, list[i].state);
        int64_t wake;

        fill(alerts, st, kp_read_rule(alerts->reader, &plan_of(alerts)->rules[st->rule], st->node, t, &wake), t);
        each(ctx, &alerts->out);
    }
    free(list);
}

void kp_alerts_stats(const struct kp_alerts *alerts, struct kp_alerts_stats *stats)
{
    stats->evaluations = alerts->evaluations;
    stats->pending = alerts->pending;
    stats->firing = alerts->firing;
    stats->leaps_cut = alerts->leaps_cut;
    stats->bytes = sizeof *alerts + (size_t)alerts->nchunks * CHUNK * sizeof(struct state) +
                   (size_t)alerts->heap.room * (sizeof(struct kp_timer) + sizeof(uint32_t)) +
                   ((size_t)alerts->active_room + alerts->queue_room) * sizeof(uint32_t);
}
