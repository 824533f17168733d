/* What a configuration asks beyond what one engine has room for: names of fields, fields tested, groupings, windows.
 *
 * The engine's own compiler says the first of it and gives up; this goes on and says all, so that a person can mend it
 * at once. */
#ifndef KPID_LIMITS_H
#define KPID_LIMITS_H

#include "kpid/config.h"
#include "kpid/err.h"

struct kp_limit_sink {
    /* KPI k of the configuration is the first for which there is no room. key: which of its keys asks too much, "by";
     * "": the whole of it. Both texts are good during the call. */
    void (*over)(void *ctx, size_t k, const char *key, const char *text);
    void *ctx;
};

/* Compile what has limits, and tell each KPI that passes one. Whatever is in the configuration must be whole; but formulas
 * that don't parse or lead nowhere are passed over, and of alerts only kpi and window are looked at. KP_ENOMEM: not all
 * was told. */
enum kp_code kp_limits_check(const struct kp_config *config, const struct kp_limit_sink *sink, struct kp_err *err) KP_CHECK;

#endif
