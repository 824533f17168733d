/* Alerts: one state machine for each rule and each key of the rule's level.
 *
 *     inactive --breach--> pending --for--> firing --back by clear, for keep_firing_for--> inactive ("resolved")
 *
 * One rule watching one key is a *watch*; so is a crowd, which stands for a parent's members that fire together
 * (alert_crowd.c), and an entity that is open (alert_stall.c). A watch is looked at when an event that feeds its KPI has
 * touched its key, and when its timer is due: the end of `for`, of `keep_firing_for`, of `repeat`, the instant when a
 * pane leaves the window and makes a difference, or the period ends, or when what is expected by then may be out of
 * reach (judge.h). So an alert needs no event to fire, and nothing is polled. Outside of its key's working hours none
 * begins, and while a source is silent that it needs, it stays as it is. One that is silenced or acknowledged goes on as
 * ever, but is not repeated.
 * 128 bytes a watch, and 20 in the timers; 48 more with a baseline. */
#ifndef KPID_CORE_ALERT_H
#define KPID_CORE_ALERT_H

#include "entity.h"
#include "heap.h"
#include "read.h"
#include "target.h"
#include "recent.h"
#include "sources.h"

#include "kpid/engine.h"

struct kp_alerts;

/* What is asked before somebody is troubled again: a silenced alert, or one that is acknowledged, is not repeated. */
struct kp_hush {
    const struct kp_silences *silences;
    struct kp_acks *acks;       /* one is dropped when its alert is over, or becomes worse */
};

/* All borrowed; nobody else reads with the reader. entities: NULL where nothing is followed. engine is what the sink is told. */
struct kp_alerts *kp_alerts_new(struct kp_store *store, struct kp_targets *targets, const struct kp_sources *sources,
                                struct kp_reader *reader, struct kp_recent *recent, struct kp_feeds *feeds,
                                const struct kp_entities *entities, const struct kp_hush *hush, struct kp_engine *engine,
                                const struct kp_alert_sink *sink, struct kp_err *err) KP_CHECK;
/* Events are remembered elsewhere now. */
void kp_alerts_rebind(struct kp_alerts *alerts, struct kp_recent *recent);
void kp_alerts_destroy(struct kp_alerts **alerts);

/* Give a node its states, to be looked at for the first time as soon as there is time. False: out of memory. */
bool kp_alerts_enter(struct kp_alerts *alerts, uint32_t node) KP_CHECK;
/* May the node be forgotten: is none of its states pending or firing? */
bool kp_alerts_idle(const struct kp_alerts *alerts, uint32_t node);
void kp_alerts_leave(struct kp_alerts *alerts, uint32_t node);
/* The same of a node that may not: what is pending or firing is told as resolved, reason "forgotten". */
void kp_alerts_forget(struct kp_alerts *alerts, uint32_t node, int64_t t);

/* Something touched the node that feeds the KPIs of a set: its rules that read one of them are to be looked at, as well as those
 * that look at more than their KPI. */
void kp_alerts_touch(struct kp_alerts *alerts, uint32_t node, uint16_t feeds);

/* The first instant that there is. */
void kp_alerts_begin(struct kp_alerts *alerts, int64_t t);
/* There is an event of the past: older than all, or a day old. */
void kp_alerts_past(struct kp_alerts *alerts, int64_t time_ms);
/* An event of a node feeds the KPIs of a set: those that were silent are heard of. Only for levels with such a rule:
 * kp_plan.silence_levels. */
void kp_alerts_heard(struct kp_alerts *alerts, uint32_t node, uint16_t feeds, int64_t time_ms);

/* Where an entity that is open stands by an outlet of the plan: since when, and credited to whom in a dimension. */
struct kp_standing {
    int outlet, dim;
    uint32_t entity, node;      /* node KP_NO_NODE: nowhere; it was closed, or is forgotten */
    int64_t since_ms;
};
void kp_alerts_stands(struct kp_alerts *alerts, const struct kp_standing *at, int64_t t);
/* Sources are silent, or heard of, that were not before: what is watched beside the keys is to be looked at. */
void kp_alerts_sources_changed(struct kp_alerts *alerts);

/* Run what is due before t, each at its own instant; brings the bounds of the plan there. At most limits.leap of them: when
 * an event claims to come from the year 9999, what is left is looked at once, at t, by kp_alerts_settle, and counted. */
void kp_alerts_run_before(struct kp_alerts *alerts, int64_t t);
/* Look at what was touched and at what is due at t, at most `most`; true when some is left. */
bool kp_alerts_settle(struct kp_alerts *alerts, int64_t t, size_t most);
int64_t kp_alerts_due(const struct kp_alerts *alerts);

/* How a node's number stands against the thresholds of a rule now, for snapshots; NONE: too few samples to say, or too early
 * in the period. */
enum kp_status kp_alerts_status(struct kp_alerts *alerts, const struct kp_plan_rule *rule, uint32_t node,
                                struct kp_number number, int64_t t);

/* Go through those that are pending or firing, and ask of each whether it is to be told once more when it is looked at, which
 * will be soon. */
enum kp_again { KP_AGAIN_NOT, KP_AGAIN_IF_OTHERWISE /* than it was told: silenced, or not */, KP_AGAIN };
void kp_alerts_tell_again(struct kp_alerts *alerts,
                          enum kp_again (*ask)(void *ctx, uint64_t id, const struct kp_subject *subject), void *ctx);

/* End those that are pending or firing of rules that are not to stay; reason "rule_removed". */
void kp_alerts_end_rules(struct kp_alerts *alerts, int64_t t, bool (*stays)(void *ctx, const struct kp_alert_cfg *rule), void *ctx);

void kp_alerts_each(struct kp_alerts *alerts, int64_t t, void (*each)(void *ctx, const struct kp_alert *alert), void *ctx);

/* As bytes, and back into new ones whose keys have entered. Of a rule that is gone, or is another one now, nothing is kept; one
 * that is new looks at all its keys as soon as there is time. */
void kp_alerts_save(const struct kp_alerts *alerts, struct kp_save *save);
void kp_alerts_load(struct kp_alerts *alerts, struct kp_load *load, const struct kp_image_map *map);

struct kp_alerts_stats {
    uint64_t evaluations, pending, firing;
    uint64_t leaps_cut;     /* leaps of event time with more to look at on the way than limits.leap */
    size_t bytes;
};
void kp_alerts_stats(const struct kp_alerts *alerts, struct kp_alerts_stats *stats);

#endif
