/* `where`, compiled: which filters does an event match, without comparing a string twice.
 *
 * Every field that a filter names gets a small classifier: a value falls into one of a few classes within which no test
 * of any filter can tell two values apart (a string that is named somewhere; the strings between; the intervals between
 * the numbers that are named). The classes of all those fields together are an event's signature. Events of one
 * signature match the same filters, so the filters themselves are only tried for a signature that is new. */
#ifndef KPID_CORE_FILTER_H
#define KPID_CORE_FILTER_H

#include "kpid/config.h"
#include "kpid/event.h"

enum { KP_FILTER_FIELDS_MAX = 32, KP_PRINT_FIELDS = 8, KP_PRINTS_MAX = 32 };

struct kp_filters;      /* opaque: the set of all filters of a configuration */

struct kp_signature {
    uint16_t cls[KP_FILTER_FIELDS_MAX];
};

struct kp_filters *kp_filters_new(struct kp_err *err) KP_CHECK;
void kp_filters_destroy(struct kp_filters **filters);

/* Add a where (borrowed: it must outlive the set); its index, that of an equal one if there is one.
 * -1: too many fields, or out of memory. */
int kp_filters_add(struct kp_filters *filters, struct kp_schema *schema, const struct kp_where *where);
int kp_filters_count(const struct kp_filters *filters);
/* What filter i was made of. */
const struct kp_where *kp_filters_where(const struct kp_filters *filters, int i);

/* Call once after the last kp_filters_add. */
enum kp_code kp_filters_seal(struct kp_filters *filters, struct kp_err *err) KP_CHECK;

/* The event's signature; the bytes past kp_filters_width() are not touched. Returns a hash of it. */
uint32_t kp_filters_sign(const struct kp_filters *filters, const struct kp_event *ev, struct kp_signature *sig);
size_t kp_filters_width(const struct kp_filters *filters);     /* bytes of a signature that count */

/* What prints are taken with: a secret of the process. */
void kp_filters_seed(struct kp_filters *filters, uint64_t seed);

/* Fingerprints of what the fields that filters name hold, of n events, at most KP_PRINTS_MAX. Events of one print have the same
 * signature, and a print takes a fraction of what a signature does. Returns those that have none (bit i: event i): they hold something
 * else there than texts of up to 16 bytes, or there are more than KP_PRINT_FIELDS fields. */
uint32_t kp_filters_print(const struct kp_filters *filters, const struct kp_event *const *events, size_t n, kp_u128 *prints);

/* Does the event match filter i? Tries the tests themselves. */
bool kp_filters_match(const struct kp_filters *filters, int i, const struct kp_event *ev);

#endif
