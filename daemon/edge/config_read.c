#include "config_read.h"

#include "nearest.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- paths and faults ---- */

static size_t lengthen(struct kp_loader *ld, const char *fmt, ...) KP_PRINTF(2, 3);

static size_t lengthen(struct kp_loader *ld, const char *fmt, ...)
{
    size_t before = ld->path_len, room = sizeof ld->path - before;
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(ld->path + before, room, fmt, args);
    va_end(args);
    if (n > 0)
        ld->path_len += (size_t)n < room ? (size_t)n : room - 1;
    return before;
}

size_t kp_path_key(struct kp_loader *ld, const char *key)
{
    return lengthen(ld, "%s%s", ld->path_len ? "." : "", key);
}

size_t kp_path_index(struct kp_loader *ld, size_t index)
{
    return lengthen(ld, "[%zu]", index);
}

void kp_path_back(struct kp_loader *ld, size_t len)
{
    ld->path_len = len;
    ld->path[len] = '\0';
}

void kp_complain(struct kp_loader *ld, struct kp_loc loc, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    kp_fault(ld->faults, loc, ld->path, "%s", text);
}

void kp_complain_unknown(struct kp_loader *ld, struct kp_loc loc, const char *what, const char *word,
                         const char *const *known, size_t count)
{
    struct kp_nearest nearest = {.word = word};
    char list[512] = "";
    size_t len = 0;

    for (size_t i = 0; i < count; i++)
        kp_nearest_offer(&nearest, known[i]);
    if (nearest.best) {
        kp_complain(ld, loc, "unknown %s \"%.100s\"; did you mean \"%s\"?", what, word, nearest.best);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (len + strlen(known[i]) + 8 > sizeof list) {
            snprintf(list + len, sizeof list - len, ", ...");
            break;
        }
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "", known[i]);
    }
    kp_complain(ld, loc, "unknown %s \"%.100s\" (known: %s)", what, word, count ? list : "none");
}

void kp_complain_later(struct kp_loader *ld, struct kp_loc loc, const char *what)
{
    kp_complain(ld, loc, "\"%s\" is not in this version of kpid yet", what);
}

/* ---- memory ---- */

void *kp_grow(struct kp_loader *ld, void *array, size_t *count, size_t size)
{
    void **slot = array;
    char *element;

    if ((*count & (*count - 1)) == 0) {         /* full at 0, 1, 2, 4, 8, ... */
        size_t room = *count ? *count * 2 : 1;
        void *grown = reallocarray(*slot, room, size);

        if (!grown) {
            ld->out_of_memory = true;
            return NULL;
        }
        *slot = grown;
    }
    element = (char *)*slot + *count * size;
    memset(element, 0, size);
    ++*count;
    return element;
}

char *kp_copy(struct kp_loader *ld, const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        ld->out_of_memory = true;
    return copy;
}

void *kp_zeros(struct kp_loader *ld, size_t count, size_t size)
{
    void *zeros = calloc(count ? count : 1, size);

    if (!zeros)
        ld->out_of_memory = true;
    return zeros;
}

/* ---- maps ---- */

bool kp_want(struct kp_loader *ld, const struct kp_node *node, enum kp_node_kind kind)
{
    static const char *const names[] = {"a single value", "a list, like [a, b]", "a map, like {key: value}"};

    if (node->kind == kind)
        return true;
    kp_complain(ld, node->loc, "must be %s", names[kind]);
    return false;
}

bool kp_want_some(struct kp_loader *ld, const struct kp_node *node, enum kp_node_kind kind, size_t most)
{
    if (!kp_want(ld, node, kind))
        return false;
    if (node->count == 0)
        kp_complain(ld, node->loc, "is empty: fill it, or leave it out");
    else if (node->count > most)
        kp_complain(ld, node->loc, "holds %zu entries, more than the %zu allowed", node->count, most);
    return node->count > 0 && node->count <= most;
}

static const struct kp_key *find_key(const struct kp_key *keys, const char *name)
{
    for (; keys->name; keys++) {
        if (strcmp(keys->name, name) == 0)
            return keys;
    }
    return NULL;
}

static void complain_key(struct kp_loader *ld, const struct kp_node *entry, const struct kp_key *keys)
{
    const char *known[64];
    size_t count = 0;

    for (; keys->name && count < sizeof known / sizeof *known; keys++) {
        if (keys->need != KP_LATER || kp_near(entry->key, keys->name))
            known[count++] = keys->name;
    }
    kp_complain_unknown(ld, entry->key_loc, "key", entry->key, known, count);
}

bool kp_misspelt(const struct kp_node *node, const struct kp_key *keys, const char *name)
{
    for (const struct kp_node *entry = node->first; entry; entry = entry->next) {
        struct kp_nearest nearest = {.word = entry->key};

        if (find_key(keys, entry->key))
            continue;
        for (const struct kp_key *key = keys; key->name; key++)
            kp_nearest_offer(&nearest, key->name);
        if (nearest.best && strcmp(nearest.best, name) == 0)
            return true;
    }
    return false;
}

/* What the table doesn't have, and what it has for later. */
static void check_entries(struct kp_loader *ld, const struct kp_node *node, const struct kp_key *keys)
{
    for (const struct kp_node *entry = node->first; entry; entry = entry->next) {
        const struct kp_key *key = find_key(keys, entry->key);
        size_t back = kp_path_key(ld, entry->key);

        if (!key)
            complain_key(ld, entry, keys);
        else if (key->need == KP_LATER)
            kp_complain_later(ld, entry->key_loc, entry->key);
        kp_path_back(ld, back);
    }
}

bool kp_read_map(struct kp_loader *ld, const struct kp_node *node, const struct kp_key *keys, void *into)
{
    if (!kp_want(ld, node, KP_NODE_MAP))
        return false;
    check_entries(ld, node, keys);
    for (const struct kp_key *key = keys; key->name; key++) {
        const struct kp_node *entry = kp_node_get(node, key->name);

        if (entry && key->read) {
            size_t back = kp_path_key(ld, key->name);

            key->read(ld, entry, (char *)into + key->at, key);
            kp_path_back(ld, back);
        } else if (!entry && key->need == KP_REQUIRED && !kp_misspelt(node, keys, key->name)) {
            kp_complain(ld, node->loc, "\"%s\" is missing", key->name);
        }
    }
    return true;
}

/* ---- readers for tables ---- */

KP_READER(kp_read_text)
{
    char **text = into;
    const char *found = kp_text(ld, node, key->max ? (size_t)key->max : 1024);

    if (found)
        *text = kp_copy(ld, found);
}

KP_READER(kp_read_string)
{
    char **text = into;
    const char *found = kp_string(ld, node, (size_t)key->max);

    if (found)
        *text = kp_copy(ld, found);
}

KP_READER(kp_read_duration)
{
    const char *text = kp_text(ld, node, 64);
    int64_t ms = 0;

    if (!text)
        return;
    if (strcmp(text, "0") != 0 && !kp_duration_parse(text, strlen(text), &ms))
        kp_complain(ld, node->loc, "\"%s\" is no duration; write it like 90s, 15m, 1h, 7d or 2w", text);
    else if (ms < key->min)
        kp_complain(ld, node->loc, "%s is too short; at least %lld ms", text, (long long)key->min);
    else if (ms > key->max)
        kp_complain(ld, node->loc, "%s is too long; at most %lld s", text, (long long)key->max / 1000);
    else
        memcpy(into, &ms, sizeof ms);
}

/* Bytes in one unit, 0 for none such. */
static double unit_size(const char *unit)
{
    static const struct {
        const char *name;
        double size;
    } units[] = {{"", 1},         {"B", 1},          {"kB", 1e3},          {"MB", 1e6},
                 {"GB", 1e9},     {"KiB", 1024},     {"MiB", 1024 * 1024}, {"GiB", 1024.0 * 1024 * 1024}};

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(units[i].name, unit) == 0)
            return units[i].size;
    }
    return 0;
}

KP_READER(kp_read_size)
{
    const char *text = kp_text(ld, node, 64);
    size_t digits, size;
    double bytes;

    if (!text)
        return;
    digits = strspn(text, "0123456789");
    bytes = digits && digits <= 15 ? strtod_l(text, NULL, ld->numbers) : 0;
    /* What follows the digits must be the unit, so strtod never meets a point or an exponent. */
    bytes = unit_size(text + digits + strspn(text + digits, " ")) * (digits ? bytes : 0);
    if (!digits || (bytes == 0 && strspn(text, "0") != digits)) {
        kp_complain(ld, node->loc, "\"%s\" is no size; write it like 4096, 64KiB, 1MiB or 2GB", text);
        return;
    }
    if (bytes < (double)key->min || bytes > (double)key->max) {
        kp_complain(ld, node->loc, "%s lies outside of %lld to %lld bytes", text, (long long)key->min,
                    (long long)key->max);
        return;
    }
    size = (size_t)bytes;
    memcpy(into, &size, sizeof size);
}

static bool read_whole(struct kp_loader *ld, const struct kp_node *node, const struct kp_key *key, int64_t *whole)
{
    struct kp_value value;

    if (!kp_scalar(ld, node, &value))
        return false;
    if (value.kind != KP_INT)
        kp_complain(ld, node->loc, "must be a whole number");
    else if (value.i < key->min || value.i > key->max)
        kp_complain(ld, node->loc, "%lld lies outside of %lld to %lld", (long long)value.i, (long long)key->min,
                    (long long)key->max);
    else {
        *whole = value.i;
        return true;
    }
    return false;
}

KP_READER(kp_read_count32)
{
    int64_t whole;

    if (read_whole(ld, node, key, &whole))
        memcpy(into, &(uint32_t){(uint32_t)whole}, sizeof(uint32_t));
}

KP_READER(kp_read_count64)
{
    int64_t whole;

    if (read_whole(ld, node, key, &whole))
        memcpy(into, &(uint64_t){(uint64_t)whole}, sizeof(uint64_t));
}

KP_READER(kp_read_int)
{
    int64_t whole;

    if (read_whole(ld, node, key, &whole))
        memcpy(into, &(int){(int)whole}, sizeof(int));
}

KP_READER(kp_read_bool)
{
    bool *flag = into;
    struct kp_value value;

    (void)key;
    if (!kp_scalar(ld, node, &value))
        return;
    if (value.kind == KP_BOOL)
        *flag = value.b;
    else
        kp_complain(ld, node->loc, "must be true or false (yes, no, on and off are strings in YAML 1.2)");
}

KP_READER(kp_read_word)
{
    int value;

    if (kp_word_of(ld, node, key->words, &value))
        memcpy(into, &value, sizeof value);
}

KP_READER(kp_read_switch)
{
    bool *flag = into;
    int value;

    if (kp_word_of(ld, node, key->words, &value))
        *flag = value != 0;
}

static bool list_of(struct kp_loader *ld, const struct kp_node *node, size_t most_bytes, size_t most,
                    const char *(*one)(struct kp_loader *ld, const struct kp_node *node, size_t most), char ***texts,
                    size_t *count)
{
    size_t i = 0;

    if (!kp_want_some(ld, node, KP_NODE_LIST, most))
        return false;
    for (const struct kp_node *item = node->first; item; item = item->next, i++) {
        size_t back = kp_path_index(ld, i);
        const char *text = one(ld, item, most_bytes);
        char **slot = text ? kp_grow(ld, texts, count, sizeof **texts) : NULL;

        if (slot)
            *slot = kp_copy(ld, text);
        kp_path_back(ld, back);
    }
    return true;
}

bool kp_texts_of(struct kp_loader *ld, const struct kp_node *node, size_t most_bytes, size_t most, char ***texts,
                 size_t *count)
{
    return list_of(ld, node, most_bytes, most, kp_text, texts, count);
}

bool kp_strings_of(struct kp_loader *ld, const struct kp_node *node, size_t most_bytes, size_t most, char ***strings,
                   size_t *count)
{
    return list_of(ld, node, most_bytes, most, kp_string, strings, count);
}

KP_READER(kp_read_windows)
{
    struct kp_window_list *list = into;
    size_t i = 0;

    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_LIST, KP_WINDOWS_MAX))
        return;
    for (const struct kp_node *item = node->first; item; item = item->next, i++) {
        size_t back = kp_path_index(ld, i);
        struct kp_window window, *slot;

        if (kp_window_of(ld, item, &window)) {
            for (size_t j = 0; j < list->count; j++) {
                if (strcmp(list->windows[j].text, window.text) == 0)
                    kp_complain(ld, item->loc, "the window %s is given twice", window.text);
            }
            slot = kp_grow(ld, &list->windows, &list->count, sizeof *list->windows);
            if (slot)
                *slot = window;
        }
        kp_path_back(ld, back);
    }
}
