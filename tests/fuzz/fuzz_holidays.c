/* iCalendar files: any bytes are refused with a reason, or give days and stretches that lie where calendars do. */
#include "holidays.h"

#include <stdlib.h>

enum { DAYS_MAX = 4000000 };      /* some 10,000 years */

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void take_day(void *ctx, int64_t day)
{
    size_t *count = ctx;

    check(day > -DAYS_MAX && day < DAYS_MAX && ++*count <= KP_HOLIDAYS_MAX);
}

static void take_stretch(void *ctx, int64_t from_ms, int64_t to_ms)
{
    size_t *count = ctx;

    check(from_ms <= to_ms && ++*count <= KP_HOLIDAYS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kp_err err = {0};
    struct kp_zone *zone = kp_zone_new(NULL, 0, &err);
    size_t count = 0;
    const struct kp_holiday_sink sink = {take_day, take_stretch, &count};

    check(zone);
    if (kp_holidays_read((const char *)data, size, zone, &sink, &err))
        check(err.code != KP_OK && err.text[0]);
    kp_zone_destroy(&zone);
    return 0;
}
