#include "kpid/encode.h"

#include "describe.h"
#include "encode_inside.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SEQ_WITHIN = 64 };   /* bytes from the beginning of a message */

void kp_encode_place(struct kp_out *out, struct kp_engine *engine, uint32_t node)
{
    struct kp_place place;

    kp_engine_place(engine, node, &place);
    kp_out_text(out, "level");
    kp_out_text(out, kp_engine_level_name(engine, place.level));
    kp_out_text(out, "key");
    kp_out_str(out, place.key.s, place.key.len);
    kp_out_text(out, "name");
    kp_out_text(out, place.name);
    kp_out_text(out, "path");
    kp_out_array(out, place.npath);
    for (size_t i = 0; i < place.npath; i++)
        kp_out_str(out, place.path[i].s, place.path[i].len);
    kp_out_end(out);
}

void kp_encode_head(struct kp_out *out, const char *kind, uint64_t seq)
{
    kp_out_text(out, "v");
    kp_out_int(out, 1);
    kp_out_text(out, "kind");
    kp_out_text(out, kind);
    kp_out_text(out, "seq");
    kp_out_uint(out, seq);
}

/* ---- Snapshots ---- */

static bool among(const struct kp_str *list, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(text) == list[i].len && memcmp(text, list[i].s, list[i].len) == 0)
            return true;
    return list == NULL;
}

static bool is_wanted(const struct kp_wanted *wanted, const struct kp_cell_view *cell)
{
    return !wanted || (among(wanted->kpis, wanted->nkpis, cell->kpi->name) &&
                       among(wanted->windows, wanted->nwindows, cell->window->text));
}

/* The value and its rank alone. */
static void put_rank(struct kp_out *out, const struct kp_cell_view *cell)
{
    kp_out_map(out, 1u + 2u * (cell->rank > 0));
    kp_out_text(out, "value");
    kp_out_real(out, cell->number.has ? cell->number.value : (double)NAN);
    if (cell->rank > 0) {
        kp_out_text(out, "rank");
        kp_out_uint(out, cell->rank);
        kp_out_text(out, "of");
        kp_out_uint(out, cell->of);
    }
    kp_out_end(out);
}

static void put_numbers(struct kp_out *out, const struct kp_cell_view *cell)
{
    static const char *const statuses[] = {NULL, "ok", "warning", "critical", "no_data"};
    bool has_target = !isnan(cell->target);

    kp_out_map(out, 2u + 3u * has_target + 2u * (cell->rank > 0) + (cell->of > 1) + (cell->status != KP_STATUS_NONE));
    kp_out_text(out, "value");
    kp_out_real(out, cell->number.has ? cell->number.value : (double)NAN);
    kp_out_text(out, "n");
    kp_out_int(out, cell->number.n);
    if (has_target) {
        kp_out_text(out, "target");
        kp_out_real(out, cell->target);
        kp_out_text(out, "expected");
        kp_out_real(out, cell->expected);
        kp_out_text(out, "attainment");
        kp_out_real(out, cell->number.has && cell->target > 0 ? cell->number.value / cell->target : (double)NAN);
    }
    if (cell->rank > 0) {
        kp_out_text(out, "rank");
        kp_out_uint(out, cell->rank);
        kp_out_text(out, "of");
        kp_out_uint(out, cell->of);
    }
    if (cell->of > 1) {
        kp_out_text(out, "percentile");     /* of the others, how many are not better */
        kp_out_real(out, 100.0 * (cell->of - cell->rank) / (cell->of - 1));
    }
    if (cell->status != KP_STATUS_NONE) {
        kp_out_text(out, "status");
        kp_out_text(out, statuses[cell->status]);
    }
    kp_out_end(out);
}

/* Cells from `first` on that are of the same KPI and wanted; *next is the first of another KPI. */
static size_t count_wanted(const struct kp_cell_view *cells, size_t n, size_t first, const struct kp_wanted *wanted,
                           size_t *next)
{
    size_t count = 0, i = first;

    for (; i < n && cells[i].kpi == cells[first].kpi; i++)
        count += is_wanted(wanted, &cells[i]);
    *next = i;
    return count;
}

static void put_kpis(struct kp_out *out, const struct kp_cell_view *cells, size_t n, const struct kp_wanted *wanted,
                     void (*put)(struct kp_out *out, const struct kp_cell_view *cell))
{
    size_t kpis = 0, next;

    for (size_t i = 0; i < n; i = next)
        kpis += count_wanted(cells, n, i, wanted, &next) > 0;
    kp_out_text(out, "kpis");
    kp_out_map(out, kpis);
    for (size_t i = 0; i < n; i = next) {
        size_t windows = count_wanted(cells, n, i, wanted, &next);

        if (windows == 0)
            continue;
        kp_out_text(out, cells[i].kpi->name);
        kp_out_map(out, windows);
        for (size_t k = i; k < next; k++)
            if (is_wanted(wanted, &cells[k])) {
                kp_out_text(out, cells[k].window->text);
                put(out, &cells[k]);
            }
        kp_out_end(out);
    }
    kp_out_end(out);
}

void kp_encode_snapshot(struct kp_out *out, struct kp_engine *engine, uint32_t node, uint64_t seq, bool full,
                        uint32_t pass, const struct kp_wanted *wanted)
{
    const struct kp_cell_view *cells;
    size_t n = kp_engine_read(engine, node, pass, &cells);

    kp_out_map(out, 10);
    kp_encode_head(out, "snapshot", seq);
    kp_out_text(out, "full");
    kp_out_bool(out, full);
    kp_out_text(out, "time");
    kp_out_int(out, kp_engine_now(engine) < 0 ? 0 : kp_engine_now(engine));
    kp_encode_place(out, engine, node);
    put_kpis(out, cells, n, wanted, put_numbers);
    kp_out_end(out);
}

void kp_encode_peer(struct kp_out *out, struct kp_engine *engine, uint32_t node, uint64_t seq, uint32_t pass,
                    const struct kp_wanted *wanted)
{
    const struct kp_cell_view *cells;
    size_t n = kp_engine_read(engine, node, pass, &cells);
    struct kp_place place;

    kp_engine_place(engine, node, &place);
    kp_out_map(out, 8);
    kp_encode_head(out, "peer", seq);
    kp_out_text(out, "level");
    kp_out_text(out, kp_engine_level_name(engine, place.level));
    kp_out_text(out, "key");
    kp_out_nil(out);
    kp_out_text(out, "name");
    kp_out_nil(out);
    kp_out_text(out, "path");
    kp_out_array(out, place.npath - 1);
    for (size_t i = 0; i + 1 < place.npath; i++)
        kp_out_str(out, place.path[i].s, place.path[i].len);
    kp_out_end(out);
    put_kpis(out, cells, n, wanted, put_rank);
    kp_out_end(out);
}

/* ---- Where a number comes from ---- */

static void put_instant(struct kp_out *out, const char *key, int64_t ms)
{
    kp_out_text(out, key);
    if (ms < 0 || ms == INT64_MAX)
        kp_out_nil(out);
    else
        kp_out_int(out, ms);
}

static void put_means(struct kp_out *out, const struct kp_engine *engine, const struct kp_kpi_cfg *kpi)
{
    char text[KP_EXPLAIN_TEXT];

    kp_describe_kpi(kp_engine_config(engine), kpi, text, sizeof text);
    kp_out_text(out, kpi->agg == KP_AGG_FORMULA ? "formula" : "means");
    kp_out_text(out, text);
    kp_out_text(out, "unit");
    kp_out_text(out, kpi->unit);
}

static void put_part(struct kp_out *out, const struct kp_engine *engine, const struct kp_explain_part *part)
{
    kp_out_map(out, 6);
    kp_out_text(out, "kpi");
    kp_out_text(out, part->kpi->name);
    kp_out_text(out, "depth");
    kp_out_int(out, part->depth);
    kp_out_text(out, "value");
    kp_out_real(out, part->number.has ? part->number.value : (double)NAN);
    kp_out_text(out, "n");
    kp_out_int(out, part->number.n);
    put_means(out, engine, part->kpi);
    kp_out_end(out);
}

void kp_encode_explanation(struct kp_out *out, struct kp_engine *engine, uint32_t node, const struct kp_explanation *why)
{
    const struct kp_kpi_cfg *kpi = why->cell.kpi;

    kp_out_map(out, 15);
    kp_out_text(out, "kpi");
    kp_out_text(out, kpi->name);
    kp_out_text(out, "title");
    kp_out_text(out, kpi->title ? kpi->title : kpi->name);
    put_means(out, engine, kpi);
    kp_encode_place(out, engine, node);
    kp_out_text(out, "window");
    kp_out_text(out, why->cell.window->text);
    put_instant(out, "from", why->from_ms);
    put_instant(out, "to", why->to_ms);
    kp_out_text(out, "cell");
    put_numbers(out, &why->cell);
    kp_out_text(out, "parts");
    kp_out_array(out, why->nparts);
    for (size_t i = 0; i < why->nparts; i++)
        put_part(out, engine, &why->parts[i]);
    kp_out_end(out);
    kp_out_text(out, "more_parts");
    kp_out_bool(out, why->more_parts);
    kp_out_text(out, "events");
    kp_out_array(out, why->nevents);
    for (size_t i = 0; i < why->nevents; i++) {
        kp_out_map(out, 2);
        kp_out_text(out, "id");
        kp_out_str(out, why->events[i].id.s, why->events[i].id.len);
        kp_out_text(out, "time");
        kp_out_int(out, why->events[i].time_ms);
        kp_out_end(out);
    }
    kp_out_end(out);
    kp_out_end(out);
}

/* ---- Alerts ---- */

const char *kp_encode_alert_kind(const struct kp_alert *alert)
{
    return alert->quiet ? "pending" : "alert";
}

static void put_what(struct kp_out *out, const struct kp_alert *alert)
{
    static const char *const states[] = {"inactive", "pending", "firing", "resolved"};

    kp_out_text(out, "state");
    kp_out_text(out, states[alert->state]);
    kp_out_text(out, "severity");
    kp_out_text(out, alert->severity == KP_SEVERITY_CRITICAL ? "critical" : "warning");
    kp_out_text(out, "value");
    kp_out_real(out, alert->value.has ? alert->value.value : (double)NAN);
    kp_out_text(out, "target");
    kp_out_real(out, alert->target);
    kp_out_text(out, "expected");
    kp_out_real(out, alert->expected);
    kp_out_text(out, "ratio");
    kp_out_real(out, alert->ratio);
    kp_out_text(out, "threshold");
    kp_out_real(out, alert->threshold);
    kp_out_text(out, "p");
    kp_out_real(out, alert->p);
    kp_out_text(out, "n");
    kp_out_int(out, alert->value.n);
}

static void put_members(struct kp_out *out, const struct kp_engine *engine, const struct kp_alert *alert)
{
    size_t n = alert->nmembers < KP_ALERT_MEMBERS ? alert->nmembers : KP_ALERT_MEMBERS;

    kp_out_text(out, "members");
    if (n == 0) {
        kp_out_nil(out);
        return;
    }
    kp_out_array(out, n);
    for (size_t i = 0; i < n; i++) {
        struct kp_place place;

        kp_engine_place(engine, alert->members[i], &place);
        kp_out_str(out, place.key.s, place.key.len);
    }
    kp_out_end(out);
}

void kp_encode_alert(struct kp_out *out, struct kp_engine *engine, const struct kp_alert *alert, uint64_t seq)
{
    char id[24];

    snprintf(id, sizeof id, "%016llx", (unsigned long long)alert->id);
    kp_out_map(out, 32u + (alert->ack_comment != NULL));
    kp_encode_head(out, "alert", seq);
    kp_out_text(out, "id");
    kp_out_text(out, id);
    kp_out_text(out, "rule");
    kp_out_text(out, alert->rule->name);
    kp_out_text(out, "kpi");
    kp_out_text(out, alert->rule->kpi);
    kp_out_text(out, "window");
    kp_out_text(out, alert->rule->window.text[0] ? alert->rule->window.text : NULL);
    kp_encode_place(out, engine, alert->node);
    put_what(out, alert);
    kp_out_text(out, "since");
    kp_out_int(out, alert->since_ms);
    kp_out_text(out, "time");
    kp_out_int(out, alert->time_ms);
    kp_out_text(out, "reason");
    kp_out_text(out, alert->reason);
    kp_out_text(out, "events");
    kp_out_array(out, alert->nevents);
    for (size_t i = 0; i < alert->nevents; i++)
        kp_out_str(out, alert->events[i].s, alert->events[i].len);
    kp_out_end(out);
    kp_out_text(out, "message");
    kp_out_text(out, alert->message);
    kp_out_text(out, "coaching");
    kp_out_text(out, alert->rule->coaching);
    kp_out_text(out, "entity");
    kp_out_text(out, alert->entity);
    kp_out_text(out, "entity_field");
    kp_out_text(out, alert->entity_field);
    put_members(out, engine, alert);
    kp_out_text(out, "flapping");
    kp_out_bool(out, alert->flapping);
    kp_out_text(out, "acked_by");
    kp_out_text(out, alert->acked_by);
    if (alert->ack_comment) {
        kp_out_text(out, "ack_comment");
        kp_out_text(out, alert->ack_comment);
    }
    kp_out_text(out, "silenced");
    kp_out_bool(out, alert->silenced);
    kp_out_end(out);
}

/* ---- The number of a message ---- */

/* It stands near the beginning. */
size_t kp_encode_seq(void *bytes, size_t len, bool json, uint64_t seq)
{
    static const unsigned char packed[] = {0xCF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    static const char text[] = "18446744073709551615";      /* KP_SEQ_LATER */
    size_t size = json ? sizeof text - 1 : sizeof packed;
    unsigned char *at = memmem(bytes, len < SEQ_WITHIN ? len : SEQ_WITHIN, json ? (const void *)text : packed, size);
    char digits[24];
    size_t n;

    if (!at)
        return len;
    if (!json) {
        for (int i = 0; i < 8; i++)
            at[1 + i] = (unsigned char)(seq >> (56 - 8 * i));
        return len;
    }
    n = (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)seq);
    memcpy(at, digits, n);
    memmove(at + n, at + size, len - size - (size_t)(at - (unsigned char *)bytes));
    return len - (size - n);
}
