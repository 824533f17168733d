/* What kpictl's subcommands share. Each is one file with one function of this shape; argv[0] is its own name.
 *
 * Exit status: 0 well, 1 failed (or something was rejected), 2 wrong use or configuration. */
#ifndef KPICTL_H
#define KPICTL_H

#include "kpid/config.h"
#include "kpid/err.h"
#include "kpid/out.h"

#include <stdbool.h>
#include <stdio.h>

enum { EXIT_WELL = 0, EXIT_FAILED = 1, EXIT_WRONG = 2 };

int kpictl_ack(int argc, char **argv);
int kpictl_check(int argc, char **argv);
int kpictl_checkpoint(int argc, char **argv);
int kpictl_contests(int argc, char **argv);
int kpictl_emit(int argc, char **argv);
int kpictl_forget(int argc, char **argv);
int kpictl_get(int argc, char **argv);
int kpictl_history(int argc, char **argv);
int kpictl_keygen(int argc, char **argv);
int kpictl_reload(int argc, char **argv);
int kpictl_replay(int argc, char **argv);
int kpictl_report(int argc, char **argv);
int kpictl_silence(int argc, char **argv);
int kpictl_simulate(int argc, char **argv);
int kpictl_status(int argc, char **argv);
int kpictl_test(int argc, char **argv);
int kpictl_top(int argc, char **argv);
int kpictl_unsilence(int argc, char **argv);
int kpictl_watch(int argc, char **argv);

/* Load a configuration, or print its faults to stderr and return false. The caller releases it. */
bool kpictl_load(const char *file, struct kp_config *config);

/* "kpictl SUB: what is wrong" to stderr; returns EXIT_WRONG. */
int kpictl_wrong(const char *sub, const char *fmt, ...) KP_PRINTF(2, 3);
/* The same, EXIT_FAILED. */
int kpictl_failed(const char *sub, const char *fmt, ...) KP_PRINTF(2, 3);

/* What came of a request (client_ask): its error to stderr; EXIT_WRONG where the daemon knows no such name, else
 * EXIT_FAILED. */
int kpictl_refused(const char *sub, const struct kp_err *err);

/* What was written, as a line on stdout. False: it can't be. */
bool kpictl_print(struct kp_out *out) KP_CHECK;

/* A whole number from 1, and nothing else. */
bool kpictl_count(const char *text, uint64_t *count);

/* "2026-03-02T09:00:00Z" or ms. */
bool kpictl_time(const char *text, int64_t *at_ms);

#endif
