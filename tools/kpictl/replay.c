/* The engine over a file of events, with time as the events tell it: the same input gives the same bytes on every run. */
#include "kpictl.h"

#include "progress.h"
#include "run.h"
#include "source.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    "What is a rule worth before it is turned on? How often each would have fired over the last year, for whom, for how\n"
    "long, why it ended, and how many a day each manager would have had to read:\n"
    "\n"
    "  $ kpictl replay --config new.yaml --events year.jsonl --summary\n"
    "  $ kpictl replay --config config/kpid.yaml --against new.yaml --events year.jsonl --summary\n"
    "  $ kpictl replay --config new.yaml --events year.jsonl --summary --format json | jq .managers\n"
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
    "  --summary       the alerts added up, instead of any lines; with --against for both, and the difference\n"
    "  --format FORMAT text or json: of the summary (default text). Lines are always json\n"
    "\n"
    "In a summary an alert counts once, from firing to its end, on the day that it fired on in time.zone. A manager is\n"
    "whoever looks after one team's reps, one region's teams. Days are those that something came on; p90: so many or\n"
    "fewer on nine of ten. What still fires counts to the end. A median of over 16,384 alerts is good to 1 %.\n"
    "\n"
    "What was rejected is counted on stderr; lines that are no JSON and rows of CSV that are no event are malformed.\n"
    "Exit status: 0 well, 1 unreadable input, 2 wrong use, or a faulty configuration or map.\n";

struct options {
    const char *config, *against, *events, *map, *format;
    int64_t *ats;           /* owned; rising once parsed */
    size_t nats;
    bool as_msgpack, alerts_only, summary;
};

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
    enum { OPT_CONFIG = 1, OPT_EVENTS, OPT_AT, OPT_FORMAT, OPT_AGAINST, OPT_MSGPACK, OPT_ALERTS, OPT_SUMMARY, OPT_MAP, OPT_HELP };
    static const struct option longs[] = {
        {"config", 1, NULL, OPT_CONFIG},   {"events", 1, NULL, OPT_EVENTS},       {"at", 1, NULL, OPT_AT},
        {"format", 1, NULL, OPT_FORMAT},   {"against", 1, NULL, OPT_AGAINST},     {"msgpack", 0, NULL, OPT_MSGPACK},
        {"alerts-only", 0, NULL, OPT_ALERTS}, {"summary", 0, NULL, OPT_SUMMARY}, {"map", 1, NULL, OPT_MAP},
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
            opt->format = optarg;
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
        case OPT_SUMMARY:
            opt->summary = true;
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
    if (opt->format && strcmp(opt->format, "json") != 0 && strcmp(opt->format, "text") != 0)
        return kpictl_wrong("replay", "--format %s: json or text", opt->format);
    if (opt->format && strcmp(opt->format, "text") == 0 && !opt->summary)
        return kpictl_wrong("replay", "--format text is for --summary; lines are JSON");
    if (opt->nats)
        qsort(opt->ats, opt->nats, sizeof *opt->ats, by_time);
    return EXIT_WELL;
}

/* ---- Running ---- */

static int read_events(const struct options *opt, struct run *runs, size_t nruns)
{
    struct kp_err err = {0};
    struct source *source = source_open(opt->events, opt->as_msgpack, opt->map, &err);
    struct progress progress = {0};
    const char *bytes;
    size_t len;
    enum source_got got;

    if (!source)
        return (err.code == KP_EINVAL ? kpictl_wrong : kpictl_failed)("replay", "%s", err.text);
    if (opt->summary || isatty(STDOUT_FILENO) != 1)     /* lines on the same terminal show well enough that it goes on */
        progress_init(&progress);
    while ((got = source_next(source, &bytes, &len, &err)) > SOURCE_END) {
        for (size_t i = 0; i < nruns; i++) {
            if (got == SOURCE_MESSAGE)
                run_feed(&runs[i], bytes, len);
            else
                run_bad_row(&runs[i], err.text);
        }
        progress_show(&progress, source, "%llu events", (unsigned long long)run_events(&runs[0]));
    }
    progress_hide(&progress);
    source_close(&source);
    return got == SOURCE_FAILED ? kpictl_failed("replay", "%s", err.text) : EXIT_WELL;
}

static bool print_summary_json(const struct run *runs, size_t nruns)
{
    struct kp_out *out = runs[0].out;
    bool ok;

    kp_out_clear(out);
    if (nruns == 1)
        return backtest_put(out, runs[0].backtest, run_events(&runs[0])) && kpictl_print(out);
    kp_out_map(out, 5);
    kp_out_text(out, "v");
    kp_out_int(out, 1);
    kp_out_text(out, "kind");
    kp_out_text(out, "backtest_difference");
    kp_out_text(out, "before");
    ok = backtest_put(out, runs[0].backtest, run_events(&runs[0]));
    kp_out_text(out, "after");
    ok = ok && backtest_put(out, runs[1].backtest, run_events(&runs[1]));
    kp_out_text(out, "difference");
    ok = ok && backtest_put_difference(out, runs[0].backtest, runs[1].backtest);
    kp_out_end(out);
    return ok && kpictl_print(out);
}

static bool print_summary(const struct options *opt, const struct run *runs, size_t nruns)
{
    if (opt->format && strcmp(opt->format, "json") == 0)
        return print_summary_json(runs, nruns);
    if (nruns == 1)
        return backtest_print(runs[0].backtest, run_events(&runs[0]));
    printf("before: %s\n", opt->config);
    if (!backtest_print(runs[0].backtest, run_events(&runs[0])))
        return false;
    printf("\nafter: %s\n", opt->against);
    if (!backtest_print(runs[1].backtest, run_events(&runs[1])))
        return false;
    puts("\nbefore, after and the difference");
    return backtest_print_difference(runs[0].backtest, runs[1].backtest);
}

static int replay(const struct options *opt, struct run *runs, size_t nruns)
{
    int status = read_events(opt, runs, nruns);
    bool ok = true;

    if (status)
        return status;
    for (size_t i = 0; i < nruns; i++) {
        run_end(&runs[i]);
        ok = ok && !runs[i].failed && !(runs[i].backtest && runs[i].backtest->failed);
    }
    if (ok && opt->summary)
        ok = print_summary(opt, runs, nruns);
    else if (ok && nruns == 2)
        ok = changes_print(&runs[0].changes, &runs[1].changes, runs[0].out);
    ok = fflush(stdout) != EOF && ok;
    run_tell_counts(&runs[nruns - 1]);
    if (!ok)
        return kpictl_failed("replay", "the output can't be written, or memory is out");
    return EXIT_WELL;
}

static enum run_shape shape_of(const struct options *opt)
{
    if (opt->summary)
        return RUN_SUMMARY;
    if (opt->against)
        return RUN_CHANGES;
    return opt->alerts_only ? RUN_ALERT_LINES : RUN_LINES;
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
        runs[i].shape = shape_of(&opt);
        runs[i].ats = opt.ats;
        runs[i].nats = opt.nats;
        if (!run_start(&runs[i], files[i], &err)) {
            if (err.text[0])
                fprintf(stderr, "%s: %s\n", files[i], err.text);
            status = EXIT_WRONG;
        }
    }
    if (!status)
        status = replay(&opt, runs, nruns);
    for (size_t i = 0; runs && i < 2; i++)
        run_release(&runs[i]);
    free(runs);
    free(opt.ats);
    return status < 0 ? EXIT_WELL : status;
}
