#include "template.h"

#include "kpid/message.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_tree.h>

/* Behind those of kpid's messages. */
enum {
    PH_MESSAGE = KP_PLACEHOLDERS, PH_COACHING, PH_STATE, PH_CHANGE, PH_SINCE, PH_TIME, PH_REASON, PH_MEMBERS, PH_COMPARISON,
    PH_ID, PH_COUNT
};
static const char *const own_names[] = {"message", "coaching", "state", "change", "since", "time", "reason", "members",
                                        "comparison", "id"};

const char *template_placeholder(int i)
{
    return i < KP_PLACEHOLDERS ? kp_placeholder_name(i) : i < PH_COUNT ? own_names[i - KP_PLACEHOLDERS] : NULL;
}

static int find(const char *name, size_t len)
{
    for (int i = 0; i < PH_COUNT; i++) {
        const char *known = template_placeholder(i);

        if (strlen(known) == len && memcmp(known, name, len) == 0)
            return i;
    }
    return -1;
}

/* The texts, one behind the other in a buffer. */
struct texts {
    struct text all;
    size_t at[PH_COUNT];
};

static void begin(struct texts *texts, int placeholder)
{
    texts->at[placeholder] = texts->all.len;
}

static void set(struct texts *texts, int placeholder, const char *text)
{
    begin(texts, placeholder);
    text_put(&texts->all, text, strlen(text) + 1);
}

static void set_number(struct texts *texts, int placeholder, double value, const char *unit)
{
    char buf[64];

    kp_number_text(value, !isnan(value), unit, buf, sizeof buf);
    set(texts, placeholder, buf);
}

static void set_numbers(struct texts *texts, const struct alert *alert)
{
    bool by_share = strcmp(alert->compare, "value") != 0 && *alert->compare;
    char n[24];

    set_number(texts, KP_PH_VALUE, alert->value, alert->unit);
    set_number(texts, KP_PH_TARGET, alert->target, alert->unit);
    set_number(texts, KP_PH_EXPECTED, alert->expected, alert->unit);
    set_number(texts, KP_PH_PERCENT, alert->ratio, "%");
    set_number(texts, KP_PH_RATIO, alert->ratio, NULL);
    set_number(texts, KP_PH_THRESHOLD, alert->threshold, by_share ? "%" : alert->unit);
    snprintf(n, sizeof n, "%lld", (long long)alert->n);
    set(texts, KP_PH_N, n);
}

static void set_members(struct texts *texts, const struct alert *alert)
{
    begin(texts, PH_MEMBERS);
    for (size_t i = 0; i < alert->nmembers; i++)
        text_addf(&texts->all, "%s%s", i ? ", " : "", alert->members[i]);
    if (alert->more_members)
        text_addf(&texts->all, " and %zu more", alert->more_members);
    text_put(&texts->all, "", 1);
}

static void set_all(struct texts *texts, const struct alert *alert, enum change change, const struct zone_said *zone)
{
    char place[ALERT_PLACE], buf[48];

    text_put(&texts->all, "", 1);       /* at 0: what has no text */
    set(texts, KP_PH_NAME, alert->name);
    set(texts, KP_PH_KEY, alert->key);
    set(texts, KP_PH_ENTITY, alert->entity);
    set(texts, KP_PH_LEVEL, alert->level);
    set(texts, KP_PH_PATH, alert_place(alert, place));
    set(texts, KP_PH_KPI, alert->kpi);
    set(texts, KP_PH_TITLE, alert->title);
    set(texts, KP_PH_UNIT, alert->unit);
    set(texts, KP_PH_WINDOW, alert->window);
    set(texts, KP_PH_SEVERITY, alert_severity_name(alert->severity));
    set(texts, KP_PH_RULE, alert->rule);
    set_numbers(texts, alert);
    set(texts, PH_MESSAGE, alert->message);
    set(texts, PH_COACHING, alert->coaching);
    set(texts, PH_STATE, alert_state_name(alert->state));
    set(texts, PH_CHANGE, change_name(change));
    set(texts, PH_SINCE, wording_time(zone->zone, alert->since_ms, buf));
    set(texts, PH_TIME, wording_time(zone->zone, alert->time_ms, buf));
    set(texts, PH_REASON, alert->reason);
    set(texts, PH_ID, alert->id);
    set_members(texts, alert);
    begin(texts, PH_COMPARISON);
    wording_comparison(alert, &texts->all);
    text_put(&texts->all, "", 1);
}

/* Copy a template; what stands for a placeholder is put by `put`. */
static void walk(const char *template, struct text *out, void (*put)(void *ctx, int placeholder, struct text *out), void *ctx)
{
    while (*template) {
        size_t plain = strcspn(template, "{"), name;
        int placeholder;

        text_put(out, template, plain);
        template += plain;
        if (!*template)
            return;
        name = strspn(template + 1, "abcdefghijklmnopqrstuvwxyz_");
        placeholder = template[1 + name] == '}' ? find(template + 1, name) : -1;
        if (placeholder < 0) {
            text_put(out, template++, 1);
            continue;
        }
        put(ctx, placeholder, out);
        template += name + 2;
    }
}

struct filling {
    const struct texts *texts;
    enum escape escape;
};

static void put_text(void *ctx, int placeholder, struct text *out)
{
    const struct filling *filling = ctx;

    text_escape(out, text_of(&filling->texts->all) + filling->texts->at[placeholder], filling->escape);
}

/* {"text": the subject, and what might help} */
static void fill_default(const struct alert *alert, enum change change, bool slack, struct text *out)
{
    struct text said = {0};

    wording_subject(alert, change, READER_OTHERS, &said);
    if (*alert->coaching && change != CHANGE_RESOLVED)
        text_addf(&said, "\n%s", alert->coaching);
    text_add(out, "{\"text\": \"");
    text_escape(out, text_of(&said), slack ? ESCAPE_SLACK : ESCAPE_JSON);
    text_add(out, "\"}");
    out->failed |= said.failed;
    text_release(&said);
}

void template_fill(const char *template, const struct alert *alert, enum change change, const struct zone_said *zone,
                   bool slack, struct text *out)
{
    struct texts texts = {0};
    struct filling filling = {&texts, slack ? ESCAPE_SLACK : ESCAPE_JSON};

    if (!template) {
        fill_default(alert, change, slack, out);
        return;
    }
    set_all(&texts, alert, change, zone);
    if (texts.all.failed)
        out->failed = true;
    else
        walk(template, out, put_text, &filling);
    text_release(&texts.all);
}

/* ---- Checking ---- */

/* What no place outside of a string can take for JSON. */
static void put_sample(void *ctx, int placeholder, struct text *out)
{
    (void)ctx;
    (void)placeholder;
    text_add(out, "x y");
}

static enum kp_code check_names(const char *template, struct kp_err *err)
{
    for (const char *at = strchr(template, '{'); at; at = strchr(at + 1, '{')) {
        size_t name = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz_");

        if (name && at[1 + name] == '}' && find(at + 1, name) < 0)
            return kp_fail(err, KP_EINVAL, "unknown placeholder \"{%.*s}\"", (int)(name < 60 ? name : 60), at + 1);
    }
    return KP_OK;
}

enum kp_code template_check(const char *template, struct kp_err *err)
{
    enum kp_code code = check_names(template, err);
    struct text sample = {0};
    char why[128] = "";
    yajl_val tree;

    if (code)
        return code;
    walk(template, &sample, put_sample, NULL);
    tree = sample.failed ? NULL : yajl_tree_parse(text_of(&sample), why, sizeof why);
    why[strcspn(why, "\n")] = '\0';
    text_release(&sample);
    if (!tree)
        return kp_fail(err, KP_EINVAL, "is no JSON with its placeholders within strings: %s", why);
    yajl_tree_free(tree);
    return KP_OK;
}
