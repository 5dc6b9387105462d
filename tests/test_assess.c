/* assess: trusts a right answer, distrusts one that is not the best, and changes neither. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/aligned.h"
#include "worker/align/assess.h"

static struct pm_shift assess(
    const struct pm_pair *pair, int dy, int dx, const struct pm_candidate *others, int count)
{
    struct pm_align_query query = {.gt = &pair->gt,
        .target = &pair->target,
        .gain = pm_pair_plain_gain(pair),
        .max_shift = 16,
        .quality = true};
    struct pm_shift shift = {.dy = dy, .dx = dx, .gain = query.gain, .confidence = 0.5};
    struct pm_assess *self;
    assert_int_equal(pm_assess_new(&self, NULL), PM_OK);
    assert_int_equal(pm_assess_answer(self, &query, others, count, &shift, NULL), PM_OK);
    pm_assess_free(self);
    assert_int_equal(shift.dy, dy);
    assert_int_equal(shift.dx, dx);
    return shift;
}

static void test_right_and_wrong(void **state)
{
    struct pm_synth spec = {.w = 120,
        .h = 110,
        .channels = 3,
        .sample = PM_U16,
        .dy = 5,
        .dx = -3,
        .gain = 1.3,
        .read = 0.02,
        .seed = 5};
    const struct pm_candidate truth = {.dy = 5, .dx = -3};
    struct pm_candidate many[PM_ASSESS_OTHERS + 5];
    struct pm_pair pair;
    (void)state;
    pm_pair_open(&pair, &spec);
    assert_true(assess(&pair, 5, -3, NULL, 0).confidence > 0.9);
    assert_true(assess(&pair, -9, 9, &truth, 1).confidence == 0);
    /* more candidates than are looked at */
    for (int i = 0; i < PM_ASSESS_OTHERS + 5; i++) {
        many[i] = (struct pm_candidate){.dy = i - 10, .dx = 10 - i};
    }
    assert_true(assess(&pair, 5, -3, many, PM_ASSESS_OTHERS + 5).confidence > 0.9);
    pm_pair_close(&pair);
    pm_assess_free(NULL);
}

/* Whole tiles apart, another shift is as good. */
static void test_periodic_is_not_trusted(void **state)
{
    struct pm_synth spec = {.w = 120,
        .h = 110,
        .channels = 1,
        .sample = PM_U16,
        .scene = PM_SYNTH_PERIODIC,
        .period = 10,
        .dy = 4,
        .dx = 3,
        .seed = 5};
    const struct pm_candidate other = {.dy = -6, .dx = 3};
    struct pm_pair pair;
    (void)state;
    pm_pair_open(&pair, &spec);
    assert_true(assess(&pair, 4, 3, &other, 1).confidence < 0.5);
    pm_pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right_and_wrong),
        cmocka_unit_test(test_periodic_is_not_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
