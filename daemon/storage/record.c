#include "record.h"

enum { ONE = 0x91, TWO = 0x92, THREE = 0x93, NIL = 0xC0, BIN32 = 0xC6, UINT32 = 0xCE, STR32 = 0xDB, ARRAY32 = 0xDD };

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

    head[n++] = record->is_request ? ONE : record->ndenied ? THREE : TWO;
    if (!record->is_request && record->topic.len)
        n += put_length(head + n, STR32, record->topic.len);
    else if (!record->is_request)
        head[n++] = NIL;
    *topic_at = n;
    return n + put_length(head + n, BIN32, record->len);
}

size_t kp_record_tail(const struct kp_record *record, unsigned char tail[KP_RECORD_TAIL])
{
    return record->ndenied ? put_length(tail, ARRAY32, record->ndenied) : 0;
}

void kp_record_put_index(unsigned char to[KP_RECORD_INDEX], uint32_t index)
{
    put_length(to, UINT32, index);
}

static uint32_t length_at(const unsigned char *from)
{
    uint32_t n = 0;

    for (int i = 0; i < 4; i++)
        n = n << 8 | from[1 + i];
    return n;
}

uint32_t kp_record_index(const struct kp_record *record, uint32_t i)
{
    return length_at(record->denied + (size_t)i * KP_RECORD_INDEX);
}

/* The indexes behind a payload. */
static bool take_denied(const unsigned char *chunk, size_t len, size_t *at, struct kp_record *record)
{
    if (len - *at < KP_RECORD_TAIL || chunk[*at] != ARRAY32)
        return false;
    record->ndenied = length_at(chunk + *at);
    *at += KP_RECORD_TAIL;
    if ((len - *at) / KP_RECORD_INDEX < record->ndenied)
        return false;
    record->denied = chunk + *at;
    *at += (size_t)record->ndenied * KP_RECORD_INDEX;
    for (uint32_t i = 0; i < record->ndenied; i++)
        if (record->denied[(size_t)i * KP_RECORD_INDEX] != UINT32 ||
            (i && kp_record_index(record, i) <= kp_record_index(record, i - 1)))
            return false;
    return true;
}

/* A length of 32 bits behind its type, and as many bytes. */
static bool take(const unsigned char *chunk, size_t len, size_t *at, uint8_t type, const unsigned char **bytes, uint32_t *n)
{
    if (len - *at < 5 || chunk[*at] != type)
        return false;
    *n = length_at(chunk + *at);
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
    bool some_denied;

    if (pos >= len || (chunk[pos] != ONE && chunk[pos] != TWO && chunk[pos] != THREE))
        return false;
    some_denied = chunk[pos] == THREE;
    record->denied = NULL;
    record->ndenied = 0;
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
    if (some_denied && !take_denied(chunk, len, &pos, record))
        return false;
    *at = pos;
    return true;
}
