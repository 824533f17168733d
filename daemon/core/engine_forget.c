/* Whoever is to be forgotten. */
#include "engine_inside.h"

#include "schema.h"

#include "kpid/forget.h"

#include <stdlib.h>

static struct kp_str str_of(const char *text)
{
    return (struct kp_str){text, (uint32_t)strlen(text)};
}

static bool is_text(struct kp_str text, const char *other)
{
    return strlen(other) == text.len && memcmp(text.s, other, text.len) == 0;
}

/* ---- Whom ---- */

/* Fields that name somebody or something of theirs, whether a KPI asks for them or not: raw events have them. */
static bool is_usual(struct kp_str field)
{
    static const char *const usual[] = {"rep", "client", "lead", "deal"};

    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (is_text(field, usual[i]))
            return true;
    return false;
}

static bool is_of_roster(const struct kp_plan *plan, struct kp_str field)
{
    int level = kp_plan_find_level(plan, field.s, field.len);

    return level >= 0 && level <= plan->nlevels;
}

static enum kp_code check_field(const struct kp_plan *plan, struct kp_str field, struct kp_err *err)
{
    int slot = kp_schema_find(plan->schema, field.s, field.len);

    if ((is_of_roster(plan, field) && !is_text(field, "rep")) || (slot >= 0 && slot < KP_SLOT_FREE && slot != KP_SLOT_REP))
        return kp_fail(err, KP_EINVAL, "\"%.*s\" names nobody", (int)field.len, field.s);
    if (slot < 0 && !is_usual(field))
        return kp_fail(err, KP_EINVAL, "no KPI asks for a field \"%.*s\"", field.len > 64 ? 64 : (int)field.len, field.s);
    return KP_OK;
}

enum kp_code kp_engine_whom(const struct kp_engine *engine, struct kp_str field, struct kp_str key, struct kp_forget *who,
                            struct kp_err *err)
{
    const struct kp_plan *plan = engine->plan;
    const char *reps = kp_plan_level_name(plan, plan->nlevels);
    uint32_t node;

    *who = (struct kp_forget){.field = field.len && !is_text(field, reps) ? field : str_of("rep"), .level = {"", 0}, .key = key};
    if (key.len == 0 || key.len >= KP_GROUP_KEY_MAX || !kp_text_ok(key))
        return kp_fail(err, KP_EINVAL, "\"key\" is a text of up to %d bytes", KP_GROUP_KEY_MAX - 1);
    if (check_field(plan, who->field, err))
        return KP_EINVAL;
    if (!is_text(who->field, "rep"))
        return KP_OK;
    who->level = str_of(reps);
    node = kp_store_find_rep(&engine->store, kp_store_rep_print(&engine->store, key));
    if (node != KP_NO_NODE && kp_store_node(&engine->store, node)->flags & KP_NODE_MEMBER)
        return kp_fail(err, KP_EINVAL, "\"%.*s\" stands in the roster: take them off it and reload first", (int)key.len, key.s);
    return KP_OK;
}

/* ---- Keys ---- */

static bool is_theirs(const struct kp_engine *engine, const struct kp_forget *who, uint32_t node)
{
    const struct kp_node_hot *hot = kp_store_node(&engine->store, node);
    const struct kp_node_cold *cold = kp_store_cold(&engine->store, node);

    return hot->flags & KP_NODE_LIVE && !(hot->flags & KP_NODE_MEMBER) &&
           kp_forget_is_key(who, str_of(kp_plan_level_name(engine->plan, hot->level)), (struct kp_str){cold->key, cold->key_len});
}

/* Those that are going, former places or others. Returns how many there were. */
static uint32_t forget_going(struct kp_engine *engine, bool former)
{
    uint32_t forgotten = 0;

    for (uint32_t node = 0; node < engine->store.made; node++) {
        uint8_t flags = kp_store_node(&engine->store, node)->flags;

        if (!(flags & KP_NODE_GOING) || !(flags & KP_NODE_FORMER) == former)
            continue;
        kp_alerts_forget(engine->alerts, node, engine->now_ms);
        kp_store_forget(&engine->store, node);
        forgotten++;
    }
    return forgotten;
}

/* One look at each key, each entity and each event that is remembered, however many keys are theirs. */
static uint32_t forget_keys(struct kp_engine *engine, const struct kp_forget *who)
{
    bool any = false;

    for (uint32_t node = 0; node < engine->store.made; node++) {
        if (!is_theirs(engine, who, node))
            continue;
        kp_store_node(&engine->store, node)->flags |= KP_NODE_GOING;
        any = true;
    }
    if (!any)
        return 0;
    if (engine->entities)
        kp_entities_hand_on(engine->entities);
    kp_recent_forget(engine->recent, &engine->store);
    forget_going(engine, true);     /* they hold those that they belong to */
    return forget_going(engine, false);
}

/* ---- Silences ---- */

/* Of them alone; a key without a level is a rep's. */
static bool is_about(const struct kp_forget *who, const struct kp_matchers *matchers)
{
    const struct kp_matcher *key = &matchers->fields[KP_MATCH_KEY], *level = &matchers->fields[KP_MATCH_LEVEL];
    bool is_group = matchers->npath > 1 && matchers->path[0].len && matchers->path[0].s[0] == '@';

    if (key->text.s && !key->prefix && kp_forget_is_key(who, level->text.s && !level->prefix ? level->text : who->level, key->text))
        return true;
    return matchers->npath && !matchers->path_prefix &&
           kp_forget_is_key(who, is_group ? matchers->path[0] : who->level, matchers->path[matchers->npath - 1]);
}

struct about {
    const struct kp_forget *who;
    uint64_t *ids;
    uint32_t n;
};

static void collect(void *ctx, const struct kp_silence *silence, bool active)
{
    struct about *about = ctx;

    (void)active;
    if (is_about(about->who, &silence->matchers))
        about->ids[about->n++] = silence->id;
}

static uint32_t forget_silences(struct kp_silences *silences, const struct kp_forget *who)
{
    struct about about = {.who = who, .ids = calloc((size_t)kp_silences_count(silences) + 1, sizeof *about.ids)};

    if (about.ids)
        kp_silences_each(silences, collect, &about);
    for (uint32_t i = 0; i < about.n; i++)
        kp_silences_end(silences, about.ids[i]);
    free(about.ids);
    return about.n;
}

/* ---- All of it ---- */

struct kp_forgotten kp_engine_forget(struct kp_engine *engine, const struct kp_forget *who)
{
    struct kp_forgotten forgotten = {0};

    engine->touched = KP_NO_NODE;
    if (engine->entities)
        forgotten.entities = kp_entities_forget(engine->entities, who);
    forgotten.keys = forget_keys(engine, who);
    forgotten.silences = forget_silences(engine->silences, who);
    engine->version++;
    return forgotten;
}
