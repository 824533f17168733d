/* A backtest for people. */
#include "backtest.h"

#include "columns.h"

#include <stdlib.h>
#include <string.h>

enum { TOP = 5, MANAGERS_SHOWN = 20, NAME_LEAST = 12, NAME_MOST = 40, TEXT = 1024 };

const char *backtest_path_text(const struct backtest_path *path, char *buf, size_t size)
{
    const char *part = path->parts;
    size_t len = 0;

    snprintf(buf, size, "company");
    for (size_t i = 0; i < path->count && len < size; i++, part += strlen(part) + 1)
        len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? " / " : "", part);
    return buf;
}

/* "3d 4h", "2h 5m", "45m", "12s": the two largest units. */
static const char *length_text(int64_t ms, char buf[48])
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{KP_DAY_MS, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0, n = sizeof units / sizeof *units;
    int64_t rest;

    while (i < n - 1 && ms < units[i].ms)
        i++;
    rest = i < n - 1 ? ms % units[i].ms / units[i + 1].ms : 0;
    if (rest && i < n - 2)
        snprintf(buf, 48, "%lld%s %lld%s", (long long)(ms / units[i].ms), units[i].name, (long long)rest, units[i + 1].name);
    else if (ms)
        snprintf(buf, 48, "%lld%s", (long long)(ms / units[i].ms), units[i].name);
    else
        snprintf(buf, 48, "0");
    return buf;
}

static const char *day_text(int64_t day, char buf[32])
{
    int year, month, mday;

    kp_civil_of_day(day, &year, &month, &mday);
    snprintf(buf, 32, "%04d-%02d-%02d", year, month, mday);
    return buf;
}

static int wider(int width, const char *text)
{
    int len = (int)strnlen(text, NAME_MOST);

    return len > width ? len : width;
}

static int rules_width(const struct backtest *b)
{
    int width = NAME_LEAST;

    for (size_t i = 0; i < b->nrules; i++)
        width = wider(width, b->rules[i].cfg->name);
    return width;
}

static int levels_width(const struct backtest *b)
{
    int width = 5;

    for (size_t i = 0; i < b->nrules; i++)
        width = wider(width, b->rules[i].cfg->level);
    return width;
}

static int managers_width(const struct backtest *b)
{
    int width = NAME_LEAST;
    char text[TEXT];

    for (size_t i = 0; i < b->nmanagers; i++)
        width = wider(width, backtest_path_text(&b->managers[i].path, text, sizeof text));
    return width;
}

/* ---- A summary ---- */

static void print_rules(const struct backtest *b)
{
    int width = rules_width(b), level_width = levels_width(b);
    char name[TEXT], level[TEXT], total[48], median[48], longest[48];

    printf("%s %s %8s %8s %6s %10s %8s %8s %6s\n", columns_fit("rule", width, name, sizeof name),
           columns_fit("level", level_width, level, sizeof level), "alerts", "critical", "keys", "firing", "median", "longest",
           "at end");
    for (size_t i = 0; i < b->nrules; i++) {
        const struct backtest_rule *rule = &b->rules[i];

        printf("%s %s %8llu %8llu %6llu %10s %8s %8s %6llu\n", columns_fit(rule->cfg->name, width, name, sizeof name),
               columns_fit(rule->cfg->level, level_width, level, sizeof level), (unsigned long long)backtest_alerts(rule),
               (unsigned long long)rule->critical, (unsigned long long)rule->keys, length_text(rule->total_ms, total),
               length_text(rule->median_ms, median), length_text(rule->longest_ms, longest),
               (unsigned long long)rule->still_firing);
    }
}

/* rule NULL: all of them. */
static bool print_managers(const struct backtest *b, const struct backtest_rule *rule)
{
    int width = managers_width(b);
    size_t count;
    size_t *order = backtest_rank_managers(b, rule, &count);
    char name[TEXT], path[TEXT], day[32];

    if (!order)
        return false;
    printf("  %s %8s %7s %5s %6s\n", columns_fit("manager of", width, name, sizeof name), "alerts", "a day", "p90", "worst");
    for (size_t i = 0; i < count && i < MANAGERS_SHOWN; i++) {
        const struct backtest_manager *manager = &b->managers[order[i]];
        const struct backtest_daily *daily = rule ? &rule->managers[order[i]] : &manager->daily;

        backtest_path_text(&manager->path, path, sizeof path);
        printf("  %s %8llu %7.2f %5llu %6llu on %s\n", columns_fit(path, width, name, sizeof name),
               (unsigned long long)daily->alerts, backtest_mean(b, daily), (unsigned long long)backtest_p90(b, daily),
               (unsigned long long)daily->worst, day_text(daily->worst_day, day));
    }
    if (count > MANAGERS_SHOWN)
        printf("  and %zu more\n", count - MANAGERS_SHOWN);
    free(order);
    return true;
}

static bool print_rule(const struct backtest *b, const struct backtest_rule *rule)
{
    size_t count;
    size_t *order = backtest_rank_keys(b, rule, &count);
    char path[TEXT];

    if (!order)
        return false;
    printf("\n%s\n  ended: ", rule->cfg->name);
    for (size_t i = 0; i < rule->nreasons; i++)
        printf("%s%s %llu", i ? ", " : "", rule->reasons[i].name, (unsigned long long)rule->reasons[i].alerts);
    if (rule->still_firing)
        printf("%sstill firing %llu", rule->nreasons ? ", " : "", (unsigned long long)rule->still_firing);
    printf("\n  most:  ");
    for (size_t i = 0; i < count && i < TOP; i++)
        printf("%s%s %llu", i ? ", " : "", backtest_path_text(&b->keys[order[i]].path, path, sizeof path),
               (unsigned long long)b->keys[order[i]].alerts);
    printf(count > TOP ? ", and %zu more\n" : "\n", count - TOP);
    free(order);
    return print_managers(b, rule);
}

bool backtest_print(const struct backtest *backtest, uint64_t events)
{
    char from[32], to[32];
    uint64_t alerts = 0;

    if (backtest->from_ms == INT64_MIN) {
        puts("no event, no day, no alert");
        return true;
    }
    printf("%llu events on %llu days, %s to %s (%s)\n\n", (unsigned long long)events, (unsigned long long)backtest->days,
           day_text(kp_zone_day(backtest->zone, backtest->from_ms), from),
           day_text(kp_zone_day(backtest->zone, backtest->to_ms), to), backtest->zone_name);
    print_rules(backtest);
    for (size_t i = 0; i < backtest->nrules; i++) {
        alerts += backtest_alerts(&backtest->rules[i]);
        if (backtest_alerts(&backtest->rules[i]) && !print_rule(backtest, &backtest->rules[i]))
            return false;
    }
    if (!alerts)
        return true;
    puts("\nall rules");
    return print_managers(backtest, NULL);
}

/* ---- A difference ---- */

static void print_rule_difference(const char *name, int width, const struct backtest_rule *before,
                                  const struct backtest_rule *after)
{
    static const struct backtest_rule none;
    const struct backtest_rule *a = before ? before : &none, *b = after ? after : &none;
    char text[TEXT], old[48], new[48];

    printf("%s %8llu %8llu %+8lld %8llu %8llu %6llu %6llu %10s %10s%s\n", columns_fit(name, width, text, sizeof text),
           (unsigned long long)backtest_alerts(a), (unsigned long long)backtest_alerts(b),
           (long long)backtest_alerts(b) - (long long)backtest_alerts(a), (unsigned long long)a->critical,
           (unsigned long long)b->critical, (unsigned long long)a->keys, (unsigned long long)b->keys,
           length_text(a->total_ms, old), length_text(b->total_ms, new), !before ? "  new" : !after ? "  gone" : "");
}

static void print_manager_difference(const struct backtest *before, const struct backtest *after,
                                     const struct backtest_path *path, int width)
{
    static const struct backtest_daily none;
    const struct backtest_daily *a = backtest_find_manager(before, path), *b = backtest_find_manager(after, path);
    char name[TEXT], text[TEXT];

    a = a ? a : &none;
    b = b ? b : &none;
    backtest_path_text(path, text, sizeof text);
    printf("%s %8.2f %8.2f %+8.2f %8llu %8llu %6llu %6llu\n", columns_fit(text, width, name, sizeof name),
           backtest_mean(before, a), backtest_mean(after, b), backtest_mean(after, b) - backtest_mean(before, a),
           (unsigned long long)backtest_p90(before, a), (unsigned long long)backtest_p90(after, b), (unsigned long long)a->worst,
           (unsigned long long)b->worst);
}

static bool print_managers_difference(const struct backtest *before, const struct backtest *after)
{
    int width = managers_width(before), other = managers_width(after);
    size_t nold, nnew;
    size_t *old = backtest_rank_managers(before, NULL, &nold), *new = backtest_rank_managers(after, NULL, &nnew);
    char name[TEXT];

    width = width > other ? width : other;
    if (old && new) {
        printf("\n%s %26s %17s %13s\n", columns_fit("manager of", width, name, sizeof name), "alerts a day", "p90", "worst");
        for (size_t i = 0; i < nold && i < MANAGERS_SHOWN; i++)
            print_manager_difference(before, after, &before->managers[old[i]].path, width);
        for (size_t i = 0, shown = 0; i < nnew && shown < MANAGERS_SHOWN; i++)
            if (!backtest_find_manager(before, &after->managers[new[i]].path)) {
                print_manager_difference(before, after, &after->managers[new[i]].path, width);
                shown++;
            }
    }
    free(old);
    free(new);
    return old && new;
}

bool backtest_print_difference(const struct backtest *before, const struct backtest *after)
{
    int width = rules_width(before), other = rules_width(after);
    char name[TEXT];

    width = width > other ? width : other;
    printf("%s %26s %17s %13s %21s\n", columns_fit("rule", width, name, sizeof name), "alerts", "critical", "keys", "firing");
    for (size_t i = 0; i < before->nrules; i++)
        print_rule_difference(before->rules[i].cfg->name, width, &before->rules[i],
                              backtest_find_rule(after, before->rules[i].cfg->name));
    for (size_t i = 0; i < after->nrules; i++)
        if (!backtest_find_rule(before, after->rules[i].cfg->name))
            print_rule_difference(after->rules[i].cfg->name, width, NULL, &after->rules[i]);
    return print_managers_difference(before, after);
}
