/* /metrics, in Prometheus' text format: kpid's own counters as its op `status` names them, the KPIs that are configured, and ours. */
#include "gateway_inside.h"

#include "object.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 200 };

static void put_number(struct text *text, double value)
{
    if (isnan(value))
        text_add(text, " NaN\n");
    else
        text_addf(text, " %.17g\n", value);
}

/* Within the quotes of a label's value. */
static void put_label(struct text *text, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '\\' || s[i] == '"')
            text_put(text, "\\", 1);
        if (s[i] == '\n')
            text_add(text, "\\n");
        else
            text_put(text, s + i, 1);
    }
}

static bool ends_with(const char *name, size_t len, const char *end)
{
    size_t n = strlen(end);

    return len > n && memcmp(name + len - n, end, n) == 0;
}

/* The family of a sample's name, and what kind it is. */
static const char *kind_of(const char *name, size_t *len)
{
    *len = strcspn(name, "{");
    if (ends_with(name, *len, "_bucket") || ends_with(name, *len, "_seconds_sum") || ends_with(name, *len, "_seconds_count")) {
        while (name[*len - 1] != '_')
            --*len;
        --*len;
        return "histogram";
    }
    return ends_with(name, *len, "_total") ? "counter" : "gauge";
}

/* "kpid_events_accepted_total" reads "events accepted"; the reference says more. */
static void put_help(struct text *text, const char *name, size_t len)
{
    size_t begin = strncmp(name, "kpid_", 5) == 0 ? 5 : 0, end = ends_with(name, len, "_total") ? len - 6 : len;

    text_add(text, "# HELP ");
    text_put(text, name, len);
    text_add(text, " kpid: ");
    for (size_t i = begin; i < end; i++)
        text_put(text, name[i] == '_' ? " " : name + i, 1);
    text_add(text, "\n");
}

static void put_family(struct text *text, const char *name, size_t len, const char *kind)
{
    put_help(text, name, len);
    text_add(text, "# TYPE ");
    text_put(text, name, len);
    text_addf(text, " %s\n", kind);
}

/* Names as they may stand in this format, with their labels; what kpid tells otherwise is left out. */
static bool is_sample(const char *name)
{
    return name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:")] == '\0' ||
           (strchr(name, '{') && name[strlen(name) - 1] == '}' && !strchr(name, '\n'));
}

static void put_own(struct text *text, const msgpack_object *metrics)
{
    char family[NAME_MAX_BYTES] = "", name[NAME_MAX_BYTES];

    for (uint32_t i = 0; metrics && metrics->type == MSGPACK_OBJECT_MAP && i < metrics->via.map.size; i++) {
        const char *kind;
        double value;
        size_t len;

        object_text(&metrics->via.map.ptr[i].key, name, sizeof name);
        if (!is_sample(name) || !object_number(&metrics->via.map.ptr[i].val, &value))
            continue;
        kind = kind_of(name, &len);
        if (strlen(family) != len || memcmp(family, name, len) != 0) {
            put_family(text, name, len, kind);
            memcpy(family, name, len);
            family[len] = '\0';
        }
        text_add(text, name);
        put_number(text, value);
    }
}

static void put_ours(struct text *text, const struct gateway *gateway, uint64_t left_out)
{
    struct upstream_stats up;
    struct state_stats state;

    upstream_stats(gateway->upstream, &up);
    state_stats(gateway->state, &state);
    {
        const struct {
            const char *name, *kind, *help;
            uint64_t value;
        } ours[] = {
            {"kpi_gateway_up", "gauge", "Whether kpid answers.", upstream_is_up(gateway->upstream)},
            {"kpi_gateway_connections", "gauge", "Connections of HTTP.", gateway->stats.browsers},
            {"kpi_gateway_streams", "gauge", "Browsers that follow changes.", gateway->stats.streams},
            {"kpi_gateway_streams_total", "counter", "Streams that were begun.", gateway->stats.streams_total},
            {"kpi_gateway_requests_total", "counter", "Requests of HTTP.", gateway->stats.requests},
            {"kpi_gateway_denied_total", "counter", "Requests of nobody, or of who may not.", gateway->stats.denied},
            {"kpi_gateway_limited_total", "counter", "Requests beyond limits.requests and limits.streams.", gateway->stats.limited},
            {"kpi_gateway_messages_total", "counter", "Messages that kpid published.", up.messages},
            {"kpi_gateway_malformed_total", "counter", "Messages that were not understood.", up.malformed},
            {"kpi_gateway_gaps_total", "counter", "Gaps in what kpid published.", up.gaps},
            {"kpi_gateway_listings_total", "counter", "Times that all was asked for.", up.syncs},
            {"kpi_gateway_questions_total", "counter", "Questions to kpid.", up.questions},
            {"kpi_gateway_unanswered_total", "counter", "Questions without an answer.", up.unanswered},
            {"kpi_gateway_keys", "gauge", "Keys that are known.", state.keys},
            {"kpi_gateway_alerts", "gauge", "Alerts that are pending or firing.", state.alerts},
            {"kpi_gateway_left_out_total", "counter", "Keys and alerts beyond the limits.", state.left_out},
            {"kpi_gateway_series_left_out", "gauge", "KPIs beyond metrics.series.", left_out},
        };

        for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
            text_addf(text, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", ours[i].name, ours[i].help, ours[i].name, ours[i].kind, ours[i].name,
                      (unsigned long long)ours[i].value);
    }
}

/* ---- KPIs ---- */

static bool is_in(const struct gateway_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], name) == 0)
            return true;
    return false;
}

struct series {
    struct text *text;
    const struct gateway *gateway;
    uint64_t left, left_out;
};

static void put_sample(struct series *series, const char *name, const struct state_key *key, const struct state_cell *cell, double value)
{
    const struct state *state = series->gateway->state;
    const char *kpi = state_name_text(state, cell->kpi), *window = state_name_text(state, cell->window);

    if (isnan(value))
        return;
    if (series->left == 0) {
        series->left_out++;
        return;
    }
    series->left--;
    text_addf(series->text, "%s{kpi=\"", name);
    put_label(series->text, kpi, strlen(kpi));
    text_add(series->text, "\",window=\"");
    put_label(series->text, window, strlen(window));
    text_add(series->text, "\",level=\"");
    put_label(series->text, state_name_text(state, key->level), strlen(state_name_text(state, key->level)));
    text_add(series->text, "\",path=\"");
    put_label(series->text, key->path, key->path_len);
    text_add(series->text, "\"}");
    put_number(series->text, value);
}

/* Samples of a family stand together: so once through all keys for each. */
static void put_kpis(struct series *series, const char *name, const char *help, size_t at)
{
    const struct gateway_config *config = &series->gateway->setup->config;
    const struct state *state = series->gateway->state;

    text_addf(series->text, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
    for (const struct state_key *key = state_last_key(state); key; key = state_older_key(state, key)) {
        if (key->gone || !is_in(&config->metrics.levels, state_name_text(state, key->level)))
            continue;
        for (uint32_t i = 0; i < key->ncells; i++) {
            const struct state_cell *cell = &key->cells[i];
            double value;

            memcpy(&value, (const char *)cell + at, sizeof value);
            if (is_in(&config->metrics.windows, state_name_text(state, cell->window)) &&
                (!config->metrics.kpis.count || is_in(&config->metrics.kpis, state_name_text(state, cell->kpi))))
                put_sample(series, name, key, cell, value);
        }
    }
}

void scrape(struct request *request)
{
    struct gateway *gateway = request->gateway;
    const msgpack_object *status = upstream_status(gateway->upstream);
    struct text text = {0};
    struct series series = {&text, gateway, request->setup->config.metrics.series, 0};

    if (status && upstream_is_up(gateway->upstream))
        put_own(&text, object_get(status, "metrics"));
    if (request->setup->config.metrics.is_on && upstream_is_up(gateway->upstream)) {
        put_kpis(&series, "kpid_kpi_value", "What the KPI is in the window.", offsetof(struct state_cell, value));
        put_kpis(&series, "kpid_kpi_target", "Its target.", offsetof(struct state_cell, target));
        put_kpis(&series, "kpid_kpi_expected", "What is expected of it by now.", offsetof(struct state_cell, expected));
    }
    put_ours(&text, gateway, series.left_out);
    request_answer(request, MHD_HTTP_OK, &text, "text/plain; version=0.0.4; charset=utf-8");
}
