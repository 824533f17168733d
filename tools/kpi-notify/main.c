/* kpi-notify: takes alerts to people. */
#include "notify.h"

#include "faults.h"
#include "log.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: kpi-notify --config FILE\n"
    "       kpi-notify --check FILE\n"
    "\n"
    "Takes kpid's alerts to people: by e-mail, at once or in a daily digest; to a chat by a webhook; and to Prometheus'\n"
    "Alertmanager. One YAML file says who is told of what; tools/kpi-notify/README.md is its reference.\n"
    "\n"
    "  $ kpi-notify --check config/kpi-notify.yaml     say every fault in it, and end\n"
    "  $ kpi-notify --config config/kpi-notify.yaml    run in the foreground; lines of key=value go to stderr\n"
    "  $ kill -TERM PID                                end; what waits goes out after the next start\n"
    "\n"
    "The least that a file needs:\n"
    "\n"
    "  kpid: {publish: \"tcp://127.0.0.1:5560\", control: \"tcp://127.0.0.1:5561\"}\n"
    "  spool: /var/lib/kpi-notify\n"
    "  mail: {url: \"smtps://mail.example.com\", from: \"kpid <kpid@example.com>\"}\n"
    "  routes:\n"
    "    - {match: {severity: critical}, mail: [lead@example.com]}\n"
    "\n"
    "  --config FILE   run with these routes\n"
    "  --check FILE    check them; exit status 2 when there is a fault\n"
    "  --version       the version\n"
    "  --help          this\n"
    "\n"
    "Exit status: 0 ended as asked, 1 failed, 2 wrong use or configuration.\n";

/* False: every fault was printed. The caller releases it. */
static bool load(const char *file, struct notify_config *config)
{
    struct kp_fault_list faults;
    bool ok;

    kp_fault_list_init(&faults, file);
    ok = notify_config_load(file, config, &faults.faults) == 0;
    if (!ok)
        kp_fault_list_print(&faults, stderr);
    kp_fault_list_release(&faults);
    return ok;
}

static int check(const char *file)
{
    struct notify_config config;

    if (!load(file, &config))
        return 2;
    printf("%s: well (routes: %zu, people: %zu)\n", file, config.nroutes, config.npeople);
    notify_config_release(&config);
    return fflush(stdout) == 0 ? 0 : 1;
}

static int run(const char *file)
{
    struct notify_config config;
    struct kp_err err = {0};
    enum kp_code code;

    if (!load(file, &config))
        return 2;
    code = notify_run(&config, &err);
    if (code)
        kp_log(KP_LOG_ERROR, "event=failed error=\"%s\"", err.text);
    notify_config_release(&config);
    return code == KP_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"config", 1, NULL, 'c'}, {"check", 1, NULL, 'k'}, {"help", 0, NULL, 'h'},
                                          {"version", 0, NULL, 'v'}, {NULL, 0, NULL, 0}};
    const char *file = NULL, *checked = NULL;
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (c == 'v') {
            puts("kpi-notify " KPID_VERSION);
            return 0;
        }
        if (c != 'c' && c != 'k')
            return 2;
        *(c == 'c' ? &file : &checked) = optarg;
    }
    if (!file == !checked || optind < argc) {
        fputs("kpi-notify: needs --config FILE or --check FILE, and nothing else; --help tells more\n", stderr);
        return 2;
    }
    return file ? run(file) : check(checked);
}
