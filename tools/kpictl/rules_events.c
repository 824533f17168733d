/* The events of a rule test: those that are written in it, and those of files. */
#include "rules.h"

#include "source.h"

#include <stdlib.h>
#include <string.h>

static struct rules_event *add(struct rules_test *test, const struct kp_node *node, uint32_t entry, uint32_t nth, int64_t at_ms)
{
    struct kp_loader *ld = &test->file->ld;
    struct rules_event *event;

    if (test->nevents >= RULES_EVENTS_MAX) {
        if (test->nevents++ == RULES_EVENTS_MAX)        /* told once */
            kp_complain(ld, node->loc, "with this, the test has more than %u events", RULES_EVENTS_MAX);
        test->nevents = RULES_EVENTS_MAX + 1;
        return NULL;
    }
    event = kp_grow(ld, &test->events, &test->nevents, sizeof *event);
    if (event)
        *event = (struct rules_event){.at_ms = at_ms, .node = node, .entry = entry, .nth = nth,
                                      .order = (uint32_t)test->nevents};
    return event;
}

/* ---- Written ones ---- */

static void read_written(struct rules_test *test, const struct kp_node *node, uint32_t entry)
{
    struct kp_loader *ld = &test->file->ld;
    const struct kp_node *time = kp_node_get(node, "time");
    struct kp_err err = {0};
    int64_t *at = NULL;
    size_t n = 0, where = 0, before = ld->faults->count, back;

    for (const struct kp_node *field = node->first; field; field = field->next) {
        back = kp_path_key(ld, field->key);
        kp_want(ld, field, KP_NODE_SCALAR);
        kp_path_back(ld, back);
    }
    if (!kp_node_get(node, "type"))
        kp_complain(ld, node->loc, "\"type\" is missing (or, for a file of events, \"file\")");
    if (!time)
        kp_complain(ld, node->loc, "\"time\" is missing, like 09:00, or every 10m from 09:00 to 12:00");
    if (!time || ld->faults->count != before)
        return;
    back = kp_path_key(ld, "time");
    if (!when_all(&test->frame, time->text, time->len, RULES_EVENTS_MAX, &at, &n, &where, &err))
        kp_complain(ld, kp_node_loc_at(time, where), "%s", err.text);
    else if (n == 0)
        kp_complain(ld, time->loc, "is at no time at all");
    for (size_t i = 0; i < n; i++)
        if (!add(test, node, entry, (uint32_t)i + 1, at[i]))
            break;
    kp_path_back(ld, back);
    free(at);
}

/* ---- Those of a file ---- */

struct reading {
    struct rules_test *test;
    const struct kp_node *node;
    uint32_t entry;
    struct rules_stage *stage;
    size_t messages, bad;
    char first_bad[320];
};

static void tell_bad(struct reading *r, const char *why)
{
    if (r->bad++ == 0)
        snprintf(r->first_bad, sizeof r->first_bad, "%.255s (message %zu)", why, r->messages);
}

/* Each event of a message, by its index there. */
static void take_message(struct reading *r, const char *bytes, size_t len)
{
    const char *copy = kp_tree_text(r->test->file->tree, bytes, len);
    enum kp_reason reason = copy ? kp_decode_begin(r->stage->decoder, copy, len, (struct kp_str){"", 0}) : KP_LIMIT;
    enum kp_next next;

    r->messages++;
    if (reason != KP_ACCEPTED) {
        tell_bad(r, kp_reason_name(reason));
        return;
    }
    while ((next = kp_decode_next(r->stage->decoder, &r->stage->event, &reason)) != KP_NEXT_END) {
        struct rules_event *event = NULL;

        if (next == KP_NEXT_REJECT)
            tell_bad(r, kp_reason_name(reason));
        else if (!r->stage->event.has_time)
            tell_bad(r, "without a time");
        else
            event = add(r->test, r->node, r->entry, kp_decode_index(r->stage->decoder), r->stage->event.time_ms);
        if (event) {
            event->message = copy;
            event->len = len;
        }
    }
}

static void read_messages(struct reading *r, const char *path, const char *map)
{
    struct kp_loader *ld = &r->test->file->ld;
    struct kp_err err = {0};
    struct source *source = source_open(path, false, map, &err);
    const char *bytes;
    size_t len;
    enum source_got got = SOURCE_FAILED;

    while (source && (got = source_next(source, &bytes, &len, &err)) > SOURCE_END) {
        if (got == SOURCE_BAD_ROW)
            tell_bad(r, err.text);
        else
            take_message(r, bytes, len);
    }
    source_close(&source);
    if (got == SOURCE_FAILED)
        kp_complain(ld, r->node->loc, "%s", err.text);
    if (r->bad)
        kp_complain(ld, r->node->loc, "%s: %zu events can't be used; the first: %s", path, r->bad, r->first_bad);
}

static KP_READER(read_path)
{
    char **path = into;

    (void)key;
    *path = kp_file_of(ld, node);
}

struct event_file {
    char *file, *map;           /* owned */
};

static void read_file(struct rules_test *test, const struct kp_node *node, uint32_t entry)
{
    static const struct kp_key keys[] = {
        {.name = "file", .need = KP_REQUIRED, .read = read_path, .at = offsetof(struct event_file, file)},
        {.name = "map", .read = read_path, .at = offsetof(struct event_file, map)},
        {.name = NULL},
    };
    struct rules_stage stage = {0};
    struct reading reading = {.test = test, .node = node, .entry = entry, .stage = &stage};
    struct event_file from = {0};
    struct kp_err err = {0};

    kp_read_map(&test->file->ld, node, keys, &from);
    if (from.file && test->file->has_config && rules_stage_open(&stage, &test->file->config, NULL, &err))
        read_messages(&reading, from.file, from.map);
    if (err.code)
        kp_complain(&test->file->ld, node->loc, "%s", err.text);
    rules_stage_close(&stage);
    free(from.file);
    free(from.map);
}

/* ---- All of them ---- */

static int by_time(const void *a, const void *b)
{
    const struct rules_event *x = a, *y = b;

    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

KP_READER(rules_read_events)
{
    struct rules_test *test = into;
    uint32_t entry = 0;

    (void)key;
    if (!kp_want(ld, node, KP_NODE_LIST))
        return;
    test->nentries = node->count;
    for (const struct kp_node *item = node->first; item; item = item->next) {
        size_t back = kp_path_index(ld, entry++);

        if (!kp_want(ld, item, KP_NODE_MAP))
            ;
        else if (kp_node_get(item, "file") && !kp_node_get(item, "type"))
            read_file(test, item, entry);
        else
            read_written(test, item, entry);
        kp_path_back(ld, back);
    }
    if (test->nevents > RULES_EVENTS_MAX)
        test->nevents = RULES_EVENTS_MAX;
    if (test->nevents)
        qsort(test->events, test->nevents, sizeof *test->events, by_time);
}

void rules_rehearse(struct rules_test *test, struct rules_stage *stage)
{
    struct kp_loader *ld = &test->file->ld;
    bool *told = kp_zeros(ld, test->nentries + 1, sizeof *told);
    char when[48];

    for (size_t i = 0; i < test->nevents && told; i++) {
        const struct rules_event *event = &test->events[i];
        enum kp_reason reason = rules_stage_tell(stage, test, event);
        size_t back;

        if (reason == KP_ACCEPTED || reason == KP_DUPLICATE || told[event->entry])
            continue;
        told[event->entry] = true;
        back = kp_path_key(ld, "events");
        kp_path_index(ld, event->entry - 1);
        kp_complain(ld, event->node->loc, "the event at %s is rejected: %s", when_text(&test->frame, event->at_ms, when),
                    kp_reason_name(reason));
        kp_path_back(ld, back);
    }
    free(told);
}
