/* Any bytes as a rule test file: it is faulty and says so, or its tests are run to their end, whatever comes of them. */
#include "rules.h"

#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What fails is told to stdout, which nobody reads here. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return freopen("/dev/null", "w", stdout) ? 0 : 1;
}

static void count_only(void *ctx, struct kp_loc loc, const char *path, const char *text)
{
    size_t *length = ctx;

    (void)loc;
    for (; *path; path++)
        ++*length;
    for (; *text; text++)
        ++*length;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    size_t length = 0;
    struct kp_faults faults = {.add = count_only, .ctx = &length};
    struct rules_file file = {.name = "fuzz.yaml"};
    struct rules_sums sums = {0};
    struct kp_err err = {0};

    if (rules_load_bytes(&file, NULL, (const char *)bytes, len, &faults)) {
        for (size_t i = 0; i < file.ntests; i++)
            if (rules_run(&file.tests[i], &sums, &err) != KP_OK && !err.text[0])
                abort();
        if (sums.tests != file.ntests || sums.failed_checks > sums.checks)
            abort();
    } else if (!length) {
        abort();
    }
    rules_release(&file);
    return 0;
}
