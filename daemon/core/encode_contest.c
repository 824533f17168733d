/* The message of a contest. */
#include "encode_inside.h"

#include <string.h>

static void put_text(struct kp_out *out, const char *key, const char *text)
{
    kp_out_text(out, key);
    kp_out_text(out, text);
}

static void put_int(struct kp_out *out, const char *key, int64_t value)
{
    kp_out_text(out, key);
    kp_out_int(out, value);
}

static const char *unit_of(const struct kp_engine *engine, const struct kp_contest_cfg *cfg)
{
    const char *kpi = cfg->terms[0].kpi;

    return cfg->weighted ? "points" : kp_engine_config(engine)->kpis[kp_engine_find_kpi(engine, kpi, strlen(kpi))].unit;
}

static enum kp_seen seen(const struct kp_seer *seer, uint32_t node)
{
    return seer->sees ? seer->sees(seer->ctx, node) : KP_SEEN_ALL;
}

static void put_standing(struct kp_out *out, struct kp_engine *engine, const struct kp_contest_place *place, enum kp_seen how)
{
    kp_out_map(out, how == KP_SEEN_ALL ? 7 : how == KP_SEEN_VALUE ? 3 : 1);
    kp_out_text(out, "rank");
    if (place->rank)
        kp_out_uint(out, place->rank);
    else
        kp_out_nil(out);
    if (how == KP_SEEN_ALL)
        kp_encode_place(out, engine, place->node);
    if (how != KP_SEEN_RANK) {
        kp_out_text(out, "value");
        kp_out_real(out, place->value);
        kp_out_text(out, "tie");
        kp_out_real(out, place->tie);
    }
    kp_out_end(out);
}

static bool is_told(const struct kp_seer *seer, size_t i, enum kp_seen how)
{
    return i < seer->most || (seer->sees && how == KP_SEEN_ALL);
}

static void put_places(struct kp_out *out, struct kp_engine *engine, const struct kp_contest_standing *standing,
                       const struct kp_seer *seer)
{
    size_t told = 0;

    for (size_t i = 0; i < standing->n; i++)
        told += is_told(seer, i, seen(seer, standing->places[i].node));
    kp_out_text(out, "standing");
    kp_out_array(out, told);
    for (size_t i = 0; i < standing->n; i++) {
        enum kp_seen how = seen(seer, standing->places[i].node);

        if (is_told(seer, i, how))
            put_standing(out, engine, &standing->places[i], how);
    }
    kp_out_end(out);
}

void kp_encode_contest(struct kp_out *out, struct kp_engine *engine, const struct kp_contest_standing *standing, uint64_t seq,
                       const struct kp_seer *seer)
{
    static const char *const states[] = {"coming", "running", "over"};
    const struct kp_contest_cfg *cfg = standing->cfg;

    kp_out_map(out, 15);
    kp_encode_head(out, "contest", seq);
    put_int(out, "time", kp_engine_now(engine) < 0 ? 0 : kp_engine_now(engine));
    put_text(out, "name", cfg->name);
    put_text(out, "title", cfg->title ? cfg->title : cfg->name);
    put_int(out, "from", cfg->from_ms);
    put_int(out, "to", cfg->to_ms);
    put_text(out, "state", states[standing->state]);
    kp_out_text(out, "final");
    kp_out_bool(out, standing->is_final);
    put_text(out, "among", cfg->level);
    put_text(out, "unit", unit_of(engine, cfg));
    put_int(out, "of", standing->of);
    put_int(out, "places", (int64_t)standing->n);
    put_places(out, engine, standing, seer);
    kp_out_end(out);
}
