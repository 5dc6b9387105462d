/* gputest: a GPU that computes right passes; one that is missing, or wrong, is off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/log.h"
#include "tests/lib/fakegpu.h"
#include "worker/gpu/gputest.h"

static struct pm_gpu *start(void)
{
    struct pm_gpu_opts opts = fakegpu_opts();
    struct pm_gpu *gpu = NULL;
    struct pm_err err;
    assert_int_equal(pm_gpu_start(&gpu, &opts, &err), PM_OK);
    return gpu;
}

static void test_a_right_one_passes(void **state)
{
    const struct fake_control *fake = fakegpu_control();
    struct pm_gpu *gpu = start();
    struct pm_gputest_report report;
    struct pm_err err;
    (void)state;
    assert_true(pm_gpu_alive(gpu));
    assert_non_null(strstr(pm_gpu_state(gpu), "Fake GPU (sm_75"));
    assert_int_equal(fake->memory_used(), 0); /* nothing is held until there is work */
    assert_int_equal(pm_gputest_run(gpu, &report, &err), PM_OK);
    assert_int_equal(report.pairs, 4);
    assert_int_equal(pm_gpu_counts(gpu).pairs, 8);
    assert_int_equal(pm_gpu_counts(gpu).masks, 8);
    pm_gpu_close(gpu);
}

static void test_a_missing_one_is_off(void **state)
{
    const struct fake_control *fake = fakegpu_control();
    struct pm_gpu *gpu;
    (void)state;
    fake->set_devices(0, 100);
    gpu = start();
    assert_false(pm_gpu_alive(gpu));
    assert_false(pm_gpu_lost(gpu)); /* it was never there */
    assert_string_equal(pm_gpu_state(gpu), "off: no CUDA device (100)");
    pm_gpu_close(gpu);
    fake->set_devices(0, 35);
    gpu = start();
    assert_string_equal(pm_gpu_state(gpu), "off: the NVIDIA driver is missing or too old (35)");
    pm_gpu_close(gpu);
}

/* A call that fails during the self-test: off, with the reason. */
static void test_a_failing_one_is_off(void **state)
{
    const struct fake_control *fake = fakegpu_control();
    struct pm_gpu *gpu;
    (void)state;
    fake->fail_name("cufftExecC2R", FAKE_ONCE);
    gpu = start();
    assert_false(pm_gpu_alive(gpu));
    assert_true(pm_gpu_lost(gpu));
    assert_non_null(strstr(pm_gpu_state(gpu), "self-test: "));
    pm_gpu_close(gpu);
}

/* Too little memory for even a small pair is no way to work either. */
static void test_a_full_one_is_off(void **state)
{
    const struct fake_control *fake = fakegpu_control();
    struct pm_gpu *gpu;
    (void)state;
    fake->set_memory(100000);
    gpu = start();
    assert_false(pm_gpu_alive(gpu));
    assert_non_null(strstr(pm_gpu_state(gpu), "did not fit"));
    pm_gpu_close(gpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_right_one_passes, fakegpu_set_up, fakegpu_tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_missing_one_is_off, fakegpu_set_up, fakegpu_tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_failing_one_is_off, fakegpu_set_up, fakegpu_tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_one_is_off, fakegpu_set_up, fakegpu_tear_down),
    };
    pm_log_init(PM_LOG_ERR, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
