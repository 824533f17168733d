#include "kpid/forget.h"

#include <string.h>

static bool same(struct kp_str a, struct kp_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.s, b.s, a.len) == 0);
}

/* The next of some texts with commas between them; false: there is none. */
static bool next_part(struct kp_str *rest, struct kp_str *part)
{
    const char *comma;

    if (!rest->s)
        return false;
    comma = rest->len ? memchr(rest->s, ',', rest->len) : NULL;
    *part = (struct kp_str){rest->s, comma ? (uint32_t)(comma - rest->s) : rest->len};
    *rest = comma ? (struct kp_str){comma + 1, rest->len - part->len - 1} : (struct kp_str){NULL, 0};
    return true;
}

/* A value as it stands in a key of several: kp_store_group_key writes them so. */
static bool is_encoded(struct kp_str part, struct kp_str value)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < value.len; i++) {
        const char *code = value.s[i] == ',' ? "%2C" : value.s[i] == '%' ? "%25" : NULL;
        uint32_t len = code ? 3 : 1;

        if (part.len - at < len || memcmp(part.s + at, code ? code : value.s + i, len) != 0)
            return false;
        at += len;
    }
    return at == part.len;
}

bool kp_forget_is_key(const struct kp_forget *who, struct kp_str level, struct kp_str key)
{
    struct kp_str fields, values = key, field, value;
    bool several;

    if (!level.len || level.s[0] != '@')
        return who->level.len && same(level, who->level) && same(key, who->key);
    fields = (struct kp_str){level.s + 1, level.len - 1};
    several = memchr(level.s, ',', level.len) != NULL;
    if (!several)
        return same(fields, who->field) && same(key, who->key);
    while (next_part(&fields, &field) && next_part(&values, &value))
        if (same(field, who->field) && is_encoded(value, who->key))
            return true;
    return false;
}

bool kp_forget_is_value(const struct kp_forget *who, const struct kp_value *value)
{
    char buf[KP_VALUE_TEXT];
    const char *text;
    size_t len = kp_value_text(value, buf, &text);

    return len && same((struct kp_str){text, (uint32_t)len}, who->key);
}
