/* Zone files: any bytes are refused or give a zone whose days and periods stand in order. */
#include "kpid/zone.h"

#include <stdlib.h>
#include <string.h>

static void check(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kp_err err = {0};
    struct kp_zone *zone = kp_zone_new(data, size, &err);
    int64_t at = 0;
    char buf[32];

    if (kp_rfc3339_parse((const char *)data, size, &at))
        check(kp_rfc3339_format(at, buf)[0] != '\0');
    if (kp_duration_parse((const char *)data, size, &at))
        check(at >= 0 && at <= 36525 * KP_DAY_MS);
    if (!zone) {
        check(err.code == KP_EINVAL && err.text[0]);
        return 0;
    }
    for (int i = 0; i < 16; i++) {
        int64_t t = i * INT64_C(250000000000) + 86399999;
        int64_t offset = kp_zone_offset_s(zone, t), day = kp_zone_day(zone, t);

        check(offset >= -26 * 3600 && offset <= 26 * 3600);
        check(day * KP_DAY_MS <= t + offset * 1000 && t + offset * 1000 < (day + 1) * KP_DAY_MS);
        check(kp_zone_day_start(zone, day) <= t);
        check(kp_zone_day_start(zone, day) <= kp_zone_instant(zone, day, 5400000));
        check(kp_zone_instant(zone, day, 5400000) <= kp_zone_day_start(zone, day + 1));
        check(kp_zone_day(zone, kp_zone_day_start(zone, day)) >= day);
        for (int p = KP_PER_DAY; p <= KP_PER_YEAR; p++) {
            enum kp_period period = (enum kp_period)p;
            int64_t from = kp_period_start(zone, period, i % 7, t, 0), to = kp_period_start(zone, period, i % 7, t, 1);

            check(from <= t && t < to);
            check(kp_period_start(zone, period, i % 7, t, -1) <= from);
        }
    }
    kp_zone_destroy(&zone);
    return 0;
}
