#include "filter.h"

#include "ends.h"

#include "kpid/tab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Classes that every field has; those of its own constants follow. */
enum { CLS_MISSING, CLS_FALSE, CLS_TRUE, CLS_NAN, CLS_STRING, CLS_OWN };
enum { SPACE_KEYS = 2000 };

struct word {               /* a string constant, in a hash table */
    const char *s;          /* borrowed from the configuration; NULL: free */
    struct kp_ends ends;
    uint32_t len;
    uint16_t cls;
};

struct field {
    int slot;
    struct word *words;     /* owned; 1 << bits of them */
    unsigned bits;
    size_t nwords;
    struct kp_str *prefixes;    /* owned; strings borrowed; longest first */
    size_t nprefixes;
    struct kp_value *numbers;   /* owned; rising */
    size_t nnumbers;
    uint16_t prefix_cls, number_cls;    /* the first class of each sort */
};

struct test {
    const struct kp_pred *pred;     /* borrowed */
    int slot;
};

struct filter {
    const struct kp_where *where;   /* borrowed */
    struct test *tests;             /* owned, one a predicate, all alternatives in a row */
};

struct kp_filters {
    struct filter *filters;     /* owned */
    int nfilters;
    struct field fields[KP_FILTER_FIELDS_MAX];
    int nfields;
    uint64_t keys[2 * KP_PRINT_FIELDS];     /* of prints: secret, two a field */
    uint64_t by_len, unknown;   /* ... and what lengths are multiplied with, and what stands for a missing text */
};

struct kp_filters *kp_filters_new(struct kp_err *err)
{
    struct kp_filters *set = calloc(1, sizeof *set);

    if (!set)
        kp_fail(err, KP_ENOMEM, "filters: out of memory");
    return set;
}

void kp_filters_destroy(struct kp_filters **filters)
{
    struct kp_filters *set = *filters;

    if (!set)
        return;
    for (int i = 0; i < set->nfilters; i++)
        free(set->filters[i].tests);
    for (int i = 0; i < set->nfields; i++) {
        free(set->fields[i].words);
        free(set->fields[i].prefixes);
        free(set->fields[i].numbers);
    }
    free(set->filters);
    free(set);
    *filters = NULL;
}

int kp_filters_count(const struct kp_filters *filters)
{
    return filters->nfilters;
}

const struct kp_where *kp_filters_where(const struct kp_filters *filters, int i)
{
    return filters->filters[i].where;
}

size_t kp_filters_width(const struct kp_filters *filters)
{
    return (size_t)filters->nfields * sizeof(uint16_t);
}

static bool same_pred(const struct kp_pred *a, const struct kp_pred *b)
{
    if (a->cmp != b->cmp || a->nargs != b->nargs || strcmp(a->field, b->field) != 0)
        return false;
    for (size_t i = 0; i < a->nargs; i++)
        if (!kp_value_eq(&a->args[i], &b->args[i]))
            return false;
    return true;
}

static bool same_where(const struct kp_where *a, const struct kp_where *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (a->any[i].count != b->any[i].count)
            return false;
        for (size_t j = 0; j < a->any[i].count; j++)
            if (!same_pred(&a->any[i].preds[j], &b->any[i].preds[j]))
                return false;
    }
    return true;
}

static struct field *field_of(struct kp_filters *set, int slot)
{
    for (int i = 0; i < set->nfields; i++)
        if (set->fields[i].slot == slot)
            return &set->fields[i];
    if (set->nfields == KP_FILTER_FIELDS_MAX)
        return NULL;
    set->fields[set->nfields].slot = slot;
    return &set->fields[set->nfields++];
}

int kp_filters_add(struct kp_filters *set, struct kp_schema *schema, const struct kp_where *where)
{
    struct filter *grown, *f;
    size_t ntests = 0, k = 0;

    for (int i = 0; i < set->nfilters; i++)
        if (same_where(set->filters[i].where, where))
            return i;
    grown = realloc(set->filters, (size_t)(set->nfilters + 1) * sizeof *grown);
    if (!grown)
        return -1;
    set->filters = grown;
    f = &grown[set->nfilters];
    for (size_t i = 0; i < where->count; i++)
        ntests += where->any[i].count;
    f->where = where;
    f->tests = calloc(ntests ? ntests : 1, sizeof *f->tests);
    if (!f->tests)
        return -1;
    set->nfilters++;
    for (size_t i = 0; i < where->count; i++) {
        for (size_t j = 0; j < where->any[i].count; j++, k++) {
            const struct kp_pred *p = &where->any[i].preds[j];

            f->tests[k].pred = p;
            f->tests[k].slot = kp_schema_add(schema, p->field, false);
            if (f->tests[k].slot < 0 || !field_of(set, f->tests[k].slot))
                return -1;
        }
    }
    return set->nfilters - 1;
}

/* ---- Classifiers ---- */

/* Cheap and good enough for a table of a configuration's own words; what comes from outside is only looked up. */
static inline uint32_t hash_word(struct kp_ends e, uint32_t len)
{
    return (uint32_t)(((e.a ^ (e.b << 7) ^ (e.b >> 11) ^ len) * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
}

static inline struct word *word_slot(const struct field *f, const char *s, uint32_t len)
{
    uint32_t mask = (1u << f->bits) - 1;
    struct kp_ends e = kp_ends_of(s, len);

    for (uint32_t i = hash_word(e, len) & mask;; i = (i + 1) & mask) {
        struct word *w = &f->words[i];

        if (!w->s || (w->len == len && kp_ends_equal(w->ends, e) && (len <= KP_ENDS_ALL || memcmp(w->s, s, len) == 0)))
            return w;
    }
}

static bool starts_with(const char *s, uint32_t len, const struct kp_str *prefix)
{
    return len >= prefix->len && memcmp(s, prefix->s, prefix->len) == 0;
}

static bool grow_words(struct field *f)
{
    struct word *old = f->bits ? f->words : NULL;
    size_t size = f->bits ? (size_t)1 << f->bits : 0;
    struct field bigger = *f;

    if (size && f->nwords * 4 < size)
        return true;
    bigger.bits = f->bits ? f->bits + 1 : 4;
    bigger.words = calloc((size_t)1 << bigger.bits, sizeof *bigger.words);
    if (!bigger.words)
        return false;
    for (size_t i = 0; i < size; i++)
        if (old[i].s)
            *word_slot(&bigger, old[i].s, old[i].len) = old[i];
    *f = bigger;
    free(old);
    return true;
}

static bool note_string(struct field *f, const struct kp_value *v)
{
    struct word *w;

    if (!grow_words(f))
        return false;
    w = word_slot(f, v->s ? v->s : "", v->len);
    if (!w->s) {
        w->s = v->s ? v->s : "";
        w->len = v->len;
        w->ends = kp_ends_of(w->s, w->len);
        f->nwords++;
    }
    return true;
}

static bool note_prefix(struct field *f, const struct kp_value *v)
{
    struct kp_str *grown = realloc(f->prefixes, (f->nprefixes + 1) * sizeof *grown);
    size_t k;

    if (!grown)
        return false;
    f->prefixes = grown;
    for (k = f->nprefixes++; k > 0 && grown[k - 1].len < v->len; k--)
        grown[k] = grown[k - 1];
    grown[k].s = v->s;
    grown[k].len = v->len;
    return true;
}

static bool note_number(struct field *f, const struct kp_value *v)
{
    struct kp_value *grown = realloc(f->numbers, (f->nnumbers + 1) * sizeof *grown);
    size_t k = 0;

    if (!grown)
        return false;
    f->numbers = grown;
    while (k < f->nnumbers && kp_number_cmp(&grown[k], v) < 0)
        k++;
    if (k < f->nnumbers && kp_number_cmp(&grown[k], v) == 0)
        return true;
    memmove(grown + k + 1, grown + k, (f->nnumbers - k) * sizeof *grown);
    grown[k] = *v;
    f->nnumbers++;
    return true;
}

static bool note_pred(struct kp_filters *set, const struct test *t)
{
    struct field *f = field_of(set, t->slot);
    bool ok = true;

    for (size_t i = 0; f && ok && i < t->pred->nargs; i++) {
        const struct kp_value *v = &t->pred->args[i];

        if (v->kind == KP_STR)
            ok = t->pred->cmp == KP_CMP_PREFIX ? note_prefix(f, v) : note_string(f, v);
        else if (v->kind == KP_INT || v->kind == KP_REAL)
            ok = note_number(f, v);
    }
    return ok && f;
}

/* Which of the prefixes hold for a string follows from the longest that does; a string constant is a class alone. */
static bool number_classes(struct field *f)
{
    size_t next = CLS_OWN;

    f->prefix_cls = (uint16_t)next;
    next += f->nprefixes;
    f->number_cls = (uint16_t)next;
    next += 2 * f->nnumbers + 1;
    for (size_t i = 0; f->words && i < (size_t)1 << f->bits; i++)
        if (f->words[i].s)
            f->words[i].cls = (uint16_t)next++;
    return next <= UINT16_MAX;
}

enum kp_code kp_filters_seal(struct kp_filters *set, struct kp_err *err)
{
    for (int i = 0; i < set->nfilters; i++) {
        const struct kp_where *w = set->filters[i].where;
        size_t k = 0;

        for (size_t a = 0; a < w->count; a++)
            for (size_t p = 0; p < w->any[a].count; p++, k++)
                if (!note_pred(set, &set->filters[i].tests[k]))
                    return kp_fail(err, KP_ENOMEM, "filters: out of memory");
    }
    for (int i = 0; i < set->nfields; i++)
        if (!number_classes(&set->fields[i]))
            return kp_fail(err, KP_ELIMIT, "filters: over 65,000 constants for one field");
    return KP_OK;
}

static uint16_t class_of_string(const struct field *f, const char *s, uint32_t len)
{
    if (f->words) {
        const struct word *w = word_slot(f, s, len);

        if (w->s)
            return w->cls;
    }
    for (size_t i = 0; i < f->nprefixes; i++)
        if (starts_with(s, len, &f->prefixes[i]))
            return (uint16_t)(f->prefix_cls + i);
    return CLS_STRING;
}

/* Classes 2k: below numbers[k]; 2k + 1: equal to it; 2n: above them all. */
static uint16_t class_of_number(const struct field *f, const struct kp_value *v)
{
    size_t lo = 0, hi = f->nnumbers;

    if (v->kind == KP_REAL && isnan(v->f))
        return CLS_NAN;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = kp_number_cmp(&f->numbers[mid], v);

        if (c == 0)
            return (uint16_t)(f->number_cls + 2 * mid + 1);
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return (uint16_t)(f->number_cls + 2 * lo);
}

static uint16_t class_of(const struct field *f, const struct kp_event *ev)
{
    const struct kp_value *v = &ev->v[f->slot];

    if (!kp_event_has(ev, f->slot))
        return CLS_MISSING;
    switch (v->kind) {
    case KP_STR:
        return class_of_string(f, v->s, v->len);
    case KP_BOOL:
        return v->b ? CLS_TRUE : CLS_FALSE;
    case KP_INT:
    case KP_REAL:
        return class_of_number(f, v);
    default:
        return CLS_MISSING;
    }
}

uint32_t kp_filters_sign(const struct kp_filters *set, const struct kp_event *ev, struct kp_signature *sig)
{
    uint32_t hash = 0;

    for (int i = 0; i < set->nfields; i++) {
        sig->cls[i] = class_of(&set->fields[i], ev);
        hash = (hash ^ sig->cls[i]) * UINT32_C(0x9E3779B1);
        hash ^= hash >> 15;
    }
    return hash;
}

/* One field after the other, each of all events: so many short steps that do not wait for each other. Which fields an event has is as
 * good as random, so a missing one is looked at like any other, as a text whose bytes nobody knows.
 *
 * Two lists of texts have the same print with a chance of about 2^-60, whatever they are: NH, in Black, Halevi, Krawczyk, Krovetz,
 * Rogaway, UMAC, CRYPTO 1999. What a text's ends leave open is its length, which goes into its second word with a key of its own. */
uint32_t kp_filters_print(const struct kp_filters *set, const struct kp_event *const *events, size_t n, kp_u128 *prints)
{
    const struct kp_value missing = {.kind = KP_STR, .len = 8, .s = (const char *)&set->unknown};
    const uint64_t *key = set->keys;
    uint32_t odd = 0;

    memset(prints, 0, n * sizeof *prints);
    if (set->nfields > KP_PRINT_FIELDS)
        return UINT32_MAX;
    for (int f = 0; f < set->nfields; f++, key += 2) {
        int slot = set->fields[f].slot;

        for (size_t i = 0; i < n; i++) {
            const struct kp_value *either[2] = {&missing, &events[i]->v[slot]}, *v = either[kp_event_has(events[i], slot)];
            struct kp_ends e;

            if (v->kind != KP_STR || v->len > KP_ENDS_ALL) {
                odd |= UINT32_C(1) << i;
                continue;
            }
            e = kp_ends_of(v->s, v->len);
            prints[i] += (kp_u128)(e.a + key[0]) * (e.b + v->len * set->by_len + key[1]);
        }
    }
    return odd;
}

void kp_filters_seed(struct kp_filters *set, uint64_t seed)
{
    uint32_t i = 0;

    for (; i < 2 * KP_PRINT_FIELDS; i++)
        set->keys[i] = kp_print_of(seed, SPACE_KEYS, &i, sizeof i).hi;
    set->by_len = kp_print_of(seed, SPACE_KEYS, &i, sizeof i).hi;
    i++;
    set->unknown = kp_print_of(seed, SPACE_KEYS, &i, sizeof i).hi;
}

/* ---- The tests themselves ---- */

static bool equals_any(const struct kp_pred *p, const struct kp_value *v)
{
    for (size_t i = 0; i < p->nargs; i++)
        if (kp_value_eq(v, &p->args[i]))
            return true;
    return false;
}

static bool test_holds(const struct test *t, const struct kp_event *ev)
{
    const struct kp_pred *p = t->pred;
    const struct kp_value *v = &ev->v[t->slot];
    bool has = kp_event_has(ev, t->slot);
    int order;

    switch (p->cmp) {
    case KP_CMP_EXISTS:
        return has == p->args[0].b;
    case KP_CMP_NE:
    case KP_CMP_NOT_IN:
        return !has || !equals_any(p, v);
    case KP_CMP_EQ:
    case KP_CMP_IN:
        return has && equals_any(p, v);
    case KP_CMP_PREFIX:
        return has && v->kind == KP_STR && v->len >= p->args[0].len && memcmp(v->s, p->args[0].s, p->args[0].len) == 0;
    case KP_CMP_GT:
    case KP_CMP_GTE:
    case KP_CMP_LT:
    case KP_CMP_LTE:
        break;
    }
    order = has ? kp_number_cmp(v, &p->args[0]) : 2;
    if (order == 2)
        return false;
    return p->cmp == KP_CMP_GT ? order > 0 : p->cmp == KP_CMP_GTE ? order >= 0 : p->cmp == KP_CMP_LT ? order < 0 : order <= 0;
}

bool kp_filters_match(const struct kp_filters *set, int i, const struct kp_event *ev)
{
    const struct filter *f = &set->filters[i];
    const struct test *t = f->tests;

    if (f->where->count == 0)
        return true;
    for (size_t a = 0; a < f->where->count; a++) {
        size_t n = f->where->any[a].count, held = 0;

        while (held < n && test_holds(&t[held], ev))
            held++;
        if (held == n)
            return true;
        t += n;
    }
    return false;
}
