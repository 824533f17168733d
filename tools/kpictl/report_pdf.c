/* A PDF out of a report's HTML. Whoever reads HTML well is a browser, so one that is installed does it: with a profile and a folder
 * of its own, without the network, and not for ever. */
#include "report.h"

#include "client.h"

#include "config_read.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { PDF_MAX = 256 * 1024 * 1024, LIMIT_MS = 60000, LOOK_MS = 20 };

/* The first of these that PATH has, as it is called there. */
static const char *find_browser(void)
{
    static const char *const names[] = {"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"};
    const char *path = getenv("PATH");
    char file[4096];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (const char *dir = path ? path : ""; *dir; dir += strspn(dir, ":")) {
            size_t len = strcspn(dir, ":");

            if (snprintf(file, sizeof file, "%.*s/%s", (int)len, dir, names[i]) < (int)sizeof file && access(file, X_OK) == 0)
                return names[i];
            dir += len;
        }
    }
    return NULL;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    remove(path);
    return 0;
}

static enum kp_code write_page(const char *file, const char *html, size_t len, struct kp_err *err)
{
    FILE *out = fopen(file, "we");
    bool ok = out && fwrite(html, 1, len, out) == len;

    if (out)
        ok = fclose(out) == 0 && ok;
    return ok ? KP_OK : kp_fail(err, KP_EIO, "%.100s: %s", file, strerror(errno));
}

/* A group of its own, so that all of its processes can be ended. It says much that is nobody's business. */
static int start(const char *browser, char *const *argv, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    int error;

    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attr, 0);
    error = posix_spawnp(pid, browser, &files, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

static enum kp_code wait_for(pid_t pid, const char *browser, struct kp_err *err)
{
    int64_t until_ms = client_steady_ms() + LIMIT_MS;
    int status = 0;
    pid_t ended;

    while ((ended = waitpid(pid, &status, WNOHANG)) == 0 && client_steady_ms() < until_ms && !client_stopped())
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
    kill(-pid, SIGKILL);        /* also what it may have left behind */
    if (ended == 0) {
        waitpid(pid, &status, 0);
        return kp_fail(err, KP_EIO, client_stopped() ? "stopped" : "%s has not made the PDF within %d s", browser, LIMIT_MS / 1000);
    }
    if (ended < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return kp_fail(err, KP_EIO, "%s failed to make the PDF (status %d); --format html makes a page that any browser prints",
                       browser, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return KP_OK;
}

/* A path as a URL: what has a meaning there as %XX. */
static void file_url(const char *path, char *buf, size_t size)
{
    size_t len = (size_t)snprintf(buf, size, "file://");

    for (; *path && len + 4 < size; path++) {
        if (isalnum((unsigned char)*path) || strchr("/-_.", *path))
            buf[len++] = *path;
        else
            len += (size_t)snprintf(buf + len, size - len, "%%%02X", (unsigned char)*path);
    }
    buf[len] = '\0';
}

static enum kp_code print(const char *browser, const char *folder, struct kp_err *err)
{
    char file[320], page[1024], pdf[320], profile[320];
    const char *argv[16];
    size_t n = 0;
    pid_t pid = 0;
    int error;

    snprintf(file, sizeof file, "%s/report.html", folder);
    file_url(file, page, sizeof page);
    snprintf(pdf, sizeof pdf, "--print-to-pdf=%s/report.pdf", folder);
    snprintf(profile, sizeof profile, "--user-data-dir=%s/profile", folder);
    argv[n++] = browser;
    argv[n++] = "--headless";
    if (geteuid() == 0)
        argv[n++] = "--no-sandbox";     /* root can't have one; the page is our own, and loads nothing */
    argv[n++] = "--disable-gpu";
    argv[n++] = "--disable-dev-shm-usage";
    argv[n++] = "--no-first-run";
    argv[n++] = "--disable-background-networking";
    argv[n++] = "--host-resolver-rules=MAP * ~NOTFOUND";
    argv[n++] = "--no-pdf-header-footer";
    argv[n++] = "--print-to-pdf-no-header";     /* the same, to older ones */
    argv[n++] = profile;
    argv[n++] = pdf;
    argv[n++] = page;
    argv[n] = NULL;
    error = start(browser, (char *const *)(uintptr_t)argv, &pid);
    return error ? kp_fail(err, KP_EIO, "%s: %s", browser, strerror(error)) : wait_for(pid, browser, err);
}

enum kp_code report_pdf(const char *html, size_t len, char **pdf, size_t *pdf_len, struct kp_err *err)
{
    const char *browser = find_browser(), *tmp = getenv("TMPDIR");
    char folder[256], file[320];
    struct kp_err why = {0};
    enum kp_code code;

    *pdf = NULL;
    if (!browser)
        return kp_fail(err, KP_EIO,
                       "a PDF is made by a browser, and there is none: install chromium, or take --format html and print it");
    if (snprintf(folder, sizeof folder, "%s/kpictl-report-XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp") >= (int)sizeof folder ||
        !mkdtemp(folder))
        return kp_fail(err, KP_EIO, "%.100s: %s", folder, strerror(errno));
    snprintf(file, sizeof file, "%s/report.html", folder);
    code = write_page(file, html, len, err);
    code = code ? code : print(browser, folder, err);
    snprintf(file, sizeof file, "%s/report.pdf", folder);
    if (!code)
        *pdf = kp_read_file(file, PDF_MAX, pdf_len, &why);
    if (!code && (!*pdf || *pdf_len < 5 || memcmp(*pdf, "%PDF-", 5) != 0))
        code = kp_fail(err, KP_EIO, "%s ended well and made no PDF", browser);
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return code;
}
