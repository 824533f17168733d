/* What kpi-gateway keeps of what a daemon tells, whatever that is: a list of maps (MessagePack or JSON), each a snapshot, an alert, or
 * (true, false) the begin and end of a listing. What browsers are told of it must be JSON. */
#include "object.h"
#include "state.h"
#include "view.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at(const struct frame *frame, size_t skip)
{
    msgpack_unpacked item;

    msgpack_unpacked_init(&item);
    if (!frame || !object_parse(frame->bytes + skip, frame->len - skip, &item))
        abort();
    msgpack_unpacked_destroy(&item);
}

/* Each event's data is one document on one line. */
static void look_at_events(const struct frame *frame)
{
    char *text = frame ? strndup(frame->bytes, frame->len) : NULL, *rest = text, *line;

    if (!text || strlen(text) != frame->len)
        abort();
    while ((line = strsep(&rest, "\n")) != NULL) {
        msgpack_unpacked item;

        if (strncmp(line, "data: ", 6) != 0)
            continue;
        msgpack_unpacked_init(&item);
        if (!object_parse(line + 6, strlen(line + 6), &item))
            abort();
        msgpack_unpacked_destroy(&item);
    }
    free(text);
}

static void tell(struct state *state, const msgpack_object *one)
{
    if (one->type == MSGPACK_OBJECT_BOOLEAN && one->via.boolean) {
        state_begin_keys(state);
        state_begin_alerts(state);
    } else if (one->type == MSGPACK_OBJECT_BOOLEAN) {
        state_end_keys(state);
        state_end_alerts(state);
    } else if (!state_take_snapshot(state, one) && !state_take_alert(state, one)) {
        state_take_listed(state, one, 3);
    }
}

static void look(struct state *state, struct view *view, uint64_t from)
{
    struct frame *frame = view_since(view, state, from, false, "x", 0);

    look_at_events(frame);
    frame_release(frame);
    frame = view_all(view, state, 0, true);
    look_at(frame, 0);
    frame_release(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct state_limits limits = {20, 10};
    static const struct rights rights = {.name = (char *)"", .user = {.read = {.all = true}}};
    static const struct view_query query = {.kpis = "a,b"}, all = {0};
    struct state *state = state_new(&limits, NULL);
    struct view *views[] = {view_new(&rights, &all, NULL), view_new(&rights, &query, NULL)};
    msgpack_unpacked item;

    msgpack_unpacked_init(&item);
    if (object_parse(data, size, &item) && item.data.type == MSGPACK_OBJECT_ARRAY)
        for (uint32_t i = 0; i < item.data.via.array.size; i++) {
            uint64_t before = state_version(state);

            tell(state, &item.data.via.array.ptr[i]);
            look(state, views[i % 2], before);
        }
    look(state, views[0], 0);
    msgpack_unpacked_destroy(&item);
    view_destroy(&views[0]);
    view_destroy(&views[1]);
    state_destroy(&state);
    return 0;
}
