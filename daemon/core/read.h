/* Reading: the panes of a key, added up for its windows.
 *
 * All windows that end now are read in one walk from the newest pane to the oldest: each is a prefix of the next longer
 * one. So a key costs its panes, not its windows times its panes. */
#ifndef KPID_CORE_READ_H
#define KPID_CORE_READ_H

#include "store.h"

struct kp_reader {
    struct kp_store *store;     /* borrowed */
    struct kp_slab *slab;       /* owned; for sketches while they are added up */
    uint64_t *acc;              /* owned; words of the widest family */
    struct kp_number *numbers;  /* owned; by pair of the plan: the last reading */
    struct kp_number *operands; /* owned; by KPI, for formulas */
};

/* Let `when` be `at` if that lies before it, and after t: when to look again. */
static inline void kp_no_later(int64_t *when, int64_t at, int64_t t)
{
    if (at > t && at < *when)
        *when = at;
}

enum kp_code kp_reader_init(struct kp_reader *reader, struct kp_store *store, struct kp_err *err) KP_CHECK;
void kp_reader_release(struct kp_reader *reader);

/* Read every pair of the node's dimension into reader->numbers, as of t (the plan's bounds must be at t). Returns when
 * time alone will change one of them; INT64_MAX: never. */
int64_t kp_read_node(struct kp_reader *reader, uint32_t node, int64_t t);
/* What the periods before those that run came to: the pairs that the history reads. */
void kp_read_closed(struct kp_reader *reader, uint32_t node, int64_t t);

/* Read what a rule needs; its number. *changes_at: as above. */
struct kp_number kp_read_rule(struct kp_reader *reader, const struct kp_plan_rule *rule, uint32_t node, int64_t t,
                              int64_t *changes_at);

/* The same, for whoever asks of the number only what `answer` says of it: *changes_at is when that will be another as panes leave the
 * window, if nothing comes. It may be too early, and never is too late. */
typedef int (*kp_answer)(const struct kp_alert_cfg *cfg, struct kp_number number);
struct kp_number kp_read_rule_ahead(struct kp_reader *reader, const struct kp_plan_rule *rule, uint32_t node, int64_t t,
                                    kp_answer answer, int64_t *changes_at);

/* What a rule's number was in a stretch of the past whose ends are edges of its panes. */
struct kp_number kp_read_span(struct kp_reader *reader, const struct kp_plan_rule *rule, uint32_t node, int64_t from, int64_t to);

#endif
