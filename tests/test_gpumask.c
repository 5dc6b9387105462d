/* gpumask: the mask's bits are the CPU's for every setting; crowded pairs are left to the CPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/log.h"
#include "tests/lib/fakegpu.h"

struct fixture {
    const struct fake_control *fake;
    struct pm_gpu *gpu;
    struct fakegpu_pair pair;
};

static void bring(struct fixture *f)
{
    struct pm_shift shift = fakegpu_find(&f->pair, PM_METHOD_GPU, f->gpu, 0);
    assert_int_equal(shift.method, PM_METHOD_GPU);
    assert_true(pm_gpu_has(f->gpu, f->pair.gt, f->pair.target));
}

static int set_up(void **state)
{
    static struct fixture f;
    struct pm_gpu_opts opts = fakegpu_opts();
    const struct pm_synth spec = {.w = 150,
        .h = 111,
        .channels = 3,
        .sample = PM_U16,
        .dy = -3,
        .dx = 4,
        .gain = 1.3,
        .photon = 0.01,
        .read = 0.03,
        .seed = 5};
    struct pm_err err;
    f.fake = fakegpu_control();
    f.fake->reset(3, 1);
    fakegpu_pair_make(&f.pair, &spec);
    assert_int_equal(pm_gpu_open(&f.gpu, &opts, &err), PM_OK);
    bring(&f);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    pm_gpu_close(f->gpu);
    fakegpu_pair_free(&f->pair);
    return f->fake->violations() != 0 || f->fake->live() != 0 ? -1 : 0;
}

static void compare(struct fixture *f, struct pm_mask_scan scan)
{
    struct pm_mask_scan here = scan, there = scan;
    struct pm_bitmap want = {0}, got = {0};
    struct pm_err err;
    fakegpu_mask_on_cpu(&here, &want);
    assert_int_equal(pm_bitmap_init(&got, scan.overlap.w, scan.overlap.h, NULL, &err), PM_OK);
    assert_true(pm_gpu_mask(f->gpu, &there, &got));
    assert_true(fakegpu_same_bits(here.threshold, there.threshold));
    assert_true(fakegpu_same_bits(here.loss, there.loss));
    assert_true(fakegpu_same_mask(&want, &got));
    pm_bitmap_fini(&want);
    pm_bitmap_fini(&got);
}

static void test_thresholds_and_quantiles(void **state)
{
    static const double thresholds[] = {0.4, 0.05, 1e-6, 100};
    static const double quantiles[] = {0.9999, 0.99, 0.5, 1, 0};
    struct fixture *f = *state;
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 5; j++) {
            struct pm_mask_scan scan = fakegpu_scan(&f->pair, -3, 4);
            scan.loss_threshold = thresholds[i];
            scan.loss_quantile = quantiles[j];
            if (quantiles[j] < 0.9 && thresholds[i] > 0.1) {
                continue; /* half of all pixels settled one by one: crowded, below */
            }
            compare(f, scan);
        }
    }
}

static void test_exposure(void **state)
{
    static const double limits[] = {1, 0.5, 0.2, 0.1000001, 1e-6, 2};
    struct fixture *f = *state;
    struct pm_mask_scan scan = fakegpu_scan(&f->pair, -3, 4);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        scan.overexposure = limits[i];
        compare(f, scan);
    }
    for (int x = 40; x < 60; x++) { /* exactly at the brightest sample of a pixel */
        const uint16_t *px = (const uint16_t *)pm_image_row(f->pair.gt, 50) + 3 * x;
        uint16_t top = px[0] > px[1] ? px[0] : px[1];
        scan.overexposure = (top > px[2] ? top : px[2]) / 65535.0;
        compare(f, scan);
    }
}

/* The same image twice: every loss is 0, and the threshold 1. All pixels tie for the quantile. */
static void test_a_crowd_is_left_to_the_cpu(void **state)
{
    struct fixture *f = *state;
    struct fakegpu_pair self = f->pair;
    struct pm_mask_scan scan;
    struct pm_bitmap mask = {0};
    struct pm_err err;
    self.target = self.gt;
    self.target_prep = self.gt_prep;
    assert_int_equal(fakegpu_find(&self, PM_METHOD_GPU, f->gpu, 0).method, PM_METHOD_GPU);
    scan = fakegpu_scan(&self, 0, 0);
    assert_int_equal(pm_bitmap_init(&mask, scan.overlap.w, scan.overlap.h, NULL, &err), PM_OK);
    assert_false(pm_gpu_mask(f->gpu, &scan, &mask));
    assert_int_equal(pm_bitmap_count(&mask, (struct pm_rect){0, 0, mask.w, mask.h}), 0);
    assert_true(pm_gpu_alive(f->gpu));
    assert_string_equal(pm_gpu_refusal(f->gpu), "too many pixels were too near to call");
    pm_bitmap_fini(&mask);
    bring(f); /* and it goes on */
    compare(f, fakegpu_scan(&f->pair, -3, 4));
}

/* Other images than those that are there, a source of another sample type: not here. */
static void test_only_what_is_there(void **state)
{
    struct fixture *f = *state;
    struct pm_mask_scan scan = fakegpu_scan(&f->pair, -3, 4);
    struct pm_bitmap mask = {0};
    struct pm_err err;
    assert_int_equal(pm_bitmap_init(&mask, scan.overlap.w, scan.overlap.h, NULL, &err), PM_OK);
    scan.gt_source = f->pair.target;
    assert_false(pm_gpu_mask(f->gpu, &scan, &mask));
    scan = fakegpu_scan(&f->pair, -3, 4);
    scan.target = f->pair.gt;
    assert_false(pm_gpu_mask(f->gpu, &scan, &mask));
    scan = fakegpu_scan(&f->pair, -3, 4);
    pm_gpu_end_pair(f->gpu);
    assert_false(pm_gpu_mask(f->gpu, &scan, &mask));
    assert_false(pm_gpu_mask(NULL, &scan, &mask));
    pm_bitmap_fini(&mask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_thresholds_and_quantiles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_exposure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_crowd_is_left_to_the_cpu, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_what_is_there, set_up, tear_down),
    };
    pm_log_init(PM_LOG_ERR, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
