/* cuda: method gpu answers as bruteforce does, and without a GPU it says so and the CPU answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/log.h"
#include "tests/lib/fakegpu.h"

/* The edge of the range, odd and even shifts, none at all; periodic and smooth scenes. */
static void test_same_answer_as_bruteforce(void **state)
{
    static const struct {
        enum pm_synth_scene scene;
        int dy, dx;
    } cases[] = {{PM_SYNTH_TEXTURE, 24, -24}, {PM_SYNTH_TEXTURE, 0, 0}, {PM_SYNTH_SMOOTH, -11, 20},
        {PM_SYNTH_TEXTURE, -23, 1}, {PM_SYNTH_PERIODIC, 2, -3}, {PM_SYNTH_FLAT, 0, 0}};
    struct pm_gpu *gpu = fakegpu_open();
    (void)state;
    for (size_t i = 0; i < (FAKEGPU_SHORT ? 2 : sizeof cases / sizeof cases[0]); i++) {
        const struct pm_synth spec = {.w = 121,
            .h = 110,
            .channels = i % 2 == 0 ? 3 : 1,
            .sample = PM_U16,
            .scene = cases[i].scene,
            .period = 17,
            .dy = cases[i].dy,
            .dx = cases[i].dx,
            .gain = 0.8,
            .read = cases[i].scene == PM_SYNTH_FLAT ? 0 : 0.01,
            .seed = i + 1};
        struct fakegpu_pair pair;
        struct pm_shift gpu_says, cpu_says;
        fakegpu_pair_make(&pair, &spec);
        gpu_says = fakegpu_find(&pair, PM_METHOD_GPU, gpu, 0);
        cpu_says = fakegpu_find(&pair, PM_METHOD_BRUTEFORCE, NULL, 0);
        assert_null(gpu_says.fallback);
        assert_int_equal(gpu_says.method, PM_METHOD_GPU);
        assert_int_equal(gpu_says.dy, cpu_says.dy);
        assert_int_equal(gpu_says.dx, cpu_says.dx);
        assert_true(gpu_says.evaluations > 0);
        assert_int_equal(gpu_says.flags & PM_FLAG_AMBIGUOUS, cpu_says.flags & PM_FLAG_AMBIGUOUS);
        fakegpu_pair_free(&pair);
    }
    pm_gpu_close(gpu);
}

static struct fakegpu_pair small_pair(uint64_t seed)
{
    const struct pm_synth spec = {.w = 80,
        .h = 70,
        .channels = 1,
        .sample = PM_U16,
        .dy = 3,
        .dx = 2,
        .gain = 1.2,
        .read = 0.01,
        .seed = seed};
    struct fakegpu_pair pair;
    fakegpu_pair_make(&pair, &spec);
    return pair;
}

static void test_falls_back(void **state)
{
    const struct fake_control *fake = fakegpu_control();
    struct fakegpu_pair pair = small_pair(1);
    struct pm_shift shift = fakegpu_find(&pair, PM_METHOD_GPU, NULL, 0);
    struct pm_gpu *gpu;
    (void)state;
    assert_int_equal(shift.method, PM_METHOD_FFT);
    assert_string_equal(shift.fallback, "this worker has no GPU");
    assert_string_not_equal(shift.backend, "cuda");
    gpu = fakegpu_open();
    fake->fail_name("cufftExecR2C", FAKE_ONCE);
    shift = fakegpu_find(&pair, PM_METHOD_GPU, gpu, 0);
    assert_int_equal(shift.method, PM_METHOD_FFT);
    assert_string_equal(shift.fallback, "it failed on the GPU");
    assert_int_equal(shift.dy, 3);
    assert_int_equal(shift.dx, 2);
    fake->set_memory(fake->memory_used() + 1000);
    pm_gpu_trim(gpu);
    fake->set_memory(50000);
    shift = fakegpu_find(&pair, PM_METHOD_GPU, gpu, 0);
    assert_string_equal(shift.fallback, "it did not fit into the GPU's memory");
    assert_int_equal(shift.method, PM_METHOD_FFT);
    assert_int_equal(shift.dy, 3);
    assert_non_null(strstr(pm_gpu_state(gpu), "; 1 pair did not fit, done by the CPU"));
    assert_true(pm_gpu_alive(gpu));
    pm_gpu_close(gpu);
    fakegpu_pair_free(&pair);
}

/* The targets of one gt find it on the device; another gt, or no key, takes its place. */
static void test_the_gt_stays(void **state)
{
    struct fakegpu_pair first = small_pair(1), second = small_pair(2), third = small_pair(3);
    struct pm_gpu *gpu = fakegpu_open();
    (void)state;
    pm_image_free(second.gt);
    pm_prep_free(second.gt_prep);
    pm_synth_pair(
        &(struct pm_synth){
            .w = 80, .h = 70, .channels = 1, .sample = PM_U16, .gain = 1.2, .seed = 1},
        &second.gt, NULL);
    pm_prep_of_image(&second.gt_prep, second.gt, NULL);
    assert_int_equal(fakegpu_find(&first, PM_METHOD_GPU, gpu, 7).dy, 3);
    assert_int_equal(pm_gpu_counts(gpu).kept, 0);
    fakegpu_find(&second, PM_METHOD_GPU, gpu, 7);
    assert_int_equal(pm_gpu_counts(gpu).kept, 1);
    assert_int_equal(fakegpu_find(&third, PM_METHOD_GPU, gpu, 8).dy, 3);
    assert_int_equal(fakegpu_find(&third, PM_METHOD_GPU, gpu, 0).dx, 2);
    assert_int_equal(pm_gpu_counts(gpu).kept, 1);
    /* A key that comes back with other pixels is not believed. */
    assert_int_equal(fakegpu_find(&first, PM_METHOD_GPU, gpu, 7).dy, 3);
    assert_int_equal(fakegpu_find(&third, PM_METHOD_GPU, gpu, 7).dy, 3);
    assert_int_equal(pm_gpu_counts(gpu).kept, 1);
    pm_gpu_close(gpu);
    fakegpu_pair_free(&first);
    fakegpu_pair_free(&second);
    fakegpu_pair_free(&third);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_same_answer_as_bruteforce, fakegpu_set_up, fakegpu_tear_down),
        cmocka_unit_test_setup_teardown(test_falls_back, fakegpu_set_up, fakegpu_tear_down),
        cmocka_unit_test_setup_teardown(test_the_gt_stays, fakegpu_set_up, fakegpu_tear_down),
    };
    pm_log_init(PM_LOG_ERR, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
