/* Acknowledgements: who has said "I see to it", by the alert. One holds for the life of its alert, that is as long as its id is
 * the same; who keeps them drops it at the end of that. Pure, and bounded in number. */
#ifndef KPID_ACK_H
#define KPID_ACK_H

#include "kpid/err.h"
#include "kpid/value.h"

struct kp_ack {
    uint64_t alert;         /* its id */
    int64_t at_ms;          /* when it was said */
    const char *by, *comment;       /* comment NULL: none */
};

struct kp_acks;

struct kp_acks *kp_acks_new(uint32_t limit, struct kp_err *err) KP_CHECK;
void kp_acks_destroy(struct kp_acks **acks);

/* Keep a copy; one that the alert had already goes. KP_ELIMIT (counted), KP_ENOMEM: all is as it was. */
enum kp_code kp_acks_put(struct kp_acks *acks, const struct kp_ack *ack, struct kp_err *err) KP_CHECK;
/* Can so many more be kept? If not, the one who asked is counted as refused. */
enum kp_code kp_acks_reserve(struct kp_acks *acks, size_t more, struct kp_err *err) KP_CHECK;
/* False: the alert has none. */
bool kp_acks_drop(struct kp_acks *acks, uint64_t alert);

/* NULL: the alert has none. Borrowed until the next change. */
const struct kp_ack *kp_acks_find(const struct kp_acks *acks, uint64_t alert);
void kp_acks_each(const struct kp_acks *acks, void (*each)(void *ctx, const struct kp_ack *ack), void *ctx);
/* As bytes, and back into an empty one. */
struct kp_save;
struct kp_load;
void kp_acks_save(const struct kp_acks *acks, struct kp_save *save);
void kp_acks_load(struct kp_acks *acks, struct kp_load *load);
uint32_t kp_acks_count(const struct kp_acks *acks);
uint64_t kp_acks_refused(const struct kp_acks *acks);       /* requests, for want of room */
size_t kp_acks_bytes(const struct kp_acks *acks);

#endif
