#include "schema.h"

#include "kpid/zone.h"

#include <math.h>
#include <stdlib.h>

static const char *const reserved[] = {
    [KP_SLOT_ID] = "id",   [KP_SLOT_SOURCE] = "source", [KP_SLOT_TYPE] = "type",           [KP_SLOT_TIME] = "time",
    [KP_SLOT_REP] = "rep", [KP_SLOT_SEQ] = "seq",       [KP_SLOT_AUTOMATED] = "automated",
};

const char *kp_reason_name(enum kp_reason reason)
{
    static const char *const names[KP_REASONS] = {
        [KP_ACCEPTED] = "accepted",   [KP_DUPLICATE] = "duplicate", [KP_MALFORMED] = "malformed",
        [KP_NOT_A_MAP] = "not_a_map", [KP_NO_TYPE] = "no_type",     [KP_BAD_TIME] = "bad_time",
        [KP_BAD_FIELD] = "bad_field", [KP_FUTURE] = "future",       [KP_TOO_LATE] = "too_late",
        [KP_UNKNOWN_REP] = "unknown_rep", [KP_TOO_LARGE] = "too_large", [KP_LIMIT] = "limit", [KP_DENIED] = "denied",
    };

    return reason < KP_REASONS ? names[reason] : "?";
}

struct kp_schema *kp_schema_new(struct kp_err *err)
{
    struct kp_schema *schema = calloc(1, sizeof *schema);
    bool ok = schema != NULL;

    for (int i = 0; ok && i < KP_SLOT_FREE; i++)
        ok = kp_schema_add(schema, reserved[i], i <= KP_SLOT_TYPE || i == KP_SLOT_REP) == i;
    if (!ok) {
        kp_fail(err, KP_ENOMEM, "schema: out of memory");
        kp_schema_destroy(&schema);
    }
    return schema;
}

void kp_schema_destroy(struct kp_schema **schema)
{
    if (!*schema)
        return;
    for (int i = 0; i < 1 << KP_SCHEMA_BITS; i++)
        free((*schema)->table[i].text);
    free(*schema);
    *schema = NULL;
}

int kp_schema_add(struct kp_schema *schema, const char *name, bool string_only)
{
    size_t len = strlen(name);
    int slot = kp_schema_slot(schema, name, len);
    uint32_t i = kp_schema_hash(name, len);
    char *copy;

    if (slot < 0) {
        if (schema->count == KP_SLOTS_MAX || len > KP_SCHEMA_NAME_MAX)
            return -1;
        copy = strdup(name);
        if (!copy)
            return -1;
        while (schema->table[i].text)
            i = (i + 1) & ((1u << KP_SCHEMA_BITS) - 1);
        slot = schema->count++;
        schema->table[i] = (struct kp_name){copy, (uint8_t)len, (uint8_t)slot};
        schema->names[slot] = copy;
    }
    if (string_only)
        schema->string_only |= UINT64_C(1) << slot;
    return slot;
}

int kp_schema_find(const struct kp_schema *schema, const char *name, size_t len)
{
    return kp_schema_slot(schema, name, len);
}

int kp_schema_count(const struct kp_schema *schema)
{
    return schema->count;
}

const char *kp_schema_name(const struct kp_schema *schema, int slot)
{
    return slot >= 0 && slot < schema->count ? schema->names[slot] : NULL;
}

/* ---- Values ---- */

static bool time_of(const struct kp_value *v, bool is_json, int64_t *ms)
{
    switch (v->kind) {
    case KP_INT:
        *ms = v->i;
        return v->i >= 0 && v->i <= KP_TIME_MAX;
    case KP_REAL:
        if (!(v->f >= 0 && v->f <= (double)KP_TIME_MAX) || v->f != floor(v->f))
            return false;
        *ms = (int64_t)v->f;
        return true;
    case KP_STR:
        return is_json && kp_rfc3339_parse(v->s, v->len, ms);
    default:
        return false;
    }
}

static enum kp_reason take_reserved(const struct kp_schema *schema, struct kp_event *ev, int slot,
                                    const struct kp_value *v, bool is_json)
{
    int64_t ms;

    if (v->kind == KP_STR && v->len == 0)
        return KP_ACCEPTED;
    if (schema->string_only >> slot & 1) {
        if (v->kind != KP_STR || v->len > KP_KEY_MAX || !kp_text_ok((struct kp_str){v->s, v->len}))
            return KP_BAD_FIELD;
        ev->v[slot] = *v;
    } else if (slot == KP_SLOT_TIME) {
        if (!time_of(v, is_json, &ms))
            return KP_BAD_TIME;
        ev->v[slot] = (struct kp_value){.kind = KP_INT, .i = ms};
        ev->time_ms = ms;
        ev->has_time = true;
    } else {
        if (slot == KP_SLOT_SEQ ? v->kind != KP_INT || v->i < 0 : v->kind != KP_BOOL)
            return KP_BAD_FIELD;
        ev->v[slot] = *v;
    }
    ev->present |= UINT64_C(1) << slot;
    return KP_ACCEPTED;
}

void kp_intake_value(const struct kp_schema *schema, struct kp_intake *in, struct kp_event *ev, int slot,
                     const struct kp_value *v, enum kp_nested nested, bool is_json)
{
    bool is_reserved = slot < KP_SLOT_FREE || (schema->string_only >> slot & 1);
    enum kp_reason reason = KP_ACCEPTED;

    if (in->seen >> slot & 1)
        return;
    in->seen |= UINT64_C(1) << slot;
    if (nested == KP_NESTED) {
        if (is_reserved)
            reason = slot == KP_SLOT_TIME ? KP_BAD_TIME : KP_BAD_FIELD;
    } else if (v->kind != KP_NIL && is_reserved) {
        reason = take_reserved(schema, ev, slot, v, is_json);
    } else if (v->kind != KP_NIL) {
        ev->v[slot] = *v;
        ev->present |= UINT64_C(1) << slot;
    }
    if (in->bad == KP_ACCEPTED)
        in->bad = reason;
}

enum kp_reason kp_intake_end(const struct kp_intake *in, struct kp_event *ev, struct kp_str topic)
{
    if (in->bad != KP_ACCEPTED)
        return in->bad;
    if (kp_event_has(ev, KP_SLOT_TYPE))
        return KP_ACCEPTED;
    if (topic.len == 0)
        return KP_NO_TYPE;
    if (topic.len > KP_KEY_MAX || !kp_text_ok(topic))
        return KP_BAD_FIELD;
    ev->v[KP_SLOT_TYPE] = (struct kp_value){.kind = KP_STR, .len = topic.len, .s = topic.s};
    ev->present |= UINT64_C(1) << KP_SLOT_TYPE;
    return KP_ACCEPTED;
}
