/* others: the calls that are not on files: memory, threads, inotify, SQLite's steps, and time. With
 * SHIM_WARP=N clocks run N times as fast and waits are N times as short, so that the delays of
 * retries need not be sat through; a thread's CPU clock stays as it is. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "tests/preload/gate.h"
#include "tests/preload/real.h"

typedef struct sqlite3_stmt sqlite3_stmt;
int sqlite3_step(sqlite3_stmt *stmt);

REAL_OF(malloc)
REAL_OF(calloc)
REAL_OF(realloc)
REAL_OF(aligned_alloc)
REAL_OF(pthread_create)
REAL_OF(inotify_init1)
REAL_OF(inotify_add_watch)
REAL_OF(sqlite3_step)
REAL_OF(clock_gettime)
REAL_OF(nanosleep)
REAL_OF(epoll_pwait)

static bool may(enum shim_call call)
{
    int code = shim_before(call, -1, NULL);
    errno = code != 0 ? code : errno;
    return code == 0;
}

/* --- memory --- */

void *malloc(size_t bytes)
{
    return may(SHIM_MALLOC) ? REAL(malloc)(bytes) : NULL;
}

void *calloc(size_t count, size_t bytes)
{
    return may(SHIM_MALLOC) ? REAL(calloc)(count, bytes) : NULL;
}

void *realloc(void *old, size_t bytes)
{
    return may(SHIM_MALLOC) ? REAL(realloc)(old, bytes) : NULL;
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return may(SHIM_MALLOC) ? REAL(aligned_alloc)(alignment, bytes) : NULL;
}

/* --- threads, inotify, SQLite --- */

int pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*run)(void *arg), void *arg)
{
    int code = shim_before(SHIM_THREAD, -1, NULL);
    return code != 0 ? code : REAL(pthread_create)(id, attr, run, arg);
}

int inotify_init1(int flags)
{
    return may(SHIM_INOTIFY) ? REAL(inotify_init1)(flags) : -1;
}

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    return may(SHIM_INOTIFY) ? REAL(inotify_add_watch)(fd, path, mask) : -1;
}

/* sqlite3_exec() steps, too, but takes the answer from the statement, which knows of no fault: only
 * what comes from outside the library counts. */
int sqlite3_step(sqlite3_stmt *stmt)
{
    Dl_info from, sqlite;
    bool inside = dladdr(__builtin_return_address(0), &from) != 0 &&
                  dladdr((void *)REAL(sqlite3_step), &sqlite) != 0 &&
                  from.dli_fbase == sqlite.dli_fbase;
    int code = inside ? 0 : shim_before(SHIM_STEP, -1, NULL);
    return code != 0 ? code : REAL(sqlite3_step)(stmt);
}

/* --- time --- */

#define NS INT64_C(1000000000)
#define WALL_FROM_S                                                                                \
    100000000 /* a time beyond this is of the wall clock, below of the monotonic one */

static int warp; /* 0: not yet read; 1: as it is */
static int64_t from_wall_ns, from_mono_ns;

static int64_t ns_of(const struct timespec *t)
{
    return (int64_t)t->tv_sec * NS + t->tv_nsec;
}

static struct timespec timespec_of(int64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS), .tv_nsec = (long)(ns % NS)};
}

__attribute__((constructor)) static void begin(void)
{
    struct timespec wall, mono;
    const char *text = getenv("SHIM_WARP");
    REAL(clock_gettime)(CLOCK_REALTIME, &wall);
    REAL(clock_gettime)(CLOCK_MONOTONIC, &mono);
    from_wall_ns = ns_of(&wall);
    from_mono_ns = ns_of(&mono);
    warp = text != NULL && atoi(text) > 1 ? atoi(text) : 1;
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    if (id == CLOCK_THREAD_CPUTIME_ID) {
        (void)shim_before(SHIM_CLOCK, -1, NULL);
    }
    int rc = REAL(clock_gettime)(id, now);
    bool wall = id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
    bool mono = id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE;
    if (rc == 0 && warp > 1 && (wall || mono)) {
        int64_t from = wall ? from_wall_ns : from_mono_ns;
        *now = timespec_of(from + (ns_of(now) - from) * warp);
    }
    return rc;
}

int pthread_cond_timedwait(
    pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    static __typeof__(&pthread_cond_timedwait) real;
    if (real == NULL) { /* dlsym finds libc's oldest version, but dlvsym not TSan's, which must see
                           that the mutex is let go */
        real = dlsym(RTLD_DEFAULT, "__tsan_init") != NULL
                   ? (__typeof__(real))dlsym(RTLD_NEXT, "pthread_cond_timedwait")
                   : (__typeof__(real))dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    }
    struct timespec at = *until;
    if (warp > 1) {
        int64_t from = at.tv_sec > WALL_FROM_S ? from_wall_ns : from_mono_ns;
        at = timespec_of(from + (ns_of(&at) - from) / warp);
    }
    return real(cond, mutex, &at);
}

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
    struct timespec shorter = timespec_of(ns_of(wanted) / warp);
    return REAL(nanosleep)(&shorter, left);
}

int usleep(useconds_t us)
{
    struct timespec wanted = timespec_of((int64_t)us * 1000);
    return nanosleep(&wanted, NULL);
}

int epoll_pwait(int fd, struct epoll_event *events, int max, int wait_ms, const sigset_t *mask)
{
    (void)shim_before(SHIM_POLL, -1, NULL);
    int shorter = wait_ms > 0 ? (wait_ms + warp - 1) / warp : wait_ms;
    return REAL(epoll_pwait)(fd, events, max, shorter, mask);
}

int epoll_wait(int fd, struct epoll_event *events, int max, int wait_ms)
{
    return epoll_pwait(fd, events, max, wait_ms, NULL);
}
