/*
 * clock: the time, injectable so that tests of settle, retry and drain never sleep.
 * Owns: nothing.
 * Threads: the real clock may be read from any; a fake one as its maker says.
 * Memory: the caller keeps the struct alive as long as anyone reads it.
 * Errors: none.
 */
#ifndef PM_COMMON_CLOCK_H
#define PM_COMMON_CLOCK_H

#include <stdint.h>

struct pm_clock {
    int64_t (*wall_us)(void *ctx); /* UTC since the epoch; may jump; what the database stores */
    int64_t (*mono_us)(void *ctx); /* never goes back; what durations and deadlines use */
    void *ctx;
};

/* The machine's clock; a constant, never freed. */
const struct pm_clock *pm_clock_real(void);

static inline int64_t pm_wall_us(const struct pm_clock *clock)
{
    return clock->wall_us(clock->ctx);
}

static inline int64_t pm_mono_us(const struct pm_clock *clock)
{
    return clock->mono_us(clock->ctx);
}

/* CPU time the calling thread has used, us. */
int64_t pm_thread_cpu_us(void);

struct timespec;
/* A file's time as one number. A file may have any: outside of 1677 to 2262 it wraps round, and
 * still differs from its neighbours. */
int64_t pm_timespec_ns(const struct timespec *ts);

#endif
