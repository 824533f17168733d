/* The memory of entities: for each lead, deal, client ... what is kept of its events, in bounded room.
 *
 * An entity is one value of a space's field. It is found by fingerprint, one look for each event and field however many KPIs
 * follow it. Its history holds only what can still matter (see kp_track); at most KP_HISTORY_MAX occurrences.
 *
 * Cost: 64 bytes an entity, its name where alerts tell it, some 27 in the index, 4 a timer that its space has, and 48 to 96
 * an occurrence, with 32 to 128 more when its event's id is longer than 16 bytes; measured, 149 with one of 48 bytes, 245
 * with two. At the limit the entity goes that was longest without an event among those with nothing left to come (a deal
 * that is closed, a lead that has converted), else among the others; what it has added to panes stays, what it was open
 * with ends. */
#ifndef KPID_CORE_ENTITY_H
#define KPID_CORE_ENTITY_H

#include "image.h"
#include "track.h"

#include "kpid/forget.h"

struct kp_entities;

/* A change of the numbers: a sample goes, or comes, or one takes the place of another that differs in its value alone; NULL:
 * none goes, or comes. Called from within kp_entities_tell and kp_entities_ripen. */
struct kp_entity_sink {
    void (*change)(void *ctx, const struct kp_trace *gone, const struct kp_trace *come);
    void *ctx;
};

struct kp_entities *kp_entities_new(struct kp_store *store, uint32_t limit, const struct kp_entity_sink *sink,
                                    struct kp_err *err) KP_CHECK;
void kp_entities_destroy(struct kp_entities **entities);

/* Fingerprint of an entity. */
struct kp_print kp_entity_print(const struct kp_entities *entities, int space, const struct kp_value *value);
/* For whoever looks ahead, one after the other: the line that a find reads first, for __builtin_prefetch; the entity, UINT32_MAX
 * when it is new, whose head is fetched; then what its head leads to. */
const void *kp_entity_line(const struct kp_entities *entities, struct kp_print print);
uint32_t kp_entity_ahead(const struct kp_entities *entities, struct kp_print print);
void kp_entity_fetch(const struct kp_entities *entities, uint32_t entity);

/* Room for the next occurrence of a space, to be filled in and told: with an id (which may be empty), its values
 * KP_NO_VALUE, its nodes KP_NO_NODE. Good until the next call of anything. */
struct kp_occurrence *kp_entities_blank(struct kp_entities *entities, int space, struct kp_str id);
/* Tell the blank to the entity. value: what the print is of. horizon: as for kp_track. False: memory is out, and something was
 * lost. */
bool kp_entities_tell(struct kp_entities *entities, int space, struct kp_print print, const struct kp_value *value, int64_t horizon);

/* For the sink: whose change it is. A small integer, that is used again once the entity is forgotten. */
uint32_t kp_entities_current(const struct kp_entities *entities);
/* Its value as text, of the spaces that have names; cut where it would be longer. */
enum { KP_ENTITY_NAME = 256 };
const char *kp_entities_name(const struct kp_entities *entities, uint32_t entity);

/* When time alone changes something; INT64_MAX: never. */
int64_t kp_entities_due(const struct kp_entities *entities);
/* Let happen what is due by t, in order, at most `most` of it. True: there is more. */
bool kp_entities_ripen(struct kp_entities *entities, int64_t t, int64_t horizon, size_t most);

/* Hand out the samples that entities have now, of the outlets of the plan that are wanted. */
void kp_entities_each(struct kp_entities *entities, int64_t horizon, const bool *wanted,
                      void (*each)(void *ctx, const struct kp_trace *trace), void *ctx);

/* Forget those that somebody is: what they have added to panes stays, what they were open with ends. Returns how many. */
uint32_t kp_entities_forget(struct kp_entities *entities, const struct kp_forget *who);
/* What was credited to those that are going (KP_NODE_GOING) is credited to what they stand under from now on; to none where they are
 * groups. The panes stay: they are the caller's. Only where something stands is told anew. */
void kp_entities_hand_on(struct kp_entities *entities);

/* As bytes, and back into an empty one; either may be NULL, where nothing is followed. What loading changes is in the panes already. */
void kp_entities_save(const struct kp_entities *entities, const struct kp_plan *plan, struct kp_save *save);
void kp_entities_load(struct kp_entities *entities, struct kp_store *store, struct kp_load *load, struct kp_image_map *map);

struct kp_entities_stats {
    uint32_t count;
    uint64_t evicted;           /* entities forgotten for want of room */
    uint64_t forgotten;         /* occurrences, of entities with too many */
    size_t bytes, occurrences;
};
void kp_entities_stats(const struct kp_entities *entities, struct kp_entities_stats *stats);

#endif
