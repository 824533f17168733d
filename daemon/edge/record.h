/* What a chunk of the journal holds: the messages of one turn of the loop, as they came, one after the other.
 *
 * Each is a MessagePack array, so that any tool can read a chunk: [topic or nil, payload] of events, [payload] of a request that
 * changed something; texts and payloads are of the types str 32 and bin 32. */
#ifndef KPID_RECORD_H
#define KPID_RECORD_H

#include "kpid/value.h"

struct kp_record {
    bool is_request;
    struct kp_str topic;    /* .len 0: none */
    const void *bytes;      /* borrowed from the chunk */
    uint32_t len;
};

/* What stands before the payload's bytes; returns its length, at most KP_RECORD_HEAD, the topic left out: put it between the two
 * parts, at *topic_at. */
enum { KP_RECORD_HEAD = 12 };
size_t kp_record_head(const struct kp_record *record, unsigned char head[KP_RECORD_HEAD], size_t *topic_at);

/* The next record of a chunk from *at on, which moves. False at the end, with *at == len, or where it is not as kpid writes it. */
bool kp_record_next(const unsigned char *chunk, size_t len, size_t *at, struct kp_record *record);

#endif
