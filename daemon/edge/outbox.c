#include "outbox.h"

#include <stdlib.h>
#include <string.h>

/* Two rings: the frames of all that waits, and how many of them each thing has. Both are powers of two. */
struct entry {
    uint64_t seq;
    void *socket;
    int tag;
    uint32_t n;
};

struct kp_outbox {
    struct entry *entries;      /* owned */
    zmq_msg_t *frames;          /* owned */
    size_t first, count, room;
    size_t first_frame, nframes, frame_room;
};

enum { ENTRIES = 256, FRAMES = 1024 };

struct kp_outbox *kp_outbox_new(struct kp_err *err)
{
    struct kp_outbox *outbox = calloc(1, sizeof *outbox);

    if (outbox) {
        outbox->room = ENTRIES;
        outbox->frame_room = FRAMES;
        outbox->entries = malloc(outbox->room * sizeof *outbox->entries);
        outbox->frames = malloc(outbox->frame_room * sizeof *outbox->frames);
    }
    if (!outbox || !outbox->entries || !outbox->frames) {
        kp_fail(err, KP_ENOMEM, "outbox: out of memory");
        kp_outbox_destroy(&outbox);
    }
    return outbox;
}

static zmq_msg_t *frame_at(const struct kp_outbox *outbox, size_t i)
{
    return &outbox->frames[(outbox->first_frame + i) & (outbox->frame_room - 1)];
}

void kp_outbox_destroy(struct kp_outbox **outbox)
{
    struct kp_outbox *o = *outbox;

    if (!o)
        return;
    for (size_t i = 0; o->frames && i < o->nframes; i++)
        zmq_msg_close(frame_at(o, i));
    free(o->entries);
    free(o->frames);
    free(o);
    *outbox = NULL;
}

static bool grow_entries(struct kp_outbox *outbox)
{
    struct entry *grown = malloc(outbox->room * 2 * sizeof *grown);

    if (!grown)
        return false;
    for (size_t i = 0; i < outbox->count; i++)
        grown[i] = outbox->entries[(outbox->first + i) & (outbox->room - 1)];
    free(outbox->entries);
    outbox->entries = grown;
    outbox->first = 0;
    outbox->room *= 2;
    return true;
}

static bool grow_frames(struct kp_outbox *outbox)
{
    zmq_msg_t *grown = malloc(outbox->frame_room * 2 * sizeof *grown);

    if (!grown)
        return false;
    for (size_t i = 0; i < outbox->nframes; i++) {
        zmq_msg_init(&grown[i]);
        zmq_msg_move(&grown[i], frame_at(outbox, i));
        zmq_msg_close(frame_at(outbox, i));
    }
    free(outbox->frames);
    outbox->frames = grown;
    outbox->first_frame = 0;
    outbox->frame_room *= 2;
    return true;
}

static void close_all(zmq_msg_t *frames, size_t n)
{
    for (size_t i = 0; i < n; i++)
        zmq_msg_close(&frames[i]);
}

bool kp_outbox_put(struct kp_outbox *outbox, uint64_t seq, int tag, void *socket, zmq_msg_t *frames, size_t n, const void *bytes,
                   size_t len)
{
    zmq_msg_t *last;
    bool ok = true;

    if (outbox->count == outbox->room)
        ok = grow_entries(outbox);
    while (ok && outbox->nframes + n + 1 > outbox->frame_room)
        ok = grow_frames(outbox);
    last = frame_at(outbox, outbox->nframes + n);
    if (!ok || n >= KP_OUTBOX_FRAMES || zmq_msg_init_size(last, len) != 0) {
        close_all(frames, n);
        return false;
    }
    if (len)
        memcpy(zmq_msg_data(last), bytes, len);
    for (size_t i = 0; i < n; i++) {
        zmq_msg_t *to = frame_at(outbox, outbox->nframes + i);

        zmq_msg_init(to);
        zmq_msg_move(to, &frames[i]);
    }
    close_all(frames, n);
    outbox->entries[(outbox->first + outbox->count++) & (outbox->room - 1)] = (struct entry){seq, socket, tag, (uint32_t)n + 1};
    outbox->nframes += n + 1;
    return true;
}

/* Its frames, one after the other: the ring's end may lie between them. */
static void take_first(struct kp_outbox *outbox, zmq_msg_t *frames, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        zmq_msg_init(&frames[i]);
        zmq_msg_move(&frames[i], frame_at(outbox, i));
        zmq_msg_close(frame_at(outbox, i));
    }
    outbox->first_frame = (outbox->first_frame + n) & (outbox->frame_room - 1);
    outbox->nframes -= n;
    outbox->first = (outbox->first + 1) & (outbox->room - 1);
    outbox->count--;
}

void kp_outbox_release(struct kp_outbox *outbox, uint64_t seq, void (*say)(void *ctx, struct kp_outbox_item *item), void *ctx)
{
    while (outbox->count && outbox->entries[outbox->first].seq <= seq) {
        struct entry entry = outbox->entries[outbox->first];
        zmq_msg_t frames[KP_OUTBOX_FRAMES];
        struct kp_outbox_item item = {entry.seq, entry.tag, entry.socket, frames, entry.n};

        take_first(outbox, frames, entry.n);
        say(ctx, &item);
        close_all(frames, entry.n);
    }
}

size_t kp_outbox_count(const struct kp_outbox *outbox)
{
    return outbox->count;
}
