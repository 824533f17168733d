/* What comes in on the control socket: {"op": ...} as MessagePack or JSON, bounded and checked. */
#ifndef KPID_REQUEST_H
#define KPID_REQUEST_H

#include "kpid/err.h"
#include "kpid/config.h"
#include "kpid/silence.h"
#include "kpid/value.h"

enum { KP_REQUEST_LIST = 1000, KP_REQUEST_BYTES = 1 << 20, KP_REQUEST_DEPTH = 32 };

struct kp_str_list {
    struct kp_str *items;   /* owned; NULL: not given */
    size_t count;
};

struct kp_request {
    bool is_json;           /* so the reply is, too */
    struct kp_str op, level, kpi, key, window, by, comment, copy, rule, field;     /* empty: not given */
    struct kp_str_list keys, kpis, windows, ids;
    struct kp_str_list under;   /* a path: a list as it came, or a text "em%2Fea/one", taken apart and decoded as in topics */
    char *path;             /* owned; what the decoded parts of `under` lie in */
    struct kp_str_list within;  /* paths, as topics have them: the answer is that of one who may read only these */
    struct kp_user_cfg narrow;  /* that one, once kp_control_narrow has made it; owned */
    bool has_time, has_from, has_until, has_to;
    int64_t time_ms, from_ms, until_ms, to_ms;
    int64_t for_ms;         /* 0: not given */
    bool undo, alerts, peers;
    bool has_matchers;
    struct kp_matchers matchers;        /* as they came: kp_matchers_check has not seen them */
    char *match_path;       /* owned; what the decoded parts of their path lie in */
    void *memory;           /* owned; what the strings lie in */
};

/* Read a request; *req borrows nothing. KP_EINVAL with a sentence for the sender in *err; *req is to be released in any
 * case. is_json is always set. */
enum kp_code kp_request_read(struct kp_request *req, const void *bytes, size_t len, struct kp_err *err) KP_CHECK;
void kp_request_release(struct kp_request *req);

#endif
