/* contests: who leads, as far as whoever asks may know. */
#include "control_inside.h"

#include "kpid/encode.h"

enum { PLACES_MAX = 10000 };    /* told of one contest, beside those who are seen by name */

/* Of the others no more than that they are there, unless `peers: anonymous` allows their numbers. */
static enum kp_seen sees(void *ctx, uint32_t node)
{
    const struct kp_control *control = ctx;

    if (kp_control_sees(control, &control->who, node))
        return KP_SEEN_ALL;
    return kp_control_sees_beside(control, &control->who, node) ? KP_SEEN_VALUE : KP_SEEN_RANK;
}

void kp_control_contests(struct kp_control *control, struct kp_out *out)
{
    struct kp_engine *engine = control->world.engine;
    const struct kp_seer seer = {kp_control_sees_all(&control->who) ? NULL : sees, control, PLACES_MAX};
    struct kp_publish_stats pub;
    size_t n = kp_engine_contests(engine);

    kp_publish_stats(control->world.publish, &pub);
    kp_reply_begin(out, 2);
    kp_reply_now(out, engine);
    kp_out_text(out, "contests");
    kp_out_array(out, n);
    for (size_t i = 0; i < n; i++) {
        struct kp_contest_standing standing;

        if (!kp_engine_standing(engine, i, &standing)) {
            kp_reply_error(out, "out of memory");
            return;
        }
        kp_encode_contest(out, engine, &standing, pub.seq, &seer);
    }
    kp_out_end(out);
    kp_out_end(out);
}
