/* What a chunk of the journal holds: the messages of one turn of the loop, as they came, one after the other.
 *
 * Each is a MessagePack array, so that any tool can read a chunk: [topic or nil, payload] of events, [payload] of a request that
 * changed something; texts and payloads are of the types str 32 and bin 32. Where some events of a message were denied, since
 * their sender may not speak for their source, it is [topic or nil, payload, their indexes], an array 32 of uint 32. */
#ifndef KPID_RECORD_H
#define KPID_RECORD_H

#include "kpid/value.h"

struct kp_record {
    bool is_request;
    struct kp_str topic;    /* .len 0: none */
    const void *bytes;      /* borrowed from the chunk, like all that follows */
    uint32_t len;
    const unsigned char *denied;    /* KP_RECORD_INDEX bytes for each index, as they are written */
    uint32_t ndenied;               /* rising */
};

/* One index of those that were denied, as it is written, and back. */
enum { KP_RECORD_INDEX = 5 };
void kp_record_put_index(unsigned char to[KP_RECORD_INDEX], uint32_t index);
uint32_t kp_record_index(const struct kp_record *record, uint32_t i);

/* What stands before the payload's bytes; returns its length, at most KP_RECORD_HEAD, the topic left out: put it between the two
 * parts, at *topic_at. */
enum { KP_RECORD_HEAD = 12 };
size_t kp_record_head(const struct kp_record *record, unsigned char head[KP_RECORD_HEAD], size_t *topic_at);
/* What stands between the payload and the indexes; returns its length, 0 where there are none. */
enum { KP_RECORD_TAIL = 5 };
size_t kp_record_tail(const struct kp_record *record, unsigned char tail[KP_RECORD_TAIL]);

/* The next record of a chunk from *at on, which moves. False at the end, with *at == len, or where it is not as kpid writes it. */
bool kp_record_next(const unsigned char *chunk, size_t len, size_t *at, struct kp_record *record);

#endif
