/* An engine that is saved and loaded again under a test's hands. */
#ifndef RESTART_H
#define RESTART_H

#include "rig.h"
#include "saved.h"

#include "kpid/checkpoint.h"

static inline struct image rig_save(const struct rig *rig)
{
    struct image image = {NULL, 0, 0, 0};

    assert_true(kp_engine_save(rig->engine, image_write, &image));
    return image;
}

/* A rig with another configuration, perhaps, that goes on from an image. */
static inline struct rig *rig_load(const char *yaml, struct image *image, struct kp_load_report *report)
{
    struct rig *rig = rig_new(yaml);
    struct kp_err err = {0};

    image->at = 0;
    if (kp_engine_load(rig->engine, image_read, image, report, &err))
        fail_msg("%s", err.text);
    assert_int_equal(image->at, image->len);
    return rig;
}

static inline struct rig *rig_restart(struct rig *rig, const char *yaml)
{
    struct image image = rig_save(rig);
    struct kp_load_report report;
    struct rig *next = rig_load(yaml, &image, &report);

    snprintf(next->said, sizeof next->said, "%s", rig->said);
    free(image.bytes);
    rig_free(rig);
    return next;
}

static inline int image_by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Every number of every key as text, in an order that does not depend on how keys are numbered. The caller frees it. */
static inline char *rig_numbers(struct rig *rig)
{
    uint32_t nodes = kp_engine_nodes(rig->engine);
    char **lines = calloc((size_t)nodes + 1, sizeof *lines), *text;
    size_t n = 0, len = 1;

    assert_non_null(lines);
    for (uint32_t node = 0; node < nodes; node++) {
        const struct kp_cell_view *cells;
        char *line, topic[512];
        size_t ncells, at;

        if (!kp_engine_visible(rig->engine, node))
            continue;
        kp_engine_topic(rig->engine, "at", node, topic, sizeof topic);
        ncells = kp_engine_read(rig->engine, node, 0, &cells);
        line = malloc(ncells * 160 + 600);
        assert_non_null(line);
        at = (size_t)sprintf(line, "%s", topic);
        for (size_t i = 0; i < ncells; i++)
            at += (size_t)sprintf(line + at, "\n  %s %s %d %.12g n=%lld t=%.9g e=%.9g s=%d r=%u/%u", cells[i].kpi->name, cells[i].window->text,
                                  cells[i].number.has, cells[i].number.has ? cells[i].number.value : 0, (long long)cells[i].number.n,
                                  cells[i].target, cells[i].expected, (int)cells[i].status, cells[i].rank, cells[i].of);
        lines[n++] = line;
        len += at + 1;
    }
    qsort(lines, n, sizeof *lines, image_by_text);
    text = calloc(1, len + 1);
    assert_non_null(text);
    len = 0;
    for (size_t i = 0; i < n; i++) {
        len += (size_t)sprintf(text + len, "%s\n", lines[i]);
        free(lines[i]);
    }
    free(lines);
    return text;
}

/* Both say the same. */
static inline void rigs_agree(struct rig *a, struct rig *b)
{
    char *x = rig_numbers(a), *y = rig_numbers(b);

    assert_string_equal(x, y);
    free(x);
    free(y);
}

#endif
