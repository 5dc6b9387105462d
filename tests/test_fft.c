/* fft: the made shift on every kind of image; luma at every factor; repeats; no cost in (0,0). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/aligned.h"

static struct pm_shift check(const struct pm_synth *spec, int max_shift)
{
    struct pm_pair pair;
    struct pm_shift shift;
    pm_pair_open(&pair, spec);
    shift = pm_pair_find(&pair, PM_METHOD_FFT, max_shift, false);
    assert_int_equal(shift.dy, spec->dy);
    assert_int_equal(shift.dx, spec->dx);
    assert_int_equal(shift.method, PM_METHOD_FFT);
    assert_true(fabs(shift.gain - pm_pair_plain_gain(&pair)) < 1e-6 * shift.gain);
    pm_pair_close(&pair);
    return shift;
}

/* Small images (full luma) and larger ones (halved luma); shifts even, odd, at the range's edge. */
static void test_finds_the_shift(void **state)
{
    static const int shifts[][2] = {{0, 0}, {1, 0}, {-7, 12}, {40, -40}, {-39, 31}};
    (void)state;
    for (size_t i = 0; i < 10; i++) {
        struct pm_synth spec = {.w = i < 5 ? 140 : 291,
            .h = i < 5 ? 151 : 260,
            .channels = i % 2 == 0 ? 3 : 1,
            .sample = (enum pm_sample)(i % 4),
            .dy = shifts[i % 5][0],
            .dx = shifts[i % 5][1],
            .gain = 0.25 + (double)i * 0.4,
            .photon = 0.001,
            .read = 0.02,
            .seed = i};
        struct pm_shift shift = check(&spec, 40);
        int at_limit = spec.dy == 40;
        assert_int_equal((shift.flags & PM_FLAG_SHIFT_AT_LIMIT) != 0, at_limit);
    }
}

/* The peak is searched inside the range only: a better match outside is not answered. */
static void test_stays_in_range(void **state)
{
    struct pm_synth spec = {.w = 128,
        .h = 120,
        .channels = 1,
        .sample = PM_U16,
        .dy = 20,
        .dx = 3,
        .read = 0.01,
        .seed = 6};
    struct pm_pair pair;
    (void)state;
    pm_pair_open(&pair, &spec);
    for (int max_shift = 0; max_shift < 20; max_shift += 6) {
        struct pm_shift shift = pm_pair_find(&pair, PM_METHOD_FFT, max_shift, false);
        assert_true(abs(shift.dy) <= max_shift && abs(shift.dx) <= max_shift);
    }
    pm_pair_close(&pair);
}

/* Long and narrow, and a range far beyond the image. */
static void test_odd_shapes(void **state)
{
    struct pm_synth wide = {.w = 400,
        .h = 24,
        .channels = 3,
        .sample = PM_U8,
        .dy = -3,
        .dx = 50,
        .read = 0.01,
        .seed = 6};
    struct pm_synth high = {.w = 17,
        .h = 300,
        .channels = 1,
        .sample = PM_F32,
        .dy = 61,
        .dx = 2,
        .read = 0.01,
        .seed = 7};
    (void)state;
    (void)check(&wide, 64);
    (void)check(&high, 5000);
}

/* Strong fixed-pattern noise, the same in both images, sits at (0,0) and must not win there. */
static void test_fixed_pattern(void **state)
{
    struct pm_synth spec = {
        .w = 220, .h = 200, .channels = 1, .sample = PM_F32, .dy = 14, .dx = -9, .seed = 12};
    struct pm_synth pattern = {.w = 220,
        .h = 200,
        .channels = 1,
        .sample = PM_F32,
        .scene = PM_SYNTH_FLAT,
        .read = 0.02,
        .seed = 99};
    struct pm_image *gt, *target, *noise;
    struct pm_pair pair;
    struct pm_shift shift;
    (void)state;
    pm_synth_pair(&spec, &gt, &target);
    pm_synth_pair(&pattern, NULL, &noise);
    for (int y = 0; y < 200; y++) {
        for (int x = 0; x < 220; x++) {
            double fixed = pm_synth_get(noise, y, x, 0) - 0.4;
            pm_synth_put(gt, y, x, 0, pm_synth_get(gt, y, x, 0) + fixed);
            pm_synth_put(target, y, x, 0, pm_synth_get(target, y, x, 0) + fixed);
        }
    }
    pm_image_free(noise);
    pm_pair_wrap(&pair, gt, target);
    shift = pm_pair_find(&pair, PM_METHOD_FFT, 32, false);
    assert_int_equal(shift.dy, 14);
    assert_int_equal(shift.dx, -9);
    pm_pair_close(&pair);
}

/* A scene that repeats but for noise of its own: every period correlates, one is right. */
static void test_repeating_scene(void **state)
{
    struct pm_synth tiles = {.w = 180,
        .h = 170,
        .channels = 1,
        .sample = PM_F32,
        .scene = PM_SYNTH_PERIODIC,
        .period = 16,
        .dy = 17,
        .dx = -22,
        .seed = 31};
    struct pm_synth detail = tiles;
    struct pm_image *gt, *target, *gt_detail, *target_detail;
    struct pm_pair pair;
    struct pm_shift shift;
    (void)state;
    detail.scene = PM_SYNTH_TEXTURE;
    pm_synth_pair(&tiles, &gt, &target);
    pm_synth_pair(&detail, &gt_detail, &target_detail);
    for (int y = 0; y < 170; y++) {
        for (int x = 0; x < 180; x++) {
            pm_synth_put(
                gt, y, x, 0, pm_synth_get(gt, y, x, 0) + 0.05 * pm_synth_get(gt_detail, y, x, 0));
            pm_synth_put(target, y, x, 0,
                pm_synth_get(target, y, x, 0) + 0.05 * pm_synth_get(target_detail, y, x, 0));
        }
    }
    pm_image_free(gt_detail);
    pm_image_free(target_detail);
    pm_pair_wrap(&pair, gt, target);
    shift = pm_pair_find(&pair, PM_METHOD_FFT, 40, false);
    assert_int_equal(shift.dy, 17);
    assert_int_equal(shift.dx, -22);
    pm_pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_the_shift),
        cmocka_unit_test(test_stays_in_range),
        cmocka_unit_test(test_odd_shapes),
        cmocka_unit_test(test_fixed_pattern),
        cmocka_unit_test(test_repeating_scene),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
