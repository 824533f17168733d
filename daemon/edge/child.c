#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Descriptors that the parent holds live on in a child: its end of the pipe, the store's lock, sockets that listen. */
static void keep_only(int fd)
{
    if (fd > STDERR_FILENO + 1)
        close_range(STDERR_FILENO + 1, (unsigned)fd - 1, 0);
    close_range((unsigned)fd + 1, ~0U, 0);
}

pid_t kp_child_begin(int *fd, struct kp_err *err)
{
    pid_t parent = getpid(), pid;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0) {
        kp_fail(err, KP_EIO, "pipe: %s", strerror(errno));
        return -1;
    }
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)    /* it has ended already */
            _exit(1);
        keep_only(fds[1]);
        *fd = fds[1];
        return 0;
    }
    close(fds[1]);
    *fd = fds[0];
    if (pid > 0)
        return pid;
    kp_fail(err, KP_EIO, "fork: %s", strerror(errno));
    close(fds[0]);
    return -1;
}

void kp_child_end(pid_t pid, bool early)
{
    if (pid <= 0)
        return;
    if (early)
        kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

size_t kp_child_read(int fd, void *buf, size_t most)
{
    ssize_t n;

    do
        n = read(fd, buf, most);
    while (n < 0 && errno == EINTR);
    return n > 0 ? (size_t)n : 0;
}
