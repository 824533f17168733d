#include "mail.h"

#include "kpid/value.h"
#include "kpid/zone.h"

#include <string.h>

/* ---- Header fields ---- */

static bool is_plain(const char *s)
{
    size_t len = strlen(s);

    for (; *s; s++)
        if (*s < 0x20 || *s >= 0x7F)
            return false;
    return len <= 60;
}

static void put_base64(struct text *out, const char *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < len; i += 3) {
        uint32_t n = 0;
        char group[4];

        for (size_t k = 0; k < 3; k++)
            n = n << 8 | (i + k < len ? (unsigned char)bytes[i + k] : 0u);
        for (size_t k = 0; k < 4; k++)
            group[k] = i + k > len ? '=' : digits[n >> (18 - 6 * k) & 63];
        text_put(out, group, 4);
    }
}

/* Encoded words (RFC 2047) of at most 75 bytes, none ending within a character, each on a line of its own. */
static void put_encoded(struct text *out, const char *s)
{
    enum { WORD = 42 };         /* 56 bytes in Base64, 77 with the longest name of a field */
    char clean[2048];
    size_t len, first = 0;

    text_clean(s, strlen(s), clean, sizeof clean);
    len = strlen(clean);
    do {
        size_t end = first;

        while (end < len) {
            size_t next = kp_utf8_char(clean + end, len - end);

            if (end + next - first > WORD)
                break;
            end += next;
        }
        text_add(out, first ? "\r\n =?utf-8?B?" : "=?utf-8?B?");
        put_base64(out, clean + first, end - first);
        text_add(out, "?=");
        first = end;
    } while (first < len);
}

static void put_field(struct text *out, const char *name, const char *value)
{
    text_addf(out, "%s: ", name);
    /* what looks like an encoded word and is none must be encoded, too */
    if (is_plain(value) && !strstr(value, "=?"))
        text_add(out, value);
    else
        put_encoded(out, value);
    text_add(out, "\r\n");
}

static void put_from(struct text *out, const struct mail *mail)
{
    const char *letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !#$%&'*+-/=^_`{|}~";

    text_add(out, "From: ");
    if (mail->from_name && is_plain(mail->from_name) && mail->from_name[strspn(mail->from_name, letters)] == '\0')
        text_addf(out, "%s\r\n ", mail->from_name);
    else if (mail->from_name) {
        put_encoded(out, mail->from_name);
        text_add(out, "\r\n ");
    }
    text_addf(out, "<%s>\r\n", mail->from);
}

static void put_date(struct text *out, int64_t at_ms)
{
    static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t s = at_ms < 0 ? 0 : at_ms / 1000;
    int year, month, mday;

    kp_civil_of_day(s / 86400, &year, &month, &mday);
    text_addf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[kp_weekday(s / 86400)], mday, months[month - 1], year,
              (int)(s / 3600 % 24), (int)(s / 60 % 60), (int)(s % 60));
}

static void put_ids(struct text *out, const struct mail *mail)
{
    const char *host = strchr(mail->from, '@');

    host = host ? host + 1 : "localhost";
    text_addf(out, "Message-ID:\r\n <%s@%s>\r\n", mail->id, host);
    if (mail->thread)
        text_addf(out, "References:\r\n <%s@%s>\r\nIn-Reply-To:\r\n <%s@%s>\r\n", mail->thread, host, mail->thread, host);
}

/* ---- The body ---- */

/* Quoted-printable (RFC 2045, 6.7). */
static void put_quoted(struct text *out, const char *s)
{
    enum { LINE = 76 };
    size_t column = 0;

    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool at_end = s[1] == '\n' || s[1] == '\0';
        bool plain = (c > 0x20 && c < 0x7F && c != '=') || ((c == ' ' || c == '\t') && !at_end);

        if (c == '\n') {
            text_add(out, "\r\n");
            column = 0;
            continue;
        }
        if (column + (plain ? 1 : 3) > LINE - 1) {
            text_add(out, "=\r\n");
            column = 0;
        }
        if (plain)
            text_put(out, s, 1);
        else
            text_addf(out, "=%02X", c);
        column += plain ? 1 : 3;
    }
    if (column)
        text_add(out, "\r\n");
}

/* Quoted-printable never holds "=_", so neither half can hold the line that ends it. */
#define BOUNDARY "=_kpi-notify_="

static void put_part(struct text *out, const char *type, const char *content)
{
    text_addf(out,
              "--" BOUNDARY "\r\nContent-Type: %s; charset=utf-8\r\n"
              "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
              type);
    put_quoted(out, content);
}

void mail_build(const struct mail *mail, struct text *out)
{
    put_date(out, mail->date_ms);
    put_from(out, mail);
    text_addf(out, "To: <%s>\r\n", mail->to);
    put_field(out, "Subject", mail->subject);
    put_ids(out, mail);
    text_add(out, "Auto-Submitted: auto-generated\r\n"
                  "MIME-Version: 1.0\r\n"
                  "Content-Type: multipart/alternative; boundary=\"" BOUNDARY "\"\r\n\r\n");
    put_part(out, "text/plain", mail->plain);
    put_part(out, "text/html", mail->html);
    text_add(out, "--" BOUNDARY "--\r\n");
}
