/* gpu: what the device finds is what the CPU finds, on a double of CUDA; failures cost nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/log.h"
#include "tests/lib/fakegpu.h"

static struct pm_synth spec_of(int w, int h, int channels, enum pm_sample sample)
{
    return (struct pm_synth){.w = w,
        .h = h,
        .channels = channels,
        .sample = sample,
        .dy = 5,
        .dx = -7,
        .gain = 1.7,
        .photon = 0.002,
        .read = 0.01,
        .seed = (uint64_t)w + sample};
}

static void compare_shift(const struct fakegpu_pair *pair, struct pm_gpu *gpu, int64_t gt_key)
{
    struct pm_shift here = fakegpu_find(pair, PM_METHOD_FFT, NULL, 0);
    struct pm_shift there = fakegpu_find(pair, PM_METHOD_GPU, gpu, gt_key);
    double loss;

    if (there.fallback != NULL) {
        print_error("fell back: %s; %s\n", there.fallback, pm_gpu_state(gpu));
    }
    assert_null(there.fallback);
    assert_int_equal(there.method, PM_METHOD_GPU);
    assert_string_equal(there.backend, "cuda");
    assert_int_equal(there.dy, here.dy);
    assert_int_equal(there.dx, here.dx);
    assert_true(pm_gpu_loss(gpu, pair->gt, pair->target, pair->gain, there.dy, there.dx, &loss));
    assert_true(fakegpu_same_bits(
        loss, pm_align_loss(pair->gt, pair->target, pair->gain, here.dy, here.dx)));
}

static void compare_mask(const struct fakegpu_pair *pair, struct pm_gpu *gpu, int dy, int dx)
{
    struct pm_mask_scan here = fakegpu_scan(pair, dy, dx), there = here;
    struct pm_bitmap want = {0}, got = {0};
    struct pm_err err;

    fakegpu_mask_on_cpu(&here, &want);
    assert_int_equal(pm_bitmap_init(&got, here.overlap.w, here.overlap.h, NULL, &err), PM_OK);
    assert_true(pm_gpu_mask(gpu, &there, &got));
    assert_true(fakegpu_same_bits(here.threshold, there.threshold));
    assert_true(fakegpu_same_bits(here.loss, there.loss));
    assert_true(fakegpu_same_mask(&want, &got));
    pm_bitmap_fini(&want);
    pm_bitmap_fini(&got);
}

/* Sizes that are no multiple of anything, all sample types, eager and lazy, other orders. */
static void test_parity(void **state)
{
    const struct fake_control *fake = fakegpu_control();
    static const struct {
        int w, h, channels;
        enum pm_sample sample;
    } shapes[] = {{130, 101, 3, PM_U16}, {97, 140, 1, PM_U8}, {120, 77, 3, PM_F16},
        {64, 64, 1, PM_F32}, {301, 40, 3, PM_U8}, {96, 128, 1, PM_U16}};
    (void)state;
    for (size_t i = 0; i < (FAKEGPU_SHORT ? 2 : sizeof shapes / sizeof shapes[0]); i++) {
        struct pm_synth spec =
            spec_of(shapes[i].w, shapes[i].h, shapes[i].channels, shapes[i].sample);
        struct fakegpu_pair pair;
        struct pm_gpu *gpu;
        fakegpu_pair_make(&pair, &spec);
        fake->reset(i + 1, (int)(i % 2));
        gpu = fakegpu_open();
        compare_shift(&pair, gpu, 0);
        compare_mask(&pair, gpu, 5, -7);
        compare_mask(&pair, gpu, 0, 0); /* any shift, also a wrong one: many rejected pixels */
        compare_mask(&pair, gpu, -8, 3);
        assert_int_equal(fake->violations(), 0);
        pm_gpu_close(gpu);
        fakegpu_pair_free(&pair);
    }
}

/* What the decoder summed is not what the device summed: nothing from there is believed again. */
static void test_other_pixels_than_were_decoded(void **state)
{
    struct pm_synth spec = spec_of(80, 60, 1, PM_U16);
    struct fakegpu_pair pair, other;
    struct pm_gpu *gpu = fakegpu_open();
    struct pm_prep *kept;
    (void)state;
    fakegpu_pair_make(&pair, &spec);
    spec.seed++;
    fakegpu_pair_make(&other, &spec);
    kept = pair.target_prep;
    pair.target_prep = other.target_prep;
    assert_string_equal(fakegpu_find(&pair, PM_METHOD_GPU, gpu, 0).fallback, "the GPU is off");
    assert_non_null(strstr(pm_gpu_state(gpu), "not those that were sent"));
    assert_true(pm_gpu_lost(gpu));
    pair.target_prep = kept;
    pm_gpu_close(gpu);
    fakegpu_pair_free(&pair);
    fakegpu_pair_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_parity, fakegpu_set_up, fakegpu_tear_down),
        cmocka_unit_test_setup_teardown(
            test_other_pixels_than_were_decoded, fakegpu_set_up, fakegpu_tear_down),
    };
    pm_log_init(PM_LOG_ERR, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
