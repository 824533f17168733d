#include "standings.h"

#include "kpid/encode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS_AN_INTERVAL = 20000 };

void kp_standings_release(struct kp_standings *standings)
{
    free(standings->told);
    memset(standings, 0, sizeof *standings);
}

void kp_standings_begin(struct kp_standings *standings, size_t contests)
{
    kp_standings_release(standings);
    standings->told = calloc(contests + 1, sizeof *standings->told);
    standings->n = standings->next = standings->told ? contests : 0;
}

void kp_standings_due(struct kp_standings *standings, bool again)
{
    standings->again |= again;
    if (again || !kp_standings_busy(standings))
        standings->next = 0;
}

size_t kp_standings_topic(const struct kp_standings *standings, const struct kp_engine *engine, char buf[KP_STANDINGS_TOPIC])
{
    const char *name = kp_engine_config(engine)->contests[standings->next].name;

    return (size_t)snprintf(buf, KP_STANDINGS_TOPIC, "contest/%.100s/", name);
}

void kp_standings_pass(struct kp_standings *standings)
{
    if (++standings->next == standings->n)
        standings->again = false;
}

static size_t places_told(const struct kp_contest_standing *standing)
{
    return standing->n < KP_STANDINGS_PLACES ? standing->n : KP_STANDINGS_PLACES;
}

static bool same_number(double a, double b)
{
    return isnan(a) ? isnan(b) : a == b;
}

static bool is_news(const struct kp_told *told, const struct kp_contest_standing *now)
{
    const struct kp_contest_standing *then = &told->head;

    if (!told->is_known || then->state != now->state || then->is_final != now->is_final || then->n != now->n || then->of != now->of)
        return true;
    for (size_t i = 0; i < places_told(now); i++) {
        const struct kp_contest_place *a = &told->places[i], *b = &now->places[i];

        if (a->node != b->node || a->rank != b->rank || !same_number(a->value, b->value) || !same_number(a->tie, b->tie))
            return true;
    }
    return false;
}

static void note(struct kp_told *told, const struct kp_contest_standing *now)
{
    told->is_known = true;
    told->head = *now;
    told->head.places = NULL;
    if (now->n)
        memcpy(told->places, now->places, places_told(now) * sizeof *told->places);
}

bool kp_standings_look(struct kp_standings *standings, struct kp_engine *engine, struct kp_out *out, uint64_t seq, int64_t interval_ms,
                       int64_t steady_ms)
{
    const struct kp_seer seer = {.most = KP_STANDINGS_PLACES};
    struct kp_told *told = &standings->told[standings->next];
    struct kp_contest_standing now;
    bool again = standings->again;
    size_t i = standings->next;

    kp_standings_pass(standings);
    if (steady_ms < told->again_at && !again)
        return false;
    told->again_at = steady_ms + interval_ms * (kp_engine_nodes(engine) / KEYS_AN_INTERVAL);
    if (!kp_engine_standing(engine, i, &now) || (!again && !is_news(told, &now)))
        return false;
    note(told, &now);
    kp_out_clear(out);
    kp_encode_contest(out, engine, &now, seq, &seer);
    return true;
}
