/* A YAML document as a tree that knows where everything stands, and what is refused. */
#include "unit.h"

#include "yaml_tree.h"

struct last {
    struct kp_faults faults;
    struct kp_loc loc;
    char path[128], text[256];
};

static void remember(void *ctx, struct kp_loc loc, const char *path, const char *text)
{
    struct last *last = ctx;

    last->loc = loc;
    snprintf(last->path, sizeof last->path, "%s", path);
    snprintf(last->text, sizeof last->text, "%s", text);
}

static void last_init(struct last *last)
{
    memset(last, 0, sizeof *last);
    last->faults.add = remember;
    last->faults.ctx = last;
}

static struct kp_tree *must_parse(const char *yaml)
{
    struct last last;
    struct kp_tree *tree;

    last_init(&last);
    tree = kp_tree_parse(yaml, strlen(yaml), &last.faults);
    if (!tree || last.faults.count)
        fail_msg("%s: %d:%d: %s", yaml, last.loc.line, last.loc.col, last.text);
    return tree;
}

static void assert_loc(struct kp_loc loc, int line, int col)
{
    if (loc.line != line || loc.col != col)
        fail_msg("%d:%d, not %d:%d", loc.line, loc.col, line, col);
}

static void maps_lists_and_scalars_keep_their_order_and_places(void **state)
{
    struct kp_tree *tree = must_parse("# first\na: 1\nb:\n  - x\n  - {c: 'd', e: \"f\"}\né: [ü, z]\n");
    const struct kp_node *root = kp_tree_root(tree), *b = kp_node_get(root, "b"), *map = b->last;

    (void)state;
    assert_int_equal(root->kind, KP_NODE_MAP);
    assert_int_equal(root->count, 3);
    assert_string_equal(root->first->key, "a");
    assert_loc(root->first->key_loc, 2, 1);
    assert_loc(root->first->loc, 2, 4);
    assert_true(root->first->plain);
    assert_int_equal(b->kind, KP_NODE_LIST);
    assert_loc(b->first->loc, 4, 5);
    assert_null(b->first->key);
    assert_int_equal(map->kind, KP_NODE_MAP);
    assert_false(kp_node_get(map, "c")->plain);
    assert_string_equal(kp_node_get(map, "e")->text, "f");
    assert_loc(kp_node_get(map, "e")->key_loc, 5, 14);
    assert_null(kp_node_get(map, "x"));
    assert_null(kp_node_get(b, "c"));
    assert_loc(root->last->key_loc, 6, 1);
    assert_loc(root->last->first->loc, 6, 5);
    assert_loc(root->last->last->loc, 6, 8);        /* in characters, not bytes */
    kp_tree_destroy(&tree);
    assert_null(tree);
}

static void a_place_within_a_scalar_is_told_where_it_can_be(void **state)
{
    struct kp_tree *tree = must_parse("plain: ab + cd\nquoted: \"ab + cd\"\nsingle: 'äb + cd'\n"
                                      "block: |\n  ab\n  cd\n");
    const struct kp_node *root = kp_tree_root(tree);

    (void)state;
    assert_loc(kp_node_loc_at(kp_node_get(root, "plain"), 5), 1, 13);
    assert_loc(kp_node_loc_at(kp_node_get(root, "quoted"), 5), 2, 15);
    assert_loc(kp_node_loc_at(kp_node_get(root, "single"), 6), 3, 15);
    assert_loc(kp_node_loc_at(kp_node_get(root, "plain"), 999), 1, 15);     /* no further than its end */
    assert_int_equal(kp_node_loc_at(kp_node_get(root, "block"), 4).line, 4);
    kp_tree_destroy(&tree);
}

static void only_plain_scalars_can_be_numbers(void **state)
{
    struct kp_tree *tree = must_parse("- 5\n- '5'\n- \"5\"\n- |\n  5\n- >\n  5\n");

    (void)state;
    for (const struct kp_node *item = kp_tree_root(tree)->first; item; item = item->next)
        assert_int_equal(item->plain, item == kp_tree_root(tree)->first);
    kp_tree_destroy(&tree);
}

static void what_a_configuration_has_no_use_for_is_refused_where_it_stands(void **state)
{
    static const struct {
        const char *yaml;
        int line, col;
        const char *text;
    } cases[] = {
        {"", 1, 1, "the file is empty"},
        {"# nothing\n", 1, 1, "the file is empty"},
        {"a: &x 1\n", 1, 4, "anchor"},
        {"a: *x\n", 1, 4, "alias"},
        {"a: !!str 1\n", 1, 4, "tag"},
        {"a: !x {b: 1}\n", 1, 4, "tag"},
        {"a: 1\n---\nb: 2\n", 2, 1, "second document"},
        {"{[a]: 1}\n", 1, 2, ""},
        {"{{a: 1}: 1}\n", 1, 2, ""},
        {"a: [1\nb: 2\n", 0, 0, "YAML: "},
        {"a:\n\t- b\n", 2, 1, "YAML: "},
        {"a: \"b\n", 0, 0, "YAML: "},
        {"a: b: c\n", 1, 5, "YAML: "},
        {"a: \xFF\n", 1, 4, "UTF-8"},
        {"a: 1\nb: \x01\n", 2, 4, "UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct last last;
        struct kp_tree *tree;

        last_init(&last);
        tree = kp_tree_parse(cases[i].yaml, strlen(cases[i].yaml), &last.faults);
        if (tree || last.faults.count != 1 || !strstr(last.text, cases[i].text) ||
            (cases[i].line && (last.loc.line != cases[i].line || last.loc.col != cases[i].col)))
            fail_msg("%s: %d:%d: %s", cases[i].yaml, last.loc.line, last.loc.col, last.text);
    }
}

static void a_key_given_twice_is_a_fault_and_the_first_one_stands(void **state)
{
    static const char yaml[] = "a: 1\nb: 2\na: 3\n";
    struct last last;
    struct kp_tree *tree;

    (void)state;
    last_init(&last);
    tree = kp_tree_parse(yaml, strlen(yaml), &last.faults);
    assert_non_null(tree);
    assert_int_equal(last.faults.count, 1);
    assert_loc(last.loc, 3, 1);
    assert_string_equal(last.text, "the key is given twice (first in line 1)");
    assert_string_equal(kp_node_get(kp_tree_root(tree), "a")->text, "1");
    kp_tree_destroy(&tree);
}

static void nesting_has_a_limit(void **state)
{
    (void)state;
    for (size_t depth = KP_TREE_DEPTH_MAX - 1; depth <= KP_TREE_DEPTH_MAX + 1; depth++) {
        char yaml[2 * KP_TREE_DEPTH_MAX + 8];
        struct last last;
        struct kp_tree *tree;

        last_init(&last);
        memset(yaml, '[', depth);
        memset(yaml + depth, ']', depth);
        tree = kp_tree_parse(yaml, 2 * depth, &last.faults);
        assert_int_equal(tree != NULL, depth <= KP_TREE_DEPTH_MAX);
        if (!tree)
            assert_string_equal(last.text, "nested too deeply");
        kp_tree_destroy(&tree);
    }
}

static void a_tree_can_be_built_by_hand(void **state)
{
    struct kp_tree *tree = kp_tree_new();
    struct kp_node *map, *value;
    struct kp_loc loc = {.line = 3, .col = 4, .file = "x.csv"};

    (void)state;
    assert_non_null(tree);
    map = kp_tree_add(tree, NULL, KP_NODE_MAP, loc);
    value = kp_tree_add(tree, map, KP_NODE_SCALAR, loc);
    assert_non_null(value);
    value->key = "k";
    value->text = kp_tree_text(tree, "abcdef", value->len = 3);
    assert_int_equal(kp_tree_root(tree)->kind, KP_NODE_LIST);
    assert_int_equal(kp_tree_root(tree)->count, 1);
    assert_string_equal(kp_node_get(kp_tree_root(tree)->first, "k")->text, "abc");
    assert_string_equal(kp_node_get(map, "k")->loc.file, "x.csv");
    kp_tree_destroy(&tree);
    kp_tree_destroy(&tree);     /* of nothing: nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_lists_and_scalars_keep_their_order_and_places),
        cmocka_unit_test(a_place_within_a_scalar_is_told_where_it_can_be),
        cmocka_unit_test(only_plain_scalars_can_be_numbers),
        cmocka_unit_test(what_a_configuration_has_no_use_for_is_refused_where_it_stands),
        cmocka_unit_test(a_key_given_twice_is_a_fault_and_the_first_one_stands),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(a_tree_can_be_built_by_hand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
