/* Bytes of one message -> events, for MessagePack and JSON.
 *
 * A message holds one event (a map) or an array of events (a batch). Its first byte tells the formats apart:
 * '{' and '[' (after JSON white space) are JSON, all else is MessagePack.
 *
 * The schema is the list of the field names that somebody asks for. A field that nobody asked for is
 * skipped without a look at it, so an event costs what its used fields cost. Pure: no I/O, no clock. */
#ifndef KPID_EVENT_H
#define KPID_EVENT_H

#include "kpid/err.h"
#include "kpid/value.h"

enum kp_reason {
    KP_ACCEPTED = 0,
    KP_DUPLICATE,       /* not a rejection: counted and ignored */
    KP_MALFORMED,       /* no MessagePack or JSON, or trailing bytes */
    KP_NOT_A_MAP,
    KP_NO_TYPE,
    KP_BAD_TIME,
    KP_BAD_FIELD,       /* a reserved key of the wrong type, longer than KP_KEY_MAX, no UTF-8 or with a NUL */
    KP_FUTURE,
    KP_TOO_LATE,
    KP_UNKNOWN_REP,
    KP_TOO_LARGE,
    KP_LIMIT,
    KP_DENIED,          /* its sender may not speak for its source */
    KP_REASONS
};

/* The interface's word for it: "accepted", "duplicate", "malformed", ... Static string. */
const char *kp_reason_name(enum kp_reason reason);

#define KP_KEY_MAX 128          /* bytes of a reserved string: id, source, type, rep, a roster level */
#define KP_SLOTS_MAX 64         /* field names that one configuration may use, the reserved ones among them */
#define KP_TIME_MAX INT64_C(253402300799999)    /* the last ms of the year 9999; times lie in [0, KP_TIME_MAX] */

/* Slots of the reserved keys in every schema. */
enum kp_slot { KP_SLOT_ID, KP_SLOT_SOURCE, KP_SLOT_TYPE, KP_SLOT_TIME, KP_SLOT_REP, KP_SLOT_SEQ, KP_SLOT_AUTOMATED,
               KP_SLOT_FREE /* the first that is free */ };

struct kp_schema;       /* opaque; immutable once decoding has begun */

struct kp_schema *kp_schema_new(struct kp_err *err) KP_CHECK;
void kp_schema_destroy(struct kp_schema **schema);

/* The slot of name, added if new. -1: no slot left, or out of memory. A name added with string_only is
 * reserved: a value that is no string (nil aside), is longer than KP_KEY_MAX or no UTF-8 makes the event KP_BAD_FIELD. */
int kp_schema_add(struct kp_schema *schema, const char *name, bool string_only);

/* The slot of name, -1 if there is none. */
int kp_schema_find(const struct kp_schema *schema, const char *name, size_t len);
int kp_schema_count(const struct kp_schema *schema);
const char *kp_schema_name(const struct kp_schema *schema, int slot);

/* One event. Strings borrow from the message's bytes (MessagePack) or from the decoder (JSON, topic):
 * valid until the message is gone and the decoder has begun another one.
 *
 * A reserved key that is nil or an empty string counts as absent. v[s] is defined only where bit s of
 * present is set; a nil or nested free field is absent. v[KP_SLOT_TIME] is the instant in ms (KP_INT). */
struct kp_event {
    uint64_t present;
    int64_t time_ms;        /* event time, ms since the Unix epoch; meaningful when has_time */
    bool has_time;          /* false: the sender gave none, arrival stands for it */
    struct kp_value v[KP_SLOTS_MAX];
};

static inline bool kp_event_has(const struct kp_event *ev, int slot)
{
    return (ev->present >> slot) & 1;
}

struct kp_decoder;      /* opaque; owns the buffers that JSON needs; one thread at a time */

struct kp_decode_limits {
    size_t message;     /* bytes of a message; longer: KP_TOO_LARGE */
    uint32_t batch;     /* events of a message; more: KP_LIMIT for the whole message */
    uint32_t fields;    /* keys of an event; more: KP_LIMIT for that event */
};

/* Borrows schema, which must outlive the decoder. */
struct kp_decoder *kp_decoder_new(const struct kp_schema *schema, const struct kp_decode_limits *limits,
                                  struct kp_err *err) KP_CHECK;
void kp_decoder_destroy(struct kp_decoder **dec);

/* Begin a message. topic (may be empty) stands for an absent type. Borrows both until the next begin.
 * Returns KP_ACCEPTED, or the reason why the whole message is refused (KP_TOO_LARGE, KP_LIMIT, and for
 * JSON KP_MALFORMED: a JSON message is read whole); then kp_decode_next gives nothing. */
enum kp_reason kp_decode_begin(struct kp_decoder *dec, const void *bytes, size_t len, struct kp_str topic);

/* The next event of the message: KP_NEXT_EVENT fills *ev; KP_NEXT_REJECT tells in *reason why this one
 * can't be used (its index still counts) and leaves in *ev what of it was well; KP_NEXT_END. After broken framing (KP_MALFORMED) or trailing
 * bytes the message ends; events before it stand. A lone event with trailing bytes is KP_MALFORMED itself. */
enum kp_next { KP_NEXT_END, KP_NEXT_EVENT, KP_NEXT_REJECT };
enum kp_next kp_decode_next(struct kp_decoder *dec, struct kp_event *ev, enum kp_reason *reason);

/* Was the message that was begun last read as JSON? Its strings then lie in the decoder. */
bool kp_decode_is_json(const struct kp_decoder *dec);

/* Index in the message of the last event or rejection that kp_decode_next gave, from 0. */
uint32_t kp_decode_index(const struct kp_decoder *dec);

/* Where in a message of MessagePack the next event begins: how many bytes were read. */
size_t kp_decode_at(const struct kp_decoder *dec, const void *bytes);

/* Events that the message claims to hold, for a reply about a refused batch: at least 1, never more than its bytes. */
uint32_t kp_decode_claimed(const struct kp_decoder *dec);

#endif
