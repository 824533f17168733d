/* From messages to the engine: decodes them, hands their events over up to KP_APPLY_MAX at a time, and counts what became of each.
 *
 * Used for what comes from sockets and for what was journaled: both take the same way. */
#ifndef KPID_INTAKE_H
#define KPID_INTAKE_H

#include "record.h"

#include "kpid/engine.h"
#include "kpid/histogram.h"

enum { KP_TALLY_ERRORS = 100 /* told one by one; the rest is only counted */ };

/* What became of the events since the tally was cleared. */
struct kp_tally {
    uint64_t accepted, duplicates, rejected;
    struct kp_reject {
        uint32_t index;         /* in its message */
        enum kp_reason reason;
    } errors[KP_TALLY_ERRORS];
    size_t nerrors;
};

struct kp_intake_stats {
    uint64_t messages, bytes;
    uint64_t accepted, duplicates;
    uint64_t rejected[KP_REASONS];      /* before or in the engine */
    struct kp_histogram lag_ms;         /* how old events are when they come: of those applied together, the last that tells its time */
};

/* Who wants to know: of an event that was rejected (ev NULL: it could not be read), and of each that was read; and whether an
 * event that was read is denied. Each may be NULL. */
struct kp_intake_sink {
    bool (*denies)(void *ctx, const struct kp_event *ev);
    void (*rejected)(void *ctx, enum kp_reason reason, const struct kp_event *ev);
    void (*read)(void *ctx, const struct kp_event *ev);
    void *ctx;
};

struct kp_intake;

/* Borrows the engine, and reads by its schema and the limits of its configuration. */
struct kp_intake *kp_intake_new(struct kp_engine *engine, const struct kp_intake_sink *sink, struct kp_err *err) KP_CHECK;
/* Go on with another engine, whose configuration may be another one. KP_ENOMEM: it goes on with the old one. */
enum kp_code kp_intake_rebind(struct kp_intake *intake, struct kp_engine *engine, struct kp_err *err) KP_CHECK;
void kp_intake_destroy(struct kp_intake **intake);

/* Take a message that arrived at now_ms; its bytes and topic must last until the next kp_intake_flush. Returns how many events it
 * has that the engine decides about. */
uint32_t kp_intake_take(struct kp_intake *intake, const void *bytes, size_t len, struct kp_str topic, int64_t now_ms);
/* The last message as it is to be journaled, with those of its events that were denied; borrows from it and the intake. */
struct kp_record kp_intake_record(const struct kp_intake *intake);
/* Take a message that was journaled: the same are denied again, whoever may do what by now. */
void kp_intake_again(struct kp_intake *intake, const struct kp_record *record, int64_t now_ms);
/* Are the sink's `denies` to be asked of what comes next? */
void kp_intake_guard(struct kp_intake *intake, bool guarded);
/* Count a message that is none. */
void kp_intake_refuse(struct kp_intake *intake, enum kp_reason reason);
/* Was the last message JSON? Then it is done with already, and its reply is to be JSON, too. */
bool kp_intake_is_json(const struct kp_intake *intake);
/* Would a message be read as JSON? */
static inline bool kp_intake_looks_json(const char *bytes, size_t len)
{
    return len && (bytes[0] == '{' || bytes[0] == '[' || bytes[0] == ' ' || bytes[0] == '\n');
}
/* Give the engine what waits. */
void kp_intake_flush(struct kp_intake *intake);

/* As of the last flush. */
const struct kp_tally *kp_intake_tally(const struct kp_intake *intake);
void kp_intake_clear(struct kp_intake *intake);     /* the tally */
const struct kp_intake_stats *kp_intake_stats(const struct kp_intake *intake);

#endif
