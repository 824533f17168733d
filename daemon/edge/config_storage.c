/* Where kpid keeps what it must not lose. */
#include "config_read.h"

#include <string.h>

#define AT(field) offsetof(struct kp_storage_cfg, field)
#define SECOND INT64_C(1000)
#define DAY (86400 * SECOND)

static KP_READER(read_path)
{
    char **path = into;

    (void)key;
    *path = kp_file_of(ld, node);
}

/* "always", "off", or a duration. */
static KP_READER(read_sync)
{
    int64_t *sync = into;
    const char *text = node->kind == KP_NODE_SCALAR ? node->text : NULL;

    if (text && strcmp(text, "always") == 0)
        *sync = 0;
    else if (text && strcmp(text, "off") == 0)
        *sync = -1;
    else
        kp_read_duration(ld, node, into, key);
}

/* A duration, or 0: never. */
static KP_READER(read_time_kept)
{
    int64_t *ms = into;

    if (node->kind == KP_NODE_SCALAR && node->text && strcmp(node->text, "0") == 0)
        *ms = 0;
    else
        kp_read_duration(ld, node, into, key);
}

const struct kp_key kp_storage_keys[] = {
    {.name = "path", .need = KP_REQUIRED, .read = read_path, .at = AT(path)},
    {.name = "sync", .read = read_sync, .at = AT(sync_ms), .min = 1, .max = 10 * SECOND},
    {.name = "checkpoint_every", .read = kp_read_duration, .at = AT(checkpoint_ms), .min = SECOND, .max = DAY},
    {.name = "history", .read = read_time_kept, .at = AT(history_ms), .min = DAY, .max = 3660 * DAY},
    {.name = "samples", .read = read_time_kept, .at = AT(samples_ms), .min = SECOND, .max = DAY},
    {.name = "keep_events", .read = read_time_kept, .at = AT(keep_ms), .min = SECOND, .max = 3660 * DAY},
    {.name = "journal", .read = kp_read_size, .at = AT(journal_bytes), .min = 1 << 20, .max = INT64_C(1) << 50},
    {.name = NULL},
};

KP_READER(kp_read_storage)
{
    struct kp_config *config = into;

    (void)key;
    config->storage.loc = node->loc;
    kp_read_map(ld, node, kp_storage_keys, &config->storage);
}
