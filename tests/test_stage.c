/* stage: staged differences against the true ones, for gains and brightness of all kinds. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/synth.h"
#include "worker/align/stage.h"

struct pair {
    struct pm_image *gt, *target;
    struct pm_prep *gt_prep, *target_prep;
    struct pm_align_input inputs[2];
    struct pm_align_query query;
};

static void make(struct pair *p, const struct pm_synth *spec, int max_shift)
{
    pm_synth_pair(spec, &p->gt, &p->target);
    assert_int_equal(pm_prep_of_image(&p->gt_prep, p->gt, NULL), PM_OK);
    assert_int_equal(pm_prep_of_image(&p->target_prep, p->target, NULL), PM_OK);
    p->inputs[0] = (struct pm_align_input){p->gt, p->gt_prep};
    p->inputs[1] = (struct pm_align_input){p->target, p->target_prep};
    p->query = (struct pm_align_query){
        .gt = &p->inputs[0], .target = &p->inputs[1], .gain = 1, .max_shift = max_shift};
    assert_int_equal(pm_align_gain(p->gt_prep, p->target_prep, &p->query.gain, NULL), PM_OK);
}

static void drop(struct pair *p)
{
    pm_prep_free(p->gt_prep);
    pm_prep_free(p->target_prep);
    pm_image_free(p->gt);
    pm_image_free(p->target);
}

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
        struct pair p;
        struct pm_stage stage;
        make(&p, &spec, 8);
        pm_stage_init(&stage, &p.query);
        assert_false(stage.exact_only);
        for (int y = 0; y < 16; y++) {
            pm_stage_gt(&stage, 3, y, 50, a);
            pm_stage_target(&stage, 5, y, 50, b);
            for (int k = 0; k < 50 * spec.channels; k++) {
                int x = k / spec.channels, c = k % spec.channels;
                double want = pm_synth_get(p.gt, y, x + 3, c) -
                              p.query.gain * pm_synth_get(p.target, y, x + 5, c);
                double got = (staged(&stage, a, k) - staged(&stage, b, k)) * stage.unit;
                assert_true(fabs(got - want) <= stage.rounding + 1e-7);
            }
        }
        assert_true(stage.rounding < 2e-4 || p.query.gain < 0.2 || p.query.gain > 5);
        drop(&p);
    }
}

static void dark_images_use_all_bits(void **state)
{
    (void)state;
    struct pm_synth spec = {.w = 64, .h = 16, .channels = 3, .sample = PM_U16, .seed = 4};
    struct pair p;
    struct pm_stage stage;
    make(&p, &spec, 8);
    for (int i = 0; i < 16 * 64 * 3; i++) {
        double v = pm_synth_get(p.gt, i / 192, i / 3 % 64, i % 3);
        pm_synth_put(p.gt, i / 192, i / 3 % 64, i % 3, v / 1000);
        pm_synth_put(p.target, i / 192, i / 3 % 64, i % 3, v / 1000);
    }
    pm_prep_free(p.gt_prep);
    pm_prep_free(p.target_prep);
    assert_int_equal(pm_prep_of_image(&p.gt_prep, p.gt, NULL), PM_OK);
    assert_int_equal(pm_prep_of_image(&p.target_prep, p.target, NULL), PM_OK);
    p.inputs[0].prep = p.gt_prep;
    p.inputs[1].prep = p.target_prep;
    pm_stage_init(&stage, &p.query);
    assert_true(stage.rounding < 2e-7);
    drop(&p);
}

static void samples_not_finite_allow_only_exact_sums(void **state)
{
    (void)state;
    struct pm_synth spec = {.w = 64, .h = 16, .channels = 1, .sample = PM_F32, .seed = 4};
    struct pair p;
    struct pm_stage stage;
    make(&p, &spec, 8);
    pm_synth_put(p.gt, 1, 1, 0, NAN);
    pm_prep_free(p.gt_prep);
    assert_int_equal(pm_prep_of_image(&p.gt_prep, p.gt, NULL), PM_OK);
    p.inputs[0].prep = p.gt_prep;
    pm_stage_init(&stage, &p.query);
    assert_true(stage.exact_only);
    drop(&p);
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
