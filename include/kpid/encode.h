/* The messages that kpid sends: one place knows their keys, so that a snapshot and a query cannot disagree. */
#ifndef KPID_ENCODE_H
#define KPID_ENCODE_H

#include "kpid/contest.h"
#include "kpid/out.h"

/* What of a key is wanted; NULL lists: everything. */
struct kp_wanted {
    const struct kp_str *kpis;
    size_t nkpis;
    const struct kp_str *windows;
    size_t nwindows;
};

/* Append the map of a key's snapshot. pass: as kp_engine_read takes it. wanted may be NULL. */
void kp_encode_snapshot(struct kp_out *out, struct kp_engine *engine, uint32_t node, uint64_t seq, bool full,
                        uint32_t pass, const struct kp_wanted *wanted);

/* The same of a peer of whoever asks, of whom nothing may be told but the numbers and their ranks: no key, no name, and of the path
 * only the part that they share. */
void kp_encode_peer(struct kp_out *out, struct kp_engine *engine, uint32_t node, uint64_t seq, uint32_t pass,
                    const struct kp_wanted *wanted);

/* Append the map of an explanation of a node's number. */
void kp_encode_explanation(struct kp_out *out, struct kp_engine *engine, uint32_t node, const struct kp_explanation *why);

/* Append the map of an alert. */
void kp_encode_alert(struct kp_out *out, struct kp_engine *engine, const struct kp_alert *alert, uint64_t seq);

/* Whom somebody may be told of, in a standing. */
enum kp_seen { KP_SEEN_RANK, KP_SEEN_VALUE, KP_SEEN_ALL };     /* that there is somebody; with what; and who it is */
struct kp_seer {
    enum kp_seen (*sees)(void *ctx, uint32_t node);     /* NULL: all of all */
    void *ctx;
    size_t most;        /* places, and beyond them those who are seen by name */
};
/* Append the map of a contest. */
void kp_encode_contest(struct kp_out *out, struct kp_engine *engine, const struct kp_contest_standing *standing, uint64_t seq,
                       const struct kp_seer *seer);

/* A message whose number is not known yet is encoded with this one; then the number is put into its bytes, which become shorter in
 * JSON. Returns the new length. */
#define KP_SEQ_LATER UINT64_MAX
size_t kp_encode_seq(void *bytes, size_t len, bool json, uint64_t seq);

/* "alert" or "pending": the kind of topic that it belongs on. */
const char *kp_encode_alert_kind(const struct kp_alert *alert);

#endif
