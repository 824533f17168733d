/* calendar_probe ZONE_FILE: answers questions about a fixed calendar in a zone, for calendar_check.py, which knows the same one.
 *
 *     minutes AT_MS COUNT     a digit a minute: 1 working, 0 not, ? partly
 *     work FROM_MS TO_MS */
#include "kpid/calendar.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MINUTE = 60000, HOUR = 60 * MINUTE };

static struct kp_zone *read_zone(const char *path)
{
    static char bytes[1 << 20];
    FILE *file = fopen(path, "rb");
    struct kp_err err;
    size_t len;

    if (!file)
        return NULL;
    len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return kp_zone_new(bytes, len, &err);
}

static void answer(const struct kp_calendar *calendar, const char *line)
{
    const struct kp_days away[] = {{kp_civil_to_day(2026, 5, 4), kp_civil_to_day(2026, 5, 6)},
                                   {kp_civil_to_day(2026, 8, 3), kp_civil_to_day(2026, 8, 14)}};
    int64_t from, to, count;

    if (sscanf(line, "minutes %" SCNd64 " %" SCNd64, &from, &count) == 2) {
        for (int64_t i = 0; i < count; i++) {
            int64_t ms = kp_calendar_work(calendar, away, 2, from + i * MINUTE, from + (i + 1) * MINUTE);

            putchar(ms == MINUTE ? '1' : ms == 0 ? '0' : '?');
        }
        putchar('\n');
    } else if (sscanf(line, "work %" SCNd64 " %" SCNd64, &from, &to) == 2) {
        printf("%" PRId64 "\n", kp_calendar_work(calendar, away, 2, from, to));
    }
}

int main(int argc, char **argv)
{
    struct kp_hours weekday[] = {{9 * HOUR, 12 * HOUR + 30 * MINUTE}, {13 * HOUR + 30 * MINUTE, 17 * HOUR + 30 * MINUTE}};
    struct kp_hours friday[] = {{9 * HOUR, 16 * HOUR}}, saturday[] = {{22 * HOUR, 24 * HOUR}};
    struct kp_hours sunday[] = {{0, 1 * HOUR + 30 * MINUTE}, {2 * HOUR, 3 * HOUR + 30 * MINUTE}};
    int64_t holidays[] = {kp_civil_to_day(2026, 1, 1), kp_civil_to_day(2026, 12, 25)};
    struct kp_closed closed[] = {{INT64_C(1780308600000), INT64_C(1780319400000)}};  /* 2026-06-01 10:10 to 13:10 UTC */
    struct kp_calendar_cfg cfg = {.hours = {weekday, weekday, weekday, weekday, friday, saturday, sunday},
                                  .nhours = {2, 2, 2, 2, 1, 1, 2}, .holidays = holidays, .nholidays = 2, .closed = closed,
                                  .nclosed = 1};
    struct kp_zone *zone = argc == 2 ? read_zone(argv[1]) : NULL;
    struct kp_calendar *calendar = zone ? kp_calendar_new(&cfg, zone, NULL) : NULL;
    char line[256];

    if (!calendar) {
        fputs("calendar_probe: no such zone\n", stderr);
        return 1;
    }
    while (fgets(line, sizeof line, stdin))
        answer(calendar, line);
    kp_calendar_destroy(&calendar);
    kp_zone_destroy(&zone);
    return 0;
}
