/* What a daemon sends, as msgpack-c's objects, be it MessagePack or JSON: reading and printing it, and packing requests. */
#ifndef KPID_TOOLS_OBJECT_H
#define KPID_TOOLS_OBJECT_H

#include "kpid/out.h"

#include <msgpack.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OBJECT_DEPTH_MAX = 32 };

/* The value of a key of a map; NULL when there is none or map is NULL or no map. */
const msgpack_object *object_get(const msgpack_object *map, const char *key);
/* A string's text cut to size; "" for anything else. Returns buf. */
const char *object_text(const msgpack_object *object, char *buf, size_t size);
/* The same for a terminal: what moves the cursor, or turns the direction of writing, becomes a question mark. */
const char *object_plain(const msgpack_object *object, char *buf, size_t size);
/* A number; false for anything else. */
bool object_number(const msgpack_object *object, double *number);
bool object_is(const msgpack_object *object, const char *text);
bool object_true(const msgpack_object *object);
/* Items of an array, 0 for anything else. */
size_t object_count(const msgpack_object *object);

/* Parse one message, MessagePack or (when it begins so) JSON. False: it is neither, or nested deeper than OBJECT_DEPTH_MAX.
 * Whatever lengths it claims, no more memory is taken than its bytes account for. */
bool object_parse(const void *bytes, size_t len, msgpack_unpacked *item);
/* Write it on. What JSON can't have (a key that is no string) is a failure of out. */
void object_put(struct kp_out *out, const msgpack_object *object);
/* Print as one line of JSON. */
bool object_print_json(const msgpack_object *object);

/* A path as topics have it, without slashes at its ends: what has a meaning there, and controls, as %XX. False: there is no room
 * for it and its NUL. *len: its length. */
bool object_topic(const msgpack_object *path, char *buf, size_t size, size_t *len);
/* A path as people write it: "emea/field-1/ana", "company" where it is empty. Returns buf. */
const char *object_path(const msgpack_object *path, char *buf, size_t size);
/* What stands before the message of an alert that keeps quiet: "[silenced] [acked by maria] ", else "". Returns buf. */
const char *object_alert_mark(const msgpack_object *alert, char *buf, size_t size);

/* ---- Packing of requests ---- */
/* {"op": op} */
void pack_op(msgpack_packer *packer, const char *op);
void pack_text(msgpack_packer *packer, const char *text);
/* A list of strings given separated by commas. */
void pack_list(msgpack_packer *packer, const char *comma_separated);

#endif
