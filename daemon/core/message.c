#include "kpid/message.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const names[KP_PLACEHOLDERS] = {
    [KP_PH_NAME] = "name",         [KP_PH_KEY] = "key",           [KP_PH_LEVEL] = "level",
    [KP_PH_PATH] = "path",         [KP_PH_KPI] = "kpi",           [KP_PH_TITLE] = "title",
    [KP_PH_UNIT] = "unit",         [KP_PH_WINDOW] = "window",     [KP_PH_VALUE] = "value",
    [KP_PH_TARGET] = "target",     [KP_PH_EXPECTED] = "expected", [KP_PH_PERCENT] = "percent",
    [KP_PH_RATIO] = "ratio",       [KP_PH_THRESHOLD] = "threshold", [KP_PH_N] = "n",
    [KP_PH_SEVERITY] = "severity", [KP_PH_RULE] = "rule",
    [KP_PH_ENTITY] = "entity",
};

int kp_placeholder(const char *name, size_t len)
{
    for (int i = 0; i < KP_PLACEHOLDERS; i++)
        if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
            return i;
    return -1;
}

const char *kp_placeholder_name(int placeholder)
{
    return placeholder >= 0 && placeholder < KP_PLACEHOLDERS ? names[placeholder] : NULL;
}

struct out {
    char *buf;
    size_t len, size;
};

static void put(struct out *out, const char *text, size_t len)
{
    size_t room = out->size - 1 - out->len;

    if (len > room) {
        len = room;
        while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
            len--;      /* not in the middle of a character */
        out->size = out->len + len + 1;     /* and nothing more behind what was left out */
    }
    memcpy(out->buf + out->len, text, len);
    out->len += len;
    out->buf[out->len] = '\0';
}

void kp_message_render(const char *template, const char *const texts[KP_PLACEHOLDERS], char *buf, size_t size)
{
    struct out out = {buf, 0, size};

    buf[0] = '\0';
    while (*template) {
        size_t plain = strcspn(template, "{");
        const char *end;
        int p;

        put(&out, template, plain);
        template += plain;
        if (!*template)
            break;
        end = strchr(template, '}');
        p = end ? kp_placeholder(template + 1, (size_t)(end - template) - 1) : -1;
        if (p < 0) {
            put(&out, template++, 1);
            continue;
        }
        put(&out, texts[p] ? texts[p] : "?", strlen(texts[p] ? texts[p] : "?"));
        template = end + 1;
    }
}

void kp_number_text(double value, bool has, const char *unit, char *buf, size_t size)
{
    bool percent = unit && strcmp(unit, "%") == 0;
    size_t len;

    if (!has || isnan(value)) {
        snprintf(buf, size, "no data");
        return;
    }
    if (percent)
        value *= 100;
    snprintf(buf, size, percent ? "%.1f" : "%.2f", value);
    len = strlen(buf);
    if (memchr(buf, '.', len)) {
        while (buf[len - 1] == '0')
            buf[--len] = '\0';
        if (buf[len - 1] == '.')
            buf[--len] = '\0';
    }
    if (strcmp(buf, "-0") == 0)
        snprintf(buf, size, "0");
    len = strlen(buf);
    if (percent && len + 1 < size)
        memcpy(buf + len, "%", 2);
}

void kp_lapse_text(double seconds, bool days, char *buf, size_t size)
{
    static const struct {
        long long seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    long long left = isnan(seconds) || seconds < 0 ? 0 : seconds > 1e15 ? (long long)1e15 : (long long)seconds;
    size_t first = days ? 0 : 1;

    while (first < 3 && left < units[first].seconds)
        first++;
    snprintf(buf, size, "%lld%c", left / units[first].seconds, units[first].unit);
    left %= units[first].seconds;
    if (first < 3 && left / units[first + 1].seconds > 0 && strlen(buf) < size)
        snprintf(buf + strlen(buf), size - strlen(buf), " %lld%c", left / units[first + 1].seconds, units[first + 1].unit);
}
