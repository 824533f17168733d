#include "kpid/dedup.h"

#include "image.h"
#include "pages.h"

#include <stdlib.h>
#include <string.h>

/* Pairs stand in a log in the order in which they came, and are numbered so (modulo 2^32): what is forgotten goes from the
 * log's end, and is nowhere else to be taken out. An index leads from fingerprints to numbers. In the index a number that the
 * log has left behind is a free place, so a new pair touches one line of it and the log's end, and that is all. */

enum {
    SLOTS = 10,             /* of a line */
    LINE_BITS = 7, LINES = 1 << LINE_BITS,      /* of a segment, 8 KiB */
    AHEAD = 32,             /* pairs that are fetched before they are put in place */
    REACH = 3,              /* lines that a new pair may find full before its segment is split */
    SCARCE = 64,            /* fewer pairs than so many to a slot come of no hash: of a file that somebody made */
    EXPIRE = 2,             /* pairs that are too old to leave whenever one comes */
    GROUP = 2048,           /* pairs that are saved together */
    SWEEP = 1 << 13         /* every place is looked at while the log takes so many chunks, long before numbers come again */
};

#define LOG_CHUNK (KP_PAGES_CHUNK / sizeof(struct pair))        /* a power of two */
#define SEGMENTS (KP_PAGES_CHUNK / sizeof(struct segment))

struct pair {
    uint64_t hi;
    uint32_t lo;
    uint32_t word;          /* the second in which it was added, counted from the first one, plus 1 */
};

/* A line of the cache. Its places are taken in turn, so the next one is that of its oldest. A pair that found its line full is in one
 * of those behind it. */
struct line {
    uint32_t number[SLOTS];
    uint16_t tag[SLOTS];
    uint32_t state;         /* the next place in the lowest 4 bits; above them those of the number of the newest that found none */
};

struct segment {
    struct line lines[LINES];
};

/* Extendible hashing (Fagin, Nievergelt, Pippenger, Strong, ACM TODS 4(3), 1979). */
struct slot {
    struct segment *segment;
    uint32_t depth;         /* how many bits of hi its pairs share */
};

struct kp_dedup {
    int64_t window_s, base_s;
    bool has_base;
    int64_t now_ms;         /* as of which these two are; nothing that a caller gives before the first */
    uint32_t stamp, oldest; /* the word of a pair that comes now, and of the oldest that still counts */
    bool expires;           /* the log's end may be too old */
    uint32_t tail, live;    /* the oldest that is remembered, and how many are */
    uint32_t max;
    uint64_t evicted;
    struct pair **log;      /* owned; chunks by number / LOG_CHUNK & mask, NULL: not in use */
    uint32_t mask;
    struct pair *spare;     /* owned; a chunk that was left behind */
    size_t nlog;
    struct slot *slots;     /* owned; 1 << depth, several may lead to one segment */
    uint32_t depth;
    struct segment **chunks;    /* owned; what segments are cut from */
    size_t nchunks, nsegments;
    size_t swept;           /* segments looked at, see sweep */
};

_Static_assert(sizeof(struct line) == 64, "a line of the index is one of the cache");
_Static_assert(sizeof(struct pair) == 16, "pairs are saved as they are");

/* ---- The log ---- */

static inline struct pair *pair_at(const struct kp_dedup *dedup, uint32_t number)
{
    return &dedup->log[number / LOG_CHUNK & dedup->mask][number % LOG_CHUNK];
}

static inline bool is_live(const struct kp_dedup *dedup, uint32_t number)
{
    return number - dedup->tail < dedup->live;
}

/* How far behind the log's end the newest that found no place here was, in steps of 16. */
static inline uint32_t passed(const struct kp_dedup *dedup, const struct line *line)
{
    return (line->state & ~15u) - (dedup->tail & ~15u);
}

/* Did a pair that is remembered find no place here? For some that have just been forgotten the answer is yes, too. */
static inline bool is_passed(const struct kp_dedup *dedup, const struct line *line)
{
    return passed(dedup, line) < dedup->live + 16;
}

static inline void pass(const struct kp_dedup *dedup, struct line *line, uint32_t number)
{
    if (!is_passed(dedup, line) || passed(dedup, line) < (number & ~15u) - (dedup->tail & ~15u))
        line->state = (number & ~15u) | (line->state & 15u);
}

static inline void put(struct line *line, struct kp_print print, uint32_t number)
{
    uint32_t next = line->state & 15u;

    line->number[next] = number;
    line->tag[next] = (uint16_t)print.lo;
    line->state = (line->state & ~15u) | (next + 1 < SLOTS ? next + 1 : 0);
}

static void leave_chunk(struct kp_dedup *dedup, struct pair **chunk)
{
    if (dedup->spare) {
        free(dedup->spare);
        dedup->nlog--;
    }
    dedup->spare = *chunk;
    *chunk = NULL;
}

static inline void leave_oldest(struct kp_dedup *dedup)
{
    uint32_t number = dedup->tail++;

    dedup->live--;
    if (dedup->tail % LOG_CHUNK == 0)
        leave_chunk(dedup, &dedup->log[number / LOG_CHUNK & dedup->mask]);
}

/* Numbers come again after 2^32 pairs, so a place that was not taken since would seem to be. */
static void clear_line(const struct kp_dedup *dedup, struct line *line)
{
    for (int i = 0; i < SLOTS; i++)
        line->number[i] = is_live(dedup, line->number[i]) ? line->number[i] : dedup->tail - 1;
    if (!is_passed(dedup, line))
        line->state = ((dedup->tail - 16) & ~15u) | (line->state & 15u);
}

static void sweep(struct kp_dedup *dedup)
{
    for (size_t n = dedup->nsegments / SWEEP + 1; n > 0; n--, dedup->swept++) {
        size_t i = dedup->swept % dedup->nsegments;

        for (int l = 0; l < LINES; l++)
            clear_line(dedup, &dedup->chunks[i / SEGMENTS][i % SEGMENTS].lines[l]);
    }
}

/* Room for the next pair, where a chunk begins. Without memory the oldest make it; false: there are none. */
static bool begin_chunk(struct kp_dedup *dedup)
{
    struct pair *chunk = dedup->spare;

    dedup->spare = NULL;
    if (!chunk) {
        chunk = kp_pages_chunk();
        dedup->nlog += chunk != NULL;
    }
    for (; !chunk && dedup->live; dedup->evicted++) {
        leave_oldest(dedup);
        chunk = dedup->spare;
        dedup->spare = NULL;
    }
    dedup->log[(dedup->tail + dedup->live) / LOG_CHUNK & dedup->mask] = chunk;
    sweep(dedup);
    return chunk != NULL;
}

/* ---- The index ---- */

static inline struct slot *slot_of(const struct kp_dedup *dedup, struct kp_print print)
{
    return &dedup->slots[dedup->depth ? print.hi >> (64 - dedup->depth) : 0];
}

static inline uint32_t home(struct kp_print print)
{
    return (uint32_t)print.hi & (LINES - 1);
}

static inline struct line *line_of(const struct kp_dedup *dedup, struct kp_print print)
{
    return &slot_of(dedup, print)->segment->lines[home(print)];
}

static void empty(const struct kp_dedup *dedup, struct segment *segment)
{
    for (int l = 0; l < LINES; l++) {
        struct line *line = &segment->lines[l];

        for (int i = 0; i < SLOTS; i++)
            line->number[i] = dedup->tail - 1;
        line->state = (dedup->tail - 16) & ~15u;
    }
}

static struct segment *make_segment(struct kp_dedup *dedup)
{
    struct segment *segment;

    if (dedup->nsegments == dedup->nchunks * SEGMENTS) {
        struct segment **grown = realloc(dedup->chunks, (dedup->nchunks + 1) * sizeof(*grown));

        if (!grown)
            return NULL;
        dedup->chunks = grown;
        grown[dedup->nchunks] = kp_pages_chunk();
        if (!grown[dedup->nchunks])
            return NULL;
        dedup->nchunks++;
    }
    segment = &dedup->chunks[dedup->nsegments / SEGMENTS][dedup->nsegments % SEGMENTS];
    dedup->nsegments++;
    empty(dedup, segment);
    return segment;
}

/* Four tags at once: in each that equals, the highest bit is set (a tag above one that equals may be taken for equal, too). */
static inline uint64_t equal4(const uint16_t *tags, uint64_t tag)
{
    const uint64_t ones = UINT64_C(0x0001000100010001);
    uint64_t word;

    memcpy(&word, tags, sizeof word);
    word ^= tag * ones;
    return (word - ones) & ~word & ones << 15;
}

/* No more than a hint: which of the places it is, and whether it is still remembered, is looked at when it is true. */
static inline bool may_hold(const struct line *line, uint16_t tag)
{
    return equal4(line->tag, tag) | equal4(line->tag + 4, tag) | equal4(line->tag + SLOTS - 4, tag);
}

static __attribute__((noinline)) bool holds(const struct kp_dedup *dedup, const struct line *line, struct kp_print print, uint32_t oldest)
{
    for (int i = 0; i < SLOTS; i++) {
        const struct pair *pair;

        if (line->tag[i] != (uint16_t)print.lo || !is_live(dedup, line->number[i]))
            continue;
        pair = pair_at(dedup, line->number[i]);
        if (pair->hi == print.hi && pair->lo == print.lo && pair->word >= oldest)
            return true;
    }
    return false;
}

static bool is_known(const struct kp_dedup *dedup, struct kp_print print, uint32_t oldest)
{
    const struct segment *segment = slot_of(dedup, print)->segment;

    for (uint32_t l = home(print), n = 0; n < LINES; l = (l + 1) & (LINES - 1), n++) {
        const struct line *line = &segment->lines[l];

        if (__builtin_expect(may_hold(line, (uint16_t)print.lo), 0) && holds(dedup, line, print, oldest))
            return true;
        if (__builtin_expect(!is_passed(dedup, line), 1))
            break;
    }
    return false;
}

/* False: none of the next `reach` lines has a place. */
static bool place(const struct kp_dedup *dedup, struct segment *segment, struct kp_print print, uint32_t number, int reach)
{
    for (uint32_t l = home(print); reach > 0; l = (l + 1) & (LINES - 1), reach--) {
        struct line *line = &segment->lines[l];

        if (!is_live(dedup, line->number[line->state & 15u])) {
            put(line, print, number);
            return true;
        }
        pass(dedup, line, number);
    }
    return false;
}

static bool double_slots(struct kp_dedup *dedup)
{
    size_t n = (size_t)1 << dedup->depth;
    struct slot *grown = n < 64 + dedup->live / SCARCE ? malloc(2 * n * sizeof *grown) : NULL;

    if (!grown)
        return false;
    for (size_t i = 0; i < n; i++)
        grown[2 * i] = grown[2 * i + 1] = dedup->slots[i];
    free(dedup->slots);
    dedup->slots = grown;
    dedup->depth++;
    return true;
}

/* The i-th, each line's from its oldest on. */
static const uint32_t *number_in(const struct segment *segment, int i)
{
    const struct line *line = &segment->lines[i / SLOTS];

    return &line->number[((line->state & 15u) + (unsigned)i % SLOTS) % SLOTS];
}

/* The pairs of a segment, half of them into a new one. False: memory is out, nothing has changed. */
static bool split(struct kp_dedup *dedup, struct kp_print print)
{
    struct slot old = *slot_of(dedup, print);
    struct segment were = *old.segment, *high;
    size_t first, span;

    if (old.depth == dedup->depth && !double_slots(dedup))
        return false;
    high = make_segment(dedup);
    if (!high)
        return false;
    span = (size_t)1 << (dedup->depth - old.depth);
    first = (size_t)(print.hi >> (64 - dedup->depth)) / span * span;
    for (size_t i = 0; i < span; i++)
        dedup->slots[first + i] = (struct slot){i < span / 2 ? old.segment : high, old.depth + 1};
    empty(dedup, old.segment);
    for (int i = 0; i < LINES * SLOTS + AHEAD; i++) {
        const struct pair *pair;
        uint32_t number;

        if (i < LINES * SLOTS && is_live(dedup, *number_in(&were, i)))
            __builtin_prefetch(pair_at(dedup, *number_in(&were, i)));
        if (i < AHEAD || !is_live(dedup, number = *number_in(&were, i - AHEAD)))
            continue;
        pair = pair_at(dedup, number);
        print = (struct kp_print){pair->hi, pair->lo};
        (void)place(dedup, slot_of(dedup, print)->segment, print, number, LINES);
    }
    return true;
}

/* Its line is full. Where no place can be made either, it takes that of the one whose turn it is. */
static __attribute__((noinline)) void place_beyond(struct kp_dedup *dedup, struct kp_print print, uint32_t number)
{
    while (!place(dedup, slot_of(dedup, print)->segment, print, number, REACH))
        if (!split(dedup, print)) {
            if (!place(dedup, slot_of(dedup, print)->segment, print, number, LINES))
                put(line_of(dedup, print), print, number);
            return;
        }
}

/* ---- Both ---- */

struct kp_dedup *kp_dedup_new(int64_t window_ms, size_t max, struct kp_err *err)
{
    struct kp_dedup *dedup = calloc(1, sizeof *dedup);
    size_t nchunks = 2;

    while (nchunks * LOG_CHUNK < max + 2 * LOG_CHUNK)
        nchunks *= 2;
    if (dedup) {
        dedup->window_s = (window_ms + 999) / 1000;
        dedup->now_ms = INT64_MIN;
        dedup->max = (uint32_t)max;
        dedup->mask = (uint32_t)nchunks - 1;
        dedup->tail = (uint32_t)-(2 * LOG_CHUNK);       /* numbers come again soon, where tests see it, and not after years */
        dedup->log = calloc(nchunks, sizeof *dedup->log);
        dedup->slots = calloc(1, sizeof *dedup->slots);
    }
    if (dedup && dedup->log && dedup->slots)
        dedup->slots[0].segment = make_segment(dedup);
    if (!dedup || !dedup->log || !dedup->slots || !dedup->slots[0].segment) {
        kp_fail(err, KP_ENOMEM, "dedup: out of memory");
        kp_dedup_destroy(&dedup);
    }
    return dedup;
}

void kp_dedup_destroy(struct kp_dedup **dedup)
{
    struct kp_dedup *d = *dedup;

    if (!d)
        return;
    for (size_t i = 0; d->log && i <= d->mask; i++)
        free(d->log[i]);
    for (size_t i = 0; i < d->nchunks; i++)
        free(d->chunks[i]);
    free(d->log);
    free(d->spare);
    free(d->slots);
    free(d->chunks);
    free(d);
    *dedup = NULL;
}

const void *kp_dedup_line(const struct kp_dedup *dedup, struct kp_print print)
{
    return line_of(dedup, print);
}

static uint32_t stamp_at(const struct kp_dedup *dedup, int64_t now_ms)
{
    int64_t s = now_ms / 1000 - dedup->base_s + 1;

    return s < 1 ? 1 : s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

/* INT64_MIN: no time is known yet. */
static uint32_t oldest_at(const struct kp_dedup *dedup, int64_t now_ms)
{
    uint32_t stamp = now_ms == INT64_MIN ? 0 : stamp_at(dedup, now_ms);

    return stamp > dedup->window_s ? (uint32_t)(stamp - dedup->window_s) : 0;
}

/* Time stands still between most pairs. */
static inline void look_at_clock(struct kp_dedup *dedup, int64_t now_ms)
{
    if (now_ms == dedup->now_ms)
        return;
    dedup->now_ms = now_ms;
    dedup->stamp = stamp_at(dedup, now_ms);
    dedup->oldest = oldest_at(dedup, now_ms);
    dedup->expires = true;
}

static void set_base(struct kp_dedup *dedup, bool has_base, int64_t base_s)
{
    dedup->has_base = has_base;
    dedup->base_s = base_s;
    dedup->now_ms = INT64_MIN;
}

/* Some of those that are too old, so that nobody waits for many. */
static void expire(struct kp_dedup *dedup)
{
    for (int i = 0; i < EXPIRE; i++) {
        dedup->expires = dedup->live && pair_at(dedup, dedup->tail)->word < dedup->oldest;
        if (!dedup->expires)
            return;
        leave_oldest(dedup);
    }
}

/* Not inlined, like what follows: in the midst of all that an event does it takes the registers of the rest (8 ns an event). */
__attribute__((noinline)) bool kp_dedup_seen(struct kp_dedup *dedup, struct kp_print print, int64_t now_ms)
{
    look_at_clock(dedup, now_ms);
    return is_known(dedup, print, dedup->oldest);
}

/* Room for one more at the log's end: its number is *number. False: there is none. */
static inline bool make_room(struct kp_dedup *dedup, uint32_t *number)
{
    if (dedup->live == dedup->max) {
        leave_oldest(dedup);
        dedup->evicted++;
    }
    *number = dedup->tail + dedup->live;
    return *number % LOG_CHUNK || begin_chunk(dedup);
}

static inline void append(struct kp_dedup *dedup, struct kp_print print, uint32_t word)
{
    struct line *line;
    uint32_t number;

    if (!make_room(dedup, &number)) {
        dedup->evicted++;
        return;
    }
    *pair_at(dedup, number) = (struct pair){print.hi, print.lo, word};
    dedup->live++;
    line = line_of(dedup, print);
    if (!is_live(dedup, line->number[line->state & 15u]))
        put(line, print, number);
    else
        place_beyond(dedup, print, number);
}

__attribute__((noinline)) void kp_dedup_add(struct kp_dedup *dedup, struct kp_print print, int64_t now_ms)
{
    if (!dedup->has_base)
        set_base(dedup, true, now_ms / 1000);
    look_at_clock(dedup, now_ms);
    if (dedup->expires)
        expire(dedup);
    append(dedup, print, dedup->stamp);
}

size_t kp_dedup_count(const struct kp_dedup *dedup)
{
    return dedup->live;
}

uint64_t kp_dedup_evicted(const struct kp_dedup *dedup)
{
    return dedup->evicted;
}

size_t kp_dedup_bytes(const struct kp_dedup *dedup)
{
    return sizeof *dedup + (dedup->nlog + dedup->nchunks) * KP_PAGES_CHUNK + ((size_t)dedup->mask + 1) * sizeof *dedup->log +
           ((size_t)1 << dedup->depth) * sizeof *dedup->slots;
}

/* ---- Saving and loading ---- */

/* Those of `n` from a number on that still count: that their word is at least `from`. */
static void save_group(const struct kp_dedup *dedup, uint32_t number, uint32_t n, uint32_t from, struct kp_save *save)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < n; i++)
        count += pair_at(dedup, number + i)->word >= from;
    if (!count)
        return;
    kp_save_u32(save, count);
    for (uint32_t i = 0; i < n; i++)
        if (pair_at(dedup, number + i)->word >= from)
            kp_save_bytes(save, pair_at(dedup, number + i), sizeof(struct pair));
}

void kp_dedup_save(const struct kp_dedup *dedup, struct kp_save *save, int64_t now_ms)
{
    uint32_t from = oldest_at(dedup, now_ms);

    kp_save_mark(save, "DEDU");
    kp_save_u8(save, dedup->has_base);
    kp_save_i64(save, dedup->base_s);
    for (uint32_t done = 0; done < dedup->live; done += GROUP)
        save_group(dedup, dedup->tail + done, dedup->live - done < GROUP ? dedup->live - done : GROUP, from, save);
    kp_save_u32(save, 0);
}

struct loaded {
    struct pair *pairs;     /* owned */
    size_t n, room;
    bool rising;            /* by their words */
};

static bool keep(struct loaded *all, const struct pair *pair)
{
    if (all->n == all->room) {
        size_t room = all->room ? all->room * 2 : GROUP;
        struct pair *grown = realloc(all->pairs, room * sizeof *grown);

        if (!grown)
            return false;
        all->pairs = grown;
        all->room = room;
    }
    all->rising &= all->n == 0 || all->pairs[all->n - 1].word <= pair->word;
    all->pairs[all->n++] = *pair;
    return true;
}

static int by_word(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;

    return (x->word > y->word) - (x->word < y->word);
}

/* The limit may be lower than it was: then the newest stay. Stores of before the log have their pairs in the order of their hashes. */
static bool put_back(struct kp_dedup *dedup, struct loaded *all, uint32_t from)
{
    uint64_t evicted = dedup->evicted;
    size_t first = all->n > dedup->max ? all->n - dedup->max : 0;

    if (!all->rising)
        qsort(all->pairs, all->n, sizeof *all->pairs, by_word);
    for (size_t i = first; i < all->n; i++) {
        struct kp_print print = {all->pairs[i].hi, all->pairs[i].lo};

        if (!is_known(dedup, print, from))
            append(dedup, print, all->pairs[i].word);
    }
    if (dedup->evicted != evicted)
        return false;       /* there was room for all of them */
    dedup->evicted += first;
    return true;
}

void kp_dedup_load(struct kp_dedup *dedup, struct kp_load *load, int64_t now_ms)
{
    struct loaded all = {.rising = true};
    bool has_base;
    int64_t base_s;
    uint32_t left, from;

    kp_load_mark(load, "DEDU");
    has_base = kp_load_u8(load) != 0;
    base_s = kp_load_i64(load);
    if (base_s < 0 || base_s > KP_TIME_MAX / 1000)
        kp_load_fail(load, "the memory of ids is of no time that kpid knows");
    if (load->failed)
        return;
    set_base(dedup, has_base, base_s);
    from = oldest_at(dedup, now_ms);
    while (!load->failed && (left = kp_load_count(load, GROUP, "ids")) > 0) {
        for (; left && !load->failed; left--) {
            struct pair pair;

            kp_load_bytes(load, &pair, sizeof pair);
            if (load->failed || pair.lo == 0)
                kp_load_fail(load, "an id is not as kpid writes it");
            else if (pair.word >= from && !keep(&all, &pair))
                kp_load_fail(load, "out of memory for ids");
        }
    }
    if (!load->failed && !put_back(dedup, &all, from))
        kp_load_fail(load, "out of memory for ids");
    free(all.pairs);
}
