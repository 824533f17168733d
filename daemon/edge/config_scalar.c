#include "config_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const nils[] = {"", "~", "null", "Null", "NULL", NULL};
static const char *const trues[] = {"true", "True", "TRUE", NULL};
static const char *const falses[] = {"false", "False", "FALSE", NULL};

static bool among(const char *const *words, const char *text)
{
    for (; *words; words++) {
        if (strcmp(*words, text) == 0)
            return true;
    }
    return false;
}

/* [-+]?[0-9]+ | 0o[0-7]+ | 0x[0-9a-fA-F]+ ; the base in *base. */
static bool looks_whole(const char *text, size_t len, int *base)
{
    const char *digits = "0123456789";
    size_t from = text[0] == '-' || text[0] == '+';

    *base = 10;
    if (len > 2 && text[0] == '0' && (text[1] == 'o' || text[1] == 'x')) {
        *base = text[1] == 'o' ? 8 : 16;
        digits = text[1] == 'o' ? "01234567" : "0123456789abcdefABCDEF";
        from = 2;
    }
    return len > from && from + strspn(text + from, digits) == len;
}

/* [-+]? ( \.[0-9]+ | [0-9]+ (\.[0-9]*)? ) ([eE][-+]?[0-9]+)? */
static bool looks_real(const char *text, size_t len)
{
    const char *digits = "0123456789";
    const char *p = text + (text[0] == '-' || text[0] == '+');
    size_t whole = strspn(p, digits), part = 0;

    p += whole;
    if (*p == '.') {
        part = strspn(p + 1, digits);
        p += 1 + part;
    }
    if (whole + part == 0)
        return false;
    if (*p == 'e' || *p == 'E') {
        size_t power;

        p += 1 + (p[1] == '-' || p[1] == '+');
        power = strspn(p, digits);
        if (power == 0)
            return false;
        p += power;
    }
    return p == text + len;
}

static bool looks_special(const char *text, double *value)
{
    static const char *const infinities[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};
    bool sign = text[0] == '-' || text[0] == '+';

    if (among(infinities, text + sign)) {
        *value = text[0] == '-' ? -HUGE_VAL : HUGE_VAL;
        return true;
    }
    *value = NAN;
    return among(nans, text);
}

static struct kp_value whole_of(const char *text, int base, locale_t numbers)
{
    unsigned long long magnitude;
    bool minus = text[0] == '-';
    const char *digits = base == 10 ? text + (text[0] == '-' || text[0] == '+') : text + 2;

    magnitude = strtoull(digits, NULL, base);       /* saturates, and what is beyond int64 is taken as a real */
    if (magnitude <= INT64_MAX)
        return (struct kp_value){.kind = KP_INT, .i = minus ? -(int64_t)magnitude : (int64_t)magnitude};
    if (minus && magnitude == (unsigned long long)INT64_MAX + 1)
        return (struct kp_value){.kind = KP_INT, .i = INT64_MIN};
    if (base == 10)
        return (struct kp_value){.kind = KP_REAL, .f = strtod_l(text, NULL, numbers)};
    return (struct kp_value){.kind = KP_REAL, .f = (double)magnitude};
}

bool kp_scalar(struct kp_loader *ld, const struct kp_node *node, struct kp_value *value)
{
    double special;
    int base;

    if (!kp_want(ld, node, KP_NODE_SCALAR))
        return false;
    *value = (struct kp_value){.kind = KP_STR, .len = (uint32_t)node->len, .s = node->text};
    if (!node->plain)
        return true;
    if (among(nils, node->text))
        *value = (struct kp_value){.kind = KP_NIL};
    else if (among(trues, node->text))
        *value = (struct kp_value){.kind = KP_BOOL, .b = true};
    else if (among(falses, node->text))
        *value = (struct kp_value){.kind = KP_BOOL, .b = false};
    else if (looks_whole(node->text, node->len, &base))
        *value = whole_of(node->text, base, ld->numbers);
    else if (looks_real(node->text, node->len))
        *value = (struct kp_value){.kind = KP_REAL, .f = strtod_l(node->text, NULL, ld->numbers)};
    else if (looks_special(node->text, &special))
        *value = (struct kp_value){.kind = KP_REAL, .f = special};
    return true;
}

const char *kp_text(struct kp_loader *ld, const struct kp_node *node, size_t most)
{
    if (!kp_want(ld, node, KP_NODE_SCALAR))
        return NULL;
    if (node->len == 0 || (node->plain && among(nils, node->text)))
        kp_complain(ld, node->loc, "is empty");
    else if (memchr(node->text, 0, node->len))
        kp_complain(ld, node->loc, "holds a NUL character");
    else if (node->len > most)
        kp_complain(ld, node->loc, "is %zu bytes long, more than the %zu allowed", node->len, most);
    else
        return node->text;
    return NULL;
}

const char *kp_string(struct kp_loader *ld, const struct kp_node *node, size_t most)
{
    const char *text = kp_text(ld, node, most);
    struct kp_value value;

    if (!text || !kp_scalar(ld, node, &value))
        return NULL;
    if (value.kind == KP_STR)
        return text;
    kp_complain(ld, node->loc, "must be a string; a plain %s is a %s (quote it if it is meant)", text,
                value.kind == KP_BOOL ? "boolean" : "number");
    return NULL;
}

/* "80%" -> 0.8 */
static bool percentage_of(struct kp_loader *ld, const struct kp_node *node, double *number)
{
    char digits[64];

    if (node->len < 2 || node->len > sizeof digits || node->text[node->len - 1] != '%')
        return false;
    memcpy(digits, node->text, node->len - 1);
    digits[node->len - 1] = '\0';
    if (!looks_real(digits, node->len - 1))
        return false;
    *number = strtod_l(digits, NULL, ld->numbers) / 100;
    return true;
}

bool kp_number(struct kp_loader *ld, const struct kp_node *node, double *number, bool *percent)
{
    struct kp_value value;
    bool is_percent;
    double found = NAN;

    if (!kp_scalar(ld, node, &value))
        return false;
    is_percent = value.kind == KP_STR && percentage_of(ld, node, &found);
    if (value.kind == KP_INT)
        found = (double)value.i;
    else if (value.kind == KP_REAL)
        found = value.f;
    if (!isfinite(found)) {
        kp_complain(ld, node->loc, "must be a number, like 40, 0.8 or 80%%");
        return false;
    }
    if (percent)
        *percent = is_percent;
    *number = found;
    return true;
}

bool kp_word_of(struct kp_loader *ld, const struct kp_node *node, const struct kp_word *words, int *value)
{
    const char *text = kp_text(ld, node, 256);
    const char *known[32];
    size_t count = 0;

    if (!text)
        return false;
    for (const struct kp_word *word = words; word->name; word++) {
        if (strcmp(word->name, text) == 0 && word->later) {
            kp_complain_later(ld, node->loc, text);
            return false;
        }
        if (strcmp(word->name, text) == 0) {
            *value = word->value;
            return true;
        }
        if (!word->later && count < sizeof known / sizeof *known)
            known[count++] = word->name;
    }
    kp_complain_unknown(ld, node->loc, "word", text, known, count);
    return false;
}

bool kp_window_of(struct kp_loader *ld, const struct kp_node *node, struct kp_window *window)
{
    static const char *const periods[] = {"day", "week", "month", "quarter", "year"};
    const char *text = kp_text(ld, node, 256);
    struct kp_err err = {0};
    char word[16];
    size_t letters;

    if (!text)
        return false;
    if (kp_window_parse(text, strlen(text), window, &err) == KP_OK)
        return true;
    letters = strspn(text, "abcdefghijklmnopqrstuvwxyz");
    if (letters > 2 && letters < sizeof word) {
        memcpy(word, text, letters);
        word[letters] = '\0';
        for (size_t i = 0; i < 5; i++) {
            if (strcmp(word, periods[i]) == 0) {        /* the period is well, what follows it is not */
                kp_complain(ld, node->loc, "%s", err.text);
                return false;
            }
        }
        kp_complain_unknown(ld, node->loc, "window", word, periods, 5);
    } else {
        kp_complain(ld, node->loc, "%s", err.text);
    }
    return false;
}
