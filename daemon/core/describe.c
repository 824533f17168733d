#include "describe.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct text {
    char *buf;
    size_t at, size;
};

static void KP_PRINTF(2, 3) put(struct text *text, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(text->buf + text->at, text->size - text->at, fmt, args);
    va_end(args);
    if (n > 0)
        text->at = (size_t)n < text->size - text->at ? text->at + (size_t)n : text->size - 1;
}

/* ---- where ---- */

/* Does a string stand in YAML without quotation marks? */
static bool is_plain(const char *s, size_t len)
{
    static const char *const words[] = {"true", "false", "null"};

    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)s[i]) && s[i] != '_' && (i == 0 || (s[i] != '-' && s[i] != '.')))
            return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == len && memcmp(words[i], s, len) == 0)
            return false;
    return len > 0 && !isdigit((unsigned char)s[0]);
}

static void put_value(struct text *text, const struct kp_value *v)
{
    switch (v->kind) {
    case KP_STR:
        put(text, is_plain(v->s, v->len) ? "%.*s" : "\"%.*s\"", (int)v->len, v->s);
        break;
    case KP_BOOL:
        put(text, v->b ? "true" : "false");
        break;
    case KP_INT:
        put(text, "%lld", (long long)v->i);
        break;
    case KP_REAL:
        put(text, "%.15g", v->f);
        break;
    default:
        put(text, "null");
    }
}

static void put_pred(struct text *text, const struct kp_pred *pred)
{
    static const char *const operators[] = {"", "ne", "gt", "gte", "lt", "lte", "", "not_in", "exists", "prefix"};
    const char *op = operators[pred->cmp];
    bool list = pred->cmp == KP_CMP_IN || pred->cmp == KP_CMP_NOT_IN;

    put(text, "%s: ", pred->field);
    if (*op)
        put(text, "{%s: ", op);
    if (list)
        put(text, "[");
    for (size_t i = 0; i < pred->nargs; i++) {
        put(text, i ? ", " : "");
        put_value(text, &pred->args[i]);
    }
    put(text, "%s%s", list ? "]" : "", *op ? "}" : "");
}

static void put_where(struct text *text, const struct kp_where *where)
{
    if (where->count == 0)
        put(text, "any event");
    for (size_t i = 0; i < where->count; i++) {
        put(text, i ? " or {" : "{");
        for (size_t k = 0; k < where->any[i].count; k++) {
            put(text, k ? ", " : "");
            put_pred(text, &where->any[i].preds[k]);
        }
        put(text, "}");
    }
}

/* ---- of ---- */

static void put_aggregate(struct text *text, const struct kp_kpi_cfg *kpi)
{
    static const char *const names[] = {"number", "sum", "mean", "minimum", "maximum", "standard deviation", "number of different"};

    if (kpi->agg == KP_AGG_QUANTILE)
        put(text, kpi->quantile == 0.5 ? "median of " : "p%.10g of ", kpi->quantile * 100);
    else if (kpi->agg == KP_AGG_LAST)
        put(text, "latest ");
    else
        put(text, kpi->agg == KP_AGG_DISTINCT ? "%s " : "%s of ", names[kpi->agg]);
}

static void put_duration(struct text *text, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;

    while (ms % units[i].ms)
        i++;
    put(text, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
}

static void put_repeat(struct text *text, const struct kp_of_cfg *of)
{
    put(text, "events of the same %s from number %llu on", of->per, (unsigned long long)of->nth);
    if (of->within_ms) {
        put(text, " within ");
        put_duration(text, of->within_ms);
    }
}

static void put_cohort(struct text *text, const struct kp_of_cfg *of)
{
    put(text, "each %s with ", of->per);
    put_where(text, &of->from);
    put(text, ": 1 if ");
    put_where(text, &of->to);
    put(text, " came within ");
    put_duration(text, of->within_ms);
    put(text, ", 0 if not");
}

static void put_open(struct text *text, const struct kp_of_cfg *of)
{
    if (of->field)
        put(text, "the latest %s of each %s that is open now: opened by ", of->field, of->per);
    else
        put(text, "values of %s that are open now: opened by ", of->per);
    put_where(text, &of->opened);
    put(text, ", closed by ");
    put_where(text, &of->closed);
}

static void put_funnel(struct text *text, const struct kp_config *config, const struct kp_of_cfg *of)
{
    static const char *const parts[][2] = {
        [KP_FUNNEL_ENTERED] = {"number of values of", "that reached it for the first time"},
        [KP_FUNNEL_CONVERTED] = {"share of the values of", "that went on from it to a later one"},
        [KP_FUNNEL_MEDIAN_TIME] = {"median of the seconds of each", "in it"},
        [KP_FUNNEL_OPEN] = {"number of values of", "that stand in it now"},
        [KP_FUNNEL_SKIPPED] = {"number of values of", "that skipped it"},
    };
    const struct kp_funnel_cfg *funnel = &config->funnels[of->funnel];

    put(text, "stage %s: %s %s %s, by ", funnel->stages[of->step], parts[of->part][0], of->per, parts[of->part][1]);
    put_where(text, &funnel->where);
}

static void put_of(struct text *text, const struct kp_config *config, const struct kp_kpi_cfg *kpi)
{
    const struct kp_of_cfg *of = &kpi->of_more;

    switch (of->kind) {
    case KP_OF_EVENT:
        put(text, kpi->agg == KP_AGG_COUNT ? (kpi->of ? "events with %s" : "events%s") : "%s", kpi->of ? kpi->of : "");
        break;
    case KP_OF_ELAPSED:
        put(text, "the seconds from ");
        put_where(text, &of->from);
        put(text, " to ");
        put_where(text, &of->to);
        put(text, " of each %s", of->per);
        break;
    case KP_OF_REPEAT:
        put_repeat(text, of);
        break;
    case KP_OF_COHORT:
        put_cohort(text, of);
        break;
    case KP_OF_OPEN:
        put_open(text, of);
        break;
    case KP_OF_FUNNEL:
        put_funnel(text, config, of);
        break;
    }
}

void kp_describe_kpi(const struct kp_config *config, const struct kp_kpi_cfg *kpi, char *buf, size_t size)
{
    struct text text = {buf, 0, size};

    buf[0] = '\0';
    if (kpi->agg == KP_AGG_FORMULA) {
        put(&text, "%s", kpi->formula);
        return;
    }
    if (kpi->of_more.kind != KP_OF_FUNNEL)
        put_aggregate(&text, kpi);
    put_of(&text, config, kpi);
    if (kpi->where.count) {
        put(&text, ", where ");
        put_where(&text, &kpi->where);
    }
    if (kpi->once.per)
        put(&text, ", each %s once", kpi->once.per);
    if (kpi->once.reversible) {
        put(&text, ", taken back by ");
        put_where(&text, &kpi->once.reversed_by);
    }
}
