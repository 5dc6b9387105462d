#include "common/clock.h"

#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t real_wall_us(void *ctx)
{
    (void)ctx;
    return read_us(CLOCK_REALTIME);
}

static int64_t real_mono_us(void *ctx)
{
    (void)ctx;
    return read_us(CLOCK_MONOTONIC);
}

const struct pm_clock *pm_clock_real(void)
{
    static const struct pm_clock real = {real_wall_us, real_mono_us, 0};
    return &real;
}

int64_t pm_thread_cpu_us(void)
{
    return read_us(CLOCK_THREAD_CPUTIME_ID);
}

int64_t pm_timespec_ns(const struct timespec *ts)
{
    return (int64_t)((uint64_t)ts->tv_sec * 1000000000 + (uint64_t)ts->tv_nsec);
}
