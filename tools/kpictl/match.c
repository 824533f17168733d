#include "match.h"

#include "client.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const keys[MATCH_OPTIONS] = {"rule", "kpi", "level", "key", "path", "severity"};

bool match_take(struct match *match, int c, const char *value)
{
    if (c < MATCH_VAL || c >= MATCH_VAL + MATCH_OPTIONS)
        return false;
    match->texts[c - MATCH_VAL] = value;
    return true;
}

static size_t count(const struct match *match)
{
    size_t n = 0;

    for (int i = 0; i < MATCH_OPTIONS; i++)
        n += match->texts[i] != NULL;
    return n;
}

bool match_is_given(const struct match *match)
{
    return count(match) > 0;
}

void match_pack(msgpack_packer *packer, const struct match *match)
{
    pack_text(packer, "matchers");
    msgpack_pack_map(packer, count(match));
    for (int i = 0; i < MATCH_OPTIONS; i++) {
        if (!match->texts[i])
            continue;
        pack_text(packer, keys[i]);
        pack_text(packer, match->texts[i]);
    }
}

void match_print(const msgpack_object *matchers)
{
    char text[2048];
    bool any = false;

    for (int i = 0; i < MATCH_OPTIONS; i++) {
        const msgpack_object *value = object_get(matchers, keys[i]);

        if (!value)
            continue;
        printf("%s%s=%s", any ? " " : "", keys[i], object_plain(value, text, sizeof text));
        any = true;
    }
}

const char *match_user(void)
{
    const struct passwd *user = getpwuid(geteuid());    /* NOLINT(concurrency-mt-unsafe): there is one thread */

    return user && user->pw_name && *user->pw_name ? user->pw_name : NULL;
}
