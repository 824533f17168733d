#include "kpid/silence.h"

#include "stream.h"

#include "kpid/event.h"
#include "kpid/zone.h"

#include <stdlib.h>
#include <string.h>

struct item {
    struct kp_silence silence;      /* its texts lie in `bytes` */
    bool active;
    size_t size;
    char bytes[];
};

struct kp_silences {
    struct kp_silence_sink sink;
    struct item **items;            /* owned, by id */
    uint32_t count, limit;
    uint64_t last_id, refused;
    int64_t now_ms, due_ms;
    size_t bytes;
};

/* ---- Matching ---- */

static const char *const names[KP_MATCH_FIELDS] = {"rule", "kpi", "level", "key", "severity"};

const char *kp_match_field_name(int field)
{
    return field < KP_MATCH_FIELDS ? names[field] : NULL;
}

struct kp_matcher kp_matcher_of(struct kp_str text)
{
    bool prefix = text.len > 0 && text.s[text.len - 1] == '*';

    return (struct kp_matcher){{text.s, text.len - prefix}, prefix};
}

static bool matches(struct kp_str want, bool prefix, struct kp_str is)
{
    return (prefix ? is.len >= want.len : is.len == want.len) && (want.len == 0 || memcmp(want.s, is.s, want.len) == 0);
}

bool kp_matchers_match(const struct kp_matchers *matchers, const struct kp_subject *subject)
{
    if (subject->npath < matchers->npath)
        return false;
    for (int f = 0; f < KP_MATCH_FIELDS; f++)
        if (matchers->fields[f].text.s && !matches(matchers->fields[f].text, matchers->fields[f].prefix, subject->fields[f]))
            return false;
    for (size_t i = 0; i < matchers->npath; i++)
        if (!matches(matchers->path[i], matchers->path_prefix && i + 1 == matchers->npath, subject->path[i]))
            return false;
    return true;
}

/* ---- Checking ---- */

static enum kp_code check_text(struct kp_str text, bool prefix, const char *what, struct kp_err *err)
{
    if (text.len == 0 && !prefix)
        return kp_fail(err, KP_EINVAL, "\"%s\" is empty; whatever it is, is meant where it is left out, or by *", what);
    if (text.len > KP_MATCHER_MAX)
        return kp_fail(err, KP_EINVAL, "\"%s\" is over %d bytes long", what, KP_MATCHER_MAX);
    return kp_text_ok(text) ? KP_OK : kp_fail(err, KP_EINVAL, "\"%s\" is no UTF-8, or holds a NUL", what);
}

static bool is_severity(const struct kp_matcher *matcher)
{
    static const struct kp_str known[] = {{"warning", 7}, {"critical", 8}};

    return matches(matcher->text, matcher->prefix, known[0]) || matches(matcher->text, matcher->prefix, known[1]);
}

enum kp_code kp_matchers_check(const struct kp_matchers *matchers, struct kp_err *err)
{
    const struct kp_matcher *severity = &matchers->fields[KP_MATCH_SEVERITY];
    enum kp_code code = KP_OK;
    bool any = matchers->npath > 0;

    for (int f = 0; !code && f < KP_MATCH_FIELDS; f++) {
        if (!matchers->fields[f].text.s)
            continue;
        any = true;
        code = check_text(matchers->fields[f].text, matchers->fields[f].prefix, names[f], err);
    }
    for (size_t i = 0; !code && i < matchers->npath; i++)
        code = check_text(matchers->path[i], matchers->path_prefix && i + 1 == matchers->npath, "path", err);
    if (!code && severity->text.s && !is_severity(severity))
        code = kp_fail(err, KP_EINVAL, "\"severity\" is \"warning\" or \"critical\"");
    if (!code && !any)
        code = kp_fail(err, KP_EINVAL, "which alerts? needs at least one of \"rule\", \"kpi\", \"level\", \"key\", \"path\", "
                                       "\"severity\"; all of them are \"rule\": \"*\"");
    return code;
}

enum kp_code kp_remark_check(struct kp_str text, const char *what, size_t most, struct kp_err *err)
{
    if (text.len > most)
        return kp_fail(err, KP_EINVAL, "\"%s\" is over %zu bytes long", what, most);
    for (uint32_t i = 0; i < text.len; i++)
        if ((unsigned char)text.s[i] < 0x20 || text.s[i] == 0x7F ||
            (i + 1 < text.len && (unsigned char)text.s[i] == 0xC2 && (unsigned char)text.s[i + 1] < 0xA0))      /* C1 */
            return kp_fail(err, KP_EINVAL, "\"%s\" is one line, without control characters", what);
    return kp_text_ok(text) ? KP_OK : kp_fail(err, KP_EINVAL, "\"%s\" is no UTF-8", what);
}

static enum kp_code check(const struct kp_silences *silences, const struct kp_silence *silence, struct kp_err *err)
{
    enum kp_code code = kp_matchers_check(&silence->matchers, err);
    char at[40];

    code = code ? code : kp_remark_check(silence->by, "by", KP_BY_NAME_MAX, err);
    code = code ? code : kp_remark_check(silence->comment, "comment", KP_COMMENT_MAX, err);
    if (code)
        return code;
    if (silence->by.len == 0)
        return kp_fail(err, KP_EINVAL, "needs \"by\": who is asked about it");
    if (silence->from_ms < 0 || silence->until_ms > KP_TIME_MAX)
        return kp_fail(err, KP_EINVAL, "\"from\" and \"until\" lie in the years 1970 to 9999");
    if (silence->until_ms <= silences->now_ms)
        return kp_fail(err, KP_EINVAL, "it would be over already: it is %s", kp_rfc3339_format(silences->now_ms, at));
    if (silence->until_ms <= silence->from_ms)
        return kp_fail(err, KP_EINVAL, "\"until\" is not later than \"from\", %s", kp_rfc3339_format(silence->from_ms, at));
    return KP_OK;
}

/* ---- Keeping ---- */

struct kp_silences *kp_silences_new(uint32_t limit, const struct kp_silence_sink *sink, struct kp_err *err)
{
    struct kp_silences *silences = calloc(1, sizeof *silences);

    if (silences)
        silences->items = calloc((size_t)limit + 1, sizeof(struct item *));
    if (!silences || !silences->items) {
        kp_fail(err, KP_ENOMEM, "silences: out of memory");
        kp_silences_destroy(&silences);
        return NULL;
    }
    silences->limit = limit;
    silences->now_ms = INT64_MIN;
    silences->due_ms = INT64_MAX;
    if (sink)
        silences->sink = *sink;
    return silences;
}

void kp_silences_destroy(struct kp_silences **silences)
{
    if (!*silences)
        return;
    for (uint32_t i = 0; i < (*silences)->count; i++)
        free((*silences)->items[i]);
    free((*silences)->items);
    free(*silences);
    *silences = NULL;
}

/* Each text of it, in turn: i counts from 0. NULL: there are no more. */
static struct kp_str *text_of(struct kp_silence *silence, size_t i)
{
    if (i < KP_MATCH_FIELDS)
        return &silence->matchers.fields[i].text;
    i -= KP_MATCH_FIELDS;
    if (i < silence->matchers.npath)
        return &silence->matchers.path[i];
    i -= silence->matchers.npath;
    return i == 0 ? &silence->by : i == 1 ? &silence->comment : NULL;
}

/* A copy with its texts, which stay NULL where they were. */
static struct item *copy(const struct kp_silence *silence)
{
    struct kp_silence source = *silence;
    size_t size = sizeof(struct item);
    const struct kp_str *text;
    struct item *item;
    char *to;

    for (size_t i = 0; (text = text_of(&source, i)) != NULL; i++)
        size += text->len + 1u;
    item = malloc(size);
    if (!item)
        return NULL;
    *item = (struct item){.silence = source, .size = size};
    to = item->bytes;
    for (size_t i = 0; (text = text_of(&source, i)) != NULL; i++) {
        if (!text->s)
            continue;
        memcpy(to, text->s, text->len);
        to[text->len] = '\0';
        text_of(&item->silence, i)->s = to;
        to += text->len + 1u;
    }
    return item;
}

/* The first whose id is not lower. */
static uint32_t place_of(const struct kp_silences *silences, uint64_t id)
{
    uint32_t low = 0, high = silences->count;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (silences->items[mid]->silence.id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool is_there(const struct kp_silences *silences, uint32_t at, uint64_t id)
{
    return at < silences->count && silences->items[at]->silence.id == id;
}

/* ---- Time ---- */

static void tell(const struct kp_silences *silences, const struct kp_matchers *matchers)
{
    if (silences->sink.changed)
        silences->sink.changed(silences->sink.ctx, matchers);
}

static bool is_active(const struct kp_silence *silence, int64_t t)
{
    return silence->from_ms <= t && t < silence->until_ms;
}

static void find_due(struct kp_silences *silences)
{
    silences->due_ms = INT64_MAX;
    for (uint32_t i = 0; i < silences->count; i++) {
        const struct kp_silence *silence = &silences->items[i]->silence;
        int64_t due = silence->from_ms > silences->now_ms ? silence->from_ms : silence->until_ms;

        if (due < silences->due_ms)
            silences->due_ms = due;
    }
}

static void drop(struct kp_silences *silences, uint32_t at)
{
    silences->bytes -= silences->items[at]->size;
    free(silences->items[at]);
    silences->count--;
    memmove(&silences->items[at], &silences->items[at + 1], (silences->count - at) * sizeof *silences->items);
}

/* All are brought to t before anybody is told, so that of two where one takes over from the other nothing shows. */
void kp_silences_at(struct kp_silences *silences, int64_t t)
{
    bool due = t >= silences->due_ms;
    const struct item *changed = NULL;
    uint32_t count = 0;

    if (t > silences->now_ms)
        silences->now_ms = t;
    if (!due)
        return;
    for (uint32_t i = 0; i < silences->count; i++) {
        struct item *item = silences->items[i];
        bool active = is_active(&item->silence, t);

        if (active != item->active) {
            changed = item;
            count++;
        }
        item->active = active;
    }
    if (count)      /* many at once are told of once: there may be very many alerts to ask */
        tell(silences, count == 1 ? &changed->silence.matchers : NULL);
    for (uint32_t i = silences->count; i-- > 0;)
        if (silences->items[i]->silence.until_ms <= t)
            drop(silences, i);
    find_due(silences);
}

int64_t kp_silences_due(const struct kp_silences *silences)
{
    return silences->due_ms;
}

bool kp_silences_match(const struct kp_silences *silences, const struct kp_subject *subject)
{
    for (uint32_t i = 0; i < silences->count; i++)
        if (silences->items[i]->active && kp_matchers_match(&silences->items[i]->silence.matchers, subject))
            return true;
    return false;
}

/* ---- Putting and ending ---- */

static enum kp_code insert(struct kp_silences *silences, const struct kp_silence *silence, uint64_t id, struct kp_err *err)
{
    uint32_t at = place_of(silences, id);
    struct item *item;

    if (silences->count == silences->limit) {
        silences->refused++;
        return kp_fail(err, KP_ELIMIT, "there are %u silences already, as many as limits.silences allows", silences->count);
    }
    item = copy(silence);
    if (!item)
        return kp_fail(err, KP_ENOMEM, "out of memory");
    memmove(&silences->items[at + 1], &silences->items[at], (silences->count - at) * sizeof *silences->items);
    silences->items[at] = item;
    silences->count++;
    silences->bytes += item->size;
    item->silence.id = id;
    item->active = is_active(&item->silence, silences->now_ms);
    find_due(silences);
    if (item->active)
        tell(silences, &item->silence.matchers);
    return KP_OK;
}

static enum kp_code replace(struct kp_silences *silences, uint32_t at, const struct kp_silence *silence, struct kp_err *err)
{
    struct item *old = silences->items[at], *item = copy(silence);

    if (!item)
        return kp_fail(err, KP_ENOMEM, "out of memory");
    silences->items[at] = item;
    silences->bytes += item->size - old->size;
    item->active = is_active(&item->silence, silences->now_ms);
    find_due(silences);
    if (old->active)
        tell(silences, &old->silence.matchers);
    if (item->active)
        tell(silences, &item->silence.matchers);
    free(old);
    return KP_OK;
}

enum kp_code kp_silences_put(struct kp_silences *silences, const struct kp_silence *silence, uint64_t *id, struct kp_err *err)
{
    enum kp_code code = check(silences, silence, err);
    uint32_t at = place_of(silences, silence->id);

    *id = silence->id;
    if (code)
        return code;
    if (silence->id == 0) {
        *id = silences->last_id + 1;
        code = insert(silences, silence, *id, err);
        silences->last_id += !code;
        return code;
    }
    if (!is_there(silences, at, silence->id))
        return kp_fail(err, KP_EINVAL, "no silence %llu; it may be over", (unsigned long long)silence->id);
    return replace(silences, at, silence, err);
}

enum kp_code kp_silences_restore(struct kp_silences *silences, const struct kp_silence *silence, struct kp_err *err)
{
    enum kp_code code = check(silences, silence, err);

    if (!code && (silence->id == 0 || silence->id > INT64_MAX || is_there(silences, place_of(silences, silence->id), silence->id)))
        code = kp_fail(err, KP_EINVAL, "a silence of id %llu can't be taken in", (unsigned long long)silence->id);
    code = code ? code : insert(silences, silence, silence->id, err);
    if (!code && silence->id > silences->last_id)
        silences->last_id = silence->id;
    return code;
}

bool kp_silences_end(struct kp_silences *silences, uint64_t id)
{
    uint32_t at = place_of(silences, id);

    if (!is_there(silences, at, id))
        return false;
    if (silences->items[at]->active) {
        silences->items[at]->active = false;
        tell(silences, &silences->items[at]->silence.matchers);
    }
    drop(silences, at);
    find_due(silences);
    return true;
}

/* ---- Asking ---- */

const struct kp_silence *kp_silences_find(const struct kp_silences *silences, uint64_t id)
{
    uint32_t at = place_of(silences, id);

    return is_there(silences, at, id) ? &silences->items[at]->silence : NULL;
}

void kp_silences_each(const struct kp_silences *silences,
                      void (*each)(void *ctx, const struct kp_silence *silence, bool active), void *ctx)
{
    for (uint32_t i = 0; i < silences->count; i++)
        each(ctx, &silences->items[i]->silence, silences->items[i]->active);
}

uint32_t kp_silences_count(const struct kp_silences *silences)
{
    return silences->count;
}

uint64_t kp_silences_refused(const struct kp_silences *silences)
{
    return silences->refused;
}

size_t kp_silences_bytes(const struct kp_silences *silences)
{
    return sizeof *silences + ((size_t)silences->limit + 1) * sizeof(struct item *) + silences->bytes;
}

/* ---- As bytes ---- */

static void save_matchers(const struct kp_matchers *matchers, struct kp_save *save)
{
    for (int f = 0; f < KP_MATCH_FIELDS; f++) {
        kp_save_u8(save, (uint8_t)((matchers->fields[f].text.s != NULL) + 2 * matchers->fields[f].prefix));
        if (matchers->fields[f].text.s)
            kp_save_text(save, matchers->fields[f].text);
    }
    kp_save_u8(save, (uint8_t)matchers->npath);
    for (size_t i = 0; i < matchers->npath; i++)
        kp_save_text(save, matchers->path[i]);
    kp_save_u8(save, matchers->path_prefix);
}

void kp_silences_save(const struct kp_silences *silences, struct kp_save *save)
{
    kp_save_mark(save, "HUSH");
    kp_save_u64(save, silences->last_id);
    kp_save_u32(save, silences->count);
    for (uint32_t i = 0; i < silences->count; i++) {
        const struct kp_silence *silence = &silences->items[i]->silence;

        kp_save_u64(save, silence->id);
        kp_save_i64(save, silence->from_ms);
        kp_save_i64(save, silence->until_ms);
        save_matchers(&silence->matchers, save);
        kp_save_text(save, silence->by);
        kp_save_text(save, silence->comment);
    }
}

/* What the texts of one lie in. */
struct texts {
    char fields[KP_MATCH_FIELDS][KP_MATCHER_MAX + 1], path[KP_PLACE_PARTS][KP_MATCHER_MAX + 1];
    char by[KP_BY_NAME_MAX + 1], comment[KP_COMMENT_MAX + 1];
};

static void load_matchers(struct kp_matchers *matchers, struct texts *texts, struct kp_load *load)
{
    for (int f = 0; f < KP_MATCH_FIELDS; f++) {
        uint8_t kind = kp_load_u8(load);

        matchers->fields[f].prefix = kind & 2;
        if (kind & 1)
            matchers->fields[f].text = kp_load_text(load, texts->fields[f], sizeof texts->fields[f], "a matcher");
    }
    matchers->npath = kp_load_u8(load);
    if (matchers->npath > KP_PLACE_PARTS) {
        kp_load_fail(load, "a silence is not as kpid writes it");
        matchers->npath = 0;
    }
    for (size_t i = 0; i < matchers->npath; i++)
        matchers->path[i] = kp_load_text(load, texts->path[i], sizeof texts->path[i], "a matcher");
    matchers->path_prefix = kp_load_u8(load) != 0;
}

/* What is over, or too much for what is configured now, is left out. */
void kp_silences_load(struct kp_silences *silences, struct kp_load *load)
{
    uint64_t last_id;
    uint32_t n;

    kp_load_mark(load, "HUSH");
    last_id = kp_load_u64(load);
    n = kp_load_u32(load);
    for (uint32_t i = 0; i < n && !load->failed; i++) {
        struct kp_silence silence = {.id = kp_load_u64(load), .from_ms = kp_load_i64(load), .until_ms = kp_load_i64(load)};
        struct texts texts;
        struct kp_err err = {0};

        load_matchers(&silence.matchers, &texts, load);
        silence.by = kp_load_text(load, texts.by, sizeof texts.by, "a name");
        silence.comment = kp_load_text(load, texts.comment, sizeof texts.comment, "a comment");
        if (!silence.comment.len)
            silence.comment.s = NULL;       /* none was given */
        if (!load->failed && kp_silences_restore(silences, &silence, &err) == KP_ENOMEM)
            kp_load_fail(load, "%s", err.text);
    }
    if (last_id > silences->last_id && last_id <= INT64_MAX)
        silences->last_id = last_id;
}
