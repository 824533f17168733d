/* A backtest for programs. */
#include "backtest.h"

#include <stdlib.h>
#include <string.h>

enum { TOP = 20 };

static void put_count(struct kp_out *out, const char *key, uint64_t v)
{
    kp_out_text(out, key);
    kp_out_uint(out, v);
}

static void put_int(struct kp_out *out, const char *key, int64_t v)
{
    kp_out_text(out, key);
    kp_out_int(out, v);
}

static void put_text(struct kp_out *out, const char *key, const char *v)
{
    kp_out_text(out, key);
    kp_out_text(out, v);
}

static void put_path(struct kp_out *out, const struct backtest_path *path)
{
    const char *part = path->parts;

    kp_out_text(out, "path");
    kp_out_array(out, path->count);
    for (size_t i = 0; i < path->count; i++, part += strlen(part) + 1)
        kp_out_text(out, part);
    kp_out_end(out);
}

/* ---- A summary ---- */

static void put_daily(struct kp_out *out, const struct backtest *b, const struct backtest_path *path,
                      const struct backtest_daily *daily)
{
    int year, month, mday;
    char day[32];

    kp_civil_of_day(daily->worst_day, &year, &month, &mday);
    snprintf(day, sizeof day, "%04d-%02d-%02d", year, month, mday);
    kp_out_map(out, 6);
    put_path(out, path);
    put_count(out, "alerts", daily->alerts);
    kp_out_text(out, "mean");
    kp_out_real(out, backtest_mean(b, daily));
    put_count(out, "p90", backtest_p90(b, daily));
    put_count(out, "worst", daily->worst);
    put_text(out, "worst_day", day);
    kp_out_end(out);
}

/* rule NULL: all of them. */
static bool put_managers(struct kp_out *out, const struct backtest *b, const struct backtest_rule *rule)
{
    size_t count;
    size_t *order = backtest_rank_managers(b, rule, &count);

    if (!order)
        return false;
    kp_out_text(out, "managers");
    kp_out_array(out, count);
    for (size_t i = 0; i < count; i++)
        put_daily(out, b, &b->managers[order[i]].path, rule ? &rule->managers[order[i]] : &b->managers[order[i]].daily);
    kp_out_end(out);
    free(order);
    return true;
}

static bool put_top(struct kp_out *out, const struct backtest *b, const struct backtest_rule *rule)
{
    size_t count;
    size_t *order = backtest_rank_keys(b, rule, &count);

    if (!order)
        return false;
    kp_out_text(out, "top");
    kp_out_array(out, count < TOP ? count : TOP);
    for (size_t i = 0; i < count && i < TOP; i++) {
        const struct backtest_key *key = &b->keys[order[i]];

        kp_out_map(out, 3);
        put_path(out, &key->path);
        put_text(out, "name", key->name);
        put_count(out, "alerts", key->alerts);
        kp_out_end(out);
    }
    kp_out_end(out);
    free(order);
    return true;
}

static bool put_rule(struct kp_out *out, const struct backtest *b, const struct backtest_rule *rule)
{
    bool ok;

    kp_out_map(out, 15);
    put_text(out, "rule", rule->cfg->name);
    put_text(out, "kpi", rule->cfg->kpi);
    put_text(out, "window", rule->cfg->window.text);
    put_text(out, "level", rule->cfg->level);
    put_count(out, "alerts", backtest_alerts(rule));
    put_count(out, "warning", rule->warning);
    put_count(out, "critical", rule->critical);
    put_count(out, "keys", rule->keys);
    put_int(out, "total_ms", rule->total_ms);
    put_int(out, "median_ms", rule->median_ms);
    put_int(out, "longest_ms", rule->longest_ms);
    kp_out_text(out, "resolved");
    kp_out_map(out, rule->nreasons);
    for (size_t i = 0; i < rule->nreasons; i++)
        put_count(out, rule->reasons[i].name, rule->reasons[i].alerts);
    kp_out_end(out);
    put_count(out, "still_firing", rule->still_firing);
    ok = put_top(out, b, rule) && put_managers(out, b, rule);
    kp_out_end(out);
    return ok;
}

static void put_instant(struct kp_out *out, const char *key, int64_t ms)
{
    kp_out_text(out, key);
    if (ms == INT64_MIN)
        kp_out_nil(out);
    else
        kp_out_int(out, ms);
}

bool backtest_put(struct kp_out *out, const struct backtest *backtest, uint64_t events)
{
    bool ok = true;

    kp_out_map(out, 9);
    put_int(out, "v", 1);
    put_text(out, "kind", "backtest");
    put_text(out, "zone", backtest->zone_name);
    put_instant(out, "from", backtest->from_ms);
    put_instant(out, "to", backtest->to_ms);
    put_count(out, "days", backtest->days);
    put_count(out, "events", events);
    kp_out_text(out, "rules");
    kp_out_array(out, backtest->nrules);
    for (size_t i = 0; ok && i < backtest->nrules; i++)
        ok = put_rule(out, backtest, &backtest->rules[i]);
    if (!ok)
        return false;
    kp_out_end(out);
    ok = put_managers(out, backtest, NULL);
    kp_out_end(out);
    return ok;
}

/* ---- A difference ---- */

static void put_rule_difference(struct kp_out *out, const char *name, const struct backtest_rule *before,
                                const struct backtest_rule *after)
{
    static const struct backtest_rule none;
    const struct backtest_rule *a = before ? before : &none, *b = after ? after : &none;

    kp_out_map(out, 6);
    put_text(out, "rule", name);
    put_int(out, "alerts", (int64_t)backtest_alerts(b) - (int64_t)backtest_alerts(a));
    put_int(out, "warning", (int64_t)b->warning - (int64_t)a->warning);
    put_int(out, "critical", (int64_t)b->critical - (int64_t)a->critical);
    put_int(out, "keys", (int64_t)b->keys - (int64_t)a->keys);
    put_int(out, "total_ms", b->total_ms - a->total_ms);
    kp_out_end(out);
}

static void put_manager_difference(struct kp_out *out, const struct backtest *before, const struct backtest *after,
                                   const struct backtest_path *path)
{
    static const struct backtest_daily none;
    const struct backtest_daily *a = backtest_find_manager(before, path), *b = backtest_find_manager(after, path);

    a = a ? a : &none;
    b = b ? b : &none;
    kp_out_map(out, 5);
    put_path(out, path);
    put_int(out, "alerts", (int64_t)b->alerts - (int64_t)a->alerts);
    kp_out_text(out, "mean");
    kp_out_real(out, backtest_mean(after, b) - backtest_mean(before, a));
    put_int(out, "p90", (int64_t)backtest_p90(after, b) - (int64_t)backtest_p90(before, a));
    put_int(out, "worst", (int64_t)b->worst - (int64_t)a->worst);
    kp_out_end(out);
}

static void put_rules_difference(struct kp_out *out, const struct backtest *before, const struct backtest *after)
{
    size_t more = 0;

    for (size_t i = 0; i < after->nrules; i++)
        more += backtest_find_rule(before, after->rules[i].cfg->name) == NULL;
    kp_out_text(out, "rules");
    kp_out_array(out, before->nrules + more);
    for (size_t i = 0; i < before->nrules; i++)
        put_rule_difference(out, before->rules[i].cfg->name, &before->rules[i],
                            backtest_find_rule(after, before->rules[i].cfg->name));
    for (size_t i = 0; i < after->nrules; i++)
        if (!backtest_find_rule(before, after->rules[i].cfg->name))
            put_rule_difference(out, after->rules[i].cfg->name, NULL, &after->rules[i]);
    kp_out_end(out);
}

bool backtest_put_difference(struct kp_out *out, const struct backtest *before, const struct backtest *after)
{
    size_t nold, nnew, more = 0;
    size_t *old = backtest_rank_managers(before, NULL, &nold), *new = backtest_rank_managers(after, NULL, &nnew);

    kp_out_map(out, 2);
    put_rules_difference(out, before, after);
    if (old && new) {
        for (size_t i = 0; i < nnew; i++)
            more += backtest_find_manager(before, &after->managers[new[i]].path) == NULL;
        kp_out_text(out, "managers");
        kp_out_array(out, nold + more);
        for (size_t i = 0; i < nold; i++)
            put_manager_difference(out, before, after, &before->managers[old[i]].path);
        for (size_t i = 0; i < nnew; i++)
            if (!backtest_find_manager(before, &after->managers[new[i]].path))
                put_manager_difference(out, before, after, &after->managers[new[i]].path);
        kp_out_end(out);
    }
    kp_out_end(out);
    free(old);
    free(new);
    return old && new;
}
