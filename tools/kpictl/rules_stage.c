/* An engine on which a rule test is played. */
#include "rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool rules_stage_open(struct rules_stage *stage, const struct kp_config *config, const struct kp_alert_sink *sink,
                      struct kp_err *err)
{
    const struct kp_decode_limits limits = {config->limits.message, config->limits.batch, config->limits.fields};

    memset(stage, 0, sizeof *stage);
    stage->engine = kp_engine_new(config, 0, sink, err);
    if (!stage->engine)
        return false;
    stage->decoder = kp_decoder_new(kp_engine_schema(stage->engine), &limits, err);
    stage->event_out = kp_out_new(false, err);
    stage->out = kp_out_new(false, err);
    return stage->decoder && stage->event_out && stage->out;
}

void rules_stage_close(struct rules_stage *stage)
{
    kp_out_destroy(&stage->event_out);
    kp_out_destroy(&stage->out);
    kp_decoder_destroy(&stage->decoder);
    kp_engine_destroy(&stage->engine);
}

void rules_stage_settle(struct rules_stage *stage, int64_t at_ms)
{
    while (kp_engine_settle(stage->engine, at_ms, SIZE_MAX))
        ;
}

/* ---- Events ---- */

/* A text with the number of the repetition in each place of {n}. */
static void put_text(struct kp_out *out, const char *text, size_t len, uint32_t nth)
{
    char buf[1024];
    size_t n = 0;

    if (!strstr(text, "{n}") || len > sizeof buf / 2) {
        kp_out_str(out, text, len);
        return;
    }
    for (size_t i = 0; i < len && n < sizeof buf - 16;) {
        if (strncmp(text + i, "{n}", 3) == 0) {
            n += (size_t)snprintf(buf + n, sizeof buf - n, "%u", nth);
            i += 3;
        } else {
            buf[n++] = text[i++];
        }
    }
    kp_out_str(out, buf, n);
}

static void put_value(struct kp_out *out, struct rules_test *test, const struct kp_node *node, uint32_t nth)
{
    struct kp_value value = {0};

    if (!kp_scalar(&test->file->ld, node, &value))
        return;
    switch (value.kind) {
    case KP_BOOL:
        kp_out_bool(out, value.b);
        break;
    case KP_INT:
        kp_out_int(out, value.i);
        break;
    case KP_REAL:
        kp_out_real(out, value.f);
        break;
    case KP_STR:
        put_text(out, value.s, value.len, nth);
        break;
    default:
        kp_out_nil(out);
    }
}

/* covered_until may be told like all times here; what is none is left to the engine. */
static void put_covered(struct kp_out *out, struct rules_test *test, const struct kp_node *node)
{
    int64_t at_ms, unit_ms;
    size_t at;

    if (when_instant(&test->frame, node->text, node->len, &at_ms, &unit_ms, &at, NULL))
        kp_out_int(out, at_ms);
    else
        put_value(out, test, node, 0);
}

/* The map as a sender would have sent it, with the instant for its `time`. An event without an id gets one that tells where it
 * stands, "e2.7" being the seventh of the second entry, and a source to be unique in. */
static void write_event(struct rules_stage *stage, struct rules_test *test, const struct rules_event *event)
{
    bool has_id = kp_node_get(event->node, "id"), has_source = kp_node_get(event->node, "source");
    struct kp_out *out = stage->event_out;
    char id[32];

    kp_out_clear(out);
    kp_out_map(out, event->node->count + !has_id + (!has_id && !has_source));
    for (const struct kp_node *field = event->node->first; field; field = field->next) {
        kp_out_text(out, field->key);
        if (strcmp(field->key, "time") == 0)
            kp_out_int(out, event->at_ms);
        else if (strcmp(field->key, "covered_until") == 0 && field->kind == KP_NODE_SCALAR)
            put_covered(out, test, field);
        else
            put_value(out, test, field, event->nth);
    }
    if (!has_id) {
        snprintf(id, sizeof id, "e%u.%u", event->entry, event->nth);
        kp_out_text(out, "id");
        kp_out_text(out, id);
    }
    if (!has_id && !has_source) {
        kp_out_text(out, "source");
        kp_out_text(out, "test");
    }
    kp_out_end(out);
}

enum kp_reason rules_stage_tell(struct rules_stage *stage, struct rules_test *test, const struct rules_event *event)
{
    const struct kp_event *decoded = &stage->event;
    const void *bytes = event->message;
    size_t len = event->len;
    enum kp_reason reason;
    enum kp_next next;

    if (!bytes) {
        write_event(stage, test, event);
        bytes = kp_out_bytes(stage->event_out, &len);
        if (!bytes)
            return KP_LIMIT;
    }
    reason = kp_decode_begin(stage->decoder, bytes, len, (struct kp_str){"", 0});
    if (reason != KP_ACCEPTED)
        return reason;
    do {
        next = kp_decode_next(stage->decoder, &stage->event, &reason);
    } while (next != KP_NEXT_END && event->message && kp_decode_index(stage->decoder) < event->nth);
    if (next == KP_NEXT_EVENT) {
        kp_engine_apply(stage->engine, &decoded, 1, 0, &reason);
        rules_stage_settle(stage, INT64_MIN);
    }
    return reason;
}

/* ---- What the engine says ---- */

void rules_said_add(struct rules_said_list *said, struct rules_stage *stage, int64_t at_ms, bool quiet)
{
    size_t len, used = 0;
    const void *bytes = kp_out_bytes(stage->out, &len);
    struct rules_said *slot;

    if (said->count == said->room) {
        size_t room = said->room ? said->room * 2 : 64;
        struct rules_said *grown = realloc(said->list, room * sizeof *grown);

        said->failed |= !grown;
        if (!grown)
            return;
        said->list = grown;
        said->room = room;
    }
    slot = &said->list[said->count];
    slot->at_ms = at_ms;
    slot->quiet = quiet;
    slot->bytes = bytes ? malloc(len) : NULL;
    msgpack_unpacked_init(&slot->map);
    if (slot->bytes)
        memcpy(slot->bytes, bytes, len);
    if (slot->bytes && msgpack_unpack_next(&slot->map, slot->bytes, len, &used) == MSGPACK_UNPACK_SUCCESS) {
        said->count++;
        return;
    }
    msgpack_unpacked_destroy(&slot->map);
    free(slot->bytes);
    said->failed = true;
}

void rules_said_clear(struct rules_said_list *said)
{
    for (size_t i = 0; i < said->count; i++) {
        msgpack_unpacked_destroy(&said->list[i].map);
        free(said->list[i].bytes);
    }
    said->count = 0;
}

void rules_said_release(struct rules_said_list *said)
{
    rules_said_clear(said);
    free(said->list);
    said->list = NULL;
    said->room = 0;
}

const msgpack_object *rules_field(const msgpack_object *map, const char *name)
{
    size_t len = strlen(name);

    if (!map || map->type != MSGPACK_OBJECT_MAP)
        return NULL;
    for (uint32_t i = 0; i < map->via.map.size; i++) {
        const msgpack_object_kv *entry = &map->via.map.ptr[i];

        if (entry->key.type == MSGPACK_OBJECT_STR && entry->key.via.str.size == len &&
            memcmp(entry->key.via.str.ptr, name, len) == 0)
            return &entry->val;
    }
    return NULL;
}
