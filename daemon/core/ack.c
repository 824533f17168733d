#include "kpid/ack.h"

#include "stream.h"

#include "kpid/silence.h"
#include "kpid/tab.h"

#include <stdlib.h>
#include <string.h>

struct item {
    struct kp_ack ack;      /* its texts lie in `bytes` */
    size_t size;
    char bytes[];
};

struct kp_acks {
    struct kp_tab *index;   /* owned; alert -> place in items; NULL before the first */
    struct item **items;    /* owned */
    uint32_t count, room, limit;
    uint64_t refused;
    size_t bytes;
};

struct kp_acks *kp_acks_new(uint32_t limit, struct kp_err *err)
{
    struct kp_acks *acks = calloc(1, sizeof *acks);

    if (acks)
        acks->limit = limit;
    else
        kp_fail(err, KP_ENOMEM, "acknowledgements: out of memory");
    return acks;
}

void kp_acks_destroy(struct kp_acks **acks)
{
    if (!*acks)
        return;
    for (uint32_t i = 0; i < (*acks)->count; i++)
        free((*acks)->items[i]);
    free((*acks)->items);
    kp_tab_destroy(&(*acks)->index);
    free(*acks);
    *acks = NULL;
}

static struct kp_print print_of(uint64_t alert)
{
    return kp_print_of(0, 0, &alert, sizeof alert);
}

static struct item *copy(const struct kp_ack *ack)
{
    size_t by = strlen(ack->by) + 1, comment = ack->comment ? strlen(ack->comment) + 1 : 0;
    struct item *item = malloc(sizeof *item + by + comment);

    if (!item)
        return NULL;
    *item = (struct item){.ack = *ack, .size = sizeof *item + by + comment};
    item->ack.by = memcpy(item->bytes, ack->by, by);
    if (comment)
        item->ack.comment = memcpy(item->bytes + by, ack->comment, comment);
    return item;
}

static bool grow(struct kp_acks *acks)
{
    uint32_t room = acks->room ? acks->room * 2 : 64;
    struct item **grown = realloc(acks->items, (size_t)room * sizeof(struct item *));

    if (!grown)
        return false;
    acks->items = grown;
    acks->room = room;
    return true;
}

enum kp_code kp_acks_reserve(struct kp_acks *acks, size_t more, struct kp_err *err)
{
    if (more <= acks->limit - acks->count)
        return KP_OK;
    acks->refused++;
    return kp_fail(err, KP_ELIMIT, "%zu more acknowledgements beside the %u that there are would be over limits.acks, %u", more,
                   acks->count, acks->limit);
}

enum kp_code kp_acks_put(struct kp_acks *acks, const struct kp_ack *ack, struct kp_err *err)
{
    uint32_t *at = acks->count ? kp_tab_find(acks->index, print_of(ack->alert)) : NULL;
    struct item *item;

    if (!at && kp_acks_reserve(acks, 1, err))
        return KP_ELIMIT;
    item = copy(ack);
    if (item && at) {
        struct item **place = &acks->items[*at];

        acks->bytes += item->size - (*place)->size;
        free(*place);
        *place = item;
        return KP_OK;
    }
    if (!acks->index)
        acks->index = kp_tab_new(NULL);
    if (!item || !acks->index || (acks->count == acks->room && !grow(acks)) ||
        kp_tab_insert(acks->index, print_of(ack->alert), acks->count)) {
        free(item);
        return kp_fail(err, KP_ENOMEM, "out of memory");
    }
    acks->items[acks->count++] = item;
    acks->bytes += item->size;
    return KP_OK;
}

bool kp_acks_drop(struct kp_acks *acks, uint64_t alert)
{
    uint32_t *at = acks->count ? kp_tab_find(acks->index, print_of(alert)) : NULL, place, *moved;

    if (!at)
        return false;
    place = *at;
    kp_tab_remove(acks->index, print_of(alert));
    acks->bytes -= acks->items[place]->size;
    free(acks->items[place]);
    acks->items[place] = acks->items[--acks->count];
    if (place < acks->count) {
        moved = kp_tab_find(acks->index, print_of(acks->items[place]->ack.alert));
        if (moved)
            *moved = place;
    }
    return true;
}

const struct kp_ack *kp_acks_find(const struct kp_acks *acks, uint64_t alert)
{
    const uint32_t *at = acks->count ? kp_tab_find(acks->index, print_of(alert)) : NULL;

    return at ? &acks->items[*at]->ack : NULL;
}

void kp_acks_each(const struct kp_acks *acks, void (*each)(void *ctx, const struct kp_ack *ack), void *ctx)
{
    for (uint32_t i = 0; i < acks->count; i++)
        each(ctx, &acks->items[i]->ack);
}

uint32_t kp_acks_count(const struct kp_acks *acks)
{
    return acks->count;
}

uint64_t kp_acks_refused(const struct kp_acks *acks)
{
    return acks->refused;
}

size_t kp_acks_bytes(const struct kp_acks *acks)
{
    return sizeof *acks + acks->room * sizeof(struct item *) + (acks->index ? kp_tab_bytes(acks->index) : 0) + acks->bytes;
}

/* ---- As bytes ---- */

void kp_acks_save(const struct kp_acks *acks, struct kp_save *save)
{
    kp_save_mark(save, "ACKS");
    kp_save_u32(save, acks->count);
    for (uint32_t i = 0; i < acks->count; i++) {
        const struct kp_ack *ack = &acks->items[i]->ack;

        kp_save_u64(save, ack->alert);
        kp_save_i64(save, ack->at_ms);
        kp_save_text(save, (struct kp_str){ack->by, (uint32_t)strlen(ack->by)});
        kp_save_u8(save, ack->comment != NULL);
        if (ack->comment)
            kp_save_text(save, (struct kp_str){ack->comment, (uint32_t)strlen(ack->comment)});
    }
}

void kp_acks_load(struct kp_acks *acks, struct kp_load *load)
{
    uint32_t n;

    kp_load_mark(load, "ACKS");
    n = kp_load_u32(load);
    for (uint32_t i = 0; i < n && !load->failed; i++) {
        struct kp_ack ack = {.alert = kp_load_u64(load), .at_ms = kp_load_i64(load)};
        char by[KP_BY_NAME_MAX + 1], comment[KP_COMMENT_MAX + 1];
        struct kp_str text = kp_load_text(load, by, sizeof by, "a name");
        bool ok = kp_remark_check(text, "by", KP_BY_NAME_MAX, NULL) == KP_OK;
        struct kp_err err = {0};

        ack.by = by;
        if (kp_load_u8(load)) {
            text = kp_load_text(load, comment, sizeof comment, "a comment");
            ok &= kp_remark_check(text, "comment", KP_COMMENT_MAX, NULL) == KP_OK;
            ack.comment = comment;
        }
        if (!load->failed && !ok)
            kp_load_fail(load, "an acknowledgement is not as kpid writes it");
        if (!load->failed && kp_acks_put(acks, &ack, &err) == KP_ENOMEM)
            kp_load_fail(load, "%s", err.text);
    }
}
