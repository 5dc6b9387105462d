/* gaincheck: a minimum that a wrong gain made is found out, a right one is left alone. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/aligned.h"
#include "worker/align/gaincheck.h"

#define DY 6
#define DX (-8)
#define WRONG 1.25 /* of the gain that is searched with */

static const struct pm_synth smooth = {.w = 220,
    .h = 180,
    .channels = 3,
    .sample = PM_U16,
    .scene = PM_SYNTH_SMOOTH,
    .dy = DY,
    .dx = DX,
    .read = 0.002,
    .seed = 31};

static struct pm_gaincheck check_of(const struct pm_pair *pair, double gain,
    struct pm_candidate answer, const struct pm_candidate *second, double ratio,
    double second_ratio)
{
    struct pm_bands *bands;
    struct pm_align_query query = {
        .gt = &pair->gt, .target = &pair->target, .gain = gain, .max_shift = 30};
    struct pm_confirmed confirmed = {.dy = answer.dy, .dx = answer.dx, .second_loss = NAN};
    struct pm_gaincheck check;
    if (second != NULL) {
        confirmed.second_loss = 1;
        confirmed.second_dy = second->dy;
        confirmed.second_dx = second->dx;
    }
    assert_int_equal(pm_bands_new(&bands, NULL), PM_OK);
    assert_int_equal(
        pm_gaincheck_run(bands, &query, &confirmed, ratio, second_ratio, &check, NULL), PM_OK);
    pm_bands_free(bands);
    return check;
}

static bool stable(const struct pm_pair *pair, double gain, struct pm_candidate answer,
    const struct pm_candidate *second, double ratio, double second_ratio)
{
    return check_of(pair, gain, answer, second, ratio, second_ratio).stable;
}

static void the_scene_s_place_is_stable_at_any_gain(void **state)
{
    (void)state;
    struct pm_candidate right = {.dy = DY, .dx = DX}, far = {.dy = -20, .dx = 15};
    struct pm_pair pair;
    pm_pair_open(&pair, &smooth);
    assert_true(stable(&pair, 1, right, NULL, 1, NAN));
    assert_true(stable(&pair, WRONG, right, NULL, 1 / WRONG, NAN));
    assert_true(stable(&pair, WRONG, right, &far, 1 / WRONG, 0.9 / WRONG));
    pm_pair_close(&pair);
}

/* At the wrong gain the places beside the answer are nearly as low; at its own they are not. */
static void the_right_gain_is_sure_of_the_places_beside(void **state)
{
    (void)state;
    struct pm_candidate right = {.dy = DY, .dx = DX};
    struct pm_pair pair;
    struct pm_gaincheck check;
    pm_pair_open(&pair, &smooth);
    check = check_of(&pair, WRONG, right, NULL, 1 / WRONG, NAN);
    assert_true(check.off);
    assert_true(check.z_near > 5 && isfinite(check.z_near));
    check = check_of(&pair, 1, right, NULL, 1.001, NAN); /* hardly another gain: not looked at */
    assert_false(check.off);
    assert_true(isinf(check.z_near) && check.z_near < 0);
    pm_pair_close(&pair);
}

/* Without a scene no place is surer than another, at any gain. */
static void a_flat_pair_is_not_sure(void **state)
{
    (void)state;
    struct pm_synth spec = smooth;
    struct pm_candidate right = {.dy = DY, .dx = DX};
    struct pm_pair pair;
    spec.scene = PM_SYNTH_FLAT;
    spec.read = 0;
    pm_pair_open(&pair, &spec);
    struct pm_gaincheck check = check_of(&pair, WRONG, right, NULL, 1 / WRONG, NAN);
    assert_true(check.off && check.stable);
    assert_true(fabs(check.z_near) < 1e-9);
    pm_pair_close(&pair);
}

/* The wrong gain's own minimum lies elsewhere; at the right gain a place beside it is lower. */
static void a_minimum_that_a_wrong_gain_made_is_not(void **state)
{
    (void)state;
    struct pm_candidate wrong;
    struct pm_pair pair;
    pm_pair_open(&pair, &smooth);
    pm_pair_plain_search(&pair, WRONG, 14, 14, &wrong.dy, &wrong.dx);
    assert_false(wrong.dy == DY && wrong.dx == DX);
    assert_false(stable(&pair, WRONG, wrong, NULL, 1 / WRONG, NAN));
    assert_true(stable(&pair, WRONG, wrong, NULL, NAN, NAN)); /* nothing known against it */
    pm_pair_close(&pair);
}

/* In a mosaic the places beside are always worse; the one a period further is the scene's. */
static void a_mosaic_is_compared_where_its_colours_meet(void **state)
{
    (void)state;
    struct pm_synth spec = smooth;
    struct pm_candidate beside = {.dy = DY, .dx = DX + 2};
    struct pm_image *gt, *target;
    struct pm_pair pair;
    spec.channels = 1;
    pm_synth_pair(&spec, &gt, &target);
    for (int y = 0; y < spec.h; y++) {
        for (int x = 0; x < spec.w; x++) {
            double filter = (y + x) % 2 == 0 ? 1 : y % 2 == 0 ? 0.3 : 0.5;
            pm_synth_put(gt, y, x, 0, filter * pm_synth_get(gt, y, x, 0));
            pm_synth_put(target, y, x, 0, filter * pm_synth_get(target, y, x, 0));
        }
    }
    pm_pair_wrap(&pair, gt, target);
    assert_false(stable(&pair, WRONG, beside, NULL, 1 / WRONG, NAN));
    assert_true(
        stable(&pair, WRONG, (struct pm_candidate){.dy = DY, .dx = DX}, NULL, 1 / WRONG, NAN));
    pm_pair_close(&pair);
}

/* Far from the answer, with a gain of its own. */
static void the_second_place_has_its_own_gain(void **state)
{
    (void)state;
    struct pm_synth spec = smooth;
    struct pm_candidate right = {.dy = DY, .dx = DX}, far = {.dy = -20, .dx = 15};
    struct pm_pair pair;
    spec.scene = PM_SYNTH_TEXTURE;
    pm_pair_open(&pair, &spec);
    assert_false(stable(&pair, WRONG, far, &right, NAN, 1 / WRONG));
    assert_true(stable(&pair, WRONG, right, &far, 1 / WRONG, NAN));
    pm_pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_scene_s_place_is_stable_at_any_gain),
        cmocka_unit_test(the_right_gain_is_sure_of_the_places_beside),
        cmocka_unit_test(a_flat_pair_is_not_sure),
        cmocka_unit_test(a_minimum_that_a_wrong_gain_made_is_not),
        cmocka_unit_test(a_mosaic_is_compared_where_its_colours_meet),
        cmocka_unit_test(the_second_place_has_its_own_gain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
