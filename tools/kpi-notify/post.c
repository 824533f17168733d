#include "post.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECT_MS = 10000, CONNECTIONS = 16, AFTER_MAX_S = 3600, BODY_MAX = 65536 };

/* HTTP goes by libcurl's multi interface. A mail has a thread of its own: while libcurl waits for what a server says to the end
 * of a mail, or to QUIT, it does nothing else, so in a multi handle one slow mail server would hold up all. */

struct job {
    CURL *easy;                     /* owned, like all that follows */
    struct curl_slist *list;        /* recipients or header fields */
    struct text bytes;
    size_t sent;                    /* of a mail */
    size_t heard;                   /* of an answer's body */
    bool mail;
    pthread_t thread;               /* of a mail */
    bool started;
    curl_socket_t socket;           /* the thread's, like the next */
    bool quitting;                  /* all is said; the server's good-bye is not worth waiting for */
    CURLcode code;                  /* the thread's, until `over` */
    atomic_bool over;
    const atomic_bool *stop;        /* borrowed, like the next; what a thread that is over wakes */
    CURLM *multi;
    int64_t tag;
    char why[CURL_ERROR_SIZE];
    struct job *next, **self;       /* all jobs */
};

struct post {
    CURLM *multi;                   /* owned */
    struct job *jobs;               /* owned */
    int count;                      /* of those in `multi` */
    int64_t timeout_ms;
    atomic_bool stop;               /* threads are to end */
};

static void end_job(struct post *post, struct job *job)
{
    if (job->started)
        pthread_join(job->thread, NULL);
    if (job->easy) {
        if (!job->mail)
            curl_multi_remove_handle(post->multi, job->easy);
        curl_easy_cleanup(job->easy);
    }
    curl_slist_free_all(job->list);
    text_release(&job->bytes);
    if (job->self) {
        *job->self = job->next;
        if (job->next)
            job->next->self = job->self;
        post->count -= !job->mail;
    }
    free(job);
}

struct post *post_open(int64_t timeout_ms, struct kp_err *err)
{
    struct post *post = calloc(1, sizeof *post);

    if (post) {
        post->timeout_ms = timeout_ms;
        post->multi = curl_multi_init();
    }
    if (!post || !post->multi || curl_multi_setopt(post->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS) != CURLM_OK) {
        kp_fail(err, KP_ENOMEM, "libcurl: out of memory");
        post_close(&post);
    }
    return post;
}

void post_close(struct post **post)
{
    if (!*post)
        return;
    atomic_store(&(*post)->stop, true);
    for (struct job *job = (*post)->jobs, *next; job; job = next) {
        next = job->next;
        end_job(*post, job);
    }
    if ((*post)->multi)
        curl_multi_cleanup((*post)->multi);
    free(*post);
    *post = NULL;
}

/* ---- Beginning ---- */

static size_t read_bytes(char *into, size_t size, size_t count, void *ctx)
{
    struct job *job = ctx;
    size_t left = job->bytes.len - job->sent, take = size * count < left ? size * count : left;

    if (take)
        memcpy(into, job->bytes.s + job->sent, take);
    job->sent += take;
    return take;
}

/* What a server says beside its code is of no use; what is longer than a word or two is not waited for. */
static size_t drop_bytes(char *bytes, size_t size, size_t count, void *ctx)
{
    struct job *job = ctx;

    (void)bytes;
    job->heard += size * count;
    return job->heard <= BODY_MAX ? size * count : 0;
}

/* Asked at least once a second. Not 0: give up. */
static int is_enough(void *ctx, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal, curl_off_t ulnow)
{
    const struct job *job = ctx;

    (void)dltotal;
    (void)dlnow;
    (void)ultotal;
    (void)ulnow;
    return job->quitting || atomic_load(job->stop);
}

/* The one way to learn that libcurl has come to the end of a session. */
static int watch_quit(CURL *easy, curl_infotype type, char *bytes, size_t size, void *ctx)
{
    struct job *job = ctx;

    (void)easy;
    if (type == CURLINFO_HEADER_OUT && size >= 4 && memcmp(bytes, "QUIT", 4) == 0) {
        job->quitting = true;
        if (job->socket != CURL_SOCKET_BAD)
            shutdown(job->socket, SHUT_RD);     /* libcurl finds the end of it at once */
    }
    return 0;
}

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct job *job = ctx;

    (void)purpose;
    job->socket = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    return job->socket;
}

static int close_socket(void *ctx, curl_socket_t socket)
{
    struct job *job = ctx;

    if (job->socket == socket)
        job->socket = CURL_SOCKET_BAD;
    return close(socket);
}

/* Options that failed to be set, ored together: libcurl's codes are not to be told apart here. */
static int set_common(const struct post *post, struct job *job, const char *url, const char *ca_file)
{
    CURL *easy = job->easy;
    long connect_ms = post->timeout_ms < CONNECT_MS ? (long)post->timeout_ms : CONNECT_MS;
    int bad = 0;

    bad |= curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_PRIVATE, job) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, job->why) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) != CURLE_OK;     /* no waiting for a name server at the end */
    bad |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)post->timeout_ms) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop_bytes) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, job) != CURLE_OK;
    if (ca_file)
        bad |= curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file) != CURLE_OK;
    return bad;
}

/* So that it ends when it should. */
static int set_watch(struct job *job)
{
    CURL *easy = job->easy;
    int bad = 0;

    job->socket = CURL_SOCKET_BAD;
    bad |= curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) != CURLE_OK;   /* QUIT is said within the transfer */
    bad |= curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, is_enough) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_XFERINFODATA, job) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, job) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, job) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, watch_quit) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_DEBUGDATA, job) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L) != CURLE_OK;        /* to watch_quit alone */
    return bad;
}

static int set_mail(struct job *job, const struct mail_server *server)
{
    CURL *easy = job->easy;
    int bad = 0;

    bad |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps") != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_USE_SSL, server->plain ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_MAIL_FROM, server->from) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, job->list) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_bytes) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_READDATA, job) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L) != CURLE_OK;
    if (server->user) {
        bad |= curl_easy_setopt(easy, CURLOPT_USERNAME, server->user) != CURLE_OK;
        bad |= curl_easy_setopt(easy, CURLOPT_PASSWORD, server->password) != CURLE_OK;
    }
    return bad;
}

static int set_json(struct job *job)
{
    CURL *easy = job->easy;
    int bad = 0;

    bad |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "kpi-notify/" KPID_VERSION) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, job->list) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)job->bytes.len) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, text_of(&job->bytes)) != CURLE_OK;
    return bad;
}

static struct job *new_job(const struct text *bytes, const char *first, int64_t tag)
{
    struct job *job = calloc(1, sizeof *job);

    if (!job)
        return NULL;
    job->tag = tag;
    job->bytes = *bytes;
    job->easy = curl_easy_init();
    job->list = curl_slist_append(NULL, first);
    return job;
}

static void *send_mail(void *ctx)
{
    struct job *job = ctx;

    job->code = curl_easy_perform(job->easy);
    atomic_store(&job->over, true);
    curl_multi_wakeup(job->multi);
    return NULL;
}

static bool set_off(struct post *post, struct job *job)
{
    if (!job->mail)
        return curl_multi_add_handle(post->multi, job->easy) == CURLM_OK;
    job->multi = post->multi;
    job->stop = &post->stop;
    job->started = pthread_create(&job->thread, NULL, send_mail, job) == 0;
    return job->started;
}

/* With it in the list of all, or ended, with the bytes given back. */
static enum kp_code start(struct post *post, struct job *job, int bad, struct text *bytes, struct kp_err *err)
{
    if (bad || !set_off(post, job)) {
        job->bytes = (struct text){0};
        end_job(post, job);
        return kp_fail(err, KP_ENOMEM, "libcurl: a transfer can't be set up");
    }
    *bytes = (struct text){0};
    job->next = post->jobs;
    job->self = &post->jobs;
    if (job->next)
        job->next->self = &job->next;
    post->jobs = job;
    post->count += !job->mail;
    return KP_OK;
}

enum kp_code post_mail(struct post *post, const struct mail_server *server, const char *to, struct text *bytes, int64_t tag,
                       struct kp_err *err)
{
    struct job *job = new_job(bytes, to, tag);

    if (!job)
        return kp_fail(err, KP_ENOMEM, "out of memory");
    job->mail = true;
    return start(post, job,
                 !job->easy || !job->list || set_common(post, job, server->url, server->ca_file) || set_mail(job, server) ||
                     set_watch(job),
                 bytes, err);
}

enum kp_code post_json(struct post *post, const char *url, const char *ca_file, struct text *bytes, int64_t tag,
                       struct kp_err *err)
{
    struct job *job = new_job(bytes, "Content-Type: application/json", tag);

    if (!job)
        return kp_fail(err, KP_ENOMEM, "out of memory");
    return start(post, job, !job->easy || !job->list || set_common(post, job, url, ca_file) || set_json(job), bytes, err);
}

/* ---- Going on and ending ---- */

void post_wait(struct post *post, struct curl_waitfd *fds, unsigned count, int timeout_ms)
{
    int running;

    /* one that has ended already has no descriptor any more that could wake us */
    if (curl_multi_perform(post->multi, &running) == CURLM_OK &&
        curl_multi_poll(post->multi, fds, count, running < post->count ? 0 : timeout_ms, NULL) == CURLM_OK)
        curl_multi_perform(post->multi, &running);
}

static enum outcome outcome_of_mail(const struct job *job, CURLcode code, long reply)
{
    /* libcurl's own words are the only way to know what the answer was to */
    bool its_own = strncmp(job->why, "RCPT failed", 11) == 0 || strncmp(job->why, "DATA failed", 11) == 0;
    bool at_end = job->sent == job->bytes.len && reply != 0;

    if (code == CURLE_OK)
        return OUTCOME_ARRIVED;
    if (!its_own && !at_end)
        return OUTCOME_DOWN;        /* it does not talk to us, or not as this sender: no other mail fares better */
    return reply >= 500 ? OUTCOME_REFUSED : reply == 421 ? OUTCOME_DOWN : OUTCOME_LATER;
}

/* The code is the answer, however what follows it ends. */
static enum outcome outcome_of_json(long reply)
{
    if (reply < 200)
        return OUTCOME_DOWN;
    if (reply < 300)
        return OUTCOME_ARRIVED;
    return reply >= 500 || reply == 408 || reply == 425 || reply == 429 ? OUTCOME_DOWN : OUTCOME_REFUSED;
}

static void tell_outcome(const struct job *job, CURLcode code, struct posted *posted)
{
    curl_off_t after_s = 0;

    *posted = (struct posted){.tag = job->tag};
    curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &posted->reply);
    if (!job->mail && curl_easy_getinfo(job->easy, CURLINFO_RETRY_AFTER, &after_s) == CURLE_OK && after_s > 0)
        posted->after_ms = (after_s < AFTER_MAX_S ? after_s : AFTER_MAX_S) * 1000;
    posted->outcome = job->mail ? outcome_of_mail(job, code, posted->reply) : outcome_of_json(posted->reply);
    if (!job->mail && posted->reply >= 300 && posted->reply < 400)
        snprintf(posted->why, sizeof posted->why, "redirects are not followed: the URL must be the last one");
    else if (*job->why)
        memcpy(posted->why, job->why, sizeof posted->why);
    else if (code != CURLE_OK)
        strncpy(posted->why, curl_easy_strerror(code), sizeof posted->why - 1);
}

static struct job *next_mail(const struct post *post)
{
    struct job *job = post->jobs;

    while (job && !(job->mail && atomic_load(&job->over)))
        job = job->next;
    return job;
}

static struct job *next_json(const struct post *post)
{
    const CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(post->multi, &left)) != NULL) {
        struct job *job = NULL;

        if (message->msg != CURLMSG_DONE || curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &job) != CURLE_OK || !job)
            continue;
        job->code = message->data.result;
        return job;
    }
    return NULL;
}

bool post_next(struct post *post, struct posted *posted)
{
    struct job *job = next_mail(post);

    if (!job)
        job = next_json(post);
    if (!job)
        return false;
    tell_outcome(job, job->code, posted);
    end_job(post, job);
    return true;
}

char *post_host(const char *url, char *buf, size_t size)
{
    const char *host = strstr(url, "://");
    size_t len;

    host = host ? host + 3 : url;
    len = strcspn(host, "/?#");
    if (len >= size)
        len = size - 1;
    memcpy(buf, host, len);
    buf[len] = '\0';
    return buf;
}
