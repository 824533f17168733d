#include "config.h"
#include "daemon.h"
#include "faults.h"
#include "log.h"
#include "user.h"

#include "kpid/engine.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: kpid [--check] [--user NAME] --config FILE\n"
    "\n"
    "Takes events over ZeroMQ, keeps KPIs over rolling windows, publishes alerts and snapshots. One YAML file says it\n"
    "all; config/README.md is its reference, and kpictl check says every fault in one.\n"
    "\n"
    "  $ kpid --config config/kpid.yaml            run in the foreground; lines of key=value go to stderr\n"
    "  $ kill -TERM PID                            end: counts what has arrived, publishes a last snapshot\n"
    "\n"
    "  --config FILE   the configuration\n"
    "  --check         look whether it is well, and end\n"
    "  --user NAME     when root starts it: become this user first, and read and open everything as that\n"
    "  --version       the version\n"
    "  --help          this\n"
    "\n"
    "Exit status: 0 ended as asked, 1 failed, 2 wrong use or configuration.\n";

/* Does an engine take it? */
static enum kp_code look(const struct kp_config *config, struct kp_err *err)
{
    struct kp_engine *engine = kp_engine_new(config, 0, NULL, err);

    if (!engine)
        return err->code ? err->code : KP_EINVAL;
    kp_engine_destroy(&engine);
    printf("%s: well: %zu KPIs, %zu alerts, %zu members\n", config->file, config->nkpis, config->nalerts, config->roster.nmembers);
    return KP_OK;
}

static int run(const char *file, bool check)
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
    code = check ? look(&config, &err) : kp_daemon_run(&config, &err);
    if (code && check)
        fprintf(stderr, "%s: %s\n", file, err.text);
    else if (code)
        kp_log(KP_LOG_ERROR, "event=failed error=\"%s\"", err.text);
    kp_config_release(&config);
    return code == KP_OK ? 0 : code == KP_EINVAL || code == KP_ELIMIT ? 2 : 1;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"config", 1, NULL, 'c'}, {"check", 0, NULL, 'k'}, {"user", 1, NULL, 'u'}, {"help", 0, NULL, 'h'}, {"version", 0, NULL, 'v'}, {NULL, 0, NULL, 0}};
    const char *file = NULL, *user = NULL;
    struct kp_err err = {0};
    bool check = false;
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
        if (c == '?')
            return 2;
        check |= c == 'k';
        file = c == 'c' ? optarg : file;
        user = c == 'u' ? optarg : user;
    }
    if (!file || optind < argc) {
        fputs("kpid: needs --config FILE and nothing else; --help tells more\n", stderr);
        return 2;
    }
    if (user && kp_become_user(user, &err)) {
        fprintf(stderr, "kpid: %s\n", err.text);
        return 2;
    }
    return run(file, check);
}
