#include "scrub.h"

#include "record.h"

#include "kpid/event.h"

#include <stdlib.h>
#include <string.h>

/* A message that was taken in once, however the limits were then. */
static const struct kp_decode_limits limits = {(size_t)1 << 31, UINT32_MAX, UINT32_MAX};

struct kp_scrubber {
    const struct kp_forget *who;    /* borrowed */
    struct kp_schema *schema;       /* owned, like all that follows */
    struct kp_decoder *decoder;
    struct kp_event *event;
    int slot;                       /* of the field */
    unsigned char *out;             /* what is left */
    size_t n, room;
    struct span {                   /* of a message: an event that goes */
        size_t from, to;
        uint32_t index;
        bool counted;               /* it was no rejected one */
    } *spans;
    size_t nspans, spans_room;
    size_t readable;                /* bytes of a message, from its begin */
};

struct kp_scrubber *kp_scrubber_new(const struct kp_forget *who, struct kp_err *err)
{
    struct kp_scrubber *scrubber = calloc(1, sizeof *scrubber);
    char name[KP_KEY_MAX + 1];

    if (scrubber && who->field.len < sizeof name) {
        memcpy(name, who->field.s, who->field.len);
        name[who->field.len] = '\0';
        scrubber->who = who;
        scrubber->event = malloc(sizeof *scrubber->event);
        scrubber->schema = kp_schema_new(err);
        scrubber->slot = scrubber->schema ? kp_schema_add(scrubber->schema, name, false) : -1;
        scrubber->decoder = scrubber->slot >= 0 ? kp_decoder_new(scrubber->schema, &limits, err) : NULL;
    }
    if (scrubber && (!scrubber->decoder || !scrubber->event))
        kp_scrubber_destroy(&scrubber);
    if (!scrubber)
        kp_fail(err, KP_ENOMEM, "scrub: out of memory");
    return scrubber;
}

void kp_scrubber_destroy(struct kp_scrubber **scrubber)
{
    struct kp_scrubber *s = *scrubber;

    if (!s)
        return;
    kp_decoder_destroy(&s->decoder);
    kp_schema_destroy(&s->schema);
    free(s->event);
    free(s->out);
    free(s->spans);
    free(s);
    *scrubber = NULL;
}

static void put(struct kp_scrubber *s, const void *bytes, size_t len)
{
    if (len)
        memcpy(s->out + s->n, bytes, len);
    s->n += len;
}

static bool note(struct kp_scrubber *s, struct span span)
{
    if (s->nspans == s->spans_room) {
        size_t room = s->spans_room ? s->spans_room * 2 : 64;
        struct span *grown = realloc(s->spans, room * sizeof *grown);

        if (!grown)
            return false;
        s->spans = grown;
        s->spans_room = room;
    }
    s->spans[s->nspans++] = span;
    return true;
}

/* ---- Events of JSON ---- */

/* Behind a string, from its first quotation mark on. */
static size_t behind_string(const char *text, size_t len, size_t at)
{
    for (at++; at < len && text[at] != '"'; at++)
        at += text[at] == '\\';
    return at + 1;
}

/* Find the spans' places in a list that was read, and so is one. */
static bool find_places(struct kp_scrubber *s, const char *text, size_t len)
{
    uint32_t index = 0;
    size_t at = 0, n = 0;
    int depth = 0;

    for (; n < s->nspans && at < len; at = text[at] == '"' ? behind_string(text, len, at) : at + 1) {
        bool begins = text[at] == '{' || text[at] == '[', ends = text[at] == '}' || text[at] == ']';

        if (begins && ++depth == 2 && index == s->spans[n].index)
            s->spans[n].from = at;
        if (ends && depth-- == 2 && index == s->spans[n].index)
            s->spans[n++].to = at + 1;
        index += depth == 1 && text[at] == ',';
    }
    return n == s->nspans;
}

/* ---- Which events ---- */

enum found { NOTHING, SOME, WHOLE_MESSAGE, NO_MEMORY };

static bool is_batch(const struct kp_scrubber *s, const struct kp_record *record)
{
    const unsigned char *p = record->bytes;
    uint32_t i = 0;

    if (!kp_decode_is_json(s->decoder))
        return record->len && ((p[0] & 0xF0) == 0x90 || p[0] == 0xDC || p[0] == 0xDD);
    while (i < record->len && p[i] != '[' && p[i] != '{')
        i++;
    return i < record->len && p[i] == '[';
}

static bool has_key(const struct kp_scrubber *s, const char *bytes, size_t len)
{
    return len && memmem(bytes, len, s->who->key.s, s->who->key.len);
}

static bool is_theirs(const struct kp_scrubber *s)
{
    return kp_event_has(s->event, s->slot) && kp_forget_is_value(s->who, &s->event->v[s->slot]);
}

/* Their events become spans; of JSON only the index is known as yet. False: memory is out. */
static bool read_events(struct kp_scrubber *s, const struct kp_record *record)
{
    enum kp_reason reason;

    for (;;) {
        size_t from = kp_decode_at(s->decoder, record->bytes);
        enum kp_next next = kp_decode_next(s->decoder, s->event, &reason);

        if (next == KP_NEXT_END)
            return true;
        if (next == KP_NEXT_REJECT && reason == KP_MALFORMED) {
            s->readable = from;
            return true;
        }
        if (is_theirs(s) && !note(s, (struct span){from, kp_decode_at(s->decoder, record->bytes), kp_decode_index(s->decoder),
                                                   next == KP_NEXT_EVENT}))
            return false;
    }
}

/* What can't be read goes if their key is in it. */
static enum found look(struct kp_scrubber *s, const struct kp_record *record)
{
    enum kp_reason reason = kp_decode_begin(s->decoder, record->bytes, record->len, record->topic);
    bool batch = is_batch(s, record), json = kp_decode_is_json(s->decoder);

    s->nspans = 0;
    s->readable = reason == KP_ACCEPTED ? record->len : 0;
    if (!read_events(s, record))
        return NO_MEMORY;
    if (!has_key(s, (const char *)record->bytes + s->readable, record->len - s->readable))
        s->readable = record->len;
    if (!s->nspans && s->readable == record->len)
        return NOTHING;
    return batch && s->readable && (!json || find_places(s, record->bytes, record->len)) ? SOME : WHOLE_MESSAGE;
}

/* ---- What is left ---- */

static int by_index(const void *a, const void *b)
{
    const struct span *x = a, *y = b;

    return (x->index > y->index) - (x->index < y->index);
}

static bool is_taken_out(const struct kp_scrubber *s, uint32_t index)
{
    const struct span like = {.index = index};

    return s->nspans && bsearch(&like, s->spans, s->nspans, sizeof like, by_index);
}

static uint32_t denied_taken_out(const struct kp_scrubber *s, const struct kp_record *record)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < record->ndenied; i++)
        n += is_taken_out(s, kp_record_index(record, i));
    return n;
}

/* Events that go and had been counted. What was denied would have been, else. */
static uint32_t counted_taken_out(const struct kp_scrubber *s, const struct kp_record *record)
{
    uint32_t n = 0;

    for (size_t i = 0; i < s->nspans; i++)
        n += s->spans[i].counted;
    return n - denied_taken_out(s, record);
}

static size_t length_left(const struct kp_scrubber *s, size_t word)
{
    size_t len = s->readable;

    for (size_t i = 0; i < s->nspans; i++)
        len -= s->spans[i].to - s->spans[i].from - word;
    return len;
}

static void put_rest(struct kp_scrubber *s, const struct kp_record *record)
{
    const char *word = kp_decode_is_json(s->decoder) ? "null" : "\xC0";
    struct kp_record left = *record;
    unsigned char head[KP_RECORD_HEAD], tail[KP_RECORD_TAIL] = {0};
    size_t at = 0, topic_at, n;

    left.len = (uint32_t)length_left(s, strlen(word));
    left.ndenied -= denied_taken_out(s, record);
    n = kp_record_head(&left, head, &topic_at);
    put(s, head, topic_at);
    put(s, record->topic.s, record->topic.len);
    put(s, head + topic_at, n - topic_at);
    for (size_t i = 0; i < s->nspans; i++) {
        put(s, (const char *)record->bytes + at, s->spans[i].from - at);
        put(s, word, strlen(word));
        at = s->spans[i].to;
    }
    put(s, (const char *)record->bytes + at, s->readable - at);
    put(s, tail, kp_record_tail(&left, tail));
    for (uint32_t i = 0; i < record->ndenied; i++)
        if (!is_taken_out(s, kp_record_index(record, i)))
            put(s, record->denied + (size_t)i * KP_RECORD_INDEX, KP_RECORD_INDEX);
}

enum kp_code kp_scrub(struct kp_scrubber *s, const unsigned char *data, size_t len, struct kp_scrubbed *scrubbed, struct kp_err *err)
{
    struct kp_record record;
    size_t at = 0;

    *scrubbed = (struct kp_scrubbed){0};
    s->n = 0;
    if (len > s->room) {
        free(s->out);
        s->out = malloc(len);
        s->room = s->out ? len : 0;
    }
    if (len && !s->out)
        return kp_fail(err, KP_ENOMEM, "scrub: out of memory");
    for (size_t from = 0; kp_record_next(data, len, &at, &record); from = at) {
        enum found found = record.is_request ? WHOLE_MESSAGE : look(s, &record);

        if (found == NO_MEMORY)
            return kp_fail(err, KP_ENOMEM, "scrub: out of memory");
        if (found == NOTHING)
            put(s, data + from, at - from);
        else if (found == SOME)
            put_rest(s, &record);
        if (found != NOTHING && !record.is_request)
            scrubbed->events += counted_taken_out(s, &record);
    }
    scrubbed->data = s->out;
    scrubbed->len = s->n;
    scrubbed->changed = s->n != len || (len && memcmp(s->out, data, len) != 0);
    return KP_OK;
}
