/* Who has to be heard of how often. A source that is silent for longer than its heartbeat makes what it feeds "no data":
 * a number that stands still because nobody reports is not a number that stands still because nobody works.
 *
 * Which KPIs a source feeds is told by those that name it in a `where`, and learned from its events. What is heard is an instant: with `clock: wall` that of arrival,
 * with `clock: event` the event's own, so that the order of arrival does not matter. Once a source has said `covered_until`,
 * only that counts. */
#ifndef KPID_CORE_SOURCES_H
#define KPID_CORE_SOURCES_H

#include "plan.h"

#include "kpid/engine.h"

struct kp_sources;

struct kp_sources *kp_sources_new(const struct kp_plan *plan, struct kp_err *err) KP_CHECK;
void kp_sources_destroy(struct kp_sources **sources);

/* The index of a source that is configured; -1: it is not. */
int kp_sources_find(const struct kp_sources *sources, struct kp_str name);
/* It was heard of at t. */
void kp_sources_heard(struct kp_sources *sources, int source, int64_t t);
/* Its events are complete up to t. */
void kp_sources_covered(struct kp_sources *sources, int source, int64_t t);
/* An event of it fed the KPIs of a set: bit k for KPI k. Cheap when it is the same set as the time before. */
void kp_sources_feeds(struct kp_sources *sources, int source, uint16_t set, const uint64_t *bits);

/* Bring them to t. True: the KPIs that have no data are others than before. */
bool kp_sources_at(struct kp_sources *sources, int64_t t);
/* Has something been told since that kp_sources_at should look at before the next instant? */
bool kp_sources_stale(const struct kp_sources *sources);
/* The next instant at which one falls silent; INT64_MAX: none. */
int64_t kp_sources_due(const struct kp_sources *sources);
/* Is a source silent that feeds the KPI? */
bool kp_sources_no_data(const struct kp_sources *sources, int kpi);

void kp_sources_view(const struct kp_sources *sources, size_t i, struct kp_source_view *view);

#endif
