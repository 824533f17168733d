#include "view.h"

#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A list as it was asked for. */
struct wish {
    char *text;                 /* owned; NULL: all */
    uint64_t named[STATE_NAMES_MAX / 64];   /* bits, by the state's numbers */
};

struct view {
    const struct rights *rights;    /* borrowed */
    struct wish levels, kpis, windows;
    char *under;                    /* owned; NULL: everywhere */
    size_t under_len;
    uint32_t users;
    struct frame *last;             /* what was told last, shared with those that still read it */
};

/* ---- Frames ---- */

void frame_release(struct frame *frame)
{
    if (frame && --frame->refs == 0)
        free(frame);
}

static struct frame *frame_of(const struct text *text, uint64_t from, uint64_t to)
{
    struct frame *frame = text->failed ? NULL : malloc(sizeof *frame + text->len);

    if (!frame)
        return NULL;
    *frame = (struct frame){1, from, to, text->len};
    if (text->len)
        memcpy(frame->bytes, text->s, text->len);
    return frame;
}

/* ---- What is asked for ---- */

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool keep(struct wish *wish, const char *text)
{
    wish->text = text ? strdup(text) : NULL;
    return !text || wish->text;
}

static bool is_long(const char *list)
{
    size_t names = 1;

    if (!list)
        return false;
    for (const char *c = list; *c; c++)
        names += *c == ',';
    return names > VIEW_LIST_MAX || strlen(list) > VIEW_ASKED_MAX;
}

struct view *view_new(const struct rights *rights, const struct view_query *query, struct kp_err *err)
{
    struct view *view;

    if (is_long(query->levels) || is_long(query->kpis) || is_long(query->windows) ||
        (query->under && strlen(query->under) > VIEW_ASKED_MAX)) {
        kp_fail(err, KP_EINVAL, "a list has at most %d names, and %d bytes", VIEW_LIST_MAX, VIEW_ASKED_MAX);
        return NULL;
    }
    view = calloc(1, sizeof *view);
    if (view) {
        view->rights = rights;
        view->under = query->under ? strdup(query->under) : NULL;
        view->under_len = query->under ? strlen(query->under) : 0;
    }
    if (!view || !keep(&view->levels, query->levels) || !keep(&view->kpis, query->kpis) || !keep(&view->windows, query->windows) ||
        (query->under && !view->under)) {
        view_destroy(&view);
        kp_fail(err, KP_ENOMEM, "out of memory");
    }
    return view;
}

void view_destroy(struct view **view)
{
    if (!*view)
        return;
    frame_release((*view)->last);
    free((*view)->levels.text);
    free((*view)->kpis.text);
    free((*view)->windows.text);
    free((*view)->under);
    free(*view);
    *view = NULL;
}

bool view_is(const struct view *view, const struct rights *rights, const struct view_query *query)
{
    return view->rights == rights && same(view->levels.text, query->levels) && same(view->under, query->under) &&
           same(view->kpis.text, query->kpis) && same(view->windows.text, query->windows);
}

uint32_t *view_users(struct view *view)
{
    return &view->users;
}

/* The numbers of the names that are asked for, as the state has them now. */
static void resolve(struct wish *wish, const struct state *state)
{
    if (!wish->text)
        return;
    memset(wish->named, 0, sizeof wish->named);
    for (const char *at = wish->text; *at;) {
        size_t len = strcspn(at, ",");
        int name = state_name(state, at, len);

        if (name >= 0)
            wish->named[name / 64] |= UINT64_C(1) << name % 64;
        at += len + (at[len] == ',');
    }
}

static bool wants(const struct wish *wish, uint16_t name)
{
    return !wish->text || wish->named[name / 64] >> name % 64 & 1;
}

static bool is_under(const struct view *view, const char *path, size_t len)
{
    return !view->under_len || (len >= view->under_len && memcmp(path, view->under, view->under_len) == 0 &&
                                (len == view->under_len || path[view->under_len] == '/'));
}

static bool shows_key(const struct view *view, const struct state_key *key)
{
    return wants(&view->levels, key->level) && is_under(view, key->path, key->path_len) &&
           rights_see(view->rights, key->path, key->path_len);
}

/* An alert about somebody who is shown or might be: the levels and numbers that are looked at don't matter. */
static bool shows_alert(const struct view *view, const struct state_alert *alert)
{
    return is_under(view, alert->path, alert->path_len) && rights_see(view->rights, alert->path, alert->path_len);
}

/* ---- Writing ---- */

static void put_name(struct text *text, const char *name)
{
    text_add(text, "\"");
    text_escape(text, name, ESCAPE_JSON);
    text_add(text, "\":");
}

/* "kpis":{...} of the windows that became what they are after `from`. How many. */
static size_t put_cells(struct text *text, const struct view *view, const struct state *state, const struct state_key *key, uint64_t from)
{
    int open = -1;
    size_t n = 0;

    text_add(text, ",\"kpis\":{");
    for (uint32_t i = 0; i < key->ncells; i++) {
        const struct state_cell *cell = &key->cells[i];

        if (cell->version <= from || !wants(&view->kpis, cell->kpi) || !wants(&view->windows, cell->window))
            continue;
        if (open == cell->kpi) {
            text_add(text, ",");
        } else {
            text_add(text, open < 0 ? "" : "},");
            put_name(text, state_name_text(state, cell->kpi));
            text_add(text, "{");
            open = cell->kpi;
        }
        put_name(text, state_name_text(state, cell->window));
        text_put(text, key->text + cell->at, cell->len);
        n++;
    }
    text_add(text, open < 0 ? "}" : "}}");
    return n;
}

/* What is new of a key for one who knows `from`, with a comma before it unless it is the first. False: nothing. */
static bool put_key(struct text *text, const struct view *view, const struct state *state, const struct state_key *key, uint64_t from,
                    bool first)
{
    bool whole = key->whole > from;
    size_t len = text->len;

    text_add(text, first ? "{" : ",{");
    text_put(text, key->head, key->head_len);
    if (key->gone) {
        text_add(text, ",\"gone\":true}");
        return true;
    }
    if (from && whole)
        text_add(text, ",\"whole\":true");
    if (!put_cells(text, view, state, key, whole ? 0 : from) && !whole) {
        text->len = len;
        return false;
    }
    text_add(text, "}");
    return true;
}

/* The keys that changed after `from`; those that are gone only to whom they were told. How many. */
static size_t put_keys(struct text *text, const struct view *view, const struct state *state, uint64_t from, bool everything)
{
    size_t n = 0;

    for (const struct state_key *key = state_last_key(state); key && text->len <= VIEW_BYTES_MAX && (everything || key->version > from); key = state_older_key(state, key))
        if (!(key->gone && everything) && key->head && shows_key(view, key))
            n += put_key(text, view, state, key, everything ? 0 : from, n == 0);
    text->failed |= text->len > VIEW_BYTES_MAX;
    return n;
}

static size_t put_alerts(struct text *text, const struct view *view, const struct state *state)
{
    size_t n = 0;

    for (const struct state_alert *alert = state_last_alert(state); alert; alert = state_older_alert(state, alert)) {
        if (alert->gone || !shows_alert(view, alert))
            continue;
        text_add(text, n++ ? "," : "");
        text_put(text, alert->json, alert->json_len);
    }
    return n;
}

static void resolve_all(struct view *view, const struct state *state)
{
    resolve(&view->levels, state);
    resolve(&view->kpis, state);
    resolve(&view->windows, state);
}

static void put_everything(struct text *text, struct view *view, const struct state *state, int64_t now_ms, bool alerts)
{
    resolve_all(view, state);
    text_addf(text, "{\"time\":%lld", (long long)now_ms);
    text_add(text, ",\"keys\":[");
    put_keys(text, view, state, 0, true);
    text_add(text, "]");
    if (alerts) {
        text_add(text, ",\"alerts\":[");
        put_alerts(text, view, state);
        text_add(text, "]");
    }
    text_add(text, "}");
}

struct frame *view_all(struct view *view, const struct state *state, int64_t now_ms, bool alerts)
{
    struct text text = {0};
    struct frame *frame;

    put_everything(&text, view, state, now_ms, alerts);
    frame = frame_of(&text, 0, state_version(state));
    text_release(&text);
    return frame;
}

struct frame *view_alerts(struct view *view, const struct state *state)
{
    struct text text = {0};
    struct frame *frame;

    text_add(&text, "{\"alerts\":[");
    put_alerts(&text, view, state);
    text_add(&text, "]}");
    frame = frame_of(&text, 0, state_version(state));
    text_release(&text);
    return frame;
}

/* ---- Server-sent events ---- */

static void put_id(struct text *text, const char *id, uint64_t version)
{
    text_addf(text, "id: %s-%llu\n", id, (unsigned long long)version);
}

/* Of one that is gone without having been told so (a listing did not have it) nothing more is known. */
static void put_alert_event(struct text *text, const struct state_alert *alert)
{
    text_add(text, "event: alert\ndata: ");
    if (alert->gone && !alert->resolved)
        text_addf(text, "{\"id\":\"%s\",\"state\":\"resolved\"}", alert->id);
    else
        text_put(text, alert->json, alert->json_len);
    text_add(text, "\n\n");
}

static void put_changes(struct text *text, struct view *view, const struct state *state, uint64_t from, const char *id, int64_t now_ms)
{
    size_t begin = text->len;

    resolve_all(view, state);
    text_addf(text, "event: keys\ndata: {\"time\":%lld,\"keys\":[", (long long)now_ms);
    if (put_keys(text, view, state, from, false))
        text_add(text, "]}\n\n");
    else
        text->len = begin;
    for (const struct state_alert *alert = state_last_alert(state); alert && alert->version > from;
         alert = state_older_alert(state, alert)) {
        if (!shows_alert(view, alert))
            continue;
        put_alert_event(text, alert);
    }
    /* By itself, after all that it stands for: who loses the connection before is told all of it again. */
    if (text->len > begin) {
        put_id(text, id, state_version(state));
        text_add(text, "\n");
    }
}

struct frame *view_since(struct view *view, const struct state *state, uint64_t from, bool everything, const char *id, int64_t now_ms)
{
    struct text text = {0};
    uint64_t to = state_version(state);
    struct frame *frame;

    everything |= from < state_oldest(state) || from > to;
    from = everything ? 0 : from;
    if (!everything && view->last && view->last->from == from && view->last->to == to) {
        view->last->refs++;
        return view->last;
    }
    if (everything) {
        put_id(&text, id, to);
        text_add(&text, "event: state\ndata: ");
        put_everything(&text, view, state, now_ms, true);
        text_add(&text, "\n\n");
    } else {
        put_changes(&text, view, state, from, id, now_ms);
    }
    frame = frame_of(&text, from, to);
    text_release(&text);
    if (frame && !everything) {
        frame_release(view->last);
        view->last = frame;
        frame->refs++;
    }
    return frame;
}
