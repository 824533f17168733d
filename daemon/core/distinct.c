#include "kpid/sketch.h"

#include "image.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { REGISTER_BITS = 12, REGISTERS = 1 << REGISTER_BITS, RANK_MAX = 64 - REGISTER_BITS + 1, LIST_MAX = 11 };

/* Exact: n hashes in `room` places, 0 for a free one: up to LIST_MAX places a list, beyond that a hash table of at most
 * three quarters. Otherwise (room 0): REGISTERS of a byte each. */
struct kp_distinct {
    uint32_t n, room;
    union {
        uint64_t hashes[1];
        uint8_t registers[8];
    };
};

static size_t size_of(uint32_t room)
{
    return offsetof(struct kp_distinct, hashes) + (room ? room * sizeof(uint64_t) : REGISTERS);
}

static struct kp_distinct *make(struct kp_slab *slab, uint32_t room)
{
    struct kp_distinct *d;

    if (room) {
        size_t real = kp_slab_class(size_of(room));

        room = (uint32_t)((real - offsetof(struct kp_distinct, hashes)) / sizeof(uint64_t));
    }
    d = kp_slab_alloc(slab, size_of(room));
    if (!d)
        return NULL;
    memset(d, 0, size_of(room));
    d->room = room;
    return d;
}

void kp_distinct_free(struct kp_distinct **d, struct kp_slab *slab)
{
    if (*d)
        kp_slab_free(slab, *d, size_of((*d)->room));
    *d = NULL;
}

static uint8_t *registers(struct kp_distinct *d)
{
    return (uint8_t *)d + offsetof(struct kp_distinct, registers);
}

static void count_hash(struct kp_distinct *d, uint64_t hash)
{
    uint8_t *r = &registers(d)[hash >> (64 - REGISTER_BITS)];
    uint64_t rest = hash << REGISTER_BITS;
    uint8_t rank = rest ? (uint8_t)(__builtin_clzll(rest) + 1) : RANK_MAX;

    if (rank > *r)
        *r = rank;
}

static enum kp_code to_registers(struct kp_distinct **d, struct kp_slab *slab)
{
    struct kp_distinct *big = make(slab, 0);

    if (!big)
        return KP_ENOMEM;
    for (uint32_t i = 0; i < (*d)->room; i++)
        if ((*d)->hashes[i])
            count_hash(big, (*d)->hashes[i]);
    kp_distinct_free(d, slab);
    *d = big;
    return KP_OK;
}

/* Where the hash is, or the free place that it would take; NULL: a full list without it. */
static uint64_t *place_of(struct kp_distinct *d, uint64_t hash)
{
    uint64_t *at = d->hashes, *end = d->hashes + d->room;

    if (d->room > LIST_MAX)
        at += ((hash >> 32) * d->room) >> 32;
    for (uint32_t i = 0; i < d->room; i++) {
        if (*at == hash || *at == 0)
            return at;
        if (++at == end)
            at = d->hashes;
    }
    return NULL;
}

const void *kp_distinct_line(const struct kp_distinct *d, uint64_t hash)
{
    if (d->room == 0)
        return (const uint8_t *)d + offsetof(struct kp_distinct, registers) + (hash >> (64 - REGISTER_BITS));
    return d->hashes + (d->room > LIST_MAX ? ((hash >> 32) * d->room) >> 32 : 0);
}

static bool is_full(const struct kp_distinct *d)
{
    return d->room > LIST_MAX ? d->n >= d->room / 4 * 3 : d->n == d->room;
}

static enum kp_code grow(struct kp_distinct **d, struct kp_slab *slab)
{
    struct kp_distinct *bigger = make(slab, (*d)->room < LIST_MAX ? (*d)->room + 1 : (*d)->room + (*d)->room / 2);

    if (!bigger)
        return KP_ENOMEM;
    bigger->n = (*d)->n;
    for (uint32_t i = 0; i < (*d)->room; i++) {
        uint64_t *place = (*d)->hashes[i] ? place_of(bigger, (*d)->hashes[i]) : NULL;

        if (place)
            *place = (*d)->hashes[i];
    }
    kp_distinct_free(d, slab);
    *d = bigger;
    return KP_OK;
}

enum kp_code kp_distinct_add(struct kp_distinct **d, struct kp_slab *slab, uint64_t hash)
{
    enum kp_code code = KP_OK;
    uint64_t *at;

    if (!*d)
        *d = make(slab, 1);
    if (!*d)
        return KP_ENOMEM;
    hash = hash ? hash : 1;     /* 0 marks a free place */
    if ((*d)->room == 0) {
        count_hash(*d, hash);
        return KP_OK;
    }
    at = place_of(*d, hash);
    if (at && *at == hash)
        return KP_OK;
    if ((*d)->n == KP_DISTINCT_EXACT) {
        code = to_registers(d, slab);
        if (!code)
            count_hash(*d, hash);
        return code;
    }
    if (is_full(*d)) {
        code = grow(d, slab);
        if (code)
            return code;
        at = place_of(*d, hash);
    }
    assert(at);     /* what is not full has a place */
    *at = hash;
    (*d)->n++;
    return KP_OK;
}

static struct kp_distinct *copy_of(const struct kp_distinct *d, struct kp_slab *slab)
{
    struct kp_distinct *copy = kp_slab_alloc(slab, size_of(d->room));

    if (copy)
        memcpy(copy, d, size_of(d->room));
    return copy;
}

enum kp_code kp_distinct_merge(struct kp_distinct **into, struct kp_slab *slab, const struct kp_distinct *from)
{
    enum kp_code code = KP_OK;

    if (!from)
        return KP_OK;
    if (!*into)
        return (*into = copy_of(from, slab)) ? KP_OK : KP_ENOMEM;
    if (from->room) {
        for (uint32_t i = 0; !code && i < from->room; i++)
            if (from->hashes[i])
                code = kp_distinct_add(into, slab, from->hashes[i]);
        return code;
    }
    if ((*into)->room && (code = to_registers(into, slab)) != KP_OK)
        return code;
    for (int i = 0; i < REGISTERS; i++) {
        uint8_t theirs = registers((struct kp_distinct *)(uintptr_t)from)[i];

        if (theirs > registers(*into)[i])
            registers(*into)[i] = theirs;
    }
    return KP_OK;
}

/* ---- Saving and loading ---- */

enum { SAVED_NONE, SAVED_HASHES, SAVED_REGISTERS };

void kp_distinct_save(const struct kp_distinct *d, struct kp_save *save)
{
    if (!d) {
        kp_save_u8(save, SAVED_NONE);
    } else if (d->room == 0) {
        kp_save_u8(save, SAVED_REGISTERS);
        kp_save_bytes(save, (const uint8_t *)d + offsetof(struct kp_distinct, registers), REGISTERS);
    } else {
        kp_save_u8(save, SAVED_HASHES);
        kp_save_u16(save, (uint16_t)d->n);
        for (uint32_t i = 0; i < d->room; i++)
            if (d->hashes[i])
                kp_save_u64(save, d->hashes[i]);
    }
}

static bool load_registers(struct kp_distinct **d, struct kp_slab *slab, struct kp_load *load)
{
    bool ok = true;

    *d = make(slab, 0);
    if (!*d)
        return false;
    kp_load_bytes(load, registers(*d), REGISTERS);
    for (int i = 0; i < REGISTERS; i++)
        ok &= registers(*d)[i] <= RANK_MAX;
    return ok && !load->failed;
}

static bool load_hashes(struct kp_distinct **d, struct kp_slab *slab, struct kp_load *load)
{
    uint32_t n = kp_load_u16(load);

    if (load->failed || n == 0 || n > KP_DISTINCT_EXACT)
        return false;
    *d = make(slab, n <= LIST_MAX ? n : n / 3 * 4 + 4);
    if (!*d)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t hash = kp_load_u64(load), *at = hash ? place_of(*d, hash) : NULL;

        if (!at || *at == hash)
            return false;       /* each is written once, and 0 is none */
        *at = hash;
        (*d)->n++;
    }
    return !load->failed;
}

void kp_distinct_load(struct kp_distinct **d, struct kp_slab *slab, struct kp_load *load)
{
    uint8_t kind = kp_load_u8(load);

    *d = NULL;
    if (kind == SAVED_NONE || (kind == SAVED_HASHES && load_hashes(d, slab, load)) ||
        (kind == SAVED_REGISTERS && load_registers(d, slab, load)))
        return;
    kp_distinct_free(d, slab);
    kp_load_fail(load, "a sketch of different values is not as kpid writes it, or memory is out");
}

/* Ertl 2017, algorithms 5 and 6. */
static double sigma(double x)
{
    double y = 1, z = x, before;

    if (x == 1)
        return (double)INFINITY;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

static double tau(double x)
{
    double y = 1, z = 1 - x, before;

    if (x == 0 || x == 1)
        return 0;
    do {
        x = sqrt(x);
        before = z;
        y /= 2;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

/* Neighbours are often equal, and a count that has just been written is slow to read: so each of four has its own. */
static void count_ranks(const uint8_t *r, uint32_t by_rank[RANK_MAX + 1])
{
    uint32_t part[4][RANK_MAX + 1] = {0};

    for (int i = 0; i < REGISTERS; i += 4)
        for (int k = 0; k < 4; k++)
            part[k][r[i + k]]++;
    for (int rank = 0; rank <= RANK_MAX; rank++)
        for (int k = 0; k < 4; k++)
            by_rank[rank] += part[k][rank];
}

double kp_distinct_count(const struct kp_distinct *d)
{
    uint32_t by_rank[RANK_MAX + 1] = {0};
    double z;

    if (!d)
        return 0;
    if (d->room)
        return d->n;
    count_ranks(registers((struct kp_distinct *)(uintptr_t)d), by_rank);
    z = REGISTERS * tau(1 - (double)by_rank[RANK_MAX] / REGISTERS);
    for (int k = RANK_MAX - 1; k >= 1; k--)
        z = (z + by_rank[k]) / 2;
    z += REGISTERS * sigma((double)by_rank[0] / REGISTERS);
    return (double)REGISTERS * REGISTERS / (2 * 0.6931471805599453) / z;
}
