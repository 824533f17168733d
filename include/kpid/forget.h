/* Who is to be forgotten: a rep, or whoever else a field of events names. */
#ifndef KPID_FORGET_H
#define KPID_FORGET_H

#include "kpid/err.h"
#include "kpid/value.h"

struct kp_engine;

/* All borrowed. */
struct kp_forget {
    struct kp_str field;    /* of events: "rep", "client" */
    struct kp_str level;    /* of the roster, whose keys are such values: that of the reps; empty for all other fields */
    struct kp_str key;
};

/* Does a key of a level mean them? Of several values ("@region,client") one of them must. */
bool kp_forget_is_key(const struct kp_forget *who, struct kp_str level, struct kp_str key);
/* Does a value of the field mean them? A number does whose text is the key. */
bool kp_forget_is_value(const struct kp_forget *who, const struct kp_value *value);

/* Whom a field and a key mean to an engine. field: empty for reps; known by one of its KPIs, or one of the usual ones. *who borrows
 * from both and from the engine. KP_EINVAL with a sentence for whoever asked: there is no such field, it names nobody, or the key
 * stands in the roster. */
enum kp_code kp_engine_whom(const struct kp_engine *engine, struct kp_str field, struct kp_str key, struct kp_forget *who,
                            struct kp_err *err) KP_CHECK;

struct kp_forgotten {
    uint32_t keys, entities, silences;
};
/* Forget them now: their keys with their numbers, alerts (told as resolved, reason "forgotten") and the ids of what they did; what
 * follows them as a lead, deal, client; silences of them. What they have added to teams, regions and the company stays; what is
 * taken back of it later is taken from the team. As kp_engine_whom gave it. Looks at all keys, and all that is followed. */
struct kp_forgotten kp_engine_forget(struct kp_engine *engine, const struct kp_forget *who);

#endif
