/* overlapgain: means of a window, by strips or directly, against a plain sum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "tests/lib/workerkit.h"
#include "worker/overlapgain.h"

static double plain_mean(const struct pm_image *image, struct pm_rect rect)
{
    double sum = 0;
    int64_t count = 0;
    for (int y = rect.y; y < rect.y + rect.h; y++) {
        for (int x = rect.x; x < rect.x + rect.w; x++) {
            for (int c = 0; c < image->channels; c++) {
                double v = kit_get(image, x, y, c);
                sum += isfinite(v) ? v : 0;
                count += isfinite(v);
            }
        }
    }
    return sum / (double)count;
}

static void means_of_large_and_small_windows(void **state)
{
    static const struct pm_rect rects[] = {{0, 0, 60, 40}, {3, 2, 57, 38}, {0, 5, 55, 35},
        {40, 30, 20, 10}, {59, 39, 1, 1}, {0, 0, 60, 1}};
    struct pm_err err;
    (void)state;
    for (int sample = PM_U8; sample <= PM_F32; sample++) {
        for (int channels = 1; channels <= 3; channels += 2) {
            struct pm_image *image = kit_image(60, 40, channels, (enum pm_sample)sample);
            struct pm_prep *prep = NULL;
            kit_texture(image, 3, 4, 0.7, 0.1, 5);
            if (sample >= PM_F16) {
                kit_put(image, 50, 35, 0, (double)NAN);
            }
            assert_int_equal(pm_prep_of_image(&prep, image, &err), PM_OK);
            for (size_t i = 0; i < sizeof rects / sizeof rects[0]; i++) {
                double want = plain_mean(image, rects[i]);
                assert_true(fabs(pm_rect_mean(image, prep, rects[i]) - want) < 1e-13);
            }
            pm_prep_free(prep);
            pm_image_free(image);
        }
    }
}

static void gain_of_the_overlap(void **state)
{
    struct pm_image *gt = kit_image(60, 40, 3, PM_U16), *target = kit_image(60, 40, 3, PM_U16);
    struct pm_prep *gt_prep = NULL, *target_prep = NULL;
    struct pm_overlap o = pm_overlap_full(60, 40, -4, 9);
    struct pm_err err;
    double gain;
    (void)state;
    kit_texture(gt, 0, 0, 0.9, 0, 1);
    kit_texture(target, 9, -4, 0.3, 0, 1);
    assert_int_equal(pm_prep_of_image(&gt_prep, gt, &err), PM_OK);
    assert_int_equal(pm_prep_of_image(&target_prep, target, &err), PM_OK);
    assert_int_equal(pm_overlap_gain(gt, gt_prep, target, target_prep, o, &gain, &err), PM_OK);
    double want = plain_mean(gt, (struct pm_rect){o.gt_x, o.gt_y, o.w, o.h}) /
                  plain_mean(target, (struct pm_rect){o.target_x, o.target_y, o.w, o.h});
    assert_true(fabs(gain - want) < 1e-13);
    assert_true(fabs(gain - 3) < 1e-4); /* the same scene, rounded to 16 bits */
    pm_prep_free(gt_prep);
    pm_prep_free(target_prep);
    pm_image_free(gt);
    pm_image_free(target);
}

static void black_overlaps_have_none(void **state)
{
    struct pm_image *gt = kit_image(60, 40, 1, PM_U16), *black = kit_image(60, 40, 1, PM_U16);
    struct pm_prep *gt_prep = NULL, *black_prep = NULL;
    struct pm_overlap o = pm_overlap_full(60, 40, 0, 0);
    struct pm_err err;
    double gain;
    (void)state;
    kit_texture(gt, 0, 0, 0.9, 0, 1);
    assert_int_equal(pm_prep_of_image(&gt_prep, gt, &err), PM_OK);
    assert_int_equal(pm_prep_of_image(&black_prep, black, &err), PM_OK);
    assert_int_equal(pm_overlap_gain(gt, gt_prep, black, black_prep, o, &gain, &err), PM_EGAIN);
    assert_int_equal(pm_overlap_gain(black, black_prep, gt, gt_prep, o, &gain, &err), PM_EGAIN);
    pm_prep_free(gt_prep);
    pm_prep_free(black_prep);
    pm_image_free(gt);
    pm_image_free(black);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_of_large_and_small_windows),
        cmocka_unit_test(gain_of_the_overlap),
        cmocka_unit_test(black_overlaps_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
