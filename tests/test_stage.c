/* stage: staged differences against the true ones, for gains and brightness of all kinds. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/aligned.h"
#include "worker/align/stage.h"

static double staged(const struct pm_stage *stage, const void *row, int i)
{
    return stage->is_float ? (double)((const float *)row)[i] : ((const int16_t *)row)[i];
}

static void differences_are_true_within_the_stated_rounding(void **state)
{
    (void)state;
    static float a[64 * 3], b[64 * 3];
    const double gains[] = {0.01, 0.25, 0.9, 1, 1.3, 4, 60};
    for (int i = 0; i < 4 * 7 * 2; i++) {
        struct pm_synth spec = {.w = 64,
            .h = 16,
            .channels = i % 2 != 0 ? 3 : 1,
            .sample = (enum pm_sample)(i / 2 % 4),
            .gain = gains[i / 8],
            .seed = 2};
        struct pm_pair p;
        struct pm_stage stage;
        pm_pair_open_within(&p, &spec, 8);
        pm_stage_init(&stage, &p.query);
        assert_false(stage.exact_only);
        for (int y = 0; y < 16; y++) {
            pm_stage_gt(&stage, 3, y, 50, a);
            pm_stage_target(&stage, 5, y, 50, b);
            for (int k = 0; k < 50 * spec.channels; k++) {
                int x = k / spec.channels, c = k % spec.channels;
                double want = pm_synth_get(p.gt_image, y, x + 3, c) -
                              p.query.gain * pm_synth_get(p.target_image, y, x + 5, c);
                double got = (staged(&stage, a, k) - staged(&stage, b, k)) * stage.unit;
                assert_true(fabs(got - want) <= stage.rounding + 1e-7);
            }
        }
        assert_true(stage.rounding < 2e-4 || p.query.gain < 0.2 || p.query.gain > 5);
        pm_pair_close(&p);
    }
}

static void dark_images_use_all_bits(void **state)
{
    (void)state;
    struct pm_synth spec = {.w = 64, .h = 16, .channels = 3, .sample = PM_U16, .seed = 4};
    struct pm_pair p;
    struct pm_stage stage;
    pm_pair_open_within(&p, &spec, 8);
    for (int i = 0; i < 16 * 64 * 3; i++) {
        double v = pm_synth_get(p.gt_image, i / 192, i / 3 % 64, i % 3);
        pm_synth_put(p.gt_image, i / 192, i / 3 % 64, i % 3, v / 1000);
        pm_synth_put(p.target_image, i / 192, i / 3 % 64, i % 3, v / 1000);
    }
    pm_pair_renew(&p);
    pm_stage_init(&stage, &p.query);
    assert_true(stage.rounding < 2e-7);
    pm_pair_close(&p);
}

static void samples_not_finite_allow_only_exact_sums(void **state)
{
    (void)state;
    struct pm_synth spec = {.w = 64, .h = 16, .channels = 1, .sample = PM_F32, .seed = 4};
    struct pm_pair p;
    struct pm_stage stage;
    pm_pair_open_within(&p, &spec, 8);
    pm_synth_put(p.gt_image, 1, 1, 0, NAN);
    pm_pair_renew(&p);
    pm_stage_init(&stage, &p.query);
    assert_true(stage.exact_only);
    pm_pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_are_true_within_the_stated_rounding),
        cmocka_unit_test(dark_images_use_all_bits),
        cmocka_unit_test(samples_not_finite_allow_only_exact_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
