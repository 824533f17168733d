#include "config_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MS INT64_C(1)
#define SECOND (1000 * MS)
#define HOUR (3600 * SECOND)

#define AT(field) offsetof(struct kp_config, field)

static const struct kp_word weekdays[] = {{"monday", 0, false},   {"tuesday", 1, false},  {"wednesday", 2, false},
                                          {"thursday", 3, false}, {"friday", 4, false},   {"saturday", 5, false},
                                          {"sunday", 6, false},   {NULL, 0, false}};
static const struct kp_word clocks[] = {{"wall", 0, false}, {"event", 1, false}, {NULL, 0, false}};

const struct kp_key kp_time_keys[] = {
    {.name = "zone", .read = kp_read_zone},
    {.name = "week_starts", .read = kp_read_word, .at = AT(week_start), .words = weekdays},
    {.name = "allowed_future", .read = kp_read_duration, .at = AT(allowed_future_ms), .max = 366 * 24 * HOUR},
    {.name = "clock", .read = kp_read_switch, .at = AT(event_clock), .words = clocks},
    {.name = NULL},
};

const struct kp_key kp_dedup_keys[] = {
    {.name = "window", .read = kp_read_duration, .at = AT(dedup_window_ms), .min = SECOND, .max = 366 * 24 * HOUR},
    {.name = NULL},
};

const struct kp_key kp_limits_keys[] = {
    {.name = "message", .read = kp_read_size, .at = AT(limits.message), .min = 1024, .max = 64 << 20},
    {.name = "queue", .read = kp_read_size, .at = AT(limits.queue), .min = 1 << 20, .max = INT64_C(1) << 40},
    {.name = "batch", .read = kp_read_count32, .at = AT(limits.batch), .min = 1, .max = 1000000},
    {.name = "fields", .read = kp_read_count32, .at = AT(limits.fields), .min = 8, .max = 65536},
    {.name = "keys", .read = kp_read_count32, .at = AT(limits.keys), .min = 1, .max = 100000000},
    {.name = "recent", .read = kp_read_count32, .at = AT(limits.recent), .min = 0, .max = 16777216},
    {.name = "dedup", .read = kp_read_count32, .at = AT(limits.dedup), .min = 1, .max = 1000000000},
    {.name = "entities", .read = kp_read_count32, .at = AT(limits.entities), .min = 1, .max = 1000000000},
    {.name = "leap", .read = kp_read_count32, .at = AT(limits.leap), .min = 1, .max = 1000000000},
    {.name = "silences", .read = kp_read_count32, .at = AT(limits.silences), .min = 1, .max = 100000},
    {.name = "subscriptions", .read = kp_read_count32, .at = AT(limits.subscriptions), .min = 1, .max = 100000000},
    {.name = "requests", .read = kp_read_count32, .at = AT(limits.requests), .min = 10, .max = 100000000},
    {.name = "acks", .read = kp_read_count32, .at = AT(limits.acks), .min = 1, .max = 100000000},
    {.name = NULL},
};

static KP_READER(read_time)
{
    (void)key;
    kp_read_map(ld, node, kp_time_keys, into);
}

static KP_READER(read_dedup)
{
    (void)key;
    kp_read_map(ld, node, kp_dedup_keys, into);
}

static KP_READER(read_limits)
{
    (void)key;
    kp_read_map(ld, node, kp_limits_keys, into);
}

static KP_READER(read_roster)
{
    size_t before = ld->faults->count;

    kp_read_roster(ld, node, into, key);
    ld->faulty_roster = ld->faults->count != before;
}

static KP_READER(read_common_windows)
{
    struct kp_config *config = into;
    struct kp_window_list list = {0};
    size_t before = ld->faults->count;

    kp_read_windows(ld, node, &list, key);
    ld->faulty_windows = ld->faults->count != before;
    config->windows = list.windows;
    config->nwindows = list.count;
}

/* In the order of reading: zones before calendars, those and levels before members, windows before KPIs. */
static const struct kp_key top_keys[] = {
    {.name = "time", .read = read_time},
    {.name = "ingest", .read = kp_read_ingest},
    {.name = "publish", .read = kp_read_publish},
    {.name = "control", .read = kp_read_control},
    {.name = "dedup", .read = read_dedup},
    {.name = "limits", .read = read_limits},
    {.name = "storage", .read = kp_read_storage},
    {.name = "security", .read = kp_read_security},
    {.name = "insecure", .read = kp_read_bool, .at = AT(insecure)},
    {.name = "calendars", .read = kp_read_calendars},
    {.name = "roster", .read = read_roster},
    {.name = "windows", .read = read_common_windows},
    {.name = "kpis", .need = KP_REQUIRED, .read = kp_read_kpis},
    {.name = "funnels", .read = kp_read_funnels},
    {.name = "currencies", .read = kp_read_currencies},
    {.name = "sources", .read = kp_read_sources},
    {.name = "targets", .read = kp_read_targets},
    {.name = "alerts", .read = kp_read_alerts},
    {.name = "contests", .read = kp_read_contests},
    {.name = NULL},
};

const struct kp_key_table *kp_config_tables(size_t *count)
{
    static const struct kp_key_table tables[] = {
        {"", top_keys},
        {"time", kp_time_keys},
        {"ingest[]", kp_ingest_keys},
        {"publish", kp_publish_keys},
        {"control", kp_control_keys},
        {"dedup", kp_dedup_keys},
        {"limits", kp_limits_keys},
        {"storage", kp_storage_keys},
        {"security", kp_security_keys},
        {"security.users.NAME", kp_user_keys},
        {"roster", kp_roster_keys},
        {"roster.members[]", kp_member_keys},
        {"roster.units.LEVEL.KEY", kp_unit_keys},
        {"calendars.NAME", kp_calendar_keys},
        {"kpis.NAME", kp_kpi_keys},
        {"kpis.NAME.where.FIELD", kp_operator_keys},
        {"kpis.NAME.of.elapsed", kp_elapsed_keys},
        {"kpis.NAME.of.repeat", kp_repeat_keys},
        {"kpis.NAME.of.open", kp_open_keys},
        {"kpis.NAME.of.cohort", kp_cohort_keys},
        {"kpis.NAME.once", kp_once_keys},
        {"funnels.NAME", kp_funnel_keys},
        {"currencies", kp_currencies_keys},
        {"sources.NAME", kp_source_keys},
        {"targets[]", kp_target_keys},
        {"alerts.NAME", kp_alert_keys},
        {"alerts.NAME.warning", kp_bound_keys},
        {"alerts.NAME.critical", kp_bound_keys},
        {"alerts.NAME.escalate", kp_escalate_keys},
        {"alerts.NAME.flapping", kp_flapping_keys},
        {"contests.NAME", kp_contest_keys},
    };

    *count = sizeof tables / sizeof *tables;
    return tables;
}

const char *kp_key_name(const struct kp_key_table *table, size_t i)
{
    return table->keys[i].name;
}

/* ---- loading ---- */

static bool set_defaults(struct kp_loader *ld, const char *file)
{
    static const char *const levels[] = {"region", "team", "rep"};
    struct kp_config *config = ld->config;

    memset(config, 0, sizeof *config);
    config->file = kp_copy(ld, file);
    config->zone_name = kp_copy(ld, "UTC");
    config->allowed_future_ms = 300 * SECOND;
    config->publish_interval_ms = SECOND;
    config->publish_full_ms = 60 * SECOND;
    config->publish_hwm = 10000;
    config->dedup_window_ms = 24 * HOUR;
    config->limits = (struct kp_limits){.message = 1 << 20, .batch = 10000, .fields = 256, .keys = 1000000,
                                        .recent = 65536, .dedup = 20000000, .entities = 5000000, .leap = 100000,
                                        .silences = 1000, .acks = 100000, .subscriptions = 10000, .requests = 10000, .queue = 64 << 20};
    config->storage = (struct kp_storage_cfg){.sync_ms = 5, .checkpoint_ms = 60 * SECOND, .history_ms = 400 * 24 * HOUR, .samples_ms = 900 * SECOND,
                                              .journal_bytes = UINT64_C(4) << 30};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        char **slot = kp_grow(ld, &config->roster.levels, &config->roster.nlevels, sizeof *config->roster.levels);

        if (slot)
            *slot = kp_copy(ld, levels[i]);
    }
    return !ld->out_of_memory;
}

/* day, week and month, unless the file names others. */
static void default_windows(struct kp_loader *ld)
{
    static const char *const names[] = {"day", "week", "month"};
    struct kp_config *config = ld->config;

    for (size_t i = 0; i < 3; i++) {
        struct kp_window *window = kp_grow(ld, &config->windows, &config->nwindows, sizeof *config->windows);

        if (window && kp_window_parse(names[i], strlen(names[i]), window, NULL) != KP_OK)
            kp_complain(ld, (struct kp_loc){0}, "no window \"%s\"", names[i]);
    }
}

static void share_windows(struct kp_loader *ld)
{
    struct kp_config *config = ld->config;

    if (config->nwindows == 0)
        default_windows(ld);
    for (size_t i = 0; i < config->nkpis; i++) {
        struct kp_kpi_cfg *kpi = &config->kpis[i];

        if (kpi->nwindows)
            continue;
        kpi->windows = kp_zeros(ld, config->nwindows, sizeof *kpi->windows);
        if (!kpi->windows)
            return;
        memcpy(kpi->windows, config->windows, config->nwindows * sizeof *kpi->windows);
        kpi->nwindows = config->nwindows;
    }
}

/* What only shows when the parts meet. */
static void check_all(struct kp_loader *ld, const struct kp_node *root)
{
    kp_check_sockets(ld, root);
    kp_check_roster(ld);
    kp_check_formulas(ld);
    kp_check_targets(ld);
    kp_check_alerts(ld);
    kp_check_contests(ld);
    kp_check_limits(ld);
}

static void read_all(struct kp_loader *ld, const struct kp_node *root)
{
    if (!kp_read_map(ld, root, top_keys, ld->config) || ld->out_of_memory)
        return;
    kp_add_funnel_kpis(ld);
    share_windows(ld);
    if (!ld->out_of_memory)
        check_all(ld, root);
}

int kp_config_load_node(const char *file, const char *dir, const struct kp_node *root, struct kp_config *config,
                        struct kp_faults *faults)
{
    struct kp_loader ld = {.config = config, .faults = faults, .dir = dir};
    size_t before = faults->count;

    ld.numbers = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    ld.out_of_memory = !ld.numbers;
    if (set_defaults(&ld, file))
        read_all(&ld, root);
    if (ld.out_of_memory)
        kp_fault(faults, (struct kp_loc){0}, "", "out of memory");
    if (ld.numbers)
        freelocale(ld.numbers);
    free(ld.kpi_nodes);
    free(ld.sound_kpis);
    free(ld.sound_funnels);
    free(ld.alert_nodes);
    free(ld.member_nodes);
    free(ld.target_nodes);
    free(ld.contest_nodes);
    kp_tree_destroy(&ld.csv);
    if (faults->count != before)
        kp_config_release(config);
    return (int)(faults->count - before);
}

int kp_config_load_bytes(const char *file, const char *dir, const void *bytes, size_t len, struct kp_config *config,
                         struct kp_faults *faults)
{
    size_t before = faults->count;
    struct kp_tree *tree = kp_tree_parse(bytes, len, faults);
    bool sound = faults->count == before;

    memset(config, 0, sizeof *config);
    if (tree && kp_config_load_node(file, dir, kp_tree_root(tree), config, faults) == 0 && !sound)
        kp_config_release(config);      /* a key given twice is a fault of the tree alone */
    kp_tree_destroy(&tree);
    return (int)(faults->count - before);
}

char *kp_read_file(const char *file, size_t most, size_t *len, struct kp_err *err)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    char *bytes = NULL;
    size_t have = 0, room;
    ssize_t n = -1;

    if (fd < 0 || fstat(fd, &st) < 0) {
        kp_fail(err, KP_EIO, "cannot be read: %s", strerror(errno));
        goto fail;
    }
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > most) {
        kp_fail(err, KP_EIO, S_ISREG(st.st_mode) ? "is larger than %zu bytes" : "is no regular file (of at most %zu bytes)",
                most);
        goto fail;
    }
    room = (size_t)st.st_size + 1;      /* never 0, and a file that grows meanwhile is cut, not overrun */
    bytes = malloc(room);
    while (bytes && have < room && (n = read(fd, bytes + have, room - have)) > 0)
        have += (size_t)n;
    if (!bytes || n < 0) {
        kp_fail(err, KP_EIO, "cannot be read: %s", strerror(errno));
        goto fail;
    }
    close(fd);
    *len = have;
    return bytes;
fail:
    if (fd >= 0)
        close(fd);
    free(bytes);
    return NULL;
}

int kp_config_load(const char *file, struct kp_config *config, struct kp_faults *faults)
{
    const char *slash = strrchr(file, '/');
    char *dir = slash ? strndup(file, (size_t)(slash - file) + 1) : strdup("");
    struct kp_err err = {0};
    size_t len = 0;
    char *bytes;
    int count;

    memset(config, 0, sizeof *config);
    bytes = kp_read_file(file, KP_TREE_BYTES_MAX, &len, &err);
    if (!dir || !bytes) {
        kp_fault(faults, (struct kp_loc){0}, "", "%s", bytes ? "out of memory" : err.text);
        count = 1;
    } else {
        count = kp_config_load_bytes(file, dir, bytes, len, config, faults);
    }
    free(dir);
    free(bytes);
    return count;
}
