#include "text.h"

#include "kpid/value.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_release(struct text *text)
{
    free(text->s);
    *text = (struct text){0};
}

const char *text_of(const struct text *text)
{
    return text->s ? text->s : "";
}

void text_put(struct text *text, const char *s, size_t len)
{
    if (text->failed)
        return;
    if (text->room - text->len <= len) {
        size_t room = (text->len + len + 1) * 2 < 256 ? 256 : (text->len + len + 1) * 2;
        char *grown = realloc(text->s, room);

        if (!grown) {
            text->failed = true;
            return;
        }
        text->s = grown;
        text->room = room;
    }
    memcpy(text->s + text->len, s, len);
    text->len += len;
    text->s[text->len] = '\0';
}

void text_add(struct text *text, const char *s)
{
    text_put(text, s, strlen(s));
}

void text_addf(struct text *text, const char *fmt, ...)
{
    char *made = NULL;
    va_list args;
    int n;

    va_start(args, fmt);
    n = vasprintf(&made, fmt, args);
    va_end(args);
    if (n < 0) {
        text->failed = true;
        return;
    }
    text_put(text, made, (size_t)n);
    free(made);
}

static const char *in_html(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

static const char *in_json(char c, char buf[8])
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    default:
        if ((unsigned char)c >= 0x20)
            return NULL;
        snprintf(buf, 8, "\\u%04x", (unsigned char)c);
        return buf;
    }
}

void text_escape(struct text *text, const char *s, enum escape escape)
{
    char buf[8];

    for (; *s; s++) {
        const char *instead = escape == ESCAPE_HTML || (escape == ESCAPE_SLACK && (*s == '&' || *s == '<' || *s == '>'))
                                  ? in_html(*s)
                              : escape == ESCAPE_NONE ? NULL
                                                      : in_json(*s, buf);

        if (instead)
            text_add(text, instead);
        else
            text_put(text, s, 1);
    }
}

/* C1 controls, line and paragraph separator, and what turns the direction of writing: U+0080 to 9F, U+2028 to 202E, U+2066
 * to 2069, U+200E and F. */
static bool is_mark(const char *s, size_t len)
{
    const unsigned char *c = (const unsigned char *)s;

    if (len == 2)
        return c[0] == 0xC2 && c[1] < 0xA0;
    if (len != 3 || c[0] != 0xE2)
        return false;
    return (c[1] == 0x80 && ((c[2] >= 0xA8 && c[2] <= 0xAE) || c[2] == 0x8E || c[2] == 0x8F)) ||
           (c[1] == 0x81 && c[2] >= 0xA6 && c[2] <= 0xA9);
}

char *text_clean(const char *bytes, size_t len, char *buf, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < len;) {
        size_t char_len = kp_utf8_char(bytes + i, len - i);
        const char *put = bytes + i;
        size_t put_len = char_len;

        if (char_len == 0) {
            put = "\xEF\xBF\xBD";
            put_len = 3;
            char_len = 1;
        } else if ((unsigned char)*put < 0x20 || *put == 0x7F || is_mark(put, char_len)) {
            put = " ";
            put_len = 1;
        }
        if (n + put_len >= size)
            break;
        memcpy(buf + n, put, put_len);
        n += put_len;
        i += char_len;
    }
    buf[n] = '\0';
    return buf;
}
