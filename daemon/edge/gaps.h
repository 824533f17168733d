/* What best-effort sockets lost: gaps in the `seq` of each source.
 *
 * A source's seq rises by one; a jump ahead is a gap of that many events. One that is a little smaller than expected is an
 * event that came late or again, and changes nothing; one that is much smaller, or 0 or 1, is a source that began anew, and
 * counting goes on from it. */
#ifndef KPID_GAPS_H
#define KPID_GAPS_H

#include "kpid/value.h"

enum { KP_GAP_SOURCES = 1024, KP_GAP_NAME = 128, KP_GAP_LATE = 1000 };

struct kp_gap_source {
    char name[KP_GAP_NAME];
    uint8_t len;
    bool used;
    int64_t next;           /* the seq expected */
    uint64_t missed;
};
struct kp_gaps {
    struct kp_gap_source sources[KP_GAP_SOURCES * 2];
    uint32_t count;
    uint64_t untracked;     /* events of sources beyond KP_GAP_SOURCES */
};

void kp_gaps_note(struct kp_gaps *gaps, struct kp_str source, int64_t seq);

#endif
