#include "signals.h"

#include "log.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum kp_code kp_signals_open(int *fd, struct kp_err *err)
{
    sigset_t set;

    *fd = -1;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
        return kp_fail(err, KP_EIO, "signals: %s", strerror(errno));
    *fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *fd >= 0 ? KP_OK : kp_fail(err, KP_EIO, "signals: %s", strerror(errno));
}

bool kp_signals_take(int fd, bool *reload)
{
    struct signalfd_siginfo info;
    bool end = false;

    while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            *reload = true;
            continue;
        }
        kp_log(KP_LOG_INFO, "event=stopping signal=%u", info.ssi_signo);
        end = true;
    }
    return end;
}
