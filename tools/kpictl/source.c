#include "source.h"

#include "csv_map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <msgpack.h>

enum { READ = 1 << 16 };
#define MESSAGE_MAX ((size_t)256 << 20)

struct source {
    FILE *file;         /* owned, unless it is stdin */
    const char *name;   /* borrowed */
    struct csv_map *csv;    /* owned; NULL: no CSV */
    bool is_msgpack, ended;
    char *buf;          /* owned */
    size_t first, len, room;
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
        s->csv = map ? csv_map_open(name, map) : NULL;
        if (!s->csv) {
            kp_fail(err, KP_EINVAL, map ? "%s: cannot be made events of" : "%s: a CSV file needs --map", name);
            source_close(&s);
        }
        return s;
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

static int next_line(struct source *s, const char **bytes, size_t *len, struct kp_err *err)
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
                return more;
            end = s->buf + s->len;      /* the last line has no newline */
        }
        start = s->buf + s->first;
        *bytes = start;
        *len = (size_t)(end - start);
        s->first += *len + (end < s->buf + s->len);
        s->line++;
        looked = 0;
        if (!is_blank(*bytes, *len))
            return 1;
    }
}

static int next_item(struct source *s, const char **bytes, size_t *len, struct kp_err *err)
{
    for (;;) {
        size_t have = s->len - s->first, off = 0;
        msgpack_unpacked item;
        msgpack_unpack_return got = MSGPACK_UNPACK_CONTINUE;
        int more;

        msgpack_unpacked_init(&item);
        if (have)
            got = msgpack_unpack_next(&item, s->buf + s->first, have, &off);
        msgpack_unpacked_destroy(&item);
        if (got == MSGPACK_UNPACK_SUCCESS || got == MSGPACK_UNPACK_EXTRA_BYTES) {
            *bytes = s->buf + s->first;
            *len = off;
            s->first += off;
            return 1;
        }
        if (got != MSGPACK_UNPACK_CONTINUE) {
            kp_fail(err, KP_EINVAL, "%s: no MessagePack at byte %llu", s->name,
                    (unsigned long long)(s->done - have));
            return -1;
        }
        more = fill(s, err);
        if (more == 0 && have) {
            kp_fail(err, KP_EINVAL, "%s: the last message is cut short", s->name);
            return -1;
        }
        if (more <= 0)
            return more;
    }
}

int source_next(struct source *source, const char **bytes, size_t *len, struct kp_err *err)
{
    if (source->csv)
        return csv_map_next(source->csv, bytes, len);
    return source->is_msgpack ? next_item(source, bytes, len, err) : next_line(source, bytes, len, err);
}

void source_progress(const struct source *source, uint64_t *done, uint64_t *all)
{
    *done = source->done - (source->len - source->first);
    *all = source->all;
}
