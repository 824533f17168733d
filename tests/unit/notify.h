/* What the tests of kpi-notify share: a configuration out of text, and an alert. */
#ifndef KPID_TESTS_NOTIFY_H
#define KPID_TESTS_NOTIFY_H

#include "unit.h"

#include "alert.h"
#include "notify_config.h"

#include "faults.h"

#include <math.h>

#define NOTIFY_HEAD                                                                                                       \
    "kpid: {publish: \"ipc:///p\", control: \"ipc:///c\"}\nspool: /s\n"                                                   \
    "mail: {url: \"smtp://127.0.0.1\", from: kpid@example.com, tls: none}\n"

/* The faults, a line each, into told (may be NULL); how many. */
static inline int notify_load(const char *yaml, struct notify_config *config, char *told, size_t size)
{
    struct kp_fault_list faults;
    char line[1400];
    size_t len = 0;
    int count;

    kp_fault_list_init(&faults, "f");
    count = notify_config_load_bytes("/", yaml, strlen(yaml), config, &faults.faults);
    kp_fault_list_sort(&faults);
    for (size_t i = 0; told && i < faults.count && len < size; i++)
        len += (size_t)snprintf(told + len, size - len, "%s\n", kp_fault_list_text(&faults, i, line, sizeof line));
    if (told && count == 0)
        *told = '\0';
    kp_fault_list_release(&faults);
    return count;
}

/* NOTIFY_HEAD and what follows, which is well. */
static inline void notify_good(const char *rest, struct notify_config *config)
{
    char yaml[8192], told[8192];

    snprintf(yaml, sizeof yaml, NOTIFY_HEAD "%s", rest);
    notify_load(yaml, config, told, sizeof told);
    assert_string_equal(told, "");
}

/* Ana, behind her pace on a Tuesday in March. */
static inline struct alert notify_alert(void)
{
    return (struct alert){.id = "00ab", .rule = "behind_on_calls", .kpi = "calls_made", .window = "day", .level = "rep",
                          .key = "ana", .name = "Ana Silva", .title = "Calls made", .compare = "pace",
                          .path = "emea/field-1/ana", .state = ALERT_FIRING, .severity = ALERT_WARNING, .value = 12,
                          .target = 40, .expected = 22.5, .ratio = 12 / 22.5, .threshold = 0.8, .p = 0.01, .n = 12,
                          .since_ms = INT64_C(1772534520000),   /* 2026-03-03T10:42:00Z */
                          .time_ms = INT64_C(1772536320000), .seq = 1,
                          .message = "Ana Silva: 12 of 22.5 calls by now", .coaching = "Plan two call blocks before noon"};
}

#endif
