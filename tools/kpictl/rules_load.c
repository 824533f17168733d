/* A rule test file: its configuration, its tests, what they say of time. */
#include "rules.h"

#include <stdlib.h>
#include <string.h>

/* ---- The configuration ---- */

/* Faults of a configuration among those of the test file. */
struct relay {
    struct kp_faults faults;
    struct kp_faults *to;
    const char *file;           /* where they stand; NULL: in the test file itself */
    const char *prefix;         /* of their paths */
};

static void pass_on(void *ctx, struct kp_loc loc, const char *path, const char *text)
{
    const struct relay *relay = ctx;
    char full[KP_PATH_TEXT + 16];

    if (!loc.file)
        loc.file = relay->file;
    snprintf(full, sizeof full, "%s%s%s", relay->prefix, *relay->prefix && *path ? "." : "", path);
    kp_fault(relay->to, loc, full, "%s", text);
}

/* The names that an alert has, from the one place that knows them. */
static void read_fields(struct rules_file *file, struct rules_stage *stage)
{
    struct kp_alert alert = {.rule = file->config.alerts};
    struct rules_said_list said = {0};
    const msgpack_object_map *map;

    if (file->config.nalerts == 0)
        return;
    kp_encode_alert(stage->out, stage->engine, &alert, 0);
    rules_said_add(&said, stage, 0, false);
    map = said.count ? &said.list->map.data.via.map : NULL;
    for (uint32_t i = 0; map && i < map->size; i++) {
        const char **slot = kp_grow(&file->ld, &file->fields, &file->nfields, sizeof *slot);

        if (slot)
            *slot = kp_tree_text(file->tree, map->ptr[i].key.via.str.ptr, map->ptr[i].key.via.str.size);
        if (slot && !*slot)
            file->nfields--;
    }
    rules_said_release(&said);
}

/* Is there room for it, and what zone has it? */
static void try_config(struct rules_file *file, const struct kp_node *node)
{
    struct rules_stage stage = {0};
    struct kp_err err = {0};
    struct kp_zone *zone = kp_zone_new(file->config.zone_tzif, file->config.zone_len, &err);

    file->config.event_clock = true;
    file->config.limits.leap = RULES_LEAP_MAX;
    if (zone) {
        kp_zone_destroy(&file->zone);
        file->zone = zone;
        file->frame = (struct when_frame){.zone = zone, .zone_name = file->config.zone_name};
    }
    file->has_config = zone && rules_stage_open(&stage, &file->config, NULL, &err);
    if (file->has_config)
        read_fields(file, &stage);
    else
        kp_complain(&file->ld, node->loc, "%s", err.text);
    rules_stage_close(&stage);
}

static KP_READER(read_config)
{
    struct rules_file *file = into;
    char *path = node->kind == KP_NODE_MAP ? NULL : kp_file_of(ld, node);
    struct relay relay = {{pass_on, &relay, 0}, ld->faults, path, path ? "" : "config"};
    int bad = 1;

    (void)key;
    if (node->kind == KP_NODE_MAP)
        bad = kp_config_load_node(file->name, ld->dir, node, &file->config, &relay.faults);
    else if (path)
        bad = kp_config_load(path, &file->config, &relay.faults);
    if (bad == 0)
        try_config(file, node);
    free(path);
}

/* ---- What they say of time ---- */

static bool zone_of(struct kp_loader *ld, const struct kp_node *node, struct kp_zone_file *file, struct kp_zone **zone,
                    struct when_frame *frame)
{
    struct kp_err err = {0};
    struct kp_zone *named;
    size_t before = ld->faults->count;

    kp_zone_of(ld, node, file);
    if (ld->faults->count != before)
        return false;
    named = kp_zone_new(file->tzif, file->len, &err);
    if (!named) {
        kp_complain(ld, node->loc, "%s", err.text);
        return false;
    }
    kp_zone_destroy(zone);
    *zone = named;
    frame->zone = named;
    frame->zone_name = file->name;
    return true;
}

static void date_of(struct kp_loader *ld, const struct kp_node *node, struct when_frame *frame)
{
    struct kp_days days;

    if (!kp_want(ld, node, KP_NODE_SCALAR) || !kp_days_of(ld, node, node->text, node->len, false, &days))
        return;
    frame->day = days.first;
    frame->has_day = true;
}

static bool instant_of(struct kp_loader *ld, const struct kp_node *node, const struct when_frame *frame, int64_t *at_ms)
{
    struct kp_err err = {0};
    int64_t unit_ms;
    size_t where;

    if (!kp_want(ld, node, KP_NODE_SCALAR))
        return false;
    if (when_instant(frame, node->text, node->len, at_ms, &unit_ms, &where, &err))
        return true;
    kp_complain(ld, kp_node_loc_at(node, where), "%s", err.text);
    return false;
}

/* ---- Expectations ---- */

static KP_READER(read_at)
{
    struct rules_look *look = into;
    struct kp_err err = {0};
    size_t where = 0;

    (void)key;
    if (!kp_want(ld, node, KP_NODE_SCALAR))
        return;
    if (!when_all(&look->test->frame, node->text, node->len, RULES_LOOKS_MAX - look->test->ninstants, &look->at, &look->nat,
                  &where, &err))
        kp_complain(ld, kp_node_loc_at(node, where), "%s", err.text);
    else if (look->nat == 0)
        kp_complain(ld, node->loc, "is at no time at all");
    look->test->ninstants += look->nat;
}

static KP_READER(read_from)
{
    struct rules_look *look = into;

    (void)key;
    instant_of(ld, node, &look->test->frame, &look->from_ms);
}

static KP_READER(read_to)
{
    struct rules_look *look = into;

    (void)key;
    if (instant_of(ld, node, &look->test->frame, &look->to_ms) && look->to_ms <= look->from_ms)
        kp_complain(ld, node->loc, "is not after \"from\"");
}

static KP_READER(read_node)
{
    const struct kp_node **slot = into;

    (void)key;
    if (kp_want(ld, node, KP_NODE_LIST))
        *slot = node;
}

static KP_READER(read_look_only)
{
    struct rules_look *look = into;

    (void)ld;
    (void)key;
    look->only = node;
    rules_check_only(look->test->file, node);
}

#define AT(field) offsetof(struct rules_look, field)
static const struct kp_key look_keys[] = {
    {.name = "at", .read = read_at},
    {.name = "from", .read = read_from},
    {.name = "to", .read = read_to},
    {.name = "only", .read = read_look_only},
    {.name = "firing", .read = read_node, .at = AT(firing)},
    {.name = "pending", .read = read_node, .at = AT(pending)},
    {.name = "kpis", .read = read_node, .at = AT(kpis)},
    {.name = "changes", .read = read_node, .at = AT(changes)},
    {.name = "told", .read = read_node, .at = AT(told)},
    {.name = NULL},
};
#undef AT

/* What holds at an instant, and what happens between two, are different questions. */
static void check_shape(struct kp_loader *ld, const struct kp_node *node, const struct rules_look *look)
{
    bool still = look->firing || look->pending || look->kpis, moves = look->changes || look->told;
    bool at = kp_node_get(node, "at"), between = kp_node_get(node, "from") || kp_node_get(node, "to");

    if (!still && !moves)
        kp_complain(ld, node->loc, "expects nothing: \"firing\", \"pending\", \"kpis\", \"changes\" or \"told\" would");
    if (still && !at)
        kp_complain(ld, node->loc, "\"at\" is missing: when must it be so?");
    if (at && moves)
        kp_complain(ld, node->loc, "\"changes\" and \"told\" are of the time between \"from\" and \"to\", not \"at\" an instant");
    if (moves && !at && look->to_ms == INT64_MAX)
        kp_complain(ld, node->loc, "\"to\" is missing: \"changes\" and \"told\" are those until then");
    if (between && !moves)
        kp_complain(ld, node->loc, "\"from\" and \"to\" are for \"changes\" and \"told\"");
}

static KP_READER(read_expect)
{
    struct rules_test *test = into;
    size_t i = 0;

    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_LIST, 100000))
        return;
    for (const struct kp_node *item = node->first; item; item = item->next) {
        struct rules_look *look = kp_grow(ld, &test->looks, &test->nlooks, sizeof *look);
        size_t back = kp_path_index(ld, i++), before = ld->faults->count;

        if (!look)
            return;
        *look = (struct rules_look){.test = test, .loc = item->loc, .from_ms = INT64_MIN, .to_ms = INT64_MAX, .only = test->only};
        if (kp_read_map(ld, item, look_keys, look)) {
            if (ld->faults->count == before)
                check_shape(ld, item, look);
            rules_check_look(look);
        }
        kp_path_back(ld, back);
    }
}

/* ---- Tests ---- */

static KP_READER(read_test_zone)
{
    struct rules_test *test = into;

    (void)key;
    zone_of(ld, node, &test->zone_file, &test->zone, &test->frame);
}

static KP_READER(read_test_date)
{
    (void)key;
    date_of(ld, node, &((struct rules_test *)into)->frame);
}

static KP_READER(read_start)
{
    struct rules_test *test = into;

    (void)key;
    test->has_start = instant_of(ld, node, &test->frame, &test->start_ms);
}

static KP_READER(read_test_only)
{
    struct rules_test *test = into;

    (void)ld;
    (void)key;
    test->only = node;
    rules_check_only(test->file, node);
}

static const struct kp_key test_keys[] = {
    {.name = "name", .need = KP_REQUIRED, .read = kp_read_text, .at = offsetof(struct rules_test, name), .max = 200},
    {.name = "zone", .read = read_test_zone},
    {.name = "date", .read = read_test_date},
    {.name = "start", .read = read_start},
    {.name = "only", .read = read_test_only},
    {.name = "events", .read = rules_read_events},
    {.name = "expect", .need = KP_REQUIRED, .read = read_expect},
    {.name = NULL},
};

/* Where time begins: where the test says, or its day does, or the first event of all. */
static void settle_start(struct rules_test *test, const struct kp_node *node)
{
    struct kp_loader *ld = &test->file->ld;
    int64_t first = test->nevents ? test->events->at_ms : INT64_MAX;

    if (test->has_start && first < test->start_ms)
        kp_complain(ld, kp_node_get(node, "start")->loc, "an event lies before it");
    if (!test->has_start && test->frame.has_day) {
        test->start_ms = kp_zone_day_start(test->frame.zone, test->frame.day);
        test->has_start = test->start_ms < first;
    }
    first = test->has_start ? test->start_ms : first == INT64_MAX ? INT64_MIN : first;
    for (size_t i = 0; i < test->nlooks; i++)
        if (test->looks[i].nat && test->looks[i].at[0] < first)
            kp_complain(ld, test->looks[i].loc, "is before the test's time begins");
}

static void read_test(struct rules_file *file, struct rules_test *test, const struct kp_node *node)
{
    struct kp_loader *ld = &file->ld;
    size_t before = ld->faults->count;
    struct rules_stage stage = {0};
    struct kp_config rehearsal = file->config;
    struct kp_err err = {0};

    rehearsal.limits.recent = 0;        /* nobody asks it for its events */
    test->file = file;
    test->frame = file->frame;
    test->only = file->only;
    test->loc = node->loc;
    if (!kp_read_map(ld, node, test_keys, test))
        return;
    if (ld->faults->count == before)
        settle_start(test, node);
    if (!file->has_config)
        return;
    if (rules_stage_open(&stage, &rehearsal, NULL, &err)) {
        rules_rehearse(test, &stage);
        rules_check_keys(test, &stage);
    } else {
        kp_complain(ld, node->loc, "%s", err.text);
    }
    rules_stage_close(&stage);
}

static KP_READER(read_tests)
{
    struct rules_file *file = into;
    size_t i = 0;

    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_LIST, 100000))
        return;
    file->tests = kp_zeros(ld, node->count, sizeof *file->tests);      /* looks point to them, so they do not move */
    for (const struct kp_node *item = node->first; item && file->tests; item = item->next) {
        size_t back = kp_path_index(ld, i);

        file->ntests = i + 1;
        read_test(file, &file->tests[i++], item);
        kp_path_back(ld, back);
    }
}

/* ---- The file ---- */

static KP_READER(read_zone)
{
    struct rules_file *file = into;

    (void)key;
    zone_of(ld, node, &file->zone_file, &file->zone, &file->frame);
}

static KP_READER(read_date)
{
    (void)key;
    date_of(ld, node, &((struct rules_file *)into)->frame);
}

static KP_READER(read_only)
{
    struct rules_file *file = into;

    (void)ld;
    (void)key;
    file->only = node;
    rules_check_only(file, node);
}

/* In the order of reading: what is said for all tests stands before them. */
static const struct kp_key file_keys[] = {
    {.name = "config", .need = KP_REQUIRED, .read = read_config},
    {.name = "zone", .read = read_zone},
    {.name = "date", .read = read_date},
    {.name = "only", .read = read_only},
    {.name = "tests", .need = KP_REQUIRED, .read = read_tests},
    {.name = NULL},
};

bool rules_load_bytes(struct rules_file *file, const char *dir, const char *bytes, size_t len, struct kp_faults *faults)
{
    struct kp_loader *ld = &file->ld;

    ld->faults = faults;
    ld->dir = dir;
    ld->config = &file->config;
    ld->numbers = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    file->zone = kp_zone_new(NULL, 0, NULL);
    file->frame = (struct when_frame){.zone = file->zone, .zone_name = "UTC"};
    file->tree = kp_tree_parse(bytes, len, faults);
    ld->out_of_memory = !ld->numbers || !file->zone;
    if (file->tree && !ld->out_of_memory)
        kp_read_map(ld, kp_tree_root(file->tree), file_keys, file);
    if (ld->out_of_memory)
        kp_fault(faults, (struct kp_loc){0}, "", "out of memory");
    ld->dir = NULL;
    return faults->count == 0;
}

bool rules_load(struct rules_file *file, struct kp_faults *faults)
{
    const char *slash = strrchr(file->name, '/');
    char *dir = slash ? strndup(file->name, (size_t)(slash - file->name) + 1) : strdup("");
    struct kp_err err = {0};
    size_t len;
    char *bytes = kp_read_file(file->name, KP_TREE_BYTES_MAX, &len, &err);
    bool ok = false;

    if (dir && bytes)
        ok = rules_load_bytes(file, dir, bytes, len, faults);
    else
        kp_fault(faults, (struct kp_loc){0}, "", "%s", bytes ? "out of memory" : err.text);
    free(dir);
    free(bytes);
    return ok;
}

static void release_test(struct rules_test *test)
{
    for (size_t i = 0; i < test->nlooks; i++)
        free(test->looks[i].at);
    free(test->looks);
    free(test->events);
    free(test->name);
    free(test->zone_file.name);
    free(test->zone_file.tzif);
    kp_zone_destroy(&test->zone);
}

void rules_release(struct rules_file *file)
{
    for (size_t i = 0; i < file->ntests; i++)
        release_test(&file->tests[i]);
    free(file->tests);
    free(file->fields);
    free(file->zone_file.name);
    free(file->zone_file.tzif);
    kp_zone_destroy(&file->zone);
    kp_config_release(&file->config);
    kp_tree_destroy(&file->tree);
    if (file->ld.numbers)
        freelocale(file->ld.numbers);
}
