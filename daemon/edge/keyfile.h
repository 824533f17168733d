/* CURVE keys: the files that hold them, and the sockets that use them.
 *
 * A key file is a YAML map of `public_key`, `secret_key` and `server_key`, each Z85 text of 40 characters; a server's or a
 * client's own file has the first two, a client's may name its server's public key as the third, and what is given to others
 * has the first alone. */
#ifndef KPID_KEYFILE_H
#define KPID_KEYFILE_H

#include "kpid/err.h"

#include <stdbool.h>

enum { KP_CURVE_TEXT = 41 /* Z85 of 32 bytes, and its NUL */ };

struct kp_key_file {
    char public_key[KP_CURVE_TEXT], secret_key[KP_CURVE_TEXT], server_key[KP_CURVE_TEXT];   /* "": not there */
};

/* Is it Z85 of 32 bytes? */
bool kp_curve_is_key(const char *text);

/* Read a file. KP_EINVAL, with "FILE:LINE:COLUMN: what" or "FILE: what": it cannot be read, holds something else, its keys do
 * not belong together, or it has a secret key that others on this machine may read. */
enum kp_code kp_key_file_read(const char *path, struct kp_key_file *keys, struct kp_err *err) KP_CHECK;
/* Write one that was not there: of mode 0600 with a secret key, else 0644. comment: its first line, without a line break. */
enum kp_code kp_key_file_write(const char *path, const char *comment, const struct kp_key_file *keys, struct kp_err *err) KP_CHECK;

/* A public key, out of itself or of the file that has it. KP_EINVAL: it is neither. */
enum kp_code kp_curve_public_of(const char *key_or_path, char key[KP_CURVE_TEXT], struct kp_err *err) KP_CHECK;

/* A new pair; server_key stays as it is. */
enum kp_code kp_curve_make(struct kp_key_file *keys, struct kp_err *err) KP_CHECK;

/* Before it is bound: only who has a key that the ZAP handler knows gets in. domain: what the handler is told. */
enum kp_code kp_curve_serve(void *socket, const char *secret_key, const char *domain, struct kp_err *err) KP_CHECK;
/* Before it connects: prove who we are, to the one that has this server_key. */
enum kp_code kp_curve_connect(void *socket, const struct kp_key_file *keys, struct kp_err *err) KP_CHECK;

#endif
