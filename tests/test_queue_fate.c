/* queue_fate: one table of codes decides what a job becomes, when, and whether the attempt counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/queue.h"

static void every_code_has_its_fate(void **state)
{
    (void)state;
    for (int code = 0; code < PM_CODE_COUNT; code++) {
        struct pm_verdict early = pm_queue_fate((enum pm_code)code, 1, 3, 0.5);
        struct pm_verdict late = pm_queue_fate((enum pm_code)code, 3, 3, 0.5);
        enum pm_fate fate = pm_code_fate((enum pm_code)code);
        const char *const first[] = {[PM_FATE_NONE] = "done",
            [PM_FATE_RETRY] = "queued",
            [PM_FATE_FAIL] = "failed",
            [PM_FATE_MISSING] = "missing",
            [PM_FATE_CHANGED] = "queued",
            [PM_FATE_REQUEUE] = "queued",
            [PM_FATE_HOLD] = "failed"};
        const char *const last[] = {[PM_FATE_NONE] = "done",
            [PM_FATE_RETRY] = "quarantined",
            [PM_FATE_FAIL] = "failed",
            [PM_FATE_MISSING] = "failed",
            [PM_FATE_CHANGED] = "queued",
            [PM_FATE_REQUEUE] = "queued",
            [PM_FATE_HOLD] = "failed"};
        assert_string_equal(early.state, first[fate]);
        assert_string_equal(late.state, last[fate]);
        assert_int_equal(early.attempt_back, fate == PM_FATE_REQUEUE);
    }
}

static void delays_grow_by_four_up_to_an_hour(void **state)
{
    (void)state;
    static const int64_t seconds[] = {5, 20, 80, 320, 1280, 3600, 3600};
    for (int attempt = 1; attempt <= 7; attempt++) {
        struct pm_verdict verdict = pm_queue_fate(PM_EIO, attempt, 100, 0.5);
        assert_int_equal(verdict.delay_us, seconds[attempt - 1] * 1000000);
        assert_int_equal(
            pm_queue_fate(PM_EIO, attempt, 100, 0.0).delay_us, seconds[attempt - 1] * 900000);
        assert_int_equal(
            pm_queue_fate(PM_EIO, attempt, 100, 1.0).delay_us, seconds[attempt - 1] * 1100000);
    }
    assert_int_equal(pm_queue_fate(PM_EIO, 1000000, INT32_MAX, 0.5).delay_us, 3600000000);
}

static void some_need_not_wait(void **state)
{
    (void)state;
    assert_int_equal(pm_queue_fate(PM_ECRASH, 1, 3, 0.5).delay_us, 0);
    assert_int_equal(pm_queue_fate(PM_ECANCELED, 1, 3, 0.5).delay_us, 0);
    assert_int_equal(pm_queue_fate(PM_ENOSPC, 1, 3, 0.5).delay_us, 10000000);
    assert_true(pm_queue_fate(PM_ECHANGED, 1, 3, 0.5).delay_us > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_fate),
        cmocka_unit_test(delays_grow_by_four_up_to_an_hour),
        cmocka_unit_test(some_need_not_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
