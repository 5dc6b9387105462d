#include "tests/preload/flag.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static bool exists(const char *path)
{
    return path != NULL && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
}

static void append(const char *flag, const char *suffix, const char *line)
{
    char path[PATH_MAX];
    int fd;
    snprintf(path, sizeof path, "%s%s", flag, suffix);
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd >= 0) {
        syscall(SYS_write, fd, line, strlen(line));
        syscall(SYS_close, fd);
    }
}

bool shim_full(int fd)
{
    const char *flag = getenv("SHIM_FULL");
    const char *dir = getenv("SHIM_FULL_DIR");
    char link[64];
    char path[PATH_MAX];
    char line[PATH_MAX + 32];
    struct timespec now;
    ssize_t n;
    if (dir == NULL || !exists(flag)) {
        return false;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    path[n < 0 ? 0 : n] = '\0';
    if (strncmp(path, dir, strlen(dir)) != 0) {
        return false;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(
        line, sizeof line, "%lld %s\n", (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000, path);
    append(flag, ".log", line);
    errno = ENOSPC;
    return true;
}

/* Without a blink: who looks again and again uses CPU time, which no thread does that hangs. */
static void sleep_until_gone(const char *path)
{
    char event[sizeof(struct inotify_event) + NAME_MAX + 1];
    int fd = (int)syscall(SYS_inotify_init1, IN_CLOEXEC);
    if (fd < 0) {
        abort(); /* nothing would be held, and the test not see it */
    }
    /* Not there any more, or from here on its end is an event. */
    if (syscall(SYS_inotify_add_watch, fd, path, IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF) >= 0) {
        while (exists(path)) {
            syscall(SYS_read, fd, event, sizeof event);
        }
    }
    syscall(SYS_close, fd);
}

void shim_hold(const char *at, const char *name)
{
    const char *flag = getenv("SHIM_HOLD");
    const char *wanted = getenv("SHIM_HOLD_NAME");
    const char *where = getenv("SHIM_HOLD_AT");
    if (flag == NULL || wanted == NULL || where == NULL || strcmp(where, at) != 0 ||
        strstr(name, wanted) == NULL || !exists(flag)) {
        return;
    }
    append(flag, ".at", "here\n");
    sleep_until_gone(flag);
}
