/* loss: the reported loss against the definition written out, in every variant of the kernels. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/rect.h"
#include "tests/lib/synth.h"
#include "worker/align/align.h"
#include "worker/kernels/cpu.h"

static double by_definition(
    const struct pm_image *gt, const struct pm_image *target, double gain, int dy, int dx)
{
    struct pm_overlap o = pm_overlap_trimmed(gt->w, gt->h, dy, dx);
    double sum = 0;
    int n = 0;
    for (int y = 0; y < o.h; y++) {
        for (int x = 0; x < o.w; x++) {
            for (int c = 0; c < gt->channels; c++) {
                double d = fabs(pm_synth_get(gt, o.gt_y + y, o.gt_x + x, c) -
                                gain * pm_synth_get(target, o.target_y + y, o.target_x + x, c));
                sum += isfinite(d) ? d : 0;
                n += isfinite(d);
            }
        }
    }
    return n > 0 ? sum / n : (double)NAN;
}

static void it_is_the_mean_over_the_trimmed_overlap(void **state)
{
    (void)state;
    const int shifts[][2] = {{0, 0}, {1, 0}, {0, -1}, {-3, 4}, {7, 7}, {-20, 31}, {40, -52}};
    const char *const variants[] = {"plain", "avx2", "avx512"};
    for (int i = 0; i < 8; i++) {
        struct pm_synth spec = {.w = 67,
            .h = 53,
            .channels = i % 2 != 0 ? 3 : 1,
            .sample = (enum pm_sample)(i / 2),
            .gain = 1.7,
            .read = 0.01,
            .seed = 9};
        struct pm_image *gt = NULL, *target = NULL;
        pm_synth_pair(&spec, &gt, &target);
        for (size_t s = 0; s < sizeof shifts / sizeof shifts[0]; s++) {
            int dy = shifts[s][0], dx = shifts[s][1];
            double want = by_definition(gt, target, 1.7, dy, dx), first = 0;
            for (int v = 0; v < 3; v++) {
                setenv("PAIRMILL_CPU", variants[v], 1);
                double got = pm_align_loss(gt, target, 1.7, dy, dx);
                first = v == 0 ? got : first;
                assert_true(fabs(got - want) < 1e-12);
                assert_memory_equal(&got, &first, sizeof got);
            }
            unsetenv("PAIRMILL_CPU");
        }
        pm_image_free(gt);
        pm_image_free(target);
    }
}

static void what_is_not_finite_is_left_out(void **state)
{
    (void)state;
    struct pm_synth spec = {.w = 40, .h = 40, .channels = 3, .sample = PM_F32, .read = 0.02};
    struct pm_image *gt = NULL, *target = NULL;
    pm_synth_pair(&spec, &gt, &target);
    pm_synth_put(gt, 7, 7, 0, NAN);
    pm_synth_put(target, 20, 9, 2, INFINITY);
    pm_synth_put(target, 21, 9, 2, -(double)INFINITY);
    assert_true(fabs(pm_align_loss(gt, target, 1.2, 3, -2) -
                     by_definition(gt, target, 1.2, 3, -2)) < 1e-12);
    pm_image_free(gt);
    pm_image_free(target);
}

static void no_overlap_gives_nan(void **state)
{
    (void)state;
    struct pm_synth spec = {.w = 20, .h = 20, .channels = 1, .sample = PM_U8};
    struct pm_image *gt = NULL, *target = NULL;
    pm_synth_pair(&spec, &gt, &target);
    assert_true(isnan(pm_align_loss(gt, target, 1, 20, 0)));
    assert_true(isnan(pm_align_loss(gt, target, 1, 0, -300)));
    assert_true(isnan(pm_align_loss(gt, target, 1, 19, 0))); /* one row left, trimmed away */
    assert_true(pm_align_loss(gt, target, 1, 18, 0) >= 0);
    pm_image_free(gt);
    pm_image_free(target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_mean_over_the_trimmed_overlap),
        cmocka_unit_test(what_is_not_finite_is_left_out),
        cmocka_unit_test(no_overlap_gives_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
