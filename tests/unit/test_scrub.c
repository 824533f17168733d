/* What is left of a chunk without somebody: everybody else's events, under their own indexes. */
#include "record.h"
#include "scrub.h"

#include "kpid/event.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 1 << 16, EVENTS = 12 };

struct bytes {
    unsigned char at[ROOM];
    size_t n;
};

static void put(struct bytes *to, const void *bytes, size_t len)
{
    assert_true(to->n + len <= ROOM);
    if (len)
        memcpy(to->at + to->n, bytes, len);
    to->n += len;
}

static void put_record(struct bytes *chunk, struct kp_record record)
{
    unsigned char head[KP_RECORD_HEAD], tail[KP_RECORD_TAIL];
    size_t topic_at, n = kp_record_head(&record, head, &topic_at);

    put(chunk, head, topic_at);
    put(chunk, record.topic.s, record.topic.len);
    put(chunk, head + topic_at, n - topic_at);
    put(chunk, record.bytes, record.len);
    put(chunk, tail, kp_record_tail(&record, tail));
    put(chunk, record.denied, (size_t)record.ndenied * KP_RECORD_INDEX);
}

static struct kp_scrubbed scrub(const char *field, const char *key, const struct bytes *chunk, struct kp_scrubber **scrubber)
{
    static struct kp_forget who;
    struct kp_scrubbed left;
    unsigned char *exact;
    struct kp_err err = {0};

    who = (struct kp_forget){{field, (uint32_t)strlen(field)}, {"rep", strcmp(field, "rep") == 0 ? 3 : 0}, {key, (uint32_t)strlen(key)}};
    *scrubber = kp_scrubber_new(&who, &err);
    assert_non_null(*scrubber);
    exact = malloc(chunk->n + !chunk->n);   /* so that a sanitizer sees what is read beyond */
    assert_non_null(exact);
    memcpy(exact, chunk->at, chunk->n);
    assert_int_equal(kp_scrub(*scrubber, exact, chunk->n, &left, &err), KP_OK);
    free(exact);
    return left;
}

/* One message of JSON, and what is left of it. */
static void json_becomes(const char *json, const char *want, uint32_t events)
{
    struct bytes *chunk = calloc(1, sizeof *chunk);
    struct kp_scrubber *scrubber;
    struct kp_scrubbed left;
    struct kp_record record;
    size_t at = 0;

    assert_non_null(chunk);
    put_record(chunk, (struct kp_record){.topic = {"call", 4}, .bytes = json, .len = (uint32_t)strlen(json)});
    left = scrub("rep", "ana", chunk, &scrubber);
    assert_int_equal(left.events, events);
    if (want) {
        assert_true(kp_record_next(left.data, left.len, &at, &record) && at == left.len);
        assert_int_equal(record.len, strlen(want));
        assert_memory_equal(record.bytes, want, record.len);
        assert_memory_equal(record.topic.s, "call", 4);
    } else {
        assert_int_equal(left.len, 0);
    }
    assert_int_equal(left.changed, !want || strcmp(json, want) != 0);
    kp_scrubber_destroy(&scrubber);
    free(chunk);
}

static void json(void **state)
{
    (void)state;
    json_becomes("{\"rep\":\"ben\",\"note\":\"ana\"}", "{\"rep\":\"ben\",\"note\":\"ana\"}", 0);
    json_becomes("{\"rep\":\"\\u0061na\"}", NULL, 1);
    json_becomes(" [ {\"rep\":\"ana\"} , {\"rep\":\"ben\"},7,{\"rep\":\"ana\",\"x\":[{\"a\":\"]},\\\"\"}]}]\n",
                 " [ null , {\"rep\":\"ben\"},7,null]\n", 2);
    json_becomes("[{\"rep\":\"ben\"},[1,{\"rep\":\"ana\"}],{\"x\":{\"rep\":\"ana\"}}]", "[{\"rep\":\"ben\"},[1,{\"rep\":\"ana\"}],{\"x\":{\"rep\":\"ana\"}}]", 0);
    json_becomes("[{\"rep\":\"ana\"}, {\"rep", NULL, 0);      /* can't be read, and names them */
    json_becomes("[{\"rep\":\"ben\"}, {\"rep", "[{\"rep\":\"ben\"}, {\"rep", 0);
    json_becomes("{\"rep\":\"ana\",\"time\":\"never\"}", NULL, 0);      /* was rejected, but is kept */
}

/* What can be read stays. */
static void a_message_that_breaks_off(void **state)
{
    static const char whole[] = "\x93\x82\xA3rep\xA3" "ben\xA4type\xA1x\x82\xA3rep\xA3" "ana\xA4type\xA1x\xC1\xA3" "ana";
    static const char want[] = "\x93\x82\xA3rep\xA3" "ben\xA4type\xA1x\xC0";
    struct bytes *chunk = calloc(1, sizeof *chunk);
    struct kp_scrubber *scrubber;
    struct kp_scrubbed left;
    struct kp_record record;
    size_t at = 0;

    (void)state;
    assert_non_null(chunk);
    put_record(chunk, (struct kp_record){.topic = {"", 0}, .bytes = whole, .len = sizeof whole - 1});
    left = scrub("rep", "ana", chunk, &scrubber);
    assert_int_equal(left.events, 1);
    assert_true(kp_record_next(left.data, left.len, &at, &record));
    assert_int_equal(record.len, sizeof want - 1);
    assert_memory_equal(record.bytes, want, record.len);
    kp_scrubber_destroy(&scrubber);
    free(chunk);
}

static void requests_go(void **state)
{
    struct bytes *chunk = calloc(1, sizeof *chunk);
    struct kp_scrubber *scrubber;
    struct kp_scrubbed left;

    (void)state;
    assert_non_null(chunk);
    put_record(chunk, (struct kp_record){.is_request = true, .bytes = "{\"op\":\"forget\",\"key\":\"ana\"}", .len = 27});
    left = scrub("rep", "ana", chunk, &scrubber);
    assert_true(left.len == 0 && left.events == 0 && left.changed);
    assert_int_equal(kp_scrub(scrubber, NULL, 0, &left, NULL), KP_OK);     /* a turn in which time alone was looked at */
    assert_true(left.len == 0 && !left.changed);
    kp_scrubber_destroy(&scrubber);
    free(chunk);
}

/* ---- Random batches ---- */

static uint32_t chance(uint32_t *seed, uint32_t n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % n;
}

static void put_text(struct bytes *to, const char *text)
{
    put(to, (unsigned char[]){(unsigned char)(0xA0 | strlen(text))}, 1);
    put(to, text, strlen(text));
}

static void put_event(struct bytes *to, bool json, const char *id, const char *client)
{
    char text[160];

    if (json) {
        snprintf(text, sizeof text, "{\"type\":\"call\",\"id\":\"%s\",\"client\":%s%s%s, \"x\":[1,\"}\"]}", id, *client == '4' ? "" : "\"", client,
                 *client == '4' ? "" : "\"");
        put(to, text, strlen(text));
        return;
    }
    put(to, "\x83", 1);
    put_text(to, "type");
    put_text(to, "call");
    put_text(to, "id");
    put_text(to, id);
    put_text(to, "client");
    if (*client == '4')
        put(to, (unsigned char[]){0xCD, (unsigned char)(atoi(client) >> 8), (unsigned char)atoi(client)}, 3);
    else
        put_text(to, client);
}

struct batch {
    uint32_t n;
    bool alone;
    bool theirs[EVENTS], denied[EVENTS];
};

static void make(struct bytes *chunk, struct batch *batch, uint32_t *seed)
{
    static const char *const clients[] = {"4711", "4712", "c", "d"};
    struct bytes *payload = calloc(1, sizeof *payload);
    bool json = chance(seed, 2), alone = chance(seed, 4) == 0;
    unsigned char indexes[EVENTS * KP_RECORD_INDEX];
    uint32_t ndenied = 0;

    assert_non_null(payload);
    batch->alone = alone;
    batch->n = alone ? 1 : chance(seed, EVENTS + 1);
    if (!alone)
        put(payload, json ? "[" : (char[]){(char)(0x90 | batch->n)}, 1);
    for (uint32_t i = 0; i < batch->n; i++) {
        uint32_t client = chance(seed, 4);
        char id[16];

        snprintf(id, sizeof id, "e%u", i);
        if (json && i)
            put(payload, ", ", 1 + chance(seed, 2));
        put_event(payload, json, id, clients[client]);
        batch->theirs[i] = client == 0;
        batch->denied[i] = chance(seed, 3) == 0;
        if (batch->denied[i])
            kp_record_put_index(indexes + ndenied++ * (size_t)KP_RECORD_INDEX, i);
    }
    if (!alone && json)
        put(payload, "]", 1);
    put_record(chunk, (struct kp_record){.topic = {"t", chance(seed, 2)}, .bytes = payload->at, .len = (uint32_t)payload->n,
                                         .denied = indexes, .ndenied = ndenied});
    free(payload);
}

static void check(const struct kp_record *record, const struct batch *batch, struct kp_decoder *decoder, struct kp_event *event)
{
    enum kp_reason reason = kp_decode_begin(decoder, record->bytes, record->len, record->topic);
    bool there[EVENTS] = {false};
    uint32_t d = 0;

    assert_int_equal(reason, KP_ACCEPTED);
    for (enum kp_next next; (next = kp_decode_next(decoder, event, &reason)) != KP_NEXT_END;) {
        char id[16];

        assert_true(next == KP_NEXT_EVENT || reason == KP_NOT_A_MAP);
        snprintf(id, sizeof id, "e%u", kp_decode_index(decoder));
        if (next == KP_NEXT_EVENT)
            assert_memory_equal(event->v[KP_SLOT_ID].s, id, event->v[KP_SLOT_ID].len);
        there[kp_decode_index(decoder)] = next == KP_NEXT_EVENT;
    }
    for (uint32_t i = 0; i < batch->n; i++) {
        assert_int_equal(there[i], !batch->theirs[i]);
        if (batch->denied[i] && !batch->theirs[i])
            assert_int_equal(kp_record_index(record, d++), i);
    }
    assert_int_equal(record->ndenied, d);
}

static void one_chunk(uint32_t seed)
{
    const struct kp_decode_limits limits = {1 << 20, 10000, 256};
    struct kp_schema *schema = kp_schema_new(NULL);
    struct kp_decoder *decoder = kp_decoder_new(schema, &limits, NULL);
    struct kp_event *event = malloc(sizeof *event);
    struct bytes *chunk = calloc(1, sizeof *chunk);
    struct batch batches[6];
    struct kp_scrubber *scrubber;
    struct kp_scrubbed left;
    uint32_t n = chance(&seed, 6), events = 0;
    size_t at = 0;

    for (uint32_t b = 0; b < n; b++)
        make(chunk, &batches[b], &seed);
    left = scrub("client", "4711", chunk, &scrubber);
    for (uint32_t b = 0; b < n; b++) {
        struct kp_record record;

        for (uint32_t i = 0; i < batches[b].n; i++)
            events += batches[b].theirs[i] && !batches[b].denied[i];
        if (batches[b].alone && batches[b].theirs[0])
            continue;
        if (!kp_record_next(left.data, left.len, &at, &record))
            fail_msg("a record is missing");
        check(&record, &batches[b], decoder, event);
    }
    assert_int_equal(at, left.len);
    assert_int_equal(left.events, events);
    assert_null(memmem(left.data ? left.data : chunk->at, left.len, "4711", 4));
    kp_scrubber_destroy(&scrubber);
    kp_decoder_destroy(&decoder);
    kp_schema_destroy(&schema);
    free(event);
    free(chunk);
}

static void whoever_else_stays(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 2000; seed++)
        one_chunk(seed);
}

/* Chunks are from a disk: anything may stand there. */
static void any_bytes(void **state)
{
    uint32_t seed = 7;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct bytes *chunk = calloc(1, sizeof *chunk);
        struct kp_scrubber *scrubber;
        struct kp_scrubbed left;
        struct batch batch;

        make(chunk, &batch, &seed);
        make(chunk, &batch, &seed);
        for (uint32_t k = chance(&seed, 4); k > 0; k--)
            chunk->at[chance(&seed, (uint32_t)chunk->n)] = (unsigned char)chance(&seed, 256);
        if (chance(&seed, 3) == 0)
            chunk->n = chance(&seed, (uint32_t)chunk->n);
        left = scrub("client", "4711", chunk, &scrubber);
        assert_true(left.len <= chunk->n);
        kp_scrubber_destroy(&scrubber);
        free(chunk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json),
        cmocka_unit_test(a_message_that_breaks_off),
        cmocka_unit_test(requests_go),
        cmocka_unit_test(whoever_else_stays),
        cmocka_unit_test(any_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
