/*
 * inotify_double: the kernel's inotify with limits a test sets, so that none of the machine's has
 * to be touched. Holds definitions that take the C library's place: include it in one test
 * program's only file.
 * Owns: nothing but the numbers below. Threads: watches may be added on any. Memory: none kept.
 * Errors: those it is told to give.
 */
#ifndef PM_TESTS_LIB_INOTIFY_DOUBLE_H
#define PM_TESTS_LIB_INOTIFY_DOUBLE_H

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/types.h>
#include <unistd.h>

static struct {
    int queue;       /* events kept between two reads, then one overflow record; 0: no limit */
    bool deaf;       /* no event is ever delivered */
    int init_errno;  /* inotify_init1 fails with it; 0: works */
    int watch_errno; /* inotify_add_watch fails with it once watches_left is used up */
    atomic_int watches_left;
    atomic_int inits, watch_calls;
    atomic_int fd; /* the last one opened, 0: none */
} kernel;

int inotify_init1(int flags)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "inotify_init1");
    int fd;
    atomic_fetch_add(&kernel.inits, 1);
    if (kernel.init_errno != 0) {
        errno = kernel.init_errno;
        return -1;
    }
    fd = real(flags);
    atomic_store(&kernel.fd, fd > 0 ? fd : 0);
    return fd;
}

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    int (*real)(int, const char *, uint32_t) =
        (int (*)(int, const char *, uint32_t))dlsym(RTLD_NEXT, "inotify_add_watch");
    atomic_fetch_add(&kernel.watch_calls, 1);
    if (kernel.watch_errno != 0 && atomic_fetch_sub(&kernel.watches_left, 1) <= 0) {
        errno = kernel.watch_errno;
        return -1;
    }
    return real(fd, path, mask);
}

/* Reads everything the kernel has, gives the first few and one record that says there were more. */
static inline ssize_t inotify_double_read(
    ssize_t (*real)(int, void *, size_t), int fd, char *out, size_t size)
{
    _Alignas(struct inotify_event) char buffer[65536];
    size_t used = 0;
    int count = 0;
    ssize_t n;
    while ((n = real(fd, buffer, sizeof buffer)) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *event = (const struct inotify_event *)(buffer + at);
            size_t bytes = sizeof *event + event->len;
            if (!kernel.deaf && count++ < kernel.queue && used + bytes <= size) {
                memcpy(out + used, event, bytes);
                used += bytes;
            }
            at += (ssize_t)bytes;
        }
    }
    if (count > kernel.queue && used + sizeof(struct inotify_event) <= size) {
        const struct inotify_event lost = {.wd = -1, .mask = IN_Q_OVERFLOW};
        memcpy(out + used, &lost, sizeof lost);
        used += sizeof lost;
    }
    errno = EAGAIN;
    return used > 0 ? (ssize_t)used : -1;
}

ssize_t read(int fd, void *out, size_t size)
{
    ssize_t (*real)(int, void *, size_t) =
        (ssize_t(*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
    if (fd == atomic_load(&kernel.fd) && fd != 0 && (kernel.queue > 0 || kernel.deaf)) {
        return inotify_double_read(real, fd, out, size);
    }
    return real(fd, out, size);
}

/* Back to no limit at all. */
static inline void inotify_double_reset(void)
{
    kernel.queue = kernel.init_errno = kernel.watch_errno = 0;
    kernel.deaf = false;
    atomic_store(&kernel.inits, 0);
    atomic_store(&kernel.watch_calls, 0);
    atomic_store(&kernel.watches_left, 0);
}

#endif
