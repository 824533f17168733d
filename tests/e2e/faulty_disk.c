/* A disk that fails, for the tests: preloaded into kpid, it looks into the file that KPID_FAULT names before each write and sync of
 * kpid.db and its log. "write ENOSPC", "sync EIO": what fails, and how; "sync 20": how many ms each takes. No file: all is well. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Is it the database's? */
static int is_meant(int fd)
{
    char link[64], path[4096];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    if (n <= 0)
        return 0;
    path[n] = '\0';
    return strstr(path, "/kpid.db") != NULL;
}

/* 0: go on; else what errno is to be. */
static int fault(int fd, const char *what)
{
    static const struct {
        const char *name;
        int error;
    } errors[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EROFS", EROFS}};
    const char *file = getenv("KPID_FAULT");
    char kind[16], how[16];
    FILE *f = file ? fopen(file, "re") : NULL;
    int n;

    if (!f)
        return 0;
    n = fscanf(f, "%15s %15s", kind, how);
    fclose(f);
    if (n != 2 || strcmp(kind, what) != 0 || !is_meant(fd))
        return 0;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (strcmp(how, errors[i].name) == 0)
            return errors[i].error;
    nanosleep(&(struct timespec){.tv_nsec = strtol(how, NULL, 10) * 1000000}, NULL);
    return 0;
}

static int fails(int fd, const char *what)
{
    int error = fault(fd, what);

    if (error)
        errno = error;
    return error != 0;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t at)
{
    REAL(pwrite64);

    return fails(fd, "write") ? -1 : real(fd, buf, n, at);
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t at)
{
    REAL(pwrite);

    return fails(fd, "write") ? -1 : real(fd, buf, n, at);
}

ssize_t write(int fd, const void *buf, size_t n)
{
    REAL(write);

    return fails(fd, "write") ? -1 : real(fd, buf, n);
}

int fsync(int fd)
{
    REAL(fsync);

    return fails(fd, "sync") ? -1 : real(fd);
}

int fdatasync(int fd)
{
    REAL(fdatasync);

    return fails(fd, "sync") ? -1 : real(fd);
}
