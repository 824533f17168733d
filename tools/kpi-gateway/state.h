/* What kpid has told: the keys with their numbers, and the alerts. No sockets, no clock.
 *
 * Whatever changes gets the next version, and what has changed last stands last in a list. So what somebody has missed who knows
 * version v is found by going back from the end to v, whoever it is and however long they were away; nothing is kept of anybody.
 * What is gone stays as a mark, so that it is found that way, too; there are few of them, and whoever knows less than the oldest of
 * those that were dropped is told everything.
 *
 * A number is kept as the JSON that is told of it, made once. */
#ifndef GATEWAY_STATE_H
#define GATEWAY_STATE_H

#include "kpid/err.h"

#include <msgpack.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STATE_NAMES_MAX = 8192,         /* of KPIs, windows and levels together */
    STATE_GONE_MAX = 4096,          /* marks of keys, and of alerts */
    STATE_CELLS_MAX = 32768,        /* of one key */
};

struct state_limits {
    uint32_t keys, alerts;          /* more are not kept, and counted */
};

/* A number: what a snapshot says of one window of one KPI. */
struct state_cell {
    uint16_t kpi, window;           /* names */
    uint32_t at, len;               /* within the key's text: the JSON map */
    double value, target, expected; /* NaN: none */
    uint64_t version;
};

struct state_key {
    char *path;                     /* as in topics, without slashes at its ends: "emea/field-1/ana"; "": the company */
    uint32_t path_len;
    uint16_t level;                 /* a name */
    bool gone;
    int64_t time;                   /* of the snapshot, ms */
    uint64_t version;               /* of what changed last */
    uint64_t whole;                 /* since when it has this head, and none of the windows that it had before: whoever knows less
                                       has to forget what they know of it */
    char *head;                     /* "level":...,"key":...,"name":...,"path":[...] */
    struct state_cell *cells;       /* as many as ncells, in the order of the snapshot */
    uint32_t ncells;
    char *text;
    uint32_t text_len, head_len;
    uint32_t newer, older;          /* of the list; 0: none */
    uint64_t round;                 /* of the listing that had it */
};

struct state_alert {
    char id[33];                    /* hex */
    char *path;                     /* as above */
    char *json;
    uint32_t path_len, json_len;
    bool gone;                      /* its JSON stays until the mark is dropped */
    bool resolved;                  /* it was told so */
    uint64_t version, seq, round;
    uint32_t newer, older;
    char *matchers;                 /* JSON: what a silence of it names */
};

struct state;

struct state *state_new(const struct state_limits *limits, struct kp_err *err) KP_CHECK;
void state_destroy(struct state **state);

/* ---- Taking in ---- */

/* A snapshot as published, or one of a listing. False: it is none. */
bool state_take_snapshot(struct state *state, const msgpack_object *map);
/* An alert as published, pending ones too. False: it is none. */
bool state_take_alert(struct state *state, const msgpack_object *map);
/* One of a listing that holds what was published up to `seq`. */
bool state_take_listed(struct state *state, const msgpack_object *map, uint64_t seq);

/* From when a listing is asked for to when all of it was taken: what was not told in between is gone. */
void state_begin_keys(struct state *state);
void state_end_keys(struct state *state);
void state_begin_alerts(struct state *state);
void state_end_alerts(struct state *state);

/* It may be another daemon that tells from now on: what it tells is newer than all that is known, whatever its clock and `seq`. */
void state_restart(struct state *state);

/* ---- Looking ---- */

uint64_t state_version(const struct state *state);
/* Whoever knows less than this has to be told everything. */
uint64_t state_oldest(const struct state *state);

/* A name's number; -1: nothing has it. Its text. */
int state_name(const struct state *state, const char *name, size_t len);
const char *state_name_text(const struct state *state, int name);

/* What has changed last, and what before that; NULL: nothing more. */
const struct state_key *state_last_key(const struct state *state);
const struct state_key *state_older_key(const struct state *state, const struct state_key *key);
const struct state_alert *state_last_alert(const struct state *state);
const struct state_alert *state_older_alert(const struct state *state, const struct state_alert *alert);

/* NULL: there is none of that path, or it is gone. */
const struct state_key *state_find_key(const struct state *state, const char *path, size_t len);
const struct state_alert *state_find_alert(const struct state *state, const char *id, size_t len);

struct state_stats {
    uint64_t keys, alerts, cells, bytes, left_out;
};
void state_stats(const struct state *state, struct state_stats *stats);

#endif
