/* Reading a tree by tables of keys: what the parts of the configuration loader share. Internal to it.
 *
 * A map is read by a table that names its keys, what each fills and how. Unknown, missing and "not yet" keys are
 * faults of the one reader of maps, so that no part can forget them. */
#ifndef KPID_CONFIG_READ_H
#define KPID_CONFIG_READ_H

#include "config.h"
#include "csv.h"
#include "yaml_tree.h"

#include <locale.h>
#include <stddef.h>

#define KP_KPIS_MAX 1024        /* and alerts */
#define KP_TARGETS_MAX 10000
#define KP_WINDOWS_MAX 32       /* of one list; as many as one KPI can have */
#define KP_PATH_TEXT 512

struct kp_loader {
    struct kp_config *config;           /* borrowed; being filled */
    struct kp_faults *faults;
    const char *dir;                    /* of the configuration; NULL: no roster.file may be read */
    const struct kp_node **kpi_nodes;   /* owned; of config->kpis, for exact columns */
    const struct kp_node **alert_nodes; /* owned; of config->alerts */
    const struct kp_node **member_nodes;/* owned; of config->roster.members */
    const struct kp_node **target_nodes;/* owned; of config->targets */
    const struct kp_node **contest_nodes;/* owned; of config->contests */
    size_t nkpi_nodes, nalert_nodes, nmember_nodes, ntarget_nodes, ncontest_nodes;
    bool *sound_kpis, *sound_funnels;   /* owned; of config->kpis and ->funnels: was nothing wrong in them? */
    size_t nsound_kpis, nsound_funnels;
    bool faulty_roster, faulty_windows; /* was something wrong in these? Then what they lack proves nothing */
    struct kp_tree *csv;                /* owned; the roster file; NULL: none */
    int told_columns[64];               /* of its header: where those stand that were complained about */
    size_t ntold_columns;
    locale_t numbers;                   /* owned; "C", whatever the program's locale is */
    char path[KP_PATH_TEXT];            /* of the node being read: "kpis.calls.where" */
    size_t path_len;
    bool out_of_memory;
};

struct kp_word {                        /* a word of an enumeration; a table ends with a NULL name */
    const char *name;
    int value;
    bool later;                         /* of a version to come */
};

enum kp_need { KP_OPTIONAL, KP_REQUIRED, KP_LATER };
struct kp_key {                         /* a table ends with a NULL name */
    const char *name;
    enum kp_need need;
    /* Read node's value to `into`, which is the struct that the table is for, plus `at`. */
    void (*read)(struct kp_loader *ld, const struct kp_node *node, void *into, const struct kp_key *key);
    size_t at;
    int64_t min, max;                   /* durations (ms), sizes (bytes), counts */
    const struct kp_word *words;
};

/* ---- maps, paths, faults ---- */
/* Read a map by its table, in the order of the table. False (and a fault) when node is no map. */
bool kp_read_map(struct kp_loader *ld, const struct kp_node *node, const struct kp_key *keys, void *into);
/* Has the map an unknown key that is probably meant to be this one of its table? That is told already. */
bool kp_misspelt(const struct kp_node *node, const struct kp_key *keys, const char *name);
/* Is it of that kind? If not, a fault. */
bool kp_want(struct kp_loader *ld, const struct kp_node *node, enum kp_node_kind kind);
bool kp_want_some(struct kp_loader *ld, const struct kp_node *node, enum kp_node_kind kind, size_t most);

/* Lengthen the path by a key or an index; returns what kp_path_back takes. */
size_t kp_path_key(struct kp_loader *ld, const char *key);
size_t kp_path_index(struct kp_loader *ld, size_t index);
void kp_path_back(struct kp_loader *ld, size_t len);
/* A fault at loc, under the present path. */
void kp_complain(struct kp_loader *ld, struct kp_loc loc, const char *fmt, ...) KP_PRINTF(3, 4);
/* "unknown WHAT "word"; did you mean ...?" or the list of what is known. */
void kp_complain_unknown(struct kp_loader *ld, struct kp_loc loc, const char *what, const char *word,
                         const char *const *known, size_t count);
void kp_complain_later(struct kp_loader *ld, struct kp_loc loc, const char *what);

/* ---- memory ---- */
/* Room for one more element, cleared, at the end of an array that grows by doubling. NULL: out of memory. */
void *kp_grow(struct kp_loader *ld, void *array, size_t *count, size_t size);
char *kp_copy(struct kp_loader *ld, const char *text);
void *kp_zeros(struct kp_loader *ld, size_t count, size_t size);

/* ---- scalars ---- */
/* By the YAML 1.2 core schema; a string borrows from the node. False: node is no scalar, and a fault. */
bool kp_scalar(struct kp_loader *ld, const struct kp_node *node, struct kp_value *value);
/* The text of a scalar as a name or label: not empty, not null, no NUL, at most `most` bytes. NULL and a fault otherwise. */
const char *kp_text(struct kp_loader *ld, const struct kp_node *node, size_t most);
/* The same of what events have as a string, the name of a field or of a stage: a plain 5 or true is none. */
const char *kp_string(struct kp_loader *ld, const struct kp_node *node, size_t most);
/* A finite number, or a percentage ("80%" is 0.8, and *percent is set; percent may be NULL). */
bool kp_number(struct kp_loader *ld, const struct kp_node *node, double *number, bool *percent);
/* A word of a table; false and a fault otherwise. */
bool kp_word_of(struct kp_loader *ld, const struct kp_node *node, const struct kp_word *words, int *value);
bool kp_window_of(struct kp_loader *ld, const struct kp_node *node, struct kp_window *window);

/* The zone that a node names, and the bytes of its file; what stood there is freed. Unchanged (UTC) when there is a fault. */
struct kp_zone_file {
    char *name;
    void *tzif;
    size_t len;
};
void kp_zone_of(struct kp_loader *ld, const struct kp_node *node, struct kp_zone_file *file);

/* ---- readers for tables; each fills what its name says ---- */
#define KP_READER(name) void name(struct kp_loader *ld, const struct kp_node *node, void *into, const struct kp_key *key)
KP_READER(kp_read_text);        /* char *, a copy, at most max bytes (0: 1024) */
KP_READER(kp_read_string);      /* char *, a copy, at most max bytes: see kp_string */
KP_READER(kp_read_duration);    /* int64_t, ms in min..max */
KP_READER(kp_read_size);        /* size_t, bytes in min..max */
KP_READER(kp_read_count32);     /* uint32_t in min..max */
KP_READER(kp_read_count64);     /* uint64_t in min..max */
KP_READER(kp_read_int);         /* int in min..max */
KP_READER(kp_read_bool);        /* bool */
KP_READER(kp_read_word);        /* int or enum, of words */
KP_READER(kp_read_switch);      /* bool, of words */
KP_READER(kp_read_windows);     /* struct kp_window_list */

struct kp_window_list {
    struct kp_window *windows;
    size_t count;
};
/* A list of texts; of strings. */
bool kp_texts_of(struct kp_loader *ld, const struct kp_node *node, size_t most_bytes, size_t most, char ***texts,
                 size_t *count);
bool kp_strings_of(struct kp_loader *ld, const struct kp_node *node, size_t most_bytes, size_t most, char ***strings,
                   size_t *count);

/* ---- the parts ---- */
extern const struct kp_key kp_time_keys[], kp_publish_keys[], kp_control_keys[], kp_dedup_keys[], kp_limits_keys[], kp_storage_keys[],
    kp_security_keys[], kp_users_file_keys[], kp_user_keys[],
    kp_ingest_keys[], kp_roster_keys[], kp_member_keys[], kp_kpi_keys[], kp_operator_keys[], kp_target_keys[],
    kp_alert_keys[], kp_bound_keys[], kp_lapse_keys[], kp_escalate_keys[], kp_flapping_keys[], kp_elapsed_keys[],
    kp_repeat_keys[], kp_open_keys[], kp_cohort_keys[], kp_once_keys[], kp_funnel_keys[],
    kp_currencies_keys[], kp_source_keys[], kp_calendar_keys[], kp_unit_keys[], kp_contest_keys[];
KP_READER(kp_read_ingest);
KP_READER(kp_read_publish);
KP_READER(kp_read_control);
KP_READER(kp_read_storage);
KP_READER(kp_read_security);
KP_READER(kp_read_public_key);  /* char[41]: a CURVE key itself, or out of the file that is named */
KP_READER(kp_read_paths);       /* struct kp_role_cfg: `all`, or a list of paths */
KP_READER(kp_read_zone);
KP_READER(kp_read_roster);
KP_READER(kp_read_kpis);
KP_READER(kp_read_where);       /* struct kp_where */
KP_READER(kp_read_of_map);
KP_READER(kp_read_once);
KP_READER(kp_read_funnels);
KP_READER(kp_read_calendars);
KP_READER(kp_read_units);
/* The calendar of that name: its index + 1; 0 and a fault when there is none. */
size_t kp_calendar_of(struct kp_loader *ld, const struct kp_node *node);
/* "2026-08-03", or "2026-08-03..2026-08-14" where `range` allows it. */
bool kp_days_of(struct kp_loader *ld, const struct kp_node *node, const char *text, size_t len, bool range, struct kp_days *days);
/* A path of the configuration, relative to it; the caller frees it. NULL: out of memory, or a fault. */
char *kp_file_of(struct kp_loader *ld, const struct kp_node *node);

KP_READER(kp_read_currencies);
KP_READER(kp_read_sources);
KP_READER(kp_read_targets);
KP_READER(kp_read_alerts);
KP_READER(kp_read_contests);
/* The entries of a `for`. */
void kp_selectors_of(struct kp_loader *ld, const struct kp_node *node, struct kp_selector **list, size_t *count);

/* A KPI's `of` and `once` against its aggregate. */
void kp_check_of(struct kp_loader *ld, const struct kp_node *node, const struct kp_kpi_cfg *kpi);
/* Append what the funnels make to the KPIs; they share windows afterwards like the others. */
void kp_add_funnel_kpis(struct kp_loader *ld);

void kp_check_sockets(struct kp_loader *ld, const struct kp_node *root);
void kp_check_roster(struct kp_loader *ld);
void kp_check_formulas(struct kp_loader *ld);
void kp_check_targets(struct kp_loader *ld);    /* and whom contests are for */
void kp_check_contests(struct kp_loader *ld);
void kp_check_alerts(struct kp_loader *ld);
/* That an engine has room for all of it. Windows are shared and formulas checked before. */
void kp_check_limits(struct kp_loader *ld);
/* The placeholders of an alert's message. */
void kp_check_message(struct kp_loader *ld, const struct kp_node *node);

/* Read a whole regular file, at most `most` bytes. NULL with the reason in *err; the caller frees it. */
char *kp_read_file(const char *file, size_t most, size_t *len, struct kp_err *err) KP_CHECK;


/* The KPI of that name, -1 if there is none. */
int kp_find_kpi(const struct kp_config *config, const char *name, size_t len);
/* Say that there is no such KPI, with the nearest. */
void kp_complain_kpi(struct kp_loader *ld, struct kp_loc loc, const char *name);
int kp_find_level(const struct kp_config *config, const char *name);

#endif
