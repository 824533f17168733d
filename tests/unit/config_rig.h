/* Configurations that must load, and what is said of those that do not. */
#ifndef CONFIG_RIG_H
#define CONFIG_RIG_H

#include "unit.h"

#include "config.h"
#include "faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KPI "kpis: {calls: {aggregate: count, where: {type: call}}}\n"
#define S INT64_C(1000)
#define M (60 * S)
#define H (60 * M)
#define D (24 * H)

static inline void must_load(const char *yaml, struct kp_config *config)
{
    struct kp_fault_list list;

    kp_fault_list_init(&list, "test.yaml");
    if (kp_config_load_bytes("test.yaml", ".", yaml, strlen(yaml), config, &list.faults)) {
        kp_fault_list_print(&list, stderr);
        fail_msg("does not load:\n%s", yaml);
    }
    kp_fault_list_release(&list);
}

/* The faults as they are printed, in a buffer that the caller frees. */
static inline char *faults_of_list(struct kp_fault_list *list)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    kp_fault_list_print(list, out);
    fclose(out);
    return text;
}

static inline char *faults_of_bytes(const char *yaml, size_t len)
{
    struct kp_fault_list list;
    struct kp_config config;
    char *text;
    int count;

    kp_fault_list_init(&list, "test.yaml");
    count = kp_config_load_bytes("test.yaml", ".", yaml, len, &config, &list.faults);
    assert_int_equal(count, (int)list.faults.count);
    text = faults_of_list(&list);
    if (count == 0)
        kp_config_release(&config);
    kp_fault_list_release(&list);
    return text;
}

static inline void must_fail(const char *yaml, const char *want)
{
    char *got = faults_of_bytes(yaml, strlen(yaml));
    bool told = strstr(got, want) != NULL;

    if (!told)
        fprintf(stderr, "%s\nwanted: %s\n   got: %s", yaml, want, got);
    free(got);
    assert_true(told);
}

#endif
