/* depth: a repetition is as deep as the best place, a far one is not, whatever the gain that the
 * pair was made comparable with. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/aligned.h"
#include "worker/align/depth.h"

#define DY 8
#define DX (-4)
#define PERIOD 48

static const struct pm_synth texture = {
    .w = 460, .h = 400, .channels = 3, .sample = PM_U16, .dy = DY, .dx = DX, .seed = 5};

static double depth_of(const struct pm_synth *spec, double gain, struct pm_candidate second)
{
    struct pm_pair pair;
    struct pm_levelsearch *level = NULL;
    struct pm_confirmed confirmed = {
        .dy = DY, .dx = DX, .second_dy = second.dy, .second_dx = second.dx, .second_loss = 1};
    double depth = NAN;
    pm_pair_open(&pair, spec);
    struct pm_align_query query = {
        .gt = &pair.gt, .target = &pair.target, .gain = gain, .max_shift = 100};
    assert_int_equal(pm_levelsearch_new(&level, NULL), PM_OK);
    assert_int_equal(pm_levelsearch_begin(level, &query, NULL), PM_OK);
    assert_int_equal(
        pm_depth_of_second(level, &confirmed, pm_levelsearch_factor(pair.gt_image), &depth, NULL),
        PM_OK);
    pm_levelsearch_free(level);
    pm_pair_close(&pair);
    return depth;
}

static void a_repetition_is_as_deep(void **state)
{
    struct pm_synth spec = texture;
    (void)state;
    spec.scene = PM_SYNTH_PERIODIC;
    spec.period = PERIOD;
    for (int i = 0; i < 3; i++) { /* factor 4, 2, 1 */
        double depth = depth_of(&spec, 1, (struct pm_candidate){.dy = DY - PERIOD, .dx = DX});
        assert_true(fabs(depth - 1) < 0.05);
        spec.w /= 2;
        spec.h /= 2;
    }
}

static void what_is_no_place_has_no_depth(void **state)
{
    (void)state;
    struct pm_candidate far = {.dy = DY - 60, .dx = DX + 80}, beside = {.dy = DY + 3, .dx = DX - 5};
    assert_true(depth_of(&texture, 1, far) < 0.4);
    assert_true(depth_of(&texture, 1, beside) == 0); /* runs down into the best one */
}

/* Searched with gains from half to double: every place is judged at its own. */
static void the_gain_of_the_search_does_not_matter(void **state)
{
    struct pm_synth spec = texture;
    struct pm_candidate far = {.dy = DY - 60, .dx = DX + 80};
    double right;
    (void)state;
    spec.scene = PM_SYNTH_SMOOTH;
    right = depth_of(&spec, 1, far);
    for (double gain = 0.5; gain < 2.1; gain *= sqrt(2)) {
        assert_true(fabs(depth_of(&spec, gain, far) - right) < 0.02);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repetition_is_as_deep),
        cmocka_unit_test(what_is_no_place_has_no_depth),
        cmocka_unit_test(the_gain_of_the_search_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
