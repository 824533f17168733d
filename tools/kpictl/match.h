/* Which alerts: the options that silence and ack share, and what goes to the daemon of them and comes back. */
#ifndef KPICTL_MATCH_H
#define KPICTL_MATCH_H

#include <msgpack.h>
#include <stdbool.h>

enum match_option { MATCH_RULE, MATCH_KPI, MATCH_LEVEL, MATCH_KEY, MATCH_PATH, MATCH_SEVERITY, MATCH_OPTIONS };
struct match {
    const char *texts[MATCH_OPTIONS];   /* as they were given; NULL: not */
};

/* For getopt_long; each `val` is MATCH_VAL + an enum match_option, for match_take. */
enum { MATCH_VAL = 256 };
#define MATCH_LONGS                                                                                                    \
    {"rule", 1, NULL, MATCH_VAL + MATCH_RULE}, {"kpi", 1, NULL, MATCH_VAL + MATCH_KPI},                                \
        {"level", 1, NULL, MATCH_VAL + MATCH_LEVEL}, {"key", 1, NULL, MATCH_VAL + MATCH_KEY},                          \
        {"path", 1, NULL, MATCH_VAL + MATCH_PATH}, {"severity", 1, NULL, MATCH_VAL + MATCH_SEVERITY}
#define MATCH_HELP                                                                                                     \
    "  --rule RULE         the alert's rule; behind_* are all that begin so, here and below\n"                         \
    "  --kpi KPI           the KPI that it watches\n"                                                                  \
    "  --level LEVEL       company, a level of the roster, or a group like @client\n"                                  \
    "  --key KEY           of one rep, team, region ...\n"                                                             \
    "  --path PATH         of whoever stands there and below, as emea/field-1; a / within a key is %2F\n"              \
    "  --severity S        warning or critical\n"

/* False: c is none of them. */
bool match_take(struct match *match, int c, const char *value);
bool match_is_given(const struct match *match);
/* The map "matchers", its key included. */
void match_pack(msgpack_packer *packer, const struct match *match);
/* "rule=behind_* path=emea/field-1" */
void match_print(const msgpack_object *matchers);

/* Who asks, where nobody was named: the user's login name; NULL: there is none. */
const char *match_user(void);

#endif
