#include "config.h"
#include "daemon.h"
#include "faults.h"
#include "log.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: kpid --config FILE\n"
    "\n"
    "Takes events over ZeroMQ, keeps KPIs over rolling windows, publishes alerts and snapshots. One YAML file says it\n"
    "all; config/README.md is its reference, and kpictl check says every fault in one.\n"
    "\n"
    "  $ kpid --config config/kpid.yaml            run in the foreground; lines of key=value go to stderr\n"
    "  $ kill -TERM PID                            end: counts what has arrived, publishes a last snapshot\n"
    "\n"
    "  --config FILE   the configuration\n"
    "  --version       the version\n"
    "  --help          this\n"
    "\n"
    "Exit status: 0 ended as asked, 1 failed, 2 wrong use or configuration.\n";

static int run(const char *file)
{
    struct kp_fault_list faults;
    struct kp_config config;
    struct kp_err err = {0};
    enum kp_code code;

    kp_fault_list_init(&faults, file);
    if (kp_config_load(file, &config, &faults.faults)) {
        kp_fault_list_print(&faults, stderr);
        kp_fault_list_release(&faults);
        return 2;
    }
    kp_fault_list_release(&faults);
    code = kp_daemon_run(&config, &err);
    if (code)
        kp_log(KP_LOG_ERROR, "event=failed error=\"%s\"", err.text);
    kp_config_release(&config);
    return code == KP_OK ? 0 : code == KP_EINVAL || code == KP_ELIMIT ? 2 : 1;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"config", 1, NULL, 'c'}, {"help", 0, NULL, 'h'}, {"version", 0, NULL, 'v'}, {NULL, 0, NULL, 0}};
    const char *file = NULL;
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (c == 'v') {
            puts("kpid " KPID_VERSION);
            return 0;
        }
        if (c != 'c')
            return 2;
        file = optarg;
    }
    if (!file || optind < argc) {
        fputs("kpid: needs --config FILE and nothing else; --help tells more\n", stderr);
        return 2;
    }
    return run(file);
}
