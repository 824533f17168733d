/* Errors as values: a code for the program, a sentence for the person.
 *
 * A function that can fail returns enum kp_code, or NULL / -1 with the code in *err. The text reads
 * "what: step: cause". Nothing here logs; the edge decides what is worth a line. */
#ifndef KPID_ERR_H
#define KPID_ERR_H

#define KP_CHECK __attribute__((warn_unused_result))
#define KP_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum kp_code {
    KP_OK = 0,
    KP_EINVAL,  /* the input is wrong */
    KP_ENOMEM,  /* out of memory */
    KP_ELIMIT,  /* a configured limit is reached */
    KP_EIO,     /* the world failed: disk, socket */
};

struct kp_err {
    enum kp_code code;
    char text[256];     /* NUL-terminated, cut where it is longer */
};

/* Fill *err (which may be NULL) and return code. */
enum kp_code kp_fail(struct kp_err *err, enum kp_code code, const char *fmt, ...) KP_PRINTF(3, 4);

#endif
