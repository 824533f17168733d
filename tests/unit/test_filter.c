/* `where`: single tests by table, and signatures by the property that they exist for: events of one signature match the
 * same filters. */
#include "unit.h"

#include "filter.h"

#include <math.h>

#define INT(x) {.kind = KP_INT, .i = (x)}
#define REAL(x) {.kind = KP_REAL, .f = (x)}
#define STR(x) {.kind = KP_STR, .len = sizeof(x) - 1, .s = (x)}
#define BOOL(x) {.kind = KP_BOOL, .b = (x)}

static const struct kp_value values[] = {
    {.kind = KP_NIL}, BOOL(true), BOOL(false), INT(0), INT(1), INT(5), INT(-5), INT(INT64_MAX), REAL(5.0), REAL(4.999), REAL(5.5),
    REAL(-0.0), REAL((double)NAN), REAL((double)INFINITY), REAL(9223372036854775808.0), STR(""), STR("a"), STR("ab"), STR("abc"),
    STR("abd"), STR("b"), STR("5"), STR("true"), STR("a long string, longer than eight"), STR("a long string, longer than eighT"),
    STR("a\0b"),
};
enum { NVALUES = (int)COUNT_OF(values) };

/* An event in which slot has a value; KP_NIL: it has none. */
static void give(struct kp_event *ev, int slot, const struct kp_value *v)
{
    ev->v[slot] = *v;
    if (v->kind == KP_NIL)
        ev->present &= ~(UINT64_C(1) << slot);
    else
        ev->present |= UINT64_C(1) << slot;
}

static bool match_one(struct kp_pred pred, const struct kp_value *v)
{
    struct kp_schema *schema = kp_schema_new(NULL);
    struct kp_filters *set = kp_filters_new(NULL);
    struct kp_all all = {&pred, 1};
    struct kp_where where = {&all, 1};
    struct kp_event ev = {0};
    bool yes;

    assert_int_equal(kp_filters_add(set, schema, &where), 0);
    assert_int_equal(kp_filters_seal(set, NULL), KP_OK);
    give(&ev, kp_schema_find(schema, pred.field, strlen(pred.field)), v);
    yes = kp_filters_match(set, 0, &ev);
    kp_filters_destroy(&set);
    kp_schema_destroy(&schema);
    return yes;
}

static void tests_hold_as_the_interface_says(void **state)
{
    static const struct {
        enum kp_cmp cmp;
        struct kp_value arg, value;
        bool holds;
    } cases[] = {
        {KP_CMP_EQ, STR("a"), STR("a"), true}, {KP_CMP_EQ, STR("a"), STR("b"), false},
        {KP_CMP_EQ, STR("a"), {.kind = KP_NIL}, false},
        {KP_CMP_EQ, INT(5), REAL(5.0), true}, {KP_CMP_EQ, INT(5), STR("5"), false},
        {KP_CMP_EQ, BOOL(true), BOOL(true), true},
        {KP_CMP_EQ, BOOL(true), INT(1), false}, {KP_CMP_EQ, STR(""), STR(""), true},
        {KP_CMP_EQ, STR("a"), STR("a\0b"), false},
        {KP_CMP_NE, STR("a"), STR("a"), false}, {KP_CMP_NE, STR("a"), STR("b"), true},
        {KP_CMP_NE, STR("a"), {.kind = KP_NIL}, true},
        {KP_CMP_NE, STR("a"), INT(1), true}, {KP_CMP_NE, INT(1), REAL((double)NAN), true},
        {KP_CMP_GT, INT(5), INT(6), true}, {KP_CMP_GT, INT(5), REAL(5.0), false},
        {KP_CMP_GT, INT(5), REAL(5.001), true},
        {KP_CMP_GT, INT(5), STR("6"), false}, {KP_CMP_GT, INT(5), {.kind = KP_NIL}, false},
        {KP_CMP_GT, INT(5), REAL((double)NAN), false},
        {KP_CMP_GTE, REAL(5.0), INT(5), true}, {KP_CMP_GTE, INT(5), INT(4), false},
        {KP_CMP_LT, INT(5), INT(4), true}, {KP_CMP_LT, INT(5), INT(5), false},
        {KP_CMP_LT, INT(5), REAL((double)NAN), false},
        {KP_CMP_LT, INT(5), BOOL(false), false}, {KP_CMP_LTE, INT(5), REAL(5.0), true},
        {KP_CMP_LTE, INT(5), {.kind = KP_NIL}, false},
        {KP_CMP_EXISTS, BOOL(true), INT(0), true}, {KP_CMP_EXISTS, BOOL(true), {.kind = KP_NIL}, false},
        {KP_CMP_EXISTS, BOOL(false), {.kind = KP_NIL}, true}, {KP_CMP_EXISTS, BOOL(false), STR(""), false},
        {KP_CMP_PREFIX, STR("ab"), STR("abc"), true}, {KP_CMP_PREFIX, STR("ab"), STR("ab"), true},
        {KP_CMP_PREFIX, STR("ab"), STR("a"), false}, {KP_CMP_PREFIX, STR("ab"), INT(5), false},
        {KP_CMP_PREFIX, STR("ab"), {.kind = KP_NIL}, false}, {KP_CMP_PREFIX, STR(""), STR("x"), true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char field[] = "f";
        struct kp_value arg = cases[i].arg;

        if (match_one((struct kp_pred){.field = field, .cmp = cases[i].cmp, .args = &arg, .nargs = 1}, &cases[i].value) !=
            cases[i].holds)
            fail_msg("case %zu", i);
    }
}

static void lists_hold_when_any_of_them_does(void **state)
{
    char field[] = "f";
    struct kp_value args[] = {STR("a"), INT(5), BOOL(false)};
    struct kp_pred in = {.field = field, .cmp = KP_CMP_IN, .args = args, .nargs = 3};
    struct kp_pred out = {.field = field, .cmp = KP_CMP_NOT_IN, .args = args, .nargs = 3};

    (void)state;
    for (int i = 0; i < NVALUES; i++) {
        bool any = values[i].kind != KP_NIL && (kp_value_eq(&values[i], &args[0]) || kp_value_eq(&values[i], &args[1]) ||
                                                kp_value_eq(&values[i], &args[2]));

        assert_int_equal(match_one(in, &values[i]), any);
        assert_int_equal(match_one(out, &values[i]), !any);
    }
}

static void maps_hold_whole_and_one_of_several_is_enough(void **state)
{
    struct kp_schema *schema = kp_schema_new(NULL);
    struct kp_filters *set = kp_filters_new(NULL);
    char f[] = "f", g[] = "g";
    struct kp_value one = INT(1), two = INT(2);
    struct kp_pred preds[] = {{.field = f, .cmp = KP_CMP_EQ, .args = &one, .nargs = 1},
                              {.field = g, .cmp = KP_CMP_EQ, .args = &two, .nargs = 1},
                              {.field = f, .cmp = KP_CMP_EQ, .args = &two, .nargs = 1}};
    struct kp_all any[] = {{preds, 2}, {preds + 2, 1}};
    struct kp_where where = {any, 2}, all = {NULL, 0}, again = {any, 2};
    struct kp_event ev = {0};

    (void)state;
    assert_int_equal(kp_filters_add(set, schema, &where), 0);
    assert_int_equal(kp_filters_add(set, schema, &all), 1);
    assert_int_equal(kp_filters_add(set, schema, &again), 0);
    assert_int_equal(kp_filters_count(set), 2);
    assert_int_equal(kp_filters_seal(set, NULL), KP_OK);
    for (int a = 0; a < 4; a++) {
        for (int b = 0; b < 4; b++) {
            const struct kp_value x = INT(a), y = INT(b);

            give(&ev, kp_schema_find(schema, "f", 1), &x);
            give(&ev, kp_schema_find(schema, "g", 1), &y);
            assert_int_equal(kp_filters_match(set, 0, &ev), (a == 1 && b == 2) || a == 2);
            assert_true(kp_filters_match(set, 1, &ev));
        }
    }
    kp_filters_destroy(&set);
    assert_null(set);
    kp_schema_destroy(&schema);
}

/* ---- Signatures ---- */

enum { FIELDS = 3, WHERES = 12 };

struct made {               /* a random configuration of filters */
    char fields[FIELDS][4];
    struct kp_value args[WHERES][4][3];
    struct kp_pred preds[WHERES][4];
    struct kp_all alls[WHERES][2];
    struct kp_where wheres[WHERES];
};

static void make_pred(struct made *m, struct kp_pred *p, struct kp_value *args, uint64_t *seed)
{
    const struct kp_value *v;

    p->field = m->fields[unit_below(seed, FIELDS)];
    p->cmp = (enum kp_cmp)unit_below(seed, KP_CMP_PREFIX + 1);
    p->args = args;
    p->nargs = p->cmp == KP_CMP_IN || p->cmp == KP_CMP_NOT_IN ? 1 + unit_below(seed, 3) : 1;
    for (size_t i = 0; i < p->nargs; i++) {
        do {
            v = &values[1 + unit_below(seed, NVALUES - 1)];
        } while ((p->cmp == KP_CMP_EXISTS && v->kind != KP_BOOL) || (p->cmp == KP_CMP_PREFIX && v->kind != KP_STR) ||
                 (p->cmp >= KP_CMP_GT && p->cmp <= KP_CMP_LTE && v->kind != KP_INT && v->kind != KP_REAL) ||
                 (v->kind == KP_REAL && isnan(v->f)));
        args[i] = *v;
    }
}

static void make_wheres(struct made *m, uint64_t *seed)
{
    for (int f = 0; f < FIELDS; f++)
        sprintf(m->fields[f], "f%d", f);
    for (int w = 0; w < WHERES; w++) {
        size_t split = unit_below(seed, 5);

        for (int p = 0; p < 4; p++)
            make_pred(m, &m->preds[w][p], m->args[w][p], seed);
        m->alls[w][0] = (struct kp_all){m->preds[w], split};
        m->alls[w][1] = (struct kp_all){m->preds[w] + split, 4 - split};
        m->wheres[w] = (struct kp_where){m->alls[w], unit_below(seed, 3)};
    }
}

static void events_of_one_signature_match_the_same_filters(void **state)
{
    enum { EVENTS = 250 };
    struct kp_signature sigs[EVENTS];
    uint32_t hashes[EVENTS], matches[EVENTS];
    uint64_t seed = 1;
    int shared = 0;

    (void)state;
    for (int round = 0; round < 50; round++) {
        struct made *m = calloc(1, sizeof *m);
        struct kp_schema *schema = kp_schema_new(NULL);
        struct kp_filters *set = kp_filters_new(NULL);
        size_t width;

        make_wheres(m, &seed);
        for (int w = 0; w < WHERES; w++)
            assert_true(kp_filters_add(set, schema, &m->wheres[w]) >= 0);
        assert_int_equal(kp_filters_seal(set, NULL), KP_OK);
        width = kp_filters_width(set);
        for (int e = 0; e < EVENTS; e++) {
            struct kp_event ev = {0};

            for (int f = 0; f < FIELDS; f++) {
                int slot = kp_schema_find(schema, m->fields[f], strlen(m->fields[f]));

                if (slot >= 0)
                    give(&ev, slot, &values[unit_below(&seed, NVALUES)]);
            }
            hashes[e] = kp_filters_sign(set, &ev, &sigs[e]);
            matches[e] = 0;
            for (int i = 0; i < kp_filters_count(set); i++)
                matches[e] |= (uint32_t)kp_filters_match(set, i, &ev) << i;
            for (int k = 0; k < e; k++) {
                if (memcmp(&sigs[k], &sigs[e], width) != 0)
                    continue;
                shared++;
                assert_int_equal(hashes[k], hashes[e]);
                assert_int_equal(matches[k], matches[e]);
            }
        }
        kp_filters_destroy(&set);
        kp_schema_destroy(&schema);
        free(m);
    }
    assert_true(shared > 3000);
}

static bool same_text(const struct kp_event *a, const struct kp_event *b, int slot)
{
    return kp_event_has(a, slot) == kp_event_has(b, slot) &&
           (!kp_event_has(a, slot) ||
            (a->v[slot].len == b->v[slot].len && memcmp(a->v[slot].s, b->v[slot].s, a->v[slot].len) == 0));
}

/* Texts that differ in little: in one byte, in their length alone, in where they stand, or in that they are missing. */
static void events_of_one_print_hold_the_same_texts(void **state)
{
    enum { PRINTED = 3 * KP_PRINTS_MAX };
    static const char *const fields[] = {"one", "two", "three"};
    static const char zeros[16], letters[] = "aaaaaaaaaaaaaaaaabaaaaaaaaaaaaaaaa";
    struct kp_schema *schema = kp_schema_new(NULL);
    struct kp_filters *set = kp_filters_new(NULL);
    struct kp_event *events = calloc(PRINTED, sizeof *events);
    const struct kp_event *each[PRINTED];
    struct kp_value arg = STR("a");
    struct kp_pred preds[COUNT_OF(fields)];
    struct kp_all all = {preds, COUNT_OF(fields)};
    struct kp_where where = {&all, 1};
    kp_u128 prints[PRINTED];
    uint64_t seed = 5;
    int shared = 0;

    (void)state;
    for (size_t f = 0; f < COUNT_OF(fields); f++)
        preds[f] = (struct kp_pred){.field = (char *)(uintptr_t)fields[f], .cmp = KP_CMP_EQ, .args = &arg, .nargs = 1};
    assert_int_equal(kp_filters_add(set, schema, &where), 0);
    assert_int_equal(kp_filters_seal(set, NULL), KP_OK);
    kp_filters_seed(set, 42);
    for (int round = 0; round < 100; round++) {
        for (int e = 0; e < PRINTED; e++) {
            events[e].present = 0;
            for (size_t f = 0; f < COUNT_OF(fields); f++) {
                uint32_t len = (uint32_t)unit_below(&seed, unit_below(&seed, 2) ? 17 : 3);
                const char *text = unit_below(&seed, 4) ? letters + unit_below(&seed, sizeof letters - len) : zeros;
                const struct kp_value v = {.kind = unit_below(&seed, 4) ? KP_STR : KP_NIL, .len = len, .s = text};

                give(&events[e], kp_schema_find(schema, fields[f], strlen(fields[f])), &v);
            }
            each[e] = &events[e];
        }
        for (size_t at = 0; at < PRINTED; at += KP_PRINTS_MAX)
            assert_int_equal(kp_filters_print(set, each + at, KP_PRINTS_MAX, prints + at), 0);
        for (int a = 0; a < PRINTED; a++)
            for (int b = 0; b < a; b++) {
                bool same = true;

                for (size_t f = 0; f < COUNT_OF(fields); f++)
                    same &= same_text(&events[a], &events[b], kp_schema_find(schema, fields[f], strlen(fields[f])));
                assert_int_equal(prints[a] == prints[b], same);
                shared += same;
            }
    }
    assert_true(shared > 100);
    for (int v = 0; v < NVALUES; v++) {
        bool plain = values[v].kind == KP_NIL || (values[v].kind == KP_STR && values[v].len <= 16);

        give(&events[0], kp_schema_find(schema, "one", 3), &values[v]);
        assert_int_equal(kp_filters_print(set, each, 1, prints), plain ? 0 : 1);
    }
    free(events);
    kp_filters_destroy(&set);
    kp_schema_destroy(&schema);
}

static void many_constants_keep_their_classes(void **state)
{
    enum { N = 5000 };
    struct kp_schema *schema = kp_schema_new(NULL);
    struct kp_filters *set = kp_filters_new(NULL);
    struct kp_value *args = calloc(N, sizeof *args);
    char (*words)[16] = calloc(N, sizeof *words), field[] = "f";
    struct kp_pred pred = {.field = field, .cmp = KP_CMP_IN, .args = args, .nargs = N};
    struct kp_all all = {&pred, 1};
    struct kp_where where = {&all, 1};
    struct kp_signature before = {{0}}, sig = {{0}};
    struct kp_event ev = {0};
    int slot;

    (void)state;
    for (int i = 0; i < N; i++)
        args[i] = (struct kp_value){.kind = KP_STR, .len = (uint32_t)sprintf(words[i], "client-%d", i), .s = words[i]};
    assert_int_equal(kp_filters_add(set, schema, &where), 0);
    assert_int_equal(kp_filters_seal(set, NULL), KP_OK);
    slot = kp_schema_find(schema, "f", 1);
    for (int i = 0; i < N; i++) {
        give(&ev, slot, &args[i]);
        kp_filters_sign(set, &ev, &sig);
        assert_true(i == 0 || sig.cls[0] != before.cls[0]);
        assert_true(kp_filters_match(set, 0, &ev));
        before = sig;
    }
    kp_filters_destroy(&set);
    kp_schema_destroy(&schema);
    free(words);
    free(args);
}

static void too_many_constants_are_refused(void **state)
{
    enum { N = 66000 };
    struct kp_schema *schema = kp_schema_new(NULL);
    struct kp_filters *set = kp_filters_new(NULL);
    struct kp_value *args = calloc(N, sizeof *args);
    char (*words)[8] = calloc(N, sizeof *words), field[] = "f";
    struct kp_pred pred = {.field = field, .cmp = KP_CMP_IN, .args = args, .nargs = N};
    struct kp_all all = {&pred, 1};
    struct kp_where where = {&all, 1};
    struct kp_err err = {0};

    (void)state;
    for (int i = 0; i < N; i++)
        args[i] = (struct kp_value){.kind = KP_STR, .len = (uint32_t)sprintf(words[i], "%d", i), .s = words[i]};
    assert_int_equal(kp_filters_add(set, schema, &where), 0);
    assert_int_equal(kp_filters_seal(set, &err), KP_ELIMIT);
    kp_filters_destroy(&set);
    kp_schema_destroy(&schema);
    free(words);
    free(args);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tests_hold_as_the_interface_says),
        cmocka_unit_test(lists_hold_when_any_of_them_does),
        cmocka_unit_test(maps_hold_whole_and_one_of_several_is_enough),
        cmocka_unit_test(events_of_one_signature_match_the_same_filters),
        cmocka_unit_test(events_of_one_print_hold_the_same_texts),
        cmocka_unit_test(many_constants_keep_their_classes),
        cmocka_unit_test(too_many_constants_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
