/* Alerts about kpid itself and what it is fed by, for who runs it: a source that is silent, a store that fails. They look like any
 * other alert, of the company, under rules of kpid's own: "kpid.source", "kpid.storage". */
#ifndef KPID_OPERATOR_H
#define KPID_OPERATOR_H

#include "kpid/config.h"
#include "kpid/out.h"

enum { KP_OPERATOR_MAX = 256 };     /* at a time; more sources are not told of */

struct kp_operator_alert {
    const char *rule;       /* static */
    char subject[128];      /* the source, as far as there is room; "" */
    bool critical, firing;
    int64_t since_ms, time_ms;
    char message[400];
};

struct kp_operator {
    struct kp_operator_alert list[KP_OPERATOR_MAX];
    size_t n;
};

/* How it stands with something. Returns the alert when it began or ended by this, to be told; else NULL. message: what it says when it
 * begins. since_ms: when that was, which its id is of. */
const struct kp_operator_alert *kp_operator_set(struct kp_operator *op, const char *rule, const char *subject, bool critical,
                                                bool firing, const char *message, int64_t since_ms, int64_t now_ms);
size_t kp_operator_firing(const struct kp_operator *op);
/* Append the map of one, as of any alert. */
void kp_operator_encode(struct kp_out *out, const struct kp_operator_alert *alert, uint64_t seq);

#endif
