/* An alert as kpid publishes it, bounded and clean: whatever came, each text is one line of UTF-8. */
#ifndef NOTIFY_ALERT_H
#define NOTIFY_ALERT_H

#include "text.h"

#include <msgpack.h>
#include <stdbool.h>
#include <stdint.h>

enum { ALERT_ID = 65, ALERT_NAME = 200, ALERT_PATH = 1024, ALERT_PLACE = 3 * ALERT_PATH, ALERT_SAYS = 1200, ALERT_MEMBERS = 50 };

/* GROUPED: resolved, because an alert of its team stands for it now; it may come back under its id. */
enum alert_state { ALERT_PENDING, ALERT_FIRING, ALERT_RESOLVED, ALERT_GROUPED };
enum alert_severity { ALERT_WARNING, ALERT_CRITICAL };

struct alert {
    char id[ALERT_ID];          /* letters, digits, - and _ */
    char rule[ALERT_NAME], kpi[ALERT_NAME], window[64], level[ALERT_NAME], key[ALERT_NAME], name[ALERT_NAME];
    char title[ALERT_NAME], unit[32];   /* of the KPI; title is its name where it is not known */
    char compare[16];           /* "pace", "value"...; "": not known */
    char entity[ALERT_NAME];    /* what has not moved: a deal, a lead; "": it is of none */
    char path[ALERT_PATH];      /* as in topics, without the / at its end: "emea/field-1/ana" */
    enum alert_state state;
    enum alert_severity severity;
    double value, target, expected, ratio, threshold, p;    /* NaN: none */
    int64_t n;
    int64_t since_ms, time_ms;  /* from 1970 to 9999; 0: not known */
    uint64_t seq;
    char reason[64], message[ALERT_SAYS], coaching[ALERT_SAYS];     /* "": none */
    bool acked, silenced, flapping;
    char members[ALERT_MEMBERS][ALERT_NAME];    /* keys; of a team's alert that stands for them */
    size_t nmembers, more_members;              /* more: that found no room */
};

/* From a message as published, or as alert_pack packs. False: it is none. */
bool alert_read(const msgpack_object *map, struct alert *alert);

/* What the reply to the op `config` knows beyond it: title, unit, and what the rule compares with. */
void alert_describe(struct alert *alert, const msgpack_object *config);

/* As alert_read takes it, with all that alert_describe found. */
void alert_pack(const struct alert *alert, msgpack_sbuffer *buffer);
/* False: these bytes are none. */
bool alert_unpack(const void *bytes, size_t len, struct alert *alert);

const char *alert_severity_name(enum alert_severity severity);
const char *alert_state_name(enum alert_state state);

/* The path for people: "emea / field-1 / ana", "company". */
const char *alert_place(const struct alert *alert, char buf[ALERT_PLACE]);

/* Does it lie at or below a path, written as in topics? */
bool alert_is_under(const struct alert *alert, const char *path);

#endif
