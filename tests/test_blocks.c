/* blocks: never more than the real sum, near it where the scene differs, gaps left out. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/synth.h"
#include "worker/align/blocks.h"

/* The sum of |gt - gain * target| over the strip's rows within the overlap, sample by sample. */
static double plain_sum(const struct pm_image *gt, const struct pm_image *target, double gain,
    const struct pm_overlap *o, int strip)
{
    double sum = 0;
    for (int y = PM_BLOCK * strip; y < PM_BLOCK * (strip + 1); y++) {
        for (int x = o->target_x; x < o->target_x + o->w; x++) {
            for (int c = 0; c < gt->channels; c++) {
                double g =
                    pm_synth_get(gt, y + o->gt_y - o->target_y, x + o->gt_x - o->target_x, c);
                double d = fabs(g - gain * pm_synth_get(target, y, x, c));
                sum += isfinite(d) ? d : 0;
            }
        }
    }
    return sum;
}

static void expect_inside(const struct pm_overlap *o, int strip)
{
    assert_true(PM_BLOCK * strip >= o->target_y);
    assert_true(PM_BLOCK * (strip + 1) <= o->target_y + o->h);
}

/* All shifts up to `reach`; returns the smallest share of the real sum that was told, but only of
 * strips with something to tell. */
static void check(struct pm_blocks *blocks, const struct pm_image *gt,
    const struct pm_image *target, double gain, int reach)
{
    assert_int_equal(pm_blocks_build(blocks, gt, target, gain, NULL), PM_OK);
    for (int dy = -reach; dy <= reach; dy++) {
        for (int dx = -reach; dx <= reach; dx++) {
            struct pm_overlap o = pm_overlap_trimmed(gt->w, gt->h, dy, dx);
            int first, end;
            pm_blocks_strips(&o, &first, &end);
            for (int strip = first; strip < end; strip++) {
                double least = pm_blocks_least(blocks, &o, strip);
                double real = plain_sum(gt, target, gain, &o, strip);
                expect_inside(&o, strip);
                assert_true(least >= 0);
                assert_true(least <= real * (1 + 1e-9));
            }
        }
    }
}

/* One pm_blocks for all, so that arrays are kept and remade. */
static void test_never_more_than_the_sum(void **state)
{
    struct pm_blocks *blocks;
    (void)state;
    assert_int_equal(pm_blocks_new(&blocks, NULL), PM_OK);
    for (int i = 0; i < 8; i++) {
        struct pm_synth spec = {.w = 23 + i / 2,
            .h = 31 - i,
            .channels = i % 2 == 0 ? 3 : 1,
            .sample = (enum pm_sample)(i % 4),
            .dy = 2,
            .dx = -3,
            .gain = 0.25 * (i + 1),
            .read = 0.02 * i,
            .seed = (uint64_t)i};
        struct pm_image *gt, *target;
        pm_synth_pair(&spec, &gt, &target);
        check(blocks, gt, target, spec.gain, 7);
        pm_image_free(gt);
        pm_image_free(target);
    }
    pm_blocks_free(blocks);
    pm_blocks_free(NULL);
}

/* Brightness that differs everywhere by as much: the blocks know all of it. */
static void test_tells_all_of_a_plain_difference(void **state)
{
    struct pm_synth spec = {.w = 32, .h = 24, .channels = 3, .sample = PM_F32, .seed = 1};
    struct pm_image *gt, *target;
    struct pm_blocks *blocks;
    struct pm_overlap o = pm_overlap_full(32, 24, 0, 0);
    (void)state;
    pm_synth_pair(&spec, &gt, &target);
    assert_int_equal(pm_blocks_new(&blocks, NULL), PM_OK);
    assert_int_equal(pm_blocks_build(blocks, gt, target, 0.5, NULL), PM_OK);
    for (int strip = 0; strip < 6; strip++) {
        double real = plain_sum(gt, target, 0.5, &o, strip);
        assert_true(pm_blocks_least(blocks, &o, strip) > 0.999 * real);
    }
    pm_blocks_free(blocks);
    pm_image_free(gt);
    pm_image_free(target);
}

/* A sample that is not finite takes its block out, and no other. */
static void test_gaps(void **state)
{
    struct pm_synth spec = {.w = 40, .h = 24, .channels = 1, .sample = PM_F16, .dx = 5, .seed = 3};
    struct pm_image *gt, *target;
    struct pm_blocks *blocks;
    struct pm_overlap o = pm_overlap_full(40, 24, 0, 0);
    double before;
    (void)state;
    pm_synth_pair(&spec, &gt, &target);
    assert_int_equal(pm_blocks_new(&blocks, NULL), PM_OK);
    assert_int_equal(pm_blocks_build(blocks, gt, target, 1, NULL), PM_OK);
    before = pm_blocks_least(blocks, &o, 2);
    pm_synth_put(gt, 9, 13, 0, NAN);
    pm_synth_put(target, 8, 30, 0, INFINITY);
    check(blocks, gt, target, 1, 5);
    assert_true(isfinite(pm_blocks_least(blocks, &o, 2)));
    assert_true(pm_blocks_least(blocks, &o, 2) > 0.3 * before);
    assert_true(pm_blocks_least(blocks, &o, 2) < before);
    pm_blocks_free(blocks);
    pm_image_free(gt);
    pm_image_free(target);
}

/* Overlaps lower or narrower than a block have nothing to tell. */
static void test_slim_overlaps(void **state)
{
    struct pm_synth spec = {.w = 16, .h = 16, .channels = 1, .sample = PM_U8, .dx = 5, .seed = 3};
    struct pm_image *gt, *target;
    struct pm_blocks *blocks;
    struct pm_overlap o;
    int first, end;
    (void)state;
    pm_synth_pair(&spec, &gt, &target);
    assert_int_equal(pm_blocks_new(&blocks, NULL), PM_OK);
    assert_int_equal(pm_blocks_build(blocks, gt, target, 1, NULL), PM_OK);
    o = pm_overlap_full(16, 16, 14, 0);
    pm_blocks_strips(&o, &first, &end);
    assert_true(end <= first);
    o = pm_overlap_full(16, 16, 0, -14);
    assert_true(pm_blocks_least(blocks, &o, 1) == 0);
    o = pm_overlap_full(16, 16, 0, 14);
    assert_true(pm_blocks_least(blocks, &o, 1) == 0);
    pm_blocks_free(blocks);
    pm_image_free(gt);
    pm_image_free(target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_more_than_the_sum),
        cmocka_unit_test(test_tells_all_of_a_plain_difference),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_slim_overlaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
