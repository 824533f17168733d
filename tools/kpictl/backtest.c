#include "backtest.h"

#include <stdlib.h>
#include <string.h>

enum { SPACE_KEYS, SPACE_MANAGERS, SPACE_LIVES };
#define NONE UINT32_MAX

struct backtest *backtest_new(const struct kp_config *config, struct kp_err *err)
{
    struct backtest *b = calloc(1, sizeof *b);

    if (!b) {
        kp_fail(err, KP_ENOMEM, "out of memory");
        return NULL;
    }
    b->zone_name = config->zone_name;
    b->from_ms = b->to_ms = b->day = b->day_ends_ms = INT64_MIN;
    b->free_life = NONE;
    b->nrules = config->nalerts;
    b->rules = calloc(b->nrules + 1, sizeof *b->rules);
    b->zone = b->rules ? kp_zone_new(config->zone_tzif, config->zone_len, err) : NULL;
    b->index = b->zone ? kp_tab_new(err) : NULL;
    b->slab = b->index ? kp_slab_new(err) : NULL;
    if (!b->slab) {
        if (!b->rules)
            kp_fail(err, KP_ENOMEM, "out of memory");
        backtest_destroy(&b);
        return NULL;
    }
    for (size_t i = 0; i < b->nrules; i++)
        b->rules[i].cfg = &config->alerts[i];
    return b;
}

static void release_rule(struct backtest_rule *rule)
{
    for (size_t i = 0; i < rule->nmanagers; i++)
        free(rule->managers[i].days);
    free(rule->managers);
    free(rule->exact);
}

void backtest_destroy(struct backtest **backtest)
{
    struct backtest *b = *backtest;

    if (!b)
        return;
    for (size_t i = 0; b->rules && i < b->nrules; i++)
        release_rule(&b->rules[i]);
    for (size_t i = 0; i < b->nkeys; i++) {
        free(b->keys[i].path.parts);
        free(b->keys[i].name);
    }
    for (size_t i = 0; i < b->nmanagers; i++) {
        free(b->managers[i].path.parts);
        free(b->managers[i].daily.days);
    }
    free(b->rules);
    free(b->keys);
    free(b->lives);
    free(b->managers);
    kp_tab_destroy(&b->index);
    kp_slab_destroy(&b->slab);
    kp_zone_destroy(&b->zone);
    free(b);
    *backtest = NULL;
}

/* ---- Days ---- */

/* Where clocks go back over midnight, the day that began goes on. */
static void pass_to(struct backtest *b, int64_t t)
{
    int64_t day;

    b->to_ms = t;
    if (t < b->day_ends_ms)
        return;
    if (b->from_ms == INT64_MIN)
        b->from_ms = t;
    day = kp_zone_day(b->zone, t);
    b->day_ends_ms = kp_zone_day_start(b->zone, day + 1);
    b->days += day > b->day;
    b->day = day > b->day ? day : b->day;
}

void backtest_passed(struct backtest *backtest, int64_t t)
{
    if (t != INT64_MIN)
        pass_to(backtest, t);
}

/* The day that `today` is of has all its alerts. */
static bool close_day(struct backtest_daily *daily)
{
    size_t i = 0;

    if (!daily->today)
        return true;
    while (i < daily->count && daily->days[i].alerts < daily->today)
        i++;
    if (i == daily->count || daily->days[i].alerts != daily->today) {
        if (daily->count == daily->room) {
            size_t room = daily->room ? daily->room * 2 : 8;
            struct backtest_days *grown = realloc(daily->days, room * sizeof *grown);

            if (!grown)
                return false;
            daily->days = grown;
            daily->room = room;
        }
        memmove(&daily->days[i + 1], &daily->days[i], (daily->count - i) * sizeof *daily->days);
        daily->days[i] = (struct backtest_days){.alerts = daily->today};
        daily->count++;
    }
    daily->days[i].days++;
    if (daily->today > daily->worst) {
        daily->worst = daily->today;
        daily->worst_day = daily->day;
    }
    daily->today = 0;
    return true;
}

static bool count_today(struct backtest_daily *daily, int64_t day)
{
    if (daily->day != day && !close_day(daily))
        return false;
    daily->day = day;
    daily->alerts++;
    daily->today++;
    return true;
}

/* ---- Whose ---- */

static bool copy_path(struct backtest_path *path, const struct kp_str *parts, size_t count)
{
    size_t len = 0;
    char *end;

    for (size_t i = 0; i < count; i++)
        len += parts[i].len + 1;
    *path = (struct backtest_path){malloc(len + 1), len, count};
    if (!path->parts)
        return false;
    end = path->parts;
    for (size_t i = 0; i < count; i++) {
        memcpy(end, parts[i].s, parts[i].len);
        end += parts[i].len;
        *end++ = '\0';
    }
    return true;
}

/* Room for one more; false: out of memory. */
static bool grow(void **list, size_t count, size_t *room, size_t size)
{
    size_t wanted = *room ? *room * 2 : 64;
    void *grown;

    if (*list && count < *room)
        return true;
    grown = count < UINT32_MAX ? realloc(*list, wanted * size) : NULL;
    if (!grown)
        return false;
    *list = grown;
    *room = wanted;
    return true;
}

/* The manager's index; SIZE_MAX: out of memory. */
static size_t manager_of(struct backtest *b, const struct kp_place *place)
{
    struct backtest_path path;
    struct kp_print print;
    const uint32_t *known;
    size_t i = b->nmanagers;

    if (!copy_path(&path, place->path, place->npath ? place->npath - 1 : 0))
        return SIZE_MAX;
    print = kp_print_of(0, SPACE_MANAGERS, path.parts, path.len);
    known = kp_tab_find(b->index, print);
    if (known || !grow((void **)&b->managers, i, &b->managers_room, sizeof *b->managers) ||
        kp_tab_insert(b->index, print, (uint32_t)i)) {
        free(path.parts);
        return known ? *known : SIZE_MAX;
    }
    b->managers[i] = (struct backtest_manager){.path = path};
    b->nmanagers++;
    return i;
}

/* The alerts of one rule under that manager; NULL: out of memory. */
static struct backtest_daily *daily_of(struct backtest_rule *rule, size_t manager)
{
    size_t room = manager < rule->nmanagers ? rule->nmanagers : manager + 16;
    struct backtest_daily *grown;

    if (room > rule->nmanagers) {
        grown = realloc(rule->managers, room * sizeof *grown);
        if (!grown)
            return NULL;
        memset(grown + rule->nmanagers, 0, (room - rule->nmanagers) * sizeof *grown);
        rule->managers = grown;
        rule->nmanagers = room;
    }
    return &rule->managers[manager];
}

/* The index of the rule's entry of that place; NONE: out of memory. */
static uint32_t key_of(struct backtest *b, uint32_t rule, uint32_t node, const struct kp_place *place)
{
    uint32_t of[2] = {rule, node};
    struct kp_print print = kp_print_of(0, SPACE_KEYS, of, sizeof of);
    const uint32_t *known = kp_tab_find(b->index, print);
    struct backtest_key *key;

    if (known)
        return *known;
    if (!grow((void **)&b->keys, b->nkeys, &b->keys_room, sizeof *b->keys))
        return NONE;
    key = &b->keys[b->nkeys];
    *key = (struct backtest_key){.name = strdup(place->name), .rule = rule};
    if (!copy_path(&key->path, place->path, place->npath) || !key->name ||
        kp_tab_insert(b->index, print, (uint32_t)b->nkeys)) {
        free(key->path.parts);
        free(key->name);
        return NONE;
    }
    b->rules[rule].keys++;
    return (uint32_t)b->nkeys++;
}

/* ---- Lives ---- */

static struct kp_print print_of_life(const struct kp_alert *alert)
{
    return kp_print_of(0, SPACE_LIVES, &alert->id, sizeof alert->id);
}

static struct backtest_life *life_of(struct backtest *b, const struct kp_alert *alert)
{
    const uint32_t *known = kp_tab_find(b->index, print_of_life(alert));

    return known ? &b->lives[*known] : NULL;
}

/* A life that begins; NULL: out of memory. */
static struct backtest_life *begin_life(struct backtest *b, const struct kp_alert *alert, uint32_t key)
{
    uint32_t at;

    if (b->free_life == NONE) {
        if (!grow((void **)&b->lives, b->nlives, &b->lives_room, sizeof *b->lives))
            return NULL;
        b->lives[b->nlives] = (struct backtest_life){.key = NONE, .next_free = NONE};
        b->free_life = (uint32_t)b->nlives++;
    }
    at = b->free_life;
    if (kp_tab_insert(b->index, print_of_life(alert), at))
        return NULL;
    /* NOLINTNEXTLINE: a place is free only in a list that is there */
    b->free_life = b->lives[at].next_free;
    b->lives[at] = (struct backtest_life){.key = key, .fired_ms = alert->time_ms};
    return &b->lives[at];
}

static bool fires(struct backtest *b, uint32_t rule, struct kp_engine *engine, const struct kp_alert *alert)
{
    struct backtest_life *life = life_of(b, alert);
    struct backtest_daily *daily;
    struct kp_place place;
    uint32_t key;
    size_t manager;

    if (!life) {
        kp_engine_place(engine, alert->node, &place);
        pass_to(b, alert->time_ms);
        key = key_of(b, rule, alert->node, &place);
        manager = manager_of(b, &place);
        daily = manager == SIZE_MAX ? NULL : daily_of(&b->rules[rule], manager);
        life = key == NONE ? NULL : begin_life(b, alert, key);
        if (!life || !daily || !count_today(daily, b->day) || !count_today(&b->managers[manager].daily, b->day))
            return false;
        b->keys[key].alerts++;
    }
    life->critical |= alert->severity == KP_SEVERITY_CRITICAL;
    return true;
}

static bool add_length(struct backtest *b, struct backtest_rule *rule, int64_t length_ms)
{
    if (__builtin_add_overflow(rule->total_ms, length_ms, &rule->total_ms))
        rule->total_ms = INT64_MAX;
    if (length_ms > rule->longest_ms)
        rule->longest_ms = length_ms;
    if (rule->nexact == rule->room && rule->room < BACKTEST_EXACT) {
        size_t room = rule->room ? rule->room * 2 : 64;
        int64_t *grown = realloc(rule->exact, room * sizeof *grown);

        if (!grown)
            return false;
        rule->exact = grown;
        rule->room = room;
    }
    if (rule->nexact < rule->room)
        rule->exact[rule->nexact++] = length_ms;
    return kp_quant_add(&rule->lengths, b->slab, kp_quant_bin(length_ms * 1000)) == KP_OK;
}

static bool ends(struct backtest *b, struct backtest_life *life, int64_t t)
{
    struct backtest_rule *rule = &b->rules[b->keys[life->key].rule];

    if (life->critical)
        rule->critical++;
    else
        rule->warning++;
    life->key = NONE;
    life->next_free = b->free_life;
    b->free_life = (uint32_t)(life - b->lives);
    return add_length(b, rule, t - life->fired_ms);
}

static void count_reason(struct backtest_rule *rule, const char *reason)
{
    const char *name = reason ? reason : "back";        /* the number is back past the threshold */
    size_t i = 0;

    while (i < rule->nreasons && strcmp(rule->reasons[i].name, name) != 0)
        i++;
    if (i == BACKTEST_REASONS)
        return;
    if (i == rule->nreasons)
        rule->reasons[rule->nreasons++].name = name;
    rule->reasons[i].alerts++;
}

void backtest_alert(struct backtest *backtest, struct kp_engine *engine, const struct kp_alert *alert)
{
    struct backtest_life *life;
    uint32_t rule = 0;

    while (rule < backtest->nrules && backtest->rules[rule].cfg != alert->rule)
        rule++;
    if (alert->quiet || rule == backtest->nrules)
        return;
    if (alert->state == KP_ALERT_FIRING) {
        backtest->failed |= !fires(backtest, rule, engine, alert);
        return;
    }
    life = alert->state == KP_ALERT_RESOLVED ? life_of(backtest, alert) : NULL;
    if (life) {
        kp_tab_remove(backtest->index, print_of_life(alert));
        count_reason(&backtest->rules[rule], alert->reason);
        backtest->failed |= !ends(backtest, life, alert->time_ms);
    }
}

/* ---- The end ---- */

static int by_length(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void draw_median(struct backtest_rule *rule)
{
    if (backtest_alerts(rule) == 0)
        return;
    if (backtest_alerts(rule) > rule->nexact) {
        rule->median_ms = (int64_t)(kp_quant_value(rule->lengths, 0.5) * 1000);
        return;
    }
    qsort(rule->exact, rule->nexact, sizeof *rule->exact, by_length);
    rule->median_ms = rule->exact[(rule->nexact - 1) / 2];      /* nearest rank */
}

void backtest_end(struct backtest *b, int64_t t)
{
    backtest_passed(b, t);
    for (size_t i = 0; i < b->nlives; i++) {
        if (b->lives[i].key == NONE)
            continue;
        b->rules[b->keys[b->lives[i].key].rule].still_firing++;
        b->failed |= !ends(b, &b->lives[i], t);
    }
    for (size_t i = 0; i < b->nmanagers; i++)
        b->failed |= !close_day(&b->managers[i].daily);
    for (size_t i = 0; i < b->nrules; i++) {
        for (size_t k = 0; k < b->rules[i].nmanagers; k++)
            b->failed |= !close_day(&b->rules[i].managers[k]);
        draw_median(&b->rules[i]);
    }
}

/* ---- Figures ---- */

uint64_t backtest_alerts(const struct backtest_rule *rule)
{
    return rule->warning + rule->critical;
}

double backtest_mean(const struct backtest *backtest, const struct backtest_daily *daily)
{
    return backtest->days ? (double)daily->alerts / (double)backtest->days : 0;
}

uint64_t backtest_p90(const struct backtest *backtest, const struct backtest_daily *daily)
{
    uint64_t rank = (9 * backtest->days + 9) / 10, seen = backtest->days;
    size_t i = 0;

    for (i = 0; i < daily->count; i++)
        seen -= daily->days[i].days;    /* what is left had none */
    for (i = 0; i < daily->count && seen < rank; i++)
        seen += daily->days[i].days;
    return i ? daily->days[i - 1].alerts : 0;
}

const struct backtest_rule *backtest_find_rule(const struct backtest *backtest, const char *name)
{
    for (size_t i = 0; i < backtest->nrules; i++)
        if (strcmp(backtest->rules[i].cfg->name, name) == 0)
            return &backtest->rules[i];
    return NULL;
}

const struct backtest_daily *backtest_find_manager(const struct backtest *backtest, const struct backtest_path *path)
{
    const uint32_t *known = kp_tab_find(backtest->index, kp_print_of(0, SPACE_MANAGERS, path->parts, path->len));

    return known ? &backtest->managers[*known].daily : NULL;
}

struct ranked {
    size_t index;
    uint64_t alerts;
    const struct backtest_path *path;
};

static int by_alerts_and_path(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    size_t len = x->path->len < y->path->len ? x->path->len : y->path->len;
    int order;

    if (x->alerts != y->alerts)
        return x->alerts > y->alerts ? -1 : 1;
    order = memcmp(x->path->parts, y->path->parts, len);
    return order ? order : (x->path->len > y->path->len) - (x->path->len < y->path->len);
}

/* Sorts and frees list; returns its indices. */
static size_t *indices_of(struct ranked *list, size_t count)
{
    size_t *order = malloc((count + 1) * sizeof *order);

    if (!order) {
        free(list);
        return NULL;
    }
    if (count)
        qsort(list, count, sizeof *list, by_alerts_and_path);
    for (size_t i = 0; i < count; i++)
        order[i] = list[i].index;
    free(list);
    return order;
}

size_t *backtest_rank_keys(const struct backtest *backtest, const struct backtest_rule *rule, size_t *count)
{
    struct ranked *list = calloc(rule->keys + 1, sizeof *list);

    *count = 0;
    if (!list)
        return NULL;
    for (size_t i = 0; i < backtest->nkeys; i++)
        if (&backtest->rules[backtest->keys[i].rule] == rule)
            list[(*count)++] = (struct ranked){i, backtest->keys[i].alerts, &backtest->keys[i].path};
    return indices_of(list, *count);
}

size_t *backtest_rank_managers(const struct backtest *backtest, const struct backtest_rule *rule, size_t *count)
{
    struct ranked *list = calloc(backtest->nmanagers + 1, sizeof *list);

    *count = 0;
    if (!list)
        return NULL;
    for (size_t i = 0; i < backtest->nmanagers && (!rule || i < rule->nmanagers); i++) {
        uint64_t alerts = rule ? rule->managers[i].alerts : backtest->managers[i].daily.alerts;

        if (alerts)
            list[(*count)++] = (struct ranked){i, alerts, &backtest->managers[i].path};
    }
    return indices_of(list, *count);
}
