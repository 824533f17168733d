#include "user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum kp_code kp_become_user(const char *name, struct kp_err *err)
{
    const struct passwd *user;

    errno = 0;
    user = getpwnam(name);
    if (!user)
        return kp_fail(err, KP_EINVAL, "user %s: %s", name, errno ? strerror(errno) : "there is none of that name");
    if (geteuid() == user->pw_uid)
        return KP_OK;
    if (initgroups(name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)
        return kp_fail(err, KP_EINVAL, "user %s: %s", name, errno == EPERM ? "only root may become another one" : strerror(errno));
    if (user->pw_uid != 0 && (setuid(0) == 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0))
        return kp_fail(err, KP_EIO, "user %s: root can't be left behind", name);
    return KP_OK;
}
