/* TZif files made up for a test (RFC 8536, version 2): transitions and a footer. */
#ifndef KPID_TESTS_TZIF_H
#define KPID_TESTS_TZIF_H

#include "unit.h"

#include "kpid/zone.h"

struct tzif {
    unsigned char bytes[4096];
    size_t len;
};

static inline void tzif_put(struct tzif *out, uint64_t v, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        out->bytes[out->len++] = (unsigned char)(v >> (8 * i));
}

static inline void tzif_header(struct tzif *out, unsigned leaps, unsigned times, unsigned types)
{
    const unsigned counts[6] = {0, 0, leaps, times, types, 4};

    memcpy(out->bytes + out->len, "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
    out->len += 20;
    for (int i = 0; i < 6; i++)
        tzif_put(out, counts[i], 4);
}

/* Offset first_s until times[0] (seconds), then offsets[i] from times[i] on; the footer without its line ends. */
static inline void tzif_make(struct tzif *out, int32_t first_s, unsigned n, const int64_t *times,
                             const int32_t *offsets, const char *footer)
{
    out->len = 0;
    tzif_header(out, 0, 0, 1);
    tzif_put(out, 0, 6);
    tzif_put(out, 0, 4);
    tzif_header(out, 0, n, n + 1);
    for (unsigned i = 0; i < n; i++)
        tzif_put(out, (uint64_t)times[i], 8);
    for (unsigned i = 0; i < n; i++)
        tzif_put(out, i + 1, 1);
    for (unsigned i = 0; i <= n; i++) {
        tzif_put(out, (uint32_t)(i ? offsets[i - 1] : first_s), 4);
        tzif_put(out, 0, 2);
    }
    tzif_put(out, 0, 4);
    out->len += (size_t)sprintf((char *)out->bytes + out->len, "\n%s\n", footer);
}

/* A zone of a footer alone: "GMT0BST,M3.5.0/1,M10.5.0". */
static inline struct kp_zone *tzif_zone(const char *footer)
{
    struct kp_err err = {0};
    struct kp_zone *zone;
    struct tzif file;

    tzif_make(&file, 0, 0, NULL, NULL, footer);
    zone = kp_zone_new(file.bytes, file.len, &err);
    if (!zone)
        fail_msg("%s: %s", footer, err.text);
    return zone;
}

#endif
