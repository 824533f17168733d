#include "gaps.h"

#include <string.h>

static uint32_t hash_of(struct kp_str s)
{
    uint32_t h = 2166136261u;       /* FNV-1a */

    for (uint32_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.s[i]) * 16777619u;
    return h;
}

static struct kp_gap_source *source_of(struct kp_gaps *gaps, struct kp_str name)
{
    uint32_t size = KP_GAP_SOURCES * 2;

    for (uint32_t i = hash_of(name) % size;; i = (i + 1) % size) {
        struct kp_gap_source *source = &gaps->sources[i];

        if (source->used && source->len == name.len && memcmp(source->name, name.s, name.len) == 0)
            return source;
        if (source->used)
            continue;
        if (gaps->count == KP_GAP_SOURCES)
            return NULL;
        gaps->count++;
        source->used = true;
        source->len = (uint8_t)name.len;
        memcpy(source->name, name.s, name.len);
        source->next = -1;
        return source;
    }
}

void kp_gaps_note(struct kp_gaps *gaps, struct kp_str name, int64_t seq)
{
    struct kp_gap_source *source = name.len <= KP_GAP_NAME ? source_of(gaps, name) : NULL;

    if (!source) {
        gaps->untracked++;
        return;
    }
    if (seq > 1 && seq < source->next && source->next - seq <= KP_GAP_LATE)
        return;
    if (source->next >= 0 && seq > source->next)
        source->missed += (uint64_t)(seq - source->next);
    source->next = seq == INT64_MAX ? seq : seq + 1;
}
