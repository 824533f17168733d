/* A webhook's JSON out of a template with placeholders in braces: those of kpid's messages, and some of what is known here
 * alone. Pure. */
#ifndef NOTIFY_TEMPLATE_H
#define NOTIFY_TEMPLATE_H

#include "wording.h"

#include "kpid/err.h"

/* Is it JSON, with placeholders that there are, and those within strings? KP_EINVAL with what is wrong. */
enum kp_code template_check(const char *template, struct kp_err *err) KP_CHECK;

/* NULL: Slack's {"text": ...}. slack: & < > are written as Slack wants them, so that nothing foreign mentions or links. */
void template_fill(const char *template, const struct alert *alert, enum change change, const struct zone_said *zone,
                   bool slack, struct text *out);

/* The names of all placeholders, for the reference's test; NULL past the last. */
const char *template_placeholder(int i);

#endif
