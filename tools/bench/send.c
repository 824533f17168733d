/* bench_send ENDPOINT EVENTS BATCH REPS [RATE [TYPE DEALS]]: push events as fast as they are taken, or at RATE a second; 0:
 * as fast. TYPE and DEALS: calls or stages of so many deals instead of the mix. */
#include "clock.h"
#include "floor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>

enum { POOL = 1 << 20 };

static void pace(uint64_t start, uint64_t sent, uint64_t rate)
{
    uint64_t due = start + sent * 1000000000u / rate, now = clock_ns(CLOCK_MONOTONIC);
    struct timespec ts;

    if (due <= now)
        return;
    ts = (struct timespec){(time_t)((due - now) / 1000000000u), (long)((due - now) % 1000000000u)};
    nanosleep(&ts, NULL);
}

static size_t put_head(char *to, uint64_t batch)
{
    to[0] = (char)0xdc;
    to[1] = (char)(batch >> 8);
    to[2] = (char)(batch & 255);
    return 3;
}

static int send_all(void *socket, const struct floor_event *pool, uint64_t npool, uint64_t events, uint64_t batch, uint64_t rate)
{
    char *buf = malloc(batch * FLOOR_EVENT_MAX + 3);
    uint64_t start = clock_ns(CLOCK_MONOTONIC), time_ms = 0, base = clock_ns(CLOCK_REALTIME) << 8;

    if (!buf)
        return 1;
    for (uint64_t sent = 0; sent < events;) {
        size_t len = batch > 1 ? put_head(buf, batch) : 0;

        if (sent % 1024 < batch)
            time_ms = clock_ns(CLOCK_REALTIME) / 1000000;
        for (uint64_t i = 0; i < batch; i++, sent++)
            len += floor_put(&pool[sent % npool], base + sent, time_ms, buf + len);
        if (zmq_send(socket, buf, len, 0) < 0) {
            fprintf(stderr, "bench_send: %s\n", zmq_strerror(zmq_errno()));
            free(buf);
            return 1;
        }
        if (rate)
            pace(start, sent, rate);
    }
    free(buf);
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t n[4] = {0}, deals = argc > 7 ? strtoull(argv[7], NULL, 10) : 0, npool = deals ? deals * FLOOR_ROUNDS : POOL;
    struct floor_event *pool;
    void *zmq = zmq_ctx_new(), *socket;
    int status;

    if (argc < 5) {
        fputs("usage: bench_send ENDPOINT EVENTS BATCH REPS [RATE [TYPE DEALS]]\n", stderr);
        return 2;
    }
    for (int i = 2; i < argc && i < 6; i++)
        n[i - 2] = strtoull(argv[i], NULL, 10);
    pool = malloc(npool * sizeof *pool);
    if (!pool || n[1] == 0 || n[1] > 65535 || n[2] == 0)
        exit(2);
    for (uint64_t i = 0; i < npool; i++)
        if (deals)
            floor_make_deal(&pool[i], argv[6], i, n[2], deals);
        else
            floor_make(&pool[i], 1, i, n[2]);
    socket = zmq_socket(zmq, ZMQ_PUSH);
    if (zmq_connect(socket, argv[1]) != 0)
        exit(1);
    status = send_all(socket, pool, npool, n[0] / n[1] * n[1], n[1], n[3]);
    zmq_close(socket);
    zmq_ctx_term(zmq);
    free(pool);
    return status;
}
