/* Random events, packed by msgpack-c, against a plain reading of the objects that msgpack-c makes of them; and what
 * JSON has words for is written as JSON too and must come to the same. */
#include "event_told.h"

#include <math.h>

/* What a value is worth in a slot, as text in `out`, which stays empty for one that is absent. */
static enum kp_reason plain_value(const msgpack_object *o, int slot, char *out, size_t size)
{
    bool text_only = slot == KP_SLOT_ID || slot == KP_SLOT_SOURCE || slot == KP_SLOT_TYPE || slot == KP_SLOT_REP ||
                     slot == REGION;
    bool is_free = slot >= KP_SLOT_FREE && !text_only;
    bool is_int = o->type == MSGPACK_OBJECT_POSITIVE_INTEGER || o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER;
    bool is_real = o->type == MSGPACK_OBJECT_FLOAT32 || o->type == MSGPACK_OBJECT_FLOAT64;
    bool is_huge = o->type == MSGPACK_OBJECT_POSITIVE_INTEGER && o->via.u64 > INT64_MAX;

    out[0] = '\0';
    if (o->type == MSGPACK_OBJECT_NIL || (!is_free && o->type == MSGPACK_OBJECT_STR && o->via.str.size == 0))
        return KP_ACCEPTED;
    if (slot == KP_SLOT_TIME) {
        if (is_int && !is_huge && o->via.i64 >= 0 && o->via.i64 <= KP_TIME_MAX)
            add(out, size, "%lld", (long long)o->via.i64);
        else if (is_real && o->via.f64 >= 0 && o->via.f64 < 1e12 && o->via.f64 == floor(o->via.f64))
            add(out, size, "%.0f", o->via.f64);
        else
            return KP_BAD_TIME;
        return KP_ACCEPTED;
    }
    if ((text_only && (o->type != MSGPACK_OBJECT_STR || o->via.str.size > KP_KEY_MAX)) ||
        (slot == KP_SLOT_SEQ && (!is_int || is_huge || o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)) ||
        (slot == KP_SLOT_AUTOMATED && o->type != MSGPACK_OBJECT_BOOLEAN))
        return KP_BAD_FIELD;
    if (o->type == MSGPACK_OBJECT_STR)
        add(out, size, "'%.*s'", (int)o->via.str.size, o->via.str.ptr);
    else if (o->type == MSGPACK_OBJECT_BOOLEAN)
        add(out, size, "%s", o->via.boolean ? "true" : "false");
    else if (is_huge)
        add(out, size, "%gf", (double)o->via.u64);
    else if (is_int)
        add(out, size, "%lld", (long long)o->via.i64);
    else if (is_real)
        add(out, size, "%gf", o->via.f64);
    return KP_ACCEPTED;
}

static void plain_event(const struct kp_schema *schema, const msgpack_object *o, char *out, size_t size)
{
    char values[KP_SLOTS_MAX][256] = {{0}};
    bool named[KP_SLOTS_MAX] = {false};
    enum kp_reason bad = o->via.map.size > small.fields ? KP_LIMIT : KP_ACCEPTED;

    for (uint32_t i = 0; i < o->via.map.size; i++) {
        const msgpack_object_kv *kv = &o->via.map.ptr[i];
        enum kp_reason reason = KP_ACCEPTED;

        for (int s = 0; kv->key.type == MSGPACK_OBJECT_STR && s < kp_schema_count(schema); s++) {
            const char *name = kp_schema_name(schema, s);

            if (named[s] || strlen(name) != kv->key.via.str.size ||
                memcmp(name, kv->key.via.str.ptr, strlen(name)) != 0)
                continue;
            named[s] = true;
            reason = plain_value(&kv->val, s, values[s], sizeof values[s]);
        }
        if (bad == KP_ACCEPTED)
            bad = reason;
    }
    if (bad == KP_ACCEPTED && !values[KP_SLOT_TYPE][0])
        bad = KP_NO_TYPE;
    add(out, size, "%s", bad == KP_ACCEPTED ? "ok" : kp_reason_name(bad));
    for (int s = 0; bad == KP_ACCEPTED && s < kp_schema_count(schema); s++)
        if (values[s][0])
            add(out, size, " %s=%s", kp_schema_name(schema, s), values[s]);
    add(out, size, "; ");
}

/* The same as JSON; false: it holds something that JSON has no word for. */
static bool object_as_json(const msgpack_object *o, char *out, size_t size)
{
    bool ok = true;

    switch (o->type) {
    case MSGPACK_OBJECT_NIL:
        add(out, size, "null");
        return true;
    case MSGPACK_OBJECT_BOOLEAN:
        add(out, size, "%s", o->via.boolean ? "true" : "false");
        return true;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        add(out, size, "%llu", (unsigned long long)o->via.u64);
        return true;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        add(out, size, "%lld", (long long)o->via.i64);
        return true;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        add(out, size, "%.2f", o->via.f64);     /* all are quarters */
        return true;
    case MSGPACK_OBJECT_STR:
        add(out, size, "\"%.*s\"", (int)o->via.str.size, o->via.str.ptr);
        return true;
    case MSGPACK_OBJECT_ARRAY:
        for (uint32_t i = 0; i < o->via.array.size; i++) {
            add(out, size, "%s", i ? "," : "[");
            ok = object_as_json(&o->via.array.ptr[i], out, size) && ok;
        }
        add(out, size, "%s", o->via.array.size ? "]" : "[]");
        return ok;
    case MSGPACK_OBJECT_MAP:
        add(out, size, "{");
        for (uint32_t i = 0; i < o->via.map.size; i++) {
            ok = o->via.map.ptr[i].key.type == MSGPACK_OBJECT_STR && ok;
            add(out, size, "%s", i ? "," : "");
            ok = object_as_json(&o->via.map.ptr[i].key, out, size) && ok;
            add(out, size, ":");
            ok = object_as_json(&o->via.map.ptr[i].val, out, size) && ok;
        }
        add(out, size, "}");
        return ok;
    default:
        return false;
    }
}

static void pack_random_number(msgpack_packer *pk, uint64_t *seed)
{
    static const int64_t edges[] = {0, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296, KP_TIME_MAX,
                                    KP_TIME_MAX + 1, INT64_MAX, -1, -32, -33, -128, -129, -32768, -32769, INT32_MIN,
                                    INT32_MIN - INT64_C(1), INT64_MIN};
    double real = (double)unit_below(seed, 4000) / 4 - 100;

    switch (unit_below(seed, 6)) {
    case 0:
        msgpack_pack_int64(pk, edges[unit_below(seed, COUNT_OF(edges))]);
        break;
    case 1:
        msgpack_pack_uint64(pk, unit_random(seed) | UINT64_C(1) << 63);
        break;
    case 2:
        msgpack_pack_double(pk, real);
        break;
    case 3:
        msgpack_pack_float(pk, (float)real);
        break;
    case 4:
        msgpack_pack_fix_uint64(pk, unit_below(seed, 2000000000000));
        break;
    default:
        msgpack_pack_uint64(pk, unit_below(seed, 1000));
        break;
    }
}

static void pack_random_value(msgpack_packer *pk, uint64_t *seed)
{
    static const char *const texts[] = {"", "x", "r\xc3\xa9p", "outbound", "fifteen bytes..",
                                        "thirty-one bytes, as the header",
                                        "thirty-two bytes, one too many..", S128, S128 "!"};

    switch (unit_below(seed, 16)) {
    case 0:
        msgpack_pack_nil(pk);
        break;
    case 1:
        msgpack_pack_true(pk);
        break;
    case 2:
        msgpack_pack_array(pk, 2);
        msgpack_pack_array(pk, 0);
        pack_random_number(pk, seed);
        break;
    case 3:
        if (unit_below(seed, 2)) {
            msgpack_pack_map(pk, 0);
            break;
        }
        msgpack_pack_map(pk, 1);
        pack_text(pk, "type");
        pack_text(pk, "deep");
        break;
    case 4:
        if (unit_below(seed, 4) == 0)
            msgpack_pack_bin_with_body(pk, "bin", 3);
        else
            pack_text(pk, "");
        break;
    case 5: case 6: case 7: case 8:
        pack_random_number(pk, seed);
        break;
    default:
        pack_text(pk, texts[unit_below(seed, COUNT_OF(texts))]);
        break;
    }
}

/* A value that the key should have, as most have, or any. */
static void pack_likely_value(msgpack_packer *pk, const char *key, uint64_t *seed)
{
    if (unit_below(seed, 8) == 0)
        pack_random_value(pk, seed);
    else if (strcmp(key, "time") == 0)
        msgpack_pack_uint64(pk, 1700000000000 + unit_below(seed, 1000));
    else if (strcmp(key, "seq") == 0)
        msgpack_pack_uint64(pk, unit_below(seed, 100000));
    else if (strcmp(key, "automated") == 0)
        msgpack_pack_false(pk);
    else if (strcmp(key, "amount") == 0 || strcmp(key, "a_long_name_of_a_field") == 0)
        pack_random_number(pk, seed);
    else
        pack_text(pk, unit_below(seed, 2) ? "some text" : "and some longer text");
}

/* Events of one shape, as a sender's are: the same keys at the same places, with other values. */
static void pack_random_message(msgpack_sbuffer *buf, const uint64_t *shape, size_t keys, size_t events, uint64_t *seed)
{
    static const char *const names[] = {"id", "source", "type", "type", "time", "rep", "seq", "automated", "region",
                                        "amount", "a_long_name_of_a_field", "amoun", "amounts", "other",
                                        "sixteen_bytes_ke", "fifteen_bytes_k"};
    msgpack_packer pk;

    msgpack_sbuffer_init(buf);
    msgpack_packer_init(&pk, buf, msgpack_sbuffer_write);
    if (events != 1)
        msgpack_pack_array(&pk, events);
    for (size_t e = 0; e < events; e++) {
        msgpack_pack_map(&pk, keys);
        for (size_t k = 0; k < keys; k++) {
            const char *key = names[shape[k] % COUNT_OF(names)];

            if (unit_below(seed, 50) == 0)
                msgpack_pack_int(&pk, 7);
            else
                pack_text(&pk, key);
            pack_likely_value(&pk, key, seed);
        }
    }
}

static void random_events_are_what_msgpack_c_reads_and_the_same_as_json(void **state)
{
    static char want[8192], got[8192], json[16384];
    struct kp_decode_limits limits = {.message = sizeof json, .batch = small.batch, .fields = small.fields};
    struct kp_schema *schema = make_schema();
    struct kp_decoder *dec = make_decoder(schema, &limits);
    uint64_t seed = 11, shape[10];
    size_t keys = 0, as_json = 0, usable = 0;

    (void)state;
    for (int i = 0; i < 40000; i++) {
        size_t events = 1 + (unit_below(&seed, 4) ? 0 : unit_below(&seed, small.batch));
        msgpack_unpacked tree;
        msgpack_sbuffer buf;
        size_t off = 0;

        if (i % 8 == 0) {
            keys = unit_below(&seed, COUNT_OF(shape));
            for (size_t k = 0; k < COUNT_OF(shape); k++)
                shape[k] = unit_random(&seed);
        }
        pack_random_message(&buf, shape, keys, events, &seed);
        msgpack_unpacked_init(&tree);
        assert_int_equal(msgpack_unpack_next(&tree, buf.data, buf.size, &off), MSGPACK_UNPACK_SUCCESS);
        want[0] = json[0] = '\0';
        for (size_t e = 0; e < events; e++)
            plain_event(schema, events == 1 ? &tree.data : &tree.data.via.array.ptr[e], want, sizeof want);
        add(want, sizeof want, "end");
        tell(schema, dec, buf.data, buf.size, no_topic, got, sizeof got);
        assert_string_equal(got, want);
        usable += strncmp(want, "ok", 2) == 0;
        if (object_as_json(&tree.data, json, sizeof json)) {
            tell(schema, dec, json, strlen(json), no_topic, got, sizeof got);
            assert_string_equal(got, want);
            as_json++;
        }
        msgpack_unpacked_destroy(&tree);
        msgpack_sbuffer_destroy(&buf);
    }
    assert_true(usable > 5000 && as_json > 20000);      /* neither property is empty */
    kp_decoder_destroy(&dec);
    kp_schema_destroy(&schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_events_are_what_msgpack_c_reads_and_the_same_as_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
