#include "source.h"

#include "csv_map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { READ = 1 << 16, ROW_MAX = 1 << 20 };
#define MESSAGE_MAX ((size_t)256 << 20)

struct source {
    FILE *file;         /* owned, unless it is stdin */
    const char *name;   /* borrowed */
    struct csv_map *csv;    /* owned; NULL: no CSV */
    bool is_msgpack, has_header, ended;
    char *buf;          /* owned */
    size_t first, len, room;
    size_t walked;      /* MessagePack: behind first, what was looked at of the item that is not here as a whole yet */
    uint64_t todo;      /* ... and how many items that one still needs; 0: it was not begun */
    uint64_t done, all, line;
};

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);

    return n >= k && strcmp(text + n - k, end) == 0;
}

struct source *source_open(const char *name, bool as_msgpack, const char *map, struct kp_err *err)
{
    struct source *s = calloc(1, sizeof *s);
    struct stat st;

    if (!s) {
        kp_fail(err, KP_ENOMEM, "out of memory");
        return NULL;
    }
    s->name = strcmp(name, "-") == 0 ? "standard input" : name;
    if (map || ends_with(name, ".csv")) {
        s->csv = map ? csv_map_open(map) : NULL;
        if (!s->csv) {
            kp_fail(err, KP_EINVAL, map ? "%s: no event can be made of it" : "%s: a CSV file needs a map of its columns (--map)",
                    map ? map : name);
            source_close(&s);
            return NULL;
        }
    }
    s->is_msgpack = as_msgpack || ends_with(name, ".msgpack");
    s->file = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
    if (!s->file) {
        kp_fail(err, KP_EIO, "%s: %s", name, strerror(errno));
        source_close(&s);
        return NULL;
    }
    if (fstat(fileno(s->file), &st) == 0 && S_ISREG(st.st_mode))
        s->all = (uint64_t)st.st_size;
    return s;
}

void source_close(struct source **source)
{
    if (!*source)
        return;
    if ((*source)->file && (*source)->file != stdin)
        fclose((*source)->file);
    csv_map_close(&(*source)->csv);
    free((*source)->buf);
    free(*source);
    *source = NULL;
}

/* More bytes behind those at hand. 1: some; 0: the end; -1: failed. */
static int fill(struct source *s, struct kp_err *err)
{
    size_t n;

    if (s->ended)
        return 0;
    if (s->first && s->first == s->len) {
        s->first = s->len = 0;
    } else if (s->first > s->room / 2) {
        /* NOLINTNEXTLINE: first > 0 only with a buffer */
        memmove(s->buf, s->buf + s->first, s->len - s->first);
        s->len -= s->first;
        s->first = 0;
    }
    if (s->room - s->len < READ) {
        size_t room = s->room ? s->room * 2 : 4 * READ;
        char *grown = s->len - s->first > MESSAGE_MAX ? NULL : realloc(s->buf, room);

        if (!grown) {
            kp_fail(err, KP_ELIMIT, "%s: a message of over %zu bytes", s->name, MESSAGE_MAX);
            return -1;
        }
        s->buf = grown;
        s->room = room;
    }
    n = fread(s->buf + s->len, 1, READ, s->file);
    s->len += n;
    s->done += n;
    if (n == 0) {
        s->ended = true;
        if (ferror(s->file)) {
            kp_fail(err, KP_EIO, "%s: %s", s->name, errno == EBADF ? "it is closed" : strerror(errno));
            return -1;
        }
    }
    return n > 0;
}

static bool is_blank(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        /* NOLINTNEXTLINE: len > 0 only with bytes */
        if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r')
            return false;
    return true;
}

/* ---- Lines ---- */

static enum source_got next_line(struct source *s, const char **bytes, size_t *len, struct kp_err *err)
{
    size_t looked = 0;

    for (;;) {
        const char *start = s->buf ? s->buf + s->first : "";
        size_t have = s->len - s->first;
        const char *end = have > looked ? memchr(start + looked, '\n', have - looked) : NULL;
        int more;

        if (!end) {
            looked = have;
            more = fill(s, err);
            if (more > 0)
                continue;
            if (more < 0 || have == 0)
                return more < 0 ? SOURCE_FAILED : SOURCE_END;
            end = s->buf + s->len;      /* the last line has no newline */
        }
        start = s->buf + s->first;
        *bytes = start;
        *len = (size_t)(end - start);
        s->first += *len + (end < s->buf + s->len);
        s->line++;
        looked = 0;
        if (!is_blank(*bytes, *len))
            return SOURCE_MESSAGE;
    }
}

/* ---- MessagePack ---- */

/* The first bytes of an item: how long it is without the items in it, and how many those are. */
struct head {
    uint64_t size, items;
};

/* 1: here it is; 0: it is cut short; -1: the one byte that MessagePack never uses. */
static int read_head(const unsigned char *p, size_t have, struct head *head)
{
    /* By the first byte, from 0xc0: bytes behind it, and of those that tell a length. */
    static const uint8_t plain[32] = {0, 0, 0, 0, 1, 2, 4, 2, 3, 5, 4, 8, 1, 2, 4, 8,
                                      1, 2, 4, 8, 2, 3, 5, 9, 17, 1, 2, 4, 2, 4, 2, 4};
    static const uint8_t width[32] = {0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 0, 0, 0, 0, 0, 0,
                                      0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4};
    unsigned char c = *p;
    uint64_t n = 0;

    *head = (struct head){.size = 1};
    if (c >= 0x80 && c <= 0x9f) {
        head->items = (c & 15u) * (c < 0x90 ? 2u : 1u);
    } else if (c >= 0xa0 && c <= 0xbf) {
        head->size += c & 31u;
    } else if (c == 0xc1) {
        return -1;
    } else if (c >= 0xc0 && c <= 0xdf) {
        if (have <= width[c - 0xc0])
            return 0;
        for (int i = 1; i <= width[c - 0xc0]; i++)
            n = n << 8 | p[i];
        head->size += plain[c - 0xc0];
        if (c >= 0xdc)
            head->items = n * (c >= 0xde ? 2u : 1u);
        else
            head->size += n;
    }
    return 1;
}

/* Walk on through the item that begins at first: what lies in it is counted, not gone into, so that its depth costs
 * nothing, and what was walked before more bytes came is not walked again. As read_head. */
static int walk(struct source *s)
{
    if (s->todo == 0) {
        s->todo = 1;
        s->walked = 0;
    }
    while (s->todo > 0) {
        size_t have = s->len - s->first - s->walked;
        struct head head;
        int got = have ? read_head((const unsigned char *)s->buf + s->first + s->walked, have, &head) : 0;

        if (got <= 0)
            return got;
        if (head.size > have)
            return 0;
        s->walked += (size_t)head.size;
        s->todo += head.items - 1;
    }
    return 1;
}

static enum source_got next_item(struct source *s, const char **bytes, size_t *len, struct kp_err *err)
{
    for (;;) {
        size_t have = s->len - s->first;
        int got = walk(s);

        if (got > 0) {
            *bytes = s->buf + s->first;
            *len = s->walked;
            s->first += s->walked;
            return SOURCE_MESSAGE;
        }
        if (got < 0) {
            uint64_t at = s->done - have + s->walked;

            kp_fail(err, KP_EINVAL, "%s: no MessagePack at byte %llu", s->name, (unsigned long long)at);
            return SOURCE_FAILED;
        }
        got = fill(s, err);
        if (got == 0 && have) {
            kp_fail(err, KP_EINVAL, "%s: the last message is cut short", s->name);
            return SOURCE_FAILED;
        }
        if (got <= 0)
            return got < 0 ? SOURCE_FAILED : SOURCE_END;
    }
}

/* ---- CSV ---- */

/* The next record: a line, or more where a quoted field holds line ends. Where the quotation marks do not match, or one
 * is never closed, the line alone, so that one mark does not swallow what follows. */
static enum source_got next_record(struct source *s, const char **bytes, size_t *len, struct kp_err *err)
{
    for (;;) {
        size_t have = s->len - s->first, end = 0;
        enum csv_extent extent = have ? csv_map_record(s->buf + s->first, have, &end) : CSV_MORE;
        const char *newline = extent == CSV_OPEN || extent == CSV_TORN ? memchr(s->buf + s->first, '\n', have) : NULL;
        bool wants = extent == CSV_MORE || (extent == CSV_OPEN && have < ROW_MAX) || (extent == CSV_TORN && !newline);
        int more = wants ? fill(s, err) : 0;

        if (more > 0)
            continue;
        if (more < 0 || have == 0)
            return more < 0 ? SOURCE_FAILED : SOURCE_END;
        *bytes = s->buf + s->first;
        if (newline)
            end = (size_t)(newline - *bytes);
        else if (extent != CSV_WHOLE)
            end = have;
        *len = end;
        s->first += end + (end < have);
        return SOURCE_MESSAGE;
    }
}

static enum source_got next_row(struct source *s, const char **bytes, size_t *len, struct kp_err *err)
{
    struct kp_err why = {0};
    const char *record;
    size_t record_len;
    enum source_got got;

    while ((got = next_record(s, &record, &record_len, err)) == SOURCE_MESSAGE) {
        uint64_t line = s->line + 1;
        bool is_header = !s->has_header;
        enum kp_code code;

        for (size_t i = 0; i < record_len; i++)
            s->line += record[i] == '\n';
        s->line++;
        if (is_blank(record, record_len))
            continue;
        code = is_header ? csv_map_header(s->csv, record, record_len, &why)
                         : csv_map_row(s->csv, record, record_len, bytes, len, &why);
        s->has_header = true;
        if (code) {
            kp_fail(err, code, "%s:%llu: %s", s->name, (unsigned long long)line, why.text);
            return is_header || code != KP_EINVAL ? SOURCE_FAILED : SOURCE_BAD_ROW;
        }
        if (!is_header)
            return SOURCE_MESSAGE;
    }
    if (got == SOURCE_END && !s->has_header) {
        kp_fail(err, KP_EINVAL, "%s: it is empty; its first line must name the columns", s->name);
        return SOURCE_FAILED;
    }
    return got;
}

enum source_got source_next(struct source *source, const char **bytes, size_t *len, struct kp_err *err)
{
    if (source->csv)
        return next_row(source, bytes, len, err);
    return source->is_msgpack ? next_item(source, bytes, len, err) : next_line(source, bytes, len, err);
}

void source_progress(const struct source *source, uint64_t *done, uint64_t *all)
{
    *done = source->done - (source->len - source->first);
    *all = source->all;
}
