/* mask_exact: one pixel of RAWNIND.md 2.6, worked out by hand and by pow(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "tests/lib/workerkit.h"
#include "worker/mask_exact.h"

static void values_worked_out_by_hand(void **state)
{
    struct pm_mask_exact exact;
    float gt[] = {1, -0.5f, 0}, target[] = {0, 0.25f, -0.125f};
    (void)state;
    pm_mask_exact_init(&exact, PM_F32, 3, 2);
    /* |1 - 0| + |-0.5 - 0.5^(1/2.2)| + |0 + 0.25| */
    double want = 1 + (0.5 + pow(0.5, 1 / 2.2)) + 0.25;
    assert_true(fabs(pm_mask_exact_px(&exact, gt, target, 0) - want) < 1e-15);
    pm_mask_exact_init(&exact, PM_F32, 1, 2);
    assert_true(fabs(pm_mask_exact_px(&exact, gt, target, 1) - 0.5 - pow(0.5, 1 / 2.2)) < 1e-15);
}

static void every_type_gives_the_formula(void **state)
{
    (void)state;
    for (int sample = PM_U8; sample <= PM_F32; sample++) {
        struct pm_image *gt = kit_image(50, 1, 3, (enum pm_sample)sample);
        struct pm_image *target = kit_image(50, 1, 3, (enum pm_sample)sample);
        struct pm_mask_exact exact;
        kit_texture(gt, 0, 0, 1, 0, 1);
        kit_texture(target, 0, 3, 0.5, 0.1, 2);
        pm_mask_exact_init(&exact, (enum pm_sample)sample, 3, 1.7);
        for (int again = 0; again < 2; again++) {
            for (int x = 0; x < 50; x++) {
                double want = 0;
                for (int c = 0; c < 3; c++) {
                    want += fabs(pow(kit_get(gt, x, 0, c), 1 / 2.2) -
                                 pow(1.7 * kit_get(target, x, 0, c), 1 / 2.2));
                }
                assert_true(pm_mask_exact_px(&exact, gt->data, target->data, x) == want);
            }
        }
        pm_image_free(gt);
        pm_image_free(target);
    }
}

static void what_is_not_finite_is_nan(void **state)
{
    struct pm_mask_exact exact;
    float gt[] = {NAN, INFINITY, INFINITY, 1}, target[] = {1, 1, INFINITY, -INFINITY};
    (void)state;
    pm_mask_exact_init(&exact, PM_F32, 1, 1);
    for (int x = 0; x < 4; x++) {
        assert_true(isnan(pm_mask_exact_px(&exact, gt, target, x)));
    }
    assert_true(pm_mask_exact_px(&exact, gt + 3, gt + 3, 0) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_worked_out_by_hand),
        cmocka_unit_test(every_type_gives_the_formula),
        cmocka_unit_test(what_is_not_finite_is_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
