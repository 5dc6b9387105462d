/* clock: the real one moves forward; CPU time is the calling thread's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "common/clock.h"

static void monotonic_never_goes_back(void **state)
{
    (void)state;
    int64_t before = pm_mono_us(pm_clock_real());
    for (int i = 0; i < 10000; i++) {
        int64_t now = pm_mono_us(pm_clock_real());
        assert_true(now >= before);
        before = now;
    }
}

static void wall_time_is_utc_microseconds(void **state)
{
    (void)state;
    assert_true(pm_wall_us(pm_clock_real()) > INT64_C(1700000000) * 1000000);
}

static void cpu_time_grows_with_work(void **state)
{
    (void)state;
    int64_t before = pm_thread_cpu_us();
    volatile unsigned sum = 0;
    while (pm_thread_cpu_us() - before < 1000) { /* ends only if the clock counts this loop */
        for (unsigned i = 0; i < 1000; i++) {
            sum += i;
        }
    }
    assert_true(pm_thread_cpu_us() > before);
}

static void files_may_be_of_any_year(void **state)
{
    const struct timespec now = {1700000000, 5};
    const struct timespec before = {-1, 999999999};
    const struct timespec far = {INT64_C(10383552000), 0}; /* 2299: no signed overflow */
    const struct timespec farther = {INT64_C(10383552000), 1};
    (void)state;
    assert_true(pm_timespec_ns(&now) == INT64_C(1700000000000000005));
    assert_true(pm_timespec_ns(&before) == -1);
    assert_true(pm_timespec_ns(&farther) == pm_timespec_ns(&far) + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(monotonic_never_goes_back),
        cmocka_unit_test(wall_time_is_utc_microseconds),
        cmocka_unit_test(cpu_time_grows_with_work),
        cmocka_unit_test(files_may_be_of_any_year),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
