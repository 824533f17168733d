/* Sending, by libcurl: mails by SMTP, JSON by HTTP. Many at a time, none of them waits for another; everything has a timeout.
 * Signals are to be blocked before: mails have threads. */
#ifndef NOTIFY_POST_H
#define NOTIFY_POST_H

#include "notify_config.h"
#include "text.h"

#include "kpid/err.h"

#include <curl/curl.h>

struct post;

/* Call curl_global_init before. timeout_ms: for one transfer as a whole. */
struct post *post_open(int64_t timeout_ms, struct kp_err *err) KP_CHECK;
/* Ends what is on its way, within a second or so. */
void post_close(struct post **post);

/* Begin to send; `bytes` is taken over when it succeeds. tag: any number, told with the outcome. */
enum kp_code post_mail(struct post *post, const struct mail_server *server, const char *to, struct text *bytes, int64_t tag,
                       struct kp_err *err) KP_CHECK;
enum kp_code post_json(struct post *post, const char *url, const char *ca_file, struct text *bytes, int64_t tag,
                       struct kp_err *err) KP_CHECK;

enum outcome {
    OUTCOME_ARRIVED,
    OUTCOME_REFUSED,        /* for good: by the address, or because of what it says */
    OUTCOME_LATER,          /* this one, another time */
    OUTCOME_DOWN,           /* nothing can be sent there now */
};
struct posted {
    int64_t tag;
    enum outcome outcome;
    long reply;             /* the server's code; 0: it gave none */
    int64_t after_ms;       /* it asked not to be tried again before; 0: it did not */
    char why[CURL_ERROR_SIZE];
};

/* Go forward with all, and sleep until something is there on a socket or on one of the descriptors. */
void post_wait(struct post *post, struct curl_waitfd *fds, unsigned count, int timeout_ms);
/* One that has ended since. False: none. */
bool post_next(struct post *post, struct posted *posted);

/* The host of a URL, for the log: what follows it may be a secret. Returns buf. */
char *post_host(const char *url, char *buf, size_t size);

#endif
