/* An engine as bytes in memory, and one that is made of them. */
#ifndef CHECKPOINT_RIG_H
#define CHECKPOINT_RIG_H

#include "rig.h"

#include "kpid/checkpoint.h"

struct bytes {
    unsigned char *at;      /* owned */
    size_t n, room, read, part;     /* part: so many are read at once; 0: as many as are wanted */
};

static inline bool put_bytes(void *ctx, const void *from, size_t len)
{
    struct bytes *bytes = ctx;

    if (bytes->n + len > bytes->room) {
        bytes->room = (bytes->n + len) * 2;
        bytes->at = realloc(bytes->at, bytes->room);
        assert_non_null(bytes->at);
    }
    memcpy(bytes->at + bytes->n, from, len);
    bytes->n += len;
    return true;
}

static inline size_t get_bytes(void *ctx, void *to, size_t most)
{
    struct bytes *bytes = ctx;
    size_t n = bytes->n - bytes->read;

    n = n < most ? n : most;
    n = bytes->part && n > bytes->part ? bytes->part : n;
    if (n)
        memcpy(to, bytes->at + bytes->read, n);
    bytes->read += n;
    return n;
}

static inline struct bytes saved(const struct rig *rig)
{
    struct bytes bytes = {0};

    assert_true(kp_engine_save(rig->engine, put_bytes, &bytes));
    return bytes;
}

static inline struct rig *loaded(const char *yaml, struct bytes *bytes, struct kp_load_report *report)
{
    struct rig *rig = rig_new(yaml);
    struct kp_load_report unused;
    struct kp_err err = {0};

    bytes->read = 0;
    if (kp_engine_load(rig->engine, get_bytes, bytes, report ? report : &unused, &err))
        fail_msg("%s", err.text);
    assert_int_equal(bytes->read, bytes->n);
    return rig;
}

/* What becomes of it under another configuration. */
static inline struct rig *moved(struct rig *rig, const char *yaml, struct kp_load_report *report)
{
    struct bytes bytes = saved(rig);
    struct rig *next = loaded(yaml, &bytes, report);

    free(bytes.at);
    rig_free(rig);
    return next;
}

#endif
