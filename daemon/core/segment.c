#include "segment.h"

#include "pages.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 28, PER_CHUNK = (int)(KP_PAGES_CHUNK / sizeof(struct kp_segment)) };

static struct kp_segment *cut(struct kp_directory *dir)
{
    if (dir->nchunks == 0 || dir->cut == PER_CHUNK) {
        void **grown = realloc(dir->chunks, (dir->nchunks + 1) * sizeof(*grown));

        if (!grown)
            return NULL;
        dir->chunks = grown;
        grown[dir->nchunks] = kp_pages_chunk();
        if (!grown[dir->nchunks])
            return NULL;
        dir->nchunks++;
        dir->cut = 0;
    }
    return (struct kp_segment *)dir->chunks[dir->nchunks - 1] + dir->cut++;
}

static struct kp_segment *make(struct kp_directory *dir, uint32_t depth)
{
    struct kp_segment *seg = dir->free;

    if (seg) {
        memcpy(&dir->free, seg->entries, sizeof dir->free);
        memset(seg, 0, sizeof *seg);
    } else {
        seg = cut(dir);     /* a chunk is zeroed */
    }
    if (!seg)
        return NULL;
    seg->depth = depth;
    return seg;
}

static void give_back(struct kp_directory *dir, struct kp_segment *seg)
{
    if (!seg)
        return;
    memcpy(seg->entries, &dir->free, sizeof dir->free);
    dir->free = seg;
}

enum kp_code kp_directory_init(struct kp_directory *dir, struct kp_err *err)
{
    memset(dir, 0, sizeof *dir);
    dir->segments = malloc(sizeof(struct kp_segment *));
    if (dir->segments)
        dir->segments[0] = make(dir, 0);
    if (!dir->segments || !dir->segments[0])
        return kp_fail(err, KP_ENOMEM, "table: out of memory");
    dir->nsegments = 1;
    return KP_OK;
}

void kp_directory_release(struct kp_directory *dir)
{
    for (size_t i = 0; i < dir->nchunks; i++)
        free(dir->chunks[i]);
    free(dir->chunks);
    free(dir->segments);
    memset(dir, 0, sizeof *dir);
}

/* A free place of a line, NULL: it is full. */
static struct kp_entry *free_place(struct kp_segment *seg, uint32_t line)
{
    struct kp_entry *e = &seg->entries[line * KP_LINE];
    unsigned places = kp_line_free(e);

    return places ? &e[__builtin_ctz(places)] : NULL;
}

void kp_segment_put(struct kp_segment *seg, struct kp_print print, uint32_t word)
{
    uint32_t line = kp_segment_home(print.hi);
    struct kp_entry *place;

    while ((place = free_place(seg, line)) == NULL)
        line = (line + 1) & (KP_LINES - 1);
    *place = (struct kp_entry){print.hi, print.lo, word};
    seg->count++;
}

/* An entry of `line` that would rather be in the line of the hole; NULL: none. */
static struct kp_entry *strayed(struct kp_segment *seg, uint32_t line, uint32_t hole)
{
    struct kp_entry *e = &seg->entries[line * KP_LINE];

    for (int i = 0; i < KP_LINE; i++)
        if (e[i].lo && ((line - kp_segment_home(e[i].hi)) & (KP_LINES - 1)) >= ((line - hole) & (KP_LINES - 1)))
            return &e[i];
    return NULL;
}

/* A hole in a line that was full may hide what strayed beyond it, so the next stray that belongs there fills it. */
void kp_segment_remove(struct kp_segment *seg, struct kp_entry *entry)
{
    uint32_t hole = (uint32_t)(entry - seg->entries) / KP_LINE;
    bool was_full = free_place(seg, hole) == NULL;

    seg->count--;
    for (uint32_t line = (hole + 1) & (KP_LINES - 1); was_full; line = (line + 1) & (KP_LINES - 1)) {
        struct kp_entry *stray = strayed(seg, line, hole);

        was_full = free_place(seg, line) == NULL;
        if (!stray)
            continue;
        *entry = *stray;
        entry = stray;
        hole = line;
    }
    *entry = (struct kp_entry){0};
}

static enum kp_code double_directory(struct kp_directory *dir)
{
    size_t slots = (size_t)1 << dir->depth;
    struct kp_segment **grown;

    if (dir->depth == DEPTH_MAX)
        return KP_ENOMEM;
    grown = malloc(slots * 2 * sizeof(*grown));
    if (!grown)
        return KP_ENOMEM;
    for (size_t i = 0; i < slots; i++)
        grown[2 * i] = grown[2 * i + 1] = dir->segments[i];
    free(dir->segments);
    dir->segments = grown;
    dir->depth++;
    return KP_OK;
}

enum kp_code kp_directory_split(struct kp_directory *dir, struct kp_print print)
{
    struct kp_segment *old = kp_directory_segment(dir, print), *low, *high;
    size_t first, span;

    if (old->depth == dir->depth && double_directory(dir))
        return KP_ENOMEM;
    low = make(dir, old->depth + 1);
    high = make(dir, old->depth + 1);
    if (!low || !high) {
        give_back(dir, low);
        give_back(dir, high);
        return KP_ENOMEM;
    }
    for (uint32_t i = 0; i < KP_SEGMENT_SIZE; i++) {
        const struct kp_entry *e = &old->entries[i];

        if (e->lo)
            kp_segment_put(e->hi >> (63 - old->depth) & 1 ? high : low, (struct kp_print){e->hi, e->lo}, e->word);
    }
    span = (size_t)1 << (dir->depth - old->depth);
    first = (size_t)(dir->depth ? print.hi >> (64 - dir->depth) : 0) / span * span;
    for (size_t i = 0; i < span; i++)
        dir->segments[first + i] = i < span / 2 ? low : high;
    give_back(dir, old);
    dir->nsegments++;
    return KP_OK;
}

size_t kp_directory_bytes(const struct kp_directory *dir)
{
    return dir->nchunks * KP_PAGES_CHUNK + ((size_t)1 << dir->depth) * sizeof(struct kp_segment *);
}
