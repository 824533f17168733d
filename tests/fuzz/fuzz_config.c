/* Any bytes as a configuration: they load or are answered with faults, and nothing is lost or overrun. What loads must
 * also make an engine, or say why not. */
#include "config.h"

#include "kpid/engine.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

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
    struct kp_config config;
    int found = kp_config_load_bytes("fuzz.yaml", NULL, bytes, len, &config, &faults);

    if (found < 0 || (size_t)found != faults.count || (found && !length))
        abort();
    if (found == 0) {
        struct kp_err err = {0};
        struct kp_engine *engine;

        config.limits.dedup = 1000;         /* room is taken for the worst case; here a small one will do */
        config.limits.recent = 100;
        engine = kp_engine_new(&config, 1, NULL, &err);
        if (!engine && !err.text[0])
            abort();
        kp_engine_destroy(&engine);
    }
    kp_config_release(&config);
    return 0;
}
