/*
 * disk: preloaded into a program, a disk that is full, and calls that wait, for as long as a file
 * is there. A test makes and removes those files; nothing depends on time.
 *
 *   SHIM_FULL=FLAG SHIM_FULL_DIR=DIR
 *       while FLAG exists, no byte can be written below DIR (ENOSPC); each refusal is a line
 *       "MILLISECONDS PATH" in FLAG.log
 *   SHIM_HOLD=FLAG SHIM_HOLD_NAME=TEXT SHIM_HOLD_AT=open|rename
 *       while FLAG exists, opening for reading, or renaming, what has TEXT in its name waits;
 *       FLAG.at appears when somebody does
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/types.h>
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

/* True, with errno: this descriptor's file lies on the full disk. */
static bool full(int fd)
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

static void hold(const char *at, const char *name)
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

#define REAL(type, name)                                                                           \
    static type real;                                                                              \
    if (real == NULL) {                                                                            \
        real = (type)dlsym(RTLD_NEXT, name);                                                       \
    }

ssize_t write(int fd, const void *data, size_t n)
{
    typedef ssize_t (*fn)(int, const void *, size_t);
    REAL(fn, "write")
    return full(fd) ? -1 : real(fd, data, n);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at)
{
    typedef ssize_t (*fn)(int, const void *, size_t, off_t);
    REAL(fn, "pwrite")
    return full(fd) ? -1 : real(fd, data, n, at);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off_t at)
{
    typedef ssize_t (*fn)(int, const void *, size_t, off_t);
    REAL(fn, "pwrite64")
    return full(fd) ? -1 : real(fd, data, n, at);
}

int openat(int dir, const char *name, int flags, ...)
{
    typedef int (*fn)(int, const char *, int, ...);
    mode_t mode = 0;
    REAL(fn, "openat")
    if ((flags & O_CREAT) != 0) {
        va_list ap;
        va_start(ap, flags);
        mode = va_arg(ap, mode_t);
        va_end(ap);
    } else if ((flags & (O_ACCMODE | O_PATH | O_DIRECTORY)) == O_RDONLY) {
        hold("open", name);
    }
    return real(dir, name, flags, mode);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    typedef int (*fn)(int, const char *, int, const char *, unsigned);
    REAL(fn, "renameat2")
    hold("rename", to);
    return real(from_dir, from, to_dir, to, flags);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    typedef int (*fn)(int, const char *, int, const char *);
    REAL(fn, "renameat")
    hold("rename", to);
    return real(from_dir, from, to_dir, to);
}
