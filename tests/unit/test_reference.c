/* The reference of the configuration, config/README.md, against what the loader knows: each key is told, and is in an example,
 * and each example loads. */
#include "slurp.h"
#include "unit.h"

#include "config.h"
#include "faults.h"
#include "keyfile.h"

#include "kpid/message.h"

#include <stdlib.h>

/* The part of the reference under a heading "## name" or below it; up to the next heading of that rank. */
static char *section_of(const char *reference, const char *name)
{
    char heading[64];
    const char *from, *to;

    snprintf(heading, sizeof heading, "\n## %s\n", name);
    from = strstr(reference, heading);
    if (!from)
        return NULL;
    to = strstr(from + strlen(heading), "\n## ");
    return to ? strndup(from, (size_t)(to - from)) : strdup(from);
}

/* config/README.md tells each key of a map in backquotes, in the section that the map's place begins with. */
static void every_key_is_told_in_the_reference(void **state)
{
    char *reference = slurp(KPID_REFERENCE);
    size_t count, untold = 0;
    const struct kp_key_table *tables = kp_config_tables(&count);

    (void)state;
    assert_non_null(reference);
    for (size_t t = 0; t < count; t++) {
        const char *where = tables[t].where, *key;
        char top[32], *section;

        snprintf(top, sizeof top, "%.*s", (int)strcspn(where, ".["), where);
        section = section_of(reference, *top ? top : "Top level");
        for (size_t i = 0; section && (key = kp_key_name(&tables[t], i)) != NULL; i++) {
            char quoted[64];

            snprintf(quoted, sizeof quoted, "`%s`", key);
            if (!strstr(section, quoted)) {
                fprintf(stderr, "%s: `%s` is not told\n", where, key);
                untold++;
            }
        }
        untold += !section;
        free(section);
    }
    free(reference);
    assert_int_equal(untold, 0);
}

static void every_placeholder_is_told_in_the_reference(void **state)
{
    char *reference = slurp(KPID_REFERENCE);
    size_t untold = 0;

    (void)state;
    assert_non_null(reference);
    for (int p = 0; p < KP_PLACEHOLDERS; p++) {
        char quoted[64];

        snprintf(quoted, sizeof quoted, "`{%s}`", kp_placeholder_name(p));
        untold += !strstr(reference, quoted);
    }
    free(reference);
    assert_int_equal(untold, 0);
}

/* ---- its examples: indented by four, each a section of the file or some KPIs ---- */

static const char *next_line(const char *at)
{
    at += strcspn(at, "\n");
    return *at ? at + 1 : at;
}

/* All the lines of a text that are indented by four, without that; what is between them becomes an empty line. */
static char *examples_of(const char *text)
{
    char *found = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&found, &size);

    assert_non_null(out);
    for (const char *at = text; *at; at = next_line(at)) {
        if (strncmp(at, "    ", 4) == 0)
            fprintf(out, "%.*s", (int)strcspn(at + 4, "\n"), at + 4);
        fputc('\n', out);
    }
    fclose(out);
    return found;
}

/* Is there a line of the text that begins with the key; or, anywhere, the key? */
static bool has_key(const char *text, const char *key, bool anywhere)
{
    size_t len = strlen(key);

    for (const char *at = strstr(text, key); at; at = strstr(at + 1, key)) {
        bool begins = at == text || strchr(anywhere ? " {\n" : "\n", at[-1]);

        if (begins && at[len] == ':' && strchr(" \n", at[len + 1]))
            return true;
    }
    return false;
}

/* What the examples take for granted, unless they say it themselves. */
static const char *const granted[][2] = {
    {"calendars", "calendars: {office: {hours: {mon: \"09:00-17:00\"}}, uk: {hours: {mon: \"09:00-17:00\"}},\n"
                  "  new-york: {hours: {mon: \"09:00-17:00\"}}, singapore: {hours: {mon: \"09:00-17:00\"}}}\n"},
    {"roster", "roster: {members: [{rep: ana, region: emea, role: sdr}]}\n"},
    {"targets", "targets: [{kpi: calls_made, per: day, value: 40}]\n"},
};
static const char *const granted_kpis[][2] = {
    {"calls_made", "{aggregate: count}"}, {"deals_won", "{aggregate: count}"},           {"deals_lost", "{aggregate: count}"},
    {"revenue", "{aggregate: count}"},    {"talk_p90", "{aggregate: p90, of: duration}"},
};

static char *document_of(const char *example, bool some_kpis)
{
    char *found = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&found, &size);

    assert_non_null(out);
    if (!some_kpis)
        fputs(example, out);
    if (some_kpis || !has_key(example, "kpis", false)) {
        fputs("kpis:\n", out);
        for (const char *at = some_kpis ? example : ""; *at; at = next_line(at))
            fprintf(out, "  %.*s\n", (int)strcspn(at, "\n"), at);
        for (size_t i = 0; i < COUNT_OF(granted_kpis); i++)
            if (!some_kpis || !has_key(example, granted_kpis[i][0], false))
                fprintf(out, "  %s: %s\n", granted_kpis[i][0], granted_kpis[i][1]);
    }
    for (size_t i = 0; i < COUNT_OF(granted); i++)
        if (some_kpis || !has_key(example, granted[i][0], false))
            fputs(granted[i][1], out);
    fclose(out);
    return found;
}

/* What lies beside the configurations of the examples: what is shipped, a key, and the users that the reference has. */
static char dir[] = "/tmp/kpid-reference-XXXXXX/";

static void put_beside(const char *name, const char *text)
{
    char path[256];
    FILE *out;

    snprintf(path, sizeof path, "%s%s", dir, name);
    out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static int lay_beside(void **state)
{
    char *reference = slurp(KPID_REFERENCE), *section = section_of(reference, "security"), *examples = examples_of(section);
    const char *users = strstr(examples, "users:\n"), *shipped[] = {"roster.csv", "uk.ics"};
    struct kp_key_file keys = {0};
    struct kp_err err;
    char path[256];

    (void)state;
    dir[sizeof dir - 2] = '\0';
    assert_non_null(mkdtemp(dir));
    dir[sizeof dir - 2] = '/';
    for (size_t i = 0; i < COUNT_OF(shipped); i++) {
        char from[512];
        char *text;

        snprintf(from, sizeof from, "%.*s%s", (int)(strrchr(KPID_REFERENCE, '/') + 1 - KPID_REFERENCE), KPID_REFERENCE, shipped[i]);
        text = slurp(from);
        put_beside(shipped[i], text);
        free(text);
    }
    snprintf(path, sizeof path, "%sserver.key", dir);
    assert_int_equal(kp_curve_make(&keys, &err) || kp_key_file_write(path, "of a test", &keys, &err), KP_OK);
    assert_non_null(users);
    put_beside("users.yaml", users);
    free(examples);
    free(section);
    free(reference);
    return 0;
}

static int clear_beside(void **state)
{
    static const char *const names[] = {"roster.csv", "uk.ics", "server.key", "users.yaml", ""};
    char path[256];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof path, "%s%s", dir, names[i]);
        (void)!remove(path);
    }
    return 0;
}

static bool loads(const char *yaml)
{
    struct kp_fault_list list;
    struct kp_config config;
    int count;

    kp_fault_list_init(&list, "example");
    count = kp_config_load_bytes("example", dir, yaml, strlen(yaml), &config, &list.faults);
    if (count == 0)
        kp_config_release(&config);
    else
        fprintf(stderr, "%s", yaml);
    kp_fault_list_print(&list, stderr);
    kp_fault_list_release(&list);
    return count == 0;
}

/* How many examples of a section there are; -1 when one does not load. */
static int try_examples(const char *examples, const char *section)
{
    int tried = 0;

    for (const char *at = examples + strspn(examples, "\n"), *end; *at; at = end + strspn(end, "\n")) {
        size_t word = strspn(at, "abcdefghijklmnopqrstuvwxyz_0123456789");
        char *example, *document;
        bool well;

        end = strstr(at, "\n\n");
        end = end ? end + 1 : at + strlen(at);
        if (word == 0 || at[word] != ':' || strncmp(at, "users:", 6) == 0)
            continue;           /* what is typed, or comes out; the file of users, which is beside another one's example */
        example = strndup(at, (size_t)(end - at));
        document = document_of(example, strcmp(section, "kpis") == 0);
        well = loads(document);
        free(document);
        free(example);
        if (!well)
            return -1;
        tried++;
    }
    return tried;
}

static bool is_for_later(const char *section, const char *quoted)
{
    const char *later = strstr(section, "Not in this version yet:"), *at = later ? strstr(later, quoted) : NULL;

    return at && at < later + strcspn(later, ".");
}

static void every_example_of_the_reference_loads(void **state)
{
    char *reference = slurp(KPID_REFERENCE);
    int sections = 0, wrong = 0;

    (void)state;
    assert_non_null(reference);
    for (const char *at = strstr(reference, "\n## "); at; at = strstr(at + 1, "\n## ")) {
        char *name = strndup(at + 4, strcspn(at + 4, "\n")), *section = section_of(reference, name);
        char *examples = examples_of(section);

        if (try_examples(examples, name) < 1) {
            fprintf(stderr, "%s: has no example, or a wrong one\n", name);
            wrong++;
        }
        sections++;
        free(examples);
        free(section);
        free(name);
    }
    free(reference);
    assert_true(sections > 10);
    assert_int_equal(wrong, 0);
}

static void every_key_of_the_reference_is_in_an_example(void **state)
{
    char *reference = slurp(KPID_REFERENCE);
    size_t count, wrong = 0;
    const struct kp_key_table *tables = kp_config_tables(&count);

    (void)state;
    assert_non_null(reference);
    for (size_t t = 0; t < count; t++) {
        char top[32], quoted[64], *section, *examples;
        const char *key;

        snprintf(top, sizeof top, "%.*s", (int)strcspn(tables[t].where, ".["), tables[t].where);
        section = section_of(reference, *top ? top : "Top level");
        assert_non_null(section);
        examples = examples_of(*top ? section : reference);
        for (size_t i = 0; (key = kp_key_name(&tables[t], i)) != NULL; i++) {
            snprintf(quoted, sizeof quoted, "`%s`", key);
            if (!has_key(examples, key, true) && !is_for_later(section, quoted)) {
                fprintf(stderr, "%s: %s is in no example\n", tables[t].where, key);
                wrong++;
            }
        }
        free(examples);
        free(section);
    }
    free(reference);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_told_in_the_reference),
        cmocka_unit_test(every_placeholder_is_told_in_the_reference),
        cmocka_unit_test(every_example_of_the_reference_loads),
        cmocka_unit_test(every_key_of_the_reference_is_in_an_example),
    };

    return cmocka_run_group_tests(tests, lay_beside, clear_beside);
}
