/* Events in both formats. Most cases are written as JSON and packed by msgpack-c from the same tree, so that every
 * one of them also says that the formats agree. */
#include "event_told.h"

#include <yajl/yajl_tree.h>

static void pack_tree(msgpack_packer *pk, yajl_val v)
{
    if (YAJL_IS_OBJECT(v)) {
        msgpack_pack_map(pk, v->u.object.len);
        for (size_t i = 0; i < v->u.object.len; i++) {
            pack_text(pk, v->u.object.keys[i]);
            pack_tree(pk, v->u.object.values[i]);
        }
    } else if (YAJL_IS_ARRAY(v)) {
        msgpack_pack_array(pk, v->u.array.len);
        for (size_t i = 0; i < v->u.array.len; i++)
            pack_tree(pk, v->u.array.values[i]);
    } else if (YAJL_IS_STRING(v)) {
        pack_text(pk, YAJL_GET_STRING(v));
    } else if (YAJL_IS_INTEGER(v)) {
        msgpack_pack_int64(pk, YAJL_GET_INTEGER(v));
    } else if (YAJL_IS_DOUBLE(v)) {
        msgpack_pack_double(pk, YAJL_GET_DOUBLE(v));
    } else if (YAJL_IS_NULL(v)) {
        msgpack_pack_nil(pk);
    } else if (YAJL_IS_TRUE(v)) {
        msgpack_pack_true(pk);
    } else {
        msgpack_pack_false(pk);
    }
}

static void pack_json(msgpack_sbuffer *out, const char *json)
{
    char fault[128];
    yajl_val tree = yajl_tree_parse(json, fault, sizeof fault);
    msgpack_packer pk;

    if (!tree)
        fail_msg("%s: %s", json, fault);
    msgpack_sbuffer_init(out);
    msgpack_packer_init(&pk, out, msgpack_sbuffer_write);
    pack_tree(&pk, tree);
    yajl_tree_free(tree);
}

static void same_in_both_formats(const char *json, struct kp_str topic, const char *want)
{
    struct kp_schema *schema = make_schema();
    struct kp_decoder *dec = make_decoder(schema, &small);
    msgpack_sbuffer packed;
    char got[2048];

    tell(schema, dec, json, strlen(json), topic, got, sizeof got);
    assert_true(kp_decode_is_json(dec));
    if (strcmp(got, want) != 0)
        fail_msg("JSON %s:\n got  %s\n want %s", json, got, want);
    pack_json(&packed, json);
    for (int round = 0; round < 2; round++) {   /* the second time the keys are known */
        tell(schema, dec, packed.data, packed.size, topic, got, sizeof got);
        assert_false(kp_decode_is_json(dec));
        if (strcmp(got, want) != 0)
            fail_msg("MessagePack of %s:\n got  %s\n want %s", json, got, want);
    }
    msgpack_sbuffer_destroy(&packed);
    kp_decoder_destroy(&dec);
    kp_schema_destroy(&schema);
}

static void both_formats_give_the_same_events_and_reasons(void **state)
{
    static const struct {
        const char *json, *want;
    } cases[] = {
        {"{\"type\":\"call\"}", "ok type='call'; end"},
        {"{\"type\":\"call\",\"id\":\"a\",\"source\":\"b\",\"rep\":\"c\",\"seq\":0,\"automated\":false,\"time\":0}",
         "ok id='a' source='b' type='call' time=0 rep='c' seq=0 automated=false; end"},
        {"{\"a_long_name_of_a_field\":1,\"amount\":2.5,\"type\":\"x\",\"region\":\"emea\"}",
         "ok type='x' region='emea' amount=2.5f a_long_name_of_a_field=1; end"},
        /* kinds of free fields */
        {"{\"type\":\"x\",\"amount\":-1}", "ok type='x' amount=-1; end"},
        {"{\"type\":\"x\",\"amount\":-33}", "ok type='x' amount=-33; end"},
        {"{\"type\":\"x\",\"amount\":127}", "ok type='x' amount=127; end"},
        {"{\"type\":\"x\",\"amount\":128}", "ok type='x' amount=128; end"},
        {"{\"type\":\"x\",\"amount\":70000}", "ok type='x' amount=70000; end"},
        {"{\"type\":\"x\",\"amount\":-70000}", "ok type='x' amount=-70000; end"},
        {"{\"type\":\"x\",\"amount\":9223372036854775807}", "ok type='x' amount=9223372036854775807; end"},
        {"{\"type\":\"x\",\"amount\":true}", "ok type='x' amount=true; end"},
        {"{\"type\":\"x\",\"amount\":\"\"}", "ok type='x' amount=''; end"},
        {"{\"type\":\"x\",\"amount\":\"" S128 "!\"}", "ok type='x' amount='" S128 "!'; end"},
        {"{\"type\":\"x\",\"amount\":null}", "ok type='x'; end"},
        {"{\"type\":\"x\",\"amount\":[1,[2,{\"type\":\"y\"}]]}", "ok type='x'; end"},
        {"{\"amount\":{\"type\":\"y\",\"amount\":3},\"type\":\"x\"}", "ok type='x'; end"},
        {"{\"type\":\"x\",\"other\":[[],{}],\"\":7,\"amount\":4}", "ok type='x' amount=4; end"},
        /* the first of two keys wins, also when it says nothing */
        {"{\"type\":\"x\",\"type\":\"y\",\"amount\":1,\"amount\":2}", "ok type='x' amount=1; end"},
        {"{\"type\":\"x\",\"amount\":null,\"amount\":2}", "ok type='x'; end"},
        {"{\"type\":\"x\",\"amount\":[],\"amount\":2}", "ok type='x'; end"},
        {"{\"type\":\"x\",\"id\":\"a\",\"id\":5}", "ok id='a' type='x'; end"},
        /* reserved keys: nothing is absence */
        {"{\"type\":\"x\",\"id\":null,\"source\":\"\",\"rep\":\"\",\"region\":null,\"time\":null,\"seq\":null}",
         "ok type='x'; end"},
        {"{\"type\":\"x\",\"time\":\"\",\"seq\":\"\",\"automated\":\"\",\"region\":\"\"}", "ok type='x'; end"},
        {"{\"type\":\"x\",\"id\":\"" S128 "\"}", "ok id='" S128 "' type='x'; end"},
        /* no_type */
        {"{}", "no_type; end"},
        {"{\"amount\":1}", "no_type; end"},
        {"{\"type\":null}", "no_type; end"},
        {"{\"type\":\"\"}", "no_type; end"},
        /* bad_field */
        {"{\"type\":1}", "bad_field; end"},
        {"{\"type\":[]}", "bad_field; end"},
        {"{\"type\":\"x\",\"id\":1}", "bad_field; end"},
        {"{\"type\":\"x\",\"id\":{}}", "bad_field; end"},
        {"{\"type\":\"x\",\"id\":\"" S128 "!\"}", "bad_field; end"},
        {"{\"type\":\"" S128 "!\"}", "bad_field; end"},
        {"{\"type\":\"x\",\"source\":true}", "bad_field; end"},
        {"{\"type\":\"x\",\"rep\":3}", "bad_field; end"},
        {"{\"type\":\"x\",\"region\":3}", "bad_field; end"},
        {"{\"type\":\"x\",\"region\":[3]}", "bad_field; end"},
        {"{\"type\":\"x\",\"seq\":-1}", "bad_field; end"},
        {"{\"type\":\"x\",\"seq\":\"1\"}", "bad_field; end"},
        {"{\"type\":\"x\",\"seq\":1.5}", "bad_field; end"},
        {"{\"type\":\"x\",\"automated\":1}", "bad_field; end"},
        {"{\"type\":\"x\",\"automated\":\"no\"}", "bad_field; end"},
        /* time */
        {"{\"type\":\"x\",\"time\":253402300799999}", "ok type='x' time=253402300799999; end"},
        {"{\"type\":\"x\",\"time\":5.0}", "ok type='x' time=5; end"},
        {"{\"type\":\"x\",\"time\":253402300800000}", "bad_time; end"},
        {"{\"type\":\"x\",\"time\":-1}", "bad_time; end"},
        {"{\"type\":\"x\",\"time\":5.5}", "bad_time; end"},
        {"{\"type\":\"x\",\"time\":1e300}", "bad_time; end"},
        {"{\"type\":\"x\",\"time\":true}", "bad_time; end"},
        {"{\"type\":\"x\",\"time\":\"soon\"}", "bad_time; end"},
        {"{\"type\":\"x\",\"time\":[5]}", "bad_time; end"},
        /* what was wrong first is what is told */
        {"{\"time\":-1,\"id\":5}", "bad_time; end"},
        {"{\"id\":5,\"time\":-1}", "bad_field; end"},
        /* batches */
        {"[]", "end"},
        {"[{\"type\":\"a\"},{\"type\":\"b\",\"time\":3}]", "ok type='a'; ok type='b' time=3; end"},
        {"[{\"type\":\"a\"},5,{},{\"type\":\"b\"}]", "ok type='a'; not_a_map; no_type; ok type='b'; end"},
        {"[null,\"x\",[{\"type\":\"a\"}],[[]]]", "not_a_map; not_a_map; not_a_map; not_a_map; end"},
        {"[{\"type\":\"x\",\"amount\":1},{\"amount\":2}]", "ok type='x' amount=1; no_type; end"},
        {"[{},{},{},{},{}]", "refused: limit; end"},
        /* a cap on keys: that event alone */
        {"{\"type\":\"x\",\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"amount\":8}", "ok type='x' amount=8; end"},
        {"{\"type\":\"x\",\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"amount\":8,\"9\":9}", "limit; end"},
        {"[{\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":[1,{\"x\":2}],\"7\":8,\"8\":9,\"9\":9},{\"type\":\"x\"}]",
         "limit; ok type='x'; end"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        same_in_both_formats(cases[i].json, no_topic, cases[i].want);
}

static void the_topic_stands_for_an_absent_type(void **state)
{
    const struct kp_str call = {"call", 4}, too_long = {S128 "!", 129};

    (void)state;
    same_in_both_formats("{\"amount\":1}", call, "ok type='call' amount=1; end");
    same_in_both_formats("{\"type\":\"\"}", call, "ok type='call'; end");
    same_in_both_formats("{\"type\":\"x\"}", call, "ok type='x'; end");
    same_in_both_formats("[{},{\"type\":\"x\"}]", call, "ok type='call'; ok type='x'; end");
    same_in_both_formats("{\"type\":5}", call, "bad_field; end");
    same_in_both_formats("{}", too_long, "bad_field; end");
    same_in_both_formats("{\"type\":\"x\"}", too_long, "ok type='x'; end");
}

static void check_bytes(const void *bytes, size_t len, const char *want)
{
    struct kp_schema *schema = make_schema();
    struct kp_decoder *dec = make_decoder(schema, &small);
    char got[2048];

    tell(schema, dec, bytes, len, no_topic, got, sizeof got);
    if (strcmp(got, want) != 0)
        fail_msg("%.*s:\n got  %s\n want %s", (int)len, (const char *)bytes, got, want);
    kp_decoder_destroy(&dec);
    kp_schema_destroy(&schema);
}

static void json_is_strict_and_takes_rfc_3339(void **state)
{
    static const struct {
        const char *json, *want;
    } cases[] = {
        {" \t\r\n{\"type\":\"x\"}\n ", "ok type='x'; end"},
        {"{\"type\":\"x\",\"time\":\"1970-01-01T01:00:00.250+01:00\"}", "ok type='x' time=250; end"},
        {"{\"type\":\"x\",\"time\":\"1970-01-01\"}", "bad_time; end"},
        {"{\"type\":\"\\u00e9\\n\"}", "ok type='\xc3\xa9\n'; end"},
        {"{\"t\\u0079pe\":\"x\"}", "ok type='x'; end"},
        {"{\"type\":\"x\",\"amount\":-9223372036854775808}", "ok type='x' amount=-9223372036854775808; end"},
        {"{\"type\":\"x\",\"amount\":18446744073709551615}", "ok type='x' amount=1.84467e+19f; end"},
        {"{\"type\":\"x\",\"amount\":-0.5e1}", "ok type='x' amount=-5f; end"},
        {"{\"type\":\"x\",\"amount\":0.000000000000000000000000000000000000000000000000000000000000000000000001}",
         "ok type='x' amount=1e-72f; end"},
        {"{", "refused: malformed; end"},
        {"{}}", "refused: malformed; end"},
        {"{} {}", "refused: malformed; end"},
        {"{\"type\":\"x\"", "refused: malformed; end"},
        {"{\"type\":\"x\",}", "refused: malformed; end"},
        {"{\"type\":}", "refused: malformed; end"},
        {"{'type':\"x\"}", "refused: malformed; end"},
        {"{type:\"x\"}", "refused: malformed; end"},
        {"{\"type\":\"\xff\"}", "refused: malformed; end"},
        {"{\"type\":\"x\",\"amount\":NaN}", "refused: malformed; end"},
        {"{\"type\":\"x\"/*c*/}", "refused: malformed; end"},
        {"[{\"type\":\"x\"}", "refused: malformed; end"},
        {"[{\"type\":\"x\"}]]", "refused: malformed; end"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_bytes(cases[i].json, strlen(cases[i].json), cases[i].want);
}

#define BYTES(text) text, sizeof(text) - 1

static void messagepack_kinds_that_json_lacks(void **state)
{
    (void)state;
    /* the whole message */
    check_bytes(BYTES(""), "malformed; end");
    check_bytes(BYTES("\xc1"), "malformed; end");
    check_bytes(BYTES("\xc0"), "not_a_map; end");
    check_bytes(BYTES("x"), "not_a_map; end");
    check_bytes(BYTES("xy"), "malformed; end");
    check_bytes(BYTES("\xa1x"), "not_a_map; end");
    check_bytes(BYTES("\x81\xa4type\xa1x\xc0"), "malformed; end");
    check_bytes(BYTES("\x91\x81\xa4type\xa1x\xc0"), "ok type='x'; malformed; end");
    check_bytes(BYTES("\x92\x81\xa4type\xa1x\xc1"), "ok type='x'; malformed; end");
    check_bytes(BYTES("\x92\x81\xa4type\xa1x"), "ok type='x'; malformed; end");
    check_bytes(BYTES("\xdd\xff\xff\xff\xff"), "refused: limit; end");
    check_bytes(BYTES("\xdf\x00\x00\x00\x02\xa4type\xd9\x01x\x01\x02"), "ok type='x'; end");
    check_bytes(BYTES("\xdf\xff\xff\xff\xff\xa4type"), "malformed; end");
    check_bytes(BYTES("\xde\x00\x01\xda\x00\x04type\xdb\x00\x00\x00\x01x"), "ok type='x'; end");
    check_bytes(BYTES("\xde\x00\x01\xd9\x04type\xdb\xff\xff\xff\xffx"), "malformed; end");
    /* keys that are no strings */
    check_bytes(BYTES("\x83\xc4\x04type\xa1y\x91\xa4type\xa1z\xa4type\xa1x"), "ok type='x'; end");
    check_bytes(BYTES("\x82\xc1\x01\xa4type\xa1x"), "malformed; end");
    /* numbers */
    check_bytes(BYTES("\x82\xa4type\xa1x\xa6" "amount\xca\x3f\xc0\x00\x00"), "ok type='x' amount=1.5f; end");
    check_bytes(BYTES("\x82\xa4type\xa1x\xa6" "amount\xcc\xff"), "ok type='x' amount=255; end");
    check_bytes(BYTES("\x82\xa4type\xa1x\xa6" "amount\xcd\xff\xff"), "ok type='x' amount=65535; end");
    check_bytes(BYTES("\x82\xa4type\xa1x\xa6" "amount\xce\xff\xff\xff\xff"), "ok type='x' amount=4294967295; end");
    check_bytes(BYTES("\x82\xa4type\xa1x\xa6" "amount\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
                "ok type='x' amount=1.84467e+19f; end");
    check_bytes(BYTES("\x82\xa4type\xa1x\xa6" "amount\xd0\x80"), "ok type='x' amount=-128; end");
    check_bytes(BYTES("\x82\xa4type\xa1x\xa6" "amount\xd1\x80\x00"), "ok type='x' amount=-32768; end");
    /* bin and ext are nothing that an event can use */
    check_bytes(BYTES("\x82\xa4type\xa1x\xa6" "amount\xc4\x01y"), "ok type='x'; end");
    check_bytes(BYTES("\x82\xa4type\xa1x\xa6" "amount\xd6\xff\x00\x00\x00\x05"), "ok type='x'; end");
    check_bytes(BYTES("\x81\xa4type\xc4\x01x"), "bad_field; end");
    check_bytes(BYTES("\x82\xa4type\xa1x\xa3seq\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), "bad_field; end");
    /* the timestamp extension, in its three sizes; it is cut to ms */
    check_bytes(BYTES("\x82\xa4type\xa1x\xa4time\xd6\xff\x00\x00\x00\x05"), "ok type='x' time=5000; end");
    check_bytes(BYTES("\x82\xa4type\xa1x\xa4time\xd7\xff\x01\xab\x3f\x00\x00\x00\x00\x05"), "ok type='x' time=5007; end");
    check_bytes(BYTES("\x82\xa4type\xa1x\xa4time\xc7\x0c\xff\x00\x1e\x84\x80\x00\x00\x00\x00\x00\x00\x00\x05"),
                "ok type='x' time=5002; end");
    check_bytes(BYTES("\x82\xa4type\xa1x\xa4time\xc7\x0c\xff\x00\x1e\x84\x80\xff\xff\xff\xff\xff\xff\xff\xff"),
                "bad_time; end");
    check_bytes(BYTES("\x82\xa4type\xa1x\xa4time\xc7\x0c\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x05"),
                "bad_time; end");
    check_bytes(BYTES("\x82\xa4type\xa1x\xa4time\xd6\x01\x00\x00\x00\x05"), "bad_time; end");
    check_bytes(BYTES("\x82\xa4type\xa1x\xa4time\xc7\x00\xff"), "bad_time; end");
    /* text is a time in JSON alone */
    check_bytes(BYTES("\x82\xa4type\xa1x\xa4time\xb4" "1970-01-01T00:00:00Z"), "bad_time; end");
    check_bytes(BYTES("\x82\xa4type\xa1x\xa4time\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"), "bad_time; end");
}

static const char *const whole = "[{\"type\":\"call\",\"id\":\"a-1\",\"time\":1700000000000,\"amount\":-70000,\"rep\":\"ana\"},"
                                 "{\"type\":\"deal\",\"a_long_name_of_a_field\":[1,{\"x\":2.5}],\"amount\":1.25},"
                                 "{\"type\":\"call\",\"id\":\"a-2\",\"other\":\"" S128 "\",\"rep\":\"\"}]";

/* Before the end every prefix is broken, and tells so once; events that were whole stand. */
static void a_cut_message_is_malformed_at_every_byte(void **state)
{
    struct kp_schema *schema = make_schema();
    struct kp_decoder *dec = make_decoder(schema, &small);
    char all[2048], got[2048];
    msgpack_sbuffer packed;

    (void)state;
    pack_json(&packed, whole);
    tell(schema, dec, packed.data, packed.size, no_topic, all, sizeof all);
    assert_null(strstr(all, "malformed"));
    for (size_t len = 1; len < packed.size; len++) {
        char *at;

        tell(schema, dec, packed.data, len, no_topic, got, sizeof got);
        at = strstr(got, "malformed; end");
        assert_non_null(at);
        assert_memory_equal(got, all, (size_t)(at - got));
    }
    for (size_t len = 1; len < strlen(whole); len++) {
        tell(schema, dec, whole, len, no_topic, got, sizeof got);
        assert_string_equal(got, "refused: malformed; end");
    }
    msgpack_sbuffer_destroy(&packed);
    kp_decoder_destroy(&dec);
    kp_schema_destroy(&schema);
}

/* A byte changed at random may mean anything, but never a read out of bounds, and always an end. */
static void damaged_messages_end(void **state)
{
    struct kp_schema *schema = make_schema();
    struct kp_decoder *dec = make_decoder(schema, &small);
    char got[8192], bytes[1024];
    msgpack_sbuffer packed;
    uint64_t seed = 1;

    (void)state;
    pack_json(&packed, whole);
    assert_true(packed.size <= sizeof bytes && strlen(whole) <= sizeof bytes);
    for (int i = 0; i < 20000; i++) {
        bool json = i & 1;
        size_t len = json ? strlen(whole) : packed.size;

        memcpy(bytes, json ? whole : packed.data, len);
        for (int k = 0; k <= i % 3; k++)
            bytes[unit_below(&seed, len)] = (char)unit_random(&seed);
        tell(schema, dec, bytes, len, no_topic, got, sizeof got);
    }
    msgpack_sbuffer_destroy(&packed);
    kp_decoder_destroy(&dec);
    kp_schema_destroy(&schema);
}

static void a_message_over_the_limit_is_too_large(void **state)
{
    static char big[4097];

    (void)state;
    memset(big, ' ', sizeof big);
    memcpy(big, "{\"type\":\"x\"}", 12);
    check_bytes(big, sizeof big - 1, "ok type='x'; end");
    check_bytes(big, sizeof big, "refused: too_large; end");
}

static void deep_nesting_is_skipped_without_recursion(void **state)
{
    enum { DEEP = 3000 };
    static char bytes[DEEP + 64];
    size_t n = 0;

    (void)state;
    memcpy(bytes, "\x82\xa6" "amount", 8);
    n = 8;
    memset(bytes + n, '\x91', DEEP);
    n += DEEP;
    bytes[n++] = '\x01';
    memcpy(bytes + n, "\xa4type\xa1x", 7);
    check_bytes(bytes, n + 7, "ok type='x'; end");
    check_bytes(bytes, n - 1, "malformed; end");
    n = (size_t)sprintf(bytes, "{\"amount\":");
    memset(bytes + n, '[', DEEP / 2);
    memset(bytes + n + DEEP / 2, ']', DEEP / 2);
    n += DEEP;
    memcpy(bytes + n, ",\"type\":\"x\"}", 12);
    check_bytes(bytes, n + 12, "ok type='x'; end");
}

static void what_a_refused_batch_claims_is_at_most_its_bytes(void **state)
{
    struct kp_schema *schema = make_schema();
    struct kp_decoder *dec = make_decoder(schema, &small);

    (void)state;
    assert_int_equal(kp_decode_begin(dec, "\xdd\x00\x00\x00\x05\xc0\xc0\xc0\xc0\xc0", 10, no_topic), KP_LIMIT);
    assert_int_equal(kp_decode_claimed(dec), 5);
    assert_int_equal(kp_decode_begin(dec, "\xdd\xff\xff\xff\xff\xc0\xc0", 7, no_topic), KP_LIMIT);
    assert_int_equal(kp_decode_claimed(dec), 2);
    assert_int_equal(kp_decode_begin(dec, "\xdd\xff\xff\xff\xff", 5, no_topic), KP_LIMIT);
    assert_int_equal(kp_decode_claimed(dec), 1);
    assert_int_equal(kp_decode_begin(dec, "{", 1, no_topic), KP_MALFORMED);
    assert_int_equal(kp_decode_claimed(dec), 1);
    kp_decoder_destroy(&dec);
    kp_schema_destroy(&schema);
}

/* Keys that look alike to a careless comparison, moved about between places. */
static void known_keys_never_change_an_event(void **state)
{
    static const char *const keys[] = {"type", "typ",  "types", "amount", "amoun", "amounts", "region", "id",
                                       "ie",   "time", "tim",   "a_long_name_of_a_field", "a_long_name_of_a_fiele"};
    struct kp_schema *schema = make_schema();
    struct kp_decoder *used = make_decoder(schema, &small);
    uint64_t seed = 7;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        struct kp_decoder *fresh = make_decoder(schema, &small);
        size_t n = 1 + unit_below(&seed, 8);
        msgpack_sbuffer buf;
        msgpack_packer pk;
        char a[2048], b[2048];

        msgpack_sbuffer_init(&buf);
        msgpack_packer_init(&pk, &buf, msgpack_sbuffer_write);
        msgpack_pack_map(&pk, n);
        for (size_t k = 0; k < n; k++) {
            const char *key = keys[unit_below(&seed, COUNT_OF(keys))];

            pack_text(&pk, key);
            if (strcmp(key, "time") == 0)
                msgpack_pack_uint64(&pk, unit_below(&seed, 100000));
            else
                pack_text(&pk, unit_below(&seed, 2) ? "x" : "longer than sixteen bytes");
        }
        tell(schema, used, buf.data, buf.size, no_topic, a, sizeof a);
        tell(schema, fresh, buf.data, buf.size, no_topic, b, sizeof b);
        assert_string_equal(a, b);
        msgpack_sbuffer_destroy(&buf);
        kp_decoder_destroy(&fresh);
    }
    kp_decoder_destroy(&used);
    kp_schema_destroy(&schema);
}

/* A key is told from every one that differs from it in a bit, whatever its length and however near to the end, right
 * after it stood at that place itself. */
static void a_known_key_is_none_that_is_nearly_the_same(void **state)
{
    static const char letters[] = "abcdefg\xe9ijklm\xf1opqr";
    static const char *const after[] = {"\x07", "\x07\xa1z\x01",
                                        ("\x07\xa1z\xa6" "filler"), ("\x07\xa1z\xd9\x80" S128)};
    static const char *const before[] = {"", "\xa1y\x02", ("\xa1y\xaf" "fifteen letters")};
    const struct kp_str topic = {"call", 4};

    (void)state;
    for (size_t round = 0; round < COUNT_OF(after) * COUNT_OF(before) * (sizeof letters - 1); round++) {
        const char *head = before[round % COUNT_OF(before)], *tail = after[round / COUNT_OF(before) % COUNT_OF(after)];
        size_t len = 1 + round / COUNT_OF(before) / COUNT_OF(after), at, n;
        struct kp_schema *schema = kp_schema_new(NULL);
        char name[32] = {0}, bytes[256], got[512];
        struct kp_decoder *dec;

        memcpy(name, letters, len);
        assert_int_equal(kp_schema_add(schema, name, false), KP_SLOT_FREE);
        dec = make_decoder(schema, &small);
        at = 1 + strlen(head) + 1;
        n = (size_t)snprintf(bytes, sizeof bytes, "%c%s%c%s%s", 0x81 + (*head != 0) + (tail[1] != 0), head,
                             (int)(0xa0 + len), name, tail);
        for (size_t bit = 0; bit < 8 * len; bit++) {
            for (int i = 0; i < 2; i++) {       /* learned, then found */
                tell(schema, dec, bytes, n, topic, got, sizeof got);
                assert_non_null(strstr(got, "=7; end"));
            }
            bytes[at + bit / 8] = (char)(bytes[at + bit / 8] ^ 1 << bit % 8);
            tell(schema, dec, bytes, n, topic, got, sizeof got);
            assert_string_equal(got, "ok type='call'; end");
            bytes[at + bit / 8] = (char)(bytes[at + bit / 8] ^ 1 << bit % 8);
        }
        kp_decoder_destroy(&dec);
        kp_schema_destroy(&schema);
    }
}

/* Whatever its length and wherever in it: what kpid says again has to be readable by everybody. */
static void ids_and_keys_are_utf8_without_nul(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        bool ok;
    } bits[] = {{"\xc3\xa9", 2, true}, {"\xe2\x82\xac", 3, true}, {"\xf0\x9f\x98\x80", 4, true}, {"\x01", 1, true}, {"\x7f", 1, true},
                {"\xff", 1, false}, {"\xc3", 1, false}, {"\xed\xa0\x80", 3, false}, {"\xc0\x80", 2, false}, {"\0", 1, false}};
    struct kp_schema *schema = make_schema();
    struct kp_decoder *dec = make_decoder(schema, &small);
    const struct kp_str topic = {"", 0};

    (void)state;
    for (size_t b = 0; b < COUNT_OF(bits); b++) {
        for (size_t len = bits[b].len; len < 40; len++) {
            for (size_t at = 0; at + bits[b].len <= len; at++) {
                char text[40], got[512];
                msgpack_sbuffer buf;
                msgpack_packer pk;

                memset(text, 'x', len);
                memcpy(text + at, bits[b].text, bits[b].len);
                msgpack_sbuffer_init(&buf);
                msgpack_packer_init(&pk, &buf, msgpack_sbuffer_write);
                msgpack_pack_map(&pk, 2);
                msgpack_pack_str_with_body(&pk, at % 2 ? "id" : "rep", at % 2 ? 2 : 3);
                msgpack_pack_str_with_body(&pk, text, len);
                msgpack_pack_str_with_body(&pk, "type", 4);
                msgpack_pack_str_with_body(&pk, "call", 4);
                for (int i = 0; i < 2; i++) {       /* the key is unknown, then known */
                    tell(schema, dec, buf.data, buf.size, topic, got, sizeof got);
                    if ((strncmp(got, "ok ", 3) == 0) != bits[b].ok)
                        fail_msg("%zu at %zu of %zu: %s", b, at, len, got);
                }
                msgpack_sbuffer_destroy(&buf);
            }
        }
    }
    kp_decoder_destroy(&dec);
    kp_schema_destroy(&schema);
}

/* A number as a key is nobody's, also where no key is known yet. */
static void a_number_for_a_key_is_passed_over(void **state)
{
    static const char bytes[] = "\x83\x00\xa5hello\xa4type\xa4" "call\x01\xa6" "filler";
    struct kp_schema *schema = make_schema();
    struct kp_decoder *dec = make_decoder(schema, &small);
    const struct kp_str topic = {"", 0};
    char got[512];

    (void)state;
    for (int i = 0; i < 3; i++) {
        tell(schema, dec, bytes, sizeof bytes - 1, topic, got, sizeof got);
        assert_string_equal(got, "ok type='call'; end");
    }
    kp_decoder_destroy(&dec);
    kp_schema_destroy(&schema);
}

/* The key was there before, so it is not looked at anew: what follows it must be. */
static void a_value_cut_behind_a_known_key_is_malformed(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } values[] = {
        {BYTES("\x05")}, {BYTES("\xe0")}, {BYTES("\xcc\x80")}, {BYTES("\xcd\x01\x02")}, {BYTES("\xce\1\2\3\4")},
        {BYTES("\xcf\0\0\1\2\3\4\5\6")}, {BYTES("\xd0\x80")}, {BYTES("\xd1\x80\1")}, {BYTES("\xd2\x80\1\2\3")},
        {BYTES("\xd3\x80\1\2\3\4\5\6\7")}, {BYTES("\xca\x3f\xc0\0\0")}, {BYTES("\xcb\x3f\xf8\0\0\0\0\0\0")},
        {BYTES("\xa3" "abc")}, {BYTES("\xbf" S16 "0123456789abcde")}, {BYTES("\xd9\x21" S16 S16 "x")}, {BYTES("\x80")},
        {BYTES("\x91\x01")}, {BYTES("\xc4\x01x")}, {BYTES("\xd6\xff\0\0\0\5")},
    };
    static const struct {
        const char *bytes;
        size_t len;
    } keys[] = {{BYTES("\x82\xa4type\xafkind_of_an_even\xa6" "amount")},
                {BYTES("\x82\xa4type\xafkind_of_an_even\xa4time")},
                {BYTES("\x82\xa4type\xafkind_of_an_even\xa2id")}, {BYTES("\x82\xa4type\xafkind_of_an_even\xa5other")}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(values) * COUNT_OF(keys); i++) {
        size_t v = i / COUNT_OF(keys), k = i % COUNT_OF(keys), whole_len = keys[k].len + values[v].len;
        struct kp_schema *schema = make_schema();
        struct kp_decoder *dec = make_decoder(schema, &small);
        char bytes[128], got[512];

        memcpy(bytes, keys[k].bytes, keys[k].len);
        memcpy(bytes + keys[k].len, values[v].bytes, values[v].len);
        for (size_t len = keys[k].len; len < whole_len; len++) {
            tell(schema, dec, bytes, whole_len, no_topic, got, sizeof got);
            assert_null(strstr(got, "malformed"));
            tell(schema, dec, bytes, len, no_topic, got, sizeof got);
            assert_string_equal(got, "malformed; end");
        }
        kp_decoder_destroy(&dec);
        kp_schema_destroy(&schema);
    }
}

/* yajl's own memory comes from a block that is used again; what is larger than that must do as well. */
static void json_strings_keep_their_bytes_at_any_length(void **state)
{
    static const size_t lengths[] = {0, 1, 31, 2047, 2048, 4095, 4096, 8191, 8192, 8193, 60000};
    const struct kp_decode_limits limits = {.message = 1 << 20, .batch = 4, .fields = 8};
    struct kp_schema *schema = make_schema();
    struct kp_decoder *dec = make_decoder(schema, &limits);
    static char json[400000];

    (void)state;
    for (size_t round = 0; round < 2 * COUNT_OF(lengths); round++) {
        size_t len = lengths[round % COUNT_OF(lengths)], n = (size_t)sprintf(json, "{\"type\":\"x\",\"amount\":\"");
        enum kp_reason reason;
        struct kp_event ev;

        for (size_t i = 0; i < len; i++)
            n += (size_t)sprintf(json + n, i % 3 == 0 ? "\\u0000" : i % 3 == 1 ? "\\n" : "a");
        n += (size_t)sprintf(json + n, "\"}");
        assert_int_equal(kp_decode_begin(dec, json, n, no_topic), KP_ACCEPTED);
        assert_int_equal(kp_decode_next(dec, &ev, &reason), KP_NEXT_EVENT);
        assert_true(kp_event_has(&ev, AMOUNT));
        assert_int_equal(ev.v[AMOUNT].len, len);
        for (size_t i = 0; i < len; i++)
            assert_int_equal(ev.v[AMOUNT].s[i], "\0\na"[i % 3]);
    }
    kp_decoder_destroy(&dec);
    kp_schema_destroy(&schema);
}

static void a_schema_finds_its_names_and_no_others(void **state)
{
    struct kp_schema *schema = kp_schema_new(NULL);
    char name[300];

    (void)state;
    assert_non_null(schema);
    for (int i = KP_SLOT_FREE; i < KP_SLOTS_MAX; i++) {
        sprintf(name, "field_%d", i);
        assert_int_equal(kp_schema_find(schema, name, strlen(name)), -1);
        assert_int_equal(kp_schema_add(schema, name, false), i);
        assert_int_equal(kp_schema_add(schema, name, false), i);
    }
    assert_int_equal(kp_schema_add(schema, "one_more", false), -1);
    assert_int_equal(kp_schema_count(schema), KP_SLOTS_MAX);
    for (int i = 0; i < KP_SLOTS_MAX; i++)
        assert_int_equal(kp_schema_find(schema, kp_schema_name(schema, i), strlen(kp_schema_name(schema, i))), i);
    assert_int_equal(kp_schema_find(schema, "", 0), -1);
    memset(name, 'x', sizeof name);
    assert_int_equal(kp_schema_find(schema, name, sizeof name), -1);
    assert_null(kp_schema_name(schema, KP_SLOTS_MAX));
    kp_schema_destroy(&schema);
}

static void every_reason_has_its_word(void **state)
{
    (void)state;
    for (int i = 0; i < KP_REASONS; i++) {
        assert_non_null(kp_reason_name((enum kp_reason)i));
        assert_true(strlen(kp_reason_name((enum kp_reason)i)) > 1);
    }
    assert_string_equal(kp_reason_name(KP_NOT_A_MAP), "not_a_map");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_formats_give_the_same_events_and_reasons),
        cmocka_unit_test(the_topic_stands_for_an_absent_type),
        cmocka_unit_test(json_is_strict_and_takes_rfc_3339),
        cmocka_unit_test(messagepack_kinds_that_json_lacks),
        cmocka_unit_test(a_cut_message_is_malformed_at_every_byte),
        cmocka_unit_test(damaged_messages_end),
        cmocka_unit_test(a_message_over_the_limit_is_too_large),
        cmocka_unit_test(deep_nesting_is_skipped_without_recursion),
        cmocka_unit_test(what_a_refused_batch_claims_is_at_most_its_bytes),
        cmocka_unit_test(known_keys_never_change_an_event),
        cmocka_unit_test(a_known_key_is_none_that_is_nearly_the_same),
        cmocka_unit_test(ids_and_keys_are_utf8_without_nul),
        cmocka_unit_test(a_number_for_a_key_is_passed_over),
        cmocka_unit_test(a_value_cut_behind_a_known_key_is_malformed),
        cmocka_unit_test(json_strings_keep_their_bytes_at_any_length),
        cmocka_unit_test(a_schema_finds_its_names_and_no_others),
        cmocka_unit_test(every_reason_has_its_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
