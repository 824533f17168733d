/* Events as JSON: a message is read whole, by yajl's callbacks, into a list of fields; no tree is made. */
#ifndef KPID_CORE_EVENT_JSON_H
#define KPID_CORE_EVENT_JSON_H

#include "schema.h"

struct kp_json;     /* opaque; its buffers are used again for each message */

struct kp_json *kp_json_new(const struct kp_schema *schema, const struct kp_decode_limits *limits, struct kp_err *err)
    KP_CHECK;
void kp_json_destroy(struct kp_json **json);

/* Read a message. KP_ACCEPTED, KP_MALFORMED, or KP_LIMIT (too many events). */
enum kp_reason kp_json_read(struct kp_json *json, const char *bytes, size_t len);
/* How many events it held. */
uint32_t kp_json_count(const struct kp_json *json);
/* The i-th of them; as kp_decode_next. Strings borrow from json until the next kp_json_read. */
enum kp_reason kp_json_event(const struct kp_json *json, uint32_t i, struct kp_str topic, struct kp_event *ev);

#endif
