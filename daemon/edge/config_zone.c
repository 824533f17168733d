/* time.zone: a name of the tz database -> the bytes of its file. */
#include "config_read.h"

#include "nearest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_MAX_BYTES = 64,
    ZONE_FILE_MAX = 1 << 20,
    LIST_FILE_MAX = 8 << 20,
};

static const char *zone_dir(void)
{
    const char *dir = getenv("TZDIR");

    return dir && *dir ? dir : "/usr/share/zoneinfo";
}

/* A name such as "America/Argentina/Ushuaia" or "Etc/GMT+5", that can't lead out of the folder. */
static bool is_safe(const char *name)
{
    const char *letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-_/";
    size_t len = strlen(name);

    return len <= NAME_MAX_BYTES && strspn(name, letters) == len && name[0] != '/' && name[len - 1] != '/' &&
           !strstr(name, "//");
}

/* Offer the whole name, or its city when only a city was asked for. */
static void offer(struct kp_nearest *nearest, char *best, const char *zone)
{
    const char *slash = strrchr(zone, '/');
    const char *before = nearest->best;
    size_t distance = nearest->distance;

    kp_nearest_offer(nearest, slash && !strchr(nearest->word, '/') ? slash + 1 : zone);
    if (nearest->best != before || nearest->distance != distance) {
        snprintf(best, NAME_MAX_BYTES + 1, "%s", zone);
        nearest->best = best;       /* the list's own text goes away */
    }
}

/* tzdata.zi says "Z NAME ..." and "L TARGET NAME"; zone1970.tab has the name in its third column. */
static void offer_line(struct kp_nearest *nearest, char *best, char *line, bool tab)
{
    const char *separators = tab ? "\t" : " \t";
    int column = tab ? 2 : line[0] == 'L' ? 2 : line[0] == 'Z' ? 1 : -1;
    char *rest = NULL, *word = line[0] == '#' || column < 0 ? NULL : strtok_r(line, separators, &rest);

    while (word && column-- > 0)
        word = strtok_r(NULL, separators, &rest);
    if (word && strlen(word) <= NAME_MAX_BYTES)
        offer(nearest, best, word);
}

static bool search_list(const char *list, bool tab, struct kp_nearest *nearest, char *best)
{
    char path[4096];
    size_t len;
    char *bytes, *rest = NULL;

    snprintf(path, sizeof path, "%s/%s", zone_dir(), list);
    bytes = kp_read_file(path, LIST_FILE_MAX, &len, NULL);
    if (!bytes)
        return false;
    bytes[len ? len - 1 : 0] = '\0';    /* the last newline; a list that lacks one loses a letter of a comment */
    for (char *line = strtok_r(bytes, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        offer_line(nearest, best, line, tab);
    free(bytes);
    return true;
}

static void complain_zone(struct kp_loader *ld, const struct kp_node *node, const char *name)
{
    struct kp_nearest nearest = {.word = name};
    char best[NAME_MAX_BYTES + 1] = "";

    if (!search_list("tzdata.zi", false, &nearest, best))
        search_list("zone1970.tab", true, &nearest, best);
    if (nearest.best)
        kp_complain(ld, node->loc, "unknown time zone \"%.100s\"; did you mean \"%s\"?", name, best);
    else
        kp_complain(ld, node->loc, "unknown time zone \"%.100s\"; a name like Europe/London is wanted", name);
}

static void take_zone(struct kp_loader *ld, const struct kp_node *node, const char *name, char *bytes, size_t len,
                      struct kp_zone_file *file)
{
    struct kp_err err = {0};
    struct kp_zone *zone = kp_zone_new(bytes, len, &err);
    char *copy = zone ? kp_copy(ld, name) : NULL;

    if (!zone)
        kp_complain(ld, node->loc, "the file of the time zone \"%s\" is not usable: %s", name, err.text);
    if (!copy) {
        free(bytes);
    } else {
        free(file->name);
        free(file->tzif);
        *file = (struct kp_zone_file){copy, bytes, len};
    }
    kp_zone_destroy(&zone);
}

void kp_zone_of(struct kp_loader *ld, const struct kp_node *node, struct kp_zone_file *file)
{
    const char *name = kp_text(ld, node, 256);
    char path[4096];
    size_t len = 0;
    char *bytes = NULL;

    if (!name)
        return;
    if (is_safe(name) && (size_t)snprintf(path, sizeof path, "%s/%s", zone_dir(), name) < sizeof path)
        bytes = kp_read_file(path, ZONE_FILE_MAX, &len, NULL);
    if (bytes && len > 4 && memcmp(bytes, "TZif", 4) == 0) {
        take_zone(ld, node, name, bytes, len, file);
    } else {
        free(bytes);
        if (strcmp(name, "UTC") != 0)       /* that one is known without a file */
            complain_zone(ld, node, name);
    }
}

KP_READER(kp_read_zone)
{
    struct kp_config *config = into;
    struct kp_zone_file file = {config->zone_name, config->zone_tzif, config->zone_len};

    (void)key;
    kp_zone_of(ld, node, &file);
    config->zone_name = file.name;
    config->zone_tzif = file.tzif;
    config->zone_len = file.len;
}
