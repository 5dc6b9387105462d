/* quality: sure where the image decides, doubtful and flagged where it does not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/aligned.h"
#include "worker/align/align.h"

static struct pm_aligner *aligner;

static int open_aligner(void **state)
{
    (void)state;
    return pm_aligner_new(&aligner, NULL, NULL) == PM_OK ? 0 : -1;
}

static int close_aligner(void **state)
{
    (void)state;
    pm_aligner_free(aligner);
    return 0;
}

static struct pm_shift find(const struct pm_pair *p, bool swapped, int max_shift)
{
    struct pm_align_opts opts = {
        .method = PM_METHOD_HIERARCHICAL, .max_shift = max_shift, .quality = true};
    struct pm_shift shift;
    assert_int_equal(pm_align_find(aligner, swapped ? &p->target : &p->gt,
                         swapped ? &p->gt : &p->target, &opts, &shift, NULL),
        PM_OK);
    return shift;
}

static const struct pm_synth plain = {.w = 800,
    .h = 700,
    .channels = 3,
    .sample = PM_U16,
    .dy = -14,
    .dx = 23,
    .gain = 1.3,
    .photon = 0.001,
    .read = 0.005,
    .seed = 21};

static void a_clear_pair_is_sure_and_has_no_flags(void **state)
{
    (void)state;
    struct pm_pair p;
    pm_pair_open(&p, &plain);
    struct pm_shift s = find(&p, false, 64);
    assert_true(s.dy == -14 && s.dx == 23);
    assert_true(s.confidence > 0.95 && s.confidence <= 1);
    assert_int_equal(s.flags, 0);
    assert_true(fabs(s.sub_dy) < 0.1 && fabs(s.sub_dx) < 0.1);
    pm_pair_close(&p);
}

static void a_flat_pair_is_ambiguous(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct pm_synth spec = plain;
        struct pm_pair p;
        spec.scene = PM_SYNTH_FLAT;
        spec.w = i < 2 ? 500 : 60;
        spec.h = i < 2 ? 400 : 50;
        spec.photon = i % 2 != 0 ? 0.001 : 0;
        spec.read = i % 2 != 0 ? 0.01 : 0;
        pm_pair_open(&p, &spec);
        struct pm_shift s = find(&p, false, 20);
        assert_true(s.confidence < 0.5);
        assert_true((s.flags & PM_FLAG_AMBIGUOUS) != 0);
        pm_pair_close(&p);
    }
}

static void a_periodic_pair_is_ambiguous(void **state)
{
    (void)state;
    struct pm_synth spec = plain;
    struct pm_pair p;
    spec.scene = PM_SYNTH_PERIODIC;
    spec.period = 36;
    pm_pair_open(&p, &spec);
    struct pm_shift s = find(&p, false, 64);
    assert_int_equal((s.dy + 360 + 14) % 36, 0);
    assert_int_equal((s.dx + 360 - 23) % 36, 0);
    assert_true(s.confidence < 0.5);
    assert_true((s.flags & PM_FLAG_AMBIGUOUS) != 0);
    pm_pair_close(&p);
}

static void different_scenes_do_not_match(void **state)
{
    (void)state;
    struct pm_synth other = plain;
    struct pm_pair p, q;
    other.seed = 77;
    pm_pair_open(&p, &plain);
    pm_pair_open(&q, &other);
    struct pm_pair mixed = {.gt = p.gt, .target = q.target};
    struct pm_shift s = find(&mixed, false, 64);
    assert_true(s.confidence < 0.5);
    assert_true((s.flags & PM_FLAG_NO_OVERLAP_MATCH) != 0);
    pm_pair_close(&p);
    pm_pair_close(&q);
}

static void light_that_changes_over_the_frame(void **state)
{
    (void)state;
    struct pm_pair p;
    pm_pair_open(&p, &plain);
    for (int i = 0; i < plain.w * plain.h * 3; i++) {
        int y = i / 3 / plain.w, x = i / 3 % plain.w;
        double v = pm_synth_get(p.target_image, y, x, i % 3);
        pm_synth_put(p.target_image, y, x, i % 3, v * (0.8 + 0.2 * y / plain.h));
    }
    pm_pair_renew(&p);
    struct pm_shift s = find(&p, false, 64);
    assert_true(s.dy == -14 && s.dx == 23);
    assert_true((s.flags & PM_FLAG_GAIN_DRIFT) != 0);
    assert_int_equal(s.flags & PM_FLAG_NOT_TRANSLATION, 0);
    pm_pair_close(&p);
}

/* Half a pixel in x by averaging two neighbours. */
static void the_residual_of_a_fraction_of_a_pixel(void **state)
{
    (void)state;
    struct pm_synth spec = plain;
    struct pm_pair p;
    spec.photon = spec.read = 0;
    spec.channels = 1;
    pm_pair_open(&p, &spec);
    for (int y = 0; y < spec.h; y++) {
        for (int x = 0; x + 1 < spec.w; x++) {
            double a = pm_synth_get(p.target_image, y, x, 0),
                   b = pm_synth_get(p.target_image, y, x + 1, 0);
            pm_synth_put(p.target_image, y, x, 0, 0.7 * a + 0.3 * b);
        }
    }
    pm_pair_renew(&p);
    struct pm_shift s = find(&p, false, 64);
    assert_true(s.dy == -14 && s.dx == 23);
    assert_true(fabs(s.sub_dy) < 0.1 && s.sub_dx > 0.12 && s.sub_dx < 0.45);
    pm_pair_close(&p);
}

static void equal_images_are_sure(void **state)
{
    (void)state;
    struct pm_synth spec = {.w = 400, .h = 400, .channels = 3, .sample = PM_U8, .seed = 9};
    struct pm_pair p;
    pm_pair_open(&p, &spec);
    struct pm_shift s = find(&p, false, 64);
    assert_true(s.dy == 0 && s.dx == 0 && s.confidence > 0.9 && s.flags == 0);
    pm_pair_close(&p);
}

/* Where the slope goes on down outside the range, the edge is no answer; where the scene does lie
 * on the edge, it is. */
static void a_scene_beyond_the_range_is_doubted(void **state)
{
    struct pm_synth spec = plain;
    struct pm_pair p;
    (void)state;
    for (int made = 23; made <= 25; made++) {
        struct pm_shift shift;
        spec.scene = PM_SYNTH_SMOOTH;
        spec.dx = made;
        pm_pair_open(&p, &spec);
        shift = find(&p, false, 23);
        assert_true((shift.flags & PM_FLAG_SHIFT_AT_LIMIT) != 0);
        if (made == 23) {
            assert_int_equal(shift.dx, 23);
            assert_true(shift.confidence > 0.9);
        } else {
            assert_true(shift.confidence < 0.5);
        }
        pm_pair_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clear_pair_is_sure_and_has_no_flags),
        cmocka_unit_test(a_flat_pair_is_ambiguous),
        cmocka_unit_test(a_periodic_pair_is_ambiguous),
        cmocka_unit_test(different_scenes_do_not_match),
        cmocka_unit_test(light_that_changes_over_the_frame),
        cmocka_unit_test(the_residual_of_a_fraction_of_a_pixel),
        cmocka_unit_test(equal_images_are_sure),
        cmocka_unit_test(a_scene_beyond_the_range_is_doubted),
    };
    return cmocka_run_group_tests(tests, open_aligner, close_aligner);
}
