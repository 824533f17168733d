/* What zone_check.py does not see: damaged files, footers of every form, and the calendar's own arithmetic. */
#include "tzif.h"

#define HOUR INT64_C(3600000)

static int64_t at(const char *text)
{
    int64_t ms;

    if (!kp_rfc3339_parse(text, strlen(text), &ms))
        fail_msg("%s", text);
    return ms;
}

static void no_bytes_are_utc(void **state)
{
    struct kp_zone *zone = kp_zone_new(NULL, 0, NULL);

    (void)state;
    assert_non_null(zone);
    assert_int_equal(kp_zone_offset_s(zone, at("2026-07-01T00:00:00Z")), 0);
    assert_int_equal(kp_zone_day(zone, -1), -1);
    assert_int_equal(kp_zone_day_start(zone, 3), 3 * KP_DAY_MS);
    kp_zone_destroy(&zone);
    assert_null(zone);
    kp_zone_destroy(&zone);
}

static void footers_hold_for_every_year(void **state)
{
    static const struct {
        const char *footer, *when;
        int32_t offset;
    } cases[] = {
        {"GMT0BST,M3.5.0/1,M10.5.0", "2026-03-29T00:59:59Z", 0},
        {"GMT0BST,M3.5.0/1,M10.5.0", "2026-03-29T01:00:00Z", 3600},
        {"GMT0BST,M3.5.0/1,M10.5.0", "2026-10-25T00:59:59Z", 3600},
        {"GMT0BST,M3.5.0/1,M10.5.0", "2026-10-25T01:00:00Z", 0},
        {"GMT0BST,M3.5.0/1,M10.5.0", "9998-07-01T00:00:00Z", 3600},
        {"<-03>3", "2026-07-01T00:00:00Z", -10800},
        {"<+0530>-5:30", "2026-07-01T00:00:00Z", 19800},
        {"LMT-1:02:03", "2026-07-01T00:00:00Z", 3723},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-01T00:00:00Z", 3600},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-01T00:00:00Z", 0},
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-01-01T00:00:00Z", 39600},
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-06-01T00:00:00Z", 37800},
        {"AAA0BBB,J60/0,J300/0", "2024-02-29T23:59:59Z", 0},
        {"AAA0BBB,J60/0,J300/0", "2024-03-01T00:00:00Z", 3600},
        {"AAA0BBB,59/0,300/0", "2024-02-29T00:00:00Z", 3600},
        {"AAA0BBB,59/0,300/0", "2025-02-28T23:59:59Z", 0},
        {"AAA0BBB,59/0,300/0", "2025-03-01T00:00:00Z", 3600},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z", -7200},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z", -3600},
        {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-27T23:59:59Z", 7200},
        {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-28T00:00:00Z", 10800},
        {"XXX3EST4,0/0,J365/23", "2026-07-01T00:00:00Z", -14400},
        {"", "2026-07-01T00:00:00Z", 0},
        /* over the end of a year: from 2 January 23:00, from 28 December 01:00, and summer for ever */
        {"AAA0BBB,M12.5.0/167,M6.1.0", "2026-12-31T12:00:00Z", 0},
        {"AAA0BBB,M12.5.0/167,M6.1.0", "2027-01-02T22:59:59Z", 0},
        {"AAA0BBB,M12.5.0/167,M6.1.0", "2027-01-02T23:00:00Z", 3600},
        {"AAA0BBB,M1.1.1/-167,M6.1.0", "2026-12-28T00:59:59Z", 0},
        {"AAA0BBB,M1.1.1/-167,M6.1.0", "2026-12-28T01:00:00Z", 3600},
        {"EST5EDT,0/0,J365/25", "2026-12-31T23:59:59Z", -14400},
        {"EST5EDT,0/0,J365/25", "2027-01-01T04:59:59Z", -14400},
        {"EST5EDT,0/0,J365/25", "2027-01-01T05:00:00Z", -14400},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct kp_zone *zone = tzif_zone(cases[i].footer);

        if (kp_zone_offset_s(zone, at(cases[i].when)) != cases[i].offset)
            fail_msg("%s at %s: %d", cases[i].footer, cases[i].when, kp_zone_offset_s(zone, at(cases[i].when)));
        kp_zone_destroy(&zone);
    }
}

static void a_footer_that_is_no_rule_is_refused(void **state)
{
    static const char *const footers[] = {
        "x", "AB0", "AAA", "AAA25", "AAA0:60", "AAA0BBB", "AAA0BBB,M3.5.0", "AAA0BBB,M13.5.0,M10.5.0",
        "AAA0BBB,M3.6.0,M10.5.0", "AAA0BBB,M3.5.7,M10.5.0", "AAA0BBB,M0.5.0,M10.5.0", "AAA0BBB,J0,J5", "AAA0BBB,366,5",
        "AAA0BBB,J1/168,J5", "AAA0BBB,J1,J5,", "<AAA0", "AAA99999999999999999999",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(footers); i++) {
        struct kp_err err = {0};
        struct tzif file;

        tzif_make(&file, 0, 0, NULL, NULL, footers[i]);
        if (kp_zone_new(file.bytes, file.len, &err))
            fail_msg("%s was taken", footers[i]);
        assert_int_equal(err.code, KP_EINVAL);
    }
}

static void transitions_come_before_the_footer(void **state)
{
    const int64_t times[] = {1000, 2000};
    const int32_t offsets[] = {60, 120};
    struct kp_zone *zone;
    struct tzif file;

    (void)state;
    tzif_make(&file, 30, 2, times, offsets, "");
    zone = kp_zone_new(file.bytes, file.len, NULL);
    assert_non_null(zone);
    assert_int_equal(kp_zone_offset_s(zone, 999999), 30);
    assert_int_equal(kp_zone_offset_s(zone, 1000000), 60);
    assert_int_equal(kp_zone_offset_s(zone, 1999999), 60);
    assert_int_equal(kp_zone_offset_s(zone, 2000000), 120);
    assert_int_equal(kp_zone_offset_s(zone, INT64_C(1) << 50), 120);
    kp_zone_destroy(&zone);
    tzif_make(&file, 30, 2, times, offsets, "AAA-3");
    zone = kp_zone_new(file.bytes, file.len, NULL);
    assert_non_null(zone);
    assert_int_equal(kp_zone_offset_s(zone, 1999999), 60);
    assert_int_equal(kp_zone_offset_s(zone, 2000000), 10800);
    kp_zone_destroy(&zone);
}

/* Where the rule written out ends and its years begin anew, nothing shows. */
static void a_rule_repeats_after_400_years(void **state)
{
    static const char *const footers[] = {"GMT0BST,M3.5.0/1,M10.5.0", "AAA0BBB,M12.5.0/167,M6.1.0",
                                          "AAA0BBB,J60/0,300/0", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"};
    const int64_t cycle = 146097 * KP_DAY_MS;
    uint64_t seed = 7;

    (void)state;
    for (size_t f = 0; f < COUNT_OF(footers); f++) {
        for (int n = 0; n <= 2; n++) {
            const int64_t times[] = {1000, 1798675200};     /* the latter 2026-12-31 */
            const int32_t offsets[] = {60, 120};
            struct kp_zone *zone;
            struct tzif file;

            tzif_make(&file, 30, (unsigned)n, times, offsets, footers[f]);
            zone = kp_zone_new(file.bytes, file.len, NULL);
            assert_non_null(zone);
            for (int i = 0; i < 4000; i++) {
                int64_t t = 1798675200000 + (int64_t)unit_below(&seed, (uint64_t)cycle);

                for (int k = 1; k <= 18; k += 4) {
                    assert_int_equal(kp_zone_offset_s(zone, t + k * cycle), kp_zone_offset_s(zone, t));
                    assert_int_equal(kp_zone_day_start(zone, t / KP_DAY_MS + k * 146097),
                                     kp_zone_day_start(zone, t / KP_DAY_MS) + k * cycle);
                }
            }
            kp_zone_destroy(&zone);
        }
    }
}

/* Version 1 has times of 32 bits and no footer. */
static void a_file_of_version_1_ends_with_its_transitions(void **state)
{
    struct kp_zone *zone;
    struct tzif file = {.len = 0};

    (void)state;
    tzif_header(&file, 0, 1, 2);
    file.bytes[4] = 0;
    tzif_put(&file, (uint32_t)-1000, 4);
    tzif_put(&file, 1, 1);
    tzif_put(&file, 30, 4);
    tzif_put(&file, 0, 2);
    tzif_put(&file, (uint32_t)-60, 4);
    tzif_put(&file, 0, 2);
    tzif_put(&file, 0, 4);
    zone = kp_zone_new(file.bytes, file.len, NULL);
    assert_non_null(zone);
    assert_int_equal(kp_zone_offset_s(zone, -1000001), 30);
    assert_int_equal(kp_zone_offset_s(zone, -1000000), -60);
    assert_int_equal(kp_zone_offset_s(zone, at("9999-01-01T00:00:00Z")), -60);
    kp_zone_destroy(&zone);
    for (size_t len = 1; len < file.len; len++)
        assert_null(kp_zone_new(file.bytes, len, NULL));
}

static void a_file_that_counts_leap_seconds_is_refused(void **state)
{
    struct kp_err err = {0};
    struct tzif file = {.len = 0};

    (void)state;
    tzif_header(&file, 1, 0, 1);
    file.bytes[4] = 0;
    tzif_put(&file, 0, 6);
    tzif_put(&file, 0, 4);
    tzif_put(&file, 78796800, 4);
    tzif_put(&file, 1, 4);
    assert_null(kp_zone_new(file.bytes, file.len, &err));
    assert_int_equal(err.code, KP_EINVAL);
    assert_non_null(strstr(err.text, "leap seconds"));
}

static struct kp_zone *zone_of_file(const char *name)
{
    unsigned char bytes[16384];
    struct kp_zone *zone;
    struct kp_err err = {0};
    char path[128];
    size_t len;
    FILE *file;

    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
    file = fopen(path, "rb");
    if (!file)
        fail_msg("%s can't be read: this test needs the zone files of tzdata", path);
    len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    zone = kp_zone_new(bytes, len, &err);
    if (!zone)
        fail_msg("%s: %s", path, err.text);
    return zone;
}

/* Only of years gone by, which no parliament changes; those to come are zone_check.py's. */
static void real_zones_have_had_these_offsets(void **state)
{
    static const struct {
        const char *zone, *when;
        int32_t offset;
    } cases[] = {
        {"Europe/London", "1970-07-01T00:00:00Z", 3600},
        {"Europe/London", "1971-10-31T01:59:59Z", 3600},
        {"Europe/London", "1971-10-31T02:00:00Z", 0},
        {"Europe/London", "2024-03-31T00:59:59Z", 0},
        {"Europe/London", "2024-03-31T01:00:00Z", 3600},
        {"America/New_York", "1974-01-06T06:59:59Z", -18000},
        {"America/New_York", "1974-01-06T07:00:00Z", -14400},
        {"America/New_York", "2024-11-03T05:59:59Z", -14400},
        {"America/New_York", "2024-11-03T06:00:00Z", -18000},
        {"America/Sao_Paulo", "2018-11-04T02:59:59Z", -10800},
        {"America/Sao_Paulo", "2018-11-04T03:00:00Z", -7200},
        {"America/Sao_Paulo", "2019-02-17T01:59:59Z", -7200},
        {"America/Sao_Paulo", "2019-02-17T02:00:00Z", -10800},
        {"Asia/Kathmandu", "1985-12-31T18:29:59Z", 19800},
        {"Asia/Kathmandu", "1985-12-31T18:30:00Z", 20700},
        {"Pacific/Apia", "2011-12-30T09:59:59Z", -36000},
        {"Pacific/Apia", "2011-12-30T10:00:00Z", 50400},
        {"Pacific/Apia", "2021-04-03T13:59:59Z", 50400},
        {"Pacific/Apia", "2021-04-03T14:00:00Z", 46800},
        {"Africa/Casablanca", "2024-03-10T01:59:59Z", 3600},
        {"Africa/Casablanca", "2024-03-10T02:00:00Z", 0},
        {"Africa/Casablanca", "2024-04-14T01:59:59Z", 0},
        {"Africa/Casablanca", "2024-04-14T02:00:00Z", 3600},
        {"Australia/Lord_Howe", "1981-02-28T13:59:59Z", 36000},
        {"Australia/Lord_Howe", "1981-02-28T14:00:00Z", 37800},
        {"Australia/Lord_Howe", "2024-04-06T14:59:59Z", 39600},
        {"Australia/Lord_Howe", "2024-04-06T15:00:00Z", 37800},
        {"UTC", "1970-01-01T00:00:00Z", 0},
        {"UTC", "2100-12-31T23:59:59Z", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct kp_zone *zone = zone_of_file(cases[i].zone);

        if (kp_zone_offset_s(zone, at(cases[i].when)) != cases[i].offset)
            fail_msg("%s at %s: %d", cases[i].zone, cases[i].when, kp_zone_offset_s(zone, at(cases[i].when)));
        kp_zone_destroy(&zone);
    }
}

/* Midnights that do not exist (Sao Paulo), a day that does not (Apia), summer time set back (Casablanca). */
static void real_zones_have_had_these_midnights(void **state)
{
    static const struct {
        const char *zone, *day, *start;
    } cases[] = {
        {"Europe/London", "2024-03-31", "2024-03-31T00:00:00Z"},
        {"Europe/London", "2024-04-01", "2024-03-31T23:00:00Z"},
        {"America/New_York", "2024-11-04", "2024-11-04T05:00:00Z"},
        {"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"},
        {"America/Sao_Paulo", "2019-02-17", "2019-02-17T03:00:00Z"},
        {"Asia/Kathmandu", "1986-01-01", "1985-12-31T18:30:00Z"},
        {"Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00Z"},
        {"Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"},
        {"Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"},
        {"Africa/Casablanca", "2024-03-10", "2024-03-09T23:00:00Z"},
        {"Africa/Casablanca", "2024-03-11", "2024-03-11T00:00:00Z"},
        {"Australia/Lord_Howe", "2024-04-07", "2024-04-06T13:00:00Z"},
        {"Australia/Lord_Howe", "2024-04-08", "2024-04-07T13:30:00Z"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct kp_zone *zone = zone_of_file(cases[i].zone);
        char noon[32], got[32];
        int64_t start;

        snprintf(noon, sizeof noon, "%sT12:00:00Z", cases[i].day);
        start = kp_zone_day_start(zone, at(noon) / KP_DAY_MS);
        if (start != at(cases[i].start))
            fail_msg("%s %s: %s", cases[i].zone, cases[i].day, kp_rfc3339_format(start, got));
        kp_zone_destroy(&zone);
    }
}

static void a_cut_file_is_refused_at_every_byte(void **state)
{
    const int64_t times[] = {1000, 2000};
    const int32_t offsets[] = {60, 120};
    struct tzif file;

    (void)state;
    tzif_make(&file, 30, 2, times, offsets, "GMT0BST,M3.5.0/1,M10.5.0");
    for (size_t len = 1; len < file.len; len++) {
        unsigned char *copy = malloc(len);
        struct kp_err err = {0};

        memcpy(copy, file.bytes, len);
        if (kp_zone_new(copy, len, &err))
            fail_msg("%zu bytes of %zu were taken", len, file.len);
        assert_int_equal(err.code, KP_EINVAL);
        free(copy);
    }
}

static void transitions_out_of_order_are_refused(void **state)
{
    const int64_t times[] = {2000, 1000};
    const int32_t offsets[] = {60, 120}, beyond[] = {60, 100000};
    const int64_t rising[] = {1000, 2000};
    struct tzif file;

    (void)state;
    tzif_make(&file, 30, 2, times, offsets, "");
    assert_null(kp_zone_new(file.bytes, file.len, NULL));
    tzif_make(&file, 30, 2, rising, beyond, "");
    assert_null(kp_zone_new(file.bytes, file.len, NULL));
    tzif_make(&file, 30, 2, rising, offsets, "");
    file.bytes[44 + 10 + 44 + 16] = 9;      /* the kind of the first transition */
    assert_null(kp_zone_new(file.bytes, file.len, NULL));
}

/* Damage may change what a zone says, but not that it says something, in time. */
static void damaged_files_do_no_harm(void **state)
{
    const int64_t times[] = {1000, 2000};
    const int32_t offsets[] = {60, 120};
    uint64_t seed = 3;
    struct tzif file;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct kp_zone *zone;
        unsigned char *copy;

        tzif_make(&file, 30, 2, times, offsets, "EET-2EEST,M3.4.4/50,M10.4.4/50");
        for (int k = 0; k <= i % 3; k++)
            file.bytes[unit_below(&seed, file.len)] = (unsigned char)unit_random(&seed);
        copy = malloc(file.len);
        memcpy(copy, file.bytes, file.len);
        zone = kp_zone_new(copy, file.len, NULL);
        free(copy);
        if (!zone)
            continue;
        for (int k = 0; k < 4; k++) {
            int64_t t = (int64_t)unit_below(&seed, (uint64_t)4102444800000);

            kp_zone_day_start(zone, kp_zone_day(zone, t));
            kp_period_start(zone, (enum kp_period)(k + 1), 0, t, -1);
        }
        kp_zone_destroy(&zone);
    }
}

/* Newfoundland until 2011: at 00:01 clocks went back to 23:01 of the day before. */
static void a_day_goes_on_when_clocks_go_back_over_midnight(void **state)
{
    struct kp_zone *zone = tzif_zone("NST3:30NDT,M4.1.0/0:01,M10.5.0/0:01");
    const int64_t midnight = at("2006-10-29T00:00:00-02:30"), back = midnight + 60000;
    const int64_t day = kp_zone_day(zone, midnight);

    (void)state;
    assert_int_equal(kp_zone_day_start(zone, day), midnight);
    assert_int_equal(kp_zone_day(zone, back - 1), day);
    assert_int_equal(kp_zone_day(zone, back), day - 1);
    for (int64_t t = midnight - HOUR; t < midnight + 3 * HOUR; t += 30000) {
        int64_t start = kp_period_start(zone, KP_PER_DAY, 0, t, 0);

        assert_true(start <= t && t < kp_period_start(zone, KP_PER_DAY, 0, t, 1));
        assert_int_equal(start >= midnight, t >= midnight);
    }
    kp_zone_destroy(&zone);
}

/* Zones wilder than any real one, against a look at every tenth of an hour. */
static void clock_times_are_the_first_that_show_them(void **state)
{
    const int64_t step = 360000, hours = 30 * HOUR;
    uint64_t seed = 11;

    (void)state;
    for (int round = 0; round < 150; round++) {
        int64_t times[12], day = 20000, s = day * 86400 - 2 * 86400;
        int32_t offsets[12];
        struct kp_zone *zone;
        struct tzif file;

        for (int i = 0; i < 12; i++) {
            s += 360 * (1 + (int64_t)unit_below(&seed, round % 2 ? 60 : 200));
            times[i] = s;
            offsets[i] = 360 * ((int32_t)unit_below(&seed, 521) - 260);
        }
        tzif_make(&file, 0, 12, times, offsets, round % 3 ? "" : "GMT0BST,M3.5.0/1,M10.5.0");
        zone = kp_zone_new(file.bytes, file.len, NULL);
        assert_non_null(zone);
        for (int clock = 0; clock < 24; clock += 3) {
            int64_t local = day * KP_DAY_MS + clock * HOUR, t = local - hours;

            while (t + kp_zone_offset_s(zone, t) * INT64_C(1000) < local)
                t += step;
            assert_int_equal(kp_zone_instant(zone, day, (int32_t)(clock * HOUR)), t);
        }
        for (int64_t t = day * KP_DAY_MS - hours; t < day * KP_DAY_MS + hours; t += 7 * step)
            for (int p = KP_PER_DAY; p <= KP_PER_YEAR; p++)
                assert_true(kp_period_start(zone, (enum kp_period)p, 0, t, 0) <= t &&
                            t < kp_period_start(zone, (enum kp_period)p, 0, t, 1));
        kp_zone_destroy(&zone);
    }
}

static void a_period_holds_the_instant_it_was_asked_for(void **state)
{
    static const char *const footers[] = {"UTC0", "GMT0BST,M3.5.0/1,M10.5.0", "CST5CDT,M3.2.0/0,M11.1.0/1",
                                          "<-03>3<-02>,M10.3.0/0,M2.3.0/0", "<+13>-13<+14>,M9.5.0/3,M4.1.0/4"};
    uint64_t seed = 5;

    (void)state;
    for (size_t z = 0; z < COUNT_OF(footers); z++) {
        struct kp_zone *zone = tzif_zone(footers[z]);

        for (int i = 0; i < 4000; i++) {
            enum kp_period period = (enum kp_period)unit_below(&seed, 5);
            int week = (int)unit_below(&seed, 7);
            int64_t t = (int64_t)unit_below(&seed, (uint64_t)4102444800000);
            int64_t from = kp_period_start(zone, period, week, t, 0), to = kp_period_start(zone, period, week, t, 1);

            assert_true(from <= t && t < to);
            assert_int_equal(kp_period_start(zone, period, week, from, 0), from);
            assert_int_equal(kp_period_start(zone, period, week, to - 1, 0), from);
            assert_int_equal(kp_period_start(zone, period, week, to, -1), from);
            assert_int_equal(kp_period_start(zone, period, week, t, -5), kp_period_start(zone, period, week, from, -5));
        }
        kp_zone_destroy(&zone);
    }
}

static void clock_times_in_gaps_and_folds(void **state)
{
    struct kp_zone *zone = tzif_zone("GMT0BST,M3.5.0/1,M10.5.0");
    int64_t spring = kp_zone_day(zone, at("2026-03-29T12:00:00Z"));
    int64_t autumn = kp_zone_day(zone, at("2026-10-25T12:00:00Z"));

    (void)state;
    assert_int_equal(kp_zone_instant(zone, spring, 90 * 60000), at("2026-03-29T01:00:00Z"));
    assert_int_equal(kp_zone_instant(zone, spring, 2 * 3600000), at("2026-03-29T01:00:00Z"));
    assert_int_equal(kp_zone_instant(zone, autumn, 90 * 60000), at("2026-10-25T00:30:00Z"));
    assert_int_equal(kp_zone_instant(zone, autumn, 2 * 3600000), at("2026-10-25T02:00:00Z"));
    kp_zone_destroy(&zone);
}

/* ---- The calendar ---- */

static void days_count_like_a_calendar_turned_by_hand(void **state)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = 1600, month = 1, mday = 1;
    int64_t first = kp_civil_to_day(1600, 1, 1);

    (void)state;
    assert_int_equal(kp_civil_to_day(1970, 1, 1), 0);
    assert_int_equal(kp_weekday(0), 3);
    for (int64_t day = first; year < 2500; day++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        int y, m, d;

        assert_int_equal(kp_civil_to_day(year, month, mday), day);
        kp_civil_of_day(day, &y, &m, &d);
        assert_true(y == year && m == month && d == mday);
        assert_int_equal(kp_weekday(day + 1), (kp_weekday(day) + 1) % 7);
        if (mday++ < lengths[month - 1] + (month == 2 && leap))
            continue;
        mday = 1;
        month = month == 12 ? 1 : month + 1;
        year += month == 1;
    }
}

static void rfc_3339_as_it_is_written(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;     /* -1: none */
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-08-03T09:30:00.250+01:00", INT64_C(1785745800250)},
        {"2026-08-03t08:30:00.25z", INT64_C(1785745800250)},
        {"2026-08-03 08:30:00.2509999999999999Z", INT64_C(1785745800250)},
        {"1970-01-01T00:00:00-23:59", 86340000},
        {"2016-12-31T23:59:60Z", INT64_C(1483228799000)},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000)},
        {"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
        {"9999-12-31T23:59:59.999-00:01", -1},
        {"1969-12-31T23:59:59Z", -1},
        {"1970-01-01T00:00:00+00:01", -1},
        {"2023-02-29T00:00:00Z", -1},
        {"2026-13-01T00:00:00Z", -1},
        {"2026-00-01T00:00:00Z", -1},
        {"2026-01-00T00:00:00Z", -1},
        {"2026-04-31T00:00:00Z", -1},
        {"2026-01-01T24:00:00Z", -1},
        {"2026-01-01T00:60:00Z", -1},
        {"2026-01-01T00:00:61Z", -1},
        {"2026-01-01T00:00:00", -1},
        {"2026-01-01T00:00:00.Z", -1},
        {"2026-01-01T00:00:00,5Z", -1},
        {"2026-01-01T00:00:00+0100", -1},
        {"2026-01-01T00:00:00+24:00", -1},
        {"2026-01-01T00:00:00Z ", -1},
        {" 2026-01-01T00:00:00Z", -1},
        {"2026-1-1T00:00:00Z", -1},
        {"2026-01-01", -1},
        {"", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t ms = -1;
        bool ok = kp_rfc3339_parse(cases[i].text, strlen(cases[i].text), &ms);

        if (ok != (cases[i].ms >= 0) || ms != cases[i].ms)
            fail_msg("\"%s\": %lld", cases[i].text, (long long)ms);
        for (size_t len = 0; ok && len < strlen(cases[i].text); len++)
            assert_false(kp_rfc3339_parse(cases[i].text, len, &ms));
    }
}

static void rfc_3339_reads_what_it_writes(void **state)
{
    uint64_t seed = 9;
    char buf[32];

    (void)state;
    assert_string_equal(kp_rfc3339_format(0, buf), "1970-01-01T00:00:00Z");
    assert_string_equal(kp_rfc3339_format(INT64_C(1785745800250), buf), "2026-08-03T08:30:00.250Z");
    for (int i = 0; i < 20000; i++) {
        int64_t ms = (int64_t)unit_below(&seed, UINT64_C(253402300800000)), back = -1;

        kp_rfc3339_format(ms, buf);
        assert_true(kp_rfc3339_parse(buf, strlen(buf), &back));
        assert_int_equal(back, ms);
    }
}

static void durations_are_digits_and_one_unit(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;     /* -1: none */
    } cases[] = {
        {"500ms", 500}, {"90s", 90000}, {"15m", 900000}, {"1h", 3600000}, {"7d", 7 * KP_DAY_MS},
        {"2w", 14 * KP_DAY_MS}, {"0s", 0}, {"36525d", 36525 * KP_DAY_MS}, {"36526d", -1}, {"99999999999999999999s", -1},
        {"1", -1}, {"", -1}, {"s", -1}, {"-1s", -1}, {"1.5h", -1}, {"1h30m", -1}, {"1 h", -1}, {"1H", -1}, {"1mss", -1},
        {"1y", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t ms = -1;
        bool ok = kp_duration_parse(cases[i].text, strlen(cases[i].text), &ms);

        if (ok != (cases[i].ms >= 0) || ms != cases[i].ms)
            fail_msg("\"%s\": %lld", cases[i].text, (long long)ms);
    }
}

static void dates_clock_times_and_weekdays_are_taken_as_written_and_no_other_way(void **state)
{
    static const char *const no_dates[] = {"", "2026-2-01", "2026-02-29", "2026-13-01", "1969-12-31", "2026-02-01 ", "+026-02-01", "2026-02-00"};
    static const char *const no_clocks[] = {"", "9:00", "09:0", "24:01", "24:00:01", "09:60", "09:00:60", "09:00:", "09:00:00.", "09:00 ", "-9:00"};
    static const struct {
        const char *text;
        int32_t clock_ms, unit_ms;
    } clocks[] = {{"00:00", 0, 60000}, {"24:00", KP_DAY_MS, 60000}, {"23:59:59", 86399000, 1000}, {"00:00:00.0429", 42, 1}};
    int32_t clock_ms, unit_ms;
    int64_t day;

    (void)state;
    assert_true(kp_date_parse("2028-02-29", 10, &day));
    assert_int_equal(day, kp_civil_to_day(2028, 2, 29));
    for (size_t i = 0; i < COUNT_OF(no_dates); i++)
        assert_false(kp_date_parse(no_dates[i], strlen(no_dates[i]), &day));
    for (size_t i = 0; i < COUNT_OF(no_clocks); i++)
        assert_false(kp_clock_parse(no_clocks[i], strlen(no_clocks[i]), &clock_ms, &unit_ms));
    for (size_t i = 0; i < COUNT_OF(clocks); i++) {
        assert_true(kp_clock_parse(clocks[i].text, strlen(clocks[i].text), &clock_ms, &unit_ms));
        assert_int_equal(clock_ms, clocks[i].clock_ms);
        assert_int_equal(unit_ms, clocks[i].unit_ms);
    }
    assert_int_equal(kp_weekday_parse("mon", 3), 0);
    assert_int_equal(kp_weekday_parse("sun", 3), 6);
    assert_int_equal(kp_weekday_parse("ont", 3), -1);
    assert_int_equal(kp_weekday_parse("mo", 2), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_bytes_are_utc),
        cmocka_unit_test(dates_clock_times_and_weekdays_are_taken_as_written_and_no_other_way),
        cmocka_unit_test(footers_hold_for_every_year),
        cmocka_unit_test(a_footer_that_is_no_rule_is_refused),
        cmocka_unit_test(transitions_come_before_the_footer),
        cmocka_unit_test(a_rule_repeats_after_400_years),
        cmocka_unit_test(a_file_of_version_1_ends_with_its_transitions),
        cmocka_unit_test(a_file_that_counts_leap_seconds_is_refused),
        cmocka_unit_test(real_zones_have_had_these_offsets),
        cmocka_unit_test(real_zones_have_had_these_midnights),
        cmocka_unit_test(a_cut_file_is_refused_at_every_byte),
        cmocka_unit_test(transitions_out_of_order_are_refused),
        cmocka_unit_test(damaged_files_do_no_harm),
        cmocka_unit_test(a_day_goes_on_when_clocks_go_back_over_midnight),
        cmocka_unit_test(clock_times_are_the_first_that_show_them),
        cmocka_unit_test(a_period_holds_the_instant_it_was_asked_for),
        cmocka_unit_test(clock_times_in_gaps_and_folds),
        cmocka_unit_test(days_count_like_a_calendar_turned_by_hand),
        cmocka_unit_test(rfc_3339_as_it_is_written),
        cmocka_unit_test(rfc_3339_reads_what_it_writes),
        cmocka_unit_test(durations_are_digits_and_one_unit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
