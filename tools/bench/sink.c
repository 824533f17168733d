/* bench_sink MESSAGES: what receiving costs when nothing is done with it. Prints its endpoint, receives that many messages,
 * prints messages and bytes, and waits for its input to end, so that its CPU time can be read from outside. */
#include <stdio.h>
#include <stdlib.h>

#include <zmq.h>

int main(int argc, char **argv)
{
    unsigned long long want = argc > 1 ? strtoull(argv[1], NULL, 10) : 0, messages = 0, bytes = 0;
    void *zmq = zmq_ctx_new(), *socket = zmq_socket(zmq, ZMQ_PULL);
    char endpoint[256];
    size_t size = sizeof endpoint;

    if (!want || zmq_bind(socket, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0)
        return 2;
    puts(endpoint);
    fflush(stdout);
    while (messages < want) {
        zmq_msg_t msg;

        zmq_msg_init(&msg);
        if (zmq_msg_recv(&msg, socket, 0) >= 0) {
            messages++;
            bytes += zmq_msg_size(&msg);
        }
        zmq_msg_close(&msg);
    }
    printf("%llu %llu\n", messages, bytes);
    fflush(stdout);
    getchar();
    zmq_close(socket);
    zmq_ctx_term(zmq);
    return 0;
}
