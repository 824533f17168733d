#include "alert.h"

#include "object.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define INSTANT_END INT64_C(253402300800000)    /* the year 10000 begins */

static const char *const states[] = {"pending", "firing", "resolved"};
static const char *const severities[] = {"warning", "critical"};

const char *alert_severity_name(enum alert_severity severity)
{
    return severities[severity];
}

const char *alert_state_name(enum alert_state state)
{
    return states[state == ALERT_GROUPED ? ALERT_RESOLVED : state];
}

/* ---- Reading ---- */

static char *clean(const msgpack_object *object, char *buf, size_t size)
{
    bool is_text = object && object->type == MSGPACK_OBJECT_STR;

    return text_clean(is_text ? object->via.str.ptr : "", is_text ? object->via.str.size : 0, buf, size);
}

static double number(const msgpack_object *map, const char *key)
{
    double found = NAN;

    object_number(object_get(map, key), &found);
    return found;
}

static int64_t whole(const msgpack_object *map, const char *key)
{
    double found = number(map, key);

    return found >= -9e15 && found <= 9e15 ? (int64_t)found : 0;
}

/* From 1970 to 9999, as it can be written down; 0: it is none. */
static int64_t instant(const msgpack_object *map, const char *key)
{
    int64_t at_ms = whole(map, key);

    return at_ms >= 0 && at_ms < INSTANT_END ? at_ms : 0;
}

static bool flag(const msgpack_object *map, const char *key)
{
    return object_true(object_get(map, key));
}

/* One of two or three words. False: none of them. */
static bool word(const msgpack_object *object, const char *const *words, int count, int *value)
{
    for (int i = 0; i < count; i++) {
        if (object_is(object, words[i])) {
            *value = i;
            return true;
        }
    }
    return false;
}

static bool read_path(const msgpack_object *parts, char path[ALERT_PATH])
{
    char raw[ALERT_PATH];
    size_t len;

    if (!object_topic(parts, raw, sizeof raw, &len))
        return false;
    text_clean(raw, len, path, ALERT_PATH);
    return strlen(path) + 4 <= ALERT_PATH;      /* cleaned it may be longer, and must find room when it is read again */
}

static void read_members(const msgpack_object *list, struct alert *alert)
{
    size_t count = object_count(list);

    for (size_t i = 0; i < count && i < ALERT_MEMBERS; i++)
        clean(&list->via.array.ptr[i], alert->members[alert->nmembers++], ALERT_NAME);
    alert->more_members = count > ALERT_MEMBERS ? count - ALERT_MEMBERS : 0;
}

/* Two ids must not become one by being cut or cleaned. */
static bool is_id(const msgpack_object *object, const char *id)
{
    const char *letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

    return *id && id[strspn(id, letters)] == '\0' && object->via.str.size == strlen(id);
}

static void read_texts(const msgpack_object *map, struct alert *alert)
{
    const struct {
        const char *key;
        char *into;
        size_t size;
    } texts[] = {
        {"id", alert->id, sizeof alert->id},
        {"rule", alert->rule, sizeof alert->rule},
        {"kpi", alert->kpi, sizeof alert->kpi},
        {"window", alert->window, sizeof alert->window},
        {"level", alert->level, sizeof alert->level},
        {"key", alert->key, sizeof alert->key},
        {"name", alert->name, sizeof alert->name},
        {"title", alert->title, sizeof alert->title},
        {"unit", alert->unit, sizeof alert->unit},
        {"compare", alert->compare, sizeof alert->compare},
        {"entity", alert->entity, sizeof alert->entity},
        {"reason", alert->reason, sizeof alert->reason},
        {"message", alert->message, sizeof alert->message},
        {"coaching", alert->coaching, sizeof alert->coaching},
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        clean(object_get(map, texts[i].key), texts[i].into, texts[i].size);
    if (!*alert->title)
        memcpy(alert->title, alert->kpi, sizeof alert->title);
    if (!*alert->name)
        memcpy(alert->name, *alert->key ? alert->key : alert->level, sizeof alert->name);
}

bool alert_read(const msgpack_object *map, struct alert *alert)
{
    const msgpack_object *acked = object_get(map, "acked_by");
    int state, severity;

    memset(alert, 0, sizeof *alert);
    if (!object_is(object_get(map, "kind"), "alert") || !word(object_get(map, "state"), states, 3, &state) ||
        !word(object_get(map, "severity"), severities, 2, &severity))
        return false;
    read_texts(map, alert);
    alert->state = state == ALERT_RESOLVED && strcmp(alert->reason, "grouped") == 0 ? ALERT_GROUPED : (enum alert_state)state;
    alert->severity = (enum alert_severity)severity;
    alert->value = number(map, "value");
    alert->target = number(map, "target");
    alert->expected = number(map, "expected");
    alert->ratio = number(map, "ratio");
    alert->threshold = number(map, "threshold");
    alert->p = number(map, "p");
    alert->n = whole(map, "n");
    alert->since_ms = instant(map, "since");
    alert->time_ms = instant(map, "time");
    alert->seq = (uint64_t)whole(map, "seq");
    alert->acked = acked && acked->type == MSGPACK_OBJECT_STR && acked->via.str.size > 0;
    alert->silenced = flag(map, "silenced");
    alert->flapping = flag(map, "flapping");
    read_members(object_get(map, "members"), alert);
    return read_path(object_get(map, "path"), alert->path) && is_id(object_get(map, "id"), alert->id) && *alert->rule;
}

/* ---- What the daemon's configuration adds ---- */

static const msgpack_object *named(const msgpack_object *list, const char *name)
{
    for (size_t i = 0; i < object_count(list); i++)
        if (object_is(object_get(&list->via.array.ptr[i], "name"), name))
            return &list->via.array.ptr[i];
    return NULL;
}

void alert_describe(struct alert *alert, const msgpack_object *config)
{
    const msgpack_object *kpi = named(object_get(config, "kpis"), alert->kpi);
    const msgpack_object *rule = named(object_get(config, "alerts"), alert->rule);
    char title[ALERT_NAME];

    if (*clean(object_get(kpi, "title"), title, sizeof title))
        memcpy(alert->title, title, sizeof title);
    if (kpi)
        clean(object_get(kpi, "unit"), alert->unit, sizeof alert->unit);
    if (rule)
        clean(object_get(rule, "compare"), alert->compare, sizeof alert->compare);
    if (alert->nmembers) {              /* it counts heads, whatever the rule counts */
        snprintf(alert->compare, sizeof alert->compare, "group");
        alert->unit[0] = '\0';
    }
}

/* ---- Keeping ---- */

static void pack_number(msgpack_packer *packer, const char *key, double value)
{
    pack_text(packer, key);
    if (isnan(value))
        msgpack_pack_nil(packer);
    else
        msgpack_pack_double(packer, value);
}

static void pack_whole(msgpack_packer *packer, const char *key, int64_t value)
{
    pack_text(packer, key);
    msgpack_pack_int64(packer, value);
}

static void pack_pair(msgpack_packer *packer, const char *key, const char *text)
{
    pack_text(packer, key);
    pack_text(packer, text);
}

/* The path in its parts again: a part may hold %XX, which is what a part's / was made into. */
static void pack_path(msgpack_packer *packer, const char *path)
{
    char part[ALERT_PATH];
    size_t parts = *path != '\0';

    for (const char *p = path; *p; p++)
        parts += *p == '/';
    pack_text(packer, "path");
    msgpack_pack_array(packer, parts);
    for (; parts > 0; parts--) {
        size_t n = 0;

        for (; *path && *path != '/'; path++) {
            unsigned code;

            if (*path == '%' && path[1] && path[2] && sscanf(path + 1, "%2X", &code) == 1) {
                part[n++] = (char)code;
                path += 2;
            } else {
                part[n++] = *path;
            }
        }
        msgpack_pack_str_with_body(packer, part, n);
        path += *path == '/';
    }
}

static void pack_members(msgpack_packer *packer, const struct alert *alert)
{
    pack_text(packer, "members");
    msgpack_pack_array(packer, alert->nmembers + alert->more_members);
    for (size_t i = 0; i < alert->nmembers + alert->more_members; i++)
        pack_text(packer, i < alert->nmembers ? alert->members[i] : "");
}

void alert_pack(const struct alert *alert, msgpack_sbuffer *buffer)
{
    msgpack_packer packer;

    msgpack_packer_init(&packer, buffer, msgpack_sbuffer_write);
    msgpack_pack_map(&packer, 29);
    pack_pair(&packer, "kind", "alert");
    pack_pair(&packer, "id", alert->id);
    pack_pair(&packer, "rule", alert->rule);
    pack_pair(&packer, "kpi", alert->kpi);
    pack_pair(&packer, "title", alert->title);
    pack_pair(&packer, "unit", alert->unit);
    pack_pair(&packer, "compare", alert->compare);
    pack_pair(&packer, "window", alert->window);
    pack_pair(&packer, "level", alert->level);
    pack_pair(&packer, "key", alert->key);
    pack_pair(&packer, "name", alert->name);
    pack_path(&packer, alert->path);
    pack_pair(&packer, "entity", alert->entity);
    pack_pair(&packer, "state", alert_state_name(alert->state));
    pack_pair(&packer, "severity", severities[alert->severity]);
    pack_number(&packer, "value", alert->value);
    pack_number(&packer, "target", alert->target);
    pack_number(&packer, "expected", alert->expected);
    pack_number(&packer, "ratio", alert->ratio);
    pack_number(&packer, "threshold", alert->threshold);
    pack_number(&packer, "p", alert->p);
    pack_whole(&packer, "n", alert->n);
    pack_whole(&packer, "since", alert->since_ms);
    pack_whole(&packer, "time", alert->time_ms);
    pack_text(&packer, "flapping");
    if (alert->flapping)
        msgpack_pack_true(&packer);
    else
        msgpack_pack_false(&packer);
    pack_pair(&packer, "reason", alert->reason);
    pack_pair(&packer, "message", alert->message);
    pack_pair(&packer, "coaching", alert->coaching);
    pack_members(&packer, alert);
}

bool alert_unpack(const void *bytes, size_t len, struct alert *alert)
{
    msgpack_unpacked item;
    bool ok;

    msgpack_unpacked_init(&item);
    ok = object_parse(bytes, len, &item) && alert_read(&item.data, alert);
    msgpack_unpacked_destroy(&item);
    return ok;
}

/* ---- Its place ---- */

const char *alert_place(const struct alert *alert, char buf[ALERT_PLACE])
{
    size_t n = 0;

    snprintf(buf, ALERT_PLACE, "%s", *alert->path ? "" : "company");
    for (const char *p = alert->path; *p;) {
        size_t len = strcspn(p, "/");

        n += (size_t)snprintf(buf + n, ALERT_PLACE - n, "%s%.*s", n ? " / " : "", (int)len, p);
        p += len + (p[len] == '/');
    }
    return buf;
}

bool alert_is_under(const struct alert *alert, const char *path)
{
    size_t len = strlen(path);

    return len == 0 || (strncmp(alert->path, path, len) == 0 && (alert->path[len] == '\0' || alert->path[len] == '/'));
}
