/* Take somebody's events out of a chunk of the journal. */
#ifndef KPID_SCRUB_H
#define KPID_SCRUB_H

#include "kpid/forget.h"

#include <stddef.h>

struct kp_scrubber;     /* opaque; one thread at a time */

/* who: borrowed, and outlives it. */
struct kp_scrubber *kp_scrubber_new(const struct kp_forget *who, struct kp_err *err) KP_CHECK;
void kp_scrubber_destroy(struct kp_scrubber **scrubber);

struct kp_scrubbed {
    const unsigned char *data;  /* borrowed from the scrubber, until the next call; never longer than what it came of */
    size_t len;
    uint32_t events;        /* taken out that had been counted */
    bool changed;
};
/* What is left of a chunk: an event of theirs in a batch becomes nil, so that the others keep their indexes, and alone goes with its
 * message; so does what of a message can't be read and has their key in it. All requests go: they have had their effect.
 * Of a chunk that is not as kpid writes it, what can't be read goes. KP_ENOMEM. */
enum kp_code kp_scrub(struct kp_scrubber *scrubber, const unsigned char *data, size_t len, struct kp_scrubbed *scrubbed,
                      struct kp_err *err) KP_CHECK;

#endif
