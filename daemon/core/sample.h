/* From an event's fields to the samples that cells take: numbers as millionths of the base currency, bins and hashes. */
#ifndef KPID_CORE_SAMPLE_H
#define KPID_CORE_SAMPLE_H

#include "match.h"

enum { KP_SAMPLES_MAX = KP_SLOTS_MAX * 2 };

struct kp_sampler {
    const struct kp_plan *plan;         /* borrowed */
    uint64_t *missing, *out_of_range;   /* owned; by KPI: events left out */
    uint64_t currency_unknown;          /* events whose amount nobody could convert */
};

enum kp_code kp_sampler_init(struct kp_sampler *sampler, const struct kp_plan *plan, struct kp_err *err) KP_CHECK;
void kp_sampler_release(struct kp_sampler *sampler);

/* The samples of a program's values, and the counts of KPIs that an unusable one leaves out. hash: of the value that
 * program->hashed names, where it is known already; else NULL. */
void kp_samples_take(struct kp_sampler *sampler, const struct kp_program *program, const struct kp_event *ev, const uint64_t *hash,
                     struct kp_sample samples[KP_SAMPLES_MAX]);

/* What makes two values the same one: 5.0 and 5 are, 5 and "5" are not. */
uint64_t kp_sample_hash(const struct kp_value *v);

#endif
