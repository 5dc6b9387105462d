/* luma: means of blocks at every factor, against a scan; samples that are not finite. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/synth.h"
#include "worker/align/prep_levels.h"

static void factors_are_block_means(void **state)
{
    (void)state;
    static float out[601 * 67];
    for (int i = 0; i < 4 * 4 * 2; i++) {
        int factor = 1 << i / 8, channels = i % 2 != 0 ? 3 : 1;
        struct pm_synth spec = {.w = 601,
            .h = 67,
            .channels = channels,
            .sample = (enum pm_sample)(i / 2 % 4),
            .seed = 5};
        struct pm_image *image = NULL;
        struct pm_prep *prep = NULL;
        int w = 601 / factor;
        pm_synth_pair(&spec, &image, NULL);
        assert_int_equal(pm_prep_of_image(&prep, image, NULL), PM_OK);
        pm_prep_luma(prep, image, factor, out, (size_t)w);
        for (int b = 0; b < w * (67 / factor); b += 7) {
            double sum = 0;
            for (int k = 0; k < factor * factor * channels; k++) {
                sum += pm_synth_get(image, b / w * factor + k / channels / factor,
                    b % w * factor + k / channels % factor, k % channels);
            }
            assert_true(fabs((double)out[b] - sum / (factor * factor * channels)) < 3e-4);
        }
        pm_prep_free(prep);
        pm_image_free(image);
    }
}

static void what_is_not_finite_counts_as_the_mean(void **state)
{
    (void)state;
    static float out[64 * 64];
    struct pm_synth spec = {.w = 64, .h = 64, .channels = 1, .sample = PM_F32, .seed = 6};
    struct pm_image *image = NULL;
    struct pm_prep *prep = NULL;
    pm_synth_pair(&spec, &image, NULL);
    pm_synth_put(image, 3, 5, 0, NAN);
    pm_synth_put(image, 4, 5, 0, INFINITY);
    assert_int_equal(pm_prep_of_image(&prep, image, NULL), PM_OK);
    pm_prep_luma(prep, image, 1, out, 64);
    assert_true(fabs((double)out[3 * 64 + 5] - pm_prep_mean(prep)) < 1e-6);
    assert_true(fabs((double)out[4 * 64 + 5] - pm_prep_mean(prep)) < 1e-6);
    pm_prep_free(prep);
    pm_image_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors_are_block_means),
        cmocka_unit_test(what_is_not_finite_counts_as_the_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
