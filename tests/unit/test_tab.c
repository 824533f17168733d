/* The hash table against a plain array. */
#include "unit.h"

#include "kpid/tab.h"

static struct kp_print print_of(uint64_t n)
{
    return kp_print_of(42, 0, &n, sizeof n);
}

/* ---- Fingerprints ---- */

static bool same(struct kp_print a, struct kp_print b)
{
    return a.hi == b.hi && a.lo == b.lo;
}

static void fingerprints_tell_apart_seeds_spaces_and_borders(void **state)
{
    struct kp_print a = kp_print_of(1, 0, "abc", 3);

    (void)state;
    assert_true(same(a, kp_print_of(1, 0, "abcd", 3)));
    assert_false(same(a, kp_print_of(1, 0, "abd", 3)));
    assert_false(same(a, kp_print_of(2, 0, "abc", 3)));
    assert_false(same(a, kp_print_of(1, 1, "abc", 3)));
    assert_false(same(kp_print_of2(1, 0, "ab", 2, "c", 1), kp_print_of2(1, 0, "a", 1, "bc", 2)));
    assert_false(same(kp_print_of2(1, 0, "", 0, "abc", 3), kp_print_of2(1, 0, "abc", 3, "", 0)));
    assert_false(same(kp_print_of2(1, 0, "a", 1, "b", 1), kp_print_of2(1, 1, "a", 1, "b", 1)));
    assert_true(same(kp_print_of2(1, 0, "ax", 1, "by", 1), kp_print_of2(1, 0, "a", 1, "b", 1)));
    for (uint64_t i = 0; i < 10000; i++)
        assert_true(print_of(i).lo != 0);
}

/* ---- The table ---- */

static void a_table_keeps_what_was_put_and_not_what_was_removed(void **state)
{
    enum { KEYS = 30000, STEPS = 300000 };
    uint32_t *words = calloc(KEYS, sizeof *words);      /* 0: not there */
    struct kp_tab *tab = kp_tab_new(NULL);
    uint64_t seed = 1;
    size_t count = 0;

    (void)state;
    assert_non_null(tab);
    for (int step = 0; step < STEPS; step++) {
        uint64_t key = unit_below(&seed, step < STEPS / 2 ? KEYS : KEYS / 3);
        struct kp_print print = print_of(key);
        uint32_t *found;

        found = kp_tab_find(tab, print);
        if (words[key]) {
            assert_non_null(found);
            assert_int_equal(*found, words[key]);
            if (unit_below(&seed, 2)) {
                *found = words[key] = (uint32_t)step + 1;
            } else {
                assert_true(kp_tab_remove(tab, print));
                words[key] = 0;
                count--;
            }
        } else {
            assert_null(found);
            assert_false(kp_tab_remove(tab, print));
            words[key] = (uint32_t)step + 1;
            assert_int_equal(kp_tab_insert(tab, print, words[key]), KP_OK);
            count++;
        }
        assert_int_equal(kp_tab_count(tab), count);
    }
    for (uint64_t key = 0; key < KEYS; key++) {
        uint32_t *found = kp_tab_find(tab, print_of(key));

        assert_true(words[key] ? found && *found == words[key] : !found);
    }
    free(words);
    kp_tab_destroy(&tab);
    assert_null(tab);
}

static void a_word_of_zero_is_kept(void **state)
{
    struct kp_tab *tab = kp_tab_new(NULL);

    (void)state;
    assert_int_equal(kp_tab_insert(tab, print_of(1), 0), KP_OK);
    assert_non_null(kp_tab_find(tab, print_of(1)));
    assert_int_equal(*kp_tab_find(tab, print_of(1)), 0);
    assert_int_equal(kp_tab_insert(tab, (struct kp_print){0, 1}, 5), KP_OK);
    assert_int_equal(kp_tab_insert(tab, (struct kp_print){0, 2}, 6), KP_OK);
    assert_int_equal(*kp_tab_find(tab, (struct kp_print){0, 1}), 5);
    kp_tab_destroy(&tab);
}

/* Keys that all want one place, over the end of a segment and around to its start. */
static void clustered_keys_survive_removal_in_any_order(void **state)
{
    enum { KEYS = 300 };
    uint64_t seed = 2;

    (void)state;
    for (int round = 0; round < 50; round++) {
        struct kp_tab *tab = kp_tab_new(NULL);
        bool there[KEYS] = {false};

        for (int step = 0; step < 3000; step++) {
            uint32_t k = (uint32_t)unit_below(&seed, KEYS);
            struct kp_print print = {(UINT64_C(2040) + k % 12) & 2047, k + 1};

            if (there[k])
                assert_true(kp_tab_remove(tab, print));
            else
                assert_int_equal(kp_tab_insert(tab, print, k), KP_OK);
            there[k] = !there[k];
        }
        for (uint32_t k = 0; k < KEYS; k++)
            assert_int_equal(kp_tab_find(tab, (struct kp_print){(UINT64_C(2040) + k % 12) & 2047, k + 1}) != NULL, there[k]);
        kp_tab_destroy(&tab);
    }
}

/* The first chunk is there from the start. */
static void an_entry_costs_some_25_bytes(void **state)
{
    struct kp_tab *tab = kp_tab_new(NULL);

    (void)state;
    for (uint64_t i = 0; i < 300000; i++) {
        assert_int_equal(kp_tab_insert(tab, print_of(i), (uint32_t)i), KP_OK);
        assert_true(kp_tab_bytes(tab) <= 45 * i + (5 << 20));
    }
    kp_tab_destroy(&tab);
}

/* ---- Keys that somebody has chosen ---- */

enum { CHOSEN = 1400, PLACES = 512 };      /* as many as a segment takes, and the lines that it has */

static unsigned line_of(struct kp_print print)
{
    return print.hi % PLACES;
}

static unsigned segment_of(struct kp_print print)
{
    return (unsigned)(print.hi >> 55);
}

static unsigned most_in_one(const uint64_t *keys, uint64_t seed, unsigned (*place)(struct kp_print print))
{
    unsigned count[PLACES] = {0}, most = 0;

    for (int i = 0; i < CHOSEN; i++) {
        unsigned *n = &count[place(kp_print_of(seed, 0, &keys[i], sizeof keys[i]))];

        most = ++*n > most ? *n : most;
    }
    return most;
}

/* Whoever knew the seed could let all keys want one line, and each look go through all of them. A daemon's is of chance (see
 * e2e_attacks); of keys that are chosen for another one some three share a line, as of any keys: 16 or more do once in 10^7 seeds. */
static void keys_that_collide_under_one_seed_do_not_under_another(void **state)
{
    unsigned (*const places[])(struct kp_print) = {line_of, segment_of};
    uint64_t keys[CHOSEN];

    (void)state;
    for (size_t p = 0; p < COUNT_OF(places); p++) {
        uint64_t key = 0;

        for (int i = 0; i < CHOSEN; key++)
            if (places[p](kp_print_of(0, 0, &key, sizeof key)) == 7)
                keys[i++] = key;
        assert_int_equal(most_in_one(keys, 0, places[p]), CHOSEN);
        for (uint64_t seed = 1; seed <= 100; seed++)
            assert_true(most_in_one(keys, seed, places[p]) < 16);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fingerprints_tell_apart_seeds_spaces_and_borders),
        cmocka_unit_test(a_table_keeps_what_was_put_and_not_what_was_removed),
        cmocka_unit_test(a_word_of_zero_is_kept),
        cmocka_unit_test(clustered_keys_survive_removal_in_any_order),
        cmocka_unit_test(an_entry_costs_some_25_bytes),
        cmocka_unit_test(keys_that_collide_under_one_seed_do_not_under_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
