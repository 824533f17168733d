#include "record.h"

enum { ONE = 0x91, TWO = 0x92, NIL = 0xC0, BIN32 = 0xC6, STR32 = 0xDB };

static size_t put_length(unsigned char *to, uint8_t type, uint32_t len)
{
    to[0] = type;
    for (int i = 0; i < 4; i++)
        to[1 + i] = (unsigned char)(len >> (24 - 8 * i));
    return 5;
}

size_t kp_record_head(const struct kp_record *record, unsigned char head[KP_RECORD_HEAD], size_t *topic_at)
{
    size_t n = 0;

    head[n++] = record->is_request ? ONE : TWO;
    if (!record->is_request && record->topic.len)
        n += put_length(head + n, STR32, record->topic.len);
    else if (!record->is_request)
        head[n++] = NIL;
    *topic_at = n;
    return n + put_length(head + n, BIN32, record->len);
}

/* A length of 32 bits behind its type, and as many bytes. */
static bool take(const unsigned char *chunk, size_t len, size_t *at, uint8_t type, const unsigned char **bytes, uint32_t *n)
{
    if (len - *at < 5 || chunk[*at] != type)
        return false;
    *n = 0;
    for (int i = 0; i < 4; i++)
        *n = *n << 8 | chunk[*at + 1 + (size_t)i];
    *at += 5;
    if (len - *at < *n)
        return false;
    *bytes = chunk + *at;
    *at += *n;
    return true;
}

bool kp_record_next(const unsigned char *chunk, size_t len, size_t *at, struct kp_record *record)
{
    const unsigned char *bytes = chunk;
    size_t pos = *at;
    uint32_t n = 0;

    if (pos >= len || (chunk[pos] != ONE && chunk[pos] != TWO))
        return false;
    record->is_request = chunk[pos++] == ONE;
    record->topic = (struct kp_str){"", 0};
    if (!record->is_request && pos < len && chunk[pos] == NIL) {
        pos++;
    } else if (!record->is_request) {
        if (!take(chunk, len, &pos, STR32, &bytes, &n))
            return false;
        record->topic = (struct kp_str){(const char *)bytes, n};
    }
    if (!take(chunk, len, &pos, BIN32, &bytes, &n))
        return false;
    record->bytes = bytes;
    record->len = n;
    *at = pos;
    return true;
}
