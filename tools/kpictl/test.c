/* Rule tests: does the configuration speak up when it should, and only then? */
#include "kpictl.h"

#include "rules.h"

#include <getopt.h>
#include <string.h>

static const char help[] =
    "usage: kpictl test [--only TEXT] FILE...\n"
    "\n"
    "Run the tests of a configuration. Each tells events and what must hold at given times:\n"
    "\n"
    "  config: kpid.yaml\n"
    "  tests:\n"
    "    - name: a rep far behind on calls is told of\n"
    "      date: 2026-11-24\n"
    "      only: {rule: behind_on_calls, key: ana}\n"
    "      events:\n"
    "        - {type: call, rep: ana, direction: outbound, time: every 1h from 09:00 to 12:00}\n"
    "      expect:\n"
    "        - {at: 10:00, firing: []}\n"
    "        - {at: 16:00, firing: [{severity: critical, value: 3}]}\n"
    "        - {at: 16:00, kpis: [{kpi: calls_made, window: day, key: ana, value: 3, target: 20}]}\n"
    "\n"
    "  $ kpictl test config/kpid.test.yaml\n"
    "  config/kpid.test.yaml: well: N tests, N checks\n"
    "\n"
    "  $ kpictl test --only lunch config/kpid.test.yaml         those whose name has \"lunch\" in it\n"
    "\n"
    "What fails is shown with what was expected and what was got side by side. tools/kpictl/README.md tells all of the\n"
    "format: compact repetition, files of events, clock changes, changes of alerts.\n"
    "\n"
    "Exit status: 0 well, 1 something failed, 2 wrong use or a faulty file.\n";

struct options {
    const char *only;
    size_t matched;
};

static int run_tests(struct rules_file *file, struct options *opt)
{
    struct rules_sums sums = {0};
    struct kp_err err = {0};

    for (size_t i = 0; i < file->ntests; i++) {
        if (opt->only && !strstr(file->tests[i].name, opt->only))
            continue;
        opt->matched++;
        if (rules_run(&file->tests[i], &sums, &err) != KP_OK)
            return kpictl_failed("test", "%s: %s: %s", file->name, file->tests[i].name, err.text);
    }
    if (sums.failed_tests)
        printf("%s: FAILED: %zu of %zu tests, %zu of %zu checks\n", file->name, sums.failed_tests, sums.tests,
               sums.failed_checks, sums.checks);
    else if (sums.tests || !opt->only)
        printf("%s: well: %zu tests, %zu checks\n", file->name, sums.tests, sums.checks);
    return sums.failed_tests ? EXIT_FAILED : EXIT_WELL;
}

static int run_file(const char *name, struct options *opt)
{
    struct rules_file file = {.name = name};
    struct kp_fault_list faults;
    int status = EXIT_WRONG;

    kp_fault_list_init(&faults, name);
    if (rules_load(&file, &faults.faults))
        status = run_tests(&file, opt);
    else
        kp_fault_list_print(&faults, stderr);
    kp_fault_list_release(&faults);
    rules_release(&file);
    return status;
}

int kpictl_test(int argc, char **argv)
{
    enum { OPT_ONLY = 1, OPT_HELP };
    static const struct option longs[] = {{"only", 1, NULL, OPT_ONLY}, {"help", 0, NULL, OPT_HELP}, {NULL, 0, NULL, 0}};
    struct options opt = {0};
    int c, worst = EXIT_WELL;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case OPT_ONLY:
            opt.only = optarg;
            break;
        case OPT_HELP:
            fputs(help, stdout);
            return EXIT_WELL;
        default:
            return EXIT_WRONG;
        }
    }
    if (optind == argc)
        return kpictl_wrong("test", "needs a FILE");
    for (; optind < argc; optind++) {
        int status = run_file(argv[optind], &opt);

        worst = status > worst ? status : worst;
    }
    if (opt.only && !opt.matched && worst == EXIT_WELL)
        return kpictl_wrong("test", "--only %s: no test has that in its name", opt.only);
    return worst;
}
