/* zone_probe FILE: answers questions about the zone of a TZif file, one a line, for zone_check.py.
 *
 *     offset AT_MS | day AT_MS | start DAY | clock DAY CLOCK_MS | period PERIOD WEEK_START AT_MS SHIFT */
#include "kpid/zone.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *read_file(const char *path, size_t *len)
{
    const size_t room = 1 << 20;
    char *bytes = malloc(room);
    FILE *file = fopen(path, "rb");

    if (!bytes || !file) {
        free(bytes);
        if (file)
            fclose(file);
        return NULL;
    }
    *len = fread(bytes, 1, room, file);
    fclose(file);
    return bytes;
}

static bool answer(const struct kp_zone *zone, const char *line)
{
    int64_t at, day, out;
    int period, week_start, shift, clock_ms;

    if (sscanf(line, "offset %" SCNd64, &at) == 1)
        out = kp_zone_offset_s(zone, at);
    else if (sscanf(line, "day %" SCNd64, &at) == 1)
        out = kp_zone_day(zone, at);
    else if (sscanf(line, "start %" SCNd64, &day) == 1)
        out = kp_zone_day_start(zone, day);
    else if (sscanf(line, "clock %" SCNd64 " %d", &day, &clock_ms) == 2)
        out = kp_zone_instant(zone, day, clock_ms);
    else if (sscanf(line, "period %d %d %" SCNd64 " %d", &period, &week_start, &at, &shift) == 4)
        out = kp_period_start(zone, (enum kp_period)period, week_start, at, shift);
    else
        return false;
    printf("%" PRId64 "\n", out);
    return true;
}

int main(int argc, char **argv)
{
    struct kp_err err = {0};
    struct kp_zone *zone = NULL;
    char line[256];
    size_t len = 0;
    void *bytes = argc == 2 ? read_file(argv[1], &len) : NULL;
    bool ok = true;

    if (bytes)
        zone = kp_zone_new(bytes, len, &err);
    free(bytes);
    if (!zone) {
        fprintf(stderr, "zone_probe: %s\n", err.text[0] ? err.text : "no such file");
        return 1;
    }
    while (ok && fgets(line, sizeof line, stdin))
        ok = answer(zone, line);
    kp_zone_destroy(&zone);
    return ok ? 0 : 2;
}
