/* The words of an alert: templates with placeholders, "{name}: {value} of {target} calls". */
#ifndef KPID_MESSAGE_H
#define KPID_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

enum kp_placeholder {
    KP_PH_NAME, KP_PH_KEY, KP_PH_LEVEL, KP_PH_PATH, KP_PH_KPI, KP_PH_TITLE, KP_PH_UNIT, KP_PH_WINDOW,
    KP_PH_VALUE, KP_PH_TARGET, KP_PH_EXPECTED, KP_PH_PERCENT, KP_PH_RATIO, KP_PH_THRESHOLD, KP_PH_N,
    KP_PH_SEVERITY, KP_PH_RULE, KP_PH_ENTITY, KP_PLACEHOLDERS
};

/* The placeholder of that name, -1 if there is none. */
int kp_placeholder(const char *name, size_t len);
/* "name", "key", ...; static. NULL past the last. */
const char *kp_placeholder_name(int placeholder);

/* Put the texts in for their placeholders. texts[p] is that of placeholder p, NULL: "?". What is no placeholder is
 * copied as it stands. buf is NUL-terminated, and cut between characters of UTF-8 where it would grow past size. */
void kp_message_render(const char *template, const char *const texts[KP_PLACEHOLDERS], char *buf, size_t size);

/* A number for people: at most two decimals, as a percentage where the unit is "%"; "no data" when there is none. */
void kp_number_text(double value, bool has, const char *unit, char *buf, size_t size);

/* How long something lasts, for people: the two largest of days, hours, minutes and seconds, "2h 5m"; without days for
 * working time, of which a day has less than 24 hours. */
void kp_lapse_text(double seconds, bool days, char *buf, size_t size);

#endif
