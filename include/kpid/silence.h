/* Silences: alerts that nobody is to be troubled with for a while, picked by what they are, with who said so and why.
 *
 * A silence holds from its `from` (included) to its `until` (left out), and is forgotten then. Pure: who keeps them says what
 * time it is, and is told when the answer for some alerts may have changed. Their number is bounded. */
#ifndef KPID_SILENCE_H
#define KPID_SILENCE_H

#include "kpid/config.h"
#include "kpid/err.h"
#include "kpid/value.h"

enum { KP_MATCHER_MAX = 512, KP_BY_NAME_MAX = 128, KP_COMMENT_MAX = 512 /* bytes */, KP_PLACE_PARTS = KP_LEVELS_MAX + 2 };

enum kp_match_field { KP_MATCH_RULE, KP_MATCH_KPI, KP_MATCH_LEVEL, KP_MATCH_KEY, KP_MATCH_SEVERITY, KP_MATCH_FIELDS };
/* "rule", "kpi", ...; NULL past the last. */
const char *kp_match_field_name(int field);

struct kp_matcher {
    struct kp_str text;     /* .s NULL: whatever it is */
    bool prefix;            /* what only begins so is meant, too */
};
/* "behind_*" means what begins with "behind_", anything else itself. */
struct kp_matcher kp_matcher_of(struct kp_str text);

/* Which alerts: all of them must hold. */
struct kp_matchers {
    struct kp_matcher fields[KP_MATCH_FIELDS];
    struct kp_str path[KP_PLACE_PARTS];     /* the first keys of its place, outermost first: whoever stands there, and below */
    size_t npath;           /* 0: wherever it stands */
    bool path_prefix;       /* of the last of them only the beginning is meant */
};

/* What an alert is, as far as matchers ask. All borrowed. */
struct kp_subject {
    struct kp_str fields[KP_MATCH_FIELDS];
    const struct kp_str *path;
    size_t npath;
};
bool kp_matchers_match(const struct kp_matchers *matchers, const struct kp_subject *subject);
/* KP_EINVAL: none is given, one is empty, too long or no UTF-8, or the severity is none. */
enum kp_code kp_matchers_check(const struct kp_matchers *matchers, struct kp_err *err) KP_CHECK;

/* Somebody's name, or a remark: one line of UTF-8, of at most so many bytes. what: the name of it in *err. */
enum kp_code kp_remark_check(struct kp_str text, const char *what, size_t most, struct kp_err *err) KP_CHECK;

struct kp_silence {
    uint64_t id;            /* from 1 */
    struct kp_matchers matchers;
    int64_t from_ms, until_ms;
    struct kp_str by, comment;
};

struct kp_silences;

/* changed: told of matchers whose alerts may be silenced now that were not, or no more, when that is so; of NULL when that may be
 * any. */
struct kp_silence_sink {
    void (*changed)(void *ctx, const struct kp_matchers *matchers);
    void *ctx;
};
struct kp_silences *kp_silences_new(uint32_t limit, const struct kp_silence_sink *sink, struct kp_err *err) KP_CHECK;
void kp_silences_destroy(struct kp_silences **silences);

/* Keep a copy. An id of 0 makes a new one, with the id in *id; another one takes the place of that silence. KP_EINVAL with a
 * sentence: something is missing or wrong, it would be over already, there is none of that id. KP_ELIMIT, KP_ENOMEM: it is
 * as it was. */
enum kp_code kp_silences_put(struct kp_silences *silences, const struct kp_silence *silence, uint64_t *id,
                             struct kp_err *err) KP_CHECK;
/* Take one back in that kp_silences_each once handed out, under its own id; later ones get higher ids. Errors as above. */
enum kp_code kp_silences_restore(struct kp_silences *silences, const struct kp_silence *silence, struct kp_err *err) KP_CHECK;
/* End it. False: there is none of that id. */
bool kp_silences_end(struct kp_silences *silences, uint64_t id);

/* Bring them to t, which never goes back. What is over is forgotten. */
void kp_silences_at(struct kp_silences *silences, int64_t t);
/* The next instant at which one begins or ends; INT64_MAX: none. */
int64_t kp_silences_due(const struct kp_silences *silences);
/* Is the alert silenced, as of the last kp_silences_at? */
bool kp_silences_match(const struct kp_silences *silences, const struct kp_subject *subject);

/* All of them in the order of their ids, those to come with active false. Borrowed until the next change; NULL: there is none. */
const struct kp_silence *kp_silences_find(const struct kp_silences *silences, uint64_t id);
void kp_silences_each(const struct kp_silences *silences,
                      void (*each)(void *ctx, const struct kp_silence *silence, bool active), void *ctx);
/* As bytes, and back into an empty one. */
struct kp_save;
struct kp_load;
void kp_silences_save(const struct kp_silences *silences, struct kp_save *save);
void kp_silences_load(struct kp_silences *silences, struct kp_load *load);
uint32_t kp_silences_count(const struct kp_silences *silences);
uint64_t kp_silences_refused(const struct kp_silences *silences);   /* for want of room */
size_t kp_silences_bytes(const struct kp_silences *silences);

#endif
