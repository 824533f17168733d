/* What a KPI counts, in words: out of the configuration, for whoever asks where a number comes from. */
#ifndef KPID_CORE_DESCRIBE_H
#define KPID_CORE_DESCRIBE_H

#include "kpid/config.h"

/* "number of events where {type: call, direction: outbound}", "mean of the seconds from {type: lead} to {type: stage, stage:
 * won} of each deal". A formula is its own text. NUL-terminated and cut at size (over 0). */
void kp_describe_kpi(const struct kp_config *config, const struct kp_kpi_cfg *kpi, char *buf, size_t size);

#endif
