#include "kpictl.h"

#include "client.h"
#include "floor.h"

#include "kpid/zone.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <zmq.h>

static const char help[] =
    "usage: kpictl simulate [--config FILE | --reps N] [--push ENDPOINT | --output FILE] [OPTION]...\n"
    "\n"
    "Invent a sales floor and emit what it does: calls, e-mails, leads, meetings, costs, deals walking through their\n"
    "stages. One rep in five does too little, one falls silent after an hour, one is on a streak, one forgets a deal: so\n"
    "there is something to see.\n"
    "\n"
    "  $ kpictl simulate --config config/kpid.yaml                  the roster's people, live, an hour a minute\n"
    "  $ kpictl simulate --reps 500 --speed 600 --push tcp://127.0.0.1:5557\n"
    "  $ kpictl simulate --reps 10000 --rate 5000                   5,000 events a second, whatever the hour\n"
    "  $ kpictl simulate --config config/kpid.yaml --days 5 --output week.jsonl    the same bytes on every run\n"
    "  $ kpictl simulate --config config/kpid.yaml --past 35 --output - | kpictl emit -    what they did in five weeks until now\n"
    "\n"
    "  --config FILE     its roster works, and its first `pull` socket is sent to\n"
    "  --reps N          N people of no roster (default 24)\n"
    "  --seed S          another floor (default 1)\n"
    "  --speed X         simulated seconds in a second (default 60); the events bear the real time\n"
    "  --rate R          events a second, instead of the rhythm of the day\n"
    "  --duration SECS   end after so many real seconds\n"
    "  --push ENDPOINT   default tcp://127.0.0.1:5557\n"
    "  --output FILE     write JSON Lines with simulated times instead; - is standard output\n"
    "  --start TIME      when the simulation begins (default 2026-03-02T08:00:00Z, a Monday)\n"
    "  --days N          with --output: so many days (default 1)\n"
    "  --past N          with --output, instead: the N days until now, in which people did what is usual and nobody fell silent\n"
    "\n"
    "Exit status: 0 well (Ctrl-C too), 1 nobody takes the events, 2 wrong use.\n";

enum { SEND_MS = 10000, LINGER_MS = 1000 };

struct options {
    const char *config, *push, *output;
    size_t reps;
    uint64_t seed;
    double speed, rate, duration_s;
    int64_t start_ms;
    double days, past;      /* past: days until now; 0: not asked for */
};

static int64_t clock_ms(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int write_file(const struct options *opt, struct floor *floor)
{
    FILE *file = strcmp(opt->output, "-") == 0 ? stdout : fopen(opt->output, "we");
    struct kp_out *out = kp_out_new(true, NULL);
    int64_t end = opt->start_ms + (int64_t)((opt->past > 0 ? opt->past : opt->days) * (double)KP_DAY_MS);
    bool ok = file && out;

    floor->is_past = opt->past > 0;
    while (ok) {
        const void *bytes;
        size_t len = 0;

        floor_next(floor);
        if (floor->now_ms >= end)
            break;
        kp_out_clear(out);
        floor_put(floor, out, floor->now_ms);
        bytes = kp_out_bytes(out, &len);
        ok = bytes && fwrite(bytes, 1, len, file) == len && putc('\n', file) != EOF;
    }
    kp_out_destroy(&out);
    if (file && (file == stdout ? fflush(file) : fclose(file)) != 0)
        ok = false;
    return ok ? EXIT_WELL : kpictl_failed("simulate", "%s: %s", opt->output, strerror(errno));
}

/* Sleep until a steady instant, in pieces, so that Ctrl-C is heard. */
static void sleep_until(int64_t due_ms)
{
    for (int64_t left = due_ms - clock_ms(CLOCK_MONOTONIC); left > 0 && !client_stopped();
         left = due_ms - clock_ms(CLOCK_MONOTONIC)) {
        if (left > 200)
            left = 200;
        nanosleep(&(struct timespec){0, left * 1000000}, NULL);
    }
}

static int not_taken(const struct options *opt)
{
    return kpictl_failed("simulate", "%s: %s", opt->push,
                         client_why("nobody takes the events; is the daemon running?"));
}

static int send_events(const struct options *opt, struct floor *floor, void *socket)
{
    struct kp_out *out = kp_out_new(false, NULL);
    int64_t begun = clock_ms(CLOCK_MONOTONIC), told = 0, idle = 0;
    bool terminal = isatty(STDERR_FILENO) == 1;
    int status = out ? EXIT_WELL : kpictl_failed("simulate", "out of memory");

    while (!status && !client_stopped()) {
        const void *bytes;
        size_t len = 0;
        int64_t due, now = clock_ms(CLOCK_MONOTONIC);

        if (opt->duration_s > 0 && now - begun > (int64_t)(opt->duration_s * 1000))
            break;
        idle += floor_next(floor);
        due = begun + (opt->rate > 0 ? (int64_t)((double)floor->made * 1000 / opt->rate)
                                     : (int64_t)((double)(floor->now_ms - floor->start_ms - idle) / opt->speed));
        sleep_until(due);
        if (client_stopped())
            break;
        kp_out_clear(out);
        floor_put(floor, out, clock_ms(CLOCK_REALTIME));
        bytes = kp_out_bytes(out, &len);
        if (!bytes)
            status = kpictl_failed("simulate", "out of memory");
        else if (!client_send(socket, bytes, len, 0, SEND_MS) && !client_stopped())
            status = not_taken(opt);
        if (terminal && now - told >= 500) {
            told = now;
            fprintf(stderr, "\r%llu events sent", (unsigned long long)floor->made);
        }
    }
    if (!status)
        fprintf(stderr, "%s%llu events sent\n", terminal ? "\r" : "", (unsigned long long)floor->made);
    kp_out_destroy(&out);
    return status;
}

static int send_live(const struct options *opt, struct floor *floor)
{
    void *zmq = zmq_ctx_new(), *socket = zmq ? zmq_socket(zmq, ZMQ_PUSH) : NULL;
    int linger_ms = 0, status;

    client_catch_signals(false);
    if (socket && client_connect(zmq, socket, opt->push, CLIENT_TIMEOUT_MS) == 0) {
        status = send_events(opt, floor, socket);
        linger_ms = LINGER_MS;
    } else if (client_is_no_endpoint(errno)) {
        status = kpictl_wrong("simulate", "%s: no endpoint: %s", opt->push, zmq_strerror(errno));
    } else {
        status = client_stopped() ? EXIT_WELL : not_taken(opt);
    }
    if (!client_end(zmq, socket, linger_ms) && linger_ms && !status && !client_stopped())
        status = kpictl_failed("simulate", "%s: the last events were not taken", opt->push);
    return status;
}

static bool number(const char *text, double least, double most, double *v)
{
    char *end;

    *v = strtod(text, &end);
    return *text && !*end && *v >= least && *v <= most;
}

static int parse(int argc, char **argv, struct options *opt)
{
    static const struct option longs[] = {
        {"config", 1, NULL, 'f'}, {"reps", 1, NULL, 'n'},     {"seed", 1, NULL, 's'},   {"speed", 1, NULL, 'x'},
        {"rate", 1, NULL, 'r'},   {"duration", 1, NULL, 'd'}, {"push", 1, NULL, 'p'},   {"output", 1, NULL, 'o'},
        {"start", 1, NULL, 't'},  {"days", 1, NULL, 'y'},     {"past", 1, NULL, 'b'}, {"help", 0, NULL, 'h'},   {NULL, 0, NULL, 0}};
    double v = 0;
    bool ok = true;
    int c;

    while (ok && (c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'f':
            opt->config = optarg;
            break;
        case 'p':
            opt->push = optarg;
            break;
        case 'o':
            opt->output = optarg;
            break;
        case 'n':
            ok = number(optarg, 1, FLOOR_REPS_MAX, &v);
            opt->reps = (size_t)v;
            break;
        case 's':
            ok = number(optarg, 0, 9e15, &v);
            opt->seed = (uint64_t)v;
            break;
        case 'x':
            ok = number(optarg, 0.001, 1e6, &opt->speed);
            break;
        case 'r':
            ok = number(optarg, 0.001, 1e9, &opt->rate);
            break;
        case 'd':
            ok = number(optarg, 0.001, 1e9, &opt->duration_s);
            break;
        case 'y':
            ok = number(optarg, 0.001, 36600, &opt->days);
            break;
        case 'b':
            ok = number(optarg, 0.001, 3660, &opt->past);
            break;
        case 't':
            ok = kpictl_time(optarg, &opt->start_ms);
            break;
        case 'h':
            fputs(help, stdout);
            return -1;
        default:
            return EXIT_WRONG;
        }
    }
    if (!ok)
        return kpictl_wrong("simulate", "%s: not what this option takes", optarg);
    if (opt->past > 0 && !opt->output)
        return kpictl_wrong("simulate", "--past is for --output: `kpictl emit` sends the file, and says what became of it");
    return optind < argc ? kpictl_wrong("simulate", "%s: what is this?", argv[optind]) : EXIT_WELL;
}

int kpictl_simulate(int argc, char **argv)
{
    struct options opt = {.reps = 24, .seed = 1, .speed = 60, .days = 1, .start_ms = INT64_C(1772438400000)};
    char endpoint[CLIENT_ENDPOINT];
    struct kp_config config;
    struct floor floor = {0};
    int status = parse(argc, argv, &opt);

    if (status)
        return status < 0 ? EXIT_WELL : status;
    if (opt.config && !kpictl_load(opt.config, &config))
        return EXIT_WRONG;
    for (size_t i = 0; opt.config && !opt.push && i < config.ningest; i++)
        if (config.ingest[i].transport == KP_IN_PULL)
            opt.push = config.ingest[i].endpoint;
    if (opt.past > 0)
        opt.start_ms = clock_ms(CLOCK_REALTIME) - (int64_t)(opt.past * (double)KP_DAY_MS);
    client_connectable(opt.push ? opt.push : "tcp://127.0.0.1:5557", endpoint);
    opt.push = endpoint;
    if (opt.config && config.roster.nmembers == 0)
        status = kpictl_wrong("simulate", "%s: its roster has nobody; use --reps", opt.config);
    else if (!floor_init(&floor, opt.config ? &config : NULL, opt.reps, opt.seed, opt.start_ms))
        status = kpictl_failed("simulate", "out of memory");
    else
        status = opt.output ? write_file(&opt, &floor) : send_live(&opt, &floor);
    floor_release(&floor);
    if (opt.config)
        kp_config_release(&config);
    return status;
}
