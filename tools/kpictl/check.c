#include "kpictl.h"

#include "kpid/engine.h"

#include <string.h>

static const char help[] =
    "usage: kpictl check FILE\n"
    "\n"
    "Read a configuration as the daemon would. Every fault is told at once, each where it stands:\n"
    "\n"
    "  $ kpictl check config/kpid.yaml\n"
    "  config/kpid.yaml: well: N KPIs, N alerts, N members\n"
    "\n"
    "  $ kpictl check mine.yaml\n"
    "  mine.yaml:12:5: kpis.calls.agregate: unknown key \"agregate\"; did you mean \"aggregate\"?\n"
    "\n"
    "Exit status: 0 well, 2 faults.\n";

int kpictl_check(int argc, char **argv)
{
    struct kp_config config;
    struct kp_err err = {0};
    struct kp_engine *engine;
    bool ok;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(help, stdout);
        return EXIT_WELL;
    }
    if (argc != 2 || argv[1][0] == '-')
        return kpictl_wrong("check", "needs one FILE");
    if (!kpictl_load(argv[1], &config))
        return EXIT_WRONG;
    engine = kp_engine_new(&config, 0, NULL, &err);
    if (!engine)
        fprintf(stderr, "%s: %s\n", argv[1], err.text);
    else
        printf("%s: well: %zu KPIs, %zu alerts, %zu members\n", argv[1], config.nkpis, config.nalerts,
               config.roster.nmembers);
    ok = engine != NULL;
    kp_engine_destroy(&engine);
    kp_config_release(&config);
    return ok ? EXIT_WELL : EXIT_WRONG;
}
