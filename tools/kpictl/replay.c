/* The engine over a file of events, with time as the events tell it: the same input gives the same bytes on every run. */
#include "kpictl.h"

#include "source.h"

#include "kpid/encode.h"
#include "kpid/engine.h"
#include "kpid/zone.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: kpictl replay --config FILE --events FILE [--at TIME]... [OPTION]...\n"
    "\n"
    "Run events through a configuration without a daemon. Time moves with the events. Each alert is printed as it\n"
    "changes, and at each --at (or once, at the end) the snapshot of every key, as lines of JSON:\n"
    "\n"
    "  $ kpictl replay --config config/kpid.yaml --events monday.jsonl\n"
    "  $ kpictl replay --config config/kpid.yaml --events monday.jsonl --at 2026-03-02T12:00:00Z --at 2026-03-02T17:30:00Z\n"
    "  $ zcat year.jsonl.gz | kpictl replay --config config/kpid.yaml --events - | jq 'select(.kind == \"alert\")'\n"
    "\n"
    "What would another configuration have said? Alerts gained, lost and moved in time:\n"
    "\n"
    "  $ kpictl replay --config config/kpid.yaml --against new.yaml --events year.jsonl\n"
    "\n"
    "  --events FILE   JSON Lines; MessagePack when the name ends in .msgpack; CSV with --map; - is standard input\n"
    "  --map FILE      how rows of CSV become events: YAML, a line for each field of an event, like\n"
    "                    type: call\n"
    "                    time: \"{Date}T{Time}Z\"\n"
    "                    outcome: {of: \"{Answered}\", map: {Y: connected, N: no_answer}}\n"
    "                    duration: {of: \"{Talk}\", as: clock}     (hh:mm:ss; or: number, text)\n"
    "  --msgpack       standard input is MessagePack\n"
    "  --at TIME       RFC 3339 or ms since the epoch; as often as wanted\n"
    "  --against FILE  compare the alerts of two configurations instead\n"
    "  --alerts-only   no snapshots\n"
    "  --format json   the only one\n"
    "\n"
    "What was rejected is counted on stderr; lines that are no JSON and rows of CSV that are no event are malformed.\n"
    "Exit status: 0 well, 1 unreadable input, 2 wrong use, or a faulty configuration or map.\n";

struct options {
    const char *config, *against, *events, *map;
    int64_t *ats;           /* owned; rising once parsed */
    size_t nats;
    bool as_msgpack, alerts_only;
};

/* One change of an alert, remembered for --against. */
struct change {
    char *what;             /* owned: rule, path and state */
    int64_t time_ms;
};

struct run {
    struct kp_config config;
    bool loaded;
    struct kp_engine *engine;
    struct kp_decoder *decoder;
    struct kp_out *out;
    struct kp_event event;
    uint64_t alerts, snapshots, counts[KP_REASONS];
    char bad_row[256];      /* the first row that no event could be made of */
    bool keep;              /* changes are kept, nothing is printed */
    struct change *changes; /* owned */
    size_t nchanges, room;
    bool failed;
};

/* ---- Printing ---- */

static void print(struct run *run)
{
    size_t len;
    const void *bytes = kp_out_bytes(run->out, &len);

    if (!bytes || fwrite(bytes, 1, len, stdout) != len || putchar('\n') == EOF)
        run->failed = true;
}

static void keep_change(struct run *run, struct kp_engine *engine, const struct kp_alert *alert)
{
    static const char *const states[] = {"inactive", "pending", "firing", "resolved"};
    char topic[1024], what[1280];
    struct change *grown;

    if (alert->quiet)
        return;
    kp_engine_topic(engine, alert->rule->name, alert->node, topic, sizeof topic);
    snprintf(what, sizeof what, "%s %s", topic, states[alert->state]);
    if (run->nchanges == run->room) {
        run->room = run->room ? run->room * 2 : 256;
        grown = realloc(run->changes, run->room * sizeof *grown);
        if (!grown) {
            run->failed = true;
            run->room = run->nchanges;
            return;
        }
        run->changes = grown;
    }
    run->changes[run->nchanges].what = strdup(what);
    run->changes[run->nchanges].time_ms = alert->time_ms;
    if (run->changes[run->nchanges].what)
        run->nchanges++;
}

static void on_alert(void *ctx, struct kp_engine *engine, const struct kp_alert *alert)
{
    struct run *run = ctx;

    if (run->keep) {
        keep_change(run, engine, alert);
        return;
    }
    kp_out_clear(run->out);
    kp_encode_alert(run->out, engine, alert, ++run->alerts);
    print(run);
}

struct place_of {
    uint32_t node;
    int level;
    char topic[512];
};

static int by_level_and_path(const void *a, const void *b)
{
    const struct place_of *x = a, *y = b;
    int order = x->level - y->level;

    return order ? order : strcmp(x->topic, y->topic);
}

/* Every key that has something to show, from the company down, by path: an order that no arrival has a part in. */
static void print_snapshots(struct run *run)
{
    uint32_t nodes = kp_engine_nodes(run->engine);
    struct place_of *places = calloc((size_t)nodes + 1, sizeof *places);
    size_t n = 0;

    if (!places) {
        run->failed = true;
        return;
    }
    for (uint32_t node = 0; node < nodes; node++) {
        struct kp_place place;

        if (!kp_engine_visible(run->engine, node))
            continue;
        kp_engine_place(run->engine, node, &place);
        places[n].node = node;
        places[n].level = place.level;
        kp_engine_topic(run->engine, "snapshot", node, places[n++].topic, sizeof places->topic);
    }
    qsort(places, n, sizeof *places, by_level_and_path);
    for (size_t i = 0; i < n; i++) {
        kp_out_clear(run->out);
        kp_encode_snapshot(run->out, run->engine, places[i].node, ++run->snapshots, true, 0, NULL);
        print(run);
    }
    free(places);
}

/* ---- Running ---- */

static bool start(struct run *run, const char *file, struct kp_err *err)
{
    struct kp_alert_sink sink = {on_alert, run};
    struct kp_decode_limits limits;

    if (!kpictl_load(file, &run->config))
        return false;
    run->loaded = true;
    run->config.event_clock = true;
    run->config.limits.leap = UINT32_MAX;       /* nobody waits here, and every change is to be told */
    run->engine = kp_engine_new(&run->config, 0, &sink, err);
    if (!run->engine)
        return false;
    limits = (struct kp_decode_limits){run->config.limits.message, run->config.limits.batch, run->config.limits.fields};
    run->decoder = kp_decoder_new(kp_engine_schema(run->engine), &limits, err);
    run->out = kp_out_new(true, err);
    return run->decoder && run->out;
}

static void finish(struct run *run)
{
    kp_out_destroy(&run->out);
    kp_decoder_destroy(&run->decoder);
    kp_engine_destroy(&run->engine);
    if (run->loaded)
        kp_config_release(&run->config);
    for (size_t i = 0; i < run->nchanges; i++)
        free(run->changes[i].what);
    free(run->changes);
}

static void settle(struct run *run, int64_t at_ms)
{
    while (kp_engine_settle(run->engine, at_ms, SIZE_MAX))
        ;
}

/* Put the clock at each instant that was asked for and that the next event lies behind. */
static void pass(struct run *run, const struct options *opt, size_t *next_at, int64_t time_ms)
{
    for (; *next_at < opt->nats && opt->ats[*next_at] < time_ms; ++*next_at) {
        settle(run, opt->ats[*next_at]);
        if (!opt->alerts_only && !run->keep)
            print_snapshots(run);
    }
}

static void feed(struct run *run, const struct options *opt, size_t *next_at, const char *bytes, size_t len)
{
    enum kp_reason reason = kp_decode_begin(run->decoder, bytes, len, (struct kp_str){"", 0});
    const struct kp_event *event = &run->event;
    enum kp_next next;

    if (reason != KP_ACCEPTED)
        run->counts[reason]++;
    while ((next = kp_decode_next(run->decoder, &run->event, &reason)) != KP_NEXT_END) {
        if (next == KP_NEXT_EVENT) {
            if (event->has_time)
                pass(run, opt, next_at, event->time_ms);
            kp_engine_apply(run->engine, &event, 1, 0, &reason);
            settle(run, INT64_MIN);
        }
        run->counts[reason]++;
    }
}

/* A row is as good as a line that is no JSON. */
static void count_bad_row(struct run *run, const char *why)
{
    if (!run->bad_row[0])
        snprintf(run->bad_row, sizeof run->bad_row, "%s", why);
    run->counts[KP_MALFORMED]++;
}

static void close_run(struct run *run, const struct options *opt, size_t *next_at)
{
    bool asked = opt->nats > 0;

    pass(run, opt, next_at, INT64_MAX);
    if (!asked && !opt->alerts_only && !run->keep)
        print_snapshots(run);
}

static void tell_counts(const struct run *run)
{
    uint64_t all = 0;

    for (int i = 0; i < KP_REASONS; i++)
        all += run->counts[i];
    fprintf(stderr, "replayed %llu events:", (unsigned long long)all);
    for (int i = 0; i < KP_REASONS; i++)
        if (run->counts[i] || i == KP_ACCEPTED)
            fprintf(stderr, " %s %llu", kp_reason_name((enum kp_reason)i), (unsigned long long)run->counts[i]);
    fputc('\n', stderr);
    if (run->bad_row[0])
        fprintf(stderr, "the first row that is malformed: %s\n", run->bad_row);
}

/* ---- --against ---- */

static int by_what_and_time(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    int order = strcmp(x->what, y->what);

    return order ? order : (x->time_ms > y->time_ms) - (x->time_ms < y->time_ms);
}

static void print_change(struct run *run, const char *change, const struct change *before, const struct change *after)
{
    char what[1280], *rest, *state;

    snprintf(what, sizeof what, "%s", (before ? before : after)->what);
    rest = strchr(what, '/');
    state = strrchr(what, ' ');
    *rest++ = '\0';
    *state++ = '\0';
    kp_out_clear(run->out);
    kp_out_map(run->out, 6);
    kp_out_text(run->out, "change");
    kp_out_text(run->out, change);
    kp_out_text(run->out, "rule");
    kp_out_text(run->out, what);
    kp_out_text(run->out, "path");
    kp_out_text(run->out, rest);
    kp_out_text(run->out, "state");
    kp_out_text(run->out, state);
    kp_out_text(run->out, "before");
    if (before)
        kp_out_int(run->out, before->time_ms);
    else
        kp_out_nil(run->out);
    kp_out_text(run->out, "after");
    if (after)
        kp_out_int(run->out, after->time_ms);
    else
        kp_out_nil(run->out);
    kp_out_end(run->out);
    print(run);
}

/* The i-th change of one kind on one key is held against the i-th of the other run. */
static void print_difference(struct run *old, struct run *new)
{
    size_t i = 0, k = 0;

    if (old->nchanges)
        qsort(old->changes, old->nchanges, sizeof *old->changes, by_what_and_time);
    if (new->nchanges)
        qsort(new->changes, new->nchanges, sizeof *new->changes, by_what_and_time);
    while (i < old->nchanges || k < new->nchanges) {
        const struct change *a = i < old->nchanges ? &old->changes[i] : NULL;
        const struct change *b = k < new->nchanges ? &new->changes[k] : NULL;
        int order = !a ? 1 : !b ? -1 : strcmp(a->what, b->what);

        if (order < 0)
            print_change(old, "lost", a, NULL);
        else if (order > 0)
            print_change(old, "gained", NULL, b);
        else if (a->time_ms != b->time_ms)
            print_change(old, "moved", a, b);
        i += order <= 0;
        k += order >= 0;
    }
}

/* ---- Command line ---- */

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int add_at(struct options *opt, const char *text)
{
    int64_t *grown = realloc(opt->ats, (opt->nats + 1) * sizeof *grown);

    if (!grown)
        return kpictl_failed("replay", "out of memory");
    opt->ats = grown;
    if (!kpictl_time(text, &opt->ats[opt->nats]))
        return kpictl_wrong("replay", "--at %s: neither RFC 3339 (2026-03-02T09:00:00Z) nor ms", text);
    opt->nats++;
    return EXIT_WELL;
}

static int parse(int argc, char **argv, struct options *opt)
{
    enum { OPT_CONFIG = 1, OPT_EVENTS, OPT_AT, OPT_FORMAT, OPT_AGAINST, OPT_MSGPACK, OPT_ALERTS, OPT_MAP, OPT_HELP };
    static const struct option longs[] = {
        {"config", 1, NULL, OPT_CONFIG},   {"events", 1, NULL, OPT_EVENTS},       {"at", 1, NULL, OPT_AT},
        {"format", 1, NULL, OPT_FORMAT},   {"against", 1, NULL, OPT_AGAINST},     {"msgpack", 0, NULL, OPT_MSGPACK},
        {"alerts-only", 0, NULL, OPT_ALERTS}, {"map", 1, NULL, OPT_MAP},
        {"help", 0, NULL, OPT_HELP},       {NULL, 0, NULL, 0}};
    int c, status;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case OPT_CONFIG:
            opt->config = optarg;
            break;
        case OPT_EVENTS:
            opt->events = optarg;
            break;
        case OPT_AGAINST:
            opt->against = optarg;
            break;
        case OPT_AT:
            status = add_at(opt, optarg);
            if (status)
                return status;
            break;
        case OPT_FORMAT:
            if (strcmp(optarg, "json") != 0)
                return kpictl_wrong("replay", "--format %s: only json is known", optarg);
            break;
        case OPT_MAP:
            opt->map = optarg;
            break;
        case OPT_MSGPACK:
            opt->as_msgpack = true;
            break;
        case OPT_ALERTS:
            opt->alerts_only = true;
            break;
        case OPT_HELP:
            fputs(help, stdout);
            return -1;
        default:
            return EXIT_WRONG;
        }
    }
    if (optind < argc || !opt->config || !opt->events)
        return kpictl_wrong("replay", optind < argc ? "%s: what is this?" : "needs --config and --events%s",
                            optind < argc ? argv[optind] : "");
    if (opt->nats)
        qsort(opt->ats, opt->nats, sizeof *opt->ats, by_time);
    return EXIT_WELL;
}

static int replay(const struct options *opt, struct run *runs, size_t nruns)
{
    struct kp_err err = {0};
    struct source *source = source_open(opt->events, opt->as_msgpack, opt->map, &err);
    size_t next_at[2] = {0}, len;
    const char *bytes;
    enum source_got got;

    if (!source)
        return (err.code == KP_EINVAL ? kpictl_wrong : kpictl_failed)("replay", "%s", err.text);
    while ((got = source_next(source, &bytes, &len, &err)) > SOURCE_END) {
        for (size_t i = 0; i < nruns; i++) {
            if (got == SOURCE_MESSAGE)
                feed(&runs[i], opt, &next_at[i], bytes, len);
            else
                count_bad_row(&runs[i], err.text);
        }
    }
    source_close(&source);
    if (got == SOURCE_FAILED)
        return kpictl_failed("replay", "%s", err.text);
    for (size_t i = 0; i < nruns; i++)
        close_run(&runs[i], opt, &next_at[i]);
    if (nruns == 2)
        print_difference(&runs[0], &runs[1]);
    tell_counts(&runs[nruns - 1]);
    if (fflush(stdout) == EOF || runs[0].failed)
        return kpictl_failed("replay", "the output can't be written");
    return EXIT_WELL;
}

int kpictl_replay(int argc, char **argv)
{
    struct options opt = {0};
    struct run *runs = calloc(2, sizeof *runs);
    const char *files[2];
    size_t nruns;
    struct kp_err err = {0};
    int status = runs ? parse(argc, argv, &opt) : EXIT_FAILED;

    files[0] = opt.config;
    files[1] = opt.against;
    nruns = opt.against ? 2 : 1;
    for (size_t i = 0; !status && i < nruns; i++) {
        runs[i].keep = nruns == 2;
        if (!start(&runs[i], files[i], &err)) {
            if (err.text[0])
                fprintf(stderr, "%s: %s\n", files[i], err.text);
            status = EXIT_WRONG;
        }
    }
    if (!status)
        status = replay(&opt, runs, nruns);
    for (size_t i = 0; runs && i < 2; i++)
        finish(&runs[i]);
    free(runs);
    free(opt.ats);
    return status < 0 ? EXIT_WELL : status;
}
