/* Being somebody with fewer rights. */
#ifndef KPID_USER_H
#define KPID_USER_H

#include "kpid/err.h"

/* Become a user of this system, with its groups, for good; nothing that it runs may win rights back. Does nothing when that is who
 * runs us. KP_EINVAL: there is no such user, or only root may become another one. */
enum kp_code kp_become_user(const char *name, struct kp_err *err) KP_CHECK;

#endif
