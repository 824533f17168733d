/* The configuration as it is loaded: what each key becomes, what stands in for those left out, and what is said about
 * mistakes. The mistakes are in config/: NAME.yaml, and in NAME.faults what must be told about it, line by line. */
#include "config_rig.h"
#include "slurp.h"

#include "config.h"
#include "faults.h"
#include "nearest.h"

#include "kpid/engine.h"
#include "kpid/message.h"

#include <dirent.h>
#include <math.h>
#include <unistd.h>

/* ---- the mistakes in config/ ---- */

static int check_file(const char *name)
{
    char wanted_file[300];
    struct kp_fault_list list;
    struct kp_config config;
    char *wanted, *got;
    int bad;

    snprintf(wanted_file, sizeof wanted_file, "%.*s.faults", (int)(strlen(name) - strlen(".yaml")), name);
    wanted = slurp(wanted_file);
    kp_fault_list_init(&list, name);
    if (kp_config_load(name, &config, &list.faults) == 0)
        kp_config_release(&config);
    got = faults_of_list(&list);
    bad = !wanted || strcmp(got, wanted) != 0;
    if (bad)
        fprintf(stderr, "--- %s: got\n%s--- wanted\n%s", name, got, wanted ? wanted : "(no .faults file)\n");
    kp_fault_list_release(&list);
    free(got);
    free(wanted);
    return bad;
}

static void each_faulty_file_is_answered_as_its_faults_file_says(void **state)
{
    DIR *dir = opendir(".");
    const struct dirent *entry;
    int files = 0, bad = 0;

    (void)state;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        size_t len = strlen(entry->d_name);

        if (len > 5 && strcmp(entry->d_name + len - 5, ".yaml") == 0) {
            files++;
            bad += check_file(entry->d_name);
        }
    }
    closedir(dir);
    assert_true(files >= 15);
    assert_int_equal(bad, 0);
}

/* ---- the example that is shipped ---- */

static const struct kp_kpi_cfg *kpi_of(const struct kp_config *config, const char *name)
{
    for (size_t i = 0; i < config->nkpis; i++)
        if (strcmp(config->kpis[i].name, name) == 0)
            return &config->kpis[i];
    fail_msg("no KPI %s", name);
    return NULL;
}

/* What selling is judged by, as the README promises it. */
static void the_shipped_example_loads_and_an_engine_takes_it(void **state)
{
    static const char *const asked_for[] = {
        "calls_made", "emails_made", "contacts_made", "opportunities_created", "follow_ups", "speed_to_lead", "conversion_time",
        "conversion_time_median", "conversion_time_p90", "sales_cycle", "lead_conversion", "wins_per_lead", "deals_won", "win_rate",
        "win_rate_amount", "revenue", "open_deals", "open_pipeline", "deals_by_stage", "pipeline_by_stage", "pipeline_velocity",
        "client_value", "client_value_mean", "cost_per_client", "leads_inbound", "leads_outbound", "contacts_inbound",
        "contacts_outbound", "wins_inbound", "wins_outbound", "sales_process.rapport.entered", "sales_process.qualifying.converted",
        "sales_process.expectations.skipped", "sales_process.questions.median_time", "sales_process.pain.open",
        "sales_process.desires.entered", "sales_process.money.entered", "sales_process.presenting.entered",
        "sales_process.asking.entered", "sales_process.concerns.entered", "sales_process.won.entered"};
    struct kp_fault_list list;
    struct kp_config config;
    struct kp_err err = {0};
    struct kp_engine *engine;

    (void)state;
    kp_fault_list_init(&list, "kpid.yaml");
    if (kp_config_load(KPID_EXAMPLE, &config, &list.faults)) {
        kp_fault_list_print(&list, stderr);
        fail();
    }
    kp_fault_list_release(&list);
    assert_int_equal(config.roster.nmembers, 24);
    assert_int_equal(config.ningest, 3);
    assert_int_equal(kpi_of(&config, "win_rate")->agg, KP_AGG_FORMULA);
    assert_string_equal(kpi_of(&config, "client_value")->by[0], "client");
    for (size_t i = 0; i < sizeof asked_for / sizeof *asked_for; i++)
        assert_non_null(kpi_of(&config, asked_for[i]));
    engine = kp_engine_new(&config, 1, NULL, &err);
    if (!engine)
        fail_msg("%s", err.text);
    kp_engine_destroy(&engine);
    kp_config_release(&config);
}

/* ---- defaults ---- */

static void keys_left_out_have_their_documented_defaults(void **state)
{
    struct kp_config c;

    (void)state;
    must_load(KPI, &c);
    assert_string_equal(c.zone_name, "UTC");
    assert_null(c.zone_tzif);
    assert_int_equal(c.week_start, 0);
    assert_int_equal(c.allowed_future_ms, 5 * M);
    assert_false(c.event_clock);
    assert_int_equal(c.ningest, 0);
    assert_null(c.publish_endpoint);
    assert_int_equal(c.publish_interval_ms, S);
    assert_int_equal(c.publish_full_ms, M);
    assert_false(c.publish_json);
    assert_int_equal(c.publish_hwm, 10000);
    assert_null(c.control_endpoint);
    assert_false(c.insecure);
    assert_int_equal(c.dedup_window_ms, D);
    assert_int_equal(c.limits.message, 1 << 20);
    assert_int_equal(c.limits.batch, 10000);
    assert_int_equal(c.limits.fields, 256);
    assert_int_equal(c.limits.keys, 1000000);
    assert_int_equal(c.limits.recent, 65536);
    assert_int_equal(c.limits.dedup, 20000000);
    assert_int_equal(c.limits.silences, 1000);
    assert_int_equal(c.limits.acks, 100000);
    assert_int_equal(c.roster.nlevels, 3);
    assert_string_equal(c.roster.levels[0], "region");
    assert_string_equal(c.roster.levels[1], "team");
    assert_string_equal(c.roster.levels[2], "rep");
    assert_false(c.roster.reject_unknown);
    assert_int_equal(c.roster.nmembers, 0);
    assert_int_equal(c.nwindows, 3);
    assert_string_equal(c.windows[0].text, "day");
    assert_string_equal(c.windows[1].text, "week");
    assert_string_equal(c.windows[2].text, "month");
    assert_int_equal(c.kpis[0].nwindows, 3);
    assert_int_equal(c.kpis[0].better, KP_BETTER_HIGHER);
    assert_null(c.kpis[0].title);
    assert_null(c.kpis[0].unit);
    assert_int_equal(c.kpis[0].nby, 0);
    kp_config_release(&c);
}

/* ---- every setting ---- */

static void every_top_setting_reaches_its_place(void **state)
{
    static const char yaml[] =
        KPI "time: {zone: UTC, week_starts: sunday, allowed_future: 1m, clock: event}\n"
            "ingest:\n"
            "  - {sub: \"tcp://pbx.internal:5556\", topics: [call, mail]}\n"
            "  - {sub: \"ipc:///run/kpid.sock\", bind: true}\n"
            "  - {pull: \"tcp://127.0.0.1:5557\"}\n"
            "  - {router: \"inproc://here\"}\n"
            "publish: {endpoint: \"tcp://[::1]:5560\", interval: 500ms, full_every: 30s, format: json, hwm: 7}\n"
            "control: {endpoint: \"tcp://localhost:*\"}\n"
            "dedup: {window: 2h}\n"
            "limits: {message: 64KiB, batch: 9, fields: 8, keys: 10, recent: 0, dedup: 11}\n"
            "windows: [1h, month-12, 45s/3s]\n";
    struct kp_config c;

    (void)state;
    must_load(yaml, &c);
    assert_int_equal(c.week_start, 6);
    assert_int_equal(c.allowed_future_ms, M);
    assert_true(c.event_clock);
    assert_int_equal(c.ningest, 4);
    assert_int_equal(c.ingest[0].transport, KP_IN_SUB);
    assert_false(c.ingest[0].bind);
    assert_int_equal(c.ingest[0].ntopics, 2);
    assert_string_equal(c.ingest[0].topics[1], "mail");
    assert_true(c.ingest[1].bind);
    assert_int_equal(c.ingest[2].transport, KP_IN_PULL);
    assert_true(c.ingest[2].bind);
    assert_int_equal(c.ingest[3].transport, KP_IN_ROUTER);
    assert_string_equal(c.ingest[3].endpoint, "inproc://here");
    assert_string_equal(c.publish_endpoint, "tcp://[::1]:5560");
    assert_int_equal(c.publish_interval_ms, 500);
    assert_int_equal(c.publish_full_ms, 30 * S);
    assert_true(c.publish_json);
    assert_int_equal(c.publish_hwm, 7);
    assert_string_equal(c.control_endpoint, "tcp://localhost:*");
    assert_int_equal(c.dedup_window_ms, 2 * H);
    assert_int_equal(c.limits.message, 65536);
    assert_int_equal(c.limits.batch, 9);
    assert_int_equal(c.limits.fields, 8);
    assert_int_equal(c.limits.keys, 10);
    assert_int_equal(c.limits.recent, 0);
    assert_int_equal(c.limits.dedup, 11);
    assert_int_equal(c.kpis[0].nwindows, 3);
    assert_int_equal(c.kpis[0].windows[1].back, 12);
    assert_int_equal(c.kpis[0].windows[2].pane_ms, 3 * S);
    kp_config_release(&c);
}

/* "sync checkpoint history samples keep journal" */
static const char *storage_of(const char *yaml)
{
    static char text[200];
    struct kp_config c;

    must_load(yaml, &c);
    snprintf(text, sizeof text, "%lld %lld %lld %lld %lld %llu", (long long)c.storage.sync_ms, (long long)c.storage.checkpoint_ms,
             (long long)c.storage.history_ms, (long long)c.storage.samples_ms, (long long)c.storage.keep_ms,
             (unsigned long long)c.storage.journal_bytes);
    kp_config_release(&c);
    return text;
}

static void storage_s_settings_reach_their_places(void **state)
{
    (void)state;
    assert_string_equal(storage_of(KPI "storage: {path: /nowhere}\n"), "5 60000 34560000000 900000 0 4294967296");
    assert_string_equal(storage_of(KPI "storage: {path: /nowhere, sync: always, checkpoint_every: 2s, history: 0, samples: 0, keep_events: 0, "
                                       "journal: 1MiB}\n"), "0 2000 0 0 0 1048576");
    assert_string_equal(storage_of(KPI "storage: {path: /nowhere, sync: off, history: 2d, samples: 1s, keep_events: 3d, journal: 1MiB}\n"),
                        "-1 60000 172800000 1000 259200000 1048576");
    assert_string_equal(storage_of(KPI "storage: {path: /nowhere, sync: 7ms}\n"), "7 60000 34560000000 900000 0 4294967296");
}

/* ---- endpoints ---- */

static void endpoints_are_checked_before_any_socket_sees_them(void **state)
{
    static const struct {
        const char *endpoint;
        const char *fault;          /* NULL: well */
    } cases[] = {
        {"tcp://127.0.0.1:5557", NULL}, {"tcp://127.9.9.9:1", NULL}, {"tcp://[::1]:65535", NULL}, {"tcp://lo:*", NULL},
        {"ipc:///tmp/x", NULL}, {"ipc://@abstract", NULL}, {"inproc://x", NULL},
        {"tcp://*:5557", "open to the network"}, {"tcp://0.0.0.0:5557", "open to the network"},
        {"tcp://[::]:5557", "open to the network"}, {"tcp://eth0:5557", "open to the network"},
        {"tcp://127.0.0.1", "tcp://HOST:PORT"}, {"tcp://:5557", "tcp://HOST:PORT"}, {"tcp://", "tcp://HOST:PORT"},
        {"tcp://127.0.0.1:0", "the port"}, {"tcp://127.0.0.1:65536", "the port"}, {"tcp://127.0.0.1:x", "the port"},
        {"tcp://127.0.0.1:", "the port"}, {"tcp://127.0.0.1:55577777", "the port"}, {"tcp://[::1:5557", "brackets"},
        {"tcp://[:5557", "brackets"}, {"tcp://[]:5557", "brackets"}, {"tcp://[x]:5557", "no IPv6 address"},
        {"tcp://a b:5557", "no host name has"}, {"tcp://a;b:5557", "no host name has"}, {"udp://x:1", "must be tcp://"},
        {"ipc://", "ipc://PATH"}, {"inproc://", "inproc://NAME"}, {"5557", "must be tcp://"}, {"", "is empty"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char yaml[400];
        struct kp_config c;

        snprintf(yaml, sizeof yaml, KPI "ingest: [{pull: \"%s\"}]\n", cases[i].endpoint);
        if (cases[i].fault) {
            must_fail(yaml, cases[i].fault);
            continue;
        }
        must_load(yaml, &c);
        kp_config_release(&c);
    }
}

/* ---- where ---- */

static void where_takes_a_value_a_list_operators_and_alternatives(void **state)
{
    static const char yaml[] =
        "kpis:\n"
        "  k:\n"
        "    aggregate: count\n"
        "    where:\n"
        "      - {type: call, outcome: [connected, 5, \"5\", 2.5, true], duration: {gte: 10, lt: 2.5e3},\n"
        "         lead: {exists: true}, campaign: {prefix: uk-}, stage: {not_in: [won]}, a: {ne: x}, b: {eq: -1}}\n"
        "      - {type: email}\n";
    const struct kp_all *all;
    struct kp_config c;

    (void)state;
    must_load(yaml, &c);
    assert_int_equal(c.kpis[0].where.count, 2);
    all = &c.kpis[0].where.any[0];
    assert_int_equal(all->count, 9);
    assert_string_equal(all->preds[0].field, "type");
    assert_int_equal(all->preds[0].cmp, KP_CMP_EQ);
    assert_string_equal(all->preds[0].args[0].s, "call");
    assert_int_equal(all->preds[1].cmp, KP_CMP_IN);
    assert_int_equal(all->preds[1].nargs, 5);
    assert_int_equal(all->preds[1].args[1].kind, KP_INT);
    assert_int_equal(all->preds[1].args[1].i, 5);
    assert_int_equal(all->preds[1].args[2].kind, KP_STR);
    assert_string_equal(all->preds[1].args[2].s, "5");
    assert_int_equal(all->preds[1].args[3].kind, KP_REAL);
    assert_int_equal(all->preds[1].args[4].kind, KP_BOOL);
    assert_string_equal(all->preds[2].field, "duration");
    assert_int_equal(all->preds[2].cmp, KP_CMP_GTE);
    assert_string_equal(all->preds[3].field, "duration");
    assert_int_equal(all->preds[3].cmp, KP_CMP_LT);
    assert_true(all->preds[3].args[0].f == 2500);
    assert_int_equal(all->preds[4].cmp, KP_CMP_EXISTS);
    assert_true(all->preds[4].args[0].b);
    assert_int_equal(all->preds[5].cmp, KP_CMP_PREFIX);
    assert_int_equal(all->preds[6].cmp, KP_CMP_NOT_IN);
    assert_int_equal(all->preds[7].cmp, KP_CMP_NE);
    assert_int_equal(all->preds[8].args[0].i, -1);
    kp_config_release(&c);
}

static void an_empty_where_matches_every_event(void **state)
{
    struct kp_config c;

    (void)state;
    must_load("kpis: {k: {aggregate: count, where: {}}}", &c);
    assert_int_equal(c.kpis[0].where.count, 0);
    kp_config_release(&c);
}

/* ---- KPIs ---- */

static void aggregates_are_read_by_name_and_quantiles_by_number(void **state)
{
    static const struct {
        const char *text;
        enum kp_agg agg;
        double quantile;
    } cases[] = {
        {"count", KP_AGG_COUNT, 0},       {"sum", KP_AGG_SUM, 0},           {"mean", KP_AGG_MEAN, 0},
        {"min", KP_AGG_MIN, 0},           {"max", KP_AGG_MAX, 0},           {"stddev", KP_AGG_STDDEV, 0},
        {"distinct", KP_AGG_DISTINCT, 0}, {"last", KP_AGG_LAST, 0},         {"median", KP_AGG_QUANTILE, 0.5},
        {"p50", KP_AGG_QUANTILE, 0.5},    {"p90", KP_AGG_QUANTILE, 0.9},    {"p99.9", KP_AGG_QUANTILE, 0.999},
        {"p7", KP_AGG_QUANTILE, 0.07},    {"p07", KP_AGG_QUANTILE, 0.07},   {"p0.5", KP_AGG_QUANTILE, 0.005},
    };
    static const char *const faults[] = {"p0", "p100", "p", "p9x", "p99.", "P90", "avg", "p90 ", "p0.0000000", "cout"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char yaml[200];
        struct kp_config c;

        snprintf(yaml, sizeof yaml, "kpis: {k: {aggregate: %s, of: duration}}", cases[i].text);
        must_load(yaml, &c);
        assert_int_equal(c.kpis[0].agg, cases[i].agg);
        assert_true(c.kpis[0].quantile == cases[i].quantile);
        kp_config_release(&c);
    }
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        char yaml[200];

        snprintf(yaml, sizeof yaml, "kpis: {k: {aggregate: \"%s\", of: duration}}", faults[i]);
        must_fail(yaml, "test.yaml:1:23: kpis.k.aggregate: unknown word");
    }
}

static void a_formula_is_grouped_as_its_operands_are(void **state)
{
    struct kp_config c;

    (void)state;
    must_load("kpis:\n"
              "  twice: {formula: per_client * 2}\n"
              "  per_client: {formula: amount / deals, title: T, unit: GBP, better: none}\n"
              "  amount: {aggregate: sum, of: amount, by: [client, product]}\n"
              "  deals: {aggregate: count, by: [client, product], better: lower}\n",
              &c);
    assert_string_equal(c.kpis[0].name, "twice");       /* in the order of the file */
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(c.kpis[i].nby, 2);
        assert_string_equal(c.kpis[i].by[1], "product");
    }
    assert_string_equal(c.kpis[1].title, "T");
    assert_string_equal(c.kpis[1].unit, "GBP");
    assert_int_equal(c.kpis[1].better, KP_BETTER_NONE);
    assert_int_equal(c.kpis[3].better, KP_BETTER_LOWER);
    kp_config_release(&c);
}

/* ---- roster ---- */

static void check_ana(const struct kp_config *c, size_t i)
{
    const struct kp_member *ana = &c->roster.members[i];

    assert_string_equal(ana->place[0], "emea");
    assert_string_equal(ana->place[1], "field-1");
    assert_string_equal(ana->place[2], "ana");
    assert_string_equal(ana->name, "Ana \"Silva\", AE");
    assert_int_equal(ana->naliases, 2);
    assert_string_equal(ana->aliases[0], "ext:1042");
    assert_string_equal(ana->aliases[1], "ana@example.com");
    assert_int_equal(ana->nattrs, 2);       /* its name too, since `for:` may select on it */
    for (size_t k = 0; k < ana->nattrs; k++)
        assert_string_equal(ana->attrs[k].value, strcmp(ana->attrs[k].key, "role") == 0 ? "ae" : "Ana \"Silva\", AE");
}

static void a_member_is_the_same_from_yaml_and_from_csv(void **state)
{
    static const char csv[] = "\xEF\xBB\xBFrep,name,team,region,role,aliases\r\n"
                              "\r\n"
                              "ana , \"Ana \"\"Silva\"\", AE\", field-1,emea,ae,\"ext:1042; ana@example.com\"\r\n"
                              "bob,,,,,\n";
    static const char yaml[] = "kpis: {k: {aggregate: count}}\nroster: {file: well.csv}\n";
    struct kp_fault_list list;
    struct kp_config c;
    FILE *out;
    char dir[] = "/tmp/kpid-test-XXXXXX", file[64], slash[64];

    (void)state;
    must_load("kpis: {k: {aggregate: count}}\n"
              "roster:\n"
              "  unknown: reject\n"
              "  members:\n"
              "    - {rep: ana, name: 'Ana \"Silva\", AE', team: field-1, region: emea, role: ae,\n"
              "       aliases: [\"ext:1042\", ana@example.com]}\n"
              "    - {rep: bob}\n", &c);
    assert_true(c.roster.reject_unknown);
    assert_int_equal(c.roster.nmembers, 2);
    check_ana(&c, 0);
    kp_config_release(&c);

    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/well.csv", dir);
    snprintf(slash, sizeof slash, "%s/", dir);
    out = fopen(file, "w");
    assert_non_null(out);
    fwrite(csv, 1, sizeof csv - 1, out);
    fclose(out);
    kp_fault_list_init(&list, "test.yaml");
    if (kp_config_load_bytes("test.yaml", slash, yaml, strlen(yaml), &c, &list.faults)) {
        kp_fault_list_print(&list, stderr);
        fail();
    }
    kp_fault_list_release(&list);
    unlink(file);
    rmdir(dir);
    assert_int_equal(c.roster.nmembers, 2);
    check_ana(&c, 0);
    assert_string_equal(c.roster.members[1].place[2], "bob");
    assert_null(c.roster.members[1].place[0]);
    assert_null(c.roster.members[1].name);
    kp_config_release(&c);
}

static void levels_may_be_other_than_the_usual(void **state)
{
    struct kp_config c;

    (void)state;
    must_load(KPI "roster: {members: [{rep: ana, country: uk, floor: \"2\"}], levels: [country, floor, rep]}\n", &c);
    assert_int_equal(c.roster.nlevels, 3);
    assert_string_equal(c.roster.members[0].place[0], "uk");
    assert_string_equal(c.roster.members[0].place[1], "2");
    kp_config_release(&c);
}

/* ---- targets and alerts ---- */

static void a_target_says_what_for_whom_and_by_when(void **state)
{
    struct kp_config c;

    (void)state;
    must_load("kpis: {calls: {aggregate: count, windows: [day, quarter]}}\n"
              "roster: {members: [{rep: ana, region: emea, role: sdr}]}\n"
              "targets:\n"
              "  - {kpi: calls, per: day, value: 40, for: {role: sdr, region: emea}}\n"
              "  - {kpi: calls, per: quarter, value: 0.5, level: company}\n", &c);
    assert_int_equal(c.ntargets, 2);
    assert_string_equal(c.targets[0].kpi, "calls");
    assert_int_equal(c.targets[0].per, KP_PER_DAY);
    assert_true(c.targets[0].value == 40);
    assert_null(c.targets[0].level);
    assert_int_equal(c.targets[0].nselect, 2);
    assert_string_equal(c.targets[0].select[1].key, "region");
    assert_string_equal(c.targets[0].select[1].value, "emea");
    assert_int_equal(c.targets[1].per, KP_PER_QUARTER);
    assert_string_equal(c.targets[1].level, "company");
    kp_config_release(&c);
}

static void an_alert_has_all_that_it_was_told(void **state)
{
    struct kp_config c;

    (void)state;
    must_load(KPI "targets: [{kpi: calls, per: day, value: 40}]\n"
                  "alerts:\n"
                  "  behind: {kpi: calls, window: day, level: team, compare: target, warning: {below: 80%},\n"
                  "    critical: {below: 60%}, for: 30m, keep_firing_for: 10m, clear: 5%, repeat: 4h, min_count: 3,\n"
                  "    message: '{name}: {value} of {target}', coaching: Call}\n"
                  "  bare: {kpi: calls, window: 15m, level: company, critical: {above: 7}, clear: 2}\n", &c);
    assert_int_equal(c.nalerts, 2);
    assert_string_equal(c.alerts[0].name, "behind");
    assert_string_equal(c.alerts[0].window.text, "day");
    assert_string_equal(c.alerts[0].level, "team");
    assert_int_equal(c.alerts[0].compare, KP_CMP_TARGET);
    assert_true(c.alerts[0].warning.set && !c.alerts[0].warning.above && c.alerts[0].warning.at == 0.8);
    assert_true(c.alerts[0].critical.set && c.alerts[0].critical.at == 0.6);
    assert_int_equal(c.alerts[0].for_ms, 30 * M);
    assert_int_equal(c.alerts[0].keep_firing_ms, 10 * M);
    assert_int_equal(c.alerts[0].repeat_ms, 4 * H);
    assert_true(c.alerts[0].clear_relative && c.alerts[0].clear == 0.05);
    assert_int_equal(c.alerts[0].min_count, 3);
    assert_string_equal(c.alerts[0].message, "{name}: {value} of {target}");
    assert_string_equal(c.alerts[0].coaching, "Call");
    assert_int_equal(c.alerts[1].compare, KP_CMP_VALUE);
    assert_false(c.alerts[1].warning.set);
    assert_true(c.alerts[1].critical.above && c.alerts[1].critical.at == 7);
    assert_true(!c.alerts[1].clear_relative && c.alerts[1].clear == 2);
    assert_int_equal(c.alerts[1].for_ms + c.alerts[1].repeat_ms + c.alerts[1].keep_firing_ms, 0);
    assert_null(c.alerts[1].message);
    kp_config_release(&c);
}

/* ---- what is told ---- */

static void more_faults_than_are_kept_are_counted(void **state)
{
    char *text = NULL, *got;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    fputs(KPI, out);
    for (int i = 0; i < 250; i++)
        fprintf(out, "wrong_%d: 1\n", i);
    fclose(out);
    got = faults_of_bytes(text, size);
    assert_non_null(strstr(got, "test.yaml:2:1: wrong_0: unknown key"));
    assert_non_null(strstr(got, "test.yaml: and 50 faults more\n"));
    free(got);
    free(text);
}

static void a_cut_file_is_always_answered_and_never_crashes(void **state)
{
    char *yaml = slurp(KPID_EXAMPLE);
    size_t len;

    (void)state;
    assert_non_null(yaml);
    len = strlen(yaml);
    for (size_t cut = 0; cut < len; cut += 37) {
        char *copy = malloc(cut ? cut : 1), *got;

        memcpy(copy, yaml, cut);
        got = faults_of_bytes(copy, cut);
        assert_non_null(strstr(got, "test.yaml:"));     /* at least: the roster's file can't be read from bytes */
        free(got);
        free(copy);
    }
    free(yaml);
}

static void control_characters_never_reach_the_terminal(void **state)
{
    char *got = faults_of_bytes("\"a\\e[31m\\n\": 1\n" KPI, strlen("\"a\\e[31m\\n\": 1\n" KPI));

    (void)state;
    assert_null(strchr(got, '\033'));
    assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
    free(got);
}

static void a_missing_file_is_one_fault(void **state)
{
    struct kp_fault_list list;
    struct kp_config config;
    char *got;

    (void)state;
    kp_fault_list_init(&list, "nowhere.yml");
    assert_int_equal(kp_config_load("nowhere.yml", &config, &list.faults), 1);
    got = faults_of_list(&list);
    assert_string_equal(got, "nowhere.yml: cannot be read: No such file or directory\n");
    free(got);
    kp_fault_list_release(&list);
}

static void the_nearest_word_is_found_within_a_third_of_its_length(void **state)
{
    static const struct {
        const char *a, *b;
        size_t distance;
        bool near;
    } cases[] = {
        {"", "", 0, true},          {"a", "", 1, true},         {"agregate", "aggregate", 1, true},
        {"widnow", "window", 1, true}, {"kitten", "sitting", 3, false}, {"colour", "color", 1, true},
        {"team", "temas", 2, false}, {"of", "by", 2, false},    {"windows", "window", 1, true},
        {"region", "regoin", 1, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t distance = kp_edit_distance(cases[i].a, cases[i].b);

        if (distance != cases[i].distance || kp_near(cases[i].a, cases[i].b) != cases[i].near)
            fail_msg("%s, %s: %zu", cases[i].a, cases[i].b, distance);
        assert_int_equal(kp_edit_distance(cases[i].b, cases[i].a), cases[i].distance);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_faulty_file_is_answered_as_its_faults_file_says),
        cmocka_unit_test(the_shipped_example_loads_and_an_engine_takes_it),
        cmocka_unit_test(keys_left_out_have_their_documented_defaults),
        cmocka_unit_test(every_top_setting_reaches_its_place),
        cmocka_unit_test(storage_s_settings_reach_their_places),
        cmocka_unit_test(endpoints_are_checked_before_any_socket_sees_them),
        cmocka_unit_test(where_takes_a_value_a_list_operators_and_alternatives),
        cmocka_unit_test(an_empty_where_matches_every_event),
        cmocka_unit_test(aggregates_are_read_by_name_and_quantiles_by_number),
        cmocka_unit_test(a_formula_is_grouped_as_its_operands_are),
        cmocka_unit_test(a_member_is_the_same_from_yaml_and_from_csv),
        cmocka_unit_test(levels_may_be_other_than_the_usual),
        cmocka_unit_test(a_target_says_what_for_whom_and_by_when),
        cmocka_unit_test(an_alert_has_all_that_it_was_told),
        cmocka_unit_test(more_faults_than_are_kept_are_counted),
        cmocka_unit_test(a_cut_file_is_always_answered_and_never_crashes),
        cmocka_unit_test(control_characters_never_reach_the_terminal),
        cmocka_unit_test(a_missing_file_is_one_fault),
        cmocka_unit_test(the_nearest_word_is_found_within_a_third_of_its_length),
    };

    if (chdir(KPID_TEST_CONFIG) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
