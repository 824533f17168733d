#include "floor.h"

#include "kpid/zone.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SOURCE_PBX, SOURCE_MAIL, SOURCE_CRM };

enum { NUMBERS = 60000 /* of deals and leads that belong to a seed, before those of the next one begin */, FORGOTTEN = 2 };

#define HOUR_MS INT64_C(3600000)
#define PER_HOUR 22.0       /* events of a rep in an hour of usual pace, so that there is always something to be seen */
#define PER_HOUR_PAST 6.5   /* and as it was, so that most reach what a day is to bring */

static const char *const stages[] = {"rapport", "qualifying", "expectations", "questions", "pain",    "desires",
                                     "money",   "presenting", "asking",       "concerns",  "won"};
enum { STAGES = sizeof stages / sizeof *stages };

/* ---- Chance: xoroshiro128+ (Blackman, Vigna 2018), seeded by splitmix64 ---- */

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static uint64_t draw(struct floor *f)
{
    uint64_t a = f->random[0], b = f->random[1], sum = a + b;

    b ^= a;
    f->random[0] = rotate(a, 24) ^ b ^ (b << 16);
    f->random[1] = rotate(b, 37);
    return sum;
}

static double chance(struct floor *f)
{
    return (double)(draw(f) >> 11) / 9007199254740992.0;
}

static unsigned pick(struct floor *f, unsigned n)
{
    return (unsigned)(chance(f) * n);
}

static uint64_t split(uint64_t *x)
{
    uint64_t z = *x += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* ---- Who ---- */

static void hire(struct floor *f, size_t i, const struct kp_config *config)
{
    struct floor_rep *rep = &f->reps[i];
    const struct kp_member *member = config ? &config->roster.members[i] : NULL;
    double luck = chance(f);

    if (member) {
        rep->key = member->place[config->roster.nlevels - 1];
        rep->region = config->roster.nlevels > 1 ? member->place[0] : NULL;
        for (size_t a = 0; a < member->nattrs; a++)
            rep->hunts |= strcmp(member->attrs[a].key, "role") == 0 && strcmp(member->attrs[a].value, "sdr") == 0;
    } else {
        snprintf(rep->made, sizeof rep->made, "rep-%04u", (unsigned)(i % 10000));
        if (i >= 10000)
            snprintf(rep->made, sizeof rep->made, "rep-%07u", (unsigned)i);
        rep->key = rep->made;
        rep->hunts = i % 2 == 1;
    }
    rep->pace = i % 5 == 3 ? 0.15 : 0.7 + 0.6 * luck;
    rep->goes_silent = i == f->count / 3;
    if (rep->goes_silent)
        rep->pace = 1;
    if (!rep->hunts && rep->pace > 0.5 && !rep->goes_silent) {
        rep->is_on_a_streak = f->closers == 0;
        rep->forgets_one = f->closers == 1;
        f->closers++;
    }
    if (rep->is_on_a_streak)
        rep->pace = 1.4;
    f->sums[i] = rep->pace + (i ? f->sums[i - 1] : 0);
}

bool floor_init(struct floor *floor, const struct kp_config *config, size_t count, uint64_t seed, int64_t start_ms)
{
    uint64_t x = seed;

    memset(floor, 0, sizeof *floor);
    floor->count = config ? config->roster.nmembers : count;
    floor->seed = seed;
    floor->deals = floor->leads = (uint32_t)((seed ? seed - 1 : 0) % NUMBERS * NUMBERS);
    floor->start_ms = floor->now_ms = start_ms;
    floor->random[0] = split(&x);
    floor->random[1] = split(&x);
    floor->reps = calloc(floor->count + 1, sizeof *floor->reps);
    floor->sums = calloc(floor->count + 1, sizeof *floor->sums);
    if (!floor->reps || !floor->sums)
        return false;
    for (size_t i = 0; i < floor->count; i++)
        hire(floor, i, config);
    return true;
}

void floor_release(struct floor *floor)
{
    free(floor->reps);
    free(floor->sums);
    memset(floor, 0, sizeof *floor);
}

static struct floor_rep *somebody(struct floor *f)
{
    double at = chance(f) * f->sums[f->count - 1];
    size_t lo = 0, hi = f->count - 1;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (f->sums[mid] <= at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return &f->reps[lo];
}

/* ---- When ---- */

/* How busy an hour of the day is; 0 when nobody works. */
static double busy(int64_t at_ms)
{
    static const double by_hour[24] = {[8] = 0.5, 1.0, 1.3, 1.2, 0.5, 0.8, 1.1, 1.2, 1.0, 0.4};
    int64_t day = at_ms / KP_DAY_MS;

    return kp_weekday(day) >= 5 ? 0 : by_hour[at_ms % KP_DAY_MS / HOUR_MS];
}

int64_t floor_next(struct floor *floor)
{
    int64_t skipped = 0;

    for (;;) {
        double rate = busy(floor->now_ms) * (floor->is_past ? PER_HOUR_PAST : PER_HOUR) * floor->sums[floor->count - 1];   /* an hour */
        int64_t hour_ends = floor->now_ms - floor->now_ms % HOUR_MS + HOUR_MS;
        int64_t wait;

        if (rate == 0) {
            skipped += hour_ends - floor->now_ms;
            floor->now_ms = hour_ends;
            continue;
        }
        wait = (int64_t)(-log(1 - chance(floor)) / rate * HOUR_MS) + 1;
        if (floor->now_ms + wait < hour_ends) {
            floor->now_ms += wait;
            return skipped;
        }
        floor->now_ms = hour_ends;
    }
}

/* ---- What ---- */

static void put_pair(struct kp_out *out, const char *key, const char *value)
{
    kp_out_text(out, key);
    kp_out_text(out, value);
}

static void put_number(struct kp_out *out, const char *key, double v)
{
    kp_out_text(out, key);
    kp_out_real(out, v);
}

/* id, source, seq, type, time and, if somebody did it, rep: what every event has. */
static void put_head(struct floor *f, struct kp_out *out, int source, const char *type, int64_t time_ms,
                     const struct floor_rep *rep, size_t more)
{
    static const char *const sources[] = {"pbx-1", "mail", "crm"};
    char id[48];

    kp_out_map(out, 5u + (rep != NULL) + more);
    snprintf(id, sizeof id, "%llx-%llu", (unsigned long long)f->seed, (unsigned long long)++f->made);
    put_pair(out, "id", id);
    put_pair(out, "source", sources[source]);
    kp_out_text(out, "seq");
    kp_out_uint(out, ++f->seq[source]);
    put_pair(out, "type", type);
    kp_out_text(out, "time");
    kp_out_int(out, time_ms);
    if (rep)
        put_pair(out, "rep", rep->key);
}

static void put_named(struct kp_out *out, const char *key, const char *prefix, uint32_t number)
{
    char name[24];

    snprintf(name, sizeof name, "%s-%u", prefix, number);
    put_pair(out, key, name);
}

static void put_client(struct floor *f, struct kp_out *out)
{
    put_named(out, "client", "c", pick(f, (unsigned)(f->count * 20 + 1)) % 4000);
}

static const char *direction(bool inbound)
{
    return inbound ? "inbound" : "outbound";
}

/* Somebody to call or to write to: a lead as a rule, NULL for anybody else. */
static const struct floor_lead *somebody_new(struct floor *f, const struct floor_rep *rep)
{
    const struct floor_lead *lead = &rep->leads[pick(f, FLOOR_LEADS)];

    return lead->number && chance(f) < 0.8 ? lead : NULL;
}

static void put_call(struct floor *f, struct kp_out *out, const struct floor_rep *rep, int64_t time_ms, bool inbound)
{
    static const char *const missed[] = {"no_answer", "busy", "voicemail"};
    bool connected = inbound || chance(f) < 0.45;
    double seconds = connected ? floor(20 + 240 * -log(1 - chance(f))) : floor(5 + 20 * chance(f));
    const struct floor_lead *lead = inbound ? NULL : somebody_new(f, rep);
    bool automated = lead && chance(f) < 0.1;       /* a dialler's attempt */

    put_head(f, out, SOURCE_PBX, "call", time_ms, rep, 4u + (lead != NULL) + automated);
    put_pair(out, "direction", direction(inbound));
    if (lead)
        put_named(out, "lead", "l", lead->number);
    if (automated) {
        kp_out_text(out, "automated");
        kp_out_bool(out, true);
    }
    put_pair(out, "outcome", connected ? "connected" : missed[pick(f, 3)]);
    put_number(out, "duration", seconds > 3600 ? 3600 : seconds);
    put_client(f, out);
    kp_out_end(out);
}

static void put_email(struct floor *f, struct kp_out *out, const struct floor_rep *rep, int64_t time_ms)
{
    bool inbound = chance(f) < 0.25;
    const struct floor_lead *lead = somebody_new(f, rep);

    put_head(f, out, SOURCE_MAIL, "email", time_ms, rep, 3u + (lead != NULL));
    put_pair(out, "direction", direction(inbound));
    if (lead)
        put_named(out, "lead", "l", lead->number);
    put_pair(out, "outcome", inbound ? "replied" : "sent");
    put_client(f, out);
    kp_out_end(out);
}

static void put_lead(struct floor *f, struct kp_out *out, struct floor_rep *rep, int64_t time_ms)
{
    static const char *const channels[] = {"web", "referral", "fair", "list"};
    struct floor_lead *lead = &rep->leads[pick(f, FLOOR_LEADS)];    /* who stood there is given up */

    *lead = (struct floor_lead){++f->leads, chance(f) < 0.6};
    put_head(f, out, SOURCE_CRM, "lead", time_ms, rep, 3);
    put_named(out, "lead", "l", lead->number);
    put_pair(out, "direction", direction(lead->inbound));
    put_pair(out, "channel", channels[pick(f, 4)]);
    kp_out_end(out);
}

static void put_meeting(struct floor *f, struct kp_out *out, const struct floor_rep *rep, int64_t time_ms)
{
    put_head(f, out, SOURCE_CRM, "meeting", time_ms, rep, 3);
    put_pair(out, "outcome", "connected");
    put_number(out, "duration", 1800 + 600 * pick(f, 4));
    put_client(f, out);
    kp_out_end(out);
}

static void put_cost(struct floor *f, struct kp_out *out, const struct floor_rep *rep, int64_t time_ms)
{
    static const char *const campaigns[] = {"spring", "search-ads", "trade-fair"};

    put_head(f, out, SOURCE_CRM, "cost", time_ms, NULL, 2u + (rep->region != NULL));
    if (rep->region)
        put_pair(out, "region", rep->region);
    put_pair(out, "campaign", campaigns[pick(f, 3)]);
    put_number(out, "amount", floor(chance(f) * 9000) / 100);
    kp_out_end(out);
}

static void put_stage(struct floor *f, struct kp_out *out, const struct floor_rep *rep, int64_t time_ms,
                      const struct floor_deal *deal, const char *stage, const char *from)
{
    bool abroad = rep->region && strcmp(rep->region, "amer") == 0;

    put_head(f, out, SOURCE_CRM, "stage", time_ms, rep, 5u + (from != NULL) + abroad);
    put_named(out, "deal", "d", deal->number);
    put_pair(out, "stage", stage);
    if (from)
        put_pair(out, "from_stage", from);
    put_named(out, "lead", "l", deal->lead);
    put_named(out, "client", "c", deal->number % 4000);      /* clients come back */
    put_number(out, "amount", floor(50000 + (deal->number * 2654435761u % 450000)) / 100);
    if (abroad)
        put_pair(out, "currency", "USD");
    kp_out_end(out);
}

/* A new deal is one of the leads; where there is none, one is found first. */
static void begin_deal(struct floor *f, struct kp_out *out, struct floor_rep *rep, int64_t time_ms, struct floor_deal *deal)
{
    struct floor_lead *lead = &rep->leads[pick(f, FLOOR_LEADS)];

    if (lead->number == 0) {
        put_lead(f, out, rep, time_ms);
        return;
    }
    *deal = (struct floor_deal){.number = ++f->deals, .lead = lead->number};
    lead->number = 0;
    put_stage(f, out, rep, time_ms, deal, stages[0], NULL);
}

static unsigned pick_deal(struct floor *f, const struct floor_rep *rep)
{
    unsigned place = pick(f, FLOOR_DEALS);

    if (!rep->forgets_one)
        return place;
    if (rep->deals[0].stage < FORGOTTEN)
        return 0;           /* soon, so that it stands still for long */
    return place ? place : 1;
}

/* Some deal of the rep goes a step on, now and then skipping one or going back one, or is lost; a free place begins a new one.
 * Rarely the last one won is taken back: the client didn't sign after all. */
static void put_step(struct floor *f, struct kp_out *out, struct floor_rep *rep, int64_t time_ms)
{
    struct floor_deal *deal = &rep->deals[pick_deal(f, rep)];
    const char *before = stages[deal->stage];

    if (rep->won.number && chance(f) < 0.005) {
        put_stage(f, out, rep, time_ms, &rep->won, "lost", "won");
        rep->won.number = 0;
    } else if (deal->number == 0) {
        begin_deal(f, out, rep, time_ms, deal);
    } else if (chance(f) < (rep->is_on_a_streak ? 0.01 : 0.07)) {
        put_stage(f, out, rep, time_ms, deal, "lost", before);
        deal->number = 0;
    } else {
        double luck = chance(f);
        int step = luck < 0.1 ? 2 : luck < 0.15 && deal->stage > 0 ? -1 : 1;

        deal->stage = (uint8_t)(deal->stage + step >= STAGES ? STAGES - 1 : deal->stage + step);
        put_stage(f, out, rep, time_ms, deal, stages[deal->stage], before);
        if (deal->stage == STAGES - 1) {
            rep->won = *deal;
            deal->number = 0;
        }
    }
}

void floor_put(struct floor *floor, struct kp_out *out, int64_t time_ms)
{
    struct floor_rep *rep = somebody(floor);
    double what = chance(floor);

    while (rep->goes_silent && !floor->is_past && floor->now_ms - floor->start_ms > HOUR_MS && floor->count > 1) {
        rep = somebody(floor);      /* the one who has fallen silent: somebody else does it */
    }
    if (what < (rep->hunts ? 0.62 : 0.40))
        put_call(floor, out, rep, time_ms, false);
    else if (what < 0.68)
        put_call(floor, out, rep, time_ms, true);
    else if (what < 0.82)
        put_email(floor, out, rep, time_ms);
    else if (what < 0.85)
        put_lead(floor, out, rep, time_ms);
    else if (what < 0.87)
        put_meeting(floor, out, rep, time_ms);
    else if (what < 0.89)
        put_cost(floor, out, rep, time_ms);
    else
        put_step(floor, out, rep, time_ms);
}
