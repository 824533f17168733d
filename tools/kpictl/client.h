/* Talking to a daemon: its control socket, and reading what comes back. */
#ifndef KPICTL_CLIENT_H
#define KPICTL_CLIENT_H

#include "object.h"

#include "kpid/err.h"

#include <msgpack.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_CONTROL "tcp://127.0.0.1:5561"
enum { CLIENT_TIMEOUT_MS = 5000, CLIENT_ENDPOINT = 512 };

struct client {
    void *zmq;                  /* owned */
    char control[CLIENT_ENDPOINT];
};

/* Where the control socket is: the option given, else the configuration's, else the usual one. False (and the faults were
 * printed) when config can't be read. Wildcards are made into what can be connected to. */
bool client_control_endpoint(const char *option, const char *config, char endpoint[CLIENT_ENDPOINT]);

/* An endpoint that is bound on every interface ("*", 0.0.0.0) becomes one on this machine; others are copied. */
void client_connectable(const char *endpoint, char out[CLIENT_ENDPOINT]);

enum kp_code client_open(struct client *client, const char *control, struct kp_err *err) KP_CHECK;
void client_close(struct client *client);

/* A request that is built by the caller, and its reply; the caller ends reply with msgpack_unpacked_destroy, whatever came
 * back. KP_EIO: no answer within the time. KP_EINVAL: {"ok": false}, with its error, or the endpoint is none. KP_ELIMIT:
 * the daemon is busy. */
enum kp_code client_ask(struct client *client, const msgpack_sbuffer *request, int timeout_ms, msgpack_unpacked *reply,
                        struct kp_err *err) KP_CHECK;
/* {"op": op} */
enum kp_code client_ask_op(struct client *client, const char *op, msgpack_unpacked *reply, struct kp_err *err) KP_CHECK;

/* Connect, and wait until the peer has answered: a socket alone takes messages for nobody, too. 0, or -1 with errno:
 * EAGAIN: nobody was there within the time; EACCES: the daemon does not let us in; EINTR: stopped; else the endpoint is none
 * (client_is_no_endpoint). Over TCP by our identity. */
int client_connect(void *zmq, void *socket, const char *endpoint, int timeout_ms) KP_CHECK;
/* What errno says after it failed; nobody: what to say of EAGAIN. */
const char *client_why(const char *nobody);
/* errno of a connect or bind: is the endpoint itself wrong, so that no daemon could ever be there? */
bool client_is_no_endpoint(int error);

/* Wait until the socket is ready for these ZMQ_POLL events. False with errno EAGAIN: not within the time; EINTR: stopped. */
bool client_wait(void *socket, short events, int timeout_ms);
/* Send one frame, and wait for room so long. False with errno, as above. */
bool client_send(void *socket, const void *bytes, size_t len, int flags, int timeout_ms) KP_CHECK;

/* Close a socket and end its context; what is still on its way has so long to go out. False: it did not. */
bool client_end(void *zmq, void *socket, int linger_ms);

/* Interrupted by Ctrl-C or SIGTERM? Set up once by client_catch_signals; zmq calls then return EINTR, and so do reads and
 * writes, unless `resume`: a line that is being written is finished then. A second Ctrl-C ends the program at once. */
void client_catch_signals(bool resume);
bool client_stopped(void);

/* ms of a clock that nobody sets. */
int64_t client_steady_ms(void);

#endif
