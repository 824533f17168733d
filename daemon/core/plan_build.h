/* What the parts of the plan's compiler share. Internal to it. */
#ifndef KPID_CORE_PLAN_BUILD_H
#define KPID_CORE_PLAN_BUILD_H

#include "plan.h"

/* Room for one more element, cleared, behind `count` others. NULL: out of memory. */
void *kp_plan_grow(void *array, int count, size_t size);
bool kp_plan_push(int **list, int *count, int value);
enum kp_code kp_plan_no_memory(struct kp_err *err);
/* What a KPI reaches first of a plan's limits; each text is "kpis.NAME.KEY: what". */
enum kp_code kp_plan_too_many_names(const struct kp_kpi_cfg *cfg, struct kp_err *err);
enum kp_code kp_plan_too_many_tested(const struct kp_kpi_cfg *cfg, struct kp_err *err);

/* ---- plan.c: the steps that may reach a limit, for the plan itself and for limits.c ---- */
enum kp_code kp_plan_add_levels(struct kp_plan *plan, struct kp_err *err) KP_CHECK;
enum kp_code kp_plan_add_kpi(struct kp_plan *plan, int k, struct kp_err *err) KP_CHECK;
/* Once all KPIs are added: each in each window that it, a formula over it or an alert names. */
enum kp_code kp_plan_add_pairs(struct kp_plan *plan, struct kp_err *err) KP_CHECK;
enum kp_code kp_plan_find_family(struct kp_plan *plan, struct kp_plan_kpi *kpi, struct kp_err *err) KP_CHECK;

/* The pair of a KPI and a window; -1: there is none. */
int kp_plan_find_pair(const struct kp_plan *plan, int k, const char *text);
/* The same, made if it is new; its operands get theirs. -1: out of memory. */
int kp_plan_add_pair(struct kp_plan *plan, int k, const struct kp_window *window, bool shown);

/* The value that an `of` names, made if it is new; -1 with a reason. */
int kp_plan_value(struct kp_plan *plan, const struct kp_kpi_cfg *cfg, const char *field, bool numeric, struct kp_err *err);

/* ---- plan_track.c ---- */
/* Is the KPI fed by what happened to an entity? */
bool kp_plan_is_tracked(const struct kp_kpi_cfg *cfg);
/* Give a KPI whose dimension is known its space, tracker and outlet. */
enum kp_code kp_plan_track(struct kp_plan *plan, int k, struct kp_err *err) KP_CHECK;
/* Once the cells have their places and the rules are known: the ops of all outlets. */
enum kp_code kp_plan_outlets(struct kp_plan *plan, struct kp_err *err) KP_CHECK;
void kp_plan_release_tracks(struct kp_plan *plan);

/* ---- plan_rule.c ---- */
/* Windows that keep panes for a rule's baseline. False: out of memory. */
bool kp_plan_add_spare(struct kp_plan *plan, int k, const struct kp_alert_cfg *cfg);
/* Compile the rules, once all cells have their places. */
enum kp_code kp_plan_rules(struct kp_plan *plan, struct kp_err *err) KP_CHECK;
void kp_plan_release_rules(struct kp_plan *plan);

/* Note what a rule, or a contest, reads for a pair. False: out of memory. */
bool kp_plan_rule_needs(struct kp_plan *plan, struct kp_plan_rule *rule, int pair);
void kp_plan_release_rule(struct kp_plan_rule *rule);

/* ---- plan_contest.c ---- */
/* The spans, and the copies of KPIs that count in them, behind those that are configured; what is unknown is passed over. Not yet
 * compiled: kp_plan_add_kpi does that by kp_plan_copy_kpi, once the KPIs that they copy are. */
enum kp_code kp_plan_add_spans(struct kp_plan *plan, struct kp_err *err) KP_CHECK;
enum kp_code kp_plan_copy_kpi(struct kp_plan *plan, int k, struct kp_err *err) KP_CHECK;
/* Each copy in its span. False: out of memory. */
bool kp_plan_add_span_pairs(struct kp_plan *plan);
/* Compile the contests, once all cells have their places. */
enum kp_code kp_plan_contests(struct kp_plan *plan, struct kp_err *err) KP_CHECK;
void kp_plan_release_contests(struct kp_plan *plan);

/* ---- plan_clock.c ---- */
/* Make the clocks, once all pairs are there; then give each family its windows on all of them. */
enum kp_code kp_plan_clocks(struct kp_plan *plan, struct kp_err *err) KP_CHECK;
enum kp_code kp_plan_spread_clocks(struct kp_plan *plan, struct kp_err *err) KP_CHECK;

#endif
