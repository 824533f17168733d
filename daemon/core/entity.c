#include "entity_inside.h"

#include "pages.h"

#include "kpid/event.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SPACE_ENTITIES = 2000 };

struct kp_entities *kp_entities_new(struct kp_store *store, uint32_t limit, const struct kp_entity_sink *sink,
                                    struct kp_err *err)
{
    struct kp_entities *e = calloc(1, sizeof *e);

    if (!e) {
        kp_fail(err, KP_ENOMEM, "entities: out of memory");
        return NULL;
    }
    e->store = store;
    e->plan = store->plan;
    e->sink = *sink;
    e->limit = limit;
    e->free = KP_NO_ENTITY;
    e->ripe_ms = INT64_MIN;
    for (int i = 0; i < KP_ENTITY_LISTS; i++)
        e->first[i] = e->last[i] = KP_NO_ENTITY;
    for (int i = 0; i < e->plan->nspaces; i++)
        if ((uint32_t)e->plan->spaces[i].ntimers > e->ntimers)
            e->ntimers = (uint32_t)e->plan->spaces[i].ntimers;
    while (((size_t)2 << e->shift) * sizeof(struct kp_entity) <= KP_PAGES_CHUNK)
        e->shift++;
    e->index = kp_tab_new(err);
    e->slab = kp_slab_new(err);
    if (!e->index || !e->slab)
        kp_entities_destroy(&e);
    return e;
}

void kp_entities_destroy(struct kp_entities **entities)
{
    struct kp_entities *e = *entities;

    if (!e)
        return;
    for (uint32_t i = 0; i < e->nchunks; i++)
        free(e->chunks[i]);
    free(e->chunks);
    kp_heap_release(&e->timers);
    kp_traces_release(&e->before);
    kp_traces_release(&e->after);
    kp_tab_destroy(&e->index);
    kp_slab_destroy(&e->slab);
    free(e);
    *entities = NULL;
}

/* ---- Finding ---- */

static struct kp_print value_print(uint64_t seed, const struct kp_value *value)
{
    int64_t whole = value->i;

    if (value->kind == KP_STR)
        return kp_print_of(seed, SPACE_ENTITIES, value->s, value->len);
    if (value->kind == KP_REAL && value->f >= -9e18 && value->f <= 9e18 && value->f == floor(value->f))
        whole = (int64_t)value->f;      /* 5.0 and 5 are one value */
    else if (value->kind == KP_REAL)
        memcpy(&whole, &value->f, sizeof whole);
    else if (value->kind == KP_BOOL)
        whole = value->b;
    return kp_print_of2(seed, SPACE_ENTITIES, value->kind == KP_BOOL ? "b" : "n", 1, &whole, sizeof whole);
}

struct kp_print kp_entity_print(const struct kp_entities *entities, int space, const struct kp_value *value)
{
    return kp_entity_in(value_print(entities->store->seed, value), space);
}

const void *kp_entity_line(const struct kp_entities *entities, struct kp_print print)
{
    return kp_tab_line(entities->index, print);
}

static uint32_t find(const struct kp_entities *e, struct kp_print print)
{
    const uint32_t *i = kp_tab_find(e->index, print);

    return i ? *i : KP_NO_ENTITY;
}

uint32_t kp_entity_ahead(const struct kp_entities *entities, struct kp_print print)
{
    uint32_t i = find(entities, print);

    if (i != KP_NO_ENTITY)
        __builtin_prefetch(kp_entity_at(entities, i), 1);
    return i;
}

/* Its history as far as it is usually long, and its neighbours in the list, which it will leave. */
void kp_entity_fetch(const struct kp_entities *entities, uint32_t entity)
{
    const struct kp_entity *ent = kp_entity_at(entities, entity);

    for (int line = 0; line < 4; line++)
        __builtin_prefetch(ent->history + line * 64, 1);
    if (ent->prev != KP_NO_ENTITY)
        __builtin_prefetch(kp_entity_at(entities, ent->prev), 1);
    if (ent->next != KP_NO_ENTITY)
        __builtin_prefetch(kp_entity_at(entities, ent->next), 1);
}

/* ---- Lists: who was longest without an event ---- */

static void unlink_entity(struct kp_entities *e, uint32_t i)
{
    struct kp_entity *ent = kp_entity_at(e, i);

    *(ent->prev == KP_NO_ENTITY ? &e->first[ent->list] : &kp_entity_at(e, ent->prev)->next) = ent->next;
    *(ent->next == KP_NO_ENTITY ? &e->last[ent->list] : &kp_entity_at(e, ent->next)->prev) = ent->prev;
}

static void link_last(struct kp_entities *e, uint32_t i, uint8_t list)
{
    struct kp_entity *ent = kp_entity_at(e, i);

    ent->list = list;
    ent->prev = e->last[list];
    ent->next = KP_NO_ENTITY;
    *(ent->prev == KP_NO_ENTITY ? &e->first[list] : &kp_entity_at(e, ent->prev)->next) = i;
    e->last[list] = i;
}

void kp_entity_moved(struct kp_entities *e, uint32_t i)
{
    uint8_t list = kp_entity_at(e, i)->open ? KP_ENTITIES_OPEN : KP_ENTITIES_CLOSED;

    if (e->last[list] == i)
        return;
    unlink_entity(e, i);
    link_last(e, i, list);
}

/* ---- Histories ---- */

/* Its nodes are held as long as it is kept. */
static void hold(struct kp_entities *e, const struct kp_plan_space *space, struct kp_occurrence *o, uint32_t by)
{
    const uint32_t *nodes = kp_occurrence_nodes(space, o);

    for (int d = 0; d < space->ndims; d++)
        if (nodes[d] != KP_NO_NODE)
            kp_store_node(e->store, nodes[d])->held += by;
}

/* The rest of a long id is in the slab, as long as the occurrence is kept. */
static void drop_rest(struct kp_entities *e, const struct kp_occurrence *o)
{
    unsigned char *rest = (void *)(uintptr_t)o->mark.id[1];

    if (o->bits & KP_LONG_ID)
        kp_slab_free(e->slab, rest, rest[0] + 1u);
}

/* Out of memory: it keeps what of its id it has room for. */
static bool keep_rest(struct kp_entities *e, struct kp_occurrence *o)
{
    const unsigned char *rest = (void *)(uintptr_t)o->mark.id[1];
    unsigned char *kept;

    if (!(o->bits & KP_LONG_ID))
        return true;
    kept = kp_slab_alloc(e->slab, rest[0] + 1u);
    if (!kept) {
        o->bits &= ~KP_LONG_ID;
        o->mark.id[1] = 0;
        return false;
    }
    memcpy(kept, rest, rest[0] + 1u);
    o->mark.id[1] = (uintptr_t)kept;
    return true;
}

static void drop(struct kp_entities *e, struct kp_history *h, uint32_t i)
{
    drop_rest(e, kp_history_at(h, i));
    hold(e, h->space, kp_history_at(h, i), UINT32_MAX);     /* -1 */
    h->n--;
    memmove(h->at + i * h->stride, h->at + (i + 1) * h->stride, (h->n - i) * h->stride);
    e->occurrences--;
}

/* Their places in the roster, by name: which number a node has depends on what came first. */
static int compare_nodes(const struct kp_store *store, uint32_t a, uint32_t b)
{
    const struct kp_node_cold *cold, *other;
    int levels, order;

    if (a == b)
        return 0;
    if (a == KP_NO_NODE || b == KP_NO_NODE)
        return a == KP_NO_NODE ? -1 : 1;
    levels = (int)kp_store_node(store, a)->level - (int)kp_store_node(store, b)->level;
    if (levels)
        return levels;
    cold = kp_store_cold(store, a);
    other = kp_store_cold(store, b);
    order = memcmp(cold->key, other->key, cold->key_len < other->key_len ? cold->key_len : other->key_len);
    if (order == 0 && cold->key_len != other->key_len)
        order = cold->key_len < other->key_len ? -1 : 1;
    return order ? order : compare_nodes(store, kp_store_node(store, a)->parent, kp_store_node(store, b)->parent);
}

/* No order of arrival in it, not even of what has the same time and id. */
static int compare(const struct kp_entities *e, const struct kp_plan_space *space, struct kp_occurrence *a,
                   struct kp_occurrence *b)
{
    int order = kp_occurrence_cmp(space, a, b);

    for (int d = 0; d < space->ndims && order == 0; d++)
        order = compare_nodes(e->store, kp_occurrence_nodes(space, a)[d], kp_occurrence_nodes(space, b)[d]);
    return order;
}

bool kp_entity_insert(struct kp_entities *e, struct kp_history *h, struct kp_occurrence *o)
{
    bool ok = keep_rest(e, o);
    uint32_t i = h->n;

    while (i && compare(e, h->space, kp_history_at(h, i - 1), o) > 0)
        i--;
    memmove(h->at + (i + 1) * h->stride, h->at + i * h->stride, (h->n - i) * h->stride);
    memcpy(h->at + i * h->stride, o, h->stride);
    h->n++;
    e->occurrences++;
    hold(e, h->space, o, 1);
    return ok;
}

bool kp_entity_put_back(struct kp_entities *e, struct kp_entity *ent, struct kp_history *h)
{
    bool ok = true;

    if (h->n > ent->room) {
        size_t room = kp_slab_class(h->n * h->stride) / h->stride;
        char *grown = kp_slab_alloc(e->slab, (room > KP_HISTORY_MAX ? KP_HISTORY_MAX : room) * h->stride);

        if (grown) {
            kp_slab_free(e->slab, ent->history, ent->room * h->stride);
            ent->history = grown;
            ent->room = (uint16_t)(room > KP_HISTORY_MAX ? KP_HISTORY_MAX : room);
        }
        ok = grown;
        while (h->n > ent->room)
            drop(e, h, 0);
    }
    if (h->n)
        memcpy(ent->history, h->at, h->n * h->stride);
    ent->n = (uint16_t)h->n;
    ent->last_ms = h->n ? kp_history_at(h, h->n - 1)->mark.time : INT64_MIN;
    return ok;
}

/* ---- What has changed ---- */

static bool same_place(const struct kp_trace *a, const struct kp_trace *b)
{
    return a->outlet == b->outlet && a->dim == b->dim && a->back == b->back && a->node == b->node && a->time == b->time;
}

static bool same(const struct kp_trace *a, const struct kp_trace *b)
{
    return same_place(a, b) && a->value == b->value && a->mark.time == b->mark.time && a->mark.id[0] == b->mark.id[0] &&
           a->mark.id[1] == b->mark.id[1];
}

/* May one take the place of the other? Where an entity stands is one thing, wherever that is. */
static bool is_successor(const struct kp_entities *e, const struct kp_trace *old, const struct kp_trace *new)
{
    if (e->plan->outlets[old->outlet].part == KP_PART_SINCE)
        return old->outlet == new->outlet && old->dim == new->dim;
    return same_place(old, new);
}

/* Tell the sink what is in one list and not in the other. Most of both is the same, at the same place. */
static void tell_changes(struct kp_entities *e)
{
    struct kp_trace *old = e->before.list, *new = e->after.list;
    size_t nold = e->before.n, nnew = e->after.n;

    for (; nold && nnew && same(old, new); old++, new++, nold--, nnew--)
        ;
    while (nold && nnew && same(&old[nold - 1], &new[nnew - 1])) {
        nold--;
        nnew--;
    }
    for (size_t i = 0; i < nold; i++) {
        size_t k = 0;

        while (k < nnew && !same(&old[i], &new[k]))
            k++;
        if (k < nnew) {
            new[k] = new[--nnew];
            continue;
        }
        for (k = 0; k < nnew && !is_successor(e, &old[i], &new[k]);)
            k++;
        e->sink.change(e->sink.ctx, &old[i], k < nnew ? &new[k] : NULL);
        if (k < nnew)
            new[k] = new[--nnew];
    }
    for (size_t k = 0; k < nnew; k++)
        e->sink.change(e->sink.ctx, NULL, &new[k]);
}

static void set_timer(struct kp_entities *e, uint32_t i, const struct kp_plan_tracker *tracker, int64_t due)
{
    if (tracker->timer >= 0)
        kp_heap_set(&e->timers, i * e->ntimers + (uint32_t)tracker->timer, due);
}

static void note_state(struct kp_entity *ent, const struct kp_plan_tracker *tracker, const struct kp_track_state *state)
{
    uint32_t bit = UINT32_C(1) << tracker->index;

    ent->open = state->open ? ent->open | bit : ent->open & ~bit;
    ent->settled = state->settled ? ent->settled | bit : ent->settled & ~bit;
}

/* Without samples for sure: nothing is open, and that is all that it counts. */
static bool has_none(const struct kp_entity *ent, const struct kp_plan_tracker *tracker)
{
    return tracker->kind == KP_TRACK_OPEN && !(ent->open >> tracker->index & 1);
}

/* ---- Coming and going ---- */

static bool add_chunk(struct kp_entities *e)
{
    struct kp_entity **grown = realloc(e->chunks, ((size_t)e->nchunks + 1) * sizeof(*grown));

    if (!grown)
        return false;
    e->chunks = grown;
    if (e->ntimers && !kp_heap_reserve(&e->timers, ((e->nchunks + 1) << e->shift) * e->ntimers))
        return false;
    grown[e->nchunks] = kp_pages_chunk();
    if (!grown[e->nchunks])
        return false;
    e->nchunks++;
    return true;
}

/* What it was open with ends; the rest of what it has added stays. */
static void evict(struct kp_entities *e, uint32_t i)
{
    struct kp_entity *ent = kp_entity_at(e, i);
    struct kp_history h = kp_entity_history(e, ent);

    e->current = i;
    e->before.n = e->after.n = 0;
    for (int t = 0; t < h.space->ntrackers; t++) {
        const struct kp_plan_tracker *tracker = &e->plan->trackers[h.space->trackers[t]];
        struct kp_track_state state;

        set_timer(e, i, tracker, INT64_MAX);
        if (tracker->kind == KP_TRACK_OPEN || tracker->kind == KP_TRACK_FUNNEL)
            kp_track(e->plan, tracker, &h, e->ripe_ms, INT64_MIN, &e->before, NULL, &state);
    }
    for (size_t k = 0; k < e->before.n; k++) {
        enum kp_outlet_part part = e->plan->outlets[e->before.list[k].outlet].part;

        if (part == KP_PART_OPEN || part == KP_PART_STANDS || part == KP_PART_SINCE)
            e->sink.change(e->sink.ctx, &e->before.list[k], NULL);
    }
    while (h.n)
        drop(e, &h, h.n - 1);
    kp_slab_free(e->slab, ent->history, ent->room * h.stride);
    if (ent->name)
        kp_slab_free(e->slab, ent->name, strlen(ent->name) + 1);
    kp_tab_remove(e->index, (struct kp_print){ent->hi, ent->lo});
    unlink_entity(e, i);
    memset(ent, 0, sizeof *ent);
    ent->next = e->free;
    e->free = i;
    e->count--;
}

/* As much of a text as there is room for; what is no UTF-8, and a NUL, becomes a question mark. */
static void copy_text(struct kp_str from, char text[KP_ENTITY_NAME])
{
    size_t len = 0;

    for (uint32_t i = 0; i < from.len;) {
        size_t n = from.s[i] ? kp_utf8_char(from.s + i, from.len - i) : 0, put = n ? n : 1;

        if (len + put >= KP_ENTITY_NAME)
            break;
        memcpy(text + len, n ? from.s + i : "?", put);
        len += put;
        i += (uint32_t)put;
    }
    text[len] = '\0';
}

/* What people know it by. */
static const char *name_of(const struct kp_value *value, char text[KP_ENTITY_NAME])
{
    char buf[KP_VALUE_TEXT];
    const char *whole;
    size_t len = kp_value_text(value, buf, &whole);

    copy_text((struct kp_str){whole, (uint32_t)len}, text);
    return text;
}

static char *keep_name(struct kp_entities *e, const char *text)
{
    size_t len = strlen(text) + 1;
    char *name = kp_slab_alloc(e->slab, len);

    return name ? memcpy(name, text, len) : NULL;
}

const char *kp_entities_name(const struct kp_entities *entities, uint32_t entity)
{
    const char *name = kp_entity_at(entities, entity)->name;

    return name ? name : "?";
}

uint32_t kp_entities_current(const struct kp_entities *entities)
{
    return entities->current;
}

uint32_t kp_entity_make(struct kp_entities *e, int space, struct kp_print print, const char *name)
{
    uint32_t i;
    struct kp_entity *ent;

    if (e->count >= e->limit) {
        e->evicted++;
        evict(e, e->first[KP_ENTITIES_CLOSED] != KP_NO_ENTITY ? e->first[KP_ENTITIES_CLOSED] : e->first[KP_ENTITIES_OPEN]);
    }
    i = e->free;
    if (i == KP_NO_ENTITY && e->made == e->nchunks << e->shift && !add_chunk(e))
        return KP_NO_ENTITY;
    if (i == KP_NO_ENTITY)
        i = e->made;
    if (kp_tab_insert(e->index, print, i))
        return KP_NO_ENTITY;
    if (i == e->made)
        e->made++;
    else
        e->free = kp_entity_at(e, i)->next;
    ent = kp_entity_at(e, i);
    *ent = (struct kp_entity){.hi = print.hi, .lo = print.lo, .space = (uint8_t)space};
    if (name && e->plan->spaces[space].named)
        ent->name = keep_name(e, name);
    link_last(e, i, KP_ENTITIES_CLOSED);
    e->count++;
    return i;
}

/* ---- Telling ---- */

struct kp_occurrence *kp_entities_blank(struct kp_entities *entities, int space, struct kp_str id)
{
    const struct kp_plan_space *s = &entities->plan->spaces[space];
    struct kp_occurrence *o = (void *)entities->blank;

    memset(entities->blank, 0, kp_occurrence_size(s));
    for (int i = 0; i < s->nvalues; i++)
        o->tail[i] = KP_NO_VALUE;
    for (int d = 0; d < s->ndims; d++)
        kp_occurrence_nodes(s, o)[d] = KP_NO_NODE;
    kp_occurrence_id(o, id.s, id.len, entities->rest);
    return o;
}

/* Bits that no longer matter go, and occurrences without any. */
static void prune(struct kp_entities *e, struct kp_history *h, uint64_t touched, const uint64_t *keep)
{
    for (uint32_t i = h->n; i-- > 0;) {
        struct kp_occurrence *o = kp_history_at(h, i);

        o->bits &= ~touched | keep[i];
        if (!(o->bits & ~KP_LONG_ID))
            drop(e, h, i);
    }
}

/* Which occurrence goes when there are too many: the oldest of those that only repetitions and matches of one kind count,
 * of which there may be any number; what opened, what a pair begins with and the steps of a funnel are few. */
static uint32_t victim(const struct kp_entities *e, const struct kp_history *h)
{
    uint64_t many = KP_LONG_ID;

    for (int t = 0; t < h->space->ntrackers; t++) {
        const struct kp_plan_tracker *tracker = &e->plan->trackers[h->space->trackers[t]];

        if (tracker->kind == KP_TRACK_REPEAT || tracker->kind == KP_TRACK_ONCE)
            many |= tracker->bits;
    }
    for (uint32_t i = 0; i < h->n; i++)
        if (!(kp_history_at(h, i)->bits & ~many))
            return i;
    return 0;
}

/* The usual case: what comes last, to trackers that have found what they looked for. Nothing of it need be kept for them. */
static void pass_settled(struct kp_entities *e, const struct kp_entity *ent, struct kp_occurrence *o)
{
    const struct kp_plan_space *space = &e->plan->spaces[ent->space];

    if (!ent->settled || !ent->n || o->mark.time <= ent->last_ms)
        return;
    for (int t = 0; t < space->ntrackers; t++) {
        const struct kp_plan_tracker *tracker = &e->plan->trackers[space->trackers[t]];

        if (!(ent->settled >> tracker->index & 1) || !(o->bits & tracker->bits))
            continue;
        o->bits &= ~tracker->bits;
        kp_track_again(e->plan, tracker, space, o, &e->after);
    }
}

bool kp_entities_tell(struct kp_entities *e, int space, struct kp_print print, const struct kp_value *value, int64_t horizon)
{
    const struct kp_plan_space *s = &e->plan->spaces[space];
    struct kp_occurrence *o = (void *)e->blank;
    uint64_t keep[KP_HISTORY_MAX], touched = 0;
    uint32_t i = find(e, print);
    struct kp_track_state state;
    char name[KP_ENTITY_NAME];
    struct kp_history h;
    struct kp_entity *ent;
    bool ok;

    if (i == KP_NO_ENTITY)
        i = kp_entity_make(e, space, print, s->named ? name_of(value, name) : NULL);
    if (i == KP_NO_ENTITY)
        return false;
    ent = kp_entity_at(e, i);
    e->current = i;
    e->before.n = e->after.n = 0;
    pass_settled(e, ent, o);
    if (!(o->bits & ~KP_LONG_ID)) {
        tell_changes(e);
        kp_entity_moved(e, i);
        return !e->after.short_of_memory;
    }
    h = kp_entity_history(e, ent);
    if (h.n)
        memcpy(e->scratch, h.at, h.n * h.stride);
    h.at = (char *)e->scratch;
    if (h.n == KP_HISTORY_MAX) {
        e->forgotten++;
        drop(e, &h, victim(e, &h));
    }
    for (int t = 0; t < s->ntrackers && h.n; t++) {
        const struct kp_plan_tracker *tracker = &e->plan->trackers[s->trackers[t]];

        if ((o->bits & tracker->bits) && !has_none(ent, tracker))
            kp_track(e->plan, tracker, &h, e->ripe_ms, horizon, &e->before, NULL, &state);
    }
    ok = kp_entity_insert(e, &h, o);
    memset(keep, 0, h.n * sizeof *keep);
    for (int t = 0; t < s->ntrackers; t++) {
        const struct kp_plan_tracker *tracker = &e->plan->trackers[s->trackers[t]];

        if (!(o->bits & tracker->bits))
            continue;
        kp_track(e->plan, tracker, &h, e->ripe_ms, horizon, &e->after, keep, &state);
        note_state(ent, tracker, &state);
        set_timer(e, i, tracker, state.due);
        touched |= tracker->bits;
    }
    tell_changes(e);
    prune(e, &h, touched, keep);
    ok &= kp_entity_put_back(e, ent, &h);
    kp_entity_moved(e, i);
    return ok && !e->before.short_of_memory && !e->after.short_of_memory;
}

/* ---- Forgetting, and credit that goes elsewhere ---- */

/* A value that its text may stand for: itself, or a number. *n: how many. */
static void values_of(struct kp_str text, struct kp_value values[2], size_t *n)
{
    char copy[KP_VALUE_TEXT], *end = copy;

    values[0] = (struct kp_value){.kind = KP_STR, .len = text.len, .s = text.s};
    *n = 1;
    if (text.len == 0 || text.len >= sizeof copy)
        return;
    memcpy(copy, text.s, text.len);
    copy[text.len] = '\0';
    errno = 0;
    values[1] = (struct kp_value){.kind = KP_INT, .i = strtoll(copy, &end, 10)};
    if (*end || errno)
        values[1] = (struct kp_value){.kind = KP_REAL, .f = strtod(copy, &end)};
    *n += *end == '\0';
}

uint32_t kp_entities_forget(struct kp_entities *e, const struct kp_forget *who)
{
    struct kp_value values[2];
    uint32_t forgotten = 0;
    size_t n;

    values_of(who->key, values, &n);
    for (int s = 0; s < e->plan->nspaces; s++) {
        const char *name = kp_schema_name(e->plan->schema, e->plan->spaces[s].slot);

        if (strlen(name) != who->field.len || memcmp(name, who->field.s, who->field.len) != 0)
            continue;
        for (size_t v = 0; v < n; v++) {
            uint32_t i = kp_forget_is_value(who, &values[v]) ? find(e, kp_entity_print(e, s, &values[v])) : KP_NO_ENTITY;

            if (i == KP_NO_ENTITY)
                continue;
            evict(e, i);
            forgotten++;
        }
    }
    return forgotten;
}

/* Where it stands now, of what is told of that. */
static void where_it_stands(struct kp_entities *e, const struct kp_history *h, struct kp_traces *traces)
{
    size_t n = 0;

    traces->n = 0;
    for (int t = 0; t < h->space->ntrackers; t++) {
        struct kp_track_state state;

        kp_track(e->plan, &e->plan->trackers[h->space->trackers[t]], h, e->ripe_ms, INT64_MIN, traces, NULL, &state);
    }
    for (size_t i = 0; i < traces->n; i++)
        if (e->plan->outlets[traces->list[i].outlet].part == KP_PART_SINCE)
            traces->list[n++] = traces->list[i];
    traces->n = n;
}

static bool is_going(const struct kp_entities *e, uint32_t node)
{
    return node != KP_NO_NODE && kp_store_node(e->store, node)->flags & KP_NODE_GOING;
}

/* Of an occurrence. */
static void hand_on(struct kp_entities *e, const struct kp_plan_space *space, struct kp_occurrence *o)
{
    uint32_t *nodes = kp_occurrence_nodes(space, o);

    for (int d = 0; d < space->ndims; d++) {
        if (!is_going(e, nodes[d]))
            continue;
        kp_store_node(e->store, nodes[d])->held--;
        nodes[d] = kp_store_node(e->store, nodes[d])->parent;
        if (nodes[d] != KP_NO_NODE)
            kp_store_node(e->store, nodes[d])->held++;
    }
}

static bool has_going(const struct kp_entities *e, const struct kp_history *h)
{
    for (uint32_t i = 0; i < h->n; i++)
        for (int d = 0; d < h->space->ndims; d++)
            if (is_going(e, kp_occurrence_nodes(h->space, kp_history_at(h, i))[d]))
                return true;
    return false;
}

/* All of an entity's, which are put in order again. */
static void hand_on_all(struct kp_entities *e, struct kp_history *h)
{
    struct kp_occurrence *one = (void *)e->blank;

    for (uint32_t i = 0; i < h->n; i++)
        hand_on(e, h->space, kp_history_at(h, i));
    for (uint32_t i = 1; i < h->n; i++) {
        uint32_t at = i;

        memcpy(one, kp_history_at(h, i), h->stride);
        for (; at && compare(e, h->space, kp_history_at(h, at - 1), one) > 0; at--)
            memcpy(kp_history_at(h, at), kp_history_at(h, at - 1), h->stride);
        memcpy(kp_history_at(h, at), one, h->stride);
    }
}

void kp_entities_hand_on(struct kp_entities *e)
{
    for (uint32_t i = 0; i < e->made; i++) {
        struct kp_entity *ent = kp_entity_at(e, i);
        struct kp_history h;

        if (!ent->lo || !ent->n)
            continue;
        h = kp_entity_history(e, ent);
        if (!has_going(e, &h))
            continue;
        e->current = i;
        where_it_stands(e, &h, &e->before);
        hand_on_all(e, &h);
        where_it_stands(e, &h, &e->after);
        tell_changes(e);
    }
}

/* ---- Time ---- */

int64_t kp_entities_due(const struct kp_entities *entities)
{
    return kp_heap_due(&entities->timers);
}

static void ripen_first(struct kp_entities *e, int64_t horizon)
{
    int64_t due = kp_heap_due(&e->timers);
    uint32_t thing = kp_heap_pop(&e->timers), i = thing / e->ntimers;
    struct kp_entity *ent = kp_entity_at(e, i);
    struct kp_history h = kp_entity_history(e, ent);

    e->current = i;
    e->before.n = e->after.n = 0;
    for (int t = 0; t < h.space->ntrackers; t++) {
        const struct kp_plan_tracker *tracker = &e->plan->trackers[h.space->trackers[t]];
        struct kp_track_state state;

        if (tracker->timer < 0 || (uint32_t)tracker->timer != thing % e->ntimers)
            continue;
        kp_track(e->plan, tracker, &h, due - 1, horizon, &e->before, NULL, &state);
        kp_track(e->plan, tracker, &h, due, horizon, &e->after, NULL, &state);
        set_timer(e, i, tracker, state.due);
    }
    tell_changes(e);
}

bool kp_entities_ripen(struct kp_entities *e, int64_t t, int64_t horizon, size_t most)
{
    for (; kp_heap_due(&e->timers) <= t && most; most--)
        ripen_first(e, horizon);
    if (kp_heap_due(&e->timers) <= t) {
        e->ripe_ms = kp_heap_due(&e->timers) - 1;
        return true;
    }
    if (t > e->ripe_ms)
        e->ripe_ms = t;
    return false;
}

void kp_entities_stats(const struct kp_entities *e, struct kp_entities_stats *stats)
{
    stats->count = e->count;
    stats->evicted = e->evicted;
    stats->forgotten = e->forgotten;
    stats->occurrences = e->occurrences;
    stats->bytes = kp_tab_bytes(e->index) + kp_slab_bytes(e->slab) + (size_t)e->nchunks * KP_PAGES_CHUNK +
                   (size_t)e->timers.room * sizeof(struct kp_timer) + (size_t)e->timers.things * sizeof(uint32_t);
}
