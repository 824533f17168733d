#include "journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STUCK_MS = 10000,       /* a transaction that lasts longer is as good as a failure */
    HELD_MAX = 200000,      /* answers that wait: beyond, nothing is taken in */
    LARGE = 1 << 20,        /* bytes of a chunk */
};

struct kp_journal {
    struct kp_storage *storage;     /* borrowed */
    struct kp_outbox *outbox;       /* owned */
    struct kp_chunk *chunk;         /* of this turn; NULL: there is no room for one */
    enum kp_journal_mode mode;
    uint64_t pushed, committed;
    uint64_t unjournaled;
    bool hole, full, wants_checkpoint;
    char error[320];
};

struct kp_journal *kp_journal_new(struct kp_storage *storage, struct kp_err *err)
{
    struct kp_journal *journal = calloc(1, sizeof *journal);
    struct kp_storage_view view;

    if (!journal) {
        kp_fail(err, KP_ENOMEM, "journal: out of memory");
        return NULL;
    }
    journal->storage = storage;
    journal->outbox = kp_outbox_new(err);
    if (!journal->outbox) {
        kp_journal_destroy(&journal);
        return NULL;
    }
    kp_storage_view(storage, &view);
    journal->pushed = view.pushed;
    journal->committed = view.committed;
    journal->mode = KP_JOURNAL_OPEN;
    return journal;
}

void kp_journal_destroy(struct kp_journal **journal)
{
    if (!*journal)
        return;
    if ((*journal)->chunk)
        kp_storage_discard((*journal)->storage, (*journal)->chunk);
    kp_outbox_destroy(&(*journal)->outbox);
    free(*journal);
    *journal = NULL;
}

static enum kp_journal_mode mode_of(struct kp_journal *journal, const struct kp_storage_view *view)
{
    if (view->failing) {
        snprintf(journal->error, sizeof journal->error, "storage: %s", view->error);
        return KP_JOURNAL_BROKEN;
    }
    if (view->stuck_ms > STUCK_MS) {
        snprintf(journal->error, sizeof journal->error, "storage: the disk has not answered for %lld s",
                 (long long)view->stuck_ms / 1000);
        return KP_JOURNAL_BROKEN;
    }
    return journal->chunk && kp_outbox_count(journal->outbox) < HELD_MAX ? KP_JOURNAL_OPEN : KP_JOURNAL_FULL;
}

enum kp_journal_mode kp_journal_begin(struct kp_journal *journal, int64_t now_ms)
{
    struct kp_storage_view view;

    if (!journal)
        return KP_JOURNAL_NONE;
    kp_storage_view(journal->storage, &view);
    journal->committed = view.committed;
    journal->full = view.journal_full;
    journal->wants_checkpoint = view.wants_checkpoint;
    if (!journal->chunk)
        journal->chunk = kp_storage_blank(journal->storage);
    if (journal->chunk)
        journal->chunk->at_ms = now_ms;
    journal->mode = mode_of(journal, &view);
    return journal->mode;
}

enum kp_journal_mode kp_journal_mode(const struct kp_journal *journal)
{
    return journal ? journal->mode : KP_JOURNAL_NONE;
}

const char *kp_journal_error(const struct kp_journal *journal)
{
    return journal->error;
}

/* What is in no chunk is in a hole of the journal. */
static void put(struct kp_journal *journal, const struct kp_record *record)
{
    struct kp_chunk *chunk = journal->chunk;
    unsigned char head[KP_RECORD_HEAD], tail[KP_RECORD_TAIL];
    size_t topic_at, n = kp_record_head(record, head, &topic_at), before = chunk ? chunk->len : 0;

    if (chunk && kp_chunk_put(chunk, head, topic_at) && kp_chunk_put(chunk, record->topic.s, record->topic.len) &&
        kp_chunk_put(chunk, head + topic_at, n - topic_at) && kp_chunk_put(chunk, record->bytes, record->len) &&
        kp_chunk_put(chunk, tail, kp_record_tail(record, tail)) &&
        kp_chunk_put(chunk, record->denied, (size_t)record->ndenied * KP_RECORD_INDEX))
        return;
    if (chunk)
        chunk->len = before;
    if (chunk)      /* else it is known to fail already */
        snprintf(journal->error, sizeof journal->error, "storage: memory is out");
    journal->mode = KP_JOURNAL_BROKEN;      /* nothing more of this turn may be promised */
    journal->unjournaled++;
    journal->hole = true;
}

void kp_journal_message(struct kp_journal *journal, const struct kp_record *record, uint32_t events, bool awaited)
{
    if (!journal)
        return;
    put(journal, record);
    if (journal->chunk)
        journal->chunk->events += events;
    if (journal->chunk && awaited)
        journal->chunk->flags |= KP_CHUNK_AWAITED;
}

void kp_journal_request(struct kp_journal *journal, const void *bytes, size_t len)
{
    if (!journal)
        return;
    put(journal, &(struct kp_record){.is_request = true, .topic = {"", 0}, .bytes = bytes, .len = (uint32_t)len});
    if (journal->chunk)
        journal->chunk->flags |= KP_CHUNK_AWAITED;
}

void kp_journal_settled(struct kp_journal *journal)
{
    if (journal && journal->chunk)
        journal->chunk->flags |= KP_CHUNK_SETTLED;
    else if (journal)
        journal->hole = true;
}

void kp_journal_alert(struct kp_journal *journal, const char *json, size_t len)
{
    if (!journal || !journal->chunk)
        return;
    if (!kp_chunk_alert(journal->chunk, json, len))
        journal->hole = true;
    journal->chunk->flags |= KP_CHUNK_SETTLED | KP_CHUNK_AWAITED;
}

bool kp_journal_is_large(const struct kp_journal *journal)
{
    return journal && journal->chunk && journal->chunk->len >= LARGE;
}

static bool is_blank(const struct kp_chunk *chunk)
{
    return chunk->len == 0 && !(chunk->flags & KP_CHUNK_SETTLED);
}

void kp_journal_end(struct kp_journal *journal)
{
    if (!journal || !journal->chunk || is_blank(journal->chunk))
        return;
    journal->pushed = kp_storage_push(journal->storage, journal->chunk);
    journal->chunk = NULL;
}

uint64_t kp_journal_position(const struct kp_journal *journal)
{
    return journal ? journal->pushed + (journal->chunk && !is_blank(journal->chunk)) : 0;
}

uint64_t kp_journal_committed(const struct kp_journal *journal)
{
    return journal ? journal->committed : 0;
}

struct kp_outbox *kp_journal_outbox(struct kp_journal *journal)
{
    return journal && journal->mode != KP_JOURNAL_BROKEN ? journal->outbox : NULL;
}

struct kp_outbox *kp_journal_waiting(struct kp_journal *journal)
{
    return journal->outbox;
}

bool kp_journal_is_full(const struct kp_journal *journal)
{
    return journal && journal->full;
}

bool kp_journal_wants_checkpoint(const struct kp_journal *journal)
{
    return journal && journal->wants_checkpoint;
}

bool kp_journal_has_hole(const struct kp_journal *journal)
{
    return journal && journal->hole;
}

void kp_journal_mend(struct kp_journal *journal)
{
    journal->hole = false;
}

uint64_t kp_journal_unjournaled(const struct kp_journal *journal)
{
    return journal ? journal->unjournaled : 0;
}
