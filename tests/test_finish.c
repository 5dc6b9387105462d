/* finish: a doubted answer is looked for again, a clear one is not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/aligned.h"
#include "worker/align/fftplans.h"
#include "worker/align/finish.h"

static struct pm_fftplans *plans;

static int open_plans(void **state)
{
    (void)state;
    return pm_fftplans_new(&plans, NULL, NULL) == PM_OK ? 0 : -1;
}

static int close_plans(void **state)
{
    (void)state;
    pm_fftplans_free(plans);
    return 0;
}

static struct pm_shift finish(
    const struct pm_pair *pair, int max_shift, bool quality, const struct pm_candidate from[2])
{
    struct pm_align_query query = {.gt = &pair->gt,
        .target = &pair->target,
        .gain = pm_pair_plain_gain(pair),
        .max_shift = max_shift,
        .quality = quality,
        .plans = plans};
    struct pm_shift shift = {.gain = query.gain};
    struct pm_finish *self;
    assert_int_equal(pm_finish_new(&self, NULL), PM_OK);
    assert_non_null(pm_finish_hills(self));
    assert_int_equal(pm_finish_run(self, &query, from, 2, &shift, NULL), PM_OK);
    pm_finish_free(self);
    return shift;
}

static void a_clear_pair_is_looked_at_once(void **state)
{
    struct pm_synth spec = {.w = 400,
        .h = 300,
        .channels = 3,
        .sample = PM_U16,
        .dy = 7,
        .dx = -9,
        .gain = 0.6,
        .read = 0.01,
        .seed = 1};
    const struct pm_candidate from[2] = {{.dy = 6, .dx = -8}, {.dy = 20, .dx = 20}};
    struct pm_pair pair;
    (void)state;
    pm_pair_open(&pair, &spec);
    for (int quality = 0; quality < 2; quality++) {
        struct pm_shift shift = finish(&pair, 24, quality == 1, from);
        assert_int_equal(shift.dy, 7);
        assert_int_equal(shift.dx, -9);
        assert_true(shift.evaluations < 400); /* of 49 * 49 */
        assert_true(quality == 0 || shift.confidence > 0.9);
    }
    pm_pair_close(&pair);
    pm_finish_free(NULL);
}

/* Nothing but noise: whatever the candidate, the answer is the smallest loss of the range. */
static void in_doubt_every_shift_of_a_small_image_is_tried(void **state)
{
    for (uint64_t seed = 0; seed < 3; seed++) {
        struct pm_synth spec = {.w = 60,
            .h = 50,
            .channels = 1,
            .sample = PM_U16,
            .scene = PM_SYNTH_FLAT,
            .read = 0.1,
            .seed = seed};
        const struct pm_candidate from[2] = {{.dy = -6, .dx = 5}, {.dy = 1, .dx = 1}};
        struct pm_pair pair;
        int dy, dx;
        (void)state;
        pm_pair_open(&pair, &spec);
        pm_pair_plain_search(&pair, pm_pair_plain_gain(&pair), 12, 12, &dy, &dx);
        for (int quality = 0; quality < 2; quality++) {
            struct pm_shift shift = finish(&pair, 12, quality == 1, from);
            assert_int_equal(shift.dy, dy);
            assert_int_equal(shift.dx, dx);
            assert_true(shift.confidence < 0.5);
            assert_true(quality == 0 || (shift.flags & PM_FLAG_AMBIGUOUS) != 0);
        }
        pm_pair_close(&pair);
    }
}

/* Whole tile periods away from the truth, in an image too large to try every shift: only light
 * that differs from tile to tile tells them apart. */
static void in_doubt_all_hills_of_a_large_image_are_followed(void **state)
{
    struct pm_synth spec = {.w = 1400,
        .h = 1000,
        .channels = 3,
        .sample = PM_U16,
        .scene = PM_SYNTH_PERIODIC,
        .period = 60,
        .dy = 20,
        .dx = -31,
        .seed = 9};
    const struct pm_candidate from[2] = {
        {.dy = 20 - 60, .dx = -31 + 60}, {.dy = 20, .dx = -31 + 60}};
    struct pm_pair pair;
    struct pm_shift shift;
    struct pm_image *gt, *target;
    (void)state;
    pm_synth_pair(&spec, &gt, &target);
    for (int i = 0; i < 400; i++) { /* one mark that is not repeated */
        int y = 500 + i / 20, x = 700 + i % 20;
        for (int c = 0; c < 3; c++) {
            pm_synth_put(gt, y, x, c, 0.9);
            pm_synth_put(target, y - spec.dy, x - spec.dx, c, 0.9);
        }
    }
    pm_pair_wrap(&pair, gt, target);
    shift = finish(&pair, 100, true, from);
    assert_int_equal(shift.dy, 20);
    assert_int_equal(shift.dx, -31);
    pm_pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clear_pair_is_looked_at_once),
        cmocka_unit_test(in_doubt_every_shift_of_a_small_image_is_tried),
        cmocka_unit_test(in_doubt_all_hills_of_a_large_image_are_followed),
    };
    return cmocka_run_group_tests(tests, open_plans, close_plans);
}
