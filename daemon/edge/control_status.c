/* How the daemon is, and what it was configured to do. */
#include "control_inside.h"

#include "config.h"

#include "log.h"

#include "kpid/encode.h"

#include <stdio.h>
#include <string.h>

/* ---- status ---- */

static size_t count_sources(const struct kp_gaps *gaps)
{
    size_t n = 0;

    for (size_t i = 0; i < KP_GAP_SOURCES * 2; i++)
        n += gaps->sources[i].used && gaps->sources[i].missed;
    return n;
}

static size_t count_kpis(const struct kp_engine *engine, uint64_t (*of)(const struct kp_engine *, size_t))
{
    size_t n = 0;

    for (size_t k = 0; k < kp_engine_kpis(engine); k++)
        n += of(engine, k) > 0;
    return n;
}

static void put_by_kpi(struct kp_control *control, struct kp_out *out, const char *metric,
                       uint64_t (*of)(const struct kp_engine *, size_t))
{
    char name[256];

    for (size_t k = 0; k < kp_engine_kpis(control->world.engine); k++) {
        uint64_t v = of(control->world.engine, k);

        if (v == 0)
            continue;
        snprintf(name, sizeof name, "%s{kpi=\"%s\"}", metric, control->world.config->kpis[k].name);
        kp_reply_uint(out, name, v);
    }
}

static void put_gaps(struct kp_out *out, const struct kp_gaps *gaps)
{
    for (size_t i = 0; i < KP_GAP_SOURCES * 2; i++) {
        const struct kp_gap_source *source = &gaps->sources[i];
        char quoted[KP_GAP_NAME * 4 + 4], name[sizeof quoted + 64];

        if (!source->used || !source->missed)
            continue;
        snprintf(name, sizeof name, "kpid_source_gaps_total{source=%s}",
                 kp_log_quote(source->name, source->len, quoted, sizeof quoted));
        kp_reply_uint(out, name, source->missed);
    }
}

/* A histogram of Prometheus': bounds in seconds, each four times the one before. second: so many of its units. */
enum { BOUND_FIRST = 4, BOUND_STEP = 2, BOUNDS = (KP_HISTOGRAM_BUCKETS - 2 - BOUND_FIRST) / BOUND_STEP + 1, HISTOGRAM = BOUNDS + 3 };

static void put_histogram(struct kp_out *out, const char *what, const struct kp_histogram *h, double second)
{
    char name[96];
    uint64_t below = 0;

    for (int i = 0, bound = BOUND_FIRST; bound < KP_HISTOGRAM_BUCKETS - 1; bound += BOUND_STEP) {
        for (; i <= bound; i++)
            below += h->buckets[i];
        snprintf(name, sizeof name, "%s_bucket{le=\"%g\"}", what, (double)(UINT64_C(1) << bound) / second);
        kp_reply_uint(out, name, below);
    }
    snprintf(name, sizeof name, "%s_bucket{le=\"+Inf\"}", what);
    kp_reply_uint(out, name, h->count);
    snprintf(name, sizeof name, "%s_count", what);
    kp_reply_uint(out, name, h->count);
    snprintf(name, sizeof name, "%s_sum", what);
    kp_out_text(out, name);
    kp_out_real(out, (double)h->sum / second);
}

enum { STORED = 14 };   /* numbers of the store that are whole */

static void put_stored(struct kp_control *control, struct kp_out *out)
{
    const struct kp_checkpointer *c = control->world.checkpointer;
    struct kp_storage_view view;
    struct kp_ingest_stats in;

    kp_storage_view(control->world.storage, &view);
    kp_ingest_stats(control->world.ingest, &in);
    const struct {
        const char *name;
        uint64_t v;
    } stored[STORED] = {
        {"kpid_journal_position", view.pushed},
        {"kpid_journal_committed", view.committed},
        {"kpid_journal_rows", view.journal_rows},
        {"kpid_journal_bytes", view.journal_bytes},
        {"kpid_journal_bytes_total", view.bytes},
        {"kpid_journal_queued_bytes", view.queued},
        {"kpid_journal_unjournaled_total", kp_journal_unjournaled(control->world.journal)},
        {"kpid_journal_refused_total", in.refused},
        {"kpid_storage_errors_total", view.errors},
        {"kpid_storage_failing", view.failing},
        {"kpid_erased_events_total", view.erased_events},
        {"kpid_erased_rows_total", view.erased_rows},
        {"kpid_checkpoints_total", c->count},
        {"kpid_checkpoints_failed_total", c->failed},
    };

    for (size_t i = 0; i < STORED; i++)
        kp_reply_uint(out, stored[i].name, stored[i].v);
    kp_out_text(out, "kpid_checkpoint_pause_seconds");
    kp_out_real(out, (double)c->pause_us / 1e6);
    kp_out_text(out, "kpid_checkpoint_pause_seconds_max");
    kp_out_real(out, (double)c->pause_max_us / 1e6);
    put_histogram(out, "kpid_storage_commit_seconds", &view.commits, 1e6);
}

static void put_metrics(struct kp_control *control, struct kp_out *out)
{
    struct kp_engine_stats engine;
    struct kp_ingest_stats in;
    struct kp_publish_stats pub;
    struct kp_guard_stats guard = {0};
    const struct kp_gaps *gaps = kp_ingest_gaps(control->world.ingest);

    kp_engine_stats(control->world.engine, &engine);
    kp_ingest_stats(control->world.ingest, &in);
    kp_publish_stats(control->world.publish, &pub);
    if (control->world.guard)
        kp_guard_stats(control->world.guard, &guard);
    const struct {
        const char *name;
        uint64_t v;
    } plain[] = {
        {"kpid_messages_total", in.events.messages},
        {"kpid_message_bytes_total", in.events.bytes},
        {"kpid_events_accepted_total", in.events.accepted},
        {"kpid_events_duplicate_total", in.events.duplicates},
        {"kpid_events_late_total", engine.late},
        {"kpid_dedup_ids", engine.dedup_ids},
        {"kpid_dedup_evicted_total", engine.dedup_evicted},
        {"kpid_replies_dropped_total", in.replies_dropped + control->replies_dropped},
        {"kpid_source_untracked_total", gaps->untracked},
        {"kpid_keys", engine.keys},
        {"kpid_panes", engine.rows},
        {"kpid_entities", engine.entities},
        {"kpid_entities_evicted_total", engine.entities_evicted},
        {"kpid_occurrences_forgotten_total", engine.occurrences_forgotten},
        {"kpid_currency_unknown_total", engine.currency_unknown},
        {"kpid_memory_out_total", engine.memory_out},
        {"kpid_alerts_pending", engine.pending},
        {"kpid_alerts_firing", engine.firing},
        {"kpid_silences", engine.silences},
        {"kpid_silences_refused_total", engine.silences_refused},
        {"kpid_acks", engine.acks},
        {"kpid_acks_refused_total", engine.acks_refused},
        {"kpid_alert_evaluations_total", engine.evaluations},
        {"kpid_alert_leaps_cut_total", engine.leaps_cut},
        {"kpid_publish_alerts_total", pub.alerts},
        {"kpid_publish_snapshots_total", pub.snapshots},
        {"kpid_publish_contests_total", pub.contests},
        {"kpid_publish_dropped_total", pub.dropped},
        {"kpid_publish_subscriptions", pub.subscriptions},
        {"kpid_publish_subscriptions_refused_total", pub.subscriptions_refused},
        {"kpid_publish_seq", pub.seq},
        {"kpid_control_requests_total", control->requests},
        {"kpid_control_paused_total", control->paused},
        {"kpid_handshakes_total{result=\"accepted\"}", guard.let_in},
        {"kpid_handshakes_total{result=\"denied\"}", guard.shut_out},
        {"kpid_denied_total{socket=\"ingest\"}", guard.denied[KP_DOOR_INGEST]},
        {"kpid_denied_total{socket=\"publish\"}", guard.denied[KP_DOOR_PUBLISH]},
        {"kpid_denied_total{socket=\"control\"}", guard.denied[KP_DOOR_CONTROL]},
        {"kpid_connections_cut_total", guard.cut},
    };
    size_t n = sizeof plain / sizeof *plain, nstored = control->world.journal ? STORED + 2 + HISTOGRAM : 0;

    kp_out_map(out, n + nstored + 3 * HISTOGRAM + (KP_REASONS - KP_MALFORMED) + count_sources(gaps) +
                        count_kpis(control->world.engine, kp_engine_missing) +
                        count_kpis(control->world.engine, kp_engine_out_of_range));
    for (size_t i = 0; i < n; i++)
        kp_reply_uint(out, plain[i].name, plain[i].v);
    if (nstored)
        put_stored(control, out);
    put_histogram(out, "kpid_turn_seconds", &control->world.timings->turn, 1e6);
    put_histogram(out, "kpid_settle_seconds", &control->world.timings->settle, 1e6);
    put_histogram(out, "kpid_event_lag_seconds", &in.events.lag_ms, 1e3);
    for (int r = KP_MALFORMED; r < KP_REASONS; r++) {
        char name[96];

        snprintf(name, sizeof name, "kpid_events_rejected_total{reason=\"%s\"}", kp_reason_name((enum kp_reason)r));
        kp_reply_uint(out, name, in.events.rejected[r]);
    }
    put_gaps(out, gaps);
    put_by_kpi(control, out, "kpid_field_missing_total", kp_engine_missing);
    put_by_kpi(control, out, "kpid_field_out_of_range_total", kp_engine_out_of_range);
    kp_out_end(out);
}

static void put_memory(struct kp_control *control, struct kp_out *out)
{
    struct kp_engine_stats stats;

    kp_engine_stats(control->world.engine, &stats);
    kp_out_map(out, 5);
    kp_reply_uint(out, "store", stats.bytes_store);
    kp_reply_uint(out, "entities", stats.bytes_entities);
    kp_reply_uint(out, "dedup", stats.bytes_dedup);
    kp_reply_uint(out, "alerts", stats.bytes_alerts);
    kp_reply_uint(out, "recent", stats.bytes_recent);
    kp_out_end(out);
}

static void put_instant(struct kp_out *out, const char *key, int64_t ms)
{
    kp_out_text(out, key);
    if (ms == INT64_MIN)
        kp_out_nil(out);
    else
        kp_out_int(out, ms);
}

static void put_sources(struct kp_control *control, struct kp_out *out)
{
    kp_out_array(out, control->world.config->nsources);
    for (size_t i = 0; i < control->world.config->nsources; i++) {
        struct kp_source_view source;

        kp_engine_source(control->world.engine, i, &source);
        kp_out_map(out, 5);
        kp_reply_text(out, "source", source.cfg->name);
        kp_reply_uint(out, "heartbeat_ms", (uint64_t)source.cfg->heartbeat_ms);
        put_instant(out, "heard", source.heard_ms);
        put_instant(out, "covered_until", source.covered_ms);
        kp_out_text(out, "silent");
        kp_out_bool(out, source.silent);
        kp_out_end(out);
    }
    kp_out_end(out);
}

static void put_checkpoint(struct kp_out *out, const struct kp_storage_view *view)
{
    if (!view->checkpoints_done) {
        kp_out_nil(out);
        return;
    }
    kp_out_map(out, 5);
    kp_reply_uint(out, "id", view->last_checkpoint.id);
    kp_reply_uint(out, "position", view->last_checkpoint.seq);
    kp_reply_uint(out, "bytes", view->last_checkpoint.bytes);
    kp_reply_uint(out, "took_ms", (uint64_t)view->last_checkpoint.took_ms);
    kp_out_text(out, "at");
    kp_out_int(out, view->last_checkpoint.at_ms);
    kp_out_end(out);
}

static void put_recovery(struct kp_out *out, const struct kp_recovery *recovery)
{
    kp_out_map(out, 8);
    kp_reply_uint(out, "checkpoint", recovery->checkpoint);
    kp_reply_uint(out, "chunks", recovery->chunks);
    kp_reply_uint(out, "events", recovery->events);
    kp_reply_uint(out, "load_ms", (uint64_t)recovery->load_ms);
    kp_reply_uint(out, "replay_ms", (uint64_t)recovery->replay_ms);
    kp_reply_uint(out, "lost_chunks", recovery->lost_chunks);
    kp_reply_uint(out, "lost_events", recovery->lost_events);
    kp_reply_text(out, "damage", recovery->damage[0] ? recovery->damage : NULL);
    kp_out_end(out);
}

/* nil: memory only. */
static void put_storage(struct kp_control *control, struct kp_out *out)
{
    static const char *const modes[] = {"none", "ok", "behind", "failing"};
    enum kp_journal_mode mode = kp_journal_mode(control->world.journal);
    struct kp_storage_view view;

    if (!control->world.journal) {
        kp_out_nil(out);
        return;
    }
    kp_storage_view(control->world.storage, &view);
    kp_out_map(out, 10);
    kp_reply_uint(out, "forgetting", view.forgetting);
    kp_reply_uint(out, "checkpoints", view.checkpoints_done);
    kp_reply_uint(out, "checkpoints_failed", view.checkpoints_failed);
    kp_reply_text(out, "last_error", view.checkpoints_failed && !view.last_checkpoint.ok ? view.error : NULL);
    kp_out_text(out, "copies");
    kp_out_map(out, 3);
    kp_reply_uint(out, "done", view.copies_done);
    kp_reply_uint(out, "failed", view.copies_failed);
    kp_reply_text(out, "last_error", view.copy_error[0] ? view.copy_error : NULL);
    kp_out_end(out);
    kp_reply_text(out, "path", control->world.config->storage.path);
    kp_reply_text(out, "state", modes[mode]);
    kp_reply_text(out, "error", mode == KP_JOURNAL_BROKEN ? kp_journal_error(control->world.journal) : NULL);
    kp_out_text(out, "checkpoint");
    put_checkpoint(out, &view);
    kp_out_text(out, "recovery");
    put_recovery(out, control->world.recovery);
    kp_out_end(out);
}

void kp_control_status(struct kp_control *control, struct kp_out *out, int64_t steady_ms)
{
    struct kp_engine_stats stats;

    kp_engine_stats(control->world.engine, &stats);
    kp_reply_begin(out, 10);
    kp_reply_text(out, "version", KPID_VERSION);
    kp_reply_now(out, control->world.engine);
    kp_reply_text(out, "clock", control->world.config->event_clock ? "event" : "wall");
    kp_reply_uint(out, "uptime_ms", (uint64_t)(steady_ms - control->started_ms));
    kp_reply_uint(out, "keys", stats.keys);
    kp_out_text(out, "durable");
    kp_out_bool(out, kp_journal_mode(control->world.journal) == KP_JOURNAL_OPEN);
    kp_out_text(out, "storage");
    put_storage(control, out);
    kp_out_text(out, "metrics");
    put_metrics(control, out);
    kp_out_text(out, "memory");
    put_memory(control, out);
    kp_out_text(out, "sources");
    put_sources(control, out);
    kp_out_end(out);
}

/* ---- config ---- */

static void put_kpi(struct kp_out *out, const struct kp_kpi_cfg *kpi)
{
    static const char *const aggregates[] = {"count",  "sum",      "mean",     "min",  "max",
                                             "stddev", "distinct", "quantile", "last", "formula"};
    static const char *const betters[] = {"higher", "lower", "none"};

    kp_out_map(out, 7);
    kp_reply_text(out, "name", kpi->name);
    kp_reply_text(out, "title", kpi->title ? kpi->title : kpi->name);
    kp_reply_text(out, "unit", kpi->unit);
    kp_reply_text(out, "better", betters[kpi->better]);
    kp_reply_text(out, "aggregate", aggregates[kpi->agg]);
    kp_out_text(out, "windows");
    kp_out_array(out, kpi->nwindows);
    for (size_t i = 0; i < kpi->nwindows; i++)
        kp_out_text(out, kpi->windows[i].text);
    kp_out_end(out);
    kp_out_text(out, "by");
    kp_out_array(out, kpi->nby);
    for (size_t i = 0; i < kpi->nby; i++)
        kp_out_text(out, kpi->by[i]);
    kp_out_end(out);
    kp_out_end(out);
}

static void put_endpoints(struct kp_control *control, struct kp_out *out)
{
    static const char *const transports[] = {"sub", "pull", "router"};
    const struct kp_config *config = control->world.config;

    kp_out_map(out, 3);
    kp_reply_text(out, "control", control->endpoint);
    kp_reply_text(out, "publish", kp_publish_endpoint(control->world.publish));
    kp_out_text(out, "ingest");
    kp_out_array(out, config->ningest);
    for (size_t i = 0; i < config->ningest; i++) {
        kp_out_map(out, 3);
        kp_reply_text(out, "transport", transports[config->ingest[i].transport]);
        kp_reply_text(out, "endpoint", kp_ingest_endpoint(control->world.ingest, i));
        kp_out_text(out, "bind");
        kp_out_bool(out, config->ingest[i].bind || config->ingest[i].transport != KP_IN_SUB);
        kp_out_end(out);
    }
    kp_out_end(out);
    kp_out_end(out);
}

static void put_contest(struct kp_out *out, const struct kp_contest_cfg *contest)
{
    kp_out_map(out, 8);
    kp_reply_text(out, "name", contest->name);
    kp_reply_text(out, "title", contest->title ? contest->title : contest->name);
    kp_out_text(out, "kpis");
    kp_out_map(out, contest->nterms);
    for (size_t i = 0; i < contest->nterms; i++) {
        kp_out_text(out, contest->terms[i].kpi);
        kp_out_real(out, contest->terms[i].weight);
    }
    kp_out_end(out);
    kp_out_text(out, "from");
    kp_out_int(out, contest->from_ms);
    kp_out_text(out, "to");
    kp_out_int(out, contest->to_ms);
    kp_reply_text(out, "among", contest->level);
    kp_reply_text(out, "tie", contest->tie);
    kp_reply_text(out, "away", contest->adjusted ? "adjusted" : "ignored");
    kp_out_end(out);
}

void kp_control_config(struct kp_control *control, struct kp_out *out)
{
    static const char *const weekdays[] = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"};
    const struct kp_config *config = control->world.config;
    enum { KEYS = 9 };

    kp_reply_begin(out, KEYS);
    kp_reply_text(out, "file", config->file);
    kp_reply_text(out, "zone", config->zone_name);
    kp_reply_text(out, "week_starts", weekdays[config->week_start]);
    kp_reply_text(out, "format", config->publish_json ? "json" : "msgpack");
    kp_out_text(out, "levels");
    kp_out_array(out, (size_t)kp_engine_levels(control->world.engine));
    for (int i = 0; i < kp_engine_levels(control->world.engine); i++)
        kp_out_text(out, kp_engine_level_name(control->world.engine, i));
    kp_out_end(out);
    kp_out_text(out, "kpis");
    kp_out_array(out, config->nkpis);
    for (size_t i = 0; i < config->nkpis; i++)
        put_kpi(out, &config->kpis[i]);
    kp_out_end(out);
    kp_out_text(out, "alerts");
    kp_out_array(out, config->nalerts);
    for (size_t i = 0; i < config->nalerts; i++) {
        kp_out_map(out, 5);
        kp_reply_text(out, "name", config->alerts[i].name);
        kp_reply_text(out, "kpi", config->alerts[i].kpi);
        kp_reply_text(out, "window", config->alerts[i].window.text);
        kp_reply_text(out, "level", config->alerts[i].level);
        kp_reply_text(out, "compare", kp_compare_name(config->alerts[i].compare));
        kp_out_end(out);
    }
    kp_out_end(out);
    kp_out_text(out, "contests");
    kp_out_array(out, config->ncontests);
    for (size_t i = 0; i < config->ncontests; i++)
        put_contest(out, &config->contests[i]);
    kp_out_end(out);
    kp_out_text(out, "endpoints");
    put_endpoints(control, out);
    kp_out_end(out);
}
