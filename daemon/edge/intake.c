#include "intake.h"

#include <stdlib.h>
#include <string.h>

struct kp_intake {
    struct kp_engine *engine;           /* borrowed */
    struct kp_decoder *decoder;         /* owned */
    struct kp_intake_sink sink;
    int64_t now_ms;
    struct kp_event events[KP_APPLY_MAX];   /* waiting for the engine */
    uint32_t index[KP_APPLY_MAX];
    size_t nevents;
    struct kp_record record;            /* the message that was taken last, and what of it was denied */
    unsigned char *denied;              /* owned; its indexes, as they are journaled: as many as a message may have events */
    size_t most;                        /* of them */
    bool guarded;
    const struct kp_record *again;      /* what is taken is journaled already; NULL: it is new */
    struct kp_tally tally;
    struct kp_intake_stats stats;
};

enum kp_code kp_intake_rebind(struct kp_intake *intake, struct kp_engine *engine, struct kp_err *err)
{
    const struct kp_limits *most = &kp_engine_config(engine)->limits;
    struct kp_decode_limits limits = {most->message, most->batch, most->fields};
    struct kp_decoder *decoder = kp_decoder_new(kp_engine_schema(engine), &limits, err);
    unsigned char *denied = decoder ? realloc(intake->denied, (size_t)most->batch * KP_RECORD_INDEX) : NULL;

    if (!denied) {
        kp_decoder_destroy(&decoder);
        return kp_fail(err, KP_ENOMEM, "intake: out of memory");
    }
    intake->denied = denied;
    intake->most = most->batch;
    kp_decoder_destroy(&intake->decoder);
    intake->decoder = decoder;
    intake->engine = engine;
    return KP_OK;
}

struct kp_intake *kp_intake_new(struct kp_engine *engine, const struct kp_intake_sink *sink, struct kp_err *err)
{
    struct kp_intake *intake = calloc(1, sizeof *intake);

    if (!intake) {
        kp_fail(err, KP_ENOMEM, "intake: out of memory");
        return NULL;
    }
    if (sink)
        intake->sink = *sink;
    if (kp_intake_rebind(intake, engine, err))
        kp_intake_destroy(&intake);
    return intake;
}

void kp_intake_destroy(struct kp_intake **intake)
{
    if (!*intake)
        return;
    kp_decoder_destroy(&(*intake)->decoder);
    free((*intake)->denied);
    free(*intake);
    *intake = NULL;
}

static void count(struct kp_intake *intake, enum kp_reason reason, uint32_t index, const struct kp_event *ev)
{
    struct kp_tally *tally = &intake->tally;

    if (reason == KP_DUPLICATE) {
        intake->stats.duplicates++;
        tally->duplicates++;
        return;
    }
    intake->stats.rejected[reason]++;
    tally->rejected++;
    if (tally->nerrors < KP_TALLY_ERRORS)
        tally->errors[tally->nerrors++] = (struct kp_reject){index, reason};
    if (intake->sink.rejected)
        intake->sink.rejected(intake->sink.ctx, reason, ev);
}

/* One of many is enough to tell how far behind the senders are. What is read again comes from the journal, and not from them. */
static void note_lag(struct kp_intake *intake, const enum kp_reason *reasons)
{
    size_t i = intake->nevents;

    while (i > 0 && !(reasons[i - 1] == KP_ACCEPTED && intake->events[i - 1].has_time))
        i--;
    if (i > 0 && !intake->again)
        kp_histogram_note(&intake->stats.lag_ms, intake->now_ms - intake->events[i - 1].time_ms);
}

void kp_intake_flush(struct kp_intake *intake)
{
    const struct kp_event *events[KP_APPLY_MAX];
    enum kp_reason reasons[KP_APPLY_MAX];
    uint64_t accepted = 0;

    for (size_t i = 0; i < intake->nevents; i++)
        events[i] = &intake->events[i];
    if (intake->nevents)
        kp_engine_apply(intake->engine, events, intake->nevents, intake->now_ms, reasons);
    for (size_t i = 0; i < intake->nevents; i++) {
        accepted += reasons[i] == KP_ACCEPTED;
        if (__builtin_expect(reasons[i] != KP_ACCEPTED, 0))
            count(intake, reasons[i], intake->index[i], events[i]);
    }
    intake->stats.accepted += accepted;
    intake->tally.accepted += accepted;
    note_lag(intake, reasons);
    intake->nevents = 0;
}

/* Is the event that was just read to be left out? Of one that is journaled that is known; a new one is noted. */
static bool is_denied(struct kp_intake *intake, const struct kp_event *ev, uint32_t index)
{
    struct kp_record *record = &intake->record;

    if (intake->again) {
        if (record->ndenied == intake->again->ndenied || kp_record_index(intake->again, record->ndenied) != index)
            return false;
        record->ndenied++;
        return true;
    }
    if (!intake->guarded || !intake->sink.denies(intake->sink.ctx, ev))
        return false;
    if (record->ndenied < intake->most)     /* a message has no more events; if it had, they would be denied all the same */
        kp_record_put_index(intake->denied + (size_t)record->ndenied++ * KP_RECORD_INDEX, index);
    return true;
}

static uint32_t read_events(struct kp_intake *intake)
{
    uint32_t events = 0;

    for (;;) {
        struct kp_event *ev = &intake->events[intake->nevents];
        enum kp_reason reason;
        enum kp_next next = kp_decode_next(intake->decoder, ev, &reason);

        if (next == KP_NEXT_END)
            return events;
        if (next == KP_NEXT_EVENT && is_denied(intake, ev, kp_decode_index(intake->decoder))) {
            count(intake, KP_DENIED, kp_decode_index(intake->decoder), ev);
            continue;
        }
        if (intake->sink.read)
            intake->sink.read(intake->sink.ctx, ev);    /* of a rejected one, too: it was not lost on the way */
        if (next == KP_NEXT_REJECT) {
            count(intake, reason, kp_decode_index(intake->decoder), NULL);
            continue;
        }
        events++;
        intake->index[intake->nevents++] = kp_decode_index(intake->decoder);
        if (intake->nevents == KP_APPLY_MAX)
            kp_intake_flush(intake);
    }
}

uint32_t kp_intake_take(struct kp_intake *intake, const void *bytes, size_t len, struct kp_str topic, int64_t now_ms)
{
    enum kp_reason reason;
    uint32_t events;

    intake->now_ms = now_ms;
    intake->record.topic = topic;
    intake->record.bytes = bytes;
    intake->record.len = (uint32_t)len;
    intake->record.denied = intake->denied;
    intake->record.ndenied = 0;
    intake->stats.messages++;
    intake->stats.bytes += len;
    reason = kp_decode_begin(intake->decoder, bytes, len, topic);
    if (reason != KP_ACCEPTED)
        count(intake, reason, 0, NULL);
    events = read_events(intake);
    if (kp_decode_is_json(intake->decoder))
        kp_intake_flush(intake);    /* its strings lie in the decoder, which the next message uses anew */
    return events;
}

struct kp_record kp_intake_record(const struct kp_intake *intake)
{
    return intake->record;
}

void kp_intake_again(struct kp_intake *intake, const struct kp_record *record, int64_t now_ms)
{
    intake->again = record;
    kp_intake_take(intake, record->bytes, record->len, record->topic, now_ms);
    intake->again = NULL;
}

void kp_intake_guard(struct kp_intake *intake, bool guarded)
{
    intake->guarded = guarded && intake->sink.denies;
}

void kp_intake_refuse(struct kp_intake *intake, enum kp_reason reason)
{
    intake->stats.messages++;
    count(intake, reason, 0, NULL);
}

bool kp_intake_is_json(const struct kp_intake *intake)
{
    return kp_decode_is_json(intake->decoder);
}

const struct kp_tally *kp_intake_tally(const struct kp_intake *intake)
{
    return &intake->tally;
}

void kp_intake_clear(struct kp_intake *intake)
{
    intake->tally.accepted = intake->tally.duplicates = intake->tally.rejected = 0;
    intake->tally.nerrors = 0;
}

const struct kp_intake_stats *kp_intake_stats(const struct kp_intake *intake)
{
    return &intake->stats;
}
