#include "kpictl.h"

#include "faults.h"
#include "identity.h"
#include "nearest.h"

#include "config.h"

#include "kpid/event.h"
#include "kpid/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct sub {
    const char *name, *what;
    int (*run)(int argc, char **argv);
} subs[] = {
    {"check", "read a configuration and say every fault in it", kpictl_check},
    {"emit", "send events from a file to the daemon", kpictl_emit},
    {"watch", "follow alerts or snapshots", kpictl_watch},
    {"top", "a live table of everybody's KPIs", kpictl_top},
    {"get", "the numbers of one level, team or rep, once", kpictl_get},
    {"contests", "who leads in contests", kpictl_contests},
    {"history", "what a number was, and which alerts there were", kpictl_history},
    {"report", "the agenda of the weekly sales meeting", kpictl_report},
    {"status", "is the daemon well, and what has it counted", kpictl_status},
    {"reload", "let the daemon read its configuration again", kpictl_reload},
    {"checkpoint", "let the daemon put all that it knows into its store, or make a copy of that", kpictl_checkpoint},
    {"forget", "let the daemon forget somebody, in memory and in its store", kpictl_forget},
    {"replay", "run a file of events through a configuration, without a daemon", kpictl_replay},
    {"test", "run the tests of a configuration: who is told of when", kpictl_test},
    {"silence", "keep alerts quiet for a while, or list what is kept quiet", kpictl_silence},
    {"unsilence", "end silences before their time", kpictl_unsilence},
    {"ack", "say that somebody sees to an alert, or list the alerts that there are", kpictl_ack},
    {"keygen", "make keys for a daemon with security", kpictl_keygen},
    {"simulate", "invent a sales floor and emit what it does", kpictl_simulate},
};
enum { SUBS = sizeof subs / sizeof *subs };

static void usage(FILE *to)
{
    fputs("usage: kpictl [--key FILE [--server-key FILE|KEY]] SUBCOMMAND [OPTION]...\n\n", to);
    for (int i = 0; i < SUBS; i++)
        fprintf(to, "  %-10s %s\n", subs[i].name, subs[i].what);
    fputs("\nA daemon with security wants a key: --key FILE, made by `kpictl keygen`, or KPID_KEY in the environment. The file may\n"
          "name the daemon's own key; else --server-key does.\n"
          "\nkpictl SUBCOMMAND --help teaches it by examples. kpictl --version tells the version.\n"
          "Exit status: 0 well, 1 failed or something was rejected, 2 wrong use or configuration.\n",
          to);
}

static int __attribute__((format(printf, 2, 0))) say(const char *sub, const char *fmt, va_list args, int status)
{
    fprintf(stderr, "kpictl %s: ", sub);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    return status;
}

int kpictl_wrong(const char *sub, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(sub, fmt, args, EXIT_WRONG);
    va_end(args);
    fprintf(stderr, "kpictl %s --help shows how it is used\n", sub);
    return EXIT_WRONG;
}

int kpictl_failed(const char *sub, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(sub, fmt, args, EXIT_FAILED);
    va_end(args);
    return EXIT_FAILED;
}

int kpictl_refused(const char *sub, const struct kp_err *err)
{
    return (err->code == KP_EINVAL ? kpictl_wrong : kpictl_failed)(sub, "%s", err->text);
}

bool kpictl_load(const char *file, struct kp_config *config)
{
    struct kp_fault_list faults;
    bool ok;

    kp_fault_list_init(&faults, file);
    ok = kp_config_load(file, config, &faults.faults) == 0;
    if (!ok)
        kp_fault_list_print(&faults, stderr);
    kp_fault_list_release(&faults);
    return ok;
}

bool kpictl_print(struct kp_out *out)
{
    size_t len;
    const void *bytes = kp_out_bytes(out, &len);

    return bytes && fwrite(bytes, 1, len, stdout) == len && putchar('\n') != EOF;
}

bool kpictl_count(const char *text, uint64_t *count)
{
    char *end;

    if (*text < '0' || *text > '9')     /* strtoull takes signs and blanks */
        return false;
    errno = 0;
    *count = strtoull(text, &end, 10);
    return !*end && *count > 0 && errno == 0;
}

bool kpictl_time(const char *text, int64_t *at_ms)
{
    char *end;

    if (kp_rfc3339_parse(text, strlen(text), at_ms))
        return true;
    *at_ms = strtoll(text, &end, 10);
    return *text && !*end && *at_ms >= 0 && *at_ms <= KP_TIME_MAX;
}

static int unknown(const char *name)
{
    struct kp_nearest nearest = {.word = name};

    for (int i = 0; i < SUBS; i++)
        kp_nearest_offer(&nearest, subs[i].name);
    fprintf(stderr, "kpictl: no subcommand \"%s\"", name);
    if (nearest.best)
        fprintf(stderr, "; did you mean \"%s\"?", nearest.best);
    fputs("\nkpictl --help lists them\n", stderr);
    return EXIT_WRONG;
}

/* A descriptor that we were started without would be given to the first socket, and events read from it or a table be
 * written to it. These ones refuse to be read, and to be written. */
static void hold_descriptors(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            return;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return EXIT_WRONG;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return EXIT_WELL;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("kpictl " KPID_VERSION);
        return EXIT_WELL;
    }
    for (int i = 0; i < SUBS; i++)
        if (strcmp(argv[1], subs[i].name) == 0)
            return subs[i].run(argc - 1, argv + 1);
    return unknown(argv[1]);
}

/* The value of an option before the subcommand, and past it; NULL: it is another word. */
static const char *value_of(const char *option, int *argc, char ***argv)
{
    size_t len = strlen(option);
    const char *word = *argc > 1 ? (*argv)[1] : "", *value = NULL;
    int words = 0;

    if (strncmp(word, option, len) == 0 && word[len] == '=') {
        value = word + len + 1;
        words = 1;
    } else if (strcmp(word, option) == 0 && *argc > 2) {
        value = (*argv)[2];
        words = 2;
    }
    *argc -= words;
    *argv += words;
    return value;
}

/* Who we are goes before the subcommand, since `--key` behind it is a rep's. */
static int introduce(int *argc, char ***argv)
{
    const char *key = getenv("KPID_KEY"), *server = NULL, *value;
    struct kp_err err = {0};

    for (;;) {
        if ((value = value_of("--key", argc, argv)) != NULL)
            key = value;
        else if ((value = value_of("--server-key", argc, argv)) != NULL)
            server = value;
        else
            break;
    }
    if (identity_take(key && *key ? key : NULL, server, &err)) {
        fprintf(stderr, "kpictl: %s\nkpictl --help shows how it is used\n", err.text);
        return EXIT_WRONG;
    }
    return EXIT_WELL;
}

int main(int argc, char **argv)
{
    int status;

    hold_descriptors();
    setlocale(LC_CTYPE, "");
    status = introduce(&argc, &argv);
    status = status ? status : run(argc, argv);
    if ((fflush(stdout) == EOF || ferror(stdout)) && status == EXIT_WELL) {
        fputs("kpictl: the output can't be written\n", stderr);
        status = EXIT_FAILED;
    }
    return status;
}
