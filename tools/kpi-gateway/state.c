#include "state.h"

#include "object.h"

#include "kpid/out.h"
#include "kpid/tab.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { PATH_TEXT = 4096, NAME_TEXT = 512 };
enum { SPACE_NAME, SPACE_KEY, SPACE_ALERT };    /* of fingerprints */

/* What has changed, in the order in which it did: newest and oldest are places in an array, 0 is nobody's. */
struct order {
    uint32_t newest, oldest;
};

/* Marks of what is gone, oldest first. */
struct marks {
    struct mark {
        uint32_t place;
        uint64_t version;
    } ring[STATE_GONE_MAX];
    size_t first, count;
};

struct state {
    struct state_limits limits;
    uint64_t seed, version, oldest, left_out;
    struct kp_tab *tab;             /* owned: of names, keys and alerts, to their places */
    struct kp_out *out;             /* owned */
    char **names;                   /* owned, like all that follows */
    size_t nnames;
    struct state_key *keys;
    struct state_alert *alerts;
    uint32_t nkeys, nalerts;        /* places that were ever used; the first is nobody's */
    uint32_t free_key, free_alert;  /* by `older`; 0: none */
    uint64_t live_keys, live_alerts, cells, bytes;
    struct order key_order, alert_order;
    struct marks key_marks, alert_marks;
    uint64_t key_round, alert_round;
};

/* ---- Beginning and end ---- */

struct state *state_new(const struct state_limits *limits, struct kp_err *err)
{
    struct state *state = calloc(1, sizeof *state);

    if (!state || getrandom(&state->seed, sizeof state->seed, 0) != sizeof state->seed) {
        free(state);
        kp_fail(err, KP_ENOMEM, "out of memory");
        return NULL;
    }
    state->limits = *limits;
    state->nkeys = state->nalerts = 1;
    state->keys = calloc((size_t)limits->keys + 1 + STATE_GONE_MAX, sizeof *state->keys);
    state->alerts = calloc((size_t)limits->alerts + 1 + STATE_GONE_MAX, sizeof *state->alerts);
    state->names = calloc(STATE_NAMES_MAX, sizeof *state->names);
    state->tab = kp_tab_new(err);
    state->out = kp_out_new(true, err);
    if (!state->keys || !state->alerts || !state->names || !state->tab || !state->out) {
        kp_fail(err, KP_ENOMEM, "out of memory");
        state_destroy(&state);
    }
    return state;
}

static void empty_key(struct state *state, struct state_key *key)
{
    state->cells -= key->ncells;
    state->bytes -= key->head_len + key->text_len + key->ncells * sizeof *key->cells;
    free(key->head);
    free(key->cells);
    free(key->text);
    key->head = key->text = NULL;
    key->cells = NULL;
    key->ncells = key->head_len = key->text_len = 0;
}

static void release_alert(struct state_alert *alert)
{
    free(alert->path);
    free(alert->json);
    free(alert->matchers);
    memset(alert, 0, sizeof *alert);
}

void state_destroy(struct state **state)
{
    struct state *s = *state;

    if (!s)
        return;
    for (uint32_t i = 1; s->keys && i < s->nkeys; i++) {
        empty_key(s, &s->keys[i]);
        free(s->keys[i].path);
    }
    for (uint32_t i = 1; s->alerts && i < s->nalerts; i++)
        release_alert(&s->alerts[i]);
    for (size_t i = 0; s->names && i < s->nnames; i++)
        free(s->names[i]);
    free(s->names);
    free(s->keys);
    free(s->alerts);
    kp_tab_destroy(&s->tab);
    kp_out_destroy(&s->out);
    free(s);
    *state = NULL;
}

/* ---- Names ---- */

int state_name(const struct state *state, const char *name, size_t len)
{
    const uint32_t *found = kp_tab_find(state->tab, kp_print_of(state->seed, SPACE_NAME, name, len));

    return found ? (int)*found : -1;
}

const char *state_name_text(const struct state *state, int name)
{
    return state->names[name];
}

/* The number of a name that may be new; -1: there are too many, or it is none. */
static int name_of(struct state *state, const msgpack_object *text)
{
    int known;

    if (!text || text->type != MSGPACK_OBJECT_STR || text->via.str.size > NAME_TEXT)
        return -1;
    known = state_name(state, text->via.str.ptr, text->via.str.size);
    if (known >= 0 || state->nnames == STATE_NAMES_MAX)
        return known;
    state->names[state->nnames] = strndup(text->via.str.ptr, text->via.str.size);
    if (!state->names[state->nnames])
        return -1;
    if (kp_tab_insert(state->tab, kp_print_of(state->seed, SPACE_NAME, text->via.str.ptr, text->via.str.size), (uint32_t)state->nnames)) {
        free(state->names[state->nnames]);
        return -1;
    }
    return (int)state->nnames++;
}

/* ---- The order of changes ---- */

/* Take one out of the order, and put it at its end: with a macro, since keys and alerts are different structs with the same links. */
#define UNLINK(array, order, i)                                                                                        \
    do {                                                                                                               \
        uint32_t newer_ = (array)[i].newer, older_ = (array)[i].older;                                                 \
        if (newer_)                                                                                                    \
            (array)[newer_].older = older_;                                                                            \
        else if ((order)->newest == (i))                                                                               \
            (order)->newest = older_;                                                                                  \
        if (older_)                                                                                                    \
            (array)[older_].newer = newer_;                                                                            \
        else if ((order)->oldest == (i))                                                                               \
            (order)->oldest = newer_;                                                                                  \
        (array)[i].newer = (array)[i].older = 0;                                                                       \
    } while (0)
#define APPEND(array, order, i)                                                                                        \
    do {                                                                                                               \
        (array)[i].older = (order)->newest;                                                                            \
        if ((order)->newest)                                                                                           \
            (array)[(order)->newest].newer = (i);                                                                      \
        else                                                                                                           \
            (order)->oldest = (i);                                                                                     \
        (order)->newest = (i);                                                                                         \
    } while (0)

static void touch_key(struct state *state, uint32_t place)
{
    UNLINK(state->keys, &state->key_order, place);
    APPEND(state->keys, &state->key_order, place);
    state->keys[place].version = state->version;
}

static void touch_alert(struct state *state, uint32_t place)
{
    UNLINK(state->alerts, &state->alert_order, place);
    APPEND(state->alerts, &state->alert_order, place);
    state->alerts[place].version = state->version;
}

/* ---- What is gone ---- */

static void drop_key(struct state *state, uint32_t place)
{
    struct state_key *key = &state->keys[place];

    UNLINK(state->keys, &state->key_order, place);
    kp_tab_remove(state->tab, kp_print_of(state->seed, SPACE_KEY, key->path, key->path_len));
    empty_key(state, key);
    free(key->path);
    *key = (struct state_key){.older = state->free_key};
    state->free_key = place;
}

static void drop_alert(struct state *state, uint32_t place)
{
    struct state_alert *alert = &state->alerts[place];

    UNLINK(state->alerts, &state->alert_order, place);
    kp_tab_remove(state->tab, kp_print_of(state->seed, SPACE_ALERT, alert->id, strlen(alert->id)));
    state->bytes -= alert->json_len;
    release_alert(alert);
    alert->older = state->free_alert;
    state->free_alert = place;
}

/* Room for one mark more: the oldest, if it is still one, is dropped, and whoever does not know of it is told everything. */
static void push_mark(struct state *state, struct marks *marks, bool is_key, uint32_t place)
{
    if (marks->count == STATE_GONE_MAX) {
        struct mark old = marks->ring[marks->first];

        marks->first = (marks->first + 1) % STATE_GONE_MAX;
        marks->count--;
        if (is_key && state->keys[old.place].gone && state->keys[old.place].version == old.version) {
            drop_key(state, old.place);
            state->oldest = old.version > state->oldest ? old.version : state->oldest;
        } else if (!is_key && state->alerts[old.place].gone && state->alerts[old.place].version == old.version) {
            drop_alert(state, old.place);
            state->oldest = old.version > state->oldest ? old.version : state->oldest;
        }
    }
    marks->ring[(marks->first + marks->count++) % STATE_GONE_MAX] =
        (struct mark){place, is_key ? state->keys[place].version : state->alerts[place].version};
}

static void lose_key(struct state *state, uint32_t place)
{
    struct state_key *key = &state->keys[place];

    state->version++;
    key->gone = true;
    free(key->cells);
    key->cells = NULL;
    state->cells -= key->ncells;
    state->bytes -= key->ncells * sizeof *key->cells;
    key->ncells = 0;
    state->live_keys--;
    touch_key(state, place);
    push_mark(state, &state->key_marks, true, place);
}

static void lose_alert(struct state *state, uint32_t place)
{
    state->alerts[place].gone = true;
    state->live_alerts--;
    touch_alert(state, place);
    push_mark(state, &state->alert_marks, false, place);
}

/* ---- Snapshots ---- */

/* JSON of what was put; NULL: it can't be. Borrowed until the next. */
static const char *json_of(struct state *state, const msgpack_object *object, size_t *len)
{
    kp_out_clear(state->out);
    object_put(state->out, object);
    return kp_out_bytes(state->out, len);
}

/* JSON of some fields of a map; as json_of. */
static const char *fields_of(struct state *state, const msgpack_object *map, const char *const *fields, size_t n, size_t *len)
{
    kp_out_clear(state->out);
    kp_out_map(state->out, n);
    for (size_t i = 0; i < n; i++) {
        const msgpack_object *value = object_get(map, fields[i]);

        kp_out_text(state->out, fields[i]);
        if (value)
            object_put(state->out, value);
        else
            kp_out_nil(state->out);
    }
    kp_out_end(state->out);
    return kp_out_bytes(state->out, len);
}

/* A copy of the fields that say whose it is, as the inside of a map. */
static char *head_of(struct state *state, const msgpack_object *map, uint32_t *head_len)
{
    static const char *const fields[] = {"level", "key", "name", "path"};
    size_t len;
    const char *bytes = fields_of(state, map, fields, sizeof fields / sizeof *fields, &len);
    char *head = bytes && len > 2 ? strndup(bytes + 1, len - 2) : NULL;
    *head_len = head ? (uint32_t)(len - 2) : 0;
    return head;
}

/* The place of a path; 0: there is none. */
static uint32_t place_of_key(const struct state *state, const char *path, size_t len)
{
    const uint32_t *found = kp_tab_find(state->tab, kp_print_of(state->seed, SPACE_KEY, path, len));

    return found ? *found : 0;
}

/* The place of a path, which may be new; 0: there is no room. */
static uint32_t make_key(struct state *state, const char *path, size_t len)
{
    uint32_t place = place_of_key(state, path, len);
    char *copy;

    if (place)
        return place;
    if (state->live_keys >= state->limits.keys || (!state->free_key && state->nkeys > state->limits.keys + STATE_GONE_MAX)) {
        state->left_out++;
        return 0;
    }
    copy = strndup(path, len);
    place = state->free_key ? state->free_key : state->nkeys;
    if (!copy || kp_tab_insert(state->tab, kp_print_of(state->seed, SPACE_KEY, path, len), place)) {
        free(copy);
        return 0;
    }
    if (state->free_key)
        state->free_key = state->keys[place].older;
    else
        state->nkeys++;
    state->keys[place] = (struct state_key){.path = copy, .path_len = (uint32_t)len, .gone = true};
    return place;
}

/* What is being made of a snapshot, to take the place of what is known. */
struct making {
    struct state_cell *cells;
    char *text;
    size_t ncells, text_len, cells_room, text_room;
};

static double number_of(const msgpack_object *cell, const char *field)
{
    double number;

    return object_number(object_get(cell, field), &number) ? number : (double)NAN;
}

static bool add_cell(struct state *state, struct making *making, int kpi, int window, const msgpack_object *cell)
{
    size_t len;
    const char *json = json_of(state, cell, &len);
    void *grown;

    if (!json || kpi < 0 || window < 0 || making->ncells == STATE_CELLS_MAX)
        return false;
    if (making->text_len + len > making->text_room) {
        making->text_room = 2 * (making->text_len + len);
        grown = realloc(making->text, making->text_room);
        if (!grown)
            return false;
        making->text = grown;
    }
    if (making->ncells == making->cells_room) {
        making->cells_room = making->cells_room ? 2 * making->cells_room : 16;
        grown = realloc(making->cells, making->cells_room * sizeof *making->cells);
        if (!grown)
            return false;
        making->cells = grown;
    }
    memcpy(making->text + making->text_len, json, len);
    making->cells[making->ncells++] =
        (struct state_cell){(uint16_t)kpi, (uint16_t)window, (uint32_t)making->text_len, (uint32_t)len,
                            number_of(cell, "value"), number_of(cell, "target"), number_of(cell, "expected"), 0};
    making->text_len += len;
    return true;
}

static bool make_cells(struct state *state, const msgpack_object *kpis, struct making *making)
{
    for (uint32_t i = 0; i < kpis->via.map.size; i++) {
        const msgpack_object *windows = &kpis->via.map.ptr[i].val;
        int kpi = name_of(state, &kpis->via.map.ptr[i].key);

        if (windows->type != MSGPACK_OBJECT_MAP)
            return false;
        for (uint32_t w = 0; w < windows->via.map.size; w++)
            if (!add_cell(state, making, kpi, name_of(state, &windows->via.map.ptr[w].key), &windows->via.map.ptr[w].val))
                return false;
    }
    return true;
}

/* The cell that stood there before: at the same place, as nearly always, or anywhere. */
static const struct state_cell *cell_before(const struct state_key *key, const struct state_cell *cell, size_t at)
{
    if (at < key->ncells && key->cells[at].kpi == cell->kpi && key->cells[at].window == cell->window)
        return &key->cells[at];
    for (uint32_t i = 0; i < key->ncells; i++)
        if (key->cells[i].kpi == cell->kpi && key->cells[i].window == cell->window)
            return &key->cells[i];
    return NULL;
}

/* Give each cell the version at which it became what it is. True: something is new. *lost: a window that was there is no more. */
static bool compare_cells(const struct state_key *key, struct making *making, uint64_t version, bool *lost)
{
    size_t found = 0;
    bool any = false;

    for (size_t i = 0; i < making->ncells; i++) {
        struct state_cell *cell = &making->cells[i];
        const struct state_cell *before = cell_before(key, cell, i);
        bool same = before && before->len == cell->len && memcmp(key->text + before->at, making->text + cell->at, cell->len) == 0;

        cell->version = same ? before->version : version;
        found += before != NULL;
        any |= !same;
    }
    *lost = found < key->ncells;
    return any || *lost;
}

static bool install(struct state *state, uint32_t place, const msgpack_object *map, int level, struct making *making)
{
    struct state_key *key = &state->keys[place];
    uint64_t version = state->version + 1;
    uint32_t head_len;
    char *head = head_of(state, map, &head_len);
    bool lost, renamed, changed;

    if (!head)
        return false;
    renamed = key->gone || key->head_len != head_len || memcmp(head, key->head, head_len) != 0;
    changed = compare_cells(key, making, version, &lost) || renamed;
    if (renamed || lost)
        key->whole = version;
    state->live_keys += key->gone;
    empty_key(state, key);
    key->gone = false;
    key->level = (uint16_t)level;
    key->head = head;
    key->head_len = head_len;
    key->cells = making->cells;
    key->ncells = (uint32_t)making->ncells;
    key->text = making->text;
    key->text_len = (uint32_t)making->text_len;
    making->cells = NULL;
    making->text = NULL;
    state->cells += key->ncells;
    state->bytes += key->head_len + key->text_len + key->ncells * sizeof *key->cells;
    if (changed) {
        state->version = version;
        touch_key(state, place);
    }
    return true;
}

bool state_take_snapshot(struct state *state, const msgpack_object *map)
{
    const msgpack_object *kpis = object_get(map, "kpis");
    struct making making = {0};
    char path[PATH_TEXT];
    uint32_t place;
    double time;
    size_t len;
    int level;
    bool ok;

    if (!kpis || kpis->type != MSGPACK_OBJECT_MAP || !object_number(object_get(map, "time"), &time) ||
        !object_topic(object_get(map, "path"), path, sizeof path, &len))
        return false;
    level = name_of(state, object_get(map, "level"));
    if (level < 0 || !(time >= 0 && time < 9e15))
        return false;
    place = make_key(state, path, len);
    if (!place)
        return true;
    state->keys[place].round = state->key_round;
    if (!state->keys[place].gone && state->keys[place].time > (int64_t)time)
        return true;        /* of a listing that was overtaken by what was published */
    ok = make_cells(state, kpis, &making) && install(state, place, map, level, &making);
    if (ok)
        state->keys[place].time = (int64_t)time;
    else if (state->keys[place].version == 0)
        drop_key(state, place);
    free(making.cells);
    free(making.text);
    return ok;
}

void state_begin_keys(struct state *state)
{
    state->key_round++;
}

void state_end_keys(struct state *state)
{
    for (uint32_t i = 1; i < state->nkeys; i++)
        if (state->keys[i].path && !state->keys[i].gone && state->keys[i].round != state->key_round)
            lose_key(state, i);
}

void state_restart(struct state *state)
{
    for (uint32_t i = 1; i < state->nkeys; i++)
        state->keys[i].time = 0;
    for (uint32_t i = 1; i < state->nalerts; i++)
        state->alerts[i].seq = 0;
}

/* ---- Alerts ---- */

static bool is_id(const msgpack_object *id)
{
    if (!id || id->type != MSGPACK_OBJECT_STR || id->via.str.size == 0 || id->via.str.size > 32)
        return false;
    for (uint32_t i = 0; i < id->via.str.size; i++)
        if (!strchr("0123456789abcdefghijklmnopqrstuvwxyz-_", id->via.str.ptr[i]))
            return false;
    return true;
}

static uint32_t place_of_alert(const struct state *state, const char *id, size_t len)
{
    const uint32_t *found = kp_tab_find(state->tab, kp_print_of(state->seed, SPACE_ALERT, id, len));

    return found ? *found : 0;
}

static uint32_t make_alert(struct state *state, const msgpack_object *id)
{
    uint32_t place = place_of_alert(state, id->via.str.ptr, id->via.str.size);

    if (place)
        return place;
    if (state->live_alerts >= state->limits.alerts || (!state->free_alert && state->nalerts > state->limits.alerts + STATE_GONE_MAX)) {
        state->left_out++;
        return 0;
    }
    place = state->free_alert ? state->free_alert : state->nalerts;
    if (kp_tab_insert(state->tab, kp_print_of(state->seed, SPACE_ALERT, id->via.str.ptr, id->via.str.size), place))
        return 0;
    if (state->free_alert)
        state->free_alert = state->alerts[place].older;
    else
        state->nalerts++;
    memset(&state->alerts[place], 0, sizeof state->alerts[place]);
    memcpy(state->alerts[place].id, id->via.str.ptr, id->via.str.size);
    state->alerts[place].gone = true;
    return place;
}

/* {"rule":...,"level":...,"path":[...]}: who it is about, and nobody below. */
static char *matchers_of(struct state *state, const msgpack_object *map)
{
    static const char *const fields[] = {"rule", "level", "path"};
    size_t len;
    size_t n = sizeof fields / sizeof *fields - !object_count(object_get(map, "path"));    /* the company has none */
    const char *bytes = fields_of(state, map, fields, n, &len);

    return bytes ? strndup(bytes, len) : NULL;
}

/* Without `seq`, by which alone two tellings of the same alert may differ. */
static const char *alert_json(struct state *state, const msgpack_object *map, size_t *len)
{
    uint32_t entries = map->via.map.size;

    for (uint32_t i = 0; i < map->via.map.size; i++)
        entries -= object_is(&map->via.map.ptr[i].key, "seq");
    kp_out_clear(state->out);
    kp_out_map(state->out, entries);
    for (uint32_t i = 0; i < map->via.map.size; i++) {
        if (object_is(&map->via.map.ptr[i].key, "seq"))
            continue;
        object_put(state->out, &map->via.map.ptr[i].key);
        object_put(state->out, &map->via.map.ptr[i].val);
    }
    kp_out_end(state->out);
    return kp_out_bytes(state->out, len);
}

static bool fill_alert(struct state *state, struct state_alert *alert, const msgpack_object *map, const char *path, size_t path_len)
{
    size_t len;
    const char *json = alert_json(state, map, &len);
    struct state_alert filled = *alert;

    filled.json = json ? strndup(json, len) : NULL;
    filled.json_len = (uint32_t)len;
    filled.path = strndup(path, path_len);
    filled.path_len = (uint32_t)path_len;
    filled.matchers = matchers_of(state, map);
    if (!filled.json || !filled.path || !filled.matchers) {
        free(filled.json);
        free(filled.path);
        free(filled.matchers);
        return false;
    }
    state->bytes += filled.json_len;
    state->bytes -= alert->json_len;
    release_alert(alert);
    *alert = filled;
    return true;
}

/* Let an alert be as it is told. True: something is new. */
static bool install_alert(struct state *state, uint32_t place, const msgpack_object *map, const char *path, size_t len, bool *failed)
{
    struct state_alert *alert = &state->alerts[place];
    char *was = alert->json;
    uint32_t was_len = alert->json_len;
    bool same;

    alert->json = NULL;     /* kept to compare */
    *failed = !fill_alert(state, alert, map, path, len);
    same = !*failed && was && was_len == alert->json_len && memcmp(was, alert->json, was_len) == 0;
    if (*failed)
        alert->json = was;
    else
        free(was);
    return !*failed && !same;
}

static void tell_alert(struct state *state, uint32_t place, bool resolved)
{
    struct state_alert *alert = &state->alerts[place];

    state->version++;
    alert->resolved = resolved;
    if (resolved && !alert->gone) {
        lose_alert(state, place);
        return;
    }
    state->live_alerts += alert->gone && !resolved;
    alert->gone = resolved;
    touch_alert(state, place);
    if (resolved)       /* its mark was of the version before */
        push_mark(state, &state->alert_marks, false, place);
}

static bool take_alert(struct state *state, const msgpack_object *map, uint64_t seq)
{
    const msgpack_object *id = object_get(map, "id"), *how = object_get(map, "state");
    bool resolved = object_is(how, "resolved"), failed, changed;
    char path[PATH_TEXT];
    uint32_t place;
    size_t len;

    if (!is_id(id) || !(resolved || object_is(how, "pending") || object_is(how, "firing")) ||
        !object_topic(object_get(map, "path"), path, sizeof path, &len))
        return false;
    place = place_of_alert(state, id->via.str.ptr, id->via.str.size);
    if (!place && resolved)
        return true;
    place = place ? place : make_alert(state, id);
    if (!place)
        return true;
    if (state->alerts[place].seq > seq)
        return true;        /* of a listing that was overtaken by what was published */
    changed = install_alert(state, place, map, path, len, &failed);
    if (failed) {
        if (state->alerts[place].version == 0)
            drop_alert(state, place);
        return false;
    }
    state->alerts[place].round = state->alert_round;
    state->alerts[place].seq = seq;
    if (changed || state->alerts[place].gone != resolved)
        tell_alert(state, place, resolved);
    return true;
}

bool state_take_alert(struct state *state, const msgpack_object *map)
{
    double seq = 0;

    if (!object_number(object_get(map, "seq"), &seq) || !(seq >= 0 && seq < 9e15))
        return false;
    return take_alert(state, map, (uint64_t)seq);
}

bool state_take_listed(struct state *state, const msgpack_object *map, uint64_t seq)
{
    return take_alert(state, map, seq);
}

void state_begin_alerts(struct state *state)
{
    state->alert_round++;
}

void state_end_alerts(struct state *state)
{
    for (uint32_t i = 1; i < state->nalerts; i++) {
        struct state_alert *alert = &state->alerts[i];

        if (!alert->path || alert->gone || alert->round == state->alert_round)
            continue;
        state->version++;
        lose_alert(state, i);
    }
}

/* ---- Looking ---- */

uint64_t state_version(const struct state *state)
{
    return state->version;
}

uint64_t state_oldest(const struct state *state)
{
    return state->oldest;
}

const struct state_key *state_last_key(const struct state *state)
{
    return state->key_order.newest ? &state->keys[state->key_order.newest] : NULL;
}

const struct state_key *state_older_key(const struct state *state, const struct state_key *key)
{
    return key->older ? &state->keys[key->older] : NULL;
}

const struct state_alert *state_last_alert(const struct state *state)
{
    return state->alert_order.newest ? &state->alerts[state->alert_order.newest] : NULL;
}

const struct state_alert *state_older_alert(const struct state *state, const struct state_alert *alert)
{
    return alert->older ? &state->alerts[alert->older] : NULL;
}

const struct state_key *state_find_key(const struct state *state, const char *path, size_t len)
{
    uint32_t place = place_of_key(state, path, len);

    return place && !state->keys[place].gone ? &state->keys[place] : NULL;
}

const struct state_alert *state_find_alert(const struct state *state, const char *id, size_t len)
{
    uint32_t place = place_of_alert(state, id, len);

    return place && !state->alerts[place].gone ? &state->alerts[place] : NULL;
}

void state_stats(const struct state *state, struct state_stats *stats)
{
    *stats = (struct state_stats){state->live_keys, state->live_alerts, state->cells, state->bytes, state->left_out};
}
