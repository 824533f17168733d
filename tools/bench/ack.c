/* bench_ack ENDPOINT CLIENTS OUTSTANDING EVENTS BATCH REPS: so many clients, each with so many messages that it waits for the
 * acknowledgement of. Prints events a second, and how long acknowledgements took: p50, p99, in microseconds. */
#include "clock.h"
#include "floor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>

enum { POOL = 1 << 20, WAIT_MS = 10000, AHEAD_MAX = 4096 };

struct client {
    void *socket;
    uint64_t sent_ns[AHEAD_MAX];    /* of what it waits for, a ring: replies come in order */
    uint64_t sent, answered;
};

struct bench {
    struct floor_event *pool;
    struct client *clients;
    zmq_pollitem_t *items;
    uint64_t nclients, ahead, events, batch, base, given;
    uint64_t *took, ntook;
    char *buf;
};

static int send_one(struct bench *b, struct client *c)
{
    uint64_t now = clock_ns(CLOCK_REALTIME) / 1000000;
    size_t len = 0;

    if (b->batch > 1) {
        b->buf[0] = (char)0xdc;
        b->buf[1] = (char)(b->batch >> 8);
        b->buf[2] = (char)(b->batch & 255);
        len = 3;
    }
    for (uint64_t i = 0; i < b->batch; i++, b->given++)
        len += floor_put(&b->pool[b->given % POOL], b->base + b->given, now, b->buf + len);
    c->sent_ns[c->sent++ % AHEAD_MAX] = clock_ns(CLOCK_MONOTONIC);
    return zmq_send(c->socket, b->buf, len, 0) < 0;
}

static int take_replies(struct bench *b, struct client *c)
{
    char reply[4096];
    int n;

    while ((n = zmq_recv(c->socket, reply, sizeof reply, ZMQ_DONTWAIT)) >= 0) {
        if (memmem(reply, (size_t)(n < (int)sizeof reply ? n : (int)sizeof reply), "\xa5" "error", 6)) {
            fprintf(stderr, "bench_ack: it was refused\n");
            return 1;
        }
        b->took[b->ntook++] = clock_ns(CLOCK_MONOTONIC) - c->sent_ns[c->answered++ % AHEAD_MAX];
        if (b->given < b->events && send_one(b, c))
            return 1;
    }
    return 0;
}

static int run(struct bench *b)
{
    for (uint64_t k = 0; k < b->ahead; k++)
        for (uint64_t i = 0; i < b->nclients && b->given < b->events; i++)
            if (send_one(b, &b->clients[i]))
                return 1;
    while (b->ntook < (b->events + b->batch - 1) / b->batch) {
        if (zmq_poll(b->items, (int)b->nclients, WAIT_MS) <= 0) {
            fprintf(stderr, "bench_ack: no acknowledgement came\n");
            return 1;
        }
        for (uint64_t i = 0; i < b->nclients; i++)
            if (b->items[i].revents && take_replies(b, &b->clients[i]))
                return 1;
    }
    return 0;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static int connect_all(struct bench *b, void *zmq, const char *endpoint)
{
    int linger = 0;

    for (uint64_t i = 0; i < b->nclients; i++) {
        b->clients[i].socket = zmq_socket(zmq, ZMQ_DEALER);
        if (!b->clients[i].socket || zmq_setsockopt(b->clients[i].socket, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
            zmq_connect(b->clients[i].socket, endpoint) != 0) {
            fprintf(stderr, "bench_ack: %s: %s\n", endpoint, zmq_strerror(zmq_errno()));
            return 1;
        }
        b->items[i] = (zmq_pollitem_t){.socket = b->clients[i].socket, .events = ZMQ_POLLIN};
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    uint64_t reps, start, ns;
    void *zmq = zmq_ctx_new();
    int status;

    if (argc != 7) {
        fputs("usage: bench_ack ENDPOINT CLIENTS OUTSTANDING EVENTS BATCH REPS\n", stderr);
        return 2;
    }
    b.nclients = strtoull(argv[2], NULL, 10);
    b.ahead = strtoull(argv[3], NULL, 10);
    b.events = strtoull(argv[4], NULL, 10);
    b.batch = strtoull(argv[5], NULL, 10);
    reps = strtoull(argv[6], NULL, 10);
    if (!b.nclients || !b.ahead || b.ahead > AHEAD_MAX || !b.batch || !reps || !zmq)
        return 2;
    b.pool = malloc((size_t)POOL * sizeof *b.pool);
    b.clients = calloc(b.nclients, sizeof *b.clients);
    b.items = calloc(b.nclients, sizeof *b.items);
    b.took = calloc(b.events / b.batch + 1, sizeof *b.took);
    b.buf = malloc(b.batch * FLOOR_EVENT_MAX + 3);
    b.base = clock_ns(CLOCK_REALTIME) << 8;
    if (!b.pool || !b.clients || !b.items || !b.took || !b.buf || connect_all(&b, zmq, argv[1]))
        return 1;
    for (uint64_t i = 0; i < POOL; i++)
        floor_make(&b.pool[i], 1, i, reps);
    start = clock_ns(CLOCK_MONOTONIC);
    status = run(&b);
    ns = clock_ns(CLOCK_MONOTONIC) - start;
    qsort(b.took, b.ntook, sizeof *b.took, by_size);
    if (!status && b.ntook)
        printf("%.0f %.1f %.1f\n", (double)b.given * 1e9 / (double)ns, (double)b.took[b.ntook / 2] / 1e3,
               (double)b.took[b.ntook * 99 / 100] / 1e3);
    for (uint64_t i = 0; i < b.nclients; i++)
        zmq_close(b.clients[i].socket);
    zmq_ctx_term(zmq);
    free(b.pool);
    free(b.clients);
    free(b.items);
    free(b.took);
    free(b.buf);
    return status;
}
